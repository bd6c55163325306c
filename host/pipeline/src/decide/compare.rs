//! What serves against what the run made of it: after another host drove the run, and while one drives it.

use autodevops_model::{ErrorInfo, ErrorKind, Release, Shares, Split, StageError};

use super::{Draft, Found, Refused};
use crate::{Command, Environment, EventKind, Member, Run, RunStage};

const PRODUCTION: Environment = Environment::Production;
const STAGING: Environment = Environment::Staging;

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
    /// Goes on where what serves is what the run made of it. Else the run is held: what a person put there is not overwritten unless a
    /// person says so. Once production is begun with, nothing hangs on staging any more: what was put there stays, and the run goes on.
    pub(super) fn compare(&mut self, key: String, all: &[Found]) -> Result<(), Refused> {
        if !self.run.is_unsure() {
            return self.overtaken(&key, all);
        }
        if key != self.run.compare_key() {
            return Err(self.unknown(&key));
        }
        let splits = |member: &Member| {
            let of = all.iter().find(|found| found.service == member.label());
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
        let others: Vec<(&str, &str)> = compared
            .iter()
            .filter_map(|(service, _, serves)| match serves {
                Serves::Other(words) => Some((service.as_str(), words.as_str())),
                _ => None,
            })
            .collect();
        let held = !others.is_empty();
        let reason = self.run.taken_over(&others, all);
        let staged = self.staged_past(all);
        for (service, found, _) in &staged {
            self.push(EventKind::StagingFound { service: service.clone(), found: found.clone() });
        }
        for (service, found, serves) in compared {
            let whole = self.run.whole(&service, all);
            match serves {
                Serves::Ours => self.push(EventKind::Compared { service, found }),
                Serves::Returned(to) => {
                    self.push(EventKind::Compared { service: service.clone(), found });
                    self.push(EventKind::TrafficReturned { service, environment: PRODUCTION, to });
                }
                Serves::Other(_) => {
                    let reason = reason.clone();
                    self.push(EventKind::Diverged { service, found, reason, environment: PRODUCTION, serves: whole });
                }
            }
        }
        if !held && self.run.stage() <= RunStage::Approval {
            let words: Vec<&str> = staged.iter().map(|(_, _, words)| words.as_str()).collect();
            let reason = taken(&words, &self.run.plan().staging, "");
            for (service, found, _) in staged.iter().cloned() {
                let reason = reason.clone();
                self.push(EventKind::Diverged { service, found, reason, environment: STAGING, serves: None });
            }
        }
        Ok(())
    }

    /// Holds the run where someone deployed past it while a host drives it; where it goes back, or that was no help, what they put there
    /// stays, and it goes back no further: nobody is needed for what served until then, nor asked about its data, which stays as it is. That
    /// all is as it was leaves no trace.
    fn overtaken(&mut self, key: &str, found: &[Found]) -> Result<(), Refused> {
        let ends = self.run.ending().is_some() && !self.run.is_met_by_hand();
        if ends || key != self.run.look_key() {
            return Err(self.unknown(key));
        }
        let others = self.run.others(found);
        let words: Vec<&str> = others.iter().map(|(.., words)| words.as_str()).collect();
        let services: Vec<(&str, &str)> =
            others.iter().map(|(service, _, words)| (service.as_str(), words.as_str())).collect();
        let goes_on = self.run.ending().is_none();
        let is_left = !goes_on && !others.is_empty();
        let reason = match goes_on {
            true => self.run.taken_over(&services, found),
            false => format!("{}: a person had it serve, and it stays", words.join(", and ")),
        };
        for key in self.pending_moves(&others) {
            let message = "it was not asked for: someone deployed past the run".to_owned();
            let error = StageError { kind: ErrorKind::Failed, info: ErrorInfo { message, details: Vec::new() } };
            let attempt = self.run.attempt(&key).map_or(0, |attempt| attempt.count).saturating_add(1);
            self.push(EventKind::EffectFailed { key, error, attempt, retry: None });
        }
        for (service, splits, _) in others {
            let serves = self.run.whole(&service, found).filter(|_| goes_on);
            let reason = reason.clone();
            self.push(EventKind::Diverged { service, found: splits, reason, environment: PRODUCTION, serves });
        }
        if is_left {
            self.leave_data(&reason);
        }
        Ok(())
    }

    /// The moves that were intended and not asked for, since these serve something else.
    fn pending_moves(&self, others: &[(String, Vec<Split>, String)]) -> Vec<String> {
        let is_move = |effect: &&crate::Effect| {
            effect.environment == Some(PRODUCTION) && !effect.splits.is_empty() && !others.is_empty()
        };
        self.run.pending().filter(is_move).map(|effect| effect.key.clone()).collect()
    }

    /// The services of which staging serves something else, and what.
    fn staged_past(&self, found: &[Found]) -> Vec<(String, Vec<Split>, String)> {
        let past = |member: &Member| {
            let found = found.iter().find(|found| found.service == member.label());
            let staged = found.map(|found| found.staging.clone()).unwrap_or_default();
            let words = self.run.is_other(member, STAGING, &staged)?;
            Some((member.label().to_owned(), staged, words))
        };
        self.run.members().filter_map(past).collect()
    }

    fn serves(&self, member: &Member, found: &[Split]) -> Serves {
        let Some(words) = self.run.is_other(member, PRODUCTION, found) else { return Serves::Ours };
        let shared = member.traffic(PRODUCTION).len() > 1;
        let stable = member.stable(PRODUCTION).filter(|stable| shared && is_all(found, &stable.id));
        match stable.filter(|_| self.run.stage() == RunStage::Rollout) {
            Some(stable) => Serves::Returned(stable.id.clone()),
            None => Serves::Other(words),
        }
    }
}

