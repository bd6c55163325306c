//! What an event decided, by whom, in a line.

use autodevops_model::{Outcome as CheckOutcome, Shares};
use autodevops_pipeline::{EventKind, Gate, NamedReport, Outcome, Verdict};

/// Longest line, in bytes.
const MAX_BYTES: usize = 300;

/// An event as its record tells it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// What was decided; none where nothing was.
    pub decision: Option<&'static str>,
    /// By which person.
    pub by: Option<String>,
    /// In words.
    pub summary: String,
}

fn plain(summary: impl AsRef<str>) -> Told {
    Told { summary: short(summary.as_ref()), ..Told::default() }
}

fn decided(decision: &'static str, summary: impl AsRef<str>) -> Told {
    Told { decision: Some(decision), ..plain(summary) }
}

fn person(decision: &'static str, by: &str, reason: &str) -> Told {
    Told { by: Some(short(by)), ..decided(decision, reason) }
}

/// The event in a record's words.
pub fn tell(event: &EventKind) -> Told {
    match event {
        EventKind::Started { issue, base, former, .. } => {
            let words = format!("issue {} ({}), from commit {base}", issue.fingerprint, issue.title);
            match former.as_ref().and_then(|former| Some((&former.run, former.retry.as_ref()?))) {
                Some((run, retry)) => person("started", &retry.by, &format!("{run} again, {}: {words}", retry.reason)),
                None => decided("started", words),
            }
        }
        EventKind::Resumed { fence } => decided("taken-over", format!("effects have fence {fence} from here")),
        EventKind::Compared { service, found } => {
            decided("compared", format!("production{} serves {}", of(service), Shares(found)))
        }
        EventKind::StagingFound { found, .. } => decided("staging-found", format!("staging serves {}", Shares(found))),
        EventKind::Diverged { reason, .. } => decided("diverged", reason),
        EventKind::FixProposed { plugin, fix } => {
            let paths: Vec<&str> = fix.edits.iter().map(|edit| edit.path.as_str()).collect();
            decided("proposed", format!("{plugin}: {}; changes {}", fix.title, paths.join(", ")))
        }
        EventKind::NoFix { reason } => decided("no-fix", reason),
        EventKind::ServicesAwaited { of } => decided("services-awaited", of.to_string()),
        EventKind::ServicesClaimed { services, fence } => {
            decided("services-claimed", format!("{}; effects have fence {fence} from here", services.join(", ")))
        }
        EventKind::BegunAnew { reason, base, .. } => decided("begun-anew", format!("{reason}; from commit {base}")),
        EventKind::Reviewed { reports, verdict }
        | EventKind::Checked { reports, verdict }
        | EventKind::AutomatedTested { reports, verdict } => reported(reports, verdict),
        EventKind::SafetyChecked { check, verdict } => {
            decided(outcome(verdict.outcome), format!("{}: {}", check.name(), words(verdict)))
        }
        EventKind::Judged { verdict, .. } | EventKind::StableLooked { verdict } => {
            decided(outcome(verdict.outcome), words(verdict))
        }
        EventKind::TestsGenerated { tests } => plain(format!("{} tests", tests.len())),
        EventKind::Committed { branch, commit } => decided("committed", format!("{commit} on {branch}")),
        EventKind::Built { release, .. } => decided("built", format!("release {} ({})", release.id, release.artifact)),
        EventKind::EffectIntended { key, fence, splits, .. } if splits.is_empty() => {
            decided("intended", format!("{key}, fence {fence}"))
        }
        EventKind::EffectIntended { key, fence, splits, .. } => {
            decided("intended", format!("{key}, fence {fence}: {}", Shares(splits)))
        }
        EventKind::EffectDone { key } => decided("done", key),
        EventKind::EffectFailed { key, error, attempt, retry } => {
            let then = if retry.is_some() { "tried again" } else { "given up" };
            decided("failed", format!("{key}, try {attempt}, {then}: {error}"))
        }
        EventKind::BaselineDeployed { service, deployment, .. } => {
            decided("baseline-deployed", format!("{}{}", deployment.release.id, of(service)))
        }
        EventKind::Deployed { service, environment, deployment, .. } => {
            let (role, of) = (environment.role(), of(service));
            decided("deployed", format!("release {} into {role}{of}", deployment.release.id))
        }
        EventKind::TrafficSet { service, environment, splits, .. } => {
            decided("traffic-set", format!("{}{}: {}", environment.role(), of(service), Shares(splits)))
        }
        EventKind::TrafficReturned { service, environment, to } => {
            let (role, of) = (environment.role(), of(service));
            decided("traffic-returned", format!("{role}{of} to {to}: the candidate's share ran out"))
        }
        EventKind::StepEntered { environment, percent, .. } => {
            decided("entered", format!("{} at {percent} %", environment.role()))
        }
        EventKind::Measured { samples, error } => {
            let sources: Vec<&str> = samples.iter().map(|sample| sample.source.as_str()).collect();
            let failed = error.as_ref().map_or(String::new(), |error| format!("; failed in part: {error}"));
            plain(format!("{} samples of {}{failed}", samples.len(), sources.join(", ")))
        }
        EventKind::Signalled { signal } => decided(signal.counted.name(), &signal.id),
        EventKind::StableBroken { reason } => decided("stable-broken", reason),
        EventKind::CountReached { verdict } => decided("count-reached", words(verdict)),
        EventKind::StepPassed { environment, percent, reason } => {
            decided("passed", format!("{} at {percent} %: {reason}", environment.role()))
        }
        EventKind::StepExtended { reason, extension, .. } => decided("extended", format!("({extension}) {reason}")),
        EventKind::Held { reason } => decided("held", reason),
        EventKind::Frozen { reason, .. } => decided("frozen", reason),
        EventKind::ApprovalAsked { gate, reason, .. } => decided("asked", format!("{}: {reason}", name(*gate))),
        EventKind::Approved { by, reason, bypass: false, .. } => person("approved", by, reason),
        EventKind::Approved { by, reason, bypass: true, .. } => person("approved-in-emergency", by, reason),
        EventKind::GatePassed { gate, reason } => decided("gate-passed", format!("{}: {reason}", name(*gate))),
        EventKind::Rejected { by, reason, .. } => person("rejected", by, reason),
        EventKind::ApprovalExpired { gate } => decided("expired", format!("{}: nobody answered", name(*gate))),
        EventKind::AbortRequested { by, reason } => person("abort-requested", by, reason),
        EventKind::RollbackRequested { by, reason } => person("rollback-requested", by, reason),
        EventKind::HoldRequested { by, reason } => person("hold-requested", by, reason),
        EventKind::ResumeRequested { by, reason } => person("resume-requested", by, reason),
        EventKind::RollForwardRequested { by, reason } => person("roll-forward-requested", by, reason),
        EventKind::SkipRequested { by, reason } => person("skip-requested", by, reason),
        EventKind::ExtendRequested { by, reason, .. } => person("extend-requested", by, reason),
        EventKind::Acknowledged { by, reason, .. } => person("acknowledged", by, reason),
        EventKind::Escalated { level, reason } => decided("escalated", format!("level {level}: {reason}")),
        EventKind::WatchKept { environment, percent } => {
            decided("watched-on", format!("{} at {percent} %", environment.role()))
        }
        EventKind::TurnedBack { outcome } => decided("turned-back", outcome.to_string()),
        EventKind::RolledBack { service, environment, to, reason } => {
            decided("rolled-back", format!("{}{} to {to}: {reason}", environment.role(), of(service)))
        }
        EventKind::SnapshotTaken { plugin, snapshot, .. } => {
            decided("snapshot-taken", format!("{} by {plugin}, {} bytes", snapshot.id, snapshot.bytes))
        }
        EventKind::SnapshotOutdated { reason } => decided("snapshot-outdated", reason),
        EventKind::ClockWentBack { reason, .. } => decided("clock-went-back", reason),
        EventKind::DataRestored { plugin, snapshot, before, since, .. } => {
            let before = before.as_ref().map_or("not kept", |before| &before.id);
            let since = since.as_ref().map_or_else(String::new, |since| format!("; {since}"));
            decided("data-restored", format!("to {snapshot} by {plugin}{since}; what was there: {before}"))
        }
        EventKind::DataKept { reason } => decided("data-kept", reason),
        EventKind::RollbackChecked { needed: true, reason } => decided("rollback-needed", reason),
        EventKind::RollbackChecked { needed: false, reason } => decided("no-rollback-needed", reason),
        EventKind::Finished { outcome } => finished(outcome),
    }
}

