//! Stack traces of Node, Python, the JVM, .NET, Go, Rust, PHP and Ruby: which lines belong to one, and what they say.

use autodevops_sdk::types::StackFrame;

/// What a line is to a trace that came before it.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// A frame.
    Frame(StackFrame),
    /// `Caused by: …`, with the cause's own head.
    Cause(String),
    /// Belongs to it and says nothing more.
    Filler,
}

/// Bytes that an error's code has at most, such as `ERR_INVALID_URL`.
const MAX_CODE_BYTES: usize = 64;

/// Folders in which code lies that is not the project's.
const FOREIGN: [&str; 15] = [
    "node_modules/",
    "node:",
    "internal/",
    "site-packages/",
    "dist-packages/",
    "/usr/lib/",
    "/usr/local/lib/",
    "/usr/local/go/",
    "/pkg/mod/",
    "/rustc/",
    "/.cargo/registry/",
    "/vendor/",
    "/gems/",
    "<frozen ",
    "<anonymous>",
];

/// Packages of the JVM and its usual frameworks.
const FOREIGN_PACKAGES: [&str; 8] =
    ["java.", "javax.", "jdk.", "sun.", "com.sun.", "org.springframework.", "org.apache.", "scala."];

/// A line that goes on with a trace, of whatever but Python.
pub fn part(line: &str, indented: bool) -> Option<Part> {
    let text = line.trim_start();
    if let Some(frame) = text.strip_prefix("at ").filter(|_| indented) {
        // Node prints an error's further properties behind the last frame, in braces.
        let frame = frame.trim_end().trim_end_matches(" {");
        return Some(frame_of(frame).map_or(Part::Filler, Part::Frame));
    }
    let cause = ["Caused by: ", "[cause]: ", "---> ", "Next "].iter().find_map(|start| text.strip_prefix(start));
    if let Some(cause) = cause.filter(|cause| head(cause).is_some() || text.starts_with(['C', '['])) {
        return Some(Part::Cause(cause.to_owned()));
    }
    // What Rust's `anyhow` puts above a list of causes, and PHP below its frames.
    if text.trim_end() == "Caused by:" || text.starts_with("thrown in ") && text.contains(" on line ") {
        return Some(Part::Filler);
    }
    if indented && text.starts_with("... ") && text.ends_with(" more") {
        return Some(Part::Filler);
    }
    php_frame(text).or_else(|| ruby_frame(text).map(Part::Frame)).or_else(|| go_or_rust(text, indented))
}

/// `#0 /srv/app/cart.php(12): Cart->pay()`, `#1 {main}`.
fn php_frame(text: &str) -> Option<Part> {
    let (number, rest) = text.strip_prefix('#')?.split_once(' ')?;
    number.parse::<u32>().ok()?;
    let Some((place, function)) = rest.split_once("): ") else {
        return (rest == "{main}" || rest.starts_with("[internal function]")).then_some(Part::Filler);
    };
    let (file, line) = place.rsplit_once('(')?;
    let function = function.split_once('(').map_or(function, |(name, _)| name);
    Some(Part::Frame(frame(Some(function), file, line.parse().ok()?)))
}

/// `from app/cart.rb:12:in 'pay'`; older versions open the quote with a backtick.
fn ruby_frame(text: &str) -> Option<StackFrame> {
    let (place, function) = text.strip_prefix("from ").unwrap_or(text).split_once(":in ")?;
    let (file, line) = place.rsplit_once(':')?;
    let function = function.strip_prefix(['\'', '`'])?.strip_suffix('\'')?;
    (!file.contains(' ')).then_some(())?;
    Some(frame(Some(function), file, line.parse().ok()?))
}

/// Where Ruby's head of an exception says that it was raised: `app/cart.rb:12:in 'pay': divided by 0 (ZeroDivisionError)`.
pub fn ruby_raised(head: &str) -> Option<StackFrame> {
    ruby_frame(head.split_once(": ")?.0)
}

