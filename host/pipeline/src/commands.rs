//! What is to be done now. It depends on the state and the time alone.

use std::time::Duration;

use autodevops_model::{Split, Window};

use crate::{Command, Environment, Outcome, Run, RunStage, Step, Timestamp, Watch};

/// How long a run that a person holds may sleep, unless something else is due.
const WHILE_ON_HOLD: Duration = Duration::from_secs(3600);

impl Run {
    /// What is to be done now, the most urgent first; never empty. After each of them give what came of it to
    /// [`Run::decide`], write and apply the events, and ask again. The same state and time give the same commands, so a host
    /// that was killed goes on where it was.
    pub fn commands(&self, now: Timestamp) -> Vec<Command> {
        if let Some(outcome) = self.outcome() {
            return vec![Command::Finish(outcome.clone())];
        }
        let mut commands = Vec::new();
        let mut wake: Option<Timestamp> = None;
        let mut later = |at: Timestamp| wake = Some(wake.map_or(at, |before| before.min(at)));
        let waits = |key: &str| self.attempt(key).and_then(|attempt| attempt.retry).filter(|retry| *retry > now);
        if let Some((until, _)) = self.freeze(now) {
            later(until);
        } else if let Some(work) = self.work() {
            match work.key().and_then(waits) {
                Some(retry) => later(retry),
                None => commands.push(work),
            }
        }
        if let Some(watch) = self.watch().filter(|_| !self.is_unsure()) {
            match watch.due(self.plan().interval) {
                due if due > now => later(due),
                _ => commands.extend(self.measure(watch, now)),
            }
        }
        match self.recovery_due() {
            Some(due) if due > now => later(due),
            Some(_) => commands.extend(self.look_at_stable(now)),
            None => {}
        }
        for note in self.untold() {
            let (key, plugin) = (note.key.clone(), note.plugin.clone());
            match waits(&key) {
                Some(retry) => later(retry),
                None => {
                    let (notification, asked) = (note.notification.clone(), note.asked);
                    commands.push(Command::Notify { key, plugin, notification, asked });
                }
            }
        }
        let idle = commands.is_empty();
        if let Some((_, due)) = self.next_level() {
            later(due);
        }
        if self.on_hold().is_some() {
            // Time changes nothing; the caller hears a person's word meanwhile.
            later(now.after(WHILE_ON_HOLD));
        }
        if let Some(gate) = self.gate() {
            if self.on_hold().is_none() {
                later(gate.until);
            }
            commands.push(Command::AskApproval { gate: gate.gate, until: gate.until, reason: gate.reason.clone() });
        }
        if idle {
            commands.push(Command::WaitUntil(wake.unwrap_or(now)));
        }
        commands
    }

    /// The one command that carries the run on, whether or not it must wait for a retry.
    pub(crate) fn work(&self) -> Option<Command> {
        if self.is_unsure() {
            return Some(Command::Compare { key: self.compare_key() });
        }
        let held = self.on_hold().is_some() && self.stage() != RunStage::Ending;
        if self.blocked().is_some() || self.diverged().is_some() || held {
            return None;
        }
        let plan = self.plan();
        let key = |name: &str| format!("{}/{name}", self.id());
        Some(match self.stage() {
            RunStage::Fix => Command::Propose { key: key("propose") },
            RunStage::CodeReview => Command::Review { key: key("review"), plugins: plan.review.clone() },
            RunStage::TestGeneration => Command::GenerateTests { key: key("tests") },
            RunStage::Checks => Command::RunChecks { key: key("checks"), plugins: plan.checks.clone() },
            RunStage::Commit => Command::Commit { key: key("commit") },
            RunStage::Build => Command::Build { key: key("build"), commit: self.commit()?.to_owned() },
            RunStage::StagingDeploy if self.deployment(Environment::Staging).is_none() => {
                self.deploy(Environment::Staging)?
            }
            RunStage::StagingDeploy => {
                let splits = vec![Split { release: self.release()?.id.clone(), percent: 100 }];
                self.set_traffic(Environment::Staging, key("traffic/staging/100"), splits)
            }
            RunStage::AutomatedTesting => Command::AutomatedTests {
                key: key("automated"),
                url: self.deployment(Environment::Staging).and_then(|deployment| deployment.url.clone()),
                plugins: plan.automated.clone(),
            },
            RunStage::ProductionDeploy => self.deploy(Environment::Production)?,
            RunStage::Rollout if self.watch().is_none() => {
                let percent = self.step()?.percent;
                let mut key = key(&format!("traffic/production/{percent}"));
                // The target knows the key before and would do nothing.
                let returns = self.lane(Environment::Production).returns;
                if returns > 0 {
                    key.push_str(&format!("/{}", returns + 1));
                }
                self.set_traffic(Environment::Production, key, self.step_splits(percent)?)
            }
            RunStage::Ending => self.roll_back()?,
            RunStage::Soak
            | RunStage::Approval
            | RunStage::Rollout
            | RunStage::Monitoring
            | RunStage::RollbackCheck
            | RunStage::Finished => return None,
        })
    }

