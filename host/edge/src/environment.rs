//! An environment: what it remembers, what runs, and where its requests go.

mod routes;

use std::{
    collections::{BTreeMap, VecDeque},
    net::TcpListener,
    os::fd::OwnedFd,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, atomic::AtomicU64},
    time::Duration,
};

use autodevops_model::StageError;
use tokio::{
    sync::{Mutex as AsyncMutex, Notify, oneshot},
    task::JoinHandle,
};

use crate::{
    EdgeError, EdgeOptions, EnvironmentOptions, Sorting,
    assign::{ClientId, assign},
    clock::{not_before, now},
    listener::{Closing, Service},
    metrics::{Live, Row},
    output::forget_all_but,
    proxy,
    record::{Lease, Record, Started},
    refusal::failed,
    release::{Exchange, Running},
    sorting::Asker,
    stats::{Counted, Source, Stats},
    store::{Counters, Store},
    supervise::{Setup, supervise},
};

use routes::Routes;

/// Releases that were stopped and can still be observed.
const MAX_PAST: usize = 16;
/// Pause between two looks whether the stable release answers again, to which traffic is to return.
const KEPT: Duration = Duration::from_secs(1);

/// An environment.
#[derive(Debug)]
pub struct Environment {
    /// Its name.
    pub name: String,
    /// How it is set up.
    pub options: EnvironmentOptions,
    /// How long a candidate keeps its share without being renewed.
    pub lease: Duration,
    /// What releases are started with.
    pub setup: Arc<Setup>,
    /// What connections are served with.
    pub service: Service,
    /// How it is told who asks.
    pub sorting: Sorting,
    /// Requests for which there was no release.
    pub unrouted: AtomicU64,
    /// What is remembered. A call changes a copy, saves it, and puts it here.
    pub record: AsyncMutex<Record>,
    /// Held while a release is started or stopped: one at a time.
    pub lifecycle: AsyncMutex<()>,
    /// Wakes what waits for the lease to run out.
    pub lease_changed: Notify,
    store: Store,
    routes: RwLock<Routes>,
    running: Mutex<BTreeMap<String, Entry>>,
    past: Mutex<VecDeque<(String, Arc<Stats>)>>,
}

#[derive(Debug)]
struct Entry {
    running: Arc<Running>,
    supervisor: JoinHandle<()>,
    /// What closes the release's own address, and its socket.
    preview: oneshot::Sender<Closing>,
    listener: Option<TcpListener>,
}

impl Environment {
    /// An environment that remembers `record`; nothing runs yet.
    pub fn new(
        name: String,
        options: EnvironmentOptions,
        edge: &EdgeOptions,
        setup: Arc<Setup>,
        service: Service,
        store: Store,
        record: Record,
    ) -> Arc<Self> {
        Arc::new(Self {
            name,
            options,
            lease: edge.lease,
            setup,
            service,
            sorting: edge.sorting.clone(),
            unrouted: AtomicU64::new(0),
            record: AsyncMutex::new(record),
            lifecycle: AsyncMutex::new(()),
            lease_changed: Notify::new(),
            store,
            routes: RwLock::default(),
            running: Mutex::default(),
            past: Mutex::default(),
        })
    }

    /// Starts again what ran when this was saved, on sockets that were taken over where there are some; does not wait
    /// until it is ready.
    pub async fn restore(self: &Arc<Self>, inherited: &mut Vec<TcpListener>) {
        let mut counters = self.store.counters();
        goes_on_from(&counters);
        let mut record = self.record.lock().await;
        for started in record.releases.values_mut() {
            let is_own = |listener: &TcpListener| listener.local_addr().is_ok_and(|at| at.port() == started.port);
            let listener = match inherited.iter().position(is_own) {
                Some(index) => Ok(inherited.swap_remove(index)),
                None => bind(started.port),
            };
            let listener = match listener {
                Ok(listener) => listener,
                Err(error) => {
                    tracing::error!(release = started.release.id, %error, "a release has no address of its own");
                    continue;
                }
            };
            started.port = listener.local_addr().map_or(started.port, |address| address.port());
            let stats = Arc::new(Stats::new(now()));
            counters.remove(&started.release.id).into_iter().for_each(|counted| stats.absorb(counted));
            self.launch(started.clone(), stats, listener, None);
        }
        drop(record);
        self.absorb(counters);
    }

