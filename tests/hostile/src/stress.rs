//! Many hostile and many honest calls at once, for long: no honest call is lost, and the host does not grow.

mod memory;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Result;
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

/// Memory may grow by so much of what was resident when the run had settled, in per cent.
const GROWTH_PERCENT: u64 = 5;

/// And in a short run by so many bytes, if that is more: what the allocator keeps for later comes in pieces of megabytes, whatever the
/// host holds. In a long run that has come and gone: what still grows then is a leak, however small the host.
const GROWTH_BYTES: u64 = 12 << 20;

/// From so many seconds on, a run is a long one.
const LONG_RUN_SECONDS: u64 = 300;

/// Fewest honest calls in a second, all callers together. A machine of two cores serves some seven hundred, and thirty-five when ten
/// other programs compute on each core meanwhile.
const HONEST_PER_SECOND: u64 = 10;

/// How long honest calls are made beside tasks that do nothing but compute: at most, and of a short run so small a part.
const BESIDE: Duration = Duration::from_secs(5);
const BESIDE_PART: u32 = 4;

/// For so long each of them computes before it gives way, as the engine has a guest do.
const TURN: Duration = Duration::from_millis(10);

/// Honest calls beside hostile ones may take so many times what they take beside as many tasks that share the machine fairly. Hostile
/// calls also wait for the disk and are compiled, which those do not; a plugin that starves others has them wait for seconds.
const HONEST_P99_TIMES: u64 = 10;

/// Of so many hostile calls, one may come to another end than alone. 128 calls at once on two cores have each a small part of the time
/// that they have alone, so that a limit of time comes first for many of those that would meet another one later; each of these is
/// still ended, and that honest calls are served is judged by itself. More than these, and the limits are not what ends them.
const OTHERWISE_ONE_OF: u64 = 4;

/// What a run of the stress came to.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Stress {
    /// How long it went on.
    pub seconds: u64,
    /// Hostile calls that ended.
    pub hostile: u64,
    /// Of them, those that came to another end than alone: on a busy machine a limit of time can come before another one.
    pub otherwise: u64,
    /// Kinds of hostile calls that took part.
    pub kinds: usize,
    /// Of them, those of which no call ended.
    pub missing: Vec<String>,
    /// Honest calls that ended.
    pub honest: u64,
    /// Of them, those that did not give their answer.
    pub lost: u64,
    /// Of a hundred honest calls beside hostile ones, the slowest but one took so long, in microseconds.
    pub honest_p99_microseconds: u64,
    /// The same on an engine that does nothing else.
    pub idle_p99_microseconds: u64,
    /// The same beside as many tasks as there are hostile calls, which compute and give way in turn: what sharing the machine costs.
    pub beside_p99_microseconds: u64,
    /// Resident memory when the run had settled, in bytes: the middle of several looks.
    pub resident_settled: u64,
    /// Resident memory at the end, in bytes: the middle of several looks.
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

    /// What was not as it must be, each in words; nothing when all held.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.lost > 0 {
            faults.push(format!("{} honest calls were lost", self.lost));
        }
        let least = HONEST_PER_SECOND.saturating_mul(self.seconds);
        if self.honest < least {
            faults.push(format!("only {} honest calls were served, not {least}: others starved them", self.honest));
        }
        let slowest = self.beside_p99_microseconds.saturating_mul(HONEST_P99_TIMES);
        if self.honest_p99_microseconds > slowest {
            faults.push(format!(
                "one of a hundred honest calls took {} ms and more, and may take {} ms: others starved it",
                self.honest_p99_microseconds / 1000,
                slowest / 1000
            ));
        }
        if !self.missing.is_empty() {
            let first = self.missing.iter().take(3).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            let (missing, kinds) = (self.missing.len(), self.kinds);
            faults.push(format!("{missing} of {kinds} kinds of hostile calls never ended: {first}"));
        }
        if self.otherwise.saturating_mul(OTHERWISE_ONE_OF) > self.hostile {
            faults.push(format!("{} of {} hostile calls ended otherwise than alone", self.otherwise, self.hostile));
        }
        if self.kinds == 0 || self.hostile == 0 {
            faults.push("no hostile call was made".to_owned());
        }
        let floor = if self.seconds < LONG_RUN_SECONDS { GROWTH_BYTES } else { 0 };
        let allowed = (self.resident_settled / 100).saturating_mul(GROWTH_PERCENT).max(floor);
        let grown = self.resident_end.saturating_sub(self.resident_settled);
        if grown > allowed || self.resident_settled == 0 {
            let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
            faults.push(format!(
                "memory grew by {:.1} MiB, and may by {:.1} MiB",
                mebibytes(grown),
                mebibytes(allowed)
            ));
        }
        faults
    }
}

