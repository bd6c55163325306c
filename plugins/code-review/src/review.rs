//! The review of a whole change, and its report.

use std::collections::BTreeSet;

use autodevops_sdk::{
    Result,
    types::{Finding, Fix, Metric, Outcome, Report, Severity},
};
use change::{File, Found, Lines, Positions, is_script, is_test, with_program};
use oxc_ast::ast::Program;
use serde::Deserialize;

use crate::{
    complexity::{self, Measured},
    leftovers,
    paths::Policy,
    suite::Suite,
    swallowed::{self, Fate},
    weakened, words,
};

/// The plugin's configuration; what each key means is in its manifest.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Settings {
    /// Most files.
    pub max_files: usize,
    /// Most lines, added and removed.
    pub max_lines: usize,
    /// Globs of what may be changed; all when empty.
    pub allowed_paths: Vec<String>,
    /// Globs of what may not.
    pub denied_paths: Vec<String>,
    /// Globs of what a person looks at.
    pub sensitive_paths: Vec<String>,
    /// Highest complexity of a function that becomes more complex.
    pub max_complexity: u32,
    /// Most that a function may become more complex by.
    pub max_complexity_increase: u32,
}

/// Reviews the files. `tests` are the paths of test files that came with the change, `fix` is what it was proposed as.
///
/// # Errors
/// `invalid-input` when the settings hold a glob that is none.
pub fn review(files: &[File], tests: &[String], fix: Option<&Fix>, settings: &Settings) -> Result<Report> {
    let policy = Policy::new(&settings.allowed_paths, &settings.denied_paths, &settings.sensitive_paths)?;
    let mut review = Review { settings, findings: Vec::new(), added: 0, removed: 0, counted: 0, increase: 0 };
    let is_test_file = |path: &str| is_test(path) || tests.iter().any(|test| test == path);
    let suites = suites(files, &is_test_file);
    for file in files {
        if let Some(found) = policy.judge(&file.path) {
            review.add(file, found);
        }
        review.file(file, is_test_file(&file.path));
        if is_test_file(&file.path) {
            review.tests(file, &suites);
        }
    }
    review.declared(files, tests, fix);
    review.size(files);
    Ok(review.report(files.len()))
}

/// A file's path, and what it promises now.
type Suites = Vec<(String, Suite)>;

fn suites(files: &[File], is_test_file: &impl Fn(&str) -> bool) -> Suites {
    files
        .iter()
        .filter(|file| is_test_file(&file.path) && file.after.is_some())
        .filter_map(|file| Some((file.path.clone(), Suite::of(&file.path, file.new_text())?)))
        .collect()
}

struct Review<'s> {
    settings: &'s Settings,
    findings: Vec<Finding>,
    added: usize,
    removed: usize,
    /// Lines that count for the change's size.
    counted: usize,
    increase: u32,
}

