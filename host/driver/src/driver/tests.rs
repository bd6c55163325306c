//! Runs in a world where nobody has a fix, under a clock that the test sets.

use std::sync::Mutex;

use autodevops_model::{Capabilities, Issue, IssueKind, Severity};
use autodevops_pipeline::{EventKind, Glance, Live, Plan, Sample};

use super::*;
use crate::{
    clock::Steady,
    parts::{Account, Clock, Later, Ledger, World},
};

/// The world, and what runs have on record in it, each under its name.
#[derive(Default)]
struct Nowhere {
    steady: Steady,
    /// What the machine's clock shows, and what it showed since it was started, in seconds.
    shows: Mutex<(u64, u64)>,
    /// How long was slept, where sleeping comes to an end here.
    slept: Mutex<Option<Vec<Duration>>>,
    written: Mutex<Vec<(String, Event)>>,
}

impl Nowhere {
    fn set(&self, wall: u64, monotonic: u64) {
        *self.shows.lock().unwrap() = (wall, monotonic);
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
        let (_, words) = mpsc::channel(1);
        Driver::new(parts(self), self.logged(id), words, false)
    }

    fn logged(&self, id: &str) -> Logged {
        let issue = Issue::new("f00d", IssueKind::Exception, Severity::Error, "TypeError");
        let can = Capabilities {
            split_traffic: true,
            preview: true,
            instant_rollback: true,
            fenced: true,
            keeps_state: true,
            fresh_baseline: false,
        };
        let live = vec![Live::default()];
        let event = Run::started(id, issue, Plan::defaults("shop"), "base", 1, live, can, self.now());
        Logged { run: Run::start(&event).unwrap(), events: vec![event], version: 1 }
    }
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

    fn effect<'a>(&'a self, _: &'a Run, command: &'a Command, _: bool) -> Later<'a, Input> {
        panic!("nothing is to be done: {command:?}");
    }

    fn renew<'a>(&'a self, _: &'a Run) -> Later<'a, Vec<String>> {
        Box::pin(async { Vec::new() })
    }

    fn glance<'a>(&'a self, _: &'a Run, _: &'a Glance) -> Later<'a, Vec<Sample>> {
        Box::pin(async { Vec::new() })
    }

    fn renewal(&self) -> Duration {
        Duration::from_secs(10)
    }

    fn free(&self, _: &Run) {}

    fn clean(&self, _: &Run) {}
}

impl Ledger for Nowhere {
    fn append(&self, run: &Run, version: u64, events: &[Event]) -> Result<u64, AppendError> {
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
        self.steady.read(Timestamp::default().after(Duration::from_secs(wall)), Duration::from_secs(monotonic))
    }

    fn falls(&self) -> Falls {
        self.now();
        self.steady.falls()
    }

    fn not_before(&self, moment: Timestamp) {
        let (_, monotonic) = *self.shows.lock().unwrap();
        self.steady.not_before(moment, Duration::from_secs(monotonic));
    }

    fn sleep(&self, span: Duration) -> Later<'_, ()> {
        match &mut *self.slept.lock().unwrap() {
            Some(slept) => {
                slept.push(span);
                Box::pin(std::future::ready(()))
            }
            None => Box::pin(std::future::pending()),
        }
    }
}

impl Observer for Nowhere {
    fn event(&self, _: &Run, _: &Event) {}

    fn doing(&self, _: &Run, _: &Command) {}

    fn notice(&self, text: &str) {
        panic!("nothing else is to be said: {text}");
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
    let world = Arc::new(Nowhere::default());
    world.set(1_000, 10);
    *world.slept.lock().unwrap() = Some(Vec::new());
    let mut driver = world.driver("a");
    let slept = || std::mem::take(world.slept.lock().unwrap().as_mut().unwrap());
    for _ in 0..30 {
        driver.rest(Timestamp::default()).await.unwrap();
    }
    let spans = slept();
    assert_eq!(spans.len(), 27, "it is asked again at once a few times: {spans:?}");
    assert_eq!((spans[0], spans[26]), (Duration::from_millis(10), NAP));
    assert!(spans.is_sorted() && spans.windows(2).all(|pair| pair[1] <= pair[0] * 2), "{spans:?}");
}
