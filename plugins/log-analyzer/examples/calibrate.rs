//! How well incidents are found in the scenarios of some seeds: `cargo run --release --example calibrate -- FIRST COUNT`; of one
//! seed, the log and all that was found.
#![allow(clippy::print_stdout)]

use autodevops_scenarios::{Found, Scenario, Score};
use log_analyzer::Engine;

fn main() {
    let mut arguments = std::env::args().skip(1).filter_map(|argument| argument.parse().ok());
    let (first, count): (u64, u64) = (arguments.next().unwrap_or(10_000), arguments.next().unwrap_or(200));
    let mut score = Score::default();
    for seed in first..first + count {
        let scenario = Scenario::new(seed);
        let mut engine = Engine::default();
        for (name, text) in &scenario.sources {
            engine.push(name, text.as_bytes());
        }
        let found: Vec<Found> = engine
            .issues()
            .iter()
            .map(|issue| Found {
                kind: log_analyzer::kind_name(issue.kind).to_owned(),
                text: format!(
                    "{} {} {:?} {}",
                    issue.title,
                    issue.template.as_deref().unwrap_or_default(),
                    issue.evidence.iter().map(|line| &line.text).collect::<Vec<_>>(),
                    issue.reason
                ),
                confidence: issue.confidence,
            })
            .collect();
        if count == 1 {
            scenario.sources.iter().for_each(|(_, text)| print!("{text}"));
            found.iter().for_each(|found| println!("{:.2} {} {}", found.confidence, found.kind, found.text));
        }
        for note in score.add(&scenario, &found) {
            println!("{note}");
        }
    }
    println!(
        "precision {:.3}, recall {:.3}, calibration error {:.3}",
        score.precision(),
        score.recall(),
        score.calibration_error()
    );
    for bin in score.bins.iter().filter(|bin| bin.number > 0) {
        println!(
            "{:4} issues, {:.2} sure, {:.2} right",
            bin.number,
            bin.confidence / bin.number as f64,
            bin.right as f64 / bin.number as f64
        );
    }
}
