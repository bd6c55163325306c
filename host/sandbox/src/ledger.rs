//! What one call asked the host for. Equal operations with an equal decision are one entry that counts, however often and in whatever
//! order they came: so the account stays small, and no flood of one thing takes the room of another.
//!
//! | what | told apart | beyond that |
//! |---|---|---|
//! | acts on the world (requests, changed files, the local target, commands) and refusals | as many as `limits.records` | refused, and the call ends by that limit |
//! | looks (files read, buckets) | [`MOST_LOOKS`] | one entry for their kind, which counts |
//! | all else has no target of the plugin's choice | always | |

use std::{sync::Arc, time::Duration};

use autodevops_policy::{Limit, Operation, OverLimit};
use foldhash::fast::RandomState;
use indexmap::IndexMap;

use crate::{
    http::Scrubber,
    outcome::Outcome,
    quota::Quota,
    refusal::Refusal,
    report::{HTTP, MAX_SUMMARY_BYTES, Record},
    summary::summary,
};

/// Most files and buckets that a call looked at which are told apart.
const MOST_LOOKS: usize = 10_000;

/// Different operations that a call has room for from the start: most have no more, and more room would take longer to be had than
/// all else that is done about a call's records.
const EXPECTED_ENTRIES: usize = 4;

/// Longest path, URL or name that is kept of an operation until its record is made, in bytes.
const MAX_KEPT_BYTES: usize = 1024;

/// Hexadecimal digits of a long name's digest.
const DIGEST_DIGITS: usize = 16;

/// What stands for those that are not told apart.
const OTHERS: &str = "(others)";

/// An operation and what was decided about it.
#[derive(PartialEq, Eq, Hash)]
struct Asked {
    operation: Operation,
    refusal: Option<Refusal>,
}

/// What is kept of an operation, all its times together.
#[derive(Default)]
struct Tally {
    /// The first time.
    at: Duration,
    duration: Duration,
    bytes: u64,
    count: u64,
    /// Of requests: what becomes of each.
    requests: Vec<Arc<Outcome>>,
}

impl Tally {
    /// It is asked for once more, or for the first time.
    const fn again(&mut self, at: Duration) {
        if self.count == 0 {
            self.at = at;
        }
        self.count = self.count.saturating_add(1);
    }
}

/// Where an operation is kept.
enum Place {
    Own(usize),
    /// Not told apart there, but known here: should it be refused, that is on record with what it was about.
    Others {
        index: usize,
        operation: Operation,
    },
}

/// Which room an operation takes.
enum Room {
    /// There is always some: there are few such operations.
    Free,
    Looks,
    Records,
}

/// The account of one call.
pub struct Ledger {
    quota: Arc<Quota>,
    /// The call's secrets, which are kept out of it.
    scrubber: Scrubber,
    /// Few and bounded, so that a quick hash serves; its seed is no guest's to know.
    entries: IndexMap<Asked, Tally, RandomState>,
    /// Those that are not told apart, by their kind and what was decided.
    others: Vec<(&'static str, Option<Refusal>, Tally)>,
    looks: usize,
    /// What was counted against [`Limit::Records`].
    records: u64,
    /// The entry that was asked for last: mostly, it is asked for again.
    last: usize,
    /// What the host call under way asked for: one operation, and another where it is about two.
    now: [Option<Place>; 2],
    /// What the host call before asked for, until the next one begins: the engine may refuse to hand its answer on.
    before: [Option<Place>; 2],
    /// When the host call under way began, from the start of the call.
    at: Duration,
    /// Requests that a session's earlier calls sent, and that go on.
    under_way: Vec<(Operation, Arc<Outcome>)>,
}

impl Ledger {
    pub fn new(quota: Arc<Quota>, scrubber: Scrubber) -> Self {
        Self {
            quota,
            scrubber,
            entries: IndexMap::with_capacity_and_hasher(EXPECTED_ENTRIES, RandomState::default()),
            others: Vec::new(),
            looks: 0,
            records: 0,
            last: 0,
            now: [None, None],
            before: [None, None],
            at: Duration::ZERO,
            under_way: Vec::new(),
        }
    }

    /// A host call begins.
    pub fn entered(&mut self, at: Duration) {
        self.at = at;
        (self.now, self.before) = ([None, None], [None, None]);
    }

