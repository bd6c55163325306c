//! What is asked of the target, and when it is not: by its answers alone.

use std::task::Poll;

use autodevops_model::{Deployment, Notification, Severity, Split};
use autodevops_pipeline::{Gate, Timestamp};
use autodevops_record::testing::Story;
use serde_json::{Value, json};

use super::*;
use crate::testing::{
    Answer, Scene, answer, answer_to, is_shared, local_target, plugin, refusal, release, serves, target,
};

const SHARED: [(&str, u8); 2] = [("old", 95), ("new", 5)];
const RETURNED: [(&str, u8); 1] = [("old", 100)];
const FOREIGN: [(&str, u8); 1] = [("by-hand", 100)];

fn splits(of: &[(&str, u8)]) -> Vec<Split> {
    of.iter().map(|(release, percent)| Split { release: (*release).into(), percent: *percent }).collect()
}

fn moves(environment: Environment, to: &[(&str, u8)]) -> Command {
    Command::SetTraffic { service: String::new(), environment, key: "k".into(), fence: 7, splits: splits(to) }
}

fn deploys() -> Command {
    let (service, environment) = (String::new(), Environment::Production);
    Command::Deploy { service, environment, key: "k".into(), fence: 7, release: release("new") }
}

/// A run whose candidate has a part of the traffic, and a target that says that this serves production.
fn shared(answers: &[Answer]) -> (Scene, Run) {
    let scene = Scene::open(&[target(answers)], "");
    let run = scene.run(&Story::default(), is_shared);
    (scene, run)
}

async fn done(scene: &Scene, run: &Run, command: &Command, again: bool) -> Result<EffectOutcome, String> {
    match Stages::new(scene.project.clone()).effect(run, command, again).await {
        Input::Effect { outcome: EffectOutcome::Failed(error), key } if key == "k" => Err(error.info.message),
        Input::Effect { outcome, key } if key == "k" => Ok(outcome),
        other => Err(format!("{other:?}")),
    }
}

fn deployed(scene: &Scene, url: &str) -> Result<EffectOutcome, String> {
    Ok(EffectOutcome::Deployed(Deployment { release: scene.release("new"), url: Some(url.into()) }))
}

#[tokio::test]
async fn a_deploy_that_may_have_been_done_is_looked_for_and_only_then() {
    let found = answer("find", json!({ "release": release("new"), "url": "http://found" }));
    let (scene, run) = shared(&[found]);
    assert_eq!(done(&scene, &run, &deploys(), false).await, deployed(&scene, "http://deployed"));
    assert_eq!(done(&scene, &run, &deploys(), true).await, deployed(&scene, "http://found"));
    let (scene, run) = shared(&[]);
    assert_eq!(done(&scene, &run, &deploys(), true).await, deployed(&scene, "http://deployed"));
    let nowhere = Command::Deploy {
        service: "cart".into(),
        environment: Environment::Production,
        key: "k".into(),
        fence: 7,
        release: release("new"),
    };
    assert!(done(&scene, &run, &nowhere, false).await.unwrap_err().contains("no service `cart`"));
}

#[tokio::test]
async fn nothing_moves_where_someone_deployed_past_the_run() {
    let on = moves(Environment::Production, &[("old", 75), ("new", 25)]);
    let (scene, run) = shared(&[serves("production", &SHARED, Some("old"))]);
    assert_eq!(done(&scene, &run, &on, false).await, Ok(EffectOutcome::Done));
    let (scene, run) =
        shared(&[serves("production", &FOREIGN, Some("by-hand")), answer("set-traffic", refusal("failed", "no"))]);
    let stages = Stages::new(scene.project.clone());
    let Input::Serving { key, found } = stages.effect(&run, &on, false).await else { panic!() };
    assert_eq!((key, found[0].splits.clone()), (run.look_key(), splits(&FOREIGN)));
    // Only production's traffic is looked at before; and what is no move is done whoever deployed.
    assert!(done(&scene, &run, &moves(Environment::Staging, &RETURNED), false).await.unwrap_err().contains("no"));
    assert_eq!(done(&scene, &run, &deploys(), false).await, deployed(&scene, "http://deployed"));
    // A target that does not say what serves holds nothing up.
    let (scene, run) = shared(&[answer_to("live", "production", refusal("unavailable", "busy"))]);
    assert_eq!(done(&scene, &run, &on, false).await, Ok(EffectOutcome::Done));
}

