//! What the command line adds to the analyzer's own time and memory, and what it costs to follow logs that are quiet.

use std::{
    fs::{self, File},
    io::Write,
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

use crate::{
    log_text,
    place::Place,
    process::Server,
    report::{Report, Target, median},
};

/// Bytes of the text, and how often it is in the file: a gigabyte.
const TEXT_BYTES: usize = 64 << 20;
const TIMES: usize = 15;
/// Files that are followed, and for how long.
const FOLLOWED: usize = 1000;
const FOLLOWING: Duration = Duration::from_secs(10);
/// Time that is enough to read them all for the first time.
const SETTLING: Duration = Duration::from_secs(5);
const ROUNDS: usize = 3;

/// `analyze FILE` beside the analyzer alone, which reads the same bytes in the same parts; and `analyze --watch` of many files.
pub async fn measure(place: &Place, report: &mut Report) -> Result<()> {
    if !report.wants("logs") {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let text = log_text::of_blocks(TEXT_BYTES).into_bytes();
    let log = folder.path().join("bench.log");
    let mut file = File::create(&log)?;
    for _ in 0..TIMES {
        file.write_all(&text)?;
    }
    drop(file);
    let sandbox = place.sandbox()?;
    let analyzer = place.plugin(&sandbox, "log-analyzer")?;
    let (mut times, mut memory) = (Vec::new(), 0.0_f64);
    for _ in 0..ROUNDS {
        let alone = crate::logs::sandboxed(&analyzer, &text, TIMES, crate::logs::PART_BYTES).await?;
        let (took, peak) = analyze(place, &log)?;
        times.push(took.as_secs_f64() / alone.as_secs_f64());
        memory = memory.max(peak as f64 / 1e6);
    }
    report.add(
        "logs: from the command line, of the analyzer alone",
        median(&mut times),
        "times",
        Some(Target::AtMost(1.3)),
    );
    report.add("logs: from the command line, memory", memory, "MB", Some(Target::Under(150.0)));
    let share = 100.0 * quiet(place, folder.path())?;
    report.add("logs: following 1,000 quiet files, of a core", share, "%", Some(Target::Under(5.0)));
    Ok(())
}

/// How long a file takes from the command line, and the most memory that is resident meanwhile.
fn analyze(place: &Place, log: &Path) -> Result<(Duration, u64)> {
    let mut command = place.program()?;
    command.args(["analyze", "--format", "json"]).arg(log).stdout(Stdio::null());
    let begun = Instant::now();
    let mut program = Server(command.spawn()?);
    let mut peak = 0;
    let status = loop {
        // It is gone, perhaps, by the time it is asked.
        peak = peak.max(program.resident().unwrap_or_default());
        match program.0.try_wait()? {
            Some(status) => break status,
            None => std::thread::sleep(Duration::from_millis(10)),
        }
    };
    ensure!(status.success(), "`autodevops analyze` failed: {status}");
    Ok((begun.elapsed(), peak))
}

/// The share of a core that following so many files takes while nothing is written to them.
fn quiet(place: &Place, folder: &Path) -> Result<f64> {
    let logs = folder.join("logs");
    fs::create_dir(&logs)?;
    for log in 0..FOLLOWED {
        fs::write(logs.join(format!("{log}.log")), "2026-11-23T10:00:00Z INFO started\n")?;
    }
    let mut command = place.program()?;
    command.args(["analyze", "--watch", "--format", "json"]).arg(logs.join("*.log")).stdout(Stdio::null());
    let mut program = Server(command.spawn()?);
    std::thread::sleep(SETTLING);
    let before = program.processor_time()?;
    let begun = Instant::now();
    std::thread::sleep(FOLLOWING);
    let share = (program.processor_time()? - before).as_secs_f64() / begun.elapsed().as_secs_f64();
    ensure!(program.0.try_wait()?.is_none(), "`autodevops analyze --watch` ended by itself");
    program.end()?;
    Ok(share)
}
