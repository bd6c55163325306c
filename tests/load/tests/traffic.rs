//! Traffic against a server in this process: what it answers is what must be counted.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{
    collections::BTreeSet,
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use autodevops_load::{Plan, Report, start};
use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::Full;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

type Answer = Response<Full<Bytes>>;

async fn serve(answer: impl Fn(&Request<Incoming>) -> Answer + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let answer = Arc::clone(&answer);
            let service = service_fn(move |request| {
                let answer = answer(&request);
                async move { Ok::<_, Infallible>(answer) }
            });
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    address
}

fn status(status: u16) -> Answer {
    Response::builder().status(status).body(Full::default()).unwrap()
}

fn plan(address: SocketAddr) -> Plan {
    Plan { rate: 400, clients: 20, duration: Duration::from_millis(500), ..Plan::new(address.to_string()) }
}

async fn traffic(answer: impl Fn(&Request<Incoming>) -> Answer + Send + Sync + 'static) -> Report {
    start(plan(serve(answer).await)).finish().await.unwrap()
}

#[tokio::test]
async fn every_request_is_counted_once_and_ends_with_the_duration() {
    let served = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&served);
    let report = traffic(move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
        status(304)
    })
    .await;
    assert_eq!(report.total.requests, served.load(Ordering::Relaxed));
    assert!((100..=320).contains(&report.total.requests), "{report:?}");
    assert_eq!((report.total.client_errors, report.total.deploy_errors), (0, 0));
    assert_eq!(report.answers.get("3xx"), Some(&report.total.requests));
    assert!(report.client_errors_seen.is_none() && report.latency_ms.max > 0.0);
}

#[tokio::test]
async fn errors_of_the_application_are_told_from_all_others() {
    let report = traffic(|request| match request.uri().path() {
        "/order" => Response::builder()
            .status(500)
            .header("x-autodevops-error", "application")
            .header("x-autodevops-release", "r-bad")
            .body(Full::default())
            .unwrap(),
        "/quote" => status(503),
        _ => status(200),
    })
    .await;
    let orders = report.kinds["order"].requests + report.kinds.get("wrong-order").map_or(0, |tally| tally.requests);
    assert_eq!(report.total.client_errors, orders);
    assert_eq!(report.releases["r-bad"].client_errors, orders);
    assert_eq!(report.total.deploy_errors, report.kinds["quote"].requests);
    assert_eq!(report.deploy_error_causes["status 503"], report.total.deploy_errors);
    assert!(report.client_errors_seen.is_some() && report.deploy_errors_seen.is_some());
}

#[tokio::test]
async fn clients_come_back_with_the_cookie_that_they_were_given() {
    let next = AtomicU64::new(0);
    let seen = Arc::new(Mutex::new(BTreeSet::new()));
    let returned = Arc::clone(&seen);
    let report = traffic(move |request| {
        let Some(cookie) = request.headers().get(header::COOKIE) else {
            let cookie = format!("client={}; Path=/; HttpOnly", next.fetch_add(1, Ordering::Relaxed));
            return Response::builder().status(304).header(header::SET_COOKIE, cookie).body(Full::default()).unwrap();
        };
        returned.lock().unwrap().insert(cookie.to_str().unwrap().to_owned());
        status(304)
    })
    .await;
    let seen = seen.lock().unwrap();
    assert!(seen.iter().all(|cookie| cookie.starts_with("client=") && !cookie.contains(';')), "{seen:?}");
    // A client that sends two requests at once may be given two; each keeps the last.
    assert!((10..=20).contains(&seen.len()), "{seen:?} of {}", report.total.requests);
}

#[tokio::test]
async fn a_server_that_is_away_is_a_deploy_error() {
    let away = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let report = start(plan(away)).finish().await.unwrap();
    assert!(report.total.requests > 0);
    assert_eq!(report.total.deploy_errors, report.total.requests);
    assert_eq!(report.deploy_error_causes["cannot connect"], report.total.requests);
    assert_eq!(report.answers["none"], report.total.requests);
}

#[tokio::test]
async fn a_server_that_never_answers_ends_by_the_timeout() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let timeout = Duration::from_millis(100);
    let report = start(Plan { timeout, ..plan(address) }).finish().await.unwrap();
    assert_eq!(report.deploy_error_causes["no answer in time"], report.total.requests);
    assert!(report.latency_ms.p50 >= 100.0);
}

#[tokio::test]
async fn traffic_that_is_stopped_ends_before_its_duration() {
    let address = serve(|_| status(304)).await;
    let running = start(Plan { duration: Duration::from_secs(3600), ..plan(address) });
    while running.total().requests == 0 {
        tokio::task::yield_now().await;
    }
    let report = tokio::time::timeout(Duration::from_secs(20), running.stop()).await.unwrap().unwrap();
    assert!(report.total.requests > 0 && report.seconds < 20.0);
}
