//! Asks what runs in a sandbox to end.
//!
//! bubblewrap passes no signal on: one that it gets ends it, and all in the sandbox with it, at once. So the signal goes to the command
//! itself, which is found from outside: bubblewrap's own process is the first in the innermost process namespace, and the command is its
//! child.

use std::fs;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// Deeper than bubblewrap goes: itself, and as root itself once more, each with a process for the namespace.
const DEEPEST: usize = 8;

/// Asks the command in a sandbox to end (`SIGTERM`); `bubblewrap` is the process that was started for it. Whether there was anything to
/// ask: not where the command is not started yet, or has ended.
pub fn terminate(bubblewrap: u32) -> bool {
    let Some(first) = first_inside(bubblewrap) else { return false };
    let mut asked = false;
    for command in children(first) {
        let Some(pid) = Pid::from_raw(command.cast_signed()) else { continue };
        let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else { continue };
        // The number may have come to stand for another process before it was opened, and does not any more.
        if children(first).contains(&command) {
            asked |= pidfd_send_signal(process, Signal::TERM).is_ok();
        }
    }
    asked
}

/// The first process of the innermost namespace below this one.
fn first_inside(bubblewrap: u32) -> Option<u32> {
    let (mut at, mut found) = (vec![bubblewrap], None);
    for _ in 0..DEEPEST {
        // As root there are two namespaces; the command can make none.
        found = at.iter().copied().find(|pid| number_inside(*pid) == Some(1)).or(found);
        at = at.into_iter().flat_map(children).collect();
    }
    found
}

/// A process's number in its own namespace; none where it is in that of this process.
fn number_inside(pid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
    numbers.split_whitespace().skip(1).last()?.parse().ok()
}

/// The children of a process that has one thread, as bubblewrap's have.
fn children(pid: u32) -> Vec<u32> {
    let listed = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    listed.split_whitespace().filter_map(|child| child.parse().ok()).collect()
}
