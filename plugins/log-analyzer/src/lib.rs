//! Finds issues in logs, in constant memory: exceptions with stack traces, error records by template, rising rates.
//!
//! ```text
//! bytes ── lines ──> line ── record ──> header + content ── event ──> exception, template ── groups ──> issues
//!          lengths bounded   time, level       stack traces           fingerprint           counts, rates
//! ```
//!
//! The core, [`Engine`], knows nothing of components; this file makes one of it.

mod engine;
mod event;
mod group;
mod grouping;
mod groups;
mod header;
mod identity;
mod json;
mod line;
mod lines;
mod logfmt;
mod miner;
mod path;
mod pending;
mod rate;
mod record;
mod rising;
mod template;
mod time;
mod trace;

use autodevops_sdk::{Analyzer, Error, Result, types::Issue};
pub use engine::{Engine, Settings};
pub use grouping::{Former, Group, GroupId};

/// The plugin: an engine with the operator's settings.
pub struct LogAnalyzer(Result<Engine>);

impl Default for LogAnalyzer {
    fn default() -> Self {
        Self(autodevops_sdk::config().map(Engine::new))
    }
}

impl LogAnalyzer {
    /// A configuration that cannot be read is the error of the first call.
    fn engine(&mut self) -> Result<&mut Engine> {
        self.0.as_mut().map_err(|error| error.clone())
    }
}

impl Analyzer for LogAnalyzer {
    fn restore(checkpoint: &[u8]) -> Result<Self> {
        let engine = Engine::restore(checkpoint).map_err(|error| {
            Error::wrong_input(format!("the checkpoint cannot be read: {error}; start a new session"))
        })?;
        Ok(Self(autodevops_sdk::config().map(|settings| engine.with(settings))))
    }

    fn push(&mut self, source: &str, bytes: &[u8]) -> Result<()> {
        self.engine()?.push(source, bytes);
        Ok(())
    }

    fn issues(&mut self) -> Result<Vec<Issue>> {
        Ok(self.engine()?.issues())
    }

    fn checkpoint(&mut self) -> Result<Vec<u8>> {
        self.engine()?
            .checkpoint()
            .map_err(|error| Error::failure(format!("the state cannot be written: {error}; report this")))
    }
}

autodevops_sdk::export!(analyzer: LogAnalyzer);
