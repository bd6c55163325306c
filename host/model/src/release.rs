//! What is deployed, and what serves.

use serde::{Deserialize, Serialize};

/// A release: one artifact, built from one commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Release {
    /// Name of the release, unique in its environment; at most 64 of `a-z`, `0-9`, `-`.
    pub id: String,
    /// Digest of the artifact: `sha256:` and 64 hex digits.
    pub artifact: String,
    /// The commit that the artifact was built from, as 40 or 64 hex digits.
    pub commit: String,
}

/// A release's share of the traffic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Split {
    /// The release.
    pub release: String,
    /// Its share, in per cent; shares add up to 100.
    pub percent: u8,
}

/// What the target can do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Capabilities {
    /// Shares of traffic between releases.
    pub split_traffic: bool,
    /// A release can be reached at an address of its own before it has traffic.
    pub preview: bool,
    /// Going back takes seconds, not a new deploy.
    pub instant_rollback: bool,
    /// Fences are held by the target itself.
    pub fenced: bool,
    /// State such as databases survives a change of release.
    pub keeps_state: bool,
    /// More than two releases share the traffic, and two of them may be of one artifact: what serves can be started anew beside itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fresh_baseline: bool,
}

/// What serves an environment now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LiveState {
    /// Shares, highest first; releases without traffic are left out.
    pub splits: Vec<Split>,
    /// The release whose share was 100 % last.
    pub stable: Option<Release>,
}

/// A release that was deployed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Deployment {
    /// The release.
    pub release: Release,
    /// Address at which it alone answers, where the target has previews.
    pub url: Option<String>,
}
