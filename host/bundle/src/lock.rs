//! `autodevops.lock`: what each plugin of a project was granted, pinned to the component that it was granted to.
//!
//! The file lies beside `autodevops.toml` and is checked in with it. `autodevops plugin grant` writes it; what somebody wrote by
//! hand is taken as long as it holds together: entries sorted by name, each once, nothing granted that was not asked for.

mod answered;
mod digest;
mod store;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    io,
    ops::Range,
    path::{Path, PathBuf},
};

use autodevops_policy::{
    Asked, Grant, check_grant,
    strict_toml::{self, TomlError},
};
use serde::{Deserialize, Serialize};
use toml::{Spanned, value::Datetime};

use answered::manifest_of;
pub use answered::{NeedsAnswer, Reason};
pub use digest::{Digest, DigestError};

/// The file's name.
pub const LOCK: &str = "autodevops.lock";

/// The format that is written, and the newest that is read.
const FORMAT: u32 = 1;

/// Why there is no lock file to go by.
#[derive(Debug, thiserror::Error)]
pub enum LockFileError {
    /// It cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It cannot be written; what was there before is still there.
    #[error("{} cannot be written: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is larger than any that is written.
    #[error("{} has more than {} bytes, which no lock file has; bring it back from git, or remove it and answer again with `autodevops plugin grant --all`", path.display(), store::MAX_BYTES)]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// It does not hold together.
    #[error(transparent)]
    Invalid(#[from] TomlError),
    /// What was to be written would not be read again: a fault of this program's.
    #[error("the lock file cannot be made: {0}")]
    Unwritable(String),
}

/// What an operator answered about one plugin.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The plugin's name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its component.
    pub digest: Digest,
    /// When it was answered.
    pub answered: Datetime,
    /// By whom: the name of a user of the machine where it was answered.
    pub by: String,
    /// What the plugin asked for.
    pub asked: Asked,
    /// What it was granted of it. Folders of this machine are absolute, or relative to the project's folder.
    pub granted: Grant,
}

/// The lock file of a project.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LockFile(BTreeMap<String, Answer>);

impl LockFile {
    /// What was answered about the plugin of that name.
    pub fn answer(&self, name: &str) -> Option<&Answer> {
        self.0.get(name)
    }

    /// All answers, by name.
    pub fn answers(&self) -> impl Iterator<Item = &Answer> {
        self.0.values()
    }

    /// Puts an answer in the place of the one before.
    pub fn put(&mut self, answer: Answer) {
        self.0.insert(answer.name.clone(), answer);
    }

