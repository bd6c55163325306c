//! How busy it is: hours of work with a dip at noon, and a mood that wanders.

use crate::random::Random;

pub const HOUR: f64 = 3600.0;
const DAY: f64 = 24.0 * HOUR;
/// Seconds that the mood stays the same, and how much of it is left in the next such time.
const MOOD_SECONDS: f64 = 120.0;
const MOOD_STAYS: f64 = 0.9;

/// How busy it is over time.
pub struct Hours {
    /// How busy it is when nobody works, as a share of the most.
    rest: f64,
    /// When work begins and ends.
    opens: f64,
    closes: f64,
    /// How much less there is to do at noon, and on weekends.
    noon: f64,
    weekend: f64,
    /// Logarithms of factors.
    moods: Vec<f64>,
}

impl Hours {
    pub fn any(random: &mut Random, length: f64) -> Self {
        // Machines that hand in work know no hours.
        let by_people = random.happens(0.6);
        let size = random.between(0.0, 0.3);
        let mut mood = 0.0;
        let wander = |_| {
            mood = MOOD_STAYS * mood + (1.0 - MOOD_STAYS * MOOD_STAYS).sqrt() * size * random.normal();
            mood
        };
        let moods = (0..(length / MOOD_SECONDS) as usize + 2).map(wander).collect();
        Self {
            rest: if by_people { random.between(0.1, 0.5) } else { 1.0 },
            opens: random.between(6.0, 9.5),
            closes: random.between(16.0, 20.0),
            noon: random.between(0.0, 0.5),
            weekend: if random.happens(0.5) { random.between(0.2, 0.8) } else { 1.0 },
            moods,
        }
    }

    /// How busy it is at a second since 1970 by the hour alone, of the most.
    fn by_hour(&self, second: f64) -> f64 {
        let hour = second.rem_euclid(DAY) / HOUR;
        let edge = |at: f64| 1.0 / (1.0 + (-(hour - at) / 0.4).exp());
        let works = (edge(self.opens) - edge(self.closes)) * (1.0 - self.noon * (-((hour - 12.6) / 0.6).powi(2)).exp());
        // The first day of 1970 was a Thursday.
        let is_weekend = ((second / DAY).floor() as i64 + 3).rem_euclid(7) >= 5;
        (self.rest + (1.0 - self.rest) * works) * if is_weekend { self.weekend } else { 1.0 }
    }

    /// How busy it is so many seconds after the log begins at `start`; the mood may make it busier than the most.
    pub fn at(&self, start: f64, at: f64) -> f64 {
        let mood = self.moods.get((at / MOOD_SECONDS).max(0.0) as usize).copied().unwrap_or_default();
        self.by_hour(start + at) * mood.exp()
    }

    /// How busy it is on average between two seconds since 1970, by the hour.
    pub fn mean(&self, from: f64, to: f64) -> f64 {
        const STEPS: usize = 400;
        (0..STEPS).map(|step| self.by_hour(from + (to - from) * (step as f64 + 0.5) / STEPS as f64)).sum::<f64>()
            / STEPS as f64
    }
}
