//! The simulated world: its time, its targets, its disk, and what serves in it.

mod sleep;
mod upset;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use autodevops_model::{Release, Split, Window};
use autodevops_pipeline::{Environment, Event, EventKind, Input, Live, Plan, Timestamp};

pub use sleep::Sleep;

use crate::{
    affair::Affair,
    faults::{Faults, Quality},
    keeper::Keeper,
    stock::{self, NEW, NEWER, OLD, SECOND},
    tape::Tape,
    target::Target,
};

/// When it begins: nanoseconds since 1970.
const BEGIN: i64 = 1_790_000_000_000_000_000;

/// Of a thousand worlds of several services so many have two runs.
const TWO_RUNS: u16 = 300;

/// When, which, and whose.
type Timer = (i64, u64, u64);

/// All that outlives a host.
pub struct World {
    pub tape: Tape,
    pub plan: Plan,
    /// Time as it truly passes, in nanoseconds.
    now: i64,
    /// What the wall clock is off by.
    skew: i64,
    /// What the front door's time is ahead of the true one by, and since when: it never goes back.
    door: Vec<(i64, i64)>,
    /// When someone goes on, its number, and who.
    timers: BTreeSet<Timer>,
    next_timer: u64,
    /// The host that sleeps, by its number: its time does not come.
    pub asleep: Option<u64>,
    /// The targets of each service, as events call it.
    targets: BTreeMap<(String, Environment), Target>,
    /// Production's data, and who keeps it.
    pub keeper: Keeper,
    /// The runs: one, or two side by side.
    pub runs: Vec<Affair>,
    /// What serves by what is on record, where a run changed it.
    recorded: BTreeMap<(String, Environment), String>,
    pub fences: u64,
    /// Until when the disk is full.
    full_until: i64,
    /// Writes that fit into the reserve.
    pub reserve: u32,
    /// What is wrong from the beginning.
    pub faults: Faults,
    /// Requests of the new release in ten seconds, for each hundredth of the traffic.
    pub rate: u64,
    /// How many complaints and critical errors there were.
    pub signals: u64,
    /// What went wrong that does so in few worlds.
    pub happened: BTreeSet<&'static str>,
    /// The host that is to die, by its number.
    pub dying: Option<u64>,
    pub story: Option<Vec<String>>,
}

/// How a world is made.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Whether what happens is told.
    pub told: bool,
    /// Whether targets hold fences, as the contract wants it.
    pub fenced: bool,
    /// The run's number, by which it is named, and one beside it.
    pub run: u64,
}

/// The world, as everything in it shares it.
#[derive(Clone)]
pub struct Shared(Arc<Mutex<World>>);

impl Shared {
    pub fn new(mut tape: Tape, Options { told, fenced, run }: Options) -> Self {
        let plan = stock::plan(&mut tape);
        let services = stock::labels(&plan);
        let touched = stock::touched(&mut tape, &services);
        let both = [Environment::Staging, Environment::Production];
        let places = services.iter().flat_map(|service| both.map(|environment| (service.clone(), environment)));
        let quality = Quality::of(&mut tape, &touched);
        let mut faults = Faults::of(&mut tape);
        let targets = places.map(|place| (place, Target::new(fenced, faults.local))).collect();
        let rate = tape.one(&[20, 100, 1, 0]);
        let mut runs = vec![Affair::new(format!("r{run}"), NEW, touched, quality)];
        // A project of one service has one run at a time.
        if services.len() > 1 && tape.happens(TWO_RUNS) {
            let [first, second] = stock::touched_by_two(&mut tape, &services);
            let quality = Quality::of(&mut tape, &second);
            runs[0].touched = first;
            runs.push(Affair::new(format!("r{run}-beside"), NEWER, second, quality));
            // What a host that leaves one of them would do with the other is not tried.
            faults.impatient = false;
        }
        Self(Arc::new(Mutex::new(World {
            tape,
            plan,
            now: 0,
            skew: 0,
            door: vec![(0, 0)],
            timers: BTreeSet::new(),
            next_timer: 0,
            asleep: None,
            targets,
            keeper: Keeper::default(),
            runs,
            recorded: BTreeMap::new(),
            fences: 0,
            full_until: 0,
            reserve: 64,
            faults,
            rate,
            signals: 0,
            happened: BTreeSet::new(),
            dying: None,
            story: told.then(Vec::new),
        })))
    }

    pub fn lock(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    /// Ends when so much time has passed.
    pub fn sleep(&self, host: u64, span: Duration) -> Sleep {
        Sleep::new(self.clone(), host, span)
    }
}

impl World {
    /// The wall clock.
    pub const fn wall(&self) -> Timestamp {
        Timestamp(BEGIN + self.now + self.skew)
    }

    /// What a monotonic clock tells.
    pub fn monotonic(&self) -> Duration {
        Duration::from_nanos(u64::try_from(self.now).unwrap())
    }

