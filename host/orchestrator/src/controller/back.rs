//! Taking production back by a person's word: by the runs that moved it, or by hand where none did.

use std::time::Duration;

use anyhow::{Result, bail};
use autodevops_model::Split;
use autodevops_pipeline::{Environment, Found, Input, Member, Outcome, Run, Timestamp};
use autodevops_policy::Span;
use tokio::sync::Mutex;

use super::Controller;
use crate::{
    by_hand::{self, MadeLive, WayBack},
    clock::now,
    front_door,
    live::{Live, Origin, WasLive, WentBack},
    revert,
    usage::Declined,
};

/// So long after an environment went back it goes further back only to a release that is named.
const ONCE: Duration = Duration::from_secs(600);

/// How long a run may take to hear that something else serves.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the target calls a place, and what serves there as far as this host knows.
type Served = (String, Option<WasLive>);

/// How a release is taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RolledBack {
    /// The runs under way do it.
    ByRuns(Vec<String>),
    /// It is done.
    ByHand {
        /// What serves: of each of the services that went back.
        made: Vec<MadeLive>,
        /// What came of undoing the change in git, in words; nothing where there was nothing to undo.
        reverted: Option<String>,
        /// The runs under way whose releases were to follow what served until now.
        concerned: Vec<String>,
    },
}

impl Controller {
    /// Takes what was released back: by the runs under way that moved production, or by hand where none did; after the rollback window only
    /// where it is to be `at_once` all the same. A run under way that is about what was taken back finds that something else serves, and
    /// asks people.
    ///
    /// # Errors
    /// When there is nothing to go back to, or the window is over; where a run moved production, may go back, and another release is named; while
    /// a run or a person has data go back; or a run is under way and it is of another environment.
    pub async fn roll_back(
        &self,
        environment: &str,
        to: Option<&str>,
        at_once: bool,
        by: &str,
        reason: &str,
    ) -> Result<RolledBack> {
        let served = self.serving(environment)?;
        // A word to runs waits for nobody's turn.
        if let Some(told) = self.take_back(environment, to, by, reason).await? {
            return Ok(RolledBack::ByRuns(told));
        }
        let mut alone = self.beginning.lock().await;
        if let Some(told) = self.take_back(environment, to, by, reason).await? {
            return Ok(RolledBack::ByRuns(told));
        }
        let Ok(_data_stays) = self.restoring.get(environment).map(Mutex::try_lock).transpose() else {
            bail!(Declined(format!(
                "the data of {environment} goes back to a snapshot, and is put under what serves now; say it again once that is done"
            )));
        };
        // No run moves traffic from here on until it looks anew what serves.
        let still = self.project.moves.write().await;
        if let Some(told) = self.take_back(environment, to, by, reason).await? {
            return Ok(RolledBack::ByRuns(told));
        }
        if to.is_none() {
            // Whoever did not mean it is not told to insist.
            let way = by_hand::way_back(&self.project, environment, to, true)?;
            self.goes_back_once(environment, &served, &way)?;
        }
        let way = by_hand::way_back(&self.project, environment, to, at_once)?;
        let mut concerned = self.under_way()?;
        concerned.retain(|run| way.places().any(|place| run.is_about(place)));
        *alone += 1;
        let made = by_hand::go_back(&self.project, way, by, reason).await;
        // Where it failed, too: the target may have taken the fence.
        let concerned = self.look_anew(&concerned, made.as_deref().unwrap_or_default()).await;
        drop(still);
        let made = made?;
        let mut left = None;
        for (live, before) in made.iter().filter_map(|live| Some((live, live.before.as_ref()?))) {
            let line = Live::new(&self.project.journal).line(&live.place)?;
            // Whoever goes forward to a release that was named leaves none behind. What came together is of one change.
            left = left.or(Some(before).filter(|before| !line.contains(before)));
        }
        let left = left.filter(|_| environment == self.project.config.rollout.environment);
        let reverted = left.and_then(|left| {
            let who = WentBack::new(by, reason).to_string();
            let came = tokio::task::block_in_place(|| revert::by_itself(&self.project, &left.id, &who, false));
            revert::in_words(came)
        });
        Ok(RolledBack::ByHand { made, reverted, concerned })
    }

