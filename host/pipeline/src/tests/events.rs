//! The events' JSON is kept: a journal of today is read by a build of tomorrow.

use std::time::Duration;

use autodevops_model::{
    Deployment, ErrorKind, Measurement, Observation, Outcome as CheckOutcome, Rate, Since, SnapshotInfo, Split, Window,
};
use serde_json::Value;

use super::scene::{error, fix, plan, release, report, started};
use crate::{
    Awaited, Counted, Environment, Event, EventKind, Former, Gate, Live, Method, Outcome, ReplayError, Retry, Run,
    SafetyCheck, Sample, Signal, Timestamp, VERSION, Verdict,
};

/// One event of each kind, as JSON, one a line.
const SNAPSHOT: &str = include_str!("events.jsonl");

/// The same of the versions before, as builds of those versions wrote them, and how many there were. Never updated.
const BEFORE: [(&str, usize); 2] = [(include_str!("events-1.jsonl"), 34), (include_str!("events-2.jsonl"), 52)];

fn every_kind() -> Vec<Event> {
    let (environment, gate) = (Environment::Production, Gate::Production);
    let text = |text: &str| text.to_owned();
    let window = Window { start: 0, end: 60 };
    let verdict = Verdict {
        service: String::new(),
        outcome: CheckOutcome::Passed,
        rule: text("error-rate above 5.0 %"),
        words: text("failed: 0.0 % of 40 requests, threshold 5.0 %"),
        numbers: vec![(text("rate"), 0.0)],
        window: Some(window.clone()),
        method: Some(Method::Wilson),
        dry_run: false,
    };
    let other = Verdict { dry_run: true, ..verdict.clone() };
    let measurement = Measurement {
        metric: text("error-rate"),
        unit: text("ratio"),
        release: text("new"),
        observation: Observation::Rate(Rate { events: 0, total: 40 }),
        window: window.clone(),
    };
    let sample = Sample {
        service: text(""),
        source: text("edge"),
        origin: crate::Origin::default(),
        observed_by_host: true,
        window,
        measurements: vec![measurement],
    };
    let splits = vec![Split { release: text("old"), percent: 95 }, Split { release: text("new"), percent: 5 }];
    let (reports, reason, by, key) =
        (vec![report("reviewer", CheckOutcome::Passed)], text("because"), text("ada"), text("r1/build"));
    let until = Timestamp(9);
    let complaint = Signal {
        counted: Counted::Complaints,
        id: text("12"),
        by: Some(text("eve")),
        service: None,
        release: None,
        at: until,
        text: text("the cart is empty"),
    };
    let found_in_staging = splits.clone();
    let (verdict_of_counts, reason_to_go_forward) = (verdict.clone(), reason.clone());
    let snapshot = |id: &str| SnapshotInfo { id: text(id), taken: 5, bytes: 1024 };
    let kinds = vec![
        EventKind::Resumed { fence: 8 },
        EventKind::Compared { service: text(""), found: splits.clone() },
        EventKind::Diverged {
            service: text(""),
            found: splits.clone(),
            reason: reason.clone(),
            environment,
            serves: Some(release("hotfix")),
        },
        EventKind::FixProposed { plugin: text("recipes"), fix: fix("functions/cart.js") },
        EventKind::NoFix { reason: reason.clone() },
        EventKind::Reviewed { reports: reports.clone(), verdict: verdict.clone() },
        EventKind::TestsGenerated { tests: Vec::new() },
        EventKind::Checked { reports: reports.clone(), verdict: verdict.clone() },
        EventKind::SafetyChecked { check: SafetyCheck::CodeQuality, verdict: verdict.clone() },
        EventKind::Committed { branch: text("fix/1"), commit: text("c0ffee") },
        EventKind::Built { service: text(""), release: release("new") },
        EventKind::EffectIntended {
            service: text(""),
            key: key.clone(),
            fence: 7,
            environment: Some(environment),
            splits: splits.clone(),
        },
        EventKind::EffectDone { key: key.clone() },
        EventKind::EffectFailed {
            key: key.clone(),
            error: error(ErrorKind::Unavailable),
            attempt: 1,
            retry: Some(until),
        },
        EventKind::Deployed {
            service: text(""),
            environment,
            key: key.clone(),
            deployment: Deployment { release: release("new"), url: None },
        },
        EventKind::TrafficSet { service: text(""), environment, key, splits },
        EventKind::AutomatedTested { reports, verdict: verdict.clone() },
        EventKind::TrafficReturned { service: text(""), environment, to: text("old") },
        EventKind::StepEntered { environment, percent: 5, until },
        EventKind::Measured { samples: vec![sample], error: None },
        EventKind::Judged { verdict, others: vec![other] },
        EventKind::StepPassed { environment, percent: 5, reason: reason.clone() },
        EventKind::StepExtended { until, extension: 1, reason: reason.clone() },
        EventKind::Held { reason: reason.clone() },
        EventKind::ApprovalAsked { gate, until, reason: reason.clone() },
        EventKind::Approved { by: by.clone(), reason: reason.clone(), bypass: false, link: None },
        EventKind::GatePassed { gate, reason: reason.clone() },
        EventKind::Rejected { by: by.clone(), reason: reason.clone(), link: None },
        EventKind::ApprovalExpired { gate: Gate::Held },
        EventKind::AbortRequested { by: by.clone(), reason: reason.clone() },
        EventKind::RollbackRequested { by: by.clone(), reason: reason.clone() },
        EventKind::TurnedBack { outcome: Outcome::HandedOver { reason: reason.clone() } },
        EventKind::RolledBack { service: text(""), environment, to: text("old"), reason: reason.clone() },
        EventKind::RollbackChecked { needed: false, reason: reason.clone() },
        EventKind::Finished { outcome: Outcome::Healed },
        EventKind::HoldRequested { by: by.clone(), reason: reason.clone() },
        EventKind::ResumeRequested { by: by.clone(), reason: reason.clone() },
        EventKind::SkipRequested { by: by.clone(), reason: reason.clone() },
        EventKind::ExtendRequested { by: by.clone(), reason: reason.clone(), until },
        EventKind::Approved { by: by.clone(), reason: reason.clone(), bypass: false, link: Some(text("1/chat")) },
        EventKind::Rejected { by: by.clone(), reason: reason.clone(), link: Some(text("1/chat")) },
        EventKind::Acknowledged { by, reason: reason.clone(), link: Some(text("1/chat")) },
        EventKind::Escalated { level: 1, reason: reason.clone() },
        EventKind::WatchKept { environment, percent: 100 },
        EventKind::Frozen { until, reason },
        EventKind::StableBroken { reason: text("because") },
        EventKind::Signalled { signal: complaint },
        EventKind::CountReached { verdict: verdict_of_counts.clone() },
        EventKind::StableLooked { verdict: verdict_of_counts },
        EventKind::StagingFound { service: text("cart"), found: found_in_staging },
        EventKind::RollForwardRequested { by: text("ada"), reason: reason_to_go_forward },
        EventKind::SnapshotTaken { plugin: text("keeper"), key: text("r1/snapshot/keeper"), snapshot: snapshot("s1") },
        EventKind::DataRestored {
            plugin: text("keeper"),
            key: text("r1/restore/keeper"),
            snapshot: text("s1"),
            before: Some(snapshot("s2")),
            since: Some(Since::Changed(text("it grew"))),
        },
        EventKind::DataRestored {
            plugin: text("keeper"),
            key: text("r1/restore/keeper"),
            snapshot: text("s1"),
            before: None,
            since: Some(Since::Unchanged),
        },
        EventKind::DataKept { reason: text("because") },
        EventKind::SnapshotOutdated { reason: text("because") },
        EventKind::ClockWentBack { behind: Duration::from_millis(3_600_500), reason: text("because") },
        EventKind::BaselineDeployed {
            service: text("cart"),
            key: text("r1/deploy/baseline/cart"),
            deployment: Deployment { release: release("new-baseline"), url: None },
        },
        EventKind::ServicesAwaited { of: Awaited { run: text("r0"), services: vec![text("cart")] } },
        EventKind::ServicesClaimed { services: vec![text("cart"), text("shop")], fence: 8 },
        EventKind::BegunAnew {
            base: text("c0ffee"),
            live: vec![Live { staging: None, production: Some(release("old")) }],
            reason: text("because"),
        },
    ];
    let event = |event| Event { v: VERSION, at: Timestamp(1), event };
    let retry = Some(Retry { by: text("ada"), reason: text("because") });
    let rolled_back = Some(text("r0"));
    let outcome = Outcome::Aborted { reason: text("because") };
    let again = started(plan()).following(Some(Former { run: text("r0"), outcome, rolled_back, retry }));
    std::iter::once(started(plan())).chain(kinds.into_iter().map(event)).chain([again]).collect()
}