/// What all calls have in common.
struct Shared {
    field: Field,
    over: AtomicBool,
    /// Held by each call, and by who looks at memory while none is under way.
    calls: RwLock<()>,
    counts: [AtomicU64; 4],
    /// Of each case, whether a call ended.
    ended: Vec<AtomicBool>,
    wrong: std::sync::Mutex<Option<String>>,
}

const HOSTILE: usize = 0;
const OTHERWISE: usize = 1;
const HONEST: usize = 2;
const LOST: usize = 3;

impl Shared {
    fn new(field: Field, cases: usize) -> Self {
        Self {
            field,
            over: AtomicBool::new(false),
            calls: RwLock::new(()),
            counts: Default::default(),
            ended: (0..cases).map(|_| AtomicBool::new(false)).collect(),
            wrong: std::sync::Mutex::default(),
        }
    }

    fn count(&self, which: usize) {
        if let Some(count) = self.counts.get(which) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn told(&self, wrong: String) {
        self.wrong.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get_or_insert(wrong);
    }

    fn ended(&self, case: usize) {
        if let Some(ended) = self.ended.get(case) {
            ended.store(true, Ordering::Relaxed);
        }
    }

    /// The cases of which no call ended.
    fn missing(&self, cases: &[Case]) -> Vec<String> {
        let missing = cases.iter().zip(&self.ended).filter(|(_, ended)| !ended.load(Ordering::Relaxed));
        missing.map(|(case, _)| case.name.clone()).collect()
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
    let mut fitting = Vec::new();
    for case in cases {
        if fits(&case)? {
            fitting.push(case);
        }
    }
    let cases: Arc<[Case]> = fitting.into();
    anyhow::ensure!(!cases.is_empty(), "no case can be part of the stress");
    let shared = Arc::new(Shared::new(Field::open(&options)?, cases.len()));
    let mut idle = Vec::with_capacity(IDLE_CALLS);
    for _ in 0..IDLE_CALLS {
        let start = Instant::now();
        shared.field.honest().await.map_err(anyhow::Error::msg)?;
        idle.push(start.elapsed());
    }
    let beside = beside_tasks(&shared.field, BESIDE.min(long / BESIDE_PART)).await?;
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
    let resident_settled = memory::resident_after(&shared.calls, settled).await?;
    let resident_end = memory::resident_after(&shared.calls, long.saturating_sub(settled)).await?;
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
        kinds: cases.len(),
        missing: shared.missing(&cases),
        honest: shared.get(HONEST),
        lost: shared.get(LOST),
        honest_p99_microseconds: p99(times),
        idle_p99_microseconds: p99(idle),
        beside_p99_microseconds: p99(beside),
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
        shared.ended(turn % cases.len());
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

/// How long honest calls take beside tasks that share the machine fairly, as many as there are hostile calls later.
async fn beside_tasks(field: &Field, long: Duration) -> Result<Vec<Duration>> {
    let shared = Arc::new(Shared::new(field.clone(), 0));
    let (mut tasks, mut honest) = (JoinSet::new(), JoinSet::new());
    for _ in 0..AT_ONCE {
        tasks.spawn(compute(Arc::clone(&shared)));
        honest.spawn(be_honest(Arc::clone(&shared)));
    }
    tokio::time::sleep(long).await;
    shared.over.store(true, Ordering::Relaxed);
    let mut times = Vec::new();
    while let Some(part) = honest.join_next().await {
        times.extend(part?);
    }
    while let Some(ended) = tasks.join_next().await {
        ended?;
    }
    let wrong = shared.wrong.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
    wrong.map_or(Ok(times), |wrong| Err(anyhow::Error::msg(wrong)))
}

/// Computes, and gives way in turn.
async fn compute(shared: Arc<Shared>) {
    while !shared.over.load(Ordering::Relaxed) {
        let begun = Instant::now();
        while begun.elapsed() < TURN {
            std::hint::spin_loop();
        }
        tokio::task::yield_now().await;
    }
}

/// Times that each honest caller keeps.
const KEPT_TIMES: usize = 2000;

/// All but a hundredth took at most so long, in microseconds.
fn p99(mut times: Vec<Duration>) -> u64 {
    times.sort_unstable();
    let index = times.len().saturating_sub(1) * 99 / 100;
    times.get(index).map_or(0, |time| u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    /// A minute in which all was well.
    fn well() -> Stress {
        Stress {
            seconds: 60,
            hostile: 5000,
            otherwise: 100,
            kinds: 500,
            honest: 40_000,
            honest_p99_microseconds: 200_000,
            beside_p99_microseconds: 100_000,
            resident_settled: 300 * MIB,
            resident_end: 301 * MIB,
            ..Stress::default()
        }
    }

    #[track_caller]
    fn is_found(stress: &Stress, part: &str) {
        let faults = stress.faults();
        assert!(matches!(faults.as_slice(), [fault] if fault.contains(part)), "{faults:?}");
    }

    /// What is seen of a host that leaks so many bytes in a second, in looks at these seconds; one look is far off.
    fn leaking(per_second: u64, at: [u64; 5]) -> u64 {
        let mut looks = at.map(|second| 300 * MIB + per_second * second).to_vec();
        looks[2] += 80 * MIB;
        memory::middle(looks)
    }

    #[test]
    fn a_minute_in_which_all_was_well_has_no_faults() {
        assert_eq!(well().faults(), Vec::<String>::new());
    }

    #[test]
    fn one_honest_call_that_is_lost_is_found() {
        is_found(&Stress { lost: 1, ..well() }, "1 honest calls were lost");
    }

    #[test]
    fn honest_calls_that_starve_are_found() {
        is_found(&Stress { honest: 599, ..well() }, "only 599 honest calls were served, not 600");
        is_found(&Stress { honest: 0, ..well() }, "starved");
    }

    #[test]
    fn honest_calls_that_are_served_late_are_found_by_what_they_take_beside_others_that_share_fairly() {
        let late = |honest_p99_microseconds| Stress { honest_p99_microseconds, ..well() };
        assert_eq!(late(1_000_000).faults(), Vec::<String>::new());
        is_found(&late(1_001_000), "took 1001 ms and more, and may take 1000 ms");
        // A slow machine is slow for all.
        let slow = Stress { beside_p99_microseconds: 400_000, ..late(1_001_000) };
        assert_eq!(slow.faults(), Vec::<String>::new());
    }

    #[test]
    fn hostile_calls_that_never_ended_or_mostly_otherwise_are_found() {
        is_found(&Stress { missing: vec!["a flood".into()], ..well() }, "1 of 500 kinds of hostile calls");
        is_found(&Stress { hostile: 0, otherwise: 0, ..well() }, "no hostile call was made");
        is_found(&Stress { otherwise: 1251, ..well() }, "1251 of 5000 hostile calls ended otherwise");
    }

    #[test]
    fn a_host_that_leaks_is_found_and_one_look_that_is_far_off_decides_nothing() {
        let looks = |per_second| {
            let (settled, end) = ([26, 27, 28, 29, 30], [56, 57, 58, 59, 60]);
            (leaking(per_second, settled), leaking(per_second, end))
        };
        let run = |(resident_settled, resident_end)| Stress { resident_settled, resident_end, ..well() };
        assert_eq!(run(looks(0)).faults(), Vec::<String>::new());
        // In thirty seconds; a twentieth of what is resident is 15 to 16 MiB.
        assert_eq!(run(looks(MIB / 4)).faults(), Vec::<String>::new());
        is_found(&run(looks(MIB * 3 / 4)), "memory grew by 22.");
        is_found(&run(looks(10 * MIB)), "memory grew by 300.");
    }

    #[test]
    fn a_small_host_may_keep_a_few_mebibytes_and_no_look_at_memory_is_no_proof() {
        let small = |end| Stress { resident_settled: 60 * MIB, resident_end: end, ..well() };
        assert_eq!(small(71 * MIB).faults(), Vec::<String>::new());
        is_found(&small(73 * MIB), "memory grew by 13.0 MiB, and may by 12.0 MiB");
        // Not in a run that is long enough for that to be over.
        let long = |end| Stress { seconds: 600, ..small(end) };
        assert_eq!(long(62 * MIB).faults(), Vec::<String>::new());
        is_found(&long(64 * MIB), "memory grew by 4.0 MiB, and may by 3.0 MiB");
        is_found(&Stress { resident_settled: 0, resident_end: 0, ..well() }, "memory");
    }
}
