//! Exit codes: 0 done, 1 it failed, 2 wrong usage or configuration, 3 rolled back, 4 waiting. Which of them an error
//! is, is decided here and nowhere else.

use std::process::ExitCode;

use autodevops_bundle::{BundleError, lock::LockFileError};
use autodevops_config::ConfigError;
use autodevops_orchestrator::{
    catalog::{Misgranted, Unanswered},
    limits::Waits,
    usage::is_misuse,
};
use autodevops_people::Nobody;

/// Wrong usage or configuration: the arguments' parser ends with it, too.
pub const USAGE: u8 = 2;
/// The fix was taken back.
pub const ROLLED_BACK: u8 = 3;
/// A person is needed.
pub const WAITING: u8 = 4;

/// The code of an error: of wrong usage where that is among its causes, of waiting where the loop may not start a run now.
pub fn code(error: &anyhow::Error) -> ExitCode {
    if is_usage(error) {
        ExitCode::from(USAGE)
    } else if error.chain().any(|cause| cause.is::<Waits>()) {
        ExitCode::from(WAITING)
    } else {
        ExitCode::FAILURE
    }
}

/// Whether what was asked for or configured cannot be meant, so that the same again would end the same.
fn is_usage(error: &anyhow::Error) -> bool {
    is_misuse(error)
        || error.chain().any(|cause| {
            cause.is::<ConfigError>()
                || cause.is::<BundleError>()
                || cause.is::<LockFileError>()
                || cause.is::<Unanswered>()
                || cause.is::<Misgranted>()
                || cause.is::<Nobody>()
        })
}

#[cfg(test)]
mod tests {
    use anyhow::{Context, anyhow};
    use autodevops_pipeline::Refused;

    use super::*;
    use crate::output::Usage;

    #[test]
    fn wrong_usage_is_told_apart_however_much_is_said_around_it() {
        let usage = || anyhow!(Usage("there is no run `x`".into()));
        let bundle = BundleError::NotFound { name: "x".into(), searched: Vec::new(), hint: String::new() };
        for (error, wrong) in [
            (usage(), true),
            (usage().context("the stage `check` is to be served by it"), true),
            (anyhow!(bundle), true),
            (anyhow!(Refused::SkipWithoutReason), true),
            (anyhow!(Refused::BypassWithoutReason), true),
            (anyhow!(Refused::NoSpan), true),
            (anyhow!(Refused::AlreadyAcknowledged { by: "ada".into() }), false),
            (Err::<(), _>(std::io::Error::other("no space")).context("the journal").unwrap_err(), false),
            (anyhow!("the release does not come up"), false),
        ] {
            assert_eq!(is_usage(&error), wrong, "{error:#}");
        }
    }
}