impl Review<'_> {
    fn add(&mut self, file: &File, found: Found) {
        self.findings.push(found.in_file(&file.path));
    }

    fn file(&mut self, file: &File, is_test: bool) {
        let lines = file.lines();
        self.added += lines.added.len();
        self.removed += lines.removed.len();
        if !is_lockfile(file) {
            self.counted += lines.added.len() + lines.removed.len();
        }
        if let Some(obstacle) = file.obstacle() {
            let found = note("not-reviewed", Severity::Warning, 1, format!("the file was not reviewed: {obstacle}"));
            self.add(file, Found { remedy: "have a person look at it", ..found });
            return;
        }
        if file.after.is_none() {
            return;
        }
        let (old, new) = (file.old_text(), file.new_text());
        if !is_script(&file.path) {
            self.words(file, &lines, is_test);
            return;
        }
        let Some(()) = with_program(&file.path, new, |program| self.script(file, program, &lines, is_test)) else {
            // What never was a program, such as a template, did not become worse.
            let was_one = old.is_empty() || with_program(&file.path, old, |_| ()).is_some();
            let severity = if was_one { Severity::Error } else { Severity::Warning };
            let found = note("syntax-error", severity, 1, "the file does not parse".to_owned());
            self.add(file, Found { remedy: "correct its syntax", ..found });
            return;
        };
    }

    fn script(&mut self, file: &File, program: &Program<'_>, lines: &Lines, is_test: bool) {
        let (old, new) = (file.old_text(), file.new_text());
        let positions = Positions::new(new);
        // What was swallowed before and only moved is not this change's doing.
        let mut known: Vec<String> = with_program(&file.path, old, |program| {
            swallowed::places(program, old)
                .iter()
                .map(|place| laid_out(old, place.span.start, place.span.end))
                .collect()
        })
        .unwrap_or_default();
        for place in swallowed::places(program, new) {
            let text = laid_out(new, place.span.start, place.span.end);
            if let Some(index) = known.iter().position(|known| *known == text) {
                known.swap_remove(index);
                continue;
            }
            if lines.adds_any(positions.line(place.span.start), positions.line(place.span.end)) {
                let (line, column) = positions.at(place.span.start);
                self.add(file, swallowed_error(place.fate, is_test, line, column));
            }
        }
        if is_test {
            return;
        }
        for (span, what) in leftovers::places(program) {
            let (line, column) = positions.at(span.start);
            if lines.added.contains(&line) {
                let found = note("debugging-leftover", Severity::Info, line, format!("{what} was left behind"));
                self.add(
                    file,
                    Found { column: Some(column), remedy: "take it out, or write to the service's log", ..found },
                );
            }
        }
        let before = with_program(&file.path, old, complexity::functions).unwrap_or_default();
        self.complexity(file, &before, &complexity::functions(program), &positions, lines);
    }

    fn complexity(
        &mut self,
        file: &File,
        before: &[Measured],
        after: &[Measured],
        positions: &Positions<'_>,
        lines: &Lines,
    ) {
        let mut taken = vec![false; before.len()];
        for function in after {
            // Of several with one name, the first is the first.
            let index = before.iter().zip(&taken).position(|(old, taken)| !taken && old.name == function.name);
            if let Some(taken) = index.and_then(|index| taken.get_mut(index)) {
                *taken = true;
            }
            if !lines.adds_any(positions.line(function.span.start), positions.line(function.span.end)) {
                continue;
            }
            let old = index.and_then(|index| before.get(index)).map(|old| old.complexity);
            let increase = function.complexity.saturating_sub(old.unwrap_or(1));
            self.increase += increase;
            let too_much = old.is_some() && increase > self.settings.max_complexity_increase;
            if increase > 0 && (function.complexity > self.settings.max_complexity || too_much) {
                let (line, column) = positions.at(function.span.start);
                let from = old.map_or_else(|| "is new and has".to_owned(), |old| format!("went from {old} to"));
                let message = format!("`{}` {from} a cyclomatic complexity of {}", function.name, function.complexity);
                let found = note("complex-function", Severity::Warning, line, message);
                self.add(
                    file,
                    Found { column: Some(column), remedy: "take parts of it into functions of their own", ..found },
                );
            }
        }
    }

    fn words(&mut self, file: &File, lines: &Lines, is_test: bool) {
        let text = file.new_text();
        let positions = Positions::new(text);
        let at = |byte: usize| u32::try_from(byte).unwrap_or(u32::MAX);
        for place in words::swallowed(&file.path, text) {
            if lines.adds_any(positions.line(at(place.start)), positions.line(at(place.end))) {
                let severity = if place.is_error && !is_test { Severity::Error } else { Severity::Warning };
                let found = note("swallowed-error", severity, positions.line(at(place.start)), place.what.to_owned());
                self.add(file, Found { remedy: HANDLE, ..found });
            }
        }
        for place in words::leftovers(&file.path, text) {
            let line = positions.line(at(place.start));
            if lines.added.contains(&line) && !is_test {
                let found = note("debugging-leftover", Severity::Info, line, format!("{} was left behind", place.what));
                self.add(file, Found { remedy: "take it out, or write to the service's log", ..found });
            }
        }
    }

    fn tests(&mut self, file: &File, suites: &Suites) {
        let after = suites.iter().find(|(path, _)| *path == file.path).map(|(_, suite)| suite);
        let elsewhere = |name: &str| {
            suites.iter().any(|(path, suite)| *path != file.path && suite.tests.iter().any(|test| test.name == name))
        };
        let before = file.before.as_ref().and_then(|_| Suite::of(&file.path, file.old_text()));
        let found = match (before, after) {
            (Some(before), None) if file.after.is_none() => removed_file(&before, elsewhere),
            (Some(before), Some(after)) => weakened::compare(&before, after, elsewhere),
            (None, Some(after)) => weakened::new_file(after),
            // It does not parse, which was said.
            _ => Vec::new(),
        };
        for found in found {
            self.add(file, found);
        }
    }

    /// A change that was proposed as a fix touches what the fix says, and nothing else.
    fn declared(&mut self, files: &[File], tests: &[String], fix: Option<&Fix>) {
        let Some(fix) = fix else { return };
        let declared: BTreeSet<&str> = fix
            .edits
            .iter()
            .map(|edit| edit.path.as_str())
            .chain(fix.tests.iter().map(|test| test.path.as_str()))
            .chain(tests.iter().map(String::as_str))
            .collect();
        // New tests come from test generators too, which no fix can know of.
        let is_known =
            |file: &&File| declared.contains(file.path.as_str()) || file.before.is_none() && is_test(&file.path);
        for file in files.iter().filter(|file| !is_known(file)) {
            let message = "the file changes, but the fix says nothing of it".to_owned();
            let found = note("undeclared-change", Severity::Error, 1, message);
            self.add(file, Found { remedy: "have a person look at where the change comes from", ..found });
        }
    }

    fn size(&mut self, files: &[File]) {
        let Settings { max_files, max_lines, .. } = *self.settings;
        let mut too_much = Vec::new();
        if files.len() > max_files {
            too_much.push(format!("it touches {} files, more than the {max_files} that are allowed", files.len()));
        }
        if self.counted > max_lines {
            too_much.push(format!("it changes {} lines, more than the {max_lines} that are allowed", self.counted));
        }
        for message in too_much {
            self.findings.push(Finding {
                rule: "change-too-large".into(),
                severity: Severity::Error,
                message: format!("the change is too large to be judged as a whole: {message}"),
                remedy: "split it into changes that can be judged and rolled back one by one".into(),
                location: None,
            });
        }
    }

    fn report(self, files: usize) -> Report {
        let count = |at_least| self.findings.iter().filter(|finding| finding.severity >= at_least).count();
        let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
        let many = |count: usize, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
        let summary = format!(
            "{} changed, {} added, {} removed: {}, {}",
            many(files, "file", "files"),
            many(self.added, "line", "lines"),
            self.removed,
            many(errors, "error", "errors"),
            many(warnings - errors, "warning", "warnings"),
        );
        let metric = |name: &str, value: f64| Metric { name: name.into(), value, unit: "count".into() };
        let metrics = vec![
            metric("files-changed", files as f64),
            metric("lines-added", self.added as f64),
            metric("lines-removed", self.removed as f64),
            metric("complexity-increase", f64::from(self.increase)),
        ];
        let outcome = if errors > 0 { Outcome::Failed } else { Outcome::Passed };
        Report { findings: self.findings, metrics, ..Report::new(outcome, summary) }
    }
}

