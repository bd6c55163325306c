//! The choices of a world, as numbers.

/// How many choices a seed makes; what comes after is calm.
const LENGTH: usize = 600;

/// Numbers to choose by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tape {
    numbers: Vec<u16>,
    next: usize,
}

impl Tape {
    /// Of a seed. Some seeds make worlds that are calmer than others, so that runs come far.
    pub fn of(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let trouble = random.u16(1..=100);
        let numbers = (0..LENGTH).map(|_| if random.u16(0..100) < trouble { random.u16(..) } else { 0 });
        Self::from(numbers.collect())
    }

    /// Of these numbers.
    pub const fn from(numbers: Vec<u16>) -> Self {
        Self { numbers, next: 0 }
    }

    /// Its numbers.
    pub fn numbers(&self) -> &[u16] {
        &self.numbers
    }

    /// Whether all that is left is calm.
    pub const fn is_over(&self) -> bool {
        self.next >= self.numbers.len()
    }

    fn next(&mut self) -> u16 {
        let number = self.numbers.get(self.next).copied().unwrap_or(0);
        self.next += 1;
        number
    }

    /// Whether something happens that does so this often in a thousand; never by a 0.
    pub fn happens(&mut self, in_thousand: u16) -> bool {
        self.next() % 1000 >= 1000 - in_thousand
    }

    /// One of what may happen, each of which does so this often in a thousand; none of it by a 0.
    pub fn event<T: Copy>(&mut self, of: &[(u16, T)]) -> Option<T> {
        let mut left = 999 - self.next() % 1000;
        for (in_thousand, event) in of {
            if left < *in_thousand {
                return Some(*event);
            }
            left -= in_thousand;
        }
        None
    }

    /// One of these; the first by a 0.
    pub fn one<T: Copy>(&mut self, of: &[T]) -> T {
        let number = usize::from(self.next());
        of[number % of.len()]
    }
}
