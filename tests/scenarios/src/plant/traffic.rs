//! How much is asked of a service, and when: days and weeks, and people who come for a while, some for very long.

use crate::random::Random;

pub const HOUR: f64 = 3600.0;
pub const DAY: f64 = 24.0 * HOUR;

/// The hours of the day and the days of the week.
#[derive(Clone, Debug)]
pub struct Season {
    /// How busy the quietest hour is, of the busiest.
    night: f64,
    /// The busy hours, with their width, and how busy each is.
    peaks: [(f64, f64, f64); 2],
    /// How busy Saturday and Sunday are, of the other days.
    weekend: f64,
}

impl Season {
    pub fn any(random: &mut Random) -> Self {
        let peak = |random: &mut Random, hour: f64| {
            (hour + random.between(-2.0, 2.0), random.between(2.0, 5.0), random.between(0.5, 1.0))
        };
        Self {
            night: random.scale(0.1, 0.9),
            peaks: [peak(random, 10.0), peak(random, 18.0)],
            weekend: random.between(0.3, 1.2),
        }
    }

    /// How busy it is at this second since 1970, of the most.
    pub fn at(&self, second: f64) -> f64 {
        let hour = second.rem_euclid(DAY) / HOUR;
        let near = |(peak, width, height): &(f64, f64, f64)| {
            let apart = (hour - peak).abs();
            height * (-(apart.min(24.0 - apart) / width).powi(2)).exp()
        };
        let busy = self.peaks.iter().map(near).fold(0.0, f64::max);
        // The first day of 1970 was a Thursday.
        let is_weekend = ((second / DAY).floor() as i64 + 3).rem_euclid(7) >= 5;
        (self.night + (1.0 - self.night) * busy) * if is_weekend { self.weekend.min(1.0) } else { 1.0 }
    }

    /// How busy it is on average between two seconds.
    pub fn mean(&self, from: f64, to: f64) -> f64 {
        const STEPS: usize = 500;
        let at = |step: usize| self.at(from + (to - from) * (step as f64 + 0.5) / STEPS as f64);
        (0..STEPS).map(at).sum::<f64>() / STEPS as f64
    }
}

/// Most requests of one visit.
const MOST: usize = 120;

/// People who come, ask several times, and go. How often they ask has a heavy tail, which makes the whole self-similar (Willinger,
/// Taqqu, Sherman, Wilson: Self-Similarity Through High-Variability, 1997).
#[derive(Clone, Debug)]
pub struct Visits {
    /// The exponent of the tail.
    tail: f64,
    /// Seconds between what one asks for.
    pub gap: f64,
}

impl Visits {
    pub fn any(random: &mut Random) -> Self {
        Self { tail: random.between(1.2, 2.2), gap: random.scale(0.3, 20.0) }
    }

    /// How often one asks (Pareto).
    pub fn requests(&self, random: &mut Random) -> usize {
        ((1.0 - random.share()).powf(-1.0 / self.tail) as usize).clamp(1, MOST)
    }

    /// How often one asks on average.
    pub fn mean(&self) -> f64 {
        (1..=MOST).map(|number| (number as f64).powf(-self.tail)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nights_are_quieter_than_days_and_weekends_no_busier_than_the_week() {
        for seed in 0..50 {
            let season = Season::any(&mut Random::new(seed));
            // 2026-11-25 was a Wednesday.
            let wednesday = 20_782.0 * DAY;
            let at = |day: f64, hour: f64| season.at(wednesday + day * DAY + hour * HOUR);
            assert!(at(0.0, 3.0) <= at(0.0, 10.0).max(at(0.0, 18.0)), "{season:?}");
            assert!(at(3.0, 12.0) <= at(0.0, 12.0), "{season:?}");
            assert!((0..24).all(|hour| (0.0..=1.0).contains(&at(0.0, f64::from(hour)))), "{season:?}");
        }
    }

    #[test]
    fn visits_have_a_heavy_tail_and_the_mean_that_is_told() {
        let mut random = Random::new(3);
        let visits = Visits::any(&mut random);
        let all: Vec<usize> = (0..20_000).map(|_| visits.requests(&mut random)).collect();
        let mean = all.iter().sum::<usize>() as f64 / all.len() as f64;
        assert!((mean / visits.mean() - 1.0).abs() < 0.1, "{mean} {visits:?}");
        assert!(all.iter().filter(|number| **number == 1).count() > 10_000 && all.iter().any(|number| *number > 40));
    }
}
