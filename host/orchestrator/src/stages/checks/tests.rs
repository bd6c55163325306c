//! What checks are shown, what of their reports is recorded, and what stands for one that gave none.

use autodevops_model::{ErrorInfo, Metric, TestResult};
use autodevops_pipeline::{Command, Input, RunStage, Staged};
use autodevops_policy::{Bytes, Span};
use autodevops_record::testing::Story;
use serde_json::{Value, json};

use super::*;
use crate::{
    clock::now,
    limits::LoopState,
    testing::{Plugin, Scene, answer, plugin, refusal, target},
};

fn report(failure: CallFailure) -> Result<Outcome, ErrorKind> {
    let error = CallError { plugin: "c".into(), stage: Some(Stage::Check), failure, stderr: String::new() };
    report_of(&error).map(|report| report.outcome).map_err(|error| error.kind)
}

fn refused(kind: ErrorKind) -> CallFailure {
    CallFailure::Refused(StageError { kind, info: ErrorInfo { message: "m".into(), details: vec![] } })
}

#[test]
fn a_report_without_end_is_recorded_with_its_gravest_part() {
    let finding = |severity, length| Finding {
        rule: "r".into(),
        severity,
        message: "ä".repeat(length),
        remedy: String::new(),
        location: None,
    };
    let mut findings = vec![finding(Severity::Info, 1); 3000];
    findings.push(finding(Severity::Critical, 100_000));
    let report = Report {
        outcome: Outcome::Failed,
        summary: "x".repeat(10_000),
        findings,
        metrics: Vec::new(),
        tests: Vec::new(),
    };
    let kept = bounded(report);
    assert_eq!((kept.outcome, kept.findings.len(), kept.summary.len()), (Outcome::Failed, 2000, 4003));
    assert_eq!(kept.findings[0].severity, Severity::Critical);
    assert_eq!(kept.findings[0].message.len(), 4003);
}

#[test]
fn a_check_that_does_not_end_failed_and_one_that_cannot_tell_never_passed() {
    for failure in [
        CallFailure::OutOfTime(Span(std::time::Duration::from_secs(1))),
        CallFailure::OutOfMemory(Bytes(1)),
        CallFailure::Trap("t".into()),
        CallFailure::BadOutput("b".into()),
    ] {
        assert_eq!(report(failure), Ok(Outcome::Failed));
    }
    assert_eq!(report(refused(ErrorKind::Unsupported)), Ok(Outcome::Inconclusive));
    assert_eq!(report(refused(ErrorKind::Unavailable)), Err(ErrorKind::Unavailable));
    assert_eq!(report(CallFailure::Host("h".into())), Err(ErrorKind::Failed));
}

fn test(outcome: Outcome, name: &str) -> TestResult {
    TestResult { file: "f".into(), name: name.into(), outcome, message: Some("m".repeat(5000)), nanoseconds: 1 }
}

#[test]
fn of_more_tests_than_are_recorded_those_that_failed_are_and_of_fewer_all_in_their_order() {
    let report = |passed: usize| {
        let mut tests = vec![test(Outcome::Passed, "p"); passed];
        tests.push(test(Outcome::Failed, &"n".repeat(4001)));
        let metrics = vec![Metric { name: "n".repeat(4000), value: 1.0, unit: "u".repeat(4001) }; 2001];
        bounded(Report { outcome: Outcome::Failed, summary: "s".into(), findings: Vec::new(), metrics, tests })
    };
    for (passed, at) in [(MAX_ENTRIES, 0), (MAX_ENTRIES - 1, MAX_ENTRIES - 1), (1, 1)] {
        let kept = report(passed);
        assert_eq!(kept.tests.len(), (passed + 1).min(MAX_ENTRIES));
        assert_eq!(kept.tests.iter().position(|test| test.outcome == Outcome::Failed), Some(at), "{passed}");
    }
    let kept = report(1);
    let of = |text: &str| text.len();
    assert_eq!((of(&kept.tests[1].name), of(kept.tests[1].message.as_ref().unwrap())), (4003, 4003));
    assert_eq!((kept.metrics.len(), of(&kept.metrics[0].name), of(&kept.metrics[0].unit)), (MAX_ENTRIES, 4000, 4003));
    assert!(kept.tests[1].name.ends_with("n…") && kept.metrics[0].name.ends_with('n'));
}

#[test]
fn what_a_check_was_refused_leaves_its_finding_with_the_remedy() {
    let told = |failure: CallFailure| {
        let error = CallError { plugin: "c".into(), stage: Some(Stage::Check), failure, stderr: String::new() };
        let report = report_of(&error).unwrap();
        assert!(
            report.findings[0].message.starts_with(&report.summary) && report.summary.contains("`c`"),
            "{report:?}"
        );
        (report.outcome, report.findings[0].rule.clone(), report.findings[0].remedy.clone())
    };
    let (outcome, rule, remedy) = told(refused(ErrorKind::Failed));
    assert_eq!((outcome, rule.as_str()), (Outcome::Inconclusive, "check-did-not-end"));
    assert_eq!(remedy, "see what the check says and correct it");
    for (failure, remedy) in [
        (CallFailure::OutOfTime(Span(std::time::Duration::from_secs(1))), "an endless loop"),
        (CallFailure::OutOfMemory(Bytes(1)), "unbounded growth"),
        (CallFailure::Trap("t".into()), "the check itself is at fault"),
        (CallFailure::BadOutput("b".into()), "the check itself is at fault"),
    ] {
        let (_, _, told) = told(failure);
        assert!(told.contains(remedy), "{told}");
    }
}

