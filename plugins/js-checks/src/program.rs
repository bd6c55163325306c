//! A test file with all that it loads, as one script, and the way back from the script's lines to the files.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt::Write as _,
};

use crate::{
    edits::Edited,
    module::{Format, Module, Unfit, prepare, quoted},
    probes::Marks,
    project::{Asked, Project, Target},
};

/// Most modules of one test file.
const MAX_MODULES: usize = 2000;
/// Most bytes of source of one test file's modules.
const MAX_SOURCE_BYTES: usize = 16 << 20;
/// How the engine names all that it evaluates.
const SOURCE_NAME: &str = "<input>";
/// Packages of test runners that the harness takes the place of, whether they are installed or not.
const PROVIDED: [&str; 2] = ["vitest", "@jest/globals"];

/// Changed lines of the files that are measured, by path.
pub type Changed = BTreeMap<String, BTreeSet<u32>>;

/// A script that the engine evaluates to the modules of a test file.
pub struct Program {
    /// The script.
    pub script: String,
    /// The names that are put into it.
    pub marks: Marks,
    /// How many marks there are.
    pub mark_count: u32,
    /// Of the measured files that are in it: changed lines that can be executed, each with its marks.
    pub lines: BTreeMap<String, BTreeMap<u32, Vec<u32>>>,
    parts: Vec<Part>,
}

/// A module in the script.
struct Part {
    /// Lines before it.
    above: u32,
    path: String,
    source: String,
    edited: Edited,
}

impl Program {
    /// Finds all that the file loads.
    ///
    /// # Errors
    /// A sentence, when the file itself cannot be read.
    pub fn build(project: &Project, entry: &str, changed: &Changed) -> Result<Self, String> {
        // The names that are put in must be in none of the sources, so a rare second round may be needed.
        let mut marks = Marks::unused_in(std::iter::empty());
        loop {
            let program = Self::assemble(project, entry, changed, &marks)?;
            let sources = program.parts.iter().map(|part| part.source.as_str());
            let better = Marks::unused_in(sources);
            if better.prefix == marks.prefix {
                return Ok(program);
            }
            marks = better;
        }
    }

    fn assemble(project: &Project, entry: &str, changed: &Changed, marks: &Marks) -> Result<Self, String> {
        let mut program = Self {
            script: format!("((__M)=>{{let {p}N=0,{p}D=0;const {p}M=__M;return{{__proto__:null,", p = marks.prefix),
            marks: marks.clone(),
            mark_count: 0,
            lines: BTreeMap::new(),
            parts: Vec::new(),
        };
        let mut known = BTreeSet::from([entry.to_owned()]);
        let mut queue = VecDeque::from([entry.to_owned()]);
        let mut bytes = 0;
        let mut waits = BTreeMap::new();
        let mut ready = Vec::new();
        while let Some(path) = queue.pop_front() {
            let source = match project.read(&path) {
                Ok(source) => source.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(source),
                Err(error) if path == entry => return Err(format!("{path} cannot be read: {error}")),
                Err(error) => {
                    ready.push((
                        path,
                        String::new(),
                        Content::Foreign(format!("a file that cannot be read ({error})")),
                    ));
                    continue;
                }
            };
            bytes += source.len();
            if known.len() > MAX_MODULES || bytes > MAX_SOURCE_BYTES {
                return Err(format!(
                    "{entry} loads more than {MAX_MODULES} modules or {} MiB; bundle them first",
                    MAX_SOURCE_BYTES >> 20
                ));
            }
            let content = program.content(project, &path, &source, changed);
            let mut links = BTreeMap::new();
            if let Content::Module(module) = &content {
                for (name, asked) in &module.requests {
                    let target = match PROVIDED.contains(&name.as_str()) {
                        true => Target::Builtin(name.clone()),
                        false => project.resolve(&path, name, *asked),
                    };
                    if let Target::File(file) = &target
                        && known.insert(file.clone())
                    {
                        queue.push_back(file.clone());
                    }
                    links.insert((name.clone(), *asked), target);
                }
                let imports = links.iter().filter_map(|((_, asked), target)| match target {
                    Target::File(file) if *asked == Asked::Import => Some(file.clone()),
                    _ => None,
                });
                waits.insert(path.clone(), (module.awaits, imports.collect::<Vec<_>>()));
            }
            ready.push((
                path,
                source,
                match content {
                    Content::Module(module) => Content::Linked(module, links),
                    other => other,
                },
            ));
        }
        let waiting = waiting(&waits);
        for (path, source, content) in ready {
            program.add(path, source, content, &waiting);
        }
        program.script.push_str("}})");
        Ok(program)
    }

