//! What a driver owes those around it: whom it waits for, what it says of a full disk, and what it tells the account, the watchers and the
//! world.

mod full;
mod listening;
mod needed;
mod slow;

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use autodevops_driver::{
    driver::{Driver, End, TwoHosts, Word},
    parts::Parts,
};
use autodevops_pipeline::{
    Awaited, Command, Environment, Event, EventKind, Input, Level, Outcome, Plan, Run, RunStage, Service, Step,
    Timestamp,
};
use tokio::sync::mpsc;

use listening::{Listening, QUICK, Takes, Told};

use crate::{
    calm::{begin, done},
    host::Host,
    stock::{self, APPROVERS, SECOND},
    world::World,
};

/// Drives a run by a plan that is changed so, and says something before, until it ends or is left.
fn driven(
    change: impl FnOnce(&mut Plan),
    wait: bool,
    said: Option<Input>,
    mut each: impl FnMut(&mut World),
) -> (End, Arc<Listening>) {
    driven_in(QUICK, change, wait, said, |world, _, _| each(world))
}

/// The same in a world that takes so long; there may be said something each time that time passes.
fn driven_in(
    takes: Takes,
    change: impl FnOnce(&mut Plan),
    wait: bool,
    said: Option<Input>,
    mut each: impl FnMut(&mut World, &mpsc::Sender<Word>, &Listening),
) -> (End, Arc<Listening>) {
    let (host, logged) = begin(change);
    let listening = Listening::new(&host, takes);
    let (speaker, words) = mpsc::channel(1);
    let mut driver = Driver::new(listening.parts(), logged, words, wait);
    let driving = async {
        if let Some(said) = said {
            driver.take(said).await.unwrap().unwrap();
        }
        driver.drive().await
    };
    let end = done(&host.world, driving, |world| each(world, &speaker, &listening)).unwrap();
    // What it tells when it is let go of belongs to it.
    drop(driver);
    (end, listening)
}

fn left(end: End) -> (String, String) {
    match end {
        End::Waiting { reason, remedy } => (reason, remedy),
        End::Queued(of) => panic!("it waits for {of}"),
        End::Finished(outcome) => panic!("it is over: {outcome}"),
    }
}

fn hold(reason: &str) -> Input {
    Input::Hold { by: APPROVERS[0].to_owned(), reason: reason.to_owned() }
}

/// Nobody visits: a step that is watched is held in the end, for want of evidence.
fn unvisited(plan: &mut Plan) {
    plan.max_extensions = 0;
}

fn nobody_comes(world: &mut World) {
    world.rate = 0;
}

#[test]
fn a_run_at_a_gate_is_left_to_those_who_may_answer_where_nobody_is_to_be_waited_for() {
    let (end, listening) = driven(|plan| plan.approval.required = true, false, None, |_| {});
    let (reason, remedy) = left(end);
    assert_eq!(reason, "production requires approval");
    assert_eq!(remedy, "let it go on with `autodevops approve r1 --question 1`");
    assert_eq!(listening.count(|told| *told == Told::Cleaned), 0, "it is not over");
    let (end, listening) = driven(|plan| plan.approval.required = true, true, None, |_| {});
    assert_eq!(end, End::Finished(Outcome::Aborted { reason: "nobody approved in time".into() }));
    assert_eq!(listening.count(|told| *told == Told::Cleaned), 1);
}

/// Sets the clock back by an hour, once that long has passed, in seconds.
fn set_back(after: f64) -> impl FnMut(&mut World) -> bool {
    let mut was_set = false;
    move |world| {
        let now = !was_set && world.now() as f64 / 1e9 > after;
        if now {
            world.jump(-3600);
        }
        was_set |= now;
        now
    }
}

#[test]
fn that_the_machines_clock_went_back_is_put_on_record_once() {
    let mut back = set_back(5.0);
    let (end, listening) = driven(|_| {}, true, None, |world| _ = back(world));
    assert_eq!(end, End::Finished(Outcome::Healed));
    assert_eq!(listening.count(|told| *told == Told::Event("clock-went-back")), 1, "{:?}", listening.told());
    assert_eq!(listening.count(|told| matches!(told, Told::Notice(_))), 0, "who watches has seen the event");
    let world = listening.host.world.lock();
    let reason = world.runs[0].events.iter().find_map(|event| match &event.event {
        EventKind::ClockWentBack { reason, .. } => Some(reason.clone()),
        _ => None,
    });
    let reason = reason.unwrap();
    assert!(reason.contains("clock is 3600 s behind") || reason.contains("clock is 3599 s behind"), "{reason}");
}

