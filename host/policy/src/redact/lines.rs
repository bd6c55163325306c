//! Logs that come in parts.

use std::collections::BTreeMap;

use super::Redaction;

/// Longest unfinished line that is waited for, in bytes. Of a longer one, what there is goes on as far as its last space.
const MAX_HELD_BYTES: usize = 64 << 10;

/// Redacts logs that come in parts: what a part leaves of a line unfinished waits for the rest of it, so that nothing which is to be taken out is
/// missed where it is cut in two.
#[derive(Clone, Debug)]
pub struct RedactedLines {
    redaction: Redaction,
    held: BTreeMap<String, Vec<u8>>,
}

impl RedactedLines {
    /// With unfinished lines by their source: those that [`held`](Self::held) told of before.
    pub const fn new(redaction: Redaction, held: BTreeMap<String, Vec<u8>>) -> Self {
        Self { redaction, held }
    }

    /// What can be told of a source by now: the lines that the part finishes, redacted, and as many as they were. What is no UTF-8 is replaced.
    pub fn take(&mut self, source: &str, part: &[u8]) -> Vec<u8> {
        let mut text = self.held.remove(source).unwrap_or_default();
        text.extend(part);
        let is_end = |byte: &u8| *byte == b'\n';
        let end = match text.iter().rposition(is_end) {
            Some(end) => end + 1,
            None if text.len() > MAX_HELD_BYTES => {
                text.iter().rposition(u8::is_ascii_whitespace).map_or(text.len(), |space| space + 1)
            }
            None => 0,
        };
        let rest = text.split_off(end);
        if !rest.is_empty() {
            self.held.insert(source.to_owned(), rest);
        }
        let mut redacted = self.redaction.text(&String::from_utf8_lossy(&text)).into_bytes();
        // A key over several lines is one word now; the lines after it keep their numbers.
        let lines = |bytes: &[u8]| bytes.iter().filter(|byte| is_end(byte)).count();
        let missing = lines(&text).saturating_sub(lines(&redacted));
        redacted.resize(redacted.len() + missing, b'\n');
        redacted
    }

    /// Unfinished lines, as they came, by their source.
    pub const fn held(&self) -> &BTreeMap<String, Vec<u8>> {
        &self.held
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines() -> RedactedLines {
        RedactedLines::new(Redaction::default(), BTreeMap::new())
    }

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_line_waits_for_its_end_also_over_a_restart() {
        let mut first = lines();
        assert_eq!(text(first.take("a", b"one\nmail to jane@sh")), "one\n");
        assert_eq!(text(first.take("b", b"from 203.0.")), "");
        let mut second = RedactedLines::new(Redaction::default(), first.held().clone());
        assert_eq!(text(second.take("a", b"op.example now\n")), "mail to [redacted:email] now\n");
        assert_eq!(text(second.take("b", b"113.7\nend")), "from [redacted:ip-address]\n");
        assert_eq!(second.held().keys().collect::<Vec<_>>(), ["b"]);
    }

    #[test]
    fn lines_after_a_key_of_several_keep_their_numbers() {
        let key = "-----BEGIN PRIVATE KEY-----\nMIIE\nMIIF\n-----END PRIVATE KEY-----\n";
        assert_eq!(text(lines().take("a", key.as_bytes())), "[redacted:private-key]\n\n\n\n");
    }

    #[test]
    fn a_line_without_end_is_not_waited_for_without_end() {
        let mut lines = lines();
        let long = "word ".repeat(MAX_HELD_BYTES / 5);
        assert_eq!(lines.take("a", long.as_bytes()), b"");
        let told = text(lines.take("a", b"x jane@sh"));
        assert_eq!(told, format!("{long}x "));
        assert_eq!(text(lines.take("a", b"op.example\n")), "[redacted:email]\n");
    }

    proptest! {
        #[test]
        fn wherever_it_is_cut_the_same_comes_out(cuts in prop::collection::vec(0_usize..70, 0..6)) {
            let log = "token: ghp_abcdefghijklmnopqrstuvwxyz0123456789\ncard 4111 1111 1111 1111, jane@shop.example\r\n";
            let whole = lines().take("a", log.as_bytes());
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(log.len())).collect();
            cuts.sort_unstable();
            let (mut parts, mut told, mut from) = (lines(), Vec::new(), 0);
            for to in cuts.into_iter().chain([log.len()]) {
                told.extend(parts.take("a", &log.as_bytes()[from..to]));
                from = to;
            }
            prop_assert_eq!(told, whole);
            prop_assert!(parts.held().is_empty());
        }
    }
}
