//! What is a run's own in a world: there may be two of them, side by side.

use std::collections::{BTreeMap, BTreeSet};

use autodevops_pipeline::{Awaited, Event, EventKind, Input};

use crate::{faults::Quality, rules::Rules, stock::OLD, target::Target};

/// What the releases are called that a run is about.
#[derive(Clone, Debug)]
pub struct Names {
    /// The run's own.
    pub new: String,
    /// Its stable release, started anew to compare the new one with.
    pub fresh: String,
    /// What it goes back to, where that is another run's: by the service.
    old: BTreeMap<String, String>,
}

impl Names {
    /// Of a run whose release is called so.
    pub fn of(new: &str) -> Self {
        Self { new: new.to_owned(), fresh: format!("{new}-baseline"), old: BTreeMap::new() }
    }

    /// What the run goes back to.
    pub fn old(&self, service: &str) -> &str {
        self.old.get(service).map_or(OLD, String::as_str)
    }

    /// The run is over this release from now on.
    pub fn over(&mut self, service: String, old: String) {
        self.old.insert(service, old);
    }

    /// Whether a release is the run's.
    pub fn are(&self, release: &str) -> bool {
        *release == self.new || *release == self.fresh
    }
}

/// A run, and what is its own.
pub struct Affair {
    /// Its name.
    pub name: String,
    /// The services that its change touches, as events call them.
    pub touched: Vec<String>,
    /// How its release is.
    pub quality: Quality,
    /// Its journal.
    pub events: Vec<Event>,
    /// Answers to it that come a second time, and when.
    pub again: Vec<(i64, Input)>,
    /// How many events it had when a person deployed past it, and which service that was.
    pub seized: Option<(usize, String)>,
    /// The same, into staging.
    pub staging_seized: Option<(usize, String)>,
    /// The services that it has by what is on record, as its plan names them.
    pub claimed: Vec<String>,
    /// Those of its services that another run had to itself after it.
    pub passed_on: BTreeSet<String>,
    /// What may never be of it.
    pub rules: Rules,
}

impl Affair {
    /// A run that did not begin yet.
    pub fn new(name: String, release: &str, touched: Vec<String>, quality: Quality) -> Self {
        Self {
            name,
            touched,
            quality,
            events: Vec::new(),
            again: Vec::new(),
            seized: None,
            staging_seized: None,
            claimed: Vec::new(),
            passed_on: BTreeSet::new(),
            rules: Rules::of(Names::of(release)),
        }
    }

    /// What its releases are called.
    pub const fn names(&self) -> &Names {
        &self.rules.names
    }

    /// Whether one of its releases has traffic of a target.
    pub fn has_part(&self, target: &Target) -> bool {
        target.splits.iter().any(|split| self.names().are(&split.release))
    }

    /// The run that it waits for, by what is on record last of its services.
    pub fn awaits(&self) -> Option<&Awaited> {
        self.events.iter().rev().find_map(|event| match &event.event {
            EventKind::ServicesAwaited { of } => Some(Some(of)),
            EventKind::ServicesClaimed { .. } | EventKind::BegunAnew { .. } | EventKind::TurnedBack { .. } => {
                Some(None)
            }
            _ => None,
        })?
    }

    /// Whether it is on record that it is over.
    pub fn is_over(&self) -> bool {
        matches!(self.events.last().map(|event| &event.event), Some(EventKind::Finished { .. }))
    }

    /// Whether it is on record that it goes back, or is over without it.
    pub fn is_decided(&self) -> bool {
        self.events.iter().any(|event| matches!(event.event, EventKind::TurnedBack { .. }))
    }
}
