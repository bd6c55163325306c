//! What operators need of their sides; a sum is of numbers or of text.

use oxc_ast::{
    AstKind,
    ast::{BinaryExpression, Expression},
};
use oxc_semantic::NodeId;
use oxc_syntax::operator::BinaryOperator;

use super::{Need, Uses};
use crate::{
    infer::kind_given_by,
    shape::{Kind, is_numeric_name},
    tree::property_of,
};

impl<'a> Uses<'_, 'a> {
    /// What an operator needs of one of its sides.
    pub(super) fn of_operand(
        &mut self,
        operator: BinaryOperator,
        is_left: bool,
        other: &'a Expression<'a>,
        id: NodeId,
    ) -> Need {
        use BinaryOperator as Op;
        match operator {
            Op::Addition => {
                let around = self.tree.above(id).any(
                    |kind| matches!(kind, AstKind::BinaryExpression(outer) if outer.operator == Op::Addition && has_text(outer)),
                );
                let kind =
                    if around { Kind::Text } else { self.summand(other).unwrap_or_else(|| self.by_name(id, other)) };
                Need::Default(kind)
            }
            // What is not there differs from everything: whether that is meant cannot be told.
            Op::StrictInequality | Op::Inequality if !other.is_null_or_undefined() => Need::Doubtful,
            Op::Division | Op::Remainder if !is_left => Need::Unsafe("it is divided by".into()),
            Op::Subtraction
            | Op::Multiplication
            | Op::Division
            | Op::Remainder
            | Op::Exponential
            | Op::BitwiseAnd
            | Op::BitwiseOR
            | Op::BitwiseXOR => Need::Default(Kind::Number),
            Op::In if !is_left => Need::Default(Kind::Object),
            Op::Instanceof if !is_left => Need::Unsafe("it is the right side of instanceof".into()),
            _ => Need::Fine,
        }
    }

    /// Whether a part of a sum is text or a number; none when that is not known.
    fn summand(&self, expression: &Expression<'a>) -> Option<Kind> {
        match expression.get_inner_expression() {
            Expression::StringLiteral(_) | Expression::TemplateLiteral(_) => Some(Kind::Text),
            Expression::NumericLiteral(_) | Expression::UnaryExpression(_) => Some(Kind::Number),
            Expression::BinaryExpression(inner) if inner.operator == BinaryOperator::Addition => {
                if has_text(inner) {
                    Some(Kind::Text)
                } else {
                    self.summand(&inner.left).or_else(|| self.summand(&inner.right))
                }
            }
            Expression::BinaryExpression(_) => Some(Kind::Number),
            Expression::Identifier(name) => {
                let init = self.tree.declarator(self.tree.symbol(name)?)?.init.as_ref()?;
                match init.get_inner_expression() {
                    Expression::Identifier(_) => None,
                    Expression::CallExpression(call) => kind_given_by(&property_of(&call.callee)?),
                    other => self.summand(other),
                }
            }
            _ => None,
        }
    }

    /// What a sum is made of, by the names of its parts.
    fn by_name(&self, id: NodeId, other: &Expression<'a>) -> Kind {
        let names = [property_of(other), other.get_identifier_reference().map(|name| name.name.to_string())];
        let own = match self.tree.parent(id) {
            AstKind::BinaryExpression(sum) => [&sum.left, &sum.right].into_iter().find_map(|side| last_property(side)),
            _ => None,
        };
        let sums = self.tree.functions_around(id).first().is_some_and(|function| {
            matches!(self.tree.parent(function.id()), AstKind::CallExpression(call)
                if property_of(&call.callee).as_deref() == Some("reduce")
                    && !matches!(call.arguments.get(1).and_then(|start| start.as_expression()), Some(Expression::StringLiteral(_))))
        });
        let numeric = names.into_iter().flatten().chain(own).any(|name| is_numeric_name(&name));
        if numeric || sums { Kind::Number } else { Kind::Text }
    }
}

fn has_text(expression: &BinaryExpression) -> bool {
    [&expression.left, &expression.right].into_iter().any(|side| match side.get_inner_expression() {
        Expression::StringLiteral(_) | Expression::TemplateLiteral(_) => true,
        Expression::BinaryExpression(inner) => inner.operator == BinaryOperator::Addition && has_text(inner),
        _ => false,
    })
}

/// The last name of a chain of reads.
fn last_property(expression: &Expression) -> Option<String> {
    match expression.get_inner_expression() {
        Expression::ChainExpression(chain) => {
            chain.expression.as_member_expression()?.static_property_name().map(|name| name.to_string())
        }
        other => property_of(other),
    }
}
