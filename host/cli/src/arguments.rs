//! The command line: every verb and what it takes.

use std::path::PathBuf;

use autodevops_policy::{Bytes, Span};
use clap::{ArgAction, Args, Parser, Subcommand};

use crate::output::Format;

/// Finds what is wrong with a service, fixes it, and rolls the fix out step by step; rolls back by itself.
///
/// Every stage of a run is a plugin: a WebAssembly component in a sandbox, with nothing but what it was granted.
#[derive(Parser)]
#[command(name = "autodevops", version, disable_help_subcommand = true)]
#[command(
    after_help = "Exit codes: 0 done, 1 it failed, 2 wrong usage or configuration, 3 rolled back, 4 waiting for a person."
)]
pub struct Arguments {
    /// How results are shown.
    #[arg(long, global = true, value_enum, default_value_t)]
    pub format: Format,
    /// Tell more of what is done, on standard error; twice and thrice for more still.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    #[command(subcommand)]
    pub verb: Verb,
}

#[derive(Subcommand)]
pub enum Verb {
    /// Say what is wrong in log files. Needs no configuration: `autodevops analyze app.log`.
    Analyze(Analyze),
    /// Look at plugins and call them.
    Plugin {
        #[command(subcommand)]
        verb: PluginVerb,
    },
    /// Serve one release on a Unix socket. Started by the front door, not by hand.
    #[command(hide = true)]
    Worker(Worker),
    /// Check what this machine has, and say what to do where something is missing.
    Doctor,
    /// Write a completion script for a shell to standard output.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

#[derive(Args)]
pub struct Analyze {
    /// Log files; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The analyzer: a plugin's name, or a path to its folder.
    #[arg(long, default_value = "log-analyzer")]
    pub plugin: String,
    /// Leave out issues that matter less: info, warning, error or critical.
    #[arg(long, value_name = "SEVERITY")]
    pub min_severity: Option<String>,
    /// Show at most so many issues; 0 shows all.
    #[arg(long, default_value_t = 20)]
    pub top: usize,
}

#[derive(Args)]
pub struct Worker {
    /// The release's files.
    #[arg(long)]
    pub root: PathBuf,
    /// Folder of static files, below the root.
    #[arg(long)]
    pub public: Option<String>,
    /// The module that exports the functions, below the root.
    #[arg(long)]
    pub functions: Option<String>,
    /// The socket to serve.
    #[arg(long)]
    pub socket: PathBuf,
    /// Time that one request may take, such as `10s`.
    #[arg(long, default_value = "10s")]
    pub wall_time: Span,
    /// Memory that one request may take, such as `256 MiB`.
    #[arg(long, default_value = "256 MiB")]
    pub memory: Bytes,
}

#[derive(Subcommand)]
pub enum PluginVerb {
    /// Name the plugins that are there.
    List,
    /// Say what a plugin is, what it asks for and why, and what it imports.
    Inspect {
        /// The plugin's name, or a path to its folder.
        plugin: String,
    },
    /// Call one stage of a plugin once, in the sandbox, and show what it gives.
    ///
    /// The input is the stage's argument as JSON: an issue for fix-generator, an object with `changed` and `tests` for check;
    /// `autodevops analyze --format json` shows issues. What a call needs beyond that is granted for this call by options.
    Call(Call),
}

#[derive(Args)]
pub struct Call {
    /// The plugin's name, or a path to its folder.
    pub plugin: String,
    /// The stage, such as `check`; may be left out when the plugin has one only.
    #[arg(long)]
    pub stage: Option<String>,
    /// The input: a JSON file, or `-` for standard input; for an analyzer, a log file.
    #[arg(long, value_name = "FILE", default_value = "-")]
    pub input: PathBuf,
    /// A folder that the plugin reads, as GUEST=HOST: `/repo=.` or `/before=old`.
    #[arg(long, value_name = "GUEST=HOST")]
    pub mount: Vec<String>,
    /// A configuration value, as KEY=VALUE; the value is JSON, or else text.
    #[arg(long, value_name = "KEY=VALUE")]
    pub config: Vec<String>,
    /// Grant everything that the manifest asks for but requests, which are granted by `--http`.
    #[arg(long)]
    pub grant_asked: bool,
    /// Grant requests to an origin, such as `http://127.0.0.1:9464`.
    #[arg(long, value_name = "ORIGIN")]
    pub http: Vec<String>,
}
