//! Everything about a run that is decided before it starts, so that a change of configuration cannot bend a run under way.

mod baseline;
mod count;
mod data;
mod decision;
mod service;
mod trigger;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Freeze;

pub use baseline::Baseline;
pub use count::{CountTrigger, Counted};
pub use data::{DataPlan, Restore};
pub use decision::Decision;
pub use service::Service;
pub(crate) use service::touched;
pub use trigger::{Direction, HardTrip, NoData, Rule, Trigger};

/// What a run will do and what it is judged by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Plan {
    /// What is healed, in words: the service's name, or the names of all.
    pub service: String,
    /// What people call the environment that a release is tried in.
    pub staging: String,
    /// What people call the environment that serves people.
    pub production: String,
    /// The project's services, in the order in which their traffic is moved; it goes back in the reverse order.
    pub services: Vec<Service>,
    /// How long staging is watched.
    pub soak: Duration,
    /// Shares of production's traffic, growing, the last one 100 %.
    pub steps: Vec<Step>,
    /// How long production is watched after the last step.
    pub monitoring: Duration,
    /// Time between measurements.
    pub interval: Duration,
    /// Time between glances at what the host itself counts, for what is bad enough at once; zero: there are none.
    #[serde(default)]
    pub glance: Duration,
    /// When no run begins with production.
    #[serde(default)]
    pub freeze: Vec<Freeze>,
    /// What turns a release back.
    pub triggers: Vec<Trigger>,
    /// What turns a release back by its number alone.
    #[serde(default)]
    pub counts: Vec<CountTrigger>,
    /// What turns a release back with no statistics.
    pub hard_trip: HardTrip,
    /// How sure a verdict must be.
    #[serde(default = "Decision::before")]
    pub decision: Decision,
    /// What the release is compared with.
    #[serde(default, skip_serializing_if = "Baseline::is_default")]
    pub baseline: Baseline,
    /// What becomes of production's data when the release is taken back.
    #[serde(default, skip_serializing_if = "DataPlan::is_default")]
    pub data: DataPlan,
    /// Whose word is needed before production.
    pub approval: Approval,
    /// Plugins that review the change.
    pub review: Vec<String>,
    /// Plugins that check the change in the sandbox.
    pub checks: Vec<String>,
    /// Plugins that test the staged release at its address.
    pub automated: Vec<String>,
    /// Plugins that tell people.
    pub notifiers: Vec<String>,
    /// Who is told, and when, while nobody answers or acknowledges; the delays grow.
    #[serde(default)]
    pub escalation: Vec<Level>,
    /// Least share of the changed lines that tests must reach, from 0 to 1; absent, it is not asked.
    pub min_coverage: Option<f64>,
    /// Whether there are plugins that write tests.
    pub test_generators: bool,
    /// Whether the operator has a build command; without one the tree itself is the artifact.
    pub build: bool,
    /// How often a step is made longer for want of evidence before a person is asked.
    pub max_extensions: u32,
    /// So many measurements in a row that fail hold the run; 0: any number does not, as in plans of before.
    #[serde(default)]
    pub error_limit: u32,
    /// How often something unavailable is tried again.
    pub retries: u32,
    /// Time before the first retry; it doubles with each.
    pub retry_after: Duration,
}

/// A share of production's traffic for a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Step {
    /// The candidate's share, from 1 to 100.
    pub percent: u8,
    /// How long it holds before the next.
    pub duration: Duration,
}

/// Whose word is needed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Approval {
    /// Whether production waits for it.
    pub required: bool,
    /// Who may approve; where nobody is named, anyone whom the host lets speak to the run.
    pub approvers: Vec<String>,
    /// Who may not approve, whoever else names them; [`AUTHOR`] stands for the author of the change.
    #[serde(default)]
    pub excluded: Vec<String>,
    /// In whose name changes are committed, as git writes it: `Name <address>`.
    #[serde(default)]
    pub author: String,
    /// How many different approvers are needed.
    pub count: u32,
    /// How long it is waited for; then the run is aborted.
    pub timeout: Duration,
    /// Whether one approver with a reason may stand for all.
    pub emergency_bypass: bool,
}

/// A rung of the escalation: plugins that tell further people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Level {
    /// How long after people were asked.
    pub after: Duration,
    /// The plugins.
    pub notifiers: Vec<String>,
}

/// The word that stands for the author of the change among those who may not approve.
pub const AUTHOR: &str = "author";

