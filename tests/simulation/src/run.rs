//! A whole run, from its start to its end, over as many hosts as it takes.

mod outside;
mod over;

use std::{
    collections::BTreeSet,
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
use autodevops_pipeline::{Event, EventKind, Run};
use tokio::sync::mpsc;

use crate::{
    host::{self, Host},
    stock::{SECOND, capabilities, issue},
    tape::Tape,
    world::{Options, Shared},
};

/// Turns after which a run that goes nowhere is stuck: every one lets time pass, or a host die.
const MOST_TURNS: usize = 20_000;

/// What a world came to.
#[derive(Clone, Debug)]
pub struct Summary {
    /// How the run ended, or whom it waits for who never answer.
    pub end: End,
    /// Hosts that it took.
    pub hosts: u64,
    /// The run's journal.
    pub events: Vec<Event>,
    /// What went wrong that does so in few worlds.
    pub happened: BTreeSet<&'static str>,
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
        Ok(Ok((end, hosts))) => {
            let lied = [
                ("a target did nothing", locked.productions().any(|(_, target)| target.idled)),
                ("a target told of other shares", locked.productions().any(|(_, target)| target.told_lies)),
                ("a target deceived", locked.productions().any(|(_, target)| target.deceived)),
            ];
            let mut happened = std::mem::take(&mut locked.happened);
            happened.extend(lied.into_iter().filter(|(_, happened)| *happened).map(|(what, _)| what));
            Ok(Summary { end, hosts, events: std::mem::take(&mut locked.events), happened, story })
        }
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
    /// How many events there were when all that is chosen had happened.
    calm: Option<usize>,
}

impl Hosts {
    fn new(world: Shared) -> Self {
        Self { world, awake: None, asleep: None, woken: None, hosts: 0, calm: None }
    }

    /// Until the run is over, or waits for people who never answer: how, and how many hosts it took.
    fn live(mut self) -> Result<(End, u64), String> {
        self.begin();
        for _ in 0..MOST_TURNS {
            if let Some(end) = self.turn()? {
                return Ok((end, self.hosts));
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
        let (parts, waits) = (host.parts(), !self.world.lock().faults.impatient);
        let future = Box::pin(async move {
            let mut driver = Driver::new(parts, logged, heard, waits);
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
    fn turn(&mut self) -> Result<Option<End>, String> {
        self.go_on();
        if let Some(end) = self.waits_for_ever() {
            return Ok(Some(end));
        }
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
            Poll::Ready(Ok(end)) => return self.left(end),
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
}
