//! Glances between the measurements.

use autodevops_model::{Measurement, Observation, Rate};

use super::scene::{SECOND, Scene, plan};
use crate::{CRASH_LOOP, Command, Decision, EventKind, Input, Method, Outcome, Plan, Refused, RunStage, Sample};

/// A plan with steps of ten minutes, measured once a minute.
fn slow() -> Plan {
    let mut plan = plan();
    for step in &mut plan.steps {
        step.duration = 600 * SECOND;
    }
    plan.interval = 60 * SECOND;
    plan
}

/// A second later, what a glance at so many failures shows.
fn glanced(scene: &mut Scene, seen: (u64, u64)) -> Vec<Sample> {
    scene.now = scene.now.after(SECOND);
    scene.seen = seen;
    let (_, glance) = scene.run.glance(scene.now).unwrap();
    glance.subjects.iter().flat_map(|subject| scene.samples(&glance.windows, subject)).collect()
}

#[test]
fn half_of_the_requests_fail_and_it_is_not_waited_for_the_measurement() {
    let mut scene = Scene::new(slow()).until_step(50);
    let samples = glanced(&mut scene, (9, 18));
    let events = scene.say(Input::Glanced { samples }).unwrap();
    assert!(matches!(events[0].event, EventKind::Measured { .. }), "what decided is on record: {events:?}");
    let EventKind::Judged { verdict, .. } = &events[1].event else { panic!("{events:?}") };
    assert_eq!(verdict.method, Some(Method::HardTrip));
    assert_eq!(scene.run.stage(), RunStage::Ending);
    let (outcome, scene) = scene.outcome();
    assert!(matches!(outcome, Outcome::RolledBack { .. }), "{outcome}");
    assert_eq!(scene.production(), [("old", 100)]);
}

/// A step of this share that was good for minutes, and a glance in which so many failed of late, and so many of the stable release; what came
/// of it.
fn lately(percent: u8, seen: (u64, u64), stable: (u64, u64), effect: Option<f64>) -> (Scene, Vec<crate::Event>) {
    let mut scene = Scene::new(slow()).until_step(percent);
    let started = scene.run.watch().unwrap().started;
    while scene.run.watch().unwrap().measured < started.after(180 * SECOND) {
        (scene.seen, scene.stable_seen) = ((2, 1000), (2, 1000));
        scene.go();
    }
    scene.now = scene.run.watch().unwrap().measured.after(20 * SECOND);
    let (_, glance) = scene.run.glance(scene.now).unwrap();
    let begins: Vec<i64> = glance.windows.iter().map(|window| window.start).collect();
    let last = if percent == 100 { 60 } else { 10 };
    assert_eq!(begins, [started.0, scene.now.before(last * SECOND).0]);
    let mut all = Vec::new();
    for (window, (seen, stable)) in
        glance.windows.chunks(1).zip([((2 + seen.0, 1000 + seen.1), (2 + stable.0, 1000 + stable.1)), (seen, stable)])
    {
        (scene.seen, scene.stable_seen) = (seen, stable);
        all.extend(glance.subjects.iter().flat_map(|subject| scene.samples(window, subject)));
    }
    if let Some(effect) = effect {
        let last = all.last_mut().unwrap();
        let (window, release) = (last.window.clone(), "new".to_owned());
        let (metric, observation) = (crate::DESIGN_EFFECT.to_owned(), Observation::Samples(vec![effect]));
        last.measurements.push(Measurement { metric, unit: "ratio".into(), release, observation, window });
    }
    let events = scene.say(Input::Glanced { samples: all }).unwrap();
    (scene, events)
}

#[test]
fn a_release_that_was_good_for_long_is_turned_back_by_what_it_does_now() {
    for (percent, seen, stable, turns_back) in [
        (100, (30, 30), (0, 0), true),
        (100, (15, 30), (0, 0), true),
        (100, (14, 30), (0, 0), false),
        (100, (29, 29), (0, 0), false),
        (50, (30, 30), (1, 100), true),
        // Both fail, the one a moment before the other; or nobody knows whether the other does.
        (50, (16, 30), (47, 100), false),
        (50, (30, 30), (5, 5), false),
        (50, (30, 30), (0, 0), false),
    ] {
        let (scene, told) = lately(percent, seen, stable, None);
        assert_eq!(scene.run.stage() == RunStage::Ending, turns_back, "{percent} %: {seen:?} {stable:?}: {told:?}");
        assert_eq!(told.is_empty(), !turns_back, "{percent} %: {seen:?} {stable:?}");
        if turns_back {
            let EventKind::Judged { verdict, .. } = &told[1].event else { panic!("{told:?}") };
            assert_eq!(verdict.method, Some(Method::HardTrip));
            let words = format!("hard trip: {} of {} requests failed from ", seen.0, seen.1);
            assert!(verdict.words.starts_with(&words), "it says when: {}", verdict.words);
        }
    }
}

