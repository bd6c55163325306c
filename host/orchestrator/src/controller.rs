//! Which runs there are to drive: unfinished ones first, then one for each issue that deserves it.

mod back;
mod beside;
mod retry;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use anyhow::{Context, Result, bail};
use autodevops_driver::parts::Ledger;
use autodevops_model::Issue;
use autodevops_pipeline::{Former, Input, Outcome, Retry, Run};
use tokio::sync::{mpsc, oneshot};

use crate::{
    audit,
    clock::now,
    data::{self, Restored, Snapshot, Written},
    driver::{Driver, End, Observer, Word},
    feedback::Feedback,
    front_door,
    gc::{self, Freed},
    handled::Handled,
    limits::{LoopState, may_start},
    log::Logged,
    project::Project,
    revert::{self, Reverted},
    serving::{Serving, serving},
    signals::{self, CriticalErrors},
    usage::{Declined, Usage, beginning},
};

pub use back::{RolledBack, goes_back};

use beside::has_room;

/// Words that wait for a run to hear them.
const WORDS: usize = 64;

/// Drives the runs of a project. The caller holds the state's lock.
pub struct Controller {
    project: Arc<Project>,
    observer: Arc<dyn Observer>,
    handled: Mutex<BTreeMap<String, Handled>>,
    speakers: Mutex<BTreeMap<String, mpsc::Sender<Word>>>,
    /// Runs that people began, and that nobody drives yet.
    begun: Mutex<VecDeque<Logged>>,
    /// Held by whoever begins a run: what one looks at does not change by another.
    starting: tokio::sync::Mutex<()>,
    /// Held while something is made live by hand, and at the moment when a run begins of what serves: how often the former was done. Who takes
    /// production back waits for it, so that nobody holds it to wait for anything else.
    beginning: tokio::sync::Mutex<u64>,
    /// Held from before something is built to be made live by hand until that is so. Who begins a run only looks whether it is held.
    building: tokio::sync::Mutex<()>,
    /// Held while a snapshot is taken or data goes back by hand, and while what is not needed is removed, as long as guards take for it; a deploy
    /// waits for it. Who begins a run only looks whether it is held.
    keeping: tokio::sync::Mutex<()>,
    /// Of each environment, held while its data goes back by hand: who takes its release back only looks whether it is held, and holds it then.
    restoring: BTreeMap<String, tokio::sync::Mutex<()>>,
    /// Critical errors in the watched logs.
    pub(crate) critical: CriticalErrors,
}

