//! What is refused after a request was allowed is on record as refused, with its reason, and as nothing else.

use std::{io, net::IpAddr, task::Poll, time::Duration};

use autodevops_policy::{Bytes as Size, Limits, Span};
use hyper::body::{Body, Frame};
use tokio::{io::AsyncWriteExt as _, sync::mpsc};

use super::{super::Resolver, *};

/// What is on record of a call: what it was about, why it was refused, how often.
fn told(call: &mut Call) -> Vec<(String, Option<String>, u64)> {
    let records = call.gate.authority.take_records().into_iter();
    records
        .map(|record| {
            assert_eq!(record.allowed, record.reason.is_none(), "{record:?}");
            (record.summary, record.reason, record.count)
        })
        .collect()
}

/// The only thing on record is one request that was refused for this reason.
fn refused(call: &mut Call, about: &str, reason: &str) {
    assert_eq!(told(call), [(about.to_owned(), Some(reason.to_owned()), 1)]);
}

/// Every name is this address.
#[derive(Debug)]
struct Always(&'static str);

#[async_trait::async_trait]
impl Resolver for Always {
    async fn resolve(&self, _: &str, _: &str) -> io::Result<Vec<IpAddr>> {
        Ok(vec![self.0.parse().unwrap()])
    }
}

#[tokio::test]
async fn an_address_that_may_not_be_reached() {
    let resolver = Some(Arc::new(Always("10.1.2.3")) as Arc<dyn Resolver>);
    let options = HttpOptions { resolver, ..HttpOptions::default() };
    let mut call = Call::with(grant(&["https://api.example.com"], Limits::default()), None, &options);
    call.get("https://api.example.com/v1?token=1").await.unwrap_err();
    refused(&mut call, "GET https://api.example.com/v1", "10.1.2.3 is no address that was granted");
}

#[tokio::test]
async fn a_name_that_is_not_found_is_no_refusal() {
    #[derive(Debug)]
    struct Never;
    #[async_trait::async_trait]
    impl Resolver for Never {
        async fn resolve(&self, _: &str, _: &str) -> io::Result<Vec<IpAddr>> {
            Err(io::Error::other("no such name"))
        }
    }
    let options = HttpOptions { resolver: Some(Arc::new(Never)), ..HttpOptions::default() };
    let mut call = Call::with(grant(&["https://api.example.com"], Limits::default()), None, &options);
    call.get("https://api.example.com/").await.unwrap_err();
    assert_eq!(told(&mut call), [("GET https://api.example.com/".into(), None, 1)]);
}

#[tokio::test]
async fn a_header_that_is_the_hosts_to_set() {
    let (address, _server) = echo().await;
    let mut call = Call::new(grant(&[&address], Limits::default()));
    let request = http::Request::get(format!("{address}/")).header("cookie", "x").body(empty()).unwrap();
    call.fetch(request).await.unwrap_err();
    refused(&mut call, &format!("GET {address}/"), "a header that is the host's to set");
}

#[tokio::test]
async fn a_credential_that_is_not_to_be_had_and_an_answer_that_could_hide_it() {
    let gzip = "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\n\x1f\u{8b}";
    let (address, _server) = answering(gzip).await;
    for (secret, about, reason) in [
        ("", "", "without its credential token"),
        ("s3cr3t-t0ken", " (200)", "an answer in a coding that could hide the credential"),
    ] {
        let credentials = vec![credential("token", &[&address], "authorization", "Bearer ")];
        let grant = EffectiveGrant { credentials, ..grant(&[&address], Limits::default()) };
        let mut call = Call::with(grant, Some(Arc::new(Fixed(secret))), &HttpOptions::default());
        call.get(&format!("{address}/")).await.unwrap_err();
        refused(&mut call, &format!("GET {address}/{about}"), reason);
    }
}

#[tokio::test]
async fn an_answer_that_changes_the_protocol() {
    let (address, _server) =
        answering("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: own\r\n\r\n").await;
    let mut call = Call::new(grant(&[&address], Limits::default()));
    call.get(&format!("{address}/")).await.unwrap_err();
    refused(&mut call, &format!("GET {address}/ (101)"), "an answer that changes the protocol");
}

#[tokio::test]
async fn bytes_beyond_what_may_be_sent_and_received() {
    let (address, _server) = answering(format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(40_000))).await;
    let mut call = Call::new(grant(&[&address], Limits { http_received: Size(50_000), ..Limits::default() }));
    call.get(&format!("{address}/")).await.unwrap();
    call.get(&format!("{address}/")).await.unwrap_err();
    let about = format!("GET {address}/ (200)");
    assert_eq!(
        told(&mut call),
        [(about.clone(), None, 1), (about, Some("over limits.http-received".into()), 1)],
        "the one that fitted, and the one that did not"
    );
    let mut call = Call::new(grant(&[&address], Limits { http_sent: Size(10_000), ..Limits::default() }));
    let request = http::Request::post(format!("{address}/")).body(full(vec![b'x'; 1 << 20])).unwrap();
    call.fetch(request).await.unwrap_err();
    let [(_, reason, 1)] = &told(&mut call)[..] else { panic!("one record") };
    assert_eq!(reason.as_deref(), Some("over limits.http-sent"));
}

