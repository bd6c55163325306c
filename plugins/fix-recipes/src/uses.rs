//! What becomes of a value: whether the place where it is used can do with `undefined`, and what it would need instead.

mod operand;

use oxc_ast::{
    AstKind,
    ast::{BindingPattern, CallExpression, Expression},
};
use oxc_semantic::{NodeId, SymbolId};
use oxc_span::{GetSpan, Span};
use oxc_syntax::operator::{AssignmentOperator, LogicalOperator, UnaryOperator};

use crate::{
    guard::is_guarded,
    infer::{kind_given_by, kind_with},
    shape::Kind,
    tree::{Func, Tree, object_of, property_of},
};

/// What a place needs where a value is `undefined`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing: `undefined` will do.
    Fine,
    /// Nothing, as far as can be told from here.
    Doubtful,
    /// Another value of this kind.
    Default(Kind),
    /// This value, since the function gives it elsewhere.
    Literal(String),
    /// It cannot do without; the reason.
    Unsafe(String),
}

impl Need {
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Unsafe(reason), _) | (_, Self::Unsafe(reason)) => Self::Unsafe(reason),
            (Self::Fine, need) | (need, Self::Fine) => need,
            (Self::Doubtful, need) | (need, Self::Doubtful) => need,
            (Self::Default(one), Self::Default(other)) if one == other => Self::Default(one),
            (Self::Default(Kind::Sized), Self::Default(kind @ (Kind::Text | Kind::List)))
            | (Self::Default(kind @ (Kind::Text | Kind::List)), Self::Default(Kind::Sized)) => Self::Default(kind),
            (Self::Literal(text), Self::Literal(other)) if text == other => Self::Literal(text),
            _ => Self::Unsafe("the value is used in ways that need different defaults".into()),
        }
    }

    /// The default as JavaScript; none where none is needed.
    pub fn default_text(&self, quote: char) -> Option<String> {
        match self {
            Self::Default(Kind::Text | Kind::Sized) => Some(format!("{quote}{quote}")),
            Self::Default(Kind::Number) => Some("0".into()),
            Self::Default(Kind::Flag) => Some("false".into()),
            Self::Default(Kind::List) => Some("[]".into()),
            Self::Default(Kind::Object) => Some("{}".into()),
            Self::Literal(text) => Some(text.clone()),
            _ => None,
        }
    }
}

/// Follows values to where they are used.
pub struct Uses<'t, 'a> {
    tree: &'t Tree<'a>,
    depth: usize,
}

impl<'t, 'a> Uses<'t, 'a> {
    /// Over a file.
    pub fn new(tree: &'t Tree<'a>) -> Self {
        Self { tree, depth: 0 }
    }

    /// What the place of an expression needs.
    pub fn of(&mut self, id: NodeId, span: Span) -> Need {
        if self.depth > 12 {
            return Need::Doubtful;
        }
        self.depth += 1;
        let need = self.of_inner(id, span);
        self.depth -= 1;
        need
    }

