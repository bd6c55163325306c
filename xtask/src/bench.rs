//! `cargo xtask bench`: builds what is measured and runs the benchmark, `tests/bench`, on a shop of its own.

use std::{path::PathBuf, process::Command};

use anyhow::{Result, bail};

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
    /// Measure only what has this in its name; of all figures, not of one table.
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

impl Arguments {
    /// A table has no parts to choose from: what was chosen would be ignored.
    fn fit_together(&self) -> Result<()> {
        match (&self.only, self.one) {
            (Some(only), Some(_)) => {
                bail!("--only {only} chooses among all figures, not within one table; leave one out")
            }
            _ => Ok(()),
        }
    }
}

/// Builds all that is needed, measures, and prints the figures to standard output.
///
/// # Errors
/// When one table is wanted and only a part of all figures as well; when something does not build, or cannot be measured at all.
pub fn measure(arguments: &Arguments) -> Result<()> {
    arguments.fit_together()?;
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

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        bench: Arguments,
    }

    #[test]
    fn a_part_of_all_figures_and_one_table_are_not_wanted_at_once() {
        let fit = |line: &str| Line::try_parse_from(line.split(' ')).unwrap().bench.fit_together();
        for line in ["bench", "bench --only edge", "bench logs", "bench accuracy --data loghub --format json"] {
            fit(line).unwrap();
        }
        for line in ["bench --only edge logs", "bench --only edge accuracy --data loghub"] {
            let why = fit(line).unwrap_err().to_string();
            assert!(why.starts_with("--only edge chooses among all figures"), "{line}: {why}");
        }
    }
}
