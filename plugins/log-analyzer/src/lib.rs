//! Finds issues in logs, in constant memory: exceptions with stack traces, error records by template, rising rates.
//!
//! ```text
//! bytes ── lines ──> line ── record ──> header + content ── event ──> exception, template ── groups ──> issues
//!          lengths bounded   time, level       stack traces           fingerprint           counts, rates
//! ```
//!
//! The core, [`Engine`], knows nothing of components; this file makes one of it.

mod access;
mod alike;
mod baseline;
mod bytes;
mod colour;
mod days;
mod detect;
mod digits;
mod engine;
mod envelope;
mod event;
mod fault;
mod fields;
mod group;
mod grouping;
mod groups;
mod header;
mod identity;
mod ids;
mod join;
mod journal;
mod json;
mod line;
mod lines;
mod logfmt;
mod maps;
mod miner;
mod noise;
mod path;
mod pending;
mod record;
mod rising;
mod routes;
mod settings;
mod source;
mod template;
mod time;
mod trace;
mod uncopied;
mod unread;
mod window;

use std::path::Path;

use autodevops_sdk::{
    Analyzer, Error, Result,
    keyvalue::Bucket,
    types::{Grouped, Issue, IssueKind, LineGroup},
};
pub use baseline::Baseline;
pub use engine::{Engine, SharedSource};
pub use grouping::{Former, Group, GroupId};
pub use maps::Maps;
pub use settings::{Override, Pattern, Settings};
pub use window::Bound;

/// Where the host gives the folder of scripts and their source maps, if it does.
const MAPS: &str = "/maps";

/// The plugin: an engine with the operator's settings, and the faults that are known from before.
pub struct LogAnalyzer {
    /// A configuration that cannot be followed is the error of the first call.
    engine: Result<Engine>,
    /// Where known faults are kept; none where the operator grants no store, or wants none kept.
    store: Option<Bucket>,
}

impl Default for LogAnalyzer {
    fn default() -> Self {
        let settings = match settings() {
            Ok(settings) => settings,
            Err(error) => return Self { engine: Err(error), store: None },
        };
        let store = store();
        let keeps = settings.baseline_days > 0;
        let known = store.as_ref().and_then(|store| {
            if keeps {
                usable(Baseline::load(store))
            } else {
                usable(Baseline::forget(store)).map(|()| Baseline::default())
            }
        });
        let maps = maps(&settings);
        let engine = Engine::new(settings).with_maps(maps).knowing(known.unwrap_or_default());
        Self { engine: Ok(engine), store: store.filter(|_| keeps) }
    }
}

impl LogAnalyzer {
    fn engine(&mut self) -> Result<&mut Engine> {
        self.engine.as_mut().map_err(|error| error.clone())
    }
}

fn settings() -> Result<Settings> {
    autodevops_sdk::config::<Settings>()?
        .checked()
        .map_err(|error| Error::wrong_input(format!("the plugin's configuration is wrong: {error}")))
}

fn restored(checkpoint: &[u8]) -> Result<Engine> {
    Engine::restore(checkpoint)
        .map_err(|error| Error::wrong_input(format!("the checkpoint cannot be read: {error}; start a new session")))
}

/// The plugin's store, where it may have one. Without it faults are found as well, and only not known again.
fn store() -> Option<Bucket> {
    match Bucket::open("baseline") {
        Err(Error::Denied(_)) => {
            log::debug!("no key-value store is granted: a new session knows no faults from before");
            None
        }
        opened => usable(opened),
    }
}

/// The source maps, where the host gives any.
fn maps(settings: &Settings) -> Maps {
    let folder = Path::new(MAPS);
    if folder.is_dir() { Maps::new(folder.to_owned(), &settings.maps_folder) } else { Maps::default() }
}

/// The result, where there is one: what is wrong with the store keeps nobody from finding issues.
fn usable<T>(result: Result<T>) -> Option<T> {
    result.map_err(|error| log::warn!("faults that were there before are not known: {}", error.message())).ok()
}

impl Analyzer for LogAnalyzer {
    fn restore(checkpoint: &[u8]) -> Result<Self> {
        let engine = restored(checkpoint)?;
        let settings = settings();
        let keeps = settings.as_ref().is_ok_and(|settings| settings.baseline_days > 0);
        let store = keeps.then(store).flatten();
        let with = |settings: Settings| {
            let maps = maps(&settings);
            engine.with(settings).with_maps(maps)
        };
        Ok(Self { engine: settings.map(with), store })
    }

    fn push(&mut self, source: &str, bytes: &[u8]) -> Result<()> {
        self.engine()?.push(source, bytes);
        Ok(())
    }

    fn push_grouped(&mut self, source: &str, bytes: &[u8]) -> Result<Grouped> {
        let engine = self.engine()?;
        let mut lines = Vec::new();
        engine.push_and_tell(source, bytes, |group| lines.push(group.0));
        let line_group = |of: Former| LineGroup { id: of.id.0, into: of.into.0, template: of.template };
        Ok(Grouped { lines, former: engine.take_former().into_iter().map(line_group).collect() })
    }

    fn groups(&mut self) -> Result<Vec<LineGroup>> {
        let groups = self.engine()?.groups();
        let line_groups = groups.into_iter().flat_map(|Group { id, patterns, template, .. }| {
            let template = move |pattern| if pattern == id { template.clone() } else { String::new() };
            patterns.into_iter().map(move |of| LineGroup { id: of.0, into: id.0, template: template(of) })
        });
        Ok(line_groups.collect())
    }

    fn issues(&mut self) -> Result<Vec<Issue>> {
        Ok(self.engine()?.issues())
    }

    fn checkpoint(&mut self) -> Result<Vec<u8>> {
        let Self { engine, store } = self;
        let engine = engine.as_mut().map_err(|error| error.clone())?;
        if let Some(store) = store {
            usable(engine.learn().save(store));
        }
        engine
            .checkpoint()
            .map_err(|error| Error::failure(format!("the state cannot be written: {error}; report this")))
    }

    fn join(&mut self, checkpoint: &[u8]) -> Result<()> {
        let joined = self.engine()?.join(restored(checkpoint)?);
        joined.map_err(|shared| Error::wrong_input(shared.to_string()))
    }
}

/// A kind of issue by the name that it has for people and in JSON.
pub const fn kind_name(kind: IssueKind) -> &'static str {
    match kind {
        IssueKind::Exception => "exception",
        IssueKind::CriticalError => "critical-error",
        IssueKind::NewPattern => "new-pattern",
        IssueKind::ErrorBurst => "error-burst",
        IssueKind::RateChange => "rate-change",
        IssueKind::LatencyRegression => "latency-regression",
        IssueKind::VanishedHeartbeat => "vanished-heartbeat",
        IssueKind::Prediction => "prediction",
        IssueKind::Anomaly => "anomaly",
    }
}

autodevops_sdk::export!(analyzer: LogAnalyzer);
