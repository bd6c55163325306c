//! How long a signal counts, to the moment, and how it is told how many are counted.

use super::*;

fn counting(counts: &[(Counted, u32, Duration)]) -> Scene {
    let trigger = |&(counted, at_least, window): &_| CountTrigger { counted, at_least, window, critical: true };
    Scene::new(Plan { counts: counts.iter().map(trigger).collect(), ..slow() }).until_step(5)
}

#[test]
fn each_kind_counts_for_as_long_as_its_own_trigger_says() {
    let (complaints, errors) = (Counted::Complaints, Counted::CriticalErrors);
    for (long, short) in [(complaints, errors), (errors, complaints)] {
        let mut scene = counting(&[(long, 3, 600 * SECOND), (short, 3, 60 * SECOND)]);
        for id in ["1", "2"] {
            for kind in [long, short] {
                scene.say(Input::Signal(signal(kind, id, scene.now))).unwrap();
            }
            wait(&mut scene, 100 * SECOND);
        }
        let kept: Vec<_> = scene.run.signals().iter().map(|kept| (kept.counted, kept.id.as_str())).collect();
        assert_eq!(kept, [(long, "1"), (long, "2"), (short, "2")]);
        scene.say(Input::Signal(signal(short, "3", scene.now))).unwrap();
        assert!(!is_ending(&scene));
        scene.say(Input::Signal(signal(long, "3", scene.now))).unwrap();
        assert!(is_ending(&scene));
    }
}

#[test]
fn whoever_complains_again_is_taken_in_anew_after_a_tenth_of_the_window_and_not_before() {
    for (apart, taken) in [(60 * SECOND - Duration::from_nanos(1), 0), (60 * SECOND, 1)] {
        let mut scene = Scene::new(slow()).until_step(5);
        complains(&mut scene, "1", Some("eve"));
        scene.now = scene.now.after(apart);
        let again = Signal { by: Some("eve".into()), ..signal(Counted::Complaints, "2", scene.now) };
        assert_eq!(scene.say(Input::Signal(again)).unwrap().len(), taken, "{apart:?}");
    }
}

#[test]
fn what_is_told_late_is_taken_in_where_it_is_no_older_than_the_window() {
    for (ago, taken) in [(600 * SECOND, 1), (600 * SECOND + Duration::from_nanos(1), 0)] {
        let mut scene = Scene::new(slow()).until_step(5);
        scene.now = scene.now.after(700 * SECOND);
        let late = signal(Counted::Complaints, "1", scene.now.before(ago));
        assert_eq!(scene.say(Input::Signal(late)).unwrap().len(), taken, "{ago:?}");
    }
}

#[test]
fn one_complaint_is_told_as_one_and_a_window_in_the_unit_that_it_is_whole_in() {
    for (at_least, window, words) in [
        (1, Duration::from_millis(500), "1 complaint within 0.5 s"),
        (1, 90 * SECOND, "1 complaint within 90 s"),
        (2, 120 * SECOND, "complaints of 2 people or more within 2 min"),
    ] {
        let mut scene = counting(&[(Counted::Complaints, at_least, window)]);
        for id in 0..at_least {
            complains(&mut scene, &id.to_string(), None);
        }
        let Some(Outcome::RolledBack { reason }) = scene.run.ending() else { panic!("{words}") };
        assert!(reason.starts_with(&format!("production at 5 %: {words}, since it has traffic; ")), "{reason}");
    }
}
