//! What goes wrong with a system of workers, and what issues are right about it.

use super::{
    Meter, Mill, Style,
    words::{CLEANED, DEADLOCK, SLOW, STARTED, STOPPED},
};
use crate::{Truth, random::Random, service::mark};

const BURST: &str = "error-burst";
const NEW: &str = "new-pattern";
const CRITICAL: &str = "critical-error";
const RATE: &str = "rate-change";
const SLOWER: &str = "latency-regression";
const SILENT: &str = "vanished-heartbeat";
const TREND: &str = "prediction";

/// One way to go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// Somebody hands in what cannot be worked on.
    Poison,
    /// A partner is away for far longer than ever.
    Away,
    /// The database takes longer, and with it all that asks it.
    SlowStore,
    /// One sort of work takes longer.
    SlowTask,
    /// What runs at set times does not any more.
    TimerStops,
    /// A measured value goes to its limit.
    Fills,
    /// The kernel kills a worker for want of memory.
    Killed,
    /// Workers die of what they do not catch.
    Panics,
    /// Much more of one sort is handed in.
    Surge,
    /// Much less is.
    DriesUp,
}

impl Sort {
    pub const ALL: [Self; 10] = [
        Self::Poison,
        Self::Away,
        Self::SlowStore,
        Self::SlowTask,
        Self::TimerStops,
        Self::Fills,
        Self::Killed,
        Self::Panics,
        Self::Surge,
        Self::DriesUp,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Poison => "poison",
            Self::Away => "partner away",
            Self::SlowStore => "slow store",
            Self::SlowTask => "slow task",
            Self::TimerStops => "timer stops",
            Self::Fills => "fills up",
            Self::Killed => "killed",
            Self::Panics => "panics",
            Self::Surge => "surge",
            Self::DriesUp => "dries up",
        }
    }
}

/// Something that goes wrong.
#[derive(Clone, Debug)]
pub struct Trouble {
    pub sort: Sort,
    pub from: f64,
    pub to: f64,
    /// How many times as much or as long, or which share.
    pub factor: f64,
    /// Which task, timer or meter.
    pub target: usize,
    /// When a worker died.
    pub deaths: Vec<f64>,
}

/// The least lines of a task that something changes in, and how many lots of them: of fewer nobody could tell.
const LEAST_LINES: f64 = 60.0;
const LEAST_LOTS: f64 = 40.0;
/// How often a time is looked for in which there are so many.
const TRIES: usize = 200;
/// The least share of the log before it begins, and that it lasts.
const BEFORE: f64 = 0.3;
const LASTS: f64 = 0.06;
/// A partner is away so many times as long as ever.
const FAR_LONGER: f64 = 8.0;

impl Trouble {
    pub fn any(random: &mut Random, mill: &mut Mill) -> Self {
        let sort = *random.one_of(&Sort::ALL);
        let length = mill.length;
        let from = random.between(BEFORE, 0.8) * length;
        let mut trouble = Self { sort, from, to: length, factor: 1.0, target: 0, deaths: Vec::new() };
        match sort {
            Sort::Poison | Sort::Away | Sort::SlowStore | Sort::SlowTask | Sort::Surge | Sort::DriesUp => {
                trouble.hit_a_task(random, mill);
            }
            Sort::TimerStops => {
                // One whose absence can be told from one late run.
                trouble.target = (0..mill.timers.len())
                    .min_by(|a, b| mill.timers[*a].every.total_cmp(&mill.timers[*b].every))
                    .unwrap_or(0);
                let every = mill.timers[trouble.target].every;
                trouble.from = from.min(length - 12.0 * every).max(8.0 * every);
            }
            Sort::Fills => {
                trouble.target = random.below(mill.meters.len());
                trouble.from = random.between(BEFORE, 0.6) * length;
                // Where it gets to by the end, of what was left.
                trouble.factor = random.between(0.6, 0.92);
            }
            Sort::Killed | Sort::Panics => {
                if sort == Sort::Panics && !mill.hands[0].style.takes_traces() {
                    mill.hands[0].style = Style::Python;
                }
                trouble.to = (from + random.between(0.05, 0.3) * length).min(length);
                let deaths = if sort == Sort::Killed { 1 + random.below(4) } else { 8 + random.below(8) };
                trouble.deaths = (0..deaths).map(|_| random.between(trouble.from, trouble.to)).collect();
                trouble.deaths.sort_by(f64::total_cmp);
                trouble.from = trouble.deaths[0];
            }
        }
        if sort == Sort::SlowStore {
            mill.has_database = true;
        }
        trouble
    }

