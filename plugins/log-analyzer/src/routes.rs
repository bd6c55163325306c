//! Requests of one kind of which more fail than before, by their share, since a route that is asked for more fails more often, too; and
//! those that take longer than before, each kind by itself, since all of them take longer on average where a slow one is asked for more.

use std::collections::BTreeMap;

use autodevops_sdk::types::{Evidence, Issue, IssueKind, RateChange, Severity};
use serde::{Deserialize, Serialize};

use crate::{
    access::Access,
    detect::{
        Finding, Slow, Watched, durations::Durations, history, lasting, numbers, series::Series, slowdown,
        sure_of_burst, track::learns,
    },
    group::{Coverage, shorten},
    join,
    line::Line,
    rising,
    template::fingerprint,
    time::SECOND,
};

/// Lines after which a source without any requests is looked at now and then only.
const LOOKED: u64 = 500;
/// How seldom.
const LOOK_AGAIN: u64 = 64;
/// One place with durations for so many routes that may be kept.
const SHARE_OF_TIMED: usize = 2;
/// Lines of evidence.
const MAX_EVIDENCE: usize = 5;
/// The least share of failing requests that matters, and by how much it rises at the least.
const MIN_SHARE: f64 = 0.02;
const MIN_RATIO: f64 = 1.5;
/// Fewest failures that are too many.
const MIN_EXCESS: f64 = 5.0;
/// Fewest requests at other times that say what is usual.
const MIN_REQUESTS: f64 = 20.0;
/// Requests of a route that tell whether a greater share fails, and how sure a burst of failures is, of what it was, where none does.
const TOLD: u64 = 100;
const SAME_SHARE: f64 = 0.4;
/// The least evidence.
const MIN_EVIDENCE: f64 = 3.0;
/// Steps that the time of a log is looked at in.
const STEPS: i64 = 60;

/// The routes of a source.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Routes {
    lines: u64,
    by_name: BTreeMap<String, Route>,
    /// Room for the name of a line's route, kept so that none needs it anew.
    #[serde(skip)]
    name: String,
}

/// Requests of one kind.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Route {
    all: Series,
    failed: Series,
    requests: u64,
    failures: u64,
    seen: Coverage,
    evidence: Vec<(u64, String)>,
    /// How long they took that did not fail.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    durations: Vec<Durations>,
    /// The first that tells how long it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timed: Option<(u64, String)>,
}

impl Routes {
    /// Takes a line of this time, in nanoseconds; whether it is a request's. At most `most` routes are kept; the least asked for leave
    /// first.
    pub fn line(&mut self, line: &Line<'_>, at: i64, most: usize) -> bool {
        self.lines += 1;
        if self.by_name.is_empty() && self.lines > LOOKED && !self.lines.is_multiple_of(LOOK_AGAIN) {
            return false;
        }
        let Some(access) = Access::read(line.raw) else { return false };
        access.write_route(&mut self.name);
        let route = match self.by_name.get_mut(&self.name) {
            Some(known) => known,
            None => {
                self.keep(most.max(1) - 1);
                self.by_name.entry(self.name.clone()).or_default()
            }
        };
        route.requests += 1;
        route.all.add(at);
        if access.failed() {
            route.failures += 1;
            route.failed.add(at);
            route.seen = Some(route.seen.map_or((at, at), |(first, last)| (first.min(at), last.max(at))));
            if route.evidence.len() < MAX_EVIDENCE {
                route.evidence.push((line.number, shorten(&String::from_utf8_lossy(line.raw))));
            }
            return true;
        }
        let learning = learns(route.requests - route.failures);
        if !learning && route.durations.is_empty() {
            return true;
        }
        if learning {
            let taken: usize = self.by_name.values().map(|route| route.durations.len()).sum();
            let room = (most / SHARE_OF_TIMED).saturating_sub(taken);
            self.by_name.get_mut(&self.name).into_iter().for_each(|route| route.time(line, at, learning, room));
        } else {
            route.time(line, at, learning, 0);
        }
        true
    }

    /// Forgets the lines that show failures.
    pub fn forget_evidence(&mut self) {
        self.by_name.values_mut().for_each(|route| (route.evidence, route.timed) = Default::default());
    }

    /// Takes out the routes least asked for until so many bytes of a checkpoint are saved, or none is left; gives what was saved.
    pub fn shrink(&mut self, bytes: usize) -> usize {
        let mut least: Vec<(u64, String)> =
            self.by_name.iter().map(|(name, route)| (route.requests, name.clone())).collect();
        least.sort_unstable();
        let mut saved = 0;
        for (_, name) in least {
            if saved >= bytes {
                break;
            }
            let route = self.by_name.remove(&name);
            saved += name.len() + serde_json::to_vec(&route).map_or(0, |text| text.len());
        }
        saved
    }

