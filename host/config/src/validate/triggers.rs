//! Whether triggers say what can be: known metrics, rules that fit them and do not contradict each other.

use std::time::Duration;

use autodevops_pipeline::Counted;
use autodevops_policy::{Span, strict_toml::nearest};

use super::{Found, NAME, Part, is_name};
use crate::{Config, DecisionRules, MetricTrigger, NoDataPolicy, Threshold, trigger::WorseDirection};

/// Metrics that the host and the shipped health checks know.
const METRICS: [&str; 2] = ["error-rate", "latency"];

pub fn problems(config: &Config, found: &mut Found) {
    let rollout = &config.rollout;
    for (index, name) in rollout.custom_metrics.iter().enumerate() {
        if !is_name(name) {
            found.add(at!["rollout", "custom-metrics", index], format!("no metric is named {name:?}; {NAME}"));
        } else if Counted::named(name).is_some() {
            let message = format!("`{name}` are counted by the host, no plugin measures them; remove it");
            found.add(at!["rollout", "custom-metrics", index], message);
        }
    }
    if rollout.triggers.is_empty() {
        let message = "no trigger would ever turn a release back; write one, or remove `triggers` for the defaults";
        found.add(at!["rollout", "triggers"], message);
    } else if rollout.triggers.iter().all(|trigger| Counted::named(&trigger.metric).is_some()) {
        let message = "nothing is measured, so nothing could pass a step: that nobody complains is no evidence; add for example \
                       `{ metric = \"error-rate\", above = \"5 %\" }`";
        found.add(at!["rollout", "triggers"], message);
    } else if rollout.triggers.iter().all(|trigger| trigger.dry_run || Counted::named(&trigger.metric).is_some()) {
        let message = "all triggers are dry runs, so that nothing would decide; let one of them decide";
        found.add(at!["rollout", "triggers"], message);
    } else if !rollout.triggers.iter().any(decides_alone) {
        let message = "nothing would be judged where there is nothing to compare with, in staging and once the release has all traffic, so \
                       that nothing could pass there; add for example `{ metric = \"error-rate\", above = \"5 %\" }`";
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
    for (index, trigger) in rollout.triggers.iter().enumerate() {
        if Counted::named(&trigger.metric).is_some() {
            count(index, trigger, found);
        } else {
            metric(config, index, trigger, found);
            rule(index, trigger, found);
            parts(config, index, trigger, found);
        }
        for (other, before) in rollout.triggers.iter().take(index).enumerate() {
            together(index, trigger, other, before, found);
        }
    }
    decision(&rollout.decision, found);
}

/// Whether it decides also where no other release has traffic to be compared with. One without a rule is refused by itself.
fn decides_alone(trigger: &MetricTrigger) -> bool {
    let compares = trigger.worse_by.is_some() && trigger.above.is_none() && trigger.below.is_none();
    !trigger.dry_run && Counted::named(&trigger.metric).is_none() && !compares
}

fn metric(config: &Config, index: usize, trigger: &MetricTrigger, found: &mut Found) {
    let custom = &config.rollout.custom_metrics;
    let counted = Counted::ALL.map(Counted::name);
    let known = || METRICS.into_iter().chain(counted).chain(custom.iter().map(String::as_str));
    let metric = trigger.metric.as_str();
    if !known().any(|name| name == metric) {
        let hint = match nearest(metric, known()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known are {}; name others in `custom-metrics`", known().collect::<Vec<_>>().join(", ")),
        };
        found.add(at!["rollout", "triggers", index, "metric"], format!("unknown metric `{metric}`; {hint}"));
    } else if custom.iter().any(|name| name == metric) && config.stages.health_checks.is_empty() {
        let message = format!(
            "nobody measures `{metric}`: the front door does not, and [stages] `health-checks` names no plugin; name one that does, or \
             remove the trigger"
        );
        found.add(at!["rollout", "triggers", index, "metric"], message);
    }
}

/// A trigger on what is counted: a number within a time, and nothing else.
fn count(index: usize, trigger: &MetricTrigger, found: &mut Found) {
    let at = |key: &str| at!["rollout", "triggers", index, key];
    let metric = trigger.metric.as_str();
    match trigger.at_least {
        None => found.add(
            at("metric"),
            format!("the trigger on `{metric}` does not say how many; write for example `at-least = 3`"),
        ),
        Some(0) => found.add(at("at-least"), "no release has less than none; write at least 1"),
        Some(_) => {}
    }
    let others = [
        ("above", trigger.above.is_some()),
        ("below", trigger.below.is_some()),
        ("worse-by", trigger.worse_by.is_some()),
        ("direction", trigger.direction.is_some()),
        ("effect", trigger.effect.is_some()),
        ("quantile", trigger.quantile.is_some()),
        ("initial-delay", trigger.initial_delay.is_some()),
        ("min-samples", trigger.min_samples.is_some()),
        ("weight", trigger.weight.is_some()),
        ("dry-run", trigger.dry_run),
        ("no-data", trigger.no_data != NoDataPolicy::default()),
    ];
    for (key, _) in others.into_iter().filter(|(_, given)| *given) {
        let message = format!("`{metric}` are counted: they have `at-least`, `window` and `critical`; remove `{key}`");
        found.add(at(key), message);
    }
    if trigger.window.0 == Duration::ZERO {
        found.add(at("window"), "`window` is zero; write how long, for example `10m`");
    }
}

/// What the trigger holds its metric against.
fn rule(index: usize, trigger: &MetricTrigger, found: &mut Found) {
    let at = |key: &str| at!["rollout", "triggers", index, key];
    let metric = trigger.metric.as_str();
    let named = [
        ("above", trigger.above.is_some()),
        ("below", trigger.below.is_some()),
        ("worse-by", trigger.worse_by.is_some()),
    ];
    let mut named = named.into_iter().filter(|(_, named)| *named).map(|(key, _)| key);
    if trigger.at_least.is_some() {
        let counted = Counted::ALL.map(Counted::name).join(" and ");
        found.add(at("at-least"), format!("`at-least` is for {counted}; write `above` or `worse-by` here"));
    }
    match (named.next(), named.next()) {
        (None, _) => found.add(
            at("metric"),
            format!(
                "the trigger on `{metric}` says nothing; write `above = \"5 %\"`, `above = \"2s\"` or `worse-by = \"20 %\"`"
            ),
        ),
        (Some(one), Some(other)) => {
            found.add(at(other), format!("`{one}` and `{other}` are two rules; write two triggers"));
        }
        _ => {}
    }
    match trigger.above {
        Some(Threshold::Time(_)) if metric == "error-rate" => {
            found.add(at("above"), "`error-rate` is a share, not a time; write for example \"5 %\"");
        }
        Some(Threshold::Share(_)) if metric == "latency" => {
            found.add(at("above"), "`latency` is a time, not a share; write for example \"2s\"");
        }
        Some(Threshold::Share(share)) if share.value() >= 100.0 => {
            found.add(at("above"), "nothing is above 100 %; write less, for example \"5 %\"");
        }
        Some(Threshold::Share(share)) if share.value() <= 0.0 => {
            found.add(
                at("above"),
                "a release without a single failure is not to be had; write more, for example \"1 %\"",
            );
        }
        Some(Threshold::Time(span)) if span.0 == Duration::ZERO => {
            found.add(at("above"), "`above` is zero; write how long, for example `2s`");
        }
        _ => {}
    }
    match trigger.below {
        Some(_) if metric == "error-rate" => {
            let message =
                "`below` turns a release back for failing less; write `above`, which turns back what fails more";
            found.add(at("below"), message);
        }
        Some(_) if metric == "latency" => {
            found.add(at("below"), "`latency` is a time, and `below` is for shares; write `above` or `worse-by`");
        }
        Some(share) if share.value() <= 0.0 || share.value() >= 100.0 => {
            found.add(
                at("below"),
                format!("`below` is {share}, which decides nothing; write a share between 0 % and 100 %"),
            );
        }
        _ => {}
    }
}

/// What else the trigger says.
fn parts(config: &Config, index: usize, trigger: &MetricTrigger, found: &mut Found) {
    let at = |key: &str| at!["rollout", "triggers", index, key];
    let metric = trigger.metric.as_str();
    let interval = config.rollout.interval;
    if trigger.window.0 == Duration::ZERO {
        found.add(at("window"), "`window` is zero; write how long, for example `5m`");
    } else if trigger.window.0 < interval.0 {
        let message = format!(
            "the window of {} is shorter than the interval between measurements, {interval}: what happens between two of them \
             would never be seen; write at least {interval}",
            trigger.window
        );
        found.add(at("window"), message);
    }
    let (delay, production) = (trigger.initial_delay, || config.rollout.steps.iter().map(|step| step.r#for));
    let shortest = |watches: &mut dyn Iterator<Item = Span>| watches.min_by_key(|watch| watch.0);
    let too_long = delay.and_then(|delay| {
        let mut watches = production().chain([config.staging.soak, config.rollout.monitoring]);
        Some((delay, shortest(&mut watches).filter(|shortest| delay.0 >= shortest.0)?))
    });
    if let Some((delay, shortest)) = too_long {
        let message = format!(
            "nothing would count of a watch of {shortest}, the shortest that there is: the delay is {delay}; write less, or watch for \
             longer"
        );
        found.add(at("initial-delay"), message);
    } else if trigger.no_data == NoDataPolicy::Fail {
        // Staging may have no visitors: silence is nothing to fail for there.
        let needs = Span(trigger.window.0.saturating_add(delay.map_or(Duration::ZERO, |delay| delay.0)));
        let mut watches = production().chain([config.rollout.monitoring]);
        if let Some(shortest) = shortest(&mut watches).filter(|shortest| needs.0 > shortest.0) {
            let keys = if delay.is_some() { "`initial-delay` and `window`" } else { "`window`" };
            let message = format!(
                "silence would never fail a watch of {shortest}, the shortest that there is in production: it is shorter than {keys}, \
                 {needs}; write less, watch for longer, or remove `no-data`"
            );
            found.add(at("no-data"), message);
        }
    }
    if let Some(quantile) = trigger.quantile {
        if !(quantile > 0.0 && quantile < 1.0) {
            found.add(at("quantile"), format!("{quantile} is no quantile; write one between 0 and 1, such as 0.95"));
        } else if metric == "error-rate"
            || matches!(trigger.above, Some(Threshold::Share(_)))
            || trigger.below.is_some()
        {
            found.add(at("quantile"), "a rate has no quantiles; remove it");
        }
    }
    for (key, given) in [("direction", trigger.direction.is_some()), ("effect", trigger.effect.is_some())] {
        if given && trigger.worse_by.is_none() {
            let message = format!("`{key}` is for `worse-by`: a threshold says it by itself; remove it");
            found.add(at(key), message);
        }
    }
    if ["error-rate", "latency"].contains(&metric)
        && trigger.worse_by.is_some()
        && matches!(trigger.direction, Some(WorseDirection::Decrease))
    {
        let message = format!("less of `{metric}` is better, and would turn a release back; write \"increase\"");
        found.add(at("direction"), message);
    }
    match trigger.effect {
        Some(Threshold::Time(_)) if metric == "error-rate" => {
            found.add(at("effect"), "`error-rate` is a share, not a time; write for example \"0.5 %\"");
        }
        Some(Threshold::Share(_)) if metric == "latency" => {
            found.add(at("effect"), "`latency` is a time, not a share; write for example \"10ms\"");
        }
        _ => {}
    }
    if trigger.min_samples == Some(0) {
        found.add(at("min-samples"), "`min-samples` is zero, so that nothing at all would decide; write at least 1");
    }
    if let Some(weight) = trigger.weight {
        if trigger.dry_run {
            found.add(at("weight"), "a dry run counts for nothing; remove `weight`, or `dry-run`");
        } else if trigger.critical {
            let message = "a critical trigger turns back by itself, so that its weight is never asked; remove it, or write \
                           `critical = false`";
            found.add(at("weight"), message);
        } else if !(weight > 0.0 && weight <= 1000.0) {
            found.add(at("weight"), format!("{weight} is no weight; write a number above 0, at most 1000"));
        }
    }
    if trigger.no_data == NoDataPolicy::Pass {
        let message =
            "silence never passes a release; write \"inconclusive\", which waits and asks a person, or \"fail\"";
        found.add(at("no-data"), message);
    }
    // A hard trip needs no statistics; it may not be the stricter one.
    let trip = config.rollout.hard_trip.rate;
    if metric == "error-rate"
        && let Some(Threshold::Share(share)) = trigger.above
        && trip.value() > 0.0
        && trip.value() <= share.value()
    {
        let message = format!(
            "the trigger on `{metric}` allows {share}, and `hard-trip` turns back at {trip} already, with no statistics; raise \
             `hard-trip`, or lower `above`"
        );
        found.add(at("above"), message);
    }
}

/// Two triggers that cannot both be meant.
fn together(index: usize, trigger: &MetricTrigger, other: usize, before: &MetricTrigger, found: &mut Found) {
    // What is only tried out may be anything.
    if before.metric != trigger.metric || before.dry_run != trigger.dry_run {
        return;
    }
    let same = before.window == trigger.window
        && before.quantile == trigger.quantile
        && before.above.is_some() == trigger.above.is_some()
        && before.below.is_some() == trigger.below.is_some()
        && before.worse_by.is_some() == trigger.worse_by.is_some()
        && before.direction == trigger.direction;
    if same {
        let message =
            format!("a second trigger on `{}` of the same kind over {}; keep one", trigger.metric, trigger.window);
        found.add(at!["rollout", "triggers", index, "metric"], message);
    }
    let bounds = |one: &MetricTrigger, two: &MetricTrigger| match (one.above, two.below) {
        (Some(Threshold::Share(above)), Some(below)) if below.value() >= above.value() => Some((above, below)),
        _ => None,
    };
    if let Some((above, below)) = bounds(trigger, before).or_else(|| bounds(before, trigger)) {
        let message = format!(
            "`{}` may not be above {above} and not below {below} (trigger {}): nothing would pass; let `below` be less than \
             `above`",
            trigger.metric,
            other + 1
        );
        found.add(at!["rollout", "triggers", index, "metric"], message);
    }
}

fn decision(decision: &DecisionRules, found: &mut Found) {
    let at = |key: &str| at!["rollout", "decision", key];
    if decision.sequential_up_to.value().fract() != 0.0 {
        let message = format!("{} is no share of a step; use a whole number of per cent", decision.sequential_up_to);
        found.add(at("sequential-up-to"), message);
    }
    for (key, share) in [("alpha", decision.alpha), ("beta", decision.beta)] {
        if share.value() <= 0.0 || share.value() >= 50.0 {
            let message = format!("{share} is no chance to be wrong; write more than 0 % and less than 50 %");
            found.add(at(key), message);
        }
    }
    if decision.window_alpha.value() <= 0.0 {
        found.add(at("window-alpha"), "a window that may never be wrong never decides; write for example \"0.1 %\"");
    }
    if decision.bad_windows == 0 {
        found.add(at("bad-windows"), "no bad window would turn a release back; write at least 1");
    }
}