    /// Reads the record again, which a front door that stands still now may have changed since.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn read_again(&self) -> Result<(), EdgeError> {
        let mut record = self.record.lock().await;
        let mut next = self.store.load()?;
        for (id, started) in &mut next.releases {
            if let Some(running) = record.releases.get(id) {
                started.port = running.port;
            }
        }
        *record = next;
        Ok(())
    }

    /// Lets requests go where the record says, and keeps what changed since it was written.
    pub async fn open(&self) {
        let mut record = self.record.lock().await;
        let next = record.clone();
        if self.store.load().is_ok_and(|saved| saved != next) {
            self.put(&mut record, next).await;
        } else {
            self.route(&next);
        }
    }

    /// Waits until the releases are up that must be.
    ///
    /// # Errors
    /// Which is not, with the end of its output.
    pub async fn until_up(&self, releases: &[String]) -> Result<(), EdgeError> {
        for id in releases {
            let Some(running) = self.release(id) else { continue };
            if running.when_up(self.setup.ready_timeout).await.is_none() {
                let (seconds, tail) = (self.setup.ready_timeout.as_secs_f64(), running.tail.text());
                return Err(EdgeError::Handover(format!(
                    "the release `{id}` of {} is up in the front door that serves, and does not get ready in this \
                     one within {seconds} s: {tail}",
                    self.name
                )));
            }
        }
        Ok(())
    }

    /// Starts a release and waits until it is ready; it is running then, but not remembered.
    pub async fn begin(self: &Arc<Self>, mut started: Started) -> Result<Started, StageError> {
        let id = started.release.id.clone();
        let no_address = |error| failed(format!("the release `{id}` gets no address of its own: {error}"));
        let listener = bind(0).map_err(no_address)?;
        started.port = listener.local_addr().map_err(no_address)?.port();
        let known = self.all_stats();
        forget_all_but(self.setup.log.path(), |release| known.contains_key(release));
        let (told, first) = oneshot::channel();
        self.launch(started.clone(), Arc::new(Stats::new(now())), listener, Some(told));
        let outcome = first.await.unwrap_or_else(|_| Err(failed(format!("the release `{id}` was stopped meanwhile"))));
        if let Err(error) = outcome {
            self.end(&id).await;
            return Err(error);
        }
        Ok(started)
    }

    fn launch(
        self: &Arc<Self>,
        started: Started,
        stats: Arc<Stats>,
        listener: TcpListener,
        first: Option<oneshot::Sender<Result<(), StageError>>>,
    ) {
        let running = Running::new(started, stats);
        let (preview, ended) = oneshot::channel();
        let ended = async { ended.await.unwrap_or_default() };
        let handed_over = listener.try_clone().ok();
        tokio::spawn(proxy::preview(Arc::clone(self), Arc::clone(&running), listener, ended));
        let supervisor = tokio::spawn(supervise(Arc::clone(&running), Arc::clone(&self.setup), first));
        self.entries().insert(running.id().to_owned(), Entry { running, supervisor, preview, listener: handed_over });
    }

    /// Stops a release, after it answered what it is answering.
    pub async fn end(&self, id: &str) {
        let Some(entry) = self.entries().remove(id) else { return };
        entry.running.stop();
        if let Err(error) = entry.supervisor.await {
            tracing::error!(release = id, %error, "a supervisor failed");
        }
        // It may have been closed already.
        let _ = entry.preview.send(Closing::default());
        self.remember(id.to_owned(), Arc::clone(&entry.running.stats));
    }

    /// Keeps what was observed of a release that does not run any more.
    fn remember(&self, id: String, stats: Arc<Stats>) {
        stats.forget_who_asked();
        let mut past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        past.retain(|(name, _)| *name != id);
        past.push_back((id, stats));
        if past.len() > MAX_PAST {
            past.pop_front();
        }
    }

    /// The sockets of the releases' own addresses.
    pub fn previews(&self) -> Vec<std::io::Result<OwnedFd>> {
        let entries = self.entries();
        let listeners = entries.values().filter_map(|entry| entry.listener.as_ref());
        listeners.map(|listener| Ok(listener.try_clone()?.into())).collect()
    }

    /// Closes the releases' own addresses here, for another process answers there.
    pub fn close_previews(&self, closing: Closing) {
        for entry in self.entries().values_mut() {
            let (unused, _) = oneshot::channel();
            let _ = std::mem::replace(&mut entry.preview, unused).send(closing);
        }
    }

    /// Takes out what was counted.
    pub fn take_counters(&self) -> Counters {
        self.all_stats().into_iter().map(|(id, stats)| (id, stats.take())).collect()
    }

    /// Adds what was counted elsewhere.
    pub fn absorb(&self, counters: Counters) {
        goes_on_from(&counters);
        for (id, counted) in counters {
            let stats = self.stats(&id).unwrap_or_else(|| {
                let stats = Arc::new(Stats::new(now()));
                self.remember(id, Arc::clone(&stats));
                stats
            });
            stats.absorb(counted);
        }
    }

    /// Keeps what was counted where it outlives this process; `changes` tells whether there is anything new.
    pub async fn save_counters(&self, changes: &mut u64) {
        let stats = self.all_stats();
        let now = stats.values().map(|stats| stats.changes()).fold(0, u64::wrapping_add);
        if now == *changes {
            return;
        }
        let counters = stats.into_iter().map(|(id, stats)| (id, stats.counted())).collect();
        match self.store.save_counters(counters).await {
            Ok(()) => *changes = now,
            Err(error) => tracing::warn!(environment = self.name, %error, "what was counted cannot be kept"),
        }
    }

    fn all_stats(&self) -> BTreeMap<String, Arc<Stats>> {
        let mut all: BTreeMap<String, Arc<Stats>> =
            self.past.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect();
        all.extend(self.releases().iter().map(|running| (running.id().to_owned(), Arc::clone(&running.stats))));
        all
    }

    /// Stops everything.
    pub async fn end_all(&self) {
        let running: Vec<Arc<Running>> = self.entries().values().map(|entry| Arc::clone(&entry.running)).collect();
        // All at once, so that the times to drain do not add up.
        running.iter().for_each(|running| running.stop());
        for running in running {
            self.end(running.id()).await;
        }
    }

    /// Saves a changed record and lets it take effect.
    pub async fn commit(&self, held: &mut Record, next: Record) -> Result<(), StageError> {
        self.store.save(&next).await.map_err(|error| {
            failed(format!("the state of {} cannot be saved: {error}; nothing was changed", self.name))
        })?;
        self.route(&next);
        *held = next;
        self.lease_changed.notify_one();
        Ok(())
    }

    /// Returns traffic to the stable release when shares are not renewed; runs as long as the environment.
    pub async fn keep_lease(self: Arc<Self>) {
        loop {
            let until = {
                let mut record = self.record.lock().await;
                record.bound_lease(self.lease, now());
                record.lease_until
            };
            let Some(until) = until else {
                self.lease_changed.notified().await;
                continue;
            };
            let left = u64::try_from(until.saturating_sub(now())).unwrap_or(0);
            if left > 0 {
                // The clock is looked at again and again: it may be set, or the machine may have slept.
                let look = Duration::from_nanos(left).min(Duration::from_secs(1));
                tokio::select! {
                    () = tokio::time::sleep(look) => {}
                    () = self.lease_changed.notified() => {}
                }
                continue;
            }
            if self.look_at_lease().await == Lease::Kept {
                tokio::select! {
                    () = tokio::time::sleep(KEPT) => {}
                    () = self.lease_changed.notified() => {}
                }
            }
        }
    }

    /// Lets a changed record take effect, also where it cannot be saved.
    pub async fn put(&self, held: &mut Record, next: Record) {
        self.route(&next);
        if let Err(error) = self.store.save(&next).await {
            tracing::error!(environment = self.name, %error, "the state cannot be saved");
        }
        *held = next;
    }

    fn route(&self, record: &Record) {
        let entries = self.entries();
        let find = |id: &str| entries.get(id).map(|entry| Arc::clone(&entry.running));
        let (splits, targets) =
            record.splits.iter().filter_map(|split| Some((split.clone(), find(&split.release)?))).unzip();
        let stable = record.stable.as_ref().and_then(|stable| find(&stable.id));
        // One lock at a time.
        drop(entries);
        *self.routes.write().unwrap_or_else(PoisonError::into_inner) = Routes { splits, targets, stable };
    }

    /// The release that answers, with the request begun, so that it is not stopped meanwhile. A tester's request goes to
    /// the candidate, where there is one with a share; it is counted apart, since it is no part of the split.
    pub fn pick(&self, asker: &Asker) -> Option<Exchange> {
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        if asker.is_tester
            && let Some(candidate) = routes.candidate()
        {
            return Some(candidate.begin(Source::Preview, asker.client));
        }
        let target = routes.targets.get(assign(asker.client, &routes.splits)?)?;
        Some(target.begin(Source::Traffic, asker.client))
    }

    /// The release that answers a client by the shares; none when nothing has one.
    pub fn assigned(&self, client: ClientId) -> Option<String> {
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        Some(routes.targets.get(assign(client, &routes.splits)?)?.id().to_owned())
    }

    /// The stable release, for a request that another one did not answer.
    pub fn instead_of(&self, other: &Running, client: ClientId) -> Option<Exchange> {
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        let stable = routes.stable.as_ref().filter(|stable| stable.id() != other.id())?;
        stable.pool()?;
        Some(stable.begin(Source::Traffic, client))
    }

    /// A release that runs.
    pub fn release(&self, id: &str) -> Option<Arc<Running>> {
        self.entries().get(id).map(|entry| Arc::clone(&entry.running))
    }

    /// All releases that run.
    pub fn releases(&self) -> Vec<Arc<Running>> {
        self.entries().values().map(|entry| Arc::clone(&entry.running)).collect()
    }

    /// What was observed of a release that runs or ran.
    pub fn stats(&self, id: &str) -> Option<Arc<Stats>> {
        let past = || {
            let past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
            past.iter().find(|(name, _)| name == id).map(|(_, stats)| Arc::clone(stats))
        };
        self.release(id).map(|running| Arc::clone(&running.stats)).or_else(past)
    }

    /// What the metrics tell of its releases.
    pub fn rows(&self) -> Vec<Row> {
        let splits = self.routes.read().unwrap_or_else(PoisonError::into_inner).splits.clone();
        let percent = |id: &str| splits.iter().find(|split| split.release == id).map_or(0, |split| split.percent);
        let live = self.releases().into_iter().map(|running| {
            let percent = percent(running.id());
            let status = running.status(percent);
            let up = running.pool().is_some() && !status.probe_fails;
            Row {
                environment: self.name.clone(),
                release: running.id().to_owned(),
                stats: Arc::clone(&running.stats),
                live: Some(Live { up, crash_loop: status.crash_loop, restarts: status.restarts, percent }),
            }
        });
        let mut rows: Vec<Row> = live.collect();
        for (name, stats) in self.past.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            if rows.iter().all(|row| row.release != *name) {
                let (environment, release) = (self.name.clone(), name.clone());
                rows.push(Row { environment, release, stats: Arc::clone(stats), live: None });
            }
        }
        rows
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Time goes on from what was counted: a clock that is behind it would count beyond the windows that are asked for.
fn goes_on_from(counters: &Counters) {
    counters.values().map(Counted::until).for_each(not_before);
}

/// A port on this machine: the one that is asked for, or, where it is taken meanwhile, another.
fn bind(port: u16) -> std::io::Result<TcpListener> {
    match TcpListener::bind(("127.0.0.1", port)) {
        Err(_) if port != 0 => TcpListener::bind(("127.0.0.1", 0)),
        bound => bound,
    }
}
