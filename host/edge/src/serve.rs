//! The front door's process: what is set up, in which order, and how it ends.

use std::{
    collections::BTreeMap,
    io,
    net::{SocketAddr, TcpListener},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{Mutex, watch},
    task::JoinSet,
};

use crate::{
    EdgeError, EdgeOptions,
    calls::check_name,
    control::{self, Edge, Ending},
    environment::Environment,
    handover::{Heritage, Old},
    lanes::Lanes,
    listener::{Closing, Service},
    lock::Lock,
    metrics,
    output::{Log, rotate_own},
    proxy,
    runtime_folder::RuntimeFolder,
    socket,
    spawn::Spawner,
    store::Store,
    supervise::Setup,
};

/// For how long a client may go on using its connection when another process serves: longer than most leave one idle
/// between two requests, and not so long that the old releases stay for it.
const LINGER: Duration = Duration::from_secs(5);
/// How often what was counted is kept: so much of it is lost when the process is killed.
const KEEP_COUNTERS: Duration = Duration::from_secs(2);
/// How often the process's own log is looked at.
const LOOK_AT_LOG: Duration = Duration::from_secs(60);

/// Serves until the process is told to end, by SIGTERM, SIGINT or [`Client::shutdown`](crate::Client::shutdown), or another
/// one has taken over. Requests and releases are then ended as when a release is stopped.
///
/// Must run on a runtime with I/O and time. It raises the process's limit of open files as far as it may.
///
/// # Errors
/// When the state folder is served already or cannot be used, or an address cannot be listened on; nothing was changed
/// then.
pub async fn serve(options: EdgeOptions) -> Result<(), EdgeError> {
    run(options, false).await
}

/// Takes over from the process that serves the state folder, then serves as [`serve`] does: with its sockets, its releases
/// started anew, and what it counted. It ends when what it is answering has ended. No request fails for it.
///
/// # Errors
/// As [`serve`]; and when there is no such process, or a release that is up there does not get ready here. That process
/// goes on then.
pub async fn take_over(options: EdgeOptions) -> Result<(), EdgeError> {
    run(options, true).await
}

