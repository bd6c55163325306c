//! A parsed file: the syntax tree with its parents and names, and questions about it.

use oxc_allocator::Allocator;
use oxc_ast::{
    AstKind,
    ast::{
        ArrowFunctionBody, ArrowFunctionExpression, BindingPattern, Expression, FormalParameters, Function,
        IdentifierReference, Program, Statement, VariableDeclarator,
    },
};
use oxc_parser::{ParseOptions, Parser};
use oxc_semantic::{NodeId, Semantic, SemanticBuilder, SymbolId};
use oxc_span::{SourceType, Span};

use crate::style::Style;

/// A file of the repository, parsed.
pub struct Tree<'a> {
    /// Its path in the repository.
    pub path: String,
    /// Its text.
    pub text: &'a str,
    /// Its habits.
    pub style: Style,
    /// The program.
    pub program: &'a Program<'a>,
    semantic: Semantic<'a>,
    line_starts: Vec<usize>,
}

/// A function of any kind.
#[derive(Clone, Copy)]
pub enum Func<'a> {
    /// A declaration, an expression or a method.
    Function(&'a Function<'a>),
    /// An arrow.
    Arrow(&'a ArrowFunctionExpression<'a>),
}

impl<'a> Func<'a> {
    /// The function that an expression is.
    pub fn of(expression: &'a Expression<'a>) -> Option<Self> {
        match expression.get_inner_expression() {
            Expression::FunctionExpression(function) => Some(Self::Function(function)),
            Expression::ArrowFunctionExpression(arrow) => Some(Self::Arrow(arrow)),
            _ => None,
        }
    }

    /// Where it stands.
    pub fn span(self) -> Span {
        match self {
            Self::Function(function) => function.span,
            Self::Arrow(arrow) => arrow.span,
        }
    }

    /// Its node.
    pub fn id(self) -> NodeId {
        match self {
            Self::Function(function) => function.node_id(),
            Self::Arrow(arrow) => arrow.node_id(),
        }
    }

    /// Its parameters.
    pub fn params(self) -> &'a FormalParameters<'a> {
        match self {
            Self::Function(function) => &function.params,
            Self::Arrow(arrow) => &arrow.params,
        }
    }

    /// Whether it is async.
    pub fn is_async(self) -> bool {
        match self {
            Self::Function(function) => function.r#async,
            Self::Arrow(arrow) => arrow.r#async,
        }
    }

    /// Whether it is a generator.
    pub fn is_generator(self) -> bool {
        matches!(self, Self::Function(function) if function.generator)
    }

    /// Its statements; none for an arrow that is an expression.
    pub fn statements(self) -> Option<&'a [Statement<'a>]> {
        match self {
            Self::Function(function) => function.body.as_ref().map(|body| body.statements.as_slice()),
            Self::Arrow(arrow) => match &arrow.body {
                ArrowFunctionBody::FunctionBody(body) => Some(body.statements.as_slice()),
                _ => None,
            },
        }
    }

    /// What an arrow without a body gives.
    pub fn expression(self) -> Option<&'a Expression<'a>> {
        match self {
            Self::Arrow(arrow) => arrow.body.as_expression(),
            Self::Function(_) => None,
        }
    }

    /// Name of the parameter at this place, where it is a plain name.
    pub fn param_name(self, index: usize) -> Option<&'a str> {
        match &self.params().items.get(index)?.pattern {
            BindingPattern::BindingIdentifier(id) => Some(id.name.as_str()),
            _ => None,
        }
    }
}

/// The source type that a path and the project's kind ask for.
pub fn source_type(path: &str, text: &str, package_is_module: bool) -> SourceType {
    let end = path.rsplit('.').next().unwrap_or_default();
    match end {
        "ts" | "mts" => SourceType::ts(),
        "cts" => SourceType::ts().with_commonjs(true),
        "mjs" => SourceType::mjs(),
        "cjs" => SourceType::cjs(),
        _ if package_is_module || looks_like_module(text) => SourceType::mjs(),
        _ => SourceType::cjs(),
    }
}

fn looks_like_module(text: &str) -> bool {
    text.lines().any(|line| {
        line.starts_with("import ") && (line.contains(" from ") || line.contains(['\'', '"']))
            || line.starts_with("export ")
    })
}

