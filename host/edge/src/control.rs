//! The control socket: takes calls from processes of the same user.

use std::{collections::BTreeMap, net::TcpListener, path::PathBuf, sync::Arc, time::Duration};

use autodevops_model::{ErrorKind, StageError};
use serde::Serialize;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    sync::{Mutex, Semaphore, watch},
    task::JoinSet,
};

use crate::{
    Status,
    environment::Environment,
    handover,
    lock::Lock,
    protocol::{Answer, Call, MAX_LINE_BYTES, NOT_UNDERSTOOD},
    refusal::{denied, error, failed, invalid},
};

/// Calls at a time; more wait.
const MAX_CALLS: usize = 64;

/// What calls are about.
#[derive(Debug)]
pub struct Edge {
    /// The environments, by name.
    pub environments: BTreeMap<String, Arc<Environment>>,
    /// Where the metrics are.
    pub metrics: Option<std::net::SocketAddr>,
    /// Whether the process is to end.
    pub ending: watch::Sender<Ending>,
    /// Set when all has ended that was begun.
    pub has_ended: watch::Sender<bool>,
    /// The state folder.
    pub state: PathBuf,
    /// Its lock.
    pub lock: Lock,
    /// The sockets that are listened on, to be handed over: the control socket, and those of environments and counters.
    pub control: std::os::unix::net::UnixListener,
    /// See `control`.
    pub listeners: Vec<TcpListener>,
    /// Held while another front door takes over, and while the one before has not ended.
    pub handing_over: Arc<Mutex<()>>,
    /// How long another front door may take to serve once this one stands still.
    pub takeover: Duration,
}

/// Whether the process is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It serves.
    No,
    /// Nothing is to serve any more.
    Stop,
    /// Another process serves.
    HandedOver,
}

/// Takes calls; runs until it is dropped, which breaks the connections.
pub async fn serve(edge: Arc<Edge>, listener: UnixListener) {
    let permits = Arc::new(Semaphore::new(MAX_CALLS));
    let mut calls = JoinSet::new();
    loop {
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a call cannot be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let edge = Arc::clone(&edge);
        calls.spawn(async move {
            if let Err(error) = answer(&edge, stream).await {
                tracing::debug!(%error, "a caller is gone");
            }
            drop(permit);
        });
        while calls.try_join_next().is_some() {}
    }
}

/// Answers one call. It is carried out to its end also when the caller is gone meanwhile.
async fn answer(edge: &Arc<Edge>, stream: UnixStream) -> std::io::Result<()> {
    let (peer, own) = (stream.peer_cred()?.uid(), rustix::process::geteuid().as_raw());
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    let mut bounded = (&mut stream).take(MAX_LINE_BYTES);
    // A caller that says nothing must not hold its place.
    tokio::time::timeout(Duration::from_secs(10), bounded.read_until(b'\n', &mut line)).await??;
    let (answer, is_end) = if peer != own {
        (Err(denied(format!("the front door belongs to user {own}; user {peer} may not tell it what to do"))), false)
    } else if line.last() != Some(&b'\n') {
        (Err(invalid(format!("a call is a line of JSON of at most {MAX_LINE_BYTES} bytes"))), false)
    } else {
        match serde_json::from_slice::<Call>(&line) {
            Ok(Call::TakeOver) if *edge.ending.borrow() == Ending::No => {
                // On its own: it goes on when calls are not taken here any more.
                let edge = Arc::clone(edge);
                tokio::spawn(async move {
                    if let Err(error) = handover::give(&edge, stream).await {
                        tracing::warn!(%error, "nothing was handed over");
                    }
                });
                return Ok(());
            }
            Ok(call) => {
                let is_end = matches!(call, Call::Shutdown);
                (edge.call(call).await, is_end)
            }
            Err(error) => (Err(invalid(format!("{NOT_UNDERSTOOD}{error}"))), false),
        }
    };
    let mut line = serde_json::to_vec(&answer)?;
    line.push(b'\n');
    stream.write_all(&line).await?;
    stream.flush().await?;
    if is_end {
        // The connection ends when everything has ended; that tells the caller.
        edge.ending.send_replace(Ending::Stop);
        std::future::pending::<()>().await;
    }
    Ok(())
}

impl Edge {
    async fn call(&self, call: Call) -> Answer {
        if *self.ending.borrow() != Ending::No {
            return Err(error(ErrorKind::Unavailable, "the front door is ending".to_owned()));
        }
        match call {
            Call::Status => {
                let mut environments = BTreeMap::new();
                for (name, environment) in &self.environments {
                    environments.insert(name.clone(), environment.status().await);
                }
                value(&Status { pid: std::process::id(), metrics: self.metrics, environments })
            }
            Call::Start(start) => value(&self.environment(&start.environment)?.start(start).await?),
            Call::Find { environment, key } => value(&self.environment(&environment)?.find(&key).await),
            Call::Stop { environment, key, fence, release } => {
                value(&self.environment(&environment)?.stop(&key, fence, &release).await?)
            }
            Call::SetTraffic { environment, key, fence, splits } => {
                value(&self.environment(&environment)?.set_traffic(&key, fence, splits).await?)
            }
            Call::Traffic { environment } => value(&self.environment(&environment)?.traffic().await),
            Call::Renew { environment, fence } => value(&self.environment(&environment)?.renew(fence).await?),
            Call::Url { environment, release } => value(&self.environment(&environment)?.url(&release)?),
            Call::Observe { environment, release, window } => {
                value(&self.environment(&environment)?.observe(&release, &window)?)
            }
            Call::Answering { environment, client } => value(&self.environment(&environment)?.answering(&client)?),
            Call::Shutdown | Call::TakeOver => value(&()),
        }
    }

    fn environment(&self, name: &str) -> Result<&Arc<Environment>, StageError> {
        self.environments.get(name).ok_or_else(|| {
            let known = self.environments.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            invalid(format!("the front door has no environment `{name}`; it has {known}"))
        })
    }
}

fn value(value: &impl Serialize) -> Answer {
    serde_json::to_value(value).map_err(|error| failed(format!("the answer cannot be written: {error}")))
}
