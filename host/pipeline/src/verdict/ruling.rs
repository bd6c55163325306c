//! What one rule says of one sample.

use autodevops_model::Outcome;

use crate::Method;

/// What one rule says of one sample.
#[derive(Clone, Debug)]
pub(super) struct Ruling {
    pub(super) method: Method,
    pub(super) outcome: Outcome,
    /// Nothing speaks against it but the want of samples.
    pub(super) lacking: bool,
    /// A failure that needs no second window.
    pub(super) at_once: bool,
    /// How rarely a good release shows this or worse: of a failed window, to be held against all looks together.
    pub(super) chance: Option<f64>,
    pub(super) words: String,
    pub(super) numbers: Vec<(String, f64)>,
}

impl Ruling {
    pub(super) fn new(method: Method, outcome: Outcome, words: String, numbers: &[(&str, f64)]) -> Self {
        let numbers = numbers.iter().map(|(name, number)| ((*name).to_owned(), *number)).collect();
        Self { method, outcome, lacking: false, at_once: false, chance: None, words, numbers }
    }

    /// Inconclusive, for want of samples.
    pub(super) fn lacking(words: String, total: u64) -> Self {
        let ruling = Self::new(Method::MinSamples, Outcome::Inconclusive, words, &[("requests", total as f64)]);
        Self { lacking: true, ..ruling }
    }

    /// It cannot be judged: that passes nothing, and is nobody's fault.
    pub(super) fn error(words: String) -> Self {
        let ruling = Self::new(Method::Error, Outcome::Inconclusive, words, &[]);
        Self { lacking: true, ..ruling }
    }

    /// With a word on it, and a number where it is one.
    pub(super) fn and(mut self, words: &str) -> Self {
        self.words.push_str(words);
        self
    }

    pub(super) fn number(mut self, name: &str, number: f64) -> Self {
        self.numbers.push((name.to_owned(), number));
        self
    }
}

pub(super) const fn rank(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Failed => 2,
        Outcome::Inconclusive => 1,
        Outcome::Passed => 0,
    }
}

/// What is less, in per cent, is none: nobody sees one of so many requests.
const LEAST_PERCENT: f64 = 1e-9;

/// A share, as `5.0 %`; a small one with the digits that count.
pub(super) fn percent(share: f64) -> String {
    let value = share * 100.0;
    if (0.0..LEAST_PERCENT).contains(&value) || value >= 0.95 {
        format!("{value:.1} %")
    } else if (LEAST_PERCENT..0.01).contains(&value) {
        // Three digits: those of a threshold so small must be seen, for it to be checked by hand.
        let digits = 2 + value.log10().floor().abs() as usize;
        format!("{value:.digits$} %")
    } else {
        format!("{value:.2} %")
    }
}

/// A chance, as `1 in 2,000`, or in per cent where it is not small.
pub(super) fn chance(chance: f64) -> String {
    if chance >= 0.01 {
        return percent(chance);
    }
    let one_in = (1.0 / chance.max(1e-12)).round();
    // Two digits that count: more would say what is not known.
    let scale = 10_f64.powf((one_in.log10().floor() - 1.0).max(0.0));
    let digits = format!("{:.0}", (one_in / scale).round() * scale);
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let least = if chance < 1e-12 { "less than " } else { "" };
    format!("{least}1 in {grouped}")
}
