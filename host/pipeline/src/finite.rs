//! Numbers from plugins, made finite: JSON, which the journal holds, knows neither infinity nor "not a number".

use autodevops_model::{Fix, Observation};

use crate::{NamedReport, Sample};

/// The number itself, or the greatest there is: what is no number is never taken for a small one.
fn finite(number: f64) -> f64 {
    if number.is_finite() { number } else { f64::MAX }
}

/// Makes the bounds and values of latencies finite: the last bucket's bound becomes the greatest number. No more than all
/// requests can have failed.
pub(crate) fn samples(mut samples: Vec<Sample>) -> Vec<Sample> {
    for measurement in samples.iter_mut().flat_map(|sample| &mut sample.measurements) {
        match &mut measurement.observation {
            Observation::Rate(rate) => rate.events = rate.events.min(rate.total),
            Observation::Histogram(buckets) => buckets.iter_mut().for_each(|bucket| bucket.le = finite(bucket.le)),
            Observation::Samples(values) => values.iter_mut().for_each(|value| *value = finite(*value)),
        }
    }
    samples
}

/// Leaves out metrics that are no numbers.
pub(crate) fn reports(mut reports: Vec<NamedReport>) -> Vec<NamedReport> {
    for named in &mut reports {
        named.report.metrics.retain(|metric| metric.value.is_finite());
    }
    reports
}

/// A confidence that is no share of one is none.
pub(crate) fn fix(mut fix: Box<Fix>) -> Box<Fix> {
    if !(0.0..=1.0).contains(&fix.confidence) {
        fix.confidence = 0.0;
    }
    fix
}

#[cfg(test)]
mod tests {
    use crate::tests::scene;

    #[test]
    fn a_confidence_that_is_no_share_of_one_is_none() {
        for (said, taken) in [(0.0, 0.0), (0.75, 0.75), (1.0, 1.0), (1.5, 0.0), (-0.1, 0.0), (f64::NAN, 0.0)] {
            let mut fix = scene::fix("a.js");
            fix.confidence = said;
            assert_eq!(super::fix(fix).confidence, taken, "{said}");
        }
    }
}
