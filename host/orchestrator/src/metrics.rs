//! Whether what triggers are about is measured by anybody, as far as the health checks say.

mod amount;

use anyhow::{Result, bail};
use autodevops_pipeline::{ERROR_RATE, Origin, Rule, Trigger};
use autodevops_policy::{DeclaredMetric, Manifest, MetricKind, MetricUnit, metric::hint};

use crate::usage::Usage;

pub(crate) use amount::check_amounts;

/// What the host's own front door measures.
const OWN: [(&str, MetricKind); 2] = [(ERROR_RATE, MetricKind::Rate), ("latency", MetricKind::Histogram)];

/// Refuses a trigger whose metric no health check measures, or measures in a way that its rule cannot judge: a misspelt name would be
/// silent for the whole rollout. Where one of the checks does not say what it measures, it may be that one; then the verdict is
/// inconclusive and names the metric. What the front door measures is measured where there `has_front_door` one: of the local target.
/// Refuses also a trigger that could never pass, since one publisher alone measures what it is about.
///
/// # Errors
/// The trigger's metric, and the nearest that is measured, or what else to do.
pub(crate) fn check(triggers: &[Trigger], health_checks: &[(Manifest, Origin)], has_front_door: bool) -> Result<()> {
    let own: &[(&str, MetricKind)] = if has_front_door { &OWN } else { &[] };
    if health_checks.is_empty() {
        return Ok(());
    }
    let vouched = has_front_door && triggers.iter().any(Trigger::vouches);
    for trigger in triggers.iter().filter(|trigger| own.iter().all(|(own, _)| *own != trigger.metric)) {
        if health_checks.iter().all(|(check, _)| !check.metrics.is_empty()) {
            is_measured(trigger, health_checks, own)?;
        }
        if !vouched && !trigger.dry_run {
            can_pass(trigger, health_checks, has_front_door)?;
        }
    }
    Ok(())
}

/// Refuses a trigger whose metric none of the health checks measures in a way that its rule can judge. All of them say what they measure.
fn is_measured(trigger: &Trigger, health_checks: &[(Manifest, Origin)], own: &[(&str, MetricKind)]) -> Result<()> {
    let declared = || health_checks.iter().flat_map(|(check, _)| &check.metrics);
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
    if !named.iter().any(|metric| fits(trigger.rule, metric)) {
        let (asked, remedy) = match (trigger.rule, first.kind) {
            (Rule::QuantileAbove { .. }, MetricKind::Rate) => {
                ("a time", "write a share, such as `above = \"5 %\"`, or `worse-by`")
            }
            (Rule::QuantileAbove { .. }, _) => ("a time", "write `worse-by`, or let the health check measure seconds"),
            _ if first.unit == MetricUnit::Seconds => {
                ("a share", "write a time, such as `above = \"2s\"`, or `worse-by`")
            }
            _ => ("a share", "write `worse-by`"),
        };
        bail!(Usage(format!(
            "[rollout] `triggers`: `{}` is measured as {}, which {asked} cannot be asked of; {remedy}",
            trigger.metric,
            in_words(first),
        )));
    }
    Ok(())
}

/// How it is measured, and in what where that does not go without saying.
fn in_words(metric: &DeclaredMetric) -> String {
    let unit = match metric.unit {
        MetricUnit::Bytes => " of bytes",
        MetricUnit::Count => " of a number of things",
        MetricUnit::Ratio if metric.kind != MetricKind::Rate => " of shares",
        MetricUnit::Ratio | MetricUnit::Seconds => "",
    };
    format!("{}{unit}", metric.kind)
}

