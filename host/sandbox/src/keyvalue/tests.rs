use std::{
    collections::BTreeSet,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use proptest::prelude::*;

use super::*;

const MOST: Kept = Kept { entries: u64::MAX, bytes: u64::MAX };

#[derive(Default)]
struct Memory {
    kept: Mutex<BTreeMap<(String, String), Vec<u8>>>,
    /// Keys that were listed.
    listed: AtomicUsize,
}

impl KeyValueStore for Memory {
    fn get(&self, _: &str, bucket: &str, key: &str) -> Result<Option<Vec<u8>>, String> {
        Ok(self.kept.lock().unwrap().get(&(bucket.into(), key.into())).cloned())
    }

    fn keys(&self, _: &str, bucket: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>, String> {
        let kept = self.kept.lock().unwrap();
        let keys = kept.keys().filter(|(of, key)| of == bucket && after.is_none_or(|after| key.as_str() > after));
        let keys: Vec<String> = keys.map(|(_, key)| key.clone()).take(limit).collect();
        self.listed.fetch_add(keys.len(), Relaxed);
        Ok(keys)
    }

    fn commit(&self, _: &str, writes: &[Write], _: Kept) -> Result<(), NotKept> {
        let mut kept = self.kept.lock().unwrap();
        for (key, value) in writes {
            match value {
                Some(value) => kept.insert(key.clone(), value.clone()),
                None => kept.remove(key),
            };
        }
        Ok(())
    }
}

fn overlay(store: &Arc<Memory>) -> Overlay {
    Overlay::new(Some(Arc::<Memory>::clone(store)), "p".into())
}

fn all(overlay: &mut Overlay, bucket: &str) -> Vec<String> {
    let (mut keys, mut cursor) = (Vec::new(), None);
    loop {
        let page = overlay.page(bucket, cursor).unwrap();
        keys.extend(page.keys);
        cursor = page.cursor;
        if cursor.is_none() {
            return keys;
        }
    }
}

fn number(of: usize) -> String {
    format!("{of:05}")
}

#[tokio::test]
async fn writes_are_seen_at_once_and_kept_only_by_a_commit() {
    let store = Arc::new(Memory::default());
    let mut first = overlay(&store);
    first.set("b", "k".into(), Some(vec![1])).unwrap();
    assert_eq!(first.get("b", "k"), Ok(Some(vec![1])));
    assert_eq!(all(&mut first, "b"), ["k"]);
    assert_eq!(overlay(&store).get("b", "k"), Ok(None));
    first.commit(MOST).await.unwrap();
    assert_eq!(overlay(&store).get("b", "k"), Ok(Some(vec![1])));
    let mut second = overlay(&store);
    second.set("b", "k".into(), None).unwrap();
    assert!(all(&mut second, "b").is_empty());
}

#[tokio::test]
async fn a_page_reads_of_what_is_kept_a_page_and_no_more() {
    let store = Arc::new(Memory::default());
    let mut call = overlay(&store);
    (0..5000).for_each(|n| call.set("b", number(n), Some(vec![])).unwrap());
    call.commit(MOST).await.unwrap();
    let mut call = overlay(&store);
    let (mut seen, mut cursor, mut pages) = (0, None, 0);
    loop {
        let page = call.page("b", cursor).unwrap();
        assert!(page.keys.iter().cloned().eq((seen..seen + page.keys.len()).map(number)));
        (seen, cursor, pages) = (seen + page.keys.len(), page.cursor, pages + 1);
        assert!(store.listed.swap(0, Relaxed) <= KEYS_PER_PAGE + 1);
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!((seen, pages), (5000, 5));
}

#[tokio::test]
async fn a_cursor_holds_for_its_bucket_and_call_and_what_is_remembered_of_them_is_bounded() {
    let store = Arc::new(Memory::default());
    let mut call = overlay(&store);
    for bucket in 0..=MAX_LISTINGS {
        (0..=KEYS_PER_PAGE).for_each(|n| call.set(&bucket.to_string(), number(n), Some(vec![])).unwrap());
    }
    let mut cursors = Vec::new();
    for bucket in 0..=MAX_LISTINGS {
        cursors.push(call.page(&bucket.to_string(), None).unwrap().cursor);
    }
    assert_eq!(call.listings.len(), MAX_LISTINGS);
    // Each again, and twice: none is lost by that.
    for _ in 0..2 {
        assert_eq!(call.page("1", None).unwrap().cursor, cursors[1]);
        assert_eq!(call.page("1", cursors[1]).unwrap().keys, [number(KEYS_PER_PAGE)]);
    }
    assert_eq!(call.listings.len(), MAX_LISTINGS);
    let error = call.page("0", cursors[0]).err().unwrap();
    assert_eq!(error, "no listing of this call goes on at 1000; list from the start");
    assert!(call.page("none", cursors[1]).is_err());
    call.commit(MOST).await.unwrap();
    assert!(overlay(&store).page("1", cursors[1]).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn a_call_lists_what_a_plain_map_would_whatever_it_wrote(
        kept in prop::collection::btree_set(0usize..60, 0..60),
        writes in prop::collection::vec((0usize..60, any::<bool>()), 0..60),
        after in prop::option::of(0usize..60),
        limit in 1usize..12,
    ) {
        let store = Arc::new(Memory::default());
        {
            let mut values = store.kept.lock().unwrap();
            values.extend(kept.iter().map(|key| (("b".to_owned(), number(*key)), vec![])));
            // The neighbours are not its business.
            values.insert(("a".to_owned(), "z".to_owned()), vec![]);
            values.insert(("c".to_owned(), String::new()), vec![]);
        }
        let mut plain: BTreeSet<usize> = kept;
        let mut call = overlay(&store);
        call.set("a", "zz".into(), Some(vec![])).unwrap();
        call.set("bb", number(3), Some(vec![])).unwrap();
        for (key, is_set) in writes {
            call.set("b", number(key), is_set.then(Vec::new)).unwrap();
            if is_set { plain.insert(key) } else { plain.remove(&key) };
        }
        let expected: Vec<String> =
            plain.into_iter().filter(|key| after.is_none_or(|after| *key > after)).map(number).take(limit).collect();
        let after = after.map(number);
        prop_assert_eq!(call.keys("b", after.as_deref(), limit).unwrap(), expected);
    }
}
