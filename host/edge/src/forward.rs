//! A request on its way to a release, and the answer on its way back.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, Version, header};
use hyper::{body::Incoming, upgrade::OnUpgrade};

use crate::{
    ERROR_HEADER, Limits, RELEASE_HEADER, RunSpec,
    assign::ClientId,
    body::{AnswerBody, RequestBody, Upload},
    environment::Environment,
    headers::{forwarded, set_upgrade, strip_hop_by_hop, upgrade},
    listener::Visitor,
    pool::{Connection, Pool},
    release::{Exchange, Running},
    stats::Class,
    tunnel,
};

/// How long a request waits for a release that is being started again, when no other can answer it.
const HOLD: Duration = Duration::from_secs(10);
/// Pause before a release that cannot be connected to is tried again; its end is noticed meanwhile.
const PAUSE: Duration = Duration::from_millis(25);

const RELEASE: HeaderName = HeaderName::from_static(RELEASE_HEADER);
const ERROR: HeaderName = HeaderName::from_static(ERROR_HEADER);

/// What a client gets.
pub type Answer = Response<AnswerBody>;

/// A request that is to be forwarded.
pub struct Forward {
    request: Request<RequestBody>,
    upload: Option<Arc<Upload>>,
    /// The client's side of another protocol, where it asks for one.
    upgrade: Option<OnUpgrade>,
    visitor: Arc<Visitor>,
    limits: Limits,
}

/// Why a release did not answer.
enum Failure {
    /// The connection had been closed: the release has seen nothing of the request.
    Unsent(Box<Request<RequestBody>>),
    /// The connection broke before the answer.
    Broken,
    /// The client did not go on with its body.
    Stalled,
    /// It took too long.
    Timeout,
}

impl Forward {
    /// Takes a request, when it is one that can be forwarded. What only the front door is to see of its headers was taken
    /// out.
    pub fn new(visitor: Arc<Visitor>, request: Request<Incoming>, limits: Limits) -> Result<Self, Box<Answer>> {
        let mut request = request;
        if request.method() == Method::CONNECT {
            return Err(Box::new(own(StatusCode::NOT_IMPLEMENTED, "this is no proxy that connects to other hosts\n")));
        }
        let protocol = upgrade(request.headers());
        let upgrade = protocol.is_some().then(|| hyper::upgrade::on(&mut request));
        let (mut head, body) = request.into_parts();
        if let Some(authority) = head.uri.authority() {
            // RFC 9112, section 3.2.2: it stands above the header.
            if let Ok(host) = HeaderValue::from_str(authority.as_str()) {
                head.headers.insert(header::HOST, host);
            }
            let path = head.uri.into_parts().path_and_query;
            head.uri = path.map_or_else(|| Uri::from_static("/"), Uri::from);
        }
        head.version = Version::HTTP_11;
        strip_hop_by_hop(&mut head.headers);
        if let Some(protocol) = protocol {
            set_upgrade(&mut head.headers, protocol);
        }
        // It was answered here, when the body was first asked for.
        head.headers.remove(header::EXPECT);
        if !head.headers.contains_key(header::HOST) {
            head.headers.insert(header::HOST, HeaderValue::from_static("localhost"));
        }
        forwarded(&mut head.headers, visitor.peer, &visitor.address);
        let (body, upload) = RequestBody::new(body, limits.idle, limits.upload);
        Ok(Self { request: Request::from_parts(head, body), upload, upgrade, visitor, limits })
    }

    /// The answer of the release, or of the stable one when this one cannot be reached.
    pub async fn through(self, exchange: Exchange, client: ClientId, environment: Option<&Environment>) -> Answer {
        let began = exchange.began();
        let Self { mut request, upload, upgrade, visitor, limits } = self;
        let mut exchange = exchange;
        let is_safe = matches!(*request.method(), Method::GET | Method::HEAD);
        let mut may_repeat = is_safe && upload.is_none() && upgrade.is_none();
        let instead_of =
            |running: &Running| environment.and_then(|environment| environment.instead_of(running, client));
        loop {
            let running = Arc::clone(&exchange.running);
            let Some(pool) = usable(&running, || instead_of(&running), &mut exchange, began).await else {
                exchange.failed();
                return own(StatusCode::SERVICE_UNAVAILABLE, "the release does not answer\n");
            };
            let Ok(mut connection) = pool.connection(visitor.lane()).await else {
                if let Some(stable) = instead_of(&exchange.running) {
                    exchange.failed();
                    exchange = stable;
                } else if began.elapsed() < HOLD {
                    tokio::time::sleep(PAUSE).await;
                } else {
                    exchange.failed();
                    return own(StatusCode::SERVICE_UNAVAILABLE, "the release does not answer\n");
                }
                continue;
            };
            let again = may_repeat.then(|| Copy::of(&request));
            match send(&mut connection, request, upload.as_deref(), limits.answer_time).await {
                Ok(answer) if answer.status() == StatusCode::SWITCHING_PROTOCOLS => {
                    return switch(answer, exchange, upgrade, visitor, limits);
                }
                Ok(answer) => {
                    // One that still sends the request cannot carry another.
                    let is_free = upload.is_none_or(|upload| upload.is_through());
                    return finish(answer, exchange, is_free.then_some(connection), limits);
                }
                Err(Failure::Unsent(unsent)) => request = *unsent,
                Err(Failure::Broken) => match again {
                    Some(again) => {
                        may_repeat = false;
                        request = again.into_request();
                        if let Some(stable) = instead_of(&exchange.running) {
                            exchange.failed();
                            exchange = stable;
                        }
                    }
                    None => {
                        exchange.failed();
                        return own(StatusCode::BAD_GATEWAY, "the release broke the connection\n");
                    }
                },
                Err(Failure::Stalled) => {
                    let mut answer = own(StatusCode::REQUEST_TIMEOUT, "the rest of the request did not come\n");
                    answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
                    return answer;
                }
                Err(Failure::Timeout) => {
                    exchange.failed();
                    return own(StatusCode::GATEWAY_TIMEOUT, "the release did not answer in time\n");
                }
            }
        }
    }
}

