//! The operator's settings.

use serde::Deserialize;
use telling::Least;

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

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn settings(shape: Shape) -> Settings {
        let url = "https://hooks.example.com/x".into();
        Settings { url, shape, template: String::new(), min_severity: Least::Info, timeout_seconds: 10 }
    }
}
