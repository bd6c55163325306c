//! Many hostile and many honest calls at once, for long: no honest call is lost, and the host does not grow.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use serde::Serialize;
use tokio::{sync::RwLock, task::JoinSet};

use crate::{
    case::{Case, Ending},
    component::Wat,
    field::Field,
    run::{folder, options},
    server,
};

/// Calls of each kind that go on at once.
const AT_ONCE: usize = 64;

/// Calls of the honest plugin on an idle engine, one after the other.
const IDLE_CALLS: usize = 1000;

/// Until memory is first looked at: a minute, or half of a shorter time.
const SETTLED: Duration = Duration::from_secs(60);

/// What a run of the stress came to.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Stress {
    /// How long it went on.
    pub seconds: u64,
    /// Hostile calls that ended.
    pub hostile: u64,
    /// Of them, those that came to another end than alone: on a busy machine a limit of time can come before another one.
    pub otherwise: u64,
    /// Honest calls that ended.
    pub honest: u64,
    /// Of them, those that did not give their answer.
    pub lost: u64,
    /// Of a hundred honest calls beside hostile ones, the slowest but one took so long, in microseconds.
    pub honest_p99_microseconds: u64,
    /// The same on an engine that does nothing else.
    pub idle_p99_microseconds: u64,
    /// Resident memory when the run had settled, in bytes.
    pub resident_settled: u64,
    /// Resident memory at the end, in bytes.
    pub resident_end: u64,
    /// What became of the first honest call that was lost.
    pub wrong: Option<String>,
}

impl Stress {
    /// How much more memory is resident at the end than when it had settled, in per cent.
    pub fn growth_percent(&self) -> f64 {
        let (settled, end) = (self.resident_settled as f64, self.resident_end as f64);
        if settled > 0.0 { (end / settled - 1.0) * 100.0 } else { 0.0 }
    }

    /// Whether no honest call was lost, and memory grew by at most a twentieth.
    pub fn held(&self) -> bool {
        self.lost == 0 && self.growth_percent() <= 5.0
    }
}

/// What all calls have in common.
struct Shared {
    field: Field,
    over: AtomicBool,
    /// Held by each call, and by who looks at memory while none is under way.
    calls: RwLock<()>,
    counts: [AtomicU64; 4],
    wrong: std::sync::Mutex<Option<String>>,
}

const HOSTILE: usize = 0;
const OTHERWISE: usize = 1;
const HONEST: usize = 2;
const LOST: usize = 3;

