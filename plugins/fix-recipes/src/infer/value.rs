//! What an expression gives, as far as it matters for the argument of a test.

use oxc_ast::ast::{ArrayExpression, Expression, ObjectExpression, ObjectPropertyKind};

use crate::{
    shape::{Kind, Place},
    tree::{Func, key_of},
};

/// A value in an abstract run.
#[derive(Clone)]
pub enum Value<'a> {
    /// Part of an argument.
    Place(Place),
    /// Something of this kind, made by the code itself.
    Made(Kind),
    /// Values side by side.
    Tuple(Vec<Value<'a>>),
    /// An object that the code made.
    Record(Vec<(String, Value<'a>)>),
    /// A list that the code made, of such elements.
    ListOf(Box<Value<'a>>),
    /// A function.
    Func(Func<'a>),
    /// A constant of the file: its table, list or object.
    Table(&'a Expression<'a>),
    /// What was looked up in a constant by a key.
    Lookup {
        /// The key.
        key: Box<Value<'a>>,
        /// A key that is there, as JavaScript.
        known: Option<String>,
        /// What is found by it.
        found: Option<&'a Expression<'a>>,
    },
    /// What `match` gave for a text.
    Match(Box<Value<'a>>),
    /// An environment variable.
    Environment(String),
    /// Something that an engine has, by its name.
    Global(String),
    /// Something of another module.
    Import(String),
    /// A part of a text that was split, but not its first: missing where nothing splits it.
    Part(Place),
    /// A map that nothing was put into yet.
    NewMap,
    /// `this` in a method of the class.
    This,
    /// A promise of a value.
    Promise(Box<Value<'a>>),
    /// `undefined` or `null`.
    Nothing,
    /// Nothing is known of it.
    Unknown,
}

impl<'a> Value<'a> {
    /// What waiting for it gives.
    pub fn awaited(self) -> Self {
        match self {
            Self::Place(place) => Self::Place(place.then(crate::shape::Step::Await)),
            Self::Promise(value) => *value,
            other => other,
        }
    }

    /// What stands in a constant under a name.
    pub fn in_table(table: &'a Expression<'a>, name: &str) -> Option<&'a Expression<'a>> {
        match unfrozen(table) {
            Expression::ObjectExpression(object) => {
                properties(object).find(|(key, _)| key == name).map(|(_, value)| value)
            }
            Expression::ArrayExpression(list) => {
                list.elements.get(name.parse::<usize>().ok()?).and_then(|element| element.as_expression())
            }
            _ => None,
        }
    }

    /// The first key of a constant, as JavaScript, and what is found by it.
    pub fn first_entry(table: &'a Expression<'a>) -> Option<(String, Option<&'a Expression<'a>>)> {
        match unfrozen(table) {
            Expression::ObjectExpression(object) => {
                let (key, value) = properties(object).next()?;
                Some((format!("'{key}'"), Some(value)))
            }
            Expression::ArrayExpression(list) => {
                let first = list.elements.first()?.as_expression()?;
                Some((literal(first)?, Some(first)))
            }
            Expression::NewExpression(made) => {
                let Expression::ArrayExpression(list) = made.arguments.first()?.as_expression()?.get_inner_expression()
                else {
                    return None;
                };
                let first = list.elements.first()?.as_expression()?.get_inner_expression();
                match first {
                    Expression::ArrayExpression(pair) => {
                        let key = literal(pair.elements.first()?.as_expression()?)?;
                        Some((key, pair.elements.get(1).and_then(|value| value.as_expression())))
                    }
                    other => Some((literal(other)?, None)),
                }
            }
            _ => None,
        }
    }

    /// The first element of a constant list.
    pub fn first_element(table: &'a Expression<'a>) -> Option<&'a Expression<'a>> {
        match unfrozen(table) {
            Expression::ArrayExpression(list) => first_of(list),
            _ => None,
        }
    }
}

fn first_of<'a>(list: &'a ArrayExpression<'a>) -> Option<&'a Expression<'a>> {
    list.elements.first()?.as_expression()
}

fn properties<'a>(object: &'a ObjectExpression<'a>) -> impl Iterator<Item = (String, &'a Expression<'a>)> {
    object.properties.iter().filter_map(|property| match property {
        ObjectPropertyKind::ObjectProperty(property) => {
            Some((property.key.static_name()?.into_owned(), &property.value))
        }
        ObjectPropertyKind::SpreadProperty(_) => None,
    })
}

/// What `Object.freeze` was given, or the expression itself.
pub fn unfrozen<'a>(expression: &'a Expression<'a>) -> &'a Expression<'a> {
    let inner = expression.get_inner_expression();
    if let Expression::CallExpression(call) = inner
        && call.callee.is_specific_member_access("Object", "freeze")
        && let Some(given) = call.arguments.first().and_then(|argument| argument.as_expression())
    {
        return given.get_inner_expression();
    }
    inner
}

/// Whether this makes a constant that can be looked into.
pub fn is_table(expression: &Expression) -> bool {
    match unfrozen(expression) {
        Expression::ObjectExpression(_) | Expression::ArrayExpression(_) => true,
        Expression::NewExpression(made) => {
            made.callee.get_identifier_reference().is_some_and(|name| matches!(name.name.as_str(), "Map" | "Set"))
        }
        _ => false,
    }
}

/// A string or a number as JavaScript.
pub fn literal(expression: &Expression) -> Option<String> {
    match expression.get_inner_expression() {
        Expression::StringLiteral(text) => Some(format!("'{}'", text.value.replace('\\', "\\\\").replace('\'', "\\'"))),
        Expression::BooleanLiteral(flag) => Some(flag.value.to_string()),
        other => key_of(other),
    }
}
