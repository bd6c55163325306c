//! The front door beside nginx and HAProxy, in the same run: processor time, requests per second, latency; and how soon a
//! run of the product takes a release back that fails under load; and whether any request fails while releases come and go.

mod changes;
mod load;
mod release;
mod rivals;
mod rollback;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use autodevops_edge::{Client, EdgeOptions, EnvironmentOptions, RunSpec, Start};
use autodevops_model::{Release, Split};

use self::load::{Load, Seen};
use crate::{
    process::Server,
    report::{Report, Target, median},
};

/// In which of its parts this program was started again; see [`role`].
const ROLE: &str = "AUTODEVOPS_BENCH_ROLE";
const PRODUCTION: &str = "production";
/// How often each takes its turn, and for how long.
const ROUNDS: usize = 5;
const TURN: Duration = Duration::from_secs(2);
/// The longest that a server may take to answer.
const READY: Duration = Duration::from_secs(20);

/// Plays the part that this program was started again for; false when it was not.
///
/// # Errors
/// When the part cannot be played.
pub fn role() -> Result<bool> {
    match std::env::var(ROLE).as_deref() {
        Ok("edge") => edge_process()?,
        Ok(role) => match release::Kind::of(role) {
            Some(kind) => release::serve(kind)?,
            None => return Ok(false),
        },
        Err(_) => return Ok(false),
    }
    Ok(true)
}

/// The front door's process: state folder, address and the releases' role are its arguments.
fn edge_process() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (state, listen) = (arguments.next().context("a state folder")?, arguments.next().context("an address")?);
    let mut options = EdgeOptions::new(&state, release::command(&arguments.next().context("a role")?)?);
    let environment = EnvironmentOptions::new(listen.parse()?, Path::new(&state).join("production.log"));
    options.environments.insert(PRODUCTION.to_owned(), environment);
    // As `autodevops edge` has it: its lanes carry the requests, and beside them are as many threads as there are processors.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(autodevops_edge::serve(options))?;
    Ok(())
}

/// A front door in a process of its own.
struct Edge {
    server: Server,
    client: Client,
    address: SocketAddr,
    folder: PathBuf,
}

impl Edge {
    async fn start(folder: &Path, releases: release::Kind) -> Result<Self> {
        let (state, address) = (folder.join("edge"), free_address()?);
        let mut command = Command::new(std::env::current_exe()?);
        command.env(ROLE, "edge").arg(&state).arg(address.to_string()).arg(releases.role());
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let server = Server(command.spawn()?);
        let client = Client::new(&state);
        client.until_open(READY).await.map_err(|error| anyhow::anyhow!("{error}"))?;
        Ok(Self { server, client, address, folder: folder.to_owned() })
    }

    /// Starts a release; the folder that it serves.
    async fn release(&self, id: &str) -> Result<PathBuf> {
        let root = self.folder.join(id);
        std::fs::create_dir_all(&root)?;
        let release = Release { id: id.to_owned(), artifact: String::new(), commit: String::new() };
        let run = RunSpec::Files { public: ".".to_owned() };
        let (environment, key) = (PRODUCTION.to_owned(), format!("start {id}"));
        let start = Start { environment, key, fence: 1, release, root: root.clone(), run };
        self.client.start(start).await.map_err(|error| anyhow::anyhow!("{error}"))?;
        Ok(root)
    }

    async fn split(&self, key: &str, shares: &[(&str, u8)]) -> Result<()> {
        let split = |(release, percent): &(&str, u8)| Split { release: (*release).to_owned(), percent: *percent };
        let splits = shares.iter().map(split).collect();
        let set = self.client.set_traffic(PRODUCTION, key, 1, splits).await;
        set.map(drop).map_err(|error| anyhow::anyhow!("{error}"))
    }

    /// Drains and stops a release.
    async fn stop(&self, id: &str) -> Result<()> {
        let stopped = self.client.stop(PRODUCTION, &format!("stop {id}"), 1, id).await;
        stopped.map_err(|error| anyhow::anyhow!("{error}"))
    }
}

