//! Runs plugins: one engine, a component compiled once, a fresh instance for every call, and nothing by default.
//!
//! ```text
//! Sandbox::new ── Plugin::load(component, grant) ──> Plugin ── propose / check / measure / … ──> Result<_, CallError>
//!   one engine     compile or cache, link      pre-linked     Store + instance, made for the call and dropped after it
//!   one ticker     refuse unknown imports      stages()       deadline, memory, output, log and host calls limited
//! ```
//!
//! Every interface that the host offers is linked always, and decided about when it is called: each acquisition (a file
//! opened, a clock read, a request sent) asks the call's authority, which decides, counts, records
//! and traces. What works on what was acquired before is counted there too.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod activations;
mod authority;
mod bindings;
mod budget;
mod cache;
mod call;
mod clock;
mod command;
mod compile;
mod credentials;
mod engine;
mod engines;
mod failure;
mod from_plugin;
mod guarded;
mod guest;
mod http;
mod keyvalue;
mod ledger;
mod local;
mod logging;
mod mail;
mod measure;
mod outcome;
mod permits;
mod plugin;
mod quota;
mod refusal;
pub mod replay;
mod report;
mod script;
mod session;
mod shape;
mod shares;
mod stages;
mod stderr;
mod summary;
mod ticker;
mod to_plugin;
mod watch;

pub use call::CallContext;
pub use command::{Completed, NotCompleted, OperatorCommands};
pub use compile::{Compiler, compile_child};
pub use credentials::{CredentialSource, Secret};
pub use engine::{Sandbox, SandboxError, SandboxOptions};
pub use failure::{CallError, CallFailure};
pub use guest::MountedFolder;
pub use http::{HttpOptions, Resolver, Scrubber, SystemResolver, Trust};
pub use keyvalue::{Kept, KeyValueStore, NotKept, Write};
pub use local::{LocalTarget, TrafficState};
pub use mail::{Mailer, Message};
pub use plugin::{Interfaces, LoadError, Plugin, PluginSource};
pub use report::{CallReport, HTTP, MAX_SUMMARY_BYTES, Observer, Record};
pub use script::ScriptEngine;
pub use session::AnalyzerSession;
