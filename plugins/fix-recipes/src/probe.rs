//! How a test comes to the fault: which function it calls, and with what.

use oxc_ast::{
    AstKind,
    ast::{CatchClause, Class, ClassElement, Expression, MethodDefinitionKind, Statement},
};
use oxc_semantic::NodeId;
use oxc_span::{GetSpan, Span};

use crate::{
    entry::{Entry, Reach, entry},
    fault::Nothing,
    infer::{Run, Value},
    shape::{Kind, Place, Step},
    tree::{Func, Tree, holds, object_of, property_of},
};

/// A call that a test makes.
pub struct Call<'a> {
    /// What it calls.
    pub entry: Entry<'a>,
    /// Arguments, as JavaScript.
    pub arguments: Vec<String>,
    /// Arguments of the class's constructor, as JavaScript.
    pub made_with: Vec<String>,
    /// Whether what it calls is async.
    pub is_async: bool,
    /// How sure it is that the call comes to the fault, from 0 to 1.
    pub confidence: f64,
}

/// Finds the call that makes goals be what `set` makes of them. `place` is where the fault is.
///
/// # Errors
/// Why no call does.
pub fn arrange<'a>(
    tree: &Tree<'a>,
    place: (NodeId, Span),
    goals: &[Span],
    set: impl FnMut(&mut Run<'_, 'a>, Span, &Value<'a>) -> Result<(), String>,
) -> Result<Call<'a>, String> {
    arranged(tree, place, goals, true, set)
}

/// The same, for an error that is heard by nobody, so that no `catch` around the place matters.
///
/// # Errors
/// Why no call does.
pub fn arrange_unheard<'a>(
    tree: &Tree<'a>,
    place: (NodeId, Span),
    goals: &[Span],
    set: impl FnMut(&mut Run<'_, 'a>, Span, &Value<'a>) -> Result<(), String>,
) -> Result<Call<'a>, String> {
    arranged(tree, place, goals, false, set)
}

fn arranged<'a>(
    tree: &Tree<'a>,
    place: (NodeId, Span),
    goals: &[Span],
    heard: bool,
    mut set: impl FnMut(&mut Run<'_, 'a>, Span, &Value<'a>) -> Result<(), String>,
) -> Result<Call<'a>, String> {
    let entry = entry(tree, place.1)?;
    let class = entry.class.filter(|_| !entry.is_static);
    let first = Run::over(tree, entry.function, class, goals, None);
    let avoid = match first.hit() {
        Some(Value::Place(place)) => Some(place.clone()),
        _ => None,
    };
    let mut run = Run::over(tree, entry.function, class, goals, avoid);
    if !run.hits.iter().any(|(span, _)| Some(span) == goals.first()) {
        return Err(format!("a test that calls {} does not come to the fault", entry.name));
    }
    if let Some(hazard) = run.hazards.first() {
        return Err(format!("a test of {} would depend on what `{hazard}` gives, which it cannot decide", entry.name));
    }
    if heard {
        uncaught(tree, place.0, place.1, &entry, &mut run)?;
    }
    for (span, value) in run.hits.clone() {
        set(&mut run, span, &value)?;
    }
    let params = entry.function.params();
    if entry.reach == Reach::Cors {
        through_cors(&mut run);
    }
    let written = |run: &Run<'_, 'a>, from: usize, to: usize, names: &dyn Fn(usize) -> String| -> Vec<String> {
        run.shapes
            .get(from..to)
            .unwrap_or_default()
            .iter()
            .enumerate()
            .map(|(index, shape)| shape.render(&names(index), &tree.style))
            .collect()
    };
    let mut arguments = written(&run, 0, run.own.min(params.items.len()), &|index| {
        entry.function.param_name(index).unwrap_or("value").to_owned()
    });
    let needed =
        run.shapes.iter().take(run.own).rposition(|shape| !shape.is_blank() && !shape.absent || shape.fixed.is_some());
    let plain = params.items.iter().rposition(|param| param.initializer.is_none());
    let untouched = run.shapes.iter().take(run.own).rposition(|shape| !shape.absent);
    let count = needed.max(plain.min(untouched)).map_or(0, |last| last + 1);
    arguments.truncate(count);
    for (index, argument) in arguments.iter_mut().enumerate() {
        let blank = run.shapes.get(index).is_some_and(|shape| shape.is_blank());
        if blank && params.items.get(index).is_some_and(|param| param.initializer.is_some()) {
            *argument = "undefined".into();
        }
    }
    let made_with = made_with(&run, class, &written);
    let is_async = entry.function.is_async() || entry.reach == Reach::Cors;
    let confidence = 1.0 / (1.0 + 0.15 * f64::from(u32::try_from(run.doubts).unwrap_or(9)));
    Ok(Call { entry, arguments, made_with, is_async, confidence })
}

/// What the handling of CORS asks of a request and its answer.
fn through_cors(run: &mut Run<'_, '_>) {
    let property = |root, name: &str| Place { root, steps: vec![Step::Property(name.to_owned())] };
    if run.own < 2 {
        return;
    }
    run.shape(&property(0, "headers")).want(Kind::Object);
    for name in ["on", "getHeader", "setHeader"] {
        run.shape(&property(1, name).then(Step::Call));
    }
}

