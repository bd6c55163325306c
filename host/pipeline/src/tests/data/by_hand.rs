//! Data that was to go back, where a person has another release serve.

use super::*;

#[test]
fn where_another_release_serves_by_a_persons_hand_data_that_was_to_go_back_stays_as_it_is() {
    let mut scene = until_asked(taken_back(kept(true, Restore::Ask)));
    let found = |id: &str| {
        let splits = vec![Split { release: id.into(), percent: 100 }];
        vec![Found { service: String::new(), splits, whole: Some(release(id)), staging: Vec::new() }]
    };
    let approve = Input::Approve { by: "ada".into(), reason: "orders are gone".into(), bypass: false, link: None };
    scene.say(approve).unwrap();
    assert!(scene.run.restores_data() && scene.run.meets_data(&found("old")).is_none());
    let why = scene.run.meets_data(&found("fixed")).unwrap();
    assert!(why.info.message.starts_with("production serves fixed 100 % where this run left old 100 %"), "{why}");
    scene.say(Input::Serving { key: scene.run.look_key(), found: found("old") }).unwrap();
    assert!(scene.run.restores_data(), "all is as it was");
    scene.say(Input::Serving { key: scene.run.look_key(), found: found("fixed") }).unwrap();
    assert!(!scene.run.restores_data());
    let (outcome, scene) = scene.outcome();
    assert!(matches!(outcome, Outcome::RolledBack { .. }), "{outcome:?}");
    assert_eq!((restored(&scene), scene.production()), (Vec::<&str>::new(), vec![("fixed", 100)]));
}
