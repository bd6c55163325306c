//! How often something was seen, and whether that changed.

use std::rc::Rc;

use super::{
    bins::Bins,
    change::{self, Change, Setting},
    load::Load,
    series::{CLUMP, CLUMP_SEEN, Series, Window, between},
};
use crate::time::SECOND;

/// Most values in which a change is looked for.
const MOST_VALUES: usize = 150;
/// Fewest values, so that a coarser look is taken.
const LEAST_VALUES: usize = 18;
/// Each look has steps so many times as long as the one before.
const COARSER: usize = 4;
/// The least variance of the square root of a count, times two: 1 for chance (Anscombe, 1948), less for what is regular.
const LEAST_VARIANCE: f64 = 0.1;
/// As many times as long as a change must be what is kept, so that it can be told whether it comes again.
const KNOWN: usize = 6;
/// Fewest times of equal length that tell how much counts vary over such a time.
const LEAST_BLOCKS: usize = 6;
/// Seconds in a day.
const DAY: f64 = 86_400.0;

/// A rate that changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Changed {
    /// When, in nanoseconds.
    pub from: i64,
    /// Until when, where it ended.
    pub to: Option<i64>,
    /// Events a minute that were to be expected then.
    pub expected: f64,
    /// Events a minute that there were.
    pub current: f64,
    /// Minutes that it lasted.
    pub minutes: f64,
    /// About the logarithm of how much more likely the counts are with the change than without.
    pub evidence: f64,
    /// How high the next such pulse is, as a share of this one.
    pub rival: f64,
}

impl Changed {
    /// How many times as many there were as expected.
    pub fn ratio(&self) -> f64 {
        self.current / self.expected.max(1e-9)
    }

    /// Events that were too many, or too few.
    pub fn excess(&self) -> f64 {
        (self.current - self.expected) * self.minutes
    }
}

/// The change that stands out most in a log that covers the times from `first` to `last`, in nanoseconds; `load` is what the
/// series may follow. What comes again, more than `most_rival` as high, is usual and no change.
pub fn change(series: &Series, load: Option<Load<'_>>, (first, last): (i64, i64), most_rival: f64) -> Option<Changed> {
    // One that is usual does not hide another, of other times or at other steps, that is not.
    let is_once =
        |found: &Changed| found.rival < most_rival && elsewhere(series, load, found, (first, last)) < most_rival;
    let clumps = |change: (i64, i64)| series.clumps((first, last), change);
    let roots = |own: &Window, fine: bool| load.map(|load| load.roots(own, fine)).unwrap_or_default();
    let coarse = look(&seen(&series.coarse, load, false, (first, last)), |own| roots(own, false), clumps, is_once);
    if series.fine.step() == series.coarse.step() {
        return coarse;
    }
    let fine = look(&seen(&series.fine, load, true, (first, last)), |own| roots(own, true), clumps, is_once);
    [fine, coarse].into_iter().flatten().max_by(|a, b| a.evidence.total_cmp(&b.evidence))
}

/// The counts between two times, in steps that are no shorter than those of the load: what comes less long than all else has shorter
/// ones, for which the load is not told.
fn seen(counts: &Bins<u32>, load: Option<Load<'_>>, fine: bool, (first, last): (i64, i64)) -> Window {
    let window = between(counts, first, last);
    let step = load.map_or(window.step, |load| load.step(fine));
    // Both are powers of two.
    let times = usize::try_from(step / window.step).unwrap_or(1).max(1);
    let end = window.start + window.counts.len() as i64 * window.step;
    let behind = usize::try_from(end.rem_euclid(step) / window.step).unwrap_or(0);
    window.before(behind).coarser(times)
}

