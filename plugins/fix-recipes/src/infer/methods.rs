//! Methods in the abstract run: what an engine's own say about the value that they are called on.

use oxc_ast::ast::{CallExpression, Expression};

use super::{Run, Value};
use crate::{
    shape::{Kind, Place, Step},
    tree::Func,
};

const OF_LISTS_WITH_CALLBACK: [&str; 13] = [
    "map",
    "filter",
    "forEach",
    "find",
    "findIndex",
    "findLast",
    "some",
    "every",
    "flatMap",
    "reduce",
    "reduceRight",
    "sort",
    "toSorted",
];
const OF_LISTS: [&str; 13] = [
    "join",
    "push",
    "unshift",
    "pop",
    "shift",
    "flat",
    "reverse",
    "fill",
    "splice",
    "sort",
    "toSorted",
    "toReversed",
    "forEach",
];
const OF_TEXT: [&str; 25] = [
    "split",
    "trim",
    "trimStart",
    "trimEnd",
    "toUpperCase",
    "toLowerCase",
    "startsWith",
    "endsWith",
    "replace",
    "replaceAll",
    "padStart",
    "padEnd",
    "charAt",
    "charCodeAt",
    "codePointAt",
    "substring",
    "substr",
    "match",
    "matchAll",
    "localeCompare",
    "normalize",
    "repeat",
    "search",
    "toLocaleUpperCase",
    "toLocaleLowerCase",
];
const OF_NUMBERS: [&str; 3] = ["toFixed", "toPrecision", "toExponential"];
const OF_DATES: [&str; 9] = [
    "toISOString",
    "getTime",
    "getFullYear",
    "getMonth",
    "getDate",
    "getDay",
    "getHours",
    "toDateString",
    "getMinutes",
];
const OF_SIZED: [&str; 6] = ["includes", "indexOf", "lastIndexOf", "slice", "concat", "at"];

/// What kind of value has a method of this name; none when it might be anyone's.
pub fn kind_with(name: &str) -> Option<Kind> {
    if OF_TEXT.contains(&name) {
        Some(Kind::Text)
    } else if OF_NUMBERS.contains(&name) {
        Some(Kind::Number)
    } else if OF_LISTS.contains(&name) || OF_LISTS_WITH_CALLBACK.contains(&name) {
        Some(Kind::List)
    } else if OF_DATES.contains(&name) {
        Some(Kind::Date)
    } else if OF_SIZED.contains(&name) {
        Some(Kind::Sized)
    } else {
        None
    }
}

/// What kind of value an engine's own method gives; none when that is not known.
pub fn kind_given_by(name: &str) -> Option<Kind> {
    match name {
        "map" | "filter" | "flatMap" | "split" | "sort" | "toSorted" | "reverse" | "toReversed" | "flat" | "splice"
        | "matchAll" => Some(Kind::List),
        "join" | "trim" | "trimStart" | "trimEnd" | "toUpperCase" | "toLowerCase" | "replace" | "replaceAll"
        | "padStart" | "padEnd" | "charAt" | "substring" | "substr" | "normalize" | "repeat" | "toISOString"
        | "toString" => Some(Kind::Text),
        "length" | "size" | "indexOf" | "getTime" | "findIndex" | "push" => Some(Kind::Number),
        "includes" | "startsWith" | "endsWith" | "some" | "every" | "has" => Some(Kind::Flag),
        _ => None,
    }
}

/// Whether an engine's own values have a method of this name.
pub fn is_built_in(name: &str) -> bool {
    kind_with(name).is_some()
        || matches!(name, "toString" | "hasOwnProperty" | "then" | "catch" | "finally" | "valueOf")
}

