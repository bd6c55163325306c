//! From a run's events to its attempts.

use std::{collections::BTreeMap, time::Duration};

use autodevops_model::{Measurement, Split};
use autodevops_pipeline::{Environment, Event, EventKind, Member, ReplayError, Run, Sample, Timestamp};

use crate::{
    Attempt, By, Ending,
    attempt::between,
    seen::{Seen, Sum},
};

/// What a run came to, for each of its services, in each environment that it began to bring its release to: staging first. None where it ended before.
///
/// # Errors
/// When the events are no run.
pub fn of_run(events: &[Event]) -> Result<Vec<Attempt>, ReplayError> {
    let (first, rest) = events.split_first().ok_or(ReplayError::Empty)?;
    let mut fold = Fold::new(Run::start(first)?);
    for event in rest {
        fold.take(event);
    }
    Ok(fold.attempts())
}

/// A span of time in which a person, or a freeze's end, was waited for; no end while it lasts.
#[derive(Clone, Copy)]
struct Wait {
    from: Timestamp,
    to: Option<Timestamp>,
}

/// The last that was measured over the whole of a watch.
struct Whole {
    percent: u8,
    time: Duration,
    measurements: Vec<Measurement>,
}

struct Fold {
    run: Run,
    waits: Vec<Wait>,
    committed: Option<Timestamp>,
    /// By service, as events call it, and environment.
    lanes: BTreeMap<(String, Environment), Lane>,
}

#[derive(Default)]
struct Lane {
    begun: bool,
    exposed: Option<Timestamp>,
    served: Option<Timestamp>,
    restored: Option<Timestamp>,
    /// When its watch was passed; only staging ends so.
    passed: Option<Timestamp>,
    /// By the moment at which the watch began.
    watches: BTreeMap<Timestamp, Whole>,
}

impl Fold {
    fn new(run: Run) -> Self {
        Self { run, waits: Vec::new(), committed: None, lanes: BTreeMap::new() }
    }

    fn lane(&mut self, service: &str, environment: Environment) -> &mut Lane {
        self.lanes.entry((service.to_owned(), environment)).or_default()
    }

    fn take(&mut self, event: &Event) {
        let at = event.at;
        self.look(&event.event, at);
        self.run.apply(event);
        let run = &self.run;
        let kept = run.gate().is_some() || run.held().is_some() || run.on_hold().is_some() || run.frozen().is_some();
        let waiting = run.outcome().is_none() && (kept || run.awaited().is_some());
        match (waiting, self.waits.last_mut().filter(|wait| wait.to.is_none())) {
            (true, None) => self.waits.push(Wait { from: at, to: None }),
            (false, Some(wait)) => wait.to = Some(at),
            _ => {}
        }
    }

    fn look(&mut self, event: &EventKind, at: Timestamp) {
        match event {
            EventKind::Committed { .. } => self.committed = Some(at),
            EventKind::EffectIntended { service, environment: Some(environment), splits, .. } if splits.is_empty() => {
                self.lane(service, *environment).begun = true;
            }
            EventKind::TrafficSet { service, environment, splits, .. } => {
                let share = share(self.run.member(service), splits);
                let lane = self.lane(service, *environment);
                if share > 0 {
                    lane.exposed.get_or_insert(at);
                }
                if share >= 100 {
                    lane.served.get_or_insert(at);
                }
            }
            EventKind::RolledBack { service, environment, .. } => {
                self.lane(service, *environment).restored.get_or_insert(at);
            }
            EventKind::StepPassed { environment, .. } => {
                for service in self.run.members().map(|member| member.label().to_owned()).collect::<Vec<_>>() {
                    self.lane(&service, *environment).passed.get_or_insert(at);
                }
            }
            EventKind::Measured { samples, .. } => self.measured(samples),
            _ => {}
        }
    }

    /// Keeps what the best source says of each service over the whole watch so far: the host, where it observed.
    fn measured(&mut self, samples: &[Sample]) {
        let Some(watch) = self.run.watch() else { return };
        let (environment, percent, started) = (watch.environment, watch.percent, watch.started);
        for service in self.run.members().map(|member| member.label().to_owned()).collect::<Vec<_>>() {
            let whole = samples.iter().filter(|sample| sample.service == service && sample.window.start == started.0);
            let best = whole.max_by_key(|sample| (sample.observed_by_host, sample.window.end));
            let Some(sample) = best else { continue };
            let time = between(started, Timestamp(sample.window.end));
            let whole = Whole { percent, time, measurements: sample.measurements.clone() };
            self.lane(&service, environment).watches.insert(started, whole);
        }
    }

    fn attempts(&self) -> Vec<Attempt> {
        [Environment::Staging, Environment::Production]
            .into_iter()
            .flat_map(|environment| self.run.members().filter_map(move |member| self.attempt(member, environment)))
            .collect()
    }

    fn attempt(&self, member: &Member, environment: Environment) -> Option<Attempt> {
        let (run, plan) = (&self.run, self.run.plan());
        let production = environment == Environment::Production;
        let (name, stable) = match environment {
            Environment::Staging => (&plan.staging, None),
            Environment::Production => (&plan.production, member.stable(environment)),
        };
        let lane = self.lanes.get(&(member.label().to_owned(), environment)).filter(|lane| lane.begun)?;
        let finished = run.outcome().map(|_| run.last_event_at());
        let (ended, ending) = match (lane.passed.filter(|_| !production), finished) {
            (Some(passed), _) => (Some(passed), Some(Ending::Kept)),
            (None, None) => (None, None),
            (None, Some(at)) if member.share(environment) >= 100 => (Some(at), Some(Ending::Kept)),
            (None, Some(at)) => {
                (Some(at), Some(if lane.exposed.is_some() { Ending::RolledBack } else { Ending::Stopped }))
            }
        };
        let candidate = member.candidate();
        let over = |release: &str, wanted: fn(u8) -> bool| -> Seen {
            let mut sum = Sum::default();
            for whole in lane.watches.values().filter(|whole| wanted(whole.percent)) {
                sum.add(&whole.measurements, release, whole.time);
            }
            sum.seen()
        };
        let until = lane.served.or(ended).unwrap_or_else(|| run.last_event_at());
        let by = By::Run(run.id().to_owned());
        Some(Attempt {
            release: member.release().map(|release| release.id.clone()),
            committed: self.committed,
            exposed: lane.exposed,
            served: lane.served,
            restored: lane.restored,
            ended,
            ending,
            waited: self.waited(until),
            fault_since: Some(self.fault_since()),
            stable: stable.map_or_else(Seen::default, |stable| over(&stable.id, |percent| percent < 100)),
            shared: over(candidate, |percent| percent < 100),
            alone: over(candidate, |percent| percent >= 100),
            ..Attempt::begun(member.name(), name, production, by, run.started_at())
        })
    }

    /// How long a person was waited for, up to a moment.
    fn waited(&self, until: Timestamp) -> Duration {
        self.waits.iter().map(|wait| between(wait.from, wait.to.unwrap_or(until).min(until))).sum()
    }

    /// A log may give times from the future, or none.
    fn fault_since(&self) -> Timestamp {
        let started = self.run.started_at();
        self.run.issue().first_seen.map_or(started, |seen| Timestamp(seen).min(started))
    }
}

/// The share that a service's candidate has of this traffic, in per cent.
fn share(member: Option<&Member>, splits: &[Split]) -> u32 {
    let candidate = member.map_or("", Member::candidate);
    splits.iter().filter(|split| split.release == candidate).map(|split| u32::from(split.percent)).sum()
}
