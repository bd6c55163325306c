//! What a driver does while the world takes its time, or the disk is full.

use std::cell::RefCell;

use autodevops_driver::{log::Logged, parts::Ledger};
use autodevops_journal::AppendError;
use autodevops_model::Split;
use autodevops_pipeline::Refused;
use tokio::sync::oneshot::{self, error::TryRecvError};

use super::*;
use crate::target::Lie;

const MINUTE: Duration = Duration::from_secs(60);

/// Where traffic or people take two minutes.
const MOVES: Takes = Takes {
    effect: |command| match command {
        Command::SetTraffic { .. } | Command::Notify { .. } => Duration::from_secs(120),
        _ => Duration::ZERO,
    },
    ..QUICK
};

/// Steps of an hour, each measured at its end alone.
fn patient(plan: &mut Plan) {
    plan.steps.iter_mut().for_each(|step| step.duration = 60 * MINUTE);
    plan.interval = 60 * MINUTE;
}

/// Drives a run in a world that takes so long, until it ends.
fn seen_through(takes: Takes, each: impl FnMut(&mut World, &mpsc::Sender<Word>, &Listening)) -> (End, Arc<Listening>) {
    seen_through_by(takes, |_| {}, each)
}

/// The same, by a plan that is changed so.
fn seen_through_by(
    takes: Takes,
    change: impl FnOnce(&mut Plan),
    each: impl FnMut(&mut World, &mpsc::Sender<Word>, &Listening),
) -> (End, Arc<Listening>) {
    driven_in(takes, change, true, None, each)
}

fn abort() -> Input {
    Input::Abort { by: APPROVERS[0].to_owned(), reason: "enough".to_owned() }
}

/// Where an answer comes.
type Waiting = oneshot::Receiver<Result<Box<Run>, Refused>>;

/// Somebody who speaks once, and waits for the answer.
#[derive(Default)]
struct Speaker {
    /// When they spoke.
    said: RefCell<Option<(i64, Waiting)>>,
}

impl Speaker {
    /// Says it, where nothing was said yet.
    fn once(&self, world: &World, words: &mpsc::Sender<Word>, input: Input) {
        let mut said = self.said.borrow_mut();
        if said.is_none() {
            let (answer, waiting) = oneshot::channel();
            words.try_send(Word { input, answer }).unwrap();
            *said = Some((world.now(), waiting));
        }
    }

    fn has_spoken(&self) -> bool {
        self.said.borrow().is_some()
    }

    /// Whether there is an answer by now, which is not taken away.
    fn is_answered(&self) -> bool {
        let said = self.said.borrow();
        said.as_ref().is_some_and(|(_, waiting)| !waiting.is_empty())
    }

    /// When it was said, and the answer.
    fn answer(self) -> (i64, Box<Run>) {
        let (at, mut waiting) = self.said.into_inner().expect("it was said");
        (at, waiting.try_recv().unwrap_or_else(|error: TryRecvError| panic!("{error}")).unwrap())
    }
}

/// Seconds from that moment of the world to the first such event.
fn after(listening: &Listening, since: i64, wanted: impl Fn(&EventKind) -> bool) -> f64 {
    let world = listening.host.world.lock();
    let begin = world.runs[0].events[0].at.0;
    let found = world.runs[0].events.iter().find(|event| event.at.0 - begin >= since && wanted(&event.event)).unwrap();
    (found.at.0 - begin - since) as f64 / 1e9
}

fn is_back(event: &EventKind) -> bool {
    matches!(event, EventKind::RolledBack { environment: Environment::Production, .. })
}

fn is_step(event: &EventKind) -> bool {
    matches!(event, EventKind::StepEntered { environment: Environment::Production, .. })
}

fn at_step(world: &World) -> bool {
    world.runs[0].events.iter().any(|event| is_step(&event.event))
}

/// Whether the second step's traffic is moved, or was.
fn moves_on(world: &World) -> bool {
    let moves = |event: &Event| match &event.event {
        EventKind::EffectIntended { key, .. } => key == "r1/traffic/production/25",
        _ => false,
    };
    world.runs[0].events.iter().any(moves)
}

fn was_aborted(end: &End) -> bool {
    matches!(end, End::Finished(Outcome::Aborted { .. }))
}

