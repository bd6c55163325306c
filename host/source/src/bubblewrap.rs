//! One shell command in bubblewrap: a writable tree, a read-only system, and nothing else of this machine.

use std::{
    collections::{BTreeMap, VecDeque},
    fs,
    io::{self, ErrorKind, PipeReader, Read},
    os::unix::{
        fs::{MetadataExt, PermissionsExt, lchown},
        process::{CommandExt, ExitStatusExt},
    },
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, geteuid, pidfd_open},
};

use crate::BuildError;

/// How much of a command's output is kept: its end.
const LOG_BYTES: usize = 64 << 10;

/// Most bytes in the command's `/tmp`, which is memory.
const TMP_BYTES: &str = "1073741824";

/// The user inside, and outside too where we may choose: nobody.
const NOBODY: u32 = 65534;

/// What a system's programs need. What is not there is left out.
const SYSTEM: [&str; 20] = [
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/crypto-policies",
    "/etc/group",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/nsswitch.conf",
    "/etc/passwd",
    "/etc/pki",
    "/etc/ssl",
    "/etc/java",
];

/// What finding hosts needs beside.
const NETWORK: [&str; 3] = ["/etc/resolv.conf", "/etc/hosts", "/etc/gai.conf"];

/// Limits what each process may take, then becomes the command: no core files, memory in KiB, processes of the user.
const WRAPPER: &str = "ulimit -c 0; ulimit -d \"$1\" || exit 126; \
    if (ulimit -p 1024) 2>/dev/null; then ulimit -p 1024; elif (ulimit -u 1024) 2>/dev/null; then ulimit -u 1024; fi; \
    exec /bin/sh -c \"$2\"";

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
    /// Bytes.
    pub memory: u64,
}

impl Sandboxed<'_> {
    /// Runs it to its end; gives the end of its output.
    pub fn run(&self) -> Result<String, BuildError> {
        let tree = fs::canonicalize(self.tree).map_err(file(self.tree))?;
        let root = geteuid().is_root();
        let other_user = root && others_may_enter(&tree) && probe_as(true).is_ok();
        if root {
            give(&tree, if other_user { NOBODY } else { 0 })?;
        }
        let (output, input) = io::pipe().map_err(file(&tree))?;
        let mut command = self.bwrap(&tree, other_user);
        command.stdout(input.try_clone().map_err(file(&tree))?).stderr(input);
        let mut child = command.spawn().map_err(absent)?;
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

    fn bwrap(&self, tree: &Path, other_user: bool) -> Command {
        let mut command = bwrap(other_user, self.network);
        for path in self.read_only {
            command.arg("--ro-bind").args([path, path]);
        }
        command.arg("--bind").arg(tree).args(["/work", "--chdir", "/work"]);
        for (name, value) in self.env {
            command.args(["--setenv", name, value]);
        }
        let kibibytes = (self.memory / 1024).max(1).to_string();
        command.args(["--", "/bin/sh", "-c", WRAPPER, "sh", &kibibytes, self.command]);
        command
    }
}

/// Bubblewrap with the system and nothing else, as another user where asked.
fn bwrap(other_user: bool, network: bool) -> Command {
    let mut command = Command::new("bwrap");
    command.env_clear().stdin(Stdio::null());
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    if other_user {
        // The standard library drops the supplementary groups, too, when root becomes another user.
        command.uid(NOBODY).gid(NOBODY);
    }
    for name in ["user", "ipc", "pid", "uts", "cgroup-try"] {
        command.arg(format!("--unshare-{name}"));
    }
    if !network {
        command.arg("--unshare-net");
    }
    command.args(["--die-with-parent", "--new-session", "--disable-userns", "--hostname", "build", "--clearenv"]);
    command.args(["--uid", &NOBODY.to_string(), "--gid", &NOBODY.to_string(), "--cap-drop", "ALL"]);
    let network = network.then_some(NETWORK);
    for path in SYSTEM.iter().chain(network.iter().flatten()) {
        match fs::read_link(path) {
            // `/bin` is a link into `/usr` on most systems.
            Ok(target) if path.matches('/').count() == 1 => command.arg("--symlink").arg(target).arg(path),
            _ => command.args(["--ro-bind-try", path, path]),
        };
    }
    command.args(["--proc", "/proc", "--dev", "/dev", "--size", TMP_BYTES, "--tmpfs", "/tmp"]);
    command.args(["--setenv", "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]);
    command.args(["--setenv", "HOME", "/tmp", "--setenv", "TMPDIR", "/tmp", "--setenv", "LC_ALL", "C.UTF-8"]);
    command
}

/// Tries whether bubblewrap makes the sandbox.
pub fn probe_as(other_user: bool) -> Result<(), BuildError> {
    let mut command = bwrap(other_user, false);
    let output = command.args(["--", "/bin/sh", "-c", "exit 0"]).output().map_err(absent)?;
    if output.status.success() {
        return Ok(());
    }
    Err(BuildError::NotPermitted(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}

fn absent(error: io::Error) -> BuildError {
    match error.kind() {
        ErrorKind::NotFound => BuildError::Absent,
        _ => BuildError::NotPermitted(error.to_string()),
    }
}

fn file(path: &Path) -> impl FnOnce(io::Error) -> BuildError {
    let path = path.to_owned();
    move |source| BuildError::File { path, source }
}

/// Whether any user may get to the folder.
fn others_may_enter(tree: &Path) -> bool {
    let mut above = tree.ancestors().skip(1);
    above.all(|folder| fs::metadata(folder).is_ok_and(|metadata| metadata.permissions().mode() & 0o001 != 0))
}

/// Makes the user the owner of everything in the tree, as whom alone the command may write: root has no right of root's in the
/// sandbox. A file with a second name elsewhere stays as it is.
fn give(tree: &Path, user: u32) -> Result<(), BuildError> {
    let mut todo = vec![tree.to_owned()];
    while let Some(path) = todo.pop() {
        let metadata = fs::symlink_metadata(&path).map_err(file(&path))?;
        if metadata.is_dir() {
            for entry in fs::read_dir(&path).map_err(file(&path))? {
                todo.push(entry.map_err(file(&path))?.path());
            }
        } else if metadata.nlink() > 1 {
            continue;
        }
        lchown(&path, Some(user), Some(user)).map_err(file(&path))?;
    }
    Ok(())
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
