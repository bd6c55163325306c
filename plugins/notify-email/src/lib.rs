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

use autodevops_sdk::{Error, Notifier, Result, http::Request, mail, types::Event};
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
        let mut told = Told::open()?;
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
                to_each(&settings.to, |address| {
                    let of_this = format!("{key} {address}");
                    if told.has(&of_this) {
                        return Ok(());
                    }
                    let more = [("to", address), ("subject", &subject), ("text", &text), ("html", &html)];
                    let more = more.map(|(name, text)| (name, text.to_owned()));
                    let body = template("template", &settings.template, &event, &more)?.to_string();
                    let answer = Request::post(&settings.url, body)
                        .header("content-type", "application/json")
                        .timeout(Duration::from_secs(u64::from(settings.timeout_seconds)))
                        .max_bytes(MAX_ANSWER_BYTES)
                        .send()?;
                    taken("the mail service", "url", "template", &answer)?;
                    told.keep(of_this)
                })?;
            }
        }
        told.keep(key)
    }
}

/// Sends to each by itself, for each mail service has its own form for several. An address that is refused keeps no other from its
/// letter; a service that is away is not asked for the rest, and the host comes again.
fn to_each(addresses: &[String], mut send: impl FnMut(&str) -> Result<()>) -> Result<()> {
    let mut refused = Ok(());
    for address in addresses {
        match send(address) {
            Err(away @ Error::Unavailable(_)) => return Err(away),
            sent => refused = refused.and(sent),
        }
    }
    refused
}

autodevops_sdk::export!(notifier: Email);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_refused_keeps_no_other_from_its_letter_and_a_service_that_is_away_is_not_asked_on() {
        let addresses = ["a", "b", "c"].map(str::to_owned);
        let sent = |fails: fn(&str) -> Result<()>| {
            let mut tried = Vec::new();
            let came = to_each(&addresses, |address| {
                tried.push(address.to_owned());
                fails(address)
            });
            (tried.concat(), came)
        };
        let refused = |address: &str| match address {
            "c" => Ok(()),
            _ => Err(Error::wrong_input(format!("no {address}"))),
        };
        assert_eq!(sent(|_| Ok(())), ("abc".to_owned(), Ok(())));
        assert_eq!(sent(refused), ("abc".to_owned(), Err(Error::wrong_input("no a"))));
        let (tried, came) =
            sent(
                |address| {
                    if address == "b" { Err(Error::no_answer("it is away")) } else { Err(Error::wrong_input("no")) }
                },
            );
        assert!(tried == "ab" && matches!(came, Err(Error::Unavailable(_))), "{tried} {came:?}");
    }
}
