//! The socket's side of everyone else.

use std::{
    io,
    path::{Path, PathBuf},
};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

use crate::message::{MAX_LINE_BYTES, Reply, Request};

/// Nobody drives the runs of this state folder, or it does not answer.
#[derive(Debug, thiserror::Error)]
pub enum Unreachable {
    /// There is no such process.
    #[error("no autodevops drives the runs of this project; start `autodevops run` or `autodevops serve`")]
    Nobody,
    /// The socket fails.
    #[error("the socket {path} does not answer: {source}")]
    Socket {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Asks the process that drives the runs, and waits for its reply.
///
/// # Errors
/// [`Unreachable`].
pub async fn ask(socket: &Path, request: &Request) -> Result<Reply, Unreachable> {
    let failed = |source| Unreachable::Socket { path: socket.to_owned(), source };
    let stream = match autodevops_edge::socket::connect(socket).await {
        Ok(stream) => stream,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            return Err(Unreachable::Nobody);
        }
        Err(error) => return Err(failed(error)),
    };
    let (read, mut write) = stream.into_split();
    let mut line = serde_json::to_string(request).map_err(io::Error::other).map_err(failed)?;
    line.push('\n');
    write.write_all(line.as_bytes()).await.map_err(failed)?;
    let mut answer = String::new();
    BufReader::new(read.take(MAX_LINE_BYTES)).read_line(&mut answer).await.map_err(failed)?;
    if answer.is_empty() {
        return Err(failed(io::Error::new(io::ErrorKind::UnexpectedEof, "it hung up")));
    }
    serde_json::from_str(&answer).map_err(io::Error::other).map_err(failed)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::net::UnixStream;

    use crate::{Control, Desk, Peer, this_user};

    use super::*;

    struct Echo;

    impl Desk for Echo {
        async fn answer(&self, peer: Peer, request: Request) -> Reply {
            Reply::Done(format!("{} said {request:?}", peer.name))
        }
    }

    #[tokio::test]
    async fn what_is_asked_is_answered_and_the_speaker_is_known() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("control.sock");
        assert!(matches!(ask(&socket, &Request::Ping).await, Err(Unreachable::Nobody)));
        let control = Control::open(&socket, Arc::new(Echo)).unwrap();
        let reply = ask(&socket, &Request::Ping).await.unwrap();
        assert_eq!(reply, Reply::Done(format!("{} said Ping", this_user().name)));
        drop(control);
        assert!(matches!(ask(&socket, &Request::Ping).await, Err(Unreachable::Nobody)));
    }

    #[tokio::test]
    async fn a_socket_in_a_folder_with_a_long_name_is_reached_too() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("d".repeat(120));
        std::fs::create_dir(&deep).unwrap();
        let socket = deep.join("control.sock");
        let _control = Control::open(&socket, Arc::new(Echo)).unwrap();
        assert!(matches!(ask(&socket, &Request::Ping).await, Ok(Reply::Done(_))));
    }

    #[tokio::test]
    async fn nonsense_is_refused_and_a_dead_process_socket_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("control.sock");
        drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
        assert!(matches!(ask(&socket, &Request::Ping).await, Err(Unreachable::Nobody)));
        let _control = Control::open(&socket, Arc::new(Echo)).unwrap();
        let mut stream = UnixStream::connect(&socket).await.unwrap();
        stream.write_all(b"hello\n").await.unwrap();
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).await.unwrap();
        assert!(answer.contains("this is no request"), "{answer}");
    }
}