fn free_address() -> Result<SocketAddr> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// What one of them showed, over the rounds.
#[derive(Default)]
struct Shown {
    microseconds: Vec<f64>,
    per_second: Vec<f64>,
    p99_milliseconds: Vec<f64>,
}

impl Shown {
    fn add(&mut self, seen: &Seen, processor: Duration) {
        self.microseconds.push(processor.as_secs_f64() * 1e6 / seen.requests() as f64);
        self.per_second.push(seen.requests() as f64 / seen.took.as_secs_f64());
        self.p99_milliseconds.push(seen.percentile(0.99).as_secs_f64() * 1e3);
    }
}

/// The names of a server's figures.
struct Names {
    processor: &'static str,
    per_second: &'static str,
    p99: &'static str,
}

macro_rules! names {
    ($name:literal) => {
        Names {
            processor: concat!("edge: processor time per request, ", $name),
            per_second: concat!("edge: requests per second, ", $name),
            p99: concat!("edge: 99th percentile of latency, ", $name),
        }
    };
}

const EDGE: Names = names!("autodevops edge");
const NGINX: Names = names!("nginx");
const HAPROXY: Names = names!("HAProxy");
const RATIO: &str = "edge: processor time per request, autodevops edge / nginx";
const RATIO_TARGET: Option<Target> = Some(Target::AtMost(1.5));

/// All of the front door's figures.
pub async fn measure(report: &mut Report) -> Result<()> {
    if report.wants(RATIO) {
        beside_others(report).await?;
    }
    changes::measure(report).await?;
    rollback::measure(report).await
}

/// The front door and its rivals before the same release, in turns, by the same load.
async fn beside_others(report: &mut Report) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let edge = Edge::start(folder.path(), release::Kind::Cheap).await?;
    edge.release("r-1").await?;
    edge.split("all", &[("r-1", 100)]).await?;
    let socket = folder.path().join("release");
    let _release = Server(release::process(&socket)?.spawn()?);
    let rivals = [(NGINX, rivals::nginx(folder.path(), &socket)?), (HAPROXY, rivals::haproxy(folder.path(), &socket)?)];
    let mut contestants = vec![(EDGE, edge.server, edge.address)];
    let mut absent = Vec::new();
    for (names, rival) in rivals {
        match rival {
            Some((server, address)) => contestants.push((names, server, address)),
            None => absent.push(names),
        }
    }
    let mut shown: Vec<Shown> = contestants.iter().map(|_| Shown::default()).collect();
    for (_, server, address) in &mut contestants {
        let answers = server.wait_until(READY, || std::net::TcpStream::connect(*address).is_ok())?;
        ensure!(answers, "{address} does not answer");
        Load::on(*address).run(TURN / 4).await?;
    }
    for _ in 0..ROUNDS {
        for ((_, server, address), shown) in contestants.iter().zip(&mut shown) {
            let before = server.processor_time()?;
            let seen = Load::on(*address).run(TURN).await?;
            ensure!(seen.failed == 0, "{address}: {} of {} requests failed", seen.failed, seen.requests());
            shown.add(&seen, server.processor_time()?.saturating_sub(before));
        }
    }
    let mut medians = Vec::new();
    for ((names, ..), shown) in contestants.iter().zip(&mut shown) {
        let processor = median(&mut shown.microseconds);
        medians.push(processor);
        report.add(names.processor, processor, "µs", None);
        report.add(names.per_second, median(&mut shown.per_second), "/s", None);
        report.add(names.p99, median(&mut shown.p99_milliseconds), "ms", None);
    }
    for names in &absent {
        report.skip(names.processor, "µs", None, "it is not installed here".to_owned());
    }
    match medians.as_slice() {
        [edge, nginx, ..] if contestants.iter().any(|(names, ..)| names.processor == NGINX.processor) => {
            report.add(RATIO, edge / nginx, "times", RATIO_TARGET);
        }
        _ => report.skip(
            RATIO,
            "times",
            RATIO_TARGET,
            "nginx is not installed here; install the package `nginx`".to_owned(),
        ),
    }
    Ok(())
}
