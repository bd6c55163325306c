//! How sure it is that something is an incident: evidence made into a share that is right about so often.
//!
//! First a score: a straight line in the logarithm of the evidence, made a share by the logistic function (Platt, 1999), with a
//! ceiling for what no evidence can tell: a change that is real may be wanted. Then how often issues with such a score were right,
//! by a table for each kind, with straight lines between its points. The tables are by isotonic regression (Zadrozny and Elkan,
//! 2002) over scenarios of both generators, rounded: of the first's sets the seeds from 20001 on, of the second's those up to 200;
//! `cargo xtask bench incidents` reports others.

/// Scores, and how often issues with them were right; both grow.
type Table = [(f64, f64)];

/// A rate of ordinary lines.
const RATE: &Table = &[
    (0.15, 0.05),
    (0.3, 0.07),
    (0.45, 0.13),
    (0.52, 0.35),
    (0.6, 0.5),
    (0.66, 0.65),
    (0.73, 0.87),
    (0.86, 0.97),
    (0.98, 0.99),
];
/// Errors that became more frequent.
const BURST: &Table =
    &[(0.2, 0.1), (0.4, 0.2), (0.5, 0.4), (0.56, 0.55), (0.64, 0.78), (0.75, 0.92), (0.85, 0.97), (0.98, 0.99)];
/// Work that takes longer.
const SLOW: &Table = &[(0.3, 0.5), (0.4, 0.75), (0.5, 0.88), (0.62, 0.95), (0.85, 0.98), (0.98, 0.99)];
/// Lines that stopped.
const SILENT: &Table =
    &[(0.3, 0.18), (0.42, 0.35), (0.5, 0.55), (0.58, 0.75), (0.72, 0.93), (0.85, 0.98), (0.98, 0.99)];
/// Faults and warnings that are new.
const NEW: &Table = &[(0.2, 0.4), (0.45, 0.62), (0.53, 0.75), (0.6, 0.92), (0.75, 0.97), (0.98, 0.99)];
/// Values that get to their limits.
const TREND: &Table = &[(0.3, 0.5), (0.5, 0.8), (0.6, 0.92), (0.8, 0.97), (0.98, 0.99)];
/// Lines that the service does not survive, which are so by their words or their level.
const CRITICAL: f64 = 0.98;

/// The spread of the times between lines that come at even times.
const REGULAR: f64 = 0.6;
/// The share of what stops or begins as a service is started that is no new version's doing, or as debugging is turned on or off.
const WANTED: f64 = 0.2;

/// How often issues with the score were right.
fn right(score: f64, table: &Table) -> f64 {
    let behind = table.partition_point(|(known, _)| *known <= score);
    let (below, above) = (behind.checked_sub(1).and_then(|at| table.get(at)), table.get(behind));
    match (below, above) {
        (Some((from, low)), Some((to, high))) => low + (high - low) * (score - from) / (to - from),
        (Some((_, share)), None) => *share,
        // In proportion below the first.
        (None, Some((to, high))) => high * (score / to).clamp(0.0, 1.0),
        (None, None) => score,
    }
}

/// A score from evidence: one half at `half`, nearer to the ceiling by `slope` for each factor of e.
fn share(evidence: f64, half: f64, slope: f64, ceiling: f64) -> f64 {
    ceiling / (1.0 + (-slope * (evidence.max(1e-3) / half).ln()).exp())
}

/// Of a rate of ordinary lines.
pub fn rate(evidence: f64, ratio: f64) -> f64 {
    let effect = ratio.max(1.0 / ratio.max(1e-6)).ln().min(2.0);
    right(share(evidence, 5.0, 2.0, 0.98) * (0.6 + 0.4 * (effect / 0.7).min(1.0)), RATE)
}

/// Of errors that became more frequent.
pub fn burst(evidence: f64) -> f64 {
    right(share(evidence, 5.0, 2.0, 0.98), BURST)
}

/// Of a slowdown.
pub fn slowdown(evidence: f64, ratio: f64) -> f64 {
    right(share(evidence, 4.0, 2.0, 0.98) * (0.6 + 0.4 * (ratio.ln() / 0.5).clamp(0.0, 1.0)), SLOW)
}

/// Of a line that stopped.
pub fn silence(evidence: f64, spread: f64) -> f64 {
    right(share(evidence, 4.0, 2.0, 0.97) * if is_regular(spread) { 1.0 } else { 0.85 }, SILENT)
}

/// Whether lines came at even times, by the spread of the times between them as a share of their mean.
pub fn is_regular(spread: f64) -> bool {
    spread < REGULAR
}

/// Of what somebody may have wanted, since it stopped or began with a start of the service or with debugging, by how sure it would be
/// at another time.
pub fn wanted(confidence: f64) -> f64 {
    confidence * WANTED
}

/// Of a trend, by its standard errors and the time left as a share of the time that was looked at.
pub fn trend(evidence: f64, left: f64) -> f64 {
    right(share(evidence, 6.0, 2.0, 0.97) / (1.0 + (left / 3.0).powi(2)), TREND)
}

/// Of warnings that are new, by how unlikely it is that they were always there.
pub fn new_warning(novelty: f64) -> f64 {
    right(share(novelty, 9.0, 2.0, 0.9), NEW)
}

/// Of a fault, by how sure its lines are that it is one: more where it is new, by how unlikely it is that it was always there; less
/// where it always was.
pub fn sure_of_fault(by_lines: f64, novelty: Option<f64>, is_usual: bool) -> f64 {
    match novelty {
        Some(novelty) => right(share(novelty, 5.5, 3.0, 0.98), NEW),
        None if is_usual => by_lines * 0.7,
        None => by_lines,
    }
}

/// Of a fault that the service does not survive, by how sure its lines are that it is one.
pub fn sure_of_critical(by_lines: f64) -> f64 {
    by_lines.max(CRITICAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_evidence_is_never_less_sure_and_nothing_is_certain() {
        let confidences: [fn(f64) -> f64; 6] = [
            |evidence| rate(evidence, 2.0),
            burst,
            |evidence| slowdown(evidence, 2.0),
            |evidence| silence(evidence, 0.2),
            |evidence| trend(evidence, 1.0),
            new_warning,
        ];
        for sure in confidences {
            let all: Vec<f64> = (0..400).map(|step| sure(f64::from(step) * 0.1)).collect();
            assert!(all.is_sorted(), "{all:?}");
            assert!(all.iter().all(|share| (0.0..1.0).contains(share)), "{all:?}");
        }
    }

    #[test]
    fn the_tables_grow_in_both_columns() {
        for table in [RATE, BURST, SLOW, SILENT, NEW, TREND] {
            assert!(table.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1), "{table:?}");
        }
    }
}
