//! The front door's process.

use tokio::signal::unix::{SignalKind, signal};

use crate::{EdgeError, EdgeOptions, lock::Lock};

/// Serves until the process is told to end, by SIGTERM, SIGINT or [`Client::shutdown`](crate::Client::shutdown).
///
/// # Errors
/// When the state folder is served already or cannot be used, or an address cannot be listened on; nothing was changed then.
pub async fn serve(options: EdgeOptions) -> Result<(), EdgeError> {
    std::fs::create_dir_all(&options.state).map_err(EdgeError::file(&options.state))?;
    let _lock = Lock::take(&options.state)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(EdgeError::file(&options.state))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(EdgeError::file(&options.state))?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
