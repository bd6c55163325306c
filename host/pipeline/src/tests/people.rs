//! What people can say, and when.

use autodevops_model::Outcome as CheckOutcome;

use super::scene::{Scene, fix, plan, report, started};
use crate::{Command, Environment, EventKind, Former, Gate, Input, Outcome, Plan, Refused, Retry, RunStage};

fn approve(by: &str) -> Input {
    Input::Approve { by: by.into(), reason: String::new(), bypass: false, link: None }
}

fn bypass(by: &str, reason: &str) -> Input {
    Input::Approve { by: by.into(), reason: reason.into(), bypass: true, link: None }
}

fn guarded() -> Plan {
    let mut plan = plan();
    plan.approval.required = true;
    plan.approval.approvers = vec!["ada".into(), "bob".into(), "cyd".into()];
    plan.approval.count = 2;
    plan
}

fn at_gate(plan: Plan) -> Scene {
    let scene = Scene::new(plan).until(RunStage::Approval);
    assert_eq!(scene.run.gate().map(|gate| gate.gate), Some(Gate::Production));
    scene
}

#[test]
fn production_waits_for_so_many_different_approvers() {
    let mut scene = at_gate(guarded());
    assert!(matches!(scene.commands()[..], [Command::AskApproval { .. }, Command::WaitUntil(_)]));
    assert!(matches!(scene.say(approve("mallory")), Err(Refused::NotApprover { .. })));
    scene.say(approve("ada")).unwrap();
    assert_eq!(scene.say(approve("ada")), Err(Refused::AlreadyApproved { by: "ada".into(), missing: 1 }));
    assert_eq!(scene.run.stage(), RunStage::Approval);
    assert_eq!(scene.run.gate().unwrap().approved[0].by, "ada");
    scene.say(approve("bob")).unwrap();
    assert_eq!(scene.run.stage(), RunStage::ProductionDeploy);
    assert_eq!(scene.outcome().0, Outcome::Healed);
}

#[test]
fn where_no_approver_is_named_anyone_who_may_speak_approves() {
    let mut plan = plan();
    plan.approval.required = true;
    let mut scene = at_gate(plan);
    scene.say(approve("uid:1000")).unwrap();
    assert_eq!(scene.run.stage(), RunStage::ProductionDeploy);
}

#[test]
fn an_answer_to_a_numbered_question_is_one_to_that_alone() {
    let of = |question, word| Input::Answer { question, word: Box::new(word) };
    let reject = || Input::Reject { by: "ada".into(), reason: "no".into(), link: None };
    let mut scene = at_gate(guarded());
    for word in [approve("ada"), reject()] {
        let refused = scene.say(of(2, word)).unwrap_err();
        let words = "question 2 of run `r1` is not the one that is open; that is question 1: production requires approval; answer it with \
                     `--question 1`";
        assert_eq!(refused.to_string(), words);
    }
    scene.say(of(1, approve("ada"))).unwrap();
    // Someone deploys past the run: what was asked before is open no more.
    let fence = scene.run.fence() + 1;
    scene.say(Input::Resume { fence }).unwrap();
    let all = |release: &str| vec![autodevops_model::Split { release: release.into(), percent: 100 }];
    let found = vec![crate::Found { service: String::new(), splits: all("hotfix"), whole: None, staging: all("new") }];
    scene.say(Input::Serving { key: scene.run.compare_key(), found }).unwrap();
    assert_eq!(scene.run.gate().map(|gate| gate.number), Some(2));
    assert!(matches!(scene.say(of(1, approve("bob"))), Err(Refused::AnotherQuestion { question: 1, open: 2, .. })));
    scene.say(of(2, approve("bob"))).unwrap();
    // Where nothing is asked, that is told.
    let mut early = Scene::new(guarded()).until(RunStage::Checks);
    assert!(matches!(early.say(of(1, approve("ada"))), Err(Refused::NothingToApprove { .. })));
}

#[test]
fn silence_aborts_and_never_approves() {
    let (outcome, scene) = at_gate(guarded()).outcome();
    assert_eq!(outcome, Outcome::Aborted { reason: "nobody approved in time".into() });
    assert!(scene.traffic_was().is_empty());
}

#[test]
fn an_answer_after_the_time_ran_out_is_not_taken() {
    let mut scene = at_gate(guarded());
    scene.now = scene.run.gate().unwrap().until;
    assert_eq!(scene.say(approve("ada")), Err(Refused::Expired { run: "r1".into() }));
}

