//! Limits on the loop itself: whether a run may start now, and which issues wait for one.
//!
//! All of it is facts in the journal, so that whoever has the state folder reads and changes them, whether or not a process drives the
//! runs; that process asks before each run.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use anyhow::Result;
use autodevops_config::LoopRules;
use autodevops_journal::Journal;
use autodevops_model::Issue;
use autodevops_pipeline::Timestamp;
use autodevops_policy::Span;
use autodevops_record::{Attempt, By};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    audit::{Audit, LOOP},
    project::Project,
};

const PAUSED: &str = "loop/paused";
const QUEUE: &str = "loop/queue";
const CALLS: &str = "loop/fix-generator-calls";
const TOKENS: &str = "loop/tokens";

/// Pauses and their ends, a fact each, by their numbers.
const CHANGES: &str = "loop/changes/";
/// Name of the last of them that is in the audit.
const AUDITED: &str = "loop/changes-audited";

/// What "a day" is: the time before now, so that no midnight lets twice as much happen.
const DAY: Duration = Duration::from_secs(86_400);

/// Tokens that were used within as much are counted as one.
const TOGETHER: Duration = Duration::from_secs(600);

/// Held while a call is counted: the count is read and written in two steps.
static CALLING: Mutex<()> = Mutex::new(());

/// Issues that are remembered to wait; there may be any number of them.
const REMEMBERED: usize = 50;

/// That no runs are to start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Paused {
    /// Who said so.
    pub by: String,
    /// Why, in their words.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}

/// A pause or its end, by a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Change {
    /// Whether runs were kept from starting from then on, or let start again.
    pub paused: bool,
    /// Who said so.
    pub by: String,
    /// Why, in their words.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// An issue that waits for its run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Queued {
    /// What identifies it.
    pub fingerprint: String,
    /// One line for a person.
    pub title: String,
}

/// Why no run may start now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Waits {
    /// A person said so.
    #[error("the loop is paused by {}{}; let it go on with `autodevops resume`", .0.by, because(&.0.reason))]
    Paused(Paused),
    /// There were so many within a day.
    #[error("{there_were} {what} were there within 24 hours, and [loop] {key} allows {cap}; the next may come in {}", span(*.next))]
    Cap {
        /// How many there were.
        there_were: u64,
        /// How many there may be.
        cap: u64,
        /// Of what.
        what: &'static str,
        /// The configuration's key.
        key: &'static str,
        /// How long it is until the next.
        next: Duration,
    },
}

fn because(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(": {reason}") }
}

fn span(span: Duration) -> Span {
    Span(Duration::from_secs(span.as_secs().max(1)))
}

/// The loop's own state in a journal.
pub struct LoopState<'a>(&'a Journal);

impl<'a> LoopState<'a> {
    /// In this journal.
    pub const fn new(journal: &'a Journal) -> Self {
        Self(journal)
    }

