//! What comes in clumps by client: failures and slow requests of the same clients weigh less than as many that are independent, and so do
//! the requests that they are among.

use autodevops_model::{Bucket, Measurement, Observation, Outcome, Rate};
use autodevops_statistics::Share;

use super::{Round, latency::slower, of, ruling::Ruling, trip::ERROR_RATE};
use crate::{Method, Rule, Sample, Trigger};

/// The host's measure, as a single value, of how many times more a release's [`ERROR_RATE`] varies than it would if requests failed independently
/// of whose they are: the design effect by client, see [`autodevops_statistics::design_effect`]. Where it is not measured it is 1.
///
/// - What fails by the plain counts must also fail with events and requests divided by it; otherwise the release is not turned back.
/// - `min-samples` asks for so many requests after the division: a release that few clients use, some of whom fail, is not passed because they
///   ask often.
/// - With enough of them the plain counts pass it: of a hundred clients nobody could tell two that fail from five.
/// - Hard trips are no statistics: they take the plain counts.
pub const DESIGN_EFFECT: &str = "design-effect";

/// The metric of how long requests take, which the host itself observes, as a histogram in seconds.
pub const LATENCY: &str = "latency";

/// The host's measure, as one value for each bucket of a release's [`LATENCY`], of how many times more that varies than it would if requests took
/// long independently of whose they are: the design effect by client of the share of requests that took longer than the bucket's bound; the last,
/// which has no bound, that of their mean rank.
///
/// What fails by the plain counts must also fail with requests divided by it: by that of the bound where the rule's seconds lie, by that
/// of the rank where ranks are compared, and by the greatest where a quantile is compared, which may lie anywhere. What passes, passes by
/// the plain counts, however few clients there are: every service has some who ask for more than others do.
pub const LATENCY_EFFECTS: &str = "latency-design-effects";

/// What was seen, as it weighs.
pub(super) struct Weighed {
    pub(super) seen: Measurement,
    pub(super) baseline: Option<Observation>,
    /// How it came to that, and the numbers to check it by.
    words: String,
    numbers: Vec<(String, f64)>,
    /// Whether it takes a decision's requests after the division, too.
    asks_for_samples: bool,
}

/// What weighs otherwise than it counts, of what the host observed itself: whose requests those are that others count, nobody said.
pub(super) fn weigh(trigger: &Trigger, seen: &Measurement, sample: &Sample, round: &Round<'_>) -> Option<Weighed> {
    let of_errors = trigger.metric == ERROR_RATE;
    if !sample.observed_by_host || !(of_errors || trigger.metric == LATENCY) {
        return None;
    }
    let told = if of_errors { DESIGN_EFFECT } else { LATENCY_EFFECTS };
    let effect = |told: &Observation, counted: &Observation| effect(told, counted, trigger.rule);
    let own = of(sample, told, round.candidate).and_then(|measured| effect(&measured.observation, &seen.observation));
    let baseline = round.baseline_of(sample, &trigger.metric);
    let others = baseline.and_then(|baseline| effect(round.baseline_of(sample, told)?, baseline));
    if own.is_none() && others.is_none() {
        return None;
    }
    let (mut words, mut numbers) = (Vec::new(), Vec::new());
    let mut divide = |counted: &Observation, effect: Option<f64>, whose: &str, suffix: &str| {
        let Some((effect, (weighed, said))) =
            effect.and_then(|effect| Some((effect, divided(counted, effect, trigger.rule)?)))
        else {
            return counted.clone();
        };
        let Divided { events, total, words: how, weighs } = said;
        let events_of = events.map_or_else(String::new, |events| format!("{events} of "));
        let weighs_of = weighs.0.map_or_else(String::new, |events| format!("{events} of "));
        words.push(format!(
            "{events_of}{total} requests{whose}{how}, in clumps by client (design effect {effect:.2}), so that they weigh as \
             {weighs_of}{}",
            weighs.1
        ));
        numbers.push((format!("design-effect{suffix}"), effect));
        numbers.extend(events.map(|events| (format!("counted-events{suffix}"), events as f64)));
        numbers.push((format!("counted-requests{suffix}"), total as f64));
        weighed
    };
    let seen = Measurement { observation: divide(&seen.observation, own, "", ""), ..seen.clone() };
    let baseline = baseline.map(|baseline| divide(baseline, others, " of the baseline", "-of-baseline"));
    Some(Weighed { seen, baseline, words: words.join("; "), numbers, asks_for_samples: of_errors })
}

