//! What is undone, and when nothing is, in a real repository.

use autodevops_pipeline::{RunStage, Timestamp};
use autodevops_record::testing::Story;

use super::*;
use crate::{
    live::Origin,
    testing::{Scene, git, target},
};

const SECOND: i64 = 1_000_000_000;

/// A project with a change that was released as `new` over `old`, and then taken back; the change's commit.
fn taken_back(more: &str) -> (Scene, String) {
    let scene = Scene::open(&[target(&[])], more);
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
    assert_eq!(by_itself(&scene.project, "new", "r"), None);
    assert_eq!(git(&scene.shop(), &["branch", "--list", "autodevops/*"]), "");
    let (scene, _) = taken_back("");
    let told = by_itself(&scene.project, "new", "r").unwrap();
    assert!(told.contains("is undone on the branch `autodevops/revert-"), "{told}");
    assert_eq!(by_itself(&scene.project, "old", "r"), None, "what serves is none to undo");
    let told = by_itself(&scene.project, "newer", "r").unwrap();
    assert!(told.starts_with("what was taken back is not undone in git: "), "{told}");
    drop(change);
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
