//! A whole run, or two side by side, from the start to the end, over as many hosts as it takes.

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
    claims::Claims,
    clock::Steady,
    driver::{Driver, End, TwoHosts, Word},
    log::Logged,
};
use autodevops_pipeline::{Event, Outcome, Run};
use tokio::sync::mpsc;

use crate::{
    host::Host,
    stock::{SECOND, capabilities, issue},
    tape::Tape,
    world::{Options, Shared, World},
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
    /// The end and the journal of the run beside it, where there was one.
    pub beside: Option<(End, Vec<Event>)>,
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
        Ok(Ok((ends, hosts))) => {
            let lied = [
                ("a target did nothing", locked.productions().any(|(_, target)| target.idled)),
                ("a target told of other shares", locked.productions().any(|(_, target)| target.told_lies)),
                ("a target deceived", locked.productions().any(|(_, target)| target.deceived)),
            ];
            let mut happened = std::mem::take(&mut locked.happened);
            happened.extend(lied.into_iter().filter(|(_, happened)| *happened).map(|(what, _)| what));
            let journals = locked.runs.iter_mut().map(|run| std::mem::take(&mut run.events));
            let mut ended = ends.into_iter().zip(journals);
            let Some((end, events)) = ended.next() else {
                return Err(BrokenRule { rule: "a world without a run".to_owned(), story });
            };
            Ok(Summary { end, hosts, events, beside: ended.next(), happened, story })
        }
        Ok(Err(rule)) => Err(BrokenRule { rule, story }),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Err(BrokenRule { rule: format!("a panic: {}", text.unwrap_or_default()), story })
        }
    }
}

/// A run that a host drives.
struct Driving {
    run: usize,
    future: Pin<Box<dyn Future<Output = Result<End>>>>,
    words: mpsc::Sender<Word>,
}

/// A host, and the runs that it drives: all that are not over.
struct Process {
    number: u64,
    steady: Arc<Steady>,
    claims: Arc<Claims>,
    drives: Vec<Driving>,
}

/// The hosts: one that drives, and perhaps one that sleeps, or that slept and does not know that it has a successor.
struct Hosts {
    world: Shared,
    awake: Option<Process>,
    asleep: Option<Process>,
    woken: Option<Process>,
    hosts: u64,
    /// How many events each of the runs had when all that is chosen had happened.
    calm: Vec<Option<usize>>,
    /// Which of the runs wait for people who never answer, once nothing else happens.
    waiting: Vec<Option<End>>,
    /// The runs that are over, and how, in the order in which they were.
    over: Vec<(usize, Outcome)>,
}

impl Hosts {
    fn new(world: Shared) -> Self {
        let runs = world.lock().runs.len();
        let (calm, waiting, over) = (vec![None; runs], vec![None; runs], Vec::new());
        Self { world, awake: None, asleep: None, woken: None, hosts: 0, calm, waiting, over }
    }

    /// Until each run is over, or waits for people who never answer: how, and how many hosts it took.
    fn live(mut self) -> Result<(Vec<End>, u64), String> {
        self.begin();
        for _ in 0..MOST_TURNS {
            if let Some(ends) = self.turn()? {
                return Ok((ends, self.hosts));
            }
        }
        let world = self.world.lock();
        let last: Vec<String> = world.runs.iter().map(|run| run.events.last().map_or(String::new(), words)).collect();
        Err(format!("a run is stuck; the last events: {}", last.join("; ")))
    }

    /// The runs' first events, and their first host.
    fn begin(&mut self) {
        let mut world = self.world.lock();
        let capabilities = capabilities(&mut world.tape);
        for number in 0..world.runs.len() {
            world.fences += 1;
            let (fence, at, plan, live) = (world.fences, world.wall(), world.plan.clone(), world.live());
            let run = &mut world.runs[number];
            let first = Run::started(&run.name, issue(), plan, "old-commit", fence, live, capabilities.clone(), at);
            run.events.push(first);
        }
        drop(world);
        self.host(false);
    }

