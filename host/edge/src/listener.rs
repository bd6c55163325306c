//! HTTP/1.1 on an address, within bounds.

use std::{
    collections::HashMap,
    convert::Infallible,
    future::Future,
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::{HeaderValue, Request, Response, StatusCode, header};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};
use tokio_io_timeout::TimeoutStream;

use crate::{
    Limits,
    body::AnswerBody,
    lanes::{Lanes, Seat},
};

/// Connections at a time, where the system allows as many files.
const MAX_CONNECTIONS: usize = 4096;
/// Connections at a time to an address that few use.
const FEW_CONNECTIONS: usize = 64;
/// Files kept for everything else.
const OTHER_FILES: u64 = 256;
/// Bytes of a body that are held on their way, at most; also the least that hyper takes for a request's head.
const BUFFER_BYTES: usize = 64 << 10;

/// What a listener's connections are served with.
#[derive(Clone, Debug)]
pub struct Service {
    /// The threads that carry them.
    pub lanes: Arc<Lanes>,
    /// What bounds them.
    pub limits: Limits,
    /// How many there may be at a time. More wait until one ends.
    pub connections: Arc<Semaphore>,
}

impl Service {
    /// One for an address that many use: as many connections as this process may have open, with a file to the client
    /// and one to the release each.
    pub fn for_many(lanes: Arc<Lanes>, limits: Limits) -> Self {
        let limit = getrlimit(Resource::Nofile);
        let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
        let files = if setrlimit(Resource::Nofile, raised).is_ok() { limit.maximum } else { limit.current };
        let files = files.unwrap_or(u64::MAX).saturating_sub(OTHER_FILES) / 2;
        let count = usize::try_from(files).unwrap_or(usize::MAX).clamp(16, MAX_CONNECTIONS);
        Self { lanes, limits, connections: Arc::new(Semaphore::new(count)) }
    }

    /// One for an address that few use.
    pub fn for_few(&self) -> Self {
        Self { connections: Arc::new(Semaphore::new(FEW_CONNECTIONS)), ..self.clone() }
    }
}

/// How a listener's connections end, once no more are accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Closing {
    /// For how long a connection that is idle may send one more request. A client that sends just when its connection is
    /// closed sees a failure; for this long none is closed but after an answer that says so.
    pub linger: Duration,
    /// When what is still being answered is left to itself.
    pub limit: Duration,
}

/// Who a connection is to. It is held as long as the connection, also by what follows an upgrade.
#[derive(Debug)]
pub struct Visitor {
    /// The other side.
    pub peer: SocketAddr,
    /// The other side's address as a header's value.
    pub address: HeaderValue,
    id: u64,
    seat: Seat,
    open: Arc<Open>,
    _permit: OwnedSemaphorePermit,
}

impl Visitor {
    /// The lane that carries the connection.
    pub const fn lane(&self) -> usize {
        self.seat.lane
    }
}

impl Drop for Visitor {
    fn drop(&mut self) {
        self.open.told().remove(&self.id);
        self.open.one_ended.notify_waiters();
    }
}

/// A listener's connections.
#[derive(Debug, Default)]
struct Open {
    is_closing: AtomicBool,
    one_ended: Notify,
    /// What tells each that it is to end.
    told: Mutex<HashMap<u64, Option<oneshot::Sender<()>>>>,
}

impl Open {
    fn told(&self) -> MutexGuard<'_, HashMap<u64, Option<oneshot::Sender<()>>>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn all_ended(&self) {
        loop {
            let one_ended = self.one_ended.notified();
            if self.told().is_empty() {
                return;
            }
            one_ended.await;
        }
    }
}

