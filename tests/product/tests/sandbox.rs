//! A plugin that misbehaves fails in the way that is named, and harms no other call.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{
    fs,
    sync::{Arc, Mutex},
    time::Duration,
};

use autodevops_model::CheckInput;
use autodevops_policy::{Access, Bytes, Grant, Preopen, Span};
use autodevops_product_tests::Probe;
use autodevops_sandbox::{CallContext, CallFailure, CallReport, Observer};

/// What was told of calls.
#[derive(Default)]
struct Reports(Mutex<Vec<CallReport>>);

impl Observer for Reports {
    fn finished(&self, report: CallReport) {
        self.0.lock().unwrap().push(report);
    }
}

/// A check of nothing.
fn nothing() -> CheckInput {
    CheckInput { changed: vec![], tests: vec![], fix: None, issue: None, url: None }
}

#[tokio::test]
async fn a_panic_is_a_trap_with_its_message() {
    let error = Probe::new().fail("panic", "because").await;
    assert!(matches!(error.failure, CallFailure::Trap(_)), "{error}");
    assert!(error.to_string().contains("the probe was told to panic: because"), "{error}");
}

#[tokio::test]
async fn the_last_words_are_kept_and_cannot_move_the_cursor() {
    let error = Probe::new().fail("stderr", "").await;
    assert!(error.stderr.contains("first words") && error.stderr.contains("\\u{1b}[2Jlast words"), "{error}");
}

#[tokio::test]
async fn a_refusal_is_the_plugins_own_error_with_its_details() {
    let error = Probe::new().fail("refuse", "x").await;
    assert_eq!(error.to_string(), "plugin `probe` (check) invalid input: the probe refuses (argument: x)");
}

#[tokio::test]
async fn an_endless_loop_runs_out_of_time() {
    let probe = Probe::new().with_limits(|limits| limits.wall_time = Span(Duration::from_millis(100)));
    let error = probe.fail("loop", "").await;
    assert_eq!(error.failure, CallFailure::OutOfTime(Span(Duration::from_millis(100))));
}

#[tokio::test(flavor = "current_thread")]
async fn endless_loops_do_not_keep_others_from_running() {
    let probe = Probe::new();
    let looping = probe.plugin("loop", "");
    let context = CallContext::default();
    let (honest, endless) = tokio::join!(probe.call("answer", ""), looping.check(&context, nothing()));
    assert!(honest.is_ok());
    assert!(matches!(endless.unwrap_err().failure, CallFailure::OutOfTime(_)));
}

#[tokio::test]
async fn a_sleep_beyond_the_deadline_runs_out_of_time() {
    let mut probe = Probe::new().with_limits(|limits| limits.wall_time = Span(Duration::from_millis(100)));
    probe.grant = Grant { clocks: true, ..Grant::default() };
    let error = probe.fail("sleep", "").await;
    assert!(matches!(error.failure, CallFailure::OutOfTime(_)), "{error}");
}

#[tokio::test]
async fn a_sleep_without_the_clock_is_denied_with_the_remedy() {
    let error = Probe::new().fail("sleep", "").await;
    assert!(matches!(error.failure, CallFailure::Denied(_)), "{error}");
    assert!(error.to_string().contains("[plugins.probe.grant] clocks = true"), "{error}");
}

#[tokio::test]
async fn memory_without_end_runs_out_of_memory() {
    let error = Probe::new().fail("allocate", "").await;
    assert_eq!(error.failure, CallFailure::OutOfMemory(Bytes(64 << 20)), "{error}");
}

#[tokio::test]
async fn endless_recursion_traps() {
    let error = Probe::new().fail("recurse", "").await;
    assert!(matches!(error.failure, CallFailure::Trap(_)), "{error}");
}

#[tokio::test]
async fn a_plugin_that_ends_itself_traps() {
    let error = Probe::new().fail("exit", "").await;
    assert!(error.to_string().contains("it ended itself with exit code 1"), "{error}");
    assert!(matches!(Probe::new().fail("abort", "").await.failure, CallFailure::Trap(_)));
}

#[tokio::test]
async fn a_hundred_megabytes_of_output_go_over_the_limit() {
    let probe = Probe::new().with_limits(|limits| limits.memory = Bytes(512 << 20));
    let error = probe.fail("output", "").await;
    assert!(error.to_string().contains("its limit of 1 MiB of output; raise `limits.output`"), "{error}");
    // With the one limit raised it does not fail.
    let probe = Probe::new().with_limits(|limits| {
        limits.memory = Bytes(512 << 20);
        limits.output = Bytes(200 << 20);
        limits.string_length = Bytes(200 << 20);
        limits.wall_time = Span(Duration::from_secs(30));
    });
    assert_eq!(probe.call("output", "").await.unwrap().summary.len(), 100 << 20);
}