#[test]
fn the_emergency_bypass_is_off_until_it_is_set_and_needs_an_approver_and_a_reason() {
    let mut scene = at_gate(guarded());
    let refused = scene.say(bypass("ada", "the shop is down")).unwrap_err();
    assert!(matches!(refused, Refused::BypassOff { count: 2, .. }));
    assert!(refused.to_string().contains("`emergency-bypass = true` in [approval]"), "{refused}");
    let mut plan = guarded();
    plan.approval.emergency_bypass = true;
    let mut scene = at_gate(plan);
    assert_eq!(scene.say(bypass("ada", "  ")), Err(Refused::BypassWithoutReason));
    assert!(matches!(scene.say(bypass("mallory", "let me")), Err(Refused::NotApprover { .. })));
    scene.say(bypass("ada", "the shop is down")).unwrap();
    assert_eq!(scene.run.stage(), RunStage::ProductionDeploy);
    assert!(scene.has(|event| matches!(event, EventKind::Approved { by, bypass: true, .. } if by == "ada")));
}

#[test]
fn a_refusal_ends_the_run() {
    let mut scene = at_gate(guarded());
    let reject = |by: &str| Input::Reject { by: by.into(), reason: "not on a Friday".into(), link: None };
    assert!(matches!(scene.say(reject("mallory")), Err(Refused::NotApprover { .. })));
    scene.say(reject("bob")).unwrap();
    assert_eq!(scene.outcome().0, Outcome::Aborted { reason: "rejected by bob: not on a Friday".into() });
}

#[test]
fn nobody_can_approve_what_is_not_asked() {
    let mut scene = Scene::new(guarded()).until(RunStage::Checks);
    assert!(matches!(scene.say(approve("ada")), Err(Refused::NothingToApprove { stage: "checks", .. })));
}

#[test]
fn an_abort_is_honoured_in_every_stage_and_production_serves_stable_after_it() {
    let mut whole = Scene::new(plan());
    let mut aborted = 0;
    while !matches!(whole.command(), Command::Finish(_)) {
        let mut scene = Scene { run: whole.run.clone(), events: whole.events.clone(), ..whole };
        let abort = Input::Abort { by: "ada".into(), reason: "enough".into() };
        match scene.say(abort) {
            Ok(_) => {
                let (outcome, scene) = scene.outcome();
                assert_eq!(outcome, Outcome::Aborted { reason: "by ada: enough".into() });
                assert_eq!(scene.production(), [("old", 100)]);
                aborted += 1;
            }
            Err(refused) => assert!(matches!(refused, Refused::Ending { .. }), "{refused}"),
        }
        whole.go();
    }
    assert!(aborted > 25, "{aborted}");
}

#[test]
fn an_abort_between_the_intent_and_the_outcome_of_a_promotion_goes_back_all_the_same() {
    let mut scene = Scene::new(plan()).until(RunStage::Rollout);
    let key = scene.command().key().unwrap().to_owned();
    scene.say(Input::Intent { key }).unwrap();
    scene.say(Input::Abort { by: "ada".into(), reason: "enough".into() }).unwrap();
    assert!(matches!(scene.command(), Command::SetTraffic { key, splits, .. }
        if key == "r1/rollback/production" && splits[0].release == "old" && splits[0].percent == 100));
    assert_eq!(scene.outcome().1.production(), [("old", 100)]);
}

#[test]
fn a_promotion_that_is_reported_after_the_rollback_is_rolled_back_again() {
    let mut plan = plan();
    plan.notifiers = vec!["chat".into()];
    let mut scene = Scene::new(plan).until_step(5);
    while scene.run.watch().is_some() {
        scene.go();
    }
    let key = scene.command().key().unwrap().to_owned();
    assert_eq!(key, "r1/traffic/production/25");
    scene.say(Input::Intent { key: key.clone() }).unwrap();
    scene.say(Input::Abort { by: "ada".into(), reason: "enough".into() }).unwrap();
    scene.go();
    assert_eq!(scene.production(), [("old", 100)]);
    scene.say(Input::Effect { key, outcome: crate::EffectOutcome::Done }).unwrap();
    assert_eq!(scene.production(), [("old", 75), ("new", 25)]);
    assert_eq!(scene.command().key(), Some("r1/rollback/production/2"));
    assert_eq!(scene.outcome().1.production(), [("old", 100)]);
}

