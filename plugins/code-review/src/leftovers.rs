//! Leftovers of debugging in JavaScript.

use oxc_ast::ast::{CallExpression, DebuggerStatement, Program};
use oxc_ast_visit::{Visit, walk};
use oxc_span::Span;

/// Where they are, and what.
pub fn places(program: &Program<'_>) -> Vec<(Span, &'static str)> {
    let mut visitor = Visitor(Vec::new());
    visitor.visit_program(program);
    visitor.0
}

struct Visitor(Vec<(Span, &'static str)>);

impl<'a> Visit<'a> for Visitor {
    fn visit_debugger_statement(&mut self, statement: &DebuggerStatement) {
        self.0.push((statement.span, "`debugger`"));
    }

    fn visit_call_expression(&mut self, call: &CallExpression<'a>) {
        if let Some(member) = call.callee.as_member_expression()
            && member.object().is_specific_id("console")
        {
            match member.static_property_name().unwrap_or_default() {
                "log" => self.0.push((call.span, "`console.log`")),
                "debug" | "dir" | "trace" | "table" | "time" | "timeEnd" => {
                    self.0.push((call.span, "output for debugging"))
                }
                // Warnings and errors are what a service's log is for.
                _ => {}
            }
        }
        walk::walk_call_expression(self, call);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_for_debugging_is_a_leftover() {
        let text = "debugger; console.log(x); console.debug(x); console.error(x); logger.log(x); // console.log\n";
        let whats = change::with_program("a.js", text, |program| {
            places(program).into_iter().map(|(_, what)| what).collect::<Vec<_>>()
        });
        assert_eq!(whats.unwrap(), ["`debugger`", "`console.log`", "output for debugging"]);
    }
}
