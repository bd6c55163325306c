//! Makes the JavaScript engine's component, composes plugins with it, and runs the result in the way the product does.

mod compose;
mod run;

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use componentize_qjs::{ComponentizeOpts, Runtime, componentize};

#[derive(Parser)]
#[command(about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Makes a component of a script.
    Componentize {
        /// The script.
        #[arg(long)]
        script: PathBuf,
        /// The folder with the world.
        #[arg(long)]
        wit: PathBuf,
        /// The world's name.
        #[arg(long, default_value = "js-engine")]
        world: String,
        /// Where the component goes.
        #[arg(long)]
        output: PathBuf,
    },
    /// Plugs the engine into a component that imports it.
    Compose {
        /// The component that imports the engine.
        #[arg(long)]
        socket: PathBuf,
        /// The engine.
        #[arg(long)]
        plug: PathBuf,
        /// Where the result goes.
        #[arg(long)]
        output: PathBuf,
    },
    /// Runs the engine alone: the sources, then `main(input)`.
    Eval {
        /// The engine.
        #[arg(long)]
        engine: PathBuf,
        /// JSON text for `main`.
        #[arg(long, default_value = "null")]
        input: String,
        /// How often `main` is called, in the same instance.
        #[arg(long, default_value_t = 1)]
        calls: u32,
        /// The scripts.
        sources: Vec<PathBuf>,
    },
    /// Runs a composed check over a project folder and prints its report as a debug text.
    Check {
        /// The composed component.
        #[arg(long)]
        component: PathBuf,
        /// The project as it was.
        #[arg(long)]
        before: PathBuf,
        /// The project as it is.
        #[arg(long)]
        after: PathBuf,
        /// Paths that changed.
        #[arg(long)]
        changed: Vec<String>,
        /// Seconds after which the call is ended.
        #[arg(long, default_value_t = 20)]
        seconds: u64,
        /// Test files.
        tests: Vec<String>,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    match Arguments::parse().command {
        Command::Componentize { script, wit, world, output } => {
            let source = fs::read_to_string(&script).with_context(|| format!("cannot read {}", script.display()))?;
            let component = componentize(&ComponentizeOpts {
                wit_path: &wit,
                js_source: &source,
                js_path: None,
                module_root: None,
                world_name: Some(&world),
                stub_wasi: true,
                disable_gc: false,
                runtime: Runtime::Default,
            })
            .await
            .context("cannot componentize the engine's script")?;
            write(&output, &component)
        }
        Command::Compose { socket, plug, output } => {
            let composed = compose::compose(&read(&socket)?, &read(&plug)?)?;
            write(&output, &composed)
        }
        Command::Eval { engine, input, calls, sources } => {
            let sources = sources
                .iter()
                .map(|path| fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display())))
                .collect::<Result<Vec<_>>>()?;
            for answer in run::eval(&read(&engine)?, &sources, &input, calls).await? {
                match answer {
                    Ok(text) => println!("{text}"),
                    Err(text) => println!("thrown: {text}"),
                }
            }
            Ok(())
        }
        Command::Check { component, before, after, changed, seconds, tests } => {
            let call = run::Check { before, after, changed, tests, seconds };
            println!("{}", run::check(&read(&component)?, &call).await?);
            Ok(())
        }
    }
}

fn read(path: &PathBuf) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

fn write(path: &PathBuf, bytes: &[u8]) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}
