//! A project's folder as tests see it: its files, with some put over them, and Node's rules of how names lead to files.

use std::{
    cell::OnceCell,
    collections::BTreeMap,
    fs, io,
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use nodejs_built_in_modules::is_nodejs_builtin_module as is_builtin_module;
use oxc_resolver::{FileMetadata, FileSystem, ModuleType, ResolveError, ResolveOptions, ResolverGeneric};

/// How a name is asked for: packages may answer differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asked {
    /// By `require`.
    Require,
    /// By `import`.
    Import,
}

/// Where a name leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A file of the project: its path relative to the root.
    File(String),
    /// A module of Node itself, without `node:`.
    Builtin(String),
    /// A package that is not installed, or does not export this.
    NoPackage,
    /// No such file.
    NoFile,
}

/// A project's folder.
pub struct Project {
    root: PathBuf,
    files: Files,
    /// For `require` and for `import`, made when a name is first looked for.
    resolvers: OnceCell<(ResolverGeneric<Files>, ResolverGeneric<Files>)>,
}

impl Project {
    /// The project at the folder, with files put over it: paths relative to the root, and their texts.
    pub fn new(root: &Path, over: impl IntoIterator<Item = (String, String)>) -> Self {
        let over = over.into_iter().map(|(path, text)| (root.join(path), text)).collect();
        let files = Files { over: Arc::new(over) };
        Self { root: root.to_owned(), files, resolvers: OnceCell::new() }
    }

    fn resolver(&self, asked: Asked) -> &ResolverGeneric<Files> {
        let options = |condition: &str| ResolveOptions {
            cwd: Some(self.root.clone()),
            condition_names: vec!["node".into(), condition.into(), "default".into()],
            extensions: [".js", ".json", ".cjs", ".mjs"].map(String::from).into(),
            module_type: true,
            // A link that leads out of the folder cannot be read anyhow.
            symlinks: false,
            node_path: false,
            ..ResolveOptions::default()
        };
        let (require, import) = self.resolvers.get_or_init(|| {
            let require = ResolverGeneric::new_with_file_system(self.files.clone(), options("require"));
            let import = require.clone_with_options(options("import"));
            (require, import)
        });
        match asked {
            Asked::Require => require,
            Asked::Import => import,
        }
    }

    /// Where a name leads that a file of the project asks for.
    pub fn resolve(&self, from: &str, name: &str, asked: Asked) -> Target {
        if let Some(builtin) = name.strip_prefix("node:") {
            return Target::Builtin(builtin.to_owned());
        }
        let from = self.root.join(from);
        let folder = from.parent().unwrap_or(&self.root);
        let name = match name.strip_prefix("file://") {
            Some(path) => path,
            None => name,
        };
        if is_builtin_module(name) {
            return Target::Builtin(name.to_owned());
        }
        match self.resolver(asked).resolve(folder, name) {
            Ok(found) => match self.relative(found.path()) {
                Some(path) => Target::File(path),
                None => Target::NoFile,
            },
            Err(_) if name.starts_with('.') || name.starts_with('/') => Target::NoFile,
            Err(_) => Target::NoPackage,
        }
    }

    /// Whether the nearest `package.json` says that a `.js` file is an ES module; nothing where none says.
    pub fn package_is_module(&self, path: &str) -> Option<bool> {
        let found = self.resolver(Asked::Import).resolve(&self.root, &format!("./{path}")).ok()?;
        match found.module_type()? {
            ModuleType::Module => Some(true),
            ModuleType::CommonJs => found.package_json().and_then(|package| package.r#type().map(|_| false)),
            ModuleType::Json | ModuleType::Wasm | ModuleType::Addon => None,
        }
    }

    /// A file's text.
    ///
    /// # Errors
    /// When it cannot be read or is no UTF-8.
    pub fn read(&self, path: &str) -> io::Result<String> {
        self.files.read_to_string(&self.root.join(path))
    }

    /// The root, as tests see it.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn relative(&self, path: &Path) -> Option<String> {
        let path = path.strip_prefix(&self.root).ok()?;
        path.components().all(|part| matches!(part, Component::Normal(_))).then(|| path.to_str().map(str::to_owned))?
    }
}

/// The folder's files, and those put over it.
#[derive(Clone, Default)]
struct Files {
    over: Arc<BTreeMap<PathBuf, String>>,
}

impl FileSystem for Files {
    fn new() -> Self {
        Self::default()
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        match self.over.get(path) {
            Some(text) => Ok(text.clone().into_bytes()),
            None => fs::read(path),
        }
    }

    fn read_to_string(&self, path: &Path) -> io::Result<String> {
        match self.over.get(path) {
            Some(text) => Ok(text.clone()),
            None => fs::read_to_string(path),
        }
    }

