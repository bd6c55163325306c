//! Secrets and personal data are taken out of what leaves the host: evidence that goes to a plugin which may send it on, and what
//! people are told.
//!
//! It is made for text of logs. It would rather take out a harmless number than leave in a secret, and promises no more than its
//! [`STANDARD`] patterns say: a name or an address of a person looks like any other words. What an operator knows of their own data
//! goes into `[redaction] patterns`.

use std::{borrow::Cow, net::IpAddr, ops::Range, sync::LazyLock};

use autodevops_model::{Fix, Issue, Notification};
use regex::Regex;

mod lines;

pub use lines::RedactedLines;

/// What is taken out without being asked for, by name.
pub const STANDARD: [&str; 11] = [
    "private-key",
    "authorization",
    "jwt",
    "url-credentials",
    "secret",
    "token",
    "email",
    "card-number",
    "ip-address",
    "hex",
    "base64",
];

/// An operator's pattern that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedactionError {
    /// It is no regular expression.
    #[error("the pattern is no regular expression: {0}; see https://docs.rs/regex/latest/regex/#syntax")]
    NotAPattern(String),
    /// It would take out nothing, everywhere.
    #[error(
        "the pattern matches the empty text, and so everywhere; write what it must have, for example \"CUST-[0-9]+\""
    )]
    Empty,
}

/// Takes out what the patterns find.
#[derive(Clone, Debug)]
pub struct Redaction {
    rules: Vec<Rule>,
}

/// Whether what a pattern found in a text is one of what it looks for.
type IsOne = fn(&str, Range<usize>) -> bool;

#[derive(Clone, Debug)]
struct Rule {
    name: String,
    pattern: Regex,
    /// Whether what was found is one, within the text.
    is_one: IsOne,
}

impl Rule {
    /// Where the pattern has a group, that alone is taken out.
    fn apply<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let (mut out, mut done) = (String::new(), 0);
        for found in self.pattern.captures_iter(text) {
            let Some(part) = found.get(1).or_else(|| found.get(0)) else { continue };
            // What an earlier rule put there stays readable.
            if part.as_str().contains("[redacted:") || !(self.is_one)(text, part.range()) {
                continue;
            }
            out.push_str(text.get(done..part.start()).unwrap_or_default());
            out.push_str(&format!("[redacted:{}]", self.name));
            done = part.end();
        }
        if done == 0 {
            return Cow::Borrowed(text);
        }
        out.push_str(text.get(done..).unwrap_or_default());
        Cow::Owned(out)
    }
}

static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    let always: IsOne = |_, _| true;
    let patterns: [(&str, &str, IsOne); STANDARD.len() + 1] = [
        ("private-key", r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\z)", always),
        (
            "authorization",
            r#"(?i)\b(?:(?:proxy-)?authorization|(?:set-)?cookie|x-api-key)\b["']?\s*[:=]\s*["']?([^\r\n"']+)"#,
            always,
        ),
        ("jwt", r"\beyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*", always),
        ("url-credentials", r"[A-Za-z][A-Za-z0-9+.-]*://([^/\s@]+)@", always),
        (
            "secret",
            r#"(?i)[\w.-]*(?:password|passwd|secret|token|api[_-]?key|access[_-]?key|credential)[\w.-]*["']?\s*[:=]\s*["']?([^\s"',;&]{6,})"#,
            always,
        ),
        ("token", r"(?i)\bbearer\s+([A-Za-z0-9._~+/=-]{8,})", always),
        (
            "token",
            r"\b(?:gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{20,}|sk-[\w-]{20,}|[sr]k_(?:live|test)_\w{10,}|xox[abposr]-[\w-]{10,}|AKIA[0-9A-Z]{16}|AIza[\w-]{35}|ya29\.[\w-]{20,}|npm_[A-Za-z0-9]{36})",
            always,
        ),
        ("email", r"[\w.%+-]+@(?:[\w-]+\.)+[A-Za-z]{2,}", always),
        ("card-number", r"\d(?:[ -]?\d){12,18}", is_card),
        ("ip-address", r"[0-9A-Fa-f:]*[0-9A-Fa-f:.]*[0-9A-Fa-f:]", is_address),
        ("hex", r"\b[0-9A-Fa-f]{32,}\b", always),
        ("base64", r"[A-Za-z0-9+/_-]{40,}={0,2}", is_random),
    ];
    let rule = |(name, pattern, is_one): (&str, &str, _)| {
        Some(Rule { name: name.to_owned(), pattern: Regex::new(pattern).ok()?, is_one })
    };
    patterns.into_iter().filter_map(rule).collect()
});

impl Default for Redaction {
    fn default() -> Self {
        Self { rules: RULES.clone() }
    }
}

