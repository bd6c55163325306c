//! What is to be done now. It depends on the state and the time alone.

use std::time::Duration;

use autodevops_model::{Split, Window};

use crate::{Command, Environment, Member, Outcome, Run, RunStage, Staged, Step, Subject, Timestamp, Watch};

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
        } else {
            for work in self.work() {
                match work.key().and_then(waits).or_else(|| self.data_rests(&work, now)) {
                    Some(at) => later(at),
                    None => commands.push(work),
                }
            }
        }
        if let Some(watch) = self.watch().filter(|_| !self.is_unsure()) {
            match watch.due(self.plan().interval) {
                due if due > now => later(due),
                _ => commands.push(self.measure(watch, now)),
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
        // Services may be waited for long, and people are told meanwhile.
        if matches!(commands.first(), Some(Command::Claim { .. })) {
            commands.rotate_left(1);
        }
        let idle = commands.is_empty();
        if let Some((_, due)) = self.next_level() {
            later(due);
        }
        if self.held().is_none() {
            self.rollback_due().into_iter().for_each(&mut later);
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

    /// What carries the run on, whether or not it must wait for a retry: one command, but where several services go back, each of which
    /// does whatever comes of the others.
    pub(crate) fn work(&self) -> Vec<Command> {
        if self.is_unsure() {
            return vec![Command::Compare { key: self.compare_key() }];
        }
        let held = self.on_hold().is_some() && self.stage() != RunStage::Ending;
        if self.blocked().is_some() || self.diverged().is_some() || held {
            return Vec::new();
        }
        if self.stage() == RunStage::Ending {
            let back = self.roll_back();
            return if back.is_empty() { self.restore().into_iter().collect() } else { back };
        }
        self.next().into_iter().collect()
    }

    /// The command that brings the run forward.
    fn next(&self) -> Option<Command> {
        let plan = self.plan();
        let key = |name: &str| format!("{}/{name}", self.id());
        Some(match self.stage() {
            RunStage::Fix => Command::Propose { key: self.anew("propose") },
            RunStage::CodeReview if self.must_claim() => return self.claim(),
            RunStage::CodeReview => Command::Review { key: key("review"), plugins: plan.review.clone() },
            RunStage::TestGeneration => Command::GenerateTests { key: key("tests") },
            RunStage::Checks => Command::RunChecks { key: key("checks"), plugins: plan.checks.clone() },
            RunStage::Commit => Command::Commit { key: key("commit") },
            RunStage::Build => {
                let member = self.members().find(|member| member.release().is_none())?;
                let (service, key) = (member.label().to_owned(), member.key(key("build")));
                Command::Build { service, key, commit: self.commit()?.to_owned() }
            }
            RunStage::StagingDeploy => match self.deploy(Environment::Staging) {
                Some(deploy) => deploy,
                None => {
                    let member = self.members().find(|member| member.share(Environment::Staging) != 100)?;
                    let splits = vec![Split { release: member.candidate().to_owned(), percent: 100 }];
                    let key = member.anew(Environment::Staging, member.key(key("traffic/staging/100")));
                    self.set_traffic(member, Environment::Staging, key, splits)
                }
            },
            RunStage::AutomatedTesting => Command::AutomatedTests {
                key: key("automated"),
                staged: self.members().map(staged).collect(),
                plugins: plan.automated.clone(),
            },
            // It is asked about before anything goes there.
            RunStage::ProductionDeploy if self.held().is_some() => return None,
            RunStage::ProductionDeploy => {
                self.snapshot().or_else(|| self.deploy(Environment::Production)).or_else(|| self.deploy_baseline())?
            }
            // A step that could not be taken waits for a person's word.
            RunStage::Rollout if self.watch().is_none() && self.held().is_none() => {
                let percent = self.step()?.percent;
                let production = Environment::Production;
                let is_there =
                    |member: &&Member| member.step_splits(percent).as_deref() == Some(member.traffic(production));
                let member = self.members().find(|member| !is_there(member))?;
                let key = member.anew(production, member.key(key(&format!("traffic/production/{percent}"))));
                self.set_traffic(member, production, key, member.step_splits(percent)?)
            }
            RunStage::Soak
            | RunStage::Approval
            | RunStage::Rollout
            | RunStage::Monitoring
            | RunStage::RollbackCheck
            | RunStage::Ending
            | RunStage::Finished => return None,
        })
    }

    /// Brings the next release into the environment; none where all are there.
    fn deploy(&self, environment: Environment) -> Option<Command> {
        let member = self.members().find(|member| member.deployment(environment).is_none())?;
        let key = member.key(format!("{}/deploy/{}", self.id(), environment.role()));
        let key = if environment == Environment::Staging { member.anew(environment, key) } else { key };
        let (service, release) = (member.label().to_owned(), member.release()?.clone());
        Some(Command::Deploy { service, environment, key, fence: self.fence(), release })
    }

    /// Starts the next service's stable release anew beside itself; none where that is not wanted, or all are there.
    fn deploy_baseline(&self) -> Option<Command> {
        let member = self.members().find(|member| self.awaits_baseline(member))?;
        let (service, release) = (member.label().to_owned(), member.fresh()?);
        let (environment, key, fence) = (Environment::Production, member.baseline_key(self.id()), self.fence());
        Some(Command::Deploy { service, environment, key, fence, release })
    }

    fn set_traffic(&self, member: &Member, environment: Environment, key: String, splits: Vec<Split>) -> Command {
        Command::SetTraffic { service: member.label().to_owned(), environment, key, fence: self.fence(), splits }
    }

    /// Takes back what was moved: production of all first, then staging, where there is something to go back to. What was moved last
    /// goes back first.
    fn roll_back(&self) -> Vec<Command> {
        if self.ending() == Some(&Outcome::Healed) {
            return Vec::new();
        }
        let of = |environment: Environment| -> Vec<Command> {
            let moved = self.members().rev().filter(|member| {
                let lane = member.lane(environment);
                lane.moved && !lane.given_up
            });
            let back = |member: &Member| {
                let splits = vec![Split { release: member.stable(environment)?.id.clone(), percent: 100 }];
                let key = member.rollback_key(self.id(), environment);
                Some(self.set_traffic(member, environment, key, splits))
            };
            moved.filter_map(back).collect()
        };
        let production = of(Environment::Production);
        if production.is_empty() { of(Environment::Staging) } else { production }
    }

    pub(crate) fn compare_key(&self) -> String {
        format!("{}/compare/{}", self.id(), self.fence())
    }

    /// The key of a look at what serves production while one host drives: what it sees holds for the shares that are on record now.
    pub fn look_key(&self) -> String {
        format!("{}/look/{}/{}", self.id(), self.fence(), self.moves())
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

    /// The windows to measure: each trigger's, none longer than the watch, and the whole watch, which comes first.
    fn measure(&self, watch: &Watch, now: Timestamp) -> Command {
        let mut windows = self.whole_windows(watch, now);
        for trigger in &self.plan().triggers {
            let begins = watch.started.after(trigger.initial_delay);
            let own = Window { start: now.before(trigger.window).max(begins).0, end: now.0 };
            let name = trigger.name();
            let bad = watch.strikes.iter().filter(|strike| strike.rule == name);
            let next = bad.map(|strike| trigger.next_window(strike, now));
            for window in std::iter::once(own).chain(next).filter(|window| window.start < window.end) {
                if !windows.contains(&window) {
                    windows.push(window);
                }
            }
        }
        Command::Measure { environment: watch.environment, subjects: self.subjects(watch), windows }
    }

    /// The whole watch, which comes first, and what is left of it after each trigger's initial delay.
    pub(crate) fn whole_windows(&self, watch: &Watch, now: Timestamp) -> Vec<Window> {
        let whole = Window { start: watch.started.0, end: now.0.max(watch.started.0) };
        let mut windows = vec![whole.clone()];
        for window in self.plan().triggers.iter().filter_map(|trigger| trigger.begun(&whole)) {
            if !windows.contains(&window) {
                windows.push(window);
            }
        }
        windows
    }

    /// The releases that a watch is about.
    pub(crate) fn subjects(&self, watch: &Watch) -> Vec<Subject> {
        let subject = |member: &Member| Subject {
            service: member.label().to_owned(),
            candidate: member.candidate().to_owned(),
            baseline: member.baseline(watch),
            stable: member.way_back(watch),
        };
        self.members().map(subject).collect()
    }
}

fn staged(member: &Member) -> Staged {
    let url = member.deployment(Environment::Staging).and_then(|deployment| deployment.url.clone());
    Staged { service: member.label().to_owned(), url }
}

impl Member {
    /// The key of what is done anew: the target knows the one before, and would do nothing.
    fn anew(&self, environment: Environment, key: String) -> String {
        match self.lane(environment).returns {
            0 => key,
            returns => format!("{key}/{}", returns + 1),
        }
    }

    pub(crate) fn rollback_key(&self, run: &str, environment: Environment) -> String {
        let key = self.key(format!("{run}/rollback/{}", environment.role()));
        match self.lane(environment).rollbacks {
            0 => key,
            done => format!("{key}/{}", done + 1),
        }
    }
}
