//! The shop's clients: `autodevops-load` as a process of its own, read while it runs.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::processes::wait;
use crate::command::target;

/// Requests a second. One client in twenty is at the smallest step, and must make enough of them for a verdict within it.
const RATE: u32 = 150;
/// Longer than any scene; the scene ends it.
const SECONDS: u32 = 300;

/// Counts as the clients made them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Counts {
    /// Requests that came to an end.
    pub requests: u64,
    /// Those that failed by the application's own code.
    pub client_errors: u64,
    /// Those that failed otherwise.
    pub deploy_errors: u64,
}

/// What the clients say in the end.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Report {
    /// All counts.
    #[serde(flatten)]
    pub total: Counts,
    /// What the errors were that were not the application's.
    pub deploy_error_causes: std::collections::BTreeMap<String, u64>,
    /// How long requests took.
    pub latency_ms: Latency,
}

/// How long requests took, in milliseconds.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Latency {
    /// Half of them took at most so long.
    pub p50: f64,
    /// 99 % of them took at most so long.
    pub p99: f64,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Line {
    Progress(Counts),
    Report(Box<Report>),
}

/// Traffic that is under way; dropped, it ends.
pub struct Traffic {
    child: Child,
    seen: Arc<Mutex<Counts>>,
    reader: Option<JoinHandle<Option<Report>>>,
}

impl Traffic {
    /// Starts traffic to this port of 127.0.0.1.
    pub fn start(port: u16) -> Result<Self> {
        let mut child = Command::new(target().join("debug/autodevops-load"))
            .arg(format!("127.0.0.1:{port}"))
            .args(["--rate", &RATE.to_string(), "--seconds", &SECONDS.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start autodevops-load")?;
        let lines = BufReader::new(child.stdout.take().context("autodevops-load has no output")?).lines();
        let seen = Arc::new(Mutex::new(Counts::default()));
        let counts = Arc::clone(&seen);
        let reader = std::thread::spawn(move || {
            let mut report = None;
            for line in lines.map_while(Result::ok) {
                match serde_json::from_str(&line) {
                    Ok(Line::Progress(now)) => *counts.lock().unwrap_or_else(PoisonError::into_inner) = now,
                    Ok(Line::Report(all)) => report = Some(*all),
                    Err(_) => {}
                }
            }
            report
        });
        Ok(Self { child, seen, reader: Some(reader) })
    }

    /// The counts up to now.
    pub fn counts(&self) -> Counts {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sends no more requests, and says what came of those that were sent.
    pub fn stop(mut self) -> Result<Report> {
        drop(self.child.stdin.take());
        // Each request that is under way ends by its own timeout.
        wait(&mut self.child, Duration::from_secs(30), None).context("autodevops-load")?;
        match self.reader.take().map(JoinHandle::join) {
            Some(Ok(Some(report))) => Ok(report),
            _ => bail!("autodevops-load ended without a report"),
        }
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        // It may have ended already, which is as good.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_lines_are_read() {
        let line = serde_json::from_str(r#"{"progress":{"requests":3,"client_errors":1,"deploy_errors":0}}"#).unwrap();
        assert!(matches!(line, Line::Progress(Counts { requests: 3, client_errors: 1, deploy_errors: 0 })));
        let line = serde_json::from_str(
            r#"{"report":{"requests":3,"client_errors":1,"deploy_errors":2,"deploy_error_causes":{"status 503":2},
                "latency_ms":{"p50":1.5,"p95":2.0,"p99":3.0,"max":4.0},"series":[]}}"#,
        )
        .unwrap();
        let Line::Report(report) = line else { panic!("no report") };
        assert_eq!(
            (report.total.deploy_errors, report.deploy_error_causes["status 503"], report.latency_ms.p99),
            (2, 2, 3.0)
        );
    }
}
