//! Secrets in added lines.

mod rules;

use std::cell::OnceCell;

use regex::bytes::{Regex, RegexBuilder};
pub use rules::{GENERIC, RULES};

/// A longer line was made by a machine; only so much of it is looked at, in bytes.
const MAX_LINE_BYTES: usize = 64 << 10;

/// A secret that was found. The secret itself is not in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    /// The rule that found it.
    pub rule: &'static str,
    /// What it is.
    pub what: &'static str,
    /// Where it starts: a column from 1, in characters.
    pub column: u32,
    /// So much of it as says which one it is, and no more.
    pub masked: String,
}

/// The rules, each compiled when a line first has one of its words: a call looks at few of them.
pub struct Scanner(Vec<OnceCell<Option<Regex>>>);

impl Default for Scanner {
    fn default() -> Self {
        Self(RULES.iter().map(|_| OnceCell::new()).collect())
    }
}

impl Scanner {
    /// The secrets in a line. `unquoted` says whether the file's values stand without quotes, as in `.env`.
    pub fn line(&self, line: &str, unquoted: bool) -> Vec<Secret> {
        let line = cut(line);
        let lower = line.to_ascii_lowercase();
        let mut taken: Vec<std::ops::Range<usize>> = Vec::new();
        let mut found = Vec::new();
        for (rule, cell) in RULES.iter().zip(&self.0) {
            if !rule.keywords.iter().any(|keyword| lower.contains(keyword)) {
                continue;
            }
            let Some(pattern) = cell.get_or_init(|| compile(rule.pattern)) else { continue };
            for groups in pattern.captures_iter(line.as_bytes()) {
                let Some(secret) = groups.iter().skip(1).flatten().next().or(groups.get(0)) else { continue };
                let text = String::from_utf8_lossy(secret.as_bytes());
                let bare = rule.id == GENERIC && groups.get(2).is_some();
                if bare && !unquoted
                    || taken.iter().any(|range| range.start < secret.end() && secret.start() < range.end)
                    || entropy(&text) < rule.entropy
                    || rule.id != "private-key" && is_placeholder(&text)
                    || rule.id == GENERIC && !is_random(&text)
                {
                    continue;
                }
                taken.push(secret.range());
                let column = line.get(..secret.start()).map_or(0, |before| before.chars().count()) + 1;
                found.push(Secret {
                    rule: rule.id,
                    what: rule.what,
                    column: u32::try_from(column).unwrap_or(u32::MAX),
                    masked: mask(rule.id, &text),
                });
            }
        }
        found
    }
}

/// Secrets are ASCII: classes of all the world's letters would only make the patterns big.
fn compile(pattern: &str) -> Option<Regex> {
    RegexBuilder::new(pattern).unicode(false).build().ok()
}

fn cut(line: &str) -> &str {
    let mut end = line.len().min(MAX_LINE_BYTES);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    line.get(..end).unwrap_or_default()
}

/// Shannon's entropy of the text's characters, in bits for each.
fn entropy(text: &str) -> f64 {
    let mut counts = std::collections::BTreeMap::new();
    for c in text.chars() {
        *counts.entry(c).or_insert(0u32) += 1;
    }
    let total = f64::from(counts.values().sum::<u32>().max(1));
    counts.values().map(|count| f64::from(*count) / total).map(|share| -share * share.log2()).sum()
}

/// Words that stand where a secret will be, and references to one that is kept elsewhere.
fn is_placeholder(text: &str) -> bool {
    const WORDS: [&str; 24] = [
        "example",
        "placeholder",
        "changeme",
        "change-me",
        "change_me",
        "your-",
        "your_",
        "yourkey",
        "insert",
        "dummy",
        "redacted",
        "xxxx",
        "****",
        "....",
        "<",
        "${",
        "{{",
        "$(",
        "%(",
        "process.env",
        "os.environ",
        "getenv",
        "todo",
        "replace",
    ];
    let lower = text.to_ascii_lowercase();
    let words = ["password", "passwd", "secret", "pass", "pwd", "test", "none", "null", "undefined", "true", "false"];
    let mut chars = lower.chars();
    let first = chars.next();
    WORDS.iter().any(|word| lower.contains(word))
        || words.contains(&lower.as_str())
        || lower.starts_with('$')
        || lower.starts_with('%') && lower.ends_with('%')
        || chars.all(|c| Some(c) == first)
        || lower.contains("0123456789")
        || lower.contains("123456789")
        || lower.contains("abcdefghij")
}

/// Whether a value could be made at random: it mixes letters with digits, or has what no word has. Names, paths, addresses
/// and sentences do not look like that.
fn is_random(text: &str) -> bool {
    let has_digit = text.chars().any(|c| c.is_ascii_digit());
    let has_letter = text.chars().any(|c| c.is_ascii_alphabetic());
    let is_code = text.contains("://")
        || text.starts_with(['/', '.', '#', '@'])
        || text.contains(['(', ')', '[', ']', ' ', ';'])
        || text
            .split(['-', '_', '.', '/'])
            .all(|part| part.chars().all(char::is_alphabetic) || part.chars().all(|c| c.is_ascii_digit()));
    has_digit && has_letter && !is_code
}

/// The first characters, at most four and at most a fifth, and how many there are. Of a password nothing.
fn mask(rule: &str, secret: &str) -> String {
    let count = secret.chars().count();
    let shown = if rule == "private-key" {
        return "-----BEGIN … KEY-----".to_owned();
    } else if matches!(rule, GENERIC | "basic-auth-url" | "basic-auth-header") {
        0
    } else {
        (count / 5).min(4)
    };
    let start: String = secret.chars().take(shown).collect();
    format!("{start}… ({count} characters)")
}

#[cfg(test)]
mod tests;
