//! What all commands have in common: their errors, what plugins are told, and the folders that a run leaves behind.

use autodevops_model::{Fix, Stage};
use autodevops_policy::Denial;
use autodevops_record::testing::Story;

use super::*;
use crate::testing::{Scene, is_shared, plugin, target};

#[test]
fn what_a_plugin_was_denied_is_told_as_that_and_what_it_says_itself_by_its_name() {
    let of = |failure: CallFailure| {
        let error = CallError { plugin: "chat".into(), stage: Some(Stage::Notifier), failure, stderr: String::new() };
        of_call(&error)
    };
    let own = of(CallFailure::Refused(stage_error(ErrorKind::Unavailable, "busy".into())));
    assert_eq!((own.kind, own.info.message.as_str()), (ErrorKind::Unavailable, "plugin `chat`: busy"));
    let trap = of(CallFailure::Trap("t".into()));
    assert!(trap.kind == ErrorKind::Failed && trap.info.message.contains("`chat`"), "{trap}");
    let denied =
        of(CallFailure::Denied(Denial::NotGranted { plugin: "chat".into(), what: "w".into(), remedy: "r".into() }));
    assert_eq!(denied.kind, ErrorKind::Denied);
}

#[test]
fn only_who_can_send_it_on_is_told_without_personal_data() {
    let scene = Scene::open(
        &[
            target(&[]),
            plugin("a-model", Stage::FixGenerator, &[]).that_asks_a_model(),
            plugin("b-plain", Stage::FixGenerator, &[]),
        ],
        "",
    );
    let run = scene.run(&Story::default(), is_shared);
    let stages = Stages::new(scene.project.clone());
    let fix = Fix { title: "Do not write to ada@example.com".into(), ..run.fix().unwrap().clone() };
    for (name, is_told) in [("a-model", false), ("b-plain", true)] {
        let plugin = scene.project.plugins.for_stage(name, Stage::FixGenerator).unwrap();
        let evidence = stages.evidence(&plugin);
        assert_eq!(evidence.fix(&fix).title.contains("ada@example.com"), is_told, "{name}");
        assert_eq!(evidence.issue(&run).fingerprint, run.issue().fingerprint);
    }
}

#[test]
fn a_folder_that_is_not_there_is_removed_and_what_is_none_is_not() {
    let folder = tempfile::tempdir().unwrap();
    remove(&folder.path().join("nowhere")).unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    remove(&file).unwrap_err();
    remove(folder.path()).unwrap();
    assert!(!folder.path().exists());
}

#[test]
fn a_lease_is_renewed_several_times_before_its_end() {
    for (lease, renewal) in [("20s", Duration::from_secs(5)), ("100ms", Duration::from_millis(50))] {
        let scene = Scene::open(&[target(&[])], &format!("[edge]\nlease = \"{lease}\"\n"));
        assert_eq!(World::renewal(&Stages::new(scene.project.clone())), renewal);
    }
}
