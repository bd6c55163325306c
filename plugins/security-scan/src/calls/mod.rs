//! Dangerous calls in JavaScript and TypeScript, by the syntax tree: texts and comments that only speak of them are none.

mod expression;
mod names;

use std::collections::BTreeMap;

use autodevops_sdk::types::Severity;
use change::{Lines, Positions};
use expression::{html_of, is_constant, is_false, is_global, is_insecure, name_of, start_of, text_of};
use names::{Names, first_is_process_module, is_process_name, process_function};
use oxc_ast::ast::{
    Argument, AssignmentExpression, AssignmentTarget, CallExpression, ComputedMemberExpression, Expression,
    ImportDeclaration, ImportExpression, JSXAttribute, JSXAttributeValue, NewExpression, ObjectProperty, Program,
    StaticMemberExpression,
};
use oxc_ast_visit::{Visit, walk};
use oxc_span::{GetSpan, Span};

use change::Found;

/// Those of a program, on added lines.
pub fn scan(program: &Program<'_>, text: &str, lines: &Lines) -> Vec<Found> {
    let mut names = Names::default();
    names.visit_program(program);
    let positions = Positions::new(text);
    let mut calls = Calls { names: names.0, positions, lines, found: Vec::new() };
    calls.visit_program(program);
    calls.found
}

struct Calls<'t> {
    names: BTreeMap<String, String>,
    positions: Positions<'t>,
    lines: &'t Lines,
    found: Vec<Found>,
}

impl Calls<'_> {
    /// Adds a finding where one of the span's lines was added.
    fn add(&mut self, span: Span, rule: &'static str, severity: Severity, message: String, remedy: &'static str) {
        if self.lines.adds_any(self.positions.line(span.start), self.positions.line(span.end)) {
            let (line, column) = self.positions.at(span.start);
            self.found.push(Found { rule, severity, line, column: Some(column), message, remedy });
        }
    }

    /// `eval`, `new Function`, timers that are given text.
    fn evaluates(&mut self, callee: &Expression<'_>, arguments: &[Argument<'_>], span: Span) {
        const REMEDY: &str = "call a function of the program, or parse the data with JSON.parse";
        if is_global(callee, "eval") || is_global(callee, "Function") {
            let name = name_of(callee).unwrap_or_default();
            self.add(span, "code-from-text", Severity::Error, format!("`{name}` runs text as code"), REMEDY);
            return;
        }
        let timer = ["setTimeout", "setInterval", "setImmediate", "execScript"]
            .into_iter()
            .find(|name| is_global(callee, name));
        if let (Some(name), Some(first)) = (timer, arguments.first().and_then(Argument::as_expression)) {
            let first = first.get_inner_expression();
            if matches!(first, Expression::StringLiteral(_) | Expression::TemplateLiteral(_))
                || matches!(first, Expression::BinaryExpression(sum) if start_of(&sum.left).is_some())
            {
                self.add(
                    span,
                    "code-from-text",
                    Severity::Error,
                    format!("`{name}` is given text, which it runs as code"),
                    REMEDY,
                );
            }
        }
        let vm = ["runInThisContext", "runInNewContext", "runInContext", "compileFunction"];
        if callee.as_member_expression().is_some_and(|member| member.object().is_specific_id("vm"))
            && name_of(callee).is_some_and(|name| vm.contains(&name))
        {
            self.add(
                span,
                "code-from-text",
                Severity::Error,
                "`vm` runs text as code and is no sandbox".into(),
                REMEDY,
            );
        }
    }

    /// Processes that are started.
    fn starts_process(&mut self, call: &CallExpression<'_>, span: Span) {
        let Some(function) = process_function(&self.names, &call.callee) else { return };
        if function == "*" {
            return;
        }
        let first = call.arguments.first();
        let constant = first.and_then(Argument::as_expression).is_some_and(is_constant);
        let by_shell = matches!(function.as_str(), "exec" | "execSync")
            || call.arguments.iter().filter_map(Argument::as_expression).any(|argument| {
                matches!(argument, Expression::ObjectExpression(options) if options.properties.iter().any(|property| {
                    property.as_property().is_some_and(|property| {
                        property.key.is_specific_static_name("shell")
                            && !matches!(&property.value, Expression::BooleanLiteral(value) if !value.value)
                    })
                }))
            });
        if by_shell && !constant {
            self.add(
                span,
                "shell-command",
                Severity::Error,
                format!("`{function}` gives a shell a command that is put together at run time"),
                "use execFile with a list of arguments, which no shell reads",
            );
        } else {
            self.add(
                span,
                "child-process",
                Severity::Warning,
                format!("`{function}` starts a process"),
                "use a library of the language, or keep the program and its arguments constant",
            );
        }
    }

    fn loads_process_module(&mut self, span: Span) {
        self.add(
            span,
            "child-process",
            Severity::Warning,
            "`child_process` is brought in: the service can start programs".into(),
            "use a library of the language; a service that starts no programs cannot be made to start any",
        );
    }

    /// Markup that is written into a page.
    fn writes_markup(&mut self, span: Span, name: &str, value: &Expression<'_>) {
        let constant = is_constant(value);
        let severity = if constant { Severity::Info } else { Severity::Error };
        let what = if constant { "constant markup" } else { "markup that is put together at run time" };
        self.add(
            span,
            "unsafe-html",
            severity,
            format!("`{name}` writes {what} into the page"),
            "set textContent, or build elements; sanitize markup that has to be taken",
        );
    }

    fn insecure_address(&mut self, callee: &Expression<'_>, arguments: &[Argument<'_>], span: Span) {
        const CALLS: [&str; 20] = [
            "fetch",
            "get",
            "post",
            "put",
            "patch",
            "delete",
            "head",
            "request",
            "open",
            "axios",
            "got",
            "ky",
            "superagent",
            "needle",
            "WebSocket",
            "EventSource",
            "sendBeacon",
            "importScripts",
            "io",
            "Request",
        ];
        if !name_of(callee).is_some_and(|name| CALLS.contains(&name)) {
            return;
        }
        let address =
            arguments.iter().take(2).filter_map(Argument::as_expression).filter_map(start_of).find(|a| is_insecure(a));
        if address.is_some() {
            self.add(
                span,
                "insecure-http",
                Severity::Warning,
                "a request goes out unencrypted, over http".into(),
                "use https, so that nobody on the way reads or changes it",
            );
        }
    }
}

