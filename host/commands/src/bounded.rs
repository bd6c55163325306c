//! One run of a program of the operator's: bounded in time and in what it writes, and ended with all that it started.

use std::{
    io::{self, ErrorKind},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    process::{Child, Command},
};
use zeroize::Zeroizing;

/// Most bytes that are kept of what a program writes to standard error: its end.
pub const STDERR_BYTES: usize = 4 << 10;

/// What a program may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Longest time from its start to its end.
    pub longest: Duration,
    /// Most bytes that it writes to standard output.
    pub most: u64,
}

/// A program that came to its end.
#[derive(Debug)]
pub struct Ended {
    /// How.
    pub status: ExitStatus,
    /// What it wrote to standard output; overwritten when dropped, as it may be a secret.
    pub stdout: Zeroizing<Vec<u8>>,
    /// The end of what it wrote to standard error, at most [`STDERR_BYTES`].
    pub stderr: Zeroizing<Vec<u8>>,
}

/// Why a program did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum NotEnded {
    /// It cannot be started.
    #[error("cannot be run: {0}")]
    Start(#[source] io::Error),
    /// What it writes cannot be read, or it cannot be waited for.
    #[error("cannot be read: {0}")]
    Read(#[source] io::Error),
    /// It wrote too much.
    #[error("wrote more than {0} bytes")]
    TooMuch(u64),
    /// It took too long.
    #[error("did not end within {} s", .0.as_secs_f64())]
    TooLong(Duration),
}

/// A program and what it started; ended with this.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        // Only while it was not waited for: then its number is still its own.
        let id = self.0.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(id) = id {
            let _ = kill_process_group(id, Signal::KILL);
        }
    }
}

/// Runs a program to its end, with no input. Where this is dropped it is ended, with all that it started.
///
/// # Errors
/// [`NotEnded`]: it was not started, or was ended here.
pub async fn run(command: Command, bounds: Bounds) -> Result<Ended, NotEnded> {
    tokio::time::timeout(bounds.longest, to_its_end(command, bounds.most))
        .await
        .unwrap_or(Err(NotEnded::TooLong(bounds.longest)))
}

async fn to_its_end(mut command: Command, most: u64) -> Result<Ended, NotEnded> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.process_group(0).kill_on_drop(true);
    let mut group = Group(command.spawn().map_err(NotEnded::Start)?);
    let (stdout, stderr) = (group.0.stdout.take(), group.0.stderr.take());
    let (stdout, stderr) = tokio::try_join!(all_of(stdout, most), end_of(stderr))?;
    let status = group.0.wait().await.map_err(NotEnded::Read)?;
    Ok(Ended { status, stdout, stderr })
}

/// All that comes out, where that is not too much.
async fn all_of(pipe: Option<impl AsyncRead + Unpin>, most: u64) -> Result<Zeroizing<Vec<u8>>, NotEnded> {
    let mut all = Zeroizing::new(Vec::new());
    if let Some(pipe) = pipe {
        pipe.take(most.saturating_add(1)).read_to_end(&mut all).await.map_err(NotEnded::Read)?;
    }
    if all.len() as u64 > most { Err(NotEnded::TooMuch(most)) } else { Ok(all) }
}

/// The end of what comes out, however much there is.
async fn end_of(pipe: Option<impl AsyncRead + Unpin>) -> Result<Zeroizing<Vec<u8>>, NotEnded> {
    let mut end = Zeroizing::new(Vec::new());
    let Some(mut pipe) = pipe else { return Ok(end) };
    let mut part = Zeroizing::new(vec![0; STDERR_BYTES]);
    loop {
        match pipe.read(&mut part).await {
            Ok(0) => return Ok(end),
            Ok(length) => {
                end.extend_from_slice(part.get(..length).unwrap_or_default());
                let surplus = end.len().saturating_sub(STDERR_BYTES);
                end.drain(..surplus);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(NotEnded::Read(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { longest: Duration::from_secs(20), most: 1000 };

    async fn shell(script: &str, bounds: Bounds) -> Result<Ended, NotEnded> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        run(command, bounds).await
    }

    #[tokio::test]
    async fn what_it_writes_and_how_it_ends_is_told() {
        let ended = shell("echo out; echo err >&2; exit 3", BOUNDS).await.unwrap();
        assert_eq!((ended.status.code(), ended.stdout.as_slice()), (Some(3), b"out\n".as_slice()));
        assert_eq!(ended.stderr.as_slice(), b"err\n");
    }

    #[tokio::test]
    async fn of_much_on_standard_error_the_end_is_kept_and_nobody_waits_for_a_reader() {
        let ended = shell("head -c 200000 /dev/zero >&2; echo last >&2; echo out", BOUNDS).await.unwrap();
        assert_eq!(ended.stderr.len(), STDERR_BYTES);
        assert!(ended.stderr.ends_with(b"last\n"));
        assert_eq!(ended.stdout.as_slice(), b"out\n");
    }

    #[tokio::test]
    async fn one_that_writes_too_much_or_is_not_there_is_told_so() {
        assert!(matches!(shell("head -c 1001 /dev/zero", BOUNDS).await, Err(NotEnded::TooMuch(1000))));
        assert_eq!(shell("head -c 1000 /dev/zero", BOUNDS).await.unwrap().stdout.len(), 1000);
        // It would write for ever.
        assert!(matches!(shell("yes", BOUNDS).await, Err(NotEnded::TooMuch(1000))));
        assert!(matches!(run(Command::new("/no/such/program"), BOUNDS).await, Err(NotEnded::Start(_))));
    }

    #[tokio::test]
    async fn one_that_never_ends_is_ended_with_all_that_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let alive = folder.path().join("alive");
        assert!(std::process::Command::new("mkfifo").arg(&alive).status().unwrap().success());
        // Whoever reads the pipe sees its end when the last that could write to it is gone.
        let mut reader = tokio::net::unix::pipe::OpenOptions::new().open_receiver(&alive).unwrap();
        let script = format!("exec 3>{}; sleep 1000 & sleep 1000", alive.display());
        let bounds = Bounds { longest: Duration::from_millis(300), ..BOUNDS };
        assert!(matches!(shell(&script, bounds).await, Err(NotEnded::TooLong(_))));
        let mut rest = Vec::new();
        reader.read_to_end(&mut rest).await.unwrap();
    }
}
