//! Logs of services that were made to go wrong, each from a seed, with what is wrong with them; and how well that was found.
//!
//! A scenario is a service of its own: its statements, its traffic with its season and noise, its heartbeats, its deploys, and the
//! form of its log. Into most of them one incident is put, into some none. Others are of several services that hang together, or do
//! not; and others still are hard: with minutes of many times the traffic, lost parts, deploys that change how much is logged, and
//! incidents that begin slowly.
//!
//! All these are of one generator. `plant` is another, which shares nothing with it but chance and the scoring, and so is `mill`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod calendar;
mod chain;
mod conditions;
mod form;
mod incident;
mod mill;
mod plant;
mod random;
mod score;
mod service;
mod words;

pub use incident::{Incident, Truth};
pub use random::Random;
pub use score::{Bin, Counts, Found, Score};

use crate::{
    conditions::Conditions,
    service::{Given, Service},
};

/// A log, and what is wrong in it.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What it was made from.
    pub seed: u64,
    /// The names of its sources, and their text.
    pub sources: Vec<(String, String)>,
    /// What is wrong; nothing in some.
    pub truths: Vec<Truth>,
    /// Texts of faults that the service has whatever is wrong: to tell of them is right, and finds nothing.
    pub faults: Vec<String>,
}

/// Makes the scenario of a seed.
pub type Make = fn(u64) -> Scenario;

impl Scenario {
    /// The kinds of scenarios, each with its name.
    pub const KINDS: [(&str, Make); 5] = [
        ("new", Self::new),
        ("hard", Self::hard),
        ("several", Self::of_several),
        ("other", Self::other),
        ("third", Self::third),
    ];

    /// The kind of this name.
    ///
    /// # Errors
    /// Where there is none; the message names those that there are.
    pub fn of_kind(name: &str) -> Result<Make, String> {
        let known = Self::KINDS.iter().find(|(known, _)| *known == name).map(|(_, make)| *make);
        known.ok_or_else(|| {
            let names: Vec<&str> = Self::KINDS.iter().map(|(name, _)| *name).collect();
            format!("`{name}` is no kind of scenarios; there are {}", names.join(", "))
        })
    }

    /// The scenario of a seed: one service.
    pub fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let incident = Incident::any(&mut random);
        Self::of_service(seed, random, incident, Given::default())
    }

    /// The scenario of a seed that is meant to be hard: one service, a shop's or another.
    pub fn hard(seed: u64) -> Self {
        let mut random = Random::apart(seed ^ HARD);
        let incident = Incident::any(&mut random);
        let is_fleet = random.happens(0.7);
        let conditions = Conditions::any(&mut random);
        Self::of_service(seed, random, incident, Given { is_fleet, conditions, ..Given::default() })
    }

    /// The scenario of a seed with several services.
    pub fn of_several(seed: u64) -> Self {
        let mut random = Random::apart(seed ^ SEVERAL);
        let (sources, truths) = chain::any(&mut random);
        Self { seed, sources, truths, faults: words::faults() }
    }

    /// The scenario of a seed by the other generator.
    pub fn other(seed: u64) -> Self {
        let (sources, truths) = plant::logs(&mut Random::apart(seed ^ OTHER));
        Self { seed, sources, truths, faults: plant::faults() }
    }

    /// The scenario of a seed by the third generator.
    pub fn third(seed: u64) -> Self {
        mill::scenario(seed, &mut Random::apart(seed ^ THIRD))
    }

    fn of_service(seed: u64, mut random: Random, incident: Incident, given: Given) -> Self {
        let service = Service::any(&mut random, incident, given);
        let text = service.lines(&mut random).into_iter().map(|(_, line)| line).collect();
        Self {
            seed,
            sources: vec![("app.log".to_owned(), text)],
            truths: service.truth().into_iter().collect(),
            faults: words::faults(),
        }
    }
}

/// Makes other scenarios of the same seeds.
const HARD: u64 = 0x4a61_7264 << 16;
/// See above.
const SEVERAL: u64 = 0x7365_7665 << 16;
/// See above.
const OTHER: u64 = 0x6f74_6865 << 16;
/// See above.
const THIRD: u64 = 0x7468_6972 << 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_log_each_time_and_another_another() {
        for (_, make) in Scenario::KINDS {
            let text = |seed| make(seed).sources;
            assert_eq!(text(7), text(7));
            assert_ne!(text(7), text(8));
        }
    }

    #[test]
    fn a_kind_that_is_not_there_is_an_error_that_names_those_that_are() {
        assert_eq!(Scenario::of_kind("hard").unwrap()(7).sources, Scenario::hard(7).sources);
        let error = Scenario::of_kind("harder").unwrap_err();
        assert_eq!(error, "`harder` is no kind of scenarios; there are new, hard, several, other, third");
    }

    #[test]
    fn every_kind_of_incident_comes_up_and_its_lines_are_there() {
        let mut kinds = std::collections::BTreeSet::new();
        for seed in 0..60 {
            let scenario = Scenario::new(seed);
            kinds.extend(scenario.truths.first().map(|truth| truth.kinds[0]));
            check(&scenario);
        }
        assert!(kinds.len() >= 7, "{kinds:?}");
    }

    /// What is wrong is somewhere in the logs.
    fn check(scenario: &Scenario) {
        for mark in scenario.truths.iter().flat_map(|truth| &truth.marks) {
            let is_there = scenario.sources.iter().any(|(_, text)| text.contains(mark.as_str()));
            assert!(is_there, "{}: `{mark}` is nowhere", scenario.seed);
        }
    }

    #[test]
    fn what_is_wrong_in_hard_logs_and_in_those_of_several_services_is_there() {
        let (mut apart, mut joined) = (0, 0);
        for seed in 0..40 {
            check(&Scenario::hard(seed));
            let scenario = Scenario::of_several(seed);
            check(&scenario);
            assert!(scenario.sources.len() >= 2 && !scenario.truths.is_empty(), "{seed}");
            apart += usize::from(scenario.truths.len() > 1);
            joined += usize::from(scenario.truths.iter().any(|truth| truth.marks.len() > 1));
        }
        assert!(apart >= 5 && joined >= 5, "{apart} {joined}");
    }
}
