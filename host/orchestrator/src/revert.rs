//! A change that was taken back, undone in git: on a branch of its own, for a person to merge. The checkout is never touched.

mod kept;
mod merged;
mod telling;

use anyhow::{Context, Result, bail};
use autodevops_config::Revert;
use autodevops_pipeline::{Outcome, Run};
use autodevops_source::{CommitRequest, SourceError};

use crate::{
    audit::BY_HAND,
    clock::now,
    controller::named,
    live::{Live, WasLive},
    project::Project,
    usage::{Declined, Usage},
};

pub use kept::{Came, Undoing, came_of, undone};
pub use merged::{at_end, left_over, look};
pub use telling::tell;

/// Letters of a commit that name it to people.
const SHORT: usize = 10;

/// In whose name a change is undone that nobody asked about: see [`by_itself`].
const HOST: &str = "autodevops";

/// What is said where it is not known what there is to undo.
const NOT_UNDONE: &str = "what was taken back is not undone in git";

/// A change that is undone on a branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reverted {
    /// The branch.
    pub branch: String,
    /// Its commit.
    pub commit: String,
    /// The commit that is undone.
    pub undone: String,
}

/// What is to be undone.
struct Undone {
    /// What it is, in words.
    what: String,
    /// What it is asked for by: a run or a release.
    subject: String,
    title: String,
    commit: String,
    /// The commit whose content comes back.
    before: String,
    releases: Vec<String>,
    /// When it was taken back, in seconds since 1970: the same for a repetition, so that it is the same commit.
    at: i64,
}

/// Undoes in git what a run, or a release that was deployed by hand, changed. `subject` names the one or the other. What came of it is put on
/// record, that others build upon it, too.
///
/// # Errors
/// [`Usage`] when there is no such run or release; [`Declined`] when it serves production, was never merged, or others build upon it.
pub fn revert(project: &Project, subject: &str, by: &str, reason: &str) -> Result<Reverted> {
    let undone = find(project, subject)?;
    match undo(project, &undone, by, reason)? {
        Made::Reverted(reverted) => {
            undone.came(project, Came::Branch(reverted.branch.clone()), false);
            Ok(reverted)
        }
        Made::Conflict(paths) => {
            let undoing = undone.came(project, Came::Conflict(paths), false);
            bail!(Declined(undoing.why_not().unwrap_or_default()))
        }
    }
}

/// What came of an attempt.
enum Made {
    Reverted(Reverted),
    /// Later changes build upon it in these files.
    Conflict(Vec<String>),
}

fn undo(project: &Project, undone: &Undone, by: &str, reason: &str) -> Result<Made> {
    let environment = &project.config.rollout.environment;
    let live = Live::new(&project.journal);
    let mut serves = false;
    for place in project.config.places_of(environment) {
        serves |= live.current(&place.name)?.is_some_and(|serving| undone.releases.contains(&serving.id));
    }
    if serves {
        bail!(Declined(format!(
            "{} serves {environment}; go back first with `autodevops rollback {environment}`",
            undone.what
        )));
    }
    let repository = project.repository()?;
    let (commit, before) = (repository.commit_of(&undone.commit)?, repository.commit_of(&undone.before)?);
    if !repository.is_merged(&commit)? {
        bail!(Declined(format!(
            "{}: its commit {} is no part of what is checked out, so that there is nothing to revert; where its branch is not needed, \
             delete that",
            undone.what,
            short(&undone.commit)
        )));
    }
    let git = &project.config.git;
    let change = repository.undo(&commit, &before)?;
    // It goes wherever the branch is pushed.
    let (title, why) = (project.redaction.text(&undone.title), project.redaction.text(reason));
    let message = format!(
        "Revert \"{title}\"\n\nThis reverts {} ({}), which was taken back from {}.\n{why}\n\nBy: {by}\n",
        undone.commit, undone.what, project.config.rollout.environment
    );
    let made = repository.commit(&CommitRequest {
        change: &change,
        branch: &format!("{}revert-{}", git.branch_prefix, short(&undone.commit)),
        message: &message,
        author: &git.author,
        at: undone.at,
    });
    let made = match made {
        Err(SourceError::Conflict { paths, .. }) => return Ok(Made::Conflict(paths)),
        Err(SourceError::BranchTaken { branch, .. }) => {
            let what = &undone.what;
            bail!(Declined(format!(
                "{what} is undone on `{branch}` already; merge that, or delete it with `git branch -D {branch}`"
            )));
        }
        made => made?,
    };
    let reverted = Reverted { branch: made.branch, commit: made.commit.to_string(), undone: undone.commit.clone() };
    let words = format!("reverts {} on {} as {}: {reason}", undone.what, reverted.branch, reverted.commit);
    put_on_record(project, &reverted.undone, Some(by), &words);
    Ok(Made::Reverted(reverted))
}

impl Undone {
    /// Puts on record what came of it; and where nobody is there who asked, whom to tell.
    fn came(&self, project: &Project, came: Came, tells: bool) -> Undoing {
        let undoing = Undoing {
            what: self.what.clone(),
            subject: self.subject.clone(),
            commit: self.commit.clone(),
            came,
            at: now(),
            untold: if tells { project.config.stages.notifiers.clone() } else { Vec::new() },
            tried: 0,
        };
        if let Err(error) = undoing.keep(&project.journal) {
            tracing::warn!("what came of undoing {} in git is not on record: {error:#}", self.what);
        }
        undoing
    }
}

