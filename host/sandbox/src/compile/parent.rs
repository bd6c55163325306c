//! The host's side: starts the compiler, limits it before it has anything to compile, feeds it, and takes what it says until its
//! time is over. One thread and no waiting on a pipe alone: whatever the other side does, this ends.

use std::{
    ffi::OsString,
    io::{self, Read, Write},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::process::{CommandExt, ExitStatusExt},
    },
    path::Path,
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use autodevops_policy::text::escape;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, Resource, Rlimit, Signal, kill_process_group, prlimit},
};

use super::{
    CompileFailure, CompileLimits,
    frame::{self, ANSWER_HEADER_BYTES, Kind, Request},
};

/// Bytes that are read or written at once.
const CHUNK_BYTES: usize = 64 << 10;

/// Bytes of the compiler's diagnostics that are kept; the rest is read and dropped.
const DIAGNOSTIC_BYTES: usize = 4 << 10;

/// Files that the compiler may have open: its three pipes, and one or another of the system's that its threads look at.
const OPEN_FILES: u64 = 32;

/// In the diagnostics of a process that could not allocate: by Rust's runtime, and by the engine's panics.
const NO_MEMORY: [&str; 3] = ["memory allocation of", "out-of-memory", "out of memory"];

/// How a process of Rust ends that panicked.
const PANICKED: i32 = 101;

/// Compiles a component in a process of its own.
pub fn compile(
    program: &Path,
    arguments: &[OsString],
    request: &Request<'_>,
    limits: &CompileLimits,
) -> Result<Vec<u8>, CompileFailure> {
    let host = |what: &str, error: io::Error| CompileFailure::Host(format!("{what} {}: {error}", program.display()));
    let mut command = Command::new(program);
    command.arg0("autodevops").args(arguments).env_clear().current_dir("/");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = Running(command.spawn().map_err(|error| host("it cannot be started by", error))?);
    // It cannot do anything with a component before it has one, and it has none before it is limited.
    limit(&running.0, limits).map_err(|error| host("no limits can be set for", error.into()))?;
    let deadline = Instant::now() + clock(limits);
    let conversation = Conversation::new(&mut running.0, request, limits.machine_code())
        .map_err(|error| host("there are no pipes to", error))?;
    let (answer, diagnostics) =
        conversation.hold(deadline).map_err(|error| host("no word passes to or from", error))?;
    let late = Instant::now() >= deadline;
    let status = running.end().map_err(|error| host("it is not known how it ended:", error))?;
    answer.outcome(status, late, &diagnostics)
}

/// On the clock, compiling may take twice its processor time: the machine may have other work.
const fn clock(limits: &CompileLimits) -> Duration {
    limits.time.0.saturating_mul(2)
}

fn limit(child: &Child, limits: &CompileLimits) -> rustix::io::Result<()> {
    let pid = Pid::from_child(child);
    let both = |most: u64| Rlimit { current: Some(most), maximum: Some(most) };
    let seconds = limits.time.0.as_millis().div_ceil(1000).max(1);
    let seconds = u64::try_from(seconds).unwrap_or(u64::MAX);
    // At the soft limit a signal says what it died of; at the hard one it is killed.
    let time = Rlimit { current: Some(seconds), maximum: Some(seconds.saturating_add(1)) };
    for (resource, limit) in [
        (Resource::As, both(limits.memory.0)),
        (Resource::Cpu, time),
        (Resource::Core, both(0)),
        (Resource::Fsize, both(0)),
        (Resource::Nofile, both(OPEN_FILES)),
    ] {
        prlimit(Some(pid), resource, limit)?;
    }
    Ok(())
}

/// A child that does not outlive this value.
struct Running(Child);

