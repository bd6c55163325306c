//! How a release's process is started.

use std::{
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
};

use autodevops_model::StageError;
use autodevops_policy::ProjectPath;
use tokio::process::Command;

use crate::{
    RunSpec,
    record::Started,
    refusal::{failed, invalid},
};

/// The socket's name in the folder that a release's process is given.
pub const SOCKET: &str = "s";
/// The release's files, as a command sees them.
const APP: &str = "/app";
/// The socket's folder, as a command sees it.
const RUN: &str = "/run/release";
/// What a command may read of the machine, where it is there. `/usr` has its programs; these make them run.
const READABLE: [&str; 7] = [
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/mime.types",
    "/etc/pki/tls/certs",
    "/etc/ssl/certs",
];
/// Folders that are links into `/usr` on most machines.
const OF_USR: [&str; 4] = ["bin", "lib", "lib64", "sbin"];

/// The command that serves a release on the socket in `folder`. It is refused when its paths leave the release, or when
/// it needs bubblewrap and there is none.
pub fn command(started: &Started, worker: &[OsString], folder: &Path) -> Result<Command, StageError> {
    match &started.run {
        RunSpec::Files { public } => served(started, worker, Some(public), None, folder),
        RunSpec::Functions { public, entry } => served(started, worker, public.as_ref(), Some(entry), folder),
        RunSpec::Command { argv, env, read } => {
            let bwrap = find("bwrap", std::env::var_os("PATH").as_deref()).ok_or_else(|| {
                failed(
                    "a command is served in bubblewrap, which is not installed here; install the package `bubblewrap`, \
                     or serve files or functions"
                        .to_owned(),
                )
            })?;
            if argv.is_empty() {
                return Err(invalid("the command is empty; name a program".to_owned()));
            }
            if let Some(path) = read.iter().find(|path| !path.is_absolute()) {
                let path = path.display();
                return Err(invalid(format!("`{path}` is to be readable but is not absolute; name it from the root")));
            }
            let mut command = Command::new(bwrap);
            command.args(sandbox(&started.root, folder, read, |path| Path::new(path).is_symlink()));
            for (name, value) in env {
                command.args(["--setenv", name, value]);
            }
            // The socket's path is not the operator's to choose.
            command.args(["--setenv", "SOCKET", &format!("{RUN}/{SOCKET}"), "--"]).args(argv).env_clear();
            Ok(command)
        }
    }
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

/// Bubblewrap's arguments: nothing of the machine but its programs; no network, no capabilities, another user.
fn sandbox(root: &Path, folder: &Path, read: &[PathBuf], is_link: impl Fn(&str) -> bool) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = Vec::new();
    let mut add = |words: &[&OsStr]| arguments.extend(words.iter().map(|word| (*word).to_owned()));
    for words in [
        &["--unshare-all", "--unshare-user", "--uid", "65534", "--gid", "65534", "--hostname", "release"][..],
        &["--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv"],
        &["--ro-bind", "/usr", "/usr", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"],
        &["--setenv", "PATH", "/usr/local/bin:/usr/bin:/bin", "--setenv", "HOME", "/tmp", "--setenv", "TMPDIR", "/tmp"],
    ] {
        words.iter().for_each(|word| add(&[OsStr::new(word)]));
    }
    for name in OF_USR {
        let (there, target) = (format!("/{name}"), format!("usr/{name}"));
        if is_link(&there) {
            add(&["--symlink".as_ref(), target.as_ref(), there.as_ref()]);
        } else {
            add(&["--ro-bind-try".as_ref(), there.as_ref(), there.as_ref()]);
        }
    }
    let readable = READABLE.iter().map(Path::new).map(|path| ("--ro-bind-try", path));
    for (option, path) in readable.chain(read.iter().map(|path| ("--ro-bind", path.as_path()))) {
        add(&[option.as_ref(), path.as_ref(), path.as_ref()]);
    }
    add(&["--ro-bind".as_ref(), root.as_ref(), APP.as_ref()]);
    add(&["--bind".as_ref(), folder.as_ref(), RUN.as_ref()]);
    add(&["--chdir".as_ref(), APP.as_ref()]);
    arguments
}

fn find(program: &str, path: Option<&OsStr>) -> Option<PathBuf> {
    std::env::split_paths(path?).map(|folder| folder.join(program)).find(|path| path.is_file())
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

    #[test]
    fn files_and_functions_are_served_by_the_worker() {
        let run = RunSpec::Functions { public: Some("public".into()), entry: "functions/index.js".into() };
        let worker = ["autodevops".into(), "worker".into()];
        let command = command(&started(run), &worker, Path::new("/s/1")).unwrap();
        assert_eq!(
            words(&command).join(" "),
            "autodevops worker --root /srv/r --public=public --functions=functions/index.js --socket /s/1/s"
        );
    }

    #[test]
    fn paths_that_leave_the_release_are_refused() {
        for public in ["../other", "/etc", ""] {
            let run = RunSpec::Files { public: public.into() };
            let error = command(&started(run), &["autodevops".into()], Path::new("/s/1")).unwrap_err();
            assert_eq!(error.kind, ErrorKind::InvalidInput, "{public}");
        }
        let run = RunSpec::Files { public: ".".into() };
        assert!(command(&started(run), &["autodevops".into()], Path::new("/s/1")).is_ok());
    }

    #[test]
    fn a_command_sees_its_release_and_its_socket_only() {
        let words: Vec<String> = sandbox("/srv/r".as_ref(), "/s/1".as_ref(), &["/opt/node".into()], |_| true)
            .into_iter()
            .map(|word| word.into_string().unwrap())
            .collect();
        let line = words.join(" ");
        for part in [
            "--unshare-all --unshare-user --uid 65534",
            "--ro-bind /srv/r /app",
            "--bind /s/1 /run/release",
            "--ro-bind /opt/node /opt/node",
            "--symlink usr/lib /lib",
            "--clearenv",
        ] {
            assert!(line.contains(part), "{line}");
        }
        let writable = words.windows(2).filter(|pair| pair[0] == "--bind").map(|pair| pair[1].clone());
        assert_eq!(writable.collect::<Vec<_>>(), ["/s/1"]);
        assert!(!line.contains("/home") && !line.contains("--share-net"), "{line}");
    }

    #[test]
    fn a_program_is_found_on_the_path_only() {
        assert!(find("sh", Some("/usr/bin:/bin".as_ref())).is_some());
        assert_eq!(find("sh", Some("/nowhere".as_ref())), None);
        assert_eq!(find("sh", None), None);
    }
}
