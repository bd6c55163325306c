//! The regression test, written as the project writes its own.

use std::{fmt::Write as _, path::Path};

use autodevops_sdk::types::TestFile;

use crate::{
    entry::{Entry, Export, Reach, Route, stem},
    probe::Call,
    project::{Package, TestStyle, join, module_path, test_home},
    tree::Tree,
};

/// What a test wants to see.
pub enum Expect {
    /// Nothing is thrown.
    Quiet,
    /// Nothing is thrown, and no promise is rejected unheard.
    Settled,
    /// An error comes out whose message matches.
    Failure(String),
    /// What is given, as text, does not match.
    Never(String),
}

/// What a test does.
#[expect(clippy::large_enum_variant, reason = "there is one for a fix")]
pub enum Deed<'a> {
    /// Calls a function.
    Call(Call<'a>),
    /// Loads the file.
    Load,
}

/// A test in words.
pub struct Plan<'a> {
    /// The sentence that it proves.
    pub name: String,
    /// What it does.
    pub deed: Deed<'a>,
    /// What it wants to see.
    pub expect: Expect,
    /// Environment variables: with a value, or taken away.
    pub environment: Vec<(String, Option<String>)>,
}

/// Writes the test.
///
/// # Errors
/// Why it cannot be.
pub fn write(repository: &Path, tree: &Tree<'_>, package: &Package, plan: &Plan<'_>) -> Result<TestFile, String> {
    let home = test_home(repository, &tree.path, package);
    let style = home.style.unwrap_or(package.style);
    let end = tree.path.rsplit('.').next().unwrap_or("js");
    let is_typescript = end.ends_with("ts");
    if is_typescript && style == TestStyle::Node {
        return Err(format!("{} is TypeScript, and the project has no runner for tests of it", tree.path));
    }
    let module = tree.is_module();
    let end = match (end, module, package.is_module) {
        ("js", true, false) => "mjs",
        ("js", false, true) => "cjs",
        (end, _, _) => end,
    };
    let name = stem(&tree.path);
    let path = (1..100)
        .map(|number| {
            let number = if number == 1 { String::new() } else { format!("-{number}") };
            join(&home.folder, &format!("{name}.regression{number}.{}.{end}", home.mark))
        })
        .find(|path| !repository.join(path).exists())
        .ok_or("there is no free name for the test")?;
    let way = module_path(&home.folder, &tree.path);
    let way = if module && !is_typescript { way } else { without_end(&way) };
    let mut writer = Writer { tree, style, module, lines: String::new() };
    writer.file(plan, &way);
    Ok(TestFile { path, content: writer.lines.replace('\n', tree.style.newline) })
}

fn without_end(way: &str) -> String {
    for end in [".js", ".ts"] {
        if let Some(short) = way.strip_suffix(end) {
            return short.to_owned();
        }
    }
    way.to_owned()
}

struct Writer<'t, 'a> {
    tree: &'t Tree<'a>,
    style: TestStyle,
    module: bool,
    lines: String,
}

impl Writer<'_, '_> {
    fn line(&mut self, depth: usize, text: &str) {
        if !text.is_empty() {
            self.lines.push_str(&self.tree.style.step().repeat(depth));
            self.lines.push_str(text);
        }
        self.lines.push('\n');
    }

    fn import(&mut self, what: &str, from: &str) {
        let (quoted, end) = (self.tree.style.string(from), self.tree.style.end());
        if self.module {
            self.line(0, &format!("import {what} from {quoted}{end}"));
        } else {
            self.line(0, &format!("const {} = require({quoted}){end}", what.replace(" as ", ": ")));
        }
    }

    fn file(&mut self, plan: &Plan<'_>, way: &str) {
        let end = self.tree.style.end();
        if !self.module && self.tree.style.use_strict {
            let strict = self.tree.style.string("use strict");
            self.line(0, &format!("{strict}{end}"));
            self.line(0, "");
        }
        match self.style {
            TestStyle::Node => {
                self.import("assert", "node:assert");
                self.import("{ test }", "node:test");
                self.line(0, "");
            }
            TestStyle::Vitest => {
                self.import("{ expect, test }", "vitest");
                self.line(0, "");
            }
            TestStyle::Jest => {}
        }
        if let Deed::Call(call) = &plan.deed
            && plan.environment.is_empty()
        {
            self.import(&imported(&call.entry), way);
            self.line(0, "");
        }
        self.test(plan, way);
    }

