//! Where the release has all of the traffic, and stable, which has none, shows whether it could serve.

use super::*;

/// A release that has all of the traffic, and stable beside it, which has none and shows that sign; both were well before.
fn at_all_of_it(sign: &'static str) -> Scene {
    let mut scene = at_a_quarter(0).until(RunStage::Monitoring);
    scene.stable_sign = Some(sign);
    scene
}

#[test]
fn with_all_of_the_traffic_a_release_that_fails_does_not_go_back_to_one_that_is_down_and_people_are_told_at_once() {
    for (sign, words) in [
        (PROBE, "broken itself (hard trip: the release does not answer its probe)"),
        (CRASH_LOOP, "broken itself (hard trip: the release ends by itself again and again)"),
    ] {
        let mut scene = at_all_of_it(sign);
        scene.seen = (190, 200);
        let begin = scene.now;
        while scene.run.gate().is_none() {
            scene.go();
        }
        assert!(scene.now <= begin.after(60 * SECOND), "with the measurement that shows the failure");
        let reason = scene.run.gate().unwrap().reason.clone();
        assert!(
            reason.starts_with("production at 100 %: error-rate at or above 50.0 % at once: hard trip: 190 of 200")
                && reason.contains(words),
            "{reason}"
        );
        assert!(!reason.contains("roll-forward"), "it has everything: {reason}");
        assert!(scene.run.untold().any(|note| note.notification.body.contains(words)));
        assert_eq!((scene.production(), scene.run.ending()), (vec![("new", 100)], None));
        assert!(!scene.has(|event| matches!(event, EventKind::RollbackChecked { .. })));
        // It runs again, and the release fails on.
        scene.stable_sign = None;
        let (outcome, scene) = scene.outcome();
        assert!(matches!(outcome, Outcome::RolledBack { .. }), "{outcome}");
        assert_eq!(scene.production(), [("old", 100)]);
    }
}

#[test]
fn a_release_that_does_not_answer_as_little_as_the_one_before_stays_and_people_are_asked() {
    for sign in [PROBE, CRASH_LOOP] {
        let mut scene = at_all_of_it(sign);
        // Such as where both ask a database that is away.
        scene.candidate_sign = Some(sign);
        while scene.run.gate().is_none() {
            scene.go();
        }
        let reason = scene.run.gate().unwrap().reason.clone();
        assert!(reason.contains(&format!("{sign} at once")) && reason.contains("broken itself"), "{reason}");
        assert_eq!((scene.production(), scene.run.ending()), (vec![("new", 100)], None));
        // The one before answers again, and this one does not.
        scene.stable_sign = None;
        let (outcome, scene) = scene.outcome();
        assert!(matches!(outcome, Outcome::RolledBack { .. }), "{outcome}");
        assert_eq!(scene.production(), [("old", 100)]);
    }
}

#[test]
fn a_stable_release_that_is_down_does_no_harm_to_one_that_serves_well() {
    let (outcome, scene) = at_all_of_it(CRASH_LOOP).outcome();
    assert_eq!((outcome, scene.production()), (Outcome::Healed, vec![("new", 100)]));
    assert!(!scene.has(|event| matches!(event, EventKind::StableBroken { .. })));
}

#[test]
fn what_stable_shows_now_stands_above_what_it_showed_while_it_had_traffic() {
    let mut scene = at_a_quarter(0);
    scene.stable_sign = Some(PROBE);
    scene = scene.until_step(100);
    scene.stable_sign = None;
    while !scene.go().iter().any(|event| matches!(event.event, EventKind::Judged { .. })) {}
    complain(&mut scene);
    let (outcome, scene) = scene.outcome();
    assert!(matches!(outcome, Outcome::RolledBack { .. }), "{outcome}");
    assert_eq!(scene.production(), [("old", 100)]);
}
