//! What each call does.

use std::{sync::Arc, time::Duration};

use autodevops_model::{ErrorKind, Release, Split, StageError, Window};

use crate::{
    EnvironmentStatus, Observed, Start, TrafficState,
    clock::now,
    environment::Environment,
    pool::probe,
    record::{Effect, Lease, Record, Started},
    refusal::{error, failed, invalid},
    release::Running,
    supervise::PROBE,
};

/// Longest key, in bytes.
const MAX_KEY_BYTES: usize = 256;
/// How long a release that gains traffic may take to be up again, when it is being started again just then.
const GAIN: Duration = Duration::from_secs(5);
/// Pause between two probes meanwhile.
const PAUSE: Duration = Duration::from_millis(50);

impl Environment {
    /// Starts a release and waits until it is ready.
    pub async fn start(self: &Arc<Self>, start: Start) -> Result<(), StageError> {
        check_name("release", &start.release.id)?;
        check_key(&start.key)?;
        if !start.root.is_absolute() || !start.root.is_dir() {
            let root = start.root.display();
            return Err(invalid(format!("the release's folder `{root}` is not a folder named from the root")));
        }
        let effect = Effect::Start(start.release.clone());
        // One that is up waits for none that starts or drains, nor for a front door that takes over: it may be what traffic goes back to.
        let mut turn = None;
        let is_started = loop {
            match self.look_at_start(&start, &effect).await? {
                None => return Ok(()),
                Some(false) if turn.is_none() => turn = Some(self.lifecycle.lock().await),
                Some(is_started) => break is_started,
            }
        };
        let (id, key) = (start.release.id.clone(), start.key.clone());
        let started = if is_started {
            self.until_answers(&id).await?;
            None
        } else {
            let Start { release, root, run, .. } = start;
            Some(self.begin(Started { release, root, run, port: 0 }).await?)
        };
        let mut record = self.record.lock().await;
        let mut next = record.clone();
        let is_new = started.is_some();
        match started {
            Some(started) => drop(next.releases.insert(id.clone(), started)),
            // It may have been stopped meanwhile.
            None if !next.releases.contains_key(&id) => return Err(self.unknown(&id)),
            None => {}
        }
        next.done(&key, effect);
        let saved = self.commit(&mut record, next).await;
        drop(record);
        if saved.is_err() && is_new {
            self.end(&id).await;
        }
        saved
    }

    /// Takes its fence; whether the release was started before, and none where its key was done.
    async fn look_at_start(&self, start: &Start, effect: &Effect) -> Result<Option<bool>, StageError> {
        let mut record = self.record.lock().await;
        self.take_fence(&mut record, start.fence).await?;
        if record.is_done(&start.key, effect)? {
            return Ok(None);
        }
        record.is_started(start).map(Some)
    }

    /// Waits for a release that was started before and may be down just now.
    async fn until_answers(&self, id: &str) -> Result<(), StageError> {
        let running = self.release(id).ok_or_else(|| self.unknown(id))?;
        if running.when_up(self.setup.ready_timeout).await.is_some() {
            return Ok(());
        }
        let mut error = failed(format!("the release `{id}` of {} was started before and does not answer", self.name));
        error.info.details.push(("output".into(), running.tail.text()));
        Err(error)
    }

    /// The release that a key started.
    pub async fn find(&self, key: &str) -> Option<Release> {
        self.record.lock().await.find(key).cloned()
    }

    /// Stops a release.
    pub async fn stop(&self, key: &str, fence: u64, release: &str) -> Result<(), StageError> {
        check_key(key)?;
        let _one_at_a_time = self.lifecycle.lock().await;
        {
            let mut record = self.record.lock().await;
            self.take_fence(&mut record, fence).await?;
            let effect = Effect::Stop(release.to_owned());
            if record.is_done(key, &effect)? {
                return Ok(());
            }
            record.may_stop(release)?;
            let mut next = record.clone();
            if next.releases.remove(release).is_none() {
                return Err(self.unknown(release));
            }
            next.done(key, effect);
            self.commit(&mut record, next).await?;
        }
        self.end(release).await;
        Ok(())
    }

