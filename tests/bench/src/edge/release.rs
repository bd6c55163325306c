//! What stands behind the front door: this program, started again. One release costs little, so that what stands before it is measured;
//! the other answers clients of every habit.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result};
use autodevops_load::site;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::ROLE;

/// The [`ROLE`] of a release.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Costs little.
    Cheap,
    /// Answers clients of every habit.
    Whole,
}

impl Kind {
    pub const fn role(self) -> &'static str {
        match self {
            Self::Cheap => "cheap-release",
            Self::Whole => "whole-release",
        }
    }

    /// The one of that role.
    pub fn of(role: &str) -> Option<Self> {
        [Self::Cheap, Self::Whole].into_iter().find(|kind| kind.role() == role)
    }
}

/// Bytes of an answer's body.
const BODY_BYTES: usize = 1024;

/// The command that the front door starts with a release's options.
pub fn command(role: &str) -> Result<Vec<OsString>> {
    // This process plays a part itself, which its children would inherit.
    Ok(vec!["/usr/bin/env".into(), format!("{ROLE}={role}").into(), std::env::current_exe()?.into()])
}

/// A release that costs little and serves on a socket, on its own.
pub fn process(socket: &Path) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .env(ROLE, Kind::Cheap.role())
        .arg("--root")
        .arg("/nowhere")
        .arg("--socket")
        .arg(socket)
        .stdin(Stdio::null());
    Ok(command)
}

/// Serves as the arguments say.
pub fn serve(kind: Kind) -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let value = |name: &str| arguments.windows(2).find(|pair| pair[0] == name).map(|pair| PathBuf::from(&pair[1]));
    let socket = value("--socket").context("--socket")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::UnixListener::bind(socket)?;
        match kind {
            Kind::Cheap => serve_cheaply(listener).await,
            Kind::Whole => {
                let root = value("--root").context("--root")?;
                let name = root.file_name().and_then(|name| name.to_str()).context("a root with a name")?;
                Ok(site::serve(listener, name.to_owned().leak()).await?)
            }
        }
    })
}

async fn serve_cheaply(listener: tokio::net::UnixListener) -> Result<()> {
    let answer = answer();
    loop {
        let (mut stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            let mut read = Vec::new();
            while let Ok(1..) = stream.read_buf(&mut read).await {
                // Requests have no body, and the next comes after the answer.
                if read.ends_with(b"\r\n\r\n") {
                    read.clear();
                    if stream.write_all(answer).await.is_err() {
                        return;
                    }
                }
            }
        });
    }
}

fn answer() -> &'static [u8] {
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {BODY_BYTES}\r\ndate: Mon, 02 Mar 2026 08:00:00 \
         GMT\r\ncache-control: no-store\r\n\r\n{}",
        "x".repeat(BODY_BYTES)
    );
    answer.into_bytes().leak()
}
