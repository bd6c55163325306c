//! From a page of metrics to measurements over a window.

use std::collections::BTreeMap;

use autodevops_sdk::{
    Error, Result,
    keyvalue::Store,
    types::{Bucket, Measurement, Observation, Rate, Window},
};

use crate::{
    history::{Reading, base_of},
    prometheus,
    settings::{Kind, Series, Settings},
    store::{Bounds, Readings},
};

/// A window that ends no longer ago than this ends with the reading that is made for it.
const NOW: i64 = 5_000_000_000;

/// Reads the page, keeps the reading, and says what happened in the window.
///
/// # Errors
/// `unavailable` when the page is none, and what goes wrong in the store.
pub fn measure<S: Store>(
    store: &S,
    settings: &Settings,
    page: &[u8],
    now: i64,
    releases: &[String],
    window: Window,
) -> Result<Vec<Measurement>> {
    let values = values(settings, page)?;
    let keep = i64::from(settings.keep_seconds).saturating_mul(1_000_000_000);
    let mut readings = Readings::open(store, settings.source())?;
    let time = readings.next_time(now)?;
    let previous = readings.times().last().map(|last| readings.at(*last)).transpose()?;
    let current = Reading::after(previous.as_ref(), values, time, keep);
    readings.add(&current, Bounds { keep, count: settings.max_scrapes.max(2) })?;

    let times = readings.times();
    let at = |time: i64| if time == current.time { Ok(current.clone()) } else { readings.at(time) };
    let is_now = current.time.saturating_sub(window.end) <= NOW;
    let end = if is_now { Some(current.time) } else { times.iter().copied().filter(|time| *time <= window.end).max() };
    let Some(end) = end else { return Ok(releases.iter().flat_map(|release| nothing(release, window)).collect()) };
    let end = at(end)?;
    let base = base_of(&times, window.start, end.time).map_or_else(|| Ok(end.clone()), at)?;
    let covered = Window { start: base.time, end: end.time };
    Ok(releases.iter().flat_map(|release| observed(settings, &base, &end, release, covered)).collect())
}

fn values(settings: &Settings, page: &[u8]) -> Result<BTreeMap<Series, f64>> {
    let url = &settings.url;
    let text = std::str::from_utf8(page)
        .map_err(|error| Error::no_answer(format!("{url} gave no metrics: its answer is no text: {error}")))?;
    let samples = prometheus::parse(text)
        .map_err(|error| Error::no_answer(format!("{url} gave no metrics in Prometheus' text format: {error}")))?;
    settings.choose(samples).map_err(|count| {
        Error::failure(format!(
            "{url} has {count} series that fit, which are too many; set `environment`, or other metrics"
        ))
    })
}

fn observed(settings: &Settings, base: &Reading, end: &Reading, release: &str, window: Window) -> [Measurement; 2] {
    let (mut total, mut errors) = (0.0, 0.0);
    let mut buckets: Vec<(f64, f64)> = Vec::new();
    for (series, grown) in end.growth(base, release) {
        match &series.kind {
            Kind::Requests(code) => {
                total += grown;
                if settings.is_error(code) {
                    errors += grown;
                }
            }
            Kind::Bucket(le) => {
                let Ok(le) = le.parse::<f64>() else { continue };
                match buckets.iter_mut().find(|(known, _)| known.total_cmp(&le).is_eq()) {
                    Some((_, count)) => *count += grown,
                    None => buckets.push((le, grown)),
                }
            }
        }
    }
    let rate = Rate { events: whole(errors), total: whole(total) };
    measurements(release, window, rate, histogram(buckets))
}

/// Counts that grow with their bounds, the last of them infinite, whatever the page left out or a reset tore apart.
fn histogram(mut buckets: Vec<(f64, f64)>) -> Vec<Bucket> {
    buckets.sort_by(|(left, _), (right, _)| left.total_cmp(right));
    let mut highest = 0;
    let mut cumulative: Vec<Bucket> = buckets
        .into_iter()
        .map(|(le, count)| {
            highest = whole(count).max(highest);
            Bucket { le, count: highest }
        })
        .collect();
    if cumulative.last().is_none_or(|bucket| bucket.le != f64::INFINITY) {
        cumulative.push(Bucket { le: f64::INFINITY, count: highest });
    }
    cumulative
}

