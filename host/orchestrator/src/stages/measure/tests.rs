//! What is seen of releases, and what is said where nothing is.

use std::collections::BTreeMap;

use autodevops_edge::Sample as Counts;
use autodevops_model::Release;
use autodevops_record::testing::Story;
use serde_json::json;

use super::*;
use crate::testing::{
    Answer, Door, Scene, answer, answer_to, is_shared, local_target, plugin, refusal, serves, target,
};

fn status(id: &str, phase: Phase, crash_loop: bool) -> ReleaseStatus {
    let release = Release { id: id.into(), artifact: "sha256:0".into(), commit: "c".into() };
    ReleaseStatus {
        release,
        phase,
        pid: None,
        restarts: 0,
        crash_loop,
        probe_fails: false,
        percent: 0,
        url: "http://127.0.0.1:1".into(),
    }
}

/// The signs that show, of which release.
fn shown(releases: &[ReleaseStatus], subject: &Subject) -> Vec<(String, String)> {
    let signs = signs_of(releases, subject, &Window { start: 0, end: 1 });
    let shows = |seen: &Measurement| matches!(&seen.observation, Observation::Rate(rate) if rate.events == 1);
    signs.into_iter().filter(shows).map(|seen| (seen.release, seen.metric)).collect()
}

#[test]
fn what_is_down_or_ends_again_and_again_shows_it_and_so_does_a_way_back_that_is_gone() {
    let subject =
        Subject { service: String::new(), candidate: "new".into(), baseline: None, stable: Some("old".into()) };
    let of = |release: &str, metric: &str| (release.to_owned(), metric.to_owned());
    let up = || status("new", Phase::Up, false);
    for (old, signs) in [
        (Some(status("old", Phase::Up, false)), vec![]),
        (Some(status("old", Phase::Starting, false)), vec![]),
        (Some(status("old", Phase::Down, false)), vec![of("old", PROBE)]),
        (Some(ReleaseStatus { probe_fails: true, ..status("old", Phase::Up, false) }), vec![of("old", PROBE)]),
        (Some(status("old", Phase::Starting, true)), vec![of("old", CRASH_LOOP)]),
        (None, vec![of("old", PROBE)]),
    ] {
        let releases: Vec<ReleaseStatus> = std::iter::once(up()).chain(old).collect();
        assert_eq!(shown(&releases, &subject), signs);
    }
    // Others are nobody's affair; a candidate that the front door does not know yet is left to the counts.
    assert_eq!(shown(&[status("older", Phase::Down, true)], &Subject { stable: None, ..subject }), []);
}

const WINDOW: Window = Window { start: 10, end: 20 };

fn subject() -> Subject {
    Subject { service: String::new(), candidate: "new".into(), baseline: Some("old".into()), stable: None }
}

/// What the front door counted of a release.
fn counted(release: &str, requests: u64, errors: u64, errors_of_many: u64) -> (String, Observed) {
    let traffic = Counts { requests, errors, errors_of_many, latency: vec![requests; 15], ..Counts::default() };
    let window = Window { start: 11, end: 19 };
    (release.to_owned(), Observed { release: release.to_owned(), window, traffic, preview: Counts::default() })
}

fn door(observed: &[(String, Observed)]) -> Door {
    let releases = vec![status("old", Phase::Up, false), status("new", Phase::Down, true)];
    Door { observed: observed.iter().cloned().collect(), releases, ..Door::default() }
}

/// A scene of a run with a share of the traffic, which the target says is so.
fn scene(target: fn(&[Answer]) -> crate::testing::Plugin, health: &[Answer], more: &str) -> (Scene, Run) {
    let shared = serves("production", &[("old", 95), ("new", 5)], Some("old"));
    let scene = Scene::open(&[target(&[shared]), plugin("health", Stage::HealthCheck, health)], more);
    let run = scene.run(&Story::default(), is_shared);
    (scene, run)
}

/// What a health check says: of a release, so many failed of so many.
fn says(release: &str, events: u64, total: u64) -> serde_json::Value {
    json!([{
        "metric": "error-rate", "unit": "ratio", "release": release,
        "observation": { "rate": { "events": events, "total": total } }, "window": { "start": 10, "end": 20 },
    }])
}

