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

/// Bytes of a field of RFC 5424, the longest of which is a host's name.
const MAX_FIELD_BYTES: usize = 255;
/// Bytes of its structured data: what has more is taken for the message's.
const MAX_DATA_BYTES: usize = 2048;
/// Bytes of a word that has no letters, between a program's name and a dash.
const MAX_MARK_BYTES: usize = 16;

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

/// The host and the program that the system's log puts behind the time, which ends at `after`, ` host program[12]:`: the program, and
/// the length.
pub fn program(line: &[u8], after: usize, time: LogTime) -> Option<(&[u8], usize)> {
    let text = from(line, after);
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
        _ if is_of_system(line.get(..after)?)
            && names_host(host.get(..host_length)?)
            && Level::named(tag).is_none() =>
        {
            tag
        }
        _ => return None,
    };
    // A space before either, and the colon.
    (!name.is_empty()).then_some((name, 1 + host_length + 1 + length + 1))
}

/// Whether a line begins with a time as the system's log writes it to files: with millionths, and hours from UTC,
/// `T10:00:00.123456+00:00`.
fn is_of_system(begin: &[u8]) -> bool {
    const FORMS: [&[u8]; 2] = [b"T00:00:00.000000+00:00", b"T00:00:00.000000+0000"];
    FORMS.iter().any(|form| {
        begin.len().checked_sub(form.len()).and_then(|start| begin.get(start..)).is_some_and(|end| {
            end.iter().zip(*form).all(|(byte, of)| match of {
                b'0' => byte.is_ascii_digit(),
                b'+' => matches!(byte, b'+' | b'-'),
                other => byte == other,
            })
        })
    })
}

/// Whether a word may be a host's name: no level, and in no capitals as a sentence begins with.
fn names_host(word: &[u8]) -> bool {
    !word.iter().any(u8::is_ascii_uppercase) && Level::named(word).is_none()
}

/// What RFC 5424 puts behind the time: ` host app procid msgid [data]`, with `-` for what is absent. Where the line does not tell that
/// version (`is_versioned`), the fields have to look like themselves.
pub fn syslog(text: &[u8], is_versioned: bool) -> Option<(&[u8], usize)> {
    let mut at = 0;
    let mut fields = [&b""[..]; 4];
    for field in &mut fields {
        at += from(text, at).strip_prefix(b" ").map(|_| 1)?;
        let len = from(text, at).iter().take(MAX_FIELD_BYTES).take_while(|byte| byte.is_ascii_graphic()).count();
        *field = text.get(at..at + len).filter(|field| !field.is_empty())?;
        at += len;
    }
    let [_, app, process, _] = fields;
    let are_usual =
        (process == b"-" || process.iter().all(u8::is_ascii_digit)) && !app.iter().any(|byte| b"[]():".contains(byte));
    if !is_versioned && !are_usual {
        return None;
    }
    at += from(text, at).strip_prefix(b" ").map(|_| 1)?;
    let data = from(text, at);
    at += match data.first()? {
        b'-' => 1,
        b'[' => elements(data)?,
        _ => return None,
    };
    let rest = from(text, at);
    // Some write the mark of an encoding before the message.
    let mark = if rest.starts_with(b" \xef\xbb\xbf") { 4 } else { usize::from(rest.first() == Some(&b' ')) };
    Some((if app == b"-" { b"" } else { app }, at + mark))
}

/// Length of RFC 5424's structured data, `[id name="value"][id]`: in quotes a bracket is none, nor is a quote behind a backslash.
fn elements(text: &[u8]) -> Option<usize> {
    let (mut inside, mut quoted, mut escaped) = (false, false, false);
    for (at, byte) in text.iter().enumerate().take(MAX_DATA_BYTES) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' if inside => quoted = !quoted,
            _ if quoted => {}
            b'[' if !inside => inside = true,
            b']' if inside => inside = false,
            // What is between elements is behind the last.
            _ if !inside => return Some(at),
            _ => {}
        }
    }
    (!inside && text.len() <= MAX_DATA_BYTES).then_some(text.len())
}