async fn run(options: EdgeOptions, takes_over: bool) -> Result<(), EdgeError> {
    for name in options.environments.keys() {
        check_name("environment", name).map_err(|error| EdgeError::Options(error.info.message))?;
    }
    std::fs::create_dir_all(&options.state).map_err(EdgeError::file(&options.state))?;
    let state = options.state.canonicalize().map_err(EdgeError::file(&options.state))?;
    let heritage = if takes_over { Some(Heritage::ask(&state).await?) } else { None };
    let (lock, control, mut inherited, must_be_up, mut old) = match heritage {
        Some(Heritage { lock, control, listeners, up, old }) => (lock, Some(control), listeners, up, Some(old)),
        None => (Lock::take(&state)?, None, Vec::new(), BTreeMap::new(), None),
    };
    let mut listeners = BTreeMap::new();
    for (name, environment) in &options.environments {
        let what = format!("the environment `{name}`");
        listeners.insert(name.clone(), listen(&what, environment.listen, &mut inherited)?);
    }
    let metrics = match options.metrics {
        Some(address) => Some(listen("the metrics", address, &mut inherited)?),
        None => None,
    };
    let mut terminate = signal(SignalKind::terminate()).map_err(EdgeError::file(&state))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(EdgeError::file(&state))?;
    let folder = RuntimeFolder::make(&state, takes_over)?;
    let lanes = Arc::new(Lanes::start().map_err(EdgeError::file(&state))?);
    let service = Service::for_many(Arc::clone(&lanes), options.limits);
    let environments = environments(&options, &state, folder.path(), &service)?;
    let path = socket::control(&state);
    let control = match control {
        Some(control) => control,
        None => socket::listen(&path).and_then(tokio::net::UnixListener::into_std).map_err(EdgeError::file(&path))?,
    };
    let copies = listeners.values().chain(&metrics).map(TcpListener::try_clone).collect::<io::Result<_>>();
    let edge = Arc::new(Edge {
        environments,
        metrics: options.metrics,
        ending: watch::Sender::new(Ending::No),
        has_ended: watch::Sender::new(false),
        state: state.clone(),
        lock,
        control: control.try_clone().map_err(EdgeError::file(&path))?,
        listeners: copies.map_err(EdgeError::file(&state))?,
        handing_over: Arc::new(Mutex::new(())),
        takeover: options.takeover,
    });
    for environment in edge.environments.values() {
        environment.restore(&mut inherited).await;
    }
    // What nothing is served at any more.
    drop(inherited);
    if let Some(old) = &mut old
        && let Err(error) = until_settled(&edge, &must_be_up, old).await
    {
        end_releases(&edge).await;
        drop(tokio::task::spawn_blocking(move || lanes.end()).await);
        return Err(error);
    }
    for environment in edge.environments.values() {
        environment.open().await;
    }
    let mut serving = JoinSet::new();
    let mut keeping = JoinSet::new();
    for (name, listener) in listeners {
        let Some(environment) = edge.environments.get(&name) else { continue };
        keeping.spawn(Arc::clone(environment).keep_lease());
        keeping.spawn(keep_counters(Arc::clone(environment)));
        let ended = told(edge.ending.subscribe(), options.drain);
        serving.spawn(proxy::traffic(Arc::clone(environment), listener, service.clone(), ended));
    }
    if let Some(listener) = metrics {
        let (ended, edge) = (told(edge.ending.subscribe(), Duration::ZERO), Arc::clone(&edge));
        serving.spawn(proxy::metrics(listener, service.clone(), move || text(&edge), ended));
    }
    if let Some(log) = options.own_log {
        keeping.spawn(async move {
            loop {
                if let Err(error) = rotate_own(&log) {
                    tracing::warn!(log = %log.display(), %error, "the front door's own log cannot be begun anew");
                }
                tokio::time::sleep(LOOK_AT_LOG).await;
            }
        });
    }
    edge.lock.sign(&state)?;
    let mut controlling = JoinSet::new();
    let listener = control.set_nonblocking(true).and_then(|()| tokio::net::UnixListener::from_std(control));
    controlling.spawn(control::serve(Arc::clone(&edge), listener.map_err(EdgeError::file(&path))?));
    tracing::info!(state = %state.display(), "the front door is open");
    if let Some(old) = old {
        inherit(&edge, old, &mut keeping).await;
    }

    let mut ending = edge.ending.subscribe();
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        _ = ending.wait_for(|ending| *ending != Ending::No) => {}
    }
    let is_handed_over = *edge.ending.borrow() == Ending::HandedOver;
    if is_handed_over {
        // Who was not answered asks the other process.
        controlling.shutdown().await;
        // What is on disk is that one's from here on.
        keeping.shutdown().await;
        let closing = Closing { linger: LINGER.min(options.drain), limit: options.drain };
        edge.environments.values().for_each(|environment| environment.close_previews(closing));
    } else {
        tracing::info!("the front door is closing");
        edge.ending.send_replace(Ending::Stop);
    }
    while serving.join_next().await.is_some() {}
    keeping.shutdown().await;
    end_releases(&edge).await;
    drop(tokio::task::spawn_blocking(move || lanes.end()).await);
    if is_handed_over {
        edge.has_ended.send_replace(true);
        // Held until what was counted has been given.
        drop(edge.handing_over.lock().await);
    } else {
        for environment in edge.environments.values() {
            environment.save_counters(&mut 0).await;
        }
        drop(std::fs::remove_file(&path));
    }
    drop(folder);
    if !is_handed_over {
        // Who waits for the connection's end may start another front door at once.
        edge.lock.release();
    }
    controlling.shutdown().await;
    Ok(())
}

/// Waits until the releases are up, has the old front door stand still, and takes over what it knows.
async fn until_settled(edge: &Edge, up: &BTreeMap<String, Vec<String>>, old: &mut Old) -> Result<(), EdgeError> {
    for (name, environment) in &edge.environments {
        environment.until_up(up.get(name).map_or(&[], Vec::as_slice)).await?;
    }
    let mut counted = old.stand_still().await?;
    for (name, environment) in &edge.environments {
        environment.read_again().await?;
        // What was kept on disk is counted there.
        drop(environment.take_counters());
        environment.absorb(counted.remove(name).unwrap_or_default());
    }
    Ok(())
}

