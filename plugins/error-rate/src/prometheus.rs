//! The Prometheus text format, and of OpenMetrics what comes the same way.
//!
//! Read are samples with labels (names quoted too, as Prometheus 3 writes them), values, and times; comments are checked for
//! nothing, exemplars are passed over. A line that is none of these is an error: a web page is not an empty set of metrics.

use std::fmt;

/// One line with a value.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Name of the metric, with its suffix, such as `http_requests_total`.
    pub name: String,
    /// Names and values, in the order of the text.
    pub labels: Vec<(String, String)>,
    /// The value; `NaN` and infinities are values too.
    pub value: f64,
    /// The time that the line gives: milliseconds in the Prometheus format, seconds in OpenMetrics.
    pub timestamp: Option<f64>,
}

impl Sample {
    /// The value of a label; the empty text where there is none, as in Prometheus.
    pub fn label(&self, name: &str) -> &str {
        self.labels.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }
}

/// A line that is no line of the format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// Its number, from 1.
    pub line: usize,
    /// What is wrong.
    pub reason: &'static str,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.reason)
    }
}

/// All samples of a text.
///
/// # Errors
/// The first line that is wrong.
pub fn parse(text: &str) -> Result<Vec<Sample>, ParseError> {
    let mut samples = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim_matches([' ', '\t', '\r']);
        if line.is_empty() {
            continue;
        }
        if let Some(comment) = line.strip_prefix('#') {
            if comment.trim_start() == "EOF" {
                break;
            }
            continue;
        }
        samples.push(Line(line).sample().map_err(|reason| ParseError { line: index + 1, reason })?);
    }
    Ok(samples)
}

/// What is left of a line.
struct Line<'a>(&'a str);

impl<'a> Line<'a> {
    fn sample(mut self) -> Result<Sample, &'static str> {
        let mut name = self.word(|c| c == ':');
        let mut labels = Vec::new();
        self.space();
        if self.take('{') {
            name = self.labels(name, &mut labels)?;
        }
        let name = name.ok_or("it starts with no metric's name")?;
        self.space();
        let value = number(self.field()).ok_or("it has no number after the name and labels")?;
        self.space();
        let timestamp = match self.0.chars().next() {
            None | Some('#') => None,
            Some(_) => Some(number(self.field()).ok_or("its time is no number")?),
        };
        self.space();
        // What follows a `#` is an exemplar.
        if !(self.0.is_empty() || self.0.starts_with('#')) {
            return Err("there is text after its end");
        }
        Ok(Sample { name, labels, value, timestamp })
    }

    /// What stands between the braces. A quoted text alone is the metric's name.
    fn labels(
        &mut self,
        mut metric: Option<String>,
        labels: &mut Vec<(String, String)>,
    ) -> Result<Option<String>, &'static str> {
        loop {
            self.space();
            if self.take('}') {
                return Ok(metric);
            }
            let quoted = self.0.starts_with('"');
            let name = if quoted { Some(self.quoted()?) } else { self.word(|_| false) };
            let name = name.ok_or("a label has no name")?;
            self.space();
            if self.take('=') {
                self.space();
                let value = self.quoted()?;
                labels.push((name, value));
            } else if quoted && metric.is_none() {
                metric = Some(name);
            } else {
                return Err("a label has no value");
            }
            self.space();
            if !self.take(',') && !self.0.starts_with('}') {
                return Err("its labels do not end");
            }
        }
    }

    /// A name: letters, digits, `_`, and what `also` allows; it starts with no digit.
    fn word(&mut self, also: fn(char) -> bool) -> Option<String> {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || also(c);
        let end = self.0.find(|c| !fits(c)).unwrap_or(self.0.len());
        let (word, rest) = self.0.split_at(end);
        if word.is_empty() || word.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        self.0 = rest;
        Some(word.to_owned())
    }

    /// A text in quotes. Escaped are the backslash, the quote and the line's end; any other backslash is itself.
    fn quoted(&mut self) -> Result<String, &'static str> {
        let mut text = String::new();
        let mut chars = self.0.strip_prefix('"').ok_or("a label's value is not in quotes")?.chars();
        loop {
            match chars.next().ok_or("a label's value does not end")? {
                '"' => break,
                '\\' => match chars.next().ok_or("a label's value does not end")? {
                    'n' => text.push('\n'),
                    c @ ('\\' | '"') => text.push(c),
                    c => text.extend(['\\', c]),
                },
                c => text.push(c),
            }
        }
        self.0 = chars.as_str();
        Ok(text)
    }

    fn field(&mut self) -> &'a str {
        let end = self.0.find([' ', '\t']).unwrap_or(self.0.len());
        let (field, rest) = self.0.split_at(end);
        self.0 = rest;
        field
    }

    fn take(&mut self, c: char) -> bool {
        self.0.strip_prefix(c).map(|rest| self.0 = rest).is_some()
    }

    fn space(&mut self) {
        self.0 = self.0.trim_start_matches([' ', '\t']);
    }
}

