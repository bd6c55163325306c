//! Records for people: by stage and plugin, or one by one.

use std::collections::BTreeMap;

use autodevops_journal::audit::Sealed;
use autodevops_policy::Bytes;

use super::{Sum, records::Record};
use crate::{
    output::{Style, cut},
    progress::clock,
};

/// Longest line of a record.
const COLUMNS: usize = 400;

/// A run's line among all of them.
pub fn line(style: Style, run: &str, sum: &Sum) -> String {
    let denied = format!("{} denied", sum.denied);
    let denied = if sum.denied > 0 { style.bad(&denied) } else { denied };
    let time = style.dim(&day(sum.first_at_ns));
    let (calls, operations, decisions) = (sum.calls, sum.operations, sum.decisions);
    format!("{:<14} {time} {calls} calls, {operations} operations, {denied}, {decisions} decisions\n", cut(run, 60))
}

/// What stands above a run's records.
pub fn heading(style: Style, run: &str, seals: &[Sealed]) -> String {
    let mut sum = Sum::default();
    seals.iter().for_each(|sealed| sum.add(sealed));
    style.bold("run ") + &line(style, run, &sum)
}

/// A seal's records: what each plugin did, and what was decided.
pub fn stage(style: Style, sealed: &Sealed, records: &[Record]) -> String {
    if records.is_empty() {
        return String::new();
    }
    let title = style.bold(&cut(&sealed.seal.stage, 60));
    let mut text =
        format!("\n{title} {}\n", style.dim(&format!("sealed {} as {}", day(sealed.seal.at_ns), sealed.sequence)));
    let mut plugins: Vec<Doing<'_>> = Vec::new();
    for record in records.iter().filter(|record| record.plugin.is_some()) {
        match plugins.iter_mut().find(|doing| doing.is_of(record)) {
            Some(doing) => doing.records.push(record),
            None => plugins.push(Doing { records: vec![record] }),
        }
    }
    plugins.iter().for_each(|doing| text.push_str(&doing.told(style)));
    for record in records.iter().filter(|record| record.decision.is_some() || record.kind == "note") {
        if record.plugin.is_none() {
            text.push_str(&format!("  {} {}\n", style.dim(&at(record.at_ns)), decided(record)));
        }
    }
    text
}

/// What one function of one plugin did.
struct Doing<'a> {
    records: Vec<&'a Record>,
}

impl Doing<'_> {
    fn is_of(&self, record: &Record) -> bool {
        self.records.first().is_some_and(|first| {
            first.plugin == record.plugin && first.digest == record.digest && first.function == record.function
        })
    }

    fn told(&self, style: Style) -> String {
        let Some(first) = self.records.first() else { return String::new() };
        let calls = || self.records.iter().filter(|record| record.kind == "call");
        let sum = |of: fn(&Record) -> Option<u64>| calls().filter_map(|record| of(record)).sum::<u64>();
        let number: u64 = calls().map(|record| record.count).sum();
        let (took, guest) = (sum(|record| record.duration_ns), sum(|record| record.guest_ns));
        let digest: String = first.digest.as_deref().unwrap_or_default().chars().take("blake3:".len() + 12).collect();
        let bytes = Bytes(sum(|record| record.bytes));
        let called_so = match number {
            0 => "goes on with the call before".to_owned(),
            _ => format!("{} in {} ({} its own), {bytes}", times(number, "call"), time(took), time(guest)),
        };
        let mut text = format!("  {} {} {called_so}\n", cut(&called(first), 100), style.dim(&cut(&digest, 40)));
        let touched = self.touched();
        if !touched.is_empty() {
            text.push_str(&format!("    {}\n", cut(&touched, COLUMNS)));
        }
        for denied in self.records.iter().filter(|record| record.denied()) {
            let line = cut(&about(denied), COLUMNS);
            text.push_str(&format!("    {} {line}{}\n", style.bad("denied"), often(denied.count)));
        }
        for failed in calls().filter(|record| record.decision.as_deref() == Some("failed")) {
            text.push_str(&format!("    {} {}\n", style.bad("failed"), cut(&failed.summary, COLUMNS)));
        }
        text
    }

    /// What was allowed, in numbers: files, origins, and all else by name.
    fn touched(&self) -> String {
        let (mut read, mut written) = (0, 0);
        let mut origins: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        let mut others: BTreeMap<String, u64> = BTreeMap::new();
        let mut further = 0;
        for record in &self.records {
            further += record.further.unwrap_or(0);
            if record.kind != "operation" || record.denied() {
                continue;
            }
            match record.operation.as_str() {
                "open" if record.summary.ends_with("(write)") => written += record.count,
                "open" => read += record.count,
                "http" => {
                    let (requests, bytes) = origins.entry(origin(&record.summary)).or_default();
                    *requests += record.count;
                    *bytes += record.bytes.unwrap_or(0);
                }
                "use" => *others.entry("host calls on what was acquired".to_owned()).or_default() += record.count,
                "local-target" | "keyvalue" => {
                    *others.entry(format!("{} {}", record.operation, record.summary)).or_default() += record.count;
                }
                name => *others.entry(name.to_owned()).or_default() += record.count,
            }
        }
        let mut parts = Vec::new();
        for (number, what) in [(read, "read"), (written, "written")] {
            if number > 0 {
                parts.push(format!("{} {what}", times(number, "file")));
            }
        }
        parts.extend(origins.iter().map(|(origin, (requests, bytes))| {
            format!("{} to {origin} ({})", times(*requests, "request"), Bytes(*bytes))
        }));
        parts.extend(others.iter().map(|(name, number)| format!("{name}{}", often(*number))));
        if further > 0 {
            parts.push(format!("{further} further operations, which were counted only"));
        }
        parts.join(", ")
    }
}

