//! Against what SciPy computes, and what must hold whatever is seen.

use proptest::prelude::*;
use serde::Deserialize;

use crate::*;

#[derive(Deserialize)]
struct Fixtures {
    wilson: Vec<Wilson>,
    tail: Vec<Tail>,
    two_proportions: Vec<Two>,
    mann_whitney: Vec<Ranks>,
    histograms: Vec<Histograms>,
    sprt: Vec<Ratio>,
    holm: Vec<Family>,
    normal: Vec<Quantile>,
}

#[derive(Deserialize)]
struct Wilson {
    events: u64,
    total: u64,
    confidence: f64,
    lower: f64,
    upper: f64,
}

#[derive(Deserialize)]
struct Tail {
    events: u64,
    total: u64,
    p: f64,
    chance: f64,
}

#[derive(Deserialize)]
struct Two {
    first: (u64, u64),
    second: (u64, u64),
    z: f64,
    chance: f64,
    fisher: f64,
}

#[derive(Deserialize)]
struct Ranks {
    first: Vec<f64>,
    second: Vec<f64>,
    u: f64,
    chance: f64,
    shift: f64,
    lower: Option<f64>,
    upper: Option<f64>,
}

#[derive(Deserialize)]
struct Histograms {
    bounds: Vec<f64>,
    first: Vec<u64>,
    second: Vec<u64>,
    u: f64,
    chance: f64,
}

#[derive(Deserialize)]
struct Ratio {
    low: f64,
    high: f64,
    events: u64,
    total: u64,
    evidence: f64,
}

#[derive(Deserialize)]
struct Family {
    chances: Vec<f64>,
    small: Vec<bool>,
}

#[derive(Deserialize)]
struct Quantile {
    confidence: f64,
    z: f64,
    tail: f64,
}

fn fixtures() -> Fixtures {
    serde_json::from_str(include_str!("../fixtures/scipy.json")).unwrap()
}

/// Equal to so many digits, or both as good as zero.
fn close(ours: f64, theirs: f64, digits: i32) -> bool {
    let scale = ours.abs().max(theirs.abs());
    scale < 1e-250 || (ours - theirs).abs() <= scale * 10_f64.powi(-digits)
}

#[test]
fn quantiles_are_scipys() {
    for Quantile { confidence, z, tail } in fixtures().normal {
        assert!((quantile(confidence) - z).abs() < 1e-9 * z.abs().max(1.0), "{confidence}: {}", quantile(confidence));
        assert!(close(upper_tail(z), tail, 9), "{z}: {}", upper_tail(z));
    }
    assert_eq!((quantile(1.0), quantile(0.0)), (f64::INFINITY, f64::NEG_INFINITY));
}

#[test]
fn wilsons_bounds_are_scipys() {
    for Wilson { events, total, confidence, lower, upper } in fixtures().wilson {
        let share = Share::new(events, total);
        assert!((share.wilson_lower(confidence) - lower).abs() < 1e-10, "{share:?} {lower}");
        assert!((share.wilson_upper(confidence) - upper).abs() < 1e-10, "{share:?} {upper}");
    }
    let nothing = Share::new(0, 0);
    assert_eq!((nothing.wilson_lower(0.99), nothing.wilson_upper(0.99)), (0.0, 1.0));
}

#[test]
fn tails_are_scipys_up_to_a_million() {
    for Tail { events, total, p, chance } in fixtures().tail {
        let ours = Share::new(events, total).tail(p);
        assert!(close(ours, chance, 7) || (ours - chance).abs() < 1e-12, "{events} of {total} at {p}: {ours} {chance}");
    }
}

