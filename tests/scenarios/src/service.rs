//! A service, and the log that it writes.

use crate::{
    conditions::Conditions,
    form::{Form, Level},
    incident::{Incident, Truth},
    random::Random,
    words::{FLEET, SHOP, Words},
};

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
    words: &'static Words,
    conditions: Conditions,
    pub form: Form,
    pub incident: Incident,
    /// When its log begins, in seconds since 1970, and its length in seconds.
    pub span: (f64, f64),
    statements: Vec<Statement>,
    /// Amplitude, length in seconds and phase of the season.
    season: (f64, f64, f64),
    /// How much traffic varies from minute to minute.
    noise: f64,
    deploys: Vec<(f64, f64)>,
    /// Which statement goes wrong, from when to when, how much.
    target: usize,
    pub from: f64,
    pub to: f64,
    pub factor: f64,
}

/// What is set of a service; the rest is left to chance.
#[derive(Default)]
pub struct Given {
    /// When its log begins, and its length.
    pub span: Option<(f64, f64)>,
    /// When it goes wrong.
    pub from: Option<f64>,
    /// Whether it is a fleet's, or a shop's.
    pub is_fleet: bool,
    pub conditions: Conditions,
}

impl Service {
    pub fn any(random: &mut Random, incident: Incident, given: Given) -> Self {
        let words = if given.is_fleet { &FLEET } else { &SHOP };
        let drawn = random.scale(1800.0, 30_000.0);
        let length = given.span.map_or(drawn, |(_, length)| length);
        // Between 3,000 and 40,000 lines, whatever the length.
        let traffic = random.scale(3000.0, 40_000.0) / length;
        let mut statements = Vec::new();
        let ordinary = 5 + random.below(14);
        let mut weights: Vec<f64> = (0..ordinary).map(|_| random.scale(0.03, 1.0)).collect();
        let sum: f64 = weights.iter().sum();
        weights.iter_mut().for_each(|weight| *weight /= sum);
        for (index, weight) in weights.iter().enumerate() {
            let text = format!(
                "{} {} {}",
                words.nouns[index % 12],
                words.verbs[(index * 7 + index / 12) % 12],
                random.one_of(&words.tails)
            );
            let level = if random.happens(0.08) { Level::Warn } else { Level::Info };
            statements.push(Statement::new(random, words, level, text, weight * traffic * 0.7, Kind::Traffic));
        }
        for index in 0..1 + random.below(2) {
            let text = words.timed[(random.below(3) + index * 3) % 6].replace("{noun}", words.nouns[random.below(12)]);
            let kind = Kind::Timed { median: random.scale(2.0, 900.0), spread: random.between(0.2, 0.9) };
            statements.push(Statement::new(random, words, Level::Info, text, traffic * 0.15, kind));
        }
        for index in 0..1 + random.below(2) {
            let text = words.beats[(random.below(2) + index * 2) % 5].to_owned();
            let rate = 1.0 / random.scale(5.0, (length / 60.0).min(120.0));
            statements.push(Statement::new(random, words, Level::Info, text, rate, Kind::Beat));
        }
        for index in 0..1 + random.below(2) {
            let (text, limit) = words.gauges[(random.below(3) + index * 3) % 6];
            let kind = Kind::Gauge { value: limit * random.between(0.2, 0.6), limit };
            let rate = 1.0 / random.scale(10.0, length / 60.0);
            statements.push(Statement::new(random, words, Level::Info, text.to_owned(), rate, kind));
        }
        let noisy = random.below(4);
        let needs = usize::from(incident == Incident::ErrorBurst);
        for index in 0..noisy.max(needs) {
            let text = words.faults[index * 2 % 10].to_owned();
            let rate = random.scale(8.0, 60.0) / length;
            statements.push(Statement::new(random, words, Level::Error, text, rate, Kind::Traffic));
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
            words,
            conditions: given.conditions,
            form: Form::any(random),
            incident,
            span: (given.span.map_or(start, |(start, _)| start), length),
            statements,
            season,
            noise,
            deploys,
            target: 0,
            from: random.between(0.35, 0.8) * length,
            to: length,
            factor: 1.0,
        };
        if let Some(from) = given.from {
            service.from = from;
        }
        service.break_it(random);
        service
    }

