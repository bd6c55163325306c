//! What tells faults apart.

use autodevops_sdk::types::{Severity, StackFrame};
use serde::{Deserialize, Serialize};

use crate::{
    event::Event,
    path,
    template::{fingerprint, template},
};

/// Frames of the project's own code that tell faults apart.
const TELLING_FRAMES: usize = 3;

/// What records without a stack have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Template {
    /// Exceptions of this type, or records of this severity.
    pub of: String,
    /// What stays the same of their messages.
    pub text: String,
}

impl Template {
    /// The fingerprint of the faults that it stands for.
    pub fn fingerprint(&self) -> String {
        fingerprint(&[&self.of, &self.text])
    }
}

/// What tells records without a stack apart: the exception's type, or the status, or the severity; and the template.
pub fn template_of(event: &Event, severity: Severity) -> Option<Template> {
    if !event.stack.is_empty() {
        return None;
    }
    let (of, text) = match (&event.exception, event.status) {
        (_, Some(status)) => (format!("status {status}"), template(&event.content)),
        (Some((kind, message)), None) if !message.is_empty() => (format!("exception {kind}"), template(message)),
        _ => {
            let severity = match severity {
                Severity::Info => "info",
                Severity::Warning => "warning",
                Severity::Error => "error",
                Severity::Critical => "critical",
            };
            (format!("record {severity}"), template(&event.content))
        }
    };
    Some(Template { of, text })
}

/// What tells traces apart: the exception's type, its message's template and the first own frames.
pub fn key(event: &Event, root: &str) -> String {
    let (kind, message) =
        event.exception.as_ref().map_or(("", event.content.as_str()), |(kind, message)| (kind, message));
    let message = template(message);
    let own: Vec<&StackFrame> = event.stack.iter().filter(|frame| frame.own_code).take(TELLING_FRAMES).collect();
    let frames = if own.is_empty() { event.stack.iter().take(TELLING_FRAMES).collect() } else { own };
    let frames: Vec<String> = frames
        .into_iter()
        .map(|frame| {
            let file = path::relative(&frame.file, root).unwrap_or_else(|| frame.file.clone());
            format!("{}@{file}", frame.function.as_deref().unwrap_or("-"))
        })
        .collect();
    let mut parts = vec!["trace", kind, &message];
    parts.extend(frames.iter().map(String::as_str));
    fingerprint(&parts)
}
