//! Serves one release on a Unix socket: static files, and JavaScript functions of the `onRequest` shape, each request in a
//! fresh instance of the sandboxed engine.
//!
//! The first segment of a path names a function when the release exports one of that name, as on Cloud Functions; anything else
//! is a file below the public folder. What a function writes to its console, and what it throws, goes to this process's
//! standard output and error, in the form that Node gives it.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod files;
mod functions;
mod modules;
mod server;

use std::path::PathBuf;

use autodevops_policy::Limits;
use autodevops_sandbox::Compiler;

pub use server::serve;

/// Header of an answer that the application's own error made.
pub const ERROR_HEADER: &str = "x-autodevops-error";

/// What is served, and where.
#[derive(Clone, Debug)]
pub struct WorkerOptions {
    /// The release's files.
    pub root: PathBuf,
    /// Folder of static files, below the root.
    pub public: Option<String>,
    /// The module that exports the functions, below the root.
    pub functions: Option<String>,
    /// The socket that is served.
    pub socket: PathBuf,
    /// The engine's component; needed when there are functions.
    pub engine: Option<PathBuf>,
    /// Folder of compiled components.
    pub cache: Option<PathBuf>,
    /// Where the engine's component is compiled, if it is not there.
    pub compiler: Compiler,
    /// What one request may use.
    pub limits: Limits,
}

/// Why a release is not served.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// A file cannot be read or made.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A module of the functions cannot be used.
    #[error("{path}: {reason}")]
    Module {
        /// The module, relative to the release's root.
        path: String,
        /// Why, and what to do.
        reason: String,
    },
    /// The functions' module throws when it is loaded.
    #[error("the functions cannot be loaded: {0}")]
    Load(String),
    /// There is no engine.
    #[error("there is no JavaScript engine; build it with `cargo xtask plugins`, or name it in AUTODEVOPS_PLUGINS")]
    NoEngine,
    /// The sandbox does not start or does not take the engine.
    #[error("{0}")]
    Sandbox(String),
}

pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> WorkerError {
    let path = path.into();
    move |source| WorkerError::File { path, source }
}
