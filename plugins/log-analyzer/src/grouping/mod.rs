//! Which group a message is of: messages that one statement of a program wrote are one group, whatever values they carry.
//!
//! ```text
//! message ── outlines ─────────────────────────────> pattern ── partition ──> group
//!       │    known but for their numbers               bounded in number       on evidence, when asked
//!       └─── lex ──> shape ── cache ──────────────────────┘
//!            one pass, no allocation   known shapes
//! ```
//!
//! A line belongs to a pattern for good, by its form alone. Patterns are put into groups by evidence, which grows: so the
//! groups are made anew from the patterns whenever they are asked for, and what a line is given, a [`GroupId`], is its
//! pattern, whose group may become a larger one. When there are too many patterns, those of one group are made one, and then
//! the least used leave. One that comes back soon enough has its number again.

mod cache;
mod key;
mod left;
mod lex;
mod outline;
mod partition;
mod pattern;
mod state;

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

pub use self::outline::Form;
use self::{
    cache::Cache,
    key::Key,
    left::Left,
    lex::Sink,
    outline::Outlines,
    pattern::{Kind, Part},
    state::Known,
};
use crate::{bytes::Map, uncopied::Uncopied};

/// A pattern of messages, by a number that is never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GroupId(pub u32);

/// A pattern that is no more, because it became part of another, or was used least.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Former {
    /// The pattern.
    pub id: GroupId,
    /// Where its lines belong now; itself when it left.
    pub into: GroupId,
    /// What it was, with its values marked.
    pub template: String,
}

/// What became of a number that something may be kept by: the pattern that it is now of, or none where it is never given again.
pub type Move = (GroupId, Option<GroupId>);

/// A group: its first pattern stands for all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The first pattern.
    pub id: GroupId,
    /// All its patterns, the first included.
    pub patterns: Vec<GroupId>,
    /// Lines of the group.
    pub lines: u64,
    /// What they have in common, with `<*>` for each value.
    pub template: String,
}

/// Puts messages into groups. What it says depends on the messages alone, not on when it was saved and restored.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Grouping {
    known: Known,
    /// Those that left.
    #[serde(default)]
    left: Left,
    /// Patterns that are no more since they were last asked for.
    former: Vec<Former>,
    /// What is to be said of them to those who keep something by their numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    moves: Vec<Move>,
    #[serde(skip)]
    cache: Cache,
    #[serde(skip)]
    key: Key,
    #[serde(skip)]
    outlines: Uncopied<Outlines>,
    /// Room for a look at a message's bytes, kept so that none needs it anew.
    #[serde(skip)]
    map: Map,
}

/// The shape of a message: a hash over all of it but its values.
struct Shape<'a> {
    text: &'a [u8],
    key: Key,
    hash: u64,
    /// Whether a word has a digit in it.
    numbered: bool,
}

impl Shape<'_> {
    #[inline]
    fn add(&mut self, part: u64) {
        self.hash = self.key.mix(self.hash ^ part);
    }

    /// Fewer than eight bytes of the text as a number that no others have.
    #[inline]
    fn few(&self, start: usize, end: usize) -> u64 {
        let bits = (end - start) * 8;
        let bytes = match self.text.get(start..).and_then(<[u8]>::first_chunk) {
            // Those behind are cut off: cheaper than a loop over these.
            Some(eight) => u64::from_le_bytes(*eight),
            None => self.text.iter().skip(start).rev().fold(0, |bytes, byte| bytes << 8 | u64::from(*byte)),
        };
        bytes & !(u64::MAX << bits) | 1 << bits
    }
}

impl Sink for Shape<'_> {
    #[inline]
    fn word(&mut self, start: usize, end: usize) {
        let (eights, rest) = self.text.get(start..end).unwrap_or_default().as_chunks();
        for eight in eights {
            self.add(u64::from_le_bytes(*eight));
        }
        self.add(self.few(end - rest.len(), end));
    }

    #[inline]
    fn numbered_word(&mut self, start: usize, end: usize) {
        self.numbered = true;
        self.word(start, end);
    }

    #[inline]
    fn value(&mut self, _: usize, _: usize) {
        self.add(0);
    }

    #[inline]
    fn mark(&mut self, byte: u8, _: usize, _: usize, loose: bool) {
        self.add(0x200 | u64::from(byte) | u64::from(loose) << 8);
    }
}

/// The words and marks of a message, which are all of its shape.
struct Words<'a> {
    text: &'a [u8],
    words: Vec<u8>,
}

impl Sink for Words<'_> {
    fn word(&mut self, start: usize, end: usize) {
        self.words.push(b' ');
        self.words.extend_from_slice(self.text.get(start..end).unwrap_or_default());
    }

    fn value(&mut self, _: usize, _: usize) {}

    fn mark(&mut self, byte: u8, _: usize, _: usize, _: bool) {
        self.words.push(byte);
    }
}

