//! What an environment remembers: pure, with the time passed in.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use autodevops_model::{Release, Split, StageError};
use serde::{Deserialize, Serialize};

use crate::{
    RunSpec, Start, TrafficState,
    refusal::{denied, invalid},
};

/// Calls that are remembered by their key; of more, the oldest are forgotten.
const MAX_KEYS: usize = 4096;

/// Everything that is remembered of an environment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Record {
    /// The highest fence seen.
    pub fence: u64,
    /// Releases that were started and not stopped.
    pub releases: BTreeMap<String, Started>,
    /// Shares, highest first.
    pub splits: Vec<Split>,
    /// The release whose share was 100 % last.
    pub stable: Option<Release>,
    /// When traffic returns to the stable release, in nanoseconds since 1970-01-01T00:00:00Z.
    pub lease_until: Option<i64>,
    /// When it did so last, in the same unit.
    pub returned_at: Option<i64>,
    /// Since when it would have, and did not, as the stable release does not answer; in the same unit.
    #[serde(default)]
    pub kept_since: Option<i64>,
    /// What was done, by key.
    keys: BTreeMap<String, Done>,
    /// How many keys were ever taken: the order of their entries.
    sequence: u64,
}

/// A release that was started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Started {
    /// The release.
    pub release: Release,
    /// Its files.
    pub root: PathBuf,
    /// How it is run.
    pub run: RunSpec,
    /// The port of its own address.
    pub port: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Done {
    sequence: u64,
    effect: Effect,
}

/// What a call does, as far as two calls with one key must agree on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Starts a release.
    Start(Release),
    /// Stops a release.
    Stop(String),
    /// Sets shares.
    Traffic(Vec<Split>),
}

/// What a lease comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lease {
    /// There is none, or it has not run out.
    Holds,
    /// It has run out, and traffic returned to the stable release.
    Returned,
    /// It has run out, and the shares stay as they are: the stable release does not answer, and another one with a share does.
    Kept,
}

impl Record {
    /// Takes the fence, which is refused when a higher one was seen.
    pub fn fence(&mut self, fence: u64) -> Result<(), StageError> {
        if fence < self.fence {
            let seen = self.fence;
            return Err(denied(format!(
                "the fence {fence} is below {seen}, the highest seen: another host has taken over; read the state again \
                 and stop"
            )));
        }
        self.fence = fence;
        Ok(())
    }

    /// Whether a call with this key had its effect.
    pub fn is_done(&self, key: &str, effect: &Effect) -> Result<bool, StageError> {
        match self.keys.get(key) {
            None => Ok(false),
            Some(done) if done.effect == *effect => Ok(true),
            Some(_) => {
                Err(invalid(format!("the key `{key}` was used for another call; a call needs a key of its own")))
            }
        }
    }

    /// Remembers a call by its key.
    pub fn done(&mut self, key: &str, effect: Effect) {
        self.sequence += 1;
        self.keys.insert(key.to_owned(), Done { sequence: self.sequence, effect });
        while self.keys.len() > MAX_KEYS {
            let oldest = self.keys.iter().min_by_key(|(_, done)| done.sequence).map(|(key, _)| key.clone());
            if let Some(oldest) = oldest {
                self.keys.remove(&oldest);
            }
        }
    }

    /// The release that the key started.
    pub fn find(&self, key: &str) -> Option<&Release> {
        match &self.keys.get(key)?.effect {
            Effect::Start(release) => Some(release),
            _ => None,
        }
    }

    /// Whether the release is there already, as it is asked for.
    pub fn is_started(&self, start: &Start) -> Result<bool, StageError> {
        let id = &start.release.id;
        let Some(started) = self.releases.get(id) else { return Ok(false) };
        if (&started.release, &started.root, &started.run) == (&start.release, &start.root, &start.run) {
            return Ok(true);
        }
        Err(invalid(format!(
            "the release `{id}` of {} runs with another artifact or in another way; stop it first, or name this one \
             otherwise",
            start.environment
        )))
    }

