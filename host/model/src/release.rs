//! What is deployed, and what serves.

use std::fmt;

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

/// Shares in words, as they stand: `r1 95 %, r2 5 %`; `nothing`, where there are none.
#[derive(Clone, Copy, Debug)]
pub struct Shares<'a>(pub &'a [Split]);

impl fmt::Display for Shares<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("nothing");
        }
        for (n, Split { release, percent }) in self.0.iter().enumerate() {
            let comma = if n == 0 { "" } else { ", " };
            write!(f, "{comma}{release} {percent} %")?;
        }
        Ok(())
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_told_in_their_order() {
        let split = |release: &str, percent| Split { release: release.into(), percent };
        assert_eq!(Shares(&[split("r1", 95), split("r2", 5)]).to_string(), "r1 95 %, r2 5 %");
        assert_eq!(Shares(&[]).to_string(), "nothing");
    }
}
