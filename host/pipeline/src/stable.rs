//! Whether there is anything to go back to: a stable release that does not serve itself, or is not there any more, is none.

use autodevops_model::{Measurement, Observation, Outcome as CheckOutcome};

use crate::{
    Environment, EventKind, Gate, Member, Origin, Round, Run, Sample, Verdict,
    decide::Draft,
    rollout::Judged,
    verdict::{CRASH_LOOP, DESIGN_EFFECT, LATENCY_EFFECTS, PROBE, hard_trip, of_their_windows, rate},
};

impl Run {
    /// Why traffic is not given back to the stable release by itself, while that is so.
    pub fn stable_broken(&self) -> Option<&str> {
        self.stable_broken.as_deref()
    }

    /// The hard trip that production's stable release crosses, by the newest measurement of each metric (from when it last had traffic, if it
    /// has none now; that it runs and answers is seen without traffic). None if going back to it is still the better choice: if the
    /// candidate failed by the same metric (`failed`) and fails no less often now. Where the host counts itself, a plugin's word, which
    /// may be a lie, changes neither.
    fn stable_trips(&self, member: &Member, failed: &[Verdict]) -> Option<Verdict> {
        let stable = member.stable(Environment::Production)?;
        let least = self.plan().hard_trip.min_samples;
        let tells = |sample: &Sample, metric: Option<&str>| {
            let of = |seen: &Measurement| {
                let wanted = metric.is_none_or(|metric| seen.metric == metric && weighs(seen, least));
                seen.release == stable.id && wanted
            };
            sample.service == member.label() && sample.measurements.iter().any(of)
        };
        let last_seen = of_their_windows(self.plan(), &self.last_seen);
        let now = last_seen.iter().filter(|sample| tells(sample, None));
        // What is told of it now stands above what was told before, if it is told by as many requests as it takes.
        let stands = |sample: &Sample| sample.observed_by_host || !member.was_observed();
        let told = |metric: &str| last_seen.iter().any(|sample| stands(sample) && tells(sample, Some(metric)));
        let before = remembered(member, |metric| !told(metric));
        let seen: Vec<Sample> = now.cloned().chain(before).collect();
        let whole = seen.first()?.window.clone();
        let round = Round {
            samples: &seen,
            candidate: &stable.id,
            baseline: None,
            fresh: false,
            before: &[],
            strikes: &[],
            whole: &whole,
            independent: false,
            percent: 100,
            chances: 1,
        };
        let metric = |verdict: &Verdict| verdict.rule.split(' ').next().unwrap_or_default().to_owned();
        let failed: Vec<String> =
            failed.iter().filter(|verdict| verdict.outcome == CheckOutcome::Failed).map(metric).collect();
        // A sign is no question of more or less: of two releases that both do not answer, neither is the better.
        let is_sign = |metric: &String| [CRASH_LOOP, PROBE].contains(&metric.as_str());
        let is_lesser_evil =
            |metric: &String| !is_sign(metric) && failed.contains(metric) && self.does_no_better(member, metric, &seen);
        hard_trip(self.plan(), &round).filter(|verdict| !is_lesser_evil(&metric(verdict)))
    }

    /// Whether the candidate fails as often by a metric as stable does by these samples, or more often: as the host sees it, where that sees
    /// for itself what serves.
    fn does_no_better(&self, member: &Member, metric: &str, of_stable: &[Sample]) -> bool {
        let stable = member.stable(Environment::Production).map_or("", |stable| stable.id.as_str());
        let least = self.plan().hard_trip.min_samples;
        let share = |sample: &Sample, release: &str| {
            let weighs = |seen: &&Measurement| seen.metric == metric && seen.release == release && weighs(seen, least);
            sample.measurements.iter().find(weighs)?;
            rate(sample, metric, release).map(|rate| rate.events as f64 / rate.total.max(1) as f64)
        };
        let own = |sample: &&Sample| sample.observed_by_host && sample.service == member.label();
        let candidate = self.last_seen.iter().filter(own).find_map(|sample| share(sample, member.candidate()));
        let stable = of_stable.iter().filter(own).find_map(|sample| share(sample, stable));
        match (candidate, stable) {
            (Some(candidate), Some(stable)) => candidate >= stable,
            _ => !member.was_observed(),
        }
    }
}