impl Run {
    /// Whether production serves something else than the run made of it, by what was found of each of its services: someone deployed past
    /// it. Then [`Input::Serving`](crate::Input::Serving) with [`Run::look_key`] takes the place of what was to be done.
    pub fn is_overtaken(&self, found: &[Found]) -> bool {
        !self.others(found).is_empty()
    }

    /// What production serves where the run left something else, in words.
    pub(crate) fn served_past(&self, found: &[Found]) -> Option<String> {
        let words: Vec<String> = self.others(found).into_iter().map(|(.., words)| words).collect();
        (!words.is_empty()).then(|| words.join(", "))
    }

    /// Whether the command gives production's traffic back to what was there before: whoever did it asks [`Run::left_behind`] whether that
    /// is so.
    pub fn takes_back(&self, command: &Command) -> bool {
        let moves = matches!(command, Command::SetTraffic { environment: PRODUCTION, .. });
        moves && self.stage() == RunStage::Ending
    }

    /// Why a move back that the target calls done is not: by what was found to serve after it the candidate has traffic still. Then it is
    /// tried again, and people are told. What else was put there meanwhile is nobody's to take away.
    pub fn left_behind(&self, command: &Command, found: &[Found]) -> Option<StageError> {
        let Command::SetTraffic { service, environment, .. } = command else { return None };
        let member = self.member(service)?;
        let found = &found.iter().find(|found| found.service == *service)?.splits;
        let has_traffic = |split: &Split| split.release == member.candidate() && split.percent > 0;
        found.iter().any(has_traffic).then(|| {
            let message = format!(
                "the target says that it is done, and {} serves {} still; look at the target",
                member.place(*environment),
                Shares(found)
            );
            StageError { kind: ErrorKind::Failed, info: ErrorInfo { message, details: Vec::new() } }
        })
    }

    /// What a person is asked about what serves production of these services instead, each with that in words.
    fn taken_over(&self, others: &[(&str, &str)], found: &[Found]) -> String {
        let back = |service: &str| {
            let stable = || self.member(service)?.stable(PRODUCTION).cloned();
            self.whole(service, found).or_else(stable).map(|release| format!("`{}`", release.id))
        };
        let ways: Vec<String> = others.iter().filter_map(|(service, _)| back(service)).collect();
        let words: Vec<&str> = others.iter().map(|(_, words)| *words).collect();
        let way = if ways.is_empty() { String::new() } else { format!(" with {} to go back to", ways.join(", ")) };
        taken(&words, &self.plan().production, &way)
    }

    /// The release that has all of a service's production by what was found, where the target tells it, and it is not the candidate.
    fn whole(&self, service: &str, found: &[Found]) -> Option<Release> {
        let of = found.iter().find(|found| found.service == service)?;
        let candidate = self.member(service)?.candidate();
        of.whole.clone().filter(|whole| is_all(&of.splits, &whole.id) && whole.id != candidate)
    }

    /// The services of which production serves something else: what, and that in words.
    fn others(&self, found: &[Found]) -> Vec<(String, Vec<Split>, String)> {
        let other = |found: &Found| {
            let words = self.is_other(
                self.members().find(|member| member.label() == found.service)?,
                PRODUCTION,
                &found.splits,
            )?;
            Some((found.service.clone(), found.splits.clone(), words))
        };
        found.iter().filter_map(other).collect()
    }

    /// What serves, in words, where it is neither what is on record, nor what an effect makes of it whose outcome is not known: one that is
    /// pending, or that failed, for what failed may be the answer alone.
    fn is_other(&self, member: &Member, environment: Environment, found: &[Split]) -> Option<String> {
        let ours = member.traffic(environment);
        let of_member = |effect: &&crate::Effect| {
            effect.environment == Some(environment) && effect.service == member.label() && !effect.splits.is_empty()
        };
        let asked = self.pending().chain(self.failed()).filter(of_member);
        let mut expected = std::iter::once(ours).chain(asked.map(|effect| effect.splits.as_slice()));
        // The answer to its move may have been lost; it is asked by its key again.
        let moved = environment == STAGING && is_all(found, member.candidate()) && member.deployment(STAGING).is_some();
        let is_ours = moved || expected.any(|splits| same(splits, found));
        let place = member.place(environment);
        (!is_ours).then(|| format!("{place} serves {} where this run left {}", Shares(found), Shares(ours)))
    }
}

/// What a person is asked about what serves instead.
fn taken(others: &[&str], name: &str, way_back: &str) -> String {
    format!(
        "{}: someone deployed past it; approve to have the run take {name} over again{way_back}, reject to leave it as it is",
        others.join(", and ")
    )
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
