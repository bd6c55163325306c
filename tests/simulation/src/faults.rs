//! What is wrong in a world from its beginning: with the releases, with those who measure, and with people.

use crate::{
    stock::{FRESH, NEW, OLD},
    tape::Tape,
};

/// What a plugin says that measures and lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liar {
    /// All is well of what there was.
    Well,
    /// All is well of many requests, whether there were any or not.
    Plenty,
    /// All is bad, of every release.
    Bad,
}

/// What is wrong in a world.
#[derive(Clone, Debug)]
pub struct Faults {
    /// Of a thousand of its requests the new release fails so many. Reviews and checks know nothing of it: most that pass a bad one lie.
    pub failing: u64,
    /// Of a thousand of its requests so many are slower than stable's are.
    pub slow: u64,
    /// The service whose releases fail; all of them, where there is none.
    pub service: Option<String>,
    /// Whether the fault is not the new release's alone: the old one has it, too, once it is back.
    pub rotten: bool,
    /// Of a thousand of its requests the old release fails so many, beside the new one as after it.
    pub stable: u64,
    /// Whether the target is the host's own, whose requests the host counts itself and whose candidates' shares are leases. Else a plugin
    /// speaks for it, which may lie, and two others measure, of which one lies.
    pub local: bool,
    pub liar: Liar,
    /// Whether hosts leave a run that waits for people.
    pub impatient: bool,
    /// Whether no person ever says anything.
    pub silent: bool,
}

impl Faults {
    /// As the tape has it; the change touches these services.
    pub fn of(tape: &mut Tape, touched: &[String]) -> Self {
        Self {
            service: match tape.one(&[0, 1, 2]) {
                0 => None,
                1 => touched.last().cloned(),
                _ => touched.first().cloned(),
            },
            failing: tape.one(&[0, 0, 500, 100, 5]),
            slow: tape.one(&[0, 0, 0, 300]),
            rotten: tape.happens(200),
            stable: tape.one(&[0, 0, 0, 0, 0, 700, 200]),
            local: !tape.happens(250),
            liar: tape.one(&[Liar::Well, Liar::Plenty, Liar::Well, Liar::Bad]),
            impatient: tape.happens(100),
            silent: tape.happens(100),
        }
    }

    /// Of a thousand of its requests a release fails so many, where it is up; `back`: it is alone again, after a rollback.
    pub fn failures(&self, service: &str, release: &str, back: bool) -> u64 {
        let fails = self.service.as_ref().is_none_or(|failing| failing == service);
        match release {
            _ if !fails => 0,
            NEW => self.failing,
            OLD if back && self.rotten => self.failing.max(self.stable),
            OLD | FRESH => self.stable,
            _ => 0,
        }
    }

    /// Whether the new release fails so often that nobody could miss it, and more often than the old one does.
    pub const fn is_plain(&self) -> bool {
        self.failing >= 500 && self.failing > self.stable
    }
}
