//! Runs as the decision core makes them, with a world around it that is told how releases behave: for tests, here and where runs are
//! shown.
#![allow(clippy::expect_used, clippy::panic, reason = "only ever part of tests")]

use std::time::Duration;

use autodevops_model::{
    Bucket, Capabilities, Deployment, Edit, ErrorInfo, ErrorKind, Evidence, FileChange, Fix, Issue, IssueKind,
    Location, Measurement, Metric, Observation, Outcome as CheckOutcome, Rate, Release, Report, Risk, RollbackPlan,
    Severity, StageError, Window,
};
use autodevops_pipeline::{
    Command, EffectOutcome, Environment, Event, Input, Live, NamedReport, Plan, Rule, Run, SCANNED, Sample, Service,
    Step, Subject, Timestamp, Trigger,
};

const SECOND: Duration = Duration::from_secs(1);

/// 2026-11-20T10:00:00Z, when stories begin.
pub const BEGIN: Timestamp = Timestamp(1_795_168_800_000_000_000);

/// How releases behave, and what people do.
#[derive(Clone, Debug)]
pub struct Story {
    /// The run's name.
    pub run: String,
    /// When it begins.
    pub at: Timestamp,
    /// Requests of production, a second.
    pub per_second: u64,
    /// Failed requests in 1,000 of the release before.
    pub stable_errors: u64,
    /// Failed requests in 1,000 of the candidate; of several services, of the last one's.
    pub candidate_errors: u64,
    /// Requests in 1,000 of the candidate that take less than 50 ms; of several services, of the last one's.
    pub candidate_quick: u64,
    /// What turns a release back.
    pub triggers: Vec<Trigger>,
    /// How long a person takes to approve production; none: nobody is asked.
    pub approved_after: Option<Duration>,
    /// Whether the build succeeds.
    pub builds: bool,
    /// The services, where there are several.
    pub services: Vec<String>,
}

impl Default for Story {
    fn default() -> Self {
        Self {
            run: "62e23fd1-1".into(),
            at: BEGIN,
            per_second: 40,
            stable_errors: 30,
            candidate_errors: 0,
            candidate_quick: 960,
            triggers: Trigger::defaults().into_iter().take(2).collect(),
            approved_after: None,
            builds: true,
            services: Vec::new(),
        }
    }
}

impl Story {
    /// A fix that heals, approved after two minutes.
    pub fn healed() -> Vec<Event> {
        Self { approved_after: Some(Duration::from_secs(120)), ..Self::default() }.events()
    }

    /// A fix that fails in production.
    pub fn rolled_back() -> Vec<Event> {
        Self { candidate_errors: 120, ..Self::default() }.events()
    }

    /// A fix for a service without visitors: a step is held, a person is asked, and nobody answers.
    pub fn escalated() -> Vec<Event> {
        Self { per_second: 0, ..Self::default() }.events()
    }

    /// A fix that touches two services, of which the second's release fails in production.
    pub fn turned_back_together() -> Vec<Event> {
        Self { candidate_errors: 120, services: vec!["cart".into(), "shop".into()], ..Self::default() }.events()
    }

    /// A fix that makes the service slow, which two bad windows in a row turn back.
    pub fn slowed_down() -> Vec<Event> {
        Self { candidate_quick: 300, triggers: Trigger::defaults(), ..Self::default() }.events()
    }

    /// A fix that makes some requests fail and others slow: neither turns it back by itself, but both together. What else is looked at is fine,
    /// or on record only.
    pub fn weighed() -> Vec<Event> {
        let [errors, slow] = [Rule::RateAbove(0.05), Rule::QuantileAbove { quantile: 0.95, seconds: 0.05 }];
        let triggers = vec![
            Trigger { critical: false, ..Trigger::new("error-rate", errors) },
            Trigger { critical: false, ..Trigger::new("latency", slow) },
            Trigger::new("error-rate", Rule::RateAbove(0.2)),
            Trigger { dry_run: true, ..Trigger::new("latency", Rule::WorseBy { ratio: 0.2, quantile: None }) },
        ];
        Self { candidate_errors: 120, candidate_quick: 300, triggers, ..Self::default() }.events()
    }

