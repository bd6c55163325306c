//! Runs as they happen: on a terminal a line that moves below what is done, plain lines otherwise.

use std::{
    io::{IsTerminal, Write},
    time::Duration,
};

use autodevops_orchestrator::driver::Observer;
use autodevops_pipeline::{Command, Event, EventKind, Run};
use indicatif::{ProgressBar, ProgressStyle};
use time::OffsetDateTime;

use crate::{
    output::{Format, Style, clean, cut},
    story,
};

/// How often the moving line is drawn anew.
const TICK: Duration = Duration::from_millis(120);

/// Shows runs as they happen, on standard error: standard output is for the result.
pub struct Progress {
    bar: Option<ProgressBar>,
    style: Style,
    format: Format,
}

impl Progress {
    /// With a moving line, where standard error is a terminal.
    pub fn new(format: Format) -> Self {
        let bar = (format == Format::Text && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::new_spinner();
            let style = ProgressStyle::with_template("{spinner} {wide_msg} {elapsed}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bar.enable_steady_tick(TICK);
            bar
        });
        Self { bar, style: Style::stderr(), format }
    }

    /// Lines only, for a process that runs for ever.
    pub fn lines(format: Format) -> Self {
        Self { bar: None, style: Style::stderr(), format }
    }

    /// Takes the moving line away.
    pub fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            // Nobody reads any more; the run goes on.
            None => drop(writeln!(std::io::stderr(), "{text}")),
        }
    }
}

impl Observer for Progress {
    fn event(&self, run: &Run, event: &Event) {
        if self.format == Format::Json {
            let line = serde_json::json!({ "run": run.id(), "at": event.at, "event": event.event });
            self.line(&line.to_string());
            return;
        }
        let Some(telling) = story::event(&event.event, run) else { return };
        let weighty = matches!(
            event.event,
            EventKind::Started { .. }
                | EventKind::Finished { .. }
                | EventKind::TurnedBack { .. }
                | EventKind::Held { .. }
        );
        let line = cut(&telling.line, 400);
        let line = if weighty { self.style.bold(&line) } else { line };
        self.line(&format!("{} {} {line}", self.style.dim(&clock(event.at.0)), self.style.dim(run.id())));
        for under in telling.under {
            self.line(&format!("           {}", self.style.dim(&cut(&under, 240))));
        }
    }

    fn doing(&self, run: &Run, command: &Command) {
        if let (Some(bar), Some(text)) = (&self.bar, story::doing(run, command)) {
            bar.set_message(text);
        }
    }

    fn notice(&self, text: &str) {
        match self.format {
            Format::Json => self.line(&serde_json::json!({ "notice": text }).to_string()),
            Format::Text => self.line(&clean(text)),
        }
    }
}

/// The time of day, in UTC.
pub fn clock(nanoseconds: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(nanoseconds)).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    format!("{:02}:{:02}:{:02}Z", time.hour(), time.minute(), time.second())
}
