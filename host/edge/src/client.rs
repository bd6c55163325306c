//! Tells a front door what to do.

use std::{
    fmt::Display,
    io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use autodevops_model::{ErrorInfo, ErrorKind, Release, Split, StageError, Window};
use serde::de::DeserializeOwned;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::UnixStream,
};

use crate::{
    Observed, Start, Status, TrafficState,
    protocol::{Answer, Call, MAX_LINE_BYTES, NOT_UNDERSTOOD},
    socket,
};

/// Time for a call that waits for nothing.
const QUICK: Duration = Duration::from_secs(30);
/// Time for a call that waits for a process; the front door ends it earlier by its own limits.
const PATIENT: Duration = Duration::from_secs(15 * 60);

/// Speaks to the front door of a state folder. Every call is a connection of its own, so a client outlives restarts.
///
/// Errors are those of a deploy target: `denied` for a fence below the highest seen, `unavailable` when the front door
/// does not answer, `invalid-input` for an environment or release that it does not know, `failed` otherwise.
#[derive(Clone, Debug)]
pub struct Client {
    state: PathBuf,
}

impl Client {
    /// A client of the front door that serves this state folder.
    pub fn new(state: impl Into<PathBuf>) -> Self {
        Self { state: state.into() }
    }

    /// The process that serves the state folder, told by its lock; none when nothing does.
    ///
    /// # Errors
    /// When the lock cannot be read.
    pub fn running(&self) -> io::Result<Option<u32>> {
        crate::lock::holder(&self.state)
    }

    /// Waits until the front door answers, for one that was started just now; what is served then.
    ///
    /// # Errors
    /// `unavailable` when it does not answer within the limit.
    pub async fn until_open(&self, limit: Duration) -> Result<Status, StageError> {
        let since = Instant::now();
        loop {
            match self.status().await {
                Err(error) if error.kind == ErrorKind::Unavailable && since.elapsed() < limit => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                answer => return answer,
            }
        }
    }

    /// What is served.
    ///
    /// # Errors
    /// See [`Client`].
    pub async fn status(&self) -> Result<Status, StageError> {
        self.call(&Call::Status, QUICK).await
    }

    /// Starts a release and waits until it answers its readiness probe; it has no traffic yet.
    ///
    /// # Errors
    /// See [`Client`]; `failed` with the end of the release's output in the detail `output` when it does not get ready.
    pub async fn start(&self, start: Start) -> Result<(), StageError> {
        self.call(&Call::Start(start), PATIENT).await
    }

    /// The release that the key started.
    ///
    /// # Errors
    /// See [`Client`].
    pub async fn find(&self, environment: &str, key: &str) -> Result<Option<Release>, StageError> {
        self.call(&Call::Find { environment: environment.into(), key: key.into() }, QUICK).await
    }

    /// Lets a release end what it is answering, then stops it; refused while it has a share of the traffic or is the
    /// one that traffic would return to.
    ///
    /// # Errors
    /// See [`Client`].
    pub async fn stop(&self, environment: &str, key: &str, fence: u64, release: &str) -> Result<(), StageError> {
        let (environment, key, release) = (environment.into(), key.into(), release.into());
        self.call(&Call::Stop { environment, key, fence, release }, PATIENT).await
    }

    /// Sets the shares, which add up to 100; a release that gains must be ready. A release that does not have all of it
    /// must be renewed, see [`Client::renew`].
    ///
    /// # Errors
    /// See [`Client`].
    pub async fn set_traffic(
        &self,
        environment: &str,
        key: &str,
        fence: u64,
        splits: Vec<Split>,
    ) -> Result<TrafficState, StageError> {
        let (environment, key) = (environment.into(), key.into());
        self.call(&Call::SetTraffic { environment, key, fence, splits }, PATIENT).await
    }

    /// What serves the environment; none when nothing was ever deployed to it.
    ///
    /// # Errors
    /// See [`Client`].
    pub async fn traffic(&self, environment: &str) -> Result<Option<TrafficState>, StageError> {
        self.call(&Call::Traffic { environment: environment.into() }, QUICK).await
    }

    /// Renews the shares for another lease, counted from now. The answer says what serves, since a lease that ran out
    /// before is not brought back.
    ///
    /// # Errors
    /// See [`Client`].
    pub async fn renew(&self, environment: &str, fence: u64) -> Result<TrafficState, StageError> {
        self.call(&Call::Renew { environment: environment.into(), fence }, QUICK).await
    }

    /// The `http` address at which one release alone answers: a port of its own on 127.0.0.1.
    ///
    /// # Errors
    /// See [`Client`].
    pub async fn url(&self, environment: &str, release: &str) -> Result<String, StageError> {
        self.call(&Call::Url { environment: environment.into(), release: release.into() }, QUICK).await
    }

