//! Logs of services that were made to go wrong, each from a seed, with what is wrong with them; and how well that was found.
//!
//! A scenario is a service of its own: its statements, its traffic with its season and noise, its heartbeats, its deploys, and the
//! form of its log. Into most of them one incident is put, into some none.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod form;
mod incident;
mod random;
mod score;
mod service;

pub use incident::{Incident, Truth};
pub use random::Random;
pub use score::{Bin, Found, Score};

use crate::service::Service;

/// A log, and what is wrong in it.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What it was made from.
    pub seed: u64,
    /// The names of its sources, and their text.
    pub sources: Vec<(String, String)>,
    /// What is wrong; none in some.
    pub truth: Option<Truth>,
}

impl Scenario {
    /// The scenario of a seed.
    pub fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let incident = Incident::any(&mut random);
        let service = Service::any(&mut random, incident);
        let (sources, truth) = service.log(&mut random);
        Self { seed, sources, truth }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_log_each_time_and_another_another() {
        let text = |seed| Scenario::new(seed).sources;
        assert_eq!(text(7), text(7));
        assert_ne!(text(7), text(8));
    }

    #[test]
    fn every_kind_of_incident_comes_up_and_its_lines_are_there() {
        let mut kinds = std::collections::BTreeSet::new();
        for seed in 0..60 {
            let scenario = Scenario::new(seed);
            let Some(truth) = &scenario.truth else {
                kinds.insert("none");
                continue;
            };
            kinds.insert(truth.kinds[0]);
            assert!(
                scenario.sources.iter().any(|(_, text)| text.contains(&truth.mark)),
                "{seed}: `{}` is nowhere",
                truth.mark
            );
        }
        assert!(kinds.len() >= 7, "{kinds:?}");
    }
}
