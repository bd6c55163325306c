//! The one chokepoint: every host function asks here before it does anything. Decided, counted, recorded, traced.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU16, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use autodevops_policy::{Denial, EffectiveGrant, Limit, Operation, text::escape};

use crate::{
    quota::Quota,
    report::{MAX_SUMMARY_BYTES, Record},
};

/// Most operations of one call that are kept one by one; further ones are counted only.
const MAX_ENTRIES: usize = 10_000;

/// An operation as it is kept during the call: nothing is put into words before somebody asks.
struct Entry {
    operation: Operation,
    allowed: bool,
    at: Duration,
    duration: Duration,
    bytes: u64,
    count: u64,
    /// Of a request: what became of it after the host call that sent it.
    outcome: Option<Arc<Outcome>>,
}

/// What becomes of a request while the call goes on.
#[derive(Default)]
pub struct Outcome {
    bytes: AtomicU64,
    nanoseconds: AtomicU64,
    status: AtomicU16,
}

impl Outcome {
    /// So many more bytes went over the wire.
    pub fn passed(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// The response's headers came, with this status.
    pub fn answered(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
    }

    /// It has taken so long.
    pub fn lasted(&self, time: Duration) {
        self.nanoseconds.store(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

/// Longest path, URL or name that is kept of an operation until its record is made, in bytes.
const MAX_KEPT_BYTES: usize = 1024;

/// Decides about one call's operations, and remembers them.
pub struct Authority {
    plugin: Arc<str>,
    grant: Arc<EffectiveGrant>,
    quota: Arc<Quota>,
    entries: Vec<Entry>,
    /// Places of the entries of functions that work on what was acquired before: such a function has one entry, which counts.
    uses: Vec<usize>,
    further: u64,
    denied: Option<Denial>,
    /// When the guest called the host, from the start of the call.
    at: Duration,
    /// The entry of the host call under way, and the span that lasts as long as it.
    current: Option<(usize, tracing::Span)>,
}

impl Authority {
    /// For one call of the plugin.
    pub fn new(plugin: Arc<str>, grant: Arc<EffectiveGrant>, quota: Arc<Quota>) -> Self {
        let (entries, uses) = (Vec::new(), Vec::new());
        Self { plugin, grant, quota, entries, uses, further: 0, denied: None, at: Duration::ZERO, current: None }
    }

    /// Whether the operation may go on. Counted and recorded either way.
    ///
    /// # Errors
    /// The [`Denial`], which names the plugin, the thing, and the key that grants it or the limit.
    pub fn authorize(&mut self, operation: Operation) -> Result<(), Denial> {
        let decision = match self.quota.charge(Limit::HostCalls, 1) {
            Ok(()) => self.grant.decide(&self.plugin, &operation),
            Err(over) => Err(over.into()),
        };
        let allowed = decision.is_ok();
        if let Err(denial) = &decision {
            self.denied = Some(denial.clone());
        }
        let span = tracing::trace_span!("host_call", plugin = &*self.plugin, operation = operation.name(), allowed);
        self.keep(operation, allowed, span);
        decision
    }

    /// Counts a function that works on what was acquired before. All its calls are one record.
    ///
    /// # Errors
    /// When the call has made all the host calls that it may.
    pub fn using(&mut self, interface: &'static str, function: &'static str) -> Result<(), Denial> {
        let decision = self.quota.charge(Limit::HostCalls, 1);
        let span = tracing::trace_span!("host_call", plugin = &*self.plugin, interface, function);
        let is_it = |entry: &Entry| {
            entry.allowed == decision.is_ok()
                && matches!(entry.operation, Operation::Use { interface: i, function: f } if f == function && i == interface)
        };
        // The last one first: a guest mostly calls the same few in turn.
        let found = self.uses.iter().rev().copied().find(|index| self.entries.get(*index).is_some_and(is_it));
        match found.and_then(|index| self.entries.get_mut(index).map(|entry| (index, entry))) {
            Some((index, entry)) => {
                entry.count = entry.count.saturating_add(1);
                self.current = Some((index, span));
            }
            None => {
                let place = self.entries.len();
                self.keep(Operation::Use { interface, function }, decision.is_ok(), span);
                // One that found no place is only counted: it is not to be looked for again and again.
                if self.entries.len() > place {
                    self.uses.push(place);
                }
            }
        }
        decision.map_err(|over| {
            let denial = Denial::from(over);
            self.denied = Some(denial.clone());
            denial
        })
    }

    fn keep(&mut self, mut operation: Operation, allowed: bool, span: tracing::Span) {
        // The same again is one record that counts: a guest that looks at the clock in a loop does not push out what matters.
        if let Some(last) =
            self.entries.last_mut().filter(|last| last.allowed == allowed && last.operation == operation)
        {
            last.count = last.count.saturating_add(1);
            self.current = Some((self.entries.len().saturating_sub(1), span));
            return;
        }
        // What acts on the world has room of its own, which looks at the clock cannot fill.
        let acts = allowed
            && matches!(
                operation,
                Operation::Http { .. } | Operation::LocalTarget(_) | Operation::Open { write: true, .. }
            );
        let room = if acts { 2 * MAX_ENTRIES } else { MAX_ENTRIES };
        if self.entries.len() >= room {
            self.further = self.further.saturating_add(1);
            self.current = None;
            return;
        }
        if let Operation::Open { path: text, .. } | Operation::Http { url: text, .. } | Operation::KeyValue(text) =
            &mut operation
        {
            text.truncate(text.floor_char_boundary(MAX_KEPT_BYTES));
            text.shrink_to_fit();
        }
        let at = self.at;
        self.current = Some((self.entries.len(), span));
        self.entries.push(Entry {
            operation,
            allowed,
            at,
            duration: Duration::ZERO,
            bytes: 0,
            count: 1,
            outcome: None,
        });
    }

    /// Counts an amount of what a limit is for.
    ///
    /// # Errors
    /// When it goes over the limit. Recorded: the host call under way is one that was denied.
    pub fn charge(&mut self, limit: Limit, amount: u64) -> Result<(), Denial> {
        self.quota.charge(limit, amount).map_err(|over| {
            let denial = Denial::from(over);
            self.denied = Some(denial.clone());
            let current = self.current.as_ref().and_then(|(index, _)| self.entries.get_mut(*index));
            if let Some(entry) = current {
                entry.allowed = false;
            }
            denial
        })
    }

    /// Where to note what becomes of the request that was just allowed.
    pub fn outcome(&mut self) -> Arc<Outcome> {
        let outcome = Arc::<Outcome>::default();
        let current = self.current.as_ref().and_then(|(index, _)| self.entries.get_mut(*index));
        if let Some(entry) = current {
            entry.outcome = Some(Arc::clone(&outcome));
        }
        outcome
    }

    /// Bytes that the host call under way passes.
    pub fn passes(&mut self, bytes: usize) {
        let current = self.current.as_ref().and_then(|(index, _)| self.entries.get_mut(*index));
        if let Some(entry) = current {
            entry.bytes = entry.bytes.saturating_add(bytes as u64);
        }
    }

    /// The guest calls the host.
    pub const fn entered(&mut self, at: Duration) {
        self.at = at;
    }

    /// The guest goes on after a host call of so long.
    pub fn returned(&mut self, took: Duration) {
        if let Some((index, span)) = self.current.take() {
            drop(span);
            if let Some(entry) = self.entries.get_mut(index) {
                entry.duration = entry.duration.saturating_add(took);
            }
        }
    }

    /// What is left of the call's limits.
    pub fn quota(&self) -> Arc<Quota> {
        Arc::clone(&self.quota)
    }

    /// What was asked so far, oldest first, in words, and how much was not kept; forgotten here.
    pub fn take_records(&mut self) -> (Vec<Record>, u64) {
        self.uses.clear();
        self.current = None;
        let records = std::mem::take(&mut self.entries).into_iter().map(Record::from).collect();
        (records, std::mem::take(&mut self.further))
    }

    /// Forgets what was asked, where nobody wants to know.
    pub fn forget(&mut self) {
        self.uses.clear();
        self.entries.clear();
        self.current = None;
    }

    /// Notes what was refused when the call was recorded, which is replayed now.
    pub fn note_denial(&mut self, denial: Denial) {
        self.denied = Some(denial);
    }

    /// What was refused last.
    pub const fn last_denial(&self) -> Option<&Denial> {
        self.denied.as_ref()
    }
}

impl From<Entry> for Record {
    fn from(entry: Entry) -> Self {
        let Entry { operation, allowed, at, mut duration, mut bytes, count, outcome } = entry;
        let mut status = 0;
        if let Some(outcome) = outcome {
            bytes = bytes.saturating_add(outcome.bytes.load(Ordering::Relaxed));
            duration = duration.max(Duration::from_nanos(outcome.nanoseconds.load(Ordering::Relaxed)));
            status = outcome.status.load(Ordering::Relaxed);
        }
        let mut summary = summary(&operation);
        // Left out where it does not fit.
        let room = MAX_SUMMARY_BYTES.saturating_sub(summary.len());
        summary.push_str(
            Some(format!(" ({status})")).filter(|text| status != 0 && text.len() <= room).as_deref().unwrap_or(""),
        );
        Self { operation: operation.name(), summary, allowed, at, duration, bytes, count }
    }
}

/// What an operation was about, in one line that holds no secret.
fn summary(operation: &Operation) -> String {
    let text = match operation {
        Operation::Clock | Operation::Random | Operation::Environment | Operation::Preopens => String::new(),
        Operation::Config | Operation::Log | Operation::Exit => String::new(),
        Operation::Open { path, write: false } => path.clone(),
        Operation::Open { path, write: true } => format!("{path} (write)"),
        Operation::Socket(kind) | Operation::Stdio(kind) | Operation::LocalTarget(kind) => (*kind).to_owned(),
        Operation::Http { method, url } => format!("{method} {}", without_secrets(url)),
        Operation::KeyValue(bucket) => bucket.clone(),
        Operation::Use { interface, function } => format!("{interface} {function}"),
    };
    let mut text = escape(&text).replace(['\n', '\t'], " ");
    if text.len() > MAX_SUMMARY_BYTES {
        text.truncate(text.floor_char_boundary(MAX_SUMMARY_BYTES - '…'.len_utf8()));
        text.push('…');
    }
    text
}

/// A URL without the parts that may carry a secret: user, password, query and fragment.
fn without_secrets(url: &str) -> String {
    let Ok(mut url) = url::Url::parse(url) else { return "(no URL)".to_owned() };
    url.set_query(None);
    url.set_fragment(None);
    // Fails only for URLs that can have none.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.into()
}

/// How long the guest's own code runs, and each host call.
pub struct GuestClock {
    started: Instant,
    running_since: Option<Instant>,
    in_host_since: Option<Instant>,
    guest: Duration,
}

impl GuestClock {
    pub fn new() -> Self {
        Self { started: Instant::now(), running_since: None, in_host_since: None, guest: Duration::ZERO }
    }

    /// The guest's code starts or goes on; for how long the host had it.
    pub fn resume(&mut self, now: Instant) -> Duration {
        self.running_since = Some(now);
        self.in_host_since.take().map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// The guest's code stops for the host; how long since the call's start.
    pub fn pause(&mut self, now: Instant) -> Duration {
        if let Some(since) = self.running_since.take() {
            self.guest = self.guest.saturating_add(now.saturating_duration_since(since));
        }
        self.in_host_since = Some(now);
        now.saturating_duration_since(self.started)
    }

    /// The guest's own time so far.
    pub const fn guest(&self) -> Duration {
        self.guest
    }

    /// A new call of the same instance starts now.
    pub fn restart(&mut self) {
        *self = Self::new();
    }
}

#[cfg(test)]
mod tests {
    use autodevops_policy::Limits;

    use super::*;

    fn authority(limits: Limits) -> Authority {
        let grant = Arc::new(EffectiveGrant { limits, clocks: true, ..EffectiveGrant::default() });
        Authority::new("a".into(), Arc::clone(&grant), Quota::new("a".into(), grant))
    }

    fn told(authority: &mut Authority) -> Vec<(&'static str, String, bool, u64)> {
        let (records, _) = authority.take_records();
        records.into_iter().map(|record| (record.operation, record.summary, record.allowed, record.count)).collect()
    }

    #[test]
    fn what_is_allowed_and_what_is_denied_is_recorded() {
        let mut authority = authority(Limits::default());
        assert_eq!(authority.authorize(Operation::Clock), Ok(()));
        assert!(authority.authorize(Operation::Random).is_err());
        assert_eq!(told(&mut authority), [("clock", "".into(), true, 1), ("random", "".into(), false, 1)]);
    }

    #[test]
    fn host_calls_beyond_the_limit_are_refused_and_recorded() {
        let mut authority = authority(Limits { host_calls: 2, ..Limits::default() });
        assert_eq!(authority.authorize(Operation::Log), Ok(()));
        assert_eq!(authority.using("wasi:io/poll", "poll"), Ok(()));
        assert_eq!(authority.authorize(Operation::Log).unwrap_err().limit(), Some(Limit::HostCalls));
        assert_eq!(authority.using("wasi:io/poll", "poll").unwrap_err().limit(), Some(Limit::HostCalls));
        let poll = || "wasi:io/poll poll".to_owned();
        let expected = [
            ("log", "".into(), true, 1),
            ("use", poll(), true, 1),
            ("log", "".into(), false, 1),
            ("use", poll(), false, 1),
        ];
        assert_eq!(told(&mut authority), expected);
    }

    #[test]
    fn uses_of_what_was_acquired_are_counted_together_and_further_operations_only_counted() {
        let mut authority = authority(Limits::default());
        for _ in 0..MAX_ENTRIES + 5 {
            authority.using("wasi:io/streams", "[method]input-stream.read").unwrap();
            authority.passes(10);
        }
        let (records, further) = authority.take_records();
        assert_eq!((records.len(), records[0].count, records[0].bytes, further), (1, 10_005, 100_050, 0));
        for index in 0..MAX_ENTRIES + 5 {
            authority.authorize(Operation::KeyValue(index.to_string())).unwrap_err();
        }
        let (records, further) = authority.take_records();
        assert_eq!((records.len(), further), (MAX_ENTRIES, 5));
        for _ in 0..3 {
            authority.authorize(Operation::Log).unwrap();
        }
        let (records, _) = authority.take_records();
        assert_eq!((records.len(), records[0].count), (1, 3));
    }

    #[test]
    fn what_acts_on_the_world_is_on_record_however_often_a_guest_looked_at_something_before() {
        let limits = Limits { host_calls: 1_000_000, ..Limits::default() };
        let grant = Arc::new(EffectiveGrant { limits, local_target: true, ..EffectiveGrant::default() });
        let mut authority = Authority::new("a".into(), Arc::clone(&grant), Quota::new("a".into(), grant));
        for _ in 0..MAX_ENTRIES {
            authority.authorize(Operation::Clock).unwrap_err();
            authority.authorize(Operation::Log).unwrap();
        }
        authority.authorize(Operation::LocalTarget("runtime.start")).unwrap();
        for _ in 0..10 {
            authority.using("wasi:io/poll", "poll").unwrap();
        }
        assert!(authority.uses.is_empty(), "what is only counted is not looked for");
        let (records, further) = authority.take_records();
        assert_eq!(records.last().unwrap().summary, "runtime.start");
        // The log lines beyond are counted by the last record that there was room for; the looks at the clock are not.
        assert_eq!((records.len(), further), (MAX_ENTRIES + 1, MAX_ENTRIES as u64 / 2 + 10));
    }

    #[test]
    fn a_summary_holds_no_secret_and_stays_one_line() {
        let url = "https://me:pass@example.com/a?token=1#f".to_owned();
        assert_eq!(summary(&Operation::Http { method: "GET".into(), url }), "GET https://example.com/a");
        assert_eq!(summary(&Operation::Open { path: "a\nb\x1b".into(), write: true }), "a b\\u{1b} (write)");
        assert_eq!(summary(&Operation::Open { path: "ä".repeat(500), write: false }).len(), 255);
    }

    #[test]
    fn the_guests_time_does_not_hold_the_hosts() {
        let mut clock = GuestClock::new();
        let start = clock.started;
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        clock.resume(at(10));
        assert_eq!(clock.pause(at(15)), Duration::from_millis(15));
        assert_eq!(clock.resume(at(100)), Duration::from_millis(85));
        clock.pause(at(101));
        assert_eq!(clock.guest(), Duration::from_millis(6));
    }
}
