//! Test files in JavaScript: `node:test`, and what Mocha, Jest, Vitest, Jasmine and Chai write.

use std::collections::BTreeSet;

use change::Positions;
use oxc_ast::ast::{Argument, CallExpression, Expression, Program};
use oxc_ast_visit::{Visit, walk};
use oxc_span::{GetSpan, Span};

use super::{Assertion, State, Strength, Suite, Test, squeezed};

pub fn suite(program: &Program<'_>, text: &str) -> Suite {
    let mut visitor = Visitor {
        text,
        positions: Positions::new(text),
        suite: Suite::default(),
        names: Vec::new(),
        states: Vec::new(),
        open: Vec::new(),
        expectations: BTreeSet::new(),
    };
    visitor.visit_program(program);
    visitor.suite
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Test,
    Group,
}

struct Visitor<'t> {
    text: &'t str,
    positions: Positions<'t>,
    suite: Suite,
    /// Names of the groups and tests around.
    names: Vec<String>,
    /// States of the groups around: a skipped group skips all in it.
    states: Vec<State>,
    /// Indices of the tests around.
    open: Vec<usize>,
    /// Where each `expect(…)` starts whose assertion is known already.
    expectations: BTreeSet<u32>,
}

/// Kind and state that a callee stands for: `it`, `describe.skip`, `test.only.each([…])`, `t.test`.
fn declares(callee: &Expression<'_>) -> Option<(Kind, State)> {
    match callee.get_inner_expression() {
        Expression::Identifier(name) => Some(match name.name.as_str() {
            "test" | "it" | "specify" => (Kind::Test, State::Runs),
            "describe" | "context" | "suite" => (Kind::Group, State::Runs),
            "xit" | "xtest" | "xspecify" => (Kind::Test, State::Skipped),
            "xdescribe" | "xcontext" => (Kind::Group, State::Skipped),
            "fit" | "ftest" => (Kind::Test, State::Focused),
            "fdescribe" | "fcontext" => (Kind::Group, State::Focused),
            _ => return None,
        }),
        Expression::CallExpression(table) => {
            let member = table.callee.as_member_expression()?;
            let name = member.static_property_name()?;
            // `skipIf(x)` skips somewhere; `runIf` the same.
            match name {
                "each" | "for" => declares(member.object()),
                "skipIf" | "runIf" => declares(member.object()).map(|(kind, _)| (kind, State::Skipped)),
                _ => None,
            }
        }
        Expression::TaggedTemplateExpression(table) => {
            let member = table.tag.as_member_expression()?;
            (member.static_property_name()? == "each").then(|| declares(member.object()))?
        }
        other => {
            let member = other.as_member_expression()?;
            let name = member.static_property_name()?;
            // A subtest of `node:test`, or `test.describe` of others.
            if let Some(kind) = match name {
                "test" | "it" => Some(Kind::Test),
                "describe" | "suite" => Some(Kind::Group),
                _ => None,
            } && member.object().is_identifier_reference()
            {
                return Some((kind, State::Runs));
            }
            let (kind, _) = declares(member.object())?;
            match name {
                "skip" | "todo" | "fixme" | "fails" | "failing" => Some((kind, State::Skipped)),
                "only" => Some((kind, State::Focused)),
                "concurrent" | "sequential" | "serial" | "parallel" => declares(member.object()),
                _ => None,
            }
        }
    }
}