#[test]
fn a_release_that_fails_after_the_clock_went_back_is_seen_to_at_once() {
    let mut back = set_back(30.0);
    let (mut failing, mut turned) = (None, None);
    let (end, _) = driven(
        |plan| plan.steps.iter_mut().for_each(|step| step.duration = 600 * SECOND),
        true,
        None,
        |world| {
            let now = world.now() as f64 / 1e9;
            let step = |event: &Event| {
                matches!(event.event, EventKind::StepEntered { environment: Environment::Production, .. })
            };
            // The watch began before it.
            if world.runs[0].events.iter().any(step) && back(world) {
                failing = Some(now);
                world.runs[0].quality.failing = 1000;
            }
            let turns = |event: &Event| matches!(event.event, EventKind::TurnedBack { .. });
            if turned.is_none() && world.runs[0].events.iter().any(turns) {
                turned = Some(now);
            }
        },
    );
    assert!(matches!(end, End::Finished(Outcome::RolledBack { .. })), "{end:?}");
    let seconds = turned.unwrap() - failing.unwrap();
    assert!(seconds < 10.0, "after {seconds} s");
}

#[test]
fn a_run_that_someone_holds_is_left_to_them() {
    for (why, wanted) in [("lunch", "on hold by ada: lunch"), ("", "on hold by ada")] {
        let (end, _) = driven(|_| {}, false, Some(hold(why)), |_| {});
        assert_eq!(left(end), (wanted.to_owned(), "let it go on with `autodevops resume r1`".to_owned()));
    }
}

#[test]
fn as_long_as_a_candidate_has_a_part_of_the_traffic_its_host_stays() {
    let (end, _) = driven(unvisited, false, None, nobody_comes);
    assert!(matches!(end, End::Finished(Outcome::Aborted { .. })), "{end:?}");
    let whole = |plan: &mut Plan| {
        unvisited(plan);
        plan.steps = vec![Step { percent: 100, duration: 20 * SECOND }];
    };
    let (reason, remedy) = left(driven(whole, false, None, nobody_comes).0);
    assert!(
        reason.starts_with("production at 100 %: ") && remedy.contains("autodevops approve r1"),
        "{reason}: {remedy}"
    );
}

#[test]
fn everything_that_happens_is_told_in_its_order_with_each_stage_that_ends() {
    let (end, listening) = driven(|_| {}, true, None, |_| {});
    assert_eq!(end, End::Finished(Outcome::Healed));
    let told = listening.told();
    assert_eq!((&told[0], &told[1]), (&Told::TakenOver, &Told::Doing("r1/propose".into())));
    let events: Vec<&'static str> =
        listening.host.world.lock().runs[0].events.iter().skip(1).map(|event| event.event.name()).collect();
    let heard = |told: &Told| match told {
        Told::Event(name) => Some(*name),
        _ => None,
    };
    assert_eq!(told.iter().filter_map(heard).collect::<Vec<_>>(), events);
    let ended = |told: &Told| match told {
        Told::Recorded { ended, .. } => *ended,
        _ => None,
    };
    let stages = ["fix", "code-review", "test-generation", "checks", "commit", "build", "staging-deploy"];
    assert_eq!(told.iter().filter_map(ended).take(2).collect::<Vec<_>>(), stages[..2]);
    assert!(told.iter().filter_map(ended).any(|stage| stage == "rollout"));
    let versions: Vec<u64> = told
        .iter()
        .filter_map(|told| match told {
            Told::Recorded { version, .. } => Some(*version),
            _ => None,
        })
        .collect();
    let last = events.len() as u64 + 1;
    assert!(versions.is_sorted() && versions.last() == Some(&last), "{versions:?}");
    assert_eq!(told[told.len() - 2..], [Told::Cleaned, Told::LetGo { version: last }]);
}

#[test]
fn a_host_that_takes_a_run_over_has_a_fence_above_all_before() {
    let (host, logged) = begin(|_| {});
    let before = logged.run.fence();
    let (_speaker, words) = mpsc::channel(1);
    let mut driver = Driver::new(host.parts(), logged, words, true);
    done(&host.world, driver.take_over(), |_| {}).unwrap();
    let world = host.world.lock();
    assert!(world.fences > before);
    assert_eq!(driver.run().fence(), world.fences);
    let last = &world.runs[0].events.last().unwrap().event;
    assert!(matches!(last, EventKind::Resumed { fence } if *fence == world.fences), "{last:?}");
}

#[test]
fn a_run_that_is_over_is_not_taken_over() {
    let (host, logged) = begin(|_| {});
    let (_speaker, words) = mpsc::channel(1);
    let mut driver = Driver::new(host.parts(), logged, words, true);
    let end = done(&host.world, driver.drive(), |_| {}).unwrap();
    let over = driver.run().clone();
    assert_eq!(end, End::Finished(over.outcome().unwrap().clone()));
    let record = || {
        let world = host.world.lock();
        (world.fences, world.runs[0].events.clone())
    };
    let (fences, events) = record();
    let listening = Listening::new(&host, QUICK);
    let version = events.len() as u64;
    let logged = autodevops_driver::log::Logged { run: over, version, events: events.clone() };
    let (_speaker, words) = mpsc::channel(1);
    let mut next = Driver::new(listening.parts(), logged, words, true);
    done(&host.world, next.take_over(), |_| {}).unwrap();
    assert_eq!(done(&host.world, next.drive(), |_| {}).unwrap(), end);
    assert_eq!(record(), (fences, events));
    assert_eq!(listening.told(), [Told::Cleaned]);
}

