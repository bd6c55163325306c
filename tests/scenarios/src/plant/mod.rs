//! A second generator of services that go wrong. It shares nothing with the first but chance and the scoring, so that what was fitted
//! to the first is measured on logs that nobody fitted anything to: other forms and words, visits with a heavy tail over days and
//! weeks, work by the hour, lost minutes, deploys that put lines in other words, and outages that show in several places at once.
//!
//! ```text
//! service ── outage ──> writer (+ requests) ──> logs
//!                └────> truth
//! ```

mod forms;
mod outage;
mod requests;
mod service;
mod traffic;
mod truth;
mod words;
mod writer;

use outage::{Cause, Outage};
use service::Service;
pub use words::faults;
use writer::Writer;

use crate::{Truth, random::Random};

/// How often nothing goes wrong.
const SOUND: f64 = 0.2;

/// The logs of a service, and what is wrong in them.
pub fn logs(random: &mut Random) -> (Vec<(String, String)>, Vec<Truth>) {
    let (service, outage) = drawn(random);
    let truth = outage.as_ref().map(|outage| truth::of(outage, &service));
    (Writer::new(random, &service, outage.as_ref()).write(), truth.into_iter().collect())
}

fn drawn(random: &mut Random) -> (Service, Option<Outage>) {
    let mut service = Service::any(random);
    let cause = (!random.happens(SOUND)).then(|| *random.one_of(&Cause::ALL));
    let outage = cause.map(|cause| Outage::any(random, cause, &mut service));
    (service, outage)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]

        #[test]
        fn a_seed_makes_one_log_and_what_is_wrong_lies_within_it(seed in any::<u64>()) {
            let (service, outage) = drawn(&mut Random::apart(seed));
            let (logs, truths) = super::logs(&mut Random::apart(seed));
            let again = super::logs(&mut Random::apart(seed));
            prop_assert_eq!((&logs, &truths), (&again.0, &again.1));
            let lines: usize = logs.iter().map(|(_, log)| log.lines().count()).sum();
            prop_assert!((1000..150_000).contains(&lines), "{} lines", lines);
            prop_assert_eq!(truths.len(), usize::from(outage.is_some()));
            if let Some(outage) = outage {
                let within = |at: f64| at > 0.2 * service.length && at <= service.length;
                prop_assert!(within(outage.from) && within(outage.to) && outage.from < outage.to, "{:?}", outage);
                prop_assert!(outage.grown(outage.from) < 1.0 || outage.worst <= outage.from);
            }
        }

        #[test]
        fn what_only_comes_of_an_outage_comes_at_no_other_time(seed in any::<u64>()) {
            let mut random = Random::apart(seed);
            let mut service = Service::any(&mut random);
            let cause = *random.one_of(&[Cause::PoolRunsOut, Cause::CertificateExpires, Cause::WrongSetting, Cause::CrashLoop]);
            let outage = Outage::any(&mut random, cause, &mut service);
            let mark = truth::of(&outage, &service).marks[0].clone();
            let mut writer = Writer::new(&mut random, &service, Some(&outage));
            writer.requests();
            writer.starts();
            let begun = if cause == Cause::PoolRunsOut && outage.comes_to_its_worst() { outage.worst } else { outage.from };
            for (at, line) in writer.own.iter().filter(|(at, line)| *at < service.length && line.contains(&mark)) {
                prop_assert!(*at >= begun && *at <= outage.to + 60.0, "{} {:?}: {}", at, outage, line);
            }
        }
    }

    #[test]
    fn every_outage_comes_up_with_its_lines_and_some_services_are_sound() {
        let mut names = BTreeSet::new();
        let mut sound = 0;
        for seed in 0..60 {
            let (logs, truths) = super::logs(&mut Random::apart(seed));
            sound += usize::from(truths.is_empty());
            for truth in truths {
                let is_there = |mark: &String| logs.iter().any(|(_, log)| log.contains(mark.as_str()));
                assert!(truth.marks.iter().all(is_there), "{seed}: {truth:?}");
                names.insert(truth.what);
            }
        }
        assert_eq!(names.len(), Cause::ALL.len(), "{names:?}");
        assert!((4..25).contains(&sound), "{sound}");
    }
}