/// State that options give: `{ skip: true }`, `{ todo: 'later' }`, `{ only: true }`.
fn option_state(arguments: &[Argument<'_>]) -> Option<State> {
    let objects = arguments.iter().filter_map(|argument| match argument {
        Argument::ObjectExpression(object) => Some(object),
        _ => None,
    });
    objects.flat_map(|object| &object.properties).filter_map(|property| property.as_property()).find_map(|property| {
        if matches!(&property.value, Expression::BooleanLiteral(value) if !value.value) {
            return None;
        }
        match property.key.static_name()?.as_ref() {
            "skip" | "todo" => Some(State::Skipped),
            "only" => Some(State::Focused),
            _ => None,
        }
    })
}

fn has_function(arguments: &[Argument<'_>]) -> bool {
    arguments.iter().filter_map(Argument::as_expression).any(Expression::is_function)
}

/// The innermost `expect(…)` that a chain such as `expect(a).not.toBe(b)` starts with.
fn expectation(expression: &Expression<'_>) -> Option<Span> {
    match expression.get_inner_expression() {
        Expression::CallExpression(call) if call.callee.is_specific_id("expect") => Some(call.span),
        Expression::CallExpression(call) => expectation(&call.callee),
        other => expectation(other.as_member_expression()?.object()),
    }
}

/// Whether a chain has one of the words in it.
fn chain_has(expression: &Expression<'_>, word: &str) -> bool {
    match expression.get_inner_expression() {
        Expression::CallExpression(call) => chain_has(&call.callee, word),
        other => other
            .as_member_expression()
            .is_some_and(|member| member.static_property_name() == Some(word) || chain_has(member.object(), word)),
    }
}

fn strength_of_matcher(name: &str, negated: bool, has_arguments: bool) -> Strength {
    let strict = match name {
        "toBe"
        | "toEqual"
        | "toStrictEqual"
        | "toBeNull"
        | "toBeUndefined"
        | "toBeNaN"
        | "toMatchSnapshot"
        | "toBeCloseTo"
        | "toMatchInlineSnapshot"
        | "toHaveBeenCalledWith"
        | "toHaveBeenLastCalledWith"
        | "toHaveBeenCalledTimes"
        | "toHaveLength"
        | "equal"
        | "equals"
        | "eql"
        | "eq"
        | "deep"
        | "lengthOf"
        | "toMatchObject"
        | "toMatch"
        | "match"
        | "members"
        | "calledWith" => true,
        "toThrow" | "toThrowError" | "throw" | "throws" | "rejectedWith" => has_arguments,
        _ => false,
    };
    if strict && !negated { Strength::Strict } else { Strength::Loose }
}

fn strength_of_assert(name: &str, arguments: usize) -> Strength {
    match name {
        "equal"
        | "strictEqual"
        | "deepEqual"
        | "deepStrictEqual"
        | "match"
        | "partialDeepStrictEqual"
        | "isNull"
        | "isUndefined"
        | "lengthOf"
        | "sameMembers"
        | "snapshot" => Strength::Strict,
        "throws" | "rejects" if arguments > 1 => Strength::Strict,
        _ => Strength::Loose,
    }
}

impl Visitor<'_> {
    fn declare(&mut self, call: &CallExpression<'_>, kind: Kind, own: State) {
        let name = match call.arguments.first().and_then(Argument::as_expression).map(Expression::get_inner_expression)
        {
            Some(Expression::StringLiteral(name)) => name.value.to_string(),
            Some(other) if !other.is_function() => self.source(other.span()),
            _ => "(nameless)".to_owned(),
        };
        let around = self.states.iter().copied().find(|state| *state != State::Runs);
        let own = option_state(&call.arguments).unwrap_or(own);
        let state = if around == Some(State::Skipped) { State::Skipped } else { own };
        self.names.push(name);
        self.states.push(state);
        if kind == Kind::Test {
            let rest = call.arguments.iter().skip(1).map(|argument| self.source(argument.span())).collect::<Vec<_>>();
            self.open.push(self.suite.tests.len());
            self.suite.tests.push(Test {
                name: self.names.join(" › "),
                line: self.positions.line(call.span.start),
                state,
                assertions: Vec::new(),
                body: rest.join(", "),
            });
        }
        walk::walk_call_expression(self, call);
        if kind == Kind::Test {
            self.open.pop();
        }
        self.states.pop();
        self.names.pop();
    }

    fn source(&self, span: Span) -> String {
        squeezed(self.text.get(span.start as usize..span.end as usize).unwrap_or_default())
    }

    fn assert(&mut self, span: Span, strength: Strength) {
        let assertion = Assertion { strength, text: self.source(span), line: self.positions.line(span.start) };
        match self.open.last().and_then(|index| self.suite.tests.get_mut(*index)) {
            Some(test) => test.assertions.push(assertion),
            None => self.suite.shared.push(assertion),
        }
    }

    /// `t.skip()` and `this.skip()` in a test.
    fn skip_inside(&mut self, call: &CallExpression<'_>) {
        let Some(member) = call.callee.as_member_expression() else { return };
        let is_skip = matches!(member.static_property_name(), Some("skip" | "todo"));
        let of_test =
            member.object().is_identifier_reference() || matches!(member.object(), Expression::ThisExpression(_));
        if is_skip
            && of_test
            && call.arguments.len() <= 1
            && let Some(test) = self.open.last().and_then(|index| self.suite.tests.get_mut(*index))
        {
            test.state = State::Skipped;
        }
    }
}

impl<'a> Visit<'a> for Visitor<'_> {
    fn visit_call_expression(&mut self, call: &CallExpression<'a>) {
        if let Some((kind, state)) = declares(&call.callee)
            && (has_function(&call.arguments) || state == State::Skipped && !call.arguments.is_empty())
        {
            self.declare(call, kind, state);
            return;
        }
        self.skip_inside(call);
        let member = call.callee.as_member_expression();
        if let Some(member) = member
            && let Some(name) = member.static_property_name()
        {
            if let Some(expect) = expectation(member.object()) {
                if self.expectations.insert(expect.start) {
                    let negated = chain_has(member.object(), "not");
                    self.assert(call.span, strength_of_matcher(name, negated, !call.arguments.is_empty()));
                }
            } else if is_assert(member.object()) {
                self.assert(call.span, strength_of_assert(name, call.arguments.len()));
            }
        } else if call.callee.is_specific_id("expect") {
            // Chai's `expect(a).to.be.true` calls nothing after it.
            if self.expectations.insert(call.span.start) {
                self.assert(call.span, Strength::Loose);
            }
        } else if let Expression::Identifier(name) = &call.callee {
            match name.name.as_str() {
                "assert" | "ok" => self.assert(call.span, Strength::Loose),
                name @ ("strictEqual" | "deepStrictEqual" | "deepEqual" | "equal" | "notStrictEqual" | "throws"
                | "rejects") => {
                    self.assert(call.span, strength_of_assert(name, call.arguments.len()));
                }
                _ => {}
            }
        }
        walk::walk_call_expression(self, call);
    }
}

