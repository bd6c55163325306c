//! What comes from outside while a host waits: to the machine, to the targets, and by people's words.

use autodevops_driver::driver::Word;
use autodevops_pipeline::{Counted, Environment, Event, EventKind, Input, Signal};
use tokio::sync::{mpsc, oneshot};

use super::{Driving, Hosts, Process};
use crate::{
    stock::{APPROVERS, NEW, OLD, SECOND},
    world::World,
};

/// What may come from outside.
#[derive(Clone, Copy)]
enum Comes {
    Jump,
    Full,
    Seized,
    Dies,
    Sleeps,
    Wakes,
    Spoken,
    Signalled,
    Lie,
    Crash,
    Stop,
}

/// How often in a thousand turns.
const COMES: [(u16, Comes); 11] = [
    (10, Comes::Jump),
    (8, Comes::Full),
    (4, Comes::Seized),
    (10, Comes::Dies),
    (60, Comes::Sleeps),
    (80, Comes::Wakes),
    (60, Comes::Spoken),
    (30, Comes::Signalled),
    (20, Comes::Lie),
    (10, Comes::Crash),
    (10, Comes::Stop),
];

impl Hosts {
    /// What comes from outside while a host waits.
    pub(super) fn happens(&mut self, process: Process) {
        let mut world = self.world.lock();
        let comes = world.tape.event(&COMES);
        let rests = self.asleep.is_none() && self.woken.is_none() && world.runs.iter().all(|run| run.seized.is_none());
        let (alone, decided) = (self.is_alone(&world), world.runs[0].is_decided());
        let calm = world.tape.is_over() && !world.faults.silent;
        let on_hold: Vec<bool> = world.runs.iter().map(|run| calm && on_hold(&run.events)).collect();
        let again: Vec<(usize, Vec<Input>)> =
            process.drives.iter().map(|of| (of.run, due(&mut world, of.run))).collect();
        match comes {
            Some(Comes::Jump) => {
                let seconds = world.tape.one(&[5, -5, 3600, -3600, -90, 86_400]);
                world.jump(seconds);
                // A host looks at its clock all the time.
                process.steady.read(world.wall(), world.monotonic());
            }
            Some(Comes::Full) => {
                let span = world.tape.one(&[5, 60, 300]) * SECOND;
                world.fill(span);
            }
            // What is put there between a host's look and its move, it cannot see: targets have no such call.
            Some(Comes::Seized) if alone && !decided && !is_moving(&world.runs[0].events) => world.seize(),
            Some(Comes::Lie) => world.lie(),
            Some(Comes::Crash) => world.crash(),
            Some(Comes::Stop) => world.stop(),
            _ => {}
        }
        drop(world);
        for (driving, (_, inputs)) in process.drives.iter().zip(again) {
            inputs.into_iter().for_each(|input| say(&driving.words, input));
        }
        match comes {
            Some(Comes::Spoken) => self.speak(&process),
            Some(Comes::Signalled) => self.signal(&process),
            Some(Comes::Wakes) if self.asleep.is_some() => self.wake(),
            _ => {}
        }
        for driving in process.drives.iter().filter(|driving| on_hold[driving.run]) {
            // Only a person ends what a person holds; whoever held it comes back.
            say(&driving.words, Input::EndHold { by: APPROVERS[0].to_owned(), reason: "back again".to_owned() });
        }
        let number = process.number;
        match comes {
            Some(Comes::Dies) => self.world.lock().tell(|| format!("host {number} dies")),
            Some(Comes::Sleeps) if rests => {
                let mut world = self.world.lock();
                world.asleep = Some(number);
                world.tell(|| format!("host {number} falls asleep"));
                self.asleep = Some(process);
            }
            _ => self.awake = Some(process),
        }
    }

