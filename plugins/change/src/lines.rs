//! Lines that were added and removed, and places in a text.

use std::collections::{BTreeSet, HashMap};

use similar::{Algorithm, ChangeTag, TextDiff};

/// Above so many pairs of lines a diff by lines could take longer than a check may.
const MAX_PAIRS: usize = 100_000_000;

/// Which lines a change added and removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// Numbers, from 1, in the text after.
    pub added: BTreeSet<u32>,
    /// Numbers, from 1, in the text before.
    pub removed: BTreeSet<u32>,
}

impl Lines {
    /// The lines that differ between two texts. The kind of a line's end makes no difference.
    pub fn between(before: &str, after: &str) -> Self {
        let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
        if old.len().saturating_mul(new.len()) > MAX_PAIRS {
            return Self { added: without(&new, &old), removed: without(&old, &new) };
        }
        let mut lines = Self::default();
        let diff = TextDiff::configure().algorithm(Algorithm::Patience).diff_slices(&old, &new);
        for change in diff.iter_all_changes() {
            let number = |index: Option<usize>| index.and_then(|index| u32::try_from(index + 1).ok());
            match change.tag() {
                ChangeTag::Insert => lines.added.extend(number(change.new_index())),
                ChangeTag::Delete => lines.removed.extend(number(change.old_index())),
                ChangeTag::Equal => {}
            }
        }
        lines
    }

    /// Whether one of the lines from `first` to `last` was added.
    pub fn adds_any(&self, first: u32, last: u32) -> bool {
        self.added.range(first..=last.max(first)).next().is_some()
    }
}

/// Numbers of the lines that occur more often in `these` than in `those`: what a diff says where nothing was moved.
fn without(these: &[&str], those: &[&str]) -> BTreeSet<u32> {
    let mut left: HashMap<&str, usize> = HashMap::new();
    for line in those {
        *left.entry(line).or_default() += 1;
    }
    let mut numbers = BTreeSet::new();
    for (number, line) in (1..).zip(these) {
        match left.get_mut(line) {
            Some(count) if *count > 0 => *count -= 1,
            _ => drop(numbers.insert(number)),
        }
    }
    numbers
}

/// Lines and columns of a text's bytes.
pub struct Positions<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Positions<'a> {
    /// Those of the text.
    pub fn new(text: &'a str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts }
    }

    /// The line, from 1, that holds the byte; the last one for bytes after the end.
    pub fn line(&self, offset: u32) -> u32 {
        u32::try_from(self.starts.partition_point(|start| *start <= offset as usize)).unwrap_or(u32::MAX)
    }

    /// The line and the column of the byte, both from 1; columns count characters.
    pub fn at(&self, offset: u32) -> (u32, u32) {
        let line = self.line(offset);
        let start = self.starts.get(line as usize - 1).copied().unwrap_or_default();
        let before = self.text.get(start..offset as usize).map_or(0, |before| before.chars().count());
        (line, u32::try_from(before + 1).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_what_differs_was_added_or_removed() {
        let lines = Lines::between("a\nb\nc\n", "a\r\nx\nc\ny");
        assert_eq!(lines, Lines { added: [2, 4].into(), removed: [2].into() });
        assert!(lines.adds_any(1, 2) && lines.adds_any(4, 4) && !lines.adds_any(3, 3));
    }

    #[test]
    fn texts_too_long_for_a_diff_are_compared_by_their_lines() {
        assert_eq!(without(&["a", "b", "b", "c"], &["b", "a"]), [3, 4].into());
    }

    #[test]
    fn columns_count_characters() {
        let positions = Positions::new("ab\néx\n");
        assert_eq!(positions.at(0), (1, 1));
        assert_eq!(positions.at(3), (2, 1));
        assert_eq!(positions.at(5), (2, 2));
        assert_eq!(positions.at(99).0, 3);
    }

    proptest! {
        #[test]
        fn what_was_not_added_was_there_before(before in "[ab\n]{0,40}", after in "[ab\n]{0,40}") {
            let lines = Lines::between(&before, &after);
            let kept: Vec<&str> = (1u32..).zip(after.lines()).filter(|(n, _)| !lines.added.contains(n)).map(|(_, l)| l).collect();
            let left: Vec<&str> = (1u32..).zip(before.lines()).filter(|(n, _)| !lines.removed.contains(n)).map(|(_, l)| l).collect();
            prop_assert_eq!(kept, left);
        }
    }
}
