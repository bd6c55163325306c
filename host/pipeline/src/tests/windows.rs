//! Two bad windows in a row: of one rule of one service, and with no moment in common.

use autodevops_model::{Bucket, Measurement, Observation, Rate};

use super::{
    scene::{SECOND, Scene, plan},
    together::{of_pair, plan_of_three},
};
use crate::{Command, Decision, EventKind, Input, NoData, Outcome, Plan, Sample, Timestamp};

/// A plan with the default windows of five minutes, which is looked at each minute.
fn by_the_minute(plan: Plan) -> Plan {
    let mut plan = plan;
    for step in &mut plan.steps {
        step.duration = 600 * SECOND;
    }
    plan.interval = 60 * SECOND;
    plan
}

/// So many seconds after the watch began.
type Moment = i64;

/// A fifth of the requests fails, or is slow, of what is bad between two moments of the watch, wherever a window has one of them.
struct Bad {
    service: &'static str,
    metric: &'static str,
    from: Moment,
    to: Moment,
}

const fn bad(metric: &'static str, from: Moment, to: Moment) -> Bad {
    Bad { service: "", metric, from, to }
}

impl Bad {
    fn of(&self, sample: &Sample, measured: &Measurement, began: Timestamp) -> bool {
        let at = |moment: Moment| began.0 + moment * 1_000_000_000;
        let shares = sample.window.start < at(self.to) && at(self.from) < sample.window.end;
        let is_its = sample.service == self.service && measured.metric == self.metric && measured.release == "new";
        shares && is_its
    }
}

fn spoil(measured: &mut Measurement) {
    measured.observation = match measured.observation {
        Observation::Rate(_) => Observation::Rate(Rate { events: 40, total: 200 }),
        _ => Observation::Histogram(vec![Bucket { le: 2.0, count: 160 }, Bucket { le: f64::INFINITY, count: 200 }]),
    };
}

/// Goes on until the moment of the watch, or until it is over; whether it is turned back then, and when.
fn at(scene: &mut Scene, bad: &[Bad], until: Moment) -> Option<Moment> {
    let began = scene.run.watch().unwrap().started;
    let since = |now: Timestamp| (now.0 - began.0) / 1_000_000_000;
    while scene.run.ending().is_none() && scene.run.gate().is_none() && since(scene.now) < until {
        let command = scene.command();
        match scene.answer(&command) {
            Input::Measured { mut samples, error } => {
                for sample in &mut samples {
                    let own = sample.clone();
                    let spoilt = |measured: &&mut Measurement| bad.iter().any(|bad| bad.of(&own, measured, began));
                    sample.measurements.iter_mut().filter(spoilt).for_each(spoil);
                }
                scene.say(Input::Measured { samples, error }).unwrap();
            }
            _ => drop(scene.go()),
        }
    }
    scene.run.ending().is_some().then(|| since(scene.now))
}

fn at_five(plan: Plan) -> Scene {
    Scene::new(by_the_minute(plan)).until_step(5)
}

#[test]
fn a_burst_of_a_minute_turns_nothing_back_however_many_windows_hold_it() {
    let mut scene = at_five(plan());
    assert_eq!(at(&mut scene, &[bad("error-rate", 70, 100)], 599), None);
    assert!(matches!(&*scene.run.watch().unwrap().strikes, [strike] if strike.windows == 1));
    // The whole watch is bad by it for ever: that passes nothing either, and in the end people are asked.
    assert_eq!(at(&mut scene, &[bad("error-rate", 70, 100)], 9000), None);
    let reason = scene.run.gate().unwrap().reason.clone();
    assert!(reason.contains("no second bad window followed on it; extended 3 times"), "{reason}");
    assert_eq!(scene.run.steps_passed(), 0);
}

#[test]
fn what_is_bad_on_and_on_is_turned_back_at_the_second_look() {
    assert_eq!(at(&mut at_five(plan()), &[bad("error-rate", 0, 9000)], 9000), Some(120));
    assert_eq!(at(&mut at_five(plan()), &[bad("error-rate", 200, 9000)], 9000), Some(300));
}

