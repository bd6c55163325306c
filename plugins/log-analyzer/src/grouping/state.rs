//! The patterns that are known: bounded in number and bytes.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::{
    Former, Group, GroupId, kinds,
    left::Left,
    lex,
    partition::{Partition, Pattern, partition},
    pattern::{self, Kind, Part},
};

/// Bytes of the patterns' texts.
const MAX_TEXT_BYTES: usize = 1 << 20;
/// Bytes of a template.
const MAX_TEMPLATE_BYTES: usize = 1000;
/// Forms of groups of one length that are tried for a new message.
const MAX_FORMS: usize = 64;
/// Lines without a pattern that outweigh half of its lines, when the least used leave.
const LINES_PER_DOUBLING: u64 = 1 << 16;
/// Stands for a value.
pub const MARK: &str = "<*>";

/// A pattern: the message that it was first seen in, and which of its words turned out to be values.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Entry {
    id: GroupId,
    #[serde(with = "text")]
    text: Vec<u8>,
    /// Places of parts that are words by their form, and values by evidence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    values: Vec<u16>,
    lines: u64,
    /// When it was used last, in lines.
    used: u64,
    /// What its parts are; follows from the rest.
    #[serde(skip)]
    kinds: Vec<Kind>,
}

impl Entry {
    /// Finds its parts anew.
    fn read(&mut self) {
        self.kinds = kinds(&pattern::parts(&self.text));
        for place in &self.values {
            if let Some(kind) = self.kinds.get_mut(usize::from(*place)) {
                *kind = Kind::Value;
            }
        }
    }

    /// What its lines have in common.
    fn template(&self, kinds: &[Kind]) -> String {
        let mut parts = pattern::parts(&self.text);
        for (part, kind) in parts.iter_mut().zip(kinds) {
            part.kind = *kind;
        }
        render(&self.text, &parts)
    }
}

/// The patterns, oldest first, and how a message's is found.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Saved", into = "Saved")]
pub struct Known {
    entries: Vec<Entry>,
    next: u32,
    lines: u64,
    bytes: usize,
    /// By their parts.
    index: HashMap<Vec<Kind>, usize>,
    /// Of patterns with values by evidence, by their length: the places of these.
    forms: HashMap<usize, Vec<Vec<u16>>>,
}

/// What is saved of it: the rest follows.
#[derive(Serialize, Deserialize)]
struct Saved {
    entries: Vec<Entry>,
    next: u32,
    lines: u64,
}

impl From<Known> for Saved {
    fn from(Known { entries, next, lines, .. }: Known) -> Self {
        Self { entries, next, lines }
    }
}

impl From<Saved> for Known {
    fn from(Saved { entries, next, lines }: Saved) -> Self {
        let mut known = Self { entries, next, lines, ..Self::default() };
        known.entries.iter_mut().for_each(Entry::read);
        known.rebuild();
        known
    }
}

impl Known {
    /// Counts a line of the pattern.
    #[inline]
    pub fn count(&mut self, slot: usize) -> GroupId {
        self.lines += 1;
        let Some(entry) = self.entries.get_mut(slot) else { return GroupId(0) };
        entry.lines += 1;
        entry.used = self.lines;
        entry.id
    }

    /// The number of the pattern in a slot.
    pub fn id(&self, slot: usize) -> Option<GroupId> {
        self.entries.get(slot).map(|entry| entry.id)
    }

    /// The slot of the pattern that the parts have.
    pub fn slot(&self, kinds: &[Kind]) -> Option<usize> {
        if let Some(slot) = self.index.get(kinds) {
            return Some(*slot);
        }
        for form in self.forms.get(&kinds.len()).into_iter().flatten() {
            let mut general = kinds.to_vec();
            let mut fits = true;
            for place in form {
                match general.get_mut(usize::from(*place)) {
                    Some(kind) if !matches!(kind, Kind::Mark(_)) => *kind = Kind::Value,
                    _ => fits = false,
                }
            }
            if let Some(slot) = self.index.get(&general).filter(|_| fits) {
                return Some(*slot);
            }
        }
        None
    }

    /// Whether a new pattern needs room first.
    pub fn is_full(&self, most: usize) -> bool {
        self.entries.len() >= most.max(1) || self.bytes >= MAX_TEXT_BYTES
    }

    /// Whether there are more patterns than there may be.
    pub fn is_over(&self, most: usize) -> bool {
        self.entries.len() > most.max(1) || self.bytes > MAX_TEXT_BYTES
    }

    /// A number that no pattern has or had.
    pub fn fresh(&mut self) -> GroupId {
        let id = GroupId(self.next);
        self.next = self.next.wrapping_add(1);
        id
    }

    /// Takes in other patterns, as if their lines had come after those here; there may be too many then. Gives the numbers that they
    /// have now.
    pub fn join(&mut self, other: Self) -> HashMap<GroupId, GroupId> {
        let (mut ids, mut new) = (HashMap::new(), Vec::new());
        for mut entry in other.entries {
            let was = entry.id;
            entry.used += self.lines;
            match self.slot(&entry.kinds).and_then(|slot| self.entries.get_mut(slot)) {
                Some(known) => {
                    known.lines += entry.lines;
                    known.used = entry.used;
                    ids.insert(was, known.id);
                }
                None => {
                    entry.id = self.fresh();
                    ids.insert(was, entry.id);
                    new.push(entry);
                }
            }
        }
        self.entries.append(&mut new);
        self.lines += other.lines;
        self.rebuild();
        ids
    }

