//! Taking production back while something else waits for a plugin, which may be for as long as its calls are let go on.

use std::{future::poll_fn, pin::Pin, task::Poll, time::Duration};

use super::*;
use crate::testing::never;

/// Goes on with something until it waits, and no further.
async fn begun<T>(mut does: Pin<&mut impl Future<Output = T>>) {
    let now = poll_fn(|context| Poll::Ready(does.as_mut().poll(context).is_pending()));
    assert!(now.await, "it waits");
}

/// What comes of something that is to wait for nobody.
async fn at_once<T>(does: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), does).await.expect("it waits for nobody")
}

/// Goes back to `older`, to be done by hand; where it is declined, why.
async fn back(controller: &Controller, environment: &str) -> Result<String, (bool, String)> {
    match at_once(controller.roll_back(environment, Some("older"), true, "ada", "r")).await {
        Ok(RolledBack::ByHand { made, .. }) => Ok(made[0].release.id.clone()),
        Ok(other) => panic!("{other:?}"),
        Err(error) => Err((error.is::<Declined>(), error.to_string())),
    }
}

async fn no_run_begins(controller: &Controller) {
    let error = at_once(controller.start(issue("aa11"))).await.unwrap_err();
    assert!(error.is::<Declined>() && error.to_string().starts_with("a snapshot is taken by hand"), "{error:#}");
}