    fn of_inner(&mut self, id: NodeId, span: Span) -> Need {
        let parent = self.tree.parent(id);
        let up = parent.node_id();
        match parent {
            AstKind::ParenthesizedExpression(it) => self.of(up, it.span),
            AstKind::ChainExpression(it) => self.of(up, it.span),
            AstKind::TSNonNullExpression(it) => self.of(up, it.span),
            AstKind::TSAsExpression(it) => self.of(up, it.span),
            AstKind::AwaitExpression(it) => self.of(up, it.span),
            AstKind::ExpressionStatement(_)
            | AstKind::IfStatement(_)
            | AstKind::WhileStatement(_)
            | AstKind::DoWhileStatement(_)
            | AstKind::ForStatement(_)
            | AstKind::ForInStatement(_)
            | AstKind::SwitchStatement(_)
            | AstKind::SwitchCase(_)
            | AstKind::ObjectProperty(_)
            | AstKind::ArrayExpression(_)
            | AstKind::YieldExpression(_)
            | AstKind::AssignmentPattern(_)
            | AstKind::PropertyDefinition(_) => Need::Fine,
            AstKind::UnaryExpression(it) => match it.operator {
                UnaryOperator::UnaryNegation | UnaryOperator::UnaryPlus | UnaryOperator::BitwiseNot => {
                    Need::Default(Kind::Number)
                }
                UnaryOperator::LogicalNot => Need::Doubtful,
                _ => Need::Fine,
            },
            AstKind::BinaryExpression(it) => {
                let is_left = it.left.span() == span;
                self.of_operand(it.operator, is_left, if is_left { &it.right } else { &it.left }, id)
            }
            AstKind::LogicalExpression(it) => {
                let is_left = it.left.span() == span;
                if is_left && it.operator != LogicalOperator::And { Need::Fine } else { self.of(up, it.span) }
            }
            AstKind::ConditionalExpression(it) => {
                if it.test.span() == span {
                    Need::Fine
                } else {
                    self.of(up, it.span)
                }
            }
            AstKind::SequenceExpression(it) => {
                let is_last = it.expressions.last().is_some_and(|last| last.span() == span);
                if is_last { self.of(up, it.span) } else { Need::Fine }
            }
            AstKind::CallExpression(call) => match call.arguments.iter().position(|argument| argument.span() == span) {
                Some(index) => self.of_argument(call, index),
                None => Need::Unsafe("it is called".into()),
            },
            AstKind::NewExpression(made) => {
                self.of_made(made.callee.get_identifier_reference().map(|name| name.name.as_str()))
            }
            AstKind::TemplateLiteral(_) => Need::Default(Kind::Text),
            AstKind::SpreadElement(_) => match self.tree.parent(up) {
                AstKind::ObjectExpression(_) => Need::Fine,
                _ => Need::Default(Kind::List),
            },
            AstKind::VariableDeclarator(it) => self.of_pattern(&it.id),
            AstKind::AssignmentExpression(it) if it.right.span() == span => match it.operator {
                AssignmentOperator::Assign => match it.left.get_identifier_name() {
                    Some(_) => match self.assigned(it) {
                        Some(symbol) => self.of_variable(symbol),
                        None => Need::Doubtful,
                    },
                    None => Need::Fine,
                },
                AssignmentOperator::Addition => Need::Default(Kind::Number),
                AssignmentOperator::LogicalAnd | AssignmentOperator::LogicalOr | AssignmentOperator::LogicalNullish => {
                    Need::Fine
                }
                _ => Need::Default(Kind::Number),
            },
            AstKind::ReturnStatement(_) | AstKind::ArrowFunctionExpression(_) => self.of_result(id),
            AstKind::ForOfStatement(_) => Need::Default(Kind::List),
            AstKind::StaticMemberExpression(it) => self.of_read(it.property.name.as_str(), up, it.span, it.optional),
            AstKind::ComputedMemberExpression(it) if it.object.span() == span => {
                if it.optional {
                    Need::Fine
                } else {
                    Need::Unsafe("it is indexed".into())
                }
            }
            // A key: what is looked up by it is not there, either.
            AstKind::ComputedMemberExpression(it) => match self.of(up, it.span) {
                Need::Fine | Need::Doubtful => Need::Fine,
                _ if it.optional => Need::Fine,
                _ => Need::Unsafe("what is looked up by it is used".into()),
            },
            AstKind::ThrowStatement(_) => Need::Unsafe("it is thrown".into()),
            _ => Need::Unsafe(format!("it is used in a {}", parent.debug_name().split('(').next().unwrap_or("place"))),
        }
    }

    fn assigned(&self, assignment: &oxc_ast::ast::AssignmentExpression<'a>) -> Option<SymbolId> {
        match &assignment.left {
            oxc_ast::ast::AssignmentTarget::AssignmentTargetIdentifier(name) => self.tree.symbol(name),
            _ => None,
        }
    }

    fn of_made(&self, name: Option<&str>) -> Need {
        match name {
            Some("Map" | "Set" | "WeakMap" | "WeakSet" | "Array" | "Error") => Need::Fine,
            Some("URL") => Need::Unsafe("an address is made of it".into()),
            Some("Date") => Need::Unsafe("a date is made of it".into()),
            _ => Need::Doubtful,
        }
    }

