//! The operator's own JSON with the event filled in.

use autodevops_sdk::{Error, Result, types::Event};
use serde_json::Value;

use crate::severity;

/// The JSON text `text`, which the plugin's configuration calls `key`, with the event filled into its texts: whatever the event holds, the
/// JSON stays as it was written. `more` are further placeholders, with their values.
///
/// # Errors
/// When it is no JSON, or names a placeholder that there is not.
pub fn template(key: &str, text: &str, event: &Event, more: &[(&'static str, String)]) -> Result<Value> {
    let mut value: Value = serde_json::from_str(text).map_err(|error| {
        Error::wrong_input(format!("`{key}` is no JSON: {error}; write for example {{\"text\":\"{{title}}\"}}"))
    })?;
    let links: Vec<String> = event.links.iter().map(|(name, url)| format!("{name}: {url}")).collect();
    let mut names = vec![
        ("title", event.title.clone()),
        ("body", event.body.clone()),
        ("run", event.run.clone()),
        ("stage", event.stage.clone()),
        ("severity", severity(event).to_owned()),
        ("links", links.join("\n")),
    ];
    names.extend_from_slice(more);
    fill(key, &mut value, &names)?;
    Ok(value)
}

fn fill(key: &str, value: &mut Value, names: &[(&str, String)]) -> Result<()> {
    match value {
        Value::String(text) => *text = filled(key, text, names)?,
        Value::Array(values) => values.iter_mut().try_for_each(|value| fill(key, value, names))?,
        Value::Object(values) => values.values_mut().try_for_each(|value| fill(key, value, names))?,
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
    Ok(())
}

/// The text with its placeholders filled in, once: what is filled in is not looked at again.
fn filled(key: &str, text: &str, names: &[(&str, String)]) -> Result<String> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let Some((name, behind)) = after.split_once('}') else {
            filled.push('{');
            rest = after;
            continue;
        };
        let Some((_, value)) = names.iter().find(|(known, _)| *known == name) else {
            let known: Vec<String> = names.iter().map(|(known, _)| format!("{{{known}}}")).collect();
            return Err(Error::wrong_input(format!(
                "`{key}` names {{{name}}}, which there is not; there are {}",
                known.join(", ")
            )));
        };
        filled.push_str(value);
        rest = behind;
    }
    filled.push_str(rest);
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::event;

    #[test]
    fn a_template_is_filled_in_inside_of_texts_and_stays_the_json_that_it_was() {
        let text = r#"{"msg": "{title} ({severity})", "n": 1, "list": ["{run}", {"a": "{links}"}], "open": "{", "to": "{to}"}"#;
        let odd = Event { title: "\"},{\"x\":\"{run}".into(), ..event() };
        let value = template("template", text, &odd, &[("to", "ada@example.com".into())]).unwrap();
        assert_eq!(value["msg"], "\"},{\"x\":\"{run} (warning)");
        assert_eq!((&value["list"][0], &value["open"], &value["n"]), (&json!("62e23fd1-1"), &json!("{"), &json!(1)));
        assert_eq!(value["to"], "ada@example.com");
        assert!(value["list"][1]["a"].as_str().unwrap().starts_with("staging: http://127.0.0.1:8081/\napprove: "));
        for (text, word) in [("{", "`template` is no JSON"), (r#"{"a":"{tilte}"}"#, "{tilte}")] {
            let Err(Error::InvalidInput(info)) = template("template", text, &event(), &[]) else { panic!("{text}") };
            assert!(info.message.contains(word), "{}", info.message);
        }
    }
}
