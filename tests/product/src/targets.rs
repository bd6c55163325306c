//! What the contract asks of every deploy target, tried on one: `wit/stages.wit` says it, and [`faults`] is how it is checked.

use async_trait::async_trait;
use autodevops_model::{Capabilities, Deployment, ErrorInfo, ErrorKind, LiveState, Release, Split, StageError};
use autodevops_sandbox::{CallContext, CallError, CallFailure, Plugin};

/// A deploy target, as the host calls it.
#[async_trait]
pub trait Target: Send + Sync {
    /// What it can do.
    async fn describe(&self) -> Result<Capabilities, StageError>;
    /// Brings a release in.
    async fn deploy(&self, at: &str, key: &str, fence: u64, release: &Release) -> Result<Deployment, StageError>;
    /// Sets the shares of traffic.
    async fn set_traffic(&self, at: &str, key: &str, fence: u64, splits: &[Split]) -> Result<(), StageError>;
    /// What serves.
    async fn live(&self, at: &str) -> Result<Option<LiveState>, StageError>;
    /// What a key deployed.
    async fn find(&self, at: &str, key: &str) -> Result<Option<Deployment>, StageError>;
}

/// A plugin's failure as its own error.
fn own(error: CallError) -> StageError {
    match error.failure {
        CallFailure::Refused(error) => error,
        other => StageError {
            kind: ErrorKind::Failed,
            info: ErrorInfo { message: format!("the call failed: {other}"), details: Vec::new() },
        },
    }
}

#[async_trait]
impl Target for Plugin {
    async fn describe(&self) -> Result<Capabilities, StageError> {
        Plugin::describe(self, &CallContext::default()).await.map_err(own)
    }

    async fn deploy(&self, at: &str, key: &str, fence: u64, release: &Release) -> Result<Deployment, StageError> {
        Plugin::deploy(self, &CallContext::default(), at, key, fence, release.clone()).await.map_err(own)
    }

    async fn set_traffic(&self, at: &str, key: &str, fence: u64, splits: &[Split]) -> Result<(), StageError> {
        Plugin::set_traffic(self, &CallContext::default(), at, key, fence, splits.to_vec()).await.map_err(own)
    }

    async fn live(&self, at: &str) -> Result<Option<LiveState>, StageError> {
        Plugin::live(self, &CallContext::default(), at).await.map_err(own)
    }

    async fn find(&self, at: &str, key: &str) -> Result<Option<Deployment>, StageError> {
        Plugin::find(self, &CallContext::default(), at, key).await.map_err(own)
    }
}

/// What is tried, and what was seen that must not be.
struct Trial<'a, T: Target + ?Sized> {
    target: &'a T,
    faults: Vec<String>,
}

fn all_of(release: &Release) -> Vec<Split> {
    vec![Split { release: release.id.clone(), percent: 100 }]
}

impl<T: Target + ?Sized> Trial<'_, T> {
    fn see(&mut self, is_right: bool, fault: &str) {
        if !is_right {
            self.faults.push(fault.to_owned());
        }
    }

    async fn deploys(&mut self, at: &str, key: &str, fence: u64, release: &Release, what: &str) {
        match self.target.deploy(at, key, fence, release).await {
            Ok(deployed) => self.see(deployed.release == *release, &format!("{what}: it deployed another release")),
            Err(error) => self.faults.push(format!("{what}: refused: {error}")),
        }
    }

    async fn moves(&mut self, at: &str, key: &str, fence: u64, release: &Release, what: &str) {
        if let Err(error) = self.target.set_traffic(at, key, fence, &all_of(release)).await {
            self.faults.push(format!("{what}: refused: {error}"));
        }
        self.serves(at, release, what).await;
    }

    async fn serves(&mut self, at: &str, release: &Release, what: &str) {
        let splits = self.target.live(at).await.map(|live| live.map(|live| live.splits));
        self.see(splits == Ok(Some(all_of(release))), &format!("{what}: then {at} serves {splits:?}"));
    }

    fn is_denied<R>(&mut self, answer: Result<R, StageError>, what: &str) {
        let kind = answer.map(drop).map_err(|error| error.kind);
        self.see(kind == Err(ErrorKind::Denied), &format!("{what}: not `denied`, but {kind:?}"));
    }
}

