//! What `init` can see of a project: its name, its functions, its static files.

use std::{fs, path::Path};

use serde_json::Value;

use crate::TEMPLATE;

/// The template with what can be seen of the project in the folder filled in: the service's name and kind from
/// `package.json` and `firebase.json`, the folder of static files, and the module of the functions.
pub fn template_for(folder: &Path) -> String {
    let project = Project::of(folder);
    let mut text = set(TEMPLATE, "name = \"my-service\"", &format!("name = {}", quoted(&project.name)));
    let (kind, functions) = match (&project.functions, &project.public, &project.command) {
        (Some(module), ..) => ("functions", Some(module)),
        (None, Some(_), _) | (None, None, None) => ("files", None),
        (None, None, Some(_)) => ("command", None),
    };
    text = set(&text, "kind = \"functions\"", &format!("kind = \"{kind}\""));
    let public = match (&project.public, kind) {
        (Some(public), _) => format!("public = {}", quoted(public)),
        // A page in the project's own folder is served from there. Where there is none, nothing is guessed that would publish all.
        (None, "files") if folder.join("index.html").is_file() => "public = \".\"".to_owned(),
        (None, "files") => "public = \"public\"".to_owned(),
        (None, _) => "#public = \"public\"".to_owned(),
    };
    text = set(&text, "public = \"public\"", &public);
    let functions = match functions {
        Some(module) => format!("functions = {}", quoted(module)),
        None => "#functions = \"functions/index.js\"".to_owned(),
    };
    text = set(&text, "functions = \"functions/index.js\"", &functions);
    if let ("command", Some(command)) = (kind, &project.command) {
        let words: Vec<String> = command.iter().map(|word| quoted(word)).collect();
        text = set(&text, "#command = [\"node\", \"server.js\"]", &format!("command = [{}]", words.join(", ")));
    }
    if let Some(build) = &project.build {
        for (from, to) in [
            ("#[build]", "[build]".to_owned()),
            ("#command = \"npm run build\"", format!("command = {}", quoted(build))),
            ("#prepare = \"npm ci --ignore-scripts\"", "prepare = \"npm ci --ignore-scripts\"".to_owned()),
            ("#prepared = [\"node_modules\"]", "prepared = [\"node_modules\"]".to_owned()),
        ] {
            text = set(&text, from, &to);
        }
    }
    text
}

/// Replaces a whole line.
fn set(text: &str, from: &str, to: &str) -> String {
    text.split_inclusive('\n')
        .map(|line| if line.trim_end() == from { format!("{to}\n") } else { line.to_owned() })
        .collect()
}

/// As a TOML string: JSON's escapes are TOML's, too.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

struct Project {
    name: String,
    public: Option<String>,
    functions: Option<String>,
    command: Option<Vec<String>>,
    build: Option<String>,
}

