use autodevops_policy::{EffectiveGrant, Limits};

use super::*;

fn ledger(records: u32) -> Ledger {
    let limits = Limits { records, ..Limits::default() };
    let quota = Quota::new("a".into(), Arc::new(EffectiveGrant { limits, ..EffectiveGrant::default() }));
    Ledger::new(quota, Scrubber::default())
}

fn open(path: impl Into<String>, write: bool) -> Operation {
    Operation::Open { path: path.into(), write }
}

fn get(url: &str) -> Operation {
    Operation::Http { method: "GET".into(), url: url.into() }
}

/// As the host functions do it: one host call after the other.
fn at(ledger: &mut Ledger, nanoseconds: u64) -> &mut Ledger {
    ledger.entered(Duration::from_nanos(nanoseconds));
    ledger
}

fn told(ledger: &mut Ledger) -> Vec<String> {
    let show = |record: Record| {
        let Record { operation, summary, count, .. } = record;
        let reason = record.reason.map_or(String::new(), |reason| format!(": {reason}"));
        format!("{count}×{operation} {summary}{reason}")
    };
    ledger.take().into_iter().map(show).collect()
}

#[test]
fn equal_operations_are_one_record_in_whatever_order_they_come() {
    let mut ledger = ledger(10);
    for index in 0..30_000 {
        at(&mut ledger, index).enter(Operation::Clock, None).unwrap();
        at(&mut ledger, index).enter(Operation::Random, Some(Refusal::NotGranted)).unwrap();
        at(&mut ledger, index).enter(Operation::KeyValue("b".into()), None).unwrap();
        ledger.passes(2);
        ledger.returned(Duration::from_nanos(3));
    }
    let records = ledger.take();
    let [clock, random, bucket] = &records[..] else { panic!("{records:?}") };
    assert_eq!((clock.operation, clock.count, clock.allowed), ("clock", 30_000, true));
    assert_eq!((random.operation, random.count, random.reason.as_deref()), ("random", 30_000, Some("not granted")));
    assert_eq!((bucket.count, bucket.bytes, bucket.duration.as_nanos()), (30_000, 60_000, 90_000));
    assert_eq!(bucket.at, Duration::ZERO, "the first time");
}

#[test]
fn what_a_call_waits_for_when_it_ends_is_on_record_as_cut_off() {
    let mut ledger = ledger(10);
    at(&mut ledger, 1).enter(get("https://a.example/answered"), None).unwrap();
    let answered = ledger.request();
    answered.answered(200);
    ledger.returned(Duration::ZERO);
    at(&mut ledger, 2).enter(get("https://a.example/waiting"), None).unwrap();
    let _waiting = ledger.request();
    ledger.returned(Duration::ZERO);
    at(&mut ledger, 3).enter(Operation::Mail("ada@example.com".into()), None).unwrap();
    ledger.returned(Duration::ZERO);
    at(&mut ledger, 4).enter(Operation::Mail("ada@example.com".into()), None).unwrap();
    ledger.returned(Duration::ZERO);
    ledger.cut(true);
    let cut = "cut off by the end of the call; it may have been done";
    let expected = [
        "1×http GET https://a.example/answered (200)".to_owned(),
        format!("1×http GET https://a.example/waiting: {cut}"),
        "1×mail ada@example.com".to_owned(),
        format!("1×mail ada@example.com: {cut}"),
    ];
    assert_eq!(told(&mut ledger), expected);
    // One that computed when its time was over waited for nothing.
    at(&mut ledger, 5).enter(Operation::Mail("ada@example.com".into()), None).unwrap();
    ledger.returned(Duration::ZERO);
    ledger.cut(false);
    assert_eq!(told(&mut ledger), ["1×mail ada@example.com"]);
}

#[test]
fn looks_beyond_what_is_told_apart_are_counted_and_take_no_room_of_acts() {
    let mut ledger = ledger(3);
    for index in 0..MOST_LOOKS + 5 {
        ledger.entered(Duration::ZERO);
        ledger.enter(open(format!("f{index}"), false), None).unwrap();
    }
    for index in 0..7 {
        ledger.entered(Duration::ZERO);
        ledger.enter(Operation::KeyValue(index.to_string()), None).unwrap();
    }
    at(&mut ledger, 1).enter(open("f1", true), None).unwrap();
    at(&mut ledger, 2).enter(get("https://a.example/"), Some(Refusal::NotGranted)).unwrap();
    at(&mut ledger, 3).enter(open("f1", false), None).unwrap();
    let told = told(&mut ledger);
    assert_eq!(told.len(), MOST_LOOKS + 4);
    for expected in [
        "2×open f1",
        "1×open f1 (write)",
        "5×open (others)",
        "7×keyvalue (others)",
        "1×http GET https://a.example/: not granted",
    ] {
        assert!(told.iter().any(|told| told == expected), "{expected}");
    }
}