const HANDLE: &str = "handle the error, or throw it on so that the caller knows; where it may be dropped, say why";

fn note(rule: &'static str, severity: Severity, line: u32, message: String) -> Found {
    Found { rule, severity, line, column: None, message, remedy: HANDLE }
}

fn swallowed_error(fate: Fate, is_test: bool, line: u32, column: u32) -> Found {
    let message = match fate {
        Fate::Dropped => "an error is caught and dropped",
        Fate::DroppedWithComment => "an error is caught and dropped, with a comment that says why",
        Fate::OnlyLogged => "an error is only logged: the caller takes the failure for success",
        Fate::OnlyLeft => "an error is caught, and nothing is returned in its place: the caller cannot know why",
    };
    // Nobody asked for silence: a fault that is hidden so is not fixed. The others may be meant.
    let severity = if fate == Fate::Dropped && !is_test { Severity::Error } else { Severity::Warning };
    Found { column: Some(column), ..note("swallowed-error", severity, line, message.to_owned()) }
}

fn removed_file(before: &Suite, elsewhere: impl Fn(&str) -> bool) -> Vec<Found> {
    let gone = before.tests.iter().filter(|test| !elsewhere(&test.name)).count();
    if gone == 0 && !before.tests.is_empty() {
        return Vec::new();
    }
    let message = format!("the test file is gone, with {gone} tests that are nowhere else");
    let found = note("removed-test", Severity::Error, 1, message);
    vec![Found { remedy: "keep the tests; where what they test is gone by intent, have a person decide", ..found }]
}

/// The text between two bytes, without its layout.
fn laid_out(text: &str, start: u32, end: u32) -> String {
    text.get(start as usize..end as usize).unwrap_or_default().split_whitespace().collect()
}

fn is_lockfile(file: &File) -> bool {
    let name = file.name();
    name.ends_with(".lock")
        || name.ends_with("-lock.json")
        || name.ends_with("-lock.yaml")
        || name == "go.sum"
        || name == "npm-shrinkwrap.json"
}

#[cfg(test)]
#[path = "review_tests.rs"]
mod tests;
