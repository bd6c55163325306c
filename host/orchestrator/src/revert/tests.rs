//! What is undone, and when nothing is, in a real repository.

use autodevops_journal::audit::Entry;
use autodevops_model::{Notification, Severity, Stage};
use autodevops_pipeline::{RunStage, Timestamp};
use autodevops_record::testing::Story;
use serde_json::Value;

use super::*;
use crate::{
    live::Origin,
    notices::Turn,
    testing::{Answer, Plugin, Scene, answer, git, plugin, refusal, target},
};

const SECOND: i64 = 1_000_000_000;

/// A project with a change that was released as `new` over `old`, and then taken back; the change's commit.
fn taken_back(more: &str) -> (Scene, String) {
    taken_back_of(&[target(&[])], more)
}

fn taken_back_of(plugins: &[Plugin], more: &str) -> (Scene, String) {
    let scene = Scene::open(plugins, more);
    let change = scene.check_in("public/index.html", "<p>broken</p>\n");
    let new = autodevops_model::Release { commit: change.clone(), ..scene.release("new") };
    let old = scene.release("old");
    for (at, release) in [(1, &old), (2, &new), (3, &old)] {
        scene.serves("production", release, Timestamp(at * SECOND), Origin::Deploy("ada".into()));
    }
    (scene, change)
}

fn page(scene: &Scene, branch: &str) -> String {
    git(&scene.shop(), &["show", &format!("{branch}:public/index.html")])
}

#[test]
fn a_release_that_was_taken_back_is_undone_on_a_branch_for_a_person_to_merge() {
    let (scene, change) = taken_back("");
    let reverted = revert(&scene.project, "new", "ada", "it broke").unwrap();
    let short = &change[..10];
    assert_eq!(
        (reverted.branch.clone(), reverted.undone.clone()),
        (format!("autodevops/revert-{short}"), change.clone())
    );
    assert_eq!(git(&scene.shop(), &["rev-parse", &reverted.branch]), reverted.commit);
    assert_eq!((page(&scene, &reverted.branch), page(&scene, "main")), ("<p>shop</p>".into(), "<p>broken</p>".into()));
    let message = git(&scene.shop(), &["show", "--no-patch", "--format=%B", &reverted.commit]);
    assert!(
        message.starts_with("Revert \"release new\"") && message.contains("it broke") && message.ends_with("By: ada"),
        "{message}"
    );
    let at = git(&scene.shop(), &["show", "--no-patch", "--format=%ct", &reverted.commit]);
    assert_eq!(at, "2", "when it was live, so that a repetition is the same commit");
    let mut told = Vec::new();
    let note = |entry: &autodevops_journal::audit::Entry| match entry {
        autodevops_journal::audit::Entry::Note(note) => told.push(note.summary.clone()),
        other => panic!("{other:?}"),
    };
    let name = format!("revert-{short}");
    let mut note = note;
    scene.project.audit.log().each(Some(&name), |sealed| sealed.seal.entries.iter().for_each(&mut note)).unwrap();
    assert_eq!(told, [format!("reverts release new on {} as {}: it broke", reverted.branch, reverted.commit)]);
}

#[test]
fn the_message_of_what_is_undone_says_why_without_personal_data() {
    let (scene, _) = taken_back("");
    let reverted = revert(&scene.project, "new", "ada", "a new critical error: cart of jane@shop.example").unwrap();
    let message = git(&scene.shop(), &["show", "--no-patch", "--format=%B", &reverted.commit]);
    assert!(message.contains("a new critical error: cart of [redacted:email]"), "{message}");
    assert!(message.contains(&reverted.undone), "what it undoes is named in full: {message}");
}

#[test]
fn what_serves_or_was_never_merged_or_has_nothing_before_it_is_not_undone() {
    let (scene, change) = taken_back("");
    let declined = |subject: &str| {
        let error = revert(&scene.project, subject, "ada", "r").unwrap_err();
        assert!(error.is::<Declined>() || error.is::<Usage>(), "{error:#}");
        error.to_string()
    };
    let told = declined("old");
    assert!(
        told.starts_with("release old serves production; go back first with `autodevops rollback production`"),
        "{told}"
    );
    assert!(declined("newer").contains("there is no run `newer`"), "{}", declined("newer"));
    git(&scene.shop(), &["checkout", "--quiet", "-b", "other", &scene.base]);
    let told = declined("new");
    assert!(told.contains("is no part of what is checked out"), "{told}");
    let scene = Scene::open(&[target(&[])], "");
    scene.served("production", &[scene.release("only")]);
    let told = revert(&scene.project, "only", "ada", "r").unwrap_err();
    assert!(told.is::<Usage>() && told.to_string().starts_with("release only is the first that is known of"), "{told}");
    let scene = Scene::open(&[target(&[])], "");
    let next = autodevops_model::Release { commit: change, ..scene.release("next") };
    scene.served("production", &[scene.release("old"), next]);
    let told = revert(&scene.project, "old", "ada", "r").unwrap_err();
    assert!(told.is::<Usage>() && told.to_string().starts_with("release old is the first that is known of"), "{told}");
}

