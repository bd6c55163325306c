//! What a check is asked to look at, and what it found.

use serde::{Deserialize, Serialize};

use crate::{Fix, Issue, Location, Severity};

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Everything that was looked at is in order.
    Passed,
    /// At least one thing is not.
    Failed,
    /// The check could not tell. The host never takes this for passed.
    Inconclusive,
}

/// Something that a check has to say about a place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Finding {
    /// Name of the rule, in kebab-case, such as `removed-test`.
    pub rule: String,
    /// How much it matters.
    pub severity: Severity,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
    /// Where.
    pub location: Option<Location>,
}

/// A number with a name and a unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Metric {
    /// Name in kebab-case, such as `line-coverage`.
    pub name: String,
    /// The number.
    pub value: f64,
    /// Unit: `ratio` (0 to 1), `count`, `seconds`, `bytes`.
    pub unit: String,
}

/// The result of one test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TestResult {
    /// The file that the test is in, relative to the project's root.
    pub file: String,
    /// The test's full name, its groups' names before it.
    pub name: String,
    /// How it ended.
    pub outcome: Outcome,
    /// What went wrong, where something did.
    pub message: Option<String>,
    /// How long it took, in nanoseconds.
    pub nanoseconds: u64,
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Report {
    /// How it ended.
    pub outcome: Outcome,
    /// One sentence for a person.
    pub summary: String,
    /// What it has to say.
    pub findings: Vec<Finding>,
    /// What it measured; the thresholds are the host's.
    pub metrics: Vec<Metric>,
    /// The tests that it ran.
    pub tests: Vec<TestResult>,
}

/// What a check is asked to look at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CheckInput {
    /// Paths that the change touches, relative to the project's root, sorted.
    pub changed: Vec<String>,
    /// Test files to run, relative to the project's root, sorted; all are in `/after`.
    pub tests: Vec<String>,
    /// The fix, where the change is one.
    pub fix: Option<Fix>,
    /// The issue, where the change answers one.
    pub issue: Option<Issue>,
    /// Address of the staged release, for checks of what was deployed.
    pub url: Option<String>,
}
