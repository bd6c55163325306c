//! The operator's `autodevops.toml`: read once, checked as a whole, and passed on as types that cannot hold a wrong value.
//!
//! [`Config::load`] tells everything that is wrong with the file at once, each with its line, column and remedy. Relative paths
//! in it are relative to the file's folder, which is the project. What a run needs to know is taken from it by
//! [`Config::plan`] before the run starts.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod data;
mod delivery;
mod detect;
mod edge;
mod loop_rules;
mod mail;
mod people;
mod place;
mod places;
mod plan;
mod plugins;
mod recording;
mod redaction;
mod retention;
mod rollout;
mod sandbox;
mod schema;
mod server;
mod service;
mod template;
mod trigger;
mod validate;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use autodevops_people::May;
use autodevops_policy::{
    Ceilings, PermissionCeilings,
    strict_toml::{self, TomlError},
};
use schemars::JsonSchema;
use serde::Deserialize;

pub use data::{DataRules, OperatorCommand};
pub use delivery::{Build, Git, Message};
pub use detect::template_for;
pub use edge::{Edge, Testers};
pub use loop_rules::{Clock, Days, FreezeWindow, LoopRules};
pub use mail::{MailSecurity, MailServer, MailSettings};
pub use people::{ApprovalRules, EscalationLevel};
pub use places::Place;
pub use plugins::{PluginSettings, Stages, resolve_grant};
pub use recording::RecordingSettings;
pub use redaction::RedactionSettings;
pub use retention::RetentionRules;
pub use rollout::{ChecksRules, IssueRules, Retries, Revert, Rollout, Share, Staging};
pub use sandbox::SandboxSettings;
pub use schema::schema;
pub use server::{Notifications, Server};
pub use service::{EnvironmentSettings, Listen, Logs, Service, ServiceKind, is_archive};
pub use template::TEMPLATE;
pub use trigger::{DecisionRules, HardTripRule, MetricTrigger, NoDataPolicy, Threshold, WorseDirection};

/// The file's usual name.
pub const FILE: &str = "autodevops.toml";

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is not there.
    #[error("there is no {}; write one with `autodevops init`, or name yours with `--config`", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// What is wrong in it, one problem a line.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Invalid(Vec<TomlError>),
}

/// How a service is kept healthy. Everything has a default but the service and where its environments listen.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(title = "autodevops.toml")]
pub struct Config {
    /// The file's folder: the project. Absolute after [`Config::load`].
    #[serde(skip)]
    pub folder: PathBuf,
    /// Folder of everything that is kept between runs. `.autodevops` when absent.
    #[serde(default = "default_state")]
    pub state: PathBuf,
    /// What is watched and healed, where it is one service.
    #[serde(default)]
    pub service: Option<Service>,
    /// What is watched and healed, where it is several services: a change that touches several is released to all of them together, or
    /// to none. Traffic is moved in their order.
    #[serde(default)]
    pub services: Vec<Service>,
    /// Where its faults are seen.
    #[serde(default)]
    pub logs: Logs,
    /// How a fix is put into git.
    #[serde(default)]
    pub git: Git,
    /// How a commit becomes an artifact; without it, the project's files are the artifact.
    #[serde(default)]
    pub build: Option<Build>,
    /// The local target's front door.
    #[serde(default)]
    pub edge: Edge,
    /// Where each environment listens, by its name.
    pub environments: BTreeMap<String, EnvironmentSettings>,
    /// Which plugin serves which stage.
    #[serde(default)]
    pub stages: Stages,
    /// Which issues start a run.
    #[serde(default)]
    pub issues: IssueRules,
    /// What checks must show.
    #[serde(default)]
    pub checks: ChecksRules,
    /// How a release is tried.
    #[serde(default)]
    pub staging: Staging,
    /// How a release comes to serve people.
    #[serde(default)]
    pub rollout: Rollout,
    /// What becomes of the service's data, such as its database, when a release is taken back.
    #[serde(default)]
    pub data: DataRules,
    /// Programs of the operator's that plugins may be granted, by their names.
    #[serde(default)]
    pub commands: BTreeMap<String, OperatorCommand>,
    /// Whose word is needed before production.
    #[serde(default)]
    pub approval: ApprovalRules,
    /// Who is told when nobody answers, level by level, until someone answers or acknowledges.
    #[serde(default)]
    pub escalation: Vec<EscalationLevel>,
    /// How much people are told.
    #[serde(default)]
    pub notifications: Notifications,
    /// The mail server that plugins send through; without it, none sends mail.
    #[serde(default)]
    pub mail: Option<MailSettings>,
    /// The HTTP API, through which people and their tools speak to the runs.
    #[serde(default)]
    pub server: Server,
    /// What is done when something is unavailable.
    #[serde(default)]
    pub retries: Retries,
    /// Ceilings on what one call of any plugin may use.
    #[serde(default)]
    #[schemars(with = "crate::schema::LimitsTable")]
    pub limits: Ceilings,
    /// What any plugin may at most be granted, whoever grants it. What is not named has no ceiling.
    #[serde(default)]
    #[schemars(with = "crate::schema::CeilingsTable")]
    pub ceilings: PermissionCeilings,
    /// The engine that plugins run in.
    #[serde(default)]
    pub sandbox: SandboxSettings,
    /// What the host answers plugins in a run, kept to be replayed.
    #[serde(default)]
    pub recording: RecordingSettings,
    /// How much the loop does by itself, and when.
    #[serde(default)]
    pub r#loop: LoopRules,
    /// What is taken out of evidence before it leaves this machine.
    #[serde(default)]
    pub redaction: RedactionSettings,
    /// For how long what is not needed any more is kept.
    #[serde(default)]
    pub retention: RetentionRules,
    /// What is said about single plugins, by name.
    #[serde(default)]
    pub plugins: BTreeMap<String, PluginSettings>,
}