/// Fields with pipes between them, `|component|1234|`, with blanks around them or none. None where one of them is the level, which tells
/// by itself.
pub fn piped(text: &[u8]) -> Option<(&[u8], usize)> {
    let blanks = |at: usize| from(text, at).iter().take_while(|byte| **byte == b' ').count();
    let mut at = blanks(0);
    (text.get(at) == Some(&b'|')).then_some(())?;
    at += 1;
    let first = at;
    let mut component = &b""[..];
    for _ in 0..4 {
        let start = at + blanks(at);
        let field = from(text, start);
        let len = field.iter().take(MAX_COMPONENT_BYTES).take_while(|byte| is_of_name(**byte)).count();
        let end = start + len + blanks(start + len);
        if len == 0 || text.get(end) != Some(&b'|') {
            break;
        }
        let field = field.get(..len)?;
        if Level::named(field).is_some() {
            return None;
        }
        if component.is_empty() && field.first().is_some_and(u8::is_ascii_alphabetic) {
            component = field;
        }
        at = end + 1;
    }
    (at > first).then(|| (component, at + usize::from(text.get(at) == Some(&b' '))))
}

/// `  1702  2395 D WindowManager: `: process and thread, a level's letter, a tag; or `D/WindowManager( 1702): `.
pub fn lettered(text: &[u8]) -> Option<(Level, &[u8], usize)> {
    let (at, numbers) = behind_numbers(text);
    let [letter, mark @ (b' ' | b'/'), tag @ ..] = from(text, at) else { return None };
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
    let (name, has_process) = match (mark, without_process(name)) {
        (b'/', Some(name)) => (name, true),
        _ => (name, false),
    };
    let blank = usize::from(tag.get(end + 1) == Some(&b' '));
    // A letter alone is a word, and one before a slash may be of one, such as `I/O`.
    let is_level = match mark {
        b' ' => numbers == 2,
        _ => has_process || name.len() > 1 && !name.contains(&b' '),
    };
    is_level.then_some((level, name, at + 2 + end + 1 + blank))
}

/// A tag without the process' number behind it, `WindowManager( 1702)`.
fn without_process(tag: &[u8]) -> Option<&[u8]> {
    let inside = tag.strip_suffix(b")")?;
    let open = memchr::memrchr(b'(', inside)?;
    let number = inside.get(open + 1..)?.trim_ascii_start();
    (!number.is_empty() && number.iter().all(u8::is_ascii_digit))
        .then(|| tag.get(..open).map(<[u8]>::trim_ascii_end))?
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

/// A program's name before a dash, `] chrome.exe - `, and a mark without letters between them, such as a process' number or how wide it is:
/// `nginx.exe [12] - `, `chrome.exe *64 - `.
pub fn dashed(text: &[u8]) -> Option<(&[u8], usize)> {
    let skip = text.iter().take_while(|byte| matches!(byte, b' ' | b']' | b')')).count();
    let name = from(text, skip);
    let len = name.iter().take(MAX_COMPONENT_BYTES).take_while(|byte| is_of_name(**byte)).count();
    let component =
        name.get(..len).filter(|name| name.contains(&b'.') && name.last().is_some_and(u8::is_ascii_alphabetic))?;
    let behind = from(name, len);
    let mark = match behind {
        [b' ', b'-', b' ', ..] => 0,
        [b' ', rest @ ..] => {
            let is_of_mark = |byte: &&u8| byte.is_ascii_graphic() && !byte.is_ascii_alphabetic();
            1 + rest.iter().take(MAX_MARK_BYTES).take_while(is_of_mark).count()
        }
        _ => return None,
    };
    from(behind, mark).starts_with(b" - ").then_some(())?;
    let message = from(behind, mark + 3);
    // `name - LEVEL - message` has its level to come.
    let word = message.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let is_level =
        Level::named(message.get(..word)?).is_some() && message.get(word).is_none_or(|next| b" :]".contains(next));
    (!is_level).then_some((component, skip + len + mark + 3))
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

/// Whether brackets stand there, and the first word in them is one of many by its form, or stands for none: `[req-17 - -]`, `[-]`.
fn holds_value(text: &[u8]) -> bool {
    let Some(inside) = text.strip_prefix(b"[") else { return false };
    let mut word = inside.iter().take(MAX_COMPONENT_BYTES).take_while(|byte| !matches!(byte, b' ' | b']'));
    word.clone().any(u8::is_ascii_digit) || word.next() == Some(&b'-') && word.next().is_none()
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
    } else if blanks == 1 && component.contains(&b'.') && holds_value(padded) {
        // `nova.compute.manager [req-38101a0b …] `: which request it is.
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
