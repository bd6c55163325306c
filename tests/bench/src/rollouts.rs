//! What the rules that rollouts are decided by are worth: many rollouts of a good release and of a bad one, rehearsed by the decision
//! core itself, beside what the naive rule ("above the threshold: roll back") makes of the same traffic.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use autodevops_model::{Observation, Window};
use autodevops_pipeline::{Plan, Rule, Sample, Service, Trigger};
use autodevops_rehearsal::{Behaviour, Clients, Ending, Rehearsal, Shares, Traffic, World, rehearse};
use rayon::prelude::*;

use crate::report::{Report, Target};

/// All of it follows from this.
const SEED: u64 = 20_260_301;

/// Good rollouts, and bad ones, by the rules and by the naive rule.
const ROLLOUTS: u64 = 10_000;

/// Rollouts of each further kind: of several services, with next to no traffic, and without glances.
const FEWER: u64 = 2_500;

/// Requests a second to all of production: 600 to the candidate in the ten minutes of the first step.
const TRAFFIC: f64 = 20.0;

/// The true share of errors of a good release, and of a bad one.
const GOOD: f64 = 0.02;
const BAD: f64 = 0.10;

/// Clients who stay with a release, and the share of them who see nothing but errors of a good one and of what serves alike, or wait for three
/// seconds each time.
const CLIENTS: [usize; 2] = [400, 200];
const FAILING: f64 = 0.02;
const SLOW: f64 = 0.02;

/// How many times as long the requests of a bad release take that is slow.
const SLOWNESS: f64 = 2.0;

/// The step before which a bad release should be caught, in per cent.
const BEFORE: u8 = 25;

/// The defaults, with a fourth metric, which a health check tells.
fn plan() -> Plan {
    let mut plan = Plan::defaults("bench");
    plan.triggers.push(Trigger::new("checkout-error-rate", Rule::RateAbove(0.05)));
    plan
}

/// The same of three services that are promoted together.
fn together(plan: &Plan) -> Plan {
    let service = |name: &str| Service {
        name: name.to_owned(),
        paths: vec![name.to_owned()],
        staging: format!("staging-{name}"),
        production: format!("production-{name}"),
    };
    Plan { services: ["cart", "shop", "mail"].map(service).into(), ..plan.clone() }
}

fn traffic(plan: &Plan, errors: f64) -> Traffic {
    let stable = Behaviour::good(plan);
    Traffic { per_second: TRAFFIC, candidate: stable.clone().with("error-rate", errors), stable, clients: None }
}

/// The same of clients who stay with a release, and fail always or never, or as often as each other.
fn of_clients(plan: &Plan, number: usize, failing: f64, errors: f64) -> Traffic {
    Traffic { clients: Some(Clients { number, failing, slow: 0.0 }), ..traffic(plan, errors) }
}

/// The same of clients of whom some wait each time, and of a release that is so many times as slow.
fn of_slow_clients(plan: &Plan, number: usize, slowness: f64) -> Traffic {
    let mut traffic = of_clients(plan, number, 0.0, GOOD);
    traffic.candidate.slowness = slowness;
    Traffic { clients: traffic.clients.map(|clients| Clients { slow: SLOW, ..clients }), ..traffic }
}

/// How a rollout ended.
struct Ended {
    promoted: bool,
    turned_back_at: Option<u8>,
    failed: u64,
    /// Steps that were passed with fewer requests than a decision needs.
    blind: u64,
}

fn by_the_rules(plan: &Plan, traffic: &Traffic, seed: u64) -> Result<Ended> {
    let Rehearsal { ending, steps, failed, .. } = rehearse(plan, traffic, seed)?;
    ensure!(!matches!(ending, Ending::Astray(_)), "a rollout went astray: {ending:?}");
    let least = plan.triggers.iter().map(|trigger| trigger.min_samples).min().unwrap_or(0);
    let blind = steps.iter().filter(|step| step.passed && step.requests < least).count() as u64;
    let turned_back_at = match ending {
        Ending::TurnedBack { percent, .. } => Some(percent),
        _ => None,
    };
    Ok(Ended { promoted: ending == Ending::Promoted, turned_back_at, failed, blind })
}

