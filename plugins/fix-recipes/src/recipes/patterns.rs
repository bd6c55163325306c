//! Nothing was taken apart by a pattern, iterated, or listed: a default takes its place.

use autodevops_sdk::types::Risk;
use oxc_ast::{
    AstKind,
    ast::{BindingPattern, Expression},
};
use oxc_semantic::NodeId;
use oxc_span::{GetSpan, Span};

use super::{Draft, absent::short};
use crate::{
    edit::Replace,
    fault::Nothing,
    place::Spot,
    probe::{arrange, make_absent},
    testfile::{Deed, Expect, Plan},
    tree::{Tree, object_of, property_of},
    uses::{Need, Uses},
};

/// A place that cannot do with nothing.
struct Found<'a> {
    id: NodeId,
    /// What the test makes absent.
    goal: Span,
    /// What is missing, in words.
    what: String,
    edits: Vec<Replace>,
    pattern: Option<&'a BindingPattern<'a>>,
    of: Nothing,
}

fn on_line(tree: &Tree<'_>, spot: &Spot, span: Span) -> bool {
    (tree.line_of(span.start as usize)..=tree.line_of(span.end as usize)).contains(&spot.line)
}

/// ` ?? default` behind an expression that stands by itself.
fn defaulted(expression: &Expression, default: &str) -> Vec<Replace> {
    let span = expression.span();
    let loose = matches!(
        expression,
        Expression::LogicalExpression(_) | Expression::ConditionalExpression(_) | Expression::AssignmentExpression(_)
    );
    if loose {
        vec![Replace::insert(span.start as usize, "("), Replace::insert(span.end as usize, format!(") ?? {default}"))]
    } else {
        vec![Replace::insert(span.end as usize, format!(" ?? {default}"))]
    }
}

/// A pattern that was given nothing gets an empty object.
pub fn destructured<'a>(
    tree: &Tree<'a>,
    spot: &Spot,
    property: Option<&str>,
    of: Nothing,
) -> Result<Draft<'a>, String> {
    let takes = |pattern: &BindingPattern| match pattern {
        BindingPattern::ObjectPattern(object) => property.is_none_or(|name| {
            object.properties.iter().any(|property| property.key.name().is_some_and(|key| key == name))
        }),
        _ => false,
    };
    let mut found = Vec::new();
    for kind in tree.nodes() {
        match kind {
            AstKind::VariableDeclarator(it) if on_line(tree, spot, it.span) && takes(&it.id) => {
                let Some(init) = &it.init else { continue };
                found.push(Found {
                    id: it.node_id(),
                    goal: init.get_inner_expression().span(),
                    what: short(tree.at(init.span())),
                    edits: defaulted(init, "{}"),
                    pattern: Some(&it.id),
                    of,
                });
            }
            AstKind::FormalParameter(it) if on_line(tree, spot, it.pattern.span()) && takes(&it.pattern) => {
                if it.initializer.is_some() {
                    continue;
                }
                if of == Nothing::Null {
                    return Err("a parameter's default does not stand in for null".into());
                }
                found.push(Found {
                    id: it.node_id(),
                    goal: it.pattern.span(),
                    what: "its argument".into(),
                    edits: vec![Replace::insert(it.span.end as usize, " = {}")],
                    pattern: Some(&it.pattern),
                    of,
                });
            }
            _ => {}
        }
    }
    let mut found = only(found, spot, "takes nothing apart")?;
    if let Some(BindingPattern::ObjectPattern(object)) = found.pattern {
        for property in &object.properties {
            match &property.value {
                BindingPattern::BindingIdentifier(id) => {
                    let Some(symbol) = id.symbol_id.get() else { continue };
                    match Uses::new(tree).of_variable(symbol) {
                        Need::Unsafe(reason) => {
                            return Err(format!("`{}` cannot do without a value: {reason}", id.name));
                        }
                        need => {
                            if let Some(text) = need.default_text(tree.style.quote) {
                                found.edits.push(Replace::insert(id.span.end as usize, format!(" = {text}")));
                            }
                        }
                    }
                }
                BindingPattern::AssignmentPattern(_) => {}
                _ => return Err("the pattern takes its parts apart further".into()),
            }
        }
    }
    let root_cause = format!(
        "{} may be missing, and line {} of {} takes it apart all the same.",
        told(&found.what),
        spot.line,
        spot.path
    );
    draft(tree, found, "Take {} apart only where it is there", root_cause, 0.85)
}

