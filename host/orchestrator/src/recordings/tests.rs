//! What is kept has its place, and what nobody needs any more goes.

use std::io::Write;

use autodevops_bundle::PluginFolder;
use autodevops_model::Stage;
use autodevops_policy::{EffectiveGrant, Manifest};

use super::*;

fn header(run: &str) -> Header {
    Header {
        run: run.into(),
        plugin: "p".into(),
        component: "blake3:00".into(),
        stage: Stage::Check,
        function: "check".into(),
        started: 0,
        grant: EffectiveGrant::default(),
        config: Vec::new(),
    }
}

fn store(folder: &Path) -> RecordingStore {
    let bounds =
        RecordingSettings { per_call: Bytes(100), per_run: Bytes(1000), runs: 3, ..RecordingSettings::default() };
    RecordingStore::new(folder, &bounds, Vec::new())
}

fn keep(blank: Blank) {
    (blank.keep)(blank.file, "blake3:00").unwrap();
}

/// A recording of nothing, as a file's bytes.
fn recording(header: &Header) -> Vec<u8> {
    let header = serde_json::to_vec(header).unwrap();
    let length = u32::try_from(header.len()).unwrap().to_le_bytes();
    let nothing = zstd::encode_all(&[][..], 1).unwrap();
    let unpacked = 0_u64.to_le_bytes();
    let mut bytes = [&b"adrecord"[..], &1_u32.to_le_bytes(), &length, &header, &nothing, &unpacked].concat();
    let digest = blake3::hash(&bytes);
    bytes.extend_from_slice(digest.as_bytes());
    bytes.extend_from_slice(b"end\n");
    bytes
}

/// Keeps a recording of a call of this component.
fn keep_one_of(store: &RecordingStore, run: &str, component: &[u8]) {
    let header = Header { component: digest(component), ..header(run) };
    let mut blank = store.begin(&header).unwrap().unwrap();
    blank.file.write_all(&recording(&header)).unwrap();
    keep(blank);
}

fn digest(component: &[u8]) -> String {
    format!("blake3:{}", blake3::hash(component).to_hex())
}

fn names(paths: &[PathBuf]) -> Vec<String> {
    paths.iter().map(|path| file_name(path)).collect()
}

#[test]
fn a_recording_that_names_another_place_is_written_where_it_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let made = folder.path().join("made.recording");
    fs::write(&made, recording(&header("../../elsewhere"))).unwrap();
    let asked = folder.path().join("a/b/c");
    assert_eq!(export(&[made], &asked).unwrap(), [asked.join("run-check-1.recording")]);
    assert_eq!(recordings_in(&asked).unwrap().len(), 1);
}

#[test]
fn what_is_kept_has_its_place_and_what_is_not_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let first = store(folder.path());
    keep(first.begin(&header("run-1")).unwrap().unwrap());
    drop(first.begin(&header("run-1")).unwrap().unwrap());
    // Another process goes on with the run.
    let second = store(folder.path());
    keep(second.begin(&header("run-1")).unwrap().unwrap());
    let found = second.of_run("run-1").unwrap();
    assert_eq!(names(&found), ["001-check-p.recording", "002-check-p.recording"]);
    assert_eq!(fs::read_dir(folder.path().join("recordings/run-1")).unwrap().count(), 2);
    assert!(second.of_run("run-2").unwrap().is_empty());
}

#[test]
fn of_the_oldest_runs_nothing_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    for (run, age) in [("run-1", 500), ("run-2", 400), ("run-3", 300), (WATCH, 900)] {
        keep(store(folder.path()).begin(&header(run)).unwrap().unwrap());
        let then = std::time::SystemTime::now() - std::time::Duration::from_secs(age);
        File::open(folder.path().join("recordings").join(run)).unwrap().set_modified(then).unwrap();
    }
    let store = store(folder.path());
    keep(store.begin(&header("run-4")).unwrap().unwrap());
    for (run, kept) in [("run-1", 0), ("run-2", 1), ("run-3", 1), ("run-4", 1), (WATCH, 1)] {
        assert_eq!(store.of_run(run).unwrap().len(), kept, "{run}");
    }
}

#[test]
fn no_name_leads_out_of_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["..", "a/b", "", ".hidden", "a\0b"] {
        assert!(store(folder.path()).begin(&header(name)).unwrap().is_none(), "{name:?}");
        assert!(store(folder.path()).of_run(name).is_err(), "{name:?}");
    }
    assert!(store(folder.path()).components().read("blake3:../../etc/passwd").is_err());
}

