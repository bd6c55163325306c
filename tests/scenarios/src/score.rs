//! How well what is wrong was found.

use crate::Scenario;

/// From this confidence on an issue counts as reported: the pipeline's own threshold.
const REPORTED: f64 = 0.5;

/// An issue as an analyzer reported it.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its kind, such as `error-burst`.
    pub kind: String,
    /// All that it says of itself: title, template, evidence.
    pub text: String,
    /// How sure the analyzer is, from 0 to 1.
    pub confidence: f64,
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

/// Counts over scenarios.
#[derive(Clone, Debug, Default)]
pub struct Score {
    /// Incidents that were found, and were not.
    pub hits: usize,
    /// See above.
    pub misses: usize,
    /// Issues that were none.
    pub wrong: usize,
    /// Issues by tenths of confidence.
    pub bins: [Bin; 10],
}

impl Score {
    /// Counts what was found in a scenario; says what was missed or wrong.
    ///
    /// Faults that a service always had are no incidents and no errors either: `exception` is not counted.
    pub fn add(&mut self, scenario: &Scenario, found: &[Found]) -> Vec<String> {
        let mut notes = Vec::new();
        let mut hit = false;
        for issue in found.iter().filter(|issue| issue.kind != "exception") {
            let right = scenario
                .truth
                .as_ref()
                .is_some_and(|truth| truth.kinds.contains(&issue.kind.as_str()) && issue.text.contains(&truth.mark));
            let bin = &mut self.bins[((issue.confidence * 10.0) as usize).min(9)];
            bin.number += 1;
            bin.right += usize::from(right);
            bin.confidence += issue.confidence;
            if issue.confidence < REPORTED {
                continue;
            }
            hit |= right;
            if !right {
                self.wrong += 1;
                notes.push(format!("{}: wrong: {} {:.2} {}", scenario.seed, issue.kind, issue.confidence, issue.text));
            }
        }
        if let Some(truth) = &scenario.truth {
            if hit {
                self.hits += 1;
            } else {
                self.misses += 1;
                notes.push(format!("{}: missed: {:?} {}", scenario.seed, truth.kinds, truth.mark));
            }
        }
        notes
    }

    /// The share of issues that were right, by incidents found.
    pub fn precision(&self) -> f64 {
        self.hits as f64 / (self.hits + self.wrong).max(1) as f64
    }

    /// The share of incidents that were found.
    pub fn recall(&self) -> f64 {
        self.hits as f64 / (self.hits + self.misses).max(1) as f64
    }

    /// The mean difference between how sure issues were and how often they were right.
    pub fn calibration_error(&self) -> f64 {
        let total: usize = self.bins.iter().map(|bin| bin.number).sum();
        let apart: f64 = self.bins.iter().map(|bin| (bin.confidence - bin.right as f64).abs()).sum();
        apart / total.max(1) as f64
    }
}
