//! Glances between the measurements: at what the host itself counts, often, for what is so bad that nothing more need be seen.
//!
//! Only the hard trip and the sequential test decide by a glance. The chance of the sequential test to be wrong is bounded over all looks
//! at it, however many there are (Wald, 1945), and a hard trip of a good release is rare beyond any number of looks; Wilson's windows
//! and comparisons would find more by chance the more often one looked, and stay with the interval.
//!
//! A release that was good for an hour and then fails altogether does not fail half of that hour's requests: the hard trip looks at the last
//! moments by themselves, too. An outage of what all releases use is none of its doing: beside a baseline the release must be surely worse in
//! the same ten seconds, and where nothing is beside it, half of a minute's requests must fail.

use std::time::Duration;

use autodevops_model::Window;

use crate::{
    ERROR_RATE, Environment, Judgement, Member, Run, Sample, Subject, Timestamp,
    decide::{Draft, Refused},
    verdict::{GLIMPSE, design_effect, is_crossed_at_once, rate},
};

/// What is looked at by itself where the release has all of the traffic, so that nothing is beside it.
const ALONE: Duration = Duration::from_secs(60);

/// So many times the requests of another hard trip it takes to turn a release back by its last moments, and so many at least: they are looked at
/// so often that half of a few would fail by chance at some time. Half of thirty do with a chance of 3e-8 where a tenth fail, by the binomial
/// distribution.
const TIMES: u64 = 3;
const LEAST: u64 = 30;

/// What the host looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glance {
    /// Where.
    pub environment: Environment,
    /// The releases that are watched.
    pub subjects: Vec<Subject>,
    /// The whole watch so far, and what is left of it after each trigger's initial delay; then its last moments.
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
        let mut windows = self.whole_windows(watch, now);
        let lately = now.before(if watch.percent == 100 { ALONE } else { GLIMPSE });
        let last = Window { start: lately.0, end: now.0 };
        if lately > watch.started && !windows.contains(&last) {
            windows.push(last);
        }
        let glance = Glance { environment: watch.environment, subjects: self.subjects(watch), windows };
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
        samples.retain(|sample| sample.observed_by_host && self.weighs_at_a_glance(sample));
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
    /// Whether a sample is of the whole watch, or of so many requests that by a part of it the release may be turned back.
    fn weighs_at_a_glance(&self, sample: &Sample) -> bool {
        let Some(watch) = self.run.glanced_at() else { return false };
        let least = self.run.plan().hard_trip.min_samples.saturating_mul(TIMES).max(LEAST) as f64;
        let is_enough = |member: &Member| {
            let seen = rate(sample, ERROR_RATE, member.candidate());
            seen.is_some_and(|seen| seen.total as f64 / design_effect(sample, member.candidate()) >= least)
        };
        self.run.whole_windows(watch, Timestamp(sample.window.end)).contains(&sample.window)
            || self.run.members().any(|member| member.label() == sample.service && is_enough(member))
    }
}
