//! How verdicts and rollouts are explained.

use std::path::PathBuf;

use autodevops_policy::Percent;
use clap::{Args, Subcommand};

use crate::{rollout::PerSecond, verdict::Counts};

#[derive(Args)]
pub struct VerdictOptions {
    /// What was seen of the candidate: how many of how many, such as `7/120`.
    #[arg(value_name = "EVENTS/TOTAL", required_unless_present = "values", conflicts_with = "values")]
    pub seen: Option<Counts>,
    /// The metric; `error-rate` when absent, and `latency` with --values.
    #[arg(long, value_name = "NAME")]
    pub metric: Option<String>,
    /// For `wilson` and `sprt`: the share that it must not be above, such as `5 %`.
    #[arg(long, value_name = "SHARE", allow_hyphen_values = true)]
    pub threshold: Option<Percent>,
    /// What was seen of the baseline, such as `3/1000`.
    #[arg(long, value_name = "EVENTS/TOTAL")]
    pub baseline: Option<Counts>,
    /// How many times more the candidate's errors vary than independent ones, as `show` has it where they come in clumps by client.
    #[arg(long, value_name = "FACTOR", conflicts_with = "values")]
    pub design_effect: Option<f64>,
    /// The same of the baseline's.
    #[arg(long, value_name = "FACTOR", requires = "baseline")]
    pub baseline_design_effect: Option<f64>,
    /// How it is judged. Of what is decided at once by a hard trip, or for want of requests not at all, that is shown instead.
    #[arg(long, value_enum, default_value_t)]
    pub rule: VerdictRule,
    /// For `two-proportions` and `mann-whitney`: how much worse than the baseline is allowed; 20 % when absent.
    #[arg(long, value_name = "SHARE")]
    pub worse_by: Option<Percent>,
    /// A file with the candidate's latencies in seconds, one a line, for `mann-whitney`.
    #[arg(long, value_name = "FILE", requires = "baseline_values", conflicts_with = "baseline")]
    pub values: Option<PathBuf>,
    /// The same of the baseline.
    #[arg(long, value_name = "FILE", requires = "values")]
    pub baseline_values: Option<PathBuf>,
    /// Fewer requests decide nothing.
    #[arg(long, value_name = "COUNT", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    pub min_samples: u64,
    /// For `sprt`: the chance that a whole rollout's tests turn a good release back; 0.2 % when absent.
    #[arg(long, value_name = "SHARE")]
    pub alpha: Option<Percent>,
    /// For `sprt`: the chance that a test takes a bad release for a good one; 5 % when absent.
    #[arg(long, value_name = "SHARE")]
    pub beta: Option<Percent>,
    /// For `sprt`: how many tests share `--alpha`. A rollout has one for each threshold and each step that is decided so, of each service: 4
    /// of one service by the defaults; `show` has the number with each. 1 when absent.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    pub tests: Option<u64>,
    /// End with 1 where it fails, and with 4 where it is inconclusive; without it, whatever the verdict, with 0.
    #[arg(long)]
    pub exit_code: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum VerdictRule {
    /// A share of so many requests against a threshold, by Wilson's bounds.
    #[default]
    Wilson,
    /// The same with as few requests as possible, by the sequential probability ratio test, as small steps are decided.
    Sprt,
    /// A share against the baseline's.
    TwoProportions,
    /// Latencies against the baseline's, by ranks.
    MannWhitney,
}

#[derive(Subcommand)]
pub enum RolloutVerb {
    /// Rehearse rollouts by this configuration: how long each step takes to decide with your traffic, how often that would be wrong,
    /// and how many requests fail before a rollback: so many people see an error at most. Nothing is deployed.
    Plan(RolloutPlan),
}

#[derive(Args)]
pub struct RolloutPlan {
    /// Requests to production, such as `10/s` or `600/min`; several are rehearsed one by one.
    #[arg(long, value_name = "RATE", default_values = ["1/s", "10/s", "100/s"], num_args = 1..)]
    pub traffic: Vec<PerSecond>,
    /// The true share of a rate of the candidate, as NAME=SHARE, such as `error-rate=10 %`; several are rehearsed one by one. Without
    /// it: a good release, and such as break the first threshold by 1.6 and by 2, 4 and 10 times.
    #[arg(long, value_name = "NAME=SHARE")]
    pub metric_rate: Vec<String>,
    /// How many times as long as the stable release's requests those of the candidate take.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
    pub slowness: f64,
    /// How many clients ask, each as often as the others, who stay with a release. Without it each request is of a client of its own.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub clients: Option<u32>,
    /// The share of the clients who see nothing but errors, whichever release answers them. It is part of the true rate of errors.
    #[arg(long, value_name = "SHARE", requires = "clients")]
    pub failing_clients: Option<Percent>,
    /// The share of the clients each of whose requests takes three seconds, whichever release answers them.
    #[arg(long, value_name = "SHARE", requires = "clients")]
    pub slow_clients: Option<Percent>,
    /// Rehearsals for each line of the table.
    #[arg(long, value_name = "COUNT", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub rehearsals: u32,
    /// Another seed makes other traffic; the same one makes the same table.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}
