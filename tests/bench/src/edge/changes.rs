//! Whether any request fails while releases come and go: clients of every habit at once, over deploys, changes of weights, rollbacks and
//! stops, one after the other.

use anyhow::{Result, ensure};
use autodevops_load::{
    Change, Clients, Kind,
    changes::{FIRST, rollouts},
    clients::CROWD,
};

use super::{Edge, release};
use crate::report::{Report, Target};

const FAILED: &str = "edge: failed requests over 200 weight changes, 20 deploys, 20 rollbacks";
const MADE: &str = "edge: requests made over 200 weight changes, 20 deploys, 20 rollbacks";
const TABLE: &str = "edge: requests over changes";
const NONE: Option<Target> = Some(Target::AtMost(0.0));

/// Rollouts, with a rollback each, and changes of weights in each, twice.
const ROLLOUTS: (usize, u8) = (20, 5);

pub async fn measure(report: &mut Report) -> Result<()> {
    if !report.wants(FAILED) && !report.wants(MADE) {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let edge = Edge::start(folder.path(), release::Kind::Whole).await?;
    edge.release(FIRST).await?;
    edge.split(FIRST, &[(FIRST, 100)]).await?;
    let changes = rollouts(ROLLOUTS.0, ROLLOUTS.1);
    let count = |kind: Kind| changes.iter().filter(|change| change.kind() == kind).count();
    ensure!([Kind::Weights, Kind::Deploy, Kind::Rollback].map(count) == [200, 20, 20], "the changes are others");
    let clients = Clients::begin(edge.address, &CROWD);
    for (number, change) in changes.iter().enumerate() {
        clients.over(change, make(&edge, number, change)).await?;
    }
    let seen = clients.end().await?;
    ensure!(seen.missed().is_empty(), "nothing of these was under way over these: {:?}", seen.missed());
    report.add(FAILED, seen.failed() as f64, "", NONE);
    report.add(MADE, seen.requests() as f64, "", None);
    report.attach(TABLE, &seen)
}

async fn make(edge: &Edge, number: usize, change: &Change) -> Result<()> {
    let key = format!("change {number}");
    match change {
        Change::Deploy(id) => edge.release(id).await.map(drop),
        Change::Weights(shares) => {
            let shares: Vec<(&str, u8)> = shares.iter().map(|(id, percent)| (id.as_str(), *percent)).collect();
            edge.split(&key, &shares).await
        }
        Change::Rollback(id) => edge.split(&key, &[(id, 100)]).await,
        Change::Stop(id) => edge.stop(id).await,
    }
}