/// Counts before and after they are divided.
struct Divided {
    events: Option<u64>,
    total: u64,
    /// What the events are, after the word "requests".
    words: String,
    weighs: (Option<u64>, u64),
}

/// The counts divided by a design effect, to the nearest; none of what is no counts.
fn divided(counted: &Observation, effect: f64, rule: Rule) -> Option<(Observation, Divided)> {
    match counted {
        Observation::Rate(rate) => {
            let weighed = Share::new(rate.events, rate.total).weighed(effect);
            let (events, total) = (weighed.events(), weighed.total());
            let words = " failed".to_owned();
            let said = Divided { events: Some(rate.events), total: rate.total, words, weighs: (Some(events), total) };
            Some((Observation::Rate(Rate { events, total }), said))
        }
        Observation::Histogram(buckets) => {
            let weighed = |count: u64| (count as f64 / effect).round() as u64;
            let divided: Vec<Bucket> =
                buckets.iter().map(|bucket| Bucket { le: bucket.le, count: weighed(bucket.count) }).collect();
            let (total, weighs) = (buckets.last()?.count, divided.last()?.count);
            let divided = Observation::Histogram(divided);
            let (events, words, weighed) = match rule {
                Rule::QuantileAbove { seconds, .. } => {
                    let events = |of: &Observation| slower(of, seconds).map(|slower| slower.sure.events());
                    (events(counted), format!(" took longer than {seconds} s"), events(&divided))
                }
                _ => (None, " took as long as they did".to_owned(), None),
            };
            Some((divided, Divided { events, total, words, weighs: (weighed, weighs) }))
        }
        Observation::Samples(_) => None,
    }
}

impl Weighed {
    /// What holds, of what the counts as they are say, and of what they say as they weigh.
    pub(super) fn settle(self, as_counted: Ruling, as_weighed: Ruling) -> Ruling {
        let too_few = self.asks_for_samples && as_weighed.method == Method::MinSamples;
        if as_counted.outcome != Outcome::Failed && !too_few {
            return as_counted;
        }
        // Nothing passes that fails as it was counted: by rounding it might.
        let outcome = if as_weighed.outcome == Outcome::Failed { Outcome::Failed } else { Outcome::Inconclusive };
        let but = match as_weighed.outcome {
            Outcome::Passed => format!("; but as they were counted: {}", as_counted.words),
            Outcome::Failed | Outcome::Inconclusive => String::new(),
        };
        let words = format!("{}: {}{but}", self.words, as_weighed.words);
        let numbers = as_weighed.numbers.into_iter().chain(self.numbers).collect();
        let lacking = as_weighed.lacking && self.asks_for_samples;
        Ruling { outcome, words, numbers, lacking, ..as_weighed }
    }
}

/// By how much a release's failures in a sample weigh less than they count; 1 where that is not measured.
pub(crate) fn design_effect(sample: &Sample, release: &str) -> f64 {
    let told = of(sample, DESIGN_EFFECT, release).map(|measured| &measured.observation);
    match told {
        Some(Observation::Samples(effects)) => effects.first().copied().unwrap_or(1.0).max(1.0),
        _ => 1.0,
    }
}

/// The design effect that divides what was counted, of those that were told; none that divides nothing.
fn effect(told: &Observation, counted: &Observation, rule: Rule) -> Option<f64> {
    let Observation::Samples(effects) = told else { return None };
    let effect = match (counted, rule) {
        (Observation::Histogram(buckets), Rule::QuantileAbove { seconds, .. }) => {
            effects.get(buckets.iter().position(|bucket| bucket.le >= seconds)?).copied()
        }
        (Observation::Histogram(_), Rule::WorseBy { quantile: Some(_), .. }) => {
            effects.iter().copied().max_by(f64::total_cmp)
        }
        (Observation::Histogram(_), _) => effects.last().copied(),
        (Observation::Rate(_), _) => effects.first().copied(),
        (Observation::Samples(_), _) => None,
    };
    effect.filter(|effect| *effect > 1.0)
}
