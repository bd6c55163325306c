//! Words that are values though they look like words, such as a user's name: told by how many others stand in their place.
//!
//! A pattern is looked at with one of its words left out: the rest, and the word. Patterns with the same rest are a family,
//! and its words stand in one place. A place with many words holds a value, and the family is one group; a place with few
//! has words that tell messages apart (`from NEW to RUNNING`). How many are many depends on how much else the patterns have in
//! common, and grows slowly with the lines seen, since an enumeration ends and names do not. A group that was made so
//! takes part as a pattern with a value in that place, until nothing changes any more.

use std::collections::HashMap;

use super::pattern::Kind;

/// Parts of a pattern in which values are looked for.
const MAX_PLACES: usize = 40;
/// Rounds after which what is left is taken as it is; each is linear in the patterns.
const MAX_ROUNDS: usize = 8;
/// Words in one place that make it a value's, at least.
const LEAST_WORDS: usize = 4;
/// Forms of groups of one length that a pattern may fit.
const MAX_FORMS: usize = 64;
/// What a value that is one by its form counts for, among the words of a place.
const VALUE_COUNTS: usize = 3;
/// Words in a place, where only two other words, or one, are left to tell what the message is about.
const LEAST_WORDS_OF_TWO: usize = 12;
const LEAST_WORDS_OF_ONE: usize = 24;
/// How many more it takes at the message's start, where it says what it is about.
const FIRST_COUNTS: usize = 4;

/// A pattern of messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// Its parts.
    pub kinds: Vec<Kind>,
    /// Lines that have it.
    pub lines: u64,
}

/// For each pattern the first of its group, by index; and the places that hold values in it, by the first's index.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Partition {
    /// The first pattern of the group.
    pub first: Vec<usize>,
    /// The group's parts.
    pub kinds: HashMap<usize, Vec<Kind>>,
}

