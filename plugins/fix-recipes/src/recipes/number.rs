//! A number's method was called on something else, such as a string from a form.

use autodevops_sdk::types::Risk;
use oxc_ast::{
    AstKind,
    ast::{AssignmentTarget, CallExpression, Expression},
};
use oxc_semantic::{NodeId, SymbolId};
use oxc_span::{GetSpan, Span};
use oxc_syntax::operator::{AssignmentOperator, BinaryOperator};

use super::{Draft, absent::short};
use crate::{
    edit::Replace,
    infer::Value,
    place::Spot,
    probe::arrange,
    testfile::{Deed, Expect, Plan},
    tree::{Func, Tree, object_of, property_of},
};

const METHODS: [&str; 3] = ["toFixed", "toPrecision", "toExponential"];

/// An expression that must be made a number.
struct Operand<'a> {
    id: NodeId,
    expression: &'a Expression<'a>,
}

/// The receiver, or what it was added up from, is made a number.
pub fn draft<'a>(tree: &Tree<'a>, spot: &Spot, callee: Option<&str>) -> Result<Draft<'a>, String> {
    let (call, receiver, method) = locate(tree, spot, callee)?;
    let mut operands = Vec::new();
    sources(tree, receiver, call.node_id(), 0, &mut operands);
    if operands.is_empty() {
        return Err(format!("`{}` is no value that could be text", short(tree.at(receiver.span()))));
    }
    let mut edits = Vec::new();
    for operand in &operands {
        edits.extend(as_number(tree, operand, receiver, call)?);
    }
    let goals: Vec<Span> = operands.iter().map(|operand| operand.expression.get_inner_expression().span()).collect();
    let first = operands.first().map_or((call.node_id(), call.span), |operand| (operand.id, operand.expression.span()));
    let arranged = arrange(tree, first, &goals, |run, _, value| match value {
        Value::Place(place) => {
            run.shape(place).fixed = Some(tree.style.string("12.50"));
            Ok(())
        }
        _ => Err("the value comes from where a test cannot make it text".into()),
    })?;
    let what = short(tree.at(receiver.span()));
    Ok(Draft {
        title: format!("Make {what} a number before {method}"),
        root_cause: format!(
            "`{what}` may come as text, which has no `{method}`; line {} of {} calls it all the same.",
            spot.line, spot.path
        ),
        confidence: 0.85 * arranged.confidence,
        risk: Risk::Low,
        edits,
        plan: Plan {
            name: format!("{} takes a number that comes as text", arranged.entry.name),
            deed: Deed::Call(arranged),
            expect: Expect::Quiet,
            environment: Vec::new(),
        },
    })
}

type Located<'a> = (&'a CallExpression<'a>, &'a Expression<'a>, String);

fn locate<'a>(tree: &Tree<'a>, spot: &Spot, callee: Option<&str>) -> Result<Located<'a>, String> {
    let told = callee.map(|text| text.rsplit('.').next().unwrap_or(text).trim_start_matches('?').to_owned());
    if let Some(name) = &told
        && !METHODS.contains(&name.as_str())
    {
        return Err(format!("no recipe knows what `{}` should have been", callee.unwrap_or_default()));
    }
    let mut found: Vec<(usize, Located<'a>)> = tree
        .nodes()
        .filter_map(|kind| {
            let AstKind::CallExpression(call) = kind else { return None };
            let inner = call.callee.get_inner_expression();
            let name = property_of(inner).filter(|name| METHODS.contains(&name.as_str()))?;
            if told.as_ref().is_some_and(|told| *told != name) {
                return None;
            }
            let object = object_of(inner)?;
            let at = (inner.span().end as usize).saturating_sub(name.len());
            (tree.line_of(at) == spot.line).then_some((at, (call, object, name)))
        })
        .collect();
    let same_text = |text: &str, object: &Expression| {
        let plain = |text: &str| {
            text.chars().filter(|c| !c.is_whitespace() && !matches!(c, '(' | ')' | '?')).collect::<String>()
        };
        text.rsplit_once('.').is_some_and(|(base, _)| {
            base.contains("(intermediate value)") || plain(base) == plain(tree.at(object.span()))
        })
    };
    if found.len() > 1
        && let Some(column) = spot.column.and_then(|column| tree.offset(spot.line, column))
        && let Some(index) = found.iter().position(|(at, _)| *at == column)
    {
        return Ok(found.swap_remove(index).1);
    }
    if found.len() > 1
        && let Some(text) = callee
    {
        found.retain(|(_, (_, object, _))| same_text(text, object));
    }
    match (found.pop(), found.len()) {
        (Some((_, one)), 0) => Ok(one),
        (None, _) => Err(format!("line {} of {} calls no method of a number", spot.line, spot.path)),
        _ => Err(format!(
            "line {} of {} calls it in several places, and the trace does not say in which",
            spot.line, spot.path
        )),
    }
}

