//! Tells people what happens in runs by a webhook.
//!
//! ```text
//! event ── settings ──> told or not ── shape ──> body ── POST ──> told once, by what the store remembers
//! ```
//!
//! A webhook that is away or asks for patience is an answer of `unavailable`, with `retry-after` where it said so: the host comes again.

mod settings;
mod shape;

use std::time::Duration;

use autodevops_sdk::{Notifier, Result, http::Request, types::Event};
use settings::Settings;
use telling::{MAX_ANSWER_BYTES, Told, taken};

/// The notifier.
pub struct Webhook;

impl Notifier for Webhook {
    fn notify(key: String, event: Event) -> Result<()> {
        let settings: Settings = autodevops_sdk::config()?;
        if !settings.min_severity.tells(&event) {
            return Ok(());
        }
        // The store first: without it the same would be told again.
        let mut told = Told::open()?;
        if told.has(&key) {
            return Ok(());
        }
        let body = shape::body(&settings, &event)?.to_string();
        let answer = Request::post(&settings.url, body)
            .header("content-type", "application/json")
            .timeout(Duration::from_secs(u64::from(settings.timeout_seconds)))
            .max_bytes(MAX_ANSWER_BYTES)
            .send()?;
        taken("the webhook", "url", "shape", &answer)?;
        told.keep(key)
    }
}

autodevops_sdk::export!(notifier: Webhook);
