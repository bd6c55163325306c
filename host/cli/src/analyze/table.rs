//! The issues for people.

use std::path::Path;

use autodevops_model::{History, Issue, IssueKind};
use autodevops_orchestrator::analysis::{Analysis, STDIN, Skipped};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    draw::sparkline,
    output::{Style, clean, columns, cut},
};

/// Evidence lines that are shown of an issue in a list.
const EVIDENCE: usize = 2;
/// Logs that are named; of more their number is told.
const SOURCES: usize = 8;
/// Issues that are listed, where it is not said how many.
const TOP: usize = 20;
/// Columns of a sparkline.
const SPARK_COLUMNS: usize = 24;
/// Stands for a value in a template.
const MARK: &str = "<*>";

/// The issues, each in a few lines.
pub fn list(analysis: &Analysis, top: Option<usize>) -> String {
    let style = Style::stdout();
    let bytes: u64 = analysis.sources.iter().map(|source| source.bytes).sum();
    if analysis.issues.is_empty() {
        return format!("nothing wrong found in {} ({bytes} bytes)\n{}", sources(analysis), skipped(analysis));
    }
    let shown = match top.unwrap_or(TOP) {
        0 => analysis.issues.len(),
        top => top,
    };
    let mut text = String::new();
    for issue in analysis.issues.iter().take(shown) {
        describe(&mut text, issue, style, columns());
    }
    let total = analysis.issues.len();
    let rest = total.saturating_sub(shown);
    let more = if rest > 0 { format!("; {rest} more, see them with --top 0") } else { String::new() };
    let issues = if total == 1 { "issue" } else { "issues" };
    text.push_str(&format!("{total} {issues} in {} ({bytes} bytes){more}\n{}", sources(analysis), skipped(analysis)));
    text
}

/// The logs' names, where they are few.
fn sources(analysis: &Analysis) -> String {
    match analysis.sources.as_slice() {
        [] => "no log".to_owned(),
        sources if sources.len() > SOURCES => format!("{} logs", sources.len()),
        sources => sources.iter().map(|source| name(&source.source)).collect::<Vec<_>>().join(", "),
    }
}

/// What a log is called in a line for people: the last part of its path.
fn name(source: &str) -> String {
    if source == STDIN {
        return "standard input".to_owned();
    }
    Path::new(source).file_name().map_or_else(|| source.to_owned(), |name| clean(&name.to_string_lossy()))
}

/// A line for each log of which something was not read as it is; nothing where all was.
pub fn skipped(analysis: &Analysis) -> String {
    let told = |skipped: &Skipped| clean(&format!("skipped: {}: {skipped}", name(&skipped.source))) + "\n";
    analysis.skipped.iter().map(told).collect()
}

fn describe(text: &mut String, issue: &Issue, style: Style, width: usize) {
    let title = cut(&issue.title, width.saturating_sub(20));
    text.push_str(&format!("{} {:>8}  {}\n", style.severity(issue.severity), issue.count, style.bold(&title)));
    let mut about = vec![
        cut(&issue.fingerprint, 16),
        kind(issue.kind).to_owned(),
        format!("{:.0} % sure", issue.confidence * 100.0),
    ];
    if let Some(location) = &issue.location {
        about.push(format!("{}:{}", location.path, location.line));
    }
    if let (Some(first), Some(last)) = (issue.first_seen.and_then(when), issue.last_seen.and_then(when)) {
        about.push(if first == last { first } else { format!("{first} to {last}") });
    }
    let spark = issue.history.as_ref().map(spark).filter(|spark| !spark.is_empty());
    let room = width.saturating_sub(2 + spark.as_ref().map_or(0, |spark| spark.chars().count() + 1));
    let about = style.dim(&cut(&about.join(" · "), room));
    text.push_str(&match spark {
        Some(spark) => format!("  {spark} {about}\n"),
        None => format!("  {about}\n"),
    });
    if !issue.reason.is_empty() {
        text.push_str(&format!("  {}\n", cut(&issue.reason, width.saturating_sub(2))));
    }
    if let Some(template) = issue.template.as_ref().filter(|template| template.contains(MARK)) {
        text.push_str(&format!("  {}\n", marked(&cut(template, width.saturating_sub(2)), style)));
    }
    for related in issue.related.iter().take(EVIDENCE) {
        let line = format!("with it, {}: {}", kind(related.kind), related.title);
        text.push_str(&format!("    {}\n", cut(&line, width.saturating_sub(4))));
    }
    for evidence in issue.evidence.iter().take(EVIDENCE) {
        let source = Path::new(&evidence.source).file_name().unwrap_or_default().to_string_lossy();
        let line = format!("{source}:{}: {}", evidence.line, evidence.text);
        text.push_str(&format!("    {}\n", cut(&line, width.saturating_sub(4))));
    }
}