    /// Sets the shares.
    pub async fn set_traffic(&self, key: &str, fence: u64, splits: Vec<Split>) -> Result<TrafficState, StageError> {
        check_key(key)?;
        let splits = Record::ordered(splits);
        let gaining = Self::gaining(&*self.record.lock().await, &splits);
        let mut refused = None;
        for id in &gaining {
            if let Some(running) = self.release(id)
                && !self.answers(&running).await
            {
                refused = Some(self.does_not_answer(&running));
            }
        }
        let mut record = self.record.lock().await;
        self.take_fence(&mut record, fence).await?;
        let effect = Effect::Traffic(splits.clone());
        if !record.is_done(key, &effect)? {
            record.check(&splits)?;
            if let Some(refused) = refused {
                return Err(refused);
            }
            if Self::gaining(&record, &splits) != gaining {
                let text = "the shares were changed by another call just now; read them again";
                return Err(error(ErrorKind::Unavailable, text.to_owned()));
            }
            let mut next = record.clone();
            next.set(splits, self.lease, now());
            next.done(key, effect);
            self.commit(&mut record, next).await?;
        }
        Ok(record.state())
    }

    /// The releases that gain by the shares, which must answer; the stable one may always have its traffic back.
    fn gaining(record: &Record, splits: &[Split]) -> Vec<String> {
        let is_stable = |id: &str| record.stable.as_ref().is_some_and(|stable| stable.id == id);
        let gaining = splits.iter().filter(|split| split.percent > record.percent(&split.release));
        gaining.map(|split| split.release.clone()).filter(|id| !is_stable(id)).collect()
    }

    /// The release that answers a client, which is told by its cookie's or its header's value.
    pub fn answering(&self, client: &str) -> Result<Option<String>, StageError> {
        Ok(self.assigned(self.sorting.client(client).map_err(invalid)?))
    }

    /// What the lease comes to now. Nothing is held while the releases are asked whether they answer.
    pub async fn look_at_lease(&self) -> Lease {
        let overdue = {
            let record = self.record.lock().await;
            if !record.is_overdue(now()) {
                return Lease::Holds;
            }
            record.clone()
        };
        let works_only_here = self.works_only_here(&overdue).await;
        let mut record = self.record.lock().await;
        if (&record.splits, &record.stable) != (&overdue.splits, &overdue.stable) {
            // Another call was quicker.
            return Lease::Holds;
        }
        let mut next = record.clone();
        let lease = next.expire(now(), works_only_here);
        if next == *record {
            return lease;
        }
        match lease {
            Lease::Holds => return lease,
            Lease::Returned => tracing::warn!(
                environment = self.name,
                "nobody renewed the shares: traffic returned to the stable release"
            ),
            Lease::Kept => tracing::error!(
                environment = self.name,
                stable = next.stable.as_ref().map(|stable| &stable.id),
                "nobody renewed the shares, and the stable release does not answer: traffic stays with what works until it does"
            ),
        }
        // Safety first: traffic returns even when that cannot be saved.
        self.put(&mut record, next).await;
        lease
    }

    /// Whether the stable release does not answer, and another one that has a share does.
    async fn works_only_here(&self, record: &Record) -> bool {
        let is_stable = |id: &str| record.stable.as_ref().is_some_and(|stable| stable.id == id);
        let stable = record.stable.as_ref().and_then(|stable| self.release(&stable.id));
        if let Some(stable) = &stable
            && self.answers(stable).await
        {
            return false;
        }
        for split in record.splits.iter().filter(|split| !is_stable(&split.release)) {
            if let Some(other) = self.release(&split.release)
                && self.answers(&other).await
            {
                return true;
            }
        }
        false
    }

