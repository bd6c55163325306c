//! From what was observed to a verdict: by Wilson's bound, never by a bare comparison of small numbers.

use std::collections::BTreeSet;

use autodevops_model::{Bucket, Measurement, Observation, Outcome, Rate, Window};

use crate::{Plan, Rule, Sample, Trigger, Verdict};

/// The metric that a hard trip always looks at.
const ERROR_RATE: &str = "error-rate";

/// A release is not worse for being slower by less than this: at a few milliseconds a share of the baseline is the machine's noise,
/// and nobody notices.
const LATENCY_FLOOR_SECONDS: f64 = 0.010;

/// The quantile of the normal distribution for 99 %, one-sided.
const Z_99: f64 = 2.326;

/// What the samples of one round say of the candidate.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// A rule is crossed: failed. All are met by enough samples: passed. Else inconclusive.
    pub outcome: Outcome,
    /// Whether a crossed rule turns the release back by itself.
    pub critical: bool,
    /// So many failures that no statistics are needed.
    pub tripped: bool,
    /// Whether nothing speaks against it but the want of samples.
    pub lacking: bool,
    /// The worst of what the triggers of latency say; none where there are none.
    pub performance: Option<Verdict>,
    /// The verdict of each trigger, the deciding one first.
    pub verdicts: Vec<Verdict>,
}

/// Lower bound of a share, of which `events` out of `total` were seen, with 99 % confidence: Wilson's score interval
/// (E. B. Wilson, 1927), one-sided.
pub fn wilson_lower(events: u64, total: u64) -> f64 {
    if total == 0 {
        return 0.0;
    }
    let (n, p, z2) = (total as f64, events as f64 / total as f64, Z_99 * Z_99);
    let middle = p + z2 / (2.0 * n);
    let spread = Z_99 * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    ((middle - spread) / (1.0 + z2 / n)).max(0.0)
}

/// Whether a share is above `factor` times the baseline's, by the one-sided two-proportion test at 99 %.
fn worse(candidate: (u64, u64), baseline: (u64, u64), factor: f64) -> bool {
    if candidate.1 == 0 || baseline.1 == 0 {
        return false;
    }
    let (n1, n0) = (candidate.1 as f64, baseline.1 as f64);
    let (p1, p0) = (candidate.0 as f64 / n1, baseline.0 as f64 / n0);
    let pooled = (candidate.0 as f64 + baseline.0 as f64) / (n1 + n0);
    let spread = (pooled * (1.0 - pooled) * (1.0 / n1 + 1.0 / n0)).sqrt();
    spread > 0.0 && p1 - factor * p0 > Z_99 * spread
}

/// How many of a latency's observations are slower than `seconds`.
struct Slower {
    /// At least so many, beyond doubt.
    sure: u64,
    /// About so many, by a straight line within the bucket.
    about: f64,
    total: u64,
}

fn slower(observation: &Observation, seconds: f64) -> Option<Slower> {
    match observation {
        Observation::Samples(values) => {
            let sure = values.iter().filter(|value| **value > seconds).count() as u64;
            Some(Slower { sure, about: sure as f64, total: values.len() as u64 })
        }
        Observation::Histogram(buckets) => {
            let total = buckets.last()?.count;
            let at_most = buckets.iter().find(|bucket| bucket.le >= seconds)?;
            let below = buckets.iter().rev().find(|bucket| bucket.le <= seconds);
            let (low, low_count) = below.map_or((0.0, 0), |bucket| (bucket.le, bucket.count));
            let within = at_most.count.saturating_sub(low_count) as f64;
            let share = match at_most.le - low {
                width if width > 0.0 && width < f64::MAX => (seconds - low) / width,
                width if width > 0.0 => 0.0,
                _ => 1.0,
            };
            let about = (total as f64 - (low_count as f64 + within * share)).max(0.0);
            Some(Slower { sure: total.saturating_sub(at_most.count), about, total })
        }
        Observation::Rate(_) => None,
    }
}

/// The upper bound of the quantile: for buckets the bound of the one it lies in.
fn quantile_bound(observation: &Observation, quantile: f64) -> Option<(f64, u64)> {
    match observation {
        Observation::Samples(values) => {
            let mut sorted = values.clone();
            sorted.sort_by(f64::total_cmp);
            let rank = (quantile * sorted.len() as f64).ceil() as usize;
            Some((*sorted.get(rank.saturating_sub(1))?, sorted.len() as u64))
        }
        Observation::Histogram(buckets) => {
            let total = buckets.last()?.count;
            let Bucket { le, .. } = buckets.iter().find(|bucket| bucket.count as f64 >= quantile * total as f64)?;
            Some((*le, total))
        }
        Observation::Rate(_) => None,
    }
}

