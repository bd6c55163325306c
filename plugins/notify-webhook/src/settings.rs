//! The operator's settings.

use autodevops_sdk::types::{Event, Severity};
use serde::Deserialize;

/// The plugin's configuration; what each key means is in its manifest.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Settings {
    /// Address of the webhook.
    pub url: String,
    /// What it expects.
    pub shape: Shape,
    /// For [`Shape::Template`].
    pub template: String,
    /// What matters less is not told.
    pub min_severity: Least,
    /// Longest wait, in seconds.
    pub timeout_seconds: u32,
}

/// What a webhook expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// Slack's incoming webhooks: blocks.
    Slack,
    /// Discord's: an embed.
    Discord,
    /// Teams' workflows: an adaptive card.
    Teams,
    /// The event as it is.
    Json,
    /// The operator's own.
    Template,
}

/// The least severity, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Least {
    /// Everything.
    Info,
    /// What is off.
    Warning,
    /// What fails.
    Error,
    /// The worst.
    Critical,
}

impl Settings {
    /// Whether the event is told.
    pub fn tells(&self, event: &Event) -> bool {
        let severity = match event.severity {
            Severity::Info => Least::Info,
            Severity::Warning => Least::Warning,
            Severity::Error => Least::Error,
            Severity::Critical => Least::Critical,
        };
        severity >= self.min_severity || asks(event)
    }
}

/// Whether someone is to answer.
pub fn asks(event: &Event) -> bool {
    event.links.iter().any(|(name, _)| matches!(name.as_str(), "approve" | "reject" | "acknowledge"))
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn settings(shape: Shape) -> Settings {
        let url = "https://hooks.example.com/x".into();
        Settings { url, shape, template: String::new(), min_severity: Least::Info, timeout_seconds: 10 }
    }

    pub fn event() -> Event {
        Event {
            run: "62e23fd1-1".into(),
            stage: "approval".into(),
            severity: Severity::Warning,
            title: "shop: approval asked: TypeError <b> & \"co\"".into(),
            body: "production requires approval @everyone\nAnswer with `autodevops approve 62e23fd1-1`.".into(),
            links: vec![
                ("staging".into(), "http://127.0.0.1:8081/".into()),
                ("approve".into(), "https://ops.example.com/answer/a.b".into()),
                ("reject".into(), "https://ops.example.com/answer/c.d".into()),
            ],
            at: 1_700_000_000_000_000_000,
        }
    }

    #[test]
    fn what_matters_less_is_not_told_unless_it_asks() {
        let settings = Settings { min_severity: Least::Error, ..settings(Shape::Slack) };
        assert!(settings.tells(&event()));
        let silent = Event { links: Vec::new(), ..event() };
        assert!(!settings.tells(&silent));
        assert!(settings.tells(&Event { severity: Severity::Critical, ..silent }));
    }
}
