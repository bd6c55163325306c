//! The host's own look at a staged release: does it answer, and without failing?

use std::time::Duration;

use anyhow::{Context, Result};
use autodevops_model::{Finding, Outcome, Report, Severity, TestResult};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};

/// The longest that one answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest answer that is read.
const MAX_BODY_BYTES: usize = 8 << 20;

/// How often each path is asked for: a fault that shows on the second request only is found too.
const TIMES: usize = 3;

/// Who looks, in reports.
pub const NAME: &str = "probe";

/// Asks for each path of the release at `url`, several times; an answer of 500 and above, or none, is a failure.
pub async fn look(url: &str, paths: &[String]) -> Report {
    let mut tests = Vec::new();
    for path in paths {
        let started = std::time::Instant::now();
        let mut failed = None;
        for _ in 0..TIMES {
            if let Err(error) = ask(url, path).await {
                failed = Some(format!("{error:#}"));
                break;
            }
        }
        tests.push(TestResult {
            file: url.to_owned(),
            name: format!("GET {path}"),
            outcome: if failed.is_none() { Outcome::Passed } else { Outcome::Failed },
            message: failed,
            nanoseconds: u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX),
        });
    }
    let failed: Vec<&TestResult> = tests.iter().filter(|test| test.outcome == Outcome::Failed).collect();
    let findings: Vec<Finding> = failed
        .iter()
        .map(|test| Finding {
            rule: "staged-release-fails".to_owned(),
            severity: Severity::Error,
            message: format!("{}: {}", test.name, test.message.as_deref().unwrap_or_default()),
            remedy: "read staging's log; the release is not taken further".to_owned(),
            location: None,
        })
        .collect();
    let (outcome, summary) = match (tests.len(), failed.len()) {
        (0, _) => (Outcome::Inconclusive, "there is no path to ask for".to_owned()),
        (all, 0) => (Outcome::Passed, format!("the staged release answers {all} of {all} paths")),
        (all, bad) => (Outcome::Failed, format!("the staged release fails at {bad} of {all} paths")),
    };
    Report { outcome, summary, findings, metrics: Vec::new(), tests }
}

async fn ask(url: &str, path: &str) -> Result<()> {
    let target = format!("{}{path}", url.trim_end_matches('/'));
    let request = http::Request::get(&target).body(Empty::<bytes::Bytes>::new())?;
    let client = Client::builder(TokioExecutor::new()).build_http();
    let exchange = async {
        let answer = client.request(request).await.context("no answer")?;
        let status = answer.status();
        Limited::new(answer.into_body(), MAX_BODY_BYTES)
            .collect()
            .await
            .map_err(|error| anyhow::anyhow!("the answer breaks off: {error}"))?;
        anyhow::ensure!(!status.is_server_error(), "it answers {status}");
        Ok(())
    };
    tokio::time::timeout(PATIENCE, exchange).await.with_context(|| format!("no answer in {} s", PATIENCE.as_secs()))?
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn server(answer: &'static str) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut buffer = [0; 1024];
                let _ = stream.read(&mut buffer).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        format!("http://{address}/")
    }

    #[tokio::test]
    async fn a_release_that_answers_passes_and_one_that_fails_does_not() {
        let paths = ["/".to_owned(), "/a?b=c".to_owned()];
        for (answer, outcome) in [
            ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", Outcome::Passed),
            ("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", Outcome::Passed),
            ("HTTP/1.1 503 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", Outcome::Failed),
            ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\nconnection: close\r\n\r\nhalf", Outcome::Failed),
        ] {
            let report = look(&server(answer).await, &paths).await;
            assert_eq!(report.outcome, outcome, "{report:?}");
            assert_eq!(report.tests.len(), 2);
        }
    }

    #[tokio::test]
    async fn nobody_at_the_address_is_a_failure_and_no_path_is_no_proof() {
        let report = look("http://127.0.0.1:1", &["/".to_owned()]).await;
        assert_eq!(report.outcome, Outcome::Failed);
        assert!(report.findings[0].message.starts_with("GET /: no answer"), "{report:?}");
        assert_eq!(look("http://127.0.0.1:1", &[]).await.outcome, Outcome::Inconclusive);
    }
}