    fn of_argument(&mut self, call: &'a CallExpression<'a>, index: usize) -> Need {
        let name = property_of(&call.callee);
        let object = object_of(&call.callee)
            .and_then(|object| object.get_identifier_reference())
            .filter(|object| self.tree.is_global(object))
            .map(|object| object.name.as_str());
        match (object, name.as_deref()) {
            (Some("Math"), Some(_)) => return Need::Default(Kind::Number),
            (Some("console"), _) | (Some("JSON"), Some("stringify")) | (Some("Array"), Some("isArray")) => {
                return Need::Fine;
            }
            (Some("Object"), Some("keys" | "values" | "entries")) => return Need::Default(Kind::Object),
            (Some("JSON"), Some("parse")) => return Need::Unsafe("it is read as JSON".into()),
            (Some("Array"), Some("from")) => return Need::Default(Kind::List),
            (Some("Object"), Some("fromEntries")) => return Need::Default(Kind::List),
            (Some("Object"), Some("assign")) if index > 0 => return Need::Fine,
            (Some("Promise"), Some("all" | "allSettled" | "race" | "any")) => return Need::Default(Kind::List),
            (Some("Buffer"), Some("from")) => return Need::Default(Kind::Text),
            (Some("path"), Some("join" | "resolve" | "basename" | "extname" | "dirname")) => {
                return Need::Default(Kind::Text);
            }
            (
                _,
                Some(
                    "get" | "has" | "includes" | "indexOf" | "delete" | "push" | "set" | "add" | "json" | "send"
                    | "end" | "unshift",
                ),
            ) => {
                return Need::Fine;
            }
            (_, Some("concat")) => return Need::Default(Kind::List),
            (_, Some("localeCompare" | "startsWith" | "endsWith" | "test" | "exec")) => {
                return Need::Default(Kind::Text);
            }
            _ => {}
        }
        let Expression::Identifier(callee) = call.callee.get_inner_expression() else { return Need::Doubtful };
        let Some(symbol) = self.tree.symbol(callee) else {
            return match callee.name.as_str() {
                "String" | "Boolean" => Need::Fine,
                "Number" | "parseInt" | "parseFloat" => Need::Default(Kind::Number),
                "encodeURIComponent" | "decodeURIComponent" | "encodeURI" => Need::Default(Kind::Text),
                _ => Need::Doubtful,
            };
        };
        let Some(function) = self.tree.function_of(symbol) else { return Need::Doubtful };
        match function.params().items.get(index) {
            Some(param) if param.initializer.is_some() => Need::Fine,
            Some(param) => self.of_pattern(&param.pattern),
            None => Need::Fine,
        }
    }

    /// What a pattern needs of what it is given.
    pub fn of_pattern(&mut self, pattern: &'a BindingPattern<'a>) -> Need {
        match pattern {
            BindingPattern::BindingIdentifier(id) => {
                id.symbol_id.get().map_or(Need::Doubtful, |symbol| self.of_variable(symbol))
            }
            BindingPattern::AssignmentPattern(_) => Need::Fine,
            BindingPattern::ObjectPattern(_) => match self.of_parts(pattern) {
                Need::Fine | Need::Doubtful => Need::Default(Kind::Object),
                Need::Unsafe(reason) => Need::Unsafe(reason),
                _ => Need::Unsafe("a part of it is used that would need a default of its own".into()),
            },
            BindingPattern::ArrayPattern(_) => match self.of_parts(pattern) {
                Need::Fine | Need::Doubtful => Need::Default(Kind::List),
                Need::Unsafe(reason) => Need::Unsafe(reason),
                _ => Need::Unsafe("a part of it is used that would need a default of its own".into()),
            },
        }
    }

    /// What the names that a pattern makes need.
    pub fn of_parts(&mut self, pattern: &'a BindingPattern<'a>) -> Need {
        let parts: Vec<&'a BindingPattern<'a>> = match pattern {
            BindingPattern::ObjectPattern(object) => object.properties.iter().map(|property| &property.value).collect(),
            BindingPattern::ArrayPattern(list) => list.elements.iter().flatten().collect(),
            _ => Vec::new(),
        };
        parts.into_iter().fold(Need::Fine, |need, part| match part {
            BindingPattern::AssignmentPattern(_) => need,
            BindingPattern::BindingIdentifier(id) => match id.symbol_id.get() {
                Some(symbol) => need.and(self.of_variable(symbol)),
                None => need,
            },
            _ => Need::Unsafe("its parts are taken apart further".into()),
        })
    }

    /// What the uses of a variable need.
    pub fn of_variable(&mut self, symbol: SymbolId) -> Need {
        if self.depth > 12 {
            return Need::Doubtful;
        }
        self.depth += 1;
        let tree = self.tree;
        let mut need = Need::Fine;
        for name in tree.uses(symbol) {
            if is_written(tree, name.node_id(), name.span)
                || is_guarded(tree, name.node_id(), name.span.start, name.name.as_str())
            {
                continue;
            }
            need = need.and(self.of(name.node_id(), name.span));
        }
        self.depth -= 1;
        need
    }

    /// What reading a property needs of what it is read of.
    fn of_read(&mut self, property: &str, id: NodeId, span: Span, optional: bool) -> Need {
        if optional {
            return Need::Fine;
        }
        if property == "length" {
            return Need::Default(Kind::Sized);
        }
        let parent = self.tree.parent(id);
        let called = matches!(parent, AstKind::CallExpression(call) if call.callee.span() == span);
        if called {
            return match kind_with(property) {
                Some(kind @ (Kind::Text | Kind::List | Kind::Number | Kind::Sized)) => Need::Default(kind),
                _ => Need::Unsafe(format!("{property} is called on it")),
            };
        }
        match self.of(id, span) {
            Need::Fine | Need::Doubtful => Need::Default(Kind::Object),
            Need::Unsafe(reason) => Need::Unsafe(reason),
            _ => Need::Unsafe(format!("its {property} would need a default of its own")),
        }
    }

