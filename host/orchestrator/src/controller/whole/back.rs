//! Taking back what was released: by the runs that did it, or by hand.

use std::time::Duration;

use autodevops_model::Split;
use autodevops_pipeline::{Command, Event, EventKind, Found, Gate, VERSION};

use super::*;
use crate::by_hand::MadeLive;

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_rollback_of_production_is_the_runs_that_moved_it() {
    let scene = scene("");
    let run = scene.run(&Story::default(), is_shared);
    let controller = controller(&scene);
    let back = async |environment: &str, to: Option<&str>| {
        controller.roll_back(environment, to, false, "ada", "r").await.map_err(|error| error.to_string())
    };
    let error = back("production", Some("older")).await.unwrap_err();
    assert!(error.starts_with("run 62e23fd1-1 is under way; without --to it goes back"), "{error}");
    let error = back("staging", None).await.unwrap_err();
    assert!(error.starts_with("run 62e23fd1-1 is under way; wait for its end"), "{error}");
    assert_eq!(back("production", None).await.unwrap(), RolledBack::ByRuns(vec![run.id().to_owned()]));
    let after = &controller.unfinished().unwrap()[0].run;
    assert!(matches!(after.ending(), Some(Outcome::RolledBack { .. })), "{:?}", after.ending());
    // One that goes back already says so itself.
    back("production", None).await.unwrap_err();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn of_two_runs_those_that_moved_production_go_back_and_what_goes_back_needs_no_word() {
    let scene = scene("");
    let run = |name: &str, until: &dyn Fn(&Run) -> bool| {
        let story =
            Story { run: name.into(), candidate_errors: if name == "c-1" { 200 } else { 0 }, ..Story::default() };
        scene.run(&story, until)
    };
    run("a-1", &|run| run.fix().is_some());
    run("b-1", &is_shared);
    let going = run("c-1", &|run| run.ending().is_some() && run.outcome().is_none());
    assert!(going.is_moved(Environment::Production));
    let controller = controller(&scene);
    let RolledBack::ByRuns(told) = controller.roll_back("production", None, false, "ada", "r").await.unwrap() else {
        panic!()
    };
    assert_eq!(told, ["b-1", "c-1"]);
    let endings: Vec<bool> =
        controller.unfinished().unwrap().iter().map(|logged| logged.run.ending().is_some()).collect();
    assert_eq!(endings, [false, true, true]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_a_person_took_back_is_undone_in_git_and_who_goes_forward_undoes_nothing() {
    let (scene, change) = released("");
    let controller = controller(&scene);
    let rolled_back = controller.roll_back("production", None, false, "ada", "it broke").await.unwrap();
    let RolledBack::ByHand { made, reverted, concerned } = rolled_back else { panic!("{rolled_back:?}") };
    assert_eq!((made[0].release.id.as_str(), concerned), ("old", vec![]));
    let branch = format!("autodevops/revert-{}", &change[..10]);
    assert!(reverted.unwrap().contains(&branch));
    let message = git(&scene.shop(), &["show", "--no-patch", "--format=%B", &branch]);
    assert!(message.contains("ada: it broke"), "{message}");
    let forward = controller.roll_back("production", Some("new"), false, "ada", "after all").await.unwrap();
    let RolledBack::ByHand { made, reverted, .. } = forward else { panic!("{forward:?}") };
    assert_eq!((made[0].release.id.as_str(), reverted), ("new", None));
    // Staging's releases are nobody's to undo.
    scene.served(
        "staging",
        &[scene.release("old"), autodevops_model::Release { commit: change, ..scene.release("new") }],
    );
    let staging = controller.roll_back("staging", None, false, "ada", "r").await.unwrap();
    assert!(matches!(&staging, RolledBack::ByHand { reverted: None, .. }), "{staging:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn who_says_it_twice_goes_back_once() {
    let scene = scene("");
    scene.served("production", &["oldest", "older", "old", "new"].map(|id| scene.release(id)));
    let controller = controller(&scene);
    let back = async |to: Option<&str>| match controller.roll_back("production", to, true, "ada", "r").await {
        Ok(RolledBack::ByHand { made, .. }) => Ok(made[0].release.id.clone()),
        Ok(other) => panic!("{other:?}"),
        Err(error) => Err((error.is::<Declined>(), error.to_string())),
    };
    // While somebody waits their turn, another has something else serve.
    let first = controller.beginning.lock().await;
    let deploys = async {
        scene.serves("production", &scene.release("newest"), now(), Origin::Deploy("bob".into()));
        drop(first);
    };
    let (waited, ()) = tokio::join!(back(None), deploys);
    let (declined, error) = waited.unwrap_err();
    assert!(declined, "{error}");
    assert!(error.starts_with("what serves production changed while this waited: it is newest now"), "{error}");
    assert_eq!(back(None).await.unwrap(), "new");
    let (declined, error) = back(None).await.unwrap_err();
    assert!(declined && error.starts_with("production went back to new "), "{error}");
    assert!(error.ends_with("name the release: `autodevops rollback production --to old`"), "{error}");
    assert_eq!(back(Some("old")).await.unwrap(), "old");
    // Whoever goes forward again may go back from there.
    assert_eq!(back(Some("newest")).await.unwrap(), "newest");
    assert!(back(None).await.is_ok());
}

/// Stories have fences of their own; the journal's next one is above.
fn fences_above(scene: &Scene, run: &Run) {
    while scene.project.next_fence().unwrap() < run.fence() {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_was_promoted_before_a_run_that_moved_nothing_is_taken_back_by_hand_and_the_run_looks_anew() {
    let (scene, _) = released("");
    let run = scene.run(&Story::default(), |run| run.stage() == RunStage::Soak);
    assert!(run.is_moved(Environment::Staging) && !run.is_moved(Environment::Production));
    fences_above(&scene, &run);
    let controller = controller(&scene);
    let rolled_back = controller.roll_back("production", None, false, "ada", "it broke").await.unwrap();
    let RolledBack::ByHand { made, concerned, .. } = rolled_back else { panic!("{rolled_back:?}") };
    assert_eq!((made[0].release.id.as_str(), concerned), ("old", vec![run.id().to_owned()]));
    let logged = controller.unfinished().unwrap().remove(0);
    let by_hand = scene.project.audit.log().names().unwrap();
    let fence: u64 = by_hand.iter().find_map(|name| name.strip_prefix("by-hand-")).unwrap().parse().unwrap();
    assert!(logged.run.fence() > fence, "{} goes on below {fence}", logged.run.fence());
    let commands = logged.run.commands(now());
    assert!(matches!(&commands[..], [Command::Compare { .. }]), "{commands:?}");
    // Another one can be named, too.
    let named = controller.roll_back("production", Some("new"), false, "ada", "after all").await.unwrap();
    assert!(matches!(&named, RolledBack::ByHand { made, .. } if made[0].release.id == "new"), "{named:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_rollback_by_hand_that_fails_leaves_no_run_behind_with_a_fence_below_its_own() {
    let scene = Scene::open(&[target(&[answer("set-traffic", refusal("failed", "no way back"))])], "");
    scene.served("production", &[scene.release("old"), scene.release("new")]);
    let run = scene.run(&Story::default(), |run| run.stage() == RunStage::Soak);
    fences_above(&scene, &run);
    let controller = controller(&scene);
    let error = format!("{:#}", controller.roll_back("production", None, true, "ada", "r").await.unwrap_err());
    assert!(error.contains("no way back"), "{error}");
    assert!(controller.unfinished().unwrap()[0].run.fence() > run.fence());
    // Where there is nothing to go back to, nothing was done, and no run has to look.
    let fence = controller.unfinished().unwrap()[0].run.fence();
    controller.roll_back("production", Some("other"), true, "ada", "r").await.unwrap_err();
    assert_eq!(controller.unfinished().unwrap()[0].run.fence(), fence);
}

/// A run that is to go back to `old`, and whose target refused that, in a project where `older` served before.
async fn back_in_vain(scene: &Scene, controller: &Controller) -> Run {
    scene.served("production", &[scene.release("older"), scene.release("old")]);
    let run = scene.run(&Story::default(), is_shared);
    fences_above(scene, &run);
    controller.roll_back("production", None, false, "ada", "odd orders").await.unwrap();
    let key = format!("{}/rollback/production", run.id());
    controller.say(run.id(), Input::Intent { key: key.clone() }).await.unwrap();
    let info = ErrorInfo { message: "`old` does not answer".into(), details: Vec::new() };
    let outcome = EffectOutcome::Failed(StageError { kind: ErrorKind::Failed, info });
    let run = controller.say(run.id(), Input::Effect { key, outcome }).await.unwrap();
    assert!(run.goes_back_in_vain() && run.held().unwrap().contains("`old` does not answer"));
    run
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn where_a_run_cannot_go_back_a_person_has_another_release_serve_and_the_run_leaves_it() {
    let scene = scene("");
    let controller = controller(&scene);
    let run = back_in_vain(&scene, &controller).await;
    controller.roll_back("production", None, true, "ada", "r").await.unwrap_err();
    let by_hand = controller.roll_back("production", Some("older"), true, "ada", "it works").await.unwrap();
    let RolledBack::ByHand { made, concerned, .. } = by_hand else { panic!("{by_hand:?}") };
    assert_eq!((made[0].release.id.as_str(), concerned), ("older", vec![run.id().to_owned()]));
    let after = controller.unfinished().unwrap().remove(0).run;
    assert!(!after.is_moved(Environment::Production) && after.fence() > run.fence());
    let shares = after.members().next().unwrap().traffic(Environment::Production);
    assert_eq!((shares[0].release.as_str(), shares.len()), ("older", 1));
    let error = controller.deploy(&["production".into()], "ada").await.unwrap_err().to_string();
    assert!(error.starts_with("run 62e23fd1-1 is not over"), "it goes back in staging still: {error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn production_alone_is_deployed_to_while_a_run_cannot_go_back() {
    let scene = whole(&[answer("deploy", refusal("failed", "no room"))], "");
    let controller = controller(&scene);
    let run = back_in_vain(&scene, &controller).await;
    let deployed = async |places: &[&str]| {
        let places: Vec<String> = places.iter().map(|place| (*place).to_owned()).collect();
        format!("{:#}", controller.deploy(&places, "ada").await.unwrap_err())
    };
    assert!(deployed(&["staging", "production"]).await.starts_with("run 62e23fd1-1 is not over"));
    let error = deployed(&["production"]).await;
    assert!(!error.contains("is not over"), "{error}");
    let after = controller.unfinished().unwrap().remove(0).run;
    assert!(after.goes_back_in_vain() && after.fence() > run.fence(), "it tries on above what failed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_run_that_healed_and_only_tells_people_keeps_nobody_from_taking_its_release_back() {
    let (scene, _) = released("");
    let run = scene.run(&Story::default(), |run| run.ending() == Some(&Outcome::Healed));
    assert!(run.outcome().is_none() && run.is_moved(Environment::Production));
    let rolled_back = controller(&scene).roll_back("production", None, true, "ada", "r").await.unwrap();
    assert!(matches!(&rolled_back, RolledBack::ByHand { concerned, .. } if concerned.is_empty()), "{rolled_back:?}");
}

/// A story whose release fails, of which nothing is left but that it is looked whether going back helped.
fn as_good_as_over(scene: &Scene) -> Run {
    let story = Story { candidate_errors: 200, ..Story::default() };
    let run = scene.run(&story, Run::only_tells);
    assert!(run.recovering().is_some() && run.outcome().is_none() && !run.is_moved(Environment::Staging));
    run
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_run_that_has_nothing_moved_any_more_hinders_no_deploy_and_none_who_goes_back() {
    let scene = whole(&[answer("deploy", refusal("failed", "no room"))], "");
    as_good_as_over(&scene);
    let controller = controller(&scene);
    let error = format!("{:#}", controller.deploy(&["staging".into(), "production".into()], "ada").await.unwrap_err());
    assert!(error.contains("no room") && !error.contains("is not over"), "{error}");
    scene.served("staging", &[scene.release("older"), scene.release("old")]);
    let back = controller.roll_back("staging", Some("older"), true, "ada", "r").await;
    let error = format!("{:#}", back.unwrap_err());
    assert!(error.contains("no room") && !error.contains("is under way"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn whoever_has_another_release_serve_after_a_rollback_ends_what_was_left_of_the_run() {
    let scene = scene("");
    scene.served("production", &[scene.release("older"), scene.release("old")]);
    let run = as_good_as_over(&scene);
    let controller = controller(&scene);
    let by_hand = controller.roll_back("production", Some("older"), true, "ada", "it works").await.unwrap();
    let RolledBack::ByHand { made, concerned, .. } = by_hand else { panic!("{by_hand:?}") };
    assert_eq!((made[0].release.id.as_str(), concerned), ("older", vec![run.id().to_owned()]));
    let after = scene.project.log.read(run.id()).unwrap().unwrap().run;
    assert!(matches!(after.outcome(), Some(Outcome::RolledBack { .. })), "what it went back to serves no more");
    assert_eq!(after.members().next().unwrap().traffic(Environment::Production)[0].release, "older");
}

/// Deploys to production while somebody else has their turn, who does this once it is built; what serves then, or why nothing was deployed.
async fn deployed_beside(scene: &Scene, controller: &Controller, does: impl FnOnce()) -> Result<String, String> {
    let turn = controller.beginning.lock().await;
    let built = || std::fs::read_dir(scene.project.state.artifacts()).is_ok_and(|mut all| all.next().is_some());
    let beside = async {
        let until = std::time::Instant::now() + Duration::from_secs(30);
        while !built() {
            assert!(std::time::Instant::now() < until, "it waits to be built");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        does();
        drop(turn);
    };
    let (made, ()) = tokio::join!(async { controller.deploy(&["production".into()], "ada").await }, beside);
    made.map(|made| made[0].release.commit.clone()).map_err(|error| format!("{} {error:#}", error.is::<Declined>()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_deploy_is_built_while_others_have_their_turn_and_is_left_where_production_went_back_meanwhile() {
    for (by, left) in [
        (Origin::Deploy("bob".into()), None),
        (Origin::Rollback(crate::live::WentBack::new("bob", "")), Some("by bob, who went back; nothing was deployed")),
        (Origin::Run("r-1".into()), Some("by run r-1; nothing was deployed")),
    ] {
        let scene = whole(&[], "");
        scene.served("production", &["old", "bad"].map(|id| scene.release(id)));
        let controller = controller(&scene);
        let head = git(&scene.shop(), &["rev-parse", "HEAD"]);
        let made = deployed_beside(&scene, &controller, || {
            scene.serves("production", &scene.release("old"), now(), by.clone());
        });
        let made = made.await;
        let current = Live::new(&scene.project.journal).current("production").unwrap().unwrap();
        let Some(words) = left else {
            assert_eq!(made.unwrap(), head);
            continue;
        };
        let error = made.unwrap_err();
        assert!(
            error.starts_with("true what serves production changed while this was made ready: it is old now, "),
            "{error}"
        );
        assert!(error.contains(words) && error.contains("Say `autodevops deploy` again"), "{error}");
        assert_eq!(current.id, "old");
        // Said again, it is meant.
        controller.deploy(&["production".into()], "ada").await.unwrap();
    }
    let scene = whole(&[], "");
    let controller = controller(&scene);
    let made = deployed_beside(&scene, &controller, || drop(scene.run(&Story::default(), |run| run.fix().is_some())));
    let error = made.await.unwrap_err();
    assert!(error.contains("run 62e23fd1-1 is not over"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn while_something_is_built_by_hand_production_goes_back_at_once_and_no_run_begins() {
    let scene = whole(&[], "");
    scene.served("production", &["older", "old"].map(|id| scene.release(id)));
    let controller = controller(&scene);
    let builds = controller.building.lock().await;
    let rolled_back = controller.roll_back("production", Some("older"), true, "ada", "r").await.unwrap();
    assert!(
        matches!(&rolled_back, RolledBack::ByHand { made, .. } if made[0].release.id == "older"),
        "{rolled_back:?}"
    );
    let error = controller.start(issue("aa11")).await.unwrap_err();
    assert!(error.is::<Declined>() && error.to_string().starts_with("something is deployed by hand"), "{error:#}");
    let error = controller.collect(&mut Vec::new()).await.unwrap_err().to_string();
    assert!(error.starts_with("something is deployed by hand"), "{error}");
    drop(builds);
    controller.collect(&mut Vec::new()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_a_run_took_back_a_moment_ago_goes_further_back_only_to_a_release_that_is_named() {
    let minute = Duration::from_secs(60);
    // A part of the traffic, which what is known to serve does not tell.
    for until in [Run::only_tells, over] {
        let scene = scene("");
        scene.served("production", &[scene.release("older"), scene.release("old")]);
        let story = Story { candidate_errors: 200, at: now().before(60 * minute), ..Story::default() };
        let long_ago = scene.run(&story, until);
        let back = long_ago.took_back("production").unwrap();
        assert!(back < now().before(10 * minute) && long_ago.took_back("staging").is_none());
        let lasts = Duration::from_nanos(u64::try_from(back.0 - story.at.0).unwrap());
        scene.run(&Story { run: "b-1".into(), at: now().before(lasts + minute), ..story }, until);
        let controller = controller(&scene);
        let error = controller.roll_back("production", None, true, "ada", "r").await.unwrap_err();
        assert!(error.is::<Declined>(), "{error:#}");
        let error = error.to_string();
        assert!(error.starts_with("production went back to old 1m"), "{error}");
        assert!(error.ends_with("name the release: `autodevops rollback production --to older`"), "{error}");
        // What came to serve since is another one.
        scene.serves("production", &scene.release("newer"), now(), Origin::Deploy("ada".into()));
        let rolled_back = controller.roll_back("production", None, true, "ada", "r").await.unwrap();
        assert!(
            matches!(&rolled_back, RolledBack::ByHand { made, .. } if made[0].release.id == "old"),
            "{rolled_back:?}"
        );
    }
    let scene = scene("");
    scene.served("production", &[scene.release("older"), scene.release("old")]);
    scene.run(&Story { candidate_errors: 200, at: now().before(60 * minute), ..Story::default() }, over);
    let rolled_back = controller(&scene).roll_back("production", None, true, "ada", "r").await.unwrap();
    assert!(
        matches!(&rolled_back, RolledBack::ByHand { made, .. } if made[0].release.id == "older"),
        "{rolled_back:?}"
    );
}

/// A run with a part of production's traffic that does not go back, since `old` does not serve, and asks.
fn stays(scene: &Scene) -> Run {
    scene.served("production", &[scene.release("older"), scene.release("old")]);
    let run = scene.run(&Story::default(), is_shared);
    let logged = scene.project.log.read(run.id()).unwrap().unwrap();
    let reason = "`old` is broken itself".to_owned();
    let event = |event| Event { v: VERSION, at: now(), event };
    let until = now().after(Duration::from_secs(3600));
    let events = [
        event(EventKind::StableBroken { reason: reason.clone() }),
        event(EventKind::Held { reason: reason.clone() }),
        event(EventKind::ApprovalAsked { gate: Gate::Held, until, reason }),
    ];
    scene.project.ledger().append(&logged.run, logged.version, &events).unwrap();
    let run = scene.project.log.read(run.id()).unwrap().unwrap().run;
    assert!(run.stable_broken().is_some() && run.gate().is_some() && run.is_moved(Environment::Production));
    run
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn where_the_stable_release_is_broken_another_serves_without_traffic_going_there_first() {
    let scene = scene("");
    let run = stays(&scene);
    let controller = controller(&scene);
    let by_hand = controller.roll_back("production", Some("older"), true, "ada", "it works").await.unwrap();
    let RolledBack::ByHand { made, concerned, .. } = by_hand else { panic!("{by_hand:?}") };
    assert_eq!((made[0].release.id.as_str(), concerned), ("older", vec![run.id().to_owned()]));
    let after = controller.unfinished().unwrap().remove(0).run;
    assert!(after.fence() > run.fence());
    let commands = after.commands(now());
    let [Command::Compare { key }, ..] = &commands[..] else { panic!("{commands:?}") };
    let splits = vec![Split { release: "older".into(), percent: 100 }];
    let found = Found {
        service: String::new(),
        splits,
        whole: Some(scene.release("older")),
        staging: after.members().next().unwrap().traffic(Environment::Staging).to_vec(),
    };
    let asks = controller.say(after.id(), Input::Serving { key: key.clone(), found: vec![found] }).await.unwrap();
    let reason = &asks.gate().unwrap().reason;
    assert!(reason.contains("`older` to go back to") && asks.stable_broken().is_none(), "{reason}");
    assert!(!asks.is_moved(Environment::Production));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn where_the_stable_release_is_broken_production_alone_is_deployed_to() {
    let scene = whole(&[answer("deploy", refusal("failed", "no room"))], "");
    let run = stays(&scene);
    let controller = controller(&scene);
    let deployed = async |places: &[&str]| {
        let places: Vec<String> = places.iter().map(|place| (*place).to_owned()).collect();
        format!("{:#}", controller.deploy(&places, "ada").await.unwrap_err())
    };
    let both = deployed(&["staging", "production"]).await;
    assert!(
        both.starts_with("run 62e23fd1-1 is not over") && both.contains("`autodevops deploy --to production`"),
        "{both}"
    );
    assert!(deployed(&["production"]).await.contains("no room"));
    assert!(controller.unfinished().unwrap().remove(0).run.fence() > run.fence(), "it looks what serves");
}

fn made_live(scene: &Scene, release: &str) -> MadeLive {
    let place = "production".to_owned();
    let (environment, release) = (place.clone(), scene.release(release));
    MadeLive { environment, service: String::new(), place, release, before: None, snapshots: Vec::new() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn whoever_ends_a_run_while_another_release_is_made_live_does_not_have_it_take_that_back() {
    let scene = scene("");
    let run = stays(&scene);
    let controller = controller(&scene);
    // What serves is moved by hand already, and the run does not know.
    let abort = Input::Abort { by: "bob".into(), reason: "enough".into() };
    let turned = controller.say(run.id(), abort).await.unwrap();
    let key = format!("{}/rollback/production", run.id());
    controller.say(run.id(), Input::Intent { key }).await.unwrap();
    assert!(turned.is_moved(Environment::Production) && !turned.ends_in_trouble());
    assert_eq!(controller.look_anew(&[run], &[made_live(&scene, "older")]).await, ["62e23fd1-1"]);
    let after = controller.unfinished().unwrap().remove(0).run;
    assert!(!after.is_moved(Environment::Production), "{:?}", after.commands(now()));
    assert_eq!(after.members().next().unwrap().traffic(Environment::Production)[0].release, "older");
    assert!(matches!(after.ending(), Some(Outcome::Aborted { .. })), "{:?}", after.ending());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn while_a_runs_data_goes_back_nobody_has_another_release_serve_that_would_meet_it() {
    let scene = scene("");
    scene.served("production", &[scene.release("older"), scene.release("old")]);
    let run = scene.run_that_may_restore();
    let logged = scene.project.log.read(run.id()).unwrap().unwrap();
    let event = EventKind::GatePassed { gate: Gate::Data, reason: "ada agreed".into() };
    scene.project.ledger().append(&logged.run, logged.version, &[Event { v: VERSION, at: now(), event }]).unwrap();
    let controller = controller(&scene);
    for to in [None, Some("older")] {
        let error = controller.roll_back("production", to, true, "ada", "r").await.unwrap_err();
        assert!(error.is::<Declined>(), "{error:#}");
        let expected = "run 62e23fd1-1 has the data of production go back to what it was before its release; wait for it to finish";
        assert_eq!(error.to_string(), expected);
    }
    // Said while another release was about to be made live, it stays as it is, too.
    assert_eq!(controller.look_anew(&[run], &[made_live(&scene, "older")]).await, ["62e23fd1-1"]);
    let after = scene.project.log.read("62e23fd1-1").unwrap().unwrap().run;
    assert!(!after.restores_data() && !after.may_restore(), "{:?}", after.commands(now()));
}
