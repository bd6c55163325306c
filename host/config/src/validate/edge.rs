//! The front door's limits, and how it tells who asks.

use autodevops_policy::Bytes;

use super::{Found, Part};
use crate::Config;

/// Headers that mean something on their way, so that they name no client and no tester.
const RESERVED: [&str; 9] =
    ["connection", "content-length", "cookie", "expect", "host", "te", "trailer", "transfer-encoding", "upgrade"];

pub fn problems(config: &Config, found: &mut Found) {
    let edge = &config.edge;
    let (least, most) = (Bytes(8 << 10), Bytes(1 << 20));
    if edge.max_header < least || edge.max_header > most {
        let message = format!("{} is out of range; give from {least} to {most}", edge.max_header);
        found.add(at!["edge", "max-header"], message);
    }
    let most = Bytes(1 << 20);
    if edge.min_upload > most {
        let message = format!("{} a second is faster than many clients are; give at most {most}", edge.min_upload);
        found.add(at!["edge", "min-upload"], message);
    }
    if let Some(name) = &edge.client_header {
        header(name, &at!["edge", "client-header"], found);
    }
    let Some(testers) = &edge.testers else { return };
    if testers.header.is_none() && testers.cookie.is_none() {
        let message = "nothing says who is a tester; write `header = \"x-preview\"` or `cookie = \"preview\"`";
        found.add(at!["edge", "testers"], message);
    }
    if let Some(name) = &testers.header {
        header(name, &at!["edge", "testers", "header"], found);
        if edge.client_header.as_ref().is_some_and(|other| other.eq_ignore_ascii_case(name)) {
            let message = format!("`{name}` names the client already; use another header for testers");
            found.add(at!["edge", "testers", "header"], message);
        }
    }
    if let Some(name) = &testers.cookie
        && (!is_token(name) || name == "autodevops-client")
    {
        let message = format!("{name:?} is no name of a cookie of yours; write for example \"preview\"");
        found.add(at!["edge", "testers", "cookie"], message);
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
    if testers.value.len() < 8 || !testers.value.chars().all(is_plain) {
        let message = "the value is too short to be known by testers only, or has other characters; use at least 8 letters, digits \
                       or -._~";
        found.add(at!["edge", "testers", "value"], message);
    }
}

fn header(name: &str, at: &[Part], found: &mut Found) {
    if !is_token(name) {
        found.add(at.iter().cloned(), format!("{name:?} is no name of a header; write for example \"x-user\""));
    } else if RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(name)) {
        found.add(at.iter().cloned(), format!("the header `{name}` means something else; use one of your own"));
    }
}

/// A token of RFC 9110, section 5.6.2.
fn is_token(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c))
}
