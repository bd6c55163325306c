//! The one way in which a project's own programs are run: in bubblewrap, with a read-only system, what they are given, and nothing
//! else of this machine; and with limits on what they take.
//!
//! | bounded | by |
//! |---|---|
//! | memory of each process | `RLIMIT_DATA`: what it allocates. Not `RLIMIT_AS`, which counts what JavaScript engines only reserve |
//! | processes and threads | `RLIMIT_NPROC`, counted in the sandbox's own user namespace. The kernel holds nobody to it who is root outside, so root becomes another user first |
//! | files in memory | the sizes of `/tmp` and `/dev/shm`; all else that can be written to is a folder that was given |
//!
//! The memory of all processes together is not bounded but by these two numbers multiplied: that needs a control group, which the
//! host's own service manager gives (`MemoryMax=`).
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod arguments;
mod ending;
mod user;

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Command,
};

pub use ending::terminate;
pub use user::{Outside, give, outside, probe};

/// The user inside, and outside where root may choose: nobody.
pub const NOBODY: u32 = 65534;

/// Why there is no sandbox.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// bubblewrap is not there.
    #[error("bubblewrap is not installed, and commands run in nothing less; install the package `bubblewrap`")]
    Absent,
    /// bubblewrap may not do what it must.
    #[error(
        "bubblewrap is not permitted to make a sandbox here: {0}; allow unprivileged user namespaces (sysctl \
         kernel.unprivileged_userns_clone=1, or kernel.apparmor_restrict_unprivileged_userns=0), or run outside of a container \
         that forbids them"
    )]
    NotPermitted(String),
}

/// A sandbox for one command.
#[derive(Clone, Debug)]
pub struct Sandbox<'a> {
    /// The machine's name, inside.
    pub hostname: &'static str,
    /// Whether it has this machine's network; if not, it has none.
    pub network: bool,
    /// Public files of this machine that it may read beside the system's programs, where they are there.
    pub public: &'a [&'static str],
    /// What it is given.
    pub mounts: Vec<Mount<'a>>,
    /// The working folder, inside.
    pub folder: &'a Path,
    /// Its environment, beside `PATH`, `HOME`, `TMPDIR` and `LC_ALL`.
    pub env: &'a BTreeMap<String, String>,
    /// What it may take.
    pub limits: Limits,
}

/// A file or a folder that is given to a sandbox.
#[derive(Clone, Debug)]
pub struct Mount<'a> {
    /// Here.
    pub from: &'a Path,
    /// Inside.
    pub to: PathBuf,
    /// Whether it can be written to: by its owner and by those whom it permits ([`give`]).
    pub writable: bool,
}

impl<'a> Mount<'a> {
    /// To be read, at the same place.
    pub fn read_only(path: &'a Path) -> Self {
        Self { from: path, to: path.to_owned(), writable: false }
    }
}

/// What a command may take. Where this machine's own limits are lower, those hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Memory that each of its processes may allocate, in bytes.
    pub memory: u64,
    /// Its processes and threads, together.
    pub processes: u64,
}

impl Sandbox<'_> {
    /// The process that runs a program with its arguments in the sandbox: bubblewrap, which ends with the process that starts it, and
    /// with which everything in the sandbox ends.
    pub fn command(&self, outside: Outside, argv: &[impl AsRef<OsStr>]) -> Command {
        arguments::command(self, outside, argv)
    }
}

#[cfg(test)]
mod tests;
