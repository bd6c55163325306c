//! What is wrong in the logs of a service of the second generator, and what issues are right about it.

use super::{
    outage::{Cause, Outage},
    service::{Measured, Service},
    words::{DIED, mark},
};
use crate::Truth;

const BURST: &str = "error-burst";
const NEW: &str = "new-pattern";
const CRITICAL: &str = "critical-error";
const RATE: &str = "rate-change";
const SLOW: &str = "latency-regression";
const SILENT: &str = "vanished-heartbeat";
const TREND: &str = "prediction";

/// What all lines of the web server have.
const ACCESS: &str = "HTTP/1.1";

/// What an outage makes true: what tells of it best, and what comes of it.
pub fn of(outage: &Outage, service: &Service) -> Truth {
    let words = service.words;
    let gauge = |measured| {
        let gauge = service.gauges.iter().find(|gauge| gauge.measured == measured);
        gauge.map_or_else(String::new, |gauge| mark(gauge.text))
    };
    let mut told = Told { service, also: Vec::new() };
    let (kinds, mark) = match outage.cause {
        Cause::PoolRunsOut => {
            told.add(&[TREND], gauge(Measured::Pool));
            if outage.comes_to_its_worst() {
                (0..service.routes.len()).for_each(|route| told.of_route(route, &[SLOW, RATE, SILENT], &[NEW, BURST]));
                told.access(&[SLOW]);
                (vec![NEW, BURST], mark(words.pool_empty))
            } else {
                (vec![TREND], gauge(Measured::Pool))
            }
        }
        Cause::DiskFills => {
            told.add(&[TREND], gauge(Measured::Disk));
            if outage.comes_to_its_worst() {
                let writes = |index: &usize| service.routes[*index].words.method != "GET";
                for route in (0..service.routes.len()).filter(writes) {
                    told.of_route(route, &[RATE, SILENT], &[NEW, BURST]);
                }
                told.add(&[NEW, CRITICAL, BURST], mark(words.disk_full));
            }
            (vec![TREND], gauge(Measured::Disk))
        }
        Cause::SlowPeer | Cause::FlakyPeer | Cause::CertificateExpires => {
            let peer = service.peers[outage.target].words;
            let slow: &[&str] = if outage.cause == Cause::SlowPeer { &[SLOW, RATE] } else { &[RATE, SILENT] };
            let of_peer = |index: &usize| service.routes[*index].peer == Some(outage.target);
            for route in (0..service.routes.len()).filter(of_peer) {
                told.of_route(route, slow, &[NEW, BURST]);
            }
            match outage.cause {
                Cause::SlowPeer => {
                    told.access(&[SLOW]);
                    told.add(&[NEW, BURST], mark(peer.late));
                    told.add(&[RATE], mark(peer.answered));
                    (vec![SLOW], mark(peer.answered))
                }
                Cause::FlakyPeer => {
                    told.add(&[RATE], mark(peer.answered));
                    (vec![BURST, NEW], mark(peer.refused))
                }
                _ => {
                    told.add(&[RATE, SILENT], mark(peer.answered));
                    told.add(&[TREND, SILENT, RATE, BURST, NEW], mark(peer.expires));
                    (vec![NEW, BURST], mark(peer.expired))
                }
            }
        }
        Cause::CrashLoop => {
            // While it is away nothing else comes, and each start says the same again.
            (0..service.routes.len()).for_each(|route| told.of_route(route, &[RATE, SILENT], &[]));
            told.own_work();
            told.access(&[RATE, SILENT]);
            words.starting.iter().for_each(|text| told.add(&[RATE], mark(text)));
            told.add(&[NEW, BURST, RATE], mark(DIED));
            let mark = if service.hand.form.takes_traces() { words.trace.1.to_owned() } else { mark(words.dies) };
            (vec![CRITICAL, NEW, BURST], mark)
        }
        Cause::QueueBacksUp => {
            told.add(&[SLOW, RATE], mark(words.job));
            (vec![TREND], gauge(Measured::Queue))
        }
        Cause::SilentWorker => (vec![SILENT, RATE], mark(service.workers[outage.target].text)),
        Cause::WrongSetting => {
            told.of_route(outage.target, &[RATE, SILENT], &[NEW, BURST]);
            told.add(&[NEW, BURST], mark(words.typo[0]));
            (vec![NEW, BURST], mark(words.typo[1]))
        }
        Cause::Flood | Cause::CallersLeave => {
            let kinds: &[&'static str] = if outage.cause == Cause::Flood { &[RATE] } else { &[RATE, SILENT] };
            told.of_route(outage.target, kinds, &[]);
            told.access(&[RATE]);
            if let Some(peer) = service.routes[outage.target].peer {
                told.add(kinds, mark(service.peers[peer].words.answered));
            }
            (kinds.to_vec(), mark(service.routes[outage.target].words.done))
        }
    };
    Truth { what: outage.cause.name(), kinds, marks: vec![mark], also: told.also, cause: None, is_one: false }
}

/// What comes of an outage.
struct Told<'a> {
    service: &'a Service,
    also: Vec<(&'static str, String)>,
}

impl Told<'_> {
    fn add(&mut self, kinds: &[&'static str], mark: String) {
        self.also.extend(kinds.iter().map(|kind| (*kind, mark.clone())));
    }

    /// Lines of all requests for a route, and those of the web server that failed.
    fn of_route(&mut self, index: usize, kinds: &[&'static str], failed: &[&'static str]) {
        let words = self.service.routes[index].words;
        for text in [words.accepted, words.done].into_iter().chain(words.details.iter().flatten().copied()) {
            self.add(kinds, mark(text));
        }
        self.add(kinds, words.mark.to_owned());
        self.add(failed, words.mark.to_owned());
    }

    /// Lines of the web server at all.
    fn access(&mut self, kinds: &[&'static str]) {
        self.add(kinds, ACCESS.to_owned());
    }

    /// Lines of what goes on without requests.
    fn own_work(&mut self) {
        let (service, words) = (self.service, self.service.words);
        let texts = service.workers.iter().map(|worker| worker.text);
        let texts = texts.chain(service.gauges.iter().map(|gauge| gauge.text));
        let texts = texts.chain(service.peers.iter().map(|peer| peer.words.answered)).chain([words.job]);
        // Work at set times is not begun while the service is away, and is left out until the next time.
        let texts = texts
            .chain(service.batches.iter().flat_map(|batch| [batch.words.begun, batch.words.row, batch.words.over]));
        texts.for_each(|text| self.add(&[RATE, SILENT], mark(text)));
    }
}
