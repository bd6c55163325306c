//! An environment variable was not set.

use autodevops_sdk::types::Risk;
use oxc_ast::{
    AstKind,
    ast::{BindingPattern, Expression},
};
use oxc_semantic::NodeId;
use oxc_span::{GetSpan, Span};
use oxc_syntax::operator::BinaryOperator;

use super::{
    Draft,
    absent::{Read, with_default},
};
use crate::{
    edit::Replace,
    place::Spot,
    probe::arrange,
    testfile::{Deed, Expect, Plan},
    tree::{Tree, holds, object_of, property_of},
};

/// Where a variable is read from the environment.
pub struct Variable {
    name: String,
    id: NodeId,
    span: Span,
    /// Whether it is taken by a pattern: `const { NAME } = process.env`.
    taken: bool,
}

/// The variable that an expression is, or was declared as.
pub fn variable<'a>(tree: &Tree<'a>, expression: &'a Expression<'a>) -> Option<Variable> {
    let inner = expression.get_inner_expression();
    if let Some(name) = direct(inner) {
        let id = inner.as_member_expression().map(|member| match member {
            oxc_ast::ast::MemberExpression::StaticMemberExpression(it) => it.node_id(),
            oxc_ast::ast::MemberExpression::ComputedMemberExpression(it) => it.node_id(),
            oxc_ast::ast::MemberExpression::PrivateFieldExpression(it) => it.node_id(),
        })?;
        return Some(Variable { name, id, span: inner.span(), taken: false });
    }
    let Expression::Identifier(reference) = inner else { return None };
    let symbol = tree.symbol(reference)?;
    if tree.is_mutated(symbol) {
        return None;
    }
    let AstKind::VariableDeclarator(declarator) = tree.declaration(symbol) else { return None };
    let init = declarator.init.as_ref()?;
    match &declarator.id {
        BindingPattern::BindingIdentifier(_) => {
            direct(init.get_inner_expression())?;
            variable(tree, init)
        }
        BindingPattern::ObjectPattern(object) if is_environment(init) => {
            object.properties.iter().find_map(|property| {
                let BindingPattern::BindingIdentifier(id) = &property.value else { return None };
                (id.symbol_id.get() == Some(symbol)).then(|| Variable {
                    name: property.key.name().map(std::borrow::Cow::into_owned).unwrap_or_default(),
                    id: declarator.node_id(),
                    span: id.span,
                    taken: true,
                })
            })
        }
        _ => None,
    }
}

fn direct(expression: &Expression) -> Option<String> {
    is_environment(object_of(expression)?).then(|| property_of(expression)).flatten()
}

fn is_environment(expression: &Expression) -> bool {
    expression.get_inner_expression().is_specific_member_access("process", "env")
}

/// A method was called on a variable that is not set.
pub fn read<'a>(
    tree: &Tree<'a>,
    spot: &Spot,
    read: &Read<'a>,
    property: &str,
    variable: &Variable,
) -> Result<Draft<'a>, String> {
    let compared = tree.above(read.id).any(|kind| {
        matches!(kind, AstKind::BinaryExpression(it) if matches!(it.operator, BinaryOperator::StrictEquality | BinaryOperator::Equality | BinaryOperator::StrictInequality))
    });
    let looked_at = matches!(property, "split" | "includes" | "startsWith" | "endsWith" | "match");
    let default = obvious(&variable.name).map(str::to_owned).or_else(|| {
        let harmless = (looked_at || compared) && !is_essential(&variable.name);
        harmless.then(String::new)
    });
    let cause = format!(
        "The environment variable {} is not set, and line {} of {} reads `{property}` of it all the same.",
        variable.name, spot.line, spot.path
    );
    match default {
        Some(default) => {
            let text = tree.style.string(&default);
            let edits = if variable.taken {
                vec![Replace::insert(variable.span.end as usize, format!(" = {text}"))]
            } else {
                with_default(tree, variable.id, variable.span, &text)
            };
            defaulted(tree, variable, edits, cause, &text)
        }
        None => guarded(tree, variable, cause),
    }
}

/// An address was made of a variable that is not set.
pub fn address<'a>(tree: &Tree<'a>, spot: &Spot) -> Result<Draft<'a>, String> {
    let made = tree.nodes().find_map(|kind| match kind {
        AstKind::NewExpression(it)
            if it.callee.is_specific_id("URL")
                && (tree.line_of(it.span.start as usize)..=tree.line_of(it.span.end as usize)).contains(&spot.line) =>
        {
            Some(it)
        }
        _ => None,
    });
    let made = made.ok_or_else(|| format!("line {} of {} makes no URL", spot.line, spot.path))?;
    let found = tree.nodes().find_map(|kind| {
        let expression = match kind {
            AstKind::IdentifierReference(_)
            | AstKind::StaticMemberExpression(_)
            | AstKind::ComputedMemberExpression(_) => made
                .arguments
                .iter()
                .filter_map(|argument| argument.as_expression())
                .find_map(|given| inside(given).into_iter().find(|part| part.span() == kind.span()))?,
            _ => return None,
        };
        variable(tree, expression)
    });
    let found = found.ok_or_else(|| {
        format!("the address in line {} of {} is not made of an environment variable", spot.line, spot.path)
    })?;
    let cause = format!(
        "The environment variable {} is not set, and line {} of {} makes an address of it.",
        found.name, spot.line, spot.path
    );
    guarded(tree, &found, cause)
}

