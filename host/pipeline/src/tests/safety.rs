//! The safety checks stop what they must, and hold what they cannot tell.

use autodevops_model::{Finding, Metric, Outcome as CheckOutcome, Severity};

use super::scene::{Scene, live, plan, report, started};
use crate::{EventKind, Gate, Input, NamedReport, Outcome, RunStage, SafetyCheck, needs_person};

fn answered(stage: RunStage, outcome: CheckOutcome) -> Scene {
    let mut scene = Scene::new(plan()).until(stage);
    let input = match scene.answer(&scene.command()) {
        Input::Reviewed { key, .. } => Input::Reviewed { key, reports: vec![report("reviewer", outcome)] },
        Input::Checked { key, .. } => Input::Checked { key, reports: vec![report("checker", outcome)] },
        Input::AutomatedTested { key, .. } => Input::AutomatedTested { key, reports: vec![report("prober", outcome)] },
        input => panic!("{input:?}"),
    };
    scene.say(input).unwrap();
    scene
}

fn checked(reports: Vec<NamedReport>, min_coverage: Option<f64>) -> Scene {
    let mut plan = plan();
    plan.min_coverage = min_coverage;
    let mut scene = Scene::new(plan).until(RunStage::Checks);
    scene.say(Input::Checked { key: "r1/checks".into(), reports }).unwrap();
    scene
}

#[test]
fn a_failed_review_check_or_test_hands_the_run_over_and_production_is_not_touched() {
    for stage in [RunStage::CodeReview, RunStage::Checks, RunStage::AutomatedTesting] {
        let (outcome, scene) = answered(stage, CheckOutcome::Failed).outcome();
        assert!(matches!(outcome, Outcome::HandedOver { .. }), "{outcome}");
        assert!(scene.traffic_was().is_empty());
    }
}

#[test]
fn an_inconclusive_review_check_or_test_is_held_until_a_person_speaks() {
    for stage in [RunStage::CodeReview, RunStage::Checks, RunStage::AutomatedTesting] {
        let mut scene = answered(stage, CheckOutcome::Inconclusive);
        assert_eq!((scene.run.stage(), scene.run.gate().map(|gate| gate.gate)), (stage, Some(Gate::Held)));
        let silent = Scene { run: scene.run.clone(), events: scene.events.clone(), ..scene };
        assert!(matches!(silent.outcome().0, Outcome::Aborted { .. }));
        scene.say(Input::Approve { by: "ada".into(), reason: "I looked".into(), bypass: false, link: None }).unwrap();
        assert!(scene.run.stage() > stage);
        assert_eq!(scene.outcome().0, Outcome::Healed, "what was agreed to is not asked again");
    }
}

#[test]
fn a_plugin_that_gives_no_report_is_not_taken_for_content() {
    let mut scene = Scene::new(plan()).until(RunStage::CodeReview);
    scene.say(Input::Reviewed { key: "r1/review".into(), reports: Vec::new() }).unwrap();
    assert!(scene.run.held().unwrap().contains("`reviewer` gave no report"));
}

#[test]
fn coverage_below_what_is_needed_stops_the_run_and_unmeasured_coverage_holds_it() {
    let with = |value: f64| {
        let mut named = report("checker", CheckOutcome::Passed);
        named.report.metrics.push(Metric { name: "line-coverage".into(), value, unit: "ratio".into() });
        vec![named]
    };
    assert_eq!(checked(with(0.8), Some(0.8)).run.stage(), RunStage::Commit);
    let low = checked(with(0.79), Some(0.8));
    assert_eq!(low.run.safety(SafetyCheck::TestCoverage).unwrap().outcome, CheckOutcome::Failed);
    assert!(matches!(low.outcome().0, Outcome::HandedOver { .. }));
    assert!(checked(vec![report("checker", CheckOutcome::Passed)], Some(0.8)).run.held().is_some());
    assert!(checked(with(f64::NAN), Some(0.8)).run.held().is_some());
    assert_eq!(checked(with(0.1), None).run.stage(), RunStage::Commit);
}

