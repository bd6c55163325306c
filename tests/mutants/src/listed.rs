//! The mutants: which changes `cargo mutants` would make, and where.

use std::{path::Path, process::Command};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use crate::command::{cargo, prepared};

/// A change of the sources in one place.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Mutant {
    /// What it is called: its file, line and column, and what is put there.
    pub(crate) name: String,
    /// The file that it is made in, as a path from the project's root.
    pub(crate) file: String,
    /// What is put in the place of what was there; empty where that is only taken away.
    pub(crate) replacement: String,
    pub(crate) genre: Genre,
    pub(crate) span: Span,
}

/// What is changed.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Genre {
    /// A function gives this value and does nothing.
    FnValue,
    /// An operator is another one.
    BinaryOperator,
    /// An operator is taken away.
    UnaryOperator,
    /// An arm of a `match` is taken away, and what follows takes its place.
    MatchArm,
    /// The condition of an arm is always or never met.
    MatchArmGuard,
    /// A field of a structure is what the others are that are not named.
    StructField,
}

/// Where it is.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Span {
    pub(crate) start: Position,
}

/// A place in a file.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    /// From 1 on.
    pub(crate) line: usize,
    /// From 1 on, in characters.
    pub(crate) column: usize,
}

/// All of them, in the order in which `cargo mutants` lists them; `only` those whose name or file has this pattern.
///
/// # Errors
/// When `cargo mutants` fails, or says something else than expected.
pub(crate) fn all(only: Option<&str>, folder: &Path) -> Result<Vec<Mutant>> {
    let mut command: Command = cargo(&["mutants", "--list", "--json"]);
    prepared(&mut command, folder);
    if let Some(only) = only {
        command.args(["--re", only]);
    }
    let output = command.output().context("`cargo mutants --list` cannot be started")?;
    ensure!(output.status.success(), "`cargo mutants --list` failed: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout)
        .context("what `cargo mutants --list --json` says is not what version 27 says")
}
