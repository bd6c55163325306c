//! Changing the world outside: asked for by key, so that asking twice has one effect.

use std::time::Duration;

use autodevops_model::{ErrorKind, Stage, StageError};
use autodevops_pipeline::{Command, EffectOutcome, Environment, Found, Input, RETRY_AFTER, Run};

use super::{Stages, failed, of_call, of_host, stage_error};
use crate::{clock::now, notices::Turn};

impl Stages {
    /// Does an effect whose intent is on record. `again` says that it may have been done before: then the target is asked first.
    pub async fn effect(&self, run: &Run, command: &Command, again: bool) -> Input {
        let outcome = match self.affect(run, command, again).await {
            Ok(outcome) => outcome,
            Err(error) => EffectOutcome::Failed(error),
        };
        Input::Effect { key: command.key().unwrap_or_default().to_owned(), outcome }
    }

    /// What serves of each of the run's services, by the target's word.
    pub(super) async fn serving(&self, run: &Run, key: &str) -> Result<Input, StageError> {
        let target = self.project.deploy_target().map_err(|error| of_host(&error))?;
        let context = self.project.context(run.id(), Vec::new());
        let mut found = Vec::new();
        for member in run.members() {
            let mut shares = Vec::new();
            for environment in [Environment::Production, Environment::Staging] {
                let state = target.live(&context, member.place(environment)).await.map_err(|error| of_call(&error))?;
                shares.push(state.map(|state| state.splits).unwrap_or_default());
            }
            let (staging, splits) = (shares.pop().unwrap_or_default(), shares.pop().unwrap_or_default());
            found.push(Found { service: member.label().to_owned(), splits, staging });
        }
        Ok(Input::Serving { key: key.to_owned(), found })
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
                set.map(|()| EffectOutcome::Done).map_err(|error| of_call(&error))
            }
            Command::Snapshot { key, plugin } => self.snapshot(run, key, plugin).await,
            Command::Restore { key, plugin, fence, snapshot } => self.go_back(run, key, *fence, plugin, snapshot).await,
            Command::Notify { key, plugin, notification, asked } => {
                match self.project.notices.turn(plugin, notification, asked.is_some(), now()) {
                    Turn::Now => {}
                    Turn::Told => return Ok(EffectOutcome::Done),
                    Turn::After(wait) => return Err(too_much(plugin, wait)),
                }
                let notifier =
                    self.project.plugins.for_stage(plugin, Stage::Notifier).map_err(|error| of_host(&error))?;
                // The links come last: what looks like a secret is taken out, and they are some.
                let told = self.project.redaction.notification(notification);
                let told = match &self.project.links {
                    Some(links) => links.add(plugin, key, told, *asked),
                    None => told,
                };
                notifier.notify(&context, key, told).await.map_err(|error| of_call(&error))?;
                self.project.notices.told(plugin, notification, now());
                Ok(EffectOutcome::Done)
            }
            other => Err(failed(format!("`{other:?}` is no effect; report this"))),
        }
    }
}

/// A notifier was given as much as people can read; this waits.
fn too_much(plugin: &str, wait: Duration) -> StageError {
    let message = format!("`{plugin}` was given as much as [notifications] `per-minute` allows; this waits its turn");
    let mut error = stage_error(ErrorKind::Unavailable, message);
    error.info.details.push((RETRY_AFTER.to_owned(), wait.as_secs().saturating_add(1).to_string()));
    error
}
