//! The simulated world: its time, its targets, its disk, and what it makes fail.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll},
    time::Duration,
};

use autodevops_model::Split;
use autodevops_pipeline::{Environment, Event, EventKind, Input, Plan, Timestamp};

use crate::{
    faults::Faults,
    keeper::Keeper,
    rules::Rules,
    stock::{self, FOREIGN, FRESH, NEW, OLD, SECOND},
    tape::Tape,
    target::{Lie, Target},
};

/// When it begins: nanoseconds since 1970.
const BEGIN: i64 = 1_790_000_000_000_000_000;

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
    /// When someone goes on, its number, and who.
    timers: BTreeSet<Timer>,
    next_timer: u64,
    /// The host that sleeps, by its number: its time does not come.
    pub asleep: Option<u64>,
    /// The targets of each service, as events call it.
    targets: BTreeMap<(String, Environment), Target>,
    /// Production's data, and who keeps it.
    pub keeper: Keeper,
    /// The services that the run's change touches, as events call them.
    pub touched: Vec<String>,
    /// The run's name.
    pub run: String,
    /// The run's journal.
    pub events: Vec<Event>,
    pub fences: u64,
    /// Until when the disk is full.
    full_until: i64,
    /// Writes that fit into the reserve.
    pub reserve: u32,
    /// What is wrong from the beginning.
    pub faults: Faults,
    /// Requests of the new release in ten seconds, for each hundredth of the traffic.
    pub rate: u64,
    /// Answers that come a second time, and when.
    pub again: Vec<(i64, Input)>,
    /// How many complaints and critical errors there were.
    pub signals: u64,
    /// What went wrong that does so in few worlds.
    pub happened: BTreeSet<&'static str>,
    /// How many events the run had when a person deployed past it, and which service that was.
    pub seized: Option<(usize, String)>,
    /// The same, into staging.
    pub staging_seized: Option<(usize, String)>,
    /// The host that is to die, by its number.
    pub dying: Option<u64>,
    pub rules: Rules,
    pub story: Option<Vec<String>>,
}

