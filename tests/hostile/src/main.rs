//! `autodevops-hostile`: runs the hostile guests and prints what became of them.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use autodevops_hostile::{any, case::Case, cases, run, stress, table};
use autodevops_policy::Span;
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
    /// Put this component through the limits instead, and say how each of its calls ended.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["only", "stress"])]
    wasm: Option<PathBuf>,
    /// Keep hostile and honest calls going for so long instead, such as `10m`, and count what was lost.
    #[arg(long, value_name = "TIME")]
    stress: Option<Span>,
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
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run_them(Arguments::parse()))
}

/// Does what was asked for; fails when a promise was not held.
async fn run_them(arguments: Arguments) -> Result<ExitCode> {
    let (text, json, held) = if let Some(file) = &arguments.wasm {
        let all = any::put_through(file).await?;
        (table::of_any(&all), serde_json::to_value(&all)?, all.iter().all(|ended| ended.honest))
    } else if let Some(long) = arguments.stress {
        let stress = stress::run(chosen(arguments.only.as_deref())?, long.0).await?;
        (table::of_stress(&stress), serde_json::to_value(&stress)?, stress.faults().is_empty())
    } else {
        let outcomes = run::run(chosen(arguments.only.as_deref())?).await?;
        let held = outcomes.iter().all(|outcome| outcome.held && outcome.lost == 0);
        (table::text(&outcomes), table::json(&outcomes), held)
    };
    match arguments.format {
        Format::Text => println!("{text}"),
        Format::Json => println!("{json:#}"),
    }
    Ok(if held { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The cases that have this in their name or their promise.
fn chosen(only: Option<&str>) -> Result<Vec<Case>> {
    let mut chosen = cases::all();
    if let Some(only) = only {
        chosen.retain(|case| case.name.contains(only) || case.promise.contains(only));
        anyhow::ensure!(!chosen.is_empty(), "no case has `{only}` in its name or its promise");
    }
    Ok(chosen)
}
