//! Runs in a world where nobody has a fix, under a clock that the test sets.

use std::sync::Mutex;

use autodevops_model::{
    Capabilities, Deployment, Edit, FileChange, Fix, Issue, IssueKind, Measurement, Observation, Rate, Release, Risk,
    RollbackPlan, Severity, Window,
};
use autodevops_pipeline::{EffectOutcome, EventKind, Glance, Live, Origin, Plan, Sample, Service};

use super::*;
use crate::{
    clock::Steady,
    parts::{Account, Clock, Later, Ledger, World},
};

/// The world, and what runs have on record in it, each under its name.
#[derive(Default)]
struct Nowhere {
    steady: Steady,
    /// What the machine's clock shows, and what it showed since it was started.
    shows: Mutex<(Duration, Duration)>,
    /// How long was slept, where sleeping comes to an end here; the clock goes on by that.
    slept: Mutex<Option<Vec<Duration>>>,
    written: Mutex<Vec<(String, Event)>>,
    /// The kind of event for which there is no room, and how many times there is none.
    full: Mutex<(&'static str, u32)>,
    /// Of each notification that was sent, whether it may have been sent before.
    sent: Mutex<Vec<bool>>,
    /// How often others were let have what a run had to itself.
    freed: Mutex<u32>,
    glances: Mutex<u32>,
}

impl Nowhere {
    fn set(&self, wall: u64, monotonic: u64) {
        *self.shows.lock().unwrap() = (Duration::from_secs(wall), Duration::from_secs(monotonic));
    }

    fn goes_on(&self, span: Duration) {
        let mut shows = self.shows.lock().unwrap();
        *shows = (shows.0 + span, shows.1 + span);
    }

    /// By how much runs have it on record that the clock went back, in seconds, in the order of their words.
    fn told(&self) -> Vec<(String, u64)> {
        let of = |(run, event): &(String, Event)| match &event.event {
            EventKind::ClockWentBack { behind, .. } => Some((run.clone(), behind.as_secs())),
            _ => None,
        };
        self.written.lock().unwrap().iter().filter_map(of).collect()
    }

    fn driver(self: &Arc<Self>, id: &str) -> Driver {
        self.drives(self.logged(id))
    }

    fn drives(self: &Arc<Self>, logged: Logged) -> Driver {
        let (_, words) = mpsc::channel(1);
        Driver::new(parts(self), logged, words, false)
    }

    /// How long was slept since it was asked last.
    fn slept(&self) -> Vec<Duration> {
        self.slept.lock().unwrap().replace(Vec::new()).unwrap_or_default()
    }

    fn logged(&self, id: &str) -> Logged {
        self.planned(id, Plan::defaults("shop"))
    }

    fn planned(&self, id: &str, plan: Plan) -> Logged {
        let issue = Issue::new("f00d", IssueKind::Exception, Severity::Error, "TypeError");
        let can = Capabilities {
            split_traffic: true,
            preview: true,
            instant_rollback: true,
            fenced: true,
            keeps_state: true,
            fresh_baseline: false,
        };
        let live = Live { staging: Some(release("old")), production: Some(release("old")) };
        let live = vec![live; plan.services.len()];
        let event = Run::started(id, issue, plan, "base", 1, live, can, self.now());
        Logged { run: Run::start(&event).unwrap(), events: vec![event], version: 1 }
    }
}

fn release(id: &str) -> Release {
    Release { id: id.into(), artifact: format!("sha256:{id}"), commit: format!("{id}-commit") }
}

fn parts(world: &Arc<Nowhere>) -> Parts {
    let (ledger, account) = (Arc::clone(world), Arc::clone(world));
    let (clock, observer) = (Arc::clone(world), Arc::clone(world));
    Parts { ledger, world: Arc::clone(world) as _, account, clock, observer }
}

impl World for Nowhere {
    fn perform<'a>(&'a self, _: &'a Run, command: &'a Command) -> Later<'a, Input> {
        assert!(matches!(command, Command::Propose { .. }), "{command:?}");
        Box::pin(async { Input::NoProposal { reason: "nobody knows".into() } })
    }

    fn effect<'a>(&'a self, _: &'a Run, command: &'a Command, again: bool) -> Later<'a, Input> {
        let Command::Notify { key, .. } = command else { panic!("nothing is to be done: {command:?}") };
        self.sent.lock().unwrap().push(again);
        Box::pin(async { Input::Effect { key: key.clone(), outcome: EffectOutcome::Done } })
    }

    fn renew<'a>(&'a self, _: &'a Run) -> Later<'a, Vec<String>> {
        Box::pin(async { Vec::new() })
    }

    fn glance<'a>(&'a self, _: &'a Run, _: &'a Glance) -> Later<'a, Vec<Sample>> {
        let mut glances = self.glances.lock().unwrap();
        *glances += 1;
        // The second is never over.
        if *glances > 1 { Box::pin(std::future::pending()) } else { Box::pin(async { Vec::new() }) }
    }

    fn renewal(&self) -> Duration {
        Duration::from_secs(10)
    }

    fn free(&self, _: &Run) {
        *self.freed.lock().unwrap() += 1;
    }

    fn clean(&self, _: &Run) {}
}

