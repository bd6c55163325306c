//! Which faults a service is known to have, learnt over all sessions, so that a new one does not call all of them new.
//!
//! Kept for each kind of source (a log and its rotations, a deployment's pods): when each fault was first and last seen, and what
//! its fingerprint was made of. It ages by the logs' own time: what was not seen for some days leaves. All of it is bounded; what was
//! seen least recently leaves first, and from then on nothing is called new only because it is not here.

mod kind;

use std::collections::{BTreeMap, BTreeSet};

use autodevops_sdk::{Error, Result, keyvalue::Store};
use serde::{Deserialize, Serialize};

use self::kind::{Kind, kind_of};
use crate::{group::Group, time::SECOND};

/// Nanoseconds of a day.
const DAY: i64 = 86_400 * SECOND;
/// Most kinds of source.
const MAX_KINDS: usize = 64;
/// Most bytes of one kind's value.
const MAX_KIND_BYTES: usize = 64 << 10;
/// Most bytes of all: a session must not be kept from its work by what the host lets it write.
const MAX_BYTES: usize = 1 << 20;
/// Most bytes that one session writes: half of what the host lets one write.
const MAX_WRITTEN: usize = 4 << 20;

/// What the baseline says of a fault that a log tells of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Past {
    /// It was there before: since when, in nanoseconds, and by which fingerprint it was told of.
    Seen {
        /// See above.
        since: i64,
        /// See above.
        fingerprint: String,
    },
    /// It was not there since then, in nanoseconds.
    Unseen(i64),
    /// Nothing.
    Unknown,
}

/// The faults that are known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Baseline {
    kinds: BTreeMap<String, Kind>,
    /// Kinds that are no more, and may be in the store.
    gone: BTreeSet<String>,
    /// Bytes that this session wrote.
    #[serde(skip)]
    written: usize,
}

impl Baseline {
    /// What is in the store. A value that cannot be read is left out: it is learnt anew.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn load(store: &impl Store) -> Result<Self> {
        let mut kinds = BTreeMap::new();
        for key in store.keys()?.into_iter().take(MAX_KINDS) {
            match store.get(&key)?.map(|bytes| serde_json::from_slice(&bytes)) {
                Some(Ok(kind)) => drop(kinds.insert(key, kind)),
                Some(Err(error)) => {
                    log::warn!("the known faults of {key} cannot be read, and are learnt anew: {error}")
                }
                None => {}
            }
        }
        Ok(Self { kinds, ..Self::default() })
    }

    /// Removes all of it from the store.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub fn forget(store: &impl Store) -> Result<()> {
        store.keys()?.iter().try_for_each(|key| store.delete(key))
    }

    /// Writes what changed since it was written last.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn save(&mut self, store: &impl Store) -> Result<()> {
        for key in std::mem::take(&mut self.gone) {
            store.delete(&key)?;
        }
        for (key, kind) in self.kinds.iter_mut().filter(|(_, kind)| kind.changed) {
            let bytes = serde_json::to_vec(kind)
                .map_err(|error| Error::failure(format!("the known faults of {key} cannot be written: {error}")))?;
            if self.written + bytes.len() > MAX_WRITTEN {
                // The next session does.
                return Ok(());
            }
            store.set(key, &bytes)?;
            self.written += bytes.len();
            kind.changed = false;
        }
        Ok(())
    }

    /// What is known of a fault that was first seen at this time.
    pub fn past(&self, group: &Group) -> Past {
        let Some((first, _)) = group.times.filter(|_| group.dated) else { return Past::Unknown };
        let Some(kind) = self.kinds.get(&kind_of(source_of(group))) else { return Past::Unknown };
        match kind.find(group) {
            Some((fingerprint, fault)) if fault.first < first => {
                Past::Seen { since: fault.first, fingerprint: fingerprint.clone() }
            }
            Some(_) => Past::Unknown,
            None if !kind.full && first.saturating_sub(kind.since) >= DAY => Past::Unseen(kind.since),
            None => Past::Unknown,
        }
    }

    /// Learns the faults of sources that cover these times, and forgets what was not seen for so many days.
    pub fn learn<'a>(
        &mut self,
        sources: impl Iterator<Item = (&'a str, (i64, i64))>,
        groups: impl Iterator<Item = &'a Group>,
        days: u32,
    ) {
        for (source, (begin, end)) in sources {
            self.kinds.entry(kind_of(source)).or_insert_with(|| Kind::new(begin)).cover(begin, end);
        }
        for group in groups.filter(|group| group.dated) {
            let Some(times) = group.times else { continue };
            if let Some(kind) = self.kinds.get_mut(&kind_of(source_of(group))) {
                kind.learn(group, times);
            }
        }
        self.age(days);
        self.bound();
    }

    fn age(&mut self, days: u32) {
        let newest = self.kinds.values().map(|kind| kind.until).max().unwrap_or_default();
        // A log from long ago, read by hand, ages nothing: the newest of all counts.
        let oldest = newest.saturating_sub(i64::from(days).saturating_mul(DAY));
        for kind in self.kinds.values_mut() {
            kind.forget_before(oldest);
        }
        let left: Vec<String> =
            self.kinds.iter().filter(|(_, kind)| kind.until < oldest).map(|(key, _)| key.clone()).collect();
        left.into_iter().for_each(|key| self.leave_out(key));
    }

    fn leave_out(&mut self, key: String) {
        self.kinds.remove(&key);
        self.gone.insert(key);
    }

    fn bound(&mut self) {
        for kind in self.kinds.values_mut() {
            kind.shrink(MAX_KIND_BYTES);
        }
        while self.kinds.len() > MAX_KINDS {
            let Some(key) = self.kinds.iter().min_by_key(|(_, kind)| kind.until).map(|(key, _)| key.clone()) else {
                return;
            };
            self.leave_out(key);
        }
        let all: usize = self.kinds.values().map(Kind::bytes).sum();
        if all > MAX_BYTES {
            let share = MAX_BYTES / self.kinds.len().max(1);
            self.kinds.values_mut().for_each(|kind| kind.shrink(share));
        }
    }
}

