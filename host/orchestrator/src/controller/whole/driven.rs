//! Runs that are driven to their end, and what becomes of what they leave behind.

use super::*;

/// Keeps what people are told.
#[derive(Default)]
struct Told(Mutex<Vec<String>>);

impl Observer for Told {
    fn event(&self, _: &Run, _: &autodevops_pipeline::Event) {}

    fn doing(&self, _: &Run, _: &autodevops_pipeline::Command) {}

    fn notice(&self, text: &str) {
        self.0.lock().unwrap().push(text.to_owned());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_run_is_driven_to_its_end_and_nobody_waits_for_it_any_more() {
    let scene = whole(&[], "");
    let controller = controller(&scene);
    let logged = controller.start(issue("aa11")).await.unwrap();
    scene.project.claims.has("aa11-1", vec!["shop".to_owned()]);
    // The only generator has nothing to say: it traps.
    let end = controller.drive(logged, false).await.unwrap();
    assert!(matches!(end, End::Finished(Outcome::Aborted { .. } | Outcome::HandedOver { .. })), "{end:?}");
    assert_eq!(controller.unfinished().unwrap().len(), 0);
    assert!(controller.speakers.lock().unwrap().is_empty());
    assert_eq!(wanted(&controller, &[issue("aa11")]), [""; 0], "to try again is a person's word");
    assert!(controller.choose(vec![issue("aa11")], Some("aa11")).unwrap().is_some());
    assert_eq!(scene.project.claims.ask("other", &["shop".to_owned()]), Ok(()));
    // Its events are sealed, as those of the stage that it ended in.
    let log = scene.project.audit.log();
    assert!(log.behind().unwrap().is_empty());
    let mut stages = Vec::new();
    log.each(Some("aa11-1"), |sealed| stages.push(sealed.seal.stage.clone())).unwrap();
    assert_eq!(stages, ["fix"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_run_that_another_host_left_on_its_way_back_is_taken_over_and_its_change_undone() {
    for (more, undone) in [("", true), ("[rollout]\nrevert = \"off\"\n", false)] {
        let scene = whole(&[], more);
        let story = Story { candidate_errors: 200, ..Story::default() };
        let left = scene.run(&story, |run| run.ending().is_some() && run.outcome().is_none());
        let told = Arc::new(Told::default());
        let controller = Controller::new(scene.project.clone(), told.clone()).unwrap();
        let logged = controller.unfinished().unwrap().remove(0);
        let end = controller.drive(logged, false).await.unwrap();
        assert!(matches!(end, End::Finished(Outcome::RolledBack { .. })), "{end:?}");
        let run = scene.project.log.read(left.id()).unwrap().unwrap().run;
        assert!(run.fence() > left.fence(), "by a fence of its own");
        assert_eq!(Live::new(&scene.project.journal).current("production").unwrap(), Some(scene.release("old")));
        let words = told.0.lock().unwrap().clone();
        assert_eq!(
            words.iter().any(|text| text.contains("is not undone in git: the repository has no commit")),
            undone,
            "{words:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_a_run_that_is_over_leaves_behind_is_stopped_and_its_candidate_is_not() {
    let over: fn(&Run) -> bool = |run| run.outcome().is_some();
    for (until, beside, expected) in [
        (over, false, &["stop left", "stop before"][..]),
        // Another run has the place: what is stopped there takes the fence from it.
        (over, true, &[]),
        (|run| run.fix().is_some(), false, &[]),
    ] {
        let scene = Scene::open(&[local_target(&[])], "");
        scene.served("production", &[scene.release("before"), scene.release("live")]);
        let run = scene.run(&Story::default(), until);
        if beside {
            scene.run(&Story { run: "beside-1".into(), ..Story::default() }, is_shared);
        }
        let door = Door {
            releases: ["left", "new", "old", "before"].map(|id| held(scene.release(id))).to_vec(),
            ..Door::default()
        };
        let calls = door.calls.clone();
        door.open(&scene);
        controller(&scene).tidy(&run).await;
        let stopped: Vec<String> =
            calls.lock().unwrap().iter().filter(|call| call.starts_with("stop")).cloned().collect();
        assert_eq!(stopped, expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_run_moves_traffic_after_the_end_of_another_that_left_its_baseline_in_the_same_place() {
    let scene = Scene::open(&[local_target(&[])], "");
    scene.served("production", &[scene.release("old")]);
    let first = scene.run(&Story { candidate_errors: 200, ..Story::default() }, over);
    let second = scene.run(&Story { run: "beside-1".into(), ..Story::default() }, is_shared);
    let (new, baseline) = (held(scene.release("new")), held(scene.release("old-again")));
    let door = Door { releases: vec![new, baseline], ..Door::default() };
    let calls = door.calls.clone();
    door.open(&scene);
    let moves = async || scene.project.edge.set_traffic("production", "k", second.fence(), Vec::new()).await;
    controller(&scene).tidy(&first).await;
    moves().await.unwrap();
    // Its own end tidies up what both left.
    let word = Input::Abort { by: "ada".into(), reason: "enough".into() };
    controller(&scene).say(second.id(), word).await.unwrap();
    let second = scene.project.log.read(second.id()).unwrap().unwrap();
    let finished = EventKind::Finished { outcome: Outcome::Aborted { reason: "enough".into() } };
    let finished = autodevops_pipeline::Event { v: autodevops_pipeline::VERSION, at: now(), event: finished };
    scene.project.ledger().append(&second.run, second.version, &[finished]).unwrap();
    controller(&scene).tidy(&second.run).await;
    assert!(calls.lock().unwrap().iter().any(|call| call == "stop old-again"), "{calls:?}");
    let error = scene.project.edge.set_traffic("production", "k", second.run.fence(), Vec::new()).await.unwrap_err();
    assert!(error.info.message.contains("the fence"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn once_a_run_healed_what_serves_nobody_is_told_on_that_it_fails() {
    for (serves_now, is_over) in [("newer", true), ("by-hand", false)] {
        let scene = scene("");
        let story = Story { candidate_errors: 200, ..Story::default() };
        let before = scene.run(&story, Run::only_tells);
        scene.serves("production", &scene.release(serves_now), now(), Origin::Deploy("ada".into()));
        assert!(before.ends_in_trouble() && before.outcome().is_none());
        let other = Story { run: "beside-1".into(), ..Story::default() }.events();
        let other = serde_json::to_string(&other).unwrap().replace("\"new\"", "\"newer\"");
        let other: Vec<autodevops_pipeline::Event> = serde_json::from_str(&other).unwrap();
        let replayed = |count: usize| Run::replay(&other[..count]).unwrap();
        let healed = (1..other.len()).map(replayed).find(|run| run.ending() == Some(&Outcome::Healed)).unwrap();
        controller(&scene).left(&healed).await;
        let after = scene.project.log.read(before.id()).unwrap().unwrap().run;
        assert_eq!(after.outcome().is_some(), is_over, "{serves_now}");
        let shares = after.members().next().unwrap().traffic(Environment::Production);
        assert_eq!(shares[0].release, if is_over { "newer" } else { "old" });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_a_run_took_back_and_cannot_be_undone_in_git_is_told_to_people_and_on_record() {
    let plugins = [target(&[]), plugin("chat", Stage::Notifier, &[answer("notify", serde_json::Value::Null)])];
    for (later, is_undone) in [(None, true), (Some("<p>broken, and more</p>\n"), false)] {
        let scene = Scene::open(&plugins, "");
        let before = git(&scene.shop(), &["rev-parse", "HEAD"]);
        let change = scene.check_in("public/index.html", "<p>broken</p>\n");
        later.iter().for_each(|text| drop(scene.check_in("public/index.html", text)));
        let failing = Story { candidate_errors: 200, at: now(), ..Story::default() };
        let story = serde_json::to_string(&failing.events()).unwrap();
        let story = story.replace(&"2".repeat(40), &change).replace(&"1".repeat(40), &before);
        let events: Vec<autodevops_pipeline::Event> = serde_json::from_str(&story).unwrap();
        let run = Run::replay(&events).unwrap();
        scene.project.ledger().append(&run, 0, &events).unwrap();
        let observer = Arc::new(Told::default());
        let controller = Controller::new(scene.project.clone(), observer.clone()).unwrap();
        // Either as the run ends, or later, where the process that drove it ended just then.
        if is_undone {
            controller.left(&run).await;
        } else {
            controller.revert_left_over();
        }
        let undoing = || revert::undone(&scene.project.journal).unwrap().remove(&change).expect("it is on record");
        let kept = undoing();
        let branch = format!("autodevops/revert-{}", &change[..10]);
        assert_eq!(kept.branch(), is_undone.then_some(branch.as_str()), "{kept:?}");
        assert_eq!(*observer.0.lock().unwrap(), [kept.words()]);
        assert_eq!(revert::came_of(&revert::undone(&scene.project.journal).unwrap(), &run), Some(&kept));
        assert_eq!((kept.untold, kept.subject.as_str()), (vec!["chat".to_owned()], run.id()));
        revert::tell(&scene.project).await;
        assert_eq!(undoing().untold, [""; 0]);
        controller.revert_left_over();
        assert_eq!(undoing().untold, [""; 0], "what is on record is not done again");
        assert_eq!(observer.0.lock().unwrap().len(), 1);
    }
}
