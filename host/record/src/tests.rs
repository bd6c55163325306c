//! What stories come to.

use std::{collections::BTreeMap, time::Duration};

use autodevops_model::IssueKind;
use autodevops_pipeline::{Awaited, Event, EventKind, Timestamp};
use proptest::prelude::*;

use crate::{
    testing::{BEGIN, Story},
    *,
};

const HOUR: Duration = Duration::from_secs(3600);

fn question() -> Question {
    Question { service: None, environment: None, since: None, until: BEGIN.after(24 * HOUR) }
}

fn attempts(runs: &[Vec<Event>]) -> Vec<Attempt> {
    settled(runs.iter().flat_map(|run| of_run(run).unwrap()).map(|attempt| Entry::Attempt(Box::new(attempt))))
}

fn by_hand(release: &str, hours: u32, ending: Ending) -> Attempt {
    let at = BEGIN.after(hours * HOUR);
    let served = (ending == Ending::Kept).then_some(at);
    Attempt {
        release: Some(release.into()),
        exposed: served,
        served,
        ended: Some(at),
        ending: Some(ending),
        ..Attempt::begun("shop", "production", true, By::Person("ada".into()), at.before(Duration::from_secs(30)))
    }
}

fn production(report: &Report) -> &Group {
    report.groups.iter().find(|group| group.production).unwrap()
}

#[test]
fn a_healed_run_is_kept_in_both_environments_and_waiting_is_told_apart() {
    let events = Story::healed();
    let attempts = of_run(&events).unwrap();
    let [staging, production] = attempts.as_slice() else { panic!("{attempts:#?}") };
    assert_eq!((staging.ending, production.ending), (Some(Ending::Kept), Some(Ending::Kept)));
    assert_eq!((staging.production, production.production), (false, true));
    assert_eq!(staging.waited, Duration::ZERO, "nobody was asked before staging was passed");
    assert_eq!(production.waited, Duration::from_secs(120));
    let whole = Duration::from_nanos((production.served.unwrap().0 - production.began.0) as u64);
    assert_eq!(production.active().unwrap() + production.waited, whole);
    // Steps of a minute each, before the last one serves everyone.
    assert!(production.active().unwrap() >= Duration::from_secs(180));
    assert_eq!(production.fault_since, Some(BEGIN.before(Duration::from_secs(300))));
    assert!(
        production.committed.unwrap() > production.began && production.exposed.unwrap() > production.committed.unwrap()
    );
    assert_eq!(production.restored, None);
}

#[test]
fn what_was_seen_of_the_releases_is_added_up_over_the_watches() {
    let attempts = of_run(&Story::healed()).unwrap();
    let production = &attempts[1];
    // Three steps of a minute at 40 requests a second, halved; then the last step and the monitoring.
    assert_eq!((production.stable.requests, production.shared.requests), (3600, 3600));
    assert_eq!(production.alone.requests, 4800);
    assert_eq!((production.stable.errors, production.shared.errors, production.alone.errors), (108, 0, 0));
    assert_eq!(production.alone.time, Duration::from_secs(120));
    assert!(production.stable.p95.unwrap() > production.alone.p95.unwrap());
}

#[test]
fn a_release_that_fails_in_production_was_kept_in_staging_and_is_rolled_back() {
    let attempts = of_run(&Story::rolled_back()).unwrap();
    let [staging, production] = attempts.as_slice() else { panic!("{attempts:#?}") };
    assert_eq!((staging.ending, production.ending), (Some(Ending::Kept), Some(Ending::RolledBack)));
    assert_eq!(production.served, None);
    assert!(production.restored.unwrap() > production.exposed.unwrap());
    let report = report(std::slice::from_ref(production), &[], &question());
    let dora = report.groups[0].dora.unwrap();
    assert_eq!(dora.change_failure, Share { of: 1, total: 1 });
    assert_eq!((dora.lead_time, dora.time_to_restore), (None, None));
    assert_eq!(dora.time_to_roll_back.unwrap().count, 1);
}

