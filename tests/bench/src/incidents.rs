//! What the log analyzer finds in services that were made to go wrong: how much of it is right, how much is found, and whether
//! it is right as often as it says.

use autodevops_scenarios::{Found, Scenario, Score};
use log_analyzer::{Engine, kind_name};
use rayon::prelude::*;

use crate::report::{Report, Target};

/// Scenarios, from the first seed on; the constants of the analyzer were fitted to others.
const FIRST_SEED: u64 = 1;
const SCENARIOS: u64 = 200;

/// How often issues were right that said to be so sure.
const BINS: [&str; 10] = [
    "incidents, right of those 0 to 10 % sure",
    "incidents, right of those 10 to 20 % sure",
    "incidents, right of those 20 to 30 % sure",
    "incidents, right of those 30 to 40 % sure",
    "incidents, right of those 40 to 50 % sure",
    "incidents, right of those 50 to 60 % sure",
    "incidents, right of those 60 to 70 % sure",
    "incidents, right of those 70 to 80 % sure",
    "incidents, right of those 80 to 90 % sure",
    "incidents, right of those 90 to 100 % sure",
];

/// Precision, recall, and the reliability of the confidence.
pub fn measure(report: &mut Report) {
    if !report.wants("incidents") {
        return;
    }
    let seeds: Vec<u64> = (FIRST_SEED..FIRST_SEED + SCENARIOS).collect();
    let found: Vec<(Scenario, Vec<Found>)> = seeds.into_par_iter().map(Scenario::new).map(analyzed).collect();
    let mut score = Score::default();
    for (scenario, found) in &found {
        score.add(scenario, found);
    }
    report.add("incidents, precision", score.precision(), "", Some(Target::AtLeast(0.9)));
    report.add("incidents, recall", score.recall(), "", Some(Target::AtLeast(0.9)));
    report.add("incidents, calibration error", score.calibration_error(), "", None);
    for (name, bin) in BINS.into_iter().zip(score.bins) {
        match bin.number {
            0 => report.skip(name, "%", None, "no issue was that sure".to_owned()),
            number => report.add(name, 100.0 * bin.right as f64 / number as f64, "%", None),
        }
    }
}

fn analyzed(scenario: Scenario) -> (Scenario, Vec<Found>) {
    let mut engine = Engine::default();
    for (name, text) in &scenario.sources {
        engine.push(name, text.as_bytes());
    }
    let issues = engine.issues();
    let found = issues.iter().map(|issue| {
        let lines: Vec<&str> = issue.evidence.iter().map(|line| line.text.as_str()).collect();
        Found {
            kind: kind_name(issue.kind).to_owned(),
            text: format!("{} {} {}", issue.title, issue.template.as_deref().unwrap_or_default(), lines.join(" ")),
            confidence: issue.confidence,
        }
    });
    let found = found.collect();
    (scenario, found)
}