#[test]
fn the_tests_of_two_shares_are_scipys() {
    for Two { first, second, z, chance, fisher: exact } in fixtures().two_proportions {
        let (first, second) = (Share::new(first.0, first.1), Share::new(second.0, second.1));
        let ours = two_proportions(first, second).unwrap();
        assert!((ours.z - z).abs() < 1e-9, "{first:?} {second:?} {} {z}", ours.z);
        assert!(close(ours.chance, chance, 7), "{} {chance}", ours.chance);
        assert!(close(fisher(first, second), exact, 7), "{first:?} {second:?}: {} {exact}", fisher(first, second));
    }
    assert_eq!(two_proportions(Share::new(0, 9), Share::new(0, 9)), None);
    assert_eq!(fisher(Share::new(0, 0), Share::new(3, 9)), 1.0);
}

#[test]
fn one_error_of_few_is_no_difference_by_the_exact_test_though_it_is_by_the_other() {
    let (first, second) = (Share::new(1, 20), Share::new(0, 1000));
    assert!(two_proportions(first, second).unwrap().chance < 1e-9);
    assert!(fisher(first, second) > 0.019);
}

/// Litters of rats, how many of each live: Weil's, as in table 1 of Rao and Scott.
const CONTROL: [(u64, u64); 16] = [
    (13, 13),
    (12, 12),
    (9, 9),
    (9, 9),
    (8, 8),
    (8, 8),
    (12, 13),
    (11, 12),
    (9, 10),
    (9, 10),
    (8, 9),
    (11, 13),
    (4, 5),
    (5, 7),
    (7, 10),
    (7, 10),
];
const TREATED: [(u64, u64); 16] = [
    (12, 12),
    (11, 11),
    (10, 10),
    (9, 9),
    (10, 11),
    (9, 10),
    (9, 10),
    (8, 9),
    (8, 9),
    (4, 5),
    (7, 9),
    (4, 7),
    (5, 10),
    (3, 6),
    (3, 10),
    (0, 7),
];

#[test]
fn design_effects_are_those_that_were_published() {
    for (litters, published) in [(CONTROL, 1.232_495), (TREATED, 3.952_861)] {
        let ours = design_effect(litters).unwrap();
        assert!((ours - published).abs() < 1e-6, "{ours} {published}");
    }
}

#[test]
fn clusters_that_fail_wholly_or_not_at_all_weigh_about_as_one_each() {
    // Two of twenty that have thirty each: 60 of 600, and by hand 20/19 × (2 × 27² + 18 × 3²) / (600 × 0.1 × 0.9) = 600/19.
    let effect = design_effect((0..20).map(|n| (if n < 2 { 30 } else { 0 }, 30))).unwrap();
    assert!((effect - 600.0 / 19.0).abs() < 1e-9, "{effect}");
    assert_eq!(Share::new(60, 600).weighed(effect), Share::new(2, 19));
    // A tenth of each: they hang together less than by chance.
    assert!(design_effect((0..20).map(|_| (3, 30))).is_some_and(|effect| effect < 1e-9));
}

#[test]
fn means_of_values_have_a_design_effect_as_shares_have() {
    let cluster = |values: &[f64]| Cluster {
        sum: values.iter().sum(),
        squares: values.iter().map(|value| value * value).sum(),
        number: values.len() as f64,
    };
    let of = |clusters: &[&[f64]]| design_effect_of_mean(clusters.iter().map(|values| cluster(values)));
    // By hand: the mean is 2.5, what the clusters have beyond their share is ±2, and the values' squares from the mean are 5 together.
    assert_eq!(of(&[&[1.0, 2.0], &[3.0, 4.0]]), Some(2.0 * 8.0 / 5.0));
    assert_eq!(of(&[&[1.0, 4.0], &[2.0, 3.0]]), Some(0.0));
    let nones: [&[&[f64]]; 4] = [&[], &[&[1.0, 2.0]], &[&[0.1, 0.1, 0.1], &[0.1, 0.1]], &[&[], &[]]];
    for none in nones {
        assert_eq!(of(none), None, "{none:?}");
    }
}

