//! Between the contract's types as the engine sees them and the model's: field by field, to a plugin.

use autodevops_model as model;

use crate::bindings::{
    base::autodevops::types::types as wit, check::exports::autodevops::stages::check,
    deploy_target::exports::autodevops::stages::deploy_target as deploy,
    notifier::exports::autodevops::stages::notifier as notify,
};

impl From<model::Severity> for wit::Severity {
    fn from(value: model::Severity) -> Self {
        match value {
            model::Severity::Info => Self::Info,
            model::Severity::Warning => Self::Warning,
            model::Severity::Error => Self::Error,
            model::Severity::Critical => Self::Critical,
        }
    }
}

impl From<model::IssueKind> for wit::IssueKind {
    fn from(value: model::IssueKind) -> Self {
        match value {
            model::IssueKind::Exception => Self::Exception,
            model::IssueKind::CriticalError => Self::CriticalError,
            model::IssueKind::NewPattern => Self::NewPattern,
            model::IssueKind::ErrorBurst => Self::ErrorBurst,
            model::IssueKind::RateChange => Self::RateChange,
            model::IssueKind::LatencyRegression => Self::LatencyRegression,
            model::IssueKind::VanishedHeartbeat => Self::VanishedHeartbeat,
            model::IssueKind::Prediction => Self::Prediction,
            model::IssueKind::Anomaly => Self::Anomaly,
        }
    }
}

impl From<model::StackFrame> for wit::StackFrame {
    fn from(value: model::StackFrame) -> Self {
        Self {
            function: value.function,
            file: value.file,
            line: value.line,
            column: value.column,
            own_code: value.own_code,
        }
    }
}

impl From<model::Evidence> for wit::Evidence {
    fn from(value: model::Evidence) -> Self {
        Self { source: value.source, line: value.line, text: value.text }
    }
}

impl From<model::Location> for wit::Location {
    fn from(value: model::Location) -> Self {
        Self { path: value.path, line: value.line, column: value.column }
    }
}

impl From<model::RateChange> for wit::RateChange {
    fn from(value: model::RateChange) -> Self {
        Self {
            baseline_per_minute: value.baseline_per_minute,
            current_per_minute: value.current_per_minute,
            window_seconds: value.window_seconds,
        }
    }
}

impl From<model::History> for wit::History {
    fn from(value: model::History) -> Self {
        Self { start: value.start, step_seconds: value.step_seconds, counts: value.counts }
    }
}

impl From<model::Forecast> for wit::Forecast {
    fn from(value: model::Forecast) -> Self {
        Self {
            value: value.value,
            limit: value.limit,
            expected: value.expected,
            earliest: value.earliest,
            latest: value.latest,
        }
    }
}

impl From<model::Related> for wit::Related {
    fn from(value: model::Related) -> Self {
        Self { fingerprint: value.fingerprint, kind: value.kind.into(), source: value.source, title: value.title }
    }
}

impl From<model::Issue> for wit::Issue {
    fn from(value: model::Issue) -> Self {
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

impl From<model::TextEdit> for wit::TextEdit {
    fn from(value: model::TextEdit) -> Self {
        Self { start: value.start, end: value.end, replacement: value.replacement }
    }
}

impl From<model::FileChange> for wit::FileChange {
    fn from(value: model::FileChange) -> Self {
        match value {
            model::FileChange::Create(inner) => Self::Create(inner),
            model::FileChange::Modify(inner) => Self::Modify(inner.into_iter().map(Into::into).collect()),
            model::FileChange::Delete => Self::Delete,
        }
    }
}

impl From<model::Edit> for wit::Edit {
    fn from(value: model::Edit) -> Self {
        Self { path: value.path, base_sha256: value.base_sha256, change: value.change.into() }
    }
}

impl From<model::TestFile> for wit::TestFile {
    fn from(value: model::TestFile) -> Self {
        Self { path: value.path, content: value.content }
    }
}

impl From<model::Risk> for wit::Risk {
    fn from(value: model::Risk) -> Self {
        match value {
            model::Risk::Low => Self::Low,
            model::Risk::Medium => Self::Medium,
            model::Risk::High => Self::High,
        }
    }
}

impl From<model::RollbackPlan> for wit::RollbackPlan {
    fn from(value: model::RollbackPlan) -> Self {
        Self { summary: value.summary, previous_release_suffices: value.previous_release_suffices, state: value.state }
    }
}

impl From<model::Fix> for wit::Fix {
    fn from(value: model::Fix) -> Self {
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

impl From<model::Release> for wit::Release {
    fn from(value: model::Release) -> Self {
        Self { id: value.id, artifact: value.artifact, commit: value.commit }
    }
}

impl From<model::Window> for wit::Window {
    fn from(value: model::Window) -> Self {
        Self { start: value.start, end: value.end }
    }
}

impl From<model::CheckInput> for check::CheckInput {
    fn from(value: model::CheckInput) -> Self {
        Self {
            changed: value.changed,
            tests: value.tests,
            fix: value.fix.map(Into::into),
            issue: value.issue.map(Into::into),
            url: value.url,
        }
    }
}

impl From<model::Split> for deploy::Split {
    fn from(value: model::Split) -> Self {
        Self { release: value.release, percent: value.percent }
    }
}

impl From<model::Notification> for notify::Event {
    fn from(value: model::Notification) -> Self {
        Self {
            run: value.run,
            stage: value.stage,
            severity: value.severity.into(),
            title: value.title,
            body: value.body,
            links: value.links,
            at: value.at,
        }
    }
}

impl From<model::StageError> for wit::Error {
    fn from(value: model::StageError) -> Self {
        let info = wit::ErrorInfo { message: value.info.message, details: value.info.details };
        match value.kind {
            model::ErrorKind::InvalidInput => Self::InvalidInput(info),
            model::ErrorKind::Denied => Self::Denied(info),
            model::ErrorKind::Unavailable => Self::Unavailable(info),
            model::ErrorKind::Unsupported => Self::Unsupported(info),
            model::ErrorKind::Failed => Self::Failed(info),
        }
    }
}
