//! Whether a plugin's measurement is of the window that was asked for: it says itself what it really covers.

use std::{borrow::Cow, time::Duration};

use autodevops_model::{Measurement, Outcome, Window};

use super::trigger::Ruled;
use crate::{Method, Plan, Sample, Timestamp};

/// By how much a measurement may begin or end elsewhere than asked, however often is measured: an answer takes its time.
const LEAST_SLACK: Duration = Duration::from_secs(10);

/// Where a window is long, one part in so many of it is as good as nothing: one answer that did not come must not count for ever.
const PART: i64 = 10;

/// What was said of another time than it was asked of.
pub(super) struct Astray {
    source: String,
    asked: Window,
    seen: Measurement,
}

/// By how much, in nanoseconds, a measurement may begin or end elsewhere than its window: one that is a difference of readings begins with one
/// that was made for another window, up to an interval and the time of an answer away.
fn slack(plan: &Plan, asked: &Window) -> i64 {
    let apart = plan.interval.saturating_mul(2).max(LEAST_SLACK);
    i64::try_from(apart.as_nanos()).unwrap_or(i64::MAX).max(asked.end.saturating_sub(asked.start) / PART)
}

/// What a measurement covers: the host's own is of its sample's window, which it rounds and has no more of than it keeps.
pub(super) fn window<'a>(sample: &'a Sample, seen: &'a Measurement) -> &'a Window {
    if sample.observed_by_host { &sample.window } else { &seen.window }
}

/// Whether it covers its sample's window from the beginning to the end.
pub(super) fn is_whole(plan: &Plan, sample: &Sample, seen: &Measurement) -> bool {
    let (covered, asked) = (window(sample, seen), &sample.window);
    let slack = slack(plan, asked);
    covered.start <= asked.start.saturating_add(slack) && covered.end >= asked.end.saturating_sub(slack)
}

/// Whether it is of its sample's window at all: neither of what was before nor of what comes after.
fn is_within(plan: &Plan, sample: &Sample, seen: &Measurement) -> bool {
    let (covered, asked) = (window(sample, seen), &sample.window);
    let slack = slack(plan, asked);
    let is_around = covered.start <= covered.end
        && covered.start >= asked.start.saturating_sub(slack)
        && covered.end <= asked.end.saturating_add(slack);
    sample.observed_by_host || is_around
}

/// The samples without what is of another time than they were asked of.
pub(crate) fn of_their_windows<'a>(plan: &Plan, samples: &'a [Sample]) -> Cow<'a, [Sample]> {
    sort(plan, samples).0
}

/// The samples with what is of their windows, as if the rest had not been seen; and that.
pub(super) fn sort<'a>(plan: &Plan, samples: &'a [Sample]) -> (Cow<'a, [Sample]>, Vec<Astray>) {
    let astray = |sample: &'a Sample| {
        let seen = sample.measurements.iter().filter(move |seen| !is_within(plan, sample, seen));
        seen.map(|seen| Astray { source: sample.source.clone(), asked: sample.window.clone(), seen: seen.clone() })
    };
    let astray: Vec<Astray> = samples.iter().flat_map(astray).collect();
    if astray.is_empty() {
        return (Cow::Borrowed(samples), astray);
    }
    let kept = samples.iter().cloned().map(|mut sample| {
        let all = std::mem::take(&mut sample.measurements);
        sample.measurements = all.into_iter().filter(|seen| is_within(plan, &sample, seen)).collect();
        sample
    });
    (Cow::Owned(kept.collect()), astray)
}

/// Says of a metric that nobody measured who measured it of another time.
pub(super) fn tell(ruled: &mut Ruled<'_>, astray: &[Astray], candidate: &str) {
    let is_its = |astray: &&Astray| astray.seen.metric == ruled.trigger.metric && astray.seen.release == candidate;
    let Some(Astray { source, asked, seen }) = astray.iter().find(is_its) else { return };
    if ruled.ruling.method == Method::NoData && ruled.ruling.outcome == Outcome::Inconclusive {
        let (metric, window) = (&seen.metric, times(&seen.window));
        ruled.ruling.words =
            format!("`{metric}` of `{candidate}` was measured by `{source}` over {window}, not over {}", times(asked));
    }
}

/// What keeps a measurement from speaking for the whole watch that covers a part of it.
pub(super) fn doubt(sample: &Sample, seen: &Measurement) -> String {
    format!("; but `{}` saw {} of {}", sample.source, times(window(sample, seen)), times(&sample.window))
}

/// From when to when, of the clock.
pub(super) fn times(window: &Window) -> String {
    format!("{} to {}", Timestamp(window.start).clock(), Timestamp(window.end).clock())
}
