//! A project under care: its configuration, its state, its plugins, its repository.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail};
use autodevops_bundle::lock::LOCK;
use autodevops_config::{Config, Service};
use autodevops_credentials::Credentials;
use autodevops_driver::{
    claims::Claims,
    ledger::JournalLedger,
    parts::{Ledger, Observer, Parts},
};
use autodevops_edge::Client;
use autodevops_journal::Journal;
use autodevops_model::Stage;
use autodevops_policy::{PermissionKind, ProjectPath, redact::Redaction};
use autodevops_sandbox::{CallContext, Compiler, MountedFolder, Plugin, replay::Recordings};
use autodevops_source::{Repository, Store};
use tokio::sync::RwLock;

use crate::{
    audit::Audit,
    catalog::{Catalog, Unanswered},
    clock::{HostClock, now},
    commands, credentials,
    keyvalue::JournalStore,
    limits::LoopState,
    local::EdgeTarget,
    log::RunLog,
    mail::Post,
    metrics,
    notices::Notices,
    people::Links,
    plugins::{PluginSet, Services},
    record::Records,
    recordings::RecordingStore,
    sandbox,
    source_maps::{MAPS, SourceMaps},
    sources,
    stages::Stages,
    state::StateFolder,
    tokens::Spending,
    usage::Usage,
};

/// The folder of source maps that the configuration names.
fn source_maps(config: &Config) -> Result<Option<SourceMaps>, Usage> {
    config.logs.source_maps.as_deref().map(|folder| SourceMaps::new(folder, Some(&config.folder))).transpose()
}

/// Everything that belongs to one `autodevops.toml`.
pub struct Project {
    /// The configuration's file.
    pub file: PathBuf,
    /// The operator's configuration.
    pub config: Config,
    /// What outlives this process.
    pub state: StateFolder,
    /// The journal.
    pub journal: Journal,
    /// The runs in it.
    pub log: RunLog,
    /// The account of what plugins did and what was decided.
    pub audit: Arc<Audit>,
    /// What counts the tokens of language models that plugins use, and hands the account of their calls on to the audit.
    spending: Arc<Spending>,
    /// What runs and deploys by hand amount to.
    pub records: Records,
    /// What takes secrets and personal data out of what leaves this machine.
    pub redaction: Redaction,
    /// What was recorded of the runs' calls.
    pub recordings: Arc<RecordingStore>,
    /// The links by which people answer what they are told; none where none are set up.
    pub links: Option<Links>,
    /// How much people were told.
    pub notices: Notices,
    /// Which run has which services to itself.
    pub claims: Claims,
    /// Held together by the runs that move production's traffic, and alone by a person who does it by hand: none of the two looks what
    /// serves while the other changes it.
    pub moves: RwLock<()>,
    /// Held while people are told what came of undoing something in git, so that nobody is told twice.
    pub(crate) telling: tokio::sync::Mutex<()>,
    /// The plugins.
    pub plugins: PluginSet,
    /// What is deployed, by digest.
    pub artifacts: Store,
    /// The front door of the local target.
    pub edge: Client,
    /// The mail server; none where none is set up.
    pub mail: Option<Arc<Post>>,
    /// The credentials of the plugins.
    pub credentials: Arc<Credentials>,
}

impl Project {
    /// Opens the project of this configuration file, whose plugins are compiled there.
    ///
    /// # Errors
    /// When the configuration is wrong, or the state cannot be used.
    pub fn open(file: &Path, compiler: Compiler) -> Result<Arc<Self>> {
        let config = Config::load(file)?;
        let file = file.canonicalize().with_context(|| file.display().to_string())?;
        let state = StateFolder::open(&config.state)?;
        let journal = Journal::open(state.journal())?;
        let artifacts = Store::open(&state.artifacts())?;
        let edge = Client::new(state.edge());
        let local = EdgeTarget::new(edge.clone(), artifacts.clone(), &config);
        let mut catalog = Catalog::of_project(&config, &file)?;
        // A folder that is not there yet is told of where the analyzer is to read it.
        if let Ok(Some(maps)) = source_maps(&config) {
            catalog = maps.told(catalog, &config.stages.analyzer);
        }
        let sandbox = sandbox::options(&config.sandbox, compiler)?;
        let credentials = Arc::new(credentials::bound(&catalog, &sandbox.http)?);
        let recordings = Arc::new(RecordingStore::new(state.path(), &config.recording, catalog.granted_components()));
        let mail = Post::of(&config)?;
        let services = Services {
            keyvalue: Some(Arc::new(JournalStore::new(journal.clone()))),
            local: Some(Arc::new(local)),
            commands: Some(Arc::new(commands::of(&config))),
            sandbox,
            mail: mail.clone().map(|mail| mail as _),
            credentials: Some(Arc::clone(&credentials) as _),
            recordings: Some(Arc::clone(&recordings)),
        };
        let plugins = PluginSet::new(catalog, config.limits, services)?;
        let log = RunLog::new(journal.clone());
        let records = Records::new(log.clone());
        let redaction = config.redaction.redaction().map_err(|(name, error)| anyhow!("[redaction] {name}: {error}"))?;
        let audit = Arc::new(Audit::new(journal.clone()));
        let spending = Arc::new(Spending::new(journal.clone(), Arc::clone(&audit)));
        let links = Links::of(&config, audit.log())?;
        let notices = Notices::new(config.notifications);
        Ok(Arc::new(Self {
            file,
            config,
            state,
            journal,
            log,
            audit,
            spending,
            records,
            redaction,
            recordings,
            links,
            notices,
            claims: Claims::default(),
            moves: RwLock::default(),
            telling: tokio::sync::Mutex::default(),
            plugins,
            artifacts,
            edge,
            mail,
            credentials,
        }))
    }

