//! How results and errors are shown: plain text, colours on a terminal, JSON where it is asked for.

use std::io::{self, IsTerminal, Write};

use anyhow::Result;
use autodevops_model::Severity;
use serde::Serialize;

/// How results are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON value on standard output.
    Json,
}

/// How results can be asked for; not every verb has all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum AnyFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON value on standard output.
    Json,
    /// Comma-separated values; of `analyze` only.
    Csv,
    /// SARIF 2.1.0; of `analyze` only.
    Sarif,
}

impl TryFrom<AnyFormat> for Format {
    type Error = Usage;

    fn try_from(format: AnyFormat) -> Result<Self, Usage> {
        match format {
            AnyFormat::Text => Ok(Self::Text),
            AnyFormat::Json => Ok(Self::Json),
            AnyFormat::Csv | AnyFormat::Sarif => {
                Err(Usage("only `analyze` writes csv and sarif; write --format text or --format json".to_owned()))
            }
        }
    }
}

/// An error with its causes. One that was told already, such as before the remedy for it, is not told once more.
fn told(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if text.contains(&cause) {
            continue;
        }
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&cause);
    }
    text
}

/// Writes an error and its causes to standard error, each cause once.
pub fn error(error: &anyhow::Error) {
    let text = told(error);
    let label = if io::stderr().is_terminal() { "\x1b[1;31merror\x1b[0m" } else { "error" };
    // There is nothing left to do when standard error is closed.
    drop(writeln!(io::stderr(), "{label}: {}", clean(&text)));
}

/// Writes something that a person should know meanwhile to standard error.
pub fn note(text: &str) {
    drop(writeln!(io::stderr(), "{}", clean(text)));
}

/// Writes one JSON value and a line end to standard output.
///
/// # Errors
/// When standard output cannot be written to; a reader that went away is no error.
pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<()> {
    text(&format!("{}\n", serde_json::to_string_pretty(value)?))
}

/// Writes text to standard output.
///
/// # Errors
/// When standard output cannot be written to; a reader that went away is no error.
pub fn text(text: &str) -> Result<()> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Colours, where standard output is a terminal and `NO_COLOR` is not set.
#[derive(Clone, Copy)]
pub struct Style(bool);

impl Style {
    /// For standard output.
    pub fn stdout() -> Self {
        Self(io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none())
    }

    /// For standard error.
    pub fn stderr() -> Self {
        Self(io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
    }

    /// No colours.
    #[cfg(test)]
    pub const fn plain() -> Self {
        Self(false)
    }

    /// Whether there are colours.
    pub const fn is_coloured(self) -> bool {
        self.0
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// A severity's name, padded to nine columns.
    pub fn severity(self, severity: Severity) -> String {
        let (code, name) = match severity {
            Severity::Info => ("36", "info"),
            Severity::Warning => ("33", "warning"),
            Severity::Error => ("31", "error"),
            Severity::Critical => ("1;31", "critical"),
        };
        self.paint(code, &format!("{name:<9}"))
    }

    /// Text of lesser weight.
    pub fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    /// What went well.
    pub fn good(self, text: &str) -> String {
        self.paint("32", text)
    }

    /// What did not.
    pub fn bad(self, text: &str) -> String {
        self.paint("31", text)
    }

    /// Text of more weight.
    pub fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }
}

pub use autodevops_orchestrator::usage::Usage;
pub use autodevops_policy::text::escape as clean;

/// Columns of the terminal that standard output is; enough for most lines where it is none.
pub fn columns() -> usize {
    terminal_size::terminal_size_of(io::stdout()).map_or(160, |(width, _)| usize::from(width.0).max(60))
}

/// The text's first `columns` characters, with an ellipsis where it was cut; a space stands for each control character.
pub fn cut(text: &str, columns: usize) -> String {
    let clean: String = text.chars().flat_map(|c| if c.is_control() { ' '..=' ' } else { c..=c }).collect();
    if clean.chars().count() <= columns {
        return clean;
    }
    let mut cut: String = clean.chars().take(columns.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_of_an_error_is_told_once() {
        let inner = || std::io::Error::other("the address is in use");
        let outer = |text: &str| format!("{:?}", told(&anyhow::Error::new(inner()).context(text.to_owned())));
        assert_eq!(outer("it cannot listen"), "\"it cannot listen: the address is in use\"");
        let with_remedy = "it cannot listen: the address is in use; choose another";
        assert_eq!(outer(with_remedy), format!("{with_remedy:?}"));
    }

    #[test]
    fn what_others_wrote_moves_no_cursor() {
        assert_eq!(clean("a\x1b[2Jb\rc\n\td"), "a\\u{1b}[2Jb\\u{d}c\n\td");
        assert_eq!(cut("a\x1b[2Jb\nc", 80), "a [2Jb c");
        assert_eq!(cut("abcdef", 4), "abc…");
    }
}
