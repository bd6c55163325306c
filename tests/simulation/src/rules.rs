//! What may never be, whatever happens.
//!
//! What serves in truth is held to the rules, not what a target says. Where a target lies about what serves, the run can know no better:
//! what holds then is said in [`ended`].

mod ended;
mod people;
mod stable;

use std::collections::BTreeMap;

use autodevops_model::{Outcome as CheckOutcome, Release, Split};
use autodevops_pipeline::{Baseline, Command, ERROR_RATE, Environment, Event, EventKind, Gate, Plan, Restore};

use crate::{affair::Names, stock, target::Target};

pub use ended::{ended, latest_fence, was_misled};

/// What was seen so far of a run, and the first rule that was broken.
pub struct Rules {
    /// What its releases are called.
    pub names: Names,
    broken: Option<String>,
    /// The command that a key stands for.
    meant: BTreeMap<String, Command>,
}

impl Rules {
    /// Of a run whose releases are called so.
    pub const fn of(names: Names) -> Self {
        Self { names, broken: None, meant: BTreeMap::new() }
    }

    /// The first rule that was broken.
    pub const fn broken(&self) -> Option<&String> {
        self.broken.as_ref()
    }

    pub fn hold(&mut self, holds: bool, rule: impl FnOnce() -> String) {
        if !holds && self.broken.is_none() {
            self.broken = Some(rule());
        }
    }

    /// Production always has all of its capacity; two releases share it only where a step says so, and none that was stopped has any.
    pub fn serving(&mut self, plan: &Plan, service: &str, target: &Target) {
        let splits = target.splits.as_slice();
        let sum: u32 = splits.iter().map(|split| u32::from(split.percent)).sum();
        self.hold(sum == 100, || format!("production's weights add up to {sum}: {splits:?}"));
        self.hold(splits.iter().all(|split| split.percent > 0), || format!("a release serves nobody: {splits:?}"));
        let run = splits.iter().all(|split| target.runs(&split.release));
        self.hold(run, || format!("what does not run has traffic: {splits:?}"));
        let Names { new, fresh: started, .. } = self.names.clone();
        let old = self.names.old(service).to_owned();
        // What a target tells of others that serve is no more than that.
        let serves = |release: &str| release == old || (target.told_lies && release == stock::OLD);
        match splits {
            [_] => {}
            [stable, fresh, candidate] => {
                let step = plan.steps.iter().any(|step| step.percent == candidate.percent);
                let known = serves(&stable.release) && fresh.release == started && candidate.release == new;
                let alike = fresh.percent == candidate.percent && stable.percent >= fresh.percent;
                let wanted = plan.baseline == Baseline::Fresh && candidate.percent <= Baseline::FRESH_UP_TO;
                self.hold(step && known && alike && wanted, || {
                    format!("production is shared as no step says: {splits:?}")
                });
            }
            [stable, candidate] => {
                let step = plan.steps.iter().any(|step| step.percent == candidate.percent);
                let known = serves(&stable.release) && candidate.release == new;
                self.hold(step && known, || format!("production is shared as no step says: {splits:?}"));
            }
            _ => self.hold(false, || format!("more than a candidate, stable and a baseline are live: {splits:?}")),
        }
    }

    /// Services are moved together: where their new releases have traffic, they are at one step or on their way to the next.
    pub fn beside(&mut self, plan: &Plan, shares: &[u8]) {
        let step = |share: &u8| plan.steps.iter().position(|step| step.percent == *share);
        let steps: Vec<usize> = shares.iter().filter_map(step).collect();
        let apart = steps.iter().max().unwrap_or(&0) - steps.iter().min().unwrap_or(&0);
        self.hold(apart <= 1, || format!("services are more than a step apart: {shares:?}"));
    }