#[test]
fn every_kind_of_event_has_the_json_it_always_had() {
    let lines: Vec<_> = every_kind().iter().map(|event| serde_json::to_string(event).unwrap()).collect();
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/tests/events.jsonl");
        std::fs::write(path, format!("{}\n", lines.join("\n"))).unwrap();
        return;
    }
    assert_eq!(SNAPSHOT.lines().collect::<Vec<_>>(), lines, "run with UPDATE_SNAPSHOTS=1 if it is meant");
}

#[test]
fn every_kind_of_event_comes_back_from_its_json() {
    for (line, event) in SNAPSHOT.lines().zip(every_kind()) {
        assert_eq!(serde_json::from_str::<Event>(line).unwrap(), event);
        assert!(line.contains(&format!("\"type\":\"{}\"", event.event.name())), "{line}");
    }
}

/// Whether everything in the old value is in the new one, which may have more fields.
fn grew(old: &Value, new: &Value) -> bool {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            old.iter().all(|(key, old)| new.get(key).is_some_and(|new| grew(old, new)))
        }
        // There is a list of what there was one of.
        (old @ Value::Object(_), Value::Array(new)) => matches!(new.as_slice(), [new] if grew(old, new)),
        (Value::Array(old), Value::Array(new)) => {
            old.len() == new.len() && old.iter().zip(new).all(|(old, new)| grew(old, new))
        }
        (old, new) => old == new,
    }
}

