//! This program, which may be replaced while it runs: an upgrade puts another file in its place.

use std::path::PathBuf;

/// This program as it was when it was started, for processes that it starts itself (Linux, `proc_pid_exe(5)`).
pub const PROGRAM: &str = "/proc/self/exe";

/// The folder that this program was started from. It is there still where the program was replaced.
pub fn folder() -> Option<PathBuf> {
    std::env::current_exe().ok()?.parent()?.canonicalize().ok()
}
