//! The project's build logic, all of it: `cargo xtask demo | test | bench | hostile | mutants | setup | plugins`.
//!
//! Each command does its own set-up on a machine with nothing but Rust and a C compiler, and prints what it runs. A second
//! run rebuilds nothing.

use std::ffi::OsString;

use anyhow::Result;
use clap::{Parser, Subcommand};

mod bench;
mod command;
mod demo;
mod fuzz;
mod hostile;
mod js_engine;
mod plugins;
mod suite;
mod wasm_target;

/// Builds, shows, tests and measures AutoDevOps.
#[derive(Parser)]
#[command(name = "cargo xtask", disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install what the build needs: the wasm32-wasip2 target.
    Setup,
    /// Build the plugins into target/plugins, each in a folder with its manifest.
    Plugins,
    /// Show the whole loop on the sample shop: one run that heals it, one whose fix is caught and rolled back.
    Demo {
        /// How the summary is printed.
        #[arg(long, value_enum, default_value_t)]
        format: demo::Format,
        /// Keep the scenes' folders, to look at them.
        #[arg(long)]
        keep: bool,
    },
    /// Measure calls, the analyzer, the command line and the server, side by side in one run.
    Bench(bench::Arguments),
    /// Run the hostile guests: small components that go against each limit and permission, beside honest calls.
    Hostile(hostile::Arguments),
    /// Change the decision core, the driver and the orchestrator in one place at a time, and see whether their tests find each change.
    #[command(disable_help_flag = true)]
    Mutants {
        /// What `tests/mutants` is told; see `--help`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Run every test of the host, the SDK, the plugins and the product as a whole.
    Test,
}

fn main() -> Result<()> {
    match Arguments::parse().task {
        Task::Setup => wasm_target::ensure(),
        Task::Plugins => plugins::build(),
        Task::Demo { format, keep } => demo::play(format, keep),
        Task::Bench(arguments) => bench::measure(&arguments),
        Task::Hostile(arguments) => hostile::run_all(&arguments),
        Task::Mutants { arguments } => {
            // Alone: it needs little, and is for those who write tests.
            let program = ["run", "--quiet", "--package", "autodevops-mutants", "--"];
            command::run(command::cargo(&program).args(arguments))
        }
        Task::Test => suite::run_all(),
    }
}
