//! Watches: the soak, the steps and the monitoring. When they begin, and what ends them.

use std::time::Duration;

use autodevops_model::{Outcome as CheckOutcome, Window};

use crate::decide::{Draft, Refused};
use crate::event::MEASURED_AT_ALL;
use crate::{
    Environment, EventKind, Judgement, Member, Method, Outcome, Round, RunStage, SafetyCheck, Sample, Strike,
    Timestamp, Verdict, Watch, judge, safety::worst,
};

/// So often at most the chance to be wrong is halved: then it is one in four billion.
const MOST_HALVED: u32 = 32;

/// What a round of measurements says of one of the run's services.
pub(crate) struct Judged {
    pub(crate) service: String,
    pub(crate) judgement: Judgement,
}

impl Judged {
    fn failed(&self) -> bool {
        self.judgement.outcome == CheckOutcome::Failed
    }

    /// The worst first: what turns back at once, what turns back, what holds.
    fn rank(&self) -> (u8, bool, bool, bool) {
        let outcome = match self.judgement.outcome {
            CheckOutcome::Failed => 0,
            CheckOutcome::Inconclusive => 1,
            CheckOutcome::Passed => 2,
        };
        let Judgement { confirmed, critical, at_once, .. } = self.judgement;
        (outcome, !confirmed, !critical, !at_once)
    }

    /// Its verdicts, the deciding one first, which say whose they are where there are several services.
    fn verdicts(&self) -> impl Iterator<Item = Verdict> {
        self.judgement.verdicts.iter().map(|verdict| of_service(&self.service, verdict.clone()))
    }
}

/// The verdict, which says whose it is where there are several services.
pub(crate) fn of_service(service: &str, verdict: Verdict) -> Verdict {
    match service {
        "" => verdict,
        name => Verdict { service: name.to_owned(), words: format!("{name}: {}", verdict.words), ..verdict },
    }
}

impl Draft {
    /// Begins the watch of the stage, once traffic is set for it.
    pub(crate) fn enter(&mut self) -> bool {
        let plan = self.run.plan();
        let (environment, percent, length) = match self.run.stage() {
            RunStage::Soak => (Environment::Staging, 100, plan.soak),
            RunStage::Rollout => {
                let Some(step) = self.run.step().copied() else { return false };
                let is_there = |member: &Member| {
                    member.step_splits(step.percent).as_deref() == Some(member.traffic(Environment::Production))
                };
                if !self.run.members().all(is_there) {
                    return false;
                }
                (Environment::Production, step.percent, step.duration)
            }
            RunStage::Monitoring => (Environment::Production, 100, plan.monitoring),
            _ => return false,
        };
        if length.is_zero() && self.run.stage() != RunStage::Rollout {
            let reason = format!("no {} is set", self.run.stage().name());
            self.push(EventKind::StepPassed { environment, percent, reason });
        } else {
            self.push(EventKind::StepEntered { environment, percent, until: self.at.after(length) });
        }
        true
    }

    /// Takes a round of measurements in.
    pub(crate) fn measured(&mut self, samples: Vec<Sample>, error: Option<String>) -> Result<(), Refused> {
        if self.looked_at_stable(&samples, error.as_deref()) {
            return Ok(());
        }
        let Some(watch) = self.run.watch().cloned() else {
            let (run, stage) = (self.run.id().to_owned(), self.run.stage().name());
            return Err(Refused::OutOfPlace { run, stage, input: "measurement" });
        };
        self.measured_in(&watch, samples, error);
        Ok(())
    }

    /// Judges a round of measurements of this watch, and decides.
    pub(crate) fn measured_in(&mut self, watch: &Watch, samples: Vec<Sample>, error: Option<String>) {
        let judged = self.judgements(watch, &samples, error.as_deref());
        let end = whole(watch, &samples).map_or(self.at, |whole| Timestamp(whole.end));
        self.push(EventKind::Measured { samples, error: error.clone() });
        let mut verdicts = judged.iter().flat_map(Judged::verdicts);
        let verdict = verdicts.next().unwrap_or_else(|| blind_verdict(None));
        self.push(EventKind::Judged { verdict, others: verdicts.collect() });
        self.judged(watch, &judged, end);
        self.stops_measuring_blindly(error.unwrap_or_default());
    }

