//! Folders in which another program is at work while the guest opens what is there: what is looked at is something else a moment
//! later. The two change places as fast as they can, for as long as the guest goes on.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    thread,
};

use autodevops_policy::Access;
use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::{
    case::{Attempt, Case, Ending, Terms},
    component::Wat,
    run::SECRET,
};

/// How long a guest goes on, in nanoseconds.
const LONG: &str = "1_000_000_000";

const FILES: &str = "wasi:filesystem/types";

/// All of them.
pub fn cases() -> Vec<Case> {
    let reads = |name: &str, path: &'static str, prepare: fn(&Path), target: &'static str, inside: &'static str| {
        Case::new(name, "files/races", reading(path), Ending::Counts)
            .given(prepared)
            .held(move |terms| {
                prepare(&terms.folder);
                trap(&terms.folder, &within(target, &terms.folder));
            })
            // To the same, as far as it goes: a link that stays below the granted folder is followed.
            .raised(
                move |terms| {
                    prepare(&terms.folder);
                    trap(&terms.folder, Path::new(inside));
                },
                Ending::Says("leaked".into()),
            )
    };
    let file: fn(&Path) = |folder| fs::write(folder.join("data/there"), "a file").expect("a file is written");
    let below: fn(&Path) = |folder| {
        fs::create_dir(folder.join("data/there")).expect("a folder is made");
        fs::write(folder.join("data/there/key"), "a file").expect("a file is written");
    };
    vec![
        reads("a file that turns into a link out of its folder", "there", file, "../secret/key", "inside/key"),
        reads("a file that turns into a link to an absolute path", "there", file, "FOLDER/secret/key", "inside/key"),
        reads("a folder that turns into a link out of its own", "there/key", below, "../secret", "inside"),
        reads("a folder that turns into a link to an absolute path", "there/key", below, "FOLDER/secret", "inside"),
        Case::new(
            "a file made in a folder that turns into a link out of its own",
            "files/races",
            making(),
            Ending::Counts,
        )
        .given(prepared)
        .held(move |terms| {
            below(&terms.folder);
            trap(&terms.folder, Path::new("../secret"));
        })
        .and(|attempt| match (made(attempt, "secret/new"), made(attempt, "data/inside/new")) {
            (false, false) => Ok(()),
            (outside, _) => Err(format!("it made a file by the link, outside: {outside}")),
        })
        .raised(
            move |terms| {
                below(&terms.folder);
                trap(&terms.folder, Path::new("inside"));
            },
            // A link that stays below the granted folder is followed, too: nothing is refused.
            Ending::Ends,
        )
        .and_raised(|attempt| match made(attempt, "data/inside/new") {
            true => Ok(()),
            false => Err("it made no file by the link".to_owned()),
        }),
    ]
}

/// A folder that is written to, with the secret's text in a folder of its own.
fn prepared(terms: &mut Terms) {
    terms.grant.clocks = true;
    terms.grant_folder("/data", Access::ReadWrite);
    terms.limits().files = u32::MAX;
    terms.limits().host_calls = u32::MAX;
    fs::create_dir(terms.folder.join("data/inside")).expect("a folder is made");
    fs::write(terms.folder.join("data/inside/key"), SECRET).expect("a file is written");
}

fn within(target: &str, folder: &Path) -> PathBuf {
    PathBuf::from(target.replace("FOLDER", &folder.display().to_string()))
}

/// `data/there` and a link change places, until the folder is gone.
fn trap(folder: &Path, target: &Path) {
    let (there, link) = (folder.join("data/there"), folder.join("data/link"));
    symlink(target, &link).expect("a link is made");
    thread::spawn(move || while renameat_with(CWD, &there, CWD, &link, RenameFlags::EXCHANGE).is_ok() {});
}

fn made(attempt: &Attempt, path: &str) -> bool {
    fs::symlink_metadata(attempt.terms.folder.join(path)).is_ok()
}

/// Opens a path again and again, and looks for the secret's first letter in what it reads. Says how often there was something else,
/// and nothing when it was never refused: then there was no race.
fn reading(path: &str) -> Wat {
    racing(
        path,
        "(i32.const 0) (i32.const 1)",
        &format!(
            "(call $method_descriptor.read
                (local.get $file) (i64.const 64) (i64.const 0) (i32.const 2048))
             (call $resource-drop_descriptor (local.get $file))
             (br_if $again (i32.or
                (i32.load8_u (i32.const 2048)) (i32.eqz (i32.load offset=8 (i32.const 2048)))))
             (if (i32.eq (i32.load8_u (i32.load offset=4 (i32.const 2048))) (i32.const {letter}))
                (then (return (call $say (i32.const 4352) (i32.const 6)))))",
            letter = SECRET.as_bytes()[0]
        ),
    )
    .import(FILES, "[method]descriptor.read")
}

/// Makes a file again and again.
fn making() -> Wat {
    racing("there/new", "(i32.const 1) (i32.const 2)", "(call $resource-drop_descriptor (local.get $file))")
}

fn racing(path: &str, flags: &str, with_file: &str) -> Wat {
    let run = format!(
        "(local $folder i32) (local $file i32) (local $opened i64) (local $refused i64) (local $end i64) (local $free i32)
         (call $get-directories (i32.const 2048))
         (local.set $folder (i32.load (i32.load (i32.const 2048))))
         (local.set $end (i64.add (call $now) (i64.const {LONG})))
         (local.set $free (global.get $heap))
         (block $done (loop $again
            (br_if $done (i64.ge_u (call $now) (local.get $end)))
            (global.set $heap (local.get $free))
            (call $method_descriptor.open-at (local.get $folder)
                (i32.const 1) (i32.const 4096) (i32.const {length}) {flags} (i32.const 2048))
            (if (i32.load8_u (i32.const 2048)) (then
                (local.set $refused (i64.add (local.get $refused) (i64.const 1)))
                (br $again)))
            (local.set $file (i32.load offset=4 (i32.const 2048)))
            {with_file}
            (local.set $opened (i64.add (local.get $opened) (i64.const 1)))
            (br $again)))
         (call $number (select (local.get $opened) (i64.const 0) (i64.ne (local.get $refused) (i64.const 0))))",
        length = path.len()
    );
    Wat::check(&run)
        .import("wasi:filesystem/preopens", "get-directories")
        .import("wasi:clocks/monotonic-clock", "now")
        .import(FILES, "[method]descriptor.open-at")
        .import(FILES, "[resource-drop]descriptor")
        .with(&format!("(data (i32.const 4096) \"{path}\") (data (i32.const 4352) \"leaked\")"))
}
