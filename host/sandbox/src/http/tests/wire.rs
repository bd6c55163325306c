//! What goes on the wire, and what is taken from it.

use std::{
    io,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use autodevops_policy::Limits;
use tokio::{io::AsyncWriteExt as _, net::TcpListener};
use wasmtime_wasi_http::Error;

use super::{super::Resolver, *};

#[tokio::test]
async fn a_request_names_its_path_and_its_host_and_nothing_else_of_the_host() {
    let (address, _server) = echo().await;
    let mut call = Call::new(grant(&[&address], Limits::default()));
    let answer = call.get(&format!("{address}/x/../y?q=1")).await.unwrap();
    let host = address.trim_start_matches("http://");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.text(), format!("GET /y?q=1 HTTP/1.1\r\nhost: {host}\r\n\r\n"));
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_not_followed() {
    let (address, _server) =
        answering("HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/latest\r\ncontent-length: 0\r\n\r\n").await;
    let mut call = Call::new(grant(&[&address], Limits::default()));
    let answer = call.get(&address).await.unwrap();
    assert_eq!((answer.status, &answer.headers["location"]), (302, &"http://169.254.169.254/latest".parse().unwrap()));
    let metadata = call.get("http://169.254.169.254/latest").await;
    assert!(matches!(metadata, Err(Error::HttpRequestDenied)), "{metadata:?}");
    let mut granted = Call::new(grant(&["http://169.254.169.254"], Limits::default()));
    let metadata = granted.get("http://169.254.169.254/latest").await;
    assert!(matches!(metadata, Err(Error::DestinationIpProhibited)), "even where it is granted: {metadata:?}");
}

#[tokio::test]
async fn tunnels_and_echoes_of_the_request_are_refused() {
    let (address, _server) = echo().await;
    let mut call = Call::new(grant(&[&address], Limits::default()));
    for method in ["CONNECT", "TRACE", "trace"] {
        let request = http::Request::builder().method(method).uri(format!("{address}/")).body(empty()).unwrap();
        let answer = call.fetch(request).await;
        let refused = matches!(answer, Err(Error::HttpRequestDenied | Error::HttpRequestMethodInvalid));
        assert!(refused, "{method}: {answer:?}");
    }
}

#[tokio::test]
async fn a_header_that_is_the_hosts_to_set_never_goes_out() {
    let (address, _server) = echo().await;
    let mut call = Call::new(grant(&[&address], Limits::default()));
    for name in
        ["host", "authorization", "cookie", "transfer-encoding", "connection", "te", "expect", "proxy-connection"]
    {
        assert!(call.gate.is_forbidden_header(&name.parse().unwrap()), "{name}");
        let request = http::Request::get(&address).header(name, "x").body(empty()).unwrap();
        let answer = call.fetch(request).await;
        assert!(matches!(answer, Err(Error::HttpRequestDenied)), "{name}: {answer:?}");
    }
    let request = http::Request::get(&address).header("x-own", "kept").body(empty()).unwrap();
    assert!(call.fetch(request).await.unwrap().text().contains("x-own: kept\r\n"));
}

#[tokio::test]
async fn a_body_of_another_length_than_was_announced_is_no_second_request() {
    for (announced, body, sent) in [("3", "abcGET /smuggled HTTP/1.1\r\n\r\n", "abc"), ("30", "short", "short")] {
        let (received, seen) = tokio::sync::oneshot::channel();
        let received = std::sync::Mutex::new(Some(received));
        let (address, _server) = server(move |mut stream, _| {
            let received = received.lock().unwrap().take();
            async move {
                let mut body = Vec::new();
                if announced == "3" {
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
                }
                let _ = stream.read_to_end(&mut body).await;
                let _ = received.unwrap().send(body);
            }
        })
        .await;
        let mut call = Call::new(grant(&[&address], Limits::default()));
        // What a guest writes less than it announced is broken off as `wasmtime-wasi-http` does it.
        let broken_off = async move { (announced == "30").then_some(Err(Error::HttpProtocolError)) };
        let body = full(body).with_trailers(broken_off).boxed_unsync();
        let request = http::Request::post(&address).header("content-length", announced).body(body).unwrap();
        let _ = call.fetch(request).await;
        let seen = String::from_utf8(seen.await.unwrap()).unwrap();
        // What is broken off may not have gone out in full.
        assert!(sent.starts_with(&seen) && (announced != "3" || seen == sent), "{announced}: {seen}");
    }
}

#[tokio::test]
async fn a_server_that_wants_another_protocol_is_refused() {
    for answer in [
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
    ] {
        let (address, _server) = answering(answer).await;
        let mut call = Call::new(grant(&[&address], Limits::default()));
        let answer = call.get(&address).await;
        assert!(matches!(answer, Err(Error::HttpUpgradeFailed)), "{answer:?}");
    }
}

#[tokio::test]
async fn an_answer_that_is_cut_off_is_an_error_and_not_a_short_one() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nshort\r\n",
        "HTTP/1.1 200 OK\r\ncontent-le",
        "not HTTP at all",
    ] {
        let (address, _server) = answering(answer).await;
        let mut call = Call::new(grant(&[&address], Limits::default()));
        assert!(call.get(&address).await.is_err(), "{answer}");
        assert_eq!(call.over(), None);
    }
}

