//! A disk that is full: the run waits for room, and goes on where it was.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{
    fs,
    io::Write,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use autodevops_product_tests::{
    process::{Program, call},
    shop::Shop,
    skip,
};
use tempfile::TempDir;

/// The longest that anything may take to happen.
const LIMIT: Duration = Duration::from_secs(30);

/// A small file system in memory, gone when it is dropped.
struct Small(TempDir);

impl Small {
    /// None where this user may not mount anything.
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", "size=64m", "none"]).arg(folder.path());
        (call(command, LIMIT).code == Some(0)).then_some(Self(folder))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let mut command = Command::new("umount");
        command.arg("--lazy").arg(self.0.path());
        let called = call(command, LIMIT);
        if called.code != Some(0) {
            eprintln!("{} stays mounted: {called}", self.0.path().display());
        }
    }
}

/// A shop whose state lies on this disk, and a run of it at 5 % when the disk becomes full.
fn at_five_percent(disk: &Small) -> (Shop, Program, PathBuf) {
    let mut shop = Shop::open(&[("for = \"600ms\"", "for = \"3s\"")]);
    symlink(disk.path(), shop.folder.join(".autodevops")).unwrap();
    shop.deploy();
    shop.let_clients_in();
    shop.wait_for_errors();
    let mut program = shop.start(&["run"]);
    program.wait_for("5 %", LIMIT, |event| event["type"] == "step-entered" && event["percent"] == 5);
    let ballast = disk.path().join("ballast");
    let mut file = fs::File::create(&ballast).unwrap();
    for size in [1 << 20, 4096, 1] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
    program.wait_for_text("the run waits", LIMIT);
    assert!(shop.serving().is_some(), "production serves with a full disk");
    (shop, program, ballast)
}

#[test]
fn a_run_waits_while_its_journal_has_no_room_and_then_heals() {
    let Some(disk) = Small::mount() else {
        skip("this user may mount no file system");
        return;
    };
    // Whatever lies on the disk is stopped before the disk goes: the shop is dropped first.
    let (mut shop, program, ballast) = at_five_percent(&disk);
    fs::remove_file(&ballast).unwrap();
    let called = program.wait(Duration::from_secs(50));
    assert_eq!(called.code, Some(0), "{called}");
    assert_eq!(shop.last_run()["outcome"], "healed");
    shop.count_clients();
}

#[test]
fn a_run_that_is_ended_on_a_full_disk_gives_its_traffic_back_and_puts_that_on_record() {
    let Some(disk) = Small::mount() else {
        skip("this user may mount no file system");
        return;
    };
    let (mut shop, program, ballast) = at_five_percent(&disk);
    let run = shop.last_run()["run"].as_str().unwrap().to_owned();
    shop.expect(0, &["abort", &run, "--reason", "enough"]);
    let called = program.wait(Duration::from_secs(50));
    assert_eq!(called.code, Some(1), "{called}");
    assert!(ballast.exists(), "nothing was freed but the reserve");
    assert_eq!(shop.last_run()["outcome"], "aborted");
    let kinds: Vec<String> = shop.events().iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect();
    assert!(kinds.ends_with(&["rolled-back".to_owned(), "finished".to_owned()]), "{kinds:?}");
    assert_eq!(shop.shares().len(), 1, "one release serves");
    fs::remove_file(&ballast).unwrap();
    shop.count_clients();
}
