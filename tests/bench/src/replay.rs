//! What recording adds to a call, and how fast recorded calls are run again.

use std::{
    fs::File,
    io::{self, Read, Seek},
    sync::{Arc, Mutex, atomic::AtomicU64},
    time::Instant,
};

use anyhow::{Context, Result, ensure};
use autodevops_model::CheckInput;
use autodevops_product_tests::shop::Shop;
use autodevops_sandbox::{
    CallContext,
    replay::{Blank, Header, Recording, Recordings},
};

use crate::{
    place::Place,
    report::{Report, Target, median, microseconds, timed},
};

/// Rounds, in each of which every side has its turn.
const ROUNDS: usize = 20;

/// Calls of one turn.
const CALLS: usize = 50;

/// Host calls of one call, where their cost is measured.
const HOST_CALLS: usize = 10_000;

/// Keeps the last recording, in a file of its own.
#[derive(Default)]
struct Last(Arc<Mutex<Option<File>>>);

impl Last {
    fn take(&self) -> Result<Recording> {
        let file = self.0.lock().ok().and_then(|mut file| file.take());
        let mut file = file.context("the call was not recorded")?;
        let mut bytes = Vec::new();
        file.rewind()?;
        file.read_to_end(&mut bytes)?;
        Ok(Recording::read("the recording", &bytes)?)
    }
}

impl Recordings for Last {
    fn begin(&self, _: &Header) -> io::Result<Option<Blank>> {
        let last = Arc::clone(&self.0);
        Ok(Some(Blank {
            file: tempfile::tempfile()?,
            per_call: 64 << 20,
            left_in_run: Arc::new(AtomicU64::new(u64::MAX)),
            keep: Box::new(move |file, _| {
                *last.lock().map_err(|_| io::Error::other("a thread panicked"))? = Some(file);
                Ok(())
            }),
        }))
    }
}

/// A whole run.
const RUN: &str = "replay of a healed run";

/// What it may take, as a person who waits for it would have it.
const RUN_TARGET: Option<Target> = Some(Target::Under(1.0));

/// How often the run is replayed.
const REPLAYS: usize = 5;

/// The demo's run: the sample shop is healed under traffic, and then all of its plugins' calls are run again, offline.
pub fn whole_run(report: &mut Report) {
    if !report.wants(RUN) {
        return;
    }
    // The set-up is the tests', and says what went wrong as tests do; the other figures are not lost by it.
    match std::panic::catch_unwind(replay_a_healed_run) {
        Ok(mut took) => report.add(RUN, median(&mut took), "s", RUN_TARGET),
        Err(_) => report.skip(RUN, "s", RUN_TARGET, "the shop could not be healed; why is told above".to_owned()),
    }
}

fn replay_a_healed_run() -> Vec<f64> {
    let mut shop = Shop::open_as_shown();
    shop.deploy();
    shop.let_clients_in();
    shop.wait_for_errors();
    shop.expect(0, &["run"]);
    shop.stop_clients();
    shop.expect(0, &["edge", "stop"]);
    let run = shop.last_run()["run"].as_str().unwrap_or_default().to_owned();
    (0..REPLAYS).map(|_| timed(|| shop.expect(0, &["replay", &run])).0.as_secs_f64()).collect()
}

/// A check, recorded and not; its host calls; and its replay.
pub async fn measure(place: &Place, report: &mut Report) -> Result<()> {
    if !report.wants("replay") {
        return Ok(());
    }
    let sandbox = place.sandbox()?;
    let check = place.plugin(&sandbox, "echo-check")?;
    let component = place.plugin_folder("echo-check")?.component;
    let last = Arc::new(Last::default());
    let plain = CallContext { run: "bench".to_owned(), ..CallContext::default() };
    let recorded = CallContext { recordings: Some(Arc::clone(&last) as _), ..plain.clone() };
    let input = |host_calls| CheckInput {
        changed: vec![],
        tests: vec![String::new(); host_calls],
        fix: None,
        issue: None,
        url: None,
    };

    let mut small = [Vec::new(), Vec::new()];
    let mut large = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for (took, context) in small.iter_mut().zip([&plain, &recorded]) {
            for _ in 0..CALLS {
                let begun = Instant::now();
                check.check(context, input(0)).await?;
                took.push(microseconds(begun.elapsed()));
            }
        }
        for (took, context) in large.iter_mut().zip([&plain, &recorded]) {
            let begun = Instant::now();
            check.check(context, input(HOST_CALLS)).await?;
            took.push(microseconds(begun.elapsed()));
        }
        let recording = last.take()?;
        let begun = Instant::now();
        let replay = recording.replay(&sandbox, &component).await?;
        large[2].push(microseconds(begun.elapsed()));
        ensure!(replay.is_same(), "the replay is not the same: {replay:?}");
    }
    let [plain, recorded] = small.each_mut().map(|took| median(took));
    let [host_calls, kept, replayed] = large.each_mut().map(|took| median(took));
    let each = |more: f64| (more - host_calls) * 1000.0 / HOST_CALLS as f64;
    report.add("recorded call / call", recorded / plain, "times", None);
    report.add("recording, each host call", each(kept), "ns", None);
    report.add("replay / call, 10,000 host calls", replayed / host_calls, "times", None);
    Ok(())
}