fn look(
    window: &Window,
    load: impl Fn(&Window) -> Rc<[f64]>,
    clumps: impl Fn((i64, i64)) -> f64,
    is_once: impl Fn(&Changed) -> bool,
) -> Option<Changed> {
    let mut times = window.counts.len().div_ceil(MOST_VALUES).max(1);
    let mut best: Option<Changed> = None;
    while window.counts.len() / times >= LEAST_VALUES
        || best.is_none() && window.counts.len() / times >= change::MIN_VALUES
    {
        let window = window.coarser(times);
        let found = in_window(&window, &load(&window), &clumps);
        if let Some(found) =
            found.filter(|found| best.is_none_or(|best| found.evidence > best.evidence) && is_once(found))
        {
            best = Some(found);
        }
        times *= COARSER;
    }
    best
}

/// How high such a change is at other times of all that is kept, as a share of this one; 0 where less than [`KNOWN`] times as much is kept.
///
/// The last hours are looked at closely, and hold but one of the jobs that run each day, and but one night. Both the counts
/// themselves and their share of the load must be as high, or as low, again.
fn elsewhere(series: &Series, load: Option<Load<'_>>, found: &Changed, (first, last): (i64, i64)) -> f64 {
    let all = seen(&series.coarse, load, false, (first, last));
    let (begin, end) = (found.from / SECOND, found.to.unwrap_or(last) / SECOND);
    let wide = usize::try_from((end - begin).max(1)).unwrap_or(usize::MAX).div_ceil(all.step.unsigned_abs() as usize);
    if all.counts.len() < KNOWN.saturating_mul(wide) {
        return 0.0;
    }
    let sums = |counts: &[f64]| -> Vec<f64> { counts.windows(wide).map(|part| part.iter().sum()).collect() };
    let is_inside = |index: usize| {
        let from = all.start + index as i64 * all.step;
        from < end && from + wide as i64 * all.step > begin
    };
    let expected = root(found.expected * wide as f64 * all.step as f64 / 60.0);
    let sign = if found.current >= found.expected { 1.0 } else { -1.0 };
    let share = |counts: &mut dyn Iterator<Item = (usize, f64)>| {
        let (mut own, mut other) = (0.0_f64, 0.0_f64);
        for (index, count) in counts {
            let height = sign * (root(count) - expected);
            if is_inside(index) { own = own.max(height) } else { other = other.max(height) }
        }
        if own > 0.0 { other / own } else { 0.0 }
    };
    let counts = sums(&all.counts);
    let by_count = share(&mut counts.iter().copied().enumerate());
    let others: Vec<f64> = load.iter().flat_map(|load| load.roots(&all, false).to_vec()).map(count_of).collect();
    if others.len() != all.counts.len() {
        return by_count;
    }
    let loads = sums(&others);
    let inside: Vec<f64> =
        loads.iter().enumerate().filter(|(index, _)| is_inside(*index)).map(|(_, load)| *load).collect();
    let usual = inside.iter().sum::<f64>() / inside.len().max(1) as f64;
    // Where nothing else was logged, nothing can be said.
    let of_load =
        counts.iter().zip(&loads).map(|(count, load)| if *load > 0.0 { count * usual / load } else { f64::NAN });
    by_count.min(share(&mut of_load.enumerate().filter(|(_, count)| count.is_finite())))
}

/// The square root of a count, whose variance is 1 whatever the count (Anscombe, 1948).
pub fn root(count: f64) -> f64 {
    2.0 * (count + 0.375).sqrt()
}

fn count_of(root: f64) -> f64 {
    (root.max(0.0) / 2.0).powi(2) - 0.375
}

