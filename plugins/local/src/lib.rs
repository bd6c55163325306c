//! The local target: releases of this machine behind the project's own front door.
//!
//! The front door and the processes are the host's; this component decides what is asked of them, and in which order: a release
//! is up and ready before it may have a share of the traffic.

use autodevops_sdk::{
    DeployTarget, Error, Result,
    local::{runtime, traffic},
    types::{Capabilities, Deployment, LiveState, Release, Split},
};

/// The deploy target.
pub struct Local;

impl DeployTarget for Local {
    fn describe() -> Result<Capabilities> {
        Ok(Capabilities {
            split_traffic: true,
            preview: true,
            instant_rollback: true,
            fenced: true,
            // What a release keeps is in folders that the operator gives it, and those outlive it.
            keeps_state: true,
            // A release is known by its name alone: two of one artifact run side by side.
            fresh_baseline: true,
        })
    }

    fn deploy(environment: String, key: String, fence: u64, release: Release) -> Result<Deployment> {
        runtime::start(&environment, &key, fence, &release)?;
        let url = runtime::url(&environment, &release.id)?;
        Ok(Deployment { release, url: Some(url) })
    }

    fn set_traffic(environment: String, key: String, fence: u64, splits: Vec<Split>) -> Result<()> {
        check(&splits)?;
        let splits: Vec<traffic::Split> = splits
            .into_iter()
            .filter(|split| split.percent > 0)
            .map(|split| traffic::Split { release: split.release, percent: split.percent })
            .collect();
        traffic::set(&environment, &key, fence, &splits)
    }

    fn live(environment: String) -> Result<Option<LiveState>> {
        let state = traffic::get(&environment)?;
        Ok(state.map(|state| LiveState {
            splits: state
                .splits
                .into_iter()
                .map(|split| Split { release: split.release, percent: split.percent })
                .collect(),
            stable: state.stable,
        }))
    }

    fn find(environment: String, key: String) -> Result<Option<Deployment>> {
        let Some(release) = runtime::find(&environment, &key)? else { return Ok(None) };
        let url = runtime::url(&environment, &release.id)?;
        Ok(Some(Deployment { release, url: Some(url) }))
    }
}

/// Shares add up to 100, and no release has two.
fn check(splits: &[Split]) -> Result<()> {
    let sum: u32 = splits.iter().map(|split| u32::from(split.percent)).sum();
    if sum != 100 {
        return Err(Error::wrong_input(format!("the shares of traffic add up to {sum}, not to 100")));
    }
    for (index, split) in splits.iter().enumerate() {
        if splits.iter().take(index).any(|other| other.release == split.release) {
            return Err(Error::wrong_input(format!("the release {} has two shares of the traffic", split.release)));
        }
    }
    Ok(())
}

autodevops_sdk::export!(deploy_target: Local);

#[cfg(test)]
mod tests {
    use super::*;

    fn split(release: &str, percent: u8) -> Split {
        Split { release: release.into(), percent }
    }

    #[test]
    fn shares_add_up_to_one_hundred() {
        assert!(check(&[split("a", 95), split("b", 5)]).is_ok());
        assert!(check(&[split("a", 100)]).is_ok());
        let error = check(&[split("a", 95), split("b", 6)]).unwrap_err();
        assert_eq!(error.message(), "the shares of traffic add up to 101, not to 100");
        assert!(check(&[]).is_err());
    }

    #[test]
    fn a_release_has_one_share() {
        assert!(check(&[split("a", 50), split("a", 50)]).unwrap_err().message().contains("two shares"));
    }
}
