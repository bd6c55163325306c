//! The recipes, and which of them a fault is for.

mod absent;
mod collected;
mod environment;
mod json;
mod number;
mod patterns;
mod promise;

use autodevops_sdk::types::{Issue, Risk};

use crate::{edit::Replace, fault::Fault, place::Spot, testfile::Plan, tree::Tree};

/// A change, before it is checked and its test is written.
pub struct Draft<'a> {
    /// One line, in the imperative.
    pub title: String,
    /// Why the fault happened.
    pub root_cause: String,
    /// How sure the recipe is, from 0 to 1.
    pub confidence: f64,
    /// How risky the change is.
    pub risk: Risk,
    /// What changes.
    pub edits: Vec<Replace>,
    /// What the test does.
    pub plan: Plan<'a>,
}

/// Whether the cause of a fault may lie in a caller.
pub fn looks_outward(fault: &Fault) -> bool {
    matches!(
        fault,
        Fault::NotJson | Fault::Unhandled | Fault::PromiseAsText | Fault::NotAUrl | Fault::EnvironmentMissing { .. }
    )
}

/// The change that ends a fault at a place.
///
/// # Errors
/// Why there is none.
pub fn draft<'a>(tree: &Tree<'a>, fault: &Fault, spot: &Spot, _issue: &Issue) -> Result<Draft<'a>, String> {
    match fault {
        Fault::Read { property, of } => {
            let read = absent::locate(tree, spot, property)?;
            if let Some(draft) = collected::first_of_its_key(tree, spot, &read, property)? {
                return Ok(draft);
            }
            match (environment::variable(tree, read.object), promise::forgotten(tree, read.object)) {
                (Some(variable), _) => environment::read(tree, spot, &read, property, &variable),
                (None, Some(call)) => promise::used(tree, spot, call, false),
                (None, None) => absent::read(tree, spot, &read, property, *of),
            }
        }
        Fault::Set { property, .. }
            if let Ok(read) = absent::locate(tree, spot, property)
                && let Ok(Some(draft)) = collected::first_of_its_key(tree, spot, &read, property) =>
        {
            Ok(draft)
        }
        Fault::Set { property, of } => absent::set(tree, spot, property, *of),
        Fault::Destructured { property, of } => patterns::destructured(tree, spot, property.as_deref(), *of),
        Fault::NotIterable { text } => patterns::iterated(tree, spot, text.as_deref()),
        Fault::NotAnObject => patterns::listed(tree, spot),
        Fault::NotAFunction { callee } => match promise_called(tree, spot) {
            Some(call) => promise::used(tree, spot, call, false),
            None => number::draft(tree, spot, callee.as_deref()),
        },
        Fault::Unhandled => promise::unheard(tree, spot),
        Fault::PromiseAsText => promise::as_text(tree, spot),
        Fault::NotJson => json::draft(tree, spot),
        Fault::NotAUrl => environment::address(tree, spot),
        Fault::EnvironmentMissing { name } => environment::required(tree, spot, name),
    }
}

/// A promise of the file's own that a method is called on, on the line that failed.
fn promise_called<'a>(tree: &Tree<'a>, spot: &Spot) -> Option<&'a oxc_ast::ast::CallExpression<'a>> {
    use oxc_span::GetSpan as _;
    tree.nodes().find_map(|kind| {
        let oxc_ast::AstKind::CallExpression(call) = kind else { return None };
        let member = call.callee.get_inner_expression();
        let object = crate::tree::object_of(member)?;
        let name = crate::tree::property_of(member)?;
        let at = (member.span().end as usize).saturating_sub(name.len());
        if tree.line_of(at) != spot.line || matches!(name.as_str(), "then" | "catch" | "finally") {
            return None;
        }
        promise::forgotten(tree, object)
    })
}