#[test]
fn a_second_burst_is_a_second_window_while_the_first_is_in_a_row_with_it() {
    let bursts = [bad("error-rate", 70, 100), bad("error-rate", 370, 400)];
    let mut scene = at_five(plan());
    assert_eq!(at(&mut scene, &bursts, 9000), Some(420));
    // However many looks found the first one bad, it is one window; and the words say so.
    let rows = scene.events.iter().filter_map(|event| match &event.event {
        EventKind::Judged { verdict, .. } => Some(verdict.words.split_once("; bad window ")?.1.get(..6)?.to_owned()),
        _ => None,
    });
    let mut rows: Vec<String> = rows.collect();
    rows.dedup();
    assert_eq!(rows, ["1 of 2", "2 of 2"]);
    assert!(
        matches!(scene.run.ending(), Some(Outcome::RolledBack { reason }) if reason.ends_with("; bad window 2 of 2 in a row"))
    );
}

#[test]
fn one_bad_window_of_each_of_two_metrics_is_one_of_each() {
    let bursts = [bad("error-rate", 10, 20), bad("latency", 70, 80)];
    let mut scene = at_five(plan());
    assert_eq!(at(&mut scene, &bursts, 599), None);
    let strikes: Vec<(&str, u32)> =
        scene.run.watch().unwrap().strikes.iter().map(|strike| (&*strike.rule, strike.windows)).collect();
    assert_eq!(strikes, [("error-rate above 5.0 %", 1), ("latency above 2 s at quantile 0.95", 1)]);
    // Neither has two, but each goes on to have one.
    let again = [bad("error-rate", 10, 20), bad("latency", 70, 9000)];
    assert_eq!(at(&mut at_five(plan()), &again, 9000), Some(180));
}

#[test]
fn one_bad_window_of_each_of_two_services_is_one_of_each() {
    let both = || of_pair(by_the_minute(plan_of_three())).until_step(5);
    let of = |service, from, to| Bad { service, ..bad("error-rate", from, to) };
    assert_eq!(at(&mut both(), &[of("cart", 10, 20), of("shop", 70, 80)], 599), None);
    let mut turned = both();
    assert_eq!(at(&mut turned, &[of("cart", 10, 20), of("shop", 70, 9000)], 9000), Some(180));
    assert!(matches!(turned.run.ending(), Some(Outcome::RolledBack { reason }) if reason.contains("shop: ")));
}

#[test]
fn a_bad_window_that_only_holds_the_step_is_none_of_one_that_turns_back() {
    let mut plan = plan();
    plan.triggers[1].critical = false;
    let mut scene = at_five(plan.clone());
    let bursts = [bad("latency", 10, 20), bad("error-rate", 70, 80)];
    assert_eq!(at(&mut scene, &bursts, 599), None);
    assert!(scene.run.held().is_none());
    // Two of the one that is not critical hold the step, whatever else has one.
    let bursts = [bad("latency", 10, 9000), bad("error-rate", 70, 80)];
    let mut scene = at_five(plan);
    assert_eq!(at(&mut scene, &bursts, 9000), None);
    assert!(scene.run.held().unwrap().contains("slower than 2 s"), "{:?}", scene.run.held());
}

#[test]
fn a_measurement_that_fails_four_times_in_a_row_holds_the_step_and_says_whose_it_is() {
    let mut scene = at_five(plan());
    let mut measure = |fails: bool| {
        while !matches!(scene.command(), Command::Measure { .. }) {
            scene.go();
        }
        let command = scene.command();
        let Input::Measured { samples, .. } = scene.answer(&command) else { panic!() };
        let error = fails.then(|| "health check `shop-health`: it trapped".to_owned());
        scene.say(Input::Measured { samples, error }).unwrap();
        scene.run.held().map(str::to_owned)
    };
    // One that works between takes the others back.
    for fails in [true, true, true, false, true, true, true] {
        assert_eq!(measure(fails), None);
    }
    let held = "production at 5 %: measuring failed 4 times in a row: health check `shop-health`: it trapped";
    assert_eq!(measure(true).as_deref(), Some(held));
}

fn delayed(delay: u32) -> Plan {
    let mut plan = Plan { decision: Decision::default(), ..plan() };
    plan.triggers[0].initial_delay = delay * SECOND;
    plan
}

