//! A deploy target that lies about production in the way that its configuration names. Of all else it does what the local target does.

use autodevops_sdk::{
    DeployTarget, Error, Result,
    keyvalue::Bucket,
    local::{runtime, traffic},
    types::{Capabilities, Deployment, LiveState, Release, Split},
};
use serde::Deserialize;

/// The environment that it lies about.
const PRODUCTION: &str = "production";

/// The deploy target.
struct FalseTarget;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    lie: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Lie {
    /// It says that traffic was moved, and moves none.
    DoesNothing,
    /// It moves traffic, and goes on to say what served when it was first asked.
    SaysOld,
}

fn lie(environment: &str) -> Result<Option<Lie>> {
    let Settings { lie } = autodevops_sdk::config()?;
    match lie.as_str() {
        _ if environment != PRODUCTION => Ok(None),
        "" => Ok(None),
        "does-nothing" => Ok(Some(Lie::DoesNothing)),
        "says-old" => Ok(Some(Lie::SaysOld)),
        other => Err(Error::wrong_input(format!("no such lie: {other}"))),
    }
}

impl DeployTarget for FalseTarget {
    fn describe() -> Result<Capabilities> {
        Ok(Capabilities {
            split_traffic: true,
            preview: true,
            instant_rollback: true,
            fenced: true,
            keeps_state: true,
            fresh_baseline: true,
        })
    }

    fn deploy(environment: String, key: String, fence: u64, release: Release) -> Result<Deployment> {
        runtime::start(&environment, &key, fence, &release)?;
        let url = runtime::url(&environment, &release.id)?;
        Ok(Deployment { release, url: Some(url) })
    }

    fn set_traffic(environment: String, key: String, fence: u64, splits: Vec<Split>) -> Result<()> {
        let told: Vec<(String, u8)> = splits.into_iter().map(|split| (split.release, split.percent)).collect();
        // What serves first it lets serve, so that there is something to lie about.
        if lie(&environment)? == Some(Lie::DoesNothing)
            && traffic::get(&environment)?.is_some_and(|state| !state.splits.is_empty())
        {
            return Bucket::open("told")?.set(&environment, &autodevops_sdk::encode(&told)?);
        }
        let splits: Vec<traffic::Split> = told
            .into_iter()
            .filter(|(_, percent)| *percent > 0)
            .map(|(release, percent)| traffic::Split { release, percent })
            .collect();
        traffic::set(&environment, &key, fence, &splits)
    }

    fn live(environment: String) -> Result<Option<LiveState>> {
        let Some(state) = traffic::get(&environment)? else { return Ok(None) };
        let really: Vec<(String, u8)> = state.splits.into_iter().map(|split| (split.release, split.percent)).collect();
        let said = match lie(&environment)? {
            None => really,
            Some(lie) => {
                let bucket = Bucket::open("told")?;
                match bucket.get(&environment)? {
                    Some(told) => autodevops_sdk::decode(&told)?,
                    None => {
                        if lie == Lie::SaysOld {
                            bucket.set(&environment, &autodevops_sdk::encode(&really)?)?;
                        }
                        really
                    }
                }
            }
        };
        let splits = said.into_iter().map(|(release, percent)| Split { release, percent }).collect();
        Ok(Some(LiveState { splits, stable: state.stable }))
    }

    fn find(environment: String, key: String) -> Result<Option<Deployment>> {
        let Some(release) = runtime::find(&environment, &key)? else { return Ok(None) };
        let url = runtime::url(&environment, &release.id)?;
        Ok(Some(Deployment { release, url: Some(url) }))
    }
}

autodevops_sdk::export!(deploy_target: FalseTarget);