struct Ruling {
    outcome: Outcome,
    lacking: bool,
    words: String,
    numbers: Vec<(String, f64)>,
}

impl Ruling {
    fn lacking(words: String, total: u64) -> Self {
        Self { outcome: Outcome::Inconclusive, lacking: true, words, numbers: vec![("requests".into(), total as f64)] }
    }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// A share of events against a limit; `baseline` excuses a candidate that is no worse than a stable that breaks the limit.
fn share_above(what: &str, seen: (u64, f64, u64), limit: f64, baseline: Option<(u64, u64)>, min: u64) -> Ruling {
    let (sure, about, total) = seen;
    if total < min.max(1) {
        return Ruling::lacking(format!("{total} requests, of {min} that a decision needs"), total);
    }
    let (rate, bound) = (about / total as f64, wilson_lower(sure, total));
    let mut numbers = vec![
        ("events".into(), about),
        ("requests".into(), total as f64),
        ("rate".into(), rate),
        ("lower-bound".into(), bound),
        ("threshold".into(), limit),
    ];
    let seen = format!("{what} {} of {total} requests, threshold {}", percent(rate), percent(limit));
    let excused = baseline
        .filter(|&(events, n)| n >= min && events as f64 / n as f64 > limit && !worse((sure, total), (events, n), 1.0));
    if let Some((events, n)) = excused {
        let base = events as f64 / n as f64;
        numbers.push(("baseline-rate".into(), base));
        let outcome = if rate <= base { Outcome::Passed } else { Outcome::Inconclusive };
        let words = format!("{seen}; the baseline itself is at {}, and the candidate is not worse", percent(base));
        return Ruling { outcome, lacking: false, words, numbers };
    }
    let (outcome, words) = if bound > limit {
        (Outcome::Failed, format!("{seen}; above it even at the 99 % lower bound {}", percent(bound)))
    } else if rate <= limit {
        (Outcome::Passed, seen)
    } else {
        (
            Outcome::Inconclusive,
            format!("{seen}; above it, but it may be chance: the 99 % lower bound is {}", percent(bound)),
        )
    };
    Ruling { outcome, lacking: false, words, numbers }
}

/// Compares the candidate with the baseline; none where there is no baseline to compare with.
fn worse_by(ratio: f64, quantile: f64, min: u64, seen: &Observation, baseline: Option<&Observation>) -> Option<Ruling> {
    let Some(baseline) = baseline else {
        return Some(Ruling::lacking("nobody measured the baseline, to compare with".into(), 0));
    };
    if let (Observation::Rate(now), Observation::Rate(before)) = (seen, baseline) {
        if now.total.min(before.total) < min.max(1) {
            return Some(Ruling::lacking(format!("{} and {} requests, of {min}", now.total, before.total), now.total));
        }
        let (rate, base) = (now.events as f64 / now.total as f64, before.events as f64 / before.total as f64);
        let outcome = if worse((now.events, now.total), (before.events, before.total), 1.0 + ratio) {
            Outcome::Failed
        } else if rate <= base * (1.0 + ratio) {
            Outcome::Passed
        } else {
            Outcome::Inconclusive
        };
        let words =
            format!("{} against {} of the baseline, allowed {} worse", percent(rate), percent(base), percent(ratio));
        let numbers =
            vec![("rate".into(), rate), ("baseline-rate".into(), base), ("requests".into(), now.total as f64)];
        return Some(Ruling { outcome, lacking: false, words, numbers });
    }
    let (bound, total) = quantile_bound(baseline, quantile)?;
    if total < min.max(1) {
        return Some(Ruling::lacking(format!("{total} requests of the baseline, of {min}"), total));
    }
    if bound == f64::MAX {
        let words =
            "the baseline is slower than its measurement reaches, so the candidate is not seen to be worse".into();
        let numbers = vec![("baseline-requests".into(), total as f64)];
        return Some(Ruling { outcome: Outcome::Passed, lacking: false, words, numbers });
    }
    let floor = match seen {
        Observation::Histogram(_) => bound + LATENCY_FLOOR_SECONDS,
        Observation::Samples(_) | Observation::Rate(_) => bound,
    };
    let allowed = (bound * (1.0 + ratio)).max(floor);
    let Slower { sure, about, total } = slower(seen, allowed)?;
    let what = format!("slower than {allowed:.3} s (the baseline's quantile {quantile} and {})", percent(ratio));
    Some(share_above(&what, (sure, about, total), 1.0 - quantile, None, min))
}

fn rule_name(trigger: &Trigger) -> String {
    match trigger.rule {
        Rule::RateAbove(limit) => format!("{} above {}", trigger.metric, percent(limit)),
        Rule::QuantileAbove { quantile, seconds } => {
            format!("{} above {seconds} s at quantile {quantile}", trigger.metric)
        }
        Rule::WorseBy { ratio, .. } => format!("{} worse than the baseline by {}", trigger.metric, percent(ratio)),
    }
}

/// Finds what a sample holds of a release.
fn of<'a>(sample: &'a Sample, metric: &str, release: &str) -> Option<&'a Observation> {
    sample.measurements.iter().find(|m| m.metric == metric && m.release == release).map(|m| &m.observation)
}

