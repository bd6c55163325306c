//! Runs JavaScript tests in the sandbox: one half reads the project, makes the code ready and judges; the other is an engine that
//! runs what it is given, so that a test has no hand in the report.
//!
//! What can go wrong inside of a test fails the test: loops and recursion are counted, memory that runs out is an exception. What
//! cannot be counted (a regular expression that backtracks for ever, a builtin's own recursion) ends the call as a whole; the
//! host takes that for a failed check.

mod changes;
mod edits;
mod engine;
mod module;
mod probes;
mod program;
mod project;
mod report;
mod runner;

use std::path::Path;

use autodevops_sdk::{
    Check, Result,
    types::{CheckInput, Report},
};

use crate::{project::Project, report::Judge, runner::Runner};

struct JsChecks;

impl Check for JsChecks {
    fn run(input: CheckInput) -> Result<Report> {
        let after = Project::new(Path::new("/after"), []);
        let before = Path::new("/before");
        let regressions = input.fix.as_ref().map_or(&[][..], |fix| &fix.tests[..]);
        let over = regressions.iter().map(|test| (test.path.clone(), test.content.clone()));
        let before = Project::new(before, over);

        let mut judge = Judge::new(&before, &after, &input);
        let mut runner = Runner::default();
        for test in &input.tests {
            let ran = runner.file(&after, test, judge.changed());
            let passed = judge.after(test, ran);
            if passed && regressions.iter().any(|regression| regression.path == *test) {
                let ran = runner.file(&before, test, &program::Changed::new());
                judge.before(test, &ran);
            }
        }
        Ok(judge.report())
    }
}

autodevops_sdk::export!(check: JsChecks);