/// Refuses a trigger of whose metric no two publishers say anything, where the host does not vouch for the release: the step would be made
/// longer again and again, and then a person asked.
fn can_pass(trigger: &Trigger, health_checks: &[(Manifest, Origin)], has_front_door: bool) -> Result<()> {
    let metric = &trigger.metric;
    let may = |check: &Manifest| {
        let fits = |declared: &DeclaredMetric| declared.name == *metric && fits(trigger.rule, declared);
        check.metrics.is_empty() || check.metrics.iter().any(fits)
    };
    let measure: Vec<&(Manifest, Origin)> = health_checks.iter().filter(|(check, _)| may(check)).collect();
    let is_apart = |one: &&(Manifest, Origin)| measure.iter().any(|other| one.1.is_apart(&other.1));
    if measure.iter().any(is_apart) {
        return Ok(());
    }
    let names: Vec<String> = measure.iter().map(|(check, _)| format!("`{}`", check.name)).collect();
    let by = if names.is_empty() { "no health check".to_owned() } else { format!("{} alone", names.join(" and ")) };
    let remedy = if has_front_door {
        format!(
            "add a trigger by which the host sees for itself, such as `{{ metric = \"{ERROR_RATE}\", above = \"5 %\" }}`, or let this one be \
             `dry-run = true`"
        )
    } else {
        "name a health check of another publisher that measures it, let the trigger be `dry-run = true`, or deploy to `local`".to_owned()
    };
    bail!(Usage(format!(
        "[rollout] `triggers`: `{metric}` is measured by {by}, and production is promoted by no publisher's word alone, so that this could never \
         pass; {remedy}"
    )));
}

