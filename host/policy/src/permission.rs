//! What a manifest asks for, one thing at a time, each with its reason.

use serde::{Deserialize, Serialize};

use crate::{Access, Destination, Methods, Origin, manifest::is_name};

/// One thing that a plugin asks for, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Permission {
    /// What is asked for.
    pub ask: PermissionKind,
    /// Why, in words, for the operator who decides.
    pub reason: String,
    /// For `files`: the folder's path as the plugin sees it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guest: Option<String>,
    /// For `files`: whether it writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<Access>,
    /// For `http`: where requests go.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub origins: Vec<Origin>,
    /// For `http`: which methods the requests have; every one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub methods: Option<Methods>,
    /// For `command`: its name in the operator's `[commands]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

/// The kinds of permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PermissionKind {
    /// A folder, read-only or read-write.
    Files,
    /// Outgoing HTTP.
    Http,
    /// The wall clock and the monotonic clock.
    Clocks,
    /// Randomness that is not the same for every call.
    Random,
    /// A durable store of keys and values of its own.
    Keyvalue,
    /// The local target's traffic and processes.
    LocalTarget,
    /// One of the operator's commands, by its name.
    Command,
    /// Mail, through the operator's server, to people whom the operator names.
    Mail,
}

impl PermissionKind {
    /// The kind's name in a manifest.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Http => "http",
            Self::Clocks => "clocks",
            Self::Random => "random",
            Self::Keyvalue => "keyvalue",
            Self::LocalTarget => "local-target",
            Self::Command => "command",
            Self::Mail => "mail",
        }
    }
}

/// The folders that the host gives to plugins for what they are called for, as they see them: the repository, a change before and after, and
/// source maps. One tree is given to several plugins, so none may change it.
pub const RUN_FOLDERS: [&str; 4] = ["/repo", "/before", "/after", "/maps"];

/// What is wrong with a permission in a manifest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PermissionError {
    /// Nobody can say why it is needed.
    #[error("the permission `{0}` has no reason; say in words why the plugin needs it")]
    NoReason(&'static str),
    /// A guest path is no absolute path.
    #[error("the guest path {0:?} is not taken; write it as the plugin sees it, such as \"/repo\"")]
    GuestPath(String),
    /// A folder of a run is to be written to: what others are then given would be the plugin's.
    #[error(
        "the folder {0} is given by the run, to be read only; ask for `access = \"read-only\"`, or for another folder"
    )]
    RunFolder(String),
    /// Requests to nowhere.
    #[error("the permission `http` has no origins; name where requests go, such as \"https://api.example.com\"")]
    NoOrigins,
    /// A command that has no name.
    #[error("the permission `command` names {0:?}, which is no command's name; write for example `command = \"dump\"`")]
    Command(String),
    /// A key that says nothing about this kind.
    #[error("the permission `{0}` has `{1}`, which says something about `{2}` only; remove it")]
    Stray(&'static str, &'static str, &'static str),
    /// The same is asked for twice.
    #[error("{0} is asked for twice; ask once")]
    Twice(String),
}

impl Permission {
    /// For `http`: each origin with the methods.
    pub fn destinations(&self) -> impl Iterator<Item = Destination> {
        let methods = self.methods.unwrap_or_default();
        self.origins.iter().map(move |origin| Destination { origin: origin.clone(), methods })
    }