    /// Whether the loop is paused.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn paused(&self) -> Result<Option<Paused>> {
        self.get(PAUSED)
    }

    /// Has no runs start from now on. Those under way go on. Where none start already, it stays so by the word of whoever said it first,
    /// which this gives.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn pause(&self, paused: &Paused) -> Result<Option<Paused>> {
        let before = self.paused()?;
        if before.is_none() {
            let Paused { by, reason, since } = paused.clone();
            self.change(Some(paused), &Change { paused: true, by, reason, at: since })?;
        }
        Ok(before)
    }

    /// Has runs start again, by this person's word; gives what held them up.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn resume(&self, by: &str, now: Timestamp) -> Result<Option<Paused>> {
        let before = self.paused()?;
        if before.is_some() {
            self.change(None, &Change { paused: false, by: by.to_owned(), reason: String::new(), at: now })?;
        }
        Ok(before)
    }

    fn change(&self, paused: Option<&Paused>, change: &Change) -> Result<()> {
        let name = format!("{CHANGES}{:020}", self.0.next_fence(CHANGES)?);
        let (paused, change) = (serde_json::to_vec(&paused)?, serde_json::to_vec(change)?);
        Ok(self.0.put_many(&[(PAUSED, &paused), (&name, &change)])?)
    }

    /// Puts pauses and their ends into the audit, those that are not there yet. They come from processes that may not seal; the caller
    /// holds the state's lock.
    ///
    /// # Errors
    /// When the journal cannot be used.
    pub fn account(&self, audit: &Audit) -> Result<()> {
        let audited = self.0.get_fact(AUDITED)?.unwrap_or_default();
        let changes = self.0.facts(CHANGES)?;
        let Some((last, _)) = changes.last().filter(|(name, _)| name.as_bytes() > audited.as_slice()) else {
            return Ok(());
        };
        for (_, bytes) in changes.iter().filter(|(name, _)| name.as_bytes() > audited.as_slice()) {
            let change: Change = serde_json::from_slice(bytes)?;
            let what = if change.paused { "paused" } else { "resumed" };
            audit.note_at(change.at, LOOP, what, Some(&change.by), &change.reason);
        }
        audit.let_go(LOOP, LOOP, 0, true);
        Ok(self.0.put_fact(AUDITED, last.as_bytes())?)
    }

    /// The issues that wait for their runs, the next first, as the process that drives the runs saw them last.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn queue(&self) -> Result<Vec<Queued>> {
        Ok(self.get(QUEUE)?.unwrap_or_default())
    }

    /// Notes which issues wait.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn set_queue(&self, issues: &[Issue]) -> Result<()> {
        let queued = |issue: &Issue| Queued { fingerprint: issue.fingerprint.clone(), title: issue.title.clone() };
        let queue: Vec<Queued> = issues.iter().take(REMEMBERED).map(queued).collect();
        if self.queue()? == queue { Ok(()) } else { self.put(QUEUE, &Some(queue)) }
    }

    /// Notes a call of a fix generator, if there may be one more within a day.
    ///
    /// # Errors
    /// [`Waits`] when there may not; or when the journal cannot be used.
    pub fn note_call(&self, rules: &LoopRules, now: Timestamp) -> Result<()> {
        // Runs of different services go on side by side.
        let _one_at_a_time = CALLING.lock().unwrap_or_else(PoisonError::into_inner);
        let mut calls = self.calls(now)?;
        check(rules.fix_generator_calls_a_day.map(Into::into), CALLS_ARE, &each(&calls), now)?;
        calls.push(now);
        self.put(CALLS, &Some(calls))
    }

    /// The calls of fix generators within the last day.
    fn calls(&self, now: Timestamp) -> Result<Vec<Timestamp>> {
        let calls: Vec<Timestamp> = self.get(CALLS)?.unwrap_or_default();
        Ok(calls.into_iter().filter(|at| *at > now.before(DAY)).collect())
    }

    /// Notes tokens of language models that a call used. Only one at a time may do so.
    ///
    /// # Errors
    /// When the journal cannot be used.
    pub fn note_tokens(&self, tokens: u64, now: Timestamp) -> Result<()> {
        let mut used = self.tokens(now)?;
        match used.last_mut() {
            Some((since, sum)) if *since > now.before(TOGETHER) => *sum = sum.saturating_add(tokens),
            _ => used.push((now, tokens)),
        }
        self.put(TOKENS, &Some(used))
    }

    /// Whether a plugin may be called that may use tokens of a language model.
    ///
    /// # Errors
    /// [`Waits`] when it may not; or when the journal cannot be read.
    pub fn may_use_tokens(&self, rules: &LoopRules, now: Timestamp) -> Result<()> {
        match rules.tokens_a_day {
            None => Ok(()),
            cap => Ok(check(cap, TOKENS_ARE, &self.tokens(now)?, now)?),
        }
    }

    /// The tokens that were used within the last day, oldest first; each entry is of the ten minutes that follow its time.
    fn tokens(&self, now: Timestamp) -> Result<Vec<(Timestamp, u64)>> {
        let used: Vec<(Timestamp, u64)> = self.get(TOKENS)?.unwrap_or_default();
        Ok(used.into_iter().filter(|(at, _)| *at > now.before(DAY)).collect())
    }

    fn get<T: DeserializeOwned>(&self, fact: &str) -> Result<Option<T>> {
        let Some(bytes) = self.0.get_fact(fact)? else { return Ok(None) };
        Ok(serde_json::from_slice(&bytes)?)
    }

    fn put<T: Serialize>(&self, fact: &str, value: &Option<T>) -> Result<()> {
        Ok(self.0.put_fact(fact, &serde_json::to_vec(value)?)?)
    }
}

/// What is counted, and the key that caps it.
type Counted = (&'static str, &'static str);

const RUNS_ARE: Counted = ("runs", "runs-a-day");
const DEPLOYS_ARE: Counted = ("deploys of runs", "deploys-a-day");
const CALLS_ARE: Counted = ("calls of fix generators", "fix-generator-calls-a-day");
const TOKENS_ARE: Counted = ("tokens of language models", "tokens-a-day");

/// Each of them for one.
fn each(times: &[Timestamp]) -> Vec<(Timestamp, u64)> {
    times.iter().map(|at| (*at, 1)).collect()
}

