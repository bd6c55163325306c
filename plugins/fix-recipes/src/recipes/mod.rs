//! The recipes, and which of them a fault is for.

mod absent;
mod environment;
mod json;
mod number;
mod patterns;

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
    matches!(fault, Fault::NotJson | Fault::Unhandled | Fault::PromiseAsText | Fault::NotAUrl | Fault::EnvironmentMissing { .. })
}

/// The change that ends a fault at a place.
///
/// # Errors
/// Why there is none.
pub fn draft<'a>(tree: &Tree<'a>, fault: &Fault, spot: &Spot, _issue: &Issue) -> Result<Draft<'a>, String> {
    match fault {
        Fault::Read { property, of } => {
            let read = absent::locate(tree, spot, property)?;
            match environment::variable(tree, read.object) {
                Some(variable) => environment::read(tree, spot, &read, property, &variable),
                None => absent::read(tree, spot, &read, property, *of),
            }
        }
        Fault::Set { property, of } => absent::set(tree, spot, property, *of),
        Fault::Destructured { property, of } => patterns::destructured(tree, spot, property.as_deref(), *of),
        Fault::NotIterable { text } => patterns::iterated(tree, spot, text.as_deref()),
        Fault::NotAnObject => patterns::listed(tree, spot),
        Fault::NotAFunction { callee } => number::draft(tree, spot, callee.as_deref()),
        Fault::NotJson => json::draft(tree, spot),
        Fault::NotAUrl => environment::address(tree, spot),
        Fault::EnvironmentMissing { name } => environment::required(tree, spot, name),
        _ => Err("no recipe".into()),
    }
}
