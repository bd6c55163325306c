//! Requests and traces that a line names, by which lines of several services belong together.

use crate::bytes::hash;

/// Names the trace by the second of the parts of its value: `00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01` (W3C, Trace Context).
const TRACEPARENT: &str = "traceparent";
/// Names of such values, without case and signs between the words.
const NAMES: [&str; 12] = [
    "traceid",
    TRACEPARENT,
    "requestid",
    "reqid",
    "correlationid",
    "xrequestid",
    "rid",
    "txid",
    "transactionid",
    "req",
    "trace",
    "request",
];
/// Bytes of the longest of them.
const MAX_NAME_BYTES: usize = 13;
/// What they end with, and what may stand behind them.
const ENDS: [u8; 7] = *b"dteq\"-_";
/// Fewest hex digits of a value behind a path, as Google's logs have it: `projects/p/traces/0af7651916cd43dd8448eb211c80319c`.
const MIN_DIGITS: usize = 16;
/// Fewest bytes of a value that is one of many.
const MIN_BYTES: usize = 4;
/// Most that are taken of a line.
const MOST: usize = 4;

/// The values that the line names so, as hashes.
pub fn of(line: &[u8]) -> impl Iterator<Item = u64> {
    let places = memchr::memchr2_iter(b'=', b':', line);
    places.filter_map(|at| line.split_at_checked(at)).filter_map(|(before, behind)| named(before, behind)).take(MOST)
}

/// The value behind a sign of which a name stands before.
fn named(before: &[u8], behind: &[u8]) -> Option<u64> {
    // Most of what stands there ends with something else.
    if !ENDS.contains(&before.last()?.to_ascii_lowercase()) {
        return None;
    }
    let name = name(before)?;
    let value = behind.get(1..)?.trim_ascii_start();
    let value = value.strip_prefix(b"\"").unwrap_or(value);
    let length = |value: &[u8]| value.iter().take_while(|byte| is_inside(byte)).count();
    let mut value = value.split_at(length(value));
    if name == TRACEPARENT {
        value.0 = value.0.split(|byte| *byte == b'-').nth(1)?;
    }
    while let Some(part) = value.1.strip_prefix(b"/") {
        value = part.split_at(length(part));
        let is_long = value.0.len() >= MIN_DIGITS && value.0.iter().all(u8::is_ascii_hexdigit);
        if !is_long && !value.1.starts_with(b"/") {
            return None;
        }
    }
    let value = Some(value.0).filter(|value| value.len() >= MIN_BYTES && value.iter().any(u8::is_ascii_digit))?;
    Some(hash(value))
}

/// Whether a byte is of a name or a value.
const fn is_inside(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// The one of the names that is at the end; what is an `id` alone is named by what stands before its dot: `trace.id`.
fn name(before: &[u8]) -> Option<&'static str> {
    let before = before.strip_suffix(b"\"").unwrap_or(before);
    // Filled from its end, since the text is read from there.
    let (mut name, mut start) = ([0; MAX_NAME_BYTES], MAX_NAME_BYTES);
    let mut dots = 0;
    for byte in before.iter().rev() {
        if *byte == b'.' && dots == 0 && name.get(start..).is_some_and(|name| name == b"id") {
            dots += 1;
        } else if !is_inside(byte) {
            break;
        } else if byte.is_ascii_alphanumeric() {
            start = start.checked_sub(1)?;
            name.get_mut(start).into_iter().for_each(|place| *place = byte.to_ascii_lowercase());
        }
    }
    let name = name.get(start..)?;
    NAMES.into_iter().find(|known| known.as_bytes() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_known_by_their_names() {
        let of = |line: &'static [u8]| of(line).collect::<Vec<_>>();
        assert_eq!(of(b"failed request_id=ab12cd"), [hash(b"ab12cd")]);
        assert_eq!(of(br#"{"requestId":"ab12cd","port":8080}"#), [hash(b"ab12cd")]);
        assert_eq!(of(b"trace-id: 7f3a9c00").len(), 1);
        assert_eq!(of(b"X-Request-ID=a1b2 rid:c3d4"), [hash(b"a1b2"), hash(b"c3d4")]);
        assert_eq!(of(&b"req=a1b2 ".repeat(9).leak()[..]).len(), MOST);
        // Of one trace, as each of these names it.
        for text in [
            &br#"{"trace":"projects/p/traces/0af7651916cd43dd8448eb211c80319c"}"#[..],
            br#"{"logging.googleapis.com/trace":"projects/p/traces/0af7651916cd43dd8448eb211c80319c"}"#,
            br#"{"trace.id":"0af7651916cd43dd8448eb211c80319c"}"#,
            br#"{"dd.trace_id":"0af7651916cd43dd8448eb211c80319c"}"#,
            b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert_eq!(of(text), [hash(b"0af7651916cd43dd8448eb211c80319c")], "{}", String::from_utf8_lossy(text));
        }
        for text in [
            &b"request: failed"[..],
            b"request=/api/orders/12345",
            b"request: api/orders/12345",
            b"request.user.id=a1b2",
            b"traceparent: none",
            b"port: 8080",
            b"id=1",
            b"http://a.example:80/",
            b"my-transaction-id=a1b2",
            b"=a1b2",
        ] {
            assert!(of(text).is_empty(), "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn a_name_is_known_by_whatever_it_ends_with() {
        for name in NAMES {
            for name in [name.to_owned(), name.to_uppercase(), format!("{name}-"), format!("\"{name}\"")] {
                assert_eq!(of(format!("{name}=00-a1b2-01").as_bytes()).count(), 1, "{name}");
            }
        }
    }

    #[test]
    fn the_longest_name_has_so_many_bytes() {
        assert_eq!(NAMES.iter().map(|name| name.len()).max(), Some(MAX_NAME_BYTES));
    }
}
