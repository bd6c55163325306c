//! What a rate may follow: how much else is logged.
//!
//! The sum of all lines will not do for ordinary ones. A request makes several lines, so that one route that is asked for ten times
//! as often brings the sum with it, and each of its lines would seem to follow the others. So the load is what most kinds of lines do,
//! each as a share of its own usual rate, and what rose or fell with few of them is left out.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use super::{
    bins::Bins,
    rates::root,
    series::{Series, Window},
};

/// Most kinds of lines that are looked at: the most frequent.
const MOST_KINDS: usize = 64;
/// Fewest kinds that tell of the load, and how many lines of one there are in a step at the least, on average.
const FEWEST_KINDS: usize = 6;
const LEAST_COUNT: f64 = 0.5;
/// The share of kinds that is left out on either side: those that rose most, and those that fell most.
const LEFT_OUT: f64 = 0.25;
/// Steps on either side that say how much a kind rose: chance alone would else choose which are left out.
const NEAR: usize = 4;

/// What a rate may follow.
#[derive(Clone, Copy)]
pub enum Load<'a> {
    /// All lines.
    All(&'a Series),
    /// All lines, and the kinds of which most say how busy it is.
    Kinds(&'a Kinds<'a>),
}

impl<'a> Load<'a> {
    /// The square roots of the load in the steps of a window over its own counts, `fine` or coarse; nothing where it is not told for
    /// such steps.
    pub fn roots(&self, own: &Window, fine: bool) -> Rc<[f64]> {
        if let Self::Kinds(kinds) = self
            && let Some(most) = kinds.roots(own, fine)
        {
            return most;
        }
        let all = self.all();
        let counts = gather(if fine { &all.fine } else { &all.coarse }, own);
        counts.map_or_else(Rc::default, |all| {
            all.iter().zip(&own.counts).map(|(all, own)| root((all - own).max(0.0))).collect()
        })
    }

    /// The shortest steps that it is told for, `fine` or coarse, in seconds.
    pub const fn step(&self, fine: bool) -> i64 {
        let all = self.all();
        if fine { all.fine.step() } else { all.coarse.step() }
    }

    const fn all(&self) -> &'a Series {
        match self {
            Self::All(all) => all,
            Self::Kinds(kinds) => kinds.all,
        }
    }
}

/// Which steps were asked for: of fine or coarse counts, the first second, the seconds of a step, the number of steps.
type Asked = (bool, i64, i64, usize);

/// The kinds of lines of a source that come as often as there is something to do.
pub struct Kinds<'a> {
    all: &'a Series,
    kinds: Vec<&'a Series>,
    /// What was found for those that were asked for.
    known: RefCell<BTreeMap<Asked, Option<Rc<[f64]>>>>,
}

impl<'a> Kinds<'a> {
    /// Those of a source with these lines, each with their number.
    pub fn new(all: &'a Series, kinds: impl Iterator<Item = (u64, &'a Series)>) -> Self {
        let mut kinds: Vec<(u64, &Series)> = kinds.collect();
        kinds.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
        Self {
            all,
            kinds: kinds.into_iter().take(MOST_KINDS).map(|(_, series)| series).collect(),
            known: RefCell::default(),
        }
    }

    fn roots(&self, own: &Window, fine: bool) -> Option<Rc<[f64]>> {
        let key = (fine, own.start, own.step, own.counts.len());
        self.known.borrow_mut().entry(key).or_insert_with(|| self.most(own, fine)).clone()
    }

    /// What the middle kinds do in each step, as if it were one of them.
    fn most(&self, own: &Window, fine: bool) -> Option<Rc<[f64]>> {
        let steps = own.counts.len() as f64;
        let counts = self.kinds.iter().filter_map(|kind| gather(if fine { &kind.fine } else { &kind.coarse }, own));
        let kinds: Vec<(f64, Vec<f64>)> = counts
            .filter(|counts| counts.iter().sum::<f64>() >= LEAST_COUNT * steps)
            .map(|counts| {
                let roots: Vec<f64> = counts.into_iter().map(root).collect();
                (roots.iter().sum::<f64>() / steps, roots)
            })
            .collect();
        if kinds.len() < FEWEST_KINDS {
            return None;
        }
        let out = (kinds.len() as f64 * LEFT_OUT) as usize;
        let typical = kinds.iter().map(|(usual, _)| usual).sum::<f64>() / kinds.len() as f64;
        let middle = |step: usize| {
            let near = step.saturating_sub(NEAR)..(step + NEAR + 1).min(own.counts.len());
            let of = |(usual, roots): &(f64, Vec<f64>)| {
                let near = roots.get(near.clone())?;
                Some((near.iter().sum::<f64>() / usual, *roots.get(step)?, *usual))
            };
            let mut shares: Vec<(f64, f64, f64)> = kinds.iter().filter_map(of).collect();
            shares.sort_by(|(a, ..), (b, ..)| a.total_cmp(b));
            let middle = shares.get(out..shares.len().saturating_sub(out)).unwrap_or_default();
            let (sum, usual) = middle.iter().fold((0.0, 0.0), |(sum, all), (_, root, usual)| (sum + root, all + usual));
            typical * sum / usual
        };
        Some((0..own.counts.len()).map(middle).collect())
    }
}

