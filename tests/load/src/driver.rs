//! The open loop: sends what is due, keeps cookies, collects outcomes, and ends by itself.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{HeaderMap, Request, header};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use tokio::{
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::Instant,
};

use crate::{
    mix::{self, Ask},
    random::Random,
    report::{Collector, Outcome, Report, Tally},
};

/// The header in which an answer says who is to blame for it.
pub const BLAME: &str = "x-autodevops-error";
/// What it says when the application's own code threw.
pub const APPLICATION: &str = "application";
/// The header in which an answer names the release that gave it.
pub const RELEASE: &str = "x-autodevops-release";

/// What traffic to make.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where to: host and port.
    pub authority: String,
    /// Requests a second, on average; they come at random moments, as those of people who do not know of each other do.
    pub rate: u32,
    /// How many clients there are.
    pub clients: u32,
    /// How long requests are sent.
    pub duration: Duration,
    /// How long one may take before it counts as failed.
    pub timeout: Duration,
    /// Length of the series' intervals.
    pub interval: Duration,
    /// What makes the traffic repeatable.
    pub seed: u64,
}

impl Plan {
    /// Traffic to `authority` with figures that suit a small machine.
    pub fn new(authority: impl Into<String>) -> Self {
        Self {
            authority: authority.into(),
            rate: 150,
            clients: 400,
            duration: Duration::from_secs(60),
            timeout: Duration::from_secs(10),
            interval: Duration::from_secs(1),
            seed: 1,
        }
    }
}

/// Traffic that is under way. Dropped, it ends at once.
#[derive(Debug)]
pub struct Running {
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    task: JoinHandle<Duration>,
}

impl Running {
    /// All counts up to now.
    pub fn total(&self) -> Tally {
        lock(&self.shared.collector).total().clone()
    }

    /// Whether all requests were sent and answered.
    pub fn is_finished(&self) -> bool {
        self.task.is_finished()
    }

    /// Sends no more requests, waits for the answers of those that were sent, and says what was seen.
    ///
    /// # Errors
    /// When the traffic's task ended by a panic.
    pub async fn stop(self) -> anyhow::Result<Report> {
        self.stop.send_replace(true);
        self.finish().await
    }

    /// Waits until all is sent and answered, and says what was seen.
    ///
    /// # Errors
    /// When the traffic's task ended by a panic.
    pub async fn finish(mut self) -> anyhow::Result<Report> {
        let lasted = (&mut self.task).await?;
        Ok(lock(&self.shared.collector).report(self.shared.started_unix_ms, lasted))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Debug)]
struct Shared {
    plan: Plan,
    client: Client<HttpConnector, Full<Bytes>>,
    cookies: Vec<Mutex<BTreeMap<String, String>>>,
    collector: Mutex<Collector>,
    started: Instant,
    started_unix_ms: u64,
}

/// Starts the traffic on the current runtime.
pub fn start(plan: Plan) -> Running {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client = Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(Duration::from_secs(5))
        .build(connector);
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let shared = Arc::new(Shared {
        client,
        cookies: (0..plan.clients.max(1)).map(|_| Mutex::default()).collect(),
        collector: Mutex::new(Collector::new(plan.interval)),
        started: Instant::now(),
        started_unix_ms: u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX),
        plan,
    });
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(drive(Arc::clone(&shared), stopped));
    Running { shared, stop, task }
}

async fn drive(shared: Arc<Shared>, mut stopped: watch::Receiver<bool>) -> Duration {
    let mut random = Random::new(shared.plan.seed);
    let end = shared.started + shared.plan.duration;
    let mut due = shared.started;
    let mut under_way = JoinSet::new();
    loop {
        due += gap(&mut random, shared.plan.rate);
        if due >= end {
            break;
        }
        tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => break,
            () = tokio::time::sleep_until(due) => {}
        }
        let ask = mix::next(&mut random);
        let client = random.below(u64::from(shared.plan.clients.max(1)));
        under_way.spawn(send(Arc::clone(&shared), client, ask, due));
        while under_way.try_join_next().is_some() {}
    }
    let lasted = shared.started.elapsed();
    // Each ends by its own timeout.
    while under_way.join_next().await.is_some() {}
    lasted
}

/// Time to the next request: exponentially distributed, as between independent arrivals.
fn gap(random: &mut Random, rate: u32) -> Duration {
    let seconds = -(1.0 - random.share()).ln() / f64::from(rate.max(1));
    Duration::from_secs_f64(seconds)
}

async fn send(shared: Arc<Shared>, client: u64, ask: Ask, due: Instant) {
    let cookies = usize::try_from(client).ok().and_then(|index| shared.cookies.get(index));
    let (release, outcome) = match tokio::time::timeout(shared.plan.timeout, exchange(&shared, cookies, &ask)).await {
        Ok(Ok((release, outcome))) => (release, outcome),
        Ok(Err(cause)) => (None, Outcome::Deploy(cause)),
        Err(_) => (None, Outcome::Deploy("no answer in time".into())),
    };
    let now = Instant::now();
    lock(&shared.collector).add(ask.name, release, outcome, now - shared.started, now - due);
}

async fn exchange(
    shared: &Shared,
    cookies: Option<&Mutex<BTreeMap<String, String>>>,
    ask: &Ask,
) -> Result<(Option<String>, Outcome), String> {
    let mut request =
        Request::builder().method(&ask.method).uri(format!("http://{}{}", shared.plan.authority, ask.path));
    if let Some(cookie) = cookies.and_then(|jar| cookie_header(&lock(jar))) {
        request = request.header(header::COOKIE, cookie);
    }
    if ask.body.is_some() {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    let body = Full::new(Bytes::from(ask.body.clone().unwrap_or_default()));
    let request = request.body(body).map_err(|error| format!("not a request: {error}"))?;
    let answer = shared.client.request(request).await.map_err(|error| {
        if error.is_connect() { "cannot connect".into() } else { "the connection broke before the answer".to_owned() }
    })?;
    if let Some(jar) = cookies {
        keep_cookies(&mut lock(jar), answer.headers());
    }
    let status = answer.status().as_u16();
    let application = answer.headers().get(BLAME).is_some_and(|value| value == APPLICATION);
    let release = answer.headers().get(RELEASE).and_then(|value| value.to_str().ok()).map(str::to_owned);
    answer.into_body().collect().await.map_err(|_| "the answer was cut off".to_owned())?;
    Ok((release, Outcome::of_answer(status, application, ask.expected_class)))
}

fn cookie_header(jar: &BTreeMap<String, String>) -> Option<String> {
    let pairs: Vec<String> = jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
    (!pairs.is_empty()).then(|| pairs.join("; "))
}

fn keep_cookies(jar: &mut BTreeMap<String, String>, headers: &HeaderMap) {
    for cookie in headers.get_all(header::SET_COOKIE) {
        let pair = cookie.to_str().ok().and_then(|text| text.split(';').next()).and_then(|pair| pair.split_once('='));
        if let Some((name, value)) = pair {
            jar.insert(name.trim().into(), value.trim().into());
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Counts and cookies are whole after every statement, so what a panicking task left is still good.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
