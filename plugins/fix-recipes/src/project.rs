//! What the repository says about how it is written and tested.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

/// How tests are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TestStyle {
    /// `node:test` and `node:assert`.
    Node,
    /// Global `describe`, `it` and `expect`.
    Jest,
    /// The same, imported from `vitest`.
    Vitest,
}

/// A package: the part of the repository around a file that has a `package.json`.
#[derive(Clone, Debug)]
pub struct Package {
    /// Its folder in the repository; empty for the root.
    pub folder: String,
    /// Whether its `.js` files are ES modules.
    pub is_module: bool,
    /// How its tests are written.
    pub style: TestStyle,
}

impl Package {
    /// The package that a file belongs to.
    pub fn of(repository: &Path, path: &str) -> Self {
        let found = folders_above(path).into_iter().find_map(|folder| {
            let text = fs::read_to_string(repository.join(&folder).join("package.json")).ok()?;
            Some((folder, serde_json::from_str::<Value>(&text).unwrap_or(Value::Null)))
        });
        let (folder, manifest) = found.unwrap_or((String::new(), Value::Null));
        let uses = |name: &str| {
            ["dependencies", "devDependencies"]
                .iter()
                .any(|list| manifest.get(list).is_some_and(|list| list.get(name).is_some()))
        };
        let script = manifest.pointer("/scripts/test").and_then(Value::as_str).unwrap_or_default();
        let style = if script.contains("node --test") {
            TestStyle::Node
        } else if uses("vitest") || script.contains("vitest") {
            TestStyle::Vitest
        } else if uses("jest") || script.contains("jest") {
            TestStyle::Jest
        } else {
            TestStyle::Node
        };
        Self { folder, is_module: manifest.get("type").and_then(Value::as_str) == Some("module"), style }
    }
}

/// What a package that a file loads is to its test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Availability {
    /// It is in the repository, or comes with the engine.
    There,
    /// The project declares it; it is there once it is installed.
    Declared,
    /// Nothing says where it would come from.
    Unknown,
}

/// Whether a test can load what a file loads.
pub fn availability(repository: &Path, path: &str, module: &str) -> Availability {
    if module.starts_with(['.', '/', '#']) || module.starts_with("node:") || BUILT_IN.contains(&module) {
        return Availability::There;
    }
    let mut parts = module.split('/');
    let first = parts.next().unwrap_or(module);
    let name =
        if first.starts_with('@') { format!("{first}/{}", parts.next().unwrap_or_default()) } else { first.to_owned() };
    let folders = folders_above(path);
    if folders.iter().any(|folder| repository.join(folder).join("node_modules").join(&name).is_dir()) {
        return Availability::There;
    }
    let declared = folders.iter().any(|folder| {
        let text = fs::read_to_string(repository.join(folder).join("package.json")).unwrap_or_default();
        let manifest = serde_json::from_str::<Value>(&text).unwrap_or(Value::Null);
        ["dependencies", "devDependencies", "peerDependencies", "optionalDependencies"]
            .iter()
            .any(|list| manifest.get(list).is_some_and(|list| list.get(&name).is_some()))
    });
    if declared { Availability::Declared } else { Availability::Unknown }
}

/// Modules of Node that go by a name without `node:`.
const BUILT_IN: [&str; 36] = [
    "assert",
    "async_hooks",
    "buffer",
    "child_process",
    "cluster",
    "console",
    "constants",
    "crypto",
    "dgram",
    "dns",
    "domain",
    "events",
    "fs",
    "fs/promises",
    "http",
    "http2",
    "https",
    "module",
    "net",
    "os",
    "path",
    "perf_hooks",
    "process",
    "punycode",
    "querystring",
    "readline",
    "stream",
    "string_decoder",
    "timers",
    "timers/promises",
    "tls",
    "url",
    "util",
    "v8",
    "worker_threads",
    "zlib",
];

/// The folders around a file, from the inside; the last is the root.
fn folders_above(path: &str) -> Vec<String> {
    let mut folders = Vec::new();
    let mut rest = path;
    while let Some((folder, _)) = rest.rsplit_once('/') {
        folders.push(folder.to_owned());
        rest = folder;
    }
    folders.push(String::new());
    folders
}

/// Where a test of a file belongs, and how such files are named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestHome {
    /// Its folder in the repository.
    pub folder: String,
    /// What stands between the name and the end: `test` or `spec`.
    pub mark: &'static str,
    /// Whether the tests there use `node:test`, as far as they tell.
    pub style: Option<TestStyle>,
}

