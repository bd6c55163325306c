//! Where attempts are made: one engine, an honest plugin on it, and the guests that come.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context as _, Result, anyhow};
use autodevops_policy::{EffectiveGrant, Limits, Manifest};
use autodevops_sandbox::{CallContext, CallReport, Observer, Plugin, PluginSource, Sandbox, SandboxOptions};

use crate::{
    call::{Function, check_input},
    case::{Attempt, Case, Ended, Guest, Terms},
    log,
};

/// The folder that everything is built into: the running program lies below it.
///
/// # Errors
/// When it cannot be found.
pub fn target() -> Result<PathBuf> {
    let path = std::env::current_exe()?;
    let debug = path.ancestors().find(|path| path.file_name().is_some_and(|name| name == "debug"));
    let target = debug.and_then(Path::parent).ok_or_else(|| anyhow!("{} is in no target folder", path.display()))?;
    Ok(target.to_owned())
}

/// The component of a plugin of the tests.
///
/// # Errors
/// When it is not built.
pub fn built(name: &str) -> Result<Arc<[u8]>> {
    let path = target()?.join("test-plugins").join(name).join(format!("{name}.wasm"));
    let bytes = std::fs::read(&path)
        .with_context(|| format!("cannot read {}; build it by `cargo xtask plugins`", path.display()))?;
    Ok(bytes.into())
}

/// An engine with an honest plugin on it.
#[derive(Clone)]
pub struct Field {
    sandbox: Sandbox,
    honest: Plugin,
}

impl Field {
    /// Sets up the engine and loads the honest plugin.
    ///
    /// # Errors
    /// When the engine cannot be set up, or the honest plugin is not built.
    pub fn open(options: &SandboxOptions) -> Result<Self> {
        let sandbox = Sandbox::new(options)?;
        let source = PluginSource {
            manifest: &manifest("honest", Function::Check),
            component: &built("probe")?,
            grant: EffectiveGrant {
                clocks: true,
                random: true,
                limits: Limits::default(),
                ..EffectiveGrant::default()
            },
            config: vec![("act".into(), "answer".into()), ("argument".into(), String::new())],
            keyvalue: None,
            local: None,
            commands: None,
            mail: None,
            credentials: None,
        };
        let honest = Plugin::load(&sandbox, source)?;
        Ok(Self { sandbox, honest })
    }

    /// The engine.
    pub const fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// One honest call.
    ///
    /// # Errors
    /// What was wrong with its answer.
    pub async fn honest(&self) -> Result<(), String> {
        match self.honest.check(&CallContext::default(), check_input()).await {
            Ok(report) if report.summary == "1 files" => Ok(()),
            Ok(report) => Err(format!("an honest call answered {:?}", report.summary)),
            Err(error) => Err(format!("an honest call was lost: {error}")),
        }
    }

    /// One attempt of a guest, under this name.
    ///
    /// # Errors
    /// When the guest is not built.
    pub async fn attempt(&self, case: &Case, guest: &Guest, terms: Terms, plugin: String) -> Result<Attempt> {
        let observed = Arc::new(Observed::default());
        let ended = self.end(case, guest, &terms, &plugin, &observed).await?;
        let reports = std::mem::take(&mut *observed.0.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(Attempt { terms, ended, plugin, reports, log: log::text() })
    }

    async fn end(
        &self,
        case: &Case,
        guest: &Guest,
        terms: &Terms,
        name: &str,
        observed: &Arc<Observed>,
    ) -> Result<Ended> {
        let component = match guest {
            Guest::Component(bytes) => Arc::clone(bytes),
            Guest::Built(name) => built(name)?,
        };
        let (sandbox, manifest) = (self.sandbox.clone(), manifest(name, case.function));
        let (grant, config) = (terms.grant.clone(), terms.config.clone());
        let (keyvalue, commands, mail) = (terms.keyvalue.clone(), terms.commands.clone(), terms.mail.clone());
        // Compiling computes for long: apart from what serves calls.
        let loaded = tokio::task::spawn_blocking(move || {
            let source = PluginSource {
                manifest: &manifest,
                component: &component,
                grant,
                config: config.into_iter().collect(),
                keyvalue,
                local: None,
                commands,
                mail,
                credentials: None,
            };
            Plugin::load(&sandbox, source)
        });
        let plugin = match loaded.await? {
            Ok(plugin) => plugin,
            Err(error) => return Ok(Ended::NotLoaded(error)),
        };
        let observer: Arc<dyn Observer> = Arc::clone(observed) as _;
        let context = CallContext { run: name.to_owned(), observer: Some(observer), ..CallContext::default() };
        Ok(match case.function.call(&plugin, &context, terms.input.clone()).await {
            Ok(answer) => Ended::Answered(answer),
            Err(error) => Ended::Failed(error),
        })
    }
}

/// What the host tells of an attempt's calls.
#[derive(Default)]
struct Observed(Mutex<Vec<CallReport>>);

impl Observer for Observed {
    fn finished(&self, report: CallReport) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(report);
    }
}

/// A manifest that names one stage.
pub fn manifest(name: &str, function: Function) -> Manifest {
    let text = format!(
        "name = \"{name}\"\nversion = \"0.1.0\"\ndescription = \"A guest of the hostile suite.\"\nstages = [\"{}\"]",
        function.stage()
    );
    Manifest::parse(&text, "plugin.toml").expect("the manifest is right")
}
