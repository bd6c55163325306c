//! `cargo xtask bench`: builds what is measured and runs the benchmark, `tests/bench`, on a shop of its own.

use std::{path::PathBuf, process::Command};

use anyhow::Result;

use crate::{
    command::{build_programs, run, target},
    demo::{Format, Shop},
    plugins,
};

/// What is measured, and how it is printed.
#[derive(clap::Args)]
pub struct Arguments {
    /// How the figures are printed.
    #[arg(long, global = true, value_enum, default_value_t)]
    format: Format,
    /// Measure only what has this in its name.
    #[arg(long)]
    only: Option<String>,
    /// A folder with Loghub's labelled logs, which are not part of the project: `NAME_2k.log` beside `NAME_2k.log_structured.csv`.
    #[arg(long, global = true)]
    data: Option<PathBuf>,
    /// The size of the log that is generated and read, in megabytes; a gigabyte where nothing is said.
    #[arg(long, global = true)]
    log_megabytes: Option<u64>,
    #[command(subcommand)]
    one: Option<One>,
}

/// One table instead of all figures.
#[derive(Clone, Copy, clap::Subcommand)]
pub enum One {
    /// How well the analyzer groups the labelled logs of `--data`.
    Accuracy,
    /// How fast the analyzer reads a log, in the sandbox, native, and beside Drain3 where Python has it.
    Logs,
}

/// Builds all that is needed, measures, and prints the figures to standard output.
///
/// # Errors
/// When something does not build, or cannot be measured at all.
pub fn measure(arguments: &Arguments) -> Result<()> {
    if let Some(One::Accuracy) = arguments.one {
        // Native: it needs no plugin.
        build_programs()?;
        return run(program(arguments)?.arg("accuracy"));
    }
    plugins::build()?;
    plugins::build_native_analyzer()?;
    build_programs()?;
    if let Some(One::Logs) = arguments.one {
        return run(program(arguments)?.arg("logs"));
    }
    let parent = tempfile::tempdir()?;
    let shop = Shop::open(parent.path(), "fix-recipes")?;
    shop.grant()?;
    run(program(arguments)?.arg("--project").arg(&shop.folder))
}

fn program(Arguments { format, only, data, log_megabytes, .. }: &Arguments) -> Result<Command> {
    let mut bench = Command::new(target().join("debug/autodevops-bench"));
    bench.arg("--format").arg(match format {
        Format::Text => "text",
        Format::Json => "json",
    });
    if let Some(only) = only {
        bench.args(["--only", only]);
    }
    if let Some(data) = data {
        bench.arg("--data").arg(std::path::absolute(data)?);
    }
    if let Some(megabytes) = log_megabytes {
        bench.arg("--log-megabytes").arg(megabytes.to_string());
    }
    Ok(bench)
}
