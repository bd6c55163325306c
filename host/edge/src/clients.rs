//! Whose errors count: clients stay with a release, so that what one of them sees again and again is not independent, and may be its own
//! doing. What many see is the release's.

use std::collections::BTreeMap;

use autodevops_statistics::{Cluster, design_effect, design_effect_of_mean};
use serde::{Deserialize, Serialize};

use crate::{asked::OfClient, assign::ClientId, protocol::BUCKETS};

/// Clients that are kept; where there are more, every second, fourth and so on is.
const MAX_KEPT: usize = 1024;
/// Errors of one client that count in any case.
const ALWAYS: u64 = 3;
/// One client in so many is a share of clients whose errors may be their own doing, but at least [`LEAST_ODD`] clients are.
const ODD_IN: u64 = 100;
/// See [`ODD_IN`].
const LEAST_ODD: u64 = 2;
/// Fewer clients than these are few.
const FEW: usize = 10;
/// A smaller design effect is none: of requests that are independent it comes to that by chance, and it would change no decision.
const LEAST_EFFECT: f64 = 1.1;

/// When clients were seen last, of a sample of them that has a bounded size: those whose ids, mixed, begin with as many zeros as the level
/// says (Gibbons, "Distinct sampling for highly-accurate answers to distinct values queries and event reports", 2001).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Clients {
    level: u32,
    last: BTreeMap<u64, i64>,
}

impl Clients {
    /// Notes that a client was seen `now`, in nanoseconds.
    pub fn see(&mut self, client: ClientId, now: i64) {
        let mixed = mix(client);
        if mixed.leading_zeros() < self.level {
            return;
        }
        self.last.entry(mixed).and_modify(|last| *last = now.max(*last)).or_insert(now);
        self.shrink();
    }

    /// Takes in what was noted elsewhere.
    pub fn absorb(&mut self, other: Self) {
        self.level = self.level.max(other.level);
        for (mixed, at) in other.last {
            self.last.entry(mixed).and_modify(|last| *last = at.max(*last)).or_insert(at);
        }
        self.last.retain(|mixed, _| mixed.leading_zeros() >= self.level);
        self.shrink();
    }

    /// About how many clients were seen since then.
    pub fn since(&self, start: i64) -> u64 {
        let kept = self.last.values().filter(|last| **last >= start).count() as u64;
        kept.checked_shl(self.level).unwrap_or(u64::MAX)
    }

    fn shrink(&mut self) {
        while self.last.len() > MAX_KEPT {
            self.level += 1;
            self.last.retain(|mixed, _| mixed.leading_zeros() >= self.level);
        }
    }
}

