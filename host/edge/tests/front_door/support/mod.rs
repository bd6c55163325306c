//! A front door for a test, with releases that are this test program, run again.
#![allow(dead_code)]

pub mod process;
pub mod release;
pub mod wire;

use std::{collections::BTreeMap, fs, net::SocketAddr, path::PathBuf, time::Duration};

use autodevops_edge::{Client, EdgeError, EdgeOptions, EnvironmentOptions, RunSpec, Start, serve};
use autodevops_load::Change;
use autodevops_model::{Release, Split};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, header};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client as HttpClient, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use tokio::task::JoinHandle;

pub const PRODUCTION: &str = "production";

/// A front door with one environment.
pub struct TestEdge {
    pub folder: tempfile::TempDir,
    pub options: EdgeOptions,
    pub client: Client,
    pub address: SocketAddr,
    pub metrics: SocketAddr,
    http: HttpClient<HttpConnector, Full<Bytes>>,
    task: Option<JoinHandle<Result<(), EdgeError>>>,
}

impl TestEdge {
    /// One that is set up and does not serve yet.
    pub fn new() -> Self {
        Self::with(|_| ())
    }

    pub fn with(change: impl FnOnce(&mut EdgeOptions)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [address, metrics] = free_addresses();
        let mut options = EdgeOptions::new(folder.path().join("state"), worker());
        options.metrics = Some(metrics);
        options.drain = Duration::from_secs(10);
        let log = folder.path().join("logs/production.log");
        options.environments = BTreeMap::from([(PRODUCTION.to_owned(), EnvironmentOptions::new(address, log))]);
        change(&mut options);
        let http = HttpClient::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build_http();
        let client = Client::new(&options.state);
        Self { folder, options, client, address, metrics, http, task: None }
    }

    /// Serves in this process.
    pub async fn serve(mut self) -> Self {
        self.task = Some(tokio::spawn(serve(self.options.clone())));
        self.until_open().await;
        self
    }

    pub async fn until_open(&self) {
        self.client.until_open(Duration::from_secs(20)).await.unwrap();
    }

    /// Ends it, as `autodevops edge stop` does.
    pub async fn end(&mut self) {
        self.client.shutdown().await.unwrap();
        self.task.take().unwrap().await.unwrap().unwrap();
    }

    /// A release's folder.
    pub fn root(&self, id: &str) -> PathBuf {
        let root = self.folder.path().join(id);
        fs::create_dir_all(&root).unwrap();
        root
    }

    pub fn start_of(&self, id: &str, key: &str, fence: u64) -> Start {
        Start {
            environment: PRODUCTION.into(),
            key: key.into(),
            fence,
            release: release(id),
            root: self.root(id),
            run: RunSpec::Files { public: ".".into() },
        }
    }

    /// Starts a release under a key of its own.
    pub async fn start(&self, id: &str) {
        self.client.start(self.start_of(id, &format!("start {id}"), 1)).await.unwrap();
    }

    /// Sets shares under a key of their own.
    pub async fn split(&self, shares: &[(&str, u8)]) {
        let key = format!("{:?} {}", shares, next_number());
        self.client.set_traffic(PRODUCTION, &key, 1, splits(shares)).await.unwrap();
    }

    /// Makes a change of the load's.
    pub async fn make(&self, change: &Change) {
        match change {
            Change::Deploy(id) => self.start(id).await,
            Change::Weights(shares) => {
                self.split(&shares.iter().map(|(id, percent)| (id.as_str(), *percent)).collect::<Vec<_>>()).await;
            }
            Change::Rollback(id) => self.split(&[(id, 100)]).await,
            Change::Stop(id) => self.client.stop(PRODUCTION, &format!("stop {id}"), 1, id).await.unwrap(),
        }
    }

    /// What a client gets that was given this id.
    pub async fn get_as(&self, client: u64, path: &str) -> Answer {
        let cookie = format!("{}={client:016x}", autodevops_edge::CLIENT_COOKIE);
        self.send(Request::get(self.url(path)).header(header::COOKIE, cookie).body(Full::default()).unwrap()).await
    }

    /// What someone new gets.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(self.url(path)).body(Full::default()).unwrap()).await
    }

    pub async fn send(&self, request: Request<Full<Bytes>>) -> Answer {
        self.try_send(request).await.unwrap()
    }

    pub async fn try_send(&self, request: Request<Full<Bytes>>) -> Result<Answer, String> {
        let answer = self.http.request(request).await.map_err(|error| format!("{error:?}"))?;
        let (head, body) = answer.into_parts();
        let body = body.collect().await.map_err(|error| format!("{error:?}"))?.to_bytes();
        Ok(Answer(Response::from_parts(head, body)))
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub async fn metrics(&self) -> String {
        let url = format!("http://{}/metrics", self.metrics);
        self.send(Request::get(url).body(Full::default()).unwrap()).await.text()
    }
}

/// An answer, read to its end.
pub struct Answer(pub Response<Bytes>);

impl Answer {
    pub fn status(&self) -> u16 {
        self.0.status().as_u16()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers().get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn headers(&self) -> &HeaderMap {
        self.0.headers()
    }

    pub fn release(&self) -> &str {
        self.header("x-autodevops-release")
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.0.body()).into_owned()
    }
}

pub fn release(id: &str) -> Release {
    Release { id: id.into(), artifact: format!("sha256:{}", "0".repeat(64)), commit: "0".repeat(40) }
}

pub fn splits(shares: &[(&str, u8)]) -> Vec<Split> {
    shares.iter().map(|(release, percent)| Split { release: (*release).into(), percent: *percent }).collect()
}

/// Whether a process is there (and not merely its entry, waiting to be read by its parent).
pub fn is_alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().and_then(|rest| rest.chars().next()).is_some_and(|state| state != 'Z')
}

/// This test program as a release: the front door appends the worker's options, which it finds in its environment.
fn worker() -> Vec<std::ffi::OsString> {
    let script = "RELEASE_ARGUMENTS=\"$*\" exec \"$0\" release_process --exact --nocapture";
    vec!["/bin/sh".into(), "-c".into(), script.into(), std::env::current_exe().unwrap().into()]
}

fn free_addresses<const N: usize>() -> [SocketAddr; N] {
    // All are held until the last is known, so that no two are the same.
    let held = [(); N].map(|()| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    held.map(|listener| listener.local_addr().unwrap())
}

fn next_number() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
