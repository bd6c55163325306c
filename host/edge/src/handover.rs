//! One front door takes over from another, as for an upgrade, and no request fails for it.
//!
//! Both speak over the control socket, in turns; the process that ends is the old one, and until the new one serves
//! it can go on as if nothing had been.
//!
//! 1. The new one asks. From here on the old one starts no release that is not up, and stops none; shares can still be set.
//! 2. The old one offers its sockets and says which releases are up, and hands the open sockets and its lock over.
//! 3. The new one starts the same releases and waits until those are up that were. If they are not, it ends.
//! 4. It asks the old one to stand still. The old one changes nothing more, and gives what it counted. If the new one does
//!    not serve soon after, the old one ends it: it could come to serve beside it later.
//! 5. The new one accepts connections and says that it serves. The old one accepts no more, ends its own connections as
//!    [`Closing`](crate::listener::Closing) says, then its releases, gives what it counted meanwhile, and ends.

use std::{
    collections::BTreeMap,
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    net::TcpListener,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
    time::Duration,
};

use autodevops_model::ErrorKind;
use rustix::{
    net::{
        RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
        recvmsg, sendmsg,
    },
    process::{Pid, Signal, kill_process},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Interest},
    net::UnixStream,
};

use crate::{
    EdgeError, Phase,
    control::{Edge, Ending},
    lock::Lock,
    protocol::{Answer, Call},
    refusal::{error, failed},
    socket,
    store::Counters,
};

/// Open files that are handed over at once; the system takes at most 253.
const AT_ONCE: usize = 64;
/// Longest line: what was counted of many releases.
const MAX_LINE_BYTES: u64 = 256 << 20;
/// How long the old one waits for releases that are being started or stopped just now.
const SETTLE: Duration = Duration::from_secs(60);
/// How long each waits for the other's next word. New releases must get ready meanwhile.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// How long the other one may take to hear what was counted.
const HEARS: Duration = Duration::from_secs(60);

/// What was counted, by environment.
pub type AllCounters = BTreeMap<String, Counters>;

/// What the old one offers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Offer {
    /// Open files that follow: the lock, the control socket, and so many listening sockets.
    listeners: usize,
    /// The releases that are up, by environment.
    up: BTreeMap<String, Vec<String>>,
}

/// What the new one says after it asked.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Word {
    /// Hand the open files over.
    Sockets,
    /// Stand still, and say what you counted.
    StandStill,
    /// I serve.
    Serving,
}

/// What a front door took over.
#[derive(Debug)]
pub struct Heritage {
    /// The lock of the state folder.
    pub lock: Lock,
    /// The control socket.
    pub control: std::os::unix::net::UnixListener,
    /// The sockets of environments, counters and releases.
    pub listeners: Vec<TcpListener>,
    /// The releases that must be up, by environment.
    pub up: BTreeMap<String, Vec<String>>,
    /// What the old one is told over.
    pub old: Old,
}

/// The front door that hands over, seen from the one that takes over.
#[derive(Debug)]
pub struct Old(BufReader<UnixStream>);

impl Heritage {
    /// Asks the front door of the state folder to hand over.
    ///
    /// # Errors
    /// When there is none, or it does not.
    pub async fn ask(state: &Path) -> Result<Self, EdgeError> {
        let stream = socket::connect(&socket::control(state)).await.map_err(|error| {
            EdgeError::Handover(format!("the front door of {} cannot be reached: {error}", state.display()))
        })?;
        let mut old = Old(BufReader::new(stream));
        old.say(&Call::TakeOver).await?;
        let Offer { listeners, up } = old.hear().await?;
        old.say(&Word::Sockets).await?;
        let received = tokio::time::timeout(SETTLE, receive(old.0.get_ref(), listeners + 2)).await;
        let mut files = received.map_err(|_| silent())?.map_err(|error| broken(&error))?.into_iter();
        let (Some(lock), Some(control)) = (files.next(), files.next()) else {
            return Err(EdgeError::Handover("the front door handed no lock over".to_owned()));
        };
        let (lock, control) = (Lock::adopt(lock), control.into());
        Ok(Self { lock, control, listeners: files.map(TcpListener::from).collect(), up, old })
    }
}

impl Old {
    /// Has it stand still; what it counted.
    ///
    /// # Errors
    /// When it is gone.
    pub async fn stand_still(&mut self) -> Result<AllCounters, EdgeError> {
        self.say(&Word::StandStill).await?;
        self.hear().await
    }

    /// Tells it that this process serves.
    ///
    /// # Errors
    /// When it is gone.
    pub async fn serving(&mut self) -> Result<(), EdgeError> {
        self.say(&Word::Serving).await
    }

