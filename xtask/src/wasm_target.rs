//! The standard library for `wasm32-wasip2`, which plugins are built for.
//!
//! `rustup target add` is all it takes where rustup can download. Elsewhere it is built from the distribution's own Rust
//! sources by `wasm_target.sh`.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

use crate::command::{run, target};

/// The plugins' target.
pub const TARGET: &str = "wasm32-wasip2";

const FROM_SOURCES: &str = include_str!("wasm_target.sh");

/// Makes sure that the active toolchain can build for [`TARGET`]. Takes no time when it can already.
///
/// # Errors
/// When neither rustup nor the distribution's sources give the standard library.
pub fn ensure() -> Result<()> {
    if installed()? {
        return Ok(());
    }
    println!("The toolchain has no standard library for {TARGET} yet.");
    let added = Command::new("rustup").args(["target", "add", TARGET]).stdin(Stdio::null()).status();
    if !(matches!(added, Ok(status) if status.success()) && installed()?) {
        println!("rustup could not add it; building it from the distribution's sources instead.");
        run(Command::new("bash").args(["-c", FROM_SOURCES, "wasm_target.sh"]).stdin(Stdio::null()))
            .context("install the target by hand: rustup target add wasm32-wasip2")?;
    }
    if !installed()? {
        bail!("the standard library for {TARGET} is still missing; install it by hand: rustup target add {TARGET}");
    }
    // Cargo does not notice that the standard library is another one.
    match fs::remove_dir_all(target().join(TARGET)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

fn installed() -> Result<bool> {
    let output =
        Command::new("rustc").args(["--print", "sysroot"]).output().context("cannot run rustc; install Rust")?;
    let sysroot = PathBuf::from(String::from_utf8(output.stdout)?.trim());
    let Ok(files) = fs::read_dir(sysroot.join("lib/rustlib").join(TARGET).join("lib")) else { return Ok(false) };
    Ok(files.flatten().any(|file| {
        let name = file.file_name();
        let name = name.to_string_lossy();
        name.starts_with("libstd-") && name.ends_with(".rlib")
    }))
}
