//! Credentials: on the wire for their own origins, and nowhere else.

use std::{sync::Arc, time::Duration};

use autodevops_policy::Limits;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use tokio::io::AsyncWriteExt as _;
use wasmtime_wasi_http::Error;

use super::{super::Resolver, *};

const SECRET: &str = "s3cr3t-t0ken-0123456789";
const LONG: Duration = Duration::from_secs(60);

fn bound(granted: &[&str], credentials: Vec<EffectiveCredential>, secret: &'static str) -> Call {
    let grant = EffectiveGrant { credentials, ..grant(granted, Limits::default()) };
    Call::with(grant, Some(Arc::new(Fixed(secret))), &HttpOptions::default())
}

/// Answers with `ok` only to a request that carries the credential.
async fn keeper() -> (String, tokio::task::JoinHandle<()>) {
    server(|mut stream, head| async move {
        let with = head.contains(&format!("authorization: Bearer {SECRET}\r\n"));
        let plain = head.contains("accept-encoding: identity\r\n");
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n{with:<5}");
        let answer = if with && !plain { answer.replace("true ", "gzip?") } else { answer };
        let _ = stream.write_all(answer.as_bytes()).await;
    })
    .await
}

#[tokio::test]
async fn a_credential_goes_to_its_own_origin_only() {
    let (address, _server) = keeper().await;
    let (other, _other_server) = keeper().await;
    let localhost = address.replace("127.0.0.1", "localhost");
    let path = format!("{address}/v1");
    let mut call =
        bound(&[&address, &other, &localhost], vec![credential("token", &[&path], "authorization", "Bearer ")], SECRET);
    for (url, with) in [
        (format!("{address}/v1"), "true "),
        (format!("{address}/v1/x?q"), "true "),
        (format!("{address}/v2"), "false"),
        (format!("{address}/v1/../v2"), "false"),
        (format!("{address}/v10"), "false"),
        (format!("{other}/v1"), "false"),
        (format!("{localhost}/v1"), "false"),
    ] {
        assert_eq!(call.get(&url).await.unwrap().text(), with, "{url}");
    }
    let request = http::Request::get(&path).header("accept-encoding", "gzip").body(empty()).unwrap();
    assert_eq!(call.fetch(request).await.unwrap().text(), "true ", "no coding is asked for that could hide an echo");
}

#[tokio::test]
async fn a_guest_cannot_set_a_header_of_its_credentials_for_any_host() {
    let (address, _server) = echo().await;
    let credentials = vec![credential("token", &["https://api.example.com"], "x-token", "")];
    let mut call = bound(&[&address], credentials, SECRET);
    for name in ["x-token", "x_token", "authorization", "cookie", "x-api-key", "proxy-authorization"] {
        assert!(call.gate.is_forbidden_header(&name.parse().unwrap()), "{name}");
        let request = http::Request::get(&address).header(name, "own").body(empty()).unwrap();
        assert!(matches!(call.fetch(request).await, Err(Error::HttpRequestDenied)), "{name}");
    }
}

#[tokio::test]
async fn two_credentials_are_put_on_one_request() {
    let (address, _server) = server(|mut stream, head| async move {
        let both = head.contains(&format!("x-one: {SECRET}\r\n")) && head.contains(&format!("x-two: key {SECRET}\r\n"));
        let _ = stream.write_all(format!("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n{both:<5}").as_bytes()).await;
    })
    .await;
    let credentials =
        vec![credential("one", &[&address], "x-one", ""), credential("two", &[&address], "x-two", "key ")];
    assert_eq!(bound(&[&address], credentials, SECRET).get(&address).await.unwrap().text(), "true ");
}

