//! A service, and the log that it writes.

use crate::{
    form::{Form, Level},
    incident::{Incident, Truth},
    random::Random,
};

const COMPONENTS: [&str; 8] = ["Orders", "Cart", "payments", "auth", "gateway", "scheduler", "mailer", "search"];
const VERBS: [&str; 12] = [
    "accepted",
    "stored",
    "sent",
    "loaded",
    "resolved",
    "refreshed",
    "queued",
    "parsed",
    "matched",
    "signed",
    "flushed",
    "opened",
];
const NOUNS: [&str; 12] =
    ["order", "cart", "invoice", "session", "token", "mail", "index", "customer", "price", "stock", "report", "basket"];
const TAILS: [&str; 8] = [
    "for user {n}",
    "from {ip}",
    "with id {hex}",
    "in region eu",
    "on shard {n}",
    "by rule {n}",
    "at /srv/{n}",
    "of tenant {n}",
];
const FAULTS: [&str; 10] = [
    "cannot reach database primary",
    "upstream answered 502 for request {n}",
    "payment was declined by provider code {n}",
    "deadlock found when updating row {n}",
    "token of user {n} has a bad signature",
    "queue consumer lost its lease {hex}",
    "could not write file /var/spool/{n}",
    "certificate of {ip} was rejected",
    "lock on ledger {n} was not granted",
    "schema of message {hex} is unknown",
];
const DEADLY: [&str; 4] = [
    "out of memory: cannot allocate {n} bytes",
    "panic: runtime error: index out of range [{n}]",
    "no space left on device while writing segment {n}",
    "database system is corrupt: page {n}",
];
const GAUGES: [(&str, f64); 6] = [
    ("disk usage on /data is {v}%", 100.0),
    ("connection pool: {v}/80 in use", 80.0),
    ("heap used={v}MB max=2048MB", 2048.0),
    ("queue depth={v} limit=5000", 5000.0),
    ("memory at {v} % of the container", 100.0),
    ("open file descriptors: {v} of 1024", 1024.0),
];
const TIMED: [&str; 6] = [
    "GET /api/{noun}/{n} 200 in {d}ms",
    "query on {noun} took {d} ms",
    "rendered {noun} page duration={d}ms",
    "call to {noun} service finished elapsed_ms={d}",
    "{noun} lookup completed in {s}s",
    "handled rpc {noun}.Get latency={d}ms status=OK",
];
const BEATS: [&str; 5] =
    ["heartbeat ok", "leader lease renewed", "health probe passed", "metrics were pushed", "cluster member is alive"];

/// Lines of one statement.
struct Statement {
    level: Level,
    component: &'static str,
    text: String,
    /// A second, on average.
    rate: f64,
    kind: Kind,
}

#[derive(PartialEq)]
enum Kind {
    /// Follows the traffic.
    Traffic,
    /// Comes at even times.
    Beat,
    /// Follows the traffic, with a duration of this median in milliseconds and this spread.
    Timed { median: f64, spread: f64 },
    /// Comes at even times, with a value around this one.
    Gauge { value: f64, limit: f64 },
}

/// A service, with what will go wrong.
pub struct Service {
    form: Form,
    incident: Incident,
    start: f64,
    length: f64,
    statements: Vec<Statement>,
    /// Amplitude, length in seconds and phase of the season.
    season: (f64, f64, f64),
    /// How much traffic varies from minute to minute.
    noise: f64,
    deploys: Vec<(f64, f64)>,
    /// Which statement goes wrong, from when to when, how much.
    target: usize,
    from: f64,
    to: f64,
    factor: f64,
}