    fn deploy(&self, environment: Environment) -> Option<Command> {
        let key = format!("{}/deploy/{}", self.id(), environment.role());
        Some(Command::Deploy { environment, key, fence: self.fence(), release: self.release()?.clone() })
    }

    fn set_traffic(&self, environment: Environment, key: String, splits: Vec<Split>) -> Command {
        Command::SetTraffic { environment, key, fence: self.fence(), splits }
    }

    /// Takes back what was moved: production first, then staging, where there is something to go back to.
    fn roll_back(&self) -> Option<Command> {
        if self.ending() == Some(&Outcome::Healed) {
            return None;
        }
        [Environment::Production, Environment::Staging].into_iter().find_map(|environment| {
            let lane = self.lane(environment);
            if !lane.moved || lane.given_up {
                return None;
            }
            let stable = self.stable(environment)?;
            let splits = vec![Split { release: stable.id.clone(), percent: 100 }];
            Some(self.set_traffic(environment, self.rollback_key(environment), splits))
        })
    }

    pub(crate) fn compare_key(&self) -> String {
        format!("{}/compare/{}", self.id(), self.fence())
    }

    pub(crate) fn rollback_key(&self, environment: Environment) -> String {
        let key = format!("{}/rollback/{}", self.id(), environment.role());
        match self.lane(environment).rollbacks {
            0 => key,
            done => format!("{key}/{}", done + 1),
        }
    }

    /// The steps that the target can do: all of them, or, where it cannot split traffic, the last alone.
    pub(crate) fn steps(&self) -> &[Step] {
        let steps = &self.plan().steps;
        if self.capabilities().split_traffic {
            steps
        } else {
            steps.get(steps.len().saturating_sub(1)..).unwrap_or_default()
        }
    }

    /// The step that comes next or is being watched.
    pub(crate) fn step(&self) -> Option<&Step> {
        self.steps().get(self.steps_passed())
    }

    /// Production's shares with so much for the candidate; stable has the rest.
    pub(crate) fn step_splits(&self, percent: u8) -> Option<Vec<Split>> {
        let candidate = Split { release: self.release()?.id.clone(), percent };
        if percent >= 100 {
            return Some(vec![candidate]);
        }
        let stable = self.stable(Environment::Production)?;
        Some(vec![Split { release: stable.id.clone(), percent: 100 - percent }, candidate])
    }

    /// The windows to measure: each trigger's, none longer than the watch, and the whole watch, which comes first.
    fn measure(&self, watch: &Watch, now: Timestamp) -> Option<Command> {
        let mut windows = vec![Window { start: watch.started.0, end: now.0 }];
        for trigger in &self.plan().triggers {
            let start = now.before(trigger.window).max(watch.started);
            let window = Window { start: start.0, end: now.0 };
            if !windows.contains(&window) {
                windows.push(window);
            }
        }
        Some(Command::Measure {
            environment: watch.environment,
            candidate: self.release()?.id.clone(),
            baseline: self.baseline(watch),
            windows,
        })
    }

    /// The release that the candidate is compared with: stable, while both have production's traffic.
    pub(crate) fn baseline(&self, watch: &Watch) -> Option<String> {
        let both = watch.environment == Environment::Production && watch.percent < 100;
        self.stable(Environment::Production).filter(|_| both).map(|release| release.id.clone())
    }
}
