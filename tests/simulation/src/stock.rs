//! What plugins of the simulated world give.

use std::time::Duration;

use autodevops_model::{
    Bucket, Capabilities, Edit, ErrorInfo, ErrorKind, FileChange, Fix, Issue, IssueKind, Measurement, Metric,
    Observation, Outcome, Rate, Release, Report, Risk, RollbackPlan, Severity, StageError, TestFile, Window,
};
use autodevops_pipeline::{
    Baseline, DataPlan, Freeze, Level, NamedReport, Plan, Restore, Rule, SCANNED, Service, Step, Trigger,
};

use crate::{keeper::KEEPER, tape::Tape};

/// The release that serves when the run starts.
pub const OLD: &str = "old";
/// The run's release.
pub const NEW: &str = "new";
/// That of another run beside it.
pub const NEWER: &str = "newer";
/// A release that a person puts into production past the project.
pub const FOREIGN: &str = "hotfix";
/// People who may approve.
pub const APPROVERS: [&str; 2] = ["ada", "bob"];

/// A metric that plugins alone measure.
pub const RETURNED: &str = "returned-orders";

pub const SECOND: Duration = Duration::from_secs(1);

pub fn release(id: &str) -> Release {
    Release { id: id.into(), artifact: format!("sha256:{id}"), commit: format!("{id}-commit") }
}

pub fn issue() -> Issue {
    Issue {
        exception: Some("TypeError".into()),
        message: "total is undefined".into(),
        confidence: 0.5,
        count: 3,
        first_seen: Some(1),
        ..Issue::new("f00d", IssueKind::Exception, Severity::Error, "TypeError: total is undefined")
    }
}

/// A fix that touches these services.
pub fn fix(touched: &[String]) -> Box<Fix> {
    let edit = |service: &String| Edit {
        path: format!("{service}/cart.js").trim_start_matches('/').to_owned(),
        base_sha256: None,
        change: FileChange::Create("x".into()),
    };
    Box::new(Fix {
        title: "Guard the total".into(),
        root_cause: "an empty cart has none".into(),
        confidence: 0.75,
        risk: Risk::Low,
        edits: touched.iter().map(edit).collect(),
        tests: vec![TestFile { path: "tests/cart.test.js".into(), content: "own".into() }],
        rollback: RollbackPlan { summary: "go back".into(), previous_release_suffices: true, state: Vec::new() },
    })
}

pub fn reports(plugins: &[String], outcome: Outcome) -> Vec<NamedReport> {
    let scanned = Metric { name: SCANNED.into(), value: 0.0, unit: "count".into() };
    let report = |plugin: &String| NamedReport {
        plugin: plugin.clone(),
        report: Report {
            outcome,
            summary: format!("{outcome:?}").to_lowercase(),
            findings: Vec::new(),
            metrics: vec![scanned.clone()],
            tests: Vec::new(),
        },
    };
    plugins.iter().map(report).collect()
}

pub fn error(kind: ErrorKind, message: &str) -> StageError {
    StageError { kind, info: ErrorInfo { message: message.into(), details: Vec::new() } }
}

/// What was observed of a release: so many failed requests of all, and so many that were slower than the others, by less than a second.
pub fn measured(release: &str, events: u64, slow: u64, total: u64, window: &Window) -> [Measurement; 2] {
    let rate = Measurement {
        metric: "error-rate".into(),
        unit: "ratio".into(),
        release: release.into(),
        observation: Observation::Rate(Rate { events, total }),
        window: window.clone(),
    };
    let bucket = |le, count| Bucket { le, count };
    let buckets = vec![bucket(0.5, total - slow), bucket(1.0, total), bucket(f64::INFINITY, total)];
    let latency = Measurement {
        metric: "latency".into(),
        unit: "seconds".into(),
        observation: Observation::Histogram(buckets),
        ..rate.clone()
    };
    [rate, latency]
}

/// What was observed of a release by the operator's own metric, which the host does not see: so many of all.
pub fn returned(release: &str, events: u64, total: u64, window: &Window) -> Measurement {
    let [rate, _] = measured(release, events, 0, total, window);
    Measurement { metric: RETURNED.into(), ..rate }
}

