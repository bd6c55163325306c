//! What is done with plugins.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Args)]
pub struct PluginTest {
    /// The plugin's name, or a path to its folder; this folder, when absent.
    pub plugin: Option<String>,
    /// Recorded calls that the plugin is run on; see `autodevops replay RUN --export DIR`.
    #[arg(long, required = true, num_args = 1.., value_name = "FILE")]
    pub recording: Vec<PathBuf>,
    /// Expect from now on what comes of it now; kept beside each recording.
    #[arg(long)]
    pub update: bool,
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
    /// Answer what plugins ask for: show it in words, with what is new, and store the answer in `autodevops.lock`.
    ///
    /// A plugin that asks for anything runs in a project only as the very component that was granted. Where `autodevops.toml` has
    /// `[plugins.NAME.grant]`, that is the grant, and the answer pins the component to it; elsewhere the answer is the grant.
    Grant(GrantOptions),
    /// Run a plugin on recorded calls, and compare what comes of it with what was recorded.
    Test(PluginTest),
    /// Call one stage of a plugin once, in the sandbox, and show what it gives.
    ///
    /// The input is the stage's argument as JSON: an issue for fix-generator, an object with `changed` and `tests` for check;
    /// `autodevops analyze --format json` shows issues. What a call needs beyond that is granted for this call by options.
    Call(Call),
}

#[derive(Args)]
pub struct GrantOptions {
    /// The plugins, by their names or by paths to their folders.
    #[arg(value_name = "NAME", required_unless_present = "all")]
    pub plugins: Vec<String>,
    /// All plugins that the stages name; those that hold what they were granted are not asked about again.
    #[arg(long, conflicts_with = "plugins")]
    pub all: bool,
    /// Ask nothing: grant what the configuration says, or else all that is asked for.
    #[arg(long)]
    pub yes: bool,
    /// Refuse where the plugin is another component than this one, which was looked at before.
    #[arg(long, value_name = "DIGEST", requires = "yes", conflicts_with = "all")]
    pub digest: Option<String>,
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
    pub set: Vec<String>,
    /// Grant everything that the manifest asks for but requests, which are granted by `--http`.
    #[arg(long)]
    pub grant_asked: bool,
    /// Grant requests to an origin, such as `http://127.0.0.1:9464`.
    #[arg(long, value_name = "ORIGIN")]
    pub http: Vec<String>,
}
