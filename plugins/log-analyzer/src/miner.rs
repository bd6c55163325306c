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

impl Miner {
    /// The template with its values marked, as far as they are known by now; and whether that was learnt just now.
    pub fn learn(&mut self, template: String) -> (String, bool) {
        let mut words: Vec<&str> = template.split(' ').collect();
        if words.len() > MAX_WORDS {
            return (template, false);
        }
        let (mut learnt, mut changed) = (false, false);
        for at in 0..words.len() {
            let constant = words.iter().filter(|word| !word.contains(MARK)).count();
            let enough = constant > LEAST_WORDS && constant * 2 > words.len();
            let Some(word) = words.get(at).copied().filter(|word| enough && is_word(word)) else { continue };
            let place = place(&words, at);
            let value = hash(word.as_bytes(), 0) as u32;
            let values = match self.places.get_mut(&place) {
                Some(values) => values,
                None => {
                    if self.order.len() >= MAX_PLACES {
                        self.order.pop_front().and_then(|oldest| self.places.remove(&oldest));
                    }
                    self.order.push_back(place);
                    self.places.entry(place).or_default()
                }
            };
            if values.len() < VALUES && !values.contains(&value) {
                values.push(value);
                learnt |= values.len() == VALUES;
            }
            if values.len() == VALUES {
                changed = true;
                if let Some(word) = words.get_mut(at) {
                    *word = MARK;
                }
            }
        }
        if changed { (words.join(" "), learnt) } else { (template, false) }
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

/// Whether a word may turn out to be a value.
fn is_word(word: &str) -> bool {
    !word.contains(MARK) && word.contains(char::is_alphanumeric)
}

/// Identity of the template without the word.
fn place(words: &[&str], without: usize) -> u64 {
    words.iter().enumerate().fold(words.len() as u64, |sum, (at, word)| {
        let word = if at == without { "\0" } else { word };
        hash(word.as_bytes(), sum)
    })
}

/// FNV-1a, from a seed: the same on every machine, so that a checkpoint holds anywhere.
fn hash(bytes: &[u8], seed: u64) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325 ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bytes.iter().chain(b" ").fold(start, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_with_many_words_holds_a_value() {
        let mut miner = Miner::default();
        let last = ["ann", "bob", "cid", "dan", "eve"].map(|name| miner.learn(format!("login of user {name} failed")));
        assert_eq!(last[3], ("login of user dan failed".to_owned(), false));
        assert_eq!(last[4], ("login of user <*> failed".to_owned(), true));
        assert_eq!(miner.learn("login of user ann failed".into()), ("login of user <*> failed".to_owned(), false));
        assert_eq!(miner.learn("logout of user ann failed".into()).0, "logout of user ann failed");
    }

    #[test]
    fn what_would_have_no_words_left_is_not_merged() {
        let mut miner = Miner::default();
        for name in ["ann", "bob", "cid", "dan", "eve", "fay"] {
            assert_eq!(miner.learn(format!("{name} failed")).0, format!("{name} failed"));
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
