//! `cargo xtask hostile`: builds what is needed and runs the hostile guests, `tests/hostile`.

use std::{path::PathBuf, process::Command};

use anyhow::{Context as _, Result, ensure};

use crate::{
    command::{build_programs, run, target},
    demo::Format,
    plugins,
};

/// What is run, and how it is shown.
#[derive(Default, clap::Args)]
pub struct Arguments {
    /// How the outcomes are printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Run only the cases that have this in their name or their promise.
    #[arg(long)]
    only: Option<String>,
    /// Put this component through the limits instead, and say how each of its calls ended.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["only", "stress"])]
    wasm: Option<PathBuf>,
    /// Keep hostile and honest calls going for so long instead, such as `10m`, and count what was lost.
    #[arg(long, value_name = "TIME")]
    stress: Option<String>,
}

/// Builds all that is needed and runs what was asked for; the table goes to standard output.
///
/// # Errors
/// When something does not build, or a promise is not held.
pub fn run_all(arguments: &Arguments) -> Result<()> {
    // Told before all is built for it; what is wrong with the file itself, the program tells.
    if let Some(wasm) = &arguments.wasm {
        let metadata = wasm.metadata().with_context(|| format!("cannot read {}", wasm.display()))?;
        ensure!(metadata.is_file(), "{} is no file; name a component's", wasm.display());
    }
    plugins::build()?;
    build_programs()?;
    run(&mut command(arguments))
}

/// How long the stress goes on in the tests.
const STRESS: &str = "60s";

/// Runs all cases, and the stress, by the program that was built; the table and the counts go to standard output.
///
/// # Errors
/// When a promise is not held.
pub fn run_built() -> Result<()> {
    run(&mut command(&Arguments::default()))?;
    run(&mut command(&Arguments { stress: Some(STRESS.to_owned()), ..Arguments::default() }))
}

/// The program with its arguments.
fn command(arguments: &Arguments) -> Command {
    let mut hostile = Command::new(target().join("debug/autodevops-hostile"));
    hostile.arg("--format").arg(match arguments.format {
        Format::Text => "text",
        Format::Json => "json",
    });
    if let Some(only) = &arguments.only {
        hostile.args(["--only", only]);
    }
    if let Some(wasm) = &arguments.wasm {
        hostile.arg("--wasm").arg(wasm);
    }
    if let Some(stress) = &arguments.stress {
        hostile.args(["--stress", stress]);
    }
    hostile
}
