//! One shell command in bubblewrap: a writable tree, a read-only system, and nothing else of this machine.

use std::{
    collections::{BTreeMap, VecDeque},
    fs,
    io::{self, ErrorKind, PipeReader, Read},
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Child, ExitStatus},
    thread,
    time::{Duration, Instant},
};

use autodevops_bubblewrap::{Limits, Mount, Sandbox, give, outside};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, pidfd_open},
};

use crate::BuildError;

/// The tree, as the command sees it.
const WORK: &str = "/work";

/// How much of a command's output is kept: its end.
const LOG_BYTES: usize = 64 << 10;

/// What builds read of this machine beside the system's programs: package managers ask who they are.
const PUBLIC: [&str; 4] = ["/etc/group", "/etc/java", "/etc/nsswitch.conf", "/etc/passwd"];

/// A command and what it may do.
#[derive(Clone, Copy, Debug)]
pub struct Sandboxed<'a> {
    pub command: &'a str,
    /// The only place that it may write to, apart from a `/tmp` of its own.
    pub tree: &'a Path,
    pub network: bool,
    pub read_only: &'a [PathBuf],
    pub env: &'a BTreeMap<String, String>,
    pub timeout: Duration,
    pub limits: Limits,
}

impl Sandboxed<'_> {
    /// Runs it to its end; gives the end of its output.
    pub fn run(&self) -> Result<String, BuildError> {
        let tree = fs::canonicalize(self.tree).map_err(file(self.tree))?;
        let outside = outside()?;
        give(&tree, outside).map_err(|(path, source)| BuildError::File { path, source })?;
        let (output, input) = io::pipe().map_err(file(&tree))?;
        let mut mounts: Vec<Mount<'_>> = self.read_only.iter().map(|path| Mount::read_only(path)).collect();
        mounts.push(Mount { from: &tree, to: WORK.into(), writable: true });
        let sandbox = Sandbox {
            hostname: "build",
            network: self.network,
            public: &PUBLIC,
            mounts,
            folder: WORK.as_ref(),
            env: self.env,
            limits: self.limits,
        };
        let mut command = sandbox.command(outside, &["/bin/sh", "-c", self.command]);
        command.stdout(input.try_clone().map_err(file(&tree))?).stderr(input);
        let mut child = command.spawn().map_err(file(&tree))?;
        // It holds the pipe's other end, which would never close.
        drop(command);
        let log = thread::spawn(move || last_of(output));
        let status = wait(&mut child, self.timeout).map_err(file(&tree))?;
        let log = log.join().unwrap_or_default();
        let command = self.command.to_owned();
        match status {
            None => Err(BuildError::OutOfTime { command, limit: self.timeout, log }),
            Some(status) if status.success() => Ok(log),
            Some(status) => Err(BuildError::Failed { command, status: in_words(status), log }),
        }
    }
}

fn file(path: &Path) -> impl FnOnce(io::Error) -> BuildError {
    let path = path.to_owned();
    move |source| BuildError::File { path, source }
}

/// Waits for its end, or ends it and all that it started: they live in a process namespace of its own.
fn wait(child: &mut Child, timeout: Duration) -> io::Result<Option<ExitStatus>> {
    let until = Instant::now() + timeout;
    let ended = match pidfd_open(Pid::from_child(child), PidfdFlags::empty()) {
        Ok(ended) => ended,
        Err(error) => return stop(child, Err(error.into())),
    };
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let left =
            Timespec { tv_sec: left.as_secs().try_into().unwrap_or(i64::MAX), tv_nsec: left.subsec_nanos().into() };
        match poll(&mut [PollFd::new(&ended, PollFlags::IN)], Some(&left)) {
            Ok(0) => break,
            Ok(_) => return child.wait().map(Some),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return stop(child, Err(error.into())),
        }
    }
    stop(child, Ok(None))
}

/// Ends it; it must not outlive us unwatched. Gives what is to be said of it.
fn stop(child: &mut Child, said: io::Result<Option<ExitStatus>>) -> io::Result<Option<ExitStatus>> {
    child.kill()?;
    child.wait()?;
    said
}

/// The end of what comes out of the pipe, as text.
fn last_of(mut output: PipeReader) -> String {
    let (mut kept, mut part) = (VecDeque::new(), vec![0; 16 << 10]);
    loop {
        match output.read(&mut part) {
            Ok(0) => break,
            Ok(length) => {
                kept.extend(part.get(..length).unwrap_or_default());
                let surplus = kept.len().saturating_sub(LOG_BYTES);
                kept.drain(..surplus);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    String::from_utf8_lossy(kept.make_contiguous()).trim_end().to_owned()
}

fn in_words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        // A shell says so of what a signal ended.
        (Some(code @ 129..=192), _) => format!("signal {}", code - 128),
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => status.to_string(),
    }
}