#[test]
fn a_run_that_nobody_answers_waited_for_all_of_that_time() {
    let attempts = of_run(&Story::escalated()).unwrap();
    let production = &attempts[1];
    assert_eq!(production.ending, Some(Ending::RolledBack), "it had 5 % of the traffic");
    assert_eq!(production.waited, Duration::from_secs(600));
}

#[test]
fn a_run_that_ends_before_a_deploy_made_no_attempt() {
    let events = Story { builds: false, ..Story::default() }.events();
    assert!(matches!(events.last().unwrap().event, EventKind::Finished { .. }));
    assert_eq!(of_run(&events).unwrap(), []);
}

#[test]
fn a_run_under_way_counts_as_that_and_as_nothing_else() {
    let events = Story::healed();
    let part = &events[..events.len() / 2];
    let attempts = attempts(&[part.to_vec()]);
    assert!(attempts.iter().any(|attempt| attempt.production && attempt.ending.is_none()));
    let report = report(&attempts, &[], &question());
    let group = production(&report);
    assert_eq!((group.under_way, group.success.total, group.active), (1, 0, None));
}

#[test]
fn rates_and_the_four_of_dora_are_of_what_is_over() {
    let later = |run: &str, hours: u32| Story { run: run.into(), at: BEGIN.after(hours * HOUR), ..Story::default() };
    let runs = [
        Story::healed(),
        Story { candidate_errors: 120, ..later("b", 2) }.events(),
        later("c", 4).events(),
        Story { builds: false, ..later("d", 5) }.events(),
    ];
    let mut attempts = attempts(&runs);
    attempts.push(by_hand("x", 6, Ending::Kept));
    attempts.push(by_hand("y", 7, Ending::Stopped));
    let question = Question { environment: Some("production".into()), since: Some(BEGIN), ..question() };
    let report = report(&attempts, &[], &question);
    assert_eq!(report.groups.len(), 1);
    let group = &report.groups[0];
    assert_eq!((group.success, group.rollback), (Share { of: 3, total: 5 }, Share { of: 1, total: 5 }));
    let dora = group.dora.unwrap();
    assert_eq!(dora.deployments_per_day, 3.0);
    assert_eq!(dora.change_failure, Share { of: 1, total: 4 });
    assert_eq!((dora.lead_time.unwrap().count, dora.time_to_restore.unwrap().count), (2, 2));
    assert!(dora.time_to_restore.unwrap().median > 300.0, "the fault was seen five minutes before the run");
    let impact = group.performance.unwrap();
    assert_eq!(impact.attempts, 3);
    let rate = impact.error_rate.unwrap();
    assert!(rate.before > 0.02 && rate.after < rate.before, "{rate:?}");
    assert_eq!(group.series.kept.iter().sum::<u32>(), 3);
    assert_eq!(group.series.failed.iter().sum::<u32>(), 2);
}

#[test]
fn a_release_that_a_person_took_back_later_counts_as_rolled_back() {
    let attempt = |release, hours| Entry::Attempt(Box::new(by_hand(release, hours, Ending::Kept)));
    let taken = TakenBack {
        service: "shop".into(),
        environment: "production".into(),
        release: "b".into(),
        by: "ada".into(),
        at: BEGIN.after(3 * HOUR),
    };
    let attempts = settled([Entry::TakenBack(taken), attempt("b", 2), attempt("a", 1)]);
    let endings: Vec<_> = attempts.iter().map(|one| (one.release.as_deref().unwrap(), one.ending.unwrap())).collect();
    assert_eq!(endings, [("a", Ending::Kept), ("b", Ending::RolledBack)]);
    let report = report(&attempts, &[], &question());
    assert_eq!(production(&report).dora.unwrap().time_to_roll_back.unwrap().median, 3600.0);
}

