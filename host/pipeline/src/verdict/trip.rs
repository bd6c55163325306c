//! So many failures that no statistics are needed: by what the host observed, where it observed anything.

use std::time::Duration;

use autodevops_model::{Observation, Outcome, Rate};
use autodevops_statistics::{Share, fisher};

use super::{
    CONFIDENCE, Round,
    clumps::{DESIGN_EFFECT, LATENCY_EFFECTS},
    covered::times,
    of,
    ruling::percent,
};
use crate::{HardTrip, Method, Plan, Sample, Verdict};

/// The metric that a hard trip always looks at, and that the host itself observes.
pub const ERROR_RATE: &str = "error-rate";

/// The host's count of all errors; [`ERROR_RATE`] leaves out what a few clients see again and again. It turns nothing back. It keeps a release
/// from being passed that fails for nearly everyone where hardly anyone uses it, and it shows what plugins merely repeat.
pub const ALL_ERRORS: &str = "all-errors";

/// The host's sign that a release ends by itself again and again: 1 of 1.
pub const CRASH_LOOP: &str = "crash-loop";

/// The host's sign that a release does not answer its probe: 1 of 1.
pub const PROBE: &str = "probe";

/// The longest part of a watch in which a release must be surely worse than what is beside it to trip by itself.
pub(crate) const GLIMPSE: Duration = Duration::from_secs(10);

/// A chance that is none, by Fisher's exact test, though it is looked at four times a second.
const BY_CHANCE: f64 = 1e-6;

/// Signs that trip by themselves, and what they mean.
const SIGNS: [(&str, &str); 2] =
    [(CRASH_LOOP, "the release ends by itself again and again"), (PROBE, "the release does not answer its probe")];

/// Whether a metric is for the host alone, which no trigger names.
pub(super) fn is_own(metric: &str) -> bool {
    [ALL_ERRORS, DESIGN_EFFECT, LATENCY_EFFECTS].contains(&metric) || SIGNS.iter().any(|(sign, _)| *sign == metric)
}

pub(crate) fn hard_trip(plan: &Plan, round: &Round<'_>) -> Option<Verdict> {
    sign(round).or_else(|| failures(plan, round))
}

/// What a sample holds of a release by a metric that is a rate.
pub(crate) fn rate<'a>(sample: &'a Sample, metric: &str, release: &str) -> Option<&'a Rate> {
    match of(sample, metric, release).map(|measured| &measured.observation) {
        Some(Observation::Rate(rate)) => Some(rate),
        _ => None,
    }
}

/// The host alone gives signs, and only where the baseline does not show the same: then it is the machine's fault.
fn sign(round: &Round<'_>) -> Option<Verdict> {
    let shows =
        |sample: &Sample, sign: &str, release: &str| rate(sample, sign, release).is_some_and(|rate| rate.events > 0);
    let samples = round.samples.iter().filter(|sample| sample.observed_by_host);
    samples.flat_map(|sample| SIGNS.iter().map(move |sign| (sample, sign))).find_map(|(sample, (sign, words))| {
        let broken = round.baseline.is_some_and(|baseline| shows(sample, sign, baseline));
        (shows(sample, sign, round.candidate) && !broken).then(|| Verdict {
            service: String::new(),
            outcome: Outcome::Failed,
            rule: format!("{sign} at once"),
            words: format!("hard trip: {words}"),
            numbers: Vec::new(),
            window: Some(sample.window.clone()),
            method: Some(Method::HardTrip),
            dry_run: false,
        })
    })
}

fn failures(plan: &Plan, round: &Round<'_>) -> Option<Verdict> {
    let trip = plan.hard_trip;
    rates(round).find_map(|(sample, seen)| {
        // A baseline that trips as well is broken by itself: then statistics must tell which is worse.
        (trips(trip, seen) && !excused(trip, round, (sample, seen))).then(|| Verdict {
            service: String::new(),
            outcome: Outcome::Failed,
            rule: format!("{ERROR_RATE} at or above {:.1} % at once", trip.rate * 100.0),
            words: format!("hard trip: {} of {} requests failed{}", seen.events, seen.total, part(round, sample)),
            numbers: vec![("events".into(), seen.events as f64), ("requests".into(), seen.total as f64)],
            window: Some(sample.window.clone()),
            method: Some(Method::HardTrip),
            dry_run: false,
        })
    })
}

