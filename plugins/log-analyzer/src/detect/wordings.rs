//! Lines that a new version of a service writes in other words: one kind stops where another begins that says nearly the same about as
//! often. Neither has vanished, nor is it a rate that changed.

use std::collections::{BTreeMap, BTreeSet};

use super::track::Track;
use crate::time::SECOND;

/// Fewest letters of a word that tells anything, and as many of its first as are compared: `reminder` and `remind` are of one stem.
const LEAST_LETTERS: usize = 4;
const STEM: usize = 5;
/// A word that is in more kinds of lines tells nothing of what one of them says.
const MOST_KINDS: usize = 3;
/// Fewest lines that tell how often a kind comes.
const MIN_COUNT: u64 = 5;
/// How many times as often one of the two may come.
const ALIKE: f64 = 3.0;
/// The other begins within a minute, or so many times as long as is usual between two lines.
const SOON: f64 = 20.0;
const SOON_SECONDS: f64 = 60.0;

/// The kinds of lines of a source by what they say.
pub struct Wordings<'a> {
    kinds: Vec<(&'a Track, BTreeSet<String>)>,
    /// In how many kinds a word is.
    known: BTreeMap<String, usize>,
}

impl<'a> Wordings<'a> {
    /// Those of these kinds.
    pub fn new(tracks: impl Iterator<Item = &'a Track>) -> Self {
        let kinds: Vec<(&Track, BTreeSet<String>)> = tracks.map(|track| (track, stems(&track.shape))).collect();
        let mut known = BTreeMap::new();
        for stem in kinds.iter().flat_map(|(_, stems)| stems) {
            *known.entry(stem.clone()).or_default() += 1;
        }
        Self { kinds, known }
    }

    /// Whether another kind began to say it where this one stopped, or this one where another stopped.
    pub fn has_another(&self, track: &Track) -> bool {
        let own = stems(&track.shape);
        let tells = |stem: &String| self.known.get(stem).is_some_and(|kinds| *kinds <= MOST_KINDS);
        self.kinds.iter().any(|(other, stems)| {
            (follows(track, other) || follows(other, track)) && stems.intersection(&own).any(tells)
        })
    }
}

/// Whether one kind stopped where the other began, which came as often.
fn follows(stopped: &Track, begun: &Track) -> bool {
    if stopped.count < MIN_COUNT || begun.count < MIN_COUNT {
        return false;
    }
    let between = |track: &Track| {
        let lasted = track.seen.1.saturating_sub(track.seen.0) as f64 / SECOND as f64;
        (lasted / (track.count - 1) as f64).max(1e-3)
    };
    let (before, since) = (between(stopped), between(begun));
    let after = begun.seen.0.saturating_sub(stopped.seen.1) as f64 / SECOND as f64;
    (-SOON_SECONDS..=SOON_SECONDS.max(SOON * before.max(since))).contains(&after)
        && before <= ALIKE * since
        && since <= ALIKE * before
}

/// The beginnings of the words that tell what a line says.
fn stems(shape: &str) -> BTreeSet<String> {
    let words = shape.split(|c: char| !c.is_alphabetic()).filter(|word| word.chars().count() >= LEAST_LETTERS);
    words.map(|word| word.chars().take(STEM).flat_map(char::to_lowercase).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{detect::track::Room, line::Line};

    /// A kind of line that comes each so many seconds from one time to another.
    fn track(text: &str, seconds: std::ops::Range<i64>, every: i64) -> Track {
        let line = Line::of(text);
        let mut track = Track::new(&line, seconds.start * SECOND);
        for second in seconds.step_by(every as usize) {
            track.add(&line, second * SECOND, 1, &mut Room::default());
        }
        track
    }

    #[test]
    fn a_line_in_other_words_goes_on_and_one_that_stopped_or_came_alone_does_not() {
        let before = track("coach 7 offers 12 places", 0..3000, 10);
        for (text, from, every, expected) in [
            ("places on offer in coach 7: 12", 3015, 10, true),
            ("places on offer in coach 7: 12", 3015, 25, true),
            // Long after, far more seldom, of something else.
            ("places on offer in coach 7: 12", 4500, 10, false),
            ("places on offer in coach 7: 12", 3015, 60, false),
            ("the tariff of line 7 was read", 3015, 10, false),
            // It was always there.
            ("places on offer in coach 7: 12", 100, 10, false),
        ] {
            let other = track(text, from..6000, every);
            let wordings = Wordings::new([&before, &other].into_iter());
            assert_eq!(
                (wordings.has_another(&before), wordings.has_another(&other)),
                (expected, expected),
                "{text} {from}"
            );
        }
    }

    #[test]
    fn a_word_of_all_lines_tells_nothing() {
        let texts = ["shop.go: cart read", "shop.go: mail sent", "shop.go: stock moved", "shop.go: price of 7 changed"];
        let mut tracks: Vec<Track> = texts.iter().map(|text| track(text, 0..6000, 10)).collect();
        tracks.push(track("shop.go opens a door", 0..3000, 10));
        tracks.push(track("shop.go shuts something else", 3010..6000, 10));
        let wordings = Wordings::new(tracks.iter());
        assert!(!wordings.has_another(&tracks[4]));
    }
}
