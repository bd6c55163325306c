//! Starts processes that end with this one, also when this one is killed.

use std::{
    io,
    process::Stdio,
    sync::mpsc::{Sender, channel},
};

use rustix::process::{Pid, Signal, getppid, kill_process_group, set_parent_process_death_signal};
use tokio::{
    process::{Child, Command},
    runtime::Handle,
    sync::oneshot,
};

type Order = (Command, oneshot::Sender<io::Result<Child>>);

/// The thread that starts all processes. The system ends a process when the *thread* that started it ends, so it must
/// be one that lives as long as the front door; a runtime's threads come and go.
#[derive(Clone, Debug)]
pub struct Spawner(Sender<Order>);

impl Spawner {
    /// Starts the thread; must be called on a runtime.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub fn new() -> io::Result<Self> {
        let (orders, received) = channel::<Order>();
        let runtime = Handle::current();
        std::thread::Builder::new().name("spawner".into()).spawn(move || {
            let _entered = runtime.enter();
            for (command, answer) in received {
                // Who asked may be gone; the process is ended then, by its drop.
                drop(answer.send(spawn(command)));
            }
        })?;
        Ok(Self(orders))
    }

    /// Starts a process with its output piped.
    ///
    /// # Errors
    /// When the program cannot be run.
    pub async fn spawn(&self, command: Command) -> io::Result<Child> {
        let gone = || io::Error::other("processes are no longer started");
        let (answer, answered) = oneshot::channel();
        self.0.send((command, answer)).map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

fn spawn(mut command: Command) -> io::Result<Child> {
    // A group of its own: it is signalled as a whole, and a terminal's ctrl-c does not reach it.
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).kill_on_drop(true);
    let parent = Pid::from_raw(std::process::id().cast_signed());
    // SAFETY: what runs between fork and exec makes two system calls and allocates nothing.
    unsafe {
        command.pre_exec(move || {
            set_parent_process_death_signal(Some(Signal::KILL))?;
            // The parent may have ended before the signal was asked for.
            if getppid() == parent { Ok(()) } else { Err(io::Error::from(io::ErrorKind::BrokenPipe)) }
        });
    }
    command.spawn()
}

/// Sends a signal to a child's group while the child has not been waited for.
pub fn signal(child: &Child, signal: Signal) {
    if let Some(pid) = child.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
        // It may have ended just now.
        let _ = kill_process_group(pid, signal);
    }
}
