//! What goes wrong with a service of the second generator, as such things go in earnest: each shows in several places at once.

use super::service::{Measured, Service};
use crate::random::Random;

/// One way to go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Connections are not given back, until none is left.
    PoolRunsOut,
    /// Another service takes longer and longer to answer.
    SlowPeer,
    /// The service dies, and dies again when it is started.
    CrashLoop,
    /// Less and less room is left on the disk.
    DiskFills,
    /// The certificate of another service has run out.
    CertificateExpires,
    /// Jobs come faster than they are done.
    QueueBacksUp,
    /// Work that went on in the background does not any more; nobody says so.
    SilentWorker,
    /// A deploy brings a wrong setting.
    WrongSetting,
    /// One route is asked for far more than by people.
    Flood,
    /// Those who asked for one route stay away.
    CallersLeave,
    /// Another service fails often, as it did seldom.
    FlakyPeer,
}

impl Cause {
    pub const ALL: [Self; 11] = [
        Self::PoolRunsOut,
        Self::SlowPeer,
        Self::CrashLoop,
        Self::DiskFills,
        Self::CertificateExpires,
        Self::QueueBacksUp,
        Self::SilentWorker,
        Self::WrongSetting,
        Self::Flood,
        Self::CallersLeave,
        Self::FlakyPeer,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::PoolRunsOut => "pool runs out",
            Self::SlowPeer => "slow peer",
            Self::CrashLoop => "crash loop",
            Self::DiskFills => "disk fills",
            Self::CertificateExpires => "certificate expires",
            Self::QueueBacksUp => "queue backs up",
            Self::SilentWorker => "silent worker",
            Self::WrongSetting => "wrong setting",
            Self::Flood => "flood",
            Self::CallersLeave => "callers leave",
            Self::FlakyPeer => "flaky peer",
        }
    }
}

/// Something that went wrong.
#[derive(Clone, Debug)]
pub struct Outage {
    pub cause: Cause,
    /// When it began and ended, and when it was at its worst, which may be never; in seconds of the log.
    pub from: f64,
    pub to: f64,
    pub worst: f64,
    /// How much, by the cause: how many times as long or as many, or which share.
    pub factor: f64,
    /// Which route, peer or worker.
    pub target: usize,
    /// When the service died, and when it was up again.
    pub deaths: Vec<(f64, f64)>,
}

/// The least share of requests of what goes wrong: less is not seen by anyone.
const LEAST_SHARE: f64 = 0.15;
/// The least requests that something goes wrong with, and how often a time is looked for in which there are so many.
const LEAST_REQUESTS: f64 = 40.0;
const TRIES: usize = 50;
/// What is lost of the log while something is wrong is at most so much of that time.
const LOST: f64 = 0.2;
/// Most deaths.
const MOST_DEATHS: usize = 60;

impl Outage {
    /// One of this cause; the service gets what it needs for it.
    pub fn any(random: &mut Random, cause: Cause, service: &mut Service) -> Self {
        let mut outage =
            Self { cause, from: 0.0, to: service.length, worst: 0.0, factor: 1.0, target: 0, deaths: Vec::new() };
        outage.choose(random, service);
        outage.last(random, service);
        match cause {
            Cause::WrongSetting => service.deploys.push((outage.from, random.between(2.0, 25.0))),
            Cause::CrashLoop => outage.die(random, service.length),
            _ => {}
        }
        // What is lost is not all that tells of it.
        let (from, to) = (outage.from, outage.to);
        service.lost.retain(|lost| lost.1 <= from || lost.0 >= to || lost.1 - lost.0 < LOST * (to - from));
        outage
    }

    /// What it hits, and how much.
    fn choose(&mut self, random: &mut Random, service: &mut Service) {
        match self.cause {
            Cause::PoolRunsOut => {
                service.measure(random, Measured::Pool);
                self.factor = random.between(0.2, 0.6);
            }
            Cause::DiskFills => service.measure(random, Measured::Disk),
            Cause::QueueBacksUp => {
                service.measure(random, Measured::Queue);
                self.factor = random.between(0.25, 0.6);
            }
            Cause::SlowPeer => (self.target, self.factor) = (peer(random, service), random.scale(2.0, 8.0)),
            Cause::FlakyPeer => {
                (self.target, self.factor) = (peer(random, service), random.between(0.15, 0.6));
                let peer = &mut service.peers[self.target];
                peer.refuses = peer.refuses.max(random.scale(0.004, 0.02));
            }
            Cause::CertificateExpires => self.target = peer(random, service),
            Cause::SilentWorker => self.target = random.below(service.workers.len()),
            Cause::WrongSetting => (self.target, self.factor) = (route(random, service), random.scale(0.25, 1.0)),
            Cause::Flood => (self.target, self.factor) = (route(random, service), random.scale(5.0, 20.0)),
            Cause::CallersLeave => (self.target, self.factor) = (route(random, service), random.between(0.0, 0.25)),
            Cause::CrashLoop => {}
        }
    }