impl Redaction {
    /// Everything standard but what is named in `keep`, and what the patterns find beside it: pairs of a name and a regular expression.
    /// Where one has a group, that alone is taken out.
    ///
    /// # Errors
    /// [`RedactionError`], with the pattern's name.
    pub fn new<'a>(
        keep: &[String],
        patterns: impl IntoIterator<Item = (&'a String, &'a String)>,
    ) -> Result<Self, (String, RedactionError)> {
        // The operator's own first: a standard one could take out a part of what they mean.
        let mut rules = Vec::new();
        for (name, pattern) in patterns {
            let pattern = Regex::new(pattern).map_err(|error| {
                let last =
                    error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                (name.clone(), RedactionError::NotAPattern(last))
            })?;
            if pattern.is_match("") {
                return Err((name.clone(), RedactionError::Empty));
            }
            rules.push(Rule { name: name.clone(), pattern, is_one: |_, _| true });
        }
        rules.extend(RULES.iter().filter(|rule| !keep.contains(&rule.name)).cloned());
        Ok(Self { rules })
    }

    /// The text without what is found: `[redacted:NAME]` stands in its place.
    pub fn text(&self, text: &str) -> String {
        self.rules.iter().fold(text.to_owned(), |text, rule| match rule.apply(&text) {
            Cow::Borrowed(_) => text,
            Cow::Owned(redacted) => redacted,
        })
    }

    /// The issue with its title, message, reason, template and evidence redacted. Where it is in the project, and what identifies it, stay.
    pub fn issue(&self, issue: &Issue) -> Issue {
        let mut redacted = issue.clone();
        redacted.title = self.text(&issue.title);
        redacted.message = self.text(&issue.message);
        redacted.reason = self.text(&issue.reason);
        redacted.template = issue.template.as_deref().map(|template| self.text(template));
        for related in &mut redacted.related {
            related.title = self.text(&related.title);
        }
        for evidence in &mut redacted.evidence {
            evidence.text = self.text(&evidence.text);
        }
        redacted
    }

    /// The fix with its title, cause and rollback in words redacted: they may quote what was logged. Its edits and tests are the code itself,
    /// and stay.
    pub fn fix(&self, fix: &Fix) -> Fix {
        let mut redacted = fix.clone();
        redacted.title = self.text(&fix.title);
        redacted.root_cause = self.text(&fix.root_cause);
        redacted.rollback.summary = self.text(&fix.rollback.summary);
        redacted
    }

    /// What people are told, redacted.
    pub fn notification(&self, notification: &Notification) -> Notification {
        let (title, body) = (self.text(&notification.title), self.text(&notification.body));
        Notification { title, body, ..notification.clone() }
    }
}

/// The characters directly before and after.
fn around(text: &str, range: &Range<usize>) -> (Option<char>, Option<char>) {
    let before = text.get(..range.start).and_then(|before| before.chars().next_back());
    (before, text.get(range.end..).and_then(|after| after.chars().next()))
}

fn stands_alone(text: &str, range: &Range<usize>) -> bool {
    let (before, after) = around(text, range);
    let part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    !part(before) && !part(after)
}

/// By the checksum that card numbers have (ISO/IEC 7812-1, annex B).
fn is_card(text: &str, range: Range<usize>) -> bool {
    let found = text.get(range.clone()).unwrap_or_default();
    let digits: Vec<u32> = found.chars().filter_map(|c| c.to_digit(10)).collect();
    let doubled = |(index, digit): (usize, &u32)| match (index % 2, digit * 2) {
        (0, _) => *digit,
        (_, double) => double / 10 + double % 10,
    };
    let sum: u32 = digits.iter().rev().enumerate().map(doubled).sum();
    stands_alone(text, &range) && sum.is_multiple_of(10) && digits.iter().any(|digit| *digit > 0)
}

/// An address of another machine; this one's own says nothing of anyone.
fn is_address(text: &str, range: Range<usize>) -> bool {
    let found = text.get(range.clone()).unwrap_or_default();
    if found.len() < 3 || !stands_alone(text, &range) || !found.contains(|c: char| c.is_ascii_digit()) {
        return false;
    }
    let address = found.parse::<IpAddr>().or_else(|error| match found.rsplit_once(':') {
        // With a port.
        Some((host, _)) if host.contains('.') && !host.contains(':') => host.parse(),
        _ => Err(error),
    });
    address.is_ok_and(|address| !address.is_loopback() && !address.is_unspecified())
}

/// Letters of both cases and digits mixed, as nobody writes: not a path, nor a name of many words.
fn is_random(text: &str, range: Range<usize>) -> bool {
    let found = text.get(range).unwrap_or_default();
    let count = |of: fn(&char) -> bool| found.chars().filter(of).count();
    let separators = count(|c| matches!(c, '/' | '_' | '-'));
    count(char::is_ascii_digit) >= 3
        && count(char::is_ascii_uppercase) >= 3
        && count(char::is_ascii_lowercase) >= 3
        && separators <= found.len() / 12
}

#[cfg(test)]
mod tests;
