//! Mutants one by one, by `cargo mutants` itself: each is built anew. First with the tests of the crate that it is in, which are built in
//! seconds, and what they leave with all the tests.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    command::{cargo, prepared},
    together::tested_by,
    tried::{Outcome, Tried},
};

/// How tests are built. A mutant is built once and run once, and building it is most of the time; and none of the libraries has examples in
/// its documentation, for which it would be built once more.
const BUILT: [&str; 12] = [
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
    "--config",
    "profile.dev.package.autodevops-orchestrator.opt-level=0",
];

/// The first test that fails is enough: the others are ended, too, that may have no end by the same change.
const FIRST: &str = "--max-fail=1:immediate";

/// A test of how the simulation tells what it found: it takes most of a minute, and says nothing of the core.
const LEFT_OUT: [&str; 3] = ["--", "--skip", "shrink::"];

/// A test that takes so many times as long as all of them without a change is taken for one that never ends.
const ENDLESS: u64 = 5;

/// The shortest time after which that is done, in seconds: the machine may have other work.
const AT_LEAST: u64 = 60;

/// The exit codes of `cargo mutants` after which there is something to look at: all found, some missed, some that did not end.
const LOOKED: [i32; 3] = [0, 2, 3];

/// Puts on record what a call before this one was at when it was stopped.
///
/// # Errors
/// When its lists cannot be read.
pub(crate) fn take_over(tried: &mut Tried, folder: &Path) -> Result<()> {
    tried.take(&own(folder), &Outcome::SETTLED)?;
    tried.take(&all(folder), &Outcome::ALL)
}

/// Tries these.
///
/// # Errors
/// When `cargo mutants` does not come to an end.
pub(crate) fn try_each(tried: &mut Tried, names: &[String], folder: &Path) -> Result<()> {
    let left = tried.open_among(names);
    if !left.is_empty() {
        look(mutants(folder, &own(folder), &left))?;
        tried.take(&own(folder), &Outcome::SETTLED)?;
    }
    let left = tried.open_among(names);
    if !left.is_empty() {
        // The name begins with the file.
        let packages = tested_by(left.iter().copied());
        let limit = unchanged(&packages, folder)?.to_string();
        let mut command = mutants(folder, &all(folder), &left);
        command.args(["--baseline", "skip", "--timeout", &limit]);
        command.args(packages.iter().flat_map(|package| ["--test-package", *package]));
        command.arg("--").args(LEFT_OUT);
        look(command)?;
        tried.take(&all(folder), &Outcome::ALL)?;
    }
    Ok(())
}

fn own(folder: &Path) -> PathBuf {
    folder.join("own")
}

fn all(folder: &Path) -> PathBuf {
    folder.join("all")
}

/// `cargo mutants` on these alone, with the tests of the crate that each is in. One at a time: each is built and run by as many processes
/// as there are cores.
fn mutants(folder: &Path, output: &Path, names: &[&str]) -> Command {
    let mut command = cargo(&["mutants"]);
    prepared(&mut command, folder);
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
fn unchanged(packages: &[&str], folder: &Path) -> Result<u64> {
    let folder = &folder.join("unchanged");
    let tests = |more: &[&str]| {
        let mut command = cargo(&["nextest", "run"]);
        command.args(packages.iter().flat_map(|package| ["--package", *package]));
        command.args(BUILT).args(more);
        prepared(&mut command, folder);
        command
    };
    run(tests(&["--no-run"]))?;
    let begun = Instant::now();
    run(tests(&LEFT_OUT))?;
    Ok((begun.elapsed().as_secs() * ENDLESS).max(AT_LEAST))
}

fn run(mut command: Command) -> Result<()> {
    eprintln!("$ {command:?}");
    let status = command.status().context("cargo cannot be started")?;
    ensure!(status.success(), "`cargo nextest` ended with {status}: the tests fail without any change");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_its_own_pattern_whatever_is_in_it() {
        assert_eq!(
            exactly("a/b.rs:1:2: replace <impl A for B>::c -> Option<&str> with Some(\"x\")"),
            r#"^a\/b\.rs\:1\:2\: replace <impl A for B>\:\:c \-> Option<\&str> with Some\(\"x\"\)$"#
        );
    }
}