/// The connections to the release; to another in its stead, where it has none now and another has; or those that it has
/// soon.
async fn usable(
    running: &Running,
    instead: impl FnOnce() -> Option<Exchange>,
    exchange: &mut Exchange,
    began: Instant,
) -> Option<Arc<Pool>> {
    if let Some(pool) = running.pool() {
        return Some(pool);
    }
    if let Some(stable) = instead() {
        let pool = stable.running.pool();
        exchange.failed();
        *exchange = stable;
        if pool.is_some() {
            return pool;
        }
    }
    let running = Arc::clone(&exchange.running);
    // In a box, as it is large and rare.
    Box::pin(running.when_up(HOLD.saturating_sub(began.elapsed()))).await
}

/// What a request without a body is made of again. Made for nearly every request and used for nearly none, so it is no more
/// than a list.
struct Copy {
    method: Method,
    uri: Uri,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Copy {
    fn of(request: &Request<RequestBody>) -> Self {
        let headers = request.headers().iter().map(|(name, value)| (name.clone(), value.clone()));
        Self { method: request.method().clone(), uri: request.uri().clone(), headers: headers.collect() }
    }

    fn into_request(self) -> Request<RequestBody> {
        let mut request = Request::new(RequestBody::default());
        *request.method_mut() = self.method;
        *request.uri_mut() = self.uri;
        for (name, value) in self.headers {
            request.headers_mut().append(name, value);
        }
        request
    }
}

async fn send(
    connection: &mut Connection,
    request: Request<RequestBody>,
    upload: Option<&Upload>,
    limit: Duration,
) -> Result<Response<Incoming>, Failure> {
    let is_used = connection.is_used;
    let mut until = Instant::now() + limit;
    let mut sent = std::pin::pin!(connection.sender.try_send_request(request));
    loop {
        match tokio::time::timeout_at(until.into(), &mut sent).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(mut error)) => {
                return Err(match error.take_message() {
                    Some(request) if is_used => Failure::Unsent(Box::new(request)),
                    _ if upload.is_some_and(Upload::is_stalled) => Failure::Stalled,
                    _ => Failure::Broken,
                });
            }
            // A long upload is no silence: the time counts from when it last moved.
            Err(_) => match upload.map(|upload| upload.last_moved() + limit) {
                Some(later) if later > until => until = later,
                _ => return Err(Failure::Timeout),
            },
        }
    }
}

/// The release's answer, as the client gets it.
fn finish(
    answer: Response<Incoming>,
    mut exchange: Exchange,
    connection: Option<Connection>,
    limits: Limits,
) -> Answer {
    let (mut head, body) = answer.into_parts();
    exchange.answered(Class::of(head.status));
    head.version = Version::HTTP_11;
    strip_hop_by_hop(&mut head.headers);
    name(&mut head.headers, &exchange);
    // A command's answers are all its application's; a worker says itself which are.
    if head.status.is_server_error() && matches!(exchange.running.started.run, RunSpec::Command { .. }) {
        head.headers.insert(ERROR, HeaderValue::from_static("application"));
    }
    Response::from_parts(head, AnswerBody::release(body, limits.idle, exchange, connection))
}

fn name(headers: &mut HeaderMap, exchange: &Exchange) {
    if let Some(name) = exchange.running.header() {
        headers.insert(RELEASE, name);
    }
}

/// The release agreed to another protocol: so does the front door, and carries it from here on.
fn switch(
    mut answer: Response<Incoming>,
    mut exchange: Exchange,
    client: Option<OnUpgrade>,
    visitor: Arc<Visitor>,
    limits: Limits,
) -> Answer {
    let release = hyper::upgrade::on(&mut answer);
    let (Some(client), Some(protocol)) = (client, upgrade(answer.headers())) else {
        exchange.failed();
        return own(StatusCode::BAD_GATEWAY, "the release changed to a protocol that was not asked for\n");
    };
    exchange.answered(Class::of(answer.status()));
    exchange.count();
    let mut switched = Response::new(AnswerBody::own(""));
    *switched.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *switched.headers_mut() = std::mem::take(answer.headers_mut());
    let headers = switched.headers_mut();
    strip_hop_by_hop(headers);
    set_upgrade(headers, protocol);
    name(headers, &exchange);
    tokio::spawn(tunnel::carry(client, release, limits.idle, exchange, visitor));
    switched
}

/// An answer of the front door itself.
pub fn own(status: StatusCode, text: &'static str) -> Answer {
    let mut answer = Response::new(AnswerBody::own(text));
    *answer.status_mut() = status;
    let headers: &mut HeaderMap = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(ERROR, HeaderValue::from_static("edge"));
    answer
}
