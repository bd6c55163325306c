//! Tests that a change removes or makes weaker. A fix that passes its tests because there are fewer of them is none.

use std::collections::BTreeMap;

use autodevops_sdk::types::Severity;
use change::Found;

use crate::suite::{Assertion, State, Strength, Suite, Test};

/// How a test file became weaker. `elsewhere` says whether a test of that name is in another file now.
pub fn compare(before: &Suite, after: &Suite, elsewhere: impl Fn(&str) -> bool) -> Vec<Found> {
    let mut found = Vec::new();
    let mut matched: Vec<usize> = Vec::new();
    let mut moved = 0;
    for old in &before.tests {
        let free = |index: &usize| !matched.contains(index);
        let same_name = (0..after.tests.len()).filter(free).find(|index| after.tests[*index].name == old.name);
        // A test with another name and the same text was renamed.
        let is_renamed = |test: &Test| {
            !old.body.is_empty() && test.body == old.body && before.tests.iter().all(|o| o.name != test.name)
        };
        let partner =
            same_name.or_else(|| (0..after.tests.len()).filter(free).find(|index| is_renamed(&after.tests[*index])));
        match partner {
            Some(index) => {
                matched.push(index);
                weaker(old, &after.tests[index], &mut found);
            }
            None if old.state == State::Skipped => {}
            None if elsewhere(&old.name) => moved += old.assertions.len(),
            None => found.push(Found {
                rule: "removed-test",
                severity: Severity::Error,
                line: 1,
                column: None,
                message: format!("the test {:?} is gone", old.name),
                remedy: "keep the test; where what it tests is gone by intent, have a person decide",
            }),
        }
    }
    for (index, test) in after.tests.iter().enumerate() {
        if test.state == State::Focused && !matched.contains(&index) {
            found.push(focused(test));
        }
    }
    let (old, new) = (before.assertions() - moved, after.assertions());
    // What was said of single tests explains the number.
    if new < old && found.iter().all(|found| found.severity < Severity::Error) {
        found.push(Found {
            rule: "fewer-assertions",
            severity: Severity::Error,
            line: 1,
            column: None,
            message: format!("the file's assertions went from {old} down to {new}"),
            remedy: "keep what was asserted before",
        });
    }
    found
}

/// A test file without one before.
pub fn new_file(after: &Suite) -> Vec<Found> {
    after.tests.iter().filter(|test| test.state == State::Focused).map(focused).collect()
}

fn focused(test: &Test) -> Found {
    Found {
        rule: "focused-test",
        severity: Severity::Error,
        line: test.line,
        column: None,
        message: format!("the test {:?} keeps all others from running", test.name),
        remedy: "take `only` away",
    }
}

fn weaker(old: &Test, new: &Test, found: &mut Vec<Found>) {
    if old.state != State::Skipped && new.state == State::Skipped {
        found.push(Found {
            rule: "skipped-test",
            severity: Severity::Error,
            line: new.line,
            column: None,
            message: format!("the test {:?} is not run any more", new.name),
            remedy: "make it pass; a test that is skipped finds nothing",
        });
        return;
    }
    if old.state != State::Focused && new.state == State::Focused {
        found.push(focused(new));
    }
    let (gone, come) = (minus(&old.assertions, &new.assertions), minus(&new.assertions, &old.assertions));
    let count = |list: &[&Assertion], strength| list.iter().filter(|assertion| assertion.strength == strength).count();
    let (strict_gone, strict_come) = (count(&gone, Strength::Strict), count(&come, Strength::Strict));
    if new.assertions.len() < old.assertions.len() {
        found.push(Found {
            rule: "fewer-assertions",
            severity: Severity::Error,
            line: new.line,
            column: None,
            message: format!(
                "the test {:?} asserts {} instead of {} things",
                new.name,
                new.assertions.len(),
                old.assertions.len()
            ),
            remedy: "keep what was asserted before",
        });
    } else if strict_gone > strict_come && count(&come, Strength::Loose) > 0 {
        let line = come.iter().find(|assertion| assertion.strength == Strength::Loose).map_or(new.line, |a| a.line);
        found.push(Found {
            rule: "loosened-assertion",
            severity: Severity::Error,
            line,
            column: None,
            message: format!("the test {:?} asserts less than a value, where it asserted one", new.name),
            remedy: "assert the value again",
        });
    } else if let Some(first) = come.first().filter(|_| !gone.is_empty() && gone.len() == come.len()) {
        found.push(Found {
            rule: "changed-expectation",
            severity: Severity::Warning,
            line: first.line,
            column: None,
            message: format!("the test {:?} expects something else than before", new.name),
            remedy: "have a person look at whether the old expectation was wrong",
        });
    }
}

