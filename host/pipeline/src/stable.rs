//! Whether there is anything to go back to: a stable release that does not serve itself is none.

use autodevops_model::{Measurement, Outcome as CheckOutcome};

use crate::{Environment, EventKind, Gate, Round, Run, Sample, Verdict, decide::Draft, verdict::hard_trip};

impl Run {
    /// Why traffic is not given back to the stable release by itself, while that is so.
    pub fn stable_broken(&self) -> Option<&str> {
        self.stable_broken.as_deref()
    }

    /// Whether stable trips the hard trip by what was last seen of it: now, while it has traffic, or when it had. A release that only
    /// has the fault that the run is about is not meant: going back to it is better than to stay with a worse one. `failed` are what the
    /// candidate failed by: where it is worse than stable by the same metric, stable is the lesser evil.
    fn stable_trips(&self, failed: &[Verdict]) -> Option<Verdict> {
        let stable = self.stable(Environment::Production)?;
        let of_stable = |sample: &&Sample| sample.measurements.iter().any(|seen| seen.release == stable.id);
        let now: Vec<Sample> = self.last_seen.iter().filter(of_stable).cloned().collect();
        let seen = if now.is_empty() { vec![remembered(self.before())?] } else { now };
        let whole = seen.first()?.window.clone();
        let round = Round {
            samples: &seen,
            candidate: &stable.id,
            baseline: None,
            before: &[],
            whole: &whole,
            independent: false,
            percent: 100,
        };
        let metric = |verdict: &Verdict| verdict.rule.split(' ').next().unwrap_or_default().to_owned();
        let failed: Vec<String> =
            failed.iter().filter(|verdict| verdict.outcome == CheckOutcome::Failed).map(metric).collect();
        hard_trip(self.plan(), &round).filter(|verdict| !failed.contains(&metric(verdict)))
    }
}

/// What stable was last seen to do while it had traffic, as a sample.
fn remembered(before: &[Measurement]) -> Option<Sample> {
    let window = before.first()?.window.clone();
    Some(Sample { source: "stable".to_owned(), observed_by_host: true, window, measurements: before.to_vec() })
}

impl Draft {
    /// Keeps traffic where it is, though the candidate failed, where stable is the broken one: that would make one outage of another. People
    /// are asked, again and again. Whether it is so.
    pub(crate) fn stays(&mut self, reason: &str, failed: &[Verdict]) -> bool {
        let Some(tripped) = self.run.stable_trips(failed) else { return false };
        let stable = self.run.stable(Environment::Production).map(|stable| stable.id.clone()).unwrap_or_default();
        let reason = format!(
            "{reason}; traffic does not go back to `{stable}`, which is broken itself ({}): approve to stay with the release, reject \
             to go back all the same, or give the release everything with `autodevops roll-forward {}`",
            tripped.words,
            self.run.id()
        );
        if self.run.stable_broken().is_none() {
            self.push(EventKind::StableBroken { reason: reason.clone() });
        }
        self.speak_against(reason);
        true
    }

    /// Nobody answered, and there is nothing to go back to: people are asked anew, and everything stays as it is.
    pub(crate) fn ask_again(&mut self, reason: String) {
        self.escalate_all(&reason);
        self.push(EventKind::ApprovalExpired { gate: Gate::Held });
        self.ask(Gate::Held, reason);
    }
}
