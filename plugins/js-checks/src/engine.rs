//! The engine half: what it is asked and what it answers.

use std::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};

use serde::{Deserialize, Serialize};

mod bindings {
    wit_bindgen::generate!({ path: "../../sdk/js-engine", world: "js-user" });
}

/// What the harness is asked.
#[derive(Serialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Ask<'a> {
    /// To load a test file's script and find its tests.
    Begin {
        /// The test file.
        file: &'a str,
        /// The project's root, as tests see it.
        root: &'a str,
        /// What the names that were put in begin with.
        prefix: &'a str,
        /// How many marks there are.
        marks: u32,
        /// Steps that the file may take.
        steps: u64,
    },
    /// To go on: the next test, or the next timer.
    Go,
    /// To put the surroundings back in order, for the next file.
    Clean,
}

/// How far the harness is.
#[derive(Debug, Default, Deserialize)]
pub struct State {
    /// Whether all is over.
    pub done: bool,
    /// Tests that ended since it was asked last.
    pub tests: Vec<Test>,
    /// What is not there and was asked for, as words.
    pub unsupported: Vec<String>,
    /// What went wrong outside of any test.
    pub failures: Vec<String>,
    /// Marks that were reached; given at the end.
    pub reached: Vec<u32>,
    /// Steps that are left.
    pub steps: u64,
}

/// How a test ended.
#[derive(Debug, Deserialize)]
pub struct Test {
    /// Its full name.
    pub name: String,
    /// How it ended.
    pub state: TestState,
    /// What went wrong, or why it was left out.
    pub message: String,
}

/// How a test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TestState {
    /// As it should.
    Passed,
    /// Not as it should.
    Failed,
    /// It asked for something that is not there.
    Unsupported,
    /// It was left out by its author's word.
    Skipped,
}

/// Asks the harness.
///
/// # Errors
/// What the engine threw, as text.
pub fn ask(script: Option<&str>, ask: &Ask<'_>) -> Result<State, String> {
    let input = serde_json::to_string(ask).map_err(|error| error.to_string())?;
    let sources = script.map(str::to_owned).into_iter().collect();
    // The harness gives its answer as a text of its own making, which no script can have a hand in.
    let answer = run(sources, input)?;
    let text: String = serde_json::from_str(&answer).map_err(|error| format!("the harness gave no text: {error}"))?;
    serde_json::from_str(&text).map_err(|error| format!("the harness gave no state: {error}"))
}

/// The engine answers at once: promise jobs run before the next call, timers when they are asked for.
fn run(sources: Vec<String>, input: String) -> Result<String, String> {
    let answer = pin!(bindings::autodevops::js::engine::run(sources, input));
    match answer.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => Err("the engine did not answer at once".to_owned()),
    }
}