impl Running {
    /// Ends it, if it has not ended, and says how it did.
    fn end(&mut self) -> io::Result<ExitStatus> {
        // It has closed its pipes or used up its time: either way it has nothing more to do. A process that is ending already
        // keeps the status with which it ends. (One that closed its pipes and goes on is taken for one that was killed, as it is.)
        let _ = kill_process_group(Pid::from_child(&self.0), Signal::KILL);
        self.0.kill()?;
        self.0.wait()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The number of a process that was waited for may be another's by now.
        if let Ok(None) = self.0.try_wait() {
            drop(self.end());
        }
    }
}

/// What came back so far.
struct Answer {
    bytes: Vec<u8>,
    /// Bytes of all of it, once the header is here.
    length: Option<usize>,
    kind: Option<Kind>,
    most: u64,
    /// It is no answer, or too long.
    wrong: Option<CompileFailure>,
}

impl Answer {
    const fn new(most: u64) -> Self {
        Self { bytes: Vec::new(), length: None, kind: None, most, wrong: None }
    }

    /// Takes what was read; false when there is nothing more to take.
    fn take(&mut self, bytes: &[u8]) -> bool {
        self.bytes.extend_from_slice(bytes);
        if self.length.is_none()
            && let Some(header) = self.bytes.first_chunk::<ANSWER_HEADER_BYTES>()
        {
            match self.expect(*header) {
                Ok(length) => {
                    self.bytes.reserve_exact(length.saturating_sub(self.bytes.len()));
                    self.length = Some(length);
                }
                Err(wrong) => self.wrong = Some(wrong),
            }
        }
        self.wrong.is_none() && self.length.is_none_or(|length| self.bytes.len() < length)
    }

    fn expect(&mut self, header: [u8; ANSWER_HEADER_BYTES]) -> Result<usize, CompileFailure> {
        let strange = || CompileFailure::Host("it gave an answer that is none".to_owned());
        let (kind, length) = frame::answer_header(header).ok_or_else(strange)?;
        self.kind = Some(kind);
        match kind {
            Kind::MachineCode if length > self.most => return Err(CompileFailure::MachineCode(self.most)),
            Kind::Refused | Kind::Memory | Kind::Unfit if length > frame::REASON_BYTES => return Err(strange()),
            _ => {}
        }
        usize::try_from(length).ok().and_then(|length| length.checked_add(ANSWER_HEADER_BYTES)).ok_or_else(strange)
    }

    /// What it comes to, with how the child ended and what it wrote beside.
    fn outcome(mut self, status: ExitStatus, late: bool, diagnostics: &[u8]) -> Result<Vec<u8>, CompileFailure> {
        if let Some(wrong) = self.wrong {
            return Err(wrong);
        }
        let Some(kind) = self.kind.filter(|_| self.length == Some(self.bytes.len())) else {
            return Err(died(status, late, diagnostics));
        };
        self.bytes.drain(..ANSWER_HEADER_BYTES);
        let reason = |bytes: &[u8]| escape(&String::from_utf8_lossy(bytes));
        match kind {
            Kind::MachineCode => Ok(self.bytes),
            Kind::Refused => Err(CompileFailure::Refused(reason(&self.bytes))),
            Kind::Memory => Err(CompileFailure::Memory),
            Kind::Unfit => Err(CompileFailure::Host(reason(&self.bytes))),
        }
    }
}

/// Why a child that gave no answer ended.
fn died(status: ExitStatus, late: bool, diagnostics: &[u8]) -> CompileFailure {
    let said = escape(String::from_utf8_lossy(diagnostics).trim());
    let signal = status.signal();
    if late || signal == Some(Signal::XCPU.as_raw()) {
        CompileFailure::Time
    } else if NO_MEMORY.iter().any(|words| said.contains(words)) {
        CompileFailure::Memory
    } else if signal == Some(Signal::KILL.as_raw()) {
        // Nothing here kills it before its time is over: the kernel does, when the machine or its group has no memory left.
        CompileFailure::Killed
    } else if signal.is_some() || status.code() == Some(PANICKED) {
        CompileFailure::Broke(format!("{status}{}{said}", if said.is_empty() { "" } else { "; it said: " }))
    } else {
        // It ended by itself, yet without an answer: it is no compiler.
        CompileFailure::Host(format!("it gave no answer ({status}){}{said}", if said.is_empty() { "" } else { ": " }))
    }
}