/// The source in which a group was first seen.
fn source_of(group: &Group) -> &str {
    group.issue.evidence.first().map_or("", |line| line.source.as_str())
}

#[cfg(test)]
mod tests {
    use autodevops_sdk::keyvalue::Memory;

    use super::*;
    use crate::{Engine, Settings};

    /// A session over a log that ends with its checkpoint; its issues.
    fn session(store: &Memory, source: &str, log: &str) -> Vec<autodevops_sdk::types::Issue> {
        let mut engine = Engine::new(Settings::default()).knowing(Baseline::load(store).unwrap());
        engine.push(source, log.as_bytes());
        let issues = engine.issues();
        engine.learn().save(store).unwrap();
        issues
    }

    /// An hour of ordinary lines of a day in November, with a fault in the later half.
    fn log(day: u32, fault: &str) -> String {
        let line = |minute: u32| {
            let ordinary = format!("2026-11-{day:02}T10:{minute:02}:00Z INFO order {minute} received\n").repeat(5);
            let fault = if minute >= 40 {
                format!("2026-11-{day:02}T10:{minute:02}:30Z ERROR {fault}\n")
            } else {
                String::new()
            };
            ordinary + &fault
        };
        (0..60).map(line).collect()
    }

    use autodevops_sdk::types::IssueKind;

    #[test]
    fn a_fault_is_new_once_and_known_in_later_sessions() {
        let store = Memory::default();
        let first = session(&store, "app.log", &log(10, "disk is full"));
        assert_eq!((first.len(), first[0].kind), (1, IssueKind::NewPattern));
        // The log read again from its beginning comes to the same.
        assert_eq!(session(&store, "app.log", &log(10, "disk is full")), first);
        let later = session(&store, "app.log.1", &log(12, "disk is full"));
        assert_eq!(later[0].fingerprint, first[0].fingerprint);
        assert_ne!(later[0].kind, IssueKind::NewPattern);
        assert!(later[0].reason.contains("it was known for 2.0 days before"), "{}", later[0].reason);
        let another = session(&store, "other.log", &log(12, "disk is full"));
        assert_eq!(another[0].kind, IssueKind::NewPattern, "of another source nothing is known");
    }

