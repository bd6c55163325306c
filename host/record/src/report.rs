//! What attempts come to, by service and environment, over a span of time.

use std::{collections::BTreeMap, time::Duration};

use autodevops_pipeline::Timestamp;
use serde::Serialize;

use crate::{Attempt, Ending, Seen, Share, Spread, attempt::between, numbers::median};

/// How many parts the span of time is cut into, to be drawn.
const PARTS: usize = 24;

const DAY_SECONDS: f64 = 86_400.0;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Only this service.
    pub service: Option<String>,
    /// Only this environment, as the operator calls it.
    pub environment: Option<String>,
    /// From this moment on; absent, from the first attempt.
    pub since: Option<Timestamp>,
    /// Up to this moment, which is not part of it.
    pub until: Timestamp,
}

/// A complaint of one who uses the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// The service.
    pub service: String,
    /// When it was taken in.
    pub at: Timestamp,
}

/// The answer: a group for each service and environment of which there is an attempt.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Report {
    /// From when on.
    pub since: Timestamp,
    /// Up to when.
    pub until: Timestamp,
    /// By service, then environment.
    pub groups: Vec<Group>,
}

/// What the attempts for one service and environment come to. Those that are not over count as under way and nowhere else.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Group {
    /// The service.
    pub service: String,
    /// The environment.
    pub environment: String,
    /// Whether it serves people.
    pub production: bool,
    /// Attempts that are not over.
    pub under_way: u64,
    /// Those whose release was kept, of all that are over.
    pub success: Share,
    /// Those whose release had traffic and was taken back, of all that are over.
    pub rollback: Share,
    /// From the beginning to serving, time waiting for people or another run apart.
    pub active: Option<Spread>,
    /// The time of it that people or another run were waited for.
    pub waiting: Option<Spread>,
    /// The release beside the one before it.
    pub performance: Option<Impact>,
    /// Complaints before and after; none where no complaint of the service was ever taken in, or the environment does not serve people.
    pub satisfaction: Option<Satisfaction>,
    /// DORA's four; only for an environment that serves people.
    pub dora: Option<Dora>,
    /// Over time.
    pub series: Series,
}

/// A number before and after.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Change {
    /// Of the releases before.
    pub before: f64,
    /// Of the new ones.
    pub after: f64,
}

/// What new releases did to performance, where both they and those before them were observed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Impact {
    /// Attempts with both.
    pub attempts: u64,
    /// The median response time in seconds: the middle one of the attempts.
    pub p50: Option<Change>,
    /// The 95th percentile of response times in seconds: the middle one of the attempts.
    pub p95: Option<Change>,
    /// The share of failed requests, of all of the attempts together.
    pub error_rate: Option<Change>,
}

/// Complaints in relation to requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PerThousand {
    /// Complaints.
    pub complaints: u64,
    /// Requests.
    pub requests: u64,
    /// Complaints for every 1,000 requests; none without a request.
    pub per_thousand: Option<f64>,
}

/// Complaints before and after: over as long a time before the release had traffic as it was watched serving. The requests of the time
/// after were counted; those of the time before are estimated by the traffic that was counted while it was shared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Satisfaction {
    /// Before the releases had traffic.
    pub before: PerThousand,
    /// While they served.
    pub after: PerThousand,
    /// Complaints in all of the span of time.
    pub taken_in: u64,
}

/// The four measures of DORA.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Dora {
    /// Releases that came to serve, a day.
    pub deployments_per_day: f64,
    /// From the change's commit to serving.
    pub lead_time: Option<Spread>,
    /// Releases that were taken back, of those that had traffic.
    pub change_failure: Share,
    /// From a fault's first sight to the release that heals it serving.
    pub time_to_restore: Option<Spread>,
    /// From a bad release's first traffic to the one before serving again.
    pub time_to_roll_back: Option<Spread>,
}

