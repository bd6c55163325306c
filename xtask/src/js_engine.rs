//! Building the JavaScript engine's components: scripts, made into components by a tool with a lockfile of its own.
//!
//! - `js-engine`: the bare engine.
//! - `js-functions`: the engine with the surroundings and the harness of `onRequest` functions in it, evaluated when it is made,
//!   so that a request does not pay for them.
//! - `js-checks`: the same with the harness of tests, which the plugin `js-checks` is composed with.

use std::{
    collections::hash_map::DefaultHasher,
    fs,
    hash::{Hash, Hasher},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use crate::command::{cargo, root, run, target};

/// The harness of tests, in the order in which its parts build on each other.
const CHECKS_HARNESS: [&str; 8] =
    ["compare.js", "assert.js", "expect.js", "builtins.js", "absent.js", "modules.js", "runner.js", "harness.js"];

/// The component of the engine with the harness of a plugin in it.
pub fn with_harness_of(plugin: &str) -> PathBuf {
    folder().join(format!("{plugin}.wasm"))
}

fn folder() -> PathBuf {
    target().join("plugins/js-engine")
}

/// Builds the components into `target/plugins/js-engine`, where they are out of date.
///
/// # Errors
/// When the tool does not build or a script does not become a component.
pub fn build() -> Result<()> {
    let scripts = root().join("sdk/js-engine");
    let harness = root().join("host/worker/src/harness.js");
    let surrounded = ["engine.js", "prelude.js", "web.js"].map(|name| scripts.join(name));
    componentize("js-engine", &[scripts.join("engine.js")])?;
    componentize("js-functions", &[&surrounded[..], &[harness]].concat())?;
    let checks = root().join("plugins/js-checks/js");
    let checks = CHECKS_HARNESS.map(|name| checks.join(name));
    componentize("js-checks", &[&surrounded[..], &checks].concat())
}

/// Runs the tool with arguments, building it first.
///
/// # Errors
/// When it does not build or fails.
pub fn tool(arguments: &[&std::ffi::OsStr]) -> Result<()> {
    let target = target().join("js-engine-tool");
    let manifest = root().join("xtask/js-engine");
    run(cargo(&["build", "--locked"]).current_dir(&manifest).env("CARGO_TARGET_DIR", &target))?;
    run(Command::new(target.join("debug/js-engine-tool")).args(arguments))
}

fn componentize(name: &str, scripts: &[PathBuf]) -> Result<()> {
    let output = folder().join(format!("{name}.wasm"));
    let mut script = String::new();
    for path in scripts {
        script.push_str(&read(path)?);
    }
    let world = root().join("sdk/js-engine/world.wit");
    let tool_files = ["Cargo.lock", "src/main.rs"].map(|file| root().join("xtask/js-engine").join(file));
    let mut inputs = vec![script.clone(), read(&world)?];
    for file in &tool_files {
        inputs.push(read(file)?);
    }
    if is_current(&output, &inputs) {
        return Ok(());
    }
    fs::create_dir_all(folder())?;
    let source = folder().join(format!("{name}.js"));
    fs::write(&source, script)?;
    let folder = world.parent().unwrap_or(Path::new("."));
    tool(&[
        "componentize".as_ref(),
        "--script".as_ref(),
        source.as_ref(),
        "--wit".as_ref(),
        folder.as_ref(),
        "--output".as_ref(),
        output.as_ref(),
    ])?;
    fs::remove_file(source)?;
    record(&output, &inputs)
}

/// Whether the file was made from these inputs, as the note beside it says. The inputs are the project's own files: what is
/// guarded against is forgetting, not malice.
pub fn is_current(output: &Path, inputs: &[String]) -> bool {
    output.is_file() && fs::read_to_string(note(output)).is_ok_and(|noted| noted == digest(inputs))
}

/// Notes what the file was made from.
///
/// # Errors
/// When the note cannot be written.
pub fn record(output: &Path, inputs: &[String]) -> Result<()> {
    fs::write(note(output), digest(inputs)).with_context(|| format!("cannot write beside {}", output.display()))
}

fn note(output: &Path) -> PathBuf {
    output.with_extension("inputs")
}

fn digest(inputs: &[String]) -> String {
    let mut hasher = DefaultHasher::new();
    inputs.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}
