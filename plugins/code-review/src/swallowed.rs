//! Errors that are caught and go no further, in JavaScript.

use oxc_ast::ast::{Argument, ArrowFunctionBody, CallExpression, CatchClause, Expression, Program, Statement};
use oxc_ast_visit::{Visit, walk};
use oxc_span::{GetSpan, Span};

/// What becomes of the error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Nothing, and nobody says why.
    Dropped,
    /// Nothing, and a comment says why.
    DroppedWithComment,
    /// It is logged; the caller takes the failure for success.
    OnlyLogged,
    /// The function ends with nothing in its hands; the caller cannot know why.
    OnlyLeft,
}

/// A place where an error is swallowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Swallowed {
    /// The handler.
    pub span: Span,
    /// What becomes of the error.
    pub fate: Fate,
}

/// All such places.
pub fn places(program: &Program<'_>, text: &str) -> Vec<Swallowed> {
    let mut visitor = Visitor { text, found: Vec::new() };
    visitor.visit_program(program);
    visitor.found
}

struct Visitor<'t> {
    text: &'t str,
    found: Vec<Swallowed>,
}

impl Visitor<'_> {
    fn add(&mut self, span: Span, fate: Option<Fate>) {
        let Some(fate) = fate else { return };
        let source = self.text.get(span.start as usize..span.end as usize).unwrap_or_default();
        let explained = source.contains("//") || source.contains("/*");
        let fate = if fate == Fate::Dropped && explained { Fate::DroppedWithComment } else { fate };
        self.found.push(Swallowed { span, fate });
    }

    fn handler(&mut self, argument: Option<&Argument<'_>>) {
        if let Some(handler) = argument.and_then(Argument::as_expression) {
            self.add(handler.span(), fate_of_handler(handler));
        }
    }
}

impl<'a> Visit<'a> for Visitor<'_> {
    fn visit_catch_clause(&mut self, clause: &CatchClause<'a>) {
        self.add(clause.span, fate_of(&clause.body.body));
        walk::walk_catch_clause(self, clause);
    }

    fn visit_call_expression(&mut self, call: &CallExpression<'a>) {
        if let Some(member) = call.callee.as_member_expression() {
            match member.static_property_name().unwrap_or_default() {
                "catch" => self.handler(call.arguments.first()),
                "then" => self.handler(call.arguments.get(1)),
                // What every failed piece of the process comes to in the end.
                "on" | "once" if member.object().is_specific_id("process") => {
                    let event = call.arguments.first().and_then(Argument::as_expression);
                    if event.is_some_and(|event| {
                        event.is_specific_string_literal("uncaughtException")
                            || event.is_specific_string_literal("unhandledRejection")
                    }) {
                        self.handler(call.arguments.get(1));
                    }
                }
                _ => {}
            }
        }
        walk::walk_call_expression(self, call);
    }
}

