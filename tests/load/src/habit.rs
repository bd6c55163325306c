//! What a client of a front door does again and again, and what it must get.

use std::{fmt, net::SocketAddr, time::Duration};

use http::{Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use hyper::{
    body::Incoming,
    client::conn::http1::{SendRequest, handshake},
};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    RELEASE,
    body::{Body, Parts, whole},
};

/// What a client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Habit {
    /// Asks on a connection that it keeps.
    Keep,
    /// Connects anew for each request.
    Anew,
    /// Sends a small body, in parts whose number it does not say before, on a connection that it keeps.
    Post,
    /// Sends a body of 100 MB, over half a second at least.
    Upload,
    /// Reads an answer whose parts come over half a second.
    Stream,
    /// Has a connection upgraded and holds it for half a second, in which it says something again and again that must be said back.
    Socket,
}

/// A connection that is kept for the next request.
pub(crate) type Kept = Option<SendRequest<Body>>;

impl Habit {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Keep, Self::Anew, Self::Post, Self::Upload, Self::Stream, Self::Socket];

    /// Parts of a streamed answer.
    pub(crate) const STREAM_PARTS: u64 = 50;
    /// Bytes of each of them.
    pub(crate) const STREAM_PART_BYTES: usize = 4096;
    /// The time from one to the next.
    pub(crate) const STREAM_PAUSE: Duration = Duration::from_millis(10);

    const POST: (u64, usize) = (4, 8192);
    const UPLOAD: (u64, usize) = (100, 1_000_000);
    const UPLOAD_PAUSE: Duration = Duration::from_millis(5);
    const WORDS: u32 = 50;
    const WORD_PAUSE: Duration = Duration::from_millis(10);

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Keep => "kept connection",
            Self::Anew => "new connection",
            Self::Post => "small upload",
            Self::Upload => "100 MB upload",
            Self::Stream => "streamed answer",
            Self::Socket => "WebSocket",
        }
    }

    /// Whether one of it lasts longer than most changes take, so that it is under way while they are made.
    pub const fn is_long(self) -> bool {
        matches!(self, Self::Upload | Self::Stream | Self::Socket)
    }

    /// Where it asks.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Keep => "/load/keep",
            Self::Anew => "/load/anew",
            Self::Post => "/load/post",
            Self::Upload => "/load/upload",
            Self::Stream => "/load/stream",
            Self::Socket => "/load/socket",
        }
    }

    /// Does it once, as the client of that number; what went wrong is the error.
    pub(crate) async fn once(self, address: SocketAddr, client: u64, kept: &mut Kept) -> Result<(), String> {
        let mut sender = match kept.take() {
            Some(sender) => sender,
            None => connect(address).await?,
        };
        sender.ready().await.map_err(|error| format!("the connection ended between two requests: {error}"))?;
        let answer = sender.send_request(self.request(client)?).await;
        let answer = answer.map_err(|error| format!("no answer: {}", causes(&error)))?;
        let is_last = answer.headers().get(header::CONNECTION).is_some_and(|value| value == "close");
        if self == Self::Socket {
            return converse(answer).await;
        }
        if answer.status() != StatusCode::OK {
            return Err(unexpected(answer).await);
        }
        let release = answer.headers().get(RELEASE).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let got = read(answer.into_body()).await?;
        self.check(release.as_deref(), &got)?;
        // A server may say that it closes the connection, and is believed.
        if self != Self::Anew && !is_last {
            *kept = Some(sender);
        }
        Ok(())
    }

    fn request(self, client: u64) -> Result<Request<Body>, String> {
        // Spread over all values, as real ids are.
        let client = client.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let request = Request::builder()
            .uri(self.path())
            .header(header::HOST, "shop.example")
            .header(header::COOKIE, format!("cart=7; autodevops-client={client:016x}"));
        let parts = |(count, bytes), pause, told| Parts::new(count, bytes, pause, told).boxed();
        let request = match self {
            Self::Keep | Self::Stream => request.body(whole("")),
            Self::Anew => request.header(header::CONNECTION, "close").body(whole("")),
            Self::Post => request.method(Method::POST).body(parts(Self::POST, Duration::ZERO, false)),
            Self::Upload => request.method(Method::POST).body(parts(Self::UPLOAD, Self::UPLOAD_PAUSE, true)),
            Self::Socket => request
                .header(header::CONNECTION, "keep-alive, Upgrade")
                .header(header::UPGRADE, "websocket")
                .header("sec-websocket-version", "13")
                .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
                .body(whole("")),
        };
        request.map_err(|error| format!("not a request: {error}"))
    }

    /// Whether that is what the site answers.
    fn check(self, release: Option<&str>, got: &[u8]) -> Result<(), String> {
        let length = |(count, bytes): (u64, usize)| count.saturating_mul(bytes as u64);
        let said = || String::from_utf8_lossy(got).into_owned();
        match self {
            Self::Keep | Self::Anew if release == Some(&*said()) => Ok(()),
            Self::Keep | Self::Anew => Err(format!("`{}` answered in the name of {release:?}", said())),
            Self::Post | Self::Upload => {
                let sent = length(if self == Self::Post { Self::POST } else { Self::UPLOAD });
                let came = said();
                if came == sent.to_string() { Ok(()) } else { Err(format!("{came} bytes came of {sent}")) }
            }
            Self::Stream => {
                let (sent, came) = (length((Self::STREAM_PARTS, Self::STREAM_PART_BYTES)), got.len());
                if came as u64 == sent { Ok(()) } else { Err(format!("the answer ended after {came} bytes of {sent}")) }
            }
            Self::Socket => Ok(()),
        }
    }
}