    /// The release's share, in per cent.
    pub fn percent(&self, release: &str) -> u8 {
        self.splits.iter().find(|split| split.release == release).map_or(0, |split| split.percent)
    }

    /// Whether the release may be stopped.
    pub fn may_stop(&self, release: &str) -> Result<(), StageError> {
        let percent = self.percent(release);
        if percent > 0 {
            return Err(invalid(format!(
                "the release `{release}` has {percent} % of the traffic; move that away first"
            )));
        }
        if self.lease_until.is_some() && self.stable.as_ref().is_some_and(|stable| stable.id == release) {
            return Err(invalid(format!(
                "traffic returns to the release `{release}` when the rollout is not renewed; end the rollout first"
            )));
        }
        Ok(())
    }

    /// Shares as they are kept: highest first, none of them zero.
    pub fn ordered(splits: Vec<Split>) -> Vec<Split> {
        let mut splits: Vec<Split> = splits.into_iter().filter(|split| split.percent > 0).collect();
        splits.sort_by(|a, b| b.percent.cmp(&a.percent).then_with(|| a.release.cmp(&b.release)));
        splits
    }

    /// Whether the shares can be set here.
    pub fn check(&self, splits: &[Split]) -> Result<(), StageError> {
        let sum: u32 = splits.iter().map(|split| u32::from(split.percent)).sum();
        if sum != 100 {
            return Err(invalid(format!("the shares add up to {sum}; they must add up to 100")));
        }
        for (index, split) in splits.iter().enumerate() {
            if splits.iter().skip(index + 1).any(|other| other.release == split.release) {
                return Err(invalid(format!("the release `{}` has two shares; give it one", split.release)));
            }
        }
        if let Some(split) = splits.iter().find(|split| !self.releases.contains_key(&split.release)) {
            return Err(invalid(format!("the release `{}` does not run here; start it first", split.release)));
        }
        if splits.len() > 1 && self.stable.as_ref().is_none_or(|stable| !self.releases.contains_key(&stable.id)) {
            let text = "no release that runs had all of the traffic yet, so there is none that it could return to; give it to \
                        one release first";
            return Err(invalid(text.to_owned()));
        }
        Ok(())
    }

    /// Sets shares that were checked. A release that has all of the traffic is the stable one; otherwise a lease
    /// begins.
    pub fn set(&mut self, splits: Vec<Split>, lease: Duration, now: i64) {
        let all = splits.iter().find(|split| split.percent == 100).and_then(|split| self.releases.get(&split.release));
        self.lease_until = match all {
            Some(started) => {
                self.stable = Some(started.release.clone());
                None
            }
            None => Some(after(now, lease)),
        };
        (self.returned_at, self.kept_since) = (None, None);
        self.splits = splits;
    }

    /// Begins the lease anew, where there is one.
    pub fn renew(&mut self, lease: Duration, now: i64) {
        if self.lease_until.is_some() {
            self.lease_until = Some(after(now, lease));
            self.kept_since = None;
        }
    }

    /// Has no lease last longer than one that begins now: it was begun by a front door whose clock was ahead of this one's.
    pub fn bound_lease(&mut self, lease: Duration, now: i64) {
        self.lease_until = self.lease_until.map(|until| until.min(after(now, lease)));
    }

    /// Whether the lease has run out, so that traffic is to return to the stable release.
    pub fn is_overdue(&self, now: i64) -> bool {
        self.stable.is_some() && self.lease_until.is_some_and(|until| now >= until)
    }

    /// Returns traffic to the stable release when the lease has run out, unless `works_only_here`: the stable release does not answer, and
    /// one with a share does. Nobody gains by traffic that goes where nothing answers; it returns once the stable release is up again.
    pub fn expire(&mut self, now: i64, works_only_here: bool) -> Lease {
        let Some(stable) = self.stable.as_ref().filter(|_| self.is_overdue(now)) else { return Lease::Holds };
        if works_only_here {
            self.kept_since.get_or_insert(now);
            return Lease::Kept;
        }
        self.splits = vec![Split { release: stable.id.clone(), percent: 100 }];
        (self.lease_until, self.kept_since) = (None, None);
        self.returned_at = Some(now);
        Lease::Returned
    }

