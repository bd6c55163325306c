//! What is wrong in a world from its beginning: with the releases, with those who measure, and with people.

use crate::tape::Tape;

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

/// How the release of a run is.
#[derive(Clone, Debug)]
pub struct Quality {
    /// Of a thousand of its requests it fails so many. Reviews and checks know nothing of it: most that pass a bad one lie.
    pub failing: u64,
    /// Of a thousand of its requests so many are slower than stable's are.
    pub slow: u64,
    /// The service whose releases fail; all of them, where there is none.
    pub service: Option<String>,
}

impl Quality {
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
        }
    }

    /// Of a thousand of a service's requests it fails so many.
    pub fn failures(&self, service: &str) -> u64 {
        if self.service.as_ref().is_none_or(|failing| failing == service) { self.failing } else { 0 }
    }
}

/// What is wrong in a world.
#[derive(Clone, Debug)]
pub struct Faults {
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
    /// As the tape has it.
    pub fn of(tape: &mut Tape) -> Self {
        Self {
            rotten: tape.happens(400),
            stable: tape.one(&[0, 0, 0, 0, 0, 700, 200]),
            local: !tape.happens(250),
            liar: tape.one(&[Liar::Well, Liar::Plenty, Liar::Well, Liar::Bad]),
            impatient: tape.happens(100),
            silent: tape.happens(100),
        }
    }
}
