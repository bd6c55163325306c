//! Several services in one run: promoted together or not at all.

use autodevops_model::{ErrorKind, Release};

use super::scene::{SECOND, Scene, error, fix, plan, release, started};
use crate::{
    Command, EffectOutcome, Environment, EventKind, Found, Gate, Input, Outcome, Plan, RunStage, Service, Verdict,
};

const PRODUCTION: Environment = Environment::Production;

/// A plan of the services `cart`, `shop` and `mail`; each has a folder of its own.
pub(super) fn plan_of_three() -> Plan {
    let service = |name: &str| Service {
        name: name.into(),
        paths: vec![format!("services/{name}")],
        staging: format!("staging-{name}"),
        production: format!("production-{name}"),
    };
    Plan { services: ["cart", "shop", "mail"].map(service).into(), ..plan() }
}

/// A run whose fix touches `cart` and `shop`.
fn pair() -> Scene {
    of_pair(plan_of_three())
}

pub(super) fn of_pair(plan: Plan) -> Scene {
    let mut scene = Scene::of(started(plan));
    let mut both = fix("services/cart/index.js");
    both.edits.push(fix("services/shop/index.js").edits.remove(0));
    scene.say(Input::Proposed { plugin: "recipes".into(), fix: both }).unwrap();
    scene
}

fn shares(scene: &Scene) -> Vec<(&str, u8)> {
    scene.run.members().map(|member| (member.name(), member.share(PRODUCTION))).collect()
}

/// The effects on production's traffic, in their order: the service, and the candidate's share.
fn moves(scene: &Scene) -> Vec<(&str, u8)> {
    let of = |event: &EventKind| match event {
        EventKind::TrafficSet { service, environment: PRODUCTION, splits, .. } => {
            let new = splits.iter().filter(|split| split.release == "new").map(|split| split.percent).sum();
            Some((service.clone(), new))
        }
        _ => None,
    };
    let moved = scene.events.iter().filter_map(|event| of(&event.event));
    moved
        .map(|(service, share)| (["cart", "shop", "mail"].into_iter().find(|name| *name == service).unwrap(), share))
        .collect()
}

/// Intends and fails a command.
fn fails(scene: &mut Scene, key: &str, kind: ErrorKind) {
    let key = key.to_owned();
    scene.say(Input::Intent { key: key.clone() }).unwrap();
    scene.say(Input::Effect { key, outcome: EffectOutcome::Failed(error(kind)) }).unwrap();
}

fn succeeds(scene: &mut Scene, key: &str) {
    let command = scene.commands().into_iter().find(|command| command.key() == Some(key)).unwrap();
    scene.obey(&command);
}

#[test]
fn a_run_releases_the_services_that_its_change_touches_one_move_after_the_other() {
    let (outcome, scene) = pair().outcome();
    assert_eq!(outcome, Outcome::Healed);
    let steps = [5, 25, 50, 100];
    let wanted: Vec<(&str, u8)> = steps.into_iter().flat_map(|share| [("cart", share), ("shop", share)]).collect();
    assert_eq!(moves(&scene), wanted);
    assert_eq!(shares(&scene), [("cart", 100), ("shop", 100)]);
    let of_mail = scene.has(|event| match event {
        EventKind::Built { service, .. } | EventKind::EffectIntended { service, .. } => service == "mail",
        EventKind::Measured { samples, .. } => samples.iter().any(|sample| sample.service == "mail"),
        _ => false,
    });
    assert!(!of_mail, "what the change does not touch is left alone");
}

#[test]
fn one_that_touches_what_is_nobodys_own_releases_all() {
    let mut scene = Scene::of(started(plan_of_three()));
    scene.say(Input::Proposed { plugin: "recipes".into(), fix: fix("lib/money.js") }).unwrap();
    let (outcome, scene) = scene.outcome();
    assert_eq!(outcome, Outcome::Healed);
    assert_eq!(shares(&scene), [("cart", 100), ("shop", 100), ("mail", 100)]);
}

