//! Whether the amounts that a comparison names are of what its metric is counted in: the plan has them as bare numbers.

use anyhow::{Result, bail};
use autodevops_config::{MetricTrigger, Threshold};
use autodevops_pipeline::Origin;
use autodevops_policy::{DeclaredMetric, Manifest, MetricKind, MetricUnit};

use crate::usage::Usage;

/// Refuses a trigger that compares by an `effect` or a `quantile` which a health check's metric cannot have: a tenth of a second and a tenth of
/// all requests are one number. What the front door measures is held against its units where the configuration is read.
///
/// # Errors
/// Which trigger it is, how its metric is measured, and what to write.
pub(crate) fn check_amounts(triggers: &[MetricTrigger], health_checks: &[(Manifest, Origin)]) -> Result<()> {
    for (index, trigger) in triggers.iter().enumerate() {
        let Some(worse_by) = trigger.worse_by else { continue };
        // Each is judged by the trigger, so that each has to fit.
        let declared =
            health_checks.iter().flat_map(|(check, _)| check.metrics.iter().map(move |metric| (check, metric)));
        for (check, metric) in declared.filter(|(_, metric)| metric.name == trigger.metric) {
            if let Some((has, remedy)) = misfit(trigger, metric) {
                bail!(Usage(format!(
                    "[rollout] `triggers`: the trigger on `{}` that is `worse-by` {worse_by} (number {}) has `{has}`, and `{}` measures it {}; \
                     {remedy}",
                    trigger.metric,
                    index + 1,
                    check.name,
                    counted(metric)
                )));
            }
        }
    }
    Ok(())
}

/// What the trigger has that says nothing of the metric, and what to write in its place.
fn misfit(trigger: &MetricTrigger, metric: &DeclaredMetric) -> Option<(String, &'static str)> {
    let remedy = match (trigger.effect, metric.unit) {
        (Some(Threshold::Time(_)), MetricUnit::Ratio) => "write a share, such as `effect = \"0.5 %\"`",
        (Some(Threshold::Share(_)), MetricUnit::Seconds) => "write a time, such as `effect = \"10ms\"`",
        (Some(_), MetricUnit::Bytes | MetricUnit::Count) => "a share or a time says nothing of that; remove `effect`",
        _ => {
            let quantile = trigger.quantile.filter(|_| metric.kind == MetricKind::Rate)?;
            return Some((format!("quantile = {quantile}"), "a rate has no quantiles; remove `quantile`"));
        }
    };
    trigger.effect.map(|effect| (format!("effect = \"{effect}\""), remedy))
}

/// How it is counted, in words.
const fn counted(metric: &DeclaredMetric) -> &'static str {
    match (metric.kind, metric.unit) {
        (MetricKind::Rate, _) => "as a rate",
        (_, MetricUnit::Ratio) => "in shares",
        (_, MetricUnit::Seconds) => "in seconds",
        (_, MetricUnit::Bytes) => "in bytes",
        (_, MetricUnit::Count) => "by number",
    }
}

#[cfg(test)]
mod tests {
    use autodevops_config::Config;

    use super::{super::tests::check_of, *};

    /// What is said of a configuration with this trigger as its second.
    fn said(trigger: &str, checks: &[(Manifest, Origin)]) -> String {
        let text = format!(
            "[service]\nname = \"shop\"\nkind = \"functions\"\nfunctions = \"functions/index.js\"\n\
             [environments.staging]\nlisten = \"127.0.0.1:8081\"\n[environments.production]\nlisten = \"127.0.0.1:8080\"\n\
             [stages]\nhealth-checks = [\"shop-health\"]\n\
             [rollout]\ncustom-metrics = [\"carts\", \"wait\", \"heap\", \"jobs\", \"hits\"]\n\
             triggers = [{{ metric = \"error-rate\", above = \"5 %\" }}, {{ {trigger} }}]\n"
        );
        let config = Config::parse(&text, "autodevops.toml").unwrap();
        check_amounts(&config.rollout.triggers, checks).map_or_else(|error| error.to_string(), |()| "fine".to_owned())
    }

    #[test]
    fn an_effect_and_a_quantile_are_of_what_their_metric_is_counted_in() {
        let checks = [check_of(&[
            ("carts", "ratio", "rate"),
            ("wait", "seconds", "histogram"),
            ("heap", "bytes", "samples"),
            ("jobs", "count", "samples"),
            ("hits", "ratio", "samples"),
        ])];
        for (trigger, text) in [
            ("metric = \"carts\", worse-by = \"20 %\", effect = \"1 %\"", "fine"),
            ("metric = \"wait\", worse-by = \"20 %\", effect = \"10ms\", quantile = 0.9", "fine"),
            ("metric = \"hits\", worse-by = \"20 %\", effect = \"1 %\", quantile = 0.9", "fine"),
            ("metric = \"heap\", worse-by = \"20 %\", quantile = 0.9", "fine"),
            ("metric = \"carts\", above = \"5 %\"", "fine"),
            // What the front door measures is none of theirs.
            ("metric = \"latency\", worse-by = \"20 %\", effect = \"10ms\", quantile = 0.9", "fine"),
            (
                "metric = \"carts\", worse-by = \"20 %\", effect = \"10ms\"",
                "[rollout] `triggers`: the trigger on `carts` that is `worse-by` 20 % (number 2) has `effect = \"10ms\"`, and `shop-health` \
                 measures it as a rate; write a share, such as `effect = \"0.5 %\"`",
            ),
            (
                "metric = \"carts\", worse-by = \"20 %\", quantile = 0.95",
                "has `quantile = 0.95`, and `shop-health` measures it as a rate; a rate has no quantiles; remove `quantile`",
            ),
            (
                "metric = \"wait\", worse-by = \"20 %\", effect = \"5 %\"",
                "has `effect = \"5 %\"`, and `shop-health` measures it in seconds; write a time, such as `effect = \"10ms\"`",
            ),
            (
                "metric = \"heap\", worse-by = \"20 %\", effect = \"5 %\"",
                "measures it in bytes; a share or a time says nothing of that; remove `effect`",
            ),
            ("metric = \"jobs\", worse-by = \"20 %\", effect = \"5s\"", "measures it by number; a share or a time"),
            ("metric = \"hits\", worse-by = \"20 %\", effect = \"5s\"", "measures it in shares; write a share"),
            ("metric = \"hits\", worse-by = \"20 %\", effect = \"5s\", dry-run = true", "measures it in shares"),
        ] {
            let said = said(trigger, &checks);
            assert!(if text == "fine" { said == text } else { said.contains(text) }, "{said}\nlacks: {text}");
        }
    }

    #[test]
    fn of_several_health_checks_each_that_says_how_it_measures_has_to_fit() {
        let (times, shares) = (check_of(&[("wait", "seconds", "samples")]), check_of(&[("wait", "ratio", "rate")]));
        let (silent, other) = (check_of(&[]), check_of(&[("wait-too", "ratio", "rate")]));
        let trigger = "metric = \"wait\", worse-by = \"20 %\", effect = \"10ms\"";
        for (checks, is_fine) in [
            (vec![times.clone(), silent.clone(), other.clone()], true),
            (vec![silent.clone(), shares.clone()], false),
            (vec![times, shares], false),
            (vec![silent, other], true),
            (vec![], true),
        ] {
            assert_eq!(said(trigger, &checks) == "fine", is_fine, "{}", said(trigger, &checks));
        }
    }
}
