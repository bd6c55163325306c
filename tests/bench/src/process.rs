//! A process that is ended whatever happens.

use std::{
    fs,
    process::{Child, ExitStatus},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

/// How often a process is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// A child that does not outlive this.
pub struct Server(pub Child);

impl Server {
    /// Memory that is resident, in bytes.
    pub fn resident(&self) -> Result<u64> {
        memory(self.0.id(), "VmRSS:")
    }

    /// Processor time that it has taken so far, with its workers': the children of its main thread. (What a front door
    /// starts are another thread's.)
    pub fn processor_time(&self) -> Result<Duration> {
        let id = self.0.id();
        let mut nanoseconds = tasks(&format!("/proc/{id}/task"))?;
        for child in fs::read_to_string(format!("/proc/{id}/task/{id}/children"))?.split_whitespace() {
            nanoseconds += tasks(&format!("/proc/{child}/task"))?;
        }
        Ok(Duration::from_nanos(nanoseconds))
    }

    /// Asks until the answer is yes, the child ended, or the time is over.
    pub fn wait_until(&mut self, limit: Duration, mut ready: impl FnMut() -> bool) -> Result<bool> {
        let begun = Instant::now();
        while begun.elapsed() < limit {
            if self.0.try_wait()?.is_some() {
                return Ok(false);
            }
            if ready() {
                return Ok(true);
            }
            std::thread::sleep(LOOK);
        }
        Ok(false)
    }

    /// Ends it as an operator would; by force where it does not.
    pub fn end(&mut self) -> Result<ExitStatus> {
        if let Some(pid) = i32::try_from(self.0.id()).ok().and_then(rustix::process::Pid::from_raw) {
            rustix::process::kill_process(pid, rustix::process::Signal::TERM).ok();
        }
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(10) {
            if let Some(status) = self.0.try_wait()? {
                return Ok(status);
            }
            std::thread::sleep(LOOK);
        }
        self.0.kill()?;
        Ok(self.0.wait()?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(None)) {
            self.0.kill().ok();
            self.0.wait().ok();
        }
    }
}

/// The most memory of a process that was resident so far, in bytes.
pub fn peak_resident(id: u32) -> Result<u64> {
    memory(id, "VmHWM:")
}

/// Bytes of what the kernel tells of a process by this name.
fn memory(id: u32, name: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    let told = status.lines().find_map(|line| line.strip_prefix(name));
    let kilobytes: u64 =
        told.with_context(|| format!("no {name} is told"))?.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kilobytes * 1024)
}

/// Nanoseconds that a process's threads have run.
fn tasks(folder: &str) -> Result<u64> {
    let mut sum = 0;
    for task in fs::read_dir(folder)? {
        let text = fs::read_to_string(task?.path().join("schedstat"))?;
        sum += text.split(' ').next().context("no time is told")?.parse::<u64>()?;
    }
    Ok(sum)
}
