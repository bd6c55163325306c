//! Which changes are taken, and which are refused.

use std::{fs, os::unix::fs::symlink};

use autodevops_model::{Edit, FileChange, TestFile, TextEdit};
use autodevops_source::{ChangeKind, Repository};
use proptest::prelude::*;

use crate::fixture::{Fixture, INDEX_JS, by_hand, create, delete, fix, modify, sha256, test_file};

fn refused(edits: &[Edit], tests: &[TestFile]) -> String {
    let fixture = Fixture::new();
    symlink("src", fixture.path().join("link")).unwrap();
    let commit = fixture.commit("A link");
    let before = fixture.snapshot();
    let error = fixture.open().propose(&commit, edits, tests).unwrap_err().to_string();
    assert_eq!(fixture.snapshot(), before);
    error
}

#[test]
fn a_change_is_a_tree_that_can_be_looked_at_before_it_is_committed() {
    let fixture = Fixture::new();
    let base = fixture.head().unwrap().commit;
    let before = fixture.snapshot();
    let repository = fixture.open();
    let edits = [fix(), create("src/new.js", "new\n"), delete("README.md", "# Shop\n")];
    let change = repository.propose(&base, &edits, &[test_file()]).unwrap();
    let changed: Vec<_> = change.changed.iter().map(|changed| (changed.path.as_str(), changed.kind)).collect();
    assert_eq!(
        changed,
        [
            ("README.md", ChangeKind::Deleted),
            ("src/index.js", ChangeKind::Modified),
            ("src/new.js", ChangeKind::Added),
            ("test/fix.test.js", ChangeKind::Added),
        ]
    );
    let into = tempfile::tempdir().unwrap();
    repository.export(&change.tree, into.path()).unwrap();
    assert_eq!(fs::read_to_string(into.path().join("src/index.js")).unwrap(), "exports.a = 3;\nexports.b = 2;\n");
    assert!(!into.path().join("README.md").exists());
    let diff = repository.diff(&change).unwrap();
    assert!(diff.contains("-exports.a = 1;\n+exports.a = 3;"), "{diff}");
    assert_eq!(fixture.snapshot(), before);
    assert_eq!(repository.propose(&base, &edits, &[test_file()]).unwrap(), change);
}

#[test]
fn a_project_in_a_folder_is_changed_there() {
    let fixture = Fixture::new();
    let base = fixture.head().unwrap().commit;
    let repository = Repository::open(&fixture.path().join("src")).unwrap();
    let change = repository.propose(&base, &[modify("index.js", INDEX_JS, 12, 13, "3")], &[]).unwrap();
    assert_eq!(change.changed[0].path, "index.js");
    let whole = tempfile::tempdir().unwrap();
    fixture.open().export(&change.tree, whole.path()).unwrap();
    assert!(fs::read_to_string(whole.path().join("src/index.js")).unwrap().contains("a = 3"));
    assert!(repository.diff(&change).unwrap().contains("+++ b/index.js"));
}

#[test]
fn an_executable_stays_one() {
    let fixture = Fixture::new();
    fixture.write("run.sh", "a\n");
    fixture.git(&["add", "run.sh"]);
    fixture.git(&["update-index", "--chmod=+x", "run.sh"]);
    fixture.git(&["commit", "-q", "-m", "A script"]);
    let base = fixture.git(&["rev-parse", "HEAD"]).parse().unwrap();
    let change = fixture.open().propose(&base, &[modify("run.sh", "a\n", 0, 1, "b")], &[]).unwrap();
    assert!(fixture.git(&["ls-tree", change.tree.as_str(), "run.sh"]).starts_with("100755 "));
}

#[test]
fn paths_that_leave_the_project_are_refused() {
    for (path, text) in [
        ("/etc/passwd", "is absolute"),
        ("../x", "has the part \"..\""),
        ("src/../../x", "has the part \"..\""),
        (".git/hooks/pre-commit", "is inside `.git`"),
        ("", "is empty"),
    ] {
        assert!(refused(&[create(path, "x")], &[]).contains(text), "{path}");
        let test = TestFile { path: path.into(), content: String::new() };
        assert!(refused(&[], &[test]).contains(text), "{path}");
    }
}

#[test]
fn a_path_through_a_link_or_a_file_is_refused() {
    assert_eq!(
        refused(&[create("link/new.js", "x")], &[]),
        "the change of `link/new.js` is refused: `link` is a symbolic link; name the file itself"
    );
    assert_eq!(
        refused(&[modify("link", "src", 0, 1, "x")], &[]),
        "the change of `link` is refused: `link` is a symbolic link; name the file itself"
    );
    assert!(refused(&[create("README.md/x", "x")], &[]).contains("`README.md` on its way is not a folder"));
    assert!(refused(&[create("src", "x")], &[]).contains("it is a folder"));
    assert!(refused(&[create("a", "x"), create("a/b", "x")], &[]).contains("`a` on its way is not a folder"));
}

