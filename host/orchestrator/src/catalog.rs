//! A project's plugins as they lie on disk: what each asks for, what its operator grants, and what was answered about it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::{Path, PathBuf},
};

use anyhow::Result;
use autodevops_bundle::{
    PluginFolder, PluginFolders,
    lock::{Answer, Digest, LOCK, LockFile, NeedsAnswer, Reason},
};
use autodevops_config::{Config, FILE, PluginSettings, resolve_grant};
use autodevops_policy::{
    Asked, CeilingError, EffectiveGrant, Grant, GrantError, Manifest, PermissionCeilings, check_grant, effective,
};
use serde_json::Value;

use crate::plugins::usual_folders;

/// Plugins that do not run until an operator answers what they ask for, all in one error with one command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unanswered {
    /// The plugins, each once, with the name that each is found by.
    pub plugins: Vec<(String, NeedsAnswer)>,
    /// The option that names the project, where the command needs one: ` --config FILE`.
    pub option: String,
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names = String::new();
        for (index, (name, plugin)) in self.plugins.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{plugin}")?;
            names.push(' ');
            names.push_str(&shell_word(name));
        }
        let separator = if self.plugins.len() > 1 { "\n" } else { "; " };
        write!(f, "{separator}answer with `autodevops plugin grant{names}{}`", self.option)
    }
}

impl std::error::Error for Unanswered {}

/// Where the plugins of a project are, what its operator says about them and what was answered.
#[derive(Clone, Debug)]
pub struct Catalog {
    folders: PluginFolders,
    settings: BTreeMap<String, PluginSettings>,
    ceilings: PermissionCeilings,
    project: Option<Answers>,
}

/// A grant that cannot be meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misgranted {
    /// It grants what is not asked for.
    #[error(transparent)]
    NotAsked(#[from] GrantError),
    /// It grants what the operator lets nobody grant.
    #[error(transparent)]
    BeyondCeilings(#[from] CeilingError),
}

/// What was answered in a project.
#[derive(Clone, Debug)]
struct Answers {
    lock: LockFile,
    folder: PathBuf,
    option: String,
}

/// How a plugin stands in its project.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Its component.
    pub digest: Digest,
    /// What it asks for.
    pub asked: Asked,
    /// What was answered before, for whatever component.
    pub answer: Option<Answer>,
    /// What `[plugins.NAME.grant]` says, where it is there.
    pub configured: Option<Grant>,
    /// What the plugin may do. The operator's ceilings on limits are not in it.
    pub effective: EffectiveGrant,
    /// Why it does not run, where it does not.
    pub needs: Option<NeedsAnswer>,
}

/// What of a plugin's requests was answered, in a word or two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// There is nothing to answer.
    AsksNothing,
    /// It was answered, for this component.
    Granted,
    /// It was answered for another component, or for less than it may do now.
    Changed,
    /// Nobody answered.
    NotGranted,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::AsksNothing => "asks nothing",
            Self::Granted => "granted",
            Self::Changed => "changed",
            Self::NotGranted => "not granted",
        })
    }
}

impl Standing {
    /// In a word or two.
    pub fn state(&self) -> State {
        match &self.needs {
            None if self.asked.is_nothing() => State::AsksNothing,
            None => State::Granted,
            Some(NeedsAnswer { reason: Reason::Never, .. }) => State::NotGranted,
            Some(_) => State::Changed,
        }
    }
}

impl Catalog {
    /// Plugins outside of any project: whoever calls them says what they may do.
    pub fn by_hand() -> Self {
        Self {
            folders: PluginFolders(usual_folders()),
            settings: BTreeMap::new(),
            ceilings: PermissionCeilings::default(),
            project: None,
        }
    }

    /// The same, which work as a project's configuration says, and may do nothing of what it grants.
    pub fn by_hand_as_in(config: &Config) -> Self {
        let without_grant = |settings: &PluginSettings| PluginSettings { grant: None, ..settings.clone() };
        let settings = config.plugins.iter().map(|(name, settings)| (name.clone(), without_grant(settings))).collect();
        Self { settings, ..Self::by_hand() }
    }

    /// The plugins of the project with this configuration, which was read from `file`.
    ///
    /// # Errors
    /// When the lock file cannot be read or does not hold together.
    pub fn of_project(config: &Config, file: &Path) -> Result<Self> {
        let mut lock = LockFile::read(&config.folder.join(LOCK))?;
        lock.grants_mut().for_each(|grant| resolve_grant(grant, &config.folder));
        let answers = Answers { lock, folder: config.folder.clone(), option: option_for(file, &config.folder) };
        Ok(Self {
            settings: config.plugins.clone(),
            ceilings: config.ceilings.clone(),
            project: Some(answers),
            ..Self::by_hand()
        })
    }

    /// The same plugins, one of them with this configuration beside what the operator says, which comes first.
    #[must_use]
    pub fn with_config(mut self, name: &str, config: BTreeMap<String, Value>) -> Self {
        let own = &mut self.settings.entry(name.to_owned()).or_default().config;
        for (key, value) in config {
            own.entry(key).or_insert(value);
        }
        self
    }

    /// The same plugins, one of them with this configuration in place of what the operator says of the same keys.
    #[must_use]
    pub fn with_config_now(mut self, name: &str, config: BTreeMap<String, Value>) -> Self {
        self.settings.entry(name.to_owned()).or_default().config.extend(config);
        self
    }

    /// The same plugins, one of them granted this: who calls it by hand says what it may do.
    #[must_use]
    pub fn with_grant(mut self, name: &str, grant: Grant) -> Self {
        self.settings.entry(name.to_owned()).or_default().grant = Some(grant);
        self
    }

