//! `autodevops analyze`: a ranked list of what is wrong.

mod exchange;
mod sarif;
mod table;

use std::{io::IsTerminal, process::ExitCode};

use anyhow::Result;
use autodevops_model::{Issue, Severity, Stage};
use autodevops_orchestrator::{analysis::analyze_files, catalog::Catalog, clock, plugins::PluginSet};
use indicatif::{ProgressBar, ProgressStyle};

use crate::{
    arguments::Analyze,
    compile, groups,
    moment::moment,
    output::{self, AnyFormat, Usage},
};

pub async fn run(options: &Analyze, format: AnyFormat) -> Result<ExitCode> {
    let filter = Filter::new(options)?;
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
    analysis.issues.retain(|issue| filter.takes(issue));
    if let Some(fingerprint) = &options.explain {
        analysis.issues.retain(|issue| issue.fingerprint.starts_with(fingerprint));
        if analysis.issues.is_empty() {
            let told = "no issue's fingerprint begins so; without --explain, all are listed";
            return Err(Usage(format!("`{fingerprint}`: {told}")).into());
        }
    }
    match format {
        AnyFormat::Json => output::json(&analysis)?,
        AnyFormat::Csv => output::text(&exchange::csv(&analysis.issues))?,
        AnyFormat::Sarif => output::json(&sarif::log(&analysis.issues))?,
        AnyFormat::Text if options.explain.is_some() => output::text(&table::explain(&analysis.issues))?,
        AnyFormat::Text => output::text(&table::list(&analysis, options.top))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Which issues are shown.
struct Filter {
    least: Option<Severity>,
    since: Option<i64>,
    until: Option<i64>,
}

impl Filter {
    fn new(options: &Analyze) -> Result<Self> {
        let now = clock::now();
        let at = |text: &Option<String>| text.as_deref().map(|text| moment(text, now)).transpose();
        Ok(Self {
            least: options.min_severity.as_deref().map(severity).transpose()?,
            since: at(&options.since)?.map(|at| at.0),
            until: at(&options.until)?.map(|at| at.0),
        })
    }

    /// Whether the issue matters enough, and was seen in between; one without a time was not.
    fn takes(&self, issue: &Issue) -> bool {
        self.least.is_none_or(|least| issue.severity >= least)
            && self.since.is_none_or(|since| issue.last_seen.is_some_and(|last| last >= since))
            && self.until.is_none_or(|until| issue.first_seen.is_some_and(|first| first <= until))
    }
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

#[cfg(test)]
mod tests {
    use autodevops_model::IssueKind;

    use super::*;

    #[test]
    fn issues_are_taken_by_severity_and_by_when_they_were_seen() {
        let issue = |severity, seen: Option<(i64, i64)>| Issue {
            first_seen: seen.map(|(first, _)| first),
            last_seen: seen.map(|(_, last)| last),
            ..Issue::new("f00d", IssueKind::Exception, severity, "x")
        };
        let filter = Filter { least: Some(Severity::Error), since: Some(10), until: Some(20) };
        assert!(filter.takes(&issue(Severity::Error, Some((5, 12)))));
        assert!(filter.takes(&issue(Severity::Critical, Some((20, 30)))));
        assert!(!filter.takes(&issue(Severity::Warning, Some((5, 12)))));
        assert!(!filter.takes(&issue(Severity::Error, Some((5, 9)))));
        assert!(!filter.takes(&issue(Severity::Error, Some((21, 30)))));
        assert!(!filter.takes(&issue(Severity::Error, None)));
        assert!(Filter { least: None, since: None, until: None }.takes(&issue(Severity::Info, None)));
    }
}