#[test]
fn a_step_is_watched_once_all_have_their_share() {
    let mut scene = pair().until(RunStage::Rollout);
    assert_eq!(scene.command().key(), Some("r1/traffic/production/5/cart"));
    scene.go();
    assert_eq!((shares(&scene), scene.run.watch()), (vec![("cart", 5), ("shop", 0)], None));
    assert_eq!(scene.command().key(), Some("r1/traffic/production/5/shop"));
    scene.go();
    assert_eq!(scene.run.watch().unwrap().percent, 5);
    scene.now = scene.now.after(SECOND);
    let Command::Measure { subjects, .. } = scene.command() else { panic!("{:?}", scene.commands()) };
    let measured: Vec<&str> = subjects.iter().map(|subject| subject.service.as_str()).collect();
    assert_eq!(measured, ["cart", "shop"]);
}

#[test]
fn one_that_fails_turns_all_back_what_was_moved_last_first() {
    for bad in ["cart", "shop"] {
        let mut scene = pair().until_step(25);
        scene.seen_of = Some((bad, (100, 200)));
        let (outcome, scene) = scene.outcome();
        let Outcome::RolledBack { reason } = outcome else { panic!("{outcome}") };
        assert!(
            reason.starts_with(&format!("production at 25 %: {bad}: error-rate at or above 50.0 % at once: hard trip")),
            "{reason}"
        );
        assert_eq!(moves(&scene)[4..], [("shop", 0), ("cart", 0)]);
        assert_eq!(shares(&scene), [("cart", 0), ("shop", 0)]);
    }
}

#[test]
fn a_step_passes_only_if_each_passes() {
    let mut scene = pair().until_step(5);
    scene.seen_of = Some(("shop", (0, 3)));
    while scene.run.gate().is_none() {
        scene.go();
    }
    let judged = |event: &EventKind| match event {
        EventKind::Judged { verdict, others } => Some((verdict.clone(), others.clone())),
        _ => None,
    };
    let (verdict, others): (Verdict, Vec<Verdict>) =
        scene.events.iter().rev().find_map(|event| judged(&event.event)).unwrap();
    assert!(verdict.words.starts_with("shop: ") && others.iter().any(|other| other.words.starts_with("cart: ")));
    let gate = scene.run.gate().unwrap();
    assert_eq!(gate.gate, Gate::Held);
    assert!(gate.reason.contains("production at 5 %: shop: "), "{}", gate.reason);
    assert_eq!(shares(&scene), [("cart", 5), ("shop", 5)]);
}

#[test]
fn where_one_cannot_be_moved_the_other_goes_back_too() {
    let mut scene = pair().until_step(5);
    while scene.command().key() != Some("r1/traffic/production/25/shop") {
        scene.go();
    }
    assert_eq!(shares(&scene), [("cart", 25), ("shop", 5)]);
    fails(&mut scene, "r1/traffic/production/25/shop", ErrorKind::Denied);
    let (outcome, scene) = scene.outcome();
    assert!(matches!(outcome, Outcome::RolledBack { .. }), "{outcome}");
    assert_eq!(shares(&scene), [("cart", 0), ("shop", 0)]);
}

#[test]
fn a_rollback_completes_on_all_whatever_fails_next_to_it() {
    let mut scene = pair().until_step(25);
    scene.say(Input::Rollback { by: "ada".into(), reason: "wrong".into() }).unwrap();
    fails(&mut scene, "r1/rollback/production/shop", ErrorKind::Failed);
    assert_eq!(scene.command().key(), Some("r1/rollback/production/cart"), "while the other is to be tried again");
    succeeds(&mut scene, "r1/rollback/production/cart");
    assert_eq!(shares(&scene), [("cart", 0), ("shop", 25)]);
    assert!(scene.run.outcome().is_none());
    for _ in 0..20 {
        while scene.command().key() != Some("r1/rollback/production/shop") {
            scene.go();
        }
        fails(&mut scene, "r1/rollback/production/shop", ErrorKind::Failed);
    }
    assert!(scene.run.held().is_some(), "people are told");
    let (_, scene) = scene.outcome();
    assert_eq!(shares(&scene), [("cart", 0), ("shop", 0)]);
}

