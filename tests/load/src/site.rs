//! What a release answers to the [clients](crate::clients), so that they can tell whether they got all of it.

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWriteExt},
    net::UnixListener,
};

use crate::{
    body::{Body, Parts, whole},
    habit::Habit,
};

/// Where all of it is.
pub const PREFIX: &str = "/load/";

/// Answers as the release of that name, on connections that come to the socket; never ends by itself.
///
/// # Errors
/// When the socket takes no connection.
pub async fn serve(listener: UnixListener, release: &'static str) -> std::io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        let service =
            service_fn(move |request| async move { Ok::<_, std::convert::Infallible>(answer(release, request).await) });
        let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        tokio::spawn(async move {
            // Whoever asked is told of its failure.
            drop(connection.with_upgrades().await);
        });
    }
}

/// What the release of that name answers.
pub async fn answer(release: &str, request: Request<Incoming>) -> Response<Body> {
    let habit = Habit::ALL.into_iter().find(|habit| request.uri().path() == habit.path());
    match habit {
        Some(Habit::Keep | Habit::Anew) => Response::new(whole(release.to_owned())),
        Some(Habit::Post | Habit::Upload) => Response::new(whole(count(request.into_body()).await.to_string())),
        Some(Habit::Stream) => {
            Response::new(Parts::new(Habit::STREAM_PARTS, Habit::STREAM_PART_BYTES, Habit::STREAM_PAUSE, false).boxed())
        }
        Some(Habit::Socket) => socket(request, ""),
        None => of_status(StatusCode::NOT_FOUND),
    }
}

/// How many bytes came.
async fn count(mut body: Incoming) -> usize {
    let mut count = 0;
    while let Some(Ok(frame)) = body.frame().await {
        count += frame.data_ref().map_or(0, Bytes::len);
    }
    count
}

/// Changes the protocol to one in which `greeting` is said first, and then whatever is said is said back.
pub fn socket(mut request: Request<Incoming>, greeting: &'static str) -> Response<Body> {
    if request.headers().get(header::UPGRADE).is_none() {
        return of_status(StatusCode::UPGRADE_REQUIRED);
    }
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        if let Ok(upgraded) = upgraded.await {
            // The other side may go at any moment.
            drop(say_back(TokioIo::new(upgraded), greeting).await);
        }
    });
    let mut response = of_status(StatusCode::SWITCHING_PROTOCOLS);
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    response.headers_mut().insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    response
}

async fn say_back(stream: impl AsyncRead + tokio::io::AsyncWrite + Unpin, greeting: &str) -> std::io::Result<()> {
    let (mut read, mut write) = tokio::io::split(stream);
    write.write_all(greeting.as_bytes()).await?;
    tokio::io::copy(&mut read, &mut write).await?;
    write.shutdown().await
}

fn of_status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(whole(Bytes::new()));
    *response.status_mut() = status;
    response
}