    /// A key stands for one command for ever, and what is known to have taken place is not asked for again.
    pub fn asked(&mut self, command: &Command, events: &[Event]) {
        let Some(key) = command.key() else { return };
        let mut plain = command.clone();
        if let Command::Deploy { fence, .. } | Command::SetTraffic { fence, .. } | Command::Restore { fence, .. } =
            &mut plain
        {
            *fence = 0;
        }
        let before = self.meant.entry(key.to_owned()).or_insert_with(|| plain.clone());
        let same = *before == plain;
        self.hold(same, || format!("the key {key} stands for two commands"));
        let is_done = events.iter().any(|event| match &event.event {
            EventKind::EffectDone { key: done }
            | EventKind::Deployed { key: done, .. }
            | EventKind::BaselineDeployed { key: done, .. }
            | EventKind::SnapshotTaken { key: done, .. }
            | EventKind::DataRestored { key: done, .. }
            | EventKind::TrafficSet { key: done, .. } => done == key,
            _ => false,
        });
        self.hold(!is_done, || format!("{key} is asked for though it is done"));
        let is_intended = events.iter().any(|event| match &event.event {
            EventKind::EffectIntended { key: intended, .. } => intended == key,
            _ => false,
        });
        self.hold(is_intended, || format!("{key} is asked for before its intent is on record"));
    }

    /// What was written last, from this event on, follows from what was before.
    pub fn written(&mut self, events: &[Event], from: usize) {
        for (index, event) in events.iter().enumerate().skip(from) {
            let past = &events[..index];
            let last = past.last().map_or(event.at, |before| before.at);
            self.hold(event.at >= last, || format!("{} happens before what was before it", event.event.name()));
            match &event.event {
                EventKind::BegunAnew { live, .. } => {
                    let services = plan_of(past).map(stock::labels).unwrap_or_default();
                    for (service, live) in services.into_iter().zip(live) {
                        live.production.iter().for_each(|old| self.names.over(service.clone(), old.id.clone()));
                    }
                }
                EventKind::EffectIntended { splits, environment: Some(Environment::Production), .. }
                    if splits.iter().any(|split| split.release == self.names.new) =>
                {
                    self.goes_forward(past);
                    let open =
                        |event: &Event| matches!(event.event, EventKind::GatePassed { gate: Gate::Production, .. });
                    self.hold(past.iter().any(open), || "production is moved before its gate is passed".to_owned());
                    self.checked(past);
                }
                EventKind::TurnedBack { .. } => {
                    let before = past.iter().any(|event| matches!(event.event, EventKind::TurnedBack { .. }));
                    self.hold(!before, || "a run turns back twice".to_owned());
                }
                EventKind::Diverged { service, environment: Environment::Production, serves: Some(serves), .. } => {
                    self.names.over(service.clone(), serves.id.clone());
                }
                EventKind::StableLooked { .. } => self.looked(past),
                EventKind::Finished { .. } => self.heard(past),
                EventKind::RolledBack { service, environment: Environment::Production, .. } => {
                    let before = past.iter().any(|event| match &event.event {
                        EventKind::RolledBack { service: of, environment, .. } => {
                            of == service && *environment == Environment::Production
                        }
                        _ => false,
                    });
                    self.hold(!before, || format!("{service:?} is rolled back twice"));
                }
                EventKind::GatePassed { gate, .. } => self.agreed(past, *gate),
                EventKind::Approved { by, .. } => self.may(by),
                EventKind::ApprovalExpired { .. } => self.in_vain(past, event.at),
                EventKind::Signalled { .. } => self.concerns(past),
                EventKind::CountReached { verdict } => {
                    self.counted(past, verdict);
                    self.heeded(past, &events[index..], verdict);
                }
                EventKind::StepEntered { environment: Environment::Production, percent, .. } => {
                    self.arrived(past, *percent);
                }
                EventKind::EffectIntended { key, environment: None, .. } if key.contains("/restore/") => {
                    self.goes_back(past);
                }
                EventKind::EffectIntended { environment: Some(Environment::Production), splits, .. }
                    if splits.is_empty() =>
                {
                    self.is_recent(past);
                }
                EventKind::EffectIntended {
                    service, key, environment: Some(Environment::Production), splits, ..
                } => {
                    self.back_to(key, service, splits);
                    self.stable_grows(past, service, splits);
                }
                EventKind::Judged { verdict, .. } => self.heeds_trip(past, &events[index..], verdict),
                EventKind::Deployed { environment: Environment::Production, .. } => self.kept(past),
                EventKind::StepPassed { environment: Environment::Production, percent, .. } => {
                    self.evident(past, *percent);
                }
                _ => {}
            }
        }
    }

