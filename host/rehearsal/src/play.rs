//! One rollout from its first step to its end.

use std::time::Duration;

use autodevops_model::{
    Capabilities, Deployment, Fix, Issue, IssueKind, Outcome as CheckOutcome, Release, Risk, RollbackPlan, Severity,
    Split, Window,
};
use autodevops_pipeline::{
    Command, EffectOutcome, Environment, Event, EventKind, Gate, Input, Live, Member, Method, Outcome, Plan,
    ReplayError, Run, RunStage, Sample, Subject, Timestamp,
};

use crate::{Shares, Traffic, World};

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
    /// How long until the first verdict that passed, or the failure that the release was turned back or held for; none where there was none.
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

/// Plays a rollout of all the plan's services together: its steps, its triggers and its glances, decided by the run itself. Each service has
/// traffic of its own, as much as is said; the candidate that is said is the first service's, and those of the others are as good as what
/// serves.
///
/// # Errors
/// The plan cannot be followed.
pub fn rehearse(plan: &Plan, traffic: &Traffic, seed: u64) -> Result<Rehearsal, ReplayError> {
    let good = Traffic { candidate: traffic.stable.clone(), ..traffic.clone() };
    Ok(Stage::new(plan, [traffic, &good], seed)?.play())
}

struct Stage<'a> {
    run: Run,
    /// Of each service, as events call it.
    services: Vec<Playing<'a>>,
    now: Timestamp,
    watch: Option<Watched>,
    steps: Vec<StepTaken>,
    ending: Option<Ending>,
    method: Option<Method>,
    /// Whether the last verdict failed: that decides where the release is turned back or held by it, and not where a second must follow.
    failed: bool,
}

/// A service, and what comes in to it.
struct Playing<'a> {
    label: String,
    world: World<'a>,
    shares: Shares,
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
    plan.approval = autodevops_pipeline::Approval { required: false, ..Default::default() };
    plan.soak = Duration::ZERO;
    plan
}

fn release(id: &str) -> Release {
    Release { id: id.to_owned(), artifact: format!("sha256:{id}"), commit: id.to_owned() }
}

