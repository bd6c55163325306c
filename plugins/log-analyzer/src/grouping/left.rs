//! Patterns that left for want of room. One that comes back has its number again: its lines are those of before, and nothing that is
//! kept by the number has stopped or begun with it.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::{GroupId, pattern::Kind};
use crate::bytes::hash;

/// For each pattern that may be kept, so many that left are remembered; a few bytes each.
const LEFT_PER_PATTERN: usize = 4;

/// The patterns that left, by what is in them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Vec<(u64, GroupId)>", into = "Vec<(u64, GroupId)>")]
pub struct Left {
    /// The number of each, and when it left.
    ids: HashMap<u64, (GroupId, u64)>,
    /// The oldest first.
    order: BTreeMap<u64, u64>,
    next: u64,
}

impl From<Vec<(u64, GroupId)>> for Left {
    fn from(saved: Vec<(u64, GroupId)>) -> Self {
        let mut left = Self::default();
        saved.into_iter().for_each(|(key, id)| left.put_key(key, id));
        left
    }
}

impl From<Left> for Vec<(u64, GroupId)> {
    fn from(Left { ids, order, .. }: Left) -> Self {
        order.into_values().filter_map(|key| Some((key, ids.get(&key)?.0))).collect()
    }
}

/// What a pattern is known by.
fn key(kinds: &[Kind]) -> u64 {
    let parts = kinds.iter().flat_map(|kind| {
        let (of, number) = match kind {
            Kind::Value => (0, 0),
            Kind::Mark(byte) => (1, u64::from(*byte)),
            Kind::Word(word) => (2, *word),
        };
        std::iter::once(of).chain(number.to_le_bytes())
    });
    hash(&parts.collect::<Vec<u8>>())
}

impl Left {
    /// Remembers a pattern that leaves.
    pub fn put(&mut self, kinds: &[Kind], id: GroupId) {
        self.put_key(key(kinds), id);
    }

    fn put_key(&mut self, key: u64, id: GroupId) {
        if let Some((_, at)) = self.ids.insert(key, (id, self.next)) {
            self.order.remove(&at);
        }
        self.order.insert(self.next, key);
        self.next += 1;
    }

    /// The number of a pattern that comes back.
    pub fn take(&mut self, kinds: &[Kind]) -> Option<GroupId> {
        if self.ids.is_empty() {
            return None;
        }
        let (id, at) = self.ids.remove(&key(kinds))?;
        self.order.remove(&at);
        Some(id)
    }

    /// Forgets those that left first, where there are more than belong to so many patterns; gives their numbers.
    pub fn forget(&mut self, most: usize) -> Vec<GroupId> {
        let over = self.ids.len().saturating_sub(most.saturating_mul(LEFT_PER_PATTERN));
        let oldest = (0..over).filter_map(|_| self.order.pop_first());
        oldest.collect::<Vec<_>>().into_iter().filter_map(|(_, key)| Some(self.ids.remove(&key)?.0)).collect()
    }

    /// Takes in those of others, with the numbers that they have here: that of the same pattern where it left here, too, else what
    /// `number` gives.
    pub fn join(&mut self, other: Self, mut number: impl FnMut(GroupId, Option<GroupId>) -> GroupId) {
        for (key, was) in Vec::from(other) {
            let own = self.ids.get(&key).map(|(own, _)| *own);
            let id = number(was, own);
            if own.is_none() {
                self.put_key(key, id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(word: u64) -> [Kind; 2] {
        [Kind::Word(word), Kind::Value]
    }

    #[test]
    fn one_that_comes_back_has_its_number_once_and_the_oldest_are_forgotten_first() {
        let mut left = Left::default();
        (0..10_u32).for_each(|word| left.put(&kinds(u64::from(word)), GroupId(word)));
        assert_eq!(left.take(&kinds(3)), Some(GroupId(3)));
        assert_eq!(left.take(&kinds(3)), None);
        left.put(&kinds(0), GroupId(0));
        // Eight belong to two patterns.
        assert_eq!(left.forget(2), [GroupId(1)]);
        let saved = serde_json::to_vec(&left).unwrap();
        let mut restored: Left = serde_json::from_slice(&saved).unwrap();
        assert_eq!(restored.forget(1), left.forget(1));
        assert_eq!((restored.take(&kinds(0)), restored.take(&kinds(4))), (Some(GroupId(0)), None));
    }
}