impl Controller {
    /// Knows what was done before from the journal.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn new(project: Arc<Project>, observer: Arc<dyn Observer>) -> Result<Self> {
        let mut handled = Handled::kept(&project.journal)?;
        let all = project.log.all()?;
        for Logged { run, .. } in &all {
            Handled::note(&mut handled, run);
            project.claims.has(run.id(), run.claimed_services());
        }
        let finished = all.iter().filter(|logged| logged.run.outcome().is_some());
        project.audit.seal_finished(finished.map(|logged| (logged.run.id(), logged.version)))?;
        // Nothing that a run under way hangs on; before another begins it is done.
        if let Err(error) = LoopState::new(&project.journal).account(&project.audit) {
            tracing::warn!("pauses of the loop are not in the audit yet: {error:#}");
        }
        project.recordings.tidy();
        let speakers = Mutex::default();
        let environments = project.config.environments.keys();
        let restoring = environments.map(|name| (name.clone(), tokio::sync::Mutex::default())).collect();
        Ok(Self {
            project,
            observer,
            handled: Mutex::new(handled),
            speakers,
            begun: Mutex::default(),
            starting: tokio::sync::Mutex::default(),
            beginning: tokio::sync::Mutex::default(),
            building: tokio::sync::Mutex::default(),
            keeping: tokio::sync::Mutex::default(),
            restoring,
            critical: CriticalErrors::default(),
        })
    }

    /// The project.
    pub const fn project(&self) -> &Arc<Project> {
        &self.project
    }

    /// Runs that are not over, oldest first.
    ///
    /// # Errors
    /// As [`RunLog::unfinished`](crate::log::RunLog::unfinished).
    pub fn unfinished(&self) -> Result<Vec<Logged>> {
        self.project.log.unfinished()
    }

    /// The first issue, as ranked, that the configuration wants a run for and that has had none; or, where `fingerprint` names one,
    /// that one, whatever was done about it.
    ///
    /// # Errors
    /// When the named one is not there, or is being handled now.
    pub fn choose(&self, issues: Vec<Issue>, fingerprint: Option<&str>) -> Result<Option<Issue>> {
        let handled = self.handled();
        if let Some(wanted) = fingerprint {
            beginning(wanted, "give the issue's fingerprint, or the beginning of it; see `autodevops analyze`")?;
            let mut found: Vec<Issue> =
                issues.into_iter().filter(|issue| issue.fingerprint.starts_with(wanted)).collect();
            let none = || Usage(format!("no issue `{wanted}` was found in the watched logs"));
            let issue = found.pop().ok_or_else(none)?;
            if !found.is_empty() {
                let number = found.len() + 1;
                bail!(Usage(format!("`{wanted}` is the beginning of {number} fingerprints; give more of it")));
            }
            if let Some(Handled { run, outcome: None, .. }) = handled.get(&issue.fingerprint) {
                bail!("run {run} handles this issue now; see `autodevops show {run}`");
            }
            return Ok(Some(issue));
        }
        drop(handled);
        Ok(self.wanted(issues).into_iter().next())
    }

    /// The issues that the configuration wants a run for and that have had none, in their order.
    pub fn wanted(&self, issues: Vec<Issue>) -> Vec<Issue> {
        let handled = self.handled();
        let rules = &self.project.config.issues;
        let wanted = |issue: &Issue| {
            issue.severity >= rules.min_severity
                && issue.confidence >= rules.min_confidence.ratio()
                && issue.count >= rules.min_count
                && handled.get(&issue.fingerprint).is_none_or(|before| before.came_back(issue))
                && !handled.values().any(|before| before.is_of_taken_back(issue))
        };
        issues.into_iter().filter(wanted).collect()
    }

    /// Starts a run for an issue.
    ///
    /// # Errors
    /// When something is deployed, a snapshot taken or data put back by hand, or what is not needed is removed; when the loop is paused or has
    /// done enough for a day ([`Waits`](crate::limits::Waits)); when it is not known what serves, or it was not put there by this host; when the
    /// repository is not in order; when a plugin cannot be used. Nothing was begun then.
    pub async fn start(&self, issue: Issue) -> Result<Logged> {
        self.start_anew(issue, None).await
    }

    /// Starts a run for an issue, which a person has tried again, or which has none yet.
    async fn start_anew(&self, issue: Issue, retry: Option<Retry>) -> Result<Logged> {
        let _alone = self.starting.lock().await;
        let Ok(_nothing_is_kept) = self.keeping.try_lock() else {
            bail!(Declined(
                "a snapshot is taken by hand, data goes back to one, or what is not needed is removed; runs begin once that is done".to_owned()
            ));
        };
        let Ok(_none_is_built) = self.building.try_lock() else {
            bail!(Declined("something is deployed by hand; runs begin once that is done".to_owned()));
        };
        let project = &self.project;
        let under_way = self.unfinished()?;
        let runs = || under_way.iter().map(|logged| &logged.run);
        if !has_room(runs(), project.config.services().len())
            && let Some(run) = runs().find(|run| run.is_in_the_way())
        {
            bail!(Declined(format!(
                "run {} is not over, and runs follow each other, but for those of different services; {}",
                run.id(),
                run.way_to_end()
            )));
        }
        LoopState::new(&project.journal).account(&project.audit)?;
        may_start(project, now())?;
        project.check_people()?;
        project.check_plugins()?;
        project.check_credentials().await?;
        project.check_tools()?;
        front_door::ensure(project).await?;
        if under_way.is_empty() && project.is_local() {
            // Not above the fence of what is being made live by hand, which would fail.
            let fence = {
                let _nothing_moves = self.beginning.lock().await;
                project.next_fence()?
            };
            front_door::tidy_below(project, |_| true, &[], fence).await?;
        }
        let id = self.name(&issue);
        let former = self.handled().get(&issue.fingerprint).and_then(|before| before.former(retry));
        project.audit.begin(&id);
        let started = self.begin(&id, issue, former).await;
        match &started {
            // Another one for the same issue must not begin before somebody drives it.
            Ok(logged) => self.note(&logged.run),
            Err(error) => {
                project.audit.note(&id, audit::NOT_STARTED, None, &format!("{error:#}"));
                project.audit.let_go(&id, "start", 0, true);
            }
        }
        started
    }

    /// Starts a run under this name.
    async fn begin(&self, id: &str, issue: Issue, former: Option<Former>) -> Result<Logged> {
        let project = &self.project;
        let plan = project.config.plan();
        let target = project.deploy_target()?;
        let context = project.context(id, Vec::new());
        let capabilities = target.describe(&context).await?;
        project.check_target(&capabilities)?;
        let (Serving { live, base }, _nothing_moves) = loop {
            let before = *self.beginning.lock().await;
            let serving = serving(project, id, &plan).await;
            let made = self.beginning.lock().await;
            // It was looked at while that was changed by hand.
            if *made == before {
                break (serving?, made);
            }
        };
        let fence = project.next_fence()?;
        let event = Run::started(id, issue, plan, base, fence, live, capabilities, now()).following(former);
        let run = Run::start(&event)?;
        let events = vec![event];
        let version = project.ledger().append(&run, 0, &events)?;
        for event in &events {
            self.observer.event(&run, event);
        }
        Ok(Logged { run, events, version })
    }

    /// A run's name: the beginning of the fingerprint, and a number, so that a fault that came back is seen to have. It names a
    /// folder, and a plugin wrote the fingerprint: letters and digits alone are taken of it.
    fn name(&self, issue: &Issue) -> String {
        let start = name_start(&issue.fingerprint);
        let runs = self.project.journal.runs().unwrap_or_default().into_iter().map(|run| run.run);
        // One whose events were forgotten is on record still.
        let known: BTreeSet<String> = runs.chain(self.project.audit.log().names().unwrap_or_default()).collect();
        let number = (1..).find(|number| !known.contains(&format!("{start}-{number}")));
        format!("{start}-{}", number.unwrap_or(1))
    }

    /// Drives a run to its end, or, unless it shall `wait`, to where a person is needed.
    ///
    /// # Errors
    /// When the journal cannot be used.
    pub async fn drive(&self, logged: Logged, wait: bool) -> Result<End> {
        let (sender, words) = mpsc::channel(WORDS);
        let id = logged.run.id().to_owned();
        // What people said to it since it was read is in the journal alone.
        let logged = self.project.log.read(&id)?.unwrap_or(logged);
        if let Some(outcome) = logged.run.outcome() {
            return Ok(End::Finished(outcome.clone()));
        }
        let fresh = logged.events.len() == 1;
        let ledger = self.project.ledger();
        if let Err(error) = ledger.catch_up(&logged.run, &logged.events) {
            tracing::warn!("what is known to serve may not be what run {id} left: {error:#}");
        }
        if let Err(error) = ledger.keep_reserve() {
            tracing::warn!("no room is kept for the end of a run on a full disk: {error}");
        }
        self.speakers.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), sender);
        self.note(&logged.run);
        let mut driver = Driver::new(self.project.parts(Arc::clone(&self.observer)), logged, words, wait);
        let end = async {
            if !fresh {
                front_door::ensure(&self.project).await?;
                driver.take_over().await?;
                if let Err(error) = signals::catch_up(&mut driver, Feedback::new(&self.project.journal)).await {
                    tracing::warn!("run {id} is not told of all complaints: {error:#}");
                }
            }
            driver.drive().await
        }
        .await;
        self.speakers.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        // Who speaks to it from here on is told that it is left, and waits for nothing of what follows.
        let run = driver.run().clone();
        drop(driver);
        self.left(&run).await;
        end
    }

    /// Undoes in git what a process before took back and did not come to undo, and says what came of it. It is not looked for while runs that
    /// end may be at it themselves.
    pub fn revert_left_over(&self) {
        match tokio::task::block_in_place(|| revert::left_over(&self.project)) {
            Ok(all) => all.into_iter().filter_map(revert::in_words).for_each(|words| self.observer.notice(&words)),
            Err(error) => tracing::warn!("it is not known whether what was taken back is undone in git: {error:#}"),
        }
    }

    /// Does what follows where nobody drives the run any more; where it is over, others may have what it had.
    async fn left(&self, run: &Run) {
        self.note(run);
        if run.ending() == Some(&Outcome::Healed)
            && let Err(error) = self.relieve(run).await
        {
            tracing::warn!("people may be told on of what {} healed: {error:#}", run.id());
        }
        if run.outcome().is_some() && revert::is_taken_back(run) {
            let came = tokio::task::block_in_place(|| revert::at_end(&self.project, run));
            revert::in_words(came).iter().for_each(|words| self.observer.notice(words));
        }
        // Before what may wait for clients that are still served: should this be cancelled there, others have its services all the same.
        if run.claimed_services().is_empty() {
            self.project.claims.free(run.id());
        }
        if run.outcome().is_some() {
            self.tidy(run).await;
        }
    }

    fn note(&self, run: &Run) {
        Handled::note(&mut self.handled(), run);
    }

    fn handled(&self) -> MutexGuard<'_, BTreeMap<String, Handled>> {
        self.handled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begun(&self) -> MutexGuard<'_, VecDeque<Logged>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest run for an issue.
    fn newest(&self, fingerprint: &str) -> Option<String> {
        self.handled().get(fingerprint).map(|handled| handled.run.clone())
    }

    /// Says something to a run, and waits until it is taken or refused; the run as it is then. A run that nobody drives now is
    /// spoken to in the journal.
    ///
    /// # Errors
    /// The refusal; or there is no such run.
    pub async fn say(&self, run: &str, input: Input) -> Result<Run> {
        let run = self.named(run)?;
        let speaker = self.speakers.lock().unwrap_or_else(PoisonError::into_inner).get(&run).cloned();
        if let Some(speaker) = speaker {
            let (answer, heard) = oneshot::channel();
            speaker.send(Word { input, answer }).await.ok().context("the run ended just now")?;
            return Ok(*heard.await.context("the run ended just now")??);
        }
        let logged = self.project.log.read(&run)?.context("the run is not in the journal any more")?;
        let (_keep, words) = mpsc::channel(1);
        let mut driver = Driver::new(self.project.parts(Arc::clone(&self.observer)), logged, words, false);
        driver.take(input).await??;
        let run = driver.run().clone();
        if run.outcome().is_some() {
            // Whoever would drive it finds nothing left to do, and those who wait for its services wait for that.
            self.left(&run).await;
            // Whoever spoke does not wait for it; where this process ends before, the next one tells it.
            let project = Arc::clone(&self.project);
            tokio::spawn(async move { revert::tell(&project).await });
        }
        Ok(run)
    }

    /// The whole name of a run of which the beginning is given.
    ///
    /// # Errors
    /// When there is none, or more than one.
    pub fn named(&self, start: &str) -> Result<String> {
        named(&self.project, start)
    }

    /// Takes a snapshot of an environment's data, by hand.
    ///
    /// # Errors
    /// As [`data::snapshot`].
    pub async fn snapshot(&self, environment: &str, by: &str) -> Result<Vec<Snapshot>> {
        let _alone = self.keeping.lock().await;
        data::snapshot(&self.project, environment, by).await
    }

    /// Has an environment's data go back to a snapshot, by hand.
    ///
    /// # Errors
    /// As [`data::restore`].
    pub async fn restore(&self, environment: &str, snapshot: &str, written: Written, by: &str) -> Result<Restored> {
        let _alone = self.keeping.lock().await;
        let _release_stays = match self.restoring.get(environment) {
            Some(restoring) => Some(restoring.lock().await),
            None => None,
        };
        data::restore(&self.project, environment, snapshot, written, by).await
    }

    /// Removes what is not needed any more, and puts it into `freed`, also where it fails midway.
    ///
    /// # Errors
    /// When a run is driven now that does more than to tell people, or something deployed, which may be about to use it; and as
    /// [`gc::collect`].
    pub async fn collect(&self, freed: &mut Vec<Freed>) -> Result<()> {
        let _alone = self.keeping.lock().await;
        let Ok(_none_is_built) = self.building.try_lock() else {
            bail!(
                "something is deployed by hand, and may be about to use what is looked at; try again once that is done"
            );
        };
        let driven: Vec<String> =
            self.speakers.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect();
        let unfinished = self.unfinished()?;
        // What such a run tells, and may put back yet, stays for any that is not over.
        let only_tells = |id: &String| unfinished.iter().any(|logged| logged.run.id() == id && logged.run.only_tells());
        if let Some(run) = driven.iter().find(|id| !only_tells(id)) {
            bail!("run {run} is under way, and may be about to use what is looked at; try again after its end");
        }
        let at = SystemTime::now();
        let aside = {
            // What is gone back to meanwhile may be what nothing needed before.
            let _nothing_moves = self.beginning.lock().await;
            gc::set_aside(&self.project, false, at).await?
        };
        gc::remove(&self.project, aside, false, at, freed).await
    }

    /// Undoes in git, on a branch, what a run or a release changed.
    ///
    /// # Errors
    /// [`Usage`] without a reason; and as [`revert::revert`].
    pub async fn revert(&self, subject: &str, by: &str, reason: &str) -> Result<Reverted> {
        if reason.trim().is_empty() {
            bail!(Usage("to revert needs a reason, which is recorded; give one".to_owned()));
        }
        let _alone = self.beginning.lock().await;
        tokio::task::block_in_place(|| revert::revert(&self.project, subject, by, reason))
    }
}

