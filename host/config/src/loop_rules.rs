//! How much the loop does by itself, and when.

use std::str::FromStr;

use autodevops_pipeline::Freeze;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};

/// Limits on the loop itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct LoopRules {
    /// When no run begins with production. One that has begun goes on, and back.
    pub freeze: Vec<FreezeWindow>,
    /// How many runs may start within 24 hours. Without it, as many as there are issues.
    pub runs_a_day: Option<u32>,
    /// How many releases runs may bring to production within 24 hours.
    pub deploys_a_day: Option<u32>,
    /// How many calls of fix generators there may be within 24 hours.
    pub fix_generator_calls_a_day: Option<u32>,
    /// How many tokens of language models plugins may use within 24 hours, by their own word, or else one for every four bytes of their
    /// requests that carry a body, and of the answers; what deploys or keeps data sends other things, and counts by its word alone. Once
    /// there were as many, no run starts, no analyzer, generator or check with `http` is called, nor a health check that used any: logs
    /// wait, and are read later. What deploys, keeps data and tells people is always called.
    pub tokens_a_day: Option<u64>,
}

/// A time of the week in which no run begins with production.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FreezeWindow {
    /// Days such as `sat`, ranges such as `fri-sun`, or several: `tue, thu`. A range is one freeze, from its first day to its last.
    #[schemars(with = "crate::schema::DaysText")]
    pub days: Days,
    /// When it begins on the first day. `00:00` when absent.
    #[serde(default)]
    #[schemars(with = "crate::schema::ClockText")]
    pub from: Clock,
    /// When it ends on the last day; where that is not after `from`, on the day after. `24:00` when absent.
    #[serde(default = "midnight")]
    #[schemars(with = "crate::schema::ClockText")]
    pub to: Clock,
    /// Whose clocks are meant, such as `Europe/Berlin`. `UTC` when absent.
    #[serde(default = "utc")]
    pub time_zone: String,
    /// Why; `autodevops runs` and `show` tell it of a run that waits.
    #[serde(default)]
    pub reason: String,
}

/// Ranges of days of the week, each from a first to a last; 0 is Monday.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Days(pub Vec<(u8, u8)>);

/// A time of the day: minutes since midnight, up to 1440.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock(pub u16);

const fn midnight() -> Clock {
    Clock(1440)
}

fn utc() -> String {
    "UTC".into()
}

const WEEK: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl FromStr for Days {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let day = |name: &str| {
            let found = WEEK.iter().position(|day| day.eq_ignore_ascii_case(name.trim()));
            let found = found.and_then(|index| u8::try_from(index).ok());
            found.ok_or_else(|| format!("`{}` is no day; write {}, such as `fri-sun`", name.trim(), WEEK.join(", ")))
        };
        let range = |range: &str| match range.split_once('-') {
            Some((first, last)) => Ok((day(first)?, day(last)?)),
            None => day(range).map(|day| (day, day)),
        };
        text.split(',').map(range).collect::<Result<_, _>>().map(Self)
    }
}

impl FromStr for Clock {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = || {
            let (hours, minutes) = text.trim().split_once(':')?;
            let (hours, minutes) =
                (hours.parse::<u16>().ok()?, minutes.parse::<u16>().ok().filter(|_| minutes.len() == 2)?);
            let clock = hours.checked_mul(60)?.checked_add(minutes)?;
            (minutes < 60 && clock <= 1440).then_some(clock)
        };
        read().map(Self).ok_or_else(|| format!("`{text}` is no time of the day; write from `00:00` to `24:00`"))
    }
}

impl<'de> Deserialize<'de> for Days {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Clock {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl FreezeWindow {
    pub(crate) fn freezes(&self) -> impl Iterator<Item = Freeze> {
        self.days.0.iter().map(|(first, last)| Freeze {
            first: *first,
            last: *last,
            from: self.from.0,
            to: self.to.0,
            time_zone: self.time_zone.clone(),
            reason: self.reason.clone(),
        })
    }
}
