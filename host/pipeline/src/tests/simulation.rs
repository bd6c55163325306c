//! Runs in a world where anything fails, hosts die at every point, people speak when they like, and time jumps.

use std::collections::{BTreeMap, BTreeSet};

use autodevops_model::{Deployment, ErrorKind, Outcome as CheckOutcome, Split};
use proptest::prelude::*;

use super::scene::{SECOND, Scene, error, plan, report, shares};
use crate::{Command, EffectOutcome, Environment, EventKind, Found, Gate, Input, Level, Outcome, Plan, Run, RunStage};

/// What the targets hold: outside of the run, and not to be lost with a host.
#[derive(Default)]
struct World {
    traffic: BTreeMap<Environment, Vec<Split>>,
    deployed: BTreeSet<String>,
    said: BTreeMap<String, Command>,
    checked: usize,
}

/// Without the fence, which a new host raises.
fn unfenced(command: &Command) -> Command {
    let mut command = command.clone();
    if let Command::Deploy { fence, .. } | Command::SetTraffic { fence, .. } = &mut command {
        *fence = 0;
    }
    command
}

impl World {
    /// Does an effect, as a target does: at most once for each key, but traffic is set as often as it is asked.
    fn take(&mut self, command: &Command) {
        match command {
            Command::Deploy { key, .. } => drop(self.deployed.insert(key.clone())),
            Command::SetTraffic { environment, splits, .. } => drop(self.traffic.insert(*environment, splits.clone())),
            _ => {}
        }
    }

    /// What may never be, whatever happens.
    fn check(&mut self, scene: &Scene) {
        for command in scene.commands() {
            if let Some(key) = command.key() {
                let command = unfenced(&command);
                let before = self.said.entry(key.to_owned()).or_insert_with(|| command.clone());
                assert_eq!(*before, command, "the same key means the same command");
            }
        }
        let new = scene.events.len();
        for index in self.checked..new {
            let (past, event) = (&scene.events[..index], &scene.events[index].event);
            let before = |found: &dyn Fn(&EventKind) -> bool| past.iter().any(|event| found(&event.event));
            match event {
                EventKind::EffectIntended { splits, environment: Some(Environment::Production), .. }
                | EventKind::TrafficSet { splits, environment: Environment::Production, .. }
                    if !splits.is_empty() =>
                {
                    assert_eq!(splits.iter().map(|split| u32::from(split.percent)).sum::<u32>(), 100);
                    if splits.iter().any(|split| split.release == "new") {
                        assert!(before(&|event| matches!(event, EventKind::GatePassed { gate: Gate::Production, .. })));
                        allowed(past);
                    }
                }
                EventKind::StepPassed { environment: Environment::Production, .. } => evidence(past),
                _ => {}
            }
            if held(past) {
                // Nothing is begun, but the way back, and no step is passed but by the word of a person who was asked about it.
                let begins = matches!(event, EventKind::EffectIntended { environment: Some(_), .. });
                let was_asked = matches!(past.last().map(|event| &event.event), Some(EventKind::GatePassed { .. }));
                let passes =
                    matches!(event, EventKind::StepPassed { .. } | EventKind::StepExtended { .. }) && !was_asked;
                assert!(!begins && !passes, "on hold: {}", event.name());
            }
            if let EventKind::EffectDone { key } | EventKind::Deployed { key, .. } | EventKind::TrafficSet { key, .. } =
                event
            {
                let intended =
                    |event: &EventKind| matches!(event, EventKind::EffectIntended { key: k, .. } if k == key);
                assert!(before(&intended), "no effect without an intent: {key}");
            }
        }
        self.checked = new;
    }
}

/// Whether a person holds the run, and it is not on its way back.
fn held(past: &[crate::Event]) -> bool {
    let last = past.iter().rev().find_map(|event| match event.event {
        EventKind::HoldRequested { .. } => Some(true),
        EventKind::ResumeRequested { .. } | EventKind::TurnedBack { .. } => Some(false),
        _ => None,
    });
    last == Some(true)
}

