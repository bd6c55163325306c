use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::Write,
    os::unix::fs::{PermissionsExt, symlink},
};

use tempfile::TempDir;

use super::*;

mod looks;
mod many;
mod rotation;
mod strange;
mod watched;

const BUDGET: usize = 1 << 20;

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// With `app.log`, which says this and was read: whoever follows these names has found nothing else.
    fn followed(names: &[&str], text: &str) -> (Self, Follower) {
        let folder = Self::new();
        folder.add("app.log", text);
        let mut follower = folder.follow(names);
        assert_eq!(read(&mut follower), text);
        (folder, follower)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn add(&self, name: &str, text: &str) {
        let mut file = OpenOptions::new().append(true).create(true).open(self.path(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn rotate(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    fn follow(&self, names: &[&str]) -> Follower {
        Follower::new(&self.paths(names)).unwrap()
    }

    fn paths(&self, names: &[&str]) -> Vec<PathBuf> {
        names.iter().map(|name| self.path(name)).collect()
    }

    /// Saved, and gone on from in another process.
    fn restart(&self, follower: Follower, names: &[&str]) -> Follower {
        let saved = serde_json::to_vec(&follower.state()).unwrap();
        drop(follower);
        Follower::resume(&self.paths(names), serde_json::from_slice(&saved).unwrap()).unwrap()
    }
}

/// Everything that a few polls give, all sources in a row.
fn read(follower: &mut Follower) -> String {
    read_by(follower, BUDGET)
}

fn read_by(follower: &mut Follower, budget: usize) -> String {
    let (mut bytes, mut idle) = (Vec::new(), 0);
    while idle < 4 {
        let chunks = follower.poll(budget).unwrap();
        assert!(chunks.iter().map(|chunk| chunk.bytes.len()).sum::<usize>() <= budget);
        idle = if chunks.is_empty() { idle + 1 } else { 0 };
        chunks.into_iter().for_each(|chunk| bytes.extend(chunk.bytes));
    }
    String::from_utf8(bytes).unwrap()
}

fn of<'a>(status: &'a [SourceStatus], name: &str) -> &'a SourceStatus {
    status.iter().find(|status| status.source.ends_with(name)).unwrap()
}

#[test]
fn what_is_new_is_read_once_and_lines_may_be_unfinished() {
    let folder = Folder::new();
    folder.add("app.log", "one\ntw");
    let mut follower = folder.follow(&["app.log"]);
    let chunks = follower.poll(BUDGET).unwrap();
    let source = folder.path("app.log").to_string_lossy().into_owned();
    assert_eq!(chunks, [Chunk { source, bytes: b"one\ntw".to_vec() }]);
    assert_eq!(follower.poll(BUDGET).unwrap(), []);
    folder.add("app.log", "o\n");
    assert_eq!(read(&mut follower), "o\n");
}

#[test]
fn a_file_that_is_not_there_yet_is_waited_for() {
    let folder = Folder::new();
    let mut follower = folder.follow(&["app.log"]).with_start(Start::End);
    assert_eq!(read(&mut follower), "");
    assert!(of(&follower.status(), "app.log").waiting);
    folder.add("app.log", "first\n");
    assert_eq!(read(&mut follower), "first\n");
    assert!(!of(&follower.status(), "app.log").waiting);
}

#[test]
fn following_may_begin_at_the_end_of_what_is_there() {
    let folder = Folder::new();
    folder.add("a.log", "old\n");
    let mut follower = folder.follow(&["*.log"]).with_start(Start::End);
    assert_eq!(read(&mut follower), "");
    folder.add("a.log", "new\n");
    folder.add("b.log", "later\n");
    assert_eq!(read(&mut follower), "new\nlater\n");
}

#[test]
fn a_file_that_is_deleted_and_comes_back_is_another() {
    let (folder, mut follower) = Folder::followed(&["app.log"], "one\n");
    fs::remove_file(folder.path("app.log")).unwrap();
    // Closed after a while, so that the space is freed.
    for _ in 0..100 {
        assert_eq!(follower.poll(BUDGET).unwrap(), []);
    }
    assert!(of(&follower.status(), "app.log").waiting);
    folder.add("app.log", "one more\n");
    assert_eq!(read(&mut follower), "one more\n");
}

#[test]
fn a_log_that_cannot_be_read_is_reported_and_the_others_go_on() {
    let folder = Folder::new();
    fs::create_dir(folder.path("a.log")).unwrap();
    symlink(folder.path("c.log"), folder.path("c.log")).unwrap();
    folder.add("b.log", "fine\n");
    let mut follower = folder.follow(&["a.log", "b.log", "c.log"]);
    assert_eq!(read(&mut follower), "fine\n");
    let status = follower.status();
    assert_eq!(of(&status, "a.log").trouble.as_deref(), Some("it is no regular file"));
    assert!(of(&status, "c.log").trouble.is_some());
    assert_eq!(of(&status, "b.log").trouble, None);
    fs::remove_dir(folder.path("a.log")).unwrap();
    folder.add("a.log", "now\n");
    assert_eq!(read(&mut follower), "now\n");
    assert_eq!(of(&follower.status(), "a.log").trouble, None);
}

#[test]
fn a_log_that_one_may_not_read_is_read_once_one_may() {
    let folder = Folder::new();
    folder.add("a.log", "secret\n");
    fs::set_permissions(folder.path("a.log"), Permissions::from_mode(0o000)).unwrap();
    if File::open(folder.path("a.log")).is_ok() {
        return; // Whoever may read everything cannot be kept from it.
    }
    let mut follower = folder.follow(&["a.log"]);
    assert_eq!(read(&mut follower), "");
    assert!(of(&follower.status(), "a.log").trouble.is_some());
    fs::set_permissions(folder.path("a.log"), Permissions::from_mode(0o600)).unwrap();
    assert_eq!(read(&mut follower), "secret\n");
}

#[test]
fn a_file_that_becomes_a_folder_is_reported_and_read_again_when_it_is_back() {
    let (folder, mut follower) = Folder::followed(&["app.log"], "1\n");
    folder.rotate("app.log", "app.log.1");
    fs::create_dir(folder.path("app.log")).unwrap();
    assert_eq!(read(&mut follower), "");
    assert!(of(&follower.status(), "app.log").trouble.is_some());
    fs::remove_dir(folder.path("app.log")).unwrap();
    folder.add("app.log", "2\n");
    assert_eq!(read(&mut follower), "2\n");
}

#[test]
fn a_pattern_finds_new_files_but_no_file_twice() {
    let folder = Folder::new();
    folder.add("a.log", "a\n");
    folder.add("a.log.1", "older\n");
    folder.add("b.log.gz", "\u{1}\n");
    symlink(folder.path("a.log"), folder.path("z.log")).unwrap();
    let mut follower = folder.follow(&["*.log*"]);
    assert_eq!(read(&mut follower), "a\n");
    folder.add("b.log", "b\n");
    folder.rotate("a.log.1", "a.log.2");
    folder.rotate("a.log", "a.log.1");
    folder.add("a.log", "c\n");
    let mut lines: Vec<String> = read(&mut follower).lines().map(str::to_owned).collect();
    lines.sort_unstable();
    assert_eq!(lines, ["b", "c"]);
    assert_eq!(read(&mut folder.restart(follower, &["*.log*"])), "");
}

#[test]
fn what_came_under_a_watched_pattern_during_a_restart_is_read_whole() {
    let folder = Folder::new();
    folder.add("a.log", "old\n");
    let mut follower = folder.follow(&["*.log"]).with_start(Start::End);
    assert_eq!(read(&mut follower), "");
    let state = follower.state();
    folder.add("b.log", "b\n");
    folder.add("c.txt", "c\n");
    let mut follower = Follower::resume(&folder.paths(&["*.log", "*.txt"]), state).unwrap().with_start(Start::End);
    assert_eq!(read(&mut follower), "b\n");
}

#[test]
fn every_log_has_its_turn_however_busy_another_is() {
    let folder = Folder::new();
    folder.add("a.log", &"x".repeat(1 << 20));
    folder.add("b.log", "quiet\n");
    let mut follower = folder.follow(&["a.log", "b.log"]);
    let mut quiet = 0;
    for _ in 0..3 {
        folder.add("b.log", "quiet\n");
        let chunks = follower.poll(2 * TURN_BYTES).unwrap();
        assert_eq!(chunks.iter().map(|chunk| chunk.bytes.len()).sum::<usize>(), 2 * TURN_BYTES);
        quiet += chunks.iter().filter(|chunk| chunk.source.ends_with("b.log")).count();
    }
    assert_eq!(quiet, 3);
    let sum = |follower: &mut Follower| follower.poll(10).unwrap().iter().map(|chunk| chunk.bytes.len()).sum::<usize>();
    assert_eq!(sum(&mut follower), 10);
    assert_eq!(of(&follower.status(), "b.log").unread, 0);
}

#[test]
fn a_wrong_pattern_is_refused_with_what_is_wrong() {
    let error = Follower::new(&["/var/log/[a"]).unwrap_err().to_string();
    assert!(error.contains("/var/log/[a") && error.contains("correct it"), "{error}");
}
