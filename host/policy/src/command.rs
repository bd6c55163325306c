//! The operator's commands: a program with its arguments, in which a plugin fills nothing but what the operator left open, and with
//! nothing but names.

use std::{collections::BTreeMap, fmt::Write as _};

/// Longest value of a placeholder, in bytes.
pub const MAX_FILL_BYTES: usize = 128;

/// Why a command is not run with these values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FillError {
    /// A value is no name: it could be taken for an option, a path or a part of a script.
    #[error(
        "the value of {{{placeholder}}} is not taken; use 1 to {MAX_FILL_BYTES} of a-z, A-Z, 0-9, - and _, starting with a letter or a digit"
    )]
    Value {
        /// The placeholder, without its braces.
        placeholder: String,
    },
    /// A placeholder's name is none.
    #[error("a placeholder's name is not taken; use a-z, 0-9 and -, starting with a letter")]
    Placeholder,
    /// A placeholder is filled twice.
    #[error("{{{0}}} is filled twice; fill it once")]
    Twice(String),
    /// The command has a placeholder that the plugin does not fill.
    #[error("its `argv` has {{{missing}}}, which the plugin does not fill; it fills {filled}")]
    Missing {
        /// The placeholder.
        missing: String,
        /// What the plugin fills, in words.
        filled: String,
    },
}

/// Whether it can stand in a command: no option, no path, nothing that a shell or a program's own language takes for more than a name.
pub fn is_fill(value: &str) -> bool {
    value.len() <= MAX_FILL_BYTES
        && value.starts_with(|c: char| c.is_ascii_alphanumeric())
        && value.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

fn is_placeholder(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

/// A part of an argument.
enum Part<'a> {
    Text(&'a str),
    Placeholder(&'a str),
}

/// An argument's parts. Braces around anything but a placeholder's name are text.
fn parts(argument: &str) -> Vec<Part<'_>> {
    let (mut parts, mut rest) = (Vec::new(), argument);
    while let Some(start) = rest.find('{') {
        let (before, braced) = rest.split_at(start);
        let inner = braced.get(1..).unwrap_or_default();
        match inner.split_once('}').filter(|(name, _)| is_placeholder(name)) {
            Some((name, after)) => {
                parts.extend([Part::Text(before), Part::Placeholder(name)]);
                rest = after;
            }
            None => {
                parts.extend([Part::Text(before), Part::Text("{")]);
                rest = inner;
            }
        }
    }
    parts.push(Part::Text(rest));
    parts
}

/// The placeholders of a command, in their order.
pub fn placeholders(argv: &[String]) -> Vec<&str> {
    let parts = argv.iter().flat_map(|argument| parts(argument));
    let names = parts.filter_map(|part| match part {
        Part::Placeholder(name) => Some(name),
        Part::Text(_) => None,
    });
    names.collect()
}

/// The command with its placeholders filled. What is filled in is never looked at again, and makes no arguments more than there are.
///
/// # Errors
/// [`FillError`]: a value that is no name, or a placeholder that is not filled.
pub fn filled(argv: &[String], fills: &[(String, String)]) -> Result<Vec<String>, FillError> {
    let mut values: BTreeMap<&str, &str> = BTreeMap::new();
    for (placeholder, value) in fills {
        if !is_placeholder(placeholder) || placeholder.len() > MAX_FILL_BYTES {
            return Err(FillError::Placeholder);
        }
        if !is_fill(value) {
            return Err(FillError::Value { placeholder: placeholder.clone() });
        }
        if values.insert(placeholder, value).is_some() {
            return Err(FillError::Twice(placeholder.clone()));
        }
    }
    let missing = |name: &str| {
        let filled = values.keys().fold(String::new(), |mut all, name| {
            let comma = if all.is_empty() { "" } else { ", " };
            // Writing to a text cannot fail.
            let _ = write!(all, "{comma}{{{name}}}");
            all
        });
        let filled = if filled.is_empty() { "nothing".to_owned() } else { filled };
        FillError::Missing { missing: name.to_owned(), filled }
    };
    let fill = |argument: &String| {
        parts(argument).into_iter().try_fold(String::new(), |all, part| match part {
            Part::Text(text) => Ok(all + text),
            Part::Placeholder(name) => values.get(name).map(|value| all + value).ok_or_else(|| missing(name)),
        })
    };
    argv.iter().map(fill).collect()
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    fn fills(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_the_operator_left_open_is_filled_and_all_else_stays() {
        let argv =
            texts(&["sqlite3", "/srv/a.db", ".backup '/b/{snapshot}.db'", "{}", "{A}", "{ snapshot }", "{{snapshot}}"]);
        let filled = filled(&argv, &fills(&[("snapshot", "r-1_a"), ("environment", "production")])).unwrap();
        assert_eq!(filled, ["sqlite3", "/srv/a.db", ".backup '/b/r-1_a.db'", "{}", "{A}", "{ snapshot }", "{r-1_a}"]);
        assert_eq!(placeholders(&argv), ["snapshot", "snapshot"]);
    }

    #[test]
    fn a_value_is_a_name_and_nothing_else() {
        let argv = texts(&["x", "{snapshot}"]);
        for value in [
            "",
            "..",
            "../a",
            "a/b",
            "-x",
            "_a",
            "a b",
            "a'b",
            "a\"b",
            "a;b",
            "$(a)",
            "a\0",
            "a\n",
            "ä",
            "{snapshot}",
            ".a",
        ] {
            let error = filled(&argv, &fills(&[("snapshot", value)])).unwrap_err();
            assert_eq!(error, FillError::Value { placeholder: "snapshot".into() }, "{value:?}");
        }
        assert!(filled(&argv, &fills(&[("snapshot", &"a".repeat(129))])).is_err());
        assert!(filled(&argv, &fills(&[("snapshot", &"a".repeat(128))])).is_ok());
    }

    #[test]
    fn what_is_not_filled_or_filled_twice_is_named() {
        let argv = texts(&["x", "{snapshot} {database}"]);
        let error = filled(&argv, &fills(&[("snapshot", "a"), ("key", "b")])).unwrap_err().to_string();
        assert_eq!(error, "its `argv` has {database}, which the plugin does not fill; it fills {key}, {snapshot}");
        let error = filled(&argv, &[]).unwrap_err().to_string();
        assert!(error.ends_with("it fills nothing"), "{error}");
        assert_eq!(filled(&argv, &fills(&[("a", "a"), ("a", "b")])), Err(FillError::Twice("a".into())));
        for name in ["", "A", "a}", "a b", "-"] {
            assert_eq!(filled(&argv, &fills(&[(name, "a")])), Err(FillError::Placeholder), "{name:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_filled_in_the_arguments_are_as_many_and_the_operators_text_stays(
            argv in vec("[a-z{}'/ -]{0,12}(\\{snapshot\\})?[a-z{} ]{0,6}", 1..5), value in "\\PC{0,20}"
        ) {
            match filled(&argv, &fills(&[("snapshot", &value)])) {
                Ok(done) => {
                    prop_assert_eq!(done.len(), argv.len());
                    prop_assert!(is_fill(&value) && !value.contains(['/', '\'', '"', ' ', '.', '$', ';']));
                    for (before, after) in argv.iter().zip(&done) {
                        prop_assert_eq!(&before.replace("{snapshot}", &value), after);
                    }
                }
                Err(FillError::Value { .. }) => prop_assert!(!is_fill(&value)),
                Err(FillError::Missing { missing, .. }) => prop_assert!(missing != "snapshot"),
                Err(other) => prop_assert!(false, "{}", other),
            }
        }
    }
}
