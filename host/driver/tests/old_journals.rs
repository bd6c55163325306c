//! Journals as builds wrote them: today's build opens each, and makes of it what the build that wrote it made.
//!
//! `journals/events-N.db` holds runs whose events have version N, `journals/events-N.json` what they amounted to for the build that
//! wrote them. Neither is ever changed. A release adds a pair for each version of events or of the file's format that it brings: the
//! journal is written by `WRITE_JOURNAL=… cargo test -p autodevops-simulation --test journal`, and what it amounts to by this test, where
//! that is not there yet. While no release has a version yet, and its shape goes on changing, its pair is removed and made anew. Of
//! version 2 no journal was kept, but one event of each kind (`pipeline/src/tests/events-2.jsonl`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{collections::BTreeSet, path::Path};

use autodevops_driver::log::{Logged, RunLog};
use autodevops_journal::Journal;
use autodevops_pipeline::{Environment, Run, SafetyCheck, Timestamp, VERSION};
use serde_json::{Value, json};

/// A copy of a committed journal, which is opened as any other.
fn journal(name: &str) -> (tempfile::TempDir, RunLog) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    std::fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/journals").join(name), &path).unwrap();
    let log = RunLog::new(Journal::open(path).unwrap());
    (folder, log)
}

/// A journal that is committed.
struct Written {
    /// The version of its events.
    version: u32,
    runs: usize,
    /// Its runs that are not over.
    unfinished: &'static [&'static str],
    /// The fence that comes next.
    fence: u64,
    /// Kinds of its events, all that there were when it was written, or nearly.
    kinds: usize,
}

const WRITTEN: [Written; 2] = [
    Written {
        version: 1,
        runs: 10,
        unfinished: &["waiting-1", "rolling-out-1", "rolling-back-1"],
        fence: 10,
        kinds: 34,
    },
    Written {
        version: 3,
        runs: 20,
        unfinished: &["r5001", "r5002", "r5003", "r5004", "r5005", "r5006", "r5007"],
        fence: 8,
        kinds: 56,
    },
];

impl Written {
    fn open(&self) -> (tempfile::TempDir, RunLog) {
        journal(&format!("events-{}.db", self.version))
    }

    /// What its runs amounted to. Of a journal that was written just now it is written, too.
    fn wanted(&self, log: &RunLog) -> Vec<Value> {
        let path = format!("{}/tests/journals/events-{}.json", env!("CARGO_MANIFEST_DIR"), self.version);
        let text = std::fs::read_to_string(&path).unwrap_or_else(|_| {
            let states: Vec<Value> = log.all().unwrap().iter().map(|logged| self.state(&logged.run)).collect();
            std::fs::write(&path, format!("{}\n", serde_json::to_string_pretty(&states).unwrap())).unwrap();
            panic!("{path} was not there; it is now: commit it beside the journal")
        });
        serde_json::from_str(&text).unwrap()
    }

    /// What a run's events amount to, as far as others can see it: what there was in that version.
    fn state(&self, run: &Run) -> Value {
        let mut state = state(run);
        if self.version >= 3 {
            let since = since_version_3(run);
            state.as_object_mut().unwrap().extend(since.as_object().unwrap().clone());
        }
        state
    }
}

/// What came with version 2 and 3: several services, data, signals, freezes, holds.
fn since_version_3(run: &Run) -> Value {
    let services: Vec<Value> = run
        .members()
        .map(|member| {
            let lane = |environment| {
                let (deployment, traffic) = (member.deployment(environment), member.traffic(environment));
                json!({ "place": member.place(environment), "deployment": deployment, "traffic": traffic, "stable": member.stable(environment) })
            };
            json!({
                "name": member.name(),
                "release": member.release(),
                "fresh-baseline": member.fresh_baseline(),
                "staging": lane(Environment::Staging),
                "production": lane(Environment::Production),
            })
        })
        .collect();
    let snapshots: Vec<Value> =
        run.snapshots().iter().map(|(guard, snapshot)| json!({ "guard": guard, "snapshot": snapshot })).collect();
    json!({
        "services": services,
        "snapshots": snapshots,
        "signals": run.signals(),
        "frozen": run.frozen(),
        "on-hold": run.on_hold().is_some(),
        "exposed": run.exposed(),
    })
}

