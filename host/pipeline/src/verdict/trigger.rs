//! What one trigger says of a round.

use autodevops_model::{Measurement, Observation, Outcome, Window};
use autodevops_statistics::Share;

use super::{
    Round, clumps, compare, covered,
    latency::{Slower, slower},
    of,
    ruling::{Ruling, percent, rank},
    threshold::{self, Chances, Limit, Seen},
    trip::{self, ALL_ERRORS, ERROR_RATE},
};
use crate::{Method, NoData, Plan, Rule, Sample, Strike, Timestamp, Trigger, Verdict};

/// A trigger and what it says.
pub(super) struct Ruled<'a> {
    pub(super) trigger: &'a Trigger,
    pub(super) ruling: Ruling,
    /// It failed, and needs no further window for that.
    pub(super) confirmed: bool,
    window: Option<Window>,
}

impl Ruled<'_> {
    /// Says whether it is enough that it failed, by the bad windows before.
    pub(super) fn confirm(&mut self, plan: &Plan, round: &Round<'_>) {
        if self.ruling.outcome != Outcome::Failed {
            return;
        }
        let (windows, until) = Strike::with(round.strikes, &self.trigger.name(), self.window.as_ref());
        let needed = plan.decision.bad_windows;
        self.confirmed = self.ruling.at_once || windows >= needed;
        // The windows of a dry run are not counted.
        if !self.ruling.at_once && !self.trigger.dry_run {
            self.ruling.words.push_str(&bad_windows(windows, needed, until));
        }
    }

    pub(super) fn verdict(&self) -> Verdict {
        let Ruling { method, outcome, words, numbers, .. } = self.ruling.clone();
        let (service, rule, dry_run) = (String::new(), self.trigger.name(), self.trigger.dry_run);
        Verdict { service, outcome, rule, words, numbers, window: self.window.clone(), method: Some(method), dry_run }
    }
}

/// Which bad window it is, the last of which ended then, of so many that are needed; what for, where it is not enough.
fn bad_windows(windows: u32, needed: u32, until: Timestamp) -> String {
    match (windows, needed) {
        (_, 0) => String::new(),
        (_, 1) => "; one bad window is enough".to_owned(),
        _ if windows < needed => format!(
            "; bad window {windows} of {needed} in a row: so far it may be chance, the next begins at {} or later",
            until.clock()
        ),
        _ if windows == needed => format!("; bad window {windows} of {needed} in a row"),
        _ => format!("; bad window {windows} in a row, where {needed} are enough"),
    }
}

