//! What gets installed: a folder with a manifest, `plugin.toml`, and the component that it describes; and the lock file, which
//! says what was granted to which component.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

pub mod ask;
pub mod lock;

use std::{
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

pub use lock::Digest;

use autodevops_policy::{Manifest, ManifestError, ProjectPath, strict_toml::nearest};

/// The manifest's file name.
pub const MANIFEST: &str = "plugin.toml";

/// Largest component that is read.
const MAX_COMPONENT_BYTES: u64 = 256 << 20;

/// Largest manifest that is read.
const MAX_MANIFEST_BYTES: u64 = 1 << 20;

/// Why a plugin cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// There is no plugin of that name.
    #[error("there is no plugin `{name}` in {}{hint}", folders(searched))]
    NotFound {
        /// The name.
        name: String,
        /// Where it was looked for.
        searched: Vec<PathBuf>,
        /// `; did you mean …?`, or which there are.
        hint: String,
    },
    /// A file cannot be read.
    #[error("{path} cannot be read: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file that belongs to a plugin is not there.
    #[error("{path} is not there; {remedy}")]
    Missing {
        /// The file.
        path: PathBuf,
        /// What to do.
        remedy: &'static str,
    },
    /// The manifest is wrong.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The component's file is named outside of the folder.
    #[error("{manifest}: `component` is to be a file beside the manifest, not {component:?}")]
    ComponentPath {
        /// The manifest.
        manifest: PathBuf,
        /// What it names.
        component: String,
    },
    /// The manifest or the component is too large to be one.
    #[error("{path} has more than {most} bytes, which no plugin's file has; build it anew, or remove it")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// What it may have.
        most: u64,
    },
    /// Something that is no file is named like one: reading it might never end.
    #[error("{path} is no regular file; put the file itself there")]
    NoFile {
        /// What it is named.
        path: PathBuf,
    },
    /// It is found by one name and has another, by which it would be granted and told of.
    #[error("{path} is where the plugin `{name}` is looked for, and holds the plugin `{found}`; name it as it is")]
    OtherName {
        /// Its folder.
        path: PathBuf,
        /// The name by which it was looked for.
        name: String,
        /// The name that its manifest gives.
        found: String,
    },
}

/// What to do about a folder without a manifest.
const WITHOUT_MANIFEST: &str = "a plugin is a folder with one beside its component, which gives at least `name`, `version`, `description` and `stages`";

/// What to do about a folder without a component.
const WITHOUT_COMPONENT: &str = "build the component and put it there, or name its file by `component` in plugin.toml";

impl BundleError {
    /// Says of a file that is not there what to do about it.
    fn or_missing(self, remedy: &'static str) -> Self {
        match self {
            Self::Read { path, source } if source.kind() == io::ErrorKind::NotFound => Self::Missing { path, remedy },
            other => other,
        }
    }
}

fn folders(searched: &[PathBuf]) -> String {
    if searched.is_empty() {
        return "any folder: none was found beside this program, and AUTODEVOPS_PLUGINS names none".to_owned();
    }
    searched.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" or ")
}

/// What may have been meant by a name that no plugin has.
fn hint(name: &str, lies_here: bool, known: &[String]) -> String {
    if lies_here {
        return format!("; the one in this folder is `./{name}`");
    }
    match nearest(name, known.iter().map(String::as_str)) {
        Some(name) => format!("; did you mean `{name}`?"),
        None if known.is_empty() => "; build the project's own with `cargo xtask plugins`".to_owned(),
        None => format!("; there are {}", known.join(", ")),
    }
}

/// A plugin on disk: its manifest and the bytes of its component.
#[derive(Clone, Debug)]
pub struct PluginFolder {
    /// Where it is.
    pub path: PathBuf,
    /// What it is and asks for.
    pub manifest: Manifest,
    /// The component.
    pub component: Vec<u8>,
}

