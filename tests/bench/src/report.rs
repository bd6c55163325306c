//! The figures, and how they are printed.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;

/// How the figures are printed.
#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
pub enum Format {
    /// A table.
    #[default]
    Text,
    /// One JSON object.
    Json,
}

/// One figure.
#[derive(Serialize)]
struct Figure {
    name: &'static str,
    /// None where it could not be measured; the note says why.
    value: Option<f64>,
    unit: &'static str,
    /// What the project wants it to be, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

/// All figures of a run.
#[derive(Serialize)]
pub struct Report {
    figures: Vec<Figure>,
    #[serde(skip)]
    only: String,
}

impl Report {
    pub const fn new(only: String) -> Self {
        Self { figures: Vec::new(), only }
    }

    /// Whether figures of this group are asked for.
    pub fn wants(&self, group: &str) -> bool {
        group.contains(&self.only)
    }

    pub fn add(&mut self, name: &'static str, value: f64, unit: &'static str, target: Option<&'static str>) {
        self.figures.push(Figure { name, value: Some(value), unit, target, note: None });
    }

    /// A figure that could not be measured.
    pub fn skip(&mut self, name: &'static str, unit: &'static str, target: Option<&'static str>, why: String) {
        self.figures.push(Figure { name, value: None, unit, target, note: Some(why) });
    }

    pub fn print(&self, format: Format) -> Result<()> {
        if matches!(format, Format::Json) {
            println!("{}", serde_json::to_string_pretty(self)?);
            return Ok(());
        }
        let width = self.figures.iter().map(|figure| figure.name.len()).max().unwrap_or(0);
        for Figure { name, value, unit, target, note } in &self.figures {
            let value = value.map_or_else(|| "–".to_owned(), shown);
            let target = target.map_or_else(String::new, |target| format!("  (target: {target})"));
            let note = note.as_ref().map_or_else(String::new, |note| format!("  not measured: {note}"));
            println!("{name:width$}  {value:>9} {unit}{target}{note}");
        }
        Ok(())
    }
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