    /// What was observed of a release; also of one that was stopped a while ago.
    ///
    /// # Errors
    /// See [`Client`].
    pub async fn observe(&self, environment: &str, release: &str, window: Window) -> Result<Observed, StageError> {
        let (environment, release) = (environment.into(), release.into());
        self.call(&Call::Observe { environment, release, window }, QUICK).await
    }

    /// The release that answers this client's requests now: the client as the front door knows it, by the value of its cookie
    /// ([`CLIENT_COOKIE`](crate::CLIENT_COOKIE)) or of the header that names clients. None when nothing has a share.
    ///
    /// # Errors
    /// See [`Client`]; `invalid-input` when that names no client.
    pub async fn answering(&self, environment: &str, client: &str) -> Result<Option<String>, StageError> {
        self.call(&Call::Answering { environment: environment.into(), client: client.into() }, QUICK).await
    }

    /// Ends the front door and its releases, and waits until it is gone.
    ///
    /// # Errors
    /// See [`Client`].
    pub async fn shutdown(&self) -> Result<(), StageError> {
        let ended = async {
            let mut stream = self.connect().await?;
            let (): () = self.exchange(&mut stream, &Call::Shutdown).await?;
            // The connection ends with the process, in whichever way.
            drop(stream.read_to_end(&mut Vec::new()).await);
            Ok(())
        };
        tokio::time::timeout(PATIENT, ended).await.unwrap_or_else(|_| Err(self.silent("did not end in time")))
    }

    async fn call<T: DeserializeOwned>(&self, call: &Call, limit: Duration) -> Result<T, StageError> {
        let answered = async { self.exchange(&mut self.connect().await?, call).await };
        tokio::time::timeout(limit, answered).await.unwrap_or_else(|_| Err(self.silent("did not answer in time")))
    }

    async fn connect(&self) -> Result<BufReader<UnixStream>, StageError> {
        let stream = socket::connect(&socket::control(&self.state)).await;
        stream.map(BufReader::new).map_err(|error| self.silent(&format!("cannot be reached: {error}")))
    }

    async fn exchange<T: DeserializeOwned>(
        &self,
        stream: &mut BufReader<UnixStream>,
        call: &Call,
    ) -> Result<T, StageError> {
        let mut line = serde_json::to_vec(call).map_err(|error| self.silent(&error.to_string()))?;
        line.push(b'\n');
        let mut answer = Vec::new();
        let spoken = async {
            stream.write_all(&line).await?;
            stream.take(MAX_LINE_BYTES).read_until(b'\n', &mut answer).await
        };
        spoken.await.map_err(|error| self.silent(&format!("broke the connection: {error}")))?;
        if answer.last() != Some(&b'\n') {
            return Err(self.silent("ended before it answered"));
        }
        let answer: Answer = serde_json::from_slice(&answer).map_err(|error| foreign(&self.state, &error))?;
        let value = answer.map_err(|error| of_another_version(&self.state, error))?;
        serde_json::from_value(value).map_err(|error| foreign(&self.state, &error))
    }

    fn silent(&self, what: &str) -> StageError {
        let state = self.state.display();
        StageError {
            kind: ErrorKind::Unavailable,
            info: ErrorInfo {
                message: format!("the front door of {state} {what}; is it running? `autodevops edge start` starts it"),
                details: Vec::new(),
            },
        }
    }
}

/// A front door that does not understand a call is of another version than this program: an older host started it, and it goes on.
fn of_another_version(state: &Path, error: StageError) -> StageError {
    match error.info.message.strip_prefix(NOT_UNDERSTOOD) {
        Some(why) if error.kind == ErrorKind::InvalidInput => foreign(state, &why),
        _ => error,
    }
}

fn foreign(state: &Path, error: &dyn Display) -> StageError {
    let state = state.display();
    StageError {
        kind: ErrorKind::Failed,
        info: ErrorInfo {
            message: format!(
                "the front door of {state} speaks another version ({error}); replace it with `autodevops edge upgrade`, or \
                 stop it with `autodevops edge stop` and start it again"
            ),
            details: Vec::new(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(kind: ErrorKind, message: &str) -> StageError {
        StageError { kind, info: ErrorInfo { message: message.into(), details: Vec::new() } }
    }

    #[test]
    fn a_front_door_that_an_older_host_started_is_told_with_what_to_do() {
        // As one says it that does not know what commands may take.
        let older = "the call is not understood: unknown field `limits`, expected one of `argv`, `env`, `read`";
        let told = of_another_version(Path::new("/s"), error(ErrorKind::InvalidInput, older));
        assert_eq!(told.kind, ErrorKind::Failed);
        assert!(
            told.info.message.contains("speaks another version (unknown field `limits`")
                && told.info.message.contains("replace it with `autodevops edge upgrade`"),
            "{}",
            told.info.message
        );
        for other in [error(ErrorKind::InvalidInput, "there is no release `x`"), error(ErrorKind::Denied, older)] {
            assert_eq!(of_another_version(Path::new("/s"), other.clone()), other);
        }
    }
}
