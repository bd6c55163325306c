//! Several runs of one project in one small world, in every order: each run by the decision core, who is next by [`Claims`], and targets
//! that hold fences, as the contract wants it. Hosts die between any two things that are done; then all is known from the events alone.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use autodevops_model::{
    Bucket, Capabilities, Deployment, Edit, FileChange, Fix, Issue, IssueKind, Measurement, Observation, Rate, Release,
    Risk, RollbackPlan, Severity, Split, Window,
};
use autodevops_pipeline::{
    Command, EffectOutcome, Environment, Event, EventKind, Found, Input, Live, Member, Origin, Outcome, Plan, Run,
    Sample, Service, Step, Subject, Timestamp,
};
use proptest::prelude::*;

use super::Claims;

const SERVICES: [&str; 3] = ["cart", "shop", "mail"];

const MINUTE: Duration = Duration::from_secs(60);

/// More than any world needs to come to its end.
const MOVES: usize = 20_000;

fn release(id: &str) -> Release {
    Release { id: id.into(), artifact: format!("sha256:{id}"), commit: format!("{id}-commit") }
}

fn plan() -> Plan {
    let mut plan = Plan::defaults("project");
    let service = |name: &str| Service {
        name: name.into(),
        paths: vec![name.into()],
        staging: format!("staging-{name}"),
        production: format!("production-{name}"),
    };
    plan.services = SERVICES.map(service).into();
    plan.triggers.truncate(2);
    let step = |percent| Step { percent, duration: 3 * MINUTE };
    (plan.soak, plan.steps, plan.monitoring) = (2 * MINUTE, vec![step(5), step(100)], 2 * MINUTE);
    plan
}

/// A target's environment of one service.
struct Place {
    stable: Release,
    splits: Vec<Split>,
    fence: u64,
    /// The releases that were brought there, by the key of their deploy.
    there: BTreeMap<String, Release>,
    /// The run that moved it last and is in the way still.
    moved_by: Option<String>,
}

/// What a run is to be like.
#[derive(Clone, Debug)]
struct Kind {
    /// The services that its fix touches.
    touches: Vec<usize>,
    /// Whether its release fails in production.
    fails: bool,
}

struct World {
    claims: Claims,
    places: BTreeMap<String, Place>,
    kinds: Vec<Kind>,
    /// The runs, and their events.
    runs: Vec<(Run, Vec<Event>)>,
    fences: u64,
    now: Timestamp,
    /// The greatest number of rollouts at one time.
    side_by_side: usize,
}

impl World {
    fn new(kinds: Vec<Kind>) -> Self {
        let place = || Place {
            stable: release("first"),
            splits: vec![Split { release: "first".into(), percent: 100 }],
            fence: 0,
            there: BTreeMap::from([(String::new(), release("first"))]),
            moved_by: None,
        };
        let places = SERVICES.iter().flat_map(|name| [format!("staging-{name}"), format!("production-{name}")]);
        let places = places.map(|name| (name, place())).collect();
        let (claims, runs) = (Claims::default(), Vec::new());
        let mut world = Self { claims, places, kinds, runs, fences: 0, now: Timestamp(0), side_by_side: 0 };
        for number in 0..world.kinds.len() {
            let title = format!("fault {number}");
            let issue = Issue {
                message: String::new(),
                ..Issue::new(&title, IssueKind::Exception, Severity::Error, title.as_str())
            };
            let capabilities = Capabilities {
                split_traffic: true,
                preview: false,
                instant_rollback: true,
                fenced: true,
                keeps_state: true,
                fresh_baseline: false,
            };
            let (name, fence, live) = (format!("r{number}"), world.next_fence(), world.live());
            let first = Run::started(name, issue, plan(), "base", fence, live, capabilities, Timestamp(0));
            world.runs.push((Run::start(&first).unwrap(), vec![first]));
        }
        world
    }

    fn next_fence(&mut self) -> u64 {
        self.fences += 1;
        self.fences
    }

    fn run(&self, number: usize) -> Run {
        self.runs[number].0.clone()
    }

