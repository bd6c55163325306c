//! Building the plugins: each ends in `target/plugins/NAME`, its component beside its manifest, ready to be used.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use crate::{
    command::{cargo, root, run, target},
    js_engine, wasm_target,
};

/// Plugins of two halves: the second is the JavaScript engine.
const COMPOSED_WITH_ENGINE: [&str; 1] = ["js-checks"];

/// Builds every plugin under `plugins/`, and those of the tests.
///
/// # Errors
/// When one does not build, or lacks its `plugin.toml`.
pub fn build() -> Result<()> {
    wasm_target::ensure()?;
    js_engine::build()?;
    let workspace = root().join("plugins");
    // Inside the folder, so that its .cargo/config.toml holds.
    run(cargo(&["build", "--release", "--target", wasm_target::TARGET, "--workspace"]).current_dir(&workspace))?;
    for (source, staged) in [("plugins", "plugins"), ("tests/plugins", "test-plugins")] {
        stage(&root().join(source), &target().join(staged))?;
    }
    Ok(())
}

/// Builds the log analyzer's native program, with the profile of plugins: what the benchmark compares the component with.
///
/// # Errors
/// When it does not build.
pub fn build_native_analyzer() -> Result<()> {
    let arguments = ["build", "--release", "--package", "log-analyzer", "--example", "throughput"];
    run(cargo(&arguments).current_dir(root().join("plugins")))
}

/// Puts the built plugins of a folder where they are used, each with its manifest.
fn stage(source: &Path, staged: &Path) -> Result<()> {
    for name in names(source)? {
        let folder = staged.join(&name);
        fs::create_dir_all(&folder)?;
        let built = target().join(wasm_target::TARGET).join("release").join(format!("{}.wasm", name.replace('-', "_")));
        let component = folder.join(format!("{name}.wasm"));
        if COMPOSED_WITH_ENGINE.contains(&name.as_str()) {
            compose(&built, &js_engine::with_harness_of(&name), &component)?;
        } else {
            copy_if_newer(&built, &component)?;
        }
        copy_if_newer(&source.join(&name).join("plugin.toml"), &folder.join("plugin.toml"))?;
    }
    Ok(())
}

/// Plugs the JavaScript engine, with a harness in it, into a component, where it or the component changed.
fn compose(built: &Path, engine: &Path, composed: &Path) -> Result<()> {
    let mut inputs = Vec::new();
    for path in [built, engine] {
        let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        inputs.push(bytes.escape_ascii().to_string());
    }
    if js_engine::is_current(composed, &inputs) {
        return Ok(());
    }
    js_engine::tool(&[
        "compose".as_ref(),
        "--socket".as_ref(),
        built.as_ref(),
        "--plug".as_ref(),
        engine.as_ref(),
        "--output".as_ref(),
        composed.as_ref(),
    ])?;
    js_engine::record(composed, &inputs)
}

fn names(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.path().join("plugin.toml").is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

fn copy_if_newer(from: &PathBuf, to: &PathBuf) -> Result<()> {
    let new = fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
    if fs::read(to).is_ok_and(|old| old == new) {
        return Ok(());
    }
    fs::write(to, new).with_context(|| format!("cannot write {}", to.display()))
}
