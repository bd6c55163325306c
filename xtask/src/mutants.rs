//! `cargo xtask mutants`: whether the tests of the decision core bite. `cargo mutants` changes the core in one place at a time, and each
//! change should make some test fail. Which changes are made, `.cargo/mutants.toml` says; those that no test finds are listed with their
//! reasons in `tests/simulation/mutants.md`.
//!
//! Most changes are found by the tests of the crate that they are made in, which are built and run in seconds. So each is tried on those
//! first, and only what they leave on all the tests, the simulation among them. A change that does not end counts as found once it did not
//! end in either.
//!
//! What was found is on record in the target folder, with the file that it was found in: the next call goes on from there.

mod tried;

use std::{fs, path::Path, process::Command, str::FromStr, time::Instant};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Resource, Rlimit, setrlimit};

use crate::command::{cargo, run, target};
use tried::{Outcome, Tried};

/// The least share of viable mutants that must be found, in per cent.
const LEAST: usize = 90;

/// Worlds of the simulation that are tried on each: a mutant that the first few hundred do not see is rarely seen by the others.
const SEEDS: &str = "300";

/// How tests are built. A mutant is built once and run once, and building it is most of the time; and none of the libraries has examples in
/// its documentation, for which it would be built once more.
const BUILT: [&str; 10] = [
    "--lib",
    "--tests",
    "--config",
    "profile.dev.package.autodevops-pipeline.opt-level=0",
    "--config",
    "profile.dev.package.autodevops-driver.opt-level=0",
    "--config",
    "profile.dev.package.autodevops-journal.opt-level=0",
    "--config",
    "profile.dev.package.autodevops-simulation.opt-level=0",
];

/// The first test that fails is enough: the others are ended, too, that may have no end by the same change.
const FIRST: &str = "--max-fail=1:immediate";

/// A test of how the simulation tells what it found: it takes most of a minute, and says nothing of the core.
const LEFT_OUT: [&str; 3] = ["--", "--skip", "shrink::"];

/// What is told of the first world that breaks a rule, and of the first property that fails: that it does is enough.
const BRIEFLY: [(&str, &str); 2] = [("SIMULATION_STORY", "no"), ("PROPTEST_MAX_SHRINK_ITERS", "0")];

/// The most memory that a compiler or a test may take, in bytes: a change by which something is collected without an end must not take the
/// machine's. 8 GiB of addresses.
const MEMORY: u64 = 8 << 30;

/// The packages whose tests must find it, if those of its own do not.
const TESTED_BY: [&str; 3] = ["autodevops-driver", "autodevops-pipeline", "autodevops-simulation"];

/// A test that takes so many times as long as all of them without a change is taken for one that never ends.
const ENDLESS: u64 = 5;

/// The shortest time after which that is done, in seconds: the machine may have other work.
const AT_LEAST: u64 = 60;

/// The exit codes of `cargo mutants` after which there is something to look at: all found, some missed, some that did not end.
const LOOKED: [i32; 3] = [0, 2, 3];

/// Which mutants are tried.
#[derive(clap::Args)]
pub struct Arguments {
    /// Try a part of them only, such as `3/20`: every twentieth, from the fourth on. Give it several times for several parts.
    #[arg(long, value_name = "K/N")]
    shard: Vec<Shard>,
    /// Try only those that have this in their name or their file, such as `verdict/threshold`.
    #[arg(long, value_name = "REGEX")]
    only: Option<String>,
}

/// Every `of`-th of them, from the `from`-th on, counted from 0.
#[derive(Clone, Copy)]
struct Shard {
    from: usize,
    of: usize,
}

impl Shard {
    const fn has(self, index: usize) -> bool {
        index % self.of == self.from
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/').and_then(|(from, of)| Some((from.parse().ok()?, of.parse().ok()?)));
        match parts {
            Some((from, of)) if from < of => Ok(Self { from, of }),
            _ => Err(format!("`{text}` is no part of the mutants; give one such as 0/20, up to 19/20")),
        }
    }
}

/// Tries them, and prints how many were found and which were not.
///
/// # Errors
/// When `cargo mutants` or `cargo nextest` is not installed, when they do not come to an end, or when fewer than nine of ten are found.
pub fn try_all(arguments: &Arguments) -> Result<()> {
    for tool in ["mutants", "nextest"] {
        let installed = cargo(&[tool, "--version"]).output().is_ok_and(|output| output.status.success());
        ensure!(installed, "`cargo {tool}` is not installed; install it with `cargo install cargo-{tool} --locked`");
    }
    let limit = Rlimit { current: Some(MEMORY), maximum: Some(MEMORY) };
    setrlimit(Resource::As, limit).context("the memory that a test may take cannot be limited")?;
    let folder = target().join("mutants");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut tried = Tried::open(&folder)?;
    let chosen = chosen(arguments, &folder)?;
    ensure!(!chosen.is_empty(), "no mutant is chosen; see `cargo mutants --list`");

    // What a call before this one was at when it was stopped.
    let (own, all) = (folder.join("own"), folder.join("all"));
    tried.take(&own, &Outcome::SETTLED)?;
    tried.take(&all, &Outcome::ALL)?;

    let left = tried.open_among(&chosen);
    if !left.is_empty() {
        look(mutants(&folder, &own, &left))?;
        tried.take(&own, &Outcome::SETTLED)?;
    }
    let left = tried.open_among(&chosen);
    if !left.is_empty() {
        let limit = unchanged(&folder)?.to_string();
        let mut command = mutants(&folder, &all, &left);
        command.args(["--baseline", "skip", "--timeout", &limit]);
        command.args(TESTED_BY.iter().flat_map(|package| ["--test-package", *package]));
        command.arg("--").args(LEFT_OUT);
        look(command)?;
        tried.take(&all, &Outcome::ALL)?;
    }
    told(&tried, &chosen)
}