/// That each effect was asked for once.
fn asked_once(listening: &Listening) {
    let asked = listening.asked.lock().unwrap().clone();
    let mut each = asked.clone();
    each.sort();
    each.dedup();
    assert_eq!(asked.len(), each.len(), "{asked:?}");
}

#[test]
fn an_effect_is_seen_to_its_end_however_long_it_takes_and_leases_are_renewed_meanwhile() {
    let speaker = Speaker::default();
    let (end, listening) = seen_through_by(MOVES, patient, |world, words, _| {
        // While the second step's traffic is moved.
        if moves_on(world) {
            speaker.once(world, words, abort());
        }
    });
    assert!(was_aborted(&end), "{end:?}");
    asked_once(&listening);
    let asked = listening.asked.lock().unwrap().clone();
    assert_eq!(asked[asked.len() - 3..], ["r1/traffic/production/25", "r1/rollback/production", "r1/rollback/staging"]);
    let (at, _) = speaker.answer();
    let back = after(&listening, at, is_back);
    assert!((120.0..=250.0).contains(&back), "{back} s: what is under way is seen to its end, then it goes back");
    let from = at as f64 / 1e9;
    let times: Vec<f64> =
        listening.renewed.lock().unwrap().iter().copied().filter(|at| *at >= from && *at <= from + back).collect();
    assert!(times.len() >= 8 && times.windows(2).all(|pair| pair[1] - pair[0] <= 15.1), "{times:?}");
}

#[test]
fn what_serves_is_glanced_at_while_the_next_steps_traffic_is_on_its_way() {
    let mut failing = None;
    let (end, listening) = seen_through(MOVES, |world, _, _| {
        if failing.is_none() && moves_on(world) {
            world.runs[0].quality.failing = 1000;
            failing = Some(world.now());
        }
    });
    assert!(matches!(end, End::Finished(Outcome::RolledBack { .. })), "{end:?}");
    let decided = after(&listening, failing.unwrap(), |event| matches!(event, EventKind::TurnedBack { .. }));
    assert!(decided < 60.0, "{decided} s: it is not waited for what moves the traffic");
}

#[test]
fn people_are_told_to_the_end_unless_production_must_go_back() {
    let held = |plan: &mut Plan| {
        unvisited(plan);
        plan.notifiers = vec!["chat".into()];
        plan.approval.timeout = 30 * MINUTE;
    };
    let (end, listening) = seen_through_by(MOVES, held, |world, _, _| nobody_comes(world));
    assert!(was_aborted(&end), "{end:?}");
    asked_once(&listening);

    let speaker = Speaker::default();
    let (_, listening) = seen_through_by(MOVES, held, |world, words, listening| {
        nobody_comes(world);
        let asked = listening.asked.lock().unwrap().clone();
        if asked.last().is_some_and(|key| key == "r1/notify/1/chat") {
            speaker.once(world, words, abort());
        }
    });
    let (at, _) = speaker.answer();
    let begun =
        |event: &EventKind| matches!(event, EventKind::EffectIntended { key, .. } if key == "r1/rollback/production");
    assert!(after(&listening, at, begun) < 1.0, "clients wait");
    let asked = listening.asked.lock().unwrap().clone();
    assert_eq!(
        asked.iter().filter(|key| *key == "r1/notify/1/chat").count(),
        2,
        "it is told again afterwards: {asked:?}"
    );
}

#[test]
fn people_are_told_while_going_back_rests_however_long_a_notifier_takes() {
    let slow = Takes {
        effect: |command| match command {
            Command::Notify { .. } => 2 * MINUTE,
            _ => Duration::ZERO,
        },
        ..QUICK
    };
    let chats = |plan: &mut Plan| plan.notifiers = vec!["chat".into()];
    let is_told = |event: &EventKind| matches!(event, EventKind::EffectDone { key } if key.contains("/notify/"));
    let speaker = Speaker::default();
    let (end, listening) = seen_through_by(slow, chats, |world, words, _| {
        let now = world.now();
        if at_step(world) && !speaker.has_spoken() {
            let split = |release: &str, percent| Split { release: release.into(), percent };
            let lie = Lie::Tells(vec![split("old", 60), split("new", 40)]);
            world.target("", Environment::Production).lies(lie, i64::MAX);
            speaker.once(world, words, abort());
        } else if world.runs[0].events.iter().any(|event| is_told(&event.event)) {
            world.target("", Environment::Production).mend("old", now);
        }
    });
    assert!(was_aborted(&end), "{end:?}");
    let (at, _) = speaker.answer();
    let heard = after(&listening, at, is_told);
    assert!((120.0..900.0).contains(&heard), "{heard} s: in one of the pauses, which become longer");
}

