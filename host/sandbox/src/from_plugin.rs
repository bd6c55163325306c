//! Between the contract's types as the engine sees them and the model's: field by field, from a plugin.

use autodevops_model as model;

use crate::bindings::{
    analyzer::exports::autodevops::stages::analyzer, base::autodevops::types::types as wit,
    deploy_target::exports::autodevops::stages::deploy_target as deploy,
    state_guard::exports::autodevops::stages::state_guard as guard,
};

impl From<wit::Severity> for model::Severity {
    fn from(value: wit::Severity) -> Self {
        match value {
            wit::Severity::Info => Self::Info,
            wit::Severity::Warning => Self::Warning,
            wit::Severity::Error => Self::Error,
            wit::Severity::Critical => Self::Critical,
        }
    }
}

impl From<wit::IssueKind> for model::IssueKind {
    fn from(value: wit::IssueKind) -> Self {
        match value {
            wit::IssueKind::Exception => Self::Exception,
            wit::IssueKind::CriticalError => Self::CriticalError,
            wit::IssueKind::NewPattern => Self::NewPattern,
            wit::IssueKind::ErrorBurst => Self::ErrorBurst,
            wit::IssueKind::RateChange => Self::RateChange,
            wit::IssueKind::LatencyRegression => Self::LatencyRegression,
            wit::IssueKind::VanishedHeartbeat => Self::VanishedHeartbeat,
            wit::IssueKind::Prediction => Self::Prediction,
            wit::IssueKind::Anomaly => Self::Anomaly,
        }
    }
}

impl From<wit::StackFrame> for model::StackFrame {
    fn from(value: wit::StackFrame) -> Self {
        Self {
            function: value.function,
            file: value.file,
            line: value.line,
            column: value.column,
            own_code: value.own_code,
        }
    }
}

impl From<wit::Evidence> for model::Evidence {
    fn from(value: wit::Evidence) -> Self {
        Self { source: value.source, line: value.line, text: value.text }
    }
}

impl From<analyzer::LineGroup> for model::LineGroup {
    fn from(value: analyzer::LineGroup) -> Self {
        Self { id: value.id, into: value.into, template: value.template }
    }
}

impl From<analyzer::Grouped> for model::Grouped {
    fn from(value: analyzer::Grouped) -> Self {
        Self { lines: value.lines, former: value.former.into_iter().map(Into::into).collect() }
    }
}

impl From<wit::Location> for model::Location {
    fn from(value: wit::Location) -> Self {
        Self { path: value.path, line: value.line, column: value.column }
    }
}

impl From<wit::RateChange> for model::RateChange {
    fn from(value: wit::RateChange) -> Self {
        Self {
            baseline_per_minute: value.baseline_per_minute,
            current_per_minute: value.current_per_minute,
            window_seconds: value.window_seconds,
        }
    }
}

impl From<wit::History> for model::History {
    fn from(value: wit::History) -> Self {
        Self { start: value.start, step_seconds: value.step_seconds, counts: value.counts }
    }
}

impl From<wit::Forecast> for model::Forecast {
    fn from(value: wit::Forecast) -> Self {
        Self {
            value: value.value,
            limit: value.limit,
            expected: value.expected,
            earliest: value.earliest,
            latest: value.latest,
        }
    }
}

impl From<wit::Related> for model::Related {
    fn from(value: wit::Related) -> Self {
        Self { fingerprint: value.fingerprint, kind: value.kind.into(), source: value.source, title: value.title }
    }
}

