//! What stays the same of a message: its variable parts are replaced by marks.
//!
//! A fault's fingerprint is made of it. So it follows from the message alone, the same in every session and release: a pattern
//! of `grouping` is the first message that was seen of many, and becomes more general by the lines that follow.

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
        let (len, seen) = word_at(rest);
        if len > 0 {
            word(&rest[..len], seen, &mut out);
            rest = &rest[len..];
        } else if first.is_whitespace() {
            if !out.ends_with(' ') {
                out.push(' ');
            }
            rest = &rest[first.len_utf8()..];
        } else if let Some(quoted) = quoted(rest) {
            // Property names of JavaScript's messages are what the message is about: they stay.
            let kept = out.ends_with("(reading ") || out.ends_with("(setting ") || out.ends_with("property ");
            if kept {
                out.push_str(&rest[..quoted]);
            } else {
                mark(&mut out);
            }
            rest = &rest[quoted..];
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    out.truncate(out.trim_end().len());
    let leading = out.len() - out.trim_start().len();
    out.drain(..leading);
    out
}

/// Classes of bytes: of what may be part of a word, a name, a number, a path or an address.
const PART: u8 = 1;
/// A decimal digit.
const DIGIT: u8 = 1 << 1;
/// A slash of either kind.
const SLASH: u8 = 1 << 2;
/// An at sign.
const AT: u8 = 1 << 3;
/// A dot.
const DOT: u8 = 1 << 4;
/// A colon.
const COLON: u8 = 1 << 5;
/// No hex digit.
const OTHER: u8 = 1 << 6;
/// Of a character beyond ASCII, which may be part of a word.
const BEYOND: u8 = 1 << 7;

/// The classes of each byte.
const CLASSES: [u8; 256] = {
    let mut classes = [OTHER; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b'0'..=b'9' => PART | DIGIT,
            b'a'..=b'f' | b'A'..=b'F' => PART,
            b'/' | b'\\' => PART | OTHER | SLASH,
            b'@' => PART | OTHER | AT,
            b'.' => PART | OTHER | DOT,
            b':' => PART | OTHER | COLON,
            b'g'..=b'z' | b'G'..=b'Z' | b'_' | b'-' | b'%' | b'+' | b'#' | b'&' | b'?' | b'~' | b'$' => PART | OTHER,
            0x80.. => PART | OTHER | BEYOND,
            _ => OTHER,
        };
        byte += 1;
    }
    classes
};

/// The classes of a byte.
fn class(byte: u8) -> u8 {
    // In bounds: there are classes for each byte.
    CLASSES.get(usize::from(byte)).copied().unwrap_or_default()
}

/// The classes of a word's bytes.
fn classes(word: &str) -> u8 {
    word.bytes().fold(0, |seen, byte| seen | class(byte))
}

/// The word at the start of a text, if there is one: its length, and the classes of its bytes.
fn word_at(text: &str) -> (usize, u8) {
    let (mut len, mut seen) = (0, 0);
    for class in text.bytes().map(class) {
        if class & PART == 0 {
            break;
        }
        len += 1;
        seen |= class;
    }
    if seen & BEYOND == 0 {
        return (len, seen);
    }
    // Other characters are looked at one by one.
    let is_part = |c: char| {
        u8::try_from(c).ok().filter(u8::is_ascii).map_or_else(|| c.is_alphanumeric(), |byte| class(byte) & PART != 0)
    };
    let len = text[..len].find(|c| !is_part(c)).unwrap_or(len);
    (len, classes(&text[..len]))
}

/// Adds a mark; several in a row are one.
fn mark(out: &mut String) {
    if out.ends_with("<*> ") {
        out.pop();
    } else {
        out.push_str(MARK);
    }
}

fn word(word: &str, seen: u8, out: &mut String) {
    // Punctuation behind a word is not the word's.
    let core = word.trim_end_matches(['.', ':', '?', '-', ',']);
    let tail = &word[core.len()..];
    if is_variable(core, if tail.is_empty() { seen } else { classes(core) }) || is_named_value(out) {
        mark(out);
    } else {
        out.push_str(core);
    }
    out.push_str(tail);
}

/// Whether a word of bytes of these classes is one of many.
fn is_variable(word: &str, seen: u8) -> bool {
    let has = |class: u8| seen & class != 0;
    let is_path = || {
        let slashes = word.bytes().filter(|byte| class(*byte) & SLASH != 0).count();
        slashes >= 2 || word.starts_with('/') && word.len() > 1
    };
    has(DIGIT)
        || !has(OTHER) && word.len() >= 8
        || has(AT) && has(DOT)
        || has(SLASH) && is_path()
        || has(COLON) && word.contains("://")
}

/// Whether a key stands before, `key=`, whose values name one of many: `user=ann`, `rhost=a.example`.
fn is_named_value(before: &str) -> bool {
    const NAMES: [&str; 10] = ["user", "username", "host", "hostname", "client", "addr", "ip", "path", "url", "file"];
    let Some(before) = before.strip_suffix('=') else { return false };
    let key = before.rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default();
    let last = key.rsplit('_').next().unwrap_or_default();
    // `rhost`, `dbuser`: of which one is told by the end.
    let is_one = NAMES.contains(&last) || last.ends_with("host") || last.ends_with("user");
    is_one || last.ends_with("id") || key.ends_with("Id")
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
            (
                "denied user=ann rhost=a.b.example uid=x7 euid= tty=ssh",
                "denied user=<*> rhost=<*> uid=<*> euid= tty=ssh",
            ),
            ("cannot read property 'country' of undefined", "cannot read property 'country' of undefined"),
            ("from 1 2 3 to 'a' 'b' 4x", "from <*> to <*>"),
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
