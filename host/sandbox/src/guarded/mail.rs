//! Mail: each recipient is asked for by name, and only a message that is whole goes on to the operator's server.

use autodevops_model::{ErrorInfo, ErrorKind, StageError};
use autodevops_policy::{Limit, MailAddress, Operation};

use super::{
    Guarded,
    host::{Answered, answer},
};
use crate::{
    bindings::base::autodevops::{host::mail, types::types},
    mail::Message,
    refusal::Refusal,
    replay::{Shown, noted, through},
};

/// Longest subject, in bytes: further than anybody reads, and short of what servers take for a header (RFC 5322, 2.1.1).
const MAX_SUBJECT_BYTES: usize = 512;

fn wrong(message: impl Into<String>) -> types::Error {
    types::Error::InvalidInput(types::ErrorInfo { message: message.into(), details: Vec::new() })
}

impl Guarded<'_> {
    /// The message, where all of it may be sent: its recipients are granted, it is within the limits, its subject is one line.
    fn takes(&mut self, message: &mail::Message) -> Answered<Message> {
        let mut to: Vec<MailAddress> = Vec::new();
        // Mail to nobody is mail to somebody who was not granted.
        let nobody = message.to.is_empty().then(String::new);
        for text in message.to.iter().chain(&nobody) {
            if let Err(refused) = self.asks(Operation::Mail(text.clone()))? {
                return Ok(Err(refused));
            }
            // One that is granted is an address.
            let Ok(address) = text.parse() else { return Ok(Err(wrong(format!("{text:?} is no address of mail")))) };
            if !to.contains(&address) {
                to.push(address);
            }
        }
        if message.subject.contains(char::is_control) || message.subject.trim().is_empty() {
            self.refuses(&Refusal::Subject);
            return Ok(Err(wrong("a mail's subject is one line that is not empty, without control characters")));
        }
        if message.subject.len() > MAX_SUBJECT_BYTES {
            self.refuses(&Refusal::TooLong);
            return Ok(Err(wrong(format!("a mail's subject has at most {MAX_SUBJECT_BYTES} bytes"))));
        }
        self.charge(Limit::Mails, to.len() as u64)?;
        let bytes = message.subject.len() + message.text.len() + message.html.as_ref().map_or(0, String::len);
        self.charge(Limit::MailBytes, bytes as u64)?;
        self.passes(bytes);
        let mail::Message { key, subject, text, html, .. } = message.clone();
        Ok(Ok(Message { plugin: self.0.labels.plugin.to_string(), key, to, subject, text, html }))
    }
}

impl mail::Host for Guarded<'_> {
    async fn send(&mut self, message: mail::Message) -> Answered<()> {
        let taken = match self.takes(&message)? {
            Ok(taken) => taken,
            Err(refused) => return noted!(self, "autodevops:host/mail send", (Shown(&message)), Ok(Err(refused))),
        };
        let deadline = self.0.deadline;
        through!(self, "autodevops:host/mail send", (Shown(&message)), {
            let sent = match self.0.mail.clone() {
                Some(mailer) => mailer.send(taken, deadline).await,
                None => Err(StageError {
                    kind: ErrorKind::Unsupported,
                    info: ErrorInfo {
                        message: "this host sends no mail; the operator sets its server up in [mail]".to_owned(),
                        details: Vec::new(),
                    },
                }),
            };
            answer(sent, |()| ())
        })
    }
}
