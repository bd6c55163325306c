//! `autodevops-load`: traffic from the command line. Counts go to standard output as JSON lines while it runs, the report last.
//! It ends after its duration, or when its standard input is closed.

use std::{io::Read, time::Duration};

use anyhow::Result;
use autodevops_load::{Plan, start};
use clap::Parser;
use serde_json::json;

/// Makes the traffic of a small shop.
#[derive(Parser)]
struct Arguments {
    /// Where to: host and port.
    authority: String,
    /// Requests a second.
    #[arg(long, default_value_t = 150)]
    rate: u32,
    /// Number of clients; each keeps its cookies.
    #[arg(long, default_value_t = 400)]
    clients: u32,
    /// How long, in seconds.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// The same seed makes the same traffic.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

const PROGRESS: Duration = Duration::from_millis(200);

#[tokio::main]
async fn main() -> Result<()> {
    let Arguments { authority, rate, clients, seconds, seed } = Arguments::parse();
    let duration = Duration::from_secs(seconds);
    let traffic = start(Plan { rate, clients, duration, seed, ..Plan::new(authority) });
    let (closed, mut is_closed) = tokio::sync::oneshot::channel();
    // A thread of its own: a blocked read must not keep the runtime from ending.
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        let _ = closed.send(());
    });
    let mut tick = tokio::time::interval(PROGRESS);
    let report = loop {
        tokio::select! {
            _ = &mut is_closed => break traffic.stop().await?,
            _ = tick.tick() => {}
        }
        if traffic.is_finished() {
            break traffic.finish().await?;
        }
        println!("{}", json!({ "progress": traffic.total() }));
    };
    println!("{}", json!({ "report": report }));
    Ok(())
}
