//! Does what the core asks for: each command becomes calls of plugins, of git, of the build or of the front door, and what
//! came of them becomes the core's next input.

mod checks;
mod claim;
mod data;
mod effects;
mod evidence;
mod measure;
mod propose;
mod source;

use std::{sync::Arc, time::Duration};

use autodevops_config::Service;
use autodevops_driver::parts::{Later, World};
use autodevops_model::{ErrorInfo, ErrorKind, StageError};
use autodevops_pipeline::{Command, Environment, Glance, Input, NamedReport, Run, RunStage, Sample, Staged};
use autodevops_sandbox::{CallError, CallFailure};

use crate::{front_door, probe, project::Project};

/// Performs commands of one run.
pub struct Stages {
    project: Arc<Project>,
}

impl Stages {
    /// For runs of this project.
    pub const fn new(project: Arc<Project>) -> Self {
        Self { project }
    }

    /// Does a command that changes nothing outside of this host; it may be dropped at any time and done again.
    pub async fn perform(&self, run: &Run, command: &Command) -> Input {
        let done = match command {
            Command::Propose { .. } => self.propose(run).await,
            Command::Review { key, plugins } => {
                self.check(run, plugins).await.map(|reports| Input::Reviewed { key: key.clone(), reports })
            }
            Command::GenerateTests { key } => {
                self.generate_tests(run).await.map(|tests| Input::TestsGenerated { key: key.clone(), tests })
            }
            Command::RunChecks { key, plugins } => {
                self.check(run, plugins).await.map(|reports| Input::Checked { key: key.clone(), reports })
            }
            Command::Claim { key, services } => self.claim(run, key, services).await,
            Command::Compare { key } => self.serving(run, key).await,
            Command::Commit { key } => self.commit(run, key).await,
            Command::Build { service, key, commit } => self.build(run, service, key, commit).await,
            Command::AutomatedTests { key, staged, plugins } => {
                let reports = self.automated_tests(run, staged, plugins).await;
                reports.map(|reports| Input::AutomatedTested { key: key.clone(), reports })
            }
            Command::Measure { environment, subjects, windows } => {
                return self.measure(run, *environment, subjects, windows).await;
            }
            other => Err(failed(format!("`{other:?}` is no command that is performed so; report this"))),
        };
        let key = command.key().unwrap_or_default().to_owned();
        done.unwrap_or_else(|error| Input::Failed { key, error })
    }

    /// Renews the leases of candidates that have a part of production's traffic; the services of those that had run out before. Starts a
    /// front door again that ended by itself.
    pub async fn renew(&self, run: &Run) -> Vec<String> {
        if front_door::crashed(&self.project) {
            tracing::warn!("the front door ended by itself; it is started again");
            if let Err(error) = front_door::ensure(&self.project).await {
                tracing::warn!("the front door does not start: {error:#}");
            }
        }
        let mut returned = Vec::new();
        let production = Environment::Production;
        let shared = run.members().filter(|member| member.traffic(production).len() > 1);
        for member in shared.filter(|_| self.project.is_local()) {
            match self.project.edge.renew(member.place(production), run.fence()).await {
                // Shares that were set since would have taken the mark away.
                Ok(state) if run.stage() == RunStage::Rollout && state.returned_at.is_some() => {
                    returned.push(member.label().to_owned());
                }
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "the candidate's lease cannot be renewed"),
            }
        }
        returned
    }

    /// The service that the run's events call so, as the configuration has it now.
    fn service(&self, label: &str) -> Result<&Service, StageError> {
        let missing =
            || failed(format!("the configuration has no service `{label}` any more; put it back, or abort the run"));
        self.project.config.service_of(label).ok_or_else(missing)
    }

    /// Removes what only a run under way needs.
    pub fn clean(&self, run: &Run) {
        let folder = self.project.state.work(run.id());
        if let Err(error) = remove(&folder) {
            tracing::warn!(%error, folder = %folder.display(), "a finished run's working trees cannot be removed");
        }
    }

    async fn automated_tests(
        &self,
        run: &Run,
        staged: &[Staged],
        plugins: &[String],
    ) -> Result<Vec<NamedReport>, StageError> {
        let mut reports = Vec::new();
        for Staged { service, url } in staged {
            let mut own = self.check_at(run, plugins, url.as_deref()).await?;
            if let Some(url) = url {
                let path = self.service(service)?.ready.clone().unwrap_or_else(|| "/".to_owned());
                own.push(NamedReport { plugin: probe::NAME.to_owned(), report: probe::look(url, &[path]).await });
            }
            if !service.is_empty() {
                own.iter_mut().for_each(|named| named.report.summary.insert_str(0, &format!("{service}: ")));
            }
            reports.extend(own);
        }
        Ok(reports)
    }
}

impl World for Stages {
    fn perform<'a>(&'a self, run: &'a Run, command: &'a Command) -> Later<'a, Input> {
        Box::pin(Self::perform(self, run, command))
    }

    fn effect<'a>(&'a self, run: &'a Run, command: &'a Command, again: bool) -> Later<'a, Input> {
        Box::pin(Self::effect(self, run, command, again))
    }

    fn renew<'a>(&'a self, run: &'a Run) -> Later<'a, Vec<String>> {
        Box::pin(Self::renew(self, run))
    }

    fn glance<'a>(&'a self, run: &'a Run, glance: &'a Glance) -> Later<'a, Vec<Sample>> {
        Box::pin(Self::glance(self, run, glance))
    }

    fn renewal(&self) -> Duration {
        self.project.renewal()
    }

    fn free(&self, run: &Run) {
        self.project.claims.free(run.id());
    }

    fn clean(&self, run: &Run) {
        Self::clean(self, run);
    }
}

/// Removes a folder with everything in it; read-only folders too.
fn remove(folder: &std::path::Path) -> std::io::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn stage_error(kind: ErrorKind, message: String) -> StageError {
    StageError { kind, info: ErrorInfo { message, details: Vec::new() } }
}

pub(crate) fn failed(message: String) -> StageError {
    stage_error(ErrorKind::Failed, message)
}

/// An error of the host's own, with its causes.
fn of_host(error: &anyhow::Error) -> StageError {
    failed(format!("{error:#}"))
}

/// A failed call as the core takes it: what a plugin says may be retried is.
pub(crate) fn of_call(error: &CallError) -> StageError {
    match &error.failure {
        CallFailure::Refused(own) => {
            let mut own = own.clone();
            own.info.message = format!("plugin `{}`: {}", error.plugin, own.info.message);
            own
        }
        CallFailure::Denied(_) => stage_error(ErrorKind::Denied, error.to_string()),
        _ => failed(error.to_string()),
    }
}

#[cfg(test)]
mod tests;
