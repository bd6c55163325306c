//! Clients of every habit against a server in this process: what it does to them is what they must tell.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use autodevops_load::{Change, Clients, Habit, Kind, RELEASE, Seen, body::whole, clients::CROWD, site};
use http::{Response, StatusCode};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// What the server does once it is told to.
#[derive(Clone, Copy)]
enum Fault {
    /// Goes on.
    None,
    /// Answers that it is unavailable.
    Status,
    /// Breaks the connection.
    Break,
    /// Answers in the name of another release.
    Name,
}

async fn serve(fault: Fault, fails: Arc<AtomicBool>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let fails = Arc::clone(&fails);
            let service = service_fn(move |request| {
                let fault = if fails.load(Ordering::Relaxed) { fault } else { Fault::None };
                async move {
                    let mut answer = site::answer("r-1", request).await;
                    let name = if matches!(fault, Fault::Name) { "r-2" } else { "r-1" };
                    answer.headers_mut().insert(RELEASE, name.parse().unwrap());
                    match fault {
                        Fault::Break => Err("broken"),
                        Fault::Status => {
                            let mut answer = Response::new(whole("the release does not answer\n"));
                            *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                            Ok(answer)
                        }
                        Fault::Name | Fault::None => Ok(answer),
                    }
                }
            });
            let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::spawn(connection.with_upgrades());
        }
    });
    address
}

/// What such clients see of a server that has the fault from a change on.
async fn seen(fault: Fault, crowd: &[(Habit, u64)]) -> Seen {
    let fails = Arc::new(AtomicBool::new(false));
    let clients = Clients::begin(serve(fault, Arc::clone(&fails)).await, crowd);
    clients.go_on(50).await;
    let stop = Change::Stop("r-0".to_owned());
    clients.over(&stop, async { fails.store(true, Ordering::Relaxed) }).await;
    // Those that last end well that had begun before; then they meet the fault too.
    clients.go_on(300).await;
    clients.end().await.unwrap()
}

#[tokio::test]
async fn whatever_a_client_does_it_gets_all_of_it() {
    let seen = seen(Fault::None, &CROWD).await;
    assert_eq!((seen.failed(), seen.failures.len()), (0, 0), "{seen}");
    assert!(Habit::ALL.iter().all(|habit| seen.habits[habit].requests > 0), "{seen}");
    let missed = seen.missed();
    assert!(missed.iter().all(|(habit, kind)| habit.is_long() && *kind != Kind::Stop), "{missed:?}");
    assert_eq!(missed.len(), 9, "no deploy, no change of weights, no rollback was made");
}

#[tokio::test]
async fn a_failure_is_counted_and_told_with_its_client_and_the_change_before_it() {
    let crowd: Vec<(Habit, u64)> = Habit::ALL.into_iter().map(|habit| (habit, 1)).collect();
    for (fault, habits, words) in [
        (Fault::Status, &Habit::ALL[..], "status 503 Service Unavailable: the release does not answer"),
        (Fault::Break, &Habit::ALL[..], "no answer: "),
        (Fault::Name, &[Habit::Keep, Habit::Anew], "`r-1` answered in the name of Some(\"r-2\")"),
    ] {
        let seen = seen(fault, &crowd).await;
        for habit in Habit::ALL {
            let made = &seen.habits[&habit];
            assert_eq!(made.failed > 0, habits.contains(&habit), "{habit}: {seen}");
            assert!(made.failed <= made.requests);
        }
        let told =
            seen.failures.iter().all(|failure| failure.contains(", after stop of r-0: ") && failure.contains(words));
        assert!(told && !seen.failures.is_empty(), "{seen}");
        assert!(
            seen.failures.iter().any(|failure| failure.starts_with("kept connection of client 0, after")),
            "{seen}"
        );
    }
}