/// Why a plan cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the plan of `{service}` cannot be followed: {what}; {remedy}")]
pub struct BadPlan {
    /// Name of the service.
    pub service: String,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

pub(crate) const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

impl Default for Approval {
    fn default() -> Self {
        Self {
            required: true,
            approvers: Vec::new(),
            excluded: vec![AUTHOR.to_owned()],
            author: String::new(),
            count: 1,
            timeout: 2 * HOUR,
            emergency_bypass: false,
        }
    }
}

impl Plan {
    /// The founding document's defaults, for a service of that name.
    pub fn defaults(service: impl Into<String>) -> Self {
        let step = |percent, duration| Step { percent, duration };
        let (name, staging, production) = (service.into(), "staging".to_owned(), "production".to_owned());
        let (of_staging, of_production) = (staging.clone(), production.clone());
        Self {
            service: name.clone(),
            staging,
            production,
            services: vec![Service { name, paths: Vec::new(), staging: of_staging, production: of_production }],
            soak: 30 * MINUTE,
            steps: vec![step(5, 10 * MINUTE), step(25, 30 * MINUTE), step(50, HOUR), step(100, 2 * HOUR)],
            monitoring: HOUR,
            interval: MINUTE,
            glance: Duration::from_millis(250),
            freeze: Vec::new(),
            triggers: Trigger::defaults(),
            counts: CountTrigger::defaults(),
            hard_trip: HardTrip::default(),
            decision: Decision::default(),
            baseline: Baseline::default(),
            data: DataPlan::default(),
            approval: Approval::default(),
            review: Vec::new(),
            checks: Vec::new(),
            automated: Vec::new(),
            notifiers: Vec::new(),
            escalation: Vec::new(),
            min_coverage: None,
            test_generators: false,
            build: false,
            max_extensions: 3,
            error_limit: 4,
            retries: 4,
            retry_after: Duration::from_secs(5),
        }
    }

    /// Whether the plan can be followed: its steps grow to 100 %, it measures, and enough people may approve.
    ///
    /// # Errors
    /// [`BadPlan`] names the first thing that is wrong.
    pub fn validate(&self) -> Result<(), BadPlan> {
        let bad = |what: &str, remedy: &str| {
            Err(BadPlan { service: self.service.clone(), what: what.to_owned(), remedy: remedy.to_owned() })
        };
        let unlike = |service: &Service| self.services.iter().filter(|other| other.name == service.name).count() == 1;
        if self.services.is_empty() || !self.services.iter().all(unlike) {
            return bad("it is of no service, or of two of one name", "name each of its services once");
        }
        let grows = self.steps.iter().zip(self.steps.iter().skip(1)).all(|(a, b)| a.percent < b.percent);
        if !grows || self.steps.first().is_none_or(|step| step.percent == 0) {
            return bad("its steps do not grow from above 0 %", "list the shares from the least to 100");
        }
        if self.steps.last().is_none_or(|step| step.percent != 100) {
            return bad("its last step is not 100 %", "let the last step be 100");
        }
        if self.interval.is_zero() {
            return bad("the interval between measurements is zero", "give it at least a second");
        }
        if self.triggers.is_empty() {
            return bad(
                "it has no trigger, so nothing could pass a step",
                "name at least one metric that turns a release back",
            );
        }
        if self.triggers.iter().all(|trigger| trigger.dry_run) {
            return bad("all its triggers are dry runs, so nothing could pass a step", "let one of them decide");
        }
        if self.counts.iter().any(|count| count.at_least == 0) {
            return bad("a trigger counts to zero, so that every release would be turned back", "count to 1 at least");
        }
        if self.data.preserve && self.data.guards.is_empty() {
            return bad(
                "its data must be preserved, and no plugin keeps it",
                "name a state guard, or let it not be preserved",
            );
        }
        let approval = &self.approval;
        let may = approval.approvers.iter().filter(|name| approval.why_not(name, None).is_none()).count();
        if approval.count == 0 || (!approval.approvers.is_empty() && approval.count as usize > may) {
            return bad(
                "more approvals are needed than there are approvers who may approve, or none",
                "let the count be from 1 to the number of approvers who are not excluded",
            );
        }
        let mut levels = self.escalation.iter().zip(self.escalation.iter().skip(1));
        if levels.any(|(one, next)| one.after >= next.after)
            || self.escalation.iter().any(|level| level.notifiers.is_empty())
        {
            return bad(
                "its escalation has a level that tells nobody, or that is no later than the one before",
                "name a notifier in each level, and let the delays grow",
            );
        }
        Ok(())
    }
}

impl Approval {
    /// Why this person may not approve a change of the `plugin`, approver or not; none where nothing speaks against it.
    pub fn why_not(&self, by: &str, plugin: Option<&str>) -> Option<&'static str> {
        let excluded = |name: &String| name != AUTHOR && name == by;
        if self.excluded.iter().any(excluded) {
            return Some("the configuration excludes them");
        }
        let author = self.excluded.iter().any(|name| name == AUTHOR) && self.is_author(by, plugin);
        author.then_some("they are the author of the change")
    }

    /// Whether the change is this one's: by the plugin that made it, or by the name or the address that it is committed under.
    fn is_author(&self, by: &str, plugin: Option<&str>) -> bool {
        let (name, address) = self.author.split_once('<').unwrap_or((&self.author, ""));
        let address = address.trim_end().trim_end_matches('>');
        let mailbox = address.split('@').next().unwrap_or_default();
        [name.trim(), address, mailbox, plugin.unwrap_or_default()]
            .into_iter()
            .any(|author| !author.is_empty() && author.eq_ignore_ascii_case(by))
    }
}
