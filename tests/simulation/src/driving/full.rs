//! What a driver does while the disk is full: it waits for room, and goes on watching what serves.

use super::*;

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn a_clock_that_went_back_while_the_disk_is_full_is_told_and_keeps_nothing_from_going_on() {
    let mut back = set_back(100.0);
    let fills = |world: &mut World| {
        if back(world) {
            world.fill(60 * SECOND);
        }
    };
    let slow = |plan: &mut Plan| plan.steps.iter_mut().for_each(|step| step.duration = 200 * SECOND);
    let (end, listening) = driven(slow, true, None, fills);
    assert_eq!(end, End::Finished(Outcome::Healed));
    let says = |told: &Told| matches!(told, Told::Notice(text) if text.contains("clock went back by"));
    assert_eq!(listening.count(says), 1, "{:?}", listening.told());
    assert_eq!(listening.count(|told| *told == Told::Event("clock-went-back")), 0);
}

#[test]
fn a_full_disk_is_told_once_each_time_and_waited_for() {
    let mut full = [100.0, 400.0].into_iter().peekable();
    let fills = |world: &mut World| {
        if full.next_if(|at| world.now() as f64 / 1e9 >= *at).is_some() {
            world.fill(60 * SECOND);
        }
    };
    let slow = |plan: &mut Plan| plan.steps.iter_mut().for_each(|step| step.duration = 200 * SECOND);
    let (end, listening) = driven(slow, true, None, fills);
    assert_eq!(end, End::Finished(Outcome::Healed));
    let notices: Vec<Told> = listening.told().into_iter().filter(|told| matches!(told, Told::Notice(_))).collect();
    assert_eq!(notices.len(), 2, "{notices:?}");
    assert!(matches!(&notices[0], Told::Notice(text) if text.ends_with("; the run waits")), "{notices:?}");
}

/// Whether such an event was written.
fn has(world: &World, wanted: impl Fn(&EventKind) -> bool) -> bool {
    world.runs[0].events.iter().any(|event| wanted(&event.event))
}

/// It has all of production's traffic.
fn has_all(event: &EventKind) -> bool {
    matches!(event, EventKind::StepEntered { environment: Environment::Production, percent: 100, .. })
}

/// How long it takes until production went back of a run whose disk is full for good once `from` was written, and after it `wanted`, and whose
/// release fails a minute later, in seconds; and how it ended.
fn goes_back_within(
    change: impl FnOnce(&mut Plan),
    from: impl Fn(&EventKind) -> bool,
    wanted: impl Fn(&EventKind) -> bool,
    jumps: bool,
) -> (f64, End) {
    let (mut jumped, mut full, mut failing, mut back) = (!jumps, None, None, None);
    let (end, listening) = driven(
        |plan| {
            plan.monitoring = HOUR;
            change(plan);
        },
        true,
        None,
        |world| {
            let now = world.now() as f64 / 1e9;
            if !has(world, &from) {
                return;
            }
            if !std::mem::replace(&mut jumped, true) {
                world.jump(-3600);
            }
            if full.is_none() && has(world, &wanted) {
                world.fill(24 * HOUR);
                full = Some(now);
            }
            if failing.is_none() && full.is_some_and(|full| now >= full + 60.0) {
                world.runs[0].quality.failing = 1000;
                failing = Some(now);
            }
            if back.is_none()
                && has(world, |event| {
                    matches!(event, EventKind::RolledBack { environment: Environment::Production, .. })
                })
            {
                back = Some(now);
            }
        },
    );
    assert!(listening.host.world.lock().is_full(), "there never was room");
    (back.unwrap() - failing.unwrap(), end)
}

#[test]
fn a_release_that_fails_with_all_of_the_traffic_while_the_disk_is_full_goes_back_by_the_reserve() {
    let (seconds, end) = goes_back_within(|_| {}, has_all, has_all, false);
    assert!(matches!(end, End::Finished(Outcome::RolledBack { .. })) && seconds < 20.0, "{end:?} after {seconds} s");
}

#[test]
fn while_what_came_of_an_effect_waits_for_room_what_the_host_counts_is_glanced_at() {
    let chat = |plan: &mut Plan| plan.notifiers = vec!["chat".into()];
    // People are told that the clock went back, and that they were cannot be written.
    let tells = |event: &EventKind| matches!(event, EventKind::EffectIntended { key, .. } if key.contains("/notify/"));
    let (seconds, end) = goes_back_within(chat, has_all, tells, true);
    assert!(matches!(end, End::Finished(Outcome::RolledBack { .. })) && seconds < 20.0, "{end:?} after {seconds} s");
}

#[test]
fn what_came_of_the_first_move_has_the_reserve_so_that_what_serves_is_watched() {
    let moves = |event: &EventKind| matches!(event, EventKind::EffectIntended { key, .. } if key.contains("/traffic/production/"));
    let (seconds, end) = goes_back_within(|_| {}, moves, moves, false);
    assert!(matches!(end, End::Finished(Outcome::RolledBack { .. })) && seconds < 20.0, "{end:?} after {seconds} s");
}
