//! Calls in the abstract run: of the file's own functions, of the engine's, and of those that arguments bring.

use oxc_ast::ast::{Argument, CallExpression, Expression, NewExpression};
use oxc_span::GetSpan;

use super::{MOST_CALLS_DEEP, Run, Value};
use crate::{
    shape::{Kind, Place, Step},
    tree::{Func, object_of, property_of},
};

impl<'a> Run<'_, 'a> {
    /// Runs a function with these arguments; gives what it returns.
    pub(super) fn call(&mut self, function: Func<'a>, arguments: Vec<Value<'a>>) -> Value<'a> {
        if let Some(known) = self.results.get(&function.id()) {
            return known.clone();
        }
        if self.depth >= MOST_CALLS_DEEP {
            return Value::Unknown;
        }
        self.results.insert(function.id(), Value::Unknown);
        self.depth += 1;
        let outer = std::mem::take(&mut self.returned);
        let params = function.params();
        let mut arguments = arguments.into_iter();
        for param in &params.items {
            let given = arguments.next().unwrap_or(Value::Nothing);
            let span = param.pattern.span();
            if self.goals.contains(&span) {
                self.hits.push((span, given.clone()));
            }
            let given = match &param.initializer {
                Some(other) if matches!(given, Value::Nothing) => self.eval(other),
                _ => given,
            };
            self.bind(&param.pattern, given);
        }
        if let Some(rest) = &params.rest {
            let given: Vec<_> = arguments.collect();
            // A test gives nothing there.
            let given = if given.is_empty() { Value::Unknown } else { Value::Tuple(given) };
            self.bind(&rest.rest.argument, given);
        }
        let value = match (function.statements(), function.expression()) {
            (Some(statements), _) => {
                self.block(statements);
                let told = std::mem::take(&mut self.returned);
                let mut last = Value::Nothing;
                for value in told {
                    if matches!(last, Value::Nothing | Value::Unknown) || matches!(value, Value::Place(_)) {
                        last = value;
                    }
                }
                last
            }
            (None, Some(expression)) => self.eval(expression),
            _ => Value::Nothing,
        };
        self.returned = outer;
        self.depth -= 1;
        let value = if function.is_async() { Value::Promise(Box::new(value)) } else { value };
        self.results.insert(function.id(), value.clone());
        value
    }

    pub(super) fn arguments(&mut self, arguments: &'a [Argument<'a>]) -> Vec<Value<'a>> {
        let mut values = Vec::with_capacity(arguments.len());
        for argument in arguments {
            match argument {
                Argument::SpreadElement(spread) => {
                    let list = self.eval(&spread.argument);
                    let element = self.element(list);
                    values.push(element);
                }
                other => {
                    if let Some(expression) = other.as_expression() {
                        let value = self.eval(expression);
                        values.push(value);
                    }
                }
            }
        }
        values
    }

    pub(super) fn eval_call(&mut self, call: &'a CallExpression<'a>) -> Value<'a> {
        let callee = call.callee.get_inner_expression();
        if let (Some(object), Some(name)) = (object_of(callee), property_of(callee)) {
            let receiver = self.eval(object);
            if matches!(receiver, Value::Unknown | Value::Match(_) | Value::Nothing)
                && !self.goals.contains(&object.span())
            {
                self.hazard(callee.span());
            }
            return self.method(receiver, &name, call);
        }
        let function = self.eval(&call.callee);
        match function {
            Value::Func(function) => {
                let arguments = self.arguments(&call.arguments);
                self.call(function, arguments)
            }
            Value::Global(name) => self.global(&name, call),
            Value::Place(place) => {
                self.arguments(&call.arguments);
                let result = place.then(Step::Call);
                self.shape(&result);
                Value::Place(result)
            }
            Value::Import(module) => {
                self.arguments(&call.arguments);
                self.imported(&module, call)
            }
            _ => {
                self.arguments(&call.arguments);
                Value::Unknown
            }
        }
    }

    pub(super) fn imported(&mut self, module: &str, call: &'a CallExpression<'a>) -> Value<'a> {
        let module = module.strip_prefix("node:").unwrap_or(module);
        match module {
            "fs" | "fs/promises" | "child_process" | "net" | "http" | "https" | "dns" => self.hazard(call.span),
            _ => {}
        }
        Value::Unknown
    }

    pub(super) fn eval_new(&mut self, made: &'a NewExpression<'a>) -> Value<'a> {
        let arguments = self.arguments(&made.arguments);
        let name = made.callee.get_identifier_reference().map(|name| name.name.as_str());
        match name {
            Some("Promise") => {
                if let Some(Value::Func(function)) = arguments.into_iter().next() {
                    self.call(function, Vec::new());
                }
                Value::Promise(Box::new(Value::Unknown))
            }
            Some("Date") => Value::Made(Kind::Date),
            Some("Map" | "WeakMap") if made.arguments.is_empty() => Value::NewMap,
            Some("URL") => {
                for value in &arguments {
                    if let Value::Place(place) = value {
                        let shape = self.shape(place);
                        if shape.fixed.is_none() {
                            shape.fixed = Some("'https://example.com/'".into());
                        }
                    }
                }
                Value::Made(Kind::Object)
            }
            _ => Value::Made(Kind::Object),
        }
    }

    /// A function that the engine has.
    pub(super) fn global(&mut self, name: &str, call: &'a CallExpression<'a>) -> Value<'a> {
        if let Some(method) = name.strip_prefix("Promise.") {
            return self.promise(method, call);
        }
        let arguments = self.arguments(&call.arguments);
        let first = arguments.first().cloned().unwrap_or(Value::Nothing);
        match name {
            "String" | "encodeURIComponent" | "decodeURIComponent" | "encodeURI" | "JSON.stringify" => {
                Value::Made(Kind::Text)
            }
            "Number" | "parseInt" | "parseFloat" | "Number.parseFloat" | "Number.parseInt" | "Date.now" => {
                Value::Made(Kind::Number)
            }
            "BigInt" => {
                self.want(&first, Kind::Number);
                Value::Made(Kind::Number)
            }
            "Boolean" | "Array.isArray" | "Number.isInteger" | "Number.isFinite" | "Number.isNaN" | "isNaN"
            | "isFinite" => Value::Made(Kind::Flag),
            "JSON.parse" => match first {
                Value::Place(place) => {
                    let inner = place.then(Step::Json);
                    self.shape(&inner);
                    Value::Place(inner)
                }
                _ => Value::Made(Kind::Unknown),
            },
            "structuredClone" | "Object.freeze" => first,
            "Object.keys" => {
                self.want(&first, Kind::Object);
                Value::ListOf(Box::new(Value::Made(Kind::Text)))
            }
            "Object.values" => {
                let inner = self.entry_of(&first);
                Value::ListOf(Box::new(inner))
            }
            "Object.entries" => {
                let inner = self.entry_of(&first);
                Value::ListOf(Box::new(Value::Tuple(vec![Value::Made(Kind::Text), inner])))
            }
            "Object.assign" => Value::Made(Kind::Object),
            "Object.fromEntries" => Value::Made(Kind::Unknown),
            "Array.from" => match first {
                list @ (Value::Place(_) | Value::ListOf(_) | Value::Tuple(_)) => {
                    let element = self.element(list);
                    match arguments.get(1) {
                        Some(Value::Func(function)) => {
                            let result = self.call(*function, vec![element]);
                            Value::ListOf(Box::new(result))
                        }
                        _ => Value::ListOf(Box::new(element)),
                    }
                }
                _ => Value::Made(Kind::List),
            },
            "fetch" => {
                self.hazard(call.span);
                Value::Promise(Box::new(Value::Unknown))
            }
            "setTimeout" | "setImmediate" | "queueMicrotask" | "process.nextTick" | "setInterval" => {
                Value::Made(Kind::Object)
            }
            "require" => Value::Import(String::new()),
            _ if name.starts_with("Math.") => {
                for value in &arguments {
                    self.want(value, Kind::Number);
                }
                Value::Made(Kind::Number)
            }
            _ if name.starts_with("console.") => Value::Nothing,
            _ => Value::Made(Kind::Unknown),
        }
    }

    fn entry_of(&mut self, object: &Value<'a>) -> Value<'a> {
        match object {
            Value::Place(place) => {
                let inner: Place = place.property("key");
                self.shape(&inner);
                Value::Place(inner)
            }
            // What the code itself put there is as it wants it.
            Value::Record(_) => Value::Made(Kind::Unknown),
            _ => Value::Unknown,
        }
    }

    fn promise(&mut self, method: &str, call: &'a CallExpression<'a>) -> Value<'a> {
        let arguments = self.arguments(&call.arguments);
        let first = arguments.into_iter().next().unwrap_or(Value::Nothing);
        match method {
            "all" | "allSettled" => Value::Promise(Box::new(match first {
                Value::Tuple(values) => Value::Tuple(values.into_iter().map(|value| self.settled(value)).collect()),
                Value::ListOf(value) => Value::ListOf(Box::new(self.settled(*value))),
                list @ Value::Place(_) => {
                    let element = self.element(list);
                    Value::ListOf(Box::new(self.settled(element)))
                }
                _ => Value::Unknown,
            })),
            "resolve" => Value::Promise(Box::new(first)),
            _ => Value::Promise(Box::new(Value::Unknown)),
        }
    }

    fn settled(&mut self, value: Value<'a>) -> Value<'a> {
        if let Value::Place(place) = &value {
            self.shape(&place.then(Step::Await));
        }
        value.awaited()
    }

    /// The function that an argument is or names.
    pub(super) fn function_given(&mut self, argument: Option<&'a Argument<'a>>) -> Option<Func<'a>> {
        let expression = argument?.as_expression()?;
        match expression.get_inner_expression() {
            Expression::Identifier(name) => self.tree.function_of(self.tree.symbol(name)?),
            other => Func::of(other),
        }
    }
}
