//! A share of events against a limit that it must not be above.

use autodevops_model::Outcome;
use autodevops_statistics::{Course, Decision, Share, Sprt, bonferroni, difference_upper, fisher, two_proportions};

use super::{
    CONFIDENCE,
    ruling::{Ruling, chance, percent},
};
use crate::Method;

/// A release is good that fails at this share of the threshold; the sequential test's low rate. (With a threshold of 5 %: 2 %.)
pub(super) const GOOD: f64 = 0.4;

/// The sequential test's high rate is so many times the low one. (8 %, so that it decides near 4.4 %.)
const BAD: f64 = 4.0;

/// A candidate is as good as a baseline that breaks the limit itself where it is surely not above it by this share of it: two that fail
/// alike would be told apart by chance for ever.
const ALIKE: f64 = 1.0 / 3.0;

/// What was seen of a share that has a limit.
pub(super) struct Seen {
    /// That in words, such as `12.0 % of 100 requests failed`.
    pub(super) words: String,
    /// How many beyond doubt.
    pub(super) sure: Share,
    /// How many about, where they are counted by buckets.
    pub(super) about: f64,
}

/// What it is held against.
pub(super) struct Limit {
    pub(super) share: f64,
    /// A release that fails so often is good, unless the baseline does more often.
    pub(super) good: f64,
    /// Fewer requests decide nothing.
    pub(super) min_samples: u64,
    /// What the baseline does, or did.
    pub(super) baseline: Option<Share>,
    /// Whether that is of a time before: stable has no traffic now.
    pub(super) is_past: bool,
    /// The chances of the sequential test to be wrong, where it decides.
    pub(super) sequential: Option<Chances>,
}

/// The sequential test's chances to be wrong, from 0 to 1.
#[derive(Clone, Copy)]
pub(super) struct Chances {
    /// That any of a rollout's tests takes a good release for a bad one.
    pub(super) alpha: f64,
    /// So many tests share that.
    pub(super) tests: u64,
    /// That this one takes a bad release for a good one.
    pub(super) beta: f64,
}

impl Chances {
    /// This test's part, in words.
    fn part(self) -> String {
        match self.tests {
            1 => percent(self.alpha),
            tests => format!("{}/{tests}", percent(self.alpha)),
        }
    }

    /// The evidence at which it fails, with how that comes about.
    fn fail_at(self, course: &Course) -> String {
        let part = if self.tests == 1 { self.part() } else { format!("({})", self.part()) };
        format!("{:.2} = ln({}/{part})", course.high_at, percent(1.0 - self.beta))
    }

    /// The evidence at which it passes, with how that comes about.
    fn pass_at(self, course: &Course) -> String {
        format!("{:.2} = ln({}/({} − {}))", course.low_at, percent(self.beta), percent(1.0), self.part())
    }
}

impl Seen {
    /// So many of a total, of which the words are made by their share.
    pub(super) fn new(sure: Share, about: f64, words: impl FnOnce(&str) -> String) -> Self {
        let seen = Self { words: String::new(), sure, about };
        let share = format!("{} of {} requests", percent(seen.rate()), sure.total());
        Self { words: words(&share), ..seen }
    }

    fn rate(&self) -> f64 {
        self.about / self.sure.total().max(1) as f64
    }

    /// With what is not sure: a pass must hold for it too.
    fn at_worst(&self) -> Share {
        Share::new(self.about.ceil() as u64, self.sure.total())
    }
}

