//! What an ES module imports and exports, taken out of it and put before it.

use std::collections::BTreeSet;

use oxc_ast::ast::{
    BindingIdentifier, Declaration, ExportDefaultDeclarationKind, ImportDeclarationSpecifier, ModuleExportName,
    Program, Statement, StringLiteral,
};
use oxc_ecmascript::BoundNames;
use oxc_span::GetSpan;

use super::{Reader, quoted};
use crate::project::Asked;

/// What an ES module does before its own code: its exports, and what it imports, in order.
#[derive(Default)]
pub(super) struct Head {
    /// Exported names and the expressions that they stand for.
    exports: Vec<(String, String)>,
    /// Specifier, the name that its module gets, and the names that must be exported by it.
    imports: Vec<(String, String, BTreeSet<String>)>,
    /// Modules whose names are all exported.
    stars: Vec<String>,
}

impl Head {
    /// The code that does so.
    pub(super) fn text(&self, p: &str, awaits: bool) -> String {
        use std::fmt::Write as _;
        let mut text = format!("{}function(){{\"use strict\";", if awaits { "async " } else { "" });
        let getters: Vec<String> =
            self.exports.iter().map(|(name, value)| format!("{}:()=>{value}", quoted(name))).collect();
        let _ = write!(text, "{p}E({{__proto__:null,{}}});", getters.join(","));
        let wait = if awaits { "await " } else { "" };
        for (specifier, name, wanted) in &self.imports {
            let wanted: Vec<String> = wanted.iter().map(|name| quoted(name)).collect();
            let _ = write!(text, "const {name}={wait}{p}I({},[{}]);", quoted(specifier), wanted.join(","));
        }
        for name in &self.stars {
            let _ = write!(text, "{p}S({name});");
        }
        text
    }

    /// A name that must be exported by a module.
    fn want(&mut self, module: &str, export: String) {
        if let Some((_, _, wanted)) = self.imports.iter_mut().find(|(_, name, _)| name == module) {
            wanted.insert(export);
        }
    }
}

impl Reader<'_> {
    /// Reads the imports and exports of an ES module, and takes them out of it.
    pub(super) fn module(&mut self, program: &Program<'_>) -> Head {
        let mut head = Head::default();
        for statement in &program.body {
            match statement {
                Statement::ImportDeclaration(it) => {
                    let name = self.import(&mut head, &it.source);
                    for specifier in it.specifiers.iter().flatten() {
                        self.imported(&mut head, &name, specifier);
                    }
                }
                Statement::ExportAllDeclaration(it) => {
                    let name = self.import(&mut head, &it.source);
                    match &it.exported {
                        Some(exported) => head.exports.push((exported.name().to_string(), name)),
                        None => head.stars.push(name),
                    }
                }
                Statement::ExportFromDeclaration(it) => {
                    let name = self.import(&mut head, &it.source);
                    for specifier in &it.specifiers {
                        let local = specifier.local.name().to_string();
                        head.exports.push((specifier.exported.name().to_string(), member(&name, &local)));
                        head.want(&name, local);
                    }
                }
                _ => {}
            }
        }
        for statement in &program.body {
            self.export(&mut head, statement);
        }
        head
    }

    fn import(&mut self, head: &mut Head, source: &StringLiteral<'_>) -> String {
        let specifier = source.value.to_string();
        let name = format!("{}{}", self.marks.prefix, head.imports.len());
        self.requests.push((specifier.clone(), Asked::Import));
        head.imports.push((specifier, name.clone(), BTreeSet::new()));
        name
    }

    fn imported(&mut self, head: &mut Head, name: &str, specifier: &ImportDeclarationSpecifier<'_>) {
        let (local, value) = match specifier {
            ImportDeclarationSpecifier::ImportSpecifier(it) => {
                let imported = it.imported.name().to_string();
                let value = member(name, &imported);
                head.want(name, imported);
                (&it.local, value)
            }
            ImportDeclarationSpecifier::ImportDefaultSpecifier(it) => {
                head.want(name, "default".to_owned());
                (&it.local, member(name, "default"))
            }
            ImportDeclarationSpecifier::ImportNamespaceSpecifier(it) => (&it.local, name.to_owned()),
        };
        if let Some(symbol) = local.symbol_id.get() {
            self.imports.insert(symbol, value);
        }
    }

    fn export(&mut self, head: &mut Head, statement: &Statement<'_>) {
        match statement {
            Statement::ExportNamedDeclaration(it) => {
                for specifier in &it.specifiers {
                    let value = match &specifier.local {
                        ModuleExportName::IdentifierReference(local) => {
                            self.stands_for(local).unwrap_or_else(|| local.name.to_string())
                        }
                        other => other.name().to_string(),
                    };
                    head.exports.push((specifier.exported.name().to_string(), value));
                }
            }
            Statement::ExportDeclaration(it) => {
                let mut names = |name: &BindingIdentifier<'_>| {
                    head.exports.push((name.name.to_string(), name.name.to_string()));
                };
                match &it.declaration {
                    Declaration::VariableDeclaration(declared) => declared.bound_names(&mut names),
                    Declaration::FunctionDeclaration(declared) => declared.bound_names(&mut names),
                    Declaration::ClassDeclaration(declared) => declared.bound_names(&mut names),
                    _ => {}
                }
                self.edits.blank(self.source, it.span.start, it.declaration.span().start);
            }
            Statement::ExportDefaultDeclaration(it) => {
                let named = match &it.declaration {
                    ExportDefaultDeclarationKind::FunctionDeclaration(it) => it.id.as_ref(),
                    ExportDefaultDeclarationKind::ClassDeclaration(it) => it.id.as_ref(),
                    _ => None,
                };
                let inner = it.declaration.span();
                if let Some(name) = named {
                    head.exports.push(("default".to_owned(), name.name.to_string()));
                    self.edits.blank(self.source, it.span.start, inner.start);
                    return;
                }
                // As a property's value, what has no name is called `default`, as it should be.
                let value = format!("{}V", self.marks.prefix);
                let breaks = self.source.get(it.span.start as usize..inner.start as usize).unwrap_or_default();
                let breaks = "\n".repeat(breaks.matches('\n').count());
                self.edits.replace(it.span.start, inner.start, format!("const {value}={{default:({breaks}"));
                self.edits.close(inner.end, ")}.default;");
                head.exports.push(("default".to_owned(), value));
            }
            _ => {}
        }
    }
}

/// A property of a module.
fn member(module: &str, name: &str) -> String {
    format!("{module}[{}]", quoted(name))
}
