//! Swallowed errors and leftovers of debugging in languages other than JavaScript, by their words.

use regex::{Regex, RegexBuilder};

struct Rule {
    extensions: &'static [&'static str],
    /// May reach over several lines.
    pattern: &'static str,
    what: &'static str,
    is_error: bool,
}

const SWALLOWED: &[Rule] = &[
    Rule {
        extensions: &["py"],
        pattern: r"^[ \t]*except\b[^\n:]*:[ \t]*(?:#[^\n]*)?(?:\n[ \t]*(?:#[^\n]*)?)*?\n?[ \t]*(?:pass|\.\.\.)[ \t]*(?:#[^\n]*)?$",
        what: "`except` does nothing",
        is_error: true,
    },
    Rule {
        extensions: &["py"],
        pattern: r"^[ \t]*except\b[^\n:]*:[ \t]*\n[ \t]*(?:continue|return(?:[ \t]+None)?)[ \t]*$",
        what: "`except` leaves with nothing in its hands",
        is_error: false,
    },
    Rule {
        extensions: &["py"],
        pattern: r"\bsuppress\([ \t]*(?:Base)?Exception[ \t]*\)",
        what: "every exception is suppressed",
        is_error: true,
    },
    Rule {
        extensions: &["rs"],
        pattern: r"\bErr\(_\w*\)[ \t]*=>[ \t]*(?:\(\)|\{\s*\})",
        what: "an `Err` is matched and dropped",
        is_error: true,
    },
    Rule {
        extensions: &["rs"],
        pattern: r"^[ \t]*let[ \t]+_[ \t]*=[ \t]*[\w:.]+(?:::<[^;\n]*>)?\(",
        what: "a result is dropped by `let _ =`",
        is_error: false,
    },
    Rule {
        extensions: &["rs"],
        pattern: r"^[^=\n]*\)\.ok\(\);[ \t]*$",
        what: "an error is dropped by `.ok()`",
        is_error: false,
    },
    Rule {
        extensions: &["go"],
        pattern: r"\bif[ \t]+(?:[^\n{;]*;[ \t]*)?err[ \t]*!=[ \t]*nil[ \t]*\{\s*\}",
        what: "an error is looked at and dropped",
        is_error: true,
    },
    Rule { extensions: &["go"], pattern: r"^[ \t]*_[ \t]*=[ \t]*err\b", what: "an error is dropped", is_error: true },
    Rule {
        extensions: &["rb"],
        pattern: r"^[ \t]*rescue\b[^\n]*\n[ \t]*(?:nil[ \t]*\n[ \t]*)?end\b|\brescue[ \t]+nil\b",
        what: "`rescue` does nothing",
        is_error: true,
    },
    Rule {
        extensions: &["java", "kt", "cs", "php", "swift", "scala", "dart", "cpp", "cc"],
        pattern: r"\bcatch[ \t]*(?:\([^)\n]*\))?[ \t]*\{\s*\}",
        what: "`catch` does nothing",
        is_error: true,
    },
];

const LEFTOVERS: &[Rule] = &[
    Rule {
        extensions: &["py"],
        pattern: r"^[ \t]*(?:breakpoint\(\)|import[ \t]+i?pdb\b|i?pdb\.set_trace\(\))",
        what: "a breakpoint",
        is_error: false,
    },
    Rule { extensions: &["rs"], pattern: r"\bdbg!\s*\(", what: "`dbg!`", is_error: false },
    Rule {
        extensions: &["rb"],
        pattern: r"\bbinding\.(?:pry|irb)\b|^[ \t]*byebug\b",
        what: "a breakpoint",
        is_error: false,
    },
    Rule {
        extensions: &["php"],
        pattern: r"\b(?:var_dump|print_r|dd)\s*\(",
        what: "output for debugging",
        is_error: false,
    },
    Rule {
        extensions: &["java", "kt"],
        pattern: r"\.printStackTrace\s*\(\s*\)|\bSystem\.out\.print",
        what: "output for debugging",
        is_error: false,
    },
];