/// Whether a window is above any threshold, by its numbers as they are.
fn is_above(plan: &Plan, samples: &[Sample]) -> bool {
    plan.triggers.iter().any(|trigger| {
        let of = |release: &str| {
            let all = samples.iter().flat_map(|sample| &sample.measurements);
            let mut found = all.filter(|seen| seen.release == release);
            found.find(|seen| seen.metric == trigger.metric).map(|seen| &seen.observation)
        };
        let share_above = |observation: &Observation, seconds: f64| match observation {
            Observation::Histogram(buckets) => {
                let total = buckets.last().map_or(0, |bucket| bucket.count);
                let below = buckets.iter().rfind(|bucket| bucket.le <= seconds).map_or(0, |bucket| bucket.count);
                (total - below) as f64 / total.max(1) as f64
            }
            _ => 0.0,
        };
        let mean = |observation: &Observation| match observation {
            Observation::Histogram(buckets) => {
                let (mut sum, mut low, mut below) = (0.0, 0.0, 0);
                for bucket in buckets {
                    let high = if bucket.le.is_finite() { bucket.le } else { low };
                    sum += (bucket.count - below) as f64 * f64::midpoint(low, high);
                    (low, below) = (high, bucket.count);
                }
                sum / below.max(1) as f64
            }
            _ => 0.0,
        };
        match (trigger.rule, of("candidate"), of("stable")) {
            (Rule::RateAbove(limit), Some(Observation::Rate(rate)), _) => {
                rate.events as f64 > limit * rate.total.max(1) as f64
            }
            (Rule::QuantileAbove { quantile, seconds }, Some(seen), _) => share_above(seen, seconds) > 1.0 - quantile,
            (Rule::WorseBy { ratio, .. }, Some(seen), Some(stable)) => mean(seen) > (1.0 + ratio) * mean(stable),
            _ => false,
        }
    })
}

/// The rule that comes to mind: whatever is above its threshold in the last window is turned back, all else goes on when its time is over.
fn by_the_naive_rule(plan: &Plan, traffic: &Traffic, seed: u64) -> Result<Ended> {
    let mut world = World::new(plan, traffic, seed);
    let window = plan.triggers.first().map(|trigger| trigger.window).context("no trigger")?.as_nanos() as i64;
    let watches = plan.steps.iter().map(|step| (step.percent, step.duration)).chain([(100, plan.monitoring)]);
    let (mut now, mut blind) = (0_i64, 0);
    for (percent, duration) in watches {
        let (entered, before) = (now, world.candidate().requests);
        let end = entered + duration.as_nanos() as i64;
        while now < end {
            now = (now + plan.interval.as_nanos() as i64).min(end);
            world.pass(now, Shares::beside_stable(percent));
            let window = Window { start: (now - window).max(entered), end: now };
            let baseline = (percent < 100).then_some("stable");
            let sample = world.sample(&window, "candidate", baseline);
            let samples: Vec<Sample> =
                std::iter::once(sample).chain(world.told(&window, "candidate", baseline)).collect();
            if is_above(plan, &samples) {
                let failed = world.candidate().events.values().copied().max().unwrap_or(0);
                return Ok(Ended { promoted: false, turned_back_at: Some(percent), failed, blind });
            }
        }
        blind += u64::from(world.candidate().requests - before < Trigger::MIN_SAMPLES);
    }
    let failed = world.candidate().events.values().copied().max().unwrap_or(0);
    Ok(Ended { promoted: true, turned_back_at: None, failed, blind })
}

type Way = fn(&Plan, &Traffic, u64) -> Result<Ended>;

fn all(rollouts: u64, way: Way, plan: &Plan, errors: f64, per_second: f64) -> Result<Vec<Ended>> {
    all_of(rollouts, way, plan, &Traffic { per_second, ..traffic(plan, errors) })
}

fn all_of(rollouts: u64, way: Way, plan: &Plan, traffic: &Traffic) -> Result<Vec<Ended>> {
    (0..rollouts).into_par_iter().map(|n| way(plan, traffic, SEED + n)).collect()
}

/// The share of those of whom it is so, in per cent.
fn share(ended: &[Ended], so: impl Fn(&Ended) -> bool) -> f64 {
    ended.iter().filter(|ended| so(ended)).count() as f64 * 100.0 / ended.len().max(1) as f64
}

fn middle(ended: &[Ended]) -> f64 {
    let mut failed: Vec<f64> = ended.iter().map(|ended| ended.failed as f64).collect();
    crate::report::median(&mut failed)
}

