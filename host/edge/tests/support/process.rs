//! A front door in a process of its own, so that it can be killed, replaced and measured. It is this test program, run
//! again.

use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};

use autodevops_edge::{EdgeOptions, EnvironmentOptions, serve};

use super::{PRODUCTION, TestEdge};

/// Serves as the environment says; does nothing when this program was not started as a front door.
pub async fn serve_if_asked() {
    let Ok(state) = std::env::var("EDGE_STATE") else { return };
    let value = |name: &str| std::env::var(name).unwrap();
    let mut options = EdgeOptions::new(state, value("EDGE_WORKER").split('\n').map(Into::into).collect());
    options.lease = Duration::from_millis(value("EDGE_LEASE_MS").parse().unwrap());
    let environment = EnvironmentOptions::new(value("EDGE_LISTEN").parse().unwrap(), value("EDGE_LOG"));
    options.environments.insert(PRODUCTION.into(), environment);
    serve(options).await.unwrap();
}

/// Starts one; the test program must have a test `edge_process` that calls [`serve_if_asked`].
pub async fn spawn(edge: &TestEdge) -> Child {
    let options = &edge.options;
    let worker: Vec<&str> = options.worker.iter().map(|word| word.to_str().unwrap()).collect();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["edge_process", "--exact", "--nocapture"])
        .env("EDGE_STATE", &options.state)
        .env("EDGE_WORKER", worker.join("\n"))
        .env("EDGE_LEASE_MS", options.lease.as_millis().to_string())
        .env("EDGE_LISTEN", edge.address.to_string())
        .env("EDGE_LOG", &options.environments[PRODUCTION].log)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    edge.until_open().await;
    child
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
