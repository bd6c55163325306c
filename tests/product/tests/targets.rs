//! Deploy targets hold the contract; one that does not is found out.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{collections::BTreeMap, fs, path::PathBuf, sync::Arc, sync::Mutex, time::Duration};

use async_trait::async_trait;
use autodevops_edge::{Client, EdgeOptions, EnvironmentOptions, RunSpec, Start, serve};
use autodevops_model::{Capabilities, Deployment, ErrorInfo, ErrorKind, LiveState, Release, Split, StageError};
use autodevops_policy::{Grant, effective};
use autodevops_product_tests::{
    autodevops, plugin_folder, sandbox,
    shop::free_port,
    targets::{Target, faults},
};
use autodevops_sandbox::{LocalTarget, Plugin, PluginSource, TrafficState};

const PLACES: [&str; 2] = ["staging", "production"];

fn release(id: &str) -> Release {
    Release { id: id.into(), artifact: format!("sha256:{}", "0".repeat(64)), commit: "0".repeat(40) }
}

async fn faults_of(target: &(impl Target + ?Sized)) -> Vec<String> {
    faults(target, PLACES, [&release("r-1"), &release("r-2")]).await
}

/// What a target of memory alone does wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Defect {
    None,
    NoFences,
    OneFence,
    FencesOfDeploysOnly,
    ForgetsKeys,
    AnyShares,
    OnePlace,
    RepeatsWhateverTheFence,
}

#[derive(Default)]
struct Place {
    fence: u64,
    deployed: BTreeMap<String, Release>,
    moved: BTreeMap<String, Vec<Split>>,
    live: Option<Vec<Split>>,
}

struct Memory {
    defect: Defect,
    places: Mutex<BTreeMap<String, Place>>,
}

fn error(kind: ErrorKind) -> StageError {
    StageError { kind, info: ErrorInfo { message: "no".into(), details: Vec::new() } }
}

impl Memory {
    fn at<R>(&self, at: &str, does: impl FnOnce(&mut Place) -> R) -> R {
        let at = if self.defect == Defect::OnePlace { "one" } else { at };
        does(self.places.lock().unwrap().entry(at.to_owned()).or_default())
    }

    fn fence(&self, at: &str, fence: u64) -> Result<(), StageError> {
        let at = if self.defect == Defect::OneFence { "all" } else { at };
        self.at(at, |place| {
            if self.defect == Defect::NoFences || fence >= place.fence {
                place.fence = fence.max(place.fence);
                return Ok(());
            }
            Err(error(ErrorKind::Denied))
        })
    }
}

#[async_trait]
impl Target for Memory {
    async fn describe(&self) -> Result<Capabilities, StageError> {
        Ok(Capabilities {
            split_traffic: true,
            preview: false,
            instant_rollback: true,
            fenced: true,
            keeps_state: true,
            fresh_baseline: false,
        })
    }

    async fn deploy(&self, at: &str, key: &str, fence: u64, release: &Release) -> Result<Deployment, StageError> {
        self.fence(at, fence)?;
        self.at(at, |place| place.deployed.insert(key.to_owned(), release.clone()));
        Ok(Deployment { release: release.clone(), url: None })
    }

    async fn set_traffic(&self, at: &str, key: &str, fence: u64, splits: &[Split]) -> Result<(), StageError> {
        let is_done = self.at(at, |place| place.moved.get(key).is_some_and(|moved| moved == splits));
        match self.defect {
            Defect::FencesOfDeploysOnly => {}
            Defect::RepeatsWhateverTheFence if is_done => return Ok(()),
            _ => self.fence(at, fence)?,
        }
        if self.defect != Defect::AnyShares && splits.iter().map(|split| u32::from(split.percent)).sum::<u32>() != 100 {
            return Err(error(ErrorKind::InvalidInput));
        }
        self.at(at, |place| {
            place.moved.insert(key.to_owned(), splits.to_vec());
            place.live = Some(splits.to_vec());
        });
        Ok(())
    }

    async fn live(&self, at: &str) -> Result<Option<LiveState>, StageError> {
        Ok(self.at(at, |place| place.live.clone()).map(|splits| LiveState { splits, stable: None }))
    }

