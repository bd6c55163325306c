//! Glances between the measurements: at what the host itself counts, often, for what is so bad that nothing more need be seen.
//!
//! Only the hard trip and the sequential test decide by a glance. The chance of the sequential test to be wrong is bounded over all looks
//! at it, however many there are (Wald, 1945), and a hard trip of a good release is rare beyond any number of looks; Wilson's windows
//! and comparisons would find more by chance the more often one looked, and stay with the interval.

use std::time::Duration;

use autodevops_model::Window;

use crate::{
    Environment, Judgement, Run, Sample, Subject, Timestamp,
    decide::{Draft, Refused},
    verdict::is_crossed_at_once,
};

/// What the host looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glance {
    /// Where.
    pub environment: Environment,
    /// The releases that are watched.
    pub subjects: Vec<Subject>,
    /// The whole watch so far, and what is left of it after each trigger's initial delay.
    pub windows: Vec<Window>,
}

impl Run {
    /// What is to be looked at again and again, every so often, while the run waits or works; none where nothing would follow from it.
    /// It is no command, since most glances leave no trace: what came of one is given to [`Run::decide`], and that is all.
    pub fn glance(&self, now: Timestamp) -> Option<(Duration, Glance)> {
        let every = self.plan().glance;
        let watch =
            self.glanced_at().filter(|watch| watch.environment == Environment::Production && !every.is_zero())?;
        // What has nowhere to go back to is asked about already.
        if self.is_unsure() || self.stable_broken().is_some() {
            return None;
        }
        let glance = Glance {
            environment: watch.environment,
            subjects: self.subjects(watch),
            windows: self.whole_windows(watch, now),
        };
        Some((every, glance))
    }
}

impl Judgement {
    /// Whether it turns the release back without a second look.
    const fn is_enough(&self) -> bool {
        matches!(self.outcome, autodevops_model::Outcome::Failed) && self.critical && self.at_once
    }
}

impl Draft {
    /// Takes a glance for a measurement where it is bad enough, and for nothing otherwise.
    pub(crate) fn glanced(&mut self, mut samples: Vec<Sample>) -> Result<(), Refused> {
        samples.retain(|sample| sample.observed_by_host);
        let wanted = self.run.glance(self.at).is_some();
        let Some(watch) = self.run.glanced_at().filter(|_| wanted) else { return Ok(()) };
        // Almost always that is all, several times a second: the comparisons, which take longest, are left out.
        let mut rounds = self.of_each(watch, &samples, |round| is_crossed_at_once(self.run.plan(), round));
        if !rounds.any(|(_, crossed)| crossed == Some(true)) {
            return Ok(());
        }
        drop(rounds);
        let judged = self.judgements(watch, &samples, None);
        if judged.iter().any(|judged| judged.judgement.is_enough()) {
            let watch = watch.clone();
            self.measured_in(&watch, samples, None);
        }
        Ok(())
    }
}