#[test]
fn what_is_said_while_a_lease_is_renewed_is_acted_on_at_once() {
    let takes = Takes { renewal: Duration::from_secs(5), ..QUICK };
    let speaker = Speaker::default();
    let (_, listening) = seen_through_by(takes, patient, |world, words, listening| {
        if at_step(world) && listening.renews.load(Ordering::Relaxed) {
            speaker.once(world, words, abort());
        }
    });
    let (at, _) = speaker.answer();
    let back = after(&listening, at, is_back);
    assert!(back < 10.0, "{back} s");
}

#[test]
fn who_ends_a_run_on_a_full_disk_is_heard_and_traffic_goes_back() {
    let speaker = Speaker::default();
    let (end, listening) = seen_through(QUICK, |world, words, _| {
        if at_step(world) && !world.is_full() && !speaker.has_spoken() {
            world.fill(60 * MINUTE);
        } else if world.is_full() && world.now() > 60_000_000_000 {
            speaker.once(world, words, abort());
        }
    });
    assert!(was_aborted(&end), "{end:?}");
    let (at, run) = speaker.answer();
    assert!(run.ending().is_some(), "the answer is the run as it is by that word");
    assert!(after(&listening, at, is_back) < 60.0, "it is not waited for room");
}

#[test]
fn on_a_full_disk_too_whoever_wants_back_to_a_broken_release_is_told_so_and_says_it_again() {
    let (first, second) = (Speaker::default(), Speaker::default());
    let mut filled = false;
    let (end, listening) = seen_through(QUICK, |world, words, _| {
        world.faults.stable = 900;
        let measured = |event: &Event| matches!(event.event, EventKind::Measured { .. });
        let events = &world.runs[0].events;
        if filled {
            first.once(world, words, abort());
        } else if events.iter().skip_while(|event| !is_step(&event.event)).any(measured) {
            world.fill(60 * MINUTE);
            filled = true;
        }
        if first.is_answered() && !second.has_spoken() {
            assert!(world.is_full(), "it is not waited for room");
            second.once(world, words, abort());
        }
    });
    assert!(was_aborted(&end), "{end:?}");
    let (_, run) = first.answer();
    assert!(run.ending().is_none() && run.stable_broken().is_some(), "it is asked first");
    let (at, run) = second.answer();
    assert!(run.ending().is_some());
    assert!(after(&listening, at, is_back) < 60.0, "it is not waited for room");
}

#[test]
fn what_else_is_said_on_a_full_disk_is_answered_once_there_is_room() {
    let speaker = Speaker::default();
    let mut filled = None;
    let (end, _) = seen_through(QUICK, |world, words, listening| {
        let asks = listening.told.lock().unwrap().iter().any(|told| matches!(told, Told::Notice(_)));
        match filled {
            None if at_step(world) => {
                world.fill(MINUTE);
                filled = Some(world.now());
            }
            Some(_) if asks && world.is_full() => {
                let (by, reason) = (APPROVERS[0].to_owned(), "look".to_owned());
                speaker.once(world, words, Input::Extend { by, reason, span: Some(MINUTE) });
                assert!(!speaker.is_answered(), "it is not on record");
            }
            _ => {}
        }
    });
    assert_eq!(end, End::Finished(Outcome::Healed));
    let (_, run) = speaker.answer();
    assert!(run.ending().is_none());
}

