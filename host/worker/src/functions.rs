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

/// Lines that the engine keeps apart for each source; see the engine's contract.
const LINES_PER_SOURCE: u64 = 100_000;

/// How the engine names all that it evaluates.
const SOURCE_NAME: &str = "<input>";

const PRELUDE: &str = include_str!("../../../sdk/js-engine/prelude.js");
const WEB: &str = include_str!("../../../sdk/js-engine/web.js");
const HARNESS: &str = include_str!("harness.js");

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
    sources: Vec<String>,
    /// The file that each source holds; none for the harness's own.
    files: Vec<Option<String>>,
    names: Vec<String>,
    limits: Limits,
}

impl Functions {
    /// Reads the modules and asks them once which functions they export.
    pub async fn load(options: &WorkerOptions, entry: &str) -> Result<Self, WorkerError> {
        let component = options.engine.as_deref().ok_or(WorkerError::NoEngine)?;
        let component = std::fs::read(component).map_err(file(component))?;
        let sandbox = SandboxOptions { cache: options.cache.clone(), ..SandboxOptions::default() };
        let sandbox = Sandbox::new(&sandbox).map_err(|error| WorkerError::Sandbox(error.to_string()))?;
        let engine = ScriptEngine::load(&sandbox, "functions", &component, options.limits)
            .map_err(|error| WorkerError::Sandbox(error.to_string()))?;
        let (sources, files) = sources(&options.root, entry)?;
        let mut functions =
            Self { engine, entry: entry.to_owned(), sources, files, names: Vec::new(), limits: options.limits };
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
        let sources: Vec<&str> = self.sources.iter().map(String::as_str).collect();
        let text = match self.engine.run(&sources, &input).await {
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
            let native = line.trim_start().starts_with("at ") && line.contains("(native)");
            return (!native).then(|| line.to_owned());
        };
        let rest = rest.strip_prefix(':')?;
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let number: u64 = rest.get(..digits)?.parse().ok()?;
        let source = usize::try_from(number.saturating_sub(1) / LINES_PER_SOURCE).ok()?;
        let file = self.files.get(source)?.as_ref()?;
        let number = number - (source as u64) * LINES_PER_SOURCE;
        Some(format!("{before}{file}:{number}{}", rest.get(digits..).unwrap_or_default()))
    }
}

/// What is evaluated for each request: the surroundings, the modules as functions, the harness.
fn sources(root: &Path, entry: &str) -> Result<(Vec<String>, Vec<Option<String>>), WorkerError> {
    let mut sources = vec![PRELUDE.to_owned(), format!("{WEB}\nglobalThis.__modules = {{}};")];
    let mut files = vec![None, None];
    for module in modules::read(root, entry)? {
        let name = serde_json::to_string(&module.path).unwrap_or_default();
        let requires = serde_json::to_string(&module.requires).unwrap_or_default();
        let source = if module.path.ends_with(".json") {
            format!(
                "__modules[{name}] = {{ requires: {{}}, run(exports, require, module) {{ module.exports = {} }} }};",
                module.source
            )
        } else {
            // On the module's own first line, so that its lines keep their numbers.
            format!(
                "__modules[{name}] = {{ requires: {requires}, run: function (exports, require, module, __filename, __dirname) {{ {}\n}} }};",
                module.source
            )
        };
        sources.push(source);
        files.push(Some(module.path));
    }
    sources.push(HARNESS.to_owned());
    files.push(None);
    Ok((sources, files))
}