/// The three pipes, none of which blocks.
struct Conversation<'a> {
    input: Option<ChildStdin>,
    output: Option<std::process::ChildStdout>,
    errors: Option<std::process::ChildStderr>,
    unsent: Vec<u8>,
    component: &'a [u8],
    answer: Answer,
    diagnostics: Vec<u8>,
}

impl<'a> Conversation<'a> {
    fn new(child: &mut Child, request: &'a Request<'_>, most: u64) -> io::Result<Self> {
        let (input, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let pipes =
            [input.as_ref().map(AsFd::as_fd), output.as_ref().map(AsFd::as_fd), errors.as_ref().map(AsFd::as_fd)];
        for pipe in pipes.into_iter().flatten() {
            rustix::io::ioctl_fionbio(pipe, true)?;
        }
        let (unsent, component) = (request.header(), request.component);
        Ok(Self { input, output, errors, unsent, component, answer: Answer::new(most), diagnostics: Vec::new() })
    }

    /// Until both of the child's pipes are closed, the answer is whole or wrong, or the deadline has passed.
    fn hold(mut self, deadline: Instant) -> io::Result<(Answer, Vec<u8>)> {
        let mut chunk = vec![0; CHUNK_BYTES];
        while self.output.is_some() || self.errors.is_some() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            self.wait(left)?;
            self.send();
            if let Some(read) = read_from(&mut self.output, &mut chunk)?
                && !self.answer.take(read)
            {
                break;
            }
            if let Some(read) = read_from(&mut self.errors, &mut chunk)? {
                let room = DIAGNOSTIC_BYTES.saturating_sub(self.diagnostics.len()).min(read.len());
                self.diagnostics.extend_from_slice(read.get(..room).unwrap_or_default());
            }
        }
        Ok((self.answer, self.diagnostics))
    }

    /// Waits until one of the pipes is ready.
    fn wait(&self, most: Duration) -> io::Result<()> {
        let pipes: [(Option<BorrowedFd<'_>>, PollFlags); 3] = [
            (self.input.as_ref().map(AsFd::as_fd), PollFlags::OUT),
            (self.output.as_ref().map(AsFd::as_fd), PollFlags::IN),
            (self.errors.as_ref().map(AsFd::as_fd), PollFlags::IN),
        ];
        let mut open: Vec<PollFd<'_>> = pipes
            .into_iter()
            .filter_map(|(pipe, flags)| pipe.map(|pipe| PollFd::from_borrowed_fd(pipe, flags)))
            .collect();
        // A time beyond what the kernel counts is as good as none.
        let most = Timespec::try_from(most).ok();
        match poll(&mut open, most.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Sends what the pipe takes; the pipe is closed after the last byte. A child that does not read any more says why itself.
    fn send(&mut self) {
        let Some(input) = &mut self.input else { return };
        loop {
            let (from_header, rest) = (!self.unsent.is_empty(), self.component);
            let bytes = if from_header { &self.unsent[..] } else { rest };
            if bytes.is_empty() {
                break;
            }
            match input.write(bytes.get(..CHUNK_BYTES).unwrap_or(bytes)) {
                Ok(sent) if from_header => drop(self.unsent.drain(..sent)),
                Ok(sent) => self.component = rest.get(sent..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        self.input = None;
    }
}

/// What a pipe has: none when it has nothing now, or is closed, which is then noted.
fn read_from<'a>(pipe: &mut Option<impl Read>, chunk: &'a mut [u8]) -> io::Result<Option<&'a [u8]>> {
    let Some(open) = pipe else { return Ok(None) };
    match open.read(chunk) {
        Ok(0) => *pipe = None,
        Ok(read) => return Ok(chunk.get(..read)),
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
        Err(error) => return Err(error),
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