    /// The host call under way has ended, after so long.
    pub fn returned(&mut self, took: Duration) {
        if let Some(tally) = self.current() {
            tally.duration = tally.duration.saturating_add(took);
        }
        self.before = std::mem::take(&mut self.now);
    }

    /// Enters an operation of the host call under way.
    ///
    /// # Errors
    /// When the account has no room for it though it must be told apart. It is entered as refused then, among others of its kind.
    pub fn enter(&mut self, mut operation: Operation, refusal: Option<Refusal>) -> Result<(), OverLimit> {
        shorten(&mut operation, &self.scrubber);
        let asked = Asked { operation, refusal };
        if let Some((known, tally)) = self.entries.get_index_mut(self.last)
            && *known == asked
        {
            tally.again(self.at);
            let place = Place::Own(self.last);
            self.place(place);
            return Ok(());
        }
        let (place, entered) = self.count(asked);
        if let Place::Own(index) = place {
            self.last = index;
        }
        self.place(place);
        entered
    }

    /// What the host call under way asked for is refused after all: it counts as that, and no longer as allowed.
    ///
    /// # Errors
    /// When the account has no room for the refusal. It is entered as one, among others of its kind.
    pub fn refuse(&mut self, refusal: &Refusal) -> Result<(), OverLimit> {
        let mut refused = Ok(());
        for slot in 0..self.now.len() {
            let Some(place) = self.now.get_mut(slot).and_then(Option::take) else { continue };
            let place = match self.take_one(place) {
                Ok((operation, tally)) => {
                    let (place, counted) = self.count(Asked { operation, refusal: Some(refusal.clone()) });
                    self.add(&place, tally);
                    refused = refused.and(counted);
                    place
                }
                Err(refused_before) => refused_before,
            };
            if let Some(slot) = self.now.get_mut(slot) {
                *slot = Some(place);
            }
        }
        refused
    }

    /// What the host call before asked for is refused, though the host gave its answer: it did not come to the guest.
    ///
    /// # Errors
    /// As for [`refuse`](Self::refuse).
    pub fn refuse_before(&mut self, refusal: &Refusal) -> Result<(), OverLimit> {
        self.now = std::mem::take(&mut self.before);
        let refused = self.refuse(refusal);
        self.now = [None, None];
        refused
    }

    /// The call ends here: each request that has no answer yet is cut off, and what it waited for last, where it did.
    pub fn cut(&mut self, waited: bool) {
        for tally in self.entries.values() {
            let unanswered = tally.requests.iter().filter(|request| goes_on(request) && request.status().is_none());
            unanswered.for_each(|request| request.refuse(Refusal::Cut));
        }
        if waited {
            // The engine had it return, or not.
            if self.now.iter().all(Option::is_none) {
                self.now = std::mem::take(&mut self.before);
            }
            // Where there is no room for one more, it is among others of its kind: the call has ended as it is.
            let _ = self.refuse(&Refusal::Cut);
        }
    }

    /// Takes one time of an allowed operation away, with all else of it where it was the only time; or leaves one that was refused.
    fn take_one(&mut self, place: Place) -> Result<(Operation, Tally), Place> {
        let at = self.at;
        let (operation, tally) = match place {
            Place::Own(index) => match self.entries.get_index_mut(index) {
                Some((Asked { operation, refusal: None }, tally)) => (operation.clone(), tally),
                _ => return Err(place),
            },
            Place::Others { index, operation } => match self.others.get_mut(index) {
                Some((_, None, tally)) => (operation, tally),
                _ => return Err(Place::Others { index, operation }),
            },
        };
        let alone = tally.count <= 1;
        tally.count = tally.count.saturating_sub(1);
        let taken = if alone { std::mem::take(tally) } else { Tally { at, ..Tally::default() } };
        Ok((operation, taken))
    }

    /// Adds all that is known of one time to where that was counted.
    fn add(&mut self, place: &Place, tally: Tally) {
        let Some(there) = self.tally(place) else { return };
        if there.count <= 1 {
            there.at = tally.at;
        }
        there.bytes = there.bytes.saturating_add(tally.bytes);
        there.duration = there.duration.saturating_add(tally.duration);
        there.requests.extend(tally.requests);
    }