#[test]
fn complaints_are_counted_over_as_long_before_as_after() {
    let attempts = attempts(&[Story::healed()]);
    let report_of = |complaints: &[Complaint]| production(&report(&attempts, complaints, &question())).satisfaction;
    assert_eq!(report_of(&[]), None, "none were ever taken in");
    let of = |service: &str, at: Timestamp| Complaint { service: service.into(), at };
    assert_eq!(report_of(&[of("another", BEGIN)]), None);

    let production = attempts.iter().find(|attempt| attempt.production).unwrap();
    let (exposed, served) = (production.exposed.unwrap(), production.served.unwrap());
    let second = Duration::from_secs(1);
    let complaints = [
        of("shop", exposed.before(second)),
        of("shop", exposed.before(119 * second)),
        of("shop", exposed.before(121 * second)),
        of("shop", exposed),
        of("shop", served),
        of("shop", served.after(120 * second)),
    ];
    let satisfaction = report_of(&complaints).unwrap();
    assert_eq!((satisfaction.before.complaints, satisfaction.before.requests), (2, 4800));
    assert_eq!((satisfaction.after.complaints, satisfaction.after.requests), (1, 4800));
    assert_eq!(satisfaction.after.per_thousand, Some(1.0 / 4.8));
    assert_eq!(satisfaction.taken_in, 6, "of the whole span of time");
    // Staging has no users who could complain.
    let staging = report(&attempts, &complaints, &question()).groups.into_iter().find(|group| !group.production);
    assert_eq!(staging.unwrap().satisfaction, None);
    // Deploys by hand are watched by nobody.
    let (by_hand, whole) = ([by_hand("a", 1, Ending::Kept)], Question { since: Some(BEGIN), ..question() });
    let told = crate::tests::production(&report(&by_hand, &complaints, &whole)).satisfaction.unwrap();
    assert_eq!((told.before.requests, told.after.requests, told.taken_in), (0, 0, 6));
}

#[test]
fn an_attempt_is_read_back_as_it_was_kept() {
    let (healed, rolled_back) = (of_run(&Story::healed()).unwrap(), of_run(&Story::rolled_back()).unwrap());
    for attempt in healed.into_iter().chain(rolled_back) {
        let entry = Entry::Attempt(Box::new(attempt));
        let text = serde_json::to_string(&entry).unwrap();
        assert!(text.len() < 2000, "{} bytes: it is kept for good", text.len());
        assert_eq!(serde_json::from_str::<Entry>(&text).unwrap(), entry);
    }
}

#[test]
fn a_fault_seen_in_the_future_or_never_began_with_the_run() {
    for first_seen in [None, Some(BEGIN.after(HOUR).0)] {
        let mut events = Story::default().events();
        let EventKind::Started { issue, .. } = &mut events[0].event else { panic!("it starts otherwise") };
        issue.first_seen = first_seen;
        issue.kind = IssueKind::Anomaly;
        assert_eq!(of_run(&events).unwrap()[1].fault_since, Some(BEGIN));
    }
}

