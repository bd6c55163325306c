//! `JSON.parse` was given text that is no JSON.

mod writer;

use autodevops_sdk::types::Risk;
use oxc_ast::{
    AstKind,
    ast::{AssignmentTarget, CallExpression, Expression, Statement},
};
use oxc_span::{GetSpan, Span};

use super::{Draft, absent::short};
use crate::{
    infer::Value,
    place::Spot,
    probe::arrange,
    shape::Step,
    testfile::{Deed, Expect, Plan},
    tree::{Func, Tree, holds, object_of, property_of},
    uses::{Need, Uses, literal_returned, symbol_of},
};

use writer::Writer;

const NOT_JSON: &str = "{not json";

/// Bad text is answered, or a fallback takes its place; either way it is said.
pub fn draft<'a>(tree: &Tree<'a>, spot: &Spot) -> Result<Draft<'a>, String> {
    let call = locate(tree, spot)?;
    let functions = tree.functions_around(call.node_id());
    let Some(function) = functions.first().copied() else {
        return Err("the text is read while the file is loaded; a fallback would hide that".into());
    };
    caught_already(tree, call, function)?;
    let given =
        call.arguments.first().and_then(|argument| argument.as_expression()).ok_or("JSON.parse is given nothing")?;
    let source = source_of(tree, given)
        .ok_or_else(|| format!("where `{}` comes from is not known", short(tree.at(given.span()))))?;
    let answer = answer(tree, function);
    let fallback = fallback(tree, call, function, answer.is_some());
    let writer = Writer { tree, call, function, answer, fallback };
    let edits = writer.edits()?;
    // The parameter that answers is a goal too: it must have what the answer calls.
    let told = writer.answer.as_ref().and_then(|answer| answer.param.as_deref());
    let params = function.params();
    let answering = (0..params.items.len())
        .find(|index| told.is_some() && function.param_name(*index) == told)
        .and_then(|index| params.items.get(index))
        .map(|param| param.pattern.span());
    let goal = source.get_inner_expression().span();
    let goals: Vec<Span> = std::iter::once(goal).chain(answering).collect();
    let mut environment = Vec::new();
    let arranged = arrange(tree, (call.node_id(), call.span), &goals, |run, span, value| match value {
        Value::Place(place) if span != goal => {
            for call in writer.answer.iter().flat_map(|answer| &answer.calls) {
                let steps = call.iter().flat_map(|name| [Step::Property((*name).to_owned()), Step::Call]);
                let place = steps.fold(place.clone(), |place, step| place.then(step));
                run.shape(&place);
            }
            Ok(())
        }
        Value::Place(place) | Value::Part(place) => {
            run.shape(place).fixed = Some(tree.style.string(NOT_JSON));
            Ok(())
        }
        Value::Environment(name) => {
            environment.push((name.clone(), Some(NOT_JSON.to_owned())));
            Ok(())
        }
        _ => Err("the text comes from where a test cannot choose it".into()),
    })?;
    let what = short(tree.at(given.span()));
    let answered = writer.answer.is_some();
    environment.dedup();
    Ok(Draft {
        title: if answered {
            format!("Answer 400 where {what} is no JSON")
        } else {
            format!("Go on where {what} is no JSON")
        },
        root_cause: format!(
            "`{what}` comes from outside and need not be JSON; line {} of {} reads it with nothing to catch the error.",
            spot.line, spot.path
        ),
        confidence: if answered { 0.85 } else { 0.7 } * arranged.confidence,
        risk: if answered { Risk::Low } else { Risk::Medium },
        edits,
        plan: Plan {
            name: format!("{} copes with text that is no JSON", arranged.entry.name),
            deed: Deed::Call(arranged),
            expect: Expect::Quiet,
            environment,
        },
    })
}

fn is_parse(call: &CallExpression) -> bool {
    property_of(&call.callee).as_deref() == Some("parse")
        && object_of(&call.callee).is_some_and(|object| object.is_specific_id("JSON"))
}

fn locate<'a>(tree: &Tree<'a>, spot: &Spot) -> Result<&'a CallExpression<'a>, String> {
    let mut found: Vec<&'a CallExpression<'a>> = tree
        .nodes()
        .filter_map(|kind| match kind {
            AstKind::CallExpression(call) if is_parse(call) => Some(call),
            _ => None,
        })
        .filter(|call| {
            (tree.line_of(call.span.start as usize)..=tree.line_of(call.span.end as usize)).contains(&spot.line)
        })
        .collect();
    if found.len() > 1
        && let Some(at) = spot.column.and_then(|column| tree.offset(spot.line, column))
    {
        found.retain(|call| {
            let callee = call.callee.span();
            (callee.start as usize..=callee.end as usize).contains(&at)
        });
    }
    match found.as_slice() {
        [one] => Ok(one),
        [] => Err(format!("line {} of {} calls no JSON.parse", spot.line, spot.path)),
        _ => Err(format!("line {} of {} calls JSON.parse more than once", spot.line, spot.path)),
    }
}