    /// Counts an operation where it is or where there is room for it, else among others of its kind.
    ///
    /// # Errors
    /// When there is no room for one that must be told apart: it is counted as refused for that.
    fn count(&mut self, asked: Asked) -> (Place, Result<(), OverLimit>) {
        if let Some((index, _, tally)) = self.entries.get_full_mut(&asked) {
            tally.again(self.at);
            return (Place::Own(index), Ok(()));
        }
        match room(&asked) {
            Room::Free => {}
            Room::Looks if self.looks < MOST_LOOKS => self.looks += 1,
            Room::Looks => return (self.among_others(asked), Ok(())),
            Room::Records if self.quota.charge_quietly(Limit::Records, 1) => self.records += 1,
            Room::Records => {
                let over = self.quota.exceed(Limit::Records);
                let refused = Asked { refusal: Some(Refusal::Over(Limit::Records)), ..asked };
                return (self.among_others(refused), Err(over));
            }
        }
        let (index, _) = self.entries.insert_full(asked, Tally::default());
        if let Some((_, tally)) = self.entries.get_index_mut(index) {
            tally.again(self.at);
        }
        (Place::Own(index), Ok(()))
    }

    /// Counts one that is not told apart.
    fn among_others(&mut self, Asked { operation, refusal }: Asked) -> Place {
        let name = operation.name();
        let known = self.others.iter_mut().position(|(known, why, _)| *known == name && *why == refusal);
        let index = known.unwrap_or_else(|| {
            self.others.push((name, refusal, Tally::default()));
            self.others.len() - 1
        });
        if let Some((_, _, tally)) = self.others.get_mut(index) {
            tally.again(self.at);
        }
        Place::Others { index, operation }
    }

    /// The host call under way asked for what is kept there.
    fn place(&mut self, place: Place) {
        match &mut self.now {
            [first @ None, _] => *first = Some(place),
            [_, second] => *second = Some(place),
        }
    }

    fn tally(&mut self, place: &Place) -> Option<&mut Tally> {
        match place {
            Place::Own(index) => self.entries.get_index_mut(*index).map(|(_, tally)| tally),
            Place::Others { index, .. } => self.others.get_mut(*index).map(|(_, _, tally)| tally),
        }
    }

    /// What the host call under way asked for last.
    fn current(&mut self) -> Option<&mut Tally> {
        match self.now.iter().rev().flatten().next()? {
            Place::Own(index) => self.entries.get_index_mut(*index).map(|(_, tally)| tally),
            Place::Others { index, .. } => self.others.get_mut(*index).map(|(_, _, tally)| tally),
        }
    }

    /// Bytes that the host call under way passes.
    pub fn passes(&mut self, bytes: u64) {
        if let Some(tally) = self.current() {
            tally.bytes = tally.bytes.saturating_add(bytes);
        }
    }

    /// Where to note what becomes of the request that was just allowed.
    pub fn request(&mut self) -> Arc<Outcome> {
        let outcome = Arc::new(Outcome::begun(self.at));
        if let Some(tally) = self.current() {
            tally.requests.push(Arc::clone(&outcome));
        }
        outcome
    }

    /// What was asked so far, in words, the oldest first; forgotten here, but for requests that go on: one that is refused later is
    /// told then.
    pub fn take(&mut self) -> Vec<Record> {
        let mut records = Vec::with_capacity(self.entries.len() + self.others.len());
        let mut under_way = Vec::new();
        for (operation, outcome) in std::mem::take(&mut self.under_way) {
            if outcome.refused().is_some() {
                let at = Duration::ZERO;
                let tally = Tally { at, count: 1, requests: vec![outcome], ..Tally::default() };
                records.extend(requests(&summary(&operation, &self.scrubber), tally));
            } else if goes_on(&outcome) {
                under_way.push((operation, outcome));
            }
        }
        for (asked, tally) in std::mem::take(&mut self.entries) {
            for request in tally.requests.iter().filter(|request| goes_on(request)) {
                under_way.push((asked.operation.clone(), Arc::clone(request)));
            }
            let about = || summary(&asked.operation, &self.scrubber);
            if !tally.requests.is_empty() {
                records.extend(requests(&about(), tally));
            } else if tally.count > 0 {
                records.push(record(asked.operation.name(), about(), asked.refusal.as_ref(), &tally));
            }
        }
        for (name, refusal, tally) in std::mem::take(&mut self.others) {
            if tally.count > 0 {
                records.push(record(name, OTHERS.to_owned(), refusal.as_ref(), &tally));
            }
        }
        records.sort_by_key(|record| record.at);
        self.under_way = under_way;
        self.clear();
        records
    }