#[test]
fn what_others_build_upon_or_is_undone_already_is_a_persons() {
    let told = |scene: &Scene, text: &str| {
        let error = revert(&scene.project, "new", "ada", "another reason").unwrap_err();
        assert!(error.is::<Declined>() && error.to_string().contains(text), "{error:#}");
    };
    let (scene, _) = taken_back("");
    revert(&scene.project, "new", "ada", "r").unwrap();
    told(&scene, "release new is undone on `autodevops/revert-");
    let (scene, _) = taken_back("");
    scene.check_in("public/index.html", "<p>broken, and more</p>\n");
    told(&scene, "later changes build upon it in public/index.html");
}

#[test]
fn a_host_undoes_by_itself_only_where_it_is_to_and_its_failure_takes_nothing_back() {
    let (scene, change) = taken_back("[rollout]\nrevert = \"off\"\n");
    let told = |scene: &Scene, subject: &str| in_words(by_itself(&scene.project, subject, "r", false));
    assert_eq!(told(&scene, "new"), None);
    assert_eq!(git(&scene.shop(), &["branch", "--list", "autodevops/*"]), "");
    let (scene, _) = taken_back("");
    let words = told(&scene, "new").unwrap();
    assert!(words.contains("is undone on the branch `autodevops/revert-"), "{words}");
    assert_eq!(told(&scene, "old"), None, "what serves is none to undo");
    let words = told(&scene, "newer").unwrap();
    assert!(words.starts_with("what was taken back is not undone in git: "), "{words}");
    drop(change);
}

/// The same, with later changes that build upon it.
fn built_upon(plugins: &[Plugin]) -> (Scene, String) {
    let (scene, change) = taken_back_of(plugins, "");
    scene.check_in("public/index.html", "<p>broken, and more</p>\n");
    (scene, change)
}

/// What is on record of the change.
fn kept(scene: &Scene, change: &str) -> Undoing {
    undone(&scene.project.journal).unwrap().remove(change).expect("it is on record")
}

#[test]
fn what_cannot_be_undone_since_others_build_upon_it_is_told_and_on_record_until_it_is() {
    let (scene, change) = built_upon(&[target(&[])]);
    let by_hand = format!(
        "release new cannot be undone by itself: later changes build upon it in public/index.html; revert it by hand with `git revert {}`",
        &change[..10]
    );
    let words = in_words(by_itself(&scene.project, "new", "r", false)).unwrap();
    assert_eq!(words, format!("{by_hand}, or the next deploy brings it back"));
    let undoing = kept(&scene, &change);
    assert_eq!(undoing.came, Came::Conflict(vec!["public/index.html".into()]));
    assert_eq!((undoing.branch(), undoing.why_not(), &*undoing.untold), (None, Some(by_hand), &[][..]));
    assert_eq!(git(&scene.shop(), &["branch", "--list", "autodevops/*"]), "", "no branch that is half of it");
    // Whoever does the other change otherwise can have it undone.
    git(&scene.shop(), &["reset", "--quiet", "--hard", &change]);
    let reverted = revert(&scene.project, "new", "ada", "r").unwrap();
    let undoing = kept(&scene, &change);
    assert_eq!((undoing.branch(), undoing.why_not()), (Some(reverted.branch.as_str()), None));
}

#[test]
fn a_notifier_is_given_what_there_is_to_do_and_what_is_to_be_done_by_hand_as_an_error() {
    let told = |came: Came| {
        let (what, subject, commit) = ("the change of run a-1".into(), "a-1".into(), "0123456789abcdef".into());
        let undoing = Undoing { what, subject, commit, came, at: Timestamp(7), untold: Vec::new(), tried: 0 };
        let told = undoing.notification("shop", "ending");
        assert_eq!((told.run.as_str(), told.stage.as_str(), told.at), ("a-1", "ending", 7));
        (told.severity, told.title, told.body)
    };
    let (severity, title, body) = told(Came::Branch("autodevops/revert-0123456789".into()));
    assert_eq!(
        (severity, title.as_str()),
        (Severity::Warning, "shop: undone in git, and not merged: the change of run a-1")
    );
    assert!(body.contains("`autodevops/revert-0123456789`: merge it, or the next deploy brings it back"), "{body}");
    let (severity, title, body) = told(Came::Conflict(vec!["a.js".into(), "b.js".into()]));
    assert_eq!((severity, title.as_str()), (Severity::Error, "shop: not undone in git: the change of run a-1"));
    assert!(body.contains("build upon it in a.js, b.js") && body.contains("`git revert 0123456789`"), "{body}");
    let many: Vec<String> = (1..=7).map(|number| format!("{number}.js")).collect();
    assert!(told(Came::Conflict(many.clone())).2.contains("in 1.js, 2.js, 3.js, 4.js, 5.js and 2 more; revert it"));
    assert!(told(Came::Conflict(many[..5].to_vec())).2.contains("in 1.js, 2.js, 3.js, 4.js, 5.js; revert it"));
    let (severity, _, body) = told(Came::Failed("no room".into()));
    assert_eq!(severity, Severity::Error);
    assert!(body.contains("not undone in git: no room") && body.contains("`autodevops revert a-1`"), "{body}");
}