impl PluginFolder {
    /// Reads a plugin's folder.
    ///
    /// # Errors
    /// [`BundleError`], which names the file.
    pub fn open(path: &Path) -> Result<Self, BundleError> {
        let manifest_path = path.join(MANIFEST);
        let text = String::from_utf8(
            read(&manifest_path, MAX_MANIFEST_BYTES).map_err(|error| error.or_missing(WITHOUT_MANIFEST))?,
        )
        .map_err(|error| {
            let source = io::Error::new(io::ErrorKind::InvalidData, error.utf8_error());
            BundleError::Read { path: manifest_path.clone(), source }
        })?;
        let manifest = Manifest::parse(&text, &manifest_path.display().to_string())?;
        let file = manifest.component.clone().unwrap_or_else(|| format!("{}.wasm", manifest.name));
        if ProjectPath::new(file.as_str()).is_err() || file.contains('/') {
            return Err(BundleError::ComponentPath { manifest: manifest_path, component: file });
        }
        let file = path.join(file);
        let component = read(&file, MAX_COMPONENT_BYTES).map_err(|error| error.or_missing(WITHOUT_COMPONENT))?;
        Ok(Self { path: path.to_owned(), manifest, component })
    }

    /// Reads the folder of the plugin of that name.
    ///
    /// # Errors
    /// As [`Self::open`]; and when its manifest gives another name.
    pub fn open_as(path: &Path, name: &str) -> Result<Self, BundleError> {
        let folder = Self::open(path)?;
        if folder.manifest.name == name {
            return Ok(folder);
        }
        let found = folder.manifest.name;
        Err(BundleError::OtherName { path: path.to_owned(), name: name.to_owned(), found })
    }

    /// Digest of the component.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.component)
    }
}

/// Reads a regular file of so many bytes at most. What lies in a plugin's folder is a stranger's: a device has no end, and a pipe
/// may never have a beginning.
fn read(path: &Path, most: u64) -> Result<Vec<u8>, BundleError> {
    let failed = |source| BundleError::Read { path: path.to_owned(), source };
    // Opening a pipe would wait for who writes to it, so it is looked at first.
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(BundleError::NoFile { path: path.to_owned() });
    }
    let mut bytes = Vec::new();
    fs::File::open(path).map_err(failed)?.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > most {
        return Err(BundleError::TooLarge { path: path.to_owned(), most });
    }
    Ok(bytes)
}

/// Folders that hold plugins, each in a folder of its name; the first that has a plugin wins.
#[derive(Clone, Debug)]
pub struct PluginFolders(pub Vec<PathBuf>);

impl PluginFolders {
    /// Opens the plugin of that name.
    ///
    /// # Errors
    /// [`BundleError::NotFound`] with the nearest name, or what is wrong with its folder.
    pub fn open(&self, name: &str) -> Result<PluginFolder, BundleError> {
        let is_a_name = ProjectPath::new(name).is_ok() && !name.contains('/');
        let found =
            self.0.iter().map(|folder| folder.join(name)).find(|path| is_a_name && path.join(MANIFEST).is_file());
        match found {
            Some(path) => PluginFolder::open_as(&path, name),
            None => {
                // A folder is named by a path, so that nothing that lies about stands for what was installed.
                let lies_here = is_a_name && Path::new(name).join(MANIFEST).is_file();
                let hint = hint(name, lies_here, &self.names());
                Err(BundleError::NotFound { name: name.to_owned(), searched: self.0.clone(), hint })
            }
        }
    }

    /// Names of all plugins, sorted.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .0
            .iter()
            .filter_map(|folder| fs::read_dir(folder).ok())
            .flatten()
            .filter_map(Result::ok)
            .filter(|entry| entry.path().join(MANIFEST).is_file())
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        names.sort();
        names.dedup();
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "name = \"a\"\nversion = \"0.1.0\"\ndescription = \"x\"\nstages = [\"check\"]\n";

