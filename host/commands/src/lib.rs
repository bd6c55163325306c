//! Programs of the operator's, run on a plugin's word: which one, and with which arguments, the operator says in `[commands]`.
//!
//! They run as the host does, without a shell: what they are for, such as dumping and restoring a database, needs the operator's own
//! files and accounts, which a sandbox is there to keep away. What is bounded is what a plugin can do with them:
//!
//! | bounded | by |
//! |---|---|
//! | which are run | the grant: each by its name; [`autodevops_sandbox`] asks for each run |
//! | with what | `{…}` in the operator's `argv`, filled with names alone: no option, no path, no script, and no argument more |
//! | what they see of this process | `PATH`, `HOME`, `LANG`, and the variables that the operator names |
//! | for how long | `[commands.NAME] timeout`, and the call's own `wall-time`; ended with all that they started |
//! | how much comes back | the call's `command-output`, and the last 4 KiB of standard error |
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

pub mod bounded;

use std::{
    collections::BTreeMap, os::unix::process::ExitStatusExt as _, path::PathBuf, process::ExitStatus, time::Duration,
};

use autodevops_model::{ErrorInfo, ErrorKind, StageError};
use autodevops_policy::command::filled;
use autodevops_sandbox::{Completed, NotCompleted, OperatorCommands};
use bounded::{Bounds, Ended, NotEnded};
use tokio::process::Command;

/// Variables of the host's environment that every command has, where they are set.
const USUAL: [&str; 3] = ["PATH", "HOME", "LANG"];

/// A command as the operator has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operators {
    /// The program and its arguments, with placeholders such as `{snapshot}`. Never empty.
    pub argv: Vec<String>,
    /// Its working folder.
    pub folder: PathBuf,
    /// Variables that it is given.
    pub env: BTreeMap<String, String>,
    /// Variables of the host's environment that it is given, where they are set.
    pub pass_env: Vec<String>,
    /// Longest time that it may take.
    pub timeout: Duration,
}

/// The operator's commands, by their names.
#[derive(Clone, Debug, Default)]
pub struct Commands(BTreeMap<String, Operators>);

impl Commands {
    /// These commands.
    pub const fn new(commands: BTreeMap<String, Operators>) -> Self {
        Self(commands)
    }

