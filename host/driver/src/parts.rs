//! What a driver works with. Narrow, so that a whole run can be driven in a world of a test's making: see `tests/simulation`.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use anyhow::Result;
use autodevops_journal::AppendError;
use autodevops_pipeline::{Command, Event, Glance, Input, Run, Sample, Timestamp};

use crate::clock::Falls;

/// A future of a trait's method.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The world outside of a run: plugins, git, builds, targets.
pub trait World: Send + Sync {
    /// Does a command that changes nothing outside of this host; it may be dropped at any time and done again.
    fn perform<'a>(&'a self, run: &'a Run, command: &'a Command) -> Later<'a, Input>;

    /// Does an effect whose intent is on record. `again` says that it may have been done before: then the target is asked first.
    fn effect<'a>(&'a self, run: &'a Run, command: &'a Command, again: bool) -> Later<'a, Input>;

    /// Renews the leases of candidates that have a part of production's traffic; the services of those that had run out before, as
    /// events call them.
    fn renew<'a>(&'a self, run: &'a Run) -> Later<'a, Vec<String>>;

    /// Looks at what the host itself counts; nothing where it counts nothing, or cannot look now.
    fn glance<'a>(&'a self, run: &'a Run, glance: &'a Glance) -> Later<'a, Vec<Sample>>;

    /// How often a candidate's lease is renewed.
    fn renewal(&self) -> Duration;

    /// Lets others have what the run had to itself: it moves nothing any more, though it tells people still.
    fn free(&self, run: &Run);

    /// Removes what only a run under way needs.
    fn clean(&self, run: &Run);
}

/// Where runs are kept.
pub trait Ledger: Send + Sync {
    /// Appends the events of one decision of a run at this version, all or none, and with them what they make live; gives the new
    /// version.
    ///
    /// # Errors
    /// When another writer was first, or it cannot be written; nothing was written then.
    fn append(&self, run: &Run, version: u64, events: &[Event]) -> Result<u64, AppendError>;

    /// A fence above every one before, by any host.
    ///
    /// # Errors
    /// When it cannot be written; no fence was given then.
    fn next_fence(&self) -> Result<u64>;
}

/// The account of what runs did.
pub trait Account: Send + Sync {
    /// A run is taken over, perhaps from a host that ended without a word.
    fn take_over(&self, run: &Run);

    /// Events of a run are on record up to this version; `ended` names the stage that ended with them, where one did.
    fn recorded(&self, run: &Run, version: u64, ended: Option<&'static str>);

    /// The run is let go of: it is over, waits for a person, or its host stops.
    fn let_go(&self, run: &Run, version: u64);
}

/// The time.
pub trait Clock: Send + Sync {
    /// Now; never before what was now before.
    fn now(&self) -> Timestamp;

    /// How often the machine's clock was found to be behind what it told before, by now: a person is to set it right. What is now goes on.
    fn falls(&self) -> Falls;

    /// Now is never before this moment from here on: it is on record as past.
    fn not_before(&self, moment: Timestamp);

    /// Ends after the span.
    fn sleep(&self, span: Duration) -> Later<'_, ()>;
}

/// Sees what happens in runs, as it happens.
pub trait Observer: Send + Sync {
    /// Something happened, and is on record.
    fn event(&self, run: &Run, event: &Event);
    /// Something is being done now.
    fn doing(&self, run: &Run, command: &Command);
    /// Something outside of the run's events that a person should know.
    fn notice(&self, text: &str);
}

/// All of it.
#[derive(Clone)]
pub struct Parts {
    /// Where runs are kept.
    pub ledger: Arc<dyn Ledger>,
    /// The world outside.
    pub world: Arc<dyn World>,
    /// The account of what is done.
    pub account: Arc<dyn Account>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Who watches.
    pub observer: Arc<dyn Observer>,
}