/// A number as Go reads it: `+Inf`, `-inf`, `NaN`, `1e-3`.
fn number(text: &str) -> Option<f64> {
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one(line: &str) -> Sample {
        let samples = parse(line).unwrap();
        assert_eq!(samples.len(), 1, "{line}");
        samples[0].clone()
    }

    /// The line that stands for a sample.
    fn render(sample: &Sample) -> String {
        let escape = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let labels: Vec<String> =
            sample.labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escape(value))).collect();
        let time = sample.timestamp.map(|time| format!(" {time}")).unwrap_or_default();
        format!("{}{{{}}} {}{time}\n", sample.name, labels.join(","), sample.value)
    }

    #[test]
    fn a_page_of_prometheus_itself_is_read() {
        let text = "\
# HELP http_requests_total The total number of HTTP requests.
# TYPE http_requests_total counter
http_requests_total{method=\"post\",code=\"200\"} 1027 1395066363000
http_requests_total{method=\"post\",code=\"400\"}    3 1395066363000

# Escaping in label values:
msdos_file_access_time_seconds{path=\"C:\\\\DIR\\\\FILE.TXT\",error=\"Cannot find file:\\n\\\"FILE.TXT\\\"\"} 1.458255915e9
metric_without_timestamp_and_labels 12.47
something_weird{problem=\"division by zero\"} +Inf -3982045
# TYPE http_request_duration_seconds histogram
http_request_duration_seconds_bucket{le=\"0.05\"} 24054
http_request_duration_seconds_bucket{le=\"+Inf\"} 144320
rpc_duration_seconds{quantile=\"0.5\",} NaN
";
        let samples = parse(text).unwrap();
        assert_eq!(samples.len(), 8);
        assert_eq!(samples[0].label("code"), "200");
        assert_eq!(samples[0].timestamp, Some(1_395_066_363_000.0));
        assert_eq!(samples[2].label("path"), "C:\\DIR\\FILE.TXT");
        assert_eq!(samples[2].label("error"), "Cannot find file:\n\"FILE.TXT\"");
        assert_eq!(samples[4].value, f64::INFINITY);
        assert!(samples[7].value.is_nan());
    }

    #[test]
    fn open_metrics_ends_at_eof_and_may_have_exemplars() {
        let text =
            "a_bucket{le=\"0.1\"} 8 # {trace_id=\"x\"} 0.05 1520879607.7\na_total 3 1520879607.7\n# EOF\nnot a metric";
        let samples = parse(text).unwrap();
        assert_eq!(samples.len(), 2);
        assert_eq!((samples[0].value, samples[0].timestamp), (8.0, None));
        assert_eq!(samples[1].timestamp, Some(1_520_879_607.7));
    }

    #[test]
    fn quoted_names_are_read() {
        let sample = one("{\"my.metric\", \"a.b\"=\"c\", d = \"e\"} 1");
        assert_eq!(sample.name, "my.metric");
        assert_eq!(sample.labels, [("a.b".into(), "c".into()), ("d".into(), "e".into())]);
    }

    #[test]
    fn braces_and_commas_in_values_are_text() {
        assert_eq!(one("a{b=\"},{=\",c=\"\\d\"} 1").labels, [("b".into(), "},{=".into()), ("c".into(), "\\d".into())]);
    }

    #[test]
    fn what_is_no_metric_is_told_with_its_line() {
        for (text, line, reason) in [
            ("<!doctype html>", 1, "no metric's name"),
            ("a 1\n\n{\"error\":\"not found\"}", 3, "labels do not end"),
            ("a", 1, "no number"),
            ("a{b=\"c} 1", 1, "does not end"),
            ("a{b=c} 1", 1, "not in quotes"),
            ("a{b=\"c\" d=\"e\"} 1", 1, "labels do not end"),
            ("a{b} 1", 1, "has no value"),
            ("a 1 x", 1, "time is no number"),
            ("a 1 2 3", 1, "text after its end"),
            ("9a 1", 1, "no metric's name"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.line == line && error.reason.contains(reason), "{text}: {error}");
        }
    }

    prop_compose! {
        fn samples()(
            name in "[a-zA-Z_:][a-zA-Z0-9_:]{0,12}",
            labels in prop::collection::vec(("[a-zA-Z_][a-zA-Z0-9_]{0,8}", "\\PC{0,12}|[\\\\\"\n,{}=]{0,6}"), 0..4),
            value in -1e12f64..1e12,
            timestamp in prop::option::of(-1e12f64..1e12),
        ) -> Sample {
            Sample { name, labels, value, timestamp }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back_as_the_same(samples in prop::collection::vec(samples(), 0..5)) {
            let text: String = samples.iter().map(render).collect();
            prop_assert_eq!(parse(&text).unwrap(), samples);
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,60}|[a-z{}=\"\\\\ ,#0-9\n]{0,60}") {
            let _ = parse(&text);
        }
    }
}