    /// Keeps at most so many; the least asked for leave.
    pub fn keep(&mut self, most: usize) {
        while self.by_name.len() > most {
            let least = self.by_name.iter().min_by_key(|(_, route)| route.requests).map(|(name, _)| name.clone());
            least.map(|least| self.by_name.remove(&least));
        }
    }

    /// Adds the routes of which a greater share fails than before, and those that take longer. What was found of their failing requests
    /// by each status comes with them.
    pub fn find(&self, source: &str, watched: &Watched, findings: &mut Vec<Finding>) {
        let Some(coverage) = watched.covers() else { return };
        let dated = watched.is_dated();
        for (name, route) in &self.by_name {
            findings.extend(route.slower(name, source, watched, coverage));
            let of_route = |other: &Finding| {
                let first = other.issue.evidence.first().filter(|_| other.source == source);
                let access = first.and_then(|line| Access::read(line.text.as_bytes()));
                access.is_some_and(|access| access.failed() && access.route() == *name)
            };
            let Some(mut finding) = route.finding(name, source, coverage, dated) else {
                // More failures of as many more requests are no burst of failures.
                let bursts = |other: &&mut Finding| other.issue.kind == IssueKind::ErrorBurst && of_route(other);
                if route.requests >= TOLD {
                    findings.iter_mut().filter(bursts).for_each(|burst| burst.issue.confidence *= SAME_SHARE);
                }
                continue;
            };
            let (of, others): (Vec<_>, Vec<_>) = std::mem::take(findings).into_iter().partition(of_route);
            *findings = others;
            of.into_iter().for_each(|of| join::take_in(&mut finding, of));
            findings.push(finding);
        }
    }
}

impl Route {
    /// Takes how long a request took, where its line tells; `room` is for how many more places with durations.
    fn time(&mut self, line: &Line<'_>, at: i64, learning: bool, mut room: usize) {
        numbers::scan(numbers::told(line), |number| {
            Durations::take(&mut self.durations, &number, at, learning, &mut room);
        });
        if self.timed.is_none() && !self.durations.is_empty() {
            self.timed = Some((line.number, shorten(&String::from_utf8_lossy(line.raw))));
        }
    }

    fn slower(&self, name: &str, source: &str, watched: &Watched, coverage: (i64, i64)) -> Vec<Finding> {
        let load = |from: i64, to: i64| watched.all().sum(from.saturating_mul(SECOND), to.saturating_mul(SECOND));
        let line =
            |(line, text): &(u64, String)| Evidence { source: source.to_owned(), line: *line, text: text.clone() };
        let finding = |durations: &Durations| {
            let slowdown = slowdown(durations, load)?;
            let Slow { title, reason, severity, confidence, blur } = Slow::new(&slowdown, durations, name, coverage);
            let key = fingerprint(&["latency of a route", &durations.name, name]);
            let issue = Issue {
                message: title.clone(),
                confidence,
                count: self.requests,
                evidence: self.timed.iter().map(line).collect(),
                template: Some(name.to_owned()),
                reason,
                history: history(&self.all, coverage),
                ..Issue::new(key, IssueKind::LatencyRegression, severity, shorten(&title))
            };
            Some(Finding {
                issue,
                onset: slowdown.from,
                dated: watched.is_dated(),
                source: source.to_owned(),
                blur: (blur * SECOND as f64) as i64,
                ids: Vec::new(),
                known: false,
            })
        };
        self.durations.iter().filter_map(finding).collect()
    }