    fn test(&mut self, plan: &Plan<'_>, way: &str) {
        let end = self.tree.style.end();
        let name = self.tree.style.string(&plan.name);
        let late = !plan.environment.is_empty();
        let is_async = match &plan.deed {
            Deed::Call(call) => call.is_async || matches!(plan.expect, Expect::Settled) || late && self.module,
            Deed::Load => self.module,
        };
        self.line(0, &format!("test({name}, {}() => {{", if is_async { "async " } else { "" }));
        for (variable, value) in &plan.environment {
            let text = match value {
                Some(value) => format!("process.env.{variable} = {}{end}", self.tree.style.string(value)),
                None => format!("delete process.env.{variable}{end}"),
            };
            self.line(1, &text);
        }
        match &plan.deed {
            Deed::Load => {
                let way = self.tree.style.string(way);
                let load = if self.module { format!("import({way})") } else { format!("require({way})") };
                self.expect(&load, self.module, &plan.expect);
            }
            Deed::Call(call) => {
                if late {
                    let (what, way) = (imported(&call.entry), self.tree.style.string(way));
                    let text = if self.module {
                        let what = what.replace(" as ", ": ");
                        match call.entry.export {
                            Export::Default => format!("const {{ default: {what} }} = await import({way}){end}"),
                            Export::Named(_) => format!("const {what} = await import({way}){end}"),
                        }
                    } else {
                        format!("const {what} = require({way}){end}")
                    };
                    self.line(1, &text);
                }
                if let Reach::Route(route) = &call.entry.reach {
                    let text = self.route(route, &local_name(&call.entry));
                    self.line(1, &text);
                }
                let text = self.call(call);
                let waits = call.is_async;
                if let Expect::Settled = plan.expect {
                    let prefix = if waits { "await " } else { "" };
                    self.line(1, &format!("{prefix}{text}{end}"));
                    self.line(1, &format!("await new Promise((resolve) => setTimeout(resolve, 1)){end}"));
                } else {
                    self.expect(&text, waits, &plan.expect);
                }
            }
        }
        self.line(0, &format!("}}){end}"));
    }

    /// The route as Express keeps it.
    fn route(&self, route: &Route, local: &str) -> String {
        // The fourth version keeps an application's router under another name than the fifth.
        let router =
            if route.of_application { format!("({local}._router ?? {local}.router)") } else { local.to_owned() };
        format!(
            "const {{ route }} = {router}.stack.find((layer) => layer.route?.path === {} && layer.route.methods.{}){}",
            self.tree.style.string(&route.path),
            if route.method == "all" { "_all" } else { &route.method },
            self.tree.style.end()
        )
    }

    fn call(&self, call: &Call<'_>) -> String {
        let entry = &call.entry;
        if let Reach::Route(route) = &entry.reach {
            let handler = route.handler.map_or_else(|| ".at(-1)".to_owned(), |index| format!("[{index}]"));
            return format!("route.stack{handler}.handle({})", call.arguments.join(", "));
        }
        let local = local_name(entry);
        let mut text = match (entry.class, &entry.member) {
            (Some(_), Some(method)) if !entry.is_static => {
                format!("new {local}({}).{method}", call.made_with.join(", "))
            }
            (Some(_), None) => return format!("new {local}({})", call.made_with.join(", ")),
            (_, Some(member)) => format!("{local}.{member}"),
            (_, None) => local,
        };
        let _ = write!(text, "({})", call.arguments.join(", "));
        text
    }

    fn expect(&mut self, call: &str, waits: bool, expect: &Expect) {
        let end = self.tree.style.end();
        let node = self.style == TestStyle::Node;
        let text = match (expect, waits, node) {
            (Expect::Failure(pattern), true, true) => format!("await assert.rejects(async () => {call}, /{pattern}/)"),
            (Expect::Failure(pattern), true, false) => {
                format!("await expect((async () => {call})()).rejects.toThrow(/{pattern}/)")
            }
            (Expect::Failure(pattern), false, true) => format!("assert.throws(() => {call}, /{pattern}/)"),
            (Expect::Failure(pattern), false, false) => format!("expect(() => {call}).toThrow(/{pattern}/)"),
            (Expect::Never(pattern), true, true) => format!("assert.doesNotMatch(String(await {call}), /{pattern}/)"),
            (Expect::Never(pattern), false, true) => format!("assert.doesNotMatch(String({call}), /{pattern}/)"),
            (Expect::Never(pattern), true, false) => format!("expect(String(await {call})).not.toMatch(/{pattern}/)"),
            (Expect::Never(pattern), false, false) => format!("expect(String({call})).not.toMatch(/{pattern}/)"),
            (_, true, true) => format!("await assert.doesNotReject(async () => {call})"),
            (_, true, false) => format!("await {call}"),
            (_, false, true) => format!("assert.doesNotThrow(() => {call})"),
            (_, false, false) => format!("expect(() => {call}).not.toThrow()"),
        };
        self.line(1, &format!("{text}{end}"));
    }
}

fn local_name(entry: &Entry<'_>) -> String {
    match &entry.export {
        Export::Named(name) if matches!(name.as_str(), "test" | "assert" | "expect" | "delete" | "default") => {
            format!("{name}_")
        }
        Export::Named(name) => name.clone(),
        Export::Default => match entry.class {
            Some(class) => class.id.as_ref().map_or_else(|| "Subject".to_owned(), |id| id.name.to_string()),
            None if entry.member.is_some() => "subject".into(),
            None if matches!(&entry.reach, Reach::Route(route) if route.of_application) => "app".into(),
            None if matches!(entry.reach, Reach::Route(_)) => "router".into(),
            None if crate::shape::is_name(&entry.name)
                && !matches!(entry.name.as_str(), "test" | "assert" | "expect") =>
            {
                entry.name.clone()
            }
            None => "subject".into(),
        },
    }
}

fn imported(entry: &Entry<'_>) -> String {
    let local = local_name(entry);
    match &entry.export {
        Export::Named(name) if *name != local => format!("{{ {name} as {local} }}"),
        Export::Named(name) => format!("{{ {name} }}"),
        Export::Default => local,
    }
}
