//! What serves production is looked at when a host takes a run over: what someone deployed past the run is not overwritten.

use autodevops_model::{ErrorKind, Split};

use super::scene::{Scene, error, plan, release, shares, traffic};
use crate::{Baseline, Command, EffectOutcome, Environment, EventKind, Found, Gate, Input, Outcome, Plan, RunStage};

fn splits(shares: &[(&str, u8)]) -> Vec<Split> {
    shares.iter().map(|(release, percent)| Split { release: (*release).into(), percent: *percent }).collect()
}

/// A host takes the run over, and finds this in production.
fn taken_over(scene: Scene, found: &[(&str, u8)]) -> Scene {
    let staging = traffic(&scene.run, Environment::Staging).to_vec();
    found_both(scene, splits(found), staging)
}

/// The same, in staging.
fn staging_taken_over(scene: Scene, found: &[(&str, u8)]) -> Scene {
    let production = traffic(&scene.run, Environment::Production).to_vec();
    found_both(scene, production, splits(found))
}

fn found_both(mut scene: Scene, splits: Vec<Split>, staging: Vec<Split>) -> Scene {
    let fence = scene.run.fence() + 1;
    scene.say(Input::Resume { fence }).unwrap();
    let Command::Compare { key } = scene.command() else { panic!("{:?}", scene.commands()) };
    scene
        .say(Input::Serving { key, found: vec![Found { whole: None, service: String::new(), splits, staging }] })
        .unwrap();
    scene
}

fn approve(scene: &mut Scene) {
    scene.say(Input::Approve { by: "ada".into(), reason: "mine".into(), bypass: false, link: None }).unwrap();
}

