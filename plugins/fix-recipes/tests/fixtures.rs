//! Every fixture: the issue is proposed for, the change is compared, and the test is run by a real Node before and after.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use autodevops_sdk::types::{FileChange, Fix, Issue, IssueKind, Proposal, Severity, StackFrame};
use serde::Deserialize;

/// What a fixture says about its issue.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    exception: Option<String>,
    message: String,
    /// Frames as `file:line:column`, innermost first; those in `node_modules` and `node:` are not the project's.
    stack: Vec<String>,
    /// Part of the reason, where nothing is to be proposed.
    none: Option<String>,
}

fn issue(told: &Told) -> Issue {
    let frames = told.stack.iter().map(|text| {
        let mut parts = text.rsplitn(3, ':');
        let column = parts.next().and_then(|part| part.parse().ok());
        let line = parts.next().and_then(|part| part.parse().ok()).unwrap_or(1);
        let file = parts.next().unwrap_or_default().to_owned();
        let own_code = !file.contains("node_modules") && !file.starts_with("node:");
        StackFrame { function: None, file, line, column: column.filter(|column| *column > 0), own_code }
    });
    Issue {
        exception: told.exception.clone(),
        message: told.message.clone(),
        stack: frames.collect(),
        ..Issue::new("ab12", IssueKind::Exception, Severity::Error, told.exception.clone().unwrap_or_default())
    }
}

fn files(folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut open = vec![folder.to_owned()];
    while let Some(at) = open.pop() {
        for entry in fs::read_dir(at).into_iter().flatten().flatten() {
            if entry.path().is_dir() {
                open.push(entry.path());
            } else {
                found.insert(entry.path().strip_prefix(folder).unwrap().to_owned());
            }
        }
    }
    found
}

fn copy(from: &Path, to: &Path) {
    for path in files(from) {
        let target = to.join(&path);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(from.join(&path), target).unwrap();
    }
}

/// Makes the change in a folder; panics where it touches what it does not name.
fn apply(fix: &Fix, folder: &Path) {
    for edit in &fix.edits {
        let FileChange::Modify(parts) = &edit.change else { panic!("{}: not a modification", edit.path) };
        let before = fs::read(folder.join(&edit.path)).unwrap();
        let mut after = Vec::new();
        let mut at = 0;
        for part in parts {
            let (start, end) = (usize::try_from(part.start).unwrap(), usize::try_from(part.end).unwrap());
            assert!(at <= start && start <= end && end <= before.len(), "{}: edits overlap", edit.path);
            after.extend_from_slice(&before[at..start]);
            after.extend_from_slice(part.replacement.as_bytes());
            at = end;
        }
        after.extend_from_slice(&before[at..]);
        fs::write(folder.join(&edit.path), after).unwrap();
    }
}

fn add_tests(fix: &Fix, folder: &Path) {
    for test in &fix.tests {
        let path = folder.join(&test.path);
        assert!(!path.exists(), "{} is there already", test.path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, &test.content).unwrap();
    }
}

/// Whether Node passes the tests; none when it is not installed.
fn node(folder: &Path, tests: &[String]) -> Option<(bool, String)> {
    let output =
        Command::new("node").arg("--test").args(tests).current_dir(folder).env_remove("NODE_OPTIONS").output().ok()?;
    Some((output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned()))
}

fn fixtures() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let only = std::env::var("FIXTURE").ok();
    let mut found: Vec<PathBuf> = fs::read_dir(root)
        .unwrap()
        .flatten()
        .flat_map(|recipe| fs::read_dir(recipe.path()).unwrap().flatten())
        .map(|case| case.path())
        .filter(|case| only.as_deref().is_none_or(|only| case.to_string_lossy().contains(only)))
        .collect();
    found.sort();
    found
}

