//! What the lines of a log have in common.

use serde::{Deserialize, Serialize};

/// What became of lines that were told apart: lines that differ by values alone are of one group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LineGroup {
    /// The number that the lines were given.
    pub id: u32,
    /// The number of the group that they belong to now; several may have become one.
    pub into: u32,
    /// What the group's lines have in common, with `<*>` for each value; empty where that of `into` says it.
    pub template: String,
}

/// The lines that a part of a log finished.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Grouped {
    /// The number of each line's group, in order.
    pub lines: Vec<u32>,
    /// Numbers that are of no further use: their groups became others, or were used least.
    pub former: Vec<LineGroup>,
}