    /// The source maps that the analyzer is given, where the configuration names any.
    ///
    /// # Errors
    /// When there is no such folder.
    pub fn source_maps(&self) -> Result<Option<SourceMaps>, Usage> {
        source_maps(&self.config)
    }

    /// What a run gives to its calls, each of which is put on record, with the tokens that it used.
    pub fn context(&self, run: &str, mounts: Vec<MountedFolder>) -> CallContext {
        let observer = Arc::clone(&self.spending);
        let recordings = self.recording();
        CallContext { run: run.to_owned(), mounts, observer: Some(observer), recordings, ..CallContext::default() }
    }

    /// Refuses to call a plugin that may ask a language model at this stage, where the tokens of those are used up for now.
    ///
    /// # Errors
    /// [`Waits`](crate::limits::Waits) when they are; or when the journal cannot be read.
    pub fn may_call(&self, plugin: &Plugin, stage: Stage) -> Result<()> {
        if !self.spending.may_ask(plugin, stage) {
            return Ok(());
        }
        LoopState::new(&self.journal).may_use_tokens(&self.config.r#loop, now())
    }

    /// Where calls are recorded, if they are to be.
    pub fn recording(&self) -> Option<Arc<dyn Recordings>> {
        self.config.recording.enabled.then(|| Arc::clone(&self.recordings) as Arc<dyn Recordings>)
    }

    /// Whether releases run behind the host's own front door.
    pub fn is_local(&self) -> bool {
        self.config.stages.has_front_door()
    }

    /// The plugin that deploys.
    ///
    /// # Errors
    /// When it cannot be loaded.
    pub fn deploy_target(&self) -> Result<Plugin> {
        self.plugins.for_stage(&self.config.stages.deploy_target, Stage::DeployTarget)
    }

    /// The repository that the project is in.
    ///
    /// # Errors
    /// When there is none.
    pub fn repository(&self) -> Result<Repository> {
        Ok(Repository::open(&self.config.folder)?.without(self.state.path()))
    }

    /// A fence above every one before, by any process.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn next_fence(&self) -> Result<u64> {
        self.ledger().next_fence()
    }

    /// The runs in the journal, as their drivers write them.
    pub fn ledger(&self) -> JournalLedger {
        JournalLedger::new(self.journal.clone())
    }

    /// What drives a run of this project.
    pub fn parts(self: &Arc<Self>, observer: Arc<dyn Observer>) -> Parts {
        let account = Arc::clone(&self.audit);
        Parts {
            ledger: Arc::new(self.ledger()),
            world: Arc::new(Stages::new(Arc::clone(self))),
            account,
            clock: Arc::new(HostClock),
            observer,
        }
    }

    /// How often a candidate's lease is renewed.
    pub fn renewal(&self) -> Duration {
        (self.config.edge.lease.0 / 4).max(Duration::from_millis(50))
    }

    /// Refuses a project in which a plugin that a stage names asks for something that nobody answered: before anything starts,
    /// and all of them in one error.
    ///
    /// # Errors
    /// [`Unanswered`](crate::catalog::Unanswered); or when a plugin is not there, or is granted what it does not ask for.
    pub fn check_answers(&self) -> Result<()> {
        let catalog = self.plugins.catalog();
        let (mut looked_at, mut needs) = (BTreeSet::new(), Vec::new());
        for (stage, name) in self.config.plugins_of_stages() {
            let folder = catalog.open(name).with_context(|| format!("[stages] {stage} is to be served by `{name}`"))?;
            if looked_at.insert(folder.manifest.name.clone()) {
                needs.extend(catalog.standing(&folder)?.needs.map(|needs| (name.to_owned(), needs)));
            }
        }
        if let Some(unanswered) = catalog.unanswered(needs) {
            bail!(unanswered);
        }
        for name in catalog.answered_for_nothing(&looked_at) {
            tracing::warn!("{LOCK} has an answer for the plugin `{name}`, which no stage names");
        }
        Ok(())
    }

    /// As [`Self::check_answers`]; but a run that is not over goes on with the components that were granted. What is to be answered before
    /// another begins, where that is so.
    ///
    /// # Errors
    /// As [`Self::check_answers`], where no run is under way.
    pub fn check_answers_to_go_on(&self) -> Result<Option<Unanswered>> {
        match self.check_answers() {
            Err(error) if error.is::<Unanswered>() && !self.log.unfinished()?.is_empty() => error.downcast().map(Some),
            checked => checked.map(|()| None),
        }
    }