    /// Whether there is a command of that name.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}

fn failed(kind: ErrorKind, message: String) -> NotCompleted {
    NotCompleted::Failed(StageError { kind, info: ErrorInfo { message, details: Vec::new() } })
}

/// As a shell tells it.
fn code(status: ExitStatus) -> i32 {
    status.code().or_else(|| status.signal().map(|signal| signal.saturating_add(128))).unwrap_or(-1)
}

#[async_trait::async_trait]
impl OperatorCommands for Commands {
    async fn run(&self, name: &str, fills: &[(String, String)], most: u64) -> Result<Completed, NotCompleted> {
        let Some(operators) = self.0.get(name) else {
            let message = format!("there is no command `{name}`; write [commands.{name}] with its `argv`");
            return Err(failed(ErrorKind::Unavailable, message));
        };
        let argv = filled(&operators.argv, fills)
            .map_err(|error| NotCompleted::Unfit(format!("the command `{name}` is not run: {error}")))?;
        let (program, arguments) = argv.split_first().ok_or_else(|| {
            failed(
                ErrorKind::Failed,
                format!("the command `{name}` is empty; name its program in [commands.{name}] `argv`"),
            )
        })?;
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&operators.folder).env_clear();
        for variable in USUAL.into_iter().chain(operators.pass_env.iter().map(String::as_str)) {
            if let Some(value) = std::env::var_os(variable) {
                command.env(variable, value);
            }
        }
        command.envs(&operators.env);
        let bounds = Bounds { longest: operators.timeout, most };
        match bounded::run(command, bounds).await {
            Ok(Ended { status, stdout, stderr }) => Ok(Completed {
                status: code(status),
                stdout: stdout.to_vec(),
                stderr: String::from_utf8_lossy(&stderr).into_owned(),
            }),
            Err(NotEnded::TooMuch(_)) => Err(NotCompleted::TooMuch),
            Err(error @ NotEnded::TooLong(_)) => {
                let message = format!("the command `{name}` {error}; give it more with [commands.{name}] `timeout`");
                Err(failed(ErrorKind::Failed, message))
            }
            Err(error @ NotEnded::Start(_)) => {
                let remedy = format!("name a program that is there in [commands.{name}] `argv`");
                Err(failed(ErrorKind::Failed, format!("the command `{name}` (`{program}`) {error}; {remedy}")))
            }
            Err(error @ NotEnded::Read(_)) => {
                Err(failed(ErrorKind::Unavailable, format!("the command `{name}` {error}")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commands(argv: &[&str], timeout: Duration) -> Commands {
        let operators = Operators {
            argv: argv.iter().map(|argument| (*argument).to_owned()).collect(),
            folder: std::env::temp_dir(),
            env: [("GREETING".to_owned(), "hello {snapshot}".to_owned())].into(),
            pass_env: vec!["CARGO_PKG_NAME".to_owned(), "AUTODEVOPS_NO_SUCH_VARIABLE".to_owned()],
            timeout,
        };
        Commands::new([("dump".to_owned(), operators)].into())
    }

    const LONG: Duration = Duration::from_secs(20);

    async fn run(commands: &Commands, value: &str) -> Result<Completed, NotCompleted> {
        commands.run("dump", &[("snapshot".to_owned(), value.to_owned())], 10_000).await
    }

    fn message(error: NotCompleted) -> String {
        match error {
            NotCompleted::Failed(error) => error.info.message,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_value_is_an_argument_and_nothing_that_a_shell_would_see() {
        let done = run(&commands(&["printf", "%s|", "a {snapshot}", "$HOME", "*"], LONG), "r1-2").await.unwrap();
        assert_eq!((done.status, done.stdout.as_slice()), (0, b"a r1-2|$HOME|*|".as_slice()));
        let unfit = run(&commands(&["echo", "{snapshot}"], LONG), "; rm -rf /").await.unwrap_err();
        assert!(
            matches!(&unfit, NotCompleted::Unfit(why) if why.contains("`dump` is not run: the value of {snapshot}"))
        );
    }

    #[tokio::test]
    async fn the_environment_is_what_the_operator_named() {
        let done = run(&commands(&["env"], LONG), "a").await.unwrap();
        let text = String::from_utf8(done.stdout).unwrap();
        let names: Vec<&str> = text.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
        assert!(text.contains("GREETING=hello {snapshot}\n") && text.contains("CARGO_PKG_NAME=autodevops-commands"));
        let known = ["PATH", "HOME", "LANG", "GREETING", "CARGO_PKG_NAME"];
        assert!(names.iter().all(|name| known.contains(name)), "{names:?}");
    }

    #[tokio::test]
    async fn how_it_ended_is_told_as_a_shell_tells_it() {
        let done = run(&commands(&["sh", "-c", "echo why >&2; exit 7"], LONG), "a").await.unwrap();
        assert_eq!((done.status, done.stderr.as_str()), (7, "why\n"));
        assert_eq!(run(&commands(&["sh", "-c", "kill -9 $$"], LONG), "a").await.unwrap().status, 137);
    }

    #[tokio::test]
    async fn what_cannot_be_run_is_named_with_its_key() {
        let none = message(commands(&["true"], LONG).run("drop", &[], 10).await.unwrap_err());
        assert_eq!(none, "there is no command `drop`; write [commands.drop] with its `argv`");
        let absent = message(run(&commands(&["/no/such"], LONG), "a").await.unwrap_err());
        assert!(
            absent.contains("the command `dump` (`/no/such`) cannot be run")
                && absent.contains("[commands.dump] `argv`")
        );
        let slow = message(run(&commands(&["sleep", "1000"], Duration::from_millis(50)), "a").await.unwrap_err());
        assert_eq!(slow, "the command `dump` did not end within 0.05 s; give it more with [commands.dump] `timeout`");
        assert_eq!(run(&commands(&["yes"], LONG), "a").await.unwrap_err(), NotCompleted::TooMuch);
    }
}
