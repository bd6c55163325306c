//! A front door in a process of its own, so that it can be killed, replaced and measured. It is this test program, run
//! again.

use std::{
    fs::{self, OpenOptions},
    io::{BufRead, BufReader, Read, Write},
    os::unix::net::UnixStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use autodevops_edge::{EdgeOptions, EnvironmentOptions, serve, take_over};

use super::{PRODUCTION, TestEdge};

/// Serves as the environment says; does nothing when this program was not started as a front door.
pub async fn serve_if_asked() {
    let Ok(state) = std::env::var("EDGE_STATE") else { return };
    let value = |name: &str| std::env::var(name).unwrap();
    let mut options = EdgeOptions::new(state, value("EDGE_WORKER").split('\n').map(Into::into).collect());
    options.lease = Duration::from_millis(value("EDGE_LEASE_MS").parse().unwrap());
    let environment = EnvironmentOptions::new(value("EDGE_LISTEN").parse().unwrap(), value("EDGE_LOG"));
    options.environments.insert(PRODUCTION.into(), environment);
    options.metrics = Some(value("EDGE_METRICS").parse().unwrap());
    options.drain = Duration::from_millis(value("EDGE_DRAIN_MS").parse().unwrap());
    options.ready_timeout = Duration::from_secs(5);
    options.own_log = std::env::var_os("EDGE_OWN_LOG").map(Into::into);
    if std::env::var_os("EDGE_TAKES_OVER").is_some() {
        take_over(options).await.unwrap();
    } else {
        serve(options).await.unwrap();
    }
}

/// Starts one; the test program must have a test `edge_process` that calls [`serve_if_asked`].
pub async fn spawn(edge: &TestEdge) -> Child {
    let child = command(edge).spawn().unwrap();
    edge.until_open().await;
    child
}

/// Starts one that takes over from the one that serves.
pub fn spawn_taking_over(edge: &TestEdge) -> Child {
    command(edge).env("EDGE_TAKES_OVER", "1").stderr(Stdio::piped()).spawn().unwrap()
}

/// Starts one that hangs when the one that serves stands still for it, having written what it would.
pub fn spawn_hanging(edge: &TestEdge) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["hanging_process", "--exact", "--nocapture"]).env("EDGE_HANGS", &edge.options.state);
    command.stdout(Stdio::null()).spawn().unwrap()
}

/// Takes over as far as the environment says, and hangs; does nothing when this program was not started for that.
pub fn hang_if_asked() {
    let Some(state) = std::env::var_os("EDGE_HANGS").map(PathBuf::from) else { return };
    let mut old = BufReader::new(UnixStream::connect(state.join("edge.sock")).unwrap());
    let mut line = String::new();
    old.get_mut().write_all(b"{\"call\":\"take-over\"}\n").unwrap();
    old.read_line(&mut line).unwrap();
    old.get_mut().write_all(b"\"sockets\"\n").unwrap();
    // The open files come with it, and are closed: nobody asks for them.
    old.read_exact(&mut [0]).unwrap();
    old.get_mut().write_all(b"\"stand-still\"\n").unwrap();
    old.read_line(&mut line).unwrap();
    fs::write(state.join(format!("{PRODUCTION}.json")), "{}").unwrap();
    fs::write(state.join("edge.lock"), std::process::id().to_string()).unwrap();
    std::thread::sleep(Duration::from_secs(60));
}

fn command(edge: &TestEdge) -> Command {
    let options = &edge.options;
    let worker: Vec<&str> = options.worker.iter().map(|word| word.to_str().unwrap()).collect();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["edge_process", "--exact", "--nocapture"])
        .env("EDGE_STATE", &options.state)
        .env("EDGE_WORKER", worker.join("\n"))
        .env("EDGE_LEASE_MS", options.lease.as_millis().to_string())
        .env("EDGE_LISTEN", edge.address.to_string())
        .env("EDGE_LOG", &options.environments[PRODUCTION].log)
        .env("EDGE_METRICS", edge.metrics.to_string())
        .env("EDGE_DRAIN_MS", options.drain.as_millis().to_string())
        .stdout(Stdio::null());
    if let Some(log) = &options.own_log {
        let file = OpenOptions::new().append(true).create(true).open(log).unwrap();
        command.env("EDGE_OWN_LOG", log).stdout(file.try_clone().unwrap()).stderr(file);
    }
    command
}

/// A process's memory, in bytes.
pub struct Memory {
    /// The most that it ever had.
    pub peak: u64,
}

impl Memory {
    pub fn of(pid: u32) -> Self {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse().unwrap();
        Self { peak: kilobytes * 1024 }
    }
}
