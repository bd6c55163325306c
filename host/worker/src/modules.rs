//! The CommonJS modules that the functions are made of: found by following `require` from the entry.

use std::{
    collections::{BTreeMap, VecDeque},
    fs,
    path::{Component, Path, PathBuf},
};

use serde_json::Value;

use crate::{WorkerError, file};

/// Most modules of a release.
const MAX_MODULES: usize = 2000;

/// One module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// Path relative to the release's root.
    pub path: String,
    /// Its source.
    pub source: String,
    /// What each of its `require`d names leads to: another module's path.
    pub requires: BTreeMap<String, String>,
}

/// Reads the entry and all that it requires. Names that lead nowhere are left out: they are built in, or an error when they are
/// required.
///
/// # Errors
/// When a file cannot be read, or is an ES module.
pub fn read(root: &Path, entry: &str) -> Result<Vec<Module>, WorkerError> {
    let mut modules: BTreeMap<String, Module> = BTreeMap::new();
    let mut queue = VecDeque::from([normal(Path::new(entry)).unwrap_or_else(|| entry.to_owned())]);
    let mut order = Vec::new();
    while let Some(path) = queue.pop_front() {
        if modules.contains_key(&path) {
            continue;
        }
        let full = root.join(&path);
        let source = fs::read_to_string(&full).map_err(file(&full))?;
        if is_es_module(&path, &source) {
            let reason =
                "this is an ES module; the local target serves CommonJS: use `require` and `exports`".to_owned();
            return Err(WorkerError::Module { path, reason });
        }
        if modules.len() >= MAX_MODULES {
            let reason = format!("the functions require more than {MAX_MODULES} modules; bundle them first");
            return Err(WorkerError::Module { path, reason });
        }
        let mut requires = BTreeMap::new();
        if !path.ends_with(".json") {
            for name in required(&source) {
                if let Some(target) = resolve(root, &path, &name) {
                    queue.push_back(target.clone());
                    requires.insert(name, target);
                }
            }
        }
        order.push(path.clone());
        modules.insert(path.clone(), Module { path, source, requires });
    }
    Ok(order.into_iter().filter_map(|path| modules.remove(&path)).collect())
}

/// Lines that begin as only ES modules' lines do.
fn is_es_module(path: &str, source: &str) -> bool {
    let starts = |line: &str| {
        line.starts_with("export ")
            || line.starts_with("export{")
            || (line.starts_with("import ") && !line.contains('('))
    };
    path.ends_with(".mjs") || (!path.ends_with(".json") && source.lines().any(starts))
}

/// The names in `require("…")`.
fn required(source: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, _) in source.match_indices("require") {
        let Some(rest) = source.get(at + "require".len()..).map(str::trim_start) else { continue };
        let Some(rest) = rest.strip_prefix('(').map(str::trim_start) else { continue };
        let Some(quote) = rest.chars().next().filter(|c| matches!(c, '"' | '\'' | '`')) else { continue };
        if let Some((name, _)) = rest.get(1..).and_then(|rest| rest.split_once(quote)) {
            names.push(name.to_owned());
        }
    }
    names.sort();
    names.dedup();
    names
}

/// Node's rules for files: as named, with an extension, as a folder; packages upwards in `node_modules`. Never out of the root.
fn resolve(root: &Path, from: &str, name: &str) -> Option<String> {
    let folder = Path::new(from).parent().unwrap_or(Path::new(""));
    if name.starts_with("./") || name.starts_with("../") || name == "." || name == ".." {
        return resolve_file(root, &folder.join(name));
    }
    if name.starts_with('/') || name.starts_with("node:") {
        return None;
    }
    folder.ancestors().find_map(|ancestor| resolve_file(root, &ancestor.join("node_modules").join(name)))
}

fn resolve_file(root: &Path, path: &Path) -> Option<String> {
    let path = normal(path)?;
    for candidate in [path.clone(), format!("{path}.js"), format!("{path}.cjs"), format!("{path}.json")] {
        if root.join(&candidate).is_file() {
            return Some(candidate);
        }
    }
    let manifest = fs::read_to_string(root.join(&path).join("package.json")).ok();
    let manifest: Option<Value> = manifest.and_then(|text| serde_json::from_str(&text).ok());
    let main = manifest.as_ref().and_then(|manifest| manifest.get("main")).and_then(Value::as_str);
    let main = main.filter(|main| !matches!(*main, "." | "./")).and_then(|main| {
        let main = normal(&Path::new(&path).join(main))?;
        [main.clone(), format!("{main}.js"), format!("{main}/index.js")]
            .into_iter()
            .find(|path| root.join(path).is_file())
    });
    main.or_else(|| Some(format!("{path}/index.js")).filter(|path| root.join(path).is_file()))
}

/// The path without `.` and `..`; none when it leads out.
fn normal(path: &Path) -> Option<String> {
    let mut parts = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(part) => parts.push(part),
            Component::ParentDir => {
                if !parts.pop() {
                    return None;
                }
            }
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    parts.to_str().map(str::to_owned)
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

    #[test]
    fn modules_are_followed_through_files_folders_and_packages() {
        let root = tree(&[
            (
                "functions/index.js",
                "const a = require('./lib/a');\nrequire(\"pkg\");\nrequire('node:path');\nrequire('../out')",
            ),
            ("functions/lib/a.js", "require('../data.json')"),
            ("functions/data.json", "{}"),
            ("functions/node_modules/pkg/package.json", r#"{"main":"./main"}"#),
            ("functions/node_modules/pkg/main.js", ""),
        ]);
        let modules = read(root.path(), "functions/index.js").unwrap();
        let paths: Vec<&str> = modules.iter().map(|module| module.path.as_str()).collect();
        assert_eq!(
            paths,
            ["functions/index.js", "functions/lib/a.js", "functions/node_modules/pkg/main.js", "functions/data.json"]
        );
        assert_eq!(modules[0].requires["./lib/a"], "functions/lib/a.js");
        assert!(!modules[0].requires.contains_key("node:path"));
    }

    #[test]
    fn nothing_is_read_from_outside_of_the_release() {
        let root = tree(&[("in/index.js", "require('../../secret')"), ("in/x.js", "")]);
        fs::write(root.path().parent().unwrap().join("secret.js"), "").ok();
        assert_eq!(read(&root.path().join("in"), "index.js").unwrap().len(), 1);
        assert_eq!(normal(Path::new("a/../../b")), None);
        assert_eq!(normal(Path::new("/etc/passwd")), None);
    }

    #[test]
    fn an_es_module_is_refused_with_the_remedy() {
        let root = tree(&[("index.js", "export const a = 1;")]);
        let error = read(root.path(), "index.js").unwrap_err().to_string();
        assert!(error.starts_with("index.js: this is an ES module"), "{error}");
    }
}