/// What becomes of an error in a block; none when something is done about it.
fn fate_of(body: &[Statement<'_>]) -> Option<Fate> {
    let mut fate = Fate::Dropped;
    for statement in body {
        match statement {
            Statement::EmptyStatement(_) => {}
            Statement::ExpressionStatement(statement) if is_log(&statement.expression) => fate = Fate::OnlyLogged,
            Statement::ExpressionStatement(statement) if is_nothing(&statement.expression) => {}
            Statement::ReturnStatement(leave) if leave.argument.as_ref().is_none_or(is_nothing) => {
                if fate == Fate::Dropped {
                    fate = Fate::OnlyLeft;
                }
            }
            Statement::ContinueStatement(_) | Statement::BreakStatement(_) if fate == Fate::Dropped => {
                fate = Fate::OnlyLeft
            }
            Statement::ContinueStatement(_) | Statement::BreakStatement(_) => {}
            Statement::BlockStatement(block) => match fate_of(&block.body)? {
                Fate::Dropped => {}
                inner => fate = inner,
            },
            _ => return None,
        }
    }
    Some(fate)
}

fn fate_of_handler(handler: &Expression<'_>) -> Option<Fate> {
    match handler.get_inner_expression() {
        Expression::ArrowFunctionExpression(function) => match &function.body {
            ArrowFunctionBody::FunctionBody(body) => fate_of(&body.statements),
            body => {
                let value = body.as_expression()?;
                if is_nothing(value) { Some(Fate::Dropped) } else { is_log(value).then_some(Fate::OnlyLogged) }
            }
        },
        Expression::FunctionExpression(function) => fate_of(&function.body.as_ref()?.statements),
        Expression::Identifier(name) => {
            ["noop", "nop", "ignore"].contains(&name.name.as_str()).then_some(Fate::Dropped)
        }
        // `.catch(console.error)`; `.then(f, null)` is no handler.
        other => other
            .as_member_expression()
            .filter(|member| member.object().is_specific_id("console"))
            .map(|_| Fate::OnlyLogged)
            .or_else(|| other.is_specific_member_access("_", "noop").then_some(Fate::Dropped)),
    }
}

/// `undefined`, `null`, `void 0` and the like.
fn is_nothing(expression: &Expression<'_>) -> bool {
    let inner = expression.get_inner_expression();
    inner.is_null_or_undefined() || inner.is_void()
}

/// Whether all that an expression does is to write to a log.
fn is_log(expression: &Expression<'_>) -> bool {
    let call = match expression.get_inner_expression() {
        Expression::AwaitExpression(awaited) => awaited.argument.get_inner_expression(),
        other => other,
    };
    let Expression::CallExpression(call) = call else { return false };
    const LOGS: [&str; 6] = ["console", "logger", "log", "debug", "winston", "pino"];
    match call.callee.get_inner_expression() {
        Expression::Identifier(name) => ["log", "debug", "warn"].contains(&name.name.as_str()),
        other => {
            let Some(member) = other.as_member_expression() else { return false };
            // `req.log.error`, `this.logger.warn`, `functions.logger.error`
            match member.object().get_inner_expression() {
                Expression::Identifier(name) => LOGS.contains(&name.name.as_str()),
                object => object
                    .as_member_expression()
                    .and_then(|object| object.static_property_name())
                    .is_some_and(|name| LOGS.contains(&name)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fates(text: &str) -> Vec<Fate> {
        let places = change::with_program("a.ts", text, |program| places(program, text));
        places.unwrap_or_else(|| panic!("{text}")).into_iter().map(|place| place.fate).collect()
    }

    #[test]
    fn errors_that_go_no_further_are_found() {
        for (text, fate) in [
            ("try { a(); } catch {}", Fate::Dropped),
            ("try { a(); } catch (e) { ; }", Fate::Dropped),
            ("try { a(); } catch (e) { /* the cache is optional */ }", Fate::DroppedWithComment),
            ("try { a(); } catch (e) {\n  // not there yet\n}", Fate::DroppedWithComment),
            ("try { a(); } catch (e) { console.error('failed', e); }", Fate::OnlyLogged),
            ("try { a(); } catch (e) { logger.warn(e); return; }", Fate::OnlyLogged),
            ("try { a(); } catch (e) { functions.logger.error(e); }", Fate::OnlyLogged),
            ("function f() { try { return a(); } catch (e) { return null; } }", Fate::OnlyLeft),
            ("function f() { try { return a(); } catch { return; } }", Fate::OnlyLeft),
            ("for (const x of y) { try { a(x); } catch { continue; } }", Fate::OnlyLeft),
            ("save().catch(() => {});", Fate::Dropped),
            ("save().catch(() => undefined);", Fate::Dropped),
            ("save().catch(() => null);", Fate::Dropped),
            ("save().catch(function () {});", Fate::Dropped),
            ("save().catch(_.noop);", Fate::Dropped),
            ("save().catch(noop);", Fate::Dropped),
            ("save().catch(console.error);", Fate::OnlyLogged),
            ("save().catch((e) => console.log(e));", Fate::OnlyLogged),
            ("save().then(done, () => {});", Fate::Dropped),
            ("process.on('uncaughtException', () => {});", Fate::Dropped),
            ("process.on('unhandledRejection', (e) => { console.error(e); });", Fate::OnlyLogged),
        ] {
            assert_eq!(fates(text), [fate], "{text}");
        }
    }

    #[test]
    fn errors_that_something_is_done_about_are_left_alone() {
        for text in [
            "try { a(); } catch (e) { throw new Error('a failed', { cause: e }); }",
            "try { a(); } catch (e) { console.error(e); throw e; }",
            "try { a(); } catch (e) { res.status(400).json({ error: 'bad input' }); }",
            "function f() { try { return JSON.parse(t); } catch { return []; } }",
            "function f() { try { return a(); } catch (e) { return fallback(e); } }",
            "try { a(); } catch (e) { failed = true; }",
            "try { a(); } catch (e) { console.error(e); process.exit(1); }",
            "save().catch(next); save().catch((e) => retry(e)); save().catch((e) => { throw e; });",
            "save().then(done); save().then(done, failed);",
            "process.on('uncaughtException', (e) => { console.error(e); process.exit(1); });",
            "emitter.on('error', () => {});",
        ] {
            assert_eq!(fates(text), [], "{text}");
        }
    }
}
