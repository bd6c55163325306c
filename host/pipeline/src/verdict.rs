//! From what was observed to a verdict: measurements in; pass, fail, inconclusive or error out, each with the rule that decided and its
//! numbers, in words that can be checked by hand. Nothing else decides about measurements.
//!
//! ```text
//! round ── covered ──> what plugins say of the windows that they were asked of
//!    ├── trip ──> hard trip: no statistics
//!    └── trigger ── clumps ──> failures and slow requests of the same clients, as they weigh
//!            ├── threshold ──> share against a limit: sequential test, Wilson's bounds
//!            ├── compare ──> candidate against baseline: two proportions, a quantile, ranks
//!            └── family ──> what is left of a small chance over all metrics and looks
//! ```
//!
//! - A share fails when the sequential test (at small steps) or Wilson's 99 % lower bound says that it is above the limit, and passes when
//!   that test or the 99 % upper bound says that it is below. Between them more must be seen. What the test fails turns back at once; what
//!   the bound fails must do so in `bad-windows` windows in a row.
//! - A comparison fails when the candidate is worse with 99 % confidence, and by more than is allowed.
//! - What fails a window must be so rare of a good release that it does not come by chance in a whole rollout. A release is good that
//!   fails as often as the baseline, or at 0.4 of the threshold where that is more.
//! - In production a pass needs what the host observed, or two sources of two publishers. A metric that the host does not measure passes by
//!   one plugin's word where the host's own errors pass beside it.
//! - What a plugin says of another time than it was asked of is as if it had not been seen. What is of a part of the watch passes nothing.
//! - A baseline that breaks the threshold itself is not this rollout's fault: then the candidate is held against the baseline. But one that
//!   may fail as often as a hard trip turns back for is promoted by nothing but a person's word, whatever the baseline does.

mod clumps;
mod compare;
mod covered;
mod family;
mod latency;
mod ruling;
mod threshold;
mod trigger;
mod trip;

use autodevops_model::{Measurement, Observation, Outcome, Window};

use crate::event::JUDGED_AT_ALL;
use crate::{Method, Plan, Rule, Sample, Strike, Trigger, Verdict};

pub use clumps::{DESIGN_EFFECT, LATENCY, LATENCY_EFFECTS};
pub use trip::{ALL_ERRORS, CRASH_LOOP, ERROR_RATE, PROBE};

pub(crate) use clumps::design_effect;
pub(crate) use covered::of_their_windows;
pub(crate) use trip::{GLIMPSE, hard_trip, rate};

use ruling::{Ruling, rank};
use trigger::Ruled;

/// The confidence of every bound, one-sided.
pub const CONFIDENCE: f64 = 0.99;

/// What the samples of one round say of the candidate.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// A rule is crossed: failed. All are met by enough samples: passed. Else inconclusive.
    pub outcome: Outcome,
    /// Whether a crossed rule turns the release back by itself.
    pub critical: bool,
    /// Whether a crossed rule needs no second window: a hard trip, or the sequential test.
    pub at_once: bool,
    /// Whether that is enough: it needs no second window, or this is the second.
    pub confirmed: bool,
    /// Whether nothing speaks against it but the want of samples.
    pub lacking: bool,
    /// The worst of what the triggers of latency say; none where there are none.
    pub performance: Option<Verdict>,
    /// The verdict of each trigger, the deciding one first, dry runs last.
    pub verdicts: Vec<Verdict>,
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
    /// Whether the baseline was started with the candidate, and is of its size.
    pub fresh: bool,
    /// What stable was last seen to do while it had traffic: a stable release that was broken is no reason to go back to it.
    pub before: &'a [Measurement],
    /// Bad windows before this, of the watch.
    pub strikes: &'a [Strike],
    /// The whole watch so far: only samples over it can pass.
    pub whole: &'a Window,
    /// Whether a pass needs what the host observed, or two sources that agree, or of a metric that the host does not measure one source beside
    /// the host's errors that pass: production does.
    pub independent: bool,
    /// The candidate's share of the traffic in per cent: small ones are decided by the sequential test.
    pub percent: u8,
    /// By how much the plan's `alpha` and `window-alpha` are divided for this round: the number of services that are promoted together,
    /// doubled each time that the watch began anew.
    pub chances: u64,
}

impl Round<'_> {
    /// What the baseline does now by this sample, or did when it last had traffic.
    fn baseline_of<'b>(&'b self, sample: &'b Sample, metric: &str) -> Option<&'b Observation> {
        match self.baseline {
            Some(release) => of(sample, metric, release).map(|measured| &measured.observation),
            None => self.before.iter().find(|before| before.metric == metric).map(|before| &before.observation),
        }
    }
}

/// Finds what a sample holds of a release.
fn of<'a>(sample: &'a Sample, metric: &str, release: &str) -> Option<&'a Measurement> {
    sample.measurements.iter().find(|measured| measured.metric == metric && measured.release == release)
}

