//! Whether a series changed its level, in the presence of trends, seasons and noise of unknown size.
//!
//! The series is explained by several models of what is usual (a constant, a trend, slow waves, a season whose length is found,
//! the load of the source), each with and without one change (a step that stays, or a pulse that ends). The models are compared
//! by the Bayesian information criterion (Schwarz, 1978), half of whose difference approximates the logarithm of the Bayes
//! factor. The variance is estimated from what is left over, lowered by no more than one, and counts that depend on those before
//! them say less (Bayley and Hammersley, 1946), so that clumps and regular counts are both judged by their own kind.
//!
//! The change-point crates of `augurs` were looked at: they know neither seasons nor counts, and a hundred crates come with them.

use std::f64::consts::PI;

/// Fewest values in which a change is looked for.
pub const MIN_VALUES: usize = 12;
/// Fewest values on each side of a step.
const MIN_SIDE: usize = 3;
/// Lengths of pulses that are tried; longer ones grow by a third.
const SHORT_PULSES: usize = 8;
/// The longest pulse is this share of all.
const LONGEST_PULSE: f64 = 0.5;
/// What a change costs: its height and its place; a pulse has two.
const STEP_COST: f64 = 2.0;
const PULSE_COST: f64 = 3.0;

/// The logarithm of how much less likely it is that what follows a load has waves of its own.
const OWN_WAVES: f64 = 5.0;
/// So many steps of the load on either side are one of its longer times, and one more for each so many values.
const LONG: usize = 2;
const VALUES_PER_LONG: usize = 24;

/// Evidence against a constant that is worth a look at what else may be usual.
const WORTH_A_LOOK: f64 = 2.0;

/// A change of level.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The first value that is changed.
    pub from: usize,
    /// The first that is not any more; the number of values when it stays.
    pub to: usize,
    /// The level, on the values' scale, that was to be expected in between.
    pub expected: f64,
    /// By how much the values in between are higher.
    pub height: f64,
    /// About the logarithm of how much more likely the series is with the change than without.
    pub evidence: f64,
    /// How high the next highest pulse of that length is, as a share of this one; 0 for a step. What comes again is usual.
    pub rival: f64,
    /// What each value would be without the change, by the model.
    pub usual: Vec<f64>,
}

impl Change {
    /// The logarithm of about how many such changes were looked for in so many values: of a step where it begins, of a pulse where it
    /// ends, too, and as the criterion has it for the height.
    pub fn tried(&self) -> f64 {
        let cost = if self.to < self.usual.len() { PULSE_COST } else { STEP_COST };
        cost / 2.0 * (self.usual.len() as f64).ln()
    }
}

/// Columns of equal length that are at right angles to each other, of length one.
#[derive(Clone, Debug, Default)]
struct Basis {
    columns: Vec<Vec<f64>>,
}

impl Basis {
    /// A column more, unless the others hold it already.
    fn with(mut self, column: impl Iterator<Item = f64>) -> Self {
        let mut column: Vec<f64> = column.collect();
        let before = dot(&column, &column);
        // Twice, which is enough (Giraud, Langou, Rozložník, 2005).
        for _ in 0..2 {
            for other in &self.columns {
                let share = dot(&column, other);
                column.iter_mut().zip(other).for_each(|(value, other)| *value -= share * other);
            }
        }
        let after = dot(&column, &column);
        if after > before * 1e-9 && after > 0.0 {
            let length = after.sqrt();
            column.iter_mut().for_each(|value| *value /= length);
            self.columns.push(column);
        }
        self
    }

