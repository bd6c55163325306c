//! `cargo xtask test`: everything that must hold before a change lands.

use anyhow::Result;

use crate::{
    command::{cargo, root, run, target},
    fuzz, hostile, plugins,
};

/// Builds what the tests need and runs them all.
///
/// # Errors
/// When a build or a test fails.
pub fn run_all() -> Result<()> {
    run(&mut cargo(&["fmt", "--all", "--check"]))?;
    run(cargo(&["fmt", "--all", "--check"]).current_dir(root().join("plugins")))?;
    plugins::build()?;
    fuzz::check()?;
    // With the tests, so that what both need is built once, with the same settings.
    run(&mut cargo(&["build", "--workspace", "--bins", "--tests"]))?;
    // Before the other tests, and alone: its table is to be seen, and its times are not to be those of a busy machine.
    hostile::run_built()?;
    run(&mut cargo(&["test", "--workspace"]))?;
    // Apart from what the host builds of the plugins with other settings: each would undo the other.
    let native = target().join("native");
    run(cargo(&["test", "--workspace"]).current_dir(root().join("plugins")).env("CARGO_TARGET_DIR", native))
}
