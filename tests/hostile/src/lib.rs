//! Hostile guests: a conformance suite for a host of components.
//!
//! Each [`case`] is a small component that goes against one limit or one permission in one way, with the failure that it must
//! come to. Honest calls go on at the same time, on the same engine, and must all succeed. Each case runs a second time, with
//! its one limit raised or its one permission granted, and must then not fail so: none passes for another reason.
//!
//! `cargo xtask hostile` runs them and prints a table; `--wasm FILE` puts any component through the same limits.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

pub mod any;
mod around;
pub mod bombs;
pub mod call;
pub mod case;
pub mod cases;
pub mod component;
pub mod field;
pub mod log;
pub mod run;
pub mod server;
pub mod stress;
pub mod table;