/// Whether there may be one more, by how many there were at which times.
fn check(cap: Option<u64>, (what, key): Counted, counts: &[(Timestamp, u64)], now: Timestamp) -> Result<(), Waits> {
    let Some(cap) = cap else { return Ok(()) };
    let mut within: Vec<(Timestamp, u64)> = counts.iter().copied().filter(|(at, _)| *at > now.before(DAY)).collect();
    within.sort_unstable();
    let there_were = within.iter().fold(0, |sum: u64, (_, count)| sum.saturating_add(*count));
    if there_were < cap {
        return Ok(());
    }
    // Once so many are a day old that there are fewer, there is room.
    let mut left = there_were;
    let leaving = within.iter().find(|(_, count)| {
        left = left.saturating_sub(*count);
        left < cap
    });
    let leaving = leaving.map_or(now, |(at, _)| *at);
    let next = u64::try_from(leaving.after(DAY).0.saturating_sub(now.0)).unwrap_or(0);
    Err(Waits::Cap { there_were, cap, what, key, next: Duration::from_nanos(next) })
}

/// Whether a run may start now.
///
/// # Errors
/// [`Waits`] when it may not; or when the journal cannot be read.
pub fn may_start(project: &Project, now: Timestamp) -> Result<()> {
    let (rules, state) = (&project.config.r#loop, LoopState::new(&project.journal));
    if let Some(paused) = state.paused()? {
        return Err(Waits::Paused(paused).into());
    }
    if let Some(cap) = rules.runs_a_day {
        check(Some(cap.into()), RUNS_ARE, &each(&project.log.begun()?), now)?;
    }
    if let Some(cap) = rules.deploys_a_day {
        let under_way = project.log.unfinished()?;
        let under_way = under_way.iter().map(|logged| logged.run.id());
        check(Some(cap.into()), DEPLOYS_ARE, &each(&deploys(&project.records.attempts()?, under_way, now)), now)?;
    }
    if let Some(cap) = rules.fix_generator_calls_a_day {
        check(Some(cap.into()), CALLS_ARE, &each(&state.calls(now)?), now)?;
    }
    state.may_use_tokens(rules, now)
}

/// When runs brought a release to people. A run has one at most; those under way are counted as if they did now, so that one that may
/// start may deploy.
fn deploys<'a>(attempts: &'a [Attempt], under_way: impl Iterator<Item = &'a str>, now: Timestamp) -> Vec<Timestamp> {
    let mut runs: BTreeMap<&str, Timestamp> = BTreeMap::new();
    for attempt in attempts.iter().filter(|attempt| attempt.production) {
        // Releases of several services come together: they are one.
        if let (By::Run(run), Some(exposed)) = (&attempt.by, attempt.exposed) {
            runs.entry(run).and_modify(|before| *before = exposed.min(*before)).or_insert(exposed);
        }
    }
    for run in under_way {
        runs.entry(run).or_insert(now);
    }
    runs.into_values().collect()
}

#[cfg(test)]
mod tests {
    use autodevops_record::{Entry, of_run, settled, testing::Story};

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn journal() -> (tempfile::TempDir, Journal) {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(folder.path().join("journal.db")).unwrap();
        (folder, journal)
    }

    #[test]
    fn a_pause_holds_for_every_process_until_it_is_lifted() {
        let (folder, journal) = journal();
        let other = Journal::open(folder.path().join("journal.db")).unwrap();
        let (state, seen) = (LoopState::new(&journal), LoopState::new(&other));
        assert_eq!((seen.paused().unwrap(), seen.resume("bob", Timestamp(1)).unwrap()), (None, None));
        let paused = Paused { by: "ada".into(), reason: "an audit".into(), since: Timestamp(5) };
        assert_eq!(state.pause(&paused).unwrap(), None);
        assert_eq!(seen.paused().unwrap(), Some(paused.clone()));
        let again = Paused { by: "bob".into(), reason: String::new(), since: Timestamp(6) };
        assert_eq!(seen.pause(&again).unwrap(), Some(paused.clone()));
        assert_eq!(seen.paused().unwrap(), Some(paused.clone()), "it is the first one's word");
        let words = Waits::Paused(paused.clone()).to_string();
        assert_eq!(words, "the loop is paused by ada: an audit; let it go on with `autodevops resume`");
        assert_eq!(seen.resume("bob", Timestamp(9)).unwrap(), Some(paused));
        assert_eq!(state.paused().unwrap(), None);
    }

    #[test]
    fn who_paused_and_who_resumed_is_in_the_audit_once() {
        let (_folder, journal) = journal();
        let (state, audit) = (LoopState::new(&journal), Audit::new(journal.clone()));
        let told = || {
            let mut told = Vec::new();
            let mut note = |entry: &autodevops_journal::audit::Entry| match entry {
                autodevops_journal::audit::Entry::Note(note) => {
                    let by = note.by.as_deref().unwrap_or("-");
                    told.push(format!("{} {} {by} {}", note.at_ns, note.what, note.summary));
                }
                other => panic!("{other:?}"),
            };
            audit.log().each(Some(LOOP), |sealed| sealed.seal.entries.iter().for_each(&mut note)).unwrap();
            told
        };
        state.account(&audit).unwrap();
        assert_eq!(told(), [""; 0]);
        state.pause(&Paused { by: "ada".into(), reason: "an audit".into(), since: Timestamp(3) }).unwrap();
        state.pause(&Paused { by: "cyd".into(), reason: "me too".into(), since: Timestamp(5) }).unwrap();
        state.account(&audit).unwrap();
        state.resume("bob", Timestamp(7)).unwrap();
        state.account(&audit).unwrap();
        state.account(&audit).unwrap();
        assert_eq!(told(), ["3 paused ada an audit", "7 resumed bob "]);
    }

