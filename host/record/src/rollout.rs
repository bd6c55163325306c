//! A run's rollouts over time, one for each service: how production's traffic was shared, and what was seen of the candidate and the
//! baseline.

use autodevops_model::{Observation, Rate, Split};
use autodevops_pipeline::{Environment, Event, EventKind, Member, ReplayError, Run, Sample, Timestamp};

/// The metric that is drawn.
const ERROR_RATE: &str = "error-rate";

/// Production's traffic from the candidate's first share to the end of the run.
#[derive(Clone, Debug, PartialEq)]
pub struct Rollout {
    /// The service; empty where the project has one.
    pub service: String,
    /// The candidate.
    pub candidate: String,
    /// The release before it, where there was one.
    pub stable: Option<String>,
    /// The release before it under another name, started with the candidate to compare with, where there was one.
    pub fresh: Option<String>,
    /// When the candidate first had a share.
    pub begin: Timestamp,
    /// When the run ended, or its last event so far.
    pub end: Timestamp,
    /// The candidate's share in per cent, from each moment on at which it changed; in order.
    pub shares: Vec<(Timestamp, u8)>,
    /// What was measured, in order.
    pub points: Vec<Point>,
}

/// What was seen over the shortest window of one measurement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    /// Beginning of the window.
    pub from: Timestamp,
    /// Its end.
    pub to: Timestamp,
    /// Failed requests of the candidate, of all of its.
    pub candidate: Option<Rate>,
    /// Failed requests of what the candidate was compared with, while it was seen beside the candidate.
    pub baseline: Option<Rate>,
}

impl Rollout {
    /// The candidate's share at a moment, in per cent.
    pub fn share(&self, at: Timestamp) -> u8 {
        self.shares.iter().rev().find(|(from, _)| *from <= at).map_or(0, |(_, share)| *share)
    }

    /// What was measured last up to a moment, if its window reaches back to `from`, or the one after it does.
    pub fn seen(&self, from: Timestamp, to: Timestamp) -> Option<&Point> {
        let inside = self.points.iter().rev().find(|point| from < point.to && point.to <= to);
        inside.or_else(|| self.points.iter().find(|point| point.to > to && point.from < to))
    }
}

/// The rollouts of a run, of those services whose candidate ever had a share of production's traffic.
///
/// # Errors
/// When the events are no run.
pub fn rollouts(events: &[Event]) -> Result<Vec<Rollout>, ReplayError> {
    let run = Run::replay(events)?;
    let mut rollouts = Vec::new();
    for member in run.members() {
        rollouts.extend(rollout(events, member.label())?);
    }
    Ok(rollouts)
}

fn rollout(events: &[Event], service: &str) -> Result<Option<Rollout>, ReplayError> {
    let (first, rest) = events.split_first().ok_or(ReplayError::Empty)?;
    let mut run = Run::start(first)?;
    let (mut shares, mut points) = (Vec::new(), Vec::new());
    for event in rest {
        match &event.event {
            EventKind::TrafficSet { service: of, environment: Environment::Production, splits, .. }
                if of == service =>
            {
                shares.push((event.at, share(run.member(service), splits)));
            }
            EventKind::TrafficReturned { service: of, environment: Environment::Production, .. } if of == service => {
                shares.push((event.at, 0));
            }
            EventKind::Diverged { service: of, found, environment: Environment::Production, .. } if of == service => {
                shares.push((event.at, share(run.member(service), found)));
            }
            EventKind::Measured { samples, .. }
                if run.watch().is_some_and(|watch| watch.environment == Environment::Production) =>
            {
                points.extend(run.member(service).and_then(|member| point(member, samples)));
            }
            _ => {}
        }
        run.apply(event);
    }
    let Some(begin) = shares.iter().find(|(_, share)| *share > 0).map(|(at, _)| *at) else { return Ok(None) };
    let Some(member) = run.member(service) else { return Ok(None) };
    let (candidate, service) = (member.candidate().to_owned(), service.to_owned());
    let stable = member.stable(Environment::Production).map(|release| release.id.clone());
    let fresh = member.fresh_baseline().map(|deployment| deployment.release.id.clone());
    Ok(Some(Rollout { service, candidate, stable, fresh, begin, end: run.last_event_at(), shares, points }))
}

