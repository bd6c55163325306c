//! Requests of a real guest: credentials that it never sees, limits that name themselves, connections that end with the call.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use autodevops_model::CheckInput;
use autodevops_policy::{Bytes, Limit, Span};
use autodevops_product_tests::{Probe, shelf::Shelf};
use autodevops_sandbox::{CallContext, CallFailure, CallReport, CredentialSource, Observer, Secret, replay::Recording};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

const SECRET: &str = "s3cr3t-t0ken-0123456789";

/// Hands out one secret, or says why there is none.
struct Fixed(Result<&'static str, &'static str>);

#[async_trait::async_trait]
impl CredentialSource for Fixed {
    async fn secret(&self, _: &str, _: &str) -> Result<Secret, String> {
        self.0.map(|secret| Secret::new(secret.to_owned())).map_err(str::to_owned)
    }
}

/// Serves each connection by the function, which is given the request's head.
async fn server<F>(serve: impl Fn(TcpStream, String) -> F + Send + Sync + 'static) -> String
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            tokio::spawn(serve(stream, String::from_utf8(head).unwrap()));
        }
    });
    address
}

/// Answers with what it was asked, cut in two.
async fn echo(mut stream: TcpStream, head: String) {
    let start = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", head.len());
    stream.write_all(start.as_bytes()).await.unwrap();
    let (one, other) = head.split_at(head.find(SECRET).map_or(10, |at| at + 5));
    stream.write_all(one.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
    stream.write_all(other.as_bytes()).await.unwrap();
}

fn probe(origin: &str) -> Probe {
    let mut probe = Probe::new().with_limits(|limits| limits.wall_time = Span(Duration::from_secs(30)));
    probe.grant.http = vec![origin.parse().unwrap()];
    probe
}

#[tokio::test]
async fn a_guest_uses_a_credential_that_it_never_sees() {
    let address = server(echo).await;
    let probe = probe(&address).with_credential(&address, Arc::new(Fixed(Ok(SECRET))));
    let seen = probe.call("fetch", &address).await.unwrap().summary;
    assert!(seen.contains(&format!("authorization: Bearer {}\r\n", "*".repeat(SECRET.len()))), "{seen}");
    assert!(seen.contains("accept-encoding: identity"), "{seen}");
}

/// The host's log, and what it tells of calls.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<u8>>>);

impl io::Write for Told {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Observer for Told {
    fn finished(&self, report: CallReport) {
        self.0.lock().unwrap().extend_from_slice(format!("{report:?}\n").as_bytes());
    }
}

#[tokio::test]
async fn what_a_call_was_given_and_says_shows_no_credential_that_it_has_not_used() {
    let secret = format!("it is {SECRET}.");
    let denied = format!("https://denied.example/?token={SECRET}");
    let stars = "*".repeat(SECRET.len());
    for (act, argument, failed) in [("say", &secret, false), ("refuse", &secret, true), ("fetch", &denied, true)] {
        let told = Told::default();
        let lines = told.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            // The engine's own traces show what passes between a plugin and the host, as SECURITY.md says.
            .with_env_filter("debug,autodevops=trace")
            .with_writer(move || lines.clone())
            .finish();
        let _guard = tracing::subscriber::set_default(subscriber);
        let shelf = Shelf::new(1 << 20);
        let context = CallContext {
            run: "run-1".into(),
            observer: Some(Arc::new(told.clone())),
            recordings: Some(Arc::clone(&shelf) as _),
            ..CallContext::default()
        };
        let origin = "https://api.example.com";
        let plugin = probe(origin).with_credential(origin, Arc::new(Fixed(Ok(SECRET)))).plugin(act, argument);
        let input = CheckInput { changed: vec![secret.clone()], tests: vec![], fix: None, issue: None, url: None };
        let error = plugin.check(&context, input).await.err().map_or(String::new(), |error| error.to_string());
        assert_eq!(!error.is_empty(), failed, "{act}: {error}");
        let recording = format!("{:?}", Recording::read("r", &shelf.last()).unwrap());
        let log = String::from_utf8(told.0.lock().unwrap().clone()).unwrap();
        for (what, text) in [("error", &error), ("recording", &recording), ("log", &log)] {
            assert!(!text.contains("s3cr3t"), "{act}, {what}: {text}");
        }
        // Its configuration and its input.
        assert!(recording.matches(&stars).count() >= 2, "{act}: {recording}");
        assert!(log.contains(&stars), "{act}: {log}");
    }
}

#[tokio::test]
async fn a_guest_that_sets_a_credentials_header_is_refused() {
    let address = server(echo).await;
    for name in ["authorization", "Cookie", "X-API-Key", "Host", "Transfer-Encoding", "Content-Length: 5\r\nX-Smuggled"]
    {
        let error = probe(&address).call("fetch-with-header", &format!("{address} {name} own")).await.unwrap_err();
        assert!(matches!(error.failure, CallFailure::Refused(_)), "{name}: {error}");
    }
    let seen = probe(&address).call("fetch-with-header", &format!("{address} x-own kept")).await.unwrap().summary;
    assert!(seen.contains("x-own: kept\r\n"), "{seen}");
}

#[tokio::test]
async fn a_credential_that_is_missing_is_the_calls_failure() {
    let address = server(echo).await;
    let probe = probe(&address).with_credential(&address, Arc::new(Fixed(Err("the variable TOKEN is not set"))));
    let error = probe.call("fetch", &address).await.unwrap_err();
    let CallFailure::Host(reason) = &error.failure else { panic!("{error}") };
    assert_eq!(reason, "credential `token` of plugin `probe`: the variable TOKEN is not set");
}

#[tokio::test]
async fn a_response_beyond_the_limit_fails_the_call_by_its_name() {
    let endless = |mut stream: TcpStream, _| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
        while stream.write_all(&[b'x'; 1024]).await.is_ok() {}
    };
    let address = server(endless).await;
    let probe = probe(&address).with_limits(|limits| limits.http_received = Bytes(100_000));
    let error = probe.call("fetch", &address).await.unwrap_err();
    let CallFailure::OverLimit(over) = &error.failure else { panic!("{error}") };
    assert_eq!(over.limit, Limit::HttpReceived);
    assert!(error.to_string().contains("limits.http-received"), "{error}");
}

#[tokio::test]
async fn a_call_that_is_dropped_closes_its_connections() {
    let (told, mut tells) = mpsc::unbounded_channel();
    let address = server(move |mut stream, _| {
        let told = told.clone();
        async move {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nx").await;
            let _ = told.send("asked");
            let _ = stream.read(&mut [0; 1]).await;
            let _ = told.send("closed");
        }
    })
    .await;
    let probe = probe(&address);
    tokio::select! {
        ended = probe.call("fetch", &address) => panic!("{ended:?}"),
        told = tells.recv() => assert_eq!(told, Some("asked")),
    }
    assert_eq!(tells.recv().await, Some("closed"));
}
