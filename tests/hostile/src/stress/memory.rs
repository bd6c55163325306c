//! How much memory is resident while no call is under way.

use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::sync::RwLock;

/// How often memory is looked at, when it has settled and again at the end. The one in the middle counts: a single look may come
/// at a bad moment.
const LOOKS: u32 = 5;

/// Goes on for so long, and looks at memory several times at the end of it: the look in the middle.
pub async fn resident_after(calls: &RwLock<()>, long: Duration) -> Result<u64> {
    let between = (long / 30).min(Duration::from_secs(2));
    tokio::time::sleep(long.saturating_sub(between * LOOKS)).await;
    let mut looks = Vec::new();
    for _ in 0..LOOKS {
        tokio::time::sleep(between).await;
        looks.push(resident(calls).await?);
    }
    Ok(middle(looks))
}

/// The one in the middle, by size.
pub fn middle(mut looks: Vec<u64>) -> u64 {
    looks.sort_unstable();
    looks.get(looks.len() / 2).copied().unwrap_or_default()
}

/// Resident memory of this process, in bytes, while no call is under way: what calls hold comes and goes, what stays is the host's.
async fn resident(calls: &RwLock<()>) -> Result<u64> {
    let _nothing_under_way = calls.write().await;
    let status = std::fs::read_to_string("/proc/self/status").context("the system tells of this process in /proc")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("it tells of resident memory")?;
    let kibibytes: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kibibytes * 1024)
}
