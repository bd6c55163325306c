//! Bubblewrap's arguments.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use rustix::process::{Resource, getrlimit};

use crate::{Limits, NOBODY, Outside, Sandbox};

/// What a system's programs need. What is not there is left out.
const SYSTEM: [&str; 17] = [
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/crypto-policies",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/mime.types",
    "/etc/pki",
    "/etc/ssl",
];

/// What finding hosts needs beside.
const NETWORK: [&str; 4] = ["/etc/resolv.conf", "/etc/hosts", "/etc/gai.conf", "/etc/nsswitch.conf"];

/// Most bytes in `/tmp`, which is memory.
const TMP_BYTES: &str = "1073741824";

/// Most bytes in `/dev/shm`, which is memory.
const SHARED_BYTES: &str = "268435456";

/// Where root lays what is given within another user's reach, in a mount namespace of its own.
const STAGE: &str = "/tmp";

/// Limits what each process may take, then becomes the command: no core files; memory in KiB; processes, for which shells have two
/// letters.
const WRAPPER: &str = "ulimit -c 0; ulimit -d \"$1\" || exit 126; \
    if (ulimit -p \"$2\") 2>/dev/null; then ulimit -p \"$2\"; else ulimit -u \"$2\" || exit 126; fi; \
    shift 2; exec \"$@\"";

/// The whole command.
pub fn command(sandbox: &Sandbox<'_>, outside: Outside, argv: &[impl AsRef<OsStr>]) -> Command {
    let mut command = Command::new("bwrap");
    command.env_clear().stdin(Stdio::null());
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    let staged = match outside {
        Outside::Same => None,
        Outside::Nobody => Some(stage(&mut command, sandbox)),
    };
    alone(&mut command, sandbox);
    system(&mut command, sandbox);
    for (index, mount) in sandbox.mounts.iter().enumerate() {
        let from = staged.as_ref().and_then(|staged| staged.get(index)).map_or(mount.from, PathBuf::as_path);
        command.arg(if mount.writable { "--bind" } else { "--ro-bind" }).arg(from).arg(&mount.to);
    }
    // What is not given and not bounded cannot be written to: `/` and `/dev` are memory, too.
    command.args(["--remount-ro", "/dev", "--remount-ro", "/", "--chdir"]).arg(sandbox.folder);
    for (name, value) in sandbox.env {
        command.args(["--setenv", name, value]);
    }
    command.args(["--", "/bin/sh", "-c", WRAPPER, "sh"]).args(limits(sandbox.limits)).args(argv);
    command
}

/// As root: a namespace in which what is given lies where another user gets to, whatever folders it is in; then that user. Gives where
/// each mount lies.
fn stage(command: &mut Command, sandbox: &Sandbox<'_>) -> Vec<PathBuf> {
    command.args(["--unshare-pid", "--die-with-parent", "--dev-bind", "/", "/", "--tmpfs", STAGE]);
    let place = |index: usize| Path::new(STAGE).join(index.to_string());
    let mut staged = Vec::new();
    for (index, mount) in sandbox.mounts.iter().enumerate() {
        command.arg(if mount.writable { "--bind" } else { "--ro-bind" }).arg(mount.from).arg(place(index));
        staged.push(place(index));
    }
    // To become the user takes these two; the user has none.
    command.args(["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--"]);
    let nobody = NOBODY.to_string();
    command.args(["setpriv", "--reuid", &nobody, "--regid", &nobody, "--clear-groups", "--", "bwrap"]);
    staged
}

/// Namespaces of its own, another user without any right, and no more namespaces.
fn alone(command: &mut Command, sandbox: &Sandbox<'_>) {
    for name in ["user", "ipc", "pid", "uts", "cgroup-try"] {
        command.arg(format!("--unshare-{name}"));
    }
    if !sandbox.network {
        command.arg("--unshare-net");
    }
    command.args(["--die-with-parent", "--new-session", "--disable-userns", "--hostname", sandbox.hostname]);
    command.args(["--uid", &NOBODY.to_string(), "--gid", &NOBODY.to_string(), "--cap-drop", "ALL", "--clearenv"]);
}

/// The system's programs, and places in memory.
fn system(command: &mut Command, sandbox: &Sandbox<'_>) {
    let network = sandbox.network.then_some(NETWORK);
    for path in SYSTEM.iter().chain(network.iter().flatten()).chain(sandbox.public) {
        match fs::read_link(path) {
            // `/bin` is a link into `/usr` on most systems.
            Ok(target) if path.matches('/').count() == 1 => command.arg("--symlink").arg(target).arg(path),
            _ => command.args(["--ro-bind-try", path, path]),
        };
    }
    command.args(["--proc", "/proc", "--dev", "/dev", "--size", SHARED_BYTES, "--tmpfs", "/dev/shm"]);
    command.args(["--size", TMP_BYTES, "--tmpfs", "/tmp"]);
    command.args(["--setenv", "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]);
    command.args(["--setenv", "HOME", "/tmp", "--setenv", "TMPDIR", "/tmp", "--setenv", "LC_ALL", "C.UTF-8"]);
}

/// The limits in a shell's units, none above what this machine permits, which nobody can raise.
fn limits(limits: Limits) -> [String; 2] {
    let at_most = |wanted: u64, resource| getrlimit(resource).maximum.map_or(wanted, |most| wanted.min(most));
    let kibibytes = (at_most(limits.memory, Resource::Data) / 1024).max(1);
    [kibibytes.to_string(), at_most(limits.processes, Resource::Nproc).to_string()]
}
