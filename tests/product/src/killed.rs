//! A host that is killed again and again while it drives a rollout, and how soon the next one carries on.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::{Duration, Instant},
};

use crate::shop::Shop;

/// The longest that a host may take to put anything on record.
const LIMIT: Duration = Duration::from_secs(20);

/// Steps that last long enough to be killed in often.
const STEPS: [(&str, &str); 2] = [
    (
        "{ traffic = \"5 %\", for = \"600ms\" }, { traffic = \"100 %\", for = \"500ms\" }",
        "{ traffic = \"5 %\", for = \"20s\" }, { traffic = \"50 %\", for = \"20s\" }, { traffic = \"100 %\", for = \"20s\" }",
    ),
    ("monitoring = \"500ms\"", "monitoring = \"20s\""),
];

/// The moments are the same for the same seed.
const SEED: u64 = 4;

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Killed {
    /// How often a host was killed that drove the rollout.
    pub times: usize,
    /// From the start of a host's process to its word on record that it goes on with the run, of each that was left alone until then;
    /// shortest first.
    pub carried_on: Vec<Duration>,
}

impl Killed {
    /// Counts what came of a further rollout.
    pub fn add(&mut self, further: Self) {
        self.times += further.times;
        self.carried_on.extend(further.carried_on);
        self.carried_on.sort_unstable();
    }

    /// The time in the middle.
    ///
    /// # Panics
    /// When none went on.
    pub fn median(&self) -> Duration {
        self.carried_on[self.carried_on.len() / 2]
    }

    /// The longest of all.
    ///
    /// # Panics
    /// When none went on.
    pub fn longest(&self) -> Duration {
        self.carried_on[self.carried_on.len() - 1]
    }
}

/// A shop with clients and errors, whose rollout lasts.
pub fn shop() -> Shop {
    Shop::open_with_errors(&STEPS)
}

/// How long after its start, or after the first thing that it puts on record, a host is killed the nth time.
fn moment(n: usize) -> Duration {
    let mut hasher = DefaultHasher::new();
    (SEED, n).hash(&mut hasher);
    Duration::from_millis(hasher.finish() % 700)
}

/// Has one host after the other drive the shop's run, and kills each of them at a random moment of the rollout in production: of the first,
/// after production has the release. At most so often, or until the run is over.
///
/// # Panics
/// When a host puts nothing on record, or the run is over before its rollout.
pub fn at_random_moments(shop: &Shop, most: usize) -> Killed {
    let mut killed = Killed::default();
    while killed.times < most {
        let begun = Instant::now();
        let mut program = shop.start(&["run"]);
        let mut over = false;
        let mut from = begun;
        if killed.times == 0 {
            program.wait_for("its rollout", LIMIT, |event| {
                event["type"] == "deployed" && event["environment"] == "production"
            });
            from = Instant::now();
        }
        // By turns: wherever it is while it starts, and wherever it is once it goes on, however slow the machine. The first are not timed:
        // only the quick ones of them would be.
        if killed.times % 2 == 1
            && let Some(event) = program.next_event(LIMIT)
        {
            from = Instant::now();
            if event["type"] == "resumed" {
                killed.carried_on.push(begun.elapsed());
            }
        }
        let until = moment(killed.times);
        while let Some(left) = until.checked_sub(from.elapsed()) {
            match program.event_within(left) {
                Some(event) => over |= event["type"] == "finished",
                None => break,
            }
        }
        // One that ended by itself was not killed.
        if over || !program.kill() {
            break;
        }
        killed.times += 1;
    }
    killed.carried_on.sort_unstable();
    killed
}
