//! A release's functions: loaded once, called for each request in a fresh instance.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use autodevops_policy::Limits;
use autodevops_sandbox::{Sandbox, SandboxOptions, ScriptEngine};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{WorkerError, WorkerOptions, file, modules};

/// How the engine names all that it evaluates.
const SOURCE_NAME: &str = "<input>";

/// A request, as the harness takes it. Bytes travel as Latin-1 text.
#[derive(Debug, Serialize)]
pub struct Request {
    pub function: String,
    pub method: String,
    pub path: String,
    pub query: String,
    #[serde(rename = "originalUrl")]
    pub original_url: String,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

#[derive(Serialize)]
struct Input<'a> {
    entry: &'a str,
    list: bool,
    now: u64,
    seed: u32,
    milliseconds: u128,
    #[serde(flatten)]
    request: Option<&'a Request>,
}

/// An answer: the application's, or its failure.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers; a value is a text or a list of texts.
    pub headers: BTreeMap<String, Value>,
    /// Bytes, as Latin-1 text.
    pub body: String,
    /// What was written to the console: stream and line.
    pub output: Vec<(String, String)>,
    /// What was thrown, with its stack.
    pub failed: Option<String>,
    functions: Vec<String>,
}

/// The functions of a release.
pub struct Functions {
    engine: ScriptEngine,
    entry: String,
    script: String,
    parts: Parts,
    names: Vec<String>,
    limits: Limits,
}

impl Functions {
    /// Reads the modules and asks them once which functions they export.
    pub async fn load(options: &WorkerOptions, entry: &str) -> Result<Self, WorkerError> {
        let component = options.engine.as_deref().ok_or(WorkerError::NoEngine)?;
        let component = std::fs::read(component).map_err(file(component))?;
        let defaults = SandboxOptions::default();
        let sandbox = SandboxOptions {
            cache: options.cache.clone(),
            compiler: options.compiler.clone(),
            // Here all calls are calls of one.
            calls_of_one_plugin: Some(defaults.concurrent_calls),
            ..defaults
        };
        let sandbox = Sandbox::new(&sandbox).map_err(|error| WorkerError::Sandbox(error.to_string()))?;
        let engine = ScriptEngine::load(&sandbox, "functions", &component, options.limits)
            .map_err(|error| WorkerError::Sandbox(error.to_string()))?;
        let (script, parts) = script(&options.root, entry)?;
        let mut functions =
            Self { engine, entry: entry.to_owned(), script, parts, names: Vec::new(), limits: options.limits };
        let listed = functions.evaluate(None).await.map_err(WorkerError::Load)?;
        if let Some(failed) = listed.failed {
            return Err(WorkerError::Load(failed));
        }
        functions.names = listed.functions;
        Ok(functions)
    }

    /// Names of the functions.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Calls a function. A function that did not come to an end (out of time, out of memory) failed as one that throws.
    pub async fn call(&self, request: &Request) -> Answer {
        match self.evaluate(Some(request)).await {
            Ok(answer) => answer,
            Err(failed) => Answer { failed: Some(failed), ..Answer::default() },
        }
    }

    async fn evaluate(&self, request: Option<&Request>) -> Result<Answer, String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let input = Input {
            entry: &self.entry,
            list: request.is_none(),
            now: u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
            seed: now.subsec_nanos(),
            milliseconds: self.limits.wall_time.0.as_millis(),
            request,
        };
        let input = serde_json::to_string(&input).map_err(|error| error.to_string())?;
        let text = match self.engine.run(&[&self.script], &input).await {
            Ok(Ok(text)) => text,
            Ok(Err(thrown)) => return Err(self.placed(&thrown)),
            Err(error) => return Err(format!("Error: {error}")),
        };
        let mut answer: Answer = serde_json::from_str(&text).map_err(|error| format!("the answer is none: {error}"))?;
        answer.failed = answer.failed.map(|failed| self.placed(&failed));
        for (_, line) in &mut answer.output {
            *line = self.placed(line);
        }
        Ok(answer)
    }

    /// A stack with the release's files and lines in place of the engine's. Frames of the harness are left out.
    fn placed(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        for line in text.lines() {
            if let Some(line) = self.placed_line(line) {
                let _ = writeln!(out, "{line}");
            }
        }
        out.truncate(out.trim_end().len());
        out
    }

    fn placed_line(&self, line: &str) -> Option<String> {
        let Some((before, rest)) = line.split_once(SOURCE_NAME) else {
            let foreign = line.trim_start().starts_with("at ")
                && ["(native)", "(componentize-qjs:"].iter().any(|part| line.contains(part));
            return (!foreign).then(|| line.to_owned());
        };
        let rest = rest.strip_prefix(':')?;
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let number: u64 = rest.get(..digits)?.parse().ok()?;
        let (before_part, file) = self.parts.iter().rev().find(|(lines, _)| *lines < number)?;
        let file = file.as_ref()?;
        let number = number - before_part;
        Some(format!("{before}{file}:{number}{}", rest.get(digits..).unwrap_or_default()))
    }
}

/// Lines before each part of a script, and the file that it holds; none for the harness's own.
type Parts = Vec<(u64, Option<String>)>;

/// What is evaluated for each request, as one script: the modules as functions; and the line at which each starts, with the file
/// that it holds. (The harness and its surroundings are in the engine's component already.)
fn script(root: &Path, entry: &str) -> Result<(String, Parts), WorkerError> {
    let mut script = Script::default();
    script.add("globalThis.__modules = {};", None);
    for module in modules::read(root, entry)? {
        let name = serde_json::to_string(&module.path).unwrap_or_default();
        let requires = serde_json::to_string(&module.requires).unwrap_or_default();
        let source = module.source.trim_start_matches('\u{feff}');
        // The wrapping is on the module's own first line, so that its lines keep their numbers.
        let text = if module.path.ends_with(".json") {
            format!(
                "__modules[{name}] = {{ requires: {{}}, run(exports, require, module) {{ module.exports = {source} }} }};"
            )
        } else {
            format!(
                "__modules[{name}] = {{ requires: {requires}, run: function (exports, require, module, __filename, __dirname) {{ {source}\n}} }};"
            )
        };
        script.add(&text, Some(module.path));
    }
    Ok((script.text, script.parts))
}

#[derive(Default)]
struct Script {
    text: String,
    lines: u64,
    parts: Parts,
}

impl Script {
    fn add(&mut self, text: &str, file: Option<String>) {
        self.parts.push((self.lines, file));
        self.text.push_str(text);
        self.text.push('\n');
        self.lines += text.matches('\n').count() as u64 + 1;
    }
}
