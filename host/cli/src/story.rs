//! A run's events in words.

use autodevops_model::{Fix, Outcome as CheckOutcome, Severity, Shares};
use autodevops_pipeline::{
    Command, Counted, Environment, EventKind, Former, Gate, NamedReport, Retry, Run, RunStage, Verdict,
};
use autodevops_policy::Bytes;

use crate::{output::cut, runs::day};

/// Findings that are told of a report.
const FINDINGS: usize = 5;

/// How an event is told: a line, and what belongs under it. None for what is of no interest to a person.
pub struct Telling {
    /// One line.
    pub line: String,
    /// Further lines.
    pub under: Vec<String>,
}

fn tell(line: impl Into<String>) -> Option<Telling> {
    Some(Telling { line: line.into(), under: Vec::new() })
}

/// The event in words, of a run that has just taken it in.
pub fn event(event: &EventKind, run: &Run) -> Option<Telling> {
    match event {
        EventKind::Started { issue, base, former, .. } => {
            let mut under = issue_lines(issue, base);
            under.extend(former.as_ref().map(follows));
            Some(Telling { line: format!("issue found: {}", cut(&issue.title, 120)), under })
        }
        EventKind::FixProposed { plugin, fix } => Some(proposed(plugin, fix)),
        EventKind::NoFix { reason } => tell(format!("no fix: {reason}")),
        EventKind::ServicesAwaited { of } => tell(format!("waits for {of}")),
        EventKind::ServicesClaimed { services, .. } => {
            tell(format!("has {} to itself until it moves nothing more", services.join(", ")))
        }
        EventKind::BegunAnew { reason, .. } => tell(format!("looks for a fix anew: {reason}")),
        EventKind::Reviewed { reports, verdict } => judged("code review", reports, verdict),
        EventKind::TestsGenerated { tests } if tests.is_empty() => None,
        EventKind::TestsGenerated { tests } => tell(format!("{} further tests written", tests.len())),
        EventKind::Checked { reports, verdict } => judged("checks in the sandbox", reports, verdict),
        EventKind::SafetyChecked { check, verdict } => {
            tell(format!("safety check {}: {}", check.name(), verdict_words(verdict)))
        }
        EventKind::Committed { branch, commit } => {
            tell(format!("committed to {branch} as {}", commit.chars().take(10).collect::<String>()))
        }
        EventKind::Built { service, release } => tell(format!("release {}{} made", release.id, of(service))),
        // Why a run goes back no further.
        EventKind::Diverged { reason, .. } if run.ending().is_some() => tell(format!("goes back no further: {reason}")),
        // What a person is to do about it is told by the hold that follows.
        EventKind::Compared { .. } | EventKind::Diverged { .. } => None,
        EventKind::StagingFound { found, .. } => {
            tell(format!("staging serves {}: someone deployed past the run", Shares(found)))
        }
        EventKind::EffectIntended { .. } | EventKind::EffectDone { .. } => None,
        EventKind::EffectFailed { key, error, attempt, retry } => {
            let then = if retry.is_some() { "; it is tried again" } else { "" };
            let what = if *attempt == 0 { "was not tried".to_owned() } else { format!("failed (try {attempt})") };
            tell(format!("{key} {what}: {error}{then}"))
        }
        EventKind::Deployed { service, environment, deployment, .. } => {
            let url = deployment.url.as_ref().map_or(String::new(), |url| format!(", alone at {url}"));
            tell(format!("release {} is up in {}{}{url}", deployment.release.id, environment.role(), of(service)))
        }
        EventKind::BaselineDeployed { service, deployment, .. } => {
            tell(format!("what serves{} is started anew as {}, to compare with", of(service), deployment.release.id))
        }
        EventKind::TrafficSet { service, environment, splits, .. } => {
            tell(format!("traffic of {}{}: {}", environment.role(), of(service), Shares(splits)))
        }
        EventKind::TrafficReturned { service, environment, to } => tell(format!(
            "nobody renewed the share in time: {}{} went back to {to}; the step begins anew",
            environment.role(),
            of(service)
        )),
        EventKind::AutomatedTested { reports, verdict } => judged("tests of the staged release", reports, verdict),
        EventKind::StepEntered { environment, percent, .. } => tell(match environment {
            Environment::Staging => "staging is watched".to_owned(),
            Environment::Production if run.stage() == RunStage::Monitoring => {
                format!("monitoring begins: production is watched at {percent} %")
            }
            Environment::Production => format!("production is watched at {percent} %"),
        }),
        EventKind::Measured { error: Some(error), .. } => {
            tell(format!("measuring failed in part: {}", cut(error, 200)))
        }
        EventKind::Measured { error: None, .. } => None,
        EventKind::Judged { verdict, .. } => match verdict.outcome {
            CheckOutcome::Failed => tell(format!("measured: {}", verdict.told())),
            _ => None,
        },
        EventKind::Signalled { signal } => {
            let what = match signal.counted {
                Counted::Complaints => "complaint",
                Counted::CriticalErrors => "critical error",
            };
            // Which release's it is is told where that is known: the others count for every one that is out.
            let release = signal.release.as_ref().map(|release| format!(" about {release}")).unwrap_or_default();
            tell(format!("{what}{release}: {}", cut(&signal.text, 200)))
        }
        EventKind::StableBroken { reason } => tell(format!("nothing to go back to: {reason}")),
        EventKind::CountReached { verdict } => tell(format!("counted: {}: {}", verdict.rule, verdict.words)),
        EventKind::StepPassed { environment, percent, reason } => tell(match environment {
            Environment::Staging => format!("staging passed: {reason}"),
            // What follows on the monitoring.
            Environment::Production if run.stage() == RunStage::RollbackCheck => format!("monitoring passed: {reason}"),
            Environment::Production => format!("{percent} % passed: {reason}"),
        }),
        EventKind::StepExtended { reason, extension, .. } => tell(format!("watched longer ({extension}): {reason}")),
        EventKind::Held { reason } => tell(format!("held: {reason}")),
        EventKind::Frozen { until, reason } => {
            tell(format!("waits before production until {}: {}", day(*until), because_of(reason)))
        }
        EventKind::ApprovalAsked { gate, reason, .. } => tell(match gate {
            Gate::Production => format!("approval needed: {reason}"),
            Gate::Held | Gate::Data => format!("a person is asked: {reason}"),
        }),
        EventKind::Approved { by, reason, bypass, .. } => {
            let how = if *bypass { "approved in an emergency" } else { "approved" };
            tell(format!("{how} by {by}{}", because(reason)))
        }
        EventKind::GatePassed { reason, .. } => tell(format!("goes on: {reason}")),
        EventKind::Rejected { by, reason, .. } => tell(format!("rejected by {by}{}", because(reason))),
        EventKind::ApprovalExpired { .. } => tell("nobody answered in time"),
        EventKind::AbortRequested { by, reason } => tell(format!("{by} ends the run{}", because(reason))),
        EventKind::RollbackRequested { by, reason } => tell(format!("{by} takes the release back{}", because(reason))),
        EventKind::HoldRequested { by, reason } => tell(format!("{by} holds the run{}", because(reason))),
        EventKind::ResumeRequested { by, reason } => tell(format!("{by} lets the run go on{}", because(reason))),
        EventKind::SkipRequested { by, reason } => tell(format!("{by} skips the step{}", because(reason))),
        EventKind::ExtendRequested { by, reason, until } => {
            tell(format!("{by} has the step watched until {}{}", day(*until), because(reason)))
        }
        EventKind::RollForwardRequested { by, reason } => {
            tell(format!("{by} has the release go forward to all of production at once{}", because(reason)))
        }
        EventKind::Acknowledged { by, reason, .. } => tell(format!("{by} has it in hand{}", because(reason))),
        EventKind::Escalated { level, reason } => tell(format!("further people are told (level {level}): {reason}")),
        EventKind::WatchKept { environment, percent } => {
            tell(format!("{} is watched on at {percent} % meanwhile", environment.role()))
        }
        EventKind::TurnedBack { outcome } => tell(format!("turning back: {outcome}")),
        EventKind::RolledBack { service, environment, to, reason } => {
            tell(format!("{}{} serves {to} again: {reason}", environment.role(), of(service)))
        }
        EventKind::StableLooked { verdict } => tell(match verdict.outcome {
            CheckOutcome::Failed => format!("the rollback was no help, people are needed: {}", verdict.words),
            CheckOutcome::Passed => format!("the rollback helped: {}", verdict.words),
            CheckOutcome::Inconclusive => format!("whether the rollback helped is not known: {}", verdict.words),
        }),
        EventKind::SnapshotTaken { plugin, snapshot, .. } => tell(format!(
            "snapshot {} of production's data is taken by {plugin}, {}",
            snapshot.id,
            Bytes(snapshot.bytes).rounded()
        )),
        EventKind::SnapshotOutdated { reason } => {
            tell(format!("the snapshot of production's data is taken anew: {reason}"))
        }
        EventKind::DataRestored { plugin, snapshot, before, since, .. } => {
            let since = since.as_ref().map_or_else(String::new, |since| format!("; {since}"));
            let kept = before.as_ref().map_or("is lost".to_owned(), |before| format!("is snapshot {}", before.id));
            tell(format!(
                "production's data is as it was in snapshot {snapshot} of {plugin}{since}; what was there until then {kept}"
            ))
        }
        EventKind::ClockWentBack { reason, .. } => tell(reason),
        EventKind::DataKept { reason } => tell(format!("production's data: {reason}")),
        EventKind::RollbackChecked { needed, reason } => {
            tell(format!("rollback {}: {reason}", if *needed { "needed" } else { "not needed" }))
        }
        EventKind::Finished { outcome } => tell(format!("{outcome}")),
        other => tell(other.name()),
    }
}

