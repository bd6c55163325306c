//! The log that a service writes by itself: workers, gauges, batches, jobs, deploys, deaths, and faults that it lives with.

use super::{
    forms::{Value, Weight},
    outage::{Cause, Outage},
    service::{Gauge, Measured, Service},
    traffic::HOUR,
    words::DIED,
};
use crate::random::Random;

/// Lines of a log, each with its second of the log.
pub type Lines = Vec<(f64, String)>;

/// Writes the logs of a service.
pub struct Writer<'a> {
    pub random: &'a mut Random,
    pub service: &'a Service,
    pub outage: Option<&'a Outage>,
    /// Its own log.
    pub own: Lines,
    /// Its web server's.
    pub access: Lines,
}

/// Words for what a line names: each is filled anew for each line.
const CITIES: [&str; 8] = ["Basel", "Lyon", "Turin", "Ghent", "Malmo", "Porto", "Gdansk", "Cork"];

impl<'a> Writer<'a> {
    pub const fn new(random: &'a mut Random, service: &'a Service, outage: Option<&'a Outage>) -> Self {
        Self { random, service, outage, own: Vec::new(), access: Vec::new() }
    }

    /// The logs with their names, each in the order of time.
    pub fn write(mut self) -> Vec<(String, String)> {
        self.requests();
        self.by_itself();
        self.starts();
        let service = self.service;
        let is_kept = |at: &f64| {
            (0.0..service.length).contains(at) && !service.lost.iter().any(|(from, to)| (*from..*to).contains(at))
        };
        let log = |name: &str, mut lines: Lines| {
            lines.retain(|(at, _)| is_kept(at));
            lines.sort_by(|a, b| a.0.total_cmp(&b.0));
            (name.to_owned(), lines.into_iter().map(|(_, line)| line).collect())
        };
        let mut logs = vec![log(&format!("{}.log", service.words.service), self.own)];
        if service.has_access_log {
            logs.push(log("access.log", self.access));
        }
        logs
    }

    /// Adds a line to its own log.
    pub fn say(&mut self, at: f64, weight: Weight, text: &str, fields: &[(&str, Value)]) {
        // A statement is always at the same place.
        let place = 20 + text.len() * 7 % 400;
        let text = filled(self.random, text);
        self.own.push((at, self.service.hand.line(self.service.start + at, weight, place, &text, fields)));
    }

    /// Whether the service is there.
    pub fn is_up(&self, at: f64) -> bool {
        let deaths = self.outage.iter().flat_map(|outage| &outage.deaths);
        let deploys = self.service.deploys.iter().map(|(from, away)| (*from, from + away));
        !deaths.copied().chain(deploys).any(|(from, to)| at >= from && at < to)
    }

