//! How a release's process is started.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
};

use autodevops_bubblewrap::{Limits, Mount, Sandbox, give, outside};
use autodevops_model::StageError;
use autodevops_policy::ProjectPath;
use tokio::{process::Command, task::spawn_blocking};

use crate::{
    CommandLimits, RunSpec,
    record::Started,
    refusal::{failed, invalid},
};

/// The socket's name in the folder that a release's process is given.
pub const SOCKET: &str = "s";
/// The release's files, as a command sees them.
const APP: &str = "/app";
/// The socket's folder, as a command sees it.
const RUN: &str = "/run/release";
/// The command that serves a release on the socket in `folder`. It is refused when its paths leave the release, or when
/// it needs bubblewrap and there is none.
pub async fn command(started: &Started, worker: &[OsString], folder: &Path) -> Result<Command, StageError> {
    match &started.run {
        RunSpec::Files { public } => served(started, worker, Some(public), None, folder),
        RunSpec::Functions { public, entry } => served(started, worker, public.as_ref(), Some(entry), folder),
        RunSpec::Command { argv, env, read, limits } => {
            if argv.is_empty() {
                return Err(invalid("the command is empty; name a program".to_owned()));
            }
            if let Some(path) = read.iter().find(|path| !path.is_absolute()) {
                let path = path.display();
                return Err(invalid(format!("`{path}` is to be readable but is not absolute; name it from the root")));
            }
            let outside = spawn_blocking(outside).await.map_err(|error| failed(error.to_string()))?;
            let outside =
                outside.map_err(|error| failed(format!("the release's command cannot be started: {error}")))?;
            give(folder, outside).map_err(|(path, error)| failed(format!("{}: {error}", path.display())))?;
            let mut env = env.clone();
            // The socket's path is not the operator's to choose.
            env.insert("SOCKET".to_owned(), format!("{RUN}/{SOCKET}"));
            Ok(sandbox(&started.root, folder, read, &env, *limits).command(outside, argv).into())
        }
    }
}

/// What a release's command sees and may take.
fn sandbox<'a>(
    root: &'a Path,
    folder: &'a Path,
    read: &'a [PathBuf],
    env: &'a BTreeMap<String, String>,
    CommandLimits { memory, processes }: CommandLimits,
) -> Sandbox<'a> {
    let mut mounts: Vec<Mount<'_>> = read.iter().map(|path| Mount::read_only(path)).collect();
    mounts.push(Mount { from: root, to: APP.into(), writable: false });
    mounts.push(Mount { from: folder, to: RUN.into(), writable: true });
    let limits = Limits { memory, processes };
    Sandbox { hostname: "release", network: false, public: &[], mounts, folder: APP.as_ref(), env, limits }
}

/// A worker's command.
fn served(
    started: &Started,
    worker: &[OsString],
    public: Option<&String>,
    entry: Option<&String>,
    folder: &Path,
) -> Result<Command, StageError> {
    let [program, leading @ ..] = worker else {
        return Err(failed("the front door was started without a worker program, so it cannot serve files".to_owned()));
    };
    let mut command = Command::new(program);
    command.args(leading).arg("--root").arg(&started.root);
    for (option, path) in [("--public", public), ("--functions", entry)] {
        let Some(path) = path else { continue };
        if path != "." {
            ProjectPath::new(path).map_err(|error| invalid(error.to_string()))?;
        }
        // In one word, so that a name that begins with `-` is no option.
        command.arg(format!("{option}={path}"));
    }
    command.arg("--socket").arg(folder.join(SOCKET));
    Ok(command)
}

#[cfg(test)]
mod tests {
    use autodevops_model::{ErrorKind, Release};

    use super::*;

    fn started(run: RunSpec) -> Started {
        let release = Release { id: "r".into(), artifact: String::new(), commit: String::new() };
        Started { release, root: "/srv/r".into(), run, port: 1 }
    }

    fn words(command: &Command) -> Vec<String> {
        let command = command.as_std();
        let program = std::iter::once(command.get_program());
        program.chain(command.get_args()).map(|word| word.to_string_lossy().into_owned()).collect()
    }

    #[tokio::test]
    async fn files_and_functions_are_served_by_the_worker() {
        let run = RunSpec::Functions { public: Some("public".into()), entry: "functions/index.js".into() };
        let worker = ["autodevops".into(), "worker".into()];
        let command = command(&started(run), &worker, Path::new("/s/1")).await.unwrap();
        assert_eq!(
            words(&command).join(" "),
            "autodevops worker --root /srv/r --public=public --functions=functions/index.js --socket /s/1/s"
        );
    }

    #[tokio::test]
    async fn paths_that_leave_the_release_are_refused() {
        for public in ["../other", "/etc", ""] {
            let run = RunSpec::Files { public: public.into() };
            let error = command(&started(run), &["autodevops".into()], Path::new("/s/1")).await.unwrap_err();
            assert_eq!(error.kind, ErrorKind::InvalidInput, "{public}");
        }
        let run = RunSpec::Files { public: ".".into() };
        assert!(command(&started(run), &["autodevops".into()], Path::new("/s/1")).await.is_ok());
    }

    #[test]
    fn a_command_is_given_its_release_its_socket_and_what_the_operator_names() {
        let env = BTreeMap::new();
        let sandbox = sandbox("/srv/r".as_ref(), "/s/1".as_ref(), &[], &env, CommandLimits::default());
        let given: Vec<_> =
            sandbox.mounts.iter().map(|mount| (mount.from, mount.to.to_str().unwrap(), mount.writable)).collect();
        assert_eq!(given, [("/srv/r".as_ref(), "/app", false), ("/s/1".as_ref(), "/run/release", true)]);
        assert!(!sandbox.network);
    }

    #[tokio::test]
    async fn a_command_that_cannot_be_one_is_refused() {
        for (argv, read, told) in [
            (vec![], vec![], "the command is empty; name a program"),
            (vec!["node"], vec!["opt/node"], "`opt/node` is to be readable but is not absolute; name it from the root"),
        ] {
            let run = RunSpec::Command {
                argv: argv.into_iter().map(str::to_owned).collect(),
                env: BTreeMap::new(),
                read: read.into_iter().map(PathBuf::from).collect(),
                limits: CommandLimits::default(),
            };
            let error = command(&started(run), &[], Path::new("/s/1")).await.unwrap_err();
            assert_eq!((error.kind, error.info.message.as_str()), (ErrorKind::InvalidInput, told));
        }
    }
}
