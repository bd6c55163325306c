//! What a function must be called with, so that it comes to a place: an abstract run over its syntax tree.
//!
//! The run follows parameters through names, patterns, callbacks and the file's own functions, and notes for each of them what
//! is asked of it. Of a branch it takes the one that leads to a goal; where a branch that leaves the function stands in the
//! way, its condition is made false.

mod assume;
mod calls;
mod expressions;
mod methods;
mod statements;
mod value;

pub use methods::{kind_given_by, kind_with};
pub use statements::leaves;

use std::collections::HashMap;

use oxc_ast::ast::{Class, ClassElement, Expression, MethodDefinitionKind};
use oxc_semantic::{NodeId, SymbolId};
use oxc_span::{GetSpan, Span};
pub use value::Value;

use crate::{
    shape::{Place, Shape, Step},
    tree::{Func, Tree, holds},
};

const MOST_CALLS_DEEP: usize = 8;

/// What a run found.
pub struct Run<'t, 'a> {
    tree: &'t Tree<'a>,
    /// What each parameter must look like: the function's own first, then those of its class's constructor.
    pub shapes: Vec<Shape>,
    /// How many of the shapes are the function's own.
    pub own: usize,
    /// What the goals were found to be, in the order in which they were come to.
    pub hits: Vec<(Span, Value<'a>)>,
    /// What might fail for reasons of its own.
    pub hazards: Vec<String>,
    /// Places that had to hold something for the goal to be come to.
    pub required: Vec<Place>,
    /// Conditions that could not be decided.
    pub doubts: usize,
    goals: Vec<Span>,
    waypoints: Vec<Span>,
    avoid: Option<Place>,
    names: HashMap<SymbolId, Value<'a>>,
    this: HashMap<String, Value<'a>>,
    class: Option<&'a Class<'a>>,
    results: HashMap<NodeId, Value<'a>>,
    returned: Vec<Value<'a>>,
    depth: usize,
    spare: Shape,
    /// Texts that were split.
    split: Vec<Place>,
    /// What is waited for: a method of that is none of an engine's own.
    awaited: Option<Span>,
}

impl<'t, 'a> Run<'t, 'a> {
    /// Runs a function towards goals: expressions whose values are wanted.
    pub fn over(
        tree: &'t Tree<'a>,
        function: Func<'a>,
        class: Option<&'a Class<'a>>,
        goals: &[Span],
        avoid: Option<Place>,
    ) -> Self {
        let own = function.params().items.len();
        let mut run = Self {
            tree,
            shapes: vec![Shape::default(); own],
            own,
            hits: Vec::new(),
            hazards: Vec::new(),
            required: Vec::new(),
            doubts: 0,
            goals: goals.to_vec(),
            waypoints: waypoints(tree, function, goals),
            avoid,
            names: HashMap::new(),
            this: HashMap::new(),
            class,
            results: HashMap::new(),
            returned: Vec::new(),
            depth: 0,
            spare: Shape::default(),
            split: Vec::new(),
            awaited: None,
        };
        if let Some(class) = class {
            run.construct(class);
        }
        run.returned.clear();
        let arguments = (0..own).map(|root| Value::Place(Place { root, steps: Vec::new() })).collect();
        run.call(function, arguments);
        run
    }

    /// Fields as the constructor leaves them.
    fn construct(&mut self, class: &'a Class<'a>) {
        for element in &class.body.body {
            if let ClassElement::PropertyDefinition(field) = element
                && !field.r#static
                && let Some(name) = field.key.name()
            {
                let name = if field.key.is_private_identifier() { format!("#{name}") } else { name.into_owned() };
                let value = field.value.as_ref().map_or(Value::Nothing, |value| self.eval(value));
                self.this.insert(name, value);
            }
        }
        for element in &class.body.body {
            if let ClassElement::MethodDefinition(method) = element
                && method.kind == MethodDefinitionKind::Constructor
            {
                let first = self.shapes.len();
                let count = method.value.params.items.len();
                self.shapes.resize(first + count, Shape::default());
                let arguments =
                    (first..first + count).map(|root| Value::Place(Place { root, steps: Vec::new() })).collect();
                self.call(Func::Function(&method.value), arguments);
            }
        }
    }

    /// The shape at a place.
    pub fn shape(&mut self, place: &Place) -> &mut Shape {
        if place.root >= self.shapes.len() {
            self.shapes.resize(place.root + 1, Shape::default());
        }
        match self.shapes.get_mut(place.root) {
            Some(shape) => shape.at(&place.steps),
            // Not reached: the list was just made long enough.
            None => &mut self.spare,
        }
    }