/// Judges one round by the plan's triggers. For each trigger the worst of its samples counts: those over its own window, and
/// those over the whole watch, which alone can pass.
pub fn judge(plan: &Plan, round: &Round<'_>) -> Judgement {
    let (samples, astray) = covered::sort(plan, round.samples);
    let round = &Round { samples: &samples, ..*round };
    let applies = |trigger: &&Trigger| round.baseline.is_some() || !matches!(trigger.rule, Rule::WorseBy { .. });
    let mut ruled: Vec<Ruled<'_>> =
        plan.triggers.iter().filter(applies).map(|trigger| trigger::judge(plan, trigger, round)).collect();
    ruled.iter_mut().for_each(|ruled| covered::tell(ruled, &astray, round.candidate));
    family::correct(plan, round, &mut ruled);
    ruled.iter_mut().for_each(|ruled| ruled.confirm(plan, round));
    let (dry, mut ruled): (Vec<_>, Vec<_>) = ruled.into_iter().partition(|ruled| ruled.trigger.dry_run);
    ruled.sort_by_key(|ruled| {
        let rank = rank(ruled.ruling.outcome);
        let Ruling { at_once, lacking, .. } = ruled.ruling;
        std::cmp::Reverse((rank, ruled.confirmed, ruled.trigger.critical, at_once, !lacking))
    });
    let trip = trip::hard_trip(plan, round);
    if trip.is_none() {
        family::weigh(plan, &mut ruled);
    }
    let performance = ruled.iter().find(|ruled| !is_of_events(ruled.trigger, round));
    let performance = performance.map(Ruled::verdict);
    let tripped = trip.is_some();
    let passes = !tripped && ruled.first().is_some_and(|first| first.ruling.outcome == Outcome::Passed);
    let doubt = || trip::lesser_evil(plan, round).or_else(|| trip::of_few_clients(plan, round));
    let doubt = passes.then(doubt).flatten();
    let (barred, trip) = (doubt.is_some(), trip.or(doubt));
    let (outcome, critical, at_once, confirmed) = match ruled.first() {
        _ if tripped => (Outcome::Failed, true, true, true),
        _ if barred => (Outcome::Inconclusive, false, false, false),
        Some(first) if first.ruling.outcome == Outcome::Failed => {
            // What is confirmed decides; what is not yet shows only what it would come to.
            let confirmed = first.confirmed;
            let counts = |ruled: &Ruled<'_>| ruled.ruling.outcome == Outcome::Failed && ruled.confirmed == confirmed;
            let together = family::score(&ruled, counts) < plan.decision.min_score;
            let at_once = ruled.iter().any(|ruled| {
                let turns_back = ruled.trigger.critical || together || !first.trigger.critical;
                counts(ruled) && ruled.ruling.at_once && turns_back
            });
            (Outcome::Failed, first.trigger.critical || together, at_once, confirmed)
        }
        Some(first) => (first.ruling.outcome, false, false, false),
        None => (Outcome::Inconclusive, false, false, false),
    };
    let lacking = trip.is_none()
        && !ruled.is_empty()
        && ruled.iter().all(|ruled| ruled.ruling.lacking || ruled.ruling.outcome == Outcome::Passed);
    let unjudged = (trip.is_none() && ruled.is_empty()).then(nothing_to_compare);
    let verdicts = trip.into_iter().chain(unjudged).chain(ruled.iter().chain(&dry).map(Ruled::verdict)).collect();
    Judgement { outcome, critical, at_once, confirmed, lacking, performance, verdicts }
}

/// Whether a trigger is about a share of events: by its rule, or where that compares, by what was measured.
fn is_of_events(trigger: &Trigger, round: &Round<'_>) -> bool {
    let seen = round.samples.iter().filter_map(|sample| of(sample, &trigger.metric, round.candidate));
    let counted = seen.filter(|seen| matches!(seen.observation, Observation::Rate(_))).count() > 0;
    trigger.is_rate() || trigger.metric == ERROR_RATE || counted
}

/// All triggers that decide compare, and no other release has traffic: a configuration of today is refused for that, plans of before went
/// on with it.
fn nothing_to_compare() -> Verdict {
    Verdict {
        service: String::new(),
        outcome: Outcome::Inconclusive,
        rule: JUDGED_AT_ALL.to_owned(),
        words: "nothing was judged: all triggers that decide are `worse-by`, and there is nothing to compare with; add one that is \
                `above` something"
            .to_owned(),
        numbers: Vec::new(),
        window: None,
        method: Some(Method::NoData),
        dry_run: false,
    }
}

/// Whether a rule is crossed that needs no second window. Where none is, [`Judgement::at_once`] is not either: comparisons never are.
pub(crate) fn is_crossed_at_once(plan: &Plan, round: &Round<'_>) -> bool {
    let sequential = plan.triggers.iter().filter(|trigger| trigger.is_sequential() && !trigger.dry_run);
    let mut ruled = sequential.map(|trigger| trigger::judge(plan, trigger, round).ruling);
    hard_trip(plan, round).is_some() || ruled.any(|ruling| ruling.outcome == Outcome::Failed && ruling.at_once)
}

#[cfg(test)]
mod tests;