    /// What serves in each place of the environment, as far as this host knows.
    fn serving(&self, environment: &str) -> Result<Vec<Served>> {
        let live = Live::new(&self.project.journal);
        let places = self.project.config.places_of(environment).into_iter();
        places.map(|place| Ok((place.name.clone(), live.history(&place.name)?.into_iter().next()))).collect()
    }

    /// That whoever goes back without naming a release means the one that serves: neither did something else come to serve while they
    /// waited, nor did it just go back, as when two people say it at once. Another service that went back before what is to go back now came
    /// to serve is none of that.
    ///
    /// # Errors
    /// [`Declined`] where it may not be meant.
    fn goes_back_once(&self, environment: &str, served: &[Served], way: &WayBack<'_>) -> Result<()> {
        let serving = self.serving(environment)?;
        let of_way = serving.iter().filter(|(place, _)| way.to(place).is_some());
        let came = of_way.filter_map(|(_, live)| Some(live.as_ref()?.since)).max();
        for ((place, now_live), (_, before)) in serving.iter().zip(served) {
            let Some(now_live) = now_live else { continue };
            let (id, goes_to) = (&now_live.release.id, way.to(place));
            if goes_to.is_some() && before.as_ref().is_none_or(|before| before.release.id != *id) {
                bail!(Declined(format!(
                    "what serves {place} changed while this waited: it is {id} now; say it again to go back from that one"
                )));
            }
            // What is longer ago than that hinders nobody.
            let by_run = self.taken_back(place, now_live.since.max(now().before(ONCE)))?;
            let since = if self.went_back(place)? { Some(now_live.since) } else { by_run };
            let since = since.filter(|since| goes_to.is_some() || came.is_none_or(|came| *since > came));
            let ago =
                |since: Timestamp| Duration::from_nanos(u64::try_from(now().0.saturating_sub(since.0)).unwrap_or(0));
            let Some(ago) = since.map(ago).filter(|ago| *ago < ONCE) else { continue };
            let (further, to) = match (goes_to, way.first()) {
                (Some(to), _) => ("to go further back".to_owned(), to),
                (None, Some((other, to))) => (format!("to take back what serves {other} as well"), to),
                (None, None) => continue,
            };
            bail!(Declined(format!(
                "{place} went back to {id} {} ago; {further}, name the release: `autodevops rollback {environment} --to {}`",
                Span(Duration::from_secs(ago.as_secs())),
                to.id
            )));
        }
        Ok(())
    }

    /// When a run last took back there, from a moment on, what had a part of the traffic: what serves is what did before.
    fn taken_back(&self, place: &str, since: Timestamp) -> Result<Option<Timestamp>> {
        let backs = self.project.log.since(since)?.into_iter().filter_map(|logged| logged.run.took_back(place));
        Ok(backs.filter(|back| *back >= since).max())
    }

    /// Whether what serves the place came there by going back: what served before it is not among those that led to it.
    fn went_back(&self, place: &str) -> Result<bool> {
        let live = Live::new(&self.project.journal);
        let (history, line) = (live.history(place)?, live.line(place)?);
        Ok(history.get(1).is_some_and(|before| !line.contains(&before.release)))
    }

    /// The runs that may move something still: one that healed its issue only tells people so.
    fn under_way(&self) -> Result<Vec<Run>> {
        let unfinished = self.unfinished()?.into_iter().map(|logged| logged.run);
        Ok(unfinished.filter(|run| run.ending() != Some(&Outcome::Healed)).collect())
    }