fn in_window(window: &Window, load: &[f64], clumps: impl Fn((i64, i64)) -> f64) -> Option<Changed> {
    let values: Vec<f64> = window.counts.iter().copied().map(root).collect();
    let follows = load.len() == values.len();
    let setting = Setting { day: Some(DAY / window.step as f64), load, follows, variance: LEAST_VARIANCE };
    let found = change::find(&values, setting)?;
    let length = found.to.saturating_sub(found.from).max(1) as f64;
    let minutes = length * window.step as f64 / 60.0;
    let events: f64 = window.counts.get(found.from..found.to)?.iter().sum();
    // What was just before says what was to be expected, where the model makes less of the change.
    let edge = (values.len() / 20).clamp(3, 8);
    let mean = |part: Option<&[f64]>| {
        part.filter(|part| part.len() >= 3).map(|part| part.iter().sum::<f64>() / part.len() as f64)
    };
    let before = mean(window.counts.get(found.from.saturating_sub(edge)..found.from));
    let after = mean(window.counts.get(found.to..(found.to + edge).min(values.len())));
    let beside = match (before, after) {
        (Some(before), Some(after)) => Some((before + after) / 2.0),
        (before, after) => before.or(after),
    };
    let by_model = count_of(found.expected).max(0.0);
    let expected = match beside {
        Some(beside) if found.height > 0.0 => by_model.min(beside),
        Some(beside) => by_model.max(beside),
        None => by_model,
    };
    // The square root of few counts is no normal value: chance must not make them either (as in Kulldorff's scan statistic, 1997), nor
    // may few clumps of them.
    let total: f64 = window.counts.iter().sum();
    let outside = (values.len() as f64 - length).max(1.0);
    let usual =
        ((total - events + 0.5) * length / outside).max(if found.height > 0.0 { expected * length } else { 0.0 });
    let clumps = clumps((window.time(found.from), window.time(found.to))).max(dispersion(&window.counts, &found));
    let by_count = by_clumps(events, usual, clumps) - found.tried();
    Some(Changed {
        from: window.time(found.from),
        to: (found.to < values.len()).then(|| window.time(found.to)),
        expected: expected * length / minutes,
        current: events / minutes,
        minutes,
        evidence: found.evidence.min(by_count),
        rival: found.rival,
    })
}

/// About the logarithm of how unlikely so many events are where so many are usual and come in clumps, of which an event is in one of
/// this size on average: Chernoff's bound for a Poisson number of clumps whose sizes are geometric, so that one may be large
/// (Pólya–Aeppli; Johnson, Kemp and Kotz, 2005, section 9.7). Events that come by themselves are those of clumps of one.
fn by_clumps(events: f64, usual: f64, size: f64) -> f64 {
    // The mean size of a clump is less than that of one which an event is in.
    let ends = 2.0 / (size.max(1.0) + 1.0);
    let goes_on = 1.0 - ends;
    let rate = usual.max(1e-9) * ends;
    // The tilt at which so many are usual, by the smaller root, where few clumps are without end.
    let tilt = if goes_on < 1e-6 {
        events / usual.max(1e-9)
    } else {
        let half = events * goes_on + rate * ends / 2.0;
        (half - (half * half - (events * goes_on).powi(2)).max(0.0).sqrt()) / (events * goes_on * goes_on).max(1e-12)
    };
    if events <= 0.0 {
        return rate;
    }
    events * tilt.max(1e-300).ln() - rate * (tilt - 1.0) / (1.0 - goes_on * tilt).max(1e-12)
}

