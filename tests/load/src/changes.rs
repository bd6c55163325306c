//! Rollouts, as what is changed one after the other at a front door under load.

use std::fmt;

use serde::Serialize;

/// What kind of change it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A release is started.
    Deploy,
    /// Shares of the traffic are set.
    Weights,
    /// The release before gets all of the traffic back.
    Rollback,
    /// A release is drained and stopped.
    Stop,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Deploy, Self::Weights, Self::Rollback, Self::Stop];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Deploy => "deploy",
            Self::Weights => "weight change",
            Self::Rollback => "rollback",
            Self::Stop => "drain and stop",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Start this release.
    Deploy(String),
    /// Set these shares, in per cent.
    Weights(Vec<(String, u8)>),
    /// Give this release all of the traffic back.
    Rollback(String),
    /// Drain and stop this release.
    Stop(String),
}

impl Change {
    /// Its kind.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Deploy(_) => Kind::Deploy,
            Self::Weights(_) => Kind::Weights,
            Self::Rollback(_) => Kind::Rollback,
            Self::Stop(_) => Kind::Stop,
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deploy(release) => write!(f, "deploy of {release}"),
            Self::Weights(shares) => {
                let shares: Vec<String> =
                    shares.iter().map(|(release, percent)| format!("{release} {percent} %")).collect();
                f.write_str(&shares.join(", "))
            }
            Self::Rollback(release) => write!(f, "rollback to {release}"),
            Self::Stop(release) => write!(f, "stop of {release}"),
        }
    }
}

/// The release that has all of the traffic before the first of [`rollouts`].
pub const FIRST: &str = "r-0";

/// So many rollouts, one after the other. In each a release is started, gets more of the traffic in so many steps, loses it by a
/// rollback, gets it in as many steps again, and the one before is stopped. Every second rollback is from half of the traffic, the others
/// are from all of it: then the release before has none, and is not what traffic returns to any more.
pub fn rollouts(count: usize, steps: u8) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut old = FIRST.to_owned();
    for number in 1..=count {
        let new = format!("r-{number}");
        let climb = |top: u8| {
            (1..=steps).map({
                let (old, new) = (old.clone(), new.clone());
                move |step| {
                    // Small shares first, as in a rollout.
                    let (step, steps) = (u32::from(step), u32::from(steps));
                    let percent = u8::try_from(u32::from(top) * step * step / (steps * steps)).unwrap_or(top).max(1);
                    let shares = [(old.clone(), 100 - percent), (new.clone(), percent)];
                    Change::Weights(shares.into_iter().filter(|(_, percent)| *percent > 0).collect())
                }
            })
        };
        changes.push(Change::Deploy(new.clone()));
        changes.extend(climb(if number % 2 == 0 { 50 } else { 100 }));
        changes.push(Change::Rollback(old.clone()));
        changes.extend(climb(100));
        changes.push(Change::Stop(old));
        old = new;
    }
    changes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn count(changes: &[Change], kind: Kind) -> usize {
        changes.iter().filter(|change| change.kind() == kind).count()
    }

    #[test]
    fn a_rollout_goes_up_back_and_up_again() {
        let said: Vec<String> = rollouts(2, 2).iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "deploy of r-1",
                "r-0 75 %, r-1 25 %",
                "r-1 100 %",
                "rollback to r-0",
                "r-0 75 %, r-1 25 %",
                "r-1 100 %",
                "stop of r-0",
                "deploy of r-2",
                "r-1 88 %, r-2 12 %",
                "r-1 50 %, r-2 50 %",
                "rollback to r-1",
                "r-1 75 %, r-2 25 %",
                "r-2 100 %",
                "stop of r-1",
            ]
        );
    }

    proptest! {
        #[test]
        fn shares_add_up_and_only_what_runs_has_one(rollouts_count in 0usize..8, steps in 1u8..20) {
            let changes = rollouts(rollouts_count, steps);
            prop_assert_eq!(count(&changes, Kind::Weights), 2 * rollouts_count * usize::from(steps));
            for kind in [Kind::Deploy, Kind::Rollback, Kind::Stop] {
                prop_assert_eq!(count(&changes, kind), rollouts_count);
            }
            let mut running = vec![FIRST.to_owned()];
            let mut shares = vec![(FIRST.to_owned(), 100)];
            for change in changes {
                match change {
                    Change::Deploy(release) => running.push(release),
                    Change::Weights(set) => shares = set,
                    Change::Rollback(release) => shares = vec![(release, 100)],
                    Change::Stop(release) => running.retain(|other| *other != release),
                }
                prop_assert_eq!(shares.iter().map(|(_, percent)| u32::from(*percent)).sum::<u32>(), 100);
                prop_assert!(shares.iter().all(|(release, percent)| *percent > 0 && running.contains(release)));
            }
        }
    }
}
