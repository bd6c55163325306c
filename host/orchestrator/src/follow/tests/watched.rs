//! Which files are logs of their own, and what is known of those that are none any more.

use super::super::tail::Tail;
use super::*;

/// What is followed, by the names of the files.
fn followed(follower: &Follower) -> Vec<String> {
    let name = |status: SourceStatus| Path::new(&status.source).file_name().unwrap().to_string_lossy().into_owned();
    follower.status().into_iter().map(name).collect()
}

#[test]
fn a_log_that_is_not_watched_for_a_while_goes_on_where_it_was() {
    let folder = Folder::new();
    let all = ["a.log", "b.log", "c.log"];
    all.iter().for_each(|name| folder.add(name, "old\n"));
    let mut follower = folder.follow(&all);
    assert_eq!(read(&mut follower), "old\nold\nold\n");
    let mut follower = folder.restart(follower, &["c.log"]);
    folder.add("a.log", "new of a\n");
    folder.add("b.log", "new of b\n");
    folder.add("c.log", "new of c\n");
    assert_eq!(read(&mut follower), "new of c\n");
    assert_eq!(followed(&follower), ["c.log"]);
    assert_eq!(read(&mut folder.restart(follower, &all)), "new of a\nnew of b\n");
}

#[test]
fn the_oldest_of_too_many_files_that_are_done_with_is_forgotten() {
    let position = |inode: usize| Position {
        identity: Identity { device: 1, inode: inode as u64 },
        offset: 1,
        head: Head::default(),
        ends_line: true,
    };
    let sources = (0..=MAX_LEFT).map(|n| (format!("/gone/{n:05}"), position(n))).collect();
    let state = FollowState { sources, ..FollowState::default() };
    let left = Follower::resume::<PathBuf>(&[], state).unwrap().state().left;
    assert_eq!(left, (1..=MAX_LEFT).map(position).collect::<Vec<_>>());
}

#[test]
fn a_pattern_leaves_out_rotated_files_and_no_others_with_a_like_name() {
    let folder = Folder::new();
    for name in ["app", "app.", "app.1", "app-20261123", "application", "app_"] {
        folder.add(name, "line\n");
    }
    let mut follower = folder.follow(&["app*"]);
    read(&mut follower);
    assert_eq!(followed(&follower), ["app", "app.", "app_", "application"]);
}

#[test]
fn neither_a_folder_nor_another_name_of_a_log_that_is_read_is_a_log() {
    let folder = Folder::new();
    fs::create_dir(folder.path("a.log")).unwrap();
    folder.add("app.log", "one\n");
    let mut follower = folder.follow(&["*.log"]);
    assert_eq!(read(&mut follower), "one\n");
    assert_eq!(followed(&follower), ["app.log"]);
    symlink(folder.path("app.log"), folder.path("z.log")).unwrap();
    folder.add("app.log", "two\n");
    assert_eq!(read(&mut follower), "two\n");
    folder.rotate("app.log", "app.1.log");
    assert_eq!(read(&mut follower), "");
    assert_eq!(followed(&follower), ["app.log"]);
}

#[test]
fn whose_turn_it_is_after_a_poll_has_it_at_the_next() {
    let folder = Folder::new();
    let names = ["a.log", "b.log", "c.log"];
    names.iter().for_each(|name| folder.add(name, &"x".repeat(3 * TURN_BYTES)));
    let mut follower = folder.follow(&names);
    let mut turns = Vec::new();
    for _ in 0..6 {
        let chunks = follower.poll(TURN_BYTES).unwrap();
        turns.extend(chunks.into_iter().map(|chunk| chunk.source.chars().rev().nth(4).unwrap()));
    }
    assert_eq!(turns, ['a', 'b', 'c', 'a', 'b', 'c']);
}

#[test]
fn no_room_is_room_for_no_lines_end_either() {
    let folder = Folder::new();
    folder.add("app.log", "next\n");
    let mut tail = Tail::open(&folder.path("app.log")).unwrap();
    tail.follow_on(false);
    assert_eq!(tail.read(0).unwrap(), b"");
    assert_eq!(tail.read(1).unwrap(), b"\n");
}

#[test]
fn a_log_begins_at_its_end_also_where_that_is_within_a_line_or_its_beginning() {
    let folder = Folder::new();
    folder.add("cut.log", "it is cut of");
    folder.add("empty.log", "");
    folder.add("whole.log", "a line\n");
    let mut follower = folder.follow(&["cut.log", "empty.log", "whole.log"]).with_start(Start::End);
    assert_eq!(read(&mut follower), "");
    for name in ["cut.log", "empty.log", "whole.log"] {
        folder.rotate(name, &format!("{name}.1"));
        folder.add(name, "next\n");
    }
    assert_eq!(read(&mut follower), "\nnext\nnext\nnext\n", "one line's end is missing");
}

#[test]
fn a_file_that_was_read_before_goes_on_where_it_was_left_though_others_begin_at_their_end() {
    let (folder, mut follower) = Folder::followed(&["app.log"], "one\n");
    folder.rotate("app.log", "app.log.1");
    folder.add("app.log", "two\n");
    assert_eq!(read(&mut follower), "two\n");
    folder.add("app.log.1", "late\n");
    let names = ["app.log", "app.log.1"];
    let mut follower = folder.restart(follower, &names).with_start(Start::End);
    assert_eq!(read(&mut follower), "late\n");
}