fn caught_already(tree: &Tree<'_>, call: &CallExpression, function: Func) -> Result<(), String> {
    for kind in tree.above(call.node_id()) {
        if kind.span() == function.span() {
            break;
        }
        if let AstKind::TryStatement(it) = kind
            && it.handler.is_some()
            && holds(it.block.span, call.span)
        {
            return Err(format!("the error is caught already, in line {}", tree.line_of(it.span.start as usize)));
        }
    }
    Ok(())
}

/// The part of an expression that the text comes from.
fn source_of<'a>(tree: &Tree<'a>, expression: &'a Expression<'a>) -> Option<&'a Expression<'a>> {
    match expression.get_inner_expression() {
        Expression::Identifier(name) => (!tree.is_global(name)).then_some(expression),
        Expression::CallExpression(call) => {
            let object = object_of(&call.callee);
            let method = property_of(&call.callee).unwrap_or_default();
            let transforms = matches!(
                method.as_str(),
                "toString"
                    | "trim"
                    | "slice"
                    | "substring"
                    | "replace"
                    | "replaceAll"
                    | "from"
                    | "decode"
                    | "toLowerCase"
            );
            if transforms {
                object
                    .and_then(|object| source_of(tree, object))
                    .or_else(|| call.arguments.iter().find_map(|argument| source_of(tree, argument.as_expression()?)))
            } else if call
                .callee
                .get_identifier_reference()
                .is_some_and(|name| tree.is_global(name) || is_own_decoder(tree, name))
            {
                call.arguments.iter().find_map(|argument| source_of(tree, argument.as_expression()?))
            } else {
                Some(expression)
            }
        }
        Expression::AwaitExpression(it) => source_of(tree, &it.argument).map(|source| {
            if matches!(source.get_inner_expression(), Expression::CallExpression(_)) { expression } else { source }
        }),
        Expression::LogicalExpression(it) => source_of(tree, &it.left),
        Expression::TemplateLiteral(it) => it.expressions.first().and_then(|first| source_of(tree, first)),
        Expression::BinaryExpression(it) => source_of(tree, &it.left).or_else(|| source_of(tree, &it.right)),
        Expression::ChainExpression(_) => Some(expression),
        other if other.is_member_expression() => Some(expression),
        _ => None,
    }
}

/// Whether a function of the file makes text of what it is given, such as by decoding it.
fn is_own_decoder(tree: &Tree<'_>, name: &oxc_ast::ast::IdentifierReference) -> bool {
    let function = tree.symbol(name).and_then(|symbol| tree.function_of(symbol));
    function.is_some_and(|function| {
        !function.is_async() && tree.at(function.span()).contains("base64") && function.params().items.len() == 1
    })
}

