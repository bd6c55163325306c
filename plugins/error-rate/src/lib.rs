//! Measures error rates and latencies of releases from a Prometheus text endpoint.
//!
//! ```text
//! endpoint ── prometheus ──> samples ── settings ──> series ── history ──> reading ── measure ──> measurements
//!                                     which count                resets taken out, kept in the store
//! ```
//!
//! Counters only grow, so what happened in a window is the difference of two readings. Each call makes one and keeps it. The
//! answer says which window it really covers; what was never seen to grow is no evidence and counts as nothing.

mod history;
mod measure;
mod prometheus;
mod settings;
mod store;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use autodevops_sdk::{
    Error, HealthCheck, Result,
    http::Request,
    keyvalue::Bucket,
    types::{Measurement, Window},
};
use settings::Settings;

/// Most bytes that a page of metrics may have.
const MAX_PAGE_BYTES: usize = 16 << 20;

/// The health check.
pub struct ErrorRate;

impl HealthCheck for ErrorRate {
    fn measure(candidate: String, baseline: Option<String>, window: Window) -> Result<Vec<Measurement>> {
        let settings: Settings = autodevops_sdk::config()?;
        if window.end < window.start {
            return Err(Error::wrong_input("the window ends before it starts"));
        }
        // The store first: without it a reading would be lost, and there is nothing to ask the endpoint for.
        let store = Bucket::open("readings")?;
        let page = page(&settings)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let now = i64::try_from(now).unwrap_or(i64::MAX);
        let mut releases = vec![candidate];
        releases.extend(baseline.filter(|baseline| *baseline != releases[0]));
        measure::measure(&store, &settings, &page, now, &releases, window)
    }
}

/// What the endpoint answers.
fn page(settings: &Settings) -> Result<Vec<u8>> {
    let url = &settings.url;
    let answer = Request::get(url)
        .header("accept", "text/plain; version=0.0.4, application/openmetrics-text; q=0.5, */*; q=0.1")
        .timeout(Duration::from_secs(u64::from(settings.timeout_seconds)))
        .max_bytes(MAX_PAGE_BYTES)
        .send()?;
    if answer.status != 200 {
        return Err(Error::no_answer(format!("{url} answered with status {}, not with its metrics", answer.status))
            .with("status", answer.status)
            .with("url", url));
    }
    Ok(answer.body)
}

autodevops_sdk::export!(health_check: ErrorRate);
