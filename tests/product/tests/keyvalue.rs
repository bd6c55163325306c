//! What plugins store is kept beside the calls of others, not before them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use autodevops_policy::{Grant, Limit};
use autodevops_product_tests::{Probe, memory::Memory};
use autodevops_sandbox::{CallFailure, Kept, KeyValueStore, NotKept, Write};

/// A store whose commits wait until they are let go.
struct Held {
    kept: Memory,
    begun: tokio::sync::mpsc::UnboundedSender<()>,
    go_on: Mutex<mpsc::Receiver<()>>,
}

impl KeyValueStore for Held {
    fn get(&self, plugin: &str, bucket: &str, key: &str) -> Result<Option<Vec<u8>>, String> {
        self.kept.get(plugin, bucket, key)
    }

    fn keys(&self, plugin: &str, bucket: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>, String> {
        self.kept.keys(plugin, bucket, after, limit)
    }

    fn commit(&self, plugin: &str, writes: &[Write], most: Kept) -> Result<(), NotKept> {
        let _ = self.begun.send(());
        let waited = self.go_on.lock().unwrap().recv_timeout(Duration::from_secs(60));
        waited.map_err(|_| NotKept::Failed("nobody else was served meanwhile".into()))?;
        self.kept.commit(plugin, writes, most)
    }
}

/// On one thread, so that a commit that held it would hold all of them.
#[tokio::test(flavor = "current_thread")]
async fn an_honest_call_is_served_while_anothers_writes_are_made_durable() {
    let (begun, mut begins) = tokio::sync::mpsc::unbounded_channel();
    let (go, go_on) = mpsc::channel();
    let mut probe = Probe::new();
    probe.grant = Grant { keyvalue: true, ..Grant::default() };
    probe.keyvalue = Some(Arc::new(Held { kept: Memory::default(), begun, go_on: Mutex::new(go_on) }));
    let honest = async {
        begins.recv().await.unwrap();
        let served = probe.call("answer", "").await.unwrap().summary;
        go.send(()).unwrap();
        served
    };
    let (kept, served) = tokio::join!(probe.call("keep", "a"), honest);
    assert_eq!(served, "2 files");
    assert_eq!(kept.unwrap().summary, "");
    go.send(()).unwrap();
    assert_eq!(probe.call("keep", "b").await.unwrap().summary, "a");
}

/// A store that is full.
struct Full(NotKept);

impl KeyValueStore for Full {
    fn get(&self, _: &str, _: &str, _: &str) -> Result<Option<Vec<u8>>, String> {
        Ok(None)
    }

    fn keys(&self, _: &str, _: &str, _: Option<&str>, _: usize) -> Result<Vec<String>, String> {
        Ok(Vec::new())
    }

    fn commit(&self, _: &str, _: &[Write], most: Kept) -> Result<(), NotKept> {
        assert_eq!(most, Kept { entries: 7, bytes: 16 << 20 });
        Err(self.0.clone())
    }
}

#[tokio::test]
async fn what_goes_over_what_may_be_kept_is_told_with_the_limits_key() {
    for (not, said) in [
        (NotKept::TooManyEntries, "went over its limit of 7 keys kept; raise `limits.keyvalue-kept-entries`"),
        (NotKept::TooManyBytes, "went over its limit of 16 MiB kept in keys; raise `limits.keyvalue-kept-bytes`"),
    ] {
        let mut probe = Probe::new().with_limits(|limits| limits.keyvalue_kept_entries = 7);
        probe.grant = Grant { keyvalue: true, ..Grant::default() };
        probe.keyvalue = Some(Arc::new(Full(not)));
        let error = probe.call("keep", "a").await.unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
        let CallFailure::OverLimit(over) = &error.failure else { panic!("{error}") };
        assert!(matches!(over.limit, Limit::KeyvalueKeptEntries | Limit::KeyvalueKeptBytes), "{error}");
    }
}
