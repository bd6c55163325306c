//! Where a repository stands, and when that is refused.

use std::{fs, os::unix::fs::PermissionsExt};

use autodevops_source::{Repository, SourceError};

use crate::fixture::Fixture;

#[test]
fn a_clean_project_is_at_its_branch_and_commit() {
    let fixture = Fixture::new();
    let head = fixture.head().unwrap();
    assert_eq!((head.branch.as_str(), head.commit.as_str()), ("main", fixture.git(&["rev-parse", "HEAD"]).as_str()));
    assert_eq!(fixture.open().commit_of(head.commit.as_str()).unwrap(), head.commit);
}

#[test]
fn a_commit_says_when_it_was_made() {
    let fixture = Fixture::new();
    let head = fixture.head().unwrap().commit;
    let told: i64 = fixture.git(&["log", "-1", "--format=%ct"]).parse().unwrap();
    assert_eq!(fixture.open().committed_at(&head).unwrap(), told);
    assert!(fixture.open().committed_at(&"1".repeat(40).parse().unwrap()).is_err());
}

#[test]
fn a_dirty_project_is_refused_with_its_first_paths() {
    let fixture = Fixture::new();
    fixture.write("src/index.js", "changed\n");
    fixture.write("new/file.js", "new\n");
    let error = fixture.head().unwrap_err().to_string();
    assert_eq!(
        error,
        "the project has changes that are not committed: `src/index.js`, `new/file.js`; commit or stash them first"
    );
    for index in 0..10 {
        fixture.write(&format!("many/{index}"), "x");
    }
    let error = fixture.head().unwrap_err().to_string();
    assert!(error.contains("and 7 more; commit or stash them"), "{error}");
}

#[test]
fn a_staged_change_is_a_change() {
    let fixture = Fixture::new();
    fixture.write("README.md", "staged\n");
    fixture.git(&["add", "README.md"]);
    fixture.write("README.md", "# Shop\n");
    assert!(matches!(fixture.head(), Err(SourceError::Dirty(_))));
}

#[test]
fn ignored_files_and_the_state_folder_are_no_change() {
    let fixture = Fixture::new();
    fixture.write(".gitignore", "*.log\n");
    fixture.commit("Ignore logs");
    fixture.write("app.log", "x");
    fixture.write(".autodevops/journal.db", "x");
    assert!(matches!(fixture.head(), Err(SourceError::Dirty(paths)) if paths == [".autodevops/journal.db"]));
    fixture.open().without(".autodevops".as_ref()).head().unwrap();
}

#[test]
fn a_project_in_a_folder_is_clean_whatever_is_beside_it() {
    let fixture = Fixture::new();
    fixture.write("README.md", "changed\n");
    let project = Repository::open(&fixture.path().join("src")).unwrap();
    project.head().unwrap();
    fixture.write("src/index.js", "changed\n");
    assert!(matches!(project.head(), Err(SourceError::Dirty(paths)) if paths == ["src/index.js"]));
}

#[test]
fn a_detached_head_is_refused() {
    let fixture = Fixture::new();
    fixture.git(&["checkout", "-q", "--detach"]);
    let error = fixture.head().unwrap_err().to_string();
    assert!(error.starts_with("HEAD is detached at ") && error.ends_with("; check out a branch first"), "{error}");
}

#[test]
fn a_repository_with_no_commit_is_refused() {
    let error = Fixture::empty().head().unwrap_err().to_string();
    assert_eq!(error, "the branch `main` has no commit; commit the project first");
}

#[test]
fn a_bare_repository_and_a_folder_in_none_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let error = Repository::open(folder.path()).unwrap_err();
    assert!(error.to_string().contains("is not in a git repository; make one with `git init`"), "{error}");
    let fixture = Fixture::new();
    fixture.git(&["clone", "-q", "--bare", ".", "bare.git"]);
    let error = Repository::open(&fixture.path().join("bare.git")).unwrap_err();
    assert!(error.to_string().contains("is bare"), "{error}");
    assert!(matches!(Repository::open(&fixture.path().join(".git")), Err(SourceError::Bare(_))));
}

#[test]
fn an_unknown_commit_is_refused() {
    let repository = Fixture::new().folder;
    let repository = Repository::open(repository.path()).unwrap();
    for name in ["1234567890123456789012345678901234567890", "HEAD", "--all", ""] {
        assert!(matches!(repository.commit_of(name), Err(SourceError::NoCommit(_))), "{name}");
    }
}

#[test]
fn nothing_that_the_repositorys_configuration_names_is_run() {
    let fixture = Fixture::new();
    let trap = fixture.path().join(".git/trap");
    let script = fixture.path().join(".git/script");
    fs::write(&script, format!("#!/bin/sh\ntouch {}\ncat\n", trap.display())).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    fixture.write(".gitattributes", "* filter=evil diff=evil merge=evil\n");
    fixture.git(&["add", "-A"]);
    fixture.git(&["commit", "-q", "-m", "Attributes"]);
    let hooks = fixture.path().join(".git/hooks");
    fs::create_dir_all(&hooks).unwrap();
    for hook in ["reference-transaction", "post-index-change", "pre-commit", "post-checkout"] {
        fs::copy(&script, hooks.join(hook)).unwrap();
    }
    let script = script.to_str().unwrap();
    for key in [
        "core.fsmonitor",
        "filter.evil.clean",
        "filter.evil.smudge",
        "filter.evil.process",
        "diff.evil.command",
        "diff.evil.textconv",
        "diff.external",
        "merge.evil.driver",
        "gpg.program",
        "core.pager",
    ] {
        fixture.git(&["config", key, script]);
    }
    fixture.git(&["config", "filter.evil.required", "true"]);
    fixture.git(&["config", "commit.gpgSign", "true"]);
    let _ = fs::remove_file(&trap);
    let repository = fixture.open();
    // Its time is another, so that git must compare the content.
    fixture.write("src/index.js", crate::fixture::INDEX_JS);
    let head = repository.head().unwrap();
    let change = repository.propose(&head.commit, &[crate::fixture::fix()], &[]).unwrap();
    repository.diff(&change).unwrap();
    repository.export(&change.tree, &fixture.path().join(".git/out")).unwrap();
    let request = autodevops_source::CommitRequest {
        change: &change,
        branch: "autodevops/x",
        message: "Fix",
        author: "A <a@b>",
        at: 0,
    };
    repository.commit(&request).unwrap();
    assert!(!trap.exists(), "a command of the repository's configuration was run");
    // It may fail over what the script answers.
    let _ = std::process::Command::new("git").current_dir(fixture.path()).arg("status").output().unwrap();
    assert!(trap.exists(), "the trap works");
}

#[test]
fn what_lies_between_two_commits_is_known() {
    let fixture = Fixture::new();
    let first = fixture.head().unwrap().commit;
    fixture.write("services/cart/index.js", "1\n");
    fixture.write("README.md", "# Carts\n");
    let second = fixture.commit("A cart");
    let repository = fixture.open();
    assert_eq!(repository.changed_between(&first, &second).unwrap(), ["README.md", "services/cart/index.js"]);
    assert_eq!(repository.changed_between(&second, &second).unwrap(), [""; 0]);
    assert!(repository.is_part_of(&first, &second).unwrap() && repository.is_part_of(&first, &first).unwrap());
    assert!(!repository.is_part_of(&second, &first).unwrap());
    assert!(repository.changed_between(&first, &"1".repeat(40).parse().unwrap()).is_err());
}