/// What a run is to do: of seconds, with what differs between projects chosen.
pub fn plan(tape: &mut Tape) -> Plan {
    let step = |percent| Step { percent, duration: 20 * SECOND };
    let mut plan = Plan::defaults("shop");
    let service = |name: &str| Service {
        name: name.into(),
        paths: vec![name.into()],
        staging: format!("staging-{name}"),
        production: format!("production-{name}"),
    };
    match tape.one(&[1, 2, 3]) {
        1 => {}
        2 => plan.services = ["cart", "shop"].map(service).into(),
        _ => plan.services = ["cart", "shop", "mail"].map(service).into(),
    }
    plan.soak = 10 * SECOND;
    plan.steps = [5, 25, 100].map(step).to_vec();
    plan.monitoring = 20 * SECOND;
    plan.interval = 10 * SECOND;
    plan.glance = 2 * SECOND;
    plan.retry_after = SECOND;
    if !tape.happens(300) {
        // Without what is worse than the baseline.
        plan.triggers.truncate(2);
    }
    plan.review = vec!["reviewer".into()];
    plan.checks = vec!["checker".into()];
    plan.automated = vec!["prober".into()];
    plan.approval.timeout = 600 * SECOND;
    plan.approval.approvers = APPROVERS.map(str::to_owned).to_vec();
    plan.approval.required = tape.happens(300);
    plan.approval.count = tape.one(&[1, 2]);
    plan.approval.emergency_bypass = tape.happens(200);
    plan.max_extensions = tape.one(&[2, 0, 1]);
    plan.retries = tape.one(&[2, 0, 4]);
    plan.test_generators = tape.happens(300);
    plan.triggers[0].critical = !tape.happens(200);
    for count in &mut plan.counts {
        count.at_least = count.at_least.min(2);
        count.critical = !tape.happens(200);
    }
    if tape.happens(400) {
        plan.notifiers = vec!["chat".into()];
        if !tape.happens(300) {
            plan.escalation = vec![Level { after: 30 * SECOND, notifiers: vec!["chat".into()] }];
        }
    }
    if tape.happens(500) {
        let restore = tape.one(&[Restore::Ask, Restore::OnRollback, Restore::Never]);
        let settle = tape.one(&[Duration::ZERO, 30 * SECOND]);
        plan.data = DataPlan { guards: vec![KEEPER.into()], preserve: tape.happens(500), restore, settle };
    }
    if tape.happens(300) {
        plan.baseline = Baseline::Fresh;
    }
    if tape.happens(200) {
        // Minutes after the world begins: it is a Monday, at 14:13 UTC.
        let (from, length) = (tape.one(&[854, 853, 855]), tape.one(&[3, 30]));
        let (time_zone, reason) = ("UTC".into(), "a quiet hour".into());
        plan.freeze = vec![Freeze { first: 0, last: 0, from, to: from + length, time_zone, reason }];
    }
    if tape.happens(200) {
        plan.automated.clear();
        plan.soak = Duration::ZERO;
    }
    if !plan.freeze.is_empty() {
        // The same choices make the same worlds as without.
        plan.triggers.push(Trigger::new(RETURNED, Rule::RateAbove(0.05)));
    }
    plan
}

/// What events call the plan's services.
pub fn labels(plan: &Plan) -> Vec<String> {
    match plan.services.as_slice() {
        [_] => vec![String::new()],
        several => several.iter().map(|service| service.name.clone()).collect(),
    }
}

/// The services that the change touches: all, or but for the last.
pub fn touched(tape: &mut Tape, services: &[String]) -> Vec<String> {
    let but_last = services.len() > 1 && tape.happens(300);
    services.iter().take(services.len() - usize::from(but_last)).cloned().collect()
}

/// The services that each of two changes touches: apart from each other, or not.
pub fn touched_by_two(tape: &mut Tape, services: &[String]) -> [Vec<String>; 2] {
    let (first, rest) = services.split_at(1);
    match tape.one(&[0, 0, 1, 2, 3]) {
        0 => [first.into(), rest.into()],
        1 => [services.into(), rest.into()],
        2 => [first.into(), services.into()],
        _ => [services.into(), services.into()],
    }
}

pub fn capabilities(tape: &mut Tape) -> Capabilities {
    Capabilities {
        split_traffic: !tape.happens(150),
        preview: true,
        instant_rollback: true,
        fenced: true,
        keeps_state: true,
        fresh_baseline: !tape.happens(100),
    }
}
