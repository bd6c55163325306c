//! Whether traffic is where a deploy target says that it put it: the host's own front door knows, whatever the target says.

use autodevops_edge::TrafficState;
use autodevops_model::{Shares, Split, StageError};

use crate::{project::Project, stages::failed};

/// Refuses the word of a deploy target that it set these shares, where the front door of this host gives the environment others. Of a target
/// without one, and where the front door does not answer, there is only its word.
///
/// # Errors
/// `failed`, with what the front door does.
pub async fn check(project: &Project, place: &str, asked: &[Split]) -> Result<(), StageError> {
    if !project.is_local() {
        return Ok(());
    }
    match project.edge.traffic(place).await {
        Ok(state) => compare(&project.config.stages.deploy_target, place, asked, state.as_ref()),
        Err(error) => {
            tracing::warn!(%error, place, "whether traffic was moved cannot be looked at");
            Ok(())
        }
    }
}

fn compare(target: &str, place: &str, asked: &[Split], state: Option<&TrafficState>) -> Result<(), StageError> {
    // Shares that were set and not renewed in time are no lie: the renewal says it.
    if state.is_some_and(|state| state.returned_at.is_some()) {
        return Ok(());
    }
    let really = state.map_or(&[][..], |state| &state.splits);
    if shares(asked) == shares(really) {
        return Ok(());
    }
    Err(failed(format!(
        "the deploy target `{target}` says that {place} serves {}, and the front door serves {}: the target does not do what it says; put the \
         plugin right, or one in its place that can be trusted",
        Shares(asked),
        Shares(really)
    )))
}

/// Those that are not zero, in one order.
fn shares(splits: &[Split]) -> Vec<(&str, u8)> {
    let with_share = splits.iter().filter(|split| split.percent > 0);
    let mut shares: Vec<(&str, u8)> = with_share.map(|split| (split.release.as_str(), split.percent)).collect();
    shares.sort_unstable();
    shares
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Door, Scene, local_target, target};

    fn splits(shares: &[(&str, u8)]) -> Vec<Split> {
        shares.iter().map(|(release, percent)| Split { release: (*release).into(), percent: *percent }).collect()
    }

    fn state(shares: &[(&str, u8)], returned_at: Option<i64>) -> TrafficState {
        TrafficState {
            splits: splits(shares),
            fence: 1,
            stable: None,
            lease_until: None,
            returned_at,
            kept_since: None,
        }
    }

    #[test]
    fn a_target_is_believed_where_the_front_door_does_what_it_says() {
        let asked = splits(&[("new", 5), ("old", 95), ("gone", 0)]);
        let same = |state: &TrafficState| compare("local", "production", &asked, Some(state));
        same(&state(&[("old", 95), ("new", 5)], None)).unwrap();
        same(&state(&[("old", 100)], Some(7))).unwrap();
        let error = same(&state(&[("old", 100)], None)).unwrap_err().info.message;
        assert!(
            error.starts_with(
                "the deploy target `local` says that production serves new 5 %, old 95 %, gone 0 %, and the front door serves old 100 %: the \
                 target does not do what it says"
            ),
            "{error}"
        );
        for other in [&[("old", 90), ("new", 10)][..], &[("old", 95), ("new", 4), ("gone", 1)]] {
            same(&state(other, None)).unwrap_err();
        }
        let error = compare("local", "production", &asked, None).unwrap_err().info.message;
        assert!(error.contains("the front door serves nothing"), "{error}");
    }

    #[tokio::test]
    async fn the_front_door_is_asked_of_a_local_target_and_of_no_other() {
        let really = splits(&[("old", 95), ("new", 5)]);
        let other = splits(&[("new", 100)]);
        let scene = Scene::open(&[local_target(&[])], "");
        check(&scene.project, "production", &other).await.unwrap();
        Door { tells_traffic: true, ..Door::default() }.open(&scene);
        check(&scene.project, "production", &really).await.unwrap();
        let error = check(&scene.project, "production", &other).await.unwrap_err().info.message;
        assert!(error.contains("says that production serves new 100 %, and the front door serves old 95 %"), "{error}");
        let scene = Scene::open(&[target(&[])], "");
        Door { tells_traffic: true, ..Door::default() }.open(&scene);
        check(&scene.project, "production", &other).await.unwrap();
    }
}
