//! Something was collected under a key of an object that begins empty, and nothing was there for the key's first time.

use autodevops_sdk::types::Risk;
use oxc_ast::{AstKind, ast::Expression};
use oxc_span::GetSpan as _;
use oxc_syntax::operator::AssignmentOperator;

use super::{
    Draft,
    absent::{Read, short},
};
use crate::{
    edit::Replace,
    place::Spot,
    probe::arrange,
    testfile::{Deed, Expect, Plan},
    tree::Tree,
};

/// `groups[key].push(one)` and `totals[key].count += 1`: what is collected into is made when its key comes up first. None where
/// the place is of another kind.
///
/// # Errors
/// Why it cannot be made.
pub fn first_of_its_key<'a>(
    tree: &Tree<'a>,
    spot: &Spot,
    read: &Read<'a>,
    property: &str,
) -> Result<Option<Draft<'a>>, String> {
    let Expression::ComputedMemberExpression(entry) = read.object.get_inner_expression() else { return Ok(None) };
    let begins_empty = entry
        .object
        .get_identifier_reference()
        .and_then(|name| tree.symbol(name))
        .and_then(|symbol| tree.declarator(symbol))
        .and_then(|declarator| declarator.init.as_ref())
        .is_some_and(|init| match init.get_inner_expression() {
            Expression::ObjectExpression(object) => object.properties.is_empty(),
            Expression::CallExpression(call) => call.callee.is_specific_member_access("Object", "create"),
            _ => false,
        });
    let Some(first) = begins_empty.then(|| beginning(tree, read, property)).flatten() else { return Ok(None) };
    let Some((statement, above)) = tree.statement(read.id) else { return Ok(None) };
    if !matches!(above, AstKind::BlockStatement(_) | AstKind::FunctionBody(_)) {
        return Err("the statement stands without braces".into());
    }
    let base = tree.at(read.object.span());
    if base.contains(['=', '`']) || base.contains("++") || base.contains("--") {
        return Err(format!("`{}` cannot be asked twice", short(base)));
    }
    let goal = read.object.get_inner_expression().span();
    let call = arrange(tree, (read.id, read.span), &[goal], |_, _, _| Ok(()))?;
    let at = statement.span().start as usize;
    let (indent, newline, end) = (tree.indent_at(at), tree.style.newline, tree.style.end());
    let what = short(base);
    Ok(Some(Draft {
        title: format!("Begin {what} where its key comes up first"),
        root_cause: format!(
            "Nothing is in `{what}` the first time, and line {} of {} uses its `{property}` all the same.",
            spot.line, spot.path
        ),
        confidence: 0.85 * call.confidence,
        risk: Risk::Low,
        edits: vec![Replace::insert(at, format!("{base} ??= {first}{end}{newline}{indent}"))],
        plan: Plan {
            name: format!("{} begins {what}", call.entry.name),
            deed: Deed::Call(call),
            expect: Expect::Quiet,
            environment: Vec::new(),
        },
    }))
}

/// What is collected into begins as this, as JavaScript.
fn beginning(tree: &Tree<'_>, read: &Read<'_>, property: &str) -> Option<String> {
    let key = if crate::shape::is_name(property) { property.to_owned() } else { tree.style.string(property) };
    match tree.parent(read.id) {
        AstKind::CallExpression(call) if call.callee.span() == read.span => match property {
            "push" | "unshift" => Some("[]".into()),
            "add" => Some("new Set()".into()),
            "set" => Some("new Map()".into()),
            _ => None,
        },
        AstKind::UpdateExpression(_) => Some(format!("{{ {key}: 0 }}")),
        AstKind::AssignmentExpression(it) if it.left.span() == read.span => match it.operator {
            AssignmentOperator::Assign => Some("{}".into()),
            AssignmentOperator::Addition => match it.right.get_inner_expression() {
                Expression::StringLiteral(_) | Expression::TemplateLiteral(_) => {
                    Some(format!("{{ {key}: {} }}", tree.style.string("")))
                }
                _ => Some(format!("{{ {key}: 0 }}")),
            },
            AssignmentOperator::Subtraction => Some(format!("{{ {key}: 0 }}")),
            _ => None,
        },
        _ => None,
    }
}
