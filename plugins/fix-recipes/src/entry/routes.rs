//! Handlers of an Express application or router, which it is given in place and which are not exported themselves.

use oxc_ast::{
    AstKind,
    ast::{CallExpression, Expression},
};
use oxc_semantic::SymbolId;

use super::{Route, root_module};
use crate::tree::{Func, Tree, object_of, property_of};

const METHODS: [&str; 6] = ["get", "post", "put", "patch", "delete", "all"];

/// Whether an expression makes a router of Express; if so, whether a whole application.
pub fn is_router(tree: &Tree<'_>, made: &Expression) -> Option<bool> {
    let callee = match made.get_inner_expression() {
        Expression::CallExpression(call) => &call.callee,
        Expression::NewExpression(made) => &made.callee,
        _ => return None,
    };
    if root_module(tree, callee)? != "express" {
        return None;
    }
    match callee.get_inner_expression() {
        Expression::Identifier(name) => Some(name.name != "Router"),
        member => (property_of(member)? == "Router").then_some(false),
    }
}

/// The routes that a file gives to a router, with their handlers.
pub fn of<'a>(tree: &Tree<'a>, router: SymbolId) -> Vec<(Route, Func<'a>)> {
    let made = tree.declarator(router).and_then(|declarator| declarator.init.as_ref());
    let Some(of_application) = made.and_then(|made| is_router(tree, made)) else { return Vec::new() };
    if listens(tree) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for kind in tree.nodes() {
        let AstKind::CallExpression(call) = kind else { continue };
        let Some((path, handlers)) = registered(tree, call, router) else { continue };
        let Some(method) = property_of(&call.callee) else { continue };
        let count = handlers.len();
        for (index, function) in handlers.into_iter().enumerate() {
            let Some(function) = function else { continue };
            let handler = (index + 1 < count).then_some(index);
            found.push((Route { method: method.clone(), path: path.clone(), handler, of_application }, function));
        }
    }
    found
}

/// The path and the handlers of `router.get(path, …)` or `router.route(path).get(…)`.
fn registered<'a>(
    tree: &Tree<'a>,
    call: &'a CallExpression<'a>,
    router: SymbolId,
) -> Option<(String, Vec<Option<Func<'a>>>)> {
    let method = property_of(&call.callee)?;
    if !METHODS.contains(&method.as_str()) {
        return None;
    }
    let is_router = |expression: &Expression| match expression.get_inner_expression() {
        Expression::Identifier(name) => tree.symbol(name) == Some(router),
        _ => false,
    };
    let object = object_of(&call.callee)?.get_inner_expression();
    let text = |call: &CallExpression| match call.arguments.first()?.as_expression()? {
        Expression::StringLiteral(path) => Some(path.value.to_string()),
        _ => None,
    };
    let (path, handlers) = match object {
        Expression::CallExpression(route)
            if property_of(&route.callee).as_deref() == Some("route") && is_router(object_of(&route.callee)?) =>
        {
            (text(route)?, call.arguments.as_slice())
        }
        other if is_router(other) => (text(call)?, call.arguments.get(1..)?),
        _ => return None,
    };
    let handlers = handlers.iter().map(|handler| {
        let handler = handler.as_expression()?;
        match handler.get_inner_expression() {
            Expression::Identifier(name) => tree.function_of(tree.symbol(name)?),
            // What wraps a handler and passes errors on.
            Expression::CallExpression(_) => None,
            other => Func::of(other),
        }
    });
    Some((path, handlers.collect()))
}

/// Whether loading the file opens a port, which a test must not.
fn listens(tree: &Tree<'_>) -> bool {
    tree.nodes().any(|kind| match kind {
        AstKind::CallExpression(call) if property_of(&call.callee).as_deref() == Some("listen") => {
            tree.functions_around(call.node_id()).is_empty()
                && !tree.above(call.node_id()).any(|kind| matches!(kind, AstKind::IfStatement(_)))
        }
        _ => false,
    })
}