#[test]
fn a_host_that_died_between_two_moves_goes_on_with_the_second() {
    let mut scene = pair().until(RunStage::Rollout);
    scene.go();
    let key = "r1/traffic/production/5/shop".to_owned();
    scene.say(Input::Intent { key: key.clone() }).unwrap();
    scene.say(Input::Resume { fence: 9 }).unwrap();
    let compare = scene.command();
    scene.obey(&compare);
    assert!(scene.run.gate().is_none() && scene.run.stage() == RunStage::Rollout);
    assert!(matches!(scene.command(), Command::SetTraffic { key: again, fence: 9, .. } if again == key));
    let (outcome, scene) = scene.outcome();
    assert_eq!(outcome, Outcome::Healed);
    assert_eq!(shares(&scene), [("cart", 100), ("shop", 100)]);
}

#[test]
fn a_share_that_was_given_back_is_moved_anew_for_that_service_alone() {
    let mut scene = pair().until_step(25);
    scene.say(Input::TrafficReturned { services: vec!["shop".into()] }).unwrap();
    assert_eq!((shares(&scene), scene.run.watch()), (vec![("cart", 25), ("shop", 0)], None));
    assert_eq!(scene.command().key(), Some("r1/traffic/production/25/shop/2"));
    let (outcome, scene) = scene.outcome();
    assert_eq!(outcome, Outcome::Healed);
    assert_eq!(moves(&scene).iter().filter(|(_, share)| *share == 25).count(), 3);
}

#[test]
fn where_someone_deployed_past_one_the_run_is_held_and_refused_it_takes_the_other_back() {
    let mut scene = pair().until_step(25);
    scene.say(Input::Resume { fence: 9 }).unwrap();
    let Command::Compare { key } = scene.command() else { panic!("{:?}", scene.commands()) };
    let found = |service: &str, splits: &[(&str, u8)]| Found {
        whole: None,
        service: service.into(),
        splits: splits
            .iter()
            .map(|(release, percent)| autodevops_model::Split { release: (*release).into(), percent: *percent })
            .collect(),
        staging: vec![autodevops_model::Split { release: "new".into(), percent: 100 }],
    };
    let found = vec![found("cart", &[("old", 75), ("new", 25)]), found("shop", &[("hotfix", 100)])];
    scene.say(Input::Serving { key, found }).unwrap();
    let gate = scene.run.gate().unwrap();
    assert!(gate.reason.starts_with("production-shop serves hotfix 100 % where"), "{}", gate.reason);
    scene.say(Input::Reject { by: "ada".into(), reason: "the hotfix stays".into(), link: None }).unwrap();
    let asked: Vec<String> = scene.commands().iter().filter_map(|command| command.key().map(str::to_owned)).collect();
    assert_eq!(asked, ["r1/rollback/production/cart"]);
}

#[test]
fn a_stable_release_of_one_that_is_broken_keeps_all_where_they_are() {
    let mut scene = pair().until_step(25);
    scene.seen_of = Some(("cart", (100, 200)));
    scene.stable_seen_of = Some(("shop", (1000, 1000)));
    while scene.run.stable_broken().is_none() {
        assert!(scene.run.ending().is_none(), "{:?}", scene.run.ending());
        scene.go();
    }
    let gate = scene.run.gate().unwrap();
    assert!(
        gate.reason.contains("cart: error-rate at or above 50.0 % at once: hard trip")
            && gate.reason.contains("does not go back to `old`"),
        "{gate:?}"
    );
    assert_eq!(shares(&scene), [("cart", 25), ("shop", 25)]);
}

#[test]
fn what_serves_must_be_known_of_each_service() {
    let mut first = started(plan_of_three());
    let EventKind::Started { live, .. } = &mut first.event else { panic!() };
    live.pop();
    let error = crate::Run::start(&first).unwrap_err().to_string();
    assert!(error.contains("3 services") && error.contains("what served of 2"), "{error}");
    let mut twice = plan_of_three();
    twice.services[1].name = "cart".into();
    let error = crate::Run::start(&started(twice)).unwrap_err().to_string();
    assert!(error.contains("two of one name"), "{error}");
}

#[test]
fn a_release_of_each_is_built_and_another_than_that_is_not_deployed() {
    let mut scene = pair().until(RunStage::Build);
    let built = |scene: &mut Scene, id: &str| {
        let Command::Build { key, .. } = scene.command() else { panic!("{:?}", scene.commands()) };
        let release = Release { id: id.into(), ..release(id) };
        scene.say(Input::Built { key: key.clone(), release }).unwrap();
        key
    };
    assert_eq!(built(&mut scene, "cart-1"), "r1/build/cart");
    assert_eq!(scene.run.stage(), RunStage::Build);
    assert_eq!(built(&mut scene, "shop-1"), "r1/build/shop");
    assert_eq!(scene.run.stage(), RunStage::StagingDeploy);
    let Command::Deploy { service, release, key, .. } = scene.command() else { panic!("{:?}", scene.commands()) };
    assert_eq!((service.as_str(), release.id.as_str(), key.as_str()), ("cart", "cart-1", "r1/deploy/staging/cart"));
}

