//! What an argument must look like for a function to run with it: inferred bit by bit, then written as JavaScript.

use std::fmt::Write as _;

use crate::style::Style;

/// A step from a value into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A property.
    Property(String),
    /// An element of a list.
    Item,
    /// What calling it gives.
    Call,
    /// What waiting for it gives.
    Await,
    /// What it holds as JSON.
    Json,
    /// What it gives to a function that it is called with: the function's index among the arguments, and what it is given.
    Given(usize, usize),
}

/// Where a value comes from: a parameter, and the steps into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Index of the parameter.
    pub root: usize,
    /// The way from there.
    pub steps: Vec<Step>,
}

impl Place {
    /// One step further.
    pub fn then(&self, step: Step) -> Self {
        let mut steps = self.steps.clone();
        steps.push(step);
        Self { root: self.root, steps }
    }

    /// One step back.
    pub fn parent(&self) -> Option<(Self, &Step)> {
        let (last, steps) = self.steps.split_last()?;
        Some((Self { root: self.root, steps: steps.to_vec() }, last))
    }
}

/// What kind of value is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Nothing is known.
    #[default]
    Unknown,
    /// Something with a length: text unless more is known.
    Sized,
    /// Something that is true, whatever it is.
    Truthy,
    /// An object.
    Object,
    /// A string.
    Text,
    /// A number.
    Number,
    /// A boolean.
    Flag,
    /// An array.
    List,
    /// A date.
    Date,
    /// A function.
    Function,
}

/// A value as it is wanted.
#[derive(Clone, Debug, Default)]
pub struct Shape {
    /// What kind of value.
    pub kind: Kind,
    /// The value itself, as JavaScript, where it must be this one.
    pub fixed: Option<String>,
    /// Whether it must not be there.
    pub absent: bool,
    /// Whether a list needs two elements.
    pub pair: bool,
    /// Whether calling it throws.
    pub rejects: bool,
    properties: Vec<(String, Shape)>,
    item: Option<Box<Shape>>,
    result: Option<Box<Shape>>,
    awaited: Option<Box<Shape>>,
    json: Option<Box<Shape>>,
    /// The function that it calls, by its index among the arguments, and with what.
    calls: Option<(usize, Vec<Shape>)>,
}

impl Shape {
    /// The shape at the end of these steps, made where it is not there.
    pub fn at(&mut self, steps: &[Step]) -> &mut Self {
        let Some((first, rest)) = steps.split_first() else { return self };
        let next = match first {
            Step::Property(name) => {
                self.want(Kind::Object);
                let index = match self.properties.iter().position(|(known, _)| known == name) {
                    Some(index) => index,
                    None => {
                        self.properties.push((name.clone(), Self::default()));
                        self.properties.len() - 1
                    }
                };
                match self.properties.get_mut(index) {
                    Some((_, shape)) => shape,
                    // Not reached: the index was just found or made.
                    None => return self.json.get_or_insert_default(),
                }
            }
            Step::Item => {
                self.want(Kind::List);
                self.item.get_or_insert_default()
            }
            Step::Call => {
                self.want(Kind::Function);
                self.result.get_or_insert_default()
            }
            Step::Await => self.awaited.get_or_insert_default(),
            Step::Json => {
                self.want(Kind::Text);
                self.json.get_or_insert_default()
            }
            Step::Given(function, index) => {
                self.want(Kind::Function);
                let (_, given) = self.calls.get_or_insert_with(|| (*function, Vec::new()));
                if given.len() <= *index {
                    given.resize(*index + 1, Self::default());
                }
                match given.get_mut(*index) {
                    Some(shape) => shape,
                    // Not reached: the list was just made long enough.
                    None => return self.json.get_or_insert_default(),
                }
            }
        };
        next.at(rest)
    }

    /// Says what kind is wanted; what is known better already stays.
    pub fn want(&mut self, kind: Kind) {
        let vague = matches!(self.kind, Kind::Unknown | Kind::Truthy | Kind::Sized);
        if vague && kind > self.kind || self.kind == Kind::Object && matches!(kind, Kind::Function | Kind::List) {
            self.kind = kind;
        }
    }

    /// Takes everything away that was known, and says that nothing is here.
    pub fn clear(&mut self) {
        *self = Self { absent: true, ..Self::default() };
    }

    /// Whether anything is wanted of it.
    pub fn is_blank(&self) -> bool {
        self.kind == Kind::Unknown && self.fixed.is_none() && self.awaited.is_none() && !self.absent
    }

    /// As JavaScript, for a value that goes by this name.
    pub fn render(&self, name: &str, style: &Style) -> String {
        let mut text = String::new();
        self.write(name, style, &mut text);
        text
    }

    fn write(&self, name: &str, style: &Style, out: &mut String) {
        if let Some(fixed) = &self.fixed {
            out.push_str(fixed);
            return;
        }
        if self.absent {
            out.push_str("undefined");
            return;
        }
        if let Some(json) = &self.json {
            let _ = write!(out, "JSON.stringify({})", json.render(name, style));
            return;
        }
        if self.kind == Kind::Function {
            self.write_function(name, style, out);
            return;
        }
        if let Some(awaited) = &self.awaited
            && self.kind == Kind::Unknown
        {
            let _ = write!(out, "Promise.resolve({})", awaited.render(name, style));
            return;
        }
        match self.kind {
            Kind::Object => self.write_object(style, out),
            Kind::List => match &self.item {
                Some(item) if item.absent => out.push_str("[]"),
                Some(item) => {
                    let item = item.render(name.strip_suffix('s').unwrap_or(name), style);
                    let _ = if self.pair { write!(out, "[{item}, {item}]") } else { write!(out, "[{item}]") };
                }
                None => out.push_str("[]"),
            },
            kind => out.push_str(&sample(kind, name, style)),
        }
    }

