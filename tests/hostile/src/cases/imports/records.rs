//! As what the host's functions stand on record, and what it takes to be granted them.

use autodevops_sandbox::Record;

use crate::case::Attempt;

/// An operation's name and what stands beside it in the record.
pub type Shown = (&'static str, String);

/// What a function asks for, in the order in which it asks. Every function that is not named here works on what was acquired
/// before: it is on record by its own name.
pub fn of(interface: &str, function: &str) -> Vec<Shown> {
    let one = |operation: &'static str, summary: &str| vec![(operation, summary.to_owned())];
    let (read, write) = (("open", String::new()), ("open", " (write)".to_owned()));
    match (interface, function) {
        (_, dropped) if dropped.starts_with("[resource-drop]") => used(interface, function),
        ("wasi:cli/environment", _) => one("environment", ""),
        ("wasi:cli/exit", _) => one("exit", ""),
        ("wasi:cli/stdin", _) => one("stdio", "stdin"),
        ("wasi:cli/stdout", _) => one("stdio", "stdout"),
        ("wasi:cli/stderr", _) => one("stdio", "stderr"),
        ("wasi:cli/terminal-stdin" | "wasi:cli/terminal-stdout" | "wasi:cli/terminal-stderr", _) => {
            one("stdio", "terminal")
        }
        ("wasi:clocks/wall-clock" | "wasi:clocks/monotonic-clock", _) => one("clock", ""),
        ("wasi:random/random" | "wasi:random/insecure" | "wasi:random/insecure-seed", _) => one("random", ""),
        ("wasi:config/store", _) => one("config", ""),
        ("wasi:keyvalue/store", _) => one("keyvalue", ""),
        ("wasi:filesystem/preopens", _) => one("preopens", ""),
        ("wasi:filesystem/types", "[method]descriptor.link-at") => vec![read, write],
        (
            "wasi:filesystem/types",
            "[method]descriptor.open-at"
            | "[method]descriptor.stat-at"
            | "[method]descriptor.readlink-at"
            | "[method]descriptor.metadata-hash-at",
        ) => vec![read],
        (
            "wasi:filesystem/types",
            "[method]descriptor.set-times-at"
            | "[method]descriptor.remove-directory-at"
            | "[method]descriptor.unlink-file-at"
            | "[method]descriptor.create-directory-at"
            | "[method]descriptor.symlink-at"
            | "[method]descriptor.rename-at",
        ) => vec![write],
        ("wasi:http/outgoing-handler", "handle") => {
            used(interface, function).into_iter().chain(one("http", "GET http://")).collect()
        }
        ("wasi:sockets/instance-network", _) => one("socket", "network"),
        ("wasi:sockets/tcp-create-socket", _) => one("socket", "TCP socket"),
        ("wasi:sockets/udp-create-socket", _) => one("socket", "UDP socket"),
        ("wasi:sockets/ip-name-lookup", "resolve-addresses") => one("socket", "look-up of a name"),
        ("autodevops:host/log", _) => one("log", ""),
        ("autodevops:host/usage", _) => one("usage", ""),
        ("autodevops:host/mail", _) => one("mail", super::RECIPIENT),
        ("autodevops:host/traffic", name) => one("local-target", &format!("traffic.{name}")),
        ("autodevops:host/command", _) => one("command", ""),
        ("autodevops:host/runtime", name) => one("local-target", &format!("runtime.{name}")),
        _ => used(interface, function),
    }
}

fn used(interface: &str, function: &str) -> Vec<Shown> {
    vec![("use", format!("{interface} {function}"))]
}

/// These operations stand on record as denied, once each and in this order, and no other does; and those as allowed.
///
/// # Errors
/// What stands there instead.
pub fn are(attempt: &Attempt, denied: &[Shown], allowed: &[Shown]) -> Result<(), String> {
    let records: Vec<_> = attempt.reports.iter().flat_map(|report| &report.records).collect();
    let found: Vec<_> = records.iter().filter(|record| !record.allowed).collect();
    let denied_so = found.len() == denied.len()
        && found.iter().zip(denied).all(|(record, shown)| is_of(record, shown) && record.count == 1);
    if !denied_so {
        return Err(format!("{denied:?} was to be denied; denied is {found:?}"));
    }
    allowed.iter().try_for_each(|shown| {
        let found = records.iter().any(|record| record.allowed && is_of(record, shown));
        if found { Ok(()) } else { Err(format!("{shown:?} was to be allowed, but: {records:?}")) }
    })
}

/// Whether a record is of this operation. A request's says after its URL what came of it, the local target's after its function what it was for.
fn is_of(record: &Record, (operation, summary): &Shown) -> bool {
    let is_shown = if matches!(*operation, "http" | "local-target") {
        record.summary.starts_with(summary)
    } else {
        record.summary == *summary
    };
    record.operation == *operation && is_shown
}