/// Numbers over time, in parts of equal length.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Series {
    /// Length of a part, in seconds.
    pub part_seconds: f64,
    /// Attempts that were kept.
    pub kept: Vec<u32>,
    /// Attempts that were rolled back or stopped.
    pub failed: Vec<u32>,
    /// The middle time from beginning to serving, in seconds; none where nothing came to serve.
    pub time_to_deploy: Vec<Option<f64>>,
}

/// What the attempts come to.
pub fn report(attempts: &[Attempt], complaints: &[Complaint], question: &Question) -> Report {
    let wanted = |attempt: &&Attempt| {
        question.service.as_ref().is_none_or(|service| attempt.service == *service)
            && question.environment.as_ref().is_none_or(|environment| attempt.environment == *environment)
            && question.since.is_none_or(|since| attempt.at() >= since)
            && attempt.at() < question.until
    };
    let found: Vec<&Attempt> = attempts.iter().filter(wanted).collect();
    let since = question.since.or_else(|| found.iter().map(|attempt| attempt.began).min()).unwrap_or(question.until);
    let mut by_place: BTreeMap<(&str, &str), Vec<&Attempt>> = BTreeMap::new();
    for attempt in found {
        by_place.entry((&attempt.service, &attempt.environment)).or_default().push(attempt);
    }
    let groups = by_place.into_iter().map(|((service, environment), attempts)| {
        let production = attempts.iter().any(|attempt| attempt.production);
        let ended: Vec<&Attempt> = attempts.iter().copied().filter(|attempt| attempt.ending.is_some()).collect();
        let of = |endings: &[Ending]| Share {
            of: ended.iter().filter(|attempt| attempt.ending.is_some_and(|ending| endings.contains(&ending))).count()
                as u64,
            total: ended.len() as u64,
        };
        let served = || ended.iter().filter(|attempt| attempt.served.is_some());
        let complaints: Vec<&Complaint> = complaints.iter().filter(|one| one.service == service).collect();
        Group {
            service: service.to_owned(),
            environment: environment.to_owned(),
            production,
            under_way: (attempts.len() - ended.len()) as u64,
            success: of(&[Ending::Kept]),
            rollback: of(&[Ending::RolledBack]),
            active: Spread::of(ended.iter().filter_map(|attempt| attempt.active())),
            waiting: Spread::of(served().map(|attempt| attempt.waited)),
            performance: impact(&ended),
            satisfaction: (production && !complaints.is_empty())
                .then(|| satisfaction(&ended, &complaints, since, question.until)),
            dora: production.then(|| dora(&ended, since, question.until)),
            series: series(&ended, since, question.until),
        }
    });
    Report { since, until: question.until, groups: groups.collect() }
}

/// What the new release is known to do: with all of the traffic, or else beside the one before.
pub(crate) fn after(attempt: &Attempt) -> &Seen {
    if attempt.alone.requests > 0 { &attempt.alone } else { &attempt.shared }
}

fn impact(ended: &[&Attempt]) -> Option<Impact> {
    let both: Vec<(&Seen, &Seen)> = ended
        .iter()
        .map(|attempt| (&attempt.stable, after(attempt)))
        .filter(|(before, after)| before.requests > 0 && after.requests > 0)
        .collect();
    let middle = |of: fn(&Seen) -> Option<f64>| {
        let pairs: Vec<(f64, f64)> =
            both.iter().filter_map(|(before, after)| Some((of(before)?, of(after)?))).collect();
        let before = median(pairs.iter().map(|pair| pair.0))?;
        Some(Change { before, after: median(pairs.iter().map(|pair| pair.1))? })
    };
    let together = |seen: &mut dyn Iterator<Item = &Seen>| {
        let sum = seen.fold(Seen::default(), |sum, seen| Seen {
            requests: sum.requests.saturating_add(seen.requests),
            errors: sum.errors.saturating_add(seen.errors),
            ..sum
        });
        sum.error_rate()
    };
    let before = together(&mut both.iter().map(|pair| pair.0));
    let after = together(&mut both.iter().map(|pair| pair.1));
    (!both.is_empty()).then(|| Impact {
        attempts: both.len() as u64,
        p50: middle(|seen| seen.p50),
        p95: middle(|seen| seen.p95),
        error_rate: before.zip(after).map(|(before, after)| Change { before, after }),
    })
}

