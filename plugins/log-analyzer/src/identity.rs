//! What tells faults apart.

use std::borrow::Cow;

use autodevops_sdk::types::{Severity, StackFrame};
use serde::{Deserialize, Serialize};

use crate::{
    event::Event,
    path,
    template::{fingerprint, template},
};

/// Frames of the project's own code that tell faults apart.
const TELLING_FRAMES: usize = 3;
/// Code so far to the right in one of the first lines was written by a minifier.
const MINIFIED_COLUMN: u32 = 500;
/// See above.
const MINIFIED_LINES: u32 = 3;
/// Fewest letters of a function's name that a minifier did not choose.
const LEAST_CHOSEN: usize = 3;
/// Fewest bytes of a hash in a file's name.
const HASH_BYTES: usize = 8;

/// What records without a stack have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Template {
    /// Exceptions of this type, or records of this severity.
    pub of: Cow<'static, str>,
    /// What stays the same of their messages.
    pub text: String,
}

impl Template {
    /// The fingerprint of the faults that it stands for.
    pub fn fingerprint(&self) -> String {
        fingerprint(&[&self.of, &self.text])
    }
}

/// What tells records without a stack apart: the exception's type, or the status, or the severity; and the template.
pub fn template_of(event: &Event, severity: Severity) -> Option<Template> {
    if !event.stack.is_empty() {
        return None;
    }
    let (of, text) = match (&event.exception, event.status) {
        (_, Some(status)) => (format!("status {status}").into(), template(&event.content)),
        (Some((kind, message)), None) if !message.is_empty() => (format!("exception {kind}").into(), template(message)),
        _ => {
            let record = match severity {
                Severity::Info => "record info",
                Severity::Warning => "record warning",
                Severity::Error => "record error",
                Severity::Critical => "record critical",
            };
            (record.into(), template(&event.content))
        }
    };
    Some(Template { of, text })
}

/// What tells traces apart: the exception's type, its message's template and the first own frames.
pub fn key(event: &Event, root: &str) -> String {
    let (kind, message) =
        event.exception.as_ref().map_or(("", event.content.as_str()), |(kind, message)| (kind, message));
    let message = template(message);
    let own: Vec<&StackFrame> = event.stack.iter().filter(|frame| frame.own_code).take(TELLING_FRAMES).collect();
    let frames = if own.is_empty() { event.stack.iter().take(TELLING_FRAMES).collect() } else { own };
    let frames: Vec<String> = frames.into_iter().map(|frame| place(frame, root)).collect();
    let mut parts = vec!["trace", kind, &message];
    parts.extend(frames.iter().map(String::as_str));
    fingerprint(&parts)
}

/// Where a frame is, in words that a new release, a new build or a minifier does not change.
fn place(frame: &StackFrame, root: &str) -> String {
    let file = path::relative(&frame.file, root).unwrap_or_else(|| frame.file.clone());
    // What is loaded from elsewhere is the same whatever host serves it.
    let file =
        file.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map_or(file.as_str(), |(_, path)| path);
    let stable = without_build(file);
    let column = frame.column.unwrap_or_default();
    let minified =
        file.contains(".min.") || stable != file || frame.line <= MINIFIED_LINES && column >= MINIFIED_COLUMN;
    let function = match frame.function.as_deref() {
        Some(function) if minified => chosen(function).unwrap_or("-"),
        Some(function) => function,
        None => "-",
    };
    format!("{function}@{stable}")
}

/// The part of a function's name in a minified file that somebody chose: minifiers take one letter or two.
pub fn chosen(function: &str) -> Option<&str> {
    let name = function.rsplit(['.', ' ']).next().unwrap_or(function);
    (name.chars().count() >= LEAST_CHOSEN).then_some(name)
}

/// A path without what is new in each build or release: folders that are versions, dates or commits, and hashes in file names.
fn without_build(file: &str) -> String {
    let mut parts: Vec<String> = file.split('/').map(str::to_owned).collect();
    let last = parts.len().saturating_sub(1);
    for (index, part) in parts.iter_mut().enumerate() {
        let words = || part.split(['.', '-', '_']);
        if index < last && words().all(is_release) {
            "*".clone_into(part);
        } else if let Some(hash) = words().find(|word| is_hash(word)) {
            *part = part.replace(hash, "*");
        }
    }
    parts.join("/")
}

/// Whether a word of a folder's name is of a release: `v2`, `14`, `20261101`, `0a1b2c3d`, `rc1`.
fn is_release(word: &str) -> bool {
    let digits = word.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let letters = word.len() - digits.len();
    !digits.is_empty() && letters <= 2 && digits.bytes().all(|byte| byte.is_ascii_digit()) || is_hash(word)
}

/// Whether a word is a hash, as bundlers put it into names: eight or more digits and letters of hexadecimal, or such of both
/// cases.
fn is_hash(word: &str) -> bool {
    let bytes = word.as_bytes();
    let has = |is: fn(&u8) -> bool| bytes.iter().any(is);
    let is_hex = bytes.iter().all(u8::is_ascii_hexdigit);
    let is_mixed = bytes.iter().all(u8::is_ascii_alphanumeric) && has(u8::is_ascii_uppercase);
    bytes.len() >= HASH_BYTES && has(u8::is_ascii_digit) && (is_hex || is_mixed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_build_or_a_release_puts_into_paths_is_left_out() {
        for (file, expected) in [
            ("lib/order.js", "lib/order.js"),
            ("releases/20261101-0a1b2c3d/lib/order.js", "releases/*/lib/order.js"),
            ("v2.14.0/lib/order2.js", "*/lib/order2.js"),
            ("assets/main.8f3a21bc.js", "assets/main.*.js"),
            ("assets/index-DiwrgTda4.js", "assets/index-*.js"),
            ("dist/vendor-0a1b2c3d4e.min.js", "dist/vendor-*.min.js"),
            ("python3.12/x.py", "python3.12/x.py"),
            ("feedface/a.js", "feedface/a.js"),
        ] {
            assert_eq!(without_build(file), expected, "{file}");
        }
    }

    #[test]
    fn names_of_minified_functions_count_where_somebody_chose_them() {
        for (function, expected) in
            [("t", None), ("e.t", None), ("e.total", Some("total")), ("async r.pay", Some("pay")), ("new X", None)]
        {
            assert_eq!(chosen(function), expected, "{function}");
        }
    }
}
