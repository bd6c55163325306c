//! What an event says that has no message: its own fields, in an order that does not depend on who wrote them.

use serde_json::{Map, Value};

/// Fields of an event that are told.
const MAX_FIELDS: usize = 16;
/// Bytes of a value that are told, and of all of them.
const MAX_VALUE_BYTES: usize = 120;
const MAX_BYTES: usize = 1000;
/// How deep objects within the event are looked into.
const MAX_DEPTH: usize = 3;

/// The fields as `name=value`, by their names; `skips` says which of the event's own say nothing of what happened.
pub fn text(event: &Map<String, Value>, skips: impl Fn(&str) -> bool) -> String {
    let mut fields = Vec::new();
    for (name, value) in event.iter().filter(|(name, _)| !skips(name)) {
        collect(&mut fields, name, value, MAX_DEPTH);
    }
    fields.sort_unstable();
    join(fields.iter().map(|(name, value)| (name.as_str(), value.as_str())))
}

/// Fields as `name=value`, in their order.
pub fn join<'a>(fields: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut text = String::new();
    for (name, value) in fields.take(MAX_FIELDS) {
        let value = &value[..value.floor_char_boundary(MAX_VALUE_BYTES)];
        if text.len() + name.len() + value.len() + 2 > MAX_BYTES {
            break;
        }
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(name);
        text.push('=');
        text.push_str(value);
    }
    text
}

fn collect(fields: &mut Vec<(String, String)>, name: &str, value: &Value, depth: usize) {
    let value = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(is) => is.to_string(),
        Value::Object(object) if depth > 0 => {
            for (own, value) in object {
                // What a type's name is given by is no part of what happened.
                if !own.starts_with('@') {
                    collect(fields, &format!("{name}.{own}"), value, depth - 1);
                }
            }
            return;
        }
        Value::Object(_) | Value::Array(_) | Value::Null => return,
    };
    fields.push((name.to_owned(), value));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(json: &str) -> String {
        text(serde_json::from_str::<Value>(json).unwrap().as_object().unwrap(), |name| name == "time")
    }

    #[test]
    fn fields_are_told_by_their_names_whatever_their_order() {
        let first = told(r#"{"b":{"y":1.5,"x":true,"@type":"t"},"a":"one two","time":"now","n":null,"l":[1]}"#);
        assert_eq!(first, "a=one two b.x=true b.y=1.5");
        assert_eq!(told(r#"{"a":"one two","b":{"x":true,"y":1.5}}"#), first);
    }

    #[test]
    fn what_is_told_is_bounded() {
        let many: Vec<String> = (0..500).map(|n| format!(r#""f{n}":"{}""#, "ü".repeat(300))).collect();
        let text = told(&format!("{{{}}}", many.join(",")));
        assert!(text.len() <= MAX_BYTES && text.starts_with("f0="), "{}", text.len());
    }
}
