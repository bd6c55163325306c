//! Records one by one, each with all that belongs to it.

use autodevops_journal::audit::{Call, Entry, Sealed};
use serde::Serialize;

/// One record. What does not apply to its kind is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Record {
    /// The seal that holds it.
    pub seal: u64,
    pub run: String,
    /// The run's stage.
    pub stage: String,
    /// `call`, `operation`, `event` or `note`.
    pub kind: &'static str,
    /// In nanoseconds since 1970.
    pub at_ns: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plugin: Option<String>,
    /// Of the plugin's component.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The stage that the plugin was called as.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// The operation, the event or the note, by name; `call` for a call.
    pub operation: String,
    pub summary: String,
    /// `allowed` or `denied`, `succeeded` or `failed`, or what was decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<String>,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The person who decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ns: Option<u64>,
    /// The plugin's own time in a call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guest_ns: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    pub count: u64,
    /// Operations of a call that were counted only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub further: Option<u64>,
    /// What a call used of its limits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used: Option<std::collections::BTreeMap<std::borrow::Cow<'static, str>, u64>>,
    /// The event's place in the journal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_sequence: Option<u64>,
    /// The event's digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_digest: Option<String>,
}

impl Record {
    /// The records of a seal.
    pub fn of(sealed: &Sealed) -> Vec<Self> {
        let (run, stage) = (sealed.seal.run.clone(), sealed.seal.stage.clone());
        let base = Self { seal: sealed.sequence, run, stage, count: 1, ..Self::default() };
        let mut records = Vec::new();
        for entry in &sealed.seal.entries {
            match entry {
                Entry::Call(call) => call_records(&base, call, &mut records),
                Entry::Event(event) => records.push(Self {
                    kind: "event",
                    at_ns: event.at_ns,
                    operation: event.event.clone(),
                    summary: event.summary.clone(),
                    decision: event.decision.clone(),
                    by: event.by.clone(),
                    event_sequence: Some(event.sequence),
                    event_digest: Some(event.digest.clone()),
                    ..base.clone()
                }),
                Entry::Note(note) => records.push(Self {
                    kind: "note",
                    at_ns: note.at_ns,
                    operation: note.what.clone(),
                    summary: note.summary.clone(),
                    by: note.by.clone(),
                    ..base.clone()
                }),
            }
        }
        records
    }

    /// Whether it was refused.
    pub fn denied(&self) -> bool {
        self.kind == "operation" && self.decision.as_deref() == Some("denied")
    }
}

fn call_records(base: &Record, call: &Call, records: &mut Vec<Record>) {
    let base = Record {
        plugin: Some(call.plugin.clone()),
        digest: Some(call.digest.clone()),
        interface: call.interface.as_deref().map(str::to_owned),
        function: Some(call.function.to_string()),
        ..base.clone()
    };
    let decision = if call.failure.is_some() { "failed" } else { "succeeded" };
    // What goes on with the call before it is no call of its own.
    let own = (call.calls > 0).then(|| Record {
        kind: "call",
        at_ns: call.at_ns,
        operation: "call".to_owned(),
        summary: call.failure.clone().unwrap_or_default(),
        decision: Some(decision.to_owned()),
        duration_ns: Some(call.wall_ns),
        guest_ns: Some(call.guest_ns),
        bytes: Some(call.operations.iter().map(|done| done.bytes).sum()),
        count: call.calls,
        further: (call.further > 0).then_some(call.further),
        used: Some(call.used.clone()),
        ..base.clone()
    });
    records.extend(own);
    records.extend(call.operations.iter().map(|done| Record {
        kind: "operation",
        at_ns: call.at_ns.saturating_add(done.at_ns),
        operation: done.operation.to_string(),
        summary: done.summary.clone(),
        decision: Some(if done.allowed { "allowed" } else { "denied" }.to_owned()),
        reason: done.reason.clone(),
        duration_ns: Some(done.duration_ns),
        bytes: Some(done.bytes),
        count: done.count,
        ..base.clone()
    }));
}

/// Which records are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only what was refused.
    pub denied: bool,
    /// Only of this stage: of the run, or that the plugin was called as.
    pub stage: Option<String>,
    /// Only of this plugin.
    pub plugin: Option<String>,
}

impl Filter {
    pub fn wants(&self, record: &Record) -> bool {
        let of_stage = |stage: &String| *stage == record.stage || Some(stage) == record.interface.as_ref();
        (!self.denied || record.denied())
            && self.stage.as_ref().is_none_or(of_stage)
            && self.plugin.as_ref().is_none_or(|plugin| Some(plugin) == record.plugin.as_ref())
    }
}