fn chat(answers: Answer) -> [Plugin; 2] {
    [target(&[]), plugin("chat", Stage::Notifier, &[answers])]
}

#[tokio::test]
async fn people_are_told_once_what_the_host_did_by_itself_and_of_what_somebody_asked_for_what_is_left_to_do() {
    let (scene, change) = taken_back_of(&chat(answer("notify", Value::Null)), "");
    by_itself(&scene.project, "new", "r", false).unwrap();
    assert_eq!(kept(&scene, &change).untold, [""; 0]);
    let (scene, change) = built_upon(&chat(answer("notify", Value::Null)));
    by_itself(&scene.project, "new", "r", false).unwrap();
    assert_eq!(kept(&scene, &change).untold, ["chat"], "whom to tell is there for the next process");
    for _ in 0..2 {
        tell(&scene.project).await;
    }
    assert_eq!(kept(&scene, &change).untold, [""; 0]);
    let (mut calls, mut words) = (0, Vec::new());
    let name = format!("revert-{}", &change[..10]);
    let mut look = |entry: &Entry| match entry {
        Entry::Call(call) => calls += usize::from(call.plugin == "chat"),
        Entry::Note(note) => words.push(note.summary.clone()),
        _ => {}
    };
    scene.project.audit.log().each(Some(&name), |sealed| sealed.seal.entries.iter().for_each(&mut look)).unwrap();
    assert_eq!((calls, words.len()), (1, 1), "it is on record: {words:?}");
    assert!(words[0].starts_with("release new cannot be undone by itself"), "{words:?}");
}

#[tokio::test]
async fn a_notifier_that_is_away_is_tried_as_often_as_anything_is_and_one_that_refuses_no_more() {
    for (kind, tries) in [("unavailable", 3), ("denied", 1)] {
        let scene = chat(answer("notify", refusal(kind, "no line")));
        let (scene, change) = taken_back_of(&scene, "[retries]\ncount = 2\n");
        by_itself(&scene.project, "new", "r", true).unwrap();
        for tried in 0..tries {
            assert_eq!(kept(&scene, &change).untold, ["chat"], "{kind}: {tried}");
            tell(&scene.project).await;
        }
        assert_eq!(kept(&scene, &change).untold, [""; 0], "{kind}");
    }
}

#[tokio::test]
async fn what_waits_for_its_turn_to_be_told_is_told_later_and_uses_up_no_try() {
    let plugins = chat(answer("notify", Value::Null));
    let (scene, change) = taken_back_of(&plugins, "[notifications]\nper-minute = 1\n[retries]\ncount = 1\n");
    by_itself(&scene.project, "new", "r", true).unwrap();
    let before = kept(&scene, &change).notification("shop", "of another");
    let other = Notification { body: "another".into(), ..before };
    assert_eq!(scene.project.notices.turn("chat", &other, false, now()), Turn::Now);
    for _ in 0..3 {
        tell(&scene.project).await;
    }
    let undoing = kept(&scene, &change);
    assert_eq!((undoing.untold, undoing.tried), (vec!["chat".to_owned()], 0));
}

#[test]
fn a_run_is_undone_once_it_is_over_and_committed_something() {
    let scene = Scene::open(&[target(&[])], "");
    let of = |story: &Story, until: fn(&Run) -> bool| scene.run(story, until).id().to_owned();
    let told = |run: &str| revert(&scene.project, run, "ada", "r").unwrap_err().to_string();
    let over = |run: &Run| run.outcome().is_some();
    let under_way = of(&Story { run: "a-1".into(), ..Story::default() }, |run| run.stage() == RunStage::Soak);
    assert!(told(&under_way).starts_with("run a-1 is not over; wait for its end"), "{}", told(&under_way));
    let nothing = Story { run: "b-1".into(), ..Story::default() };
    let nothing = scene.run(&nothing, |run| run.stage() == RunStage::Fix).id().to_owned();
    assert!(told(&nothing).contains("is not over"), "{}", told(&nothing));
    let back = Story { run: "c-1".into(), candidate_errors: 200, ..Story::default() };
    let run = scene.run(&back, over);
    assert!(is_taken_back(&run));
    let undone = of_run(&run).unwrap();
    assert_eq!((undone.commit.as_str(), undone.before.as_str()), (run.commit().unwrap(), run.base()));
    assert_eq!(
        (undone.what.as_str(), undone.title.as_str()),
        ("the change of run c-1", "Read country only where order.customer.address is there")
    );
    assert_eq!((undone.releases.as_slice(), undone.at), (&["new".to_owned()][..], run.last_event_at().0 / SECOND));
    let healed = scene.run(&Story { run: "d-1".into(), ..Story::default() }, over);
    assert!(!is_taken_back(&healed));
}