#[test]
fn every_kind_of_event_of_an_older_version_is_read_as_what_it_was() {
    for (version, (lines, kinds)) in (1..).zip(BEFORE) {
        for line in lines.lines() {
            let old: Value = serde_json::from_str(line).unwrap();
            let new = serde_json::to_value(Event::read(old.clone()).unwrap()).unwrap();
            assert_eq!((&old["v"], &new["v"]), (&Value::from(version), &Value::from(VERSION)));
            assert!(old["at"] == new["at"] && grew(&old["event"], &new["event"]), "{old}\nis read as\n{new}");
        }
        assert_eq!(lines.lines().count(), kinds);
    }
    assert_eq!(BEFORE.len(), VERSION as usize - 1);
}

#[test]
fn a_run_of_an_older_version_is_of_the_one_service_that_its_plan_named() {
    for (lines, _) in BEFORE {
        let first = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
        let run = Run::start(&Event::read(first).unwrap()).unwrap();
        let member = run.members().next().unwrap();
        assert_eq!((member.name(), member.label(), run.members().count()), (run.plan().service.as_str(), "", 1));
        assert_eq!(member.place(Environment::Production), run.plan().production);
        assert_eq!(member.live().production, Some(release("old")));
    }
}

#[test]
fn an_unknown_field_is_an_error_in_the_event_and_in_what_it_holds() {
    for line in SNAPSHOT.lines() {
        for (place, with) in [("{\"v\":", "{\"surprise\":1,\"v\":"), ("{\"type\":", "{\"surprise\":1,\"type\":")] {
            let strange = line.replacen(place, with, 1);
            assert_ne!(strange, line);
            assert!(serde_json::from_str::<Event>(&strange).is_err(), "{strange}");
        }
    }
}

#[test]
fn events_that_are_no_run_are_refused() {
    let all = every_kind();
    let named = |name: &str| all.iter().find(|event| event.event.name() == name).unwrap();
    let (first, held, finished) = (&all[0], named("held"), named("finished"));
    assert_eq!(Run::replay(&[]), Err(ReplayError::Empty));
    assert_eq!(Run::replay(std::slice::from_ref(held)), Err(ReplayError::NotStarted { found: "held" }));
    assert_eq!(Run::replay(&[first.clone(), first.clone()]), Err(ReplayError::StartedTwice { index: 1 }));
    let newer = Event { v: VERSION + 1, ..held.clone() };
    assert_eq!(Run::replay(&[first.clone(), newer]), Err(ReplayError::Version { index: 1, found: VERSION + 1 }));
    let after = [first.clone(), finished.clone(), held.clone()];
    assert_eq!(Run::replay(&after), Err(ReplayError::AfterEnd { index: 2 }));
}

