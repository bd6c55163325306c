//! Who asked how often, whose requests failed, and whose took long: what shows that those come in clumps by client.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::{assign::ClientId, clients::mix, protocol::BUCKETS};

/// Requests that are kept at each level.
const KEPT: usize = 8192;
/// Levels that there are: of half a million requests the last are known by client, of more, the latest.
const LEVELS: usize = 6;
/// In nanoseconds: no window begins or ends within it.
const SLOT: i64 = 100_000_000;

/// The latest requests of all clients, older ones of every second client, still older ones of every fourth, and so on: a sample of clients,
/// not of requests, so that of each of them all is known (Gibbons and Tirthapura, "Distributed streams algorithms for sliding windows", 2002).
/// It has a bounded size, and a request takes two steps in the mean.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Asked {
    /// There is one after a level exactly if that one let go of something.
    levels: Vec<VecDeque<Request>>,
}

/// When it ended, in [`SLOT`]s, whose it was, and how it went.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Request(i64, u32, Went);

/// How a request went: its latency's place among the buckets, and whether it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Noted")]
struct Went(u8);

/// How it is kept; front doors before kept only whether it failed.
#[derive(Deserialize)]
#[serde(untagged)]
enum Noted {
    Failed(bool),
    Went(u8),
}

impl From<Noted> for Went {
    fn from(noted: Noted) -> Self {
        match noted {
            Noted::Failed(is_error) => Self::new(is_error, 0),
            Noted::Went(went) => Self(went),
        }
    }
}

impl Went {
    /// The bit of those that failed.
    const FAILED: u8 = 1 << 7;

    fn new(is_error: bool, place: usize) -> Self {
        let place = u8::try_from(place.min(BUCKETS - 1)).unwrap_or_default();
        Self(if is_error { place | Self::FAILED } else { place })
    }

    const fn is_error(self) -> bool {
        self.0 & Self::FAILED != 0
    }

    fn place(self) -> usize {
        usize::from(self.0 & !Self::FAILED)
    }
}

/// What one client's requests came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct OfClient {
    /// Requests that failed.
    pub errors: u64,
    /// Requests by latency; not cumulative.
    pub latency: [u32; BUCKETS],
}

impl OfClient {
    /// All requests.
    pub fn requests(&self) -> u64 {
        self.latency.iter().map(|count| u64::from(*count)).sum()
    }

    /// How many of so many requests, which are all, took longer than each bucket's bound.
    pub(crate) fn longer(&self, requests: u64) -> [u64; BUCKETS] {
        let mut left = requests;
        self.latency.map(|count| {
            left = left.saturating_sub(u64::from(count));
            left
        })
    }
}

impl Request {
    /// Whether its client is among those that a level knows.
    const fn is_of(&self, level: usize) -> bool {
        self.1.leading_zeros() as usize >= level
    }
}

impl Asked {
    /// Notes a request that ended `now`, in nanoseconds, and whose latency has this place among the buckets.
    pub fn note(&mut self, client: ClientId, is_error: bool, place: usize, now: i64) {
        let went = Went::new(is_error, place);
        let mut request = Request(now.div_euclid(SLOT), (mix(client) >> 32) as u32, went);
        for level in 0..LEVELS {
            if level == self.levels.len() {
                self.levels.push(VecDeque::new());
            }
            let Some(kept) = self.levels.get_mut(level) else { return };
            if level > 0 && !request.is_of(level) {
                return;
            }
            kept.push_back(request);
            if kept.len() <= KEPT {
                return;
            }
            let Some(oldest) = kept.pop_front() else { return };
            request = oldest;
        }
    }

    /// The requests of a sample of clients, all of each, from one moment to another in nanoseconds.
    pub fn within(&self, from: i64, until: i64) -> Vec<Request> {
        let (from, until) = (from.div_euclid(SLOT), until.saturating_sub(1).div_euclid(SLOT));
        let last = self.levels.len().saturating_sub(1);
        let level = (0..last).find(|level| self.since(*level).is_some_and(|since| since < from)).unwrap_or(last);
        let known = self.levels.iter().take(level + 1).flatten();
        known.filter(|request| (from..=until).contains(&request.0) && request.is_of(level)).copied().collect()
    }

