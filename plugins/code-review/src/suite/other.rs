//! Test files in other languages, by the words that declare tests, skip them and assert.

use regex::Regex;

use super::{Assertion, State, Strength, Suite, Test, squeezed};

struct Language {
    extensions: &'static [&'static str],
    /// Declares a test; its group is the name.
    declares: &'static str,
    /// Stands in the lines before a declaration, or in the test, and keeps it from running.
    skips: &'static str,
    asserts: &'static str,
    /// An assertion of one value.
    strict: &'static str,
}

const LANGUAGES: &[Language] = &[
    Language {
        extensions: &["py"],
        declares: r"^\s*(?:async\s+)?def\s+(test\w*)\s*\(",
        skips: r"@(?:pytest\.mark\.(?:skip|skipif|xfail)|unittest\.skip\w*|unittest\.expectedFailure)\b|^\s*pytest\.skip\(|\bself\.skipTest\(",
        asserts: r"^\s*assert\b|\bself\.assert\w+\(|\bpytest\.raises\(",
        strict: r"^\s*assert\b.*==|\bassert(?:Equal|Is|ListEqual|DictEqual|RaisesRegex)\(",
    },
    Language {
        extensions: &["rs"],
        declares: r"^\s*(?:pub\s+)?(?:async\s+)?fn\s+(\w+)\s*\(\s*\)",
        skips: r"^\s*#\[ignore\b",
        asserts: r"\b(?:debug_)?assert(?:_eq|_ne|_matches)?!\s*\(",
        strict: r"\bassert_eq!\s*\(",
    },
    Language {
        extensions: &["go"],
        declares: r"^func\s+(Test\w*)\s*\(",
        skips: r"\bt\.Skip(?:f|Now)?\(",
        asserts: r"\bt\.(?:Error|Fatal)f?\(|\b(?:assert|require)\.\w+\(",
        strict: r"\b(?:assert|require)\.(?:Equal|Exactly|ErrorIs|EqualError)\(",
    },
    Language {
        extensions: &["java", "kt", "cs", "scala"],
        declares: r"^\s*(?:public\s+|internal\s+)?(?:async\s+)?(?:void|fun|Task)\s+(`[^`]+`|\w+)\s*\(",
        skips: r"@(?:Disabled|Ignore)\b|\[Ignore|Skip\s*=",
        asserts: r"\bassert\w*\s*\(|\bAssert\.\w+\(|\.should\w*\(",
        strict: r"\bassert(?:Equals|Same|ArrayEquals)\s*\(|\bAssert\.(?:AreEqual|Equal)\(|\.isEqualTo\(",
    },
    Language {
        extensions: &["rb"],
        declares: r#"^\s*(?:it|specify|test)\s+["']([^"']+)["']|^\s*def\s+(test_\w+)"#,
        skips: r"^\s*x(?:it|specify)\b|^\s*(?:skip|pending)\b",
        asserts: r"\bexpect\s*[({]|\bassert\w*\b|\.must_\w+",
        strict: r"\.to\s+eq\b|\bassert_equal\b|\.must_equal\b",
    },
];

pub fn suite(path: &str, text: &str) -> Suite {
    let extension = path.rsplit('.').next().unwrap_or_default();
    let Some(language) = LANGUAGES.iter().find(|language| language.extensions.contains(&extension)) else {
        return Suite::default();
    };
    let patterns = [language.declares, language.skips, language.asserts, language.strict].map(Regex::new);
    let [Ok(declares), Ok(skips), Ok(asserts), Ok(strict)] = patterns else { return Suite::default() };
    let mut suite = Suite::default();
    let (mut skip_next, mut is_marked) = (false, false);
    for (number, line) in (1u32..).zip(text.lines()) {
        let trimmed = line.trim_start();
        if trimmed.is_empty() || trimmed.starts_with("//") || trimmed.starts_with('#') && !trimmed.starts_with("#[") {
            continue;
        }
        is_marked |= trimmed.contains("test]")
            || trimmed.contains("test(")
            || trimmed.contains("@Test")
            || trimmed.contains("[Fact");
        // Rust and the JVM say by a mark that a function is a test.
        let needs_mark = matches!(extension, "rs" | "java" | "kt" | "cs");
        if let Some(name) = declares.captures(line).and_then(|groups| groups.iter().skip(1).flatten().next())
            && (!needs_mark || is_marked)
        {
            let state = if skip_next { State::Skipped } else { State::Runs };
            let name = name.as_str().to_owned();
            suite.tests.push(Test { name, line: number, state, assertions: Vec::new(), body: String::new() });
            (skip_next, is_marked) = (false, false);
            continue;
        }
        if skips.is_match(line) {
            let is_before = trimmed.starts_with(['@', '[', '#']);
            match suite.tests.last_mut() {
                Some(test) if !is_before => test.state = State::Skipped,
                _ => skip_next = true,
            }
        }
        if asserts.is_match(line) {
            let strength = if strict.is_match(line) { Strength::Strict } else { Strength::Loose };
            let assertion = Assertion { strength, text: squeezed(line), line: number };
            match suite.tests.last_mut() {
                Some(test) => test.assertions.push(assertion),
                None => suite.shared.push(assertion),
            }
        }
        if let Some(test) = suite.tests.last_mut() {
            test.body.push_str(&squeezed(line));
            test.body.push('\n');
        }
    }
    suite
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tests(path: &str, text: &str) -> Vec<(String, State, usize)> {
        suite(path, text).tests.into_iter().map(|test| (test.name, test.state, test.assertions.len())).collect()
    }

    #[test]
    fn tests_are_found_by_their_languages_words() {
        for (path, text, name, state) in [
            ("test_a.py", "def test_total():\n    assert total([1]) == 1\n", "test_total", State::Runs),
            (
                "test_a.py",
                "@pytest.mark.skip(reason='x')\ndef test_total():\n    assert total([1]) == 1\n",
                "test_total",
                State::Skipped,
            ),
            (
                "a_test.go",
                "func TestTotal(t *testing.T) {\n\tt.Skip(\"x\")\n\trequire.Equal(t, 1, f())\n}\n",
                "TestTotal",
                State::Skipped,
            ),
            (
                "tests/a.rs",
                "fn helper() {}\n#[test]\nfn totals() {\n    assert_eq!(f(), 1);\n}\n",
                "totals",
                State::Runs,
            ),
            ("tests/a.rs", "#[test]\n#[ignore]\nfn totals() {\n    assert_eq!(f(), 1);\n}\n", "totals", State::Skipped),
            (
                "ATest.java",
                "@Test\n@Disabled\npublic void totals() {\n  assertEquals(1, f());\n}\n",
                "totals",
                State::Skipped,
            ),
            ("a_spec.rb", "it 'totals' do\n  expect(f).to eq 1\nend\n", "totals", State::Runs),
        ] {
            assert_eq!(tests(path, text), [(name.to_owned(), state, 1)], "{text}");
            let strict = suite(path, text).tests[0].assertions[0].strength;
            assert_eq!(strict, Strength::Strict, "{text}");
        }
        assert!(
            LANGUAGES.iter().all(|l| [l.declares, l.skips, l.asserts, l.strict].iter().all(|p| Regex::new(p).is_ok()))
        );
    }
}