impl<'a> Tree<'a> {
    /// Parses a file.
    ///
    /// # Errors
    /// Why it cannot be, with the place.
    pub fn parse(allocator: &'a Allocator, path: &str, text: &'a str, source_type: SourceType) -> Result<Self, String> {
        let options = ParseOptions { allow_return_outside_function: true, ..ParseOptions::default() };
        let parsed = Parser::new(allocator, text, source_type).with_options(options).parse();
        let line_starts: Vec<usize> =
            std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        if parsed.panicked || !parsed.diagnostics.is_empty() {
            let first = parsed.diagnostics.iter().next();
            let what = first.map_or_else(|| "it cannot be parsed".to_owned(), |error| error.message.to_string());
            let at = first
                .and_then(|error| error.labels.first().map(|label| label.offset()))
                .map(|at| line_starts.partition_point(|start| *start <= at as usize));
            let place = at.map_or_else(|| path.to_owned(), |line| format!("{path}:{line}"));
            return Err(format!("{place} does not parse: {what}"));
        }
        let program: &'a Program<'a> = allocator.alloc(parsed.program);
        let semantic = SemanticBuilder::new().with_build_nodes(true).build(program).semantic;
        Ok(Self { path: path.to_owned(), text, style: Style::of(text), program, semantic, line_starts })
    }

