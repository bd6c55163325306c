//! What a full disk and a lost race for a fact leave behind.

use serde_json::json;

use super::*;

fn journal() -> (tempfile::TempDir, Journal) {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path().join("journal.db")).unwrap();
    (folder, journal)
}

#[test]
fn a_full_disk_refuses_the_append_and_keeps_what_was_there() {
    let (_folder, journal) = journal();
    journal.append("run", 0, &[json!("before")], 1).unwrap();
    let pages: i64 = journal.connection().query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    journal.connection().query_row(&format!("PRAGMA max_page_count = {}", pages + 2), [], |_| Ok(())).unwrap();
    let large = json!("x".repeat(100_000));
    let error = journal.append("run", 1, &[json!("small"), large.clone()], 2).unwrap_err();
    assert!(matches!(error, AppendError::Full { .. }), "{error}");
    assert!(matches!(journal.put_blob(&[0; 100_000]), Err(JournalError::Full { .. })));
    assert_eq!(journal.events("run").unwrap().len(), 1);

    journal.connection().query_row("PRAGMA max_page_count = 100000", [], |_| Ok(())).unwrap();
    assert_eq!(journal.append("run", 1, &[json!("small"), large], 3).unwrap(), 3);
    let whole: String = journal.connection().query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(whole, "ok");
}

#[test]
fn the_file_writes_ahead_synchronizes_fully_and_is_its_owners() {
    let (folder, journal) = journal();
    let mode: String = journal.connection().query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
    let synchronous: i64 = journal.connection().query_row("PRAGMA synchronous", [], |row| row.get(0)).unwrap();
    assert_eq!((mode.as_str(), synchronous), ("wal", 2));
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let mode = std::os::unix::fs::PermissionsExt::mode(&file.unwrap().metadata().unwrap().permissions());
        assert_eq!(mode & 0o077, 0);
    }
}

#[test]
fn fences_grow_over_openers_and_names_are_apart() {
    let (folder, journal) = journal();
    let other = Journal::open(folder.path().join("journal.db")).unwrap();
    assert_eq!(
        [journal.next_fence("a"), other.next_fence("a"), journal.next_fence("a")].map(Result::unwrap),
        [1, 2, 3]
    );
    assert_eq!(other.next_fence("b").unwrap(), 1);
}

#[test]
fn facts_are_replaced_and_several_are_set_together() {
    let (_folder, journal) = journal();
    assert_eq!(journal.get_fact("live").unwrap(), None);
    journal.put_fact("live", b"one").unwrap();
    journal.put_many(&[("live", b"two"), ("offset", &[0, 255])]).unwrap();
    assert_eq!(journal.get_fact("live").unwrap().unwrap(), b"two");
    assert_eq!(journal.get_fact("offset").unwrap().unwrap(), [0, 255]);
}

#[test]
fn facts_are_found_by_how_their_names_begin_and_a_pattern_is_only_a_name() {
    let (_folder, journal) = journal();
    for name in ["record/b", "record/a", "records", "Record/c", "r%/x"] {
        journal.put_fact(name, name.as_bytes()).unwrap();
    }
    let names = |start: &str| journal.facts(start).unwrap().into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(names("record/"), ["record/a", "record/b"]);
    assert_eq!(names("r%"), ["r%/x"]);
    assert_eq!(names("x"), Vec::<String>::new());
}

#[test]
fn events_and_facts_of_one_append_are_kept_together_or_not_at_all() {
    let (_folder, journal) = journal();
    let live = |release: &[u8]| [("live".to_owned(), release.to_vec())];
    assert_eq!(journal.append_with("run", 0, &[json!(1)], &live(b"one"), 1).unwrap(), 1);
    let late = journal.append_with("run", 0, &[json!(2)], &live(b"two"), 2).unwrap_err();
    assert!(matches!(late, AppendError::Conflict { expected: 0, actual: 1, .. }), "{late}");
    assert_eq!(journal.get_fact("live").unwrap().unwrap(), b"one");
}

#[test]
fn evidence_is_found_by_its_digest_and_damage_is_seen() {
    let (_folder, journal) = journal();
    let digest = journal.put_blob(b"abc").unwrap();
    assert_eq!(digest, "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!(journal.put_blob(b"abc").unwrap(), digest);
    assert_eq!(journal.blob(&digest).unwrap().unwrap(), b"abc");
    assert_eq!(journal.blob("sha256:00").unwrap(), None);
    journal.connection().execute("UPDATE blobs SET bytes = x'00'", []).unwrap();
    assert!(matches!(journal.blob(&digest), Err(JournalError::Damaged { .. })));
}

/// A journal of the first format, as the version that knew only that one left it.
fn first_format(path: &std::path::Path) {
    let old = rusqlite::Connection::open(path).unwrap();
    old.execute_batch(schema::MIGRATIONS[0]).unwrap();
    old.execute_batch(&format!("PRAGMA application_id = {}; PRAGMA user_version = 1", schema::APPLICATION)).unwrap();
    old.execute("INSERT INTO events (run, version, at_ns, event) VALUES ('run', 1, 7, '\"old\"')", []).unwrap();
}

#[test]
fn an_older_journal_is_copied_and_brought_up_to_date_with_all_that_is_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    first_format(&path);
    // One that was interrupted before is in nobody's way.
    std::fs::write(folder.path().join("journal.db.format-1.part"), "half").unwrap();
    let journal = Journal::open(&path).unwrap();
    assert_eq!(journal.append("run", 1, &[json!("new")], 8).unwrap(), 2);
    let events: Vec<_> = journal.events("run").unwrap().into_iter().map(|event| (event.at_ns, event.event)).collect();
    assert_eq!(events, [(7, json!("old")), (8, json!("new"))]);
    assert!(journal.read(|connection| connection.prepare("SELECT mac FROM seals").map(drop)).is_ok());

    let copy = schema::backup(&path, 1);
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&copy).unwrap().permissions());
    assert_eq!(mode & 0o077, 0);
    let copied = rusqlite::Connection::open(&copy).unwrap();
    let of = |pragma: &str| copied.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!((of("user_version"), of("application_id")), (1, schema::APPLICATION));
    let events: i64 = copied.query_row("SELECT count(*) FROM events", [], |row| row.get(0)).unwrap();
    assert_eq!(events, 1);
    assert!(!folder.path().join("journal.db.format-1.part").exists());
}

#[test]
fn a_journal_that_cannot_be_copied_first_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    first_format(&path);
    std::fs::create_dir(schema::backup(&path, 1)).unwrap();
    let error = Journal::open(&path).unwrap_err().to_string();
    assert!(error.contains("cannot be copied to") && error.contains("nothing was changed"), "{error}");
    let old = rusqlite::Connection::open(&path).unwrap();
    let version: i64 = old.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    assert_eq!(version, 1);
}

#[test]
fn a_new_journal_and_one_that_is_up_to_date_are_not_copied() {
    let (folder, journal) = journal();
    drop(journal);
    drop(Journal::open(folder.path().join("journal.db")).unwrap());
    let copies = std::fs::read_dir(folder.path())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().contains("format"));
    assert_eq!(copies.count(), 0);
}