fn share(member: Option<&Member>, splits: &[Split]) -> u8 {
    let candidate = member.map_or("", Member::candidate);
    splits.iter().filter(|split| split.release == candidate).map(|split| split.percent).sum()
}

/// The shortest window shows best what is going on now; of several, what the host observed.
fn point(member: &Member, samples: &[Sample]) -> Option<Point> {
    let rate = |sample: &Sample, release: &str| -> Option<Rate> {
        sample.measurements.iter().find_map(|one| match &one.observation {
            Observation::Rate(rate) if one.metric == ERROR_RATE && one.release == release => Some(rate.clone()),
            _ => None,
        })
    };
    let (candidate, stable) = (member.candidate(), member.stable(Environment::Production));
    let fresh = member.fresh_baseline().map(|deployment| &deployment.release);
    let own = samples.iter().filter(|sample| sample.service == member.label());
    let seen = own.filter(|sample| rate(sample, candidate).is_some());
    let sample = seen.max_by_key(|sample| (sample.observed_by_host, sample.window.start))?;
    Some(Point {
        from: Timestamp(sample.window.start),
        to: Timestamp(sample.window.end),
        candidate: rate(sample, candidate),
        baseline: fresh.into_iter().chain(stable).find_map(|baseline| rate(sample, &baseline.id)),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::testing::Story;

    #[test]
    fn a_rollout_has_its_shares_and_what_was_seen_of_both() {
        let rollout = rollouts(&Story::healed()).unwrap().remove(0);
        let shares: Vec<u8> = rollout.shares.iter().map(|(_, share)| *share).collect();
        assert_eq!(shares, [5, 25, 50, 100]);
        assert_eq!(rollout.share(rollout.begin.before(Duration::from_secs(1))), 0);
        assert_eq!((rollout.share(rollout.begin), rollout.share(rollout.end)), (5, 100));
        let beside: Vec<&Point> = rollout.points.iter().filter(|point| point.baseline.is_some()).collect();
        assert!(beside.len() >= 30, "three steps of a minute, measured every 5 s");
        assert!(rollout.points.len() > beside.len(), "with all of the traffic nothing is beside it");
        for point in &rollout.points {
            let window = point.to.0 - point.from.0;
            assert!(window <= 20_000_000_000, "the shortest window: {window}");
        }
    }

    #[test]
    fn a_rollout_that_was_taken_back_ends_with_no_share() {
        let rollout = rollouts(&Story::rolled_back()).unwrap().remove(0);
        assert_eq!(rollout.shares.last().unwrap().1, 0);
        let last = rollout.points.last().unwrap();
        assert!(last.candidate.as_ref().unwrap().events > last.baseline.as_ref().unwrap().events);
    }

    #[test]
    fn a_moment_between_measurements_shows_the_one_whose_window_reaches_it() {
        let point = |from, to| Point { from: Timestamp(from), to: Timestamp(to), candidate: None, baseline: None };
        let rollout = Rollout {
            service: String::new(),
            candidate: "new".into(),
            stable: None,
            fresh: None,
            begin: Timestamp(0),
            end: Timestamp(100),
            shares: Vec::new(),
            points: vec![point(0, 10), point(30, 40)],
        };
        let seen = |from, to| rollout.seen(Timestamp(from), Timestamp(to)).map(|point| point.to.0);
        assert_eq!(seen(0, 5), Some(10), "its window covers it");
        assert_eq!(seen(5, 50), Some(40), "the last of two");
        assert_eq!(seen(12, 20), None, "nothing was measured then");
        assert_eq!(seen(32, 35), Some(40));
    }

    #[test]
    fn each_service_has_a_rollout_of_its_own() {
        let both = rollouts(&Story::turned_back_together()).unwrap();
        assert_eq!(both.iter().map(|rollout| rollout.service.as_str()).collect::<Vec<_>>(), ["cart", "shop"]);
        for (rollout, fails) in both.iter().zip([false, true]) {
            assert_eq!(rollout.shares.last().unwrap().1, 0, "both are back");
            let last = rollout.points.last().unwrap().candidate.as_ref().unwrap();
            assert_eq!(last.events > 0, fails, "{}", rollout.service);
        }
    }

    #[test]
    fn a_run_without_production_has_no_rollout() {
        let events = Story { builds: false, ..Story::default() }.events();
        assert_eq!(rollouts(&events).unwrap(), []);
    }
}
