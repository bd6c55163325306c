//! How soon a rollout is carried on when its host was killed: the product's own run, and its test's own kills.

use anyhow::Result;
use autodevops_product_tests::killed;

use crate::report::{Report, Target, milliseconds};

const MIDDLE: &str = "kill -9: from the next host's start to the run going on, in the middle";
const LONGEST: &str = "kill -9: from the next host's start to the run going on, the longest";
const TARGET: Option<Target> = Some(Target::Under(1000.0));

/// Kills of one rollout.
const KILLS: usize = 50;

/// Kills the hosts of a rollout one after the other.
pub async fn measure(report: &mut Report) -> Result<()> {
    if !report.wants("kill -9") {
        return Ok(());
    }
    let killed = tokio::task::spawn_blocking(|| killed::at_random_moments(&killed::shop(), KILLS)).await?;
    report.add(MIDDLE, milliseconds(killed.median()), "ms", TARGET);
    report.add(LONGEST, milliseconds(killed.longest()), "ms", TARGET);
    Ok(())
}
