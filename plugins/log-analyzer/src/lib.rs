//! Finds issues in logs, in constant memory: exceptions with stack traces, error records by template, rising rates.
//!
//! ```text
//! bytes ── lines ──> line ── record ──> header + content ── event ──> exception, template ── groups ──> issues
//!          lengths bounded   time, level       stack traces           fingerprint           counts, rates
//! ```
//!
//! The core, [`Engine`], knows nothing of components; this file makes one of it.

mod detect;
mod engine;
mod event;
mod fault;
mod group;
mod grouping;
mod groups;
mod header;
mod identity;
mod ids;
mod join;
mod json;
mod line;
mod lines;
mod logfmt;
mod miner;
mod path;
mod pending;
mod record;
mod rising;
mod template;
mod time;
mod trace;

use autodevops_sdk::{
    Analyzer, Error, Result,
    types::{Grouped, Issue, IssueKind, LineGroup},
};
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

    fn push_grouped(&mut self, source: &str, bytes: &[u8]) -> Result<Grouped> {
        let engine = self.engine()?;
        let mut lines = Vec::new();
        engine.push_and_tell(source, bytes, |group| lines.push(group.0));
        let line_group = |of: Former| LineGroup { id: of.id.0, into: of.into.0, template: of.template };
        Ok(Grouped { lines, former: engine.take_former().into_iter().map(line_group).collect() })
    }

    fn groups(&mut self) -> Result<Vec<LineGroup>> {
        let groups = self.engine()?.groups();
        let line_groups = groups.into_iter().flat_map(|Group { id, patterns, template, .. }| {
            let template = move |pattern| if pattern == id { template.clone() } else { String::new() };
            patterns.into_iter().map(move |of| LineGroup { id: of.0, into: id.0, template: template(of) })
        });
        Ok(line_groups.collect())
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

/// A kind of issue by the name that it has for people and in JSON.
pub const fn kind_name(kind: IssueKind) -> &'static str {
    match kind {
        IssueKind::Exception => "exception",
        IssueKind::CriticalError => "critical-error",
        IssueKind::NewPattern => "new-pattern",
        IssueKind::ErrorBurst => "error-burst",
        IssueKind::RateChange => "rate-change",
        IssueKind::LatencyRegression => "latency-regression",
        IssueKind::VanishedHeartbeat => "vanished-heartbeat",
        IssueKind::Prediction => "prediction",
        IssueKind::Anomaly => "anomaly",
    }
}

autodevops_sdk::export!(analyzer: LogAnalyzer);
