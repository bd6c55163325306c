//! The log analyzer: in the sandbox beside the same code native, and as a user starts it.

use std::{
    fs,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use autodevops_sandbox::CallContext;
use log_analyzer::Engine;

use crate::{
    log_text,
    place::Place,
    report::{Report, Target, median, milliseconds, timed},
};

const LOG_BYTES: usize = 10 << 20;

/// Bytes that are pushed at once, as the command line does.
const PART_BYTES: usize = 256 << 10;

const ROUNDS: usize = 5;

fn megabytes_per_second(duration: Duration) -> f64 {
    LOG_BYTES as f64 / 1e6 / duration.as_secs_f64()
}

/// Megabytes a second, instance included.
pub async fn in_sandbox(place: &Place, report: &mut Report) -> Result<()> {
    if !report.wants("log-analyzer") {
        return Ok(());
    }
    let sandbox = place.sandbox()?;
    let analyzer = place.plugin(&sandbox, "log-analyzer")?;
    let log = log_text::generate(LOG_BYTES);
    let context = CallContext { run: "bench".to_owned(), ..CallContext::default() };
    let (mut sandboxed, mut native) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let mut session = analyzer.analyze(&context, None).await?;
        for part in log.as_bytes().chunks(PART_BYTES) {
            session.push("bench.log", part).await?;
        }
        let found = session.issues().await?.len();
        drop(session);
        sandboxed.push(megabytes_per_second(begun.elapsed()));
        let (duration, found_natively) = timed(|| {
            let mut engine = Engine::default();
            for part in log.as_bytes().chunks(PART_BYTES) {
                engine.push("bench.log", part);
            }
            engine.issues().len()
        });
        native.push(megabytes_per_second(duration));
        ensure!(
            found == found_natively && found > 0,
            "the sandboxed analyzer found {found} issues, the native one {found_natively}"
        );
    }
    let (sandboxed, native) = (median(&mut sandboxed), median(&mut native));
    report.add("log-analyzer, sandboxed", sandboxed, "MB/s", None);
    report.add("log-analyzer, native", native, "MB/s", None);
    report.add("native / sandboxed", native / sandboxed, "times", None);
    Ok(())
}

/// `autodevops analyze` of the log, from start to exit.
pub fn whole_process(place: &Place, report: &mut Report) -> Result<()> {
    const NAME: &str = "autodevops analyze, 10 MB log, whole process";
    if !report.wants(NAME) {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("bench.log");
    fs::write(&log, log_text::generate(LOG_BYTES))?;
    let mut times = Vec::new();
    for round in 0..=ROUNDS {
        let mut command = place.program()?;
        command.arg("analyze").arg(&log).stdout(Stdio::null()).stderr(Stdio::inherit());
        let (duration, status) = timed(|| command.status());
        ensure!(status?.success(), "`autodevops analyze` failed; what it said is above");
        // The first round fills the compile cache.
        if round > 0 {
            times.push(milliseconds(duration));
        }
    }
    report.add(NAME, median(&mut times), "ms", Some(Target::Under(300.0)));
    Ok(())
}
