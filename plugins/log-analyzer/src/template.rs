//! What stays the same of a message: its variable parts are replaced by marks.

use sha2::{Digest, Sha256};

/// Stands for a variable part.
pub const MARK: &str = "<*>";

/// Bytes of a message that are looked at.
const MAX_BYTES: usize = 1000;

/// The message with its variable parts (numbers, identifiers, addresses, paths, quoted values) replaced.
pub fn template(message: &str) -> String {
    let message = cut(message, MAX_BYTES);
    let mut out = String::with_capacity(message.len());
    let mut rest = message;
    while let Some(first) = rest.chars().next() {
        if first.is_whitespace() {
            if !out.ends_with(' ') {
                out.push(' ');
            }
            rest = &rest[first.len_utf8()..];
        } else if let Some(quoted) = quoted(rest) {
            // Property names of JavaScript's messages are what the message is about: they stay.
            let kept = out.ends_with("(reading ") || out.ends_with("(setting ") || out.ends_with("property ");
            out.push_str(if kept { &rest[..quoted] } else { MARK });
            rest = &rest[quoted..];
        } else if is_part_of_word(first) {
            let end = rest.find(|c: char| !is_part_of_word(c)).unwrap_or(rest.len());
            word(&rest[..end], &mut out);
            rest = &rest[end..];
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    while out.contains("<*> <*>") {
        out = out.replace("<*> <*>", MARK);
    }
    out.trim().to_owned()
}

/// Characters of words, names, numbers, paths, addresses and URLs.
fn is_part_of_word(c: char) -> bool {
    c.is_alphanumeric()
        || matches!(c, '_' | '-' | '.' | '/' | '\\' | ':' | '@' | '%' | '+' | '#' | '&' | '?' | '~' | '$')
}

fn word(word: &str, out: &mut String) {
    // Punctuation behind a word is not the word's.
    let core = word.trim_end_matches(['.', ':', '?', '-', ',']);
    let tail = &word[core.len()..];
    if is_variable(core) {
        out.push_str(MARK);
    } else {
        out.push_str(core);
    }
    out.push_str(tail);
}

fn is_variable(word: &str) -> bool {
    word.bytes().any(|byte| byte.is_ascii_digit())
        || word.len() >= 8 && word.bytes().all(|byte| byte.is_ascii_hexdigit())
        || word.contains('@') && word.contains('.')
        || word.contains("://")
        || word.matches(['/', '\\']).count() >= 2
        || (word.starts_with('/') && word.len() > 1)
}

/// Length of a quoted text at the start, its quotes included; one that starts a word's apostrophe is none.
fn quoted(text: &str) -> Option<usize> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\'' | '`'))?;
    let end = text[1..].find(quote)?;
    (end <= 200).then_some(end + 2)
}

/// The text's first bytes, cut between characters.
pub fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

/// 16 hex digits over the parts.
pub fn fingerprint(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.as_bytes());
        hasher.update([0]);
    }
    hasher.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn variable_parts_are_marked() {
        for (message, expected) in [
            ("order 4711 failed for user 12", "order <*> failed for user <*>"),
            ("connect to 10.0.0.1:5432 refused", "connect to <*> refused"),
            ("cannot open /var/lib/a.db: denied", "cannot open <*>: denied"),
            ("GET https://a.example/x?y=1 failed", "GET <*>=<*> failed"),
            ("Unexpected token 'x' in JSON", "Unexpected token <*> in JSON"),
            (
                "Cannot read properties of undefined (reading 'name')",
                "Cannot read properties of undefined (reading 'name')",
            ),
            ("mail to a@b.example bounced", "mail to <*> bounced"),
            ("job 7f3a9c00-1111-4222-8333-444455556666 died", "job <*> died"),
            ("  many   spaces\there ", "many spaces here"),
        ] {
            assert_eq!(template(message), expected);
        }
    }

    proptest! {
        #[test]
        fn any_text_has_a_template(text in "\\PC{0,300}") {
            prop_assert!(template(&text).len() <= text.len() * 3);
        }

        #[test]
        fn numbers_do_not_tell_messages_apart(a: u32, b: u32) {
            prop_assert_eq!(template(&format!("order {a} failed")), template(&format!("order {b} failed")));
        }
    }
}