    fn live(&self) -> Vec<Live> {
        let stable = |name: String| Some(self.places[&name].stable.clone());
        let of = |name: &&str| Live {
            staging: stable(format!("staging-{name}")),
            production: stable(format!("production-{name}")),
        };
        SERVICES.iter().map(of).collect()
    }

    /// All hosts' memory is gone.
    fn restart(&mut self) {
        self.claims = Claims::default();
        for number in 0..self.runs.len() {
            let run = Run::replay(&self.runs[number].1).unwrap();
            assert_eq!(run, self.runs[number].0, "a replay is the same run");
            self.claims.has(run.id(), run.claimed_services());
            if run.outcome().is_none() {
                let fence = self.next_fence();
                self.say(number, Input::Resume { fence });
            }
        }
    }

    fn say(&mut self, number: usize, input: Input) {
        let run = self.run(number);
        let events = run.decide(input.clone(), self.now).unwrap_or_else(|why| panic!("{input:?}: {why}"));
        self.write(number, events);
    }

    fn write(&mut self, number: usize, events: Vec<Event>) {
        let (run, all) = &mut self.runs[number];
        let had = !run.claimed_services().is_empty();
        events.iter().for_each(|event| run.apply(event));
        all.extend(events);
        let run = run.clone();
        if had && run.ending().is_some() && run.claimed_services().is_empty() {
            self.over(&run);
        }
    }

    /// Has a run do the next thing; whether there was any.
    fn go(&mut self, number: usize) -> bool {
        let run = self.run(number);
        let mut commands = run.commands(self.now);
        let input = match commands.swap_remove(0) {
            Command::Finish(_) => {
                self.over(&run);
                return false;
            }
            Command::WaitUntil(until) => {
                self.now = self.now.max(until);
                Input::Tick
            }
            Command::AskApproval { .. } => {
                Input::Approve { by: "ada".into(), reason: String::new(), bypass: false, link: None }
            }
            command if command.needs_intent() => {
                let key = command.key().unwrap().to_owned();
                self.say(number, Input::Intent { key: key.clone() });
                let outcome = self.effect(&run, &command);
                Input::Effect { key, outcome }
            }
            Command::Claim { key, services } => match self.claims.ask(run.id(), &services) {
                Err(of) if run.awaited() == Some(&of) => return false,
                Err(of) => Input::ServicesTaken { key, of },
                Ok(()) => Input::Claimed { key, fence: self.next_fence(), base: "later".into(), live: self.live() },
            },
            command => self.answer(number, &run, command),
        };
        self.say(number, input);
        true
    }

    fn answer(&self, number: usize, run: &Run, command: Command) -> Input {
        let kind = &self.kinds[number];
        match command {
            Command::Propose { .. } => {
                let edit = |service: &usize| Edit {
                    path: format!("{}/a.js", SERVICES[*service]),
                    base_sha256: None,
                    change: FileChange::Create("x".into()),
                };
                let fix = Fix {
                    title: "a fix".into(),
                    root_cause: String::new(),
                    confidence: 1.0,
                    risk: Risk::Low,
                    edits: kind.touches.iter().map(edit).collect(),
                    tests: Vec::new(),
                    rollback: RollbackPlan {
                        summary: String::new(),
                        previous_release_suffices: true,
                        state: Vec::new(),
                    },
                };
                Input::Proposed { plugin: "recipes".into(), fix: Box::new(fix) }
            }
            Command::Compare { key } => {
                let splits = |place: &str| self.places[place].splits.clone();
                let found = |member: &Member| Found {
                    whole: None,
                    service: member.label().into(),
                    splits: splits(member.place(Environment::Production)),
                    staging: splits(member.place(Environment::Staging)),
                };
                Input::Serving { key, found: run.members().map(found).collect() }
            }
            Command::Commit { key } => Input::Committed { key, branch: "fix".into(), commit: "c".into() },
            Command::Build { key, service, .. } => {
                Input::Built { key, release: release(&format!("{}-{service}", run.id())) }
            }
            Command::AutomatedTests { key, .. } => Input::AutomatedTested { key, reports: Vec::new() },
            Command::Measure { environment, subjects, windows } => {
                let fails = kind.fails && environment == Environment::Production;
                let of = |subject: &Subject| windows.iter().map(|window| sample(subject, window, fails)).collect();
                let samples = subjects.iter().flat_map(|subject| -> Vec<Sample> { of(subject) }).collect();
                Input::Measured { samples, error: None }
            }
            other => panic!("{other:?} is no such command"),
        }
    }

