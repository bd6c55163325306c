//! The verdict: what the tests' ends mean for the change.

use std::collections::{BTreeMap, BTreeSet};

use autodevops_sdk::types::{CheckInput, Finding, Location, Metric, Outcome, Report, Severity, TestResult};

use crate::{
    changes::changed_lines,
    program::{Changed, executable_lines},
    project::Project,
    runner::Ran,
};

/// Most bytes of a finding's message; a test's own message is longer.
const MESSAGE_BYTES: usize = 2000;

/// Collects what the files came to.
pub struct Judge<'p> {
    after: &'p Project,
    changed: Changed,
    findings: Vec<Finding>,
    tests: Vec<TestResult>,
    skipped: usize,
    failed: bool,
    inconclusive: bool,
    files: usize,
    lines: BTreeMap<String, BTreeMap<u32, bool>>,
}

impl<'p> Judge<'p> {
    /// Nothing ran yet. Lines are measured in the files that the change touches and that are no tests.
    pub fn new(before: &'p Project, after: &'p Project, input: &CheckInput) -> Self {
        let measured = input.changed.iter().filter(|path| is_code(path) && !input.tests.contains(path));
        let changed = measured.filter_map(|path| {
            let now = after.read(path).ok()?;
            let lines = changed_lines(&before.read(path).unwrap_or_default(), &now);
            (!lines.is_empty()).then(|| (path.clone(), lines))
        });
        Self {
            after,
            changed: changed.collect(),
            findings: Vec::new(),
            tests: Vec::new(),
            skipped: 0,
            failed: false,
            inconclusive: false,
            files: 0,
            lines: BTreeMap::new(),
        }
    }

    /// The changed lines that are measured.
    pub fn changed(&self) -> &Changed {
        &self.changed
    }

    /// A file ran on the changed project; gives whether it passed.
    pub fn after(&mut self, file: &str, ran: Ran) -> bool {
        let outcome = ran.outcome();
        self.files += 1;
        self.failed |= outcome == Outcome::Failed;
        self.inconclusive |= outcome == Outcome::Inconclusive;
        for failure in &ran.failures {
            let remedy = "Fix what fails when the file is loaded, or in its hooks; its tests did not all run.";
            self.find("test-file-failed", Severity::Error, failure, remedy, file);
        }
        for test in ran.tests.iter().filter(|test| test.outcome == Outcome::Failed) {
            let message = format!("{}: {}", test.name, test.message.as_deref().unwrap_or("failed"));
            let remedy = "Fix the code that the test covers, or the test where it expects the wrong thing.";
            self.find("test-failed", Severity::Error, &message, remedy, file);
        }
        if !ran.unsupported.is_empty() {
            let names: BTreeSet<&str> = ran.unsupported.iter().map(String::as_str).collect();
            let names = names.into_iter().collect::<Vec<_>>().join(", ");
            let message = format!("{file} needs what is not here: {names}");
            let remedy = "Run this file by a command check, or have the test do without.";
            self.find("not-supported", Severity::Warning, &message, remedy, file);
        } else if outcome == Outcome::Inconclusive {
            let (message, remedy) = if ran.tests.is_empty() {
                (format!("{file} has no tests"), "Write tests with `node:test`, or `describe`, `it` and `expect`.")
            } else {
                (format!("all tests of {file} are skipped"), "Take `skip` and `todo` away where tests are to run.")
            };
            self.find("no-tests-ran", Severity::Warning, &message, remedy, file);
        }
        self.skipped += ran.skipped;
        self.tests.extend(ran.tests);
        for (path, lines) in ran.lines {
            let known = self.lines.entry(path).or_default();
            for (line, reached) in lines {
                *known.entry(line).or_default() |= reached;
            }
        }
        outcome == Outcome::Passed
    }

    /// A fix's regression test ran on the project as it was, where it is to fail.
    pub fn before(&mut self, file: &str, ran: &Ran) {
        match ran.outcome() {
            Outcome::Failed => {}
            Outcome::Passed => {
                self.failed = true;
                let message = format!("{file} passes before the fix as well, so it does not show that the fix works");
                let remedy = "Write the test so that it fails without the fix: reproduce the fault it is for.";
                self.find("test-does-not-fail-before", Severity::Error, &message, remedy, file);
            }
            Outcome::Inconclusive => {
                self.inconclusive = true;
                let message = format!("{file} could not be run on the project before the fix");
                let remedy = "Write the test so that it can run, and fails, without the fix.";
                self.find("regression-not-shown", Severity::Warning, &message, remedy, file);
            }
        }
    }

