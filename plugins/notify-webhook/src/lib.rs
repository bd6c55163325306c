//! Tells people what happens in runs by a webhook.
//!
//! ```text
//! event ── settings ──> told or not ── shape ──> body ── POST ──> told once, by what the store remembers
//! ```
//!
//! A webhook that is away or asks for patience is an answer of `unavailable`, with `retry-after` where it said so: the host comes again.

mod settings;
mod shape;
mod told;

use std::time::Duration;

use autodevops_sdk::{Error, Notifier, Result, http::Request, http::Response, types::Event};
use settings::Settings;

/// Most bytes of an answer that are read: what it says is shown in an error, no more.
const MAX_ANSWER_BYTES: usize = 64 << 10;

/// Most characters of an answer that an error shows.
const SHOWN: usize = 200;

/// The notifier.
pub struct Webhook;

impl Notifier for Webhook {
    fn notify(key: String, event: Event) -> Result<()> {
        let settings: Settings = autodevops_sdk::config()?;
        if !settings.tells(&event) {
            return Ok(());
        }
        // The store first: without it the same would be told again.
        let told = told::Told::open()?;
        if told.has(&key) {
            return Ok(());
        }
        let body = shape::body(&settings, &event)?.to_string();
        let answer = Request::post(&settings.url, body)
            .header("content-type", "application/json")
            .timeout(Duration::from_secs(u64::from(settings.timeout_seconds)))
            .max_bytes(MAX_ANSWER_BYTES)
            .send()?;
        taken(&answer)?;
        told.keep(key)
    }
}

/// Whether the webhook took the message. Its address is a secret, and stays out of errors.
fn taken(answer: &Response) -> Result<()> {
    let said: String = String::from_utf8_lossy(&answer.body).chars().take(SHOWN).collect();
    let words = format!("the webhook answered with status {}: {said}", answer.status);
    match answer.status {
        200..=299 => Ok(()),
        408 | 425 | 429 | 500..=599 => {
            let error = Error::no_answer(words).with("status", answer.status);
            let patience = answer.header("retry-after").and_then(|seconds| seconds.trim().parse::<f64>().ok());
            Err(match patience.filter(|seconds| seconds.is_finite() && *seconds >= 0.0) {
                Some(seconds) => error.with("retry-after", seconds.ceil() as u64),
                None => error,
            })
        }
        401 | 403 | 404 | 410 => Err(Error::wrong_input(format!("{words}; look at `url`, which may be out of date"))),
        _ => Err(Error::wrong_input(format!("{words}; look at `shape`, which the webhook may not take"))),
    }
}

autodevops_sdk::export!(notifier: Webhook);

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, retry_after: Option<&str>) -> Response {
        let headers = retry_after.map(|value| ("retry-after".to_owned(), value.as_bytes().to_vec()));
        Response { status, headers: headers.into_iter().collect(), body: "no".repeat(500).into_bytes() }
    }

    #[test]
    fn a_webhook_that_is_away_or_asks_for_patience_is_asked_again_and_another_is_not() {
        for status in [200, 204] {
            assert_eq!(taken(&answer(status, None)), Ok(()));
        }
        for (status, header, expected) in [
            (429, Some("2.5"), Some("3")),
            (503, Some("7"), Some("7")),
            (500, None, None),
            (429, Some("soon"), None),
            (429, Some("-1"), None),
        ] {
            let Err(Error::Unavailable(info)) = taken(&answer(status, header)) else { panic!("{status}") };
            let patience = info.details.iter().find(|(name, _)| name == "retry-after").map(|(_, value)| value.as_str());
            assert_eq!(patience, expected);
        }
        for (status, word) in [(404, "`url`"), (400, "`shape`")] {
            let Err(Error::InvalidInput(info)) = taken(&answer(status, None)) else { panic!("{status}") };
            assert!(info.message.contains(word) && info.message.len() < 400, "{}", info.message);
        }
    }
}