    /// The outage, where it is of this cause.
    pub fn outage_of(&self, cause: Cause) -> Option<&'a Outage> {
        self.outage.filter(|outage| outage.cause == cause)
    }

    fn by_itself(&mut self) {
        let service = self.service;
        for (index, worker) in service.workers.iter().enumerate() {
            let silent = self.outage_of(Cause::SilentWorker).filter(|outage| outage.target == index);
            for at in self.even(worker.phase, worker.interval) {
                if !silent.is_some_and(|outage| outage.is_on(at)) {
                    self.say(at, Weight::Info, worker.text, &[]);
                }
            }
        }
        for gauge in &service.gauges {
            for at in self.even(gauge.phase, gauge.interval) {
                let fields = self.measured(gauge, at);
                self.say(at, Weight::Info, gauge.text, &fields);
            }
        }
        self.batches();
        self.jobs();
        for (text, clusters) in &service.quirks {
            self.at_chance(clusters / service.length / service.usual(), |writer, at| {
                for again in 0..1 + writer.random.below(3) {
                    writer.say(at + 2.0 * again as f64, Weight::Error, text, &[]);
                }
            });
        }
        for (text, at) in &service.strays {
            self.say(*at, Weight::Error, text, &[]);
        }
        if let Some(outage) = self.outage_of(Cause::CertificateExpires) {
            let peer = &service.peers[outage.target];
            let mut at = outage.from.rem_euclid(6.0 * HOUR);
            while at < outage.from {
                // Whole hours that are left, as the text has a place for them.
                let text = peer.words.expires.replace("{k}", &format!("{:.0}", (outage.from - at) / HOUR));
                self.say(at, Weight::Warn, &text, &[]);
                at += 6.0 * HOUR;
            }
        }
    }

    /// Even times, with a little noise, at which the service is there.
    fn even(&mut self, phase: f64, interval: f64) -> Vec<f64> {
        let number = ((self.service.length - phase) / interval) as usize;
        let times = (0..number).map(|index| phase + interval * (index as f64 + self.random.between(0.0, 0.08)));
        let times: Vec<f64> = times.collect();
        times.into_iter().filter(|at| self.is_up(*at)).collect()
    }

    /// Does something so often a second in the busiest hour, less at other times.
    pub fn at_chance(&mut self, rate: f64, mut each: impl FnMut(&mut Self, f64)) {
        let mut at = self.random.wait(rate);
        while at < self.service.length {
            if self.random.happens(self.service.busy(at)) && self.is_up(at) {
                each(self, at);
            }
            at += self.random.wait(rate);
        }
    }

    fn measured(&mut self, gauge: &Gauge, at: f64) -> Vec<(&'static str, Value)> {
        let service = self.service;
        let noise = 1.0 + 0.08 * self.random.normal();
        let turned = (at / gauge.turn).fract();
        let usual = match gauge.measured {
            Measured::Pool => gauge.usual * (0.4 + 0.6 * service.busy(at)) * noise,
            Measured::Disk => gauge.usual + 0.04 * turned + 0.002 * self.random.normal(),
            Measured::Heap => gauge.usual + 0.35 * turned + 0.02 * self.random.normal(),
            Measured::Queue => gauge.usual * (0.5 + self.random.wait(1.0)),
        };
        let grows = match gauge.measured {
            Measured::Pool => self.outage_of(Cause::PoolRunsOut),
            Measured::Disk => self.outage_of(Cause::DiskFills),
            Measured::Queue => self.outage_of(Cause::QueueBacksUp),
            Measured::Heap => None,
        };
        let share = usual + grows.map_or(0.0, |outage| (1.0 - usual) * outage.grown(at));
        let share = share.clamp(0.0, 1.0);
        let whole = |share: f64| Value::Whole((share * gauge.limit).round() as i64);
        match gauge.measured {
            Measured::Pool => vec![("active", whole(share)), ("max", whole(1.0))],
            Measured::Disk if gauge.tells_sizes => vec![("used_gb", whole(share)), ("total_gb", whole(1.0))],
            Measured::Disk => vec![("used", Value::Percent(100.0 * share))],
            Measured::Heap => vec![("heap_mb", whole(share)), ("limit_mb", whole(1.0))],
            Measured::Queue => vec![("depth", whole(share)), ("capacity", whole(1.0))],
        }
    }

    fn batches(&mut self) {
        let service = self.service;
        for batch in &service.batches {
            let mut begun = batch.at - service.start.rem_euclid(batch.every);
            while begun < service.length {
                if self.is_up(begun) {
                    self.say(begun, Weight::Info, batch.words.begun, &[]);
                    let mut at = begun;
                    // Some days have more to do than others.
                    let rows = (batch.rows as f64 * (0.25 * self.random.normal()).exp()) as usize;
                    for _ in 0..rows {
                        at += self.random.wait(1.0 / batch.gap);
                        self.say(at, Weight::Info, batch.words.row, &[]);
                    }
                    let took = Value::Taken(1000.0 * (at - begun) + 1.0);
                    self.say(at + 0.01, Weight::Info, batch.words.over, &[("elapsed", took)]);
                }
                begun += batch.every;
            }
        }
    }

    fn jobs(&mut self) {
        let Some((rate, waits)) = self.service.jobs else { return };
        let slow = self.outage_of(Cause::QueueBacksUp);
        self.at_chance(rate, |writer, at| {
            let mut waited = waits * (0.5 * writer.random.normal()).exp();
            if let Some(outage) = slow.filter(|outage| outage.is_on(at)) {
                if !writer.random.happens(outage.factor) {
                    return;
                }
                // What is behind so many others waits for all of them.
                waited *= 1.0 + 40.0 * outage.grown(at);
            }
            let text = writer.service.words.job;
            writer.say(at, Weight::Info, text, &[("waited", Value::Taken(waited))]);
        });
    }

    pub fn starts(&mut self) {
        let (service, outage) = (self.service, self.outage);
        let deaths: &[(f64, f64)] = outage.map_or(&[], |outage| &outage.deaths);
        for (index, (at, up)) in deaths.iter().enumerate() {
            self.dies(*at, up - at, index);
            self.comes_up(*up);
        }
        for (at, away) in &service.deploys {
            self.comes_up(at + away);
        }
        if self.outage_of(Cause::WrongSetting).is_some()
            && let Some((at, away)) = service.deploys.last()
        {
            self.say(at + away + 0.4, Weight::Warn, service.words.typo[0], &[]);
        }
    }

    fn comes_up(&mut self, at: f64) {
        for (index, text) in self.service.words.starting.iter().enumerate() {
            self.say(at + 0.3 * index as f64, Weight::Info, text, &[]);
        }
    }

    fn dies(&mut self, at: f64, wait: f64, index: usize) {
        if self.service.hand.form.takes_traces() {
            self.own.push((at, self.service.words.trace.0.to_owned()));
        } else {
            self.say(at, Weight::Fatal, self.service.words.dies, &[]);
        }
        let retry = [("attempt", Value::Whole(index as i64 + 1)), ("backoff", Value::Taken(1000.0 * wait))];
        self.say(at + 0.1, Weight::Warn, DIED, &retry);
    }
}

/// The text with values in its places.
pub fn filled(random: &mut Random, text: &str) -> String {
    let mut parts = text.split('{');
    let mut all = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let Some((place, rest)) = part.split_once('}') else { continue };
        let value = match place {
            "n" => (100 + random.below(900)).to_string(),
            "k" => (1 + random.below(40)).to_string(),
            "u" => format!("u{:06}", random.below(400_000)),
            "h" => format!("{:010x}", random.number() >> 24),
            "v" => format!("7.{}.{}", random.below(40), random.below(10)),
            _ => (*random.one_of(&CITIES)).to_owned(),
        };
        all.push_str(&value);
        all.push_str(rest);
    }
    all
}
