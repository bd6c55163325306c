//! The front door as a whole: a program of its own, its clients and its releases. One test program, so that all of hyper that it needs
//! is made once.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod change;
mod lifecycle;
mod limits;
mod probe;
mod support;
mod traffic;
mod upgrade;

/// This program as a release, when it is started as one.
#[test]
fn release_process() {
    support::release::serve_if_asked();
}

/// This program as the front door, when it is started as that.
#[tokio::test]
async fn edge_process() {
    support::process::serve_if_asked().await;
}

/// This program as one that is to take over and hangs, when it is started as that.
#[test]
fn hanging_process() {
    support::process::hang_if_asked();
}
