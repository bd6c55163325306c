//! Each trigger, with its window, through the whole core: complaints, critical errors, metrics of the operator's own, and a
//! performance that got worse.

use std::time::Duration;

use autodevops_model::{Measurement, Observation, Rate, Window};

use super::scene::{SECOND, Scene, plan};
use crate::{
    Command, CountTrigger, Counted, EventKind, Input, Outcome, Plan, Rule, Run, RunStage, Sample, Signal, Timestamp,
    Trigger,
};

mod signals;

fn signal(counted: Counted, id: &str, at: Timestamp) -> Signal {
    Signal { counted, id: id.into(), by: None, service: None, release: None, at, text: "the cart is empty".into() }
}

fn complains(scene: &mut Scene, id: &str, by: Option<&str>) {
    let complaint = Signal { by: by.map(Into::into), ..signal(Counted::Complaints, id, scene.now) };
    scene.say(Input::Signal(complaint)).unwrap();
}

/// A plan whose steps are long enough for windows of minutes.
fn slow() -> Plan {
    let mut plan = plan();
    for step in &mut plan.steps {
        step.duration = 3600 * SECOND;
    }
    plan.interval = 60 * SECOND;
    plan
}

fn wait(scene: &mut Scene, span: Duration) {
    scene.now = scene.now.after(span);
    scene.say(Input::Tick).unwrap();
}

fn is_ending(scene: &Scene) -> bool {
    scene.run.stage() == RunStage::Ending
}

#[test]
fn three_complaints_in_ten_minutes_turn_a_release_back_at_its_smallest_step() {
    let mut scene = Scene::new(slow()).until_step(5);
    for (id, by) in [("1", "eve"), ("2", "mal")] {
        complains(&mut scene, id, Some(by));
        wait(&mut scene, 200 * SECOND);
    }
    assert!(!is_ending(&scene));
    complains(&mut scene, "3", None);
    let words = "production at 5 %: complaints of 3 people or more within 10 min, since it has traffic; 3 turn it back; which release's they are is not known, so they count for every one that is out";
    assert_eq!(scene.run.ending(), Some(&Outcome::RolledBack { reason: words.into() }));
    let (_, scene) = scene.outcome();
    assert_eq!(scene.production(), [("old", 100)]);
    let reached = scene.events.iter().find_map(|event| match &event.event {
        EventKind::CountReached { verdict } => Some(verdict.clone()),
        _ => None,
    });
    let verdict = reached.unwrap();
    assert_eq!(verdict.rule, "complaints at least 3 in 10 min");
    assert_eq!(verdict.numbers, [("complaints".into(), 3.0), ("threshold".into(), 3.0)]);
    assert!(scene.run.signals().is_empty(), "what serves now is another release");
}

#[test]
fn complaints_further_apart_than_the_window_are_not_added_up() {
    let mut scene = Scene::new(slow()).until_step(5);
    for id in ["1", "2", "3", "4", "5"] {
        complains(&mut scene, id, None);
        wait(&mut scene, 301 * SECOND);
    }
    assert!(!is_ending(&scene), "two in any ten minutes");
    assert_eq!(scene.run.signals().len(), 2, "older ones count no more");
}

#[test]
fn one_who_complains_again_and_again_is_one_and_so_is_a_complaint_told_twice() {
    let mut scene = Scene::new(slow()).until_step(5);
    for id in ["1", "2", "3", "4"] {
        complains(&mut scene, id, Some("eve"));
    }
    complains(&mut scene, "5", None);
    complains(&mut scene, "5", None);
    complains(&mut scene, "5", None);
    assert!(!is_ending(&scene));
    assert_eq!(scene.run.signals().len(), 2);
}

