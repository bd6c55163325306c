//! One rollout from its first step to its end.

use std::time::Duration;

use autodevops_model::{
    Capabilities, Deployment, Fix, Issue, IssueKind, Outcome as CheckOutcome, Release, Risk, RollbackPlan, Severity,
    Window,
};
use autodevops_pipeline::{
    Command, EffectOutcome, Environment, Event, EventKind, Gate, Input, Live, Method, Outcome, Plan, ReplayError, Run,
    RunStage, Subject, Timestamp,
};

use crate::{Traffic, World};

/// No rollout has so many decisions; one that has would never end.
const DECISIONS: usize = 100_000;

/// How a rollout ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It passed all steps and the monitoring.
    Promoted,
    /// It was turned back.
    TurnedBack {
        /// The share of the traffic that the release had.
        percent: u8,
        /// By what.
        method: Option<Method>,
    },
    /// A person was asked.
    Held {
        /// The share of the traffic that the release had.
        percent: u8,
    },
    /// It came to something that is no ending of a rollout.
    Astray(String),
}

/// A step that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepTaken {
    /// The candidate's share.
    pub percent: u8,
    /// How long until the first verdict that passed or failed; none where there was none.
    pub decided: Option<Duration>,
    /// How long it lasted.
    pub lasted: Duration,
    /// Requests that the candidate served in it.
    pub requests: u64,
    /// Whether it was passed.
    pub passed: bool,
}

/// What came of a rehearsal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rehearsal {
    /// How it ended.
    pub ending: Ending,
    /// The steps that were taken, the monitoring being the last.
    pub steps: Vec<StepTaken>,
    /// How long it took.
    pub lasted: Duration,
    /// Requests that the candidate served.
    pub requests: u64,
    /// Requests of those that failed, by the metric with the most: so many people saw an error.
    pub failed: u64,
}

/// Plays a rollout: the plan's steps and triggers, decided by the run itself.
///
/// # Errors
/// The plan cannot be followed.
pub fn rehearse(plan: &Plan, traffic: &Traffic, seed: u64) -> Result<Rehearsal, ReplayError> {
    Ok(Stage::new(plan, traffic, seed)?.play())
}

struct Stage<'a> {
    run: Run,
    world: World<'a>,
    now: Timestamp,
    percent: u8,
    watch: Option<Watched>,
    steps: Vec<StepTaken>,
    ending: Option<Ending>,
    method: Option<Method>,
}

struct Watched {
    percent: u8,
    entered: Timestamp,
    requests: u64,
    decided: Option<Duration>,
}

/// The plan without what surrounds the rollout: nobody is asked, nothing is reviewed, and staging is not watched.
fn bare(plan: &Plan) -> Plan {
    let mut plan = plan.clone();
    (plan.review, plan.checks, plan.automated, plan.notifiers) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    (plan.min_coverage, plan.test_generators, plan.build) = (None, false, false);
    plan.escalation.clear();
    plan.freeze.clear();
    plan.data = autodevops_pipeline::DataPlan::default();
    // What it would find between the measurements is found by the next one here: a rehearsal of weeks ends in seconds, and rather shows a
    // rollback too late than too early.
    plan.glance = Duration::ZERO;
    plan.approval = autodevops_pipeline::Approval { required: false, ..Default::default() };
    plan.soak = Duration::ZERO;
    // Of several services each has traffic of its own; it is one of them that is rehearsed.
    plan.services.truncate(1);
    plan
}

fn release(id: &str) -> Release {
    Release { id: id.to_owned(), artifact: format!("sha256:{id}"), commit: id.to_owned() }
}

impl<'a> Stage<'a> {
    fn new(plan: &Plan, traffic: &'a Traffic, seed: u64) -> Result<Self, ReplayError> {
        let issue = Issue {
            message: String::new(),
            ..Issue::new("rehearsal", IssueKind::Anomaly, Severity::Info, "a rehearsal")
        };
        let live = Live { staging: Some(release("stable")), production: Some(release("stable")) };
        let capabilities = Capabilities {
            split_traffic: true,
            preview: true,
            instant_rollback: true,
            fenced: true,
            keeps_state: true,
        };
        let world = World::new(plan, traffic, seed);
        let first = Run::started("rehearsal", issue, bare(plan), "base", 1, vec![live], capabilities, Timestamp(0));
        let run = Run::start(&first)?;
        let (now, percent, watch, steps, ending, method) = (Timestamp(0), 0, None, Vec::new(), None, None);
        Ok(Self { run, world, now, percent, watch, steps, ending, method })
    }

    fn play(mut self) -> Rehearsal {
        for _ in 0..DECISIONS {
            if self.ending.is_some() {
                break;
            }
            self.step();
        }
        self.leave(false);
        let seen = self.world.candidate();
        Rehearsal {
            ending: self.ending.unwrap_or_else(|| Ending::Astray("it never ends".to_owned())),
            steps: self.steps,
            lasted: since(Timestamp(0), self.now),
            requests: seen.requests,
            failed: seen.events.values().copied().max().unwrap_or(0),
        }
    }