    fn check(&self) -> Result<(), PermissionError> {
        let kind = self.ask.name();
        if self.reason.trim().is_empty() {
            return Err(PermissionError::NoReason(kind));
        }
        for (key, given, of) in [
            ("guest", self.guest.is_some(), PermissionKind::Files),
            ("access", self.access.is_some(), PermissionKind::Files),
            ("origins", !self.origins.is_empty(), PermissionKind::Http),
            ("methods", self.methods.is_some(), PermissionKind::Http),
            ("command", self.command.is_some(), PermissionKind::Command),
        ] {
            if given && of != self.ask {
                return Err(PermissionError::Stray(kind, key, of.name()));
            }
        }
        match self.ask {
            PermissionKind::Files => {
                let guest = self.guest.as_deref().unwrap_or_default();
                let parts = guest.strip_prefix('/').map(|rest| rest.split('/'));
                let good = |part: &str| !matches!(part, "" | "." | "..") && !part.contains(char::is_control);
                if parts.is_none_or(|mut parts| !parts.all(good)) {
                    return Err(PermissionError::GuestPath(guest.to_owned()));
                }
                if RUN_FOLDERS.contains(&guest) && self.access == Some(Access::ReadWrite) {
                    return Err(PermissionError::RunFolder(guest.to_owned()));
                }
            }
            PermissionKind::Http if self.origins.is_empty() => return Err(PermissionError::NoOrigins),
            PermissionKind::Command => {
                let name = self.command.as_deref().unwrap_or_default();
                if !is_name(name) {
                    return Err(PermissionError::Command(name.to_owned()));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// Whether each permission is one, and nothing but requests is asked for twice.
pub(crate) fn check(permissions: &[Permission]) -> Result<(), PermissionError> {
    for (index, permission) in permissions.iter().enumerate() {
        permission.check()?;
        let again = |other: &Permission| {
            (other.ask, &other.guest, &other.command) == (permission.ask, &permission.guest, &permission.command)
        };
        if permission.ask != PermissionKind::Http && permissions.iter().take(index).any(again) {
            let what = match (&permission.guest, &permission.command) {
                (Some(guest), _) => format!("the folder {guest}"),
                (None, Some(command)) => format!("the command `{command}`"),
                (None, None) => format!("the permission `{}`", permission.ask.name()),
            };
            return Err(PermissionError::Twice(what));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(kind: PermissionKind) -> Permission {
        Permission {
            ask: kind,
            reason: "x".into(),
            guest: None,
            access: None,
            origins: Vec::new(),
            methods: None,
            command: None,
        }
    }

    #[test]
    fn a_key_that_says_nothing_about_a_permission_is_refused() {
        for (permission, text) in [
            (Permission { guest: Some("/a".into()), ..ask(PermissionKind::Clocks) }, "`clocks` has `guest`"),
            (
                Permission { access: Some(Access::ReadOnly), ..ask(PermissionKind::Random) },
                "`random` has `access`, which says something about `files` only",
            ),
            (
                Permission { origins: vec!["https://a.example".parse().unwrap()], ..ask(PermissionKind::Keyvalue) },
                "`keyvalue` has `origins`, which says something about `http` only",
            ),
            (
                Permission { methods: Some(Methods::ALL), guest: Some("/a".into()), ..ask(PermissionKind::Files) },
                "`files` has `methods`",
            ),
            (
                Permission { command: Some("dump".into()), ..ask(PermissionKind::Clocks) },
                "`clocks` has `command`, which says something about `command` only",
            ),
            (ask(PermissionKind::Command), "the permission `command` names \"\""),
            (Permission { command: Some("../sh".into()), ..ask(PermissionKind::Command) }, "names \"../sh\""),
            (ask(PermissionKind::Http), "the permission `http` has no origins"),
            (ask(PermissionKind::Files), "the guest path \"\" is not taken"),
        ] {
            let error = check(&[permission]).unwrap_err().to_string();
            assert!(error.contains(text), "{error}\nlacks: {text}");
        }
    }

    #[test]
    fn nothing_but_requests_is_asked_for_twice() {
        let folder = Permission { guest: Some("/data".into()), ..ask(PermissionKind::Files) };
        let command = |name: &str| Permission { command: Some(name.into()), ..ask(PermissionKind::Command) };
        for (permission, text) in [
            (ask(PermissionKind::Clocks), "the permission `clocks` is asked"),
            (folder.clone(), "the folder /data is asked"),
            (command("dump"), "the command `dump` is asked"),
        ] {
            let error = check(&[permission.clone(), permission]).unwrap_err().to_string();
            assert!(error.contains(text), "{error}");
        }
        let http = Permission { origins: vec!["https://a.example".parse().unwrap()], ..ask(PermissionKind::Http) };
        assert_eq!(check(&[http.clone(), http, folder, command("dump"), command("restore")]), Ok(()));
    }

    #[test]
    fn a_folder_of_the_run_is_not_to_be_written_to() {
        let asking = |guest: &str, access| {
            let access = Some(access);
            check(&[Permission { guest: Some(guest.into()), access, ..ask(PermissionKind::Files) }])
        };
        for guest in RUN_FOLDERS {
            assert_eq!(asking(guest, Access::ReadWrite), Err(PermissionError::RunFolder(guest.into())));
            assert_eq!(asking(guest, Access::ReadOnly), Ok(()));
        }
        assert_eq!(asking("/data", Access::ReadWrite), Ok(()));
    }

    #[test]
    fn guest_paths_stay_where_they_say() {
        for guest in ["repo", "/", "//a", "/a/", "/a/../b", "/./a", "/a\0b", "/a\nb"] {
            let permission = Permission { guest: Some(guest.into()), ..ask(PermissionKind::Files) };
            assert_eq!(check(&[permission]), Err(PermissionError::GuestPath(guest.into())), "{guest:?}");
        }
    }
}