/// What one trigger says of a round: the worst of its samples.
pub(super) fn judge<'a>(plan: &Plan, trigger: &'a Trigger, round: &Round<'_>) -> Ruled<'a> {
    let Some(begun) = trigger.begun(round.whole) else {
        let words = format!("`{}` is not judged in the first {:?} of a watch", trigger.metric, trigger.initial_delay);
        return Ruled { trigger, ruling: Ruling::lacking(words, 0), confirmed: false, window: None };
    };
    let own = i64::try_from(trigger.window.as_nanos()).unwrap_or(i64::MAX);
    let name = trigger.name();
    let bad_before = round.strikes.iter().find(|strike| strike.rule == name);
    // What came in since the last bad window: it would be the next in a row.
    let next = bad_before.map(|strike| trigger.next_window(strike, Timestamp(round.whole.end)));
    let mut worst: Option<(Ruling, &Window, bool)> = None;
    let mut passed_by: Vec<&Sample> = Vec::new();
    for sample in round.samples {
        let of_whole = sample.window == begun;
        let is_own = sample.window.start >= begun.start && sample.window.end.saturating_sub(sample.window.start) == own;
        let is_next = next.as_ref() == Some(&sample.window);
        if !(of_whole || is_next || is_own) {
            continue;
        }
        let Some(seen) = of(sample, &trigger.metric, round.candidate) else { continue };
        if repeats(seen, sample, round) {
            continue;
        }
        let full = of_whole && covered::is_whole(plan, sample, seen);
        let mut ruling = rule(plan, trigger, seen, (sample, full), round);
        if of_whole && !full && ruling.method != Method::Error && ruling.outcome != Outcome::Failed {
            ruling = lacking(ruling, &covered::doubt(sample, seen));
        }
        if full && ruling.outcome == Outcome::Passed {
            passed_by.push(sample);
        }
        // Its own window can only fail: that it does not is no reason to doubt what the whole watch says.
        if !of_whole && ruling.outcome != Outcome::Failed {
            continue;
        }
        // One source with too few requests decides nothing where another has enough.
        let weight = |ruling: &Ruling, follows: bool| (!ruling.lacking, rank(ruling.outcome), follows);
        let window = covered::window(sample, seen);
        let follows = bad_before.is_some_and(|strike| window.start >= strike.until.0);
        if worst.as_ref().is_none_or(|(before, _, did)| weight(&ruling, follows) > weight(before, *did)) {
            worst = Some((ruling, window, follows));
        }
    }
    let (mut ruling, mut window) = match worst {
        // What cannot be judged is as if it had not been seen: it takes back no bad window before.
        Some((ruling, ..)) if ruling.method == Method::Error => (ruling, None),
        Some((ruling, window, _)) => (ruling, Some(window.clone())),
        None => (unmeasured(trigger, round), None),
    };
    // Staging may have no visitors.
    if trigger.no_data == NoData::Fail && round.independent && is_silent(trigger, round, (&begun, own)) {
        let words = format!("nothing came in of `{}` over its whole window", trigger.metric);
        ruling = Ruling::new(Method::NoData, Outcome::Failed, words, &[]);
        window = Some(Window { start: round.whole.end.saturating_sub(own), end: round.whole.end });
    }
    if ruling.outcome == Outcome::Passed {
        ruling = backed(ruling, &passed_by, (plan, trigger), round);
    }
    let compared = ruling.numbers.iter().any(|(name, _)| name.starts_with("baseline"));
    if let Some(baseline) = round.baseline.filter(|_| round.fresh && compared) {
        ruling = ruling.and(&format!("; the baseline is `{baseline}`, started with the release and of its size"));
    }
    Ruled { trigger, ruling, confirmed: false, window }
}

/// Whether a plugin only tells what the host counted itself, as one does that reads the front door's counters: about as many requests, and
/// no more errors. Then the host's own count stands, in which one client does not make a trend; and it is no second source.
fn repeats(seen: &Measurement, sample: &Sample, round: &Round<'_>) -> bool {
    let Observation::Rate(said) = &seen.observation else { return false };
    if sample.observed_by_host || seen.metric != ERROR_RATE {
        return false;
    }
    // The readings are not of quite the same moments.
    let about = |count: u64| (count / 10).max(5);
    let hosts = round.samples.iter().filter(|other| other.observed_by_host && other.window == sample.window);
    hosts.filter_map(|host| trip::rate(host, ALL_ERRORS, round.candidate)).any(|all| {
        said.total.abs_diff(all.total) <= about(all.total)
            && said.events <= all.events.saturating_add(about(all.events))
    })
}

/// A pass needs a sample over the whole watch, and in production the host's own or two sources of two publishers; one is enough where the
/// host vouches for the release.
fn backed(ruling: Ruling, passed_by: &[&Sample], (plan, trigger): (&Plan, &Trigger), round: &Round<'_>) -> Ruling {
    let two = passed_by
        .iter()
        .any(|sample| sample.observed_by_host || passed_by.iter().any(|other| other.origin.is_apart(&sample.origin)));
    let Some(source) = passed_by.first().map(|sample| &sample.source) else {
        return lacking(ruling, "; but not over the whole watch");
    };
    if !round.independent || two {
        return ruling;
    }
    if is_measured_by_host(&trigger.metric, round) {
        let doubt = "production needs what the host observed, or a second source of another publisher";
        return lacking(ruling, &format!("; but only `{source}` says so: {doubt}"));
    }
    if is_vouched_for(plan, round) {
        return ruling
            .and(&format!("; `{source}` says so, beside the `{ERROR_RATE}` that the host observed, which passes"));
    }
    let doubt =
        format!("production needs a second source of another publisher, or the host's own `{ERROR_RATE}` that passes");
    lacking(ruling, &format!("; but only `{source}` says so: {doubt}"))
}

