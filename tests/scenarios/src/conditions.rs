//! What makes a service's log harder to read: those that a service has by chance, in scenarios that are meant to be hard.

use crate::random::Random;

/// What is hard about a service.
#[derive(Clone, Debug, Default)]
pub struct Conditions {
    /// Whether some minutes have many times the usual traffic.
    is_heavy: bool,
    /// Parts of the log that are lost, as shares of its length.
    missing: Vec<(f64, f64)>,
    /// How much traffic there is after each deploy, of what was before the first.
    volumes: Vec<f64>,
    /// How long it takes until what goes wrong is at its worst, as a share of the log's length.
    slow: f64,
    /// Minutes that the log's clock is ahead of UTC.
    pub zone: i64,
}

impl Conditions {
    /// Hard ones.
    pub fn any(random: &mut Random) -> Self {
        let mut missing = Vec::new();
        for _ in 0..random.below(3) {
            let from = random.between(0.05, 0.95);
            missing.push((from, from + random.between(0.002, 0.015)));
        }
        Self {
            is_heavy: random.happens(0.5),
            missing,
            volumes: (0..3).map(|_| if random.happens(0.5) { random.between(0.7, 1.5) } else { 1.0 }).collect(),
            slow: if random.happens(0.4) { random.between(0.02, 0.1) } else { 0.0 },
            zone: *random.one_of(&[0, 0, 60, 120, -300, -480, 330]),
        }
    }

    /// How busy each minute is.
    pub fn minutes(&self, random: &mut Random, number: usize, noise: f64) -> Vec<f64> {
        let minute = |random: &mut Random| {
            let usual = (random.normal() * noise).exp();
            if self.is_heavy && random.happens(0.02) { usual * random.scale(1.5, 4.0) } else { usual }
        };
        (0..number).map(|_| minute(random)).collect()
    }

    /// Whether what is written at this share of the log is lost.
    pub fn is_missing(&self, share: f64) -> bool {
        self.missing.iter().any(|(from, to)| (*from..*to).contains(&share))
    }

    /// How much traffic there is after so many deploys.
    pub fn volume(&self, deploys: usize) -> f64 {
        self.volumes.iter().take(deploys).product()
    }

    /// The most traffic that there may be, of the usual.
    pub fn most(&self) -> f64 {
        if self.volumes.is_empty() { 1.0 } else { 4.0 }
    }

    /// How much of what goes wrong is there, so long after its beginning, as a share of the log's length.
    pub fn grown(&self, since: f64) -> f64 {
        if self.slow > 0.0 { (since / self.slow).clamp(0.0, 1.0) } else { 1.0 }
    }
}
