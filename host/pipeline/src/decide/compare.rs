//! What serves production against what the run made of it, after another host drove the run.

use autodevops_model::Split;

use super::{Draft, Refused};
use crate::{Environment, EventKind, RunStage};

const PRODUCTION: Environment = Environment::Production;

impl Draft {
    /// Goes on where production is what the run made of it, or what an effect makes of it whose outcome is not known. Else the run is
    /// held: what a person put there is not overwritten unless a person says so.
    pub(super) fn compare(&mut self, key: String, found: Vec<Split>) -> Result<(), Refused> {
        if !self.run.is_unsure() || key != self.run.compare_key() {
            return Err(self.unknown(&key));
        }
        let ours = self.run.traffic(PRODUCTION);
        let stable = self.run.stable(PRODUCTION).map(|stable| stable.id.clone());
        let pending = self.run.pending().filter(|effect| effect.environment == Some(PRODUCTION));
        let expected = || std::iter::once(ours).chain(pending.map(|effect| effect.splits.as_slice()));
        if expected().any(|splits| same(splits, &found)) {
            self.push(EventKind::Compared { found });
        } else if let Some(to) = stable.filter(|stable| ours.len() > 1 && is_all(&found, stable))
            && self.run.stage() == RunStage::Rollout
        {
            // Nobody renewed the candidate's lease while there was no host.
            self.push(EventKind::Compared { found });
            self.push(EventKind::TrafficReturned { environment: PRODUCTION, to });
        } else {
            let name = &self.run.plan().production;
            let reason = format!(
                "{name} serves {} where this run left {}: someone deployed past it; approve to have the run take {name} over again, \
                 reject to leave it as it is",
                told(&found),
                told(ours)
            );
            self.push(EventKind::Diverged { found, reason });
        }
        Ok(())
    }
}

/// Whether two lists say the same shares.
fn same(one: &[Split], other: &[Split]) -> bool {
    let shares = |splits: &[Split]| {
        let mut shares: Vec<(String, u8)> = splits.iter().map(|split| (split.release.clone(), split.percent)).collect();
        shares.retain(|(_, percent)| *percent > 0);
        shares.sort();
        shares
    };
    shares(one) == shares(other)
}

fn is_all(splits: &[Split], release: &str) -> bool {
    matches!(splits, [split] if split.release == release && split.percent == 100)
}

fn told(splits: &[Split]) -> String {
    let shares: Vec<String> = splits.iter().map(|split| format!("{} {} %", split.release, split.percent)).collect();
    if shares.is_empty() { "nothing".to_owned() } else { shares.join(", ") }
}