/// Tells the old front door that this one serves, and adds what it counts until its end.
async fn inherit(edge: &Arc<Edge>, mut old: Old, keeping: &mut JoinSet<()>) {
    let handing_over = Arc::clone(&edge.handing_over).lock_owned().await;
    if let Err(error) = old.serving().await {
        // It cannot serve any more either.
        tracing::warn!(%error, "the front door before ended early");
        return;
    }
    let edge = Arc::clone(edge);
    keeping.spawn(async move {
        match old.rest().await {
            Ok(counted) => {
                for (name, counters) in counted {
                    edge.environments
                        .get(&name)
                        .into_iter()
                        .for_each(|environment| environment.absorb(counters.clone()));
                }
            }
            Err(error) => tracing::warn!(%error, "what the front door before counted at its end is lost"),
        }
        drop(handing_over);
    });
}

async fn end_releases(edge: &Edge) {
    for environment in edge.environments.values() {
        environment.end_all().await;
    }
}

async fn keep_counters(environment: Arc<Environment>) {
    let mut changes = 0;
    loop {
        tokio::time::sleep(KEEP_COUNTERS).await;
        environment.save_counters(&mut changes).await;
    }
}

async fn told(mut ending: watch::Receiver<Ending>, limit: Duration) -> Closing {
    // A sender that is gone ends it too.
    let ending = ending.wait_for(|ending| *ending != Ending::No).await.map_or(Ending::Stop, |ending| *ending);
    let linger = if ending == Ending::HandedOver { LINGER.min(limit) } else { Duration::ZERO };
    Closing { linger, limit }
}

fn listen(what: &str, address: SocketAddr, inherited: &mut Vec<TcpListener>) -> Result<TcpListener, EdgeError> {
    if let Some(index) = inherited.iter().position(|listener| listener.local_addr().is_ok_and(|at| at == address)) {
        return Ok(inherited.swap_remove(index));
    }
    TcpListener::bind(address).map_err(|source| {
        let remedy = match source.kind() {
            io::ErrorKind::AddrInUse => "end what listens there, or configure another port",
            io::ErrorKind::PermissionDenied => "configure a port above 1023, or permit this one",
            _ => "configure an address of this machine",
        };
        EdgeError::Listen { what: what.to_owned(), address, source, remedy }
    })
}

fn environments(
    options: &EdgeOptions,
    state: &Path,
    sockets: &Path,
    service: &Service,
) -> Result<BTreeMap<String, Arc<Environment>>, EdgeError> {
    let next = Arc::new(AtomicU64::new(1));
    let spawner = Spawner::new().map_err(EdgeError::file(state))?;
    let mut environments = BTreeMap::new();
    for (name, environment) in &options.environments {
        let store = Store::new(state, name);
        let record = store.load()?;
        let setup = Setup {
            worker: options.worker.iter().chain(&environment.worker).cloned().collect(),
            sockets: sockets.to_owned(),
            next: Arc::clone(&next),
            log: Arc::new(Log::open(&environment.log).map_err(EdgeError::file(&environment.log))?),
            probe: environment.probe.clone(),
            probe_again: environment.probe_again,
            ready_timeout: options.ready_timeout,
            drain: options.drain,
            spawner: spawner.clone(),
            lanes: Arc::clone(&service.lanes),
        };
        let (setup, service) = (Arc::new(setup), service.clone());
        let made = Environment::new(name.clone(), environment.clone(), options, setup, service, store, record);
        environments.insert(name.clone(), made);
    }
    Ok(environments)
}

fn text(edge: &Edge) -> String {
    let rows: Vec<_> = edge.environments.values().flat_map(|environment| environment.rows()).collect();
    let unrouted = edge.environments.values();
    let unrouted = unrouted.map(|environment| (environment.name.clone(), environment.unrouted.load(Ordering::Relaxed)));
    metrics::text(&rows, &unrouted.collect::<Vec<_>>())
}
