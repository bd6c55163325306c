//! Issues out of what was kept of a source's lines.

use std::collections::BTreeMap;

use autodevops_sdk::types::{Evidence, Forecast, History, Issue, IssueKind, RateChange, Severity};

use super::{
    Watched,
    debugging::Debugging,
    durations::{Durations, Slowdown, shown, three},
    gaps::Silence,
    gauges::Trend,
    load::{Kinds, Load},
    rates::{self, Changed},
    series::Series,
    starts::Starts,
    sure,
    track::Track,
    wordings::Wordings,
};
use crate::{group::shorten, grouping::GroupId, template::fingerprint, time::SECOND};

/// Fewest lines of a source, and seconds that it covers, before anything is said of its rates.
const MIN_LINES: u64 = 50;
const MIN_SECONDS: i64 = 120;
/// Fewest lines of a kind.
const MIN_COUNT: u64 = 7;
/// The least evidence.
const MIN_EVIDENCE: f64 = 3.0;
/// By how much a rate of ordinary lines rises or falls at the least, and how many lines that makes.
const MIN_RATIO: f64 = 1.5;
const MIN_EXCESS: f64 = 15.0;
/// The shortest change of an ordinary rate, in minutes: less is a job that ran.
const MIN_MINUTES: f64 = 1.0;
/// How far off the onset of a change may be, as a share of what it lasted.
const ONSET_ERROR: f64 = 0.17;
/// The share of the time of a fall in which nothing at all was logged.
const MAX_LOST: f64 = 0.3;
/// Lines of a kind before its rate rose, or since it fell, as a share of all, when it is the kind itself that is new, or no more.
const NEXT_TO_NONE: f64 = 0.02;
/// How high a second pulse may be, as a share of the first: what comes again is usual.
const MAX_RIVAL: f64 = 0.5;

/// An issue, and when it began.
#[derive(Clone)]
pub struct Finding {
    /// The issue.
    pub issue: Issue,
    /// Since when, in nanoseconds.
    pub onset: i64,
    /// Whether that has a year.
    pub dated: bool,
    /// Where.
    pub source: String,
    /// How far apart things may be in nanoseconds that count as the same moment.
    pub blur: i64,
    /// Requests and traces that its lines name, as hashes.
    pub ids: Vec<u64>,
    /// Whether it was there before, in the sessions before this.
    pub known: bool,
}

/// What is wrong with the lines of a source. `groups` says which patterns are of one group, and what the group has in common.
pub fn find(name: &str, watched: &Watched, groups: &BTreeMap<GroupId, (GroupId, String)>) -> Vec<Finding> {
    let Some(coverage) = watched.covers() else { return Vec::new() };
    if watched.lines < MIN_LINES || coverage.1.saturating_sub(coverage.0) < MIN_SECONDS * SECOND {
        return Vec::new();
    }
    let mut tracks: BTreeMap<GroupId, (Track, Option<&str>)> = BTreeMap::new();
    for (id, track) in &watched.tracks {
        let (group, template) =
            groups.get(id).map_or((*id, None), |(group, template)| (*group, Some(template.as_str())));
        match tracks.get_mut(&group) {
            Some((known, _)) => known.merge(track),
            None => drop(tracks.insert(group, (track.clone(), template))),
        }
    }
    let starts = Starts::new(tracks.values().map(|(track, _)| track));
    let wordings = Wordings::new(tracks.values().map(|(track, _)| track));
    let debugging = Debugging::new(tracks.values().map(|(track, _)| track), coverage);
    let following = tracks.values().filter(|(track, _)| !sure::is_regular(track.gaps.spread()));
    let kinds = Kinds::new(&watched.all, following.map(|(track, _)| (track.count, &track.series)));
    let mut found = Vec::new();
    for (track, template) in tracks.values().filter(|(track, _)| track.count >= MIN_COUNT) {
        // There is no telling what was before the lines that are known of.
        let coverage = if track.came_before { (track.seen.0, coverage.1) } else { coverage };
        let template = template.unwrap_or(&track.shape);
        let of = Subject { name, track, template, coverage, watched, starts: &starts, debugging: &debugging };
        let silence = of.silent();
        let changed = || rate(&track.series, &kinds, &watched.all, coverage).map(|changed| of.rate(&changed));
        let gone = silence.map(|silence| of.silence(&silence)).or_else(changed);
        // What goes on in other words has neither stopped nor changed.
        found.extend(gone.filter(|_| !wordings.has_another(track)));
        let load = |from: i64, to: i64| watched.all.sum(from.saturating_mul(SECOND), to.saturating_mul(SECOND));
        found.extend(track.durations.iter().filter_map(|durations| {
            let slowdown = slowdown(durations, load)?;
            Some(of.slowdown(&slowdown, durations))
        }));
        found.extend(track.gauges.iter().filter_map(|gauge| {
            let trend = gauge.trend()?;
            Some(of.trend(&trend, &gauge.name, &gauge.unit))
        }));
    }
    found
}