    fn finding(&self, name: &str, source: &str, coverage: (i64, i64), dated: bool) -> Option<Finding> {
        let step = (coverage.1.saturating_sub(coverage.0) / STEPS).max(SECOND);
        let from = |index: i64| coverage.0.saturating_add(index.saturating_mul(step));
        let steps: Vec<(f64, f64)> = (0..STEPS)
            .map(|index| {
                let within = |series: &Series| series.sum(from(index), from(index + 1));
                let asked = within(&self.all);
                (within(&self.failed).min(asked), asked)
            })
            .collect();
        let Rise { first, end, inside: (failed, asked), outside: (failed_else, asked_else), evidence } = rise(&steps)?;
        let (now, before) = (failed / asked.max(1.0), failed_else / asked_else.max(1.0));
        let confidence = sure_of_burst(evidence);
        let is_much = now >= MIN_SHARE && now >= MIN_RATIO * before && failed - before * asked >= MIN_EXCESS;
        if !is_much || confidence < rising::LEAST_SURE {
            return None;
        }
        let seconds = (end - first) * step / SECOND;
        let minutes = seconds as f64 / 60.0;
        let title = format!("{:.0} % of {name} fail, {} before", now * 100.0, percent(before));
        let line =
            |(line, text): &(u64, String)| Evidence { source: source.to_owned(), line: *line, text: text.clone() };
        let (first_seen, last_seen) = self.seen.filter(|_| dated).unzip();
        let issue = Issue {
            message: title.clone(),
            confidence,
            count: self.failures,
            first_seen,
            last_seen,
            evidence: self.evidence.iter().map(line).collect(),
            rate: Some(RateChange {
                baseline_per_minute: before * asked / minutes,
                current_per_minute: failed / minutes,
                window_seconds: seconds.unsigned_abs(),
            }),
            reason: format!(
                "{failed:.0} of {asked:.0} requests were answered with a status of 500 or more in {}, and {failed_else:.0} of {asked_else:.0} \
                 at other times",
                lasting(seconds as f64)
            ),
            history: history(&self.failed, coverage),
            ..Issue::new(fingerprint(&["failing share", name]), IssueKind::ErrorBurst, Severity::Error, shorten(&title))
        };
        let (source, ids) = (source.to_owned(), Vec::new());
        Some(Finding { issue, onset: from(first), dated, source, blur: step.max(60 * SECOND), ids, known: false })
    }
}

/// Steps in which a greater share failed than in the others.
struct Rise {
    first: i64,
    end: i64,
    /// Requests that failed in them, and all.
    inside: (f64, f64),
    /// The same of the others.
    outside: (f64, f64),
    evidence: f64,
}

/// The steps in a row in which the share of failures is greater than in all others with the most evidence: the logarithm of how much more
/// likely the counts are with two shares than with one (Kulldorff's scan statistic for shares, 1997), less what trying all such steps
/// makes likely by chance, and less where failures come in clumps anyway (McCullagh's quasi-likelihood, 1983).
fn rise(steps: &[(f64, f64)]) -> Option<Rise> {
    let sum = |steps: &[(f64, f64)]| steps.iter().fold((0.0, 0.0), |(a, b), (failed, asked)| (a + failed, b + asked));
    let (failed, asked) = sum(steps);
    let likely = |failed: f64, asked: f64| {
        let of = |count: f64| if count > 0.0 { count * (count / asked).ln() } else { 0.0 };
        of(failed) + of(asked - failed)
    };
    let mut best: Option<Rise> = None;
    for first in 0..steps.len() {
        let (mut k, mut n) = (0.0, 0.0);
        for (end, step) in steps.iter().enumerate().skip(first) {
            (k, n) = (k + step.0, n + step.1);
            let (others_k, others_n) = ((failed - k).max(0.0), asked - n);
            // All of it is no rise; nor is what no request came beside.
            if n <= 0.0 || others_n < MIN_REQUESTS || k / n <= others_k / others_n {
                continue;
            }
            let evidence = likely(k, n) + likely(others_k, others_n) - likely(failed, asked);
            if best.as_ref().is_none_or(|best| evidence > best.evidence) {
                let (first, end) = (i64::try_from(first).ok()?, i64::try_from(end + 1).ok()?);
                best = Some(Rise { first, end, inside: (k, n), outside: (others_k, others_n), evidence });
            }
        }
    }
    let mut best = best?;
    let share = (best.outside.0 + 0.5) / (best.outside.1 + 1.0);
    let is_else = |index: usize| i64::try_from(index).is_ok_and(|index| index < best.first || index >= best.end);
    let others = steps.iter().enumerate().filter(|(index, (_, asked))| is_else(*index) && *asked > 0.0);
    let (squares, count) = others.fold((0.0, 0.0_f64), |(squares, count), (_, (failed, asked))| {
        (squares + (failed - share * asked).powi(2) / (share * (1.0 - share) * asked), count + 1.0)
    });
    let clumps = (squares / (count - 1.0).max(1.0)).max(1.0);
    best.evidence = best.evidence / clumps - 1.5 * (steps.len() as f64).ln();
    (best.evidence >= MIN_EVIDENCE).then_some(best)
}

