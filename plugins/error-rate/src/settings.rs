//! The operator's settings, and the series that they choose.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::prometheus::Sample;

/// Most series that are kept of one reading; a page with more is refused, not cut.
pub const MAX_SERIES: usize = 4096;

/// The plugin's configuration; what each key means is in its manifest.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Settings {
    /// Address of the endpoint.
    pub url: String,
    /// Value of the environment's label; empty for all.
    pub environment: String,
    /// The counter of requests.
    pub requests_metric: String,
    /// The histogram of durations.
    pub duration_metric: String,
    /// The environment's label.
    pub environment_label: String,
    /// The release's label.
    pub release_label: String,
    /// The status code's label.
    pub code_label: String,
    /// Codes that are errors; an `x` stands for any digit.
    pub error_codes: Vec<String>,
    /// Longest wait for the endpoint, in seconds.
    pub timeout_seconds: u32,
    /// How long readings are kept, in seconds.
    pub keep_seconds: u32,
    /// Most readings that are kept.
    pub max_scrapes: usize,
}

/// What a series counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Requests that ended with a code.
    Requests(String),
    /// Requests that took at most so many seconds, as text, since JSON has no infinity.
    Bucket(String),
}

/// What tells a series from all others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Series {
    /// The release that it is about.
    pub release: String,
    /// What it counts.
    pub kind: Kind,
    /// All other labels: a server that restarts resets its own counters, not those of others.
    pub rest: String,
}

impl Settings {
    /// Identity of what is read: readings made with other settings are not compared with these.
    pub fn source(&self) -> String {
        use sha2::{Digest, Sha256};
        let parts = [
            &self.url,
            &self.environment,
            &self.requests_metric,
            &self.duration_metric,
            &self.environment_label,
            &self.release_label,
            &self.code_label,
        ];
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(part.len().to_le_bytes());
            hash.update(part.as_bytes());
        }
        hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    /// The series that count, with their values. Values that no counter has are left out.
    ///
    /// # Errors
    /// How many there are, when they are too many.
    pub fn choose(&self, samples: Vec<Sample>) -> Result<BTreeMap<Series, f64>, usize> {
        let mut chosen = BTreeMap::new();
        for sample in samples {
            if !(sample.value.is_finite() && sample.value >= 0.0)
                || !self.environment.is_empty() && sample.label(&self.environment_label) != self.environment
            {
                continue;
            }
            let Some(kind) = self.kind(&sample) else { continue };
            let release = sample.label(&self.release_label).to_owned();
            if !release.is_empty() {
                chosen.insert(Series { release, rest: self.rest(&sample), kind }, sample.value);
            }
        }
        if chosen.len() > MAX_SERIES { Err(chosen.len()) } else { Ok(chosen) }
    }

    fn kind(&self, sample: &Sample) -> Option<Kind> {
        if base(&sample.name, "_total") == base(&self.requests_metric, "_total") {
            return Some(Kind::Requests(sample.label(&self.code_label).to_owned()));
        }
        if sample.name.strip_suffix("_bucket")? != base(&self.duration_metric, "_bucket") {
            return None;
        }
        let le: f64 = sample.label("le").parse().ok()?;
        (!le.is_nan()).then(|| Kind::Bucket(le.to_string()))
    }

    fn rest(&self, sample: &Sample) -> String {
        let named = [&self.release_label, &self.code_label, &self.environment_label];
        let is_named = |name: &String| name == "le" || named.contains(&name);
        let mut rest: Vec<String> = sample
            .labels
            .iter()
            .filter(|(name, _)| !is_named(name))
            .map(|(name, value)| format!("{name}={value:?}"))
            .collect();
        // An endpoint that serves all environments has one release in several.
        if self.environment.is_empty() {
            rest.push(format!("{}={:?}", self.environment_label, sample.label(&self.environment_label)));
        }
        rest.sort();
        rest.join(",")
    }

