//! Running other programs, visibly.

use std::{path::PathBuf, process::Command};

use anyhow::{Context, Result, bail};

/// The project's root: the folder that holds the workspace's `Cargo.toml`.
pub fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map_or(here.clone(), PathBuf::from)
}

/// Where everything is built.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |folder| root().join(folder))
}

/// Cargo as it runs this program, in the project's root, building into [`target`].
pub fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root()).env("CARGO_TARGET_DIR", target());
    // What cargo tells this program of its own package is not for others: build scripts that look at it would run again, each time
    // that cargo is called from here and by hand in turn.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("CARGO_MANIFEST_") || name.starts_with("CARGO_PKG_")) {
            command.env_remove(name);
        }
    }
    command
}

/// Builds all programs of the host and of its tests. Always all of them, since cargo would build what they share anew for each
/// selection of packages.
///
/// # Errors
/// When one does not build.
pub fn build_programs() -> Result<()> {
    run(&mut cargo(&["build", "--workspace", "--bins"]))
}

/// Prints the command and runs it to its end.
///
/// # Errors
/// When it cannot be started or does not succeed.
pub fn run(command: &mut Command) -> Result<()> {
    let line = shown(command);
    // Standard output is for results.
    eprintln!("$ {line}");
    let status = command.status().with_context(|| format!("cannot start `{line}`"))?;
    if !status.success() {
        bail!("`{line}` ended with {status}");
    }
    Ok(())
}

/// Runs two pieces of work side by side, to the end of both: compilers leave a processor idle wherever one crate waits for another.
///
/// # Errors
/// When one of them fails; the first one's error, where both do.
pub fn side_by_side(one: impl FnOnce() -> Result<()> + Send, other: impl FnOnce() -> Result<()>) -> Result<()> {
    std::thread::scope(|scope| {
        let one = scope.spawn(one);
        let other = other();
        one.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)).and(other)
    })
}

fn shown(command: &Command) -> String {
    std::iter::once(command.get_program()).chain(command.get_args()).fold(String::new(), |mut line, word| {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&word.to_string_lossy());
        line
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Every package with the features that it is built with, where those of the tests count or do not.
    fn built(edges: &str) -> BTreeSet<String> {
        let arguments = ["tree", "--offline", "--locked", "--workspace", "--prefix", "none", "--format", "{p} [{f}]"];
        let output = cargo(&arguments).args(["--edges", edges]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        // What is shown further above is marked.
        let lines = String::from_utf8(output.stdout).unwrap();
        lines.lines().map(|line| line.trim_end_matches(" (*)").to_owned()).collect()
    }

    #[test]
    fn programs_hold_the_same_builds_of_their_dependencies_as_tests_do() {
        let (programs, tests) = (built("no-dev"), built("all"));
        assert!(programs.len() > 100, "{programs:#?}");
        let twice: Vec<&String> = programs.difference(&tests).collect();
        assert!(
            twice.is_empty(),
            "a test asks for further features of these; ask for them in tests/bench/Cargo.toml as well: {twice:#?}"
        );
    }
}
