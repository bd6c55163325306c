//! Whose requests they are, where that matters.

use std::ops::Range;

use autodevops_edge::{ClientId, of_many};
use rand::{RngExt as _, rngs::StdRng};

use crate::{Shares, world::some};

/// Who asks: clients stay with a release, so that what one of them sees again and again is not independent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clients {
    /// So many, each of whom asks as often as the others.
    pub number: usize,
    /// The share of them who see nothing but errors, whichever release answers them: an account with old data.
    pub failing: f64,
}

/// What was seen of each client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OfClients {
    /// Requests.
    pub requests: Vec<u64>,
    /// Those of them that failed.
    pub errors: Vec<u64>,
}

impl OfClients {
    /// Nothing yet, of so many.
    pub(crate) fn none(number: usize) -> Self {
        Self { requests: vec![0; number], errors: vec![0; number] }
    }
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
    /// How many of so many requests fail: all of those who see nothing but errors, and this share of the others'. Each is one client's.
    pub(crate) fn fail(&self, random: &mut StdRng, requests: u64, share: f64, seen: &mut OfClients) -> u64 {
        if self.all.is_empty() {
            return some(random, requests, share);
        }
        let mut failed = 0;
        for _ in 0..requests {
            let client = random.random_range(self.all.clone());
            let fails =
                self.failing.binary_search(&client).is_ok() || (share > 0.0 && random.random_bool(share.min(1.0)));
            failed += u64::from(fails);
            for (counts, more) in [(&mut seen.requests, 1), (&mut seen.errors, u64::from(fails))] {
                if let Some(count) = counts.get_mut(client) {
                    *count += more;
                }
            }
        }
        failed
    }

    /// What the front door tells of the errors in a window, `all` of them: how many count, and their design effect.
    pub(crate) fn of_many(&self, from: &OfClients, to: &OfClients, all: u64) -> (u64, Option<f64>) {
        let within =
            |from: &[u64], to: &[u64]| -> Vec<u64> { to.iter().zip(from).map(|(to, from)| to - from).collect() };
        let (errors, requests) = (within(&from.errors, &to.errors), within(&from.requests, &to.requests));
        let whose = (0..).zip(&errors).flat_map(|(client, errors)| (0..*errors).map(move |_| ClientId(client)));
        let counted = of_many(whose, all, self.all.len() as u64);
        let by_client: Vec<(u64, u64)> =
            errors.into_iter().zip(requests).filter(|(_, requests)| *requests > 0).collect();
        (counted.errors, counted.design_effect(&by_client).filter(|_| all > 1))
    }
}
