//! A run with a world around it that does as it is told.

use std::time::Duration;

use autodevops_model::{
    Bucket, Capabilities, Deployment, Edit, ErrorInfo, ErrorKind, FileChange, Fix, Issue, IssueKind, Measurement,
    Metric, Observation, Outcome as CheckOutcome, Rate, Release, Report, Risk, RollbackPlan, Severity, Since,
    SnapshotInfo, Split, StageError, TestFile, Window,
};

use crate::{
    CRASH_LOOP, Command, Decision, EffectOutcome, Environment, Event, EventKind, Found, Input, Live, Member,
    NamedReport, Origin, Outcome, PROBE, Plan, Refused, Run, RunStage, SCANNED, Sample, Step, Subject, Timestamp,
};

pub(super) const SECOND: Duration = Duration::from_secs(1);

pub(super) fn release(id: &str) -> Release {
    Release { id: id.into(), artifact: format!("sha256:{id}"), commit: format!("{id}-commit") }
}

pub(super) fn issue() -> Issue {
    Issue {
        exception: Some("TypeError".into()),
        message: "total is undefined".into(),
        confidence: 0.5,
        count: 3,
        first_seen: Some(1),
        ..Issue::new("f00d", IssueKind::Exception, Severity::Error, "TypeError: total is undefined")
    }
}

pub(crate) fn fix(path: &str) -> Box<Fix> {
    Box::new(Fix {
        title: "Guard the total".into(),
        root_cause: "an empty cart has none".into(),
        confidence: 0.75,
        risk: Risk::Low,
        edits: vec![Edit { path: path.into(), base_sha256: None, change: FileChange::Create("x".into()) }],
        tests: vec![TestFile { path: "tests/cart.test.js".into(), content: "own".into() }],
        rollback: RollbackPlan { summary: "go back".into(), previous_release_suffices: true, state: Vec::new() },
    })
}

pub(super) fn report(plugin: &str, outcome: CheckOutcome) -> NamedReport {
    let summary = format!("{outcome:?}").to_lowercase();
    let scanned = Metric { name: SCANNED.into(), value: 0.0, unit: "count".into() };
    let report = Report { outcome, summary, findings: Vec::new(), metrics: vec![scanned], tests: Vec::new() };
    NamedReport { plugin: plugin.into(), report }
}

pub(super) fn error(kind: ErrorKind) -> StageError {
    StageError { kind, info: ErrorInfo { message: "no answer".into(), details: Vec::new() } }
}

/// A plan of seconds: a soak of 2, steps of 3 each, a monitoring of 2, measured every second; nobody is asked.
pub(super) fn plan() -> Plan {
    let step = |percent| Step { percent, duration: 3 * SECOND };
    let mut plan = Plan::defaults("shop");
    plan.soak = 2 * SECOND;
    plan.steps = [5, 25, 50, 100].map(step).to_vec();
    plan.monitoring = 2 * SECOND;
    plan.interval = SECOND;
    plan.approval.required = false;
    plan.approval.timeout = 60 * SECOND;
    plan.review = vec!["reviewer".into()];
    plan.checks = vec!["checker".into()];
    plan.automated = vec!["prober".into()];
    plan.triggers.truncate(2);
    // Two bad windows in a row, whatever the step: how measurements are judged is tested beside the verdicts.
    plan.decision = Decision::single();
    plan
}

pub(super) fn capabilities() -> Capabilities {
    Capabilities {
        split_traffic: true,
        preview: true,
        instant_rollback: true,
        fenced: true,
        keeps_state: true,
        fresh_baseline: false,
    }
}

pub(super) fn live() -> Live {
    Live { staging: Some(release("old")), production: Some(release("old")) }
}

/// The traffic of the only service.
pub(super) fn traffic(run: &Run, environment: Environment) -> &[Split] {
    run.members().next().unwrap().traffic(environment)
}

pub(super) fn started(plan: Plan) -> Event {
    let live = vec![live(); plan.services.len()];
    Run::started("r1", issue(), plan, "old-commit", 7, live, capabilities(), Timestamp(0))
}

