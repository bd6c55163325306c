//! How soon a release that fails under load gets no more new requests, measured whole: a run of the product that rolls a bad release out,
//! and clients that note when they asked, when they were answered, and by which release.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use autodevops_model::{Measurement, Observation, Rate, Window};
use autodevops_pipeline::{Plan, Round, Sample, judge};

use crate::shop::Shop;

/// So many ask at once, each again a moment after the answer.
const ASKERS: usize = 8;
const PAUSE: Duration = Duration::from_millis(10);

/// The small step is long enough to be left by a rollback alone; measurements are far apart, so that glances decide.
const CHANGES: [(&str, &str); 2] = [
    ("{ traffic = \"5 %\", for = \"600ms\" }", "{ traffic = \"25 %\", for = \"10m\" }"),
    ("interval = \"100ms\"", "interval = \"25s\""),
];

/// An order that the shop's first release serves well, and that the hasty fix breaks.
const ORDER: &str = r#"{"items":[{"id":"sidamo-250","quantity":1}],"customer":{"name":"Ada","address":{"street":"Ring 7","city":"Köln","country":"de"}},"delivery":"post"}"#;

/// What was seen of a rollback.
#[derive(Clone, Copy, Debug)]
pub struct Rollback {
    /// From the answer that crossed the plan's rule to the last request that was sent and that the bad release answered.
    pub new: Duration,
    /// From the same answer to the last answer of the bad release: what was under way is seen through.
    pub under_way: Duration,
    /// Answers of the bad release, before and after.
    pub answers: usize,
}

/// An answer as a client saw it.
#[derive(Clone, Debug)]
pub struct Answer {
    /// When the request was sent.
    pub asked: Instant,
    /// When it was answered whole.
    pub answered: Instant,
    /// By which release.
    pub release: String,
    /// Whether it is an error of the release.
    pub failed: bool,
}

/// Rolls a release out that fails, under load, and looks on as the product takes it back by itself.
///
/// # Panics
/// When it is not taken back, or a request has no answer.
pub fn under_load() -> Rollback {
    let hasty = Shop::hasty_generator();
    let hasty = hasty.iter().map(|(from, to)| (from.as_str(), to.as_str()));
    let mut shop = Shop::open(&CHANGES.into_iter().chain(hasty).collect::<Vec<_>>());
    shop.deploy();
    shop.let_clients_in();
    shop.wait_for_errors();
    shop.stop_clients();
    let old = shop.serving().expect("it serves");
    let (called, answers) = while_ordered(shop.production, || shop.call(&["run"]));
    assert_eq!(called.code, Some(3), "{called}");
    let mut answers: Vec<Answer> = answers.into_iter().filter(|answer| answer.release != old).collect();
    answers.sort_unstable_by_key(|answer| answer.answered);
    let plan: Plan = serde_json::from_value(shop.events()[0]["plan"].clone()).expect("a plan");
    let crossing = crossing(&plan, &answers).expect("the rule is crossed").answered;
    let last = |moment: fn(&Answer) -> Instant| answers.iter().map(moment).max().expect("an answer");
    Rollback {
        new: last(|answer| answer.asked).saturating_duration_since(crossing),
        under_way: last(|answer| answer.answered).saturating_duration_since(crossing),
        answers: answers.len(),
    }
}

/// The first answer by which what clients saw of the release crosses a rule that needs no second look.
fn crossing<'a>(plan: &Plan, answers: &'a [Answer]) -> Option<&'a Answer> {
    let window = Window { start: 0, end: 1 };
    let mut rate = Rate { events: 0, total: 0 };
    answers.iter().find(|answer| {
        rate.total += 1;
        rate.events += u64::from(answer.failed);
        let measurement = Measurement {
            metric: "error-rate".to_owned(),
            unit: "ratio".to_owned(),
            release: "new".to_owned(),
            observation: Observation::Rate(rate.clone()),
            window: window.clone(),
        };
        let sample = Sample {
            service: String::new(),
            source: "clients".to_owned(),
            origin: autodevops_pipeline::Origin::default(),
            observed_by_host: true,
            window: window.clone(),
            measurements: vec![measurement],
        };
        let round = Round {
            samples: &[sample],
            candidate: "new",
            baseline: None,
            fresh: false,
            before: &[],
            strikes: &[],
            whole: &window,
            independent: true,
            percent: plan.steps[0].percent,
            chances: 1,
        };
        judge(plan, &round).at_once
    })
}

/// Has a few people order all the while that something is done: as many as the slowest machine serves. What the hasty fix makes fails each
/// time, and the release before never.
///
/// # Panics
/// When a request has no answer.
pub fn while_ordered<T>(port: u16, work: impl FnOnce() -> T) -> (T, Vec<Answer>) {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let askers: Vec<_> = (0..ASKERS).map(|_| scope.spawn(|| until_over(port, &over))).collect();
        let until_then = Over(&over);
        let done = work();
        drop(until_then);
        (done, askers.into_iter().flat_map(|asker| asker.join().expect("it asks")).collect())
    })
}

/// However it ends, nobody goes on asking.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

fn until_over(port: u16, over: &AtomicBool) -> Vec<Answer> {
    let mut answers = Vec::new();
    while !over.load(Relaxed) {
        answers.push(ask(port).expect("an answer"));
        thread::sleep(PAUSE);
    }
    answers
}

/// Orders something, as somebody who was never there before.
fn ask(port: u16) -> io::Result<Answer> {
    let asked = Instant::now();
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let length = ORDER.len();
    write!(
        stream,
        "POST /quote HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: \
         close\r\n\r\n{ORDER}"
    )?;
    let mut answer = Vec::new();
    stream.take(1 << 20).read_to_end(&mut answer)?;
    let answered = Instant::now();
    let answer = String::from_utf8_lossy(&answer);
    let mut lines = answer.lines();
    let failed = lines.next().is_some_and(|status| status.contains(" 5"));
    let release = lines.find_map(|line| line.strip_prefix("x-autodevops-release: "));
    let release = release.ok_or_else(|| io::Error::other(format!("no release answered: {answer}")))?.to_owned();
    Ok(Answer { asked, answered, release, failed })
}
