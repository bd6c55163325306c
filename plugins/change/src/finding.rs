//! What a check has to say of a file, before it is put into a report.

use autodevops_sdk::types::{Finding, Location, Severity};

/// Something found in a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Name of the rule.
    pub rule: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// Line, from 1; 0 for the file as a whole.
    pub line: u32,
    /// Column, from 1, where it is known.
    pub column: Option<u32>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub remedy: &'static str,
}

impl Found {
    /// The finding, in its file.
    pub fn in_file(self, path: &str) -> Finding {
        Finding {
            rule: self.rule.into(),
            severity: self.severity,
            message: self.message,
            remedy: self.remedy.into(),
            location: Some(Location { path: path.into(), line: self.line.max(1), column: self.column }),
        }
    }
}
