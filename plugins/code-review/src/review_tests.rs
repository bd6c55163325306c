use autodevops_sdk::types::{Edit, FileChange, Risk, RollbackPlan, TestFile};
use change::Content;
use proptest::prelude::*;

use super::*;

fn settings() -> Settings {
    let strings = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
    Settings {
        max_files: 3,
        max_lines: 40,
        allowed_paths: Vec::new(),
        denied_paths: strings(&["**/.github/**", "**/autodevops.toml"]),
        sensitive_paths: strings(&["**/package.json", "**/package-lock.json"]),
        max_complexity: 6,
        max_complexity_increase: 3,
    }
}

fn file(path: &str, before: &str, after: &str) -> File {
    let text = |text: &str| (!text.is_empty()).then(|| Content::Text(text.to_owned()));
    File { path: path.into(), before: text(before), after: text(after) }
}

fn fix(edits: &[&str], tests: &[&str]) -> Fix {
    let edit = |path: &&str| Edit { path: (*path).into(), base_sha256: None, change: FileChange::Delete };
    Fix {
        title: "Fill in what is missing".into(),
        root_cause: "x".into(),
        confidence: 0.9,
        risk: Risk::Low,
        edits: edits.iter().map(edit).collect(),
        tests: tests.iter().map(|path| TestFile { path: (*path).into(), content: String::new() }).collect(),
        rollback: RollbackPlan { summary: String::new(), previous_release_suffices: true, state: Vec::new() },
    }
}

fn reviewed(files: &[File]) -> Report {
    review(files, &[], None, &settings()).unwrap()
}

fn rules(report: &Report) -> Vec<(&str, Severity)> {
    report.findings.iter().map(|finding| (finding.rule.as_str(), finding.severity)).collect()
}

fn metric(report: &Report, name: &str) -> f64 {
    report.metrics.iter().find(|metric| metric.name == name).unwrap().value
}

const ORDERS: &str = "\
const { priceOf } = require('./pricing');

async function total(order) {
  let sum = 0;
  for (const item of order.items) {
    sum += priceOf(item) * item.quantity;
  }
  return sum + order.shipping.cost;
}

module.exports = { total };
";

#[test]
fn a_guard_with_its_test_passes() {
    let after = ORDERS.replace("order.shipping.cost", "(order.shipping?.cost ?? 0)");
    let test = "test('an order without shipping', async () => { assert.equal(await total({ items: [] }), 0); });\n";
    let files = [file("lib/orders.js", ORDERS, &after), file("test/orders.autodevops.test.js", "", test)];
    let fix = fix(&["lib/orders.js"], &["test/orders.autodevops.test.js"]);
    let report = review(&files, &["test/orders.autodevops.test.js".into()], Some(&fix), &settings()).unwrap();
    assert_eq!((report.outcome, rules(&report)), (Outcome::Passed, vec![]));
    assert_eq!(report.summary, "2 files changed, 2 lines added, 1 removed: 0 errors, 0 warnings");
    assert_eq!(metric(&report, "files-changed"), 2.0);
    assert_eq!(metric(&report, "lines-added"), 2.0);
    assert_eq!(metric(&report, "lines-removed"), 1.0);
    assert_eq!(metric(&report, "complexity-increase"), 1.0);
}

#[test]
fn a_fix_that_hides_the_fault_fails() {
    let hidden = ORDERS.replace(
        "  return sum + order.shipping.cost;\n",
        "  try {\n    sum += order.shipping.cost;\n  } catch (error) {\n  }\n  return sum;\n",
    );
    let report = reviewed(&[file("lib/orders.js", ORDERS, &hidden)]);
    assert_eq!((report.outcome, rules(&report)), (Outcome::Failed, vec![("swallowed-error", Severity::Error)]));
    let location = report.findings[0].location.as_ref().unwrap();
    assert_eq!((location.path.as_str(), location.line, location.column), ("lib/orders.js", 10, Some(5)));
}

#[test]
fn an_error_that_was_swallowed_before_and_only_moved_is_not_told() {
    let before = "function f() {\n  try { a(); } catch (e) {}\n}\n";
    let after = "function f() {\n  if (ready) {\n    try { a(); } catch (e) {}\n  }\n}\n";
    assert_eq!(rules(&reviewed(&[file("a.js", before, after)])), []);
    assert_eq!(rules(&reviewed(&[file("a.js", before, &format!("{before}// a note\n"))])), []);
    let another = before.replace("a(); } catch (e) {}", "a(); } catch (e) {} b().catch(() => {});");
    assert_eq!(rules(&reviewed(&[file("a.js", before, &another)])), [("swallowed-error", Severity::Error)]);
}