    fn folder(manifest: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("a")).unwrap();
        fs::write(folder.path().join("a").join(MANIFEST), manifest).unwrap();
        folder
    }

    #[test]
    fn a_plugin_is_its_manifest_and_its_component() {
        let folder = folder(TEXT);
        fs::write(folder.path().join("a/a.wasm"), b"bytes").unwrap();
        let plugin = PluginFolders(vec![folder.path().into()]).open("a").unwrap();
        assert_eq!(plugin.component, b"bytes");
        assert_eq!(plugin.digest().to_string(), format!("blake3:{}", blake3::hash(b"bytes").to_hex()));
    }

    #[test]
    fn a_file_that_is_missing_is_named_with_what_to_do() {
        let folder = folder(TEXT);
        let path = folder.path().join("a");
        let error = PluginFolder::open(&path).unwrap_err().to_string();
        assert!(error.ends_with("a/a.wasm is not there; build the component and put it there, or name its file by `component` in plugin.toml"), "{error}");
        fs::remove_file(path.join(MANIFEST)).unwrap();
        let error = PluginFolder::open(&path).unwrap_err().to_string();
        assert!(error.contains("a/plugin.toml is not there; a plugin is a folder with one"), "{error}");
    }

    #[test]
    fn what_is_no_file_or_has_no_end_is_not_read() {
        let devices = folder(TEXT);
        std::os::unix::fs::symlink("/dev/zero", devices.path().join("a/a.wasm")).unwrap();
        let error = PluginFolder::open(&devices.path().join("a")).unwrap_err();
        assert!(matches!(error, BundleError::NoFile { .. }), "{error}");
        let long = folder(TEXT);
        fs::File::create(long.path().join("a/a.wasm")).unwrap().set_len(MAX_COMPONENT_BYTES + 1).unwrap();
        let error = PluginFolder::open(&long.path().join("a")).unwrap_err();
        assert!(matches!(error, BundleError::TooLarge { .. }), "{error}");
        let manifest = folder(&"# ".repeat(1 << 20));
        let error = PluginFolder::open(&manifest.path().join("a")).unwrap_err();
        assert!(matches!(error, BundleError::TooLarge { .. }), "{error}");
    }

    #[test]
    fn a_plugin_in_the_place_of_another_is_refused() {
        let folder = folder(&TEXT.replace("name = \"a\"", "name = \"trusted\""));
        fs::write(folder.path().join("a/trusted.wasm"), b"bytes").unwrap();
        let error = PluginFolders(vec![folder.path().into()]).open("a").unwrap_err().to_string();
        assert!(error.contains("looked for, and holds the plugin `trusted`"), "{error}");
        assert!(PluginFolder::open(&folder.path().join("a")).is_ok());
    }

    #[test]
    fn a_component_outside_of_the_folder_is_refused() {
        for component in ["../b.wasm", "/etc/passwd", "x/y.wasm"] {
            let folder = folder(&format!("component = \"{component}\"\n{TEXT}"));
            let error = PluginFolder::open(&folder.path().join("a")).unwrap_err();
            assert!(matches!(error, BundleError::ComponentPath { .. }), "{error}");
        }
    }

    #[test]
    fn a_name_that_is_nearly_one_is_answered_with_it() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("log-analyzer")).unwrap();
        fs::write(folder.path().join("log-analyzer").join(MANIFEST), TEXT).unwrap();
        let folders = PluginFolders(vec![folder.path().into()]);
        let error = folders.open("log-analyser").unwrap_err().to_string();
        assert!(error.ends_with("; did you mean `log-analyzer`?"), "{error}");
        assert!(matches!(folders.open("../log-analyzer"), Err(BundleError::NotFound { .. })));
    }

    #[test]
    fn a_name_that_is_none_gets_what_may_have_been_meant() {
        let known = ["log-analyzer".to_owned(), "local".to_owned()];
        assert_eq!(hint("locl", true, &known), "; the one in this folder is `./locl`");
        assert_eq!(hint("locl", false, &known), "; did you mean `local`?");
        assert_eq!(hint("something", false, &known), "; there are log-analyzer, local");
        assert_eq!(hint("local", false, &[]), "; build the project's own with `cargo xtask plugins`");
    }
}
