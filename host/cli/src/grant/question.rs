//! One plugin that is asked about, and what was given to it.

use std::path::Path;

use anyhow::Result;
use autodevops_bundle::{
    PluginFolder,
    ask::{Ask, asks, grant_all},
    lock::{Answer, Digest},
};
use autodevops_orchestrator::catalog::{Catalog, Standing};
use autodevops_policy::{Difference, EffectiveGrant, Grant, difference, effective};
use autodevops_server::this_user;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::dialogue::{self, Person};
use crate::output::Usage;

/// A plugin, what it asks for, and how that stands.
pub struct Question {
    named: String,
    folder: PluginFolder,
    pub(super) standing: Standing,
    pub(super) asks: Vec<Ask>,
    /// How what it asks for differs from what was asked for by the component that was answered for; none where none was.
    pub(super) since: Option<Difference>,
}

/// What a plugin is given.
pub struct Given {
    /// The grant.
    pub grant: Grant,
    /// By whose word.
    pub word: Word,
}

/// By whose word something is granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// The operator's configuration says so.
    Configuration,
    /// All that was asked for was granted at once.
    Yes,
    /// A person answered item by item.
    Person,
}

impl Question {
    /// About the plugin of that name.
    ///
    /// # Errors
    /// When there is none; and wrong usage where the configuration grants what it does not ask for.
    pub fn about(catalog: &Catalog, name: &str) -> Result<Self> {
        let folder = catalog.open(name)?;
        let standing = catalog.standing(&folder).map_err(|error| Usage(error.to_string()))?;
        let asks = asks(&folder.manifest);
        let since = standing.answer.as_ref().map(|answer| difference(&answer.asked, &standing.asked));
        Ok(Self { named: name.to_owned(), folder, standing, asks, since })
    }

    /// The plugin as it was named on the command line or by a stage.
    pub fn named(&self) -> &str {
        &self.named
    }

    /// The plugin's own name.
    pub fn name(&self) -> &str {
        &self.folder.manifest.name
    }

    /// Its version.
    pub fn version(&self) -> &str {
        &self.folder.manifest.version
    }

    /// Its component.
    pub const fn digest(&self) -> Digest {
        self.standing.digest
    }

    /// Where it lies.
    pub fn folder(&self) -> &Path {
        &self.folder.path
    }

    /// Whether it does not run until somebody answers.
    pub const fn is_open(&self) -> bool {
        self.standing.needs.is_some()
    }

    /// Whether there is anything to answer.
    pub const fn asks_anything(&self) -> bool {
        !self.asks.is_empty()
    }

    /// What is asked for that the component that was answered for did not ask for, or not as much of it.
    pub fn asked_anew(&self) -> impl Iterator<Item = &String> {
        self.since.iter().flat_map(|since| since.new.iter().chain(&since.widened))
    }

    /// What the component that was answered for asked for, and this one does not, or not as much of it.
    pub fn gone(&self) -> impl Iterator<Item = &String> {
        self.since.iter().flat_map(|since| &since.gone)
    }

    /// What was granted before.
    pub fn granted_before(&self) -> Option<&Grant> {
        self.standing.answer.as_ref().map(|answer| &answer.granted)
    }

    /// A yes to everything: what the configuration grants where it has a table for the plugin, else all that is asked for. What a
    /// yes does not say is taken as it was answered before.
    ///
    /// # Errors
    /// What nobody said yet, with the keys that say it.
    pub fn yes(&self) -> Result<Given, String> {
        if let Some(grant) = &self.standing.configured {
            return Ok(Given { grant: grant.clone(), word: Word::Configuration });
        }
        let grant = grant_all(&self.asks, self.granted_before()).map_err(|open| self.unsaid(&open))?;
        Ok(Given { grant, word: Word::Yes })
    }

    fn unsaid(&self, open: &[&Ask]) -> String {
        let name = self.name();
        let mut text =
            format!("plugin `{name}` asks for what a yes alone does not answer; set in [plugins.{name}.grant]");
        for ask in open {
            text.push_str(&format!("\n  {}   # to {}", ask.what.key(), ask.words));
        }
        text
    }

    /// Asks a person; none where nothing is to be stored.
    ///
    /// # Errors
    /// When the person cannot be spoken with.
    pub fn ask(&self, person: &mut dyn Person) -> Result<Option<Given>> {
        person.say(&self.shown())?;
        dialogue::ask(self, person)
    }

    /// What the plugin can do with what it is given.
    pub fn effective(&self, given: &Given) -> EffectiveGrant {
        effective(&self.folder.manifest, &given.grant)
    }

    /// Refuses what the operator lets nobody grant.
    ///
    /// # Errors
    /// Wrong usage: which ceiling it goes beyond.
    pub fn check(&self, given: &Given, catalog: &Catalog) -> Result<(), Usage> {
        catalog.check(&self.folder.manifest, &given.grant).map_err(|error| Usage(error.to_string()))
    }

    /// What is stored; nothing for a plugin that asks for nothing, and what is there already where it says the same.
    pub fn answer(&self, given: &Given, project: &Path) -> Option<Answer> {
        if self.asks.is_empty() {
            return None;
        }
        let now = OffsetDateTime::now_utc().replace_nanosecond(0).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let mut answer = Answer {
            name: self.name().to_owned(),
            version: self.version().to_owned(),
            digest: self.digest(),
            answered: now.format(&Rfc3339).ok()?.parse().ok()?,
            by: this_user().name,
            asked: self.standing.asked.clone(),
            granted: given.grant.clone(),
        };
        if let Some(before) = &self.standing.answer {
            let same = Answer { answered: before.answered, by: before.by.clone(), ..answer.clone() };
            if same == *before {
                answer = same;
            }
        }
        answer.relative_to(project);
        Some(answer)
    }
}
