//! How well what is wrong was found.

use std::collections::BTreeMap;

use crate::{Scenario, Truth};

/// From this confidence on an issue counts as reported: the pipeline's own threshold.
const REPORTED: f64 = 0.5;
/// The kind of issue that tells of a fault by itself, whether anything changed or not.
const EXCEPTION: &str = "exception";
/// The kind of those that are told of when they come first.
const NEW: &str = "new-pattern";

/// An issue as an analyzer reported it.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its kind, such as `error-burst`.
    pub kind: String,
    /// Its title.
    pub title: String,
    /// All that it says of itself: title, template, evidence of its own source.
    pub text: String,
    /// How sure the analyzer is, from 0 to 1.
    pub confidence: f64,
}

impl Found {
    /// An issue with its title, its template and the lines of its own source that show it.
    pub fn new<'a>(
        kind: &str,
        title: &str,
        template: Option<&str>,
        lines: impl IntoIterator<Item = &'a str>,
        confidence: f64,
    ) -> Self {
        // What came with it tells of something else.
        let lines: Vec<&str> = lines.into_iter().collect();
        let text = format!("{title} {} {}", template.unwrap_or_default(), lines.join(" "));
        Self { kind: kind.to_owned(), title: title.to_owned(), text, confidence }
    }
}

/// How sure issues were, and how many of them were right.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bin {
    /// Issues.
    pub number: usize,
    /// Those that were right.
    pub right: usize,
    /// The sum of their confidences.
    pub confidence: f64,
}

/// What was found of incidents of one kind, and how many issues of the kind were wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Incidents that were found.
    pub hits: usize,
    /// Incidents that were not.
    pub misses: usize,
    /// Issues that were none.
    pub wrong: usize,
}

impl Counts {
    /// The share of issues that were right, by incidents found; none where there were none.
    pub fn precision(&self) -> Option<f64> {
        share(self.hits, self.wrong)
    }

    /// The share of incidents that were found; none where there were none.
    pub fn recall(&self) -> Option<f64> {
        share(self.hits, self.misses)
    }
}

fn share(of: usize, others: usize) -> Option<f64> {
    (of + others > 0).then(|| of as f64 / (of + others) as f64)
}

/// Counts over scenarios.
#[derive(Clone, Debug, Default)]
pub struct Score {
    /// By the kind of issue that tells it best.
    pub kinds: BTreeMap<String, Counts>,
    /// By what went wrong; issues that were none are not told apart by that.
    pub incidents: BTreeMap<&'static str, Counts>,
    /// Issues by tenths of confidence, but those of `exceptions`.
    pub bins: [Bin; 10],
    /// Issues of kind `exception`.
    pub exceptions: Bin,
    /// Issues that were reported, by what was wrong in their scenario (nothing, where it is empty) and by their kind: those that were
    /// right, and those that were not.
    pub reported: BTreeMap<(&'static str, String), (usize, usize)>,
    /// Incidents of several sources whose cause was named, and was not.
    pub causes: (usize, usize),
}

impl Score {
    /// Counts what was found in a scenario; says what was missed or wrong.
    ///
    /// An `exception` is a fault that is told of by itself. Where it is one that the service always had, or what was wrong, to tell of it
    /// is right, but finds no incident: these are looked for by what changed.
    pub fn add(&mut self, scenario: &Scenario, found: &[Found]) -> Vec<String> {
        let mut notes = Vec::new();
        let seed = scenario.seed;
        let mut hits = vec![false; scenario.truths.len()];
        for issue in found {
            let is_fault = issue.kind == EXCEPTION;
            let told = |truth: &Truth| truth.is_told(if is_fault { NEW } else { &issue.kind }, &issue.text);
            let truth = scenario.truths.iter().position(told);
            let is_again = truth.is_some_and(|truth| hits[truth] && scenario.truths[truth].is_one);
            let is_known = || scenario.faults.iter().any(|mark| issue.text.contains(mark.as_str()));
            let right = if is_fault { truth.is_some() || is_known() } else { truth.is_some() && !is_again };
            let tenth = ((issue.confidence * 10.0) as usize).min(9);
            let bin = if is_fault { &mut self.exceptions } else { &mut self.bins[tenth] };
            bin.number += 1;
            bin.right += usize::from(right);
            bin.confidence += issue.confidence;
            if issue.confidence < REPORTED {
                continue;
            }
            let beside = truth.map_or_else(|| scenario.truths.first(), |truth| scenario.truths.get(truth));
            let what = beside.map_or("", |truth| truth.what);
            let (rights, wrongs) = self.reported.entry((what, issue.kind.clone())).or_default();
            *(if right { rights } else { wrongs }) += 1;
            if !right {
                self.kinds.entry(issue.kind.clone()).or_default().wrong += 1;
                notes.push(format!("{seed}: wrong: {} {:.2} {}", issue.kind, issue.confidence, issue.text));
                continue;
            }
            let Some(truth) = truth.filter(|_| !is_fault) else { continue };
            if !hits[truth]
                && let Some(cause) = &scenario.truths[truth].cause
            {
                let is_named = issue.title.contains(cause.as_str());
                self.causes.0 += usize::from(is_named);
                self.causes.1 += usize::from(!is_named);
                if !is_named {
                    notes.push(format!("{seed}: cause: {cause} is not first: {}", issue.text));
                }
            }
            hits[truth] = true;
        }
        for (truth, hit) in scenario.truths.iter().zip(hits) {
            let by_kind = self.kinds.entry(truth.kinds[0].to_owned()).or_default();
            for counts in [by_kind, self.incidents.entry(truth.what).or_default()] {
                counts.hits += usize::from(hit);
                counts.misses += usize::from(!hit);
            }
            if !hit {
                notes.push(format!("{seed}: missed: {}: {:?} {:?}", truth.what, truth.kinds, truth.marks));
            }
        }
        notes
    }

    /// Those of all kinds.
    pub fn all(&self) -> Counts {
        self.kinds.values().fold(Counts::default(), |all, one| Counts {
            hits: all.hits + one.hits,
            misses: all.misses + one.misses,
            wrong: all.wrong + one.wrong,
        })
    }

    /// The share of incidents of several sources whose cause was named first.
    pub fn named(&self) -> Option<f64> {
        share(self.causes.0, self.causes.1)
    }

    /// The mean difference between how sure issues were and how often they were right.
    pub fn calibration_error(&self) -> f64 {
        let total: usize = self.bins.iter().map(|bin| bin.number).sum();
        let apart: f64 = self.bins.iter().map(|bin| (bin.confidence - bin.right as f64).abs()).sum();
        apart / total.max(1) as f64
    }
}
