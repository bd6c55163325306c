//! Requests: what a service writes of each, and its web server.

use super::{
    forms::{Value, Weight, combined},
    outage::Cause,
    service::Route,
    writer::{Writer, filled},
};

/// How what a request asked for ended.
struct End {
    status: u16,
    /// Milliseconds.
    taken: f64,
    /// What failed, where something did.
    fault: Option<&'static str>,
}

/// How seldom a caller asks for what is not there.
const NOT_FOUND: f64 = 0.02;
/// Milliseconds that a connection of the pool is waited for.
const WAITS: f64 = 5000.0;
/// How likely the next request of a visit is for the same.
const SAME_AGAIN: f64 = 0.5;

impl Writer<'_> {
    /// Those of all visits, and of a flood.
    pub fn requests(&mut self) {
        let service = self.service;
        self.at_chance(service.rate, |writer, begun| {
            let (mut at, mut route) = (begun, writer.any_route());
            for _ in 0..service.visits.requests(writer.random) {
                writer.request(at, route);
                at += writer.random.wait(1.0 / service.visits.gap);
                if !writer.random.happens(SAME_AGAIN) {
                    route = writer.any_route();
                }
            }
        });
        if let Some(outage) = self.outage_of(Cause::Flood) {
            let usual = service.requests(0.0, service.length) / service.length * service.routes[outage.target].share;
            let mut at = outage.from;
            while at < outage.to {
                self.request(at, outage.target);
                at += self.random.wait(usual * outage.factor);
            }
        }
    }

    fn any_route(&mut self) -> usize {
        let mut left = self.random.share();
        let fits = |route: &Route| {
            left -= route.share;
            left < 0.0
        };
        self.service.routes.iter().position(fits).unwrap_or(0)
    }

    fn request(&mut self, at: f64, index: usize) {
        let leave = self.outage.filter(|outage| outage.hits(Cause::CallersLeave, index, at));
        if !self.is_up(at) || leave.is_some_and(|outage| !self.random.happens(outage.factor)) {
            return;
        }
        let route = &self.service.routes[index];
        if route.tells_start {
            self.say(at, Weight::Info, route.words.accepted, &[]);
        }
        for (detail, texts) in route.details.iter().zip(&route.words.details) {
            if (detail.since..detail.until).contains(&at) && self.random.happens(detail.share) {
                self.say(at + 0.001, Weight::Info, texts[usize::from(at >= detail.renamed)], &[]);
            }
        }
        let end = self.end(at, index);
        let over = at + end.taken / 1000.0;
        match end.fault {
            Some(fault) => self.say(over, Weight::Error, fault, &[]),
            None => self.say(over, Weight::Info, route.words.done, &[("took", Value::Taken(end.taken))]),
        }
        if self.service.has_access_log {
            let request = filled(self.random, &format!("{} {}", route.words.method, route.words.path));
            let status = if end.fault.is_none() && self.random.happens(NOT_FOUND) { 404 } else { end.status };
            let (from, bytes) = (self.random.below(900), 40 + self.random.below(4000));
            let line = combined(self.service.start + over, from, &request, status, bytes, end.taken);
            self.access.push((over, line));
        }
    }

    fn end(&mut self, at: f64, index: usize) -> End {
        let service = self.service;
        let route = &service.routes[index];
        let own = route.own.0 * (route.own.1 * self.random.normal()).exp();
        let failed = |status, taken, fault| End { status, taken, fault: Some(fault) };
        if let Some(outage) = self.outage.filter(|outage| outage.hits(Cause::WrongSetting, index, at))
            && self.random.happens(outage.factor)
        {
            return failed(500, own, service.words.typo[1]);
        }
        let mut taken = own;
        if let Some(outage) = self.outage_of(Cause::PoolRunsOut).filter(|outage| at >= outage.worst) {
            if self.random.happens(outage.factor) {
                return failed(503, own + WAITS, service.words.pool_empty);
            }
            taken += self.random.between(0.0, WAITS);
        }
        if let Some(peer) = route.peer {
            match self.ask(at, peer) {
                Ok(answer) => taken += answer,
                Err((status, waited, fault)) => return failed(status, own + waited, fault),
            }
        }
        if let Some(outage) = self.outage_of(Cause::DiskFills)
            && at >= outage.worst
            && route.words.method != "GET"
        {
            return failed(500, taken, service.words.disk_full);
        }
        End { status: 200, taken, fault: None }
    }

    /// Asks another service: the milliseconds until the answer, or the status that comes of it, the milliseconds, and the fault.
    fn ask(&mut self, at: f64, index: usize) -> Result<f64, (u16, f64, &'static str)> {
        let peer = &self.service.peers[index];
        let mut answer = peer.answer.0 * (peer.answer.1 * self.random.normal()).exp();
        let mut refuses = peer.refuses;
        if let Some(outage) = self.outage.filter(|outage| outage.target == index && outage.is_on(at)) {
            match outage.cause {
                Cause::SlowPeer => answer *= 1.0 + (outage.factor - 1.0) * outage.grown(at),
                Cause::FlakyPeer => refuses = outage.factor,
                Cause::CertificateExpires => return Err((502, 2.0, peer.words.expired)),
                _ => {}
            }
        }
        if self.random.happens(refuses) {
            return Err((502, answer, peer.words.refused));
        }
        if answer > peer.limit {
            return Err((504, peer.limit, peer.words.late));
        }
        self.say(at + answer / 1000.0, Weight::Info, peer.words.answered, &[("elapsed", Value::Taken(answer))]);
        Ok(answer)
    }
}
