//! What is seen of a project before anything starts.

use std::fs;

use autodevops_record::testing::Story;
use autodevops_sandbox::CallReport;
use serde_json::json;

use super::*;
use crate::testing::{Said, Scene, answer, is_shared, local_target, plugin, target};

/// All that the stages of a project with the local target name.
fn all() -> Vec<crate::testing::Plugin> {
    vec![
        local_target(&[]),
        plugin("analyzer", Stage::Analyzer, &[]),
        plugin("fixer", Stage::FixGenerator, &[]),
        plugin("health", Stage::HealthCheck, &[]),
    ]
}

#[test]
fn a_plugin_that_nobody_answered_keeps_a_run_from_beginning_and_not_from_going_on() {
    let asks = || plugin("fixer", Stage::FixGenerator, &[]).that_asks_a_model().that_nobody_answered();
    let plugins: Vec<_> =
        all().into_iter().take(2).chain([asks(), plugin("health", Stage::HealthCheck, &[])]).collect();
    let scene = Scene::open(&plugins, "");
    let project = &scene.project;
    let unanswered = project.check_answers().unwrap_err().downcast::<Unanswered>().unwrap();
    assert_eq!(unanswered.plugins.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["fixer"]);
    assert!(project.check_answers_to_go_on().unwrap_err().is::<Unanswered>());
    assert!(project.check_plugins().unwrap_err().is::<Unanswered>());
    scene.run(&Story::default(), is_shared);
    assert_eq!(project.check_answers_to_go_on().unwrap(), Some(unanswered));
    let scene = Scene::open(&all(), "");
    scene.project.check_answers().unwrap();
    assert_eq!(scene.project.check_answers_to_go_on().unwrap(), None);
    // Another error is none that a run goes on with.
    let scene = Scene::open(&all()[..3], "");
    scene.run(&Story::default(), is_shared);
    let error = format!("{:#}", scene.project.check_answers_to_go_on().unwrap_err());
    assert!(
        error.starts_with("[stages] health-checks is to be served by `health`: there is no plugin `health`"),
        "{error}"
    );
}

#[test]
fn each_plugin_that_a_stage_names_is_loaded_for_that_stage() {
    Scene::open(&all(), "").project.check_plugins().unwrap();
    let more = "[staging]\nhealth-checks = [\"staged\"]\n[[escalation]]\nafter = \"1m\"\nnotifiers = [\"pager\"]\n";
    let scene = Scene::open(&[all(), vec![plugin("chat", Stage::Notifier, &[])]].concat(), more);
    let named: Vec<(String, Stage)> =
        scene.project.stage_plugins().map(|(name, stage)| (name.clone(), stage)).collect();
    let of = |name: &str, stage| (name.to_owned(), stage);
    let expected = [
        of("fixer", Stage::FixGenerator),
        of("chat", Stage::Notifier),
        of("health", Stage::HealthCheck),
        of("staged", Stage::HealthCheck),
        of("pager", Stage::Notifier),
        of("analyzer", Stage::Analyzer),
        of("local", Stage::DeployTarget),
    ];
    assert_eq!(named, expected);
    // A fixer that is none.
    let wrong: Vec<_> = [
        &all()[..2],
        &all()[3..],
        &[plugin(
            "other",
            Stage::Check,
            &[answer(
                "run",
                json!({
                    "outcome": "passed", "summary": "", "findings": [], "metrics": [], "tests": [],
                }),
            )],
        )],
    ]
    .concat();
    let scene = Scene::open(&wrong, "[plugins.fixer]\npath = \"../plugins/other\"\n");
    let error = format!("{:#}", scene.project.load_plugins().unwrap_err());
    assert!(error.contains("fixer"), "{error}");
}

#[test]
fn without_a_front_door_two_publishers_must_agree_and_with_one_they_need_not() {
    let plugins: Vec<_> = all().into_iter().skip(1).chain([target(&[])]).collect();
    let error = Scene::open(&plugins, "").project.load_plugins().unwrap_err().to_string();
    assert!(error.contains("two health checks of two publishers"), "{error}");
    assert!(Scene::open(&all(), "").project.is_local());
}

#[test]
fn the_files_of_a_service_must_be_there_unless_they_are_built() {
    let check = |more: &str, kind: &str| {
        let scene = Scene::open(&[target(&[])], more);
        let mut service = scene.project.config.services()[0].clone();
        service.functions = (kind == "functions").then(|| "functions/index.js".to_owned());
        let checked = scene.project.check_files(&service, &scene.shop());
        checked.map_err(|error| error.to_string())
    };
    assert_eq!(check("", "files"), Ok(()));
    let told = "[service] functions: the repository has no `functions/index.js`; check it in, or correct the key";
    assert_eq!(check("", "functions"), Err(told.to_owned()));
    assert_eq!(check("[build]\ncommand = \"true\"\noutputs = [\"public\"]\n", "functions"), Ok(()));
}

