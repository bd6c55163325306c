//! How a run comes to its end, or waits for people who never answer.

use std::time::Duration;

use autodevops_driver::driver::End;
use autodevops_pipeline::{Command, Environment, EventKind, Gate, Outcome, Run};

use super::{Hosts, MOST_TURNS};
use crate::{
    rules,
    stock::{FOREIGN, OLD},
    world::World,
};

/// So often a run asks in vain, once nothing else happens, before it is taken for one that waits for ever.
const ASKED_IN_VAIN: usize = 3;

/// So often going back fails, once nothing else happens, before a person looks at the target.
const FAILED_IN_VAIN: usize = 20;

/// A notification that fails is tried again by then.
const LONGEST_RETRY: Duration = Duration::from_secs(3600);

impl Hosts {
    /// The run is over; a host that still sleeps wakes and can change nothing.
    pub(super) fn over(&mut self, outcome: Outcome) -> Result<End, String> {
        self.wake();
        for _ in 0..MOST_TURNS {
            self.go_on();
            if self.woken.is_none() || !self.world.lock().pass() {
                break;
            }
        }
        let world = self.world.lock();
        if let Some(rule) = world.rules.broken() {
            return Err(rule.clone());
        }
        if let Some(rule) = rules::ended(&outcome, &world) {
            return Err(rule);
        }
        let run = Run::replay(&world.events).map_err(|error| error.to_string())?;
        for member in run.members() {
            let recorded = member.traffic(Environment::Production);
            let production = world.production(member.label());
            // A person's word that ended the run before it looked leaves what is on record as it was.
            let known = world.seized.is_none() && !rules::was_misled(&world, production);
            if known && recorded != production.splits.as_slice() {
                return Err(format!("on record {recorded:?} serve, in truth {:?}", production.splits));
            }
        }
        let count = |found: fn(&EventKind) -> bool| world.events.iter().filter(|event| found(&event.event)).count();
        let asked = count(|event| matches!(event, EventKind::ApprovalAsked { gate: Gate::Production, .. }));
        // Who gives production back to the run was not asked what to let into it.
        if asked > 1 + count(|event| matches!(event, EventKind::Diverged { .. })) {
            return Err("production's gate was opened twice".to_owned());
        }
        Ok(End::Finished(outcome))
    }

    /// A host leaves a run that waits for people. Later another goes on with it, perhaps because someone answers; where nobody does, that
    /// is how it stays.
    pub(super) fn left(&mut self, end: End) -> Result<Option<End>, String> {
        let mut world = self.world.lock();
        let run = Run::replay(&world.events).map_err(|error| error.to_string())?;
        if !world.faults.impatient {
            return Err(format!("it does not wait, though told to: {end:?}"));
        }
        if let End::Queued(of) = &end {
            let awaits = run.awaited().is_some();
            world.tell(|| format!("the host leaves it until {of}"));
            // Whoever goes on with it waits for that one.
            world.faults.impatient = false;
            drop(world);
            self.after_death();
            return if awaits { Ok(None) } else { Err("it is left for another that has nothing of it".to_owned()) };
        }
        if !is_asked(&run) {
            return Err(format!("it is left though nobody is asked who could let it go on: {end:?}"));
        }
        if tells(&run) {
            return Err(format!("it is left before people are told: {end:?}"));
        }
        if world.faults.local && run.members().any(|member| member.traffic(Environment::Production).len() > 1) {
            return Err(format!("it is left, and the candidate loses its share: {end:?}"));
        }
        world.happened.insert("a host left");
        world.tell(|| format!("the host leaves it: {end:?}"));
        if world.tape.is_over() {
            return Ok(Some(end));
        }
        let answers = !world.faults.silent && world.tape.happens(500);
        drop(world);
        self.after_death();
        if let Some(driving) = self.awake.as_ref().filter(|_| answers) {
            self.speak(&driving.words);
        }
        Ok(None)
    }

    /// Whether nothing happens any more, and the run asks people again and again. Where it does not get back, they look at the target, as
    /// they are told to.
    pub(super) fn waits_for_ever(&mut self) -> Option<End> {
        let mut world = self.world.lock();
        if !world.tape.is_over() || !world.again.is_empty() {
            return None;
        }
        let from = *self.calm.get_or_insert(world.events.len());
        let since = &world.events[from..];
        let last = since.last().map(|event| &event.event);
        let asks = matches!(last, Some(EventKind::ApprovalAsked { .. } | EventKind::EffectDone { .. }));
        let expired = |event: &EventKind| matches!(event, EventKind::ApprovalExpired { .. });
        if asks && since.iter().filter(|event| expired(&event.event)).count() >= ASKED_IN_VAIN {
            let run = Run::replay(&world.events).ok()?;
            let gate = run.gate().filter(|_| is_asked(&run) && are_told(&run))?;
            let (reason, remedy) = (gate.reason.clone(), String::new());
            return Some(End::Waiting { reason, remedy });
        }
        if let Some(EventKind::EffectFailed { key, attempt, .. }) = last
            && key.contains("/rollback/production")
        {
            let failed = |event: &EventKind| matches!(event, EventKind::EffectFailed { key: of, .. } if of == key);
            let told = |event: &EventKind| matches!(event, EventKind::Held { .. });
            let in_vain = since.iter().filter(|event| failed(&event.event)).count() >= FAILED_IN_VAIN;
            let is_told = world.events.iter().any(|event| told(&event.event));
            if in_vain && (is_told || *attempt <= world.plan.retries) {
                mend(&mut world);
            }
        }
        None
    }
}

/// People look at the targets, and set right what they find, but what one of them put there.
fn mend(world: &mut World) {
    let now = world.now();
    world.happened.insert("a target was set right by hand");
    world.tell(|| "people set the targets right by hand".to_owned());
    for service in world.touched.clone() {
        let target = world.target(&service, Environment::Production);
        if target.share(FOREIGN) == 0 {
            target.mend(OLD, now);
        }
    }
    world.serving();
}

/// Whether a named person can let the run go on, or is told that it cannot.
fn is_asked(run: &Run) -> bool {
    let named = !run.plan().approval.approvers.is_empty();
    let holds = run.on_hold().is_some_and(|hold| !hold.by.is_empty());
    let asked = run.gate().is_some_and(|gate| !gate.reason.is_empty());
    let alarmed = run.alarm().is_some_and(|alarm| !alarm.reason.is_empty() && run.ending().is_some());
    holds || (named && (asked || alarmed))
}

/// Whether everyone was told who is to be, of every level.
fn are_told(run: &Run) -> bool {
    let all = |told: u32| usize::try_from(told).is_ok_and(|told| told == run.plan().escalation.len());
    let known = run.alarm().is_some_and(|alarm| alarm.acknowledged.is_some() || all(alarm.told));
    known && !tells(run)
}

/// Whether people are to be told of something still, now or once it is tried again.
fn tells(run: &Run) -> bool {
    let later = run.last_event_at().after(LONGEST_RETRY);
    run.commands(later).iter().any(|command| matches!(command, Command::Notify { .. }))
}
