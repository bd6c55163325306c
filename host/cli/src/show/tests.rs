//! Runs as people see them, each beside the exact text: `src/show/tests/NAME.txt`.
//!
//! After a change of the texts, `UPDATE_EXPECTED=1 cargo test -p autodevops show` writes them anew, to be read.

use std::{fs, path::Path};

use autodevops_model::{ErrorInfo, ErrorKind, Outcome as CheckOutcome, Split, StageError};
use autodevops_orchestrator::{
    aftermath::{After, GoneBack},
    revert::{Came, Undoing},
};
use autodevops_pipeline::{EffectOutcome, Event, EventKind, Found, Gate, Input, Run, VERSION};
use autodevops_record::testing::Story;

use super::*;

fn shown(name: &str, events: Vec<Event>) -> String {
    let run = Run::replay(&events).unwrap();
    let version = events.len() as u64;
    let text = text(&Logged { run, events, version }, None, None, Style::plain());
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/show/tests/{name}.txt"));
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, &text).unwrap();
    }
    assert_eq!(text, fs::read_to_string(&file).unwrap_or_default(), "{name}");
    text
}

#[test]
fn a_healed_run_says_why_each_step_was_passed() {
    let text = shown("healed", Story::healed());
    let passed = text.lines().filter(|line| line.contains(" % passed: ")).count();
    assert_eq!(passed, 4, "each step once");
    let monitored = text.split(" 100 % passed: ").nth(1).unwrap();
    assert!(
        monitored.contains("monitoring begins: production is watched at 100 %")
            && monitored.contains("monitoring passed: ")
    );
    assert_eq!(text.matches("monitoring begins").count(), 1);
    assert!(text.matches("rule: ").count() >= passed);
}

#[test]
fn a_rolled_back_run_says_which_rule_was_crossed_by_which_numbers() {
    let text = shown("rolled-back", Story::rolled_back());
    assert!(text.contains("rule: error-rate above 5.0 %: crossed"), "{text}");
}

#[test]
fn a_run_that_two_bad_windows_turned_back_says_why_the_first_did_not() {
    let text = shown("slowed-down", Story::slowed_down());
    let (_, text) = text.split_once("started").unwrap();
    let first = text.lines().position(|line| line.contains("; bad window 1 of 2 in a row: ")).unwrap();
    let second = text.lines().position(|line| line.contains("; bad window 2 of 2 in a row")).unwrap();
    assert!(first < second && !text.contains("at once"), "{text}");
}

#[test]
fn a_run_says_what_turned_it_back_together_and_what_the_other_triggers_and_dry_runs_say() {
    let text = shown("weighed", Story::weighed());
    let turned = text.split("turning back: ").nth(1).unwrap();
    for line in
        ["; not critical, nor is ", "also: error-rate above 20.0 % is not ", "dry run, decides nothing: latency worse"]
    {
        assert!(turned.contains(line), "{line}: {text}");
    }
}

#[test]
fn an_escalated_run_says_what_was_missing() {
    let text = shown("escalated", Story::escalated());
    assert!(text.contains("held: ") && text.contains("nobody answered in time"), "{text}");
}

#[test]
fn a_run_whose_machine_had_its_clock_set_back_says_so() {
    let mut events = Story::healed();
    events.truncate(20);
    let run = Run::replay(&events).unwrap();
    let back = Input::ClockWentBack { behind: std::time::Duration::from_secs(3600) };
    events.extend(run.decide(back, run.last_event_at()).unwrap());
    let (run, version) = (Run::replay(&events).unwrap(), events.len() as u64);
    let text = text(&Logged { run, events, version }, None, None, Style::plain());
    assert!(
        text.contains(" this machine's clock is 3600 s behind what it told before; time goes on from there"),
        "{text}"
    );
}

/// A run that is to go back, which its target refuses.
fn stuck() -> (Run, Vec<Event>) {
    let mut events = Story::rolled_back();
    let turned = events.iter().position(|event| matches!(event.event, EventKind::TurnedBack { .. })).unwrap();
    events.truncate(turned + 1);
    let mut run = Run::replay(&events).unwrap();
    let key = run.commands(run.last_event_at())[0].key().unwrap().to_owned();
    let info = ErrorInfo { message: "no such instance".into(), details: Vec::new() };
    let outcome = EffectOutcome::Failed(StageError { kind: ErrorKind::Failed, info });
    say(&mut run, &mut events, Input::Intent { key: key.clone() });
    say(&mut run, &mut events, Input::Effect { key, outcome });
    (run, events)
}

fn say(run: &mut Run, events: &mut Vec<Event>, input: Input) {
    for event in run.decide(input, run.last_event_at()).unwrap() {
        run.apply(&event);
        events.push(event);
    }
}

