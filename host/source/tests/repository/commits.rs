//! A fix as one commit on a branch of its own.

use autodevops_source::{CommitRequest, Proposed, SourceError};

use crate::fixture::{Fixture, INDEX_JS, create, fix, modify, test_file};

fn request(change: &Proposed) -> CommitRequest<'_> {
    CommitRequest {
        change,
        branch: "autodevops/3f2a",
        message: "Guard a\n\nIt was undefined.",
        author: "AutoDevOps <autodevops@localhost>",
        at: 1_700_000_000,
    }
}

#[test]
fn a_fix_is_one_commit_on_a_branch_of_its_own_and_nothing_else_is_touched() {
    let fixture = Fixture::new();
    let base = fixture.head().unwrap().commit;
    // Its time is another, so that git would like to refresh the index.
    fixture.write("src/index.js", INDEX_JS);
    let before = fixture.snapshot();
    let repository = fixture.open();
    assert_eq!(repository.head().unwrap().commit, base);
    let change = repository.propose(&base, &[fix()], &[test_file()]).unwrap();
    let committed = repository.commit(&request(&change)).unwrap();
    assert_eq!(fixture.snapshot(), before);
    assert!([".git/index", ".git/HEAD"].iter().all(|path| before.contains_key(std::path::Path::new(path))));
    assert_eq!(fixture.git(&["rev-parse", "autodevops/3f2a"]), committed.commit.as_str());
    assert_eq!(fixture.git(&["rev-list", "main..autodevops/3f2a"]), committed.commit.as_str());
    assert_eq!(
        fixture.git(&["log", "-1", "--format=%an <%ae>|%cn|%at|%ct|%B", "autodevops/3f2a"]),
        "AutoDevOps <autodevops@localhost>|AutoDevOps|1700000000|1700000000|Guard a\n\nIt was undefined."
    );
    assert_eq!(fixture.git(&["status", "--porcelain"]), "");
    fixture.git(&["fsck", "--strict"]);
}

#[test]
fn a_repetition_after_a_crash_gives_the_same_commit() {
    let fixture = Fixture::new();
    let base = fixture.head().unwrap().commit;
    let commit = || {
        let repository = fixture.open();
        let change = repository.propose(&base, &[fix()], &[test_file()]).unwrap();
        repository.commit(&request(&change)).unwrap()
    };
    assert_eq!(commit(), commit());
    assert_eq!(fixture.git(&["reflog", "show", "--format=%h", "autodevops/3f2a"]).lines().count(), 1);
}

#[test]
fn a_branch_with_another_content_is_refused_and_left_as_it_is() {
    let fixture = Fixture::new();
    let base = fixture.head().unwrap().commit;
    fixture.git(&["checkout", "-q", "-b", "autodevops/3f2a"]);
    fixture.write("mine", "x");
    let mine = fixture.commit("Mine");
    fixture.git(&["checkout", "-q", "main"]);
    let repository = fixture.open();
    let change = repository.propose(&base, &[fix()], &[]).unwrap();
    let error = repository.commit(&request(&change)).unwrap_err().to_string();
    assert_eq!(
        error,
        format!(
            "the branch `autodevops/3f2a` is there already, at {mine}, with another content; look at it, then delete it with \
             `git branch -D autodevops/3f2a`, or merge it"
        )
    );
    assert_eq!(fixture.git(&["rev-parse", "autodevops/3f2a"]), mine.as_str());
}

#[test]
fn a_branch_that_was_merged_before_goes_forward() {
    let fixture = Fixture::new();
    let base = fixture.head().unwrap().commit;
    let repository = fixture.open();
    let first = repository.propose(&base, &[fix()], &[]).unwrap();
    let first = repository.commit(&request(&first)).unwrap();
    fixture.git(&["merge", "-q", "--ff-only", "autodevops/3f2a"]);
    let second = repository.propose(&first.commit, &[create("again.js", "x")], &[]).unwrap();
    let second = repository.commit(&request(&second)).unwrap();
    assert_eq!(fixture.git(&["rev-parse", "autodevops/3f2a"]), second.commit.as_str());
    assert_eq!(fixture.git(&["rev-parse", "autodevops/3f2a^"]), first.commit.as_str());
}

