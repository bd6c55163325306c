//! What the operator can set: read once, so that a wrong value is an error of the first call and never a rule that is silently not
//! followed.

use autodevops_sdk::types::{Issue, Severity};
use serde::{Deserialize, Serialize};

use crate::window::Bound;

/// What a pattern that names an issue by its fingerprint begins with.
const FINGERPRINT: &str = "fingerprint:";
/// Fewest digits of a fingerprint that name one.
const MIN_DIGITS: usize = 6;
/// Digits of a fingerprint.
const DIGITS: usize = 16;

/// What the operator can set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Settings {
    /// Folder in which the service's files lie where it runs; empty when unknown.
    pub root: String,
    /// Where the folder of source maps is in the project, with `/` between its parts; empty for the project's root.
    pub maps_folder: String,
    /// What is no issue.
    pub ignore: Vec<Pattern>,
    /// How much issues matter, in place of what their lines say; the first that fits counts.
    pub severities: Vec<Override>,
    /// Most kinds of issue that are kept.
    pub max_groups: usize,
    /// Most patterns of messages that are kept.
    pub max_patterns: usize,
    /// Most new issues that begin within one hour and are told of one by one.
    pub max_new_per_hour: usize,
    /// Days that a fault stays known for that is not seen any more; with 0 none is, and what was learnt is forgotten.
    pub baseline_days: u32,
    /// The first time of which lines are read.
    pub since: Bound,
    /// The last.
    pub until: Bound,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            root: String::new(),
            maps_folder: String::new(),
            ignore: Vec::new(),
            severities: Vec::new(),
            max_groups: 1500,
            max_patterns: 4000,
            max_new_per_hour: 50,
            baseline_days: 30,
            since: Bound::default(),
            until: Bound::default(),
        }
    }
}

impl Settings {
    /// The same settings, where each can be followed.
    ///
    /// # Errors
    /// The key, what is wrong with its value, and what to write instead.
    pub fn checked(self) -> Result<Self, String> {
        let numbers = [
            ("max-groups", self.max_groups, "the default is 1500"),
            ("max-patterns", self.max_patterns, "the default is 4000"),
            ("max-new-per-hour", self.max_new_per_hour, "the default is 50; a large number lets all through"),
        ];
        match numbers.iter().find(|(_, value, _)| *value == 0) {
            Some((key, _, remedy)) => Err(format!("`{key}` is 0, and must be at least 1; {remedy}")),
            None => Ok(self),
        }
    }

    /// Whether there are rules about texts of lines.
    pub const fn asks_for_texts(&self) -> bool {
        !(self.ignore.is_empty() && self.severities.is_empty())
    }

    /// Whether a text is one that is no issue.
    pub fn ignores_text(&self, text: &str) -> bool {
        self.ignore.iter().any(|pattern| pattern.is_in(text))
    }

    /// Whether an issue is none.
    pub fn ignores(&self, issue: &Issue) -> bool {
        self.ignore.iter().any(|pattern| pattern.fits(issue))
    }

    /// How much an issue matters by the operator's word.
    pub fn severity_of(&self, issue: &Issue) -> Option<Severity> {
        self.severities.iter().find(|rule| rule.of.fits(issue)).map(|rule| rule.severity.into())
    }

    /// How much lines with this text matter by the operator's word.
    pub fn severity_of_text(&self, text: &str) -> Option<Severity> {
        self.severities.iter().find(|rule| rule.of.is_in(text)).map(|rule| rule.severity.into())
    }
}

/// Which issues a rule is about: those with a text in a line, or the one of a fingerprint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Pattern {
    /// A part of a line, of the title or of the template.
    Text(String),
    /// The beginning of a fingerprint.
    Fingerprint(String),
}

impl Pattern {
    fn is_in(&self, text: &str) -> bool {
        matches!(self, Self::Text(part) if text.contains(part.as_str()))
    }

    fn fits(&self, issue: &Issue) -> bool {
        match self {
            Self::Fingerprint(begin) => issue.fingerprint.starts_with(begin.as_str()),
            Self::Text(part) => {
                let texts = [Some(&issue.title), Some(&issue.message), issue.template.as_ref()];
                let lines = issue.evidence.iter().map(|line| &line.text);
                texts.into_iter().flatten().chain(lines).any(|text| text.contains(part.as_str()))
            }
        }
    }
}