/// The part of `METHOD URL` that names the server.
fn origin(summary: &str) -> &str {
    let url = summary.split_once(' ').map_or(summary, |(_, url)| url);
    let host = url.find("://").map_or(0, |at| at + 3);
    let end = url.get(host..).and_then(|rest| rest.find('/')).map_or(url.len(), |at| host + at);
    url.get(..end).unwrap_or(url)
}

/// Every record, a line each.
pub fn each(style: Style, records: &[Record]) -> String {
    records.iter().map(|record| one(style, record, "")).collect()
}

/// Every record of several runs.
pub fn each_of_all(style: Style, records: &[Record]) -> String {
    records.iter().map(|record| one(style, record, &format!("{} ", cut(&record.run, 60)))).collect()
}

fn one(style: Style, record: &Record, run: &str) -> String {
    let time = style.dim(&at(record.at_ns));
    let stage = style.dim(&cut(&record.stage, 30));
    let bad = record.denied() || record.decision.as_deref() == Some("failed");
    let told = if record.plugin.is_none() {
        decided(record)
    } else {
        let decision = record.decision.as_deref().unwrap_or_default();
        let decision = if bad { style.bad(decision) } else { decision.to_owned() };
        format!("{} {decision} {}{}", cut(&called(record), 100), cut(&about(record), COLUMNS), often(record.count))
    };
    let cost = match (record.duration_ns, record.bytes) {
        (Some(took), Some(bytes)) => style.dim(&format!(" {}, {}", self::time(took), Bytes(bytes))),
        _ => String::new(),
    };
    format!("{run}{time} {stage} {told}{cost}\n")
}

/// What was asked for, and why it was refused.
fn about(record: &Record) -> String {
    let what = format!("{} {}", record.operation, record.summary);
    let reason = record.reason.as_ref().map_or(String::new(), |reason| format!(": {reason}"));
    format!("{}{reason}", what.trim_end())
}

fn decided(record: &Record) -> String {
    let by = record.by.as_ref().map_or(String::new(), |by| format!(" by {by}"));
    let decision = match record.decision.as_deref() {
        Some(decision) if decision != record.operation => format!(" {decision}"),
        _ => String::new(),
    };
    let summary = if record.summary.is_empty() { String::new() } else { format!(": {}", record.summary) };
    cut(&format!("{}{decision}{by}{summary}", record.operation), COLUMNS)
}

fn called(record: &Record) -> String {
    let plugin = record.plugin.as_deref().unwrap_or_default();
    let function = record.function.as_deref().unwrap_or_default();
    match &record.interface {
        Some(interface) => format!("{plugin} {interface}/{function}"),
        None => format!("{plugin} {function}"),
    }
}

fn times(number: u64, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

fn often(count: u64) -> String {
    if count > 1 { format!(" ×{count}") } else { String::new() }
}

/// A duration with three digits that count.
fn time(nanoseconds: u64) -> String {
    #[allow(clippy::cast_precision_loss, reason = "it is shown with three digits")]
    let value = nanoseconds as f64;
    match nanoseconds {
        0..1_000_000 => format!("{:.0} µs", value / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} ms", value / 1e6),
        _ => format!("{:.1} s", value / 1e9),
    }
}

fn at(nanoseconds: u64) -> String {
    clock(i64::try_from(nanoseconds).unwrap_or(i64::MAX))
}

fn day(nanoseconds: u64) -> String {
    crate::runs::day(autodevops_pipeline::Timestamp(i64::try_from(nanoseconds).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(operation: &str, summary: &str, decision: &str, count: u64) -> Record {
        Record {
            kind: "operation",
            plugin: Some("p".into()),
            operation: operation.into(),
            summary: summary.into(),
            decision: Some(decision.into()),
            bytes: Some(1024),
            count,
            ..Record::default()
        }
    }

    #[test]
    fn what_a_plugin_touched_is_told_in_numbers_and_what_was_denied_in_full() {
        let call = Record {
            kind: "call",
            plugin: Some("p".into()),
            interface: Some("check".into()),
            function: Some("check".into()),
            digest: Some(format!("blake3:{}", "ab".repeat(32))),
            decision: Some("failed".into()),
            summary: "it \x1b[2J trapped".into(),
            duration_ns: Some(2_500_000),
            guest_ns: Some(40_000),
            bytes: Some(2048),
            count: 1,
            ..Record::default()
        };
        let mut records = vec![call];
        records.extend([
            operation("open", "/before/a", "allowed", 2),
            operation("open", "/before/b", "allowed", 1),
            operation("open", "/out/c (write)", "allowed", 1),
            operation("http", "GET https://api.example:8443/v1/x", "allowed", 2),
            operation("http", "POST https://api.example:8443/v1/y", "allowed", 1),
            operation("clock", "", "allowed", 5),
            operation("open", "/etc/\u{1b}[31mpasswd", "denied", 3),
            Record { reason: Some("not granted".into()), ..operation("random", "", "denied", 1) },
        ]);
        let told = Doing { records: records.iter().collect() }.told(Style::stdout());
        assert_eq!(
            told,
            "  p check/check blake3:abababababab 1 call in 2.5 ms (40 µs its own), 2 KiB\n    3 files read, 1 file written, \
             3 requests to https://api.example:8443 (2 KiB), clock ×5\n    denied open /etc/ [31mpasswd ×3\n    denied random: not granted\n    \
             failed it  [2J \
             trapped\n"
        );
    }

    #[test]
    fn a_persons_decision_names_the_person() {
        let record = Record {
            kind: "event",
            operation: "approval".into(),
            decision: Some("approved".into()),
            by: Some("ada".into()),
            summary: "looks good".into(),
            ..Record::default()
        };
        assert_eq!(decided(&record), "approval approved by ada: looks good");
    }
}
