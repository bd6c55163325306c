//! Waiting for programs, being interrupted, and leaving none behind.

use std::{
    fs,
    net::TcpListener,
    os::unix::ffi::OsStrExt,
    path::Path,
    process::{Child, ExitStatus},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

/// How often something is looked at that is waited for.
pub const LOOK: Duration = Duration::from_millis(25);

/// Whether the person has had enough.
#[derive(Clone, Debug)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Catches ctrl-c and termination from here on, so that a scene can clean up.
    pub fn watch() -> Result<Self> {
        let flag = Arc::new(AtomicBool::new(false));
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP] {
            // The second time ends this program at once.
            signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&flag))?;
            signal_hook::flag::register(signal, Arc::clone(&flag))?;
        }
        Ok(Self(flag))
    }

    /// Whether it came.
    pub fn came(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Waits until `done` is true, at most for `limit`.
pub fn until(what: &str, limit: Duration, interrupt: &Interrupt, mut done: impl FnMut() -> Result<bool>) -> Result<()> {
    let started = Instant::now();
    while !done()? {
        if interrupt.came() {
            bail!("interrupted while waiting until {what}");
        }
        if started.elapsed() > limit {
            bail!("waited {} s until {what}, in vain", limit.as_secs());
        }
        sleep(LOOK);
    }
    Ok(())
}

/// Waits for a program's end; one that takes longer than `limit`, or is interrupted, is ended.
pub fn wait(child: &mut Child, limit: Duration, interrupt: Option<&Interrupt>) -> Result<ExitStatus> {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        let interrupted = interrupt.is_some_and(Interrupt::came);
        if interrupted || started.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            bail!(if interrupted { "interrupted".to_owned() } else { format!("not done after {} s", limit.as_secs()) });
        }
        sleep(LOOK);
    }
}

/// Ports that nothing listens on now.
pub fn free_ports<const N: usize>() -> Result<[u16; N]> {
    let mut ports = [0; N];
    // All are held until the last is known, so that no two are the same.
    let mut held = Vec::new();
    for port in &mut ports {
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("no port is free on 127.0.0.1")?;
        *port = listener.local_addr()?.port();
        held.push(listener);
    }
    Ok(ports)
}

/// Ends every process that was started with a path inside `folder` on its command line, this one excepted; how many there were.
/// The folder is a temporary one of this demo, so none of them can be anyone else's.
pub fn end_all_of(folder: &Path) -> usize {
    let Ok(processes) = fs::read_dir("/proc") else { return 0 };
    let needle = folder.as_os_str().as_bytes();
    let mut ended = 0;
    for process in processes.flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let Ok(line) = fs::read(process.path().join("cmdline")) else { continue };
        let inside = line.windows(needle.len().max(1)).any(|window| window == needle);
        if inside
            && pid != i32::try_from(std::process::id()).unwrap_or(0)
            && let Some(pid) = Pid::from_raw(pid)
            && kill_process(pid, Signal::KILL).is_ok()
        {
            ended += 1;
        }
    }
    ended
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn quiet() -> Interrupt {
        Interrupt(Arc::default())
    }

    #[test]
    fn free_ports_differ_and_can_be_listened_on() {
        let [a, b, c] = free_ports().unwrap();
        assert!(a != b && b != c && a != c);
        // A program that another test starts has what this one had open, for a moment.
        let listened_on = || Ok([a, b, c].iter().all(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()));
        until("the ports can be listened on", Duration::from_secs(10), &quiet(), listened_on).unwrap();
    }

    #[test]
    fn a_program_that_takes_too_long_is_ended() {
        let mut child = Command::new("sleep").arg("600").spawn().unwrap();
        let error = wait(&mut child, Duration::ZERO, None).unwrap_err().to_string();
        assert_eq!(error, "not done after 0 s");
        assert!(child.try_wait().unwrap().is_some());
    }

    #[test]
    fn waiting_ends_by_its_limit_and_by_an_interrupt() {
        let error = until("pigs fly", Duration::ZERO, &quiet(), || Ok(false)).unwrap_err().to_string();
        assert_eq!(error, "waited 0 s until pigs fly, in vain");
        let interrupted = Interrupt(Arc::new(AtomicBool::new(true)));
        let error = until("pigs fly", Duration::MAX, &interrupted, || Ok(false)).unwrap_err().to_string();
        assert_eq!(error, "interrupted while waiting until pigs fly");
        assert!(until("now", Duration::ZERO, &quiet(), || Ok(true)).is_ok());
    }

    #[test]
    fn processes_of_a_folder_are_ended_and_no_others() {
        let folder = tempfile::tempdir().unwrap();
        // `tail -f` keeps the path on its command line.
        let file = folder.path().join("log");
        fs::write(&file, "").unwrap();
        let mut inside = Command::new("tail").arg("-f").arg(&file).spawn().unwrap();
        let mut outside = Command::new("sleep").arg("600").spawn().unwrap();
        until("the process is there", Duration::from_secs(10), &quiet(), || Ok(end_all_of(folder.path()) == 1))
            .unwrap();
        assert!(!inside.wait().unwrap().success());
        assert!(outside.try_wait().unwrap().is_none());
        outside.kill().unwrap();
        outside.wait().unwrap();
    }
}