    /// Has the runs under way that moved production take it back, and gives their ids; none where no run did.
    async fn take_back(
        &self,
        environment: &str,
        to: Option<&str>,
        by: &str,
        reason: &str,
    ) -> Result<Option<Vec<String>>> {
        let under_way = self.under_way()?;
        let busy = || under_way.iter().filter(|run| !run.only_tells());
        if let Some(run) = busy().find(|run| environment != run.plan().production) {
            bail!(Declined(format!("run {} is under way; {}", run.id(), run.way_to_end())));
        }
        // What was there before the release is put under what serves now, and not under another.
        if let Some(run) = busy().find(|run| run.restores_data()) {
            bail!(Declined(format!(
                "run {} has the data of {environment} go back to what it was before its release; {}",
                run.id(),
                run.way_to_end()
            )));
        }
        let moved: Vec<&Run> = busy().filter(|run| run.is_moved(Environment::Production)).collect();
        if moved.is_empty() {
            return Ok(None);
        }
        if to.is_some() {
            // What they would go back to does not serve; a person knows what does.
            let Some(run) = moved.iter().find(|run| !run.leaves_production()) else { return Ok(None) };
            bail!(Declined(format!(
                "run {} is under way; without --to it goes back, or {}",
                run.id(),
                run.way_to_end()
            )));
        }
        let mut answers = Vec::new();
        for run in &moved {
            // Of several, those that go back already need no word; one alone says so itself.
            let needs_no_word = moved.len() > 1 && run.ending().is_some();
            let word = Input::Rollback { by: by.to_owned(), reason: reason.to_owned() };
            let answer =
                if needs_no_word { Ok(()) } else { self.say(run.id(), word).await.and_then(|run| goes_back(&run)) };
            answers.push((run.id(), answer));
        }
        all_told(answers).map(Some)
    }

    /// Deploys what is checked out and committed to these environments, by hand; to production also while runs go back to what does not
    /// serve, or stay since that is so. While it is built, and a guard keeps the data, all else goes on, but that no run begins.
    ///
    /// # Errors
    /// As [`by_hand::build_all`], [`by_hand::keep_data`] and [`by_hand::deploy`]; and [`Declined`] where one of the environments went back while it was built.
    pub async fn deploy(&self, environments: &[String], by: &str) -> Result<Vec<MadeLive>> {
        let serving = || environments.iter().map(|environment| self.serving(environment));
        let served: Vec<Served> = serving().collect::<Result<Vec<_>>>()?.concat();
        let alone = self.building.lock().await;
        let built = by_hand::build_all(&self.project, environments).await?;
        let kept = self.keeping.lock().await;
        // Whoever goes back meanwhile waits for no guard; then nothing is deployed, and there is a snapshot more.
        let snapshots = by_hand::keep_data(&self.project, environments, by).await?;
        let mut next = self.beginning.lock().await;
        let still = self.project.moves.write().await;
        self.is_meant_still(&served)?;
        let mut concerned = self.under_way()?;
        concerned.retain(|run| run.ends_in_trouble() || run.stable_broken().is_some());
        *next += 1;
        let made = by_hand::deploy(&self.project, environments, built, snapshots, by).await;
        self.look_anew(&concerned, made.as_deref().unwrap_or_default()).await;
        // What stops drains as long as it may, and nobody waits for that: what is done meanwhile has a fence above this one.
        let fence = self.project.next_fence();
        drop((still, next, kept, alone));
        let tidied = async { front_door::tidy_below(&self.project, |_| true, &[], fence?).await };
        if made.is_ok()
            && let Err(error) = tidied.await
        {
            tracing::warn!("releases that are not needed any more are not stopped: {error:#}");
        }
        made
    }

    /// That nothing came to serve since a deploy was asked for but what others deployed, each in its turn. Whoever went back meanwhile did
    /// so later, and what is checked out most likely has in it what they went back from.
    ///
    /// # Errors
    /// [`Declined`] where a place went back.
    fn is_meant_still(&self, served: &[Served]) -> Result<()> {
        for (place, before) in served {
            let history = Live::new(&self.project.journal).history(place)?;
            let since = history.iter().take_while(|was| Some(*was) != before.as_ref());
            let back = |was: &&WasLive| !matches!(was.by, Origin::Deploy(_));
            if let (Some(now_live), Some(was)) = (history.first(), since.into_iter().find(back)) {
                let who = match &was.by {
                    Origin::Run(run) => format!("by run {run}"),
                    Origin::Deploy(by) | Origin::Rollback(WentBack { by, .. }) => format!("by {by}, who went back"),
                };
                bail!(Declined(format!(
                    "what serves {place} changed while this was made ready: it is {} now, {who}; nothing was deployed. Say `autodevops deploy` \
                     again to have what is checked in serve all the same",
                    now_live.release.id
                )));
            }
        }
        Ok(())
    }