#[test]
fn one_who_goes_on_complaining_counts_for_a_window_after_the_last_time() {
    let mut scene = Scene::new(slow()).until_step(5);
    complains(&mut scene, "1", Some("eve"));
    for id in ["2", "3"] {
        wait(&mut scene, 301 * SECOND);
        complains(&mut scene, id, Some("eve"));
    }
    assert_eq!(scene.run.signals().len(), 1);
    complains(&mut scene, "4", Some("ada"));
    wait(&mut scene, 599 * SECOND);
    complains(&mut scene, "5", Some("bob"));
    assert!(is_ending(&scene), "eve, ada and bob within ten minutes");
}

#[test]
fn complaints_before_the_release_has_traffic_or_about_another_are_not_its_own() {
    let mut scene = Scene::new(slow()).until(RunStage::ProductionDeploy);
    let before = scene.now;
    for id in ["1", "2", "3"] {
        complains(&mut scene, id, None);
    }
    let mut scene = scene.until_step(5);
    assert!(scene.run.signals().is_empty());
    scene.now = scene.now.after(SECOND);
    let told_late = signal(Counted::Complaints, "4", before.before(SECOND));
    let of_stable = Signal { release: Some("old".into()), ..signal(Counted::Complaints, "5", scene.now) };
    for told in [told_late, of_stable] {
        assert_eq!(scene.say(Input::Signal(told)).unwrap(), []);
    }
    let of_candidate = Signal { release: Some("new".into()), ..signal(Counted::Complaints, "6", scene.now) };
    assert_eq!(scene.say(Input::Signal(of_candidate)).unwrap().len(), 1);
}

#[test]
fn complaints_turn_back_after_the_last_step_too_and_while_people_hold_the_run() {
    let mut monitored = plan();
    monitored.monitoring = 3600 * SECOND;
    let mut scene = Scene::new(monitored).until(RunStage::Monitoring);
    for id in ["1", "2", "3"] {
        complains(&mut scene, id, None);
    }
    assert!(scene.has(|event| matches!(event, EventKind::RollbackChecked { needed: true, .. })));
    assert_eq!(scene.outcome().1.production(), [("old", 100)]);

    let mut scene = Scene::new(slow()).until_step(25);
    scene.say(Input::Hold { by: "ada".into(), reason: "lunch".into() }).unwrap();
    for id in ["1", "2", "3"] {
        complains(&mut scene, id, None);
    }
    assert!(matches!(scene.outcome().0, Outcome::RolledBack { .. }));
}

#[test]
fn complaints_that_are_not_critical_hold_the_step_and_ask_a_person_once() {
    let mut plan = slow();
    plan.counts =
        vec![CountTrigger { counted: Counted::Complaints, at_least: 2, window: 90 * SECOND, critical: false }];
    let mut scene = Scene::new(plan).until_step(5);
    for id in ["1", "2", "3", "4"] {
        complains(&mut scene, id, None);
    }
    let asked = scene.names().iter().filter(|name| **name == "approval-asked").count();
    assert_eq!(asked, 1);
    assert!(scene.run.held().unwrap().contains("complaints of 2 people or more within 90 s"), "{:?}", scene.run.held());
    assert_eq!(scene.production(), [("old", 95), ("new", 5)]);
}

#[test]
fn without_a_trigger_on_complaints_they_are_not_taken_into_the_run() {
    let mut plan = slow();
    plan.counts.retain(|trigger| trigger.counted != Counted::Complaints);
    let mut scene = Scene::new(plan).until_step(5);
    complains(&mut scene, "1", None);
    assert!(scene.run.signals().is_empty());
}

