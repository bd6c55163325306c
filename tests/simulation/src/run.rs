//! A whole run, from its start to its end, over as many hosts as it takes.

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use anyhow::Result;
use autodevops_driver::{
    driver::{Driver, End, TwoHosts, Word},
    log::Logged,
};
use autodevops_pipeline::{Environment, Event, EventKind, Gate, Input, Outcome, Run};
use tokio::sync::{mpsc, oneshot};

use crate::{
    host::{self, Host},
    stock::{APPROVERS, SECOND, capabilities, issue},
    tape::Tape,
    world::{Options, Shared},
};

/// Turns after which a run that goes nowhere is stuck: every one lets time pass, or a host die.
const MOST_TURNS: usize = 20_000;

/// What a world came to.
#[derive(Clone, Debug)]
pub struct Summary {
    /// How the run ended.
    pub outcome: Outcome,
    /// Hosts that it took.
    pub hosts: u64,
    /// The run's journal.
    pub events: Vec<Event>,
    /// What happened, where it was to be told.
    pub story: Vec<String>,
}

/// A rule that was broken.
#[derive(Clone, Debug)]
pub struct BrokenRule {
    /// The rule.
    pub rule: String,
    /// What happened until then, where it was to be told.
    pub story: Vec<String>,
}

/// An event in a line.
pub fn words(event: &Event) -> String {
    let mut text = format!("{:?}", event.event);
    if text.len() > 200 {
        text.truncate(text.floor_char_boundary(200));
        text.push('…');
    }
    text
}

/// Simulates the world of this tape.
///
/// # Errors
/// The rule that was broken; a panic and a run that never ends are broken rules too.
pub fn simulate(tape: Tape, options: Options) -> Result<Summary, BrokenRule> {
    let world = Shared::new(tape, options);
    let ended = catch_unwind(AssertUnwindSafe(|| Hosts::new(world.clone()).live()));
    let Ok(mut locked) = std::panic::catch_unwind(AssertUnwindSafe(|| world.lock())) else {
        return Err(BrokenRule { rule: "a panic while the world was held".to_owned(), story: Vec::new() });
    };
    let story = locked.story.take().unwrap_or_default();
    match ended {
        Ok(Ok((outcome, hosts))) => Ok(Summary { outcome, hosts, events: std::mem::take(&mut locked.events), story }),
        Ok(Err(rule)) => Err(BrokenRule { rule, story }),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Err(BrokenRule { rule: format!("a panic: {}", text.unwrap_or_default()), story })
        }
    }
}

/// A host that drives the run.
struct Driving {
    number: u64,
    future: Pin<Box<dyn Future<Output = Result<End>>>>,
    words: mpsc::Sender<Word>,
}

/// The hosts: one that drives, and perhaps one that sleeps, or that slept and does not know that it has a successor.
struct Hosts {
    world: Shared,
    awake: Option<Driving>,
    asleep: Option<Driving>,
    woken: Option<Driving>,
    hosts: u64,
}

impl Hosts {
    fn new(world: Shared) -> Self {
        Self { world, awake: None, asleep: None, woken: None, hosts: 0 }
    }

    /// Until the run is over: how, and how many hosts it took.
    fn live(mut self) -> Result<(Outcome, u64), String> {
        self.begin();
        for _ in 0..MOST_TURNS {
            if let Some(outcome) = self.turn()? {
                return Ok((outcome, self.hosts));
            }
        }
        Err(format!(
            "the run is stuck; its last event: {}",
            self.world.lock().events.last().map_or(String::new(), words)
        ))
    }

    /// The run's first event, and its first host.
    fn begin(&mut self) {
        let mut world = self.world.lock();
        world.fences += 1;
        let (fence, at, plan, name) = (world.fences, world.wall(), world.plan.clone(), world.run.clone());
        let capabilities = capabilities(&mut world.tape);
        let live = vec![host::live(); plan.services.len()];
        let first = Run::started(&name, issue(), plan, "old-commit", fence, live, capabilities, at);
        world.events.push(first);
        drop(world);
        self.host(false);
    }

