//! Making conditions true or false by what the arguments are.

use oxc_ast::ast::{BinaryExpression, CallExpression, Expression, UnaryOperator};
use oxc_syntax::operator::{BinaryOperator, LogicalOperator};

use super::{Run, Value, value::literal};
use crate::{
    shape::{Kind, Place, Step},
    tree::{object_of, property_of},
};

impl<'a> Run<'_, 'a> {
    /// Makes a condition come out as wanted, where the arguments can.
    pub(super) fn assume(&mut self, test: &'a Expression<'a>, truth: bool) {
        match test.get_inner_expression() {
            Expression::UnaryExpression(not) if not.operator == UnaryOperator::LogicalNot => {
                self.assume(&not.argument, !truth);
            }
            Expression::LogicalExpression(both) => {
                let all = match both.operator {
                    LogicalOperator::And => truth,
                    LogicalOperator::Or => !truth,
                    LogicalOperator::Coalesce => true,
                };
                if all {
                    self.assume(&both.left, truth);
                    if both.operator != LogicalOperator::Coalesce {
                        self.assume(&both.right, truth);
                    }
                } else if self.touches_avoided(&both.left) {
                    self.assume(&both.right, truth);
                } else {
                    self.assume(&both.left, truth);
                }
            }
            Expression::BinaryExpression(compared) => self.assume_compared(compared, truth),
            Expression::CallExpression(call) => self.assume_call(call, truth),
            _ => {
                let value = self.eval(test);
                self.assume_value(value, truth);
            }
        }
    }

    fn touches_avoided(&mut self, expression: &'a Expression<'a>) -> bool {
        let Some(avoid) = self.avoid.clone() else { return false };
        let inner = match expression.get_inner_expression() {
            Expression::UnaryExpression(not) => &not.argument,
            Expression::BinaryExpression(compared) => &compared.left,
            _ => expression,
        };
        matches!(self.eval(inner), Value::Place(place) if place.root == avoid.root && place.steps.starts_with(&avoid.steps))
    }

    fn assume_value(&mut self, value: Value<'a>, truth: bool) {
        match value {
            Value::Place(place) if truth => self.require(&place),
            Value::Place(place) => self.falsify(&place),
            Value::Lookup { key, known, .. } => match (*key, known, truth) {
                (Value::Place(place), Some(known), true) => self.fix(&place, known),
                (Value::Place(place), _, false) => self.fix(&place, "'unknown'".into()),
                _ => self.doubts += 1,
            },
            Value::Made(Kind::List | Kind::Object | Kind::Function | Kind::Date)
            | Value::Record(_)
            | Value::Tuple(_)
            | Value::ListOf(_)
            | Value::Func(_)
            | Value::Table(_)
                if truth => {}
            Value::Nothing if !truth => {}
            _ => self.doubts += 1,
        }
    }

    fn require(&mut self, place: &Place) {
        self.required.push(place.clone());
        self.shape(place).want(Kind::Truthy);
    }

    fn falsify(&mut self, place: &Place) {
        if self.required.contains(place) {
            self.doubts += 1;
            return;
        }
        self.shape(place).clear();
    }

    fn fix(&mut self, place: &Place, value: String) {
        let shape = self.shape(place);
        if shape.fixed.is_none() {
            shape.fixed = Some(value);
        }
    }

    fn assume_compared(&mut self, compared: &'a BinaryExpression<'a>, truth: bool) {
        use BinaryOperator as Op;
        let (left, right) = (&compared.left, &compared.right);
        let turned = literal(left).is_some() || left.is_null_or_undefined();
        let (subject, other) = if turned { (right, left) } else { (left, right) };
        match compared.operator {
            Op::StrictEquality | Op::Equality => {
                let subject_value = self.eval(subject);
                if let Expression::UnaryExpression(of) = subject.get_inner_expression()
                    && of.operator == UnaryOperator::Typeof
                {
                    let value = self.eval(&of.argument);
                    self.assume_type(&value, other, truth);
                } else if let Some(place) = self.length_of(subject) {
                    self.assume_length(&place, compared.operator, other, truth);
                } else {
                    self.assume_equal(&subject_value, other, truth);
                }
            }
            Op::StrictInequality | Op::Inequality => {
                let subject_value = self.eval(subject);
                if let Expression::UnaryExpression(of) = subject.get_inner_expression()
                    && of.operator == UnaryOperator::Typeof
                {
                    let value = self.eval(&of.argument);
                    self.assume_type(&value, other, !truth);
                } else if let Some(place) = self.length_of(subject) {
                    self.assume_length(&place, Op::StrictEquality, other, !truth);
                } else {
                    self.assume_equal(&subject_value, other, !truth);
                }
            }
            Op::LessThan | Op::LessEqualThan | Op::GreaterThan | Op::GreaterEqualThan if !turned => {
                if let Some(place) = self.length_of(subject) {
                    self.assume_length(&place, compared.operator, other, truth);
                    return;
                }
                let value = self.eval(subject);
                let (Value::Place(place), Expression::NumericLiteral(number)) = (value, other.get_inner_expression())
                else {
                    self.doubts += 1;
                    return;
                };
                let fits = match (compared.operator, truth) {
                    (Op::LessThan, true) | (Op::GreaterEqualThan, false) => number.value - 1.0,
                    (Op::GreaterThan, true) | (Op::LessEqualThan, false) => number.value + 1.0,
                    _ => number.value,
                };
                self.shape(&place).want(Kind::Number);
                self.fix(&place, fits.to_string());
            }
            Op::Instanceof => self.doubts += 1,
            _ => self.doubts += 1,
        }
    }

    /// What an expression of the form `x.length` or `x.size` measures.
    fn length_of(&mut self, expression: &'a Expression<'a>) -> Option<Place> {
        if property_of(expression).as_deref() != Some("length") {
            return None;
        }
        match self.eval(object_of(expression)?) {
            Value::Place(place) => Some(place),
            _ => None,
        }
    }

    fn assume_length(&mut self, place: &Place, operator: BinaryOperator, other: &'a Expression<'a>, truth: bool) {
        use BinaryOperator as Op;
        let Expression::NumericLiteral(number) = other.get_inner_expression() else {
            self.doubts += 1;
            return;
        };
        let empty = match operator {
            Op::StrictEquality | Op::Equality => number.value == 0.0 && truth,
            Op::GreaterThan | Op::GreaterEqualThan => !truth,
            _ => truth,
        };
        let item = place.then(Step::Item);
        self.shape(place).want(Kind::Sized);
        let kind = self.shape(place).kind;
        match (kind, empty) {
            (Kind::Text, true) => self.fix(place, "''".into()),
            (Kind::Text, false) => {}
            (_, true) => self.shape(&item).clear(),
            (_, false) => {
                self.shape(&item);
            }
        }
    }

    fn assume_type(&mut self, value: &Value<'a>, name: &'a Expression<'a>, truth: bool) {
        let (Value::Place(place), Expression::StringLiteral(name)) = (value, name.get_inner_expression()) else {
            self.doubts += 1;
            return;
        };
        let kind = match name.value.as_str() {
            "string" => Kind::Text,
            "number" => Kind::Number,
            "boolean" => Kind::Flag,
            "function" => Kind::Function,
            "object" => Kind::Object,
            "undefined" if truth => return self.falsify(place),
            "undefined" => return self.require(place),
            _ => {
                self.doubts += 1;
                return;
            }
        };
        if truth {
            self.shape(place).want(kind);
        }
    }

    /// Makes a value equal to a literal, or not.
    pub(super) fn assume_equal(&mut self, value: &Value<'a>, other: &'a Expression<'a>, truth: bool) {
        if other.is_null_or_undefined() {
            return self.assume_value(value.clone(), !truth);
        }
        match (value, literal(other), truth) {
            (Value::Place(place), Some(text), true) => self.fix(place, text),
            // Samples are seldom just the value that is spoken of.
            (Value::Place(_), Some(_), false) => {}
            (Value::Place(place), None, true) => {
                let constant = self.eval(other);
                match constant {
                    Value::Place(other) if other != *place => {
                        for place in [place, &other] {
                            self.fix(place, "'same'".into());
                        }
                    }
                    _ => self.doubts += 1,
                }
            }
            _ => self.doubts += 1,
        }
    }

    fn assume_call(&mut self, call: &'a CallExpression<'a>, truth: bool) {
        let name = property_of(&call.callee).unwrap_or_default();
        let first = call.arguments.first().and_then(|argument| argument.as_expression());
        let object = object_of(&call.callee);
        let given = first.map(|first| self.eval(first));
        match (name.as_str(), given) {
            ("isArray", Some(Value::Place(place))) => {
                if truth {
                    self.required.push(place.clone());
                    self.shape(&place).want(Kind::List);
                }
            }
            ("isInteger" | "isFinite" | "isSafeInteger", Some(Value::Place(place))) => {
                if truth {
                    self.shape(&place).want(Kind::Number);
                }
            }
            ("isNaN", Some(_)) if !truth => {}
            ("includes", _) if truth && first.and_then(literal).is_some() => {
                let list = object.map(|object| match self.eval(object) {
                    Value::Promise(value) => *value,
                    other => other,
                });
                let (Some(Value::Place(list)), Some(text)) = (list, first.and_then(literal)) else {
                    self.doubts += 1;
                    return;
                };
                if self.shape(&list).kind == Kind::Text {
                    self.fix(&list, text);
                } else {
                    self.shape(&list).want(Kind::List);
                    self.fix(&list.then(Step::Item), text);
                }
            }
            ("includes" | "has", Some(Value::Place(place))) => match object.map(|object| self.eval(object)) {
                Some(Value::Table(table)) => match (Value::first_entry(table), truth) {
                    (Some((known, _)), true) => self.fix(&place, known),
                    (_, false) => {}
                    _ => self.doubts += 1,
                },
                _ => self.doubts += 1,
            },
            (_, _) => {
                let value = match object.map(|object| self.eval(object)) {
                    Some(Value::Place(place)) => Some(place),
                    _ => None,
                };
                match value {
                    // A function of the argument's own: it answers what is wanted.
                    Some(place) if !super::methods::is_built_in(&name) => {
                        let result = place.property(&name).then(Step::Call);
                        self.fix(&result, truth.to_string());
                    }
                    _ => self.doubts += 1,
                }
            }
        }
    }
}