/// What keeps a release from being promoted by itself though it is no worse than a baseline that trips: it may fail so often itself that a
/// hard trip would turn it back beside any other. A person may have it as the lesser evil; numbers cannot say that it is good.
pub(super) fn lesser_evil(plan: &Plan, round: &Round<'_>) -> Option<Verdict> {
    let trip = plan.hard_trip;
    let mut whole = rates(round).filter(|(sample, _)| sample.window.start == round.whole.start);
    whole.find_map(|(sample, seen)| {
        let share = Share::new(seen.events, seen.total);
        let upper = share.wilson_upper(CONFIDENCE);
        let may_trip = upper >= trip.rate && excused(trip, round, (sample, seen));
        may_trip.then(|| Verdict {
            service: String::new(),
            outcome: Outcome::Inconclusive,
            rule: format!("{ERROR_RATE} surely below {:.1} %", trip.rate * 100.0),
            words: format!(
                "{} of {} requests failed, {}; no worse than the baseline, which is broken, but at the 99 % upper bound {} not surely below \
                 the {} that are too many beside any: a person must say whether it is the lesser evil",
                seen.events,
                seen.total,
                percent(share.rate()),
                percent(upper),
                percent(trip.rate),
            ),
            numbers: vec![
                ("events".into(), seen.events as f64),
                ("requests".into(), seen.total as f64),
                ("upper-bound".into(), upper),
            ],
            window: Some(sample.window.clone()),
            method: Some(Method::Wilson),
            dry_run: false,
        })
    })
}

/// What keeps a release from being promoted by itself though its [`ERROR_RATE`] is good: so many of all its requests failed that more clients would
/// have tripped a hard trip. Whether that is their own doing, numbers cannot say.
pub(super) fn of_few_clients(plan: &Plan, round: &Round<'_>) -> Option<Verdict> {
    let trip = plan.hard_trip;
    let whole =
        round.samples.iter().filter(|sample| sample.observed_by_host && sample.window.start == round.whole.start);
    let mut all = whole.filter_map(|sample| Some((sample, rate(sample, ALL_ERRORS, round.candidate)?)));
    // What the baseline does as well is of no release's doing.
    let is_alike = |sample: &Sample| matches!(round.baseline_of(sample, ALL_ERRORS), Some(Observation::Rate(rate)) if trips(trip, rate));
    all.find(|(sample, all)| trips(trip, all) && !is_alike(sample)).map(|(sample, all)| {
        let counted = rate(sample, ERROR_RATE, round.candidate).map_or(0, |rate| rate.events);
        Verdict {
            service: String::new(),
            outcome: Outcome::Inconclusive,
            rule: format!("{ALL_ERRORS} below {}", percent(trip.rate)),
            words: format!(
                "{} of {} requests failed, {} by the count in which a few clients make no trend: a person must say whether it is their own \
                 doing",
                all.events, all.total, counted,
            ),
            numbers: vec![
                ("all-errors".into(), all.events as f64),
                ("events".into(), counted as f64),
                ("requests".into(), all.total as f64),
            ],
            window: Some(sample.window.clone()),
            method: Some(Method::HardTrip),
            dry_run: false,
        }
    })
}

/// The candidate's error rates that may trip, of the samples that count, whether or not a trigger names it. What else is counted, such as what
/// a cache misses, need be no failure.
fn rates<'a>(round: &Round<'a>) -> impl Iterator<Item = (&'a Sample, &'a Rate)> {
    let (samples, candidate) = (round.samples, round.candidate);
    let hosts = samples.iter().any(|sample| sample.observed_by_host && !sample.measurements.is_empty());
    let counts = samples.iter().filter(move |sample| sample.observed_by_host || !hosts);
    counts.filter_map(move |sample| Some((sample, rate(sample, ERROR_RATE, candidate)?)))
}

fn trips(trip: HardTrip, rate: &Rate) -> bool {
    rate.total >= trip.min_samples && rate.events as f64 / rate.total.max(1) as f64 >= trip.rate
}

/// When, where it is not the whole watch.
fn part(round: &Round<'_>, sample: &Sample) -> String {
    if sample.window.start == round.whole.start { String::new() } else { format!(" from {}", times(&sample.window)) }
}

/// Whether the baseline trips by itself; or, in a glimpse, whether the release is not surely worse than what is beside it: an outage of what both
/// use crosses half of the one's requests a moment before the other's.
fn excused(trip: HardTrip, round: &Round<'_>, (sample, seen): (&Sample, &Rate)) -> bool {
    let is_glimpse = sample.window.start != round.whole.start
        && sample.window.end.saturating_sub(sample.window.start) <= GLIMPSE.as_nanos() as i64;
    match round.baseline_of(sample, ERROR_RATE) {
        Some(Observation::Rate(baseline)) => {
            let share = |rate: &Rate| Share::new(rate.events, rate.total);
            trips(trip, baseline) || (is_glimpse && fisher(share(seen), share(baseline)) >= BY_CHANCE)
        }
        _ => is_glimpse && round.baseline.is_some(),
    }
}
