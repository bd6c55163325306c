//! Which fix is taken of which generator, and what is said where none is.

use autodevops_pipeline::{Command, EventKind, Outcome, Retry, RunStage};
use autodevops_record::testing::Story;
use serde_json::{Value, json};

use super::*;
use crate::testing::{Plugin, Scene, answer, plugin, refusal, target};

/// A fix as a generator gives it, which makes the page another.
fn fix(title: &str, edits: Value) -> Value {
    json!({ "fix": {
        "title": title, "root-cause": "r", "confidence": 0.9, "risk": "low", "edits": edits,
        "tests": [{ "path": "tests/own.test.js", "content": "own" }],
        "rollback": { "summary": "s", "previous-release-suffices": true, "state": [] },
    }})
}

fn page(text: &str) -> Value {
    json!([{ "path": "public/news.html", "base-sha256": null, "change": { "create": text } }])
}

fn generator(name: &'static str, proposal: Value) -> Plugin {
    plugin(name, Stage::FixGenerator, &[answer("propose", proposal)])
}

/// What comes of asking these generators.
async fn asked(generators: Vec<Plugin>, more: &str) -> Input {
    let scene = Scene::open(&[vec![target(&[])], generators].concat(), more);
    let run = scene.run(&Story::default(), |run| run.stage() == RunStage::Fix);
    Stages::new(scene.project.clone()).perform(&run, &Command::Propose { key: "p".into() }).await
}

