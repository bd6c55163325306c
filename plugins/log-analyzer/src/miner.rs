//! Words that are values though they look like words, such as a user's name: told by how many others stand in their place.
//!
//! A template is taken apart at each of its words: the rest of it, and the word. Where the rest was seen with several words,
//! that place holds a value. Templates are thus merged only on evidence, and each merge is by one place.

use std::collections::{HashMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::template::MARK;

/// Different words in one place that make it a value's.
const VALUES: usize = 5;
/// Words that a template has left at least, and of each how many that are none: at most as many.
const LEAST_WORDS: usize = 2;
/// Most words of a template that is looked at.
const MAX_WORDS: usize = 40;
/// Places that are remembered; the oldest leave first.
const MAX_PLACES: usize = 12_000;

/// The places that were seen, oldest first.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Vec<(u64, Vec<u32>)>", into = "Vec<(u64, Vec<u32>)>")]
pub struct Miner {
    places: HashMap<u64, Vec<u32>>,
    order: VecDeque<u64>,
}

impl From<Vec<(u64, Vec<u32>)>> for Miner {
    fn from(places: Vec<(u64, Vec<u32>)>) -> Self {
        Self { order: places.iter().map(|(place, _)| *place).collect(), places: places.into_iter().collect() }
    }
}

impl From<Miner> for Vec<(u64, Vec<u32>)> {
    fn from(mut miner: Miner) -> Self {
        let Miner { order, places } = &mut miner;
        order.drain(..).filter_map(|place| Some((place, places.remove(&place)?))).collect()
    }
}

/// What a template turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub struct Learnt {
    /// The template with its values marked, as far as they are known by now.
    pub template: String,
    /// Whether a place was found just now to hold values.
    pub general: bool,
    /// Whether anything is remembered that was not before: if not, the same template comes to the same again.
    pub new: bool,
}

impl Miner {
    /// Takes notice of a template's words, and marks those that are values.
    pub fn learn(&mut self, template: String) -> Learnt {
        let mut words: Vec<&str> = template.split(' ').collect();
        let unchanged = |template, general, new| Learnt { template, general, new };
        if words.len() > MAX_WORDS {
            return unchanged(template, false, false);
        }
        // The identity of a template is a sum over its words, so that one can be taken out of it.
        let mut sum = words.len() as u64;
        let mut constant = 0;
        for (at, word) in words.iter().enumerate() {
            sum = sum.wrapping_add(part(at, word));
            constant += usize::from(!word.contains(MARK));
        }
        let (mut general, mut new, mut changed) = (false, false, false);
        for at in 0..words.len() {
            let enough = constant > LEAST_WORDS && constant * 2 > words.len();
            let Some(word) = words.get(at).copied().filter(|word| enough && is_word(word)) else { continue };
            let rest = sum.wrapping_sub(part(at, word));
            let values = self.values(rest.wrapping_add(part(at, "\0")), &mut new);
            let value = hash(word.as_bytes(), 0) as u32;
            if values.len() < VALUES && !values.contains(&value) {
                values.push(value);
                new = true;
                general |= values.len() == VALUES;
            }
            if values.len() == VALUES {
                changed = true;
                sum = rest.wrapping_add(part(at, MARK));
                constant -= 1;
                if let Some(word) = words.get_mut(at) {
                    *word = MARK;
                }
            }
        }
        if changed { unchanged(words.join(" "), general, new) } else { unchanged(template, false, new) }
    }

    /// Takes in the places that another has seen.
    pub fn join(&mut self, other: Self) {
        for (place, seen) in Vec::from(other) {
            let values = self.values(place, &mut false);
            for value in seen {
                if values.len() < VALUES && !values.contains(&value) {
                    values.push(value);
                }
            }
        }
    }

    fn values(&mut self, place: u64, new: &mut bool) -> &mut Vec<u32> {
        if !self.places.contains_key(&place) {
            *new = true;
            if self.order.len() >= MAX_PLACES {
                self.order.pop_front().and_then(|oldest| self.places.remove(&oldest));
            }
            self.order.push_back(place);
        }
        self.places.entry(place).or_default()
    }
}