    /// Whether a release answers its probe now, or soon: it may be started again just then.
    async fn answers(&self, running: &Running) -> bool {
        let answered = async {
            loop {
                let Some(pool) = running.when_up(GAIN).await else { return false };
                if probe(pool.socket(), &self.setup.probe, PROBE).await.is_ready() {
                    return true;
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        tokio::time::timeout(GAIN, answered).await.unwrap_or(false)
    }

    fn does_not_answer(&self, running: &Running) -> StageError {
        let (id, restarts) = (running.id(), running.status(0).restarts);
        let mut error = failed(format!(
            "the release `{id}` of {} does not answer now (it was started again {restarts} times), so it gets no more \
             traffic",
            self.name
        ));
        error.info.details.push(("output".into(), running.tail.text()));
        error
    }

    /// Begins the lease anew.
    pub async fn renew(&self, fence: u64) -> Result<TrafficState, StageError> {
        // One that has run out just now is not brought back, unless its shares stay anyway.
        self.look_at_lease().await;
        let mut record = self.record.lock().await;
        self.take_fence(&mut record, fence).await?;
        let mut next = record.clone();
        next.renew(self.lease, now());
        if next != *record {
            self.commit(&mut record, next).await?;
        }
        Ok(record.state())
    }

    /// What serves.
    pub async fn traffic(&self) -> Option<TrafficState> {
        let record = self.record.lock().await;
        record.is_used().then(|| record.state())
    }

    /// The address of one release.
    pub fn url(&self, release: &str) -> Result<String, StageError> {
        self.release(release).map(|running| running.url()).ok_or_else(|| self.unknown(release))
    }

    /// What was observed of a release.
    pub fn observe(&self, release: &str, window: &Window) -> Result<Observed, StageError> {
        let stats = self.stats(release).ok_or_else(|| self.unknown(release))?;
        Ok(stats.observe(release, window, now()))
    }

    /// What is told of the environment.
    pub async fn status(&self) -> EnvironmentStatus {
        let traffic = self.traffic().await;
        let percent = |id: &str| {
            let splits = traffic.iter().flat_map(|traffic| &traffic.splits);
            splits.filter(|split| split.release == id).map(|split| split.percent).next().unwrap_or(0)
        };
        let releases = self.releases().iter().map(|running| running.status(percent(running.id()))).collect();
        EnvironmentStatus { listen: self.options.listen, traffic, releases }
    }

    /// Takes a fence; a higher one than before is on disk when this returns.
    async fn take_fence(&self, record: &mut Record, fence: u64) -> Result<(), StageError> {
        let mut next = record.clone();
        next.fence(fence)?;
        if next.fence != record.fence {
            self.commit(record, next).await?;
        }
        Ok(())
    }

    fn unknown(&self, release: &str) -> StageError {
        let names: Vec<String> = self.releases().iter().map(|running| running.id().to_owned()).collect();
        let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        invalid(format!("the release `{release}` does not run in {}; these do: {known}", self.name))
    }
}

/// Names of environments and releases: at most 64 of `a-z`, `0-9`, `-`.
pub fn check_name(what: &str, name: &str) -> Result<(), StageError> {
    let valid = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if (1..=64).contains(&name.len()) && name.bytes().all(valid) {
        return Ok(());
    }
    Err(invalid(format!("`{name}` is no name of {} {what}; use at most 64 of a-z, 0-9 and -", article(what))))
}

fn article(what: &str) -> &'static str {
    if what.starts_with('e') { "an" } else { "a" }
}

fn check_key(key: &str) -> Result<(), StageError> {
    if (1..=MAX_KEY_BYTES).contains(&key.len()) {
        return Ok(());
    }
    Err(invalid(format!("a key has 1 to {MAX_KEY_BYTES} bytes; this one has {}", key.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        for name in ["production", "r-1", &"a".repeat(64)] {
            check_name("release", name).unwrap();
        }
        for name in ["", "R", "a\"b", "a/b", "..", &"a".repeat(65)] {
            assert!(check_name("environment", name).unwrap_err().info.message.contains("of an environment"), "{name}");
        }
        assert!(check_key("").is_err() && check_key(&"k".repeat(257)).is_err() && check_key("k").is_ok());
    }
}