/// The whole name of a run of which the beginning is given.
///
/// # Errors
/// When there is none, or more than one.
pub fn named(project: &Project, start: &str) -> Result<String> {
    beginning(start, "give the name of a run, or the beginning of it; see `autodevops runs`")?;
    let runs: Vec<String> = project.journal.runs()?.into_iter().map(|run| run.run).collect();
    if runs.iter().any(|run| run == start) {
        return Ok(start.to_owned());
    }
    let mut matching: Vec<&String> = runs.iter().filter(|run| run.starts_with(start)).collect();
    match (matching.pop(), matching.len()) {
        (Some(run), 0) => Ok(run.clone()),
        (Some(_), more) => bail!(Usage(format!("{} runs start with `{start}`; give more of the name", more + 1))),
        (None, _) => bail!(Usage(format!("there is no run `{start}`; see `autodevops runs`"))),
    }
}

/// The beginning of a run's name.
fn name_start(fingerprint: &str) -> String {
    let start: String = fingerprint.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
    if start.is_empty() { "run".to_owned() } else { start }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_never_makes_a_path_of_a_runs_name() {
        for (fingerprint, start) in
            [("62e23fd1200296c4", "62e23fd1"), ("../../etc", "etc"), ("/tmp/x", "tmpx"), ("..", "run"), ("", "run")]
        {
            assert_eq!(name_start(fingerprint), start);
        }
    }
}

#[cfg(test)]
mod whole;