/// All that is known of the issues.
pub fn explain(issues: &[Issue]) -> String {
    let style = Style::stdout();
    issues.iter().map(|issue| all_of(issue, style)).collect::<Vec<_>>().join("\n")
}

fn all_of(issue: &Issue, style: Style) -> String {
    let clean = |text: &str| cut(text, usize::MAX);
    let mut text = format!("{} {}\n", style.severity(issue.severity), style.bold(&clean(&issue.title)));
    let mut row = |name: &str, value: String| {
        if !value.is_empty() {
            text.push_str(&format!("  {} {value}\n", style.dim(&format!("{name:<12}"))));
        }
    };
    row("fingerprint", clean(&issue.fingerprint));
    row("kind", kind(issue.kind).to_owned());
    row("why", clean(&issue.reason));
    row("sure", format!("{:.0} %", issue.confidence * 100.0));
    row("seen", format!("{} times", issue.count));
    row("first seen", issue.first_seen.and_then(when).unwrap_or_default());
    row("last seen", issue.last_seen.and_then(when).unwrap_or_default());
    row("exception", issue.exception.as_deref().map(clean).unwrap_or_default());
    row("message", clean(&issue.message));
    row("template", issue.template.as_deref().map(|template| marked(&clean(template), style)).unwrap_or_default());
    if let Some(place) = &issue.location {
        row("in", format!("{}:{}", clean(&place.path), place.line));
    }
    if let Some(rate) = &issue.rate {
        let (now, before) = (rate.current_per_minute, rate.baseline_per_minute);
        row("rate", format!("{now:.2} a minute over {} s, {before:.2} before", rate.window_seconds));
    }
    if let Some(forecast) = issue.forecast {
        let at = |time| when(time).unwrap_or_else(|| "far away".to_owned());
        row("limit", format!("{} of {}", forecast.value, forecast.limit));
        row(
            "reached",
            format!("{}, between {} and {}", at(forecast.expected), at(forecast.earliest), at(forecast.latest)),
        );
    }
    if let Some(history) = &issue.history {
        row("history", format!("{} each {} s", spark(history), step(history)));
    }
    for related in &issue.related {
        row("with it", format!("{} {} {}", kind(related.kind), clean(&related.fingerprint), clean(&related.title)));
    }
    for frame in &issue.stack {
        let own = if frame.own_code { "" } else { " (not own code)" };
        let function = frame.function.as_deref().unwrap_or("top level");
        row("at", format!("{} {}:{}{own}", clean(function), clean(&frame.file), frame.line));
    }
    for line in &issue.evidence {
        row("line", format!("{}:{}: {}", clean(&line.source), line.line, clean(&line.text)));
    }
    text
}

/// A kind's name, as in JSON.
pub fn kind(kind: IssueKind) -> &'static str {
    match kind {
        IssueKind::Exception => "exception",
        IssueKind::CriticalError => "critical-error",
        IssueKind::NewPattern => "new-pattern",
        IssueKind::ErrorBurst => "error-burst",
        IssueKind::RateChange => "rate-change",
        IssueKind::LatencyRegression => "latency-regression",
        IssueKind::VanishedHeartbeat => "vanished-heartbeat",
        IssueKind::Prediction => "prediction",
        IssueKind::Anomaly => "anomaly",
    }
}

/// The template with its values marked.
fn marked(template: &str, style: Style) -> String {
    template.split(MARK).collect::<Vec<_>>().join(&style.bad(MARK))
}