/// Answers requests until `ended`, then closes as that says.
pub async fn serve<A, F>(listener: TcpListener, service: Service, ended: impl Future<Output = Closing>, answer: A)
where
    A: Fn(Arc<Visitor>, Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<AnswerBody>> + Send + 'static,
{
    let listener = match listener.set_nonblocking(true).and_then(|()| tokio::net::TcpListener::from_std(listener)) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(%error, "an address cannot be listened on any more");
            return;
        }
    };
    let open = Arc::new(Open::default());
    let mut next = 0;
    let mut ended = std::pin::pin!(ended);
    let closing = loop {
        let accepted = async {
            let permit = Arc::clone(&service.connections).acquire_owned().await;
            (permit, listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            accepted = accepted => accepted,
            closing = &mut ended => break closing,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection cannot be accepted");
                // Out of files, most likely: it would fail again at once.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        // Its lane's runtime is told of it, not this one.
        let stream = match stream.into_std() {
            Ok(stream) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection is lost");
                continue;
            }
        };
        let (Ok(permit), Ok(address)) = (permit, HeaderValue::from_str(&peer.ip().to_canonical().to_string())) else {
            continue;
        };
        let id = next;
        next += 1;
        let (tell, told) = oneshot::channel();
        open.told().insert(id, Some(tell));
        let (open, answer, limits) = (Arc::clone(&open), answer.clone(), service.limits);
        service.lanes.carry(move |seat| {
            let visitor = Visitor { peer, address, id, seat, open, _permit: permit };
            connection(stream, Arc::new(visitor), limits, told, answer)
        });
    };
    drop(listener);
    open.is_closing.store(true, Ordering::Relaxed);
    let close = async {
        if tokio::time::timeout(closing.linger, open.all_ended()).await.is_err() {
            // A connection that is answering something ends after that.
            open.told().values_mut().filter_map(Option::take).for_each(|tell| {
                let _ = tell.send(());
            });
            open.all_ended().await;
        }
    };
    if tokio::time::timeout(closing.limit, close).await.is_err() {
        let count = open.told().len();
        tracing::warn!(count, "connections are left to be cut off: they did not end in time");
    }
}

async fn connection<A, F>(
    stream: TcpStream,
    visitor: Arc<Visitor>,
    limits: Limits,
    told: oneshot::Receiver<()>,
    answer: A,
) where
    A: Fn(Arc<Visitor>, Request<Incoming>) -> F + Send + Sync + 'static,
    F: Future<Output = Response<AnswerBody>> + Send + 'static,
{
    let Ok(stream) = tokio::net::TcpStream::from_std(stream) else { return };
    // Only a matter of speed.
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    // A client that does not read what it asked for.
    stream.set_write_timeout(Some(limits.idle));
    let service = service_fn(|request| {
        let answered = answer(Arc::clone(&visitor), request);
        let open = &visitor.open;
        async move {
            let mut answer = answered.await;
            if open.is_closing.load(Ordering::Relaxed) && answer.status() != StatusCode::SWITCHING_PROTOCOLS {
                answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(answer)
        }
    });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(limits.head_time);
    server.max_header_size(limits.head_bytes).max_buf_size(limits.head_bytes.max(BUFFER_BYTES));
    let connection = server.serve_connection(TokioIo::new(Box::pin(stream)), service).with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        biased;
        ended = connection.as_mut() => ended,
        _ = told => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        time::Instant,
    };

    use super::*;

    #[test]
    fn an_address_has_as_many_connections_as_it_is_for_and_never_more() {
        let service = Service::for_many(Arc::new(Lanes::start().unwrap()), Limits::default());
        let many = service.connections.available_permits();
        assert!((16..=MAX_CONNECTIONS).contains(&many), "{many}");
        assert_eq!(service.for_few().connections.available_permits(), FEW_CONNECTIONS);
        service.lanes.end();
    }

    #[test]
    fn who_sends_no_head_takes_the_place_of_another_only_until_its_time_is_over() {
        let head_time = Duration::from_millis(300);
        let lanes = Arc::new(Lanes::start().unwrap());
        let limits = Limits { head_time, ..Limits::default() };
        let connections = Arc::new(Semaphore::new(1));
        let service = Service { lanes: Arc::clone(&lanes), limits, connections };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (end, ended) = oneshot::channel::<()>();
        let serving = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let ended = async {
                drop(ended.await);
                Closing::default()
            };
            runtime.block_on(serve(listener, service, ended, async |_, _| Response::new(AnswerBody::own("here"))));
        });
        let begun = Instant::now();
        let mut idle = TcpStream::connect(address).unwrap();
        idle.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n").unwrap();
        let mut other = TcpStream::connect(address).unwrap();
        other.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        other.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        other.read_to_string(&mut answer).unwrap();
        assert!(answer.ends_with("here"), "{answer}");
        assert!(begun.elapsed() >= head_time, "there was room for a second: {:?}", begun.elapsed());
        end.send(()).unwrap();
        serving.join().unwrap();
        lanes.end();
    }
}