#[test]
fn leases_are_renewed_and_counts_glanced_at_as_often_as_they_must_and_not_more() {
    let slow = |plan: &mut Plan| {
        plan.steps.iter_mut().for_each(|step| step.duration = 200 * SECOND);
        plan.interval = 60 * SECOND;
    };
    let (_, listening) = driven(slow, true, None, |_| {});
    let events = listening.host.world.lock().runs[0].events.clone();
    let at = |wanted: &dyn Fn(&EventKind) -> bool| {
        let found = events.iter().find(|event| wanted(&event.event)).unwrap();
        (found.at.0 - events[0].at.0) as f64 / 1e9
    };
    let entered = |percent: u8| {
        at(
            &|event| matches!(event, EventKind::StepEntered { environment: Environment::Production, percent: of, .. } if *of == percent),
        )
    };
    let (begin, end) = (entered(5), entered(100));
    for (times, least, most) in [(&listening.renewed, 5.0, 15.0), (&listening.glanced, 2.0, 3.0)] {
        let times: Vec<f64> = times.lock().unwrap().iter().copied().filter(|at| *at > begin && *at < end).collect();
        let gaps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps.len() as f64 >= (end - begin) / most - 2.0, "{} in {} s", gaps.len(), end - begin);
        assert!(gaps.iter().all(|gap| *gap <= most + 0.1), "{gaps:?}");
        assert!(gaps.len() as f64 <= (end - begin) / least, "{} in {} s", gaps.len(), end - begin);
    }
    assert!(listening.glanced.lock().unwrap().iter().all(|at| *at >= begin), "staging is not glanced at");
    // Nothing but a measurement has them renewed before their time.
    let told = listening.told();
    let next = |index: usize| told[index..].iter().find(|told| matches!(told, Told::Doing(_) | Told::Renews));
    let renewals = told.iter().enumerate().filter(|(_, told)| **told == Told::Renews).map(|(index, _)| next(index + 1));
    let times = listening.renewed.lock().unwrap().clone();
    for (pair, next) in times.windows(2).zip(renewals.skip(1)) {
        let measures = next == Some(&Told::Doing(String::new()));
        assert!(pair[1] - pair[0] >= 15.0 - 0.001 || measures, "at {} s and {} s: {next:?}", pair[0], pair[1]);
    }
}

#[test]
fn where_another_writes_to_the_run_a_driver_stops_and_says_how_it_knows() {
    let (host, logged) = begin(|_| {});
    let (_speaker, words) = mpsc::channel(1);
    let mut driver = Driver::new(host.parts(), logged, words, true);
    let intrudes = |world: &mut World| {
        if world.runs[0].events.len() == 1 {
            let event = world.runs[0].events[0].clone();
            world.runs[0].events.extend([event.clone(), event]);
        }
    };
    let error = done(&host.world, driver.drive(), intrudes).unwrap_err();
    let wanted = TwoHosts { run: "r1".into(), expected: 1, actual: 3 };
    assert_eq!(error.downcast_ref(), Some(&wanted), "{error:#}");
    assert_eq!(
        (driver.run().stage(), host.world.lock().runs[0].events.len()),
        (RunStage::Fix, 3),
        "nothing more is changed"
    );
}

#[test]
fn a_run_whose_services_are_another_runs_is_left_until_that_is_over() {
    let two = |plan: &mut Plan| {
        let service = |name: &str| Service {
            name: name.into(),
            paths: vec![name.into()],
            staging: format!("staging-{name}"),
            production: format!("production-{name}"),
        };
        plan.services = ["cart", "shop"].map(service).into();
    };
    let (host, logged) = begin(two);
    let listening = Listening::new(&host, QUICK);
    let (_speaker, words) = mpsc::channel(1);
    let mut driver = Driver::new(listening.parts(), logged, words, false);
    let of = Awaited { run: "r0".into(), services: vec!["cart".into()] };
    let queued = async {
        let fix = stock::fix(&["cart".into()]);
        driver.take(Input::Proposed { plugin: "recipes".into(), fix }).await.unwrap().unwrap();
        let taken = Input::ServicesTaken { key: "r1/claim/1".into(), of: of.clone() };
        driver.take(taken).await.unwrap().unwrap();
        driver.drive().await
    };
    assert_eq!(done(&host.world, queued, |_| {}).unwrap(), End::Queued(of));
    assert_eq!(listening.count(|told| matches!(told, Told::Doing(_))), 0, "it is not asked again");
    // The next host does: meanwhile that may be over.
    done(&host.world, driver.take_over(), |_| {}).unwrap();
    assert_eq!(driver.run().awaited(), None);
    assert!(matches!(driver.run().commands(Timestamp(i64::MAX))[0], Command::Claim { .. }));
}
