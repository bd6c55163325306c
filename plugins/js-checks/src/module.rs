//! One module, made ready for the engine: an ES module becomes a function like a CommonJS one, its lines stay where they are.
//!
//! Imported names become properties of the module they come from, so that they are live; exports are getters, set up before
//! anything runs, so that modules may import each other.

mod head;

use std::collections::{BTreeMap, BTreeSet};

use oxc_allocator::Allocator;
use oxc_ast::ast::{
    Argument, ArrowFunctionExpression, AwaitExpression, CallExpression, CatchClause, ChainElement, DoWhileStatement,
    Expression, ExpressionStatement, ForInStatement, ForOfStatement, ForStatement, Function, IdentifierReference,
    IfStatement, ImportExpression, ImportMeta, ObjectProperty, Statement, WhileStatement, WithStatement,
};
use oxc_ast_visit::{Visit, walk};
use oxc_parser::{ParseOptions, Parser};
use oxc_semantic::{Scoping, SemanticBuilder};
use oxc_span::{GetSpan, SourceType};
use oxc_syntax::{scope::ScopeFlags, symbol::SymbolId};

use crate::{
    edits::{Edited, Edits},
    probes::{Marks, Probes},
    project::Asked,
};

use head::Head;

/// What a file is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// CommonJS.
    Script,
    /// An ES module.
    Module,
    /// What its syntax says.
    BySyntax,
}

/// A module that the engine can run.
#[derive(Debug)]
pub struct Module {
    /// The source as a function expression.
    pub edited: Edited,
    /// Whether it is an ES module.
    pub is_module: bool,
    /// Whether it waits at its top level.
    pub awaits: bool,
    /// Names that it asks for, as they stand in it.
    pub requests: Vec<(String, Asked)>,
    /// Changed lines that can be executed, each with its marks.
    pub lines: BTreeMap<u32, Vec<u32>>,
}

/// Why a source cannot be run.
#[derive(Debug, PartialEq, Eq)]
pub enum Unfit {
    /// It is no JavaScript.
    Syntax {
        /// What is wrong.
        message: String,
        /// Line, from 1.
        line: u32,
        /// Column, from 1.
        column: u32,
    },
    /// It is something that is not run here.
    Foreign(&'static str),
}

/// Makes a source ready. Of `changed` lines, those that can be executed are marked, with numbers from `first_mark`.
///
/// # Errors
/// [`Unfit`].
pub fn prepare(
    source: &str,
    format: Format,
    marks: &Marks,
    changed: &BTreeSet<u32>,
    first_mark: u32,
) -> Result<Module, Unfit> {
    let allocator = Allocator::default();
    let source_type = match format {
        Format::Script => SourceType::cjs(),
        Format::Module => SourceType::mjs(),
        Format::BySyntax => SourceType::unambiguous(),
    };
    let options = ParseOptions { allow_return_outside_function: format != Format::Module, ..ParseOptions::default() };
    let mut parsed = Parser::new(&allocator, source, source_type).with_options(options).parse();
    if format == Format::BySyntax && !parsed.diagnostics.is_empty() {
        // As a script, `await` is a name; as a module, a top-level `return` is wrong.
        let script = Parser::new(&allocator, source, SourceType::cjs()).with_options(options).parse();
        if script.diagnostics.is_empty() {
            parsed = script;
        }
    }
    if let Some(error) = parsed.diagnostics.iter().next() {
        if Parser::new(&allocator, source, source_type.with_jsx(true)).parse().diagnostics.is_empty() {
            return Err(Unfit::Foreign("JSX"));
        }
        let offset = error.labels.first().map_or(0, |label| label.offset() as usize);
        let before = source.get(..offset).unwrap_or_default();
        let line = u32::try_from(before.matches('\n').count()).unwrap_or(u32::MAX).saturating_add(1);
        let column = before.rsplit('\n').next().map_or(0, |rest| rest.chars().count());
        let column = u32::try_from(column).unwrap_or(u32::MAX).saturating_add(1);
        return Err(Unfit::Syntax { message: error.message.to_string(), line, column });
    }
    let program = &parsed.program;
    let scoping = SemanticBuilder::new().build(program).semantic.into_scoping();
    let mut reader = Reader {
        source,
        marks,
        scoping: &scoping,
        probes: Probes::new(source, marks, &scoping),
        edits: Edits::default(),
        imports: BTreeMap::new(),
        requests: Vec::new(),
        functions: 0,
        awaits: false,
        statement_starts: BTreeSet::new(),
    };
    // Placed first, so that it stands before all else; its text is known last.
    let is_module = program.source_type.is_module();
    let head = if is_module { reader.module(program) } else { Head::default() };
    reader.visit_program(program);
    let Reader { probes, mut edits, requests, awaits, .. } = reader;
    let lines = probes.mark(&mut edits, changed, first_mark);
    let start = program.hashbang.as_ref().map_or(0, |hashbang| hashbang.span.end);
    if start > 0 {
        edits.replace(0, start, "");
    }
    edits.close(u32::try_from(source.len()).unwrap_or(u32::MAX), "\n}");
    let mut edited = edits.apply(source);
    let text = if is_module {
        head.text(&marks.prefix, awaits)
    } else {
        "function(exports,require,module,__filename,__dirname){".to_owned()
    };
    edited.put_before(&text);
    Ok(Module { edited, is_module, awaits, requests, lines })
}

/// A text as a JavaScript string.
pub fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

struct Reader<'p> {
    source: &'p str,
    marks: &'p Marks,
    scoping: &'p Scoping,
    probes: Probes<'p>,
    edits: Edits,
    /// Imported names, and what stands for them.
    imports: BTreeMap<SymbolId, String>,
    requests: Vec<(String, Asked)>,
    functions: u32,
    awaits: bool,
    /// Where a parenthesis would be taken for a call of what stands before.
    statement_starts: BTreeSet<u32>,
}

