//! Whose the health checks are that production is promoted by, where no front door of the host's own counts.

use anyhow::{Result, bail};
use autodevops_pipeline::Origin;

use crate::usage::Usage;

/// Refuses health checks that could promote nothing: without a front door two of them must agree, of two publishers, so that one that lies
/// misleads nobody. A publisher is claimed by the plugin's manifest, which the operator read before they granted anything.
///
/// # Errors
/// Which they are, and what to do.
pub(crate) fn check(health_checks: &[(&str, Origin)], target: &str) -> Result<()> {
    let two = |(_, one): &(&str, Origin)| health_checks.iter().any(|(_, other)| one.is_apart(other));
    if health_checks.iter().any(two) {
        return Ok(());
    }
    let told = |(name, origin): &(&str, Origin)| match origin.publisher.as_str() {
        "" => format!("`{name}`, whose plugin.toml names no `publisher`"),
        publisher => format!("`{name}` of {publisher}"),
    };
    let all: Vec<String> = health_checks.iter().map(told).collect();
    bail!(Usage(format!(
        "[stages] `health-checks` has {}: production is promoted only by what two health checks of two publishers agree on, since the deploy \
         target `{target}` has no front door of this host that counts; nothing was begun: name one of another publisher, or deploy to `local`",
        if all.is_empty() { "none".to_owned() } else { all.join(", and ") }
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(publisher: &str, component: &str) -> Origin {
        Origin { publisher: publisher.into(), component: component.into() }
    }

    #[test]
    fn two_health_checks_of_two_publishers_are_enough() {
        check(&[("a", of("us", "sha256:1")), ("b", of("them", "sha256:2"))], "cloud").unwrap();
        check(&[("a", of("us", "sha256:1")), ("c", of("us", "sha256:3")), ("b", of("them", "sha256:2"))], "cloud")
            .unwrap();
    }

    #[test]
    fn one_component_one_publisher_or_nobody_named_is_refused_with_what_to_do() {
        for (checks, text) in [
            (vec![("a", of("us", "sha256:1"))], "has `a` of us: production"),
            (vec![("a", of("us", "sha256:1")), ("./copy", of("them", "sha256:1"))], "`a` of us, and `./copy` of them"),
            (vec![("a", of("us", "sha256:1")), ("b", of("us", "sha256:2"))], "`a` of us, and `b` of us"),
            (
                vec![("a", of("us", "sha256:1")), ("b", of("", "sha256:2"))],
                "`b`, whose plugin.toml names no `publisher`",
            ),
        ] {
            let error = check(&checks, "cloud").unwrap_err().to_string();
            assert!(error.contains(text), "{error}");
            assert!(error.contains("the deploy target `cloud` has no front door"), "{error}");
            assert!(error.ends_with("name one of another publisher, or deploy to `local`"), "{error}");
        }
    }
}