impl fmt::Display for Habit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

async fn connect(address: SocketAddr) -> Result<SendRequest<Body>, String> {
    let stream = TcpStream::connect(address).await.map_err(|error| format!("no connection: {error}"))?;
    stream.set_nodelay(true).map_err(|error| format!("no connection: {error}"))?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|error| causes(&error))?;
    tokio::spawn(async move {
        // Who sent the request is told of its failure.
        drop(connection.with_upgrades().await);
    });
    Ok(sender)
}

async fn read(mut body: Incoming) -> Result<Vec<u8>, String> {
    let mut got = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|error| format!("the answer was cut off after {} bytes: {}", got.len(), causes(&error)))?;
        got.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
    }
    Ok(got)
}

/// Says one word after the other; each must come back, and nothing else.
async fn converse(answer: Response<Incoming>) -> Result<(), String> {
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(unexpected(answer).await);
    }
    let upgraded = hyper::upgrade::on(answer).await.map_err(|error| format!("not upgraded: {}", causes(&error)))?;
    let mut stream = TokioIo::new(upgraded);
    for number in 0..Habit::WORDS {
        let word = format!("word {number:04}\n");
        let broke = |error: std::io::Error| format!("it ended at word {number}: {error}");
        stream.write_all(word.as_bytes()).await.map_err(broke)?;
        let mut heard = vec![0; word.len()];
        stream.read_exact(&mut heard).await.map_err(broke)?;
        if heard != word.as_bytes() {
            return Err(format!("it said `{}` for `{word}`", String::from_utf8_lossy(&heard)));
        }
        tokio::time::sleep(Habit::WORD_PAUSE).await;
    }
    let mut rest = Vec::new();
    let broke = |error: std::io::Error| format!("it did not end well: {error}");
    stream.shutdown().await.map_err(broke)?;
    stream.read_to_end(&mut rest).await.map_err(broke)?;
    if rest.is_empty() { Ok(()) } else { Err(format!("it said `{}` of itself", String::from_utf8_lossy(&rest))) }
}

async fn unexpected(answer: Response<Incoming>) -> String {
    let status = answer.status();
    let body = read(answer.into_body()).await.unwrap_or_else(String::into_bytes);
    format!("status {status}: {}", String::from_utf8_lossy(&body).trim())
}

/// An error with what caused it.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
