//! `cargo xtask mutants`: whether the tests of the decision core bite. `cargo mutants` changes the core in one place at a time, and each
//! change should make some test fail; which changes are made, and which tests are run, `.cargo/mutants.toml` says. Those that no test
//! finds are listed with their reasons in `tests/simulation/mutants.md`.

use std::{fs, io::ErrorKind, path::Path, process::Command};

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;

use crate::command::{cargo, ended, target};

/// The least share of viable mutants that must be caught, in per cent.
const LEAST: u64 = 90;

/// Worlds of the simulation that are tried on each: a mutant that the first few hundred do not see is rarely seen by the others.
const SEEDS: &str = "300";

/// The exit codes of `cargo mutants` after which there are outcomes to look at: all caught, some missed, some that did not end.
const LOOKED: [i32; 3] = [0, 2, 3];

/// Which mutants are tried.
#[derive(clap::Args)]
pub struct Arguments {
    /// Try a part of them only, such as `3/20`: every twentieth, from the third on.
    #[arg(long, value_name = "K/N")]
    shard: Option<String>,
    /// Try only those that have this in their name or their file, such as `verdict/threshold`.
    #[arg(long, value_name = "REGEX")]
    only: Option<String>,
}

/// What came of them: the part of `outcomes.json` that is looked at.
#[derive(Deserialize)]
struct Outcomes {
    caught: u64,
    missed: u64,
    timeout: u64,
    unviable: u64,
}

impl Outcomes {
    /// One that makes a loop endless is found as well.
    const fn found(&self) -> u64 {
        self.caught + self.timeout
    }

    const fn viable(&self) -> u64 {
        self.found() + self.missed
    }
}

/// Tries them, and prints how many were caught and which were not.
///
/// # Errors
/// When `cargo mutants` is not installed or does not come to an end, or when fewer than nine of ten are caught.
pub fn try_all(arguments: &Arguments) -> Result<()> {
    let installed = cargo(&["mutants", "--version"]).output().is_ok_and(|output| output.status.success());
    ensure!(installed, "`cargo mutants` is not installed; install it with `cargo install cargo-mutants --locked`");
    // Apart from what is built otherwise: each would undo the other.
    let folder = target().join("mutants");
    let told = folder.join("mutants.out");
    match fs::remove_dir_all(&told) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot remove {}", told.display()));
        }
        _ => fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?,
    }
    let status = ended(&mut command(arguments, &folder))?;
    ensure!(status.code().is_some_and(|code| LOOKED.contains(&code)), "`cargo mutants` ended with {status}");
    let read = |name: &str| {
        let file = told.join(name);
        fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))
    };
    let outcomes: Outcomes = serde_json::from_str(&read("outcomes.json")?).context("outcomes.json")?;
    let (found, viable) = (outcomes.found(), outcomes.viable());
    println!("{found} of {viable} viable mutants were caught; {} more did not compile", outcomes.unviable);
    let missed = read("missed.txt")?;
    missed.lines().for_each(|line| println!("  missed: {line}"));
    ensure!(viable > 0, "no mutant was tried; see `cargo mutants --list`");
    if found * 100 < viable * LEAST {
        bail!("fewer than {LEAST} % were caught: write the tests that find those above");
    }
    Ok(())
}

/// `cargo mutants` as it is called; it writes into the folder, and builds there.
fn command(arguments: &Arguments, folder: &Path) -> Command {
    // One at a time: each is built and run by as many processes as there are cores. Every how-many-th, so that a part has some of each file.
    let mut mutants = cargo(&["mutants", "--jobs", "1", "--sharding", "round-robin", "--output"]);
    mutants.arg(folder).env("CARGO_TARGET_DIR", folder).env("SIMULATION_SEEDS", SEEDS);
    if let Some(shard) = &arguments.shard {
        mutants.args(["--shard", shard]);
    }
    if let Some(only) = &arguments.only {
        mutants.args(["--re", only]);
    }
    mutants
}