/// The assertions of the first that the second lacks, as often as it lacks them.
fn minus<'a>(these: &'a [Assertion], those: &[Assertion]) -> Vec<&'a Assertion> {
    let mut left: BTreeMap<&str, usize> = BTreeMap::new();
    for assertion in those {
        *left.entry(&assertion.text).or_default() += 1;
    }
    these
        .iter()
        .filter(|assertion| match left.get_mut(assertion.text.as_str()) {
            Some(count) if *count > 0 => {
                *count -= 1;
                false
            }
            _ => true,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "
const test = require('node:test');
const assert = require('node:assert');
test('adds up', () => {
  assert.equal(total([1, 2]), 3);
  assert.equal(total([]), 0);
});
test('rounds', () => {
  assert.equal(round(1.005), 1.01);
});
";

    fn rules(from: &str, to: &str) -> Vec<(&'static str, Severity)> {
        assert!(BEFORE.contains(from), "{from}");
        let of = |text: &str| Suite::of("a.test.js", text).unwrap();
        let found = compare(&of(BEFORE), &of(&BEFORE.replace(from, to)), |name| name == "moved");
        found.into_iter().map(|found| (found.rule, found.severity)).collect()
    }

    #[test]
    fn tests_that_become_weaker_are_told() {
        use Severity::{Error, Warning};
        let rounds = "test('rounds', () => {\n  assert.equal(round(1.005), 1.01);\n});\n";
        for (from, to, rule, severity) in [
            (rounds, "", "removed-test", Error),
            (rounds, "/* test('rounds', () => { assert.equal(round(1.005), 1.01); }); */", "removed-test", Error),
            ("test('rounds'", "test.skip('rounds'", "skipped-test", Error),
            ("test('rounds'", "test.todo('rounds'", "skipped-test", Error),
            ("test('rounds', ()", "test('rounds', { skip: true }, ()", "skipped-test", Error),
            ("test('rounds'", "test.only('rounds'", "focused-test", Error),
            ("  assert.equal(total([]), 0);\n", "", "fewer-assertions", Error),
            ("  assert.equal(total([]), 0);\n", "  // assert.equal(total([]), 0);\n", "fewer-assertions", Error),
            ("assert.equal(total([]), 0)", "assert.ok(total([]) >= 0)", "loosened-assertion", Error),
            ("assert.equal(total([]), 0)", "assert.notEqual(total([]), 1)", "loosened-assertion", Error),
            ("assert.equal(total([]), 0)", "assert.equal(total([]), undefined)", "changed-expectation", Warning),
        ] {
            assert_eq!(rules(from, to), [(rule, severity)], "{from} -> {to}");
        }
    }

    #[test]
    fn tests_that_stay_or_become_stronger_are_left_alone() {
        for (from, to) in [
            ("adds up", "adds up all its items"),
            ("test('rounds'", "test('counts', () => { assert.equal(1, 1); });\ntest('rounds'"),
            ("assert.equal(total([]), 0);", "assert.equal(total([]), 0);\n  assert.equal(total([5]), 5);"),
            ("assert.equal(total([]), 0)", "assert.equal(\n    total([]),\n    0\n  )"),
            ("() => {\n  assert.equal(round", "async () => {\n  assert.equal(round"),
        ] {
            assert_eq!(rules(from, to), [], "{from} -> {to}");
        }
    }

    #[test]
    fn a_test_that_is_in_another_file_now_is_not_removed() {
        let of = |text: &str| Suite::of("a.test.js", text).unwrap();
        let before = of("test('moved', () => { assert.ok(1); });");
        let rules: Vec<_> =
            compare(&before, &Suite::default(), |name| name == "moved").iter().map(|f| f.rule).collect();
        assert!(rules.is_empty(), "{rules:?}");
    }
}
