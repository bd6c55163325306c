//! Why an input is not taken.

use crate::{Outcome, Run};

/// Why an input is not taken. Nothing is recorded then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say what the fields are")]
pub enum Refused {
    #[error("run `{run}` is over ({outcome}), see `autodevops show {run}`; {way}")]
    Finished { run: String, outcome: String, way: String },
    #[error("run `{run}` is ending already ({outcome}); {way}")]
    Ending { run: String, outcome: String, way: String },
    #[error("run `{run}` is in stage `{stage}` and awaits no `{input}`; ask it for its commands")]
    OutOfPlace { run: String, stage: &'static str, input: &'static str },
    #[error("run `{run}` has nothing under the key `{key}` to be done now; ask it for its commands")]
    UnknownKey { run: String, key: String },
    #[error("effect `{key}` of run `{run}` was not intended; record the intent before it is tried")]
    NotIntended { run: String, key: String },
    #[error("run `{run}` waits for nobody's approval; it is in stage `{stage}`")]
    NothingToApprove { run: String, stage: &'static str },
    #[error("`{by}` may not answer for `{service}`; ask one of: {approvers}")]
    NotApprover { by: String, service: String, approvers: String },
    #[error("`{by}` may not approve for `{service}`: {why}; ask someone else")]
    MayNotApprove { by: String, service: String, why: &'static str },
    #[error("this link was used already; nothing was changed: see `autodevops show {run}`")]
    LinkUsed { run: String },
    #[error(
        "this link answers another question of run `{run}` than the one that is open; nothing was changed: see `autodevops show {run}`"
    )]
    LinkOfAnother { run: String },
    #[error(
        "question {question} of run `{run}` is not the one that is open; that is question {open}: {reason}; answer it with `--question {open}`"
    )]
    AnotherQuestion { run: String, question: u32, open: u32, reason: String },
    #[error("run `{run}` is on hold by {by} already; resume it with `autodevops resume {run}`")]
    HeldAlready { run: String, by: String },
    #[error("run `{run}` is on hold by {by}, and goes nowhere until it is resumed: `autodevops resume {run}`")]
    OnHold { run: String, by: String },
    #[error("run `{run}` is not on hold; nothing is to be resumed")]
    NotOnHold { run: String },
    #[error("run `{run}` watches no step now, it is in stage `{stage}`; see `autodevops show {run}`")]
    NoStep { run: String, stage: &'static str },
    #[error("run `{run}` waits for a person: {reason}; approve or reject that, it cannot be skipped")]
    GateOpen { run: String, reason: String },
    #[error("the last measurement speaks against the release ({words}); wait for the next, or abort")]
    NotNow { words: String },
    #[error(
        "run `{run}` has no part of production's traffic that could grow, it is in stage `{stage}`; see `autodevops show {run}`"
    )]
    NothingToRollForward { run: String, stage: &'static str },
    #[error("to go forward past the steps needs a reason; give one")]
    RollForwardWithoutReason,
    #[error("to skip a step needs a reason; give one")]
    SkipWithoutReason,
    #[error("a step cannot be made longer by nothing; say by how much, such as 10m")]
    NoSpan,
    #[error("run `{run}` asks for nobody now; there is nothing to acknowledge")]
    NothingToAcknowledge { run: String },
    #[error("`{by}` has it in hand already")]
    AlreadyAcknowledged { by: String },
    #[error("`{by}` has agreed already; {missing} more must")]
    AlreadyApproved { by: String, missing: u32 },
    #[error(
        "the time to answer ran out, and what follows from that is under way; nothing was changed: see `autodevops show {run}`"
    )]
    Expired { run: String },
    #[error(
        "the emergency bypass is off for `{service}`; get {count} approvals, or have `emergency-bypass = true` in [approval] before the next run"
    )]
    BypassOff { service: String, count: u32 },
    #[error("the emergency bypass needs a reason; give one")]
    BypassWithoutReason,
    #[error("run `{run}` has moved no traffic of production, there is nothing to take back; abort it instead")]
    NothingToRollBack { run: String },
    #[error("fence {fence} is not above the run's own {current}; take a new one from the journal")]
    StaleFence { fence: u64, current: u64 },
}

impl Refused {
    /// The run ended so: with what a person who wants it otherwise can do.
    pub fn finished(run: &Run, outcome: &Outcome) -> Self {
        let id = run.id();
        let way = match outcome {
            Outcome::Healed => {
                format!("what it released is taken back with `autodevops rollback {}`", run.plan().production)
            }
            Outcome::RolledBack { .. } | Outcome::Aborted { .. } | Outcome::HandedOver { .. } => {
                format!("`autodevops retry {id} --reason …` tries again")
            }
        };
        Self::Finished { run: id.to_owned(), outcome: outcome.to_string(), way }
    }

    /// Whether what was said lacks something, however the run stands: the same again would be refused the same.
    pub const fn is_misuse(&self) -> bool {
        matches!(
            self,
            Self::RollForwardWithoutReason | Self::SkipWithoutReason | Self::BypassWithoutReason | Self::NoSpan
        )
    }

    /// The run ends so already: with what a person can do about that now.
    pub fn ending(run: &Run, outcome: &Outcome) -> Self {
        Self::Ending { run: run.id().to_owned(), outcome: outcome.to_string(), way: run.way_to_end() }
    }
}