    /// Holds the step where measuring fails again and again: whether it is a plugin's fault or the service's, a person must look.
    fn stops_measuring_blindly(&mut self, error: String) {
        let limit = self.run.plan().error_limit;
        let Some(watch) = self.run.watch().filter(|watch| limit > 0 && watch.errors >= limit) else { return };
        let (environment, percent, times) = (watch.environment.role(), watch.percent, watch.errors);
        self.speak_against(format!("{environment} at {percent} %: measuring failed {times} times in a row: {error}"));
    }

    /// What the samples say of each of the services, the worst first.
    pub(crate) fn judgements(&self, watch: &Watch, samples: &[Sample], error: Option<&str>) -> Vec<Judged> {
        let rounds = self.of_each(watch, samples, |round| judge(self.run.plan(), round));
        let judged = rounds.map(|(of, judgement)| Judged {
            service: of.to_owned(),
            judgement: judgement.unwrap_or_else(|| blind(error)),
        });
        let mut judged: Vec<Judged> = judged.collect();
        judged.sort_by_key(Judged::rank);
        judged
    }

    /// What is made of each service's round of these samples; none where nothing of it was measured.
    pub(crate) fn of_each<'a, T>(
        &'a self,
        watch: &'a Watch,
        samples: &'a [Sample],
        made: impl Fn(&Round<'_>) -> T + 'a,
    ) -> impl Iterator<Item = (&'a str, Option<T>)> {
        let (whole, together) = (whole(watch, samples), self.run.members().count() as u64);
        let chances = together.saturating_mul(1_u64 << watch.again.min(MOST_HALVED));
        self.run.members().map(move |member| {
            let of = member.label();
            let own: Vec<Sample> = samples.iter().filter(|sample| sample.service == of).cloned().collect();
            let strikes: Vec<Strike> = watch.strikes.iter().filter(|strike| strike.service == of).cloned().collect();
            let baseline = member.baseline(watch);
            let round = whole.as_ref().filter(|_| !own.is_empty()).map(|whole| Round {
                samples: &own,
                candidate: member.candidate(),
                baseline: baseline.as_deref(),
                fresh: baseline.is_some() && member.way_back(watch).is_some(),
                before: member.before(watch.environment),
                strikes: &strikes,
                whole,
                independent: watch.environment == Environment::Production,
                percent: watch.percent,
                chances,
            });
            (of, round.as_ref().map(&made))
        })
    }

    /// What follows from the judgements on all services: the worst of them decides, and a pass is one of all.
    fn judged(&mut self, watch: &Watch, judged: &[Judged], end: Timestamp) {
        let decided = |judged: &&Judged| judged.failed() && judged.judgement.confirmed;
        let reason = |judged: Option<&Judged>| {
            let verdict = judged.and_then(|judged| judged.verdicts().next()).unwrap_or_else(|| blind_verdict(None));
            format!("{} at {} %: {}", watch.environment.role(), watch.percent, verdict.told())
        };
        if let Some(bad) = judged.iter().filter(decided).find(|judged| judged.judgement.critical) {
            self.performance(judged);
            self.take_release_back(watch.environment, watch.percent, reason(Some(bad)), judged);
            return;
        }
        if let Some(bad) = judged.iter().find(decided) {
            return self.speak_against(reason(Some(bad)));
        }
        let failed = judged.iter().any(Judged::failed);
        if self.waits() || end < watch.until || (failed && self.awaits_second_window(end)) {
            return;
        }
        let reason = match reason(judged.first()) {
            reason if failed => format!("{reason}; no second bad window followed on it"),
            reason => reason,
        };
        let passed = |judged: &Judged| judged.judgement.outcome == CheckOutcome::Passed;
        if judged.iter().all(passed) {
            self.pass(watch, judged, reason);
        } else if watch.environment == Environment::Staging
            && judged.iter().all(|judged| judged.judgement.lacking || passed(judged))
        {
            // Staging may have no visitors; it is production that needs evidence.
            let seen: u64 = judged.iter().map(|judged| requests(&judged.judgement)).sum();
            self.pass(watch, judged, format!("staging was seen to serve {seen} requests; nothing speaks against it"));
        } else if self.run.held().is_some() {
            // People are asked already; the watch goes on meanwhile.
        } else if watch.extensions < self.run.plan().max_extensions {
            let length = self.length(watch).max(self.run.plan().interval);
            let extension = watch.extensions + 1;
            self.push(EventKind::StepExtended { until: end.after(length), extension, reason });
        } else {
            self.hold(format!("{reason}; extended {} times", watch.extensions));
        }
    }

