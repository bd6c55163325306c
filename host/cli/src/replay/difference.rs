//! How two JSON values differ, for people: the places that differ, and what stands there.

use serde_json::Value;

/// So many places are told one by one.
const MOST: usize = 20;

/// Lines such as `.summary: "a" -> "b"`.
pub fn lines(before: &Value, after: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare("", before, after, &mut found);
    let more = found.len().saturating_sub(MOST);
    found.truncate(MOST);
    if more > 0 {
        found.push(format!("and {more} more"));
    }
    found
}

fn compare(place: &str, before: &Value, after: &Value, found: &mut Vec<String>) {
    let at = if place.is_empty() { "." } else { place };
    match (before, after) {
        (before, after) if before == after => {}
        (Value::Object(before), Value::Object(after)) => {
            for (key, value) in before {
                match after.get(key) {
                    Some(other) => compare(&format!("{place}.{key}"), value, other, found),
                    None => found.push(format!("{place}.{key}: {value} -> nothing")),
                }
            }
            let new = after.iter().filter(|(key, _)| !before.contains_key(*key));
            found.extend(new.map(|(key, value)| format!("{place}.{key}: nothing -> {value}")));
        }
        (Value::Array(before), Value::Array(after)) => {
            for index in 0..before.len().max(after.len()) {
                let place = format!("{place}[{index}]");
                match (before.get(index), after.get(index)) {
                    (Some(one), Some(other)) => compare(&place, one, other, found),
                    (Some(one), None) => found.push(format!("{place}: {one} -> nothing")),
                    (None, Some(other)) => found.push(format!("{place}: nothing -> {other}")),
                    (None, None) => {}
                }
            }
        }
        (before, after) => found.push(format!("{at}: {before} -> {after}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_place_that_differs_is_named_with_what_stands_there() {
        let before = json!({"a": 1, "b": [1, {"c": "x"}], "gone": true, "same": null});
        let after = json!({"a": 2, "b": [1, {"c": "y"}, 3], "new": 4, "same": null});
        let expected = [
            ".a: 1 -> 2",
            ".b[1].c: \"x\" -> \"y\"",
            ".b[2]: nothing -> 3",
            ".gone: true -> nothing",
            ".new: nothing -> 4",
        ];
        assert_eq!(lines(&before, &after), expected);
        assert!(lines(&before, &before).is_empty());
        assert_eq!(lines(&json!(1), &json!("1")), [".: 1 -> \"1\""]);
    }

    #[test]
    fn of_very_many_places_the_first_are_told() {
        let (before, after) = (json!(vec![0; 100]), json!(vec![1; 100]));
        let lines = lines(&before, &after);
        assert_eq!((lines.len(), lines.last().map(String::as_str)), (MOST + 1, Some("and 80 more")));
    }
}
