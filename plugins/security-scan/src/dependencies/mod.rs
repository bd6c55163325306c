//! New dependencies, and where they come from: whoever is depended on runs with the service's rights.

mod node;
mod other;

use autodevops_sdk::types::Severity;
use change::{File, Lines};

use change::Found;

const LOCKFILES: [&str; 16] = [
    "package-lock.json",
    "npm-shrinkwrap.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    "bun.lock",
    "bun.lockb",
    "Cargo.lock",
    "poetry.lock",
    "Pipfile.lock",
    "uv.lock",
    "pdm.lock",
    "go.sum",
    "composer.lock",
    "Gemfile.lock",
    "gradle.lockfile",
    "deno.lock",
];

/// What a file adds to what the project depends on; none when the file says nothing of it.
pub fn scan(file: &File, lines: &Lines) -> Vec<Found> {
    if file.after.is_none() {
        return Vec::new();
    }
    let name = file.name();
    if LOCKFILES.contains(&name) {
        return lockfile(file, lines);
    }
    match name {
        "package.json" => node::package(file, lines),
        "Cargo.toml" => other::cargo(file, lines),
        "pyproject.toml" => other::pyproject(file, lines),
        "go.mod" => other::go(file, lines),
        ".npmrc" | ".yarnrc" | ".yarnrc.yml" | "pip.conf" => registry(file, lines),
        _ if (name.starts_with("requirements") || name.starts_with("constraints")) && name.ends_with(".txt") => {
            other::requirements(file, lines)
        }
        _ => Vec::new(),
    }
}

/// One dependency that is new, or that comes from elsewhere than before.
fn dependency(line: u32, name: &str, source: &str, is_new: bool) -> Found {
    if is_remote(source) {
        return Found {
            rule: "dependency-source",
            severity: Severity::Error,
            line,
            column: None,
            message: format!("`{name}` is taken from an address, not from a registry"),
            remedy: "depend on a published version, whose content cannot change",
        };
    }
    Found {
        rule: "new-dependency",
        severity: Severity::Warning,
        line,
        column: None,
        message: if is_new {
            format!("`{name}` is a new dependency")
        } else {
            format!("`{name}` is another dependency than before")
        },
        remedy: "have a person look at who publishes it and whether it is needed",
    }
}

/// Whether a version is an address: of a repository, or of an archive. Short forms of npm included.
fn is_remote(source: &str) -> bool {
    let lower = source.trim().to_ascii_lowercase();
    let is_short = lower.split_once('/').is_some_and(|(owner, rest)| {
        !owner.is_empty()
            && !owner.starts_with(['@', '.', '~', '^'])
            && owner.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
            && !rest.is_empty()
            && !rest.contains(' ')
    });
    ["git:", "git+", "http:", "https:", "ssh:", "github:", "gitlab:", "bitbucket:", "gist:", "git@"]
        .iter()
        .any(|start| lower.starts_with(start))
        || is_short
}

/// The first added line that holds the text; else the first line that does; else the first line of all.
fn line_of(file: &File, lines: &Lines, text: &str) -> u32 {
    let holding =
        || (1..).zip(file.new_text().lines()).filter(|(_, line)| line.contains(text)).map(|(number, _)| number);
    holding().find(|number| lines.added.contains(number)).or_else(|| holding().next()).unwrap_or(1)
}

fn lockfile(file: &File, lines: &Lines) -> Vec<Found> {
    if file.before.as_ref() == file.after.as_ref() {
        return Vec::new();
    }
    let mut found = vec![Found {
        rule: "lockfile-changed",
        severity: Severity::Warning,
        line: lines.added.first().copied().unwrap_or(1),
        column: None,
        message: "the locked versions of dependencies change".into(),
        remedy: "have a person look at which packages changed, and whether their digests are the registry's",
    }];
    let from_elsewhere = ["git+", "git://", "git@", "http://", "codeload.github.com", "ssh://"];
    for (number, line) in (1..).zip(file.new_text().lines()).filter(|(number, _)| lines.added.contains(number)) {
        let says_source = ["resolved", "source", "tarball", "url", "resolution"].iter().any(|word| line.contains(word));
        if says_source && from_elsewhere.iter().any(|start| line.contains(start)) {
            found.push(dependency(number, "a locked package", "git+https://", true));
        }
    }
    found
}

fn registry(file: &File, lines: &Lines) -> Vec<Found> {
    (1..)
        .zip(file.new_text().lines())
        .filter(|(number, line)| {
            let lower = line.trim().to_ascii_lowercase();
            let names = ["registry", "npmregistryserver", "index-url", "index_url", "trusted-host"];
            lines.added.contains(number)
                && !lower.starts_with(['#', ';'])
                && names.iter().any(|name| lower.contains(name))
        })
        .map(|(line, _)| other_registry(line))
        .collect()
}

fn other_registry(line: u32) -> Found {
    Found {
        rule: "dependency-source",
        severity: Severity::Error,
        line,
        column: None,
        message: "packages are taken from another registry".into(),
        remedy: "have a person decide which registry is trusted",
    }
}

#[cfg(test)]
mod tests;