#[test]
fn a_rollback_needs_something_to_take_back() {
    let rollback = || Input::Rollback { by: "ada".into(), reason: "I saw it fail".into() };
    let mut early = Scene::new(plan()).until(RunStage::ProductionDeploy);
    assert!(matches!(early.say(rollback()), Err(Refused::NothingToRollBack { .. })));
    for percent in [5, 100] {
        let mut scene = Scene::new(plan()).until_step(percent);
        scene.say(rollback()).unwrap();
        assert!(matches!(scene.say(rollback()), Err(Refused::Ending { .. })));
        let (outcome, mut scene) = scene.outcome();
        assert_eq!(outcome, Outcome::RolledBack { reason: "by ada: I saw it fail".into() });
        assert_eq!(scene.production(), [("old", 100)]);
        let refused = scene.say(rollback()).unwrap_err();
        assert!(matches!(refused, Refused::Finished { .. }));
        let words = refused.to_string();
        assert!(
            words.contains("is over (") && words.ends_with("; `autodevops retry r1 --reason …` tries again"),
            "{words}"
        );
    }
}

#[test]
fn what_a_run_that_healed_released_is_taken_back_by_another_word_than_the_runs() {
    let (outcome, mut scene) = Scene::new(plan()).outcome();
    assert_eq!(outcome, Outcome::Healed);
    let words = scene.say(Input::Abort { by: "ada".into(), reason: String::new() }).unwrap_err().to_string();
    let expected = "run `r1` is over (healed), see `autodevops show r1`; what it released is taken back with `autodevops rollback production`";
    assert_eq!(words, expected);
}

#[test]
fn who_gives_no_reason_is_told_of_without_one() {
    let said = |input: Input, mut scene: Scene| {
        scene.say(input).unwrap();
        scene.outcome().0.to_string()
    };
    for reason in ["", " "] {
        let (by, reason) = (|| "ada".to_owned(), || reason.to_owned());
        let abort = Input::Abort { by: by(), reason: reason() };
        assert_eq!(said(abort, Scene::new(plan()).until_step(5)), "aborted: by ada");
        let back = Input::Rollback { by: by(), reason: reason() };
        assert_eq!(said(back, Scene::new(plan()).until_step(5)), "rolled back: by ada");
    }
    let abort = Input::Abort { by: "ada".into(), reason: "late".into() };
    assert_eq!(said(abort, Scene::new(plan()).until_step(5)), "aborted: by ada: late");
}

#[test]
fn a_fix_of_a_lockfile_needs_a_person_whatever_the_plan_says() {
    let mut scene = Scene::new(plan());
    scene.say(Input::Proposed { plugin: "recipes".into(), fix: fix("web/package-lock.json") }).unwrap();
    let scene = scene.until(RunStage::Approval);
    let reason = &scene.run.gate().unwrap().reason;
    assert_eq!(reason, "the change touches `web/package-lock.json`: it decides what is installed");
}

#[test]
fn a_stage_without_plugins_is_not_taken_for_passed_a_person_is_asked_before_production() {
    let mut plan = plan();
    (plan.review, plan.checks, plan.automated) = (Vec::new(), Vec::new(), Vec::new());
    let scene = Scene::new(plan).until(RunStage::Approval);
    let reason = &scene.run.gate().unwrap().reason;
    assert!(reason.contains("code-quality: no plugin is set for code review"), "{reason}");
    assert!(reason.contains("security-scan: no plugin scanned the change"), "{reason}");
    assert!(scene.run.members().all(|member| member.deployment(Environment::Production).is_none()));
}

#[test]
fn reports_of_plugins_that_do_not_scan_are_no_security_scan() {
    let mut reviewed = report("code-review", CheckOutcome::Passed);
    assert_eq!(crate::safety::security([&reviewed]).outcome, CheckOutcome::Passed);
    reviewed.report.metrics.clear();
    let verdict = crate::safety::security([&reviewed]);
    assert_eq!(verdict.outcome, CheckOutcome::Inconclusive);
    assert!(verdict.words.starts_with("no plugin scanned the change"), "{}", verdict.words);
}

#[test]
fn what_had_to_be_taken_back_before_goes_to_production_by_a_persons_word_alone() {
    let former = |rolled_back: Option<&str>| Former {
        run: "r0".into(),
        outcome: Outcome::Aborted { reason: "late".into() },
        rolled_back: rolled_back.map(str::to_owned),
        retry: Some(Retry { by: "ada".into(), reason: "the network was down".into() }),
    };
    // The plan asks nobody.
    let (outcome, scene) = Scene::of(started(plan()).following(Some(former(None)))).outcome();
    assert_eq!(outcome, Outcome::Healed);
    assert_eq!(scene.run.former().unwrap().run, "r0");
    let scene = Scene::of(started(plan()).following(Some(former(Some("r0"))))).until(RunStage::Approval);
    let gate = scene.run.gate().expect("a person is asked");
    assert!(gate.reason.contains("the release of run r0, for the same fault, was taken back"), "{}", gate.reason);
}