/// A run under way, its clock and its journal.
pub(super) struct Scene {
    pub(super) run: Run,
    pub(super) now: Timestamp,
    pub(super) events: Vec<Event>,
    /// Failed requests of the candidate, of so many, in each measurement.
    pub(super) seen: (u64, u64),
    /// The same of a service that does otherwise.
    pub(super) seen_of: Option<(&'static str, (u64, u64))>,
    /// The same of the stable release.
    pub(super) stable_seen: (u64, u64),
    /// The same of the stable release of a service where that does otherwise.
    pub(super) stable_seen_of: Option<(&'static str, (u64, u64))>,
    /// What the host's signs show of the stable release: which of them, if any.
    pub(super) stable_sign: Option<&'static str>,
    /// The same of the candidate.
    pub(super) candidate_sign: Option<&'static str>,
}

impl Scene {
    pub(super) fn new(plan: Plan) -> Self {
        Self::of(started(plan))
    }

    pub(super) fn of(first: Event) -> Self {
        Self {
            run: Run::start(&first).unwrap(),
            now: first.at,
            events: vec![first],
            seen: (0, 200),
            seen_of: None,
            stable_seen: (0, 1000),
            stable_seen_of: None,
            stable_sign: None,
            candidate_sign: None,
        }
    }

    /// Gives an input, writes and applies what follows.
    pub(super) fn say(&mut self, input: Input) -> Result<Vec<Event>, Refused> {
        let events = self.run.decide(input, self.now)?;
        for event in &events {
            self.run.apply(event);
        }
        self.events.extend(events.iter().cloned());
        assert_eq!(Run::replay(&self.events).unwrap(), self.run, "a replay is the same run");
        Ok(events)
    }

    pub(super) fn commands(&self) -> Vec<Command> {
        self.run.commands(self.now)
    }

    pub(super) fn command(&self) -> Command {
        self.commands().swap_remove(0)
    }

    /// What a world that does as it is told answers.
    pub(super) fn answer(&self, command: &Command) -> Input {
        let ok = |plugins: &[String]| plugins.iter().map(|plugin| report(plugin, CheckOutcome::Passed)).collect();
        match command.clone() {
            Command::Propose { .. } => Input::Proposed { plugin: "recipes".into(), fix: fix("functions/cart.js") },
            Command::Claim { key, .. } => Input::Claimed {
                key,
                fence: self.run.fence() + 1,
                base: self.run.base().to_owned(),
                live: self.run.live(),
            },
            Command::Review { key, plugins } => Input::Reviewed { key, reports: ok(&plugins) },
            Command::GenerateTests { key } => {
                let test = |path: &str| TestFile { path: path.into(), content: "generated".into() };
                Input::TestsGenerated { key, tests: vec![test("tests/cart.test.js"), test("tests/more.test.js")] }
            }
            Command::RunChecks { key, plugins } => Input::Checked { key, reports: ok(&plugins) },
            Command::Commit { key } => Input::Committed { key, branch: "fix/1".into(), commit: "new-commit".into() },
            Command::Build { key, .. } => Input::Built { key, release: release("new") },
            Command::AutomatedTests { key, plugins, .. } => Input::AutomatedTested { key, reports: ok(&plugins) },
            Command::Compare { key } => {
                let found = |member: &Member| Found {
                    whole: None,
                    service: member.label().into(),
                    splits: member.traffic(Environment::Production).to_vec(),
                    staging: member.traffic(Environment::Staging).to_vec(),
                };
                Input::Serving { key, found: self.run.members().map(found).collect() }
            }
            Command::Deploy { key, release, .. } => {
                let deployment = Deployment { release, url: Some("http://new.test".into()) };
                Input::Effect { key, outcome: EffectOutcome::Deployed(deployment) }
            }
            Command::SetTraffic { key, .. } | Command::Notify { key, .. } => {
                Input::Effect { key, outcome: EffectOutcome::Done }
            }
            Command::Snapshot { key, .. } => {
                let snapshot = SnapshotInfo { id: format!("s-{}", self.now.0), taken: self.now.0, bytes: 1024 };
                Input::Effect { key, outcome: EffectOutcome::Snapshot(snapshot) }
            }
            Command::Restore { key, .. } => {
                let outcome = EffectOutcome::Restored { before: None, since: Since::Unchanged };
                Input::Effect { key, outcome }
            }
            Command::Measure { windows, subjects, .. } => {
                let samples = subjects.iter().flat_map(|subject| self.samples(&windows, subject)).collect();
                Input::Measured { samples, error: None }
            }
            Command::AskApproval { .. } | Command::WaitUntil(_) | Command::Finish(_) => Input::Tick,
        }
    }

    /// Of the release that is judged, and of what it is compared with.
    pub(super) fn samples(&self, windows: &[Window], subject: &Subject) -> Vec<Sample> {
        let of = |special: Option<(&str, (u64, u64))>, usual| {
            special.filter(|(service, _)| *service == subject.service).map_or(usual, |(_, seen)| seen)
        };
        let seen = |release: &str| match release {
            "new" => of(self.seen_of, self.seen),
            _ => of(self.stable_seen_of, self.stable_seen),
        };
        let measurement = |release: &str, (events, total), window: &Window| Measurement {
            metric: "error-rate".into(),
            unit: "ratio".into(),
            release: release.into(),
            observation: Observation::Rate(Rate { events, total }),
            window: window.clone(),
        };
        let latency = |rate: Measurement, total| Measurement {
            metric: "latency".into(),
            unit: "seconds".into(),
            observation: Observation::Histogram(vec![
                Bucket { le: 0.5, count: total },
                Bucket { le: f64::INFINITY, count: total },
            ]),
            ..rate
        };
        // Without traffic a release has no counts.
        let shared = self.run.share(Environment::Production) < 100 || subject.baseline.is_some();
        let counted = |window: &Window| {
            let stable = subject.stable.as_deref().filter(|_| shared);
            let releases = std::iter::once(subject.candidate.as_str()).chain(subject.baseline.as_deref()).chain(stable);
            let of = |release: &str| {
                let rate = measurement(release, seen(release), window);
                [rate.clone(), latency(rate, seen(release).1)]
            };
            releases.flat_map(of).collect::<Vec<_>>()
        };
        let signs = |window: &Window| {
            let stable = subject.stable.as_deref().or(subject.baseline.as_deref());
            let sign = |metric: &str| {
                let shows = u64::from(self.stable_sign == Some(metric));
                stable.map(|stable| Measurement { metric: metric.into(), ..measurement(stable, (shows, 1), window) })
            };
            let own = self.candidate_sign.map(|metric| {
                let shows = measurement(&subject.candidate, (1, 1), window);
                Measurement { metric: metric.into(), ..shows }
            });
            [CRASH_LOOP, PROBE].into_iter().filter_map(sign).chain(own).collect::<Vec<_>>()
        };
        let sample = |window: &Window| Sample {
            service: subject.service.clone(),
            source: "edge".into(),
            origin: Origin::default(),
            observed_by_host: true,
            window: window.clone(),
            measurements: [counted(window), signs(window)].concat(),
        };
        windows.iter().map(sample).collect()
    }

    /// Does one command as it is told; waits where there is nothing to do. The events that followed.
    pub(super) fn go(&mut self) -> Vec<Event> {
        let command = self.command();
        self.obey(&command)
    }

    pub(super) fn obey(&mut self, command: &Command) -> Vec<Event> {
        let mut events = Vec::new();
        match command {
            Command::WaitUntil(until) => self.now = self.now.max(*until),
            Command::AskApproval { .. } => match self.commands().last() {
                Some(Command::WaitUntil(until)) => self.now = self.now.max(*until),
                _ => panic!("someone is asked, and nothing is waited for"),
            },
            _ if command.needs_intent() => {
                let key = command.key().unwrap().to_owned();
                events.extend(self.say(Input::Intent { key }).unwrap());
            }
            _ => {}
        }
        let input = self.answer(command);
        events.extend(self.say(input).unwrap());
        events
    }

    /// Goes on until the run is in that stage, and has what it needs there.
    pub(super) fn until(mut self, stage: RunStage) -> Self {
        for _ in 0..400 {
            if self.run.stage() == stage {
                return self;
            }
            assert_ne!(self.run.stage(), RunStage::Finished, "{:?}", self.run.outcome());
            self.go();
        }
        panic!("never in stage {}: {}", stage.name(), self.run.stage().name());
    }

    /// Goes on until production's traffic is shared so and is watched.
    pub(super) fn until_step(mut self, percent: u8) -> Self {
        for _ in 0..400 {
            let watch = self.run.watch();
            if watch.is_some_and(|w| w.environment == Environment::Production && w.percent == percent) {
                return self;
            }
            self.go();
        }
        panic!("never at {percent} %");
    }

    pub(super) fn outcome(mut self) -> (Outcome, Self) {
        for _ in 0..1000 {
            if let Command::Finish(outcome) = self.command() {
                return (outcome, self);
            }
            self.go();
        }
        panic!("it never ends; in stage {}", self.run.stage().name());
    }

    pub(super) fn names(&self) -> Vec<&'static str> {
        self.events.iter().map(|event| event.event.name()).collect()
    }

    pub(super) fn has(&self, found: impl Fn(&EventKind) -> bool) -> bool {
        self.events.iter().any(|event| found(&event.event))
    }

    pub(super) fn production(&self) -> Vec<(&str, u8)> {
        shares(traffic(&self.run, Environment::Production))
    }

    pub(super) fn traffic_was(&self) -> Vec<u8> {
        let percent = |event: &Event| match &event.event {
            EventKind::TrafficSet { environment: Environment::Production, splits, .. } => {
                Some(splits.iter().filter(|split| split.release == "new").map(|split| split.percent).sum())
            }
            _ => None,
        };
        self.events.iter().filter_map(percent).collect()
    }
}

pub(super) fn shares(splits: &[Split]) -> Vec<(&str, u8)> {
    splits.iter().map(|split| (split.release.as_str(), split.percent)).collect()
}