impl Shared {
    fn count(&self, which: usize) {
        if let Some(count) = self.counts.get(which) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn told(&self, wrong: String) {
        self.wrong.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get_or_insert(wrong);
    }

    fn get(&self, which: usize) -> u64 {
        self.counts.get(which).map_or(0, |count| count.load(Ordering::Relaxed))
    }
}

/// Keeps the calls going for so long. Cases that need an engine of their own are left out, and components that are never called.
///
/// # Errors
/// When the engine cannot be set up or the guests are not built.
pub async fn run(cases: Vec<Case>, long: Duration) -> Result<Stress> {
    server::remember_nothing();
    // As many calls as go on here, all at once, and no more.
    let mut options = options()?;
    options.concurrent_calls = u32::try_from(2 * AT_ONCE)?;
    let shared = Arc::new(Shared {
        field: Field::open(&options)?,
        over: AtomicBool::new(false),
        calls: RwLock::new(()),
        counts: Default::default(),
        wrong: std::sync::Mutex::default(),
    });
    let mut idle = Vec::with_capacity(IDLE_CALLS);
    for _ in 0..IDLE_CALLS {
        let start = Instant::now();
        shared.field.honest().await.map_err(anyhow::Error::msg)?;
        idle.push(start.elapsed());
    }
    let mut fitting = Vec::new();
    for case in cases {
        if fits(&case)? {
            fitting.push(case);
        }
    }
    let cases: Arc<[Case]> = fitting.into();
    anyhow::ensure!(!cases.is_empty(), "no case can be part of the stress");
    warm(&shared.field).await?;
    let next = Arc::new(AtomicU64::new(0));
    let mut hostile = JoinSet::new();
    let mut honest = JoinSet::new();
    for index in 0..AT_ONCE {
        let name = format!("hostile-{index}");
        hostile.spawn(go_on(Arc::clone(&shared), Arc::clone(&cases), Arc::clone(&next), name));
        honest.spawn(be_honest(Arc::clone(&shared)));
    }
    let settled = SETTLED.min(long / 2);
    tokio::time::sleep(settled).await;
    let resident_settled = resident(&shared).await?;
    tokio::time::sleep(long.saturating_sub(settled)).await;
    let resident_end = resident(&shared).await?;
    shared.over.store(true, Ordering::Relaxed);
    while let Some(ended) = hostile.join_next().await {
        ended??;
    }
    let mut times = Vec::new();
    while let Some(part) = honest.join_next().await {
        times.extend(part?);
    }
    let wrong = shared.wrong.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
    Ok(Stress {
        seconds: long.as_secs(),
        hostile: shared.get(HOSTILE),
        otherwise: shared.get(OTHERWISE),
        honest: shared.get(HONEST),
        lost: shared.get(LOST),
        honest_p99_microseconds: p99(times),
        idle_p99_microseconds: p99(idle),
        resident_settled,
        resident_end,
        wrong,
    })
}

/// Has every place of the pool used once, by more memory than the pool keeps of it: what it keeps is no growth.
async fn warm(field: &Field) -> Result<()> {
    let write = "(memory.fill (i32.const 131072) (i32.const 1) (i32.const 6000000))
         (call $method_pollable.block (call $subscribe-duration (i64.const 1_000_000_000))) (call $passed)";
    let guest = Wat::check(write)
        .import("wasi:clocks/monotonic-clock", "subscribe-duration")
        .import("wasi:io/poll", "[method]pollable.block")
        .memory("(memory (export \"memory\") 120)");
    let case = Arc::new(
        Case::new("memory that is written to", "warm", guest, Ending::Ends).given(|terms| terms.grant.clocks = true),
    );
    let mut calls = JoinSet::new();
    for index in 0..2 * AT_ONCE {
        let (field, case) = (field.clone(), Arc::clone(&case));
        calls.spawn(async move {
            let folder = folder()?;
            let terms = case.terms(folder.path().to_owned(), false);
            let attempt = field.attempt(&case, &case.guest, terms, format!("warm-{}", index % 4)).await?;
            anyhow::ensure!(case.fails.fits(&attempt.ended), "the pool is not warm: {}", attempt.ended);
            Ok(())
        });
    }
    while let Some(ended) = calls.join_next().await {
        ended??;
    }
    Ok(())
}

/// Whether a case can run beside any other on one engine, over and over.
fn fits(case: &Case) -> Result<bool> {
    let folder = folder()?;
    let own_engine = case.terms(folder.path().to_owned(), false).engine.is_some();
    Ok(!own_engine && !matches!(case.fails, Ending::NotLoaded(_)))
}

/// One hostile call after the other.
async fn go_on(shared: Arc<Shared>, cases: Arc<[Case]>, next: Arc<AtomicU64>, name: String) -> Result<()> {
    while !shared.over.load(Ordering::Relaxed) {
        let turn = usize::try_from(next.fetch_add(1, Ordering::Relaxed))?;
        let Some(case) = cases.get(turn % cases.len()) else { continue };
        let _under_way = shared.calls.read().await;
        let folder = folder()?;
        let terms = case.terms(folder.path().to_owned(), false);
        let attempt = shared.field.attempt(case, &case.guest, terms, name.clone()).await?;
        shared.count(HOSTILE);
        if !case.fails.fits(&attempt.ended) {
            shared.count(OTHERWISE);
        }
    }
    Ok(())
}

/// One honest call after the other; how long the last ones took.
async fn be_honest(shared: Arc<Shared>) -> Vec<Duration> {
    // All there from the start: what is measured is not to be what grows.
    let mut times = vec![Duration::ZERO; KEPT_TIMES];
    let mut made = 0;
    while !shared.over.load(Ordering::Relaxed) {
        let _under_way = shared.calls.read().await;
        let start = Instant::now();
        // Its turn among all that goes on is part of what it takes.
        tokio::task::yield_now().await;
        let answer = shared.field.honest().await;
        if let Some(time) = times.get_mut(made % KEPT_TIMES) {
            *time = start.elapsed();
        }
        made += 1;
        shared.count(HONEST);
        if let Err(wrong) = answer {
            shared.count(LOST);
            shared.told(wrong);
        }
    }
    times.truncate(made);
    times
}

/// Times that each honest caller keeps.
const KEPT_TIMES: usize = 2000;

/// All but a hundredth took at most so long, in microseconds.
fn p99(mut times: Vec<Duration>) -> u64 {
    times.sort_unstable();
    let index = times.len().saturating_sub(1) * 99 / 100;
    times.get(index).map_or(0, |time| u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
}

/// Resident memory of this process, in bytes, while no call is under way: what calls hold comes and goes, what stays is the host's.
async fn resident(shared: &Shared) -> Result<u64> {
    let _nothing_under_way = shared.calls.write().await;
    let status = std::fs::read_to_string("/proc/self/status").context("the system tells of this process in /proc")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("it tells of resident memory")?;
    let kibibytes: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kibibytes * 1024)
}
