//! Whether the code already looks before it reads.

use oxc_ast::AstKind;
use oxc_semantic::NodeId;
use oxc_span::GetSpan;
use oxc_syntax::operator::LogicalOperator;

use crate::tree::Tree;

/// Whether a condition around a node, or before it in its block, speaks of a text such as `order.address`.
pub fn is_guarded(tree: &Tree<'_>, id: NodeId, start: u32, text: &str) -> bool {
    for kind in tree.above(id) {
        let test = match kind {
            AstKind::IfStatement(it) => Some(it.test.span()),
            AstKind::ConditionalExpression(it) => Some(it.test.span()),
            AstKind::LogicalExpression(it) if it.operator != LogicalOperator::Coalesce => Some(it.left.span()),
            AstKind::BlockStatement(block) if left_before(tree, &block.body, start, text) => return true,
            AstKind::FunctionBody(body) if left_before(tree, &body.statements, start, text) => return true,
            _ => None,
        };
        if test.is_some_and(|test| test.end <= start && mentions(tree.at(test), text)) {
            return true;
        }
    }
    false
}

fn left_before(tree: &Tree<'_>, statements: &[oxc_ast::ast::Statement], before: u32, text: &str) -> bool {
    statements.iter().take_while(|statement| statement.span().end <= before).any(|statement| match statement {
        oxc_ast::ast::Statement::IfStatement(it) => {
            crate::infer::leaves(&it.consequent) && mentions(tree.at(it.test.span()), text)
        }
        _ => false,
    })
}

/// Whether a text speaks of a name or a path, as a whole.
fn mentions(text: &str, name: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$');
    text.match_indices(name).any(|(at, _)| {
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        let after = text.get(at + name.len()..).and_then(|after| after.chars().next());
        !before.is_some_and(|c| part(c) || c == '.') && !after.is_some_and(|c| part(c) || matches!(c, '.' | '['))
    })
}
