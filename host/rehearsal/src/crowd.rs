//! Whose requests they are, where that matters.

use std::ops::Range;

use autodevops_edge::{ClientId, of_many};
use rand::{RngExt as _, rngs::StdRng};

use crate::{
    Shares,
    world::{Observed, some},
};

/// Who asks: clients stay with a release, so that what one of them sees again and again is not independent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clients {
    /// So many, each of whom asks as often as the others.
    pub number: usize,
    /// The share of them who see nothing but errors, whichever release answers them: an account with old data.
    pub failing: f64,
}

/// The clients of a service.
pub(crate) struct Crowd {
    /// Each client's place among the hundredths of the traffic, from the lowest: the candidate's share has the lowest.
    places: Vec<u8>,
    /// Those who see nothing but errors, from the lowest.
    failing: Vec<usize>,
}

/// Those of them whom a release answers.
pub(crate) struct Asking<'a> {
    all: Range<usize>,
    failing: &'a [usize],
}

impl Crowd {
    pub(crate) fn new(clients: Clients, random: &mut StdRng) -> Self {
        let mut places: Vec<u8> = (0..clients.number).map(|_| random.random_range(0..100)).collect();
        places.sort_unstable();
        let failing = (0..clients.number).filter(|_| random.random_bool(clients.failing.clamp(0.0, 1.0))).collect();
        Self { places, failing }
    }

    pub(crate) fn of_candidate(&self, shares: Shares) -> Asking<'_> {
        self.asking(0..self.places.partition_point(|place| *place < shares.candidate))
    }

    pub(crate) fn of_baseline(&self, shares: Shares) -> Asking<'_> {
        let from = 100_u8.saturating_sub(shares.baseline);
        self.asking(self.places.partition_point(|place| *place < from)..self.places.len())
    }

    fn asking(&self, all: Range<usize>) -> Asking<'_> {
        let before = |end: usize| self.failing.partition_point(|client| *client < end);
        let failing = self.failing.get(before(all.start)..before(all.end)).unwrap_or_default();
        Asking { all, failing }
    }
}

impl Asking<'_> {
    /// How many of their requests fail: all of those who see nothing but errors, and this share of the others'.
    pub(crate) fn fail(&self, random: &mut StdRng, requests: u64, share: f64, errors_of: &mut [u64]) -> u64 {
        let always = some(random, requests, self.failing.len() as f64 / self.all.len().max(1) as f64);
        let others = some(random, requests.saturating_sub(always), share);
        for n in 0..always + others {
            let client = if n < always {
                self.failing.get(random.random_range(0..self.failing.len())).copied().unwrap_or_default()
            } else if self.all.is_empty() {
                break;
            } else {
                random.random_range(self.all.clone())
            };
            if let Some(errors) = errors_of.get_mut(client) {
                *errors += 1;
            }
        }
        always + others
    }

    /// What the front door counts of the errors in a window, `all` of them.
    pub(crate) fn errors_of_many(&self, from: &Observed, to: &Observed, all: u64) -> u64 {
        let errors = (0..).zip(to.errors_of.iter().zip(&from.errors_of));
        let whose = errors.flat_map(|(client, (to, from))| (*from..*to).map(move |_| ClientId(client)));
        of_many(whose, all, self.all.len() as u64)
    }
}
