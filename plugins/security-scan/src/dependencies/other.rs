//! Dependencies of Rust, Python and Go.

use std::collections::BTreeMap;

use change::{File, Lines};
use toml::{Table, Value};

use super::{dependency, line_of, other_registry};
use change::Found;

/// Dependencies by name, with the address they come from where it is none of a registry.
type Dependencies = BTreeMap<String, String>;

fn compare(file: &File, lines: &Lines, old: &Dependencies, new: &Dependencies) -> Vec<Found> {
    new.iter()
        .filter(|(name, source)| old.get(*name).is_none_or(|known| known != *source && !source.is_empty()))
        .map(|(name, source)| dependency(line_of(file, lines, name), name, source, !old.contains_key(name)))
        .collect()
}

pub fn cargo(file: &File, lines: &Lines) -> Vec<Found> {
    let read = |text: &str| text.parse::<Table>().map(|table| crates(&table)).unwrap_or_default();
    compare(file, lines, &read(file.old_text()), &read(file.new_text()))
}

fn crates(table: &Table) -> Dependencies {
    let mut all = Dependencies::new();
    for (key, value) in table {
        let Some(inner) = value.as_table() else { continue };
        match key.as_str() {
            "dependencies" | "dev-dependencies" | "build-dependencies" | "patch" => {
                // `[patch.crates-io]` holds one more level.
                let is_patch = key == "patch";
                let entries: Vec<_> = if is_patch {
                    inner.values().filter_map(Value::as_table).flatten().collect()
                } else {
                    inner.iter().collect()
                };
                for (name, spec) in entries {
                    let key = if is_patch { format!("patch.{name}") } else { name.clone() };
                    let git = spec.get("git").and_then(Value::as_str);
                    let registry = spec.get("registry-index").and_then(Value::as_str);
                    let source = git.map(|git| format!("git+{git}")).or_else(|| registry.map(str::to_owned));
                    all.insert(key.trim_start_matches("patch.").to_owned(), source.unwrap_or_default());
                }
            }
            "workspace" => all.extend(crates(inner)),
            "target" => all.extend(inner.values().filter_map(Value::as_table).flat_map(crates)),
            _ => {}
        }
    }
    all
}

pub fn pyproject(file: &File, lines: &Lines) -> Vec<Found> {
    let read = |text: &str| text.parse::<Table>().map(|table| python(&table)).unwrap_or_default();
    compare(file, lines, &read(file.old_text()), &read(file.new_text()))
}

fn python(table: &Table) -> Dependencies {
    let mut all = Dependencies::new();
    let project = table.get("project");
    let lists = [
        project.and_then(|project| project.get("dependencies")),
        table.get("build-system").and_then(|b| b.get("requires")),
    ];
    let groups = [project.and_then(|project| project.get("optional-dependencies")), table.get("dependency-groups")];
    let groups = groups.into_iter().flatten().filter_map(Value::as_table).flat_map(|table| table.values());
    for requirement in lists.into_iter().flatten().chain(groups).filter_map(Value::as_array).flatten() {
        all.extend(requirement.as_str().and_then(requirement_of));
    }
    let poetry = table.get("tool").and_then(|tool| tool.get("poetry"));
    let mut sections: Vec<&Table> =
        ["dependencies", "dev-dependencies"].iter().filter_map(|name| poetry?.get(name)?.as_table()).collect();
    let groups = poetry.and_then(|poetry| poetry.get("group")).and_then(Value::as_table);
    sections.extend(groups.into_iter().flatten().filter_map(|(_, group)| group.get("dependencies")?.as_table()));
    for (name, spec) in sections.into_iter().flatten().filter(|(name, _)| *name != "python") {
        let source = spec.get("git").or_else(|| spec.get("url")).and_then(Value::as_str).unwrap_or_default();
        let source = if source.is_empty() { String::new() } else { format!("git+{source}") };
        all.insert(name.to_ascii_lowercase(), source);
    }
    all
}

/// A requirement as pip writes it: `name[extra]>=1; marker`, or `name @ address`, or an address alone.
fn requirement_of(text: &str) -> Option<(String, String)> {
    let text = text.split(" #").next().unwrap_or_default().trim();
    if text.is_empty() || text.starts_with(['#', '-']) {
        return None;
    }
    if text.contains("://") && !text.contains('@') || text.starts_with("git+") {
        return Some((text.split(['#', '?']).next().unwrap_or(text).to_owned(), text.to_owned()));
    }
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let source =
        rest.split_once('@').filter(|(_, address)| address.contains("://")).map_or("", |(_, address)| address.trim());
    (!name.is_empty()).then(|| (name.to_owned(), source.to_owned()))
}

pub fn requirements(file: &File, lines: &Lines) -> Vec<Found> {
    let read = |text: &str| -> Dependencies {
        text.lines()
            .filter_map(|line| requirement_of(line.trim().trim_start_matches("-e ").trim_start_matches("--editable ")))
            .collect()
    };
    let mut found = compare(file, lines, &read(file.old_text()), &read(file.new_text()));
    let options = ["--index-url", "-i ", "--extra-index-url", "--trusted-host", "--find-links", "-f "];
    found.extend(
        (1..)
            .zip(file.new_text().lines())
            .filter(|(number, line)| {
                lines.added.contains(number) && options.iter().any(|option| line.trim().starts_with(option))
            })
            .map(|(number, _)| other_registry(number)),
    );
    found
}

pub fn go(file: &File, lines: &Lines) -> Vec<Found> {
    compare(file, lines, &modules(file.old_text()), &modules(file.new_text()))
}

fn modules(text: &str) -> Dependencies {
    let mut all = Dependencies::new();
    let mut block = "";
    for line in text.lines() {
        let line = line.split("//").next().unwrap_or_default().trim();
        let (verb, rest) = match line.split_once(char::is_whitespace) {
            Some((verb @ ("require" | "replace"), rest)) if rest.trim() == "(" => {
                block = verb;
                continue;
            }
            Some((verb @ ("require" | "replace"), rest)) => (verb, rest),
            _ if line == ")" => {
                block = "";
                continue;
            }
            _ => (block, line),
        };
        let words: Vec<&str> = rest.split_whitespace().collect();
        match (verb, words.as_slice()) {
            ("require", [name, version, ..]) if version.starts_with('v') => {
                drop(all.insert((*name).to_owned(), String::new()))
            }
            // One module in another's place is another's code.
            ("replace", [name, .., target, version]) if version.starts_with('v') => {
                all.insert((*name).to_owned(), format!("git+{target}"));
            }
            _ => {}
        }
    }
    all
}
