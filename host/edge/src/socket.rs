//! Unix sockets at paths of any length. The system's own limit is 108 bytes, so a socket is addressed through its
//! folder, opened, as `/proc/self/fd/N/name`.

use std::{
    fs::File,
    io,
    os::{fd::AsRawFd, unix::fs::PermissionsExt},
    path::{Path, PathBuf},
};

use tokio::net::{UnixListener, UnixStream};

/// The socket that a front door is told over.
pub fn control(state: &Path) -> PathBuf {
    state.join("edge.sock")
}

/// Connects to a socket.
///
/// # Errors
/// When its folder is not there, or nobody listens.
pub async fn connect(path: &Path) -> io::Result<UnixStream> {
    let (_folder, short) = shorten(path)?;
    UnixStream::connect(short).await
}

/// Listens on a socket that only this user may connect to; what lies at its path is replaced. Must be called on a runtime.
///
/// # Errors
/// When its folder cannot be used.
pub fn listen(path: &Path) -> io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let (_folder, short) = shorten(path)?;
    let listener = UnixListener::bind(&short)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

fn shorten(path: &Path) -> io::Result<(File, PathBuf)> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a socket needs a folder and a name"));
    };
    let folder = File::open(folder)?;
    let short = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())).join(name);
    Ok((folder, short))
}
