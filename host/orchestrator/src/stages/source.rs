//! A run's trees, its commit and its artifact.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use autodevops_config::Message;
use autodevops_model::{Fix, Release, StageError, TestFile};
use autodevops_pipeline::{Input, Run};
use autodevops_sandbox::MountedFolder;
use autodevops_source::{CommitRequest, ObjectId, Proposed, Repository, SourceError};

use super::{Stages, failed, of_host, remove};
use crate::{build::build, project::Project};

/// A folder of the run at the path where a stage expects it.
pub(super) fn mount(guest: &str, host: &Path) -> MountedFolder {
    MountedFolder { guest: guest.to_owned(), host: host.to_owned() }
}

impl Stages {
    /// Does work that blocks where it may.
    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Project) -> Result<T> + Send + 'static,
    ) -> Result<T, StageError> {
        let project = self.project.clone();
        match tokio::task::spawn_blocking(move || work(&project)).await {
            Ok(done) => done.map_err(|error| of_host(&error)),
            Err(error) => Err(failed(format!("the work ended early: {error}"))),
        }
    }

    /// The project as it is in the live release's commit.
    pub(super) async fn base_tree(&self, run: &Run) -> Result<PathBuf, StageError> {
        let (run, base) = (run.id().to_owned(), run.base().to_owned());
        self.blocking(move |project| {
            let repository = project.repository()?;
            let base = repository.commit_of(&base)?;
            exported(project, &repository, &run, &format!("before-{base}"), &base)
        })
        .await
    }

    /// The project as the run's change makes it.
    pub(super) async fn changed_tree(&self, run: &Run) -> Result<PathBuf, StageError> {
        let Some(fix) = run.fix() else { return Err(failed("the run has no fix yet; report this".to_owned())) };
        let proposed = self.propose_tree(run, fix, &run.tests()).await?;
        let run = run.id().to_owned();
        self.blocking(move |project| {
            exported(project, &project.repository()?, &run, &format!("after-{}", proposed.tree), &proposed.tree)
        })
        .await
    }

    /// The change as a tree of git, or why it is refused.
    pub(super) async fn propose_tree(&self, run: &Run, fix: &Fix, tests: &[TestFile]) -> Result<Proposed, StageError> {
        let (base, edits, tests) = (run.base().to_owned(), fix.edits.clone(), tests.to_vec());
        self.blocking(move |project| propose(&project.repository()?, &base, &edits, &tests).map_err(Into::into)).await
    }

    /// Puts the change onto a branch of its own. The operator's checkout must be clean and on a branch that it merges into.
    pub(super) async fn commit(&self, run: &Run, key: &str) -> Result<Input, StageError> {
        let Some(fix) = run.fix().cloned() else {
            return Err(failed("the run has no fix yet; report this".to_owned()));
        };
        let (key, id, base, tests) = (key.to_owned(), run.id().to_owned(), run.base().to_owned(), run.tests());
        let fingerprint = run.issue().fingerprint.clone();
        let started = run.started_at().0.div_euclid(1_000_000_000);
        self.blocking(move |project| {
            let repository = project.repository()?;
            repository.head()?;
            let change = propose(&repository, &base, &fix.edits, &tests)?;
            let git = &project.config.git;
            // It goes wherever the branch is pushed.
            let told = project.redaction.fix(&fix);
            let message = git.message(Message {
                title: &told.title,
                root_cause: &told.root_cause,
                fingerprint: &fingerprint,
                run: &id,
            });
            let branch = format!("{}{}", git.branch_prefix, branch_name(&fingerprint, &id));
            let committed = repository.commit(&CommitRequest {
                change: &change,
                branch: &branch,
                message: &message,
                author: &git.author,
                at: started,
            })?;
            Ok(Input::Committed { key, branch: committed.branch, commit: committed.commit.to_string() })
        })
        .await
    }

    /// Makes a service's artifact of the run's commit.
    pub(super) async fn build(&self, run: &Run, service: &str, key: &str, commit: &str) -> Result<Input, StageError> {
        let service = self.service(service)?.clone();
        let (key, id, base, commit) = (key.to_owned(), run.id().to_owned(), run.base().to_owned(), commit.to_owned());
        self.blocking(move |project| {
            let work = project.state.work(&id).join("build");
            let release: Release = build(project, &service, &base, &commit, &work)?;
            Ok(Input::Built { key, release })
        })
        .await
    }
}

/// The branch of a run, after its prefix: the issue's fingerprint; a later run for the same issue adds its number, since the branch
/// of the one before may still be there.
fn branch_name(fingerprint: &str, run: &str) -> String {
    match run.rsplit_once('-').map(|(_, number)| number) {
        None | Some("1") => fingerprint.to_owned(),
        Some(number) => format!("{fingerprint}-{number}"),
    }
}

fn propose(
    repository: &Repository,
    base: &str,
    edits: &[autodevops_model::Edit],
    tests: &[TestFile],
) -> Result<Proposed, SourceError> {
    repository.propose(&repository.commit_of(base)?, edits, tests)
}

/// The tree in a folder of the run, exported where it is not there yet. A folder of that name is whole.
fn exported(project: &Project, repository: &Repository, run: &str, name: &str, tree: &ObjectId) -> Result<PathBuf> {
    let work = project.state.work(run);
    let folder = work.join(name);
    if folder.is_dir() {
        return Ok(folder);
    }
    let part = work.join(format!("{name}.part"));
    remove(&part).with_context(|| part.display().to_string())?;
    std::fs::create_dir_all(&work).with_context(|| work.display().to_string())?;
    repository.export(tree, &part)?;
    std::fs::rename(&part, &folder).with_context(|| folder.display().to_string())?;
    Ok(folder)
}

#[cfg(test)]
mod tests;
