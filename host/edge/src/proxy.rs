//! What answers at each address: an environment's releases by their shares, one release alone, the counters.

use std::{
    future::Future,
    net::TcpListener,
    sync::{Arc, atomic::Ordering},
};

use http::{HeaderValue, Request, Response, StatusCode, header};
use hyper::body::Incoming;

use crate::{
    body::AnswerBody,
    environment::Environment,
    forward::{Answer, Forward, own},
    listener::{self, Closing, Service, Visitor},
    release::Running,
    sorting::Asker,
    stats::Source,
};

/// Serves an environment's address until `ended`.
pub async fn traffic(
    environment: Arc<Environment>,
    listener: TcpListener,
    service: Service,
    ended: impl Future<Output = Closing>,
) {
    let answer = move |visitor, request| {
        let environment = Arc::clone(&environment);
        async move { answer(&environment, visitor, request).await }
    };
    listener::serve(listener, service, ended, answer).await;
}

/// Serves a release's own address until `ended`.
pub async fn preview(
    environment: Arc<Environment>,
    running: Arc<Running>,
    listener: TcpListener,
    ended: impl Future<Output = Closing>,
) {
    let service = environment.service.for_few();
    let answer = move |visitor, mut request: Request<Incoming>| {
        let (running, environment) = (Arc::clone(&running), Arc::clone(&environment));
        async move {
            let asker = environment.sorting.asker(request.headers_mut());
            match Forward::new(visitor, request, environment.service.limits) {
                Ok(forward) => forward.through(running.begin(Source::Preview, asker.client), asker.client, None).await,
                Err(refused) => *refused,
            }
        }
    };
    listener::serve(listener, service, ended, answer).await;
}

async fn answer(environment: &Environment, visitor: Arc<Visitor>, mut request: Request<Incoming>) -> Answer {
    let asker = environment.sorting.asker(request.headers_mut());
    let forward = match Forward::new(visitor, request, environment.service.limits) {
        Ok(forward) => forward,
        Err(refused) => return *refused,
    };
    let Some(exchange) = environment.pick(&asker) else {
        environment.unrouted.fetch_add(1, Ordering::Relaxed);
        return own(StatusCode::SERVICE_UNAVAILABLE, "nothing is deployed here yet\n");
    };
    let Asker { client, is_new, .. } = asker;
    let mut answer = forward.through(exchange, client, Some(environment)).await;
    if is_new && let Some(cookie) = client.cookie() {
        answer.headers_mut().append(header::SET_COOKIE, cookie);
    }
    answer
}

/// Serves the metrics until `ended`.
pub async fn metrics(
    listener: TcpListener,
    service: Service,
    text: impl Fn() -> String + Clone + Send + Sync + 'static,
    ended: impl Future<Output = Closing>,
) {
    let answer = move |_, request: Request<Incoming>| {
        let text = text.clone();
        async move {
            if request.uri().path() != "/metrics" {
                return own(StatusCode::NOT_FOUND, "the metrics are at /metrics\n");
            }
            let mut answer = Response::new(AnswerBody::own(text()));
            let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
            answer.headers_mut().insert(header::CONTENT_TYPE, kind);
            answer
        }
    };
    listener::serve(listener, service.for_few(), ended, answer).await;
}