/// What a run's events amount to, as far as others could see it from the first version on.
fn state(run: &Run) -> Value {
    // There was one service then.
    let member = run.members().next().unwrap();
    let lane =
        |environment| json!({ "deployment": member.deployment(environment), "traffic": member.traffic(environment) });
    let safety: Vec<Value> = SafetyCheck::ALL
        .iter()
        .filter_map(|check| Some(json!({ "check": check.name(), "outcome": run.safety(*check)?.outcome })))
        .collect();
    let watch = run.watch().map(|watch| {
        json!({
            "environment": watch.environment,
            "percent": watch.percent,
            "started": watch.started,
            "until": watch.until,
            "extensions": watch.extensions,
            "measured": watch.measured,
            "strikes": watch.strikes.iter().map(|strike| strike.windows).max().unwrap_or(0),
            "errors": watch.errors,
            "verdict": watch.verdict.as_ref().map(|verdict| &verdict.words),
        })
    });
    let gate = run.gate().map(|gate| {
        let approved: Vec<&str> = gate.approved.iter().map(|approved| approved.by.as_str()).collect();
        json!({ "gate": gate.gate, "until": gate.until, "reason": gate.reason, "approved": approved })
    });
    let effect = |effect: &autodevops_pipeline::Effect| {
        let (key, fence) = (&effect.key, effect.fence);
        json!({ "key": key, "fence": fence, "environment": effect.environment, "splits": effect.splits })
    };
    let next: Vec<Option<String>> =
        run.commands(run.last_event_at()).iter().map(|command| command.key().map(str::to_owned)).collect();
    json!({
        "run": run.id(),
        "stage": run.stage().name(),
        "fence": run.fence(),
        "base": run.base(),
        "started": run.started_at(),
        "last-event": run.last_event_at(),
        "fingerprint": run.issue().fingerprint,
        "service": run.plan().service,
        "plugin": run.plugin(),
        "fix": run.fix(),
        "changed": run.changed(),
        "branch": run.branch(),
        "commit": run.commit(),
        "release": member.release(),
        "reviews": run.reviews().len(),
        "checks": run.checks().len(),
        "safety": safety,
        "staging": lane(Environment::Staging),
        "production": lane(Environment::Production),
        "steps-passed": run.steps_passed(),
        "watch": watch,
        "gate": gate,
        "held": run.held(),
        "pending": run.pending().map(effect).collect::<Vec<_>>(),
        "ending": run.ending(),
        "outcome": run.outcome(),
        "next": next,
    })
}

#[test]
fn a_journal_of_each_version_opens_and_amounts_to_what_it_amounted_to() {
    for written in &WRITTEN {
        let (_folder, log) = written.open();
        let (wanted, all) = (written.wanted(&log), log.all().unwrap());
        assert_eq!((all.len(), wanted.len()), (written.runs, written.runs), "no run is left out");
        for (Logged { run, .. }, wanted) in all.iter().zip(&wanted) {
            assert_eq!(written.state(run), *wanted, "version {}: {}", written.version, run.id());
        }
        let unfinished = log.unfinished().unwrap();
        let unfinished: Vec<&str> = unfinished.iter().map(|logged| logged.run.id()).collect();
        assert_eq!(unfinished, written.unfinished);
        let fence = log.journal().next_fence("effects").unwrap();
        assert_eq!(fence, written.fence, "fences go on from where they were");
    }
}

#[test]
fn the_journal_of_this_version_has_this_version_and_every_journal_its_own() {
    assert_eq!(WRITTEN.last().map(|written| written.version), Some(VERSION), "a new version has a journal of its own");
    for written in &WRITTEN {
        let (_folder, log) = written.open();
        for logged in log.all().unwrap() {
            let records = log.journal().events(logged.run.id()).unwrap();
            let plain = records.iter().filter(|record| record.event.get("evidence").is_none());
            let versions: BTreeSet<u64> = plain.map(|record| record.event["v"].as_u64().unwrap()).collect();
            assert_eq!(versions, BTreeSet::from([written.version.into()]), "{}", logged.run.id());
        }
    }
}

