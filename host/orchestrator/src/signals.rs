//! What the host takes in itself and tells the runs under way: complaints, and critical errors in the logs that it reads.

mod whose;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Result, anyhow, bail};
use autodevops_model::{ErrorKind, Evidence, Issue, Severity};
use autodevops_pipeline::{Counted, Input, Run, Signal, Timestamp};

use crate::{
    clock::now,
    controller::Controller,
    driver::Driver,
    feedback::{Complaint, Feedback, Taken, service_named},
    live::Live,
    log::Logged,
    usage::Usage,
    watch::{Read, Watch},
};
use whose::{Owners, Whose};

/// How often the logs are looked at for critical errors while a run is under way.
pub const LOOK: Duration = Duration::from_secs(2);

/// By more than that no two clocks differ, whatever their zones.
const OTHER_CLOCK: Duration = Duration::from_secs(24 * 3600);

/// More critical errors than there ever are at once: beyond that those are forgotten that the analyzer forgot, as new ones that a log is full
/// of. What it forgot may come back, and is not new then.
const MOST_KNOWN: usize = 4096;

/// The longest title that is taken of an issue, in characters.
const MAX_TITLE: usize = 300;

/// The evidence by which it was told whose an error is, and whose.
type Attributed = (Vec<Evidence>, Option<Whose>);

/// Since when there is each critical error and whose it is, so that what the releases wrote is not read at each look.
#[derive(Debug, Default)]
pub struct CriticalErrors {
    first: Mutex<Option<BTreeMap<String, Timestamp>>>,
    /// By its fingerprint, with the evidence by which it was told; of one that is not about production, none.
    whose: Mutex<BTreeMap<String, Attributed>>,
}