impl<'a> Visit<'a> for Calls<'_> {
    fn visit_call_expression(&mut self, call: &CallExpression<'a>) {
        // To the first argument's end: what a callback does is looked at by itself.
        let end = call.arguments.first().map_or(call.callee.span().end, |first| match first {
            Argument::FunctionExpression(_) | Argument::ArrowFunctionExpression(_) => call.callee.span().end,
            other => other.span().end,
        });
        let span = Span::new(call.span.start, end);
        self.evaluates(&call.callee, &call.arguments, span);
        self.starts_process(call, span);
        if call.callee.is_specific_id("require") && first_is_process_module(&call.arguments) {
            self.loads_process_module(span);
        }
        if let Some(member) = call.callee.as_member_expression() {
            let name = member.static_property_name().unwrap_or_default();
            let of_document = member.object().is_specific_id("document")
                || member.object().is_specific_member_access("window", "document");
            let markup = match name {
                "write" | "writeln" if of_document => call.arguments.first(),
                "insertAdjacentHTML" => call.arguments.get(1),
                "createContextualFragment" => call.arguments.first(),
                "setHTMLUnsafe" => call.arguments.first(),
                _ => None,
            };
            if let Some(markup) = markup.and_then(Argument::as_expression) {
                self.writes_markup(Span::new(call.span.start, markup.span().end), name, markup);
            }
        }
        self.insecure_address(&call.callee, &call.arguments, span);
        walk::walk_call_expression(self, call);
    }

    fn visit_new_expression(&mut self, new: &NewExpression<'a>) {
        self.evaluates(&new.callee, &new.arguments, new.span);
        self.insecure_address(&new.callee, &new.arguments, new.span);
        walk::walk_new_expression(self, new);
    }

    fn visit_import_declaration(&mut self, import: &ImportDeclaration<'a>) {
        if is_process_name(import.source.value.as_str()) && !import.import_kind.is_type() {
            self.loads_process_module(import.span);
        }
    }

    fn visit_import_expression(&mut self, import: &ImportExpression<'a>) {
        if text_of(&import.source).is_some_and(is_process_name) {
            self.loads_process_module(import.span);
        }
        walk::walk_import_expression(self, import);
    }

    fn visit_assignment_expression(&mut self, assignment: &AssignmentExpression<'a>) {
        let name = match &assignment.left {
            AssignmentTarget::StaticMemberExpression(member) => Some(member.property.name.as_str()),
            AssignmentTarget::ComputedMemberExpression(member) => text_of(&member.expression),
            _ => None,
        };
        match name {
            Some(name @ ("innerHTML" | "outerHTML" | "srcdoc")) => {
                self.writes_markup(assignment.span, name, &assignment.right)
            }
            Some("NODE_TLS_REJECT_UNAUTHORIZED") => self.add(
                assignment.span,
                "tls-not-verified",
                Severity::Error,
                "certificates are not verified any more, in the whole process".into(),
                "trust the certificate's authority by NODE_EXTRA_CA_CERTS instead",
            ),
            Some("__proto__") => self.add(
                assignment.span,
                "prototype-pollution",
                Severity::Error,
                "`__proto__` is written: all objects may be changed by it".into(),
                "use Object.create or Object.setPrototypeOf, or a Map for keys that come from outside",
            ),
            _ => {}
        }
        walk::walk_assignment_expression(self, assignment);
    }

    fn visit_static_member_expression(&mut self, member: &StaticMemberExpression<'a>) {
        if member.property.name == "__proto__" {
            self.reads_prototype(member.span);
        }
        walk::walk_static_member_expression(self, member);
    }

    fn visit_computed_member_expression(&mut self, member: &ComputedMemberExpression<'a>) {
        if text_of(&member.expression) == Some("__proto__") {
            self.reads_prototype(member.span);
        }
        walk::walk_computed_member_expression(self, member);
    }

    fn visit_object_property(&mut self, property: &ObjectProperty<'a>) {
        match property.key.static_name().as_deref() {
            Some("rejectUnauthorized" | "strictSSL") if is_false(&property.value) => self.add(
                property.span,
                "tls-not-verified",
                Severity::Error,
                "the other side's certificate is not verified: anybody can pose as it".into(),
                "leave verification on; give a private authority's certificate as `ca`",
            ),
            Some("checkServerIdentity") if property.value.is_function() => self.add(
                property.span,
                "tls-not-verified",
                Severity::Warning,
                "whether a certificate belongs to the server is decided by a function of the program".into(),
                "leave it to tls.checkServerIdentity",
            ),
            Some("NODE_TLS_REJECT_UNAUTHORIZED") => self.add(
                property.span,
                "tls-not-verified",
                Severity::Error,
                "certificates are not verified by a process that is started".into(),
                "trust the certificate's authority by NODE_EXTRA_CA_CERTS instead",
            ),
            Some("dangerouslySetInnerHTML") => {
                self.writes_markup(property.span, "dangerouslySetInnerHTML", html_of(&property.value))
            }
            Some("__proto__") if !property.shorthand && !property.method => self.add(
                property.span,
                "prototype-pollution",
                Severity::Warning,
                "an object is given its prototype by `__proto__`".into(),
                "use Object.create",
            ),
            _ => {}
        }
        walk::walk_object_property(self, property);
    }

    fn visit_jsx_attribute(&mut self, attribute: &JSXAttribute<'a>) {
        if attribute.is_identifier("dangerouslySetInnerHTML")
            && let Some(JSXAttributeValue::ExpressionContainer(container)) = &attribute.value
            && let Some(value) = container.expression.as_expression()
        {
            self.writes_markup(attribute.span, "dangerouslySetInnerHTML", html_of(value));
        }
        walk::walk_jsx_attribute(self, attribute);
    }
}

impl Calls<'_> {
    fn reads_prototype(&mut self, span: Span) {
        let (line, _) = self.positions.at(span.start);
        // The assignment around it said so already.
        if self.found.iter().any(|found| found.rule == "prototype-pollution" && found.line == line) {
            return;
        }
        self.add(
            span,
            "prototype-pollution",
            Severity::Warning,
            "`__proto__` is used".into(),
            "use Object.getPrototypeOf, or a Map for keys that come from outside",
        );
    }
}

#[cfg(test)]
mod tests;
