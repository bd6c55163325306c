//! Whose requests they are, where that matters.

use std::ops::Range;

use autodevops_edge::{ClientId, LATENCY_BOUNDS_SECONDS, OfClient, of_many};
use rand::{RngExt as _, rngs::StdRng};

use crate::{
    Shares,
    world::{Behaviour, Observed, some},
};

/// How long each request of a slow client takes, in seconds.
const LONG: f64 = 3.0;

/// Requests by latency; not cumulative.
type Took = [u32; LATENCY_BOUNDS_SECONDS.len() + 1];

/// Who asks: clients stay with a release, so that what one of them sees again and again is not independent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clients {
    /// So many, each of whom asks as often as the others.
    pub number: usize,
    /// The share of them who see nothing but errors, whichever release answers them: an account with old data.
    pub failing: f64,
    /// The share of them each of whose requests takes three seconds, whichever release answers them: an account with much data.
    pub slow: f64,
}

/// What was seen of each client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OfClients {
    /// Requests.
    pub requests: Vec<u64>,
    /// Those of them that failed.
    pub errors: Vec<u64>,
    /// How long they took, where some take longer; none else.
    pub took: Vec<Took>,
}

impl OfClients {
    /// Nothing yet.
    pub(crate) fn none(clients: Clients) -> Self {
        let Clients { number, slow, .. } = clients;
        let took = if slow > 0.0 { vec![Took::default(); number] } else { Vec::new() };
        Self { requests: vec![0; number], errors: vec![0; number], took }
    }
}

/// The clients of a service.
pub(crate) struct Crowd {
    /// Each client's place among the hundredths of the traffic, from the lowest: the candidate's share has the lowest.
    places: Vec<u8>,
    /// Those who see nothing but errors, from the lowest.
    failing: Vec<usize>,
    /// Those whose requests take long, from the lowest; none where nobody's do.
    slow: Option<Vec<usize>>,
}

/// Those of them whom a release answers.
pub(crate) struct Asking<'a> {
    all: Range<usize>,
    failing: &'a [usize],
    slow: Option<&'a [usize]>,
}

impl Crowd {
    pub(crate) fn new(clients: Clients, random: &mut StdRng) -> Self {
        let mut places: Vec<u8> = (0..clients.number).map(|_| random.random_range(0..100)).collect();
        places.sort_unstable();
        let mut some = |share: f64| (0..clients.number).filter(|_| random.random_bool(share.clamp(0.0, 1.0))).collect();
        let failing = some(clients.failing);
        let slow = (clients.slow > 0.0).then(|| some(clients.slow));
        Self { places, failing, slow }
    }

    pub(crate) fn of_candidate(&self, shares: Shares) -> Asking<'_> {
        self.asking(0..self.places.partition_point(|place| *place < shares.candidate))
    }

    pub(crate) fn of_baseline(&self, shares: Shares) -> Asking<'_> {
        let from = 100_u8.saturating_sub(shares.baseline);
        self.asking(self.places.partition_point(|place| *place < from)..self.places.len())
    }

    fn asking(&self, all: Range<usize>) -> Asking<'_> {
        let failing = within(&self.failing, &all);
        let slow = self.slow.as_ref().map(|slow| within(slow, &all));
        Asking { all, failing, slow }
    }
}

/// Those of some clients who are in a range of them.
fn within<'a>(some: &'a [usize], all: &Range<usize>) -> &'a [usize] {
    let before = |end: usize| some.partition_point(|client| *client < end);
    some.get(before(all.start)..before(all.end)).unwrap_or_default()
}

impl Asking<'_> {
    /// Whether it matters whose requests take long: some clients' do, though they may be answered by another release.
    pub(crate) fn any_is_slow(&self) -> bool {
        self.slow.is_some() && !self.all.is_empty()
    }

    /// How long so many requests take: long for those to whom all do, and as the release's for the others. Each is one client's.
    pub(crate) fn take_long(&self, random: &mut StdRng, requests: u64, release: &Behaviour, seen: &mut Observed) {
        let longer = LATENCY_BOUNDS_SECONDS.map(|bound| release.longer(bound));
        let long = LATENCY_BOUNDS_SECONDS.partition_point(|bound| *bound < LONG);
        for _ in 0..requests {
            let client = random.random_range(self.all.clone());
            let chance: f64 = random.random();
            let is_slow = self.slow.is_some_and(|slow| slow.binary_search(&client).is_ok());
            let place = if is_slow { long } else { longer.partition_point(|longer| *longer > chance) };
            if let Some(count) = seen.latency.get_mut(place) {
                *count += 1;
            }
            if let Some(count) = seen.of_clients.took.get_mut(client).and_then(|took| took.get_mut(place)) {
                *count += 1;
            }
        }
    }

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
    /// What the front door tells of how the latencies of a window hang together by client.
    pub(crate) fn latency_effects(&self, from: &OfClients, to: &OfClients) -> Vec<f64> {
        let of = |(to, from): (&Took, &Took)| {
            let mut latency = *to;
            latency.iter_mut().zip(from).for_each(|(to, from)| *to -= from);
            OfClient { latency, ..OfClient::default() }
        };
        let all: Vec<OfClient> = to.took.iter().zip(&from.took).map(of).filter(|of| of.requests() > 0).collect();
        autodevops_edge::latency_effects(&all, self.all.len() as u64)
    }
}