/// The arguments of a class's constructor, without those at the end that say nothing.
fn made_with<'a>(
    run: &Run<'_, 'a>,
    class: Option<&'a Class<'a>>,
    written: &impl Fn(&Run<'_, 'a>, usize, usize, &dyn Fn(usize) -> String) -> Vec<String>,
) -> Vec<String> {
    let constructor = class.and_then(|class| {
        class.body.body.iter().find_map(|element| match element {
            ClassElement::MethodDefinition(method) if method.kind == MethodDefinitionKind::Constructor => {
                Some(Func::Function(&method.value))
            }
            _ => None,
        })
    });
    let name = |index: usize| constructor.and_then(|it| it.param_name(index)).unwrap_or("value").to_owned();
    let mut made = written(run, run.own, run.shapes.len(), &name);
    while made.last().is_some_and(|last| last == "undefined") {
        made.pop();
    }
    made
}

/// Makes sure that an error at a place comes out of the function that the test calls, or is told to it.
fn uncaught<'a>(
    tree: &Tree<'a>,
    id: NodeId,
    span: Span,
    entry: &Entry<'a>,
    run: &mut Run<'_, 'a>,
) -> Result<(), String> {
    for kind in tree.above(id) {
        if kind.span() == entry.function.span() {
            break;
        }
        let AstKind::TryStatement(it) = kind else { continue };
        let Some(handler) = &it.handler else { continue };
        if holds(it.block.span, span) {
            told(tree, handler, entry, run)?;
        }
    }
    Ok(())
}

/// What a `catch` does with the error, made visible to the test.
fn told<'a>(
    tree: &Tree<'a>,
    handler: &'a CatchClause<'a>,
    entry: &Entry<'a>,
    run: &mut Run<'_, 'a>,
) -> Result<(), String> {
    if handler.body.body.iter().any(|statement| matches!(statement, Statement::ThrowStatement(_))) {
        return Ok(());
    }
    for kind in tree.nodes() {
        let AstKind::CallExpression(call) = kind else { continue };
        if !holds(handler.span, call.span) {
            continue;
        }
        let root = |expression: &Expression<'a>| {
            let name = expression.get_identifier_reference()?;
            (0..entry.function.params().items.len())
                .find(|index| entry.function.param_name(*index) == Some(name.name.as_str()))
        };
        if let Some(root) = root(&call.callee)
            && !call.arguments.is_empty()
        {
            run.shape(&Place { root, steps: Vec::new() }).fixed = Some("(error) => { if (error) throw error; }".into());
            return Ok(());
        }
        let status = call.arguments.first().and_then(|argument| argument.as_expression());
        let is_fault = matches!(status, Some(Expression::NumericLiteral(code)) if code.value >= 500.0);
        let name = property_of(&call.callee).unwrap_or_default();
        if is_fault
            && matches!(name.as_str(), "status" | "sendStatus" | "writeHead" | "code")
            && let Some(root) = object_of(&call.callee).and_then(root)
        {
            let place = Place { root, steps: vec![Step::Property(name)] };
            let answer = run.shape(&place.then(Step::Call)).clone();
            let given = if answer.is_blank() { "{}".to_owned() } else { answer.render("answer", &tree.style) };
            run.shape(&place).fixed = Some(format!(
                "(code) => {{ if (code >= 500) throw new Error(`answered ${{code}}`); return {given}; }}"
            ));
            return Ok(());
        }
    }
    Err(format!(
        "the error is caught in line {} of {}, where a test cannot see it",
        tree.line_of(handler.span.start as usize),
        tree.path
    ))
}

/// Makes a value `undefined` or `null`.
///
/// # Errors
/// Why the arguments cannot.
pub fn make_absent(run: &mut Run<'_, '_>, value: &Value<'_>, nothing: Nothing) -> Result<(), String> {
    match value {
        Value::Place(place) => {
            if run.required.iter().any(|known| known.root == place.root && known.steps.starts_with(&place.steps)) {
                return Err("the code before it already makes sure that the value is there".into());
            }
            let shape = run.shape(place);
            if matches!(place.steps.last(), Some(Step::Json)) {
                run.shape(&place.parent().map_or_else(|| place.clone(), |(above, _)| above)).fixed =
                    Some("'null'".into());
                return Ok(());
            }
            shape.clear();
            if nothing == Nothing::Null {
                shape.fixed = Some("null".into());
            }
            Ok(())
        }
        Value::Lookup { key, .. } => match &**key {
            Value::Place(place) => {
                run.shape(place).fixed = Some("'unknown'".into());
                Ok(())
            }
            _ => Err("the key that was looked up is none that a test can choose".into()),
        },
        Value::Match(subject) => match &**subject {
            Value::Place(place) => {
                run.shape(place).fixed = Some("''".into());
                Ok(())
            }
            _ => Err("the text that was matched is none that a test can choose".into()),
        },
        Value::Part(text) => {
            run.shape(text).fixed = Some("'text'".into());
            Ok(())
        }
        Value::Nothing => Ok(()),
        _ => Err("the value that was missing comes from where a test cannot decide it".into()),
    }
}