    /// Whether the window that would be the next bad one in a row may still come.
    fn awaits_second_window(&self, end: Timestamp) -> bool {
        let counted = self.run.watch().into_iter().flat_map(|watch| &watch.strikes).map(|strike| strike.until).max();
        let longest = self.run.plan().triggers.iter().map(|trigger| trigger.window).max().unwrap_or_default();
        counted.is_some_and(|counted| end < counted.after(longest))
    }

    /// How long the watch was meant to be.
    pub(crate) fn length(&self, watch: &Watch) -> Duration {
        let plan = self.run.plan();
        match (watch.environment, self.run.stage()) {
            (Environment::Staging, _) => plan.soak,
            (_, RunStage::Monitoring) => plan.monitoring,
            _ => self.run.step().map_or(plan.interval, |step| step.duration),
        }
    }

    fn pass(&mut self, watch: &Watch, judged: &[Judged], reason: String) {
        let (environment, percent) = (watch.environment, watch.percent);
        self.performance(judged);
        self.push(EventKind::StepPassed { environment, percent, reason });
    }

    /// Nothing is passed, nobody is asked anew: people are waited for already.
    fn waits(&self) -> bool {
        self.run.on_hold().is_some() || self.run.watch().is_some_and(|watch| watch.kept)
    }

    /// Something speaks against the release that turns nothing back by itself: the step is held, and people are asked.
    pub(crate) fn speak_against(&mut self, reason: String) {
        if self.waits() {
            self.seen_in_passing(reason);
        } else if self.run.held().is_none() {
            self.hold(reason);
        }
    }

    /// What was seen is bad enough: traffic goes back to stable, and the run ends so.
    /// `judged` is what was measured that it failed by. Where stable is the broken one, everything stays as it is.
    pub(crate) fn take_release_back(
        &mut self,
        environment: Environment,
        percent: u8,
        reason: String,
        judged: &[Judged],
    ) {
        let production = environment == Environment::Production;
        if production && self.stays(&reason, judged) {
            return;
        }
        if production && percent == 100 {
            self.push(EventKind::RollbackChecked { needed: true, reason: reason.clone() });
        }
        self.turn_back(match production {
            true => Outcome::RolledBack { reason },
            false => Outcome::HandedOver { reason },
        });
    }

    /// Records the performance check, where its outcome is new.
    fn performance(&mut self, judged: &[Judged]) {
        let Some(verdict) = worst(judged.iter().filter_map(|judged| judged.judgement.performance.as_ref())) else {
            return;
        };
        let check = SafetyCheck::PerformanceBaseline;
        if self.run.safety(check).is_none_or(|before| before.outcome != verdict.outcome) {
            self.push(EventKind::SafetyChecked { check, verdict: verdict.clone() });
        }
    }
}

/// The whole watch, as far as it was measured.
fn whole(watch: &Watch, samples: &[Sample]) -> Option<Window> {
    let windows = samples.iter().map(|sample| &sample.window).filter(|window| window.start == watch.started.0);
    windows.max_by_key(|window| window.end).cloned()
}

fn requests(judgement: &Judgement) -> u64 {
    let numbers = judgement.verdicts.iter().flat_map(|verdict| &verdict.numbers);
    numbers.filter(|(name, _)| name == "requests").map(|(_, number)| *number as u64).max().unwrap_or(0)
}

fn blind_verdict(error: Option<&str>) -> Verdict {
    Verdict {
        service: String::new(),
        outcome: CheckOutcome::Inconclusive,
        rule: MEASURED_AT_ALL.to_owned(),
        words: format!(
            "nothing was measured: {}",
            error.unwrap_or("no health check gave a sample over the whole watch")
        ),
        numbers: Vec::new(),
        window: None,
        method: Some(if error.is_some() { Method::Error } else { Method::NoData }),
        dry_run: false,
    }
}

/// Nothing was measured: nothing is known, so nothing passes.
fn blind(error: Option<&str>) -> Judgement {
    Judgement {
        outcome: CheckOutcome::Inconclusive,
        critical: false,
        at_once: false,
        confirmed: false,
        // Without an error nobody was there to measure: staging may do without, production waits.
        lacking: error.is_none(),
        performance: None,
        verdicts: vec![blind_verdict(error)],
    }
}
