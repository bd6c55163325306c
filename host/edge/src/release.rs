//! A release that runs: what is known of it, and the requests that it answers.

use std::{
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use http::HeaderValue;
use tokio::sync::{Notify, watch};

use crate::{
    Phase, ReleaseStatus,
    assign::ClientId,
    clock::now,
    output::Tail,
    pool::Pool,
    record::Started,
    stats::{Class, Source, Stats},
};

/// A client that gives up earlier is not counted; one that waited so long was not answered.
const PATIENCE: Duration = Duration::from_secs(5);

/// A release that was started.
#[derive(Debug)]
pub struct Running {
    /// What was started.
    pub started: Started,
    /// What was observed.
    pub stats: Arc<Stats>,
    /// The end of its output.
    pub tail: Arc<Tail>,
    header: Option<HeaderValue>,
    pool: RwLock<Option<Arc<Pool>>>,
    phase: watch::Sender<Phase>,
    /// Requests that it is answering.
    in_flight: AtomicUsize,
    /// Told when there is none.
    all_answered: Notify,
    stop: watch::Sender<bool>,
    pid: AtomicU32,
    restarts: AtomicU64,
    crash_loop: AtomicBool,
    probe_fails: AtomicBool,
}

impl Running {
    /// A release whose process is still to be started; `stats` count on.
    pub fn new(started: Started, stats: Arc<Stats>) -> Arc<Self> {
        Arc::new(Self {
            header: HeaderValue::from_str(&started.release.id).ok(),
            started,
            stats,
            tail: Arc::default(),
            pool: RwLock::new(None),
            phase: watch::Sender::new(Phase::Starting),
            in_flight: AtomicUsize::new(0),
            all_answered: Notify::new(),
            stop: watch::Sender::new(false),
            pid: AtomicU32::new(0),
            restarts: AtomicU64::new(0),
            crash_loop: AtomicBool::new(false),
            probe_fails: AtomicBool::new(false),
        })
    }

    /// Its name.
    pub fn id(&self) -> &str {
        &self.started.release.id
    }

    /// Its name as a header's value.
    pub fn header(&self) -> Option<HeaderValue> {
        self.header.clone()
    }

    /// What its process does.
    pub fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Its connections, while it answers.
    pub fn pool(&self) -> Option<Arc<Pool>> {
        self.pool.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until it answers, at most for `limit`; its connections then.
    pub async fn when_up(&self, limit: Duration) -> Option<Arc<Pool>> {
        if let Some(pool) = self.pool() {
            return Some(pool);
        }
        let mut phase = self.phase.subscribe();
        let is_settled = |phase: &Phase| matches!(phase, Phase::Up | Phase::Stopped);
        drop(tokio::time::timeout(limit, phase.wait_for(is_settled)).await);
        self.pool()
    }

    /// It answers from here on.
    pub fn up(&self, pool: Arc<Pool>) {
        self.set_probe_fails(false);
        *self.pool.write().unwrap_or_else(PoisonError::into_inner) = Some(pool);
        self.phase.send_replace(Phase::Up);
    }

    /// It does not answer any more, or not yet.
    pub fn not_up(&self, phase: Phase) {
        *self.pool.write().unwrap_or_else(PoisonError::into_inner) = None;
        self.phase.send_replace(phase);
    }

    /// Its process; 0 when there is none.
    pub fn set_pid(&self, pid: u32) {
        self.pid.store(pid, Ordering::Relaxed);
    }

    /// It is started again, after so many failures in a row.
    pub fn restart(&self, is_crash_loop: bool) {
        self.restarts.fetch_add(1, Ordering::Relaxed);
        self.crash_loop.store(is_crash_loop, Ordering::Relaxed);
    }

    /// It has been up for a while.
    pub fn calm(&self) {
        self.crash_loop.store(false, Ordering::Relaxed);
    }

    /// Whether it is up and misses its probe again and again.
    pub fn set_probe_fails(&self, fails: bool) {
        self.probe_fails.store(fails, Ordering::Relaxed);
    }

    /// Tells its supervisor to stop it.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Waits until it is to be stopped.
    pub async fn when_stopped(&self) {
        // The sender lives as long as this does.
        drop(self.stop.subscribe().wait_for(|stop| *stop).await);
    }

    /// Waits until every request was answered, at most for `limit`.
    pub async fn drained(&self, limit: Duration) {
        let answered = async {
            loop {
                let all_answered = self.all_answered.notified();
                if self.in_flight.load(Ordering::SeqCst) == 0 {
                    return;
                }
                all_answered.await;
            }
        };
        if tokio::time::timeout(limit, answered).await.is_err() {
            let count = self.in_flight.load(Ordering::SeqCst);
            tracing::warn!(release = self.id(), count, "requests are cut off: they did not end in time");
        }
    }

    /// A request goes to it.
    pub fn begin(self: &Arc<Self>, source: Source, client: ClientId) -> Exchange {
        self.in_flight.fetch_add(1, Ordering::SeqCst);
        Exchange { running: Arc::clone(self), source, client, began: Instant::now(), outcome: None, is_counted: false }
    }

    /// What is told of it.
    pub fn status(&self, percent: u8) -> ReleaseStatus {
        let pid = self.pid.load(Ordering::Relaxed);
        ReleaseStatus {
            release: self.started.release.clone(),
            phase: self.phase(),
            pid: (pid != 0).then_some(pid),
            restarts: self.restarts.load(Ordering::Relaxed),
            crash_loop: self.crash_loop.load(Ordering::Relaxed),
            probe_fails: self.probe_fails.load(Ordering::Relaxed),
            percent,
            url: self.url(),
        }
    }

    /// The address at which it alone answers.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.started.port)
    }
}

/// A request that a release is answering. It is counted when it ends: when the answer's body is through or was given
/// up.
#[derive(Debug)]
pub struct Exchange {
    /// The release.
    pub running: Arc<Running>,
    source: Source,
    client: ClientId,
    began: Instant,
    outcome: Option<(Class, Duration)>,
    is_counted: bool,
}

impl Exchange {
    /// When it began.
    pub const fn began(&self) -> Instant {
        self.began
    }

    /// The answer's head has come.
    pub fn answered(&mut self, class: Class) {
        self.outcome = Some((class, self.began.elapsed()));
    }

    /// No answer will come.
    pub fn failed(&mut self) {
        self.outcome = Some((Class::None, self.began.elapsed()));
    }

    /// The answer ended before its end.
    pub fn cut_off(&mut self) {
        if let Some((class, _)) = &mut self.outcome {
            *class = Class::None;
        }
    }

    /// Counts it now, where what follows its answer may go on for long.
    pub fn count(&mut self) {
        if self.is_counted {
            return;
        }
        self.is_counted = true;
        let given_up = || {
            let waited = self.began.elapsed();
            (waited > PATIENCE).then_some((Class::None, waited))
        };
        if let Some((class, latency)) = self.outcome.or_else(given_up) {
            self.running.stats.count(self.source, class, latency, self.client, now());
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.count();
        if self.running.in_flight.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.running.all_answered.notify_waiters();
        }
    }
}
