//! Clients that do everything that clients do, all the time, and note what fails.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use tokio::task::JoinHandle;

use super::{release::until, wire::Wire};

/// What a client does again and again.
#[derive(Clone, Copy, Debug)]
enum Habit {
    /// Asks on a connection that it keeps.
    Keep,
    /// Sends a body in parts on a connection that it keeps, and reads it back.
    Upload,
    /// Connects anew for each request.
    Anew,
    /// Opens a connection that is upgraded, and says something there.
    Socket,
}

impl Habit {
    const ALL: [Self; 4] = [Self::Keep, Self::Upload, Self::Anew, Self::Socket];

    /// Does it once; what went wrong.
    async fn once(self, address: SocketAddr, kept: &mut Option<Wire>, client: u64) -> Result<(), String> {
        let cookie = format!("cookie: autodevops-client={:016x}", client.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut wire = match kept.take() {
            Some(wire) => wire,
            None => Wire::to(address).await,
        };
        let mut is_last = false;
        match self {
            Self::Keep | Self::Anew => {
                let close = if matches!(self, Self::Anew) { "connection: close\r\n" } else { "" };
                let reply = wire.ask(&format!("GET / HTTP/1.1\r\nhost: shop\r\n{cookie}\r\n{close}\r\n")).await?;
                is_last = reply.head.contains("connection: close");
                if reply.status != 200 || !reply.body.starts_with("r-") {
                    return Err(format!("{reply:?}"));
                }
            }
            Self::Upload => {
                let head =
                    format!("POST /count HTTP/1.1\r\nhost: shop\r\n{cookie}\r\ntransfer-encoding: chunked\r\n\r\n");
                wire.try_say(head.as_bytes()).await.map_err(|error| error.to_string())?;
                let part = format!("2000\r\n{}\r\n", "x".repeat(0x2000));
                for _ in 0..4 {
                    wire.try_say(part.as_bytes()).await.map_err(|error| error.to_string())?;
                }
                let reply = wire.ask("0\r\n\r\n").await?;
                is_last = reply.head.contains("connection: close");
                if (reply.status, reply.body.as_str()) != (200, "32768") {
                    return Err(format!("{reply:?}"));
                }
            }
            Self::Socket => {
                let mut wire = Wire::upgraded(address).await;
                for text in ["one.", "two."] {
                    wire.try_say(text.as_bytes()).await.map_err(|error| error.to_string())?;
                    if wire.until(text).await? != text {
                        return Err("it said something else".to_owned());
                    }
                }
            }
        }
        // A server may say that it closes the connection, and is believed.
        if matches!(self, Self::Keep | Self::Upload) && !is_last {
            *kept = Some(wire);
        }
        Ok(())
    }
}

/// A client of each habit, under way.
pub struct Clients {
    ended: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    clients: Vec<JoinHandle<(u64, Vec<String>)>>,
}

impl Clients {
    pub fn begin(address: SocketAddr) -> Self {
        let (ended, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let client = |habit: Habit| {
            let (ended, sent) = (Arc::clone(&ended), Arc::clone(&sent));
            tokio::spawn(async move {
                let (mut kept, mut failed, mut own) = (None, Vec::new(), 0);
                while !ended.load(Ordering::Relaxed) {
                    let client = sent.fetch_add(1, Ordering::Relaxed);
                    if let Err(error) = habit.once(address, &mut kept, client).await {
                        failed.push(format!("{habit:?}: {error}"));
                    }
                    own += 1;
                }
                (own, failed)
            })
        };
        let clients = Habit::ALL.into_iter().map(client).collect();
        Self { ended, sent, clients }
    }

    /// Waits until so many more requests were begun.
    pub async fn go_on(&self, count: u64) {
        let seen = self.sent.load(Ordering::Relaxed);
        until(|| self.sent.load(Ordering::Relaxed) >= seen + count).await;
    }

    /// Ends them; nothing failed.
    pub async fn end(self) {
        self.ended.store(true, Ordering::Relaxed);
        for client in self.clients {
            let (own, failed) = client.await.unwrap();
            assert_eq!(failed, Vec::<String>::new());
            assert!(own >= 10, "only {own}");
        }
    }
}