impl Ledger for Nowhere {
    fn append(&self, run: &Run, version: u64, events: &[Event]) -> Result<u64, AppendError> {
        let mut full = self.full.lock().unwrap();
        if full.1 > 0 && events.iter().any(|event| event.event.name() == full.0) {
            full.1 -= 1;
            return Err(AppendError::Full { path: "journal.db".into() });
        }
        self.written.lock().unwrap().extend(events.iter().map(|event| (run.id().to_owned(), event.clone())));
        Ok(version + events.len() as u64)
    }

    fn next_fence(&self) -> Result<u64> {
        Ok(2)
    }
}

impl Account for Nowhere {
    fn take_over(&self, _: &Run) {}

    fn recorded(&self, _: &Run, _: u64, _: Option<&'static str>) {}

    fn let_go(&self, _: &Run, _: u64) {}
}

impl Clock for Nowhere {
    fn now(&self) -> Timestamp {
        let (wall, monotonic) = *self.shows.lock().unwrap();
        self.steady.read(Timestamp::default().after(wall), monotonic)
    }

    fn falls(&self) -> Falls {
        self.now();
        self.steady.falls()
    }

    fn not_before(&self, moment: Timestamp) {
        let (_, monotonic) = *self.shows.lock().unwrap();
        self.steady.not_before(moment, monotonic);
    }

    fn sleep(&self, span: Duration) -> Later<'_, ()> {
        if self.slept.lock().unwrap().is_none() {
            return Box::pin(std::future::pending());
        }
        Box::pin(async move {
            self.slept.lock().unwrap().get_or_insert_default().push(span);
            self.goes_on(span);
        })
    }
}

impl Observer for Nowhere {
    fn event(&self, _: &Run, _: &Event) {}

    fn doing(&self, _: &Run, _: &Command) {}

    fn notice(&self, text: &str) {
        assert!(text.starts_with("no space is left"), "nothing else is to be said: {text}");
    }
}

#[tokio::test]
async fn each_run_under_way_has_it_on_record_that_the_clock_went_back_and_none_that_came_later() {
    let world = Arc::new(Nowhere::default());
    world.set(1_000, 10);
    let mut under_way = [world.driver("a"), world.driver("b")];
    world.set(900, 11);
    // It begins at the time as it is told by then.
    let mut later = world.driver("c");
    for driver in &mut under_way {
        assert!(matches!(driver.drive().await.unwrap(), End::Finished(Outcome::HandedOver { .. })));
    }
    later.drive().await.unwrap();
    assert_eq!(world.told(), [("a".into(), 101), ("b".into(), 101)]);
}

#[tokio::test]
async fn a_run_that_has_a_later_time_on_record_than_the_clock_shows_is_told() {
    let before = Nowhere::default();
    before.set(1_000, 10);
    let logged = before.logged("a");
    let world = Arc::new(Nowhere::default());
    world.set(700, 1);
    let (_, words) = mpsc::channel(1);
    Driver::new(parts(&world), logged, words, false).drive().await.unwrap();
    assert_eq!(world.told(), [("a".into(), 300)]);
}

