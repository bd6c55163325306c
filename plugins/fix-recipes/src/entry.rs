//! How a function of a file is reached from outside: what the file exports.

mod routes;

use oxc_ast::{
    AstKind,
    ast::{
        AssignmentTarget, Class, ClassElement, Declaration, ExportDefaultDeclarationKind, Expression,
        MethodDefinitionKind, ObjectExpression, ObjectPropertyKind, Statement,
    },
};
use oxc_semantic::SymbolId;
use oxc_span::Span;

use crate::{
    infer::{calls_of, named_functions_around},
    tree::{Func, Tree, holds, object_of, property_of},
};

/// Under which name something is exported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Export {
    /// It is what `require` gives, or the default export.
    Default,
    /// By name.
    Named(String),
}

/// How what is exported is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Like the function itself.
    Plain,
    /// By its `run`: a Firebase function that answers no HTTP request.
    Run,
    /// As a request that goes through the handling of CORS first.
    Cors,
    /// As a handler of an Express application or router, found among its routes.
    Route(Route),
}

/// A route of an Express application or router.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Method of HTTP, in lower case.
    pub method: String,
    /// Path, as it was registered.
    pub path: String,
    /// Index among the route's handlers; none for the last.
    pub handler: Option<usize>,
    /// Whether it is one of an application, which keeps its routes in a router of its own.
    pub of_application: bool,
}

/// A function that can be called from outside.
#[derive(Clone)]
pub struct Entry<'a> {
    /// What is exported.
    pub export: Export,
    /// The function's name in what is exported, where that is an object or a class.
    pub member: Option<String>,
    /// The class, where the function is a method.
    pub class: Option<&'a Class<'a>>,
    /// Whether the method is static.
    pub is_static: bool,
    /// The function.
    pub function: Func<'a>,
    /// What the function is called in messages.
    pub name: String,
    /// How it is called.
    pub reach: Reach,
}

enum Item<'a> {
    Function(Func<'a>, Reach),
    Class(&'a Class<'a>),
    Object(&'a ObjectExpression<'a>),
    Router(SymbolId),
}

/// The exported function that a place is in, or else one that leads to it by the file's own calls.
///
/// # Errors
/// Why there is none.
pub fn entry<'a>(tree: &Tree<'a>, place: Span) -> Result<Entry<'a>, String> {
    let entries = entries(tree);
    let around = |span: Span| {
        entries
            .iter()
            .filter(|entry| holds(entry.function.span(), span))
            .max_by_key(|entry| entry.function.span().size())
    };
    if let Some(entry) = around(place) {
        return Ok(entry.clone());
    }
    let mut open = std::collections::VecDeque::from([place]);
    let mut seen = vec![place];
    while let Some(span) = open.pop_front() {
        for (name, _) in named_functions_around(tree, span) {
            for call in calls_of(tree, &name) {
                if let Some(entry) = around(call) {
                    return Ok(entry.clone());
                }
                if !seen.contains(&call) && seen.len() < 64 {
                    seen.push(call);
                    open.push_back(call);
                }
            }
        }
    }
    Err(format!(
        "a test cannot reach line {} of {}: no exported function leads to it",
        tree.line_of(place.start as usize),
        tree.path
    ))
}

fn entries<'a>(tree: &Tree<'a>) -> Vec<Entry<'a>> {
    let mut found = Vec::new();
    for (export, item) in exports(tree) {
        match item {
            Item::Function(function, reach) => {
                let name = match &export {
                    Export::Named(name) => name.clone(),
                    Export::Default => own_name(function).unwrap_or_else(|| stem(&tree.path)),
                };
                let member = (reach == Reach::Run).then(|| "run".to_owned());
                found.push(Entry { export, member, class: None, is_static: false, function, name, reach });
            }
            Item::Class(class) => {
                for element in &class.body.body {
                    if let ClassElement::PropertyDefinition(field) = element
                        && let (Some(name), Some(function)) =
                            (field.key.static_name(), field.value.as_ref().and_then(Func::of))
                    {
                        found.push(Entry {
                            export: export.clone(),
                            member: Some(name.to_string()),
                            class: Some(class),
                            is_static: field.r#static,
                            function,
                            name: name.into_owned(),
                            reach: Reach::Plain,
                        });
                    }
                    let ClassElement::MethodDefinition(method) = element else { continue };
                    let Some(name) = method.key.static_name() else { continue };
                    let makes = method.kind == MethodDefinitionKind::Constructor;
                    if !makes && method.kind != MethodDefinitionKind::Method || method.value.body.is_none() {
                        continue;
                    }
                    let made = class.id.as_ref().map_or_else(|| stem(&tree.path), |id| id.name.to_string());
                    found.push(Entry {
                        export: export.clone(),
                        member: (!makes).then(|| name.to_string()),
                        class: Some(class),
                        is_static: method.r#static,
                        function: Func::Function(&method.value),
                        name: if makes { made } else { name.into_owned() },
                        reach: Reach::Plain,
                    });
                }
            }
            Item::Router(symbol) => {
                for (route, function) in routes::of(tree, symbol) {
                    found.push(Entry {
                        export: export.clone(),
                        member: None,
                        class: None,
                        is_static: false,
                        function,
                        name: format!("{} {}", route.method.to_ascii_uppercase(), route.path),
                        reach: Reach::Route(route),
                    });
                }
            }
            Item::Object(object) => {
                for property in &object.properties {
                    let ObjectPropertyKind::ObjectProperty(property) = property else { continue };
                    let (Some(name), Some(Item::Function(function, Reach::Plain))) =
                        (property.key.static_name(), resolve(tree, &property.value, 0))
                    else {
                        continue;
                    };
                    found.push(Entry {
                        export: export.clone(),
                        member: Some(name.to_string()),
                        class: None,
                        is_static: false,
                        function,
                        name: name.into_owned(),
                        reach: Reach::Plain,
                    });
                }
            }
        }
    }
    found
}