#[test]
fn nothing_but_the_look_is_done_until_it_is_known_what_serves() {
    let mut scene = Scene::new(plan()).until_step(5);
    scene.say(Input::Resume { fence: 8 }).unwrap();
    scene.now = scene.now.after(std::time::Duration::from_secs(5));
    for _ in 0..30 {
        let commands = scene.commands();
        match &commands[0] {
            Command::Compare { key } => {
                let (key, error) = (key.clone(), error(ErrorKind::Failed));
                scene.say(Input::Failed { key, error }).unwrap();
            }
            Command::WaitUntil(until) => scene.now = *until,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(scene.run.stage(), RunStage::Rollout, "it is looked for ever");
    assert_eq!(scene.outcome().0, Outcome::Healed);
}

#[test]
fn what_the_run_made_of_production_or_was_about_to_goes_on() {
    let step = || Scene::new(plan()).until_step(5);
    // An empty share is none, and the order says nothing.
    let scene = taken_over(step(), &[("new", 5), ("x", 0), ("old", 95)]);
    assert!(scene.run.gate().is_none() && scene.run.watch().is_some());
    assert_eq!(scene.outcome().0, Outcome::Healed);
    let mut scene = step();
    while scene.run.steps_passed() == 0 {
        scene.go();
    }
    let key = scene.command().key().unwrap().to_owned();
    scene.say(Input::Intent { key: key.clone() }).unwrap();
    let scene = taken_over(scene, &[("old", 75), ("new", 25)]);
    assert_eq!(scene.command().key(), Some(&*key), "asked by its key again");
    assert_eq!(scene.outcome().0, Outcome::Healed);
}

#[test]
fn a_move_of_which_the_answer_was_lost_is_the_runs_own() {
    let lost = || {
        let mut scene = Scene::new(plan()).until_step(5);
        while scene.run.steps_passed() == 0 {
            scene.go();
        }
        let key = scene.command().key().unwrap().to_owned();
        scene.say(Input::Intent { key: key.clone() }).unwrap();
        scene.say(Input::Failed { key: key.clone(), error: error(ErrorKind::Unavailable) }).unwrap();
        (scene, key)
    };
    // It is tried again a moment later; until then another host takes the run over, or the one that drives it looks.
    let (scene, key) = lost();
    let scene = taken_over(scene, &[("old", 75), ("new", 25)]);
    assert!(scene.run.gate().is_none(), "{:?}", scene.run.gate());
    assert!(scene.has(|event| matches!(event, EventKind::EffectFailed { retry: Some(_), .. })));
    let (outcome, scene) = scene.outcome();
    assert_eq!(outcome, Outcome::Healed);
    assert!(scene.has(|event| matches!(event, EventKind::TrafficSet { key: set, .. } if *set == key)), "asked again");
    let (scene, _) = lost();
    let found =
        |shares| vec![Found { whole: None, service: String::new(), splits: splits(shares), staging: Vec::new() }];
    assert!(!scene.run.is_overtaken(&found(&[("old", 75), ("new", 25)])));
    assert!(scene.run.is_overtaken(&found(&[("old", 50), ("new", 50)])));
}

#[test]
fn traffic_that_went_back_by_itself_is_moved_anew() {
    let scene = taken_over(Scene::new(plan()).until_step(25), &[("old", 100)]);
    assert!(scene.run.gate().is_none());
    assert_eq!(scene.command().key(), Some("r1/traffic/production/25/2"));
    assert_eq!(scene.outcome().0, Outcome::Healed);
}

#[test]
fn what_someone_deployed_past_the_run_holds_it_and_is_left_alone_when_it_is_refused() {
    for reached in [
        Scene::new(plan()).until(RunStage::ProductionDeploy),
        Scene::new(plan()).until_step(5),
        Scene::new(plan()).until(RunStage::Monitoring),
    ] {
        let mut scene = taken_over(reached, &[("hotfix", 100)]);
        let gate = scene.run.gate().unwrap();
        assert_eq!(gate.gate, Gate::Held);
        assert!(gate.reason.contains("production serves hotfix 100 %") && gate.reason.contains("deployed past it"));
        assert!(scene.commands().iter().all(|command| !command.needs_intent()), "nothing of it is touched");
        scene.say(Input::Reject { by: "ada".into(), reason: "keep it".into(), link: None }).unwrap();
        let (outcome, scene) = scene.outcome();
        assert!(matches!(outcome, Outcome::Aborted { .. }), "{outcome}");
        let asked = scene.has(|event| {
            let production = Some(Environment::Production);
            matches!(event, EventKind::EffectIntended { key, environment, .. }
                if *environment == production && key.contains("/rollback/"))
        });
        assert!(!asked, "nobody's release is taken back");
        assert_eq!(shares(super::scene::traffic(&scene.run, Environment::Production)), [("hotfix", 100)]);
    }
}

#[test]
fn a_person_has_the_run_take_production_over_again_from_the_step_it_was_at() {
    let mut scene = taken_over(Scene::new(plan()).until_step(25), &[("hotfix", 100)]);
    approve(&mut scene);
    assert_eq!(scene.command().key(), Some("r1/traffic/production/25/2"));
    let (outcome, scene) = scene.outcome();
    assert_eq!((outcome, scene.traffic_was()), (Outcome::Healed, vec![5, 25, 25, 50, 100]));
    let mut scene = taken_over(Scene::new(plan()).until(RunStage::Monitoring), &[("hotfix", 100)]);
    approve(&mut scene);
    let (outcome, scene) = scene.outcome();
    assert_eq!((outcome, scene.traffic_was()), (Outcome::Healed, vec![5, 25, 50, 100, 100]));
}

#[test]
fn a_rollback_that_was_decided_asks_nobody_what_serves() {
    let mut scene = Scene::new(plan()).until_step(25);
    scene.say(Input::Abort { by: "ada".into(), reason: "enough".into() }).unwrap();
    scene.say(Input::Resume { fence: 8 }).unwrap();
    assert_eq!(scene.command().key(), Some("r1/rollback/production"));
}

#[test]
fn an_answer_to_an_older_look_is_refused() {
    let mut scene = Scene::new(plan()).until_step(5);
    scene.say(Input::Resume { fence: 8 }).unwrap();
    let found =
        vec![Found { whole: None, service: String::new(), splits: splits(&[("hotfix", 100)]), staging: Vec::new() }];
    let late = Input::Serving { key: "r1/compare/7".into(), found };
    scene.say(late).unwrap_err();
    assert!(scene.run.gate().is_none());
}

/// The host that drives the run looks, and finds this in production.
fn looks(scene: &mut Scene, found: &[(&str, u8)]) {
    let key = scene.run.look_key();
    let found = vec![Found { whole: None, service: String::new(), splits: splits(found), staging: Vec::new() }];
    scene.say(Input::Serving { key, found }).unwrap();
}

#[test]
fn what_someone_deploys_past_a_run_that_a_host_drives_holds_it_and_is_left_alone_when_it_is_refused() {
    for reached in [Scene::new(plan()).until_step(5), Scene::new(plan()).until(RunStage::Monitoring)] {
        let mut scene = reached;
        looks(&mut scene, &[("hotfix", 100)]);
        let gate = scene.run.gate().unwrap();
        assert!(gate.reason.contains("production serves hotfix 100 %") && gate.reason.contains("deployed past it"));
        assert!(scene.commands().iter().all(|command| !command.needs_intent()), "nothing of it is touched");
        scene.say(Input::Reject { by: "ada".into(), reason: "keep it".into(), link: None }).unwrap();
        let (outcome, scene) = scene.outcome();
        assert!(matches!(outcome, Outcome::Aborted { .. }), "{outcome}");
        assert_eq!(shares(traffic(&scene.run, Environment::Production)), [("hotfix", 100)]);
    }
}

#[test]
fn a_run_that_has_production_again_goes_back_to_what_a_person_had_serve_and_not_to_what_they_took_back() {
    for (whole, back) in [(Some("older"), "older"), (None, "old")] {
        for reached in [Scene::new(fresh()).until(RunStage::ProductionDeploy), Scene::new(fresh()).until_step(5)] {
            let mut scene = reached;
            let found = Found {
                service: String::new(),
                splits: splits(&[("older", 100)]),
                whole: whole.map(release),
                staging: Vec::new(),
            };
            let key = scene.run.look_key();
            scene.say(Input::Serving { key, found: vec![found] }).unwrap();
            let asked = scene.run.gate().unwrap().reason.clone();
            assert!(asked.contains(&format!("over again with `{back}` to go back to, reject")), "{asked}");
            approve(&mut scene);
            let mut scene = scene.until_step(25);
            assert_eq!(scene.production()[0], (back, 75));
            scene.say(Input::Abort { by: "ada".into(), reason: "enough".into() }).unwrap();
            assert_eq!(scene.outcome().1.production(), [(back, 100)]);
        }
    }
}

/// A plan by which stable is started anew beside itself.
fn fresh() -> Plan {
    Plan { baseline: Baseline::Fresh, ..plan() }
}

#[test]
fn a_move_that_meets_someone_elses_deploy_is_not_asked_for_and_is_taken_anew_on_a_persons_word() {
    let mut scene = Scene::new(plan()).until_step(5);
    while !matches!(scene.command(), Command::SetTraffic { .. }) {
        scene.go();
    }
    let key = scene.command().key().unwrap().to_owned();
    scene.say(Input::Intent { key: key.clone() }).unwrap();
    looks(&mut scene, &[("hotfix", 100)]);
    assert_eq!(scene.run.pending().count(), 0, "what was not asked for is awaited no more");
    approve(&mut scene);
    let again = scene.command().key().unwrap().to_owned();
    assert_eq!(again, format!("{key}/2"));
    looks(&mut scene, &[("hotfix", 100)]);
    assert!(scene.run.gate().is_none(), "it is taken over from what was found");
    assert_eq!(scene.outcome().0, Outcome::Healed);
}

#[test]
fn a_look_that_finds_the_runs_own_shares_or_is_older_than_a_move_leaves_no_trace() {
    let mut scene = Scene::new(plan()).until_step(5);
    let events = scene.events.len();
    looks(&mut scene, &[("new", 5), ("old", 95)]);
    assert_eq!(scene.events.len(), events);
    let (key, found) = (scene.run.look_key(), splits(&[("old", 95), ("new", 5)]));
    let mut scene = scene.until_step(25);
    let late = Input::Serving {
        key,
        found: vec![Found { whole: None, service: String::new(), splits: found, staging: Vec::new() }],
    };
    scene.say(late).unwrap_err();
    // Its own move may have taken place, though no answer came.
    let mut scene = Scene::new(plan()).until_step(5);
    while !matches!(scene.command(), Command::SetTraffic { .. }) {
        scene.go();
    }
    let key = scene.command().key().unwrap().to_owned();
    scene.say(Input::Intent { key }).unwrap();
    looks(&mut scene, &[("new", 25), ("old", 75)]);
    assert!(scene.run.gate().is_none());
}

#[test]
fn a_rollback_that_was_decided_looks_at_nothing() {
    let mut scene = Scene::new(plan()).until_step(25);
    scene.say(Input::Abort { by: "ada".into(), reason: "enough".into() }).unwrap();
    let found =
        vec![Found { whole: None, service: String::new(), splits: splits(&[("hotfix", 100)]), staging: Vec::new() }];
    scene.say(Input::Serving { key: scene.run.look_key(), found }).unwrap_err();
}

/// Whether the run asked for anything in staging since then.
fn touches_staging(scene: &Scene, since: usize) -> bool {
    let touches =
        |event: &EventKind| matches!(event, EventKind::EffectIntended { environment: Some(Environment::Staging), .. });
    scene.events[since..].iter().any(|event| touches(&event.event))
}

#[test]
fn what_someone_deployed_into_staging_holds_the_run_and_is_left_alone_when_it_is_refused() {
    for stage in [RunStage::Fix, RunStage::StagingDeploy, RunStage::AutomatedTesting, RunStage::Soak] {
        let mut scene = staging_taken_over(Scene::new(plan()).until(stage), &[("hotfix", 100)]);
        let since = scene.events.len();
        let gate = scene.run.gate().unwrap();
        assert!(gate.reason.contains("staging serves hotfix 100 %"), "{}", gate.reason);
        scene.say(Input::Reject { by: "ada".into(), reason: "keep it".into(), link: None }).unwrap();
        let (outcome, scene) = scene.outcome();
        assert!(matches!(outcome, Outcome::Aborted { .. }), "{outcome}");
        assert!(!touches_staging(&scene, since), "in stage {stage}");
    }
}

#[test]
fn a_person_has_the_run_take_staging_over_again_and_it_is_tested_and_watched_anew() {
    let mut scene = staging_taken_over(Scene::new(plan()).until(RunStage::Soak), &[("hotfix", 100)]);
    approve(&mut scene);
    assert_eq!(scene.run.stage(), RunStage::StagingDeploy);
    assert_eq!(scene.command().key(), Some("r1/deploy/staging/2"));
    let count = |scene: &Scene, name: &str| scene.names().iter().filter(|seen| **seen == name).count();
    let (outcome, scene) = scene.outcome();
    assert_eq!((outcome, count(&scene, "automated-tested")), (Outcome::Healed, 2));
}

#[test]
fn once_production_is_begun_with_a_deploy_into_staging_holds_up_nothing_and_is_left_alone() {
    let mut scene = staging_taken_over(Scene::new(plan()).until_step(5), &[("hotfix", 100)]);
    let since = scene.events.len();
    assert!(scene.run.gate().is_none() && scene.run.watch().is_some());
    scene.say(Input::Rollback { by: "ada".into(), reason: "odd".into() }).unwrap();
    let (outcome, scene) = scene.outcome();
    assert!(matches!(outcome, Outcome::RolledBack { .. }), "{outcome}");
    assert!(!touches_staging(&scene, since));
    assert_eq!(shares(traffic(&scene.run, Environment::Staging)), [("hotfix", 100)]);
}

#[test]
fn a_move_in_staging_whose_answer_was_lost_is_the_runs_own() {
    let mut scene = Scene::new(plan()).until(RunStage::StagingDeploy);
    while !matches!(scene.command(), Command::SetTraffic { .. }) {
        scene.go();
    }
    let key = scene.command().key().unwrap().to_owned();
    scene.say(Input::Intent { key: key.clone() }).unwrap();
    let lost = EffectOutcome::Failed(error(ErrorKind::Unavailable));
    scene.say(Input::Effect { key: key.clone(), outcome: lost }).unwrap();
    let mut scene = staging_taken_over(scene, &[("new", 100)]);
    assert!(scene.run.gate().is_none(), "{:?}", scene.run.gate());
    scene.now = scene.now.after(std::time::Duration::from_secs(60));
    assert_eq!(scene.command().key(), Some(key.as_str()));
    assert_eq!(scene.outcome().0, Outcome::Healed);
}

#[test]
fn a_target_that_says_that_it_went_back_and_did_not_is_not_believed() {
    let mut scene = Scene::new(plan()).until_step(25);
    let step = Command::SetTraffic {
        service: String::new(),
        environment: Environment::Production,
        key: "r1/traffic/production/50".into(),
        fence: 1,
        splits: splits(&[("old", 50), ("new", 50)]),
    };
    assert!(!scene.run.takes_back(&step));
    scene.say(Input::Rollback { by: "ada".into(), reason: "enough".into() }).unwrap();
    let back = scene.command();
    assert!(scene.run.takes_back(&back), "{back:?}");
    let found = |service: &str, shares: &[(&str, u8)]| Found {
        whole: None,
        service: service.into(),
        splits: splits(shares),
        staging: Vec::new(),
    };
    let left = |found: Found| scene.run.left_behind(&back, &[found]).map(|error| error.info.message);
    assert_eq!(
        left(found("", &[("old", 75), ("new", 25)])).unwrap(),
        "the target says that it is done, and production serves old 75 %, new 25 % still; look at the target"
    );
    // A share of nothing is none, what a person put there is theirs, and another service says nothing.
    for other in [found("", &[("old", 100), ("new", 0)]), found("", &[("hotfix", 100)]), found("cart", &[("new", 100)])]
    {
        assert_eq!(left(other), None);
    }
    scene.obey(&back);
    let staging = scene.command();
    assert!(matches!(staging, Command::SetTraffic { environment: Environment::Staging, .. }));
    assert!(!scene.run.takes_back(&staging), "nobody is served by it");
}

/// A run that is about to move production for the first time: the move is intended, and not done.
fn about_to_move() -> (Scene, String) {
    let mut scene = Scene::new(plan()).until(RunStage::Rollout);
    let key = scene.command().key().unwrap().to_owned();
    assert!(matches!(scene.command(), Command::SetTraffic { .. }));
    scene.say(Input::Intent { key: key.clone() }).unwrap();
    (scene, key)
}

#[test]
fn a_move_that_a_rollback_by_hand_came_before_is_neither_made_nor_taken_back() {
    // What came of the move may be known before it is looked what serves, or never.
    let late = |look: &str| Input::Serving {
        key: look.into(),
        found: vec![Found {
            whole: None,
            service: String::new(),
            splits: splits(&[("older", 100)]),
            staging: Vec::new(),
        }],
    };
    let denied =
        |key: &str| Input::Effect { key: key.into(), outcome: EffectOutcome::Failed(error(ErrorKind::Denied)) };
    for refused in [false, true] {
        let (mut scene, key) = about_to_move();
        let look = scene.run.look_key();
        scene.say(Input::Resume { fence: 9 }).unwrap();
        match refused {
            true => drop(scene.say(denied(&key)).unwrap()),
            false => drop(scene.say(late(&look)).unwrap_err()),
        }
        assert_eq!(scene.run.ending(), None, "nothing is taken back");
        let Command::Compare { key } = scene.command() else { panic!("{:?}", scene.commands()) };
        let staging = traffic(&scene.run, Environment::Staging).to_vec();
        let found = vec![Found { whole: None, service: String::new(), splits: splits(&[("older", 100)]), staging }];
        scene.say(Input::Serving { key, found }).unwrap();
        let gate = scene.run.gate().unwrap();
        assert!(gate.reason.contains("production serves older 100 % where this run left old 100 %"), "{}", gate.reason);
        let since = scene.events.len();
        scene.say(Input::Reject { by: "ada".into(), reason: "so".into(), link: None }).unwrap();
        let (outcome, scene) = scene.outcome();
        assert!(matches!(outcome, Outcome::Aborted { .. }), "{outcome}");
        let touches = |event: &crate::Event| {
            let production = Some(Environment::Production);
            matches!(&event.event, EventKind::EffectIntended { environment, .. } if *environment == production)
        };
        assert!(!scene.events[since..].iter().any(touches), "what a person put there stays");
    }
}

#[test]
fn a_candidate_that_someone_gave_everything_is_past_the_run_too_and_nothing_to_go_back_to() {
    for (found, whole) in [(splits(&[("new", 100)]), "new"), (splits(&[("hotfix", 60), ("old", 40)]), "hotfix")] {
        let mut scene = Scene::new(plan()).until_step(5);
        let whole = Some(release(whole));
        let found = vec![Found { whole, service: String::new(), splits: found, staging: Vec::new() }];
        assert!(scene.run.is_overtaken(&found));
        let events = scene.say(Input::Serving { key: scene.run.look_key(), found: found.clone() }).unwrap();
        let serves = events.iter().find_map(|event| match &event.event {
            EventKind::Diverged { serves, .. } => Some(serves.clone()),
            _ => None,
        });
        assert_eq!(serves, Some(None), "{found:?}");
    }
}

#[test]
fn what_the_run_is_about_to_do_in_staging_explains_nothing_in_production() {
    let mut scene = Scene::new(plan());
    let key = loop {
        match scene.command() {
            Command::SetTraffic { key, environment: Environment::Staging, .. } => break key,
            command => drop(scene.obey(&command)),
        }
    };
    scene.say(Input::Intent { key }).unwrap();
    let found = |id: &str| {
        vec![Found { whole: None, service: String::new(), splits: splits(&[(id, 100)]), staging: Vec::new() }]
    };
    assert!(scene.run.is_overtaken(&found("new")) && !scene.run.is_overtaken(&found("old")));
}

#[test]
fn where_all_is_as_it_was_a_move_that_is_under_way_goes_on() {
    let mut scene = Scene::new(plan()).until_step(5);
    while scene.run.steps_passed() == 0 {
        scene.go();
    }
    let key = scene.command().key().unwrap().to_owned();
    scene.say(Input::Intent { key: key.clone() }).unwrap();
    let splits = traffic(&scene.run, Environment::Production).to_vec();
    let found = vec![Found { whole: None, service: String::new(), splits, staging: Vec::new() }];
    assert_eq!(scene.say(Input::Serving { key: scene.run.look_key(), found }).unwrap(), []);
    assert_eq!(scene.command().key(), Some(&*key));
}

#[test]
fn what_has_all_of_the_traffic_has_no_lease_that_could_have_run_out() {
    let scene = taken_over(Scene::new(plan()).until_step(100), &[("old", 100)]);
    assert!(scene.run.gate().is_some() && scene.has(|event| matches!(event, EventKind::Diverged { .. })));
}
