//! A target that serves an environment: keyed, fenced, with a lease on a candidate's share, as the contract wants it. Where a plugin speaks
//! for it there is no lease, and it may lie.

use std::collections::{BTreeMap, BTreeSet};

use autodevops_model::{ErrorKind, Release, Split, StageError};

use crate::stock::{FOREIGN, OLD, error};

/// How long a candidate keeps its share without being renewed: nanoseconds.
const LEASE: i64 = 60_000_000_000;

/// What a call did.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Done {
    Deployed(Release),
    Set(Vec<Split>),
}

/// How a target lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lie {
    /// It does nothing, says that it did, and tells what truly serves.
    Idles,
    /// It does what it says, and tells that these serve; what it deploys it calls by another name.
    Tells(Vec<Split>),
    /// It does nothing, says that it did, and tells that what it was asked for serves. Nothing that it says shows it.
    Deceives,
}

/// An environment and what serves it.
#[derive(Clone, Debug)]
pub struct Target {
    fenced: bool,
    leases: bool,
    /// The highest fence seen.
    fence: u64,
    /// Shares of the traffic.
    pub splits: Vec<Split>,
    /// The fence that they were set with.
    pub set_with: u64,
    /// Whether traffic returned to stable by itself since shares were set.
    pub returned: bool,
    running: BTreeSet<String>,
    /// Releases that ended by themselves, and until when they stay so.
    down: BTreeMap<String, i64>,
    stable: String,
    lease_until: Option<i64>,
    keys: BTreeMap<String, Done>,
    /// How it lies now, and until when.
    lie: Option<(Lie, i64)>,
    /// The shares that it was asked for last.
    asked: Vec<Split>,
    /// Whether it ever did nothing, and said that it had.
    pub idled: bool,
    /// Whether it ever told of shares that do not serve.
    pub told_lies: bool,
    /// Whether it ever did nothing, and told that what it was asked for serves.
    pub deceived: bool,
}

impl Target {
    /// One that serves the old release.
    pub fn new(fenced: bool, leases: bool) -> Self {
        let splits = vec![Split { release: OLD.into(), percent: 100 }];
        Self {
            fenced,
            leases,
            fence: 0,
            asked: splits.clone(),
            splits,
            set_with: 0,
            returned: false,
            running: BTreeSet::from([OLD.to_owned()]),
            down: BTreeMap::new(),
            stable: OLD.to_owned(),
            lease_until: None,
            keys: BTreeMap::new(),
            lie: None,
            idled: false,
            told_lies: false,
            deceived: false,
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

    /// Begins to lie.
    pub fn lies(&mut self, lie: Lie, until: i64) {
        self.lie = Some((lie, until));
    }

    /// Whether it does nothing of what it is asked, and says that it did.
    fn pretends(&mut self) -> bool {
        let lie = self.lie.as_ref().map(|(lie, _)| lie);
        self.idled |= lie == Some(&Lie::Idles);
        self.deceived |= lie == Some(&Lie::Deceives);
        matches!(lie, Some(Lie::Idles | Lie::Deceives))
    }

    /// Brings a release up, without traffic.
    pub fn deploy(&mut self, key: &str, fence: u64, release: &Release) -> Result<(), StageError> {
        self.takes(fence)?;
        if self.pretends() {
            return Ok(());
        }
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
        self.asked = splits.to_vec();
        if self.pretends() {
            return Ok(());
        }
        let done = Done::Set(splits.to_vec());
        if self.done(key, &done)? {
            return Ok(());
        }
        for Split { release, percent } in splits {
            if !self.running.contains(release) {
                return Err(error(ErrorKind::InvalidInput, &format!("the release {release} does not run")));
            }
            // What traffic returns to by itself may have it in any case.
            let gains = *percent > self.share(release) && *release != self.stable;
            if gains && self.is_down(release) {
                return Err(error(ErrorKind::Failed, &format!("the release {release} does not answer")));
            }
        }
        self.put(splits, now);
        self.set_with = fence;
        self.keys.insert(key.to_owned(), done);
        Ok(())
    }

    fn put(&mut self, splits: &[Split], now: i64) {
        self.lease_until = match splits {
            [Split { release, percent: 100 }] => {
                self.stable.clone_from(release);
                None
            }
            _ => self.leases.then_some(now + LEASE),
        };
        self.returned = false;
        self.splits = splits.to_vec();
    }

    /// What it says that it deployed.
    pub fn named(&self, release: &Release) -> Release {
        match &self.lie {
            Some((Lie::Tells(_), _)) => crate::stock::release(FOREIGN),
            _ => release.clone(),
        }
    }

    /// What it says that serves.
    pub fn live(&mut self) -> Vec<Split> {
        let said = match &self.lie {
            Some((Lie::Tells(splits), _)) => splits,
            Some((Lie::Deceives, _)) => &self.asked,
            _ => &self.splits,
        };
        self.told_lies |= *said != self.splits;
        said.clone()
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

    /// Gives traffic back to the stable release where nobody renewed in time, once that is up or nothing else is; ends what lasts no longer.
    pub fn expire(&mut self, now: i64) {
        self.down.retain(|_, until| *until > now);
        let kept = self.is_down(&self.stable) && self.splits.iter().any(|split| !self.is_down(&split.release));
        if self.lease_until.is_some_and(|until| until <= now) && !kept {
            self.splits = vec![Split { release: self.stable.clone(), percent: 100 }];
            self.lease_until = None;
            self.returned = true;
        }
        self.lie.take_if(|(_, until)| *until <= now);
    }

    /// A person puts another release there, past this project.
    pub fn seize(&mut self, id: &str) {
        self.running.insert(id.to_owned());
        self.stable = id.to_owned();
        self.splits = vec![Split { release: id.to_owned(), percent: 100 }];
        (self.lease_until, self.returned) = (None, false);
    }

    /// A person has it tell the truth, and all that runs is up.
    pub fn set_right(&mut self) {
        self.lie = None;
        self.down.clear();
    }

    /// A person makes it what it ought to be: it is honest, all is up, and this one serves.
    pub fn mend(&mut self, release: &str, now: i64) {
        self.set_right();
        self.running.insert(release.to_owned());
        self.put(&[Split { release: release.to_owned(), percent: 100 }], now);
    }

    /// A release that runs ends by itself, and does not come back before this moment.
    pub fn crash(&mut self, release: &str, until: i64) -> bool {
        let runs = self.runs(release);
        if runs {
            self.down.insert(release.to_owned(), until);
        }
        runs
    }

    /// Stops a release that has no traffic, and to which none returns by itself.
    pub fn stop(&mut self, release: &str) -> bool {
        *release != *self.stable && self.share(release) == 0 && self.running.remove(release)
    }

    /// Whether a release was brought up, and not stopped.
    pub fn runs(&self, release: &str) -> bool {
        self.running.contains(release)
    }

    /// Whether a release ended by itself.
    pub fn is_down(&self, release: &str) -> bool {
        self.down.contains_key(release)
    }

    /// The release's share.
    pub fn share(&self, release: &str) -> u8 {
        self.splits.iter().filter(|split| split.release == release).map(|split| split.percent).sum()
    }
}