    fn content(&mut self, project: &Project, path: &str, source: &str, changed: &Changed) -> Content {
        if path.ends_with(".json") {
            return match serde_json::from_str::<serde_json::Value>(source) {
                Ok(_) => Content::Json,
                Err(error) => Content::Wrong(format!("{path}: {error}")),
            };
        }
        let none = BTreeSet::new();
        let lines = changed.get(path).unwrap_or(&none);
        let Some(module) = prepared(project, path, source, &self.marks, lines, self.mark_count) else {
            return Content::Foreign(path.rsplit('/').next().unwrap_or(path).to_owned());
        };
        match module {
            Ok(module) => {
                let next = module.lines.values().flatten().max().map_or(self.mark_count, |mark| mark + 1);
                self.mark_count = next;
                if changed.contains_key(path) {
                    self.lines.insert(path.to_owned(), module.lines.clone());
                }
                Content::Module(module)
            }
            Err(Unfit::Foreign(what)) => Content::Foreign(format!("{what} in {path}")),
            Err(Unfit::Syntax { message, line, column }) => {
                Content::Wrong(format!("{message}\n    at {path}:{line}:{column}"))
            }
        }
    }

    fn add(&mut self, path: String, source: String, content: Content, waiting: &BTreeSet<String>) {
        let p = self.marks.prefix.clone();
        let factory = format!("({p}E,{p}I,{p}S,{p}Y,{p}T,{p}C,{p}U,{p}R)=>");
        let above = u32::try_from(self.script.matches('\n').count()).unwrap_or(u32::MAX);
        let wait = waiting.contains(&path);
        let _ = write!(self.script, "{}:{{wait:{wait},", quoted(&path));
        match content {
            Content::Linked(mut module, links) => {
                let _ = write!(self.script, "kind:{},", if module.is_module { "\"module\"" } else { "\"script\"" });
                for (name, asked) in [("require", Asked::Require), ("import", Asked::Import)] {
                    let links = links.iter().filter(|((name, by), _)| *by == asked && name != "__proto__");
                    let links: Vec<String> = links
                        .map(|((name, _), target)| format!("{}:{}", quoted(name), quoted(&encoded(target))))
                        .collect();
                    let _ = write!(self.script, "{name}:{{__proto__:null,{}}},", links.join(","));
                }
                if wait && !module.awaits {
                    module.edited.wait_for_imports(&p);
                }
                let begin = self.script.rfind('\n').map_or(0, |at| at + 1);
                let line_before = self.script.get(begin..).unwrap_or_default().to_owned();
                self.script.push_str("run:");
                self.script.push_str(&factory);
                self.script.push_str(&module.edited.text);
                let before = format!("{line_before}run:{factory}");
                module.edited.put_before(&before);
                self.parts.push(Part { above, path, source, edited: module.edited });
            }
            Content::Json => {
                let _ = write!(self.script, "kind:\"json\",run:()=>({source}\n)");
            }
            Content::Foreign(what) => {
                let _ = write!(self.script, "kind:\"foreign\",what:{}", quoted(&what));
            }
            Content::Wrong(what) => {
                let _ = write!(self.script, "kind:\"wrong\",what:{}", quoted(&what));
            }
            Content::Module(_) => {}
        }
        self.script.push_str("},\n");
    }