/// Something found in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Byte of its start.
    pub start: usize,
    /// Byte after its end.
    pub end: usize,
    /// What it is.
    pub what: &'static str,
    /// Whether it is worth an error.
    pub is_error: bool,
}

/// Swallowed errors of a text.
pub fn swallowed(path: &str, text: &str) -> Vec<Place> {
    places(SWALLOWED, path, text)
}

/// Leftovers of debugging in a text.
pub fn leftovers(path: &str, text: &str) -> Vec<Place> {
    places(LEFTOVERS, path, text)
}

fn compile(pattern: &str) -> Option<Regex> {
    RegexBuilder::new(pattern).multi_line(true).crlf(true).build().ok()
}

fn places(rules: &[Rule], path: &str, text: &str) -> Vec<Place> {
    let extension = path.rsplit('.').next().unwrap_or_default();
    let mut places: Vec<Place> = rules
        .iter()
        .filter(|rule| rule.extensions.contains(&extension))
        .filter_map(|rule| Some((rule, compile(rule.pattern)?)))
        .flat_map(|(rule, pattern)| {
            let found: Vec<Place> = pattern
                .find_iter(text)
                .map(|place| Place { start: place.start(), end: place.end(), what: rule.what, is_error: rule.is_error })
                .collect();
            found
        })
        .collect();
    places.sort_by_key(|place| place.start);
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_that_go_no_further_are_found_by_their_words() {
        for rule in SWALLOWED.iter().chain(LEFTOVERS) {
            assert!(compile(rule.pattern).is_some(), "{}", rule.pattern);
        }
        for (path, text, is_error) in [
            ("a.py", "try:\n    f()\nexcept:\n    pass\n", true),
            ("a.py", "try:\n    f()\nexcept Exception as e:\n    # not now\n    pass\n", true),
            ("a.py", "try:\n    f()\nexcept ValueError: pass\n", true),
            ("a.py", "for x in y:\n    try:\n        f(x)\n    except KeyError:\n        continue\n", false),
            ("a.py", "with suppress(Exception):\n    f()\n", true),
            ("a.rs", "match f() { Ok(x) => g(x), Err(_) => {} }", true),
            ("a.rs", "    let _ = fs::remove_file(path);", false),
            ("a.rs", "    sender.send(1).ok();", false),
            ("a.go", "if err != nil {\n}", true),
            ("a.go", "\t_ = err", true),
            ("a.rb", "begin\n  f\nrescue => e\nend\n", true),
            ("A.java", "try { f(); } catch (IOException e) {\n}", true),
        ] {
            let found: Vec<bool> = swallowed(path, text).iter().map(|place| place.is_error).collect();
            assert_eq!(found, [is_error], "{text}");
        }
    }

    #[test]
    fn errors_that_something_is_done_about_are_left_alone() {
        for (path, text) in [
            ("a.py", "try:\n    f()\nexcept ValueError as e:\n    raise Bad() from e\n"),
            ("a.py", "try:\n    f()\nexcept ValueError:\n    log(e)\n    pass_on(e)\n"),
            ("a.py", "def f():\n    pass\n"),
            ("a.rs", "match f() { Ok(x) => g(x), Err(error) => return Err(error) }"),
            ("a.rs", "let _guard = lock();\nlet x = f().ok();"),
            ("a.go", "if err != nil {\n\treturn err\n}"),
            ("A.java", "catch (IOException e) { throw new Bad(e); }"),
            ("a.md", "except:\n    pass\n"),
        ] {
            assert_eq!(swallowed(path, text), [], "{text}");
        }
    }

    #[test]
    fn leftovers_are_found_by_their_words() {
        assert_eq!(leftovers("a.py", "x = 1\nbreakpoint()\n").len(), 1);
        assert_eq!(leftovers("a.rs", "dbg!(x);").len(), 1);
        assert_eq!(leftovers("a.py", "set_breakpoint()\n").len(), 0);
    }
}