impl From<wit::Issue> for model::Issue {
    fn from(value: wit::Issue) -> Self {
        Self {
            fingerprint: value.fingerprint,
            kind: value.kind.into(),
            title: value.title,
            exception: value.exception,
            message: value.message,
            severity: value.severity.into(),
            confidence: value.confidence,
            count: value.count,
            first_seen: value.first_seen,
            last_seen: value.last_seen,
            evidence: value.evidence.into_iter().map(Into::into).collect(),
            location: value.location.map(Into::into),
            stack: value.stack.into_iter().map(Into::into).collect(),
            rate: value.rate.map(Into::into),
            reason: value.reason,
            template: value.template,
            history: value.history.map(Into::into),
            forecast: value.forecast.map(Into::into),
            related: value.related.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<wit::TextEdit> for model::TextEdit {
    fn from(value: wit::TextEdit) -> Self {
        Self { start: value.start, end: value.end, replacement: value.replacement }
    }
}

impl From<wit::FileChange> for model::FileChange {
    fn from(value: wit::FileChange) -> Self {
        match value {
            wit::FileChange::Create(inner) => Self::Create(inner),
            wit::FileChange::Modify(inner) => Self::Modify(inner.into_iter().map(Into::into).collect()),
            wit::FileChange::Delete => Self::Delete,
        }
    }
}

impl From<wit::Edit> for model::Edit {
    fn from(value: wit::Edit) -> Self {
        Self { path: value.path, base_sha256: value.base_sha256, change: value.change.into() }
    }
}

impl From<wit::TestFile> for model::TestFile {
    fn from(value: wit::TestFile) -> Self {
        Self { path: value.path, content: value.content }
    }
}

impl From<wit::Risk> for model::Risk {
    fn from(value: wit::Risk) -> Self {
        match value {
            wit::Risk::Low => Self::Low,
            wit::Risk::Medium => Self::Medium,
            wit::Risk::High => Self::High,
        }
    }
}

impl From<wit::RollbackPlan> for model::RollbackPlan {
    fn from(value: wit::RollbackPlan) -> Self {
        Self { summary: value.summary, previous_release_suffices: value.previous_release_suffices, state: value.state }
    }
}

impl From<wit::Fix> for model::Fix {
    fn from(value: wit::Fix) -> Self {
        Self {
            title: value.title,
            root_cause: value.root_cause,
            confidence: value.confidence,
            risk: value.risk.into(),
            edits: value.edits.into_iter().map(Into::into).collect(),
            tests: value.tests.into_iter().map(Into::into).collect(),
            rollback: value.rollback.into(),
        }
    }
}

impl From<wit::Proposal> for model::Proposal {
    fn from(value: wit::Proposal) -> Self {
        match value {
            wit::Proposal::Fix(inner) => Self::Fix(inner.into()),
            wit::Proposal::None(inner) => Self::None(inner),
        }
    }
}

impl From<wit::Outcome> for model::Outcome {
    fn from(value: wit::Outcome) -> Self {
        match value {
            wit::Outcome::Passed => Self::Passed,
            wit::Outcome::Failed => Self::Failed,
            wit::Outcome::Inconclusive => Self::Inconclusive,
        }
    }
}

impl From<wit::Finding> for model::Finding {
    fn from(value: wit::Finding) -> Self {
        Self {
            rule: value.rule,
            severity: value.severity.into(),
            message: value.message,
            remedy: value.remedy,
            location: value.location.map(Into::into),
        }
    }
}

impl From<wit::Metric> for model::Metric {
    fn from(value: wit::Metric) -> Self {
        Self { name: value.name, value: value.value, unit: value.unit }
    }
}

impl From<wit::TestResult> for model::TestResult {
    fn from(value: wit::TestResult) -> Self {
        Self {
            file: value.file,
            name: value.name,
            outcome: value.outcome.into(),
            message: value.message,
            nanoseconds: value.nanoseconds,
        }
    }
}

impl From<wit::Report> for model::Report {
    fn from(value: wit::Report) -> Self {
        Self {
            outcome: value.outcome.into(),
            summary: value.summary,
            findings: value.findings.into_iter().map(Into::into).collect(),
            metrics: value.metrics.into_iter().map(Into::into).collect(),
            tests: value.tests.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<wit::Release> for model::Release {
    fn from(value: wit::Release) -> Self {
        Self { id: value.id, artifact: value.artifact, commit: value.commit }
    }
}

impl From<wit::Window> for model::Window {
    fn from(value: wit::Window) -> Self {
        Self { start: value.start, end: value.end }
    }
}

impl From<wit::Rate> for model::Rate {
    fn from(value: wit::Rate) -> Self {
        Self { events: value.events, total: value.total }
    }
}

impl From<wit::Bucket> for model::Bucket {
    fn from(value: wit::Bucket) -> Self {
        Self { le: value.le, count: value.count }
    }
}

impl From<wit::Observation> for model::Observation {
    fn from(value: wit::Observation) -> Self {
        match value {
            wit::Observation::Rate(inner) => Self::Rate(inner.into()),
            wit::Observation::Histogram(inner) => Self::Histogram(inner.into_iter().map(Into::into).collect()),
            wit::Observation::Samples(inner) => Self::Samples(inner),
        }
    }
}

impl From<wit::Measurement> for model::Measurement {
    fn from(value: wit::Measurement) -> Self {
        Self {
            metric: value.metric,
            unit: value.unit,
            release: value.release,
            observation: value.observation.into(),
            window: value.window.into(),
        }
    }
}

impl From<deploy::Capabilities> for model::Capabilities {
    fn from(value: deploy::Capabilities) -> Self {
        Self {
            split_traffic: value.split_traffic,
            preview: value.preview,
            instant_rollback: value.instant_rollback,
            fenced: value.fenced,
            keeps_state: value.keeps_state,
            fresh_baseline: value.fresh_baseline,
        }
    }
}

impl From<deploy::Deployment> for model::Deployment {
    fn from(value: deploy::Deployment) -> Self {
        Self { release: value.release.into(), url: value.url }
    }
}

impl From<deploy::LiveState> for model::LiveState {
    fn from(value: deploy::LiveState) -> Self {
        Self { splits: value.splits.into_iter().map(Into::into).collect(), stable: value.stable.map(Into::into) }
    }
}

impl From<deploy::Split> for model::Split {
    fn from(value: deploy::Split) -> Self {
        Self { release: value.release, percent: value.percent }
    }
}

impl From<guard::SnapshotInfo> for model::SnapshotInfo {
    fn from(value: guard::SnapshotInfo) -> Self {
        Self { id: value.id, taken: value.taken, bytes: value.bytes }
    }
}

impl From<wit::Error> for model::StageError {
    fn from(value: wit::Error) -> Self {
        use model::ErrorKind::{Denied, Failed, InvalidInput, Unavailable, Unsupported};
        let (kind, info) = match value {
            wit::Error::InvalidInput(info) => (InvalidInput, info),
            wit::Error::Denied(info) => (Denied, info),
            wit::Error::Unavailable(info) => (Unavailable, info),
            wit::Error::Unsupported(info) => (Unsupported, info),
            wit::Error::Failed(info) => (Failed, info),
        };
        Self { kind, info: model::ErrorInfo { message: info.message, details: info.details } }
    }
}
