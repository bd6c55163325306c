//! What the product's tests share: where the built program and the built plugins are, and a sandbox to call them in.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

pub mod clients;
pub mod killed;
pub mod memory;
pub mod process;
pub mod rollback;
pub mod shelf;
pub mod shop;
pub mod targets;

use std::{
    collections::BTreeMap,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

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

/// The variable that names the file in which tests say that they did nothing.
pub const SKIPPED: &str = "AUTODEVOPS_SKIPPED";

/// Says that a test did nothing here, and why: on standard error, and where [`SKIPPED`] names a file, there as well, so that who runs all of
/// them knows how many did nothing.
pub fn skip(why: &str) {
    let thread = std::thread::current();
    let line = format!("{}: {why}\n", thread.name().unwrap_or("a test"));
    eprint!("skipped: {line}");
    if let Some(file) = std::env::var_os(SKIPPED) {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(file);
        file.and_then(|mut file| file.write_all(line.as_bytes())).expect("the list of skipped tests can be written");
    }
}

/// A built plugin's folder: one of the project's own, or one of the tests'.
pub fn plugin_folder(name: &str) -> PluginFolder {
    let folder =
        ["plugins", "test-plugins"].iter().map(|folder| target().join(folder).join(name)).find(|path| path.is_dir());
    let folder = folder.unwrap_or_else(|| panic!("plugin {name} is not built; run the tests by `cargo xtask test`"));
    PluginFolder::open(&folder).expect("a built plugin can be opened")
}

/// A plugin of a test's own in a folder, under this name: a built one's component, with its manifest and what is added to that.
pub fn copied_plugin(built: &str, folder: &Path, name: &str, added: &str) -> PathBuf {
    let (from, to) = (plugin_folder(built).path, folder.join(name));
    std::fs::create_dir_all(&to).expect("there is room for a plugin");
    std::fs::copy(from.join(format!("{built}.wasm")), to.join(format!("{name}.wasm"))).expect("a component is copied");
    let manifest = std::fs::read_to_string(from.join("plugin.toml")).expect("a plugin has a manifest");
    let manifest = manifest.replacen(&format!("name = \"{built}\""), &format!("name = \"{name}\""), 1);
    std::fs::write(to.join("plugin.toml"), format!("{manifest}\n{added}")).expect("a manifest is written");
    to
}

/// Makes a plugin's component another one that does the same: with a custom section at its end.
pub fn change_component(plugin: &Path) {
    let name = plugin.file_name().and_then(|name| name.to_str()).expect("a plugin's folder has its name");
    let file = plugin.join(format!("{name}.wasm"));
    let mut bytes = std::fs::read(&file).expect("a plugin has a component");
    bytes.extend(b"\0\x05\x04mark");
    std::fs::write(file, bytes).expect("a component is written");
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
