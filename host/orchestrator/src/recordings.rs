//! Keeps the recordings of runs' calls, and the components that were called.
//!
//! ```text
//! <state>/recordings/RUN/NNN-STAGE-PLUGIN.recording   one file a call, written aside and renamed when it is whole
//! <state>/components/DIGEST.wasm.zst                  each component once
//! ```

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::{Context, Result, bail};
use autodevops_config::RecordingSettings;
use autodevops_policy::Bytes;
use autodevops_sandbox::replay::{Blank, Header, Recording, Recordings, unpacked_bytes};

use crate::audit::WATCH;

/// What a recording's name ends with.
pub const EXTENSION: &str = "recording";

/// Sessions of the watch that are kept, the newest; a run's calls are all kept.
const WATCH_SESSIONS: usize = 8;

/// Longest name of a run's folder.
const MAX_NAME_BYTES: usize = 200;

/// How hard a component is packed: once for each, and for good.
const COMPONENT_LEVEL: i32 = 9;

/// Largest component that is unpacked: the largest that a configuration can allow.
const MAX_COMPONENT_BYTES: u64 = 256 << 20;

/// The recordings of a project.
pub struct RecordingStore {
    folder: PathBuf,
    components: PathBuf,
    per_call: Bytes,
    per_run: Bytes,
    kept_runs: usize,
    runs: Mutex<BTreeMap<String, Shelf>>,
}

/// Where one run's recordings go on.
#[derive(Clone)]
struct Shelf {
    left: Arc<AtomicU64>,
    next: Arc<AtomicU64>,
}

impl RecordingStore {
    /// Below the state's folder, within these bounds.
    pub fn new(state: &Path, bounds: &RecordingSettings) -> Self {
        let (folder, components) = (state.join("recordings"), state.join("components"));
        let RecordingSettings { per_call, per_run, runs, .. } = *bounds;
        Self { folder, components, per_call, per_run, kept_runs: runs as usize, runs: Mutex::default() }
    }

    /// The recordings of a run, in the order in which its calls began. Those of calls under way are not among them.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn of_run(&self, run: &str) -> Result<Vec<PathBuf>> {
        let folder = self.folder.join(safe(run).with_context(|| format!("`{run}` is no name of a run"))?);
        let mut found = match recordings_in(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            other => other.with_context(|| format!("{} cannot be read", folder.display()))?,
        };
        found.sort();
        Ok(found)
    }

    /// Keeps a component, once.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep_component(&self, digest: &str, component: &[u8]) -> Result<()> {
        let path = self.component_path(digest)?;
        if path.exists() {
            return Ok(());
        }
        make_folder(&self.components)?;
        let packed = zstd::encode_all(component, COMPONENT_LEVEL)?;
        let aside = self.components.join(format!(".{}-{}", std::process::id(), file_name(&path)));
        let written = create(&aside).and_then(|mut file| {
            file.write_all(&packed)?;
            file.sync_all()?;
            fs::rename(&aside, &path)
        });
        written.inspect_err(|_| drop(fs::remove_file(&aside))).with_context(|| path.display().to_string())
    }

    /// The component with this digest.
    ///
    /// # Errors
    /// When it is not there, or is not what it was.
    pub fn component(&self, digest: &str) -> Result<Vec<u8>> {
        let path = self.component_path(digest)?;
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                bail!("the component {digest} is not kept in {}; name one with --with", self.components.display())
            }
            other => other.with_context(|| path.display().to_string())?,
        };
        let mut component = Vec::new();
        let mut unpacked = io::Read::take(zstd::Decoder::new(file)?, MAX_COMPONENT_BYTES);
        io::Read::read_to_end(&mut unpacked, &mut component)
            .with_context(|| format!("{} was changed or damaged", path.display()))?;
        if format!("blake3:{}", blake3::hash(&component).to_hex()) != digest {
            bail!("{} was changed or damaged: it holds another component; name one with --with", path.display());
        }
        Ok(component)
    }

    fn component_path(&self, digest: &str) -> Result<PathBuf> {
        let hex = digest.strip_prefix("blake3:").filter(|hex| hex.len() == 64);
        let hex = hex.filter(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let hex = hex.with_context(|| format!("`{digest}` is no digest of a component"))?;
        Ok(self.components.join(format!("{hex}.wasm.zst")))
    }

    fn shelf(&self, run: &str, folder: &Path) -> Shelf {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || {
            // A run that goes on after its host ended has recordings already.
            let before = recordings_in(folder).unwrap_or_default();
            let bytes = |path: &PathBuf| File::open(path).ok().and_then(|mut file| unpacked_bytes(&mut file));
            let filled: u64 = before.iter().filter_map(bytes).sum();
            let numbers = before.iter().filter_map(|path| file_name(path).split('-').next()?.parse::<u64>().ok());
            Shelf {
                left: Arc::new(AtomicU64::new(self.per_run.0.saturating_sub(filled))),
                next: Arc::new(AtomicU64::new(numbers.max().unwrap_or_default() + 1)),
            }
        };
        if let Some(shelf) = runs.get(run) {
            return shelf.clone();
        }
        self.forget_runs(|name| name == run || runs.contains_key(name));
        runs.entry(run.to_owned()).or_insert_with(new).clone()
    }

    /// The recordings of the oldest runs go, but for those that are under way here.
    fn forget_runs(&self, under_way: impl Fn(&str) -> bool) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        let all = entries.filter_map(|entry| {
            let path = entry.ok()?.path();
            Some((path.metadata().ok()?.modified().ok()?, path))
        });
        let mut all: Vec<_> = all.filter(|(_, path)| file_name(path) != WATCH).collect();
        all.sort();
        let many = all.len().saturating_sub(self.kept_runs);
        for (_, path) in all.iter().take(many).filter(|(_, path)| !under_way(&file_name(path))) {
            if let Err(error) = fs::remove_dir_all(path) {
                tracing::warn!(%error, path = %path.display(), "an old run's recordings cannot be removed");
            }
        }
    }
}

