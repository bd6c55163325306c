//! Whether a run may start in a project, by each of its limits.

use autodevops_model::{IssueKind, Severity};
use autodevops_record::{
    Ending, Entry,
    testing::{BEGIN, Story},
};

use super::*;
use crate::testing::{Scene, target};

const HOUR: Duration = Duration::from_secs(3600);

fn scene(rules: &str) -> Scene {
    Scene::open(&[target(&[])], &format!("[loop]\n{rules}"))
}

fn refused(scene: &Scene, now: Timestamp) -> String {
    match may_start(&scene.project, now).map_err(anyhow::Error::downcast::<Waits>) {
        Ok(()) => "may start".to_owned(),
        Err(waits) => waits.unwrap().to_string(),
    }
}

#[test]
fn without_limits_a_run_may_start_and_not_while_the_loop_is_paused() {
    let scene = scene("");
    scene.run(&Story::default(), |run| run.outcome().is_some());
    assert_eq!(refused(&scene, BEGIN.after(HOUR)), "may start");
    let state = LoopState::new(&scene.project.journal);
    state.pause(&Paused { by: "ada".into(), reason: String::new(), since: BEGIN }).unwrap();
    assert_eq!(refused(&scene, BEGIN.after(HOUR)), "the loop is paused by ada; let it go on with `autodevops resume`");
}

#[test]
fn runs_are_counted_from_their_starts_for_a_day() {
    let scene = scene("runs-a-day = 2\n");
    for (number, hours) in [(1, 0), (2, 5)] {
        let story = Story { run: format!("r-{number}"), at: BEGIN.after(hours * HOUR), ..Story::default() };
        assert_eq!(refused(&scene, BEGIN.after(6 * HOUR)), "may start");
        scene.run(&story, |run| run.outcome().is_some());
    }
    let told = "2 runs were there within 24 hours, and [loop] runs-a-day allows 2; the next may come in 18h";
    assert_eq!(refused(&scene, BEGIN.after(6 * HOUR)), told);
    assert_eq!(refused(&scene, BEGIN.after(24 * HOUR)), "may start");
}

#[test]
fn a_run_that_cannot_be_read_counts_as_one() {
    let scene = scene("runs-a-day = 1\n");
    let newer = serde_json::json!({ "v": 1000, "at": BEGIN.0, "event": { "type": "teleported" } });
    scene.project.journal.append("newer-1", 0, &[newer], BEGIN.0.unsigned_abs()).unwrap();
    let told = "1 runs were there within 24 hours, and [loop] runs-a-day allows 1; the next may come in 23h";
    assert_eq!(refused(&scene, BEGIN.after(HOUR)), told);
}

#[test]
fn a_run_under_way_counts_for_the_deploy_that_it_may_make() {
    let scene = scene("deploys-a-day = 2\n");
    // One that never came to people, and one that did.
    scene.run(&Story { run: "a-1".into(), builds: false, ..Story::default() }, |run| run.outcome().is_some());
    scene.run(&Story { run: "b-1".into(), ..Story::default() }, |run| run.outcome().is_some());
    assert_eq!(refused(&scene, BEGIN.after(HOUR)), "may start");
    scene.run(&Story { run: "c-1".into(), at: BEGIN.after(HOUR), ..Story::default() }, |run| run.fix().is_some());
    let told = refused(&scene, BEGIN.after(2 * HOUR));
    assert!(
        told.starts_with("2 deploys of runs were there within 24 hours, and [loop] deploys-a-day allows 2"),
        "{told}"
    );
}

