//! How fast the analyzer reads a large log of typical lines: in the sandbox, native, from the command line, on two cores, and beside
//! Drain3.

use std::{path::Path, process::Command};

use anyhow::{Result, ensure};

use crate::{
    command_line,
    place::Place,
    reading::{self, Log},
    report::{Report, Target, median},
};

/// Bytes of the log that Drain3 is given.
const DRAIN3_BYTES: u64 = 16 << 20;
/// Bytes of the log that is read in other parts.
const OTHER_PARTS_BYTES: u64 = 64 << 20;
/// Sizes of parts that the command line might push.
const OTHER_PARTS: [(usize, &str); 3] = [
    (16 << 10, "logs: sandboxed, parts of 16 KiB"),
    (64 << 10, "logs: sandboxed, parts of 64 KiB"),
    (1 << 20, "logs: sandboxed, parts of 1 MiB"),
];
const ROUNDS: usize = 3;

/// The analyzer's speed on a log of so many megabytes.
pub async fn measure(place: &Place, megabytes: u64, report: &mut Report) -> Result<()> {
    if !report.wants("logs") {
        return Ok(());
    }
    let sandbox = place.sandbox()?;
    let analyzer = place.plugin(&sandbox, "log-analyzer")?;
    let folder = tempfile::tempdir()?;
    let log = Log::typical(folder.path().join("a.log"), megabytes * 1_000_000, 1)?;
    let other = Log::typical(folder.path().join("b.log"), megabytes * 1_000_000, 2)?;
    let two_cores = std::thread::available_parallelism()?.get() >= 2;
    let (mut inside, mut outside, mut share) = (Vec::new(), Vec::new(), Vec::new());
    let (mut line, mut two, mut at_best, mut memory) = (Vec::new(), Vec::new(), Vec::new(), [0.0_f64; 2]);
    for _ in 0..ROUNDS {
        let (sandboxed, native) = reading::both(&analyzer, place, &log).await?;
        inside.push(log.megabytes() / sandboxed.seconds);
        outside.push(log.megabytes() / native.seconds);
        share.push(100.0 * native.seconds / sandboxed.seconds);
        let one = command_line::analyze(place, &[&log])?;
        line.push(one.seconds / sandboxed.seconds);
        memory[0] = memory[0].max(one.peak_megabytes);
        if two_cores {
            let both = command_line::analyze(place, &[&log, &other])?;
            let work = (log.bytes + other.bytes) as f64 / log.bytes as f64;
            two.push(work * one.seconds / both.seconds);
            memory[1] = memory[1].max(both.peak_megabytes);
            at_best.push(reading::native_at_once(place, &[&log, &other], log.megabytes() / native.seconds)?);
        }
    }
    let inside = median(&mut inside);
    let lines_a_second = inside / log.megabytes() * log.lines as f64;
    report.add("logs: the log", log.megabytes(), "MB", None);
    report.add("logs: sandboxed, one core", inside, "MB/s", Some(Target::AtLeast(150.0)));
    report.add("logs: lines", lines_a_second / 1e6, "million/s", Some(Target::AtLeast(1.5)));
    report.add("logs: native", median(&mut outside), "MB/s", None);
    report.add("logs: sandboxed, of native", median(&mut share), "%", Some(Target::AtLeast(60.0)));
    report.add(
        "logs: from the command line, of the analyzer alone",
        median(&mut line),
        "times",
        Some(Target::AtMost(1.3)),
    );
    report.add("logs: from the command line, memory", memory[0], "MB", Some(Target::Under(150.0)));
    let of_one = ("logs: two files on two cores, of one", "times", Some(Target::AtLeast(1.8)));
    if two_cores {
        report.add(of_one.0, median(&mut two), of_one.1, of_one.2);
        report.add("logs: two native programs on two cores, of one", median(&mut at_best), "times", None);
        report.add("logs: two files, memory", memory[1], "MB", None);
    } else {
        report.skip(of_one.0, of_one.1, of_one.2, "there is one core".to_owned());
    }
    let part = Log::typical(folder.path().join("part.log"), OTHER_PARTS_BYTES, 1)?;
    for (part_bytes, name) in OTHER_PARTS {
        let read = reading::sandboxed(&analyzer, &part, part_bytes).await?;
        report.add(name, part.megabytes() / read.seconds, "MB/s", None);
    }
    match drain3(folder.path())? {
        Ok(theirs) => {
            report.add("logs: Drain3", theirs / 1e6, "million/s", None);
            report.add("logs: lines, of Drain3's", lines_a_second / theirs, "times", Some(Target::AtLeast(10.0)));
        }
        Err(why) => report.skip("logs: lines, of Drain3's", "times", Some(Target::AtLeast(10.0)), why),
    }
    let share = 100.0 * command_line::quiet(place, folder.path())?;
    report.add("logs: following 1,000 quiet files, of a core", share, "%", Some(Target::Under(5.0)));
    Ok(())
}

/// Lines a second of Drain3, or why it does not run here.
fn drain3(folder: &Path) -> Result<std::result::Result<f64, String>> {
    let log = Log::typical(folder.join("drain3.log"), DRAIN3_BYTES, 1)?;
    let python = Command::new("python3").args(["-c", include_str!("drain3.py")]).arg(&log.path).output();
    let Ok(output) = python else { return Ok(Err("there is no python3".to_owned())) };
    if !output.status.success() {
        let install = "put a python3 that has it first in PATH, or install it with `pip install drain3`";
        return Ok(Err(format!("python3 has no drain3; {install}")));
    }
    let told = String::from_utf8_lossy(&output.stdout).trim().parse::<f64>();
    ensure!(told.is_ok(), "drain3.py printed no number");
    Ok(told.map_err(|error| error.to_string()))
}
