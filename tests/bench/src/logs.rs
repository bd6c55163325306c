//! How fast the analyzer reads a log of typical lines: in the sandbox, native, on two cores, and beside Drain3.

use std::{
    fs,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use autodevops_sandbox::{CallContext, Plugin};
use log_analyzer::Engine;

use crate::{
    log_text,
    place::Place,
    report::{Report, Target, median, timed},
};

/// Bytes of the text, whose values are all different; it is read so often that a gigabyte is.
const TEXT_BYTES: usize = 64 << 20;
const TIMES: usize = 16;
/// Bytes of the text that Drain3 and its like are given.
const DRAIN3_BYTES: usize = 16 << 20;
/// Bytes that are pushed at once, as the command line does; and others that it might.
pub const PART_BYTES: usize = 256 << 10;
const OTHER_PARTS: [(usize, &str); 3] = [
    (16 << 10, "log-analyzer, sandboxed, parts of 16 KiB"),
    (64 << 10, "log-analyzer, sandboxed, parts of 64 KiB"),
    (1 << 20, "log-analyzer, sandboxed, parts of 1 MiB"),
];
const ROUNDS: usize = 3;

/// Reads the text through an instance, so many times.
pub async fn sandboxed(analyzer: &Plugin, text: &[u8], times: usize, part_bytes: usize) -> Result<Duration> {
    let context = CallContext { run: "bench".to_owned(), ..CallContext::default() };
    let begun = Instant::now();
    let mut session = analyzer.analyze(&context, None).await?;
    for _ in 0..times {
        for part in text.chunks(part_bytes) {
            session.push("bench.log", part).await?;
        }
    }
    session.issues().await?;
    Ok(begun.elapsed())
}

fn native(text: &[u8]) -> Duration {
    timed(|| {
        let mut engine = Engine::default();
        for part in text.chunks(PART_BYTES) {
            engine.push("bench.log", part);
        }
        engine.issues().len()
    })
    .0
}

/// The analyzer's speed.
pub async fn measure(place: &Place, report: &mut Report) -> Result<()> {
    if !report.wants("logs") {
        return Ok(());
    }
    let sandbox = place.sandbox()?;
    let analyzer = place.plugin(&sandbox, "log-analyzer")?;
    let text = log_text::of_blocks(TEXT_BYTES).into_bytes();
    let lines = memchr::memchr_iter(b'\n', &text).count() as f64;
    let megabytes = text.len() as f64 / 1e6;
    let rate = |of: f64, took: Duration| of / took.as_secs_f64();
    let (mut inside, mut outside, mut share, mut both) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let one = sandboxed(&analyzer, &text, TIMES, PART_BYTES).await?.div_f64(TIMES as f64);
        let alone = native(&text);
        inside.push(rate(megabytes, one));
        outside.push(rate(megabytes, alone));
        share.push(100.0 * alone.as_secs_f64() / one.as_secs_f64());
        let two = Instant::now();
        let read = |analyzer: Plugin, text: Vec<u8>| {
            tokio::spawn(async move { sandboxed(&analyzer, &text, 4, PART_BYTES).await })
        };
        let (a, b) = (read(analyzer.clone(), text.clone()), read(analyzer.clone(), text.clone()));
        a.await??;
        b.await??;
        both.push(2.0 * 4.0 * one.as_secs_f64() / two.elapsed().as_secs_f64());
    }
    let inside = median(&mut inside);
    let lines_a_second = inside / megabytes * lines;
    report.add("logs: 1 GB, sandboxed, one core", inside, "MB/s", Some(Target::AtLeast(150.0)));
    report.add("logs: lines", lines_a_second / 1e6, "million/s", Some(Target::AtLeast(1.5)));
    report.add("logs: native", median(&mut outside), "MB/s", None);
    report.add("logs: sandboxed, of native", median(&mut share), "%", Some(Target::AtLeast(60.0)));
    report.add("logs: two sources on two cores, of one", median(&mut both), "times", Some(Target::AtLeast(1.8)));
    for (part_bytes, name) in OTHER_PARTS {
        report.add(name, rate(megabytes, sandboxed(&analyzer, &text, 1, part_bytes).await?), "MB/s", None);
    }
    match drain3()? {
        Ok(theirs) => {
            report.add("logs: Drain3", theirs / 1e6, "million/s", None);
            report.add("logs: lines, of Drain3's", lines_a_second / theirs, "times", Some(Target::AtLeast(10.0)));
        }
        Err(why) => report.skip("logs: lines, of Drain3's", "times", Some(Target::AtLeast(10.0)), why),
    }
    Ok(())
}

/// Lines a second of Drain3, or why it does not run here.
fn drain3() -> Result<std::result::Result<f64, String>> {
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("bench.log");
    fs::write(&log, log_text::of_blocks(DRAIN3_BYTES))?;
    let python = Command::new("python3").args(["-c", include_str!("drain3.py")]).arg(&log).output();
    let Ok(output) = python else { return Ok(Err("there is no python3".to_owned())) };
    if !output.status.success() {
        return Ok(Err("python3 has no drain3; install it with `pip install drain3`".to_owned()));
    }
    let told = String::from_utf8_lossy(&output.stdout).trim().parse::<f64>();
    ensure!(told.is_ok(), "drain3.py printed no number");
    Ok(told.map_err(|error| error.to_string()))
}
