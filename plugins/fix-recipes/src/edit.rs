//! Replacements in a text, by byte offsets.

use autodevops_sdk::types::TextEdit;

/// One replacement; an insertion when it replaces nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replace {
    /// Offset of the first byte that is replaced.
    pub start: usize,
    /// Offset after the last one.
    pub end: usize,
    /// What is put there.
    pub text: String,
}

impl Replace {
    /// Puts text in front of an offset.
    pub fn insert(at: usize, text: impl Into<String>) -> Self {
        Self { start: at, end: at, text: text.into() }
    }

    /// Puts text in the place of a range.
    pub fn range(start: usize, end: usize, text: impl Into<String>) -> Self {
        Self { start, end, text: text.into() }
    }
}

/// Sorts replacements, drops repeated ones and joins insertions at one offset. None when two of them overlap.
pub fn tidy(mut edits: Vec<Replace>) -> Option<Vec<Replace>> {
    edits.sort_by_key(|edit| (edit.start, edit.end));
    edits.dedup();
    let mut tidied: Vec<Replace> = Vec::with_capacity(edits.len());
    for edit in edits {
        match tidied.last_mut() {
            Some(last) if last.start == edit.start && last.end == edit.end && edit.start == edit.end => {
                last.text.push_str(&edit.text);
            }
            Some(last) if edit.start < last.end => return None,
            _ => tidied.push(edit),
        }
    }
    Some(tidied)
}

/// The text with the replacements made. None when they do not fit it.
pub fn apply(text: &str, edits: &[Replace]) -> Option<String> {
    let mut after = String::with_capacity(text.len() + edits.iter().map(|edit| edit.text.len()).sum::<usize>());
    let mut at = 0;
    for edit in edits {
        after.push_str(text.get(at..edit.start)?);
        after.push_str(&edit.text);
        at = edit.end;
    }
    after.push_str(text.get(at..)?);
    Some(after)
}

/// As the contract has them.
pub fn to_contract(edits: &[Replace]) -> Vec<TextEdit> {
    edits
        .iter()
        .map(|edit| TextEdit { start: edit.start as u64, end: edit.end as u64, replacement: edit.text.clone() })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replacements_are_sorted_joined_and_applied() {
        let edits =
            vec![Replace::insert(3, ")"), Replace::range(0, 1, "x"), Replace::insert(3, ")"), Replace::insert(3, "!")];
        let edits = tidy(edits).unwrap();
        assert_eq!(edits.len(), 2);
        assert_eq!(apply("abc", &edits).unwrap(), "xbc)!");
    }

    #[test]
    fn replacements_that_overlap_or_do_not_fit_are_none() {
        assert_eq!(tidy(vec![Replace::range(0, 3, ""), Replace::range(2, 4, "")]), None);
        assert_eq!(apply("ä", &[Replace::insert(1, "x")]), None);
        assert_eq!(apply("a", &[Replace::insert(9, "x")]), None);
    }
}