fn satisfaction(ended: &[&Attempt], complaints: &[&Complaint], since: Timestamp, until: Timestamp) -> Satisfaction {
    let count = |from: Timestamp, to: Timestamp| {
        complaints.iter().filter(|complaint| from <= complaint.at && complaint.at < to).count() as u64
    };
    let mut whole = Satisfaction { taken_in: count(since, until), ..Satisfaction::default() };
    for attempt in ended {
        let Some(exposed) = attempt.exposed else { continue };
        let shared_requests = attempt.stable.requests.saturating_add(attempt.shared.requests);
        // While all of the traffic was its own; or, where it never was, while it was shared: whoever complained then had either.
        let (from, time, requests) = match attempt.served {
            Some(served) if attempt.alone.requests > 0 => (served, attempt.alone.time, attempt.alone.requests),
            _ => (exposed, attempt.shared.time, shared_requests),
        };
        let per_second = if shared_requests > 0 {
            shared_requests as f64 / attempt.shared.time.as_secs_f64()
        } else {
            requests as f64 / time.as_secs_f64()
        };
        if !per_second.is_finite() {
            continue;
        }
        whole.after.complaints += count(from, from.after(time));
        whole.after.requests = whole.after.requests.saturating_add(requests);
        whole.before.complaints += count(exposed.before(time), exposed);
        let before = (per_second * time.as_secs_f64()).round() as u64;
        whole.before.requests = whole.before.requests.saturating_add(before);
    }
    for side in [&mut whole.before, &mut whole.after] {
        side.per_thousand = (side.requests > 0).then(|| side.complaints as f64 * 1000.0 / side.requests as f64);
    }
    whole
}

fn dora(ended: &[&Attempt], since: Timestamp, until: Timestamp) -> Dora {
    let days = between(since, until).as_secs_f64() / DAY_SECONDS;
    let served = ended.iter().filter(|attempt| attempt.served.is_some()).count();
    let spread = |of: &dyn Fn(&Attempt) -> Option<Duration>| Spread::of(ended.iter().filter_map(|attempt| of(attempt)));
    let exposed = ended.iter().filter(|attempt| attempt.exposed.is_some());
    let failed = exposed.clone().filter(|attempt| attempt.ending == Some(Ending::RolledBack));
    Dora {
        deployments_per_day: if days > 0.0 { served as f64 / days } else { 0.0 },
        lead_time: spread(&|attempt| Some(between(attempt.committed?, attempt.served?))),
        change_failure: Share { of: failed.count() as u64, total: exposed.count() as u64 },
        time_to_restore: spread(&|attempt| {
            let kept = attempt.ending == Some(Ending::Kept);
            Some(between(attempt.fault_since.filter(|_| kept)?, attempt.served?))
        }),
        time_to_roll_back: spread(&|attempt| Some(between(attempt.exposed?, attempt.restored?))),
    }
}

fn series(ended: &[&Attempt], since: Timestamp, until: Timestamp) -> Series {
    let length = between(since, until).as_secs_f64() / PARTS as f64;
    let (mut kept, mut failed) = (vec![0; PARTS], vec![0; PARTS]);
    let mut times: Vec<Vec<f64>> = vec![Vec::new(); PARTS];
    for attempt in ended {
        let after = between(since, attempt.at()).as_secs_f64();
        let part = if length > 0.0 { ((after / length) as usize).min(PARTS - 1) } else { 0 };
        let counts: &mut Vec<u32> = if attempt.ending == Some(Ending::Kept) { &mut kept } else { &mut failed };
        counts.iter_mut().skip(part).take(1).for_each(|count| *count += 1);
        if let (Some(served), Some(times)) = (attempt.served, times.get_mut(part)) {
            times.push(between(attempt.began, served).as_secs_f64());
        }
    }
    Series { part_seconds: length, kept, failed, time_to_deploy: times.into_iter().map(median).collect() }
}
