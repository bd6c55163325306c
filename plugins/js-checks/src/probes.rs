//! What is put into code so that it can be stopped and watched: a count of steps in loops and functions, a count of calls
//! that are open, and marks on the statements whose execution is asked about.
//!
//! Builtins cannot be watched so: a regular expression that backtracks for ever is ended by the host, with the whole call.

use std::collections::{BTreeMap, BTreeSet};

use oxc_ast::ast::{
    ArrowFunctionExpression, CallExpression, Class, Declaration, Directive, ExportDefaultDeclarationKind, Function,
    FunctionBody, NewExpression, Statement, TaggedTemplateExpression,
};
use oxc_ast_visit::{Visit, walk};
use oxc_semantic::Scoping;
use oxc_span::{GetSpan, Span};
use oxc_syntax::scope::ScopeFlags;

use crate::{changes::says_something, edits::Edits};

/// Most calls that may be open at once. The sandbox's stack holds twice as many plain ones; calls by builtins such as `map` need
/// more of it.
const MAX_OPEN_CALLS: u32 = 900;

/// Names that the code of a program does not use, and the text of what is put into it.
#[derive(Clone, Debug)]
pub struct Marks {
    /// What all the names begin with.
    pub prefix: String,
}

impl Marks {
    /// Names that are in none of the sources.
    pub fn unused_in<'s>(sources: impl Iterator<Item = &'s str> + Clone) -> Self {
        let mut prefix = "__ad".to_owned();
        let mut round = 0;
        while sources.clone().any(|source| source.contains(&prefix)) {
            round += 1;
            prefix = format!("__ad{round}_");
        }
        Self { prefix }
    }

    /// What is put in, between comments, by which the harness takes it out of functions' texts.
    pub fn framed(&self, text: &str) -> String {
        format!("/*{p}<*/{text}/*{p}>*/", p = self.prefix)
    }

    fn step(&self) -> String {
        self.framed(&format!("if(--{p}N<0){p}N={p}M(!1);", p = self.prefix))
    }

    fn call(&self) -> String {
        self.framed(&format!(
            "try{{if(++{p}D>{MAX_OPEN_CALLS}||--{p}N<0){p}N={p}M({p}D>{MAX_OPEN_CALLS});",
            p = self.prefix
        ))
    }

    fn call_end(&self) -> String {
        self.framed(&format!("}}finally{{--{}D}}", self.prefix))
    }
}

/// A statement, or an arrow function's expression, that can be marked.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    span: Span,
    /// End of what belongs to it alone: a compound statement's head.
    head: u32,
    form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Stands in a list of statements.
    Listed,
    /// Stands alone, as after `if (x)`.
    Alone,
    /// Is an arrow function's body.
    Expression,
}

/// Collects what a statement is, for marks, and puts counts into loops and functions.
pub struct Probes<'p> {
    source: &'p str,
    marks: &'p Marks,
    scoping: &'p Scoping,
    places: Vec<Place>,
}

impl<'p> Probes<'p> {
    /// Nothing put in yet.
    pub fn new(source: &'p str, marks: &'p Marks, scoping: &'p Scoping) -> Self {
        Self { source, marks, scoping, places: Vec::new() }
    }

