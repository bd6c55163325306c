//! A promise was used where its value was meant, or was rejected with nobody listening.

use autodevops_sdk::types::Risk;
use oxc_ast::{
    AstKind,
    ast::{CallExpression, Expression, MethodDefinition},
};
use oxc_semantic::NodeId;
use oxc_span::{GetSpan, Span};

use super::{Draft, absent::short};
use crate::{
    edit::Replace,
    infer::{Name, Value, calls_of, named_functions_around},
    place::Spot,
    probe::{Call, arrange, arrange_unheard, make_absent},
    testfile::{Deed, Expect, Plan},
    tree::{Func, Tree, holds, object_of, property_of},
};

/// The call whose promise an expression is read of, where nobody waited for it.
pub fn forgotten<'a>(tree: &Tree<'a>, expression: &'a Expression<'a>) -> Option<&'a CallExpression<'a>> {
    let mut at = expression.get_inner_expression();
    loop {
        at = match at {
            Expression::Identifier(name) => {
                let symbol = tree.symbol(name)?;
                if tree.is_mutated(symbol) {
                    return None;
                }
                // Of a pattern, too, all parts come of the promise.
                let AstKind::VariableDeclarator(declarator) = tree.declaration(symbol) else {
                    return element_of_promises(tree, symbol);
                };
                let init = declarator.init.as_ref()?.get_inner_expression();
                let Expression::CallExpression(call) = init else { return None };
                return gives_promise(tree, call).then_some(&**call);
            }
            Expression::CallExpression(call) => return gives_promise(tree, call).then_some(&**call),
            other => other.as_member_expression()?.object().get_inner_expression(),
        };
    }
}

/// The call that makes the list of promises whose elements a callback's parameter is.
fn element_of_promises<'a>(tree: &Tree<'a>, symbol: oxc_semantic::SymbolId) -> Option<&'a CallExpression<'a>> {
    let declared = tree.declaration(symbol);
    let function = tree.functions_around(declared.node_id()).into_iter().next()?;
    let AstKind::CallExpression(call) = tree.parent(function.id()) else { return None };
    let method = property_of(&call.callee)?;
    if !matches!(method.as_str(), "map" | "filter" | "forEach" | "find" | "some" | "every" | "flatMap") {
        return None;
    }
    forgotten(tree, object_of(&call.callee)?).filter(|made| maps_to_promises(tree, made))
}

/// The function of the file that a call runs.
fn called<'a>(tree: &Tree<'a>, call: &CallExpression<'a>) -> Option<Func<'a>> {
    match call.callee.get_inner_expression() {
        Expression::Identifier(name) => tree.function_of(tree.symbol(name)?),
        member => {
            let object = object_of(member)?.get_inner_expression();
            let name = property_of(member)?;
            let own = matches!(object, Expression::ThisExpression(_));
            tree.nodes().find_map(|kind| match kind {
                AstKind::MethodDefinition(method) if own && method.key.name().is_some_and(|key| key == name) => {
                    Some(Func::Function(&method.value))
                }
                _ => None,
            })
        }
    }
}

fn gives_promise<'a>(tree: &Tree<'a>, call: &CallExpression<'a>) -> bool {
    called(tree, call).is_some_and(Func::is_async) || maps_to_promises(tree, call)
}

/// `list.map(async …)`, or with a function that calls an async one: a list of promises.
fn maps_to_promises<'a>(tree: &Tree<'a>, call: &CallExpression<'a>) -> bool {
    property_of(&call.callee).as_deref() == Some("map")
        && call.arguments.first().and_then(|given| given.as_expression()).is_some_and(|given| {
            match given.get_inner_expression() {
                Expression::ArrowFunctionExpression(arrow) => {
                    arrow.r#async
                        || matches!(arrow.body.as_expression().map(Expression::get_inner_expression), Some(Expression::CallExpression(inner)) if called(tree, inner).is_some_and(Func::is_async))
                }
                Expression::Identifier(name) => {
                    tree.symbol(name).and_then(|symbol| tree.function_of(symbol)).is_some_and(Func::is_async)
                }
                Expression::FunctionExpression(function) => function.r#async,
                _ => false,
            }
        })
}

