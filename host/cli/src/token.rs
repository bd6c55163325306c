//! `autodevops token`: a token for the HTTP API.

use std::process::ExitCode;

use anyhow::{Result, bail};
use autodevops_people::Token;

use crate::output::{self, Format, Usage};

/// Makes one and shows it; nothing is kept of it.
pub fn run(name: &str, format: Format) -> Result<ExitCode> {
    if name.trim().is_empty() || name.contains(char::is_control) {
        bail!(Usage("nobody is named so; give the name of whoever is to speak by the token".to_owned()));
    }
    let token = Token::new()?;
    let line = format!("tokens.{} = \"{}\"", toml_key(name), token.hash());
    match format {
        Format::Json => {
            let value = serde_json::json!({ "name": name, "token": token.text(), "hash": token.hash().to_string() });
            output::json(&value)?;
        }
        Format::Text => output::text(&format!(
            "the token of {name}, to be kept secret; it is not shown again:\n  {}\n\nin autodevops.toml, below [server]:\n  {line}\n",
            token.text()
        ))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// A name as a key: bare where TOML takes it so.
fn toml_key(name: &str) -> String {
    let bare = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if bare { name.to_owned() } else { format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\"")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_no_bare_key_is_quoted() {
        assert_eq!(toml_key("ada-1"), "ada-1");
        assert_eq!(toml_key("Ada \"L\""), r#""Ada \"L\"""#);
        assert_eq!(toml_key("ada@example.com"), "\"ada@example.com\"");
    }
}
