use autodevops_pipeline::{Awaited, Command, Event, EventKind, RunStage, Timestamp, VERSION};
use autodevops_record::testing::Story;

use super::*;
use crate::testing::{Scene, serves, target};

/// A project whose release `old` serves, by its target's word and by what is on record.
fn scene() -> Scene {
    let all = |place: &str| serves(place, &[("old", 100)], Some("old"));
    let scene = Scene::open(&[target(&[all("production"), all("staging")])], "");
    scene.served("production", &[scene.release("old")]);
    scene.served("staging", &[scene.release("old")]);
    scene
}

fn claims(services: &[&str]) -> Command {
    Command::Claim { key: "k".into(), services: services.iter().map(|service| (*service).to_owned()).collect() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn who_has_the_services_alone_begins_anew_of_what_serves() {
    let scene = scene();
    let run = scene.run(&Story::default(), |run| run.stage() == RunStage::Fix);
    let before = scene.project.next_fence().unwrap();
    let said = Stages::new(scene.project.clone()).perform(&run, &claims(&["shop"])).await;
    let Input::Claimed { key, fence, base, live } = said else { panic!("{said:?}") };
    assert_eq!((key.as_str(), fence, base), ("k", before + 1, scene.base.clone()));
    let old = Some(scene.release("old"));
    assert_eq!(live, [autodevops_pipeline::Live { staging: old.clone(), production: old }]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn whose_services_another_run_has_it_is_said_once_and_waited_for() {
    let scene = scene();
    let mut run = scene.run(&Story::default(), |run| run.stage() == RunStage::Fix);
    let stages = Stages::new(scene.project.clone());
    scene.project.claims.has("other", vec!["shop".to_owned()]);
    let said = stages.perform(&run, &claims(&["shop"])).await;
    let Input::ServicesTaken { key, of } = said else { panic!("{said:?}") };
    assert_eq!((key.as_str(), of.run.as_str()), ("k", "other"));
    let known = Awaited { ..of };
    run.apply(&Event { v: VERSION, at: Timestamp(1), event: EventKind::ServicesAwaited { of: known } });
    let command = claims(&["shop"]);
    let (said, ()) = tokio::join!(stages.perform(&run, &command), async {
        tokio::task::yield_now().await;
        scene.project.claims.free("other");
    });
    assert!(matches!(said, Input::Claimed { .. }), "{said:?}");
}