    /// Chooses a task and a time in which enough of it comes.
    fn hit_a_task(&mut self, random: &mut Random, mill: &mut Mill) {
        let length = mill.length;
        let least = LEAST_LINES.max(LEAST_LOTS * mill.lot);
        for _ in 0..TRIES {
            self.target = random.below(mill.tasks.len());
            self.from = random.between(BEFORE, 0.85) * length;
            self.to = if random.happens(0.5) {
                length
            } else {
                (self.from + random.between(LASTS, 0.3) * length).min(length)
            };
            if self.to - self.from >= LASTS * length
                && mill.expected(self.target, self.from, self.to) >= least
                && mill.expected(self.target, 0.0, self.from) >= least
            {
                break;
            }
        }
        let task = &mut mill.tasks[self.target];
        match self.sort {
            Sort::Poison => self.factor = random.between(0.15, 0.6),
            Sort::Away => {
                let longest = (self.to - self.from) / FAR_LONGER;
                for (from, to) in &mut task.away {
                    *to = to.min(*from + longest);
                }
                self.factor = random.between(0.3, 0.9);
            }
            Sort::SlowStore | Sort::SlowTask => self.factor = random.scale(1.8, 6.0),
            Sort::Surge => self.factor = random.scale(2.5, 8.0),
            _ => self.factor = random.between(0.02, 0.4),
        }
        // The wording stays while something else changes.
        mill.wordy = mill.wordy.filter(|(task, _)| *task != self.target);
    }

    /// Whether it is there, in this task, timer or meter.
    pub fn hits(&self, sort: Sort, target: usize, at: f64) -> bool {
        self.sort == sort && self.target == target && self.is_on(at)
    }

    pub fn is_on(&self, at: f64) -> bool {
        (self.from..self.to).contains(&at)
    }

    /// How much of what is left up to its limit a meter has gone.
    pub fn gone(&self, meter: &Meter, at: f64) -> f64 {
        let left = 1.0 - meter.usual;
        left * self.factor * ((at - self.from) / (self.to - self.from)).clamp(0.0, 1.0)
    }

    /// What tells of it best, and what comes of it.
    pub fn truth(&self, mill: &Mill) -> Truth {
        let domain = mill.domain;
        let task = |index: usize| &domain.tasks[mill.tasks[index].words];
        let mut also: Vec<(&'static str, String)> = Vec::new();
        let mut add = |kinds: &[&'static str], text: &str| also.extend(kinds.iter().map(|kind| (*kind, mark(text))));
        let of_task = |add: &mut dyn FnMut(&[&'static str], &str), index: usize, kinds: &[&'static str]| {
            for text in [task(index).begun, task(index).done, task(index).debug] {
                add(kinds, text);
            }
        };
        let (kinds, mark) = match self.sort {
            Sort::Poison => {
                add(&[RATE, SILENT], task(self.target).done);
                (vec![NEW, BURST], mark(task(self.target).poison))
            }
            Sort::Away => {
                add(&[RATE, SILENT], task(self.target).done);
                // What fails is begun anew.
                add(&[RATE], task(self.target).begun);
                (vec![BURST, NEW], mark(task(self.target).fails))
            }
            Sort::SlowStore => {
                (0..mill.tasks.len()).for_each(|index| add(&[SLOWER], task(index).done));
                (vec![SLOWER], SLOW.to_owned())
            }
            Sort::SlowTask => (vec![SLOWER], mark(task(self.target).done)),
            Sort::TimerStops => {
                let (done, row) = domain.timers[mill.timers[self.target].words];
                add(&[SILENT, RATE], row);
                (vec![SILENT, RATE], mark(done))
            }
            Sort::Fills => (vec![TREND], mark(domain.meters[mill.meters[self.target].words])),
            Sort::Killed | Sort::Panics => {
                STARTED.iter().chain([&STOPPED]).for_each(|text| add(&[RATE, NEW], text));
                (0..mill.tasks.len()).for_each(|index| of_task(&mut add, index, &[RATE, SILENT]));
                if self.sort == Sort::Killed {
                    (vec![CRITICAL, NEW, BURST], mark(domain.killed))
                } else {
                    (vec![NEW, CRITICAL, BURST], domain.panic.1.to_owned())
                }
            }
            Sort::Surge | Sort::DriesUp => {
                let kinds: &[&'static str] = if self.sort == Sort::Surge { &[RATE] } else { &[RATE, SILENT] };
                of_task(&mut add, self.target, kinds);
                // What each task asks the database, and what is cleaned up after it, follows.
                add(kinds, CLEANED);
                add(kinds, SLOW);
                add(&[BURST], task(self.target).fails);
                add(&[BURST], DEADLOCK);
                (kinds.to_vec(), mark(task(self.target).done))
            }
        };
        Truth { what: self.sort.name(), kinds, marks: vec![mark], also, cause: None, is_one: false }
    }
}
