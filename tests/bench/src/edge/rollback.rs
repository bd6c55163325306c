//! How soon a release that fails under load gets no more new requests: a run of the product, from the answer that crosses the plan's rule
//! to the last request that was sent to the release. The product's test looks at the same.

use anyhow::Result;
use autodevops_product_tests::rollback::{Rollback, under_load};

use crate::report::{Report, Target};

const NAME: &str = "edge: rollback under load, from the rule's crossing to the last new request";
const LAST: &str = "edge: rollback under load, the last answer that was still under way";
const TARGET: Option<Target> = Some(Target::Under(1000.0));

/// Rollouts that are taken back, each in a shop of its own.
const ROUNDS: usize = 3;

/// The worst of them: a rollback is wanted in time each time.
pub async fn measure(report: &mut Report) -> Result<()> {
    if !report.wants(NAME) {
        return Ok(());
    }
    let all = || (0..ROUNDS).map(|_| under_load()).collect::<Vec<Rollback>>();
    let seen = tokio::task::spawn_blocking(all).await?;
    let worst = |of: fn(&Rollback) -> std::time::Duration| seen.iter().map(of).max().unwrap_or_default();
    report.add(NAME, worst(|seen| seen.new).as_secs_f64() * 1e3, "ms", TARGET);
    report.add(LAST, worst(|seen| seen.under_way).as_secs_f64() * 1e3, "ms", None);
    Ok(())
}
