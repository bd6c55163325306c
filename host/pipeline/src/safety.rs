//! The safety checks, and what needs a person's word.

use autodevops_model::{Outcome, Severity};

use crate::run::Run;
use crate::{Environment, NamedReport, Plan, Verdict};

/// Files that decide what is installed, by the names of their ecosystems' lockfiles.
const LOCKFILES: [&str; 15] = [
    "package-lock.json",
    "npm-shrinkwrap.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    "bun.lock",
    "bun.lockb",
    "deno.lock",
    "Cargo.lock",
    "poetry.lock",
    "Pipfile.lock",
    "uv.lock",
    "Gemfile.lock",
    "composer.lock",
    "go.sum",
    "gradle.lockfile",
];
/// Files that hold commands which a build, an install or a check runs.
const SCRIPTS: [&str; 10] = [
    "package.json",
    ".npmrc",
    ".yarnrc.yml",
    ".pnpmfile.cjs",
    "Makefile",
    "Dockerfile",
    "build.rs",
    "setup.py",
    "firebase.json",
    "autodevops.toml",
];
/// Files and folders of the usual CI systems.
const CI: [&str; 10] = [
    ".github",
    ".gitlab-ci.yml",
    ".gitlab",
    ".circleci",
    ".buildkite",
    ".travis.yml",
    "Jenkinsfile",
    "azure-pipelines.yml",
    "bitbucket-pipelines.yml",
    "cloudbuild.yaml",
];

/// The paths of a change that need a person's word whatever the plan says, with the reason: they decide what is installed, what
/// a build runs, or what this pipeline does.
pub fn needs_person<'a>(changed: impl IntoIterator<Item = &'a str>) -> Vec<(&'a str, &'static str)> {
    let is = |name: &str, names: &[&str]| names.iter().any(|known| known.eq_ignore_ascii_case(name));
    let reason = |path: &str| {
        let file = path.rsplit('/').next().unwrap_or(path);
        if is(file, &["autodevops.toml", "autodevops.lock"]) {
            Some("it is this pipeline's own configuration")
        } else if is(file, &LOCKFILES) {
            Some("it decides what is installed")
        } else if is(file, &SCRIPTS) {
            Some("it holds commands that a build runs")
        } else if path.split('/').any(|part| is(part, &CI)) {
            Some("it is the CI's configuration")
        } else if path.split('/').any(|part| part.eq_ignore_ascii_case(".autodevops")) {
            Some("it is this pipeline's own configuration")
        } else {
            None
        }
    };
    changed.into_iter().filter_map(|path| Some((path, reason(path)?))).collect()
}

fn verdict(outcome: Outcome, rule: &str, words: String, numbers: Vec<(String, f64)>) -> Verdict {
    let (service, rule) = (String::new(), rule.to_owned());
    Verdict { service, outcome, rule, words, numbers, window: None, method: None, dry_run: false }
}

/// Of several verdicts the one that decides: a failure, then a doubt.
pub(crate) fn worst<'a>(verdicts: impl IntoIterator<Item = &'a Verdict>) -> Option<&'a Verdict> {
    let rank = |verdict: &&Verdict| match verdict.outcome {
        Outcome::Failed => 0,
        Outcome::Inconclusive => 1,
        Outcome::Passed => 2,
    };
    verdicts.into_iter().min_by_key(rank)
}

/// The worst of the reports; a plugin that was asked and gave none makes it inconclusive.
pub(crate) fn reported(rule: &str, asked: &[String], reports: &[NamedReport]) -> Verdict {
    let silent = |plugin: &&String| reports.iter().all(|named| named.plugin != **plugin);
    if asked.is_empty() && reports.is_empty() {
        return verdict(Outcome::Inconclusive, rule, format!("no plugin is set for {rule}"), Vec::new());
    }
    let with = |outcome| reports.iter().find(|named| named.report.outcome == outcome);
    let words = |named: &NamedReport| format!("`{}`: {}", named.plugin, named.report.summary);
    if let Some(named) = with(Outcome::Failed) {
        return verdict(Outcome::Failed, rule, words(named), Vec::new());
    }
    if let Some(plugin) = asked.iter().find(silent) {
        return verdict(Outcome::Inconclusive, rule, format!("`{plugin}` gave no report"), Vec::new());
    }
    if let Some(named) = with(Outcome::Inconclusive) {
        return verdict(Outcome::Inconclusive, rule, words(named), Vec::new());
    }
    let all = reports.iter().map(words).collect::<Vec<_>>().join("; ");
    verdict(Outcome::Passed, rule, all, Vec::new())
}