fn told(run: &Run, events: &[Event]) -> String {
    let version = events.len() as u64;
    text(&Logged { run: run.clone(), events: events.to_vec(), version }, None, None, Style::plain())
}

#[test]
fn a_rollback_that_does_not_succeed_says_that_people_are_needed_and_who_has_it_in_hand() {
    let (mut run, mut events) = stuck();
    let shown = told(&run, &events);
    let needed = "people are needed since 2026-11-20 ";
    assert!(shown.contains(needed) && shown.contains(": going back failed once and is tried on: failed: no such"));
    assert!(shown.contains("  nobody has it in hand: autodevops ack 62e23fd1-1\n"), "{shown}");
    assert_eq!(state(&run), "ending, needs a person");
    let below = crate::runs::below(&run);
    assert!(below[0].starts_with("going back failed once") && below[0].ends_with(": autodevops ack 62e23fd1-1"));
    assert!(
        summary(&run, &After::default())["waits-for"].as_str().unwrap().starts_with("going back failed"),
        "{}",
        summary(&run, &After::default())
    );
    say(&mut run, &mut events, Input::Acknowledge { by: "ada".into(), reason: "on it".into(), link: None });
    assert!(told(&run, &events).contains("  ada has it in hand\n"));
    assert_eq!(state(&run), "ending");
    assert!(crate::runs::below(&run)[0].ends_with(": ada has it in hand"));
}

#[test]
fn a_rollback_that_a_persons_deploy_ends_says_so() {
    let (mut run, mut events) = stuck();
    let splits = vec![Split { release: "older".into(), percent: 100 }];
    let found = vec![Found { service: String::new(), splits, whole: None, staging: Vec::new() }];
    let key = run.look_key();
    say(&mut run, &mut events, Input::Serving { key, found });
    let shown = told(&run, &events);
    assert!(shown.contains(" goes back no further: production serves older 100 % where this run left "), "{shown}");
    assert!(shown.contains(": a person had it serve, and it stays\n"), "{shown}");
    assert!(!shown.contains("people are needed"), "{shown}");
}

#[test]
fn people_are_told_what_they_are_needed_for_beside_what_they_are_asked() {
    let mut events = Story::rolled_back();
    let looked = events.iter().position(|event| matches!(event.event, EventKind::StableLooked { .. })).unwrap();
    events.truncate(looked + 1);
    let Some(Event { at, event: EventKind::StableLooked { verdict }, .. }) = events.last_mut() else { panic!() };
    verdict.outcome = CheckOutcome::Failed;
    let until = at.after(std::time::Duration::from_secs(60));
    let asked = EventKind::ApprovalAsked { gate: Gate::Data, until, reason: "shall the data go back?".into() };
    let asked = Event { v: VERSION, at: *at, event: asked };
    events.push(asked);
    let run = Run::replay(&events).unwrap();
    let (shown, below) = (told(&run, &events), crate::runs::below(&run));
    for line in [
        ": shall the data go back?\n  autodevops approve 62e23fd1-1 --question 2\n",
        ": production went back to `old`, and that fails too (",
        "`autodevops rollback production --to RELEASE`, or `autodevops deploy --to production`\n",
        "  nobody has it in hand: autodevops ack 62e23fd1-1\n",
    ] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    assert!(below[0].ends_with("approve 62e23fd1-1 --question 2, or reject"), "{below:?}");
    assert!(
        below[1].starts_with("production went back") && below[1].ends_with(": autodevops ack 62e23fd1-1"),
        "{below:?}"
    );
}

#[test]
fn a_run_that_waits_for_the_end_of_a_freeze_says_until_when_and_why() {
    for (reason, why) in [("nobody is at work", ": nobody is at work"), ("", "")] {
        let mut events = Story::escalated();
        let staged = events.iter().position(|event| matches!(event.event, EventKind::StepPassed { .. })).unwrap();
        events.truncate(staged + 1);
        let at = events[staged].at;
        let until = at.after(std::time::Duration::from_secs(3600));
        let event = EventKind::Frozen { until, reason: reason.into() };
        events.push(Event { v: VERSION, at, event });
        let run = Run::replay(&events).unwrap();
        assert_eq!(crate::runs::below(&run), [format!("for a freeze that ends {}{why}", day(until))]);
        assert!(told(&run, &events).contains(&format!(" until {}: a freeze{why}\n", day(until))));
    }
}

