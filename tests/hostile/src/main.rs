//! `autodevops-hostile`: runs the hostile guests and prints what became of them.

use std::process::ExitCode;

use anyhow::Result;
use autodevops_hostile::{cases, run, table};
use autodevops_sandbox::compile_child;
use clap::{Parser, ValueEnum};

/// Runs hostile guests and says how each ended.
#[derive(Parser)]
#[command(name = "autodevops-hostile")]
struct Arguments {
    /// How the outcomes are printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Run only the cases that have this in their name or their promise.
    #[arg(long)]
    only: Option<String>,
}

#[derive(Clone, Copy, Default, ValueEnum)]
enum Format {
    /// A table.
    #[default]
    Text,
    /// One JSON document.
    Json,
}

fn main() -> Result<ExitCode> {
    // The compiler's process: it is to have nothing but the component.
    if std::env::args_os().nth(1).is_some_and(|argument| argument == run::COMPILER_VERB) {
        return Ok(compile_child());
    }
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run_cases(Arguments::parse()))
}

async fn run_cases(arguments: Arguments) -> Result<ExitCode> {
    let mut chosen = cases::all();
    if let Some(only) = &arguments.only {
        chosen.retain(|case| case.name.contains(only.as_str()) || case.promise.contains(only.as_str()));
        anyhow::ensure!(!chosen.is_empty(), "no case has `{only}` in its name or its promise");
    }
    let outcomes = run::run(chosen).await?;
    match arguments.format {
        Format::Text => println!("{}", table::text(&outcomes)),
        Format::Json => println!("{:#}", table::json(&outcomes)),
    }
    let held = outcomes.iter().all(|outcome| outcome.held && outcome.lost == 0);
    Ok(if held { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