#[tokio::test]
async fn log_lines_beyond_the_limit_are_dropped_and_the_call_goes_on() {
    let told = Arc::new(Reports::default());
    let context = CallContext { observer: Some(told.clone()), ..CallContext::default() };
    for (lines, expected) in [(10, vec![(true, 10), (false, 990)]), (1000, vec![(true, 1000)])] {
        let probe = Probe::new().with_limits(|limits| {
            (limits.host_calls, limits.log_lines, limits.log_bytes) = (10_000, lines, Bytes(1 << 20));
        });
        probe.plugin("log", "").check(&context, nothing()).await.unwrap();
        let report = told.0.lock().unwrap().pop().unwrap();
        let logged = report.records.iter().filter(|record| record.operation == "log");
        assert_eq!(logged.map(|record| (record.allowed, record.count)).collect::<Vec<_>>(), expected);
    }
}

#[tokio::test]
async fn host_calls_beyond_the_limit_end_the_call() {
    let folder = tempfile::tempdir().unwrap();
    let mut probe = Probe::new();
    probe.grant = data(folder.path(), Access::ReadOnly);
    let error = probe.fail("open-often", "/data/x").await;
    assert!(error.to_string().contains("its limit of 1000 host calls"), "{error}");
    let mut probe = Probe::new().with_limits(|limits| limits.host_calls = 100_000);
    probe.grant = data(folder.path(), Access::ReadOnly);
    assert!(probe.call("open-often", "/data/x").await.is_ok());
}

#[tokio::test]
async fn there_is_no_environment() {
    assert_eq!(Probe::new().call("environment", "").await.unwrap().summary, "0 0");
}

#[tokio::test]
async fn the_clock_stands_still_until_it_is_granted() {
    let mut probe = Probe::new();
    assert_eq!(probe.call("clock", "").await.unwrap().summary, "0");
    probe.grant.clocks = true;
    assert!(probe.call("clock", "").await.unwrap().summary.parse::<u64>().unwrap() > 1_700_000_000);
}

#[tokio::test]
async fn chance_repeats_until_it_is_granted() {
    let mut probe = Probe::new();
    let first = probe.call("random", "").await.unwrap().summary;
    assert_eq!(probe.call("random", "").await.unwrap().summary, first);
    probe.grant.random = true;
    assert_ne!(probe.call("random", "").await.unwrap().summary, first);
}

#[tokio::test]
async fn there_are_no_sockets() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let summary = Probe::new().call("connect", &address).await.unwrap().summary;
    assert_ne!(summary, "connected");
}

fn data(folder: &std::path::Path, access: Access) -> Grant {
    let preopen = Preopen { host: Some(folder.to_owned()), access };
    Grant { files: [("/data".to_owned(), preopen)].into(), ..Grant::default() }
}

#[tokio::test]
async fn files_are_read_and_written_as_granted() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a"), "text").unwrap();
    let mut probe = Probe::new();
    assert!(probe.call("read", "/data/a").await.is_err(), "not granted");
    probe.grant = data(folder.path(), Access::ReadOnly);
    assert_eq!(probe.call("read", "/data/a").await.unwrap().summary, "text");
    assert!(probe.call("write", "/data/b").await.is_err(), "read-only");
    assert!(!folder.path().join("b").exists());
    probe.grant = data(folder.path(), Access::ReadWrite);
    probe.call("write", "/data/b").await.unwrap();
    assert_eq!(fs::read_to_string(folder.path().join("b")).unwrap(), "written");
}

#[tokio::test]
async fn no_path_leads_out_of_a_granted_folder() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("data");
    fs::create_dir(&folder).unwrap();
    fs::write(root.path().join("secret"), "secret").unwrap();
    std::os::unix::fs::symlink(root.path().join("secret"), folder.join("absolute")).unwrap();
    std::os::unix::fs::symlink("../secret", folder.join("relative")).unwrap();
    let mut probe = Probe::new();
    probe.grant = data(&folder, Access::ReadWrite);
    for path in [
        "/data/../secret",
        "/data/absolute",
        "/data/relative",
        "/secret",
        "/etc/passwd",
        "/data/./../../secret",
        "/proc/self/environ",
    ] {
        assert!(probe.call("read", path).await.is_err(), "{path}");
    }
}