/// What one sample says by one trigger; none where the trigger does not apply to it.
fn rule(trigger: &Trigger, sample: &Sample, round: &Round<'_>) -> Option<Ruling> {
    let seen = of(sample, &trigger.metric, round.candidate)?;
    let base = round.baseline_of(sample, &trigger.metric);
    let min = trigger.min_samples;
    match (trigger.rule, seen) {
        (Rule::RateAbove(limit), Observation::Rate(rate)) => {
            let base = match base {
                Some(Observation::Rate(rate)) => Some((rate.events, rate.total)),
                _ => None,
            };
            Some(share_above("failed:", (rate.events, rate.events as f64, rate.total), limit, base, min))
        }
        (Rule::QuantileAbove { quantile, seconds }, seen) => {
            let Slower { sure, about, total } = slower(seen, seconds)?;
            let base = base.and_then(|b| slower(b, seconds)).map(|b| (b.about.max(0.0) as u64, b.total));
            let what = format!("slower than {seconds} s:");
            Some(share_above(&what, (sure, about, total), 1.0 - quantile, base, min))
        }
        (Rule::WorseBy { ratio, quantile }, seen) => worse_by(ratio, quantile, min, seen, base),
        (Rule::RateAbove(_), _) => None,
    }
}

fn rank(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Failed => 2,
        Outcome::Inconclusive => 1,
        Outcome::Passed => 0,
    }
}

/// One round of measurements, and what it is judged with.
#[derive(Clone, Copy, Debug)]
pub struct Round<'a> {
    /// What was measured.
    pub samples: &'a [Sample],
    /// The release that is judged.
    pub candidate: &'a str,
    /// The release it is compared with, where both have traffic.
    pub baseline: Option<&'a str>,
    /// What stable was last seen to do while it had traffic: a stable release that was broken is no reason to go back to it.
    pub before: &'a [Measurement],
    /// The whole watch so far: only samples over it can pass.
    pub whole: &'a Window,
    /// Whether a pass needs what the host observed, or two sources that agree: production does.
    pub independent: bool,
}

impl Round<'_> {
    /// What the baseline does now by this sample, or did when it last had traffic.
    fn baseline_of<'b>(&'b self, sample: &'b Sample, metric: &str) -> Option<&'b Observation> {
        match self.baseline {
            Some(release) => of(sample, metric, release),
            None => self.before.iter().find(|before| before.metric == metric).map(|before| &before.observation),
        }
    }
}

/// Judges one round by the plan's triggers. For each trigger the worst of its samples counts: those over its own window, and
/// those over the whole watch, which alone can pass.
pub fn judge(plan: &Plan, round: &Round<'_>) -> Judgement {
    let mut ruled: Vec<(&Trigger, bool, Verdict)> = Vec::new();
    for trigger in &plan.triggers {
        if round.baseline.is_some() || !matches!(trigger.rule, Rule::WorseBy { .. }) {
            let (lacking, verdict) = judge_trigger(trigger, round);
            ruled.push((trigger, lacking, verdict));
        }
    }
    ruled.sort_by_key(|(trigger, lacking, verdict)| {
        std::cmp::Reverse((rank(verdict.outcome), trigger.critical, !*lacking))
    });
    let performance = ruled.iter().find(|(trigger, ..)| !matches!(trigger.rule, Rule::RateAbove(_)));
    let performance = performance.map(|(_, _, verdict)| verdict.clone());
    let trip = hard_trip(plan, round);
    let tripped = trip.is_some();
    let (outcome, critical) = match ruled.first() {
        _ if tripped => (Outcome::Failed, true),
        Some((trigger, _, verdict)) => (verdict.outcome, trigger.critical && verdict.outcome == Outcome::Failed),
        None => (Outcome::Inconclusive, false),
    };
    let lacking = !tripped && ruled.iter().all(|(_, lacking, verdict)| *lacking || verdict.outcome == Outcome::Passed);
    let verdicts = trip.into_iter().chain(ruled.into_iter().map(|(_, _, verdict)| verdict)).collect();
    Judgement { outcome, critical, tripped, lacking, performance, verdicts }
}

