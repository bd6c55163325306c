//! How runs come to their end, or wait for people who never answer.

use std::time::Duration;

use autodevops_driver::{claims::Claims, driver::End};
use autodevops_model::ErrorKind;
use autodevops_pipeline::{Command, Environment, Event, EventKind, Gate, Outcome, Run};

use super::{Hosts, MOST_TURNS};
use crate::{affair::Affair, rules, stock::FOREIGN, world::World};

/// So often a run asks in vain, once nothing else happens, before it is taken for one that waits for ever.
const ASKED_IN_VAIN: usize = 3;

/// So often going back fails, once nothing else happens, before a person looks at the target.
const FAILED_IN_VAIN: usize = 20;

/// A notification that fails is tried again by then.
const LONGEST_RETRY: Duration = Duration::from_secs(3600);

impl Hosts {
    /// A run is over; what it left is as it says.
    pub(super) fn over(&mut self, run: usize, outcome: Outcome, claims: &Claims) -> Result<(), String> {
        let world = self.world.lock();
        claims.free(&world.runs[run].name);
        if let Some(rule) = rules::ended(&outcome, &world, &world.runs[run], &world.own(run)) {
            return Err(rule);
        }
        drop(world);
        self.over.push((run, outcome));
        Ok(())
    }

    /// All runs are over: nobody has any service, and a host that still sleeps wakes and can change nothing.
    pub(super) fn all_over(&mut self, claims: &Claims) -> Result<Vec<End>, String> {
        let services: Vec<String> =
            self.world.lock().plan.services.iter().map(|service| service.name.clone()).collect();
        if let Err(of) = claims.ask("another", &services) {
            return Err(format!("all runs are over, and {of} has services still"));
        }
        self.wake();
        for _ in 0..MOST_TURNS {
            self.go_on();
            if self.woken.is_none() || !self.world.lock().pass() {
                break;
            }
        }
        let world = self.world.lock();
        if let Some(rule) = world.broken() {
            return Err(rule.clone());
        }
        for (index, (run, outcome)) in self.over.iter().enumerate() {
            let affair = &world.runs[*run];
            // What was released since is no more as this one left it.
            let later = &self.over[index + 1..];
            let mut own = world.own(*run);
            own.retain(|service| later.iter().all(|(other, _)| !world.own(*other).contains(service)));
            let rule = rules::ended(outcome, &world, affair, &own);
            if let Some(rule) = rule.or_else(|| on_record(&world, affair, &own)) {
                return Err(rule);
            }
        }
        let mut ends = self.over.clone();
        ends.sort_by_key(|(run, _)| *run);
        Ok(ends.into_iter().map(|(_, outcome)| End::Finished(outcome)).collect())
    }

    /// Whether all runs are over or wait for ever, for people or for one that does: how.
    pub(super) fn settled(&mut self) -> Option<Vec<End>> {
        let number = self.calm.len();
        for run in 0..number {
            // The one may ask at another time than the other.
            self.waiting[run] = self.waiting[run].take().or_else(|| self.waits_for_ever(run));
        }
        let mut ends = self.waiting.clone();
        for (run, outcome) in &self.over {
            ends[*run] = Some(End::Finished(outcome.clone()));
        }
        let world = self.world.lock();
        for run in 0..number {
            let waits = |other: &Affair| ends[world.index(&other.name)].as_ref().is_some_and(|end| !is_over(end));
            if ends[run].is_none()
                && let Some(of) = world.runs[run].awaits()
                && world.others(run).any(|other| other.name == of.run && waits(other))
            {
                ends[run] = Some(End::Queued(of.clone()));
            }
        }
        ends.into_iter().collect()
    }

    /// A host leaves a run that waits for people. Later another goes on with it, perhaps because someone answers; where nobody does, that
    /// is how it stays.
    pub(super) fn left(&mut self, end: End) -> Result<Option<Vec<End>>, String> {
        let mut world = self.world.lock();
        let run = Run::replay(&world.runs[0].events).map_err(|error| error.to_string())?;
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
        if tells(&run, &world.runs[0].events) {
            return Err(format!("it is left before people are told: {end:?}"));
        }
        if world.faults.local && run.members().any(|member| member.traffic(Environment::Production).len() > 1) {
            return Err(format!("it is left, and the candidate loses its share: {end:?}"));
        }
        world.happened.insert("a host left");
        world.tell(|| format!("the host leaves it: {end:?}"));
        if world.tape.is_over() {
            return Ok(Some(vec![end]));
        }
        let answers = !world.faults.silent && world.tape.happens(500);
        drop(world);
        self.after_death();
        if let Some(process) = self.awake.as_ref().filter(|_| answers) {
            self.speak(process);
        }
        Ok(None)
    }

