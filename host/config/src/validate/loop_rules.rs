//! The limits on the loop, and what is redacted.

use std::time::Duration;

use autodevops_pipeline::Freeze;
use autodevops_policy::{Span, redact::STANDARD, strict_toml::nearest};

use super::{Found, NAME, Part, is_name};
use crate::Config;

pub fn problems(config: &Config, found: &mut Found) {
    let rules = &config.r#loop;
    let caps = [
        ("runs-a-day", rules.runs_a_day.map(Into::into)),
        ("deploys-a-day", rules.deploys_a_day.map(Into::into)),
        ("fix-generator-calls-a-day", rules.fix_generator_calls_a_day.map(Into::into)),
        ("tokens-a-day", rules.tokens_a_day),
    ];
    for (key, cap) in caps {
        if cap == Some(0_u64) {
            let message =
                format!("`{key}` is zero, and nothing would ever be done; write at least 1, or use `autodevops pause`");
            found.add(at!["loop", key], message);
        }
    }
    for (index, freeze) in rules.freeze.iter().enumerate() {
        if !Freeze::knows(&freeze.time_zone) {
            let message = format!(
                "there is no time zone `{}`; write its IANA name, such as \"Europe/Berlin\" or \"UTC\"",
                freeze.time_zone
            );
            found.add(at!["loop", "freeze", index, "time-zone"], message);
        }
        if freeze.freezes().any(|freeze| freeze.never_ends()) {
            found.add(
                at!["loop", "freeze", index, "days"],
                "it begins again before it ends, and nothing would ever come to production; leave a time free, or use `autodevops pause`",
            );
        }
        if freeze.from.0 == 1440 {
            found.add(
                at!["loop", "freeze", index, "from"],
                "a day does not begin at 24:00; write `00:00` of the next day",
            );
        }
    }
    retention(config, found);
    redaction(config, found);
}

/// A day's runs are counted by their events, and a complaint of today may turn a release back.
const LEAST_KEPT: Span = Span(Duration::from_secs(7 * 86_400));

fn retention(config: &Config, found: &mut Found) {
    let rules = &config.retention;
    for (key, age) in [("journal", rules.journal), ("complaints", Some(rules.complaints))] {
        if let Some(age) = age.filter(|age| *age < LEAST_KEPT) {
            found.add(
                at!["retention", key],
                format!("{age} is too short for what still counts; give at least {LEAST_KEPT}"),
            );
        }
    }
}

fn redaction(config: &Config, found: &mut Found) {
    let redaction = &config.redaction;
    for (index, name) in redaction.keep.iter().enumerate() {
        if !STANDARD.contains(&name.as_str()) {
            let hint = match nearest(name, STANDARD) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known are {}", STANDARD.join(", ")),
            };
            found.add(at!["redaction", "keep", index], format!("no standard pattern is named `{name}`; {hint}"));
        }
    }
    for name in redaction.patterns.keys().filter(|name| !is_name(name)) {
        found.add(at!["redaction", "patterns", name.as_str()], format!("the name {name:?} is not taken; {NAME}"));
    }
    if let Err((name, error)) = redaction.redaction() {
        found.add(at!["redaction", "patterns", name.as_str()], error.to_string());
    }
}