    /// Whether anything was ever deployed.
    pub fn is_used(&self) -> bool {
        self.fence > 0 || !self.splits.is_empty() || !self.keys.is_empty()
    }

    /// What serves.
    pub fn state(&self) -> TrafficState {
        TrafficState {
            splits: self.splits.clone(),
            fence: self.fence,
            stable: self.stable.clone(),
            lease_until: self.lease_until,
            returned_at: self.returned_at,
            kept_since: self.kept_since,
        }
    }
}

fn after(now: i64, lease: Duration) -> i64 {
    now.saturating_add(i64::try_from(lease.as_nanos()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use autodevops_model::ErrorKind;

    use super::*;

    const LEASE: Duration = Duration::from_nanos(10);

    fn release(id: &str) -> Release {
        Release { id: id.into(), artifact: format!("sha256:{}", "0".repeat(64)), commit: "0".repeat(40) }
    }

    fn record(releases: &[&str]) -> Record {
        let started = |id: &str| Started {
            release: release(id),
            root: "/r".into(),
            run: RunSpec::Files { public: "public".into() },
            port: 1,
        };
        Record { releases: releases.iter().map(|id| ((*id).to_owned(), started(id))).collect(), ..Record::default() }
    }

    fn shares(shares: &[(&str, u8)]) -> Vec<Split> {
        shares.iter().map(|(release, percent)| Split { release: (*release).into(), percent: *percent }).collect()
    }

    #[test]
    fn a_fence_below_the_highest_seen_is_denied() {
        let mut record = Record::default();
        record.fence(5).unwrap();
        record.fence(5).unwrap();
        assert_eq!(record.fence(4).unwrap_err().kind, ErrorKind::Denied);
        assert_eq!(record.fence, 5);
    }

    #[test]
    fn a_key_stands_for_one_call_only() {
        let mut record = record(&[]);
        let effect = Effect::Start(release("a"));
        assert!(!record.is_done("k", &effect).unwrap());
        record.done("k", effect.clone());
        assert!(record.is_done("k", &effect).unwrap());
        assert_eq!(record.find("k"), Some(&release("a")));
        assert_eq!(record.is_done("k", &Effect::Stop("a".into())).unwrap_err().kind, ErrorKind::InvalidInput);
    }

    #[test]
    fn the_oldest_keys_are_forgotten() {
        let mut record = record(&[]);
        for n in 0..MAX_KEYS + 3 {
            record.done(&format!("k{n}"), Effect::Stop("a".into()));
        }
        assert!(!record.is_done("k2", &Effect::Stop("a".into())).unwrap());
        assert!(record.is_done("k3", &Effect::Stop("a".into())).unwrap());
    }

    #[test]
    fn shares_that_make_no_sense_are_refused_with_the_reason() {
        let mut record = record(&["a", "b"]);
        for (splits, reason) in [
            (shares(&[("a", 90)]), "add up to 90"),
            (shares(&[("a", 200)]), "add up to 200"),
            (shares(&[("a", 50), ("a", 50)]), "two shares"),
            (shares(&[("c", 100)]), "does not run here"),
            (shares(&[("a", 95), ("b", 5)]), "no release that runs had all"),
            (shares(&[]), "add up to 0"),
        ] {
            let error = record.check(&Record::ordered(splits)).unwrap_err();
            assert!(error.info.message.contains(reason), "{error}");
        }
        record.set(shares(&[("a", 100)]), LEASE, 0);
        let ordered = Record::ordered(shares(&[("b", 5), ("c", 0), ("a", 95)]));
        assert_eq!(ordered, shares(&[("a", 95), ("b", 5)]));
        record.check(&ordered).unwrap();
    }

    #[test]
    fn a_lease_that_runs_out_returns_traffic_to_the_stable_release() {
        let mut record = record(&["a", "b"]);
        record.set(shares(&[("a", 100)]), LEASE, 0);
        assert_eq!((record.lease_until, record.expire(i64::MAX, false)), (None, Lease::Holds));
        record.set(shares(&[("a", 95), ("b", 5)]), LEASE, 100);
        assert_eq!(record.expire(109, false), Lease::Holds);
        record.renew(LEASE, 109);
        assert_eq!(record.expire(118, false), Lease::Holds);
        assert_eq!(record.expire(119, false), Lease::Returned);
        let traffic = record.state();
        assert_eq!((traffic.splits, traffic.returned_at), (shares(&[("a", 100)]), Some(119)));
        record.renew(LEASE, 120);
        assert_eq!(record.lease_until, None);
    }

    #[test]
    fn no_lease_outlasts_one_that_begins_now() {
        let mut record = record(&["stable", "candidate"]);
        record.bound_lease(LEASE, 100);
        assert_eq!(record.lease_until, None);
        record.set(shares(&[("stable", 100)]), LEASE, 0);
        record.set(shares(&[("stable", 90), ("candidate", 10)]), LEASE, 5_000);
        let until = [5_003, 100, 200].map(|now| {
            record.bound_lease(LEASE, now);
            record.lease_until.unwrap()
        });
        assert_eq!(until, [5_010, 110, 110]);
    }

    #[test]
    fn shares_stay_while_the_stable_release_does_not_answer_and_another_does() {
        let mut record = record(&["a", "b"]);
        record.set(shares(&[("a", 100)]), LEASE, 0);
        record.set(shares(&[("a", 95), ("b", 5)]), LEASE, 100);
        assert_eq!((record.expire(109, true), record.kept_since), (Lease::Holds, None), "it is renewed still");
        assert_eq!((record.expire(110, true), record.expire(115, true)), (Lease::Kept, Lease::Kept));
        let traffic = record.state();
        assert_eq!((traffic.splits, traffic.kept_since), (shares(&[("a", 95), ("b", 5)]), Some(110)));
        assert_eq!((traffic.returned_at, record.is_overdue(115)), (None, true));
        // A host that is back goes on with them.
        let mut renewed = record.clone();
        renewed.renew(LEASE, 116);
        assert_eq!((renewed.lease_until, renewed.kept_since), (Some(126), None));
        assert_eq!(record.expire(120, false), Lease::Returned);
        assert_eq!((&record.splits, record.kept_since, record.returned_at), (&shares(&[("a", 100)]), None, Some(120)));
    }

    #[test]
    fn a_release_with_all_of_the_traffic_is_the_stable_one() {
        let mut record = record(&["a", "b"]);
        record.set(shares(&[("a", 100)]), LEASE, 0);
        record.set(shares(&[("b", 50), ("a", 50)]), LEASE, 0);
        assert_eq!(record.stable, Some(release("a")));
        record.set(shares(&[("b", 100)]), LEASE, 0);
        assert_eq!((record.stable, record.lease_until), (Some(release("b")), None));
    }

    #[test]
    fn what_serves_or_may_serve_again_by_itself_is_not_stopped() {
        let mut record = record(&["a", "b", "c"]);
        record.set(shares(&[("a", 100)]), LEASE, 0);
        record.set(shares(&[("b", 60), ("c", 40)]), LEASE, 0);
        assert!(record.may_stop("b").unwrap_err().info.message.contains("60 %"));
        assert!(record.may_stop("a").unwrap_err().info.message.contains("returns to"));
        record.set(shares(&[("b", 100)]), LEASE, 0);
        assert!(record.may_stop("a").is_ok());
    }

    #[test]
    fn nothing_is_said_of_an_environment_that_never_was() {
        assert!(!Record::default().is_used());
    }

    #[test]
    fn a_record_survives_as_json() {
        let mut record = record(&["a"]);
        record.set(shares(&[("a", 100)]), LEASE, 0);
        record.done("k", Effect::Traffic(shares(&[("a", 100)])));
        let json = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<Record>(&json).unwrap(), record);
    }
}