/// Where PHP's head of an error says that it was thrown: `Uncaught RuntimeException: no cart in /srv/app/cart.php:12`, or, of what is no
/// exception, `… in /srv/app/cart.php on line 12`. Its frames begin with who called that.
pub fn php_thrown(head: &str) -> Option<StackFrame> {
    let (_, place) = head.trim_end().rsplit_once(" in ")?;
    let (file, line) = place.split_once(" on line ").or_else(|| place.rsplit_once(':'))?;
    let is_script = [".php", ".phtml", ".inc"].iter().any(|end| file.ends_with(end)) && !file.contains(' ');
    is_script.then(|| line.parse().ok().map(|line| frame(None, file, line)))?
}

/// `\t/srv/app/main.go:12 +0x1d` below `main.pay(0x1)`; `   4: shop::pay`, whose place comes below it.
fn go_or_rust(text: &str, indented: bool) -> Option<Part> {
    if text.starts_with("--- End of ") {
        return Some(Part::Filler);
    }
    if indented {
        if let Some((number, _)) = text.split_once(": ")
            && number.parse::<u32>().is_ok()
        {
            return Some(Part::Filler);
        }
        let place = text.split_once(" +0x").map_or(text, |(place, _)| place);
        let (file, line) = place.rsplit_once(':')?;
        let is_go = file.ends_with(".go") && !file.contains(' ');
        return is_go.then(|| line.parse().ok().map(|line| Part::Frame(frame(None, file, line))))?;
    }
    let calls =
        text.ends_with(')') && text.split_once('(').is_some_and(|(name, _)| name.contains('.') && !name.contains(' '));
    (calls || begins(text) || text.starts_with("created by ")).then_some(Part::Filler)
}

/// Whether a line stands above the frames of a trace.
pub fn begins(text: &str) -> bool {
    let text = text.trim();
    text.starts_with("goroutine ") && text.ends_with("]:")
        || matches!(text, "stack backtrace:" | "Stack backtrace:" | "Stack trace:" | "PHP Stack trace:" | "Caused by:")
}

fn frame(function: Option<&str>, file: &str, line: u32) -> StackFrame {
    let function = function.map(str::to_owned);
    StackFrame { function, own_code: is_own(file), file: file.to_owned(), line, column: None }
}

/// The text behind `at `: `fn (file:line:col)`, `file:line:col`, `a.b.C.m(File.java:12)`.
fn frame_of(text: &str) -> Option<StackFrame> {
    let text = text.strip_prefix("async ").unwrap_or(text);
    // .NET: `Shop.Cart.Pay(Int32 id) in /src/Cart.cs:line 42`.
    if let Some((function, place)) = text.rsplit_once(" in ")
        && let Some((file, line)) = place.rsplit_once(":line ")
    {
        return Some(frame(
            Some(function.split_once('(').map_or(function, |(name, _)| name)),
            file,
            line.parse().ok()?,
        ));
    }
    let (function, place) = match text.strip_suffix(')').and_then(|rest| rest.rsplit_once('(')) {
        Some((function, place)) => (Some(function.trim_end()), place),
        None => (None, text),
    };
    let function = function.filter(|name| !name.is_empty() && *name != "<anonymous>").map(str::to_owned);
    let numbers = |place: &str| -> Option<(String, u32, Option<u32>)> {
        let (head, last) = place.rsplit_once(':')?;
        let last = last.parse().ok()?;
        match head.rsplit_once(':').and_then(|(file, line)| Some((file, line.parse().ok()?))) {
            Some((file, line)) => Some((file.to_owned(), line, Some(last))),
            None => Some((head.to_owned(), last, None)),
        }
    };
    let (file, line, column) = numbers(place)?;
    let jvm = column.is_none() && [".java", ".kt", ".scala"].iter().any(|end| file.ends_with(end));
    let own_code = if jvm {
        !FOREIGN_PACKAGES.iter().any(|package| function.as_deref().unwrap_or_default().starts_with(package))
    } else {
        is_own(&file)
    };
    Some(StackFrame { function, file, line, column, own_code })
}

