//! Where the built program and plugins are.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use autodevops_bundle::PluginFolder;
use autodevops_policy::{Access, Grant, PermissionKind, Preopen, effective};
use autodevops_sandbox::{Plugin, PluginSource, Sandbox, SandboxOptions};

/// The folder that everything is built into.
pub struct Place {
    target: PathBuf,
}

impl Place {
    /// Beside this program.
    pub fn find() -> Result<Self> {
        let program = std::env::current_exe()?;
        let target = program.parent().and_then(Path::parent).context("this program lies in no build folder")?;
        Ok(Self { target: target.to_owned() })
    }

    /// Where compiled components are kept between runs of the benchmark.
    fn cache(&self) -> PathBuf {
        self.target.join("bench-cache")
    }

    /// A sandbox as users have it.
    pub fn sandbox(&self) -> Result<Sandbox> {
        let cache = Some(self.cache().join("autodevops"));
        Ok(Sandbox::new(&SandboxOptions { cache, ..SandboxOptions::default() })?)
    }

    /// The `autodevops` program, with the benchmark's cache.
    pub fn program(&self) -> Result<Command> {
        let program = self.target.join("debug/autodevops");
        ensure!(program.is_file(), "{} is not built", program.display());
        let mut command = Command::new(program);
        command.env("XDG_CACHE_HOME", self.cache()).env_remove("RUST_LOG").env("NO_COLOR", "1");
        Ok(command)
    }

    /// The analyzer's native program, which reads a file and says in JSON how long that took: built with the profile of plugins.
    pub fn native_analyzer(&self) -> Result<Command> {
        let program = self.target.join("release/examples/throughput");
        ensure!(program.is_file(), "{} is not built; run this by `cargo xtask bench`", program.display());
        Ok(Command::new(program))
    }

    /// The folder of a built plugin.
    pub fn plugin_folder(&self, name: &str) -> Result<PluginFolder> {
        let folders = ["plugins", "test-plugins"].map(|folder| self.target.join(folder).join(name));
        let [first, _] = &folders;
        let folder = folders.iter().find(|folder| folder.is_dir()).unwrap_or(first);
        Ok(PluginFolder::open(folder)?)
    }

    /// A plugin, granted the folders that it asks for and the clocks, and nothing else.
    pub fn plugin(&self, sandbox: &Sandbox, name: &str) -> Result<Plugin> {
        let PluginFolder { manifest, component, .. } = self.plugin_folder(name)?;
        let asked = manifest.permissions.iter().filter(|permission| permission.ask == PermissionKind::Files);
        let preopen = Preopen { host: None, access: Access::ReadOnly };
        let files = asked.filter_map(|permission| Some((permission.guest.clone()?, preopen.clone()))).collect();
        let grant = effective(&manifest, &Grant { files, clocks: true, ..Grant::default() });
        let config = manifest.configure(&BTreeMap::new())?;
        let source = PluginSource {
            manifest: &manifest,
            component: &component,
            grant,
            config,
            keyvalue: None,
            local: None,
            commands: None,
            mail: None,
            credentials: None,
        };
        Ok(Plugin::load(sandbox, source)?)
    }
}