pub(super) fn judge(seen: &Seen, limit: &Limit) -> Ruling {
    let total = seen.sure.total();
    if total < limit.min_samples.max(1) {
        let words = format!("{total} requests, of {} that a decision needs", limit.min_samples.max(1));
        return Ruling::lacking(words, total);
    }
    let baseline = limit.baseline.filter(|baseline| baseline.total() >= limit.min_samples.max(1));
    let fixed = fixed(seen, limit, baseline);
    let by_sequence = limit.sequential.and_then(|chances| sequential(seen, limit, baseline, chances));
    if let Some(broken) = baseline.filter(|baseline| baseline.rate() > limit.share) {
        // Far worse than even that one: this is known with the fewest requests.
        if let Some(ruling) = by_sequence.clone().filter(|ruling| ruling.outcome == Outcome::Failed) {
            return ruling;
        }
        let ruling = against_broken(seen, limit, broken);
        let certain = broken.wilson_lower(CONFIDENCE) > limit.share;
        match ruling.outcome {
            // A candidate that is surely below the limit needs no baseline.
            Outcome::Inconclusive if fixed.outcome == Outcome::Passed => return fixed,
            Outcome::Failed if !certain => {}
            _ => return ruling,
        }
    }
    // Beside a baseline that is near the limit the sequential test asks for more than the limit: then that one holds by itself.
    let near = baseline.is_some_and(|baseline| baseline.rate() > limit.good);
    match by_sequence {
        Some(ruling) if ruling.outcome != Outcome::Inconclusive => ruling,
        Some(ruling) if fixed.outcome == Outcome::Inconclusive || (fixed.outcome == Outcome::Failed && !near) => ruling,
        // The upper bound may be the quicker one, of many requests.
        _ => fixed,
    }
}

impl Limit {
    /// How often the baseline fails, in words that follow its name.
    fn baseline_words(&self, baseline: Share) -> String {
        let is = if self.is_past { "was last" } else { "is" };
        format!("{is} at {} ({} of {})", percent(baseline.rate()), baseline.events(), baseline.total())
    }
}

fn said(seen: &Seen, limit: &Limit) -> String {
    format!("{}, threshold {}", seen.words, percent(limit.share))
}

/// The rate of a release that is good.
fn good(limit: &Limit, baseline: Option<Share>) -> f64 {
    baseline.map_or(0.0, Share::rate).max(limit.good)
}

/// By Wilson's bounds.
fn fixed(seen: &Seen, limit: &Limit, baseline: Option<Share>) -> Ruling {
    let (lower, upper) = (seen.sure.wilson_lower(CONFIDENCE), seen.at_worst().wilson_upper(CONFIDENCE));
    let (rate, said) = (seen.rate(), said(seen, limit));
    let numbers = [
        ("events", seen.about),
        ("requests", seen.sure.total() as f64),
        ("rate", rate),
        ("lower-bound", lower),
        ("upper-bound", upper),
        ("threshold", limit.share),
    ];
    let ruled = |outcome, words: String| Ruling::new(Method::Wilson, outcome, words, &numbers);
    if lower > limit.share {
        let good = good(limit, baseline);
        let rare = seen.sure.tail(good);
        let words = format!(
            "{said}; above it even at the 99 % lower bound {}; a release at {} shows so many with a chance of {}",
            percent(lower),
            percent(good),
            chance(rare)
        );
        return Ruling { chance: Some(rare), ..ruled(Outcome::Failed, words) }.number("chance", rare);
    }
    if upper < limit.share {
        return ruled(Outcome::Passed, format!("{said}; below it even at the 99 % upper bound {}", percent(upper)));
    }
    if rate <= limit.share {
        let words = format!("{said}; not above it, but that may be chance: the 99 % upper bound is {}", percent(upper));
        return Ruling { lacking: true, ..ruled(Outcome::Inconclusive, words) };
    }
    ruled(
        Outcome::Inconclusive,
        format!("{said}; above it, but it may be chance: the 99 % lower bound is {}", percent(lower)),
    )
}