impl Service {
    pub fn any(random: &mut Random, incident: Incident) -> Self {
        let length = random.scale(1800.0, 30_000.0);
        // Between 3,000 and 40,000 lines, whatever the length.
        let traffic = random.scale(3000.0, 40_000.0) / length;
        let mut statements = Vec::new();
        let ordinary = 5 + random.below(14);
        let mut weights: Vec<f64> = (0..ordinary).map(|_| random.scale(0.03, 1.0)).collect();
        let sum: f64 = weights.iter().sum();
        weights.iter_mut().for_each(|weight| *weight /= sum);
        for (index, weight) in weights.iter().enumerate() {
            let text =
                format!("{} {} {}", NOUNS[index % 12], VERBS[(index * 7 + index / 12) % 12], random.one_of(&TAILS));
            let level = if random.happens(0.08) { Level::Warn } else { Level::Info };
            statements.push(Statement::new(random, level, text, weight * traffic * 0.7, Kind::Traffic));
        }
        for index in 0..1 + random.below(2) {
            let text = TIMED[(random.below(3) + index * 3) % 6].replace("{noun}", NOUNS[random.below(12)]);
            let kind = Kind::Timed { median: random.scale(2.0, 900.0), spread: random.between(0.2, 0.9) };
            statements.push(Statement::new(random, Level::Info, text, traffic * 0.15, kind));
        }
        for index in 0..1 + random.below(2) {
            let text = BEATS[(random.below(2) + index * 2) % 5].to_owned();
            let rate = 1.0 / random.scale(5.0, (length / 60.0).min(120.0));
            statements.push(Statement::new(random, Level::Info, text, rate, Kind::Beat));
        }
        for index in 0..1 + random.below(2) {
            let (text, limit) = GAUGES[(random.below(3) + index * 3) % 6];
            let kind = Kind::Gauge { value: limit * random.between(0.2, 0.6), limit };
            let rate = 1.0 / random.scale(10.0, length / 60.0);
            statements.push(Statement::new(random, Level::Info, text.to_owned(), rate, kind));
        }
        let noisy = random.below(4);
        let needs = usize::from(incident == Incident::ErrorBurst);
        for index in 0..noisy.max(needs) {
            let text = FAULTS[index * 2 % 10].to_owned();
            let rate = random.scale(8.0, 60.0) / length;
            statements.push(Statement::new(random, Level::Error, text, rate, Kind::Traffic));
        }
        let season = (
            random.between(0.0, 0.7) * f64::from(u8::from(random.happens(0.5))),
            length * random.scale(0.2, 2.5),
            random.share(),
        );
        let deploys =
            (0..random.below(3)).map(|_| (random.between(0.1, 0.95) * length, random.between(3.0, 40.0))).collect();
        let (start, noise) = (1_795_000_000.0 + random.between(0.0, 2e6), random.between(0.0, 0.35));
        let mut service = Self {
            form: Form::any(random),
            incident,
            start,
            length,
            statements,
            season,
            noise,
            deploys,
            target: 0,
            from: random.between(0.35, 0.8) * length,
            to: length,
            factor: 1.0,
        };
        service.break_it(random);
        service
    }

    /// Chooses what goes wrong, and how much.
    fn break_it(&mut self, random: &mut Random) {
        let (incident, length) = (self.incident, self.length);
        let wanted = |statement: &Statement| match incident {
            Incident::RateChange => {
                statement.kind == Kind::Traffic && statement.level == Level::Info && statement.rate * length > 250.0
            }
            Incident::Latency => matches!(statement.kind, Kind::Timed { .. }),
            Incident::Vanished => statement.kind == Kind::Beat,
            Incident::Prediction => matches!(statement.kind, Kind::Gauge { .. }),
            Incident::ErrorBurst => statement.level == Level::Error,
            _ => true,
        };
        let fit: Vec<usize> =
            self.statements.iter().enumerate().filter(|(_, one)| wanted(one)).map(|(index, _)| index).collect();
        if fit.is_empty() {
            self.incident = Incident::None;
            return;
        }
        self.target = *random.one_of(&fit);
        match incident {
            Incident::NewPattern => {
                let text = FAULTS[1 + 2 * random.below(5)].to_owned();
                let rate = random.scale(4.0, 150.0) / (length - self.from);
                let level = if random.happens(0.8) { Level::Error } else { Level::Warn };
                self.target = self.statements.len();
                self.statements.push(Statement::new(random, level, text, rate, Kind::Traffic));
            }
            Incident::Critical => {
                let text = (*random.one_of(&DEADLY)).to_owned();
                self.target = self.statements.len();
                self.statements.push(Statement::new(
                    random,
                    Level::Fatal,
                    text,
                    3.0 / (length - self.from),
                    Kind::Traffic,
                ));
            }
            Incident::ErrorBurst => {
                self.to = (self.from + random.scale(120.0, 0.4 * length)).min(length);
                let usual = self.statements[self.target].rate * (self.to - self.from);
                self.factor = random.scale(4.0, 25.0).max((usual + 15.0) / usual.max(1e-9));
            }
            Incident::RateChange => {
                self.factor = if random.happens(0.5) { random.scale(2.0, 8.0) } else { random.scale(0.1, 0.45) };
                if random.happens(0.4) {
                    self.to = (self.from + random.between(0.15, 0.4) * length).min(length);
                }
            }
            Incident::Latency => {
                self.factor = random.scale(1.6, 8.0);
                if random.happens(0.3) {
                    self.to = (self.from + random.between(0.15, 0.4) * length).min(length);
                }
            }
            Incident::Prediction => self.factor = random.between(0.5, 0.9),
            Incident::Vanished | Incident::None => {}
        }
    }

