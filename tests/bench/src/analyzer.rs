//! The log analyzer on a service's log of ten megabytes, with faults in it: in the sandbox beside the same code native, and as a user
//! starts it.

use anyhow::{Result, ensure};

use crate::{
    command_line, log_text,
    place::Place,
    reading::{self, Log},
    report::{Report, Target, median},
};

const LOG_BYTES: usize = 10 << 20;

const ROUNDS: usize = 5;

/// `autodevops analyze` of the log, from start to exit.
const WHOLE: &str = "autodevops analyze, 10 MB log, whole process";

/// Instance included.
pub async fn measure(place: &Place, report: &mut Report) -> Result<()> {
    if !report.wants("log-analyzer") {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let log = Log::of(folder.path().join("bench.log"), &log_text::generate(LOG_BYTES))?;
    let sandbox = place.sandbox()?;
    let analyzer = place.plugin(&sandbox, "log-analyzer")?;
    // The first round fills the program's compile cache.
    command_line::analyze(place, &[&log])?;
    let (mut sandboxed, mut native, mut whole) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (inside, outside) = reading::both(&analyzer, place, &log).await?;
        ensure!(inside.issues > 0, "the analyzer found nothing in a log full of faults");
        sandboxed.push(log.megabytes() / inside.seconds);
        native.push(log.megabytes() / outside.seconds);
        whole.push(1e3 * command_line::analyze(place, &[&log])?.seconds);
    }
    let (sandboxed, native) = (median(&mut sandboxed), median(&mut native));
    report.add("log-analyzer, sandboxed", sandboxed, "MB/s", None);
    report.add("log-analyzer, native", native, "MB/s", None);
    report.add("native / sandboxed", native / sandboxed, "times", None);
    report.add(WHOLE, median(&mut whole), "ms", Some(Target::Under(300.0)));
    Ok(())
}