#[test]
fn what_nobody_wants_any_more_is_dropped_where_it_changes_nothing_outside() {
    // By a person's word, and by what comes round.
    for takes in [
        Takes {
            work: |command| if matches!(command, Command::Propose { .. }) { 60 * MINUTE } else { Duration::ZERO },
            ..QUICK
        },
        Takes {
            work: |command| if matches!(command, Command::Measure { .. }) { 60 * MINUTE } else { Duration::ZERO },
            ..QUICK
        },
    ] {
        let speaker = Speaker::default();
        let (end, listening) = seen_through(takes, |world, words, _| {
            if world.now() > 20_000_000_000 {
                speaker.once(world, words, abort());
            }
        });
        assert!(was_aborted(&end), "{end:?}");
        let (at, _) = speaker.answer();
        let over = after(&listening, at, |event| matches!(event, EventKind::Finished { .. }));
        assert!(over < 30.0, "{over} s");
    }
    let takes = Takes {
        work: |command| match command {
            Command::Measure { environment: Environment::Production, .. } => 60 * MINUTE,
            _ => Duration::ZERO,
        },
        ..QUICK
    };
    let (_, listening) = seen_through(takes, |world, _, _| {
        if at_step(world) {
            world.runs[0].quality.failing = 1000;
        }
    });
    let (begin, back) = (after(&listening, 0, is_step), after(&listening, 0, is_back));
    assert!(back - begin < 60.0, "a glance turned it back after {} s", back - begin);
}

#[test]
fn what_came_of_an_effect_is_not_given_up_for_a_word_that_ends_nothing() {
    let (holds, goes_on) = (Speaker::default(), Speaker::default());
    let mut filled = false;
    let by = || (APPROVERS[0].to_owned(), "look".to_owned());
    let (end, listening) = seen_through(QUICK, |world, words, listening| {
        if !filled && moves_on(world) {
            world.fill(MINUTE);
            filled = true;
        } else if listening.count(|told| matches!(told, Told::Notice(_))) > 0 && !holds.has_spoken() {
            // There is room again, and they speak before the driver looks.
            world.fill(Duration::ZERO);
            let (by, reason) = by();
            holds.once(world, words, Input::Hold { by, reason });
        } else if holds.is_answered() {
            let (by, reason) = by();
            goes_on.once(world, words, Input::EndHold { by, reason });
        }
    });
    assert_eq!(end, End::Finished(Outcome::Healed));
    assert!(holds.answer().1.on_hold().is_some() && goes_on.answer().1.on_hold().is_none());
    asked_once(&listening);
}

/// A journal whose disk is full as soon as an effect is to be intended.
struct Filling(Host);

impl Ledger for Filling {
    fn append(&self, run: &Run, version: u64, events: &[Event]) -> Result<u64, AppendError> {
        if events.iter().any(|event| matches!(event.event, EventKind::EffectIntended { .. })) {
            self.0.world.lock().fill(60 * MINUTE);
        }
        self.0.append(run, version, events)
    }

    fn next_fence(&self) -> anyhow::Result<u64> {
        self.0.next_fence()
    }
}

#[test]
fn an_effect_whose_intent_cannot_be_written_is_not_asked_for() {
    let (host, logged) = begin(|_| {});
    let listening = Listening::new(&host, QUICK);
    let parts = Parts { ledger: Arc::new(Filling(host.clone())), ..listening.parts() };
    let (words, heard) = mpsc::channel(1);
    let mut driver = Driver::new(parts, logged, heard, true);
    let speaker = Speaker::default();
    let ends = |world: &mut World| {
        if world.is_full() {
            speaker.once(world, &words, abort());
        }
    };
    let end = done(&host.world, driver.drive(), ends).unwrap();
    assert!(was_aborted(&end), "{end:?}");
    assert_eq!(*listening.asked.lock().unwrap(), [""; 0], "whoever ends the run is heard, and the run has other plans");
}

#[test]
fn who_takes_over_on_a_full_disk_has_a_fence_of_its_own_though_someone_ends_the_run_meanwhile() {
    let (_, listening) = driven(|_| {}, true, None, |_| {});
    let host = &listening.host;
    let logged = {
        let mut world = host.world.lock();
        let at = world.runs[0].events.iter().position(|event| is_step(&event.event)).unwrap() + 1;
        world.runs[0].events.truncate(at);
        world.fill(60 * MINUTE);
        let events = world.runs[0].events.clone();
        Logged { run: Run::replay(&events).unwrap(), version: at as u64, events }
    };
    let before = logged.run.fence();
    let (words, heard) = mpsc::channel(1);
    let mut driver = Driver::new(host.parts(), logged, heard, true);
    let speaker = Speaker::default();
    done(&host.world, driver.take_over(), |world| speaker.once(world, &words, abort())).unwrap();
    assert!(driver.run().ending().is_some(), "they are heard");
    assert!(driver.run().fence() > before, "the host before may only sleep, and wake");
}