    /// What those who call the function around need of its result.
    fn of_result(&mut self, id: NodeId) -> Need {
        let Some(function) = self.tree.functions_around(id).into_iter().next() else { return Need::Doubtful };
        if let Some(text) = literal_returned(self.tree, function) {
            return Need::Literal(text);
        }
        let above = self.tree.parent(function.id());
        if let AstKind::CallExpression(call) = above {
            return match property_of(&call.callee).as_deref() {
                Some("sort" | "toSorted") => Need::Default(Kind::Number),
                Some("reduce") => match call.arguments.get(1).and_then(|start| start.as_expression()) {
                    Some(Expression::NumericLiteral(_)) => Need::Default(Kind::Number),
                    Some(Expression::StringLiteral(_)) => Need::Default(Kind::Text),
                    _ => Need::Unsafe("it is added to what was there before".into()),
                },
                Some("map") => self.of_mapped(call),
                Some("flatMap") => Need::Default(Kind::List),
                _ => Need::Fine,
            };
        }
        let Some(symbol) = symbol_of(self.tree, function) else { return Need::Fine };
        let mut need = Need::Fine;
        for name in self.tree.uses(symbol) {
            if let AstKind::CallExpression(call) = self.tree.parent(name.node_id())
                && call.callee.span() == name.span
                && !self.tree.functions_around(call.node_id()).iter().any(|around| around.span() == function.span())
            {
                if function.is_async() && is_settled(self.tree, call) {
                    // What `then` is called on is the promise.
                    need = need.and(Need::Doubtful);
                    continue;
                }
                need = need.and(self.of(call.node_id(), call.span));
            }
        }
        need
    }

    /// `list.map(f).join()` and the like.
    fn of_mapped(&mut self, call: &'a CallExpression<'a>) -> Need {
        let AstKind::StaticMemberExpression(next) = self.tree.parent(call.node_id()) else { return Need::Fine };
        match next.property.name.as_str() {
            "join" => Need::Default(Kind::Text),
            "reduce" => Need::Default(Kind::Number),
            "filter" | "flat" => Need::Fine,
            _ => Need::Doubtful,
        }
    }
}

/// Whether `then` or the like is called on what a call gives.
fn is_settled(tree: &Tree<'_>, call: &CallExpression) -> bool {
    matches!(tree.parent(call.node_id()), AstKind::StaticMemberExpression(member)
        if matches!(member.property.name.as_str(), "then" | "catch" | "finally"))
}

fn is_written(tree: &Tree<'_>, id: NodeId, span: Span) -> bool {
    match tree.parent(id) {
        AstKind::AssignmentExpression(it) => it.left.span() == span && it.operator == AssignmentOperator::Assign,
        _ => false,
    }
}

/// The empty value that a function gives in another place, such as `[]` or `null`.
pub fn literal_returned(tree: &Tree<'_>, function: Func) -> Option<String> {
    tree.nodes().find_map(|kind| {
        let AstKind::ReturnStatement(it) = kind else { return None };
        if !crate::tree::holds(function.span(), it.span)
            || tree.functions_around(it.node_id()).first()?.span() != function.span()
        {
            return None;
        }
        let given = it.argument.as_ref()?;
        let empty = match given.get_inner_expression() {
            Expression::ArrayExpression(list) => list.elements.is_empty(),
            Expression::StringLiteral(_) | Expression::NullLiteral(_) => true,
            Expression::NumericLiteral(number) => number.value == 0.0,
            Expression::BooleanLiteral(flag) => !flag.value,
            Expression::ObjectExpression(object) => object.properties.is_empty(),
            _ => false,
        };
        empty.then(|| tree.at(given.span()).to_owned())
    })
}

/// The name that a function goes by in its file.
pub fn symbol_of(tree: &Tree<'_>, function: Func) -> Option<SymbolId> {
    if let Func::Function(function) = function
        && let Some(id) = &function.id
    {
        return id.symbol_id.get();
    }
    match tree.parent(function.id()) {
        AstKind::VariableDeclarator(declarator) => declarator.id.get_binding_identifier()?.symbol_id.get(),
        _ => None,
    }
}

/// What kind of value a chain of reads and calls gives, by its last part.
pub fn kind_of_chain(expression: &Expression) -> Option<Kind> {
    match expression.get_inner_expression() {
        Expression::CallExpression(call) => kind_given_by(&property_of(&call.callee)?),
        Expression::ChainExpression(chain) => match &chain.expression {
            oxc_ast::ast::ChainElement::CallExpression(call) => kind_given_by(&property_of(&call.callee)?),
            _ => None,
        },
        other => (property_of(other)? == "length").then_some(Kind::Number),
    }
}
