//! `cargo xtask bench`: builds what is measured and runs the benchmark, `tests/bench`, on a shop of its own.

use std::{path::PathBuf, process::Command};

use anyhow::Result;

use crate::{
    command::{build_programs, cargo, run, target},
    demo::{Format, Shop},
    plugins,
};

/// One table instead of all figures.
#[derive(clap::Subcommand)]
pub enum One {
    /// How well the analyzer groups labelled logs: Loghub's, which are not part of the project.
    Accuracy {
        /// The folder with `NAME_2k.log` and `NAME_2k.log_structured.csv`.
        #[arg(long)]
        data: PathBuf,
    },
    /// How fast the analyzer reads a log, in the sandbox, native, and beside Drain3 where Python has it.
    Logs,
}

/// Builds all that is needed, measures, and prints the figures to standard output.
///
/// # Errors
/// When something does not build, or cannot be measured at all.
pub fn measure(format: Format, only: Option<&str>, one: Option<One>) -> Result<()> {
    if let Some(One::Accuracy { data }) = one {
        // Native, and needs nothing but itself.
        run(&mut cargo(&["build", "-p", "autodevops-bench"]))?;
        return run(program(format).args(["accuracy", "--data"]).arg(data));
    }
    plugins::build()?;
    build_programs()?;
    if let Some(One::Logs) = one {
        return run(program(format).arg("logs"));
    }
    let parent = tempfile::tempdir()?;
    let shop = Shop::open(parent.path(), "fix-recipes")?;
    shop.grant()?;
    let mut bench = program(format);
    bench.arg("--project").arg(&shop.folder);
    if let Some(only) = only {
        bench.args(["--only", only]);
    }
    run(&mut bench)
}

fn program(format: Format) -> Command {
    let mut bench = Command::new(target().join("debug/autodevops-bench"));
    bench.arg("--format").arg(match format {
        Format::Text => "text",
        Format::Json => "json",
    });
    bench
}