    /// Whether nothing happens any more, and a run asks people again and again. Where it does not get back, they look at the target, as
    /// they are told to.
    fn waits_for_ever(&mut self, of: usize) -> Option<End> {
        let mut world = self.world.lock();
        if !world.tape.is_over() || !world.runs[of].again.is_empty() {
            return None;
        }
        let events = &world.runs[of].events;
        let from = *self.calm[of].get_or_insert(events.len());
        let since = &events[from..];
        let last = since.last().map(|event| &event.event);
        let asks = matches!(last, Some(EventKind::ApprovalAsked { .. } | EventKind::EffectDone { .. }));
        let expired = |event: &EventKind| matches!(event, EventKind::ApprovalExpired { .. });
        if asks && since.iter().filter(|event| expired(&event.event)).count() >= ASKED_IN_VAIN {
            let run = Run::replay(events).ok()?;
            let gate = run.gate().filter(|_| is_asked(&run) && are_told(&run, events))?;
            let (reason, remedy) = (gate.reason.clone(), String::new());
            return Some(End::Waiting { reason, remedy });
        }
        if let Some(EventKind::EffectFailed { key, attempt, .. }) = last
            && key.contains("/rollback/production")
        {
            let failed = |event: &EventKind| matches!(event, EventKind::EffectFailed { key: of, .. } if of == key);
            let told = |event: &EventKind| matches!(event, EventKind::Held { .. });
            let in_vain = since.iter().filter(|event| failed(&event.event)).count() >= FAILED_IN_VAIN;
            let is_told = events.iter().any(|event| told(&event.event));
            if in_vain && (is_told || *attempt <= world.plan.retries) {
                mend(&mut world, of);
            }
        }
        None
    }
}

/// What is on record of what serves these services is the truth.
fn on_record(world: &World, affair: &Affair, own: &[String]) -> Option<String> {
    let run = match Run::replay(&affair.events) {
        Ok(run) => run,
        Err(error) => return Some(error.to_string()),
    };
    for member in run.members().filter(|member| own.iter().any(|service| service == member.label())) {
        let recorded = member.traffic(Environment::Production);
        let production = world.production(member.label());
        // A person's word that ended the run before it looked leaves what is on record as it was.
        let known = affair.seized.is_none() && !rules::was_misled(world, affair, production);
        if known && recorded != production.splits.as_slice() {
            return Some(format!("on record {recorded:?} serve, in truth {:?}", production.splits));
        }
    }
    let count = |found: fn(&EventKind) -> bool| affair.events.iter().filter(|event| found(&event.event)).count();
    let asked = count(|event| matches!(event, EventKind::ApprovalAsked { gate: Gate::Production, .. }));
    // Who gives production back to the run was not asked what to let into it.
    let twice = asked > 1 + count(|event| matches!(event, EventKind::Diverged { .. }));
    twice.then(|| "production's gate was opened twice".to_owned())
}

/// People look at the targets of a run, and set right what they find; what one of them put there goes on serving.
fn mend(world: &mut World, of: usize) {
    let now = world.now();
    world.happened.insert("a target was set right by hand");
    world.tell(|| "people set the targets right by hand".to_owned());
    for service in world.runs[of].touched.clone() {
        let old = world.runs[of].names().old(&service).to_owned();
        let target = world.target(&service, Environment::Production);
        match target.share(FOREIGN) {
            0 => target.mend(&old, now),
            _ => target.set_right(),
        }
    }
    world.serving();
}

/// Whether a run is over by it.
const fn is_over(end: &End) -> bool {
    matches!(end, End::Finished(_))
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
fn are_told(run: &Run, events: &[Event]) -> bool {
    let all = |told: u32| usize::try_from(told).is_ok_and(|told| told == run.plan().escalation.len());
    let known = run.alarm().is_some_and(|alarm| alarm.acknowledged.is_some() || all(alarm.told));
    known && !tells(run, events)
}

/// Whether people are to be told of something still, now or once it is tried again; a question that was tried as often as anything is, or
/// refused when it was tried last, and is put for as long as a host is there, holds nobody.
fn tells(run: &Run, events: &[Event]) -> bool {
    let later = run.last_event_at().after(LONGEST_RETRY);
    let late = |key: &str| {
        let failed = events.iter().rev().find_map(|event| match &event.event {
            EventKind::EffectFailed { key: of, attempt, error, .. } if of == key => Some((*attempt, error.kind)),
            _ => None,
        });
        failed.is_some_and(|(attempts, kind)| attempts > run.plan().retries || kind != ErrorKind::Unavailable)
    };
    run.commands(later).iter().any(|command| matches!(command, Command::Notify { key, .. } if !late(key)))
}
