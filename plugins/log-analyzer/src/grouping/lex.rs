//! A message taken apart: words that stay, marks between them, and values that change from line to line.
//!
//! What is a value is told by its form alone (it has a digit, is a path, an address, an identifier in hex), so that the same
//! line is always taken apart in the same way, with nothing to learn. Words that are values though they look like words are
//! told later, by evidence: see [`super::partition`].

use std::ops::Range;

use crate::bytes::{self, AT, BLANK, COLON, DIGIT, DOT, Map, OTHER, SLASH};

/// Bytes of a message that are looked at; what is behind them does not tell messages apart.
pub const MAX_BYTES: usize = 1024;

/// Classes of bytes that names, paths and addresses are made of.
const NAMES: u8 = 1 << SLASH | 1 << COLON | 1 << DOT | 1 << AT;

/// What takes the parts of a message, in order; each lies from `start` to `end`.
pub trait Sink {
    /// A word that stays.
    fn word(&mut self, start: usize, end: usize);
    /// A word that stays though it has a digit in it.
    #[inline]
    fn numbered_word(&mut self, start: usize, end: usize) {
        self.word(start, end);
    }
    /// A value.
    fn value(&mut self, start: usize, end: usize);
    /// A mark, whose byte stands for it; `loose` when a blank follows.
    fn mark(&mut self, byte: u8, start: usize, end: usize, loose: bool);
}

/// Takes the message apart; `map` is room for a look at its bytes.
pub fn scan(text: &[u8], map: &mut Map, sink: &mut impl Sink) {
    let text = beginning(text);
    map.read(text);
    let map = &*map;
    let mut at = map.next_solid(0);
    while let Some(&byte) = text.get(at) {
        let end = map.next_part(at);
        if end == at {
            sink.mark(byte, at, at + 1, map.is(BLANK, at + 1));
            at += 1;
        } else {
            at = run(text, map, at..end, sink);
        }
        at = map.next_solid(at);
    }
}

/// The part of a message that is looked at: of a long one, whole words.
pub fn beginning(text: &[u8]) -> &[u8] {
    let Some(start) = text.get(..MAX_BYTES) else { return text };
    let end = start.iter().rposition(|byte| bytes::parts(*byte));
    if text.len() == MAX_BYTES { start } else { end.and_then(|at| start.get(..at)).unwrap_or(start) }
}

/// A run of bytes that are no marks; gives where to go on.
#[inline]
fn run(text: &[u8], map: &Map, Range { start, end }: Range<usize>, sink: &mut impl Sink) -> usize {
    let of = text.get(start..end).unwrap_or_default();
    let seen = map.classes(start..end);
    if seen & NAMES == 0 && !of.last().is_some_and(is_tail) {
        plain(of, start, end, seen, sink);
        return end;
    }
    composed(text, map, start..end, seen, sink)
}

/// A run that may be of several parts, whose classes are `seen`; gives where to go on.
fn composed(text: &[u8], map: &Map, Range { start, end }: Range<usize>, seen: u8, sink: &mut impl Sink) -> usize {
    let of = text.get(start..end).unwrap_or_default();
    if has(seen, SLASH) && text.get(end) == Some(&b'=') && of.iter().any(|byte| matches!(byte, b'?' | b'&')) {
        // A query goes on to the end of the address.
        let rest = text.get(end..map.next_blank(end)).unwrap_or_default();
        let len = rest.iter().take_while(|byte| !b"\"'`<>()".contains(byte)).count();
        sink.value(start, end + len);
        return end + len;
    }
    let mut from = start;
    loop {
        // Dots in a row are a line that leads to a value.
        let dots = if has(seen, DOT) { dots(map, from..end) } else { None };
        let to = dots.as_ref().map_or(end, |dots| dots.start);
        tailed(text, map, from..to, (from == start && to == end).then_some(seen), sink);
        let Some(dots) = dots else { return end };
        sink.mark(b'.', dots.start, dots.end, false);
        from = dots.end;
    }
}

/// Punctuation behind a word, which is not the word's.
const fn is_tail(byte: &u8) -> bool {
    matches!(byte, b'.' | b':' | b'?' | b'!' | b'-' | b',')
}

const fn has(seen: u8, class: usize) -> bool {
    seen >> class & 1 != 0
}

/// The first dots in a row.
fn dots(map: &Map, range: Range<usize>) -> Option<Range<usize>> {
    let mut from = range.start;
    loop {
        let start = map.first(DOT, from..range.end)?;
        from = map.first_not(DOT, start..range.end).unwrap_or(range.end);
        if from - start > 1 {
            return Some(start..from);
        }
    }
}