    /// The text that a span covers.
    pub fn at(&self, span: Span) -> &'a str {
        self.text.get(span.start as usize..span.end as usize).unwrap_or_default()
    }

    /// The line of an offset, from 1.
    pub fn line_of(&self, offset: usize) -> u32 {
        u32::try_from(self.line_starts.partition_point(|start| *start <= offset)).unwrap_or(u32::MAX)
    }

    /// The bytes of a line, from 1, without its end.
    pub fn line(&self, number: u32) -> Option<(usize, usize)> {
        let index = (number as usize).checked_sub(1)?;
        let start = *self.line_starts.get(index)?;
        let end = self.line_starts.get(index + 1).copied().unwrap_or(self.text.len());
        Some((start, end))
    }

    /// The offset of a column in UTF-16 units, from 1.
    pub fn offset(&self, line: u32, column: u32) -> Option<usize> {
        let (start, end) = self.line(line)?;
        let mut units = 1;
        for (at, c) in self.text.get(start..end)?.char_indices() {
            if units >= column {
                return Some(start + at);
            }
            units += u32::try_from(c.len_utf16()).unwrap_or(1);
        }
        None
    }

    /// The whitespace at the start of the line that holds an offset.
    pub fn indent_at(&self, offset: usize) -> &'a str {
        let (start, end) = self.line(self.line_of(offset)).unwrap_or((0, 0));
        let line = self.text.get(start..end).unwrap_or_default();
        let width = line.len() - line.trim_start_matches([' ', '\t']).len();
        line.get(..width).unwrap_or_default()
    }

    /// Every node.
    pub fn nodes(&self) -> impl Iterator<Item = AstKind<'a>> + '_ {
        self.semantic.nodes().iter().map(|node| node.kind())
    }

    /// The nodes above one, from the inside.
    pub fn above(&self, id: NodeId) -> impl Iterator<Item = AstKind<'a>> + '_ {
        self.semantic.nodes().ancestor_kinds(id)
    }

    /// The node above one.
    pub fn parent(&self, id: NodeId) -> AstKind<'a> {
        self.semantic.nodes().parent_kind(id)
    }

    /// The functions around a node, from the inside.
    pub fn functions_around(&self, id: NodeId) -> Vec<Func<'a>> {
        self.above(id)
            .filter_map(|kind| match kind {
                AstKind::Function(function) => Some(Func::Function(function)),
                AstKind::ArrowFunctionExpression(arrow) => Some(Func::Arrow(arrow)),
                _ => None,
            })
            .collect()
    }

    /// The symbol that a name means; none for a global.
    pub fn symbol(&self, reference: &IdentifierReference<'_>) -> Option<SymbolId> {
        let id = reference.reference_id.get()?;
        self.semantic.scoping().get_reference(id).symbol_id()
    }

    /// Whether this is a name that nothing in the file declares.
    pub fn is_global(&self, reference: &IdentifierReference<'_>) -> bool {
        self.symbol(reference).is_none()
    }

    /// The node that declares a symbol.
    pub fn declaration(&self, symbol: SymbolId) -> AstKind<'a> {
        self.semantic.nodes().kind(self.semantic.scoping().symbol_declaration(symbol))
    }

    /// A symbol's name.
    pub fn name(&self, symbol: SymbolId) -> &str {
        self.semantic.scoping().symbol_name(symbol)
    }

    /// Whether a symbol is assigned to after its declaration.
    pub fn is_mutated(&self, symbol: SymbolId) -> bool {
        self.semantic.scoping().symbol_is_mutated(symbol)
    }

    /// Every use of a symbol, as written.
    pub fn uses(&self, symbol: SymbolId) -> Vec<&'a IdentifierReference<'a>> {
        let scoping = self.semantic.scoping();
        scoping
            .get_resolved_references(symbol)
            .filter_map(|reference| match self.semantic.nodes().kind(reference.node_id()) {
                AstKind::IdentifierReference(identifier) => Some(identifier),
                _ => None,
            })
            .collect()
    }

    /// The declarator of a variable, where the symbol is one with a plain name.
    pub fn declarator(&self, symbol: SymbolId) -> Option<&'a VariableDeclarator<'a>> {
        match self.declaration(symbol) {
            AstKind::VariableDeclarator(declarator) if declarator.id.is_binding_identifier() => Some(declarator),
            _ => None,
        }
    }

    /// The function that a symbol names: a declaration, or a variable that holds one.
    pub fn function_of(&self, symbol: SymbolId) -> Option<Func<'a>> {
        match self.declaration(symbol) {
            AstKind::Function(function) => Some(Func::Function(function)),
            AstKind::VariableDeclarator(declarator) => Func::of(declarator.init.as_ref()?),
            _ => None,
        }
    }

    /// Whether a symbol is declared at the top of the file.
    pub fn is_top_level(&self, symbol: SymbolId) -> bool {
        let scoping = self.semantic.scoping();
        scoping.symbol_scope_id(symbol) == scoping.root_scope_id()
    }

    /// The modules that the file loads, by their names.
    pub fn modules(&self) -> Vec<&'a str> {
        self.nodes()
            .filter_map(|kind| match kind {
                AstKind::ImportDeclaration(it) if it.import_kind.is_value() => Some(it.source.value.as_str()),
                AstKind::CallExpression(it) => it.common_js_require().map(|module| module.value.as_str()),
                _ => None,
            })
            .collect()
    }

    /// Whether the file is an ES module.
    pub fn is_module(&self) -> bool {
        self.program.source_type.is_module()
            || self.program.body.iter().any(|statement| statement.as_module_declaration().is_some())
    }

    /// The statement around a node, with the node above the statement.
    pub fn statement(&self, id: NodeId) -> Option<(AstKind<'a>, AstKind<'a>)> {
        let mut below = self.semantic.nodes().kind(id);
        if is_statement(&below) {
            return Some((below, self.parent(id)));
        }
        for kind in self.above(id) {
            below = kind;
            if is_statement(&below) {
                return Some((below, self.parent(below.node_id())));
            }
        }
        None
    }
}

fn is_statement(kind: &AstKind) -> bool {
    kind.is_statement() || matches!(kind, AstKind::VariableDeclaration(_))
}

/// Whether one span holds another.
pub fn holds(outer: Span, inner: Span) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}

/// The names, numbers and strings that a property is asked for by; none when it is computed.
pub fn property_of(expression: &Expression) -> Option<String> {
    match expression.get_inner_expression() {
        Expression::StaticMemberExpression(member) => Some(member.property.name.to_string()),
        Expression::PrivateFieldExpression(member) => Some(format!("#{}", member.field.name)),
        Expression::ComputedMemberExpression(member) => key_of(&member.expression),
        _ => None,
    }
}

/// The key that a literal is.
pub fn key_of(expression: &Expression) -> Option<String> {
    match expression.get_inner_expression() {
        Expression::StringLiteral(text) => Some(text.value.to_string()),
        Expression::NumericLiteral(number) => Some(number.value.to_string()),
        _ => None,
    }
}

/// What a member expression asks.
pub fn object_of<'a>(expression: &'a Expression<'a>) -> Option<&'a Expression<'a>> {
    expression.get_inner_expression().as_member_expression().map(oxc_ast::ast::MemberExpression::object)
}
