//! What an engine's message says went wrong: V8's wording of several versions, and QuickJS's.

/// Which of the two values that hold nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nothing {
    /// `undefined`.
    Undefined,
    /// `null`.
    Null,
}

impl Nothing {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "undefined" => Some(Self::Undefined),
            "null" => Some(Self::Null),
            _ => None,
        }
    }
}

/// A fault, as far as its message tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A property was read of nothing.
    Read { property: String, of: Nothing },
    /// A property was set on nothing.
    Set { property: String, of: Nothing },
    /// Nothing was taken apart by a pattern; the property, where it is told.
    Destructured { property: Option<String>, of: Nothing },
    /// Something was iterated that cannot be; its text, where it is told.
    NotIterable { text: Option<String> },
    /// `Object.keys` and the like were given nothing.
    NotAnObject,
    /// Something was called that is no function; its text, where it is told.
    NotAFunction { callee: Option<String> },
    /// Text was read as JSON that is none.
    NotJson,
    /// Text was read as an address that is none.
    NotAUrl,
    /// The program's own complaint about an environment variable.
    EnvironmentMissing { name: String },
    /// A promise was rejected and nobody listened.
    Unhandled,
    /// A promise was used where its value was meant, by its text.
    PromiseAsText,
}

/// Reads an exception's type and message. None: no recipe knows it.
pub fn parse(exception: Option<&str>, title: &str, message: &str) -> Option<Fault> {
    let heading = format!("{} {title}", exception.unwrap_or_default());
    let unhandled =
        ["UnhandledPromiseRejection", "Unhandled promise rejection", "unhandledRejection", "ERR_UNHANDLED_REJECTION"]
            .iter()
            .any(|mark| heading.contains(mark) || message.contains(mark));
    if unhandled {
        return Some(Fault::Unhandled);
    }
    if message.contains("[object Promise]") {
        return Some(Fault::PromiseAsText);
    }
    read(message)
        .or_else(|| destructured(message))
        .or_else(|| iterated(message))
        .or_else(|| called(message))
        .or_else(|| json(exception, title, message))
        .or_else(|| message.contains("Invalid URL").then_some(Fault::NotAUrl))
        .or_else(|| environment(message))
}

fn read(message: &str) -> Option<Fault> {
    for (verb, form) in [("read", "(reading '"), ("set", "(setting '")] {
        if let Some((_, rest)) = message.split_once(&format!("annot {verb} properties of ")) {
            let (of, rest) = rest.split_once(' ')?;
            let property = rest.split_once(form)?.1.split('\'').next()?.to_owned();
            let of = Nothing::parse(of)?;
            return Some(if verb == "read" { Fault::Read { property, of } } else { Fault::Set { property, of } });
        }
        if let Some((_, rest)) = message.split_once(&format!("annot {verb} property '")) {
            let (property, rest) = rest.split_once("' of ")?;
            let of = Nothing::parse(rest.trim_end_matches(['.', ';']).split_whitespace().next()?)?;
            let property = property.to_owned();
            return Some(if verb == "read" { Fault::Read { property, of } } else { Fault::Set { property, of } });
        }
    }
    None
}

fn destructured(message: &str) -> Option<Fault> {
    let at = message.find("annot destructure ")?;
    let rest = message.get(at..)?;
    let of = if rest.contains("is null") || rest.contains("object null") { Nothing::Null } else { Nothing::Undefined };
    let property = rest
        .split_once("destructure property '")
        .or_else(|| rest.split_once("destructure property `"))
        .and_then(|(_, rest)| rest.split(['\'', '`']).next())
        .map(str::to_owned);
    Some(Fault::Destructured { property, of })
}

fn iterated(message: &str) -> Option<Fault> {
    if message.contains("annot convert undefined or null to object") {
        return Some(Fault::NotAnObject);
    }
    let (text, _) = message.split_once(" is not iterable")?;
    let text = text.strip_prefix("TypeError: ").unwrap_or(text).trim();
    let told = !text.is_empty() && !matches!(text, "undefined" | "null" | "object" | "value" | "object null");
    Some(Fault::NotIterable { text: told.then(|| text.to_owned()) })
}

fn called(message: &str) -> Option<Fault> {
    let text = message.strip_prefix("TypeError: ").unwrap_or(message).trim();
    if text == "not a function" {
        return Some(Fault::NotAFunction { callee: None });
    }
    let (callee, _) = text.split_once(" is not a function")?;
    Some(Fault::NotAFunction { callee: Some(callee.trim().to_owned()) })
}

