//! What the tests of several parts need.

use std::sync::Mutex;

use autodevops_orchestrator::driver::Observer;
use autodevops_pipeline::{Command, Event, Run};

/// Writes down what a person would be told beside what happens.
#[derive(Default)]
pub(crate) struct Told(Mutex<Vec<String>>);

impl Told {
    /// What was told so far.
    pub(crate) fn notices(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl Observer for Told {
    fn event(&self, _: &Run, _: &Event) {}

    fn doing(&self, _: &Run, _: &Command) {}

    fn notice(&self, text: &str) {
        self.0.lock().unwrap().push(text.to_owned());
    }
}