    /// Waits for its end; what it counted until then.
    ///
    /// # Errors
    /// When it ends without saying so.
    pub async fn rest(mut self) -> Result<AllCounters, EdgeError> {
        self.hear().await
    }

    async fn say(&mut self, word: &impl Serialize) -> Result<(), EdgeError> {
        say(&mut self.0, word).await.map_err(|error| broken(&error))
    }

    async fn hear<T: DeserializeOwned>(&mut self) -> Result<T, EdgeError> {
        let answer: Answer = hear(&mut self.0).await.map_err(|error| broken(&error))?;
        let value = answer.map_err(|error| EdgeError::Handover(format!("the front door refuses: {error}")))?;
        serde_json::from_value(value).map_err(|error| broken(&error.into()))
    }
}

fn broken(error: &io::Error) -> EdgeError {
    EdgeError::Handover(format!("the front door that hands over is gone or speaks another version: {error}"))
}

fn silent() -> EdgeError {
    EdgeError::Handover("the front door that hands over is silent".to_owned())
}

/// Hands over to the process at the other end, which has asked.
///
/// # Errors
/// When it goes away before it serves, or hangs and is ended for it; nothing has changed then.
pub async fn give(edge: &Edge, mut stream: BufReader<UnixStream>) -> io::Result<()> {
    let Ok(_only_one) = edge.handing_over.try_lock() else {
        let text =
            "another front door is taking over just now, or the one before has not ended yet; try again in a minute";
        return say(&mut stream, &Answer::Err(error(ErrorKind::Unavailable, text.to_owned()))).await;
    };
    let settled = async {
        let mut guards = Vec::new();
        for environment in edge.environments.values() {
            guards.push(environment.lifecycle.lock().await);
        }
        guards
    };
    let Ok(_starts_and_stops_nothing) = tokio::time::timeout(SETTLE, settled).await else {
        let text = "a release is being started or stopped; try again when that is done";
        return say(&mut stream, &Answer::Err(error(ErrorKind::Unavailable, text.to_owned()))).await;
    };
    let mut listeners = Vec::new();
    let mut up = BTreeMap::new();
    listeners.extend(edge.listeners.iter().map(AsFd::as_fd).map(|fd| fd.try_clone_to_owned()));
    for (name, environment) in &edge.environments {
        let releases = environment.releases();
        let is_up = releases.iter().filter(|running| running.phase() == Phase::Up);
        up.insert(name.clone(), is_up.map(|running| running.id().to_owned()).collect());
        listeners.extend(environment.previews());
    }
    let listeners = listeners.into_iter().collect::<io::Result<Vec<OwnedFd>>>()?;
    say(&mut stream, &value(&Offer { listeners: listeners.len(), up })).await?;
    // Nothing has to get ready for that.
    let asked = tokio::time::timeout(edge.takeover, expect(&mut stream, &Word::Sockets)).await;
    asked.map_err(|_| io::Error::other("it asks to take over, and then for nothing"))??;
    let files: Vec<BorrowedFd<'_>> =
        [edge.lock.as_fd(), edge.control.as_fd()].into_iter().chain(listeners.iter().map(AsFd::as_fd)).collect();
    send(stream.get_ref(), &files).await?;
    expect(&mut stream, &Word::StandStill).await?;
    let mut records = Vec::new();
    for environment in edge.environments.values() {
        records.push(environment.record.lock().await);
    }
    let mut counted = take(edge);
    let said = match tokio::time::timeout(HEARS, say(&mut stream, &value(&counted))).await {
        Ok(Ok(())) => match tokio::time::timeout(edge.takeover, expect(&mut stream, &Word::Serving)).await {
            Ok(serves) => serves,
            Err(_) => Err(end(stream.get_ref(), edge.takeover)),
        },
        Ok(Err(error)) => Err(error),
        Err(_) => Err(end(stream.get_ref(), HEARS)),
    };
    if let Err(error) = said {
        for ((name, environment), record) in edge.environments.iter().zip(&mut records) {
            environment.absorb(counted.remove(name).unwrap_or_default());
            // The other one may have written its own just before it ended.
            let own = (**record).clone();
            environment.put(record, own).await;
        }
        if let Err(error) = edge.lock.sign(&edge.state) {
            tracing::warn!(%error, "the lock names the process that was to take over");
        }
        return Err(error);
    }
    tracing::info!("another front door has taken over");
    let mut has_ended = edge.has_ended.subscribe();
    edge.ending.send_replace(Ending::HandedOver);
    // Nothing is changed any more: the records are held until the end.
    drop(has_ended.wait_for(|ended| *ended).await);
    say(&mut stream, &value(&take(edge))).await
}

