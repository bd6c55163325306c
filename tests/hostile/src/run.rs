//! Running cases: each with honest calls on the same engine, at the same time and afterwards.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Result;
use autodevops_sandbox::{Compiler, SandboxOptions};
use serde::Serialize;
use tokio::{sync::Semaphore, task::JoinSet};

use crate::{
    case::{Attempt, Case, Terms},
    field::{Field, target},
    log,
};

/// How many cases run at once.
const AT_ONCE: usize = 4;

/// Between two honest calls beside one hostile guest.
const HONEST_PAUSE: Duration = Duration::from_millis(5);

/// What became of a case.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// The case.
    pub case: String,
    /// The promise that it proves.
    pub promise: &'static str,
    /// Whether the promise was held, and the guest did not fail so with its limit raised.
    pub held: bool,
    /// How the guest ended; where the promise was not held, what was wrong.
    pub outcome: String,
    /// Both attempts together, loading included.
    pub milliseconds: u64,
    /// Honest calls made meanwhile and afterwards.
    pub honest: u64,
    /// Those that did not give their answer.
    pub lost: u64,
}

/// Runs the cases, a few at once; their outcomes in the order of the cases.
///
/// # Errors
/// When the engine cannot be set up or the guests are not built.
pub async fn run(cases: Vec<Case>) -> Result<Vec<Outcome>> {
    log::keep();
    let field = Field::open(&options()?)?;
    let permits = Arc::new(Semaphore::new(AT_ONCE));
    let mut tasks = JoinSet::new();
    for (index, case) in cases.into_iter().enumerate() {
        let (field, permits) = (field.clone(), Arc::clone(&permits));
        tasks.spawn(async move {
            let _permit = permits.acquire_owned().await?;
            anyhow::Ok((index, run_case(&field, &case).await?))
        });
    }
    let mut outcomes = Vec::new();
    while let Some(outcome) = tasks.join_next().await {
        outcomes.push(outcome??);
    }
    outcomes.sort_by_key(|(index, _)| *index);
    Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
}

/// The engine's settings for all cases that do not ask for others.
///
/// # Errors
/// When the folder of the compile cache cannot be told.
pub fn options() -> Result<SandboxOptions> {
    let cache = Some(target()?.join("test-cache/hostile"));
    Ok(SandboxOptions { cache, compiler: compiler()?, ..SandboxOptions::default() })
}

/// The argument by which the program of this suite compiles one component, see [`compile_child`](autodevops_sandbox::compile_child).
pub const COMPILER_VERB: &str = "compile-component";

/// A process for each component: the program of this suite.
///
/// # Errors
/// When its folder cannot be told.
pub fn compiler() -> Result<Compiler> {
    let program = target()?.join("debug/autodevops-hostile");
    Ok(Compiler::Child { program, arguments: vec![COMPILER_VERB.into()] })
}

/// One case: held, raised, and the honest calls around both.
async fn run_case(field: &Field, case: &Case) -> Result<Outcome> {
    let start = Instant::now();
    let mut count = Honest::default();
    let held = attempts(field, case, false, &mut count).await?;
    let ended = held.first().map(|made| made.ended.to_string()).unwrap_or_default();
    let mut verdict = held.iter().try_for_each(|made| case.judge(made));
    drop(held);
    if verdict.is_ok() {
        let raised = attempts(field, case, true, &mut count).await?;
        verdict = raised.iter().try_for_each(|made| case.judge_raised(made));
    }
    let verdict = verdict.and(count.wrong.map_or(Ok(()), Err));
    Ok(Outcome {
        case: case.name.clone(),
        promise: case.promise,
        held: verdict.is_ok(),
        outcome: verdict.err().unwrap_or(ended),
        milliseconds: u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX),
        honest: count.made,
        lost: count.lost,
    })
}

/// Honest calls that were made.
#[derive(Default)]
struct Honest {
    made: u64,
    lost: u64,
    wrong: Option<String>,
}

impl Honest {
    fn add(&mut self, outcome: Result<(), String>) {
        self.made += 1;
        if let Err(wrong) = outcome {
            self.lost += 1;
            self.wrong.get_or_insert(wrong);
        }
    }
}

/// The attempts of a case's guests, at once, with honest calls beside them and one afterwards.
async fn attempts(common: &Field, case: &Case, raised: bool, count: &mut Honest) -> Result<Vec<Made>> {
    let mut folders = (0..case.crowd).map(|_| folder()).collect::<Result<Vec<_>>>()?;
    let mut terms: Vec<Terms> = folders.iter().map(|folder| case.terms(folder.path().to_owned(), raised)).collect();
    let field = match terms.first_mut().and_then(|terms| terms.engine.take()) {
        Some(options) => Field::open(&options)?,
        None => common.clone(),
    };
    let guest = case.mended.as_ref().filter(|_| raised).unwrap_or(&case.guest);
    static ATTEMPTS: AtomicU64 = AtomicU64::new(1);
    let over = AtomicBool::new(false);
    let honest = async {
        loop {
            count.add(field.honest().await);
            if over.load(Ordering::Relaxed) {
                break;
            }
            tokio::time::sleep(HONEST_PAUSE).await;
        }
    };
    let hostile = async {
        let mut crowd = JoinSet::new();
        for (index, terms) in terms.into_iter().enumerate() {
            let (field, case, guest) = (field.clone(), case.clone(), guest.clone());
            let plugin = format!("hostile-{}", ATTEMPTS.fetch_add(1, Ordering::Relaxed));
            crowd.spawn(async move { (index, field.attempt(&case, &guest, terms, plugin).await) });
        }
        let mut ended = crowd.join_all().await;
        over.store(true, Ordering::Relaxed);
        ended.sort_by_key(|(index, _)| *index);
        ended
    };
    let (ended, ()) = tokio::join!(hostile, honest);
    count.add(field.honest().await);
    ended
        .into_iter()
        .zip(folders.drain(..))
        .map(|((_, attempt), folder)| Ok(Made { attempt: attempt?, _folder: folder }))
        .collect()
}

/// An attempt, and its folder, which goes with it.
struct Made {
    attempt: Attempt,
    _folder: tempfile::TempDir,
}

impl std::ops::Deref for Made {
    type Target = Attempt;

    fn deref(&self) -> &Attempt {
        &self.attempt
    }
}

/// A folder with what attempts need on the host: `data`, `other`, and `secret`, which is never granted.
///
/// # Errors
/// When it cannot be made.
pub fn folder() -> Result<tempfile::TempDir> {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| -> PathBuf { folder.path().join(name) };
    for name in ["data", "other", "secret"] {
        std::fs::create_dir(path(name))?;
    }
    std::fs::write(path("data/a.txt"), "a file")?;
    std::fs::write(path("secret/key"), SECRET)?;
    std::os::unix::fs::symlink("../secret/key", path("data/relative-link"))?;
    std::os::unix::fs::symlink(path("secret/key"), path("data/absolute-link"))?;
    std::os::unix::fs::symlink("../secret", path("data/folder-link"))?;
    Ok(folder)
}

/// What lies outside of every granted folder.
pub const SECRET: &str = "not for guests";