    #[test]
    fn a_cap_counts_the_last_day_and_says_when_there_is_room() {
        let now = Timestamp(0).after(100 * HOUR);
        let times = [1, 20, 23, 30].map(|hours| now.before(hours * HOUR));
        let times = each(&times);
        assert_eq!(check(None, RUNS_ARE, &times, now), Ok(()));
        assert_eq!(check(Some(4), RUNS_ARE, &times, now), Ok(()), "one of them is older than a day");
        let Err(Waits::Cap { there_were, next, .. }) = check(Some(3), RUNS_ARE, &times, now) else { panic!() };
        assert_eq!((there_were, next), (3, HOUR));
        let Err(Waits::Cap { next, .. }) = check(Some(1), RUNS_ARE, &times, now) else { panic!() };
        assert_eq!(next, 23 * HOUR, "all but none must be older");
        let words = check(Some(3), RUNS_ARE, &times, now).unwrap_err().to_string();
        assert!(words.contains("3 runs") && words.contains("[loop] runs-a-day") && words.ends_with("in 1h"), "{words}");
    }

    #[test]
    fn calls_of_fix_generators_are_counted_until_there_are_enough() {
        let (_folder, journal) = journal();
        let state = LoopState::new(&journal);
        let rules = LoopRules { fix_generator_calls_a_day: Some(2), ..LoopRules::default() };
        let now = Timestamp(0).after(50 * HOUR);
        state.note_call(&rules, now).unwrap();
        state.note_call(&rules, now.after(HOUR)).unwrap();
        let refused = state.note_call(&rules, now.after(2 * HOUR)).unwrap_err();
        assert!(refused.is::<Waits>() && refused.to_string().contains("fix-generator-calls-a-day"), "{refused}");
        state.note_call(&rules, now.after(25 * HOUR)).unwrap();
    }

    #[test]
    fn tokens_are_summed_over_the_last_day_and_let_calls_in_once_enough_are_older() {
        let (_folder, journal) = journal();
        let state = LoopState::new(&journal);
        let rules = LoopRules { tokens_a_day: Some(1000), ..LoopRules::default() };
        let now = Timestamp(0).after(50 * HOUR);
        state.note_tokens(300, now).unwrap();
        state.note_tokens(300, now.after(Duration::from_secs(60))).unwrap();
        assert_eq!(state.tokens(now.after(HOUR)).unwrap(), [(now, 600)], "what is close together is one");
        state.may_use_tokens(&rules, now.after(HOUR)).unwrap();
        state.note_tokens(900, now.after(2 * HOUR)).unwrap();
        let refused = state.may_use_tokens(&rules, now.after(3 * HOUR)).unwrap_err();
        let told = "1500 tokens of language models were there within 24 hours, and [loop] tokens-a-day allows 1000; the next may come in 21h";
        assert_eq!(refused.downcast::<Waits>().unwrap().to_string(), told);
        state.may_use_tokens(&rules, now.after(24 * HOUR)).unwrap();
        state.may_use_tokens(&LoopRules::default(), now.after(3 * HOUR)).unwrap();
    }

    #[test]
    fn what_runs_brought_to_people_is_what_counts_as_a_deploy() {
        let of = |run: &str, builds| Story { run: run.into(), builds, ..Story::default() };
        let together = Story { services: vec!["cart".into(), "shop".into()], ..of("c-1", true) };
        let stories = [of("a-1", true).events(), of("b-1", false).events(), together.events()];
        let attempts = stories.iter().flat_map(|events| of_run(events).unwrap());
        let attempts = settled(attempts.map(|attempt| Entry::Attempt(Box::new(attempt))));
        let deploys = |under_way: &[&str]| deploys(&attempts, under_way.iter().copied(), Timestamp(9)).len();
        assert_eq!(deploys(&[]), 2);
        let known = attempts.iter().find_map(|one| match &one.by {
            By::Run(run) if one.exposed.is_some() => Some(run.as_str()),
            _ => None,
        });
        assert_eq!(deploys(&["beside-1", known.unwrap()]), 3, "one that is still to come, and one that is known");
    }
}

#[cfg(test)]
mod starting;