impl Recordings for RecordingStore {
    fn begin(&self, header: &Header) -> io::Result<Option<Blank>> {
        let Some(run) = safe(&header.run) else { return Ok(None) };
        let folder = self.folder.join(run);
        make_folder(&folder)?;
        let mut shelf = self.shelf(run, &folder);
        if run == WATCH {
            // It never ends: what it may fill is for each session anew.
            forget_sessions(&folder)?;
            shelf.left = Arc::new(AtomicU64::new(self.per_run.0));
        }
        let number = shelf.next.fetch_add(1, Ordering::Relaxed);
        let plugin = safe(&header.plugin).unwrap_or("plugin");
        let name = format!("{number:03}-{}-{plugin}.{EXTENSION}", header.stage);
        let aside = Aside(folder.join(format!(".{}-{name}", std::process::id())));
        let file = create(&aside.0)?;
        let keep = Box::new(move |file: File, _: &str| {
            // Not waited for the disk: what a crash cuts off is found when it is read.
            drop(file);
            fs::rename(&aside.0, folder.join(name))
        });
        Ok(Some(Blank { file, per_call: self.per_call.0, left_in_run: shelf.left, keep }))
    }
}

/// A file under way: what is not kept is removed.
struct Aside(PathBuf);

impl Drop for Aside {
    fn drop(&mut self) {
        // Where it was kept it has another name.
        drop(fs::remove_file(&self.0));
    }
}

/// The oldest sessions of the watch go, so that there is room for one more.
fn forget_sessions(folder: &Path) -> io::Result<()> {
    let mut sessions = recordings_in(folder)?;
    sessions.sort();
    let many = sessions.len().saturating_sub(WATCH_SESSIONS - 1);
    sessions.iter().take(many).try_for_each(fs::remove_file)
}

fn recordings_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == EXTENSION) && !file_name(&path).starts_with('.') {
            found.push(path);
        }
    }
    Ok(found)
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// A name that is that of a file in a folder, and nothing else.
fn safe(name: &str) -> Option<&str> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let is_one = !name.is_empty() && name.len() <= MAX_NAME_BYTES && !name.starts_with('.');
    (is_one && name.bytes().all(fits)).then_some(name)
}

fn make_folder(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn create(path: &Path) -> io::Result<File> {
    fs::OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)
}

/// Writes a run's recordings to a folder as files of their own, `RUN-STAGE-N.recording`; gives their paths.
///
/// # Errors
/// When one cannot be read or written.
pub fn export(recordings: &[PathBuf], folder: &Path) -> Result<Vec<PathBuf>> {
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let mut written = Vec::new();
    for (index, path) in recordings.iter().enumerate() {
        let header = Recording::open(path)?.header;
        // What a file says of itself is no path of ours.
        let run = safe(&header.run).unwrap_or("run");
        let to = folder.join(format!("{run}-{}-{}.{EXTENSION}", header.stage, index + 1));
        fs::copy(path, &to).with_context(|| to.display().to_string())?;
        written.push(to);
    }
    Ok(written)
}

#[cfg(test)]
mod tests {
    use autodevops_model::Stage;
    use autodevops_policy::EffectiveGrant;

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
        RecordingStore::new(folder, &bounds)
    }

    fn keep(blank: Blank) {
        (blank.keep)(blank.file, "blake3:00").unwrap();
    }

    fn names(paths: &[PathBuf]) -> Vec<String> {
        paths.iter().map(|path| file_name(path)).collect()
    }

    #[test]
    fn a_recording_that_names_another_place_is_written_where_it_was_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let made = folder.path().join("made.recording");
        let header = serde_json::to_vec(&header("../../elsewhere")).unwrap();
        let length = u32::try_from(header.len()).unwrap().to_le_bytes();
        let nothing = zstd::encode_all(&[][..], 1).unwrap();
        let unpacked = 0_u64.to_le_bytes();
        let mut bytes = [&b"adrecord"[..], &1_u32.to_le_bytes(), &length, &header, &nothing, &unpacked].concat();
        let digest = blake3::hash(&bytes);
        bytes.extend_from_slice(digest.as_bytes());
        bytes.extend_from_slice(b"end\n");
        fs::write(&made, bytes).unwrap();
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
        assert!(store(folder.path()).component("blake3:../../etc/passwd").is_err());
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
        let digest = format!("blake3:{}", blake3::hash(b"component").to_hex());
        let missing = store.component(&digest).unwrap_err().to_string();
        assert!(missing.contains("is not kept") && missing.contains("--with"), "{missing}");
        store.keep_component(&digest, b"component").unwrap();
        store.keep_component(&digest, b"component").unwrap();
        assert_eq!(store.component(&digest).unwrap(), b"component");
        let path = store.component_path(&digest).unwrap();
        fs::write(&path, zstd::encode_all(&b"another"[..], 1).unwrap()).unwrap();
        let error = store.component(&digest).unwrap_err().to_string();
        assert!(error.contains("was changed or damaged"), "{error}");
    }
}
