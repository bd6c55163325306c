//! Changes undone.

use autodevops_source::{ChangeKind, CommitRequest, Committed, ObjectId, Repository, SourceError};

use crate::fixture::{Fixture, INDEX_JS};

const BRANCH: &str = "autodevops/revert-1";

fn revert(repository: &Repository, commit: &ObjectId, before: &ObjectId) -> Result<Committed, SourceError> {
    let change = repository.undo(commit, before)?;
    repository.commit(&CommitRequest {
        change: &change,
        branch: BRANCH,
        message: "Revert",
        author: "AutoDevOps <autodevops@localhost>",
        at: 1_790_000_000,
    })
}

#[test]
fn a_change_is_undone_on_a_branch_that_merges_and_what_came_after_it_stays() {
    let fixture = Fixture::new();
    let before = fixture.at_head();
    fixture.write("src/index.js", "exports.a = 3;\n");
    fixture.write("src/new.js", "new\n");
    std::fs::remove_file(fixture.path().join("README.md")).unwrap();
    let bad = fixture.commit("Bad");
    fixture.write("src/later.js", "later\n");
    let head = fixture.commit("Later");
    let repository = Repository::open(fixture.path()).unwrap();
    let change = repository.undo(&bad, &before).unwrap();
    let kinds: Vec<_> = change.changed.iter().map(|changed| (changed.path.as_str(), changed.kind)).collect();
    assert_eq!(
        kinds,
        [("README.md", ChangeKind::Added), ("src/index.js", ChangeKind::Modified), ("src/new.js", ChangeKind::Deleted)]
    );
    let made = revert(&repository, &bad, &before).unwrap();
    assert_eq!(revert(&repository, &bad, &before).unwrap(), made, "a repetition is the same commit");
    assert_eq!(fixture.at_head(), head, "the checkout is as it was");
    assert_eq!(fixture.git(&["status", "--porcelain"]), "");
    fixture.git(&["merge", "-q", "-m", "Merge", BRANCH]);
    assert_eq!(std::fs::read_to_string(fixture.path().join("src/index.js")).unwrap(), INDEX_JS);
    assert!(!fixture.path().join("src/new.js").exists());
    assert!(fixture.path().join("README.md").exists() && fixture.path().join("src/later.js").exists());
}

#[test]
fn a_change_that_others_build_upon_is_not_undone_and_no_branch_is_made() {
    let fixture = Fixture::new();
    let before = fixture.at_head();
    fixture.write("src/index.js", "exports.a = 3;\n");
    let bad = fixture.commit("Bad");
    fixture.write("src/index.js", "exports.a = 4;\n");
    fixture.commit("Upon it");
    let repository = Repository::open(fixture.path()).unwrap();
    let refused = revert(&repository, &bad, &before).unwrap_err();
    assert!(matches!(&refused, SourceError::Conflict { paths, .. } if paths == &["src/index.js"]), "{refused}");
    assert_eq!(fixture.git(&["branch", "--list", BRANCH]), "");
}

#[test]
fn what_was_never_merged_is_known_to_be_so_and_nothing_to_undo_is_refused() {
    let fixture = Fixture::new();
    let before = fixture.at_head();
    fixture.git(&["checkout", "-q", "-b", "side"]);
    fixture.write("src/index.js", "exports.a = 3;\n");
    let side = fixture.commit("Aside");
    fixture.git(&["checkout", "-q", "main"]);
    let repository = Repository::open(fixture.path()).unwrap();
    assert!(!repository.is_merged(&side).unwrap());
    assert!(repository.is_merged(&before).unwrap());
    assert!(matches!(repository.undo(&before, &before), Err(SourceError::NoChange)));
}

#[test]
fn a_file_that_took_the_place_of_a_folder_makes_room_for_it_again() {
    let fixture = Fixture::new();
    let before = fixture.at_head();
    std::fs::remove_dir_all(fixture.path().join("src")).unwrap();
    fixture.write("src", "a file\n");
    let bad = fixture.commit("Bad");
    let repository = Repository::open(fixture.path()).unwrap();
    revert(&repository, &bad, &before).unwrap();
    fixture.git(&["merge", "-q", BRANCH]);
    assert_eq!(std::fs::read_to_string(fixture.path().join("src/index.js")).unwrap(), INDEX_JS);
}
