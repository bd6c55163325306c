//! Reading a log through the analyzer: in the sandbox, and the same code native. Only the analysis counts: a part is read from the
//! file before the clock runs.

use std::{
    fs::{self, File},
    io::Read as _,
    path::PathBuf,
    thread,
    time::Instant,
};

use anyhow::{Context, Result, anyhow, ensure};
use autodevops_sandbox::{CallContext, Plugin};
use serde::Deserialize;

use crate::{log_text, place::Place};

/// Bytes that are pushed at once, as the command line does.
pub const PART_BYTES: usize = 256 << 10;

/// A log in a file.
pub struct Log {
    pub path: PathBuf,
    pub bytes: u64,
    pub lines: u64,
}

impl Log {
    /// A log of typical lines, at least so many bytes of them; those of another seed are others.
    pub fn typical(path: PathBuf, bytes: u64, seed: u64) -> Result<Self> {
        let written = File::create(&path).and_then(|mut file| log_text::write_blocks(&mut file, bytes, seed));
        let (bytes, lines) = written.with_context(|| format!("{} cannot be written", path.display()))?;
        Ok(Self { path, bytes, lines })
    }

    /// A log of this text.
    pub fn of(path: PathBuf, text: &str) -> Result<Self> {
        fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
        Ok(Self { path, bytes: text.len() as u64, lines: text.lines().count() as u64 })
    }

    pub fn megabytes(&self) -> f64 {
        self.bytes as f64 / 1e6
    }
}

/// What it came to.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Analysis {
    /// Seconds that the analysis took.
    pub seconds: f64,
    /// Issues that were found.
    pub issues: usize,
}

/// Reads the log through an instance, which is opened anew and counts.
pub async fn sandboxed(analyzer: &Plugin, log: &Log, part_bytes: usize) -> Result<Analysis> {
    let mut file = File::open(&log.path)?;
    let mut part = vec![0; part_bytes];
    let context = CallContext { run: "bench".to_owned(), ..CallContext::default() };
    let begun = Instant::now();
    let mut session = analyzer.analyze(&context, None).await?;
    let mut took = begun.elapsed();
    loop {
        let length = file.read(&mut part)?;
        if length == 0 {
            break;
        }
        let begun = Instant::now();
        session.push("bench.log", &part[..length]).await?;
        took += begun.elapsed();
    }
    let begun = Instant::now();
    let issues = session.issues().await?.len();
    took += begun.elapsed();
    Ok(Analysis { seconds: took.as_secs_f64(), issues })
}

/// Reads the log by the analyzer's native program, which is built as plugins are: same code, same optimization, another target.
pub fn native(place: &Place, log: &Log) -> Result<Analysis> {
    let output = place.native_analyzer()?.arg(&log.path).output()?;
    ensure!(output.status.success(), "the native analyzer failed: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).context("the native analyzer told no figures")
}

/// The native program on all of the logs at once, each in a process of its own: how many times the megabytes a second of `alone` that is.
/// What several cores give at best, since these share nothing but the machine.
pub fn native_at_once(place: &Place, logs: &[&Log], alone: f64) -> Result<f64> {
    let speeds: Vec<Result<f64>> = thread::scope(|scope| {
        let read = |log: &&Log| -> Result<f64> { Ok(log.megabytes() / native(place, log)?.seconds) };
        let readers: Vec<_> = logs.iter().map(|log| scope.spawn(move || read(log))).collect();
        let failed = |_| Err(anyhow!("the native analyzer's thread failed"));
        readers.into_iter().map(|reader| reader.join().unwrap_or_else(failed)).collect()
    });
    Ok(speeds.into_iter().sum::<Result<f64>>()? / alone)
}

/// Both, which must come to the same.
pub async fn both(analyzer: &Plugin, place: &Place, log: &Log) -> Result<(Analysis, Analysis)> {
    let (inside, outside) = (sandboxed(analyzer, log, PART_BYTES).await?, native(place, log)?);
    ensure!(
        inside.issues == outside.issues,
        "the sandboxed analyzer found {} issues, the native one {}",
        inside.issues,
        outside.issues
    );
    Ok((inside, outside))
}