#[test]
fn an_act_or_a_refusal_that_cannot_be_told_apart_any_more_is_refused_and_says_by_what() {
    let mut ledger = ledger(3);
    at(&mut ledger, 1).enter(open("a", true), None).unwrap();
    at(&mut ledger, 2).enter(get("https://a.example/"), Some(Refusal::NotGranted)).unwrap();
    at(&mut ledger, 3).enter(open("b", true), None).unwrap();
    for index in 0..3 {
        let over = at(&mut ledger, 4).enter(open(format!("c{index}"), true), None).unwrap_err();
        assert_eq!(over.limit, Limit::Records);
    }
    let over = at(&mut ledger, 5).enter(get("https://b.example/"), Some(Refusal::NotGranted)).unwrap_err();
    assert!(over.to_string().contains("raise `limits.records`"), "{over}");
    at(&mut ledger, 6).enter(open("a", true), None).expect("it is there already");
    at(&mut ledger, 7).enter(Operation::Log, None).expect("it has no target");
    let expected = [
        "2×open a (write)",
        "1×http GET https://a.example/: not granted",
        "1×open b (write)",
        "3×open (others): over limits.records",
        "1×http (others): over limits.records",
        "1×log ",
    ];
    assert_eq!(told(&mut ledger), expected);
    at(&mut ledger, 8).enter(open("c", true), None).expect("what was taken makes room for a session's next call");
}

#[test]
fn what_was_done_to_the_local_target_is_told_with_its_target() {
    let mut ledger = ledger(2);
    let set = |target: &str| Operation::LocalTarget { function: "traffic.set", target: target.into() };
    at(&mut ledger, 1).enter(set("staging r1 100%"), None).unwrap();
    at(&mut ledger, 2).enter(set("production r1 100%"), None).unwrap();
    at(&mut ledger, 3).enter(set("production r2 100%"), None).unwrap_err();
    let expected = [
        "1×local-target traffic.set staging r1 100%",
        "1×local-target traffic.set production r1 100%",
        "1×local-target (others): over limits.records",
    ];
    assert_eq!(told(&mut ledger), expected);
}

#[test]
fn what_is_refused_after_all_counts_as_that_alone() {
    let mut ledger = ledger(100);
    for _ in 0..2 {
        at(&mut ledger, 1).enter(open("a", false), None).unwrap();
    }
    ledger.refuse(&Refusal::NotPermitted).unwrap();
    // A rename is about two.
    at(&mut ledger, 2).enter(open("../b", true), None).unwrap();
    ledger.enter(open("c", true), None).unwrap();
    ledger.passes(7);
    ledger.refuse(&Refusal::NotPermitted).unwrap();
    ledger.refuse(&Refusal::TooLong).unwrap();
    ledger.returned(Duration::from_nanos(9));
    let records = ledger.take();
    let told: Vec<_> =
        records.iter().map(|record| (record.summary.as_str(), record.reason.is_some(), record.count)).collect();
    assert_eq!(told, [("a", false, 1), ("a", true, 1), ("../b (write)", true, 1), ("c (write)", true, 1)]);
    assert_eq!((records[3].bytes, records[3].duration.as_nanos()), (7, 9));
    assert!(records[3].reason.as_deref().unwrap().contains("granted folder"), "the first reason counts");
}

/// So many files are looked at, each another one.
fn look_at_many(ledger: &mut Ledger) {
    for index in 0..MOST_LOOKS {
        at(ledger, 1).enter(open(format!("f{index}"), false), None).unwrap();
    }
}

#[test]
fn a_forbidden_look_is_told_with_what_it_was_at_whatever_was_looked_at_before() {
    let mut ledger = ledger(1);
    look_at_many(&mut ledger);
    at(&mut ledger, 2).enter(open("g", false), None).unwrap();
    at(&mut ledger, 3).enter(open("../secret/key", false), None).unwrap();
    ledger.passes(5);
    ledger.refuse(&Refusal::NotPermitted).unwrap();
    ledger.refuse(&Refusal::TooLong).unwrap();
    let told = told(&mut ledger);
    assert_eq!(told.len(), MOST_LOOKS + 2);
    assert!(told.contains(&"1×open (others)".to_owned()), "the one that was allowed");
    let denied: Vec<&String> = told.iter().filter(|told| told.contains("outside")).collect();
    assert!(matches!(&denied[..], [one] if one.starts_with("1×open ../secret/key: ")), "{denied:?}");
}

#[test]
fn a_late_refusal_without_room_goes_over_the_limit() {
    let mut ledger = ledger(1);
    for path in ["../a", "../b", "../c"] {
        at(&mut ledger, 1).enter(open(path, false), None).unwrap();
        let refused = ledger.refuse(&Refusal::NotPermitted);
        assert_eq!(refused.err().map(|over| over.limit), (path != "../a").then_some(Limit::Records), "{path}");
    }
    assert_eq!(ledger.quota.exceeded().unwrap().limit, Limit::Records);
    let [first, others] = &told(&mut ledger)[..] else { panic!("two records") };
    assert!(first.starts_with("1×open ../a: outside"), "{first}");
    assert_eq!(others, "2×open (others): over limits.records");
}

