//! A credential that a program prints, such as `pass show api-token`. Run without a shell, bounded, and kept for a minute.

use std::{process::Stdio, time::Duration};

use autodevops_sandbox::Secret;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::AsyncReadExt as _,
    process::{Child, Command},
    sync::Mutex,
    time::Instant,
};
use zeroize::Zeroizing;

use crate::{
    NEXT_TRY,
    text::{Fault, of_bytes},
};

/// Longest time that it runs.
const LONGEST: Duration = Duration::from_secs(30);

/// Most bytes that it prints.
const MAX_BYTES: u64 = 64 << 10;

/// How long what it printed is used.
const KEPT: Duration = Duration::from_secs(60);

/// A program's output, as a credential. Those who need it at once wait for one run of it.
pub struct Output {
    command: Vec<String>,
    longest: Duration,
    /// What came of its last run, and when.
    kept: Mutex<Option<(Instant, Result<Secret, Fault>)>>,
}

/// A program and what it started; ended with this.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        // Only while it was not waited for: then its number is still its own.
        let id = self.0.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(id) = id {
            let _ = kill_process_group(id, Signal::KILL);
        }
    }
}

impl Output {
    pub fn of(command: Vec<String>) -> Self {
        Self { command, longest: LONGEST, kept: Mutex::new(None) }
    }

    /// The program. Its arguments are shown nowhere.
    pub fn program(&self) -> &str {
        self.command.first().map_or("", String::as_str)
    }

    pub async fn secret(&self) -> Result<Secret, Fault> {
        let mut kept = self.kept.lock().await;
        if let Some((since, read)) = &*kept {
            let holds = if read.is_ok() { KEPT } else { NEXT_TRY };
            if since.elapsed() < holds {
                return read.clone();
            }
        }
        let seconds = self.longest.as_secs();
        let read = tokio::time::timeout(self.longest, self.run()).await.unwrap_or_else(|_| {
            let what = format!("which did not end within {seconds} s");
            Err(Fault::new(what, "name a program that prints the credential without asking anything"))
        });
        *kept = Some((Instant::now(), read.clone()));
        read
    }

    async fn run(&self) -> Result<Secret, Fault> {
        let run_it = "run it by hand to see why";
        let (program, arguments) =
            self.command.split_first().ok_or_else(|| Fault::new("which is empty", "name a program"))?;
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        command.process_group(0).kill_on_drop(true);
        let child = command.spawn();
        let child = child.map_err(|error| {
            Fault::new(
                format!("which cannot be run: {error}"),
                "name a program that is there, with its arguments apart",
            )
        })?;
        let mut group = Group(child);
        let mut printed = Zeroizing::new(Vec::new());
        if let Some(stdout) = group.0.stdout.take() {
            let read = stdout.take(MAX_BYTES + 1).read_to_end(&mut printed).await;
            read.map_err(|error| Fault::new(format!("which cannot be read: {error}"), run_it))?;
        }
        if printed.len() as u64 > MAX_BYTES {
            let what = format!("which is more than {MAX_BYTES} bytes");
            return Err(Fault::new(what, "name a program that prints the credential alone"));
        }
        let status = group.0.wait().await;
        let status = status.map_err(|error| Fault::new(format!("which cannot be waited for: {error}"), run_it))?;
        if !status.success() {
            return Err(Fault::new(format!("which ended with {status}"), run_it));
        }
        of_bytes(&printed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Output {
        Output::of(vec!["/bin/sh".into(), "-c".into(), script.into()])
    }

    #[tokio::test]
    async fn what_it_prints_is_the_credential_and_it_runs_once_for_all_who_ask() {
        let folder = tempfile::tempdir().unwrap();
        let count = folder.path().join("count");
        let output = shell(&format!("echo run >> {}; echo a-credential", count.display()));
        let (one, other) = tokio::join!(output.secret(), output.secret());
        assert_eq!((one.unwrap().reveal(), other.unwrap().reveal()), ("a-credential", "a-credential"));
        assert_eq!(std::fs::read_to_string(count).unwrap(), "run\n");
    }

    #[tokio::test]
    async fn its_failure_shows_its_status_and_nothing_of_what_it_wrote() {
        let output = shell("echo its-credential; echo its-credential >&2; exit 3");
        let fault = output.secret().await.unwrap_err();
        assert_eq!(fault.what, "which ended with exit status: 3");
        assert!(!format!("{fault:?} {}", output.program()).contains("its-credential"));
    }

    #[tokio::test]
    async fn one_that_fails_is_run_again_after_a_while_and_not_for_each_who_asks() {
        let folder = tempfile::tempdir().unwrap();
        let count = folder.path().join("count");
        let output = shell(&format!("echo run >> {}; exit 3", count.display()));
        let (one, other) = tokio::join!(output.secret(), output.secret());
        assert_eq!(one.unwrap_err(), other.unwrap_err());
        assert_eq!(std::fs::read_to_string(&count).unwrap(), "run\n");
        if let Some((since, _)) = &mut *output.kept.lock().await {
            *since -= NEXT_TRY;
        }
        output.secret().await.unwrap_err();
        assert_eq!(std::fs::read_to_string(count).unwrap(), "run\nrun\n");
    }

    #[tokio::test]
    async fn one_that_never_ends_is_ended_with_all_that_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let alive = folder.path().join("alive");
        assert!(std::process::Command::new("mkfifo").arg(&alive).status().unwrap().success());
        // Whoever reads the pipe sees its end when the last that could write to it is gone.
        let mut reader = tokio::net::unix::pipe::OpenOptions::new().open_receiver(&alive).unwrap();
        let mut output = shell(&format!("exec 3>{}; sleep 1000 & sleep 1000", alive.display()));
        output.longest = Duration::from_millis(300);
        let fault = output.secret().await.unwrap_err();
        assert!(fault.what.contains("did not end"), "{fault:?}");
        let mut rest = Vec::new();
        reader.read_to_end(&mut rest).await.unwrap();
    }

    #[tokio::test]
    async fn too_much_and_nothing_are_refused() {
        assert!(shell("head -c 70000 /dev/zero").secret().await.unwrap_err().what.contains("more than 65536"));
        assert!(shell("true").secret().await.unwrap_err().what.contains("empty"));
        let missing = Output::of(vec!["/no/such/program".into()]).secret().await.unwrap_err();
        assert!(missing.what.contains("cannot be run"), "{missing:?}");
    }
}
