//! What effects make of a run: what serves, and what is known of each try.

use autodevops_model::{Release, Severity, Split};

use super::{Attempt, Effect, Member, Run, RunStage, all_of};
use crate::{Environment, EventKind, Timestamp};

impl Run {
    /// The environment is someone else's now: nothing of it is taken back but the candidate's own share.
    pub(super) fn found(&mut self, service: &str, environment: Environment, found: &[Split]) {
        self.moves += u32::from(environment == Environment::Production);
        let Some(member) = self.member_mut(service) else { return };
        let moved = member.share_of(found) > 0;
        let lane = member.lane_mut(environment);
        lane.traffic = found.to_vec();
        lane.moved = moved;
        lane.returns += 1;
        if environment == Environment::Staging {
            // Whoever deployed there may have stopped it.
            lane.deployed = None;
        }
    }

    /// What serves of a service by a person's hand is what the run goes back to from now on, should it have production again: what served
    /// when it began may have been taken back since.
    pub(super) fn goes_back_to(&mut self, service: &str, release: &Release) {
        if let Some(member) = self.member_mut(service) {
            member.found_stable(release);
            self.stable_broken = None;
        }
        // No fresh baseline is waited for any more.
        self.is_in_production();
    }

    pub(super) fn effect(&mut self, at: Timestamp, event: &EventKind) {
        self.record_effect(at, event);
        match self.share(Environment::Production) {
            0 => {
                (self.exposed, self.stable_broken) = (None, None);
                self.last_seen.clear();
                self.signals.clear();
            }
            _ => self.exposed = self.exposed.or(Some(at)),
        }
    }

    fn record_effect(&mut self, at: Timestamp, event: &EventKind) {
        match event {
            EventKind::EffectIntended { service, key, fence, environment, splits } => {
                if *environment == Some(Environment::Production) && self.frozen.take().is_some() {
                    // Staging was watched on while the freeze lasted.
                    self.watch.take_if(|watch| watch.environment == Environment::Staging);
                }
                if let (Some(environment), Some(member)) = (*environment, self.member_mut(service))
                    && member.share_of(splits) > 0
                {
                    member.lane_mut(environment).moved = true;
                }
                let (service, fence, environment, splits) = (service.clone(), *fence, *environment, splits.clone());
                self.effects.insert(key.clone(), Effect { key: key.clone(), service, fence, environment, splits });
            }
            EventKind::SnapshotTaken { key, .. } | EventKind::DataRestored { key, .. } => self.settled(key),
            EventKind::EffectDone { key } => {
                self.settled(key);
                self.told(key);
            }
            EventKind::EffectFailed { key, error, attempt, retry } => {
                let asked = self.effects.remove(key);
                let attempt = Attempt { count: *attempt, retry: *retry, error: error.clone(), asked };
                self.attempts.insert(key.clone(), attempt);
                if retry.is_none() {
                    self.told(key);
                    for member in &mut self.members {
                        member.staging.given_up |= *key == member.rollback_key(&self.id, Environment::Staging);
                    }
                }
            }
            EventKind::Deployed { service, environment, key, deployment } => {
                self.settled(key);
                if let Some(member) = self.member_mut(service) {
                    member.lane_mut(*environment).deployed = Some(deployment.clone());
                }
                self.is_staged();
                self.is_in_production();
            }
            EventKind::BaselineDeployed { service, key, deployment } => {
                self.settled(key);
                if let Some(member) = self.member_mut(service) {
                    member.production.baseline = Some(deployment.clone());
                }
                self.is_in_production();
            }
            EventKind::TrafficSet { service, environment, key, splits } => {
                self.overtaken(service, *environment, key);
                self.settled(key);
                self.moves += u32::from(*environment == Environment::Production);
                if let Some(member) = self.member_mut(service) {
                    let moved = member.share_of(splits) > 0;
                    let lane = member.lane_mut(*environment);
                    lane.traffic.clone_from(splits);
                    lane.moved |= moved;
                }
                self.is_staged();
            }
            EventKind::TrafficReturned { service, environment, to } => {
                self.moves += u32::from(*environment == Environment::Production);
                if let Some(member) = self.member_mut(service) {
                    let lane = member.lane_mut(*environment);
                    lane.traffic = vec![all_of(to)];
                    lane.returns += 1;
                }
                (self.watch, self.between) = (None, None);
                (self.gate, self.held, self.alarm) = (None, None, None);
            }
            EventKind::RolledBack { service, environment, reason, to } => {
                if let Some(member) = self.member_mut(service) {
                    let lane = member.lane_mut(*environment);
                    lane.moved = false;
                    lane.rollbacks += 1;
                }
                if self.is_taken_back(*environment) {
                    self.recovering = Some(at);
                }
                if *environment == Environment::Production {
                    if !self.is_moved(Environment::Production) {
                        (self.held, self.alarm, self.back_since) = (None, None, Some(at));
                    }
                    let of = if service.is_empty() { String::new() } else { format!(" of `{service}`") };
                    let words = format!("production{of} serves `{to}` again: {reason}");
                    self.tell(at, Severity::Error, "rolled back", &words);
                }
            }
            _ => {}
        }
    }

    /// Tests what is staged once all of it is there and has staging's traffic; a host before may have given it that already.
    fn is_staged(&mut self) {
        let there = |member: &Member| {
            member.deployment(Environment::Staging).is_some() && member.share(Environment::Staging) == 100
        };
        if self.stage == RunStage::StagingDeploy && self.members().all(there) {
            self.stage = RunStage::AutomatedTesting;
        }
    }

    /// Begins with the steps once all is there that has a part in them.
    fn is_in_production(&mut self) {
        let there =
            |member: &Member| member.deployment(Environment::Production).is_some() && !self.awaits_baseline(member);
        if self.stage == RunStage::ProductionDeploy && self.members().all(there) {
            self.stage = RunStage::Rollout;
        }
    }

    /// A move that a host intended which died since, or sleeps, is over once one of a later fence is done: the target does it no more, and
    /// what it did was before. An answer to it that comes late says nothing of what serves.
    fn overtaken(&mut self, service: &str, environment: Environment, by: &str) {
        let Some(fence) = self.effects.get(by).map(|effect| effect.fence).filter(|_| self.capabilities.fenced) else {
            return;
        };
        self.effects.retain(|_, other| {
            let is_move_there =
                other.service == service && other.environment == Some(environment) && !other.splits.is_empty();
            !is_move_there || other.fence >= fence
        });
    }

    fn settled(&mut self, key: &str) {
        self.effects.remove(key);
        self.attempts.remove(key);
    }
}