/// What a part adds to the identity of its pattern: a sum, so that a part can be taken out.
fn share(at: usize, kind: Kind) -> u64 {
    let of = match kind {
        Kind::Value => 1,
        Kind::Mark(mark) => 2 + u64::from(mark),
        Kind::Word(word) => word,
    };
    let mixed = (of ^ (at as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed ^ (mixed >> 31)).wrapping_mul(0x94d0_49bb_1331_11eb)
}

struct Family {
    /// The identity of the rest.
    sum: u64,
    /// How many words the rest has.
    rest: usize,
    place: usize,
    members: Vec<usize>,
}

/// Puts patterns that differ by values into one group. It depends on the patterns and their order alone.
pub fn partition(patterns: &[Pattern]) -> Partition {
    let mut first: Vec<usize> = (0..patterns.len()).collect();
    let mut current: Vec<Option<(Vec<Kind>, u64)>> =
        patterns.iter().map(|pattern| Some((pattern.kinds.clone(), pattern.lines))).collect();
    for _ in 0..MAX_ROUNDS {
        let mut families: Vec<Family> =
            families(&current).into_values().filter(|family| family.members.len() > 1).collect();
        families.sort_unstable_by_key(|family| {
            (std::cmp::Reverse(family.members.len()), family.members.first().copied(), family.place)
        });
        let mut changed = false;
        for family in families {
            changed |= merge(&family, &mut current, &mut first);
        }
        if !changed {
            break;
        }
        unite(&mut current, &mut first);
        fit(patterns, &mut current, &mut first);
    }
    let kinds = current.into_iter().enumerate().filter_map(|(at, pattern)| Some((at, pattern?.0))).collect();
    for at in 0..first.len() {
        let of = first_of(&first, at);
        if let Some(first) = first.get_mut(at) {
            *first = of;
        }
    }
    Partition { first, kinds }
}

fn first_of(first: &[usize], mut at: usize) -> usize {
    while let Some(of) = first.get(at).copied().filter(|of| *of != at) {
        at = of;
    }
    at
}

fn families(current: &[Option<(Vec<Kind>, u64)>]) -> HashMap<(u64, usize), Family> {
    let mut families: HashMap<(u64, usize), Family> = HashMap::with_capacity(current.len() * 4);
    for (index, pattern) in current.iter().enumerate() {
        let Some((kinds, _)) = pattern else { continue };
        let words = kinds.iter().filter(|kind| matches!(kind, Kind::Word(_))).count();
        let sum = identity(kinds);
        for (place, kind) in kinds.iter().enumerate().take(MAX_PLACES) {
            if matches!(kind, Kind::Mark(_)) {
                continue;
            }
            let rest = words - usize::from(*kind != Kind::Value);
            if rest > 0 {
                let sum = sum.wrapping_sub(share(place, *kind));
                let family = families.entry((sum, place));
                family.or_insert_with(|| Family { sum, rest, place, members: Vec::new() }).members.push(index);
            }
        }
    }
    families
}

fn identity(kinds: &[Kind]) -> u64 {
    kinds.iter().enumerate().fold(kinds.len() as u64, |sum, (at, kind)| sum.wrapping_add(share(at, *kind)))
}

/// Makes a family one group where its place holds a value.
fn merge(family: &Family, current: &mut [Option<(Vec<Kind>, u64)>], first: &mut [usize]) -> bool {
    let place = family.place;
    let (mut members, mut words, mut lines) = (Vec::new(), Vec::new(), 0);
    for &index in &family.members {
        // One that was merged in this round has other parts now, or none.
        let Some(Some((kinds, of))) = current.get(index) else { continue };
        let Some(word) = kinds.get(place) else { continue };
        if identity(kinds).wrapping_sub(share(place, *word)) != family.sum {
            continue;
        }
        members.push(index);
        words.push(*word);
        lines += of;
    }
    words.sort_unstable();
    words.dedup();
    let evidence = words.len() + if words.contains(&Kind::Value) { VALUE_COUNTS - 1 } else { 0 };
    if words.len() < 2 || evidence < needed(family.rest, place, lines) {
        return false;
    }
    let Some(of) = members.iter().copied().min() else { return false };
    for index in members.into_iter().filter(|index| *index != of) {
        if let (Some(pattern), Some(first)) = (current.get_mut(index), first.get_mut(index)) {
            *pattern = None;
            *first = of;
        }
    }
    if let Some(Some((kinds, total))) = current.get_mut(of) {
        *total = lines;
        if let Some(kind) = kinds.get_mut(place) {
            *kind = Kind::Value;
        }
    }
    true
}

/// How many words in one place make it a value's.
fn needed(rest: usize, place: usize, lines: u64) -> usize {
    // Half the logarithm: 4 up to 256 lines, 5 up to 1,000, 10 at a million.
    let grown = (lines.max(1).ilog2() as usize).div_ceil(2);
    let least = LEAST_WORDS.max(grown);
    let least = match rest {
        1 => least.max(LEAST_WORDS_OF_ONE),
        2 => least.max(LEAST_WORDS_OF_TWO),
        _ => least,
    };
    least + if place == 0 { FIRST_COUNTS } else { 0 }
}

/// Puts patterns together that have become the same.
fn unite(current: &mut [Option<(Vec<Kind>, u64)>], first: &mut [usize]) {
    let mut known: HashMap<Vec<Kind>, usize> = HashMap::new();
    for index in 0..current.len() {
        let Some(Some((kinds, lines))) = current.get(index) else { continue };
        let lines = *lines;
        let of = *known.entry(kinds.clone()).or_insert(index);
        if of == index {
            continue;
        }
        if let Some(Some((_, total))) = current.get_mut(of) {
            *total += lines;
        }
        if let (Some(pattern), Some(first)) = (current.get_mut(index), first.get_mut(index)) {
            *pattern = None;
            *first = of;
        }
    }
}

/// Puts patterns into the groups that they fit, where the group holds values: those that are not of its family, because they
/// differ from each of the others in several places.
fn fit(patterns: &[Pattern], current: &mut [Option<(Vec<Kind>, u64)>], first: &mut [usize]) {
    let mut forms: HashMap<usize, Vec<Vec<usize>>> = HashMap::new();
    let mut groups: HashMap<u64, usize> = HashMap::new();
    for (index, (pattern, now)) in patterns.iter().zip(current.iter()).enumerate() {
        let Some((kinds, _)) = now.as_ref().filter(|(kinds, _)| *kinds != pattern.kinds) else { continue };
        let places = pattern.kinds.iter().zip(kinds).enumerate().filter(|(_, (was, is))| was != is);
        let places: Vec<usize> = places.map(|(place, _)| place).collect();
        let forms = forms.entry(kinds.len()).or_default();
        if forms.len() < MAX_FORMS && !forms.contains(&places) {
            forms.push(places);
        }
        groups.insert(identity(kinds), index);
    }
    for index in 0..current.len() {
        let Some(Some((kinds, lines))) = current.get(index) else { continue };
        let (sum, lines) = (identity(kinds), *lines);
        let general = |form: &Vec<usize>| {
            let as_value = |sum: u64, place: &usize| {
                let kind = kinds.get(*place).copied().unwrap_or(Kind::Value);
                sum.wrapping_sub(share(*place, kind)).wrapping_add(share(*place, Kind::Value))
            };
            let sum = form.iter().fold(sum, as_value);
            groups.get(&sum).copied().filter(|group| *group != index).map(|group| (sum, group))
        };
        let Some((sum, group)) = forms.get(&kinds.len()).and_then(|forms| forms.iter().find_map(general)) else {
            continue;
        };
        let (of, leaves) = (index.min(group), index.max(group));
        let kinds =
            current.get_mut(group).and_then(Option::as_mut).map(|(kinds, total)| (std::mem::take(kinds), *total));
        let Some((kinds, others)) = kinds else { continue };
        if let Some(pattern) = current.get_mut(of) {
            *pattern = Some((kinds, lines + others));
        }
        if let (Some(pattern), Some(first)) = (current.get_mut(leaves), first.get_mut(leaves)) {
            *pattern = None;
            *first = of;
        }
        groups.insert(sum, of);
    }
}
