//! Analyzes files natively, without a sandbox: prints the issues, and how fast they were found.
//!
//! ```sh
//! cargo run --release -p log-analyzer --example throughput -- FILE…
//! ```

use std::{env, error::Error, fs, time::Instant};

use log_analyzer::Engine;

/// Bytes that are pushed at once, as the host does.
const PART_BYTES: usize = 256 << 10;

fn main() -> Result<(), Box<dyn Error>> {
    let mut logs = Vec::new();
    for file in env::args().skip(1) {
        let bytes = fs::read(&file)?;
        logs.push((file, bytes));
    }
    let begun = Instant::now();
    let mut engine = Engine::default();
    for (file, bytes) in &logs {
        for part in bytes.chunks(PART_BYTES) {
            engine.push(file, part);
        }
    }
    let issues = engine.issues();
    let seconds = begun.elapsed().as_secs_f64();
    for issue in &issues {
        println!("{:?} {} x{} {:.2} {}", issue.severity, issue.fingerprint, issue.count, issue.confidence, issue.title);
    }
    let megabytes = logs.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() as f64 / 1e6;
    println!("{} issues in {megabytes:.1} MB, {seconds:.3} s, {:.0} MB/s", issues.len(), megabytes / seconds);
    Ok(())
}
