//! Runs of one project side by side: each has the services that its fix touches to itself.

use super::{
    scene::{Scene, fix, plan, release, started},
    together::{of_pair, plan_of_three},
};
use crate::{Awaited, Command, EventKind, Input, Live, Outcome, Refused, RunStage};

/// A run with a fix of `cart` and `shop`, which claims them now.
fn claiming() -> Scene {
    of_pair(plan_of_three())
}

fn claim_of(scene: &Scene) -> (String, Vec<String>) {
    let claims = |command: &Command| match command {
        Command::Claim { key, services } => Some((key.clone(), services.clone())),
        _ => None,
    };
    scene.commands().iter().find_map(claims).unwrap_or_else(|| panic!("{:?}", scene.commands()))
}

fn taken(key: &str, run: &str, service: &str) -> Input {
    Input::ServicesTaken { key: key.into(), of: Awaited { run: run.into(), services: vec![service.into()] } }
}

/// What serves, where these services have another release by now, and the rest what they had.
fn serving(scene: &Scene, changed: &[&str]) -> Input {
    let mut live = scene.run.live();
    for (live, service) in live.iter_mut().zip(&scene.run.plan().services) {
        if changed.contains(&service.name.as_str()) {
            live.production = Some(release("other"));
        }
    }
    Input::Claimed { key: claim_of(scene).0, fence: 20, base: "joined-commit".into(), live }
}

#[test]
fn a_run_has_the_services_that_its_fix_touches_from_then_on_to_its_end_and_none_before() {
    let before = Scene::of(started(plan_of_three()));
    assert_eq!((before.run.wanted_services(), before.run.claimed_services()), (vec![], vec![]));
    let mut scene = claiming();
    assert_eq!(claim_of(&scene), ("r1/claim/7".into(), vec!["cart".into(), "shop".into()]));
    assert_eq!(scene.run.claimed_services(), [""; 0], "nothing is the run's before it is told so");
    scene.go();
    assert_eq!(scene.run.claimed_services(), ["cart", "shop"]);
    assert!(matches!(scene.command(), Command::Review { .. }), "{:?}", scene.command());
    let (outcome, scene) = scene.outcome();
    assert_eq!(outcome, Outcome::Healed);
    assert_eq!(scene.run.claimed_services(), [""; 0], "and nothing once it is over");
    assert_eq!(scene.names().iter().filter(|name| **name == "services-claimed").count(), 1);
}

#[test]
fn a_fix_of_what_is_nobodys_own_claims_all_and_so_does_one_where_data_has_a_guard() {
    let mut scene = Scene::of(started(plan_of_three()));
    scene.say(Input::Proposed { plugin: "recipes".into(), fix: fix("lib/money.js") }).unwrap();
    assert_eq!(claim_of(&scene).1, ["cart", "shop", "mail"]);
    let mut plan = plan_of_three();
    plan.data.guards = vec!["keeper".into()];
    let mut scene = Scene::of(started(plan));
    scene.say(Input::Proposed { plugin: "recipes".into(), fix: fix("services/mail/a.js") }).unwrap();
    assert_eq!(claim_of(&scene).1, ["cart", "shop", "mail"]);
    assert_eq!(scene.run.members().map(crate::Member::name).collect::<Vec<_>>(), ["mail"], "it releases its own alone");
}

#[test]
fn the_only_service_is_claimed_by_nobody() {
    let (outcome, scene) = Scene::new(plan()).outcome();
    assert_eq!(outcome, Outcome::Healed);
    assert!(!scene.names().iter().any(|name| name.starts_with("services-")));
}

#[test]
fn while_another_run_has_a_service_nothing_is_done_and_that_is_on_record_once() {
    let mut scene = claiming();
    scene.say(taken("r1/claim/7", "r0", "shop")).unwrap();
    assert_eq!(scene.run.awaited().unwrap().to_string(), "run r0, which releases shop");
    assert_eq!(claim_of(&scene).0, "r1/claim/7");
    assert!(scene.say(taken("r1/claim/7", "r0", "shop")).unwrap().is_empty(), "it is known");
    scene.say(taken("r1/claim/7", "r9", "cart")).unwrap();
    assert_eq!(scene.run.awaited().unwrap().run, "r9");
    assert_eq!((scene.run.stage(), scene.run.claimed_services()), (RunStage::CodeReview, vec![]));
    let early = Input::Reviewed { key: "r1/review".into(), reports: Vec::new() };
    assert!(matches!(scene.say(early), Err(Refused::UnknownKey { .. })), "it goes no further");
    let (outcome, scene) = scene.outcome();
    assert_eq!((outcome, scene.run.awaited()), (Outcome::Healed, None));
}

#[test]
fn without_a_reviewer_a_run_waits_for_its_services_all_the_same() {
    let mut plan = plan_of_three();
    plan.review.clear();
    let mut scene = of_pair(plan);
    assert_eq!(scene.run.stage(), RunStage::CodeReview);
    scene.say(Input::Tick).unwrap();
    assert!(matches!(scene.command(), Command::Claim { .. }));
    scene.go();
    assert!(scene.names().ends_with(&["services-claimed", "reviewed", "safety-checked", "tests-generated"]));
}

