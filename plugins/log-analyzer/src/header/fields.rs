//! The fields that may stand behind a header's time: who wrote the line, and where.

use super::{HEADER_BYTES, from};
use crate::{
    envelope::{Mark, Stream},
    record::Level,
    time::LogTime,
    trace,
};

/// Bytes of a component's name.
const MAX_COMPONENT_BYTES: usize = 100;

/// The mark that container runtimes put behind the time, ` stderr F `, with other tags behind a colon: ` stderr F:x `.
pub fn stream(text: &[u8]) -> Option<Mark> {
    let (stream, tags) = match text.split_first_chunk::<8>()? {
        (b" stdout ", tags) => (Stream::Out, tags),
        (b" stderr ", tags) => (Stream::Err, tags),
        _ => return None,
    };
    let length = tags.iter().take(MAX_COMPONENT_BYTES).take_while(|byte| **byte != b' ').count();
    let (partial, further) = match tags.get(..length)? {
        [b'F', further @ ..] => (false, further),
        [b'P', further @ ..] => (true, further),
        _ => return None,
    };
    let is_mark = further.is_empty() || further.starts_with(b":");
    is_mark.then_some(Mark { stream, partial, length: 8 + length + usize::from(tags.get(length) == Some(&b' ')) })
}

/// The host and the program that the system's log puts behind the time, ` host program[12]:`: the program, and the length.
pub fn program(text: &[u8], time: LogTime) -> Option<(&[u8], usize)> {
    let text = text.get(..HEADER_BYTES.min(text.len()))?;
    let host = text.strip_prefix(b" ")?;
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'/' | b'@');
    let host_length = host.iter().take_while(|byte| is_name(byte)).count();
    let tag = host.get(host_length..)?.strip_prefix(b" ").filter(|_| host_length > 0)?;
    let length = tag.iter().position(|byte| matches!(byte, b' ' | b':'))?;
    if length == 0 || tag.get(length) != Some(&b':') {
        return None;
    }
    let tag = tag.get(..length)?;
    let name = match memchr::memchr(b'[', tag) {
        Some(bracket) if tag.ends_with(b"]") => tag.get(..bracket)?,
        // Without a process only the form of the time says that it is the system's log.
        _ if !time.dated => tag,
        _ => return None,
    };
    // A space before either, and the colon.
    (!name.is_empty()).then_some((name, 1 + host_length + 1 + length + 1))
}

/// What RFC 5424 puts behind the time: ` host app procid msgid [data]`, with `-` for what is absent.
pub fn syslog(text: &[u8]) -> Option<(&[u8], usize)> {
    let mut at = 0;
    let mut fields = [&b""[..]; 4];
    for field in &mut fields {
        at += from(text, at).strip_prefix(b" ").map(|_| 1)?;
        let len = from(text, at).iter().take(MAX_COMPONENT_BYTES).take_while(|byte| byte.is_ascii_graphic()).count();
        *field = text.get(at..at + len).filter(|field| !field.is_empty())?;
        at += len;
    }
    let [_, app, process, _] = fields;
    if !(process == b"-" || process.iter().all(u8::is_ascii_digit)) || app.iter().any(|byte| b"[]():".contains(byte)) {
        return None;
    }
    at += from(text, at).strip_prefix(b" ").map(|_| 1)?;
    let data = from(text, at);
    let len = match data.first()? {
        b'-' => 1,
        b'[' => bracketed(data)?,
        _ => return None,
    };
    at += len;
    let rest = from(text, at);
    // Some write the mark of an encoding before the message.
    let mark = if rest.starts_with(b" \xef\xbb\xbf") { 4 } else { usize::from(rest.first() == Some(&b' ')) };
    Some((if app == b"-" { b"" } else { app }, at + mark))
}

/// Fields with pipes between them, `|component|1234|`.
pub fn piped(text: &[u8]) -> Option<(&[u8], usize)> {
    let mut at = usize::from(*text.first()? == b'|');
    let mut component = &b""[..];
    for _ in 0..if at == 1 { 4 } else { 0 } {
        let field = from(text, at);
        let len = field.iter().take(MAX_COMPONENT_BYTES).take_while(|byte| is_of_name(**byte)).count();
        if len == 0 || field.get(len) != Some(&b'|') {
            break;
        }
        if component.is_empty() && field.first().is_some_and(u8::is_ascii_alphabetic) {
            component = field.get(..len)?;
        }
        at += len + 1;
    }
    (at > 1).then_some((component, at))
}

/// `  1702  2395 D WindowManager: `: process and thread, a level's letter, a tag.
pub fn lettered(text: &[u8]) -> Option<(Level, &[u8], usize)> {
    let (at, numbers) = behind_numbers(text);
    let [letter, b' ' | b'/', tag @ ..] = from(text, at) else { return None };
    let level = match letter {
        b'V' | b'D' | b'T' => Level::Debug,
        b'I' | b'N' => Level::Info,
        b'W' => Level::Warning,
        b'E' => Level::Error,
        b'F' | b'A' | b'C' => Level::Fatal,
        _ => return None,
    };
    let end = memchr::memchr(b':', tag.get(..MAX_COMPONENT_BYTES.min(tag.len()))?)?;
    let name = tag.get(..end)?.trim_ascii_end();
    let blank = usize::from(tag.get(end + 1) == Some(&b' '));
    (numbers > 0 || !name.contains(&b' ')).then_some((level, name, at + 2 + end + 1 + blank))
}