#[test]
fn an_edit_of_another_base_is_refused() {
    let error = refused(&[modify("src/index.js", "other", 0, 1, "x")], &[]);
    assert!(error.contains("the file has changed since the edit was made"), "{error}");
    assert!(refused(&[delete("README.md", "other")], &[]).contains("has changed since"));
    let mut without = fix();
    without.base_sha256 = None;
    assert!(refused(&[without], &[]).contains("lacks the SHA-256"));
    let mut needless = create("new.js", "x");
    needless.base_sha256 = Some(sha256("x"));
    assert!(refused(&[needless], &[]).contains("yet has the SHA-256"));
}

#[test]
fn edits_that_do_not_fit_are_refused() {
    let edits = |edits: &[(u64, u64)]| Edit {
        path: "src/index.js".into(),
        base_sha256: Some(sha256(INDEX_JS)),
        change: FileChange::Modify(
            edits.iter().map(|&(start, end)| TextEdit { start, end, replacement: "x".into() }).collect(),
        ),
    };
    assert!(refused(&[edits(&[(0, 5), (3, 8)])], &[]).contains("two edits overlap at byte 3"));
    assert!(refused(&[edits(&[(0, 5000)])], &[]).contains("does not fit a file of 30 bytes"));
    assert!(refused(&[fix(), fix()], &[]).contains("it is changed twice"));
    let same = TestFile { path: "src/index.js".into(), content: "x".into() };
    assert!(refused(&[fix()], &[same]).contains("it is changed twice"));
}

#[test]
fn what_exists_is_not_made_and_what_does_not_is_not_changed() {
    assert!(refused(&[create("README.md", "x")], &[]).contains("it is to be made, and exists already"));
    assert!(refused(&[modify("gone.js", "x", 0, 1, "y")], &[]).contains("it is not there"));
    assert!(refused(&[delete("gone.js", "x")], &[]).contains("it is not there"));
    let weaker = TestFile { path: "README.md".into(), content: "weaker".into() };
    assert!(refused(&[], &[weaker]).contains("exists already"));
}

#[test]
fn a_change_that_changes_nothing_is_refused() {
    let same = TestFile { path: "README.md".into(), content: "# Shop\n".into() };
    assert_eq!(refused(&[], &[same]), "the change changes nothing");
    assert_eq!(refused(&[modify("src/index.js", INDEX_JS, 12, 13, "1")], &[]), "the change changes nothing");
}

#[test]
fn a_change_that_is_too_large_is_refused() {
    let large = "x".repeat(5 << 20);
    let error = refused(&[create("a", &large), create("b", &large)], &[]);
    assert_eq!(error, "the change has 10485760 bytes in the files it writes, at most 8388608 are taken");
    let many: Vec<Edit> = (0..201).map(|index| create(&format!("f{index}"), "")).collect();
    assert_eq!(refused(&many, &[]), "the change has 201 files, at most 200 are taken");
}

#[test]
fn a_submodule_is_not_changed() {
    let fixture = Fixture::new();
    let id = fixture.git(&["rev-parse", "HEAD"]);
    let base = by_hand(&fixture, &[("160000", &id, "vendor")]);
    for path in ["vendor", "vendor/x"] {
        let error = fixture.open().propose(&base, &[create(path, "x")], &[]).unwrap_err().to_string();
        assert!(error.starts_with("`vendor` is a submodule"), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_proposed_is_what_is_exported(
        start in 0usize..=INDEX_JS.len(), length in 0usize..10, replacement in "[a-zäß\\n]{0,8}", content in "\\PC{0,20}"
    ) {
        let end = (start + length).min(INDEX_JS.len());
        let expected = format!("{}{replacement}{}", &INDEX_JS[..start], &INDEX_JS[end..]);
        let fixture = Fixture::new();
        let base = fixture.head().unwrap().commit;
        let edits = [modify("src/index.js", INDEX_JS, start as u64, end as u64, &replacement), create("ä/b c", &content)];
        let repository = fixture.open();
        let change = repository.propose(&base, &edits, &[]).unwrap();
        let into = tempfile::tempdir().unwrap();
        repository.export(&change.tree, into.path()).unwrap();
        prop_assert_eq!(fs::read_to_string(into.path().join("src/index.js")).unwrap(), expected);
        prop_assert_eq!(fs::read_to_string(into.path().join("ä/b c")).unwrap(), content);
        prop_assert_eq!(fs::read_to_string(into.path().join("README.md")).unwrap(), "# Shop\n");
    }
}