    /// The report.
    pub fn report(mut self) -> Report {
        let count = |outcome| self.tests.iter().filter(|test| test.outcome == outcome).count();
        let (passed, failed) = (count(Outcome::Passed), count(Outcome::Failed));
        let mut metrics = vec![
            metric("tests-passed", passed as f64, "count"),
            metric("tests-failed", failed as f64, "count"),
            metric("tests-skipped", self.skipped as f64, "count"),
        ];
        for (path, changed) in &self.changed {
            if !self.lines.contains_key(path)
                && let Some(lines) = executable_lines(self.after, path, changed)
            {
                self.lines.insert(path.clone(), lines.into_iter().map(|line| (line, false)).collect());
            }
        }
        let lines = || self.lines.values().flat_map(BTreeMap::values);
        let executable = lines().count();
        metrics.push(metric("changed-lines", executable as f64, "count"));
        if executable > 0 {
            let reached = lines().filter(|reached| **reached).count();
            metrics.push(metric("line-coverage", reached as f64 / executable as f64, "ratio"));
        }
        let outcome = if self.failed {
            Outcome::Failed
        } else if self.inconclusive || passed == 0 {
            Outcome::Inconclusive
        } else {
            Outcome::Passed
        };
        let weak = self.findings.iter().any(|finding| finding.rule == "test-does-not-fail-before");
        let summary = match outcome {
            _ if self.files == 0 => "there are no tests to run".to_owned(),
            Outcome::Passed => format!("{} passed", tests(passed)),
            Outcome::Failed if failed == 0 && weak => "the fix's test passes without the fix as well".to_owned(),
            Outcome::Failed if failed == 0 => "a test file failed outside of its tests".to_owned(),
            Outcome::Failed => format!("{failed} of {} failed", tests(self.tests.len() - self.skipped)),
            Outcome::Inconclusive => match self.findings.first() {
                Some(finding) => finding.message.clone(),
                None => "no test ran".to_owned(),
            },
        };
        Report { outcome, summary, findings: self.findings, metrics, tests: self.tests }
    }

    fn find(&mut self, rule: &str, severity: Severity, message: &str, remedy: &str, file: &str) {
        let location = first_place(message).unwrap_or(Location { path: file.to_owned(), line: 1, column: None });
        let end = (0..=MESSAGE_BYTES.min(message.len())).rev().find(|end| message.is_char_boundary(*end));
        let message = message.get(..end.unwrap_or(0)).unwrap_or_default().to_owned();
        let (rule, remedy) = (rule.to_owned(), remedy.to_owned());
        self.findings.push(Finding { rule, severity, message, remedy, location: Some(location) });
    }
}

fn metric(name: &str, value: f64, unit: &str) -> Metric {
    Metric { name: name.to_owned(), value, unit: unit.to_owned() }
}

fn tests(count: usize) -> String {
    format!("{count} test{}", if count == 1 { "" } else { "s" })
}

fn is_code(path: &str) -> bool {
    [".js", ".cjs", ".mjs"].iter().any(|end| path.ends_with(end)) && !path.split('/').any(|part| part == "node_modules")
}

/// The place that the first frame of a message's stack names.
fn first_place(message: &str) -> Option<Location> {
    let frame = message.lines().map(str::trim).find_map(|line| line.strip_prefix("at "))?;
    let place = frame.rsplit_once('(').map_or(frame, |(_, place)| place).trim_end_matches(')');
    let mut parts = place.rsplitn(3, ':');
    let column = parts.next()?.parse().ok()?;
    let line = parts.next()?.parse().ok()?;
    Some(Location { path: parts.next()?.to_owned(), line, column: Some(column) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_a_failure_is_that_of_its_first_frame() {
        let place = first_place("a: wrong\n    at f (lib/a.js:3:14)\n    at test/a.js:1:2").unwrap();
        assert_eq!((place.path.as_str(), place.line, place.column), ("lib/a.js", 3, Some(14)));
        assert_eq!(first_place("x\n    at test/a.js:1:2").unwrap().path, "test/a.js");
        assert!(first_place("no frames").is_none());
    }
}
