//! A message taken apart: words that stay, marks between them, and values that change from line to line.
//!
//! What is a value is told by its form alone (it has a digit, is a path, an address, an identifier in hex), so that the same
//! line is always taken apart in the same way, with nothing to learn. Words that are values though they look like words are
//! told later, by evidence: see [`super::partition`].

/// Bytes of a message that are looked at; what is behind them does not tell messages apart.
pub const MAX_BYTES: usize = 1024;

/// What takes the parts of a message, in order; each lies from `start` to `end`.
pub trait Sink {
    /// A word that stays.
    fn word(&mut self, start: usize, end: usize);
    /// A value.
    fn value(&mut self, start: usize, end: usize);
    /// A mark, whose byte stands for it; `loose` when a blank follows.
    fn mark(&mut self, byte: u8, start: usize, end: usize, loose: bool);
}

const BLANK: u8 = 1;
const MARK: u8 = 2;
const DIGIT: u8 = 4;
const SLASH: u8 = 8;
const COLON: u8 = 16;
const DOT: u8 = 32;
const AT: u8 = 64;
/// No hex digit.
const OTHER: u8 = 128;

const CLASSES: [u8; 256] = {
    let mut classes = [OTHER; 256];
    let mut byte = 0;
    while byte < 256 {
        let of = byte as u8;
        classes[byte] = match of {
            b'0'..=b'9' => DIGIT,
            b'a'..=b'f' | b'A'..=b'F' => 0,
            b'/' | b'\\' => SLASH | OTHER,
            b':' => COLON | OTHER,
            b'.' => DOT | OTHER,
            b'@' => AT | OTHER,
            b',' | b';' | b'=' | b'(' | b')' | b'[' | b']' | b'{' | b'}' | b'<' | b'>' | b'"' | b'\'' | b'`' | b'|' => {
                MARK
            }
            0..=b' ' | 0x7f => BLANK,
            _ => OTHER,
        };
        byte += 1;
    }
    classes
};

fn class(byte: u8) -> u8 {
    // In bounds: there is a class for each byte.
    CLASSES.get(usize::from(byte)).copied().unwrap_or(OTHER)
}

/// Takes the message apart.
pub fn scan(text: &[u8], sink: &mut impl Sink) {
    let text = beginning(text);
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        let kind = class(byte);
        if kind & BLANK != 0 {
            at += 1;
        } else if kind & MARK != 0 {
            let loose = text.get(at + 1).is_none_or(|next| class(*next) & BLANK != 0);
            sink.mark(byte, at, at + 1, loose);
            at += 1;
        } else {
            let rest = text.get(at..).unwrap_or_default();
            let (len, seen) = length(rest);
            at = run(text, at, at + len, seen, sink);
        }
    }
}

/// How long the run is that the text begins with, and the classes of its bytes. They are looked at by eights, whose bytes are
/// no steps of a loop: in the sandbox, each step asks whether the time is up.
#[inline]
fn length(text: &[u8]) -> (usize, u8) {
    let (mut len, mut seen) = (0, 0);
    let mut goes_on = |byte: &u8| {
        let kind = class(*byte);
        let inside = kind & (BLANK | MARK) == 0;
        if inside {
            seen |= kind;
            len += 1;
        }
        inside
    };
    let (eights, rest) = text.as_chunks::<8>();
    let _whole = eights.iter().all(|eight| eight.iter().all(&mut goes_on)) && rest.iter().all(goes_on);
    (len, seen)
}

/// The part of a message that is looked at: of a long one, whole words.
pub fn beginning(text: &[u8]) -> &[u8] {
    let Some(start) = text.get(..MAX_BYTES) else { return text };
    let blank = start.iter().rposition(|byte| class(*byte) & (BLANK | MARK) != 0);
    if text.len() == MAX_BYTES { start } else { blank.and_then(|at| start.get(..at)).unwrap_or(start) }
}

/// A run of bytes that are no marks, whose classes are `seen`; gives where to go on.
fn run(text: &[u8], start: usize, end: usize, seen: u8, sink: &mut impl Sink) -> usize {
    let of = text.get(start..end).unwrap_or_default();
    let ends = of.last().is_some_and(|last| matches!(last, b'.' | b':' | b'?' | b'!' | b'-' | b','));
    if seen & (SLASH | COLON | DOT | AT) == 0 && !ends {
        plain(of, start, end, seen, sink);
        return end;
    }
    if seen & SLASH != 0 && text.get(end) == Some(&b'=') && of.iter().any(|byte| matches!(byte, b'?' | b'&')) {
        // A query goes on to the end of the address.
        let rest = text.get(end..).unwrap_or_default();
        let len = rest.iter().take_while(|byte| class(**byte) & BLANK == 0 && !b"\"'`<>()".contains(byte)).count();
        sink.value(start, end + len);
        return end + len;
    }
    let mut from = start;
    // Dots in a row are a line that leads to a value.
    while seen & DOT != 0
        && let Some((dots, behind)) = dots(text, from, end)
    {
        tailed(text, from, dots, None, sink);
        sink.mark(b'.', dots, behind, false);
        from = behind;
    }
    tailed(text, from, end, (from == start).then_some(seen), sink);
    end
}