#[test]
fn a_fix_that_conflicts_with_what_is_checked_out_is_refused_with_the_files() {
    let fixture = Fixture::new();
    let base = fixture.head().unwrap().commit;
    fixture.write("src/index.js", "exports.a = 7;\nexports.b = 2;\n");
    fixture.commit("Another value");
    let before = fixture.snapshot();
    let repository = fixture.open();
    let change = repository.propose(&base, &[fix()], &[]).unwrap();
    let error = repository.commit(&request(&change)).unwrap_err();
    assert!(matches!(&error, SourceError::Conflict { paths, .. } if paths == &["src/index.js"]), "{error}");
    assert!(error.to_string().contains("does not merge into `main`: it conflicts in `src/index.js`"), "{error}");
    assert_eq!(fixture.snapshot(), before);
    assert_eq!(fixture.git(&["branch", "--list", "autodevops/*"]), "");
}

#[test]
fn a_fix_of_an_older_release_that_merges_is_taken() {
    let fixture = Fixture::new();
    let base = fixture.head().unwrap().commit;
    fixture.write("README.md", "# Another title\n");
    fixture.commit("Another file");
    let repository = fixture.open();
    let change = repository.propose(&base, &[fix()], &[]).unwrap();
    let committed = repository.commit(&request(&change)).unwrap();
    assert_eq!(fixture.git(&["rev-parse", "autodevops/3f2a^"]), base.as_str());
    assert_eq!(repository.merges(&base, &committed.commit).unwrap().branch, "main");
}

#[test]
fn names_that_git_does_not_take_are_refused() {
    let fixture = Fixture::new();
    let base = fixture.head().unwrap().commit;
    let repository = fixture.open();
    let change = repository.propose(&base, &[modify("src/index.js", INDEX_JS, 12, 13, "3")], &[]).unwrap();
    for branch in ["a..b", "a b", "-x", "a.lock", "", "../../HEAD"] {
        let result = repository.commit(&CommitRequest { branch, ..request(&change) });
        assert!(matches!(result, Err(SourceError::BranchName(_))), "{branch}");
    }
    for author in ["Nobody", "<a@b>", "A <>", "A <a@b> x", "A\nB <a@b>"] {
        let result = repository.commit(&CommitRequest { author, ..request(&change) });
        assert!(matches!(result, Err(SourceError::Author(_))), "{author}");
    }
}

#[test]
fn commits_that_changed_different_files_are_joined_and_the_same_way_again() {
    let fixture = Fixture::new();
    let author = "AutoDevOps <autodevops@localhost>";
    let start = fixture.at_head();
    fixture.write("cart/a.js", "a");
    let of_cart = fixture.commit("Cart");
    fixture.git(&["checkout", "-q", "-b", "aside", start.as_str()]);
    fixture.write("shop/b.js", "b");
    let of_shop = fixture.commit("Shop");
    let before = fixture.snapshot();
    let repository = fixture.open();
    let joined = repository.joined(&of_cart, &of_shop, author).unwrap();
    assert_eq!(fixture.open().joined(&of_cart, &of_shop, author).unwrap(), joined, "after a restart, too");
    assert_eq!(fixture.snapshot(), before, "no branch, and no file of the operator's");
    let files = fixture.git(&["ls-tree", "-r", "--name-only", joined.as_str()]);
    assert_eq!(files.lines().collect::<Vec<_>>(), ["README.md", "cart/a.js", "shop/b.js", "src/index.js"]);
    for part in [&start, &of_cart, &of_shop] {
        assert!(repository.is_part_of(part, &joined).unwrap());
    }
    // Where one has the other in its past there is nothing to join.
    for (one, other, wanted) in [(&start, &of_cart, &of_cart), (&of_shop, &start, &of_shop), (&start, &start, &start)] {
        assert_eq!(&repository.joined(one, other, author).unwrap(), wanted);
    }
    fixture.git(&["fsck", "--strict"]);
}

#[test]
fn commits_that_changed_one_file_in_two_ways_are_not_joined() {
    let fixture = Fixture::new();
    let start = fixture.at_head();
    fixture.write("README.md", "# Cart\n");
    let one = fixture.commit("One");
    fixture.git(&["checkout", "-q", "-b", "aside", start.as_str()]);
    fixture.write("README.md", "# Desk\n");
    let other = fixture.commit("Other");
    let error = fixture.open().joined(&one, &other, "AutoDevOps <autodevops@localhost>").unwrap_err();
    assert_eq!(error.to_string(), format!("{one} and {other} do not merge: they conflict in `README.md`"));
}