    /// Does an effect, which no target may refuse and no other run may have a part in.
    fn effect(&mut self, run: &Run, command: &Command) -> EffectOutcome {
        let (service, environment) = match command {
            Command::Deploy { service, environment, .. } | Command::SetTraffic { service, environment, .. } => {
                (service, *environment)
            }
            other => panic!("{other:?} is no such effect"),
        };
        let member = run.member(service).unwrap();
        let name = member.place(environment).to_owned();
        let place = self.places.get_mut(&name).unwrap();
        let of_another = place.moved_by.as_ref().filter(|by| *by != run.id());
        assert_eq!(of_another, None, "{} moves {name} of another run", run.id());
        match command {
            Command::Deploy { key, fence, release, .. } => {
                assert!(*fence >= place.fence, "{name} refuses {key}: fence {fence} is below {}", place.fence);
                place.fence = *fence;
                place.there.insert(key.clone(), release.clone());
                place.moved_by = Some(run.id().to_owned());
                EffectOutcome::Deployed(Deployment { release: release.clone(), url: None })
            }
            Command::SetTraffic { key, fence, splits, .. } => {
                assert!(*fence >= place.fence, "{name} refuses {key}: fence {fence} is below {}", place.fence);
                assert_eq!(splits.iter().map(|split| u32::from(split.percent)).sum::<u32>(), 100, "{splits:?}");
                for split in splits {
                    let release = place.there.values().find(|there| there.id == split.release);
                    let release = release.unwrap_or_else(|| panic!("{name} has no {}", split.release));
                    // As a front door does: what has all of the traffic is stable.
                    if split.percent == 100 {
                        place.stable = release.clone();
                    }
                }
                (place.fence, place.splits) = (*fence, splits.clone());
                let shared = self.places.values().filter(|place| place.splits.len() > 1);
                let runs: BTreeSet<&String> = shared.filter_map(|p| p.moved_by.as_ref()).collect();
                self.side_by_side = self.side_by_side.max(runs.len());
                EffectOutcome::Done
            }
            other => panic!("{other:?} is no such effect"),
        }
    }

    fn over(&mut self, run: &Run) {
        for place in self.places.values_mut() {
            place.moved_by.take_if(|by| *by == run.id());
        }
        self.claims.free(run.id());
    }

    /// Has the runs go on in this order, over and over, and the hosts die after so many things that are done, until all runs are over.
    fn play(&mut self, order: &[usize], deaths: &[usize]) {
        let mut turns = order.iter().map(|turn| turn % self.kinds.len()).collect::<Vec<_>>();
        // Everyone has a turn.
        turns.extend(0..self.kinds.len());
        for done in 0..MOVES {
            if (0..self.runs.len()).all(|number| self.run(number).outcome().is_some()) {
                return;
            }
            self.go(turns[done % turns.len()]);
            if deaths.contains(&done) {
                self.restart();
            }
        }
        panic!("it never ends: {:?}", (0..self.runs.len()).map(|number| self.run(number).stage()).collect::<Vec<_>>());
    }
}

fn sample(subject: &Subject, window: &Window, fails: bool) -> Sample {
    let of = |release: &String| {
        let events = if fails && *release == subject.candidate { 900 } else { 0 };
        let rate = Measurement {
            metric: "error-rate".into(),
            unit: "ratio".into(),
            release: release.clone(),
            observation: Observation::Rate(Rate { events, total: 1000 }),
            window: window.clone(),
        };
        let quick = vec![Bucket { le: 0.5, count: 1000 }, Bucket { le: f64::INFINITY, count: 1000 }];
        let latency = Measurement {
            metric: "latency".into(),
            unit: "seconds".into(),
            observation: Observation::Histogram(quick),
            ..rate.clone()
        };
        [rate, latency]
    };
    let releases = std::iter::once(&subject.candidate).chain(&subject.baseline).chain(&subject.stable);
    Sample {
        service: subject.service.clone(),
        source: "edge".into(),
        origin: Origin::default(),
        observed_by_host: true,
        window: window.clone(),
        measurements: releases.flat_map(of).collect(),
    }
}

