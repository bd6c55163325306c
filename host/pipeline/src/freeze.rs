//! Times in which nothing new goes to production.

use jiff::{
    SignedDuration, Timestamp as Instant,
    civil::{Time, Weekday},
    tz::TimeZone,
};
use serde::{Deserialize, Serialize};

use crate::{Effect, Environment, Run, RunStage, Timestamp};

const DAY_MINUTES: i64 = 1440;

/// A time of the week in which no run begins with production. It goes from the first day to the last without a break.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Freeze {
    /// The day that it begins on: 0 is Monday.
    pub first: u8,
    /// The day that it ends on; where [`Freeze::to`] is not after [`Freeze::from`], the day after this one.
    pub last: u8,
    /// When it begins on the first day: minutes since midnight.
    pub from: u16,
    /// When it ends on the last day: minutes since midnight, up to 1440.
    pub to: u16,
    /// Name of the time zone whose clocks are meant, such as `Europe/Berlin`.
    pub time_zone: String,
    /// Why.
    pub reason: String,
}

impl Freeze {
    /// Whether there is a time zone of that name.
    pub fn knows(time_zone: &str) -> bool {
        TimeZone::get(time_zone).is_ok()
    }

    /// Whether it begins again before it ends, so that nothing would ever be done.
    pub fn never_ends(&self) -> bool {
        let minutes = self.days() * DAY_MINUTES + i64::from(self.to) - i64::from(self.from);
        minutes >= 7 * DAY_MINUTES
    }

    /// When it ends, if it lasts at that moment. Where a time zone is not known to this machine, its freeze always lasts: better to
    /// ask a person than to deploy in it.
    pub fn until(&self, at: Timestamp) -> Option<Timestamp> {
        let Ok(zone) = TimeZone::get(&self.time_zone) else { return Some(Timestamp(i64::MAX)) };
        let now = zone.to_datetime(Instant::from_nanosecond(i128::from(at.0)).ok()?);
        let first = Weekday::from_monday_zero_offset(i8::try_from(self.first).ok()?).ok()?;
        let days_back = first.until(now.weekday()).rem_euclid(7);
        // The one that began on the last such day, or, where that goes on for more than a week's end, on the one before.
        [days_back, days_back + 7].into_iter().find_map(|back| {
            let day = now.date().checked_sub(SignedDuration::from_hours(24 * i64::from(back))).ok()?;
            let last = day.checked_add(SignedDuration::from_hours(24 * self.days())).ok()?;
            let instant = |day: jiff::civil::Date, minutes: u16| {
                let (hour, minute) = (i8::try_from(minutes / 60).ok()?, i8::try_from(minutes % 60).ok()?);
                let (day, hour) = if hour >= 24 { (day.tomorrow().ok()?, 0) } else { (day, hour) };
                let time = Time::new(hour, minute, 0, 0).ok()?;
                let moment = zone.to_timestamp(day.to_datetime(time)).ok()?.as_nanosecond();
                Some(Timestamp(i64::try_from(moment).unwrap_or(i64::MAX)))
            };
            let (begin, end) = (instant(day, self.from)?, instant(last, self.to)?);
            (begin <= at && at < end).then_some(end)
        })
    }

    /// Days from its first to that on which it ends.
    fn days(&self) -> i64 {
        let between = (i64::from(self.last) - i64::from(self.first)).rem_euclid(7);
        if self.to <= self.from { between + 1 } else { between }
    }
}