    /// The events of the run, up to its end.
    pub fn events(&self) -> Vec<Event> {
        let first = Run::started(
            self.run.clone(),
            issue(self.at),
            self.plan(),
            "1".repeat(40),
            7,
            vec![Live { staging: Some(release("old")), production: Some(release("old")) }; self.services.len().max(1)],
            Capabilities {
                split_traffic: true,
                preview: true,
                instant_rollback: true,
                fenced: true,
                keeps_state: true,
                fresh_baseline: false,
            },
            self.at,
        );
        let mut run = Run::start(&first).expect("a run");
        let (mut now, mut events) = (self.at, vec![first]);
        for _ in 0..10_000 {
            let commands = run.commands(now);
            let command = commands.first().expect("there is always something to do").clone();
            if let Command::Finish(_) = command {
                return events;
            }
            let mut say = |input: Input, now: Timestamp, run: &mut Run| {
                for event in run.decide(input, now).expect("it is taken") {
                    run.apply(&event);
                    events.push(event);
                }
            };
            if command.needs_intent() {
                say(Input::Intent { key: command.key().expect("a key").to_owned() }, now, &mut run);
            }
            // Whatever is done takes its time.
            now = match &command {
                Command::WaitUntil(until) => now.max(*until),
                Command::AskApproval { until, .. } => match (self.approved_after, commands.last()) {
                    (Some(after), _) => now.after(after),
                    (None, Some(Command::WaitUntil(wake))) => now.max(*wake),
                    (None, _) => now.max(*until),
                },
                Command::Measure { .. } | Command::Notify { .. } => now,
                _ => now.after(SECOND),
            };
            let input = match &command {
                Command::Claim { key, .. } => Input::Claimed {
                    key: key.clone(),
                    fence: run.fence() + 1,
                    base: run.base().to_owned(),
                    live: run.live(),
                },
                command => self.answer(command),
            };
            say(input, now, &mut run);
        }
        panic!("the story never ends; it is in stage {}", run.stage());
    }

    fn plan(&self) -> Plan {
        let step = |percent, seconds| Step { percent, duration: Duration::from_secs(seconds) };
        let mut plan = Plan::defaults("shop");
        let service = |name: &String| Service {
            name: name.clone(),
            paths: vec![format!("services/{name}")],
            staging: format!("staging-{name}"),
            production: format!("production-{name}"),
        };
        if !self.services.is_empty() {
            plan.services = self.services.iter().map(service).collect();
        }
        plan.soak = 20 * SECOND;
        plan.steps = vec![step(5, 60), step(25, 60), step(50, 60), step(100, 60)];
        plan.monitoring = 60 * SECOND;
        plan.interval = 5 * SECOND;
        plan.approval.required = self.approved_after.is_some();
        plan.approval.timeout = Duration::from_secs(600);
        plan.build = true;
        plan.retries = 0;
        plan.review = vec!["code-review".into()];
        plan.checks = vec!["js-checks".into()];
        plan.automated = vec!["smoke".into()];
        plan.triggers = self.triggers.clone();
        for trigger in &mut plan.triggers {
            trigger.window = 20 * SECOND;
        }
        plan
    }

    fn answer(&self, command: &Command) -> Input {
        let ok = |plugins: &[String]| plugins.iter().map(|plugin| passed(plugin)).collect();
        match command.clone() {
            Command::Propose { .. } => Input::Proposed { plugin: "fix-recipes".into(), fix: Box::new(fix()) },
            Command::Review { key, plugins } => Input::Reviewed { key, reports: ok(&plugins) },
            Command::GenerateTests { key } => Input::TestsGenerated { key, tests: Vec::new() },
            Command::RunChecks { key, plugins } => Input::Checked { key, reports: ok(&plugins) },
            Command::Commit { key } => {
                Input::Committed { key, branch: "autodevops/62e23fd1".into(), commit: "2".repeat(40) }
            }
            Command::Build { key, .. } if !self.builds => Input::Failed { key, error: failed() },
            Command::Build { key, .. } => Input::Built { key, release: release("new") },
            Command::AutomatedTests { key, plugins, .. } => Input::AutomatedTested { key, reports: ok(&plugins) },
            Command::Deploy { key, release, environment, .. } => {
                let url = (environment == Environment::Staging).then(|| "http://127.0.0.1:8091".to_owned());
                Input::Effect { key, outcome: EffectOutcome::Deployed(Deployment { release, url }) }
            }
            // No guard is set in its plans.
            Command::Snapshot { key, .. } | Command::Restore { key, .. } => Input::Failed { key, error: failed() },
            Command::SetTraffic { key, .. } | Command::Notify { key, .. } => {
                Input::Effect { key, outcome: EffectOutcome::Done }
            }
            Command::Measure { environment, windows, subjects } => {
                let of = |subject: &Subject| self.samples(environment, &windows, subject);
                Input::Measured { samples: subjects.iter().flat_map(of).collect(), error: None }
            }
            Command::AskApproval { .. } if self.approved_after.is_some() => {
                Input::Approve { by: "ada".into(), reason: "looks right".into(), bypass: false, link: None }
            }
            // One host drives it from its start to its end, and alone: there is nothing to compare, and its services are its own.
            Command::AskApproval { .. }
            | Command::Claim { .. }
            | Command::Compare { .. }
            | Command::WaitUntil(_)
            | Command::Finish(_) => Input::Tick,
        }
    }

