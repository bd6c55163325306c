//! One try to bring a release to an environment.

use std::time::Duration;

use autodevops_pipeline::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Seen;

/// Who brought a release to an environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// A run, by its name.
    Run(String),
    /// A person, by the name of their user.
    Person(String),
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// The release serves on.
    Kept,
    /// It had traffic, and lost it.
    RolledBack,
    /// It never had traffic.
    Stopped,
}

impl Ending {
    /// The ending's name, as in its JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::RolledBack => "rolled-back",
            Self::Stopped => "stopped",
        }
    }
}

/// One try to bring a release to an environment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Attempt {
    /// The service.
    pub service: String,
    /// The environment, as the operator calls it.
    pub environment: String,
    /// Whether the environment serves people: production, not staging.
    pub production: bool,
    /// Who made it.
    pub by: By,
    /// The release, once there was one.
    pub release: Option<String>,
    /// When it began: with its run, or with the person's word.
    pub began: Timestamp,
    /// When the change was committed, where that is known.
    pub committed: Option<Timestamp>,
    /// When the release first had traffic.
    pub exposed: Option<Timestamp>,
    /// When it first had all of the traffic.
    pub served: Option<Timestamp>,
    /// When the release before served again.
    pub restored: Option<Timestamp>,
    /// When it ended; absent while it is under way.
    pub ended: Option<Timestamp>,
    /// How it ended; absent while it is under way.
    pub ending: Option<Ending>,
    /// How long a person was waited for until the release served, or until the end where it never did.
    pub waited: Duration,
    /// Since when the fault that it answers was seen; absent for a person's deploy.
    pub fault_since: Option<Timestamp>,
    /// What the release before was seen to do beside it.
    pub stable: Seen,
    /// What the release was seen to do while it had a part of the traffic.
    pub shared: Seen,
    /// What the release was seen to do with all of the traffic.
    pub alone: Seen,
}

impl Attempt {
    /// One that begins, and of which nothing is known yet.
    pub fn begun(service: &str, environment: &str, production: bool, by: By, at: Timestamp) -> Self {
        Self {
            service: service.to_owned(),
            environment: environment.to_owned(),
            production,
            by,
            release: None,
            began: at,
            committed: None,
            exposed: None,
            served: None,
            restored: None,
            ended: None,
            ending: None,
            waited: Duration::ZERO,
            fault_since: None,
            stable: Seen::default(),
            shared: Seen::default(),
            alone: Seen::default(),
        }
    }

    /// Where it stands in time: at its end, or at its beginning while it is under way.
    pub fn at(&self) -> Timestamp {
        self.ended.unwrap_or(self.began)
    }

    /// From its beginning to serving, waiting apart; none where it never served.
    pub fn active(&self) -> Option<Duration> {
        Some(between(self.began, self.served?).saturating_sub(self.waited))
    }
}

/// A release that a person took back after its attempt had ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TakenBack {
    /// The service.
    pub service: String,
    /// The environment, as the operator calls it.
    pub environment: String,
    /// The release that had served.
    pub release: String,
    /// The person.
    pub by: String,
    /// When the other release served.
    pub at: Timestamp,
}

/// What is kept of the past.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Entry {
    /// An attempt.
    Attempt(Box<Attempt>),
    /// What became of one later.
    TakenBack(TakenBack),
}

/// The attempts among the entries, oldest first; one that was kept and that a person took back later counts as rolled back.
pub fn settled(entries: impl IntoIterator<Item = Entry>) -> Vec<Attempt> {
    let (mut attempts, mut taken_back) = (Vec::new(), Vec::new());
    for entry in entries {
        match entry {
            Entry::Attempt(attempt) => attempts.push(*attempt),
            Entry::TakenBack(taken) => taken_back.push(taken),
        }
    }
    attempts.sort_by_key(|attempt: &Attempt| (attempt.at(), attempt.began));
    taken_back.sort_by_key(|taken| taken.at);
    for taken in &taken_back {
        let of = |attempt: &&mut Attempt| {
            attempt.service == taken.service
                && attempt.environment == taken.environment
                && attempt.release.as_ref() == Some(&taken.release)
                && attempt.ending == Some(Ending::Kept)
                && attempt.ended.is_some_and(|ended| ended <= taken.at)
        };
        if let Some(attempt) = attempts.iter_mut().rev().find(of) {
            attempt.ending = Some(Ending::RolledBack);
            attempt.restored = Some(taken.at);
        }
    }
    attempts
}

impl Attempt {
    /// Whether it was kept, and a person took its release back once it was over.
    pub(crate) fn was_taken_back(&self) -> bool {
        self.ending == Some(Ending::RolledBack) && self.restored > self.ended
    }
}

/// The time from one moment to a later one; none where it is not later.
pub(crate) fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::from_nanos(u64::try_from(to.0.saturating_sub(from.0)).unwrap_or(0))
}
