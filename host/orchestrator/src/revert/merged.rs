//! Whether a change was merged when its release was taken back: that alone is undone by itself. Who merges it later does so on purpose, knowing
//! that it was taken back, as with a correction on top. It is on record from then until the run is over and what there was to undo is undone,
//! so that a host which ended in between goes on where it was.

use anyhow::Result;
use autodevops_config::Revert;
use autodevops_journal::Journal;
use autodevops_pipeline::Run;

use super::{
    Undoing, by_itself, is_taken_back,
    kept::{came_of, undone},
};
use crate::project::Project;

/// What the facts are named that keep it; the run follows.
const FACTS: &str = "merged-when-taken-back/";

/// Puts on record whether what a run committed is merged, where its release is being taken back. What is on record stays: what is merged
/// meanwhile is merged after that. Where git cannot say it, it is taken for merged, so that people are told in the end.
///
/// # Errors
/// When the journal cannot be used.
pub fn look(project: &Project, run: &Run) -> Result<()> {
    let Some(commit) = run.commit() else { return Ok(()) };
    if project.config.rollout.revert == Revert::Off || was_merged(&project.journal, run.id())?.is_some() {
        return Ok(());
    }
    let looked = || -> Result<bool> {
        let repository = project.repository()?;
        Ok(repository.is_merged(&repository.commit_of(commit)?)?)
    };
    let merged = looked().unwrap_or_else(|error| {
        tracing::warn!("whether what run {} committed is merged is not known: {error:#}", run.id());
        true
    });
    Ok(project.journal.put_fact(&fact(run.id()), &serde_json::to_vec(&merged)?)?)
}

/// Undoes in git what a run took back that is over: unless it was not merged then. What came of it.
///
/// # Errors
/// When it is not known what there is to undo; it is tried again by [`left_over`].
pub fn at_end(project: &Project, run: &Run) -> Result<Option<Undoing>> {
    let Some(outcome) = run.outcome().filter(|_| is_taken_back(run)) else { return Ok(None) };
    let came = match was_merged(&project.journal, run.id())? {
        Some(false) => None,
        // Nobody looked where it went back otherwise than by the run's own hand.
        Some(true) | None => by_itself(project, run.id(), &outcome.to_string(), true)?,
    };
    forget(&project.journal, run.id())?;
    Ok(came)
}

/// Undoes in git what a process before took back and did not come to undo, since it ended in between. What came of it.
///
/// # Errors
/// When the journal cannot be read.
pub fn left_over(project: &Project) -> Result<Vec<Result<Option<Undoing>>>> {
    let (journal, mut came, done) = (&project.journal, Vec::new(), undone(&project.journal)?);
    for (name, _) in journal.facts(FACTS)? {
        let id = name.strip_prefix(FACTS).unwrap_or_default();
        match project.log.read(id) {
            // Its own end is still to come.
            Ok(Some(logged)) if logged.run.outcome().is_none() => {}
            Ok(Some(logged)) if came_of(&done, &logged.run).is_none() => came.push(at_end(project, &logged.run)),
            Ok(_) => forget(journal, id)?,
            Err(error) => came.push(Err(error)),
        }
    }
    Ok(came)
}

/// None where it is not on record.
fn was_merged(journal: &Journal, run: &str) -> Result<Option<bool>> {
    let fact = journal.get_fact(&fact(run))?;
    Ok(fact.map(|fact| serde_json::from_slice(&fact)).transpose()?)
}

fn forget(journal: &Journal, run: &str) -> Result<()> {
    Ok(journal.put_in_place_of(&[], &[&fact(run)])?)
}

fn fact(run: &str) -> String {
    format!("{FACTS}{run}")
}
