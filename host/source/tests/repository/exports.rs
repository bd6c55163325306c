//! A commit's files as plain files.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
};

use autodevops_source::{Repository, SourceError};

use crate::fixture::{Fixture, blob, by_hand};

#[test]
fn a_commits_files_are_written_as_git_holds_them() {
    let fixture = Fixture::new();
    fixture.write(".gitattributes", "* text eol=crlf\n*.js export-ignore ident\n");
    fixture.write("src/id.js", "// $Id$\n");
    fixture.write("empty", "");
    fixture.write("data.bin", b"\0\xff\n\r\n\n");
    fixture.write("run.sh", "#!/bin/sh\n");
    fs::set_permissions(fixture.path().join("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    symlink("src/index.js", fixture.path().join("link")).unwrap();
    let commit = fixture.commit("Various");
    let into = tempfile::tempdir().unwrap();
    let before = fixture.snapshot();
    fixture.open().export(&commit, into.path()).unwrap();
    let read = |path: &str| fs::read(into.path().join(path)).unwrap();
    assert_eq!(read("src/id.js"), b"// $Id$\n");
    assert_eq!(read("src/index.js"), crate::fixture::INDEX_JS.as_bytes());
    assert_eq!(read("empty"), b"");
    assert_eq!(read("link"), read("src/index.js"));
    assert_eq!(fs::metadata(into.path().join("run.sh")).unwrap().permissions().mode() & 0o777, 0o755);
    assert!(!into.path().join(".git").exists());
    assert_eq!(fixture.snapshot(), before);
}

#[test]
fn a_project_in_a_folder_is_exported_alone() {
    let fixture = Fixture::new();
    let commit = fixture.head().unwrap().commit;
    let into = tempfile::tempdir().unwrap();
    Repository::open(&fixture.path().join("src")).unwrap().export(&commit, into.path()).unwrap();
    let names: Vec<_> = fs::read_dir(into.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["index.js"]);
    fixture.write("later/x", "x");
    let later = fixture.path().join("later");
    fixture.commit("A folder of later");
    let error = Repository::open(&later).unwrap().export(&commit, &into.path().join("new")).unwrap_err();
    assert_eq!(error.to_string(), format!("commit {commit} has no folder `later`"));
}

#[test]
fn a_link_out_of_the_project_is_refused_before_anything_is_written() {
    for target in ["/etc/passwd", "../outside", "src/../../outside"] {
        let fixture = Fixture::new();
        symlink(target, fixture.path().join("link")).unwrap();
        let commit = fixture.commit("A link");
        let into = tempfile::tempdir().unwrap();
        let error = fixture.open().export(&commit, into.path()).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("`link` is a symbolic link to {target:?}, which is outside the project; replace it by a file")
        );
        assert_eq!(fs::read_dir(into.path()).unwrap().count(), 0);
    }
}

#[test]
fn a_link_that_stays_in_the_repository_but_leaves_the_project_is_refused() {
    let fixture = Fixture::new();
    symlink("../README.md", fixture.path().join("src/link")).unwrap();
    let commit = fixture.commit("A link");
    let into = tempfile::tempdir().unwrap();
    let project = Repository::open(&fixture.path().join("src")).unwrap();
    assert!(matches!(project.export(&commit, into.path()), Err(SourceError::LinkOut { .. })));
}

#[test]
fn a_submodule_is_refused() {
    let fixture = Fixture::new();
    let id = fixture.git(&["rev-parse", "HEAD"]);
    let commit = by_hand(&fixture, &[("160000", &id, "vendor")]);
    let into = tempfile::tempdir().unwrap();
    let error = fixture.open().export(&commit, into.path()).unwrap_err();
    assert!(error.to_string().starts_with("`vendor` is a submodule"), "{error}");
}

#[test]
fn a_tree_made_by_hand_cannot_write_outside() {
    let fixture = Fixture::new();
    let id = blob(&fixture, "evil");
    for name in ["..", ".", ".git", ".GIT"] {
        let commit = by_hand(&fixture, &[("100644", &id, name)]);
        let into = tempfile::tempdir().unwrap();
        assert!(fixture.open().export(&commit, &into.path().join("in")).is_err(), "{name}");
        assert_eq!(fs::read_dir(into.path()).unwrap().count(), 0);
    }
}

#[test]
fn a_folder_that_is_not_empty_is_refused() {
    let fixture = Fixture::new();
    let commit = fixture.head().unwrap().commit;
    let into = tempfile::tempdir().unwrap();
    fs::write(into.path().join("x"), "x").unwrap();
    assert!(fixture.open().export(&commit, into.path()).is_err());
}
