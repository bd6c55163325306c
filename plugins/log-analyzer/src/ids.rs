//! Requests and traces that a line names, by which lines of several services belong together.

use crate::bytes::hash;

/// Names of such values, without case and signs between the words.
const NAMES: [&str; 11] = [
    "traceid",
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
    if !is_name(before) {
        return None;
    }
    let value = behind.get(1..)?.trim_ascii_start();
    let value = value.strip_prefix(b"\"").unwrap_or(value);
    let length = value.iter().take_while(|byte| is_inside(byte)).count();
    let value = value.get(..length).filter(|value| value.len() >= MIN_BYTES && value.iter().any(u8::is_ascii_digit))?;
    Some(hash(value))
}

/// Whether a byte is of a name or a value.
const fn is_inside(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// Whether one of the names is at the end.
fn is_name(before: &[u8]) -> bool {
    let before = before.strip_suffix(b"\"").unwrap_or(before);
    // Filled from its end, since the text is read from there.
    let (mut name, mut start) = ([0; MAX_NAME_BYTES], MAX_NAME_BYTES);
    for byte in before.iter().rev().take_while(|byte| is_inside(byte)).filter(|byte| byte.is_ascii_alphanumeric()) {
        let Some(place) = start.checked_sub(1) else { return false };
        start = place;
        name.get_mut(place).into_iter().for_each(|place| *place = byte.to_ascii_lowercase());
    }
    name.get(start..).is_some_and(|name| NAMES.iter().any(|known| known.as_bytes() == name))
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
        for text in [
            &b"request: failed"[..],
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
    fn the_longest_name_has_so_many_bytes() {
        assert_eq!(NAMES.iter().map(|name| name.len()).max(), Some(MAX_NAME_BYTES));
    }
}