#[tokio::test]
async fn going_back_asks_nobody_and_is_not_done_while_the_candidate_has_traffic() {
    let back = moves(Environment::Production, &RETURNED);
    for (serving, expected) in [(&RETURNED[..], None), (&FOREIGN[..], None), (&SHARED[..], Some("serves old at 95 %"))]
    {
        let scene = Scene::open(&[target(&[serves("production", serving, Some("old"))])], "");
        let ending = |run: &Run| run.ending().is_some();
        let run = scene.run(&Story { candidate_errors: 200, ..Story::default() }, ending);
        assert!(run.takes_back(&back), "{}", run.stage());
        match (done(&scene, &run, &back, false).await, expected) {
            (Ok(EffectOutcome::Done), None) => {}
            (Err(error), Some(_)) => {
                assert!(error.contains("the target says that it is done, and production serves"), "{error}")
            }
            (other, _) => panic!("{serving:?}: {other:?}"),
        }
    }
    // What is not known is told by the target's own word.
    let scene = Scene::open(&[target(&[answer_to("live", "production", refusal("unavailable", "busy"))])], "");
    let run = scene.run(&Story { candidate_errors: 200, ..Story::default() }, |run| run.ending().is_some());
    assert_eq!(done(&scene, &run, &back, false).await, Ok(EffectOutcome::Done));
    // A move that failed is none that left something behind.
    let answers = [serves("production", &SHARED, Some("old")), answer("set-traffic", refusal("failed", "full"))];
    let scene = Scene::open(&[target(&answers)], "");
    let run = scene.run(&Story { candidate_errors: 200, ..Story::default() }, |run| run.ending().is_some());
    let error = done(&scene, &run, &back, false).await.unwrap_err();
    assert!(error.contains("full"), "{error}");
    // Nor is a move that goes on.
    let (scene, run) = shared(&[serves("production", &SHARED, Some("old"))]);
    assert_eq!(done(&scene, &run, &moves(Environment::Production, &SHARED), false).await, Ok(EffectOutcome::Done));
}