impl CriticalErrors {
    /// The critical errors among the issues that are there since then, with since when; none where it is not told since when. At the first
    /// look the log's times say so, and what has none is old. After it each is new that was not there at the look before, whatever its time:
    /// a line without one has that of the line before it, which may be long ago, and clocks differ. What was last seen more than a day ago was
    /// only read late, as of a log that was put beside the others.
    fn since<'a>(&self, issues: &'a [Issue], since: Option<Timestamp>, now: Timestamp) -> Vec<(&'a Issue, Timestamp)> {
        let mut known = locked(&self.first);
        let is_first_look = known.is_none();
        let known = known.get_or_insert_default();
        let critical = issues.iter().filter(|issue| issue.severity == Severity::Critical);
        let seen = critical.map(|issue| {
            let told = || issue.first_seen.map_or(Timestamp::default(), Timestamp);
            let is_past = issue.last_seen.is_some_and(|last| Timestamp(last).after(OTHER_CLOCK) < now);
            let first = || if is_first_look || is_past { told() } else { now };
            let at = known.entry(issue.fingerprint.clone()).or_insert_with(first);
            (issue, *at)
        });
        // Each is noted, whether or not somebody has a use for it now.
        let seen: Vec<(&Issue, Timestamp)> = seen.collect();
        if known.len() > MOST_KNOWN {
            let at_hand: BTreeSet<&str> = issues.iter().map(|issue| issue.fingerprint.as_str()).collect();
            known.retain(|fingerprint, _| at_hand.contains(fingerprint.as_str()));
        }
        seen.into_iter().filter(|(_, at)| since.is_some_and(|since| *at >= since)).collect()
    }

    /// What they are to a run: each with whose it is, as far as that is known, and without those that are not about production.
    fn signals(&self, seen: Vec<(&Issue, Timestamp)>, whose: impl Fn(&Issue) -> Option<Whose>) -> Vec<Signal> {
        let mut told = locked(&self.whose);
        let at_hand: BTreeSet<&str> = seen.iter().map(|(issue, _)| issue.fingerprint.as_str()).collect();
        told.retain(|fingerprint, _| at_hand.contains(fingerprint.as_str()));
        let signal = |(issue, at): (&Issue, Timestamp)| {
            let known = told.get(&issue.fingerprint).filter(|(evidence, _)| *evidence == issue.evidence);
            let whose = match known {
                Some((_, whose)) => whose.clone(),
                None => {
                    let whose = whose(issue);
                    told.insert(issue.fingerprint.clone(), (issue.evidence.clone(), whose.clone()));
                    whose
                }
            };
            let Whose { service, release } = whose?;
            Some(Signal {
                counted: Counted::CriticalErrors,
                id: issue.fingerprint.clone(),
                by: None,
                service,
                release,
                at,
                text: issue.title.chars().take(MAX_TITLE).collect(),
            })
        };
        seen.into_iter().filter_map(signal).collect()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Controller {
    /// Takes a complaint in, and tells the runs under way of it; what came of it, with the runs that take their releases back now.
    ///
    /// # Errors
    /// When it is not taken in; see [`Feedback::take`].
    pub async fn complain(&self, complaint: Complaint, by: &str) -> Result<(Taken, Vec<String>)> {
        let project = self.project();
        let services: Vec<&str> = project.config.services().iter().map(|service| service.name.as_str()).collect();
        let complaint = self.attributed(complaint, &services).await?;
        let complaint = self.redacted(complaint)?;
        let taken = Feedback::new(&project.journal).take(complaint, &services, by, now())?;
        Ok((taken.clone(), self.signal(&[taken.signal()]).await?))
    }

    /// The complaint with the service of its release, or the release of its client, as far as they are known.
    async fn attributed(&self, mut complaint: Complaint, services: &[&str]) -> Result<Complaint> {
        let client = complaint.client.take();
        if complaint.from.is_none() {
            complaint.from.clone_from(&client);
        }
        match (&complaint.release, client) {
            (Some(release), _) => {
                let of = self.known_release(release)?;
                let named = complaint.service.get_or_insert_with(|| of.clone());
                if *named != of && services.contains(&named.as_str()) {
                    bail!(Usage(format!(
                        "the release `{release}` is one of `{of}`, not of `{named}`; leave one of them out"
                    )));
                }
            }
            (None, Some(client)) => {
                let service = service_named(complaint.service.as_deref(), services)?.to_owned();
                complaint.release = self.answering(&service, &client).await?;
            }
            (None, None) => {}
        }
        Ok(complaint)
    }

    /// The release that answers a client of the service now, as the front door knows it. A complaint is not lost where that does not answer.
    async fn answering(&self, service: &str, client: &str) -> Result<Option<String>> {
        let project = self.project();
        if !project.is_local() {
            bail!(Usage(format!(
                "no front door of this host answers clients, so that `{client}` tells nothing; leave `client` out, and name the `release` \
                 where that is known"
            )));
        }
        let places = project.config.places_of(&project.config.rollout.environment);
        let Some(place) = places.iter().find(|place| place.service.name == service) else { return Ok(None) };
        match project.edge.answering(&place.name, client).await {
            Err(error) if error.kind == ErrorKind::InvalidInput => Err(anyhow!(Usage(error.info.message))),
            Err(error) => {
                tracing::warn!("it is not known which release a complaint is about: {error}");
                Ok(None)
            }
            Ok(release) => Ok(release),
        }
    }

    /// The complaint without secrets and personal data. Whose it is is told apart still: complaints of one person count as one.
    fn redacted(&self, complaint: Complaint) -> Result<Complaint> {
        let project = self.project();
        let text = project.redaction.text(&complaint.text);
        let secret = project.audit.log().secret("complaints")?;
        let from = complaint.from.map(|from| match project.redaction.text(&from) {
            same if same == from => from,
            _ => {
                let who = blake3::keyed_hash(&secret, from.trim().as_bytes()).to_hex();
                format!("person-{}", who.get(..16).unwrap_or_default())
            }
        });
        Ok(Complaint { text, from, ..complaint })
    }

    /// Tells the runs under way of these signals; which of them turn back now.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn signal(&self, signals: &[Signal]) -> Result<Vec<String>> {
        let mut turned = Vec::new();
        if signals.is_empty() {
            return Ok(turned);
        }
        for logged in self.unfinished()? {
            let mut run = logged.run;
            for signal in signals {
                if !wants(&run, signal) {
                    continue;
                }
                let before = run.ending().is_some();
                match self.say(run.id(), Input::Signal(signal.clone())).await {
                    Ok(after) => run = after,
                    // It is on record, and whoever takes the run over is told of it.
                    Err(error) => {
                        tracing::warn!("run {} was not told of a signal: {error:#}", run.id());
                        break;
                    }
                }
                if !before && run.ending().is_some() {
                    turned.push(run.id().to_owned());
                }
            }
        }
        Ok(turned)
    }

    /// Looks for critical errors among the issues, and tells the runs under way of them.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn look_for_critical(&self, issues: &[Issue]) -> Result<()> {
        let since = self.unfinished()?.iter().filter_map(|logged| logged.run.exposed()).min();
        let fresh = self.critical.since(issues, since, now());
        if fresh.is_empty() {
            return Ok(());
        }
        let owners = Owners::of(self.project());
        self.signal(&self.critical.signals(fresh, |issue| owners.whose(issue))).await.map(drop)
    }

    /// The service that a release is one of. One that nothing is known of is refused: a misspelt one would count for nothing.
    fn known_release(&self, release: &str) -> Result<String> {
        let project = self.project();
        for place in project.config.places_of(&project.config.rollout.environment) {
            let live = Live::new(&project.journal).history(&place.name)?;
            if live.iter().any(|was| was.release.id == release) {
                return Ok(place.service.name.clone());
            }
        }
        for Logged { run, .. } in self.unfinished()? {
            if let Some(member) = run.members().find(|member| member.candidate() == release) {
                return Ok(member.name().to_owned());
            }
        }
        bail!(Usage(format!("no release `{release}` serves or served; leave it out where it is not known")))
    }
}