#[test]
fn calls_and_tokens_hold_a_run_up_before_it_begins() {
    let now = BEGIN.after(HOUR);
    for (rules, what) in [
        ("fix-generator-calls-a-day = 1\n", "1 calls of fix generators"),
        ("tokens-a-day = 100\n", "100 tokens of language models"),
    ] {
        let scene = scene(rules);
        let (state, rules) = (LoopState::new(&scene.project.journal), &scene.project.config.r#loop);
        assert_eq!(refused(&scene, now), "may start");
        state.note_call(rules, BEGIN).unwrap();
        state.note_tokens(100, BEGIN).unwrap();
        let told = refused(&scene, now);
        assert!(told.starts_with(what) && told.ends_with("the next may come in 23h"), "{told}");
        assert_eq!(refused(&scene, BEGIN.after(24 * HOUR)), "may start");
    }
}

fn issue(number: usize) -> Issue {
    Issue::new(format!("{number:016}"), IssueKind::Exception, Severity::Error, format!("fault {number}"))
}

#[test]
fn who_waits_is_known_to_others_and_written_only_where_it_changed() {
    let scene = scene("");
    let state = LoopState::new(&scene.project.journal);
    assert_eq!(state.queue().unwrap(), []);
    state.set_queue(&[]).unwrap();
    assert_eq!(scene.project.journal.get_fact(QUEUE).unwrap(), None, "nothing changed");
    let issues: Vec<Issue> = (0..60).map(issue).collect();
    state.set_queue(&issues).unwrap();
    let queue = state.queue().unwrap();
    assert_eq!(queue.len(), REMEMBERED);
    assert_eq!(queue[1], Queued { fingerprint: issues[1].fingerprint.clone(), title: "fault 1".into() });
    state.set_queue(&[]).unwrap();
    assert_eq!(state.queue().unwrap(), []);
}

#[test]
fn what_is_a_day_old_is_not_counted_and_what_is_ten_minutes_old_is_counted_apart() {
    let scene = scene("");
    let state = LoopState::new(&scene.project.journal);
    let rules = LoopRules { fix_generator_calls_a_day: Some(1), ..LoopRules::default() };
    let now = BEGIN.after(24 * HOUR);
    state.note_call(&rules, now.before(DAY)).unwrap();
    state.note_call(&rules, now).unwrap();
    assert_eq!(state.calls(now).unwrap(), [now], "just a day ago is no more within it");
    state.note_tokens(1, now.before(DAY)).unwrap();
    state.note_tokens(2, now.before(TOGETHER)).unwrap();
    state.note_tokens(4, now).unwrap();
    assert_eq!(state.tokens(now).unwrap(), [(now.before(TOGETHER), 2), (now, 4)]);
    let counts = [(now.before(DAY), 9), (now.before(HOUR), 1)];
    assert_eq!(check(Some(2), TOKENS_ARE, &counts, now), Ok(()));
}

#[test]
fn whatever_is_needed_for_room_must_have_left() {
    let now = Timestamp(0).after(30 * HOUR);
    let counts = [(now.before(20 * HOUR), 5), (now.before(10 * HOUR), 5), (now.before(HOUR), 1)];
    let next = |cap: u64| match check(Some(cap), TOKENS_ARE, &counts, now) {
        Err(Waits::Cap { next, there_were: 11, .. }) => next,
        other => panic!("{other:?}"),
    };
    assert_eq!((next(11), next(7), next(6), next(2), next(1)), (4 * HOUR, 4 * HOUR, 14 * HOUR, 14 * HOUR, 23 * HOUR));
    assert_eq!(check(Some(12), TOKENS_ARE, &counts, now), Ok(()));
}

#[test]
fn of_deploys_only_those_of_runs_into_production_count_and_each_run_once() {
    let attempt = |by: By, production: bool, exposed: Option<i64>| {
        let begun = Attempt::begun("shop", "production", production, by, Timestamp(1));
        Entry::Attempt(Box::new(Attempt { exposed: exposed.map(Timestamp), ending: Some(Ending::Kept), ..begun }))
    };
    let run = |name: &str| By::Run(name.into());
    let entries = [
        attempt(run("a"), true, Some(5)),
        attempt(run("a"), true, Some(3)),
        attempt(run("b"), false, Some(5)),
        attempt(run("c"), true, None),
        attempt(By::Person("ada".into()), true, Some(5)),
    ];
    let attempts = autodevops_record::settled(entries);
    let none = std::iter::empty;
    assert_eq!(deploys(&attempts, none(), Timestamp(9)), [Timestamp(3)], "its first");
    assert_eq!(deploys(&attempts, ["a", "d"].into_iter(), Timestamp(9)), [Timestamp(3), Timestamp(9)]);
}

#[test]
fn of_runs_side_by_side_no_more_call_a_fix_generator_than_may() {
    let scene = scene("");
    let rules = LoopRules { fix_generator_calls_a_day: Some(5), ..LoopRules::default() };
    let calls = || (0..4).filter(|_| LoopState::new(&scene.project.journal).note_call(&rules, BEGIN).is_ok()).count();
    let made: usize = std::thread::scope(|scope| {
        let runs: Vec<_> = (0..4).map(|_| scope.spawn(calls)).collect();
        runs.into_iter().map(|run| run.join().unwrap()).sum()
    });
    assert_eq!(made, 5);
    assert_eq!(LoopState::new(&scene.project.journal).calls(BEGIN).unwrap().len(), 5);
}