    /// Time as it truly passes, in nanoseconds.
    pub const fn now(&self) -> i64 {
        self.now
    }

    /// Lets time pass until the next thing that is waited for; whether there is any.
    pub fn pass(&mut self) -> bool {
        // What was due before was looked at, or waits behind something else.
        let next = self.timers.iter().find(|timer| timer.0 > self.now && Some(timer.2) != self.asleep).copied();
        if let Some((until, ..)) = next {
            self.to(until);
        }
        next.is_some()
    }

    /// Lets time pass while nobody waits for anything.
    pub fn skip(&mut self, span: Duration) {
        self.to(self.now + nanoseconds(span));
    }

    fn to(&mut self, until: i64) {
        self.now = self.now.max(until);
        for target in self.targets.values_mut() {
            target.expire(self.now);
        }
        self.serving();
    }

    /// The wall clock is set.
    pub fn jump(&mut self, seconds: i64) {
        self.skew += seconds * 1_000_000_000;
        let ahead = self.ahead().max(self.skew);
        self.door.push((self.now, ahead));
        self.tell(|| format!("the clock jumps by {seconds} s"));
    }

    /// What the front door's time is ahead of the true one by.
    fn ahead(&self) -> i64 {
        self.door.last().map_or(0, |(_, ahead)| *ahead)
    }

    /// The time by which the front door counts.
    pub fn door(&self) -> Timestamp {
        Timestamp(BEGIN + self.now + self.ahead())
    }

    /// How long, of the time that truly passed, the front door counted into a window; what was jumped over is no time.
    pub fn counted(&self, window: &Window) -> Duration {
        let ends = self.door.iter().skip(1).map(|(from, _)| *from).chain([self.now]);
        let within = |((from, ahead), to): (&(i64, i64), i64)| {
            let (start, end) = (window.start - BEGIN - ahead, window.end - BEGIN - ahead);
            (end.min(to) - start.max(*from)).max(0)
        };
        Duration::from_nanos(self.door.iter().zip(ends).map(within).sum::<i64>().unsigned_abs())
    }

    /// An answer may come a second time, at once or late: perhaps after the next effect began, or to another host.
    pub fn may_repeat(&mut self, run: usize, answer: &Input) {
        if self.tape.happens(40) {
            let at = self.now + nanoseconds(self.tape.one(&[0, 1, 5, 20, 90]) * SECOND);
            self.runs[run].again.push((at, answer.clone()));
        }
    }

    pub const fn is_full(&self) -> bool {
        self.now < self.full_until
    }

    pub fn target(&mut self, service: &str, environment: Environment) -> &mut Target {
        self.targets.get_mut(&(service.to_owned(), environment)).unwrap()
    }

    /// The target that a service is tried on.
    pub fn staging(&self, service: &str) -> &Target {
        &self.targets[&(service.to_owned(), Environment::Staging)]
    }

    /// The target that serves a service's people.
    pub fn production(&self, service: &str) -> &Target {
        &self.targets[&(service.to_owned(), Environment::Production)]
    }

    /// The targets that serve people, by their services.
    pub fn productions(&self) -> impl Iterator<Item = (&String, &Target)> {
        self.targets.iter().filter_map(move |((service, environment), target)| {
            (*environment == Environment::Production).then_some((service, target))
        })
    }

    /// The first rule that is broken.
    pub fn broken(&self) -> Option<&String> {
        self.runs.iter().find_map(|run| run.rules.broken())
    }

    /// Takes in what was written of a run.
    pub fn written(&mut self, run: usize, events: &[Event]) {
        let others: Vec<String> = self.others(run).map(|other| other.name.clone()).collect();
        let mut claimed: Vec<String> = Vec::new();
        let affair = &mut self.runs[run];
        let from = affair.events.len();
        affair.events.extend_from_slice(events);
        affair.rules.written(&affair.events, from);
        for event in events {
            match &event.event {
                EventKind::TrafficSet { service, environment, splits, .. } => {
                    if let [Split { release, percent: 100 }] = splits.as_slice() {
                        self.recorded.insert((service.clone(), *environment), release.clone());
                    }
                }
                EventKind::ServicesClaimed { services, .. } => {
                    affair.claimed.clone_from(services);
                    claimed.extend(services.iter().cloned());
                }
                EventKind::ServicesAwaited { of } if others.contains(&of.run) => {
                    self.happened.insert("a run waited for another");
                }
                EventKind::Finished { .. } => affair.claimed.clear(),
                _ => {}
            }
        }
        for (other, affair) in self.runs.iter_mut().enumerate() {
            let has = |service: &&String| !affair.claimed.contains(service);
            let passed: Vec<String> = claimed.iter().filter(has).cloned().collect();
            affair.passed_on.extend(passed.into_iter().filter(|_| other != run));
        }
    }

