//! Which lines a change touched.

use std::collections::BTreeSet;

use similar::{Algorithm, ChangeTag, TextDiff};

/// Lines of `after` that are not in `before`, from 1.
pub fn changed_lines(before: &str, after: &str) -> BTreeSet<u32> {
    let diff = TextDiff::configure().algorithm(Algorithm::Patience).diff_lines(before, after);
    diff.iter_all_changes()
        .filter(|change| change.tag() == ChangeTag::Insert)
        .filter_map(|change| change.new_index())
        .filter_map(|index| u32::try_from(index + 1).ok())
        .collect()
}

/// Whether a line can hold a statement or a part of one: it is more than punctuation, a comment or nothing.
pub fn says_something(line: &str) -> bool {
    let line = line.trim();
    if line.starts_with("//") || line.starts_with("/*") || line.starts_with("* ") || line == "*" {
        return false;
    }
    line.chars().any(|c| c.is_alphanumeric() || matches!(c, '_' | '$' | '"' | '\'' | '`'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_lines_are_those_that_were_not_there_before() {
        let before = "a\nb\nc\n";
        assert_eq!(changed_lines(before, "a\nB\nc\nd\n"), [2, 4].into());
        assert_eq!(changed_lines(before, before), BTreeSet::new());
        assert_eq!(changed_lines("", "x\ny"), [1, 2].into());
        assert_eq!(changed_lines("a\nb\nc\n", "a\nc\n"), BTreeSet::new());
    }

    #[test]
    fn braces_and_comments_say_nothing() {
        for line in ["", "  });", "// x", "/* y", " * z", "}"] {
            assert!(!says_something(line), "{line}");
        }
        assert!(says_something("  return a;") && says_something("'x',"));
    }
}
