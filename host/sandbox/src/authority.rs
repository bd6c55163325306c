//! The one chokepoint: every host function asks here before it does anything. Decided, counted, recorded, traced.
//!
//! What is refused afterwards (by a limit, by the address that a name leads to, by the folder's edge) is recorded as refused all the
//! same: a limit that a host call goes over is noticed here, whoever counts it; all else is told by [`Authority::refuse`], or by a
//! request's [`Outcome`].

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use autodevops_policy::{Denial, EffectiveGrant, Limit, Operation, OverLimit};

use crate::{http::Scrubber, ledger::Ledger, outcome::Outcome, quota::Quota, refusal::Refusal, report::Record};

/// Decides about one call's operations, and remembers them.
pub struct Authority {
    plugin: Arc<str>,
    grant: Arc<EffectiveGrant>,
    quota: Arc<Quota>,
    ledger: Ledger,
    denied: Option<Denial>,
    /// By what the call ends when the host call under way returns, whatever that answers.
    ends: Option<Denial>,
    /// The span of the host call under way.
    span: Option<tracing::Span>,
    waiting: Waiting,
}

/// Whether a call waits for a host call, told while the call itself is at work.
#[derive(Clone, Default)]
pub struct Waiting {
    now: Arc<AtomicBool>,
    when_dropped: Arc<AtomicBool>,
}

impl Waiting {
    /// Notes, where it is dropped before the work that it watches, whether that waited for the host then: the engine has the host call
    /// return, of which nothing comes to the guest.
    pub fn watch(self) -> impl Drop {
        struct Watched(Waiting);
        impl Drop for Watched {
            fn drop(&mut self) {
                self.0.when_dropped.store(self.0.now.load(Relaxed), Relaxed);
            }
        }
        Watched(self)
    }
}

impl Authority {
    /// For one call of the plugin, whose secrets no record shows.
    pub fn new(plugin: Arc<str>, grant: Arc<EffectiveGrant>, quota: Arc<Quota>, scrubber: Scrubber) -> Self {
        let ledger = Ledger::new(Arc::clone(&quota), scrubber);
        Self { plugin, grant, ledger, quota, denied: None, ends: None, span: None, waiting: Waiting::default() }
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
        self.keep(operation, decision)
    }

    /// Counts a function that works on what was acquired before.
    ///
    /// # Errors
    /// When the call has made all the host calls that it may.
    pub fn using(&mut self, interface: &'static str, function: &'static str) -> Result<(), Denial> {
        let decision = self.quota.charge(Limit::HostCalls, 1).map_err(Into::into);
        self.keep(Operation::Use { interface, function }, decision)
    }

    /// Records an operation. One that there is no room for is refused, whatever was decided.
    fn keep(&mut self, operation: Operation, decision: Result<(), Denial>) -> Result<(), Denial> {
        let name = operation.name();
        self.span = Some(match &operation {
            Operation::Use { interface, function } => {
                tracing::trace_span!("host_call", plugin = &*self.plugin, interface, function)
            }
            _ => {
                tracing::trace_span!("host_call", plugin = &*self.plugin, operation = name, allowed = decision.is_ok())
            }
        });
        let refusal = decision.as_ref().err().map(Refusal::from);
        let entered = self.ledger.enter(operation, refusal);
        let decision = self.ends_where_full(entered).and(decision);
        if let Err(denial) = &decision {
            self.denied = Some(denial.clone());
            // That it went over a limit is on record with this.
            self.quota.take_gone_over();
        }
        decision
    }

    /// Counts an amount of what a limit is for.
    ///
    /// # Errors
    /// When it goes over the limit. Recorded: the host call under way is one that was denied.
    pub fn charge(&mut self, limit: Limit, amount: u64) -> Result<(), Denial> {
        self.quota.charge(limit, amount).map_err(|over| self.over(over))
    }

    /// Sees that one of many, each of which has the limit to itself, does not go over it.
    ///
    /// # Errors
    /// As [`charge`](Self::charge).
    pub fn at_most(&mut self, limit: Limit, amount: u64) -> Result<(), Denial> {
        if amount <= self.quota.limits().amount(limit) {
            return Ok(());
        }
        let over = self.quota.exceed(limit);
        Err(self.over(over))
    }

    fn over(&mut self, over: OverLimit) -> Denial {
        let denial = Denial::from(over);
        self.denied = Some(denial.clone());
        denial
    }

