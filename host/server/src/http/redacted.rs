//! What the API tells of runs, without secrets and personal data.

use autodevops_policy::redact::Redaction;
use serde_json::Value;

/// What is words, by the names of values: they may quote what a service logged. All else identifies what it names, such as commits and
/// releases, or is the code of a fix, and stays.
const WORDS: [&str; 11] = [
    "title",
    "message",
    "reason",
    "words",
    "text",
    "summary",
    "template",
    "root-cause",
    "waits-for",
    "needed",
    "not-reverted",
];

/// The value with its words redacted, as a message to people has them.
pub fn redacted(value: Value, redaction: &Redaction) -> Value {
    match value {
        Value::Array(values) => values.into_iter().map(|value| redacted(value, redaction)).collect(),
        Value::Object(values) => values
            .into_iter()
            .map(|(name, value)| match value {
                Value::String(text) if WORDS.contains(&name.as_str()) => (name, redaction.text(&text).into()),
                value => (name, redacted(value, redaction)),
            })
            .collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn words_are_redacted_however_deep_and_what_names_something_stays() {
        let commit = "0123456789abcdef0123456789abcdef01234567";
        let value = json!([{ "commit": commit, "reason": commit, "evidence": [{ "text": "of jane@shop.example" }], "count": 3 }]);
        let told = json!([{
            "commit": commit, "reason": "[redacted:hex]", "evidence": [{ "text": "of [redacted:email]" }], "count": 3,
        }]);
        assert_eq!(redacted(value, &Redaction::default()), told);
    }
}