    /// Data goes back only after traffic did, and only by the plan or by a person's word.
    fn goes_back(&mut self, past: &[Event]) {
        let has = |wanted: fn(&EventKind) -> bool| past.iter().any(|event| wanted(&event.event));
        let back = has(|event| matches!(event, EventKind::RolledBack { environment: Environment::Production, .. }));
        self.hold(back, || "data goes back though traffic did not".to_owned());
        let meant = match plan_of(past).map(|plan| plan.data.restore) {
            Some(Restore::OnRollback) => true,
            Some(Restore::Ask) => {
                has(|event| matches!(event, EventKind::Approved { .. }))
                    && has(|event| matches!(event, EventKind::GatePassed { gate: Gate::Data, .. }))
            }
            Some(Restore::Never) | None => false,
        };
        self.hold(meant, || "data goes back though nobody said so".to_owned());
    }

    /// Where data must be preserved, nothing comes to production without a snapshot.
    fn kept(&mut self, past: &[Event]) {
        let must = plan_of(past).is_some_and(|plan| plan.data.preserve);
        self.hold(!must || snapshot_of(past).is_some(), || {
            "a release is in production without the snapshot that must be there".to_owned()
        });
    }

    /// A release comes to production with a snapshot that was begun after the run last stood still: a freeze, a person's hold, or a host
    /// that died.
    fn is_recent(&mut self, past: &[Event]) {
        let last = |wanted: &dyn Fn(&EventKind) -> bool| past.iter().rposition(|event| wanted(&event.event));
        let production = Some(Environment::Production);
        let asked =
            last(&|event| matches!(event, EventKind::EffectIntended { environment, .. } if *environment == production));
        let failed =
            last(&|event| matches!(event, EventKind::EffectFailed { key, .. } if key.contains("/deploy/production")));
        // Under way, or there in part: what comes now belongs to what was begun.
        let there = last(&|event| matches!(event, EventKind::Deployed { environment: Environment::Production, .. }));
        if snapshot_of(past).is_none() || there.is_some() || (asked.is_some() && asked > failed) {
            return;
        }
        let begun = last(&|event| matches!(event, EventKind::EffectIntended { key, .. } if key.contains("/snapshot/")));
        let still = last(&|event| {
            matches!(event, EventKind::Frozen { .. } | EventKind::ResumeRequested { .. } | EventKind::Resumed { .. })
        });
        self.hold(begun > still, || {
            "a release comes to production with a snapshot of before the run stood still".to_owned()
        });
    }

    /// Stable is looked at once for each time that its traffic came back.
    fn looked(&mut self, past: &[Event]) {
        let last = past.iter().rev().find(|event| {
            let back = matches!(event.event, EventKind::RolledBack { environment: Environment::Production, .. });
            back || matches!(event.event, EventKind::StableLooked { .. })
        });
        let due = matches!(last.map(|event| &event.event), Some(EventKind::RolledBack { .. }));
        self.hold(due, || "stable is looked at though nothing went back to it".to_owned());
    }

    /// A step begins once every service that is rolled out has its share.
    fn arrived(&mut self, past: &[Event], percent: u8) {
        let mut shares: BTreeMap<&String, u8> = BTreeMap::new();
        let Names { new: own, fresh: started, .. } = self.names.clone();
        let new =
            |splits: &[Split]| splits.iter().filter(|split| split.release == own).map(|split| split.percent).sum();
        for event in past {
            match &event.event {
                EventKind::Deployed { service, environment: Environment::Production, .. } => {
                    shares.entry(service).or_insert(0);
                }
                EventKind::TrafficSet { service, environment: Environment::Production, splits, .. }
                | EventKind::Diverged { service, found: splits, .. } => {
                    shares.insert(service, new(splits));
                }
                EventKind::TrafficReturned { service, environment: Environment::Production, .. } => {
                    shares.insert(service, 0);
                }
                _ => {}
            }
        }
        let all = shares.values().all(|share| *share == percent);
        self.hold(all, || format!("the step of {percent} % begins where the services have {shares:?}"));
        let set = past.iter().rev().find_map(|event| match &event.event {
            EventKind::TrafficSet { service, environment: Environment::Production, splits, .. }
            | EventKind::Diverged { service, environment: Environment::Production, found: splits, .. } => {
                Some((service, splits))
            }
            _ => None,
        });
        // What a person put there is not started anew beside itself; stable, which someone gave everything, is no other.
        let is_stable = |serves: &Release| {
            past.iter().any(|event| match &event.event {
                EventKind::BaselineDeployed { deployment, .. } => deployment.release.artifact == serves.artifact,
                _ => false,
            })
        };
        let by_hand = |event: &Event| match &event.event {
            EventKind::Diverged { service, serves: Some(serves), .. } => {
                set.is_some_and(|(of, _)| of == service) && !is_stable(serves)
            }
            _ => false,
        };
        let fresh = has_fresh(past) && percent <= Baseline::FRESH_UP_TO && !past.iter().any(by_hand);
        let beside = set.is_some_and(|(_, splits)| splits.iter().any(|split| split.release == started));
        self.hold(fresh == beside, || format!("the step of {percent} % begins, and a fresh baseline serves: {beside}"));
    }

