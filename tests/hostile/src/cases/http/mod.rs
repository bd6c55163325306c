//! Requests: to where none may go, with what none may hold, more and longer than one call may send and receive.

mod answers;
mod floods;
mod names;
mod origins;
mod smuggling;
mod times;

use crate::{
    case::{Attempt, Case, Ending, Terms},
    server,
};

/// All of them.
pub fn cases() -> Vec<Case> {
    [origins::cases(), smuggling::cases(), names::cases(), floods::cases(), times::cases(), answers::cases()]
        .into_iter()
        .flatten()
        .collect()
}

fn intruder(name: impl Into<String>, promise: &'static str, act: &str, argument: &str, fails: Ending) -> Case {
    let (act, argument) = (format!("http {act}"), argument.replace("HERE", &server::address().to_string()));
    Case::new(name, promise, "intruder", fails).given(move |terms| {
        terms.config.insert("act".into(), act.clone());
        terms.config.insert("argument".into(), argument.clone());
    })
}

/// Grants the server's origin.
fn granted(terms: &mut Terms) {
    terms.grant_origin(&server::origin());
}

/// Asks for something else.
fn asking(argument: &str) -> impl Fn(&mut Terms) + Send + Sync + 'static {
    let argument = argument.replace("HERE", &server::address().to_string());
    move |terms| {
        terms.config.insert("argument".into(), argument.clone());
    }
}

/// What the server answers to `/ok`.
fn hello() -> Ending {
    Ending::Says("200 hello".into())
}

/// No request with this in its first line came to the server.
fn never_asked(part: &'static str) -> impl Fn(&Attempt) -> Result<(), String> + Send + Sync + 'static {
    move |_| match server::asked(part).first() {
        None => Ok(()),
        Some(head) => Err(format!("a request came to the server: {head}")),
    }
}
