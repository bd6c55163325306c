//! Replays a recording, and says whether the same came of it.

use std::sync::{Arc, Mutex};

use autodevops_model::Stage;

use super::{
    dispatch::{Called, call, call_session},
    format::{FailureKind, Outcome},
    player::{Order, Parted, Player},
    recording::Recording,
    tape::{Replayed, lock},
};
use crate::{
    call::{CallContext, outcome_of},
    engine::Sandbox,
    plugin::{LoadError, Plugin, digest_of},
    session::AnalyzerSession,
};

/// How what came of a replayed function compares with what was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Match {
    /// The same, bit for bit.
    Same,
    /// The recorded call was ended from outside, by its time for one: the same up to its last host call.
    SameSoFar,
    /// It asked the host for something else.
    Parted(Parted),
    /// It asked the same, and something else came of it.
    Differs,
    /// It cannot be replayed, for the reason.
    NotReplayable(String),
}

/// One function that was replayed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionReplay {
    /// The function.
    pub function: String,
    /// What came of it when it was recorded; none where the recording does not say.
    pub recorded: Option<Outcome>,
    /// What came of it now; none where it was not called.
    pub replayed: Option<Outcome>,
    /// Host calls that it made now.
    pub host_calls: u64,
    /// What the plugin wrote to standard error, where it failed.
    pub stderr: String,
    /// How the two compare.
    pub result: Match,
    /// Where a changed component first asked the host otherwise; its outcome may be the same all the same.
    pub strayed: Option<Parted>,
}

/// A recording that was replayed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    /// Digest of the component that ran.
    pub component: String,
    /// Its functions, in the order in which they were called: one, or those of a session.
    pub functions: Vec<FunctionReplay>,
}

impl Replay {
    /// Compares with what is expected from now on, instead of what was recorded.
    pub fn expect(&mut self, expected: &[Outcome]) {
        for (index, function) in self.functions.iter_mut().enumerate() {
            let (Some(replayed), Some(expected)) = (&function.replayed, expected.get(index)) else { continue };
            function.result = if replayed == expected { Match::Same } else { Match::Differs };
            function.recorded = Some(expected.clone());
        }
    }

    /// Whether all came out as recorded.
    pub fn is_same(&self) -> bool {
        self.functions.iter().all(|function| matches!(function.result, Match::Same | Match::SameSoFar))
    }
}

impl Recording {
    /// Replays the recording with this component: the one that was recorded, in strict order, or a changed one, whose host calls are
    /// answered by what they ask for. Nothing outside of the recording is reached.
    ///
    /// # Errors
    /// [`LoadError`] when the component is none, or does not have the stage.
    pub async fn replay(&self, sandbox: &Sandbox, component: &[u8]) -> Result<Replay, LoadError> {
        let is_it = *digest_of(component) == *self.header.component;
        self.replay_in(if is_it { Order::Strict } else { Order::Matching }, sandbox, component).await
    }

    /// The same, in an order.
    ///
    /// # Errors
    /// As [`Self::replay`].
    pub async fn replay_in(&self, order: Order, sandbox: &Sandbox, component: &[u8]) -> Result<Replay, LoadError> {
        let digest = digest_of(component).to_string();
        if let Some((bytes, limit)) = self.outgrown() {
            let reason = format!(
                "it has {bytes} bytes of host calls and may have {limit}; raise `per-call` or `per-run` in [recording]"
            );
            let recorded = self.functions().last().and_then(|last| last.outcome.clone());
            return Ok(Replay { component: digest, functions: vec![self.not_called(recorded, reason)] });
        }
        let plugin = Plugin::load_recorded(sandbox, &self.header, component)?;
        if !plugin.stages().contains(&self.header.stage) {
            let (name, exports) = (self.header.plugin.clone(), plugin.stages().to_vec());
            return Err(LoadError::Stages { plugin: name, manifest: vec![self.header.stage], exports });
        }
        let player = Arc::new(Mutex::new(Player::new(&self.contents, order)));
        let context = CallContext {
            run: self.header.run.clone(),
            replay: Some(Replayed::new(Arc::clone(&player))),
            ..CallContext::default()
        };
        let mut session: Option<AnalyzerSession> = None;
        let mut functions = Vec::new();
        for function in self.functions() {
            let before = lock(&player).made();
            let called = match self.header.stage {
                Stage::Analyzer => call_session(&plugin, &context, &mut session, function).await,
                stage => call(&plugin, &context, stage, function).await,
            };
            let player = lock(&player);
            let host_calls = player.made().saturating_sub(before);
            let (replayed, stderr) = match called {
                Called::Output(text) => (Outcome::Output(text), String::new()),
                Called::Failed(error) => (outcome_of(&error.failure), error.stderr),
                Called::Unfit(reason) => {
                    functions.push(self.not_called(function.outcome.clone(), reason));
                    break;
                }
            };
            let result = compare(function.outcome.as_ref(), &replayed, player.parted());
            let goes_on = matches!(replayed, Outcome::Output(_));
            functions.push(FunctionReplay {
                function: function.name.clone(),
                recorded: function.outcome.clone(),
                replayed: Some(replayed),
                host_calls,
                stderr,
                result,
                strayed: player.strayed().cloned(),
            });
            // A session is of no further use after a failure.
            if !goes_on {
                break;
            }
        }
        Ok(Replay { component: digest, functions })
    }

    fn not_called(&self, recorded: Option<Outcome>, reason: String) -> FunctionReplay {
        FunctionReplay {
            function: self.header.function.clone(),
            recorded,
            replayed: None,
            host_calls: 0,
            stderr: String::new(),
            result: Match::NotReplayable(reason),
            strayed: None,
        }
    }
}

fn compare(recorded: Option<&Outcome>, replayed: &Outcome, parted: Option<&Parted>) -> Match {
    match (parted, recorded) {
        (Some(parted), _) => Match::Parted(parted.clone()),
        (None, None | Some(Outcome::Failure { kind: FailureKind::Circumstances, .. })) => Match::SameSoFar,
        (None, Some(recorded)) if recorded == replayed => Match::Same,
        (None, Some(_)) => Match::Differs,
    }
}