#[test]
fn whoever_complains_without_end_fills_no_journal() {
    let mut plan = slow();
    for trigger in plan.counts.iter_mut().filter(|trigger| trigger.counted == Counted::Complaints) {
        (trigger.at_least, trigger.critical) = (3, false);
    }
    let scene = Scene::new(plan).until_step(5);
    let taken = |run: &mut Run, number: u32, by: Option<&str>| {
        let by = by.map(str::to_owned);
        let complaint = Signal { by, ..signal(Counted::Complaints, &number.to_string(), scene.now) };
        let events = run.decide(Input::Signal(complaint), scene.now).unwrap();
        events.iter().for_each(|event| run.apply(event));
        !events.is_empty()
    };
    // One is one, and keeps nobody else from being heard.
    let mut run = scene.run.clone();
    assert_eq!((0..1100).filter(|number| taken(&mut run, *number, Some("eve"))).count(), 1);
    assert!(run.held().is_none() && taken(&mut run, 1100, Some("ada")) && taken(&mut run, 1101, Some("bob")));
    assert!(run.held().is_some(), "three people complained");
    // Of those who are not known there is an end, and a critical error is heard all the same.
    assert_eq!((2000..3100).filter(|number| taken(&mut run, *number, None)).count(), 997);
    assert!(!taken(&mut run, 3100, Some("mal")), "nor is one heard who is only now known");
    let error = signal(Counted::CriticalErrors, "bad", scene.now);
    for event in run.decide(Input::Signal(error), scene.now).unwrap() {
        run.apply(&event);
    }
    assert!(matches!(run.ending(), Some(Outcome::RolledBack { .. })), "{:?}", run.ending());
}

#[test]
fn as_many_are_heard_as_a_trigger_counts() {
    let mut plan = slow();
    plan.counts =
        vec![CountTrigger { counted: Counted::Complaints, at_least: 1500, window: 600 * SECOND, critical: true }];
    let scene = Scene::new(plan).until_step(5);
    let mut run = scene.run.clone();
    for number in 0..1500 {
        assert!(run.ending().is_none());
        let complaint = signal(Counted::Complaints, &number.to_string(), scene.now);
        for event in run.decide(Input::Signal(complaint), scene.now).unwrap() {
            run.apply(&event);
        }
    }
    assert!(run.ending().is_some());
}

#[test]
fn a_critical_error_that_is_new_turns_the_release_back_and_an_old_one_does_not() {
    let mut scene = Scene::new(slow()).until_step(5);
    let entered = scene.run.exposed().unwrap();
    let old = signal(Counted::CriticalErrors, "0ld", entered.before(SECOND));
    assert_eq!(scene.say(Input::Signal(old)).unwrap(), []);
    wait(&mut scene, 30 * SECOND);
    let new = Signal { text: "out of memory".into(), ..signal(Counted::CriticalErrors, "bad", scene.now) };
    scene.say(Input::Signal(new)).unwrap();
    let words = "production at 5 %: a new critical error: out of memory within 10 min, since it has traffic; 1 turn it back; which release's it \
                 is is not known, so it counts for every one that is out";
    assert_eq!(scene.outcome().0, Outcome::RolledBack { reason: words.into() });
}

#[test]
fn a_critical_error_of_another_release_or_service_turns_nothing_back_and_the_candidates_own_does() {
    let mut scene = Scene::new(slow()).until_step(5);
    let of = |id: &str, service: &str, release: &str, at| Signal {
        service: Some(service.into()),
        release: Some(release.into()),
        ..signal(Counted::CriticalErrors, id, at)
    };
    let now = scene.now;
    for other in [of("1", "shop", "old", now), of("2", "mail", "mail-7", now), of("3", "mail", "new", now)] {
        assert_eq!(scene.say(Input::Signal(other)).unwrap(), []);
    }
    scene.say(Input::Signal(of("1", "shop", "new", now))).unwrap();
    let Outcome::RolledBack { reason } = scene.outcome().0 else { panic!() };
    assert!(reason.ends_with("since it has traffic; 1 turn it back"), "{reason}");
}

#[test]
fn of_how_many_it_is_not_known_which_releases_they_are_is_told() {
    for (of_new, unknown, words) in [
        (2, 0, "2 turn it back"),
        (0, 2, "2 turn it back; which release's they are is not known, so they count for every one that is out"),
        (1, 1, "2 turn it back; which release's 1 of them are is not known, so these count for every one that is out"),
    ] {
        let mut plan = slow();
        plan.counts =
            vec![CountTrigger { counted: Counted::CriticalErrors, at_least: 2, window: 30 * SECOND, critical: true }];
        let mut scene = Scene::new(plan).until_step(5);
        for id in 0..of_new + unknown {
            let release = (id < of_new).then(|| "new".to_owned());
            let error = Signal { release, ..signal(Counted::CriticalErrors, &id.to_string(), scene.now) };
            scene.say(Input::Signal(error)).unwrap();
        }
        let Outcome::RolledBack { reason } = scene.outcome().0 else { panic!() };
        assert!(reason.ends_with(words), "{reason}");
    }
}