fn lacking(ruling: Ruling, doubt: &str) -> Ruling {
    Ruling { outcome: Outcome::Inconclusive, lacking: true, ..ruling }.and(doubt)
}

fn is_measured_by_host(metric: &str, round: &Round<'_>) -> bool {
    let hosts = round.samples.iter().filter(|sample| sample.observed_by_host);
    hosts.filter_map(|sample| of(sample, metric, round.candidate)).count() > 0
}

/// Whether the host's own errors of the whole watch pass a trigger that decides, whatever there is to compare with. Then a metric that it
/// cannot see may be one plugin's: by a lie that gains nothing, since without its trigger the release would pass just so.
fn is_vouched_for(plan: &Plan, round: &Round<'_>) -> bool {
    let passes = |trigger: &Trigger| {
        let begun = trigger.begun(round.whole);
        let hosts =
            round.samples.iter().filter(|sample| sample.observed_by_host && Some(&sample.window) == begun.as_ref());
        let passes = |sample| {
            let seen = of(sample, ERROR_RATE, round.candidate)?;
            Some(rule(plan, trigger, seen, (sample, true), round).outcome == Outcome::Passed)
        };
        hosts.filter_map(passes).any(|passes| passes)
    };
    plan.triggers.iter().filter(|trigger| trigger.vouches()).any(passes)
}

fn unmeasured(trigger: &Trigger, round: &Round<'_>) -> Ruling {
    let mut metrics: Vec<&str> = Vec::new();
    let measured = round.samples.iter().flat_map(|sample| &sample.measurements);
    for metric in measured.filter(|seen| seen.release == round.candidate).map(|seen| seen.metric.as_str()) {
        if !metrics.contains(&metric) && !trip::is_own(metric) {
            metrics.push(metric);
        }
    }
    let others =
        if metrics.is_empty() { String::new() } else { format!("; measured of it were {}", metrics.join(", ")) };
    let ruling = Ruling::lacking(format!("nobody measured `{}` of `{}`{others}", trigger.metric, round.candidate), 0);
    Ruling { method: Method::NoData, ..ruling }
}

/// Whether a whole window is over, and nothing was seen in it.
fn is_silent(trigger: &Trigger, round: &Round<'_>, (begun, own): (&Window, i64)) -> bool {
    let length = |window: &Window| window.end.saturating_sub(window.start);
    let seen = |sample: &Sample| match of(sample, &trigger.metric, round.candidate).map(|seen| &seen.observation) {
        Some(Observation::Rate(rate)) => rate.total > 0,
        Some(Observation::Histogram(buckets)) => buckets.last().is_some_and(|bucket| bucket.count > 0),
        Some(Observation::Samples(values)) => !values.is_empty(),
        None => false,
    };
    length(begun) >= own && !round.samples.iter().any(|sample| length(&sample.window) == own && seen(sample))
}

/// What one sample says by one trigger.
///
/// `full`: the sample is over the whole watch. Over the trigger's own window the sequential test would begin anew with every look.
fn rule(
    plan: &Plan,
    trigger: &Trigger,
    seen: &Measurement,
    (sample, full): (&Sample, bool),
    round: &Round<'_>,
) -> Ruling {
    let baseline = round.baseline_of(sample, &trigger.metric);
    let as_counted = by_rule(plan, trigger, (seen, baseline), full, round);
    match clumps::weigh(trigger, seen, sample, round) {
        Some(weighed) => {
            let both = (&weighed.seen, weighed.baseline.as_ref());
            let as_weighed = by_rule(plan, trigger, both, full, round);
            weighed.settle(as_counted, as_weighed)
        }
        None => as_counted,
    }
}

