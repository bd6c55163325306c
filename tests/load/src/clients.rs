//! Clients of every [habit](crate::habit) at once, while a front door is changed under them: what they made, and what failed.

use std::{
    collections::BTreeMap,
    fmt,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::Serialize;
use tokio::{sync::watch, task::JoinSet};

use crate::{
    changes::{Change, Kind},
    habit::Habit,
};

/// Longer than anything of this takes.
const PATIENCE: Duration = Duration::from_secs(60);
/// Pause after a failure, so that a front door that is away is not asked without end.
const PAUSE: Duration = Duration::from_millis(20);
/// So many failures are told; more are counted only.
const MOST_TOLD: usize = 50;

/// How many clients of each habit there are.
pub const CROWD: [(Habit, u64); 6] =
    [(Habit::Keep, 32), (Habit::Anew, 4), (Habit::Post, 4), (Habit::Upload, 2), (Habit::Stream, 4), (Habit::Socket, 4)];

/// What came of the requests of one habit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Made {
    /// All that came to an end.
    pub requests: u64,
    /// Those that failed.
    pub failed: u64,
    /// How many were under way when changes of each kind began.
    pub over: BTreeMap<Kind, u64>,
}

/// Everything that the clients saw.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Seen {
    /// By habit.
    pub habits: BTreeMap<Habit, Made>,
    /// What failed, and after which change: the first of them.
    pub failures: Vec<String>,
}

impl Seen {
    /// All requests.
    pub fn requests(&self) -> u64 {
        self.habits.values().map(|made| made.requests).sum()
    }

    /// All that failed.
    pub fn failed(&self) -> u64 {
        self.habits.values().map(|made| made.failed).sum()
    }

    /// The long habits and kinds of changes of which none was ever under way while the other was made: of those nothing is known.
    pub fn missed(&self) -> Vec<(Habit, Kind)> {
        let long = self.habits.iter().filter(|(habit, _)| habit.is_long());
        long.flat_map(|(habit, made)| {
            let none = |kind: &Kind| made.over.get(kind).is_none_or(|count| *count == 0);
            Kind::ALL.into_iter().filter(none).map(|kind| (*habit, kind))
        })
        .collect()
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:16} {:>9} {:>7}", "requests of", "made", "failed")?;
        for kind in Kind::ALL {
            write!(f, "  {:>15}", format!("over {kind}s"))?;
        }
        writeln!(f)?;
        for (habit, made) in &self.habits {
            write!(f, "{habit:16} {:>9} {:>7}", made.requests, made.failed)?;
            for kind in Kind::ALL {
                let over = made.over.get(&kind).copied().unwrap_or_default();
                // A quick one is begun anew before and after each.
                let over = if habit.is_long() { over.to_string() } else { String::new() };
                write!(f, "  {over:>15}")?;
            }
            writeln!(f)?;
        }
        self.failures.iter().try_for_each(|failure| writeln!(f, "{failure}"))
    }
}

/// Clients under way. Dropped, they end at once.
pub struct Clients {
    shared: Arc<Shared>,
    count: u64,
    clients: JoinSet<()>,
}

struct Shared {
    address: SocketAddr,
    ended: watch::Sender<bool>,
    /// Requests that came to an end, well or not.
    made: watch::Sender<u64>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    seen: Seen,
    under_way: BTreeMap<Habit, u64>,
    /// The last change that was begun.
    change: String,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // Counts are whole after every statement.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, what: &str, error: &str) {
        let mut state = self.state();
        let failure = format!("{what}, after {}: {error}", state.change);
        if state.seen.failures.len() < MOST_TOLD {
            state.seen.failures.push(failure);
        }
    }

    /// Does it again and again, until all end.
    async fn client(self: Arc<Self>, habit: Habit, number: u64) {
        let mut kept = None;
        while !*self.ended.borrow() {
            *self.state().under_way.entry(habit).or_default() += 1;
            let once = tokio::time::timeout(PATIENCE, habit.once(self.address, number, &mut kept)).await;
            let once = once.unwrap_or_else(|_| Err(format!("not done in {} s", PATIENCE.as_secs())));
            {
                let mut state = self.state();
                state.under_way.entry(habit).and_modify(|count| *count -= 1);
                let made = state.seen.habits.entry(habit).or_default();
                made.requests += 1;
                made.failed += u64::from(once.is_err());
            }
            self.made.send_modify(|made| *made += 1);
            if let Err(error) = once {
                self.failed(&format!("{habit} of client {number}"), &error);
                kept = None;
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

impl Clients {
    /// Begins with so many clients of each habit, on the current runtime.
    pub fn begin(address: SocketAddr, crowd: &[(Habit, u64)]) -> Self {
        let shared = Arc::new(Shared {
            address,
            ended: watch::Sender::new(false),
            made: watch::Sender::new(0),
            state: Mutex::new(State { change: "the beginning".to_owned(), ..State::default() }),
        });
        let mut clients = JoinSet::new();
        let habits =
            crowd.iter().flat_map(|(habit, count)| std::iter::repeat_n(*habit, usize::try_from(*count).unwrap_or(0)));
        for (number, habit) in (0..).zip(habits) {
            clients.spawn(Arc::clone(&shared).client(habit, number));
        }
        let count = crowd.iter().map(|(_, count)| count).sum();
        Self { shared, count, clients }
    }

    /// Makes a change while the clients go on, and waits until they have made as many more requests as they are.
    pub async fn over<T>(&self, change: &Change, make: impl Future<Output = T>) -> T {
        {
            let mut state = self.shared.state();
            state.change = change.to_string();
            let State { seen, under_way, .. } = &mut *state;
            for (habit, count) in under_way.iter() {
                *seen.habits.entry(*habit).or_default().over.entry(change.kind()).or_default() += count;
            }
        }
        let made = make.await;
        self.go_on(self.count).await;
        made
    }

    /// Waits until so many more requests came to an end. That they do not is a failure too.
    pub async fn go_on(&self, count: u64) {
        let mut made = self.shared.made.subscribe();
        let until = made.borrow().saturating_add(count);
        if tokio::time::timeout(PATIENCE, made.wait_for(|made| *made >= until)).await.is_err() {
            self.shared.failed("the clients stand still", &format!("no {count} requests in {} s", PATIENCE.as_secs()));
        }
    }

    /// Has them end what they are doing, and says what they saw.
    ///
    /// # Errors
    /// When a client ended by a panic.
    pub async fn end(mut self) -> anyhow::Result<Seen> {
        self.shared.ended.send_replace(true);
        while let Some(client) = self.clients.join_next().await {
            client?;
        }
        Ok(std::mem::take(&mut self.shared.state().seen))
    }
}