/// The names of the mutants that are to be tried.
fn chosen(arguments: &Arguments, folder: &Path) -> Result<Vec<String>> {
    let mut command = called(folder);
    command.arg("--list");
    if let Some(only) = &arguments.only {
        command.args(["--re", only]);
    }
    let output = command.output().context("`cargo mutants --list` cannot be started")?;
    ensure!(output.status.success(), "`cargo mutants --list` failed: {}", String::from_utf8_lossy(&output.stderr));
    let names = String::from_utf8(output.stdout).context("the names of the mutants")?;
    let within = |index: usize| arguments.shard.is_empty() || arguments.shard.iter().any(|shard| shard.has(index));
    Ok(names.lines().enumerate().filter(|(index, _)| within(*index)).map(|(_, name)| name.to_owned()).collect())
}

/// `cargo mutants`, which builds in the folder: apart from what is built otherwise, since each would undo the other.
fn called(folder: &Path) -> Command {
    let mut command = cargo(&["mutants"]);
    prepared(&mut command, folder);
    command
}

fn prepared(command: &mut Command, folder: &Path) {
    command.env("CARGO_TARGET_DIR", folder).env("CARGO_INCREMENTAL", "1");
    command.env("SIMULATION_SEEDS", SEEDS).envs(BRIEFLY);
}

/// `cargo mutants` on these alone, with the tests of the crate that each is in. One at a time: each is built and run by as many processes
/// as there are cores.
fn mutants(folder: &Path, output: &Path, names: &[&str]) -> Command {
    let mut command = called(folder);
    command.args(["--jobs", "1", "--test-tool", "nextest", "--cargo-test-arg", FIRST, "--output"]).arg(output);
    command.args(BUILT.iter().flat_map(|argument| ["--cargo-arg", *argument]));
    command.args(names.iter().flat_map(|name| ["--re".to_owned(), exactly(name)]));
    command
}

/// The pattern of this name alone. (A library that escapes would be most of what this program takes to build.)
fn exactly(name: &str) -> String {
    let mut pattern = String::from("^");
    for character in name.chars() {
        // With a backslash these two would be the bounds of a word.
        if character.is_ascii_punctuation() && !matches!(character, '<' | '>') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push('$');
    pattern
}

fn look(mut command: Command) -> Result<()> {
    eprintln!("$ cargo mutants on {} mutants", command.get_args().filter(|argument| *argument == "--re").count());
    let status = command.status().context("`cargo mutants` cannot be started")?;
    ensure!(status.code().is_some_and(|code| LOOKED.contains(&code)), "`cargo mutants` ended with {status}");
    Ok(())
}

/// Runs all the tests without a change, since where they fail by themselves every mutant would seem to be found. The time after which one
/// is taken for endless, in seconds. (`cargo mutants` would only run those of the changed crates.) They are built in a folder of their own:
/// to cargo the copies that are changed are the same crates, and what was built of one would be taken for this.
fn unchanged(folder: &Path) -> Result<u64> {
    let folder = &folder.join("unchanged");
    let tests = |more: &[&str]| {
        let mut command = cargo(&["nextest", "run"]);
        command.args(TESTED_BY.iter().flat_map(|package| ["--package", *package]));
        command.args(BUILT).args(more);
        prepared(&mut command, folder);
        command
    };
    run(&mut tests(&["--no-run"]))?;
    let begun = Instant::now();
    run(&mut tests(&LEFT_OUT))?;
    Ok((begun.elapsed().as_secs() * ENDLESS).max(AT_LEAST))
}

/// Says what came of them.
fn told(tried: &Tried, chosen: &[String]) -> Result<()> {
    let of = |outcome: Outcome| tried.among(chosen, outcome);
    let [caught, missed, timeout, unviable] =
        [Outcome::Caught, Outcome::Missed, Outcome::Timeout, Outcome::Unviable].map(of);
    for (words, names) in [("missed", &missed), ("did not end", &timeout)] {
        names.iter().for_each(|name| println!("  {words}: {name}"));
    }
    let (found, viable) = (caught.len() + timeout.len(), caught.len() + timeout.len() + missed.len());
    println!(
        "{} tried: {} caught, {} did not end, {} missed, {} did not compile",
        chosen.len(),
        caught.len(),
        timeout.len(),
        missed.len(),
        unviable.len()
    );
    ensure!(viable + unviable.len() == chosen.len(), "some were not tried; call it again, it goes on from here");
    if found * 100 < viable * LEAST {
        bail!("fewer than {LEAST} % of {viable} viable mutants were found: write the tests that find those above");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_every_so_many_th_and_one_that_there_is_not_is_refused() {
        let shard: Shard = "3/20".parse().unwrap();
        assert_eq!((0..50).filter(|index| shard.has(*index)).collect::<Vec<_>>(), [3, 23, 43]);
        for wrong in ["20/20", "1", "a/b", "-1/3", "0/0"] {
            let refused = wrong.parse::<Shard>().err().unwrap();
            assert!(refused.contains(wrong) && refused.contains("such as 0/20"), "{refused}");
        }
    }

    #[test]
    fn a_name_is_its_own_pattern_whatever_is_in_it() {
        assert_eq!(
            exactly("a/b.rs:1:2: replace <impl A for B>::c -> Option<&str> with Some(\"x\")"),
            r#"^a\/b\.rs\:1\:2\: replace <impl A for B>\:\:c \-> Option<\&str> with Some\(\"x\"\)$"#
        );
    }
}