    /// Another host takes the run from the journal.
    fn host(&mut self, takes_over: bool) {
        self.hosts += 1;
        let events = self.world.lock().events.clone();
        let (steady, known) = (Arc::default(), Arc::new(events.len().into()));
        let host = Host { world: self.world.clone(), number: self.hosts, steady, known };
        let run = Run::replay(&events).unwrap();
        let logged = Logged { run, version: events.len() as u64, events };
        let (words, heard) = mpsc::channel(8);
        let parts = host.parts();
        let future = Box::pin(async move {
            let mut driver = Driver::new(parts, logged, heard, true);
            if takes_over {
                driver.take_over().await?;
            }
            driver.drive().await
        });
        self.awake = Some(Driving { number: self.hosts, future, words });
        let number = self.hosts;
        self.world.lock().tell(|| format!("host {number} begins"));
    }

    /// Lets the host do what it can now; then something happens, or time passes.
    fn turn(&mut self) -> Result<Option<Outcome>, String> {
        self.go_on();
        let Some(mut driving) = self.awake.take() else {
            self.after_death();
            return Ok(None);
        };
        let polled = driving.future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        let mut world = self.world.lock();
        if let Some(rule) = world.rules.broken() {
            return Err(rule.clone());
        }
        let died = world.dying.take_if(|number| *number == driving.number).is_some();
        drop(world);
        if died {
            return Ok(None);
        }
        match polled {
            Poll::Ready(Ok(End::Finished(outcome))) => return self.over(outcome).map(Some),
            Poll::Ready(Ok(End::Queued(of))) => return Err(format!("it waits for {of}, though told to")),
            Poll::Ready(Ok(End::Waiting { reason, .. })) => return Err(format!("it waits, though told to: {reason}")),
            // Its successor wrote before it, or it slept: whoever looks after it starts another.
            Poll::Ready(Err(error)) if error.is::<TwoHosts>() => return Ok(None),
            Poll::Ready(Err(error)) => return Err(format!("a host gives up: {error:#}")),
            Poll::Pending => {}
        }
        self.happens(driving);
        let mut world = self.world.lock();
        if self.awake.is_some() && !world.pass() {
            return Err("the host waits for nothing".to_owned());
        }
        Ok(None)
    }

    /// What comes from outside while a host waits.
    fn happens(&mut self, driving: Driving) {
        let mut world = self.world.lock();
        if world.tape.happens(10) {
            let seconds = world.tape.one(&[5, -5, 3600, -3600, -90, 86_400]);
            world.jump(seconds);
        }
        if world.tape.happens(8) {
            let span = world.tape.one(&[5, 60, 300]) * SECOND;
            world.fill(span);
        }
        let decided = world.events.iter().any(|event| matches!(event.event, EventKind::TurnedBack { .. }));
        let alone = self.asleep.is_none() && self.woken.is_none() && world.seized.is_none();
        if alone && !decided && world.tape.happens(4) {
            world.seize();
        }
        let dies = world.tape.happens(10);
        let sleeps =
            !dies && world.seized.is_none() && self.asleep.is_none() && self.woken.is_none() && world.tape.happens(60);
        let speaks = world.tape.happens(60);
        let calm_on_hold = world.tape.is_over() && on_hold(&world.events);
        let wakes = self.asleep.is_some() && world.tape.happens(60);
        drop(world);
        if speaks {
            self.speak(&driving.words);
        }
        if calm_on_hold {
            // Only a person ends what a person holds; whoever held it comes back.
            let (answer, _) = oneshot::channel();
            let input = Input::EndHold { by: APPROVERS[0].to_owned(), reason: "back again".to_owned() };
            drop(driving.words.try_send(Word { input, answer }));
        }
        if wakes {
            self.wake();
        }
        let number = driving.number;
        if dies {
            self.world.lock().tell(|| format!("host {number} dies"));
        } else if sleeps {
            let mut world = self.world.lock();
            world.asleep = Some(number);
            world.tell(|| format!("host {number} falls asleep"));
            self.asleep = Some(driving);
        } else {
            self.awake = Some(driving);
        }
    }