    fn leads_to_goal(&self, span: Span) -> bool {
        self.goals.iter().chain(&self.waypoints).any(|goal| holds(span, *goal))
    }

    fn method_of_class(&self, name: &str) -> Option<Func<'a>> {
        self.class?.body.body.iter().find_map(|element| match element {
            ClassElement::MethodDefinition(method) => {
                let known = method.key.name().map(|key| key.to_string());
                (method.kind == MethodDefinitionKind::Method && known.as_deref() == Some(name))
                    .then_some(Func::Function(&method.value))
            }
            _ => None,
        })
    }

    /// What the first goal was found to be.
    pub fn hit(&self) -> Option<&Value<'a>> {
        let first = self.goals.first()?;
        self.hits.iter().find(|(span, _)| span == first).map(|(_, value)| value)
    }

    /// The element of a list at an index.
    fn element_at(&mut self, list: Value<'a>, index: usize) -> Value<'a> {
        match self.element(list) {
            Value::Place(place) if index > 0 && self.split.contains(&place) => Value::Part(place),
            other => other,
        }
    }
}

/// The calls within the file that lead from a function to the goals.
fn waypoints<'a>(tree: &Tree<'a>, entry: Func<'a>, goals: &[Span]) -> Vec<Span> {
    let mut found: Vec<Span> = Vec::new();
    let mut open: Vec<Span> = goals.to_vec();
    while let Some(span) = open.pop() {
        for (name, function) in named_functions_around(tree, span) {
            if function.span() == entry.span() {
                continue;
            }
            for call in calls_of(tree, &name) {
                if !found.contains(&call) && !holds(function.span(), call) {
                    found.push(call);
                    open.push(call);
                }
            }
        }
        if found.len() > 64 {
            break;
        }
    }
    found
}

/// What a function is called by within its file.
pub enum Name {
    /// A variable or a declaration.
    Symbol(SymbolId),
    /// A method of its class.
    Method(String),
}

/// The functions with a name around a span, from the inside.
pub fn named_functions_around<'a>(tree: &Tree<'a>, span: Span) -> Vec<(Name, Func<'a>)> {
    use oxc_ast::AstKind;
    let mut found = Vec::new();
    for kind in tree.nodes() {
        match kind {
            AstKind::Function(function) if holds(function.span, span) => {
                if let Some(symbol) = function.id.as_ref().and_then(|id| id.symbol_id.get()) {
                    found.push((Name::Symbol(symbol), Func::Function(function)));
                }
            }
            AstKind::VariableDeclarator(declarator) if holds(declarator.span, span) => {
                if let Some(function) = declarator.init.as_ref().and_then(Func::of)
                    && holds(function.span(), span)
                    && let Some(symbol) = declarator.id.get_binding_identifier().and_then(|id| id.symbol_id.get())
                {
                    found.push((Name::Symbol(symbol), function));
                }
            }
            AstKind::MethodDefinition(method) if holds(method.span, span) => {
                if let Some(name) = method.key.name() {
                    found.push((Name::Method(name.to_string()), Func::Function(&method.value)));
                }
            }
            _ => {}
        }
    }
    found.sort_by_key(|(_, function)| function.span().size());
    found
}

/// Where a function is called within its file, or given away by name, such as to `map`.
pub fn calls_of(tree: &Tree<'_>, name: &Name) -> Vec<Span> {
    use oxc_ast::AstKind;
    match name {
        Name::Symbol(symbol) => tree
            .uses(*symbol)
            .into_iter()
            .filter_map(|identifier| {
                let node = identifier.node_id();
                match tree.parent(node) {
                    AstKind::CallExpression(call) => Some(call.span),
                    _ => None,
                }
            })
            .collect(),
        Name::Method(name) => tree
            .nodes()
            .filter_map(|kind| match kind {
                AstKind::CallExpression(call) => {
                    let callee = call.callee.get_inner_expression();
                    let on_this = crate::tree::object_of(callee)
                        .is_some_and(|object| matches!(object.get_inner_expression(), Expression::ThisExpression(_)));
                    (on_this && crate::tree::property_of(callee).as_deref() == Some(name)).then(|| call.span())
                }
                _ => None,
            })
            .collect(),
    }
}

impl Place {
    fn property(&self, name: &str) -> Self {
        self.then(Step::Property(name.to_owned()))
    }
}