fn default_state() -> PathBuf {
    ".autodevops".into()
}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// [`ConfigError`] with everything that is wrong.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = fs::read_to_string(path).map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => ConfigError::Missing { path: path.to_owned() },
            _ => ConfigError::Read { path: path.to_owned(), source },
        })?;
        let mut config = Self::parse(&text, &path.display().to_string())?;
        let absolute = fs::canonicalize(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        config.resolve(absolute.parent().unwrap_or(Path::new("/")));
        Ok(config)
    }

    /// Reads and checks a text; `origin` is its name in errors. Relative paths stay as they are.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`].
    pub fn parse(text: &str, origin: &str) -> Result<Self, ConfigError> {
        let config: Self = strict_toml::parse(text, origin).map_err(|mut error| {
            error.message = with_remedy(&error.message);
            ConfigError::Invalid(vec![error])
        })?;
        let problems = validate::problems(&config);
        if problems.is_empty() {
            return Ok(config);
        }
        Err(ConfigError::Invalid(place::placed(problems, text, origin)))
    }

    /// Every plugin that a stage needs, with the stage's key.
    pub fn plugins_of_stages(&self) -> Vec<(&'static str, &str)> {
        let stages =
            self.stages.named().into_iter().flat_map(|(key, names)| names.into_iter().map(move |name| (key, name)));
        let staging = self.staging.health_checks.iter().map(|name| ("health-checks", name.as_str()));
        let levels = self.escalation.iter().flat_map(|level| &level.notifiers);
        stages.chain(staging).chain(levels.map(|name| ("notifiers", name.as_str()))).collect()
    }

    /// Who may speak to the runs beside the owner of the state folder and root: by a token that may steer them, or by a link.
    pub fn speakers(&self) -> BTreeSet<&str> {
        let by_token = self.server.tokens.iter().filter(|(_, speaker)| speaker.may.contains(&May::Steer));
        by_token.map(|(name, _)| name).chain(self.server.links.values()).map(String::as_str).collect()
    }

    /// Makes every path of the host absolute, from the project's folder.
    fn resolve(&mut self, folder: &Path) {
        self.folder = folder.to_owned();
        self.state = folder.join(&self.state);
        // What is special to patterns in the folder's own name stands for itself.
        let escaped = PathBuf::from(glob::Pattern::escape(&folder.to_string_lossy()));
        for path in &mut self.logs.watch {
            *path = escaped.join(&*path);
        }
        self.logs.source_maps.iter_mut().for_each(|path| *path = folder.join(&*path));
        let own = self.services.iter_mut().filter_map(|service| service.build.as_mut());
        for path in self.build.iter_mut().chain(own).flat_map(|build| &mut build.read_only) {
            *path = folder.join(&*path);
        }
        for command in self.commands.values_mut() {
            command.resolve(folder);
        }
        self.sandbox.resolve(folder);
        self.mail.iter_mut().for_each(|mail| mail.resolve(folder));
        sandbox::resolve_ceilings(&mut self.ceilings, folder);
        for plugin in self.plugins.values_mut() {
            plugin.resolve(folder);
        }
    }
}

/// A message of the reader about a key that is missing, with what to write.
fn with_remedy(message: &str) -> String {
    let Some(key) = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) else {
        return message.to_owned();
    };
    let example = match key {
        "environments" => "[environments.staging] and [environments.production], each with `listen`",
        "name" => "`name = \"my-service\"`",
        "kind" => "`kind = \"functions\"`, \"files\" or \"command\"",
        "listen" => "`listen = \"127.0.0.1:8080\"`",
        "command" => "`command = \"npm run build\"`",
        "traffic" => "`traffic = \"5 %\"`",
        "for" => "`for = \"10m\"`",
        "after" => "`after = \"10m\"`",
        "argv" => "`argv = [\"pg_dump\", \"shop\"]`",
        "notifiers" => "`notifiers = [\"notify-email\"]`",
        "server" => "`server = \"smtp.example.com\"`",
        "from" => "`from = \"autodevops@example.com\"`",
        "days" => "`days = \"fri-sun\"`",
        "metric" => "`metric = \"error-rate\"`",
        other => return format!("the key `{other}` is missing"),
    };
    format!("the key `{key}` is missing; write {example}")
}

#[cfg(test)]
mod tests;
