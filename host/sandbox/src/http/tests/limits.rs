//! Each limit on requests: what it ends, what the guest is told, and which limit the call's failure names.

use std::time::Duration;

use autodevops_policy::{Bytes, Limit, Limits, Span};
use http_body_util::BodyExt as _;
use tokio::{io::AsyncWriteExt as _, net::TcpListener, sync::mpsc};
use wasmtime_wasi_http::{Error, RequestOptions};

use super::*;

const SOON: Span = Span(Duration::from_millis(50));

/// Ends a body that never does.
async fn drip(mut stream: TcpStream, part: &'static [u8]) {
    while stream.write_all(part).await.is_ok() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn requests_beyond_the_limit_are_denied() {
    let (address, _server) = echo().await;
    let mut call = Call::new(grant(&[&address], Limits { http_requests: 2, ..Limits::default() }));
    assert!(call.get(&address).await.is_ok() && call.get(&address).await.is_ok());
    assert_eq!(call.over(), None);
    assert!(matches!(call.get(&address).await, Err(Error::HttpRequestDenied)));
    assert_eq!(call.over(), Some(Limit::HttpRequests));
}

#[tokio::test]
async fn only_so_many_requests_are_under_way_at_once() {
    let (address, _server) = echo().await;
    let mut call = Call::new(grant(&[&address], Limits { http_concurrent: 2, ..Limits::default() }));
    let first = call.start(get(&address), None).await.unwrap();
    let second = call.start(get(&address), None).await.unwrap();
    assert!(matches!(call.start(get(&address), None).await, Err(Error::ConnectionLimitReached)));
    assert_eq!(call.over(), Some(Limit::HttpConcurrent));
    drop(first);
    let third = call.start(get(&address), None).await.unwrap();
    second.0.into_body().collect().await.unwrap();
    assert!(call.get(&address).await.is_ok(), "a body that was read to its end is no longer under way");
    drop(third);
}

#[tokio::test]
async fn what_is_sent_is_counted_with_its_headers_and_never_goes_beyond() {
    let (total, mut totals) = mpsc::unbounded_channel();
    let (address, _server) = server(move |mut stream, head| {
        let total = total.clone();
        async move {
            let mut body = Vec::new();
            let _ = stream.read_to_end(&mut body).await;
            let _ = total.send(head.len() + body.len());
        }
    })
    .await;
    let mut call = Call::new(grant(&[&address], Limits { http_sent: Bytes(10_000), ..Limits::default() }));
    let answer = call.fetch(http::Request::post(&address).body(full(vec![b'x'; 1 << 20])).unwrap()).await;
    assert!(matches!(answer, Err(Error::HttpRequestBodySize(Some(10_000)))), "{answer:?}");
    assert_eq!(call.over(), Some(Limit::HttpSent));
    assert!(totals.recv().await.unwrap() <= 10_000);
}

#[tokio::test]
async fn an_endless_body_ends_at_what_may_be_received() {
    for start in ["content-length: 1000000000\r\n\r\n", "\r\n", "transfer-encoding: chunked\r\n\r\n"] {
        let part = if start.starts_with('t') { &b"4\r\nabcd\r\n"[..] } else { b"abcdefgh" };
        let (address, _server) = server(move |mut stream, _| async move {
            let _ = stream.write_all(format!("HTTP/1.1 200 OK\r\n{start}").as_bytes()).await;
            drip(stream, part).await;
        })
        .await;
        let mut call = Call::new(grant(&[&address], Limits { http_received: Bytes(100_000), ..Limits::default() }));
        let answer = call.get(&address).await;
        assert!(matches!(answer, Err(Error::HttpResponseBodySize(Some(100_000)))), "{start:?}: {answer:?}");
        assert_eq!(call.over(), Some(Limit::HttpReceived));
    }
}

#[tokio::test]
async fn several_responses_share_what_may_be_received() {
    let (address, _server) = answering(format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(40_000))).await;
    let mut call = Call::new(grant(&[&address], Limits { http_received: Bytes(100_000), ..Limits::default() }));
    assert!(call.get(&address).await.is_ok() && call.get(&address).await.is_ok());
    assert!(matches!(call.get(&address).await, Err(Error::HttpResponseBodySize(_))));
    assert_eq!(call.over(), Some(Limit::HttpReceived));
}

#[tokio::test]
async fn headers_without_end_are_refused() {
    for part in [&b"x-more: 0123456789012345678901234567890123456789\r\n"[..], b"x"] {
        let (address, _server) = server(move |mut stream, _| async move {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nx-first: 1\r\nx-long: ").await;
            drip(stream, part).await;
        })
        .await;
        let mut call = Call::new(grant(&[&address], Limits::default()));
        let answer = call.get(&address).await;
        assert!(matches!(answer, Err(Error::HttpResponseHeaderSectionSize(_))), "{answer:?}");
    }
}

