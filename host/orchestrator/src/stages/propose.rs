//! Asking for a fix, and for tests.

use autodevops_model::{ErrorKind, Fix, Proposal, Stage, StageError, TestFile};
use autodevops_pipeline::{Input, Run};

use crate::{clock::now, limits::LoopState};

use super::{Stages, failed, of_call, of_host, source::mount};

impl Stages {
    /// Asks the fix generators in their order; the first fix that fits the repository is taken.
    pub(super) async fn propose(&self, run: &Run) -> Result<Input, StageError> {
        if let Some(again) = self.propose_again(run).await? {
            return Ok(again);
        }
        let before = self.base_tree(run).await?;
        let context = self.project.context(run.id(), vec![mount("/repo", &before)]);
        let mut reasons = Vec::new();
        let mut unavailable = None;
        for name in &self.project.config.stages.fix_generators {
            let plugin = self.project.plugins.for_stage(name, Stage::FixGenerator).map_err(|error| of_host(&error))?;
            let limits = LoopState::new(&self.project.journal);
            let may = self.project.may_call(&plugin, Stage::FixGenerator);
            if let Err(refused) = may.and_then(|()| limits.note_call(&self.project.config.r#loop, now())) {
                reasons.push(format!("{name} was not asked: {refused:#}"));
                continue;
            }
            match plugin.propose(&context, self.evidence(&plugin).issue(run)).await {
                Ok(Proposal::Fix(fix)) => match self.fits(run, &fix).await {
                    Ok(()) => return Ok(Input::Proposed { plugin: name.clone(), fix: Box::new(fix) }),
                    Err(refused) => reasons.push(format!("{name}: its fix is refused: {refused}")),
                },
                Ok(Proposal::None(reason)) => reasons.push(format!("{name}: {reason}")),
                Err(error) => {
                    let error = of_call(&error);
                    reasons.push(error.info.message.clone());
                    if error.kind == ErrorKind::Unavailable {
                        unavailable = Some(error);
                    }
                }
            }
        }
        match unavailable {
            // It may have a fix when it answers again.
            Some(error) => Err(error),
            None if reasons.is_empty() => {
                Ok(Input::NoProposal { reason: "no fix generator is named; name one in [stages]".to_owned() })
            }
            None => Ok(Input::NoProposal { reason: reasons.join("; ") }),
        }
    }

    /// The fix of the run that a person has tried again, where production has the same base still; else another is looked for.
    async fn propose_again(&self, run: &Run) -> Result<Option<Input>, StageError> {
        let Some(former) = run.former().filter(|former| former.retry.is_some()) else { return Ok(None) };
        let former = self.project.log.read(&former.run).map_err(|error| of_host(&error))?.map(|logged| logged.run);
        let former = former.filter(|former| former.base() == run.base());
        let Some((plugin, fix)) = former.and_then(|former| Some((former.plugin()?.to_owned(), former.fix()?.clone())))
        else {
            return Ok(None);
        };
        let fits = self.fits(run, &fix).await.is_ok();
        Ok(fits.then(|| Input::Proposed { plugin, fix: Box::new(fix) }))
    }

    /// Whether the fix can be applied to what it was made for.
    async fn fits(&self, run: &Run, fix: &Fix) -> Result<(), String> {
        if fix.edits.is_empty() {
            return Err("it changes nothing".to_owned());
        }
        self.propose_tree(run, fix, &fix.tests).await.map(drop).map_err(|error| error.info.message)
    }

    /// Has further tests written; those of one generator do not replace those of another.
    pub(super) async fn generate_tests(&self, run: &Run) -> Result<Vec<TestFile>, StageError> {
        let Some(fix) = run.fix() else { return Ok(Vec::new()) };
        let before = self.base_tree(run).await?;
        let context = self.project.context(run.id(), vec![mount("/repo", &before)]);
        let mut tests: Vec<TestFile> = Vec::new();
        for name in &self.project.config.stages.test_generators {
            let plugin = self.project.plugins.for_stage(name, Stage::TestGenerator).map_err(|error| of_host(&error))?;
            self.project
                .may_call(&plugin, Stage::TestGenerator)
                .map_err(|refused| failed(format!("{name} was not asked: {refused:#}")))?;
            let evidence = self.evidence(&plugin);
            let made = plugin.generate_tests(&context, evidence.issue(run), evidence.fix(fix)).await;
            for test in made.map_err(|error| of_call(&error))? {
                if tests.iter().all(|other| other.path != test.path) {
                    tests.push(test);
                }
            }
        }
        // Refused here, where it can be said whose they are, rather than when they are committed.
        let mut all = fix.tests.clone();
        all.extend(tests.iter().filter(|test| fix.tests.iter().all(|own| own.path != test.path)).cloned());
        self.propose_tree(run, fix, &all).await?;
        Ok(tests)
    }
}

#[cfg(test)]
mod tests;