#[test]
fn what_a_few_clients_see_of_late_is_as_many_requests_as_it_weighs() {
    for (effect, turns_back) in [(None, true), (Some(4.0), true), (Some(4.1), false)] {
        let (scene, told) = lately(100, (110, 120), (0, 0), effect);
        assert_eq!(scene.run.stage() == RunStage::Ending, turns_back, "{effect:?}: {told:?}");
    }
}

#[test]
fn the_last_moments_are_looked_at_once_they_are_a_part_of_the_watch() {
    for (percent, after, windows) in [(50, 0, 1), (50, 10, 1), (50, 11, 2), (100, 60, 1), (100, 61, 2)] {
        let scene = Scene::new(slow()).until_step(percent);
        let started = scene.run.watch().unwrap().started;
        let (_, glance) = scene.run.glance(started.after(after * SECOND)).unwrap();
        assert_eq!(glance.windows.len(), windows, "after {after} s at {percent} %");
    }
}

#[test]
fn the_sequential_test_decides_by_a_glance_and_a_window_does_not() {
    let plan = Plan { decision: Decision::default(), ..slow() };
    let mut scene = Scene::new(plan.clone()).until_step(5);
    // 1 of 5 fails: too few for a hard trip, and far too many for a release that is good.
    let samples = glanced(&mut scene, (12, 60));
    let events = scene.say(Input::Glanced { samples }).unwrap();
    let EventKind::Judged { verdict, .. } = &events[1].event else { panic!("{events:?}") };
    assert_eq!(verdict.method, Some(Method::Sprt), "{verdict:?}");
    assert_eq!(scene.run.stage(), RunStage::Ending);
    // The same at a step that windows decide: a glance is no window.
    let mut scene = Scene::new(plan).until_step(50);
    for _ in 0..10 {
        let samples = glanced(&mut scene, (12, 60));
        assert_eq!(scene.say(Input::Glanced { samples }).unwrap(), []);
    }
    assert_eq!(scene.run.stage(), RunStage::Rollout);
}

#[test]
fn a_good_release_is_glanced_at_without_a_trace() {
    let mut scene = Scene::new(slow()).until_step(5);
    let before = scene.run.clone();
    for _ in 0..100 {
        let samples = glanced(&mut scene, (1, 200));
        assert_eq!(scene.say(Input::Glanced { samples }).unwrap(), []);
    }
    assert_eq!(scene.run, before);
}

#[test]
fn a_release_that_ends_again_and_again_is_turned_back_by_a_glance() {
    let mut scene = Scene::new(slow()).until_step(5);
    let mut samples = glanced(&mut scene, (0, 0));
    let window = samples[0].window.clone();
    samples[0].measurements.push(Measurement {
        metric: CRASH_LOOP.into(),
        unit: "ratio".into(),
        release: "new".into(),
        observation: Observation::Rate(Rate { events: 1, total: 1 }),
        window,
    });
    scene.say(Input::Glanced { samples }).unwrap();
    assert_eq!(scene.run.stage(), RunStage::Ending);
}

#[test]
fn what_a_plugin_says_is_no_glance_and_neither_is_what_no_watch_wants() {
    let mut scene = Scene::new(slow()).until_step(50);
    let mut samples = glanced(&mut scene, (100, 100));
    samples[0].observed_by_host = false;
    assert_eq!(scene.say(Input::Glanced { samples }).unwrap(), []);
    let soak = Scene::new(slow()).until(RunStage::Soak);
    assert_eq!(soak.run.glance(soak.now), None);
    let none = Plan { glance: std::time::Duration::ZERO, ..slow() };
    let scene = Scene::new(none).until_step(50);
    assert_eq!(scene.run.glance(scene.now), None);
}

#[test]
fn a_trigger_that_turns_nothing_back_by_itself_leaves_no_trace_of_a_glance() {
    let mut plan = Plan { decision: Decision::default(), ..slow() };
    plan.triggers.iter_mut().for_each(|trigger| trigger.critical = false);
    plan.decision.min_score = 0.0;
    let mut scene = Scene::new(plan).until_step(5);
    let samples = glanced(&mut scene, (12, 60));
    assert_eq!(scene.say(Input::Glanced { samples }).unwrap(), [], "the measurement holds the step");
}