#[tokio::test]
async fn interim_answers_without_end_count_as_received() {
    let (address, _server) = server(|stream, _| drip(stream, b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n")).await;
    let mut call = Call::new(grant(&[&address], Limits { http_received: Bytes(100_000), ..Limits::default() }));
    assert!(call.get(&address).await.is_err());
    assert_eq!(call.over(), Some(Limit::HttpReceived));
}

#[tokio::test]
async fn a_handshake_that_hangs_is_no_connection_in_time() {
    // Accepted by the operating system, and TLS is never spoken.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("https://{}", listener.local_addr().unwrap());
    let mut call = Call::new(grant(&[&origin], Limits { http_connect: SOON, ..Limits::default() }));
    assert!(matches!(call.get(&origin).await, Err(Error::ConnectionTimeout)));
    assert_eq!(call.over(), Some(Limit::HttpConnect));
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_waited_for_to_the_first_byte() {
    let (address, _server) = server(|stream, _| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let mut call = Call::new(grant(&[&address], Limits { http_first_byte: SOON, ..Limits::default() }));
    assert!(matches!(call.get(&address).await, Err(Error::HttpResponseTimeout)));
    assert_eq!(call.over(), Some(Limit::HttpFirstByte));
}

#[tokio::test]
async fn a_guest_that_waits_less_long_breaks_no_limit_and_cannot_wait_longer() {
    let (address, _server) = server(|stream, _| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let wait = |time| Some(RequestOptions { first_byte_timeout: Some(time), ..RequestOptions::default() });
    let mut call = Call::new(grant(&[&address], Limits::default()));
    assert!(matches!(call.start(get(&address), wait(SOON.0)).await, Err(Error::HttpResponseTimeout)));
    assert_eq!(call.over(), None);
    let mut call = Call::new(grant(&[&address], Limits { http_first_byte: SOON, ..Limits::default() }));
    let answer = call.start(get(&address), wait(Duration::from_secs(3600))).await;
    assert!(matches!(answer, Err(Error::HttpResponseTimeout)));
    assert_eq!(call.over(), Some(Limit::HttpFirstByte));
}

#[tokio::test]
async fn a_slow_body_ends_by_the_whole_requests_time_even_when_nobody_reads() {
    let (closed, mut closes) = mpsc::unbounded_channel();
    let (address, _server) = server(move |mut stream, _| {
        let closed = closed.clone();
        async move {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nx").await;
            let _ = stream.read(&mut [0; 1]).await;
            let _ = closed.send(());
        }
    })
    .await;
    let mut call = Call::new(grant(&[&address], Limits { http_total: SOON, ..Limits::default() }));
    let (response, _done) = call.start(get(&address), None).await.unwrap();
    closes.recv().await.expect("the server sees that the connection is closed, unread as it is");
    let read = response.into_body().collect().await;
    assert!(matches!(read, Err(Error::HttpResponseTimeout)), "{read:?}");
    assert_eq!(call.over(), Some(Limit::HttpTotal));
}

#[tokio::test]
async fn the_guests_time_between_two_parts_is_held() {
    let (address, _server) = server(|mut stream, _| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nx").await;
        std::future::pending::<()>().await;
    })
    .await;
    let mut call = Call::new(grant(&[&address], Limits::default()));
    let options = RequestOptions { between_bytes_timeout: Some(SOON.0), ..RequestOptions::default() };
    let (response, _done) = call.start(get(&address), Some(options)).await.unwrap();
    assert!(matches!(response.into_body().collect().await, Err(Error::ConnectionReadTimeout)));
    assert_eq!(call.over(), None);
}

#[tokio::test]
async fn when_a_request_is_dropped_the_server_sees_its_connection_closed() {
    for answered in [true, false] {
        let (told, mut tells) = mpsc::unbounded_channel();
        let (address, _server) = server(move |mut stream, _| {
            let told = told.clone();
            async move {
                if answered {
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nx").await;
                }
                let _ = told.send("asked");
                let _ = stream.read(&mut [0; 1]).await;
                let _ = told.send("closed");
            }
        })
        .await;
        let mut call = Call::new(grant(&[&address], Limits::default()));
        if answered {
            drop(call.start(get(&address), None).await.unwrap());
            assert_eq!(tells.recv().await, Some("asked"));
        } else {
            tokio::select! {
                answer = call.start(get(&address), None) => panic!("{:?}", answer.map(|_| ())),
                told = tells.recv() => assert_eq!(told, Some("asked")),
            }
        }
        assert_eq!(tells.recv().await, Some("closed"));
    }
}
