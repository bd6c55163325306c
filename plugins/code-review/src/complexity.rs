//! Cyclomatic complexity of JavaScript's functions: one, and one more for each place where the way parts (McCabe, 1976).

use oxc_ast::ast::{
    ArrowFunctionExpression, AssignmentExpression, AssignmentTarget, BindingPattern, CatchClause, Class,
    ConditionalExpression, DoWhileStatement, Expression, ForInStatement, ForOfStatement, ForStatement, Function,
    IfStatement, LogicalExpression, MethodDefinition, ObjectProperty, Program, PropertyDefinition, SwitchCase,
    VariableDeclarator, WhileStatement,
};
use oxc_ast_visit::{Visit, walk};
use oxc_span::Span;
use oxc_syntax::scope::ScopeFlags;

/// A function of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measured {
    /// Its name, with those around it: `Cart.total`; a nameless one is `(anonymous)`.
    pub name: String,
    /// Where it is.
    pub span: Span,
    /// Its complexity, without that of functions inside it.
    pub complexity: u32,
}

/// All functions, outer ones before those inside them.
pub fn functions(program: &Program<'_>) -> Vec<Measured> {
    let mut visitor = Visitor::default();
    visitor.visit_program(program);
    visitor.done
}

#[derive(Default)]
struct Visitor {
    done: Vec<Measured>,
    /// Indices into `done` of the functions around.
    open: Vec<usize>,
    /// Names around.
    names: Vec<String>,
    /// The name that the next function is given by what it is put into.
    pending: Option<String>,
}

impl Visitor {
    fn enter(&mut self, own: Option<String>, span: Span, walk: impl FnOnce(&mut Self)) {
        let name = self.pending.take().or(own).unwrap_or_else(|| "(anonymous)".to_owned());
        self.names.push(name);
        self.open.push(self.done.len());
        self.done.push(Measured { name: self.names.join("."), span, complexity: 1 });
        walk(self);
        self.open.pop();
        self.names.pop();
    }

    fn parts(&mut self) {
        if let Some(function) = self.open.last().and_then(|index| self.done.get_mut(*index)) {
            function.complexity += 1;
        }
    }

    fn name_next(&mut self, name: Option<String>, value: Option<&Expression<'_>>) {
        self.pending = name.filter(|_| value.is_some_and(|value| value.get_inner_expression().is_function()));
    }
}

/// Visits that only count.
macro_rules! counted {
    ($($visit:ident($node:ident) by $walk:ident;)+) => {
        $(fn $visit(&mut self, node: &$node<'a>) {
            self.parts();
            walk::$walk(self, node);
        })+
    };
}

impl<'a> Visit<'a> for Visitor {
    counted! {
        visit_if_statement(IfStatement) by walk_if_statement;
        visit_conditional_expression(ConditionalExpression) by walk_conditional_expression;
        visit_for_statement(ForStatement) by walk_for_statement;
        visit_for_in_statement(ForInStatement) by walk_for_in_statement;
        visit_for_of_statement(ForOfStatement) by walk_for_of_statement;
        visit_while_statement(WhileStatement) by walk_while_statement;
        visit_do_while_statement(DoWhileStatement) by walk_do_while_statement;
        visit_catch_clause(CatchClause) by walk_catch_clause;
        visit_logical_expression(LogicalExpression) by walk_logical_expression;
    }

    fn visit_switch_case(&mut self, case: &SwitchCase<'a>) {
        if case.test.is_some() {
            self.parts();
        }
        walk::walk_switch_case(self, case);
    }

    fn visit_assignment_expression(&mut self, assignment: &AssignmentExpression<'a>) {
        if assignment.operator.is_logical() {
            self.parts();
        }
        let name = match &assignment.left {
            AssignmentTarget::AssignmentTargetIdentifier(name) => Some(name.name.to_string()),
            AssignmentTarget::StaticMemberExpression(member) => Some(member.property.name.to_string()),
            _ => None,
        };
        self.name_next(name, Some(&assignment.right));
        walk::walk_assignment_expression(self, assignment);
    }

    fn visit_variable_declarator(&mut self, declarator: &VariableDeclarator<'a>) {
        let name = match &declarator.id {
            BindingPattern::BindingIdentifier(name) => Some(name.name.to_string()),
            _ => None,
        };
        self.name_next(name, declarator.init.as_ref());
        walk::walk_variable_declarator(self, declarator);
    }

    fn visit_object_property(&mut self, property: &ObjectProperty<'a>) {
        self.name_next(property.key.static_name().map(|name| name.into_owned()), Some(&property.value));
        walk::walk_object_property(self, property);
    }

    fn visit_property_definition(&mut self, property: &PropertyDefinition<'a>) {
        self.name_next(property.key.name().map(|name| name.into_owned()), property.value.as_ref());
        walk::walk_property_definition(self, property);
    }

    fn visit_method_definition(&mut self, method: &MethodDefinition<'a>) {
        self.pending = method.key.name().map(|name| name.into_owned());
        walk::walk_method_definition(self, method);
    }

    fn visit_class(&mut self, class: &Class<'a>) {
        self.names.push(class.id.as_ref().map_or("(class)", |id| id.name.as_str()).to_owned());
        walk::walk_class(self, class);
        self.names.pop();
    }

    fn visit_function(&mut self, function: &Function<'a>, flags: ScopeFlags) {
        let own = function.id.as_ref().map(|id| id.name.to_string());
        self.enter(own, function.span, |visitor| walk::walk_function(visitor, function, flags));
    }

    fn visit_arrow_function_expression(&mut self, function: &ArrowFunctionExpression<'a>) {
        self.enter(None, function.span, |visitor| walk::walk_arrow_function_expression(visitor, function));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(text: &str) -> Vec<(String, u32)> {
        let all = change::with_program("a.js", text, functions).unwrap();
        all.into_iter().map(|function| (function.name, function.complexity)).collect()
    }

    #[test]
    fn every_parting_of_ways_counts_one() {
        for (body, complexity) in [
            ("", 1),
            ("if (a) b(); else if (c) d(); else e();", 3),
            ("return a ? b : c;", 2),
            ("for (;;) {} for (const x of y) {} for (const k in o) {} while (a) {} do {} while (b);", 6),
            ("switch (a) { case 1: case 2: break; default: }", 3),
            ("try { a(); } catch { b(); }", 2),
            ("return a && b || c ?? d;".replace("|| c ?? d", "|| c").as_str(), 3),
            ("a ??= b; a?.c;", 2),
        ] {
            assert_eq!(measured(&format!("function f() {{ {body} }}")), [("f".to_owned(), complexity)], "{body}");
        }
    }

    #[test]
    fn functions_are_named_by_what_holds_them() {
        let text = "
            class Cart { total() { return this.items.map((i) => i.a || 0); } static #x = () => 1; get size() { return 1; } }
            const tax = async (x) => x && 1;
            module.exports = { ship: function () { if (a) {} }, pack() {} };
            exports.load = function () {};
            export default function () {}
        "
        .replace("export default function () {}", "run(function () {});");
        let names: Vec<_> =
            measured(&text).into_iter().map(|(name, complexity)| format!("{name} {complexity}")).collect();
        assert_eq!(
            names,
            [
                "Cart.total 1",
                "Cart.total.(anonymous) 2",
                "Cart.x 1",
                "Cart.size 1",
                "tax 2",
                "ship 2",
                "pack 1",
                "load 1",
                "(anonymous) 1"
            ]
        );
    }
}
