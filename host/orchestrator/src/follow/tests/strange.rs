//! Rotation as it should not be, and is.

use std::time::{Duration, SystemTime};

use super::*;

impl Folder {
    /// As if it had been written to so many seconds after the others.
    fn later(&self, name: &str, seconds: u64) {
        let file = OpenOptions::new().append(true).open(self.path(name)).unwrap();
        file.set_modified(SystemTime::now() + Duration::from_secs(seconds)).unwrap();
    }
}

#[test]
fn what_comes_late_to_a_rotated_file_is_read_however_soon_the_next_rotation_is() {
    let (folder, mut follower) = Folder::followed(&["app.log"], "0\n");
    for round in 1..4 {
        let old = format!("app.log-{round}");
        folder.rotate("app.log", &old);
        folder.add("app.log", "");
        assert_eq!(follower.poll(BUDGET).unwrap(), [], "it is waited for who has the old one open");
        folder.add(&old, &format!("late {round}\n"));
        assert_eq!(follower.poll(BUDGET).unwrap()[0].bytes, format!("late {round}\n").into_bytes());
        assert_eq!(follower.poll(BUDGET).unwrap(), [], "the new file is gone on to, which is empty");
    }
}

#[test]
fn a_deleted_file_is_read_as_long_as_it_grows() {
    let (folder, mut follower) = Folder::followed(&["app.log"], "0\n");
    let mut writer = OpenOptions::new().append(true).open(folder.path("app.log")).unwrap();
    fs::remove_file(folder.path("app.log")).unwrap();
    for number in 1..100 {
        let line = format!("{number}\n");
        writer.write_all(line.as_bytes()).unwrap();
        assert_eq!(follower.poll(BUDGET).unwrap()[0].bytes, line.as_bytes());
    }
}

#[test]
fn a_log_that_no_longer_has_a_watched_name_is_read_as_long_as_it_grows() {
    let (folder, mut follower) = Folder::followed(&["*.log"], "one\n");
    folder.rotate("app.log", "app.old");
    assert_eq!(follower.poll(BUDGET).unwrap(), []);
    folder.add("app.old", "two\n");
    assert_eq!(read(&mut follower), "two\n");
}

#[test]
fn a_file_that_was_rotated_away_and_is_used_again_is_read_from_its_beginning() {
    let (folder, mut follower) = Folder::followed(&["app.log"], "one\n");
    folder.rotate("app.log", "app.log.1");
    folder.add("app.log", "two\n");
    assert_eq!(read(&mut follower), "two\n");
    fs::write(folder.path("app.log.1"), "three, and longer\n").unwrap();
    folder.rotate("app.log.1", "app.log");
    assert_eq!(read(&mut follower), "three, and longer\n");
}

#[test]
fn what_is_older_is_not_taken_for_what_a_log_was_before_it_was_truncated_or_lost() {
    let folder = Folder::new();
    let line = "a line that is longer than what is known of its file's beginning\n".repeat(8);
    folder.add("app.log", &line);
    let mut follower = folder.follow(&["app.log"]);
    assert_eq!(read(&mut follower), line);
    // One begins as the log and is shorter, as a copy is that was cut off, and one is longer and begins otherwise.
    folder.add("app.log.1", &line[..line.len() / 2]);
    folder.add("app.log.2", &"ancient\n".repeat(99));
    File::create(folder.path("app.log")).unwrap();
    folder.add("app.log", "new\n");
    assert_eq!(read(&mut follower), "new\n");
    // What nothing was read of begins as any file.
    File::create(folder.path("app.log")).unwrap();
    assert_eq!(read(&mut follower), "");
    folder.add("another", "newer\n");
    folder.rotate("another", "app.log");
    assert_eq!(read(&mut folder.restart(follower, &["app.log"])), "newer\n");
}

#[test]
fn files_between_the_old_one_and_the_new_one_are_found_whatever_the_old_one_is_called() {
    for names in [
        // Numbers that go up with age or down, and a name that has nothing to do with them.
        ["app.2.log", "app.1.log"],
        ["app-1.log", "app-2.log"],
        ["app-20261123.log", "app-20261124.log"],
        ["retired", "app.log.1"],
        ["a", "app.log.1"],
    ] {
        let (folder, mut follower) = Folder::followed(&["app.log"], "1\n");
        folder.rotate("app.log", names[0]);
        folder.add("app.log", "2\n");
        folder.rotate("app.log", names[1]);
        folder.later(names[1], 1);
        folder.add("app.log", "3\n");
        folder.later("app.log", 2);
        assert_eq!(read(&mut follower), "2\n3\n", "{names:?}");
    }
}

#[test]
fn neither_a_copy_with_the_times_of_the_old_file_nor_its_archive_is_read_after_it() {
    let (folder, mut follower) = Folder::followed(&["app.log"], "1\n");
    let written = fs::metadata(folder.path("app.log")).unwrap().modified().unwrap();
    fs::copy(folder.path("app.log"), folder.path("app.log.1")).unwrap();
    OpenOptions::new().append(true).open(folder.path("app.log.1")).unwrap().set_modified(written).unwrap();
    folder.add("app.log.2.gz", "\u{1f}\u{8b} 1\n");
    folder.later("app.log.2.gz", 1);
    folder.add("another", "2\n");
    folder.rotate("another", "app.log");
    assert_eq!(read(&mut follower), "2\n");
}

#[test]
fn a_rotated_file_that_is_watched_by_its_own_name_is_read_once() {
    let (folder, mut follower) = Folder::followed(&["app.log", "app.log.1"], "1\n");
    folder.rotate("app.log", "app.log.2");
    folder.add("app.log.1", "2\n");
    folder.later("app.log.1", 1);
    // It is read, and has another turn, before the old file is at its end.
    assert_eq!(follower.poll(BUDGET).unwrap()[0].bytes, b"2\n");
    folder.add("app.log", "3\n");
    assert_eq!(read(&mut follower), "3\n");
}