impl Grouping {
    /// The group of a message; whether its words are plain: not such as `tells` tells of; and its form, where that is known. `most`
    /// patterns are kept.
    pub fn group(
        &mut self,
        text: &[u8],
        most: usize,
        tells: impl FnOnce(&[u8]) -> bool,
    ) -> (GroupId, bool, Option<Form>) {
        if let Some((slot, plain, form)) = self.outlines.get(text) {
            return (self.known.count(slot), plain, Some(form));
        }
        let mut shape = Shape { text, key: self.key, hash: self.key.start ^ text.len().min(1) as u64, numbered: false };
        lex::scan(text, &mut self.map, &mut shape);
        let hash = shape.hash;
        let numbered = shape.numbered;
        let (slot, plain) = match self.cache.get(hash) {
            Some(known) => known,
            None => self.learn(text, hash, most, tells),
        };
        let form = if numbered { None } else { self.outlines.put(slot, plain) };
        (self.known.count(slot), plain, form)
    }

    /// Finds the pattern of a shape that is not remembered, and whether its words are plain; and remembers both.
    #[cold]
    fn learn(&mut self, text: &[u8], hash: u64, most: usize, tells: impl FnOnce(&[u8]) -> bool) -> (usize, bool) {
        let slot = self.find(text, most);
        let mut words = Words { text, words: Vec::new() };
        lex::scan(text, &mut self.map, &mut words);
        let plain = !tells(&words.words);
        self.cache.put(hash, slot, plain);
        (slot, plain)
    }

    fn find(&mut self, text: &[u8], most: usize) -> usize {
        let parts = pattern::parts(text);
        let kinds = kinds(&parts);
        if let Some(slot) = self.found(&kinds) {
            return slot;
        }
        if self.known.is_full(most) {
            self.make_room(most);
            // What was learnt may tell the message's place now.
            if let Some(slot) = self.found(&kinds) {
                return slot;
            }
        }
        let id = self.left.take(&kinds).unwrap_or_else(|| self.known.fresh());
        self.known.add(text, kinds, id)
    }

    /// The slot of the pattern that these are of. One that left before it turned out to be of a more general one is of that now.
    fn found(&mut self, kinds: &[Kind]) -> Option<usize> {
        let slot = self.known.slot(kinds)?;
        if let Some((was, is)) = self.left.take(kinds).zip(self.known.id(slot)) {
            self.former.push(Former { id: was, into: is, template: String::new() });
            self.moves.push((was, Some(is)));
        }
        Some(slot)
    }

    fn make_room(&mut self, most: usize) {
        let Self { known, left, former, moves, .. } = self;
        let already = former.len();
        known.make_room(most, left, former);
        let merged = former.iter().skip(already).filter(|of| of.id != of.into);
        moves.extend(merged.map(|of| (of.id, Some(of.into))));
        moves.extend(left.forget(most).into_iter().map(|id| (id, None)));
        self.forget_slots();
    }

    /// Takes in the patterns of other lines, of which at most `most` are kept with those here. Gives the numbers that theirs have now.
    pub fn join(&mut self, other: Self, most: usize) -> HashMap<GroupId, GroupId> {
        let mut ids = self.known.join(other.known);
        self.left
            .join(other.left, |was, own| *ids.entry(was).or_insert_with(|| own.unwrap_or_else(|| self.known.fresh())));
        if self.known.is_over(most) {
            self.make_room(most);
        }
        self.moves.extend(self.left.forget(most).into_iter().map(|id| (id, None)));
        ids
    }

    fn forget_slots(&mut self) {
        self.cache.clear();
        self.outlines.clear();
    }

    /// A number that no pattern has or had.
    pub fn fresh(&mut self) -> GroupId {
        self.known.fresh()
    }

    /// The groups, in the order in which they were first seen.
    pub fn groups(&self) -> Vec<Group> {
        self.known.groups()
    }

    /// Patterns that are no more since this was last asked.
    pub fn take_former(&mut self) -> Vec<Former> {
        std::mem::take(&mut self.former)
    }

    /// What became of numbers since this was last asked, where anything did.
    #[inline]
    pub fn take_moves(&mut self) -> Option<HashMap<GroupId, Option<GroupId>>> {
        if self.moves.is_empty() { None } else { Some(std::mem::take(&mut self.moves).into_iter().collect()) }
    }
}

fn kinds(parts: &[Part]) -> Vec<Kind> {
    parts.iter().map(|part| part.kind).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_that_a_hash_without_a_secret_takes_for_one_another_are_told_apart() {
        // The highest bit of eight bytes is the highest one of their product, too, by whatever odd number; what comes behind takes it back.
        let mut grouping = Grouping::default();
        let groups =
            [&b"user ggggggggg left"[..], b"user ggggggg\xe7w left"].map(|text| grouping.group(text, 100, |_| false).0);
        assert_ne!(groups[0], groups[1]);
    }
}
