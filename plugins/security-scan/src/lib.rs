//! Scans what a change adds: secrets, dangerous calls, new dependencies.
//!
//! Only added lines are looked at: what was there before is not this change's doing. A secret is never told, only its kind and
//! place. JavaScript is judged by its syntax tree, other languages by their words.

mod calls;
mod dependencies;
mod scan;
mod secrets;
mod text;

use autodevops_sdk::{
    Check, Result,
    types::{CheckInput, Report},
};
use change::Roots;
pub use scan::{Settings, scan};

/// The check.
pub struct SecurityScan;

impl Check for SecurityScan {
    fn run(input: CheckInput) -> Result<Report> {
        let settings = autodevops_sdk::config()?;
        let files = Roots::default().files(&input.changed)?;
        Ok(scan(&files, &settings, input.fix.is_some()))
    }
}

autodevops_sdk::export!(check: SecurityScan);