fn json(exception: Option<&str>, title: &str, message: &str) -> Option<Fault> {
    let syntax = exception.is_some_and(|name| name.contains("SyntaxError"))
        || title.contains("SyntaxError")
        || message.contains("SyntaxError");
    let known = ["JSON", "nexpected token", "nexpected end of", "nexpected character", "Expected property name"]
        .iter()
        .any(|mark| message.contains(mark));
    (known && (syntax || message.contains("JSON"))).then_some(Fault::NotJson)
}

/// The name in capitals of a message that speaks of an environment variable.
fn environment(message: &str) -> Option<Fault> {
    let lower = message.to_ascii_lowercase();
    let about = lower.contains("environment variable") || lower.contains("env var") || lower.contains("process.env.");
    let missing = ["missing", "required", "not set", "must be set", "not defined", "undefined", "not configured"]
        .iter()
        .any(|word| lower.contains(word));
    if !(about || missing) {
        return None;
    }
    let name = message
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .find(|word| word.len() >= 3 && is_variable(word) && (about && missing || word.contains('_')))?;
    missing.then(|| Fault::EnvironmentMissing { name: name.to_owned() })
}

/// Whether this is a name such as `API_KEY`.
fn is_variable(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_uppercase())
        && word.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(exception: &str, message: &str) -> Option<Fault> {
        parse(Some(exception), "", message)
    }

    #[test]
    fn a_read_of_nothing_is_known_in_every_engines_words() {
        let read = |property: &str, of| Some(Fault::Read { property: property.into(), of });
        for (message, fault) in [
            ("Cannot read properties of undefined (reading 'country')", read("country", Nothing::Undefined)),
            ("Cannot read properties of null (reading '0')", read("0", Nothing::Null)),
            ("Cannot read property 'zip' of undefined", read("zip", Nothing::Undefined)),
            ("cannot read property 'zip' of null", read("zip", Nothing::Null)),
            ("TypeError: Cannot read properties of undefined (reading 'a b')", read("a b", Nothing::Undefined)),
        ] {
            assert_eq!(of("TypeError", message), fault, "{message}");
        }
    }

    #[test]
    fn the_other_faults_are_told_apart() {
        let destructured = |property: &str, of| Some(Fault::Destructured { property: Some(property.into()), of });
        for (message, fault) in [
            (
                "Cannot set properties of undefined (setting 'x')",
                Some(Fault::Set { property: "x".into(), of: Nothing::Undefined }),
            ),
            ("Cannot destructure property 'a' of 'b.c' as it is undefined.", destructured("a", Nothing::Undefined)),
            ("Cannot destructure property 'a' of 'object null' as it is null.", destructured("a", Nothing::Null)),
            ("order.items is not iterable", Some(Fault::NotIterable { text: Some("order.items".into()) })),
            (
                "undefined is not iterable (cannot read property Symbol(Symbol.iterator))",
                Some(Fault::NotIterable { text: None }),
            ),
            ("Cannot convert undefined or null to object", Some(Fault::NotAnObject)),
            ("total.toFixed is not a function", Some(Fault::NotAFunction { callee: Some("total.toFixed".into()) })),
            ("not a function", Some(Fault::NotAFunction { callee: None })),
            ("Invalid URL", Some(Fault::NotAUrl)),
            (
                "Missing required environment variable API_KEY",
                Some(Fault::EnvironmentMissing { name: "API_KEY".into() }),
            ),
            ("PORT environment variable is required", Some(Fault::EnvironmentMissing { name: "PORT".into() })),
            ("boom", None),
        ] {
            assert_eq!(of("TypeError", message), fault, "{message}");
        }
    }

    #[test]
    fn bad_json_is_known_in_the_words_of_three_engines() {
        for message in [
            "Unexpected token o in JSON at position 1",
            "Unexpected token 'o', \"oops\" is not valid JSON",
            "Unexpected end of JSON input",
            "unexpected token: 'oops'",
            "Expected property name or '}' in JSON at position 1 (line 1 column 2)",
            "Bad control character in string literal in JSON at position 9",
        ] {
            assert_eq!(of("SyntaxError", message), Some(Fault::NotJson), "{message}");
        }
        assert_eq!(of("SyntaxError", "Invalid regular expression: missing /"), None);
    }

    #[test]
    fn promises_that_nobody_waits_for_are_known() {
        assert_eq!(of("UnhandledPromiseRejection", "boom"), Some(Fault::Unhandled));
        assert_eq!(of("TypeError", "Cannot parse [object Promise]"), Some(Fault::PromiseAsText));
    }
}
