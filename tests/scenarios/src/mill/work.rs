//! The logs of a system of workers.

use super::{
    Mill, Timer,
    hand::Grade,
    trouble::{Sort, Trouble},
    words::{CHECKPOINT, CLEANED, DEADLOCK, QUERY, STARTED, STOPPED, TABLES, VACUUM},
};
use crate::random::Random;

/// Lines of a source, each with its second of the log.
type Lines = Vec<(f64, String)>;

/// The sources, by number.
const WORKERS: usize = 0;
const TIMERS: usize = 1;
const DATABASE: usize = 2;

/// How often a task asks the database where that is slow enough to be written, and how often the two wait for each other.
const ASKS: f64 = 0.4;
const LOCKS: f64 = 0.0006;
/// How often memory is cleaned up, by task.
const CLEANS: f64 = 0.2;
/// Median milliseconds of what is asked of the database.
const QUERY_MS: f64 = 35.0;
/// The share of a task that waits for the database where that is slow.
const WAITS: f64 = 0.7;
/// How often a task fails while its partner is away, seconds until it is tried again, and how often that is.
const FAILS_AWAY: f64 = 0.6;
const AGAIN_SECONDS: f64 = 20.0;
const MOST_AGAIN: usize = 4;
/// Seconds until a worker that died is there again.
const BACK_SECONDS: (f64, f64) = (3.0, 20.0);

/// Writes the logs.
pub struct Work<'a> {
    random: &'a mut Random,
    mill: &'a Mill,
    trouble: Option<&'a Trouble>,
    lines: [Lines; 3],
}

impl<'a> Work<'a> {
    pub const fn new(random: &'a mut Random, mill: &'a Mill, trouble: Option<&'a Trouble>) -> Self {
        Self { random, mill, trouble, lines: [Vec::new(), Vec::new(), Vec::new()] }
    }

    /// The logs with their names, each in the order of time.
    pub fn logs(mut self) -> Vec<(String, String)> {
        self.tasks();
        (0..self.mill.timers.len()).for_each(|index| self.timer(index));
        (0..self.mill.meters.len()).for_each(|index| self.meter(index));
        self.starts();
        if self.mill.has_database {
            self.housekeeping();
        }
        let Self { mill, lines, .. } = self;
        let names = ["workers.log", "timerd.log", "postgresql.log"];
        let logs = names.iter().zip(lines).map(|(name, mut lines)| {
            lines.retain(|(at, _)| (0.0..mill.length).contains(at));
            lines.sort_by(|a, b| a.0.total_cmp(&b.0));
            ((*name).to_owned(), lines.into_iter().map(|(_, line)| line).collect::<String>())
        });
        logs.filter(|(_, log)| !log.is_empty()).collect()
    }

    fn say(&mut self, source: usize, at: f64, grade: Grade, text: &str, name: u64) {
        // A statement is always at the same place.
        let place = 10 + text.len() * 13 % 190;
        let text = self.filled(text, name);
        let line = self.mill.hands[source].line(self.mill.start + at, grade, place, &text);
        self.lines[source].push((at, line));
    }

