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
/// Most deaths.
const MOST_DEATHS: usize = 60;

impl Outage {
    /// One of this cause; the service gets what it needs for it.
    pub fn any(random: &mut Random, cause: Cause, service: &mut Service) -> Self {
        let length = service.length;
        let from = random.between(0.35, 0.8) * length;
        let mut outage = Self { cause, from, to: length, worst: from, factor: 1.0, target: 0, deaths: Vec::new() };
        let ends = |random: &mut Random, chance: f64| {
            if random.happens(chance) { (from + random.between(0.08, 0.3) * length).min(length) } else { length }
        };
        match cause {
            Cause::PoolRunsOut | Cause::DiskFills => {
                let measured = if cause == Cause::DiskFills { Measured::Disk } else { Measured::Pool };
                service.measure(random, measured);
                outage.from = random.between(0.3, 0.6) * length;
                let left = length - outage.from;
                // It is over before the log is, or is to be foreseen only.
                let share = if random.happens(0.5) { random.between(0.4, 0.8) } else { 1.0 / random.between(0.5, 0.9) };
                outage.worst = outage.from + left * share;
                outage.factor = random.between(0.3, 0.9);
            }
            Cause::SlowPeer => {
                outage.target = peer(random, service);
                outage.factor = random.scale(2.0, 8.0);
                outage.to = ends(random, 0.4);
                outage.worst = from + (outage.to - from) * random.between(0.0, 0.3);
            }
            Cause::FlakyPeer => {
                outage.target = peer(random, service);
                outage.factor = random.between(0.15, 0.6);
                outage.to = ends(random, 0.5);
                let peer = &mut service.peers[outage.target];
                peer.refuses = peer.refuses.max(random.scale(0.004, 0.02));
            }
            Cause::CertificateExpires => outage.target = peer(random, service),
            Cause::QueueBacksUp => {
                service.measure(random, Measured::Queue);
                outage.factor = random.between(0.25, 0.6);
                outage.worst = from + (length - from) / random.between(0.5, 0.95);
            }
            Cause::SilentWorker => {
                outage.target = random.below(service.workers.len());
                outage.to = ends(random, 0.25);
            }
            Cause::WrongSetting => {
                outage.target = route(random, service);
                outage.factor = random.scale(0.25, 1.0);
                service.deploys.push((from, random.between(2.0, 25.0)));
            }
            Cause::Flood => {
                outage.target = route(random, service);
                outage.factor = random.scale(5.0, 20.0);
                outage.to = ends(random, 0.7);
            }
            Cause::CallersLeave => {
                outage.target = route(random, service);
                outage.factor = random.between(0.0, 0.25);
                outage.to = ends(random, 0.3);
            }
            Cause::CrashLoop => outage.die(random, length),
        }
        outage
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
    let of =
        |peer| service.routes.iter().filter(|route| route.peer == Some(peer)).map(|route| route.share).sum::<f64>();
    let shares: Vec<(usize, f64)> = (0..service.peers.len()).map(|peer| (peer, of(peer))).collect();
    let often: Vec<usize> = shares.iter().filter(|(_, share)| *share >= LEAST_SHARE).map(|(peer, _)| *peer).collect();
    if often.is_empty() {
        return shares.iter().max_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |(peer, _)| *peer);
    }
    *random.one_of(&often)
}