    /// What the host call under way asked for is refused, though it was allowed to ask. Recorded so.
    pub fn refuse(&mut self, refusal: &Refusal) {
        let refused = self.ledger.refuse(refusal);
        let _ = self.ends_where_full(refused);
    }

    /// The host call that returned last is refused by the engine: what it answered did not come to the guest. Recorded so.
    pub fn refuse_before(&mut self, refusal: &Refusal) {
        // The call has ended as it is.
        let _ = self.ledger.refuse_before(refusal);
    }

    /// The call is over before the host call under way, and what it sent, is: they are on record as cut off.
    pub fn cut(&mut self) {
        self.ledger.cut(self.waiting.when_dropped.swap(false, Relaxed));
    }

    /// Whether the call waits for a host call.
    pub fn waiting(&self) -> Waiting {
        self.waiting.clone()
    }

    /// The call ends by this when the host call under way returns: for a host function that has no answer which says so.
    pub fn end(&mut self, denial: Denial) {
        self.ends.get_or_insert(denial);
    }

    /// What cannot be told apart on record any more ends the call, though the host function has an answer for the guest.
    fn ends_where_full(&mut self, entered: Result<(), OverLimit>) -> Result<(), Denial> {
        entered.map_err(|over| {
            let denial = Denial::from(over);
            self.end(denial.clone());
            denial
        })
    }

    /// Where to note what becomes of the request that was just allowed.
    pub fn outcome(&mut self) -> Arc<Outcome> {
        self.ledger.request()
    }

    /// Bytes that the host call under way passes.
    pub fn passes(&mut self, bytes: usize) {
        self.ledger.passes(bytes as u64);
    }

    /// The guest calls the host.
    pub fn entered(&mut self, at: Duration) {
        // Memory that the guest was refused between two host calls belongs to neither.
        self.quota.take_gone_over();
        self.waiting.now.store(true, Relaxed);
        self.ledger.entered(at);
    }

    /// The guest goes on after a host call of so long.
    ///
    /// # Errors
    /// When it does not go on, but ends by this.
    pub fn returned(&mut self, took: Duration) -> Result<(), Denial> {
        self.settle();
        self.waiting.now.store(false, Relaxed);
        self.ledger.returned(took);
        self.span = None;
        self.ends.take().map_or(Ok(()), Err)
    }

    /// A host call that went over a limit was refused, whatever counted it.
    fn settle(&mut self) {
        if let Some(limit) = self.quota.take_gone_over() {
            self.refuse(&Refusal::Over(limit));
            if limit == Limit::Records {
                // In a replay, it is the recording that says so.
                self.end(self.quota.exceed_aside(limit).into());
            }
        }
    }

    /// What is left of the call's limits.
    pub fn quota(&self) -> Arc<Quota> {
        Arc::clone(&self.quota)
    }

    /// What was asked so far, oldest first, in words; forgotten here.
    pub fn take_records(&mut self) -> Vec<Record> {
        self.settle();
        (self.ends, self.span) = (None, None);
        self.ledger.take()
    }

    /// Whether there is something that was not told with the call that it belongs to.
    pub fn has_news(&self) -> bool {
        self.ledger.has_news()
    }