    /// The text with values in its places; all of one task's lines have one name.
    fn filled(&mut self, text: &str, name: u64) -> String {
        let table = *self.random.one_of::<&str>(&TABLES);
        let mut parts = text.split('{');
        let mut all = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let Some((place, rest)) = part.split_once('}') else { continue };
            match place {
                "x" => all.push_str(&format!("{:08x}", name >> 32)),
                "t" => all.push_str(table),
                _ => all.push_str(&(2 + self.random.below(870)).to_string()),
            }
            all.push_str(rest);
        }
        all
    }

    fn is_on(&self, sort: Sort, target: usize, at: f64) -> Option<&'a Trouble> {
        self.trouble.filter(|trouble| trouble.hits(sort, target, at))
    }

    /// When the workers are there again, where they are not.
    fn until_up(&self, at: f64) -> f64 {
        let away = self.mill.deploys.iter().find(|(from, away)| (*from..from + away).contains(&at));
        away.map_or(at, |(from, away)| from + away)
    }

    fn tasks(&mut self) {
        let mill = self.mill;
        // At its busiest, with a mood that is high and a surge.
        let most = 3.0;
        let lots = mill.rate / mill.lot;
        let mut at = 0.0;
        while at < mill.length {
            at += self.random.wait(lots * most);
            if self.random.happens(mill.hours.at(mill.start, at) / most) {
                let task = self.any_task();
                self.lot(at, task);
            }
        }
        if let Some(trouble) = self.trouble.filter(|trouble| trouble.sort == Sort::Surge) {
            let more = lots * mill.tasks[trouble.target].share * (trouble.factor - 1.0);
            let mut at = trouble.from;
            while at < trouble.to {
                at += self.random.wait(more * most);
                if at < trouble.to && self.random.happens(mill.hours.at(mill.start, at) / most) {
                    self.lot(at, trouble.target);
                }
            }
        }
    }

    fn any_task(&mut self) -> usize {
        let mut left = self.random.share();
        let fits = |share: f64| {
            left -= share;
            left < 0.0
        };
        self.mill.tasks.iter().map(|task| task.share).position(fits).unwrap_or(0)
    }

    /// What a customer hands in at once: about so much (geometrically distributed).
    fn lot(&mut self, begun: f64, task: usize) {
        let mut at = begun;
        loop {
            let dry = self.is_on(Sort::DriesUp, task, at).map_or(1.0, |trouble| trouble.factor);
            if self.random.happens(dry) {
                self.task(at, task, 0);
            }
            if self.random.happens(1.0 / self.mill.lot) {
                return;
            }
            at += self.random.between(0.02, 1.5);
        }
    }

    fn task(&mut self, handed: f64, index: usize, again: usize) {
        let mill = self.mill;
        let at = self.until_up(handed);
        let name = self.random.number();
        let task = &mill.tasks[index];
        let words = &mill.domain.tasks[task.words];
        let first = mill.deploys.iter().map(|(from, _)| *from).fold(f64::INFINITY, f64::min);
        let is_told = mill.wordy.is_none_or(|(wordy, since)| wordy != index || (at >= first) == since);
        if is_told {
            self.say(WORKERS, at, Grade::Info, words.begun, name);
        }
        if mill.chatty.iter().any(|(from, to)| (*from..*to).contains(&at)) {
            for step in 0..2 + self.random.below(5) {
                self.say(WORKERS, at + 0.002 * step as f64, Grade::Debug, words.debug, name);
            }
        }
        let mut taken = task.takes * (task.spread * self.random.normal()).exp();
        if let Some(trouble) = self.is_on(Sort::SlowTask, index, at) {
            taken *= trouble.factor;
        }
        let slow = self.trouble.filter(|trouble| trouble.sort == Sort::SlowStore && trouble.is_on(at));
        let slower = slow.map_or(1.0, |trouble| trouble.factor);
        if mill.has_database {
            taken *= 1.0 + WAITS * (slower - 1.0);
            if self.random.happens(ASKS) {
                let asked = mill.hands[DATABASE].taken(QUERY_MS * slower * (0.6 * self.random.normal()).exp());
                // PostgreSQL writes milliseconds whatever the others do.
                let text = QUERY.replace("{d} ms", &asked);
                self.say(DATABASE, at + 0.01, Grade::Info, &text, name);
            }
            if self.random.happens(LOCKS) {
                self.say(DATABASE, at + 0.02, Grade::Error, DEADLOCK, name);
            }
        }
        if mill.cleans && self.random.happens(CLEANS) {
            let (before, after) = (self.random.between(420.0, 500.0), self.random.between(90.0, 140.0));
            let paused = self.random.scale(2.0, 30.0);
            let text = CLEANED
                .replace("{v}", &format!("{before:.0}"))
                .replace("{l}", &format!("{after:.0}"))
                .replace("{d}", &format!("{paused:.1}"));
            self.say(WORKERS, at + 0.03, Grade::Info, &text, name);
        }
        let over = at + taken / 1000.0;
        if let Some(trouble) = self.is_on(Sort::Poison, index, at)
            && self.random.happens(trouble.factor)
        {
            self.say(WORKERS, over, Grade::Error, words.poison, name);
            return;
        }
        let away = self.is_on(Sort::Away, index, at).map(|trouble| trouble.factor);
        let usual = task.away.iter().any(|(from, to)| (*from..*to).contains(&at)).then_some(FAILS_AWAY);
        if self.random.happens(away.or(usual).unwrap_or(task.fails)) {
            let grade = if task.warns { Grade::Warning } else { Grade::Error };
            self.say(WORKERS, over, grade, words.fails, name);
            if again < MOST_AGAIN {
                let later = over + AGAIN_SECONDS * self.random.between(0.5, 2.0);
                self.task(later, index, again + 1);
            }
            return;
        }
        let text = words.done.replace("{d}", &mill.hands[WORKERS].taken(taken));
        self.say(WORKERS, over, Grade::Info, &text, name);
    }

    fn timer(&mut self, index: usize) {
        let Timer { words, every, phase, rows } = self.mill.timers[index];
        let (done, row) = self.mill.domain.timers[words];
        let mut due = phase;
        while due < self.mill.length {
            let at = due + self.random.between(0.0, 0.02) * every.min(60.0);
            due += every;
            if self.is_on(Sort::TimerStops, index, at).is_some() {
                continue;
            }
            let number = if rows == 0 { 0 } else { self.random.below(2 * rows + 1) };
            for step in 0..number {
                self.say(TIMERS, at + 0.1 * step as f64, Grade::Info, row, 0);
            }
            self.say(TIMERS, at + 0.1 * number as f64, Grade::Info, done, 0);
        }
    }

    fn meter(&mut self, index: usize) {
        let meter = &self.mill.meters[index];
        let text = self.mill.domain.meters[meter.words];
        let mut at = self.random.between(0.0, meter.every);
        while at < self.mill.length {
            let grown = self.is_on(Sort::Fills, index, at).map_or(0.0, |trouble| trouble.gone(meter, at));
            let share = (meter.usual + grown + meter.varies * self.random.normal()).clamp(0.0, 1.0);
            let text = text
                .replace("{v}", &format!("{:.0}", share * meter.limit))
                .replace("{l}", &format!("{:.0}", meter.limit))
                .replace("{p}", &format!("{:.1}", share * 100.0));
            self.say(WORKERS, at, Grade::Info, &text, 0);
            at += meter.every * self.random.between(0.98, 1.02);
        }
    }

    fn starts(&mut self) {
        let mill = self.mill;
        for (at, away) in &mill.deploys {
            self.say(WORKERS, *at, Grade::Info, STOPPED, 0);
            self.come_up(at + away);
        }
        let Some(trouble) = self.trouble else { return };
        for at in &trouble.deaths {
            if trouble.sort == Sort::Killed {
                self.say(WORKERS, *at, Grade::Fatal, mill.domain.killed, 0);
            } else {
                let text = self.filled(mill.domain.panic.0, 0);
                self.lines[WORKERS].push((*at, text));
            }
            let (least, most) = BACK_SECONDS;
            let up = at + self.random.between(least, most);
            self.come_up(up);
        }
    }

    fn come_up(&mut self, at: f64) {
        for (step, text) in STARTED.iter().enumerate() {
            self.say(WORKERS, at + 0.2 * step as f64, Grade::Info, text, 0);
        }
    }

    /// What a database does by itself.
    fn housekeeping(&mut self) {
        let every = (self.mill.length / 150.0).max(300.0);
        let mut at = self.random.between(0.0, every);
        while at < self.mill.length {
            self.say(DATABASE, at, Grade::Info, CHECKPOINT, 0);
            at += every + self.random.between(-2.0, 2.0);
        }
        let mut at = self.random.wait(2.0 / every);
        while at < self.mill.length {
            self.say(DATABASE, at, Grade::Info, VACUUM, 0);
            at += self.random.wait(2.0 / every);
        }
    }
}