    /// Whether a code is an error's.
    pub fn is_error(&self, code: &str) -> bool {
        self.error_codes.iter().any(|pattern| {
            pattern.len() == code.len()
                && pattern.bytes().zip(code.bytes()).all(|(pattern, byte)| {
                    pattern.eq_ignore_ascii_case(&byte) || pattern.eq_ignore_ascii_case(&b'x') && byte.is_ascii_digit()
                })
        })
    }
}

/// A metric's name without its suffix: OpenMetrics and Prometheus differ on where it is written.
fn base<'a>(name: &'a str, suffix: &str) -> &'a str {
    name.strip_suffix(suffix).unwrap_or(name)
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::prometheus::parse;

    /// Settings as the manifest's defaults give them.
    pub fn settings() -> Settings {
        Settings {
            url: "http://127.0.0.1:9100/metrics".into(),
            environment: "production".into(),
            requests_metric: "autodevops_requests_total".into(),
            duration_metric: "autodevops_request_duration_seconds".into(),
            environment_label: "environment".into(),
            release_label: "release".into(),
            code_label: "code".into(),
            error_codes: vec!["5xx".into(), "000".into()],
            timeout_seconds: 5,
            keep_seconds: 10_800,
            max_scrapes: 100,
        }
    }

    const PAGE: &str = r#"
# TYPE autodevops_requests_total counter
autodevops_requests_total{environment="production",release="r1",code="2xx"} 90
autodevops_requests_total{environment="production",release="r1",code="5xx"} 10
autodevops_requests_total{environment="staging",release="r1",code="5xx"} 7
autodevops_requests_total{environment="production",code="5xx"} 3
autodevops_request_duration_seconds_bucket{environment="production",release="r1",le="0.1"} 80
autodevops_request_duration_seconds_bucket{environment="production",release="r1",le="+Inf"} 100
autodevops_request_duration_seconds_sum{environment="production",release="r1"} 9.5
autodevops_request_duration_seconds_count{environment="production",release="r1"} 100
process_cpu_seconds_total 4
"#;

    #[test]
    fn only_series_of_the_environment_and_of_a_release_are_chosen() {
        let chosen = settings().choose(parse(PAGE).unwrap()).unwrap();
        let kinds: Vec<_> = chosen.keys().map(|series| series.kind.clone()).collect();
        assert_eq!(
            kinds,
            [
                Kind::Requests("2xx".into()),
                Kind::Requests("5xx".into()),
                Kind::Bucket("0.1".into()),
                Kind::Bucket("inf".into())
            ]
        );
        assert!(chosen.keys().all(|series| series.release == "r1" && series.rest.is_empty()));
    }

    #[test]
    fn without_an_environment_the_same_release_in_two_is_two_series() {
        let settings = Settings { environment: String::new(), ..settings() };
        let chosen = settings.choose(parse(PAGE).unwrap()).unwrap();
        assert_eq!(chosen.keys().filter(|series| series.kind == Kind::Requests("5xx".into())).count(), 2);
    }

    #[test]
    fn names_are_taken_with_and_without_their_suffix() {
        let settings = Settings {
            requests_metric: "autodevops_requests".into(),
            duration_metric: "autodevops_request_duration_seconds_bucket".into(),
            ..settings()
        };
        assert_eq!(settings.choose(parse(PAGE).unwrap()).unwrap().len(), 4);
    }

    #[test]
    fn a_code_is_an_error_by_its_class_or_its_digits() {
        let is_error = |code| settings().is_error(code);
        assert!(["5xx", "503", "000"].into_iter().all(is_error));
        assert!(!["2xx", "404", "50", "5000", "", "5ab"].into_iter().any(is_error));
    }

    #[test]
    fn a_page_with_too_many_series_is_refused_with_their_number() {
        let page: String = (0..=MAX_SERIES)
            .map(|index| format!("autodevops_requests_total{{environment=\"production\",release=\"r{index}\"}} 1\n"))
            .collect();
        assert_eq!(settings().choose(parse(&page).unwrap()), Err(MAX_SERIES + 1));
    }
}
