//! Watches: the soak, the steps and the monitoring. When they begin, and what ends them.

use std::time::Duration;

use autodevops_model::{Outcome as CheckOutcome, Window};

use crate::decide::{Draft, Refused};
use crate::{
    Environment, EventKind, Judgement, Method, Outcome, Round, RunStage, SafetyCheck, Sample, Timestamp, Verdict,
    Watch, judge,
};

impl Draft {
    /// Begins the watch of the stage, once traffic is set for it.
    pub(crate) fn enter(&mut self) -> bool {
        let plan = self.run.plan();
        let (environment, percent, length) = match self.run.stage() {
            RunStage::Soak => (Environment::Staging, 100, plan.soak),
            RunStage::Rollout => {
                let Some(step) = self.run.step().copied() else { return false };
                if self.run.step_splits(step.percent).as_deref() != Some(self.run.traffic(Environment::Production)) {
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

    /// Judges a round of measurements, and decides.
    pub(crate) fn measured(&mut self, samples: Vec<Sample>, error: Option<String>) -> Result<(), Refused> {
        if self.looked_at_stable(&samples, error.as_deref()) {
            return Ok(());
        }
        let Some(watch) = self.run.watch().cloned() else {
            let (run, stage) = (self.run.id().to_owned(), self.run.stage().name());
            return Err(Refused::OutOfPlace { run, stage, input: "measurement" });
        };
        let judgement = self.judgement(&watch, &samples).unwrap_or_else(|| blind(error.as_deref()));
        let end = whole(&watch, &samples).map_or(self.at, |whole| Timestamp(whole.end));
        self.push(EventKind::Measured { samples, error });
        let mut verdicts = judgement.verdicts.iter().cloned();
        let verdict = verdicts.next().unwrap_or_else(|| blind_verdict(None));
        self.push(EventKind::Judged { verdict: verdict.clone(), others: verdicts.collect() });
        self.judged(&watch, &judgement, &verdict, end);
        Ok(())
    }

    /// What the samples say of the candidate; nothing where none of them is over the whole watch.
    pub(crate) fn judgement(&self, watch: &Watch, samples: &[Sample]) -> Option<Judgement> {
        let whole = whole(watch, samples)?;
        let baseline = self.run.baseline(watch);
        let round = Round {
            samples,
            candidate: self.run.candidate(),
            baseline: baseline.as_deref(),
            before: if watch.environment == Environment::Production { self.run.before() } else { &[] },
            whole: &whole,
            independent: watch.environment == Environment::Production,
            percent: watch.percent,
        };
        Some(judge(self.run.plan(), &round))
    }

    fn judged(&mut self, watch: &Watch, judgement: &Judgement, verdict: &Verdict, end: Timestamp) {
        let failed = judgement.outcome == CheckOutcome::Failed;
        let strikes = self.run.watch().map_or(0, |watch| watch.strikes);
        let reason = format!("{} at {} %: {}", watch.environment.role(), watch.percent, verdict.words);
        if failed && (judgement.at_once || strikes >= self.run.plan().decision.bad_windows) {
            if judgement.critical {
                self.performance(judgement);
                self.take_release_back(watch.environment, watch.percent, reason, &judgement.verdicts);
            } else {
                self.speak_against(reason);
            }
            return;
        }
        if failed || self.waits() || end < watch.until {
            return;
        }
        if judgement.outcome == CheckOutcome::Passed {
            self.pass(watch, judgement, reason);
        } else if watch.environment == Environment::Staging && judgement.lacking {
            // Staging may have no visitors; it is production that needs evidence.
            let seen = requests(judgement);
            self.pass(
                watch,
                judgement,
                format!("staging was seen to serve {seen} requests; nothing speaks against it"),
            );
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

    /// How long the watch was meant to be.
    pub(crate) fn length(&self, watch: &Watch) -> Duration {
        let plan = self.run.plan();
        match (watch.environment, self.run.stage()) {
            (Environment::Staging, _) => plan.soak,
            (_, RunStage::Monitoring) => plan.monitoring,
            _ => self.run.step().map_or(plan.interval, |step| step.duration),
        }
    }

    fn pass(&mut self, watch: &Watch, judgement: &Judgement, reason: String) {
        let (environment, percent) = (watch.environment, watch.percent);
        self.performance(judgement);
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
    /// `failed` are the verdicts on what was measured that it failed by. Where stable is the broken one, everything stays as it is.
    pub(crate) fn take_release_back(
        &mut self,
        environment: Environment,
        percent: u8,
        reason: String,
        failed: &[Verdict],
    ) {
        let production = environment == Environment::Production;
        if production && self.stays(&reason, failed) {
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
    fn performance(&mut self, judgement: &Judgement) {
        let Some(verdict) = &judgement.performance else { return };
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
        outcome: CheckOutcome::Inconclusive,
        rule: "measured at all".to_owned(),
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
        // Without an error nobody was there to measure: staging may do without, production waits.
        lacking: error.is_none(),
        performance: None,
        verdicts: vec![blind_verdict(error)],
    }
}
