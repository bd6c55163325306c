//! `cargo xtask test`: everything that must hold before a change lands.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context, Result};

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
    let skipped = Skipped::none_yet()?;
    run(cargo(&["test", "--workspace"]).env(SKIPPED, &skipped.0))?;
    run(&mut native_tests(&[]))?;
    skipped.tell()
}

/// The variable by which tests are told where to say that they did nothing, as the product's tests know it.
const SKIPPED: &str = "AUTODEVOPS_SKIPPED";

/// Which tests did nothing, for want of a program or a right on this machine: they are among those that passed.
struct Skipped(PathBuf);

impl Skipped {
    fn none_yet() -> Result<Self> {
        let file = target().join("skipped-tests.txt");
        fs::write(&file, "").with_context(|| file.display().to_string())?;
        Ok(Self(file))
    }

    fn tell(&self) -> Result<()> {
        let told = fs::read_to_string(&self.0).with_context(|| self.0.display().to_string())?;
        match told.lines().count() {
            0 => println!("no test was skipped"),
            count => print!("{count} of the tests that passed did nothing:\n{told}"),
        }
        Ok(())
    }
}

/// The plugins' own tests, natively; apart from what the host builds of the plugins with other settings: each would undo the other.
fn native_tests(further: &[&str]) -> Command {
    let mut tests = cargo(&["test", "--workspace"]);
    tests.args(further).current_dir(root().join("plugins")).env("CARGO_TARGET_DIR", target().join("native"));
    tests
}