/// By the sequential test: what speaks for a bad rate and against a good one so far. None where the limit leaves no room for one.
fn sequential(seen: &Seen, limit: &Limit, baseline: Option<Share>, chances: Chances) -> Option<Ruling> {
    let low = good(limit, baseline);
    let high = (BAD * low).min(f64::midpoint(limit.share.max(low), 1.0));
    let test = Sprt::new(low, high, bonferroni(chances.alpha, chances.tests), chances.beta).ok()?;
    let (events, rest) = (seen.sure.events(), seen.sure.rest().events());
    let course = test.course(seen.sure);
    let is_low = test.course(seen.at_worst()).decision == Decision::Low;
    let numbers = [
        ("events", events as f64),
        ("requests", seen.sure.total() as f64),
        ("rate", seen.rate()),
        ("threshold", limit.share),
        ("good-rate", low),
        ("bad-rate", high),
        ("evidence", course.evidence),
        ("pass-at", course.low_at),
        ("fail-at", course.high_at),
        ("alpha", chances.alpha),
        ("tests", chances.tests as f64),
        ("beta", chances.beta),
    ];
    let sum = format!(
        "{events} × ln({}/{}) + {rest} × ln({}/{}) = {:.2}",
        percent(high),
        percent(low),
        percent(1.0 - high),
        percent(1.0 - low),
        course.evidence
    );
    let (pass_at, fail_at) = (chances.pass_at(&course), chances.fail_at(&course));
    let above = seen.rate() > limit.share;
    let (outcome, words) = match course.decision {
        // The test decides between its two rates; what it finds must not go against the limit itself.
        Decision::High if above => (Outcome::Failed, format!("at or above {fail_at}: it fails")),
        Decision::High => (Outcome::Inconclusive, "for the bad rate, but not above the threshold".to_owned()),
        Decision::Low if !above && is_low => (Outcome::Passed, format!("at or below {pass_at}: it is good")),
        Decision::Low if !above => {
            (Outcome::Inconclusive, "for the good rate, but not by what the buckets leave open".to_owned())
        }
        Decision::Low => (Outcome::Inconclusive, "for the good rate, but above the threshold".to_owned()),
        Decision::Open => (Outcome::Inconclusive, format!("between {pass_at} and {fail_at}: undecided")),
    };
    let base = baseline
        .filter(|baseline| baseline.rate() > limit.good)
        .map_or_else(String::new, |baseline| format!("; the baseline {}", limit.baseline_words(baseline)));
    let words = format!("{}{base}; sequential test: evidence {sum}, {words}", said(seen, limit));
    let ruling = Ruling::new(Method::Sprt, outcome, words, &numbers);
    let lacking = outcome == Outcome::Inconclusive && course.decision != Decision::High && !above;
    Some(Ruling { at_once: outcome == Outcome::Failed, lacking, ..ruling })
}

/// Against a baseline that breaks the limit itself. Where that is certain, the candidate need not be below the limit either. Both are
/// counted in the same way: by what is beyond doubt, where buckets leave some.
fn against_broken(seen: &Seen, limit: &Limit, baseline: Share) -> Ruling {
    let (rate, base) = (seen.rate(), baseline.rate());
    let certain = baseline.wilson_lower(CONFIDENCE) > limit.share;
    let rare = two_proportions(seen.sure, baseline).map_or(1.0, |test| test.chance).max(fisher(seen.sure, baseline));
    let numbers = [
        ("events", seen.about),
        ("requests", seen.sure.total() as f64),
        ("rate", rate),
        ("threshold", limit.share),
        ("baseline-events", baseline.events() as f64),
        ("baseline-requests", baseline.total() as f64),
        ("baseline-rate", base),
        ("chance", rare),
    ];
    let said = format!("{}; the baseline itself {}", said(seen, limit), limit.baseline_words(baseline));
    let (outcome, rest) = if rare < 1.0 - CONFIDENCE {
        let words = format!("and the candidate is worse: so by chance in {}", chance(rare));
        (Outcome::Failed, words)
    } else if seen.sure.rate() <= base && certain {
        (Outcome::Passed, "and the candidate is not worse: stable is broken, not by this release".to_owned())
    } else if difference_upper(seen.at_worst(), baseline, CONFIDENCE) <= base * ALIKE && certain {
        let words = "and the candidate is surely not worse by a third of that: stable is broken, not by this release";
        (Outcome::Passed, words.to_owned())
    } else {
        (Outcome::Inconclusive, "and the candidate is not surely worse".to_owned())
    };
    let ruling = Ruling::new(Method::TwoProportions, outcome, format!("{said}, {rest}"), &numbers);
    let lacking = outcome == Outcome::Inconclusive && rate <= limit.share;
    Ruling { lacking, chance: (outcome == Outcome::Failed).then_some(rare), ..ruling }
}
