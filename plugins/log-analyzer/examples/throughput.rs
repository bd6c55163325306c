//! Analyzes a file natively, without a sandbox, and prints as JSON how long that took and how many issues there are. Only the
//! analysis counts: a part is read from the file before the clock runs. The benchmark compares the component with it.
//!
//! ```sh
//! cargo run --release -p log-analyzer --example throughput -- FILE
//! ```

use std::{
    env,
    error::Error,
    fs::File,
    io::Read,
    time::{Duration, Instant},
};

use log_analyzer::Engine;

/// Bytes that are pushed at once, as the host does.
const PART_BYTES: usize = 256 << 10;

fn main() -> Result<(), Box<dyn Error>> {
    let name = env::args().nth(1).ok_or("name a file")?;
    let mut file = File::open(&name)?;
    let mut part = vec![0; PART_BYTES];
    let mut took = Duration::ZERO;
    let mut engine = Engine::default();
    loop {
        let length = file.read(&mut part)?;
        if length == 0 {
            break;
        }
        let begun = Instant::now();
        engine.push("bench.log", part.get(..length).unwrap_or_default());
        took += begun.elapsed();
    }
    let begun = Instant::now();
    let issues = engine.issues().len();
    took += begun.elapsed();
    println!("{}", serde_json::json!({ "seconds": took.as_secs_f64(), "issues": issues }));
    Ok(())
}