/// Whether a rule can judge what is observed so: a time is held against seconds alone.
fn fits(rule: Rule, metric: &DeclaredMetric) -> bool {
    match rule {
        Rule::RateAbove(_) | Rule::RateBelow(_) => metric.kind == MetricKind::Rate,
        Rule::QuantileAbove { .. } => metric.kind != MetricKind::Rate && metric.unit == MetricUnit::Seconds,
        Rule::WorseBy { .. } => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A health check of a publisher.
    fn check_by(publisher: &str, metrics: &[(&str, &str, &str)]) -> (Manifest, Origin) {
        (check_of(metrics).0, Origin { publisher: publisher.into(), component: format!("sha256:{publisher}") })
    }

    pub(super) fn check_of(metrics: &[(&str, &str, &str)]) -> (Manifest, Origin) {
        let mut text =
            "name = \"shop-health\"\nversion = \"0.1.0\"\ndescription = \"x\"\nstages = [\"health-check\"]\n"
                .to_owned();
        for (name, unit, kind) in metrics {
            text.push_str(&format!("[[metrics]]\nname = \"{name}\"\nunit = \"{unit}\"\nkind = \"{kind}\"\n"));
        }
        (Manifest::parse(&text, "plugin.toml").unwrap(), Origin::default())
    }

    fn said(metric: &str, rule: Rule, checks: &[(Manifest, Origin)]) -> String {
        said_of(&[Trigger::new(metric, rule), Trigger::new(ERROR_RATE, SHARE)], checks, true)
    }

    fn said_of(triggers: &[Trigger], checks: &[(Manifest, Origin)], has_front_door: bool) -> String {
        check(triggers, checks, has_front_door).map_or_else(|error| error.to_string(), |()| "fine".to_owned())
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
    fn a_time_is_asked_of_seconds_alone() {
        for (unit, kind, text) in [
            ("seconds", "histogram", "fine"),
            ("seconds", "samples", "fine"),
            (
                "bytes",
                "histogram",
                "`memory` is measured as a histogram of bytes, which a time cannot be asked of; write `worse-by`",
            ),
            ("count", "samples", "single values of a number of things, which a time"),
            ("ratio", "samples", "single values of shares, which a time"),
        ] {
            let checks = [check_of(&[("memory", unit, kind)])];
            let told = said("memory", TIME, &checks);
            assert!(if text == "fine" { told == text } else { told.contains(text) }, "{told}\nlacks: {text}");
            assert_eq!(said("memory", Rule::WorseBy { ratio: 0.2, quantile: None }, &checks), "fine");
            let of_share = said("memory", SHARE, &checks);
            assert_eq!(of_share.ends_with("write a time, such as `above = \"2s\"`, or `worse-by`"), unit == "seconds");
            assert!(of_share.contains("which a share cannot be asked of; write"), "{of_share}");
        }
    }

    #[test]
    fn without_a_front_door_errors_and_latencies_are_for_health_checks_to_measure() {
        let other = [check_of(&[("lost-carts", "ratio", "rate")])];
        for (metric, rule) in [("error-rate", SHARE), ("latency", TIME)] {
            let triggers = [Trigger::new(metric, rule)];
            assert_eq!(said_of(&triggers, &other, true), "fine");
            let said = said_of(&triggers, &other, false);
            let text = format!(
                "no health check measures `{metric}`, and this target has no front door that does; measured are lost-carts"
            );
            assert!(said.contains(&text), "{said}");
            let own = ["us", "them"].map(|publisher| {
                check_by(publisher, &[("error-rate", "ratio", "rate"), ("latency", "seconds", "histogram")])
            });
            assert_eq!(said_of(&triggers, &own, false), "fine");
        }
    }

    #[test]
    fn where_a_check_does_not_say_what_it_measures_or_there_is_none_nothing_is_refused() {
        let silent = [check_of(&[("lost-carts", "ratio", "rate")]), check_of(&[])];
        assert_eq!(said("chekout-failures", SHARE, &silent), "fine");
        assert_eq!(said("chekout-failures", SHARE, &[]), "fine");
    }

    #[test]
    fn what_one_publisher_alone_measures_is_refused_where_the_host_does_not_see_errors_itself() {
        let carts = Trigger::new("lost-carts", SHARE);
        let dry = |trigger: &Trigger| Trigger { dry_run: true, ..trigger.clone() };
        let errors = Trigger::new(ERROR_RATE, SHARE);
        let worse = Trigger::new(ERROR_RATE, Rule::WorseBy { ratio: 0.5, quantile: None });
        let rate = ("lost-carts", "ratio", "rate");
        let one = vec![check_by("us", &[rate])];
        let other = check_by("them", &[("error-rate", "ratio", "rate")]);
        let both = vec![one[0].clone(), check_by("them", &[rate])];
        let alike =
            vec![one[0].clone(), (check_of(&[rate]).0, Origin { component: "sha256:2".into(), ..one[0].1.clone() })];
        let silent = vec![one[0].clone(), check_by("them", &[])];
        let two = vec![one[0].clone(), other];
        let in_seconds = vec![one[0].clone(), check_by("them", &[("lost-carts", "seconds", "histogram")])];
        let at_the_door = "production is promoted by no publisher's word alone, so that this could never pass; add a trigger by which the host \
                           sees for itself, such as `{ metric = \"error-rate\", above = \"5 %\" }`";
        let without = "could never pass; name a health check of another publisher that measures it";
        for (triggers, checks, has_front_door, text) in [
            (vec![carts.clone(), errors.clone()], &one, true, "fine"),
            (vec![carts.clone()], &one, true, at_the_door),
            (vec![carts.clone(), worse], &one, true, at_the_door),
            (vec![carts.clone(), dry(&errors)], &one, true, at_the_door),
            (vec![dry(&carts)], &one, true, "fine"),
            (vec![carts.clone()], &both, true, "fine"),
            (vec![carts.clone()], &both, false, "fine"),
            (vec![carts.clone()], &silent, false, "fine"),
            (vec![carts.clone()], &one, false, without),
            (vec![carts.clone()], &alike, false, "`shop-health` and `shop-health` alone"),
            (vec![carts.clone()], &in_seconds, false, without),
            (vec![dry(&carts)], &one, false, "fine"),
            // Two there are, of whom one alone measures it: what it says of errors is no more than its word.
            (vec![carts.clone()], &two, false, "`shop-health` alone"),
            (vec![errors], &two, false, "`error-rate` is measured by `shop-health` alone"),
        ] {
            let said = said_of(&triggers, checks, has_front_door);
            assert!(if text == "fine" { said == text } else { said.contains(text) }, "{said}\nlacks: {text}");
        }
    }
}