fn proposed(plugin: &str, fix: &Fix) -> Telling {
    let mut under = vec![
        cut(&fix.root_cause, 300),
        format!(
            "{:.0} % sure, risk {}, changes {}",
            fix.confidence * 100.0,
            format!("{:?}", fix.risk).to_lowercase(),
            fix.edits.iter().map(|edit| edit.path.as_str()).collect::<Vec<_>>().join(", ")
        ),
    ];
    let tests: Vec<&str> = fix.tests.iter().map(|test| test.path.as_str()).collect();
    if !tests.is_empty() {
        under.push(format!("regression test {}", tests.join(", ")));
    }
    Telling { line: format!("{plugin} proposes: {}", fix.title), under }
}

fn because_of(reason: &str) -> String {
    if reason.is_empty() { "a freeze".to_owned() } else { format!("a freeze: {reason}") }
}

fn because(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(": {reason}") }
}

fn issue_lines(issue: &autodevops_model::Issue, base: &str) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(location) = &issue.location {
        lines.push(format!("at {}:{}, seen {} times", location.path, location.line, issue.count));
    }
    for evidence in issue.evidence.iter().take(2) {
        lines.push(format!("{}:{}: {}", evidence.source, evidence.line, cut(&evidence.text, 160)));
    }
    lines.push(format!("production was built from {}", base.chars().take(10).collect::<String>()));
    lines
}