/// Whether a template is one that another, more general, stands for.
pub fn stands_for(general: &str, template: &str) -> bool {
    let mut words = template.split(' ');
    general
        .split(' ')
        .all(|general| words.next().is_some_and(|word| word == general || general == MARK && is_word(word)))
        && words.next().is_none()
}

/// Whether a word may turn out to be a value. A quoted one is what the message is about, or it would be a mark.
fn is_word(word: &str) -> bool {
    !word.contains(MARK) && !word.contains(['\'', '"', '`']) && word.contains(char::is_alphanumeric)
}

/// What a word adds to the identity of its template.
fn part(at: usize, word: &str) -> u64 {
    hash(word.as_bytes(), at as u64 + 1)
}

/// FNV-1a, from a seed: the same on every machine, so that a checkpoint holds anywhere.
fn hash(bytes: &[u8], seed: u64) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325 ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bytes.iter().chain(b" ").fold(start, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learn(miner: &mut Miner, template: &str) -> (String, bool) {
        let learnt = miner.learn(template.to_owned());
        (learnt.template, learnt.general)
    }

    #[test]
    fn a_place_with_many_words_holds_a_value() {
        let mut miner = Miner::default();
        let last =
            ["ann", "bob", "cid", "dan", "eve"].map(|name| learn(&mut miner, &format!("login of user {name} failed")));
        assert_eq!(last[3], ("login of user dan failed".to_owned(), false));
        assert_eq!(last[4], ("login of user <*> failed".to_owned(), true));
        assert_eq!(learn(&mut miner, "login of user ann failed"), ("login of user <*> failed".to_owned(), false));
        assert_eq!(learn(&mut miner, "logout of user ann failed").0, "logout of user ann failed");
    }

    #[test]
    fn the_property_that_a_message_is_about_is_no_value() {
        let mut miner = Miner::default();
        for name in ["a", "b", "c", "d", "e", "f"] {
            let template = format!("Cannot read properties of undefined (reading '{name}')");
            assert_eq!(learn(&mut miner, &template).0, template);
        }
    }

    #[test]
    fn what_was_learnt_before_is_nothing_new() {
        let mut miner = Miner::default();
        for name in ["ann", "bob", "cid", "dan", "eve", "fay"] {
            let template = format!("login of user {name} failed");
            assert!(miner.learn(template.clone()).new || name == "fay");
            let (first, again) = (miner.learn(template.clone()), miner.learn(template));
            assert!(!again.new && first.template == again.template);
        }
    }

    #[test]
    fn what_would_have_no_words_left_is_not_merged() {
        let mut miner = Miner::default();
        for name in ["ann", "bob", "cid", "dan", "eve", "fay"] {
            assert_eq!(learn(&mut miner, &format!("{name} failed")).0, format!("{name} failed"));
        }
    }

    #[test]
    fn a_general_template_stands_for_those_it_was_learnt_from() {
        assert!(stands_for("login of <*> failed", "login of ann failed"));
        assert!(stands_for("login of <*> failed", "login of <*> failed"));
        assert!(!stands_for("login of <*> failed", "login of ann"));
        assert!(!stands_for("login of <*>", "login of ann failed"));
    }

    #[test]
    fn memory_is_bounded_and_survives_saving() {
        let mut miner = Miner::default();
        for n in 0..5000u32 {
            let name: String = n.to_string().bytes().map(|byte| char::from(byte - b'0' + b'a')).collect();
            miner.learn(format!("{name} is {name} of {name} and {name}"));
        }
        assert_eq!((miner.places.len(), miner.order.len()), (MAX_PLACES, MAX_PLACES));
        let saved = serde_json::to_vec(&miner).unwrap();
        assert!(saved.len() < 1 << 20, "{}", saved.len());
        let restored: Miner = serde_json::from_slice(&saved).unwrap();
        assert_eq!((restored.places, restored.order), (miner.places, miner.order));
    }
}