    /// Another host takes the runs from the journal.
    fn host(&mut self, takes_over: bool) {
        self.hosts += 1;
        let number = self.hosts;
        let (steady, claims): (Arc<Steady>, Arc<Claims>) = Default::default();
        {
            // Each asks the front door for its time first.
            let world = self.world.lock();
            steady.not_before(world.door(), world.monotonic());
        }
        let mut drives = Vec::new();
        let runs = self.world.lock().runs.len();
        for of in 0..runs {
            if self.over.iter().any(|(over, _)| *over == of) {
                continue;
            }
            let events = self.world.lock().runs[of].events.clone();
            let run = Run::replay(&events).unwrap();
            claims.has(run.id(), run.claimed_services());
            let known = Arc::new(events.len().into());
            let (steady, claims) = (Arc::clone(&steady), Arc::clone(&claims));
            let host = Host { world: self.world.clone(), of, number, steady, claims, known };
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
            drives.push(Driving { run: of, future, words });
        }
        self.awake = Some(Process { number, steady, claims, drives });
        self.world.lock().tell(|| format!("host {number} begins"));
    }

    /// Lets the host do what it can now; then something happens, or time passes.
    fn turn(&mut self) -> Result<Option<Vec<End>>, String> {
        self.go_on();
        if let Some(ends) = self.settled() {
            return Ok(Some(ends));
        }
        let Some(mut process) = self.awake.take() else {
            self.after_death();
            return Ok(None);
        };
        for mut driving in std::mem::take(&mut process.drives) {
            let polled = driving.future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            let mut world = self.world.lock();
            if let Some(rule) = world.broken() {
                return Err(rule.clone());
            }
            let died = world.dying.take_if(|number| *number == process.number).is_some();
            drop(world);
            if died {
                return Ok(None);
            }
            match polled {
                Poll::Pending => process.drives.push(driving),
                Poll::Ready(Ok(End::Finished(outcome))) => self.over(driving.run, outcome, &process.claims)?,
                Poll::Ready(Ok(end)) => return self.left(end),
                // Its successor wrote before it, or it slept: whoever looks after it starts another.
                Poll::Ready(Err(error)) if error.is::<TwoHosts>() => return Ok(None),
                Poll::Ready(Err(error)) => return Err(format!("a host gives up: {error:#}")),
            }
        }
        if process.drives.is_empty() {
            return self.all_over(&process.claims).map(Some);
        }
        self.happens(process);
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
        for mut driving in std::mem::take(&mut woken.drives) {
            let polled = driving.future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            let mut world = self.world.lock();
            if world.dying.take_if(|dying| *dying == number).is_some() {
                return;
            }
            let name = world.runs[driving.run].name.clone();
            match polled {
                Poll::Pending => woken.drives.push(driving),
                Poll::Ready(Ok(end)) => {
                    woken.claims.free(&name);
                    world.tell(|| format!("host {number} ends with {name}: {end:?}"));
                }
                // All of it stops.
                Poll::Ready(Err(error)) => return world.tell(|| format!("host {number} ends: {error:#}")),
            }
        }
        self.woken = Some(woken).filter(|woken| !woken.drives.is_empty());
    }

    /// Nobody drives for a while; then another host does.
    fn after_death(&mut self) {
        let mut world = self.world.lock();
        let span = world.tape.one(&[1, 0, 10, 90, 3600]) * SECOND;
        world.skip(span.max(Duration::from_millis(1)));
        // A host that sleeps knows nothing of it either; nor does a rollback that was decided ask.
        let alone = self.is_alone(&world);
        let decided = world.runs[0].is_decided();
        if alone && !decided && world.tape.happens(60) {
            world.seize();
        } else if alone && !decided && world.runs[0].staging_seized.is_none() && world.tape.happens(60) {
            world.seize_staging();
        }
        drop(world);
        self.host(true);
    }

    /// Whether there is one run, and no host but the one that drives: then a person may deploy past the run, who has not yet.
    fn is_alone(&self, world: &World) -> bool {
        self.asleep.is_none() && self.woken.is_none() && world.runs.len() == 1 && world.runs[0].seized.is_none()
    }
}