#[test]
fn where_its_services_serve_something_else_by_then_a_run_begins_anew_of_that() {
    let mut scene = claiming();
    let now = serving(&scene, &["shop"]);
    scene.say(now).unwrap();
    let told = |event: &EventKind| match event {
        EventKind::BegunAnew { reason, .. } => reason == "shop serves other, and the fix is of old",
        _ => false,
    };
    assert!(scene.has(told), "{:?}", scene.events.last());
    assert_eq!((scene.run.stage(), scene.run.base(), scene.run.fix()), (RunStage::Fix, "joined-commit", None));
    assert_eq!(scene.run.claimed_services(), [""; 0]);
    assert_eq!(scene.command(), Command::Propose { key: "r1/propose/2".into() });
    scene.say(Input::Proposed { plugin: "recipes".into(), fix: fix("services/shop/b.js") }).unwrap();
    assert_eq!(claim_of(&scene), ("r1/claim/2/7".into(), vec!["shop".into()]));
    let (outcome, scene) = scene.outcome();
    assert_eq!(outcome, Outcome::Healed);
    let stable = |member: &crate::Member| member.live().production.as_ref().unwrap().id.clone();
    assert_eq!(scene.run.members().map(stable).collect::<Vec<_>>(), ["other"], "where a rollback would go");
}

#[test]
fn what_came_to_serve_of_other_services_is_no_affair_of_the_fix() {
    let mut scene = claiming();
    let now = serving(&scene, &["mail"]);
    scene.say(now).unwrap();
    assert_eq!((scene.run.stage(), scene.run.base()), (RunStage::CodeReview, "old-commit"));
    assert_eq!(scene.run.claimed_services(), ["cart", "shop"]);
}

#[test]
fn what_serves_of_fewer_services_than_there_are_is_no_answer() {
    let mut scene = claiming();
    let answer = Input::Claimed { key: "r1/claim/7".into(), fence: 8, base: "x".into(), live: vec![Live::default()] };
    assert!(matches!(scene.say(answer), Err(Refused::UnknownKey { .. })));
}

#[test]
fn effects_carry_a_fence_above_that_of_whoever_released_the_services_before() {
    // The run began with fence 7, and whoever had its services meanwhile with a higher one.
    let mut scene = claiming();
    let live = scene.run.live();
    let claimed = |fence| Input::Claimed { key: "r1/claim/7".into(), fence, base: "x".into(), live: live.clone() };
    let [stale, above] = [7, 12].map(claimed);
    assert_eq!(scene.say(stale), Err(Refused::StaleFence { fence: 7, current: 7 }));
    scene.say(above).unwrap();
    let scene = scene.until(RunStage::StagingDeploy);
    assert!(matches!(scene.command(), Command::Deploy { fence: 12, .. }), "{:?}", scene.command());
}

#[test]
fn a_host_that_takes_over_a_run_without_services_asks_for_them_and_does_not_look_what_serves() {
    // Another run may be moving any of them.
    let mut looking = Scene::of(started(plan_of_three()));
    looking.say(Input::Resume { fence: 8 }).unwrap();
    assert!(matches!(looking.command(), Command::Propose { .. }), "{:?}", looking.command());
    let mut scene = claiming();
    scene.say(taken("r1/claim/7", "r0", "shop")).unwrap();
    scene.say(Input::Resume { fence: 8 }).unwrap();
    assert_eq!(scene.run.awaited(), None, "whether it still waits is for the new host to say");
    let late =
        Input::Claimed { key: "r1/claim/7".into(), fence: 20, base: "old-commit".into(), live: scene.run.live() };
    assert!(
        matches!(scene.say(late), Err(Refused::UnknownKey { .. })),
        "the host that is gone had them, and not this one"
    );
    assert_eq!(claim_of(&scene).0, "r1/claim/8");
    let (outcome, scene) = scene.outcome();
    assert_eq!(outcome, Outcome::Healed);
    assert!(!scene.names().contains(&"compared"), "it was looked when the services became the run's");
}

#[test]
fn people_are_heard_while_a_run_waits_for_services() {
    let mut scene = claiming();
    scene.say(taken("r1/claim/7", "r0", "shop")).unwrap();
    scene.say(Input::Hold { by: "ada".into(), reason: "later".into() }).unwrap();
    assert!(!scene.commands().iter().any(|command| matches!(command, Command::Claim { .. })));
    scene.say(Input::EndHold { by: "ada".into(), reason: String::new() }).unwrap();
    claim_of(&scene);
    scene.say(Input::Abort { by: "ada".into(), reason: "never".into() }).unwrap();
    assert_eq!(scene.run.awaited(), None);
    assert!(matches!(scene.outcome().0, Outcome::Aborted { .. }));
}

#[test]
fn what_serves_is_a_runs_affair_once_it_has_the_service_and_until_it_goes_back() {
    let mut scene = claiming();
    assert!(!scene.run.is_about("production-cart"), "it begins anew where that changed");
    scene.go();
    let about = |scene: &Scene| ["cart", "shop", "mail"].map(|name| scene.run.is_about(&format!("production-{name}")));
    assert_eq!(about(&scene), [true, true, false]);
    assert!(!scene.run.is_about("staging-cart"));
    scene.say(Input::Abort { by: "ada".into(), reason: "never".into() }).unwrap();
    assert_eq!(about(&scene), [false; 3]);
    assert!(Scene::new(plan()).run.is_about("production"), "the only service is everyone's from the beginning");
}
