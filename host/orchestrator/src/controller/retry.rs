//! Trying again what was aborted or failed: by a person's word alone.

use anyhow::{Context, Result, bail};
use autodevops_pipeline::{Outcome, Retry, Run};

use super::Controller;
use crate::{
    log::Logged,
    usage::{Declined, Usage},
};

impl Controller {
    /// Starts another run for the issue of one that is over, with the same fix where production still has the same base. Whoever drives
    /// runs is to take it with [`Self::take_begun`].
    ///
    /// # Errors
    /// [`Usage`] without a reason; [`Declined`] when there is nothing to try again, or not now; and as [`Self::start`].
    pub async fn retry(&self, run: &str, by: &str, reason: &str) -> Result<Run> {
        let (by, reason) = (by.to_owned(), reason.trim().to_owned());
        if reason.is_empty() {
            bail!(Usage("to try again needs a reason, which is recorded; give one".to_owned()));
        }
        let id = self.named(run)?;
        let former = self.project.log.read(&id)?.context("the run is not in the journal any more")?.run;
        let fingerprint = &former.issue().fingerprint;
        match former.outcome() {
            None => bail!(Declined(format!(
                "run {id} is not over; {}, then try again: see `autodevops show {id}`",
                former.way_to_end()
            ))),
            Some(Outcome::Healed) => bail!(Declined(format!(
                "run {id} healed its issue, so that there is nothing to try again; where the fault is back, `autodevops run --issue \
                 {fingerprint}` looks for another fix"
            ))),
            Some(_) => {}
        }
        if let Some(newest) = self.newest(fingerprint).filter(|newest| *newest != id) {
            bail!(Declined(format!("run {newest} came after it, for the same fault; try that one again")));
        }
        let logged = self.start_anew(former.issue().clone(), Some(Retry { by, reason })).await?;
        let run = logged.run.clone();
        self.begun().push_back(logged);
        Ok(run)
    }

    /// A run that people began, and that nobody drives yet.
    pub fn take_begun(&self) -> Option<Logged> {
        self.begun().pop_front()
    }
}
