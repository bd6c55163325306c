//! Keeps the recordings of runs' calls, and the components that were called.
//!
//! ```text
//! <state>/recordings/RUN/NNN-STAGE-PLUGIN.recording   one file a call, written aside and renamed when it is whole
//! <state>/components/DIGEST.wasm.zst                  each component once, and its plugin's manifest beside it: DIGEST.json
//! ```

mod components;
mod files;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::{Context, Result};
use autodevops_config::RecordingSettings;
use autodevops_policy::Bytes;
use autodevops_sandbox::replay::{Blank, Header, Recording, Recordings, unpacked_bytes};

use crate::audit::WATCH;
pub use components::Components;
use files::{file_name, make_folder};

/// What a recording's name ends with.
pub const EXTENSION: &str = "recording";

/// Sessions of the watch that are kept, the newest; a run's calls are all kept.
const WATCH_SESSIONS: usize = 8;

/// Longest name of a run's folder.
const MAX_NAME_BYTES: usize = 200;

/// The recordings of a project.
pub struct RecordingStore {
    folder: PathBuf,
    components: Components,
    per_call: Bytes,
    per_run: Bytes,
    kept_runs: usize,
    /// Digests of components that stay though nothing is recorded of them.
    granted: Vec<String>,
    runs: Mutex<BTreeMap<String, Shelf>>,
}

/// Where one run's recordings go on.
#[derive(Clone)]
struct Shelf {
    left: Arc<AtomicU64>,
    next: Arc<AtomicU64>,
}

impl RecordingStore {
    /// Below the state's folder, within these bounds; components with the digests in `granted` stay though nothing is recorded of them.
    pub fn new(state: &Path, bounds: &RecordingSettings, granted: Vec<String>) -> Self {
        let (folder, components) = (state.join("recordings"), Components::new(state.join("components")));
        let RecordingSettings { per_call, per_run, runs, .. } = *bounds;
        Self { folder, components, per_call, per_run, kept_runs: runs as usize, granted, runs: Mutex::default() }
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

    /// The components of which something is recorded.
    pub const fn components(&self) -> &Components {
        &self.components
    }

    /// Removes what a host that was killed left: recordings that it had begun, and components that nothing kept was made by. The
    /// caller holds the state's lock, so that no other process records.
    pub fn tidy(&self) {
        let runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        // Once something is recorded here, what is under way may be this process's own.
        if runs.is_empty()
            && let Err(error) = files::remove_begun_below(&self.folder)
        {
            tracing::warn!(%error, folder = %self.folder.display(), "what a host before had begun to record cannot be removed");
        }
        self.forget_components();
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
        if self.forget_runs(|name| name == run || runs.contains_key(name)) {
            self.forget_components();
        }
        runs.entry(run.to_owned()).or_insert_with(new).clone()
    }

    /// The recordings of the oldest runs go, but for those that are under way here. Whether there were any.
    fn forget_runs(&self, under_way: impl Fn(&str) -> bool) -> bool {
        let Ok(entries) = fs::read_dir(&self.folder) else { return false };
        let all = entries.filter_map(|entry| {
            let path = entry.ok()?.path();
            Some((path.metadata().ok()?.modified().ok()?, path))
        });
        let mut all: Vec<_> = all.filter(|(_, path)| file_name(path) != WATCH).collect();
        all.sort();
        let many = all.len().saturating_sub(self.kept_runs);
        let mut any = false;
        for (_, path) in all.iter().take(many).filter(|(_, path)| !under_way(&file_name(path))) {
            any = true;
            if let Err(error) = fs::remove_dir_all(path) {
                tracing::warn!(%error, path = %path.display(), "an old run's recordings cannot be removed");
            }
        }
        any
    }

    fn forget_components(&self) {
        // Newest first: the components that are used now are in them, and then nothing more need be read.
        let all = || {
            let mut all: Vec<PathBuf> = fs::read_dir(&self.folder)
                .into_iter()
                .flatten()
                .filter_map(|entry| recordings_in(&entry.ok()?.path()).ok())
                .flatten()
                .collect();
            all.sort_by_key(|path| std::cmp::Reverse(path.metadata().and_then(|metadata| metadata.modified()).ok()));
            all
        };
        let recorded = || all().into_iter().filter_map(|path| Some(Header::of(&path).ok()?.component));
        if let Err(error) = self.components.keep_only(|| self.granted.iter().cloned().chain(recorded())) {
            tracing::warn!(%error, "components that nothing needs any more cannot be removed");
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
        let (file, begun) = files::begin(&folder, &name)?.into_parts();
        let keep = Box::new(move |file: File, _: &str| {
            // Not waited for the disk: what a crash cuts off is found when it is read.
            drop(file);
            begun.persist(folder.join(name)).map_err(|error| error.error)
        });
        Ok(Some(Blank { file, per_call: self.per_call.0, left_in_run: shelf.left, keep }))
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

/// A name that is that of a file in a folder, and nothing else.
fn safe(name: &str) -> Option<&str> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let is_one = !name.is_empty() && name.len() <= MAX_NAME_BYTES && !name.starts_with('.');
    (is_one && name.bytes().all(fits)).then_some(name)
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
