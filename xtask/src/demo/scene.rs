//! One scene: a shop is opened, clients come, something breaks, `autodevops run` deals with it, and all is measured.

use std::{
    collections::BTreeMap,
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use super::{
    cli::{Cli, Ending},
    install,
    measure::{Measure, Seen, get},
    processes::{Interrupt, LOOK, end_all_of, until},
    report,
    shop::Shop,
    traffic::Traffic,
};

/// What is played in a scene.
pub struct Script {
    /// The scene's name.
    pub name: &'static str,
    /// What is shown, in a sentence.
    pub title: &'static str,
    /// The plugin that proposes fixes.
    pub generator: &'static str,
    /// Whether it is none of the project's own, and has to be installed.
    pub own_plugin: bool,
    /// How the run is to end.
    pub expected: Ending,
}

/// The longest that production may take to serve.
const START_LIMIT: Duration = Duration::from_secs(30);
/// The longest that it may take until the log shows the fault.
const ERRORS_LIMIT: Duration = Duration::from_secs(30);
/// So many error lines are enough for an analyzer to be sure.
const ERRORS_WANTED: usize = 10;
/// How long clients go on after the run, to see what it left behind.
const AFTERWARDS: Duration = Duration::from_secs(2);
/// How long a request may be under way that was sent before the run ended.
const SETTLE: Duration = Duration::from_millis(500);
/// The share of production's traffic that a release may have had which was caught at 5 %. Clients are sticky and not equally
/// busy, so it is not 5 % to the point; the next step would be 25 %.
const CAUGHT_EARLY: f64 = 0.15;

/// The sequential test, as events name it: it decides with the fewest clients.
const SEQUENTIAL: &str = "sprt";

/// Plays a scene and cleans up after it, whatever happens.
pub fn play(script: &Script, interrupt: &Interrupt, keep: bool) -> Result<report::Scene> {
    eprintln!("\n== {}: {}", script.name, script.title);
    let folder = tempfile::Builder::new().prefix("autodevops-demo-").tempdir().context("no temporary folder")?;
    let result = play_in(folder.path(), script, interrupt);
    // What did not end by itself, or was left by an error.
    end_all_of(folder.path());
    if keep {
        eprintln!("  kept: {}", folder.keep().display());
    } else {
        folder.close().context("the scene's folder cannot be removed")?;
    }
    result
}

fn play_in(folder: &Path, script: &Script, interrupt: &Interrupt) -> Result<report::Scene> {
    let started = Instant::now();
    let shop = Shop::open(folder, script.generator)?;
    if script.own_plugin {
        install(script.generator, &folder.join("plugins").join(script.generator))?;
        shop.allow_hasty_plugin()?;
    }
    shop.grant()?;
    let cli = Cli::new(&shop.folder, interrupt);
    let result = play_shop(&shop, &cli, script, interrupt, started);
    if result.is_err() {
        show_end_of_log(&shop);
    }
    let stopped = cli.stop_edge();
    let scene = result?;
    stopped?;
    Ok(scene)
}

fn play_shop(
    shop: &Shop,
    cli: &Cli<'_>,
    script: &Script,
    interrupt: &Interrupt,
    started: Instant,
) -> Result<report::Scene> {
    cli.deploy()?;
    until("production serves", START_LIMIT, interrupt, || {
        Ok(get(shop.production, "/")
            .is_ok_and(|answer| answer.lines().next().is_some_and(|line| line.contains(" 200"))))
    })?;
    let measure = Measure::start(shop.metrics);
    let traffic = Traffic::start(shop.production)?;
    eprintln!("  production serves at http://127.0.0.1:{}/; clients come", shop.production);
    until("errors appear in production's log", ERRORS_LIMIT, interrupt, || {
        Ok(shop.log().lines().filter(|line| line.contains("Error: ")).count() >= ERRORS_WANTED)
    })?;
    let before = traffic.counts();
    eprintln!("  {} of {} requests failed; the log says why", before.client_errors, before.requests);
    let first: Vec<String> = measure.releases().into_keys().collect();

    let began = Instant::now();
    let ending = cli.run()?;
    let took = began.elapsed();
    pause(SETTLE, interrupt)?;
    let at_end = traffic.counts();
    pause(AFTERWARDS, interrupt)?;
    let report = traffic.stop()?;
    let mut candidates = measure.releases();
    candidates.retain(|release, _| !first.contains(release));

    let mut scene = report::Scene {
        outcome: ending.name(),
        requests: report.total.requests,
        client_errors: report.total.client_errors,
        deploy_errors: report.total.deploy_errors,
        ..report::Scene::failed(script.name)
    };
    if ending != script.expected {
        scene.faults.push(format!("it ended as {}, not {}", ending.name(), script.expected.name()));
        show_end_of_log(shop);
    }
    if report.total.deploy_errors > 0 {
        scene.faults.push(format!("clients saw errors that were not the shop's own: {:?}", report.deploy_error_causes));
    }
    scene.notes.push(format!(
        "the run took {:.1} s; clients waited {:.1} ms (median) and {:.1} ms (99 %) for an answer",
        took.as_secs_f64(),
        report.latency_ms.p50,
        report.latency_ms.p99
    ));
    let (replay, same) = cli.replay()?;
    scene.notes.push(format!("its plugins' calls were replayed, offline, in {:.2} s", replay.as_secs_f64()));
    if !same {
        scene.faults.push("something else came of a call when the run was replayed".to_owned());
    }
    match ending {
        Ending::Healed => {
            let late = report.total.client_errors - at_end.client_errors.min(report.total.client_errors);
            let requests = report.total.requests.saturating_sub(at_end.requests);
            scene.notes.push(format!("after it, {late} of {requests} requests failed"));
            if late > 0 || requests == 0 {
                scene.faults.push(format!("after the run {late} of {requests} requests failed by the shop's own code"));
            }
        }
        Ending::RolledBack => {
            rolled_back(&mut scene, &measure, &candidates, &first);
            let method = cli.failed_by()?;
            if method != SEQUENTIAL {
                scene.faults.push(format!("the release failed by {method}, not by the sequential test"));
            }
        }
        Ending::Failed | Ending::Waiting => {}
    }
    scene.seconds = started.elapsed().as_secs_f64();
    Ok(scene)
}

/// How long and how much clients saw of the release that was taken back.
fn rolled_back(scene: &mut report::Scene, measure: &Measure, candidates: &BTreeMap<String, Seen>, first: &[String]) {
    let served = candidates.values().find_map(|seen| Some((seen, seen.requests?, seen.errors?)));
    let Some((seen, (given, taken), (error, last_error))) = served else {
        scene.faults.push(format!("no client saw an error of a release other than {}", first.join(", ")));
        return;
    };
    let whole = measure.requests_between(given, taken).max(1);
    let share = seen.counts.requests as f64 / whole as f64;
    scene.rollback_seconds = Some(taken.saturating_duration_since(error).as_secs_f64());
    scene.notes.push(format!(
        "clients saw errors of the bad release for {:.1} s: {} of the {} requests that it was given, {:.1} % of production's {whole} in that time",
        last_error.saturating_duration_since(error).as_secs_f64(),
        seen.counts.errors,
        seen.counts.requests,
        share * 100.0,
    ));
    if share > CAUGHT_EARLY {
        scene.faults.push(format!("the bad release had {:.0} % of the traffic before it was caught", share * 100.0));
    }
}

fn pause(time: Duration, interrupt: &Interrupt) -> Result<()> {
    let started = Instant::now();
    while started.elapsed() < time {
        if interrupt.came() {
            bail!("interrupted");
        }
        sleep(LOOK);
    }
    Ok(())
}

fn show_end_of_log(shop: &Shop) {
    let log = shop.log();
    let lines: Vec<&str> = log.lines().collect();
    eprintln!("  the end of production's log:");
    for line in lines.iter().skip(lines.len().saturating_sub(12)) {
        eprintln!("  > {line}");
    }
}
