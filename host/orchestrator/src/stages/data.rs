//! Production's data in a run.

use autodevops_model::{SnapshotInfo, Stage, StageError};
use autodevops_pipeline::{EffectOutcome, Run};
use autodevops_sandbox::Plugin;

use super::{Stages, of_host};
use crate::data::{self, GoneBack, Unkept};

impl Stages {
    fn guard(&self, name: &str) -> Result<Plugin, StageError> {
        self.project.plugins.for_stage(name, Stage::StateGuard).map_err(|error| of_host(&error))
    }

    /// Takes a snapshot of production's data, and sees whether it is whole. The key makes it one.
    pub(super) async fn snapshot(&self, run: &Run, key: &str, guard: &str) -> Result<EffectOutcome, StageError> {
        let context = self.project.context(run.id(), Vec::new());
        let taken = data::take(&self.guard(guard)?, &context, &run.plan().production, key).await;
        taken.map(EffectOutcome::Snapshot)
    }

    /// Goes back to it, once what is there is kept, too. That what was written since is lost to the service is meant: a person was asked,
    /// or the plan says so.
    pub(super) async fn go_back(
        &self,
        run: &Run,
        key: &str,
        fence: u64,
        guard: &str,
        to: &SnapshotInfo,
    ) -> Result<EffectOutcome, StageError> {
        let context = self.project.context(run.id(), Vec::new());
        let (guard, environment) = (self.guard(guard)?, &run.plan().production);
        let GoneBack { before, since } =
            data::go_back(&guard, &context, environment, (key, fence), &to.id, Unkept::Stays).await?;
        Ok(EffectOutcome::Restored { before, since })
    }
}
