//! The `tracing` crate's events, sent to the host with the fields of the spans around them. Needs the feature `tracing`.
//!
//! ```
//! use autodevops_sdk::{Notifier, Result, types::Event};
//!
//! struct Trace;
//!
//! impl Notifier for Trace {
//!     fn notify(key: String, event: Event) -> Result<()> {
//!         autodevops_sdk::tracing::start();
//!         tracing::info!(key, run = event.run, "{}", event.title);
//!         Ok(())
//!     }
//! }
//!
//! autodevops_sdk::export!(notifier: Trace);
//! # fn main() {}
//! ```

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tracing_core::{
    Dispatch, Event, Level, LevelFilter, Metadata, Subscriber, dispatcher,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};

use crate::bindings::base::autodevops::host::log as host;

/// Sends what the plugin traces to the host, from here on; to be called first in a stage's function. Does nothing when there
/// is a subscriber already. (What is never called is not in the component, so that others do not pay for it.)
pub fn start() {
    if !dispatcher::has_been_set() {
        // Refused only where one was set since: then that one is used.
        let _ = dispatcher::set_global_default(Dispatch::new(HostSubscriber::default()));
    }
}

/// Names and values.
type Fields = Vec<(String, String)>;

#[derive(Default)]
struct HostSubscriber(Mutex<Spans>);

#[derive(Default)]
struct Spans {
    last: u64,
    known: BTreeMap<u64, Span>,
    entered: Vec<u64>,
}

struct Span {
    handles: usize,
    name: &'static str,
    fields: Fields,
}

impl Spans {
    /// The fields of the spans that are entered, outermost first, each with its span's name.
    fn fields(&self) -> impl Iterator<Item = (String, String)> {
        self.entered
            .iter()
            .filter_map(|id| self.known.get(id))
            .flat_map(|span| span.fields.iter().map(|(name, value)| (format!("{}.{name}", span.name), value.clone())))
    }
}

impl HostSubscriber {
    fn spans(&self) -> MutexGuard<'_, Spans> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the host is told of an event: its message, its own fields, and those of its spans.
    fn record_of(&self, event: &Event<'_>) -> (String, Fields) {
        let mut visitor = Visitor::default();
        event.record(&mut visitor);
        visitor.fields.extend(self.spans().fields());
        (visitor.message, visitor.fields)
    }
}

impl Subscriber for HostSubscriber {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::DEBUG
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::DEBUG)
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut visitor = Visitor::default();
        span.record(&mut visitor);
        let mut spans = self.spans();
        spans.last += 1;
        let id = spans.last;
        spans.known.insert(id, Span { handles: 1, name: span.metadata().name(), fields: visitor.fields });
        Id::from_u64(id)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        let mut visitor = Visitor::default();
        values.record(&mut visitor);
        if let Some(span) = self.spans().known.get_mut(&span.into_u64()) {
            span.fields.extend(visitor.fields);
        }
    }

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let level = match *metadata.level() {
            Level::ERROR => host::Level::Error,
            Level::WARN => host::Level::Warn,
            Level::INFO => host::Level::Info,
            Level::DEBUG => host::Level::Debug,
            Level::TRACE => host::Level::Trace,
        };
        let (message, fields) = self.record_of(event);
        host::write(level, metadata.target(), &message, &fields);
    }

    fn enter(&self, span: &Id) {
        self.spans().entered.push(span.into_u64());
    }

    fn exit(&self, span: &Id) {
        let mut spans = self.spans();
        if let Some(index) = spans.entered.iter().rposition(|id| *id == span.into_u64()) {
            spans.entered.remove(index);
        }
    }

    fn clone_span(&self, span: &Id) -> Id {
        if let Some(span) = self.spans().known.get_mut(&span.into_u64()) {
            span.handles += 1;
        }
        span.clone()
    }

    fn try_close(&self, span: Id) -> bool {
        let mut spans = self.spans();
        let Some(known) = spans.known.get_mut(&span.into_u64()) else { return false };
        known.handles -= 1;
        let closed = known.handles == 0;
        if closed {
            spans.known.remove(&span.into_u64());
        }
        closed
    }
}

#[derive(Default)]
struct Visitor {
    message: String,
    fields: Fields,
}

impl Visit for Visitor {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.message);
        } else {
            self.fields.push((field.name().to_owned(), value.to_owned()));
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// Keeps what the host would be told.
    #[derive(Clone, Default)]
    struct Kept(Arc<HostSubscriber>, Arc<Mutex<Vec<(String, Fields)>>>);

    impl Subscriber for Kept {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            self.0.enabled(metadata)
        }
        fn new_span(&self, span: &Attributes<'_>) -> Id {
            self.0.new_span(span)
        }
        fn record(&self, span: &Id, values: &Record<'_>) {
            self.0.record(span, values);
        }
        fn record_follows_from(&self, span: &Id, follows: &Id) {
            self.0.record_follows_from(span, follows);
        }
        fn event(&self, event: &Event<'_>) {
            self.1.lock().unwrap().push(self.0.record_of(event));
        }
        fn enter(&self, span: &Id) {
            self.0.enter(span);
        }
        fn exit(&self, span: &Id) {
            self.0.exit(span);
        }
        fn clone_span(&self, span: &Id) -> Id {
            self.0.clone_span(span)
        }
        fn try_close(&self, span: Id) -> bool {
            self.0.try_close(span)
        }
    }

    #[test]
    fn an_event_is_told_with_its_fields_and_those_of_its_spans() {
        let kept = Kept::default();
        tracing::subscriber::with_default(kept.clone(), || {
            let span = tracing::info_span!("order", id = 7, state = tracing::field::Empty);
            span.record("state", "paid");
            span.in_scope(|| tracing::warn!(attempt = 2, "slow {}", "bank"));
            tracing::trace!("not told");
            drop(span);
            tracing::info!("alone");
        });
        let pairs = |pairs: &[(&str, &str)]| -> Fields {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        assert_eq!(
            *kept.1.lock().unwrap(),
            [
                ("slow bank".to_owned(), pairs(&[("attempt", "2"), ("order.id", "7"), ("order.state", "paid")])),
                ("alone".to_owned(), Vec::new())
            ]
        );
        assert!(kept.0.spans().known.is_empty(), "closed spans are forgotten");
    }
}