/// Spreads ids, which clients may choose: the finalizer of SplitMix64.
pub const fn mix(ClientId(id): ClientId) -> u64 {
    let id = (id ^ (id >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let id = (id ^ (id >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    id ^ (id >> 31)
}

/// A release's errors, of which a few clients' count in part: see [`of_many`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OfMany {
    /// So many count.
    pub errors: u64,
    /// No more than so many of one client do.
    most: u64,
    /// Clients that the release has.
    clients: u64,
}

/// Counts a release's errors so that a few clients cannot make a trend: of the hundredth part of its `clients` that has most errors, and of two
/// clients at least, each counts no more of them than the next client has, or three: winsorizing (Tukey, "The future of data analysis", 1962).
/// `whose` names the client of each error that was kept; where `all` errors are more than those, the counts are scaled up.
pub fn of_many(whose: impl Iterator<Item = ClientId>, all: u64, clients: u64) -> OfMany {
    let mut by_client: BTreeMap<ClientId, u64> = BTreeMap::new();
    whose.for_each(|client| *by_client.entry(client).or_default() += 1);
    let mut errors: Vec<u64> = by_client.into_values().collect();
    errors.sort_unstable_by(|a, b| b.cmp(a));
    let odd = clients.div_ceil(ODD_IN).max(LEAST_ODD);
    let most = usize::try_from(odd).ok().and_then(|odd| errors.get(odd)).copied().unwrap_or_default().max(ALWAYS);
    let kept: u64 = errors.iter().sum();
    let counted: u64 = errors.iter().map(|errors| (*errors).min(most)).sum();
    if all <= kept || kept == 0 {
        return OfMany { errors: counted, most, clients };
    }
    let of_all = |count: u64| u64::try_from(u128::from(all) * u128::from(count) / u128::from(kept)).unwrap_or(all);
    OfMany { errors: of_all(counted), most: of_all(most), clients }
}

impl OfMany {
    /// The design effect of the errors that count: how many times more they vary than independent ones would. `by_client` has the errors and
    /// the requests of each client of a sample. None below [`LEAST_EFFECT`]: they are as good as independent.
    ///
    /// Of two clients or one, each of whose errors may be its own doing, nobody can tell, nor of fewer than ten who see nothing else: there each
    /// client weighs as one request.
    pub fn design_effect(&self, by_client: &[(u64, u64)]) -> Option<f64> {
        let requests: u64 = by_client.iter().map(|(_, requests)| requests).sum();
        let is_cut = by_client.iter().any(|(errors, _)| *errors > self.most);
        let effect = if is_cut && self.clients <= LEAST_ODD {
            requests as f64 / by_client.len().max(1) as f64
        } else if by_client.iter().all(|(_, requests)| *requests == 1) {
            1.0
        } else if by_client.len() < FEW && by_client.iter().all(|(errors, requests)| errors == requests) {
            // Nobody is there for whom it works.
            requests as f64 / by_client.len().max(1) as f64
        } else {
            design_effect(by_client.iter().map(|(errors, requests)| ((*errors).min(self.most), *requests)))?
        };
        (effect >= LEAST_EFFECT).then_some(effect)
    }
}

/// The design effects of latencies by client: how many times more they vary than they would if each request took as long as it does
/// independently of whose it is. One for each of [`LATENCY_BOUNDS_SECONDS`](crate::LATENCY_BOUNDS_SECONDS), of the share of requests that take
/// longer; the last is that of their mean rank (Bross, "How to use ridit analysis", 1958), which is what tests by ranks compare. 1 where they are as good
/// as independent; empty where all are. `clients` are all that the release has: of two or one, each of whom may be slow by itself, nobody can
/// tell, so that each weighs as one request.
pub fn latency_effects(by_client: &[OfClient], clients: u64) -> Vec<f64> {
    let requests: Vec<u64> = by_client.iter().map(OfClient::requests).collect();
    if requests.iter().all(|requests| *requests <= 1) {
        return Vec::new();
    }
    if clients <= LEAST_ODD {
        return vec![requests.iter().sum::<u64>() as f64 / requests.len().max(1) as f64; BUCKETS];
    }
    let mut all = [0_u64; BUCKETS];
    for of in by_client {
        all.iter_mut().zip(of.latency).for_each(|(sum, count)| *sum += u64::from(count));
    }
    // How many of each client's took longer than each bound.
    let longer: Vec<[u64; BUCKETS]> =
        by_client.iter().zip(&requests).map(|(of, requests)| of.longer(*requests)).collect();
    let of_bound = |place: usize| longer.iter().filter_map(move |longer| longer.get(place).copied());
    let shares = (0..BUCKETS - 1).map(|place| design_effect(of_bound(place).zip(requests.iter().copied())));
    // Twice the rank that requests of a bucket have in the mean.
    let mut below = 0;
    let ranks = all.map(|count| {
        let rank = (2 * below + count) as f64;
        below += count;
        rank
    });
    let ranked = |of: &OfClient| {
        let counts = || of.latency.iter().map(|count| f64::from(*count)).zip(ranks);
        Cluster {
            sum: counts().map(|(count, rank)| count * rank).sum(),
            squares: counts().map(|(count, rank)| count * rank * rank).sum(),
            number: counts().map(|(count, _)| count).sum(),
        }
    };
    let of_ranks = design_effect_of_mean(by_client.iter().map(ranked));
    let effects = shares.chain([of_ranks]).map(|effect| effect.filter(|effect| *effect >= LEAST_EFFECT).unwrap_or(1.0));
    let effects: Vec<f64> = effects.collect();
    if effects.iter().any(|effect| *effect > 1.0) { effects } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Errors of so many clients each, for each pair.
    fn whose(counts: &[(u64, u64)]) -> Vec<ClientId> {
        let mut next = 0;
        let mut all = Vec::new();
        for (clients, errors) in counts {
            for _ in 0..*clients {
                next += 1;
                all.extend((0..*errors).map(|_| ClientId(next)));
            }
        }
        all
    }

    fn counted(counts: &[(u64, u64)], clients: u64) -> u64 {
        let whose = whose(counts);
        let all = whose.len() as u64;
        of_many(whose.into_iter(), all, clients).errors
    }

    #[test]
    fn what_many_clients_see_counts_in_full_and_what_a_few_see_does_not() {
        for (what, counts, clients, expected) in [
            ("three of each always do", &[(1, 3), (4, 2)][..], 400, 11),
            ("one that asks again and again", &[(1, 300)], 400, 3),
            ("two", &[(2, 300)], 400, 6),
            ("four of four hundred", &[(4, 300), (9, 1)], 400, 21),
            ("five of four hundred", &[(5, 300)], 400, 1500),
            ("each of four hundred, for long", &[(400, 50)], 400, 20_000),
            ("each of three, who are all that there are", &[(3, 200)], 3, 600),
            ("one of those", &[(1, 200)], 3, 3),
            ("all of twenty customers among a thousand who look only", &[(20, 250)], 1020, 5000),
            ("a bot among clients who see an error now and then", &[(1, 1000), (80, 1)], 400, 83),
        ] {
            assert_eq!(counted(counts, clients), expected, "{what}");
        }
    }

    #[test]
    fn errors_that_were_not_kept_are_like_those_that_were() {
        let kept = whose(&[(100, 10)]);
        assert_eq!(of_many(kept.into_iter(), 50_000, 400).errors, 50_000);
        let kept = whose(&[(1, 997), (1, 3)]);
        assert_eq!(of_many(kept.into_iter(), 10_000, 400).errors, 60);
        assert_eq!(of_many(std::iter::empty(), 5, 400).errors, 0);
    }

    #[test]
    fn clients_are_counted_in_bounded_memory() {
        let mut clients = Clients::default();
        for number in 0..100_000 {
            clients.see(ClientId(number), if number < 50_000 { 1 } else { 2 });
            assert!(clients.last.len() <= MAX_KEPT);
        }
        for (since, expected) in [(1, 100_000.0), (2, 50_000.0), (3, 0.0)] {
            let seen = clients.since(since) as f64;
            assert!((seen - expected).abs() <= 0.15 * expected, "{seen} since {since}");
        }
    }

    #[test]
    fn the_same_client_is_one_wherever_it_was_seen() {
        let (mut first, mut second) = (Clients::default(), Clients::default());
        (0..3000).for_each(|number| first.see(ClientId(number), 1));
        (0..500).for_each(|number| second.see(ClientId(number), 2));
        let alone = first.since(0);
        second.absorb(serde_json::from_str(&serde_json::to_string(&first).unwrap()).unwrap());
        assert_eq!(second.since(0), alone);
        let again = second.since(2) as f64;
        assert!((350.0..650.0).contains(&again), "{again}");
    }

    /// The design effect of clients of whom each pair is so many with so many errors of so many requests.
    fn effect(clients: &[(usize, u64, u64)]) -> Option<f64> {
        let by_client: Vec<(u64, u64)> = clients
            .iter()
            .flat_map(|(clients, errors, requests)| std::iter::repeat_n((*errors, *requests), *clients))
            .collect();
        let whose = (0..).zip(&by_client).flat_map(|(n, (errors, _))| (0..*errors).map(move |_| ClientId(n)));
        let all = by_client.iter().map(|(errors, _)| errors).sum();
        of_many(whose, all, by_client.len() as u64).design_effect(&by_client)
    }

    #[test]
    fn errors_of_the_same_clients_weigh_less_and_independent_ones_do_not() {
        // Of each pair by hand: clients/(clients - 1) × squares of what each has beyond its share / (requests × share × (1 - share)).
        let five_of_a_hundred =
            100.0 / 99.0 * (5.0 * 28.5_f64.powi(2) + 95.0 * 1.5_f64.powi(2)) / (3000.0 * 0.05 * 0.95);
        for (what, clients, expected) in [
            ("each asks once", &[(10, 1, 1), (90, 0, 1)][..], None),
            ("an error of each", &[(100, 1, 30)], None),
            ("as many as by chance", &[(74, 0, 30), (22, 1, 30), (4, 2, 30)], None),
            ("five see nothing else", &[(5, 30, 30), (95, 0, 30)], Some(five_of_a_hundred)),
            ("all see nothing else", &[(20, 30, 30)], None),
            ("all of nine see nothing else", &[(9, 30, 30)], Some(30.0)),
            (
                "one of three: nobody knows whose doing it is, but three of his count",
                &[(1, 30, 30), (2, 0, 30)],
                Some(3.10),
            ),
            ("all that there are, two", &[(2, 10, 40)], Some(40.0)),
            ("one alone", &[(1, 10, 40)], Some(40.0)),
            ("one alone, who sees no more than counts in any case", &[(1, 3, 40)], None),
        ] {
            match (effect(clients), expected) {
                (None, None) => {}
                (Some(effect), Some(expected)) => assert!((effect - expected).abs() < 0.01, "{what}: {effect}"),
                (effect, _) => panic!("{what}: {effect:?}"),
            }
        }
    }

    /// So many clients each with so many requests in the first bucket, and in the one of 5 s.
    fn took(clients: &[(usize, u32, u32)]) -> Vec<OfClient> {
        let of = |quick: u32, slow: u32| {
            let mut of = OfClient::default();
            (of.latency[0], of.latency[11]) = (quick, slow);
            of
        };
        clients.iter().flat_map(|(number, quick, slow)| std::iter::repeat_n(of(*quick, *slow), *number)).collect()
    }

    #[test]
    fn requests_of_the_same_clients_that_take_long_weigh_less_and_those_of_all_do_not() {
        // Two of twenty that have thirty each, as of errors: 600/19 by hand; of two values the ranks are as good as the shares.
        let effects = latency_effects(&took(&[(2, 0, 30), (18, 30, 0)]), 20);
        assert_eq!(effects.len(), BUCKETS);
        let clumped = 600.0 / 19.0;
        for (place, effect) in effects.iter().enumerate() {
            // Beyond five seconds nobody is.
            let expected = if (11..BUCKETS - 1).contains(&place) { 1.0 } else { clumped };
            assert!((effect - expected).abs() < 1e-9, "{place}: {effect}");
        }
        for (what, clients) in [
            ("each asks once", &[(50, 1, 0), (5, 0, 1)][..]),
            ("nobody", &[]),
            ("all are quick", &[(20, 30, 0)]),
            ("all take as long as each other", &[(20, 28, 2)]),
        ] {
            assert_eq!(latency_effects(&took(clients), 55), [0.0; 0], "{what}");
        }
        for clients in [&[(1, 0, 30)][..], &[(1, 20, 10), (1, 0, 30)]] {
            assert_eq!(latency_effects(&took(clients), clients.len() as u64), [30.0; BUCKETS], "nobody can tell");
        }
    }

    proptest! {
        #[test]
        fn no_more_errors_count_than_there_are(counts in prop::collection::vec((0u64..6, 0u64..20), 0..6), clients in 0u64..2000) {
            let all = whose(&counts).len() as u64;
            let least: u64 = counts.iter().map(|(clients, errors)| clients * (*errors).min(ALWAYS)).sum();
            prop_assert!((least..=all).contains(&counted(&counts, clients)));
        }
    }
}