    /// A person says something, whether it makes sense or not.
    fn speak(&self, words: &mpsc::Sender<Word>) {
        let mut world = self.world.lock();
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
        world.tell(|| format!("someone says {input:?}"));
        drop(world);
        let (answer, _) = oneshot::channel();
        drop(words.try_send(Word { input, answer }));
    }

    /// The host that slept is to go on where it was.
    fn wake(&mut self) {
        let Some(sleeper) = self.asleep.take() else { return };
        let mut world = self.world.lock();
        world.asleep = None;
        let number = sleeper.number;
        world.tell(|| format!("host {number} wakes"));
        drop(world);
        self.woken = Some(sleeper);
    }

    /// Lets the host that woke do what it can now. However it ends, nothing comes of it.
    fn go_on(&mut self) {
        let Some(mut woken) = self.woken.take() else { return };
        let number = woken.number;
        let polled = woken.future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        let mut world = self.world.lock();
        let died = world.dying.take_if(|dying| *dying == number).is_some();
        match polled {
            Poll::Pending if !died => {
                drop(world);
                self.woken = Some(woken);
            }
            Poll::Pending => {}
            Poll::Ready(ended) => {
                let ended = ended.map_or_else(|error| format!("{error:#}"), |end| format!("{end:?}"));
                world.tell(|| format!("host {number} ends: {ended}"));
            }
        }
    }

    /// Nobody drives for a while; then another host does.
    fn after_death(&mut self) {
        let mut world = self.world.lock();
        let span = world.tape.one(&[1, 0, 10, 90, 3600]) * SECOND;
        world.skip(span.max(Duration::from_millis(1)));
        // A host that sleeps knows nothing of it either; nor does a rollback that was decided ask.
        let alone = self.asleep.is_none() && self.woken.is_none() && world.seized.is_none();
        let decided = world.events.iter().any(|event| matches!(event.event, EventKind::TurnedBack { .. }));
        if alone && !decided && world.tape.happens(60) {
            world.seize();
        } else if alone && !decided && world.staging_seized.is_none() && world.tape.happens(60) {
            world.seize_staging();
        }
        drop(world);
        self.host(true);
    }

    /// The run is over; a host that still sleeps wakes and can change nothing.
    fn over(&mut self, outcome: Outcome) -> Result<Outcome, String> {
        self.wake();
        for _ in 0..MOST_TURNS {
            self.go_on();
            if self.woken.is_none() || !self.world.lock().pass() {
                break;
            }
        }
        let world = self.world.lock();
        if let Some(rule) = world.rules.broken() {
            return Err(rule.clone());
        }
        if let Some(rule) = crate::rules::ended(&outcome, &world) {
            return Err(rule);
        }
        let run = Run::replay(&world.events).map_err(|error| error.to_string())?;
        for member in run.members() {
            let recorded = member.traffic(Environment::Production);
            let production = world.production(member.label());
            // A person's word that ended the run before it looked leaves what is on record as it was.
            if world.seized.is_none() && recorded != production.splits.as_slice() {
                return Err(format!("on record {recorded:?} serve, in truth {:?}", production.splits));
            }
        }
        let count = |found: fn(&EventKind) -> bool| world.events.iter().filter(|event| found(&event.event)).count();
        let asked = count(|event| matches!(event, EventKind::ApprovalAsked { gate: Gate::Production, .. }));
        // Who gives production back to the run was not asked what to let into it.
        if asked > 1 + count(|event| matches!(event, EventKind::Diverged { .. })) {
            return Err("production's gate was opened twice".to_owned());
        }
        Ok(outcome)
    }
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
