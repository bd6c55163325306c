//! Runs that are as good as over: people are needed, and asked.

use autodevops_pipeline::DataPlan;

use super::*;
use crate::keeper::KEEPER;

/// People are told at once, and after an hour.
fn laddered(plan: &mut Plan) {
    plan.notifiers = vec!["chat".into()];
    plan.escalation = vec![Level { after: 3600 * SECOND, notifiers: vec!["chat".into()] }];
}

/// In production all of it fails, and what was there before does too.
fn rots(world: &mut World) {
    let production =
        |event: &Event| matches!(event.event, EventKind::StepEntered { environment: Environment::Production, .. });
    if world.runs[0].events.iter().any(production) {
        (world.runs[0].quality.failing, world.faults.rotten) = (1000, true);
    }
}

#[test]
fn a_run_that_only_tells_people_is_left_to_whoever_has_it_in_hand() {
    let (reason, remedy) = left(driven(laddered, false, None, rots).0);
    assert!(reason.contains("production went back to `old`, and that fails too"), "{reason}");
    assert_eq!(remedy, "say that you have it in hand with `autodevops ack r1`");
    // One that waits for an answer, too, is left to those who may give it.
    let asks = |plan: &mut Plan| {
        laddered(plan);
        plan.approval.required = true;
    };
    assert_eq!(left(driven(asks, false, None, |_| {}).0).1, "let it go on with `autodevops approve r1 --question 1`");
    let (end, listening) = driven(laddered, true, None, rots);
    assert!(matches!(end, End::Finished(Outcome::RolledBack { .. })), "{end:?}");
    assert!(listening.seconds() > 3600.0, "it stays until the last level is told");
}

#[test]
fn what_people_are_needed_for_is_told_on_while_they_are_asked_about_the_data_and_once_they_did_not_say() {
    let guarded = |plan: &mut Plan| {
        laddered(plan);
        plan.data = DataPlan { guards: vec![KEEPER.into()], ..plan.data.clone() };
    };
    let (reason, remedy) = left(driven(guarded, false, None, rots).0);
    assert!(
        reason.starts_with("production went back to `old`, and that fails too")
            && reason.contains("Shall the data go back"),
        "{reason}"
    );
    let wanted = "answer with `autodevops approve r1 --question 2` or `autodevops reject r1 --question 2`; say that you have it in hand with \
                  `autodevops ack r1`";
    assert_eq!(remedy, wanted);
    let (end, listening) = driven(guarded, true, None, rots);
    assert!(matches!(end, End::Finished(Outcome::RolledBack { .. })), "{end:?}");
    assert!(
        listening.seconds() > 3600.0,
        "nobody spoke of the data, and the last level is told of what fails all the same"
    );
}