/// A file's name without its folder and its end.
pub fn stem(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    if stem == "index" { path.rsplit('/').nth(1).unwrap_or(stem).to_owned() } else { stem.to_owned() }
}

fn own_name(function: Func) -> Option<String> {
    match function {
        Func::Function(function) => function.id.as_ref().map(|id| id.name.to_string()),
        Func::Arrow(_) => None,
    }
}

fn exports<'a>(tree: &Tree<'a>) -> Vec<(Export, Item<'a>)> {
    let mut found = Vec::new();
    for statement in &tree.program.body {
        match statement {
            Statement::ExpressionStatement(it) => commonjs(tree, &it.expression, &mut found),
            Statement::ExportDefaultDeclaration(it) => {
                let item = match &it.declaration {
                    ExportDefaultDeclarationKind::FunctionDeclaration(function) => {
                        Some(Item::Function(Func::Function(function), Reach::Plain))
                    }
                    ExportDefaultDeclarationKind::ClassDeclaration(class) => Some(Item::Class(class)),
                    other => other.as_expression().and_then(|expression| resolve(tree, expression, 0)),
                };
                found.extend(item.map(|item| (Export::Default, item)));
            }
            Statement::ExportDeclaration(it) => match &it.declaration {
                Declaration::FunctionDeclaration(function) => {
                    if let Some(id) = &function.id {
                        found.push((
                            Export::Named(id.name.to_string()),
                            Item::Function(Func::Function(function), Reach::Plain),
                        ));
                    }
                }
                Declaration::ClassDeclaration(class) => {
                    if let Some(id) = &class.id {
                        found.push((Export::Named(id.name.to_string()), Item::Class(class)));
                    }
                }
                Declaration::VariableDeclaration(made) => {
                    for declarator in &made.declarations {
                        let symbol = declarator.id.get_binding_identifier().and_then(|id| id.symbol_id.get());
                        let item = symbol.and_then(|symbol| declared(tree, symbol, 0));
                        if let (Some(name), Some(item)) = (declarator.id.get_identifier_name(), item) {
                            found.push((Export::Named(name.to_string()), item));
                        }
                    }
                }
                _ => {}
            },
            Statement::ExportNamedDeclaration(it) => {
                for specifier in &it.specifiers {
                    if let oxc_ast::ast::ModuleExportName::IdentifierReference(local) = &specifier.local
                        && let Some(item) = tree.symbol(local).and_then(|symbol| declared(tree, symbol, 0))
                    {
                        let name = specifier.exported.name().to_string();
                        let export = if name == "default" { Export::Default } else { Export::Named(name) };
                        found.push((export, item));
                    }
                }
            }
            _ => {}
        }
    }
    found
}

/// `module.exports = …`, `exports.name = …` and chains of them.
fn commonjs<'a>(tree: &Tree<'a>, expression: &'a Expression<'a>, found: &mut Vec<(Export, Item<'a>)>) {
    let Expression::AssignmentExpression(assignment) = expression.get_inner_expression() else { return };
    let AssignmentTarget::StaticMemberExpression(target) = &assignment.left else { return };
    let value = match assignment.right.get_inner_expression() {
        Expression::AssignmentExpression(inner) => {
            commonjs(tree, &assignment.right, found);
            &inner.right
        }
        _ => &assignment.right,
    };
    let is_exports = |expression: &Expression| {
        expression.is_specific_id("exports") || expression.is_specific_member_access("module", "exports")
    };
    let name = target.property.name.as_str();
    if name == "exports" && target.object.is_specific_id("module") {
        match resolve(tree, value, 0) {
            Some(Item::Object(object)) => {
                for property in &object.properties {
                    let ObjectPropertyKind::ObjectProperty(property) = property else { continue };
                    if let (Some(name), Some(item)) = (property.key.static_name(), resolve(tree, &property.value, 0)) {
                        found.push((Export::Named(name.into_owned()), item));
                    }
                }
            }
            Some(item) => found.push((Export::Default, item)),
            None => {}
        }
    } else if is_exports(&target.object)
        && let Some(item) = resolve(tree, value, 0)
    {
        found.push((Export::Named(name.to_owned()), item));
    }
}

