//! What the product's tests share: where the built program and the built plugins are, and a sandbox to call them in.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

pub mod clients;
pub mod memory;
pub mod process;
pub mod rollback;
pub mod shelf;
pub mod shop;

use std::{collections::BTreeMap, path::PathBuf, process::Command, sync::Arc};

use autodevops_bundle::PluginFolder;
use autodevops_model::{CheckInput, Report};
use autodevops_policy::{Credential, CredentialBinding, Grant, Limits, effective};
use autodevops_sandbox::{
    CallContext, CallError, CredentialSource, KeyValueStore, Plugin, PluginSource, Sandbox, SandboxOptions,
};

/// The folder that everything is built into: this test's own executable lies below it.
pub fn target() -> PathBuf {
    let mut path = std::env::current_exe().expect("a test knows its executable");
    while path.file_name().is_some_and(|name| name != "debug") {
        path.pop();
    }
    path.pop();
    path
}

/// The program, as users run it, with the plugins that were built with it and a cache of its own.
pub fn autodevops() -> Command {
    let program = target().join("debug/autodevops");
    assert!(program.is_file(), "{} is missing; run the tests by `cargo xtask test`", program.display());
    let mut command = Command::new(program);
    command.env("XDG_CACHE_HOME", target().join("test-cache")).env_remove("RUST_LOG").env("NO_COLOR", "1");
    command
}

/// The builds of the analyzer's own tests, `one` and `two`: two releases of one program, minified by different tools, with a log of each.
pub fn minified_builds() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../plugins/log-analyzer/tests/maps")
}

/// A built plugin's folder: one of the project's own, or one of the tests'.
pub fn plugin_folder(name: &str) -> PluginFolder {
    let folder =
        ["plugins", "test-plugins"].iter().map(|folder| target().join(folder).join(name)).find(|path| path.is_dir());
    let folder = folder.unwrap_or_else(|| panic!("plugin {name} is not built; run the tests by `cargo xtask test`"));
    PluginFolder::open(&folder).expect("a built plugin can be opened")
}

/// A sandbox that keeps what it compiles.
pub fn sandbox() -> Sandbox {
    let options = SandboxOptions { cache: Some(target().join("test-cache/autodevops")), ..SandboxOptions::default() };
    Sandbox::new(&options).expect("the sandbox starts")
}

/// The probe: a plugin that does what it is told.
pub struct Probe {
    sandbox: Sandbox,
    folder: PluginFolder,
    /// What it is granted.
    pub grant: Grant,
    /// Where its keys and values are kept.
    pub keyvalue: Option<Arc<dyn KeyValueStore>>,
    /// Where the secrets of its credentials come from.
    pub credentials: Option<Arc<dyn CredentialSource>>,
}

impl Probe {
    /// One that is granted nothing.
    pub fn new() -> Self {
        Self {
            sandbox: sandbox(),
            folder: plugin_folder("probe"),
            grant: Grant::default(),
            keyvalue: None,
            credentials: None,
        }
    }

    /// The probe, told what to do.
    pub fn plugin(&self, act: &str, argument: &str) -> Plugin {
        let config: BTreeMap<String, serde_json::Value> =
            [("act".to_owned(), act.into()), ("argument".to_owned(), argument.into())].into();
        let source = PluginSource {
            manifest: &self.folder.manifest,
            component: &self.folder.component,
            grant: effective(&self.folder.manifest, &self.grant),
            config: self.folder.manifest.configure(&config).expect("the probe's configuration fits"),
            keyvalue: self.keyvalue.clone(),
            local: None,
            commands: None,
            mail: None,
            credentials: self.credentials.clone(),
        };
        Plugin::load(&self.sandbox, source).expect("the probe loads")
    }

    /// Has it do something.
    pub async fn call(&self, act: &str, argument: &str) -> Result<Report, CallError> {
        let input =
            CheckInput { changed: vec!["a".into(), "b".into()], tests: vec![], fix: None, issue: None, url: None };
        self.plugin(act, argument).check(&CallContext::default(), input).await
    }

    /// Has it do something that fails, and sees that an honest call on the same engine succeeds afterwards.
    pub async fn fail(&self, act: &str, argument: &str) -> CallError {
        let error = self.call(act, argument).await.expect_err("the call is to fail");
        let honest = self.call("answer", "").await.expect("an honest call succeeds after one that failed");
        assert_eq!(honest.summary, "2 files");
        error
    }

    /// The same, with a credential `token` that it asks for and is bound, for requests to this origin.
    pub fn with_credential(mut self, origin: &str, source: Arc<dyn CredentialSource>) -> Self {
        self.folder.manifest.credentials = vec![Credential {
            name: "token".into(),
            origins: vec![origin.parse().expect("an origin")],
            header: "authorization".into(),
            prefix: None,
            optional: false,
            reason: "The tests look for it.".into(),
        }];
        self.grant.credentials = [("token".to_owned(), CredentialBinding::default())].into();
        self.credentials = Some(source);
        self
    }

    /// The same, with other limits.
    pub fn with_limits(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        change(&mut self.folder.manifest.limits);
        self
    }
}

impl Default for Probe {
    fn default() -> Self {
        Self::new()
    }
}