fn reason(input: &Input) -> &str {
    match input {
        Input::NoProposal { reason } => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_first_fix_that_fits_is_taken() {
    let unfit = || json!([{ "path": "public/index.html", "base-sha256": "0".repeat(64), "change": { "modify": [] } }]);
    let said = asked(
        vec![
            generator("a-none", json!({ "none": "not mine" })),
            generator("b-empty", fix("nothing", json!([]))),
            generator("c-unfit", fix("of another page", unfit())),
            generator("d-good", fix("good", page("news"))),
            generator("e-late", fix("late", page("later"))),
        ],
        "",
    )
    .await;
    let Input::Proposed { plugin, fix } = said else { panic!("{said:?}") };
    assert_eq!((plugin.as_str(), fix.title.as_str(), fix.edits.len()), ("d-good", "good", 1));
}

#[tokio::test]
async fn where_no_fix_fits_each_generator_has_its_reason() {
    let said = asked(
        vec![
            generator("a-none", json!({ "none": "not mine" })),
            generator("b-empty", fix("nothing", json!([]))),
            generator("c-fails", refusal("failed", "broken")),
        ],
        "",
    )
    .await;
    assert_eq!(
        reason(&said),
        "a-none: not mine; b-empty: its fix is refused: it changes nothing; plugin `c-fails`: broken"
    );
}

#[tokio::test]
async fn one_that_may_answer_later_is_asked_again_unless_another_has_a_fix() {
    let busy = || generator("a-busy", refusal("unavailable", "busy"));
    let said = asked(vec![busy(), generator("b-none", json!({ "none": "not mine" }))], "").await;
    let Input::Failed { key, error } = said else { panic!("{said:?}") };
    assert_eq!(
        (key.as_str(), error.kind, error.info.message.as_str()),
        ("p", ErrorKind::Unavailable, "plugin `a-busy`: busy")
    );
    let said = asked(vec![busy(), generator("b-good", fix("good", page("news")))], "").await;
    assert!(matches!(&said, Input::Proposed { plugin, .. } if plugin == "b-good"), "{said:?}");
    let said = asked(vec![generator("a-broken", refusal("failed", "broken"))], "").await;
    assert_eq!(reason(&said), "plugin `a-broken`: broken");
}

#[tokio::test]
async fn no_more_generators_are_asked_than_a_day_allows() {
    let none = |name| generator(name, json!({ "none": "not mine" }));
    let said = asked(vec![none("a"), none("b")], "[loop]\nfix-generator-calls-a-day = 1\n").await;
    let reason = reason(&said);
    assert!(
        reason.starts_with("a: not mine; b was not asked: 1 calls of fix generators were there within 24 hours"),
        "{reason}"
    );
}

/// A run of a person who had another tried again, and that one's fix; its base is another commit where something came in between.
async fn tried_again(by_person: bool, came_between: bool) -> Input {
    let generators = [generator("a-new", fix("new", page("new"))), target(&[])];
    let scene = Scene::open(&generators, "");
    let ended = |run: &Run| run.outcome().is_some();
    let story = Story { builds: false, ..Story::default() };
    let former = scene.run(&story, ended);
    assert!(
        matches!(former.outcome(), Some(Outcome::Aborted { .. } | Outcome::HandedOver { .. })),
        "{:?}",
        former.outcome()
    );
    let base = if came_between { scene.check_in("public/other.html", "other") } else { scene.base.clone() };
    let story = Story { run: "62e23fd1-2".into(), ..story };
    let run = scene.run_from(&base, &story, |run| run.stage() == RunStage::Fix);
    let retry = by_person.then(|| Retry { by: "ada".into(), reason: "again".into() });
    let of = autodevops_pipeline::Former {
        run: former.id().to_owned(),
        outcome: former.outcome().unwrap().clone(),
        rolled_back: None,
        retry,
    };
    let logged = scene.project.log.read(run.id()).unwrap().unwrap();
    let first = logged.events[0].clone().following(Some(of));
    let run = Run::start(&first).unwrap();
    Stages::new(scene.project.clone()).perform(&run, &Command::Propose { key: "p".into() }).await
}

#[tokio::test]
async fn what_a_person_has_tried_again_is_the_same_fix_where_it_starts_from_the_same_commit() {
    for (by_person, came_between, expected) in
        [(true, false, "fix-recipes"), (true, true, "a-new"), (false, false, "a-new")]
    {
        let said = tried_again(by_person, came_between).await;
        assert!(matches!(&said, Input::Proposed { plugin, .. } if plugin == expected), "{expected}: {said:?}");
    }
}

fn writer(name: &'static str, tests: Value) -> Plugin {
    plugin(name, Stage::TestGenerator, &[answer("generate", tests)])
}

fn test(path: &str, content: &str) -> Value {
    json!({ "path": path, "content": content })
}

/// What comes of asking these for tests of the story's fix.
async fn written(writers: Vec<Plugin>) -> Result<Vec<(String, String)>, String> {
    let scene = Scene::open(&[vec![target(&[])], writers].concat(), "");
    let run = scene.run(&Story::default(), |run| run.stage() == RunStage::TestGeneration);
    match Stages::new(scene.project.clone()).perform(&run, &Command::GenerateTests { key: "t".into() }).await {
        Input::TestsGenerated { tests, .. } => Ok(tests.into_iter().map(|test| (test.path, test.content)).collect()),
        Input::Failed { error, .. } => Err(error.info.message),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn tests_of_one_generator_do_not_replace_those_of_another() {
    let first = writer("a", json!([test("tests/a.test.js", "a"), test("tests/both.test.js", "a")]));
    let second = writer("b", json!([test("tests/both.test.js", "b"), test("tests/b.test.js", "b")]));
    let of = |path: &str, content: &str| (format!("tests/{path}.test.js"), content.to_owned());
    assert_eq!(written(vec![first, second]).await, Ok(vec![of("a", "a"), of("both", "a"), of("b", "b")]));
    assert_eq!(written(Vec::new()).await, Ok(Vec::new()));
}

#[tokio::test]
async fn a_test_that_would_replace_what_is_there_is_refused() {
    let error = written(vec![writer("a", json!([test("public/index.html", "mine")]))]).await.unwrap_err();
    assert!(error.contains("public/index.html"), "{error}");
    let error = written(vec![writer("a", refusal("failed", "broken"))]).await.unwrap_err();
    assert_eq!(error, "plugin `a`: broken");
}

#[tokio::test]
async fn the_tests_that_a_fix_brings_are_its_own_and_those_beside_them_are_looked_at() {
    for (tests, expected) in [
        (json!([test("tests/own.test.js", "another")]), Ok(1)),
        (json!([test("tests/own.test.js", "another"), test("public/index.html", "mine")]), Err("public/index.html")),
    ] {
        let scene = Scene::open(&[target(&[]), writer("a", tests)], "");
        let run = scene.run(&Story::default(), |run| run.stage() == RunStage::TestGeneration);
        let mut events = scene.project.log.read(run.id()).unwrap().unwrap().events;
        for event in &mut events {
            if let EventKind::FixProposed { fix, .. } = &mut event.event {
                fix.tests.push(TestFile { path: "tests/own.test.js".into(), content: "own".into() });
            }
        }
        let run = Run::replay(&events).unwrap();
        let made = Stages::new(scene.project.clone()).generate_tests(&run).await;
        match (made, expected) {
            (Ok(tests), Ok(count)) => assert_eq!(tests.len(), count),
            (Err(error), Err(path)) => assert!(error.info.message.contains(path), "{error}"),
            (made, _) => panic!("{made:?}"),
        }
    }
}

#[tokio::test]
async fn who_may_ask_a_language_model_is_not_asked_once_its_tokens_are_used_up() {
    let generators = || {
        [
            generator("a-model", fix("of a model", page("model"))).that_asks_a_model(),
            generator("b-plain", fix("plain", page("plain"))),
            writer("c-model", json!([])).that_asks_a_model(),
            target(&[]),
        ]
    };
    for (used, expected) in [(0, "a-model"), (1000, "b-plain")] {
        let scene = Scene::open(&generators(), "[loop]\ntokens-a-day = 1000\n");
        let run = scene.run(&Story::default(), |run| run.stage() == RunStage::TestGeneration);
        LoopState::new(&scene.project.journal).note_tokens(used, now()).unwrap();
        let stages = Stages::new(scene.project.clone());
        let said = stages.perform(&run, &Command::Propose { key: "p".into() }).await;
        assert!(matches!(&said, Input::Proposed { plugin, .. } if plugin == expected), "{said:?}");
        let said = stages.perform(&run, &Command::GenerateTests { key: "t".into() }).await;
        match said {
            Input::TestsGenerated { .. } => assert_eq!(used, 0),
            Input::Failed { error, .. } => {
                assert!(error.info.message.starts_with("c-model was not asked: 1000 tokens"), "{error}");
                assert_eq!(used, 1000);
            }
            other => panic!("{other:?}"),
        }
    }
}