fn rate(series: &Series, kinds: &Kinds<'_>, all: &Series, coverage: (i64, i64)) -> Option<Changed> {
    rates::change(series, Some(Load::Kinds(kinds)), coverage, MAX_RIVAL).filter(|changed| {
        let ratio = changed.ratio();
        let lost = || all.lost(changed.from, changed.to.unwrap_or(coverage.1));
        changed.evidence >= MIN_EVIDENCE
            && (ratio >= MIN_RATIO || ratio <= 1.0 / MIN_RATIO)
            && changed.excess().abs() >= MIN_EXCESS
            && changed.minutes >= MIN_MINUTES
            // Lines that are lost with all others have not become fewer.
            && (ratio > 1.0 || lost() < MAX_LOST)
    })
}

/// The lines that a finding is about.
struct Subject<'a> {
    name: &'a str,
    track: &'a Track,
    template: &'a str,
    coverage: (i64, i64),
    /// All lines of the source.
    watched: &'a Watched,
    starts: &'a Starts,
    debugging: &'a Debugging,
}

impl Subject<'_> {
    /// How many of its lines were to be expected between two times, by what else was logged and by what came until a third; none
    /// where nothing else was logged until then.
    fn expected(&self, (from, to): (i64, i64), known: i64) -> Option<f64> {
        let (all, own, begun) = (&self.watched.all, &self.track.series, self.coverage.0);
        let others = |from: i64, to: i64| (all.sum(from, to) - own.sum(from, to)).max(0.0);
        let before = others(begun, known);
        (before > 0.0).then(|| own.sum(begun, known) / before * others(from, to))
    }

    /// Whether its lines stopped for good with a start of the service.
    fn ended_with_a_start(&self) -> bool {
        let last = self.track.seen.1;
        let clumps = self.clumps();
        self.starts.stopped(last, self.track.gaps.often_away(), |from, to| {
            self.expected((from, to), last).unwrap_or_default() / clumps
        })
    }

    /// Whether a change from one time to another, which may not have come, is of what is written at all.
    fn switched(&self, from: i64, to: Option<i64>) -> bool {
        self.debugging.switched(self.track, (from, to.unwrap_or(self.coverage.1)))
    }

    /// Whether its first line came with a start of the service.
    fn began_with_a_start(&self) -> bool {
        let (first, last) = (self.track.seen.0, self.coverage.1);
        let (own, clumps) = (&self.track.series, self.clumps());
        let others = |from: i64, to: i64| (self.watched.all.sum(from, to) - own.sum(from, to)).max(0.0);
        let each = own.sum(first, last) / others(first, last).max(1.0);
        self.starts.began(first, self.track.gaps.often_away(), |from, to| each * others(from, to) / clumps)
    }

    /// How many of its lines come at once while it comes.
    fn clumps(&self) -> f64 {
        self.track.series.clumps(self.coverage, self.track.seen)
    }

    fn silent(&self) -> Option<Silence> {
        let (track, gaps) = (self.track, &self.watched.gaps);
        let begun = self.coverage.0;
        let expected = |from: i64, to: i64| {
            // Lines that are lost with all others have not stopped.
            let heard = 1.0 - gaps.within(from, to) as f64 / to.saturating_sub(from).max(1) as f64;
            let by_time = heard * to.saturating_sub(from) as f64 / SECOND as f64 / track.gaps.usual();
            Some(self.expected((from, to), from)?.min(by_time))
        };
        let silence = track.gaps.silence(self.coverage.1, expected)?;
        // What came for a short while only was never expected to go on.
        let came = silence.from.saturating_sub(track.seen.0) as f64;
        let before = silence.from.saturating_sub(begun) as f64;
        let lasted = silence.lasted * SECOND as f64;
        (silence.evidence >= MIN_EVIDENCE && came >= 0.5 * before && came >= 0.5 * lasted.min(before))
            .then_some(silence)
    }

    fn issue(&self, kind: IssueKind, key: &str, severity: Severity, title: &str) -> Issue {
        let track = self.track;
        let line =
            |(line, text): &(u64, String)| Evidence { source: self.name.to_owned(), line: *line, text: text.clone() };
        let mut evidence = vec![line(&track.first)];
        if track.last.0 != track.first.0 {
            evidence.push(line(&track.last));
        }
        Issue {
            count: track.count,
            first_seen: self.watched.is_dated().then_some(track.seen.0),
            last_seen: self.watched.is_dated().then_some(track.seen.1),
            evidence,
            template: Some(self.template.to_owned()),
            history: history(&track.series, self.coverage),
            ..Issue::new(fingerprint(&[key, &track.shape]), kind, severity, shorten(title))
        }
    }

    fn finding(&self, issue: Issue, onset: i64, blur_seconds: f64) -> Finding {
        Finding {
            issue,
            onset,
            dated: self.watched.is_dated(),
            source: self.name.to_owned(),
            blur: (blur_seconds * SECOND as f64) as i64,
            ids: Vec::new(),
            known: false,
        }
    }

    fn silence(&self, silence: &Silence) -> Finding {
        let ended = if silence.to.is_some() { "was silent for" } else { "has been silent for" };
        let reason = format!(
            "it came about every {}, {} times, and then {ended} {}, in which about {} were to be expected",
            lasting(silence.usual),
            self.track.count,
            lasting(silence.lasted),
            three(silence.missed)
        );
        let title = format!("stopped: {}", self.template);
        let confidence = sure::silence(silence.evidence, silence.spread);
        // A heartbeat has to go on when its service was started anew; another line may be one that a new version does not write.
        let by_version = silence.to.is_none() && !sure::is_regular(silence.spread) && self.ended_with_a_start();
        let wanted = by_version || self.switched(silence.from, silence.to);
        let issue = Issue {
            confidence: if wanted { sure::wanted(confidence) } else { confidence },
            reason,
            ..self.issue(IssueKind::VanishedHeartbeat, "vanished-heartbeat", Severity::Error, &title)
        };
        self.finding(issue, silence.from, silence.usual * 2.0 + 30.0)
    }

    fn rate(&self, changed: &Changed) -> Finding {
        let ratio = changed.ratio();
        let title = if ratio >= 1.0 {
            format!("{} often: {}", more(ratio, "as"), self.template)
        } else {
            format!("{:.0} % fewer: {}", (1.0 - ratio) * 100.0, self.template)
        };
        let confidence = sure::rate(changed.evidence, ratio);
        // Next to nothing came before, or since: it is the kind that is new, or no more.
        let next_to_none = |from, to| self.track.series.sum(from, to) <= NEXT_TO_NONE * self.track.count as f64;
        let by_version = if ratio > 1.0 {
            next_to_none(self.coverage.0, changed.from) && self.began_with_a_start()
        } else {
            changed.to.is_none() && next_to_none(changed.from, self.coverage.1) && self.ended_with_a_start()
        };
        let wanted = by_version || self.switched(changed.from, changed.to);
        let issue = Issue {
            confidence: if wanted { sure::wanted(confidence) } else { confidence },
            reason: told(changed),
            rate: Some(change_of(changed)),
            ..self.issue(IssueKind::RateChange, "rate-change", Severity::Warning, &title)
        };
        self.finding(issue, changed.from, changed.minutes * 60.0 * ONSET_ERROR + 60.0)
    }

    fn slowdown(&self, slowdown: &Slowdown, durations: &Durations) -> Finding {
        let Slow { title, reason, severity, confidence, blur } =
            Slow::new(slowdown, durations, self.template, self.coverage);
        let key = format!("latency {}", durations.name);
        let issue = Issue { confidence, reason, ..self.issue(IssueKind::LatencyRegression, &key, severity, &title) };
        self.finding(issue, slowdown.from, blur)
    }

    fn trend(&self, trend: &Trend, name: &str, unit: &str) -> Finding {
        let now = self.coverage.1;
        let left = |at: i64| lasting(at.saturating_sub(now).max(0) as f64 / SECOND as f64);
        let with = |value: f64| {
            if unit == "%" {
                format!("{} %", three(value))
            } else {
                format!("{} {unit}", three(value)).trim_end().to_owned()
            }
        };
        let reason = format!(
            "`{name}` is {} and goes by {} an hour to {}: there in {}, with 90 % certainty between {} and {}",
            with(trend.value),
            with(trend.per_minute * 60.0),
            with(trend.limit),
            left(trend.expected),
            left(trend.earliest),
            left(trend.latest)
        );
        let looked = now.saturating_sub(trend.from).max(1) as f64;
        let title = format!("at its limit in {}: {}", left(trend.expected), self.template);
        let issue = Issue {
            confidence: sure::trend(trend.evidence, trend.expected.saturating_sub(now).max(0) as f64 / looked),
            reason,
            forecast: self.watched.is_dated().then_some(Forecast {
                value: trend.value,
                limit: trend.limit,
                expected: trend.expected,
                earliest: trend.earliest,
                latest: trend.latest,
            }),
            ..self.issue(IssueKind::Prediction, &format!("prediction {name}"), Severity::Warning, &title)
        };
        self.finding(issue, trend.from, 60.0)
    }
}

