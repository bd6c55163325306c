//! Which group a message is of: messages that one statement of a program wrote are one group, whatever values they carry.
//!
//! ```text
//! message ── lex ──> shape ── cache ──────────────> pattern ── partition ──> group
//!           one pass, no allocation   known shapes     bounded in number       on evidence, when asked
//! ```
//!
//! A line belongs to a pattern for good, by its form alone. Patterns are put into groups by evidence, which grows: so the
//! groups are made anew from the patterns whenever they are asked for, and what a line is given, a [`GroupId`], is its
//! pattern, whose group may become a larger one. When there are too many patterns, those of one group are made one, and then
//! the least used leave.

mod cache;
mod lex;
mod partition;
mod pattern;
mod state;

use std::ops::Range;

use serde::{Deserialize, Serialize};

use self::{
    cache::Cache,
    lex::Sink,
    pattern::{Kind, Part},
    state::Known,
};

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
    /// Patterns that are no more since they were last asked for.
    former: Vec<Former>,
    #[serde(skip)]
    cache: Cache,
}

/// Where the values of a message lie.
pub type Values = Vec<Range<u32>>;

/// The shape of a message: a hash over all of it but its values, and where those are.
struct Shape<'a> {
    text: &'a [u8],
    hash: u64,
    values: &'a mut Values,
}

impl Shape<'_> {
    fn add(&mut self, part: u64) {
        self.hash = (self.hash.rotate_left(5) ^ part).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
}

impl Sink for Shape<'_> {
    #[inline]
    fn word(&mut self, start: usize, end: usize) {
        let mut word = self.text.get(start..end).unwrap_or_default();
        while let Some((eight, rest)) = word.split_first_chunk::<8>() {
            self.add(u64::from_le_bytes(*eight));
            word = rest;
        }
        let last = word.iter().fold(1, |last, byte| last << 8 | u64::from(*byte));
        self.add(last);
    }

    #[inline]
    fn value(&mut self, start: usize, end: usize) {
        // A text is shorter than 4 GiB: only its first bytes are looked at.
        self.values.push(start as u32..end as u32);
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
    /// The group of a message, where its values lie, and whether its words are plain: not such as `tells` tells of. `most`
    /// patterns are kept.
    pub fn group(
        &mut self,
        text: &[u8],
        values: &mut Values,
        most: usize,
        tells: impl FnOnce(&[u8]) -> bool,
    ) -> (GroupId, bool) {
        values.clear();
        let mut shape = Shape { text, hash: text.len().min(1) as u64, values };
        lex::scan(text, &mut shape);
        let hash = shape.hash;
        let (slot, plain) = match self.cache.get(hash) {
            Some(known) => known,
            None => {
                let slot = self.find(text, most);
                let mut words = Words { text, words: Vec::new() };
                lex::scan(text, &mut words);
                let plain = !tells(&words.words);
                self.cache.put(hash, slot, plain);
                (slot, plain)
            }
        };
        (self.known.count(slot), plain)
    }

    fn find(&mut self, text: &[u8], most: usize) -> usize {
        let parts = pattern::parts(text);
        if let Some(slot) = self.known.find(&parts) {
            return slot;
        }
        if self.known.is_full(most) {
            self.known.make_room(most, &mut self.former);
            self.cache.clear();
            // What was learnt may tell the message's place now.
            if let Some(slot) = self.known.find(&parts) {
                return slot;
            }
        }
        self.known.add(text, &parts)
    }

    /// The groups, in the order in which they were first seen.
    pub fn groups(&self) -> Vec<Group> {
        self.known.groups()
    }

    /// Patterns that are no more since this was last asked.
    pub fn take_former(&mut self) -> Vec<Former> {
        std::mem::take(&mut self.former)
    }
}

fn kinds(parts: &[Part]) -> Vec<Kind> {
    parts.iter().map(|part| part.kind).collect()
}