    /// Traffic that is shared halfway, whatever the share: what matters to a story is that both are seen.
    fn samples(&self, environment: Environment, windows: &[Window], subject: &Subject) -> Vec<Sample> {
        let (baseline, both) = (subject.baseline.as_deref(), subject.baseline.is_some());
        let is_last = self.services.last().is_none_or(|last| *last == subject.service);
        let (errors, quick) =
            if is_last { (self.candidate_errors, self.candidate_quick) } else { (0, Self::default().candidate_quick) };
        let sample = |window: &Window| {
            let seconds = u64::try_from(window.end - window.start).unwrap_or(0) / 1_000_000_000;
            let all = match environment {
                Environment::Staging => 0,
                Environment::Production => self.per_second * seconds,
            };
            let part = if both { all / 2 } else { all };
            let seen = |name: &str, errors: u64, faster: f64| {
                let measurement = |metric: &str, unit: &str, observation| Measurement {
                    metric: metric.into(),
                    unit: unit.into(),
                    release: name.into(),
                    observation,
                    window: window.clone(),
                };
                let fast = (part as f64 * faster) as u64;
                let buckets = [(0.05, fast), (0.25, part), (f64::INFINITY, part)];
                let buckets = buckets.map(|(le, count)| Bucket { le, count }).to_vec();
                [
                    measurement(
                        "error-rate",
                        "ratio",
                        Observation::Rate(Rate { events: part * errors / 1000, total: part }),
                    ),
                    measurement("latency", "seconds", Observation::Histogram(buckets)),
                ]
            };
            let mut measurements = seen("new", errors, quick as f64 / 1000.0).to_vec();
            if let Some(baseline) = baseline {
                measurements.extend(seen(baseline, self.stable_errors, 0.9));
            }
            Sample {
                service: subject.service.clone(),
                source: "edge".into(),
                origin: autodevops_pipeline::Origin::default(),
                observed_by_host: true,
                window: window.clone(),
                measurements,
            }
        };
        windows.iter().map(sample).collect()
    }
}

fn release(id: &str) -> Release {
    Release { id: id.into(), artifact: format!("sha256:{}", "0".repeat(64)), commit: "1".repeat(40) }
}

fn issue(at: Timestamp) -> Issue {
    let seen = at.before(Duration::from_secs(300)).0;
    Issue {
        exception: Some("TypeError".into()),
        message: "Cannot read properties of undefined (reading 'country')".into(),
        confidence: 0.9,
        count: 10,
        first_seen: Some(seen),
        last_seen: Some(at.0),
        evidence: vec![Evidence { source: "production.log".into(), line: 12, text: "TypeError: Cannot read".into() }],
        location: Some(Location { path: "functions/lib/pricing.js".into(), line: 54, column: None }),
        ..Issue::new(
            "62e23fd1200296c4",
            IssueKind::Exception,
            Severity::Error,
            "TypeError: Cannot read properties of undefined (reading 'country')",
        )
    }
}

fn fix() -> Fix {
    let change = FileChange::Create("x".into());
    Fix {
        title: "Read country only where order.customer.address is there".into(),
        root_cause: "An order without an address has no country.".into(),
        confidence: 0.9,
        risk: Risk::Low,
        edits: vec![Edit { path: "functions/lib/pricing.js".into(), base_sha256: None, change }],
        tests: Vec::new(),
        rollback: RollbackPlan { summary: "go back".into(), previous_release_suffices: true, state: Vec::new() },
    }
}

fn passed(plugin: &str) -> NamedReport {
    let scanned = Metric { name: SCANNED.into(), value: 0.0, unit: "count".into() };
    let report = Report {
        outcome: CheckOutcome::Passed,
        summary: "nothing speaks against it".into(),
        findings: Vec::new(),
        metrics: vec![scanned],
        tests: Vec::new(),
    };
    NamedReport { plugin: plugin.into(), report }
}

fn failed() -> StageError {
    let info = ErrorInfo { message: "the build failed".into(), details: Vec::new() };
    StageError { kind: ErrorKind::Failed, info }
}
