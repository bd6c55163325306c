//! Whether a name is somebody's who can speak: a run would wait in vain for one who cannot.

use std::collections::BTreeSet;

/// An approver who can never speak.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Nobody {
    /// Nobody is named so.
    #[error(
        "the approver `{name}` is nobody: no user of this machine, no token of [server] that may `steer` and no link is named so; correct the name in [approval] `approvers`, or make a token with `autodevops token {name}`"
    )]
    Unknown {
        /// The name.
        name: String,
    },
    /// A user of this machine whom the state folder is closed to.
    #[error(
        "the approver `{name}` could never answer: of this machine's users only `{owner}`, who owns the state folder, and root can speak to the runs; make a token for them with `autodevops token {name}`, or have links of [server] speak for them"
    )]
    Unheard {
        /// The name.
        name: String,
        /// Who owns the state folder.
        owner: String,
    },
}

/// The first of the names that is neither `owner`'s, the user's whose number that is and who owns the state folder, nor root's, nor one of
/// the `others` who may speak.
pub fn nobody<'a>(names: impl IntoIterator<Item = &'a str>, others: &BTreeSet<&str>, owner: u32) -> Option<Nobody> {
    nobody_among(names, others, owner, |name| uzers::get_user_by_name(name).map(|user| user.uid()))
}

/// The same, by another word on which number a user of this machine has.
pub fn nobody_among<'a>(
    names: impl IntoIterator<Item = &'a str>,
    others: &BTreeSet<&str>,
    owner: u32,
    number: impl Fn(&str) -> Option<u32>,
) -> Option<Nobody> {
    names.into_iter().filter(|name| !others.contains(name)).find_map(|name| match number(name) {
        Some(number) if number == owner || number == 0 => None,
        Some(_) => Some(Nobody::Unheard { name: name.to_owned(), owner: name_of(owner) }),
        None => Some(Nobody::Unknown { name: name.to_owned() }),
    })
}

/// The user's name, or the number where there is no name.
fn name_of(user: u32) -> String {
    uzers::get_user_by_uid(user).map_or_else(|| user.to_string(), |user| user.name().to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No user of any machine has this number.
    const OWNER: u32 = u32::MAX - 1;

    #[test]
    fn the_owner_and_root_and_whoever_has_a_token_are_somebody() {
        let others = BTreeSet::from(["ops", "cyd"]);
        let number = |name: &str| match name {
            "ada" => Some(OWNER),
            "root" => Some(0),
            "bob" | "cyd" => Some(7),
            _ => None,
        };
        assert_eq!(nobody_among(["ada", "ops", "root", "cyd"], &others, OWNER, number), None);
        let found = |names: [&'static str; 2]| nobody_among(names, &others, OWNER, number).unwrap().to_string();
        assert!(found(["ada", "dan"]).starts_with("the approver `dan` is nobody"), "{}", found(["ada", "dan"]));
        let unheard = found(["ada", "bob"]);
        let said = format!("the approver `bob` could never answer: of this machine's users only `{OWNER}`, who owns");
        assert!(unheard.starts_with(&said) && unheard.contains("`autodevops token bob`"), "{unheard}");
    }

    #[test]
    fn the_machines_users_are_asked_for() {
        assert_eq!(nobody(["root"], &BTreeSet::new(), OWNER), None);
        assert!(nobody(["nobody-has-this-name"], &BTreeSet::new(), 0).is_some());
    }
}
