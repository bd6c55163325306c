//! Runs test files, one after the other, in the one engine that a call has.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use autodevops_sdk::types::{Outcome, TestResult};

use crate::{
    engine::{Ask, State, Test, TestState, ask},
    program::{Changed, Program},
    project::Project,
};

/// Steps (turns of loops and calls of functions) that one file may take: a few seconds' worth.
const STEPS_PER_FILE: u64 = 20_000_000;
/// Steps that all files of a call may take together, so that they end within the call's time.
const STEPS_PER_CALL: u64 = 100_000_000;
/// Bytes set aside before anything runs, so that there is room for a report when a test has taken all memory.
const RESERVED_BYTES: usize = 16 << 20;

/// What became of a test file.
#[derive(Debug, Default)]
pub struct Ran {
    /// Its tests.
    pub tests: Vec<TestResult>,
    /// Of those, how many were left out by their author's word.
    pub skipped: usize,
    /// What it asked for that is not there.
    pub unsupported: Vec<String>,
    /// What went wrong outside of any test.
    pub failures: Vec<String>,
    /// Changed lines that can be executed, by path, and whether they were.
    pub lines: BTreeMap<String, BTreeMap<u32, bool>>,
}

impl Ran {
    /// How the file as a whole ended. One without tests says nothing.
    pub fn outcome(&self) -> Outcome {
        if !self.failures.is_empty() || self.tests.iter().any(|test| test.outcome == Outcome::Failed) {
            return Outcome::Failed;
        }
        if self.unsupported.is_empty() && self.tests.iter().any(|test| test.outcome == Outcome::Passed) {
            return Outcome::Passed;
        }
        Outcome::Inconclusive
    }
}

/// Runs test files.
#[derive(Default)]
pub struct Runner {
    steps_taken: u64,
    used: bool,
}

impl Runner {
    /// Runs a test file of the project.
    pub fn file(&mut self, project: &Project, file: &str, changed: &Changed) -> Ran {
        let mut ran = Ran::default();
        let program = match Program::build(project, file, changed) {
            Ok(program) => program,
            Err(reason) => {
                ran.unsupported.push(reason);
                return ran;
            }
        };
        if self.used {
            if let Err(thrown) = ask(None, &Ask::Clean) {
                ran.failures.push(format!("the surroundings could not be put in order after another file: {thrown}"));
                return ran;
            }
        } else {
            drop(Vec::<u8>::with_capacity(RESERVED_BYTES));
        }
        self.used = true;
        let steps = STEPS_PER_FILE.min(STEPS_PER_CALL.saturating_sub(self.steps_taken));
        let root = project.root().to_string_lossy();
        let begin = Ask::Begin { file, root: &root, prefix: &program.marks.prefix, marks: program.mark_count, steps };
        let mut state = ask(Some(&program.script), &begin);
        // The clock is asked once for each test: there may be many timers.
        let mut began = Instant::now();
        loop {
            match state {
                Ok(State { done, tests, unsupported, failures, reached, steps: left }) => {
                    let taken = if tests.is_empty() { Duration::ZERO } else { began.elapsed() };
                    began += taken;
                    for test in tests {
                        let nanoseconds = u64::try_from(taken.as_nanos()).unwrap_or(u64::MAX);
                        ran.skipped += usize::from(test.state == TestState::Skipped);
                        ran.tests.push(result(&program, file, test, nanoseconds));
                    }
                    ran.unsupported.extend(unsupported);
                    ran.failures.extend(failures.iter().map(|failure| program.placed(failure)));
                    if done {
                        self.steps_taken += steps.saturating_sub(left);
                        ran.lines = lines(&program, &reached);
                        break;
                    }
                }
                Err(thrown) => {
                    ran.failures.push(program.placed(&thrown));
                    break;
                }
            }
            state = ask(None, &Ask::Go);
        }
        ran
    }
}

fn result(program: &Program, file: &str, test: Test, nanoseconds: u64) -> TestResult {
    let outcome = match test.state {
        TestState::Passed => Outcome::Passed,
        TestState::Failed => Outcome::Failed,
        TestState::Unsupported | TestState::Skipped => Outcome::Inconclusive,
    };
    let message = (!test.message.is_empty()).then(|| program.placed(&test.message));
    TestResult { file: file.to_owned(), name: test.name, outcome, message, nanoseconds }
}

fn lines(program: &Program, reached: &[u32]) -> BTreeMap<String, BTreeMap<u32, bool>> {
    let line = |marks: &Vec<u32>| marks.iter().any(|mark| reached.binary_search(mark).is_ok());
    let lines = program
        .lines
        .iter()
        .map(|(path, lines)| (path.clone(), lines.iter().map(|(number, marks)| (*number, line(marks))).collect()));
    lines.collect()
}
