//! What one call of a plugin may use, and what it may leave behind. Every limit has a key, a default, an error that names it,
//! and a case in `tests/hostile` that proves that it bites.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap};

use crate::{Bytes, Span};

/// A limit's value as a plain number (a time in nanoseconds), and how a person reads it.
trait Amount: Copy + fmt::Display {
    fn amount(self) -> u64;
}

impl Amount for u32 {
    fn amount(self) -> u64 {
        self.into()
    }
}

impl Amount for Bytes {
    fn amount(self) -> u64 {
        self.0
    }
}

impl Amount for Span {
    fn amount(self) -> u64 {
        u64::try_from(self.0.as_nanos()).unwrap_or(u64::MAX)
    }
}

/// All limits from one list, so that none can have a default and no ceiling, or a key and no error.
macro_rules! limits {
    ($($(#[doc = $doc:literal])+ $field:ident, $name:ident, $key:literal, $what:literal: $type:ty = $default:expr;)+) => {
        /// What one call may use. A manifest may ask for more than the defaults; the operator's ceilings stand above both.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
        pub struct Limits {
            $($(#[doc = $doc])+ pub $field: $type,)+
        }

        /// Ceilings on [`Limits`]: a limit that is not named is not lowered.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
        pub struct Ceilings {
            $($(#[doc = $doc])+ pub $field: Option<$type>,)+
        }

        /// One of the [`Limits`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Limit {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Default for Limits {
            fn default() -> Self {
                Self { $($field: $default,)+ }
            }
        }

        impl Limits {
            /// Each limit at most the ceiling that is named for it.
            #[must_use]
            pub fn at_most(self, ceilings: &Ceilings) -> Self {
                Self { $($field: ceilings.$field.map_or(self.$field, |ceiling| self.$field.min(ceiling)),)+ }
            }

            /// Those that are not as usual, with their values.
            pub fn unusual(&self) -> Ceilings {
                let usual = Self::default();
                Ceilings { $($field: (self.$field != usual.$field).then_some(self.$field),)+ }
            }

            /// Those that lie above what is usual, with their values.
            pub fn raised(&self) -> Ceilings {
                let usual = Self::default();
                Ceilings { $($field: (self.$field > usual.$field).then_some(self.$field),)+ }
            }

            /// Each limit as it is named, and as it was where it is not.
            #[must_use]
            pub fn with(self, named: &Ceilings) -> Self {
                Self { $($field: named.$field.unwrap_or(self.$field),)+ }
            }

            /// A ceiling on this limit alone, as high as it is here.
            pub fn only(&self, limit: Limit) -> Ceilings {
                match limit { $(Limit::$name => Ceilings { $field: Some(self.$field), ..Ceilings::default() },)+ }
            }

            /// A limit's value: a number, bytes, or nanoseconds.
            pub fn amount(&self, limit: Limit) -> u64 {
                match limit { $(Limit::$name => self.$field.amount(),)+ }
            }

            /// A limit's value as it is written in a manifest.
            pub fn text(&self, limit: Limit) -> String {
                match limit { $(Limit::$name => self.$field.to_string(),)+ }
            }
        }

        impl Ceilings {
            /// Writes those that are named, for formats and readers that know no absent value.
            pub(crate) fn named<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut map = serializer.serialize_map(None)?;
                $(if let Some(value) = &self.$field {
                    map.serialize_entry($key, value)?;
                })+
                map.end()
            }

            /// Whether there is a ceiling on the limit.
            pub const fn names(&self, limit: Limit) -> bool {
                match limit { $(Limit::$name => self.$field.is_some(),)+ }
            }

            /// The lower of both, limit by limit.
            #[must_use]
            pub fn and(self, other: &Self) -> Self {
                Self { $($field: self.$field.into_iter().chain(other.$field).min(),)+ }
            }
        }

        impl Limit {
            /// Every limit, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// Its key in a manifest's `[limits]`, and in the operator's.
            pub const fn key(self) -> &'static str {
                match self { $(Self::$name => $key,)+ }
            }

            /// What it is a limit of, to be read after its value: `64 MiB of memory`.
            pub const fn what(self) -> &'static str {
                match self { $(Self::$name => $what,)+ }
            }
        }
    };
}

limits! {
    /// Time on the clock from the start of the call to its end, host calls included.
    wall_time, WallTime, "wall-time", "on the clock": Span = Span(Duration::from_secs(30));
    /// Time that the plugin's own code runs, host calls and waiting apart.
    guest_time, GuestTime, "guest-time", "of computing": Span = Span(Duration::from_secs(30));
    /// All linear memories and tables of the instance together.
    memory, Memory, "memory", "of memory": Bytes = Bytes(256 << 20);
    /// Elements of all tables together.
    table_elements, TableElements, "table-elements", "elements in tables": u32 = 1_000_000;
    /// Linear memories of the component.
    memories, Memories, "memories", "memories": u32 = 20;
    /// Tables of the component.
    tables, Tables, "tables", "tables": u32 = 40;
    /// Core instances of the component.
    instances, Instances, "instances", "core instances": u32 = 40;
    /// Bytes that the call is given: the texts and lists of its arguments.
    input, Input, "input", "of input": Bytes = Bytes(64 << 20);
    /// Bytes that the call gives back, and that any one host call is given.
    output, Output, "output", "of output": Bytes = Bytes(16 << 20);
    /// Entries of any one list that the call gives back, bytes apart.
    list_length, ListLength, "list-length", "entries in a list": u32 = 100_000;
    /// Bytes of any one text that the call gives back.
    string_length, StringLength, "string-length", "in a text": Bytes = Bytes(8 << 20);
    /// Calls of the host's functions, of whatever kind.
    host_calls, HostCalls, "host-calls", "host calls": u32 = 1_000_000;
    /// Requests, changed files and refusals on record that differ from each other; an act that would be one more is refused.
    records, Records, "records", "different acts and refusals": u32 = 20_000;
    /// Handles that are open at once: files, streams, requests, timers, buckets.
    resources, Resources, "resources", "open resources": u32 = 10_000;
    /// Lines written to `autodevops:host/log`; further ones are dropped and counted.
    log_lines, LogLines, "log-lines", "log lines": u32 = 1000;
    /// Bytes written to `autodevops:host/log`; lines beyond are dropped and counted.
    log_bytes, LogBytes, "log-bytes", "of log lines": Bytes = Bytes(1 << 20);
    /// Bytes written to standard output.
    stdout, Stdout, "stdout", "of standard output": Bytes = Bytes(16 << 20);
    /// Bytes written to standard error.
    stderr, Stderr, "stderr", "of standard error": Bytes = Bytes(16 << 20);
    /// Random bytes.
    random_bytes, RandomBytes, "random-bytes", "of randomness": Bytes = Bytes(1 << 20);
    /// Files, folders, their streams and their listings open at once; a listing is one more for every 1,000 entries.
    open_files, OpenFiles, "open-files", "files open at once": u32 = 128;
    /// Files, folders and links made or renamed in folders that may be written to.
    files, Files, "files", "files made": u32 = 10_000;
    /// Bytes written to files.
    file_bytes, FileBytes, "file-bytes", "written to files": Bytes = Bytes(256 << 20);
    /// Commands of the operator that are run.
    commands, Commands, "commands", "commands run": u32 = 16;
    /// Bytes that any one command writes to its standard output.
    command_output, CommandOutput, "command-output", "written by a command": Bytes = Bytes(1 << 20);
    /// Keys written to the key-value store.
    keyvalue_entries, KeyvalueEntries, "keyvalue-entries", "keys written": u32 = 10_000;
    /// Bytes written to the key-value store.
    keyvalue_bytes, KeyvalueBytes, "keyvalue-bytes", "written to keys": Bytes = Bytes(8 << 20);
    /// Bytes of any one key that is written to the key-value store.
    keyvalue_key_bytes, KeyvalueKeyBytes, "keyvalue-key-bytes", "in a key": Bytes = Bytes(1 << 10);
    /// Keys that the plugin keeps in the key-value store, over all its buckets and calls.
    keyvalue_kept_entries, KeyvalueKeptEntries, "keyvalue-kept-entries", "keys kept": u32 = 10_000;
    /// Bytes of keys and values that the plugin keeps in the key-value store, over all its buckets and calls.
    keyvalue_kept_bytes, KeyvalueKeptBytes, "keyvalue-kept-bytes", "kept in keys": Bytes = Bytes(16 << 20);
    /// Mails sent: a message counts once for each of its recipients.
    mails, Mails, "mails", "mails": u32 = 20;
    /// Bytes of all messages of mail: subjects and texts.
    mail_bytes, MailBytes, "mail-bytes", "of mail": Bytes = Bytes(1 << 20);
    /// Requests sent.
    http_requests, HttpRequests, "http-requests", "requests": u32 = 1000;
    /// Requests under way at once.
    http_concurrent, HttpConcurrent, "http-concurrent", "requests at once": u32 = 16;
    /// Bytes of headers and bodies that the host is given for requests, whether they are sent or not.
    http_built, HttpBuilt, "http-built", "built into requests": Bytes = Bytes(128 << 20);
    /// Bytes of all requests: headers and bodies.
    http_sent, HttpSent, "http-sent", "sent by requests": Bytes = Bytes(64 << 20);
    /// Bytes of all responses: headers and bodies.
    http_received, HttpReceived, "http-received", "received in responses": Bytes = Bytes(64 << 20);
    /// Time for a connection to be made, names looked up and TLS included.
    http_connect, HttpConnect, "http-connect", "to connect": Span = Span(Duration::from_secs(10));
    /// Time from a request to the first byte of its response.
    http_first_byte, HttpFirstByte, "http-first-byte", "to the first byte": Span = Span(Duration::from_secs(60));
    /// Time from a request to the last byte of its response.
    http_total, HttpTotal, "http-total", "for a request": Span = Span(Duration::from_secs(120));
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

/// A call went over one of its limits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("plugin `{plugin}` went over its limit of {allowed} {}; raise `limits.{limit}` if it needs more", limit.what())]
pub struct OverLimit {
    /// The plugin.
    pub plugin: String,
    /// The limit.
    pub limit: Limit,
    /// The limit's value, as it is written in a manifest.
    pub allowed: String,
}

/// What one call has used of its limits. Shared by all that works for the call, on whatever thread.
#[derive(Debug)]
pub struct Meter {
    used: [AtomicU64; Limit::ALL.len()],
}

impl Default for Meter {
    fn default() -> Self {
        Self { used: [const { AtomicU64::new(0) }; Limit::ALL.len()] }
    }
}

/// What was used until now: nothing that is counted or given back later changes it.
impl Clone for Meter {
    fn clone(&self) -> Self {
        Self {
            used: std::array::from_fn(|place| {
                AtomicU64::new(self.used.get(place).map_or(0, |used| used.load(Relaxed)))
            }),
        }
    }
}

impl Meter {
    /// Counts an amount where it still fits below the limit; what does not fit is not counted, so that a later, smaller one
    /// still may. Whether it fitted.
    pub fn charge(&self, limits: &Limits, limit: Limit, amount: u64) -> bool {
        let allowed = limits.amount(limit);
        let add = |used: u64| used.checked_add(amount).filter(|total| *total <= allowed);
        self.used.get(limit as usize).is_some_and(|used| used.fetch_update(Relaxed, Relaxed, add).is_ok())
    }

    /// Gives an amount back: a request that ended, a handle that was dropped.
    pub fn release(&self, limit: Limit, amount: u64) {
        if let Some(used) = self.used.get(limit as usize) {
            // The closure always gives a value, so that this cannot fail.
            let _ = used.fetch_update(Relaxed, Relaxed, |used| Some(used.saturating_sub(amount)));
        }
    }

    /// What was used so far.
    pub fn used(&self, limit: Limit) -> u64 {
        self.used.get(limit as usize).map_or(0, |used| used.load(Relaxed))
    }
}

impl Limits {
    /// The error of a plugin that went over a limit.
    pub fn exceeded(&self, plugin: &str, limit: Limit) -> OverLimit {
        OverLimit { plugin: plugin.to_owned(), limit, allowed: self.text(limit) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_ceiling_lowers_only_what_is_above_it() {
        let asked = Limits { memory: Bytes(1 << 30), log_lines: 10, ..Limits::default() };
        let ceilings = Ceilings { memory: Some(Bytes(1 << 20)), log_lines: Some(100), ..Ceilings::default() };
        let held = asked.at_most(&ceilings);
        assert_eq!(held, Limits { memory: Bytes(1 << 20), ..asked });
        assert_eq!(asked.at_most(&Ceilings::default()), asked);
    }

    #[test]
    fn a_ceiling_on_one_limit_alone_lowers_no_other() {
        let ceiling = Limits::default().only(Limit::Memory);
        for limit in Limit::ALL {
            assert_eq!(ceiling.names(*limit), *limit == Limit::Memory, "{limit}");
        }
        let raised = Limits { memory: Bytes(1 << 40), files: 1 << 30, ..Limits::default() };
        assert_eq!(raised.at_most(&ceiling), Limits { files: 1 << 30, ..Limits::default() });
    }

    #[test]
    fn the_lower_of_two_ceilings_holds() {
        let one = Ceilings { files: Some(1), memory: Some(Bytes(5)), ..Ceilings::default() };
        let other = Ceilings { files: Some(2), host_calls: Some(3), ..Ceilings::default() };
        assert_eq!(one.and(&other), Ceilings { host_calls: Some(3), ..one });
    }

    #[test]
    fn every_limit_has_a_key_of_its_own_that_manifests_and_ceilings_take() {
        let keys: BTreeSet<&str> = Limit::ALL.iter().map(|limit| limit.key()).collect();
        let fields = |value: serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
        let keys: BTreeSet<String> = keys.into_iter().map(str::to_owned).collect();
        assert_eq!(keys, fields(serde_json::to_value(Limits::default()).unwrap()));
        assert_eq!(keys, fields(serde_json::to_value(Ceilings::default()).unwrap()));
    }

    #[test]
    fn the_error_names_the_plugin_the_limit_and_its_key() {
        let error = Limits::default().exceeded("a", Limit::HttpRequests).to_string();
        assert_eq!(
            error,
            "plugin `a` went over its limit of 1000 requests; raise `limits.http-requests` if it needs more"
        );
    }

    proptest! {
        #[test]
        fn a_meter_never_counts_beyond_the_limit(amounts in prop::collection::vec(0u64..400, 0..20), allowed in 0u32..1000) {
            let limits = Limits { files: allowed, ..Limits::default() };
            let meter = Meter::default();
            for amount in amounts {
                let before = meter.used(Limit::Files);
                let fitted = meter.charge(&limits, Limit::Files, amount);
                prop_assert_eq!(fitted, before + amount <= u64::from(allowed));
                prop_assert!(meter.used(Limit::Files) <= u64::from(allowed));
            }
            prop_assert_eq!(meter.used(Limit::Memory), 0);
        }
    }
}