/// Whether a run may have a use for the signal; only the core says what it comes to.
fn wants(run: &Run, signal: &Signal) -> bool {
    let of = signal.counted;
    run.exposed().is_some_and(|exposed| signal.at >= exposed)
        && !run.signals().iter().any(|known| known.counted == of && known.id == signal.id)
}

/// Tells a run that is taken over of the complaints that its host may have died before telling it of.
///
/// # Errors
/// When the journal cannot be used.
pub async fn catch_up(driver: &mut Driver, feedback: Feedback<'_>) -> Result<()> {
    if driver.run().exposed().is_none() {
        return Ok(());
    }
    for taken in feedback.all()? {
        let signal = taken.signal();
        if wants(driver.run(), &signal) {
            // What is not wanted any more is no fault.
            drop(driver.take(Input::Signal(signal)).await?);
        }
    }
    Ok(())
}

/// Follows the logs for critical errors while a run is under way; never ends by itself.
///
/// # Errors
/// When the analyzer does not start again, or the journal cannot be read.
pub async fn follow(controller: &Controller, watch: &mut Watch) -> Result<()> {
    // What is there now is known.
    controller.look_for_critical(&watch.issues().await?).await?;
    let mut read = Read::All;
    loop {
        if read != Read::Part {
            tokio::time::sleep(LOOK).await;
        }
        read = watch.poll().await?;
        if read.is_new() {
            controller.look_for_critical(&watch.issues().await?).await?;
        }
    }
}

#[cfg(test)]
mod tests {
    use autodevops_model::IssueKind;

    use super::*;

    fn issue(fingerprint: &str, severity: Severity, first_seen: Option<i64>) -> Issue {
        Issue {
            message: String::new(),
            first_seen,
            ..Issue::new(fingerprint, IssueKind::Exception, severity, "out of memory")
        }
    }

    fn seen(critical: &CriticalErrors, issues: &[Issue], now: i64) -> Vec<(String, i64)> {
        let seen = critical.since(issues, Some(Timestamp::default()), Timestamp(now));
        seen.into_iter().map(|(issue, at)| (issue.fingerprint.clone(), at.0)).collect()
    }

    #[test]
    fn only_critical_issues_are_critical_errors_and_the_log_says_since_when() {
        let critical = CriticalErrors::default();
        let issues = [issue("a", Severity::Error, Some(5)), issue("b", Severity::Critical, Some(6))];
        assert_eq!(seen(&critical, &issues, 9), [("b".into(), 6)]);
        assert_eq!(seen(&critical, &issues, 10), [("b".into(), 6)]);
        assert_eq!(critical.since(&issues, Some(Timestamp(7)), Timestamp(10)), []);
        assert_eq!(critical.since(&issues, None, Timestamp(10)), [], "no release is out");
    }