/// Every check passed before production's traffic moves, or a person agreed to go on without.
fn allowed(past: &[crate::Event]) {
    for (index, event) in past.iter().enumerate() {
        let verdict = match &event.event {
            EventKind::Reviewed { verdict, .. } | EventKind::Checked { verdict, .. } => verdict,
            // Nobody is set to test the staged release in some of the plans.
            EventKind::AutomatedTested { verdict, reports } if !reports.is_empty() => verdict,
            _ => continue,
        };
        assert_ne!(verdict.outcome, CheckOutcome::Failed);
        let agreed =
            past[index..].iter().any(|event| matches!(event.event, EventKind::GatePassed { gate: Gate::Held, .. }));
        assert!(verdict.outcome == CheckOutcome::Passed || agreed, "{verdict:?}");
    }
}

/// The last thing before a step is passed is a verdict that passes it over what the host saw, or a person's word.
fn evidence(past: &[crate::Event]) {
    let mut last = past.iter().rev().map(|event| &event.event);
    let last = last.find(|event| !matches!(event, EventKind::SafetyChecked { .. })).unwrap();
    match last {
        EventKind::GatePassed { gate: Gate::Held, .. } | EventKind::SkipRequested { .. } => {}
        EventKind::Judged { verdict, .. } => {
            assert_eq!(verdict.outcome, CheckOutcome::Passed);
            let measured = past.iter().rev().find_map(|event| match &event.event {
                EventKind::Measured { samples, .. } => Some(samples),
                _ => None,
            });
            assert!(measured.unwrap().iter().any(|sample| sample.observed_by_host));
        }
        other => panic!("a step was passed after {}", other.name()),
    }
}

fn kind(chance: u8) -> ErrorKind {
    match chance % 4 {
        0 => ErrorKind::Failed,
        1 => ErrorKind::Denied,
        _ => ErrorKind::Unavailable,
    }
}

fn worse(reports: Vec<crate::NamedReport>, chance: u8) -> Vec<crate::NamedReport> {
    let outcome = if chance.is_multiple_of(3) { CheckOutcome::Failed } else { CheckOutcome::Inconclusive };
    reports.into_iter().map(|named| report(&named.plugin, outcome)).collect()
}

/// Does a command, as `(what, how)` say.
fn act(scene: &mut Scene, world: &mut World, command: &Command, what: u8, how: u8) {
    let Some(key) = command.key().map(ToOwned::to_owned) else {
        match command {
            Command::Measure { windows, subjects, .. } => {
                scene.seen = match what {
                    0..=140 => (0, 200),
                    141..=170 => (u64::from(how % 4), u64::from(how % 25)),
                    171..=200 => (u64::from(how), 255),
                    _ => (0, 200),
                };
                let mut samples = scene.samples(windows, &subjects[0]);
                if what > 235 {
                    samples.clear();
                } else if what > 220 {
                    samples.iter_mut().for_each(|sample| sample.observed_by_host = false);
                }
                let error = samples.is_empty().then(|| "no answer".to_owned());
                scene.say(Input::Measured { samples, error }).unwrap();
            }
            _ => drop(scene.obey(command)),
        }
        return;
    };
    if command.needs_intent() {
        scene.say(Input::Intent { key: key.clone() }).unwrap();
        world.check(scene);
        let (does, reports, fails) = match what {
            0..=170 => (true, true, false),
            171..=190 => (true, false, false),
            191..=205 => (false, false, false),
            206..=225 => (true, true, true),
            _ => (false, true, true),
        };
        if does {
            world.take(command);
        }
        if reports {
            let outcome = match command {
                _ if fails => EffectOutcome::Failed(error(kind(how))),
                Command::Deploy { release, .. } => {
                    EffectOutcome::Deployed(Deployment { release: release.clone(), url: None })
                }
                _ => EffectOutcome::Done,
            };
            scene.say(Input::Effect { key, outcome }).unwrap();
        }
        return;
    }
    let input = match (scene.answer(command), what) {
        (Input::Serving { key, .. }, 0..225) => {
            let [splits, staging] =
                [Environment::Production, Environment::Staging].map(|environment| world.traffic[&environment].clone());
            Input::Serving { key, found: vec![Found { whole: None, service: String::new(), splits, staging }] }
        }
        (_, 225..) => Input::Failed { key, error: error(kind(how)) },
        (Input::Reviewed { key, reports }, 200..) => Input::Reviewed { key, reports: worse(reports, how) },
        (Input::Checked { key, reports }, 200..) => Input::Checked { key, reports: worse(reports, how) },
        (Input::AutomatedTested { key, reports }, 200..) => {
            Input::AutomatedTested { key, reports: worse(reports, how) }
        }
        (Input::Proposed { .. }, 215..) => Input::NoProposal { reason: "none".into() },
        (input, _) => input,
    };
    scene.say(input).unwrap();
}