/// Whether a measurement is of so many requests that it takes the place of an earlier one; whether a release runs and answers is no matter
/// of how many.
pub(crate) fn weighs(seen: &Measurement, least: u64) -> bool {
    match &seen.observation {
        // They are of the same moment's requests, and of no use beside those of another.
        _ if [DESIGN_EFFECT, LATENCY_EFFECTS].contains(&seen.metric.as_str()) => false,
        _ if [CRASH_LOOP, PROBE].contains(&seen.metric.as_str()) => true,
        Observation::Rate(rate) => rate.total >= least,
        Observation::Histogram(buckets) => buckets.last().is_some_and(|last| last.count >= least),
        Observation::Samples(_) => true,
    }
}

/// What a service's stable release was last seen to do while it had traffic, as a sample of the metrics that are wanted.
fn remembered(member: &Member, wanted: impl Fn(&str) -> bool) -> Option<Sample> {
    let before = member.before(Environment::Production).iter().filter(|seen| wanted(&seen.metric));
    let measurements: Vec<Measurement> = before.cloned().collect();
    let (service, window) = (member.label().to_owned(), measurements.first()?.window.clone());
    let (source, origin) = ("stable".to_owned(), Origin::default());
    Some(Sample { service, source, origin, observed_by_host: true, window, measurements })
}

impl Draft {
    /// Keeps traffic where it is, though the run would turn back, where stable is the broken one: that would make one outage of another.
    /// People are asked, again and again. Whether it is so.
    pub(crate) fn stays(&mut self, reason: &str, judged: &[Judged]) -> bool {
        let Some(reason) = self.nothing_to_go_back_to(reason, judged) else { return false };
        self.speak_against(reason);
        true
    }

    /// Why traffic stays where it is though `reason` would turn it back: what it would go back to does not serve itself. That is on record
    /// then. None where there is something to go back to, or production was not touched.
    fn nothing_to_go_back_to(&mut self, reason: &str, judged: &[Judged]) -> Option<String> {
        let trips = |member: &Member| {
            let failed = judged.iter().find(|judged| judged.service == member.label());
            let tripped = self.run.stable_trips(member, failed.map_or(&[], |failed| &failed.judgement.verdicts))?;
            Some((member.stable(Environment::Production)?.id.clone(), tripped))
        };
        let moved = self.run.is_moved(Environment::Production);
        let (stable, tripped) = self.run.members().filter(|_| moved).find_map(trips)?;
        // With all of the traffic there is no further forward.
        let forward = match self.run.share(Environment::Production) {
            100 => String::new(),
            _ => format!(", or give the release everything with `autodevops roll-forward {}`", self.run.id()),
        };
        let reason = format!(
            "{reason}; traffic does not go back to `{stable}`, which is broken itself ({}): approve to stay with the release, reject to go \
             back all the same{forward}, or have another release serve: {}",
            tripped.words,
            self.run.another_release()
        );
        if self.run.stable_broken().is_none() {
            self.push(EventKind::StableBroken { reason: reason.clone() });
        }
        Some(reason)
    }

    /// Whether people must be asked anew who did not answer: there is nothing to go back to, so that everything stays as it is.
    pub(crate) fn asks_again(&mut self, unanswered: &str) -> bool {
        let known = self.run.stable_broken().map(str::to_owned);
        let Some(reason) = known.or_else(|| self.nothing_to_go_back_to(unanswered, &[])) else { return false };
        self.escalate_all(&reason);
        self.push(EventKind::ApprovalExpired { gate: Gate::Held });
        self.ask(Gate::Held, reason);
        true
    }
}