fn resolve<'a>(tree: &Tree<'a>, expression: &'a Expression<'a>, depth: usize) -> Option<Item<'a>> {
    match expression.get_inner_expression() {
        Expression::FunctionExpression(function) => Some(Item::Function(Func::Function(function), Reach::Plain)),
        Expression::ArrowFunctionExpression(arrow) => Some(Item::Function(Func::Arrow(arrow), Reach::Plain)),
        Expression::ClassExpression(class) => Some(Item::Class(class)),
        Expression::ObjectExpression(object) => Some(Item::Object(object)),
        Expression::Identifier(name) => declared(tree, tree.symbol(name)?, depth),
        Expression::CallExpression(call) => {
            // What takes a handler and gives one that is called alike.
            let name = property_of(&call.callee)
                .or_else(|| call.callee.get_identifier_reference().map(|name| name.name.to_string()))?;
            let lower = name.to_ascii_lowercase();
            let last = call.arguments.last()?.as_expression()?;
            if let Some(reach) = firebase(tree, call, &name) {
                let Item::Function(function, _) = resolve(tree, last, depth + 1)? else { return None };
                return Some(Item::Function(function, reach));
            }
            let alike = matches!(name.as_str(), "onRequest" | "freeze")
                || ["handler", "wrap", "catch", "async"].iter().any(|part| lower.contains(part));
            if alike { resolve(tree, last, depth + 1) } else { None }
        }
        _ => None,
    }
}

/// How a function is called that Firebase makes of a handler.
fn firebase(tree: &Tree<'_>, call: &oxc_ast::ast::CallExpression, name: &str) -> Option<Reach> {
    let is_event = ["on", "before"]
        .iter()
        .any(|start| name.strip_prefix(start).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase())));
    if !is_event || !root_module(tree, &call.callee)?.starts_with("firebase-functions") {
        return None;
    }
    if name != "onRequest" {
        return Some(Reach::Run);
    }
    let options = call.arguments.first().and_then(|given| given.as_expression());
    let cors = matches!(options.map(Expression::get_inner_expression), Some(Expression::ObjectExpression(options))
        if options.properties.iter().any(|property| matches!(property, ObjectPropertyKind::ObjectProperty(property)
            if property.key.static_name().is_some_and(|key| key == "cors"))));
    Some(if cors { Reach::Cors } else { Reach::Plain })
}

/// The module that a chain of reads and calls begins with.
fn root_module(tree: &Tree<'_>, expression: &Expression) -> Option<String> {
    match expression.get_inner_expression() {
        Expression::Identifier(name) => module_of(tree, tree.symbol(name)?),
        Expression::CallExpression(call) => root_module(tree, &call.callee),
        other => root_module(tree, object_of(other)?),
    }
}

fn declared<'a>(tree: &Tree<'a>, symbol: SymbolId, depth: usize) -> Option<Item<'a>> {
    if depth > 4 {
        return None;
    }
    match tree.declaration(symbol) {
        AstKind::Function(function) => Some(Item::Function(Func::Function(function), Reach::Plain)),
        AstKind::Class(class) => Some(Item::Class(class)),
        AstKind::VariableDeclarator(declarator) if declarator.id.is_binding_identifier() => {
            if declarator.init.as_ref().is_some_and(|init| routes::is_router(tree, init).is_some()) {
                return Some(Item::Router(symbol));
            }
            resolve(tree, declarator.init.as_ref()?, depth + 1)
        }
        _ => None,
    }
}

/// The module that a name was imported from; none when it was not.
pub fn module_of(tree: &Tree<'_>, symbol: SymbolId) -> Option<String> {
    match tree.declaration(symbol) {
        AstKind::VariableDeclarator(declarator) => required(declarator.init.as_ref()?),
        kind => tree.above(kind.node_id()).chain([kind]).find_map(|above| match above {
            AstKind::ImportDeclaration(import) => Some(import.source.value.to_string()),
            _ => None,
        }),
    }
}

fn required(expression: &Expression) -> Option<String> {
    match expression.get_inner_expression() {
        Expression::CallExpression(call) => match call.common_js_require() {
            Some(module) => Some(module.value.to_string()),
            None => required(&call.callee),
        },
        Expression::AwaitExpression(awaited) => match awaited.argument.get_inner_expression() {
            Expression::ImportExpression(import) => match &import.source {
                Expression::StringLiteral(module) => Some(module.value.to_string()),
                _ => None,
            },
            _ => None,
        },
        other => required(object_of(other)?),
    }
}
