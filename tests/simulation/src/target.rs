//! A target that serves an environment: keyed, fenced, with a lease on a candidate's share, as the contract wants it.

use std::collections::{BTreeMap, BTreeSet};

use autodevops_model::{ErrorKind, Release, Split, StageError};

use crate::stock::{OLD, error};

/// How long a candidate keeps its share without being renewed: nanoseconds.
const LEASE: i64 = 60_000_000_000;

/// What a call did.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Done {
    Deployed(Release),
    Set(Vec<Split>),
}

/// An environment and what serves it.
#[derive(Clone, Debug)]
pub struct Target {
    fenced: bool,
    /// The highest fence seen.
    fence: u64,
    /// Shares of the traffic.
    pub splits: Vec<Split>,
    /// Whether traffic returned to stable by itself since shares were set.
    pub returned: bool,
    running: BTreeSet<String>,
    stable: String,
    lease_until: Option<i64>,
    keys: BTreeMap<String, Done>,
}

impl Target {
    /// One that serves the old release.
    pub fn new(fenced: bool) -> Self {
        Self {
            fenced,
            fence: 0,
            splits: vec![Split { release: OLD.into(), percent: 100 }],
            returned: false,
            running: BTreeSet::from([OLD.to_owned()]),
            stable: OLD.to_owned(),
            lease_until: None,
            keys: BTreeMap::new(),
        }
    }

    fn takes(&mut self, fence: u64) -> Result<(), StageError> {
        if fence < self.fence && self.fenced {
            return Err(error(ErrorKind::Denied, "the fence is below the highest seen"));
        }
        self.fence = self.fence.max(fence);
        Ok(())
    }

    fn done(&self, key: &str, done: &Done) -> Result<bool, StageError> {
        match self.keys.get(key) {
            None => Ok(false),
            Some(before) if before == done => Ok(true),
            Some(_) => Err(error(ErrorKind::InvalidInput, "the key was used for another call")),
        }
    }

    /// Brings a release up, without traffic.
    pub fn deploy(&mut self, key: &str, fence: u64, release: &Release) -> Result<(), StageError> {
        self.takes(fence)?;
        let done = Done::Deployed(release.clone());
        if !self.done(key, &done)? {
            self.running.insert(release.id.clone());
            self.keys.insert(key.to_owned(), done);
        }
        Ok(())
    }

    /// What the key deployed.
    pub fn find(&self, key: &str) -> Option<Release> {
        match self.keys.get(key) {
            Some(Done::Deployed(release)) => Some(release.clone()),
            _ => None,
        }
    }

    /// Shares the traffic.
    pub fn set(&mut self, key: &str, fence: u64, splits: &[Split], now: i64) -> Result<(), StageError> {
        self.takes(fence)?;
        let done = Done::Set(splits.to_vec());
        if self.done(key, &done)? {
            return Ok(());
        }
        if let Some(split) = splits.iter().find(|split| !self.running.contains(&split.release)) {
            return Err(error(ErrorKind::InvalidInput, &format!("the release {} does not run", split.release)));
        }
        self.lease_until = match splits {
            [Split { release, percent: 100 }] => {
                self.stable.clone_from(release);
                None
            }
            _ => Some(now + LEASE),
        };
        self.returned = false;
        self.splits = splits.to_vec();
        self.keys.insert(key.to_owned(), done);
        Ok(())
    }

    /// Begins the lease anew.
    pub fn renew(&mut self, fence: u64, now: i64) -> Result<bool, StageError> {
        self.takes(fence)?;
        self.expire(now);
        if self.lease_until.is_some() {
            self.lease_until = Some(now + LEASE);
        }
        Ok(self.returned)
    }

    /// Gives traffic back to the stable release where nobody renewed in time.
    pub fn expire(&mut self, now: i64) {
        if self.lease_until.is_some_and(|until| until <= now) {
            self.splits = vec![Split { release: self.stable.clone(), percent: 100 }];
            self.lease_until = None;
            self.returned = true;
        }
    }

    /// A person puts another release there, past this project.
    pub fn seize(&mut self, id: &str) {
        self.running.insert(id.to_owned());
        self.stable = id.to_owned();
        self.splits = vec![Split { release: id.to_owned(), percent: 100 }];
        (self.lease_until, self.returned) = (None, false);
    }

    /// The release's share.
    pub fn share(&self, release: &str) -> u8 {
        self.splits.iter().filter(|split| split.release == release).map(|split| split.percent).sum()
    }
}