    /// What is left of the values when their share in the columns is taken out.
    fn residual(&self, values: &[f64]) -> Vec<f64> {
        let mut left = values.to_vec();
        for column in &self.columns {
            let share = dot(&left, column);
            left.iter_mut().zip(column).for_each(|(value, column)| *value -= share * column);
        }
        left
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Sums from the beginning, one more than there are values.
fn sums(values: &[f64]) -> Vec<f64> {
    let mut sum = 0.0;
    std::iter::once(0.0)
        .chain(values.iter().map(|value| {
            sum += value;
            sum
        }))
        .collect()
}

fn at(values: &[f64], index: usize) -> f64 {
    values.get(index).copied().unwrap_or(0.0)
}

/// What is known of a series besides its values.
#[derive(Clone, Copy, Debug, Default)]
pub struct Setting<'a> {
    /// Values in a day, where that is known.
    pub day: Option<f64>,
    /// What the values may follow, such as the load, one for each value; empty where there is none.
    pub load: &'a [f64],
    /// Whether they are likely to follow it, rather than to go up and down by themselves.
    pub follows: bool,
    /// The variance that the values have at the least, such as that of counts; 0 where there is none.
    pub variance: f64,
}

/// The change that explains the values best, where one does.
pub fn find(values: &[f64], setting: Setting<'_>) -> Option<Change> {
    let number = values.len();
    if number < MIN_VALUES {
        return None;
    }
    // Where a constant says all there is to say, nothing else is tried.
    let plain = Fit::new(Basis::default().with(values.iter().map(|_| 1.0)), values);
    let (with, _) = plain.change(setting.variance, number as f64)?;
    if plain.criterion(plain.rest, 0.0, setting.variance, number as f64) - with < 2.0 * WORTH_A_LOOK {
        return None;
    }
    let fits = bases(values, setting).into_iter().map(|(basis, is_own)| {
        // The criterion is of twice a logarithm.
        let less = if is_own && setting.follows { 2.0 * OWN_WAVES } else { 0.0 };
        Fit { less, ..Fit::new(basis, values) }
    });
    let fits: Vec<Fit> = fits.collect();
    let best_change = |variance: f64, size: f64| {
        fits.iter().filter_map(|fit| fit.change(variance, size)).min_by(|(a, _), (b, _)| a.total_cmp(b))
    };
    // How sure the values are is read off what the best model leaves over.
    let (_, first) = best_change(setting.variance, number as f64)?;
    let left = first.residual();
    let free = (number as f64 - first.parameters()).max(1.0);
    let correlation =
        (dot(left.get(1..)?, &left) / dot(&left, &left).max(f64::MIN_POSITIVE) + 1.0 / free).clamp(0.0, 0.9);
    let size = number as f64 * (1.0 - correlation) / (1.0 + correlation);
    let (with, best) = best_change(setting.variance, size)?;
    let without = fits.iter().map(|fit| fit.criterion(fit.rest, 0.0, setting.variance, size)).min_by(f64::total_cmp)?;
    let evidence = (without - with) / 2.0;
    (evidence > 0.0).then(|| best.change(values, evidence))
}

/// A model of what is usual, fitted.
struct Fit {
    basis: Basis,
    left: Vec<f64>,
    /// Sum of squares that it leaves over.
    rest: f64,
    /// How much less likely it is than the others, whatever the values are.
    less: f64,
}

/// The best change on top of a model.
struct Changed<'a> {
    fit: &'a Fit,
    from: usize,
    to: usize,
    height: f64,
    cost: f64,
}

impl Fit {
    fn new(basis: Basis, values: &[f64]) -> Self {
        let left = basis.residual(values);
        let rest = dot(&left, &left);
        Self { basis, left, rest, less: 0.0 }
    }

    /// The criterion of a model that leaves so much over and has so many parameters more.
    fn criterion(&self, rest: f64, more: f64, variance: f64, size: f64) -> f64 {
        let number = self.left.len() as f64;
        let parameters = self.basis.columns.len() as f64 + more;
        let free = (number - parameters).max(1.0);
        let spread = (rest / free).max(variance).max(1e-12);
        // The likelihood of the rest at the variance that it has, but at least that of counts.
        size * (spread.ln() + rest / number / spread) + parameters * size.max(3.0).ln() + self.less
    }

    fn change(&self, variance: f64, size: f64) -> Option<(f64, Changed<'_>)> {
        let number = self.left.len();
        let left = sums(&self.left);
        let columns: Vec<Vec<f64>> = self.basis.columns.iter().map(|column| sums(column)).collect();
        let mut best: Option<(f64, Changed<'_>)> = None;
        let mut look = |from: usize, to: usize, cost: f64| {
            let shared: f64 = columns.iter().map(|column| (at(column, to) - at(column, from)).powi(2)).sum();
            let own = (to - from) as f64 - shared;
            if own < 0.05 * (to - from) as f64 {
                return;
            }
            let share = at(&left, to) - at(&left, from);
            let rest = (self.rest - share * share / own).max(0.0);
            let criterion = self.criterion(rest, cost, variance, size);
            if best.as_ref().is_none_or(|(least, _)| criterion < *least) {
                best = Some((criterion, Changed { fit: self, from, to, height: share / own, cost }));
            }
        };
        for from in MIN_SIDE..=number.saturating_sub(MIN_SIDE) {
            look(from, number, STEP_COST);
        }
        let mut length = 1;
        while length as f64 <= number as f64 * LONGEST_PULSE {
            for from in 1..number.saturating_sub(length) {
                look(from, from + length, PULSE_COST);
            }
            length = if length < SHORT_PULSES { length + 1 } else { length + length / 3 };
        }
        best
    }
}

impl Changed<'_> {
    fn parameters(&self) -> f64 {
        self.fit.basis.columns.len() as f64 + self.cost
    }

    /// What the model with the change leaves over.
    fn residual(&self) -> Vec<f64> {
        let inside = |index: usize| f64::from(u8::from((self.from..self.to).contains(&index)));
        let shape: Vec<f64> = (0..self.fit.left.len()).map(inside).collect();
        let shape = self.fit.basis.residual(&shape);
        self.fit.left.iter().zip(shape).map(|(left, shape)| left - self.height * shape).collect()
    }

