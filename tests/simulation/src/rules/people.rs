//! What people are asked, what they say, and what those tell who use the service.

use std::collections::BTreeSet;

use autodevops_model::Outcome as CheckOutcome;
use autodevops_pipeline::{CountTrigger, Environment, Event, EventKind, Gate, Restore, Signal, Timestamp, Verdict};

use super::{Rules, plan_of};
use crate::stock::APPROVERS;

impl Rules {
    /// Whoever agrees is one who may.
    pub(super) fn may(&mut self, by: &str) {
        self.hold(APPROVERS.contains(&by), || format!("{by} agreed, who may not"));
    }

    /// A gate is passed by as many people as the plan wants, or by one who stands for all where it lets them; silence never passes it.
    pub(super) fn agreed(&mut self, past: &[Event], gate: Gate) {
        let asked = past.iter().rposition(|event| matches!(event.event, EventKind::ApprovalAsked { .. }));
        let is_this =
            |index: &usize| matches!(&past[*index].event, EventKind::ApprovalAsked { gate: of, .. } if *of == gate);
        let Some((asked, plan)) = asked.filter(is_this).zip(plan_of(past)) else {
            let needs_nobody = plan_of(past).is_some_and(|plan| match gate {
                Gate::Production => !plan.approval.required,
                Gate::Data => plan.data.restore == Restore::OnRollback,
                Gate::Held => false,
            });
            return self.hold(needs_nobody, || format!("{gate:?} is passed, and nobody was asked"));
        };
        let (mut people, mut bypassed) = (BTreeSet::new(), false);
        for event in &past[asked..] {
            if let EventKind::Approved { by, bypass, .. } = &event.event {
                people.insert(by);
                bypassed |= *bypass;
            }
        }
        let enough = people.len() >= plan.approval.count as usize || (bypassed && plan.approval.emergency_bypass);
        self.hold(enough, || format!("{gate:?} is passed by {people:?}, of {} that are needed", plan.approval.count));
    }

    /// People have the time that they were given.
    pub(super) fn in_vain(&mut self, past: &[Event], at: Timestamp) {
        let until = past.iter().rev().find_map(|event| match &event.event {
            EventKind::ApprovalAsked { until, .. } => Some(*until),
            _ => None,
        });
        self.hold(until.is_some_and(|until| until <= at), || {
            "people were not given the time that they have".to_owned()
        });
    }

    /// Where going back was no help, the run is over once every level was told of that, or someone has it in hand or did something about it: what
    /// else people were asked meanwhile, and what they said to that, is none of it.
    pub(super) fn heard(&mut self, past: &[Event]) {
        let failed = |event: &Event| match &event.event {
            EventKind::StableLooked { verdict } => verdict.outcome == CheckOutcome::Failed,
            _ => false,
        };
        let Some((looked, plan)) = past.iter().rposition(failed).zip(plan_of(past)) else { return };
        let since = &past[looked..];
        let seen_to =
            |event: &Event| matches!(event.event, EventKind::Acknowledged { .. } | EventKind::Diverged { .. });
        // Of that, and of nothing else.
        let of_that = |event: &&Event| match &event.event {
            EventKind::Escalated { reason, .. } => reason.starts_with("production went back to "),
            _ => false,
        };
        let told = since.iter().filter(of_that).count();
        self.hold(told == plan.escalation.len() || since.iter().any(seen_to), || {
            format!("going back was no help, and of {} levels {told} were told", plan.escalation.len())
        });
    }

    /// What is signalled counts while the new release has traffic, or may have.
    pub(super) fn concerns(&mut self, past: &[Event]) {
        let begun = past.iter().any(|event| match &event.event {
            EventKind::TrafficSet { environment: Environment::Production, splits, .. }
            | EventKind::Diverged { environment: Environment::Production, found: splits, .. } => {
                splits.iter().any(|split| split.release == self.names.new)
            }
            _ => false,
        });
        let turned = past.iter().any(|event| matches!(event.event, EventKind::TurnedBack { .. }));
        self.hold(begun && !turned, || "a signal counts while the release has no traffic".to_owned());
    }

    /// So many are reached by so many different people, or by so many whom nobody knows; none of them of another release.
    pub(super) fn counted(&mut self, past: &[Event], verdict: &Verdict) {
        let Some(plan) = plan_of(past) else { return };
        for trigger in plan.counts.iter().filter(|trigger| verdict.rule.starts_with(trigger.counted.name())) {
            let signals: Vec<&Signal> = past
                .iter()
                .filter_map(|event| match &event.event {
                    EventKind::Signalled { signal } if signal.counted == trigger.counted => Some(signal),
                    _ => None,
                })
                .collect();
            let known: BTreeSet<&String> = signals.iter().filter_map(|signal| signal.by.as_ref()).collect();
            let number = known.len() + signals.iter().filter(|signal| signal.by.is_none()).count();
            let own =
                signals.iter().all(|signal| signal.release.as_deref().is_none_or(|release| release == self.names.new));
            self.hold(number >= trigger.at_least as usize && own, || format!("{} by {signals:?}", verdict.words));
        }
    }

    /// Once so many speak against the release that it is to go back by itself, it does, or stays since stable is the broken one; `follows` is
    /// what was decided.
    pub(super) fn heeded(&mut self, past: &[Event], follows: &[Event], verdict: &Verdict) {
        let of = |trigger: &CountTrigger| verdict.rule.starts_with(trigger.counted.name());
        let critical = plan_of(past).is_some_and(|plan| plan.counts.iter().any(|count| of(count) && count.critical));
        let turns =
            |event: &Event| matches!(event.event, EventKind::TurnedBack { .. } | EventKind::StableBroken { .. });
        let broken = past.iter().any(|event| matches!(event.event, EventKind::StableBroken { .. }));
        let heeded = !critical || broken || follows.iter().any(turns);
        self.hold(heeded, || format!("{}, and nothing follows", verdict.words));
    }
}
