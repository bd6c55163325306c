//! The mutants: which changes `cargo mutants` would make, and where.

use std::{collections::BTreeSet, path::Path, process::Command};

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
    let mutants = serde_json::from_slice(&output.stdout)
        .context("what `cargo mutants --list --json` says is not what version 27 says")?;
    Ok(if only.is_some() { in_files_of_others(mutants) } else { mutants })
}

/// Version 27 lists fields that are taken away whatever it was asked for: they go with the others of their files.
fn in_files_of_others(mut mutants: Vec<Mutant>) -> Vec<Mutant> {
    let others = mutants.iter().filter(|mutant| mutant.genre != Genre::StructField);
    let files: BTreeSet<String> = others.map(|mutant| mutant.file.clone()).collect();
    mutants.retain(|mutant| files.contains(&mutant.file));
    mutants
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_those_of_the_files_that_were_asked_for() {
        let mutant = |file: &str, genre| {
            let start = Position { line: 1, column: 1 };
            let name = format!("{file}:1:1: {genre:?}");
            Mutant { name, file: file.to_owned(), replacement: String::new(), genre, span: Span { start } }
        };
        let listed = vec![
            mutant("a.rs", Genre::FnValue),
            mutant("a.rs", Genre::StructField),
            mutant("b.rs", Genre::StructField),
        ];
        let names: Vec<String> = in_files_of_others(listed).into_iter().map(|mutant| mutant.name).collect();
        assert_eq!(names, ["a.rs:1:1: FnValue", "a.rs:1:1: StructField"]);
    }
}