#[tokio::test]
async fn where_there_is_nothing_to_wait_for_again_and_again_the_driver_sleeps_ever_longer() {
    for is_now in [false, true] {
        let world = Arc::new(Nowhere::default());
        world.set(1_000, 10);
        world.slept();
        let mut driver = world.driver("a");
        for _ in 0..30 {
            let until = if is_now { driver.now() } else { Timestamp::default() };
            driver.rest(until).await.unwrap();
        }
        let spans = world.slept();
        assert_eq!(spans.len(), 27, "it is asked again at once a few times: {spans:?}");
        assert_eq!((spans[0], spans[26]), (Duration::from_millis(10), NAP));
        assert!(spans.is_sorted() && spans.windows(2).all(|pair| pair[1] <= pair[0] * 2), "{spans:?}");
    }
}

#[tokio::test]
async fn where_there_is_something_to_wait_for_the_driver_waits_for_that_and_no_longer() {
    let world = Arc::new(Nowhere::default());
    world.set(1_000, 10);
    world.slept();
    let mut driver = world.driver("a");
    for _ in 0..6 {
        driver.rest(driver.now().after(Duration::from_secs(25))).await.unwrap();
    }
    assert_eq!(world.slept().iter().sum::<Duration>(), Duration::from_secs(150));
}

#[tokio::test]
async fn where_something_came_of_a_moment_or_there_was_no_room_for_it_the_driver_asks_again_at_once() {
    for (full, spans) in [(0, vec![]), (1, vec![Duration::from_secs(2)])] {
        let world = Arc::new(Nowhere::default());
        world.set(1_000, 10);
        world.slept();
        // Whoever wrote that a fix is there ended before it was reviewed.
        let mut logged = world.logged("a");
        let proposed = Input::Proposed { plugin: "recipes".into(), fix: fix(&["cart.js"]) };
        let events = logged.run.decide(proposed, world.now()).unwrap();
        logged.run.apply(&events[0]);
        let mut driver = world.drives(logged);
        *world.full.lock().unwrap() = ("reviewed", full);
        for _ in 0..3 {
            assert_eq!(driver.idle.pause("a"), Duration::ZERO);
        }
        driver.rest(driver.now()).await.unwrap();
        assert_eq!(world.slept(), spans);
    }
}

fn fix(paths: &[&str]) -> Box<Fix> {
    let edit = |path: &&str| Edit { path: (*path).into(), base_sha256: None, change: FileChange::Create("x".into()) };
    Box::new(Fix {
        title: "Guard the total".into(),
        root_cause: "an empty cart has none".into(),
        confidence: 0.75,
        risk: Risk::Low,
        edits: paths.iter().map(edit).collect(),
        tests: Vec::new(),
        rollback: RollbackPlan { summary: "go back".into(), previous_release_suffices: true, state: Vec::new() },
    })
}

/// Whose runs tell people of their end.
fn telling() -> Plan {
    Plan { notifiers: vec!["chat".into()], ..Plan::defaults("shop") }
}

#[tokio::test]
async fn an_effect_is_done_once_and_what_came_of_it_is_written_once_there_is_room() {
    for full in [0, 3] {
        let world = Arc::new(Nowhere::default());
        world.set(1_000, 10);
        world.slept();
        *world.full.lock().unwrap() = ("effect-done", full);
        let end = world.drives(world.planned("a", telling())).drive().await.unwrap();
        assert!(matches!(end, End::Finished(Outcome::HandedOver { .. })), "{end:?}");
        assert_eq!(*world.sent.lock().unwrap(), [false], "it is not sent again, nor taken for sent before");
        let written = world.written.lock().unwrap();
        assert_eq!(written.iter().filter(|(_, event)| event.event.name() == "effect-done").count(), 1);
    }
}

