//! Keeps a release's process running until it is to be stopped.

use std::{
    ffi::OsString,
    future::pending,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    process::ExitStatus,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use autodevops_bubblewrap::terminate;
use autodevops_model::StageError;
use rustix::process::Signal;
use tokio::{
    process::Child,
    sync::oneshot,
    task::{JoinHandle, spawn_blocking},
    time::{sleep, sleep_until, timeout},
};

use crate::{
    Phase, RunSpec,
    lanes::Lanes,
    output::{Log, copy},
    pool::{Pool, Probe, probe},
    program::{self, SOCKET},
    refusal::failed,
    release::Running,
    spawn::{Spawner, signal},
};

/// First pause before a release is started again; it doubles with every failure in a row.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Longest pause.
const LAST_PAUSE: Duration = Duration::from_secs(30);
/// A release that was up for so long is started afresh: earlier failures do not count.
const CALM: Duration = Duration::from_secs(30);
/// So many failures in a row are a crash loop.
const CRASH_LOOP: u32 = 3;
/// Time between being told to end and being killed; the requests were answered before.
const GRACE: Duration = Duration::from_secs(5);
/// So many probes in a row that a release misses while it is up show that it does not answer any more: one or two may be a
/// moment in which it had much to do.
const MISSES: u32 = 3;
/// How long one probe may take.
pub const PROBE: Duration = Duration::from_secs(5);

/// What the releases of an environment are started with.
#[derive(Debug)]
pub struct Setup {
    /// Program and leading arguments of the worker.
    pub worker: Vec<OsString>,
    /// Folder of the sockets' folders.
    pub sockets: PathBuf,
    /// Number of the next socket's folder.
    pub next: Arc<AtomicU64>,
    /// The environment's log.
    pub log: Arc<Log>,
    /// The path that is probed.
    pub probe: String,
    /// How often it is probed while a release is up; not then where there is none.
    pub probe_again: Option<Duration>,
    /// How long getting ready may take.
    pub ready_timeout: Duration,
    /// How long requests may take to end.
    pub drain: Duration,
    /// What starts processes.
    pub spawner: Spawner,
    /// What carries requests to them.
    pub lanes: Arc<Lanes>,
}

/// How a process's life went.
enum Life {
    Stopped,
    /// It did not get ready.
    Unready(StageError),
    /// It was up and ended by itself.
    Ended(ExitStatus, Duration),
}

/// Runs the release until it is to be stopped. `first` is told whether it got ready at all; one that did not is not
/// started again. Without `first` it is started again and again.
pub async fn supervise(
    running: Arc<Running>,
    setup: Arc<Setup>,
    first: Option<oneshot::Sender<Result<(), StageError>>>,
) {
    let mut first = first;
    let mut failures = 0;
    loop {
        let life = live(&running, &setup, &mut first).await;
        running.set_pid(0);
        match life {
            Life::Stopped => break,
            Life::Unready(error) => {
                tracing::error!(release = running.id(), %error, "a release does not get ready");
                if let Some(first) = first.take() {
                    drop(first.send(Err(error)));
                    break;
                }
                failures += 1;
            }
            Life::Ended(status, lived) => {
                tracing::error!(release = running.id(), %status, ?lived, "a release ended by itself");
                failures = if lived < CALM { failures + 1 } else { 1 };
            }
        }
        running.not_up(Phase::Down);
        let pause = FIRST_PAUSE.saturating_mul(1 << (failures - 1).min(16)).min(LAST_PAUSE);
        running.restart(failures >= CRASH_LOOP);
        tokio::select! {
            () = sleep(pause) => running.not_up(Phase::Starting),
            () = running.when_stopped() => break,
        }
    }
    running.not_up(Phase::Stopped);
}

async fn live(
    running: &Arc<Running>,
    setup: &Setup,
    first: &mut Option<oneshot::Sender<Result<(), StageError>>>,
) -> Life {
    // A folder of its own for every process: what an earlier one left behind is never in the way.
    let folder = setup.sockets.join(setup.next.fetch_add(1, Ordering::Relaxed).to_string());
    let life = match start(running, setup, &folder).await {
        Ok((mut child, output)) => {
            running.set_pid(child.id().unwrap_or(0));
            let life = watch(running, setup, &folder, &mut child, first).await;
            let in_a_sandbox = matches!(running.started.run, RunSpec::Command { .. });
            end(&mut child, matches!(life, Life::Stopped), in_a_sandbox).await;
            // What it wrote last belongs to the error; a pipe that something else holds open does not.
            drop(
                timeout(Duration::from_secs(1), async {
                    for task in output {
                        drop(task.await)
                    }
                })
                .await,
            );
            match life {
                Life::Unready(mut error) => {
                    error.info.details.push(("output".into(), running.tail.text()));
                    Life::Unready(error)
                }
                life => life,
            }
        }
        Err(error) => Life::Unready(error),
    };
    drop(std::fs::remove_dir_all(&folder));
    life
}

async fn start(running: &Running, setup: &Setup, folder: &Path) -> Result<(Child, [JoinHandle<()>; 2]), StageError> {
    let cannot = |what: &str, error: std::io::Error| {
        failed(format!("the release `{}` cannot be started: {what}: {error}", running.id()))
    };
    let mut builder = std::fs::DirBuilder::new();
    builder.mode(0o700).create(folder).map_err(|error| cannot(&folder.display().to_string(), error))?;
    let command = program::command(&running.started, &setup.worker, folder).await?;
    let name = command.as_std().get_program().to_string_lossy().into_owned();
    let mut child = setup.spawner.spawn(command).await.map_err(|error| cannot(&name, error))?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    // Its own first: who reads a line in the environment's log finds it there.
    let own = match Log::of_release(setup.log.path(), running.id()) {
        Ok(own) => Some(Arc::new(own)),
        Err(error) => {
            tracing::warn!(release = running.id(), %error, "a release's output is kept in its environment's log alone");
            None
        }
    };
    let logs: Vec<Arc<Log>> = own.into_iter().chain([Arc::clone(&setup.log)]).collect();
    let (logs_out, tail_out, tail_err) = (logs.clone(), Arc::clone(&running.tail), Arc::clone(&running.tail));
    let out = tokio::spawn(async move {
        if let Some(out) = out {
            copy(out, logs_out, tail_out).await;
        }
    });
    let err = tokio::spawn(async move {
        if let Some(err) = err {
            copy(err, logs, tail_err).await;
        }
    });
    Ok((child, [out, err]))
}

/// Watches a process from its start to its end.
async fn watch(
    running: &Running,
    setup: &Setup,
    folder: &Path,
    child: &mut Child,
    first: &mut Option<oneshot::Sender<Result<(), StageError>>>,
) -> Life {
    let id = running.id();
    let socket = folder.join(SOCKET);
    let mut seen = "it does not listen on its socket".to_owned();
    tokio::select! {
        () = ready(&socket, &setup.probe, &mut seen) => {}
        status = child.wait() => {
            let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
            return Life::Unready(failed(format!("the release `{id}` ended before it was ready ({status})")));
        }
        () = sleep(setup.ready_timeout) => {
            let seconds = setup.ready_timeout.as_secs_f64();
            return Life::Unready(failed(format!("the release `{id}` was not ready after {seconds} s: {seen}")));
        }
        () = running.when_stopped() => return Life::Stopped,
    }
    let since = Instant::now();
    running.up(Pool::new(socket.clone(), setup.lanes.count()));
    if let Some(first) = first.take() {
        drop(first.send(Ok(())));
    }
    let while_up = async {
        let calm = async {
            sleep(CALM).await;
            running.calm();
        };
        tokio::join!(calm, probe_on(running, setup, &socket));
        pending().await
    };
    tokio::select! {
        status = child.wait() => match status {
            Ok(status) => Life::Ended(status, since.elapsed()),
            Err(error) => Life::Unready(failed(format!("the release `{id}` is lost: {error}"))),
        },
        // What is done while it is up ends with this: nothing more is asked of it while it ends what it answers.
        () = running.when_stopped() => {
            running.drained(setup.drain).await;
            // Its idle connections are closed before it is told to end: some wait for that.
            running.not_up(Phase::Stopped);
            Life::Stopped
        }
        never = while_up => never,
    }
}

/// Returns when the release answers its probe; `seen` is what it did instead up to then.
async fn ready(socket: &Path, path: &str, seen: &mut String) {
    let mut pause = Duration::from_millis(10);
    while let Err(instead) = answered(socket, path, PROBE).await {
        *seen = instead;
        sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(250));
    }
}

