//! The `try` around a call of `JSON.parse`, wherever in a statement it stands.

use oxc_ast::{
    AstKind,
    ast::{ArrowFunctionExpression, AssignmentTarget, CallExpression, Expression},
};
use oxc_semantic::NodeId;
use oxc_span::{GetSpan, Span};

use super::Answer;
use crate::{
    edit::Replace,
    entry::stem,
    tree::{Func, Tree, holds},
    uses::symbol_of,
};

/// Writes the `try` around a call, in the words of the file.
pub(super) struct Writer<'t, 'a> {
    pub(super) tree: &'t Tree<'a>,
    pub(super) call: &'a CallExpression<'a>,
    pub(super) function: Func<'a>,
    pub(super) answer: Option<Answer>,
    pub(super) fallback: Result<String, String>,
}

impl Writer<'_, '_> {
    /// What is to be written, and where.
    pub(super) fn edits(&self) -> Result<Vec<Replace>, String> {
        let Some((statement, around)) = self.tree.statement(self.call.node_id()) else {
            return Err("the call is in no statement".into());
        };
        let arrow = match self.function {
            Func::Arrow(arrow) if arrow.body.as_expression().is_some() => Some(arrow),
            _ => None,
        };
        if let Some(arrow) = arrow {
            return self.arrow(arrow);
        }
        self.unconditional(statement.node_id())?;
        let in_block = matches!(around, AstKind::BlockStatement(_) | AstKind::FunctionBody(_) | AstKind::SwitchCase(_));
        match statement {
            AstKind::ReturnStatement(it)
                if it.argument.as_ref().is_some_and(|given| given.get_inner_expression().span() == self.call.span) =>
            {
                let value = self.value()?;
                let caught = if value.starts_with("return") { value } else { format!("return {value}") };
                Ok(self.wrapped(it.span, &caught))
            }
            AstKind::ExpressionStatement(it) => match it.expression.get_inner_expression() {
                Expression::AssignmentExpression(assignment)
                    if assignment.right.get_inner_expression().span() == self.call.span
                        && !matches!(
                            assignment.left,
                            AssignmentTarget::ObjectAssignmentTarget(_) | AssignmentTarget::ArrayAssignmentTarget(_)
                        ) =>
                {
                    let value = self.value()?;
                    let target = self.tree.at(assignment.left.span());
                    let caught = if value.starts_with("return") { value } else { format!("{target} = {value}") };
                    Ok(self.wrapped(it.span, &caught))
                }
                _ if in_block => self.hoisted(it.span),
                _ => Err("the statement stands without braces".into()),
            },
            AstKind::VariableDeclaration(it) if in_block => {
                let [declarator] = it.declarations.as_slice() else {
                    return Err("several variables are declared at once".into());
                };
                let whole =
                    declarator.init.as_ref().is_some_and(|init| init.get_inner_expression().span() == self.call.span);
                match declarator.id.get_identifier_name() {
                    Some(name) if whole && declarator.type_annotation.is_none() => {
                        self.declared(it.span, it.kind.as_str(), &name)
                    }
                    _ => self.hoisted(it.span),
                }
            }
            AstKind::IfStatement(_)
            | AstKind::ReturnStatement(_)
            | AstKind::ForOfStatement(_)
            | AstKind::SwitchStatement(_)
                if in_block =>
            {
                self.hoisted(statement.span())
            }
            _ => Err("the call stands where it cannot be taken out of its statement".into()),
        }
    }

    fn value(&self) -> Result<String, String> {
        self.fallback.clone()
    }

    /// Whether the statement always comes to the call first.
    fn unconditional(&self, statement: NodeId) -> Result<(), String> {
        for kind in self.tree.above(self.call.node_id()) {
            if kind.node_id() == statement {
                break;
            }
            let later = match kind {
                AstKind::ConditionalExpression(it) => !holds(it.test.span(), self.call.span),
                AstKind::LogicalExpression(it) => !holds(it.left.span(), self.call.span),
                AstKind::ChainExpression(_) => true,
                _ => false,
            };
            if later && !self.is_whole(statement) {
                return Err("the call is not always come to in its statement".into());
            }
        }
        Ok(())
    }

    fn is_whole(&self, statement: NodeId) -> bool {
        self.tree.parent(self.call.node_id()).node_id() == statement
    }

    fn step(&self, at: u32) -> (String, String, &'static str, &'static str) {
        let style = self.tree.style;
        let indent = self.tree.indent_at(at as usize).to_owned();
        (indent.clone(), format!("{indent}{}", style.step()), style.newline, style.end())
    }