#[test]
fn swallowed_errors_weigh_by_what_becomes_of_them() {
    for (handler, severity) in [
        ("", Severity::Error),
        (" /* the cache is optional */ ", Severity::Warning),
        (" console.error(e); ", Severity::Warning),
        (" return null; ", Severity::Warning),
    ] {
        let text = format!("function f() {{ try {{ return a(); }} catch (e) {{{handler}}} }}\n");
        assert_eq!(rules(&reviewed(&[file("a.js", "", &text)])), [("swallowed-error", severity)], "{handler}");
    }
    assert_eq!(
        rules(&reviewed(&[file("test/a.js", "", "try { a(); } catch {}\n")])),
        [("swallowed-error", Severity::Warning)]
    );
    let python = "try:\n    f()\nexcept Exception:\n    pass\n";
    assert_eq!(rules(&reviewed(&[file("a.py", "", python)])), [("swallowed-error", Severity::Error)]);
}

#[test]
fn paths_are_judged_by_policy() {
    let files = [
        file(".github/workflows/ci.yml", "on: push\n", "on: []\n"),
        file("functions/package.json", "{}\n", "{ }\n"),
        file("autodevops.toml", "", "[service]\n"),
    ];
    let report = reviewed(&files);
    assert_eq!(
        rules(&report),
        [("denied-path", Severity::Error), ("sensitive-path", Severity::Warning), ("denied-path", Severity::Error)]
    );
    assert_eq!(report.outcome, Outcome::Failed);
    let report = reviewed(&files[1..2]);
    assert_eq!(report.outcome, Outcome::Passed, "a warning alone is for a person");
}

#[test]
fn a_change_that_is_too_large_fails_by_files_and_by_lines() {
    let small: Vec<File> = (0..4).map(|index| file(&format!("src/{index}.js"), "", "a();\n")).collect();
    let report = reviewed(&small);
    assert_eq!((report.outcome, rules(&report)), (Outcome::Failed, vec![("change-too-large", Severity::Error)]));
    assert!(report.findings[0].message.contains("4 files, more than the 3"), "{}", report.findings[0].message);
    let long = "a();\n".repeat(41);
    let report = reviewed(&[file("a.js", "", &long)]);
    assert!(report.findings[0].message.contains("41 lines, more than the 40"), "{}", report.findings[0].message);
    assert_eq!(rules(&reviewed(&[file("a.js", "", &"a();\n".repeat(40))])), []);
    let lock = reviewed(&[file("package-lock.json", "", &"{}\n".repeat(900))]);
    assert_eq!(rules(&lock), [("sensitive-path", Severity::Warning)], "a lockfile's lines are not counted");
}

#[test]
fn a_fix_that_touches_more_than_it_says_fails() {
    let files = [
        file("lib/orders.js", "a();\n", "b();\n"),
        file("lib/other.js", "a();\n", "b();\n"),
        file("test/generated.test.js", "", "test('a', () => {});\n"),
    ];
    let report = review(&files, &[], Some(&fix(&["lib/orders.js"], &[])), &settings()).unwrap();
    assert_eq!(rules(&report), [("undeclared-change", Severity::Error)]);
    assert_eq!(report.findings[0].location.as_ref().unwrap().path, "lib/other.js");
}

#[test]
fn a_test_file_that_is_removed_fails_and_one_that_is_renamed_does_not() {
    let test = "test('adds up', () => { assert.equal(total([1]), 1); });\n";
    let report = reviewed(&[file("test/a.test.js", test, "")]);
    assert_eq!(rules(&report), [("removed-test", Severity::Error)]);
    assert!(report.findings[0].message.contains("1 tests"), "{}", report.findings[0].message);
    let renamed = reviewed(&[file("test/a.test.js", test, ""), file("test/b.test.js", "", test)]);
    assert_eq!(rules(&renamed), []);
    assert_eq!(rules(&reviewed(&[file("lib/a.js", test, "")])), [], "what is no test may go");
}

