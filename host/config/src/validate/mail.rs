//! The operator's mail: whether its parts fit each other.

use std::time::Duration;

use super::Found;
use crate::{Config, MailSecurity, place::Part};

pub fn problems(config: &Config, found: &mut Found) {
    let Some(mail) = &config.mail else { return };
    if mail.security == MailSecurity::None && !mail.server.is_this_machine() {
        let message = format!(
            "all on the way to {} could read the mail and the password; use `tls` or `starttls`, `none` is for a server on this machine",
            mail.server.host
        );
        found.add(at!["mail", "security"], message);
    }
    if mail.from_name.contains(char::is_control) {
        found.add(at!["mail", "from-name"], "it holds control characters; write one line");
    }
    match (&mail.user, &mail.password) {
        (Some(_), None) => {
            let message =
                "`user` has no password; say where it comes from, such as `password = { env = \"SMTP_PASSWORD\" }`";
            found.add(at!["mail", "user"], message);
        }
        (None, Some(_)) => found.add(at!["mail", "password"], "whose password is it? Write `user`, too, or remove it"),
        _ => {}
    }
    if mail.user.as_ref().is_some_and(|user| user.trim().is_empty() || user.contains(char::is_control)) {
        found.add(at!["mail", "user"], "it is empty or holds control characters; write as whom the host logs in");
    }
    if let Some(binding) = &mail.password {
        match binding.source("mail", "password") {
            Err(error) => found.add(at!["mail", "password"], error.fault()),
            Ok(_) if binding.google_service_account.is_some() => {
                let message = "a Google service account has no password; use `env`, `file` or `command`";
                found.add(at!["mail", "password"], message);
            }
            Ok(_) if !binding.origins.is_empty() => {
                let message =
                    "`origins` are for credentials of requests; this one goes to the mail server alone; remove them";
                found.add(at!["mail", "password", "origins"], message);
            }
            Ok(_) => {}
        }
    }
    let (least, most) = (Duration::from_secs(1), Duration::from_secs(600));
    if mail.timeout.0 < least || mail.timeout.0 > most {
        found.add(at!["mail", "timeout"], format!("{} is out of range; give from 1s to 10m", mail.timeout));
    }
}
