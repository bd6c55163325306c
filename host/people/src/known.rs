//! Whether a name is somebody's: a run would wait in vain for one that is nobody's.

use std::collections::BTreeSet;

/// An approver who can never speak.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the approver `{name}` is nobody: no user of this machine and no token or link of [server] is named so; correct the name in [approval] `approvers`, or make a token with `autodevops token {name}`"
)]
pub struct Nobody {
    /// The name.
    pub name: String,
}

/// The first of the names that is neither a user of this machine nor one of the `others` who may speak.
pub fn nobody<'a>(names: impl IntoIterator<Item = &'a str>, others: &BTreeSet<&str>) -> Option<Nobody> {
    nobody_among(names, others, |name| uzers::get_user_by_name(name).is_some())
}

/// The same, by another word on who is a user of this machine.
pub fn nobody_among<'a>(
    names: impl IntoIterator<Item = &'a str>,
    others: &BTreeSet<&str>,
    is_user: impl Fn(&str) -> bool,
) -> Option<Nobody> {
    let unknown = names.into_iter().find(|name| !others.contains(name) && !is_user(name));
    unknown.map(|name| Nobody { name: name.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_or_whoever_has_a_token_is_somebody() {
        let others = BTreeSet::from(["ops"]);
        let is_user = |name: &str| name == "ada";
        assert_eq!(nobody_among(["ada", "ops"], &others, is_user), None);
        let found = nobody_among(["ada", "bob", "ops"], &others, is_user).unwrap();
        assert!(found.to_string().starts_with("the approver `bob` is nobody"), "{found}");
    }

    #[test]
    fn the_machines_users_are_asked_for() {
        assert_eq!(nobody(["root"], &BTreeSet::new()), None);
        assert!(nobody(["nobody-has-this-name"], &BTreeSet::new()).is_some());
    }
}