    /// Takes note of the statements of a list.
    pub fn list(&mut self, statements: &[Statement<'_>]) {
        for statement in statements {
            self.place(statement, Form::Listed);
        }
    }

    /// Takes note of a statement that stands alone, such as an `if`'s.
    pub fn alone(&mut self, statement: &Statement<'_>) {
        if !matches!(statement, Statement::BlockStatement(_)) {
            self.place(statement, Form::Alone);
        }
    }

    /// A loop's body begins; tells what to give to [`Self::close`] after it.
    pub fn loop_body(&mut self, edits: &mut Edits, body: &Statement<'_>) -> Option<(u32, String)> {
        if let Statement::BlockStatement(block) = body {
            edits.open(block.span.start + 1, self.marks.step());
            return None;
        }
        self.place(body, Form::Listed);
        edits.open(body.span().start, self.marks.framed("{") + &self.marks.step());
        Some((body.span().end, self.marks.framed("}")))
    }

    /// A function's body begins.
    pub fn function(&mut self, edits: &mut Edits, it: &Function<'_>) -> Option<(u32, String)> {
        let body = it.body.as_ref()?;
        let counts = !it.r#async && !it.generator;
        self.body(edits, body, counts)
    }

    /// An arrow function's body begins.
    pub fn arrow(&mut self, edits: &mut Edits, it: &ArrowFunctionExpression<'_>) -> Option<(u32, String)> {
        if let Some(body) = it.body.as_function_body() {
            return self.body(edits, body, !it.r#async);
        }
        let expression = it.body.as_expression()?;
        let span = expression.span();
        let mut calls = Calls(false);
        calls.visit_expression(expression);
        let end = if calls.0 && !it.r#async {
            edits.open(span.start, self.marks.framed("{") + &self.marks.call() + &self.marks.framed("return "));
            self.marks.call_end() + &self.marks.framed("}")
        } else {
            let p = &self.marks.prefix;
            edits.open(span.start, self.marks.framed(&format!("(--{p}N<0&&({p}N={p}M(!1)),")));
            self.marks.framed(")")
        };
        self.places.push(Place { span, head: span.end, form: Form::Expression });
        Some((span.end, end))
    }

    fn body(&mut self, edits: &mut Edits, body: &FunctionBody<'_>, counts: bool) -> Option<(u32, String)> {
        let mut calls = Calls(false);
        calls.visit_function_body(body);
        let counts = counts && calls.0 && !self.declares_twice(body);
        let (at, lead) = after_directives(self.source, body.span.start + 1, &body.directives);
        if !counts {
            edits.open(at, lead.to_owned() + &self.marks.step());
            return None;
        }
        edits.open(at, lead.to_owned() + &self.marks.call());
        Some((body.span.end - 1, self.marks.call_end()))
    }

    /// A function beside a variable or parameter of the same name is well in a function, but not in the block that the count
    /// puts around it.
    fn declares_twice(&self, body: &FunctionBody<'_>) -> bool {
        body.statements.iter().any(|statement| match statement {
            Statement::FunctionDeclaration(function) => function
                .id
                .as_ref()
                .and_then(|id| id.symbol_id.get())
                .is_none_or(|symbol| !self.scoping.symbol_redeclarations(symbol).is_empty()),
            _ => false,
        })
    }

    fn place(&mut self, statement: &Statement<'_>, form: Form) {
        let span = statement.span();
        let head = match statement {
            Statement::EmptyStatement(_)
            | Statement::BlockStatement(_)
            | Statement::FunctionDeclaration(_)
            | Statement::ImportDeclaration(_)
            | Statement::ExportAllDeclaration(_)
            | Statement::ExportNamedDeclaration(_)
            | Statement::ExportFromDeclaration(_) => return,
            Statement::ExportDeclaration(it) => match &it.declaration {
                Declaration::FunctionDeclaration(_) => return,
                Declaration::ClassDeclaration(_) => span.start,
                _ => span.end,
            },
            Statement::ExportDefaultDeclaration(it) => match &it.declaration {
                ExportDefaultDeclarationKind::FunctionDeclaration(_) => return,
                ExportDefaultDeclarationKind::ClassDeclaration(_) => span.start,
                _ => span.end,
            },
            Statement::IfStatement(it) => it.test.span().end,
            Statement::ForStatement(it) => it.body.span().start,
            Statement::ForInStatement(it) => it.body.span().start,
            Statement::ForOfStatement(it) => it.body.span().start,
            Statement::WhileStatement(it) => it.test.span().end,
            Statement::WithStatement(it) => it.object.span().end,
            Statement::SwitchStatement(it) => it.discriminant.span().end,
            Statement::TryStatement(_)
            | Statement::DoWhileStatement(_)
            | Statement::LabeledStatement(_)
            | Statement::ClassDeclaration(_) => span.start,
            _ => span.end,
        };
        self.places.push(Place { span, head, form });
    }

    /// Marks the places that changed lines belong to; gives the lines that can be executed, each with the marks any of which
    /// shows that it was.
    pub fn mark(self, edits: &mut Edits, changed: &BTreeSet<u32>, first_mark: u32) -> BTreeMap<u32, Vec<u32>> {
        let lines = LineTable::new(self.source);
        let spans: Vec<(u32, u32)> =
            self.places.iter().map(|place| (lines.line(place.span.start), lines.line(place.head))).collect();
        let mut wanted: BTreeMap<usize, u32> = BTreeMap::new();
        let mut marks = BTreeMap::new();
        for &line in changed {
            if !self.source.split('\n').nth(line as usize - 1).is_some_and(says_something) {
                continue;
            }
            let mut places: Vec<usize> =
                spans.iter().enumerate().filter(|(_, (start, _))| *start == line).map(|(index, _)| index).collect();
            if places.is_empty() {
                // The innermost one that the line is a part of.
                let around = spans.iter().enumerate().filter(|(_, (start, end))| (*start..=*end).contains(&line));
                places.extend(around.max_by_key(|(index, _)| self.places[*index].span.start).map(|(index, _)| index));
            }
            if places.is_empty() {
                continue;
            }
            let numbers = places.into_iter().map(|place| {
                let next = first_mark + u32::try_from(wanted.len()).unwrap_or(u32::MAX);
                *wanted.entry(place).or_insert(next)
            });
            marks.insert(line, numbers.collect());
        }
        let p = &self.marks.prefix;
        for (&index, number) in &wanted {
            let place = self.places[index];
            let text = match place.form {
                Form::Listed => self.marks.framed(&format!("{p}C[{number}]=1;")),
                Form::Alone => self.marks.framed(&format!("{{{p}C[{number}]=1;")),
                Form::Expression => self.marks.framed(&format!("{p}C[{number}]=1,")),
            };
            edits.open(place.span.start, text);
        }
        for &index in wanted.keys().rev() {
            if self.places[index].form == Form::Alone {
                edits.close(self.places[index].span.end, self.marks.framed("}"));
            }
        }
        marks
    }
}

/// Where to go on after a body's directives, and what has to come first there.
pub fn after_directives(source: &str, start: u32, directives: &[Directive<'_>]) -> (u32, &'static str) {
    match directives.last() {
        None => (start, ""),
        Some(last) if source.as_bytes().get(last.span.end as usize - 1) == Some(&b';') => (last.span.end, ""),
        Some(last) => (last.span.end, ";"),
    }
}

/// Whether something is called, functions inside left out.
struct Calls(bool);

impl<'a> Visit<'a> for Calls {
    fn visit_call_expression(&mut self, _: &CallExpression<'a>) {
        self.0 = true;
    }
    fn visit_new_expression(&mut self, _: &NewExpression<'a>) {
        self.0 = true;
    }
    fn visit_tagged_template_expression(&mut self, _: &TaggedTemplateExpression<'a>) {
        self.0 = true;
    }
    fn visit_class(&mut self, _: &Class<'a>) {
        self.0 = true;
    }
    fn visit_function(&mut self, _: &Function<'a>, _: ScopeFlags) {}
    fn visit_arrow_function_expression(&mut self, _: &ArrowFunctionExpression<'a>) {}
    fn visit_statement(&mut self, it: &Statement<'a>) {
        if !self.0 {
            walk::walk_statement(self, it);
        }
    }
}

/// Lines of offsets.
struct LineTable(Vec<u32>);

impl LineTable {
    fn new(source: &str) -> Self {
        Self(source.match_indices('\n').filter_map(|(at, _)| u32::try_from(at).ok()).collect())
    }

    /// The line, from 1, that an offset is in.
    fn line(&self, offset: u32) -> u32 {
        u32::try_from(self.0.partition_point(|at| *at < offset)).unwrap_or(u32::MAX).saturating_add(1)
    }
}