#[tokio::test]
async fn an_echo_is_scrubbed_wherever_the_server_cuts_it() {
    let (address, _server) = server(|mut stream, head| async move {
        let cut: usize = head.split(['?', ' ']).nth(2).and_then(|cut| cut.parse().ok()).unwrap();
        let body = format!("you sent {SECRET}, as base64 {}", STANDARD.encode(format!("Bearer {SECRET}")));
        let start =
            format!("HTTP/1.1 200 OK\r\nx-echo: {SECRET}\r\nx-{SECRET}: 1\r\ntransfer-encoding: chunked\r\n\r\n");
        let (first, second) = body.split_at(cut);
        let _ = stream.write_all(start.as_bytes()).await;
        for part in [first, second].into_iter().filter(|part| !part.is_empty()) {
            let _ = stream.write_all(format!("{:x}\r\n{part}\r\n", part.len()).as_bytes()).await;
        }
        let _ = stream.write_all(format!("0\r\nx-trailer: {SECRET}\r\n\r\n").as_bytes()).await;
    })
    .await;
    let credentials = || vec![credential("token", &[&address], "authorization", "Bearer ")];
    let stars = "*".repeat(SECRET.len());
    for cut in 0..=(9 + SECRET.len() + 1) {
        let mut call = bound(&[&address], credentials(), SECRET);
        let answer = call.get(&format!("{address}/?{cut}")).await.unwrap();
        assert!(answer.text().starts_with(&format!("you sent {stars}, as base64 ")), "{cut}: {}", answer.text());
        assert!(!format!("{answer:?}").contains(SECRET) && !answer.text().contains(&STANDARD.encode(SECRET)[..12]));
        assert_eq!(answer.headers["x-echo"], stars.as_str());
        assert_eq!(call.gate.scrubber().scrub(&format!("log: {SECRET}")), format!("log: {stars}"));
    }
}

#[tokio::test]
async fn an_echo_that_is_compressed_is_refused() {
    let (address, _server) =
        answering("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\n\x1f\u{8b}").await;
    let credentials = vec![credential("token", &[&address], "authorization", "Bearer ")];
    let answer = bound(&[&address], credentials, SECRET).get(&address).await;
    assert!(matches!(answer, Err(Error::HttpResponseContentCoding(Some(_)))), "{answer:?}");
    let mut without = Call::new(grant(&[&address], Limits::default()));
    assert_eq!(without.start(get(&address), None).await.unwrap().0.status(), 200);
}

#[tokio::test]
async fn without_its_credential_a_request_is_not_sent_and_the_call_says_why() {
    let (address, _server) = echo().await;
    for (secret, reason) in [
        ("", "the variable TOKEN is not set"),
        ("sh0rt", "shorter than 8"),
        ("line\r\nx-smuggled: 1", "no header can have"),
    ] {
        let credentials = vec![credential("token", &[&address], "authorization", "Bearer ")];
        let mut call = bound(&[&address], credentials, secret);
        assert!(matches!(call.get(&address).await, Err(Error::ConfigurationError)));
        let said = call.gate.missing_credential().unwrap();
        assert!(said.starts_with("credential `token` of plugin `a`: ") && said.contains(reason), "{said}");
        assert!(secret.is_empty() || !said.contains(secret));
    }
}

#[tokio::test]
async fn no_record_and_no_debug_output_shows_a_credential() {
    let (address, _server) = keeper().await;
    let credentials = vec![credential("token", &[&address], "authorization", "Bearer ")];
    let mut call = bound(&[&address], credentials, SECRET);
    call.get(&format!("{address}/?{SECRET}")).await.unwrap();
    let records = call.gate.authority.take_records();
    assert!(!format!("{records:?} {:?}", call.gate.scrubber()).contains(SECRET));
}

#[tokio::test]
async fn a_credential_is_looked_for_before_it_was_used_and_in_what_other_hosts_say() {
    let body = format!("we know {SECRET}, as base64 {}", STANDARD.encode(SECRET));
    let (other, _server) =
        answering(format!("HTTP/1.1 200 OK\r\nx-told: {SECRET}\r\ncontent-length: {}\r\n\r\n{body}", body.len())).await;
    let credentials = || vec![credential("token", &["https://api.example.com"], "authorization", "Bearer ")];
    let mut call = bound(&[&other], credentials(), SECRET);
    call.vault.load(LONG).await;
    let answer = call.get(&other).await.unwrap();
    assert!(answer.text().starts_with(&format!("we know {}, ", "*".repeat(SECRET.len()))), "{}", answer.text());
    assert!(!format!("{answer:?} {}", answer.text()).contains("s3cr3t"));
    assert!(!answer.text().contains(&STANDARD.encode(SECRET)[..12]));
    assert_eq!(answer.headers["x-told"], "*".repeat(SECRET.len()).as_str());
    // One that is not to be had harms nothing until it is needed.
    let mut call = bound(&[&other], credentials(), "");
    call.vault.load(LONG).await;
    assert_eq!(call.get(&other).await.unwrap().status, 200);
    assert_eq!(call.gate.missing_credential(), None);
}

