//! Effects: the intent before, the outcome after, and what a failure leads to.

use std::time::Duration;

use autodevops_model::{ErrorInfo, ErrorKind, StageError};

use super::{Draft, EffectOutcome, Refused};
use crate::{Command, Environment, EventKind, Member, Outcome, RunStage};

/// The longest time between two tries.
const RETRY_CAP: Duration = Duration::from_secs(60);
/// The longest time between two tries of a rollback while it is in a hurry: it should take two minutes at most.
const ROLLBACK_RETRY_CAP: Duration = Duration::from_secs(10);
/// So many tries of a rollback are in a hurry: some two minutes. Then people are told, and what does not work by now will not work
/// ten seconds later either.
const HURRIED: u32 = 12;
/// The longest time between two later tries: a rollback is tried for ever, a question until it is answered, and the journal must not grow
/// as fast.
const LATE_RETRY_CAP: Duration = Duration::from_secs(300);

/// The detail of an error by which whoever is unavailable says when to come again, in whole seconds.
pub const RETRY_AFTER: &str = "retry-after";

/// No more than this is waited for because someone asked for it.
const LONGEST_ASKED: Duration = Duration::from_secs(600);

fn retry_after(error: &StageError) -> Option<Duration> {
    let (_, seconds) = error.info.details.iter().find(|(name, _)| name == RETRY_AFTER)?;
    seconds.parse().ok().map(Duration::from_secs)
}

impl Draft {
    /// Records that an effect is about to be tried. A second time, with the same fence and no outcome between, it is on
    /// record already.
    pub(super) fn intent(&mut self, key: String) -> Result<(), Refused> {
        let fence = self.run.fence();
        let (service, environment, splits) = match self.due(&key) {
            Some(Command::Deploy { service, environment, .. }) => (service, Some(environment), Vec::new()),
            Some(Command::SetTraffic { service, environment, splits, .. }) => (service, Some(environment), splits),
            Some(Command::Snapshot { .. } | Command::Restore { .. }) => (String::new(), None, Vec::new()),
            _ if self.run.untold().any(|note| note.key == key) => (String::new(), None, Vec::new()),
            _ => return Err(self.unknown(&key)),
        };
        if self.run.effect_of(&key).is_none_or(|effect| effect.fence != fence) {
            self.push(EventKind::EffectIntended { service, key, fence, environment, splits });
        }
        Ok(())
    }

    /// Records what came of an effect, also of one that the run no longer wants: what happened, happened.
    pub(super) fn effect(&mut self, key: String, outcome: EffectOutcome) -> Result<(), Refused> {
        let Some(effect) = self.run.effect_of(&key).cloned() else {
            return Err(if self.due(&key).is_some() || self.run.untold().any(|note| note.key == key) {
                Refused::NotIntended { run: self.run.id().to_owned(), key }
            } else {
                self.unknown(&key)
            });
        };
        let service = effect.service;
        match (outcome, effect.environment) {
            (EffectOutcome::Failed(error), _) => self.fail(key, error),
            (EffectOutcome::Postponed { error, after }, None) => {
                let attempt = self.run.attempt(&key).map_or(0, |attempt| attempt.count);
                let retry = Some(self.at.after(after.min(LONGEST_ASKED)));
                self.push(EventKind::EffectFailed { key, error, attempt, retry });
            }
            (EffectOutcome::Done, None) => self.push(EventKind::EffectDone { key }),
            (EffectOutcome::Snapshot(snapshot), None) => match self.run.guard_of_snapshot(&key) {
                Some(plugin) => self.push(EventKind::SnapshotTaken { plugin, key, snapshot }),
                None => return Err(self.unknown(&key)),
            },
            (EffectOutcome::Restored { before, since }, None) => match self.run.restored_by(&key) {
                Some((plugin, snapshot)) => {
                    self.push(EventKind::DataRestored { plugin, key, snapshot, before, since: Some(since) });
                }
                None => return Err(self.unknown(&key)),
            },
            (EffectOutcome::Done, Some(environment)) if !effect.splits.is_empty() => {
                let back = key.starts_with(&format!("{}/rollback/", self.run.id()));
                let to = effect.splits.first().map(|split| split.release.clone()).unwrap_or_default();
                self.push(EventKind::TrafficSet { service: service.clone(), environment, key, splits: effect.splits });
                if back {
                    let reason = self.run.ending().map(ToString::to_string).unwrap_or_default();
                    self.push(EventKind::RolledBack { service, environment, to, reason });
                }
            }
            (EffectOutcome::Deployed(deployment), Some(environment)) if effect.splits.is_empty() => {
                let member = self.run.member(&service);
                let is_baseline = member.is_some_and(|member| key == member.baseline_key(self.run.id()));
                let asked = match is_baseline {
                    true => member.and_then(Member::fresh),
                    false => member.and_then(Member::release).cloned(),
                };
                if asked.as_ref() == Some(&deployment.release) {
                    self.push(match is_baseline {
                        true => EventKind::BaselineDeployed { service, key, deployment },
                        false => EventKind::Deployed { service, environment, key, deployment },
                    });
                } else {
                    let message = format!(
                        "the target of {} deployed `{}` ({}) where `{}` was asked; look at the plugin",
                        environment.role(),
                        deployment.release.id,
                        deployment.release.artifact,
                        asked.map_or_else(String::new, |release| release.id)
                    );
                    let info = ErrorInfo { message, details: Vec::new() };
                    self.fail(key, StageError { kind: ErrorKind::Failed, info });
                }
            }
            _ => {
                let stage = self.run.stage().name();
                return Err(Refused::OutOfPlace {
                    run: self.run.id().to_owned(),
                    stage,
                    input: "outcome of that kind",
                });
            }
        }
        Ok(())
    }

