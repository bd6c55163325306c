//! Compiled components on disk. Loading machine code is trusting it, so each file carries a keyed hash over its bytes, by
//! a key that only this user can read, and is checked in memory before it is used.

use std::{
    fs::{self, OpenOptions},
    hash::{Hash, Hasher},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use wasmtime::{Engine, component::Component};

/// Bytes of a keyed hash.
const MAC_BYTES: usize = 32;

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
        let mut hasher = DigestHasher(blake3::Hasher::new());
        engine.precompile_compatibility_hash().hash(&mut hasher);
        hasher.0.update(env!("CARGO_PKG_VERSION").as_bytes());
        let key = host_key(&folder.join("key"))?;
        Ok(Self { folder: folder.to_owned(), key, engine_digest: *hasher.0.finalize().as_bytes() })
    }

    /// The compiled component, from the cache or compiled and put there. A cache that cannot be written to costs time only.
    pub fn component(&self, engine: &Engine, bytes: &[u8]) -> wasmtime::Result<Component> {
        let path = self.path(bytes);
        if let Some(machine_code) = self.read(&path) {
            // SAFETY: the bytes were written by `write` of this host: they carry a keyed hash, checked just now over the very
            // bytes that are loaded, by a key that only this user can read; and the file's name, part of what is hashed, binds
            // them to this engine's version and settings.
            match unsafe { Component::deserialize(engine, &machine_code) } {
                Ok(component) => return Ok(component),
                Err(error) => {
                    tracing::warn!(%error, path = %path.display(), "a cached component is of no use; compiling it")
                }
            }
        }
        let machine_code = engine.precompile_component(bytes)?;
        if let Err(error) = self.write(&path, &machine_code) {
            tracing::warn!(%error, path = %path.display(), "a compiled component cannot be kept");
        }
        // SAFETY: the bytes come from `precompile_component` of the same engine, a moment ago, and never left memory.
        unsafe { Component::deserialize(engine, &machine_code) }
    }

    fn path(&self, bytes: &[u8]) -> PathBuf {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.engine_digest).update(bytes);
        self.folder.join(format!("{}.cwasm", hasher.finalize().to_hex()))
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

/// A `std` hasher whose digest does not depend on the process.
struct DigestHasher(blake3::Hasher);

impl Hasher for DigestHasher {
    fn finish(&self) -> u64 {
        let digest = self.0.finalize();
        digest.as_bytes().iter().take(8).fold(0, |value, byte| (value << 8) | u64::from(*byte))
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const COMPONENT: &str = "(component)";

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
        cache.component(&place.engine, &place.component).unwrap();
        let path = cache.path(&place.component);
        let good = fs::read(&path).unwrap();
        assert!(cache.read(&path).is_some());
        let mut altered = good.clone();
        altered[good.len() / 2] ^= 1;
        for bad in [&good[..good.len() / 2], &good[..10], b"", &altered] {
            fs::write(&path, bad).unwrap();
            assert!(cache.read(&path).is_none());
            cache.component(&place.engine, &place.component).unwrap();
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
        other.component(&there.engine, &there.component).unwrap();
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
                    cache.component(&place.engine, &place.component).unwrap();
                });
            }
        });
        let cache = place.open().unwrap();
        assert!(cache.read(&cache.path(&place.component)).is_some());
        assert_eq!(fs::read_dir(&place.folder).unwrap().count(), 2, "the key and one entry");
    }
}