/// So many failures that no statistics are needed: by what the host observed, where it observed anything.
fn hard_trip(plan: &Plan, round: &Round<'_>) -> Option<Verdict> {
    let trip = plan.hard_trip;
    let hosts = round.samples.iter().any(|sample| sample.observed_by_host && !sample.measurements.is_empty());
    let share = |rate: &Rate| rate.events as f64 / rate.total.max(1) as f64;
    // The error rate always, whether or not a trigger names it; and every other rate that has a limit.
    let limited = plan.triggers.iter().filter(|trigger| matches!(trigger.rule, Rule::RateAbove(_)));
    let metrics: BTreeSet<&str> = limited.map(|trigger| trigger.metric.as_str()).chain([ERROR_RATE]).collect();
    metrics.into_iter().flat_map(|metric| round.samples.iter().map(move |sample| (metric, sample))).find_map(
        |(metric, sample)| {
            if hosts && !sample.observed_by_host {
                return None;
            }
            let Observation::Rate(seen) = of(sample, metric, round.candidate)? else { return None };
            let trips = |rate: &Rate| rate.total >= trip.min_samples && share(rate) >= trip.rate;
            // A baseline that trips as well is broken by itself: then statistics must tell which is worse.
            let base = round.baseline_of(sample, metric);
            let broken = matches!(base, Some(Observation::Rate(rate)) if trips(rate));
            let trips = trips(seen) && !broken;
            trips.then(|| Verdict {
                outcome: Outcome::Failed,
                rule: format!("{metric} at or above {} at once", percent(trip.rate)),
                words: format!("hard trip: {} of {} requests failed", seen.events, seen.total),
                numbers: vec![("events".into(), seen.events as f64), ("requests".into(), seen.total as f64)],
                window: Some(sample.window.clone()),
            })
        },
    )
}

/// What one trigger says of a round, and whether nothing but the want of samples keeps it from passing.
fn judge_trigger(trigger: &Trigger, round: &Round<'_>) -> (bool, Verdict) {
    let own = i64::try_from(trigger.window.as_nanos()).unwrap_or(i64::MAX);
    let mut worst: Option<(Ruling, &Sample)> = None;
    let mut passed_by: Vec<&Sample> = Vec::new();
    for sample in round.samples {
        let full = sample.window == *round.whole;
        if !full && sample.window.end.saturating_sub(sample.window.start) != own {
            continue;
        }
        let Some(ruling) = rule(trigger, sample, round) else { continue };
        if full && ruling.outcome == Outcome::Passed {
            passed_by.push(sample);
        }
        // Over its own window too few requests are no reason to doubt: the whole watch has them, or has not.
        if !full && ruling.lacking {
            continue;
        }
        // One source with too few requests decides nothing where another has enough.
        let weight = |ruling: &Ruling| (!ruling.lacking, rank(ruling.outcome));
        if worst.as_ref().is_none_or(|(before, _)| weight(&ruling) > weight(before)) {
            worst = Some((ruling, sample));
        }
    }
    let (mut ruling, window) = match worst {
        Some((ruling, sample)) => (ruling, Some(sample.window.clone())),
        None => (Ruling::lacking(format!("nobody measured `{}`", trigger.metric), 0), None),
    };
    if ruling.outcome == Outcome::Passed {
        let first = passed_by.first().map(|sample| &sample.source);
        let backed = passed_by.iter().any(|sample| sample.observed_by_host || Some(&sample.source) != first);
        if first.is_none() || (round.independent && !backed) {
            ruling.outcome = Outcome::Inconclusive;
            ruling.lacking = true;
            ruling.words = match first {
                None => format!("{}; but too few requests over the whole watch", ruling.words),
                Some(source) => format!(
                    "{}; but only `{source}` says so: production needs what the host observed, or a second source",
                    ruling.words
                ),
            };
        }
    }
    let Ruling { outcome, lacking, words, numbers } = ruling;
    (lacking, Verdict { outcome, rule: rule_name(trigger), words, numbers, window })
}

#[cfg(test)]
mod tests;
