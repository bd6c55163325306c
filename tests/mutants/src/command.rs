//! Cargo, as it is called for mutants.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// How many worlds of the simulation are tried on each: a mutant that the first few hundred do not see is rarely seen by the others.
const SEEDS: &str = "300";

/// What is told of the first world that breaks a rule, and of the first property that fails: that it does is enough. Nor is a case kept by
/// which the next mutant would be tried first.
const BRIEFLY: [(&str, &str); 3] =
    [("SIMULATION_STORY", "no"), ("PROPTEST_MAX_SHRINK_ITERS", "0"), ("PROPTEST_DISABLE_FAILURE_PERSISTENCE", "true")];

/// The project's root.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// Where mutants are built, and what came of them is kept.
pub(crate) fn folder() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |at| root().join(at));
    target.join("mutants")
}

/// Cargo, in the project's root.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root());
    // What cargo tells this program of its own package is not for others.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("CARGO_MANIFEST_") || name.starts_with("CARGO_PKG_")) {
            command.env_remove(name);
        }
    }
    command
}

/// Has it build in this folder: apart from what is built otherwise, since each would undo the other.
pub(crate) fn prepared(command: &mut Command, folder: &Path) {
    command.env("CARGO_TARGET_DIR", folder).env("CARGO_INCREMENTAL", "1");
    tested(command);
}

/// Has tests be as brief as tests of mutants are.
pub(crate) fn tested(command: &mut Command) {
    command.env("SIMULATION_SEEDS", SEEDS).envs(BRIEFLY);
}
