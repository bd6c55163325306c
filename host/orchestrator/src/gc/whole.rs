//! What a whole project needs, and what goes of it.

use autodevops_model::Stage;
use autodevops_pipeline::Run;
use autodevops_record::testing::Story;
use serde_json::json;

use super::*;
use crate::{
    feedback::Complaint,
    testing::{Answer, Door, Scene, answer, answer_to, held, is_shared, local_target, plugin, target},
};

const DAY: Duration = Duration::from_secs(86_400);

/// A release whose artifact is of this digit alone.
fn release(scene: &Scene, id: &str, digit: &str) -> Release {
    Release { artifact: format!("sha256:{}", digit.repeat(64)), ..scene.release(id) }
}

/// Makes these artifacts, so many days old.
fn artifacts(scene: &Scene, digits: &[&str], days: u32) {
    for digit in digits {
        let path = scene.project.state.artifacts().join(digit.repeat(64));
        fs::create_dir_all(&path).unwrap();
        fs::File::open(&path).unwrap().set_modified(SystemTime::now() - days * DAY).unwrap();
    }
}

async fn gone(scene: &Scene, dry_run: bool) -> Result<Vec<String>, String> {
    let (gone, done) = tried(scene, dry_run).await;
    done.map(|()| gone)
}

/// What goes, and whether all of it did.
async fn tried(scene: &Scene, dry_run: bool) -> (Vec<String>, Result<(), String>) {
    let mut freed = Vec::new();
    let done = collect(&scene.project, dry_run, SystemTime::now(), &mut freed).await;
    // A digest is told by its first digit.
    let short = |name: &str| if name.len() == 64 { name[..1].to_owned() } else { name.to_owned() };
    let gone = freed.into_iter().map(|one| format!("{} {}", one.what, short(&one.name))).collect();
    (gone, done.map_err(|error| format!("{error:#}")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_serves_or_can_be_gone_back_to_or_a_run_has_to_do_with_stays() {
    let scene = Scene::open(&[target(&[])], "");
    artifacts(&scene, &["0", "a", "b", "c", "d"], 400);
    for (place, releases) in
        [("production", [("x", "a"), ("y", "b"), ("z", "c")]), ("staging", [("x", "a"), ("x", "a"), ("y", "b")])]
    {
        let releases = releases.map(|(id, digit)| release(&scene, id, digit));
        scene.served(place, &releases);
    }
    // Before `z` was `y`, and before that `x`, which serves staging's past as well.
    assert_eq!(gone(&scene, true).await.unwrap(), ["artifact 0", "artifact d"]);
    // Whatever a run that is not over has to do with is of the artifact `0`; what one that is over had is nobody's.
    let over = Story { run: "over-1".into(), builds: false, ..Story::default() };
    scene.run(&over, |run| run.outcome().is_some());
    assert_eq!(gone(&scene, true).await.unwrap(), ["artifact 0", "artifact d"]);
    let run = scene.run(&Story::default(), is_shared);
    for name in [run.id(), "over-1"] {
        fs::create_dir_all(scene.project.state.work(name)).unwrap();
    }
    // Its candidate serves staging, where `y` was before, and `x` is two releases ago.
    let expected = ["artifact a", "artifact d", "work over-1"];
    assert_eq!(gone(&scene, true).await.unwrap(), expected);
    assert_eq!(gone(&scene, false).await.unwrap(), expected, "the dry run removed nothing");
    assert_eq!(gone(&scene, false).await.unwrap(), [""; 0]);
    assert!(scene.project.state.work(run.id()).exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_the_front_door_holds_stays_and_where_it_does_not_answer_nothing_goes() {
    let scene = Scene::open(&[local_target(&[])], "");
    artifacts(&scene, &["0", "a"], 400);
    let error = gone(&scene, false).await.unwrap_err();
    assert!(error.starts_with("the front door does not answer: it is not known which releases it holds"), "{error}");
    let held = held(release(&scene, "held", "a"));
    Door { releases: vec![held], ..Door::default() }.open(&scene);
    assert_eq!(gone(&scene, false).await.unwrap(), ["artifact 0"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn where_a_run_cannot_be_read_it_may_need_anything() {
    let scene = Scene::open(&[target(&[])], "");
    scene.run(&Story::default(), |run| run.outcome().is_some());
    let of_later_version = json!({ "v": 99, "at": 1, "event": "unheard-of" });
    scene.project.journal.append("later-1", 0, &[of_later_version], 1).unwrap();
    let error = gone(&scene, false).await.unwrap_err();
    assert!(error.contains("cannot be read, and it is not known what it needs"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn events_go_only_where_they_are_kept_for_so_long_and_complaints_in_any_case() {
    for (rules, expected) in
        [("", vec!["complaints 1"]), ("journal = \"7d\"\n", vec!["events 62e23fd1-1", "complaints 1"])]
    {
        let scene = Scene::open(&[target(&[])], &format!("[retention]\ncomplaints = \"7d\"\n{rules}"));
        let project = &scene.project;
        let run = scene.run(&Story::default(), |run: &Run| run.outcome().is_some());
        let version = project.log.read(run.id()).unwrap().unwrap().version;
        project.audit.let_go(run.id(), "finished", version, true);
        let now = SystemTime::UNIX_EPOCH + Duration::from_nanos(run.last_event_at().0.unsigned_abs()) + 10 * DAY;
        for days in [8, 6] {
            let complaint = Complaint { text: "it fails".into(), ..Complaint::default() };
            Feedback::new(&project.journal)
                .take(complaint, &["shop"], "ada", timestamp(now).before(days * DAY))
                .unwrap();
        }
        let gone = async |dry_run| {
            let mut freed = Vec::new();
            collect(project, dry_run, now, &mut freed).await.unwrap();
            assert!(freed.iter().all(|one| one.bytes > 0), "{freed:?}");
            freed.into_iter().map(|one| format!("{} {}", one.what, one.name)).collect::<Vec<_>>()
        };
        assert_eq!(gone(true).await, expected);
        assert_eq!(gone(false).await, expected);
        assert_eq!(gone(false).await, [""; 0]);
        assert_eq!(Feedback::new(&project.journal).all().unwrap().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn events_stay_until_they_are_older_than_they_are_to_be() {
    let scene = Scene::open(&[target(&[])], "[retention]\njournal = \"7d\"\n");
    let project = &scene.project;
    let run = scene.run(&Story::default(), |run: &Run| run.outcome().is_some());
    let version = project.log.read(run.id()).unwrap().unwrap().version;
    project.audit.let_go(run.id(), "finished", version, true);
    let just = SystemTime::UNIX_EPOCH + Duration::from_nanos(run.last_event_at().0.unsigned_abs()) + 7 * DAY;
    for (at, expected) in [(just, 0), (just + Duration::from_nanos(1), 1)] {
        let mut freed = Vec::new();
        collect(project, true, at, &mut freed).await.unwrap();
        assert_eq!(freed.len(), expected);
    }
}

fn guard(answers: &[Answer]) -> crate::testing::Plugin {
    plugin("guard", Stage::StateGuard, answers)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn of_old_snapshots_the_newest_stays_and_those_that_are_not_old() {
    let old = |id: &str, taken: i64| json!({ "id": id, "taken": taken, "bytes": 7 });
    let young = i64::MAX;
    let snapshots = [
        answer_to("list", "production", json!([old("a", 1), old("b", young - 1), old("c", young)])),
        answer_to("list", "staging", json!([old("e", 2), old("d", 1)])),
        answer_to("forget", "production", json!(null)),
        answer_to("forget", "staging", json!({ "err": { "failed": { "message": "stuck", "details": [] } } })),
    ];
    let scene = Scene::open(&[target(&[]), guard(&snapshots)], "");
    artifacts(&scene, &["a"], 400);
    assert_eq!(gone(&scene, true).await.unwrap(), ["artifact a", "snapshot a", "snapshot d"]);
    let (gone_before, done) = tried(&scene, false).await;
    assert!(done.unwrap_err().starts_with("snapshot d cannot be removed"));
    assert_eq!(gone_before, ["artifact a", "snapshot a"], "what went before that is told");
    let scene = Scene::open(&[target(&[]), guard(&[answer("list", json!([]))])], "");
    assert_eq!(gone(&scene, false).await.unwrap(), [""; 0]);
}

#[test]
fn a_moment_before_1970_is_the_first_and_names_without_a_method_are_digits_as_they_are() {
    assert_eq!(timestamp(SystemTime::UNIX_EPOCH - DAY), Timestamp(0));
    assert_eq!(timestamp(SystemTime::UNIX_EPOCH + DAY), Timestamp(86_400_000_000_000));
    assert_eq!((hex("sha256:ab"), hex("ab")), ("ab", "ab"));
}

#[test]
fn what_is_just_old_enough_goes_and_what_is_of_the_future_stays() {
    let root = tempfile::tempdir().unwrap();
    let folder = |name: &str| root.path().join(name);
    let folders = Folders { artifacts: folder("a"), prepared: folder("p"), work: folder("w") };
    let now = SystemTime::now();
    let rules = RetentionRules { artifacts: Span(30 * DAY), prepared: Span(14 * DAY), ..RetentionRules::default() };
    let make = |below: &Path, name: &str, at: SystemTime| {
        fs::create_dir_all(below.join(name)).unwrap();
        fs::write(below.join("no-folder"), "x").unwrap();
        fs::File::open(below.join(name)).unwrap().set_modified(at).unwrap();
    };
    let digest = |digit: &str, length: usize| digit.repeat(length);
    make(&folders.artifacts, &digest("a", 64), now - 30 * DAY);
    make(&folders.artifacts, &digest("b", 64), now - 30 * DAY + Duration::from_secs(1));
    make(&folders.artifacts, &digest("c", 63), now - 99 * DAY);
    make(&folders.artifacts, &digest("z", 64), now - 99 * DAY);
    make(&folders.prepared, &digest("d", 63), now - 99 * DAY);
    make(&folders.work, "later", now + DAY);
    let mut freed = Vec::new();
    sweep(&folders, &rules, &Needed::default(), false, now, &mut freed).unwrap();
    assert_eq!(freed.into_iter().map(|one| one.name).collect::<Vec<_>>(), [digest("a", 64)]);
}

#[test]
fn a_folder_that_cannot_be_read_is_told() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("file");
    fs::write(&file, "x").unwrap();
    let folders = Folders { artifacts: file, prepared: root.path().join("p"), work: root.path().join("w") };
    let (needed, mut freed) = (Needed::default(), Vec::new());
    let error = sweep(&folders, &RetentionRules::default(), &needed, true, SystemTime::now(), &mut freed).unwrap_err();
    assert!(error.to_string().ends_with("/file"), "{error:#}");
}
