//! The record as Prometheus reads it.

use std::sync::atomic::AtomicU64;

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use crate::{Attempt, Complaint, Ending, attempt::between};

/// The media type of what [`exposition`] gives.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Bounds of the histograms of times, in seconds: from a minute to a week.
const BOUNDS_SECONDS: [f64; 12] =
    [60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 14_400.0, 28_800.0, 86_400.0, 172_800.0, 345_600.0, 604_800.0];

/// Bounds of the histogram of how long a bad release had traffic, in seconds: from a second to an hour.
const ROLL_BACK_BOUNDS_SECONDS: [f64; 10] = [1.0, 2.0, 5.0, 15.0, 60.0, 120.0, 300.0, 900.0, 1800.0, 3600.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Place {
    service: String,
    environment: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    service: String,
    environment: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Part {
    service: String,
    environment: String,
    part: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Service {
    service: String,
}

type Times<L> = Family<L, Histogram, fn() -> Histogram>;

fn times<L: Clone + std::hash::Hash + Eq>() -> Times<L> {
    Family::new_with_constructor(|| Histogram::new(BOUNDS_SECONDS))
}

/// All attempts and complaints as OpenMetrics text. Rates, ranges and quantiles are PromQL's to make of them: a deployment frequency is
/// `rate(autodevops_deployments_total{outcome="kept"}[30d])`.
///
/// No counter ever falls, which Prometheus would take for one that began anew: an attempt that was kept, and whose release a person took back
/// later, stays a kept one, and is counted in `taken_back_total` from then on.
pub fn exposition(attempts: &[Attempt], complaints: &[Complaint]) -> String {
    let deployments = Family::<Outcome, Counter>::default();
    let (taken_back, under_way) = (Family::<Place, Counter>::default(), Family::<Place, Gauge>::default());
    let to_deploy = times::<Part>();
    let (lead, restore) = (times::<Place>(), times::<Place>());
    let roll_back: Times<Place> = Family::new_with_constructor(|| Histogram::new(ROLL_BACK_BOUNDS_SECONDS));
    let error_rate = Family::<Part, Gauge<f64, AtomicU64>>::default();
    let latency = Family::<Part, Gauge<f64, AtomicU64>>::default();
    for attempt in attempts {
        let (service, environment) = (attempt.service.clone(), attempt.environment.clone());
        let place = Place { service: service.clone(), environment: environment.clone() };
        let part = |part| Part { service: service.clone(), environment: environment.clone(), part };
        let Some(ending) = attempt.ending else {
            under_way.get_or_create(&place).inc();
            continue;
        };
        // A group that has nothing under way says so, too.
        drop(under_way.get_or_create(&place));
        let ending = if attempt.was_taken_back() { Ending::Kept } else { ending };
        if attempt.was_taken_back() {
            taken_back.get_or_create(&place).inc();
        }
        let outcome = Outcome { service: service.clone(), environment: environment.clone(), outcome: ending.name() };
        deployments.get_or_create(&outcome).inc();
        if let Some(active) = attempt.active() {
            to_deploy.get_or_create(&part("active")).observe(active.as_secs_f64());
            to_deploy.get_or_create(&part("waiting")).observe(attempt.waited.as_secs_f64());
        }
        // As in the report, these are of the environment that serves people: a release that is only staged heals nobody.
        let span =
            |from: Option<_>, to: Option<_>| Some(between(from?, to?).as_secs_f64()).filter(|_| attempt.production);
        if let Some(time) = span(attempt.committed, attempt.served) {
            lead.get_or_create(&place).observe(time);
        }
        if let Some(time) = span(attempt.fault_since, attempt.served.filter(|_| ending == Ending::Kept)) {
            restore.get_or_create(&place).observe(time);
        }
        if let Some(time) = span(attempt.exposed, attempt.restored) {
            roll_back.get_or_create(&place).observe(time);
        }
        // The last attempt's stands: they come oldest first.
        for (name, seen) in [("before", &attempt.stable), ("after", crate::report::after(attempt))] {
            if let Some(rate) = seen.error_rate() {
                error_rate.get_or_create(&part(name)).set(rate);
            }
            if let Some(p95) = seen.p95 {
                latency.get_or_create(&part(name)).set(p95);
            }
        }
    }
    let complained = Family::<Service, Counter>::default();
    for complaint in complaints {
        complained.get_or_create(&Service { service: complaint.service.clone() }).inc();
    }
    let mut registry = Registry::with_prefix("autodevops");
    registry.register("deployments", "Attempts to deploy that are over", deployments);
    registry.register("taken_back", "Releases that were kept, and that a person took back later", taken_back);
    registry.register("deployments_under_way", "Attempts to deploy that are not over", under_way);
    let help = "From the beginning to serving, active and waiting for people or another run";
    registry.register_with_unit("time_to_deploy", help, Unit::Seconds, to_deploy);
    registry.register_with_unit("lead_time", "From a change's commit to serving", Unit::Seconds, lead);
    let help = "From a fault's first sight to a release that heals it serving";
    registry.register_with_unit("time_to_restore", help, Unit::Seconds, restore);
    let help = "From a bad release's first traffic to the one before serving again";
    registry.register_with_unit("time_to_roll_back", help, Unit::Seconds, roll_back);
    registry.register("release_error_ratio", "Failed requests of the last release and of the one before", error_rate);
    let help = "95th percentile of response times of the last release and of the one before";
    registry.register_with_unit("release_latency_p95", help, Unit::Seconds, latency);
    registry.register("complaints", "Complaints of those who use the service", complained);
    let mut text = String::new();
    let written = encode(&mut text, &registry);
    debug_assert!(written.is_ok(), "writing to a string does not fail");
    text
}
