//! What is observed of a release, of requests that are made up.

use super::*;

const SECOND: i64 = 1_000_000_000;
/// Some moment at the begin of an interval of every tier.
const START: i64 = 1_700_000_000 * SECOND;

fn stats(requests: &[(i64, Class, u64)]) -> Stats {
    let stats = Stats::new(START);
    for (at, class, client) in requests {
        stats.count(Source::Traffic, *class, Duration::from_millis(3), ClientId(*client), START + at);
    }
    stats
}

fn window(start: i64, end: i64) -> Window {
    Window { start: START + start, end: START + end }
}

#[test]
fn a_window_counts_what_lies_in_it_and_says_what_it_covers() {
    let stats = stats(&[
        (SECOND, Class::Success, 1),
        (2 * SECOND, Class::Error, 2),
        (2 * SECOND + 50, Class::None, 2),
        (3 * SECOND, Class::Refused, 3),
    ]);
    let now = START + 4 * SECOND;
    for (asked, covered, requests, errors) in [
        (window(-SECOND, 9 * SECOND), window(0, 4 * SECOND), 4, 2),
        (window(2 * SECOND, 3 * SECOND), window(2 * SECOND, 3 * SECOND), 2, 2),
        (window(2 * SECOND - 7, 3 * SECOND + 7), window(2 * SECOND, 3 * SECOND), 2, 2),
        (window(2 * SECOND + 1, 4 * SECOND), window(2 * SECOND + SECOND / 10, 4 * SECOND), 1, 0),
        (window(3 * SECOND, 2 * SECOND), window(3 * SECOND, 3 * SECOND), 0, 0),
    ] {
        let observed = stats.observe("r", &asked, now);
        let Sample { requests: all, errors: failed, .. } = observed.traffic;
        assert_eq!((observed.window, all, failed), (covered, requests, errors), "{asked:?}");
        assert_eq!(observed.preview.requests, 0);
    }
}

#[test]
fn older_windows_are_told_more_coarsely_and_what_is_forgotten_is_not_covered() {
    let stats = stats(&[(0, Class::Success, 1)]);
    let count = |seconds: i64| {
        stats.count(Source::Traffic, Class::Success, Duration::ZERO, ClientId(1), START + seconds * SECOND);
    };
    (1..8 * 3600).step_by(10).for_each(count);
    let now = START + 8 * 3600 * SECOND;
    let ten_minutes = stats.observe("r", &Window { start: now - 600 * SECOND - 5, end: now }, now);
    assert_eq!((ten_minutes.window.start, ten_minutes.traffic.requests), (now - 600 * SECOND, 60));
    let hour = stats.observe("r", &Window { start: now - 3600 * SECOND - 5, end: now }, now);
    assert_eq!((hour.window.start, hour.traffic.requests), (now - 3600 * SECOND, 360));
    let all = stats.observe("r", &window(0, 8 * 3600 * SECOND), now);
    assert_eq!((all.window.start, all.traffic.requests), (now - 6 * 3600 * SECOND, 2160));
}

#[test]
fn the_history_does_not_grow_without_bound() {
    let stats = Stats::new(START);
    for n in 0..100_000 {
        stats.count(Source::Traffic, Class::Error, Duration::ZERO, ClientId(1), START + n * SECOND);
    }
    let series = stats.series(Source::Traffic);
    for (tier, (_, kept)) in series.tiers.iter().zip(TIERS) {
        assert!(tier.len() <= kept + 1, "{}", tier.len());
    }
    assert_eq!(series.errors.len(), MAX_ERRORS);
}

#[test]
fn what_one_client_sees_again_and_again_makes_no_trend() {
    let errors: Vec<_> = (0..10).map(|n| (n, Class::Error, 1)).chain([(10, Class::Error, 2)]).collect();
    let observed = stats(&errors).observe("r", &window(0, SECOND), START + SECOND);
    assert_eq!((observed.traffic.errors, observed.traffic.errors_of_many), (11, 4));
}

#[test]
fn what_all_clients_see_stays_what_it_is_however_long_they_are_there_and_however_many_errors_there_are() {
    let stats = Stats::new(START);
    for n in 0..100_000 {
        let class = if n % 8 == 0 { Class::Error } else { Class::Success };
        stats.count(Source::Traffic, class, Duration::ZERO, ClientId(n % 401), START + (n as i64) * SECOND / 100);
    }
    let seen = stats.observe("r", &window(0, 1000 * SECOND), START + 1000 * SECOND).traffic;
    assert_eq!((seen.requests, seen.errors), (100_000, 12_500));
    assert!(seen.errors_of_many > 12_000, "{}", seen.errors_of_many);
}

