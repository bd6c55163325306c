//! Lines that are for those who debug: they come and go as somebody turns them on and off, which is nothing that goes wrong.

use super::{
    series::{Series, between},
    track::Track,
};

/// They are turned on now and then where they come in less than this share of the time, else off now and then.
const SELDOM: f64 = 0.5;
/// The share of lines that is next to none.
const NEXT_TO_NONE: f64 = 0.02;

/// The lines of a source that are for those who debug.
pub struct Debugging {
    all: Series,
    coverage: (i64, i64),
    is_seldom: bool,
}

impl Debugging {
    /// Those of the kinds that are.
    pub fn new<'a>(tracks: impl Iterator<Item = &'a Track>, coverage: (i64, i64)) -> Self {
        let mut all = Series::default();
        tracks.filter(|track| track.debugs).for_each(|track| all.merge(&track.series));
        let steps = between(&all.coarse, coverage.0, coverage.1).counts;
        let with = steps.iter().filter(|count| **count > 0.0).count();
        Self { is_seldom: (with as f64) < SELDOM * steps.len() as f64, all, coverage }
    }

    /// Whether a change of a kind from one time to another, in nanoseconds, is one of what is written at all: such lines come seldom,
    /// or the others came and went with it, or there are none.
    pub fn switched(&self, track: &Track, (from, to): (i64, i64)) -> bool {
        if !track.debugs {
            return false;
        }
        let (first, last) = self.coverage;
        let own = |from: i64, to: i64| track.series.sum(from, to);
        let others = |from: i64, to: i64| (self.all.sum(from, to) - own(from, to)).max(0.0);
        let is_none = |sum: &dyn Fn(i64, i64) -> f64| {
            let (within, all) = (sum(from, to), sum(first, last));
            [within <= NEXT_TO_NONE * all, all - within <= NEXT_TO_NONE * all]
        };
        let (of_own, of_others) = (is_none(&own), is_none(&others));
        self.is_seldom || of_own.iter().zip(of_others).any(|(own, others)| *own && others)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{detect::track::Room, line::Line, record::Level, time::SECOND};

    /// A kind of debug lines that comes each two seconds within these times.
    fn track(text: &str, times: &[std::ops::Range<i64>]) -> Track {
        let line = Line { level: Some(Level::Debug), ..Line::of(text) };
        let mut track = Track::new(&line, times[0].start * SECOND);
        for second in times.iter().flat_map(|times| times.clone().step_by(2)) {
            track.add(&line, second * SECOND, 1, &mut Room::default());
        }
        track
    }

    #[test]
    fn what_comes_and_goes_with_all_debug_lines_is_a_setting_and_what_does_so_alone_is_not() {
        let all = (0, 6000 * SECOND);
        let switched = |tracks: &[Track], from: i64, to: i64| {
            Debugging::new(tracks.iter(), all).switched(&tracks[0], (from * SECOND, to * SECOND))
        };
        let always = track("read the cart", std::slice::from_ref(&(0..6000)));
        let stops = |text| track(text, std::slice::from_ref(&(0..4000)));
        assert!(!switched(&[stops("locked a row"), always.clone()], 4000, 6000));
        assert!(switched(&[stops("locked a row"), stops("read the cart")], 4000, 6000));
        assert!(switched(&[stops("locked a row")], 4000, 6000));
        let twice = |text| track(text, &[1000..1500, 4000..4700]);
        assert!(switched(&[twice("locked a row"), twice("read the cart")], 4000, 4700));
        // Lines that are for all are never a setting.
        let mut told = stops("locked a row");
        told.debugs = false;
        assert!(!switched(&[told], 4000, 6000));
    }
}