impl Project {
    fn of(folder: &Path) -> Self {
        let package = json(&folder.join("package.json"));
        let firebase = json(&folder.join("firebase.json"));
        let file = |path: &String| folder.join(path).is_file();
        let name = package.get("name").and_then(Value::as_str).map(str::to_owned);
        let name = name.or_else(|| folder.canonicalize().ok()?.file_name()?.to_str().map(str::to_owned));
        // One site, or the first of several; the same for functions.
        let first = |key: &str| match firebase.get(key) {
            Some(Value::Array(all)) => all.first().cloned().unwrap_or_default(),
            other => other.cloned().unwrap_or_default(),
        };
        let public = first("hosting").get("public").and_then(Value::as_str).map(tidy);
        let public = public.or_else(|| {
            ["public", "static", "www"].into_iter().find(|name| folder.join(name).is_dir()).map(str::to_owned)
        });
        let source = first("functions").get("source").and_then(Value::as_str).map(tidy);
        let source = source.or_else(|| folder.join("functions").is_dir().then(|| "functions".to_owned()));
        let functions = source.and_then(|source| {
            let main = json(&folder.join(&source).join("package.json")).get("main").and_then(Value::as_str).map(tidy);
            let entries = main.into_iter().chain(["index.js".to_owned(), "index.mjs".to_owned()]);
            entries.map(|entry| format!("{source}/{entry}")).find(file)
        });
        let scripts = package.get("scripts").cloned().unwrap_or_default();
        let start = scripts.get("start").and_then(Value::as_str);
        let command = start.map(|start| start.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        let build = scripts.get("build").is_some().then(|| "npm run build".to_owned());
        let build = build.filter(|_| folder.join("package-lock.json").is_file());
        Self { name: as_name(&name.unwrap_or_default()), public, functions, command, build }
    }
}

/// The file as JSON; nothing where there is none. A file that does not parse is the project's matter, not `init`'s.
fn json(path: &Path) -> Value {
    fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

/// A relative path without `./` before it or `/` after it.
fn tidy(path: &str) -> String {
    let path = path.trim_start_matches("./").trim_end_matches('/');
    if path.is_empty() { ".".to_owned() } else { path.to_owned() }
}

/// The nearest name that is taken: without a scope, in lower case, anything else as `-`.
fn as_name(text: &str) -> String {
    let bare = text.rsplit('/').next().unwrap_or_default().to_lowercase();
    let mut name = String::new();
    for c in bare.chars() {
        if c.is_ascii_lowercase() || c.is_ascii_digit() {
            name.push(c);
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
    }
    let name: String = name.trim_start_matches(|c: char| !c.is_ascii_lowercase()).chars().take(64).collect();
    let name = name.trim_end_matches('-');
    if name.is_empty() { "my-service".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Config, ServiceKind};

    fn config(files: &[(&str, &str)]) -> Config {
        let folder = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let text = template_for(folder.path());
        Config::parse(&text, "autodevops.toml").unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    #[test]
    fn a_firebase_project_is_functions_and_files() {
        let config = config(&[
            ("package.json", r#"{"name": "@shop/Web_Shop"}"#),
            ("firebase.json", r#"{"hosting": {"public": "./web/"}, "functions": [{"source": "backend"}]}"#),
            ("backend/package.json", r#"{"main": "src/main.js"}"#),
            ("backend/src/main.js", ""),
        ]);
        assert_eq!(
            (config.services()[0].name.as_str(), config.services()[0].kind),
            ("web-shop", ServiceKind::Functions)
        );
        assert_eq!(config.services()[0].public.as_deref(), Some("web"));
        assert_eq!(config.services()[0].functions.as_deref(), Some("backend/src/main.js"));
        assert_eq!(config.build, None);
    }

    #[test]
    fn folders_of_the_usual_names_are_seen() {
        let config = config(&[("public/index.html", ""), ("functions/index.js", "")]);
        assert_eq!(config.services()[0].public.as_deref(), Some("public"));
        assert_eq!(config.services()[0].functions.as_deref(), Some("functions/index.js"));
    }

    #[test]
    fn a_page_alone_is_files_and_a_program_alone_a_command() {
        let nothing = config(&[]);
        assert_eq!(
            (nothing.services()[0].kind, nothing.services()[0].public.as_deref()),
            (ServiceKind::Files, Some("public"))
        );
        let page = config(&[("index.html", "")]);
        assert_eq!((page.services()[0].kind, page.services()[0].public.as_deref()), (ServiceKind::Files, Some(".")));
        let program = config(&[
            ("package.json", r#"{"name": "7-api", "scripts": {"start": "node server.js --port 1", "build": "tsc"}}"#),
            ("package-lock.json", "{}"),
        ]);
        assert_eq!((program.services()[0].kind, program.services()[0].name.as_str()), (ServiceKind::Command, "api"));
        assert_eq!(program.services()[0].command, ["node", "server.js", "--port", "1"]);
        let build = program.build.unwrap();
        assert_eq!(
            (build.command.as_str(), build.prepared.as_slice()),
            ("npm run build", ["node_modules".to_owned()].as_slice())
        );
    }

    #[test]
    fn files_that_do_not_parse_are_passed_over() {
        let config = config(&[("package.json", "{"), ("firebase.json", "[]"), ("www/x", "")]);
        assert_eq!(config.services()[0].public.as_deref(), Some("www"));
    }
}
