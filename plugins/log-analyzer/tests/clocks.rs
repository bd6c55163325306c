//! Clocks that run ahead, jump or are not set yet.

use autodevops_sdk::types::{Issue, IssueKind};
use log_analyzer::Engine;

/// Two hours of a service: a request each five seconds, an error each ten minutes, and one each ten seconds from minute 90 on.
fn service() -> Vec<String> {
    let mut lines = Vec::new();
    for second in (0..7200_u32).step_by(5) {
        let time = format!("2026-11-23T{:02}:{:02}:{:02}Z", 10 + second / 3600, second / 60 % 60, second % 60);
        lines.push(format!("{time} INFO request {second} answered"));
        if second % 600 == 0 || second >= 5400 && second % 10 == 0 {
            lines.push(format!("{time} ERROR ledger is locked by {second}"));
        }
    }
    lines
}

fn issues(lines: &[String]) -> Vec<Issue> {
    let mut engine = Engine::default();
    engine.push("shop.log", (lines.join("\n") + "\n").as_bytes());
    engine.issues()
}

fn kinds(lines: &[String]) -> Vec<IssueKind> {
    issues(lines).iter().map(|issue| issue.kind).collect()
}

#[test]
fn lines_of_a_time_that_is_not_hide_no_burst_and_make_none() {
    let right = service();
    assert_eq!(kinds(&right), [IssueKind::ErrorBurst]);
    for date in ["2093-01-01", "2026-12-31", "1970-01-01"] {
        for (at, moves) in [0, 1, 30, 700, right.len()].into_iter().flat_map(|at| [(at, 0), (at, 1)]) {
            for count in [1, 5, 15] {
                let mut lines = right.clone();
                let wrong = |n| format!("{date}T00:00:{:02}Z INFO request 17 answered", 7 + n * moves);
                lines.splice(at..at, (0..count).map(wrong));
                assert_eq!(kinds(&lines), [IssueKind::ErrorBurst], "{count} lines of {date} at {at}, {moves} s apart");
            }
        }
    }
}

#[test]
fn a_job_that_runs_once_a_week_or_each_25_hours_tells_when_it_failed() {
    for (hours, lines) in [(25, 1), (25, 10), (24 * 7, 1), (24 * 7, 10)] {
        let mut log = Vec::new();
        for run in 0..8 {
            // From a Friday in October on.
            let hour = run * hours;
            let (day, hour) = (2 + hour / 24, hour % 24);
            let (month, day) = if day > 31 { (11, day - 31) } else { (10, day) };
            let time = |second: u32| format!("2026-{month:02}-{day:02}T{hour:02}:00:{second:02}Z");
            log.extend((1..lines).map(|second| format!("{} INFO step {second} is done", time(second))));
            log.push(format!("{} ERROR ledger is locked", time(lines)));
        }
        let issues = issues(&log);
        let [issue] = &issues[..] else { panic!("{issues:#?}") };
        let last = issue.last_seen.map(|at| at / 1_000_000_000 - 1_790_899_200 - i64::from(lines));
        assert_eq!((issue.count, last), (8, Some(7 * i64::from(hours) * 3600)), "{lines} lines each {hours} hours");
    }
}

/// The service's log without a year, from an hour before midnight on.
fn without_a_year(last_day: &str, next_day: &str) -> Vec<String> {
    let without = |line: String| {
        let (time, text) = line.split_once(' ').unwrap();
        let (hour, minutes) = (&time[11..13], &time[13..19]);
        let (day, hour) = if hour == "10" { (last_day, "23") } else { (next_day, "00") };
        format!("{day} {hour}{minutes} web1 shop[812]: {text}")
    };
    service().into_iter().map(without).collect()
}

#[test]
fn new_year_is_a_midnight_like_others_in_a_log_without_years() {
    let usual = issues(&without_a_year("Nov 23", "Nov 24"));
    assert_eq!(usual.iter().map(|issue| issue.kind).collect::<Vec<_>>(), [IssueKind::ErrorBurst]);
    let new_year = issues(&without_a_year("Dec 31", "Jan  1"));
    let told = |issues: &[Issue]| {
        let of = |issue: &Issue| (issue.kind, issue.count, issue.reason.clone(), issue.rate.unwrap());
        issues.iter().map(of).collect::<Vec<_>>()
    };
    assert_eq!(told(&new_year), told(&usual));
}