#[test]
fn what_somebody_put_after_the_end_of_a_run_keeps_no_other_run_from_going_on() {
    let (_folder, log) = journal("events-1.db");
    let version = log.read("healed-1").unwrap().unwrap().version;
    log.journal().append("healed-1", version, &[json!({ "event": { "type": "approved" } })], 1).unwrap();
    assert!(log.read("healed-1").is_err());
    assert_eq!(log.unfinished().unwrap().len(), 3);
}

#[test]
fn each_journal_has_the_kinds_of_event_that_there_were() {
    for written in &WRITTEN {
        let (_folder, log) = written.open();
        let all = log.all().unwrap();
        let kinds: BTreeSet<&str> =
            all.iter().flat_map(|logged| &logged.events).map(|event| event.event.name()).collect();
        assert!(kinds.len() >= written.kinds, "version {}: {kinds:?}", written.version);
    }
    let (_folder, log) = journal("events-1.db");
    let evidence =
        log.journal().events("healed-1").unwrap().into_iter().find(|record| record.event.get("evidence").is_some());
    assert!(evidence.is_some(), "one event lies beside its record");
}

#[test]
fn a_run_of_an_older_version_goes_on_in_todays_and_is_read_with_both() {
    let (_folder, log) = journal("events-1.db");
    let Logged { mut run, version, .. } = log.read("waiting-1").unwrap().unwrap();
    let at = run.last_event_at();
    let approve = autodevops_pipeline::Input::Approve {
        by: "bob".into(),
        reason: "looks right".into(),
        bypass: false,
        link: None,
    };
    let events = run.decide(approve, Timestamp(at.0 + 1)).unwrap();
    assert!(events.iter().all(|event| event.v == VERSION));
    log.append("waiting-1", version, &events, &[]).unwrap();
    for event in &events {
        run.apply(event);
    }
    assert_eq!(run.stage().name(), "production-deploy");
    assert_eq!(log.read("waiting-1").unwrap().unwrap().run, run);
}

#[test]
fn a_run_of_a_newer_version_is_refused_with_both_versions_and_left_as_it_is() {
    let (_folder, log) = journal("events-1.db");
    let newer = json!({ "v": VERSION + 1, "at": 0, "event": { "type": "teleported" } });
    let last = json!({ "v": VERSION + 1, "at": 0, "event": { "type": "finished", "because": "done" } });
    log.journal().append("newer-1", 0, std::slice::from_ref(&newer), 0).unwrap();
    let refused = format!("event 1: it has version {} of the events' shape, this autodevops knows", VERSION + 1);
    let error = format!("{:#}", log.read("newer-1").unwrap_err());
    assert!(error.contains(&refused) && error.contains("use the newer one that wrote it"), "{error}");
    // Nobody may begin anything beside a run that may have traffic.
    let error = format!("{:#}", log.unfinished().unwrap_err());
    assert!(error.contains("none is driven: run newer-1: ") && error.contains(&refused), "{error}");
    assert_eq!(log.all().unwrap().len(), 10, "the others are seen");
    let records = log.journal().events("newer-1").unwrap();
    assert_eq!(records.iter().map(|record| &record.event).collect::<Vec<_>>(), [&newer]);
    log.journal().append("newer-1", 1, &[last], 0).unwrap();
    assert_eq!(log.unfinished().unwrap().len(), 3, "one that is over holds up nobody");
}

#[test]
fn a_run_is_shown_as_it_was_at_every_moment_of_it() {
    let (_folder, log) = journal("events-1.db");
    let logged = log.read("healed-1").unwrap().unwrap();
    let start = logged.run.started_at();
    assert!(logged.at(Timestamp(start.0 - 1)).is_none());
    assert_eq!(logged.at(Timestamp(i64::MAX)).unwrap().run, logged.run);
    let mut stages = vec!["fix"];
    for event in &logged.events {
        let then = logged.at(event.at).unwrap();
        assert!(then.events.iter().all(|before| before.at <= event.at) && then.run.last_event_at() == event.at);
        assert_eq!(then.events.len() as u64, then.version);
        if stages.last() != Some(&then.run.stage().name()) {
            stages.push(then.run.stage().name());
        }
    }
    let wanted = ["fix", "soak", "rollout", "monitoring", "finished"];
    let mut at = 0;
    for stage in stages {
        at += usize::from(wanted.get(at) == Some(&stage));
    }
    assert_eq!(at, wanted.len());
}
