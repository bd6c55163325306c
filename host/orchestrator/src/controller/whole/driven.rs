//! Runs that are driven to their end, and what becomes of what they leave behind.

use super::*;
use crate::stages::Stages;

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

/// What happened to a run that was taken back, whose change is this commit upon that one.
fn failing(change: &str, before: &str) -> Vec<autodevops_pipeline::Event> {
    let story = Story { candidate_errors: 200, at: now(), ..Story::default() };
    let story = serde_json::to_string(&story.events()).unwrap();
    serde_json::from_str(&story.replace(&"2".repeat(40), change).replace(&"1".repeat(40), before)).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_is_merged_after_it_was_taken_back_is_on_purpose_and_not_undone() {
    // Whether the process that took it back also came to the run's end, or ended before what follows that.
    for (was_merged, ends) in [(true, true), (true, false), (false, true), (false, false)] {
        let scene = Scene::open(&[target(&[serves("production", &[("old", 100)], Some("old"))])], "");
        let git = |arguments: &[&str]| git(&scene.shop(), arguments);
        let before = git(&["rev-parse", "HEAD"]);
        git(&["checkout", "--quiet", "-b", "fix"]);
        let change = scene.check_in("public/index.html", "<p>broken</p>\n");
        git(&["checkout", "--quiet", "main"]);
        let merge = || drop(git(&["merge", "--quiet", "fix"]));
        if was_merged {
            merge();
        }
        let events = failing(&change, &before);
        let replayed = |count: usize| Run::replay(&events[..count]).unwrap();
        let goes_back = (1..).map(replayed).find(|run| run.ending().is_some()).unwrap();
        let back = goes_back.commands(now()).remove(0);
        assert!(goes_back.takes_back(&back), "{back:?}");
        Stages::new(scene.project.clone()).effect(&goes_back, &back, false).await;
        if !was_merged {
            merge();
        }
        // What people merge once it went back does not change what was so before.
        Stages::new(scene.project.clone()).effect(&goes_back, &back, true).await;
        let run = replayed(events.len());
        scene.project.ledger().append(&run, 0, &events).unwrap();
        let told = Arc::new(Told::default());
        let controller = Controller::new(scene.project.clone(), told.clone()).unwrap();
        if ends {
            controller.left(&run).await;
        }
        controller.revert_left_over();
        controller.revert_left_over();
        assert_eq!(told.0.lock().unwrap().len(), usize::from(was_merged), "{was_merged} {ends}");
        assert_eq!(git(&["branch", "--list", "autodevops/*"]).is_empty(), !was_merged, "{was_merged} {ends}");
        assert_eq!(scene.project.journal.facts("merged-when-taken-back/").unwrap(), [], "it is looked at no more");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_a_run_took_back_that_is_not_over_is_undone_once_it_is() {
    let scene = Scene::open(&[target(&[])], "");
    let before = git(&scene.shop(), &["rev-parse", "HEAD"]);
    let change = scene.check_in("public/index.html", "<p>broken</p>\n");
    let events = failing(&change, &before);
    let replayed = |count: usize| Run::replay(&events[..count]).unwrap();
    let until = (1..).find(|count| replayed(*count).ending().is_some()).unwrap();
    let goes_back = replayed(until);
    let version = scene.project.ledger().append(&goes_back, 0, &events[..until]).unwrap();
    revert::look(&scene.project, &goes_back).unwrap();
    let controller = controller(&scene);
    let branches = || git(&scene.shop(), &["branch", "--list", "autodevops/*"]);
    controller.revert_left_over();
    assert_eq!(branches(), "");
    let run = replayed(events.len());
    scene.project.ledger().append(&run, version, &events[until..]).unwrap();
    controller.revert_left_over();
    assert_ne!(branches(), "", "its host ended with it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_nobody_saw_merged_as_it_was_taken_back_is_not_undone_at_a_later_start() {
    let scene = Scene::open(&[target(&[])], "");
    let before = git(&scene.shop(), &["rev-parse", "HEAD"]);
    let events = failing(&scene.check_in("public/index.html", "<p>broken</p>\n"), &before);
    scene.project.ledger().append(&Run::replay(&events).unwrap(), 0, &events).unwrap();
    controller(&scene).revert_left_over();
    assert_eq!(git(&scene.shop(), &["branch", "--list", "autodevops/*"]), "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_a_run_took_back_and_cannot_be_undone_in_git_is_told_to_people_and_on_record() {
    let plugins = [target(&[]), plugin("chat", Stage::Notifier, &[answer("notify", serde_json::Value::Null)])];
    for (later, is_undone) in [(None, true), (Some("<p>broken, and more</p>\n"), false)] {
        let scene = Scene::open(&plugins, "");
        let before = git(&scene.shop(), &["rev-parse", "HEAD"]);
        let change = scene.check_in("public/index.html", "<p>broken</p>\n");
        later.iter().for_each(|text| drop(scene.check_in("public/index.html", text)));
        let events = failing(&change, &before);
        let run = Run::replay(&events).unwrap();
        scene.project.ledger().append(&run, 0, &events).unwrap();
        let observer = Arc::new(Told::default());
        let controller = Controller::new(scene.project.clone(), observer.clone()).unwrap();
        revert::look(&scene.project, &run).unwrap();
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
