//! The cases, by what they go against.

mod memory;
mod time;

use crate::case::Case;

/// All of them.
pub fn all() -> Vec<Case> {
    [time::cases(), memory::cases()].into_iter().flatten().collect()
}
