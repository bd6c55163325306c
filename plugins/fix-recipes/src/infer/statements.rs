//! The abstract run, statement by statement.

use oxc_ast::ast::{BindingPattern, Expression, ForStatementInit, ForStatementLeft, Statement, VariableDeclaration};
use oxc_span::GetSpan;

use super::{Run, Value};
use crate::shape::{Kind, Step};

impl<'a> Run<'_, 'a> {
    pub(super) fn block(&mut self, statements: &'a [Statement<'a>]) {
        for statement in statements {
            self.statement(statement);
        }
    }

    fn statement(&mut self, statement: &'a Statement<'a>) {
        match statement {
            Statement::ExpressionStatement(it) => {
                self.eval(&it.expression);
            }
            Statement::BlockStatement(it) => self.block(&it.body),
            Statement::ReturnStatement(it) => {
                let value = it.argument.as_ref().map_or(Value::Nothing, |value| self.eval(value));
                self.returned.push(value);
            }
            Statement::ThrowStatement(it) => {
                self.eval(&it.argument);
            }
            Statement::IfStatement(it) => self.branch(&it.test, &it.consequent, it.alternate.as_ref()),
            Statement::ForOfStatement(it) => {
                let list = self.eval(&it.right);
                let mut element = self.element(list);
                if it.r#await {
                    element = element.awaited();
                }
                self.bind_left(&it.left, element);
                self.statement(&it.body);
            }
            Statement::ForInStatement(it) => {
                let object = self.eval(&it.right);
                if let Value::Place(place) = object {
                    self.shape(&place.property("key"));
                }
                self.bind_left(&it.left, Value::Made(Kind::Text));
                self.statement(&it.body);
            }
            Statement::ForStatement(it) => {
                match &it.init {
                    Some(ForStatementInit::VariableDeclaration(made)) => self.declare(made),
                    Some(other) => {
                        if let Some(expression) = other.as_expression() {
                            self.eval(expression);
                        }
                    }
                    None => {}
                }
                for part in [&it.test, &it.update].into_iter().flatten() {
                    self.eval(part);
                }
                self.statement(&it.body);
            }
            Statement::WhileStatement(it) => {
                self.eval(&it.test);
                if self.leads_to_goal(it.body.span()) {
                    self.assume(&it.test, true);
                }
                self.statement(&it.body);
            }
            Statement::DoWhileStatement(it) => {
                self.statement(&it.body);
                self.eval(&it.test);
            }
            Statement::SwitchStatement(it) => {
                let subject = self.eval(&it.discriminant);
                let taken = it.cases.iter().position(|case| self.leads_to_goal(case.span));
                for (index, case) in it.cases.iter().enumerate() {
                    if taken == Some(index)
                        && let Some(test) = &case.test
                    {
                        self.assume_equal(&subject, test, true);
                    }
                    if taken.is_none_or(|taken| taken == index) {
                        self.block(&case.consequent);
                    }
                }
            }
            Statement::TryStatement(it) => {
                self.block(&it.block.body);
                if let Some(handler) = &it.handler
                    && self.leads_to_goal(handler.span)
                {
                    self.doubts += 1;
                    self.block(&handler.body.body);
                } else if let Some(handler) = &it.handler {
                    // What it calls must be there, though it may never be come to.
                    let (returned, hazards) = (self.returned.len(), self.hazards.len());
                    let doubts = self.doubts;
                    self.block(&handler.body.body);
                    self.returned.truncate(returned);
                    self.hazards.truncate(hazards);
                    self.doubts = doubts;
                }
                if let Some(last) = &it.finalizer {
                    self.block(&last.body);
                }
            }
            Statement::LabeledStatement(it) => self.statement(&it.body),
            Statement::VariableDeclaration(it) => self.declare(it),
            _ => {}
        }
    }

    fn branch(&mut self, test: &'a Expression<'a>, then: &'a Statement<'a>, otherwise: Option<&'a Statement<'a>>) {
        self.eval(test);
        if self.leads_to_goal(test.span()) {
            // How it comes out is what the change decides.
            self.statement(then);
            if let Some(other) = otherwise {
                self.statement(other);
            }
            return;
        }
        if self.leads_to_goal(then.span()) {
            self.assume(test, true);
            self.statement(then);
        } else if let Some(other) = otherwise.filter(|other| self.leads_to_goal(other.span())) {
            self.assume(test, false);
            self.statement(other);
        } else if leaves(then) {
            self.assume(test, false);
            if let Some(other) = otherwise {
                self.statement(other);
            }
        } else {
            self.statement(then);
            if let Some(other) = otherwise.filter(|other| !leaves(other)) {
                self.statement(other);
            }
        }
    }

    fn declare(&mut self, declaration: &'a VariableDeclaration<'a>) {
        for declarator in &declaration.declarations {
            let value = declarator.init.as_ref().map_or(Value::Nothing, |init| self.eval(init));
            self.bind(&declarator.id, value);
        }
    }

    fn bind_left(&mut self, left: &'a ForStatementLeft<'a>, value: Value<'a>) {
        if let ForStatementLeft::VariableDeclaration(declaration) = left
            && let Some(declarator) = declaration.declarations.first()
        {
            self.bind(&declarator.id, value);
        }
    }

    /// Gives the names of a pattern their parts of a value.
    pub(super) fn bind(&mut self, pattern: &'a BindingPattern<'a>, value: Value<'a>) {
        match pattern {
            BindingPattern::BindingIdentifier(id) => {
                if let Some(symbol) = id.symbol_id.get() {
                    self.names.insert(symbol, value);
                }
            }
            BindingPattern::ObjectPattern(object) => {
                if let Value::Place(place) = &value {
                    self.shape(place).want(Kind::Object);
                }
                for property in &object.properties {
                    let part = match property.key.name() {
                        Some(name) if !property.computed => self.member(value.clone(), &name, false),
                        _ => Value::Unknown,
                    };
                    self.bind(&property.value, part);
                }
                if let Some(rest) = &object.rest {
                    self.bind(&rest.argument, value);
                }
            }
            BindingPattern::ArrayPattern(list) => {
                for (index, element) in list.elements.iter().enumerate() {
                    let Some(element) = element else { continue };
                    let part = match &value {
                        Value::Tuple(values) => values.get(index).cloned().unwrap_or(Value::Nothing),
                        other => self.element_at(other.clone(), index),
                    };
                    self.bind(element, part);
                }
                if let Some(rest) = &list.rest {
                    self.bind(&rest.argument, value);
                }
            }
            BindingPattern::AssignmentPattern(with_default) => {
                let other = self.eval(&with_default.right);
                let value = if matches!(value, Value::Unknown | Value::Nothing) { other } else { value };
                self.bind(&with_default.left, value);
            }
        }
    }

    /// An element of a list.
    pub(super) fn element(&mut self, list: Value<'a>) -> Value<'a> {
        match list {
            Value::Place(place) => {
                self.shape(&place).want(Kind::List);
                let item = place.then(Step::Item);
                self.shape(&item);
                Value::Place(item)
            }
            Value::ListOf(element) => *element,
            Value::Tuple(values) => values.into_iter().next().unwrap_or(Value::Nothing),
            Value::Table(table) => match Value::first_element(table) {
                Some(element) => self.constant(element),
                None => Value::Unknown,
            },
            Value::Made(_) => Value::Made(Kind::Unknown),
            Value::Promise(value) => self.element(*value),
            _ => Value::Unknown,
        }
    }
}

/// Whether a statement always leaves the block that it stands in.
pub fn leaves(statement: &Statement) -> bool {
    match statement {
        Statement::ReturnStatement(_)
        | Statement::ThrowStatement(_)
        | Statement::ContinueStatement(_)
        | Statement::BreakStatement(_) => true,
        Statement::BlockStatement(block) => block.body.last().is_some_and(leaves),
        Statement::IfStatement(it) => leaves(&it.consequent) && it.alternate.as_ref().is_some_and(leaves),
        _ => false,
    }
}
