//! A run's trees, its commit and its artifact, in a real repository.

use autodevops_driver::parts::World;
use autodevops_pipeline::{Command, RunStage};
use autodevops_record::testing::Story;

use super::*;
use crate::testing::{Scene, git, target};

#[test]
fn a_later_run_for_the_same_issue_has_a_branch_of_its_own() {
    assert_eq!(branch_name("62e23fd1200296c4", "62e23fd1-1"), "62e23fd1200296c4");
    assert_eq!(branch_name("62e23fd1200296c4", "62e23fd1-12"), "62e23fd1200296c4-12");
}

fn scene(stage: RunStage) -> (Scene, Run) {
    let scene = Scene::open(&[target(&[])], "");
    let run = scene.run(&Story::default(), |run| run.stage() == stage);
    (scene, run)
}

#[tokio::test]
async fn a_runs_trees_are_of_its_base_and_of_its_change_and_are_made_once() {
    let (scene, run) = scene(RunStage::Checks);
    scene.check_in("public/later.html", "later");
    let stages = Stages::new(scene.project.clone());
    let (before, after) = (stages.base_tree(&run).await.unwrap(), stages.changed_tree(&run).await.unwrap());
    let has = |folder: &Path, path: &str| folder.join(path).exists();
    for folder in [&before, &after] {
        assert!(has(folder, "public/index.html") && !has(folder, "public/later.html"), "{}", folder.display());
    }
    assert!(!has(&before, "functions/lib/pricing.js") && has(&after, "functions/lib/pricing.js"));
    let work = scene.project.state.work(run.id());
    assert!(before.starts_with(&work) && after.starts_with(&work));
    std::fs::write(before.join("mark"), "").unwrap();
    assert!(has(&stages.base_tree(&run).await.unwrap(), "mark"), "it is not made again");
    World::clean(&stages, &run);
    assert!(!work.exists());
    World::clean(&stages, &run);
}

#[tokio::test]
async fn a_change_is_committed_on_a_branch_of_its_own_with_its_story() {
    let (scene, run) = scene(RunStage::Commit);
    let stages = Stages::new(scene.project.clone());
    let command = Command::Commit { key: "c".into() };
    let Input::Committed { key, branch, commit } = stages.perform(&run, &command).await else { panic!() };
    assert_eq!((key.as_str(), branch.as_str()), ("c", "autodevops/62e23fd1200296c4"));
    let shop = scene.shop();
    assert_eq!(git(&shop, &["rev-parse", &branch]), commit);
    assert_eq!(git(&shop, &["rev-parse", &format!("{commit}^")]), scene.base);
    let message = git(&shop, &["show", "--no-patch", "--format=%B", &commit]);
    let lines: Vec<&str> = message.lines().filter(|line| !line.is_empty()).collect();
    let expected = [
        "Read country only where order.customer.address is there",
        "An order without an address has no country.",
        "Issue: 62e23fd1200296c4",
        "Run: 62e23fd1-1",
    ];
    assert_eq!(lines, expected);
    let at = git(&shop, &["show", "--no-patch", "--format=%ct", &commit]);
    assert_eq!(at, (run.started_at().0 / 1_000_000_000).to_string());
    let again = stages.perform(&run, &command).await;
    assert!(matches!(&again, Input::Committed { commit: same, .. } if *same == commit), "{again:?}");
    assert_eq!(git(&shop, &["status", "--porcelain"]), "", "the checkout is as it was");
}

#[tokio::test]
async fn a_service_is_built_of_the_runs_commit() {
    let (scene, run) = scene(RunStage::Commit);
    let stages = Stages::new(scene.project.clone());
    let build = |service: &str, commit: &str| Command::Build {
        service: service.into(),
        key: "b".into(),
        commit: commit.into(),
    };
    let Input::Built { key, release } = stages.perform(&run, &build("", &scene.base)).await else { panic!() };
    assert_eq!((key.as_str(), release.commit.as_str()), ("b", scene.base.as_str()));
    assert!(scene.project.artifacts.get(&release.artifact).unwrap().join("public/index.html").exists());
    let Input::Failed { error, .. } = stages.perform(&run, &build("cart", &scene.base)).await else { panic!() };
    assert!(error.info.message.contains("no service `cart` any more"), "{error}");
}

#[tokio::test]
async fn without_a_fix_nothing_is_committed() {
    let (scene, run) = scene(RunStage::Fix);
    let stages = Stages::new(scene.project.clone());
    let Input::Failed { error, .. } = stages.perform(&run, &Command::Commit { key: "c".into() }).await else {
        panic!()
    };
    assert!(error.info.message.contains("no fix yet"), "{error}");
    assert!(stages.changed_tree(&run).await.unwrap_err().info.message.contains("no fix yet"));
}
