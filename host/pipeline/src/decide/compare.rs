//! What serves production against what the run made of it, after another host drove the run.

use autodevops_model::Split;

use super::{Draft, Found, Refused};
use crate::{Environment, EventKind, Member, RunStage};

const PRODUCTION: Environment = Environment::Production;

/// What serves a service's production, against what is on record.
enum Serves {
    /// What the run made of it, or what an effect makes of it whose outcome is not known.
    Ours,
    /// This stable release: nobody renewed the candidate's lease while there was no host.
    Returned(String),
    /// Something else, in words.
    Other(String),
}

impl Draft {
    /// Goes on where production is what the run made of it. Else the run is held: what a person put there is not overwritten unless a
    /// person says so.
    pub(super) fn compare(&mut self, key: String, found: &[Found]) -> Result<(), Refused> {
        if !self.run.is_unsure() || key != self.run.compare_key() {
            return Err(self.unknown(&key));
        }
        let splits = |member: &Member| {
            let of = found.iter().find(|found| found.service == member.label());
            of.map(|found| found.splits.clone()).unwrap_or_default()
        };
        let compared: Vec<(String, Vec<Split>, Serves)> = self
            .run
            .members()
            .map(|member| {
                let found = splits(member);
                let serves = self.serves(member, &found);
                (member.label().to_owned(), found, serves)
            })
            .collect();
        let others: Vec<&str> = compared
            .iter()
            .filter_map(|(_, _, serves)| match serves {
                Serves::Other(words) => Some(words.as_str()),
                _ => None,
            })
            .collect();
        let name = &self.run.plan().production;
        let reason = format!(
            "{}: someone deployed past it; approve to have the run take {name} over again, reject to leave it as it is",
            others.join(", and ")
        );
        for (service, found, serves) in compared {
            match serves {
                Serves::Ours => self.push(EventKind::Compared { service, found }),
                Serves::Returned(to) => {
                    self.push(EventKind::Compared { service: service.clone(), found });
                    self.push(EventKind::TrafficReturned { service, environment: PRODUCTION, to });
                }
                Serves::Other(_) => self.push(EventKind::Diverged { service, found, reason: reason.clone() }),
            }
        }
        Ok(())
    }

    fn serves(&self, member: &Member, found: &[Split]) -> Serves {
        let ours = member.traffic(PRODUCTION);
        let of_member = |effect: &&crate::Effect| {
            effect.environment == Some(PRODUCTION) && effect.service == member.label() && !effect.splits.is_empty()
        };
        let pending = self.run.pending().filter(of_member);
        let mut expected = std::iter::once(ours).chain(pending.map(|effect| effect.splits.as_slice()));
        if expected.any(|splits| same(splits, found)) {
            return Serves::Ours;
        }
        let stable = member.stable(PRODUCTION).filter(|stable| ours.len() > 1 && is_all(found, &stable.id));
        match stable.filter(|_| self.run.stage() == RunStage::Rollout) {
            Some(stable) => Serves::Returned(stable.id.clone()),
            None => Serves::Other(format!(
                "{} serves {} where this run left {}",
                member.place(PRODUCTION),
                told(found),
                told(ours)
            )),
        }
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
