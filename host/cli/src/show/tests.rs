//! Runs as people see them, each beside the exact text: `src/show/tests/NAME.txt`.
//!
//! After a change of the texts, `UPDATE_EXPECTED=1 cargo test -p autodevops show` writes them anew, to be read.

use std::{fs, path::Path};

use autodevops_pipeline::{Event, Input, Run};
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
    assert_eq!(passed, 5, "four steps and the monitoring");
    assert!(text.matches("rule: ").count() >= passed);
}

#[test]
fn a_rolled_back_run_says_which_rule_was_crossed_by_which_numbers() {
    let text = shown("rolled-back", Story::rolled_back());
    assert!(text.contains("rule: error-rate above 5.0 %: crossed"), "{text}");
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

#[test]
fn a_run_of_two_services_says_which_of_them_turned_both_back() {
    let text = shown("turned-back-together", Story::turned_back_together());
    assert!(text.contains("traffic of production of cart: ") && text.contains("production of shop serves old again"));
    assert_eq!(text.matches("a column is").count(), 2, "each is drawn");
}

#[test]
fn what_is_drawn_fits_in_eighty_columns() {
    for events in [Story::healed(), Story::rolled_back(), Story::escalated(), Story::turned_back_together()] {
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