/// A host dies, and another reads the journal as it is on disk.
fn crash(scene: &mut Scene, takes_over: bool) {
    let journal: Vec<String> = scene.events.iter().map(|event| serde_json::to_string(event).unwrap()).collect();
    scene.events = journal.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let run = Run::replay(&scene.events).unwrap();
    assert_eq!(run.commands(scene.now), scene.commands());
    scene.run = run;
    if takes_over && scene.run.outcome().is_none() {
        let fence = scene.run.fence() + 1;
        scene.say(Input::Resume { fence }).unwrap();
    }
}

fn speak(scene: &mut Scene, how: u8) {
    let (by, reason) = (["ada", "bob", "mallory"][usize::from(how % 3)].to_owned(), "because".to_owned());
    // What is refused changes nothing, which `say` has seen to.
    let _ = scene.say(match how {
        0..=80 => Input::Approve { by, reason, bypass: how.is_multiple_of(7), link: None },
        81..=90 => Input::Skip { by, reason },
        91..=105 => Input::Hold { by, reason },
        106..=125 => Input::EndHold { by, reason },
        126..=140 => Input::Extend { by, reason, span: how.is_multiple_of(2).then_some(SECOND) },
        141..=150 => Input::Acknowledge { by, reason, link: None },
        151..=170 => Input::Reject { by, reason, link: None },
        171..=200 => Input::Rollback { by, reason },
        201..=220 => Input::Abort { by, reason },
        221..=235 => Input::Effect { key: "r1/traffic/production/100".into(), outcome: EffectOutcome::Done },
        236..=245 => Input::TrafficReturned { services: vec![String::new()] },
        _ => Input::Checked { key: "r1/checks".into(), reports: Vec::new() },
    });
}

fn simulate(plan: Plan, chances: &[(u8, u8, u8)]) -> (Outcome, Scene) {
    let mut scene = Scene::new(plan);
    let old = Split { release: "old".into(), percent: 100 };
    let mut world = World::default();
    for environment in [Environment::Production, Environment::Staging] {
        world.traffic.insert(environment, vec![old.clone()]);
    }
    let calm = std::iter::repeat((100, 0, 0));
    for (step, (choice, what, how)) in chances.iter().copied().chain(calm).enumerate() {
        world.check(&scene);
        let commands = scene.commands();
        if let [Command::Finish(outcome)] = &commands[..] {
            let share = shares(&world.traffic[&Environment::Production]);
            match outcome {
                Outcome::Healed => assert_eq!(share, [("new", 100)]),
                outcome => assert_eq!(share, [("old", 100)], "{outcome}"),
            }
            assert_eq!(
                shares(super::scene::traffic(&scene.run, Environment::Production)),
                share,
                "what is on record is what serves"
            );
            assert!(world.deployed.len() <= 2);
            return (outcome.clone(), scene);
        }
        // Nobody leaves a run on hold for ever, here.
        if step >= chances.len() && scene.run.on_hold().is_some() {
            scene.say(Input::EndHold { by: "ada".into(), reason: String::new() }).unwrap();
            continue;
        }
        assert!(step < chances.len() + 600, "stuck in {}: {commands:?}", scene.run.stage().name());
        match choice {
            0..=20 => crash(&mut scene, how % 2 == 0),
            21..=40 => speak(&mut scene, how),
            41..=45 => scene.now = scene.now.after(u32::from(how) * SECOND),
            _ => {
                let doable = commands.iter().filter(|command| !matches!(command, Command::AskApproval { .. })).count();
                let index = if choice > 200 { usize::from(how) % doable } else { 0 };
                let mut doable = commands.iter().filter(|command| !matches!(command, Command::AskApproval { .. }));
                act(&mut scene, &mut world, doable.nth(index).unwrap(), what, how);
            }
        }
    }
    unreachable!("calm has no end")
}

