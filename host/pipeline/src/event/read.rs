//! Events as a journal holds them: of this version, or of one before.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Event, VERSION};

/// Makes a record of one version one of the next.
type Upcast = fn(&mut Value);

/// What brings a record of version 1, 2 and so on to the version after it. Whoever raises [`VERSION`] says here what became of the
/// shapes before.
const UPCASTS: [Upcast; VERSION as usize - 1] = [grown, several];

/// Kinds and fields were added, and each added field has a default.
const fn grown(_: &mut Value) {}

/// A run had one service, which the plan named; now it has a list of them, and of what served of each.
fn several(record: &mut Value) {
    let Some(started) = record.get_mut("event").filter(|event| event.get("type") == Some(&Value::from("started")))
    else {
        return;
    };
    if let Some(live) = started.get_mut("live") {
        *live = Value::Array(vec![live.take()]);
    }
    let Some(plan) = started.get_mut("plan").and_then(Value::as_object_mut) else { return };
    let of = |key: &str| plan.get(key).cloned().unwrap_or_default();
    let service = json!({ "name": of("service"), "staging": of("staging"), "production": of("production") });
    plan.insert("services".to_owned(), Value::Array(vec![service]));
}

/// Why a record of a journal is no event to this build.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnreadableEvent {
    /// A newer build wrote it.
    #[error(
        "it has version {found} of the events' shape, this autodevops knows versions up to {known}; use the newer one that \
         wrote it: nothing was changed"
    )]
    Newer {
        /// Its version.
        found: u64,
        /// The newest known one.
        known: u32,
    },
    /// It has no version, or not the shape that its version has.
    #[error("it is no event: {reason}; restore the journal from a backup, or use the autodevops that wrote it")]
    Strange {
        /// What is wrong.
        reason: String,
    },
}

impl Event {
    /// The event of a record, in today's shape, whichever version wrote it.
    ///
    /// # Errors
    /// [`UnreadableEvent`]: it is of a newer version, or it is no event.
    pub fn read(record: Value) -> Result<Self, UnreadableEvent> {
        Self::read_by(record, &UPCASTS)
    }

    fn read_by(mut record: Value, upcasts: &[Upcast]) -> Result<Self, UnreadableEvent> {
        let strange = |reason: String| UnreadableEvent::Strange { reason };
        let found = record.get("v").and_then(Value::as_u64).filter(|found| *found > 0);
        let found = found.ok_or_else(|| strange("it has no version `v`".to_owned()))?;
        if found > u64::from(VERSION) {
            return Err(UnreadableEvent::Newer { found, known: VERSION });
        }
        let done = usize::try_from(found - 1).unwrap_or(usize::MAX);
        for upcast in upcasts.iter().skip(done) {
            upcast(&mut record);
        }
        if let Some(version) = record.get_mut("v") {
            *version = VERSION.into();
        }
        Self::deserialize(record).map_err(|error| strange(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EventKind, Timestamp};

    fn record(version: u64) -> Value {
        json!({ "v": version, "at": 5, "event": { "type": "held", "reason": "why" } })
    }

    #[test]
    fn a_record_of_any_version_up_to_this_is_an_event_of_this() {
        for version in 1..=u64::from(VERSION) {
            let event = Event::read(record(version)).unwrap();
            assert_eq!(event, Event { v: VERSION, at: Timestamp(5), event: EventKind::Held { reason: "why".into() } });
        }
    }

    #[test]
    fn a_shape_that_changed_is_brought_up_to_date_from_its_own_version_on() {
        let renamed: Upcast = |record| {
            let event = record["event"].as_object_mut().unwrap();
            let reason = event.remove("because").unwrap();
            event.insert("reason".into(), reason);
        };
        let mut old = record(1);
        old["event"] = json!({ "type": "held", "because": "why" });
        let upcasts: [Upcast; VERSION as usize - 1] = [renamed, grown];
        assert_eq!(Event::read_by(old, &upcasts), Event::read(record(1)));
        assert_eq!(
            Event::read_by(record(u64::from(VERSION)), &[renamed; VERSION as usize - 1]),
            Event::read(record(1))
        );
    }

    #[test]
    fn a_record_of_a_newer_version_is_refused_with_both_versions_whatever_is_in_it() {
        let newer = json!({ "v": u64::from(VERSION) + 1, "when": "later", "event": { "type": "teleported" } });
        let error = Event::read(newer).unwrap_err();
        assert_eq!(error, UnreadableEvent::Newer { found: u64::from(VERSION) + 1, known: VERSION });
        let text = error.to_string();
        assert!(text.contains(&format!("version {} of", VERSION + 1)), "{text}");
        assert!(text.contains(&format!("up to {VERSION}; use the newer one")), "{text}");
    }

    #[test]
    fn what_is_no_event_is_refused_with_what_is_wrong() {
        for (strange, why) in [
            (json!(null), "no version"),
            (json!({ "v": 0, "at": 1, "event": { "type": "held", "reason": "" } }), "no version"),
            (json!({ "v": "1" }), "no version"),
            (json!({ "v": 1, "at": 1, "event": { "type": "teleported" } }), "unknown variant `teleported`"),
            (json!({ "v": 1, "at": 1, "event": { "type": "held" } }), "missing field `reason`"),
            (json!({ "v": 1, "at": 1, "event": { "type": "held", "reason": "", "x": 1 } }), "unknown field `x`"),
        ] {
            let error = Event::read(strange.clone()).unwrap_err().to_string();
            assert!(error.contains(why) && error.contains("restore"), "{strange}: {error}");
        }
    }
}