    /// The plugins that the stages name, and the stages.
    pub(crate) fn stage_plugins(&self) -> impl Iterator<Item = (&String, Stage)> {
        let stages = &self.config.stages;
        let named: [(&[String], Stage); 7] = [
            (&stages.fix_generators, Stage::FixGenerator),
            (&stages.review, Stage::Check),
            (&stages.test_generators, Stage::TestGenerator),
            (&stages.checks, Stage::Check),
            (&stages.automated_tests, Stage::Check),
            (&stages.notifiers, Stage::Notifier),
            (&stages.state_guards, Stage::StateGuard),
        ];
        let levels = self.config.escalation.iter().flat_map(|level| &level.notifiers);
        let health = stages.health_checks.iter().chain(&self.config.staging.health_checks);
        let others = health
            .map(|name| (name, Stage::HealthCheck))
            .chain(levels.map(|name| (name, Stage::Notifier)))
            .chain([(&stages.analyzer, Stage::Analyzer), (&stages.deploy_target, Stage::DeployTarget)]);
        named.into_iter().flat_map(|(names, stage)| names.iter().map(move |name| (name, stage))).chain(others)
    }

    /// Loads every plugin that the stages name, so that one that is not there, asks for a configuration that it does not have
    /// or does not fit the contract is known before anything starts.
    ///
    /// # Errors
    /// The first that cannot be used.
    pub fn check_plugins(&self) -> Result<()> {
        self.check_answers()?;
        self.load_plugins()
    }

    /// As [`Self::check_plugins`], for a run that goes on: with the components that were granted.
    ///
    /// # Errors
    /// The first that cannot be used.
    pub fn load_plugins(&self) -> Result<()> {
        self.check_commands()?;
        let mut used = Vec::new();
        for (name, stage) in self.stage_plugins() {
            self.plugins.for_stage(name, stage)?;
            if !used.contains(&name.as_str()) {
                self.warn_of_folders(name)?;
            }
            used.push(name.as_str());
        }
        let health = &self.config.stages.health_checks;
        let measure = |name: &String| Ok((self.plugins.open(name)?.manifest, self.plugins.origin(name)?));
        let checks = health.iter().map(measure).collect::<Result<Vec<_>>>()?;
        if !self.is_local() {
            let origins = health.iter().zip(&checks).map(|(name, (_, origin))| (name.as_str(), origin.clone()));
            sources::check(&origins.collect::<Vec<_>>(), &self.config.stages.deploy_target)?;
        }
        metrics::check(&self.config.plan().triggers, &checks, self.is_local())?;
        metrics::check_amounts(&self.config.rollout.triggers, &checks)?;
        if let Some(unused) = self.config.plugins.keys().find(|name| !used.contains(&name.as_str())) {
            tracing::warn!("[plugins.{unused}] is set, but no stage names the plugin `{unused}`");
        }
        Ok(())
    }

    /// Refuses to start where bubblewrap is needed and cannot be used: better now than when a fix waits to be built.
    ///
    /// # Errors
    /// What is missing, and the remedy.
    pub fn check_tools(&self) -> Result<()> {
        let config = &self.config;
        if config.needs_bubblewrap() {
            autodevops_bubblewrap::outside()?;
        }
        Ok(())
    }

    /// Says which folders a plugin asks for and does not see. All else that it lacks it is refused when it uses it; a folder that
    /// is not there looks to it like a project without files. Source maps are none of them: who names some is told when they are mounted.
    fn warn_of_folders(&self, name: &str) -> Result<()> {
        let folder = self.plugins.open(name)?;
        let (manifest, granted) = (&folder.manifest, self.plugins.catalog().standing(&folder)?.effective.files);
        let plugin = &manifest.name;
        for permission in manifest.permissions.iter().filter(|permission| permission.ask == PermissionKind::Files) {
            let missing = |guest: &&String| *guest != MAPS && !granted.contains_key(*guest);
            let Some(guest) = permission.guest.as_ref().filter(missing) else { continue };
            tracing::warn!(
                "plugin `{plugin}` is not granted the folder {guest}, which it asks for ({}); grant it by \
                 `files.\"{guest}\" = {{}}` in [plugins.{plugin}.grant]",
                permission.reason
            );
        }
        Ok(())
    }

    /// Refuses a tree whose files are not what the configuration says of a service.
    ///
    /// # Errors
    /// What is missing, and where.
    pub fn check_files(&self, service: &Service, tree: &Path) -> Result<()> {
        let table = if self.config.has_service_list() {
            format!("[[services]] {}", service.name)
        } else {
            "[service]".to_owned()
        };
        let files = [("public", service.public.as_ref()), ("functions", service.functions.as_ref())];
        for (key, path) in files.into_iter().filter_map(|(key, path)| path.map(|path| (key, path))) {
            let inside = ProjectPath::new(path.trim_end_matches('/')).with_context(|| format!("{table} {key}"))?;
            if self.config.build_of(service).is_none() && !tree.join(inside.as_str()).exists() {
                bail!("{table} {key}: the repository has no `{path}`; check it in, or correct the key");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