fn plans() -> impl Strategy<Value = Plan> {
    (any::<[bool; 6]>(), 0_u32..3, 0_u32..3).prop_map(|(flags, retries, extensions)| {
        let [required, tests, notifies, bypass, empty, critical] = flags;
        let mut plan = plan();
        plan.approval.required = required;
        plan.approval.emergency_bypass = bypass;
        plan.approval.approvers = vec!["ada".into(), "bob".into()];
        plan.approval.count = if bypass { 2 } else { 1 };
        plan.test_generators = tests;
        plan.retries = retries;
        plan.max_extensions = extensions;
        plan.triggers[0].critical = critical;
        if notifies {
            plan.notifiers = vec!["chat".into()];
            let level = |after| Level { after: after * SECOND, notifiers: vec!["pager".into()] };
            plan.escalation = vec![level(5), level(30)];
        }
        if empty {
            plan.automated.clear();
            plan.soak = std::time::Duration::ZERO;
        }
        plan
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_a_run_ends_and_what_serves_is_what_it_says(
        plan in plans(),
        chances in prop::collection::vec(any::<(u8, u8, u8)>(), 0..120),
    ) {
        simulate(plan, &chances);
    }

    #[test]
    fn a_world_that_mostly_works_heals_or_goes_back(
        chances in prop::collection::vec((any::<u8>(), 0_u8..225, any::<u8>()), 0..160),
        faults in prop::collection::btree_set(0_usize..160, 0..4),
    ) {
        let rarely = |(index, (choice, what, how)): (usize, (u8, u8, u8))| {
            if faults.contains(&index) { (choice, what, how) } else { (choice.max(46), what % 170 % 140, how) }
        };
        let chances: Vec<_> = chances.into_iter().enumerate().map(rarely).collect();
        simulate(plan(), &chances);
    }
}

#[test]
fn a_host_that_dies_at_every_point_of_a_run_changes_nothing_of_it() {
    let died: Vec<_> = (0..400).map(|index| if index % 2 == 0 { (0, 0, index as u8) } else { (100, 0, 0) }).collect();
    let (outcome, scene) = simulate(plan(), &died);
    let (quiet, undisturbed) = simulate(plan(), &[]);
    assert_eq!((outcome, quiet), (Outcome::Healed, Outcome::Healed));
    let without_resumes: Vec<_> =
        scene.names().into_iter().filter(|name| !matches!(*name, "resumed" | "compared")).collect();
    assert_eq!(without_resumes, undisturbed.names());
}

#[test]
fn an_effect_whose_outcome_is_lost_every_other_time_still_takes_place() {
    let lost: Vec<_> = (0..200).map(|index| (100, if index % 2 == 0 { 180 } else { 0 }, 0)).collect();
    let (outcome, scene) = simulate(plan(), &lost);
    assert_eq!(outcome, Outcome::Healed);
    assert_eq!(scene.run.stage(), RunStage::Finished);
}