fn finished(outcome: &Outcome) -> Told {
    match outcome {
        Outcome::Healed => decided("healed", ""),
        Outcome::RolledBack { reason } => decided("rolled-back", reason),
        Outcome::Aborted { reason } => decided("aborted", reason),
        Outcome::HandedOver { reason } => decided("handed-over", reason),
    }
}

fn reported(reports: &[NamedReport], verdict: &Verdict) -> Told {
    let each: Vec<String> = reports.iter().map(|r| format!("{} {}", r.plugin, outcome(r.report.outcome))).collect();
    decided(outcome(verdict.outcome), format!("{} ({})", words(verdict), each.join(", ")))
}

fn words(verdict: &Verdict) -> String {
    if verdict.rule.is_empty() { verdict.words.clone() } else { format!("{}: {}", verdict.rule, verdict.words) }
}

const fn outcome(outcome: CheckOutcome) -> &'static str {
    match outcome {
        CheckOutcome::Passed => "passed",
        CheckOutcome::Failed => "failed",
        CheckOutcome::Inconclusive => "inconclusive",
    }
}

const fn name(gate: Gate) -> &'static str {
    match gate {
        Gate::Production => "production",
        Gate::Held => "held",
        Gate::Data => "data",
    }
}

/// Which service it is about, where the project has several.
fn of(service: &str) -> String {
    if service.is_empty() { String::new() } else { format!(" of {service}") }
}

