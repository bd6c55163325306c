//! Whether what was written to the logs before was read.

use std::time::{Duration, Instant};

use crate::watch::Read;

/// How long what was written before is read, at the most, before a run begins, or is told of critical errors: of what came first, it is not
/// known yet whether it is worst, or new. A log that is written faster than it is read would keep runs from beginning for ever.
const CATCH_UP: Duration = Duration::from_secs(600);

/// Whether the logs were read to their end once, or for [`CATCH_UP`].
pub(super) struct CaughtUp {
    began: Instant,
    is: bool,
}

impl CaughtUp {
    /// Not yet, since now.
    pub(super) const fn new(began: Instant) -> Self {
        Self { began, is: false }
    }

    /// Whether it is so after a turn of reading; none where the logs could not be read.
    pub(super) fn after(&mut self, read: Option<Read>, now: Instant) -> bool {
        let at_end = matches!(read, Some(Read::Nothing | Read::All));
        self.is |= at_end || now.saturating_duration_since(self.began) >= CATCH_UP;
        self.is
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backlog_is_read_to_its_end_once_or_for_ten_minutes() {
        let began = Instant::now();
        let after = |seconds| began + Duration::from_secs(seconds);
        for end in [Read::Nothing, Read::All] {
            let mut caught_up = CaughtUp::new(began);
            assert!(!caught_up.after(Some(Read::Part), after(1)));
            assert!(!caught_up.after(None, after(2)), "what cannot be read was not");
            assert!(!caught_up.after(Some(Read::Refused), after(2)), "nor what the analyzer is not shown");
            assert!(caught_up.after(Some(end), after(3)));
            assert!(caught_up.after(Some(Read::Part), after(4)), "what comes later is new");
        }
        let mut caught_up = CaughtUp::new(began);
        assert!(!caught_up.after(Some(Read::Part), after(599)));
        assert!(caught_up.after(Some(Read::Part), after(600)));
    }
}