/// Rollouts with enough traffic, with little, and by the naive rule.
pub fn measure(report: &mut Report) -> Result<()> {
    if !report.wants("rollouts") {
        return Ok(());
    }
    let (plan, begun) = (plan(), Instant::now());
    let caught = |ended: &Ended| ended.turned_back_at.is_some_and(|percent| percent < BEFORE);
    let both = |rollouts, way: Way, plan: &Plan| -> Result<_> {
        Ok((all(rollouts, way, plan, GOOD, TRAFFIC)?, all(rollouts, way, plan, BAD, TRAFFIC)?))
    };
    let (good, bad) = both(ROLLOUTS, by_the_rules, &plan)?;
    // A thousandth of the traffic: most steps see nobody.
    let quiet = all(FEWER, by_the_rules, &plan, GOOD, TRAFFIC / 1000.0)?;
    // Without looking between the measurements: what the glances cost in false alarms, and what they save.
    let measured = Plan { glance: Duration::ZERO, ..plan.clone() };
    let (good_measured, bad_measured) = both(FEWER, by_the_rules, &measured)?;
    let blind: u64 = [&good, &bad, &quiet].into_iter().flatten().map(|ended| ended.blind).sum();
    report.add("rollouts: seed, of the 10,000 good and the 10,000 bad", SEED as f64, "", None);
    let wrong = share(&good, |ended| ended.turned_back_at.is_some());
    report.add("rollouts: good ones (2 % errors, four metrics) turned back", wrong, "%", Some(Target::AtMost(0.3)));
    report.add("rollouts: good ones promoted", share(&good, |ended| ended.promoted), "%", None);
    let early = share(&bad, caught);
    report.add("rollouts: bad ones (10 % errors) caught before 25 %", early, "%", Some(Target::AtLeast(95.0)));
    report.add("rollouts: bad ones promoted", share(&bad, |ended| ended.promoted), "%", Some(Target::AtMost(0.0)));
    report.add("rollouts: failed requests before a bad one is caught", middle(&bad), "", None);
    let wrong = share(&good_measured, |ended| ended.turned_back_at.is_some());
    report.add("rollouts, no glances: good ones turned back", wrong, "%", None);
    report.add("rollouts, no glances: bad ones caught before 25 %", share(&bad_measured, caught), "%", None);
    report.add("rollouts, no glances: failed requests before a bad one is caught", middle(&bad_measured), "", None);
    let shop = together(&plan);
    let (good, bad) = both(FEWER, by_the_rules, &shop)?;
    let wrong = share(&good, |ended| ended.turned_back_at.is_some());
    report.add("rollouts of three services: good ones turned back", wrong, "%", Some(Target::AtMost(0.3)));
    let early = share(&bad, caught);
    report.add("rollouts of three services: one bad, caught before 25 %", early, "%", Some(Target::AtLeast(95.0)));
    // Requests that hang together by their clients.
    for clients in CLIENTS {
        let clumped = all_of(FEWER, by_the_rules, &plan, &of_clients(&plan, clients, FAILING, 0.0))?;
        let row = |what: &str| format!("rollouts, 2 % of {clients} clients always fail: good ones {what}");
        let wrong = share(&clumped, |ended| ended.turned_back_at.is_some());
        report.add(row("turned back"), wrong, "%", Some(Target::AtMost(0.3)));
        report.add(row("promoted"), share(&clumped, |ended| ended.promoted), "%", None);
        let bad = all_of(FEWER, by_the_rules, &plan, &of_clients(&plan, clients, 0.0, BAD))?;
        let row = format!("rollouts, {clients} clients: bad ones caught before 25 %");
        report.add(row, share(&bad, caught), "%", Some(Target::AtLeast(95.0)));
        let clumped = all_of(FEWER, by_the_rules, &plan, &of_slow_clients(&plan, clients, 1.0))?;
        let row = |what: &str| format!("rollouts, 2 % of {clients} clients always wait 3 s: good ones {what}");
        let wrong = share(&clumped, |ended| ended.turned_back_at.is_some());
        report.add(row("turned back"), wrong, "%", Some(Target::AtMost(0.3)));
        report.add(row("promoted"), share(&clumped, |ended| ended.promoted), "%", None);
        let slow = all_of(FEWER, by_the_rules, &plan, &of_slow_clients(&plan, clients, SLOWNESS))?;
        let row = format!("rollouts, 2 % of {clients} clients always wait 3 s: ones twice as slow caught before 25 %");
        report.add(row, share(&slow, caught), "%", None);
    }
    report.add(
        "rollouts: steps passed with fewer requests than the minimum",
        blind as f64,
        "",
        Some(Target::AtMost(0.0)),
    );
    let (good, bad) = both(ROLLOUTS, by_the_naive_rule, &plan)?;
    let quiet = all(FEWER, by_the_naive_rule, &plan, GOOD, TRAFFIC / 1000.0)?;
    let wrong = share(&good, |ended| ended.turned_back_at.is_some());
    report.add("rollouts, naive rule: good ones turned back", wrong, "%", None);
    report.add("rollouts, naive rule: good ones promoted", share(&good, |ended| ended.promoted), "%", None);
    report.add("rollouts, naive rule: bad ones caught before 25 %", share(&bad, caught), "%", None);
    report.add("rollouts, naive rule: bad ones promoted", share(&bad, |ended| ended.promoted), "%", None);
    report.add("rollouts, naive rule: failed requests before a bad one is caught", middle(&bad), "", None);
    let blind: u64 = [&good, &bad, &quiet].into_iter().flatten().map(|ended| ended.blind).sum();
    report.add("rollouts, naive rule: steps passed with too few requests", blind as f64, "", None);
    let each = begun.elapsed() / u32::try_from(4 * ROLLOUTS + 14 * FEWER).unwrap_or(u32::MAX);
    report.add("rollouts: one, rehearsed", each.max(Duration::from_nanos(1)).as_secs_f64() * 1e3, "ms", None);
    Ok(())
}
