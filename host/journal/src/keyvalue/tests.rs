//! What plugins keep: their own, in order, within the quota, for work that grows with what is written and no faster.

use rusqlite::StatementStatus;

use super::*;

const QUOTA: Quota = Quota { entries: 10_000, bytes: 1 << 20 };

fn journal() -> (tempfile::TempDir, Journal) {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path().join("journal.db")).unwrap();
    (folder, journal)
}

fn set(bucket: &str, key: impl Into<String>, value: &[u8]) -> Write {
    ((bucket.into(), key.into()), Some(value.to_vec()))
}

fn delete(bucket: &str, key: impl Into<String>) -> Write {
    ((bucket.into(), key.into()), None)
}

/// What SQLite did for a statement since it was asked last, in steps of its virtual machine.
fn steps(journal: &Journal, sql: &str) -> i32 {
    journal.connection().prepare_cached(sql).unwrap().reset_status(StatementStatus::VmStep)
}

#[test]
fn plugins_and_buckets_do_not_see_each_other() {
    let (_folder, journal) = journal();
    let (one, two) = (KeyValue::new(journal.clone(), "one"), KeyValue::new(journal, "two"));
    one.commit(&[set("b", "k", b"1")], QUOTA).unwrap();
    assert_eq!((two.get("b", "k").unwrap(), one.get("c", "k").unwrap()), (None, None));
    assert_eq!((two.keys("b", None, 9).unwrap().len(), one.keys("c", None, 9).unwrap().len()), (0, 0));
    two.commit(&[delete("b", "k")], QUOTA).unwrap();
    assert_eq!(one.get("b", "k").unwrap().unwrap(), b"1");
}

#[test]
fn keys_are_listed_in_the_order_of_their_bytes_from_where_the_page_before_ended() {
    let (_folder, journal) = journal();
    let store = KeyValue::new(journal, "p");
    let names = ["", "Z", "a", "a\0", "a\0b", "ab", "ä", "\u{1f980}"];
    store.commit(&names.map(|name| set("b", name, b"")), QUOTA).unwrap();
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = store.keys("b", after.as_deref(), 3).unwrap();
        assert!(page.len() <= 3);
        let Some(last) = page.last().cloned() else { break };
        after = Some(last);
        seen.extend(page);
    }
    assert_eq!(seen, names);
    assert_eq!(store.keys("b", Some("aa"), 2).unwrap(), ["ab", "ä"], "one that is not there is a place, too");
}

#[test]
fn more_than_the_quota_is_refused_and_nothing_of_the_call_is_kept() {
    let (_folder, journal) = journal();
    let store = KeyValue::new(journal, "greedy");
    let quota = Quota { entries: 2, bytes: 10 };
    store.commit(&[set("a", "k", &[0; 4])], quota).unwrap();
    let error = store.commit(&[set("b", "1", b""), set("b", "2", b"")], quota).unwrap_err().to_string();
    assert_eq!(error, "plugin 'greedy' would keep 3 entries, its quota is 2");
    assert_eq!(store.get("b", "1").unwrap(), None);
    let bytes = store.commit(&[set("b", "ä", &[0; 4])], quota);
    assert!(matches!(bytes, Err(KeyValueError::TooManyBytes { would: 11, .. })), "{bytes:?}");
    store.commit(&[set("b", "1", &[0; 4])], quota).unwrap();
    // One for another is no more than before.
    store.commit(&[delete("a", "k"), set("b", "2", &[0; 4])], quota).unwrap();
    // A raised quota takes what was refused; under a lowered one, there is room to be made.
    store.commit(&[set("b", "3", &[0; 40])], Quota { entries: 3, bytes: 100 }).unwrap();
    assert!(store.commit(&[set("b", "3", &[0; 39])], quota).is_err());
    store.commit(&[delete("b", "3")], quota).unwrap();
}

#[test]
fn the_work_of_a_commit_and_of_a_page_grows_with_what_they_write_and_list() {
    const KEYS_WRITTEN: i32 = 10_000;
    let (_folder, journal) = journal();
    let store = KeyValue::new(journal.clone(), "p");
    let writes: Vec<Write> = (0..KEYS_WRITTEN).map(|n| set("b", format!("{n:05}"), b"value")).collect();
    store.commit(&writes, QUOTA).unwrap();
    let (setting, counting) = (steps(&journal, SET), steps(&journal, USAGE));
    assert!((KEYS_WRITTEN..100 * KEYS_WRITTEN).contains(&setting), "{setting}");
    assert!((KEYS_WRITTEN..50 * KEYS_WRITTEN).contains(&counting), "{counting}");

    // The last page is as cheap as the first: what comes before is not looked at.
    assert_eq!(store.keys("b", None, 100).unwrap().len(), 100);
    let first = steps(&journal, KEYS);
    assert_eq!(store.keys("b", Some("09899"), 100).unwrap().first().unwrap(), "09900");
    let last = steps(&journal, KEYS_AFTER);
    assert!((100..2000).contains(&first) && (100..2000).contains(&last), "{first} {last}");
}
