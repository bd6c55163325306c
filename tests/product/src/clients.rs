//! Generated traffic inside of the test's process.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use autodevops_load::{Plan, Report, Running, start};
use tokio::runtime::{Builder, Runtime};

/// Requests a second. The smallest step has one in twenty of them.
const RATE: u32 = 200;

/// Clients that come until they are sent home.
pub struct Clients {
    runtime: Runtime,
    running: Running,
}

impl Clients {
    /// They come to this port of 127.0.0.1.
    pub fn start(port: u16) -> Self {
        Self::at_rate(port, RATE)
    }

    /// They send so many requests a second, whether or not those before were answered: where a machine serves fewer, what comes later waits
    /// for what came before, and after [`Plan::timeout`] that looks as if nobody answered.
    pub fn at_rate(port: u16, rate: u32) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let mut plan = Plan::new(format!("127.0.0.1:{port}"));
        plan.rate = rate;
        plan.duration = Duration::from_secs(300);
        let running = {
            let _inside = runtime.enter();
            start(plan)
        };
        Self { runtime, running }
    }

    /// Sends them home; what they saw.
    pub fn stop(self) -> Report {
        self.runtime.block_on(self.running.stop()).unwrap()
    }
}

/// The whole answer to a GET request of a client without cookies.
pub fn get(port: u16, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(1 << 20).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