#[test]
fn what_is_asked_names_its_question() {
    let mut events = Story::escalated();
    let asked = events.iter().position(|event| matches!(event.event, EventKind::ApprovalAsked { .. })).unwrap();
    events.truncate(asked + 1);
    let run = Run::replay(&events).unwrap();
    let shown = told(&run, &events);
    for verb in ["approve", "reject"] {
        assert!(shown.contains(&format!("  autodevops {verb} 62e23fd1-1 --question 1\n")), "{shown}");
    }
    let below = crate::runs::below(&run);
    assert!(below[0].ends_with(": autodevops approve 62e23fd1-1 --question 1, or reject"), "{below:?}");
}

#[test]
fn a_run_of_two_services_says_which_of_them_turned_both_back() {
    let text = shown("turned-back-together", Story::turned_back_together());
    assert!(text.contains("traffic of production of cart: ") && text.contains("production of shop serves old again"));
    assert_eq!(text.matches("a column is").count(), 2, "each is drawn");
}

#[test]
fn what_is_drawn_fits_in_eighty_columns() {
    for events in
        [Story::healed(), Story::rolled_back(), Story::escalated(), Story::slowed_down(), Story::turned_back_together()]
    {
        let run = Run::replay(&events).unwrap();
        for rollout in rollouts(&events).unwrap() {
            for line in chart::drawn(&rollout, run.plan(), Style::plain()).lines() {
                assert!(line.chars().count() <= 80, "{line}");
            }
        }
    }
}

#[test]
fn a_run_that_goes_on_is_drawn_as_far_as_it_is() {
    let events = Story::healed();
    for end in 1..events.len() {
        let (events, run) = (events[..end].to_vec(), Run::replay(&events[..end]).unwrap());
        text(&Logged { version: end as u64, events, run }, None, Some("x-1"), Style::plain());
    }
}

#[test]
fn a_run_is_shown_as_it_was_at_a_moment_that_it_had_reached() {
    let events = Story::healed();
    let run = Run::replay(&events).unwrap();
    let logged = Logged { version: events.len() as u64, run, events };
    let (start, end) = (logged.run.started_at(), logged.run.last_event_at());
    let entered =
        |event: &&Event| matches!(event.event, autodevops_pipeline::EventKind::StepEntered { percent: 5, .. });
    let step = logged.events.iter().find(entered).unwrap().at;
    let then = as_it_was(&logged, whole(step), end).unwrap();
    assert_eq!((then.run.stage().name(), then.run.watch().unwrap().percent), ("rollout", 5));
    let text = text(&then, Some(step), None, Style::plain());
    assert!(text.contains("as it was at ") && text.contains(" 95 %, ") && text.contains(" 5 %"), "{text}");
    assert!(!text.contains("healed"), "nothing of what came later: {text}");
    let early = as_it_was(&logged, Timestamp(start.0 - 1), end).unwrap_err();
    assert!(early.is::<Usage>() && early.to_string().contains("which is after"), "{early}");
    let late = as_it_was(&logged, end.after(std::time::Duration::from_secs(9)), end).unwrap_err();
    assert!(late.is::<Usage>() && late.to_string().contains("is still to come"), "{late}");
}

#[test]
fn what_came_of_undoing_a_change_in_git_is_a_line_that_names_the_branch_or_what_is_to_be_done() {
    let line = |came: Came| {
        let (what, subject, commit) = ("the change of run a-1".into(), "a-1".into(), "0123456789abcdef".into());
        let undoing = Undoing { what, subject, commit, came, at: Timestamp(0), untold: Vec::new(), tried: 0 };
        became(&After { undoing: Some(&undoing), gone_back: Vec::new() }).concat()
    };
    let branch = line(Came::Branch("autodevops/revert-0123456789".into()));
    assert_eq!(branch, "undone in git on the branch autodevops/revert-0123456789");
    let conflict = line(Came::Conflict(vec!["a\u{1b}[31m.js".into()]));
    assert!(conflict.starts_with("the change of run a-1 cannot be undone by itself: "), "{conflict}");
    assert!(conflict.ends_with("`git revert 0123456789`") && !conflict.contains('\u{1b}'), "{conflict}");
}

#[test]
fn who_went_back_from_a_runs_release_by_hand_is_a_line_that_says_why() {
    let gone = |service: &str, reason| GoneBack { service: service.into(), by: "ada", at: Timestamp(0), reason };
    let after = After { undoing: None, gone_back: vec![gone("", "carts\u{1b}[31m empty"), gone("api", "")] };
    let [alone, of_api] = became(&after).try_into().unwrap();
    assert!(alone.starts_with("its release was gone back from at 1970-01-01 00:00:00Z by ada: carts"), "{alone}");
    assert!(alone.ends_with("empty") && !alone.contains('\u{1b}'), "{alone}");
    assert_eq!(of_api, "its release of api was gone back from at 1970-01-01 00:00:00Z by ada");
}