/// `assert`, `assert.strict`, `t.assert`, `chai.assert`.
fn is_assert(expression: &Expression<'_>) -> bool {
    match expression.get_inner_expression() {
        Expression::Identifier(name) => name.name == "assert",
        other => other.as_member_expression().is_some_and(|member| match member.static_property_name() {
            Some("assert") => true,
            Some("strict") => is_assert(member.object()),
            _ => false,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Suite {
        change::with_program("a.test.ts", text, |program| suite(program, text)).unwrap_or_else(|| panic!("{text}"))
    }

    fn states(text: &str) -> Vec<(String, State)> {
        of(text).tests.into_iter().map(|test| (test.name, test.state)).collect()
    }

    #[test]
    fn tests_are_found_however_they_are_declared() {
        let f = "() => {}";
        for (text, name, state) in [
            (format!("test('a', {f});"), "a", State::Runs),
            (format!("describe('g', () => {{ it('a', {f}); }});"), "g › a", State::Runs),
            (format!("test('g', async (t) => {{ await t.test('a', {f}); }});"), "g › a", State::Runs),
            (format!("it.skip('a', {f});"), "a", State::Skipped),
            (format!("xit('a', {f});"), "a", State::Skipped),
            ("test.todo('a');".into(), "a", State::Skipped),
            (format!("test('a', {{ skip: true }}, {f});"), "a", State::Skipped),
            (format!("test('a', {{ skip: false }}, {f});"), "a", State::Runs),
            (format!("test('a', {{ todo: 'later' }}, {f});"), "a", State::Skipped),
            (format!("describe.skip('g', () => {{ it('a', {f}); }});"), "g › a", State::Skipped),
            (format!("it.only('a', {f});"), "a", State::Focused),
            (format!("fit('a', {f});"), "a", State::Focused),
            (format!("test.each([1, 2])('a %d', {f});"), "a %d", State::Runs),
            (format!("test.skip.each`x`('a', {f});"), "a", State::Skipped),
            ("test('a', (t) => { t.skip('flaky'); });".into(), "a", State::Skipped),
            ("it('a', function () { this.skip(); });".into(), "a", State::Skipped),
        ] {
            assert_eq!(states(&text).last(), Some(&(name.to_owned(), state)), "{text}");
        }
        assert_eq!(states("if (/x/.test(y)) z(); pattern.test('a'); list.only('x');"), []);
    }

    #[test]
    fn assertions_are_counted_once_and_weighed() {
        use Strength::{Loose, Strict};
        for (text, expected) in [
            ("assert(x);", vec![Loose]),
            ("assert.ok(x); assert.equal(a, 1); assert.strict.deepEqual(a, b);", vec![Loose, Strict, Strict]),
            ("assert.throws(f); assert.throws(f, /bad/);", vec![Loose, Strict]),
            ("expect(a).toBe(1); expect(a).not.toBe(1); expect(a).toBeTruthy();", vec![Strict, Loose, Loose]),
            ("await expect(p).rejects.toThrow('bad');", vec![Strict]),
            ("expect(a).to.have.property('b').that.equals(1);", vec![Strict]),
            ("expect(a).to.be.true;", vec![Loose]),
            ("t.assert.strictEqual(a, 1); strictEqual(a, 1);", vec![Strict, Strict]),
        ] {
            let found = of(&format!("test('a', async (t) => {{ {text} }});"));
            let strengths: Vec<_> = found.tests[0].assertions.iter().map(|assertion| assertion.strength).collect();
            assert_eq!(strengths, expected, "{text}");
        }
        assert_eq!(of("function check(a) { assert.equal(a, 1); }").shared.len(), 1);
    }
}