    /// Makes a pattern of a message, with its number.
    pub fn add(&mut self, text: &[u8], kinds: Vec<Kind>, id: GroupId) -> usize {
        let slot = self.entries.len();
        let text = lex::beginning(text).to_vec();
        self.bytes += text.len();
        self.index.insert(kinds.clone(), slot);
        self.entries.push(Entry { id, text, values: Vec::new(), lines: 0, used: self.lines, kinds });
        slot
    }

    /// Makes patterns of one group one, and takes out the least used, a quarter more than needed, so that it is not needed
    /// again at once.
    pub fn make_room(&mut self, most: usize, gone: &mut Left, former: &mut Vec<Former>) {
        let groups = self.resolved();
        let mut kept: Vec<Entry> = Vec::new();
        let mut slots: HashMap<usize, usize> = HashMap::new();
        for (index, mut entry) in std::mem::take(&mut self.entries).into_iter().enumerate() {
            let first = groups.first.get(index).copied().unwrap_or(index);
            if let Some(of) = slots.get(&first).and_then(|slot| kept.get_mut(*slot)) {
                of.lines += entry.lines;
                of.used = of.used.max(entry.used);
                former.push(Former { id: entry.id, into: of.id, template: String::new() });
                continue;
            }
            if let Some(kinds) = groups.kinds.get(&first) {
                let differs = entry.kinds.iter().zip(kinds).enumerate().filter(|(_, (was, is))| was != is);
                let more: Vec<u16> = differs.filter_map(|(place, _)| u16::try_from(place).ok()).collect();
                entry.values.extend(more);
                entry.values.sort_unstable();
                entry.kinds.clone_from(kinds);
            }
            slots.insert(first, kept.len());
            kept.push(entry);
        }
        let (number, bytes) = (most - most / 4, MAX_TEXT_BYTES - MAX_TEXT_BYTES / 4);
        let mut total: usize = kept.iter().map(|entry| entry.text.len()).sum();
        let mut order: Vec<(u64, usize)> = kept.iter().enumerate().map(|(at, entry)| (worth(entry), at)).collect();
        order.sort_unstable();
        let mut leaves = vec![false; kept.len()];
        let mut left = kept.len();
        for (_, at) in order {
            if left <= number && total <= bytes {
                break;
            }
            if let (Some(entry), Some(leaves)) = (kept.get(at), leaves.get_mut(at)) {
                *leaves = true;
                total -= entry.text.len();
                left -= 1;
                gone.put(&entry.kinds, entry.id);
                former.push(Former { id: entry.id, into: entry.id, template: entry.template(&entry.kinds) });
            }
        }
        self.entries = kept.into_iter().zip(leaves).filter(|(_, leaves)| !leaves).map(|(entry, _)| entry).collect();
        self.rebuild();
    }

    /// Finds anew what follows from the patterns.
    fn rebuild(&mut self) {
        self.bytes = self.entries.iter().map(|entry| entry.text.len()).sum();
        self.index.clear();
        self.forms.clear();
        for (slot, entry) in self.entries.iter().enumerate() {
            self.index.entry(entry.kinds.clone()).or_insert(slot);
            if !entry.values.is_empty() {
                let forms = self.forms.entry(entry.kinds.len()).or_default();
                if forms.len() < MAX_FORMS && !forms.contains(&entry.values) {
                    forms.push(entry.values.clone());
                }
            }
        }
    }

    fn resolved(&self) -> Partition {
        let patterns: Vec<Pattern> =
            self.entries.iter().map(|entry| Pattern { kinds: entry.kinds.clone(), lines: entry.lines }).collect();
        partition(&patterns)
    }

    /// The groups, in the order in which they were first seen.
    pub fn groups(&self) -> Vec<Group> {
        let resolved = self.resolved();
        let mut groups: Vec<Group> = Vec::new();
        let mut slots: HashMap<usize, usize> = HashMap::new();
        for (index, entry) in self.entries.iter().enumerate() {
            let first = resolved.first.get(index).copied().unwrap_or(index);
            if let Some(group) = slots.get(&first).and_then(|slot| groups.get_mut(*slot)) {
                group.patterns.push(entry.id);
                group.lines += entry.lines;
                continue;
            }
            slots.insert(first, groups.len());
            let template = entry.template(resolved.kinds.get(&first).unwrap_or(&entry.kinds));
            groups.push(Group { id: entry.id, patterns: vec![entry.id], lines: entry.lines, template });
        }
        groups
    }
}

/// When it was used last, and how often.
fn worth(entry: &Entry) -> u64 {
    entry.used + u64::from(entry.lines.max(1).ilog2()) * LINES_PER_DOUBLING
}

/// The text with its values marked, for people.
fn render(text: &[u8], parts: &[Part]) -> String {
    let mut out = String::new();
    let mut from = 0;
    let last = parts.last().map_or(0, |part| part.end as usize);
    for part in parts.iter().filter(|part| part.kind == Kind::Value) {
        out.push_str(&String::from_utf8_lossy(text.get(from..part.start as usize).unwrap_or_default()));
        out.push_str(MARK);
        from = part.end as usize;
    }
    out.push_str(&String::from_utf8_lossy(text.get(from..last).unwrap_or_default()));
    let mut out: String = out.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    out.truncate(out.floor_char_boundary(MAX_TEMPLATE_BYTES));
    out
}

/// Bytes as a text with a character for each, so that any bytes come back as they were.
mod text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&bytes.iter().map(|byte| char::from(*byte)).collect::<String>())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.chars().map(|c| u8::try_from(c).map_err(|_| D::Error::custom("a character is no byte"))).collect()
    }
}
