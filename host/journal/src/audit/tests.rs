//! What is sealed comes back; whatever is changed or removed is found and named.

use std::{borrow::Cow, fs, os::unix::fs::PermissionsExt};

use serde_json::json;

use super::*;

const AT: u64 = 1_700_000_000_000_000_000;

struct Place {
    folder: tempfile::TempDir,
    journal: Journal,
    log: AuditLog,
}

fn operation(summary: &str, allowed: bool) -> Operation {
    Operation {
        operation: Cow::Borrowed("open"),
        summary: summary.to_owned(),
        allowed,
        at_ns: 1,
        duration_ns: 2,
        bytes: 3,
        count: 4,
        reason: (!allowed).then(|| "not granted".to_owned()),
    }
}

fn call(operations: usize) -> Entry {
    Entry::Call(Call {
        plugin: "p".to_owned(),
        digest: "blake3:00".to_owned(),
        interface: Some(Cow::Borrowed("check")),
        function: Cow::Borrowed("check"),
        calls: 1,
        at_ns: AT,
        wall_ns: 10,
        guest_ns: 5,
        failure: None,
        operations: (0..operations).map(|n| operation(&format!("/before/{n}"), n % 2 == 0)).collect(),
        further: 0,
        used: [(Cow::Borrowed("files"), 2)].into(),
        recording: None,
    })
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(folder.path().join("journal.db")).unwrap();
        let log = AuditLog::new(journal.clone());
        Self { folder, journal, log }
    }

    /// Appends events to the run and seals them with a call.
    fn stage(&self, run: &str, stage: &str, events: u64) -> Head {
        let version = self.journal.events(run).unwrap().len() as u64;
        let values: Vec<_> = (0..events).map(|n| json!({ "type": "judged", "n": n, "stage": stage })).collect();
        let through = self.journal.append(run, version, &values, AT).unwrap();
        let mut entries = vec![call(3)];
        for (recorded, digest) in self.log.unsealed(run, through).unwrap() {
            entries.push(Entry::Event(EventRecord {
                sequence: recorded.sequence,
                version: recorded.version,
                at_ns: recorded.at_ns,
                event: recorded.event["type"].as_str().unwrap_or("evidence").to_owned(),
                digest,
                decision: Some("passed".to_owned()),
                by: None,
                summary: String::new(),
            }));
        }
        let (run, stage) = (run.to_owned(), stage.to_owned());
        let made = self.log.seal(&Seal { run, stage, version: through, at_ns: AT, entries }).unwrap();
        assert!(made.unnoted.is_none());
        made.head
    }

    /// Three seals of one run and one of another.
    fn filled() -> Self {
        let place = Self::new();
        place.stage("a-1", "fix", 2);
        place.stage("a-1", "checks", 1);
        place.stage("b-1", "fix", 1);
        place.stage("a-1", "rollout", 3);
        place
    }

    fn sql(&self, sql: &str) {
        self.journal.connection().execute_batch(sql).unwrap();
    }

    fn found(&self) -> String {
        self.log.verify(None).unwrap().expect_err("a break is found").to_string()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

#[test]
fn what_was_sealed_comes_back_and_is_unbroken() {
    let place = Place::filled();
    let verified = place.log.verify(None).unwrap().unwrap();
    assert_eq!((verified.seals, verified.records, verified.runs), (4, 4 * 4 + 7, 2));
    assert_eq!((verified.head, verified.unsealed), (place.log.head().unwrap(), vec![]));
    let mut stages = Vec::new();
    place
        .log
        .each(Some("a-1"), |sealed| stages.push((sealed.sequence, sealed.seal.stage, sealed.seal.entries[0].clone())))
        .unwrap();
    assert_eq!(stages, [(1, "fix".into(), call(3)), (2, "checks".into(), call(3)), (4, "rollout".into(), call(3))]);
    assert_eq!(place.log.last_of("a-1").unwrap().unwrap().seal.version, 6);
    assert!(place.log.last_of("c-1").unwrap().is_none());

    place.journal.append("a-1", 6, &[json!({ "type": "finished" })], AT).unwrap();
    let verified = place.log.verify(None).unwrap().unwrap();
    assert_eq!(verified.unsealed, [Unsealed { run: "a-1".into(), events: 1 }]);
}

#[test]
fn what_is_put_after_the_end_of_a_run_is_found() {
    let place = Place::filled();
    place.journal.append("a-1", 6, &[json!({ "type": "finished" })], AT).unwrap();
    place.stage("a-1", "ending", 0);
    assert!(place.log.verify(None).unwrap().is_ok());
    // What is not over goes on.
    place.journal.append("b-1", 1, &[json!({ "type": "judged" })], AT).unwrap();
    assert!(place.log.verify(None).unwrap().is_ok());
    place.journal.append("a-1", 7, &[json!({ "type": "approved" })], AT).unwrap();
    assert_eq!(place.found(), "run a-1 has 1 events that were put after its end, which seal 5 has: no host did that");
    // Nor does a seal over it make it whole.
    place.stage("a-1", "later", 0);
    assert!(place.found().contains("(approved, version 8 of the run) comes after the run's end"), "{}", place.found());
}

#[test]
fn whatever_is_changed_or_removed_is_found_and_named() {
    for (change, found) in [
        (
            "UPDATE seals SET entries = zeroblob(length(entries)) WHERE sequence = 2",
            "seal 2 (run a-1, stage checks): it was changed",
        ),
        ("UPDATE seals SET run = 'b-1' WHERE sequence = 1", "seal 1 (run b-1, stage fix): it was changed"),
        ("UPDATE seals SET stage = 'fix' WHERE sequence = 2", "seal 2 (run a-1, stage fix): it was changed"),
        ("UPDATE seals SET at_ns = at_ns + 1 WHERE sequence = 2", "seal 2 (run a-1, stage checks): it was changed"),
        ("UPDATE seals SET records = records - 1 WHERE sequence = 3", "seal 3 (run b-1, stage fix): it was changed"),
        ("UPDATE seals SET version = -1 WHERE sequence = 3", "seal 3 (run b-1, stage fix): it was changed"),
        (
            "UPDATE seals SET previous = zeroblob(32) WHERE sequence = 2",
            "seal 2 (run a-1, stage checks): it was changed",
        ),
        ("UPDATE seals SET hash = zeroblob(32) WHERE sequence = 4", "seal 4 (run a-1, stage rollout): it was changed"),
        (
            "UPDATE seals SET mac = zeroblob(32) WHERE sequence = 4",
            "seal 4 (run a-1, stage rollout): it was not sealed with",
        ),
        ("DELETE FROM seals WHERE sequence = 2", "seal 2: it is missing"),
        ("DELETE FROM seals WHERE sequence < 3", "seal 1: it and those up to 2 are missing"),
        ("DELETE FROM seals WHERE sequence = 4", "seal 4: it is missing of 4 that this host made"),
        ("DELETE FROM seals", "seal 1: it and those up to 4 are missing of 4 that this host made"),
        (
            "UPDATE seals SET sequence = 99 WHERE sequence = 2; UPDATE seals SET sequence = 2 WHERE sequence = 3;
             UPDATE seals SET sequence = 3 WHERE sequence = 99",
            "seal 2 (run b-1, stage fix): it was changed",
        ),
        (
            "INSERT INTO seals SELECT 0, run, stage, version, at_ns, records, entries, previous, hash, mac FROM seals
             WHERE sequence = 1",
            "seal 0 (run a-1, stage fix): it is none of the host's",
        ),
        (
            "INSERT INTO seals SELECT 5, run, stage, version, at_ns, records, entries, previous, hash, mac FROM seals
             WHERE sequence = 4",
            "seal 5 (run a-1, stage rollout): it was changed",
        ),
        (
            "UPDATE events SET event = replace(event, '0', '9') WHERE sequence = 1",
            "seal 1 (run a-1, stage fix): event 1 (judged, version 1 of the run) was changed in the journal",
        ),
        (
            "UPDATE events SET at_ns = at_ns - 1 WHERE sequence = 4",
            "seal 3 (run b-1, stage fix): event 4 (judged, version 1 of the run) was changed in the journal",
        ),
        (
            "DELETE FROM events WHERE sequence = 7",
            "seal 4 (run a-1, stage rollout): event 7 (judged, version 6 of the run) was removed from the journal",
        ),
        (
            "INSERT INTO events (run, version, at_ns, event) VALUES ('a-1', -1, 0, '{}')",
            "run a-1 has events that were put between those that were sealed",
        ),
    ] {
        let place = Place::filled();
        place.sql(change);
        let broken = place.found();
        assert!(broken.starts_with(found), "{change}: {broken}");
    }
}

#[test]
fn a_row_whose_hashes_were_made_again_is_told_by_the_key() {
    let place = Place::filled();
    let sealed = place.log.last_of("a-1").unwrap().unwrap();
    let entries = entries::pack(&[call(1)]).unwrap();
    let previous: Vec<u8> =
        place.journal.read(|c| c.query_row("SELECT hash FROM seals WHERE sequence = 3", [], |row| row.get(0))).unwrap();
    let Seal { run, stage, version, at_ns, .. } = sealed.seal;
    let (hash, mac) = (vec![], vec![0; 32]);
    let mut row = Row { sequence: 4, run, stage, version, at_ns, records: 2, entries, previous, hash, mac };
    row.hash = row.digest().to_vec();
    place.sql("DELETE FROM seals WHERE sequence = 4");
    row.insert(&place.journal.connection()).unwrap();
    assert!(place.found().starts_with("seal 4 (run a-1, stage rollout): it was not sealed with this host's key"));
}

#[test]
fn evidence_of_an_event_is_verified_with_it() {
    for (change, found) in [("DELETE FROM blobs", "was removed"), ("UPDATE blobs SET bytes = x'00'", "was changed")] {
        let place = Place::new();
        let digest = place.journal.put_blob(b"large").unwrap();
        place.journal.append("a-1", 0, &[json!({ "evidence": digest })], AT).unwrap();
        place.stage("a-1", "fix", 0);
        assert!(place.log.verify(None).unwrap().is_ok());
        place.sql(change);
        let broken = place.found();
        assert!(broken.contains("the evidence sha256:") && broken.contains(found), "{broken}");
    }
}

#[test]
fn sealing_on_hides_nothing_that_was_cut_off() {
    let place = Place::filled();
    place.sql("DELETE FROM seals WHERE sequence > 2");
    place.stage("b-1", "checks", 1);
    assert!(place.found().starts_with("seal 3: it and those up to 4 are missing"), "{}", place.found());

    let place = Place::filled();
    place.sql("DELETE FROM seals WHERE sequence = 4");
    fs::remove_file(place.path(HEAD_FILE)).unwrap();
    assert!(place.found().contains("audit.head, which names the last seal, is missing"), "{}", place.found());
    place.stage("b-1", "checks", 1);
    let broken = place.found();
    assert!(broken.contains("was missing when this was sealed: seals after 3 may have been removed"), "{broken}");
}

#[test]
fn a_head_that_was_noted_elsewhere_finds_what_the_hosts_own_user_made_up() {
    let place = Place::filled();
    let noted = place.log.head().unwrap().unwrap();
    let noted: Head = noted.to_string().parse().unwrap();
    place.stage("a-1", "ending", 1);
    assert!(place.log.verify(Some(noted)).unwrap().is_ok());

    // Everything is thrown away and made anew with the host's own key.
    place.sql("DELETE FROM seals; DELETE FROM events");
    fs::remove_file(place.path(HEAD_FILE)).unwrap();
    place.stage("a-1", "fix", 1);
    assert!(place.log.verify(None).unwrap().is_ok());
    let broken = place.log.verify(Some(noted)).unwrap().unwrap_err().to_string();
    assert!(broken.starts_with("seal 2: it and those up to 4 are missing of 4 that were expected"), "{broken}");
    for _ in 0..3 {
        place.stage("a-1", "fix", 1);
    }
    let broken = place.log.verify(Some(noted)).unwrap().unwrap_err().to_string();
    assert!(broken.starts_with("seal 4 (run a-1, stage fix): it is another than was expected"), "{broken}");

    for wrong in ["", "4", "4:abc", "x:0000"] {
        let error = wrong.parse::<Head>().unwrap_err().to_string();
        assert!(error.contains("is no head of an audit"), "{error}");
    }
}

#[test]
fn a_host_that_ended_before_it_noted_the_head_broke_nothing() {
    let place = Place::filled();
    let noted = fs::read(place.path(HEAD_FILE)).unwrap();
    place.stage("a-1", "ending", 1);
    fs::write(place.path(HEAD_FILE), noted).unwrap();
    assert_eq!(place.log.verify(None).unwrap().unwrap().seals, 5);
    place.stage("a-1", "finished", 1);
    assert_eq!(place.log.verify(None).unwrap().unwrap().seals, 6);
}

#[test]
fn a_head_that_was_half_written_leaves_the_one_before() {
    let place = Place::filled();
    let whole = fs::read(place.path(HEAD_FILE)).unwrap();
    // The fourth head is in the first of the two lines.
    for length in [1, 10, 100] {
        let mut torn = whole.clone();
        torn[..length].fill(b'#');
        fs::write(place.path(HEAD_FILE), &torn).unwrap();
        assert_eq!(place.log.verify(None).unwrap().unwrap().seals, 4);
    }
    place.sql("DELETE FROM seals WHERE sequence > 2");
    assert!(place.found().starts_with("seal 3: it is missing of 3 that this host made"), "{}", place.found());
}

#[test]
fn the_key_and_the_head_are_their_owners_alone_and_a_key_that_is_not_is_refused() {
    let place = Place::filled();
    for name in [KEY_FILE, HEAD_FILE] {
        assert_eq!(fs::metadata(place.path(name)).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
    }
    let key = place.path(KEY_FILE);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    let error = place.log.verify(None).unwrap_err().to_string();
    assert!(error.contains("audit.key cannot be used: other users may read or write it"), "{error}");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let bytes = fs::read(&key).unwrap();
    fs::write(&key, b"short").unwrap();
    let error = place.log.seal(&Seal::default()).unwrap_err().to_string();
    assert!(error.contains("it has 5 bytes instead of 32"), "{error}");
    fs::write(&key, [7; 32]).unwrap();
    assert!(place.found().contains("seal 1 (run a-1, stage fix): it was not sealed with this host's key"));
    fs::remove_file(&key).unwrap();
    assert!(place.found().contains("seal 1 (run a-1, stage fix): the key audit.key"));
    fs::write(&key, bytes).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(place.log.verify(None).unwrap().is_ok());
}

#[test]
fn another_process_verifies_while_this_one_seals() {
    let place = Place::filled();
    std::thread::scope(|scope| {
        let path = place.path("journal.db");
        let reader = scope.spawn(move || {
            let log = AuditLog::new(Journal::open(path).unwrap());
            (0..20).map(|_| log.verify(None).unwrap().unwrap().seals).max()
        });
        for _ in 0..20 {
            place.stage("b-1", "checks", 1);
        }
        assert!(reader.join().unwrap() >= Some(4));
    });
    assert_eq!(place.log.verify(None).unwrap().unwrap().seals, 24);
}

#[test]
fn a_full_disk_seals_nothing_and_breaks_nothing() {
    let place = Place::filled();
    let pages: i64 = place.journal.connection().query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    let limit = |pages: i64| {
        place.journal.connection().query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(())).unwrap();
    };
    limit(pages);
    // Unlike each other, so that compression leaves much of it.
    let note = |n: u64| blake3::hash(&n.to_le_bytes()).to_hex().to_string();
    let entries =
        (0..5000).map(|n| Entry::Note(Note { at_ns: n, what: "x".into(), by: None, summary: note(n) })).collect();
    let seal = Seal { run: "a-1".into(), stage: "ending".into(), version: 6, at_ns: AT, entries };
    let error = place.log.seal(&seal).unwrap_err();
    assert!(matches!(error, AuditError::Journal(JournalError::Full { .. })), "{error}");
    assert_eq!(place.log.verify(None).unwrap().unwrap().seals, 4);
    limit(100_000);
    place.log.seal(&seal).unwrap();
    assert_eq!(place.log.verify(None).unwrap().unwrap().seals, 5);
}

#[test]
fn a_journal_of_the_format_before_gains_the_audit_and_keeps_its_events() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    fs::write(&path, include_bytes!("../../tests/fixtures/format-1.db")).unwrap();
    let journal = Journal::open(&path).unwrap();
    assert_eq!(journal.events("old-1").unwrap().len(), 2);
    let log = AuditLog::new(journal.clone());
    let verified = log.verify(None).unwrap().unwrap();
    assert_eq!((verified.seals, verified.unsealed), (0, vec![Unsealed { run: "old-1".into(), events: 2 }]));
    assert_eq!(log.unsealed("old-1", 2).unwrap().len(), 2);
    assert_eq!(journal.next_fence("effects").unwrap(), 5);
    let place = Place { folder, journal, log };
    place.stage("old-1", "rollout", 0);
    assert_eq!(place.log.verify(None).unwrap().unwrap().unsealed, []);
}