    /// Whether there is something that was not told with the call that it belongs to.
    pub fn has_news(&self) -> bool {
        self.under_way.iter().any(|(_, request)| request.refused().is_some())
    }

    /// Forgets what was asked, where nobody wants to know.
    pub fn forget(&mut self) {
        self.entries.clear();
        self.others.clear();
        self.under_way.clear();
        self.clear();
    }

    fn clear(&mut self) {
        self.quota.release(Limit::Records, std::mem::take(&mut self.records));
        (self.looks, self.last) = (0, 0);
        (self.now, self.before) = ([None, None], [None, None]);
    }
}

/// Whether a request is still under way, so that it can still be refused.
fn goes_on(request: &Arc<Outcome>) -> bool {
    Arc::strong_count(request) > 1 && request.refused().is_none()
}

/// What a plugin can choose the target of must be told apart where it acts or is refused, and is where there is room else.
const fn room(asked: &Asked) -> Room {
    match (&asked.operation, &asked.refusal) {
        (_, Some(_))
        | (
            Operation::Http { .. }
            | Operation::LocalTarget { .. }
            | Operation::Command { .. }
            | Operation::Mail(_)
            | Operation::Open { write: true, .. },
            None,
        ) => Room::Records,
        (Operation::Open { write: false, .. } | Operation::KeyValue(_), None) => Room::Looks,
        (
            Operation::Clock
            | Operation::Random
            | Operation::Environment
            | Operation::Preopens
            | Operation::Socket(_)
            | Operation::Config
            | Operation::Log
            | Operation::Usage
            | Operation::Stdio(_)
            | Operation::Exit
            | Operation::Use { .. },
            None,
        ) => Room::Free,
    }
}

/// Keeps of a name what its record shows: not a URL's query, in which there may be a secret, and of a long one its two ends and its
/// digest, by which two long ones are still two.
fn shorten(operation: &mut Operation, scrubber: &Scrubber) {
    let text = match operation {
        Operation::Http { url, .. } => {
            url.truncate(url.find(['?', '#']).unwrap_or(url.len()));
            url
        }
        Operation::Command { name, with } => {
            cut(name, scrubber);
            with
        }
        Operation::Open { path: name, .. }
        | Operation::KeyValue(name)
        | Operation::Mail(name)
        | Operation::LocalTarget { target: name, .. } => name,
        _ => return,
    };
    cut(text, scrubber);
}

fn cut(text: &mut String, scrubber: &Scrubber) {
    if text.len() > MAX_KEPT_BYTES {
        // Before it is cut: half a secret would be found by nobody.
        *text = scrubber.scrub(text);
        let digest = blake3::hash(text.as_bytes()).to_hex();
        let digest = digest.get(..DIGEST_DIGITS).unwrap_or_default();
        let start = text.get(..text.floor_char_boundary(MAX_KEPT_BYTES / 2)).unwrap_or_default();
        let end = text.get(text.ceil_char_boundary(text.len() - MAX_KEPT_BYTES / 4)..).unwrap_or_default();
        *text = format!("{start}…{digest}…{end}");
    }
}

fn record(operation: &'static str, summary: String, refusal: Option<&Refusal>, tally: &Tally) -> Record {
    Record {
        operation,
        summary,
        allowed: refusal.is_none(),
        reason: refusal.map(ToString::to_string),
        at: tally.at,
        duration: tally.duration,
        bytes: tally.bytes,
        count: tally.count,
    }
}

/// The records of a request that was sent so often: one for each status and each reason to go no further with it.
fn requests(about: &str, tally: Tally) -> Vec<Record> {
    let mut found: IndexMap<(Option<u16>, Option<Refusal>), Tally> = IndexMap::new();
    for request in tally.requests {
        let together = found.entry((request.status(), request.refused().cloned())).or_insert_with(|| Tally {
            at: request.at(),
            duration: tally.duration,
            ..Tally::default()
        });
        together.count += 1;
        together.bytes = together.bytes.saturating_add(request.bytes());
        together.duration = together.duration.max(request.duration());
    }
    let records = found.into_iter().map(|((status, refusal), together)| {
        let mut text = about.to_owned();
        let shown = status.map_or(String::new(), |status| format!(" ({status})"));
        // Left out where it does not fit.
        if text.len() + shown.len() <= MAX_SUMMARY_BYTES {
            text.push_str(&shown);
        }
        record(HTTP, text, refusal.as_ref(), &together)
    });
    records.collect()
}

#[cfg(test)]
mod tests;
