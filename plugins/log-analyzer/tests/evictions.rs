//! A log with more patterns than are kept: what leaves, or becomes one with others, has neither stopped nor changed.

use std::fmt::Write as _;

use autodevops_sdk::types::{Issue, IssueKind};
use log_analyzer::{Engine, Settings};

/// The number in letters, so that no digit gives away that it is a value.
fn letters(mut number: u64) -> String {
    let mut text = String::new();
    for _ in 0..6 {
        text.push(char::from(b'a' + (number % 26) as u8));
        number /= 26;
    }
    text
}

/// A line of each second of two hours: `line` gives what is behind its time.
fn log(line: impl Fn(u64) -> String) -> String {
    let mut text = String::new();
    for second in 0..7200_u64 {
        let (hour, minute) = (10 + second / 3600, second / 60 % 60);
        writeln!(text, "2026-11-23T{hour}:{minute:02}:{:02}Z INFO {}", second % 60, line(second)).unwrap();
    }
    text
}

/// The issues with so many patterns at most, the same when the analysis is saved and restored on the way.
fn issues(text: &str, max_patterns: usize) -> Vec<Issue> {
    let settings = Settings { max_patterns, ..Settings::default() };
    let mut whole = Engine::new(settings.clone());
    whole.push("app.log", text.as_bytes());
    let mut parted = Engine::new(settings.clone());
    for part in text.as_bytes().chunks(50_000) {
        parted.push("app.log", part);
        parted = Engine::restore(&parted.checkpoint().unwrap()).unwrap().with(settings.clone());
    }
    assert_eq!(parted.issues(), whole.issues());
    whole.issues()
}

fn titles(issues: &[Issue]) -> Vec<&str> {
    issues.iter().map(|issue| issue.title.as_str()).collect()
}

#[test]
fn patterns_that_become_one_have_not_stopped() {
    const NODES: [&str; 6] = ["ann", "bob", "cid", "dan", "eve", "fay"];
    let text = log(|second| {
        if second.is_multiple_of(5) {
            format!("sync with node {} is done at last", NODES[second as usize / 5 % 6])
        } else {
            // Later there are more kinds of lines than are kept.
            let kind = if second < 3600 { 0 } else { second };
            format!("{} {}", letters(kind + 3), letters(kind * 77_777 + 5))
        }
    });
    let all = issues(&text, 10_000);
    assert_eq!(titles(&issues(&text, 60)), titles(&all));
}

#[test]
fn patterns_that_leave_and_come_back_have_not_stopped() {
    // Of ten kinds in the first hour, and of three times as many later.
    let text = log(|second| {
        let kind = if second < 3600 || second.is_multiple_of(2) { second % 10 } else { second % 31 };
        format!("{} {}", letters(kind), letters(kind * 77_777))
    });
    let all = issues(&text, 10_000);
    assert_eq!(titles(&issues(&text, 12)), titles(&all));
}

#[test]
fn what_stops_is_told_though_its_pattern_left() {
    let text = log(|second| match second {
        0..3600 if second.is_multiple_of(10) => "the cache is written to the disk".to_owned(),
        _ => format!("{} {}", letters(second % 29), letters(second % 29 * 77_777)),
    });
    for most in [10_000, 12] {
        let found = issues(&text, most);
        let [issue] = found.as_slice() else { panic!("with {most} patterns: {:?}", titles(&found)) };
        assert_eq!(issue.kind, IssueKind::VanishedHeartbeat, "{}", issue.title);
        assert!(issue.title.contains("the cache is written"), "{}", issue.title);
    }
}

#[test]
fn kinds_of_lines_that_are_kept_no_more_and_come_again_have_not_changed() {
    // Of ten kinds in the first hour, and of five times as many later: more than one of so many sources may keep.
    let text = log(|second| {
        let kind = if second < 3600 || second.is_multiple_of(2) { second % 10 } else { second % 51 };
        format!("{} {}", letters(kind + 7), letters(kind * 77_777))
    });
    let found = |others: u32| {
        let mut engine = Engine::default();
        (0..others).for_each(|other| engine.push(&format!("{other}.log"), b"2026-11-23T10:00:00Z INFO started\n"));
        engine.push("app.log", text.as_bytes());
        engine.issues()
    };
    let (alone, among) = (found(0), found(120));
    let new: Vec<&str> = titles(&among).into_iter().filter(|title| !titles(&alone).contains(title)).collect();
    assert!(new.is_empty(), "{new:?} beside {:?}", titles(&alone));
}
