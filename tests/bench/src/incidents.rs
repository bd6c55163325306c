//! What the log analyzer finds in services that were made to go wrong: how much of it is right, how much is found, and whether
//! it is right as often as it says.
//!
//! The first three sets are of one generator, the others are of two more, and have tables of their own. The confidence was calibrated
//! by the first two, by other seeds; none of it was fitted to the third.

use autodevops_scenarios::{Found, Make, Scenario, Score};
use log_analyzer::{Engine, kind_name};
use rayon::prelude::*;

use crate::report::{Report, Target};

/// Scenarios, from the first seed on; the constants of the analyzer were fitted to others. Those of the other generator up to the 200th,
/// and of the third up to the 400th, were looked at when what they showed was mended.
const FIRST_SEED: u64 = 1;
const OTHER_FIRST_SEED: u64 = 201;
const THIRD_FIRST_SEED: u64 = 401;
const SCENARIOS: u64 = 200;

/// What is wanted of the precision and the recall of each set.
const WANTED: f64 = 0.9;
/// One service; one that is hard to read, of other words; several that hang together or do not.
const SETS: [(&str, Make); 3] = [
    ("incidents", Scenario::new),
    ("incidents in hard logs", Scenario::hard),
    ("incidents of several services", Scenario::of_several),
];
/// The sets of the other generators, each with its first seed: the last is of one that no confidence was fitted to.
const OTHERS: [(&str, Make, u64); 2] = [
    ("incidents of another generator", Scenario::other, OTHER_FIRST_SEED),
    ("incidents of a third generator", Scenario::third, THIRD_FIRST_SEED),
];

/// The kinds of issue, as the figures name them.
const KINDS: [(&str, &str); 7] = [
    ("critical-error", "critical errors"),
    ("new-pattern", "new patterns"),
    ("error-burst", "error bursts"),
    ("rate-change", "rate changes"),
    ("latency-regression", "latency regressions"),
    ("vanished-heartbeat", "vanished heartbeats"),
    ("prediction", "predictions"),
];

/// Precision, recall, and the reliability of the confidence.
pub fn measure(report: &mut Report) {
    if !report.wants("incidents") {
        return;
    }
    let mut all = Score::default();
    for (name, make) in SETS {
        add_set(report, name, (make, FIRST_SEED), &mut all);
    }
    let named = "incidents of several services, cause named first".to_owned();
    share(report, named, all.named(), Some(Target::AtLeast(0.9)));
    add_kinds(report, "incidents", &all);
    for (name, make, first) in OTHERS {
        let mut other = Score::default();
        add_set(report, name, (make, first), &mut other);
        for (what, counts) in &other.incidents {
            share(report, format!("{name}, {what}, recall"), counts.recall(), None);
        }
        add_kinds(report, name, &other);
    }
}

/// The precision and the recall of a set, whose counts are added to those of others.
fn add_set(report: &mut Report, name: &str, (make, first): (Make, u64), all: &mut Score) {
    let mut score = Score::default();
    let seeds: Vec<u64> = (first..first + SCENARIOS).collect();
    let found: Vec<(Scenario, Vec<Found>)> = seeds.into_par_iter().map(make).map(analyzed).collect();
    for (scenario, found) in &found {
        score.add(scenario, found);
        all.add(scenario, found);
    }
    share(report, format!("{name}, precision"), score.all().precision(), Some(Target::AtLeast(WANTED)));
    share(report, format!("{name}, recall"), score.all().recall(), Some(Target::AtLeast(WANTED)));
}

/// The figures of each kind of issue, and how often issues were right that said to be so sure.
fn add_kinds(report: &mut Report, name: &str, score: &Score) {
    for (kind, shown) in KINDS {
        let counts = score.kinds.get(kind).copied().unwrap_or_default();
        share(report, format!("{name}, {shown}, precision"), counts.precision(), None);
        share(report, format!("{name}, {shown}, recall"), counts.recall(), None);
    }
    report.add(format!("{name}, calibration error"), score.calibration_error(), "", Some(Target::AtMost(0.05)));
    for (tenth, bin) in score.bins.iter().enumerate() {
        let name = format!("{name}, right of those {} to {} % sure", 10 * tenth, 10 * (tenth + 1));
        match bin.number {
            0 => report.skip(name, "%", None, "no issue was that sure".to_owned()),
            number => report.add(name, 100.0 * bin.right as f64 / number as f64, "%", None),
        }
    }
}

fn share(report: &mut Report, name: String, share: Option<f64>, target: Option<Target>) {
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
        let lines = issue.evidence.iter().map(|line| line.text.as_str());
        Found::new(kind_name(issue.kind), &issue.title, issue.template.as_deref(), lines, issue.confidence)
    });
    let found = found.collect();
    (scenario, found)
}
