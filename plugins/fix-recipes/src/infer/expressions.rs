//! The abstract run, expression by expression.

use oxc_ast::ast::{
    ArrayExpressionElement, AssignmentTarget, Expression, IdentifierReference, MemberExpression, ObjectPropertyKind,
};
use oxc_span::GetSpan;
use oxc_syntax::operator::{AssignmentOperator, BinaryOperator, UnaryOperator};

use super::{Run, Value, value::is_table};
use crate::{
    shape::{Kind, Step},
    tree::Func,
};

impl<'a> Run<'_, 'a> {
    /// What an expression gives; notes what it asks of the arguments.
    pub(super) fn eval(&mut self, expression: &'a Expression<'a>) -> Value<'a> {
        let value = self.eval_inner(expression);
        let span = expression.span();
        if self.goals.contains(&span) {
            self.hits.push((span, value.clone()));
        }
        value
    }

    fn eval_inner(&mut self, expression: &'a Expression<'a>) -> Value<'a> {
        match expression {
            Expression::ParenthesizedExpression(it) => self.eval(&it.expression),
            Expression::TSAsExpression(it) => self.eval(&it.expression),
            Expression::TSSatisfiesExpression(it) => self.eval(&it.expression),
            Expression::TSNonNullExpression(it) => self.eval(&it.expression),
            Expression::TSTypeAssertion(it) => self.eval(&it.expression),
            Expression::StringLiteral(_) => Value::Made(Kind::Text),
            Expression::NumericLiteral(_) => Value::Made(Kind::Number),
            Expression::BooleanLiteral(_) => Value::Made(Kind::Flag),
            Expression::NullLiteral(_) => Value::Nothing,
            Expression::TemplateLiteral(it) => {
                for part in &it.expressions {
                    self.eval(part);
                }
                Value::Made(Kind::Text)
            }
            Expression::TaggedTemplateExpression(it) => {
                for part in &it.quasi.expressions {
                    self.eval(part);
                }
                Value::Unknown
            }
            Expression::Identifier(name) => self.name(name),
            Expression::ThisExpression(_) => Value::This,
            Expression::ArrayExpression(it) => {
                let mut values = Vec::new();
                let mut spread = None;
                for element in &it.elements {
                    match element {
                        ArrayExpressionElement::SpreadElement(list) => {
                            let list = self.eval(&list.argument);
                            spread = Some(self.element(list));
                        }
                        ArrayExpressionElement::Elision(_) => values.push(Value::Nothing),
                        other => {
                            if let Some(other) = other.as_expression() {
                                let value = self.eval(other);
                                values.push(value);
                            }
                        }
                    }
                }
                match spread {
                    Some(element) => Value::ListOf(Box::new(element)),
                    None => Value::Tuple(values),
                }
            }
            Expression::ObjectExpression(it) => {
                let mut values = Vec::new();
                for property in &it.properties {
                    match property {
                        ObjectPropertyKind::ObjectProperty(property) => {
                            let value = self.eval(&property.value);
                            if let Some(name) = property.key.static_name() {
                                values.push((name.into_owned(), value));
                            }
                        }
                        ObjectPropertyKind::SpreadProperty(spread) => match self.eval(&spread.argument) {
                            Value::Record(known) => values.extend(known),
                            Value::Place(place) => {
                                self.shape(&place).want(Kind::Object);
                                values.push(("...".into(), Value::Place(place)));
                            }
                            _ => {}
                        },
                    }
                }
                Value::Record(values)
            }
            Expression::FunctionExpression(it) => Value::Func(Func::Function(it)),
            Expression::ArrowFunctionExpression(it) => Value::Func(Func::Arrow(it)),
            Expression::AwaitExpression(it) => {
                self.awaited = Some(it.argument.get_inner_expression().span());
                let value = self.eval(&it.argument);
                if let Value::Place(place) = &value {
                    self.shape(&place.then(Step::Await));
                }
                value.awaited()
            }
            Expression::UnaryExpression(it) => {
                let value = self.eval(&it.argument);
                match it.operator {
                    UnaryOperator::UnaryNegation | UnaryOperator::UnaryPlus | UnaryOperator::BitwiseNot => {
                        self.want(&value, Kind::Number);
                        Value::Made(Kind::Number)
                    }
                    UnaryOperator::LogicalNot | UnaryOperator::Delete => Value::Made(Kind::Flag),
                    UnaryOperator::Typeof => Value::Made(Kind::Text),
                    UnaryOperator::Void => Value::Nothing,
                }
            }
            Expression::UpdateExpression(_) => Value::Made(Kind::Number),
            Expression::BinaryExpression(it) => {
                let (left, right) = (self.eval(&it.left), self.eval(&it.right));
                self.binary(it.operator, &left, &right)
            }
            Expression::LogicalExpression(it) => {
                let left = self.eval(&it.left);
                if self.leads_to_goal(it.right.span()) {
                    match it.operator {
                        oxc_syntax::operator::LogicalOperator::And => self.assume(&it.left, true),
                        oxc_syntax::operator::LogicalOperator::Or | oxc_syntax::operator::LogicalOperator::Coalesce => {
                            self.assume(&it.left, false)
                        }
                    }
                    return self.eval(&it.right);
                }
                let right = self.eval(&it.right);
                if it.operator == oxc_syntax::operator::LogicalOperator::And
                    || matches!(left, Value::Unknown | Value::Nothing)
                {
                    right
                } else {
                    left
                }
            }
            Expression::ConditionalExpression(it) => {
                self.eval(&it.test);
                if self.leads_to_goal(it.consequent.span()) {
                    self.assume(&it.test, true);
                    return self.eval(&it.consequent);
                }
                if self.leads_to_goal(it.alternate.span()) {
                    self.assume(&it.test, false);
                    return self.eval(&it.alternate);
                }
                let (first, second) = (self.eval(&it.consequent), self.eval(&it.alternate));
                if matches!(first, Value::Nothing | Value::Unknown) { second } else { first }
            }
            Expression::AssignmentExpression(it) => {
                let value = self.eval(&it.right);
                self.assign(&it.left, it.operator, value.clone());
                value
            }
            Expression::SequenceExpression(it) => {
                let mut last = Value::Nothing;
                for part in &it.expressions {
                    last = self.eval(part);
                }
                last
            }
            Expression::ChainExpression(it) => match &it.expression {
                oxc_ast::ast::ChainElement::CallExpression(call) => self.eval_call(call),
                oxc_ast::ast::ChainElement::TSNonNullExpression(inner) => self.eval(&inner.expression),
                other => match other.as_member_expression() {
                    Some(member) => self.eval_member(member),
                    None => Value::Unknown,
                },
            },
            Expression::CallExpression(it) => self.eval_call(it),
            Expression::NewExpression(it) => self.eval_new(it),
            Expression::YieldExpression(it) => {
                if let Some(value) = &it.argument {
                    self.eval(value);
                }
                Value::Unknown
            }
            Expression::RegExpLiteral(_) => Value::Made(Kind::Object),
            other => match other.as_member_expression() {
                Some(member) => self.eval_member(member),
                None => Value::Unknown,
            },
        }
    }

    fn name(&mut self, name: &'a IdentifierReference<'a>) -> Value<'a> {
        let Some(symbol) = self.tree.symbol(name) else {
            return match name.name.as_str() {
                "undefined" => Value::Nothing,
                "NaN" | "Infinity" => Value::Made(Kind::Number),
                other => Value::Global(other.to_owned()),
            };
        };
        if let Some(value) = self.names.get(&symbol) {
            return value.clone();
        }
        if let Some(function) = self.tree.function_of(symbol) {
            return Value::Func(function);
        }
        if let Some(module) = crate::entry::module_of(self.tree, symbol) {
            return Value::Import(module);
        }
        if let oxc_ast::AstKind::VariableDeclarator(declarator) = self.tree.declaration(symbol)
            && declarator.id.is_object_pattern()
            && declarator.init.as_ref().is_some_and(|init| init.is_specific_member_access("process", "env"))
        {
            return Value::Environment(name.name.to_string());
        }
        let Some(init) = self.tree.declarator(symbol).and_then(|declarator| declarator.init.as_ref()) else {
            return Value::Unknown;
        };
        if self.tree.is_mutated(symbol) || !self.tree.is_top_level(symbol) {
            return Value::Unknown;
        }
        self.constant(init)
    }

    /// What a constant of the file is.
    pub(super) fn constant(&mut self, init: &'a Expression<'a>) -> Value<'a> {
        if is_table(init) {
            return Value::Table(init);
        }
        match init.get_inner_expression() {
            Expression::StringLiteral(_)
            | Expression::NumericLiteral(_)
            | Expression::BooleanLiteral(_)
            | Expression::TemplateLiteral(_)
            | Expression::NullLiteral(_)
            | Expression::FunctionExpression(_)
            | Expression::ArrowFunctionExpression(_)
            | Expression::BinaryExpression(_)
            | Expression::RegExpLiteral(_)
            | Expression::NewExpression(_)
            | Expression::LogicalExpression(_)
            | Expression::StaticMemberExpression(_) => self.eval(init),
            Expression::CallExpression(_) => Value::Import("a call".into()),
            _ => Value::Unknown,
        }
    }

    fn binary(&mut self, operator: BinaryOperator, left: &Value<'a>, right: &Value<'a>) -> Value<'a> {
        use BinaryOperator as Op;
        match operator {
            Op::Addition => {
                let text = [left, right].into_iter().any(|value| matches!(value, Value::Made(Kind::Text)));
                let number = [left, right].into_iter().any(|value| matches!(value, Value::Made(Kind::Number)));
                let kind = if text { Kind::Text } else { Kind::Number };
                if number || text {
                    for value in [left, right] {
                        if number && !text {
                            self.want(value, Kind::Number);
                        }
                    }
                }
                Value::Made(kind)
            }
            Op::Subtraction
            | Op::Multiplication
            | Op::Division
            | Op::Remainder
            | Op::Exponential
            | Op::BitwiseAnd
            | Op::BitwiseOR
            | Op::BitwiseXOR
            | Op::ShiftLeft
            | Op::ShiftRight
            | Op::ShiftRightZeroFill => {
                for value in [left, right] {
                    self.want(value, Kind::Number);
                }
                Value::Made(Kind::Number)
            }
            Op::LessThan | Op::LessEqualThan | Op::GreaterThan | Op::GreaterEqualThan => {
                let number = [left, right].into_iter().any(|value| matches!(value, Value::Made(Kind::Number)));
                if number {
                    for value in [left, right] {
                        self.want(value, Kind::Number);
                    }
                }
                Value::Made(Kind::Flag)
            }
            Op::In => {
                self.want(right, Kind::Object);
                Value::Made(Kind::Flag)
            }
            _ => Value::Made(Kind::Flag),
        }
    }

    pub(super) fn want(&mut self, value: &Value<'a>, kind: Kind) {
        if let Value::Place(place) | Value::Part(place) = value {
            self.shape(place).want(kind);
        }
    }

    fn assign(&mut self, target: &'a AssignmentTarget<'a>, operator: AssignmentOperator, value: Value<'a>) {
        match target {
            AssignmentTarget::AssignmentTargetIdentifier(name) => {
                let Some(symbol) = self.tree.symbol(name) else { return };
                if operator == AssignmentOperator::Assign {
                    self.names.insert(symbol, value);
                } else if operator == AssignmentOperator::Addition {
                    let number = matches!(self.names.get(&symbol), Some(Value::Made(Kind::Number)));
                    if number {
                        self.want(&value, Kind::Number);
                    }
                } else if matches!(operator, AssignmentOperator::Subtraction | AssignmentOperator::Multiplication) {
                    self.want(&value, Kind::Number);
                }
            }
            other => {
                let Some(member) = other.as_member_expression() else { return };
                let object = self.eval(member.object());
                if let MemberExpression::ComputedMemberExpression(computed) = member {
                    self.eval(&computed.expression);
                }
                match object {
                    Value::This => {
                        let name = match member {
                            MemberExpression::PrivateFieldExpression(field) => format!("#{}", field.field.name),
                            other => other.static_property_name().unwrap_or_default().to_string(),
                        };
                        self.this.insert(name, value);
                    }
                    Value::Place(place) => self.shape(&place).want(Kind::Object),
                    Value::Unknown if !self.goals.contains(&member.object().span()) => {
                        self.hazard(member.object().span());
                    }
                    _ => {}
                }
            }
        }
    }

    pub(super) fn hazard(&mut self, span: oxc_span::Span) {
        let text: String = self.tree.at(span).chars().take(60).collect();
        self.hazards.push(text);
    }

    fn eval_member(&mut self, member: &'a MemberExpression<'a>) -> Value<'a> {
        let object = self.eval(member.object());
        let optional = member.optional();
        match member {
            MemberExpression::ComputedMemberExpression(it) => {
                let key = self.eval(&it.expression);
                match crate::tree::key_of(&it.expression) {
                    Some(name) if name.parse::<u32>().is_ok() => self.index(object, &name),
                    Some(name) => self.member(object, &name, optional),
                    None => self.keyed(object, key, member.object().span()),
                }
            }
            MemberExpression::StaticMemberExpression(it) => {
                if matches!(object, Value::Unknown | Value::Match(_))
                    && !optional
                    && !self.goals.contains(&it.object.span())
                {
                    self.hazard(it.span);
                }
                self.member(object, it.property.name.as_str(), optional)
            }
            MemberExpression::PrivateFieldExpression(it) => {
                self.member(object, &format!("#{}", it.field.name), optional)
            }
        }
    }

    fn index(&mut self, list: Value<'a>, index: &str) -> Value<'a> {
        match list {
            Value::Tuple(values) => {
                index.parse::<usize>().ok().and_then(|index| values.get(index).cloned()).unwrap_or(Value::Nothing)
            }
            Value::Table(table) => match Value::in_table(table, index) {
                Some(found) => self.constant(found),
                None => Value::Unknown,
            },
            Value::Match(subject) => Value::Match(subject),
            Value::Promise(value) => self.index(*value, index),
            other => self.element_at(other, index.parse().unwrap_or(0)),
        }
    }

    /// `object[key]` for a key that is known only when it runs.
    fn keyed(&mut self, object: Value<'a>, key: Value<'a>, span: oxc_span::Span) -> Value<'a> {
        match (object, key) {
            (Value::Table(table), key) => {
                let first = Value::first_entry(table);
                Value::Lookup {
                    key: Box::new(key),
                    found: first.as_ref().and_then(|(_, found)| *found),
                    known: first.map(|(known, _)| known),
                }
            }
            (Value::Place(place), Value::Made(Kind::Text)) => self.member(Value::Place(place), "key", false),
            (Value::Place(place), Value::Place(key)) => {
                let shape = self.shape(&key);
                if shape.fixed.is_none() {
                    shape.fixed = Some("'key'".into());
                }
                let name = shape.fixed.clone().unwrap_or_default();
                self.member(Value::Place(place), name.trim_matches('\''), false)
            }
            (Value::Promise(value), key) => self.keyed(*value, key, span),
            (Value::Global(path), _) if path == "process.env" => Value::Unknown,
            (list @ (Value::Place(_) | Value::ListOf(_) | Value::Tuple(_)), _) => self.element(list),
            (Value::Unknown, _) => {
                self.hazard(span);
                Value::Unknown
            }
            _ => Value::Unknown,
        }
    }

    /// A property of a value.
    pub(super) fn member(&mut self, object: Value<'a>, name: &str, _optional: bool) -> Value<'a> {
        match object {
            Value::Place(place) | Value::Part(place) if name == "length" => {
                self.shape(&place).want(Kind::Sized);
                Value::Made(Kind::Number)
            }
            Value::Place(place) => {
                let part = place.property(name);
                self.shape(&part);
                Value::Place(part)
            }
            Value::Record(values) => {
                let own = values.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.clone());
                match (own, values.iter().find(|(key, _)| key == "...")) {
                    (Some(value), _) => value,
                    (None, Some((_, Value::Place(place)))) => self.member(Value::Place(place.clone()), name, false),
                    _ => Value::Nothing,
                }
            }
            Value::Table(table) => match Value::in_table(table, name) {
                Some(found) => self.constant(found),
                None => Value::Made(Kind::Unknown),
            },
            Value::Lookup { key, known, found } => {
                // Read as if it is there: so the key must be one that is.
                if let (Value::Place(place), Some(known)) = (*key, known) {
                    let shape = self.shape(&place);
                    if shape.fixed.is_none() {
                        shape.fixed = Some(known);
                    }
                }
                match found.map(|found| self.constant(found)) {
                    Some(found) => self.member(found, name, false),
                    None => Value::Made(Kind::Unknown),
                }
            }
            Value::This => match self.this.get(name) {
                Some(value) => value.clone(),
                None => self.method_of_class(name).map_or(Value::Unknown, Value::Func),
            },
            Value::Global(path) if path == "process.env" => Value::Environment(name.to_owned()),
            Value::Global(path) => Value::Global(format!("{path}.{name}")),
            Value::Import(module) => Value::Import(module),
            Value::Environment(_) => Value::Made(if name == "length" { Kind::Number } else { Kind::Unknown }),
            Value::Promise(value) => self.member(*value, name, false),
            Value::Made(Kind::Unknown) => Value::Made(Kind::Unknown),
            Value::ListOf(_) | Value::Tuple(_) if name == "length" => Value::Made(Kind::Number),
            Value::Made(kind) if kind != Kind::Unknown => {
                Value::Made(if matches!(name, "length" | "size") { Kind::Number } else { Kind::Unknown })
            }
            _ => Value::Unknown,
        }
    }
}
