//! Reviews a change: its size and paths, swallowed errors, removed or weakened tests, new complexity.
//!
//! Only what the change did is judged. JavaScript is judged by its syntax tree, other languages by their words.

mod complexity;
mod leftovers;
mod paths;
mod review;
mod suite;
mod swallowed;
mod weakened;
mod words;

use autodevops_sdk::{
    Check, Result,
    types::{CheckInput, Report},
};
use change::Roots;
pub use review::{Settings, review};

/// The check.
pub struct CodeReview;

impl Check for CodeReview {
    fn run(input: CheckInput) -> Result<Report> {
        let settings = autodevops_sdk::config()?;
        let files = Roots::default().files(&input.changed)?;
        review(&files, &input.tests, input.fix.as_ref(), &settings)
    }
}

autodevops_sdk::export!(check: CodeReview);