/// A promise was used as its value: it is waited for.
pub fn used<'a>(
    tree: &Tree<'a>,
    spot: &Spot,
    call: &'a CallExpression<'a>,
    as_text: bool,
) -> Result<Draft<'a>, String> {
    let edits = waited(tree, call)?;
    let made_async = edits.len() > if maps_to_promises(tree, call) { 2 } else { 1 }
        && edits.iter().any(|edit| edit.text == "async ");
    let mut arranged = arrange(tree, (call.node_id(), call.span), &[call.span], |_, _, _| Ok(()))?;
    arranged.is_async |= made_async;
    let what = short(tree.at(call.callee.span()));
    Ok(Draft {
        title: format!("Wait for what {what} gives"),
        root_cause: format!(
            "`{what}` gives a promise, and line {} of {} uses it as if it were the value.",
            spot.line, spot.path
        ),
        confidence: 0.85 * arranged.confidence,
        risk: if made_async { Risk::Medium } else { Risk::Low },
        edits,
        plan: Plan {
            name: format!("{} waits for {what}", arranged.entry.name),
            deed: Deed::Call(arranged),
            expect: if as_text { Expect::Never("\\[object Promise\\]".into()) } else { Expect::Quiet },
            environment: Vec::new(),
        },
    })
}

/// A promise stands as text, on the line or in what is returned there.
pub fn as_text<'a>(tree: &Tree<'a>, spot: &Spot) -> Result<Draft<'a>, String> {
    let mut found: Vec<&'a CallExpression<'a>> = Vec::new();
    for kind in tree.nodes() {
        let part = match kind {
            AstKind::TemplateLiteral(it) => it.expressions.iter().collect::<Vec<_>>(),
            AstKind::BinaryExpression(it) => vec![&it.left, &it.right],
            AstKind::CallExpression(it) if it.callee.is_specific_id("String") => {
                it.arguments.iter().filter_map(|given| given.as_expression()).collect()
            }
            _ => continue,
        };
        for expression in part {
            let line = tree.line_of(expression.span().start as usize);
            let plain = !expression.get_inner_expression().is_member_expression();
            if line == spot.line
                && plain
                && let Some(call) = forgotten(tree, expression)
                && !found.iter().any(|known| known.span == call.span)
            {
                found.push(call);
            }
        }
    }
    match found.as_slice() {
        [one] => used(tree, spot, one, true),
        [] => Err(format!("line {} of {} makes no text of a promise that the file itself makes", spot.line, spot.path)),
        _ => Err(format!("line {} of {} makes text of several promises", spot.line, spot.path)),
    }
}

/// `await` before a call, in a function that may.
fn waited<'a>(tree: &Tree<'a>, call: &'a CallExpression<'a>) -> Result<Vec<Replace>, String> {
    let mut edits = Vec::new();
    let start = call.span.start as usize;
    let end = call.span.end as usize;
    let member = matches!(
        tree.parent(call.node_id()),
        AstKind::StaticMemberExpression(_) | AstKind::ComputedMemberExpression(_)
    );
    let (open, close) = match (maps_to_promises(tree, call), member) {
        (true, false) => ("await Promise.all(", ")"),
        (true, true) => ("(await Promise.all(", "))"),
        (false, true) => ("(await ", ")"),
        (false, false) => ("await ", ""),
    };
    edits.push(Replace::insert(start, open));
    if !close.is_empty() {
        edits.push(Replace::insert(end, close));
    }
    let Some(function) = tree.functions_around(call.node_id()).into_iter().next() else {
        return if tree.is_module() { Ok(edits) } else { Err("the file cannot wait while it is loaded".into()) };
    };
    if !function.is_async() {
        edits.push(made_async(tree, function)?);
    }
    Ok(edits)
}

