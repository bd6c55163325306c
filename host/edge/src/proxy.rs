//! Takes a request to the release that answers its client.

use std::{
    future::Future,
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, Version, header, request};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::net::TcpListener;

use crate::{
    ERROR_HEADER, RELEASE_HEADER, RunSpec,
    assign::{ClientId, strip_cookie},
    body::{AnswerBody, RequestBody, Upload},
    environment::Environment,
    headers::{forwarded, strip_hop_by_hop, wants_upgrade},
    listener,
    release::{Exchange, Running},
    stats::{Class, Source},
    upstream::Upstream,
};

/// How long a request waits for a release that is being started again, when no other can answer it.
const HOLD: Duration = Duration::from_secs(10);
/// Pause before a release that cannot be connected to is tried again; its end is noticed meanwhile.
const PAUSE: Duration = Duration::from_millis(25);

const RELEASE: HeaderName = HeaderName::from_static(RELEASE_HEADER);
const ERROR: HeaderName = HeaderName::from_static(ERROR_HEADER);

type Answer = Response<AnswerBody>;

/// Serves an environment's address until `ended`; then answers what is being answered, at most for `drain`.
pub async fn traffic(
    environment: Arc<Environment>,
    listener: TcpListener,
    connections: Arc<listener::Connections>,
    ended: impl Future<Output = ()>,
) {
    let drain = environment.setup.drain;
    let answer = move |peer, request| {
        let environment = Arc::clone(&environment);
        async move { answer(&environment, peer, request).await }
    };
    listener::serve(listener, connections, drain, ended, answer).await;
}

/// Serves a release's own address; ends when it is dropped.
pub async fn preview(environment: Arc<Environment>, running: Arc<Running>, listener: TcpListener) {
    let drain = environment.setup.drain;
    let timeout = environment.options.answer_timeout;
    let answer = move |peer, request| {
        let running = Arc::clone(&running);
        async move {
            match Forward::new(peer, request, timeout) {
                Ok(forward) => {
                    let exchange = running.begin(Source::Preview, forward.client);
                    forward.through(exchange, None).await
                }
                Err(refused) => *refused,
            }
        }
    };
    listener::serve(listener, Arc::default(), drain, std::future::pending(), answer).await;
}

async fn answer(environment: &Environment, peer: SocketAddr, request: Request<Incoming>) -> Answer {
    let forward = match Forward::new(peer, request, environment.options.answer_timeout) {
        Ok(forward) => forward,
        Err(refused) => return *refused,
    };
    let Some(exchange) = environment.pick(forward.client) else {
        environment.unrouted.fetch_add(1, Ordering::Relaxed);
        return own(StatusCode::SERVICE_UNAVAILABLE, "nothing is deployed here yet\n");
    };
    let (client, is_new) = (forward.client, forward.is_new);
    let mut answer = forward.through(exchange, Some(environment)).await;
    if is_new && let Some(cookie) = client.cookie() {
        answer.headers_mut().append(header::SET_COOKIE, cookie);
    }
    answer
}

/// A request that is to be forwarded.
struct Forward {
    head: request::Parts,
    upload: Arc<Upload>,
    client: ClientId,
    is_new: bool,
    timeout: Duration,
}

/// Why a release did not answer.
enum Failure {
    /// It cannot be connected to: it has seen nothing of the request.
    Connect,
    /// The connection broke before the answer.
    Broken,
    /// It took too long.
    Timeout,
}

impl Forward {
    /// Takes a request, when it is one that can be forwarded.
    fn new(peer: SocketAddr, request: Request<Incoming>, timeout: Duration) -> Result<Self, Box<Answer>> {
        let (mut head, body) = request.into_parts();
        if head.method == Method::CONNECT || wants_upgrade(&head.headers) {
            let text = "connections that change their protocol are not forwarded\n";
            return Err(Box::new(own(StatusCode::NOT_IMPLEMENTED, text)));
        }
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        // Which host it is for is in its headers; here it only makes the address whole.
        head.uri = format!("http://release{path}")
            .parse::<Uri>()
            .map_err(|_| Box::new(own(StatusCode::BAD_REQUEST, "the address is not one of a release\n")))?;
        head.version = Version::HTTP_11;
        let known = ClientId::of(&head.headers);
        strip_hop_by_hop(&mut head.headers);
        strip_cookie(&mut head.headers);
        // It was answered here, when the body was first asked for.
        head.headers.remove(header::EXPECT);
        if !head.headers.contains_key(header::HOST) {
            head.headers.insert(header::HOST, HeaderValue::from_static("localhost"));
        }
        forwarded(&mut head.headers, peer);
        let client = known.unwrap_or_else(ClientId::random);
        Ok(Self { head, upload: Upload::new(body), client, is_new: known.is_none(), timeout })
    }