    fn write_function(&self, name: &str, style: &Style, out: &mut String) {
        if self.rejects {
            let _ = write!(out, "async () => {{ throw new Error({}){} }}", style.string("refused"), style.end());
            return;
        }
        if let Some((index, given)) = &self.calls {
            self.write_caller(*index, given, style, out);
            return;
        }
        let Some(result) = &self.result else {
            out.push_str("() => {}");
            return;
        };
        let (given, prefix) = match &result.awaited {
            Some(awaited) if result.kind == Kind::Unknown => (awaited, "async "),
            _ => (result, ""),
        };
        if given.absent && given.fixed.is_none() || given.is_blank() && given.json.is_none() {
            let _ = write!(out, "{prefix}() => {}", if given.absent { "undefined" } else { "{}" });
            return;
        }
        let text = given.render(name, style);
        let text = if text.starts_with('{') { format!("({text})") } else { text };
        let _ = write!(out, "{prefix}() => {text}");
    }

    /// A function that calls one that it is given.
    fn write_caller(&self, index: usize, given: &[Self], style: &Style, out: &mut String) {
        let mut given: Vec<String> = given.iter().map(|shape| shape.render("value", style)).collect();
        while given.last().is_some_and(|last| last == "undefined") {
            given.pop();
        }
        let before: String = (0..index).map(|at| format!("{}, ", "_".repeat(at + 1))).collect();
        let params = if index == 0 { "callback".to_owned() } else { format!("{before}callback") };
        let call = format!("callback({})", given.join(", "));
        let result = self.result.as_ref().filter(|result| !result.is_blank() && !result.absent);
        let _ = match result {
            Some(result) => {
                let text = result.render("result", style);
                write!(out, "({params}) => {{ {call}; return {text}{} }}", style.end())
            }
            None => write!(out, "({params}) => {call}"),
        };
    }

    fn write_object(&self, style: &Style, out: &mut String) {
        let there: Vec<_> =
            self.properties.iter().filter(|(_, shape)| !shape.absent || shape.fixed.is_some()).collect();
        if there.is_empty() {
            out.push_str("{}");
            return;
        }
        out.push_str("{ ");
        for (index, (name, shape)) in there.iter().enumerate() {
            if index > 0 {
                out.push_str(", ");
            }
            let key = if is_name(name) { name.clone() } else { style.string(name) };
            let _ = write!(out, "{key}: {}", shape.render(name, style));
        }
        out.push_str(" }");
    }
}

/// A value of a kind that a person might have written there.
fn sample(kind: Kind, name: &str, style: &Style) -> String {
    let lower = name.to_ascii_lowercase();
    match kind {
        Kind::Number => "1".into(),
        Kind::Flag => "true".into(),
        Kind::Date => "new Date(0)".into(),
        Kind::Text | Kind::Sized => style.string(&word_for(name)),
        _ if is_numeric_name(name) => "1".into(),
        _ if lower.starts_with("is") && name.chars().nth(2).is_some_and(char::is_uppercase) => "true".into(),
        _ => style.string(&word_for(name)),
    }
}

/// Whether a value of this name is a number, most likely.
pub fn is_numeric_name(name: &str) -> bool {
    const WORDS: [&str; 26] = [
        "count", "total", "price", "amount", "quantity", "qty", "cents", "size", "rate", "percent", "limit", "page",
        "index", "age", "weight", "score", "timeout", "tax", "cost", "balance", "offset", "duration", "width",
        "height", "sum", "fee",
    ];
    let lower = name.to_ascii_lowercase();
    WORDS.iter().any(|word| lower.ends_with(word))
}

fn word_for(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    if lower.ends_with("email") {
        "ada@example.com".into()
    } else if lower.ends_with("url") {
        "https://example.com".into()
    } else if lower.ends_with("id") {
        "a1".into()
    } else if lower.ends_with("name") {
        "Ada".into()
    } else if is_name(name) {
        name.to_owned()
    } else {
        "text".into()
    }
}

/// Whether this can be a property's name without quotes.
pub fn is_name(text: &str) -> bool {
    let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '$');
    text.starts_with(|c: char| part(c) && !c.is_ascii_digit()) && text.chars().all(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn property(name: &str) -> Step {
        Step::Property(name.into())
    }

    fn rendered(shape: &Shape) -> String {
        shape.render("order", &Style::of(""))
    }

    #[test]
    fn an_object_has_what_was_asked_of_it_but_for_what_is_absent() {
        let mut shape = Shape::default();
        shape.at(&[property("customer"), property("name")]).want(Kind::Text);
        shape.at(&[property("customer"), property("address"), property("city")]);
        shape.at(&[property("items"), Step::Item, property("price")]).want(Kind::Number);
        shape.at(&[property("customer"), property("address")]).clear();
        assert_eq!(rendered(&shape), "{ customer: { name: 'Ada' }, items: [{ price: 1 }] }");
    }

    #[test]
    fn functions_give_what_is_asked_of_their_results() {
        let mut shape = Shape::default();
        shape.at(&[property("find"), Step::Call, Step::Await, property("x-y")]).want(Kind::Number);
        shape.at(&[property("log"), Step::Call]);
        assert_eq!(rendered(&shape), "{ find: async () => ({ 'x-y': 1 }), log: () => {} }");
        shape.at(&[property("find"), Step::Call, Step::Await]).clear();
        assert_eq!(rendered(&shape), "{ find: async () => undefined, log: () => {} }");
    }

    #[test]
    fn json_is_written_as_text() {
        let mut shape = Shape::default();
        shape.at(&[property("body"), Step::Json, property("id")]);
        assert_eq!(rendered(&shape), "{ body: JSON.stringify({ id: 'a1' }) }");
    }
}
