//! The local target as plugins see it: the front door's client, and what the operator's configuration says a release is.

use std::{collections::BTreeMap, path::PathBuf};

use autodevops_config::{Config, Service, ServiceKind};
use autodevops_edge::{Client, CommandLimits, RunSpec, Start};
use autodevops_model::{ErrorInfo, ErrorKind, Release, Split, StageError};
use autodevops_sandbox::{LocalTarget, TrafficState};
use autodevops_source::Store;

/// How a service's releases are run.
pub fn run_spec(config: &Config, service: &Service) -> RunSpec {
    match service.kind {
        ServiceKind::Files => RunSpec::Files { public: service.public.clone().unwrap_or_else(|| ".".to_owned()) },
        ServiceKind::Functions => RunSpec::Functions {
            public: service.public.clone(),
            entry: service.functions.clone().unwrap_or_else(|| "index.js".to_owned()),
        },
        ServiceKind::Command => RunSpec::Command {
            argv: service.command.clone(),
            env: service.env.clone(),
            read: config.build_of(service).map(|build| build.read_only.clone()).unwrap_or_default(),
            limits: command_limits(service),
        },
    }
}

fn command_limits(service: &Service) -> CommandLimits {
    let usual = CommandLimits::default();
    CommandLimits {
        memory: service.memory.map_or(usual.memory, |memory| memory.0),
        processes: service.processes.map_or(usual.processes, u64::from),
    }
}

/// The front door, offered to the deploy target's plugin.
pub struct EdgeTarget {
    client: Client,
    artifacts: Store,
    /// How releases are run, by the place.
    runs: BTreeMap<String, RunSpec>,
}

impl EdgeTarget {
    /// Releases are taken from `artifacts` and run as the configuration says.
    pub fn new(client: Client, artifacts: Store, config: &Config) -> Self {
        let places = config.places().into_iter();
        let runs = places.map(|place| (place.name.clone(), run_spec(config, place.service))).collect();
        Self { client, artifacts, runs }
    }

    fn root(&self, release: &Release) -> Result<PathBuf, StageError> {
        self.artifacts.get(&release.artifact).map_err(|error| StageError {
            kind: ErrorKind::Failed,
            info: ErrorInfo { message: format!("release {}: {error}", release.id), details: Vec::new() },
        })
    }
}

fn unknown(environment: &str) -> StageError {
    let message =
        format!("there is no environment `{environment}`; the configuration's [environments] and services make those");
    StageError { kind: ErrorKind::InvalidInput, info: ErrorInfo { message, details: Vec::new() } }
}

#[async_trait::async_trait]
impl LocalTarget for EdgeTarget {
    async fn set_traffic(
        &self,
        environment: &str,
        key: &str,
        fence: u64,
        splits: Vec<Split>,
    ) -> Result<(), StageError> {
        self.client.set_traffic(environment, key, fence, splits).await.map(drop)
    }

    async fn traffic(&self, environment: &str) -> Result<Option<TrafficState>, StageError> {
        let state = self.client.traffic(environment).await?;
        Ok(state.map(|state| TrafficState { splits: state.splits, fence: state.fence, stable: state.stable }))
    }

    async fn start(&self, environment: &str, key: &str, fence: u64, release: Release) -> Result<(), StageError> {
        let root = self.root(&release)?;
        let run = self.runs.get(environment).cloned().ok_or_else(|| unknown(environment))?;
        let start = Start { environment: environment.to_owned(), key: key.to_owned(), fence, release, root, run };
        self.client.start(start).await
    }

    async fn find(&self, environment: &str, key: &str) -> Result<Option<Release>, StageError> {
        self.client.find(environment, key).await
    }

    async fn stop(&self, environment: &str, key: &str, fence: u64, release: &str) -> Result<(), StageError> {
        self.client.stop(environment, key, fence, release).await
    }

    async fn url(&self, environment: &str, release: &str) -> Result<String, StageError> {
        self.client.url(environment, release).await
    }
}