/// The run before for the same fault, and by whose word it is tried again.
fn follows(former: &Former) -> String {
    match &former.retry {
        Some(Retry { by, reason }) => format!("{by} has run {} tried again ({}): {reason}", former.run, former.outcome),
        None => format!("run {} came before, for the same fault: {}", former.run, former.outcome),
    }
}

fn judged(what: &str, reports: &[NamedReport], verdict: &Verdict) -> Option<Telling> {
    let mut under = Vec::new();
    for NamedReport { plugin, report } in reports {
        let mark = match report.outcome {
            CheckOutcome::Passed => "passed",
            CheckOutcome::Failed => "FAILED",
            CheckOutcome::Inconclusive => "inconclusive",
        };
        under.push(format!("{plugin}: {mark}: {}", cut(&report.summary, 160)));
        let telling = report.findings.iter().filter(|finding| finding.severity >= Severity::Warning);
        for finding in telling.take(FINDINGS) {
            let place = finding.location.as_ref().map_or(String::new(), |at| format!(" {}:{}", at.path, at.line));
            under.push(format!("  {}{place}: {}", finding.rule, cut(&finding.message, 200)));
        }
    }
    Some(Telling { line: format!("{what}: {}", verdict_words(verdict)), under })
}

fn verdict_words(verdict: &Verdict) -> String {
    let outcome = match verdict.outcome {
        CheckOutcome::Passed => "passed",
        CheckOutcome::Failed => "failed",
        CheckOutcome::Inconclusive => "inconclusive",
    };
    if verdict.words.is_empty() { outcome.to_owned() } else { format!("{outcome}: {}", cut(&verdict.words, 300)) }
}

/// Which service it is about, where the project has several.
fn of(service: &str) -> String {
    if service.is_empty() { String::new() } else { format!(" of {service}") }
}

/// What is being done, for the line that moves.
pub fn doing(run: &Run, command: &Command) -> Option<String> {
    Some(match command {
        Command::Propose { .. } => "looking for a fix".to_owned(),
        Command::Claim { .. } => match run.awaited() {
            Some(of) => format!("waiting for {of}"),
            None => "looking what serves".to_owned(),
        },
        Command::Compare { .. } => "looking what serves production".to_owned(),
        Command::Review { plugins, .. } => format!("reviewing the change: {}", plugins.join(", ")),
        Command::GenerateTests { .. } => "writing tests".to_owned(),
        Command::RunChecks { plugins, .. } => format!("checking the change: {}", plugins.join(", ")),
        Command::Commit { .. } => "committing".to_owned(),
        Command::Build { service, .. } if service.is_empty() => "building".to_owned(),
        Command::Build { service, .. } => format!("building {service}"),
        Command::Deploy { service, environment, .. } => {
            format!("bringing the release{} into {}", of(service), environment.role())
        }
        Command::SetTraffic { service, environment, splits, .. } => {
            format!("moving traffic of {}{}: {}", environment.role(), of(service), Shares(splits))
        }
        Command::Snapshot { plugin, .. } => format!("taking a snapshot of production's data: {plugin}"),
        Command::Restore { plugin, .. } => format!("going back to the snapshot of production's data: {plugin}"),
        Command::AutomatedTests { .. } => "testing the staged release".to_owned(),
        Command::Measure { .. } => {
            let watch = run.watch()?;
            let verdict =
                watch.verdict.as_ref().map_or(String::new(), |verdict| format!(": {}", cut(&verdict.words, 90)));
            match watch.environment {
                Environment::Staging => format!("watching staging{verdict}"),
                Environment::Production => format!("watching production at {} %{verdict}", watch.percent),
            }
        }
        Command::AskApproval { .. } | Command::WaitUntil(_) | Command::Notify { .. } | Command::Finish(_) => {
            return None;
        }
    })
}
