//! Text of a stranger's, made fit for a terminal and a log: what cannot be seen, or changes how the rest is seen, is spelled out.

/// The text with its control and format characters escaped, line ends and tabs apart: no cursor is moved by it, no line of a log
/// forged, and no text shown in another order than it is written in.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if !matches!(character, '\n' | '\t') && (character.is_control() || is_format(character)) {
            out.extend(character.escape_unicode());
        } else {
            out.push(character);
        }
    }
    out
}

/// Most characters that are shown of a text in [`one_line`].
const LINE_CHARACTERS: usize = 400;

/// The text in one line that is not too long: in a dialogue, nothing of it can stand for a question or an answer of the host's, and
/// what stands above it is not pushed out of sight.
pub fn one_line(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(LINE_CHARACTERS) {
        Some((end, _)) => format!("{}…", words.get(..end).unwrap_or_default()),
        None => words,
    }
}

/// Unicode's general category Cf, and the separators of lines and paragraphs (Unicode 16, `DerivedGeneralCategory.txt`).
const fn is_format(character: char) -> bool {
    matches!(
        character,
        '\u{ad}'
            | '\u{600}'..='\u{605}'
            | '\u{61c}'
            | '\u{6dd}'
            | '\u{70f}'
            | '\u{890}'..='\u{891}'
            | '\u{8e2}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{110bd}'
            | '\u{110cd}'
            | '\u{13430}'..='\u{1343f}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0001}'
            | '\u{e0020}'..='\u{e007f}'
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_moves_the_cursor_or_turns_the_text_is_spelled_out() {
        assert_eq!(escape("a\x1b[2Jb\rc\nd\te"), "a\\u{1b}[2Jb\\u{d}c\nd\te");
        assert_eq!(escape("evil\u{202e}txt.exe\u{2066}\u{2028}"), "evil\\u{202e}txt.exe\\u{2066}\\u{2028}");
        assert_eq!(escape("zero\u{200b}width\u{feff}"), "zero\\u{200b}width\\u{feff}");
        assert_eq!(escape("Grüße, 世界 🙂"), "Grüße, 世界 🙂");
    }

    #[test]
    fn a_long_text_of_many_lines_is_one_that_is_seen_whole() {
        assert_eq!(one_line(" It is read.\n\n\u{2028}  Grant it? [y/N]\ty "), "It is read. Grant it? [y/N] y");
        assert_eq!(one_line(&"ä".repeat(1000)), format!("{}…", "ä".repeat(400)));
    }

    proptest! {
        #[test]
        fn what_is_escaped_once_is_as_it_stays(text in any::<String>()) {
            let once = escape(&text);
            prop_assert_eq!(escape(&once), once);
        }
    }
}
