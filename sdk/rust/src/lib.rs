//! Write AutoDevOps plugins in Rust: one trait for each stage, plain types, one macro to export.
//!
//! A plugin is a WebAssembly component, built for `wasm32-wasip2` from a library crate with `crate-type = ["cdylib"]`. It
//! runs in a sandbox, in a fresh instance for every call, with nothing but what its `plugin.toml` asked for and the
//! operator granted. Files come by `std::fs` (the manifest's preopens), time and randomness by `std`, logging by the `log`
//! crate or, with the feature `tracing`, by that crate (debug and above is sent), configuration by [`config`], requests
//! by [`http`], what is to be kept by [`keyvalue`].
//!
//! # The smallest analyzer
//!
#![doc = "```"]
#![doc = include_str!("../examples/smallest_analyzer.rs")]
#![doc = "```"]
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
#[cfg(feature = "tracing")]
pub mod tracing;
pub mod types;

/// The local target's front door and its processes, for deploy targets that were granted them.
pub mod local {
    pub use crate::bindings::deploy_target::autodevops::host::{runtime, traffic};
}

/// What a call uses that the host cannot see. A plugin that speaks with a language model tells of each answer's tokens, as in
/// `usage::tokens(answer.usage.total_tokens)`: the operator's cap (`[loop] tokens-a-day`) counts them.
pub mod usage {
    pub use crate::bindings::base::autodevops::host::usage::tokens;
}

/// The operator's commands, for state guards that were granted them by name.
pub mod command {
    pub use crate::bindings::state_guard::autodevops::host::command::{Completed, run};
}

/// Mail through the operator's server, for notifiers that were granted people to write to.
pub mod mail {
    pub use crate::bindings::notifier::autodevops::host::mail::{Message, send};
}

/// The README's example.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;

pub use config::{config, decode, encode};
pub use error::{Error, Result};
pub use stages::{Analyzer, Check, DeployTarget, FixGenerator, HealthCheck, Notifier, StateGuard, TestGenerator};