/// What took longer, by this much at the least.
pub fn slowdown(durations: &Durations, load: impl Fn(i64, i64) -> f64) -> Option<Slowdown> {
    durations.slowdown(load).filter(|slowdown| slowdown.evidence >= MIN_EVIDENCE)
}

/// A slowdown for people.
pub struct Slow {
    /// What takes longer, and how much.
    pub title: String,
    /// From what to what.
    pub reason: String,
    /// How bad it is.
    pub severity: Severity,
    /// How sure.
    pub confidence: f64,
    /// How far off its onset may be, in seconds.
    pub blur: f64,
}

impl Slow {
    /// That of `what`, in a log that covers these times in nanoseconds.
    pub fn new(
        slowdown: &Slowdown,
        Durations { name, unit, .. }: &Durations,
        what: &str,
        coverage: (i64, i64),
    ) -> Self {
        let shown = |value| shown(value, *unit);
        let lasted = slowdown.to.unwrap_or(coverage.1).saturating_sub(slowdown.from) as f64 / SECOND as f64;
        Self {
            title: format!("{} as slow: {what}", times(slowdown.ratio)),
            reason: format!(
                "the median of `{name}` went from {} to {}, the 95th percentile from {} to {}",
                shown(slowdown.median.0),
                shown(slowdown.median.1),
                shown(slowdown.slow.0),
                shown(slowdown.slow.1)
            ),
            severity: if slowdown.ratio >= 3.0 { Severity::Error } else { Severity::Warning },
            confidence: sure::slowdown(slowdown.evidence, slowdown.ratio),
            blur: lasted * ONSET_ERROR + 60.0,
        }
    }
}