/// What is wrong with a fixture; none when nothing is.
fn check(case: &Path, ran: &mut usize) -> Option<String> {
    let told: Told = serde_json::from_str(&fs::read_to_string(case.join("issue.json")).unwrap()).unwrap();
    let before = case.join("before");
    let proposal = fix_recipes::propose_in(&before, &issue(&told)).unwrap();
    let fix = match (proposal, &told.none) {
        (Proposal::None(why), Some(part)) => {
            return (!why.contains(part.as_str())).then(|| format!("the reason is: {why}"));
        }
        (Proposal::None(why), None) => return Some(format!("no fix: {why}")),
        (Proposal::Fix(fix), Some(_)) => return Some(format!("a fix, where there should be none: {}", fix.title)),
        (Proposal::Fix(fix), None) => fix,
    };
    if fix.tests.is_empty() || !(0.0..=1.0).contains(&fix.confidence) {
        return Some("no test, or a confidence that is none".into());
    }
    let folder = tempfile::tempdir().unwrap();
    copy(&before, folder.path());
    add_tests(&fix, folder.path());
    let tests: Vec<String> = fix.tests.iter().map(|test| test.path.clone()).collect();
    let text = fix.tests.iter().map(|test| test.content.as_str()).collect::<String>();
    if std::env::var("SHOW").is_ok() {
        println!("== {} ({:.2})\n{}\n{}\n{text}", case.display(), fix.confidence, fix.title, fix.root_cause);
    }
    let run_by_node = text.contains("node:test");
    let first = if run_by_node { node(folder.path(), &tests) } else { None };
    apply(&fix, folder.path());
    for edit in &fix.edits {
        let after = fs::read_to_string(folder.path().join(&edit.path)).unwrap();
        let expected = case.join("after").join(&edit.path);
        if std::env::var("UPDATE").is_ok() {
            fs::create_dir_all(expected.parent().unwrap()).unwrap();
            fs::write(&expected, &after).unwrap();
        }
        match fs::read_to_string(&expected) {
            Ok(expected) if expected == after => {}
            _ => return Some(format!("{} is changed to:\n{after}", edit.path)),
        }
    }
    if let Some((passed, output)) = first {
        if passed {
            return Some(format!("the test passes before the change:\n{text}\n{output}"));
        }
        let (passed, output) = node(folder.path(), &tests)?;
        if !passed {
            return Some(format!("the test fails after the change:\n{text}\n{output}"));
        }
        let own: Vec<String> = files(folder.path())
            .into_iter()
            .map(|path| path.to_string_lossy().into_owned())
            .filter(|path| (path.contains(".test.") || path.contains(".spec.")) && !path.contains("node_modules"))
            .filter(|path| !tests.contains(path))
            .filter(|path| fs::read_to_string(folder.path().join(path)).is_ok_and(|text| text.contains("node:test")))
            .collect();
        let (passed, output) = if own.is_empty() { (true, String::new()) } else { node(folder.path(), &own)? };
        if !passed {
            return Some(format!("the project's own tests fail after the change:\n{output}"));
        }
        *ran += 1;
    }
    None
}

#[test]
fn every_fixture_is_fixed_as_expected_by_a_test_that_fails_before_and_passes_after() {
    let all = fixtures();
    let next = AtomicUsize::new(0);
    // A process of Node for each test takes most of the time, so two of them at once.
    let work = || {
        let (mut wrong, mut ran) = (Vec::new(), 0);
        while let Some(case) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Some(what) = check(case, &mut ran) {
                wrong.push(format!("{}: {what}", case.display()));
            }
        }
        (wrong, ran)
    };
    let halves = thread::scope(|scope| [scope.spawn(work), scope.spawn(work)].map(|half| half.join().unwrap()));
    let ran: usize = halves.iter().map(|(_, ran)| ran).sum();
    let wrong: Vec<String> = halves.into_iter().flat_map(|(wrong, _)| wrong).collect();
    println!("{} fixtures, {ran} run by Node", all.len());
    if ran == 0 {
        println!("Node is not installed: no test was run before and after");
    }
    assert!(wrong.is_empty(), "{} of {} fixtures:\n{}", wrong.len(), all.len(), wrong.join("\n\n"));
}

#[test]
fn the_same_recipe_has_at_least_ten_fixtures() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    for recipe in fs::read_dir(root).unwrap().flatten().filter(|recipe| recipe.file_name() != "none") {
        let count = fs::read_dir(recipe.path()).unwrap().count();
        assert!(count >= 10, "{} has {count}", recipe.path().display());
    }
}