/// A word, and the punctuation behind it; its classes, where they are known.
#[inline]
fn tailed(text: &[u8], map: &Map, Range { start, end }: Range<usize>, seen: Option<u8>, sink: &mut impl Sink) {
    if start == end {
        return;
    }
    let of = text.get(start..end).unwrap_or_default();
    let tail = of.iter().rev().take_while(|byte| is_tail(byte)).count();
    // What is punctuation alone is a word, but for its last.
    let tail = if tail == of.len() { tail.saturating_sub(1) } else { tail };
    let body = end - tail;
    parts(text, map, start..body, seen.filter(|_| tail == 0), sink);
    for at in body..end {
        let loose = at + 1 == end && map.is(BLANK, end);
        sink.mark(text.get(at).copied().unwrap_or_default(), at, at + 1, loose);
    }
}

/// A word that may be several, with colons between them.
fn parts(text: &[u8], map: &Map, Range { start, end }: Range<usize>, seen: Option<u8>, sink: &mut impl Sink) {
    let of = text.get(start..end).unwrap_or_default();
    let seen = seen.unwrap_or_else(|| map.classes(start..end));
    if !has(seen, COLON) || of.len() == 1 {
        return plain(of, start, end, seen, sink);
    }
    let has_scheme = || has(seen, SLASH) && of.windows(3).any(|three| three == b"://");
    if is_host_and_port(map, start..end) || has_scheme() || is_address(of) {
        return sink.value(start, end);
    }
    let mut from = start;
    while from < end {
        let to = map.first(COLON, from..end).unwrap_or(end);
        if from < to {
            plain(text.get(from..to).unwrap_or_default(), from, to, map.classes(from..to), sink);
        }
        if to < end {
            sink.mark(b':', to, to + 1, false);
        }
        from = to + 1;
    }
}

#[inline]
fn plain(of: &[u8], start: usize, end: usize, seen: u8, sink: &mut impl Sink) {
    if is_value(of, seen) {
        sink.value(start, end);
    } else if has(seen, DIGIT) {
        sink.numbered_word(start, end);
    } else {
        sink.word(start, end);
    }
}

/// Whether a word is a value by its form. It is no call: one costs more than most words do, since in the sandbox it asks whether
/// the time is up.
#[inline(always)]
fn is_value(of: &[u8], seen: u8) -> bool {
    if has(seen, DIGIT) {
        return !(matches!(of.last(), Some(b'a'..=b'z' | b'A'..=b'Z' | b'$')) && is_name(of, seen));
    }
    if !has(seen, OTHER) {
        return of.len() >= 8;
    }
    seen & NAMES != 0 && is_path_or_host(of, seen)
}

/// Whether a word with a digit, and a letter or a dollar at its end, is a name all the same.
fn is_name(of: &[u8], seen: u8) -> bool {
    is_name_with_number(of) || has(seen, DOT) && (of.ends_with(b"Exception") || of.ends_with(b"Error"))
}

fn is_path_or_host(of: &[u8], seen: u8) -> bool {
    if has(seen, SLASH) {
        let rooted = |start: &[u8]| of.starts_with(start) && of.len() > start.len();
        let slashes = of.iter().filter(|byte| matches!(byte, b'/' | b'\\')).count();
        return slashes >= 2 || has(seen, DOT) || rooted(b"/") || rooted(b"~/");
    }
    has(seen, DOT) && (has(seen, AT) || is_host(of))
}