#[test]
fn a_grave_finding_of_a_plugin_stops_the_run_even_if_the_plugin_calls_it_passed() {
    let with = |severity| {
        let mut named = report("checker", CheckOutcome::Passed);
        named.report.findings.push(Finding {
            rule: "eval".into(),
            severity,
            message: "the change evaluates input".into(),
            remedy: "parse it".into(),
            location: None,
        });
        vec![named]
    };
    assert_eq!(checked(with(Severity::Warning), None).run.stage(), RunStage::Commit);
    for severity in [Severity::Error, Severity::Critical] {
        let (outcome, scene) = checked(with(severity), None).outcome();
        assert!(outcome.to_string().contains("the change evaluates input"), "{outcome}");
        assert_eq!(scene.run.safety(SafetyCheck::SecurityScan).unwrap().outcome, CheckOutcome::Failed);
    }
}

#[test]
fn without_a_way_back_production_is_not_touched() {
    let mut no_stable = started(plan());
    let mut no_target = started(plan());
    if let EventKind::Started { live: found, .. } = &mut no_stable.event {
        found[0].production = None;
    }
    if let EventKind::Started { capabilities, .. } = &mut no_target.event {
        (capabilities.split_traffic, capabilities.instant_rollback) = (false, false);
    }
    for (first, words) in [(no_stable, "no stable release"), (no_target, "neither roll back at once nor split")] {
        let (outcome, scene) = Scene::of(first).outcome();
        assert!(matches!(&outcome, Outcome::HandedOver { reason } if reason.contains(words)), "{outcome}");
        assert!(scene.traffic_was().is_empty());
    }
    assert!(live().production.is_some());
}

#[test]
fn a_fix_whose_state_outlives_a_rollback_needs_a_persons_word() {
    let mut fix = super::scene::fix("functions/cart.js");
    fix.rollback.previous_release_suffices = false;
    let mut scene = Scene::new(plan());
    scene.say(Input::Proposed { plugin: "recipes".into(), fix }).unwrap();
    let scene = scene.until(RunStage::Approval);
    assert!(scene.run.gate().unwrap().reason.contains("going back to `old` is not enough"));
}

#[test]
fn files_that_decide_what_runs_need_a_person() {
    let table = [
        ("package-lock.json", true),
        ("functions/package.json", true),
        ("a/b/Yarn.lock", true),
        (".github/workflows/ci.yml", true),
        ("Jenkinsfile", true),
        ("autodevops.toml", true),
        ("autodevops.lock", true),
        (".autodevops/prompt.md", true),
        ("functions/index.js", false),
        ("docs/package.json.md", false),
        ("github/cart.js", false),
    ];
    for (path, needed) in table {
        assert_eq!(!needs_person([path]).is_empty(), needed, "{path}");
    }
}

#[test]
fn a_target_that_has_one_way_back_is_enough() {
    for (instant, split, goes_back) in [(true, false, true), (false, true, true), (false, false, false)] {
        let mut first = started(plan());
        let EventKind::Started { capabilities, .. } = &mut first.event else { panic!() };
        (capabilities.instant_rollback, capabilities.split_traffic) = (instant, split);
        let scene = Scene::of(first);
        let verdict = crate::safety::rollback(&scene.run);
        assert_eq!(verdict.outcome == CheckOutcome::Passed, goes_back, "{}", verdict.words);
    }
}

#[test]
fn a_target_that_keeps_no_data_is_refused_only_where_data_must_be_kept() {
    for (preserve, keeps, goes_back) in [(true, false, false), (true, true, true), (false, false, true)] {
        let mut plan = plan();
        (plan.data.preserve, plan.data.guards) = (preserve, vec!["sqlite".into()]);
        let mut first = started(plan);
        let EventKind::Started { capabilities, .. } = &mut first.event else { panic!() };
        capabilities.keeps_state = keeps;
        let verdict = crate::safety::rollback(&Scene::of(first).run);
        assert_eq!(verdict.outcome == CheckOutcome::Passed, goes_back, "{}", verdict.words);
    }
}