#[test]
fn calls_are_of_their_run_and_recorded_only_where_they_are_to_be() {
    for (more, is_recorded) in [("[recording]\nenabled = true\n", true), ("[recording]\nenabled = false\n", false)] {
        let scene = Scene::open(&[target(&[])], more);
        let folder = MountedFolder { guest: "/repo".into(), host: scene.shop() };
        let context = scene.project.context("a-1", vec![folder]);
        assert_eq!((context.run.as_str(), context.mounts.len(), context.observer.is_some()), ("a-1", 1, true));
        assert_eq!(context.recordings.is_some(), is_recorded);
    }
}

#[test]
fn source_maps_are_those_that_the_configuration_names() {
    assert!(Scene::open(&[target(&[])], "").project.source_maps().unwrap().is_none());
    let scene = Scene::open(&[target(&[])], "[logs]\nsource-maps = \"maps\"\n");
    scene.project.source_maps().err().unwrap();
    fs::create_dir(scene.shop().join("maps")).unwrap();
    assert!(scene.project.source_maps().unwrap().is_some());
}

#[test]
fn each_fence_is_above_the_one_before() {
    let scene = Scene::open(&[target(&[])], "");
    let fences: Vec<u64> = (0..3).map(|_| scene.project.next_fence().unwrap()).collect();
    assert!(fences[0] > 0 && fences.is_sorted() && fences[2] > fences[1], "{fences:?}");
}

#[test]
fn what_a_plugin_asks_for_and_does_not_see_is_said_once_and_so_is_a_plugin_that_no_stage_names() {
    let asks = plugin("fixer", Stage::FixGenerator, &[])
        .that_asks_for("/repo", true)
        .that_asks_for("/data", false)
        .that_asks_for(MAPS, false);
    let named_twice = [local_target(&[]), plugin("analyzer", Stage::Analyzer, &[]), asks, all().remove(3)];
    let scene = Scene::open(&named_twice, "[plugins.spare]\npath = \"../plugins/fixer\"\n");
    let said = Said::listen();
    scene.project.load_plugins().unwrap();
    let told = "plugin `fixer` is not granted the folder /data, which it asks for (files)";
    assert_eq!((said.times(told), said.times("is not granted the folder")), (1, 1));
    assert_eq!(said.times("[plugins.spare] is set, but no stage names the plugin `spare`"), 1);
    assert_eq!(said.times("is set, but no stage names"), 1);
}

#[test]
fn what_measures_is_kept_back_by_spent_tokens_only_once_it_used_some_itself() {
    let asking = |name, stage| plugin(name, stage, &[]).that_asks_a_model();
    let plugins = [
        local_target(&[]),
        plugin("analyzer", Stage::Analyzer, &[]),
        asking("fixer", Stage::FixGenerator),
        asking("health", Stage::HealthCheck),
    ];
    let scene = Scene::open(&plugins, "[loop]\ntokens-a-day = 1000\n");
    let may_call = |name: &str, stage| {
        let plugin = scene.project.plugins.for_stage(name, stage).unwrap();
        scene.project.may_call(&plugin, stage).is_ok()
    };
    let spends = |name: &str, tokens| {
        let call = CallReport { plugin: name.into(), ..report(tokens) };
        autodevops_sandbox::Observer::finished(&*scene.project.spending, call);
    };
    assert!(may_call("fixer", Stage::FixGenerator));
    spends("fixer", 1000);
    spends("health", 0);
    assert!(!may_call("fixer", Stage::FixGenerator));
    assert!(may_call("health", Stage::HealthCheck) && may_call("analyzer", Stage::Analyzer));
    spends("health", 1);
    assert!(!may_call("health", Stage::HealthCheck));
}

fn report(tokens: u64) -> CallReport {
    CallReport {
        run: "r-1".into(),
        plugin: "x".into(),
        digest: "blake3:00".into(),
        stage: None,
        function: "run",
        started: std::time::SystemTime::now(),
        wall: Duration::ZERO,
        guest: Duration::ZERO,
        failure: None,
        records: Vec::new(),
        used: autodevops_policy::Meter::default(),
        tokens: Some(tokens),
        recording: None,
    }
}

#[test]
fn only_who_builds_needs_a_machine_that_builds() {
    let checked = |more: &str| {
        let scene = Scene::open(&[target(&[])], more);
        scene.project.check_tools().map_err(|error| error.to_string())
    };
    assert_eq!(checked(""), Ok(()));
    let machine = autodevops_bubblewrap::outside().map(drop).map_err(|error| error.to_string());
    assert_eq!(checked("[build]\ncommand = \"true\"\noutputs = [\"public\"]\n"), machine);
}