    /// Records that a command failed.
    pub(super) fn failed(&mut self, key: String, error: StageError) -> Result<(), Refused> {
        if self.due(&key).is_none()
            && self.run.effect_of(&key).is_none()
            && !self.run.untold().any(|note| note.key == key)
        {
            return Err(self.unknown(&key));
        }
        self.fail(key, error);
        Ok(())
    }

    /// What is unavailable is tried again for a while, a question to people until it is answered, whatever keeps it from them, and a rollback
    /// of production and a look at what serves for ever; else the run turns back, where there is something to go back to.
    fn fail(&mut self, key: String, error: StageError) {
        let plan = self.run.plan();
        let attempt = self.run.attempt(&key).map_or(0, |attempt| attempt.count).saturating_add(1);
        let due = self.due(&key).is_some();
        let note = self.run.untold().find(|note| note.key == key);
        let (told, asks) = (note.is_some(), note.is_some_and(|note| self.run.asks_still(note)));
        let compares = self.run.is_unsure() && key == self.run.compare_key();
        let goes_back = |member: &Member| key == member.rollback_key(self.run.id(), Environment::Production);
        let forever = compares || self.run.members().any(goes_back);
        let late = attempt > plan.retries;
        let refused = error.kind != ErrorKind::Unavailable;
        let again = forever || asks || (!refused && !late && (due || told));
        let doubled = |first: Duration, times: u32| first.saturating_mul(1_u32 << times.min(16));
        let pause = match forever {
            // Whoever set the notifier up wrongly may mend it before the question's time is over.
            false if refused => LATE_RETRY_CAP,
            false => {
                let asked = retry_after(&error).unwrap_or_default().min(LONGEST_ASKED);
                let cap = if late { LATE_RETRY_CAP } else { RETRY_CAP };
                doubled(plan.retry_after, attempt.saturating_sub(1)).min(cap).max(asked)
            }
            true if attempt <= HURRIED => doubled(plan.retry_after, attempt.saturating_sub(1)).min(ROLLBACK_RETRY_CAP),
            true => doubled(ROLLBACK_RETRY_CAP, attempt - HURRIED).min(LATE_RETRY_CAP),
        };
        let retry = again.then(|| self.at.after(pause));
        let reason = format!("`{key}` failed: {error}");
        let goes_without = self.run.goes_without(&key);
        self.push(EventKind::EffectFailed { key, error, attempt, retry });
        if retry.is_some() || !due || goes_without || self.run.stage() == RunStage::Ending {
            return;
        }
        let has_tests = self.run.fix().is_some_and(|fix| !fix.tests.is_empty());
        if self.run.stage() == RunStage::TestGeneration && has_tests {
            // The fix brings tests of its own; whether they reach far enough is for the coverage check to say.
            self.push(EventKind::TestsGenerated { tests: Vec::new() });
        } else if self.run.is_moved(Environment::Production) {
            // Held for that, it is tried again once a person lets it go on.
            if !self.stays(&reason, &[]) {
                self.turn_back(Outcome::RolledBack { reason });
            }
        } else {
            self.turn_back(Outcome::HandedOver { reason });
        }
    }
}
