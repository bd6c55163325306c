//! The local target, as the sandbox offers it to a deploy target that was granted it. Implemented above this room.

use autodevops_model::{Release, Split, StageError};

/// What serves an environment of the local target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrafficState {
    /// Shares, highest first.
    pub splits: Vec<Split>,
    /// The highest fence seen.
    pub fence: u64,
    /// The release whose share was 100 % last.
    pub stable: Option<Release>,
}

/// The front door and the processes of the local target; see `autodevops:host/{traffic,runtime}` for what each does.
#[async_trait::async_trait]
pub trait LocalTarget: Send + Sync {
    /// Sets the shares of traffic.
    async fn set_traffic(&self, environment: &str, key: &str, fence: u64, splits: Vec<Split>)
    -> Result<(), StageError>;

    /// What serves the environment; none when nothing was ever deployed.
    async fn traffic(&self, environment: &str) -> Result<Option<TrafficState>, StageError>;

    /// Starts a release and waits until it is ready.
    async fn start(&self, environment: &str, key: &str, fence: u64, release: Release) -> Result<(), StageError>;

    /// The release that the key started.
    async fn find(&self, environment: &str, key: &str) -> Result<Option<Release>, StageError>;

    /// Drains a release and stops it.
    async fn stop(&self, environment: &str, key: &str, fence: u64, release: &str) -> Result<(), StageError>;

    /// The address of one release.
    async fn url(&self, environment: &str, release: &str) -> Result<String, StageError>;
}