    /// Every check passed, or a person agreed to go on without.
    fn checked(&mut self, past: &[Event]) {
        for (index, event) in past.iter().enumerate() {
            let verdict = match &event.event {
                EventKind::Reviewed { verdict, .. } | EventKind::Checked { verdict, .. } => verdict,
                EventKind::AutomatedTested { verdict, reports } if !reports.is_empty() => verdict,
                _ => continue,
            };
            let agreed = past[index..].iter().any(|event| passed_by_a_person(&event.event));
            let fine = verdict.outcome == CheckOutcome::Passed || agreed;
            self.hold(fine, || format!("production is moved in spite of: {}", verdict.words));
        }
    }

    /// What turned back does not go forward again: whatever lies, it costs one rollback.
    fn goes_forward(&mut self, past: &[Event]) {
        let turned = past.iter().any(|event| matches!(event.event, EventKind::TurnedBack { .. }));
        self.hold(!turned, || "the release is given traffic after the run turned back".to_owned());
    }

    /// A step is passed by a person's word, or by a verdict over the errors that the host itself observed, or two did who are apart: a metric
    /// that a plugin alone measures is none.
    fn evident(&mut self, past: &[Event], percent: u8) {
        let told = past.iter().rev().find(|event| !matches!(event.event, EventKind::SafetyChecked { .. }));
        let fine = match told.map(|event| &event.event) {
            Some(EventKind::Judged { verdict, .. }) => {
                let measured = past.iter().rev().find_map(|event| match &event.event {
                    EventKind::Measured { samples, .. } => Some(samples),
                    _ => None,
                });
                let observed = measured.is_some_and(|samples| {
                    samples.iter().any(|sample| {
                        let errors = sample.measurements.iter().any(|seen| seen.metric == ERROR_RATE);
                        (sample.observed_by_host && errors)
                            || samples.iter().any(|other| other.origin.is_apart(&sample.origin))
                    })
                });
                verdict.outcome == CheckOutcome::Passed && observed
            }
            Some(event) => passed_by_a_person(event),
            None => false,
        };
        self.hold(fine, || format!("the step of {percent} % is passed without evidence"));
    }
}

fn plan_of(events: &[Event]) -> Option<&Plan> {
    match &events.first()?.event {
        EventKind::Started { plan, .. } => Some(plan),
        _ => None,
    }
}

/// Where the last snapshot was taken that is not outdated since.
fn snapshot_of(events: &[Event]) -> Option<usize> {
    let last = |wanted: fn(&EventKind) -> bool| events.iter().rposition(|event| wanted(&event.event));
    let taken = last(|event| matches!(event, EventKind::SnapshotTaken { .. }));
    let outdated = last(|event| matches!(event, EventKind::SnapshotOutdated { .. }));
    taken.filter(|_| taken > outdated)
}

/// Whether the plan wants a fresh baseline, and the target can.
fn has_fresh(events: &[Event]) -> bool {
    match events.first().map(|event| &event.event) {
        Some(EventKind::Started { plan, capabilities, .. }) => {
            plan.baseline == Baseline::Fresh && capabilities.fresh_baseline && capabilities.split_traffic
        }
        _ => false,
    }
}

const fn passed_by_a_person(event: &EventKind) -> bool {
    matches!(
        event,
        EventKind::GatePassed { gate: Gate::Held, .. }
            | EventKind::SkipRequested { .. }
            | EventKind::RollForwardRequested { .. }
    )
}
