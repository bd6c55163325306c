//! The socket's side of the process that drives the runs.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::UnixStream,
    task::JoinHandle,
};

use crate::{
    message::{MAX_LINE_BYTES, Reply, Request},
    peer::{Peer, this_user},
};

/// The longest that a speaker may take to say what it wants.
const PATIENCE: Duration = Duration::from_secs(10);

/// Takes what people say.
pub trait Desk: Send + Sync + 'static {
    /// Answers a request by this user.
    fn answer(&self, peer: Peer, request: Request) -> impl Future<Output = Reply> + Send;
}

/// The open socket; closed and removed when it is dropped.
#[derive(Debug)]
pub struct Control {
    path: PathBuf,
    task: JoinHandle<()>,
}

impl Control {
    /// Opens the socket. The caller holds the state's lock, so that a socket which is there already is a dead process's.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open<D: Desk>(path: &Path, desk: Arc<D>) -> std::io::Result<Self> {
        let listener = autodevops_edge::socket::listen(path)?;
        let owner = this_user().uid;
        let task = tokio::spawn(async move {
            loop {
                match listener.accept().await {
                    Ok((stream, _)) => {
                        let desk = Arc::clone(&desk);
                        tokio::spawn(async move {
                            if let Err(error) = serve(stream, desk.as_ref(), owner).await {
                                tracing::debug!(%error, "a speaker went away");
                            }
                        });
                    }
                    Err(error) => {
                        tracing::warn!(%error, "the control socket does not accept");
                        tokio::time::sleep(Duration::from_secs(1)).await;
                    }
                }
            }
        });
        Ok(Self { path: path.to_owned(), task })
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.task.abort();
        // One that is gone already is as good.
        drop(std::fs::remove_file(&self.path));
    }
}

async fn serve<D: Desk>(stream: UnixStream, desk: &D, owner: u32) -> std::io::Result<()> {
    let peer = Peer::of(&stream)?;
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    let mut reader = BufReader::new(read.take(MAX_LINE_BYTES));
    let heard = tokio::time::timeout(PATIENCE, reader.read_line(&mut line)).await;
    if heard.unwrap_or(Ok(0))? == 0 {
        return Ok(());
    }
    // The file's mode says so already, but for who opened it before it was set.
    let reply = if peer.uid != owner && peer.uid != 0 {
        Reply::Refused(format!(
            "user {name} does not own this state folder; speak over HTTP, by a token that its owner makes with `autodevops token {name}`",
            name = peer.name
        ))
    } else {
        match serde_json::from_str(&line) {
            Ok(request) => desk.answer(peer, request).await,
            Err(error) => Reply::Refused(format!("this is no request: {error}; use the same version of autodevops")),
        }
    };
    let mut text = serde_json::to_string(&reply).map_err(std::io::Error::other)?;
    text.push('\n');
    write.write_all(text.as_bytes()).await
}