impl TryFrom<String> for Pattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if let Some(digits) = text.strip_prefix(FINGERPRINT) {
            let digits = digits.trim().to_ascii_lowercase();
            return if (MIN_DIGITS..=DIGITS).contains(&digits.len())
                && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
            {
                Ok(Self::Fingerprint(digits))
            } else {
                Err(format!(
                    "`{text}` names no fingerprint; write `{FINGERPRINT}` and {MIN_DIGITS} to {DIGITS} of its hex digits, as `autodevops analyze` shows them"
                ))
            };
        }
        if text.trim().is_empty() {
            return Err(
                "an empty text is in every line; leave it out, or write what the lines have in common".to_owned()
            );
        }
        Ok(Self::Text(text))
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        match pattern {
            Pattern::Text(text) => text,
            Pattern::Fingerprint(digits) => format!("{FINGERPRINT}{digits}"),
        }
    }
}

/// How much issues matter that a pattern is about: `PATTERN=SEVERITY`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Override {
    of: Pattern,
    severity: Named,
}

impl TryFrom<String> for Override {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = |why: &str| {
            format!(
                "`{text}` in `severities` {why}; write `text of the line=warning` or `{FINGERPRINT}…=warning`, with one of info, warning, error, critical"
            )
        };
        let (of, severity) = text.rsplit_once('=').ok_or_else(|| wrong("has no `=`"))?;
        let severity =
            Named::of(severity.trim()).ok_or_else(|| wrong(&format!("has no severity `{}`", severity.trim())))?;
        Ok(Self { of: Pattern::try_from(of.trim_end().to_owned())?, severity })
    }
}

impl From<Override> for String {
    fn from(rule: Override) -> Self {
        format!("{}={}", Self::from(rule.of), rule.severity.name())
    }
}

/// A severity by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Named {
    Info,
    Warning,
    Error,
    Critical,
}

impl Named {
    const ALL: [Self; 4] = [Self::Info, Self::Warning, Self::Error, Self::Critical];

    const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }

    fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.name().eq_ignore_ascii_case(name))
    }
}

impl From<Named> for Severity {
    fn from(named: Named) -> Self {
        match named {
            Named::Info => Self::Info,
            Named::Warning => Self::Warning,
            Named::Error => Self::Error,
            Named::Critical => Self::Critical,
        }
    }
}

#[cfg(test)]
mod tests {
    use autodevops_sdk::types::IssueKind;

    use super::*;

    fn read(text: &str) -> Result<Settings, String> {
        serde_json::from_str::<Settings>(text).map_err(|error| error.to_string()).and_then(Settings::checked)
    }

    #[test]
    fn a_wrong_value_is_named_with_what_to_write_instead() {
        for (text, told) in [
            (r#"{"max-groups": 0}"#, "`max-groups` is 0, and must be at least 1"),
            (r#"{"max-patterns": 0}"#, "`max-patterns` is 0"),
            (r#"{"max-new-per-hour": 0}"#, "`max-new-per-hour` is 0"),
            (r#"{"ignore": [" "]}"#, "an empty text is in every line"),
            (
                r#"{"ignore": ["fingerprint:xyz"]}"#,
                "`fingerprint:xyz` names no fingerprint; write `fingerprint:` and 6",
            ),
            (r#"{"severities": ["ledger is locked"]}"#, "`ledger is locked` in `severities` has no `=`"),
            (r#"{"severities": ["a=bad"]}"#, "has no severity `bad`; write `text of the line=warning`"),
            (r#"{"severities": ["=info"]}"#, "an empty text is in every line"),
            (r#"{"severity": []}"#, "unknown field `severity`, expected one of `root`"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(told), "{text}: {error}");
        }
    }

    #[test]
    fn settings_are_written_as_they_are_read() {
        let text =
            r#"{"ignore":["a = b","fingerprint:0a1b2c3d"],"severities":["a=b=warning","fingerprint:0a1b2c3d=info"]}"#;
        let settings = read(text).unwrap();
        assert_eq!(read(&serde_json::to_string(&settings).unwrap()), Ok(settings));
    }

    #[test]
    fn the_first_rule_that_fits_says_how_much_an_issue_matters() {
        let settings = read(r#"{"severities":["fingerprint:0a1b2c=info","disk=Critical","disk is=warning"]}"#).unwrap();
        let issue = |fingerprint: &str, title: &str| {
            settings.severity_of(&Issue::new(fingerprint, IssueKind::Exception, Severity::Error, title))
        };
        assert_eq!(issue("0a1b2c3d4e5f6071", "disk is full"), Some(Severity::Info));
        assert_eq!(issue("ffffffffffffffff", "disk is full"), Some(Severity::Critical));
        assert_eq!(issue("ffffffffffffffff", "queue is full"), None);
        assert_eq!(settings.severity_of_text("the disk is full"), Some(Severity::Critical));
    }
}