/// How often something was seen, for people; none where the log does not tell the time, or covers no time.
pub fn history(series: &Series, (first, last): (i64, i64)) -> Option<History> {
    let window = series.shown(first, last);
    (!window.counts.is_empty()).then(|| History {
        start: window.time(0),
        step_seconds: u32::try_from(window.step).unwrap_or(u32::MAX),
        counts: window.counts.iter().map(|count| *count as u32).collect(),
    })
}

/// A change as the contract has it.
pub fn change_of(changed: &Changed) -> RateChange {
    RateChange {
        baseline_per_minute: changed.expected,
        current_per_minute: changed.current,
        window_seconds: (changed.minutes * 60.0) as u64,
    }
}

/// A change in words.
pub fn told(changed: &Changed) -> String {
    let (one, before) = (three(changed.current), three(changed.expected));
    let ended = if changed.to.is_some() { "in" } else { "in the last" };
    let minutes = changed.minutes;
    let minutes =
        if minutes >= 1.5 { format!("{minutes:.0} minutes") } else { format!("{:.0} seconds", minutes * 60.0) };
    format!("there were {one} a minute {ended} {minutes}, and {before} were to be expected")
}

/// How much more: `15 % more`, or from three times on, `4 times as`.
pub fn more(ratio: f64, equally: &str) -> String {
    if ratio < 3.0 { format!("{:.0} % more", (ratio - 1.0) * 100.0) } else { format!("{} {equally}", times(ratio)) }
}

fn times(ratio: f64) -> String {
    if ratio > 1000.0 { "over 1000 times".to_owned() } else { format!("{} times", three(ratio)) }
}

/// Seconds for people.
pub fn lasting(seconds: f64) -> String {
    match seconds {
        s if s < 1.0 => format!("{} ms", three(s * 1e3)),
        s if s < 120.0 => format!("{} s", three(s)),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.1} h", s / 3600.0),
        s => format!("{:.1} days", s / 86_400.0),
    }
}