/// How a function that answers requests says that one was bad; each line a statement without its end.
fn answer(tree: &Tree<'_>, function: Func) -> Option<Answer> {
    let text = tree.at(function.span());
    let message = tree.style.string("invalid JSON");
    let params = function.params().items.len();
    for index in 0..params {
        let Some(name) = function.param_name(index) else { continue };
        let made = |lines: Vec<String>, calls: &[&[&'static str]]| {
            Some(Answer {
                lines,
                param: Some(name.to_owned()),
                calls: calls.iter().map(|call| call.to_vec()).collect(),
            })
        };
        let has = |part: &str| text.contains(&format!("{name}.{part}"));
        if has("code(") && has("send(") {
            return made(
                vec![format!("{name}.code(400).send({{ error: {message} }})"), "return".into()],
                &[&["code", "send"]],
            );
        }
        if !matches!(name, "res" | "response") {
            continue;
        }
        if has("writeHead(") {
            let lines = vec![format!("{name}.writeHead(400)"), format!("{name}.end({message})"), "return".into()];
            return made(lines, &[&["writeHead"], &["end"]]);
        }
        if has("statusCode") {
            return made(
                vec![format!("{name}.statusCode = 400"), format!("{name}.end({message})"), "return".into()],
                &[&["end"]],
            );
        }
        if has("status(") || has("json(") {
            return made(
                vec![format!("{name}.status(400).json({{ error: {message} }})"), "return".into()],
                &[&["status", "json"]],
            );
        }
        if has("send(") {
            return made(vec![format!("{name}.status(400).send({message})"), "return".into()], &[&["status", "send"]]);
        }
    }
    let lambda = text.contains("return { statusCode:") || text.contains("return {\n") && text.contains("statusCode:");
    lambda.then(|| Answer {
        lines: vec![format!("return {{ statusCode: 400, body: JSON.stringify({{ error: {message} }}) }}")],
        param: None,
        calls: Vec::new(),
    })
}

/// An answer to a bad request.
struct Answer {
    /// Statements without their ends.
    lines: Vec<String>,
    /// The parameter that answers.
    param: Option<String>,
    /// What is called on it, each a chain.
    calls: Vec<Vec<&'static str>>,
}

/// What takes the value's place, as JavaScript.
fn fallback(tree: &Tree<'_>, call: &CallExpression, function: Func, answered: bool) -> Result<String, String> {
    if answered {
        return Ok("null".into());
    }
    if refuses_bad(tree, call, function) {
        return Err(
            "the function refuses bad input by an error of its own; what it gave instead would be refused, too".into(),
        );
    }
    if let Some(text) = field_default(tree, call) {
        return Ok(text);
    }
    match Uses::new(tree).of(call.node_id(), call.span) {
        Need::Unsafe(reason) => match literal_returned(tree, function) {
            Some(text) => Ok(format!("return {text}")),
            None if gives_nothing(tree, function) => Ok("return".into()),
            // Nobody in the file counts on what it gives.
            None if function.expression().is_none() && is_entry(tree, function) => Ok("return null".into()),
            None => Err(format!("no fallback will do: {reason}")),
        },
        // JSON of which parts are taken is a list far more often than text.
        Need::Default(crate::shape::Kind::Sized) => Ok("[]".into()),
        need => Ok(need.default_text(tree.style.quote).unwrap_or_else(|| "null".into())),
    }
}

/// Whether what was parsed is looked at afterwards, and an error thrown where it is not as it should be.
fn refuses_bad(tree: &Tree<'_>, call: &CallExpression, function: Func) -> bool {
    let AstKind::VariableDeclarator(declarator) = tree.parent(call.node_id()) else { return false };
    let names: Vec<_> = declarator.id.get_binding_identifiers();
    names.iter().filter_map(|id| id.symbol_id.get()).flat_map(|symbol| tree.uses(symbol)).any(|name| {
        tree.above(name.node_id()).take_while(|kind| kind.span() != function.span()).any(|kind| match kind {
            AstKind::IfStatement(it) if holds(it.test.span(), name.span) => match &it.consequent {
                Statement::ThrowStatement(_) => true,
                Statement::BlockStatement(block) => {
                    block.body.iter().any(|statement| matches!(statement, Statement::ThrowStatement(_)))
                }
                _ => false,
            },
            _ => false,
        })
    })
}

/// The empty value that the field which the call is assigned to has elsewhere: `this.entries = []`.
fn field_default(tree: &Tree<'_>, call: &CallExpression) -> Option<String> {
    let AstKind::AssignmentExpression(assignment) = tree.parent(call.node_id()) else { return None };
    let AssignmentTarget::StaticMemberExpression(field) = &assignment.left else { return None };
    let (target, name) = (tree.at(field.span), field.property.name.as_str());
    let on_this = matches!(field.object, Expression::ThisExpression(_));
    tree.nodes().find_map(|kind| {
        let value = match kind {
            AstKind::AssignmentExpression(other) if tree.at(other.left.span()) == target => &other.right,
            AstKind::PropertyDefinition(field) if on_this && field.key.is_specific_id(name) => field.value.as_ref()?,
            _ => return None,
        };
        let empty = match value.get_inner_expression() {
            Expression::ArrayExpression(list) => list.elements.is_empty(),
            Expression::ObjectExpression(object) => object.properties.is_empty(),
            Expression::StringLiteral(_) | Expression::NullLiteral(_) => true,
            _ => false,
        };
        empty.then(|| tree.at(value.span()).to_owned())
    })
}

fn gives_nothing(tree: &Tree<'_>, function: Func) -> bool {
    function.expression().is_none()
        && !tree.nodes().any(|kind| match kind {
            AstKind::ReturnStatement(it) => {
                it.argument.is_some()
                    && tree
                        .functions_around(it.node_id())
                        .first()
                        .is_some_and(|around| around.span() == function.span())
            }
            _ => false,
        })
}

/// Whether a function is called from outside of the file only.
fn is_entry(tree: &Tree<'_>, function: Func) -> bool {
    let handles =
        matches!(tree.parent(function.id()), AstKind::MethodDefinition(_)) || symbol_of(tree, function).is_some();
    handles
        && crate::infer::named_functions_around(tree, function.span())
            .first()
            .is_some_and(|(name, _)| crate::infer::calls_of(tree, name).is_empty())
}
