//! Having the run's services to itself.

use autodevops_model::StageError;
use autodevops_pipeline::{Input, Run};

use super::{Stages, failed, of_host};
use crate::serving::serving;

impl Stages {
    /// Waits for the services where the run is known to, then looks what serves. That another run has them is said once, before it is
    /// waited for.
    pub(super) async fn claim(&self, run: &Run, key: &str, services: &[String]) -> Result<Input, StageError> {
        let claims = &self.project.claims;
        let key = key.to_owned();
        loop {
            let mut changes = claims.changes();
            match claims.ask(run.id(), services) {
                Ok(()) => break,
                Err(of) if run.awaited() != Some(&of) => return Ok(Input::ServicesTaken { key, of }),
                Err(of) => {
                    changes.changed().await.map_err(|_| failed(format!("the wait for {of} ended; report this")))?;
                }
            }
        }
        let serving = serving(&self.project, run.id(), run.plan()).await.map_err(|error| of_host(&error))?;
        // Whoever had the services before may have begun later.
        let fence = self.project.next_fence().map_err(|error| of_host(&error))?;
        Ok(Input::Claimed { key, fence, base: serving.base, live: serving.live })
    }
}

#[cfg(test)]
mod tests;
