//! A property of nothing was read.

use autodevops_sdk::types::Risk;
use oxc_ast::{AstKind, ast::Expression};
use oxc_semantic::NodeId;
use oxc_span::{GetSpan, Span};

use super::Draft;
use crate::{
    edit::Replace,
    fault::Nothing,
    guard::is_guarded,
    place::Spot,
    probe::{arrange, make_absent},
    shape::Kind,
    testfile::{Deed, Expect, Plan},
    tree::{Func, Tree, key_of, object_of, property_of},
    uses::{Need, Uses, kind_of_chain},
};

/// A read of a property, with what is read of.
#[derive(Clone, Copy)]
pub struct Read<'a> {
    /// The node of the read.
    pub id: NodeId,
    /// The read as a whole.
    pub span: Span,
    /// Where the property's name stands.
    pub property: Span,
    /// What is read of.
    pub object: &'a Expression<'a>,
    /// Whether it is `object[…]`.
    pub computed: bool,
}

/// Every read in a file that is not optional already.
pub fn reads<'t, 'a>(tree: &'t Tree<'a>) -> impl Iterator<Item = (Read<'a>, Option<String>)> + 't {
    tree.nodes().filter_map(|kind| match kind {
        AstKind::StaticMemberExpression(it) if !it.optional => Some((
            Read { id: it.node_id(), span: it.span, property: it.property.span, object: &it.object, computed: false },
            Some(it.property.name.to_string()),
        )),
        AstKind::PrivateFieldExpression(it) if !it.optional => Some((
            Read { id: it.node_id(), span: it.span, property: it.field.span, object: &it.object, computed: false },
            Some(format!("#{}", it.field.name)),
        )),
        AstKind::ComputedMemberExpression(it) if !it.optional => Some((
            Read {
                id: it.node_id(),
                span: it.span,
                property: it.expression.span(),
                object: &it.object,
                computed: true,
            },
            key_of(&it.expression),
        )),
        _ => None,
    })
}

/// The read that failed.
///
/// # Errors
/// When there is none, or several might be meant.
pub fn locate<'a>(tree: &Tree<'a>, spot: &Spot, property: &str) -> Result<Read<'a>, String> {
    let (start, end) = tree.line(spot.line).ok_or_else(|| format!("{} has no line {}", spot.path, spot.line))?;
    let on_line = |read: &Read| (start..end.max(start + 1)).contains(&(read.property.start as usize));
    let mut found: Vec<Read<'a>> = reads(tree)
        .filter(|(read, name)| on_line(read) && name.as_deref() == Some(property))
        .map(|(read, _)| read)
        .collect();
    if found.is_empty() {
        found = reads(tree).filter(|(read, name)| on_line(read) && name.is_none()).map(|(read, _)| read).collect();
    }
    found.retain(|read| may_be_nothing(tree, read.object));
    if let Some(at) = spot.column.and_then(|column| tree.offset(spot.line, column)) {
        let exact =
            found.iter().find(|read| read.property.start as usize == at || read.object.span().end as usize == at);
        if let Some(read) = exact {
            return Ok(*read);
        }
    }
    match found.as_slice() {
        [] => Err(format!("line {} of {} reads no {property}", spot.line, spot.path)),
        [one] => Ok(*one),
        [first, rest @ ..] if rest.iter().all(|read| tree.at(read.object.span()) == tree.at(first.object.span())) => {
            Ok(*first)
        }
        _ => Err(format!(
            "line {} of {} reads {property} in {} places, and the trace does not say in which it failed",
            spot.line,
            spot.path,
            found.len()
        )),
    }
}

/// Whether an expression can be `undefined` or `null` at all.
fn may_be_nothing(tree: &Tree<'_>, expression: &Expression) -> bool {
    match expression.get_inner_expression() {
        Expression::Identifier(name) => {
            !(tree.is_global(name)
                && matches!(
                    name.name.as_str(),
                    "Math"
                        | "JSON"
                        | "Object"
                        | "Array"
                        | "console"
                        | "process"
                        | "Number"
                        | "String"
                        | "Promise"
                        | "module"
                        | "exports"
                ))
        }
        Expression::ThisExpression(_)
        | Expression::StringLiteral(_)
        | Expression::TemplateLiteral(_)
        | Expression::ArrayExpression(_)
        | Expression::ObjectExpression(_)
        | Expression::NumericLiteral(_)
        | Expression::NewExpression(_)
        | Expression::Super(_) => false,
        _ => true,
    }
}