/// The first dots in a row: where they start and end.
fn dots(text: &[u8], from: usize, end: usize) -> Option<(usize, usize)> {
    let of = text.get(from..end)?;
    let start = from + of.windows(2).position(|pair| pair == b"..")?;
    let len = text.get(start..end)?.iter().take_while(|byte| **byte == b'.').count();
    Some((start, start + len))
}

/// A word, and the punctuation behind it, which is not the word's; its classes, where they are known.
fn tailed(text: &[u8], start: usize, end: usize, seen: Option<u8>, sink: &mut impl Sink) {
    if start == end {
        return;
    }
    let of = text.get(start..end).unwrap_or_default();
    let tail = of.iter().rev().take_while(|byte| matches!(byte, b'.' | b':' | b'?' | b'!' | b'-' | b',')).count();
    // What is punctuation alone is a word, but for its last.
    let tail = if tail == of.len() { tail.saturating_sub(1) } else { tail };
    let body = end - tail;
    parts(text, start, body, seen.filter(|_| tail == 0), sink);
    for at in body..end {
        let loose = at + 1 == end && text.get(end).is_none_or(|next| class(*next) & BLANK != 0);
        sink.mark(text.get(at).copied().unwrap_or_default(), at, at + 1, loose);
    }
}

/// A word that may be several, with colons between them.
fn parts(text: &[u8], start: usize, end: usize, seen: Option<u8>, sink: &mut impl Sink) {
    let of = text.get(start..end).unwrap_or_default();
    let seen = seen.unwrap_or_else(|| of.iter().fold(0, |seen, byte| seen | class(*byte)));
    if seen & COLON == 0 || of.len() == 1 {
        return plain(of, start, end, seen, sink);
    }
    let has_scheme = || seen & SLASH != 0 && of.windows(3).any(|three| three == b"://");
    if is_host_and_port(of) || has_scheme() || is_address(of) {
        return sink.value(start, end);
    }
    let mut from = start;
    for part in of.split(|byte| *byte == b':') {
        let to = from + part.len();
        if !part.is_empty() {
            plain(part, from, to, part.iter().fold(0, |seen, byte| seen | class(*byte)), sink);
        }
        if to < end {
            sink.mark(b':', to, to + 1, false);
        }
        from = to + 1;
    }
}

fn plain(of: &[u8], start: usize, end: usize, seen: u8, sink: &mut impl Sink) {
    if is_value(of, seen) { sink.value(start, end) } else { sink.word(start, end) }
}

/// Whether a word is a value by its form.
fn is_value(of: &[u8], seen: u8) -> bool {
    if seen & DIGIT != 0 {
        return !is_name_with_number(of)
            && !(seen & DOT != 0 && (of.ends_with(b"Exception") || of.ends_with(b"Error")));
    }
    if seen & OTHER == 0 {
        return of.len() >= 8;
    }
    if seen & SLASH != 0 {
        let rooted = |start: &[u8]| of.starts_with(start) && of.len() > start.len();
        let slashes = of.iter().filter(|byte| matches!(byte, b'/' | b'\\')).count();
        return slashes >= 2 || seen & DOT != 0 || rooted(b"/") || rooted(b"~/");
    }
    seen & DOT != 0 && (seen & AT != 0 || is_host(of))
}

/// A host's full name, told by the domain at its end; a program's names have theirs at the start: `com.example.Shop`.
fn is_host(of: &[u8]) -> bool {
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
    const SECOND: [&[u8]; 8] = [b"com", b"co", b"net", b"org", b"edu", b"ac", b"gov", b"or"];
    let mut labels = of.rsplit(|byte| *byte == b'.');
    let (Some(last), Some(second)) = (labels.next(), labels.next()) else { return false };
    let known = DOMAINS.contains(&last)
        || last.len() == 2 && SECOND.contains(&second) && labels.next().is_some_and(|label| !label.is_empty());
    known
        && !second.is_empty()
        && of.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}

/// A name with a number in its middle, such as `Http2Exception` or `HttpServer2$Filter`.
fn is_name_with_number(of: &[u8]) -> bool {
    let head = of.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let rest = of.get(head..).unwrap_or_default();
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let tail = rest.get(digits..).unwrap_or_default();
    head >= 2 && digits <= 2 && tail.len() >= 3 && tail.iter().all(|byte| byte.is_ascii_alphabetic() || *byte == b'$')
}

/// Hex digits between colons, as hardware and the Internet's sixth version are addressed.
fn is_address(of: &[u8]) -> bool {
    let colons = of.iter().filter(|byte| **byte == b':').count();
    colons >= 2 && of.split(|byte| *byte == b':').all(|part| part.len() <= 4 && part.iter().all(u8::is_ascii_hexdigit))
}

fn is_host_and_port(of: &[u8]) -> bool {
    let Some(colon) = memchr::memchr(b':', of) else { return false };
    let (host, port) = of.split_at(colon);
    let port = port.get(1..).unwrap_or_default();
    host.contains(&b'.') && !port.is_empty() && port.iter().all(u8::is_ascii_digit)
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
            ("- done", "- done"),
        ] {
            let mut shown = Shown(Vec::new(), text.as_bytes());
            scan(text.as_bytes(), &mut shown);
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
            scan(text.as_bytes(), &mut places);
            prop_assert!(places.1 && places.0 <= text.len());
        }
    }
}
