//! How many of its own functions a call has under way at once.
//!
//! A component that is made of several can start a function of one of them beside what goes on already, and each that waits
//! keeps a stack. Stacks come from a pool that all calls share: what one call may hold of it is bounded here, so that no call
//! takes those of others. The pool has room for all that calls may hold together, see `engine`.

/// Most functions of one call that are under way at once. A call of a composed plugin has two or three, and one more while the
/// host has a part make room for what it is given.
pub const MAX_ACTIVATIONS: u32 = 8;

/// The functions of one call that are under way.
#[derive(Debug, Default)]
pub struct Activations(u32);

/// One more was to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "more than {MAX_ACTIVATIONS} of its functions were under way at once; a plugin's parts are to call few others at a time"
)]
pub struct TooManyActivations;

impl Activations {
    /// A function begins.
    ///
    /// # Errors
    /// [`TooManyActivations`]: it does not begin.
    pub const fn enter(&mut self) -> Result<(), TooManyActivations> {
        if self.0 >= MAX_ACTIVATIONS {
            return Err(TooManyActivations);
        }
        self.0 += 1;
        Ok(())
    }

    /// A function has ended.
    pub const fn leave(&mut self) {
        self.0 = self.0.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_begin_as_may_and_one_more_when_one_has_ended() {
        let mut activations = Activations::default();
        for _ in 0..MAX_ACTIVATIONS {
            assert_eq!(activations.enter(), Ok(()));
        }
        assert_eq!(activations.enter(), Err(TooManyActivations));
        activations.leave();
        assert_eq!(activations.enter(), Ok(()));
        assert_eq!(activations.enter(), Err(TooManyActivations));
    }
}
