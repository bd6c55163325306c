//! What a group of faults comes to: whether it is new, became more frequent, or has always been there.

use autodevops_sdk::types::{IssueKind, Severity};

use crate::{
    baseline::Past,
    detect::{Finding, history, lasting, series::Series, sure_of_critical, sure_of_fault, sure_of_warning},
    group::{Coverage, Group},
    rising,
    time::SECOND,
};

/// Lines, and seconds, that say what is usual before something can be new.
const LINES_BEFORE: f64 = 40.0;
const SECONDS_BEFORE: i64 = 60;
/// The least share of the log that lies before what is new.
const SHARE_BEFORE: f64 = 0.1;
/// How unlikely it must be, as a logarithm, that what is new was always there.
const MIN_NOVELTY: f64 = 5.0;
/// How unlikely it is that a fault was always there that the baseline has not seen in a day or more.
const UNSEEN: f64 = 10.0;
/// The least share of a log that all of something comes within, as far as its times tell.
const LEAST_WITHIN: f64 = 0.001;
/// A fault before which there was none counts as if it had come so many times more.
const ALONE: f64 = 3.0;
/// By how much warnings become more frequent at the least, and how many that makes.
const WARNINGS_RATIO: f64 = 1.8;
const WARNINGS_EXCESS: f64 = 20.0;
/// Seconds of a log in which warnings that are usual are told from others.
const LONG_SECONDS: i64 = 600;
/// Warnings that are new make an issue from so many on.
const NEW_WARNINGS: u64 = 3;

/// How unlikely it is, as a logarithm, that so many that may come at any time all come within this share of it, of the two ways in
/// which it is looked for what is new.
fn together(number: f64, share: f64) -> f64 {
    if number <= 1.0 {
        return 0.0;
    }
    (1.0 - number) * share.clamp(LEAST_WITHIN, 1.0).ln() - number.ln() - std::f64::consts::LN_2
}

impl Group {
    /// The finding about it, where it is one, in a log that covers these times; `load` is all lines. It is alone where no fault
    /// came before it.
    pub fn finding(&self, coverage: Coverage, load: &Series, is_alone: bool, past: &Past) -> Option<Finding> {
        let mut issue = self.issue.clone();
        let known = match past {
            Past::Seen { fingerprint, .. } => {
                issue.fingerprint.clone_from(fingerprint);
                true
            }
            Past::Unseen(_) | Past::Unknown => false,
        };
        issue.template = self.template.as_ref().map(|template| template.text.clone());
        let (coverage, times) = match (coverage, self.times) {
            (Some(coverage), Some(times)) => (coverage, times),
            // A log that does not tell the time says nothing of what is new.
            _ => {
                return self.is_issue().then(|| Finding {
                    source: issue.evidence.first().map(|line| line.source.clone()).unwrap_or_default(),
                    issue,
                    onset: i64::MIN,
                    dated: self.dated,
                    blur: 0,
                    ids: self.ids.clone(),
                    known,
                });
            }
        };
        let (first, last) = coverage;
        let before = times.0.saturating_sub(first);
        let length = last.saturating_sub(first);
        let warns = !self.is_sure();
        let was_there = before >= SECONDS_BEFORE * SECOND
            && before as f64 >= SHARE_BEFORE * length as f64
            && load.sum(first, times.0) >= LINES_BEFORE;
        // How unlikely it is that what always came so often came so late, by the time and by what else was logged, where what comes at once
        // comes once; a first fault of all says more. Or that all of it came within so little of the log (Naus, 1965).
        let share = |from: i64, to: i64| {
            let by_load = load.sum(from, to) / load.sum(first, last).max(1.0);
            (by_load, to.saturating_sub(from) as f64 / length.max(1) as f64)
        };
        let clumps = self.series.long_clumps(coverage, times);
        let number = issue.count as f64 + if is_alone { ALONE } else { 0.0 };
        let (by_load, by_time) = share(first, times.0);
        let late = -number / clumps * (1.0 - by_load.min(by_time).clamp(0.0, 0.99)).ln();
        let (by_load, by_time) = share(times.0, times.1);
        let novelty = late.max(together(issue.count as f64 / clumps, by_load.max(by_time)));
        let changed = rising::change(&self.series, load, coverage)
            .filter(|changed| !warns || changed.ratio() >= WARNINGS_RATIO && changed.excess() >= WARNINGS_EXCESS);
        // A burst before which there was nothing is new.
        let bursts =
            changed.filter(|changed| self.series.sum(first, changed.from) < 1.0).map(|changed| changed.evidence);
        let (is_new, novelty) = match past {
            Past::Seen { .. } => (false, novelty),
            // Days without it say more than the minutes of this session.
            Past::Unseen(_) => (true, novelty.max(UNSEEN)),
            Past::Unknown => {
                (was_there && (novelty >= MIN_NOVELTY || bursts.is_some()), novelty.max(bursts.unwrap_or_default()))
            }
        };
        let is_long = length >= LONG_SECONDS * SECOND;
        let reported = if warns {
            changed.is_some() || is_new && issue.count >= NEW_WARNINGS || !is_long && self.is_issue()
        } else {
            true
        };
        if !reported {
            return None;
        }
        let is_usual = is_long && !is_new && changed.is_none() && issue.count >= 10 && issue.stack.is_empty();
        issue.history = history(&self.series, coverage);
        let is_critical = issue.severity >= Severity::Critical;
        let novel = is_new.then_some(novelty).filter(|_| !warns && !is_critical);
        issue.confidence = sure_of_fault(issue.confidence, novel, is_usual && !is_critical);
        if is_new && warns {
            issue.confidence = sure_of_warning(novelty);
        }
        let mut onset = times.0;
        if is_critical {
            issue.kind = IssueKind::CriticalError;
            issue.confidence = sure_of_critical(issue.confidence);
            issue.reason = format!("the service does not survive what its lines tell; seen {} times", issue.count);
        } else if is_new {
            issue.kind = IssueKind::NewPattern;
            let span = |from: i64| lasting(times.0.saturating_sub(from) as f64 / SECOND as f64);
            issue.reason = match past {
                Past::Unseen(since) => {
                    format!(
                        "in the {} before it was not seen in any log like this; it came {} times since",
                        span(*since),
                        issue.count
                    )
                }
                _ => format!(
                    "it was not there in {:.0} lines and {:.0} minutes before, and came {} times since",
                    load.sum(first, times.0),
                    before as f64 / SECOND as f64 / 60.0,
                    issue.count
                ),
            };
        } else if let Some(changed) = changed {
            rising::of_fault(&mut issue, &changed);
            onset = changed.from;
        } else {
            issue.reason = format!("its lines tell of a fault by themselves; seen {} times", issue.count);
        }
        if let Past::Seen { since, .. } = past {
            let known = lasting(times.0.saturating_sub(*since) as f64 / SECOND as f64);
            issue.reason.push_str(&format!("; it was known for {known} before this"));
        }
        let source = issue.evidence.first().map(|line| line.source.clone()).unwrap_or_default();
        Some(Finding { issue, onset, dated: self.dated, source, blur: 30 * SECOND, ids: self.ids.clone(), known })
    }
}
