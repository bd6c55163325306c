//! Mail: to people who were not granted, with headers of the guest's own, without end, and through a server that does not answer.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use autodevops_model::StageError;
use autodevops_policy::{Bytes, Limit, Span};
use autodevops_sandbox::{Mailer, Message};

use crate::case::{Attempt, Case, Ending, Terms};

/// Takes every message, or none for ever.
#[derive(Default)]
struct Server {
    taken: Mutex<Vec<Message>>,
    silent: bool,
}

#[async_trait::async_trait]
impl Mailer for Server {
    async fn send(&self, message: Message, _: Instant) -> Result<(), StageError> {
        if self.silent {
            std::future::pending::<()>().await;
        }
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).push(message);
        Ok(())
    }
}

fn intruder(name: &str, promise: &'static str, argument: &str, fails: Ending) -> Case {
    let argument = argument.to_owned();
    Case::new(name, promise, "intruder", fails).given(move |terms| {
        terms.config.insert("act".into(), "mail send".into());
        terms.config.insert("argument".into(), argument.clone());
        terms.mail = Some(Arc::new(Server::default()));
        terms.grant.mail = ["ada@example.com", "*@ops.example"].iter().flat_map(|text| text.parse()).collect();
    })
}

/// The argument: so many times, to whom (`;` between them), the subject, how many bytes of text.
fn flood(times: u32, to: &str, bytes: u32) -> String {
    format!("{times}|{to}|all is well|{bytes}")
}

/// A refusal is on record, and nothing else of the mail is.
fn refused(attempt: &Attempt) -> Result<(), String> {
    let records: Vec<_> = attempt.reports.iter().flat_map(|report| &report.records).collect();
    match records.iter().filter(|record| record.operation == "mail" && !record.allowed).count() {
        1 => Ok(()),
        times => Err(format!("{times} refusals are on record: {records:?}")),
    }
}

/// All of them.
pub fn cases() -> Vec<Case> {
    let to_ada = |terms: &mut Terms| {
        terms.config.insert("argument".into(), flood(1, "ada@example.com", 10));
    };
    let sent = |times: u32| Ending::Says(format!("{times} sent"));
    let stranger = |name: &str, to: &str| {
        intruder(name, "nothing-by-default/mail", &flood(1, to, 10), Ending::Refuses("asked for mail to"))
            .and(refused)
            .raised(to_ada, sent(1))
    };
    let subject = |name: &str, subject: &str| {
        let argument = format!("1|ada@example.com|{subject}|10");
        intruder(name, "mail/headers", &argument, Ending::Refuses("one line that is not empty"))
            .and(refused)
            .raised(to_ada, sent(1))
    };
    vec![
        stranger("mail to somebody who was not granted", "eve@evil.example"),
        stranger("mail to a domain below one that was granted", "eve@a.ops.example"),
        stranger("mail to a domain that only ends like a granted one", "eve@notops.example"),
        stranger("mail to a granted address and a stranger", "ada@example.com;eve@evil.example"),
        stranger("two recipients in one address", "ada@example.com, eve@evil.example"),
        stranger("a recipient that carries a header", "ada@example.com%0D%0ABcc: eve@evil.example"),
        stranger("a recipient that carries a command", "ada@example.com>%0D%0ARCPT TO:<eve@evil.example"),
        stranger("a recipient with a route", "@evil.example:ada@example.com"),
        stranger("a quoted recipient", "%22eve@evil.example%22@ops.example"),
        stranger("mail to nobody", ""),
        subject("a subject that carries a header", "hello%0D%0ABcc: eve@evil.example"),
        subject("a subject with a line feed alone", "hello%0ABcc: eve@evil.example"),
        subject("a subject with a carriage return alone", "hello%0DBcc: eve@evil.example"),
        subject("a subject with a NUL", "hello%00"),
        subject("an empty subject", ""),
        intruder(
            "a subject that is too long",
            "mail/headers",
            &format!("1|ada@example.com|{}|10", "x".repeat(600)),
            Ending::Refuses("at most 512 bytes"),
        )
        .and(refused)
        .raised(to_ada, sent(1)),
        intruder("a flood of mail", "limits/mails", &flood(15, "ada@example.com", 10), Ending::Over(Limit::Mails))
            .held(|terms| terms.limits().mails = 5)
            .raised(|_| {}, sent(15)),
        intruder(
            "one mail to many",
            "limits/mails",
            &flood(1, "a@ops.example;b@ops.example;c@ops.example", 10),
            Ending::Over(Limit::Mails),
        )
        .held(|terms| terms.limits().mails = 2)
        .raised(|_| {}, sent(1)),
        intruder(
            "huge mail",
            "limits/mail-bytes",
            &flood(1, "ada@example.com", 100_000),
            Ending::Over(Limit::MailBytes),
        )
        .held(|terms| terms.limits().mail_bytes = Bytes(10_000))
        .raised(|_| {}, sent(1)),
        intruder(
            "mail through a server that never answers",
            "limits/wall-time",
            &flood(1, "ada@example.com", 10),
            Ending::Over(Limit::WallTime),
        )
        .held(|terms| {
            terms.limits().wall_time = Span(Duration::from_millis(300));
            terms.mail = Some(Arc::new(Server { silent: true, ..Server::default() }));
        })
        .and(|attempt| {
            let mut records = attempt.reports.iter().flat_map(|report| &report.records);
            let cut = |reason: &str| reason.starts_with("cut off");
            match records.any(|record| record.operation == "mail" && record.reason.as_deref().is_some_and(cut)) {
                true => Ok(()),
                false => Err("it is not on record as cut off".to_owned()),
            }
        })
        .raised(|terms| terms.mail = Some(Arc::new(Server::default())), sent(1)),
    ]
}
