//! `autodevops token`: a token for the HTTP API.

use std::process::ExitCode;

use anyhow::{Result, bail};
use autodevops_people::{May, Token};
use clap::ValueEnum;

use crate::output::{self, Format, Usage};

/// Makes one that may do so, or everything where nothing is named, and shows it; nothing is kept of it.
pub fn run(name: &str, may: &[MayDo], format: Format) -> Result<ExitCode> {
    if name.trim().is_empty() || name.contains(char::is_control) {
        bail!(Usage("nobody is named so; give the name of whoever is to speak by the token".to_owned()));
    }
    let token = Token::new()?;
    let may: Vec<&str> = may.iter().map(|may| may.name()).collect();
    let line = format!("tokens.{} = {}", toml_key(name), toml_value(&token.hash().to_string(), &may));
    match format {
        Format::Json => {
            let may = if may.is_empty() { May::ALL.map(May::name).to_vec() } else { may };
            let hash = token.hash().to_string();
            let value = serde_json::json!({ "name": name, "token": token.text(), "hash": hash, "may": may });
            output::json(&value)?;
        }
        Format::Text => output::text(&format!(
            "the token of {name}, to be kept secret; it is not shown again:\n  {}\n\nin autodevops.toml, below [server]:\n  {line}\n{}",
            token.text(),
            if may.is_empty() { EVERYTHING } else { "" }
        ))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What whoever makes a token is told that may do everything.
const EVERYTHING: &str = "\nwhoever has it may see the runs and steer them: approve (unless [approval] names the `approvers`), abort, roll back; \
                          for a form or a monitor make one with --may feedback or --may metrics\n";

/// What is to be done by a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MayDo {
    /// Say what is to become of runs and releases: approve, abort, roll back and the like.
    Steer,
    /// See the runs.
    Read,
    /// Tell of complaints: `POST /feedback`.
    Feedback,
    /// Read what deploys came to: `GET /metrics`.
    Metrics,
}

impl MayDo {
    const fn name(self) -> &'static str {
        match self {
            Self::Steer => May::Steer.name(),
            Self::Read => May::Read.name(),
            Self::Feedback => May::Feedback.name(),
            Self::Metrics => May::Metrics.name(),
        }
    }
}

/// What is written of a token: its hash alone where it may do everything.
fn toml_value(hash: &str, may: &[&str]) -> String {
    if may.is_empty() {
        return format!("\"{hash}\"");
    }
    let mut named: Vec<String> = may.iter().map(|may| format!("\"{may}\"")).collect();
    named.dedup();
    format!("{{ hash = \"{hash}\", may = [{}] }}", named.join(", "))
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
    fn what_is_written_of_a_token_is_what_it_may() {
        assert_eq!(toml_value("sha256:0", &[]), "\"sha256:0\"");
        let some = toml_value("sha256:0", &["feedback", "metrics"]);
        assert_eq!(some, r#"{ hash = "sha256:0", may = ["feedback", "metrics"] }"#);
        let all = <MayDo as ValueEnum>::value_variants().iter().map(|may| may.name()).collect::<Vec<_>>();
        assert_eq!(all, May::ALL.map(May::name));
    }

    #[test]
    fn a_name_that_is_no_bare_key_is_quoted() {
        assert_eq!(toml_key("ada-1"), "ada-1");
        assert_eq!(toml_key("Ada \"L\""), r#""Ada \"L\"""#);
        assert_eq!(toml_key("ada@example.com"), "\"ada@example.com\"");
    }
}
