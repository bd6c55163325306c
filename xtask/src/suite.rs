//! `cargo xtask test`: everything that must hold before a change lands.

use anyhow::Result;

use crate::{
    command::{cargo, root, run, target},
    fuzz, hostile, plugins,
};

/// How many tests of one program run at once.
const THREADS: &str = "RUST_TEST_THREADS";

/// Tests of the product wait for programs most of the time, so that there is room for two on each core; or as the caller wants it.
fn threads() -> String {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::env::var(THREADS).unwrap_or_else(|_| (2 * cores).to_string())
}

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
    run(cargo(&["test", "--workspace"]).env(THREADS, threads()))?;
    // Apart from what the host builds of the plugins with other settings: each would undo the other.
    let native = target().join("native");
    run(cargo(&["test", "--workspace"]).current_dir(root().join("plugins")).env("CARGO_TARGET_DIR", native))
}
