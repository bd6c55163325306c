//! Counts the lines on which a service says that it panicked.
use autodevops_sdk::{
    Analyzer, Result,
    types::{Issue, IssueKind, Severity},
};

#[derive(Default)]
struct Panics(u64);

impl Analyzer for Panics {
    fn restore(checkpoint: &[u8]) -> Result<Self> {
        autodevops_sdk::decode(checkpoint).map(Self)
    }
    fn push(&mut self, _source: &str, bytes: &[u8]) -> Result<()> {
        self.0 += bytes.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"panic:")).count() as u64;
        Ok(())
    }
    fn issues(&mut self) -> Result<Vec<Issue>> {
        let issue = Issue::new("panic", IssueKind::Exception, Severity::Critical, "the service panicked");
        Ok((self.0 > 0).then_some(Issue { count: self.0, ..issue }).into_iter().collect())
    }
    fn checkpoint(&mut self) -> Result<Vec<u8>> {
        autodevops_sdk::encode(&self.0)
    }
}

autodevops_sdk::export!(analyzer: Panics);
