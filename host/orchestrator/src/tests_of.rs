//! Which files of a project are tests, by the names that test runners go by.

use std::{fs, path::Path};

/// Folders that hold no tests of the project's own.
const SKIPPED: [&str; 7] = ["node_modules", "vendor", "target", "dist", "build", "coverage", "fixtures"];

/// Folders whose scripts are all tests.
const TEST_FOLDERS: [&str; 3] = ["test", "tests", "__tests__"];

/// Scripts that a JavaScript test runner runs.
const EXTENSIONS: [&str; 3] = ["js", "mjs", "cjs"];

/// How deep folders are looked into.
const MAX_DEPTH: usize = 16;

/// Most test files that are taken.
const MAX_FILES: usize = 2000;

/// Test files below the folder, relative to it, sorted. As Node's runner and Jest find them: `*.test.js`, `*.spec.js`,
/// `*_test.js`, `*-test.js`, `test-*.js`, and scripts in a folder called `test`, `tests` or `__tests__`.
pub fn tests_in(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    walk(root, "", 0, false, &mut found);
    found.sort();
    found
}

fn walk(folder: &Path, prefix: &str, depth: usize, in_tests: bool, found: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let (Some(name), Ok(kind)) = (name.to_str(), entry.file_type()) else { continue };
        if name.starts_with('.') || found.len() >= MAX_FILES {
            continue;
        }
        let path = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") };
        if kind.is_dir() {
            if depth < MAX_DEPTH && !SKIPPED.contains(&name) {
                walk(&entry.path(), &path, depth + 1, in_tests || TEST_FOLDERS.contains(&name), found);
            }
        } else if kind.is_file() && is_test(name, in_tests) {
            found.push(path);
        }
    }
}

fn is_test(name: &str, in_tests: bool) -> bool {
    let Some((stem, extension)) = name.rsplit_once('.') else { return false };
    if !EXTENSIONS.contains(&extension) {
        return false;
    }
    let marked = [".test", ".spec", "_test", "-test"].iter().any(|end| stem.ends_with(end));
    // A helper in a test folder says so by its name.
    marked || stem.starts_with("test-") || stem == "test" || (in_tests && !is_helper(stem))
}

fn is_helper(stem: &str) -> bool {
    ["helper", "helpers", "setup", "teardown", "util", "utils", "mock", "mocks", "common", "fixture"]
        .iter()
        .any(|word| stem.split(['-', '_', '.']).any(|part| part.eq_ignore_ascii_case(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_found_as_runners_find_them_and_dependencies_are_left_out() {
        let root = tempfile::tempdir().unwrap();
        for path in [
            "index.js",
            "a.test.js",
            "src/b.spec.mjs",
            "src/contest.js",
            "functions/test/pricing.js",
            "functions/test/helpers.js",
            "functions/test/data.json",
            "src/__tests__/c.cjs",
            "node_modules/x/x.test.js",
            ".cache/d.test.js",
            "test-unit.js",
        ] {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        assert_eq!(
            tests_in(root.path()),
            ["a.test.js", "functions/test/pricing.js", "src/__tests__/c.cjs", "src/b.spec.mjs", "test-unit.js"]
        );
    }

    #[test]
    fn folders_are_looked_into_so_deep_and_no_more_tests_are_taken_than_so_many() {
        let root = tempfile::tempdir().unwrap();
        let mut folder = root.path().to_owned();
        for depth in 0..=MAX_DEPTH + 1 {
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join(format!("{depth:02}.test.js")), "").unwrap();
            folder.push("d");
        }
        let found = tests_in(root.path());
        let deepest = found.iter().filter_map(|path| path.rsplit('/').next()).max();
        assert_eq!((found.len(), deepest), (MAX_DEPTH + 1, Some("16.test.js")));
        let root = tempfile::tempdir().unwrap();
        for number in 0..=MAX_FILES {
            fs::write(root.path().join(format!("{number}.test.js")), "").unwrap();
        }
        assert_eq!(tests_in(root.path()).len(), MAX_FILES);
    }
}