/// A host's full name, told by the domain at its end; a program's names have theirs at the start: `com.example.Shop`.
fn is_host(of: &[u8]) -> bool {
    /// Domains that are no words of a program's.
    const DOMAINS: [&[u8]; 12] = [
        b"com",
        b"org",
        b"net",
        b"edu",
        b"gov",
        b"mil",
        b"info",
        b"biz",
        b"local",
        b"localdomain",
        b"internal",
        b"example",
    ];
    /// Those that are, too, behind two names or more; as are all of two letters, a country's or not.
    const LONGER: [&[u8]; 5] = [b"dev", b"app", b"cloud", b"lan", b"test"];
    let Some(last) = of.rsplit(|byte| *byte == b'.').next() else { return false };
    let is_known = DOMAINS.contains(&last);
    if !is_known && last.len() != 2 && !LONGER.contains(&last) {
        return false;
    }
    let first = of.iter().take_while(|byte| **byte != b'.').count();
    let is_longer = || {
        first > 2
            && of.iter().filter(|byte| **byte == b'.').count() > 1
            && !of.get(..first).is_some_and(|first| DOMAINS.contains(&first))
            && !of.iter().any(u8::is_ascii_uppercase)
    };
    let is_label = |label: &[u8]| {
        !label.is_empty() && label.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    first < of.len() && (is_known || is_longer()) && of.split(|byte| *byte == b'.').all(is_label)
}

/// A name with a number in its middle, such as `Http2Exception` or `HttpServer2$Filter`.
fn is_name_with_number(of: &[u8]) -> bool {
    let [b'a'..=b'z' | b'A'..=b'Z', b'a'..=b'z' | b'A'..=b'Z', ..] = of else { return false };
    let head = of.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let rest = of.get(head..).unwrap_or_default();
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let tail = rest.get(digits..).unwrap_or_default();
    digits <= 2 && tail.len() >= 3 && tail.iter().all(|byte| byte.is_ascii_alphabetic() || *byte == b'$')
}

/// Hex digits between colons, as hardware and the Internet's sixth version are addressed.
fn is_address(of: &[u8]) -> bool {
    let colons = of.iter().filter(|byte| **byte == b':').count();
    colons >= 2 && of.split(|byte| *byte == b':').all(|part| part.len() <= 4 && part.iter().all(u8::is_ascii_hexdigit))
}

fn is_host_and_port(map: &Map, Range { start, end }: Range<usize>) -> bool {
    map.first(COLON, start..end).is_some_and(|colon| {
        colon + 1 < end && map.first_not(DIGIT, colon + 1..end).is_none() && map.first(DOT, start..colon).is_some()
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Default)]
    struct Shown(Vec<String>, &'static [u8]);

    impl Sink for Shown {
        fn word(&mut self, start: usize, end: usize) {
            self.0.push(String::from_utf8_lossy(&self.1[start..end]).into_owned());
        }

        fn value(&mut self, start: usize, end: usize) {
            self.0.push(format!("<{}>", String::from_utf8_lossy(&self.1[start..end])));
        }

        fn mark(&mut self, byte: u8, _: usize, _: usize, _: bool) {
            self.0.push(char::from(byte).to_string());
        }
    }

    #[test]
    fn values_are_told_by_their_form() {
        for (text, expected) in [
            ("order 4711 failed", "order <4711> failed"),
            ("connect to 10.0.0.1:5432 refused", "connect to <10.0.0.1:5432> refused"),
            ("cannot open /var/lib/a.db: denied", "cannot open </var/lib/a.db> : denied"),
            ("GET https://a.example/x?y=z&q=r failed", "GET <https://a.example/x?y=z&q=r> failed"),
            ("mail to ann@b.example bounced", "mail to <ann@b.example> bounced"),
            ("job 7f3a9c00-1111-4222-8333-444455556666 died.", "job <7f3a9c00-1111-4222-8333-444455556666> died ."),
            ("cache deadbeef and face", "cache <deadbeef> and face"),
            ("from 00:11:43:e3:ba:c3 and fe80::1", "from <00:11:43:e3:ba:c3> and <fe80::1>"),
            ("total:12,used:7", "total : <12> , used : <7>"),
            ("wait enable......1", "wait enable . <1>"),
            ("read/write in src/main.rs", "read/write in <src/main.rs>"),
            ("io.netty.http2.Http2Exception: x", "io.netty.http2.Http2Exception : x"),
            ("Http2Exception: x", "Http2Exception : x"),
            ("is ready...", "is ready ."),
            (
                "proxy.cse.cuhk.edu.hk and zummit.com, not com.example.Shop",
                "<proxy.cse.cuhk.edu.hk> and <zummit.com> , not com.example.Shop",
            ),
            ("api.shop.io and www.shop.de, not shop.io", "<api.shop.io> and <www.shop.de> , not shop.io"),
            (
                "org.apache.fs or io.netty.ws or nova.db.sqlalchemy",
                "org.apache.fs or io.netty.ws or nova.db.sqlalchemy",
            ),
            ("- done", "- done"),
        ] {
            let mut shown = Shown(Vec::new(), text.as_bytes());
            scan(text.as_bytes(), &mut Map::default(), &mut shown);
            assert_eq!(shown.0.join(" "), expected, "{text}");
        }
    }

    /// Parts with their places.
    struct Places(usize, bool);

    impl Places {
        fn next(&mut self, start: usize, end: usize) {
            self.1 &= start >= self.0 && end > start;
            self.0 = end;
        }
    }

    impl Sink for Places {
        fn word(&mut self, start: usize, end: usize) {
            self.next(start, end);
        }

        fn value(&mut self, start: usize, end: usize) {
            self.next(start, end);
        }

        fn mark(&mut self, _: u8, start: usize, end: usize, _: bool) {
            self.next(start, end);
        }
    }

    proptest! {
        #[test]
        fn parts_are_in_order_and_within_the_text(text in prop_oneof!["\\PC{0,80}", "[a-c0-2 .:/?=&,()-]{0,60}"]) {
            let mut places = Places(0, true);
            scan(text.as_bytes(), &mut Map::default(), &mut places);
            prop_assert!(places.1 && places.0 <= text.len());
        }
    }
}
