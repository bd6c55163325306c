//! The counters as Prometheus text, version 0.0.4 of its exposition format.

use std::{fmt::Write, sync::Arc};

use crate::{
    LATENCY_BOUNDS_SECONDS,
    stats::{Class, Source, Stats},
};

/// What is told of a release.
pub struct Row {
    pub environment: String,
    pub release: String,
    pub stats: Arc<Stats>,
    /// What is told only of a release that was not stopped.
    pub live: Option<Live>,
}

/// The state of a release that was not stopped.
pub struct Live {
    pub up: bool,
    pub crash_loop: bool,
    pub restarts: u64,
    pub percent: u8,
}

/// The text. `unrouted` are requests, by environment, for which there was no release.
pub fn text(rows: &[Row], unrouted: &[(String, u64)]) -> String {
    let mut text = String::new();
    requests(&mut text, rows, "autodevops_requests_total", "Requests at the environment's address.", Source::Traffic);
    let help = "Requests at the release's own address.";
    requests(&mut text, rows, "autodevops_preview_requests_total", help, Source::Preview);
    durations(&mut text, rows);
    type Value = fn(&Live) -> u64;
    let gauges: [(&str, &str, &str, Value); 4] = [
        ("autodevops_release_up", "gauge", "Whether the release answers.", |live| u64::from(live.up)),
        ("autodevops_release_crash_loop", "gauge", "Whether the release ends by itself again and again.", |live| {
            u64::from(live.crash_loop)
        }),
        ("autodevops_release_restarts_total", "counter", "How often the release was started again.", |live| {
            live.restarts
        }),
        ("autodevops_traffic_percent", "gauge", "The release's share of the traffic.", |live| u64::from(live.percent)),
    ];
    for (name, kind, help, value) in gauges {
        head(&mut text, name, kind, help);
        for row in rows {
            if let Some(live) = &row.live {
                line(&mut text, name, row, "", value(live));
            }
        }
    }
    let name = "autodevops_unrouted_requests_total";
    head(&mut text, name, "counter", "Requests for which there was no release.");
    for (environment, count) in unrouted {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{name}{{environment=\"{environment}\"}} {count}");
    }
    text
}

fn requests(text: &mut String, rows: &[Row], name: &str, help: &str, source: Source) {
    head(text, name, "counter", help);
    for row in rows {
        let totals = row.stats.totals(source);
        for (class, count) in Class::ALL.iter().zip(totals.classes) {
            line(text, name, row, &format!(",code=\"{}\"", class.label()), count);
        }
    }
}

fn durations(text: &mut String, rows: &[Row]) {
    let name = "autodevops_request_duration_seconds";
    head(text, name, "histogram", "Time from a request's head to its answer's.");
    for row in rows {
        let totals = row.stats.totals(Source::Traffic);
        let bounds = LATENCY_BOUNDS_SECONDS.iter().map(f64::to_string).chain(["+Inf".to_owned()]);
        let mut below = 0;
        for (bound, count) in bounds.zip(totals.latency) {
            below += count;
            line(text, &format!("{name}_bucket"), row, &format!(",le=\"{bound}\""), below);
        }
        line(text, &format!("{name}_sum"), row, "", totals.seconds);
        line(text, &format!("{name}_count"), row, "", below);
    }
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

/// Names of environments and releases are checked to have nothing that would need to be escaped.
fn line(text: &mut String, name: &str, row: &Row, labels: &str, value: impl std::fmt::Display) {
    let Row { environment, release, .. } = row;
    let _ = writeln!(text, "{name}{{environment=\"{environment}\",release=\"{release}\"{labels}}} {value}");
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::assign::ClientId;

    #[test]
    fn counters_are_told_in_the_form_that_prometheus_reads() {
        let stats = Arc::new(Stats::new(0));
        for (class, ms) in [(Class::Success, 3), (Class::Success, 300), (Class::Error, 3), (Class::None, 60_000)] {
            stats.count(Source::Traffic, class, Duration::from_millis(ms), ClientId(1), 1);
        }
        let live = Some(Live { up: true, crash_loop: false, restarts: 2, percent: 95 });
        let rows = [
            Row { environment: "production".into(), release: "r-1".into(), stats: Arc::clone(&stats), live },
            Row { environment: "production".into(), release: "r-0".into(), stats, live: None },
        ];
        let text = text(&rows, &[("production".into(), 7)]);
        for expected in [
            "# TYPE autodevops_requests_total counter",
            "autodevops_requests_total{environment=\"production\",release=\"r-1\",code=\"2xx\"} 2",
            "autodevops_requests_total{environment=\"production\",release=\"r-1\",code=\"5xx\"} 1",
            "autodevops_requests_total{environment=\"production\",release=\"r-0\",code=\"000\"} 1",
            "autodevops_preview_requests_total{environment=\"production\",release=\"r-1\",code=\"2xx\"} 0",
            "# TYPE autodevops_request_duration_seconds histogram",
            "autodevops_request_duration_seconds_bucket{environment=\"production\",release=\"r-1\",le=\"0.005\"} 2",
            "autodevops_request_duration_seconds_bucket{environment=\"production\",release=\"r-1\",le=\"2\"} 3",
            "autodevops_request_duration_seconds_bucket{environment=\"production\",release=\"r-1\",le=\"+Inf\"} 4",
            "autodevops_request_duration_seconds_sum{environment=\"production\",release=\"r-1\"} 60.306",
            "autodevops_request_duration_seconds_count{environment=\"production\",release=\"r-1\"} 4",
            "autodevops_release_up{environment=\"production\",release=\"r-1\"} 1",
            "autodevops_release_restarts_total{environment=\"production\",release=\"r-1\"} 2",
            "autodevops_traffic_percent{environment=\"production\",release=\"r-1\"} 95",
            "autodevops_unrouted_requests_total{environment=\"production\"} 7",
        ] {
            assert!(text.lines().any(|line| line == expected), "{expected}\n\n{text}");
        }
        assert!(!text.contains("autodevops_release_up{environment=\"production\",release=\"r-0\"}"), "{text}");
    }
}
