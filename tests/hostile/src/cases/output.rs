//! What a guest gives back: too much, or no valid value.

use autodevops_policy::Bytes;

use crate::{
    case::{Case, Ending},
    component::Wat,
};

/// All of them.
pub fn cases() -> Vec<Case> {
    vec![]
}
