//! `autodevops analyze`: a ranked list of what is wrong.

mod exchange;
mod sarif;
mod table;
mod watch;
mod window;

use std::{io::IsTerminal, path::Path, process::ExitCode};

use anyhow::Result;
use autodevops_config::Config;
use autodevops_model::{Severity, Stage};
use autodevops_orchestrator::{
    analysis::{Analysis, analyze_files},
    catalog::Catalog,
    clock,
    plugins::PluginSet,
    source_maps::SourceMaps,
    usage::beginning,
};
use autodevops_sandbox::MountedFolder;
use indicatif::{ProgressBar, ProgressStyle};

use crate::{
    arguments::Analyze,
    compile, groups,
    output::{self, AnyFormat, Usage},
    project,
};

pub async fn run(options: &Analyze, config: Option<&Path>, format: AnyFormat) -> Result<ExitCode> {
    let show = Show { options, format, least: options.min_severity.as_deref().map(severity).transpose()? };
    if options.watch && !matches!(format, AnyFormat::Text | AnyFormat::Json) {
        return Err(
            Usage("--watch shows text, or JSON line by line; write --format text or --format json".into()).into()
        );
    }
    if options.groups && matches!(format, AnyFormat::Json | AnyFormat::Sarif) {
        return Err(Usage("--groups prints CSV; write --format csv, or leave --format out".into()).into());
    }
    let mut catalog = window::set(catalog(config)?, options, clock::now())?;
    let maps = options.source_maps.as_deref().map(|folder| SourceMaps::new(folder, None)).transpose()?;
    if let Some(maps) = &maps {
        catalog = maps.told(catalog, &options.plugin);
        let name = catalog.open(&options.plugin)?.manifest.name;
        catalog = catalog.with_grant(&name, SourceMaps::grant());
    }
    let plugins = PluginSet::new(catalog, Default::default(), compile::services())?;
    let plugin = plugins.for_stage(&options.plugin, Stage::Analyzer)?;
    let mounts: Vec<MountedFolder> = maps.iter().map(|maps| maps.mount(&plugin)).collect::<Result<_, _>>()?;
    if options.watch {
        watch::run(plugin, mounts, &show).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let progress = bar(options);
    if options.groups {
        let done = groups::run(plugin, options, |bytes| progress.inc(bytes)).await;
        progress.finish_and_clear();
        return done;
    }
    let shown = progress.clone();
    let analysis = analyze_files(plugin, mounts, &options.files, move |bytes| shown.inc(bytes)).await;
    progress.finish_and_clear();
    let mut analysis = analysis?;
    show.choose(&mut analysis)?;
    output::text(&show.whole(&analysis)?)?;
    // What was read is shown; that it was not all, a script must not overlook.
    Ok(if analysis.is_partial() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What of an analysis is shown, and how.
struct Show<'a> {
    options: &'a Analyze,
    format: AnyFormat,
    least: Option<Severity>,
}

impl Show<'_> {
    /// Leaves out the issues that are not asked for.
    fn choose(&self, analysis: &mut Analysis) -> Result<()> {
        analysis.issues.retain(|issue| self.least.is_none_or(|least| issue.severity >= least));
        if let Some(fingerprint) = &self.options.explain {
            beginning(fingerprint, "give the issue's fingerprint, or the beginning of it")?;
            analysis.issues.retain(|issue| issue.fingerprint.starts_with(fingerprint));
            if analysis.issues.is_empty() {
                let told = "no issue's fingerprint begins so; without --explain, all are listed";
                return Err(Usage(format!("`{fingerprint}`: {told}")).into());
            }
        }
        if let Some(top) = self.options.top.filter(|top| *top > 0 && self.format != AnyFormat::Text) {
            analysis.issues.truncate(top);
        }
        Ok(())
    }

    /// All of the analysis.
    fn whole(&self, analysis: &Analysis) -> Result<String> {
        Ok(match self.format {
            AnyFormat::Json => format!("{}\n", serde_json::to_string_pretty(analysis)?),
            AnyFormat::Csv => exchange::csv(&analysis.issues),
            AnyFormat::Sarif => format!("{}\n", serde_json::to_string_pretty(&sarif::log(analysis))?),
            AnyFormat::Text if self.options.explain.is_some() => table::explain(&analysis.issues),
            AnyFormat::Text => table::list(analysis, self.options.top),
        })
    }
}

/// The plugins, with what the project's configuration says of how each works: the one that is named, or the nearest. What it grants is the
/// project's affair. One that is not named and cannot be read keeps nobody from looking at a log.
fn catalog(named: Option<&Path>) -> Result<Catalog> {
    let file = match project::file(named) {
        Ok(file) => file,
        Err(_) if named.is_none() => return Ok(Catalog::by_hand()),
        Err(error) => return Err(error),
    };
    match Config::load(&file) {
        Ok(config) => Ok(Catalog::by_hand_as_in(&config)),
        Err(error) if named.is_none() => {
            output::note(&format!("what {} says of the analyzer is not heeded: {error}", file.display()));
            Ok(Catalog::by_hand())
        }
        Err(error) => Err(error.into()),
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
    use clap::Parser;

    use super::*;
    use crate::arguments::{Arguments, Verb};

    #[test]
    fn issues_are_taken_by_severity() {
        use autodevops_model::{Issue, IssueKind};
        let Verb::Analyze(options) = Arguments::try_parse_from(["autodevops", "analyze", "a.log"]).unwrap().verb else {
            unreachable!()
        };
        let of = |severity| Issue::new("f00d", IssueKind::Exception, severity, "x");
        let all = || Analysis {
            issues: vec![of(Severity::Info), of(Severity::Error), of(Severity::Critical)],
            sources: vec![],
            skipped: vec![],
        };
        let left = |least| {
            let mut analysis = all();
            Show { options: &options, format: AnyFormat::Text, least }.choose(&mut analysis).unwrap();
            analysis.issues.len()
        };
        assert_eq!((left(None), left(Some(Severity::Error)), left(Some(Severity::Critical))), (3, 2, 1));
        assert!(severity("bad").is_err());
    }

    #[test]
    fn one_issue_is_explained_by_the_beginning_of_its_fingerprint_and_not_by_nothing() {
        use autodevops_model::{Issue, IssueKind};
        for (start, left) in [("f0", Some(1)), ("", None), (" ", None), ("a", None)] {
            let line = ["autodevops", "analyze", "a.log", "--explain", start];
            let Verb::Analyze(options) = Arguments::try_parse_from(line).unwrap().verb else { unreachable!() };
            let issue = Issue::new("f00d", IssueKind::Exception, Severity::Error, "x");
            let mut analysis = Analysis { issues: vec![issue], sources: vec![], skipped: vec![] };
            let chosen = Show { options: &options, format: AnyFormat::Text, least: None }.choose(&mut analysis);
            let left_over = chosen.map(|()| analysis.issues.len());
            assert!(left_over.as_ref().err().is_none_or(|error| error.is::<Usage>()));
            assert_eq!(left_over.ok(), left, "`{start}`");
        }
    }

    #[test]
    fn so_many_are_shown_as_are_asked_for_in_every_format() {
        let line = ["autodevops", "analyze", "a.log", "--top"];
        let issue =
            || autodevops_model::Issue::new("f00d", autodevops_model::IssueKind::Exception, Severity::Error, "x");
        for (top, format, left) in [("2", AnyFormat::Json, 2), ("0", AnyFormat::Csv, 3), ("2", AnyFormat::Text, 3)] {
            let arguments = Arguments::try_parse_from(line.into_iter().chain([top])).unwrap();
            let Verb::Analyze(options) = arguments.verb else { unreachable!() };
            let mut analysis = Analysis { issues: vec![issue(), issue(), issue()], sources: vec![], skipped: vec![] };
            Show { options: &options, format, least: None }.choose(&mut analysis).unwrap();
            assert_eq!(
                analysis.issues.len(),
                left,
                "{top} {format:?}: the list of the text says how many more there are"
            );
        }
    }
}
