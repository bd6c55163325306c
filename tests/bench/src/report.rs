//! The figures, and how they are printed.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fmt,
    time::{Duration, Instant},
};

use anyhow::Result;
use serde::{Serialize, Serializer};
use serde_json::Value;

/// How the figures are printed.
#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
pub enum Format {
    /// A table.
    #[default]
    Text,
    /// One JSON object.
    Json,
}

/// What the project wants a figure to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    AtMost(f64),
    AtLeast(f64),
    Under(f64),
}

impl Target {
    fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtMost(most) => value <= most,
            Self::AtLeast(least) => value >= least,
            Self::Under(limit) => value < limit,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(most) => write!(f, "at most {most}"),
            Self::AtLeast(least) => write!(f, "at least {least}"),
            Self::Under(limit) => write!(f, "under {limit}"),
        }
    }
}

/// One figure.
#[derive(Serialize)]
struct Figure {
    name: Cow<'static, str>,
    /// None where it could not be measured; the note says why.
    value: Option<f64>,
    unit: &'static str,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "in_words")]
    target: Option<Target>,
    /// Whether it is; none where there is no target, or nothing was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    met: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

/// All figures of a run.
#[derive(Serialize)]
pub struct Report {
    figures: Vec<Figure>,
    /// Tables of their own, by name.
    #[serde(flatten)]
    tables: BTreeMap<&'static str, Value>,
    /// The same, for people.
    #[serde(skip)]
    texts: Vec<String>,
    #[serde(skip)]
    only: String,
}

impl Report {
    pub const fn new(only: String) -> Self {
        Self { figures: Vec::new(), tables: BTreeMap::new(), texts: Vec::new(), only }
    }

    /// Whether figures of this group are asked for.
    pub fn wants(&self, group: &str) -> bool {
        group.contains(&self.only)
    }

    pub fn add(&mut self, name: impl Into<Cow<'static, str>>, value: f64, unit: &'static str, target: Option<Target>) {
        let met = target.map(|target| target.is_met(value));
        self.figures.push(Figure { name: name.into(), value: Some(value), unit, target, met, note: None });
    }

    /// A figure that could not be measured.
    pub fn skip(
        &mut self,
        name: impl Into<Cow<'static, str>>,
        unit: &'static str,
        target: Option<Target>,
        why: String,
    ) {
        self.figures.push(Figure { name: name.into(), value: None, unit, target, met: None, note: Some(why) });
    }

    /// A table that is shown below the figures.
    pub fn attach(&mut self, name: &'static str, table: &(impl Serialize + fmt::Display)) -> Result<()> {
        self.tables.insert(name, serde_json::to_value(table)?);
        self.texts.push(format!("{name}:\n{table}"));
        Ok(())
    }

    pub fn print(&self, format: Format) -> Result<()> {
        if matches!(format, Format::Json) {
            println!("{}", serde_json::to_string_pretty(self)?);
            return Ok(());
        }
        let width = self.figures.iter().map(|figure| figure.name.len()).max().unwrap_or(0);
        for Figure { name, value, unit, target, met, note } in &self.figures {
            let value = value.map_or_else(|| "–".to_owned(), shown);
            let met = met.map_or("", |met| if met { ", met" } else { ", MISSED" });
            let target = target.map_or_else(String::new, |target| format!("  (target: {target}{met})"));
            let note = note.as_ref().map_or_else(String::new, |note| format!("  not measured: {note}"));
            println!("{name:width$}  {value:>9} {unit}{target}{note}");
        }
        for text in &self.texts {
            print!("\n{text}");
        }
        Ok(())
    }
}

fn in_words<S: Serializer>(target: &Option<Target>, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    target.map(|target| target.to_string()).serialize(serializer)
}

/// Three digits that count.
fn shown(value: f64) -> String {
    let decimals = if value >= 100.0 { 0 } else { usize::from(value < 10.0) + 1 };
    format!("{value:.decimals$}")
}

/// The middle of the values, which are sorted by this.
pub fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The value that a share of all is at most, from 0 to 1; the values are sorted by this.
pub fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let index = (values.len() as f64 * share) as usize;
    values.get(index.min(values.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
}

pub fn microseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

pub fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// How long it takes.
pub fn timed<T>(action: impl FnOnce() -> T) -> (Duration, T) {
    let begun = Instant::now();
    let value = action();
    (begun.elapsed(), value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_its_own_stands_beside_the_figures() {
        let mut report = Report::new(String::new());
        report.add("fast", 0.9, "s", None);
        report.attach("lengths", &7).unwrap();
        let told = serde_json::to_value(&report).unwrap();
        assert_eq!((&told["figures"][0]["name"], &told["lengths"]), (&"fast".into(), &7.into()));
        assert_eq!(report.texts, ["lengths:\n7"]);
    }

    #[test]
    fn a_figure_is_judged_by_its_target() {
        let mut report = Report::new(String::new());
        report.add("fast", 0.9, "s", Some(Target::Under(1.0)));
        report.add("slow", 1.0, "s", Some(Target::Under(1.0)));
        report.add("often", 30.0, "times", Some(Target::AtLeast(30.0)));
        report.add("untold", 3.0, "times", None);
        report.skip("absent", "s", Some(Target::AtMost(1.5)), "it is not there".to_owned());
        let told = serde_json::to_value(&report).unwrap();
        let of = |key: &str| -> Vec<&serde_json::Value> {
            told["figures"].as_array().unwrap().iter().map(|figure| &figure[key]).collect()
        };
        assert_eq!(serde_json::json!(of("met")), serde_json::json!([true, false, true, null, null]));
        assert_eq!(
            serde_json::json!(of("target")),
            serde_json::json!(["under 1", "under 1", "at least 30", null, "at most 1.5"])
        );
    }
}
