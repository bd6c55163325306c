//! What stable is remembered to have done: by whose word, and of how many requests.

use autodevops_model::{Bucket, Measurement, Rate, Window};

use super::*;
use crate::{DESIGN_EFFECT, Sample, stable::weighs};

/// The next measurement is what is made of the host's samples.
fn measured(scene: &mut Scene, made: impl Fn(Vec<Sample>) -> Vec<Sample>) {
    while !matches!(scene.command(), Command::Measure { environment: Environment::Production, .. }) {
        scene.go();
    }
    let Input::Measured { samples, error } = scene.answer(&scene.command()) else { unreachable!() };
    scene.say(Input::Measured { samples: made(samples), error }).unwrap();
}

/// A plugin that says of the same windows that nothing of stable fails.
fn liars(samples: &[Sample]) -> Vec<Sample> {
    let mut lies = samples.to_vec();
    for sample in &mut lies {
        (sample.source, sample.observed_by_host) = ("liar".into(), false);
        for seen in sample.measurements.iter_mut().filter(|seen| seen.release == "old") {
            if let Observation::Rate(rate) = &mut seen.observation {
                rate.events = 0;
            }
        }
    }
    lies
}

/// Each metric that is remembered, with how many failed where that was counted; and whether the host saw it.
fn remembered(scene: &Scene) -> (Vec<(&str, Option<u64>)>, bool) {
    let member = scene.run.members().next().unwrap();
    let told = |seen: &'_ Measurement| match &seen.observation {
        Observation::Rate(rate) => Some(rate.events),
        Observation::Histogram(_) | Observation::Samples(_) => None,
    };
    let before = member.before(Environment::Production).iter().map(|seen| (seen.metric.as_str(), told(seen)));
    (before.collect(), member.was_observed())
}

#[test]
fn what_the_host_saw_is_remembered_of_each_metric_whatever_a_plugin_says_beside_it_and_after_it() {
    let mut scene = Scene::new(watched()).until_step(5);
    scene.stable_seen = (700, 1000);
    let all = [("error-rate", Some(700)), ("latency", None), (CRASH_LOOP, Some(0)), (PROBE, Some(0))];
    measured(&mut scene, |samples| [liars(&samples), samples].concat());
    assert_eq!(remembered(&scene), (all.to_vec(), true));
    // The host sees the candidate alone now.
    measured(&mut scene, |mut samples| {
        let lies = liars(&samples);
        samples.iter_mut().for_each(|sample| sample.measurements.retain(|seen| seen.release == "new"));
        [samples, lies].concat()
    });
    assert_eq!(remembered(&scene), (all.to_vec(), true));
}

#[test]
fn a_candidate_that_too_few_requests_speak_against_makes_no_lesser_evil_of_a_broken_stable() {
    let mut plan = watched();
    plan.hard_trip.min_samples = 100;
    let mut scene = Scene::new(plan).until_step(25);
    scene.stable_seen = (700, 1000);
    for _ in 0..3 {
        measured(&mut scene, |samples| samples);
    }
    // All fail, by half as many as it takes; how long they took is known of more.
    scene.seen = (50, 50);
    for _ in 0..20 {
        if scene.run.stable_broken().is_none() && scene.run.ending().is_none() {
            measured(&mut scene, |mut samples| {
                for sample in &mut samples {
                    let latency = |seen: &&mut Measurement| seen.metric == "latency" && seen.release == "new";
                    for seen in sample.measurements.iter_mut().filter(latency) {
                        seen.observation = Observation::Histogram(vec![Bucket { le: 0.5, count: 200 }]);
                    }
                    // A third release has traffic, too.
                    let window = sample.window.clone();
                    let (metric, unit, release) = ("error-rate".into(), "ratio".into(), "other".into());
                    let observation = Observation::Rate(Rate { events: 0, total: 1000 });
                    sample.measurements.push(Measurement { metric, unit, release, observation, window });
                }
                samples
            });
        }
    }
    assert_eq!(scene.run.ending(), None);
    let reason = scene.run.stable_broken().unwrap();
    assert!(reason.contains("does not go back to `old`, which is broken itself (hard trip: 700 of 1000"), "{reason}");
}

#[test]
fn where_plugins_alone_see_what_serves_it_is_by_their_word_that_the_candidate_is_the_greater_evil() {
    let mut scene = Scene::new(watched()).until_step(5);
    scene.seen = (199, 200);
    for _ in 0..20 {
        if scene.run.stable_broken().is_none() && scene.run.ending().is_none() {
            only_a_plugin_sees(&mut scene, 550);
        }
    }
    assert_eq!(scene.run.stable_broken(), None);
    assert!(matches!(scene.run.ending(), Some(Outcome::RolledBack { .. })), "{:?}", scene.run.ending());
}

#[test]
fn a_measurement_weighs_by_its_requests_and_a_sign_by_itself() {
    let of = |metric: &str, observation| {
        let window = Window { start: 0, end: 1 };
        weighs(
            &Measurement { metric: metric.into(), unit: String::new(), release: "old".into(), observation, window },
            20,
        )
    };
    let rate = |total| Observation::Rate(Rate { events: 0, total });
    let histogram = |counts: &[u64]| {
        Observation::Histogram(counts.iter().zip([0.5, 1.0]).map(|(&count, le)| Bucket { le, count }).collect())
    };
    assert!(of("error-rate", rate(20)) && !of("error-rate", rate(19)));
    assert!(
        of("latency", histogram(&[3, 20])) && !of("latency", histogram(&[3, 19])) && !of("latency", histogram(&[]))
    );
    assert!(of("latency", Observation::Samples(Vec::new())));
    assert!(of(CRASH_LOOP, rate(1)) && of(PROBE, rate(1)));
    assert!(!of(DESIGN_EFFECT, Observation::Samples(vec![2.0])));
}
