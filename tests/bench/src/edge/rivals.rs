//! nginx and HAProxy as reverse proxies before the same release, set up as for production: connections kept on both
//! sides, the usual headers added, nothing logged.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::Result;

use super::free_address;
use crate::process::Server;

/// Connections to the release that each keeps.
const KEPT: usize = 64;

/// nginx, where it is installed.
pub fn nginx(folder: &Path, release: &Path) -> Result<Option<(Server, SocketAddr)>> {
    let Some(program) = find("nginx") else { return Ok(None) };
    let (address, at) = (free_address()?, folder.join("nginx"));
    fs::create_dir_all(&at)?;
    let user = if rustix::process::geteuid().is_root() { "user root;" } else { "" };
    let (at, release, processors) = (at.display(), release.display(), processors());
    let config = format!(
        "{user}\ndaemon off;\nworker_processes {processors};\npid {at}/pid;\nerror_log {at}/error.log;\n\
         events {{ worker_connections 4096; }}\n\
         http {{\n\
         access_log off;\nkeepalive_requests 100000000;\nclient_body_temp_path {at}/body;\nproxy_temp_path {at}/proxy;\n\
         fastcgi_temp_path {at}/fastcgi;\nuwsgi_temp_path {at}/uwsgi;\nscgi_temp_path {at}/scgi;\n\
         upstream release {{ server unix:{release}; keepalive {KEPT}; keepalive_requests 100000000; }}\n\
         server {{\nlisten {address};\nlocation / {{\n\
         proxy_pass http://release;\nproxy_http_version 1.1;\nproxy_set_header Connection \"\";\nproxy_set_header Host \
         $http_host;\n\
         proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\nproxy_set_header X-Forwarded-Host $http_host;\n\
         proxy_set_header X-Forwarded-Proto $scheme;\nadd_header X-Release r-1;\n}}\n}}\n}}\n"
    );
    let file = folder.join("nginx.conf");
    fs::write(&file, config)?;
    let mut command = Command::new(program);
    command.arg("-c").arg(&file).arg("-e").arg(folder.join("nginx.err"));
    Ok(Some((start(command)?, address)))
}

/// HAProxy, where it is installed.
pub fn haproxy(folder: &Path, release: &Path) -> Result<Option<(Server, SocketAddr)>> {
    let Some(program) = find("haproxy") else { return Ok(None) };
    let (address, release, processors) = (free_address()?, release.display(), processors());
    let config = format!(
        "global\n maxconn 4096\n nbthread {processors}\n\
         defaults\n mode http\n timeout connect 5s\n timeout client 60s\n timeout server 60s\n option http-keep-alive\n \
         option forwardfor\n http-reuse always\n\
         frontend front\n bind {address}\n http-request set-header X-Forwarded-Host %[req.hdr(Host)]\n http-request \
         set-header X-Forwarded-Proto http\n http-response set-header X-Release r-1\n default_backend back\n\
         backend back\n server release unix@{release} pool-max-conn {KEPT}\n"
    );
    let file = folder.join("haproxy.cfg");
    fs::write(&file, config)?;
    let mut command = Command::new(program);
    command.arg("-q").arg("-db").arg("-f").arg(&file);
    Ok(Some((start(command)?, address)))
}

fn start(mut command: Command) -> Result<Server> {
    Ok(Server(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?))
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// A program on the path, or where a system keeps its servers.
fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    folders.map(|folder| folder.join(name)).find(|program| program.is_file())
}
