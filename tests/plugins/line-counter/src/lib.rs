//! An analyzer that joins no sessions, as most do not: its one issue tells in which order it was given sources, and how many lines of
//! each. It sends what it is given to the address that its configuration names, as one does that asks a language model, and tells of no
//! tokens.

use autodevops_sdk::{
    Analyzer, Result,
    http::Request,
    types::{Issue, IssueKind, Severity},
};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    post: String,
}

/// The sources in the order in which they came, with their lines.
#[derive(Default)]
struct LineCounter(Vec<(String, u64)>);

impl Analyzer for LineCounter {
    fn restore(checkpoint: &[u8]) -> Result<Self> {
        autodevops_sdk::decode(checkpoint).map(Self)
    }

    fn push(&mut self, source: &str, bytes: &[u8]) -> Result<()> {
        let Settings { post } = autodevops_sdk::config()?;
        if !post.is_empty() {
            Request::post(&post, bytes).send()?;
        }
        if self.0.last().is_none_or(|(last, _)| last != source) {
            self.0.push((source.to_owned(), 0));
        }
        if let Some((_, lines)) = self.0.last_mut() {
            *lines += bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
        }
        Ok(())
    }

    fn issues(&mut self) -> Result<Vec<Issue>> {
        let told: Vec<String> = self.0.iter().map(|(source, lines)| format!("{lines} lines of {source}")).collect();
        Ok(vec![Issue::new("lines", IssueKind::Anomaly, Severity::Info, told.join(", "))])
    }

    fn checkpoint(&mut self) -> Result<Vec<u8>> {
        autodevops_sdk::encode(&self.0)
    }
}

autodevops_sdk::export!(analyzer: LineCounter);
