//! What one look at each log tells, and what is told of it.

use std::{
    process::Command,
    time::{Duration, SystemTime},
};

use rustix::process::{Rlimit, setrlimit};

use super::*;
use crate::testing::Said;

impl Folder {
    /// As if it had last been written to at this time.
    fn written_at(&self, name: &str, at: SystemTime) {
        OpenOptions::new().append(true).open(self.path(name)).unwrap().set_modified(at).unwrap();
    }
}

/// Longer ago than any clock's tick.
fn long_ago() -> SystemTime {
    SystemTime::now() - Duration::from_secs(3600)
}

fn is_quiet(follower: &Follower) -> bool {
    follower.sources.values().all(Source::is_quiet)
}

#[test]
fn a_log_that_nobody_writes_to_for_a_while_is_only_looked_at() {
    let folder = Folder::new();
    let then = long_ago();
    folder.add("app.log", "one\n");
    folder.written_at("app.log", then);
    let mut follower = folder.follow(&["app.log"]);
    assert_eq!(read(&mut follower), "one\n");
    assert!(is_quiet(&follower));
    // Some writers set the time back to what it was.
    folder.add("app.log", "two\n");
    folder.written_at("app.log", then);
    assert_eq!(read(&mut follower), "two\n");
    assert!(is_quiet(&follower));
    folder.add("app.log", "three\n");
    assert_eq!(read(&mut follower), "three\n");
}

#[test]
fn a_log_that_nobody_writes_to_is_read_to_its_end_however_little_at_once() {
    let folder = Folder::new();
    folder.add("app.log", "ten bytes\nand another ten\n");
    folder.written_at("app.log", long_ago());
    let mut follower = folder.follow(&["app.log"]);
    assert_eq!(read_by(&mut follower, 4), "ten bytes\nand another ten\n");
}

#[test]
fn a_log_that_comes_back_as_it_was_is_neither_waited_for_nor_in_trouble() {
    let folder = Folder::new();
    folder.add("app.log", "one\n");
    folder.written_at("app.log", long_ago());
    let mut follower = folder.follow(&["app.log"]);
    assert_eq!(read(&mut follower), "one\n");
    folder.rotate("app.log", "away");
    assert_eq!(read(&mut follower), "");
    assert!(of(&follower.status(), "app.log").waiting);
    folder.rotate("away", "app.log");
    assert_eq!(read(&mut follower), "");
    assert!(!of(&follower.status(), "app.log").waiting);
    folder.rotate("app.log", "away");
    fs::create_dir(folder.path("app.log")).unwrap();
    assert_eq!(read(&mut follower), "");
    assert!(of(&follower.status(), "app.log").trouble.is_some());
    fs::remove_dir(folder.path("app.log")).unwrap();
    folder.rotate("away", "app.log");
    assert_eq!(read(&mut follower), "");
    assert_eq!(of(&follower.status(), "app.log").trouble, None);
}

#[test]
fn a_log_that_opens_and_cannot_be_read_is_in_trouble() {
    // Linux says the speed of a network's interface in a file, and the loopback has none.
    let log = Path::new("/sys/class/net/lo/speed");
    if fs::metadata(log).is_err() || fs::read(log).is_ok() {
        return;
    }
    let mut follower = Follower::new(&[log]).unwrap();
    assert_eq!(follower.poll(BUDGET).unwrap(), []);
    assert!(of(&follower.status(), "speed").trouble.is_some());
}

#[test]
fn logs_that_are_left_out_are_told_of_once() {
    let folder = Folder::new();
    for name in ["a.log", "b.log", "c.log"] {
        folder.add(name, "line\n");
    }
    let mut follower = folder.follow(&["*.log"]);
    follower.most = 2;
    let told = Said::listen();
    read(&mut follower);
    assert_eq!(told.times("logs are not followed"), 1);
    folder.add("d.log", "line\n");
    read(&mut follower);
    assert_eq!(told.times("logs are not followed"), 2, "another is");
}

/// Set where [`without_files_to_open_nothing_is_read_or_lost_and_no_log_is_at_fault`] runs in a process of its own.
const ALONE: &str = "AUTODEVOPS_TEST_ALONE";

#[test]
fn without_files_to_open_nothing_is_read_or_lost_and_no_log_is_at_fault() {
    if std::env::var_os(ALONE).is_none() {
        let name = std::thread::current().name().unwrap().to_owned();
        let mut alone = Command::new(std::env::current_exe().unwrap());
        let ended = alone.args(["--exact", &name]).env(ALONE, "1").output().unwrap();
        let said = String::from_utf8_lossy(&ended.stdout);
        assert!(ended.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    let folder = Folder::new();
    folder.add("app.log", "one\n");
    folder.add("other.log", "two\n");
    let mut follower = folder.follow(&["app.log", "o*.log"]);
    let told = Said::listen();
    setrlimit(Resource::Nofile, Rlimit { current: Some(64), ..getrlimit(Resource::Nofile) }).unwrap();
    let mut files = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        files.push(file);
    }
    for _ in 0..3 {
        let error = follower.poll(BUDGET).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(24), "{error}");
    }
    let status = follower.status();
    assert_eq!(of(&status, "app.log").trouble, None);
    let of_folder = status.iter().find(|status| Path::new(&status.source) == folder.0.path()).unwrap();
    assert!(of_folder.waiting && of_folder.trouble.is_some());
    assert_eq!(told.times("cannot be looked for"), 1, "it is told once");
    drop(files);
    assert_eq!(read(&mut follower), "one\ntwo\n");
    assert!(follower.status().iter().all(|status| status.trouble.is_none()));
}
