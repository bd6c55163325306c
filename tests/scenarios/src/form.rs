//! The forms that logs have.

use crate::{
    calendar::{MONTHS, date},
    random::Random,
};

/// The form of a service's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Plain,
    Log4j,
    Syslog,
    Pino,
    Json,
    Logfmt,
    Glog,
    Bracketed,
}

/// Levels from the least to the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Info,
    Warn,
    Error,
    Fatal,
}

impl Form {
    pub fn any(random: &mut Random) -> Self {
        use Form::{Bracketed, Glog, Json, Log4j, Logfmt, Pino, Plain, Syslog};
        *random.one_of(&[Plain, Log4j, Syslog, Pino, Json, Logfmt, Glog, Bracketed])
    }

    /// Whether it tells the milliseconds of a time.
    pub const fn tells_milliseconds(self) -> bool {
        !matches!(self, Self::Syslog | Self::Bracketed)
    }

    /// A line, with its end. The time is in seconds since 1970, and written by a clock that is so many minutes ahead of UTC.
    pub fn line(self, time: f64, zone: i64, level: Level, component: &str, message: &str) -> String {
        let epoch = (time.floor() as i64) * 1000 + ((time - time.floor()) * 1000.0) as i64;
        let time = time + zone as f64 * 60.0;
        let (second, milli) = (time.floor() as i64, ((time - time.floor()) * 1000.0) as i64);
        let (year, month, day) = date(second.div_euclid(86_400));
        let clock = second.rem_euclid(86_400);
        let (hour, minute, seconds) = (clock / 3600, clock / 60 % 60, clock % 60);
        let name = ["INFO", "WARN", "ERROR", "FATAL"][level as usize];
        let quoted = message.replace('\\', "\\\\").replace('"', "\\\"");
        let iso = format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{seconds:02}.{milli:03}{}", offset(zone));
        match self {
            Self::Plain => format!("{iso} {name} {message}\n"),
            Self::Log4j => format!(
                "{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{seconds:02},{milli:03} {name:<5} [worker-{}] {component}: {message}\n",
                milli % 8
            ),
            Self::Syslog => {
                let name = MONTHS[month as usize - 1];
                let level = ["", "warning: ", "error: ", "fatal: "][level as usize];
                format!("{name} {day:2} {hour:02}:{minute:02}:{seconds:02} web1 {component}[812]: {level}{message}\n")
            }
            Self::Pino => {
                let level = [30, 40, 50, 60][level as usize];
                format!("{{\"level\":{level},\"time\":{},\"pid\":71,\"msg\":\"{quoted}\"}}\n", epoch)
            }
            Self::Json => format!(
                "{{\"timestamp\":\"{iso}\",\"severity\":\"{name}\",\"logger\":\"{component}\",\"message\":\"{quoted}\"}}\n"
            ),
            Self::Logfmt => format!("time={iso} level={} msg=\"{quoted}\"\n", name.to_lowercase()),
            Self::Glog => format!(
                "{}{month:02}{day:02} {hour:02}:{minute:02}:{seconds:02}.{milli:03}000 {:7} {component}.cc:{}] {message}\n",
                &name[..1],
                4711,
                120 + component.len()
            ),
            Self::Bracketed => format!(
                "[{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{seconds:02}] [{name}] {component} - {message}\n"
            ),
        }
    }
}

/// A zone as ISO 8601 writes it.
fn offset(zone: i64) -> String {
    match zone {
        0 => "Z".to_owned(),
        _ => format!("{}{:02}:{:02}", if zone < 0 { '-' } else { '+' }, zone.abs() / 60, zone.abs() % 60),
    }
}