    /// The height of the highest other pulse in what is left over, as a share of this one's.
    fn rival(&self, left: &[f64]) -> f64 {
        let length = self.to - self.from;
        let left = sums(left);
        let beside = |start: usize| start + length <= self.from || start >= self.to;
        (0..left.len().saturating_sub(length))
            .filter(|start| beside(*start))
            .map(|start| (at(&left, start + length) - at(&left, start)) / length as f64 / self.height)
            .fold(0.0, f64::max)
    }

    fn change(&self, values: &[f64], evidence: f64) -> Change {
        let left = self.residual();
        let length = (self.to - self.from).max(1) as f64;
        let inside = self.from..self.to;
        let height = |index: usize| if inside.contains(&index) { self.height } else { 0.0 };
        let usual = values.iter().zip(&left).enumerate().map(|(index, (value, left))| value - left - height(index));
        let usual: Vec<f64> = usual.collect();
        let expected = usual.get(inside.clone()).map_or(0.0, |part| part.iter().sum());
        Change {
            from: self.from,
            to: self.to,
            expected: expected / length,
            height: self.height,
            evidence,
            rival: if self.to < values.len() { self.rival(&left) } else { 0.0 },
            usual,
        }
    }
}

/// The models of what is usual, and whether each is of waves that the values have by themselves.
fn bases(values: &[f64], setting: Setting<'_>) -> Vec<(Basis, bool)> {
    let number = values.len();
    let length = number as f64;
    let time = |index: usize| (index as f64 + 0.5) / length;
    let constant = || Basis::default().with((0..number).map(|_| 1.0));
    let slow = |basis: Basis, most: usize| {
        (1..=most)
            .fold(basis, |basis, wave| basis.with((0..number).map(move |index| (PI * wave as f64 * time(index)).cos())))
    };
    let season = |basis: Basis, period: f64, most: usize| {
        (1..=most).fold(basis, |basis, wave| {
            let angle = move |index: usize| 2.0 * PI * wave as f64 * index as f64 / period;
            basis
                .with((0..number).map(move |index| angle(index).sin()))
                .with((0..number).map(move |index| angle(index).cos()))
        })
    };
    let linear = |basis: Basis| basis.with((0..number).map(time));
    let mut all = vec![(constant(), false), (linear(constant()), false)];
    all.extend([2, 4, 7, 11].map(|waves| (slow(constant(), waves), true)));
    if let Some(day) = setting.day.filter(|day| length >= 1.4 * day && *day >= 6.0) {
        all.push((season(constant(), day, 2), false));
        all.push((season(constant(), day, if day >= 12.0 { 4 } else { 2 }), false));
        if length >= 8.0 * day {
            all.push((season(season(constant(), 7.0 * day, 3), day, 3), false));
        }
    }
    if let Some(period) = period(values) {
        all.push((season(constant(), period, 1), true));
        all.push((season(linear(constant()), period, 3), true));
    }
    if setting.load.len() == number {
        // A load of few counts varies by chance, and what follows it would seem to follow it less: what it does over longer times, of
        // which chance is a small part, has a share of its own (errors in variables; Fuller, 1987).
        let by_load = || constant().with(setting.load.iter().copied());
        let by_both =
            |reach| constant().with(smooth(setting.load, reach).into_iter()).with(setting.load.iter().copied());
        let loads = [by_load(), by_both(LONG), by_both(LONG + number / VALUES_PER_LONG)];
        all.extend(loads.into_iter().flat_map(|basis| [(basis.clone(), false), (linear(basis), false)]));
    }
    all.retain(|(basis, _)| basis.columns.len() * 3 <= number);
    all
}

/// The mean of each value and so many on either side.
fn smooth(values: &[f64], reach: usize) -> Vec<f64> {
    let sums = sums(values);
    let mean = |index: usize| {
        let (from, to) = (index.saturating_sub(reach), (index + reach + 1).min(values.len()));
        (at(&sums, to) - at(&sums, from)) / (to - from) as f64
    };
    (0..values.len()).map(mean).collect()
}

/// The length of a season, by the largest peak of the periodogram: of at least one season, four values each.
fn period(values: &[f64]) -> Option<f64> {
    let number = values.len();
    let mean = values.iter().sum::<f64>() / number as f64;
    let power = |waves: f64| {
        let (turn_sine, turn_cosine) = (2.0 * PI * waves / number as f64).sin_cos();
        let (mut sine, mut cosine) = (0.0, 1.0);
        let (mut along, mut across) = (0.0, 0.0);
        for value in values {
            along += (value - mean) * cosine;
            across += (value - mean) * sine;
            (sine, cosine) = (sine * turn_cosine + cosine * turn_sine, cosine * turn_cosine - sine * turn_sine);
        }
        along * along + across * across
    };
    // Quarters of waves between the whole ones, since a season does not end with the values.
    let tried = (4..=number).map(|quarters| quarters as f64 / 4.0);
    let (waves, _) = tried.map(|waves| (waves, power(waves))).max_by(|(_, a), (_, b)| a.total_cmp(b))?;
    Some(number as f64 / waves)
}