/// The rates that were seen, each with who saw it and of which release: the events, of the total.
fn rates(samples: &[Sample]) -> BTreeMap<(String, String, String), (u64, u64)> {
    let of = |sample: &Sample, seen: &Measurement| match &seen.observation {
        Observation::Rate(rate) => {
            Some(((sample.source.clone(), seen.release.clone(), seen.metric.clone()), (rate.events, rate.total)))
        }
        _ => None,
    };
    samples.iter().flat_map(|sample| sample.measurements.iter().filter_map(move |seen| of(sample, seen))).collect()
}

async fn measured(
    scene: &Scene,
    run: &Run,
    environment: Environment,
    subject: Subject,
) -> (Vec<Sample>, Option<String>) {
    match Stages::new(scene.project.clone()).measure(run, environment, &[subject], &[WINDOW]).await {
        Input::Measured { samples, error } => (samples, error),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn that_failures_come_in_clumps_by_client_is_told_of_the_release_of_which_the_front_door_says_so() {
    let (scene, run) = scene(local_target, &[], "");
    let (release, mut clumped) = counted("new", 40, 9, 9);
    clumped.traffic.design_effect = Some(3.5);
    door(&[(release, clumped), counted("old", 760, 2, 2)]).open(&scene);
    let (samples, _) = measured(&scene, &run, Environment::Production, subject()).await;
    let seen = samples.iter().flat_map(|sample| &sample.measurements).filter(|seen| seen.metric == DESIGN_EFFECT);
    let seen: Vec<_> = seen.map(|seen| (seen.release.as_str(), seen.observation.clone())).collect();
    assert_eq!(seen, [("new", Observation::Samples(vec![3.5]))]);
}

#[tokio::test]
async fn the_front_doors_counts_come_with_the_signs_and_what_health_checks_say() {
    let (scene, run) = scene(local_target, &[answer("measure", says("new", 3, 50))], "");
    door(&[counted("new", 40, 9, 4), counted("old", 760, 2, 2)]).open(&scene);
    let (samples, error) = measured(&scene, &run, Environment::Production, subject()).await;
    assert_eq!(error, None);
    let key = |source: &str, release: &str, metric: &str| (source.to_owned(), release.to_owned(), metric.to_owned());
    let expected = BTreeMap::from([
        (key("edge", "new", ERROR_RATE), (4, 40)),
        (key("edge", "new", ALL_ERRORS), (9, 40)),
        (key("edge", "old", ERROR_RATE), (2, 760)),
        (key("edge", "old", ALL_ERRORS), (2, 760)),
        (key("edge", "new", CRASH_LOOP), (1, 1)),
        (key("edge", "new", PROBE), (1, 1)),
        (key("edge", "old", CRASH_LOOP), (0, 1)),
        (key("edge", "old", PROBE), (0, 1)),
        (key("health", "new", ERROR_RATE), (3, 50)),
    ]);
    assert_eq!(rates(&samples), expected);
    let seen: Vec<(bool, &str)> =
        samples.iter().map(|sample| (sample.observed_by_host, sample.origin.publisher.as_str())).collect();
    assert_eq!(seen, [(true, ""), (false, "of-health")]);
    assert!(samples[0].measurements.iter().all(|seen| seen.metric != DESIGN_EFFECT), "they are as good as independent");
    let latency = samples[0].measurements.iter().find(|seen| seen.metric == "latency").unwrap();
    assert_eq!(latency.window, Window { start: 11, end: 19 }, "the window that the counts cover");
    assert_eq!(samples[0].window, WINDOW, "the window that was asked for");
}

#[tokio::test]
async fn a_health_checks_own_metric_decides_beside_what_the_front_door_counted_and_passes_nothing_without() {
    use autodevops_model::Outcome;
    use autodevops_pipeline::{Plan, Round, Rule, Trigger, judge};

    let mut plan = Plan::defaults("shop");
    plan.triggers = vec![
        Trigger::new(ERROR_RATE, Rule::RateAbove(0.05)),
        Trigger { window: std::time::Duration::from_nanos(10), ..Trigger::new("checkouts", Rule::RateBelow(0.9)) },
    ];
    for (checkouts, is_open, expected) in
        [(500, true, Outcome::Passed), (300, true, Outcome::Failed), (500, false, Outcome::Inconclusive)]
    {
        let mut told = says("new", checkouts, 500);
        told[0]["metric"] = "checkouts".into();
        let (scene, run) = scene(local_target, &[answer("measure", told)], "");
        if is_open {
            let releases = ["old", "new"].map(|id| status(id, Phase::Up, false)).to_vec();
            Door { releases, ..door(&[counted("new", 500, 0, 0), counted("old", 9500, 0, 0)]) }.open(&scene);
        }
        let (samples, _) = measured(&scene, &run, Environment::Production, subject()).await;
        let round = Round {
            samples: &samples,
            candidate: "new",
            baseline: Some("old"),
            fresh: false,
            before: &[],
            strikes: &[],
            whole: &WINDOW,
            independent: true,
            percent: 50,
            chances: 1,
        };
        let judgement = judge(&plan, &round);
        assert_eq!(judgement.outcome, expected, "{checkouts}: {:?}", judgement.verdicts);
    }
}

#[tokio::test]
async fn what_cannot_be_observed_is_said_once_and_holds_nothing_up() {
    let (scene, run) = scene(local_target, &[answer("measure", refusal("unavailable", "no line"))], "");
    door(&[counted("old", 760, 2, 2)]).open(&scene);
    let (samples, error) = measured(&scene, &run, Environment::Production, subject()).await;
    assert_eq!(rates(&samples).len(), 0, "{samples:?}");
    let error = error.unwrap();
    assert!(error.starts_with("invalid input: there is no such release; health check `health`: "), "{error}");
    assert!(error.ends_with("no line"), "{error}");
}

#[tokio::test]
async fn a_way_back_without_traffic_has_no_counts_and_one_with_some_has() {
    let of_stable = Subject { stable: Some("older".into()), ..subject() };
    for (older, expected) in [(None, 0), (Some((0, 0)), 0), (Some((7, 1)), 1)] {
        let (scene, run) = scene(local_target, &[answer("measure", json!([]))], "");
        let mut observed = vec![counted("new", 40, 0, 0), counted("old", 0, 0, 0)];
        observed.extend(older.map(|(requests, errors)| counted("older", requests, errors, errors)));
        door(&observed).open(&scene);
        let (samples, error) = measured(&scene, &run, Environment::Production, of_stable.clone()).await;
        assert_eq!(error, None);
        let rates = rates(&samples);
        let of = |release: &str| rates.keys().filter(|(_, of, metric)| of == release && metric == ERROR_RATE).count();
        assert_eq!(
            (of("older"), of("old"), of("new")),
            (expected, 1, 1),
            "one to compare with has its counts, if none"
        );
    }
}

#[tokio::test]
async fn a_target_of_its_own_is_measured_by_health_checks_alone() {
    let (scene, run) = scene(target, &[answer_to("measure", "new", says("new", 3, 50))], "");
    let door = door(&[counted("new", 40, 9, 4)]);
    let calls = door.calls.clone();
    door.open(&scene);
    let (samples, error) = measured(&scene, &run, Environment::Production, subject()).await;
    assert_eq!((rates(&samples).len(), error), (1, None));
    let glance = Glance { environment: Environment::Production, subjects: vec![subject()], windows: vec![WINDOW] };
    assert_eq!(Stages::new(scene.project.clone()).glance(&run, &glance).await, []);
    assert_eq!(*calls.lock().unwrap(), [""; 0], "the front door is nobody's");
}

#[tokio::test]
async fn staging_is_measured_by_its_own_health_checks() {
    let (scene, run) = scene(target, &[answer("measure", says("new", 3, 50))], "");
    assert_eq!(measured(&scene, &run, Environment::Staging, subject()).await, (Vec::new(), None));
    let (scene, run) =
        self::scene(target, &[answer("measure", says("new", 3, 50))], "[staging]\nhealth-checks = [\"health\"]\n");
    assert_eq!(measured(&scene, &run, Environment::Staging, subject()).await.0.len(), 1);
}

#[tokio::test]
async fn production_is_not_measured_where_someone_deployed_past_the_run_and_staging_is() {
    let answers = [serves("production", &[("by-hand", 100)], Some("by-hand"))];
    let scene = Scene::open(
        &[target(&answers), plugin("health", Stage::HealthCheck, &[answer("measure", says("new", 3, 50))])],
        "",
    );
    let run = scene.run(&Story::default(), is_shared);
    let stages = Stages::new(scene.project.clone());
    let said = stages.measure(&run, Environment::Production, &[subject()], &[WINDOW]).await;
    assert!(matches!(&said, Input::Serving { found, .. } if found[0].splits[0].release == "by-hand"), "{said:?}");
    assert_eq!(measured(&scene, &run, Environment::Staging, subject()).await, (Vec::new(), None));
}

#[tokio::test]
async fn a_glance_is_of_what_the_front_door_counted_and_leaves_the_probe_to_the_measurements() {
    let (scene, run) = scene(local_target, &[], "");
    door(&[counted("new", 40, 9, 4), counted("old", 760, 2, 2)]).open(&scene);
    let glance = |subject: Subject| Glance {
        environment: Environment::Production,
        subjects: vec![subject],
        windows: vec![WINDOW],
    };
    let stages = Stages::new(scene.project.clone());
    let seen = stages.glance(&run, &glance(subject())).await;
    let metrics: Vec<String> =
        rates(&seen).into_keys().map(|(_, release, metric)| format!("{release} {metric}")).collect();
    let expected = [ALL_ERRORS, CRASH_LOOP, ERROR_RATE];
    let expected: Vec<String> =
        ["new", "old"].iter().flat_map(|release| expected.map(|metric| format!("{release} {metric}"))).collect();
    assert_eq!(metrics, expected);
    let unknown = Subject { candidate: "newer".into(), ..subject() };
    assert_eq!(stages.glance(&run, &glance(unknown)).await, [], "half of it is nothing");
    let other = Subject { service: "cart".into(), ..subject() };
    assert_eq!(stages.glance(&run, &glance(other)).await, []);
}

#[tokio::test]
async fn a_renewal_says_whose_lease_had_run_out() {
    for (returned_at, is_back) in [(None, false), (Some(5), true)] {
        let (scene, run) = scene(local_target, &[], "");
        let door = Door { returned_at, ..door(&[]) };
        let calls = door.calls.clone();
        door.open(&scene);
        let returned = Stages::new(scene.project.clone()).renew(&run).await;
        assert_eq!(returned, vec![String::new(); usize::from(is_back)]);
        assert_eq!(calls.lock().unwrap().iter().filter(|call| *call == "renew").count(), 1);
    }
    // Who has all of the traffic or none has nothing to renew; nor has another target.
    for target in [local_target as fn(&[Answer]) -> _, target] {
        for shares in [false, true] {
            let scene = Scene::open(&[target(&[])], "");
            let run = scene.run(&Story::default(), |run| !shares || is_shared(run));
            let door = Door { returned_at: Some(5), ..Door::default() };
            let calls = door.calls.clone();
            door.open(&scene);
            let returned = Stages::new(scene.project.clone()).renew(&run).await;
            let expected = shares && scene.project.is_local();
            assert_eq!(returned.len(), usize::from(expected));
            assert_eq!(calls.lock().unwrap().iter().any(|call| call == "renew"), expected);
        }
    }
    // Once it goes back, what came back is no news.
    let scene = Scene::open(&[local_target(&[])], "");
    let ends = |run: &Run| {
        run.ending().is_some() && run.members().any(|member| member.traffic(Environment::Production).len() > 1)
    };
    let run = scene.run(&Story { candidate_errors: 200, ..Story::default() }, ends);
    Door { returned_at: Some(5), ..Door::default() }.open(&scene);
    assert_eq!(Stages::new(scene.project.clone()).renew(&run).await, [""; 0]);
}
