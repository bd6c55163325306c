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

/// A set of scenarios, and what its figures are called.
struct Set {
    make: fn(u64) -> Scenario,
    precision: &'static str,
    recall: &'static str,
    /// What is wanted of both.
    target: f64,
}

/// One service; one that is hard to read, of other words; several that hang together or do not.
const SETS: [Set; 3] = [
    Set { make: Scenario::new, precision: "incidents, precision", recall: "incidents, recall", target: 0.9 },
    Set {
        make: Scenario::hard,
        precision: "incidents in hard logs, precision",
        recall: "incidents in hard logs, recall",
        target: 0.85,
    },
    Set {
        make: Scenario::of_several,
        precision: "incidents of several services, precision",
        recall: "incidents of several services, recall",
        target: 0.9,
    },
];

/// The kinds of issue, with the names of their figures.
const KINDS: [(&str, &str, &str); 7] = [
    ("critical-error", "incidents, critical errors, precision", "incidents, critical errors, recall"),
    ("new-pattern", "incidents, new patterns, precision", "incidents, new patterns, recall"),
    ("error-burst", "incidents, error bursts, precision", "incidents, error bursts, recall"),
    ("rate-change", "incidents, rate changes, precision", "incidents, rate changes, recall"),
    ("latency-regression", "incidents, latency regressions, precision", "incidents, latency regressions, recall"),
    ("vanished-heartbeat", "incidents, vanished heartbeats, precision", "incidents, vanished heartbeats, recall"),
    ("prediction", "incidents, predictions, precision", "incidents, predictions, recall"),
];

/// Precision, recall, and the reliability of the confidence.
pub fn measure(report: &mut Report) {
    if !report.wants("incidents") {
        return;
    }
    let mut all = Score::default();
    for Set { make, precision, recall, target } in SETS {
        let mut score = Score::default();
        let seeds: Vec<u64> = (FIRST_SEED..FIRST_SEED + SCENARIOS).collect();
        let found: Vec<(Scenario, Vec<Found>)> = seeds.into_par_iter().map(make).map(analyzed).collect();
        for (scenario, found) in &found {
            score.add(scenario, found);
            all.add(scenario, found);
        }
        share(report, precision, score.all().precision(), Some(Target::AtLeast(target)));
        share(report, recall, score.all().recall(), Some(Target::AtLeast(target)));
    }
    share(report, "incidents of several services, cause named first", all.named(), Some(Target::AtLeast(0.9)));
    for (kind, precision, recall) in KINDS {
        let counts = all.kinds.get(kind).copied().unwrap_or_default();
        share(report, precision, counts.precision(), None);
        share(report, recall, counts.recall(), None);
    }
    report.add("incidents, calibration error", all.calibration_error(), "", Some(Target::AtMost(0.05)));
    for (name, bin) in BINS.into_iter().zip(all.bins) {
        match bin.number {
            0 => report.skip(name, "%", None, "no issue was that sure".to_owned()),
            number => report.add(name, 100.0 * bin.right as f64 / number as f64, "%", None),
        }
    }
}

fn share(report: &mut Report, name: &'static str, share: Option<f64>, target: Option<Target>) {
    match share {
        Some(share) => report.add(name, share, "", target),
        None => report.skip(name, "", target, "there were none".to_owned()),
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
            title: issue.title.clone(),
            text: format!("{} {} {}", issue.title, issue.template.as_deref().unwrap_or_default(), lines.join(" ")),
            confidence: issue.confidence,
        }
    });
    let found = found.collect();
    (scenario, found)
}
