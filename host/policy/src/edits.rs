//! Applying a proposed edit to the file it was made for, or refusing it.

use autodevops_model::TextEdit;

/// Why an edit does not fit the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The file is another one than the edit was made for.
    #[error("the file has changed since the edit was made: its SHA-256 is {actual}, the edit is for {expected}")]
    OtherBase {
        /// What the edit says.
        expected: String,
        /// What the file has.
        actual: String,
    },
    /// The range lies outside the file, or ends before it starts.
    #[error("the edit of bytes {start} to {end} does not fit a file of {length} bytes")]
    OutOfRange {
        /// First byte.
        start: u64,
        /// Byte after the last.
        end: u64,
        /// The file's length.
        length: usize,
    },
    /// The range cuts a character in two.
    #[error("the edit of bytes {start} to {end} cuts a UTF-8 character in two")]
    InsideCharacter {
        /// First byte.
        start: u64,
        /// Byte after the last.
        end: u64,
    },
    /// Two ranges share a byte, or insert at the same place.
    #[error("two edits overlap at byte {0}")]
    Overlap(u64),
    /// The file is no UTF-8 text.
    #[error("the file is not UTF-8 text")]
    NotText,
}

/// The file after the edits; they may come in any order. The caller has compared the hashes with [`check_base`].
///
/// # Errors
/// [`EditError`] when an edit does not fit; nothing is applied then.
pub fn apply(base: &[u8], edits: &[TextEdit]) -> Result<String, EditError> {
    let text = std::str::from_utf8(base).map_err(|_| EditError::NotText)?;
    let mut sorted: Vec<&TextEdit> = edits.iter().collect();
    sorted.sort_by_key(|edit| (edit.start, edit.end));
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    let mut insertion = None;
    for edit in sorted {
        let (start, end) = range(edit, text)?;
        if start < from || insertion == Some(start) {
            return Err(EditError::Overlap(edit.start));
        }
        insertion = Some(start);
        out.push_str(text.get(from..start).unwrap_or_default());
        out.push_str(&edit.replacement);
        from = end;
    }
    out.push_str(text.get(from..).unwrap_or_default());
    Ok(out)
}

fn range(edit: &TextEdit, text: &str) -> Result<(usize, usize), EditError> {
    let outside = EditError::OutOfRange { start: edit.start, end: edit.end, length: text.len() };
    let (Ok(start), Ok(end)) = (usize::try_from(edit.start), usize::try_from(edit.end)) else { return Err(outside) };
    if start > end || end > text.len() {
        return Err(outside);
    }
    if text.get(start..end).is_none() {
        return Err(EditError::InsideCharacter { start: edit.start, end: edit.end });
    }
    Ok((start, end))
}

/// Compares the hash that an edit was made for with the file's, both in hex.
///
/// # Errors
/// [`EditError::OtherBase`] when they differ.
pub fn check_base(expected: &str, actual: &str) -> Result<(), EditError> {
    if expected.eq_ignore_ascii_case(actual) {
        return Ok(());
    }
    Err(EditError::OtherBase { expected: expected.into(), actual: actual.into() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn edit(start: u64, end: u64, replacement: &str) -> TextEdit {
        TextEdit { start, end, replacement: replacement.into() }
    }

    #[test]
    fn edits_are_applied_in_order_of_place() {
        assert_eq!(apply(b"abcdef", &[edit(4, 6, "Y"), edit(0, 1, "X"), edit(2, 2, "-")]).unwrap(), "Xb-cdY");
    }

    #[test]
    fn edits_that_do_not_fit_are_refused() {
        assert_eq!(apply(b"abc", &[edit(0, 2, ""), edit(1, 3, "")]), Err(EditError::Overlap(1)));
        assert_eq!(apply(b"abc", &[edit(1, 1, "x"), edit(1, 1, "y")]), Err(EditError::Overlap(1)));
        assert!(matches!(apply(b"abc", &[edit(2, 4, "")]), Err(EditError::OutOfRange { .. })));
        assert!(matches!(apply(b"abc", &[edit(2, 1, "")]), Err(EditError::OutOfRange { .. })));
        assert!(matches!(apply(b"abc", &[edit(u64::MAX, u64::MAX, "")]), Err(EditError::OutOfRange { .. })));
        assert!(matches!(apply("ä".as_bytes(), &[edit(1, 2, "")]), Err(EditError::InsideCharacter { .. })));
        assert_eq!(apply(b"\xff", &[]), Err(EditError::NotText));
    }

    #[test]
    fn another_base_is_refused_with_both_hashes() {
        let error = check_base("aa", "bb").unwrap_err().to_string();
        assert!(error.contains("SHA-256 is bb") && error.contains("for aa"), "{error}");
        assert_eq!(check_base("AB", "ab"), Ok(()));
    }

    proptest! {
        #[test]
        fn what_no_edit_touches_stays_as_it_was(text in "\\PC{0,40}", start in 0usize..50, end in 0usize..50, new in "[a-z]{0,5}") {
            match apply(text.as_bytes(), &[edit(start as u64, end as u64, &new)]) {
                Ok(after) => {
                    prop_assert!(after.starts_with(&text[..start]) && after.ends_with(&text[end..]));
                    prop_assert_eq!(after.len(), text.len() - (end - start) + new.len());
                }
                Err(_) => prop_assert!(text.get(start..end).is_none()),
            }
        }
    }
}