fn nothing(release: &str, window: Window) -> [Measurement; 2] {
    measurements(release, window, Rate { events: 0, total: 0 }, histogram(Vec::new()))
}

fn measurements(release: &str, window: Window, rate: Rate, buckets: Vec<Bucket>) -> [Measurement; 2] {
    let measurement = |metric: &str, unit: &str, observation| Measurement {
        metric: metric.into(),
        unit: unit.into(),
        release: release.into(),
        observation,
        window,
    };
    [
        measurement("error-rate", "ratio", Observation::Rate(rate)),
        measurement("latency", "seconds", Observation::Histogram(buckets)),
    ]
}

/// A count of events. Counters are floating-point numbers in the format, but count whole things.
fn whole(count: f64) -> u64 {
    // Saturates; below zero and not-a-number do not come here.
    count.round() as u64
}

#[cfg(test)]
mod tests {
    use autodevops_sdk::keyvalue::Memory;

    use super::*;
    use crate::settings::tests::settings;

    const SECOND: i64 = 1_000_000_000;

    /// A page as the front door writes it: per release the good answers, the bad ones, those that no answer came to, and how
    /// many took at most 0.1 s.
    fn page(releases: &[(&str, u32, u32, u32, u32)]) -> String {
        let mut page = String::from("# TYPE autodevops_requests_total counter\n");
        for (release, good, bad, none, fast) in releases {
            let labels = format!("environment=\"production\",release=\"{release}\"");
            for (code, count) in [("2xx", good), ("5xx", bad), ("000", none)] {
                page += &format!("autodevops_requests_total{{{labels},code=\"{code}\"}} {count}\n");
            }
            let all = good + bad + none;
            for (le, count) in [("0.1", *fast), ("+Inf", all)] {
                page += &format!("autodevops_request_duration_seconds_bucket{{{labels},le=\"{le}\"}} {count}\n");
            }
        }
        page
    }

    fn at(store: &Memory, seconds: i64, page: &str, from: i64) -> Vec<Measurement> {
        let window = Window { start: from * SECOND, end: seconds * SECOND - 3 };
        measure(store, &settings(), page.as_bytes(), seconds * SECOND, &["new".into(), "old".into()], window).unwrap()
    }

    fn rate(measurements: &[Measurement], release: &str) -> (u64, u64) {
        let found = measurements.iter().find(|m| m.release == release && m.metric == "error-rate").unwrap();
        let Observation::Rate(rate) = &found.observation else { panic!("{found:?}") };
        (rate.events, rate.total)
    }

    #[test]
    fn counts_are_those_of_the_window_for_both_releases() {
        let store = Memory::default();
        at(&store, 100, &page(&[("old", 1000, 10, 0, 900)]), 100);
        at(&store, 160, &page(&[("old", 1100, 10, 0, 990), ("new", 5, 1, 1, 7)]), 100);
        let found = at(&store, 220, &page(&[("old", 1300, 14, 1, 1190), ("new", 9, 4, 2, 9)]), 160);
        assert_eq!(rate(&found, "old"), (5, 205));
        assert_eq!(rate(&found, "new"), (4, 8));
        assert_eq!((found[0].window.start, found[0].window.end), (160 * SECOND, 220 * SECOND));
        let Observation::Histogram(buckets) = &found[1].observation else { panic!() };
        assert_eq!(
            (found[1].metric.as_str(), found[1].unit.as_str(), found[1].release.as_str()),
            ("latency", "seconds", "new")
        );
        let buckets: Vec<_> = buckets.iter().map(|bucket| (bucket.le, bucket.count)).collect();
        assert_eq!(buckets, [(0.1, 2), (f64::INFINITY, 8)]);
        let whole = at(&store, 221, &page(&[("old", 1300, 14, 1, 1190), ("new", 9, 4, 2, 9)]), 100);
        assert_eq!(rate(&whole, "new"), (6, 15), "from its first request on");
    }

    #[test]
    fn the_first_look_at_a_busy_endpoint_is_no_evidence() {
        let found = at(&Memory::default(), 100, &page(&[("old", 1000, 500, 0, 900), ("new", 50, 50, 0, 50)]), 40);
        assert_eq!(rate(&found, "new"), (0, 0));
        assert_eq!(rate(&found, "old"), (0, 0));
        assert_eq!(found[0].window.start, found[0].window.end);
    }