#[test]
fn a_plan_that_cannot_be_followed_starts_no_run() {
    type Spoil = fn(&mut crate::Plan);
    let wrong: [(&str, Spoil); 17] = [
        ("do not grow", |plan| plan.steps.swap(0, 1)),
        ("do not grow", |plan| plan.steps[0].percent = 0),
        ("do not grow", |plan| plan.steps[1].percent = plan.steps[0].percent),
        ("do not grow", |plan| plan.steps.clear()),
        ("last step is not 100 %", |plan| plan.steps.iter_mut().for_each(|step| step.percent += 1)),
        ("of no service", |plan| plan.services.clear()),
        ("all its triggers are dry runs", |plan| plan.triggers.iter_mut().for_each(|trigger| trigger.dry_run = true)),
        ("counts to zero", |plan| plan.counts[1].at_least = 0),
        ("no plugin keeps it", |plan| plan.data.preserve = true),
        ("more approvals", |plan| plan.approval.count = 0),
        ("tells nobody", |plan| plan.escalation = vec![crate::Level { after: plan.interval, notifiers: Vec::new() }]),
        ("last step is not 100 %", |plan| plan.steps.truncate(3)),
        ("interval between measurements is zero", |plan| plan.interval = std::time::Duration::ZERO),
        ("no trigger", |plan| plan.triggers.clear()),
        ("more approvals", |plan| (plan.approval.count, plan.approval.approvers) = (2, vec!["ada".into()])),
        ("approvers who may approve", |plan| {
            plan.approval.approvers = vec!["AutoDevOps".into()];
            plan.approval.author = "autodevops <bot@example.com>".into();
        }),
        ("no later than the one before", |plan| {
            let level = crate::Level { after: plan.interval, notifiers: vec!["chat".into()] };
            plan.escalation = vec![level.clone(), level];
        }),
    ];
    for (words, spoil) in wrong {
        let mut plan = plan();
        spoil(&mut plan);
        let error = Run::start(&started(plan)).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn a_plan_at_the_edge_of_what_can_be_followed_starts_a_run() {
    let mut plan = plan();
    plan.approval.approvers = vec!["ada".into(), "bob".into()];
    plan.approval.count = 2;
    plan.triggers[1].dry_run = true;
    plan.counts[0].at_least = 1;
    (plan.data.preserve, plan.data.guards) = (true, vec!["sqlite".into()]);
    let level = |seconds, notifier: &str| crate::Level {
        after: std::time::Duration::from_secs(seconds),
        notifiers: vec![notifier.into()],
    };
    plan.escalation = vec![level(0, "chat"), level(1, "pager")];
    Run::start(&started(plan.clone())).unwrap();
    // Where nobody is named, anyone may approve, and as many as are wanted.
    (plan.approval.approvers, plan.approval.count) = (Vec::new(), 3);
    plan.steps = plan.steps.split_off(3);
    Run::start(&started(plan)).unwrap();
}

#[test]
fn numbers_that_json_does_not_know_come_back_from_the_journal() {
    use super::scene::Scene;
    let (_, scene) = Scene::new(plan()).outcome();
    let line = |event: &Event| serde_json::to_string(event).unwrap();
    for event in &scene.events {
        assert_eq!(serde_json::from_str::<Event>(&line(event)).unwrap(), *event);
    }
}

#[test]
fn a_method_is_called_as_in_its_json() {
    use Method::{Count, Error, HardTrip, MannWhitney, MinSamples, NoData, Quantile, Sprt, TwoProportions, Wilson};
    for method in [HardTrip, MinSamples, NoData, Error, Wilson, Sprt, TwoProportions, Quantile, MannWhitney, Count] {
        assert_eq!(serde_json::to_value(method).unwrap(), method.name());
    }
}

#[test]
fn what_is_known_of_a_source_is_on_record_though_it_is_half_of_it() {
    for (publisher, component) in [("acme", ""), ("", "sha256:1")] {
        let origin = crate::Origin { publisher: publisher.into(), component: component.into() };
        let window = Window { start: 0, end: 60 };
        let (service, source, measurements) = (String::new(), "monitor".into(), Vec::new());
        let sample = Sample { service, source, origin, observed_by_host: false, window, measurements };
        let line = serde_json::to_string(&sample).unwrap();
        assert_eq!(serde_json::from_str::<Sample>(&line).unwrap(), sample);
    }
}
