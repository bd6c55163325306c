//! How soon a release that fails under load gets no more new requests: from the answer that crosses the rule to the last
//! request that was sent to it.

use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, ensure};
use autodevops_model::Window;

use super::{Edge, PRODUCTION, load::Load, release::BROKEN};
use crate::report::{Report, Target};

const NAME: &str = "edge: rollback under load, from the rule's crossing to the last new request";
const LAST: &str = "edge: rollback under load, the last answer that was still under way";
const TARGET: Option<Target> = Some(Target::Under(1000.0));

/// How often the counters are read.
const LOOK: Duration = Duration::from_millis(250);
/// The rule: at least half of at least so many requests failed.
const LEAST: u64 = 10;
const ROUNDS: usize = 5;
/// Longer than a round takes.
const ROUND: Duration = Duration::from_secs(4);

/// In each round a candidate that always fails gets a share, and loses it by the rule.
pub async fn measure(report: &mut Report) -> Result<()> {
    if !report.wants(NAME) {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let mut edge = Edge::start(folder.path()).await?;
    edge.release("stable").await?;
    edge.split("stable", &[("stable", 100)]).await?;
    let (mut new, mut under_way) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let candidate = format!("candidate-{round}");
        std::fs::create_dir_all(folder.path().join(&candidate))?;
        std::fs::write(folder.path().join(&candidate).join(BROKEN), "")?;
        edge.release(&candidate).await.ok().context("a release that fails must get ready all the same")?;
        let load = tokio::spawn(Load::varied(edge.address, Duration::from_millis(5)).run(ROUND));
        tokio::time::sleep(LOOK).await;
        edge.split(&format!("{candidate} begins"), &[("stable", 75), (&candidate, 25)]).await?;
        let decided = until_crossed(&edge, &candidate).await?;
        edge.split(&format!("{candidate} ends"), &[("stable", 100)]).await?;
        let seen = load.await??;
        ensure!(seen.failed == 0, "{} requests were not answered", seen.failed);
        let mut errors: Vec<_> = seen.answers.iter().filter(|answer| answer.is_error).collect();
        errors.sort_unstable_by_key(|answer| answer.answered);
        let crossing = errors.get(LEAST as usize - 1).context("the rule was not crossed")?.answered;
        ensure!(decided > crossing, "it was decided before the rule was crossed");
        let last_asked = errors.iter().map(|answer| answer.asked).max().context("no error")?;
        let last_answered = errors.iter().map(|answer| answer.answered).max().context("no error")?;
        new.push(last_asked.saturating_duration_since(crossing).as_secs_f64() * 1e3);
        under_way.push(last_answered.saturating_duration_since(crossing).as_secs_f64() * 1e3);
    }
    // The worst of them: a rollback is wanted in time each time.
    let worst = |times: &[f64]| times.iter().copied().fold(0.0, f64::max);
    report.add(NAME, worst(&new), "ms", TARGET);
    report.add(LAST, worst(&under_way), "ms", None);
    edge.server.end()?;
    Ok(())
}

/// Reads the counters until the rule is crossed.
async fn until_crossed(edge: &Edge, candidate: &str) -> Result<Instant> {
    let begun = Instant::now();
    while begun.elapsed() < ROUND {
        tokio::time::sleep(LOOK).await;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_nanos();
        let window = Window { start: 0, end: i64::try_from(now)? };
        let observed = edge.client.observe(PRODUCTION, candidate, window).await;
        let traffic = observed.map_err(|error| anyhow::anyhow!("{error}"))?.traffic;
        if traffic.requests >= LEAST && traffic.errors * 2 >= traffic.requests {
            return Ok(Instant::now());
        }
    }
    anyhow::bail!("the rule was not crossed in {} s", ROUND.as_secs())
}
