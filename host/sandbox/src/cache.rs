//! Compiled components on disk. Loading machine code is trusting it, so each file carries a keyed hash over its bytes, by
//! a key that only this user can read, and is checked in memory before it is used.

use std::{
    fs::{self, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use wasmtime::{Engine, component::Component};

use crate::compile::engine_digest;

/// Bytes of a keyed hash.
const MAC_BYTES: usize = 32;

/// Ending of an entry's name.
const EXTENSION: &str = "cwasm";

/// Entries that were not used for so long are removed.
const MAX_AGE: Duration = Duration::from_secs(30 * 24 * 3600);

/// Beyond so many bytes, those go that were not used for longest.
const MAX_BYTES: u64 = 2 << 30;

/// An entry's time is set when it is used, at most so often; an unfinished file that is older was left behind.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Files are named by a digest over the component, the engine's version and its settings.
pub struct CompileCache {
    folder: PathBuf,
    key: [u8; MAC_BYTES],
    engine_digest: [u8; MAC_BYTES],
}

impl CompileCache {
    /// Opens the folder, and makes it and its key where they are not there. A folder or a key that another user could have
    /// written is refused: who knows the key can have any machine code run.
    pub fn open(folder: &Path, engine: &Engine) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        own(folder, 0o022)?;
        let key = host_key(&folder.join("key"))?;
        prune(folder, SystemTime::now(), MAX_BYTES);
        Ok(Self { folder: folder.to_owned(), key, engine_digest: engine_digest(engine) })
    }

    /// The compiled component, if it is kept here and nobody altered it.
    pub fn get(&self, engine: &Engine, bytes: &[u8]) -> Option<Component> {
        let path = self.path(bytes);
        let machine_code = self.read(&path)?;
        // SAFETY: the bytes were written by `put` of this host: they carry a keyed hash, checked just now over the very bytes
        // that are loaded, by a key that only this user can read; and the file's name, part of what is hashed, binds them to
        // this engine's version and settings.
        let loaded = unsafe { Component::deserialize(engine, &machine_code) };
        loaded
            .inspect(|_| touch(&path))
            .inspect_err(
                |error| tracing::warn!(%error, path = %path.display(), "a cached component is of no use; compiling it"),
            )
            .ok()
    }

    /// Keeps machine code, which must be what this engine's compiler made of the component. A cache that cannot be written to
    /// costs time only.
    pub fn put(&self, bytes: &[u8], machine_code: &[u8]) {
        let path = self.path(bytes);
        if let Err(error) = self.write(&path, machine_code) {
            tracing::warn!(%error, path = %path.display(), "a compiled component cannot be kept");
        }
    }

    fn path(&self, bytes: &[u8]) -> PathBuf {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.engine_digest).update(bytes);
        self.folder.join(format!("{}.{EXTENSION}", hasher.finalize().to_hex()))
    }

    fn mac(&self, path: &Path, machine_code: &[u8]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(path.file_name().unwrap_or_default().as_encoded_bytes()).update(machine_code);
        hasher.finalize()
    }

    fn read(&self, path: &Path) -> Option<Vec<u8>> {
        let mut bytes = fs::read(path).ok()?;
        let stored: [u8; MAC_BYTES] = bytes.split_off(bytes.len().checked_sub(MAC_BYTES)?).try_into().ok()?;
        // `blake3::Hash` compares in constant time.
        if self.mac(path, &bytes) == stored {
            return Some(bytes);
        }
        tracing::warn!(path = %path.display(), "a cached component was altered; compiling it anew");
        None
    }

    fn write(&self, path: &Path, machine_code: &[u8]) -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        file.write_all(machine_code)?;
        file.write_all(self.mac(path, machine_code).as_bytes())?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    }
}

/// Notes that an entry was used, for [`prune`].
fn touch(path: &Path) {
    let now = SystemTime::now();
    let stale = |path: &Path| -> io::Result<bool> { Ok(age(now, &fs::metadata(path)?) > DAY) };
    if stale(path).unwrap_or(false) {
        // Where it cannot be noted, the entry is compiled anew one day.
        drop(OpenOptions::new().append(true).open(path).and_then(|file| file.set_modified(now)));
    }
}

