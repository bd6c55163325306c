//! Which runs are told of a signal, and what of it is told.

use std::sync::Arc;

use autodevops_record::testing::Story;
use tokio::sync::mpsc;

use super::*;
use crate::testing::{Door, Nobody, Scene, analyzer, is_shared, local_target, target};

/// A project with a run under way whose candidate has a part of the traffic.
fn scene(until: impl Fn(&Run) -> bool) -> (Scene, Controller, Run) {
    let scene = Scene::open(&[target(&[])], "");
    let run = scene.run(&Story::default(), until);
    let controller = Controller::new(scene.project.clone(), Arc::new(Nobody)).unwrap();
    (scene, controller, run)
}

fn signal(id: &str, at: Timestamp) -> Signal {
    Signal { counted: Counted::Complaints, id: id.into(), by: None, service: None, release: None, at, text: "t".into() }
}

fn says(text: &str) -> Complaint {
    Complaint { text: text.into(), ..Complaint::default() }
}

fn known(controller: &Controller) -> Vec<String> {
    let unfinished = controller.unfinished().unwrap();
    unfinished.iter().flat_map(|logged| logged.run.signals()).map(|signal| signal.id.clone()).collect()
}

#[test]
fn only_who_has_traffic_has_a_use_for_what_came_since_and_once() {
    let (_scene, _controller, mut run) = scene(is_shared);
    let exposed = run.exposed().unwrap();
    assert!(wants(&run, &signal("1", exposed)) && wants(&run, &signal("1", exposed.after(LOOK))));
    assert!(!wants(&run, &signal("1", exposed.before(LOOK))));
    let events = run.decide(Input::Signal(signal("1", exposed)), exposed.after(LOOK)).unwrap();
    events.iter().for_each(|event| run.apply(event));
    assert_eq!(run.signals().len(), 1);
    assert!(!wants(&run, &signal("1", exposed)) && wants(&run, &signal("2", exposed)));
    let critical = Signal { counted: Counted::CriticalErrors, ..signal("1", exposed) };
    assert!(wants(&run, &critical), "another kind has numbers of its own");
    let (_scene, _controller, young) = scene(|run| run.fix().is_some());
    assert!(!wants(&young, &signal("1", exposed)));
}