/// What was read of nothing gets a `?.`, and its use a default where it needs one.
pub fn read<'a>(
    tree: &Tree<'a>,
    spot: &Spot,
    read: &Read<'a>,
    property: &str,
    of: Nothing,
) -> Result<Draft<'a>, String> {
    let base = tree.at(read.object.span());
    let mut repaired = repair(tree, read)?;
    for other in others(tree, read) {
        let more = repair(tree, &other)?;
        repaired.edits.extend(more.edits);
        repaired.doubtful |= more.doubtful;
    }
    if repaired.defaulted {
        for other in of_elements(tree, read) {
            repaired.edits.extend(repair(tree, &other)?.edits);
        }
    }
    let goal = read.object.get_inner_expression().span();
    let call = arrange(tree, (read.id, read.span), &[goal], |run, _, value| make_absent(run, value, of))?;
    let name = &call.entry.name;
    let word = if of == Nothing::Null { "null" } else { "undefined" };
    let confidence = if repaired.doubtful { 0.6 } else { 0.9 } * call.confidence;
    let what = short(base.trim_end_matches('!'));
    Ok(Draft {
        title: format!("Read {property} only where {what} is there"),
        root_cause: format!(
            "`{what}` may be {word}, and line {} of {} reads `{property}` of it all the same.",
            spot.line, spot.path
        ),
        confidence,
        risk: if repaired.defaulted || repaired.doubtful { Risk::Medium } else { Risk::Low },
        edits: repaired.edits,
        plan: Plan {
            name: format!("{name} does without {what}"),
            deed: Deed::Call(call),
            expect: Expect::Quiet,
            environment: Vec::new(),
        },
    })
}

/// What was set on nothing is set only where there is something.
pub fn set<'a>(tree: &Tree<'a>, spot: &Spot, property: &str, of: Nothing) -> Result<Draft<'a>, String> {
    let read = locate(tree, spot, property)?;
    let AstKind::AssignmentExpression(assignment) = tree.parent(read.id) else {
        return Err(format!("line {} of {} does not set {property} by an assignment", spot.line, spot.path));
    };
    let AstKind::ExpressionStatement(statement) = tree.parent(assignment.node_id()) else {
        return Err("the assignment is part of another expression".into());
    };
    let base = tree.at(read.object.span());
    if base.contains(['(', '=', '`']) {
        return Err(format!("`{}` cannot be asked twice", short(base)));
    }
    let goal = read.object.get_inner_expression().span();
    let call = arrange(tree, (read.id, read.span), &[goal], |run, _, value| make_absent(run, value, of))?;
    let (start, end) = (statement.span.start as usize, statement.span.end as usize);
    let (indent, step, newline) = (tree.indent_at(start), tree.style.step(), tree.style.newline);
    let what = short(base);
    Ok(Draft {
        title: format!("Set {property} only where {what} is there"),
        root_cause: format!(
            "`{what}` may be missing, and line {} of {} sets `{property}` on it all the same.",
            spot.line, spot.path
        ),
        confidence: 0.7 * call.confidence,
        risk: Risk::Medium,
        edits: vec![
            Replace::insert(start, format!("if ({base}) {{{newline}{indent}{step}")),
            Replace::insert(end, format!("{newline}{indent}}}")),
        ],
        plan: Plan {
            name: format!("{} does without {what}", call.entry.name),
            deed: Deed::Call(call),
            expect: Expect::Quiet,
            environment: Vec::new(),
        },
    })
}

/// A text as it fits into a sentence.
pub fn short(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.chars().count() <= 48 { text } else { format!("{}…", text.chars().take(47).collect::<String>()) }
}

