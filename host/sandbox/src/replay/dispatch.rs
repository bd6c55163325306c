//! Calls a plugin's function with arguments that were recorded.

use autodevops_model::{CheckInput, Fix, Issue, Notification, Release, Split, Stage, Window};

use super::player::Function;
use crate::{
    call::{CallContext, json},
    failure::CallError,
    plugin::Plugin,
    session::{AnalyzerSession, checkpoint_digest},
};

/// Why a function was not called, or what came of it.
pub enum Called {
    /// What it gave: JSON.
    Output(String),
    /// It failed.
    Failed(CallError),
    /// What was recorded is not what the function takes.
    Unfit(String),
}

impl From<Result<String, CallError>> for Called {
    fn from(result: Result<String, CallError>) -> Self {
        result.map_or_else(Self::Failed, Self::Output)
    }
}

/// Calls a function of a stage once, with its recorded arguments: a list in JSON.
pub async fn call(plugin: &Plugin, context: &CallContext, stage: Stage, function: &Function) -> Called {
    macro_rules! call {
        ($name:ident($($argument:ident: $type:ty),*) with ($($pass:expr),*)) => {{
            let parsed: Result<($($type,)*), _> = serde_json::from_str(&function.input);
            let ($($argument,)*) = match parsed {
                Ok(arguments) => arguments,
                Err(error) => return unfit(function, &error),
            };
            plugin.$name(context $(, $pass)*).await.map(|value| json(&value)).into()
        }};
    }
    match (stage, function.name.as_str()) {
        (Stage::FixGenerator, "propose") => call!(propose(issue: Issue) with (issue)),
        (Stage::TestGenerator, "generate_tests") => {
            call!(generate_tests(issue: Issue, fix: Fix) with (issue, fix))
        }
        (Stage::Check, "check") => call!(check(input: CheckInput) with (input)),
        (Stage::DeployTarget, "describe") => call!(describe() with ()),
        (Stage::DeployTarget, "deploy") => {
            call!(deploy(environment: String, key: String, fence: u64, release: Release)
                with (&environment, &key, fence, release))
        }
        (Stage::DeployTarget, "set_traffic") => {
            call!(set_traffic(environment: String, key: String, fence: u64, splits: Vec<Split>)
                with (&environment, &key, fence, splits))
        }
        (Stage::DeployTarget, "live") => call!(live(environment: String) with (&environment)),
        (Stage::DeployTarget, "find") => call!(find(environment: String, key: String) with (&environment, &key)),
        (Stage::HealthCheck, "measure") => {
            call!(measure(candidate: String, baseline: Option<String>, window: Window)
                with (&candidate, baseline.as_deref(), window))
        }
        (Stage::Notifier, "notify") => call!(notify(key: String, event: Notification) with (&key, event)),
        (Stage::StateGuard, "snapshot") => {
            call!(snapshot(environment: String, key: String) with (&environment, &key))
        }
        (Stage::StateGuard, "verify") => call!(verify(environment: String, id: String) with (&environment, &id)),
        (Stage::StateGuard, "changed") => call!(changed(environment: String, id: String) with (&environment, &id)),
        (Stage::StateGuard, "restore") => {
            call!(restore(environment: String, key: String, fence: u64, id: String) with (&environment, &key, fence, &id))
        }
        (Stage::StateGuard, "snapshots") => call!(snapshots(environment: String) with (&environment)),
        (Stage::StateGuard, "forget") => call!(forget(environment: String, id: String) with (&environment, &id)),
        (stage, name) => Called::Unfit(format!("the stage `{stage}` has no function `{name}`")),
    }
}

/// Calls a function of an analyzer's session, which the first opens.
pub async fn call_session(
    plugin: &Plugin,
    context: &CallContext,
    session: &mut Option<AnalyzerSession>,
    function: &Function,
) -> Called {
    match (session, function.name.as_str()) {
        (session @ None, "session") => {
            let restored: Result<(bool,), _> = serde_json::from_str(&function.input);
            let checkpoint = match restored {
                Ok((restored,)) => restored.then_some(function.bytes.as_slice()),
                Err(error) => return unfit(function, &error),
            };
            let opened = plugin.analyze(context, checkpoint).await;
            opened.map(|opened| *session = Some(opened)).map(|()| json(&())).into()
        }
        (Some(session), "push") => {
            let source: Result<(String,), _> = serde_json::from_str(&function.input);
            match source {
                Ok((source,)) => session.push(&source, &function.bytes).await.map(|()| json(&())).into(),
                Err(error) => unfit(function, &error),
            }
        }
        (Some(session), "push-grouped") => {
            let source: Result<(String,), _> = serde_json::from_str(&function.input);
            match source {
                Ok((source,)) => session.push_grouped(&source, &function.bytes).await.map(|told| json(&told)).into(),
                Err(error) => unfit(function, &error),
            }
        }
        (Some(session), "groups") => session.groups().await.map(|groups| json(&groups)).into(),
        (Some(session), "issues") => session.issues().await.map(|issues| json(&issues)).into(),
        (Some(session), "checkpoint") => session.checkpoint().await.map(|bytes| checkpoint_digest(&bytes)).into(),
        (Some(session), "join") => session.join(&function.bytes).await.map(|()| json(&())).into(),
        (_, name) => Called::Unfit(format!("a session has no function `{name}` at this point")),
    }
}

fn unfit(function: &Function, error: &serde_json::Error) -> Called {
    Called::Unfit(format!("the recorded arguments of `{}` do not fit: {error}", function.name))
}