#[tokio::test]
async fn requests_beyond_their_number_and_beyond_those_at_once() {
    let (address, _server) = echo().await;
    let url = format!("{address}/");
    let mut call = Call::new(grant(&[&address], Limits { http_requests: 1, ..Limits::default() }));
    call.get(&url).await.unwrap();
    call.get(&url).await.unwrap_err();
    call.get(&url).await.unwrap_err();
    let (sent, over) = (format!("GET {url} (200)"), Some("over limits.http-requests".to_owned()));
    assert_eq!(told(&mut call), [(sent, None, 1), (format!("GET {url}"), over, 2)]);
    let mut call = Call::new(grant(&[&address], Limits { http_concurrent: 0, ..Limits::default() }));
    call.get(&url).await.unwrap_err();
    refused(&mut call, &format!("GET {url}"), "over limits.http-concurrent");
}

#[tokio::test]
async fn times_that_are_over() {
    let (address, _server) = server(|stream, _| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let soon = Span(Duration::from_millis(50));
    for (limits, reason) in [
        (Limits { http_first_byte: soon, ..Limits::default() }, "over limits.http-first-byte"),
        (Limits { http_total: soon, ..Limits::default() }, "over limits.http-total"),
    ] {
        let mut call = Call::new(grant(&[&address], limits));
        call.get(&format!("{address}/")).await.unwrap_err();
        refused(&mut call, &format!("GET {address}/"), reason);
    }
    // A guest that waits less long is not refused anything.
    let options = RequestOptions { first_byte_timeout: Some(soon.0), ..RequestOptions::default() };
    let mut call = Call::new(grant(&[&address], Limits::default()));
    assert!(call.start(get(&format!("{address}/")), Some(options)).await.is_err());
    assert_eq!(told(&mut call), [(format!("GET {address}/"), None, 1)]);
}

#[tokio::test]
async fn more_that_differs_than_can_be_told_apart_is_not_sent() {
    let (asked, mut asks) = mpsc::unbounded_channel();
    let (address, _server) = server(move |mut stream, head| {
        asked.send(head.lines().next().unwrap().to_owned()).unwrap();
        async move {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        }
    })
    .await;
    let mut call = Call::new(grant(&[&address], Limits { records: 2, ..Limits::default() }));
    for path in ["a", "b", "a", "c"] {
        let answer = call.get(&format!("{address}/{path}")).await;
        assert_eq!(answer.is_ok(), path != "c", "{path}: {answer:?}");
    }
    assert_eq!(call.over(), Some(Limit::Records));
    let told: Vec<_> =
        told(&mut call).into_iter().map(|(about, reason, count)| (about, reason.is_some(), count)).collect();
    let got = |path: &str| format!("GET {address}/{path} (200)");
    assert_eq!(told, [(got("a"), false, 2), (got("b"), false, 1), ("(others)".into(), true, 1)]);
    asks.close();
    let mut all = Vec::new();
    while let Some(line) = asks.recv().await {
        all.push(line);
    }
    assert_eq!(all, ["GET /a HTTP/1.1", "GET /b HTTP/1.1", "GET /a HTTP/1.1"]);
}

/// A body that a test feeds.
struct Fed(mpsc::UnboundedReceiver<&'static str>);

impl Body for Fed {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.0.poll_recv(cx).map(|part| part.map(|part| Ok(Frame::data(Bytes::from_static(part.as_bytes())))))
    }
}

#[tokio::test]
async fn a_request_is_under_way_until_all_of_it_is_sent_however_early_its_answer_ends() {
    let (received, mut receives) = mpsc::unbounded_channel();
    let (address, _server) = server(move |mut stream, head| {
        let received = received.clone();
        async move {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
            let mut part = [0; 1024];
            while head.starts_with("POST") {
                let length = stream.read(&mut part).await.unwrap_or(0);
                let _ = received.send(String::from_utf8_lossy(&part[..length]).into_owned());
                if length == 0 {
                    break;
                }
            }
        }
    })
    .await;
    let mut call = Call::new(grant(&[&address], Limits { http_concurrent: 1, ..Limits::default() }));
    let (feed, fed) = mpsc::unbounded_channel();
    feed.send("first").unwrap();
    let upload = http::Request::post(&address).body(Fed(fed).boxed_unsync()).unwrap();
    let (response, done) = call.start(upload, None).await.unwrap();
    assert!(receives.recv().await.unwrap().contains("first"));
    response.into_body().collect().await.unwrap();
    let again = call.get(&address).await;
    assert!(
        matches!(again, Err(Error::ConnectionLimitReached)),
        "its answer has ended, and it is still sent: {again:?}"
    );
    // Whether more is sent or not: with its end, there is room.
    drop(feed);
    while !receives.recv().await.unwrap().is_empty() {}
    drop(done);
    tokio::task::yield_now().await;
    call.get(&address).await.expect("the place was given back");
}

#[tokio::test]
async fn one_request_after_the_other_never_counts_as_two_at_once() {
    let (address, _server) = answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    let mut call = Call::new(grant(&[&address], Limits { http_concurrent: 1, ..Limits::default() }));
    for _ in 0..50 {
        call.get(&address).await.unwrap();
        let post = http::Request::post(&address).body(full("a body")).unwrap();
        call.fetch(post).await.unwrap();
    }
    assert_eq!(call.over(), None);
}