/// Ends the process at the other end, which is there and does not go on. Were it left alone, it could come to serve later, by
/// shares that have changed since.
fn end(stream: &UnixStream, patience: Duration) -> io::Error {
    let seconds = patience.as_secs_f64();
    let pid = stream.peer_cred().ok().and_then(|peer| peer.pid()).and_then(Pid::from_raw);
    match pid.ok_or(rustix::io::Errno::SRCH).and_then(|pid| kill_process(pid, Signal::KILL)) {
        Ok(()) => io::Error::other(format!("it did not serve within {seconds} s, and was ended")),
        Err(error) => io::Error::other(format!(
            "it did not serve within {seconds} s and cannot be ended ({error}); end it, for it may come to serve beside this \
             one"
        )),
    }
}

fn take(edge: &Edge) -> AllCounters {
    edge.environments.iter().map(|(name, environment)| (name.clone(), environment.take_counters())).collect()
}

fn value(value: &impl Serialize) -> Answer {
    serde_json::to_value(value).map_err(|error| failed(error.to_string()))
}

async fn expect(stream: &mut BufReader<UnixStream>, word: &Word) -> io::Result<()> {
    let said: Word = hear(stream).await?;
    if said == *word { Ok(()) } else { Err(io::Error::other(format!("it said {said:?} in place of {word:?}"))) }
}

async fn say(stream: &mut BufReader<UnixStream>, what: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(what)?;
    line.push(b'\n');
    stream.write_all(&line).await?;
    stream.flush().await
}

async fn hear<T: DeserializeOwned>(stream: &mut BufReader<UnixStream>) -> io::Result<T> {
    let mut line = Vec::new();
    let mut bounded = stream.take(MAX_LINE_BYTES);
    tokio::time::timeout(PATIENCE, bounded.read_until(b'\n', &mut line)).await.map_err(io::Error::other)??;
    if line.last() != Some(&b'\n') {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(serde_json::from_slice(&line)?)
}

/// Sends open files, with a byte for each lot.
async fn send(stream: &UnixStream, files: &[BorrowedFd<'_>]) -> io::Result<()> {
    for lot in files.chunks(AT_ONCE) {
        let sent = || {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(AT_ONCE))];
            let mut ancillary = SendAncillaryBuffer::new(&mut space);
            if !ancillary.push(SendAncillaryMessage::ScmRights(lot)) {
                return Err(io::Error::other("too many open files at once"));
            }
            Ok(sendmsg(stream, &[IoSlice::new(b"f")], &mut ancillary, SendFlags::NOSIGNAL)?)
        };
        stream.async_io(Interest::WRITABLE, sent).await?;
    }
    Ok(())
}

/// Receives so many open files.
async fn receive(stream: &UnixStream, count: usize) -> io::Result<Vec<OwnedFd>> {
    let mut files = Vec::new();
    while files.len() < count {
        let received = || {
            let (mut byte, mut space) = ([0], [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(AT_ONCE))]);
            let mut ancillary = RecvAncillaryBuffer::new(&mut space);
            let message = recvmsg(stream, &mut [IoSliceMut::new(&mut byte)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
            let mut lot = Vec::new();
            for message in ancillary.drain() {
                if let RecvAncillaryMessage::ScmRights(rights) = message {
                    lot.extend(rights);
                }
            }
            if message.bytes == 0 || lot.is_empty() {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
            }
            Ok(lot)
        };
        files.extend(stream.async_io(Interest::READABLE, received).await?);
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use std::{
        fs::File,
        io::{Read, Seek, Write},
    };

    use super::*;

    #[tokio::test]
    async fn open_files_arrive_in_order_however_many_there_are() {
        let (here, there) = UnixStream::pair().unwrap();
        let files: Vec<File> = (0..150)
            .map(|n| {
                let mut file = tempfile::tempfile().unwrap();
                write!(file, "{n}").unwrap();
                file
            })
            .collect();
        let borrowed: Vec<BorrowedFd<'_>> = files.iter().map(AsFd::as_fd).collect();
        let (sent, received) = tokio::join!(send(&here, &borrowed), receive(&there, files.len()));
        sent.unwrap();
        for (n, file) in received.unwrap().into_iter().enumerate() {
            let (mut file, mut text) = (File::from(file), String::new());
            file.rewind().unwrap();
            file.read_to_string(&mut text).unwrap();
            assert_eq!(text, n.to_string());
        }
        drop(here);
        assert_eq!(receive(&there, 1).await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