/// A check that says this.
fn check(name: &'static str, report: Value) -> Plugin {
    plugin(name, Stage::Check, &[answer("run", report)])
}

fn says(outcome: &str) -> Value {
    json!({ "outcome": outcome, "summary": outcome, "findings": [], "metrics": [], "tests": [] })
}

/// What comes of a command, in a project with these checks: each with the outcome of its report, and the summary.
async fn done(checks: Vec<Plugin>, used: u64, command: Command) -> Result<Vec<(String, Outcome, String)>, String> {
    let scene = Scene::open(&[vec![target(&[])], checks].concat(), "[loop]\ntokens-a-day = 1000\n");
    let run = scene.run(&Story::default(), |run| run.stage() == RunStage::Checks);
    LoopState::new(&scene.project.journal).note_tokens(used, now()).unwrap();
    let told = |named: NamedReport| (named.plugin, named.report.outcome, named.report.summary);
    match Stages::new(scene.project.clone()).perform(&run, &command).await {
        Input::Reviewed { key, reports }
        | Input::Checked { key, reports }
        | Input::AutomatedTested { key, reports } => {
            assert_eq!(key, "k");
            Ok(reports.into_iter().map(told).collect())
        }
        Input::Failed { key, error } => {
            assert_eq!(key, "k");
            Err(error.info.message)
        }
        other => panic!("{other:?}"),
    }
}

fn named(plugins: &[&str]) -> Vec<String> {
    plugins.iter().map(|plugin| (*plugin).to_owned()).collect()
}

fn of(plugin: &str, outcome: Outcome, summary: &str) -> (String, Outcome, String) {
    (plugin.to_owned(), outcome, summary.to_owned())
}

#[tokio::test]
async fn each_check_that_is_named_has_its_report() {
    let checks = || vec![check("a", says("passed")), check("b", says("failed")), check("c", says("passed"))];
    let both = Ok(vec![of("b", Outcome::Failed, "failed"), of("a", Outcome::Passed, "passed")]);
    let plugins = named(&["b", "a"]);
    assert_eq!(done(checks(), 0, Command::RunChecks { key: "k".into(), plugins: plugins.clone() }).await, both);
    assert_eq!(done(checks(), 0, Command::Review { key: "k".into(), plugins }).await, both);
    assert_eq!(done(checks(), 0, Command::Review { key: "k".into(), plugins: Vec::new() }).await, Ok(Vec::new()));
}

#[tokio::test]
async fn a_check_that_traps_failed_and_one_that_may_answer_later_is_asked_again() {
    let command = || Command::RunChecks { key: "k".into(), plugins: named(&["a"]) };
    let reports = done(vec![plugin("a", Stage::Check, &[])], 0, command()).await.unwrap();
    assert_eq!((reports.len(), reports[0].1), (1, Outcome::Failed));
    let error = done(vec![check("a", refusal("unavailable", "busy"))], 0, command()).await.unwrap_err();
    assert_eq!(error, "plugin `a`: busy");
}

#[tokio::test]
async fn a_check_that_may_ask_a_model_is_not_asked_once_tokens_are_used_up_and_never_passed() {
    let checks = || vec![check("a", says("passed")).that_asks_a_model(), check("b", says("passed"))];
    for (used, outcome) in [(0, Outcome::Passed), (1000, Outcome::Inconclusive)] {
        let plugins = named(&["a", "b"]);
        let reports = done(checks(), used, Command::RunChecks { key: "k".into(), plugins }).await.unwrap();
        assert_eq!((reports[0].1, reports[1].1), (outcome, Outcome::Passed));
        if used > 0 {
            assert!(reports[0].2.starts_with("it was not asked: 1000 tokens of language models"), "{}", reports[0].2);
        }
    }
}

#[tokio::test]
async fn what_is_staged_is_looked_at_by_the_host_too_where_it_has_an_address() {
    let staged = |service: &str, url: Option<&str>| Staged { service: service.into(), url: url.map(Into::into) };
    let command = |staged: Vec<Staged>| Command::AutomatedTests { key: "k".into(), staged, plugins: named(&["a"]) };
    let checks = || vec![check("a", says("passed"))];
    let reports = done(checks(), 0, command(vec![staged("", None)])).await.unwrap();
    assert_eq!(reports, [of("a", Outcome::Passed, "passed")]);
    // Nobody is there.
    let reports = done(checks(), 0, command(vec![staged("", Some("http://127.0.0.1:9"))])).await.unwrap();
    assert_eq!((reports[0].clone(), reports[1].1), (of("a", Outcome::Passed, "passed"), Outcome::Failed));
    assert!(!reports[1].2.contains(": passed"), "{}", reports[1].2);
    let reports = done(checks(), 0, command(vec![staged("cart", None)])).await.unwrap();
    assert_eq!(reports, [of("a", Outcome::Passed, "cart: passed")]);
}
