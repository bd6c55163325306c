//! Whether a rollout can be carried out as it is written: times and steps.

use std::time::Duration;

use autodevops_pipeline::Baseline;
use autodevops_policy::Span;

use super::Found;
use crate::{Config, place::Part};

pub fn problems(config: &Config, found: &mut Found) {
    times(config, found);
    if config.rollout.error_limit == 0 {
        let message = "a step would be held though no measurement failed; write at least 1";
        found.add(at!["rollout", "error-limit"], message);
    }
    steps(config, found);
    baseline(config, found);
}

/// A fresh baseline that no step leaves room for would never be.
fn baseline(config: &Config, found: &mut Found) {
    let most = Baseline::FRESH_UP_TO;
    let rollout = &config.rollout;
    let room = rollout.steps.iter().any(|step| step.traffic.value() <= f64::from(most));
    if rollout.baseline == Baseline::Fresh && !room {
        let message = format!(
            "a fresh baseline has traffic at steps of at most {most} %, and there is none; begin with a smaller step, or write \
             `baseline = \"stable\"`"
        );
        found.add(at!["rollout", "baseline"], message);
    }
}

/// Spans that must not be zero.
fn times(config: &Config, found: &mut Found) {
    let mut check = |table: &str, key: &str, span: Span| {
        if span.0 == Duration::ZERO {
            found.add(at![table, key], format!("`{key}` is zero; write how long, for example `10m`"));
        }
    };
    check("staging", "soak", config.staging.soak);
    check("rollout", "interval", config.rollout.interval);
    check("rollout", "glance", config.rollout.glance);
    check("rollout", "monitoring", config.rollout.monitoring);
    check("edge", "lease", config.edge.lease);
    check("edge", "ready-timeout", config.edge.ready_timeout);
    check("edge", "answer-timeout", config.edge.answer_timeout);
    check("edge", "header-timeout", config.edge.header_timeout);
    check("edge", "idle-timeout", config.edge.idle_timeout);
    check("retries", "after", config.retries.after);
    if let Some(build) = &config.build {
        check("build", "timeout", build.timeout);
    }
    if let Some(span) = config.service.as_ref().and_then(|service| service.wall_time) {
        check("service", "wall-time", span);
    }
    if let Some(span) = config.limits.wall_time {
        check("limits", "wall-time", span);
    }
}

fn steps(config: &Config, found: &mut Found) {
    let steps = &config.rollout.steps;
    let Some(last) = steps.last() else {
        found.add(at!["rollout", "steps"], "there is no step; write at least `{ traffic = \"100 %\", for = \"1h\" }`");
        return;
    };
    let mut before: Option<f64> = None;
    for (index, step) in steps.iter().enumerate() {
        let value = step.traffic.value();
        let at = at!["rollout", "steps", index, "traffic"];
        if value.fract() != 0.0 || value < 1.0 {
            found.add(at, format!("{} is no share for a step; use a whole number from 1 % to 100 %", step.traffic));
        } else if let Some(before) = before.filter(|before| value <= *before) {
            let message = format!(
                "the share goes from {before} % to {}; each step must have more than the one before",
                step.traffic
            );
            found.add(at, message);
        }
        before = Some(value);
        if step.r#for.0 == Duration::ZERO {
            let message = "the step takes no time, so nothing is seen in it; write how long, for example `10m`";
            found.add(at!["rollout", "steps", index, "for"], message);
        }
    }
    if last.traffic.value() < 100.0 {
        let message = format!(
            "the last step has {}; it must have 100 %, or the release would never serve everyone",
            last.traffic
        );
        found.add(at!["rollout", "steps", steps.len() - 1, "traffic"], message);
    }
}