/// Counts in the steps of a window; none where they are of longer steps.
fn gather(counts: &Bins<u32>, own: &Window) -> Option<Vec<f64>> {
    if counts.step() > own.step {
        return None;
    }
    let mut gathered = vec![0.0; own.counts.len()];
    for (second, count) in counts.iter() {
        let index = usize::try_from((second - own.start).div_euclid(own.step)).ok();
        if let Some(step) = index.and_then(|index| gathered.get_mut(index)) {
            *step += f64::from(*count);
        }
    }
    Some(gathered)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{detect::random::Random, time::SECOND};

    /// Kinds of which some become ten times as frequent half way; all have a season.
    fn kinds(number: usize, flooded: usize) -> (Series, Vec<Series>) {
        let mut random = Random::new(3);
        let mut all = Series::default();
        let mut kinds = vec![Series::default(); number];
        for second in 0..6000_i64 {
            let busy = 1.0 + 0.5 * (second as f64 / 1500.0 * std::f64::consts::TAU).sin();
            for (index, kind) in kinds.iter_mut().enumerate() {
                let times = if index < flooded && second >= 3000 { 10.0 } else { 1.0 };
                if random.share() < 0.05 * busy * times {
                    kind.add(second * SECOND);
                    all.add(second * SECOND);
                }
            }
        }
        (all, kinds)
    }

    fn own(series: &Series) -> Window {
        super::super::series::between(&series.fine, 0, 6000 * SECOND)
    }

    #[test]
    fn what_few_kinds_do_is_no_load_and_what_most_do_is() {
        let (all, series) = kinds(12, 3);
        let kinds = Kinds::new(&all, series.iter().map(|series| (300, series)));
        let own = own(&series[0]);
        let means = |roots: &[f64]| {
            let (before, since) = roots.split_at(roots.len() / 2);
            let mean = |part: &[f64]| part.iter().map(|root| root * root).sum::<f64>() / part.len() as f64;
            mean(since) / mean(before)
        };
        let (by_kinds, by_all) =
            (means(&Load::Kinds(&kinds).roots(&own, true)), means(&Load::All(&all).roots(&own, true)));
        assert!((0.8..1.3).contains(&by_kinds) && by_all > 2.0, "{by_kinds} {by_all}");
        // The season is in it.
        let roots = Load::Kinds(&kinds).roots(&own, true);
        let (most, least) = (roots.iter().copied().fold(0.0, f64::max), roots.iter().copied().fold(9.0, f64::min));
        assert!(most > 1.2 * least, "{least} {most}");
    }

    #[test]
    fn few_kinds_say_no_more_than_all_lines_and_longer_steps_say_nothing() {
        let (all, series) = kinds(4, 0);
        let kinds = Kinds::new(&all, series.iter().map(|series| (300, series)));
        let own = own(&series[0]);
        assert_eq!(Load::Kinds(&kinds).roots(&own, true), Load::All(&all).roots(&own, true));
        let finer = Window { step: 1, ..own };
        assert!(Load::All(&all).roots(&finer, true).is_empty());
    }
}
