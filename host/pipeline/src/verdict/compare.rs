//! The candidate against the baseline of the same time.

use autodevops_model::{Measurement, Observation, Outcome, Rate};
use autodevops_statistics::{Incomparable, Share, fisher, mann_whitney, shift, two_proportions};

use super::{
    CONFIDENCE,
    latency::{Slower, quantile_bound, slower, spread},
    ruling::{Ruling, chance, percent},
    threshold::{self, Limit, Seen},
};
use crate::{Direction, Method, Trigger};

/// A release is not worse for being slower by less than this: at a few milliseconds a share of the baseline is the machine's noise,
/// and nobody notices.
const LATENCY_FLOOR_SECONDS: f64 = 0.010;

/// A shift counts only by what it is sure to be above this share of itself: the tolerance of Netflix' Kayenta.
const TOLERANCE: f64 = 0.25;

/// What is allowed.
struct Allowed {
    ratio: f64,
    quantile: Option<f64>,
    /// Smaller differences are none.
    effect: f64,
    direction: Direction,
    min_samples: u64,
    /// What single values are counted in, as it stands after a number.
    unit: &'static str,
}

impl Allowed {
    /// What is more than it, or less where less is worse, in words.
    fn ratio_words(&self) -> String {
        let way = match self.direction {
            Direction::Increase => "more",
            Direction::Decrease => "less",
        };
        format!("{} {way}", percent(self.ratio))
    }
}

/// The contract's units of what is not a share; whatever else a plugin writes is no unit.
fn unit(seen: &Measurement) -> &'static str {
    match seen.unit.as_str() {
        "seconds" => " s",
        "bytes" => " bytes",
        _ => "",
    }
}

/// Compares by the trigger's rule, which allows so much.
pub(super) fn judge(
    trigger: &Trigger,
    (ratio, quantile): (f64, Option<f64>),
    seen: &Measurement,
    baseline: Option<&Observation>,
) -> Ruling {
    let Some(baseline) = baseline else {
        let words = format!("nobody measured `{}` of the baseline, to compare with", trigger.metric);
        return Ruling::lacking(words, 0);
    };
    let floor = match &seen.observation {
        Observation::Histogram(_) => LATENCY_FLOOR_SECONDS,
        Observation::Samples(_) | Observation::Rate(_) => 0.0,
    };
    let effect = trigger.effect.unwrap_or(floor);
    let min_samples = trigger.min_samples.max(1);
    let allowed = Allowed { ratio, quantile, effect, direction: trigger.direction, min_samples, unit: unit(seen) };
    match (&seen.observation, baseline) {
        (Observation::Rate(now), Observation::Rate(before)) => rates(now, before, &allowed),
        (Observation::Rate(_), _) | (_, Observation::Rate(_)) => Ruling::error(format!(
            "`{}` was measured in one way of the candidate and in another of the baseline; look at the plugin",
            trigger.metric
        )),
        (now, before) => match allowed.quantile {
            Some(quantile) => quantiles(now, before, quantile, &allowed),
            None => ranks(now, before, &allowed),
        },
    }
}

/// Too few requests, in words.
fn lacking(candidate: u64, baseline: u64, min_samples: u64) -> String {
    format!("{candidate} requests, and {baseline} of the baseline, of {min_samples} that a decision needs of each")
}

/// By the two-proportion test, and by the exact one where events are few.
fn rates(now: &Rate, before: &Rate, allowed: &Allowed) -> Ruling {
    let (candidate, baseline) = (Share::new(now.events, now.total), Share::new(before.events, before.total));
    let min = allowed.min_samples;
    if candidate.total().min(baseline.total()) < min {
        let words = lacking(candidate.total(), baseline.total(), min);
        return Ruling::lacking(words, candidate.total());
    }
    let (rate, base) = (candidate.rate(), baseline.rate());
    let (worse, better, limit, difference) = match allowed.direction {
        Direction::Increase => (candidate, baseline, base * (1.0 + allowed.ratio), rate - base),
        Direction::Decrease => (baseline, candidate, base * (1.0 - allowed.ratio), base - rate),
    };
    let test = two_proportions(worse, better);
    let rare = test.map_or(1.0, |test| test.chance).max(fisher(worse, better));
    let beyond = difference > allowed.effect
        && match allowed.direction {
            Direction::Increase => rate > limit,
            Direction::Decrease => rate < limit,
        };
    let numbers = [
        ("events", candidate.events() as f64),
        ("requests", candidate.total() as f64),
        ("rate", rate),
        ("baseline-events", baseline.events() as f64),
        ("baseline-requests", baseline.total() as f64),
        ("baseline-rate", base),
        ("allowed", limit),
        ("z", test.map_or(0.0, |test| test.z)),
        ("chance", rare),
    ];
    let said = format!(
        "{} of {} requests against {} of {} of the baseline, allowed {} ({}){}",
        percent(rate),
        candidate.total(),
        percent(base),
        baseline.total(),
        percent(limit),
        allowed.ratio_words(),
        match allowed.effect {
            effect if effect > 0.0 => format!(", and any difference of at most {}", percent(effect)),
            _ => String::new(),
        }
    );
    let (outcome, words) = match (beyond, rare < 1.0 - CONFIDENCE) {
        (false, _) => (Outcome::Passed, said),
        (true, true) => (Outcome::Failed, format!("{said}; worse: so by chance in {}", chance(rare))),
        (true, false) => (Outcome::Inconclusive, format!("{said}; worse, but it may be chance: {}", chance(rare))),
    };
    let ruling = Ruling::new(Method::TwoProportions, outcome, words, &numbers);
    Ruling { chance: (outcome == Outcome::Failed).then_some(rare), ..ruling }
}