impl<'a> Stage<'a> {
    fn new(plan: &Plan, [first, others]: [&'a Traffic; 2], seed: u64) -> Result<Self, ReplayError> {
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
            fresh_baseline: true,
        };
        let live = vec![live; plan.services.len()];
        let first_event = Run::started("rehearsal", issue, bare(plan), "base", 1, live, capabilities, Timestamp(0));
        let run = Run::start(&first_event)?;
        let traffic = std::iter::once(first).chain(std::iter::repeat(others));
        // A seed for each, far from those of the next rehearsals.
        let seeds = (0_u64..).map(|n| seed.wrapping_add(n << 40));
        let playing = |((member, traffic), seed): ((&Member, &'a Traffic), u64)| Playing {
            label: member.label().to_owned(),
            world: World::new(plan, traffic, seed),
            shares: Shares::default(),
        };
        let services = run.members().zip(traffic).zip(seeds).map(playing).collect();
        let (now, watch, steps, ending, method, failed) = (Timestamp(0), None, Vec::new(), None, None, false);
        Ok(Self { run, services, now, watch, steps, ending, method, failed })
    }

    fn play(mut self) -> Rehearsal {
        for _ in 0..DECISIONS {
            if self.ending.is_some() {
                break;
            }
            self.step();
        }
        self.leave(false);
        let most = |service: &Playing<'_>| service.world.candidate().events.values().copied().max().unwrap_or(0);
        Rehearsal {
            ending: self.ending.unwrap_or_else(|| Ending::Astray("it never ends".to_owned())),
            steps: self.steps,
            lasted: since(Timestamp(0), self.now),
            requests: self.services.iter().map(|service| service.world.candidate().requests).sum(),
            failed: self.services.iter().map(most).sum(),
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
                if self.wait(until) {
                    return;
                }
                Input::Tick
            }
            Command::AskApproval { gate: Gate::Production, .. } => {
                Input::Approve { by: "someone".to_owned(), reason: String::new(), bypass: false, link: None }
            }
            Command::AskApproval { gate: Gate::Held | Gate::Data, .. } => {
                self.ending = Some(Ending::Held { percent: self.percent() });
                return;
            }
            Command::Finish(outcome) => {
                let astray = Ending::Astray(outcome.to_string());
                self.ending.get_or_insert(if outcome == Outcome::Healed { Ending::Promoted } else { astray });
                return;
            }
            Command::Claim { key, .. } => Input::Claimed {
                key,
                fence: self.run.fence() + 1,
                base: self.run.base().to_owned(),
                live: self.run.live(),
            },
            Command::Measure { subjects, windows, .. } => {
                self.services.iter_mut().for_each(|service| service.world.pass(self.now.0, service.shares));
                Input::Measured { samples: self.samples(&subjects, &windows), error: None }
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

    /// Lets time pass up to where something is due; whether a glance had the run do something before.
    fn wait(&mut self, until: Timestamp) -> bool {
        if let Some((every, _)) = self.run.glance(self.now) {
            while self.now.after(every) < until && self.is_worth_a_glance() {
                self.now = self.now.after(every);
                let tick = |service: &mut Playing<'_>| service.world.tick(self.now.0, service.shares);
                // Only what speaks against a release turns it back: a glance at anything else leaves no trace.
                let bad = self.services.iter_mut().map(tick).filter(|bad| *bad).count() > 0;
                if bad && self.glance() {
                    return true;
                }
            }
        }
        self.now = self.now.max(until);
        false
    }

    /// Whether a glance may find something here: the sequential test decides at small shares only, and so many fail that it trips a hard trip
    /// by chance in the beginning of a watch if ever. What is left out is found by the next measurement: a rehearsal of weeks ends in seconds.
    /// A release behaves alike all the time here, so that its last moments, of which half must fail, show nothing that the whole watch does not.
    fn is_worth_a_glance(&self) -> bool {
        let (plan, watch) = (self.run.plan(), self.run.watch());
        watch.is_some_and(|watch| {
            plan.decision.is_sequential(watch.percent) || since(watch.started, self.now) < plan.interval
        })
    }

    /// Glances at what came in; whether anything followed.
    fn glance(&mut self) -> bool {
        let Some((_, glance)) = self.run.glance(self.now) else { return false };
        self.services.iter_mut().for_each(|service| service.world.see_baseline(self.now.0, service.shares));
        let mut samples = self.samples(&glance.subjects, &glance.windows);
        // Health checks are asked at measurements alone.
        samples.retain(|sample| sample.observed_by_host);
        self.say(Input::Glanced { samples })
    }

    /// What the front door tells of the releases, and a health check what that does not measure.
    fn samples(&self, subjects: &[Subject], windows: &[Window]) -> Vec<Sample> {
        let of = |subject: &Subject| self.services.iter().find(|service| service.label == subject.service);
        let seen = subjects.iter().filter_map(|subject| Some((subject, of(subject)?)));
        seen.flat_map(|(subject, service)| {
            let samples = |window: &Window| {
                let (candidate, baseline) = (subject.candidate.as_str(), subject.baseline.as_deref());
                let seen = std::iter::once(service.world.sample(window, candidate, baseline));
                let seen = seen.chain(service.world.told(window, candidate, baseline));
                seen.map(|sample| Sample { service: subject.service.clone(), ..sample }).collect::<Vec<_>>()
            };
            windows.iter().flat_map(samples)
        })
        .collect()
    }

    /// The greatest share that a candidate has.
    fn percent(&self) -> u8 {
        self.services.iter().map(|service| service.shares.candidate).max().unwrap_or(0)
    }

    /// Requests of the candidate that has the fewest.
    fn requests(&self) -> u64 {
        self.services.iter().map(|service| service.world.candidate().requests).min().unwrap_or(0)
    }

    /// Gives the run an input; whether anything followed.
    fn say(&mut self, input: Input) -> bool {
        match self.run.decide(input, self.now) {
            Ok(events) => {
                for event in &events {
                    self.run.apply(event);
                    self.note(event);
                }
                !events.is_empty()
            }
            Err(refused) => {
                self.ending = Some(Ending::Astray(refused.to_string()));
                true
            }
        }
    }

    /// What an event means to the rehearsal.
    fn note(&mut self, event: &Event) {
        match &event.event {
            EventKind::TrafficSet { service, environment: Environment::Production, splits, .. } => {
                let shares = self.run.member(service).map(|member| shares_of(member, splits)).unwrap_or_default();
                let now = self.now.0;
                for service in self.services.iter_mut().filter(|playing| playing.label == *service) {
                    service.world.pass(now, service.shares);
                    service.shares = shares;
                }
            }
            EventKind::StepEntered { environment: Environment::Production, percent, .. } => {
                let requests = self.requests();
                self.watch = Some(Watched { percent: *percent, entered: event.at, requests, decided: None });
            }
            EventKind::Judged { verdict, .. } => {
                (self.method, self.failed) = (verdict.method, verdict.outcome == CheckOutcome::Failed);
                if verdict.outcome == CheckOutcome::Passed {
                    self.decided(event.at);
                }
            }
            EventKind::StepPassed { environment: Environment::Production, .. } => self.leave(true),
            EventKind::Held { .. } if self.run.stage() != RunStage::Ending => {
                self.decided_by_failure(event.at);
                self.ending = Some(Ending::Held { percent: self.percent() });
            }
            EventKind::TurnedBack { outcome } => {
                self.decided_by_failure(event.at);
                self.ending = Some(match outcome {
                    Outcome::RolledBack { .. } => Ending::TurnedBack { percent: self.percent(), method: self.method },
                    other => Ending::Astray(other.to_string()),
                });
            }
            _ => {}
        }
    }

    fn decided(&mut self, at: Timestamp) {
        if let Some(watch) = &mut self.watch {
            watch.decided.get_or_insert(since(watch.entered, at));
        }
    }

    fn decided_by_failure(&mut self, at: Timestamp) {
        if self.failed {
            self.decided(at);
        }
    }

    fn leave(&mut self, passed: bool) {
        let Some(Watched { percent, entered, requests, decided }) = self.watch.take() else { return };
        let requests = self.requests() - requests;
        self.steps.push(StepTaken { percent, decided, lasted: since(entered, self.now), requests, passed });
    }
}

/// The shares of a service's candidate, and of what it is compared with.
fn shares_of(member: &Member, splits: &[Split]) -> Shares {
    let share = |release: &str| splits.iter().filter(|split| split.release == release).map(|split| split.percent).sum();
    let fresh = member.fresh_baseline().map_or(0, |deployment| share(&deployment.release.id));
    let stable = member.stable(Environment::Production).map_or(0, |stable| share(&stable.id));
    Shares { candidate: share(member.candidate()), baseline: if fresh > 0 { fresh } else { stable } }
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