/// A project where `old` serves, and `older` did before.
fn keeps(target: crate::testing::Plugin, guard: &[Answer]) -> Scene {
    let scene = Scene::open(&[target, plugin("guard", Stage::StateGuard, guard)], "");
    for place in ["production", "staging"] {
        scene.served(place, &["older", "old"].map(|id| scene.release(id)));
    }
    scene
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn production_goes_back_while_a_guard_takes_a_snapshot_and_no_run_begins() {
    let scene = keeps(target(&[]), &[never("snapshot")]);
    let controller = controller(&scene);
    let mut snapshot = Box::pin(controller.snapshot("production", "ada"));
    begun(snapshot.as_mut()).await;
    no_run_begins(&controller).await;
    assert_eq!(back(&controller, "production").await.unwrap(), "older");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn production_goes_back_while_a_guard_keeps_its_data_for_a_deploy_by_hand() {
    let scene = whole_with(&[], Some(plugin("guard", Stage::StateGuard, &[never("snapshot")])), "");
    scene.served("production", &["older", "old"].map(|id| scene.release(id)));
    let controller = Arc::new(controller(&scene));
    let mut deploy = tokio::spawn({
        let controller = Arc::clone(&controller);
        async move { controller.deploy(&["production".into()], "ada").await.map(|_| ()) }
    });
    at_once(async {
        while controller.keeping.try_lock().is_ok() {
            if deploy.is_finished() {
                panic!("it waits for the guard: {:?}", (&mut deploy).await);
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    assert_eq!(back(&controller, "production").await.unwrap(), "older");
    deploy.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn production_goes_back_while_a_guard_is_asked_for_what_is_not_needed_any_more_and_no_run_begins() {
    let scene = keeps(target(&[]), &[never("list")]);
    let artifact = scene.project.state.artifacts().join("a".repeat(64));
    std::fs::create_dir_all(&artifact).unwrap();
    let long_ago = SystemTime::now() - Duration::from_secs(999 * 86_400);
    std::fs::File::open(&artifact).unwrap().set_modified(long_ago).unwrap();
    let (controller, mut freed) = (controller(&scene), Vec::new());
    {
        let mut collect = Box::pin(controller.collect(&mut freed));
        begun(collect.as_mut()).await;
        no_run_begins(&controller).await;
        assert_eq!(back(&controller, "production").await.unwrap(), "older");
    }
    assert!(freed.len() == 1 && !artifact.exists(), "{freed:?}");
    // Nothing is removed while it is not known what is gone back to.
    std::fs::create_dir_all(&artifact).unwrap();
    std::fs::File::open(&artifact).unwrap().set_modified(long_ago).unwrap();
    let _turn = controller.beginning.lock().await;
    let mut collect = Box::pin(controller.collect(&mut freed));
    begun(collect.as_mut()).await;
    assert!(artifact.exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn while_data_goes_back_by_hand_what_serves_with_it_stays_and_other_environments_go_back() {
    let info = json!({ "id": "s-1", "taken": 5, "bytes": 7 });
    let scene = keeps(target(&[]), &[never("snapshot"), answer("list", json!([info]))]);
    let controller = controller(&scene);
    let mut restore = Box::pin(controller.restore("production", "s-1", Written::IsLost, "ada"));
    begun(restore.as_mut()).await;
    no_run_begins(&controller).await;
    let expected = "the data of production goes back to a snapshot, and is put under what serves now; say it again once that is done";
    assert_eq!(back(&controller, "production").await.unwrap_err(), (true, expected.to_owned()));
    assert_eq!(back(&controller, "staging").await.unwrap(), "older");
    drop(restore);
    assert_eq!(back(&controller, "production").await.unwrap(), "older");
    // Nor does it go back while something is made live there.
    let _release = controller.restoring["production"].lock().await;
    let names = || scene.project.audit.log().names().unwrap();
    let before = names();
    let mut restore = Box::pin(controller.restore("production", "s-1", Written::IsLost, "ada"));
    begun(restore.as_mut()).await;
    assert_eq!(names(), before, "it waits before anything of it is on record");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn production_goes_back_while_a_target_is_asked_for_a_run_that_begins() {
    let scene = whole(&[never("describe")], "");
    scene.served("production", &["older", "old"].map(|id| scene.release(id)));
    let controller = controller(&scene);
    let mut start = Box::pin(controller.start(issue("aa11")));
    begun(start.as_mut()).await;
    assert_eq!(back(&controller, "production").await.unwrap(), "older");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn production_goes_back_while_releases_drain_that_a_deploy_by_hand_left() {
    let others = [("analyzer", Stage::Analyzer), ("fixer", Stage::FixGenerator), ("health", Stage::HealthCheck)];
    let others = others.map(|(name, stage)| plugin(name, stage, &[]));
    let scene = Scene::open(&[&[local_target(&[])], &others[..]].concat(), "");
    scene.served("production", &["older", "old"].map(|id| scene.release(id)));
    let controller = Arc::new(controller(&scene));
    let free = Arc::new(Mutex::new(Vec::new()));
    let looks = {
        let (controller, free) = (Arc::clone(&controller), Arc::clone(&free));
        move || free.lock().unwrap().push(controller.beginning.try_lock().is_ok())
    };
    let door =
        Door { releases: vec![held(scene.release("left"))], meanwhile: Some(Arc::new(looks)), ..Door::default() };
    let calls = Arc::clone(&door.calls);
    door.open(&scene);
    controller.deploy(&["production".into()], "ada").await.unwrap();
    assert_eq!(calls.lock().unwrap().last().unwrap(), "stop left");
    // It is asked what serves before something is made live, and before something is stopped.
    let free = free.lock().unwrap();
    assert!(free.contains(&false) && free.last() == Some(&true), "{free:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_run_under_way_is_told_to_go_back_also_while_something_is_made_live_by_hand() {
    let scene = scene("");
    let run = scene.run(&Story::default(), is_shared);
    let controller = controller(&scene);
    let _turn = controller.beginning.lock().await;
    let told = at_once(controller.roll_back("production", None, false, "ada", "r")).await.unwrap();
    assert_eq!(told, RolledBack::ByRuns(vec![run.id().to_owned()]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_run_does_not_begin_of_what_was_taken_back_while_it_was_looked_what_serves() {
    let scene = whole(&[], "");
    scene.served("production", &["older", "old"].map(|id| scene.release(id)));
    let controller = controller(&scene);
    // Whoever goes back has their turn once the run looked for the first time.
    let turn = controller.beginning.lock().await;
    let mut start = Box::pin(controller.start(issue("aa11")));
    begun(start.as_mut()).await;
    let mut went_back = Box::pin(back(&controller, "production"));
    begun(went_back.as_mut()).await;
    drop(turn);
    let (started, went_back) = tokio::join!(start, went_back);
    assert_eq!(went_back.unwrap(), "older");
    // The target, whose answers are fixed, says `old` still.
    let error = format!("{:#}", started.unwrap_err());
    assert!(error.contains("production serves old, and not older, which this host made live last"), "{error}");
    assert_eq!(controller.unfinished().unwrap().len(), 0);
}