/// Where the process and the thread end that stand before a level's letter, and how many of them there are.
pub fn behind_numbers(text: &[u8]) -> (usize, usize) {
    let mut at = 0;
    let mut numbers = 0;
    loop {
        let blanks = from(text, at).iter().take_while(|byte| **byte == b' ').count();
        at += blanks;
        let digits = from(text, at).iter().take_while(|byte| byte.is_ascii_digit()).count();
        if blanks == 0 || digits == 0 || numbers == 2 {
            break;
        }
        numbers += 1;
        at += digits;
    }
    (at, numbers)
}

/// A program's name before a dash, `] chrome.exe - `, and where it is 32 bits wide on 64: `chrome.exe *64 - `.
pub fn dashed(text: &[u8]) -> Option<(&[u8], usize)> {
    let skip = text.iter().take_while(|byte| matches!(byte, b' ' | b']' | b')')).count();
    let name = from(text, skip);
    let len = name.iter().take(MAX_COMPONENT_BYTES).take_while(|byte| is_of_name(**byte)).count();
    let component =
        name.get(..len).filter(|name| name.contains(&b'.') && name.last().is_some_and(u8::is_ascii_alphabetic))?;
    let mark = from(name, len);
    let width = if mark.starts_with(b" *") {
        2 + from(mark, 2).iter().take_while(|byte| byte.is_ascii_digit()).count()
    } else {
        0
    };
    from(mark, width).starts_with(b" - ").then_some(())?;
    let behind = from(mark, width + 3);
    // `name - LEVEL - message` has its level to come.
    let word = behind.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let is_level =
        Level::named(behind.get(..word)?).is_some() && behind.get(word).is_none_or(|next| b" :]".contains(next));
    (!is_level).then_some((component, skip + len + width + 3))
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._$-".contains(&byte)
}

/// Length of a text in brackets, those within included.
fn bracketed(text: &[u8]) -> Option<usize> {
    let mut depth = 0;
    for (at, byte) in text.iter().take(2 * HEADER_BYTES).enumerate() {
        match byte {
            b'[' => depth += 1,
            b']' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return (at > 0).then_some(at + 1);
        }
    }
    None
}

/// The thread and the logger behind a level: the logger, and the length of both.
pub fn behind_level(text: &[u8]) -> Option<(&[u8], usize)> {
    let mut at = 0;
    // `12345 --- [thread] logger : `.
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits > 0 && from(text, digits).starts_with(b" --- ") {
        at = digits + 5;
    }
    let mut thread = None;
    if let Some(len) = bracketed(from(text, at)).filter(|_| text.get(at) == Some(&b'[')) {
        let behind = from(text, at + len);
        let blanks = behind.iter().take_while(|byte| **byte == b' ').count();
        if behind.starts_with(b" - ") {
            return Some((text.get(at + 1..at + len - 1)?, at + len + 3));
        }
        thread = Some(at + len + blanks).filter(|_| blanks > 0);
        at = thread.unwrap_or(at);
    }
    let name = from(text, at);
    let len = name
        .iter()
        .take(MAX_COMPONENT_BYTES)
        .take_while(|byte| is_of_name(**byte) || **byte == b':' || **byte == b'/' || **byte == b'@')
        .count();
    let component = name.get(..len)?;
    let (component, colon) = match component.strip_suffix(b":") {
        Some(component) => (component, true),
        None => (component, false),
    };
    let behind = from(name, len);
    let blanks = behind.iter().take_while(|byte| **byte == b' ').count();
    let padded = from(behind, blanks);
    let end = if colon && (blanks > 0 || padded.is_empty()) {
        len + blanks.min(1)
    } else if padded.starts_with(b": ")
        || padded.starts_with(b"- ") && blanks > 0
        || padded.starts_with(b"] ") && thread.is_none()
    {
        len + blanks + 2
    } else if blanks == 1 && component.contains(&b'.') && padded.first() == Some(&b'[') {
        // `nova.compute.manager [req-…] `: what the request is.
        let len = len + 1 + bracketed(padded)?;
        len + usize::from(from(name, len).first() == Some(&b' '))
    } else {
        return None;
    };
    is_logger(component).then_some((component, at + end))
}

/// Whether a name is that of a logger, and no word of the message: of several parts, and no exception's.
fn is_logger(name: &[u8]) -> bool {
    let starts = name.first().is_some_and(u8::is_ascii_alphabetic);
    let humps = name.windows(2).any(|pair| matches!(pair, [a, b] if a.is_ascii_lowercase() && b.is_ascii_uppercase()));
    starts
        && (humps || name.iter().any(|byte| b".$:/_".contains(byte)))
        && !std::str::from_utf8(name).is_ok_and(trace::is_exception)
}