#[tokio::test]
async fn a_credential_that_changes_during_a_call_is_looked_for_as_it_was_and_as_it_is() {
    struct Changing(std::sync::atomic::AtomicUsize);
    #[async_trait::async_trait]
    impl CredentialSource for Changing {
        async fn secret(&self, _: &str, _: &str) -> Result<Secret, String> {
            let turn = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Ok(Secret::new(format!("s3cr3t-of-turn-{turn}")))
        }
    }
    let (address, _server) = answering("HTTP/1.1 200 OK\r\n\r\ns3cr3t-of-turn-0 s3cr3t-of-turn-1").await;
    let credentials = vec![credential("token", &[&address], "authorization", "Bearer ")];
    let grant = EffectiveGrant { credentials, ..grant(&[&address], Limits::default()) };
    let mut call = Call::with(grant, Some(Arc::new(Changing(0.into()))), &HttpOptions::default());
    call.vault.load(LONG).await;
    let stars = "*".repeat("s3cr3t-of-turn-0".len());
    assert_eq!(call.get(&address).await.unwrap().text(), format!("{stars} {stars}"));
}

#[tokio::test]
async fn a_credential_that_is_slow_to_be_had_keeps_no_other_unknown_and_is_known_when_it_is_there() {
    /// One that comes when it is let, and one that is there.
    struct SlowFirst(tokio::sync::Semaphore);
    #[async_trait::async_trait]
    impl CredentialSource for SlowFirst {
        async fn secret(&self, _: &str, credential: &str) -> Result<Secret, String> {
            if credential == "slow" {
                let _ = self.0.acquire().await;
            }
            Ok(Secret::new(format!("s3cr3t-{credential}")))
        }
    }
    let origin = "https://api.example.com";
    let credentials =
        ["slow", "ready"].map(|name| credential(name, &[origin], &format!("x-{name}"), "")).into_iter().collect();
    let grant = EffectiveGrant { credentials, ..grant(&[origin], Limits::default()) };
    let source = Arc::new(SlowFirst(tokio::sync::Semaphore::new(0)));
    let call = Call::with(grant, Some(Arc::clone(&source) as _), &HttpOptions::default());
    let scrubber = call.gate.scrubber().clone();
    call.vault.load(Duration::from_millis(50)).await;
    assert_eq!(scrubber.scrub("s3cr3t-ready s3cr3t-slow"), "************ s3cr3t-slow");
    drop(call);
    source.0.add_permits(1);
    while scrubber.scrub("s3cr3t-slow") != "***********" {
        tokio::task::yield_now().await;
    }
}

/// What is logged, at every level.
#[derive(Clone, Default)]
struct Lines(Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_line_of_the_log_shows_a_credential_that_stands_in_what_is_asked_for() {
    /// Knows no name, and says which.
    #[derive(Debug)]
    struct Nowhere;
    #[async_trait::async_trait]
    impl Resolver for Nowhere {
        async fn resolve(&self, _: &str, name: &str) -> std::io::Result<Vec<std::net::IpAddr>> {
            Err(std::io::Error::other(format!("{name} is nowhere")))
        }
    }
    let lines = Lines::default();
    let written = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || written.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let credentials = vec![credential("token", &["https://api.example.com"], "authorization", "Bearer ")];
    let grant = EffectiveGrant { credentials, ..grant(&["https://*.example.com"], Limits::default()) };
    let options = HttpOptions { resolver: Some(Arc::new(Nowhere)), ..HttpOptions::default() };
    let mut call = Call::with(grant, Some(Arc::new(Fixed(SECRET))), &options);
    call.vault.load(LONG).await;
    call.get(&format!("https://denied.example/{SECRET}?token={SECRET}")).await.unwrap_err();
    call.get(&format!("https://{SECRET}.example.com/?token={SECRET}")).await.unwrap_err();
    let log = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("request refused") && log.contains("a name was not found"), "{log}");
    assert!(!log.contains("s3cr3t"), "{log}");
}