#[test]
fn several_critical_errors_are_counted_and_the_last_is_told() {
    let mut plan = slow();
    plan.counts =
        vec![CountTrigger { counted: Counted::CriticalErrors, at_least: 2, window: 30 * SECOND, critical: true }];
    let mut scene = Scene::new(plan).until_step(5);
    for (id, text) in [("1", "out of memory"), ("2", "the disk is gone")] {
        assert!(!is_ending(&scene));
        let error = Signal { text: text.into(), ..signal(Counted::CriticalErrors, id, scene.now) };
        scene.say(Input::Signal(error)).unwrap();
    }
    let words = "production at 5 %: 2 new critical errors, the last: the disk is gone within 30 s, since it has traffic; 2 turn it back; which \
                 release's they are is not known, so they count for every one that is out";
    assert_eq!(scene.outcome().0, Outcome::RolledBack { reason: words.into() });
}

#[test]
fn complaints_and_errors_of_one_name_are_two_things() {
    let mut scene = Scene::new(slow()).until_step(5);
    complains(&mut scene, "1", None);
    let error = signal(Counted::CriticalErrors, "1", scene.now);
    scene.say(Input::Signal(error)).unwrap();
    assert!(is_ending(&scene), "it is not known already");
    let mut scene = Scene::new(slow()).until_step(5);
    for id in ["1", "2"] {
        complains(&mut scene, id, None);
    }
    assert!(!is_ending(&scene), "two complaints are no critical error");
}

#[test]
fn what_another_service_is_complained_of_for_is_not_the_candidates() {
    let mut scene = Scene::new(slow()).until_step(5);
    let of =
        |service: &str, id: &str, at| Signal { service: Some(service.into()), ..signal(Counted::Complaints, id, at) };
    let now = scene.now;
    assert_eq!(scene.say(Input::Signal(of("mail", "1", now))).unwrap(), []);
    assert_eq!(scene.say(Input::Signal(of("shop", "2", now))).unwrap().len(), 1);
}

#[test]
fn of_two_numbers_that_are_reached_the_one_that_turns_back_decides() {
    let mut plan = slow();
    let count =
        |at_least, critical| CountTrigger { counted: Counted::Complaints, at_least, window: 60 * SECOND, critical };
    plan.counts = vec![count(1, false), count(2, true)];
    let mut scene = Scene::new(plan).until_step(5);
    complains(&mut scene, "1", None);
    assert!(scene.run.held().is_some() && !is_ending(&scene));
    complains(&mut scene, "2", None);
    assert!(is_ending(&scene));
}

#[test]
fn complaints_of_exactly_the_window_ago_count_and_older_ones_do_not() {
    for (apart, ends) in [(600 * SECOND, true), (600 * SECOND + Duration::from_nanos(1), false)] {
        let mut scene = Scene::new(slow()).until_step(5);
        complains(&mut scene, "1", None);
        scene.now = scene.now.after(apart);
        complains(&mut scene, "2", None);
        complains(&mut scene, "3", None);
        assert_eq!(is_ending(&scene), ends, "{apart:?}");
    }
}

#[test]
fn silence_of_those_who_complain_passes_nothing() {
    let mut scene = Scene::new(plan());
    scene.seen = (0, 0);
    let (outcome, scene) = scene.outcome();
    assert!(matches!(outcome, Outcome::Aborted { .. }), "{outcome}");
    assert!(!scene.traffic_was().contains(&25));
}