/// How much counts vary outside a change by more than chance has it, over times up to as long as the change: their variance about
/// what the model says, as a share of it.
///
/// What comes again and again for a while, or wanders, varies little from one step to the next and much over longer times. A change is
/// none where as long a time is as often as far off.
fn dispersion(counts: &[f64], found: &Change) -> f64 {
    let is_inside = |index: usize| (found.from..found.to).contains(&index);
    let usual = found.usual.iter().copied().map(count_of).map(|count| count.max(0.0));
    let outside = counts.iter().copied().zip(usual).enumerate().filter(|(index, _)| !is_inside(*index));
    let outside: Vec<(f64, f64)> = outside.map(|(_, pair)| pair).collect();
    let sum = |part: &[(f64, f64)]| part.iter().fold((0.0, 0.0), |sum, pair| (sum.0 + pair.0, sum.1 + pair.1));
    let all = sum(&outside);
    // The mean of square roots is less than the root of the mean.
    let scale = all.0 / all.1.max(1e-9);
    let mut most = 1.0_f64;
    let mut length = 1;
    while length <= (found.to - found.from).max(1) && outside.len() / length >= LEAST_BLOCKS {
        let blocks = outside.chunks_exact(length).map(sum).map(|(count, usual)| (count - usual * scale).powi(2));
        let squares: f64 = blocks.sum();
        // Few times vary more by chance than the mean of many such, and the most of several is asked for.
        let by_chance = 1.0 + (2.0 * length as f64 / outside.len() as f64).sqrt();
        most = most.max((squares + CLUMP * CLUMP_SEEN) / (all.0 + CLUMP_SEEN) / by_chance);
        length *= 2;
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::random::Random;

    /// A series of so many events in each minute, at even times, and what it covers.
    fn series(counts: &[f64]) -> (Series, (i64, i64)) {
        let mut series = Series::default();
        for (minute, count) in counts.iter().enumerate() {
            for event in 0..*count as i64 {
                series.add(minute as i64 * 60 * SECOND + event * 60 * SECOND / *count as i64);
            }
        }
        (series, (0, counts.len() as i64 * 60 * SECOND))
    }

    fn found(counts: &[f64]) -> Option<Changed> {
        let (series, coverage) = series(counts);
        change(&series, None, coverage, 1.0)
    }

    #[test]
    fn events_by_themselves_are_poissons_and_a_clump_may_be_large_by_chance() {
        let poisson = |events: f64, usual: f64| events * (events / usual).ln() - events + usual;
        for (events, usual) in [(20.0, 3.0), (3.0, 20.0), (7.0, 7.0), (1e4, 9e3)] {
            let (by_clumps, poisson) = (by_clumps(events, usual, 1.0), poisson(events, usual));
            assert!((by_clumps - poisson).abs() < 1e-3 * (1.0 + poisson), "{events} {usual}: {by_clumps} {poisson}");
        }
        // A clump of as many as are usual of one is as likely as that of an exponential size, however seldom clumps are.
        let (seldom, never) = (by_clumps(60.0, 0.1, 19.0), by_clumps(60.0, 1e-6, 19.0));
        assert!(seldom < 6.0 && never < 7.0 && never > seldom, "{seldom} {never}");
        // That there are no clumps at all is as unlikely as so many by themselves.
        assert!((by_clumps(0.0, 100.0, 19.0) - 10.0).abs() < 1e-9);
        for events in 0..300 {
            let evidence = by_clumps(f64::from(events), 100.0, 5.0);
            assert!(
                evidence.is_finite() && evidence > -1e-6 && (events == 100) == (evidence < 1e-6),
                "{events}: {evidence}"
            );
        }
    }

    #[test]
    fn chance_and_clumps_are_no_change() {
        let mut wrong = 0;
        for seed in 0..300 {
            let mut random = Random::new(seed * 7919);
            let (mean, minutes) = (1.0 + random.share() * 60.0, 20 + (random.share() * 220.0) as usize);
            let clump = if seed % 3 == 0 { 5.0 } else { 1.0 };
            let counts: Vec<f64> = (0..minutes).map(|_| random.poisson(mean / clump) * clump).collect();
            wrong += usize::from(found(&counts).is_some_and(|found| found.evidence > 6.0));
        }
        assert!(wrong <= 3, "{wrong} of 300");
    }

    #[test]
    fn a_wave_is_no_change_and_a_step_on_it_is() {
        let wave = |minute: f64| 40.0 + 30.0 * (minute / 240.0 * std::f64::consts::TAU * 1.5).sin();
        let (mut waves, mut steps) = (0, 0);
        for seed in 0..100 {
            let mut random = Random::new(seed);
            let counts: Vec<f64> = (0..240).map(|minute| random.poisson(wave(f64::from(minute)))).collect();
            waves += usize::from(found(&counts).is_some_and(|found| found.evidence > 6.0));
            let counts: Vec<f64> = (0..240)
                .map(|minute| random.poisson(wave(f64::from(minute)) * if minute < 150 { 1.0 } else { 2.0 }))
                .collect();
            let all: Vec<f64> =
                (0..240).zip(&counts).map(|(minute, own)| own + wave(f64::from(minute)) * 3.0).collect();
            let (load, _) = series(&all);
            let (series, coverage) = series(&counts);
            let found = change(&series, Some(Load::All(&load)), coverage, 1.0);
            steps += usize::from(found.is_some_and(|found| found.evidence > 6.0 && found.ratio() > 1.5));
        }
        assert!(waves <= 6 && steps >= 90, "{waves} {steps}");
    }

    #[test]
    fn fifteen_percent_more_of_a_regular_rate_is_seen_with_its_size_and_time() {
        let counts: Vec<f64> = (0..60).map(|minute| if minute < 40 { 100.0 } else { 115.0 }).collect();
        let found = found(&counts).unwrap();
        assert!((found.ratio() - 1.15).abs() < 0.02 && found.evidence > 6.0, "{found:?}");
        assert!((found.from / SECOND - 2400).abs() <= 64 && found.to.is_none(), "{found:?}");
    }

    #[test]
    fn a_burst_that_ends_has_an_end() {
        let counts: Vec<f64> = (0..120).map(|minute| if (70..78).contains(&minute) { 40.0 } else { 4.0 }).collect();
        let found = found(&counts).unwrap();
        assert!(found.ratio() > 6.0 && found.to.is_some_and(|to| (to / SECOND - 78 * 60).abs() <= 64), "{found:?}");
    }

    #[test]
    fn a_job_of_each_day_is_no_change_though_the_last_hours_hold_one_only_and_one_of_one_day_is() {
        let day = 24 * 60;
        let jobs = |of_days: fn(usize) -> bool| -> Vec<f64> {
            let minute = |minute: usize| {
                let runs = minute % day == 1200 && of_days(minute / day);
                f64::from(u8::from(minute.is_multiple_of(240))) + if runs { 80.0 } else { 0.0 }
            };
            (0..5 * day).map(minute).collect()
        };
        let found = |counts: &[f64]| {
            let (series, coverage) = series(counts);
            change(&series, None, coverage, 0.5)
        };
        assert_eq!(found(&jobs(|_| true)), None);
        let once = found(&jobs(|day| day == 4)).unwrap();
        assert!(once.evidence > 6.0 && once.from / SECOND >= (4 * day as i64 + 1100) * 60, "{once:?}");
    }

    #[test]
    fn what_comes_again_and_again_for_a_while_is_no_change_the_longest_time_either() {
        let mut wrong = 0;
        for seed in 0..40 {
            let mut random = Random::new(seed * 17);
            let mut counts = vec![0.0; 480];
            for visit in 0..8 {
                let (at, lasts) = (visit * 60 + (random.share() * 40.0) as usize, 3 + (random.share() * 9.0) as usize);
                counts.iter_mut().skip(at).take(lasts).for_each(|count| *count = random.poisson(4.0));
            }
            wrong += usize::from(found(&counts).is_some_and(|found| found.evidence > 6.0 && found.rival < 0.6));
        }
        assert!(wrong <= 3, "{wrong} of 40");
    }

    #[test]
    fn a_burst_in_two_parts_is_one_and_does_not_rival_itself() {
        let parts = |minute: usize| (100..104).contains(&minute) || (108..112).contains(&minute);
        let mut random = Random::new(5);
        let counts: Vec<f64> =
            (0..240).map(|minute| random.poisson(0.2) + if parts(minute) { 3.0 } else { 0.0 }).collect();
        let (series, coverage) = series(&counts);
        let found = change(&series, None, coverage, 0.6).unwrap();
        assert!(found.evidence > 6.0 && (found.from / SECOND - 6000).abs() < 600, "{found:?}");
    }
}