fn percent(share: f64) -> String {
    match share * 100.0 {
        0.0 => "none".to_owned(),
        share if share < 1.0 => format!("{share:.1} %"),
        share => format!("{share:.0} %"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::LogTime;

    /// Failures and requests of each step.
    fn found(steps: &[(f64, f64)]) -> Option<(i64, i64)> {
        rise(steps).map(|rise| (rise.first, rise.end))
    }

    #[test]
    fn a_greater_share_is_found_where_it_is_whatever_the_number_of_requests() {
        let usual = |count: usize| vec![(1.0, 100.0); count];
        assert_eq!(found(&usual(60)), None);
        // As many failures of a tenth of the requests.
        let fewer: Vec<_> = usual(30).into_iter().chain(vec![(1.0, 10.0); 30]).collect();
        assert_eq!(found(&fewer), Some((30, 60)));
        // Ten times the failures of ten times the requests.
        let more: Vec<_> = usual(30).into_iter().chain(vec![(10.0, 1000.0); 30]).collect();
        assert_eq!(found(&more), None);
        let passing: Vec<_> = usual(20).into_iter().chain(vec![(30.0, 100.0); 5]).chain(usual(35)).collect();
        assert_eq!(found(&passing), Some((20, 25)));
    }

    #[test]
    fn failures_that_come_in_clumps_all_the_time_are_usual() {
        let clumps: Vec<_> = (0..60).map(|step| (if step % 6 == 0 { 12.0 } else { 0.0 }, 100.0)).collect();
        assert_eq!(found(&clumps), None);
    }

    #[test]
    fn a_log_without_requests_or_of_failures_alone_is_no_rise() {
        assert_eq!(found(&[]), None);
        assert_eq!(found(&[(0.0, 0.0); 60]), None);
        assert_eq!(found(&[(5.0, 5.0); 60]), None);
    }

    #[test]
    fn routes_are_bounded_and_the_least_asked_for_leave() {
        let mut routes = Routes::default();
        let take = |routes: &mut Routes, number: u64, path: &str| {
            let text = format!("\"GET {path} HTTP/1.1\" 200 1");
            assert!(routes.line(&Line { number, ..Line::of(&text) }, 0, 10));
        };
        for number in 0..1000 {
            let letters = [number / 100, number / 10 % 10, number % 10].map(|digit| char::from(b'a' + digit as u8));
            take(&mut routes, number, &format!("/{}", letters.iter().collect::<String>()));
            take(&mut routes, number, "/cart");
        }
        assert_eq!((routes.by_name.len(), routes.by_name["GET /cart"].requests), (10, 1000));
        // As they do from a checkpoint that would be too large.
        let whole = serde_json::to_vec(&routes).unwrap().len();
        let saved = routes.shrink(whole / 2);
        assert!(saved >= whole / 2 && serde_json::to_vec(&routes).unwrap().len() <= whole / 2, "{saved} of {whole}");
        assert!(routes.by_name.contains_key("GET /cart") && routes.by_name.len() > 1);
        assert!(routes.shrink(whole) > 0 && routes.by_name.is_empty());
        assert_eq!(routes.shrink(whole), 0);
    }

    #[test]
    fn each_route_is_timed_by_itself_so_that_more_of_a_slow_one_is_no_slowdown() {
        let slower = |becomes_slow: bool| {
            let (mut routes, mut watched) = (Routes::default(), Watched::default());
            for number in 0..4000_u64 {
                let late = number >= 2500;
                // From then on most ask for what always took long.
                let is_slow = number % 10 < if late { 8 } else { 1 };
                let seconds =
                    if is_slow || late && becomes_slow { 0.4 } else { 0.02 } * (1.0 + (number * 7 % 13) as f64 / 13.0);
                let path = if is_slow { "/report" } else { "/cart" };
                let text = format!("\"GET {path} HTTP/1.1\" 200 12 rt={seconds:.3}");
                let mut time = LogTime { nanoseconds: number as i64 * SECOND, dated: true };
                watched.believe(&mut time);
                let line = Line { number, time: Some(time), ..Line::of(&text) };
                let is_request = routes.line(&line, time.nanoseconds, 100);
                watched.line(&line, false, is_request, 100);
            }
            let mut findings = crate::detect::find("access.log", &watched, &BTreeMap::new());
            routes.find("access.log", &watched, &mut findings);
            findings.retain(|finding| finding.issue.kind == IssueKind::LatencyRegression);
            findings.into_iter().map(|finding| finding.issue.template.unwrap_or_default()).collect::<Vec<_>>()
        };
        assert_eq!(slower(false), Vec::<String>::new());
        assert_eq!(slower(true), ["GET /cart"]);
    }
}