/// Finds where the project keeps the tests of a file.
pub fn test_home(repository: &Path, path: &str, package: &Package) -> TestHome {
    let folders = folders_above(path);
    let own = folders.first().cloned().unwrap_or_default();
    if let Some((mark, style)) = tests_in(&repository.join(&own)) {
        return TestHome { folder: own, mark, style };
    }
    for folder in &folders {
        for name in ["__tests__", "test", "tests", "spec"] {
            let candidate = join(folder, name);
            let there = repository.join(&candidate);
            if there.is_dir() {
                let below = relative_part(path, folder);
                // A folder of tests that is laid out like the sources.
                if let Some(nested) = below.map(|below| join(&candidate, below))
                    && let Some((mark, style)) = tests_in(&repository.join(&nested))
                {
                    return TestHome { folder: nested, mark, style };
                }
                let (mark, style) = tests_in(&there).or_else(|| tests_below(&there)).unwrap_or(("test", None));
                return TestHome { folder: candidate, mark, style };
            }
        }
        if *folder == package.folder {
            break;
        }
    }
    TestHome { folder: join(&package.folder, "test"), mark: "test", style: None }
}

/// The folder of a file below another, without the first part where that is a usual name for sources.
fn relative_part<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    let rest = if folder.is_empty() { path } else { path.strip_prefix(folder)?.strip_prefix('/')? };
    let (below, _) = rest.rsplit_once('/')?;
    Some(below.strip_prefix("src/").unwrap_or(below))
}

fn tests_below(folder: &Path) -> Option<(&'static str, Option<TestStyle>)> {
    let mut folders: Vec<PathBuf> =
        fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders.iter().take(20).find_map(|folder| tests_in(folder))
}

fn tests_in(folder: &Path) -> Option<(&'static str, Option<TestStyle>)> {
    let mut names: Vec<PathBuf> = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path()).collect();
    names.sort();
    let is_test = |path: &&PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        name.contains(".test.") || name.contains(".spec.")
    };
    let first = names.iter().find(is_test)?;
    let name = first.file_name()?.to_string_lossy().into_owned();
    let mark = if name.contains(".spec.") { "spec" } else { "test" };
    let text = fs::read_to_string(first).unwrap_or_default();
    let style = if text.contains("node:test") {
        Some(TestStyle::Node)
    } else if text.contains("from 'vitest'") || text.contains("from \"vitest\"") {
        Some(TestStyle::Vitest)
    } else if text.contains("expect(") {
        Some(TestStyle::Jest)
    } else {
        None
    };
    Some((mark, style))
}

/// A folder or file below another.
pub fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// The way from a folder to a file, as a module is named: with `./` or `../`.
pub fn module_path(from: &str, to: &str) -> String {
    let from: Vec<&str> = from.split('/').filter(|part| !part.is_empty()).collect();
    let to: Vec<&str> = to.split('/').collect();
    let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let mut text = "../".repeat(from.len() - common);
    if text.is_empty() {
        text.push_str("./");
    }
    text.push_str(&to.get(common..).unwrap_or_default().join("/"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_named_from_where_its_test_is() {
        assert_eq!(module_path("functions/test", "functions/lib/a.js"), "../lib/a.js");
        assert_eq!(module_path("src", "src/a.js"), "./a.js");
        assert_eq!(module_path("", "a.js"), "./a.js");
        assert_eq!(module_path("test/api", "src/api/a.js"), "../../src/api/a.js");
    }

    #[test]
    fn what_a_test_would_load_is_looked_for_where_node_would() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("functions/node_modules/@a/b")).unwrap();
        fs::write(folder.path().join("package.json"), "{\"dependencies\":{\"express\":\"4\"}}").unwrap();
        for (module, found) in [
            ("./x", Availability::There),
            ("node:fs", Availability::There),
            ("crypto", Availability::There),
            ("@a/b/c", Availability::There),
            ("express", Availability::Declared),
            ("left-pad", Availability::Unknown),
        ] {
            assert_eq!(availability(folder.path(), "functions/a.js", module), found, "{module}");
        }
    }

    #[test]
    fn tests_go_where_the_project_keeps_them() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for path in ["functions/lib", "functions/test", "src/orders", "src/plain", "test/orders"] {
            fs::create_dir_all(root.join(path)).unwrap();
        }
        fs::write(root.join("functions/test/a.test.js"), "require('node:test')").unwrap();
        fs::write(root.join("src/plain/b.spec.js"), "expect(1)").unwrap();
        fs::write(root.join("test/orders/c.test.js"), "").unwrap();
        fs::write(root.join("package.json"), "{\"type\":\"module\"}").unwrap();
        let package = Package::of(root, "functions/lib/a.js");
        assert!(package.is_module);
        let home = |path: &str| test_home(root, path, &package);
        assert_eq!(
            home("functions/lib/a.js"),
            TestHome { folder: "functions/test".into(), mark: "test", style: Some(TestStyle::Node) }
        );
        assert_eq!(
            home("src/plain/a.js"),
            TestHome { folder: "src/plain".into(), mark: "spec", style: Some(TestStyle::Jest) }
        );
        assert_eq!(home("src/orders/a.js"), TestHome { folder: "test/orders".into(), mark: "test", style: None });
    }
}