    #[test]
    fn of_critical_errors_that_are_forgotten_no_more_are_kept_than_there_may_be() {
        let critical = CriticalErrors::default();
        let named = |number: usize| issue(&format!("{number:05}"), Severity::Critical, Some(1));
        let all: Vec<Issue> = (0..MOST_KNOWN).map(named).collect();
        critical.since(&all, None, Timestamp(2));
        critical.since(&[], None, Timestamp(3));
        assert_eq!(seen(&critical, &all[..1], 4), [("00000".to_owned(), 1)], "what comes back is not new");
        // One more than are kept.
        assert_eq!(seen(&critical, &[named(MOST_KNOWN)], 5).len(), 1);
        assert_eq!(locked(&critical.first).as_ref().unwrap().len(), 1);
        let whose = |_: &Issue| Some(Whose::default());
        for one in &all[..2] {
            assert_eq!(critical.signals(vec![(one, Timestamp(5))], whose).len(), 1);
            assert_eq!(locked(&critical.whose).len(), 1);
        }
    }

    #[test]
    fn a_critical_error_is_told_with_whose_it_is_which_is_looked_for_again_only_for_new_evidence() {
        let critical = CriticalErrors::default();
        let mut bad = issue("a", Severity::Critical, Some(5));
        let looks = std::cell::Cell::new(0);
        let told = |issue: &Issue, whose: Option<Whose>| {
            let found = |_: &Issue| {
                looks.set(looks.get() + 1);
                whose.clone()
            };
            let signals = critical.signals(vec![(issue, Timestamp(5))], found);
            signals.into_iter().map(|signal| (signal.service, signal.release)).collect::<Vec<_>>()
        };
        let of = |release: &str| Some(Whose { service: Some("shop".into()), release: Some(release.into()) });
        let shop = |release: &str| vec![(Some("shop".to_owned()), Some(release.to_owned()))];
        assert_eq!(told(&bad, of("r-1")), shop("r-1"));
        assert_eq!((told(&bad, of("r-2")), looks.get()), (shop("r-1"), 1));
        bad.evidence.push(Evidence { source: "log".into(), line: 2, text: "again".into() });
        assert_eq!((told(&bad, of("r-2")), looks.get()), (shop("r-2"), 2));
        let staged = issue("b", Severity::Critical, Some(5));
        assert_eq!(told(&staged, None), [], "it is not about production");
    }

    #[test]
    fn what_was_not_there_at_the_look_before_is_new_whatever_time_the_line_before_it_had() {
        let critical = CriticalErrors::default();
        let old = issue("a", Severity::Critical, Some(5));
        assert_eq!(seen(&critical, std::slice::from_ref(&old), 9), [("a".into(), 5)]);
        let both = [old, issue("b", Severity::Critical, Some(5))];
        assert_eq!(seen(&critical, &both, 12), [("a".into(), 5), ("b".into(), 12)]);
        assert_eq!(seen(&critical, &both, 15), [("a".into(), 5), ("b".into(), 12)]);
    }

    #[test]
    fn what_was_last_seen_more_than_a_day_ago_is_only_read_late() {
        let day = i64::try_from(OTHER_CLOCK.as_nanos()).unwrap();
        let critical = CriticalErrors::default();
        assert_eq!(seen(&critical, &[], 9), []);
        let last = |fingerprint: &str, last_seen: i64| Issue {
            last_seen: Some(last_seen),
            ..issue(fingerprint, Severity::Critical, Some(5))
        };
        let issues = [last("late", 99), last("zone", 100)];
        assert_eq!(seen(&critical, &issues, 100 + day), [("late".into(), 5), ("zone".into(), 100 + day)]);
        let again = [last("late", 99 + day)];
        assert_eq!(seen(&critical, &again, 101 + day), [("late".into(), 5)], "it was there before any release of now");
    }

    #[test]
    fn without_times_in_the_log_what_was_there_at_the_first_look_is_old() {
        let critical = CriticalErrors::default();
        let old = issue("a", Severity::Critical, None);
        assert_eq!(seen(&critical, std::slice::from_ref(&old), 9), [("a".into(), 0)]);
        let both = [old, issue("b", Severity::Critical, None)];
        assert_eq!(seen(&critical, &both, 12), [("a".into(), 0), ("b".into(), 12)]);
        assert_eq!(seen(&critical, &both, 15), [("a".into(), 0), ("b".into(), 12)]);
    }
}

#[cfg(test)]
mod telling;
