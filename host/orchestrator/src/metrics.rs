//! Whether what triggers are about is measured by anybody, as far as the health checks say.

use anyhow::{Result, bail};
use autodevops_pipeline::{ERROR_RATE, Rule, Trigger};
use autodevops_policy::{DeclaredMetric, Manifest, MetricKind, metric::hint};

use crate::usage::Usage;

/// What the host's own front door measures.
const OWN: [(&str, MetricKind); 2] = [(ERROR_RATE, MetricKind::Rate), ("latency", MetricKind::Histogram)];

/// Refuses a trigger whose metric no health check measures, or measures in a way that its rule cannot judge: a misspelt name would be
/// silent for the whole rollout. Where one of the checks does not say what it measures, it may be that one; then the verdict is
/// inconclusive and names the metric. What the front door measures is measured where there `has_front_door` one: of the local target.
///
/// # Errors
/// The trigger's metric, and the nearest that is measured.
pub(crate) fn check(triggers: &[Trigger], health_checks: &[Manifest], has_front_door: bool) -> Result<()> {
    let own: &[(&str, MetricKind)] = if has_front_door { &OWN } else { &[] };
    if health_checks.is_empty() || health_checks.iter().any(|check| check.metrics.is_empty()) {
        return Ok(());
    }
    let declared = || health_checks.iter().flat_map(|check| &check.metrics);
    for trigger in triggers.iter().filter(|trigger| own.iter().all(|(own, _)| *own != trigger.metric)) {
        let named: Vec<&DeclaredMetric> = declared().filter(|metric| metric.name == trigger.metric).collect();
        let Some(first) = named.first() else {
            let known = declared().map(|metric| metric.name.as_str()).chain(own.iter().map(|(own, _)| *own));
            let known: Vec<&str> = known.collect();
            let is_own = OWN.iter().any(|(own, _)| *own == trigger.metric);
            let nobody = if is_own { ", and this target has no front door that does" } else { "" };
            bail!(Usage(format!(
                "[rollout] `triggers`: no health check measures `{}`{nobody}; {}",
                trigger.metric,
                hint(&trigger.metric, known.into_iter())
            )));
        };
        if !named.iter().any(|metric| fits(trigger.rule, metric.kind)) {
            bail!(Usage(format!(
                "[rollout] `triggers`: `{}` is measured as {}, which {} cannot be asked of; {}",
                trigger.metric,
                first.kind,
                match trigger.rule {
                    Rule::QuantileAbove { .. } => "a time",
                    _ => "a share",
                },
                match trigger.rule {
                    Rule::QuantileAbove { .. } => "write a share, such as `above = \"5 %\"`, or `worse-by`",
                    _ => "write a time, such as `above = \"2s\"`, or `worse-by`",
                }
            )));
        }
    }
    Ok(())
}

/// Whether a rule can judge what is observed so.
const fn fits(rule: Rule, kind: MetricKind) -> bool {
    match rule {
        Rule::RateAbove(_) | Rule::RateBelow(_) => matches!(kind, MetricKind::Rate),
        Rule::QuantileAbove { .. } => !matches!(kind, MetricKind::Rate),
        Rule::WorseBy { .. } => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_of(metrics: &[(&str, &str, &str)]) -> Manifest {
        let mut text =
            "name = \"shop-health\"\nversion = \"0.1.0\"\ndescription = \"x\"\nstages = [\"health-check\"]\n"
                .to_owned();
        for (name, unit, kind) in metrics {
            text.push_str(&format!("[[metrics]]\nname = \"{name}\"\nunit = \"{unit}\"\nkind = \"{kind}\"\n"));
        }
        Manifest::parse(&text, "plugin.toml").unwrap()
    }

    fn said(metric: &str, rule: Rule, checks: &[Manifest]) -> String {
        said_of(metric, rule, checks, true)
    }

    fn said_of(metric: &str, rule: Rule, checks: &[Manifest], has_front_door: bool) -> String {
        let checked = check(&[Trigger::new(metric, rule)], checks, has_front_door);
        checked.map_or_else(|error| error.to_string(), |()| "fine".to_owned())
    }

    const SHARE: Rule = Rule::RateAbove(0.05);
    const TIME: Rule = Rule::QuantileAbove { quantile: 0.95, seconds: 2.0 };

    #[test]
    fn a_misspelt_metric_is_refused_with_the_nearest_that_is_measured() {
        let checks = [
            check_of(&[("checkout-failures", "ratio", "rate"), ("queue-time", "seconds", "histogram")]),
            check_of(&[("lost-carts", "ratio", "rate")]),
        ];
        for (metric, rule, text) in [
            ("checkout-failures", SHARE, "fine"),
            ("lost-carts", SHARE, "fine"),
            ("queue-time", TIME, "fine"),
            ("queue-time", Rule::WorseBy { ratio: 0.2, quantile: None }, "fine"),
            ("error-rate", SHARE, "fine"),
            (
                "chekout-failures",
                SHARE,
                "no health check measures `chekout-failures`; did you mean `checkout-failures`?",
            ),
            ("sales", SHARE, "`sales`; measured are checkout-failures, error-rate, latency, lost-carts, queue-time"),
            (
                "queue-time",
                SHARE,
                "`queue-time` is measured as a histogram, which a share cannot be asked of; write a time",
            ),
            ("lost-carts", TIME, "`lost-carts` is measured as a rate, which a time cannot be asked of; write a share"),
        ] {
            let said = said(metric, rule, &checks);
            assert!(said.contains(text), "{said}\nlacks: {text}");
        }
    }

    #[test]
    fn without_a_front_door_errors_and_latencies_are_for_a_health_check_to_measure() {
        let other = [check_of(&[("lost-carts", "ratio", "rate")])];
        for (metric, rule) in [("error-rate", SHARE), ("latency", TIME)] {
            assert_eq!(said_of(metric, rule, &other, true), "fine");
            let said = said_of(metric, rule, &other, false);
            let text = format!(
                "no health check measures `{metric}`, and this target has no front door that does; measured are lost-carts"
            );
            assert!(said.contains(&text), "{said}");
            let own = [check_of(&[("error-rate", "ratio", "rate"), ("latency", "seconds", "histogram")])];
            assert_eq!(said_of(metric, rule, &own, false), "fine");
        }
    }

    #[test]
    fn where_a_check_does_not_say_what_it_measures_or_there_is_none_nothing_is_refused() {
        let silent = [check_of(&[("lost-carts", "ratio", "rate")]), check_of(&[])];
        assert_eq!(said("chekout-failures", SHARE, &silent), "fine");
        assert_eq!(said("chekout-failures", SHARE, &[]), "fine");
    }
}
