//! Rotation in all its forms, at any time.

use std::os::unix::fs::MetadataExt;

use proptest::prelude::*;

use super::*;

impl Folder {
    /// The name for a rotated file: `app.log.1`, after each older one got the next number; or with a date.
    fn make_room_for_rotated(&self, rotations: usize, numbered: bool) -> String {
        if !numbered {
            return format!("app.log-{:08}", 20_260_000 + rotations);
        }
        for n in (1..rotations).rev() {
            self.rotate(&format!("app.log.{n}"), &format!("app.log.{}", n + 1));
        }
        "app.log.1".to_owned()
    }

    fn is_read_now(&self, follower: &Follower) -> bool {
        let inode = fs::metadata(self.path("app.log")).map(|metadata| metadata.ino()).ok();
        follower.state().sources.values().any(|position| position.offset > 0 && Some(position.identity.inode) == inode)
    }
}

#[test]
fn a_rotated_file_is_read_to_its_end_before_the_new_one() {
    let (folder, mut follower) = Folder::followed(&["app.log"], "1\n");
    folder.add("app.log", "2\n");
    folder.rotate("app.log", "app.log.1");
    folder.add("app.log", "4\n");
    assert_eq!(follower.poll(BUDGET).unwrap()[0].bytes, b"2\n");
    // The writer has not opened the new file yet.
    folder.add("app.log.1", "3\n");
    assert_eq!(read(&mut follower), "3\n4\n");
    folder.add("app.log", "5\n");
    assert_eq!(read(&mut follower), "5\n");
}

#[test]
fn a_file_that_is_renamed_is_read_on_while_no_other_takes_its_name() {
    let (folder, mut follower) = Folder::followed(&["app.log"], "1\n");
    folder.rotate("app.log", "app.log.1");
    folder.add("app.log.1", "2\n");
    assert_eq!(read(&mut follower), "2\n");
    folder.rotate("app.log.1", "app.log");
    folder.add("app.log", "3\n");
    assert_eq!(read(&mut follower), "3\n");
}

#[test]
fn two_rotations_between_polls_lose_nothing() {
    for steps in [[".1", ".2"], ["-20261123", "-20261124"]] {
        let folder = Folder::new();
        folder.add("app.log.3", "ancient\n");
        folder.add("app.log", "1\n");
        let mut follower = folder.follow(&["app.log"]);
        assert_eq!(read(&mut follower), "1\n");
        folder.add("app.log", "2\n");
        // Numbers are passed on to the next older file; dates stay.
        let [first, second] = if steps[0] == ".1" { [".2", ".1"] } else { steps };
        folder.rotate("app.log", &format!("app.log{first}"));
        folder.add("app.log", "3\n");
        folder.rotate("app.log", &format!("app.log{second}"));
        folder.add("app.log", "4\n");
        assert_eq!(read(&mut follower), "2\n3\n4\n", "{steps:?}");
        assert_eq!(read(&mut follower), "");
    }
}

#[test]
fn rotations_while_nothing_follows_lose_nothing() {
    let (folder, follower) = Folder::followed(&["app.log"], "1\n");
    let saved = serde_json::to_vec(&follower.state()).unwrap();
    folder.add("app.log", "2\n");
    folder.rotate("app.log", "app.log.2");
    folder.add("app.log.1", "3\n");
    folder.add("app.log", "4\n");
    drop(follower);
    let state = serde_json::from_slice(&saved).unwrap();
    let mut follower = Follower::resume(&folder.paths(&["app.log"]), state).unwrap();
    assert_eq!(read(&mut follower), "2\n3\n4\n");
}

#[test]
fn a_log_that_lost_its_old_file_is_read_from_its_beginning() {
    let folder = Folder::new();
    folder.add("app.log", "1\n");
    let mut follower = folder.follow(&["app.log"]).with_start(Start::End);
    assert_eq!(read(&mut follower), "");
    let saved = follower.state();
    drop(follower);
    fs::remove_file(folder.path("app.log")).unwrap();
    folder.add("app.log", "2\n");
    let follower = Follower::resume(&folder.paths(&["app.log"]), saved).unwrap();
    assert_eq!(read(&mut follower.with_start(Start::End)), "2\n");
}

#[test]
fn a_file_that_was_truncated_is_read_from_its_beginning() {
    let (folder, mut follower) = Folder::followed(&["app.log"], "one\ntwo\n");
    File::create(folder.path("app.log")).unwrap();
    folder.add("app.log", "3\n");
    assert_eq!(read(&mut follower), "3\n");
}

#[test]
fn a_file_that_was_truncated_and_has_grown_beyond_where_it_was_read_to_is_noticed() {
    let (folder, mut follower) = Folder::followed(&["app.log"], "one\n");
    File::create(folder.path("app.log")).unwrap();
    folder.add("app.log", "another, and longer\n");
    assert_eq!(read(&mut follower), "another, and longer\n");
    let mut follower = folder.restart(follower, &["app.log"]);
    File::create(folder.path("app.log")).unwrap();
    folder.add("app.log", "a third one, which is longer still\n");
    assert_eq!(read(&mut follower), "a third one, which is longer still\n");
}

#[test]
fn what_was_written_before_a_truncation_is_read_from_the_copy() {
    let (folder, mut follower) = Folder::followed(&["app.log"], "one\n");
    folder.add("app.log", "two\n");
    fs::copy(folder.path("app.log"), folder.path("app.log.1")).unwrap();
    File::create(folder.path("app.log")).unwrap();
    folder.add("app.log", "3\n");
    assert_eq!(read(&mut follower), "two\n3\n");
    assert_eq!(read(&mut folder.restart(follower, &["app.log"])), "");
}

