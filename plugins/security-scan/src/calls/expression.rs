//! What can be told of an expression without running it.

use oxc_ast::ast::Expression;

/// The text of a literal, a template without parts included.
pub fn text_of<'b>(expression: &'b Expression<'_>) -> Option<&'b str> {
    match expression.get_inner_expression() {
        Expression::StringLiteral(literal) => Some(literal.value.as_str()),
        Expression::TemplateLiteral(template) if template.expressions.is_empty() => {
            template.quasis.first().map(|part| part.value.raw.as_str())
        }
        _ => None,
    }
}

/// Whether an expression is text that the program itself holds.
pub fn is_constant(expression: &Expression<'_>) -> bool {
    match expression.get_inner_expression() {
        Expression::BinaryExpression(binary) => is_constant(&binary.left) && is_constant(&binary.right),
        Expression::ConditionalExpression(choice) => is_constant(&choice.consequent) && is_constant(&choice.alternate),
        Expression::NumericLiteral(_) | Expression::NullLiteral(_) => true,
        other => text_of(other).is_some(),
    }
}

/// What an expression begins with, as far as it is known: the first part of a template or of a sum.
pub fn start_of<'b>(expression: &'b Expression<'_>) -> Option<&'b str> {
    match expression.get_inner_expression() {
        Expression::TemplateLiteral(template) => template.quasis.first().map(|part| part.value.raw.as_str()),
        Expression::BinaryExpression(binary) => start_of(&binary.left),
        other => text_of(other),
    }
}

/// The last name of what is called: `exec` for `cp.exec`.
pub fn name_of<'b>(expression: &'b Expression<'_>) -> Option<&'b str> {
    match expression.get_inner_expression() {
        Expression::Identifier(name) => Some(name.name.as_str()),
        other => other.as_member_expression().and_then(|member| member.static_property_name()),
    }
}

/// Whether a name stands alone or belongs to the global object.
pub fn is_global(expression: &Expression<'_>, name: &str) -> bool {
    expression.get_inner_expression().is_specific_id(name)
        || ["window", "globalThis", "global", "self"]
            .iter()
            .any(|object| expression.get_inner_expression().is_specific_member_access(object, name))
}

/// Whether an address is unencrypted and leads to another machine.
pub fn is_insecure(address: &str) -> bool {
    let lower = address.to_ascii_lowercase();
    let Some(rest) = lower.strip_prefix("http://").or_else(|| lower.strip_prefix("ws://")) else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let name = if host.starts_with('[') { host } else { host.split(':').next().unwrap_or_default() };
    let is_local = matches!(
        name,
        "localhost" | "0.0.0.0" | "host.docker.internal" | "metadata.google.internal" | "169.254.169.254"
    ) || name.starts_with("127.")
        || name.starts_with("[::1]")
        || [".localhost", ".local", ".internal", ".svc", ".test"].iter().any(|end| name.ends_with(end))
        || name.contains(".svc.");
    // A host that is put in at run time may be any; the scheme says enough only with a name.
    !is_local && name.contains('.')
}

pub fn is_false(expression: &Expression<'_>) -> bool {
    matches!(expression.get_inner_expression(), Expression::BooleanLiteral(value) if !value.value)
}

/// What is in `{ __html: … }`, or the expression itself.
pub fn html_of<'b, 'a>(expression: &'b Expression<'a>) -> &'b Expression<'a> {
    let inner = expression.get_inner_expression();
    let Expression::ObjectExpression(object) = inner else { return inner };
    object
        .properties
        .iter()
        .filter_map(|property| property.as_property())
        .find(|property| property.key.is_specific_static_name("__html"))
        .map_or(inner, |property| &property.value)
}
