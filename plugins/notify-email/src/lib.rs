//! Tells people what happens in runs by mail.
//!
//! ```text
//! event ── settings ──> told or not ── letter ──┬─ smtp: the host's mail, through the operator's server ─┬──> told once
//!                                               └─ http: the operator's JSON to a mail service ──────────┘
//! ```
//!
//! A server that is away or asks for patience is an answer of `unavailable`: the host comes again.

mod letter;
mod settings;

use std::time::Duration;

use autodevops_sdk::{Notifier, Result, http::Request, mail, types::Event};
use letter::Letter;
use settings::{Settings, Via};
use telling::{MAX_ANSWER_BYTES, Told, taken, template};

/// The notifier.
pub struct Email;

impl Notifier for Email {
    fn notify(key: String, event: Event) -> Result<()> {
        let settings: Settings = autodevops_sdk::config()?;
        settings.check()?;
        if !settings.min_severity.tells(&event) {
            return Ok(());
        }
        // The store first: without it the same would be told again.
        let told = Told::open()?;
        if told.has(&key) {
            return Ok(());
        }
        let Letter { subject, text, html } = Letter::of(&event);
        match settings.via {
            Via::Smtp => {
                let (to, key) = (settings.to, key.clone());
                mail::send(&mail::Message { key, to, subject, text, html: Some(html) })?;
            }
            Via::Http => {
                let more = [("to", settings.to.join(", ")), ("subject", subject), ("text", text), ("html", html)];
                let body = template("template", &settings.template, &event, &more)?.to_string();
                let answer = Request::post(&settings.url, body)
                    .header("content-type", "application/json")
                    .timeout(Duration::from_secs(u64::from(settings.timeout_seconds)))
                    .max_bytes(MAX_ANSWER_BYTES)
                    .send()?;
                taken("the mail service", "url", "template", &answer)?;
            }
        }
        told.keep(key)
    }
}

autodevops_sdk::export!(notifier: Email);