/// `async` before a function whose callers can do with a promise: one that answers requests or handles events.
fn made_async<'a>(tree: &Tree<'a>, function: Func<'a>) -> Result<Replace, String> {
    let names: Vec<&str> = (0..function.params().items.len()).filter_map(|index| function.param_name(index)).collect();
    let handles = names.iter().any(|name| matches!(*name, "res" | "response" | "reply" | "ctx" | "context"));
    if !handles || function.is_generator() {
        return Err("the function around is not async, and its callers may count on that".into());
    }
    let at = match tree.parent(function.id()) {
        AstKind::MethodDefinition(method) => key_start(method),
        AstKind::ObjectProperty(property) if property.method => property.key.span().start,
        _ => function.span().start,
    };
    Ok(Replace::insert(at as usize, "async "))
}

fn key_start(method: &MethodDefinition) -> u32 {
    method.key.span().start
}

/// A rejection that nobody heard: the call is waited for, or its failure is said.
pub fn unheard<'a>(tree: &Tree<'a>, spot: &Spot) -> Result<Draft<'a>, String> {
    if let Some(call) = each_async(tree, spot) {
        return all_waited(tree, spot, call);
    }
    let call = loose(tree, spot)?;
    let what = short(tree.at(call.callee.span()));
    let around = tree.functions_around(call.node_id()).into_iter().next();
    let waits = around.is_some_and(Func::is_async) && !in_void(tree, call);
    let edits = if waits {
        vec![Replace::insert(call.span.start as usize, "await ")]
    } else {
        let (indent, step, newline, end) = (
            tree.indent_at(call.span.start as usize).to_owned(),
            tree.style.step(),
            tree.style.newline,
            tree.style.end(),
        );
        let named = what.trim_start_matches("this.").split(['(', ' ']).next().unwrap_or(&what).to_owned();
        let said = tree.style.string(&format!("{named} failed"));
        let text =
            format!(".catch((error) => {{{newline}{indent}{step}console.error({said}, error){end}{newline}{indent}}})");
        vec![Replace::insert(call.span.end as usize, text)]
    };
    let caught =
        tree.above(call.node_id()).take_while(|kind| around.is_none_or(|around| kind.span() != around.span())).any(
            |kind| matches!(kind, AstKind::TryStatement(it) if it.handler.is_some() && holds(it.block.span, call.span)),
        );
    let (arranged, message) = failing(tree, call)?;
    let expect = if waits && !caught { Expect::Failure(message) } else { Expect::Settled };
    let name = &arranged.entry.name;
    Ok(Draft {
        title: if waits { format!("Wait for {what}") } else { format!("Say when {what} fails") },
        root_cause: format!(
            "`{what}` gives a promise that line {} of {} neither waits for nor catches; its rejection is heard by nobody.",
            tree.line_of(call.span.start as usize),
            tree.path
        ),
        confidence: 0.75 * arranged.confidence,
        risk: Risk::Medium,
        edits,
        plan: Plan {
            name: if waits {
                format!("{name} fails when {what} does")
            } else {
                format!("{name} hears when {what} fails")
            },
            deed: Deed::Call(arranged),
            expect,
            environment: Vec::new(),
        },
    })
}

/// `list.forEach(async …)` whose callback holds the place: nobody waits for what it gives.
fn each_async<'a>(tree: &Tree<'a>, spot: &Spot) -> Option<&'a CallExpression<'a>> {
    tree.nodes().find_map(|kind| {
        let AstKind::CallExpression(call) = kind else { return None };
        let callback = callback_of(call)?;
        let lines = tree.line_of(callback.span().start as usize)..=tree.line_of(callback.span().end as usize);
        let on_its_own = matches!(tree.parent(call.node_id()), AstKind::ExpressionStatement(_));
        let each = property_of(&call.callee).as_deref() == Some("forEach");
        (each && on_its_own && callback.is_async() && lines.contains(&spot.line)).then_some(call)
    })
}