/// How long ago it was written; nothing for a time to come.
fn age(now: SystemTime, metadata: &fs::Metadata) -> Duration {
    metadata.modified().ok().and_then(|modified| now.duration_since(modified).ok()).unwrap_or_default()
}

/// Removes what was not used for long, then what is too much. Another process may do the same, or be reading: a file that is open
/// stays readable, and one that is gone is compiled anew. What cannot be removed stays.
fn prune(folder: &Path, now: SystemTime, max_bytes: u64) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut kept = Vec::new();
    for entry in entries.flatten() {
        let Ok(metadata) = entry.metadata() else { continue };
        let (path, age) = (entry.path(), age(now, &metadata));
        let is_entry = path.extension().is_some_and(|extension| extension == EXTENSION);
        let unfinished = entry.file_name().as_encoded_bytes().starts_with(b".tmp");
        if !metadata.is_file() || !(is_entry || unfinished) {
            continue;
        }
        if age > if is_entry { MAX_AGE } else { DAY } {
            drop(fs::remove_file(&path));
        } else {
            kept.push((age, metadata.len(), path));
        }
    }
    kept.sort_unstable();
    let mut bytes: u64 = 0;
    for (_, length, path) in kept {
        bytes = bytes.saturating_add(length);
        if bytes > max_bytes {
            drop(fs::remove_file(&path));
        }
    }
}

fn host_key(path: &Path) -> io::Result<[u8; MAC_BYTES]> {
    match read_key(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        other => return other,
    }
    let mut key = [0; MAC_BYTES];
    fs::File::open("/dev/urandom")?.read_exact(&mut key)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new()
        .make_in(folder, |path| OpenOptions::new().write(true).create_new(true).mode(0o600).open(path))?;
    file.write_all(&key)?;
    // Another process may have been first: then its key holds.
    match file.persist_noclobber(path) {
        Ok(_) => Ok(key),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => read_key(path),
        Err(error) => Err(error.error),
    }
}

/// Whether it is this user's, with none of the permissions.
fn own(path: &Path, permissions: u32) -> io::Result<()> {
    let metadata = fs::metadata(path)?;
    let reason = if metadata.uid() != rustix::process::geteuid().as_raw() {
        "belongs to another user"
    } else if metadata.mode() & permissions != 0 {
        "is open to other users"
    } else {
        return Ok(());
    };
    Err(io::Error::other(format!("{} {reason}; remove it", path.display())))
}