fn kind(touches: &[usize], fails: bool) -> Kind {
    Kind { touches: touches.to_vec(), fails }
}

#[test]
fn two_runs_of_two_services_roll_out_at_the_same_time_and_each_as_if_it_were_alone() {
    let mut world = World::new(vec![kind(&[0], false), kind(&[1], true)]);
    world.play(&[0, 1], &[]);
    assert_eq!(world.side_by_side, 2);
    assert_eq!(world.run(0).outcome(), Some(&Outcome::Healed));
    assert!(matches!(world.run(1).outcome(), Some(Outcome::RolledBack { .. })), "{:?}", world.run(1).outcome());
    let serving = |place: &str| world.places[place].stable.id.clone();
    assert_eq!((serving("production-cart"), serving("production-shop")), ("r0-cart".into(), "first".into()));
}

#[test]
fn a_run_that_waited_heals_what_the_other_released() {
    let mut world = World::new(vec![kind(&[0, 1], false), kind(&[1, 2], false)]);
    world.play(&[0, 1], &[]);
    assert_eq!(world.side_by_side, 1, "they share a service");
    let second = world.run(1);
    assert_eq!((second.outcome(), second.base()), (Some(&Outcome::Healed), "later"));
    assert_eq!(second.live()[1].production.as_ref().unwrap().id, "r0-shop", "where it would have gone back to");
    let anew = |event: &&Event| matches!(event.event, EventKind::BegunAnew { .. });
    assert_eq!(world.runs[1].1.iter().filter(anew).count(), 1);
}

#[test]
fn a_run_that_only_tells_people_what_came_of_it_keeps_its_services_from_nobody() {
    let mut world = World::new(vec![kind(&[0], true), kind(&[0], false)]);
    while !world.run(0).only_tells() {
        assert!(!world.run(1).claimed_services().contains(&"cart".to_owned()));
        world.go(0);
        world.go(1);
    }
    while world.go(1) {}
    assert_eq!((world.run(0).outcome(), world.run(1).outcome()), (None, Some(&Outcome::Healed)));
    // Whoever comes to drive the first one now finds nothing of it that is another's.
    world.restart();
    world.play(&[0], &[]);
    assert!(matches!(world.run(0).outcome(), Some(Outcome::RolledBack { .. })), "{:?}", world.run(0).outcome());
    assert_eq!(world.places["production-cart"].stable.id, "r1-cart");
}

fn kinds() -> impl Strategy<Value = Vec<Kind>> {
    let touches = prop::sample::subsequence(vec![0, 1, 2], 1..=3);
    prop::collection::vec(
        (touches, prop::bool::weighted(0.3)).prop_map(|(touches, fails)| Kind { touches, fails }),
        2..5,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn in_whatever_order_no_run_meets_another_and_all_come_to_their_end(
        kinds in kinds(),
        order in prop::collection::vec(0..8_usize, 0..12),
        deaths in prop::collection::vec(0..400_usize, 0..4),
    ) {
        let mut world = World::new(kinds.clone());
        world.play(&order, &deaths);
        for (number, kind) in kinds.iter().enumerate() {
            let outcome = world.run(number).outcome().cloned();
            match kind.fails {
                false => prop_assert_eq!(outcome, Some(Outcome::Healed)),
                true => prop_assert!(matches!(outcome, Some(Outcome::RolledBack { .. })), "{:?}", outcome),
            }
        }
        // What serves of each service is of a run that healed and touched it, where there was any.
        for (service, name) in SERVICES.iter().enumerate() {
            let healed: Vec<String> = (0..kinds.len())
                .filter(|number| !kinds[*number].fails && kinds[*number].touches.contains(&service))
                .map(|number| format!("r{number}-{name}"))
                .collect();
            let serves = &world.places[&format!("production-{name}")];
            prop_assert!(healed.contains(&serves.stable.id) || (healed.is_empty() && serves.stable.id == "first"));
            prop_assert_eq!(&serves.splits, &vec![Split { release: serves.stable.id.clone(), percent: 100 }]);
        }
    }
}
