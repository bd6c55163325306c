//! `cargo xtask test`: everything that must hold before a change lands.

use std::process::Command;

use anyhow::Result;

use crate::{
    command::{cargo, root, run, side_by_side, target},
    fuzz, hostile, plugins, wasm_target,
};

/// Builds what the tests need and runs them all.
///
/// # Errors
/// When a build or a test fails.
pub fn run_all() -> Result<()> {
    run(&mut cargo(&["fmt", "--all", "--check"]))?;
    run(cargo(&["fmt", "--all", "--check"]).current_dir(root().join("plugins")))?;
    wasm_target::ensure()?;
    // Each builds into folders of its own. The host with its tests, so that what both need is built once, with the same settings.
    side_by_side(
        || {
            plugins::build()?;
            fuzz::check()?;
            run(&mut native_tests(&["--no-run"]))
        },
        || run(&mut cargo(&["build", "--workspace", "--bins", "--tests"])),
    )?;
    // Before the other tests, and alone: its table is to be seen, and its times are not to be those of a busy machine.
    hostile::run_built()?;
    run(&mut cargo(&["test", "--workspace"]))?;
    run(&mut native_tests(&[]))
}

/// The plugins' own tests, natively; apart from what the host builds of the plugins with other settings: each would undo the other.
fn native_tests(further: &[&str]) -> Command {
    let mut tests = cargo(&["test", "--workspace"]);
    tests.args(further).current_dir(root().join("plugins")).env("CARGO_TARGET_DIR", target().join("native"));
    tests
}
