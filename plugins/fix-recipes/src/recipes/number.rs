//! A number's method was called on something else, such as a string from a form.

use autodevops_sdk::types::Risk;
use oxc_ast::{
    AstKind,
    ast::{AssignmentTarget, CallExpression, Expression, Statement},
};
use oxc_semantic::{NodeId, SymbolId};
use oxc_span::{GetSpan, Span};
use oxc_syntax::operator::{AssignmentOperator, BinaryOperator};

use super::{Draft, absent::short};
use crate::{
    edit::Replace,
    infer::{Value, kind_with},
    place::Spot,
    probe::arrange,
    shape::Kind,
    testfile::{Deed, Expect, Plan},
    tree::{Func, Tree, object_of, property_of},
};

/// What a method asks for, where the value may be of another kind.
struct Wanted {
    /// The kind.
    kind: Kind,
    /// What makes one of a value.
    maker: &'static str,
    /// What the root cause and the test call it.
    noun: &'static str,
    /// What the value came as.
    came: &'static str,
    /// A value of the wrong kind, as JavaScript but for its quotes.
    sample: &'static str,
}

impl Wanted {
    fn by(method: &str) -> Option<Self> {
        Some(match kind_with(method)? {
            kind @ Kind::Number => Self { kind, maker: "Number", noun: "a number", came: "text", sample: "12.50" },
            kind @ Kind::Text => Self { kind, maker: "String", noun: "text", came: "a number", sample: "12" },
            kind @ Kind::Date => {
                Self { kind, maker: "new Date", noun: "a date", came: "text", sample: "2024-05-17T09:30:00Z" }
            }
            _ => return None,
        })
    }
}

/// An expression that must be made a number.
struct Operand<'a> {
    id: NodeId,
    expression: &'a Expression<'a>,
}

/// The receiver, or what it was added up from, is made a number.
pub fn draft<'a>(tree: &Tree<'a>, spot: &Spot, callee: Option<&str>) -> Result<Draft<'a>, String> {
    let (call, receiver, method) = locate(tree, spot, callee)?;
    let wanted = Wanted::by(&method).ok_or("it is no method of a number, of text or of a date")?;
    let mut operands = Vec::new();
    if wanted.kind == Kind::Number {
        sources(tree, receiver, call.node_id(), 0, &mut operands);
    } else if !matches!(receiver.get_inner_expression(), Expression::BinaryExpression(_)) {
        operands.push(Operand { id: call.node_id(), expression: receiver });
    }
    if operands.is_empty() {
        return Err(format!("`{}` is no value that could be text", short(tree.at(receiver.span()))));
    }
    let mut edits = Vec::new();
    for operand in &operands {
        edits.extend(converted(tree, operand, receiver, call, wanted.maker)?);
    }
    let goals: Vec<Span> = operands.iter().map(|operand| operand.expression.get_inner_expression().span()).collect();
    let first = operands.first().map_or((call.node_id(), call.span), |operand| (operand.id, operand.expression.span()));
    let sample = if wanted.kind == Kind::Text { wanted.sample.to_owned() } else { tree.style.string(wanted.sample) };
    let mut environment = Vec::new();
    let arranged = arrange(tree, first, &goals, |run, _, value| match value {
        Value::Place(place) | Value::Part(place) => {
            run.shape(place).fixed = Some(sample.clone());
            Ok(())
        }
        Value::Environment(name) if wanted.kind == Kind::Number => {
            environment.push((name.clone(), Some(wanted.sample.to_owned())));
            Ok(())
        }
        _ => Err("the value comes from where a test cannot make it so".into()),
    })?;
    environment.dedup();
    let what = short(tree.at(receiver.span()));
    Ok(Draft {
        title: format!("Make {what} {} before {method}", wanted.noun),
        root_cause: format!(
            "`{what}` may come as {}, which has no `{method}`; line {} of {} calls it all the same.",
            wanted.came, spot.line, spot.path
        ),
        confidence: if wanted.kind == Kind::Number { 0.85 } else { 0.7 } * arranged.confidence,
        risk: Risk::Low,
        edits,
        plan: Plan {
            name: format!("{} takes {} that comes as {}", arranged.entry.name, wanted.noun, wanted.came),
            deed: Deed::Call(arranged),
            expect: Expect::Quiet,
            environment,
        },
    })
}

type Located<'a> = (&'a CallExpression<'a>, &'a Expression<'a>, String);

fn locate<'a>(tree: &Tree<'a>, spot: &Spot, callee: Option<&str>) -> Result<Located<'a>, String> {
    let told = callee.map(|text| text.rsplit('.').next().unwrap_or(text).trim_start_matches('?').to_owned());
    if let Some(name) = &told
        && Wanted::by(name).is_none()
    {
        return Err(format!("no recipe knows what `{}` should have been", callee.unwrap_or_default()));
    }
    let mut found: Vec<(usize, Located<'a>)> = tree
        .nodes()
        .filter_map(|kind| {
            let AstKind::CallExpression(call) = kind else { return None };
            let inner = call.callee.get_inner_expression();
            let name = property_of(inner).filter(|name| Wanted::by(name).is_some())?;
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
        (None, _) => {
            Err(format!("line {} of {} calls no method of a number, of text or of a date", spot.line, spot.path))
        }
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
            } else if let Some(result) = own_result(tree, call) {
                sources(tree, result, call.node_id(), depth + 1, found);
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

/// The sum that a function of the file gives, where it is called by name and does nothing else.
fn own_result<'a>(tree: &Tree<'a>, call: &CallExpression<'a>) -> Option<&'a Expression<'a>> {
    let function = tree.function_of(tree.symbol(call.callee.get_identifier_reference()?)?)?;
    let given = match (function.expression(), function.statements()) {
        (Some(expression), _) => expression,
        (None, Some([Statement::ReturnStatement(only)])) => only.argument.as_ref()?,
        _ => return None,
    };
    let adds = match given.get_inner_expression() {
        Expression::BinaryExpression(sum) => sum.operator == BinaryOperator::Addition,
        Expression::CallExpression(inner) => is_reduce(inner),
        _ => false,
    };
    (adds && !function.is_async()).then_some(given)
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
            Expression::CallExpression(call) => is_reduce(call) || own_result(tree, call).is_some(),
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

/// `Number(…)` around an operand, or what else makes it what is wanted.
fn converted<'a>(
    tree: &Tree<'a>,
    operand: &Operand<'a>,
    receiver: &Expression<'a>,
    call: &CallExpression<'a>,
    maker: &str,
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
            format!("({base} == null ? undefined : {maker}({base}){rest})"),
        )]);
    }
    if matches!(outer, Expression::ParenthesizedExpression(_)) {
        return Ok(vec![Replace::insert(span.start as usize, maker)]);
    }
    Ok(vec![Replace::insert(span.start as usize, format!("{maker}(")), Replace::insert(span.end as usize, ")")])
}

fn plain_place(tree: &Tree<'_>, id: NodeId) -> bool {
    !matches!(tree.parent(id), AstKind::StaticMemberExpression(_) | AstKind::CallExpression(_))
        || matches!(tree.parent(id), AstKind::CallExpression(call) if call.arguments.iter().any(|argument| matches!(argument.as_expression(), Some(Expression::ChainExpression(chain)) if chain.node_id() == id)))
}