/// No more of a text than a record holds.
pub fn short(text: &str) -> String {
    if text.len() <= MAX_BYTES {
        return text.to_owned();
    }
    format!("{}…", text.get(..text.floor_char_boundary(MAX_BYTES - '…'.len_utf8())).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use autodevops_model::{Report, Split};
    use autodevops_pipeline::{Environment, Timestamp};

    use super::*;

    fn splits() -> Vec<Split> {
        [("old", 95), ("new", 5)].map(|(release, percent)| Split { release: release.into(), percent }).into()
    }

    fn verdict(rule: &str, words: &str) -> Verdict {
        let outcome = CheckOutcome::Failed;
        let (service, rule, words) = (String::new(), rule.into(), words.into());
        Verdict { service, outcome, rule, words, numbers: Vec::new(), window: None, method: None, dry_run: false }
    }

    fn said(event: &EventKind) -> (Option<&'static str>, String) {
        let told = tell(event);
        assert_eq!(told.by, None, "no person did");
        (told.decision, told.summary)
    }

    #[test]
    fn what_serves_is_told_by_shares_and_of_which_service() {
        let of = |service: &str| said(&EventKind::Compared { service: service.into(), found: splits() }).1;
        assert_eq!(of("cart"), "production of cart serves old 95 %, new 5 %");
        assert_eq!(of(""), "production serves old 95 %, new 5 %");
        let intended = |splits: Vec<Split>| {
            let environment = Some(Environment::Production);
            said(&EventKind::EffectIntended { service: String::new(), key: "k".into(), fence: 7, environment, splits })
        };
        assert_eq!(intended(splits()), (Some("intended"), "k, fence 7: old 95 %, new 5 %".into()));
        assert_eq!(intended(Vec::new()), (Some("intended"), "k, fence 7".into()));
    }

    #[test]
    fn what_was_judged_is_told_by_its_rule_and_by_what_each_plugin_found() {
        let report = |plugin: &str, outcome| {
            let (findings, metrics, tests) = (Vec::new(), Vec::new(), Vec::new());
            NamedReport {
                plugin: plugin.into(),
                report: Report { outcome, summary: String::new(), findings, metrics, tests },
            }
        };
        let reports = vec![report("lint", CheckOutcome::Passed), report("scan", CheckOutcome::Failed)];
        let checked = EventKind::Checked { reports, verdict: verdict("all-pass", "one of two failed") };
        let told = "all-pass: one of two failed (lint passed, scan failed)";
        assert_eq!(said(&checked), (Some("failed"), told.into()));
        let reached = EventKind::CountReached { verdict: verdict("", "three complaints") };
        assert_eq!(said(&reached).1, "three complaints", "not every rule has a name");
    }

    #[test]
    fn what_people_are_asked_for_is_told_by_the_name_of_its_gate() {
        let reason = || "it waits".to_owned();
        for (gate, name) in [(Gate::Production, "production"), (Gate::Held, "held"), (Gate::Data, "data")] {
            let asked = EventKind::ApprovalAsked { gate, until: Timestamp(0), reason: reason() };
            assert_eq!(said(&asked), (Some("asked"), format!("{name}: it waits")));
            let passed = EventKind::GatePassed { gate, reason: reason() };
            assert_eq!(said(&passed), (Some("gate-passed"), format!("{name}: it waits")));
            let expired = EventKind::ApprovalExpired { gate };
            assert_eq!(said(&expired), (Some("expired"), format!("{name}: nobody answered")));
        }
    }
}