    #[test]
    fn a_release_without_series_was_not_observed() {
        let store = Memory::default();
        at(&store, 100, &page(&[("old", 1000, 0, 0, 0)]), 100);
        let found = at(&store, 160, &page(&[("old", 1010, 0, 0, 0)]), 100);
        assert_eq!(rate(&found, "new"), (0, 0));
        assert_eq!(rate(&found, "old"), (0, 10));
        assert_eq!(found.len(), 4);
    }

    #[test]
    fn a_front_door_that_was_started_again_is_counted_from_zero() {
        let store = Memory::default();
        at(&store, 100, &page(&[("new", 1000, 100, 0, 0)]), 100);
        at(&store, 130, &page(&[("new", 1020, 101, 0, 0)]), 100);
        let found = at(&store, 160, &page(&[("new", 7, 2, 0, 0)]), 100);
        assert_eq!(rate(&found, "new"), (3, 30));
    }

    #[test]
    fn a_window_that_nobody_read_at_its_start_is_told_as_it_was_covered() {
        let store = Memory::default();
        at(&store, 100, &page(&[("new", 0, 0, 0, 0)]), 100);
        at(&store, 900, &page(&[("new", 500, 500, 0, 0)]), 890);
        let found = at(&store, 910, &page(&[("new", 510, 500, 0, 0)]), 880);
        assert_eq!(rate(&found, "new"), (0, 10), "what happened in the 13 minutes before is not the window's");
        assert_eq!(found[0].window.start, 900 * SECOND);
    }

    #[test]
    fn a_window_that_was_last_read_long_before_it_begins_with_its_own_first_reading() {
        let store = Memory::default();
        at(&store, 100, &page(&[("old", 1000, 90, 0, 0), ("new", 0, 0, 0, 0)]), 40);
        for (seconds, good) in [(760, 10), (820, 20)] {
            at(&store, seconds, &page(&[("old", 2000, 90, 0, 0), ("new", good, 0, 0, 0)]), 700);
        }
        let found = at(&store, 1900, &page(&[("old", 2100, 90, 0, 0), ("new", 210, 0, 0, 0)]), 700);
        assert_eq!(
            (found[0].window.start, found[0].window.end),
            (760 * SECOND, 1900 * SECOND),
            "not ten minutes early"
        );
        assert_eq!((rate(&found, "new"), rate(&found, "old")), ((0, 200), (0, 100)));
    }

    #[test]
    fn a_window_in_the_past_ends_with_what_was_read_then() {
        let store = Memory::default();
        for (seconds, good) in [(100, 0), (160, 10), (220, 30)] {
            at(&store, seconds, &page(&[("new", good, 0, 0, 0)]), seconds - 60);
        }
        let window = Window { start: 100 * SECOND, end: 170 * SECOND };
        let now = 300 * SECOND;
        let all = page(&[("new", 99, 0, 0, 0)]);
        let past = measure(&store, &settings(), all.as_bytes(), now, &["new".into()], window).unwrap();
        assert_eq!(rate(&past, "new"), (0, 10));
        let before = Window { start: SECOND, end: 2 * SECOND };
        let none = measure(&store, &settings(), all.as_bytes(), now, &["new".into()], before).unwrap();
        assert_eq!(rate(&none, "new"), (0, 0));
    }

    #[test]
    fn a_page_that_is_none_is_unavailable_and_names_the_address() {
        for page in [&b"<html><body>Bad Gateway</body></html>"[..], b"\xff\xfe", b"{\"status\":\"ok\"}"] {
            let window = Window { start: 0, end: SECOND };
            let error = measure(&Memory::default(), &settings(), page, SECOND, &["a".into()], window).unwrap_err();
            assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
            assert!(error.message().contains("http://127.0.0.1:9100/metrics"), "{}", error.message());
        }
    }

    #[test]
    fn a_histogram_always_grows_and_ends_at_infinity() {
        let counts: Vec<_> = histogram(vec![(1.0, 4.0), (0.1, 5.0)]).iter().map(|b| (b.le, b.count)).collect();
        assert_eq!(counts, [(0.1, 5), (1.0, 5), (f64::INFINITY, 5)]);
    }
}
