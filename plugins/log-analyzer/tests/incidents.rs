//! What is found in services that were made to go wrong, of a few seeds of each generator: never less than that. How good it is, and of
//! how many seeds, is the benchmark's to say.

use autodevops_scenarios::{Found, Make, Scenario, Score};
use log_analyzer::{Engine, kind_name};

/// Scenarios of each kind.
const SCENARIOS: u64 = 40;

fn score(make: Make, first: u64) -> Score {
    let mut score = Score::default();
    for scenario in (first..first + SCENARIOS).map(make) {
        let mut engine = Engine::default();
        for (name, text) in &scenario.sources {
            engine.push(name, text.as_bytes());
        }
        let issues = engine.issues();
        let found: Vec<Found> = issues
            .iter()
            .map(|issue| {
                let lines = issue.evidence.iter().map(|line| line.text.as_str());
                Found::new(kind_name(issue.kind), &issue.title, issue.template.as_deref(), lines, issue.confidence)
            })
            .collect();
        score.add(&scenario, &found);
    }
    score
}

/// Holds the scenarios of a kind, from a seed on, to a precision, a recall, and an error of calibration.
fn hold(kind: &str, first: u64, precision: f64, recall: f64, error: f64) {
    let score = score(Scenario::of_kind(kind).unwrap(), first);
    let (all, missed) = (score.all(), score.calibration_error());
    let told =
        format!("{kind}: precision {:?}, recall {:?}, calibration error {missed:.3}", all.precision(), all.recall());
    println!("{told}");
    assert!(all.precision().unwrap() >= precision && all.recall().unwrap() >= recall && missed <= error, "{told}");
}

#[test]
fn incidents_of_one_service_are_found_and_little_else() {
    hold("new", 1, 0.95, 0.95, 0.08);
}

#[test]
fn incidents_in_hard_logs_are_found_and_little_else() {
    hold("hard", 1, 0.95, 0.85, 0.08);
}

#[test]
fn incidents_of_several_services_are_found_and_little_else() {
    hold("several", 1, 0.96, 0.96, 0.08);
}

#[test]
fn incidents_of_another_generator_are_found_and_little_else() {
    hold("other", 201, 0.87, 0.95, 0.1);
}

#[test]
fn incidents_of_a_generator_to_which_no_confidence_was_fitted_are_found_and_little_else() {
    hold("third", 401, 0.88, 0.85, 0.12);
}