    /// When it begins and ends: not in a time in which nobody asks.
    fn last(&mut self, random: &mut Random, service: &Service) {
        let (of_all, ends) = match self.cause {
            Cause::SlowPeer => (of_peer(service, self.target), 0.4),
            Cause::FlakyPeer => (of_peer(service, self.target) * self.factor, 0.5),
            Cause::CertificateExpires => (of_peer(service, self.target), 0.0),
            Cause::WrongSetting => (service.routes[self.target].share * self.factor, 0.0),
            Cause::Flood => (service.routes[self.target].share * self.factor, 0.7),
            Cause::CallersLeave => (service.routes[self.target].share, 0.3),
            Cause::SilentWorker => (1.0, 0.25),
            Cause::PoolRunsOut | Cause::DiskFills | Cause::QueueBacksUp | Cause::CrashLoop => (1.0, 0.0),
        };
        for _ in 0..TRIES {
            let length = service.length;
            let early = matches!(self.cause, Cause::PoolRunsOut | Cause::DiskFills);
            self.from = length * if early { random.between(0.3, 0.6) } else { random.between(0.35, 0.8) };
            let ended = self.from + random.between(0.08, 0.3) * length;
            self.to = if random.happens(ends) { ended.min(length) } else { length };
            let left = self.to - self.from;
            self.worst = self.from
                + left
                    * match self.cause {
                        // It is over before the log is, or is to be foreseen only.
                        Cause::PoolRunsOut | Cause::DiskFills if random.happens(0.5) => random.between(0.4, 0.8),
                        Cause::PoolRunsOut | Cause::DiskFills | Cause::QueueBacksUp => 1.0 / random.between(0.5, 0.9),
                        Cause::SlowPeer => random.between(0.0, 0.3),
                        _ => 0.0,
                    };
            if service.requests(self.from, self.to) * of_all >= LEAST_REQUESTS {
                return;
            }
        }
    }

    /// Deaths with longer and longer waits between, as supervisors have it.
    fn die(&mut self, random: &mut Random, length: f64) {
        let (mut at, mut wait) = (self.from, 10.0);
        let to = self.from + random.between(0.02, 0.3) * length;
        while at < to.min(length) && self.deaths.len() < MOST_DEATHS {
            self.deaths.push((at, at + wait));
            at += wait + random.scale(4.0, 90.0);
            wait = (2.0 * wait).min(300.0);
        }
        self.to = self.deaths.last().map_or(self.from, |(_, up)| up.min(length));
    }

    /// Whether it is there.
    pub fn is_on(&self, at: f64) -> bool {
        (self.from..self.to).contains(&at)
    }

    /// How far it has come, from 0 to 1 at its worst.
    pub fn grown(&self, at: f64) -> f64 {
        match at {
            _ if !self.is_on(at) => 0.0,
            _ if at >= self.worst => 1.0,
            _ => (at - self.from) / (self.worst - self.from),
        }
    }

    /// Whether it comes to its worst in the log.
    pub fn comes_to_its_worst(&self) -> bool {
        self.worst < self.to
    }

    /// Whether it is there and is of this cause and this target.
    pub fn hits(&self, cause: Cause, target: usize, at: f64) -> bool {
        self.cause == cause && self.target == target && self.is_on(at)
    }
}

fn route(random: &mut Random, service: &Service) -> usize {
    let often = |(_, share): &(usize, f64)| *share >= LEAST_SHARE;
    let shares = service.routes.iter().map(|route| route.share).enumerate();
    *random.one_of(&shares.filter(often).map(|(index, _)| index).collect::<Vec<_>>())
}

fn peer(random: &mut Random, service: &Service) -> usize {
    let peers = || 0..service.peers.len();
    let most = peers().map(|peer| of_peer(service, peer)).fold(0.0, f64::max);
    let often: Vec<usize> = peers().filter(|peer| of_peer(service, *peer) >= LEAST_SHARE.min(most)).collect();
    *random.one_of(&often)
}

/// The share of requests for which another service is asked.
fn of_peer(service: &Service, peer: usize) -> f64 {
    service.routes.iter().filter(|route| route.peer == Some(peer)).map(|route| route.share).sum()
}