/// How many of the candidate's are slower than the baseline's quantile and what is allowed beyond it.
fn quantiles(now: &Observation, before: &Observation, quantile: f64, allowed: &Allowed) -> Ruling {
    let unmeasured = || Ruling::error("the latencies have no buckets that reach so far; look at the plugin".to_owned());
    let Some((bound, total)) = quantile_bound(before, quantile) else { return unmeasured() };
    if total < allowed.min_samples {
        let words = format!("{total} requests of the baseline, of {} that a decision needs", allowed.min_samples);
        return Ruling::lacking(words, total);
    }
    if bound == f64::MAX {
        let words = "the baseline is slower than its measurement reaches, so the candidate is not seen to be worse";
        let numbers = [("baseline-requests", total as f64)];
        return Ruling::new(Method::Quantile, Outcome::Passed, words.to_owned(), &numbers);
    }
    let most = (bound * (1.0 + allowed.ratio)).max(bound + allowed.effect);
    let Some(Slower { sure, about }) = slower(now, most) else { return unmeasured() };
    let (unit, by_effect) = (allowed.unit, bound + allowed.effect >= bound * (1.0 + allowed.ratio));
    let more = if by_effect {
        format!("{:.3}{unit} more", allowed.effect)
    } else {
        format!("{} more", percent(allowed.ratio))
    };
    let seen = Seen::new(sure, about, |share| {
        format!(
            "{share} are above {most:.3}{unit} (the baseline's quantile {quantile} is {bound:.3}{unit}, and {more})"
        )
    });
    // Of a release that is as the baseline, at most so many are slower.
    let share = 1.0 - quantile;
    let min_samples = allowed.min_samples;
    let limit = Limit { share, good: share, min_samples, baseline: None, is_past: false, sequential: None };
    let ruling = threshold::judge(&seen, &limit);
    let method = if ruling.method == Method::Wilson { Method::Quantile } else { ruling.method };
    // The comparison is passed by being not worse; that it is surely below takes more requests than the baseline's word is worth.
    let outcome = if ruling.lacking && method == Method::Quantile { Outcome::Passed } else { ruling.outcome };
    Ruling { method, outcome, lacking: ruling.lacking && outcome != Outcome::Passed, ..ruling }
}

/// By ranks: whether the candidate's tend to be longer, and by how much.
fn ranks(now: &Observation, before: &Observation, allowed: &Allowed) -> Ruling {
    let (Some(candidate), Some(baseline)) = (spread(now), spread(before)) else {
        return Ruling::error("what was measured is no latency; look at the plugin".to_owned());
    };
    let (n, m) = (candidate.count(), baseline.count());
    if n.min(m) < allowed.min_samples {
        return Ruling::lacking(lacking(n, m, allowed.min_samples), n);
    }
    let (worse, better) = match allowed.direction {
        Direction::Increase => (&candidate, &baseline),
        Direction::Decrease => (&baseline, &candidate),
    };
    let (test, typical) = match (mann_whitney(worse, better), baseline.quantile(0.5)) {
        (Ok(test), Some(typical)) => (test, typical),
        (Err(Incomparable::Buckets), _) => {
            let words = "candidate and baseline are counted by buckets of different bounds; look at the plugin";
            return Ruling::error(words.to_owned());
        }
        _ => return Ruling::lacking("nothing was measured".to_owned(), 0),
    };
    let numbers = [
        ("requests", n as f64),
        ("baseline-requests", m as f64),
        ("superiority", test.superiority()),
        ("z", test.z),
        ("chance", test.chance),
        ("baseline-median", typical),
    ];
    let said = format!(
        "{n} requests against {m} of the baseline: worse in {} of all pairs (Mann–Whitney z = {:.2}, so by chance in {})",
        percent(test.superiority()),
        test.z,
        chance(test.chance)
    );
    let ruled = |outcome, words| Ruling::new(Method::MannWhitney, outcome, words, &numbers);
    if test.chance >= 1.0 - CONFIDENCE {
        return ruled(Outcome::Passed, format!("{said}; not more than by chance"));
    }
    let moved = match shift(worse, better, CONFIDENCE) {
        Ok(moved) => moved,
        Err(_) => return Ruling::lacking("nothing was measured".to_owned(), 0),
    };
    let (by_ratio, unit) = (allowed.ratio * typical, allowed.unit);
    let least = by_ratio.max(allowed.effect);
    let of = match allowed.effect > by_ratio {
        true => ", the least that counts".to_owned(),
        false => format!(", {} of that", percent(allowed.ratio)),
    };
    let words = format!(
        "{said}; by {:.4}{unit} (at least {:.4}{unit} with 99 % confidence) on the baseline's median of {typical:.4}{unit}, allowed \
         {least:.4}{unit}{of}",
        moved.estimate, moved.lower
    );
    let sure = moved.lower > TOLERANCE * moved.estimate.abs();
    let outcome = match (moved.estimate > least, sure) {
        (false, _) => Outcome::Passed,
        (true, true) => Outcome::Failed,
        (true, false) => Outcome::Inconclusive,
    };
    let ruling = ruled(outcome, words).number("shift", moved.estimate).number("lower-bound", moved.lower);
    Ruling { chance: (outcome == Outcome::Failed).then_some(test.chance), ..ruling }.number("allowed", least)
}
