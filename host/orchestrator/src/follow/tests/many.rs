use std::collections::BTreeMap;

use super::*;

const LOGS: usize = 1000;

/// All lines that are new, by how often they were read.
fn lines(follower: &mut Follower, read: &mut BTreeMap<String, u32>) {
    let mut idle = 0;
    while idle < 4 {
        let chunks = follower.poll(BUDGET).unwrap();
        idle = if chunks.is_empty() { idle + 1 } else { 0 };
        for chunk in chunks {
            for line in String::from_utf8(chunk.bytes).unwrap().lines() {
                *read.entry(line.to_owned()).or_default() += 1;
            }
        }
    }
}

#[test]
fn a_thousand_logs_are_followed_over_rotation_and_truncation_without_losing_or_repeating_a_line() {
    let folder = Folder::new();
    let name = |log: usize| format!("{log:04}.log");
    let (mut written, mut read) = (BTreeMap::new(), BTreeMap::new());
    let mut line = |log: usize, what: &str| {
        // As long as all others: only what it says tells it from them.
        let line = format!("{log:04} {what}");
        written.insert(line.clone(), 1);
        line + "\n"
    };
    for log in 0..LOGS {
        folder.add(&name(log), &line(log, "first..."));
    }
    let mut follower = folder.follow(&["*.log*"]);
    for round in 0..4 {
        lines(&mut follower, &mut read);
        assert_eq!((follower.status().len(), follower.left_out()), (LOGS, 0));
        for log in 0..LOGS {
            match (log + round) % 5 {
                0 => folder.add(&name(log), &line(log, &format!("added..{round}"))),
                // What is written before and after the rename, by a writer that keeps the file open, is in the old one.
                1 => {
                    folder.add(&name(log), &line(log, &format!("before.{round}")));
                    folder.rotate(&name(log), &format!("{}.1", name(log)));
                    folder.add(&format!("{}.1", name(log)), &line(log, &format!("late...{round}")));
                    folder.add(&name(log), &line(log, &format!("after..{round}")));
                }
                // It is as long as it was, and was written anew at once.
                2 => {
                    let length = fs::metadata(folder.path(&name(log))).unwrap().len();
                    let mut text = line(log, &format!("anew...{round}"));
                    while (text.len() as u64) < length {
                        text += &line(log, &format!("more{:03}{round}", text.len()));
                    }
                    fs::write(folder.path(&name(log)), text).unwrap();
                }
                3 if round == 2 => {
                    folder.rotate(&name(log), &format!("{}.1", name(log)));
                    folder.add(&name(log), &line(log, &format!("new....{round}")));
                }
                _ => {}
            }
        }
        if round == 2 {
            follower = folder.restart(follower, &["*.log*"]);
        }
    }
    lines(&mut follower, &mut read);
    let wrong: Vec<_> = written.iter().filter(|(line, _)| read.get(*line) != Some(&1)).take(9).collect();
    assert!(wrong.is_empty(), "lost or repeated: {wrong:?}");
    assert_eq!(read.len(), written.len());
}

#[test]
fn a_log_beyond_those_that_are_followed_is_told_of() {
    let folder = Folder::new();
    for name in ["a.log", "b.log", "c.log"] {
        folder.add(name, "line\n");
    }
    let mut follower = folder.follow(&["*.log"]);
    follower.most = 2;
    assert_eq!(read(&mut follower), "line\nline\n");
    assert_eq!(follower.left_out(), 1);
    fs::remove_file(folder.path("a.log")).unwrap();
    // There is room as soon as another is done with.
    for _ in 0..100 {
        follower.poll(BUDGET).unwrap();
    }
    assert_eq!(follower.left_out(), 0);
}