#[test]
fn what_has_no_design_effect_weighs_as_it_is() {
    for clusters in [&[][..], &[(3, 10)], &[(0, 10), (0, 20)], &[(10, 10), (20, 20)]] {
        assert_eq!(design_effect(clusters.iter().copied()), None, "{clusters:?}");
    }
    for effect in [0.0, 0.5, 1.0, f64::NAN, f64::NEG_INFINITY] {
        assert_eq!(Share::new(12, 400).weighed(effect), Share::new(12, 400), "{effect}");
    }
    assert_eq!(Share::new(12, 400).weighed(3.1), Share::new(4, 129));
    assert_eq!(Share::new(12, 400).weighed(f64::INFINITY), Share::new(0, 0));
}

#[test]
fn ranks_and_shifts_of_values_are_scipys() {
    for fixture in fixtures().mann_whitney {
        let [first, second] = [&fixture.first, &fixture.second].map(|values| Distribution::of_values(values.clone()));
        let test = mann_whitney(&first, &second).unwrap();
        assert_eq!(test.u, fixture.u);
        assert!(close(test.chance, fixture.chance, 9), "{} {}", test.chance, fixture.chance);
        let shift = shift(&first, &second, 0.99).unwrap();
        assert!((shift.estimate - fixture.shift).abs() < 1e-12, "{shift:?} {}", fixture.shift);
        assert_eq!(shift.lower, fixture.lower.unwrap_or(f64::NEG_INFINITY));
        assert_eq!(shift.upper, fixture.upper.unwrap_or(f64::INFINITY));
    }
}

#[test]
fn ranks_of_histograms_are_scipys() {
    for fixture in fixtures().histograms {
        let bounds = || fixture.bounds.iter().copied().chain([f64::INFINITY]);
        let first = Distribution::of_cumulative(bounds().zip(fixture.first.iter().copied()));
        let second = Distribution::of_cumulative(bounds().zip(fixture.second.iter().copied()));
        let test = mann_whitney(&first, &second).unwrap();
        assert!(close(test.u, fixture.u, 12) && close(test.chance, fixture.chance, 9), "{test:?}");
    }
}

#[test]
fn the_evidence_of_a_sequence_is_scipys() {
    for Ratio { low, high, events, total, evidence } in fixtures().sprt {
        let course = Sprt::new(low, high, 0.01, 0.05).unwrap().course(Share::new(events, total));
        assert!((course.evidence - evidence).abs() < 1e-9, "{course:?} {evidence}");
        // Wald's boundaries.
        assert!((course.high_at - (0.95_f64 / 0.01).ln()).abs() < 1e-12);
        assert!((course.low_at - (0.05_f64 / 0.99).ln()).abs() < 1e-12);
    }
}

#[test]
fn the_sequential_test_of_a_threshold_of_five_per_cent_decides_near_four() {
    let test = Sprt::new(0.02, 0.08, 0.002, 0.05).unwrap();
    assert!((test.balance() - 0.0436).abs() < 0.0001, "{}", test.balance());
    assert_eq!(test.course(Share::new(0, 48)).decision, Decision::Low);
    assert_eq!(test.course(Share::new(0, 47)).decision, Decision::Open);
    assert_eq!(test.course(Share::new(5, 5)).decision, Decision::High);
    assert_eq!(test.course(Share::new(4, 4)).decision, Decision::Open, "no four of four are enough");
}

#[test]
fn holms_rule_is_the_published_one() {
    for Family { chances, small } in fixtures().holm {
        assert_eq!(holm(&chances, 0.05), small, "{chances:?}");
    }
    assert_eq!(bonferroni(0.05, 0), 0.05);
    assert_eq!(holm(&[f64::NAN, 0.001], 0.05), [false, true]);
}

#[test]
fn a_test_that_cannot_be_is_refused() {
    assert_eq!(Sprt::new(0.08, 0.02, 0.01, 0.05), Err(BadSprt::Rates(0.08, 0.02)));
    assert_eq!(Sprt::new(0.3, 1.2, 0.01, 0.05), Err(BadSprt::Rates(0.3, 1.2)));
    assert_eq!(Sprt::new(0.02, 0.08, 0.0, 0.05), Err(BadSprt::Chances(0.0, 0.05)));
    assert!(matches!(Sprt::new(f64::NAN, 0.08, 0.1, 0.05), Err(BadSprt::Rates(..))));
}