    /// Has each of these runs go on with a fence above that of whatever was done by hand, and look what serves before it does anything
    /// else; one that ends is told. The ids of those that heard it.
    pub(super) async fn look_anew(&self, runs: &[Run], made: &[MadeLive]) -> Vec<String> {
        let mut told = Vec::new();
        for run in runs {
            let told_of = async || {
                let fence = self.project.next_fence()?;
                let run = self.say(run.id(), Input::Resume { fence }).await?;
                let found = found(&run, made);
                if run.is_met_by_hand() && !found.is_empty() {
                    self.say(run.id(), Input::Serving { key: run.look_key(), found }).await?;
                }
                anyhow::Ok(())
            };
            // One that cannot write just now keeps nobody waiting.
            let answer = tokio::time::timeout(PATIENCE, told_of()).await.unwrap_or_else(|late| Err(late.into()));
            match answer {
                Ok(()) => told.push(run.id().to_owned()),
                // It has an older fence, and looks before it moves anything.
                Err(error) => tracing::warn!("run {} was not told that something else serves: {error:#}", run.id()),
            }
        }
        told
    }
}

/// That the run ends, once it was told to.
///
/// # Errors
/// [`Declined`] where it does not: what its traffic would go back to does not serve itself.
pub fn goes_back(run: &Run) -> Result<()> {
    if run.ending().is_some() {
        return Ok(());
    }
    let why = run.stable_broken().unwrap_or("it is not known what it would go back to");
    bail!(Declined(format!("{why}; say it again to have traffic go back all the same")))
}

/// What serves of the run's services by what was made live.
fn found(run: &Run, made: &[MadeLive]) -> Vec<Found> {
    let of = |member: &Member| {
        let live = made.iter().find(|live| live.place == member.place(Environment::Production))?;
        let splits = vec![Split { release: live.release.id.clone(), percent: 100 }];
        let whole = Some(live.release.clone());
        Some(Found { service: member.label().to_owned(), splits, whole, staging: Vec::new() })
    };
    run.members().filter_map(of).collect()
}

/// The ids of the runs that go back, of what each one answered when it was told to.
fn all_told(answers: Vec<(&str, Result<()>)>) -> Result<Vec<String>> {
    let (mut told, mut refused) = (Vec::new(), Vec::new());
    for (run, answer) in answers {
        match answer {
            Ok(()) => told.push(run.to_owned()),
            Err(error) => refused.push(error),
        }
    }
    match refused.into_iter().next() {
        None => Ok(told),
        Some(error) if told.is_empty() => Err(error),
        Some(error) => {
            Err(error.context(format!("not all that moved production go back, but these do: {}", told.join(", "))))
        }
    }
}

#[cfg(test)]
mod tests {
    use autodevops_pipeline::{Event, EventKind, VERSION};
    use autodevops_record::testing::Story;

    use super::*;
    use crate::testing::is_shared;

    #[test]
    fn a_run_that_was_told_to_go_back_and_does_not_says_why() {
        let events = Story::default().events();
        let replayed = |count: usize| Run::replay(&events[..count]).unwrap();
        let shared = (1..).map(replayed).find(is_shared).unwrap();
        let told = |run: &Run| goes_back(run).map_err(|error| format!("{} {error}", error.is::<Declined>()));
        let again = "say it again to have traffic go back all the same";
        assert_eq!(told(&shared), Err(format!("true it is not known what it would go back to; {again}")));
        let mut broken = shared.clone();
        let event = EventKind::StableBroken { reason: "`old` fails".into() };
        broken.apply(&Event { v: VERSION, at: shared.last_event_at(), event });
        assert_eq!(told(&broken), Err(format!("true `old` fails; {again}")));
        assert_eq!(told(&replayed(events.len())), Ok(()), "it is over");
    }

    #[test]
    fn what_one_run_refuses_is_told_beside_those_that_go_back() {
        let refused = || ("refuses", Err(anyhow::anyhow!("refuses refuses")));
        let error = format!("{:#}", all_told(vec![("back", Ok(())), refused(), ("goes", Ok(()))]).unwrap_err());
        assert_eq!(error, "not all that moved production go back, but these do: back, goes: refuses refuses");
        assert_eq!(all_told(vec![("back", Ok(())), ("goes", Ok(()))]).unwrap(), ["back", "goes"]);
        assert_eq!(all_told(vec![refused()]).unwrap_err().to_string(), "refuses refuses");
    }
}
