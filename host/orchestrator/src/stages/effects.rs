//! Changing the world outside: asked for by key, so that asking twice has one effect.

use std::time::Duration;

use autodevops_model::{ErrorKind, Notification, Stage, StageError};
use autodevops_pipeline::{Asked, Command, EffectOutcome, Environment, Found, Input, Run};
use autodevops_sandbox::CallContext;

use super::{Stages, failed, of_call, of_host, stage_error};
use crate::{clock::now, moved, notices::Turn, revert};

/// For so long a run that goes back waits for git at most.
const GIT: Duration = Duration::from_secs(2);

impl Stages {
    /// Does an effect whose intent is on record. `again` says that it may have been done before: then the target is asked first. A move of
    /// production's traffic waits while that is moved by hand, and so does its data.
    pub async fn effect(&self, run: &Run, command: &Command, again: bool) -> Input {
        let production = Environment::Production;
        let moves = matches!(command, Command::SetTraffic { environment, .. } if *environment == production);
        let deploys = matches!(command, Command::Deploy { environment, .. } if *environment == production);
        let mut not_by_hand = None;
        if moves {
            let (free, waited) = match self.project.moves.try_read() {
                Ok(free) => (free, false),
                Err(_) => (self.project.moves.read().await, true),
            };
            not_by_hand = Some(free);
            // Whatever waited while something was made live by hand looks, also where it goes back.
            let overtaken = if waited { self.looked_past(run).await } else { self.overtaken(run).await };
            if let Some(overtaken) = overtaken {
                return overtaken;
            }
        }
        if matches!(command, Command::Restore { .. }) {
            not_by_hand = Some(self.project.moves.read().await);
        }
        let mut done = match self.meets_data(run, command).await {
            Some(error) => Err(error),
            None => self.affect(run, command, again).await,
        };
        if deploys && matches!(&done, Err(error) if error.kind == ErrorKind::Denied) {
            // Somebody has a newer fence: whoever makes something live by hand. What that was is told once it is done.
            not_by_hand = Some(self.project.moves.read().await);
            if let Some(overtaken) = self.overtaken(run).await {
                return overtaken;
            }
        }
        if done.is_ok() && run.takes_back(command) {
            done = match self.found(run, production).await {
                Ok(found) => run.left_behind(command, &found).map_or(done, Err),
                Err(error) => {
                    tracing::warn!(%error, "whether production went back cannot be looked at");
                    done
                }
            };
        }
        drop(not_by_hand);
        if done.is_ok() && run.takes_back(command) && revert::is_taken_back(run) {
            self.looks_whether_merged(run).await;
        }
        let outcome = done.unwrap_or_else(EffectOutcome::Failed);
        Input::Effect { key: command.key().unwrap_or_default().to_owned(), outcome }
    }