impl Run {
    /// The freeze that keeps the run from beginning with production at that moment, and when it ends. One that has begun is never held
    /// up: neither its steps nor its way back.
    pub fn freeze(&self, now: Timestamp) -> Option<(Timestamp, &Freeze)> {
        let begun = |effect: &Effect| effect.environment == Some(Environment::Production);
        if self.stage() != RunStage::ProductionDeploy || self.pending().any(begun) {
            return None;
        }
        let lasting = self.plan().freeze.iter().filter_map(|freeze| Some((freeze.until(now)?, freeze)));
        lasting.max_by_key(|(until, _)| *until)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn freeze(first: u8, last: u8, from: u16, to: u16) -> Freeze {
        let (time_zone, reason) = ("Europe/Berlin".into(), "quiet".into());
        Freeze { first, last, from, to, time_zone, reason }
    }

    fn at(text: &str) -> Timestamp {
        Timestamp(i64::try_from(text.parse::<Instant>().unwrap().as_nanosecond()).unwrap())
    }

    #[test]
    fn a_weekend_is_one_freeze_from_its_first_day_to_its_last() {
        // Friday 16:00 to Monday 08:00: 2026-11-20 is a Friday, and Berlin is an hour before UTC.
        let weekend = freeze(4, 6, 16 * 60, 8 * 60);
        let end = Some(at("2026-11-23T07:00:00Z"));
        for (moment, until) in [
            ("2026-11-20T14:59:59Z", None),
            ("2026-11-20T15:00:00Z", end),
            ("2026-11-21T12:00:00Z", end),
            ("2026-11-23T06:59:59Z", end),
            ("2026-11-23T07:00:00Z", None),
            ("2026-11-25T12:00:00Z", None),
        ] {
            assert_eq!(weekend.until(at(moment)), until, "{moment}");
        }
    }

    #[test]
    fn a_week_without_an_hour_that_is_free_never_ends() {
        for (whole, never) in [
            (freeze(0, 6, 0, 1440), true),
            (freeze(2, 1, 0, 1440), true),
            (freeze(0, 6, 480, 480), true),
            (freeze(0, 6, 0, 1439), false),
            (freeze(0, 6, 480, 479), false),
            (freeze(0, 0, 480, 480), false),
            (freeze(4, 6, 960, 480), false),
        ] {
            assert_eq!(whole.never_ends(), never, "{whole:?}");
        }
    }

    #[test]
    fn a_night_ends_on_the_day_after_and_clocks_that_change_are_followed() {
        let night = freeze(5, 5, 22 * 60, 6 * 60);
        // Summer time ends in the night to Sunday, 2026-10-25.
        assert_eq!(night.until(at("2026-10-24T20:00:00Z")), Some(at("2026-10-25T05:00:00Z")));
        assert_eq!(night.until(at("2026-10-24T19:59:59Z")), None);
        let day = freeze(2, 2, 0, 1440);
        assert_eq!(day.until(at("2026-11-25T22:59:59Z")), Some(at("2026-11-25T23:00:00Z")));
        assert_eq!(day.until(at("2026-11-25T23:00:00Z")), None);
    }

    #[test]
    fn a_freeze_of_nearly_a_week_is_known_on_its_last_morning() {
        // From Friday 16:00 to the next Friday 08:00, Berlin's time.
        let week = freeze(4, 3, 16 * 60, 8 * 60);
        for (moment, until) in [
            ("2026-11-20T06:59:59Z", Some(at("2026-11-20T07:00:00Z"))),
            ("2026-11-20T07:00:00Z", None),
            ("2026-11-20T14:59:59Z", None),
            ("2026-11-20T15:00:00Z", Some(at("2026-11-27T07:00:00Z"))),
            ("2026-11-27T06:59:59Z", Some(at("2026-11-27T07:00:00Z"))),
        ] {
            assert_eq!(week.until(at(moment)), until, "{moment}");
        }
    }

    #[test]
    fn a_time_zone_that_is_not_known_freezes_for_good() {
        assert!(Freeze::knows("Europe/Berlin") && Freeze::knows("UTC") && !Freeze::knows("Europe/Atlantis"));
        let mut lost = freeze(0, 0, 0, 1);
        lost.time_zone = "Europe/Atlantis".into();
        assert_eq!(lost.until(at("2026-11-25T12:00:00Z")), Some(Timestamp(i64::MAX)));
    }

    proptest! {
        #[test]
        fn a_freeze_lasts_up_to_its_end_and_not_longer(
            first in 0_u8..7, last in 0_u8..7, from in 0_u16..1440, to in 0_u16..=1440, hours in 0_i64..20_000,
        ) {
            let one = freeze(first, last, from, to);
            let now = Timestamp(at("2026-01-01T00:00:00Z").0 + hours * 3_600_000_000_000);
            if let Some(until) = one.until(now) {
                prop_assert!(until > now);
                prop_assert!(one.until(Timestamp(until.0 - 1)).is_some());
                prop_assert!(until.0 - now.0 <= 8 * 24 * 3_600_000_000_000);
            }
        }
    }
}