    /// Chooses what goes wrong, and how much.
    fn break_it(&mut self, random: &mut Random) {
        let (words, incident, length) = (self.words, self.incident, self.span.1);
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
                let text = words.faults[1 + 2 * random.below(5)].to_owned();
                let rate = random.scale(4.0, 150.0) / (length - self.from);
                let level = if random.happens(0.8) { Level::Error } else { Level::Warn };
                self.target = self.statements.len();
                self.statements.push(Statement::new(random, words, level, text, rate, Kind::Traffic));
            }
            Incident::Critical => {
                let text = (*random.one_of(&words.deadly)).to_owned();
                self.target = self.statements.len();
                self.statements.push(Statement::new(
                    random,
                    words,
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

    /// What is wrong with it; nothing where nothing is.
    pub fn truth(&self) -> Option<Truth> {
        let mark = self.statements.get(self.target).map(|one| mark(&one.text)).unwrap_or_default();
        Truth::new(self.incident, self.factor, mark)
    }

    /// A line of its log, so many seconds from its beginning.
    pub fn line(&self, at: f64, level: Level, component: &str, text: &str) -> String {
        self.form.line(self.span.0 + at, self.conditions.zone, level, component, text)
    }

    /// Its lines, each with its seconds from the beginning, in order.
    pub fn lines(&self, random: &mut Random) -> Vec<(f64, String)> {
        let mut lines: Vec<(f64, String)> = Vec::new();
        let length = self.span.1;
        let minutes = self.conditions.minutes(random, (length / 60.0) as usize + 2, self.noise);
        for (index, statement) in self.statements.iter().enumerate() {
            self.write(random, index, statement, &minutes, &mut lines);
        }
        for (at, lasted) in &self.deploys {
            for (index, text) in
                ["shutting down", "starting version 4.{n}", "listening on port 8080"].iter().enumerate()
            {
                let at = if index == 0 { *at } else { at + lasted + index as f64 };
                lines.push((at, self.line(at, Level::Info, "main", &filled(random, text))));
            }
        }
        lines.retain(|(at, _)| *at <= length && !self.conditions.is_missing(*at / length));
        lines.sort_by(|a, b| a.0.total_cmp(&b.0));
        lines
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
        let most =
            (1.0 + self.season.0) * 3.0 * self.conditions.most() * if is_target { self.factor.max(1.0) } else { 1.0 };
        let even = matches!(statement.kind, Kind::Beat | Kind::Gauge { .. });
        at += random.share() / statement.rate.max(1e-9) * f64::from(u8::from(even));
        let mut wrote = false;
        // What goes wrong slowly is at its worst only later.
        let grown = |at: f64| 1.0 + (self.factor - 1.0) * self.conditions.grown((at - self.from) / self.span.1);
        let length = self.span.1;
        while at < length {
            let inside = is_target && at >= self.from && at < self.to;
            let step =
                if even { random.between(0.95, 1.05) / statement.rate } else { random.wait(statement.rate * most) };
            at += step;
            let traffic = minutes.get((at / 60.0) as usize).copied().unwrap_or(1.0)
                * self.conditions.volume(self.deploys.iter().filter(|(deploy, _)| at >= *deploy).count())
                * (1.0 + self.season.0 * (std::f64::consts::TAU * (at / self.season.1 + self.season.2)).sin());
            let mut rate = if even { most } else { traffic };
            match self.incident {
                Incident::RateChange | Incident::ErrorBurst if inside => rate *= grown(at),
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
                    let slower = if inside && self.incident == Incident::Latency { grown(at) } else { 1.0 };
                    let taken = median * slower * (random.normal() * spread).exp() * (1.0 + 0.1 * (traffic - 1.0));
                    text =
                        text.replace("{d}", &format!("{taken:.1}")).replace("{s}", &format!("{:.4}", taken / 1000.0));
                }
                Kind::Gauge { value, limit } => {
                    let mut value = value + limit * 0.02 * random.normal();
                    if is_target && self.incident == Incident::Prediction && at > self.from {
                        let reach = limit * self.factor.max(0.8);
                        value += (reach - value).max(0.0) * (at - self.from) / (length - self.from);
                    }
                    text = text.replace("{v}", &format!("{:.0}", value.clamp(0.0, limit)));
                }
                Kind::Traffic | Kind::Beat => {}
            }
            lines.push((at, self.line(at, statement.level, statement.component, &text)));
        }
    }
}

impl Statement {
    fn new(random: &mut Random, words: &Words, level: Level, text: String, rate: f64, kind: Kind) -> Self {
        Self { level, component: *random.one_of(&words.components), text, rate, kind }
    }
}

/// The text with values in the places for them.
pub fn filled(random: &mut Random, text: &str) -> String {
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
pub fn mark(text: &str) -> String {
    let parts = text.split(['{', '}']).enumerate().filter(|(index, _)| index % 2 == 0);
    parts.map(|(_, part)| part.trim()).max_by_key(|part| part.len()).unwrap_or_default().to_owned()
}