#[test]
fn a_banner_that_tells_the_time_in_another_form_hides_no_burst() {
    let (dated, undated) = (service(), without_a_year("Nov 23", "Nov 24"));
    let banner = |log: &[String], lines: usize| -> Vec<String> {
        log.iter().filter(|line| line.contains("INFO")).take(lines).cloned().collect()
    };
    for (lines, banner) in [(&dated, banner(&undated, 1)), (&dated, banner(&undated, 3)), (&undated, banner(&dated, 1))]
    {
        let lines: Vec<String> = [banner.clone(), lines.clone()].concat();
        assert_eq!(kinds(&lines), [IssueKind::ErrorBurst], "{banner:?}");
    }
}

#[test]
fn requests_of_a_time_that_is_not_leave_with_it() {
    let request = |date: &str, second: u32, status: u16| {
        let time = format!("{:02}:{:02}:{:02}", 10 + second / 3600, second / 60 % 60, second % 60);
        format!("10.0.0.7 - - [{date}:{time} +0000] \"GET /cart HTTP/1.1\" {status} 512")
    };
    // Half of the requests fail in the second hour, and one in a hundred before.
    let status = |second: u32| match second {
        3600.. if second.is_multiple_of(20) => 503,
        _ if second.is_multiple_of(1000) => 503,
        _ => 200,
    };
    let right: Vec<String> =
        (0..7200).step_by(10).map(|second| request("23/Nov/2026", second, status(second))).collect();
    let of_route = |lines: &[String]| {
        let mut engine = Engine::default();
        engine.push("access.log", (lines.join("\n") + "\n").as_bytes());
        let issues = engine.issues();
        let mut of_route = issues.into_iter().filter(|issue| issue.title.contains("% of GET /cart fail"));
        let issue = of_route.next().expect("an issue of the route");
        assert!(of_route.next().is_none());
        issue
    };
    let begun_wrong = (0..5).map(|second| request("01/Jan/2093", second, 503)).chain(right.iter().cloned());
    let (alone, behind) = (of_route(&right), of_route(&begun_wrong.collect::<Vec<_>>()));
    assert_eq!(behind.last_seen, alone.last_seen);
    // Of the right time's own lines, those that set the clock are not counted: one of them failed.
    assert_eq!(behind.count + 1, alone.count);
}

#[test]
fn zones_that_are_mixed_within_a_log_hide_no_burst_and_make_none() {
    let right = service();
    let in_zone = |line: &String, hours: u32| {
        let (time, text) = line.split_once(' ').unwrap();
        let hour: u32 = time[11..13].parse().unwrap();
        (format!("{}{:02}{}", &time[..11], hour + hours, &time[13..19]), text.to_owned())
    };
    // Each says its zone.
    let mut random = 1_u32;
    let mut lines = Vec::new();
    for line in &right {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let hours = random >> 29;
        let (time, text) = in_zone(line, hours);
        lines.push(format!("{time}+{hours:02}:00 {text}"));
    }
    let told = |issues: Vec<Issue>| {
        issues.into_iter().map(|issue| (issue.kind, issue.title, issue.reason)).collect::<Vec<_>>()
    };
    assert_eq!(told(issues(&lines)), told(issues(&right)));
    // One program of two is five hours ahead, and does not say so.
    let mut lines = Vec::new();
    for line in &right {
        let (time, text) = in_zone(line, if line.contains("ERROR") { 0 } else { 5 });
        lines.push(format!("{time} {text}"));
    }
    assert!(issues(&lines).len() <= 2, "{:#?}", issues(&lines));
}

#[test]
fn logs_that_tell_the_time_of_the_day_alone_have_rates_over_midnight_too() {
    let usual = issues(&without_a_year("Nov 23", "Nov 24"));
    let without_date = |line: &String| {
        let (time, text) = line.split_once(" web1 shop[812]: ").unwrap();
        let (level, text) = text.split_once(' ').unwrap();
        format!("{}.123 [main] {level} c.shop.Cart - {text}", &time[7..])
    };
    let lines: Vec<String> = without_a_year("Nov 23", "Nov 24").iter().map(without_date).collect();
    assert!(lines[0].starts_with("23:00:00.123 [main] INFO"), "{}", lines[0]);
    let told =
        |issues: Vec<Issue>| issues.into_iter().map(|issue| (issue.kind, issue.count, issue.rate)).collect::<Vec<_>>();
    assert_eq!(told(issues(&lines)), told(usual));
    // Within a log that tells dates they are no other clock's.
    let mut lines = service();
    lines.insert(100, "12:30:45 remaining".to_owned());
    assert_eq!(kinds(&lines), [IssueKind::ErrorBurst]);
}