/// Whether a file is the project's own, by where it lies.
pub fn is_own(file: &str) -> bool {
    !FOREIGN.iter().any(|part| file.contains(part)) && !file.starts_with('<')
}

/// `  File "x.py", line 3, in f`.
pub fn python_frame(line: &str) -> Option<StackFrame> {
    let rest = line.trim_start().strip_prefix("File \"")?;
    let (file, rest) = rest.split_once("\", line ")?;
    let (number, function) = match rest.split_once(", in ") {
        Some((number, function)) => (number, Some(function.trim_end().to_owned())),
        None => (rest.trim_end(), None),
    };
    let function = function.filter(|name| name != "<module>");
    let file = file.to_owned();
    Some(StackFrame { function, line: number.parse().ok()?, column: None, own_code: is_own(&file), file })
}

/// The last line of a Python traceback: any dotted name, then nothing or `: message`.
pub fn python_head(text: &str) -> Option<(&str, &str)> {
    let (name, message) = text.split_once(':').unwrap_or((text, ""));
    let is_name = !name.is_empty()
        && name.split('.').all(|part| {
            part.starts_with(|c: char| c.is_alphabetic() || c == '_')
                && part.chars().all(|c| c.is_alphanumeric() || c == '_')
        });
    (is_name && (message.is_empty() || message.starts_with(' '))).then_some((name, message.trim_start()))
}

/// Where an error's code in brackets begins that the text ends with; it is not looked for farther back than codes are long, for every
/// bracket of the line is asked.
fn code_begin(text: &str) -> Option<usize> {
    let code = text.strip_suffix(']')?;
    let from = (code.len().saturating_sub(MAX_CODE_BYTES)..code.len()).find(|at| code.is_char_boundary(*at))?;
    code[from..].rfind(" [").map(|at| from + at)
}

/// The head of an exception, `Type: message`, somewhere in the text: its type and its message.
pub fn head(text: &str) -> Option<(&str, &str)> {
    let mut from = 0;
    while let Some(found) = text.get(from..).and_then(|rest| rest.find(':')).map(|at| from + at) {
        // Node writes an error's code behind its type: `TypeError [ERR_INVALID_URL]: Invalid URL`.
        let end = code_begin(&text[..found]).unwrap_or(found);
        let start = text[..end]
            .rfind(|c: char| !is_part_of_type(c))
            .map_or(0, |at| at + text[at..].chars().next().map_or(1, char::len_utf8));
        let name = &text[start..end];
        let message = text[found + 1..].strip_prefix(' ');
        if is_exception(name) && (message.is_some() || found + 1 == text.len()) {
            let message = message.unwrap_or_default();
            // `Error: java.net.ConnectException: …`: the second says what it is.
            let inner = message.split_once(": ").filter(|(inner, _)| {
                matches!(name, "Error" | "Exception") && inner.chars().all(is_part_of_type) && is_exception(inner)
            });
            return Some(inner.unwrap_or((name, message)));
        }
        from = found + 1;
    }
    // Ruby: `app/cart.rb:12:in 'pay': divided by 0 (ZeroDivisionError)`.
    if let Some((place, rest)) = text.trim_end().split_once(": ")
        && place.contains(":in ")
        && let Some((message, name)) = rest.strip_suffix(')').and_then(|rest| rest.rsplit_once(" ("))
        && (is_exception(name) || ruby_frame(place).is_some() && is_rubys_name(name))
    {
        return Some((name, message));
    }
    let last = text.trim_end().rsplit(|c: char| !is_part_of_type(c)).next()?;
    (is_exception(last) && text.trim_end().len() == last.len()).then_some((last, ""))
}

/// `Shop::Refused`: Ruby's exceptions have any name.
fn is_rubys_name(name: &str) -> bool {
    name.split("::").all(|part| {
        part.starts_with(|c: char| c.is_ascii_uppercase()) && part.chars().all(|c| c.is_alphanumeric() || c == '_')
    })
}

fn is_part_of_type(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '.' | '$')
}

