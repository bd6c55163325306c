//! By which names a program knows `child_process` and its functions.

use std::collections::BTreeMap;

use oxc_ast::ast::{
    Argument, BindingPattern, Expression, ImportDeclaration, ImportDeclarationSpecifier, VariableDeclarator,
};
use oxc_ast_visit::{Visit, walk};

use super::expression::{name_of, text_of};

/// Whether a module's name is that of the module that starts programs.
pub fn is_process_name(name: &str) -> bool {
    matches!(name, "child_process" | "node:child_process")
}

/// Names by which the program knows `child_process` (as `*`) and its functions.
#[derive(Default)]
pub struct Names(pub BTreeMap<String, String>);

impl<'a> Visit<'a> for Names {
    fn visit_import_declaration(&mut self, import: &ImportDeclaration<'a>) {
        if !is_process_name(import.source.value.as_str()) {
            return;
        }
        for specifier in import.specifiers.iter().flatten() {
            let function = match specifier {
                ImportDeclarationSpecifier::ImportSpecifier(named) => named.imported.name().to_string(),
                _ => "*".to_owned(),
            };
            self.0.insert(specifier.local().name.to_string(), function);
        }
    }

    fn visit_variable_declarator(&mut self, declarator: &VariableDeclarator<'a>) {
        if let Some(init) = &declarator.init {
            let function = match init.get_inner_expression() {
                init if is_process_module(init) => Some("*".to_owned()),
                // const run = promisify(exec), or = cp.exec
                Expression::CallExpression(call) if name_of(&call.callee) == Some("promisify") => call
                    .arguments
                    .first()
                    .and_then(Argument::as_expression)
                    .and_then(|inner| process_function(&self.0, inner)),
                other => process_function(&self.0, other),
            };
            if let Some(function) = function {
                match &declarator.id {
                    BindingPattern::BindingIdentifier(name) => {
                        self.0.insert(name.name.to_string(), function);
                    }
                    BindingPattern::ObjectPattern(pattern) if function == "*" => {
                        for property in &pattern.properties {
                            if let (Some(key), Some(name)) =
                                (property.key.static_name(), property.value.get_identifier_name())
                            {
                                self.0.insert(name.to_string(), key.into_owned());
                            }
                        }
                    }
                    _ => {}
                }
            }
        }
        walk::walk_variable_declarator(self, declarator);
    }
}

/// The function of `child_process` that an expression is, by the names known so far.
pub fn process_function(names: &BTreeMap<String, String>, expression: &Expression<'_>) -> Option<String> {
    match expression.get_inner_expression() {
        Expression::Identifier(name) => names.get(name.name.as_str()).cloned(),
        other => {
            let member = other.as_member_expression()?;
            let of_module = is_process_module(member.object())
                || member
                    .object()
                    .get_identifier_reference()
                    .is_some_and(|name| names.get(name.name.as_str()).is_some_and(|function| function == "*"));
            if of_module { member.static_property_name().map(|name| name.to_string()) } else { None }
        }
    }
}

pub fn is_process_module(expression: &Expression<'_>) -> bool {
    match expression.get_inner_expression() {
        Expression::CallExpression(call) => {
            call.callee.is_specific_id("require") && first_is_process_module(&call.arguments)
        }
        Expression::AwaitExpression(awaited) => match awaited.argument.get_inner_expression() {
            Expression::ImportExpression(import) => text_of(&import.source).is_some_and(is_process_name),
            _ => false,
        },
        _ => false,
    }
}

pub fn first_is_process_module(arguments: &[Argument<'_>]) -> bool {
    arguments.first().and_then(Argument::as_expression).and_then(text_of).is_some_and(is_process_name)
}
