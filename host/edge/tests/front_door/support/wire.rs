//! A client that says just what it is told to, byte by byte, on one connection.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Wire {
    stream: TcpStream,
    read: Vec<u8>,
}

/// An answer with a length.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Wire {
    pub async fn to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, read: Vec::new() }
    }

    /// A connection that was upgraded.
    pub async fn upgraded(address: SocketAddr) -> Self {
        let mut wire = Self::to(address).await;
        wire.say(
            "GET /socket HTTP/1.1\r\nhost: shop\r\nconnection: keep-alive, Upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        )
        .await;
        let head = wire.until("\r\n\r\n").await.unwrap().to_lowercase();
        assert!(head.starts_with("http/1.1 101 ") && head.contains("upgrade: websocket"), "{head}");
        assert_eq!(wire.until("hello ").await.unwrap(), "hello ");
        wire
    }

    pub async fn say(&mut self, text: &str) {
        self.try_say(text.as_bytes()).await.unwrap();
    }

    pub async fn try_say(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// Reads up to the end of the first such text; what was read when the connection ended before is the error.
    pub async fn until(&mut self, end: &str) -> Result<String, String> {
        loop {
            if let Some(at) = self.read.windows(end.len()).position(|part| part == end.as_bytes()) {
                let rest = self.read.split_off(at + end.len());
                return Ok(String::from_utf8(std::mem::replace(&mut self.read, rest)).unwrap());
            }
            if !self.more().await {
                return Err(String::from_utf8_lossy(&self.read).into_owned());
            }
        }
    }

    /// Reads one answer; what was read when the connection ended before is the error.
    pub async fn reply(&mut self) -> Result<Reply, String> {
        let head = self.until("\r\n\r\n").await?.to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
        let length: usize = length.parse().unwrap();
        while self.read.len() < length {
            if !self.more().await {
                return Err(format!("{head}{}", String::from_utf8_lossy(&self.read)));
            }
        }
        let rest = self.read.split_off(length);
        let body = String::from_utf8(std::mem::replace(&mut self.read, rest)).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Ok(Reply { status, head, body })
    }

    /// Asks and reads the answer.
    pub async fn ask(&mut self, request: &str) -> Result<Reply, String> {
        self.try_say(request.as_bytes()).await.map_err(|error| error.to_string())?;
        self.reply().await
    }

    /// Waits for the end of the connection; what came up to then.
    pub async fn rest(&mut self) -> String {
        while self.more().await {}
        String::from_utf8_lossy(&std::mem::take(&mut self.read)).into_owned()
    }

    /// Whether more came; a connection that was broken has ended.
    async fn more(&mut self) -> bool {
        let read = tokio::time::timeout(PATIENCE, self.stream.read_buf(&mut self.read)).await;
        read.expect("the connection is silent and does not end").is_ok_and(|count| count > 0)
    }
}