/// Does what is commanded until the next measurement, and gives what the closure makes of each window as that: a metric of both releases.
fn measure(scene: &mut Scene, made: impl Fn(&Window, bool) -> Vec<(&'static str, Observation)>) {
    loop {
        let command = scene.command();
        let Command::Measure { windows, subjects, .. } = &command else {
            scene.obey(&command);
            continue;
        };
        let mut samples: Vec<Sample> = scene.samples(windows, &subjects[0]);
        for sample in &mut samples {
            for (release, candidate) in [("new", true), ("old", false)] {
                let window = sample.window.clone();
                let more = made(&window, candidate).into_iter().map(|(metric, observation)| Measurement {
                    metric: metric.into(),
                    unit: String::new(),
                    release: release.into(),
                    observation,
                    window: window.clone(),
                });
                sample.measurements.retain(|seen| {
                    more.clone().all(|more| (&more.metric, &more.release) != (&seen.metric, &seen.release))
                });
                sample.measurements.extend(more);
            }
        }
        scene.say(Input::Measured { samples, error: None }).unwrap();
        return;
    }
}

fn seconds(window: &Window) -> i64 {
    (window.end - window.start) / 1_000_000_000
}

#[test]
fn a_metric_of_the_operators_own_turns_back_by_what_its_window_shows_though_the_whole_step_looks_well() {
    let mut plan = slow();
    plan.triggers.push(Trigger { window: 120 * SECOND, ..Trigger::new("refund-rate", Rule::RateAbove(0.02)) });
    let mut scene = Scene::new(plan).until_step(5);
    let well = |_: &Window, _: bool| vec![("refund-rate", Observation::Rate(Rate { events: 0, total: 1000 }))];
    for _ in 0..10 {
        measure(&mut scene, well);
    }
    assert!(!is_ending(&scene));
    // Of late refunds rise: two minutes of them say so, the hour as a whole does not.
    let badly = |window: &Window, candidate: bool| {
        let events = if candidate && seconds(window) == 120 { 60 } else { 5 };
        vec![("refund-rate", Observation::Rate(Rate { events, total: 600 }))]
    };
    for _ in 0..3 {
        if !is_ending(&scene) {
            measure(&mut scene, badly);
        }
    }
    let (outcome, _) = scene.outcome();
    let Outcome::RolledBack { reason } = outcome else { panic!("{outcome}") };
    assert!(reason.contains("10.0 % of 600") || reason.contains("60 of 600"), "{reason}");
}

#[test]
fn a_metric_of_the_operators_own_that_nobody_measures_never_passes() {
    let mut plan = plan();
    plan.triggers.push(Trigger::new("refund-rate", Rule::RateAbove(0.05)));
    let (outcome, scene) = Scene::new(plan).outcome();
    assert!(matches!(outcome, Outcome::Aborted { .. }), "{outcome}");
    assert!(!scene.traffic_was().contains(&25), "it is never promoted");
    assert!(scene.has(|event| matches!(event, EventKind::Held { reason } if reason.contains("refund-rate"))));
}

#[test]
fn a_performance_worse_than_the_baselines_by_a_fifth_turns_back() {
    let mut plan = slow();
    plan.triggers = Trigger::defaults();
    let mut scene = Scene::new(plan.clone()).until_step(5);
    let took = |candidate: f64, stable: f64| {
        move |_: &Window, is_candidate: bool| {
            let middle = if is_candidate { candidate } else { stable };
            let spread = |index: u32| middle * (0.9 + 0.2 * f64::from(index) / 400.0);
            vec![("latency", Observation::Samples((0..400).map(spread).collect()))]
        }
    };
    for _ in 0..4 {
        measure(&mut scene, took(0.105, 0.1));
    }
    assert!(!is_ending(&scene), "a twentieth is not a fifth");
    for _ in 0..4 {
        if !is_ending(&scene) {
            measure(&mut scene, took(0.2, 0.1));
        }
    }
    assert!(matches!(scene.outcome().0, Outcome::RolledBack { .. }));
}
