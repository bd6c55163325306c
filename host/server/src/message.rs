//! What is said to the runs, and over the socket: one JSON value a line, a request and its reply.

use std::time::Duration;

use autodevops_orchestrator::{by_hand::MadeLive, feedback::Complaint, gc::Freed};
use autodevops_pipeline::{Input, Link};
use serde::{Deserialize, Serialize};

/// The longest line that is read, in bytes.
pub const MAX_LINE_BYTES: u64 = 64 << 10;

/// What can be asked of the process that drives the runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// Whether it is there.
    Ping,
    /// Say something to a run.
    Say {
        /// The run, or the beginning of its name.
        run: String,
        /// What.
        word: Word,
        /// Why; it is recorded.
        reason: String,
        /// Which of the run's questions it answers; absent, the one that is open.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        question: Option<u32>,
    },
    /// Deploy what is checked in, by hand.
    Deploy {
        /// The environments, in this order.
        environments: Vec<String>,
    },
    /// Remove what is not needed any more.
    Gc,
    /// Take a snapshot of an environment's data.
    Snapshot {
        /// The environment.
        environment: String,
    },
    /// Have an environment's data go back to a snapshot.
    Restore {
        /// The environment.
        environment: String,
        /// The snapshot, or the beginning of its name.
        snapshot: String,
        /// Whether what was written since may be lost to the service; where not, nothing is done if anything was.
        #[serde(default)]
        overwrite: bool,
    },
    /// Take in a complaint of one who uses the service.
    Feedback(Complaint),
    /// Do what is left to do about a run that is over.
    After {
        /// The run, or the beginning of its name; or, to revert it, a release.
        run: String,
        /// What.
        sequel: Sequel,
        /// Why; it is recorded.
        reason: String,
    },
    /// Go back to the release before, or to a named one.
    Rollback {
        /// The environment.
        environment: String,
        /// The release; absent, the one before.
        to: Option<String>,
        /// Whether to go back at once though the rollback window is over.
        now: bool,
        /// Why.
        reason: String,
    },
}

/// What people can have done about a run that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sequel {
    /// Try it again: another run for the same issue.
    Retry,
    /// Undo its change in git, on a branch; of a release, too.
    Revert,
}

/// What people can say to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub enum Word {
    /// Let it go on, where it asks for that.
    Approve {
        /// Whether one approver stands for all, in an emergency.
        bypass: bool,
    },
    /// Refuse what it asks for.
    Reject,
    /// Hold it where it is.
    Hold,
    /// Let it go on, where someone held it.
    Resume,
    /// Pass the step that is watched.
    Skip,
    /// Watch the step for longer.
    Extend {
        /// By how many seconds; absent, by as long as the step was meant to be.
        seconds: Option<u64>,
    },
    /// Give its release all of production's traffic at once.
    RollForward,
    /// Take its release back, once it moved production's traffic.
    Rollback,
    /// End it; traffic that it moved returns first.
    Abort,
    /// Have it in hand: nobody further is told.
    Ack,
}

/// What someone says to a run.
#[derive(Clone, Debug)]
pub struct Said {
    /// Who.
    pub by: String,
    /// To which run; the beginning of its name suffices.
    pub run: String,
    /// What.
    pub word: Word,
    /// Why.
    pub reason: String,
    /// The one-time link that they came by.
    pub link: Option<Link>,
    /// Which of the run's questions they answer; where absent, the one that is open.
    pub question: Option<u32>,
}

impl Said {
    /// As the run takes it.
    pub fn into_input(self) -> Input {
        let Self { by, reason, link, word, question, .. } = self;
        let word = match word {
            Word::Approve { bypass } => Input::Approve { by, reason, bypass, link },
            Word::Reject => Input::Reject { by, reason, link },
            Word::Hold => Input::Hold { by, reason },
            Word::Resume => Input::EndHold { by, reason },
            Word::Skip => Input::Skip { by, reason },
            Word::Extend { seconds } => Input::Extend { by, reason, span: seconds.map(Duration::from_secs) },
            Word::RollForward => Input::RollForward { by, reason },
            Word::Rollback => Input::Rollback { by, reason },
            Word::Abort => Input::Abort { by, reason },
            Word::Ack => Input::Acknowledge { by, reason, link },
        };
        match question {
            Some(question) => Input::Answer { question, word: Box::new(word) },
            None => word,
        }
    }
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// It is done, or under way: what, in words.
    Done(String),
    /// What was deployed.
    Deployed(Vec<MadeLive>),
    /// What was removed.
    Freed(Vec<Freed>),
    /// What was removed before something could not be.
    FreedUntil {
        /// What was removed.
        freed: Vec<Freed>,
        /// What could not be, and why.
        why: String,
    },
    /// It is not taken: why, and what to do.
    Refused(String),
    /// What was asked for cannot be meant: a run that is not there, say.
    Misused(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_have_one_form_and_no_unknown_keys() {
        for (word, json) in [
            (Word::Abort, r#""abort""#),
            (Word::Approve { bypass: true }, r#"{"approve":{"bypass":true}}"#),
            (Word::Extend { seconds: None }, r#"{"extend":{"seconds":null}}"#),
        ] {
            let request = Request::Say { run: "r".into(), word, reason: "no".into(), question: None };
            let text = serde_json::to_string(&request).unwrap();
            assert_eq!(text, format!(r#"{{"verb":"say","run":"r","word":{json},"reason":"no"}}"#));
            assert_eq!(serde_json::from_str::<Request>(&text).unwrap(), request);
        }
        let strange = r#"{"verb":"say","run":"r","word":"abort","reason":"","x":1}"#;
        assert!(serde_json::from_str::<Request>(strange).is_err());
    }
}
