//! The front door's counters, read many times a second: what a release was given, and what came of it.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::TcpStream,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{JoinHandle, sleep},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

/// How often the counters are read.
const EVERY: Duration = Duration::from_millis(50);
/// The longest that one reading may take.
const PATIENCE: Duration = Duration::from_secs(2);
const ENVIRONMENT: &str = "production";

/// What one release answered, up to some moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All requests.
    pub requests: u64,
    /// Those that failed.
    pub errors: u64,
}

/// What was seen of one release over time.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The last counts.
    pub counts: Counts,
    /// Between which readings it was given requests.
    pub requests: Option<(Instant, Instant)>,
    /// Between which readings they failed.
    pub errors: Option<(Instant, Instant)>,
}

impl Seen {
    fn add(&mut self, now: Counts, before: Instant, at: Instant) {
        if now.requests > self.counts.requests {
            self.requests = Some((self.requests.map_or(before, |(first, _)| first), at));
        }
        if now.errors > self.counts.errors {
            self.errors = Some((self.errors.map_or(before, |(first, _)| first), at));
        }
        self.counts = now;
    }
}

/// One reading of everything, for shares over a span of time.
#[derive(Clone, Debug)]
struct Reading {
    at: Instant,
    requests: u64,
}

#[derive(Debug, Default)]
struct Readings {
    releases: BTreeMap<String, Seen>,
    all: Vec<Reading>,
}

/// Reads the counters until it is dropped.
pub struct Measure {
    readings: Arc<Mutex<Readings>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Measure {
    /// Starts to read the counters at this port of 127.0.0.1.
    pub fn start(port: u16) -> Self {
        let readings = Arc::new(Mutex::new(Readings::default()));
        let stop = Arc::new(AtomicBool::new(false));
        let (into, stopped) = (Arc::clone(&readings), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            let mut before = Instant::now();
            while !stopped.load(Ordering::Relaxed) {
                // A reading that fails is no reading; the next one is near.
                if let Ok(text) = scrape(port) {
                    let at = Instant::now();
                    let mut readings = into.lock().unwrap_or_else(PoisonError::into_inner);
                    let mut requests = 0;
                    for (release, counts) in parse(&text) {
                        requests += counts.requests;
                        readings.releases.entry(release).or_default().add(counts, before, at);
                    }
                    readings.all.push(Reading { at, requests });
                    before = at;
                }
                sleep(EVERY);
            }
        });
        Self { readings, stop, thread: Some(thread) }
    }

    /// What was seen of every release of production.
    pub fn releases(&self) -> BTreeMap<String, Seen> {
        self.readings.lock().unwrap_or_else(PoisonError::into_inner).releases.clone()
    }

    /// How many requests production was given between two moments.
    pub fn requests_between(&self, from: Instant, to: Instant) -> u64 {
        let readings = self.readings.lock().unwrap_or_else(PoisonError::into_inner);
        let at =
            |moment| readings.all.iter().rfind(|reading| reading.at <= moment).map_or(0, |reading| reading.requests);
        at(to).saturating_sub(at(from))
    }
}

impl Drop for Measure {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// The counters' text.
fn scrape(port: u16) -> Result<String> {
    let answer = get(port, "/metrics")?;
    let (head, body) = answer.split_once("\r\n\r\n").context("the answer has no body")?;
    anyhow::ensure!(head.starts_with("HTTP/1.0 200") || head.starts_with("HTTP/1.1 200"), "{head}");
    Ok(body.to_owned())
}

/// The whole answer to a GET request, as it came.
pub fn get(port: u16, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    // 1.0, so that the body comes in one piece and its end is the connection's.
    write!(stream, "GET {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(16 << 20).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Production's request counters in Prometheus text, by release.
fn parse(text: &str) -> BTreeMap<String, Counts> {
    let mut releases: BTreeMap<String, Counts> = BTreeMap::new();
    for line in text.lines() {
        let Some((labels, value)) =
            line.strip_prefix("autodevops_requests_total{").and_then(|rest| rest.rsplit_once("} "))
        else {
            continue;
        };
        let label = |name: &str| {
            labels.split(',').find_map(|pair| {
                let (key, value) = pair.split_once('=')?;
                (key.trim() == name).then(|| value.trim_matches('"'))
            })
        };
        let (Some(release), Some(code), Some(ENVIRONMENT)) = (label("release"), label("code"), label("environment"))
        else {
            continue;
        };
        // A counter is a float in this format; a time may stand behind it.
        let value = value.split(' ').next().and_then(|value| value.parse::<f64>().ok()).unwrap_or(0.0) as u64;
        let counts = releases.entry(release.to_owned()).or_default();
        counts.requests += value;
        if matches!(code, "5xx" | "000") {
            counts.errors += value;
        }
    }
    releases
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_of_production_are_read_by_release() {
        let text = "# TYPE autodevops_requests_total counter\n\
            autodevops_requests_total{environment=\"production\",release=\"r-1\",code=\"2xx\"} 90\n\
            autodevops_requests_total{environment=\"production\",release=\"r-1\",code=\"5xx\"} 8\n\
            autodevops_requests_total{environment=\"production\",release=\"r-1\",code=\"000\"} 2 1700000000000\n\
            autodevops_requests_total{code=\"4xx\",release=\"r-2\",environment=\"production\"} 3\n\
            autodevops_requests_total{environment=\"staging\",release=\"r-1\",code=\"5xx\"} 7\n\
            autodevops_request_duration_seconds_count{environment=\"production\",release=\"r-1\"} 100\n";
        let releases = parse(text);
        assert_eq!(releases["r-1"], Counts { requests: 100, errors: 10 });
        assert_eq!(releases["r-2"], Counts { requests: 3, errors: 0 });
        assert_eq!(releases.len(), 2);
    }

    #[test]
    fn times_are_kept_of_the_first_and_the_last_growth() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut seen = Seen::default();
        for (second, requests, errors) in [(1, 0, 0), (2, 5, 0), (3, 9, 2), (4, 12, 3), (5, 12, 3)] {
            seen.add(Counts { requests, errors }, at(second - 1), at(second));
        }
        assert_eq!(seen.requests, Some((at(1), at(4))));
        assert_eq!(seen.errors, Some((at(2), at(4))));
        assert_eq!(seen.counts, Counts { requests: 12, errors: 3 });
    }
}