    /// The answer of the release, or of the stable one when this one cannot be reached.
    async fn through(&self, exchange: Exchange, environment: Option<&Environment>) -> Answer {
        let began = Instant::now();
        let mut exchange = exchange;
        let mut may_repeat = self.upload.is_empty() && matches!(self.head.method, Method::GET | Method::HEAD);
        loop {
            let running = Arc::clone(&exchange.running);
            let other = || environment.and_then(|environment| environment.instead_of(&running, self.client));
            let upstream = match running.upstream() {
                Some(upstream) => upstream,
                None => {
                    if let Some(stable) = other() {
                        exchange.failed();
                        exchange = stable;
                        continue;
                    }
                    let Some(upstream) = running.when_up(HOLD.saturating_sub(began.elapsed())).await else {
                        exchange.failed();
                        return own(StatusCode::SERVICE_UNAVAILABLE, "the release does not answer\n");
                    };
                    upstream
                }
            };
            let failure = match self.attempt(&upstream).await {
                Ok(answer) => return finish(answer, exchange),
                Err(failure) => failure,
            };
            let is_untouched = self.upload.is_untouched();
            match failure {
                Failure::Connect if is_untouched => {
                    if let Some(stable) = other() {
                        exchange.failed();
                        exchange = stable;
                    } else if began.elapsed() < HOLD {
                        tokio::time::sleep(PAUSE).await;
                    } else {
                        exchange.failed();
                        return own(StatusCode::SERVICE_UNAVAILABLE, "the release does not answer\n");
                    }
                }
                Failure::Broken if may_repeat => {
                    may_repeat = false;
                    if let Some(stable) = other() {
                        exchange.failed();
                        exchange = stable;
                    }
                }
                Failure::Connect | Failure::Broken => {
                    exchange.failed();
                    return own(StatusCode::BAD_GATEWAY, "the release broke the connection\n");
                }
                Failure::Timeout => {
                    exchange.failed();
                    return own(StatusCode::GATEWAY_TIMEOUT, "the release did not answer in time\n");
                }
            }
        }
    }

    async fn attempt(&self, upstream: &Upstream<RequestBody>) -> Result<Response<Incoming>, Failure> {
        let mut request = Request::new(self.upload.attempt());
        *request.method_mut() = self.head.method.clone();
        *request.uri_mut() = self.head.uri.clone();
        *request.headers_mut() = self.head.headers.clone();
        let began = Instant::now();
        let mut answer = std::pin::pin!(upstream.request(request));
        loop {
            // A long upload is no silence: the time counts from when it last moved.
            let until = self.upload.last_moved().max(began) + self.timeout;
            if until <= Instant::now() {
                return Err(Failure::Timeout);
            }
            tokio::select! {
                answer = &mut answer => {
                    return answer.map_err(|error| if error.is_connect() { Failure::Connect } else { Failure::Broken });
                }
                () = tokio::time::sleep_until(until.into()) => {}
            }
        }
    }
}

/// The release's answer, as the client gets it.
fn finish(answer: Response<Incoming>, mut exchange: Exchange) -> Answer {
    let (mut head, body) = answer.into_parts();
    exchange.answered(Class::of(head.status));
    head.version = Version::HTTP_11;
    strip_hop_by_hop(&mut head.headers);
    if let Ok(name) = HeaderValue::from_str(exchange.running.id()) {
        head.headers.insert(RELEASE, name);
    }
    // A command's answers are all its application's; a worker says itself which are.
    if head.status.is_server_error() && matches!(exchange.running.started.run, RunSpec::Command { .. }) {
        head.headers.insert(ERROR, HeaderValue::from_static("application"));
    }
    Response::from_parts(head, AnswerBody::Release(body, exchange))
}

/// An answer of the front door itself.
fn own(status: StatusCode, text: &'static str) -> Answer {
    let mut answer = Response::new(AnswerBody::Own(Full::new(Bytes::from_static(text.as_bytes()))));
    *answer.status_mut() = status;
    let headers: &mut HeaderMap = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(ERROR, HeaderValue::from_static("edge"));
    answer
}

/// Serves the metrics until `ended`.
pub async fn metrics(
    listener: TcpListener,
    text: impl Fn() -> String + Clone + Send + Sync + 'static,
    ended: impl Future<Output = ()>,
) {
    let answer = move |_, request: Request<Incoming>| {
        let text = text.clone();
        async move {
            if request.uri().path() != "/metrics" {
                return own(StatusCode::NOT_FOUND, "the metrics are at /metrics\n");
            }
            let mut answer = Response::new(AnswerBody::Own(Full::new(Bytes::from(text()))));
            let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
            answer.headers_mut().insert(header::CONTENT_TYPE, kind);
            answer
        }
    };
    listener::serve(listener, Arc::default(), Duration::ZERO, ended, answer).await;
}
