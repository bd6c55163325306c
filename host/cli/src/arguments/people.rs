//! What people say to runs and of the service.

use autodevops_policy::Span;
use clap::Args;

#[derive(Args)]
pub struct Approve {
    /// The run's name, or the beginning of it.
    pub run: String,
    /// Why; it is recorded.
    #[arg(long, default_value = "")]
    pub reason: String,
    /// Stand for all approvers, in an emergency; needs a reason, and `emergency-bypass` in the configuration.
    #[arg(long)]
    pub bypass: bool,
    /// Answer this one of the run's questions alone, by the number that it was asked with; without it, the one that is open.
    #[arg(long, value_name = "NUMBER")]
    pub question: Option<u32>,
}

#[derive(Args)]
pub struct Reject {
    /// The run's name, or the beginning of it.
    pub run: String,
    /// Why; it is recorded.
    #[arg(long, default_value = "")]
    pub reason: String,
    /// Answer this one of the run's questions alone, by the number that it was asked with; without it, the one that is open.
    #[arg(long, value_name = "NUMBER")]
    pub question: Option<u32>,
}

#[derive(Args)]
pub struct Answer {
    /// The run's name, or the beginning of it.
    pub run: String,
    /// Why; it is recorded.
    #[arg(long, default_value = "")]
    pub reason: String,
}

#[derive(Args)]
pub struct Sequence {
    /// The run's name, or the beginning of it.
    pub run: String,
    /// Why; it is recorded.
    #[arg(long)]
    pub reason: String,
}

#[derive(Args)]
pub struct Extend {
    /// The run's name, or the beginning of it.
    pub run: String,
    /// By how long, such as `30m`; without it, by as long as the step was meant to be.
    #[arg(long, value_name = "SPAN")]
    pub by: Option<Span>,
    /// Why; it is recorded.
    #[arg(long, default_value = "")]
    pub reason: String,
}

#[derive(Args)]
pub struct Feedback {
    /// What is wrong, in their words.
    pub text: String,
    /// The service; the project's own, when absent.
    #[arg(long, value_name = "NAME")]
    pub service: Option<String>,
    /// Whose complaint it is: complaints of one person count as one.
    #[arg(long, value_name = "NAME")]
    pub from: Option<String>,
    /// The release that it is about, where that is known.
    #[arg(long, value_name = "RELEASE")]
    pub release: Option<String>,
    /// In its place: whom the front door knows them as, by the value of their cookie `autodevops-client` or of the `client-header`. It is
    /// about the release that answers them.
    #[arg(long, value_name = "CLIENT", conflicts_with = "release")]
    pub client: Option<String>,
}

#[derive(Args)]
pub struct Rollback {
    /// The environment, such as `production`.
    pub environment: String,
    /// The release to go back to; without it, the one that was live before. Needed to go further back within ten minutes.
    #[arg(long, value_name = "RELEASE")]
    pub to: Option<String>,
    /// Though the live release has served for longer than the rollback window.
    #[arg(long)]
    pub now: bool,
    /// Why; it is recorded.
    #[arg(long, default_value = "")]
    pub reason: String,
}