    /// A person says something, whether it makes sense or not.
    pub(super) fn speak(&self, process: &Process) {
        let mut world = self.world.lock();
        let Some(Driving { words, run, .. }) = to_one(&mut world, process) else { return };
        let of = world.runs[*run].name.clone();
        let by = world.tape.one(&[APPROVERS[0], APPROVERS[1], "mallory"]).to_owned();
        let reason = "because".to_owned();
        let link = None;
        let input = match world.tape.one(&[0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 6, 7, 8, 9, 10]) {
            0 => Input::Approve { by, reason, bypass: false, link },
            1 => Input::Reject { by, reason, link },
            2 => Input::Abort { by, reason },
            3 => Input::Rollback { by, reason },
            4 => Input::Approve { by, reason, bypass: true, link },
            5 => Input::Hold { by, reason },
            6 => Input::EndHold { by, reason },
            7 => Input::Skip { by, reason },
            10 => Input::RollForward { by, reason },
            8 => Input::Extend { by, reason, span: None },
            _ => Input::Acknowledge { by, reason, link },
        };
        if !world.faults.silent {
            world.tell(|| format!("someone says of {of}: {input:?}"));
            say(words, input);
        }
    }

    /// Someone who uses the service complains, or the logs show an error; of this release or of another, as far as they know.
    fn signal(&self, process: &Process) {
        let mut world = self.world.lock();
        let Some(Driving { words, .. }) = to_one(&mut world, process) else { return };
        world.signals += 1;
        let number = world.signals;
        let id = world.tape.one(&[number, number, 1]).to_string();
        let counted = world.tape.one(&[Counted::Complaints, Counted::Complaints, Counted::CriticalErrors]);
        let by = world.tape.one(&[None, Some("eve"), Some("trent"), Some("eve")]).map(str::to_owned);
        let release = world.tape.one(&[None, None, Some(NEW), Some(OLD)]).map(str::to_owned);
        let service = world.tape.one(&[None, None, Some("shop"), Some("till")]).map(str::to_owned);
        let (at, text) = (world.wall(), "the cart is empty".to_owned());
        let input = Input::Signal(Signal { counted, id, by, service, release, at, text });
        world.tell(|| format!("{input:?}"));
        say(words, input);
    }
}

/// The run that something is said to.
fn to_one<'a>(world: &mut World, process: &'a Process) -> Option<&'a Driving> {
    match process.drives.as_slice() {
        [only] => Some(only),
        several => several.get(world.tape.one(&[0, 1])),
    }
}

/// The answers to a run that come a second time now.
fn due(world: &mut World, run: usize) -> Vec<Input> {
    let (now, run) = (world.now(), &mut world.runs[run]);
    let (due, later) = std::mem::take(&mut run.again).into_iter().partition(|(at, _)| *at <= now);
    run.again = later;
    let due: Vec<Input> = due.into_iter().map(|(_, input): (i64, Input)| input).collect();
    for input in &due {
        world.happened.insert("an answer came twice");
        world.tell(|| {
            let text = format!("{input:?}");
            format!("once more comes {}", &text[..text.floor_char_boundary(120)])
        });
    }
    due
}

/// Says it to the host; whoever speaks goes away at once.
fn say(words: &mpsc::Sender<Word>, input: Input) {
    let (answer, _) = oneshot::channel();
    drop(words.try_send(Word { input, answer }));
}

/// Whether a move of production is under way.
fn is_moving(events: &[Event]) -> bool {
    let last = events.iter().rev().find_map(|event| match &event.event {
        EventKind::EffectIntended { environment: Some(Environment::Production), splits, .. } => {
            Some(!splits.is_empty())
        }
        EventKind::TrafficSet { environment: Environment::Production, .. } | EventKind::EffectFailed { .. } => {
            Some(false)
        }
        _ => None,
    });
    last == Some(true)
}

/// Whether a person holds the run.
fn on_hold(events: &[Event]) -> bool {
    let last = events.iter().rev().find_map(|event| match event.event {
        EventKind::HoldRequested { .. } => Some(true),
        EventKind::ResumeRequested { .. } => Some(false),
        _ => None,
    });
    last == Some(true)
}
