//! Whether a rollout can be carried out as it is written: times, steps, triggers.

use std::time::Duration;

use autodevops_policy::{Span, strict_toml::nearest};

use super::{Found, NAME, is_name};
use crate::{Config, MetricTrigger, Threshold, place::Part};

/// Metrics that the host and the shipped health checks know.
const METRICS: [&str; 2] = ["error-rate", "latency"];

pub fn problems(config: &Config, found: &mut Found) {
    times(config, found);
    steps(config, found);
    triggers(config, found);
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
    if let Some(span) = config.service.wall_time {
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

fn triggers(config: &Config, found: &mut Found) {
    let rollout = &config.rollout;
    for (index, name) in rollout.custom_metrics.iter().enumerate() {
        if !is_name(name) {
            found.add(at!["rollout", "custom-metrics", index], format!("no metric is named {name:?}; {NAME}"));
        }
    }
    if rollout.triggers.is_empty() {
        let message = "no trigger would ever turn a release back; write one, or remove `triggers` for the defaults";
        found.add(at!["rollout", "triggers"], message);
    }
    for (key, count) in [("min-samples", rollout.min_samples), ("hard-trip", rollout.hard_trip.min_samples)] {
        if count == 0 {
            let mut at = at!["rollout", key].to_vec();
            if key == "hard-trip" {
                at.push("min-samples".into());
            }
            found.add(at, "`min-samples` is zero, so that nothing at all would decide; write at least 1");
        }
    }
    if rollout.hard_trip.rate.value() <= 0.0 {
        let message = "a release would be turned back without a single failure; write for example \"50 %\"";
        found.add(at!["rollout", "hard-trip", "rate"], message);
    }
    let mut seen: Vec<&MetricTrigger> = Vec::new();
    for (index, trigger) in rollout.triggers.iter().enumerate() {
        one_trigger(config, index, trigger, found);
        let same = |other: &&MetricTrigger| {
            other.metric == trigger.metric
                && other.window == trigger.window
                && other.quantile == trigger.quantile
                && other.above.is_some() == trigger.above.is_some()
                && other.worse_by.is_some() == trigger.worse_by.is_some()
        };
        if seen.iter().any(same) {
            let message =
                format!("a second trigger on `{}` of the same kind over {}; keep one", trigger.metric, trigger.window);
            found.add(at!["rollout", "triggers", index, "metric"], message);
        }
        seen.push(trigger);
    }
}

fn one_trigger(config: &Config, index: usize, trigger: &MetricTrigger, found: &mut Found) {
    let at = |key: &str| at!["rollout", "triggers", index, key];
    let custom = &config.rollout.custom_metrics;
    let known = || METRICS.into_iter().chain(custom.iter().map(String::as_str));
    let metric = trigger.metric.as_str();
    if !known().any(|name| name == metric) {
        let hint = match nearest(metric, known()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known are {}; name others in `custom-metrics`", known().collect::<Vec<_>>().join(", ")),
        };
        found.add(at("metric"), format!("unknown metric `{metric}`; {hint}"));
    }
    match (&trigger.above, &trigger.worse_by) {
        (None, None) => found.add(
            at("metric"),
            format!("the trigger on `{metric}` says nothing; write `above = \"5 %\"`, `above = \"2s\"` or `worse-by = \"20 %\"`"),
        ),
        (Some(_), Some(_)) => {
            found.add(at("worse-by"), "`above` and `worse-by` are two rules; write two triggers");
        }
        (Some(Threshold::Time(_)), None) if metric == "error-rate" => {
            found.add(at("above"), "`error-rate` is a share, not a time; write for example \"5 %\"");
        }
        (Some(Threshold::Share(_)), None) if metric == "latency" => {
            found.add(at("above"), "`latency` is a time, not a share; write for example \"2s\"");
        }
        (Some(Threshold::Share(share)), None) if share.value() >= 100.0 => {
            found.add(at("above"), "nothing is above 100 %; write less, for example \"5 %\"");
        }
        (Some(Threshold::Time(span)), None) if span.0 == Duration::ZERO => {
            found.add(at("above"), "`above` is zero; write how long, for example `2s`");
        }
        _ => {}
    }
    if trigger.window.0 == Duration::ZERO {
        found.add(at("window"), "`window` is zero; write how long, for example `5m`");
    }
    if let Some(quantile) = trigger.quantile {
        if !(quantile > 0.0 && quantile < 1.0) {
            found.add(at("quantile"), format!("{quantile} is no quantile; write one between 0 and 1, such as 0.95"));
        } else if metric == "error-rate" || matches!(trigger.above, Some(Threshold::Share(_))) {
            found.add(at("quantile"), "a rate has no quantiles; remove it");
        }
    }
}
