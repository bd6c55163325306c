//! Sources that are read by several analyses side by side, and by one: what is found is the same.

use std::collections::BTreeSet;

use autodevops_scenarios::Scenario;
use autodevops_sdk::types::Issue;
use log_analyzer::{Engine, Settings, SharedSource};

/// Most bytes of a checkpoint.
const MAX_CHECKPOINT_BYTES: usize = 16 << 20;

type Sources = Vec<(String, String)>;

fn read(sources: &Sources) -> Engine {
    let mut engine = Engine::default();
    for (name, text) in sources {
        engine.push(name, text.as_bytes());
    }
    engine
}

/// Both as one, by way of a checkpoint.
fn joined(mut one: Engine, other: &Engine) -> Engine {
    one.join(Engine::restore(&other.checkpoint().unwrap()).unwrap()).unwrap();
    one
}

/// What an issue says, evidence apart: of that, either may have kept other lines.
fn told(engine: &Engine) -> Vec<Issue> {
    let without = |issue: Issue| Issue { evidence: Vec::new(), ..issue };
    engine.issues().into_iter().map(without).collect()
}

fn lines(names: &[&str], line: impl Fn(usize, &str) -> String) -> String {
    names.iter().enumerate().map(|(at, name)| line(at, name) + "\n").collect()
}

#[test]
fn what_is_found_in_several_services_is_found_as_well_where_each_is_read_apart() {
    let mut found = 0;
    for seed in 1..=10 {
        let Scenario { sources, .. } = Scenario::of_several(seed);
        let all = read(&sources);
        found += all.issues().len();
        for first in 0..=sources.len() {
            let (one, other) = sources.split_at(first);
            let apart = joined(read(&one.to_vec()), &read(&other.to_vec()));
            assert_eq!(told(&apart), told(&all), "seed {seed}, {first} sources in one");
        }
        let each = sources.iter().map(|source| read(&vec![source.clone()]));
        let each = each.fold(Engine::default(), |all, one| joined(all, &one));
        assert_eq!(told(&each), told(&all), "seed {seed}, each apart");
    }
    assert!(found > 10, "{found}");
}

#[test]
fn lines_that_differ_by_values_alone_are_of_one_group_wherever_they_were_read() {
    let line = |at: usize, name: &str| format!("10:00:{at:02} session of {name} opened on port {at}");
    let sources = [
        ("a.log".to_owned(), lines(&["ann", "bob", "cid", "dan"], line)),
        ("b.log".to_owned(), lines(&["eve", "fay", "ann", "gus"], line) + "disk is full\n"),
    ];
    let (all, apart) = (read(&sources.to_vec()), joined(read(&sources[..1].to_vec()), &read(&sources[1..].to_vec())));
    let groups = |engine: &Engine| -> BTreeSet<(u64, String)> {
        engine.groups().into_iter().map(|group| (group.lines, group.template)).collect()
    };
    assert_eq!(groups(&apart), groups(&all));
    let ids: BTreeSet<_> = apart.groups().into_iter().flat_map(|group| group.patterns).collect();
    let patterns = apart.groups().iter().map(|group| group.patterns.len()).sum::<usize>();
    assert_eq!(ids.len(), patterns, "no number is of two patterns");
}

#[test]
fn a_word_that_turns_out_to_be_a_value_in_both_together_makes_one_fault_of_several() {
    let line = |at: usize, name: &str| format!("2026-11-23T10:00:{at:02}Z ERROR login of user {name} was refused");
    let source = |name: &str, users: &[&str]| (name.to_owned(), lines(users, line));
    // Few in each alone; in one enough to know, in the other not; in both enough.
    for (of_one, of_other) in [
        (&["ann", "bob", "cid"][..], &["dan", "eve", "fay"][..]),
        (&["ann", "bob", "cid", "dan", "eve", "fay"], &["gus"]),
        (&["ann"], &["bob", "cid", "dan", "eve", "fay", "gus"]),
        (&["ann", "bob", "cid", "dan", "eve"], &["fay", "gus", "hal", "ian", "joe", "kim"]),
    ] {
        let (one, other) = (vec![source("a.log", of_one)], vec![source("b.log", of_other)]);
        let apart = joined(read(&one), &read(&other)).issues();
        assert_eq!(apart.len(), 1, "{apart:#?}");
        assert_eq!(apart[0].count, (of_one.len() + of_other.len()) as u64);
        let all = read(&[one, other].concat()).issues();
        assert_eq!(apart[0].fingerprint, all[0].fingerprint);
    }
}

#[test]
fn a_source_that_came_from_another_analysis_goes_on_here() {
    let text = |from: u32, to: u32| -> String {
        (from..to).map(|n| format!("2026-11-23T10:{n:02}:00Z ERROR order {n} failed\n")).collect()
    };
    let (one, other) = (("a.log".to_owned(), text(0, 10)), ("b.log".to_owned(), text(5, 20)));
    let (half, rest) = other.1.split_at(100);
    let all = read(&vec![one.clone(), other.clone()]);
    let mut apart = joined(read(&vec![one]), &read(&vec![(other.0.clone(), half.to_owned())]));
    apart.push(&other.0, rest.as_bytes());
    assert_eq!(told(&apart), told(&all));
    assert_eq!(apart.issues()[0].count, 25);
}

#[test]
fn an_analysis_of_the_same_source_is_not_taken_in() {
    let of = |text: &str| read(&vec![("a.log".to_owned(), text.to_owned())]);
    let mut one = of("ERROR one thing failed\n");
    let before = one.checkpoint().unwrap();
    assert_eq!(one.join(of("ERROR another thing failed\n")), Err(SharedSource("a.log".to_owned())));
    assert_eq!(one.checkpoint().unwrap(), before);
}

#[test]
fn what_is_joined_stays_within_the_bounds_of_one_analysis() {
    let settings = || Settings { max_groups: 100, max_patterns: 200, max_new_per_hour: 10_000, ..Settings::default() };
    let letters = |mut n: usize| -> String { (0..6).map(|_| (char::from(b'a' + (n % 26) as u8), n /= 26).0).collect() };
    let of = |name: &str, from: usize| {
        let mut engine = Engine::new(settings());
        for n in from..from + 400 {
            let (a, b) = (letters(n * 7919), letters(n * 104_729));
            engine.push(name, format!("2026-11-23T10:00:00Z ERROR {a} {b} {}\n", "\\\"".repeat(300)).as_bytes());
        }
        engine
    };
    let mut all = Engine::new(settings());
    for source in 0..12 {
        all.join(of(&format!("{source}.log"), source * 1000)).unwrap();
    }
    assert!(all.issues().len() <= 100, "{}", all.issues().len());
    let patterns: usize = all.groups().iter().map(|group| group.patterns.len()).sum();
    assert!(patterns <= 200, "{patterns}");
    let checkpoint = all.checkpoint().unwrap();
    assert!(checkpoint.len() <= MAX_CHECKPOINT_BYTES, "{}", checkpoint.len());
    assert_eq!(told(&Engine::restore(&checkpoint).unwrap().with(settings())), told(&all));
}
