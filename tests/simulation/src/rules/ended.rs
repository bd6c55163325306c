//! What must be true of a run that is over.
//!
//! Production serves what the run says: the new release, or the old one. Where its target lied, this holds as far as the target lets it:
//! - A target that says that it did what it did not, and tells what truly serves, misleads nobody: the rule is the same.
//! - One that tells of other shares than there are has people asked, or is believed: then what serves in the end may be what people left,
//!   or what it had told. Nothing is promoted on its word alone: a step needs requests that were seen of the new release.
//! - One that does nothing and tells that what it was asked for serves is known by nothing but what is measured: the same holds.

use autodevops_pipeline::{Environment, Event, EventKind, Outcome};

use super::passed_by_a_person;
use crate::{
    affair::Affair,
    stock::{FOREIGN, OLD},
    target::Target,
    world::World,
};

/// Whether a target told what the run could not know to be wrong; or people passed what nobody looked at.
pub fn was_misled(world: &World, run: &Affair, target: &Target) -> bool {
    target.told_lies || target.deceived || (!world.faults.local && is_pushed(run))
}

fn is_pushed(run: &Affair) -> bool {
    run.events.iter().any(|event| passed_by_a_person(&event.event))
}

/// A run that is over serves what it says; the rule that it breaks, where it does not. What is its own are these of its services: whoever
/// was released since then serves the others.
pub fn ended(outcome: &Outcome, world: &World, run: &Affair, own: &[String]) -> Option<String> {
    let healed = *outcome == Outcome::Healed;
    let seized = run.seized.as_ref().map(|(_, service)| service);
    // All of them or none: whoever deployed past the run changes nothing of that.
    for service in own.iter().filter(|service| seized != Some(service)) {
        let target = world.production(service);
        let wanted = if healed { run.names().new.as_str() } else { run.names().old(service) };
        if target.share(wanted) != 100 && !was_misled(world, run, target) {
            return Some(format!(
                "the run ended ({outcome}), and production of {service:?} serves {:?}",
                target.splits
            ));
        }
    }
    if let Some(rule) = run.staging_seized.as_ref().and_then(|(at, service)| after_staging(world, run, *at, service)) {
        return Some(rule);
    }
    if let Some((at, service)) = &run.seized {
        return after_hotfix(world, run, *at, service);
    }
    let judged = |event: &Event| matches!(event.event, EventKind::StableLooked { .. });
    if matches!(outcome, Outcome::RolledBack { .. }) && moved_back(run) && !run.events.iter().any(judged) {
        return Some("nobody looked whether the rollback helped".to_owned());
    }
    if healed && is_plain(world, run) && !is_pushed(run) {
        return Some("a release that fails every other request was promoted".to_owned());
    }
    (run.is_decided() && healed).then(|| "a rollback was decided, and never took place".to_owned())
}

/// Whether the new release of a service fails so often that nobody could miss it, and more often than the old one does.
fn is_plain(world: &World, run: &Affair) -> bool {
    let is_plain = |service: &String| {
        let failing = run.quality.failures(service);
        run.names().old(service) == OLD && failing >= 500 && failing > world.faults.stable
    };
    run.touched.iter().any(is_plain)
}

/// Whether production's traffic went back.
fn moved_back(run: &Affair) -> bool {
    let back =
        |event: &Event| matches!(event.event, EventKind::RolledBack { environment: Environment::Production, .. });
    run.events.iter().any(back)
}

/// What a person deployed past the run is not overwritten, unless a rollback was decided before it was looked, or a person has the run
/// take production over again.
fn after_hotfix(world: &World, run: &Affair, at: usize, service: &String) -> Option<String> {
    let production = world.production(service);
    if was_misled(world, run, production) {
        return None;
    }
    if !run.touched.contains(service) {
        let stays = production.share(FOREIGN) == 100;
        return (!stays)
            .then(|| format!("a hotfix of what is not the run's was overwritten by {:?}", production.splits));
    }
    let since = run.events.get(at..).unwrap_or_default();
    let first = since.iter().find(|event| match &event.event {
        EventKind::TurnedBack { .. } => true,
        EventKind::Diverged { service: of, environment: Environment::Production, .. }
        | EventKind::Compared { service: of, .. } => of == service,
        _ => false,
    });
    let noticed = matches!(first.map(|event| &event.event), Some(EventKind::Diverged { .. }));
    let given_back = since.iter().any(|event| passed_by_a_person(&event.event));
    match first.map(|event| &event.event) {
        Some(EventKind::Compared { found, .. }) if found.iter().any(|split| split.release == FOREIGN) => {
            Some(format!("a hotfix was taken for the run's own: {found:?}"))
        }
        None if production.share(FOREIGN) != 100 => {
            Some(format!("a hotfix was overwritten, and nobody looked: {:?}", production.splits))
        }
        _ if noticed && run.names().old(service) == FOREIGN && production.share(OLD) > 0 => {
            Some(format!("a hotfix that a person gave back to the run is followed by {:?}", production.splits))
        }
        _ if noticed && !given_back && production.share(FOREIGN) != 100 => {
            Some(format!("a hotfix was overwritten by {:?}", production.splits))
        }
        _ => None,
    }
}

/// The same of staging, which nobody looks at before each move. A host that slept since before it was noticed, and wakes, may move it
/// still: a target learns of a newer fence only by what it is asked, and nothing is asked of a staging that is someone else's.
fn after_staging(world: &World, run: &Affair, at: usize, service: &String) -> Option<String> {
    let staging = world.staging(service);
    if was_misled(world, run, staging) {
        return None;
    }
    let since = run.events.get(at..).unwrap_or_default();
    let first = since.iter().position(|event| match &event.event {
        EventKind::TurnedBack { .. } => true,
        EventKind::StagingFound { service: of, .. } => of == service,
        _ => false,
    });
    let first = first.filter(|first| matches!(since[*first].event, EventKind::StagingFound { .. }))?;
    let given_back = since.iter().any(|event| passed_by_a_person(&event.event));
    let by_a_sleeper = staging.set_with < latest_fence(&run.events[..at + first]);
    let overwritten = !given_back && !by_a_sleeper && staging.share(FOREIGN) != 100;
    overwritten.then(|| format!("what was deployed into staging was overwritten by {:?}", staging.splits))
}

/// The fence of the host that wrote last.
pub fn latest_fence(events: &[Event]) -> u64 {
    let fence = |event: &Event| match event.event {
        EventKind::Started { fence, .. } | EventKind::Resumed { fence } | EventKind::ServicesClaimed { fence, .. } => {
            Some(fence)
        }
        _ => None,
    };
    events.iter().rev().find_map(fence).unwrap_or(0)
}
