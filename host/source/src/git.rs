//! Running git so that nothing of the repository, the user or the system bends what it does.

use std::{
    ffi::OsStr,
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
};

use crate::SourceError;

/// The oldest git with `merge-tree --write-tree`.
const OLDEST: (u32, u32) = (2, 38);

/// How git is pointed at a repository, and what came of it.
#[derive(Debug)]
pub struct Git {
    /// `--git-dir` and the like come from the environment of the command.
    variables: Vec<(&'static str, PathBuf)>,
    folder: PathBuf,
}

/// What a git command gave.
pub struct Output {
    pub code: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Git {
    pub fn at(folder: &Path, variables: Vec<(&'static str, PathBuf)>) -> Self {
        Self { variables, folder: folder.to_owned() }
    }

    fn command(&self, extra: &[(&str, &OsStr)], arguments: &[&OsStr]) -> Command {
        let mut command = Command::new("git");
        command.current_dir(&self.folder).env_clear();
        for (name, value) in [
            ("LC_ALL", "C"),
            ("HOME", "/nonexistent"),
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_ATTR_NOSYSTEM", "1"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_OPTIONAL_LOCKS", "0"),
            ("GIT_NO_LAZY_FETCH", "1"),
            ("GIT_NO_REPLACE_OBJECTS", "1"),
            ("GIT_ALLOW_PROTOCOL", "none"),
        ] {
            command.env(name, value);
        }
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        for (name, value) in &self.variables {
            command.env(name, value);
        }
        for (name, value) in extra {
            command.env(name, value);
        }
        for setting in [
            "core.hooksPath=/dev/null",
            "core.fsmonitor=false",
            "core.untrackedCache=false",
            "core.pager=cat",
            "core.attributesFile=/dev/null",
            "core.sshCommand=false",
            "commit.gpgSign=false",
            "gc.auto=0",
            "maintenance.auto=false",
            "submodule.recurse=false",
        ] {
            command.args(["-c", setting]);
        }
        command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Starts it, for those who talk with it.
    pub fn start(&self, arguments: &[&str]) -> Result<Child, SourceError> {
        let arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
        let mut command = self.command(&[], &arguments);
        command.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().map_err(absent)
    }

    /// Runs it with the input, whatever its exit code.
    pub fn try_run(
        &self,
        extra: &[(&str, &OsStr)],
        arguments: &[&OsStr],
        input: Option<&[u8]>,
    ) -> Result<Output, SourceError> {
        let mut command = self.command(extra, arguments);
        command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
        let mut child = command.spawn().map_err(absent)?;
        let stdin = child.stdin.take();
        let output = thread::scope(|scope| {
            // A git that ends early closes its input; its exit code tells, not the broken pipe.
            scope.spawn(|| stdin.zip(input).map(|(mut pipe, bytes)| pipe.write_all(bytes)));
            child.wait_with_output()
        });
        let output = output.map_err(absent)?;
        Ok(Output {
            code: output.status.code(),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        })
    }

    /// Runs it; anything but success is an error with what it said.
    pub fn run(
        &self,
        extra: &[(&str, &OsStr)],
        arguments: &[&OsStr],
        input: Option<&[u8]>,
    ) -> Result<Vec<u8>, SourceError> {
        let output = self.try_run(extra, arguments, input)?;
        if output.code == Some(0) {
            return Ok(output.stdout);
        }
        Err(failed(arguments, &output))
    }

    /// Runs it and gives its output as one trimmed text.
    pub fn text(&self, arguments: &[&str]) -> Result<String, SourceError> {
        let arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
        Ok(text(&self.run(&[], &arguments, None)?))
    }

    /// Runs it and tells its exit code and output, whatever they are.
    pub fn ask(&self, arguments: &[&str]) -> Result<Output, SourceError> {
        let arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
        self.try_run(&[], &arguments, None)
    }
}

fn absent(error: std::io::Error) -> SourceError {
    SourceError::Git {
        found: match error.kind() {
            std::io::ErrorKind::NotFound => "is not installed".to_owned(),
            _ => format!("cannot be started: {error}"),
        },
    }
}

fn failed(arguments: &[&OsStr], output: &Output) -> SourceError {
    let command = arguments.first().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    SourceError::Failed { command, reason: output.stderr.clone() }
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end().to_owned()
}

/// Refuses a git that is absent or too old.
pub fn check_version(git: &Git) -> Result<(), SourceError> {
    let said = git.text(&["version"])?;
    let number = said.split_whitespace().nth(2).unwrap_or_default();
    let mut parts = number.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let version = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    if version < OLDEST {
        return Err(SourceError::Git { found: format!("{number} is too old") });
    }
    Ok(())
}
