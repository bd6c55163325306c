//! `autodevops analyze`: a ranked list of what is wrong.

use std::{io::IsTerminal, path::Path, process::ExitCode};

use anyhow::Result;
use autodevops_model::{Issue, Severity, Stage};
use autodevops_orchestrator::{
    analysis::{Analysis, STDIN, analyze_files},
    catalog::Catalog,
    plugins::PluginSet,
};
use indicatif::{ProgressBar, ProgressStyle};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    arguments::Analyze,
    compile, groups,
    output::{self, Format, Style, Usage, columns, cut},
};

/// Evidence lines that are shown of an issue.
const EVIDENCE: usize = 2;

pub async fn run(options: &Analyze, format: Format) -> Result<ExitCode> {
    let least = options.min_severity.as_deref().map(severity).transpose()?;
    let plugins = PluginSet::new(Catalog::by_hand(), Default::default(), compile::services())?;
    let plugin = plugins.for_stage(&options.plugin, Stage::Analyzer)?;
    let progress = bar(options);
    if options.groups {
        let done = groups::run(plugin, options, |bytes| progress.inc(bytes)).await;
        progress.finish_and_clear();
        return done;
    }
    let analysis = analyze_files(plugin, &options.files, |bytes| progress.inc(bytes)).await;
    progress.finish_and_clear();
    let mut analysis = analysis?;
    if let Some(least) = least {
        analysis.issues.retain(|issue| issue.severity >= least);
    }
    match format {
        Format::Json => output::json(&analysis)?,
        Format::Text => output::text(&list(&analysis, options.top))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn severity(name: &str) -> Result<Severity> {
    let value = serde_json::Value::String(name.to_owned());
    serde_json::from_value(value)
        .map_err(|_| Usage(format!("unknown severity `{name}`; one of info, warning, error, critical")).into())
}

/// Bytes read of all, on a terminal and where all sizes are known.
fn bar(options: &Analyze) -> ProgressBar {
    let sizes: Option<u64> = options
        .files
        .iter()
        .map(|file| std::fs::metadata(file).ok().filter(std::fs::Metadata::is_file).map(|metadata| metadata.len()))
        .sum();
    let Some(total) = sizes.filter(|_| std::io::stderr().is_terminal()) else { return ProgressBar::hidden() };
    let style = ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta} left");
    ProgressBar::new(total).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn list(analysis: &Analysis, top: usize) -> String {
    let style = Style::stdout();
    let bytes: u64 = analysis.sources.iter().map(|source| source.bytes).sum();
    if analysis.issues.is_empty() {
        return format!("nothing wrong found in {} ({bytes} bytes)\n", sources(analysis));
    }
    let shown = if top == 0 { analysis.issues.len() } else { top };
    let mut text = String::new();
    for issue in analysis.issues.iter().take(shown) {
        describe(&mut text, issue, style);
    }
    let total = analysis.issues.len();
    let rest = total.saturating_sub(shown);
    let more = if rest > 0 { format!("; {rest} more, see them with --top 0") } else { String::new() };
    let issues = if total == 1 { "issue" } else { "issues" };
    text.push_str(&format!("{total} {issues} in {} ({bytes} bytes){more}\n", sources(analysis)));
    text
}

fn sources(analysis: &Analysis) -> String {
    let name = |name: &str| if name == STDIN { "standard input".to_owned() } else { name.to_owned() };
    analysis.sources.iter().map(|source| name(&source.source)).collect::<Vec<_>>().join(", ")
}

fn describe(text: &mut String, issue: &Issue, style: Style) {
    let title = cut(&issue.title, columns() - 20);
    text.push_str(&format!("{} {:>8}  {}\n", style.severity(issue.severity), issue.count, style.bold(&title)));
    let mut about = vec![cut(&issue.fingerprint, 16), format!("{:.0} % sure", issue.confidence * 100.0)];
    if let Some(location) = &issue.location {
        about.push(format!("{}:{}", location.path, location.line));
    }
    if let (Some(first), Some(last)) = (issue.first_seen.and_then(when), issue.last_seen.and_then(when)) {
        about.push(if first == last { first } else { format!("{first} to {last}") });
    }
    text.push_str(&format!("  {}\n", style.dim(&cut(&about.join(" · "), columns() - 2))));
    for evidence in issue.evidence.iter().take(EVIDENCE) {
        let source = Path::new(&evidence.source).file_name().unwrap_or_default().to_string_lossy();
        let line = format!("{source}:{}: {}", evidence.line, evidence.text);
        text.push_str(&format!("    {}\n", cut(&line, columns() - 4)));
    }
}

/// A time to the second, in UTC.
fn when(nanoseconds: i64) -> Option<String> {
    let time = OffsetDateTime::from_unix_timestamp(nanoseconds.div_euclid(1_000_000_000)).ok()?;
    time.format(&Rfc3339).ok()
}
