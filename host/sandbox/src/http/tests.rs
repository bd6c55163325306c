//! Requests through the gate to servers on this machine: what goes out, what comes in, and what ends them.

mod credentials;
mod limits;
mod names;
mod refusals;
mod wire;

use std::{pin::Pin, sync::Arc};

use autodevops_policy::{EffectiveCredential, EffectiveGrant, Limit, Limits};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Full};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks as _};

use super::{HttpGate, HttpOptions, Network, Vault};
use crate::{
    authority::Authority,
    credentials::{CredentialSource, Secret},
    quota::Quota,
};

/// A gate for one call, and what was used of its limits.
struct Call {
    gate: HttpGate,
    vault: Arc<Vault>,
    quota: Arc<Quota>,
}

/// What a response was.
#[derive(Debug)]
struct Response {
    status: u16,
    headers: http::HeaderMap,
    body: Vec<u8>,
}

impl Response {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

fn grant(origins: &[&str], limits: Limits) -> EffectiveGrant {
    EffectiveGrant {
        http: origins.iter().map(|text| text.parse().unwrap()).collect(),
        limits,
        ..EffectiveGrant::default()
    }
}

impl Call {
    fn new(grant: EffectiveGrant) -> Self {
        Self::with(grant, None, &HttpOptions::default())
    }

    fn with(grant: EffectiveGrant, source: Option<Arc<dyn CredentialSource>>, options: &HttpOptions) -> Self {
        Self::of("a", grant, source, options)
    }

    fn of(
        plugin: &str,
        grant: EffectiveGrant,
        source: Option<Arc<dyn CredentialSource>>,
        options: &HttpOptions,
    ) -> Self {
        let grant = Arc::new(grant);
        let plugin: Arc<str> = plugin.into();
        let quota = Quota::new(Arc::clone(&plugin), Arc::clone(&grant));
        let vault = Arc::new(Vault::new(Arc::clone(&plugin), Arc::clone(&grant), source));
        let authority = Authority::new(plugin, grant, Arc::clone(&quota), vault.scrubber().clone());
        let network = Arc::new(Network::new(options).unwrap());
        Self { gate: HttpGate::new(authority, network, Arc::clone(&vault)), vault, quota }
    }

    /// Sends a request; what comes back is not read yet.
    async fn start(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
    ) -> Result<(http::Response<WasiBody>, super::send::Done), Error> {
        Pin::from(self.gate.send_request(request, options, Box::new(async { Ok(()) }))).await
    }

    async fn fetch(&mut self, request: http::Request<WasiBody>) -> Result<Response, Error> {
        let (response, done) = self.start(request, None).await?;
        let (head, body) = response.into_parts();
        let body = body.collect().await?.to_bytes().to_vec();
        drop(done);
        Ok(Response { status: head.status.as_u16(), headers: head.headers, body })
    }

    async fn get(&mut self, url: &str) -> Result<Response, Error> {
        self.fetch(get(url)).await
    }

    /// The limit that the call's failure names.
    fn over(&self) -> Option<Limit> {
        self.quota.exceeded().map(|over| over.limit)
    }
}

fn empty() -> WasiBody {
    Empty::<Bytes>::new().map_err(|never| match never {}).boxed_unsync()
}

fn full(bytes: impl Into<Bytes>) -> WasiBody {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

fn get(url: &str) -> http::Request<WasiBody> {
    http::Request::get(url).body(empty()).unwrap()
}

/// Serves connections one by one, each by the same function; it is given the request's head.
async fn server<F>(serve: impl Fn(TcpStream, String) -> F + Send + Sync + 'static) -> (String, JoinHandle<()>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let task = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let head = head(&mut stream).await;
            tokio::spawn(serve(stream, head));
        }
    });
    (address, task)
}

/// Reads a request's head.
async fn head(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(head).unwrap()
}

/// A server that answers every request by the same bytes.
async fn answering(answer: impl Into<Vec<u8>>) -> (String, JoinHandle<()>) {
    let answer: Arc<[u8]> = answer.into().into();
    server(move |mut stream, _| {
        let answer = Arc::clone(&answer);
        async move {
            // A client that has had enough closes.
            let _ = stream.write_all(&answer).await;
            let _ = stream.shutdown().await;
        }
    })
    .await
}

/// A server that answers with what it was asked, its headers in the body.
async fn echo() -> (String, JoinHandle<()>) {
    server(|mut stream, head| async move {
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{head}", head.len());
        let _ = stream.write_all(answer.as_bytes()).await;
    })
    .await
}

/// Hands out one secret for every credential.
struct Fixed(&'static str);

#[async_trait::async_trait]
impl CredentialSource for Fixed {
    async fn secret(&self, _: &str, _: &str) -> Result<Secret, String> {
        if self.0.is_empty() { Err("the variable TOKEN is not set".into()) } else { Ok(Secret::new(self.0.into())) }
    }
}

fn credential(name: &str, origins: &[&str], header: &str, prefix: &str) -> EffectiveCredential {
    let origins = origins.iter().map(|text| text.parse().unwrap()).collect();
    EffectiveCredential { name: name.into(), origins, header: header.into(), prefix: prefix.into() }
}
