//! The front door's process: what is set up, in which order, and how it ends.

use std::{
    collections::BTreeMap,
    io,
    net::{SocketAddr, TcpListener},
    os::unix::{
        ffi::OsStrExt,
        fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    },
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
    task::JoinSet,
};

use crate::{
    EdgeError, EdgeOptions,
    calls::check_name,
    control::{self, Edge},
    environment::Environment,
    lanes::Lanes,
    listener::{Closing, Service},
    lock::Lock,
    metrics,
    output::Log,
    proxy, socket,
    spawn::Spawner,
    store::Store,
    supervise::Setup,
};

/// Longest folder of the releases' sockets, in bytes: a socket's path has at most 107, and a number and a name are
/// added.
const MAX_FOLDER_BYTES: usize = 80;

/// Serves until the process is told to end, by SIGTERM, SIGINT or [`Client::shutdown`](crate::Client::shutdown).
/// Requests and releases are then ended as when a release is stopped.
///
/// Must run on a runtime with I/O and time. It raises the process's limit of open files as far as it may.
///
/// # Errors
/// When the state folder is served already or cannot be used, or an address cannot be listened on; nothing was changed
/// then.
pub async fn serve(options: EdgeOptions) -> Result<(), EdgeError> {
    for name in options.environments.keys() {
        check_name("environment", name).map_err(|error| EdgeError::Options(error.info.message))?;
    }
    std::fs::create_dir_all(&options.state).map_err(EdgeError::file(&options.state))?;
    let state = options.state.canonicalize().map_err(EdgeError::file(&options.state))?;
    let lock = Lock::take(&state)?;
    let mut listeners = BTreeMap::new();
    for (name, environment) in &options.environments {
        listeners.insert(name.clone(), listen(&format!("the environment `{name}`"), environment.listen)?);
    }
    let metrics = match options.metrics {
        Some(address) => Some(listen("the metrics", address)?),
        None => None,
    };
    let mut terminate = signal(SignalKind::terminate()).map_err(EdgeError::file(&state))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(EdgeError::file(&state))?;
    let sockets = sockets(&state)?;
    let lanes = Arc::new(Lanes::start().map_err(EdgeError::file(&state))?);
    let service = Service::for_many(Arc::clone(&lanes), options.limits);
    let environments = environments(&options, &state, &sockets, &service)?;
    let path = socket::control(&state);
    let control = socket::listen(&path).map_err(EdgeError::file(&path))?;

    let (ending, mut ended) = watch::channel(false);
    let edge = Arc::new(Edge { environments, metrics: options.metrics, ending });
    for environment in edge.environments.values() {
        environment.restore().await;
    }
    let closing = Closing { linger: Duration::ZERO, limit: options.drain };
    let mut serving = JoinSet::new();
    let mut leases = JoinSet::new();
    for (name, listener) in listeners {
        let Some(environment) = edge.environments.get(&name) else { continue };
        leases.spawn(Arc::clone(environment).keep_lease());
        let ended = told(ended.clone(), closing);
        serving.spawn(proxy::traffic(Arc::clone(environment), listener, service.clone(), ended));
    }
    if let Some(listener) = metrics {
        let edge = Arc::clone(&edge);
        let ended = told(ended.clone(), Closing::default());
        serving.spawn(proxy::metrics(listener, service.clone(), move || text(&edge), ended));
    }
    let mut controlling = JoinSet::new();
    controlling.spawn(control::serve(Arc::clone(&edge), control));
    tracing::info!(state = %state.display(), "the front door is open");

    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        _ = ended.wait_for(|ended| *ended) => {}
    }
    tracing::info!("the front door is closing");
    edge.ending.send_replace(true);
    while serving.join_next().await.is_some() {}
    leases.shutdown().await;
    for environment in edge.environments.values() {
        environment.end_all().await;
    }
    drop(tokio::task::spawn_blocking(move || lanes.end()).await);
    drop(std::fs::remove_file(&path));
    drop(std::fs::remove_dir_all(&sockets));
    // Who waits for the connection's end may start another front door at once.
    drop(lock);
    controlling.shutdown().await;
    Ok(())
}

async fn told(mut ended: watch::Receiver<bool>, closing: Closing) -> Closing {
    // A sender that is gone ends it too.
    drop(ended.wait_for(|ended| *ended).await);
    closing
}

fn listen(what: &str, address: SocketAddr) -> Result<TcpListener, EdgeError> {
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
            worker: options.worker.clone(),
            sockets: sockets.to_owned(),
            next: Arc::clone(&next),
            log: Arc::new(Log::open(&environment.log).map_err(EdgeError::file(&environment.log))?),
            probe: environment.probe.clone(),
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

/// An empty folder for the releases' sockets that only this user may enter: in the state folder, or, where that has a
/// long name, a short one named after it.
fn sockets(state: &Path) -> Result<PathBuf, EdgeError> {
    let mut folder = state.join("sockets");
    if folder.as_os_str().len() > MAX_FOLDER_BYTES {
        let short = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        let short = short.filter(|path| path.is_absolute() && path.as_os_str().len() < MAX_FOLDER_BYTES / 2);
        let digest = blake3::hash(state.as_os_str().as_bytes()).to_hex();
        let digest = digest.get(..16).unwrap_or_default();
        folder = short.unwrap_or_else(|| "/tmp".into()).join(format!("autodevops-{digest}"));
    }
    // The lock is held, so what lies there is of a front door that has ended. Someone else's folder cannot be removed.
    match std::fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(EdgeError::file(&folder)(error)),
        _ => {}
    }
    std::fs::DirBuilder::new().mode(0o700).create(&folder).map_err(EdgeError::file(&folder))?;
    let metadata = std::fs::symlink_metadata(&folder).map_err(EdgeError::file(&folder))?;
    let is_ours = metadata.is_dir() && metadata.uid() == rustix::process::geteuid().as_raw();
    if !is_ours || metadata.permissions().mode() & 0o077 != 0 {
        return Err(EdgeError::file(&folder)(io::ErrorKind::PermissionDenied.into()));
    }
    Ok(folder)
}

fn text(edge: &Edge) -> String {
    let rows: Vec<_> = edge.environments.values().flat_map(|environment| environment.rows()).collect();
    let unrouted = edge.environments.values();
    let unrouted = unrouted.map(|environment| (environment.name.clone(), environment.unrouted.load(Ordering::Relaxed)));
    metrics::text(&rows, &unrouted.collect::<Vec<_>>())
}