/// Whether tests reach enough of the changed lines: by the least `line-coverage` that a report gives.
pub(crate) fn coverage(plan: &Plan, reports: &[NamedReport]) -> Verdict {
    let metrics = reports.iter().flat_map(|named| &named.report.metrics);
    let seen = metrics.filter(|metric| metric.name == "line-coverage").map(|metric| metric.value).reduce(f64::min);
    let rule = "test coverage";
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    match (plan.min_coverage, seen) {
        _ if reports.is_empty() => {
            verdict(Outcome::Inconclusive, rule, "no plugin ran tests of the change".into(), Vec::new())
        }
        (None, None) => verdict(Outcome::Passed, rule, "no least coverage is set".into(), Vec::new()),
        (None, Some(seen)) => {
            let words = format!("tests reach {} of the changed lines; no least coverage is set", percent(seen));
            verdict(Outcome::Passed, rule, words, vec![("line-coverage".into(), seen)])
        }
        (Some(min), None) => {
            let words =
                format!("nobody measured how many of the changed lines tests reach; {} are needed", percent(min));
            verdict(Outcome::Inconclusive, rule, words, vec![("threshold".into(), min)])
        }
        (Some(min), Some(seen)) => {
            let outcome = if seen >= min { Outcome::Passed } else { Outcome::Failed };
            let words =
                format!("tests reach {} of the changed lines, of {} that are needed", percent(seen), percent(min));
            verdict(outcome, rule, words, vec![("line-coverage".into(), seen), ("threshold".into(), min)])
        }
    }
}

/// The metric by which a report shows that its plugin scanned the change for weaknesses.
pub const SCANNED: &str = "secrets-found";

/// Whether a plugin scanned the change and none found a weakness: a finding of severity error or critical, of whatever plugin, stops
/// the change. A report without [`SCANNED`] does not show that anybody scanned.
pub(crate) fn security<'a>(reports: impl IntoIterator<Item = &'a NamedReport>) -> Verdict {
    let rule = "security scan";
    let (mut scanned, mut found) = (Vec::new(), Vec::new());
    for named in reports {
        if named.report.metrics.iter().any(|metric| metric.name == SCANNED) {
            scanned.push(format!("`{}`", named.plugin));
        }
        let grave = named.report.findings.iter().filter(|finding| finding.severity >= Severity::Error);
        found.extend(grave.map(|finding| (named, finding)));
    }
    let numbers = vec![("findings".to_owned(), found.len() as f64)];
    match found.first() {
        Some((named, finding)) => {
            let place = finding.location.as_ref().map(|place| format!(" in {}:{}", place.path, place.line));
            let words = format!("`{}`: {}{}", named.plugin, finding.message, place.unwrap_or_default());
            verdict(Outcome::Failed, rule, words, numbers)
        }
        None if scanned.is_empty() => {
            let words = format!("no plugin scanned the change: no report has the metric `{SCANNED}`");
            verdict(Outcome::Inconclusive, rule, words, numbers)
        }
        None => {
            let words = format!("{} scanned the change and found nothing that stops it", scanned.join(", "));
            verdict(Outcome::Passed, rule, words, numbers)
        }
    }
}

/// Whether there is a release to go back to, and the target can go back.
pub(crate) fn rollback(run: &Run) -> Verdict {
    let rule = "rollback capability";
    let capabilities = run.capabilities();
    let mut back = Vec::new();
    for member in run.members() {
        let Some(stable) = member.stable(Environment::Production) else {
            let of = if member.label().is_empty() { String::new() } else { format!(" of `{}`", member.label()) };
            let words = format!("production{of} has no stable release to go back to; deploy one by hand first");
            return verdict(Outcome::Failed, rule, words, Vec::new());
        };
        back.push(format!("`{}`", stable.id));
    }
    let back = back.join(" and ");
    if run.plan().data.preserve && !capabilities.keeps_state {
        let words = "its data must be preserved, and the target keeps none across a change of release; choose another target, or let \
                     [data] `preserve` be false";
        return verdict(Outcome::Failed, rule, words.into(), Vec::new());
    }
    if !capabilities.instant_rollback && !capabilities.split_traffic {
        let words = "the target can neither roll back at once nor split traffic; choose one that can";
        return verdict(Outcome::Failed, rule, words.into(), Vec::new());
    }
    match run.fix().map(|fix| &fix.rollback).filter(|plan| !plan.previous_release_suffices) {
        Some(plan) => {
            let words = format!("going back to {back} is not enough: {}", plan.summary);
            verdict(Outcome::Inconclusive, rule, words, Vec::new())
        }
        None => verdict(Outcome::Passed, rule, format!("traffic can go back to {back}"), Vec::new()),
    }
}
