//! Failures that come in clumps by client: they weigh less than as many that are independent, and so do the requests that they are among.

use autodevops_model::{Measurement, Observation, Outcome, Rate};
use autodevops_statistics::Share;

use super::{Round, of, ruling::Ruling, trip::ERROR_RATE};
use crate::{Method, Sample, Trigger};

/// The host's measure, as a single value, of how many times more a release's [`ERROR_RATE`] varies than it would if requests failed independently
/// of whose they are: the design effect by client, see [`autodevops_statistics::design_effect`]. Where it is not measured it is 1.
///
/// - What fails by the plain counts must also fail with events and requests divided by it; otherwise the release is not turned back.
/// - `min-samples` asks for so many requests after the division: a release that few clients use, some of whom fail, is not passed because they
///   ask often.
/// - With enough of them the plain counts pass it: of a hundred clients nobody could tell two that fail from five.
/// - Hard trips are no statistics: they take the plain counts.
pub const DESIGN_EFFECT: &str = "design-effect";

/// What was seen of a rate, as it weighs.
pub(super) struct Weighed {
    pub(super) seen: Measurement,
    pub(super) baseline: Option<Observation>,
    /// How it came to that, and the numbers to check it by.
    words: String,
    numbers: Vec<(String, f64)>,
}

/// What weighs otherwise than it counts, of what the host observed itself: whose requests those are that others count, nobody said.
pub(super) fn weigh(trigger: &Trigger, seen: &Measurement, sample: &Sample, round: &Round<'_>) -> Option<Weighed> {
    if trigger.metric != ERROR_RATE || !sample.observed_by_host {
        return None;
    }
    let own = of(sample, DESIGN_EFFECT, round.candidate).and_then(|measured| effect(&measured.observation));
    let baseline = round.baseline_of(sample, ERROR_RATE);
    let others = round.baseline_of(sample, DESIGN_EFFECT).filter(|_| baseline.is_some()).and_then(effect);
    if own.is_none() && others.is_none() {
        return None;
    }
    let (mut words, mut numbers) = (Vec::new(), Vec::new());
    let mut divide = |counted: &Observation, effect: Option<f64>, whose: &str, suffix: &str| {
        let (Observation::Rate(counted), Some(effect)) = (counted, effect) else { return counted.clone() };
        let share = Share::new(counted.events, counted.total);
        let weighed = share.weighed(effect);
        let (events, total) = (share.events(), share.total());
        words.push(format!(
            "{events} of {total} requests{whose} failed, in clumps by client (design effect {effect:.2}), so that they weigh as {} of {}",
            weighed.events(),
            weighed.total()
        ));
        let counts = [("design-effect", effect), ("counted-events", events as f64), ("counted-requests", total as f64)];
        numbers.extend(counts.map(|(name, number)| (format!("{name}{suffix}"), number)));
        Observation::Rate(Rate { events: weighed.events(), total: weighed.total() })
    };
    let seen = Measurement { observation: divide(&seen.observation, own, "", ""), ..seen.clone() };
    let baseline = baseline.map(|baseline| divide(baseline, others, " of the baseline", "-of-baseline"));
    Some(Weighed { seen, baseline, words: words.join("; "), numbers })
}

impl Weighed {
    /// What holds, of what the counts as they are say, and of what they say as they weigh.
    pub(super) fn settle(self, as_counted: Ruling, as_weighed: Ruling) -> Ruling {
        let too_few = as_weighed.method == Method::MinSamples;
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
        Ruling { outcome, words, numbers, ..as_weighed }
    }
}

/// A design effect that divides anything.
fn effect(observation: &Observation) -> Option<f64> {
    match observation {
        Observation::Samples(values) => values.first().copied().filter(|effect| *effect > 1.0),
        Observation::Rate(_) | Observation::Histogram(_) => None,
    }
}
