//! Clients that ask as soon as they were answered, each on a connection that it keeps.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Clients at a time.
const CLIENTS: u64 = 32;

/// Where it is asked.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    address: SocketAddr,
}

/// What the clients saw.
#[derive(Debug)]
pub struct Seen {
    /// How long each answer took.
    pub latencies: Vec<Duration>,
    /// Questions without an answer.
    pub failed: usize,
    pub took: Duration,
}

impl Seen {
    pub fn requests(&self) -> usize {
        self.latencies.len()
    }

    /// The latency that a share of the answers had at most.
    pub fn percentile(&self, share: f64) -> Duration {
        let mut latencies = self.latencies.clone();
        latencies.sort_unstable();
        let index = (latencies.len() as f64 * share) as usize;
        latencies.get(index.min(latencies.len().saturating_sub(1))).copied().unwrap_or_default()
    }
}

impl Load {
    /// As much as is answered, from clients that stay who they are.
    pub const fn on(address: SocketAddr) -> Self {
        Self { address }
    }

    /// Asks for so long, on a thread of its own.
    pub async fn run(self, length: Duration) -> Result<Seen> {
        let all = move || -> Result<Seen> {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async move {
                let (begun, mut clients) = (Instant::now(), tokio::task::JoinSet::new());
                for number in 0..CLIENTS {
                    clients.spawn(self.client(number, begun + length));
                }
                let mut seen = Seen { latencies: Vec::new(), failed: 0, took: Duration::ZERO };
                while let Some(client) = clients.join_next().await {
                    let (latencies, failed) = client?;
                    seen.latencies.extend(latencies);
                    seen.failed += failed;
                }
                seen.took = begun.elapsed();
                Ok(seen)
            })
        };
        tokio::task::spawn_blocking(all).await?
    }

    async fn client(self, number: u64, until: Instant) -> (Vec<Duration>, usize) {
        let (mut latencies, mut failed) = (Vec::new(), 0);
        let (mut stream, mut read) = (None, Vec::with_capacity(8192));
        while Instant::now() < until {
            let asked = Instant::now();
            match self.ask(&mut stream, &mut read, number).await {
                Ok(()) => latencies.push(asked.elapsed()),
                Err(_) => {
                    failed += 1;
                    stream = None;
                }
            }
        }
        (latencies, failed)
    }

    /// Asks once.
    async fn ask(&self, stream: &mut Option<TcpStream>, read: &mut Vec<u8>, id: u64) -> Result<()> {
        let stream = match stream {
            Some(stream) => stream,
            None => {
                let new = TcpStream::connect(self.address).await?;
                new.set_nodelay(true)?;
                stream.insert(new)
            }
        };
        let id = id.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let request = format!(
            "GET /orders/list?page=2 HTTP/1.1\r\nhost: shop.example\r\nuser-agent: bench\r\naccept: */*\r\naccept-encoding: gzip, \
             br\r\naccept-language: en\r\ncookie: cart=7; autodevops-client={id:016x}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        read.clear();
        let end = loop {
            anyhow::ensure!(stream.read_buf(read).await? > 0, "the connection ended");
            if let Some(end) = read.windows(4).position(|part| part == b"\r\n\r\n") {
                break end + 4;
            }
        };
        let head = read.get(..end).and_then(|head| std::str::from_utf8(head).ok()).context("a head")?;
        let mut lines = head.split("\r\n");
        let status = lines.next().context("a status")?;
        anyhow::ensure!(status.contains(" 200"), "{status}");
        let length = lines.find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
        });
        let whole = end + length.context("a length")?;
        while read.len() < whole {
            anyhow::ensure!(stream.read_buf(read).await? > 0, "the connection ended");
        }
        Ok(())
    }
}
