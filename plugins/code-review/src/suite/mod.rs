//! What a test file promises: its tests, which of them run, and what they assert.

mod other;
mod script;

/// Whether a test runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It runs.
    Runs,
    /// It is skipped, or marked as to be done.
    Skipped,
    /// It runs, and those beside it do not.
    Focused,
}

/// How much an assertion demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strength {
    /// Some property, such as being truthy or greater than something.
    Loose,
    /// One value, or one error.
    Strict,
}

/// An assertion.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Assertion {
    /// How much it demands.
    pub strength: Strength,
    /// Its text, without white space that means nothing.
    pub text: String,
    /// Its line, from 1.
    pub line: u32,
}

/// A test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Test {
    /// Its name, those of its groups before it.
    pub name: String,
    /// Its line, from 1.
    pub line: u32,
    /// Whether it runs.
    pub state: State,
    /// What it asserts.
    pub assertions: Vec<Assertion>,
    /// Its text after the name, laid out the same: a test that was only renamed has the same.
    pub body: String,
}

/// A test file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Suite {
    /// Its tests, in the order of the text.
    pub tests: Vec<Test>,
    /// Assertions outside of tests, in functions that tests share.
    pub shared: Vec<Assertion>,
}

impl Suite {
    /// What the file promises; none when it is JavaScript that does not parse.
    pub fn of(path: &str, text: &str) -> Option<Self> {
        if change::is_script(path) {
            return change::with_program(path, text, |program| script::suite(program, text));
        }
        Some(other::suite(path, text))
    }

    /// All assertions of tests that run, and of what they share.
    pub fn assertions(&self) -> usize {
        let of_tests = self.tests.iter().filter(|test| test.state != State::Skipped).map(|test| test.assertions.len());
        of_tests.sum::<usize>() + self.shared.len()
    }
}

/// The text without white space, but for what keeps two words apart: how it is laid out makes no difference.
fn squeezed(text: &str) -> String {
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    let mut squeezed = String::with_capacity(text.len());
    for part in text.split_whitespace() {
        if squeezed.ends_with(is_word) && part.starts_with(is_word) {
            squeezed.push(' ');
        }
        squeezed.push_str(part);
    }
    squeezed
}