#[test]
fn of_the_watch_only_the_newest_sessions_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    for _ in 0..WATCH_SESSIONS + 3 {
        keep(store.begin(&header(WATCH)).unwrap().unwrap());
    }
    let kept = names(&store.of_run(WATCH).unwrap());
    assert_eq!((kept.len(), kept[0].as_str()), (WATCH_SESSIONS, "004-check-p.recording"));
}

#[test]
fn a_component_is_kept_once_and_a_changed_one_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let digest = digest(b"component");
    let missing = store.components().read(&digest).unwrap_err().to_string();
    assert!(missing.contains("is not kept") && missing.contains("--with"), "{missing}");
    store.components().keep(&digest, b"component").unwrap();
    store.components().keep(&digest, b"component").unwrap();
    assert_eq!(store.components().read(&digest).unwrap(), b"component");
    let path = store.components().path(&digest).unwrap();
    fs::write(&path, zstd::encode_all(&b"another"[..], 1).unwrap()).unwrap();
    let error = store.components().read(&digest).unwrap_err().to_string();
    assert!(error.contains("was changed or damaged"), "{error}");
}

#[test]
fn what_a_killed_host_had_begun_is_removed_by_the_next_and_what_is_under_way_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let killed = store(folder.path());
    keep(killed.begin(&header("run-1")).unwrap().unwrap());
    for run in ["run-1", "run-2"] {
        std::mem::forget(killed.begin(&header(run)).unwrap().unwrap());
    }
    let component = folder.path().join("components/.half-of-a-component.wasm.zst");
    make_folder(component.parent().unwrap()).unwrap();
    fs::write(&component, "half").unwrap();
    let files = |run: &str| fs::read_dir(folder.path().join("recordings").join(run)).unwrap().count();
    assert_eq!((files("run-1"), files("run-2")), (2, 1));

    let next = store(folder.path());
    next.tidy();
    assert_eq!((files("run-1"), files("run-2"), component.exists()), (1, 0, false));
    let under_way = next.begin(&header("run-1")).unwrap().unwrap();
    next.tidy();
    keep(under_way);
    assert_eq!(names(&next.of_run("run-1").unwrap()), ["001-check-p.recording", "002-check-p.recording"]);
}

#[test]
fn recordings_that_begin_at_once_are_files_of_their_own_whatever_was_left() {
    let folder = tempfile::tempdir().unwrap();
    // As a process with the same number would have: it counts from the same start.
    let (killed, next) = (store(folder.path()), store(folder.path()));
    std::mem::forget(killed.begin(&header("run-1")).unwrap().unwrap());
    keep(next.begin(&header("run-1")).unwrap().unwrap());
    assert_eq!(names(&next.of_run("run-1").unwrap()), ["001-check-p.recording"]);
}

#[test]
fn what_was_granted_stays_with_its_manifest_though_nothing_is_recorded_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = "name = \"p\"\nversion = \"0.1.0\"\ndescription = \"x\"\nstages = [\"check\"]\n\
                    [[permissions]]\nask = \"http\"\norigins = [\"https://a.example\"]\nreason = \"x\"\n[limits]\nwall-time = \"3s\"\n";
    let plugin = |component: &[u8]| PluginFolder {
        path: PathBuf::new(),
        manifest: Manifest::parse(manifest, "plugin.toml").unwrap(),
        component: component.to_vec(),
    };
    let before = store(folder.path());
    for component in [&b"granted"[..], b"former"] {
        before.components().keep_plugin(&digest(component), &plugin(component)).unwrap();
    }
    let next = RecordingStore::new(folder.path(), &RecordingSettings::default(), vec![digest(b"granted")]);
    next.tidy();
    let kept = next.components().plugin(&digest(b"granted")).unwrap();
    assert_eq!((kept.manifest, kept.component), (plugin(b"").manifest, b"granted".to_vec()));
    assert!(next.components().plugin(&digest(b"former")).is_err());
    assert_eq!(fs::read_dir(folder.path().join("components")).unwrap().count(), 2, "its manifest went with it");
}