/// Probes a release that is up, one probe at a time, and tells when it does not answer any more, and when it does again.
async fn probe_on(running: &Running, setup: &Setup, socket: &Path) {
    let Some(every) = setup.probe_again else { return };
    let mut misses: u32 = 0;
    let mut last = tokio::time::Instant::now();
    loop {
        sleep_until(last + every).await;
        last = tokio::time::Instant::now();
        match answered(socket, &setup.probe, every.min(PROBE)).await {
            Ok(()) => {
                if misses >= MISSES {
                    tracing::info!(release = running.id(), "a release answers its probe again");
                }
                misses = 0;
            }
            Err(instead) => {
                misses = misses.saturating_add(1);
                if misses == MISSES {
                    tracing::error!(
                        release = running.id(),
                        instead,
                        "a release is up and does not answer its probe any more"
                    );
                }
            }
        }
        running.set_probe_fails(misses >= MISSES);
    }
}

/// Asks once for the path that a release is probed by, and waits for the answer at most so long.
///
/// # Errors
/// What it did instead of answering.
async fn answered(socket: &Path, path: &str, limit: Duration) -> Result<(), String> {
    Err(match probe(socket, path, limit).await {
        answer if answer.is_ready() => return Ok(()),
        Probe::Status(status) => format!("it answers {path} with {status}"),
        Probe::Unconnected => "it does not listen on its socket".to_owned(),
        Probe::Broken(error) => format!("it does not answer {path} with HTTP ({error})"),
        Probe::Silent => format!("it does not answer {path} in {} s", limit.as_secs_f64()),
        Probe::NoPath => format!("the probe's path `{path}` is not one"),
    })
}

/// Ends a process, if need be by force.
async fn end(child: &mut Child, gently: bool, in_a_sandbox: bool) {
    if gently {
        match child.id() {
            // What is around the command would end at once, and the command with it.
            Some(pid) if in_a_sandbox => drop(spawn_blocking(move || terminate(pid)).await),
            _ => signal(child, Signal::TERM),
        }
        if timeout(GRACE, child.wait()).await.is_ok() {
            return;
        }
    }
    signal(child, Signal::KILL);
    if let Err(error) = child.wait().await {
        tracing::error!(%error, "a process cannot be waited for");
    }
}
