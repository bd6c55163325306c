//! What became of a run once it was over, beside the run.

use autodevops_orchestrator::{
    live::{Origin, WasLive, WentBack},
    revert::{Came, Undoing},
};

use super::*;

/// What became of it: its release was gone back from, and others build upon its change.
pub(super) fn of(run: &Run) -> Aftermath {
    let Some(commit) = run.commit().map(str::to_owned) else { return Aftermath::default() };
    let undoing = Undoing {
        what: format!("the change of run {}", run.id()),
        subject: run.id().to_owned(),
        commit: commit.clone(),
        came: Came::Conflict(vec!["jane@shop.example".into()]),
        at: NOW,
        untold: Vec::new(),
        tried: 0,
    };
    let was = |id: &str, by| {
        let release = Release { id: id.into(), artifact: "sha256:0".into(), commit: "c".into() };
        WasLive { release, since: NOW, by }
    };
    let back = Origin::Rollback(WentBack::new("ada", "cart of jane@shop.example"));
    let history =
        vec![was("old", back), was("new", Origin::Run(run.id().to_owned())), was("old", Origin::Deploy("ada".into()))];
    let place = run.members().next().unwrap().place(autodevops_pipeline::Environment::Production).to_owned();
    Aftermath { undone: BTreeMap::from([(commit, undoing)]), served: BTreeMap::from([(place, history)]) }
}

#[tokio::test]
async fn the_runs_are_told_with_who_went_back_from_them_and_what_came_of_undoing_their_changes_in_git() {
    let place = Place::new().await;
    let asked = async |path: &str| {
        let (status, told) = place.ask(Method::GET, path, Some(place.token.text()), "").await;
        assert_eq!(status, StatusCode::OK, "{told}");
        serde_json::from_str::<Value>(&told).unwrap()
    };
    let told = asked("/runs").await[0].clone();
    assert_eq!((&told["not-reverted"], &told["gone-back"]), (&Value::Null, &json!([])), "it committed nothing");
    place.runs.apply(EventKind::Committed { branch: "autodevops/fix".into(), commit: "0123456789ab".into() });
    for run in [asked("/runs").await[0].clone(), asked("/runs/62e23fd1-1").await["run"].clone()] {
        let why = run["not-reverted"].as_str().unwrap();
        assert!(why.contains("build upon it in ") && why.contains("[redacted:email]"), "{why}");
        assert!(why.contains("revert it by hand with `git revert ") && !why.contains("jane@"), "{why}");
        assert_eq!(run["revert-branch"], Value::Null);
        let gone = json!({ "service": "", "by": "ada", "at": NOW, "reason": "cart of [redacted:email]" });
        assert_eq!(run["gone-back"], json!([gone]));
    }
}