    async fn find(&self, at: &str, key: &str) -> Result<Option<Deployment>, StageError> {
        let found = self.at(at, |place| place.deployed.get(key).cloned());
        let found = found.filter(|_| self.defect != Defect::ForgetsKeys);
        Ok(found.map(|release| Deployment { release, url: None }))
    }
}

#[tokio::test]
async fn a_target_that_does_not_hold_the_contract_is_found_out_and_what_is_wrong_is_said() {
    for (defect, expected) in [
        (Defect::None, None),
        (Defect::NoFences, Some("traffic with a fence lower than the highest seen: not `denied`, but Ok(())")),
        (
            Defect::OneFence,
            Some("a deploy elsewhere, with a fence lower than the one that was seen here: refused: denied: no"),
        ),
        (
            Defect::FencesOfDeploysOnly,
            Some("traffic with a fence lower than the highest seen: not `denied`, but Ok(())"),
        ),
        (Defect::ForgetsKeys, Some("it does not find what a key deployed")),
        (Defect::AnyShares, Some("it takes shares that add up to 99")),
        (Defect::OnePlace, Some("what is done in one environment is seen in another")),
        (
            Defect::RepeatsWhateverTheFence,
            Some("what was done before, once more, after a higher fence was seen: not `denied`, but Ok(())"),
        ),
    ] {
        let found = faults_of(&Memory { defect, places: Mutex::default() }).await;
        assert_eq!(found.first().map(String::as_str), expected, "{found:#?}");
    }
}

/// The front door, offered to the local target's plugin as the host does.
struct Door {
    client: Client,
    root: PathBuf,
}

#[async_trait]
impl LocalTarget for Door {
    async fn set_traffic(&self, at: &str, key: &str, fence: u64, splits: Vec<Split>) -> Result<(), StageError> {
        self.client.set_traffic(at, key, fence, splits).await.map(drop)
    }

    async fn traffic(&self, at: &str) -> Result<Option<TrafficState>, StageError> {
        let state = self.client.traffic(at).await?;
        Ok(state.map(|state| TrafficState { splits: state.splits, fence: state.fence, stable: state.stable }))
    }

    async fn start(&self, at: &str, key: &str, fence: u64, release: Release) -> Result<(), StageError> {
        let (environment, key, root) = (at.to_owned(), key.to_owned(), self.root.clone());
        let run = RunSpec::Files { public: ".".into() };
        self.client.start(Start { environment, key, fence, release, root, run }).await
    }

    async fn find(&self, at: &str, key: &str) -> Result<Option<Release>, StageError> {
        self.client.find(at, key).await
    }

    async fn stop(&self, at: &str, key: &str, fence: u64, release: &str) -> Result<(), StageError> {
        self.client.stop(at, key, fence, release).await
    }

    async fn url(&self, at: &str, release: &str) -> Result<String, StageError> {
        self.client.url(at, release).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_local_target_with_its_front_door_holds_the_contract() {
    let folder = tempfile::Builder::new().prefix("door-").tempdir_in("/tmp").unwrap();
    let root = folder.path().join("release");
    fs::create_dir(&root).unwrap();
    fs::write(root.join("index.html"), "hello").unwrap();
    let program = autodevops().get_program().to_owned();
    let mut options = EdgeOptions::new(folder.path().join("edge"), vec![program, "worker".into()]);
    for place in PLACES {
        let log = folder.path().join(format!("{place}.log"));
        let listen = format!("127.0.0.1:{}", free_port()).parse().unwrap();
        options.environments.insert(place.to_owned(), EnvironmentOptions::new(listen, log));
    }
    let client = Client::new(&options.state);
    let serving = tokio::spawn(serve(options));
    client.until_open(Duration::from_secs(30)).await.unwrap();
    let plugin = plugin_folder("local");
    let source = PluginSource {
        manifest: &plugin.manifest,
        component: &plugin.component,
        grant: effective(&plugin.manifest, &Grant { local_target: true, ..Grant::default() }),
        config: plugin.manifest.configure(&BTreeMap::new()).unwrap(),
        keyvalue: None,
        local: Some(Arc::new(Door { client: client.clone(), root })),
        commands: None,
        mail: None,
        credentials: None,
    };
    let target = Plugin::load(&sandbox(), source).unwrap();
    assert_eq!(faults_of(&target).await, Vec::<String>::new());
    client.shutdown().await.unwrap();
    serving.await.unwrap().unwrap();
}
