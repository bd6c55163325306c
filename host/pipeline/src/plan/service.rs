//! The services that a run releases.

use serde::{Deserialize, Serialize};

use crate::Environment;

/// One service: its files, and its environments as the target knows them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// Files and folders that are its own, relative to the project. None: all of the project's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// What the target calls its staging.
    pub staging: String,
    /// What the target calls its production.
    pub production: String,
}

impl Service {
    /// What the target calls its environment.
    pub fn place(&self, environment: Environment) -> &str {
        match environment {
            Environment::Staging => &self.staging,
            Environment::Production => &self.production,
        }
    }

    /// Whether a path of the project is its own.
    pub fn owns(&self, path: &str) -> bool {
        let within = |own: &String| {
            let own = own.trim_end_matches('/');
            path.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.paths.is_empty() || self.paths.iter().any(within)
    }
}

/// Which of the services a change is about: those that own a path of it; all of them where a path is nobody's own, since any of them
/// may be made of it.
pub(crate) fn touched<'a>(services: &[Service], changed: impl IntoIterator<Item = &'a str>) -> Vec<usize> {
    let mut touched = vec![false; services.len()];
    for path in changed {
        let owns: Vec<bool> = services.iter().map(|service| service.owns(path)).collect();
        let shared = owns.iter().all(|owns| !owns);
        for (touched, owns) in touched.iter_mut().zip(owns) {
            *touched |= owns || shared;
        }
    }
    let all = touched.iter().all(|touched| !touched);
    (0..services.len()).zip(touched).filter_map(|(index, touched)| (touched || all).then_some(index)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(name: &str, paths: &[&str]) -> Service {
        let (staging, production) = (format!("staging-{name}"), format!("production-{name}"));
        Service { name: name.into(), paths: paths.iter().map(|path| (*path).to_owned()).collect(), staging, production }
    }

    #[test]
    fn a_change_is_about_those_whose_files_it_touches_and_about_all_where_a_file_is_nobodys() {
        let services = [service("cart", &["services/cart/", "cart.json"]), service("shop", &["services/shop"])];
        for (changed, wanted) in [
            (&["services/cart/index.js"][..], &[0][..]),
            (&["services/shop/a.js", "services/shop/b.js"], &[1]),
            (&["cart.json", "services/shop"], &[0, 1]),
            (&["services/cart-old/index.js"], &[0, 1]),
            (&["services/cart/index.js", "lib/money.js"], &[0, 1]),
            (&[], &[0, 1]),
        ] {
            assert_eq!(touched(&services, changed.iter().copied()), wanted, "{changed:?}");
        }
    }

    #[test]
    fn everything_is_the_own_of_a_service_without_paths() {
        assert!(service("shop", &[]).owns("any/where.js"));
    }
}
