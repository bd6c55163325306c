//! Which paths a change may touch.

use autodevops_sdk::{Error, Result, types::Severity};
use change::Found;
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

/// The operator's policy for paths.
pub struct Policy {
    allowed: Option<GlobSet>,
    denied: GlobSet,
    sensitive: GlobSet,
}

impl Policy {
    /// The policy of three lists of globs; with no allowed ones, all paths are.
    ///
    /// # Errors
    /// `invalid-input` that names the key and the glob that is none.
    pub fn new(allowed: &[String], denied: &[String], sensitive: &[String]) -> Result<Self> {
        Ok(Self {
            allowed: if allowed.is_empty() { None } else { Some(set("allowed-paths", allowed)?) },
            denied: set("denied-paths", denied)?,
            sensitive: set("sensitive-paths", sensitive)?,
        })
    }

    /// What is to be said of a path. A path that is denied is an error, since who may change it decides what is checked next
    /// time. A sensitive one is a warning: it is ordinary work, but a person has to look.
    pub fn judge(&self, path: &str) -> Option<Found> {
        let (rule, severity, message, remedy) = if self.denied.is_match(path) {
            (
                "denied-path",
                Severity::Error,
                "no change may touch this file",
                "leave it to a person, in a change of its own",
            )
        } else if self.allowed.as_ref().is_some_and(|allowed| !allowed.is_match(path)) {
            (
                "path-not-allowed",
                Severity::Error,
                "the file is not among those that a change may touch",
                "change only files that `allowed-paths` names, or have a person add to it",
            )
        } else if self.sensitive.is_match(path) {
            (
                "sensitive-path",
                Severity::Warning,
                "the file decides what is installed, built or exposed",
                "have a person look at it before it is deployed",
            )
        } else {
            return None;
        };
        Some(Found { rule, severity, line: 1, column: None, message: message.into(), remedy })
    }
}

fn set(key: &str, globs: &[String]) -> Result<GlobSet> {
    let wrong = |glob: &str, error: globset::Error| {
        Error::wrong_input(format!(
            "`{key}` has {glob:?}, which is no glob: {}; write for example \"src/**\"",
            error.kind()
        ))
    };
    let mut set = GlobSetBuilder::new();
    for glob in globs {
        // `*` stays inside a folder, as in .gitignore; only `**` goes through them.
        set.add(GlobBuilder::new(glob).literal_separator(true).build().map_err(|error| wrong(glob, error))?);
    }
    set.build().map_err(|error| wrong("a glob", error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(list: &[&str]) -> Vec<String> {
        list.iter().map(|text| (*text).to_owned()).collect()
    }

    fn rule(policy: &Policy, path: &str) -> Option<&'static str> {
        policy.judge(path).map(|found| found.rule)
    }

    #[test]
    fn a_path_is_denied_before_it_is_allowed_before_it_is_sensitive() {
        let policy = Policy::new(
            &strings(&["src/**", "package.json"]),
            &strings(&["**/.github/**", "src/secret.js"]),
            &strings(&["**/package.json"]),
        )
        .unwrap();
        for (path, expected) in [
            ("src/a.js", None),
            ("src/deep/a.js", None),
            ("src/secret.js", Some("denied-path")),
            (".github/workflows/ci.yml", Some("denied-path")),
            ("docs/a.md", Some("path-not-allowed")),
            ("package.json", Some("sensitive-path")),
        ] {
            assert_eq!(rule(&policy, path), expected, "{path}");
        }
    }

    #[test]
    fn without_allowed_paths_all_are() {
        let policy = Policy::new(&[], &strings(&["*.lock"]), &[]).unwrap();
        assert_eq!(rule(&policy, "any/thing.js"), None);
        assert_eq!(rule(&policy, "a.lock"), Some("denied-path"));
        assert_eq!(rule(&policy, "deep/a.lock"), None, "a star stays inside a folder");
    }

    #[test]
    fn a_glob_that_is_none_is_named_with_its_key() {
        let error = Policy::new(&[], &strings(&["src/{a"]), &[]).err().unwrap();
        assert!(error.message().contains("`denied-paths` has \"src/{a\""), "{}", error.message());
    }
}