#[test]
fn a_component_goes_with_the_last_recording_of_it_unless_it_is_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let before = store(folder.path());
    for component in [&b"called in run-1"[..], b"called in run-2", b"never called"] {
        before.components().keep(&digest(component), component).unwrap();
    }
    keep_one_of(&before, "run-1", b"called in run-1");
    keep_one_of(&before, "run-2", b"called in run-2");
    // One that cannot be read is of none.
    fs::write(folder.path().join("recordings/run-2/009-check-p.recording"), "adrec").unwrap();
    let kept = |component: &[u8]| before.components().read(&digest(component)).is_ok();
    before.tidy();
    assert!(kept(b"never called"), "it is loaded, and may be called yet");

    let next = store(folder.path());
    next.tidy();
    assert!(kept(b"called in run-1") && kept(b"called in run-2") && !kept(b"never called"));

    // Three further runs: the first run's recordings go.
    let then = std::time::SystemTime::now() - std::time::Duration::from_secs(500);
    File::open(folder.path().join("recordings/run-1")).unwrap().set_modified(then).unwrap();
    next.components().keep(&digest(b"in use"), b"in use").unwrap();
    for run in ["run-3", "run-4"] {
        keep_one_of(&next, run, b"in use");
    }
    keep_one_of(&next, "run-5", b"in use");
    assert!(next.of_run("run-1").unwrap().is_empty());
    assert!(!kept(b"called in run-1") && kept(b"in use"));
}

#[test]
fn a_run_under_way_keeps_its_recordings_though_it_is_the_oldest() {
    let folder = tempfile::tempdir().unwrap();
    let here = store(folder.path());
    keep(here.begin(&header("run-1")).unwrap().unwrap());
    for (run, age) in [("run-1", 900), ("run-2", 500), ("run-3", 400)] {
        if run != "run-1" {
            keep(store(folder.path()).begin(&header(run)).unwrap().unwrap());
        }
        let then = std::time::SystemTime::now() - std::time::Duration::from_secs(age);
        File::open(folder.path().join("recordings").join(run)).unwrap().set_modified(then).unwrap();
    }
    keep(here.begin(&header("run-4")).unwrap().unwrap());
    let kept = ["run-1", "run-2", "run-3", "run-4"].map(|run| here.of_run(run).unwrap().len());
    assert_eq!(kept, [1; 4]);
    keep(store(folder.path()).begin(&header("run-5")).unwrap().unwrap());
    assert_eq!(here.of_run("run-1").unwrap().len(), 0, "to another process it is none that is under way");
}

#[test]
fn what_cannot_be_read_is_not_taken_for_what_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    fs::create_dir(folder.path().join("recordings")).unwrap();
    fs::write(folder.path().join("recordings/run-1"), "no folder").unwrap();
    let error = store.of_run("run-1").unwrap_err().to_string();
    assert!(error.ends_with("run-1 cannot be read"), "{error}");
    fs::write(folder.path().join("components"), "no folder").unwrap();
    let error = store.components().read(&digest(b"x")).unwrap_err().to_string();
    assert!(!error.contains("is not kept"), "{error}");
    files::entries(&folder.path().join("components")).unwrap_err();
    assert!(files::entries(&folder.path().join("nowhere")).unwrap().is_empty());
}

#[test]
fn a_manifest_is_kept_as_it_was_last_and_goes_before_its_component() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let plugin = |version: &str| {
        let text = format!("name = \"p\"\nversion = \"{version}\"\ndescription = \"x\"\nstages = [\"check\"]\n");
        let manifest = Manifest::parse(&text, "plugin.toml").unwrap();
        PluginFolder { path: PathBuf::new(), manifest, component: b"x".to_vec() }
    };
    let digest = digest(b"x");
    for version in ["0.1.0", "0.2.0", "0.2.0"] {
        store.components().keep_plugin(&digest, &plugin(version)).unwrap();
        assert_eq!(store.components().plugin(&digest).unwrap().manifest, plugin(version).manifest);
    }
    let next = self::store(folder.path());
    let component = next.components().path(&digest).unwrap();
    let manifest = folder.path().join("components").join(file_name(&component).replace(".wasm.zst", ".json"));
    fs::remove_file(&manifest).unwrap();
    fs::create_dir(&manifest).unwrap();
    next.components().keep_only(std::iter::empty::<String>).unwrap_err();
    assert!(component.exists(), "what is left is found again");
    fs::remove_dir(&manifest).unwrap();
    next.components().keep_only(std::iter::empty::<String>).unwrap();
    assert!(!component.exists());
}
