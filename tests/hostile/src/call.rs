//! The functions of every stage, called with the least input that makes sense.

use autodevops_model::{
    CheckInput, Fix, Issue, IssueKind, Notification, Release, Risk, RollbackPlan, Severity, Split, Stage, Window,
};
use autodevops_sandbox::{CallContext, CallError, Plugin};

/// A function of a stage; an analyzer's are called as one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// A session of an analyzer: made, given a line, asked for its issues and its checkpoint, and dropped.
    Analyze,
    /// `fix-generator.propose`.
    Propose,
    /// `test-generator.generate`.
    Generate,
    /// `check.run`.
    Check,
    /// `deploy-target.describe`.
    Describe,
    /// `deploy-target.deploy`.
    Deploy,
    /// `deploy-target.set-traffic`.
    SetTraffic,
    /// `deploy-target.live`.
    Live,
    /// `deploy-target.find`.
    Find,
    /// `health-check.measure`.
    Measure,
    /// `notifier.notify`.
    Notify,
    /// `state-guard.snapshot`.
    Snapshot,
    /// `state-guard.verify`.
    Verify,
    /// `state-guard.changed`.
    Changed,
    /// `state-guard.restore`.
    Restore,
    /// `state-guard.list`.
    List,
    /// `state-guard.forget`.
    Forget,
}

impl Function {
    /// The functions of a stage.
    pub const fn of(stage: Stage) -> &'static [Self] {
        match stage {
            Stage::Analyzer => &[Self::Analyze],
            Stage::FixGenerator => &[Self::Propose],
            Stage::TestGenerator => &[Self::Generate],
            Stage::Check => &[Self::Check],
            Stage::DeployTarget => &[Self::Describe, Self::Deploy, Self::SetTraffic, Self::Live, Self::Find],
            Stage::HealthCheck => &[Self::Measure],
            Stage::Notifier => &[Self::Notify],
            Stage::StateGuard => {
                &[Self::Snapshot, Self::Verify, Self::Changed, Self::Restore, Self::List, Self::Forget]
            }
        }
    }

    /// The stage that it belongs to.
    pub const fn stage(self) -> Stage {
        match self {
            Self::Analyze => Stage::Analyzer,
            Self::Propose => Stage::FixGenerator,
            Self::Generate => Stage::TestGenerator,
            Self::Check => Stage::Check,
            Self::Describe | Self::Deploy | Self::SetTraffic | Self::Live | Self::Find => Stage::DeployTarget,
            Self::Measure => Stage::HealthCheck,
            Self::Notify => Stage::Notifier,
            Self::Snapshot | Self::Verify | Self::Changed | Self::Restore | Self::List | Self::Forget => {
                Stage::StateGuard
            }
        }
    }

    /// Its name in the contract.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Analyze => "session",
            Self::Propose => "propose",
            Self::Generate => "generate",
            Self::Check => "run",
            Self::Describe => "describe",
            Self::Deploy => "deploy",
            Self::SetTraffic => "set-traffic",
            Self::Live => "live",
            Self::Find => "find",
            Self::Measure => "measure",
            Self::Notify => "notify",
            Self::Snapshot => "snapshot",
            Self::Verify => "verify",
            Self::Changed => "changed",
            Self::Restore => "restore",
            Self::List => "list",
            Self::Forget => "forget",
        }
    }

    /// Calls it; what it answered, in words.
    ///
    /// # Errors
    /// [`CallError`]: how it failed.
    pub async fn call(self, plugin: &Plugin, context: &CallContext, input: CheckInput) -> Result<String, CallError> {
        const ENVIRONMENT: &str = "staging";
        const KEY: &str = "run-1/deploy";
        let release =
            || Release { id: "r1".into(), artifact: format!("sha256:{}", "0".repeat(64)), commit: "0".repeat(40) };
        Ok(match self {
            Self::Analyze => {
                let mut session = plugin.analyze(context, None).await?;
                session.push("app.log", b"an error\n").await?;
                let issues = session.issues().await?;
                let checkpoint = session.checkpoint().await?;
                format!("{} issues, a checkpoint of {} bytes", issues.len(), checkpoint.len())
            }
            Self::Propose => format!("{:?}", plugin.propose(context, issue()).await?),
            Self::Generate => format!("{} tests", plugin.generate_tests(context, issue(), fix()).await?.len()),
            Self::Check => plugin.check(context, input).await?.summary,
            Self::Describe => format!("{:?}", plugin.describe(context).await?),
            Self::Deploy => plugin.deploy(context, ENVIRONMENT, KEY, 1, release()).await?.release.id,
            Self::SetTraffic => {
                let splits = vec![Split { release: "r1".into(), percent: 100 }];
                plugin.set_traffic(context, ENVIRONMENT, KEY, 1, splits).await?;
                "set".to_owned()
            }
            Self::Live => format!("{:?}", plugin.live(context, ENVIRONMENT).await?),
            Self::Find => format!("{:?}", plugin.find(context, ENVIRONMENT, KEY).await?),
            Self::Measure => {
                let window = Window { start: 0, end: 60_000_000_000 };
                format!("{} measurements", plugin.measure(context, "r2", Some("r1"), window).await?.len())
            }
            Self::Notify => {
                plugin.notify(context, KEY, event()).await?;
                "told".to_owned()
            }
            Self::Snapshot => plugin.snapshot(context, ENVIRONMENT, KEY).await?.id,
            Self::Verify => format!("{:?}", plugin.verify(context, ENVIRONMENT, "s1").await?),
            Self::Changed => format!("{:?}", plugin.changed(context, ENVIRONMENT, "s1").await?),
            Self::Restore => {
                plugin.restore(context, ENVIRONMENT, KEY, 1, "s1").await?;
                "restored".to_owned()
            }
            Self::List => format!("{} snapshots", plugin.snapshots(context, ENVIRONMENT).await?.len()),
            Self::Forget => {
                plugin.forget(context, ENVIRONMENT, "s1").await?;
                "forgotten".to_owned()
            }
        })
    }
}

/// The least that a check is asked to look at.
pub fn check_input() -> CheckInput {
    CheckInput { changed: vec!["a.js".into()], tests: Vec::new(), fix: None, issue: None, url: None }
}

fn issue() -> Issue {
    Issue {
        exception: Some("TypeError".into()),
        message: "x is undefined".into(),
        confidence: 0.9,
        first_seen: Some(0),
        last_seen: Some(0),
        ..Issue::new("0".repeat(32), IssueKind::Exception, Severity::Error, "TypeError: x is undefined")
    }
}

fn fix() -> Fix {
    Fix {
        title: "Look before use".into(),
        root_cause: "x was never set".into(),
        confidence: 0.9,
        risk: Risk::Low,
        edits: Vec::new(),
        tests: Vec::new(),
        rollback: RollbackPlan { summary: "none".into(), previous_release_suffices: true, state: Vec::new() },
    }
}

fn event() -> Notification {
    Notification {
        run: "run-1".into(),
        stage: "check".into(),
        severity: Severity::Info,
        title: "healed".into(),
        body: "It is healed.".into(),
        links: Vec::new(),
        at: 0,
    }
}
