//! The components that were called, each once, for as long as a recording is of it, or it is the one that was granted: what is under way goes
//! on with it, whatever lies in the plugin's folder by then.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Write},
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use anyhow::{Context, Result, bail};
use autodevops_bundle::PluginFolder;

use super::files::{begin, entries, file_name, make_folder, remove_begun};

/// How hard a component is packed: once for each.
const LEVEL: i32 = 9;

/// Largest component that is unpacked: the largest that a configuration can allow.
const MAX_BYTES: u64 = 256 << 20;

/// What a component's file is called, after its digest's hex digits.
const ENDING: &str = ".wasm.zst";

/// What its plugin's manifest is called, after the same digits.
const MANIFEST_ENDING: &str = ".json";

/// Kept components.
pub struct Components {
    folder: PathBuf,
    /// File names of what this process loaded: it may be called, and recorded, at any time.
    in_use: Mutex<BTreeSet<String>>,
}

impl Components {
    /// In this folder, which is made when there is something to keep.
    pub const fn new(folder: PathBuf) -> Self {
        Self { folder, in_use: Mutex::new(BTreeSet::new()) }
    }

    /// Keeps a component, once. It stays at least for as long as this process lives.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep(&self, digest: &str, component: &[u8]) -> Result<()> {
        let path = self.path(digest)?;
        let name = file_name(&path);
        // Held until it is there, so that it is not removed meanwhile.
        let mut in_use = self.in_use.lock().unwrap_or_else(PoisonError::into_inner);
        if path.exists() {
            in_use.insert(name);
            return Ok(());
        }
        make_folder(&self.folder)?;
        let packed = zstd::encode_all(component, LEVEL)?;
        let written = begin(&self.folder, &name).and_then(|mut file| {
            file.write_all(&packed)?;
            file.as_file().sync_all()?;
            file.persist(&path).map_err(|error| error.error)
        });
        written.with_context(|| path.display().to_string())?;
        in_use.insert(name);
        Ok(())
    }

    /// Keeps a plugin's component, and its manifest beside it.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn keep_plugin(&self, digest: &str, plugin: &PluginFolder) -> Result<()> {
        self.keep(digest, &plugin.component)?;
        let path = self.manifest_path(digest)?;
        let manifest = serde_json::to_vec(&plugin.manifest)?;
        if fs::read(&path).is_ok_and(|kept| kept == manifest) {
            return Ok(());
        }
        let written = begin(&self.folder, &file_name(&path)).and_then(|mut file| {
            file.write_all(&manifest)?;
            file.as_file().sync_all()?;
            file.persist(&path).map_err(|error| error.error)
        });
        written.map(drop).with_context(|| path.display().to_string())
    }

    /// The plugin that was kept with this component.
    ///
    /// # Errors
    /// When it was not, or is not what it was.
    pub fn plugin(&self, digest: &str) -> Result<PluginFolder> {
        let path = self.manifest_path(digest)?;
        let manifest = fs::read(&path).with_context(|| path.display().to_string())?;
        let manifest = serde_json::from_slice(&manifest).with_context(|| path.display().to_string())?;
        Ok(PluginFolder { path: self.folder.clone(), manifest, component: self.read(digest)? })
    }

    /// The component with this digest.
    ///
    /// # Errors
    /// When it is not there, or is not what it was.
    pub fn read(&self, digest: &str) -> Result<Vec<u8>> {
        let path = self.path(digest)?;
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                bail!("the component {digest} is not kept in {}; name one with --with", self.folder.display())
            }
            other => other.with_context(|| path.display().to_string())?,
        };
        let mut component = Vec::new();
        let mut unpacked = io::Read::take(zstd::Decoder::new(file)?, MAX_BYTES);
        io::Read::read_to_end(&mut unpacked, &mut component)
            .with_context(|| format!("{} was changed or damaged", path.display()))?;
        if format!("blake3:{}", blake3::hash(&component).to_hex()) != digest {
            bail!("{} was changed or damaged: it holds another component; name one with --with", path.display());
        }
        Ok(component)
    }

    /// Removes the components that are neither in use here nor among these, which are looked at only while there is one that may
    /// have to go. The caller holds the state's lock.
    ///
    /// # Errors
    /// When the folder cannot be read, or a file not be removed.
    pub fn keep_only<I: Iterator<Item = String>>(&self, referred_to: impl FnOnce() -> I) -> io::Result<()> {
        let in_use = self.in_use.lock().unwrap_or_else(PoisonError::into_inner);
        remove_begun(&self.folder)?;
        let names = entries(&self.folder)?.iter().map(|path| file_name(path)).collect::<BTreeSet<String>>();
        let mut unused: BTreeSet<String> =
            names.into_iter().filter(|name| name.ends_with(ENDING) && !in_use.contains(name)).collect();
        if !unused.is_empty() {
            for digest in referred_to() {
                if self.path(&digest).is_ok_and(|path| unused.remove(&file_name(&path))) && unused.is_empty() {
                    break;
                }
            }
        }
        unused.iter().try_for_each(|name| {
            let manifest = self.folder.join(name.replace(ENDING, MANIFEST_ENDING));
            match fs::remove_file(manifest) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            fs::remove_file(self.folder.join(name))
        })
    }

    /// Where the manifest of the plugin with this component is kept.
    fn manifest_path(&self, digest: &str) -> Result<PathBuf> {
        let component = self.path(digest)?;
        Ok(component.with_file_name(file_name(&component).replace(ENDING, MANIFEST_ENDING)))
    }

    /// Where the component with this digest is kept.
    pub(super) fn path(&self, digest: &str) -> Result<PathBuf> {
        let hex = digest.strip_prefix("blake3:").filter(|hex| hex.len() == 64);
        let hex = hex.filter(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let hex = hex.with_context(|| format!("`{digest}` is no digest of a component"))?;
        Ok(self.folder.join(format!("{hex}{ENDING}")))
    }
}
