//! The plugins of a project: found in its folders, granted what the operator granted, loaded once.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context, Result, bail};
use autodevops_bundle::{PluginFolder, PluginFolders, lock::Answer};
pub use autodevops_config::PluginSettings;
use autodevops_model::Stage;
use autodevops_pipeline::Origin;
use autodevops_policy::{Ceilings, EffectiveGrant, Manifest, effective};
use autodevops_sandbox::{
    CredentialSource, KeyValueStore, LocalTarget, Mailer, OperatorCommands, Plugin, PluginSource, Sandbox,
    SandboxOptions,
};
use serde_json::Value;

use crate::{catalog::Catalog, program, recordings::RecordingStore, usage::Usage};

/// The environment variable that names further folders with plugins, separated by `:`.
pub const FOLDERS_VARIABLE: &str = "AUTODEVOPS_PLUGINS";

/// What plugins are given by the host.
#[derive(Clone, Default)]
pub struct Services {
    /// Where their keys and values are kept.
    pub keyvalue: Option<Arc<dyn KeyValueStore>>,
    /// The local target.
    pub local: Option<Arc<dyn LocalTarget>>,
    /// The operator's commands.
    pub commands: Option<Arc<dyn OperatorCommands>>,
    /// The operator's mail.
    pub mail: Option<Arc<dyn Mailer>>,
    /// What is set about the engine; but for its cache, which is the user's.
    pub sandbox: SandboxOptions,
    /// Where the secrets of their credentials come from.
    pub credentials: Option<Arc<dyn CredentialSource>>,
    /// Where their components are kept.
    pub recordings: Option<Arc<RecordingStore>>,
}

/// All plugins of a project.
pub struct PluginSet {
    sandbox: Sandbox,
    catalog: Catalog,
    ceilings: Ceilings,
    services: Services,
    loaded: Mutex<BTreeMap<String, (Plugin, Origin)>>,
}

impl PluginSet {
    /// With an engine of its own, whose compiled components are kept in the user's cache.
    ///
    /// # Errors
    /// When the engine or the cache cannot be used.
    pub fn new(catalog: Catalog, ceilings: Ceilings, services: Services) -> Result<Self> {
        // Unit tests leave nothing in the home of whoever runs them.
        let cache = if cfg!(test) { None } else { cache_folder() };
        let sandbox = Sandbox::new(&SandboxOptions { cache, ..services.sandbox.clone() })?;
        Ok(Self { sandbox, catalog, ceilings, services, loaded: Mutex::default() })
    }

    /// The engine.
    pub const fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// The plugins as they lie on disk.
    pub const fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Where plugins are looked for.
    pub const fn folders(&self) -> &PluginFolders {
        self.catalog.folders()
    }

