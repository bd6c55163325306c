//! The release that traffic goes back to may be the broken one.

use autodevops_model::{Measurement, Observation, Outcome, Split};
use autodevops_pipeline::{CRASH_LOOP, ERROR_RATE, Environment, Event, EventKind, Method, Sample, Verdict};

use super::Rules;
/// As in a plan's hard trip, which the worlds leave as it is by default.
const TRIPS: (u64, f64) = (10, 0.5);

impl Rules {
    /// A rollback goes back to what last had all of production by another's hand: what served when the run began, or what a person put there
    /// since, where that is known.
    pub(super) fn back_to(&mut self, key: &str, service: &str, splits: &[Split]) {
        let old = self.names.old(service).to_owned();
        let all = matches!(splits, [split] if split.release == old && split.percent == 100);
        self.hold(all || !key.contains("/rollback/"), || format!("{key} goes back to {splits:?}, and not to {old}"));
    }

    /// While stable trips, by what the host saw of it last, its share does not grow unless a person says so, or the new release is no better.
    pub(super) fn stable_grows(&mut self, past: &[Event], service: &str, splits: &[Split]) {
        let (old, new) = (self.names.old(service).to_owned(), self.names.new.clone());
        let share = |splits: &[Split]| {
            splits.iter().filter(|split| split.release == old).map(|split| split.percent).sum::<u8>()
        };
        let set = past.iter().rev().find_map(|event| match &event.event {
            EventKind::TrafficSet { service: of, environment: Environment::Production, splits, .. }
            | EventKind::Diverged { service: of, environment: Environment::Production, found: splits, .. }
                if of == service =>
            {
                Some(share(splits))
            }
            _ => None,
        });
        if share(splits) <= set.unwrap_or(100) || by_a_person(past) {
            return;
        }
        let last = |release: &str, metric: &str| {
            past.iter().rev().find_map(|event| match &event.event {
                EventKind::Measured { samples, .. } => failed(samples, service, release, metric),
                _ => None,
            })
        };
        // What ends again and again serves nobody, whatever was counted of it, and whether it has any traffic.
        let fails =
            |release: &str| last(release, CRASH_LOOP).filter(|sign| *sign > 0.0).or_else(|| last(release, ERROR_RATE));
        let Some(stable) = fails(&old) else { return };
        let candidate = fails(&new).unwrap_or(0.0);
        self.hold(stable < TRIPS.1 || candidate >= stable, || {
            format!("traffic of {service:?} goes back to a release that fails {stable} of its requests, from one that fails {candidate}")
        });
    }
}

impl Rules {
    /// Once the host sees that the new release serves nobody, it loses its share, or people are asked since stable is broken, too; `follows`
    /// is what was decided.
    pub(super) fn heeds_trip(&mut self, past: &[Event], follows: &[Event], verdict: &Verdict) {
        let in_production = past.iter().rev().find_map(|event| match &event.event {
            EventKind::StepEntered { environment, .. } | EventKind::WatchKept { environment, .. } => Some(*environment),
            _ => None,
        });
        let trips = verdict.method == Some(Method::HardTrip) && verdict.outcome == Outcome::Failed;
        if !trips || in_production != Some(Environment::Production) {
            return;
        }
        let broken = |event: &Event| matches!(event.event, EventKind::StableBroken { .. });
        let turns = |event: &Event| matches!(event.event, EventKind::TurnedBack { .. });
        let heeded = follows.iter().any(|event| turns(event) || broken(event)) || past.iter().any(broken);
        self.hold(heeded, || format!("{}, and nothing follows", verdict.words));
    }
}

/// Whether the run turned back by a person's word, or goes on where one deployed past it.
fn by_a_person(past: &[Event]) -> bool {
    past.iter().any(|event| {
        matches!(
            event.event,
            EventKind::Rejected { .. }
                | EventKind::AbortRequested { .. }
                | EventKind::RollbackRequested { .. }
                | EventKind::Diverged { .. }
        )
    })
}

/// What part of its requests a release failed, by the host's own eyes; or whether it shows a sign.
fn failed(samples: &[Sample], service: &str, release: &str, metric: &str) -> Option<f64> {
    let own = samples.iter().filter(|sample| sample.observed_by_host && sample.service == service);
    let of_release = |seen: &&Measurement| seen.release == release && seen.metric == metric;
    own.flat_map(|sample| &sample.measurements).filter(of_release).find_map(|seen| match &seen.observation {
        Observation::Rate(rate) if metric == CRASH_LOOP || rate.total >= TRIPS.0 => {
            Some(rate.events as f64 / rate.total as f64)
        }
        _ => None,
    })
}
