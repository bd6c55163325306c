//! How sure it is that something is an incident: evidence made into a share that is right about so often.
//!
//! A straight line in the logarithm of the evidence, made a share by the logistic function (Platt, 1999), with a ceiling for what
//! no evidence can tell: a change that is real may be wanted. The constants were fitted to the scenarios of
//! `cargo xtask bench incidents`, on other seeds than those that it reports.

/// A share from evidence: one half at `half`, nearer to the ceiling by `slope` for each factor of e.
fn share(evidence: f64, half: f64, slope: f64, ceiling: f64) -> f64 {
    ceiling / (1.0 + (-slope * (evidence.max(1e-3) / half).ln()).exp())
}

/// Of a rate of ordinary lines.
pub fn rate(evidence: f64, ratio: f64) -> f64 {
    let effect = ratio.max(1.0 / ratio.max(1e-6)).ln().min(2.0);
    share(evidence, 5.0, 2.0, 0.98) * (0.6 + 0.4 * (effect / 0.7).min(1.0))
}

/// Of errors that became more frequent.
pub fn burst(evidence: f64) -> f64 {
    share(evidence, 5.0, 2.0, 0.98)
}

/// Of a slowdown.
pub fn slowdown(evidence: f64, ratio: f64) -> f64 {
    share(evidence, 4.0, 2.0, 0.98) * (0.6 + 0.4 * (ratio.ln() / 0.5).clamp(0.0, 1.0))
}

/// Of a line that stopped.
pub fn silence(evidence: f64, spread: f64) -> f64 {
    share(evidence, 4.0, 2.0, 0.97) * if spread < 0.6 { 1.0 } else { 0.85 }
}

/// Of a trend, by its standard errors and the time left as a share of the time that was looked at.
pub fn trend(evidence: f64, left: f64) -> f64 {
    share(evidence, 6.0, 2.0, 0.97) / (1.0 + (left / 3.0).powi(2))
}

/// Of warnings that are new, by how unlikely it is that they were always there.
pub fn new_warning(novelty: f64) -> f64 {
    share(novelty, 9.0, 2.0, 0.9)
}

/// Of a fault, by how sure its lines are that it is one: more where it is new, by how unlikely it is that it was always there; less
/// where it always was.
pub fn sure_of_fault(by_lines: f64, novelty: Option<f64>, is_usual: bool) -> f64 {
    match novelty {
        Some(novelty) => share(novelty, 5.5, 3.0, 0.98),
        None if is_usual => by_lines * 0.7,
        None => by_lines,
    }
}
