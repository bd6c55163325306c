//! Mail, to whomever.

use crate::{Answer, Parts, bindings::autodevops::host::mail, no};

/// Does it, where it is known: so many times, to whom (`;` between them), the subject, how many bytes of text.
pub fn act(act: &str, parts: &Parts<'_>) -> Option<Answer> {
    if act != "send" {
        return None;
    }
    let to: Vec<String> = parts.text(1).split(';').filter(|to| !to.is_empty()).map(str::to_owned).collect();
    let text = "x".repeat(usize::try_from(parts.number(3)).unwrap_or_default());
    for index in 0..parts.number(0) {
        let (key, subject) = (index.to_string(), parts.text(2).to_owned());
        let message = mail::Message { key, to: to.clone(), subject, text: text.clone(), html: None };
        if let Err(error) = mail::send(&message) {
            return Some(Err(no(error)));
        }
    }
    Some(Ok(format!("{} sent", parts.number(0))))
}