/// Counts how often it is asked, and answers by turns.
#[derive(Debug)]
struct Turns(AtomicUsize, Vec<&'static str>);

#[async_trait::async_trait]
impl Resolver for Turns {
    async fn resolve(&self, _: &str, _: &str) -> io::Result<Vec<IpAddr>> {
        let turn = self.0.fetch_add(1, Ordering::Relaxed);
        Ok(vec![self.1[turn % self.1.len()].parse().unwrap()])
    }
}

#[tokio::test]
async fn a_name_that_changes_between_look_ups_gains_nothing() {
    let (address, _server) = echo().await;
    let port = address.rsplit_once(':').unwrap().1.to_owned();
    let resolver = Arc::new(Turns(AtomicUsize::new(0), vec!["127.0.0.1", "10.0.0.1"]));
    let options = HttpOptions { resolver: Some(Arc::clone(&resolver) as _), ..HttpOptions::default() };
    let origin = format!("http://localhost:{port}");
    let mut call = Call::with(grant(&[&origin], Limits::default()), None, &options);
    assert_eq!(call.get(&origin).await.unwrap().status, 200);
    assert_eq!(resolver.0.load(Ordering::Relaxed), 1, "judged and connected to by one look-up");
    assert!(matches!(call.get(&origin).await, Err(Error::DestinationIpProhibited)));
}

#[tokio::test]
async fn a_name_that_leads_to_this_machine_is_refused_before_anything_is_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://api.example.com:{}", listener.local_addr().unwrap().port());
    for address in ["127.0.0.1", "::1", "::ffff:127.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1", "169.254.169.254"] {
        let resolver = Arc::new(Turns(AtomicUsize::new(0), vec![address]));
        let options = HttpOptions { resolver: Some(resolver), ..HttpOptions::default() };
        let mut call = Call::with(grant(&[&origin], Limits::default()), None, &options);
        let answer = call.get(&origin).await;
        assert!(matches!(answer, Err(Error::DestinationIpProhibited)), "{address}: {answer:?}");
    }
    let accepted = std::future::poll_fn(|cx| std::task::Poll::Ready(listener.poll_accept(cx).is_ready())).await;
    assert!(!accepted, "nobody connected");
}

#[tokio::test]
async fn each_request_is_one_record_with_its_status_and_without_its_query() {
    let (address, _server) = answering("HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\nno").await;
    let mut call = Call::new(grant(&[&address], Limits::default()));
    call.get(&format!("{address}/a?token=1")).await.unwrap();
    call.get("http://other.example/").await.unwrap_err();
    let records = call.gate.authority.take_records();
    let told: Vec<_> = records.iter().map(|record| (record.summary.as_str(), record.allowed)).collect();
    assert_eq!(told, [(format!("GET {address}/a (404)").as_str(), true), ("GET http://other.example/", false)]);
    assert!(records[0].bytes > 90, "both heads and the body: {}", records[0].bytes);
}

#[tokio::test]
async fn tls_trusts_the_operators_own_authority_by_the_name_that_was_asked_for() {
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let mut parameters = rcgen::CertificateParams::new(vec![]).unwrap();
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = parameters.clone().self_signed(&authority_key).unwrap();
    let issuer = rcgen::Issuer::new(parameters, authority_key);
    let key = rcgen::KeyPair::generate().unwrap();
    for (certified, trusted, fits) in
        [("localhost", true, true), ("other.example", true, false), ("localhost", false, false)]
    {
        let certificate =
            rcgen::CertificateParams::new(vec![certified.into()]).unwrap().signed_by(&key, &issuer).unwrap();
        let private = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private)
            .unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        let served = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = acceptor.accept(stream).await else { return };
            head(&mut stream).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nsafe").await;
            let _ = stream.shutdown().await;
        });
        let authorities = if trusted { vec![authority.pem().into_bytes()] } else { vec![] };
        let resolver = Arc::new(Turns(AtomicUsize::new(0), vec!["127.0.0.1"]));
        let options = HttpOptions { resolver: Some(resolver), certificate_authorities: authorities };
        let mut call = Call::with(grant(&[&origin], Limits::default()), None, &options);
        let answer = call.get(&origin).await;
        if fits {
            assert_eq!(answer.unwrap().text(), "safe");
        } else {
            assert!(matches!(answer, Err(Error::TlsCertificateError)), "{certified}: {answer:?}");
        }
        served.await.unwrap();
    }
}