#[tokio::test]
async fn a_way_back_that_waited_while_something_was_made_live_by_hand_leaves_that() {
    let back = moves(Environment::Production, &RETURNED);
    for (serving, leaves) in [(&FOREIGN[..], true), (&SHARED[..], false)] {
        let scene = Scene::open(&[target(&[serves("production", serving, Some("old"))])], "");
        let ending = |run: &Run| run.ending().is_some();
        let run = scene.run(&Story { candidate_errors: 200, ..Story::default() }, ending);
        let stages = Stages::new(scene.project.clone());
        let by_hand = scene.project.moves.write().await;
        let mut waits = std::pin::pin!(stages.effect(&run, &back, false));
        assert!(std::future::poll_fn(|context| Poll::Ready(waits.as_mut().poll(context))).await.is_pending());
        drop(by_hand);
        match waits.await {
            Input::Serving { key, found } if leaves => {
                assert_eq!((key, found[0].splits.clone()), (run.look_key(), splits(&FOREIGN)));
            }
            Input::Effect { .. } if !leaves => {}
            other => panic!("{serving:?}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_lease_that_ran_out_is_no_person_where_the_host_has_leases() {
    for (target, serving, overtaken) in [
        (local_target as fn(&[Answer]) -> _, &RETURNED[..], false),
        (local_target, &FOREIGN[..], true),
        (local_target, &SHARED[..], false),
        (target, &RETURNED[..], true),
        (target, &SHARED[..], false),
    ] {
        let scene = Scene::open(&[target(&[serves("production", serving, Some("old"))])], "");
        let run = scene.run(&Story::default(), is_shared);
        let told = Stages::new(scene.project.clone()).overtaken(&run).await;
        assert_eq!(told.is_some(), overtaken, "{serving:?}");
    }
}

#[tokio::test]
async fn a_lease_that_ran_out_hides_nothing_that_someone_deployed_into_another_service() {
    for (serving, overtaken) in [(&FOREIGN[..], Some("shop")), (&SHARED[..], None), (&RETURNED[..], None)] {
        let answers =
            [serves("production-cart", &RETURNED, Some("old")), serves("production-shop", serving, Some("old"))];
        let scene = Scene::open(&[local_target(&answers)], "");
        let story = Story { services: vec!["cart".into(), "shop".into()], ..Story::default() };
        let run =
            scene.run(&story, |run| run.members().all(|member| member.traffic(Environment::Production).len() > 1));
        let told = Stages::new(scene.project.clone()).overtaken(&run).await;
        let of = told.map(|told| match told {
            Input::Serving { found, .. } => found.iter().map(|found| found.service.clone()).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        });
        assert_eq!(of, overtaken.map(|service| vec![service.to_owned()]), "{serving:?}");
    }
}

#[test]
fn only_all_of_a_shared_traffic_at_stable_is_a_lease_that_ran_out() {
    let (_scene, run) = shared(&[]);
    let found =
        |of: &[(&str, u8)]| Found { whole: None, service: String::new(), splits: splits(of), staging: Vec::new() };
    assert!(has_lapsed(&run, &found(&RETURNED)));
    for other in [&SHARED[..], &FOREIGN, &[("old", 99)], &[]] {
        assert!(!has_lapsed(&run, &found(other)), "{other:?}");
    }
    assert!(!has_lapsed(&run, &Found { service: "cart".into(), ..found(&RETURNED) }));
    let (_scene, whole) = {
        let scene = Scene::open(&[target(&[])], "");
        let run = scene.run(&Story::default(), |run| run.stage() == autodevops_pipeline::RunStage::Soak);
        (scene, run)
    };
    assert!(!has_lapsed(&whole, &found(&RETURNED)), "the candidate never had a part");
}

#[tokio::test]
async fn what_serves_is_told_of_each_environment() {
    let (scene, run) = shared(&[serves("production", &SHARED, Some("old")), serves("staging", &[("new", 100)], None)]);
    let stages = Stages::new(scene.project.clone());
    let Input::Serving { key, found } = stages.perform(&run, &Command::Compare { key: "look".into() }).await else {
        panic!()
    };
    assert_eq!(key, "look");
    let (splits, staging) = (splits(&SHARED), splits(&[("new", 100)]));
    assert_eq!(found, [Found { service: String::new(), splits, whole: Some(scene.release("old")), staging }]);
}

fn notification(title: &str) -> Notification {
    Notification {
        run: "62e23fd1-1".into(),
        stage: "rollout".into(),
        severity: Severity::Warning,
        title: title.into(),
        body: "b".into(),
        links: Vec::new(),
        at: 1,
    }
}

fn tells(title: &str) -> Command {
    Command::Notify { key: "k".into(), plugin: "chat".into(), notification: notification(title), asked: None }
}

#[tokio::test]
async fn people_are_told_once_and_no_more_than_they_can_read() {
    let scene = Scene::open(
        &[target(&[]), plugin("chat", Stage::Notifier, &[answer("notify", Value::Null)])],
        "[notifications]\nper-minute = 2\n",
    );
    let run = scene.run(&Story::default(), is_shared);
    for (title, expected) in [("a", true), ("a", true), ("b", true), ("c", false)] {
        let told = done(&scene, &run, &tells(title), false).await;
        assert_eq!(told == Ok(EffectOutcome::Done), expected, "{title}: {told:?}");
    }
    // What was told takes no turn, and what waits says for how long.
    let Input::Effect { outcome: EffectOutcome::Postponed { error, after }, .. } =
        Stages::new(scene.project.clone()).effect(&run, &tells("d"), false).await
    else {
        panic!()
    };
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert!((1..=61).contains(&after.as_secs()), "{after:?}");
    assert!(error.info.message.contains("`chat` was given as much as"), "{}", error.info.message);
}

#[tokio::test]
async fn a_mail_address_reaches_no_notifier_by_a_title_or_a_text() {
    let words = "it fails for jane@shop.example";
    let about = Notification { body: words.into(), ..notification(words) };
    let tells = Command::Notify { key: "k".into(), plugin: "chat".into(), notification: about, asked: None };
    // After the key come the run, the stage and the severity.
    for (part, first) in [("title", 7), ("body", 9)] {
        for (rules, expected) in [
            ("", Ok(EffectOutcome::Done)),
            ("[redaction]\nkeep = [\"email\"]\n", Err("plugin `chat`: it is told whose".to_owned())),
        ] {
            let answers = [
                answer_to("notify", "it fails for [redacted:email]", Value::Null).where_text(first),
                answer("notify", refusal("failed", "it is told whose")),
            ];
            let scene = Scene::open(&[target(&[]), plugin("chat", Stage::Notifier, &answers)], rules);
            let run = scene.run(&Story::default(), is_shared);
            assert_eq!(done(&scene, &run, &tells, false).await, expected, "{part}, {rules}");
        }
    }
}

#[tokio::test]
async fn what_was_not_told_is_told_again() {
    let scene = Scene::open(
        &[target(&[]), plugin("chat", Stage::Notifier, &[answer("notify", refusal("unavailable", "no line"))])],
        "",
    );
    let run = scene.run(&Story::default(), is_shared);
    for _ in 0..2 {
        let error = done(&scene, &run, &tells("a"), false).await.unwrap_err();
        assert_eq!(error, "plugin `chat`: no line");
    }
}

#[tokio::test]
async fn what_is_no_effect_is_told_as_such_and_so_is_what_is_one() {
    let (scene, run) = shared(&[]);
    let asks = Command::AskApproval { gate: Gate::Production, until: Timestamp(1), reason: "r".into() };
    let Input::Effect { outcome: EffectOutcome::Failed(error), key } =
        Stages::new(scene.project.clone()).effect(&run, &asks, false).await
    else {
        panic!()
    };
    assert!(key.is_empty() && error.info.message.contains("is no effect"), "{error}");
    let Input::Failed { key, error } = Stages::new(scene.project.clone()).perform(&run, &deploys()).await else {
        panic!()
    };
    assert!(key == "k" && error.info.message.contains("is no command that is performed so"), "{error}");
}
