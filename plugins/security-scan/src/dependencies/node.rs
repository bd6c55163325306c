//! `package.json`: dependencies, and scripts that run when it is installed.

use std::collections::BTreeMap;

use autodevops_sdk::types::Severity;
use change::{File, Lines};
use serde_json::Value;

use super::{dependency, is_remote, line_of};
use change::Found;

const SECTIONS: [&str; 4] = ["dependencies", "devDependencies", "optionalDependencies", "peerDependencies"];

/// Scripts that npm runs by itself.
const INSTALL: [&str; 8] =
    ["preinstall", "install", "postinstall", "prepare", "preprepare", "postprepare", "prepublish", "dependencies"];

pub fn package(file: &File, lines: &Lines) -> Vec<Found> {
    let Ok(after) = serde_json::from_str::<Value>(file.new_text()) else {
        return vec![Found {
            rule: "unreadable-manifest",
            severity: Severity::Warning,
            line: 1,
            column: None,
            message: "the file is no JSON: its dependencies are not known".into(),
            remedy: "correct its syntax",
        }];
    };
    let before = serde_json::from_str::<Value>(file.old_text()).unwrap_or_default();
    let (old, mut found) = (dependencies(&before), Vec::new());
    for (name, version) in dependencies(&after) {
        let known = old.get(&name);
        // Another range of the same package is no new dependency; another package under the same name is.
        let is_other = known.is_some_and(|known| {
            *known != version && (is_remote(&version) || version.starts_with("npm:") || version.starts_with("file:"))
        });
        if known.is_none() || is_other {
            found.push(dependency(line_of(file, lines, &format!("\"{name}\"")), &name, &version, known.is_none()));
        }
    }
    for script in INSTALL {
        let text = |value: &Value| value.get("scripts").and_then(|scripts| scripts.get(script)).cloned();
        if let Some(command) = text(&after).filter(|command| text(&before).as_ref() != Some(command)) {
            found.push(Found {
                rule: "install-script",
                severity: Severity::Error,
                line: line_of(file, lines, &format!("\"{script}\"")),
                column: None,
                message: format!("npm runs the script `{script}` by itself: {}", shortened(&command)),
                remedy: "do it in the build, by a command that a person starts",
            });
        }
    }
    found
}

fn shortened(command: &Value) -> String {
    // A command may hold a secret of its own; its first word says what it is.
    let text = command.as_str().unwrap_or_default();
    format!("`{} …`", text.split_whitespace().next().unwrap_or_default())
}

/// Names and versions of all sections, and of what replaces packages deep in the tree.
fn dependencies(package: &Value) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for section in SECTIONS {
        for (name, version) in package.get(section).and_then(Value::as_object).into_iter().flatten() {
            all.insert(name.clone(), version.as_str().unwrap_or_default().to_owned());
        }
    }
    for section in ["overrides", "resolutions"] {
        for (name, version) in package.get(section).and_then(Value::as_object).into_iter().flatten() {
            if let Some(version) = version.as_str().filter(|version| is_remote(version)) {
                all.insert(name.clone(), version.to_owned());
            }
        }
    }
    all
}