#[test]
fn a_glance_at_one_that_fails_turns_all_back() {
    let mut plan = plan_of_three();
    plan.interval = 60 * SECOND;
    plan.steps.iter_mut().for_each(|step| step.duration = 600 * SECOND);
    let mut scene = of_pair(plan).until_step(25);
    scene.now = scene.now.after(SECOND);
    scene.seen_of = Some(("shop", (9, 18)));
    let (_, glance) = scene.run.glance(scene.now).unwrap();
    let windows = &glance.windows;
    let samples = glance.subjects.iter().flat_map(|subject| scene.samples(windows, subject)).collect();
    scene.say(Input::Glanced { samples }).unwrap();
    let (outcome, scene) = scene.outcome();
    assert!(matches!(outcome, Outcome::RolledBack { .. }), "{outcome}");
    assert_eq!(shares(&scene), [("cart", 0), ("shop", 0)]);
}

#[test]
fn only_what_went_back_is_looked_at_after_it() {
    let mut scene = pair().until(RunStage::Rollout);
    scene.go();
    assert_eq!(shares(&scene), [("cart", 5), ("shop", 0)]);
    scene.say(Input::Rollback { by: "ada".into(), reason: "wrong".into() }).unwrap();
    while !matches!(scene.command(), Command::Measure { .. }) {
        scene.go();
    }
    let Command::Measure { subjects, .. } = scene.command() else { unreachable!() };
    let subjects: Vec<(&str, &str)> =
        subjects.iter().map(|subject| (subject.service.as_str(), subject.candidate.as_str())).collect();
    assert_eq!(subjects, [("cart", "old")]);
    let back = |service: &str| scene.run.took_back(&format!("production-{service}"));
    assert!(back("cart").is_some() && back("shop").is_none() && back("mail").is_none());
}

#[test]
fn of_several_that_fail_the_one_that_turns_back_soonest_is_told_first() {
    for critical in [true, false] {
        let mut plan = plan_of_three();
        plan.triggers[0].critical = critical;
        let mut scene = of_pair(plan).until_step(25);
        // Of `cart`, which comes first, three of ten fail; of `shop` more than half, which is a hard trip.
        scene.seen = (60, 200);
        scene.seen_of = Some(("shop", (120, 200)));
        let judged = loop {
            let events = scene.go();
            let verdict = events.into_iter().find_map(|event| match event.event {
                EventKind::Judged { verdict, .. } => Some(verdict),
                _ => None,
            });
            if let Some(verdict) = verdict {
                break verdict;
            }
        };
        assert!(judged.words.starts_with("shop: hard trip: 120 of 200"), "{}", judged.words);
        assert!(scene.run.ending().is_some(), "at once");
    }
}

#[test]
fn staging_is_tested_once_all_have_their_traffic() {
    let mut scene = pair().until(RunStage::StagingDeploy);
    while scene.command().key() != Some("r1/traffic/staging/100/shop") {
        assert_eq!(scene.run.stage(), RunStage::StagingDeploy, "not both have it");
        scene.go();
    }
    scene.go();
    assert_eq!(scene.run.stage(), RunStage::AutomatedTesting);
}

#[test]
fn what_is_remembered_of_a_stable_release_is_its_own_services() {
    let mut scene = pair().until_step(50);
    scene.stable_seen_of = Some(("shop", (800, 1000)));
    let mut scene = scene.until(RunStage::Monitoring);
    for id in ["1", "2", "3"] {
        let (counted, id, text) = (crate::Counted::Complaints, id.to_owned(), "no".to_owned());
        let signal = crate::Signal { counted, id, by: None, service: None, release: None, at: scene.now, text };
        scene.say(Input::Signal(signal)).unwrap();
    }
    assert!(scene.run.stable_broken().is_some(), "that of `shop` was broken when it was last seen");
}
