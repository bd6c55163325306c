//! A small release: what the tests' front door starts in place of `autodevops worker`. It is this test program, run
//! again.

use std::{
    convert::Infallible,
    fs,
    io::Write,
    path::{Path, PathBuf},
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use autodevops_load::site;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::{
    body::{Body as HttpBody, Frame, Incoming},
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::sync::mpsc;

type Body = BoxBody<Bytes, hyper::Error>;

/// Serves as the command line says; does nothing when this program was not started as a release.
pub fn serve_if_asked() {
    let Ok(arguments) = std::env::var("RELEASE_ARGUMENTS") else { return };
    let words: Vec<&str> = arguments.split(' ').collect();
    let value = |name: &str| words.windows(2).find(|pair| pair[0] == name).map(|pair| PathBuf::from(pair[1]));
    let (root, socket) = (value("--root").unwrap(), value("--socket").unwrap());
    println!("serving {}", root.display());
    if root.join("broken").exists() {
        eprintln!("Error: Cannot find module './prices'");
        std::process::exit(1);
    }
    if root.join("silent").exists() {
        std::thread::sleep(Duration::from_secs(600));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = tokio::net::UnixListener::bind(&socket).unwrap();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let root = root.clone();
            let service = service_fn(move |request| answer(root.clone(), request));
            tokio::spawn(async move {
                let connection =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                drop(connection.with_upgrades().await);
            });
        }
    });
}

async fn answer(root: PathBuf, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let text = |text: String| Response::new(full(text));
    let name = root.file_name().unwrap().to_string_lossy().into_owned();
    Ok(match request.uri().path() {
        "/crash" => std::process::exit(3),
        "/hang" => std::future::pending().await,
        "/probe" => probed(&root).await,
        "/slow" => {
            fs::write(root.join("slow-began"), "").unwrap();
            until(|| root.join("go").exists()).await;
            text("slow".into())
        }
        "/error" => {
            let mut response = text("Internal Server Error".into());
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response.headers_mut().insert("x-autodevops-error", "application".parse().unwrap());
            response
        }
        "/plain-error" => {
            let mut response = text(String::new());
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response
        }
        "/echo" if request.method() == Method::POST => Response::new(request.into_body().boxed()),
        "/stream" => streamed(root),
        "/endless" => endless(),
        "/count" => count(root, request.into_body()).await,
        "/socket" => site::socket(request, "hello ").map(of_load),
        "/headers" => text(format!("{:?}", request.headers())),
        "/sandbox" => text(sandbox(&root)),
        "/greedy" => text(greedy()),
        path if path.starts_with(site::PREFIX) => site::answer(&name, request).await.map(of_load),
        path => text(format!("{name} {path}")),
    })
}

/// What is answered to a probe: by the file `probes` a `.` each with 200, an `x` with 503, an `h` never; the last one from then on, and all of
/// it anew when the file is written anew. The file `probed` has a mark for each probe that came.
async fn probed(root: &Path) -> Response<Body> {
    static SO_FAR: Mutex<(String, usize)> = Mutex::new((String::new(), 0));
    let answers = fs::read_to_string(root.join("probes")).unwrap_or_default();
    let answer = {
        let mut so_far = SO_FAR.lock().unwrap_or_else(PoisonError::into_inner);
        if so_far.0 != answers {
            *so_far = (answers.clone(), 0);
        }
        so_far.1 += 1;
        answers.chars().take(so_far.1).last()
    };
    let mut marks = fs::OpenOptions::new().append(true).create(true).open(root.join("probed")).unwrap();
    marks.write_all(b".").unwrap();
    let mut response = Response::new(full(String::new()));
    match answer {
        Some('h') => std::future::pending().await,
        Some('x') => *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE,
        _ => {}
    }
    response
}

/// A body whose parts come one by one.
struct Parts(mpsc::Receiver<Bytes>);

impl HttpBody for Parts {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        self.0.poll_recv(cx).map(|part| part.map(|part| Ok(Frame::data(part))))
    }
}

/// A first part at once, the second when the file `go` is there.
fn streamed(root: PathBuf) -> Response<Body> {
    let (send, parts) = mpsc::channel(1);
    tokio::spawn(async move {
        drop(send.send("first".into()).await);
        until(|| root.join("go").exists()).await;
        drop(send.send("second".into()).await);
    });
    Response::new(Parts(parts).boxed())
}

/// As much as is read.
fn endless() -> Response<Body> {
    let (send, parts) = mpsc::channel(1);
    tokio::spawn(async move { while send.send(Bytes::from_static(&[b'x'; 64 << 10])).await.is_ok() {} });
    Response::new(Parts(parts).boxed())
}

/// How many bytes the request had; the file `came` is there once the first have come.
async fn count(root: PathBuf, mut body: Incoming) -> Response<Body> {
    let mut count = 0;
    while let Some(Ok(frame)) = body.frame().await {
        if count == 0 {
            fs::write(root.join("came"), "").unwrap();
        }
        count += frame.data_ref().map_or(0, Bytes::len);
    }
    Response::new(full(count.to_string()))
}

/// What a release can do to the machine.
fn sandbox(root: &Path) -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let uid = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap().split_whitespace().next().unwrap();
    let processes =
        fs::read_dir("/proc").unwrap().flatten().filter(|e| e.file_name().to_string_lossy().parse::<u32>().is_ok());
    let devices = fs::read_to_string("/proc/net/dev").unwrap();
    format!(
        "uid={uid} processes={} devices={} home={} write={} variables={}",
        processes.count(),
        devices.lines().skip(2).map(|line| line.split(':').next().unwrap().trim()).collect::<Vec<_>>().join(","),
        PathBuf::from("/home").exists() || PathBuf::from("/root").exists(),
        fs::write(root.join("written"), "").is_ok(),
        std::env::vars().any(|(name, _)| name.starts_with("CARGO")),
    )
}

/// Whether there are 300 MiB, and 200 threads.
fn greedy() -> String {
    let memory = Vec::<u8>::new().try_reserve_exact(300 << 20).is_ok();
    let (done, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Arc::new(std::sync::Mutex::new(wait));
    let thread = |_| {
        let wait = std::sync::Arc::clone(&wait);
        let waits = move || {
            let _ended = wait.lock().unwrap().recv();
        };
        std::thread::Builder::new().stack_size(64 << 10).spawn(waits).ok()
    };
    let threads: Vec<_> = (0..200).map_while(thread).collect();
    let count = threads.len();
    drop(done);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    format!("memory={memory} threads={}", count == 200)
}

fn of_load(body: autodevops_load::body::Body) -> Body {
    body.map_err(|never| match never {}).boxed()
}

fn full(text: String) -> Body {
    Full::new(Bytes::from(text)).map_err(|never| match never {}).boxed()
}

/// Waits until `done`, within bounds.
pub async fn until(done: impl Fn() -> bool) {
    for _ in 0..3000 {
        if done() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("waited in vain");
}