fn read_key(path: &Path) -> io::Result<[u8; MAC_BYTES]> {
    let bytes = fs::read(path)?;
    own(path, 0o077)?;
    bytes.try_into().map_err(|_| io::Error::other(format!("{} is not a key; remove it", path.display())))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const COMPONENT: &str = "(component)";

    impl CompileCache {
        fn fill(&self, place: &Place) {
            if self.get(&place.engine, &place.component).is_none() {
                self.put(&place.component, &place.engine.precompile_component(&place.component).unwrap());
            }
        }
    }

    struct Place {
        _root: tempfile::TempDir,
        folder: PathBuf,
        engine: Engine,
        component: Vec<u8>,
    }

    impl Place {
        fn new() -> Self {
            let root = tempfile::tempdir().unwrap();
            let folder = root.path().join("cache");
            Self { _root: root, folder, engine: Engine::default(), component: wat::parse_str(COMPONENT).unwrap() }
        }

        fn open(&self) -> io::Result<CompileCache> {
            CompileCache::open(&self.folder, &self.engine)
        }

        fn mode(&self, name: &str) -> u32 {
            fs::metadata(self.folder.join(name)).unwrap().permissions().mode() & 0o777
        }
    }

    #[test]
    fn only_this_user_can_read_the_folder_and_its_key() {
        let place = Place::new();
        place.open().unwrap();
        assert_eq!((place.mode(""), place.mode("key")), (0o700, 0o600));
    }

    #[test]
    fn a_folder_or_a_key_that_others_can_write_is_refused() {
        for (name, mode) in [("", 0o777), ("key", 0o644)] {
            let place = Place::new();
            place.open().unwrap();
            fs::set_permissions(place.folder.join(name), fs::Permissions::from_mode(mode)).unwrap();
            let error = place.open().err().unwrap().to_string();
            assert!(error.contains("is open to other users"), "{error}");
        }
    }

    #[test]
    fn an_entry_that_was_cut_altered_or_renamed_is_not_used() {
        let place = Place::new();
        let cache = place.open().unwrap();
        cache.fill(&place);
        let path = cache.path(&place.component);
        let good = fs::read(&path).unwrap();
        assert!(cache.read(&path).is_some());
        let mut altered = good.clone();
        altered[good.len() / 2] ^= 1;
        for bad in [&good[..good.len() / 2], &good[..10], b"", &altered] {
            fs::write(&path, bad).unwrap();
            assert!(cache.read(&path).is_none());
            cache.fill(&place);
            assert!(cache.read(&path).is_some(), "it is compiled anew and kept");
        }
        let other = cache.path(b"another component");
        fs::copy(&path, &other).unwrap();
        assert!(cache.read(&other).is_none(), "an entry counts for one component only");
    }

    #[test]
    fn entries_of_another_host_or_engine_are_not_used() {
        let (here, there) = (Place::new(), Place::new());
        let (cache, other) = (here.open().unwrap(), there.open().unwrap());
        other.fill(&there);
        fs::copy(other.path(&there.component), cache.path(&here.component)).unwrap();
        assert!(cache.read(&cache.path(&here.component)).is_none());
        let engine = Engine::new(wasmtime::Config::new().epoch_interruption(true)).unwrap();
        let differently = CompileCache::open(&here.folder, &engine).unwrap();
        assert_ne!(differently.path(&here.component), cache.path(&here.component));
    }

    #[test]
    fn many_may_open_and_fill_one_cache_at_once() {
        let place = Place::new();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let cache = place.open().unwrap();
                    cache.fill(&place);
                });
            }
        });
        let cache = place.open().unwrap();
        assert!(cache.read(&cache.path(&place.component)).is_some());
        assert_eq!(fs::read_dir(&place.folder).unwrap().count(), 2, "the key and one entry");
    }

    const DAYS: fn(u64) -> Duration = |days| DAY * u32::try_from(days).unwrap();

    /// A file in the folder that was last used so many days before `now`.
    fn file(folder: &Path, name: &str, bytes: usize, now: SystemTime, days: u64) {
        fs::write(folder.join(name), vec![0; bytes]).unwrap();
        let file = OpenOptions::new().append(true).open(folder.join(name)).unwrap();
        file.set_modified(now - DAYS(days)).unwrap();
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn entries_that_were_not_used_for_a_month_go_and_beyond_the_bytes_the_oldest() {
        let (root, now) = (tempfile::tempdir().unwrap(), SystemTime::now());
        let folder = root.path();
        for (name, bytes, days) in
            [("key", 32, 99), ("old.cwasm", 1, 31), ("a.cwasm", 400, 29), ("b.cwasm", 400, 3), ("c.cwasm", 400, 0)]
        {
            file(folder, name, bytes, now, days);
        }
        file(folder, ".tmpCutShort", 1, now, 2);
        file(folder, ".tmpWrittenNow", 1, now, 0);
        file(folder, "a person's own", 1, now, 99);
        prune(folder, now, 1300);
        assert_eq!(names(folder), [".tmpWrittenNow", "a person's own", "a.cwasm", "b.cwasm", "c.cwasm", "key"]);
        prune(folder, now, 801);
        assert_eq!(names(folder), [".tmpWrittenNow", "a person's own", "b.cwasm", "c.cwasm", "key"]);
    }

    #[test]
    fn an_entry_that_is_used_stays() {
        let place = Place::new();
        let cache = place.open().unwrap();
        cache.fill(&place);
        let path = cache.path(&place.component);
        let written = SystemTime::now() - DAYS(29);
        OpenOptions::new().append(true).open(&path).unwrap().set_modified(written).unwrap();
        assert!(cache.get(&place.engine, &place.component).is_some());
        assert!(age(SystemTime::now(), &fs::metadata(&path).unwrap()) < DAY);
    }

    #[test]
    fn a_cache_that_cannot_be_pruned_is_used_all_the_same() {
        let place = Place::new();
        place.open().unwrap();
        fs::create_dir(place.folder.join("folder.cwasm")).unwrap();
        prune(&place.folder.join("nowhere"), SystemTime::now(), 0);
        prune(&place.folder, SystemTime::now(), 0);
        place.open().unwrap().fill(&place);
    }
}