/// Puts on record what came of undoing a commit, and who had it undone.
fn put_on_record(project: &Project, undone: &str, by: Option<&str>, words: &str) {
    let name = name(undone);
    project.audit.begin(&name);
    project.audit.note(&name, BY_HAND, by, words);
    project.audit.let_go(&name, BY_HAND, 0, true);
}

fn find(project: &Project, subject: &str) -> Result<Undone> {
    match named(project, subject) {
        Ok(run) => {
            let logged = project.log.read(&run)?.context("the run is not in the journal any more")?;
            of_run(&logged.run)
        }
        Err(no_run) => of_release(project, subject)?.ok_or(no_run),
    }
}

fn of_run(run: &Run) -> Result<Undone> {
    let id = run.id();
    if run.outcome().is_none() {
        bail!(Declined(format!("run {id} is not over; {}, then revert", run.way_to_end())));
    }
    let Some(commit) = run.commit() else {
        bail!(Declined(format!("run {id} committed nothing, so that there is nothing to revert")));
    };
    Ok(Undone {
        what: format!("the change of run {id}"),
        subject: id.to_owned(),
        title: run.fix().map_or_else(|| id.to_owned(), |fix| fix.title.clone()),
        commit: commit.to_owned(),
        before: run.base().to_owned(),
        releases: run.members().filter_map(|member| Some(member.release()?.id.clone())).collect(),
        at: seconds(run.last_event_at().0),
    })
}

/// A release that served production, with what it took the place of.
fn of_release(project: &Project, id: &str) -> Result<Option<Undone>> {
    let live = Live::new(&project.journal);
    let mut history = Vec::new();
    for place in project.config.places_of(&project.config.rollout.environment) {
        let was = live.history(&place.name)?;
        if was.iter().any(|was| was.release.id == id) {
            history = was;
        }
    }
    let Some(place) = history.iter().position(|was| was.release.id == id) else { return Ok(None) };
    let older = history.iter().skip(place + 1).find(|was| was.release.id != id);
    let (Some(WasLive { release, since, .. }), Some(before)) = (history.get(place), older) else {
        bail!(Usage(format!(
            "release {id} is the first that is known of, and nothing was before it that could come back"
        )));
    };
    Ok(Some(Undone {
        what: format!("release {id}"),
        subject: id.to_owned(),
        title: format!("release {id}"),
        commit: release.commit.clone(),
        before: before.release.commit.clone(),
        releases: vec![id.to_owned()],
        at: seconds(since.0),
    }))
}

/// Undoes in git what was just taken back, where the configuration wants that, and the change was merged; what came of it, which is on
/// record. Where nobody waits for the answer, or a person is to do what could not be done, the notifiers are to tell it: see [`tell`]. That it
/// cannot be done takes nothing back.
///
/// # Errors
/// When it is not known what there is to undo.
pub fn by_itself(project: &Project, subject: &str, reason: &str, tells: bool) -> Result<Option<Undoing>> {
    if project.config.rollout.revert == Revert::Off {
        return Ok(None);
    }
    let declined = |error: anyhow::Error| {
        if error.is::<Declined>() {
            tracing::info!("nothing is reverted: {error:#}");
            return Ok(None);
        }
        Err(error)
    };
    let undone = match find(project, subject) {
        Ok(undone) => undone,
        Err(error) => return declined(error).context(NOT_UNDONE),
    };
    let came = match undo(project, &undone, HOST, reason) {
        Ok(Made::Reverted(reverted)) => Came::Branch(reverted.branch),
        Ok(Made::Conflict(paths)) => Came::Conflict(paths),
        Err(error) => match declined(error) {
            Err(error) => Came::Failed(format!("{error:#}")),
            none => return none,
        },
    };
    // Whoever waits for the answer may not wait to the end.
    let by_hand = !matches!(came, Came::Branch(_));
    let undoing = undone.came(project, came, tells || by_hand);
    if let Some(why) = undoing.why_not() {
        put_on_record(project, &undoing.commit, None, &why);
    }
    Ok(Some(undoing))
}

/// What came of it, in words for people; none where there was nothing to undo.
pub fn in_words(came: Result<Option<Undoing>>) -> Option<String> {
    came.map_or_else(|error| Some(format!("{error:#}")), |came| Some(came?.words()))
}

/// Whether a run's release was taken back, so that its change may have to be undone, too.
pub const fn is_taken_back(run: &Run) -> bool {
    matches!(run.ending(), Some(Outcome::RolledBack { .. }))
}

const fn seconds(nanoseconds: i64) -> i64 {
    nanoseconds.div_euclid(1_000_000_000)
}

/// The name under which it is on record who had it undone.
fn name(commit: &str) -> String {
    format!("revert-{}", short(commit))
}

fn short(commit: &str) -> String {
    commit.chars().take(SHORT).collect()
}

#[cfg(test)]
mod tests;