    /// Its log, and what is wrong with it.
    pub fn log(&self, random: &mut Random) -> (Vec<(String, String)>, Option<Truth>) {
        let mut lines: Vec<(f64, String)> = Vec::new();
        let minutes: Vec<f64> =
            (0..=(self.length / 60.0) as usize + 1).map(|_| (random.normal() * self.noise).exp()).collect();
        for (index, statement) in self.statements.iter().enumerate() {
            self.write(random, index, statement, &minutes, &mut lines);
        }
        for (at, lasted) in &self.deploys {
            for (index, text) in
                ["shutting down", "starting version 4.{n}", "listening on port 8080"].iter().enumerate()
            {
                let at = if index == 0 { *at } else { at + lasted + index as f64 };
                lines.push((at, self.form.line(self.start + at, Level::Info, "main", &filled(random, text))));
            }
        }
        lines.retain(|(at, _)| *at <= self.length);
        lines.sort_by(|a, b| a.0.total_cmp(&b.0));
        let text = lines.into_iter().map(|(_, line)| line).collect();
        let mark = self.statements.get(self.target).map(|one| mark(&one.text)).unwrap_or_default();
        (vec![("app.log".to_owned(), text)], Truth::new(self.incident, self.factor, mark))
    }

    fn write(
        &self,
        random: &mut Random,
        index: usize,
        statement: &Statement,
        minutes: &[f64],
        lines: &mut Vec<(f64, String)>,
    ) {
        let is_target = index == self.target && self.incident != Incident::None;
        let mut at = 0.0;
        // At its busiest; what is too much is left out again.
        let most = (1.0 + self.season.0) * 3.0 * if is_target { self.factor.max(1.0) } else { 1.0 };
        let even = matches!(statement.kind, Kind::Beat | Kind::Gauge { .. });
        at += random.share() / statement.rate.max(1e-9) * f64::from(u8::from(even));
        let mut wrote = false;
        while at < self.length {
            let inside = is_target && at >= self.from && at < self.to;
            let step =
                if even { random.between(0.95, 1.05) / statement.rate } else { random.wait(statement.rate * most) };
            at += step;
            let traffic = minutes.get((at / 60.0) as usize).copied().unwrap_or(1.0)
                * (1.0 + self.season.0 * (std::f64::consts::TAU * (at / self.season.1 + self.season.2)).sin());
            let mut rate = if even { most } else { traffic };
            match self.incident {
                Incident::RateChange | Incident::ErrorBurst if inside => rate *= self.factor,
                Incident::NewPattern | Incident::Critical if is_target && at < self.from => rate = 0.0,
                Incident::Vanished if is_target && at >= self.from => rate = 0.0,
                _ => {}
            }
            let sure = self.incident == Incident::Critical && is_target && at >= self.from && !wrote;
            if !sure && !random.happens(rate / most)
                || self.deploys.iter().any(|(from, lasted)| (*from..from + lasted).contains(&at))
            {
                continue;
            }
            wrote = true;
            let mut text = filled(random, &statement.text);
            match statement.kind {
                Kind::Timed { median, spread } => {
                    let slower = if inside && self.incident == Incident::Latency { self.factor } else { 1.0 };
                    let taken = median * slower * (random.normal() * spread).exp() * (1.0 + 0.1 * (traffic - 1.0));
                    text =
                        text.replace("{d}", &format!("{taken:.1}")).replace("{s}", &format!("{:.4}", taken / 1000.0));
                }
                Kind::Gauge { value, limit } => {
                    let mut value = value + limit * 0.02 * random.normal();
                    if is_target && self.incident == Incident::Prediction && at > self.from {
                        let reach = limit * self.factor.max(0.8);
                        value += (reach - value).max(0.0) * (at - self.from) / (self.length - self.from);
                    }
                    text = text.replace("{v}", &format!("{:.0}", value.clamp(0.0, limit)));
                }
                Kind::Traffic | Kind::Beat => {}
            }
            lines.push((at, self.form.line(self.start + at, statement.level, statement.component, &text)));
        }
    }
}

impl Statement {
    fn new(random: &mut Random, level: Level, text: String, rate: f64, kind: Kind) -> Self {
        Self { level, component: COMPONENTS[random.below(8)], text, rate, kind }
    }
}

/// The text with values in the places for them.
fn filled(random: &mut Random, text: &str) -> String {
    let mut text = text.to_owned();
    while let Some(at) = text.find("{n}") {
        text.replace_range(at..at + 3, &random.below(90_000).to_string());
    }
    while let Some(at) = text.find("{hex}") {
        text.replace_range(at..at + 5, &format!("{:012x}", random.number() >> 16));
    }
    while let Some(at) = text.find("{ip}") {
        text.replace_range(at..at + 4, &format!("10.0.{}.{}", random.below(4), random.below(250)));
    }
    text
}

/// A part of a statement's text that holds no value.
fn mark(text: &str) -> String {
    let parts = text.split(['{', '}']).enumerate().filter(|(index, _)| index % 2 == 0);
    parts.map(|(_, part)| part.trim()).max_by_key(|part| part.len()).unwrap_or_default().to_owned()
}