#[test]
fn a_host_call_whose_answer_did_not_arrive_is_told_as_refused_and_no_other() {
    let mut ledger = ledger(10);
    for _ in 0..3 {
        at(&mut ledger, 1).enter(Operation::Clock, None).unwrap();
        ledger.returned(Duration::from_nanos(1));
    }
    ledger.refuse(&Refusal::NotPermitted).unwrap();
    ledger.refuse_before(&Refusal::Over(Limit::Resources)).unwrap();
    ledger.refuse_before(&Refusal::Over(Limit::Output)).unwrap();
    at(&mut ledger, 2).enter(Operation::Random, None).unwrap();
    ledger.returned(Duration::from_nanos(1));
    // One whose arguments the engine did not take: nobody asked.
    ledger.entered(Duration::from_nanos(3));
    ledger.returned(Duration::from_nanos(1));
    ledger.refuse_before(&Refusal::Over(Limit::Output)).unwrap();
    assert_eq!(told(&mut ledger), ["2×clock ", "1×clock : over limits.resources", "1×random "]);
}

#[test]
fn a_requests_record_says_what_became_of_each() {
    let mut ledger = ledger(100);
    let mut sent = Vec::new();
    for (index, status) in [200, 200, 500, 0].into_iter().enumerate() {
        at(&mut ledger, index as u64).enter(get("https://a.example/x?token=1"), None).unwrap();
        let outcome = ledger.request();
        outcome.passed(10);
        outcome.answered(status);
        ledger.returned(Duration::from_nanos(1));
        sent.push(outcome);
    }
    sent[1].refuse(Refusal::Over(Limit::HttpReceived));
    sent[3].refuse(Refusal::Address("10.0.0.1".parse().unwrap()));
    sent[3].refuse(Refusal::Method);
    let records = ledger.take();
    let told: Vec<_> = records
        .iter()
        .map(|record| (record.summary.as_str(), record.reason.as_deref(), record.count, record.bytes))
        .collect();
    let expected = [
        ("GET https://a.example/x (200)", None, 1, 10),
        ("GET https://a.example/x (200)", Some("over limits.http-received"), 1, 10),
        ("GET https://a.example/x (500)", None, 1, 10),
        ("GET https://a.example/x", Some("10.0.0.1 is no address that was granted"), 1, 10),
    ];
    assert_eq!(told, expected);
}

#[test]
fn a_request_that_goes_on_beyond_its_call_is_told_when_it_is_refused_later() {
    let mut ledger = ledger(100);
    let request = |ledger: &mut Ledger| {
        at(ledger, 1).enter(get("https://a.example/"), None).unwrap();
        ledger.request()
    };
    let (later, ended) = (request(&mut ledger), request(&mut ledger));
    assert_eq!(told(&mut ledger), ["2×http GET https://a.example/"]);
    drop(ended);
    assert_eq!(told(&mut ledger), [""; 0]);
    later.answered(200);
    assert!(!ledger.has_news());
    later.refuse(Refusal::Over(Limit::HttpTotal));
    drop(later);
    assert!(ledger.has_news());
    assert_eq!(told(&mut ledger), ["1×http GET https://a.example/ (200): over limits.http-total"]);
    assert_eq!(told(&mut ledger), [""; 0]);
}

#[test]
fn what_is_kept_of_a_long_name_is_short_and_tells_it_from_others() {
    let mut ledger = ledger(10);
    let long =
        |middle: &str, end: &str| open(format!("x/{}{middle}{}{end}", "ä".repeat(40_000), "ä".repeat(2_000)), true);
    for (middle, end) in [("1", "/../../secret"), ("2", "/../../secret"), ("1", "/../../secret")] {
        at(&mut ledger, 1).enter(long(middle, end), None).unwrap();
    }
    for Asked { operation, .. } in ledger.entries.keys() {
        assert!(matches!(operation, Operation::Open { path, .. } if path.len() <= MAX_KEPT_BYTES), "{operation:?}");
    }
    let records = ledger.take();
    assert_eq!(records.iter().map(|record| record.count).collect::<Vec<_>>(), [2, 1]);
    for record in records {
        assert!(record.summary.len() <= MAX_SUMMARY_BYTES, "{}", record.summary.len());
        assert!(
            record.summary.starts_with("x/ä") && record.summary.ends_with("/../../secret (write)"),
            "{}",
            record.summary
        );
    }
}

#[test]
fn of_a_url_nothing_is_kept_in_which_there_may_be_a_secret() {
    let mut ledger = ledger(10);
    let query = "token=s3cr3t-t0ken&".repeat(1000);
    for url in [
        format!("https://a.example/x?{query}"),
        format!("https://a.example/x#{query}"),
        format!("https://me:s3cr3t-t0ken@a.example/x?{query}"),
    ] {
        at(&mut ledger, 1).enter(get(&url), None).unwrap();
        assert!(ledger.entries.keys().all(|asked| !format!("{:?}", asked.operation).contains("token=")));
    }
    assert_eq!(told(&mut ledger), ["2×http GET https://a.example/x", "1×http GET https://a.example/x"]);
}
