//! Requests and traces that a line names, by which lines of several services belong together.

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
/// Fewest bytes of a value that is one of many.
const MIN_BYTES: usize = 4;
/// Most that are taken of a line.
const MOST: usize = 4;

/// The values that the line names so, as hashes.
pub fn of(line: &[u8]) -> Vec<u64> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = line.get(from..).and_then(|rest| memchr::memchr2(b'=', b':', rest)).map(|at| from + at) {
        from = at + 1;
        if found.len() >= MOST {
            break;
        }
        if !is_name(line.get(..at).unwrap_or_default()) {
            continue;
        }
        let value = line.get(from..).unwrap_or_default().trim_ascii_start();
        let value = value.strip_prefix(b"\"").unwrap_or(value);
        let is_inside = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let length = value.iter().take_while(|byte| is_inside(byte)).count();
        let value = value.get(..length).unwrap_or_default();
        if length >= MIN_BYTES && value.iter().any(u8::is_ascii_digit) {
            found.push(hash(value));
        }
    }
    found
}

fn is_name(before: &[u8]) -> bool {
    let before = before.strip_suffix(b"\"").unwrap_or(before);
    let is_inside = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let length = before.iter().rev().take_while(|byte| is_inside(byte)).count();
    let name = before.get(before.len() - length..).unwrap_or_default();
    let name: String = name
        .iter()
        .filter(|byte| byte.is_ascii_alphanumeric())
        .map(|byte| char::from(byte.to_ascii_lowercase()))
        .collect();
    NAMES.contains(&name.as_str())
}

/// FNV-1a.
fn hash(value: &[u8]) -> u64 {
    value.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_known_by_their_names() {
        assert_eq!(of(b"failed request_id=ab12cd"), of(br#"{"requestId":"ab12cd","port":8080}"#));
        assert_eq!(of(b"trace-id: 7f3a9c00").len(), 1);
        for text in [&b"request: failed"[..], b"port: 8080", b"id=1", b"http://a.example:80/"] {
            assert!(of(text).is_empty(), "{}", String::from_utf8_lossy(text));
        }
    }
}