/// `TypeError`, `java.lang.OutOfMemoryError`, `KeyError`, `requests.exceptions.ConnectTimeout`; not `Error` in a sentence's
/// middle by accident: the last part starts with a capital and ends as exceptions do.
pub fn is_exception(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    let ends = ["Error", "Exception", "Timeout", "Interrupt", "Iteration", "Exit", "Fault", "Throwable"];
    last.starts_with(|c: char| c.is_uppercase())
        && !last.chars().all(|c| c.is_uppercase())
        && ends.iter().any(|end| last.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_php_threw_is_read_in_both_of_its_forms() {
        let place = |text: &str| php_thrown(text).map(|frame| (frame.file, frame.line));
        let cart = Some(("/srv/app/cart.php".to_owned(), 12));
        assert_eq!(place("PHP Fatal error:  Uncaught RuntimeException: no cart in /srv/app/cart.php:12"), cart);
        assert_eq!(place("PHP Warning:  Undefined variable $x in /srv/app/cart.php on line 12"), cart);
        for other in ["no cart in cart.php", "Error: no cart in the shop: 12", "Error in my app/cart.php:12 in France"]
        {
            assert_eq!(place(other), None, "{other}");
        }
    }

    #[test]
    fn the_code_of_an_error_is_told_apart_from_its_type_and_not_looked_for_far_back() {
        let named = "TypeError [ERR_INVALID_URL]: Invalid URL";
        assert_eq!(head(named), Some(("TypeError", "Invalid URL")));
        assert_eq!(code_begin("TypeError [ERR_INVALID_URL]"), Some(9));
        assert_eq!(code_begin(&format!("TypeError [{}]", "E".repeat(MAX_CODE_BYTES - 2))), Some(9));
        for text in [String::new(), "]".into(), "é]".into(), format!("TypeError [{}]", "é".repeat(MAX_CODE_BYTES))] {
            assert_eq!(code_begin(&text), None, "{text}");
        }
    }

    #[test]
    fn frames_of_node_and_the_jvm_are_read() {
        for (line, function, file, number, column, own) in [
            (
                "    at formatOrder (functions/index.js:12:34)",
                Some("formatOrder"),
                "functions/index.js",
                12,
                Some(34),
                true,
            ),
            ("    at async Promise.all (index 0)", None, "", 0, None, false),
            ("    at /srv/app/lib/a.js:7:1", None, "/srv/app/lib/a.js", 7, Some(1), true),
            ("    at file:///srv/app/a.mjs:7:1", None, "file:///srv/app/a.mjs", 7, Some(1), true),
            (
                "    at Module._compile (node:internal/modules/cjs/loader:1369:14)",
                Some("Module._compile"),
                "node:internal/modules/cjs/loader",
                1369,
                Some(14),
                false,
            ),
            ("\tat org.shop.Order.total(Order.java:42)", Some("org.shop.Order.total"), "Order.java", 42, None, true),
            (
                "\tat java.lang.Thread.run(Thread.java:745)",
                Some("java.lang.Thread.run"),
                "Thread.java",
                745,
                None,
                false,
            ),
        ] {
            let part = part(line, true).unwrap_or_else(|| panic!("{line}"));
            if file.is_empty() {
                assert_eq!(part, Part::Filler, "{line}");
                continue;
            }
            let expected = StackFrame {
                function: function.map(Into::into),
                file: file.into(),
                line: number,
                column,
                own_code: own,
            };
            assert_eq!(part, Part::Frame(expected), "{line}");
        }
        assert_eq!(part("at the beginning of a sentence", false), None);
    }

    #[test]
    fn frames_of_other_languages_are_read() {
        for (line, indented, function, file, number, own) in [
            (
                "   at Shop.Cart.Pay(Int32 id) in /src/Cart.cs:line 42",
                true,
                Some("Shop.Cart.Pay"),
                "/src/Cart.cs",
                42,
                true,
            ),
            ("\t/srv/app/main.go:12 +0x1d", true, None, "/srv/app/main.go", 12, true),
            (
                "\t/usr/local/go/src/net/http/server.go:2136 +0x8f",
                true,
                None,
                "/usr/local/go/src/net/http/server.go",
                2136,
                false,
            ),
            ("#0 /srv/app/cart.php(12): Cart->pay(7)", false, Some("Cart->pay"), "/srv/app/cart.php", 12, true),
            ("#1 /srv/app/vendor/x/y.php(3): z()", false, Some("z"), "/srv/app/vendor/x/y.php", 3, false),
            ("\tfrom app/cart.rb:12:in 'pay'", true, Some("pay"), "app/cart.rb", 12, true),
            ("\tfrom /usr/share/gems/rack.rb:3:in `call'", true, Some("call"), "/usr/share/gems/rack.rb", 3, false),
        ] {
            let expected = StackFrame {
                function: function.map(Into::into),
                file: file.into(),
                line: number,
                column: None,
                own_code: own,
            };
            assert_eq!(part(line, indented), Some(Part::Frame(expected)), "{line}");
        }
        let Some(Part::Frame(rust)) = part("             at ./src/main.rs:5:10", true) else { panic!("no frame") };
        assert_eq!((rust.file.as_str(), rust.line, rust.column, rust.own_code), ("./src/main.rs", 5, Some(10), true));
        for (line, indented) in [
            ("   4: shop::cart::pay", true),
            ("main.pay(0x1, {0xc000, 0x2})", false),
            ("goroutine 1 [running]:", false),
            ("stack backtrace:", false),
            ("#1 {main}", false),
            ("   --- End of inner exception stack trace ---", true),
        ] {
            assert_eq!(part(line, indented), Some(Part::Filler), "{line}");
        }
        let cause = part(" ---> System.IO.IOException: disk is full", true);
        assert_eq!(cause, Some(Part::Cause("System.IO.IOException: disk is full".to_owned())));
        assert_eq!(
            head("app/cart.rb:12:in 'pay': divided by 0 (ZeroDivisionError)"),
            Some(("ZeroDivisionError", "divided by 0"))
        );
        let raised = ruby_raised("app/cart.rb:12:in 'pay': divided by 0 (ZeroDivisionError)");
        assert_eq!(raised, Some(frame(Some("pay"), "app/cart.rb", 12)));
        for prose in ["TypeError: x is null", "shop: failed in 'pay': y (KeyError)", "a.rb:x:in 'pay': y (KeyError)"] {
            assert_eq!(ruby_raised(prose), None, "{prose}");
        }
        for prose in ["Next we go on", "from here: in part", "#5 is the best", "it (works)"] {
            assert_eq!(part(prose, false), None, "{prose}");
        }
    }

    #[test]
    fn frames_of_python_are_read() {
        let frame = python_frame("  File \"/srv/app/shop.py\", line 12, in total").unwrap();
        assert_eq!(
            (frame.file.as_str(), frame.line, frame.function.as_deref()),
            ("/srv/app/shop.py", 12, Some("total"))
        );
        assert!(!python_frame("  File \"/usr/lib/python3/json.py\", line 1, in x").unwrap().own_code);
    }

    #[test]
    fn an_exceptions_head_is_told_from_prose() {
        assert_eq!(head("request failed: TypeError: x is null"), Some(("TypeError", "x is null")));
        assert_eq!(
            head("java.lang.OutOfMemoryError: Java heap space"),
            Some(("java.lang.OutOfMemoryError", "Java heap space"))
        );
        assert_eq!(head("Error: java.net.ConnectException: refused"), Some(("java.net.ConnectException", "refused")));
        assert_eq!(head("Error: cannot open: TypeError: x"), Some(("Error", "cannot open: TypeError: x")));
        assert_eq!(head("KeyError: 'a'"), Some(("KeyError", "'a'")));
        assert_eq!(head("java.io.EOFException"), Some(("java.io.EOFException", "")));
        for prose in ["Error handling is on", "the ERROR: was", "see http://a.example:80/Error", "state: Errors"] {
            assert_eq!(head(prose), None, "{prose}");
        }
    }
}