impl Reader<'_> {
    /// What stands for a name that was imported.
    fn stands_for(&self, it: &IdentifierReference<'_>) -> Option<String> {
        let symbol = self.scoping.get_reference(it.reference_id.get()?).symbol_id()?;
        self.imports.get(&symbol).cloned()
    }

    fn is_require(&self, callee: &Expression<'_>) -> bool {
        let Expression::Identifier(it) = callee else { return false };
        let bound = |id| self.scoping.get_reference(id).symbol_id().is_some();
        it.name == "require" && !it.reference_id.get().is_some_and(bound)
    }

    fn request(&mut self, argument: Option<&Expression<'_>>, asked: Asked) {
        let name = match argument {
            Some(Expression::StringLiteral(it)) => it.value.to_string(),
            Some(Expression::TemplateLiteral(it)) if it.expressions.is_empty() => {
                it.quasis.first().and_then(|part| part.value.cooked).map(|text| text.to_string()).unwrap_or_default()
            }
            _ => return,
        };
        self.requests.push((name, asked));
    }

    fn around_loop(&mut self, body: &Statement<'_>, walk: impl FnOnce(&mut Self)) {
        let end = self.probes.loop_body(&mut self.edits, body);
        walk(self);
        self.end(end);
    }

    fn end(&mut self, end: Option<(u32, String)>) {
        if let Some((at, text)) = end {
            self.edits.close(at, text);
        }
    }
}

/// Whether an expression is a call whose value goes nowhere.
fn dropped_call(expression: &Expression<'_>) -> bool {
    match expression {
        Expression::CallExpression(it) => !matches!(it.callee, Expression::Super(_)),
        Expression::NewExpression(_) | Expression::ImportExpression(_) => true,
        Expression::ChainExpression(it) => matches!(it.expression, ChainElement::CallExpression(_)),
        _ => false,
    }
}

