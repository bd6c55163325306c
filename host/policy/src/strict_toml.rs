//! TOML that tells a person what is wrong with it: file, line and column, and the nearest known key for one that is unknown.

use serde::de::DeserializeOwned;

/// What is wrong with a file, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{origin}:{line}:{column}: {message}")]
pub struct TomlError {
    /// The file, as it was named.
    pub origin: String,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1, in characters.
    pub column: usize,
    /// What is wrong, and what to do.
    pub message: String,
}

/// Reads the text as a `T`; its types are expected to deny unknown fields.
///
/// # Errors
/// [`TomlError`], with `origin` as the file's name.
pub fn parse<T: DeserializeOwned>(text: &str, origin: &str) -> Result<T, TomlError> {
    toml::from_str(text).map_err(|error| {
        let offset = error.span().map_or(0, |span| span.start);
        TomlError::at(text, origin, offset, explain(error.message()))
    })
}

impl TomlError {
    /// What is wrong at a byte of the text, which was named `origin`.
    pub fn at(text: &str, origin: &str, offset: usize, message: String) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        Self {
            origin: origin.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before.rsplit('\n').next().unwrap_or_default().chars().count() + 1,
            message,
        }
    }
}

/// Serde's message about an unknown field or variant, with the nearest known one.
fn explain(message: &str) -> String {
    for (kind, noun) in [("unknown field `", "key"), ("unknown variant `", "value")] {
        let Some((name, rest)) = message.strip_prefix(kind).and_then(|rest| rest.split_once('`')) else { continue };
        let known: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
        let known_text = known.join(", ");
        return match nearest(name, known) {
            Some(near) => format!("unknown {noun} `{name}`; did you mean `{near}`?"),
            None if known_text.is_empty() => format!("unknown {noun} `{name}`; none is known here"),
            None => format!("unknown {noun} `{name}`; known are {known_text}"),
        };
    }
    message.to_owned()
}

/// The known name that a misspelt one most likely means: within a third of its length, at least two letters.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let bound = (name.chars().count() / 3).max(2);
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= bound)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read")]
    struct Rollout {
        steps: Vec<u8>,
        mode: Option<Mode>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Mode {
        ReadOnly,
        ReadWrite,
    }

    fn error(text: &str) -> String {
        parse::<Rollout>(text, "a.toml").unwrap_err().to_string()
    }

    #[test]
    fn a_misspelt_key_is_answered_with_the_nearest_one_and_its_place() {
        assert_eq!(error("steps = []\nmoed = \"x\""), "a.toml:2:1: unknown key `moed`; did you mean `mode`?");
        assert_eq!(error("stpes = []"), "a.toml:1:1: unknown key `stpes`; did you mean `steps`?");
    }

    #[test]
    fn a_key_far_from_all_is_answered_with_those_that_are_known() {
        assert_eq!(error("steps = []\ncolour = 1"), "a.toml:2:1: unknown key `colour`; known are steps, mode");
    }

    #[test]
    fn a_misspelt_value_is_answered_with_the_nearest_one() {
        assert_eq!(
            error("steps = []\nmode = \"readonly\""),
            "a.toml:2:8: unknown value `readonly`; did you mean `read-only`?"
        );
    }

    #[test]
    fn text_that_is_no_toml_is_told_with_its_place() {
        assert!(error("steps = [\n").starts_with("a.toml:"), "{}", error("steps = [\n"));
    }
}