/// The expressions whose being text makes the whole text: the whole itself, or what it is added up from.
fn sources<'a>(
    tree: &Tree<'a>,
    expression: &'a Expression<'a>,
    id: NodeId,
    depth: usize,
    found: &mut Vec<Operand<'a>>,
) {
    if depth > 6 {
        return;
    }
    match expression.get_inner_expression() {
        Expression::BinaryExpression(sum) if sum.operator == BinaryOperator::Addition => {
            for side in [&sum.left, &sum.right] {
                sources(tree, side, sum.node_id(), depth + 1, found);
            }
        }
        Expression::NumericLiteral(_) | Expression::BinaryExpression(_) | Expression::UnaryExpression(_) => {}
        Expression::Identifier(name) => {
            let before = found.len();
            if let Some(symbol) = tree.symbol(name) {
                sums(tree, symbol, depth, found);
            }
            if found.len() == before && !is_number(tree, name) {
                found.push(Operand { id, expression });
            }
        }
        Expression::CallExpression(call) => {
            if is_reduce(call) {
                if let Some(function) =
                    call.arguments.first().and_then(|argument| argument.as_expression()).and_then(Func::of)
                {
                    match function.expression().map(Expression::get_inner_expression) {
                        Some(Expression::BinaryExpression(sum)) if sum.operator == BinaryOperator::Addition => {
                            let total = function.param_name(0);
                            for side in [&sum.left, &sum.right] {
                                let is_total = side
                                    .get_identifier_reference()
                                    .is_some_and(|name| Some(name.name.as_str()) == total);
                                if !is_total {
                                    sources(tree, side, sum.node_id(), depth + 1, found);
                                }
                            }
                        }
                        _ => {}
                    }
                }
            } else if !gives_number(call) {
                found.push(Operand { id, expression });
            }
        }
        _ => found.push(Operand { id, expression }),
    }
}

fn is_reduce(call: &CallExpression) -> bool {
    property_of(&call.callee).as_deref() == Some("reduce")
}

fn gives_number(call: &CallExpression) -> bool {
    call.callee
        .get_identifier_reference()
        .is_some_and(|name| matches!(name.name.as_str(), "Number" | "parseInt" | "parseFloat"))
        || object_of(&call.callee).is_some_and(|object| object.is_specific_id("Math"))
}

fn is_number(tree: &Tree<'_>, name: &oxc_ast::ast::IdentifierReference) -> bool {
    let Some(init) = tree.symbol(name).and_then(|symbol| tree.declarator(symbol)).and_then(|it| it.init.as_ref())
    else {
        return false;
    };
    match init.get_inner_expression() {
        Expression::NumericLiteral(_) | Expression::UnaryExpression(_) => true,
        Expression::BinaryExpression(made) => made.operator != BinaryOperator::Addition,
        Expression::CallExpression(call) => gives_number(call),
        _ => false,
    }
}

/// What a variable was added up from: its declaration, and each `+=`.
fn sums<'a>(tree: &Tree<'a>, symbol: SymbolId, depth: usize, found: &mut Vec<Operand<'a>>) {
    if let Some(declarator) = tree.declarator(symbol)
        && let Some(init) = &declarator.init
    {
        let adds = match init.get_inner_expression() {
            Expression::BinaryExpression(sum) => sum.operator == BinaryOperator::Addition,
            Expression::CallExpression(call) => is_reduce(call),
            _ => false,
        };
        if adds {
            sources(tree, init, declarator.node_id(), depth + 1, found);
        }
    }
    for name in tree.uses(symbol) {
        let AstKind::AssignmentExpression(assignment) = tree.parent(name.node_id()) else { continue };
        let AssignmentTarget::AssignmentTargetIdentifier(target) = &assignment.left else { continue };
        if target.span != name.span {
            continue;
        }
        match assignment.operator {
            AssignmentOperator::Addition => sources(tree, &assignment.right, assignment.node_id(), depth + 1, found),
            AssignmentOperator::Assign => {
                if let Expression::BinaryExpression(sum) = assignment.right.get_inner_expression()
                    && sum.operator == BinaryOperator::Addition
                {
                    for side in [&sum.left, &sum.right] {
                        let is_self =
                            side.get_identifier_reference().is_some_and(|side| tree.symbol(side) == Some(symbol));
                        if !is_self {
                            sources(tree, side, sum.node_id(), depth + 1, found);
                        }
                    }
                }
            }
            _ => {}
        }
    }
}

/// `Number(…)` around an operand.
fn as_number<'a>(
    tree: &Tree<'a>,
    operand: &Operand<'a>,
    receiver: &Expression<'a>,
    call: &CallExpression<'a>,
) -> Result<Vec<Replace>, String> {
    let outer = operand.expression;
    let span = outer.span();
    let is_receiver = span == receiver.span();
    let optional = is_receiver
        && (matches!(call.callee.get_inner_expression(), Expression::StaticMemberExpression(member) if member.optional)
            || tree.at(span).contains("?."));
    if optional {
        let base = tree.at(span);
        let (whole, id) = match tree.parent(call.node_id()) {
            AstKind::ChainExpression(chain) => (chain.span, chain.node_id()),
            _ => (call.span, call.node_id()),
        };
        if base.contains(['(', '`']) || !plain_place(tree, id) {
            return Err(format!("`{}` is optional, and cannot be asked twice", short(base)));
        }
        let rest = tree.text.get(span.end as usize..whole.end as usize).unwrap_or_default().trim_start_matches('?');
        return Ok(vec![Replace::range(
            whole.start as usize,
            whole.end as usize,
            format!("({base} == null ? undefined : Number({base}){rest})"),
        )]);
    }
    if matches!(outer, Expression::ParenthesizedExpression(_)) {
        return Ok(vec![Replace::insert(span.start as usize, "Number")]);
    }
    Ok(vec![Replace::insert(span.start as usize, "Number("), Replace::insert(span.end as usize, ")")])
}

fn plain_place(tree: &Tree<'_>, id: NodeId) -> bool {
    !matches!(tree.parent(id), AstKind::StaticMemberExpression(_) | AstKind::CallExpression(_))
        || matches!(tree.parent(id), AstKind::CallExpression(call) if call.arguments.iter().any(|argument| matches!(argument.as_expression(), Some(Expression::ChainExpression(chain)) if chain.node_id() == id)))
}
