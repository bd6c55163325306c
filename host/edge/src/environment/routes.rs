//! Where an environment's requests go.

use std::sync::Arc;

use autodevops_model::Split;

use crate::release::Running;

/// Where requests go.
#[derive(Debug, Default)]
pub struct Routes {
    /// The shares, highest first.
    pub splits: Vec<Split>,
    /// The release of each split.
    pub targets: Vec<Arc<Running>>,
    /// The release to which traffic returns.
    pub stable: Option<Arc<Running>>,
}

impl Routes {
    /// The release with the highest share of those that are not stable. A fresh baseline beside it is none: it has the candidate's share, and
    /// stable's artifact under another name.
    pub fn candidate(&self) -> Option<&Arc<Running>> {
        let stable = self.stable.as_ref().map(|stable| &stable.started.release);
        let others = || self.targets.iter().filter(|running| stable.is_none_or(|stable| stable.id != running.id()));
        let differs =
            |running: &Running| stable.is_none_or(|stable| stable.artifact != running.started.release.artifact);
        others().find(|running| differs(running)).or_else(|| others().next())
    }
}

#[cfg(test)]
mod tests {
    use autodevops_model::Release;

    use super::*;
    use crate::{
        RunSpec,
        record::{Record, Started},
        stats::Stats,
    };

    /// Routes with these shares, each release by its name and its artifact; the first is the stable one.
    fn routes(releases: &[(&str, &str, u8)]) -> Routes {
        let running = |id: &str| {
            let (_, artifact, _) = releases.iter().find(|(name, ..)| *name == id).unwrap();
            let release = Release { id: id.into(), artifact: (*artifact).into(), commit: "0".repeat(40) };
            let run = RunSpec::Files { public: "public".into() };
            Running::new(Started { release, root: "/r".into(), run, port: 1 }, Arc::new(Stats::new(0)))
        };
        let split = |(id, _, percent): &(&str, &str, u8)| Split { release: (*id).into(), percent: *percent };
        let splits = Record::ordered(releases.iter().map(split).collect());
        let targets = splits.iter().map(|split| running(&split.release)).collect();
        Routes { splits, targets, stable: releases.first().map(|(id, ..)| running(id)) }
    }

    #[test]
    fn a_fresh_baseline_is_not_taken_for_the_candidate_whichever_name_comes_first() {
        for (releases, expected) in [
            (&[("old", "a", 90), ("new", "b", 5), ("new-baseline", "a", 5)][..], Some("new")),
            // Of a long name the beginning is cut, so that the baseline's may come first.
            (&[("old", "a", 90), ("shop-new", "b", 5), ("op-new-baseline", "a", 5)], Some("shop-new")),
            (&[("old", "a", 95), ("new", "b", 5)], Some("new")),
            // What was built anew may be the same.
            (&[("old", "a", 95), ("new", "a", 5)], Some("new")),
            (&[("old", "a", 0), ("new", "b", 100)], Some("new")),
            (&[("old", "a", 100)], None),
        ] {
            assert_eq!(routes(releases).candidate().map(|running| running.id()), expected, "{releases:?}");
        }
        let unknown = Routes { stable: None, ..routes(&[("old", "a", 60), ("new", "b", 40)]) };
        assert_eq!(unknown.candidate().map(|running| running.id()), Some("old"));
    }
}