/// What the trigger's rule says of what was seen, and of the baseline.
fn by_rule(
    plan: &Plan,
    trigger: &Trigger,
    (seen, baseline): (&Measurement, Option<&Observation>),
    full: bool,
    round: &Round<'_>,
) -> Ruling {
    let limit = |share: f64, baseline: Option<Share>| {
        let decides = full && round.independent && plan.decision.is_sequential(round.percent);
        let tests = plan.sequential_tests().saturating_mul(round.chances.max(1));
        let sequential = decides.then_some(Chances { alpha: plan.decision.alpha, tests, beta: plan.decision.beta });
        let (good, is_past) = (threshold::GOOD * share, round.baseline.is_none());
        Limit { share, good, min_samples: trigger.min_samples, baseline, is_past, sequential }
    };
    let rate = |observation: &Observation| match observation {
        Observation::Rate(rate) => Some(Share::new(rate.events, rate.total)),
        Observation::Histogram(_) | Observation::Samples(_) => None,
    };
    let other = |wanted: &str| {
        Ruling::error(format!(
            "`{}` was not measured as {wanted}, which its trigger needs; look at the plugin",
            trigger.metric
        ))
    };
    match trigger.rule {
        Rule::RateAbove(share) => {
            let Some(sure) = rate(&seen.observation) else { return other("events out of a total") };
            let seen = Seen::new(sure, sure.events() as f64, |share| match trigger.metric.as_str() {
                ERROR_RATE => format!("{share} failed"),
                metric => format!("{metric}: {share}"),
            });
            threshold::judge(&seen, &limit(share, baseline.and_then(rate)))
        }
        Rule::RateBelow(share) => {
            let Some(sure) = rate(&seen.observation) else { return other("events out of a total") };
            let rest = sure.rest();
            let seen = Seen::new(rest, rest.events() as f64, |share| {
                format!("{}: {}, the rest: {share}", trigger.metric, percent(sure.rate()))
            });
            threshold::judge(&seen, &limit(1.0 - share, baseline.and_then(rate).map(Share::rest)))
        }
        Rule::QuantileAbove { quantile, seconds } => {
            let Some(Slower { sure, about }) = slower(&seen.observation, seconds) else { return other("a latency") };
            let baseline = baseline.and_then(|baseline| slower(baseline, seconds)).map(|baseline| baseline.sure);
            let seen = Seen::new(sure, about, |share| format!("{share} are slower than {seconds} s"));
            threshold::judge(&seen, &limit(1.0 - quantile, baseline))
        }
        Rule::WorseBy { ratio, quantile } => compare::judge(trigger, (ratio, quantile), seen, baseline),
    }
}

impl Trigger {
    /// Its rule in words: what its verdicts are named by.
    pub(crate) fn name(&self) -> String {
        let metric = &self.metric;
        match self.rule {
            Rule::RateAbove(limit) => format!("{metric} above {}", percent(limit)),
            Rule::RateBelow(limit) => format!("{metric} below {}", percent(limit)),
            Rule::QuantileAbove { quantile, seconds } => format!("{metric} above {seconds} s at quantile {quantile}"),
            Rule::WorseBy { ratio, .. } => format!("{metric} worse than the baseline by {}", percent(ratio)),
        }
    }

    /// What of the whole watch counts: all but the initial delay; none while that lasts.
    pub(crate) fn begun(&self, whole: &Window) -> Option<Window> {
        let start = Timestamp(whole.start).after(self.initial_delay).0;
        (self.initial_delay.is_zero() || start < whole.end).then_some(Window { start, end: whole.end })
    }

    /// The window that ends now and has no moment in common with the last bad one; no longer than the trigger's own.
    pub(crate) fn next_window(&self, bad: &Strike, now: Timestamp) -> Window {
        Window { start: now.before(self.window).max(bad.until).0, end: now.0 }
    }

    /// Whether it is one by which the host sees for itself that a release is good: of errors, and wherever the release is.
    pub fn vouches(&self) -> bool {
        self.metric == ERROR_RATE && self.is_rate() && !self.dry_run
    }

    /// Whether it is about a share of events.
    pub(super) const fn is_rate(&self) -> bool {
        matches!(self.rule, Rule::RateAbove(_) | Rule::RateBelow(_))
    }
}
