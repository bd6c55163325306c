//! A credential that a program prints, such as `pass show api-token`. Run without a shell, bounded, and kept for a minute.

use std::time::Duration;

use autodevops_commands::bounded::{self, Bounds, NotEnded};
use autodevops_sandbox::Secret;
use tokio::{process::Command, sync::Mutex, time::Instant};

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
        let read = self.run().await;
        *kept = Some((Instant::now(), read.clone()));
        read
    }

    async fn run(&self) -> Result<Secret, Fault> {
        let run_it = "run it by hand to see why";
        let (program, arguments) =
            self.command.split_first().ok_or_else(|| Fault::new("which is empty", "name a program"))?;
        let mut command = Command::new(program);
        command.args(arguments);
        let bounds = Bounds { longest: self.longest, most: MAX_BYTES };
        let ended = bounded::run(command, bounds).await.map_err(|error| match error {
            NotEnded::Start(_) => {
                Fault::new(format!("which {error}"), "name a program that is there, with its arguments apart")
            }
            NotEnded::Read(_) => Fault::new(format!("which {error}"), run_it),
            NotEnded::TooMuch(_) => Fault::new(
                format!("which is more than {MAX_BYTES} bytes"),
                "name a program that prints the credential alone",
            ),
            NotEnded::TooLong(_) => Fault::new(
                format!("which {error}"),
                "name a program that prints the credential without asking anything",
            ),
        })?;
        if !ended.status.success() {
            return Err(Fault::new(format!("which ended with {}", ended.status), run_it));
        }
        of_bytes(&ended.stdout)
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
    async fn one_that_never_ends_is_no_credential() {
        let mut output = shell("sleep 1000");
        output.longest = Duration::from_millis(100);
        let fault = output.secret().await.unwrap_err();
        assert!(fault.what.contains("did not end"), "{fault:?}");
    }

    #[tokio::test]
    async fn too_much_and_nothing_are_refused() {
        assert!(shell("head -c 70000 /dev/zero").secret().await.unwrap_err().what.contains("more than 65536"));
        assert!(shell("true").secret().await.unwrap_err().what.contains("empty"));
        let missing = Output::of(vec!["/no/such/program".into()]).secret().await.unwrap_err();
        assert!(missing.what.contains("cannot be run"), "{missing:?}");
    }
}