    /// A text with the files and places that its frames mean, in place of the engine's; frames of the harness are left out.
    pub fn placed(&self, text: &str) -> String {
        let mut lines = Vec::new();
        for line in text.lines() {
            let frame = line.trim_start().starts_with("at ");
            if frame && ["(native)", "componentize-qjs:"].iter().any(|part| line.contains(part)) {
                continue;
            }
            match self.placed_line(line) {
                Some(line) => lines.push(line),
                None if frame => {}
                None => lines.push(line.to_owned()),
            }
        }
        lines.join("\n")
    }

    fn placed_line(&self, line: &str) -> Option<String> {
        let (before, rest) = line.split_once(SOURCE_NAME)?;
        let (row, rest) = number(rest.strip_prefix(':')?)?;
        let (column, rest) = rest.strip_prefix(':').and_then(number).unwrap_or((1, rest));
        let part = self.parts.iter().rev().find(|part| part.above < row)?;
        let row = row - part.above;
        let column = part.edited.original_column(&part.source, row, column);
        Some(format!("{before}{}:{row}:{column}{rest}", part.path))
    }
}

enum Content {
    Module(Module),
    Linked(Module, BTreeMap<(String, Asked), Target>),
    Json,
    /// What it is.
    Foreign(String),
    /// What is wrong with it.
    Wrong(String),
}

/// Where a link leads, as the harness takes it.
fn encoded(target: &Target) -> String {
    match target {
        Target::File(path) => format!("file:{path}"),
        Target::Builtin(name) => format!("builtin:{name}"),
        Target::NoPackage => "package:".to_owned(),
        Target::NoFile => "nothing:".to_owned(),
    }
}

/// A module made ready as what its name, its syntax and its package say that it is; nothing for what is no JavaScript.
fn prepared(
    project: &Project,
    path: &str,
    source: &str,
    marks: &Marks,
    changed: &BTreeSet<u32>,
    first_mark: u32,
) -> Option<Result<Module, Unfit>> {
    let as_format = |format| prepare(source, format, marks, changed, first_mark);
    let module = match path.rsplit('/').next()?.rsplit_once('.')?.1 {
        "mjs" => return Some(as_format(Format::Module)),
        "cjs" => return Some(as_format(Format::Script)),
        // Whoever writes ES modules in a CommonJS package has them transpiled, so that the syntax tells before the package.
        "js" => as_format(Format::BySyntax),
        _ => return None,
    };
    let says_so = |module: &Module| module.is_module || ["require", "exports"].iter().any(|word| source.contains(word));
    if !module.as_ref().is_ok_and(says_so) && project.package_is_module(path) == Some(true) {
        return Some(as_format(Format::Module));
    }
    Some(module)
}

/// Reads a measured file that no test loads: its changed lines that could be executed.
pub fn executable_lines(project: &Project, path: &str, changed: &BTreeSet<u32>) -> Option<BTreeSet<u32>> {
    let source = project.read(path).ok()?;
    let source = source.strip_prefix('\u{feff}').unwrap_or(&source);
    let marks = Marks::unused_in(std::iter::once(source));
    let module = prepared(project, path, source, &marks, changed, 0)?.ok()?;
    Some(module.lines.into_keys().collect())
}

/// The modules that cannot be loaded at once: those that wait, and those that import them.
fn waiting(modules: &BTreeMap<String, (bool, Vec<String>)>) -> BTreeSet<String> {
    let mut waiting: BTreeSet<String> =
        modules.iter().filter(|(_, (awaits, _))| *awaits).map(|(path, _)| path.clone()).collect();
    loop {
        let before = waiting.len();
        for (path, (_, imports)) in modules {
            if imports.iter().any(|import| waiting.contains(import)) {
                waiting.insert(path.clone());
            }
        }
        if waiting.len() == before {
            return waiting;
        }
    }
}

fn number(text: &str) -> Option<(u32, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some((text.get(..end)?.parse().ok()?, text.get(end..)?))
}
