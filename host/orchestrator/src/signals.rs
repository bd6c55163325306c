//! What the host takes in itself and tells the runs under way: complaints, and critical errors in the logs that it reads.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Result, bail};
use autodevops_model::{Issue, Severity};
use autodevops_pipeline::{Counted, Input, Run, Signal, Timestamp};

use crate::{
    clock::now,
    controller::Controller,
    driver::Driver,
    feedback::{Complaint, Feedback, Taken},
    live::Live,
    log::Logged,
    usage::Usage,
    watch::Watch,
};

/// How often the logs are looked at for critical errors while a run is under way.
pub const LOOK: Duration = Duration::from_secs(2);

/// The longest title that is taken of an issue, in characters.
const MAX_TITLE: usize = 300;

/// When the host saw each critical error first: for logs without times.
#[derive(Debug, Default)]
pub struct CriticalErrors(Mutex<Option<BTreeMap<String, Timestamp>>>);

impl CriticalErrors {
    /// The critical errors among the issues, as what they are to a run. One whose log has no times is new where it was not there at an
    /// earlier look; what was there at the first look is held for old.
    pub fn signals(&self, issues: &[Issue], now: Timestamp) -> Vec<Signal> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let unknown = if known.is_some() { now } else { Timestamp::default() };
        let known = known.get_or_insert_default();
        let critical = issues.iter().filter(|issue| issue.severity == Severity::Critical);
        let signal = |issue: &Issue| {
            let seen = *known.entry(issue.fingerprint.clone()).or_insert(unknown);
            Signal {
                counted: Counted::CriticalErrors,
                id: issue.fingerprint.clone(),
                by: None,
                // The logs of all are read as one.
                service: None,
                release: None,
                at: issue.first_seen.map_or(seen, Timestamp),
                text: issue.title.chars().take(MAX_TITLE).collect(),
            }
        };
        critical.map(signal).collect()
    }
}

impl Controller {
    /// Takes a complaint in, and tells the runs under way of it; what came of it, with the runs that take their releases back now.
    ///
    /// # Errors
    /// When it is not taken in; see [`Feedback::take`].
    pub async fn complain(&self, complaint: Complaint, by: &str) -> Result<(Taken, Vec<String>)> {
        let project = self.project();
        let services: Vec<&str> = project.config.services().iter().map(|service| service.name.as_str()).collect();
        if let Some(release) = &complaint.release {
            self.known_release(release)?;
        }
        let complaint = self.redacted(complaint)?;
        let taken = Feedback::new(&project.journal).take(complaint, &services, by, now())?;
        Ok((taken.clone(), self.signal(&[taken.signal()]).await?))
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
        self.signal(&self.critical.signals(issues, now())).await.map(drop)
    }

    /// Refuses a release that nothing is known of: a misspelt one would count for nothing.
    fn known_release(&self, release: &str) -> Result<()> {
        let project = self.project();
        for place in project.config.places_of(&project.config.rollout.environment) {
            let live = Live::new(&project.journal).history(&place.name)?;
            if live.iter().any(|was| was.release.id == release) {
                return Ok(());
            }
        }
        let is_candidate =
            |logged: &Logged| logged.run.members().any(|member| member.release().is_some_and(|own| own.id == release));
        if self.unfinished()?.iter().any(is_candidate) {
            return Ok(());
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
    loop {
        tokio::time::sleep(LOOK).await;
        if watch.poll().await? {
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
        critical.signals(issues, Timestamp(now)).into_iter().map(|signal| (signal.id, signal.at.0)).collect()
    }

    #[test]
    fn only_critical_issues_are_critical_errors_and_the_log_says_since_when() {
        let critical = CriticalErrors::default();
        let issues = [issue("a", Severity::Error, Some(5)), issue("b", Severity::Critical, Some(6))];
        assert_eq!(seen(&critical, &issues, 9), [("b".into(), 6)]);
        assert_eq!(seen(&critical, &issues, 10), [("b".into(), 6)]);
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
