//! The fuzz targets, `fuzz/`: compiled with the tests, so that none rots until somebody fuzzes.

use anyhow::Result;

use crate::command::{cargo, root, run, target};

/// Checks that they compile. They are not linked, so neither libFuzzer nor the C++ compiler that makes it is needed.
///
/// # Errors
/// When one does not compile.
pub fn check() -> Result<()> {
    let fuzz = root().join("fuzz");
    // The name of a library in place of libFuzzer keeps it from being built; nothing looks for it, as nothing is linked.
    let library = fuzz.join("Cargo.toml");
    let mut check = cargo(&["check", "--locked", "--bins"]);
    run(check.current_dir(fuzz).env("CARGO_TARGET_DIR", target().join("fuzz")).env("CUSTOM_LIBFUZZER_PATH", library))
}