    /// Where plugins are looked for.
    pub const fn folders(&self) -> &PluginFolders {
        &self.folders
    }

    /// The project's folder, in which the lock file is; none outside of projects.
    pub fn project_folder(&self) -> Option<&Path> {
        self.project.as_ref().map(|project| project.folder.as_path())
    }

    /// The option that names the project on a command line that needs one: ` --config FILE`, or nothing.
    pub fn option(&self) -> &str {
        self.project.as_ref().map_or("", |project| &project.option)
    }

    /// Names of all plugins: of those in the usual folders, and of those whose folders the operator names.
    pub fn names(&self) -> Vec<String> {
        let named = self.settings.iter().filter(|(_, settings)| settings.path.is_some()).map(|(name, _)| name.clone());
        let names: BTreeSet<String> = self.folders.names().into_iter().chain(named).collect();
        names.into_iter().collect()
    }

    /// The plugin's folder, by its name, or by a path to it.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub fn open(&self, name: &str) -> Result<PluginFolder> {
        if name.contains('/') {
            return Ok(PluginFolder::open(Path::new(name))?);
        }
        match self.settings.get(name).and_then(|settings| settings.path.as_ref()) {
            Some(path) => Ok(PluginFolder::open_as(path, name)?),
            None => Ok(self.folders.open(name)?),
        }
    }

    /// What the operator says about a plugin.
    pub fn settings(&self, name: &str) -> PluginSettings {
        self.settings.get(name).cloned().unwrap_or_default()
    }

    /// What each plugin is granted of which anything is said: by the operator's configuration, or else by an answer.
    pub fn grants(&self) -> BTreeMap<&str, &Grant> {
        let answers = self.project.iter().flat_map(|project| project.lock.answers());
        let answered = answers.map(|answer| (answer.name.as_str(), &answer.granted));
        let configured =
            self.settings.iter().filter_map(|(name, settings)| Some((name.as_str(), settings.grant.as_ref()?)));
        answered.chain(configured).collect()
    }

    /// What the plugin of that name is granted.
    pub fn grant(&self, name: &str) -> Grant {
        self.grants().get(name).copied().cloned().unwrap_or_default()
    }

    /// Whether the operator's configuration says what it is granted, so that no answer does.
    pub fn is_configured(&self, name: &str) -> bool {
        self.settings.get(name).is_some_and(|settings| settings.grant.is_some())
    }

    /// Digests of the components that were granted anything.
    pub fn granted_components(&self) -> Vec<String> {
        let answers = self.project.iter().flat_map(|project| project.lock.answers());
        answers.map(|answer| answer.digest.to_string()).collect()
    }

    /// What a plugin as it was granted may do now, of which this is the manifest: no more than was answered.
    ///
    /// # Errors
    /// When that is more than the operator's ceilings allow by now.
    pub fn answered(&self, manifest: &Manifest, answer: &Answer) -> Result<EffectiveGrant, Misgranted> {
        let effective = effective(manifest, &answer.granted);
        self.ceilings.check(&manifest.name, &effective)?;
        Ok(effective)
    }

    /// How the plugin stands: what it asks for, what it is granted, and whether that was answered for this very component.
    ///
    /// # Errors
    /// When the operator's configuration grants what the plugin does not ask for, or more than the operator's ceilings allow.
    pub fn standing(&self, folder: &PluginFolder) -> Result<Standing, Misgranted> {
        let manifest = &folder.manifest;
        let asked = Asked::of(manifest);
        let configured = self.settings.get(&manifest.name).and_then(|settings| settings.grant.clone());
        if let Some(grant) = &configured {
            check_grant(manifest, grant)?;
        }
        let digest = Digest::of(&folder.component);
        let lock = self.project.as_ref().map(|project| &project.lock);
        let answer = lock.and_then(|lock| lock.answer(&manifest.name)).cloned();
        let effective = effective(manifest, &self.grant(&manifest.name));
        self.ceilings.check(&manifest.name, &effective)?;
        let needs =
            lock.and_then(|lock| lock.needs_answer(&manifest.name, &manifest.version, digest, &asked, &effective));
        Ok(Standing { digest, asked, answer, configured, effective, needs })
    }

    /// Whether a grant fits what the manifest asks for and the operator's ceilings.
    ///
    /// # Errors
    /// Why it does not.
    pub fn check(&self, manifest: &Manifest, grant: &Grant) -> Result<(), Misgranted> {
        check_grant(manifest, grant)?;
        Ok(self.ceilings.check(&manifest.name, &effective(manifest, grant))?)
    }

    /// The error of plugins that need an answer; none where none does.
    pub fn unanswered(&self, plugins: Vec<(String, NeedsAnswer)>) -> Option<Unanswered> {
        (!plugins.is_empty()).then(|| Unanswered { plugins, option: self.option().to_owned() })
    }

    /// Names in the lock file of plugins that are not in `used`.
    pub fn answered_for_nothing(&self, used: &BTreeSet<String>) -> Vec<&str> {
        let answers = self.project.iter().flat_map(|project| project.lock.answers());
        answers.map(|answer| answer.name.as_str()).filter(|name| !used.contains(*name)).collect()
    }
}

/// ` --config FILE`, where the configuration is not the one that is found from the folder that this process works in.
fn option_for(file: &Path, folder: &Path) -> String {
    let here = std::env::current_dir().ok().and_then(|here| {
        let found = here.ancestors().find(|folder| folder.join(FILE).is_file())?;
        found.canonicalize().ok()
    });
    if here.as_deref() == Some(folder) && file.file_name() == Some(FILE.as_ref()) {
        return String::new();
    }
    format!(" --config {}", shell_word(&file.display().to_string()))
}

/// A text as a shell takes it for one word.
fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@%,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}