fn callback_of<'a>(call: &'a CallExpression<'a>) -> Option<Func<'a>> {
    call.arguments.first().and_then(|given| given.as_expression()).and_then(Func::of)
}

/// Every call of an async callback is waited for.
fn all_waited<'a>(tree: &Tree<'a>, spot: &Spot, call: &'a CallExpression<'a>) -> Result<Draft<'a>, String> {
    let list = object_of(&call.callee).ok_or("nothing is gone through")?;
    let what = short(tree.at(list.span()));
    let around = tree.functions_around(call.node_id()).into_iter().next();
    if !around.is_some_and(Func::is_async) {
        return Err(format!("the function around `{what}.forEach` is not async, and its callers may count on that"));
    }
    let name_end = call.callee.span().end as usize;
    let (arranged, message) = failing(tree, call)?;
    Ok(Draft {
        title: format!("Wait for all of {what}"),
        root_cause: format!(
            "`forEach` waits for nothing that its callback gives, so that a rejection in line {} of {} is heard by nobody.",
            spot.line, tree.path
        ),
        confidence: 0.75 * arranged.confidence,
        risk: Risk::Medium,
        edits: vec![
            Replace::insert(call.span.start as usize, "await Promise.all("),
            Replace::range(name_end - "forEach".len(), name_end, "map".to_owned()),
            Replace::insert(call.span.end as usize, ")"),
        ],
        plan: Plan {
            name: format!("{} fails when one of {what} does", arranged.entry.name),
            deed: Deed::Call(arranged),
            expect: Expect::Failure(message),
            environment: Vec::new(),
        },
    })
}

fn in_void(tree: &Tree<'_>, call: &CallExpression) -> bool {
    matches!(tree.parent(call.node_id()), AstKind::UnaryExpression(_))
}