impl<'a> Visit<'a> for Reader<'_> {
    fn visit_statements(&mut self, it: &oxc_allocator::Vec<'a, Statement<'a>>) {
        self.probes.list(it);
        for statement in it {
            if let Statement::ExpressionStatement(statement) = statement
                && !dropped_call(&statement.expression)
            {
                self.statement_starts.insert(statement.span.start);
            }
        }
        walk::walk_statements(self, it);
    }

    fn visit_statement(&mut self, it: &Statement<'a>) {
        match it {
            Statement::ImportDeclaration(_)
            | Statement::ExportAllDeclaration(_)
            | Statement::ExportFromDeclaration(_)
            | Statement::ExportNamedDeclaration(_) => {
                self.edits.blank(self.source, it.span().start, it.span().end);
            }
            _ => walk::walk_statement(self, it),
        }
    }

    /// A promise that nobody holds: when it is rejected, nobody will know but us.
    fn visit_expression_statement(&mut self, it: &ExpressionStatement<'a>) {
        if !dropped_call(&it.expression) {
            walk::walk_expression_statement(self, it);
            return;
        }
        let span = it.expression.span();
        self.edits.wrap(span.start, self.marks.framed(&format!("{}U(", self.marks.prefix)));
        walk::walk_expression_statement(self, it);
        self.edits.close(span.end, self.marks.framed(")"));
    }

    fn visit_if_statement(&mut self, it: &IfStatement<'a>) {
        self.probes.alone(&it.consequent);
        if let Some(alternate) = &it.alternate {
            self.probes.alone(alternate);
        }
        walk::walk_if_statement(self, it);
    }

    fn visit_with_statement(&mut self, it: &WithStatement<'a>) {
        self.probes.alone(&it.body);
        walk::walk_with_statement(self, it);
    }

    fn visit_for_statement(&mut self, it: &ForStatement<'a>) {
        self.around_loop(&it.body, |this| walk::walk_for_statement(this, it));
    }

    fn visit_for_in_statement(&mut self, it: &ForInStatement<'a>) {
        self.around_loop(&it.body, |this| walk::walk_for_in_statement(this, it));
    }

    fn visit_for_of_statement(&mut self, it: &ForOfStatement<'a>) {
        self.awaits |= it.r#await && self.functions == 0;
        self.around_loop(&it.body, |this| walk::walk_for_of_statement(this, it));
    }

    fn visit_while_statement(&mut self, it: &WhileStatement<'a>) {
        self.around_loop(&it.body, |this| walk::walk_while_statement(this, it));
    }

    fn visit_do_while_statement(&mut self, it: &DoWhileStatement<'a>) {
        self.around_loop(&it.body, |this| walk::walk_do_while_statement(this, it));
    }

    fn visit_function(&mut self, it: &Function<'a>, flags: ScopeFlags) {
        let end = self.probes.function(&mut self.edits, it);
        self.functions += 1;
        walk::walk_function(self, it, flags);
        self.functions -= 1;
        self.end(end);
    }

    fn visit_arrow_function_expression(&mut self, it: &ArrowFunctionExpression<'a>) {
        let end = self.probes.arrow(&mut self.edits, it);
        self.functions += 1;
        walk::walk_arrow_function_expression(self, it);
        self.functions -= 1;
        self.end(end);
    }

    /// What runs out of memory ends a process elsewhere; here it can be caught, and must not go unseen.
    fn visit_catch_clause(&mut self, it: &CatchClause<'a>) {
        let p = &self.marks.prefix;
        let caught = match it.param.as_ref().map(|param| param.pattern.get_identifier_name()) {
            None => {
                let keyword = it.span.start + u32::try_from("catch".len()).unwrap_or(0);
                self.edits.close(keyword, self.marks.framed(&format!("({p}X)")));
                Some(format!("{p}X"))
            }
            Some(name) => name.map(|name| name.to_string()),
        };
        if let Some(caught) = caught {
            self.edits.open(it.body.span.start + 1, self.marks.framed(&format!("{p}R({caught});")));
        }
        walk::walk_catch_clause(self, it);
    }

    fn visit_await_expression(&mut self, it: &AwaitExpression<'a>) {
        self.awaits |= self.functions == 0;
        walk::walk_await_expression(self, it);
    }

    fn visit_identifier_reference(&mut self, it: &IdentifierReference<'a>) {
        if let Some(value) = self.stands_for(it) {
            self.edits.replace(it.span.start, it.span.end, value);
        }
    }

    fn visit_object_property(&mut self, it: &ObjectProperty<'a>) {
        if let (true, Expression::Identifier(name)) = (it.shorthand, &it.value)
            && let Some(value) = self.stands_for(name)
        {
            self.edits.replace(it.span.start, it.span.end, format!("{}:{value}", name.name));
            return;
        }
        walk::walk_object_property(self, it);
    }

    fn visit_call_expression(&mut self, it: &CallExpression<'a>) {
        let first = it.arguments.first().and_then(Argument::as_expression);
        let resolves = it
            .callee
            .as_member_expression()
            .is_some_and(|member| member.static_property_name() == Some("resolve") && self.is_require(member.object()));
        if resolves || self.is_require(&it.callee) {
            self.request(first, Asked::Require);
        }
        if let Expression::Identifier(callee) = &it.callee
            && let Some(value) = self.stands_for(callee)
        {
            // Called as a function, not as a method of its module.
            let lead = if self.statement_starts.contains(&callee.span.start) { ";" } else { "" };
            self.edits.replace(callee.span.start, callee.span.end, format!("{lead}(0,{value})"));
            self.visit_arguments(&it.arguments);
            return;
        }
        walk::walk_call_expression(self, it);
    }

    fn visit_import_expression(&mut self, it: &ImportExpression<'a>) {
        self.request(Some(&it.source), Asked::Import);
        let keyword = u32::try_from("import".len()).unwrap_or(0);
        self.edits.replace(it.span.start, it.span.start + keyword, format!("{}Y", self.marks.prefix));
        walk::walk_import_expression(self, it);
    }

    fn visit_import_meta(&mut self, it: &ImportMeta) {
        self.edits.replace(it.span.start, it.span.end, format!("{}T", self.marks.prefix));
    }
}

#[cfg(test)]
mod tests;
