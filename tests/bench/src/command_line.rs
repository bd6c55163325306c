//! What the command line takes of time and memory to read logs, and what it costs to follow logs that are quiet.

use std::{
    fs,
    path::Path,
    process::Stdio,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

use crate::{
    place::Place,
    process::{self, Server},
    reading::Log,
};

/// Files that are followed, and for how long.
const FOLLOWED: usize = 1000;
const FOLLOWING: Duration = Duration::from_secs(10);
/// Time that is enough to read them all for the first time.
const SETTLING: Duration = Duration::from_secs(5);

/// How often it is looked how much memory a command has.
const LOOK: Duration = Duration::from_millis(10);

/// What a command took.
pub struct Taken {
    pub seconds: f64,
    /// The most memory that was resident.
    pub peak_megabytes: f64,
}

/// `autodevops analyze` of the logs, from start to exit.
pub fn analyze(place: &Place, logs: &[&Log]) -> Result<Taken> {
    let mut command = place.program()?;
    command.args(["analyze", "--format", "json"]).args(logs.iter().map(|log| &log.path)).stdout(Stdio::null());
    let begun = Instant::now();
    let mut program = Server(command.spawn()?);
    let (id, is_over) = (program.0.id(), AtomicBool::new(false));
    let (status, took, peak) = thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut peak = 0;
            while !is_over.load(Ordering::Relaxed) {
                // It is gone, perhaps, by the time it is asked.
                peak = peak.max(process::peak_resident(id).unwrap_or_default());
                thread::sleep(LOOK);
            }
            peak
        });
        let status = program.0.wait();
        let took = begun.elapsed();
        is_over.store(true, Ordering::Relaxed);
        (status, took, watcher.join().unwrap_or_default())
    });
    let status = status?;
    ensure!(status.success(), "`autodevops analyze` failed: {status}");
    Ok(Taken { seconds: took.as_secs_f64(), peak_megabytes: peak as f64 / 1e6 })
}

/// The share of a core that following many files takes while nothing is written to them.
pub fn quiet(place: &Place, folder: &Path) -> Result<f64> {
    let logs = folder.join("logs");
    fs::create_dir(&logs)?;
    for log in 0..FOLLOWED {
        fs::write(logs.join(format!("{log}.log")), "2026-11-23T10:00:00Z INFO started\n")?;
    }
    let mut command = place.program()?;
    command.args(["analyze", "--watch", "--format", "json"]).arg(logs.join("*.log")).stdout(Stdio::null());
    let mut program = Server(command.spawn()?);
    thread::sleep(SETTLING);
    let before = program.processor_time()?;
    let begun = Instant::now();
    thread::sleep(FOLLOWING);
    let share = (program.processor_time()? - before).as_secs_f64() / begun.elapsed().as_secs_f64();
    ensure!(program.0.try_wait()?.is_none(), "`autodevops analyze --watch` ended by itself");
    program.end()?;
    Ok(share)
}