/// Other reads of the same thing in the same function, which would fail next.
fn others<'a>(tree: &Tree<'a>, read: &Read<'a>) -> Vec<Read<'a>> {
    let base = tree.at(read.object.span());
    let Some(function) = tree.functions_around(read.id).into_iter().next() else { return Vec::new() };
    let root = root_symbol(tree, read.object);
    let twin = twin(tree, function, base);
    reads(tree)
        .map(|(other, _)| other)
        .filter(|other| other.span != read.span && crate::tree::holds(function.span(), other.span))
        .filter(|other| {
            let text = tree.at(other.object.span());
            let again = text == base && root_symbol(tree, other.object) == root && other.span.start >= read.span.start;
            again || twin.as_deref() == Some(text)
        })
        .filter(|other| !is_guarded(tree, other.id, other.span.start, tree.at(other.object.span())))
        .collect()
}

/// Reads of an element of the variable that a read's chain is put into: there is none, where the list is empty by default.
fn of_elements<'a>(tree: &Tree<'a>, read: &Read<'a>) -> Vec<Read<'a>> {
    let Ok((top, _)) = chain_top(tree, read.id, read.span) else { return Vec::new() };
    let AstKind::VariableDeclarator(declarator) = tree.parent(top) else { return Vec::new() };
    let Some(list) = declarator.id.get_binding_identifier().and_then(|id| id.symbol_id.get()) else {
        return Vec::new();
    };
    let is_list = |expression: &Expression| {
        expression.get_inner_expression().get_identifier_reference().and_then(|name| tree.symbol(name)) == Some(list)
    };
    let is_element = |expression: &Expression| match expression.get_inner_expression() {
        Expression::CallExpression(call) => {
            matches!(property_of(&call.callee).as_deref(), Some("find" | "findLast" | "pop" | "shift" | "at"))
                && object_of(&call.callee).is_some_and(is_list)
        }
        Expression::ComputedMemberExpression(it) => is_list(&it.object),
        _ => false,
    };
    reads(tree)
        .map(|(other, _)| other)
        .filter(|other| is_element(other.object))
        .filter(|other| !is_guarded(tree, other.id, other.span.start, tree.at(other.object.span())))
        .collect()
}

/// The same of the other element that a comparison is given: `b.meta` where `a.meta` was read.
fn twin(tree: &Tree<'_>, function: Func, base: &str) -> Option<String> {
    let AstKind::CallExpression(call) = tree.parent(function.id()) else { return None };
    if !matches!(property_of(&call.callee).as_deref(), Some("sort" | "toSorted")) {
        return None;
    }
    let (one, other) = (function.param_name(0)?, function.param_name(1)?);
    [(one, other), (other, one)].into_iter().find_map(|(from, to)| {
        let rest = base.strip_prefix(from)?;
        rest.starts_with(['.', '[', '?']).then(|| format!("{to}{rest}"))
    })
}

fn root_symbol(tree: &Tree<'_>, expression: &Expression) -> Option<oxc_semantic::SymbolId> {
    let mut at = expression.get_inner_expression();
    loop {
        at = match at {
            Expression::Identifier(name) => {
                return tree.symbol(name);
            }
            Expression::CallExpression(call) => call.callee.get_inner_expression(),
            Expression::AwaitExpression(it) => it.argument.get_inner_expression(),
            other => other.as_member_expression()?.object().get_inner_expression(),
        };
    }
}

/// A change to one read.
pub struct Repair {
    /// What changes.
    pub edits: Vec<Replace>,
    /// Whether a default came in.
    pub defaulted: bool,
    /// Whether it is not known what becomes of the value.
    pub doubtful: bool,
}

/// Makes a read optional, to the end of its chain.
///
/// # Errors
/// Why that would not do.
pub fn repair(tree: &Tree<'_>, read: &Read<'_>) -> Result<Repair, String> {
    let (top, span) = chain_top(tree, read.id, read.span)?;
    let mut edits = vec![if read.computed {
        Replace::insert(read.object.span().end as usize, "?.")
    } else {
        let from = read.object.span().end as usize;
        let dot = tree.text.get(from..read.property.start as usize).and_then(|between| between.rfind('.'));
        let dot = from + dot.ok_or("the read has no dot")?;
        Replace::insert(dot, "?")
    }];
    let (default, doubtful) = default_for(tree, top, span)?;
    let defaulted = default.is_some();
    if let Some(default) = default {
        edits.extend(with_default(tree, top, span, &default));
    }
    Ok(Repair { edits, defaulted, doubtful })
}