#[test]
fn requests_that_take_long_for_the_same_clients_are_told_as_hanging_together() {
    let effects = |slow: fn(u64) -> bool| {
        let stats = Stats::new(START);
        for n in 0..3000 {
            let took = if slow(n) { Duration::from_secs(3) } else { Duration::from_millis(3) };
            stats.count(Source::Traffic, Class::Success, took, ClientId(n % 100), START + (n as i64) * SECOND / 10);
        }
        stats.observe("r", &window(0, 300 * SECOND), START + 300 * SECOND).traffic.latency_effects
    };
    let of_two_seconds = LATENCY_BOUNDS_SECONDS.iter().position(|bound| *bound == 2.0).unwrap();
    let clumped = effects(|n| n % 100 < 5);
    assert!((29.0..31.0).contains(&clumped[of_two_seconds]) && clumped[BUCKETS - 1] > 29.0, "{clumped:?}");
    assert_eq!(effects(|_| false), [0.0; 0]);
}

#[test]
fn latencies_are_cumulative_buckets() {
    let stats = Stats::new(START);
    for ms in [1, 2, 40, 60_000] {
        stats.count(Source::Preview, Class::Success, Duration::from_millis(ms), ClientId(1), START);
    }
    let buckets = stats.observe("r", &window(0, 1), START + 1).preview.buckets();
    let at = |le: f64| buckets.iter().find(|bucket| bucket.le == le).unwrap().count;
    assert_eq!((at(0.001), at(0.0025), at(0.05), at(30.0), at(f64::INFINITY)), (1, 2, 3, 3, 4));
}

#[test]
fn what_was_counted_reaches_to_the_last_interval_of_it() {
    assert_eq!(Stats::new(START + 5).counted().until(), START + 5);
    let stats = stats(&[(SECOND, Class::Success, 1), (7 * SECOND + 3, Class::Success, 1)]);
    assert_eq!(stats.counted().until(), START + 7 * SECOND);
    stats.count(Source::Preview, Class::Success, Duration::ZERO, ClientId(1), START + 9 * SECOND + 3);
    assert_eq!(stats.counted().until(), START + 9 * SECOND);
}

#[test]
fn a_clock_that_is_set_back_loses_no_count() {
    let stats = stats(&[(5 * SECOND, Class::Success, 1), (SECOND, Class::Success, 1)]);
    assert_eq!(stats.observe("r", &window(0, 9 * SECOND), START + 6 * SECOND).traffic.requests, 2);
}

#[test]
fn of_a_release_that_is_stopped_it_is_not_kept_who_asked() {
    let requests: Vec<_> = (0..5_000).map(|n| (n * SECOND / 100, Class::Success, n as u64)).collect();
    let stats = stats(&requests);
    let size = || serde_json::to_vec(&stats.counted()).unwrap().len();
    let before = (size(), stats.totals(Source::Traffic).classes);
    stats.forget_who_asked();
    assert!(size() + 100_000 < before.0, "{} of {}", size(), before.0);
    assert_eq!(stats.totals(Source::Traffic).classes, before.1);
}

#[test]
fn what_two_front_doors_counted_is_what_one_would_have() {
    let requests: Vec<(i64, Class, u64)> = (0..2_000i64)
        .map(|n| (n * SECOND / 7, if n % 11 == 0 { Class::Error } else { Class::Success }, (n % 13) as u64))
        .collect();
    let one = stats(&requests);
    let (first, second): (Vec<_>, Vec<_>) = requests.iter().partition(|(at, ..)| at % 2 == 0);
    let (first, second) = (stats(&first), stats(&second));
    let text = serde_json::to_string(&first.take()).unwrap();
    assert_eq!(first.totals(Source::Traffic).classes, [0; 5]);
    let before = second.changes();
    second.absorb(serde_json::from_str(&text).unwrap());
    assert_ne!(second.changes(), before);
    let now = START + 300 * SECOND;
    for (from, to) in [(0, 300), (100, 200), (250, 300)] {
        let window = window(from * SECOND, to * SECOND);
        assert_eq!(one.observe("r", &window, now), second.observe("r", &window, now));
    }
    let (a, b) = (one.totals(Source::Traffic), second.totals(Source::Traffic));
    assert_eq!((a.classes, a.latency), (b.classes, b.latency));
}
