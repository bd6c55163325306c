use autodevops_pipeline::{RunStage, Timestamp};
use autodevops_record::testing::Story;
use serde_json::Value;

use super::*;
use crate::{
    live::Origin,
    testing::{Answer, Scene, answer_to, serves, target},
};

fn all(place: &str, release: &str) -> Answer {
    serves(place, &[(release, 100)], Some(release))
}

async fn told(scene: &Scene) -> Result<Serving, String> {
    let plan = scene.project.config.plan();
    serving(&scene.project, "r", &plan).await.map_err(|error| error.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_run_begins_of_what_the_target_and_the_record_agree_to_serve() {
    let scene = Scene::open(&[target(&[all("production", "old"), answer_to("live", "staging", Value::Null)])], "");
    scene.served("production", &[scene.release("older"), scene.release("old")]);
    let serving = told(&scene).await.unwrap();
    assert_eq!(serving.base, scene.base);
    assert_eq!(serving.live, [Serves { staging: None, production: Some(scene.release("old")) }]);
    scene.serves("production", &scene.release("newer"), Timestamp(9), Origin::Deploy("ada".into()));
    let error = told(&scene).await.err().unwrap();
    assert!(error.starts_with("production serves old, and not newer, which this host made live last"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_nobody_here_put_there_is_no_beginning() {
    let scene = Scene::open(&[target(&[all("production", "old")])], "");
    let error = told(&scene).await.err().unwrap();
    assert!(error.starts_with("production serves old, which this host did not put there"), "{error}");
    let scene = Scene::open(&[target(&[])], "");
    scene.served("production", &[scene.release("old")]);
    let error = told(&scene).await.err().unwrap();
    assert!(error.starts_with("nothing was deployed to production yet"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn of_a_service_that_another_run_has_it_is_what_served_before_that_run() {
    let shared = serves("production", &[("old", 95), ("new", 5)], Some("between"));
    let scene = Scene::open(&[target(&[shared])], "");
    let other = scene.run(&Story::default(), |run| run.stage() == RunStage::Rollout);
    let plan = scene.project.config.plan();
    let alone = serving(&scene.project, other.id(), &plan).await.err().unwrap().to_string();
    assert!(alone.contains("production serves between"), "itself asks the target: {alone}");
    let serves = before(&other, &plan.services[0].name);
    let has = other.claimed_services().iter().any(|service| *service == plan.services[0].name);
    assert_eq!(serves.is_some(), has);
    assert_eq!(before(&other, "cart"), None);
}
