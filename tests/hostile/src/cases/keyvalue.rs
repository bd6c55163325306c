//! The key-value store: without a grant, without end, and of somebody else.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use autodevops_policy::{Bytes, Limit, Limits};
use autodevops_sandbox::{Kept, KeyValueStore, NotKept, Write};

use crate::case::{Attempt, Case, Ending, Terms};

/// A store in memory.
#[derive(Default)]
pub struct Memory {
    kept: Mutex<BTreeMap<(String, String, String), Vec<u8>>>,
    /// A value of every plugin, where there is one.
    of_all: Option<&'static str>,
}

impl Memory {
    fn with<T>(&self, act: impl FnOnce(&mut BTreeMap<(String, String, String), Vec<u8>>) -> T) -> T {
        act(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl KeyValueStore for Memory {
    fn get(&self, plugin: &str, bucket: &str, key: &str) -> Result<Option<Vec<u8>>, String> {
        let found = self.with(|kept| kept.get(&(plugin.to_owned(), bucket.to_owned(), key.to_owned())).cloned());
        Ok(found.or_else(|| self.of_all.map(|value| value.as_bytes().to_vec())))
    }

    fn keys(&self, plugin: &str, bucket: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>, String> {
        Ok(self.with(|kept| {
            let own = kept.keys().filter(|(owner, within, _)| owner == plugin && within == bucket);
            let keys = own.map(|(_, _, key)| key).filter(|key| after.is_none_or(|after| key.as_str() > after));
            keys.take(limit).cloned().collect()
        }))
    }

    fn commit(&self, plugin: &str, writes: &[Write], most: Kept) -> Result<(), NotKept> {
        self.with(|kept| {
            let mut after = kept.clone();
            for ((bucket, key), value) in writes {
                let place = (plugin.to_owned(), bucket.clone(), key.clone());
                match value {
                    Some(value) => after.insert(place, value.clone()),
                    None => after.remove(&place),
                };
            }
            let own = || after.iter().filter(|((owner, ..), _)| owner == plugin);
            if own().count() as u64 > most.entries {
                return Err(NotKept::TooManyEntries);
            }
            if own().map(|((_, _, key), value)| (key.len() + value.len()) as u64).sum::<u64>() > most.bytes {
                return Err(NotKept::TooManyBytes);
            }
            *kept = after;
            Ok(())
        })
    }
}

/// All of them.
pub fn cases() -> Vec<Case> {
    floods().into_iter().chain(others()).collect()
}

fn intruder(name: &str, promise: &'static str, act: &str, argument: &str, fails: Ending) -> Case {
    let (act, argument) = (format!("keyvalue {act}"), argument.to_owned());
    Case::new(name, promise, "intruder", fails).given(move |terms| {
        terms.config.insert("act".into(), act.clone());
        terms.config.insert("argument".into(), argument.clone());
        terms.keyvalue = Some(Arc::new(Memory::default()));
    })
}

fn granted(terms: &mut Terms) {
    terms.grant.keyvalue = true;
}

/// A call that failed keeps nothing.
fn nothing_kept(attempt: &Attempt) -> Result<(), String> {
    let Some(store) = &attempt.terms.keyvalue else { return Err("there is no store".to_owned()) };
    match store.keys(&attempt.plugin, "b", None, 1)? {
        keys if keys.is_empty() => Ok(()),
        keys => Err(format!("{keys:?} of a failed call is kept")),
    }
}

fn floods() -> Vec<Case> {
    let bytes = |name: &str, act: &str, argument: &str, said: &str| {
        intruder(name, "limits/keyvalue-bytes", act, argument, Ending::Over(Limit::KeyvalueBytes))
            .given(granted)
            .held(|terms| terms.limits().keyvalue_bytes = Bytes(10_000))
            .and(nothing_kept)
            .raised(|_| {}, Ending::Says(said.into()))
    };
    let entries = |name: &str, act: &str| {
        intruder(name, "limits/keyvalue-entries", act, "b|100", Ending::Over(Limit::KeyvalueEntries))
            .given(granted)
            .held(|terms| terms.limits().keyvalue_entries = 20)
            .and(nothing_kept)
            .raised(|_| {}, Ending::Says("all done".into()))
    };
    // Found when the call has ended: nothing is kept, as of any failed call.
    let kept = |name: &str, limit: Limit, lower: fn(&mut Limits)| {
        let promise = if limit == Limit::KeyvalueKeptBytes {
            "limits/keyvalue-kept-bytes"
        } else {
            "limits/keyvalue-kept-entries"
        };
        intruder(name, promise, "many-keys", "b|100", Ending::Over(limit))
            .given(granted)
            .held(move |terms| lower(terms.limits()))
            .and(nothing_kept)
            .raised(|_| {}, Ending::Says("all done".into()))
    };
    vec![
        bytes("a large value", "set", "b|k|100000", "set"),
        intruder(
            "a large key",
            "limits/keyvalue-key-bytes",
            "long-key",
            "b|1025",
            Ending::Over(Limit::KeyvalueKeyBytes),
        )
        .given(granted)
        .and(nothing_kept)
        .raised(|terms| terms.limits().keyvalue_key_bytes = Bytes(1025), Ending::Says("set".into())),
        bytes("one key, over and over", "one-key-often", "b|100", "all done"),
        entries("a flood of keys", "many-keys"),
        entries("a flood of keys that are removed", "many-deletes"),
        kept("more keys than it may keep", Limit::KeyvalueKeptEntries, |limits| limits.keyvalue_kept_entries = 99),
        kept("more bytes than it may keep", Limit::KeyvalueKeptBytes, |limits| {
            // `k0` to `k99`, and a byte of each.
            limits.keyvalue_kept_bytes = Bytes(10 * 3 + 90 * 4 - 1);
        }),
        intruder("a flood of buckets", "limits/resources", "many-buckets", "b|500", Ending::Over(Limit::Resources))
            .given(granted)
            .held(|terms| terms.limits().resources = 100)
            .raised(|_| {}, Ending::Says("500 open".into())),
        intruder(
            "a flood of reads of a key",
            "limits/host-calls",
            "many-reads",
            "b|500",
            Ending::Over(Limit::HostCalls),
        )
        .given(granted)
        .held(|terms| terms.limits().host_calls = 100)
        .raised(|_| {}, Ending::Says("all done".into())),
    ]
}

fn others() -> Vec<Case> {
    let another = |terms: &mut Terms| {
        let store = Memory::default();
        let place = ("another-plugin".to_owned(), "b".to_owned(), "k".to_owned());
        store.with(|kept| kept.insert(place, b"not for guests".to_vec()));
        terms.keyvalue = Some(Arc::new(store));
    };
    let own = |terms: &mut Terms| {
        terms.keyvalue = Some(Arc::new(Memory { of_all: Some("its own"), ..Memory::default() }));
    };
    let reads = |name: &str, argument: &str| {
        intruder(name, "keyvalue/own-only", "get", argument, Ending::Says("nothing".into()))
            .given(granted)
            .held(another)
            .raised(own, Ending::Says("its own".into()))
    };
    vec![
        intruder(
            "a store that was not granted",
            "nothing-by-default/keyvalue",
            "set",
            "b|k|10",
            Ending::Refuses("AccessDenied"),
        )
        .and(nothing_kept)
        .raised(granted, Ending::Says("set".into())),
        reads("another plugin's key", "b|k"),
        reads("another plugin's key, by its name in the bucket's", "another-plugin/b|k"),
        reads("another plugin's key, by a zero byte", "another-plugin%00b|k"),
        reads("another plugin's key, by `..`", "../another-plugin/b|k"),
    ]
}