impl<'a> Run<'_, 'a> {
    pub(super) fn method(&mut self, receiver: Value<'a>, name: &str, call: &'a CallExpression<'a>) -> Value<'a> {
        let callback = self.function_given(call.arguments.first());
        match receiver {
            Value::Place(place) | Value::Part(place) => self.method_of_place(place, name, callback, call),
            Value::Global(path) => self.global(&format!("{path}.{name}"), call),
            Value::Func(function) => {
                let arguments = self.arguments(&call.arguments);
                match name {
                    "call" => self.call(function, arguments.into_iter().skip(1).collect()),
                    _ => Value::Unknown,
                }
            }
            Value::This => {
                let arguments = self.arguments(&call.arguments);
                match (self.method_of_class(name), self.this.get(name).cloned()) {
                    (Some(function), _) | (None, Some(Value::Func(function))) => self.call(function, arguments),
                    (None, Some(Value::Place(place))) => {
                        let result = place.then(Step::Call);
                        self.shape(&result);
                        Value::Place(result)
                    }
                    _ => Value::Unknown,
                }
            }
            Value::Import(module) => {
                self.arguments(&call.arguments);
                self.imported(&module, call)
            }
            Value::Table(table) => self.method_of_table(table, name, callback, call),
            Value::Lookup { .. } => {
                // Called as if it is there: so it must be.
                let found = self.member(receiver, name, false);
                self.arguments(&call.arguments);
                match found {
                    Value::Func(function) => self.call(function, Vec::new()),
                    _ => Value::Made(kind_given_by(name).unwrap_or_default()),
                }
            }
            list @ (Value::ListOf(_) | Value::Tuple(_)) => {
                let element = self.element(list.clone());
                self.method_of_list(list, element, name, callback, call)
            }
            Value::Promise(value) => self.settle(*value, name, callback, call),
            Value::Record(values) => {
                let arguments = self.arguments(&call.arguments);
                match values.into_iter().rev().find(|(key, _)| key == name) {
                    Some((_, Value::Func(function))) => self.call(function, arguments),
                    Some((_, Value::Place(place))) => {
                        let result = place.then(Step::Call);
                        self.shape(&result);
                        Value::Place(result)
                    }
                    _ => Value::Unknown,
                }
            }
            Value::NewMap => {
                self.arguments(&call.arguments);
                match name {
                    "get" => Value::Nothing,
                    "has" | "delete" => Value::Made(Kind::Flag),
                    _ => Value::NewMap,
                }
            }
            Value::Made(Kind::Object) if name == "exec" => {
                let subject = self.arguments(&call.arguments).into_iter().next().unwrap_or(Value::Unknown);
                self.want(&subject, Kind::Text);
                Value::Match(Box::new(subject))
            }
            Value::Made(_) | Value::Environment(_) => {
                if let Some(function) = callback {
                    self.call(function, vec![Value::Made(Kind::Unknown)]);
                }
                self.arguments(&call.arguments);
                match name {
                    "split" => Value::ListOf(Box::new(Value::Made(Kind::Text))),
                    _ => Value::Made(kind_given_by(name).unwrap_or_default()),
                }
            }
            _ => {
                self.arguments(&call.arguments);
                Value::Unknown
            }
        }
    }

    fn method_of_place(
        &mut self,
        place: Place,
        name: &str,
        callback: Option<Func<'a>>,
        call: &'a CallExpression<'a>,
    ) -> Value<'a> {
        let by_name = call.arguments.first().and_then(|argument| argument.as_expression()).is_some_and(|given| {
            matches!(given.get_inner_expression(), Expression::Identifier(name) if matches!(name.name.as_str(), "Boolean" | "Number" | "String"))
        });
        if OF_LISTS_WITH_CALLBACK.contains(&name) && (callback.is_some() || by_name) {
            self.shape(&place).want(Kind::List);
            let item = place.then(Step::Item);
            self.shape(&item);
            return self.method_of_list(Value::Place(place), Value::Place(item), name, callback, call);
        }
        if matches!(name, "then" | "catch" | "finally") && (callback.is_some() || name != "then") {
            let value = Value::Place(place.then(Step::Await));
            if name == "then" {
                self.shape(&place.then(Step::Await));
            }
            return self.settle(value, name, callback, call);
        }
        let awaited = self.awaited == Some(call.span);
        let kind = kind_with(name).filter(|_| !awaited).filter(|kind| *kind != Kind::List || OF_LISTS.contains(&name));
        if let Some(kind) = kind.filter(|_| !(name == "search" && callback.is_none() && call.arguments.len() > 1)) {
            self.shape(&place).want(kind);
            let arguments = self.arguments(&call.arguments);
            return match name {
                "match" => Value::Match(Box::new(Value::Place(place))),
                // Parts of a text stand for the whole of it.
                "split" => {
                    self.split.push(place.clone());
                    Value::ListOf(Box::new(Value::Place(place)))
                }
                "trim" | "trimStart" | "trimEnd" => Value::Place(place),
                "pop" | "shift" | "at" => self.element(Value::Place(place)),
                "concat" if self.shape(&place).kind != Kind::Text => {
                    for value in arguments {
                        self.want(&value, Kind::List);
                    }
                    Value::Place(place)
                }
                "slice" | "reverse" | "sort" | "toSorted" | "toReversed" => Value::Place(place),
                _ => Value::Made(kind_given_by(name).unwrap_or_default()),
            };
        }
        self.called_back(&place.property(name), call);
        self.arguments(&call.arguments);
        match name {
            "toString" | "toLocaleString" => Value::Made(Kind::Text),
            "hasOwnProperty" => Value::Made(Kind::Flag),
            _ => {
                let result = place.property(name).then(Step::Call);
                self.shape(&result);
                Value::Place(result)
            }
        }
    }

    /// A function that an argument's own method is given, and that leads to a goal: the method calls it.
    fn called_back(&mut self, method: &Place, call: &'a CallExpression<'a>) {
        for (index, argument) in call.arguments.iter().enumerate() {
            let Some(function) = self.function_given(Some(argument)) else { continue };
            if !self.leads_to_goal(function.span()) {
                continue;
            }
            let count = function.params().items.len();
            let values = (0..count)
                .map(|at| {
                    let place = method.then(Step::Given(index, at));
                    let name = function.param_name(at).unwrap_or_default();
                    // By custom the error comes first, where there is more than it.
                    if at == 0 && count > 1 && matches!(name, "err" | "error" | "e" | "_err" | "_error" | "_") {
                        self.shape(&place).fixed = Some("null".into());
                        return Value::Nothing;
                    }
                    self.shape(&place);
                    Value::Place(place)
                })
                .collect();
            if count == 0 {
                self.shape(&method.then(Step::Given(index, 0))).clear();
            }
            self.call(function, values);
            return;
        }
    }

    fn method_of_list(
        &mut self,
        list: Value<'a>,
        element: Value<'a>,
        name: &str,
        callback: Option<Func<'a>>,
        call: &'a CallExpression<'a>,
    ) -> Value<'a> {
        let others = self.arguments(call.arguments.get(1..).unwrap_or_default());
        let compares = matches!(name, "sort" | "toSorted") || name.starts_with("reduce") && call.arguments.len() < 2;
        if let Value::Place(item) = &element
            && compares
            && let Some((list, _)) = item.parent()
        {
            self.shape(&list).pair = true;
        }
        let given = match (callback, name) {
            (Some(function), "reduce" | "reduceRight") => {
                let start = others.first().cloned().unwrap_or_else(|| element.clone());
                self.call(function, vec![start.clone(), element.clone()]);
                start
            }
            (Some(function), "sort" | "toSorted") => self.call(function, vec![element.clone(), element.clone()]),
            (Some(function), _) => {
                let given = self.call(function, vec![element.clone(), Value::Made(Kind::Number)]);
                // Something must pass, where the goal comes after it.
                if name == "filter"
                    && self.hit().is_none()
                    && !self.leads_to_goal(function.span())
                    && let Some(test) = function.expression()
                {
                    self.assume(test, true);
                }
                given
            }
            (None, _) => {
                self.arguments(&call.arguments);
                Value::Unknown
            }
        };
        match name {
            "map" => Value::ListOf(Box::new(given)),
            "flatMap" => {
                let inner = self.element(given);
                Value::ListOf(Box::new(inner))
            }
            "filter" | "sort" | "slice" | "reverse" | "toSorted" | "toReversed" | "concat" => list,
            "find" | "findLast" | "pop" | "shift" | "at" => element,
            "reduce" | "reduceRight" => given,
            "forEach" => Value::Nothing,
            _ => Value::Made(kind_given_by(name).unwrap_or_default()),
        }
    }

    fn method_of_table(
        &mut self,
        table: &'a Expression<'a>,
        name: &str,
        callback: Option<Func<'a>>,
        call: &'a CallExpression<'a>,
    ) -> Value<'a> {
        let empty =
            matches!(super::value::unfrozen(table), Expression::ArrayExpression(list) if list.elements.is_empty());
        if empty && matches!(name, "shift" | "pop" | "at" | "find" | "findLast") {
            self.arguments(&call.arguments);
            return Value::Nothing;
        }
        if let Some(function) = callback {
            let element = self.element(Value::Table(table));
            self.call(function, vec![element]);
            if matches!(name, "find" | "findLast") {
                return self.sought(table, function);
            }
            return Value::Made(kind_given_by(name).unwrap_or_default());
        }
        let arguments = self.arguments(&call.arguments);
        match (name, arguments.into_iter().next()) {
            ("get", Some(key)) => {
                let first = Value::first_entry(table);
                Value::Lookup {
                    key: Box::new(key),
                    found: first.as_ref().and_then(|(_, found)| *found),
                    known: first.map(|(known, _)| known),
                }
            }
            _ => match Value::in_table(table, name).and_then(Func::of) {
                Some(function) => self.call(function, Vec::new()),
                None => Value::Made(kind_given_by(name).unwrap_or_default()),
            },
        }
    }

    /// What `LIST.find((one) => one.id === key)` looks for.
    fn sought(&mut self, table: &'a Expression<'a>, function: Func<'a>) -> Value<'a> {
        let found = Value::first_element(table);
        let compared = function.expression().map(Expression::get_inner_expression);
        if let Some(Expression::BinaryExpression(compared)) = compared {
            for (one, other) in [(&compared.left, &compared.right), (&compared.right, &compared.left)] {
                if let key @ Value::Place(_) = self.eval(one) {
                    let known = crate::tree::property_of(other)
                        .and_then(|name| Value::in_table(found?, &name))
                        .and_then(super::value::literal);
                    return Value::Lookup { key: Box::new(key), known, found };
                }
            }
        }
        Value::Unknown
    }

    fn settle(
        &mut self,
        value: Value<'a>,
        name: &str,
        callback: Option<Func<'a>>,
        call: &'a CallExpression<'a>,
    ) -> Value<'a> {
        match (name, callback) {
            // Used as the value, which it is once it is waited for.
            _ if !matches!(name, "then" | "catch" | "finally") => self.method(value, name, call),
            ("then", Some(function)) => {
                let given = self.call(function, vec![value]);
                self.arguments(call.arguments.get(1..).unwrap_or_default());
                Value::Promise(Box::new(given.awaited()))
            }
            _ => Value::Promise(Box::new(value)),
        }
    }
}