/// Counts that one column shows together.
fn together(history: &History) -> usize {
    history.counts.len().div_ceil(SPARK_COLUMNS).max(1)
}

fn step(history: &History) -> usize {
    together(history).saturating_mul(history.step_seconds as usize)
}

fn spark(history: &History) -> String {
    let sum = |counts: &[u32]| counts.iter().copied().map(f64::from).sum::<f64>();
    let counts: Vec<Option<f64>> = history.counts.chunks(together(history)).map(|counts| Some(sum(counts))).collect();
    let most = counts.iter().flatten().copied().fold(0.0, f64::max);
    sparkline(&counts, most)
}

/// A time to the second, in UTC.
fn when(nanoseconds: i64) -> Option<String> {
    let time = OffsetDateTime::from_unix_timestamp(nanoseconds.div_euclid(1_000_000_000)).ok()?;
    time.format(&Rfc3339).ok()
}

#[cfg(test)]
mod tests {
    use autodevops_model::{Evidence, Severity};
    use autodevops_orchestrator::{
        analysis::{Skipped, SourceRead},
        input::Amiss,
    };

    use super::*;

    fn issue() -> Issue {
        Issue {
            count: 31,
            confidence: 0.93,
            first_seen: Some(1_795_428_000_000_000_000),
            last_seen: Some(1_795_428_600_000_000_000),
            reason: "there were 3 a minute in the last 10 minutes, and 0.2 were to be expected, which is a lot".into(),
            template: Some("order <*> failed".into()),
            history: Some(History {
                start: 1_795_428_000_000_000_000,
                step_seconds: 60,
                counts: (0..48).map(|count| u32::from(count > 40) * count).collect(),
            }),
            evidence: vec![Evidence {
                source: "/var/log/a.log".into(),
                line: 7,
                text: "ERROR order 17 failed".repeat(9),
            }],
            ..Issue::new(
                "62e23fd1200296c4",
                IssueKind::ErrorBurst,
                Severity::Error,
                "15 times as often: order 17 failed",
            )
        }
    }

    #[test]
    fn an_issue_fits_eighty_columns_with_its_course_and_its_template() {
        let mut text = String::new();
        describe(&mut text, &issue(), Style::plain(), 80);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        for part in ["error-burst", "▁▁▁", "█", "order <*> failed", "a.log:7", "93 % sure"] {
            assert!(text.contains(part), "no `{part}` in\n{text}");
        }
    }

    #[test]
    fn what_was_skipped_is_told_in_a_line_below() {
        let amiss = Amiss { cut_lines: 2, nul_bytes: 4096, ..Amiss::default() };
        let skipped = [
            Skipped { source: "a.log".into(), amiss, trouble: None },
            Skipped { source: "-".into(), amiss: Amiss::default(), trouble: Some("it ends\u{1b}[2J early".into()) },
        ];
        let read = |source: &str| SourceRead { source: source.into(), bytes: 7 };
        let analysis = Analysis { issues: vec![], sources: vec![read("a.log"), read("-")], skipped: skipped.into() };
        assert_eq!(
            list(&analysis, Some(0)),
            "nothing wrong found in a.log, standard input (14 bytes)\n\
             skipped: a.log: 2 lines cut at 64 KiB, 4096 zero bytes\n\
             skipped: standard input: it ends\\u{1b}[2J early\n"
        );
        let analysis = Analysis { issues: vec![issue()], skipped: vec![], ..analysis };
        assert!(list(&analysis, Some(0)).ends_with("1 issue in a.log, standard input (14 bytes)\n"));
        let many = Analysis { sources: vec![read("a.log"); 9], ..analysis };
        assert!(list(&many, Some(0)).ends_with("1 issue in 9 logs (63 bytes)\n"));
    }

    #[test]
    fn an_explanation_leaves_nothing_out() {
        let text = all_of(&issue(), Style::plain());
        for part in ["which is a lot", "seen         31 times", "each 120 s", &"ERROR order 17 failed".repeat(9)] {
            assert!(text.contains(part), "no `{part}` in\n{text}");
        }
    }
}