#[tokio::test]
async fn a_complaint_is_kept_and_told_and_too_many_turn_the_run_back() {
    let (scene, controller, run) = scene(is_shared);
    let production = run.plan().counts.iter().find(|trigger| trigger.counted == Counted::Complaints).unwrap();
    for number in 1..=production.at_least {
        let complaint = Complaint { from: Some(format!("p{number}")), ..says("it fails") };
        let (taken, turned) = controller.complain(complaint, "ada").await.unwrap();
        assert_eq!((taken.number, taken.by.as_str(), taken.service.as_str()), (u64::from(number), "ada", "shop"));
        let expected = if number < production.at_least { vec![] } else { vec![run.id().to_owned()] };
        assert_eq!(turned, expected, "complaint {number}");
    }
    assert_eq!(Feedback::new(&scene.project.journal).all().unwrap().len(), production.at_least as usize);
    let after = &controller.unfinished().unwrap()[0].run;
    assert!(after.ending().is_some());
    // Who turned back already does not turn back again.
    assert_eq!(controller.complain(says("it fails"), "ada").await.unwrap().1, [""; 0]);
    assert_eq!(controller.signal(&[]).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn a_complaint_about_a_release_that_nobody_knows_is_refused() {
    let (scene, controller, run) = scene(is_shared);
    scene.served("production", &[scene.release("older"), scene.release("old")]);
    let candidate = run.members().next().unwrap().release().unwrap().id.clone();
    for (release, is_known) in [("older", true), ("old", true), (candidate.as_str(), true), ("odl", false)] {
        let complaint = Complaint { release: Some(release.into()), ..says("it fails") };
        let taken = controller.complain(complaint, "ada").await;
        assert_eq!(taken.is_ok(), is_known, "{release}");
        if let Err(error) = taken {
            assert!(
                error.is::<Usage>() && error.to_string().starts_with("no release `odl` serves or served"),
                "{error}"
            );
        }
    }
    assert_eq!(Feedback::new(&scene.project.journal).all().unwrap().len(), 3, "what is refused is not kept");
}

#[tokio::test]
async fn what_is_kept_of_a_complaint_names_nobody_and_one_person_is_one_still() {
    let (_scene, controller, _run) = scene(is_shared);
    let from = |name: &str| Complaint { from: Some(name.into()), ..says("call me: ada@example.com") };
    let mut whose = Vec::new();
    for name in ["ada@example.com", " ada@example.com ", "eve@example.com", "eve"] {
        let (taken, _) = controller.complain(from(name), "x").await.unwrap();
        assert!(!taken.text.contains("ada@"), "{}", taken.text);
        whose.push(taken.from.unwrap());
    }
    assert!(whose[0].starts_with("person-") && whose[0].len() == "person-".len() + 16, "{whose:?}");
    assert_eq!(whose[0], whose[1]);
    assert!(whose[2].starts_with("person-") && whose[2] != whose[0], "{whose:?}");
    assert_eq!(whose[3], "eve", "what is no address stays");
}

#[tokio::test]
async fn critical_errors_come_to_the_runs_under_way() {
    let (_scene, controller, run) = scene(is_shared);
    let issue = |fingerprint: &str, at: Timestamp| Issue {
        first_seen: Some(at.0),
        ..Issue::new(fingerprint, autodevops_model::IssueKind::CriticalError, Severity::Critical, "out of memory")
    };
    let exposed = run.exposed().unwrap();
    controller.look_for_critical(&[issue("old", exposed.before(LOOK)), issue("new", now())]).await.unwrap();
    assert_eq!(known(&controller), ["new"]);
}

#[tokio::test]
async fn who_takes_a_run_over_tells_it_of_complaints_that_it_missed() {
    let (scene, controller, run) = scene(is_shared);
    let feedback = || Feedback::new(&scene.project.journal);
    let exposed = run.exposed().unwrap();
    for at in [exposed.before(LOOK), now()] {
        feedback().take(says("it fails"), &["shop"], "ada", at).unwrap();
    }
    let drive = |logged: Logged| {
        let (_keep, words) = mpsc::channel(1);
        Driver::new(scene.project.parts(Arc::new(Nobody)), logged, words, false)
    };
    let mut driver = drive(scene.project.log.read(run.id()).unwrap().unwrap());
    catch_up(&mut driver, feedback()).await.unwrap();
    assert_eq!(known(&controller), ["2"]);
    catch_up(&mut driver, feedback()).await.unwrap();
    assert_eq!(known(&controller), ["2"], "each once");
    let young = scene.run(&Story { run: "young-1".into(), ..Story::default() }, |run| run.fix().is_some());
    assert_eq!(young.exposed(), None);
    let mut driver = drive(scene.project.log.read(young.id()).unwrap().unwrap());
    catch_up(&mut driver, feedback()).await.unwrap();
    assert_eq!(known(&controller), ["2"]);
}

#[tokio::test]
async fn what_the_watched_logs_say_comes_to_the_runs_under_way() {
    let issue = Issue {
        first_seen: Some(now().0),
        ..Issue::new("f00d", autodevops_model::IssueKind::CriticalError, Severity::Critical, "out of memory")
    };
    let scene = Scene::open(&[target(&[]), analyzer(&[issue])], "[logs]\nwatch = [\"log\"]\n");
    scene.run(&Story::default(), is_shared);
    let controller = Controller::new(scene.project.clone(), Arc::new(Nobody)).unwrap();
    let mut watch = Watch::open(&scene.project).await.unwrap();
    let told = async {
        while known(&controller).is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        ended = follow(&controller, &mut watch) => panic!("it does not end by itself: {ended:?}"),
        told = tokio::time::timeout(Duration::from_secs(20), told) => told.unwrap(),
    }
    assert_eq!(known(&controller), ["f00d"]);
}

#[tokio::test]
async fn a_complaint_is_about_the_release_that_answers_who_complains() {
    let by = |client: &str| Complaint { client: Some(client.into()), ..says("it fails") };
    let scene = Scene::open(&[local_target(&[])], "");
    let controller = Controller::new(scene.project.clone(), Arc::new(Nobody)).unwrap();
    // Nobody answers, and the complaint counts for every release.
    let (taken, _) = controller.complain(by("c-1"), "ada").await.unwrap();
    assert_eq!((taken.release, taken.from.as_deref()), (None, Some("c-1")));
    Door { clients: [("c-1".to_owned(), "new".to_owned())].into(), ..Door::default() }.open(&scene);
    let (taken, _) = controller.complain(by("c-1"), "ada").await.unwrap();
    assert_eq!((taken.release.as_deref(), taken.service.as_str()), (Some("new"), "shop"));
    let refused = controller.complain(by("?"), "ada").await.unwrap_err();
    assert!(refused.is::<Usage>() && refused.to_string() == "that names no client", "{refused}");
    let elsewhere = Scene::open(&[target(&[])], "");
    let controller = Controller::new(elsewhere.project.clone(), Arc::new(Nobody)).unwrap();
    let refused = controller.complain(by("c-1"), "ada").await.unwrap_err();
    assert!(refused.is::<Usage>() && refused.to_string().contains("leave `client` out"), "{refused}");
}