/// How a world is made.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Whether what happens is told.
    pub told: bool,
    /// Whether targets hold fences, as the contract wants it.
    pub fenced: bool,
    /// The run's number, by which it is named.
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
        let faults = Faults::of(&mut tape, &touched);
        let targets = places.map(|place| (place, Target::new(fenced, faults.local))).collect();
        let rate = tape.one(&[20, 100, 1, 0]);
        Self(Arc::new(Mutex::new(World {
            tape,
            plan,
            now: 0,
            skew: 0,
            timers: BTreeSet::new(),
            next_timer: 0,
            asleep: None,
            targets,
            keeper: Keeper::default(),
            touched,
            run: format!("r{run}"),
            events: Vec::new(),
            fences: 0,
            full_until: 0,
            reserve: 64,
            faults,
            rate,
            again: Vec::new(),
            signals: 0,
            happened: BTreeSet::new(),
            seized: None,
            staging_seized: None,
            dying: None,
            rules: Rules::default(),
            story: told.then(Vec::new),
        })))
    }

    pub fn lock(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    /// Ends when so much time has passed.
    pub fn sleep(&self, host: u64, span: Duration) -> Sleep {
        Sleep { world: self.clone(), host, span, timer: None }
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
        self.tell(|| format!("the clock jumps by {seconds} s"));
    }

    /// The disk is full for so long.
    pub fn fill(&mut self, span: Duration) {
        self.full_until = self.now + nanoseconds(span);
        self.tell(|| format!("the disk is full for {span:?}"));
    }

    /// A person deploys past the run.
    pub fn seize(&mut self) {
        let services: Vec<String> = stock::labels(&self.plan);
        let service = services[usize::from(self.tape.one(&[0_u8, 1, 2])) % services.len()].clone();
        self.target(&service, Environment::Production).seize(FOREIGN);
        self.tell(|| format!("someone deploys a hotfix of {service:?} past the run"));
        self.seized = Some((self.events.len(), service));
        self.serving();
    }

    /// A person deploys past the run, into staging.
    pub fn seize_staging(&mut self) {
        let service = self.touched.first().cloned().unwrap_or_default();
        self.target(&service, Environment::Staging).seize(FOREIGN);
        self.tell(|| format!("someone deploys something else of {service:?} into staging"));
        self.staging_seized = Some((self.events.len(), service));
    }

    /// A target begins to lie, where a plugin speaks for it.
    pub fn lie(&mut self) {
        let service = self.some_service();
        let environment = self.tape.one(&[Environment::Production, Environment::Production, Environment::Staging]);
        let shares = |old: u8, new: u8| {
            let all = [(OLD, old), (NEW, new), (FOREIGN, 100 - old - new)];
            let some = all.into_iter().filter(|(_, percent)| *percent > 0);
            some.map(|(release, percent)| Split { release: release.to_owned(), percent }).collect::<Vec<_>>()
        };
        let lie = match self.tape.one(&[0, 0, 1, 2, 3, 4, 5, 5]) {
            0 => Lie::Idles,
            1 => Lie::Tells(shares(100, 0)),
            2 => Lie::Tells(shares(0, 100)),
            3 => Lie::Tells(shares(60, 40)),
            4 => Lie::Tells(shares(0, 0)),
            _ => Lie::Deceives,
        };
        let until = match self.tape.one(&[20, 120, 0]) {
            0 => i64::MAX,
            seconds => self.now + nanoseconds(seconds * SECOND),
        };
        if !self.faults.local {
            self.tell(|| format!("the target of {service:?} lies in {}: {lie:?}", environment.role()));
            self.target(&service, environment).lies(lie, until);
        }
    }

    /// A release of production ends by itself, and is started again after a while.
    pub fn crash(&mut self) {
        let service = self.some_service();
        let release = self.tape.one(&[NEW, OLD, FRESH]);
        let until = self.now + nanoseconds(self.tape.one(&[15, 120, 900]) * SECOND);
        if self.target(&service, Environment::Production).crash(release, until) {
            self.happened.insert("a release ended by itself");
            self.tell(|| format!("{release} of {service:?} ends by itself"));
        }
    }

    /// Someone stops a release of production that has no traffic; but the old one is kept to go back to.
    pub fn stop(&mut self) {
        let service = self.some_service();
        let release = self.tape.one(&[NEW, FRESH]);
        if self.target(&service, Environment::Production).stop(release) {
            self.happened.insert("a release was stopped");
            self.tell(|| format!("someone stops {release} of {service:?}"));
        }
    }

    fn some_service(&mut self) -> String {
        let services = stock::labels(&self.plan);
        services[usize::from(self.tape.one(&[0_u8, 1, 2])) % services.len()].clone()
    }

    /// An answer may come a second time, at once or late: perhaps after the next effect began, or to another host.
    pub fn may_repeat(&mut self, answer: &Input) {
        if self.tape.happens(40) {
            let at = self.now + nanoseconds(self.tape.one(&[0, 1, 5, 20, 90]) * SECOND);
            self.again.push((at, answer.clone()));
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

    /// Looks at what serves, after anything may have changed it.
    pub fn serving(&mut self) {
        let seized = self.seized.as_ref().map(|(_, service)| service);
        let mut shares = Vec::new();
        for ((service, environment), target) in &self.targets {
            if *environment != Environment::Production {
                continue;
            }
            self.rules.serving(&self.plan, target);
            if self.touched.contains(service) {
                shares.extend((seized != Some(service)).then(|| target.share(NEW)));
            } else {
                let old = target.share(OLD) == 100 || seized == Some(service);
                self.rules
                    .hold(old, || format!("{service}, which the change does not touch, serves {:?}", target.splits));
            }
        }
        // A person may have it go forward past all steps; and a target may have lied about where a service is.
        let forward = |event: &Event| matches!(event.event, EventKind::RollForwardRequested { .. });
        let is_known = self.productions().all(|(_, target)| !target.told_lies && !target.deceived);
        if is_known && !self.events.iter().any(forward) {
            self.rules.beside(&self.plan, &shares);
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

/// A sleep in the world's time.
pub struct Sleep {
    world: Shared,
    host: u64,
    span: Duration,
    timer: Option<Timer>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        let world = self.world.clone();
        let mut world = world.lock();
        let timer = self.timer.unwrap_or_else(|| {
            let timer = (world.now + nanoseconds(self.span), world.next_timer, self.host);
            world.next_timer += 1;
            world.timers.insert(timer);
            timer
        });
        self.timer = Some(timer);
        if timer.0 > world.now {
            return Poll::Pending;
        }
        world.timers.remove(&timer);
        Poll::Ready(())
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(timer) = self.timer {
            self.world.lock().timers.remove(&timer);
        }
    }
}