    fn metadata(&self, path: &Path) -> io::Result<FileMetadata> {
        if self.over.contains_key(path) {
            return Ok(FileMetadata::new(true, false, false));
        }
        match fs::metadata(path) {
            Ok(found) => Ok(found.into()),
            // A folder that is there only because of a file that was put over it.
            Err(_) if self.over.keys().any(|over| over.starts_with(path)) => Ok(FileMetadata::new(false, true, false)),
            Err(error) => Err(error),
        }
    }

    fn symlink_metadata(&self, path: &Path) -> io::Result<FileMetadata> {
        self.metadata(path)
    }

    fn read_link(&self, path: &Path) -> Result<PathBuf, ResolveError> {
        Ok(fs::read_link(path)?)
    }

    fn canonicalize(&self, path: &Path) -> io::Result<PathBuf> {
        Ok(path.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    fn file(path: &str) -> Target {
        Target::File(path.to_owned())
    }

    #[test]
    fn names_lead_to_files_folders_and_packages_as_in_node() {
        let root = tree(&[
            ("lib/a.js", ""),
            ("lib/data.json", "{}"),
            ("lib/folder/index.js", ""),
            ("node_modules/plain/package.json", r#"{"main":"./main"}"#),
            ("node_modules/plain/main.js", ""),
            (
                "node_modules/@s/both/package.json",
                r#"{"exports":{".":{"import":"./m.mjs","require":"./c.cjs"},"./sub/*":"./inner/*.js"}}"#,
            ),
            ("node_modules/@s/both/m.mjs", ""),
            ("node_modules/@s/both/c.cjs", ""),
            ("node_modules/@s/both/inner/x.js", ""),
        ]);
        let project = Project::new(root.path(), []);
        let require = |name| project.resolve("lib/test/a.test.js", name, Asked::Require);
        assert_eq!(require("../a"), file("lib/a.js"));
        assert_eq!(require("../a.js"), file("lib/a.js"));
        assert_eq!(require("../data"), file("lib/data.json"));
        assert_eq!(require("../folder"), file("lib/folder/index.js"));
        assert_eq!(require("plain"), file("node_modules/plain/main.js"));
        assert_eq!(require("@s/both"), file("node_modules/@s/both/c.cjs"));
        assert_eq!(require("@s/both/sub/x"), file("node_modules/@s/both/inner/x.js"));
        assert_eq!(require("@s/both/inner/x.js"), Target::NoPackage);
        assert_eq!(project.resolve("a.mjs", "@s/both", Asked::Import), file("node_modules/@s/both/m.mjs"));
        assert_eq!(require("fs/promises"), Target::Builtin("fs/promises".into()));
        assert_eq!(require("node:test"), Target::Builtin("test".into()));
        assert_eq!(require("missing"), Target::NoPackage);
        assert_eq!(require("./missing"), Target::NoFile);
    }

    #[test]
    fn nothing_is_found_outside_of_the_project() {
        let root = tree(&[("in/a.js", ""), ("out.js", "")]);
        let project = Project::new(&root.path().join("in"), []);
        assert_eq!(project.resolve("a.js", "../out", Asked::Require), Target::NoFile);
        let absolute = root.path().join("out.js");
        assert_eq!(project.resolve("a.js", absolute.to_str().unwrap(), Asked::Require), Target::NoFile);
    }

    #[test]
    fn a_file_put_over_the_project_is_found_in_a_folder_that_is_not_there() {
        let root = tree(&[("lib/a.js", "")]);
        let over = [
            ("test/x.test.js".to_owned(), "require('./help')".to_owned()),
            ("test/help.js".to_owned(), "1".to_owned()),
        ];
        let project = Project::new(root.path(), over);
        assert_eq!(project.resolve("test/x.test.js", "./help", Asked::Require), file("test/help.js"));
        assert_eq!(project.resolve("test/x.test.js", "../lib/a", Asked::Require), file("lib/a.js"));
        assert_eq!(project.read("test/help.js").unwrap(), "1");
    }

    #[test]
    fn the_nearest_package_says_what_a_js_file_is() {
        let root = tree(&[
            ("a.js", ""),
            ("esm/package.json", r#"{"type":"module"}"#),
            ("esm/b.js", ""),
            ("cjs/package.json", r#"{"type":"commonjs"}"#),
            ("cjs/c.js", ""),
        ]);
        let project = Project::new(root.path(), []);
        assert_eq!(project.package_is_module("a.js"), None);
        assert_eq!(project.package_is_module("esm/b.js"), Some(true));
        assert_eq!(project.package_is_module("cjs/c.js"), Some(false));
    }
}