    /// Has it looked, and put on record, whether what is taken back was merged. It ends on its own where git takes long: the run does not wait
    /// for that.
    async fn looks_whether_merged(&self, run: &Run) {
        let of = run.clone();
        let looks = self.blocking(move |project| revert::look(project, &of));
        match tokio::time::timeout(GIT, looks).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "whether what {} took back was merged is not on record", run.id()),
            Err(_) => tracing::warn!("git takes long to say whether what {} took back was merged", run.id()),
        }
    }

    /// What serves of each of the run's services, by the target's word.
    pub(super) async fn serving(&self, run: &Run, key: &str) -> Result<Input, StageError> {
        let mut found = self.found(run, Environment::Production).await?;
        for (found, staged) in found.iter_mut().zip(self.found(run, Environment::Staging).await?) {
            found.staging = staged.splits;
        }
        Ok(Input::Serving { key: key.to_owned(), found })
    }

    /// That someone deployed past the run, where it can be seen: then nothing else is done. A target that does not say what serves holds
    /// nothing up, and a rollback that nothing was made live before by hand asks nobody.
    pub(super) async fn overtaken(&self, run: &Run) -> Option<Input> {
        if run.ending().is_some() {
            return None;
        }
        self.looked_past(run).await
    }

    async fn looked_past(&self, run: &Run) -> Option<Input> {
        let mut found = match self.found(run, Environment::Production).await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(%error, "what serves production cannot be looked at");
                return None;
            }
        };
        // A lease that ran out is no person: the next renewal says it. What serves of the other services is looked at all the same.
        found.retain(|found| !self.project.is_local() || !has_lapsed(run, found));
        run.is_overtaken(&found).then(|| Input::Serving { key: run.look_key(), found })
    }

    /// Why production's data does not go back, where the command says that it does and what serves can be seen: it is something else.
    async fn meets_data(&self, run: &Run, command: &Command) -> Option<StageError> {
        if !matches!(command, Command::Restore { .. }) {
            return None;
        }
        let found = self.found(run, Environment::Production).await;
        let seen = found.inspect_err(|error| tracing::warn!(%error, "what serves production cannot be looked at"));
        run.meets_data(&seen.ok()?)
    }

    /// What serves an environment of each of the run's services.
    async fn found(&self, run: &Run, environment: Environment) -> Result<Vec<Found>, StageError> {
        let target = self.project.deploy_target().map_err(|error| of_host(&error))?;
        let context = self.project.context(run.id(), Vec::new());
        let mut found = Vec::new();
        for member in run.members() {
            let state = target.live(&context, member.place(environment)).await.map_err(|error| of_call(&error))?;
            let (splits, whole) = state.map(|state| (state.splits, state.stable)).unwrap_or_default();
            found.push(Found { service: member.label().to_owned(), splits, whole, staging: Vec::new() });
        }
        Ok(found)
    }

    async fn affect(&self, run: &Run, command: &Command, again: bool) -> Result<EffectOutcome, StageError> {
        let context = self.project.context(run.id(), Vec::new());
        let place = |service: &str, environment: Environment| match run.member(service) {
            Some(member) => Ok(member.place(environment)),
            None => Err(failed(format!("the run has no service `{service}`; report this"))),
        };
        match command {
            Command::Deploy { service, environment, key, fence, release } => {
                let target = self.project.deploy_target().map_err(|error| of_host(&error))?;
                let environment = place(service, *environment)?;
                if again {
                    let found = target.find(&context, environment, key).await.map_err(|error| of_call(&error))?;
                    if let Some(deployment) = found {
                        return Ok(EffectOutcome::Deployed(deployment));
                    }
                }
                let deployed = target.deploy(&context, environment, key, *fence, release.clone()).await;
                deployed.map(EffectOutcome::Deployed).map_err(|error| of_call(&error))
            }
            Command::SetTraffic { service, environment, key, fence, splits } => {
                let target = self.project.deploy_target().map_err(|error| of_host(&error))?;
                let environment = place(service, *environment)?;
                let set = target.set_traffic(&context, environment, key, *fence, splits.clone()).await;
                set.map_err(|error| of_call(&error))?;
                moved::check(&self.project, environment, splits).await?;
                Ok(EffectOutcome::Done)
            }
            Command::Snapshot { key, plugin } => self.snapshot(run, key, plugin).await,
            Command::Restore { key, plugin, fence, snapshot } => self.go_back(run, key, *fence, plugin, snapshot).await,
            Command::Notify { key, plugin, notification, asked } => {
                self.notify(&context, key, plugin, notification, *asked).await
            }
            other => Err(failed(format!("`{other:?}` is no effect; report this"))),
        }
    }
}

impl Stages {
    /// Has a notifier tell people, where it is its turn.
    ///
    /// # Errors
    /// When it does not.
    pub(crate) async fn notify(
        &self,
        context: &CallContext,
        key: &str,
        plugin: &str,
        notification: &Notification,
        asked: Option<Asked>,
    ) -> Result<EffectOutcome, StageError> {
        match self.project.notices.turn(plugin, notification, asked.is_some(), now()) {
            Turn::Now => {}
            Turn::Told => return Ok(EffectOutcome::Done),
            Turn::After(wait) => return Ok(too_much(plugin, wait)),
        }
        let notifier = self.project.plugins.for_stage(plugin, Stage::Notifier).map_err(|error| of_host(&error))?;
        // The links come last: what looks like a secret is taken out, and they are some.
        let told = self.project.redaction.notification(notification);
        let told = match &self.project.links {
            Some(links) => links.add(plugin, key, told, asked),
            None => told,
        };
        notifier.notify(context, key, told).await.map_err(|error| of_call(&error))?;
        self.project.notices.told(plugin, notification, now());
        Ok(EffectOutcome::Done)
    }
}

/// Whether a service's traffic, of which the candidate had a part, is all stable's.
fn has_lapsed(run: &Run, found: &Found) -> bool {
    let Some(member) = run.member(&found.service) else { return false };
    let stable = member.stable(Environment::Production).map(|stable| stable.id.as_str());
    let is_shared = member.traffic(Environment::Production).len() > 1;
    is_shared && matches!(&*found.splits, [all] if Some(all.release.as_str()) == stable && all.percent == 100)
}

/// A notifier was given as much as people can read; this waits.
fn too_much(plugin: &str, wait: Duration) -> EffectOutcome {
    let message = format!("`{plugin}` was given as much as [notifications] `per-minute` allows; this waits its turn");
    let error = stage_error(ErrorKind::Unavailable, message);
    EffectOutcome::Postponed { error, after: wait.saturating_add(Duration::from_secs(1)) }
}

#[cfg(test)]
mod tests;