#[test]
fn a_purpose_has_a_secret_of_its_own_that_stays() {
    let place = Place::new();
    let secret = place.log.secret("links").unwrap();
    assert_eq!(AuditLog::new(place.journal.clone()).secret("links").unwrap(), secret);
    assert_ne!(place.log.secret("other").unwrap(), secret);
    assert_ne!(Place::new().log.secret("links").unwrap(), secret);
    assert_ne!(fs::read(place.folder.path().join("audit.key")).unwrap(), secret);
}

#[test]
fn events_that_are_forgotten_on_purpose_break_nothing_and_are_told() {
    let place = Place::filled();
    let digest = place.journal.put_blob(b"large").unwrap();
    let shared = place.journal.put_blob(b"of two runs").unwrap();
    for (run, digest) in [("old-1", &digest), ("old-1", &shared), ("b-1", &shared)] {
        let version = place.journal.events(run).unwrap().len() as u64;
        place.journal.append(run, version, &[json!({ "evidence": digest })], AT).unwrap();
        place.stage(run, "ending", 1);
    }
    let before = place.log.verify(None).unwrap().unwrap();
    assert_eq!(before.forgotten, []);
    let expected = place.log.forgettable("old-1").unwrap().unwrap();
    assert_eq!(expected.events, 4);
    assert_eq!(place.log.forget("old-1", AT, "it ended long ago").unwrap(), expected);
    assert_eq!(place.journal.events("old-1").unwrap(), []);
    assert_eq!((place.journal.blob(&digest).unwrap(), place.journal.blob(&shared).unwrap().is_some()), (None, true));

    let after = place.log.verify(None).unwrap().unwrap();
    assert_eq!((after.seals, after.forgotten.len()), (before.seals + 1, 1));
    assert_eq!(
        (after.forgotten[0].run.as_str(), after.forgotten[0].events, after.forgotten[0].seal),
        ("old-1", 4, after.seals)
    );
    assert!(place.log.names().unwrap().contains(&"old-1".to_owned()), "its name is not given again");
    // Nothing more to do, and no second record.
    assert_eq!(place.log.forget("old-1", AT, "again").unwrap(), Forgotten::default());
    assert_eq!(place.log.verify(None).unwrap().unwrap().seals, after.seals);
}