#[tokio::test]
async fn others_are_let_have_what_a_run_had_to_itself_once_and_when_it_ends() {
    let world = Arc::new(Nowhere::default());
    world.set(1_000, 10);
    let service = |name: &str| Service {
        name: name.into(),
        paths: vec![name.into()],
        staging: format!("staging-{name}"),
        production: format!("production-{name}"),
    };
    let plan = Plan { services: vec![service("cart"), service("shop")], ..telling() };
    let mut driver = world.drives(world.planned("a", plan));
    let freed = || *world.freed.lock().unwrap();
    let (by, reason) = (|| "ada".to_owned(), || "enough".to_owned());
    driver.take(Input::Proposed { plugin: "recipes".into(), fix: fix(&["cart/a.js"]) }).await.unwrap().unwrap();
    assert_eq!(freed(), 0, "it has none yet");
    let key = driver.run.commands(driver.now())[0].key().unwrap().to_owned();
    let claimed = Input::Claimed { key, fence: 2, base: "base".into(), live: driver.run.live() };
    driver.take(claimed).await.unwrap().unwrap();
    driver.take(Input::Hold { by: by(), reason: reason() }).await.unwrap().unwrap();
    assert_eq!((driver.run.claimed_services(), freed()), (vec!["cart".to_owned()], 0));
    driver.take(Input::Abort { by: by(), reason: reason() }).await.unwrap().unwrap();
    assert_eq!((driver.run.claimed_services(), driver.run.outcome(), freed()), (Vec::new(), None, 1));
    driver.drive().await.unwrap();
    assert_eq!(freed(), 1);
}

fn all_is_well(window: Window) -> Sample {
    let seen = Measurement {
        metric: "error-rate".into(),
        unit: "ratio".into(),
        release: "new".into(),
        observation: Observation::Rate(Rate { events: 0, total: 1000 }),
        window: window.clone(),
    };
    let (service, source, origin) = (String::new(), "edge".into(), Origin::default());
    Sample { service, source, origin, observed_by_host: true, window, measurements: vec![seen] }
}

/// A run whose release has a part of production's traffic, and is watched.
fn exposed(world: &Nowhere) -> Logged {
    let mut plan = Plan::defaults("shop");
    plan.soak = plan.interval;
    plan.triggers.truncate(1);
    let mut logged = world.planned("a", plan);
    while logged.run.glance(world.now()).is_none() {
        let command = logged.run.commands(world.now()).remove(0);
        let key = command.key().map(str::to_owned).unwrap_or_default();
        let mut inputs = Vec::from_iter(command.needs_intent().then(|| Input::Intent { key: key.clone() }));
        inputs.push(match command {
            Command::Propose { .. } => Input::Proposed { plugin: "recipes".into(), fix: fix(&["cart.js"]) },
            Command::Commit { .. } => Input::Committed { key, branch: "fix/1".into(), commit: "new-commit".into() },
            Command::Build { .. } => Input::Built { key, release: release("new") },
            Command::AutomatedTests { .. } => Input::AutomatedTested { key, reports: Vec::new() },
            Command::Deploy { release, .. } => {
                let outcome = EffectOutcome::Deployed(Deployment { release, url: None });
                Input::Effect { key, outcome }
            }
            Command::SetTraffic { .. } => Input::Effect { key, outcome: EffectOutcome::Done },
            Command::AskApproval { .. } => {
                Input::Approve { by: "ada".into(), reason: "it is read".into(), bypass: false, link: None }
            }
            Command::Measure { windows, .. } => {
                Input::Measured { samples: windows.into_iter().map(all_is_well).collect(), error: None }
            }
            Command::WaitUntil(until) => {
                world.goes_on(Duration::from_nanos((until.0 - world.now().0).unsigned_abs()));
                Input::Tick
            }
            command => panic!("{command:?}"),
        });
        for input in inputs {
            for event in logged.run.decide(input, world.now()).unwrap() {
                logged.run.apply(&event);
            }
        }
    }
    logged
}

#[tokio::test]
async fn a_glance_that_says_nothing_is_no_reason_to_give_up_what_there_is_no_room_for() {
    let world = Arc::new(Nowhere::default());
    world.set(1_000, 10);
    world.slept();
    let mut driver = world.drives(exposed(&world));
    assert!(!driver.heard_before_there_is_room().await.unwrap());
    assert_eq!((*world.glances.lock().unwrap(), world.written.lock().unwrap().len()), (2, 0));
}