    /// What stands between the braces of `catch`, and its head.
    fn catch(&self, at: u32, caught: Option<&str>) -> String {
        let (indent, inner, newline, end) = self.step(at);
        match &self.answer {
            Some(answer) => {
                let body: String = answer.lines.iter().map(|line| format!("{inner}{line}{end}{newline}")).collect();
                format!("{indent}}} catch {{{newline}{body}{indent}}}")
            }
            None => {
                let said = self.tree.style.string(&format!("{}: invalid JSON", self.name()));
                let caught = caught.map(|caught| format!("{inner}{caught}{end}{newline}")).unwrap_or_default();
                format!(
                    "{indent}}} catch (error) {{{newline}{inner}console.warn({said}, error.message){end}{newline}{caught}{indent}}}"
                )
            }
        }
    }

    fn name(&self) -> String {
        let known = symbol_of(self.tree, self.function).map(|symbol| self.tree.name(symbol).to_owned());
        let key = match self.tree.parent(self.function.id()) {
            AstKind::MethodDefinition(method) => method.key.static_name().map(std::borrow::Cow::into_owned),
            AstKind::ObjectProperty(property) => property.key.static_name().map(std::borrow::Cow::into_owned),
            _ => None,
        };
        known.or(key).unwrap_or_else(|| stem(&self.tree.path))
    }

    /// The statement as it is, in a `try`.
    fn wrapped(&self, span: Span, caught: &str) -> Vec<Replace> {
        let (_, inner, newline, _) = self.step(span.start);
        vec![
            Replace::insert(span.start as usize, format!("try {{{newline}{inner}")),
            Replace::insert(span.end as usize, format!("{newline}{}", self.catch(span.start, Some(caught)))),
        ]
    }

    /// `let name;` and the call in a `try`.
    fn attempt(&self, at: u32, keyword: &str, name: &str) -> Result<String, String> {
        let (indent, inner, newline, end) = self.step(at);
        let value = self.value()?;
        let caught = if value.starts_with("return") { value } else { format!("{name} = {value}") };
        let keyword = if keyword == "const" { "let" } else { keyword };
        Ok(format!(
            "{keyword} {name}{end}{newline}{indent}try {{{newline}{inner}{name} = {}{end}{newline}{}",
            self.tree.at(self.call.span),
            self.catch(at, Some(&caught))
        ))
    }

    fn declared(&self, span: Span, keyword: &str, name: &str) -> Result<Vec<Replace>, String> {
        Ok(vec![Replace::range(span.start as usize, span.end as usize, self.attempt(span.start, keyword, name)?)])
    }

    /// The call before its statement, which takes the result.
    fn hoisted(&self, span: Span) -> Result<Vec<Replace>, String> {
        let name = self.free_name();
        let (indent, _, newline, _) = self.step(span.start);
        Ok(vec![
            Replace::insert(
                span.start as usize,
                format!("{}{newline}{indent}", self.attempt(span.start, "let", &name)?),
            ),
            Replace::range(self.call.span.start as usize, self.call.span.end as usize, name),
        ])
    }

    fn free_name(&self) -> String {
        ["parsed", "parsedJson", "parsedText"]
            .into_iter()
            .find(|name| !self.tree.text.contains(name))
            .unwrap_or("parsedFromText")
            .to_owned()
    }

    /// An arrow that gives the value gets a body.
    fn arrow(&self, arrow: &ArrowFunctionExpression) -> Result<Vec<Replace>, String> {
        let Some(body) = arrow.body.as_expression() else { return Err("the arrow has a body already".into()) };
        if body.get_inner_expression().span() != self.call.span {
            return Err("the call stands where it cannot be taken out of its statement".into());
        }
        let (indent, inner, newline, end) = self.step(arrow.span.start);
        let step = self.tree.style.step();
        let value = self.value()?;
        let caught = if value.starts_with("return") { value } else { format!("return {value}") };
        let call = self.tree.at(self.call.span);
        let catch = self.catch(arrow.span.start, Some(&caught));
        let catch: String = catch.split(newline).map(|line| format!("{step}{line}")).collect::<Vec<_>>().join(newline);
        let text = format!(
            "{{{newline}{inner}try {{{newline}{inner}{step}return {call}{end}{newline}{catch}{newline}{indent}}}"
        );
        Ok(vec![Replace::range(body.span().start as usize, body.span().end as usize, text)])
    }
}