    fn step(&mut self) {
        let mut commands = self.run.commands(self.now);
        if commands.is_empty() {
            return;
        }
        let command = commands.swap_remove(0);
        let input = match command {
            Command::WaitUntil(until) => {
                self.now = self.now.max(until);
                Input::Tick
            }
            Command::AskApproval { gate: Gate::Production, .. } => {
                Input::Approve { by: "someone".to_owned(), reason: String::new(), bypass: false, link: None }
            }
            Command::AskApproval { gate: Gate::Held | Gate::Data, .. } => {
                self.ending = Some(Ending::Held { percent: self.percent });
                return;
            }
            Command::Finish(outcome) => {
                let astray = Ending::Astray(outcome.to_string());
                self.ending.get_or_insert(if outcome == Outcome::Healed { Ending::Promoted } else { astray });
                return;
            }
            Command::Measure { subjects, windows, .. } => {
                self.world.pass(self.now.0, self.percent);
                let windows = subjects.iter().flat_map(|subject| windows.iter().map(move |window| (subject, window)));
                let sample = |(subject, window): (&Subject, &Window)| {
                    self.world.sample(window, &subject.candidate, subject.baseline.as_deref())
                };
                Input::Measured { samples: windows.map(sample).collect(), error: None }
            }
            other => {
                if other.needs_intent()
                    && let Some(key) = other.key()
                {
                    self.say(Input::Intent { key: key.to_owned() });
                }
                answer(other)
            }
        };
        self.say(input);
    }

    fn say(&mut self, input: Input) {
        match self.run.decide(input, self.now) {
            Ok(events) => {
                for event in &events {
                    self.run.apply(event);
                    self.note(event);
                }
            }
            Err(refused) => self.ending = Some(Ending::Astray(refused.to_string())),
        }
    }

    /// What an event means to the rehearsal.
    fn note(&mut self, event: &Event) {
        match &event.event {
            EventKind::TrafficSet { environment: Environment::Production, splits, .. } => {
                let candidate = splits.iter().filter(|split| split.release == "candidate");
                self.percent = candidate.map(|split| split.percent).sum();
            }
            EventKind::StepEntered { environment: Environment::Production, percent, .. } => {
                let requests = self.world.candidate().requests;
                self.watch = Some(Watched { percent: *percent, entered: event.at, requests, decided: None });
            }
            EventKind::Judged { verdict, .. } => {
                self.method = verdict.method;
                if let Some(watch) = self.watch.as_mut().filter(|_| verdict.outcome != CheckOutcome::Inconclusive) {
                    watch.decided.get_or_insert(since(watch.entered, event.at));
                }
            }
            EventKind::StepPassed { environment: Environment::Production, .. } => self.leave(true),
            EventKind::Held { .. } if self.run.stage() != RunStage::Ending => {
                self.ending = Some(Ending::Held { percent: self.percent });
            }
            EventKind::TurnedBack { outcome } => {
                self.ending = Some(match outcome {
                    Outcome::RolledBack { .. } => Ending::TurnedBack { percent: self.percent, method: self.method },
                    other => Ending::Astray(other.to_string()),
                });
            }
            _ => {}
        }
    }

    fn leave(&mut self, passed: bool) {
        let Some(Watched { percent, entered, requests, decided }) = self.watch.take() else { return };
        let requests = self.world.candidate().requests - requests;
        self.steps.push(StepTaken { percent, decided, lasted: since(entered, self.now), requests, passed });
    }
}

/// What a world that does as it is told answers.
fn answer(command: Command) -> Input {
    match command {
        Command::Propose { .. } => {
            let rollback = RollbackPlan { summary: String::new(), previous_release_suffices: true, state: Vec::new() };
            let fix = Fix {
                title: "a rehearsal".to_owned(),
                root_cause: String::new(),
                confidence: 1.0,
                risk: Risk::Low,
                edits: Vec::new(),
                tests: Vec::new(),
                rollback,
            };
            Input::Proposed { plugin: "rehearsal".to_owned(), fix: Box::new(fix) }
        }
        Command::Review { key, .. } => Input::Reviewed { key, reports: Vec::new() },
        Command::GenerateTests { key } => Input::TestsGenerated { key, tests: Vec::new() },
        Command::RunChecks { key, .. } => Input::Checked { key, reports: Vec::new() },
        Command::Commit { key } => {
            Input::Committed { key, branch: "rehearsal".to_owned(), commit: "candidate".to_owned() }
        }
        Command::Build { key, .. } => Input::Built { key, release: release("candidate") },
        Command::AutomatedTests { key, .. } => Input::AutomatedTested { key, reports: Vec::new() },
        Command::Deploy { key, release, .. } => {
            Input::Effect { key, outcome: EffectOutcome::Deployed(Deployment { release, url: None }) }
        }
        Command::SetTraffic { key, .. } | Command::Notify { key, .. } => {
            Input::Effect { key, outcome: EffectOutcome::Done }
        }
        _ => Input::Tick,
    }
}

fn since(from: Timestamp, to: Timestamp) -> Duration {
    Duration::from_nanos(u64::try_from(to.0.saturating_sub(from.0)).unwrap_or(0))
}
