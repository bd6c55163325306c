//! How well incidents are found in the scenarios of some seeds: `cargo run --release --example calibrate -- KIND FIRST COUNT`, where
//! the kind is one of [`Scenario::KINDS`]; of one seed, the log and all that was found. With `cases` as a fourth argument, what each
//! issue was made of and whether it was right, for the table of `detect/sure.rs`; with `table`, which kinds of issue were reported of
//! which incident, and beside it, and no more.
#![allow(clippy::print_stdout)]

use autodevops_scenarios::{Found, Scenario, Score};
use autodevops_sdk::types::Issue;
use log_analyzer::Engine;

fn main() -> Result<(), String> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: u64| arguments.get(at).and_then(|text| text.parse().ok()).unwrap_or(default);
    let make = Scenario::of_kind(arguments.first().map_or("new", String::as_str))?;
    let (first, count) = (number(1, 10_000), number(2, 200));
    let has = |word: &str| arguments.get(3).is_some_and(|given| given == word);
    let (cases, table) = (has("cases"), has("table"));
    let mut score = Score::default();
    for seed in first..first + count {
        let scenario = make(seed);
        let mut engine = Engine::default();
        for (name, text) in &scenario.sources {
            engine.push(name, text.as_bytes());
        }
        let issues = engine.issues();
        let found: Vec<Found> = issues.iter().map(told).collect();
        if count == 1 {
            scenario.sources.iter().for_each(|(name, text)| print!("{name}\n{text}"));
        }
        if count == 1 || cases {
            for (issue, found) in issues.iter().zip(&found) {
                let right = scenario.truths.iter().any(|truth| truth.is_told(&found.kind, &found.text));
                println!("case\t{right}\t{:.3}\t{}\t{}\t{}", found.confidence, found.kind, issue.title, issue.reason);
                for related in &issue.related {
                    println!("\trelated\t{:?}\t{}\t{}", related.kind, related.source, related.title);
                }
            }
        }
        let notes = score.add(&scenario, &found);
        notes.iter().filter(|_| !table).for_each(|note| println!("{note}"));
    }
    for (kind, counts) in &score.kinds {
        let shown = |share: Option<f64>| share.map_or("-".to_owned(), |share| format!("{share:.3}"));
        println!("{kind:20} precision {}, recall {}  {counts:?}", shown(counts.precision()), shown(counts.recall()));
    }
    for ((what, kind), (right, wrong)) in &score.reported {
        let what = if what.is_empty() { "nothing wrong" } else { what };
        println!("{what:20} {kind:20} {right:4} right, {wrong:4} wrong");
    }
    for (what, counts) in &score.incidents {
        println!("{what:20} {} of {} found", counts.hits, counts.hits + counts.misses);
    }
    println!(
        "precision {:.3}, recall {:.3}, calibration error {:.3}, causes {:?}",
        score.all().precision().unwrap_or_default(),
        score.all().recall().unwrap_or_default(),
        score.calibration_error(),
        score.causes
    );
    let bins = score.bins.iter().map(|bin| ("issues", bin)).chain([("exceptions", &score.exceptions)]);
    for (what, bin) in bins.filter(|(_, bin)| bin.number > 0) {
        let of_all = |sum: f64| sum / bin.number as f64;
        println!("{:4} {what}, {:.2} sure, {:.2} right", bin.number, of_all(bin.confidence), of_all(bin.right as f64));
    }
    Ok(())
}

fn told(issue: &Issue) -> Found {
    let lines = issue.evidence.iter().map(|line| line.text.as_str());
    Found::new(log_analyzer::kind_name(issue.kind), &issue.title, issue.template.as_deref(), lines, issue.confidence)
}
