//! From the configuration to what a run is decided by.

use std::time::Duration;

use autodevops_pipeline::{DataPlan, Decision, HardTrip, Plan, Service as Planned, Step};

use crate::{Config, EscalationLevel, FreezeWindow, MetricTrigger, Service};

impl Config {
    /// What a run that starts now will do and is judged by.
    pub fn plan(&self) -> Plan {
        let rollout = &self.rollout;
        Plan {
            service: self.title(),
            staging: self.staging.environment.clone(),
            production: rollout.environment.clone(),
            services: self.services().iter().map(|service| self.planned(service)).collect(),
            soak: self.staging.soak.0,
            steps: rollout
                .steps
                .iter()
                .map(|step| Step { percent: whole_percent(step.traffic.value()), duration: step.r#for.0 })
                .collect(),
            monitoring: rollout.monitoring.0,
            interval: rollout.interval.0,
            glance: rollout.glance.0,
            freeze: self.r#loop.freeze.iter().flat_map(FreezeWindow::freezes).collect(),
            triggers: rollout.triggers.iter().filter_map(|trigger| trigger.trigger(rollout.min_samples)).collect(),
            counts: rollout.triggers.iter().filter_map(MetricTrigger::count).collect(),
            hard_trip: HardTrip { rate: rollout.hard_trip.rate.ratio(), min_samples: rollout.hard_trip.min_samples },
            decision: Decision {
                sequential_up_to: whole_percent(rollout.decision.sequential_up_to.value()),
                alpha: rollout.decision.alpha.ratio(),
                beta: rollout.decision.beta.ratio(),
                window_alpha: rollout.decision.window_alpha.ratio(),
                bad_windows: rollout.decision.bad_windows,
                min_score: rollout.decision.min_score.ratio(),
            },
            baseline: rollout.baseline,
            data: self.data_plan(),
            approval: self.approval.rules(&self.git.author),
            review: self.stages.review.clone(),
            checks: self.stages.checks.clone(),
            automated: self.stages.automated_tests.clone(),
            notifiers: self.stages.notifiers.clone(),
            escalation: self.escalation.iter().map(EscalationLevel::level).collect(),
            min_coverage: self.checks.min_coverage.map(|share| share.ratio()),
            test_generators: !self.stages.test_generators.is_empty(),
            build: self.services().iter().any(|service| self.build_of(service).is_some()),
            max_extensions: rollout.max_extensions,
            error_limit: rollout.error_limit,
            retries: self.retries.count,
            retry_after: self.retries.after.0,
        }
    }

    fn data_plan(&self) -> DataPlan {
        let guards = self.stages.state_guards.clone();
        // A release that was just taken back may write for as long as it drains.
        let settle = if guards.is_empty() { Duration::ZERO } else { self.edge.drain.0 };
        DataPlan { guards, preserve: self.data.preserve, restore: self.data.restore, settle }
    }
}

impl Config {
    fn planned(&self, service: &Service) -> Planned {
        Planned {
            name: service.name.clone(),
            paths: service.paths.clone(),
            staging: self.place_name(service, &self.staging.environment),
            production: self.place_name(service, &self.rollout.environment),
        }
    }
}

/// Validation has seen to it that it is a whole number, at most 100.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 100")]
fn whole_percent(value: f64) -> u8 {
    value.round().clamp(0.0, 100.0) as u8
}