    /// Forgets what was asked, where nobody wants to know.
    pub fn forget(&mut self) {
        (self.ends, self.span) = (None, None);
        self.ledger.forget();
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

#[cfg(test)]
mod tests {
    use autodevops_policy::Limits;

    use super::*;

    fn authority(limits: Limits) -> Authority {
        let grant = Arc::new(EffectiveGrant { limits, clocks: true, ..EffectiveGrant::default() });
        Authority::new("a".into(), Arc::clone(&grant), Quota::new("a".into(), grant), Scrubber::default())
    }

    fn told(authority: &mut Authority) -> Vec<(&'static str, String, Option<String>, u64)> {
        let records = authority.take_records().into_iter();
        records
            .map(|record| {
                assert_eq!(record.allowed, record.reason.is_none());
                (record.operation, record.summary, record.reason, record.count)
            })
            .collect()
    }

    #[test]
    fn what_is_allowed_and_what_is_denied_is_recorded() {
        let mut authority = authority(Limits::default());
        assert_eq!(authority.authorize(Operation::Clock), Ok(()));
        assert!(authority.authorize(Operation::Random).is_err());
        let denied = Some("not granted".to_owned());
        assert_eq!(told(&mut authority), [("clock", "".into(), None, 1), ("random", "".into(), denied, 1)]);
    }

    #[test]
    fn host_calls_beyond_the_limit_are_refused_and_recorded() {
        let mut authority = authority(Limits { host_calls: 2, ..Limits::default() });
        assert_eq!(authority.authorize(Operation::Log), Ok(()));
        assert_eq!(authority.using("wasi:io/poll", "poll"), Ok(()));
        assert_eq!(authority.authorize(Operation::Log).unwrap_err().limit(), Some(Limit::HostCalls));
        assert_eq!(authority.using("wasi:io/poll", "poll").unwrap_err().limit(), Some(Limit::HostCalls));
        let poll = || "wasi:io/poll poll".to_owned();
        let over = || Some("over limits.host-calls".to_owned());
        let expected = [
            ("log", "".into(), None, 1),
            ("use", poll(), None, 1),
            ("log", "".into(), over(), 1),
            ("use", poll(), over(), 1),
        ];
        assert_eq!(told(&mut authority), expected);
    }

    #[test]
    fn a_host_call_that_goes_over_a_limit_is_on_record_as_refused_whoever_counts() {
        let mut authority = authority(Limits { files: 2, stderr: autodevops_policy::Bytes(1), ..Limits::default() });
        let write = |authority: &mut Authority| {
            authority.entered(Duration::from_nanos(1));
            authority.using("wasi:io/streams", "[method]output-stream.write").unwrap();
        };
        for _ in 0..3 {
            write(&mut authority);
            authority.passes(5);
            authority.returned(Duration::from_nanos(10)).unwrap();
        }
        // As a stream does, which has only the quota.
        write(&mut authority);
        authority.quota().charge(Limit::Stderr, 2).unwrap_err();
        authority.returned(Duration::from_nanos(10)).unwrap();
        // As a host function does.
        write(&mut authority);
        authority.charge(Limit::Files, 3).unwrap_err();
        let function = || "wasi:io/streams [method]output-stream.write".to_owned();
        let expected = [
            ("use", function(), None, 3),
            ("use", function(), Some("over limits.stderr".into()), 1),
            ("use", function(), Some("over limits.files".into()), 1),
        ];
        assert_eq!(told(&mut authority), expected);
    }

    #[test]
    fn memory_that_a_guest_was_refused_is_no_refusal_of_its_next_host_call() {
        let mut authority = authority(Limits::default());
        authority.quota().exceed(Limit::Memory);
        authority.entered(Duration::ZERO);
        authority.authorize(Operation::Clock).unwrap();
        authority.returned(Duration::ZERO).unwrap();
        assert_eq!(told(&mut authority), [("clock", "".into(), None, 1)]);
    }

    #[test]
    fn what_cannot_be_told_apart_ends_the_call_when_it_is_noticed_late_too() {
        let mut full = authority(Limits { records: 1, ..Limits::default() });
        for (times, over) in [(0, None), (1, Some(Limit::Records))] {
            full.entered(Duration::ZERO);
            full.authorize(Operation::Log).unwrap();
            full.refuse(if times == 0 { &Refusal::Url } else { &Refusal::Method });
            assert_eq!(full.returned(Duration::ZERO).err().and_then(|denial| denial.limit()), over);
        }
        let mut full = authority(Limits { records: 0, ..Limits::default() });
        full.entered(Duration::ZERO);
        // Its host function answers the guest, which goes on as if nothing were.
        full.authorize(Operation::Random).unwrap_err();
        assert_eq!(full.returned(Duration::ZERO).unwrap_err().limit(), Some(Limit::Records));
        assert_eq!(full.returned(Duration::ZERO), Ok(()), "once");
    }

    #[test]
    fn a_denial_that_no_answer_can_tell_ends_the_call_and_a_sessions_next_call_goes_on() {
        let mut authority = authority(Limits::default());
        authority.entered(Duration::ZERO);
        let denial = authority.authorize(Operation::Socket("socket")).unwrap_err();
        authority.end(denial.clone());
        assert_eq!(authority.returned(Duration::ZERO), Err(denial.clone()));
        authority.end(denial);
        authority.take_records();
        assert_eq!(authority.returned(Duration::ZERO), Ok(()));
    }
}
