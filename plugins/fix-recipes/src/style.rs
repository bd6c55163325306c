//! How a file is written, so that what is added looks like it.

/// A file's habits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// What ends a line.
    pub newline: &'static str,
    /// What strings are put in.
    pub quote: char,
    /// Whether statements end in a semicolon.
    pub semicolons: bool,
    /// One step of indentation, in spaces; 0 for a tab.
    pub indent: usize,
    /// Whether a list's last line ends in a comma, and the like, is left to chance.
    pub use_strict: bool,
}

impl Style {
    /// Reads the habits off a text, by majority; what cannot be told is as most projects have it.
    pub fn of(text: &str) -> Self {
        let (mut single, mut double, mut with, mut without, mut tabs) = (0_u32, 0_u32, 0_u32, 0_u32, 0_u32);
        let mut steps = [0_u32; 9];
        let mut before = 0;
        for line in text.lines().take(3000) {
            single += u32::try_from(line.matches('\'').count()).unwrap_or(0);
            double += u32::try_from(line.matches('"').count()).unwrap_or(0);
            let body = line.trim();
            let code = body.split(" //").next().unwrap_or(body).trim_end();
            if code.ends_with(';') {
                with += 1;
            } else if code.ends_with([')', '\'', '"', ']', '`']) && !body.starts_with(['.', '*', '/']) {
                without += 1;
            }
            if line.starts_with('\t') {
                tabs += 1;
            }
            if body.is_empty() || body.starts_with('*') {
                continue;
            }
            let width = line.len() - line.trim_start_matches(' ').len();
            if let Some(count) = width.checked_sub(before).and_then(|step| steps.get_mut(step))
                && width > before
            {
                *count += 1;
            }
            before = width;
        }
        let spaces = (1..steps.len()).rev().max_by_key(|step| steps.get(*step).copied().unwrap_or(0)).unwrap_or(2);
        let most = steps.iter().max().copied().unwrap_or(0);
        Self {
            newline: if text.contains("\r\n") { "\r\n" } else { "\n" },
            quote: if double > single { '"' } else { '\'' },
            semicolons: with >= without || with > 3 && with * 2 > without,
            indent: if tabs > most {
                0
            } else if most == 0 {
                2
            } else {
                spaces
            },
            use_strict: text
                .trim_start_matches('\u{feff}')
                .lines()
                .take(30)
                .any(|line| matches!(line.trim().trim_end_matches(';'), "'use strict'" | "\"use strict\"")),
        }
    }

    /// One step of indentation.
    pub fn step(&self) -> String {
        if self.indent == 0 { "\t".into() } else { " ".repeat(self.indent) }
    }

    /// The end of a statement.
    pub fn end(&self) -> &'static str {
        if self.semicolons { ";" } else { "" }
    }

    /// A string literal.
    pub fn string(&self, value: &str) -> String {
        let mut text = String::with_capacity(value.len() + 2);
        text.push(self.quote);
        for c in value.chars() {
            match c {
                '\n' => text.push_str("\\n"),
                '\r' => text.push_str("\\r"),
                '\\' => text.push_str("\\\\"),
                c if c == self.quote => {
                    text.push('\\');
                    text.push(c);
                }
                c => text.push(c),
            }
        }
        text.push(self.quote);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn habits_are_read_off_the_text() {
        let style = Style::of("\"use strict\";\r\nfunction f() {\r\n\treturn g(\"x\");\r\n}\r\n");
        assert_eq!(style, Style { newline: "\r\n", quote: '"', semicolons: true, indent: 0, use_strict: true });
        let style = Style::of("const a = require('a')\nfunction f() {\n    return a('x')\n}\nf('y')\n");
        assert_eq!(style, Style { newline: "\n", quote: '\'', semicolons: false, indent: 4, use_strict: false });
        assert_eq!(Style::of(""), Style { newline: "\n", quote: '\'', semicolons: true, indent: 2, use_strict: false });
    }

    #[test]
    fn strings_are_quoted_as_the_file_does() {
        let style = Style::of("");
        assert_eq!(style.string("it's\n"), "'it\\'s\\n'");
    }
}