#[test]
fn prometheus_is_told_each_number_once_for_each_place() {
    let second = Story { run: "b".into(), at: BEGIN.after(HOUR), candidate_errors: 120, ..Story::default() };
    let attempts = attempts(&[Story::healed(), second.events()]);
    let text = exposition(&attempts, &[Complaint { service: "shop".into(), at: BEGIN }]);
    for line in [
        "# TYPE autodevops_deployments counter",
        r#"autodevops_deployments_total{service="shop",environment="production",outcome="kept"} 1"#,
        r#"autodevops_deployments_total{service="shop",environment="production",outcome="rolled-back"} 1"#,
        r#"autodevops_deployments_total{service="shop",environment="staging",outcome="kept"} 2"#,
        r#"autodevops_deployments_under_way{service="shop",environment="production"} 0"#,
        r#"autodevops_time_to_deploy_seconds_sum{service="shop",environment="production",part="waiting"} 120.0"#,
        r#"autodevops_time_to_roll_back_seconds_count{service="shop",environment="production"} 1"#,
        r#"autodevops_complaints_total{service="shop"} 1"#,
        "# EOF",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    for name in ["lead_time", "time_to_restore", "time_to_roll_back"] {
        let count = |environment: &str| {
            text.contains(&format!("autodevops_{name}_seconds_count{{service=\"shop\",environment=\"{environment}\"}}"))
        };
        assert!(count("production") && !count("staging"), "{name} is of what serves people:\n{text}");
    }
}

/// The counters, by the name and labels of each.
fn counters(text: &str) -> BTreeMap<&str, f64> {
    let is_counter =
        |name: &&str| ["_total", "_count", "_sum", "_bucket"].iter().any(|end| name.contains(&format!("{end}{{")));
    text.lines()
        .filter_map(|line| line.rsplit_once(' '))
        .filter(|(name, _)| is_counter(name))
        .map(|(name, value)| (name, value.parse().unwrap()))
        .collect()
}

#[test]
fn no_counter_falls_when_a_person_takes_a_release_back() {
    let healed = of_run(&Story::healed()).unwrap();
    let production = healed.iter().find(|attempt| attempt.production).unwrap();
    let taken = TakenBack {
        service: production.service.clone(),
        environment: production.environment.clone(),
        release: production.release.clone().unwrap(),
        by: "ada".into(),
        at: production.ended.unwrap().after(HOUR),
    };
    let entries: Vec<Entry> = healed.into_iter().map(|attempt| Entry::Attempt(Box::new(attempt))).collect();
    let before = exposition(&settled(entries.clone()), &[]);
    let after = exposition(&settled(entries.into_iter().chain([Entry::TakenBack(taken)])), &[]);
    let (before, after) = (counters(&before), counters(&after));
    assert!(before.len() > 40, "{before:?}");
    for (name, value) in before {
        assert!(after[name] >= value, "{name} falls from {value} to {}", after[name]);
    }
    assert_eq!(after[r#"autodevops_taken_back_total{service="shop",environment="production"}"#], 1.0);
}

#[test]
fn the_wait_for_another_runs_services_is_no_active_time() {
    let story = Story { services: vec!["cart".into(), "shop".into()], ..Story::default() };
    let mut events = story.events();
    let before = of_run(&events).unwrap();
    let index = events.iter().position(|event| matches!(event.event, EventKind::ServicesClaimed { .. })).unwrap();
    let of = Awaited { run: "another".into(), services: vec!["cart".into()] };
    let waits = Event { event: EventKind::ServicesAwaited { of }, ..events[index].clone() };
    for event in &mut events[index..] {
        event.at = event.at.after(HOUR);
    }
    events.insert(index, waits);
    for (before, after) in before.iter().zip(of_run(&events).unwrap()) {
        assert_eq!((after.waited, after.active()), (before.waited + HOUR, before.active()), "{}", after.environment);
    }
}

proptest! {
    #[test]
    fn whatever_happened_each_attempt_is_counted_once(
        endings in proptest::collection::vec((0_u32..48, 0_usize..4, any::<bool>()), 0..40), since in 0_u32..24,
    ) {
        let attempts: Vec<Attempt> = endings.iter().map(|(hours, ending, shop)| {
            let ending = [Some(Ending::Kept), Some(Ending::RolledBack), Some(Ending::Stopped), None][*ending];
            let mut attempt = by_hand("r", *hours, ending.unwrap_or(Ending::Kept));
            attempt.ending = ending;
            attempt.ended = ending.and(attempt.ended);
            attempt.service = if *shop { "shop" } else { "bank" }.into();
            attempt
        }).collect();
        let from = BEGIN.after(since * HOUR);
        let question = Question { since: Some(from), until: BEGIN.after(30 * HOUR), ..question() };
        let report = report(&attempts, &[], &question);
        let counted: u64 = report.groups.iter().map(|group| group.under_way + group.success.total).sum();
        let inside = attempts.iter().filter(|attempt| from <= attempt.at() && attempt.at() < question.until).count();
        prop_assert_eq!(counted, inside as u64);
        for group in &report.groups {
            prop_assert!(group.success.of + group.rollback.of <= group.success.total);
            let drawn: u32 = group.series.kept.iter().chain(&group.series.failed).sum();
            prop_assert_eq!(u64::from(drawn), group.success.total);
        }
    }
}
