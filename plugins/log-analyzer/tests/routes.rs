//! Requests of one route of which more fail than before.

use autodevops_sdk::types::{Issue, IssueKind};
use log_analyzer::Engine;

/// How a log writes a request that was answered.
type Form = fn(time: u32, route: &str, status: u16) -> String;

fn clock(second: u32) -> String {
    format!("{:02}:{:02}:{:02}", 10 + second / 3600, second / 60 % 60, second % 60)
}

fn combined(second: u32, route: &str, status: u16) -> String {
    let client = second % 200;
    format!(
        "10.0.0.{client} - - [23/Nov/2026:{} +0000] \"GET {route} HTTP/1.1\" {status} 512 \"-\" \"Mozilla/5.0\"\n",
        clock(second)
    )
}

fn json(second: u32, route: &str, status: u16) -> String {
    let time = clock(second);
    format!(
        "{{\"time\":\"2026-11-23T{time}Z\",\"msg\":\"answered\",\"method\":\"GET\",\"path\":\"{route}\",\"status\":{status},\"bytes\":512}}\n"
    )
}

/// Two hours of requests: `orders` of the route `/api/orders/7` a minute in the first and in the second hour, of which one in so many
/// fails, and thirty a minute of another route, of which one in a hundred fails.
fn log(form: Form, orders: [u32; 2], fails: [u32; 2]) -> String {
    let mut log = String::new();
    let (mut asked, mut others) = (0_u32, 0_u32);
    for second in 0..7200_u32 {
        let hour = usize::from(second >= 3600);
        let due = |per_minute: u32| second * per_minute / 60 != (second + 1) * per_minute / 60;
        if due(30) {
            others += 1;
            log.push_str(&form(second, "/", if others % 100 == 0 { 503 } else { 200 }));
        }
        let times = if due(orders[hour]) { 1 } else { 0 };
        for _ in 0..times {
            asked += 1;
            let status = if asked % fails[hour] == 0 { [502, 503][(asked / fails[hour] % 2) as usize] } else { 200 };
            log.push_str(&form(second, &format!("/api/orders/{}?page=1", 1000 + asked), status));
        }
    }
    log
}

fn bursts(log: &str) -> Vec<Issue> {
    let mut engine = Engine::default();
    engine.push("access.log", log.as_bytes());
    let mut issues = engine.issues();
    issues.retain(|issue| issue.kind == IssueKind::ErrorBurst);
    issues
}

#[test]
fn a_greater_share_of_failures_of_one_route_is_one_issue_that_says_how_great() {
    for form in [combined as Form, json] {
        // Fewer requests, of which one in four fails in place of one in two hundred.
        let issues = bursts(&log(form, [40, 20], [200, 4]));
        let titles: Vec<&str> = issues.iter().map(|issue| issue.title.as_str()).collect();
        assert_eq!(titles.len(), 1, "{titles:?}");
        assert!(titles[0].starts_with("25 % of GET /api/orders/<*> fail, 0."), "{titles:?}");
        assert!(
            issues[0].reason.contains("requests were answered with a status of 500 or more"),
            "{}",
            issues[0].reason
        );
        assert!(issues[0].confidence >= 0.9 && !issues[0].evidence.is_empty(), "{:?}", issues[0]);
    }
}

#[test]
fn more_requests_with_as_many_failures_in_a_hundred_are_no_issue_of_the_route() {
    for form in [combined as Form, json] {
        let issues = bursts(&log(form, [10, 50], [20, 20]));
        let titles: Vec<&str> = issues.iter().map(|issue| issue.title.as_str()).collect();
        assert!(titles.iter().all(|title| !title.contains("% of GET")), "{titles:?}");
    }
}

#[test]
fn the_fingerprint_is_the_routes_whatever_fails_of_it() {
    let of = |fails| bursts(&log(combined, [40, 20], fails)).remove(0).fingerprint;
    assert_eq!(of([200, 4]), of([100, 2]));
}