    /// Takes in what was noted elsewhere. Each level reaches back as far as both did.
    pub fn absorb(&mut self, mut other: Self) {
        let mut down: Vec<Request> = Vec::new();
        let mut levels = Vec::new();
        for level in 0..LEVELS {
            let since = self.since(level).max(other.since(level));
            let mut all = std::mem::take(&mut down);
            for asked in [&mut *self, &mut other] {
                all.extend(asked.levels.get_mut(level).into_iter().flat_map(std::mem::take));
            }
            all.sort_by_key(|request| request.0);
            let old = since.map_or(0, |since| all.partition_point(|request| request.0 < since));
            let kept = all.split_off(old.max(all.len().saturating_sub(KEPT)));
            let is_over = since.is_some() || !all.is_empty();
            levels.push(kept.into());
            if !is_over {
                break;
            }
            all.retain(|request| request.is_of(level + 1));
            down = all;
        }
        self.levels = levels;
    }

    /// Since when a level knows all of its clients' requests; none where it let go of nothing.
    fn since(&self, level: usize) -> Option<i64> {
        self.levels.get(level + 1)?;
        Some(self.levels.get(level)?.front().map_or(i64::MAX, |request| request.0))
    }
}

/// What the requests of each client came to.
pub fn by_client(requests: &[Request]) -> Vec<OfClient> {
    let mut by_client: BTreeMap<u32, OfClient> = BTreeMap::new();
    for Request(_, client, went) in requests {
        let of = by_client.entry(*client).or_default();
        of.errors += u64::from(went.is_error());
        if let Some(count) = of.latency.get_mut(went.place()) {
            *count = count.saturating_add(1);
        }
    }
    by_client.into_values().collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use autodevops_model::Window;

    use super::*;
    use crate::stats::{Class, Source, Stats};

    const SECOND: i64 = 1_000_000_000;
    /// Some moment at the begin of an interval of every tier.
    const START: i64 = 1_700_000_000 * SECOND;

    /// Requests that one client after the other makes, ten a second.
    fn asked(requests: std::ops::Range<u64>, clients: u64, fails: impl Fn(u64) -> bool) -> Asked {
        let mut asked = Asked::default();
        requests.for_each(|n| asked.note(ClientId(n % clients), fails(n), 0, n as i64 * SLOT));
        asked
    }

    fn at(n: u64) -> i64 {
        n as i64 * SLOT
    }

    /// The errors and the requests of each client.
    fn by_client(asked: &Asked, from: i64, until: i64) -> Vec<(u64, u64)> {
        let all = super::by_client(&asked.within(from, until));
        all.iter().map(|of| (of.errors, of.requests())).collect()
    }

    #[test]
    fn each_clients_requests_and_errors_are_told_within_a_window() {
        let asked = asked(0..100, 4, |n| n % 4 == 1);
        let mut all = by_client(&asked, 0, at(100));
        all.sort_unstable();
        assert_eq!(all, [(0, 25), (0, 25), (0, 25), (25, 25)]);
        let mut some = by_client(&asked, at(1), at(4));
        some.sort_unstable();
        assert_eq!(some, [(0, 1), (0, 1), (1, 1)], "the window's end is not in it");
        assert_eq!(by_client(&asked, at(100), at(200)), []);
        assert_eq!(by_client(&Asked::default(), 0, at(1)), []);
    }

    #[test]
    fn how_long_requests_took_is_told_by_client_and_kept() {
        let mut asked = Asked::default();
        for (client, is_error, place) in [(1, false, 3), (1, true, 14), (2, false, 3), (1, false, 3), (2, true, 99)] {
            asked.note(ClientId(client), is_error, place, 0);
        }
        let kept: Asked = serde_json::from_str(&serde_json::to_string(&asked).unwrap()).unwrap();
        let mut of = super::by_client(&kept.within(0, 1));
        of.sort_unstable_by_key(OfClient::requests);
        let told: Vec<_> = of.iter().map(|of| (of.errors, of.requests(), of.latency[3], of.latency[14])).collect();
        assert_eq!(told, [(1, 2, 1, 1), (1, 3, 2, 1)], "what has no place is the slowest");
    }

    #[test]
    fn what_a_front_door_kept_that_noted_no_latencies_is_read() {
        let asked: Asked = serde_json::from_str("[[[1,7,true],[1,7,false],[2,9,false]]]").unwrap();
        let told: Vec<_> =
            super::by_client(&asked.within(0, 1_000_000_000)).iter().map(|of| (of.errors, of.requests())).collect();
        assert_eq!(told, [(1, 2), (0, 1)]);
    }

    #[test]
    fn memory_is_bounded_whoever_asks() {
        for clients in [1, 1000, u64::MAX] {
            let asked = asked(0..1_000_000, clients, |_| false);
            assert!(asked.levels.len() <= LEVELS, "{}", asked.levels.len());
            assert!(asked.levels.iter().all(|level| level.len() <= KEPT));
        }
        let full = asked(0..1_000_000, u64::MAX, |_| false);
        let kept: usize = full.levels.iter().map(VecDeque::len).sum();
        assert_eq!(kept, KEPT * LEVELS, "a million requests fill all levels");
    }

    #[test]
    fn of_many_requests_a_sample_of_clients_is_known_in_full() {
        let asked = asked(0..200_000, 1000, |n| n % 50 == 7);
        for (window, about) in [(4_000, 1000.0), (20_000, 500.0), (50_000, 250.0), (100_000, 125.0)] {
            let by_client = by_client(&asked, at(200_000 - window), at(200_000));
            let clients = by_client.len() as f64;
            assert!((0.6 * about..=1.5 * about).contains(&clients), "{clients} of the last {window} requests");
            // Each client asks as often as the others, and fails always or never.
            for (errors, requests) in by_client {
                assert!(requests == window / 1000 && (errors == 0 || errors == requests), "{errors} of {requests}");
            }
        }
    }

    #[test]
    fn what_two_noted_is_told_as_if_one_had() {
        let fails = |n| n % 50 == 7;
        let one = asked(0..60_000, 300, fails);
        let mut parts = [Asked::default(), Asked::default()];
        // Shortly both, as in a handover, then the second alone.
        for n in 0..60_000 {
            let part = usize::from(n > 40_000 || (n > 39_000 && n % 3 == 0));
            parts[part].note(ClientId(n % 300), fails(n), 0, at(n));
        }
        let [first, mut second] = parts;
        second.absorb(serde_json::from_str(&serde_json::to_string(&first).unwrap()).unwrap());
        assert!(second.levels.iter().all(|level| level.len() <= KEPT) && second.levels.len() <= LEVELS);
        for from in [59_000, 55_000, 41_000, 30_000, 5_000] {
            let (one, both) = (by_client(&one, at(from), at(60_000)), by_client(&second, at(from), at(60_000)));
            assert!(!one.is_empty() && one == both, "since {from}: {} {}", one.len(), both.len());
        }
    }

    #[test]
    fn errors_of_clients_who_see_nothing_else_weigh_less_and_those_of_all_do_not() {
        let effect = |fails: fn(u64) -> bool| {
            let stats = Stats::new(START);
            for n in 0..3000 {
                let class = if fails(n) { Class::Error } else { Class::Success };
                stats.count(
                    Source::Traffic,
                    class,
                    Duration::ZERO,
                    ClientId(n % 100),
                    START + (n as i64) * SECOND / 10,
                );
            }
            stats
                .observe("r", &Window { start: START, end: START + 300 * SECOND }, START + 300 * SECOND)
                .traffic
                .design_effect
        };
        let clumped = effect(|n| n % 100 < 5).unwrap();
        assert!((29.0..31.0).contains(&clumped), "{clumped}");
        // A twentieth as well, but of anybody's.
        let spread = effect(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) % 20 == 0).unwrap_or(1.0);
        assert!(spread < 1.4, "{spread}");
        assert_eq!(effect(|n| n == 7), None, "a single error is no clump");
    }

    #[test]
    fn only_what_is_asked_for_is_weighed() {
        let stats = Stats::new(START);
        for n in 0..2000_u64 {
            // At first some see nothing but errors, later nobody does.
            let class = if n < 1000 && n % 50 < 3 { Class::Error } else { Class::Success };
            stats.count(Source::Traffic, class, Duration::ZERO, ClientId(n % 50), START + (n as i64) * SECOND / 10);
        }
        let effect = |from: i64, to: i64| {
            let now = START + 200 * SECOND;
            stats
                .observe("r", &Window { start: START + from * SECOND, end: START + to * SECOND }, now)
                .traffic
                .design_effect
        };
        assert!(effect(0, 100).is_some_and(|effect| effect > 15.0), "{:?}", effect(0, 100));
        assert_eq!(effect(100, 200), None);
    }
}
