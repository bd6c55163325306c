//! `cargo xtask demo`: the sample shop, healed before your eyes, and kept from a fix that would have broken it.
//!
//! Each scene has a folder, a git repository, ports and a front door of its own, under generated traffic, and leaves nothing
//! behind. What a scene reports was measured from outside: by the clients, and by the front door's counters.

mod cli;
mod measure;
mod processes;
mod report;
mod scene;
mod shop;
mod traffic;

use std::{fs, path::Path};

use anyhow::{Context, Result, bail};

use crate::{
    command::{build_programs, root, target},
    plugins, wasm_target,
};
use processes::Interrupt;
use scene::Script;
pub use shop::Shop;

/// How the summary is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A table.
    #[default]
    Text,
    /// One JSON object on standard output; all else goes to standard error.
    Json,
}

/// The fix generator of the second scene: an ordinary plugin, which lives with the tests.
const HASTY_PLUGIN: &str = "fill-defaults";

/// What is played.
const SCRIPTS: [Script; 2] = [
    Script {
        name: "heal",
        title: "Errors appear in the shop's log, and the loop heals it.",
        generator: "fix-recipes",
        own_plugin: false,
        expected: cli::Ending::Healed,
    },
    Script {
        name: "roll-back",
        title: "A fix passes its tests but breaks production; it is caught at 5 % and rolled back.",
        generator: HASTY_PLUGIN,
        own_plugin: true,
        expected: cli::Ending::RolledBack,
    },
];

/// Builds all that is needed and plays both scenes.
///
/// # Errors
/// When something does not build, or a scene does not end as it should.
pub fn play(format: Format, keep: bool) -> Result<()> {
    build()?;
    let interrupt = Interrupt::watch()?;
    let mut reports = Vec::new();
    let mut failures = Vec::new();
    for script in &SCRIPTS {
        if interrupt.came() {
            bail!("interrupted");
        }
        match scene::play(script, &interrupt, keep) {
            Ok(report) => {
                failures.extend(report.faults.iter().map(|fault| format!("scene {}: {fault}", script.name)));
                reports.push(report);
            }
            Err(error) => {
                failures.push(format!("scene {}: {error:#}", script.name));
                reports.push(report::Scene::failed(script.name));
            }
        }
    }
    report::print(format, &reports)?;
    if !failures.is_empty() {
        bail!("the demo did not end as it should:\n  {}", failures.join("\n  "));
    }
    Ok(())
}

fn build() -> Result<()> {
    wasm_target::ensure()?;
    plugins::build()?;
    build_programs()
}

/// Puts a plugin of the tests into `folder`, as someone does who installs it.
fn install(plugin: &str, folder: &Path) -> Result<()> {
    let built = target().join(wasm_target::TARGET).join("release").join(format!("{}.wasm", plugin.replace('-', "_")));
    let manifest = root().join("tests/plugins").join(plugin).join("plugin.toml");
    fs::create_dir_all(folder)?;
    for (from, name) in [(built, format!("{plugin}.wasm")), (manifest, "plugin.toml".to_owned())] {
        fs::copy(&from, folder.join(name)).with_context(|| format!("cannot copy {}", from.display()))?;
    }
    Ok(())
}