#[test]
fn what_is_counted_otherwise_is_not_compared() {
    let of = |bounds: &[(f64, u64)]| Distribution::of_cumulative(bounds.iter().copied());
    let (one, other) = (of(&[(1.0, 3), (f64::MAX, 5)]), of(&[(2.0, 3), (f64::INFINITY, 5)]));
    assert_eq!(mann_whitney(&one, &other), Err(Incomparable::Buckets));
    assert_eq!(mann_whitney(&one, &of(&[])), Err(Incomparable::Empty));
    assert!(mann_whitney(&one, &Distribution::of_values([0.5, 7.0])).is_ok());
}

#[test]
fn quantiles_of_buckets_lie_within_them() {
    let buckets = Distribution::of_cumulative([(1.0, 10), (2.0, 30), (f64::INFINITY, 40)]);
    assert_eq!(buckets.quantile(0.5), Some(1.5));
    assert_eq!(buckets.quantile(0.95), Some(2.0));
    assert_eq!(Distribution::of_values([3.0, 1.0, 2.0]).quantile(0.5), Some(2.0));
    assert_eq!(Distribution::of_values([]).quantile(0.5), None);
}

fn values() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec((1_u32..4000).prop_map(|value| f64::from(value) / 1000.0), 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bounds_enclose_what_was_seen_and_grow_with_the_events(total in 1_u64..5000, share in 0.0..1.0_f64, confidence in 0.6..0.9999_f64) {
        let events = (share * total as f64) as u64;
        let seen = Share::new(events, total);
        prop_assert!(seen.wilson_lower(confidence) <= seen.rate() + 1e-12 && seen.rate() <= seen.wilson_upper(confidence) + 1e-12);
        let more = Share::new(events + 1, total);
        prop_assert!(more.wilson_lower(confidence) >= seen.wilson_lower(confidence) - 1e-12);
        prop_assert!(more.wilson_upper(confidence) >= seen.wilson_upper(confidence) - 1e-12);
        prop_assert!((seen.rest().wilson_upper(confidence) - (1.0 - seen.wilson_lower(confidence))).abs() < 1e-9);
    }

    #[test]
    fn more_events_are_rarer_and_a_higher_share_makes_them_less_rare(total in 1_u64..3000, events in 0_u64..3000, p in 0.001..0.9_f64) {
        let seen = Share::new(events, total);
        let chance = seen.tail(p);
        prop_assert!((0.0..=1.0).contains(&chance));
        prop_assert!(Share::new(seen.events() + 1, total + 1).tail(p) <= chance + 1e-9);
        prop_assert!(seen.tail(p + 0.05) >= chance - 1e-9);
    }

    #[test]
    fn the_exact_test_grows_with_the_events(first in (0_u64..200, 1_u64..200), second in (0_u64..400, 1_u64..400)) {
        let (one, other) = (Share::new(first.0, first.1), Share::new(second.0, second.1));
        let chance = fisher(one, other);
        prop_assert!((0.0..=1.0).contains(&chance));
        if one.events() < one.total() {
            prop_assert!(fisher(Share::new(one.events() + 1, one.total()), other) <= chance + 1e-9);
        }
    }

    #[test]
    fn u_is_symmetric_and_the_shift_is_the_others_turned_round(first in values(), second in values()) {
        let (one, other) = (Distribution::of_values(first), Distribution::of_values(second));
        let (test, turned) = (mann_whitney(&one, &other).unwrap(), mann_whitney(&other, &one).unwrap());
        prop_assert_eq!(test.u + turned.u, test.pairs);
        prop_assert_eq!(test.deviation, turned.deviation);
        let (there, back) = (shift(&one, &other, 0.99).unwrap(), shift(&other, &one, 0.99).unwrap());
        prop_assert!((there.estimate + back.estimate).abs() < 1e-12);
        prop_assert!(there.lower == -back.upper && there.lower <= there.estimate && there.estimate <= there.upper);
    }

    #[test]
    fn a_shift_moves_with_the_values(first in values(), second in values(), by in 0_u32..4096) {
        let by = f64::from(by) / 1024.0;
        let other = Distribution::of_values(second);
        let before = shift(&Distribution::of_values(first.clone()), &other, 0.99).unwrap();
        let after = shift(&Distribution::of_values(first.iter().map(|value| value + by)), &other, 0.99).unwrap();
        prop_assert!((after.estimate - before.estimate - by).abs() < 1e-9);
    }

    #[test]
    fn a_histogram_says_what_its_values_say_up_to_the_width_of_its_buckets(first in values(), second in values()) {
        let width = 0.05;
        let counted = |values: &[f64]| {
            let bounds = (1..=80).map(|n| f64::from(n) * width).chain([f64::INFINITY]);
            let at_most = |bound: f64| values.iter().filter(|value| **value <= bound).count() as u64;
            Distribution::of_cumulative(bounds.map(|bound| (bound, at_most(bound))))
        };
        let rounded = |values: &[f64]| Distribution::of_values(values.iter().map(|value| (value / width).ceil()));
        let (h1, h2) = (counted(&first), counted(&second));
        let test = mann_whitney(&h1, &h2).unwrap();
        let by_hand = mann_whitney(&rounded(&first), &rounded(&second)).unwrap();
        prop_assert!((test.u - by_hand.u).abs() <= 0.02 * by_hand.pairs + 1.0, "{} {}", test.u, by_hand.u);
        let exact = shift(&Distribution::of_values(first.clone()), &Distribution::of_values(second.clone()), 0.99).unwrap();
        let about = shift(&h1, &h2, 0.99).unwrap();
        prop_assert!((about.estimate - exact.estimate).abs() <= 2.0 * width, "{about:?} {exact:?}");
        let mixed = mann_whitney(&Distribution::of_values(first.clone()), &h2).unwrap();
        prop_assert_eq!(mixed.u, test.u);
        for quantile in [0.5, 0.95] {
            let (about, exact) = (h1.quantile(quantile).unwrap(), Distribution::of_values(first.clone()).quantile(quantile).unwrap());
            prop_assert!((about - exact).abs() <= width + 1e-9);
        }
    }

    #[test]
    fn evidence_for_the_high_rate_grows_with_each_event_and_falls_with_each_other(events in 0_u64..200, rest in 0_u64..2000) {
        let test = Sprt::new(0.02, 0.08, 0.0005, 0.05).unwrap();
        let at = |events, rest| test.course(Share::new(events, events + rest)).evidence;
        prop_assert!(at(events + 1, rest) > at(events, rest) && at(events, rest + 1) < at(events, rest));
        let course = test.course(Share::new(events, events + rest));
        prop_assert_eq!(course.decision == Decision::High, course.evidence >= (0.95_f64 / 0.0005).ln());
        prop_assert_eq!(course.decision == Decision::Low, course.evidence <= (0.05_f64 / 0.9995).ln());
    }

    #[test]
    fn holm_finds_whatever_bonferroni_finds(chances in prop::collection::vec(0.0..0.2_f64, 0..8)) {
        let found = holm(&chances, 0.05);
        for (chance, found) in chances.iter().zip(&found) {
            prop_assert!(*found || *chance > bonferroni(0.05, chances.len() as u64));
            prop_assert!(!*found || *chance <= 0.05);
        }
    }
}

#[test]
fn the_interval_of_a_difference_is_as_published() {
    // Newcombe 1998, table II: 95 % intervals by method 10.
    for (first, second, lower, upper) in [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((10, 10), (0, 10), 0.6075, 1.0),
    ] {
        let [first, second] = [first, second].map(|(events, total)| Share::new(events, total));
        assert!((difference_upper(first, second, 0.975) - upper).abs() < 5e-5, "{first:?} {second:?}");
        assert!((difference_upper(second, first, 0.975) + lower).abs() < 5e-5, "{first:?} {second:?}");
    }
}
