use change::Content;

use super::*;

fn scan_file(path: &str, before: &str, after: &str) -> Vec<(&'static str, u32, String)> {
    let text = |text: &str| (!text.is_empty()).then(|| Content::Text(text.to_owned()));
    let file = File { path: path.into(), before: text(before), after: text(after) };
    scan(&file, &file.lines()).into_iter().map(|found| (found.rule, found.line, found.message)).collect()
}

/// Rules and lines.
fn rules(path: &str, before: &str, after: &str) -> Vec<(&'static str, u32)> {
    scan_file(path, before, after).into_iter().map(|(rule, line, _)| (rule, line)).collect()
}

const PACKAGE: &str = r#"{
  "name": "shop",
  "scripts": { "test": "node --test" },
  "dependencies": {
    "express": "^4.18.0"
  }
}
"#;

#[test]
fn a_new_package_of_npm_is_told_with_its_line() {
    let after = PACKAGE.replace("\"^4.18.0\"", "\"^4.18.0\",\n    \"left-pad\": \"^1.3.0\"");
    let found = scan_file("functions/package.json", PACKAGE, &after);
    assert_eq!(found, [("new-dependency", 6, "`left-pad` is a new dependency".into())]);
}

#[test]
fn another_version_of_the_same_package_is_no_new_dependency() {
    assert_eq!(rules("package.json", PACKAGE, &PACKAGE.replace("^4.18.0", "^4.19.2")), []);
    assert_eq!(rules("package.json", PACKAGE, &PACKAGE.replace("shop", "store")), []);
}

#[test]
fn a_package_from_an_address_is_told_whether_new_or_not() {
    for source in [
        "git+https://github.com/a/b.git",
        "https://a.example/b.tgz",
        "http://a.example/b.tgz",
        "github:a/b",
        "a/b#main",
        "git@github.com:a/b.git",
    ] {
        assert_eq!(
            rules("package.json", PACKAGE, &PACKAGE.replace("^4.18.0", source)),
            [("dependency-source", 5)],
            "{source}"
        );
    }
    assert_eq!(rules("package.json", PACKAGE, &PACKAGE.replace("^4.18.0", "npm:evil@1")), [("new-dependency", 5)]);
    assert_eq!(rules("package.json", PACKAGE, &PACKAGE.replace("^4.18.0", ">=4 <6")), []);
}

#[test]
fn a_script_that_npm_runs_by_itself_is_told_without_its_text() {
    let after = PACKAGE.replace("\"test\":", "\"postinstall\": \"node steal.js --to evil\", \"test\":");
    let found = scan_file("package.json", PACKAGE, &after);
    assert_eq!((found[0].0, found[0].1), ("install-script", 3));
    assert!(found[0].2.contains("postinstall") && !found[0].2.contains("evil"), "{}", found[0].2);
    assert_eq!(rules("package.json", &after, &after.replace("\"shop\"", "\"s\"")), []);
    assert_eq!(rules("package.json", PACKAGE, &PACKAGE.replace("\"test\":", "\"lint\": \"x\", \"test\":")), []);
}

#[test]
fn a_manifest_that_is_no_json_is_told() {
    assert_eq!(rules("package.json", PACKAGE, "{"), [("unreadable-manifest", 1)]);
}

#[test]
fn a_lockfile_that_changes_is_told_and_packages_from_elsewhere_too() {
    let before = "{\n  \"resolved\": \"https://registry.example/a/-/a-1.0.0.tgz\"\n}\n";
    assert_eq!(rules("package-lock.json", before, &before.replace("1.0.0", "1.0.1")), [("lockfile-changed", 2)]);
    let elsewhere = before.replace("https://registry.example/a/-/a-1.0.0.tgz", "git+ssh://git@github.com/a/a.git#0a1b");
    assert_eq!(rules("package-lock.json", before, &elsewhere), [("lockfile-changed", 2), ("dependency-source", 2)]);
    assert_eq!(rules("yarn.lock", before, before), []);
}

#[test]
fn crates_are_compared_in_every_table() {
    let before = "[package]\nname = \"a\"\n\n[dependencies]\nserde = \"1\"\n";
    let after = "[package]\nname = \"a\"\n\n[dependencies]\nserde = \"1.0.200\"\nrand = { version = \"0.9\" }\n\n[target.'cfg(unix)'.dependencies]\nlibc = \"0.2\"\n\n[dev-dependencies.foo]\ngit = \"https://github.com/a/foo\"\n";
    let found = scan_file("Cargo.toml", before, after);
    let names: Vec<_> =
        found.iter().map(|(rule, line, message)| (*rule, *line, message.split('`').nth(1).unwrap())).collect();
    assert_eq!(names, [("dependency-source", 11, "foo"), ("new-dependency", 9, "libc"), ("new-dependency", 6, "rand")]);
}

#[test]
fn requirements_are_compared_by_name() {
    let before = "flask==3.0.0\n# a note\n";
    let after = "flask==3.0.3\n# a note\nrequests>=2 # http\nevil @ https://a.example/evil.zip\ngit+https://github.com/a/b#egg=b\n--extra-index-url https://pypi.a.example/\n";
    assert_eq!(
        rules("requirements-dev.txt", before, after),
        [("dependency-source", 4), ("dependency-source", 5), ("new-dependency", 3), ("dependency-source", 6)]
    );
}

#[test]
fn projects_of_python_are_compared_by_name() {
    let before = "[project]\ndependencies = [\"flask>=3\"]\n";
    let after = "[project]\ndependencies = [\n  \"flask>=3.1\",\n  \"requests[socks]>=2\",\n]\n[tool.poetry.dependencies]\npython = \"^3.12\"\nfoo = { git = \"https://github.com/a/foo\" }\n";
    assert_eq!(rules("pyproject.toml", before, after), [("dependency-source", 8), ("new-dependency", 4)]);
}

#[test]
fn modules_of_go_are_compared_by_name() {
    let before = "module a\n\nrequire github.com/x/y v1.0.0\n";
    let after = "module a\n\nrequire (\n\tgithub.com/x/y v1.1.0\n\tgithub.com/z/w v0.1.0 // indirect\n)\nreplace github.com/x/y => github.com/evil/y v1.0.0\n";
    assert_eq!(rules("go.mod", before, after), [("dependency-source", 4), ("new-dependency", 5)]);
}

#[test]
fn another_registry_is_told() {
    assert_eq!(rules(".npmrc", "", "# registry\nregistry=https://npm.evil.example/\n"), [("dependency-source", 2)]);
}

#[test]
fn files_that_say_nothing_of_dependencies_are_left_alone() {
    assert_eq!(rules("src/package.js", "", "x"), []);
    assert_eq!(rules("package.json", PACKAGE, ""), []);
}