    /// Forgets what was answered about a plugin, if anything was.
    pub fn forget(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// What was granted, plugin by plugin: whose paths are to be made absolute before they are used.
    pub fn grants_mut(&mut self) -> impl Iterator<Item = &mut Grant> {
        self.0.values_mut().map(|answer| &mut answer.granted)
    }

    /// Reads a text; `origin` is its name in errors.
    ///
    /// # Errors
    /// What is wrong, with its line and column and the remedy.
    pub fn parse(text: &str, origin: &str) -> Result<Self, TomlError> {
        // By itself first: a later format may have keys that this one does not know.
        let Format { format } = strict_toml::parse(text, origin)?;
        if *format.get_ref() != FORMAT {
            let message = format!(
                "the format {} is not known, only {FORMAT} is; use the `autodevops` that wrote this file, or remove it and answer \
                 again with `autodevops plugin grant --all`",
                format.get_ref()
            );
            return Err(TomlError::at(text, origin, format.span().start, message));
        }
        let Written { plugins, .. } = strict_toml::parse(text, origin)?;
        let wrong = |span: Range<usize>, message: String| Err(TomlError::at(text, origin, span.start, message));
        let mut answers = BTreeMap::new();
        let mut before: Option<String> = None;
        for plugin in plugins {
            let (place, name) = (plugin.name.span(), plugin.name.into_inner());
            match &before {
                Some(before) if *before == name => {
                    return wrong(
                        place,
                        format!("`{name}` is answered twice; remove one of the two [[plugin]] entries"),
                    );
                }
                Some(before) if *before > name => {
                    return wrong(place, format!("`{name}` stands after `{before}`; entries are sorted by name"));
                }
                _ => {}
            }
            let digest = match plugin.digest.get_ref().parse() {
                Ok(digest) => digest,
                Err(error) => return wrong(plugin.digest.span(), format!("`{name}`: {error}")),
            };
            if let Err(error) = check_grant(&manifest_of(&name, &plugin.version, &plugin.asked), &plugin.granted) {
                return wrong(place, error.to_string());
            }
            let Entry { version, answered, by, asked, granted, .. } = plugin;
            answers.insert(name.clone(), Answer { name: name.clone(), version, digest, answered, by, asked, granted });
            before = Some(name);
        }
        Ok(Self(answers))
    }

    /// The file's text.
    ///
    /// # Errors
    /// [`LockFileError::Unwritable`].
    pub fn to_text(&self) -> Result<String, LockFileError> {
        let unwritable = |error: toml::ser::Error| LockFileError::Unwritable(error.to_string());
        let plugins = self.0.values().map(Written::of).collect::<Result<Vec<_>, _>>().map_err(unwritable)?;
        let body = toml::to_string(&Body { format: FORMAT, plugins }).map_err(unwritable)?;
        Ok(format!("{HEADER}{body}"))
    }
}

impl Answer {
    /// Makes folders in the project's folder relative to it, so that they are the same on other machines.
    pub fn relative_to(&mut self, project: &Path) {
        for host in hosts(&mut self.granted) {
            if let Ok(inside) = host.strip_prefix(project) {
                *host = if inside.as_os_str().is_empty() { ".".into() } else { inside.to_owned() };
            }
        }
    }
}

fn hosts(grant: &mut Grant) -> impl Iterator<Item = &mut PathBuf> {
    let bindings = grant.credentials.values_mut();
    let keys = bindings.flat_map(|binding| binding.file.iter_mut().chain(&mut binding.google_service_account));
    grant.files.values_mut().filter_map(|preopen| preopen.host.as_mut()).chain(keys)
}

const HEADER: &str = "\
# What this project's plugins were granted, each pinned to the component that it was granted to. Made by
# `autodevops plugin grant`, which also changes it; check it in. A plugin whose component changed, or that could do more than
# stands here, does not run until somebody answers again.
";

/// The format alone.
#[derive(Deserialize)]
struct Format {
    format: Spanned<u32>,
}

/// The file as it is read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(rename = "format")]
    _format: u32,
    #[serde(default, rename = "plugin")]
    plugins: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: Spanned<String>,
    version: String,
    digest: Spanned<String>,
    answered: Datetime,
    by: String,
    #[serde(default)]
    asked: Asked,
    #[serde(default)]
    granted: Grant,
}

/// The file as it is written.
#[derive(Serialize)]
struct Body<'a> {
    format: u32,
    #[serde(rename = "plugin")]
    plugins: Vec<WrittenEntry<'a>>,
}

#[derive(Serialize)]
struct WrittenEntry<'a> {
    name: &'a str,
    version: &'a str,
    digest: &'a Digest,
    answered: &'a Datetime,
    by: &'a str,
    asked: toml::Table,
    granted: toml::Table,
}

impl Written {
    fn of(answer: &Answer) -> Result<WrittenEntry<'_>, toml::ser::Error> {
        let mut asked = toml::Table::try_from(&answer.asked)?;
        let mut granted = toml::Table::try_from(&answer.granted)?;
        shorten(&mut asked);
        shorten(&mut granted);
        let Answer { name, version, digest, answered, by, .. } = answer;
        Ok(WrittenEntry { name, version, digest, answered, by, asked, granted })
    }
}

/// Leaves out what says nothing: `false`, and lists and tables with nothing in them.
fn shorten(table: &mut toml::Table) {
    table.retain(|_, value| match value {
        toml::Value::Boolean(said) => *said,
        toml::Value::Array(list) => !list.is_empty(),
        toml::Value::Table(table) => !table.is_empty(),
        _ => true,
    });
}
