//! What was seen over time, in steps of equal length, in constant memory.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// What can be added up when two steps become one.
pub trait Merge: Default + Clone {
    /// Takes in what another step holds.
    fn merge(&mut self, other: &Self);
}

impl Merge for u32 {
    fn merge(&mut self, other: &Self) {
        *self = self.saturating_add(*other);
    }
}

/// Steps of equal length. They double when there are too many, up to a widest; then the oldest leave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bins<T> {
    /// Seconds of a step: a power of two.
    step: i64,
    /// The number of the first step since 1970.
    first: i64,
    items: VecDeque<T>,
    most: usize,
    widest: i64,
}

impl<T: Merge> Bins<T> {
    /// At most so many steps, of at most so many seconds each.
    pub const fn new(most: usize, widest: i64) -> Self {
        Self { step: 1, first: 0, items: VecDeque::new(), most, widest }
    }

    /// Seconds of a step.
    pub const fn step(&self) -> i64 {
        self.step
    }

    /// Most steps.
    pub const fn most(&self) -> usize {
        self.most
    }

    /// The number of the step that a second is in. Divisions cost much, and most lines need several.
    const fn number(&self, second: i64) -> i64 {
        second.wrapping_shr(self.step.trailing_zeros())
    }

    /// The step that a time in seconds falls into; none for what is too late to be kept.
    #[inline]
    pub fn at_mut(&mut self, second: i64) -> Option<&mut T> {
        let index = self.number(second).wrapping_sub(self.first);
        let index = match usize::try_from(index).ok().filter(|index| *index < self.items.len()) {
            Some(index) => index,
            None => self.make_room(second)?,
        };
        self.items.get_mut(index)
    }

    /// Takes out the oldest step, where it has no room any more beside that of a second, with the second at which it begins.
    #[inline]
    pub fn leave_for(&mut self, second: i64) -> Option<(i64, T)> {
        if self.step < self.widest || self.number(second).wrapping_sub(self.first) < self.most as i64 {
            return None;
        }
        let item = self.items.pop_front()?;
        let begin = self.first.saturating_mul(self.step);
        self.first += 1;
        Some((begin, item))
    }

    #[cold]
    fn make_room(&mut self, second: i64) -> Option<usize> {
        self.stretch(second);
        let at = self.number(second);
        if self.items.is_empty() {
            self.first = at;
        }
        let index = at.saturating_sub(self.first);
        if index < 0 {
            // Late; what does not fit any more is left out.
            let before = usize::try_from(index.unsigned_abs()).ok();
            let before = before.filter(|before| self.items.len().saturating_add(*before) <= self.most)?;
            for _ in 0..before {
                self.items.push_front(T::default());
            }
            self.first = at;
        }
        if index >= 2 * self.most as i64 {
            self.items.clear();
            self.first = at;
        }
        while at - self.first >= self.items.len() as i64 {
            self.items.push_back(T::default());
            if self.items.len() > self.most {
                self.items.pop_front();
                self.first += 1;
            }
        }
        usize::try_from(at - self.first).ok()
    }

    /// Doubles the steps until the time fits in, as far as they may grow.
    fn stretch(&mut self, second: i64) {
        loop {
            let at = self.number(second);
            let last = self.first + self.items.len() as i64 - 1;
            let length = at.max(last).saturating_sub(at.min(self.first)).saturating_add(1);
            if self.items.is_empty() || length <= self.most as i64 || self.step >= self.widest {
                return;
            }
            self.double();
        }
    }

    fn double(&mut self) {
        let mut halved: VecDeque<T> = VecDeque::with_capacity(self.items.len() / 2 + 1);
        for (step, item) in (self.first..).zip(&self.items) {
            match halved.back_mut().filter(|_| step.rem_euclid(2) == 1) {
                Some(last) => last.merge(item),
                None => halved.push_back(item.clone()),
            }
        }
        self.first = self.first.div_euclid(2);
        self.step *= 2;
        self.items = halved;
    }

    /// What the step holds with this number since 1970.
    pub fn get(&self, step: i64) -> Option<&T> {
        usize::try_from(step.wrapping_sub(self.first)).ok().and_then(|index| self.items.get(index))
    }

    /// The steps that there are: the second at which each begins, and what it holds.
    pub fn iter(&self) -> impl Iterator<Item = (i64, &T)> {
        (self.first..).map(|at| at.saturating_mul(self.step)).zip(&self.items)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Takes in another's steps.
    pub fn merge(&mut self, other: &Self) {
        for (second, item) in other.iter() {
            if let Some(own) = self.at_mut(second) {
                own.merge(item);
            }
        }
    }
}
