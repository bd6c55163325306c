//! Does one thing that its configuration names, by the host's own functions, and says what the host answered.

mod command;
mod files;
mod http;
mod keyvalue;
mod mail;

use autodevops_sdk::{
    Check, Error, Result,
    types::{CheckInput, Outcome, Report},
};

mod bindings {
    wit_bindgen::generate!({
        inline: "
            package autodevops:intruder;
            world intruder {
                import autodevops:host/command@0.1.0;
                import wasi:filesystem/preopens@0.2.12;
                import wasi:http/outgoing-handler@0.2.12;
                import wasi:keyvalue/store@0.2.0-draft;
                import autodevops:host/mail@0.1.0;
            }
        ",
        path: "../../../wit",
        generate_all,
    });
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    act: String,
    #[serde(default)]
    argument: String,
}

/// The parts of an argument.
struct Parts<'a>(Vec<&'a str>);

impl Parts<'_> {
    fn text(&self, index: usize) -> &str {
        self.0.get(index).copied().unwrap_or_default()
    }

    fn number(&self, index: usize) -> u64 {
        self.text(index).parse().unwrap_or_default()
    }
}

/// What the host answered, in words: what came, or its error.
type Answer = std::result::Result<String, String>;

/// The host's error.
fn no(error: impl std::fmt::Debug) -> String {
    format!("no: {error:?}")
}

struct Intruder;

impl Check for Intruder {
    fn run(_: CheckInput) -> Result<Report> {
        let Settings { act, argument } = autodevops_sdk::config()?;
        // `\0` and line ends cannot stand in the configuration of every host.
        let argument = argument.replace("%00", "\0").replace("%0D", "\r").replace("%0A", "\n").replace("%22", "\"");
        let parts = Parts(argument.split('|').collect());
        let (family, act) = act.split_once(' ').unwrap_or_default();
        let answer = match family {
            "command" => command::act(act, &parts),
            "files" => files::act(act, &parts),
            "http" => http::act(act, &parts),
            "mail" => mail::act(act, &parts),
            "keyvalue" => keyvalue::act(act, &parts),
            _ => None,
        };
        match answer {
            // A refusal is an error, as plugins make one of it: the host adds what it held the call back for.
            Some(answer) => Ok(Report::new(Outcome::Passed, answer.map_err(Error::failure)?)),
            None => Err(Error::wrong_input(format!("the intruder cannot {family} {act}"))),
        }
    }
}

autodevops_sdk::export!(check: Intruder);