/// The default that the use of a chain needs, and whether that is doubtful.
///
/// # Errors
/// Why no default would do.
pub fn default_for(tree: &Tree<'_>, top: NodeId, span: Span) -> Result<(Option<String>, bool), String> {
    let need = Uses::new(tree).of(top, span);
    let quote = tree.style.quote;
    match &need {
        Need::Unsafe(reason) => Err(format!("`{}` cannot do without a value: {reason}", short(tree.at(span)))),
        Need::Fine if is_result(tree, top) => {
            let kind = expression_at(tree, top)
                .and_then(kind_of_chain)
                .filter(|kind| matches!(kind, Kind::List | Kind::Number | Kind::Text));
            Ok((kind.and_then(|kind| Need::Default(kind).default_text(quote)), false))
        }
        Need::Default(Kind::Sized) => {
            let text = expression_at(tree, top).and_then(kind_of_chain).unwrap_or(Kind::List);
            Ok((Need::Default(text).default_text(quote), false))
        }
        other => Ok((other.default_text(quote), *other == Need::Doubtful)),
    }
}

fn is_result(tree: &Tree<'_>, id: NodeId) -> bool {
    match tree.parent(id) {
        AstKind::ReturnStatement(_) => true,
        AstKind::ArrowFunctionExpression(arrow) => !matches!(tree.parent(arrow.node_id()), AstKind::CallExpression(_)),
        _ => false,
    }
}

fn expression_at<'a>(tree: &Tree<'a>, id: NodeId) -> Option<&'a Expression<'a>> {
    match tree.parent(id) {
        AstKind::ReturnStatement(it) => it.argument.as_ref(),
        AstKind::ArrowFunctionExpression(it) => it.body.as_expression(),
        AstKind::VariableDeclarator(it) => it.init.as_ref(),
        _ => None,
    }
}

/// Puts ` ?? default` behind an expression, in parentheses where the place needs them.
pub fn with_default(tree: &Tree<'_>, id: NodeId, span: Span, default: &str) -> Vec<Replace> {
    let mut span = span;
    let mut parent = tree.parent(id);
    while let AstKind::AwaitExpression(it) = parent {
        span = it.span;
        parent = tree.parent(it.node_id());
    }
    let tight = matches!(
        parent,
        AstKind::BinaryExpression(_)
            | AstKind::UnaryExpression(_)
            | AstKind::LogicalExpression(_)
            | AstKind::StaticMemberExpression(_)
            | AstKind::ComputedMemberExpression(_)
            | AstKind::TSAsExpression(_)
    );
    if tight {
        vec![Replace::insert(span.start as usize, "("), Replace::insert(span.end as usize, format!(" ?? {default})"))]
    } else {
        vec![Replace::insert(span.end as usize, format!(" ?? {default}"))]
    }
}

/// The end of the chain of reads and calls that a read is in.
fn chain_top(tree: &Tree<'_>, id: NodeId, span: Span) -> Result<(NodeId, Span), String> {
    let (mut at, mut reach) = (id, span);
    loop {
        let parent = tree.parent(at);
        let grows = match parent {
            AstKind::StaticMemberExpression(_) | AstKind::PrivateFieldExpression(_) => true,
            AstKind::ComputedMemberExpression(it) => it.object.span() == reach,
            AstKind::CallExpression(it) => it.callee.span() == reach,
            AstKind::TSNonNullExpression(_) => true,
            AstKind::ChainExpression(it) => return Ok((it.node_id(), it.span)),
            AstKind::TaggedTemplateExpression(it) if it.tag.span() == reach => {
                return Err("a template's tag cannot be optional".into());
            }
            AstKind::NewExpression(it) if it.callee.span() == reach => {
                return Err("what `new` makes cannot be optional".into());
            }
            AstKind::AssignmentExpression(it) if it.left.span() == reach => return Err("it is assigned to".into()),
            AstKind::UpdateExpression(_) => return Err("it is assigned to".into()),
            _ => false,
        };
        if !grows {
            return Ok((at, reach));
        }
        at = parent.node_id();
        reach = parent.span();
    }
}