fn told(what: &str) -> String {
    if what == "its argument" { "The argument".into() } else { format!("`{what}`") }
}

/// What was iterated gets an empty list.
pub fn iterated<'a>(tree: &Tree<'a>, spot: &Spot, text: Option<&str>) -> Result<Draft<'a>, String> {
    let mut found = Vec::new();
    for kind in tree.nodes() {
        let expression = match kind {
            AstKind::ForOfStatement(it) => &it.right,
            AstKind::SpreadElement(it) if !matches!(tree.parent(it.node_id()), AstKind::ObjectExpression(_)) => {
                &it.argument
            }
            AstKind::VariableDeclarator(it) if it.id.is_array_pattern() => match &it.init {
                Some(init) => init,
                None => continue,
            },
            AstKind::CallExpression(it) if property_of(&it.callee).as_deref() == Some("all") => {
                match it.arguments.first().and_then(|argument| argument.as_expression()) {
                    Some(given) => given,
                    None => continue,
                }
            }
            _ => continue,
        };
        let inner = expression.get_inner_expression();
        let plain =
            matches!(inner, Expression::Identifier(_) | Expression::CallExpression(_) | Expression::AwaitExpression(_))
                || inner.is_member_expression();
        if on_line(tree, spot, expression.span())
            && let Some(call) = super::promise::forgotten(tree, expression)
        {
            return super::promise::used(tree, spot, call, false);
        }
        if on_line(tree, spot, expression.span()) && plain && text.is_none_or(|text| tree.at(inner.span()) == text) {
            found.push(Found {
                id: kind.node_id(),
                goal: inner.span(),
                what: short(tree.at(inner.span())),
                edits: defaulted(expression, "[]"),
                pattern: None,
                of: Nothing::Undefined,
            });
        }
    }
    let found = only(found, spot, "iterates nothing that the message speaks of")?;
    let root_cause = format!(
        "`{}` may be missing, and line {} of {} goes through it all the same.",
        found.what, spot.line, spot.path
    );
    draft(tree, found, "Go through {} only where it is there", root_cause, 0.8)
}

/// What `Object.keys` and the like were given gets an empty object.
pub fn listed<'a>(tree: &Tree<'a>, spot: &Spot) -> Result<Draft<'a>, String> {
    let mut found = Vec::new();
    for kind in tree.nodes() {
        let AstKind::CallExpression(call) = kind else { continue };
        let lists = matches!(property_of(&call.callee).as_deref(), Some("keys" | "values" | "entries"))
            && object_of(&call.callee).is_some_and(|object| object.is_specific_id("Object"));
        let Some(given) = call.arguments.first().and_then(|argument| argument.as_expression()) else { continue };
        if lists && on_line(tree, spot, call.span) {
            found.push(Found {
                id: call.node_id(),
                goal: given.get_inner_expression().span(),
                what: short(tree.at(given.span())),
                edits: defaulted(given, "{}"),
                pattern: None,
                of: Nothing::Undefined,
            });
        }
    }
    let found = only(found, spot, "lists no object")?;
    let root_cause =
        format!("`{}` may be missing, and line {} of {} lists it all the same.", found.what, spot.line, spot.path);
    draft(tree, found, "List {} only where it is there", root_cause, 0.85)
}

fn only<'a>(mut found: Vec<Found<'a>>, spot: &Spot, nothing: &str) -> Result<Found<'a>, String> {
    match (found.pop(), found.len()) {
        (Some(one), 0) => Ok(one),
        (None, _) => Err(format!("line {} of {} {nothing}", spot.line, spot.path)),
        (Some(_), more) => Err(format!("line {} of {} might mean {} places", spot.line, spot.path, more + 1)),
    }
}

fn draft<'a>(
    tree: &Tree<'a>,
    found: Found<'a>,
    title: &str,
    root_cause: String,
    confidence: f64,
) -> Result<Draft<'a>, String> {
    let Found { id, goal, what, edits, of, .. } = found;
    let call = arrange(tree, (id, goal), &[goal], |run, _, value| make_absent(run, value, of))?;
    Ok(Draft {
        title: title.replace("{}", &what),
        root_cause,
        confidence: confidence * call.confidence,
        risk: Risk::Low,
        edits,
        plan: Plan {
            name: format!("{} does without {what}", call.entry.name),
            deed: Deed::Call(call),
            expect: Expect::Quiet,
            environment: Vec::new(),
        },
    })
}
