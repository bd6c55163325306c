//! What came of undoing in git what a run committed, beside the run.

use autodevops_orchestrator::revert::Came;

use super::*;

/// What came of it: others build upon it.
pub(super) fn of(run: &Run) -> BTreeMap<String, Undoing> {
    let Some(commit) = run.commit().map(str::to_owned) else { return BTreeMap::new() };
    let undoing = Undoing {
        what: format!("the change of run {}", run.id()),
        subject: run.id().to_owned(),
        commit: commit.clone(),
        came: Came::Conflict(vec!["jane@shop.example".into()]),
        at: NOW,
        untold: Vec::new(),
        tried: 0,
    };
    BTreeMap::from([(commit, undoing)])
}

#[tokio::test]
async fn the_runs_are_told_with_what_came_of_undoing_their_changes_in_git() {
    let place = Place::new().await;
    let asked = async |path: &str| {
        let (status, told) = place.ask(Method::GET, path, Some(place.token.text()), "").await;
        assert_eq!(status, StatusCode::OK, "{told}");
        serde_json::from_str::<Value>(&told).unwrap()
    };
    assert_eq!(asked("/runs").await[0]["not-reverted"], Value::Null, "it committed nothing");
    place.runs.apply(EventKind::Committed { branch: "autodevops/fix".into(), commit: "0123456789ab".into() });
    for run in [asked("/runs").await[0].clone(), asked("/runs/62e23fd1-1").await["run"].clone()] {
        let why = run["not-reverted"].as_str().unwrap();
        assert!(why.contains("build upon it in ") && why.contains("[redacted:email]"), "{why}");
        assert!(why.contains("revert it by hand with `git revert ") && !why.contains("jane@"), "{why}");
        assert_eq!(run["revert-branch"], Value::Null);
    }
}