    #[test]
    fn a_fault_that_was_not_seen_for_a_day_or_more_is_new_from_the_first_line() {
        let store = Memory::default();
        session(&store, "app.log", &log(10, "disk is full"));
        session(&store, "app.log", &log(11, "disk is full"));
        let at_once = "2026-11-12T09:00:00Z ERROR queue is gone\n2026-11-12T09:01:00Z INFO order 1 received\n";
        let issues = session(&store, "app.log", at_once);
        assert_eq!((issues[0].kind, issues.len()), (IssueKind::NewPattern, 1), "{issues:#?}");
        assert!(issues[0].reason.contains("was not seen in any log like this"), "{}", issues[0].reason);
    }

    #[test]
    fn a_fault_whose_values_were_told_apart_since_keeps_its_fingerprint() {
        let store = Memory::default();
        let users = ["ann", "bob", "cid", "dan", "eve", "fay", "guy"];
        let many: String = (0..70)
            .map(|n| format!("2026-11-10T10:00:{:02}Z ERROR login of user {} was refused\n", n % 60, users[n % 7]))
            .collect();
        let first = session(&store, "app.log", &many);
        assert_eq!(first.len(), 1);
        let one = session(&store, "app.log", "2026-11-11T10:00:00Z ERROR login of user zoe was refused\n");
        assert_eq!(one[0].fingerprint, first[0].fingerprint);
    }

    #[test]
    fn what_is_not_seen_for_as_many_days_as_are_set_leaves() {
        let store = Memory::default();
        session(&store, "app.log", &log(1, "disk is full"));
        session(&store, "app.log", &log(20, "queue is full"));
        assert!(String::from_utf8(store.get("app.log").unwrap().unwrap()).unwrap().contains("disk is full"));
        let mut engine =
            Engine::new(Settings { baseline_days: 10, ..Settings::default() }).knowing(Baseline::load(&store).unwrap());
        engine.push("app.log", log(21, "queue is full").as_bytes());
        engine.learn().save(&store).unwrap();
        let left = String::from_utf8(store.get("app.log").unwrap().unwrap()).unwrap();
        assert!(!left.contains("disk is full") && left.contains("queue is full"), "{left}");
        Baseline::forget(&store).unwrap();
        assert_eq!(session(&store, "app.log", &log(22, "queue is full"))[0].kind, IssueKind::NewPattern);
    }

    #[test]
    fn it_stays_within_its_bytes_however_many_faults_and_sources_there_are() {
        let store = Memory::default();
        let mut engine = Engine::default();
        for source in 0..90u32 {
            let name = |mut n: u32| -> String {
                let mut text = String::new();
                for _ in 0..5 {
                    text.push(char::from(b"bcdfghjklm"[(n % 10) as usize]));
                    n /= 10;
                }
                text
            };
            let lines: String = (0..20)
                .map(|n| {
                    let fault = name(source * 20 + n);
                    format!("2026-11-10T10:00:00Z ERROR {fault} {} broke\n", name(n).repeat(40))
                })
                .collect();
            engine.push(&format!("{}.log", name(source)), lines.as_bytes());
        }
        for _ in 0..3 {
            engine.learn().save(&store).unwrap();
        }
        let keys = store.keys().unwrap();
        let bytes: Vec<usize> = keys.iter().map(|key| store.get(key).unwrap().unwrap().len()).collect();
        assert!(bytes.len() <= MAX_KINDS && bytes.iter().all(|bytes| *bytes <= MAX_KIND_BYTES));
        assert!(bytes.iter().sum::<usize>() <= MAX_BYTES);
        assert!(store.written() <= MAX_WRITTEN, "{}", store.written());
        assert!(Baseline::load(&store).unwrap().kinds.len() > 30);
    }

    #[test]
    fn a_value_that_cannot_be_read_is_learnt_anew() {
        let store = Memory::default();
        store.set("app.log", b"{").unwrap();
        assert_eq!(Baseline::load(&store).unwrap(), Baseline::default());
    }
}