/// The call that nobody listens to: on the line, or one of the function that the line is in.
fn loose<'a>(tree: &Tree<'a>, spot: &Spot) -> Result<&'a CallExpression<'a>, String> {
    let is_loose = |call: &CallExpression| match tree.parent(call.node_id()) {
        AstKind::ExpressionStatement(_) => true,
        // What a callback gives that is called for what it does.
        AstKind::ArrowFunctionExpression(arrow) => match tree.parent(arrow.node_id()) {
            AstKind::CallExpression(outer) => {
                let method = property_of(&outer.callee)
                    .or_else(|| outer.callee.get_identifier_reference().map(|name| name.name.to_string()));
                outer.callee.span() != arrow.span
                    && method.is_some_and(|name| {
                        matches!(
                            name.as_str(),
                            "forEach"
                                | "on"
                                | "once"
                                | "addListener"
                                | "addEventListener"
                                | "setTimeout"
                                | "setInterval"
                                | "setImmediate"
                        )
                    })
            }
            _ => false,
        },
        AstKind::UnaryExpression(it) => matches!(tree.parent(it.node_id()), AstKind::ExpressionStatement(_)),
        _ => false,
    };
    let on_line = |call: &CallExpression| {
        (tree.line_of(call.span.start as usize)..=tree.line_of(call.span.end as usize)).contains(&spot.line)
    };
    let calls = || {
        tree.nodes().filter_map(|kind| match kind {
            AstKind::CallExpression(call) => Some(call),
            _ => None,
        })
    };
    let direct: Vec<_> = calls()
        .filter(|call| is_loose(call) && on_line(call))
        .filter(|call| called(tree, call).is_some_and(Func::is_async) || is_then(call))
        .collect();
    if let [one] = direct.as_slice() {
        return Ok(one);
    }
    let (start, _) = tree.line(spot.line).ok_or_else(|| format!("{} has no line {}", spot.path, spot.line))?;
    let at = spot.column.and_then(|column| tree.offset(spot.line, column)).unwrap_or(start);
    let at = u32::try_from(at).unwrap_or(u32::MAX);
    let mut open: Vec<(Name, Func<'a>)> = named_functions_around(tree, Span::new(at, at));
    let mut found: Vec<Span> = Vec::new();
    let mut seen = 0;
    while let Some((name, function)) = open.pop() {
        seen += 1;
        if !function.is_async() || seen > 16 {
            continue;
        }
        for span in calls_of(tree, &name) {
            let Some(call) = calls().find(|call| call.span == span) else { continue };
            if is_loose(call) {
                found.push(span);
            } else if matches!(tree.parent(call.node_id()), AstKind::AwaitExpression(_) | AstKind::ReturnStatement(_)) {
                open.extend(named_functions_around(tree, span));
            }
        }
    }
    found.sort_by_key(|span| span.start);
    found.dedup();
    match found.as_slice() {
        [one] => calls().find(|call| call.span == *one).ok_or_else(|| "the call is gone".into()),
        [] => Err(format!("nothing that line {} of {} leads to is called without waiting", spot.line, spot.path)),
        _ => Err(format!("{} calls are not waited for, and the trace does not say which one failed", found.len())),
    }
}

/// `something.then(…)` without a second function.
fn is_then(call: &CallExpression) -> bool {
    property_of(&call.callee).as_deref() == Some("then") && call.arguments.len() == 1
}

/// A call of an exported function in which the loose call is rejected, and what its error says.
fn failing<'a>(tree: &Tree<'a>, call: &'a CallExpression<'a>) -> Result<(Call<'a>, String), String> {
    let place = (call.node_id(), call.span);
    let mut reason = String::from("a test cannot make it fail");
    for (id, span, refuses) in ways_to_fail(tree, call) {
        let goals = [span];
        let arranged = arrange_unheard(tree, place, &goals, |run, _, value| match value {
            Value::Place(result) if refuses => {
                let (function, _) = result.parent().ok_or("it is no call")?;
                run.shape(&function).rejects = true;
                Ok(())
            }
            Value::Place(part) if !part.steps.is_empty() => {
                make_absent(run, &Value::Place(part.clone()), crate::fault::Nothing::Undefined)
            }
            _ => Err("a test cannot make it fail".into()),
        });
        match arranged {
            Ok(arranged) => return Ok((arranged, if refuses { "refused".into() } else { "undefined".into() })),
            Err(why) => reason = why,
        }
        let _: NodeId = id;
    }
    Err(reason)
}

/// What could go wrong in a call: something that it waits for is refused, or something that it reads is not there.
fn ways_to_fail<'a>(tree: &Tree<'a>, call: &'a CallExpression<'a>) -> Vec<(NodeId, Span, bool)> {
    let mut ways = Vec::new();
    let within: Span = match (called(tree, call), is_then(call)) {
        (Some(function), _) => function.span(),
        (None, true) => call.callee.span(),
        (None, false) if callback_of(call).is_some_and(Func::is_async) => call.span,
        (None, false) => return ways,
    };
    for kind in tree.nodes() {
        match kind {
            AstKind::AwaitExpression(it) if holds(within, it.span) => {
                if let Expression::CallExpression(inner) = it.argument.get_inner_expression() {
                    ways.push((inner.node_id(), inner.span, true));
                }
            }
            AstKind::CallExpression(inner) if holds(within, inner.span) && inner.span != call.span && is_then(call) => {
                ways.push((inner.node_id(), inner.span, true));
            }
            _ => {}
        }
    }
    for kind in tree.nodes() {
        if let AstKind::StaticMemberExpression(it) = kind
            && holds(within, it.span)
            && !it.optional
            && it.object.is_member_expression()
        {
            ways.push((it.node_id(), it.object.span(), false));
        }
    }
    ways.truncate(12);
    ways
}