/// What of the contract the target does not hold, in words; it is tried with two releases in two environments, of which nothing serves yet.
pub async fn faults(target: &(impl Target + ?Sized), at: [&str; 2], releases: [&Release; 2]) -> Vec<String> {
    let ([first, second], [old, new]) = (at, releases);
    let mut trial = Trial { target, faults: Vec::new() };
    let capabilities = target.describe().await;
    let is_fenced = capabilities.as_ref().is_ok_and(|can| can.fenced);
    trial.see(capabilities.is_ok(), "it does not say what it can do");

    let nothing = target.live(first).await;
    trial.see(
        nothing.is_ok_and(|live| live.is_none_or(|live| live.splits.is_empty())),
        "something serves before anything does",
    );
    trial.deploys(first, "1/deploy", 5, old, "a deploy").await;
    trial.deploys(first, "1/deploy", 5, old, "the same deploy once more").await;
    let found = target.find(first, "1/deploy").await;
    trial.see(
        found.is_ok_and(|found| found.is_some_and(|found| found.release == *old)),
        "it does not find what a key deployed",
    );
    let never = target.find(first, "never").await;
    trial.see(never == Ok(None), "it finds what no key deployed");
    trial.moves(first, "1/traffic", 5, old, "all traffic").await;
    trial.moves(first, "1/traffic", 5, old, "the same traffic once more").await;
    let less = [Split { release: old.id.clone(), percent: 99 }];
    trial.see(target.set_traffic(first, "1/less", 5, &less).await.is_err(), "it takes shares that add up to 99");
    trial.serves(first, old, "after shares that add up to 99").await;
    let elsewhere = target.live(second).await;
    trial.see(
        elsewhere.is_ok_and(|live| live.is_none_or(|live| live.splits.is_empty())),
        "what is done in one environment is seen in another",
    );

    if is_fenced {
        let denied = target.set_traffic(first, "2/traffic", 4, &all_of(old)).await;
        trial.is_denied(denied, "traffic with a fence lower than the highest seen");
        let denied = target.deploy(first, "2/deploy", 4, new).await;
        trial.is_denied(denied, "a deploy with a fence lower than the highest seen");
        trial.see(target.find(first, "2/deploy").await == Ok(None), "a deploy that was denied was done");
        trial.deploys(first, "3/deploy", 9, new, "a deploy with a higher fence").await;
        let denied = target.set_traffic(first, "1/traffic", 5, &all_of(old)).await;
        trial.is_denied(denied, "what was done before, once more, after a higher fence was seen");
        trial.serves(first, old, "after what was denied").await;
    }
    // Of each environment by itself: a host that rolls out in one is not kept from it by what another did elsewhere.
    trial
        .deploys(second, "4/deploy", 2, old, "a deploy elsewhere, with a fence lower than the one that was seen here")
        .await;
    trial
        .moves(second, "4/traffic", 2, old, "traffic elsewhere, with a fence lower than the one that was seen here")
        .await;
    trial.deploys(second, "5/deploy", 20, new, "a deploy elsewhere with a higher fence").await;
    trial
        .moves(first, "6/traffic", 9, new, "traffic here, with a fence lower than the one that was seen elsewhere")
        .await;
    trial.serves(second, old, "after traffic was moved here").await;
    if is_fenced {
        let denied = target.set_traffic(second, "7/traffic", 19, &all_of(new)).await;
        trial.is_denied(denied, "traffic elsewhere with a fence lower than the highest seen there");
    }
    trial.faults
}