#[test]
fn a_host_that_ended_before_the_events_went_lets_them_go_the_next_time() {
    let place = Place::filled();
    let note = Note { at_ns: AT, what: EVENTS_FORGOTTEN.into(), by: None, summary: String::new() };
    let version = place.log.version_of("b-1").unwrap();
    let seal =
        Seal { run: "b-1".into(), stage: "retention".into(), version, at_ns: AT, entries: vec![Entry::Note(note)] };
    let made = place.log.seal(&seal).unwrap();
    assert!(place.log.verify(None).unwrap().is_ok());
    assert!(place.log.forget("b-1", AT, "again").unwrap().events > 0);
    assert_eq!(place.log.verify(None).unwrap().unwrap().seals, made.head.seals);
}

#[test]
fn what_goes_without_a_record_of_the_hosts_own_is_found_all_the_same() {
    let place = Place::filled();
    place.stage("old-1", "fix", 3);
    place.log.forget("old-1", AT, "it ended long ago").unwrap();
    // Of another run, and of a run whose record somebody else made.
    place.sql("DELETE FROM events WHERE run = 'b-1'");
    assert!(place.found().contains("was removed from the journal"), "{}", place.found());

    let place = Place::filled();
    place.stage("old-1", "fix", 3);
    let sealed = place.log.last_of("old-1").unwrap().unwrap();
    let entries = entries::pack(&[Entry::Note(Note {
        at_ns: AT,
        what: EVENTS_FORGOTTEN.into(),
        by: None,
        summary: String::new(),
    })])
    .unwrap();
    let previous: Vec<u8> = place
        .journal
        .read(|c| c.query_row("SELECT hash FROM seals ORDER BY sequence DESC LIMIT 1", [], |row| row.get(0)))
        .unwrap();
    let (run, stage, hash, mac) = ("old-1".to_owned(), "retention".to_owned(), vec![], vec![0; 32]);
    let (sequence, version) = (sealed.sequence + 1, sealed.seal.version);
    let mut row = Row { sequence, run, stage, version, at_ns: AT, records: 1, entries, previous, hash, mac };
    row.hash = row.digest().to_vec();
    row.insert(&place.journal.connection()).unwrap();
    place.sql("DELETE FROM events WHERE run = 'old-1'");
    assert!(place.found().contains("was removed from the journal"), "{}", place.found());

    // Only some of what is on record as forgotten.
    let place = Place::filled();
    place.stage("old-1", "fix", 3);
    place.log.forget("old-1", AT, "it ended long ago").unwrap();
    place.sql("INSERT INTO events (run, version, at_ns, event) VALUES ('old-1', 2, 0, '{}')");
    assert!(place.found().contains("events that were put between"), "{}", place.found());
}