    /// A run moves nothing any more: others may have its services.
    pub fn freed(&mut self, run: usize) {
        if std::mem::take(&mut self.runs[run].claimed).is_empty() || self.runs.len() == 1 {
            return;
        }
        self.happened.insert("a run that only told people let another have its services");
    }

    /// The services of a run that nobody else moved: none, where another is beside it, until it had them to itself, nor those that another
    /// had to itself after it.
    pub fn own(&self, run: usize) -> Vec<String> {
        let affair = &self.runs[run];
        let claims = |event: &Event| matches!(event.event, EventKind::ServicesClaimed { .. });
        let has = self.runs.len() == 1 || affair.events.iter().any(claims);
        let own = affair.touched.iter().filter(|service| has && !affair.passed_on.contains(*service));
        own.cloned().collect()
    }

    /// Which run is called so.
    pub fn index(&self, name: &str) -> usize {
        self.runs.iter().position(|run| run.name == name).unwrap()
    }

    /// The runs beside this one.
    pub fn others(&self, run: usize) -> impl Iterator<Item = &Affair> {
        self.runs.iter().enumerate().filter(move |(other, _)| *other != run).map(|(_, other)| other)
    }

    /// What serves of each of the plan's services, by what is on record of all runs.
    pub fn live(&self) -> Vec<Live> {
        let release = |service: &String, environment| -> Option<Release> {
            let known = self.recorded.get(&(service.clone(), environment));
            Some(stock::release(known.map_or(OLD, String::as_str)))
        };
        let of = |service: &String| Live {
            staging: release(service, Environment::Staging),
            production: release(service, Environment::Production),
        };
        stock::labels(&self.plan).iter().map(of).collect()
    }

    /// Of a thousand of its requests a release of a service fails so many, where it is up, as a run sees it; `back`: it is alone again, after
    /// a rollback.
    pub fn failures(&self, run: usize, service: &str, release: &str, back: bool) -> u64 {
        let run = &self.runs[run];
        let old = run.names().old(service);
        // The same release, started anew, fails as often.
        let release = if *release == run.names().fresh { old } else { release };
        let fails = |of: &Quality| of.service.as_ref().is_none_or(|failing| failing == service);
        let failing = match self.runs.iter().find(|run| run.names().new == release) {
            Some(own) => own.quality.failures(service),
            None if *release == *OLD && fails(&run.quality) => self.faults.stable,
            None => 0,
        };
        match back && self.faults.rotten && *release == *old {
            true => failing.max(run.quality.failures(service)),
            false => failing,
        }
    }

    /// Whether a person deployed past a run, of this service.
    fn is_seized(&self, service: &str) -> bool {
        self.runs.iter().any(|run| run.seized.as_ref().is_some_and(|(_, seized)| seized == service))
    }

    /// Looks at what serves, after anything may have changed it.
    pub fn serving(&mut self) {
        let mut shared = BTreeSet::new();
        for ((service, environment), target) in &self.targets {
            if *environment != Environment::Production {
                continue;
            }
            // What the one run released the other may go on from: it is the affair of the one that has the service. But a run may end
            // that was told of other shares than there are: what it left is its affair until the other moves it.
            let has = self.runs.iter().position(|run| run.claimed.contains(service));
            let part = || self.runs.iter().position(|run| run.has_part(target));
            let moved = has.filter(|of| !target.told_lies || self.runs[*of].has_part(target));
            let of = moved.or_else(part).or(has).unwrap_or(0);
            self.runs[of].rules.serving(&self.plan, service, target);
            shared.extend((target.splits.len() > 1).then_some(of));
            let touched = self.runs.iter().any(|run| run.touched.contains(service));
            let old = touched || target.share(OLD) == 100 || self.is_seized(service);
            self.runs[of].rules.hold(old, || format!("{service}, which no change touches, serves {:?}", target.splits));
        }
        if shared.len() > 1 {
            self.happened.insert("two runs rolled out at the same time");
        }
        // A target may have lied about where a service is; and a person may have a run go forward past all steps.
        if self.productions().any(|(_, target)| target.told_lies || target.deceived) {
            return;
        }
        let forward = |event: &Event| matches!(event.event, EventKind::RollForwardRequested { .. });
        for run in 0..self.runs.len() {
            let affair = &self.runs[run];
            if affair.is_over() || affair.events.iter().any(forward) {
                continue;
            }
            let touched = affair.touched.iter().filter(|service| !self.is_seized(service));
            let shares: Vec<u8> = touched.map(|service| self.production(service).share(&affair.names().new)).collect();
            self.runs[run].rules.beside(&self.plan, &shares);
        }
    }

    pub fn tell(&mut self, line: impl FnOnce() -> String) {
        if let Some(story) = &mut self.story {
            story.push(format!("{:>9.3} s  {}", self.now as f64 / 1e9, line()));
        }
    }
}

fn nanoseconds(span: Duration) -> i64 {
    i64::try_from(span.as_nanos()).unwrap()
}
