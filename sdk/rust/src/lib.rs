//! Write AutoDevOps plugins in Rust: one trait for each stage, plain types, one macro to export.
//!
//! A plugin is a WebAssembly component, built for `wasm32-wasip2` from a library crate with `crate-type = ["cdylib"]`. It
//! runs in a sandbox, in a fresh instance for every call, with nothing but what its `plugin.toml` asked for and the
//! operator granted. Files come by `std::fs` (the manifest's preopens), time and randomness by `std`, logging by the `log`
//! crate, configuration by [`config`], requests by [`http`], what is to be kept by [`keyvalue`].
//!
//! # The smallest analyzer
//!
//! ```
//! use autodevops_sdk::{Analyzer, Result, types::{Issue, IssueKind, Severity}};
//!
//! #[derive(Default)]
//! struct Panics { lines: u64 }
//!
//! impl Analyzer for Panics {
//!     fn restore(checkpoint: &[u8]) -> Result<Self> {
//!         Ok(Self { lines: autodevops_sdk::decode(checkpoint)? })
//!     }
//!     fn push(&mut self, _source: &str, bytes: &[u8]) -> Result<()> {
//!         self.lines += bytes.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"panic:")).count() as u64;
//!         Ok(())
//!     }
//!     fn issues(&mut self) -> Result<Vec<Issue>> {
//!         let issue = Issue::new("panic", IssueKind::Exception, Severity::Critical, "the service panicked");
//!         Ok((self.lines > 0).then(|| Issue { count: self.lines, ..issue }).into_iter().collect())
//!     }
//!     fn checkpoint(&mut self) -> Result<Vec<u8>> {
//!         autodevops_sdk::encode(&self.lines)
//!     }
//! }
//!
//! autodevops_sdk::export!(analyzer: Panics);
//! # fn main() {}
//! ```
//!
//! Every other stage is shorter: see [`FixGenerator`], [`TestGenerator`], [`Check`], [`DeployTarget`], [`HealthCheck`],
//! [`Notifier`] and [`StateGuard`], each with a complete example.

#[doc(hidden)]
pub mod adapter;
#[doc(hidden)]
pub mod bindings;
mod config;
mod error;
mod export;
pub mod http;
pub mod keyvalue;
mod logging;
mod stages;
pub mod types;

/// The local target's front door and its processes, for deploy targets that were granted them.
pub mod local {
    pub use crate::bindings::deploy_target::autodevops::host::{runtime, traffic};
}

pub use config::{config, decode, encode};
pub use error::{Error, Result};
pub use stages::{Analyzer, Check, DeployTarget, FixGenerator, HealthCheck, Notifier, StateGuard, TestGenerator};
