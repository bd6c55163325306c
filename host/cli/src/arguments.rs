//! The command line: every verb and what it takes.

mod people;
mod plugin;
mod rollout;

use std::path::PathBuf;

use autodevops_policy::{Bytes, Span};
use clap::{ArgAction, Args, Parser, Subcommand};

use crate::{compile, output::AnyFormat, token::MayDo};

pub use self::{
    people::{Answer, Approve, Extend, Feedback, Reject, Rollback, Sequence},
    plugin::{Call, GrantOptions, PluginTest, PluginVerb},
    rollout::{RolloutPlan, RolloutVerb, VerdictOptions, VerdictRule},
};

/// Finds what is wrong with a service, fixes it, and rolls the fix out step by step; rolls back by itself.
///
/// Every stage of a run is a plugin: a WebAssembly component in a sandbox, with nothing but what it was granted.
#[derive(Parser)]
#[command(name = "autodevops", version, disable_help_subcommand = true)]
#[command(after_help = "Exit codes: 0 done, 1 it failed, 2 wrong usage or configuration, 3 rolled back, 4 waiting.")]
pub struct Arguments {
    /// The project's configuration; without it, the `autodevops.toml` of this folder or of the nearest one above.
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// How results are shown.
    #[arg(long, global = true, value_enum, default_value_t)]
    pub format: AnyFormat,
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
    /// Write an `autodevops.toml` for the project in this folder, with every key explained.
    Init(Init),
    /// Put what is checked in live: the first release, or one that a person made.
    ///
    /// The commit that is checked out is exported, built, and brought to staging and then to production. Runs start from what is
    /// live, so that this comes first.
    Deploy(Deploy),
    /// Heal one issue: the worst in the watched logs, or the one named; up to its end.
    ///
    /// A run that was interrupted, by a crash or by hand, is finished first. While it runs, `autodevops approve`, `reject`, `hold`,
    /// `skip`, `extend`, `abort` and `rollback` speak with it from other terminals.
    Run(RunOptions),
    /// Watch the logs and start a run for every new issue, until it is stopped.
    Serve,
    /// List the runs, newest first.
    Runs(Runs),
    /// Run a run's calls of plugins again, offline, from what was recorded, and say whether the same comes of them.
    ///
    /// With --with, its inputs go into a changed plugin: what comes of it now is shown beside what came of it then. Ends with 1 where
    /// something else came of a call, or it asked the host for something else.
    Replay(Replay),
    /// Show what happened in a run, step by step, with reasons and evidence.
    Show {
        /// The run's name, or the beginning of it.
        run: String,
        /// Show it as it was then: a time such as `2026-11-25T17:54:34Z`, or `5m ago`.
        #[arg(long, value_name = "TIME")]
        at: Option<String>,
    },
    /// Show what plugins did and what was decided, and prove that nothing of it was changed.
    ///
    /// Every host call of a run's plugins and every decision is on record, sealed when a stage ends. Without RUN, a line for each run, and
    /// for what belongs to none: `by-hand-N` are deploys, rollbacks and snapshots by hand (N is a fence, so that some are left out),
    /// `revert-…` changes undone in git, `watch` is what read the watched logs, and `loop` who kept runs from starting and who let them.
    Audit(Audit),
    /// Show what deploys came to: how often they succeeded, how long they took, what they did to the service.
    ///
    /// By service and environment: success and rollback rates, time to deploy with waiting apart, response times and errors
    /// before and after, complaints, and the four measures of DORA.
    Metrics(Metrics),
    /// Let a run go on that waits for approval.
    Approve(Approve),
    /// Refuse a run what it asks for: it ends, and traffic that it moved goes back. Asked about data, the data stays as it is.
    ///
    /// What someone deployed past the run stays, too.
    Reject(Reject),
    /// Hold a run where it is: nothing new is begun and no step is passed, until someone resumes it.
    ///
    /// What has traffic is watched on, and what speaks against it still turns it back. The time to approve stands still.
    Hold(Answer),
    /// Let a run go on that someone held, which takes an approver; without a run, let runs start again after `autodevops pause`.
    Resume {
        /// The run's name, or the beginning of it.
        run: Option<String>,
        /// Why; it is recorded of a run.
        #[arg(long, default_value = "", requires = "run")]
        reason: String,
    },
    /// Pass the step that is watched without waiting for its end. Takes an approver, and a reason.
    Skip(Answer),
    /// Watch the step under way for longer, such as `--by 30m`. Where a step is held for want of evidence, this is an answer.
    Extend(Extend),
    /// Say that you have it in hand: nobody further is told. It approves nothing.
    Ack(Answer),
    /// Start no more runs, until `autodevops resume`. Runs under way go on.
    Pause {
        /// Why; it is recorded, and shown.
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Give a run's release all of production's traffic at once, past the steps that are left: forward, where the release before does not
    /// serve. Takes an approver, and a reason. The last step and the monitoring watch it all the same.
    RollForward(Sequence),
    /// End a run. Traffic that it moved returns to the release before, at once.
    Abort(Answer),
    /// Make a token by which someone speaks to the HTTP API; shown once, with the line for `[server]`.
    Token {
        /// Who speaks by it: an approver's name.
        name: String,
        /// Have it do that alone, such as `--may feedback` for a form or `--may metrics` for a monitor; without it, everything.
        #[arg(long, value_name = "WHAT", value_delimiter = ',')]
        may: Vec<MayDo>,
    },
    /// Take in a complaint of one who uses the service.
    ///
    /// Its words are kept for as long as `[retention]` `complaints` says, a year by default; that there was one, for good. While a release is
    /// rolled out, so many complaints within a window turn it back: `[[rollout.triggers]]` with `metric = "complaints"`.
    Feedback(Feedback),
    /// Try again what was aborted or failed: another run for the same issue, with the same fix where production has the same base still.
    ///
    /// It never happens by itself. Where the release had to be taken back, a person is asked before it goes to production again. Another
    /// fix is looked for by `autodevops run --issue FINGERPRINT`.
    Retry(Sequence),
    /// Undo in git what a run changed, or a release that was deployed: on a branch of its own, `autodevops/revert-…`, for you to merge.
    ///
    /// Your checkout is not touched. Where a release is taken back whose change was merged, this happens by itself, unless `[rollout]
    /// revert` is "off".
    Revert(Sequence),
    /// Go back to the release before, or to a named one, in seconds.
    ///
    /// A release that was gone back from is none to go back to, unless it is named. By itself the host goes back up to the end of a run's
    /// monitoring; within `[rollout] rollback-window` of that, or of a deploy, this command is enough. Later it takes `--now`: others may rely
    /// on the release by then. Where a run stays, since the release before does not serve itself, `--to` has another one serve.
    Rollback(Rollback),
    /// Snapshots of production's data, such as its database: list them, take one, see whether they are whole, go back to one.
    ///
    /// Plugins that [stages] `state-guards` names keep them; runs and `autodevops deploy` take one before each release.
    State {
        #[command(subcommand)]
        verb: StateVerb,
    },
    /// Explain how counts are judged: pass, fail or inconclusive, by which rule and with which numbers. Needs no configuration:
    /// `autodevops verdict --threshold "5 %" 7/120`.
    Verdict(VerdictOptions),
    /// What rollouts of this project are worth.
    Rollout {
        #[command(subcommand)]
        verb: RolloutVerb,
    },
    /// The local target's front door: the process that serves.
    Edge {
        #[command(subcommand)]
        verb: EdgeVerb,
    },
    /// Look at plugins and call them.
    Plugin {
        #[command(subcommand)]
        verb: PluginVerb,
    },
    /// Serve one release on a Unix socket. Started by the front door, not by hand.
    #[command(hide = true)]
    Worker(Worker),
    /// Compile the component on standard input. Started by this program, not by hand.
    #[command(hide = true, name = compile::VERB)]
    CompileComponent,
    /// Remove what is old and that nothing needs, in the state folder and in the journal, and snapshots of data; tell what is freed.
    ///
    /// By age, as `[retention]` says: `artifacts` of releases; dependencies that were `prepared`; `snapshots` of the data, which the state
    /// guards delete; events of runs that are over, where `journal` is set; and what `complaints` said, and whose they were. Working trees
    /// go once their runs are over. What is live, what can be gone back to, the newest snapshot of each environment and what runs that are
    /// not over have to do with stays.
    Gc {
        /// Only tell what would be removed.
        #[arg(long)]
        dry_run: bool,
    },
    /// Check what this machine and this project have, and say what to do where something is missing.
    Doctor,
    /// Write the JSON schema of `autodevops.toml` to standard output, for editors.
    Schema,
    /// Write a completion script for a shell to standard output.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}
#[derive(Args)]
pub struct Init {
    /// The folder of the project.
    #[arg(default_value = ".")]
    pub folder: PathBuf,
    /// Replace a configuration that is there.
    #[arg(long)]
    pub force: bool,
}

#[derive(Args)]
pub struct Deploy {
    /// Where to: an environment's name. Without it, staging and then production.
    #[arg(long = "to", value_name = "ENVIRONMENT")]
    pub environments: Vec<String>,
}

#[derive(Args)]
pub struct RunOptions {
    /// The issue to heal, by its fingerprint or the beginning of it, whatever was done about it before.
    #[arg(long, value_name = "FINGERPRINT")]
    pub issue: Option<String>,
    /// Do not wait for a person: end with exit code 4 where one is needed, and go on with the next `autodevops run`.
    #[arg(long)]
    pub no_wait: bool,
}

#[derive(Args)]
pub struct Runs {
    /// Show at most so many; 0 shows all.
    #[arg(long, default_value_t = 20)]
    pub top: usize,
}

#[derive(Args)]
pub struct Metrics {
    /// Show only this service.
    #[arg(long, value_name = "NAME")]
    pub service: Option<String>,
    /// Show only this environment, such as `production`.
    #[arg(long, value_name = "NAME")]
    pub environment: Option<String>,
    /// From when on: `2026-11-20`, `2026-11-20T10:00:00Z`, or how long ago, such as `30d`. From the first deploy, when absent.
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Up to when; now, when absent.
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Write all of it as OpenMetrics text, which Prometheus reads, for example through a file of its node exporter.
    #[arg(long, conflicts_with_all = ["service", "environment", "since", "until"])]
    pub prometheus: bool,
}

#[derive(Args)]
pub struct Audit {
    /// The run's name, or the beginning of it.
    pub run: Option<String>,
    /// Show every record, a line each.
    #[arg(long)]
    pub all: bool,
    /// Show only what was denied.
    #[arg(long)]
    pub denied: bool,
    /// Show only one stage: of the run, such as `rollout`, or that a plugin was called as, such as `health-check`.
    #[arg(long)]
    pub stage: Option<String>,
    /// Show only one plugin.
    #[arg(long)]
    pub plugin: Option<String>,
    /// Verify that no record, and no event that one points to, was changed or removed; says where the first one was.
    #[arg(long, conflicts_with_all = ["run", "all", "denied", "stage", "plugin", "head"])]
    pub verify: bool,
    /// With --verify: the head that was noted elsewhere before; what is on record must go on from it.
    #[arg(long, value_name = "HEAD", requires = "verify")]
    pub expect: Option<String>,
    /// Show the head of all that is on record, to be noted where nobody of this machine can change it.
    #[arg(long, conflicts_with_all = ["run", "all", "denied", "stage", "plugin"])]
    pub head: bool,
}

#[derive(Args)]
pub struct Replay {
    /// The run's name, or the beginning of it; `watch` for the analyzer's last sessions.
    pub run: String,
    /// Only the calls of this stage, such as `check`.
    pub stage: Option<String>,
    /// Only the calls of this plugin.
    #[arg(long, value_name = "NAME")]
    pub plugin: Option<String>,
    /// Run this component instead of the recorded one: a file, or a plugin's folder.
    #[arg(long, value_name = "WASM")]
    pub with: Option<PathBuf>,
    /// Write the recordings to this folder instead, each a file for `autodevops plugin test`.
    #[arg(long, value_name = "DIR", conflicts_with = "with")]
    pub export: Option<PathBuf>,
}

#[derive(Subcommand)]
pub enum StateVerb {
    /// List the snapshots, oldest first.
    List {
        /// The environment; production, when absent.
        environment: Option<String>,
    },
    /// Take a snapshot now, and see whether it is whole.
    Snapshot {
        /// The environment; production, when absent.
        environment: Option<String>,
    },
    /// See whether a snapshot, or each of them, is whole, and whether the data was written to since that one or the newest. Ends with 1
    /// where one is not whole, or where there is none and `[data] preserve` asks for one.
    Verify {
        /// The snapshot's name, or the beginning of it; all, when absent.
        snapshot: Option<String>,
        /// The environment; production, when absent.
        #[arg(long, value_name = "NAME")]
        environment: Option<String>,
    },
    /// Go back to a snapshot: what was written since is lost to the service. What is there now is kept in a snapshot of its own.
    ///
    /// The release that serves goes on serving: readers find all of the old data or all of the new. What it holds in its memory is its own
    /// affair; restart it where it holds much.
    Restore {
        /// The snapshot's name, or the beginning of it.
        snapshot: String,
        /// The environment; production, when absent.
        #[arg(long, value_name = "NAME")]
        environment: Option<String>,
        /// Ask nothing, whatever was written since. Without it, and without a terminal to ask on, nothing is done where anything was.
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Subcommand)]
pub enum EdgeVerb {
    /// Serve in this process, until it is stopped.
    Serve {
        /// Let go of the terminal.
        #[arg(long, hide = true)]
        detach: bool,
        /// Take over from the one that serves.
        #[arg(long, hide = true)]
        take_over: bool,
    },
    /// Start the front door as a process of its own.
    Start,
    /// Replace the front door by one of this program, with the configuration as it is now. No request fails for it: the new
    /// one has its releases ready and takes the sockets over, and the old one ends what it is answering.
    Upgrade,
    /// End the front door and its releases: nothing serves any more, until it is started again or something is deployed.
    Stop,
    /// Say what serves.
    Status,
}

#[derive(Args)]
pub struct Analyze {
    /// Log files, also compressed ones (gzip, zstd); `-` is standard input. With --watch also patterns, such as '/var/log/shop/*.log'.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The analyzer: a plugin's name, or a path to its folder.
    #[arg(long, default_value = "log-analyzer")]
    pub plugin: String,
    /// Leave out issues that matter less: info, warning, error or critical.
    #[arg(long, value_name = "SEVERITY")]
    pub min_severity: Option<String>,
    /// Read only lines from then on: `2026-11-25T17:54:34Z`, `2026-11-25 17:54` (UTC where no zone is named, as in the logs),
    /// `2026-11-25`, or `2h ago`. A line without a time is of that of the line before; without a date there is no telling.
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Read only lines up to then.
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Folder in which minified scripts and their source maps lie, such as `dist`: stack frames are told by the files, lines and functions
    /// that they were written as.
    #[arg(long, value_name = "DIR", conflicts_with = "groups")]
    pub source_maps: Option<PathBuf>,
    /// Show all that is known of one issue, by its fingerprint or the beginning of it.
    #[arg(long, value_name = "FINGERPRINT", conflicts_with_all = ["min_severity", "top"])]
    pub explain: Option<String>,
    /// Show at most so many issues; 0 shows all. Without it, 20 in the text for people, and all in other formats.
    #[arg(long)]
    pub top: Option<usize>,
    /// Print `line,group,template` as CSV for each line of the file instead: lines that differ by values alone are of one
    /// group, and the template has `<*>` for each value.
    #[arg(long, conflicts_with_all = ["min_severity", "top", "since", "until", "explain"])]
    pub groups: bool,
    /// Go on as the files grow, are rotated, truncated and new, until interrupted: shows the list whenever it is another, in the same
    /// place on a terminal, and with --format json in a line of its own.
    #[arg(long, conflicts_with_all = ["groups", "explain"])]
    pub watch: bool,
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

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    /// What `--help` says of a verb, as one line.
    fn help(verb: &str) -> String {
        let mut all = Arguments::command();
        let help = all.find_subcommand_mut(verb).unwrap().render_long_help().to_string();
        help.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_help_of_reject_says_what_becomes_of_the_traffic_and_of_the_data() {
        let help = help("reject");
        assert!(help.contains("traffic that it moved goes back. Asked about data, the data stays as it is."), "{help}");
    }

    #[test]
    fn the_help_of_gc_names_every_key_that_says_what_it_removes() {
        let (help, schema) = (help("gc"), autodevops_config::schema());
        let keys = schema.pointer("/definitions/RetentionRules/properties").unwrap().as_object().unwrap();
        assert!(!keys.is_empty());
        for key in keys.keys() {
            assert!(help.contains(&format!("`{key}`")), "{key} is not in: {help}");
        }
        assert!(help.contains("Working trees"), "{help}");
    }

    #[test]
    fn the_projects_configuration_and_a_plugins_values_are_told_apart() {
        let line = "autodevops plugin call p --config other.toml --set max-lines=100 --set name=x";
        let arguments = Arguments::try_parse_from(line.split(' ')).unwrap();
        assert_eq!(arguments.config, Some(PathBuf::from("other.toml")));
        let Verb::Plugin { verb: PluginVerb::Call(call) } = arguments.verb else { panic!("another verb") };
        assert_eq!(call.set, ["max-lines=100", "name=x"]);
    }
}
