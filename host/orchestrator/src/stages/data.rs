//! Production's data in a run.

use autodevops_model::{SnapshotInfo, Stage, StageError};
use autodevops_pipeline::{EffectOutcome, Run};
use autodevops_sandbox::Plugin;

use super::{Stages, of_host};
use crate::data;

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

    /// Goes back to it.
    pub(super) async fn go_back(
        &self,
        run: &Run,
        key: &str,
        fence: u64,
        guard: &str,
        to: &SnapshotInfo,
    ) -> Result<EffectOutcome, StageError> {
        let context = self.project.context(run.id(), Vec::new());
        let before = data::go_back(&self.guard(guard)?, &context, &run.plan().production, key, fence, &to.id).await;
        before.map(EffectOutcome::Restored)
    }
}
