//! Programs that tests start: waited for with a limit, read while they run, ended by their number.

use std::{
    fmt, fs,
    io::{BufRead, BufReader, Read},
    os::unix::{ffi::OsStrExt, process::ExitStatusExt},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread::{JoinHandle, sleep, spawn},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// How often something is looked at that is waited for.
const LOOK: Duration = Duration::from_millis(20);

/// Waits until something holds; it must within the limit.
pub fn until(what: &str, limit: Duration, mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < limit, "waited {limit:?} until {what}, in vain");
        sleep(LOOK);
    }
}

/// What came of a program.
pub struct Called {
    /// Its exit code, where it was not ended by a signal.
    pub code: Option<i32>,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
}

impl fmt::Display for Called {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit code {:?}\n--- stdout\n{}\n--- stderr\n{}", self.code, self.stdout, self.stderr)
    }
}

/// Runs a program to its end, within the limit.
pub fn call(command: Command, limit: Duration) -> Called {
    Program::start(command).wait(limit)
}

/// A program that runs. Dropped, it is ended.
pub struct Program {
    child: Child,
    stdout: Option<JoinHandle<String>>,
    stderr: Receiver<String>,
    seen: String,
}

impl Program {
    /// Starts it.
    pub fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let stderr = child.stderr.take().unwrap();
        let stdout = spawn(move || {
            let mut bytes = Vec::new();
            stdout.read_to_end(&mut bytes).unwrap();
            String::from_utf8_lossy(&bytes).into_owned()
        });
        let (sender, lines) = channel();
        spawn(move || {
            for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
                if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                    return;
                }
            }
        });
        Self { child, stdout: Some(stdout), stderr: lines, seen: String::new() }
    }

    /// The next event that is told; none when the program has ended.
    pub fn next_event(&mut self, limit: Duration) -> Option<Value> {
        let end = Instant::now() + limit;
        loop {
            match self.stderr.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.seen.push_str(&line);
                    self.seen.push('\n');
                    let told: Option<Value> = serde_json::from_str(&line).ok();
                    if let Some(event) = told.as_ref().and_then(|told| told.get("event")) {
                        return Some(event.clone());
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => panic!("nothing happened within {limit:?} after:\n{}", self.seen),
            }
        }
    }

    /// The next event that is told within this time; none where there is none, or the program has ended.
    pub fn event_within(&mut self, limit: Duration) -> Option<Value> {
        let end = Instant::now() + limit;
        while let Ok(line) = self.stderr.recv_timeout(end.saturating_duration_since(Instant::now())) {
            self.seen.push_str(&line);
            self.seen.push('\n');
            let told: Option<Value> = serde_json::from_str(&line).ok();
            if let Some(event) = told.as_ref().and_then(|told| told.get("event")) {
                return Some(event.clone());
            }
        }
        None
    }

    /// Waits for an event of which this holds.
    pub fn wait_for(&mut self, what: &str, limit: Duration, wanted: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + limit;
        while let Some(event) = self.next_event(end.saturating_duration_since(Instant::now())) {
            if wanted(&event) {
                return event;
            }
        }
        panic!("it ended before {what}:\n{}", self.seen);
    }

    /// Waits until it wrote this to standard error.
    pub fn wait_for_text(&mut self, text: &str, limit: Duration) {
        let end = Instant::now() + limit;
        while !self.seen.contains(text) {
            match self.stderr.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.seen.push_str(&line);
                    self.seen.push('\n');
                }
                Err(_) => panic!("`{text}` was not written:\n{}", self.seen),
            }
        }
    }

    /// Its number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal);
    }

    /// Ends it as a crash would, at once; whether that is what it ended by, and not by itself before.
    pub fn kill(mut self) -> bool {
        self.child.kill().unwrap();
        self.child.wait().unwrap().signal() == Some(Signal::KILL.as_raw())
    }

    /// Waits for its end.
    pub fn wait(mut self, limit: Duration) -> Called {
        let status = self.wait_status(limit);
        // A process that it left behind may hold its standard error open: what is there by now is all.
        let stdout = self.stdout.take().unwrap().join().unwrap();
        let mut stderr = std::mem::take(&mut self.seen);
        while let Ok(line) = self.stderr.recv_timeout(Duration::from_secs(1)) {
            stderr.push_str(&line);
            stderr.push('\n');
        }
        Called { code: status.code(), stdout, stderr }
    }

    fn wait_status(&mut self, limit: Duration) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            if started.elapsed() > limit {
                self.child.kill().unwrap();
                self.child.wait().unwrap();
                let rest: Vec<String> = self.stderr.try_iter().collect();
                panic!("not done within {limit:?}; it wrote:\n{}{}", self.seen, rest.join("\n"));
            }
            sleep(LOOK);
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already, which is as good.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Sends a signal to a process.
pub fn kill(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

/// Ends every process with a path in `folder` on its command line; how many there were. The folder is one test's, for itself.
pub fn end_all_of(folder: &Path) -> usize {
    let needle = folder.as_os_str().as_bytes();
    let mut ended = 0;
    for process in fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw) else {
            continue;
        };
        let Ok(line) = fs::read(process.path().join("cmdline")) else { continue };
        let inside = line.windows(needle.len()).any(|window| window == needle);
        if inside && kill_process(pid, Signal::KILL).is_ok() {
            ended += 1;
        }
    }
    ended
}