#[test]
fn the_last_line_of_a_file_does_not_run_into_the_next_files_first() {
    let (folder, mut follower) = Folder::followed(&["app.log"], "cut of");
    folder.rotate("app.log", "app.log.1");
    folder.add("app.log", "");
    assert_eq!(read(&mut follower), "");
    let mut follower = folder.restart(follower, &["app.log"]);
    folder.add("app.log", "next");
    assert_eq!(read(&mut follower), "\nnext");
    File::create(folder.path("app.log")).unwrap();
    folder.add("app.log", "3\n");
    assert_eq!(read(&mut follower), "\n3\n");
}

#[test]
fn a_link_that_is_turned_to_another_file_is_a_rotation() {
    let folder = Folder::new();
    folder.add("app-1", "1\n");
    symlink(folder.path("app-1"), folder.path("now.log")).unwrap();
    let mut follower = folder.follow(&["now.log"]);
    assert_eq!(read(&mut follower), "1\n");
    folder.add("app-1", "2\n");
    folder.add("app-2", "3\n");
    fs::remove_file(folder.path("now.log")).unwrap();
    symlink(folder.path("app-2"), folder.path("now.log")).unwrap();
    assert_eq!(read(&mut follower), "2\n3\n");
}

#[test]
fn files_whose_names_are_passed_on_and_match_the_pattern_are_read_once() {
    let folder = Folder::new();
    let mut follower = folder.follow(&["*.log"]);
    for n in 0..5 {
        folder.add("app.log", &format!("line {n}\n"));
        assert_eq!(read(&mut follower), format!("line {n}\n"));
        for old in (1..5).rev() {
            if folder.path(&format!("app.{old}.log")).exists() {
                folder.rotate(&format!("app.{old}.log"), &format!("app.{}.log", old + 1));
            }
        }
        folder.rotate("app.log", "app.1.log");
        folder.add("app.log", "");
        assert_eq!(read(&mut follower), "");
        follower = folder.restart(follower, &["*.log"]);
    }
}

/// What may happen to a log.
#[derive(Clone, Debug)]
enum Step {
    Write(usize),
    Rotate,
    CopyAndTruncate,
    Poll(usize),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1usize..400).prop_map(Step::Write),
        2 => Just(Step::Rotate),
        1 => Just(Step::CopyAndTruncate),
        4 => (1usize..500).prop_map(Step::Poll),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn no_byte_is_lost_or_repeated_whatever_happens(steps in prop::collection::vec(step(), 0..40), numbered: bool) {
        let folder = Folder::new();
        folder.add("app.log", "start\n");
        let mut follower = folder.follow(&["app.log"]);
        prop_assert_eq!(read(&mut follower), "start\n");
        let (mut written, mut found, mut count, mut rotations) = (String::new(), String::new(), 0, 0);
        let take = |follower: &mut Follower, budget, found: &mut String| {
            for chunk in follower.poll(budget).unwrap() {
                found.push_str(std::str::from_utf8(&chunk.bytes).unwrap());
            }
        };
        for step in steps {
            match step {
                Step::Write(bytes) => {
                    count += 1;
                    let line = format!("{count} {}\n", "x".repeat(bytes));
                    folder.add("app.log", &line);
                    written += &line;
                }
                Step::Rotate if folder.path("app.log").exists() => {
                    rotations += 1;
                    let name = folder.make_room_for_rotated(rotations, numbered);
                    folder.rotate("app.log", &name);
                }
                // A file that was never read is not known when it was truncated.
                Step::CopyAndTruncate if folder.is_read_now(&follower) => {
                    rotations += 1;
                    let name = folder.make_room_for_rotated(rotations, numbered);
                    fs::copy(folder.path("app.log"), folder.path(&name)).unwrap();
                    File::create(folder.path("app.log")).unwrap();
                }
                Step::Rotate | Step::CopyAndTruncate => {}
                Step::Poll(budget) => take(&mut follower, budget, &mut found),
                Step::Restart => follower = folder.restart(follower, &["app.log"]),
            }
        }
        folder.add("app.log", "end\n");
        written += "end\n";
        for _ in 0..100 {
            take(&mut follower, BUDGET, &mut found);
        }
        prop_assert_eq!(found, written);
    }
}

#[test]
fn a_log_that_is_compressed_when_it_is_rotated_is_read_once_and_its_archive_is_told_of() {
    let (folder, mut follower) = Folder::followed(&["app.log*"], "one\n");
    folder.add("app.log", "two\n");
    folder.rotate("app.log", "app.log.1");
    folder.add("app.log", "three\n");
    assert_eq!(read(&mut follower), "two\nthree\n");
    // What compressed it makes another file.
    folder.add("app.log.1.gz", "\u{1f}\u{8b} one two\n");
    fs::remove_file(folder.path("app.log.1")).unwrap();
    folder.add("app.log", "four\n");
    assert_eq!(read(&mut follower), "four\n");
    assert_eq!(follower.archives().collect::<Vec<_>>(), [folder.path("app.log.1.gz")]);
    fs::remove_file(folder.path("app.log.1.gz")).unwrap();
    assert_eq!(read(&mut follower), "");
    assert_eq!(follower.archives().count(), 0);
}