#[test]
fn tests_that_are_weakened_are_placed_in_their_file() {
    let before = "const a = 1;\ntest('adds up', () => {\n  assert.equal(total([1]), 1);\n});\n";
    let report = reviewed(&[file("test/a.test.js", before, &before.replace("test('", "test.skip('"))]);
    assert_eq!(rules(&report), [("skipped-test", Severity::Error)]);
    assert_eq!(report.findings[0].location.as_ref().unwrap().line, 2);
    let focused = before.replace("test('", "test.only('");
    assert_eq!(rules(&reviewed(&[file("test/new.test.js", "", &focused)])), [("focused-test", Severity::Error)]);
    let python = "def test_total():\n    assert total([1]) == 1\n";
    let skipped = format!("@pytest.mark.skip\n{python}");
    assert_eq!(rules(&reviewed(&[file("tests/test_a.py", python, &skipped)])), [("skipped-test", Severity::Error)]);
}

#[test]
fn functions_that_become_too_complex_are_told_and_those_left_alone_are_not() {
    let branches = |count: usize| "  if (x) y();\n".repeat(count);
    let function = |count| format!("function f(x) {{\n{}}}\n", branches(count));
    let report = reviewed(&[file("a.js", &function(2), &function(6))]);
    assert_eq!(rules(&report), [("complex-function", Severity::Warning)]);
    assert!(
        report.findings[0].message.contains("`f` went from 3 to a cyclomatic complexity of 7"),
        "{}",
        report.findings[0].message
    );
    assert_eq!(metric(&report, "complexity-increase"), 4.0);
    assert_eq!(
        rules(&reviewed(&[file("a.js", &function(1), &function(5))])),
        [("complex-function", Severity::Warning)]
    );
    assert_eq!(rules(&reviewed(&[file("a.js", &function(2), &function(4))])), []);
    assert_eq!(rules(&reviewed(&[file("a.js", &function(9), &format!("{}g();\n", function(9)))])), []);
    assert_eq!(rules(&reviewed(&[file("a.js", &function(9), &function(8))])), [], "less complex than before");
    assert_eq!(rules(&reviewed(&[file("a.js", "", &function(6))])), [("complex-function", Severity::Warning)]);
}

#[test]
fn leftovers_of_debugging_are_worth_knowing_only() {
    let report = reviewed(&[file("a.js", "f();\n", "f();\nconsole.log('here');\ndebugger;\n")]);
    assert_eq!(rules(&report), [("debugging-leftover", Severity::Info), ("debugging-leftover", Severity::Info)]);
    assert_eq!(report.outcome, Outcome::Passed);
    assert_eq!(rules(&reviewed(&[file("test/a.js", "", "console.log('here');\n")])), []);
}

#[test]
fn a_file_that_does_not_parse_any_more_fails() {
    assert_eq!(rules(&reviewed(&[file("a.js", "f();\n", "f(;\n")])), [("syntax-error", Severity::Error)]);
    assert_eq!(
        rules(&reviewed(&[file("a.js", "{{ f }} ;;; <%\n", "{{ f }} ;; <%\n")])),
        [("syntax-error", Severity::Warning)]
    );
}

#[test]
fn what_cannot_be_looked_at_is_for_a_person() {
    let binary = File { path: "logo.png".into(), before: None, after: Some(Content::Binary) };
    let report = reviewed(&[binary]);
    assert_eq!((report.outcome, rules(&report)), (Outcome::Passed, vec![("not-reviewed", Severity::Warning)]));
}

#[test]
fn every_finding_says_what_to_do() {
    let files = [
        file("a.js", "", "try { a(); } catch {}\ndebugger;\n"),
        file("autodevops.toml", "", "x"),
        file("test/a.test.js", "test('a', () => { assert(1); });", ""),
    ];
    for finding in reviewed(&files).findings {
        assert!(!finding.remedy.is_empty() && !finding.message.is_empty(), "{finding:?}");
        let is_kebab = |rule: &str| rule.chars().all(|c| c.is_ascii_lowercase() || c == '-');
        assert!(is_kebab(&finding.rule), "{}", finding.rule);
    }
}

proptest! {
    // Each case compiles the patterns of its language.
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_change_makes_the_review_panic(
        path in prop::sample::select(vec!["a.js", "a.test.ts", "a.vue", "test_a.py", "a.rs", "tests/a.rs", "a_test.go", "a.md"]),
        before in "\\PC{0,60}|(test\\(|'a'|, |\\(\\) => |\\{|\\}|\\);?|\n|assert|try |catch|def test_a|#\\[test\\]|fn a\\(\\)| ){0,20}",
        after in "\\PC{0,60}|(test\\(|'a'|, |\\(\\) => |\\{|\\}|\\);?|\n|assert|try |catch|def test_a|#\\[test\\]|fn a\\(\\)| ){0,20}",
    ) {
        reviewed(&[file(path, &before, &after)]);
    }
}