/// The expressions that an address is made of.
fn inside<'a>(expression: &'a Expression<'a>) -> Vec<&'a Expression<'a>> {
    match expression.get_inner_expression() {
        Expression::TemplateLiteral(it) => it.expressions.iter().collect(),
        Expression::BinaryExpression(it) => inside(&it.left).into_iter().chain(inside(&it.right)).collect(),
        inner => vec![inner],
    }
}

/// The program itself complained that a variable is missing.
pub fn required<'a>(tree: &Tree<'a>, spot: &Spot, name: &str) -> Result<Draft<'a>, String> {
    let Some(default) = obvious(name) else {
        return Err(format!("{name} has no obvious default; it is to be set where the service runs"));
    };
    let text = tree.style.string(default);
    let cause = format!("The environment variable {name} is not set, and {} goes no further without it.", spot.path);
    for kind in tree.nodes() {
        match kind {
            AstKind::CallExpression(call) => {
                let [given] = call.arguments.as_slice() else { continue };
                let told = matches!(given.as_expression(), Some(Expression::StringLiteral(text)) if text.value == name);
                let local = call
                    .callee
                    .get_identifier_reference()
                    .and_then(|callee| tree.symbol(callee))
                    .and_then(|symbol| tree.function_of(symbol))
                    .is_some_and(|function| tree.at(function.span()).contains("process.env["));
                if told && local {
                    let whole = format!("process.env.{name} ?? {text}");
                    let tight = !matches!(
                        tree.parent(call.node_id()),
                        AstKind::VariableDeclarator(_)
                            | AstKind::ObjectProperty(_)
                            | AstKind::CallExpression(_)
                            | AstKind::ReturnStatement(_)
                    );
                    let whole = if tight { format!("({whole})") } else { whole };
                    let variable =
                        Variable { name: name.to_owned(), id: call.node_id(), span: call.span, taken: false };
                    let edits = vec![Replace::range(call.span.start as usize, call.span.end as usize, whole)];
                    return defaulted(tree, &variable, edits, cause, &text);
                }
            }
            AstKind::VariableDeclarator(declarator) => {
                let Some(init) = &declarator.init else { continue };
                if direct(init.get_inner_expression()).as_deref() == Some(name)
                    && let Some(variable) = variable(tree, init)
                {
                    let edits = with_default(tree, variable.id, variable.span, &text);
                    return defaulted(tree, &variable, edits, cause, &text);
                }
                if is_environment(init)
                    && let BindingPattern::ObjectPattern(object) = &declarator.id
                {
                    for property in &object.properties {
                        if property.key.name().is_some_and(|key| key == name)
                            && let BindingPattern::BindingIdentifier(id) = &property.value
                        {
                            let variable = Variable {
                                name: name.to_owned(),
                                id: declarator.node_id(),
                                span: id.span,
                                taken: true,
                            };
                            let edits = vec![Replace::insert(id.span.end as usize, format!(" = {text}"))];
                            return defaulted(tree, &variable, edits, cause, &text);
                        }
                    }
                }
            }
            _ => {}
        }
    }
    Err(format!("{} does not read {name} in a way that can have a default", spot.path))
}

/// A default that anyone would choose.
fn obvious(name: &str) -> Option<&'static str> {
    match name {
        "PORT" | "HTTP_PORT" | "SERVER_PORT" => Some("3000"),
        "HOST" | "BIND_ADDRESS" => Some("0.0.0.0"),
        "LOG_LEVEL" => Some("info"),
        "NODE_ENV" => Some("production"),
        "TZ" => Some("UTC"),
        _ => None,
    }
}

/// Whether a service cannot mean to run without it: a credential, or where another service is.
fn is_essential(name: &str) -> bool {
    [
        "KEY",
        "SECRET",
        "TOKEN",
        "PASSWORD",
        "CREDENTIAL",
        "DSN",
        "DATABASE",
        "URL",
        "URI",
        "ENDPOINT",
        "CONNECTION",
        "CERT",
        "SALT",
    ]
    .iter()
    .any(|part| name.contains(part))
}

fn defaulted<'a>(
    tree: &Tree<'a>,
    variable: &Variable,
    edits: Vec<Replace>,
    cause: String,
    default: &str,
) -> Result<Draft<'a>, String> {
    let deed = deed(tree, variable)?;
    let name = &variable.name;
    Ok(Draft {
        title: format!("Take {default} where {name} is not set"),
        root_cause: cause,
        confidence: 0.8,
        risk: Risk::Low,
        edits,
        plan: Plan {
            name: format!("it does without {name}"),
            deed,
            expect: Expect::Quiet,
            environment: around(tree, name),
        },
    })
}

