//! Where in the file a value stands, by its path of keys, so that a problem found after reading can be pointed at.

use autodevops_policy::strict_toml::TomlError;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// One part of the path to a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// A key of a table.
    Key(String),
    /// A place in a list, from 0.
    Index(usize),
}

impl From<&str> for Part {
    fn from(key: &str) -> Self {
        Self::Key(key.to_owned())
    }
}

impl From<usize> for Part {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

/// Something that is wrong with a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where: as far as the path is in the file.
    pub path: Vec<Part>,
    /// What is wrong, and what to do.
    pub message: String,
}

/// The problems with their places, in the order of the file.
pub fn placed(problems: Vec<Problem>, text: &str, origin: &str) -> Vec<TomlError> {
    let table = DeTable::parse(text).ok();
    let mut errors: Vec<TomlError> = problems
        .into_iter()
        .map(|Problem { path, message }| {
            let offset = table.as_ref().map_or(0, |table| offset(table.get_ref(), &path));
            let before = text.get(..offset).unwrap_or_default();
            TomlError {
                origin: origin.to_owned(),
                line: before.matches('\n').count() + 1,
                column: before.rsplit('\n').next().unwrap_or_default().chars().count() + 1,
                message,
            }
        })
        .collect();
    errors.sort_by_key(|error| (error.line, error.column));
    errors
}

/// Offset of the value, or of the nearest thing around it that is in the file.
fn offset(table: &DeTable<'_>, path: &[Part]) -> usize {
    let Some((Part::Key(first), rest)) = path.split_first() else { return 0 };
    let Some((key, value)) = table.iter().find(|(key, _)| key.get_ref() == first) else { return 0 };
    let mut at = if rest.is_empty() && !value.get_ref().is_table() { value.span().start } else { key.span().start };
    let mut value: &Spanned<DeValue<'_>> = value;
    for part in rest {
        let next = match (part, value.get_ref()) {
            (Part::Key(name), DeValue::Table(table)) => {
                table.iter().find(|(key, _)| key.get_ref() == name).map(|(key, value)| {
                    let start = if value.get_ref().is_table() { key.span().start } else { value.span().start };
                    (start, value)
                })
            }
            (Part::Index(index), DeValue::Array(array)) => array.get(*index).map(|value| (value.span().start, value)),
            _ => None,
        };
        let Some((start, inner)) = next else { break };
        (at, value) = (start, inner);
    }
    at
}
