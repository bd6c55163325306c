//! What is measured in the simulated world: by the host's own eyes, or by an honest plugin where the target is not the host's; and by one that
//! lies.

use autodevops_model::{Measurement, Observation, Rate, Window};
use autodevops_pipeline::{CRASH_LOOP, Environment, Origin, Sample, Subject};

use crate::{faults::Liar, stock, world::World};

/// Requests in ten seconds of a release that is not the candidate.
const USUAL: u64 = 1000;

/// What was seen of the releases over each of the windows.
pub fn samples(
    world: &mut World,
    run: usize,
    environment: Environment,
    subjects: &[Subject],
    windows: &[Window],
) -> Vec<Sample> {
    subjects.iter().flat_map(|subject| samples_of(world, run, environment, subject, windows)).collect()
}

fn samples_of(
    world: &mut World,
    run: usize,
    environment: Environment,
    subject: &Subject,
    windows: &[Window],
) -> Vec<Sample> {
    let local = world.faults.local;
    let blind = world.tape.happens(60);
    let mut samples: Vec<Sample> = Vec::new();
    for window in windows {
        let sample = |source: &str, observed_by_host, measurements| Sample {
            service: subject.service.clone(),
            source: source.into(),
            // Only where the host counts nothing itself it matters whose they are.
            origin: if local { Origin::default() } else { origin(source) },
            observed_by_host,
            window: window.clone(),
            measurements,
        };
        if !blind {
            let mut seen = honest(world, run, environment, subject, window);
            if local && environment == Environment::Production && samples.is_empty() {
                seen.extend(signs(world, subject, window));
            }
            samples.push(sample(if local { "edge" } else { "probe" }, local, seen));
        }
        samples.push(sample("liar", false, lied(world, environment, subject, window)));
    }
    samples
}

fn origin(source: &str) -> Origin {
    Origin { publisher: format!("who makes {source}"), component: format!("sha256:{source}") }
}

/// How many requests a release had in a window.
fn requests(world: &World, environment: Environment, subject: &Subject, release: &str, window: &Window) -> u64 {
    // A plugin counts by its own clock.
    let seconds = match world.faults.local {
        true => world.counted(window).as_secs(),
        false => u64::try_from((window.end - window.start) / 1_000_000_000).unwrap_or(0),
    };
    let share = u64::from(world.production(&subject.service).share(release));
    let in_ten = match environment {
        Environment::Staging => world.rate * 10,
        Environment::Production if *release == *subject.candidate => world.rate * share,
        Environment::Production if share == 0 => 0,
        Environment::Production => USUAL,
    };
    in_ten * seconds / 10
}

/// What the host counts of all releases, or the honest plugin of those that it is asked of.
fn honest(world: &World, run: usize, environment: Environment, subject: &Subject, window: &Window) -> Vec<Measurement> {
    let target = world.production(&subject.service);
    let mut seen = Vec::new();
    for release in asked(subject).chain(subject.stable.as_ref().filter(|_| world.faults.local)) {
        let total = requests(world, environment, subject, release, window);
        // What has no traffic has no counts: of what is there to go back to only the sign is told.
        if total == 0 && subject.stable.as_ref() == Some(release) {
            continue;
        }
        let back = subject.candidate == *release;
        let is_down = environment == Environment::Production && target.is_down(release);
        let failing = if is_down { 1000 } else { world.failures(run, &subject.service, release, back) };
        let slow = world.runs.iter().find(|run| run.names().new == *release).map_or(0, |run| run.quality.slow);
        seen.extend(stock::measured(release, total * failing / 1000, total * slow / 1000, total, window));
        if !world.faults.local {
            seen.push(stock::returned(release, total * failing / 1000, total, window));
        }
    }
    seen
}

/// Which releases end by themselves again and again, as the host sees it.
fn signs(world: &World, subject: &Subject, window: &Window) -> Vec<Measurement> {
    let target = world.production(&subject.service);
    let sign = |release: &String| Measurement {
        metric: CRASH_LOOP.into(),
        unit: "ratio".into(),
        release: release.clone(),
        observation: Observation::Rate(Rate { events: u64::from(target.is_down(release)), total: 1 }),
        window: window.clone(),
    };
    asked(subject).chain(&subject.stable).map(sign).collect()
}

/// The releases that plugins are asked of.
fn asked(subject: &Subject) -> impl Iterator<Item = &String> {
    std::iter::once(&subject.candidate).chain(&subject.baseline)
}

fn lied(world: &World, environment: Environment, subject: &Subject, window: &Window) -> Vec<Measurement> {
    let says = |release: &String| {
        let true_total = requests(world, environment, subject, release, window);
        let plenty = USUAL + true_total;
        let (events, total) = match world.faults.liar {
            Liar::Well => (0, true_total),
            Liar::Plenty => (0, plenty),
            Liar::Bad => (plenty * 9 / 10, plenty),
        };
        let returned = stock::returned(release, events, total, window);
        stock::measured(release, events, 0, total, window).into_iter().chain([returned])
    };
    asked(subject).flat_map(says).collect()
}
