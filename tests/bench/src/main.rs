//! Measures what the product costs, side by side in one run: prints figures and ratios, asserts nothing.
//!
//! Run it by `cargo xtask bench`, which builds everything first. Every figure is a median over rounds that take turns, so
//! that a busy moment of the machine falls on both sides of a ratio.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod accuracy;
mod analyzer;
mod audit;
mod calls;
mod command_line;
mod edge;
mod incidents;
mod javascript;
mod killed;
mod log_text;
mod logs;
mod place;
mod process;
mod raw;
mod reading;
mod replay;
mod report;
mod rollouts;
mod serve;
mod simulation;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

use crate::{place::Place, report::Report};

/// Measures calls, the analyzer, the front door, the command line and the server.
#[derive(Parser)]
struct Arguments {
    /// How the figures are printed.
    #[arg(long, value_enum, default_value_t)]
    format: report::Format,
    /// A project to serve: a folder with `autodevops.toml`.
    #[arg(long)]
    project: Option<PathBuf>,
    /// Measure only what has this in its name.
    #[arg(long, default_value = "")]
    only: String,
    /// A folder with Loghub's labelled logs, which are not part of the project: `NAME_2k.log` beside `NAME_2k.log_structured.csv`.
    #[arg(long, global = true)]
    data: Option<PathBuf>,
    /// The size of the log that is generated and read, in megabytes.
    #[arg(long, global = true, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    log_megabytes: u64,
    #[command(subcommand)]
    one: Option<One>,
}

/// One table instead of all figures.
#[derive(Subcommand)]
enum One {
    /// How well the analyzer groups the labelled logs of `--data`.
    Accuracy,
    /// How fast the analyzer reads a log.
    Logs,
}

fn main() -> Result<()> {
    if edge::role()? {
        return Ok(());
    }
    let Arguments { format, project, only, data, log_megabytes, one } = Arguments::parse();
    if let Some(One::Accuracy) = one {
        let data = data.context("accuracy is measured on labelled logs; name their folder with --data")?;
        return accuracy::print(&data, format);
    }
    let place = Place::find()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut report = Report::new(only);
    if let Some(One::Logs) = one {
        runtime.block_on(logs::measure(&place, log_megabytes, &mut report))?;
        return report.print(format);
    }
    rollouts::measure(&mut report)?;
    runtime.block_on(calls::measure(&place, &mut report))?;
    runtime.block_on(audit::measure(&place, &mut report))?;
    runtime.block_on(replay::measure(&place, &mut report))?;
    replay::whole_run(&mut report);
    runtime.block_on(analyzer::measure(&place, &mut report))?;
    runtime.block_on(logs::measure(&place, log_megabytes, &mut report))?;
    accuracy::add(data.as_deref(), &mut report)?;
    incidents::measure(&mut report);
    runtime.block_on(javascript::measure(&place, &mut report))?;
    runtime.block_on(edge::measure(&mut report))?;
    serve::measure(&place, project.as_deref(), &mut report)?;
    runtime.block_on(killed::measure(&mut report))?;
    simulation::measure(&mut report)?;
    report.print(format)
}