#[test]
fn nothing_is_glanced_at_while_it_is_not_known_what_serves() {
    let mut scene = Scene::new(slow()).until_step(50);
    assert!(scene.run.glance(scene.now).is_some());
    scene.say(Input::Resume { fence: 8 }).unwrap();
    assert!(scene.run.watch().is_some());
    assert_eq!(scene.run.glance(scene.now), None);
    scene.go();
    let (every, glance) = scene.run.glance(scene.now).unwrap();
    let started = scene.run.watch().unwrap().started;
    assert_eq!(
        (every, glance.windows[0].start, glance.windows[0].end),
        (scene.run.plan().glance, started.0, scene.now.0)
    );
    let (_, before) = scene.run.glance(crate::Timestamp(started.0 - 1)).unwrap();
    assert_eq!(
        (before.windows[0].start, before.windows[0].end),
        (started.0, started.0),
        "a window never ends before it begins"
    );
}

/// The first step is passed, and the second has no traffic yet.
fn between_steps(mut scene: Scene) -> Scene {
    while scene.run.watch().is_some() {
        scene.go();
    }
    assert!(matches!(scene.command(), Command::SetTraffic { .. }), "{:?}", scene.command());
    scene
}

#[test]
fn between_two_steps_the_share_that_is_out_is_glanced_at_however_long_the_next_takes() {
    let scene = Scene::new(slow()).until_step(5);
    let started = scene.run.watch().unwrap().started;
    let mut scene = between_steps(scene);
    let key = scene.command().key().unwrap().to_owned();
    scene.say(Input::Intent { key }).unwrap();
    for _ in 0..600 {
        let samples = glanced(&mut scene, (1, 200));
        assert_eq!(samples[0].window.start, started.0, "the step's clients count on");
        assert_eq!(scene.say(Input::Glanced { samples }).unwrap(), []);
    }
    let samples = glanced(&mut scene, (100, 200));
    scene.say(Input::Glanced { samples }).unwrap();
    assert_eq!(scene.run.stage(), RunStage::Ending, "it is not waited for what moves the traffic");
}

#[test]
fn between_two_steps_only_a_glance_decides_and_the_next_steps_watch_begins_anew() {
    let mut scene = between_steps(Scene::new(slow()).until_step(5));
    let samples = glanced(&mut scene, (100, 200));
    assert!(matches!(scene.say(Input::Measured { samples, error: None }), Err(Refused::OutOfPlace { .. })));
    scene.seen = (0, 200);
    let next = scene.now;
    while scene.run.watch().is_none() {
        scene.go();
    }
    let (_, glance) = scene.run.glance(scene.now).unwrap();
    assert!(glance.windows[0].start >= next.0, "{glance:?}");
    assert_eq!(scene.run.watch().unwrap().percent, 25);
}

#[test]
fn where_the_share_is_not_out_any_more_nothing_is_glanced_at() {
    let returned =
        |scene: &mut Scene| drop(scene.say(Input::TrafficReturned { services: vec![String::new()] }).unwrap());
    let forward = |scene: &mut Scene| {
        drop(scene.say(Input::RollForward { by: "ada".into(), reason: "now".into() }).unwrap());
    };
    let aborted = |scene: &mut Scene| {
        drop(scene.say(Input::Abort { by: "ada".into(), reason: "enough".into() }).unwrap());
    };
    let changes: [fn(&mut Scene); 3] = [returned, forward, aborted];
    for change in changes {
        let mut scene = between_steps(Scene::new(slow()).until_step(5));
        assert!(scene.run.glance(scene.now).is_some());
        change(&mut scene);
        assert_eq!(scene.run.glance(scene.now), None);
    }
}

#[test]
fn a_step_that_people_let_pass_is_not_watched_on_for_what_they_knew() {
    let mut plan = slow();
    plan.triggers.iter_mut().for_each(|trigger| trigger.critical = false);
    let mut scene = Scene::new(plan).until_step(5);
    scene.seen = (12, 60);
    while scene.run.gate().is_none() {
        scene.go();
    }
    scene.say(Input::Approve { by: "ada".into(), reason: "go on".into(), bypass: false, link: None }).unwrap();
    assert_eq!((scene.run.glance(scene.now), scene.run.steps_passed()), (None, 1));
}