/// The variable is asked for by name before it is used: what fails says why.
fn guarded<'a>(tree: &Tree<'a>, variable: &Variable, cause: String) -> Result<Draft<'a>, String> {
    let name = &variable.name;
    // Of what is read while the file is loaded, only the function that uses it is to fail.
    let used = if tree.functions_around(variable.id).is_empty() { used_in_function(tree, variable) } else { None };
    let id = used.map_or(variable.id, |(id, _)| id);
    let (statement, above) = tree.statement(id).ok_or("the variable is read in no statement")?;
    let in_block = matches!(
        above,
        AstKind::BlockStatement(_) | AstKind::FunctionBody(_) | AstKind::Program(_) | AstKind::SwitchCase(_)
    );
    let exported = matches!(above, AstKind::ExportDeclaration(_));
    let between = tree.functions_around(id).first().is_some_and(|function| !holds(function.span(), statement.span()));
    if !(in_block || exported) || between {
        return Err(format!("there is no room to ask for {name} before it is used"));
    }
    let at = if exported { above.span() } else { statement.span() }.start as usize;
    let style = tree.style;
    let (indent, step, newline, end) = (tree.indent_at(at), style.step(), style.newline, style.end());
    let said = style.string(&format!("the environment variable {name} is not set"));
    let text = format!(
        "if (!process.env.{name}) {{{newline}{indent}{step}throw new Error({said}){end}{newline}{indent}}}{newline}{indent}"
    );
    let deed = deed(tree, variable)?;
    Ok(Draft {
        title: format!("Say that {name} is not set"),
        root_cause: format!("{cause} It has no default that would be right; now the error names it."),
        confidence: 0.55,
        risk: Risk::Medium,
        edits: vec![Replace::insert(at, text)],
        plan: Plan {
            name: format!("an error names {name} where it is not set"),
            deed,
            expect: Expect::Failure(name.clone()),
            environment: around(tree, name),
        },
    })
}

fn deed<'a>(tree: &Tree<'a>, variable: &Variable) -> Result<Deed<'a>, String> {
    if tree.functions_around(variable.id).is_empty() {
        // Read while the file is loaded; what is used later is used by a function.
        return Ok(match used_in_function(tree, variable) {
            Some(place) => Deed::Call(arrange(tree, place, &[place.1], |_, _, _| Ok(()))?),
            None => Deed::Load,
        });
    }
    let place = (variable.id, variable.span);
    // A pattern takes the variable when it takes what it is given.
    let goal = match tree.nodes().find(|kind| kind.node_id() == variable.id) {
        Some(AstKind::VariableDeclarator(declarator)) if variable.taken => {
            declarator.init.as_ref().map_or(variable.span, |init| init.get_inner_expression().span())
        }
        _ => variable.span,
    };
    Ok(Deed::Call(arrange(tree, place, &[goal], |_, _, _| Ok(()))?))
}

/// Where a function uses what the file read when it was loaded, if only functions do.
fn used_in_function(tree: &Tree<'_>, variable: &Variable) -> Option<(NodeId, Span)> {
    let symbol = tree.nodes().find_map(|kind| match kind {
        AstKind::VariableDeclarator(declarator) if holds(declarator.span, variable.span) => declarator
            .id
            .get_binding_identifiers()
            .into_iter()
            .find_map(|id| (!variable.taken || id.span == variable.span).then(|| id.symbol_id.get()).flatten()),
        _ => None,
    })?;
    let declared = tree.declarator(symbol).is_none_or(|declarator| {
        declarator.init.as_ref().is_some_and(|init| init.get_inner_expression().span() == variable.span)
    });
    if !declared {
        return None;
    }
    let uses = tree.uses(symbol);
    if uses.iter().any(|name| tree.functions_around(name.node_id()).is_empty()) {
        return None;
    }
    uses.first().map(|name| (name.node_id(), name.span))
}

/// The variable taken away, and the others that the file reads given.
fn around(tree: &Tree<'_>, name: &str) -> Vec<(String, Option<String>)> {
    let mut all = vec![(name.to_owned(), None)];
    for kind in tree.nodes() {
        let other = match kind {
            AstKind::StaticMemberExpression(it) if it.object.is_specific_member_access("process", "env") => {
                it.property.name.to_string()
            }
            AstKind::StringLiteral(it)
                if it.value.len() > 3
                    && it.value.contains('_')
                    && it.value.bytes().all(|b| b.is_ascii_uppercase() || b == b'_') =>
            {
                it.value.to_string()
            }
            _ => continue,
        };
        if !all.iter().any(|(known, _)| *known == other) {
            all.push((other, Some("https://example.com".into())));
        }
    }
    all
}