    /// The plugin's folder, by its name, or by a path to it.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub fn open(&self, name: &str) -> Result<PluginFolder> {
        self.catalog.open(name)
    }

    /// What the operator says about a plugin; nothing is granted where nothing is said.
    pub fn settings(&self, name: &str) -> PluginSettings {
        self.catalog.settings(name)
    }

    /// The plugin, loaded with what it was granted. In a project, what it asks for must have been answered for this component; where that was
    /// another one, it is that: what is under way goes on as it began, and nobody who goes back waits for an answer. Whoever begins something
    /// anew sees to the answers first.
    ///
    /// # Errors
    /// When it is not there, [`Unanswered`](crate::catalog::Unanswered), when its configuration does not fit its manifest, or it
    /// is no component that this host runs.
    pub fn load(&self, name: &str) -> Result<Plugin> {
        Ok(self.loaded(name)?.0)
    }

    /// Whose a plugin is that is or can be loaded: its publisher as its manifest says, and its component.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn origin(&self, name: &str) -> Result<Origin> {
        Ok(self.loaded(name)?.1)
    }

    fn loaded(&self, name: &str) -> Result<(Plugin, Origin)> {
        if let Some(loaded) = self.lock().get(name) {
            return Ok(loaded.clone());
        }
        let folder = self.open(name)?;
        let standing = self.catalog.standing(&folder)?;
        let needs = standing.needs.map(|needs| (name.to_owned(), needs));
        let (plugin, manifest) = match self.catalog.unanswered(needs.into_iter().collect()) {
            None => {
                let config = self.settings(&folder.manifest.name).config;
                (self.load_with(&folder, standing.effective, &config)?, folder.manifest)
            }
            Some(unanswered) => {
                let Some(answer) = &standing.answer else { bail!(unanswered) };
                let loaded = match self.load_answered(answer) {
                    Ok(loaded) => loaded,
                    Err(error) => {
                        tracing::debug!(plugin = name, "the component that was granted cannot be used: {error:#}");
                        bail!(unanswered)
                    }
                };
                tracing::warn!("plugin `{name}` is used as the component that was granted, {}", answer.digest.short());
                loaded
            }
        };
        let publisher = manifest.publisher.unwrap_or_default();
        let loaded = (plugin.clone(), Origin { publisher, component: plugin.digest().to_owned() });
        self.lock().insert(name.to_owned(), loaded.clone());
        Ok(loaded)
    }

    /// A plugin from its folder, with these settings: who calls it by hand grants by that.
    ///
    /// # Errors
    /// As [`Self::load`], but for answers.
    pub fn load_folder(&self, folder: &PluginFolder, settings: &PluginSettings) -> Result<Plugin> {
        let grant = effective(&folder.manifest, &settings.grant.clone().unwrap_or_default());
        self.load_with(folder, grant, &settings.config)
    }

    /// A plugin as it was granted, where its component and manifest are kept.
    fn load_answered(&self, answer: &Answer) -> Result<(Plugin, Manifest)> {
        let components = self.services.recordings.as_ref().context("no components are kept")?.components();
        let folder = components.plugin(&answer.digest.to_string())?;
        let grant = self.catalog.answered(&folder.manifest, answer)?;
        let plugin = self.load_with(&folder, grant, &self.settings(&answer.name).config)?;
        Ok((plugin, folder.manifest))
    }

    fn load_with(
        &self,
        folder: &PluginFolder,
        mut grant: EffectiveGrant,
        config: &BTreeMap<String, Value>,
    ) -> Result<Plugin> {
        grant.limits = grant.limits.at_most(&self.ceilings);
        let source = PluginSource {
            manifest: &folder.manifest,
            component: &folder.component,
            grant,
            config: folder.manifest.configure(config)?,
            keyvalue: self.services.keyvalue.clone(),
            local: self.services.local.clone(),
            commands: self.services.commands.clone(),
            mail: self.services.mail.clone(),
            credentials: self.services.credentials.clone(),
        };
        let plugin = Plugin::load(&self.sandbox, source)?;
        if let Some(recordings) = &self.services.recordings
            && let Err(error) = recordings.components().keep_plugin(plugin.digest(), folder)
        {
            tracing::warn!(
                "plugin `{}` cannot be replayed or gone on with once it is another: {error:#}",
                plugin.name()
            );
        }
        Ok(plugin)
    }

    /// The plugin, which must implement the stage.
    ///
    /// # Errors
    /// As [`Self::load`]; and when it implements other stages only.
    pub fn for_stage(&self, name: &str, stage: Stage) -> Result<Plugin> {
        let plugin = self.load(name).with_context(|| format!("the stage `{stage}` is to be served by `{name}`"))?;
        if !plugin.stages().contains(&stage) {
            let stages: Vec<&str> = plugin.stages().iter().map(|stage| stage.name()).collect();
            let stages = stages.join(", ");
            bail!(Usage(format!("plugin `{name}` does not implement `{stage}`; it implements {stages}")));
        }
        Ok(plugin)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, (Plugin, Origin)>> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where compiled components are kept: `$XDG_CACHE_HOME/autodevops`, else `~/.cache/autodevops`.
pub fn cache_folder() -> Option<PathBuf> {
    let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let base = base.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")))?;
    Some(base.join("autodevops"))
}

/// The JavaScript engine's component, which lies beside the plugins.
pub fn engine_component() -> Option<PathBuf> {
    usual_folders().into_iter().map(|folder| folder.join("js-engine/js-functions.wasm")).find(|path| path.is_file())
}

/// `$AUTODEVOPS_PLUGINS`, then the folders that belong to this program: as built, and as installed.
pub(crate) fn usual_folders() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = std::env::var_os(FOLDERS_VARIABLE)
        .map(|value| std::env::split_paths(&value).filter(|path| !path.as_os_str().is_empty()).collect())
        .unwrap_or_default();
    if let Some(folder) = program::folder() {
        for relative in ["../plugins", "../share/autodevops/plugins"] {
            let Ok(path) = folder.join(relative).canonicalize() else { continue };
            folders.push(path);
        }
    }
    folders
}