#[test]
fn what_comes_in_within_the_initial_delay_counts_for_nothing() {
    // Cold, it fails for a minute and a half.
    let cold = [bad("error-rate", 0, 90)];
    assert_eq!(at(&mut at_five(delayed(0)), &cold, 599), Some(60), "by the sequential test");
    let mut scene = at_five(delayed(90));
    assert_eq!(at(&mut scene, &cold, 599), None);
    assert!(scene.run.watch().unwrap().strikes.is_empty());
    at(&mut scene, &cold, 601);
    assert_eq!(scene.run.steps_passed(), 1);
    assert_eq!(at(&mut at_five(delayed(90)), &[bad("error-rate", 95, 9000)], 599), Some(120));
}

#[test]
fn a_glance_sees_what_came_in_after_the_initial_delay_too() {
    let scene = at_five(delayed(90));
    let began = scene.run.watch().unwrap().started;
    let starts = |after: u32| {
        let (_, glance) = scene.run.glance(began.after(after * SECOND)).unwrap();
        glance.windows.iter().map(|window| (window.start - began.0) / 1_000_000_000).collect::<Vec<_>>()
    };
    // And the last ten seconds.
    assert_eq!((starts(80), starts(95), starts(100)), (vec![0, 70], vec![0, 90, 85], vec![0, 90]));
}

#[test]
fn a_hard_trip_knows_no_initial_delay() {
    let mut scene = at_five(delayed(300));
    scene.seen = (190, 200);
    let (outcome, _) = scene.outcome();
    assert!(matches!(outcome, Outcome::RolledBack { reason } if reason.contains("hard trip")));
}

/// Where the windows begin that are measured three minutes after the watch did, of which one was bad, in seconds since then.
fn measured_since_a_bad_window(plan: Plan) -> Vec<i64> {
    let mut scene = at_five(plan);
    let began = scene.run.watch().unwrap().started;
    at(&mut scene, &[bad("error-rate", 70, 100)], 150);
    assert!(!scene.has(|event| matches!(event, EventKind::TurnedBack { .. })));
    scene.now = began.after(180 * SECOND);
    let windows = scene.commands().into_iter().find_map(|command| match command {
        Command::Measure { windows, .. } => Some(windows),
        _ => None,
    });
    windows.unwrap().iter().map(|window| (window.start - began.0) / 1_000_000_000).collect()
}

#[test]
fn what_came_in_since_the_last_bad_window_is_measured_and_no_more_than_that() {
    let starts = measured_since_a_bad_window(plan());
    assert_eq!(starts, [0, 120], "the whole watch, which is the trigger's own window too, and since the bad one");
}

#[test]
fn at_its_end_a_step_with_a_bad_window_waits_for_the_one_that_may_follow() {
    let mut scene = at_five(plan());
    let burst = [bad("error-rate", 550, 590)];
    let extended = |scene: &Scene| scene.has(|event| matches!(event, EventKind::StepExtended { .. }));
    // The bad window ends with the step, at 600 s.
    assert_eq!(at(&mut scene, &burst, 899), None);
    assert!(!extended(&scene) && scene.run.held().is_none());
    assert_eq!(at(&mut scene, &burst, 901), None);
    assert!(extended(&scene));
}

#[test]
fn since_a_bad_window_of_one_rule_is_measured_for_that_rule() {
    let mut plan = plan();
    plan.triggers[1].window = 30 * SECOND;
    assert_eq!(measured_since_a_bad_window(plan), [0, 120, 150], "the other rule's own window is of 30 s");
}

#[test]
fn silence_turns_a_release_back_in_production_where_a_trigger_says_so_and_never_in_staging() {
    let mut plan = by_the_minute(plan());
    (plan.soak, plan.triggers[0].no_data) = (1800 * SECOND, NoData::Fail);
    // Nobody visits staging, all the half hour long: the run goes on.
    let mut scene = Scene::new(plan);
    scene.seen = (0, 0);
    let mut scene = scene.until_step(5);
    assert_eq!(scene.run.gate(), None);
    // Nor does anyone come in production, where that is a failure.
    assert_eq!(at(&mut scene, &[], 9000), Some(600), "two whole windows without a request");
    assert!(matches!(scene.run.ending(), Some(Outcome::RolledBack { reason }) if reason.contains("nothing came in")));
}
