//! What is said over the socket: one JSON value a line, a request and its reply.

use autodevops_orchestrator::by_hand::MadeLive;
use serde::{Deserialize, Serialize};

/// The longest line that is read, in bytes.
pub const MAX_LINE_BYTES: u64 = 64 << 10;

/// What can be asked of the process that drives the runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// Whether it is there.
    Ping,
    /// Let the run go on.
    Approve {
        /// The run.
        run: String,
        /// Why.
        reason: String,
        /// Whether one approver stands for all, in an emergency.
        bypass: bool,
    },
    /// Refuse what the run asks for.
    Reject {
        /// The run.
        run: String,
        /// Why.
        reason: String,
    },
    /// End the run; traffic that it moved returns first.
    Abort {
        /// The run.
        run: String,
        /// Why.
        reason: String,
    },
    /// Deploy what is checked in, by hand.
    Deploy {
        /// The environments, in this order.
        environments: Vec<String>,
    },
    /// Go back to the release before, or to a named one.
    Rollback {
        /// The environment.
        environment: String,
        /// The release; absent, the one before.
        to: Option<String>,
        /// Why.
        reason: String,
    },
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// It is done, or under way: what, in words.
    Done(String),
    /// What was deployed.
    Deployed(Vec<MadeLive>),
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
        let request = Request::Abort { run: "r".into(), reason: "no".into() };
        let text = serde_json::to_string(&request).unwrap();
        assert_eq!(text, r#"{"verb":"abort","run":"r","reason":"no"}"#);
        assert_eq!(serde_json::from_str::<Request>(&text).unwrap(), request);
        assert!(serde_json::from_str::<Request>(r#"{"verb":"abort","run":"r","reason":"","x":1}"#).is_err());
    }
}
