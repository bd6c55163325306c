//! Configuration, the key-value store, the log and the local target.

use std::sync::Arc;

use autodevops_model::{ErrorInfo, ErrorKind, Release, Split, StageError};
use autodevops_policy::{Denial, Limit, Operation};
use wasmtime::component::Resource;

use super::{Guarded, refuse::refuse};
use crate::replay::{Shown, noted, through};
use crate::{
    bindings::{
        base::{
            autodevops::{
                host::{
                    log, runtime,
                    traffic::{self, State},
                    usage,
                },
                types::types,
            },
            wasi::config::store,
        },
        keyvalue::wasi::keyvalue::store as keyvalue,
    },
    keyvalue::Page,
    local::{LocalTarget, TrafficState},
    refusal::Refusal,
};

/// Longest name of a bucket, in bytes.
const MAX_BUCKET_BYTES: usize = 256;

impl types::Host for Guarded<'_> {}

impl store::Host for Guarded<'_> {
    fn get(&mut self, key: String) -> wasmtime::Result<Result<Option<String>, store::Error>> {
        self.authorize(Operation::Config)?;
        noted!(
            self,
            "wasi:config/store get",
            (key),
            Ok(Ok(self.0.config.iter().find(|(name, _)| *name == key).map(|(_, value)| value.clone())))
        )
    }

    fn get_all(&mut self) -> wasmtime::Result<Result<Vec<(String, String)>, store::Error>> {
        self.authorize(Operation::Config)?;
        noted!(self, "wasi:config/store get-all", (), Ok(Ok(self.0.config.to_vec())))
    }
}

impl log::Host for Guarded<'_> {
    fn write(
        &mut self,
        level: log::Level,
        target: String,
        message: String,
        fields: Vec<(String, String)>,
    ) -> wasmtime::Result<()> {
        self.authorize(Operation::Log)?;
        // Another text is another host call, but not what people look for.
        noted!(self, "autodevops:host/log write", (Shown(&(level, &target, &message, &fields))), {
            match self.0.log.write(&self.0.labels, level, &target, &message, &fields) {
                Ok(()) => self.passes(message.len()),
                // The guest is not told, and goes on.
                Err(limit) => self.refuses(&Refusal::Over(limit)),
            }
            Ok(())
        })
    }
}

impl usage::Host for Guarded<'_> {
    fn tokens(&mut self, count: u64) -> wasmtime::Result<()> {
        self.authorize(Operation::Usage)?;
        noted!(self, "autodevops:host/usage tokens", (count), {
            let told = &mut self.guest().tokens;
            *told = Some(told.unwrap_or_default().saturating_add(count));
            Ok(())
        })
    }
}

/// A bucket that a guest opened.
pub struct Bucket(String);

type KeyValueResult<T> = wasmtime::Result<Result<T, keyvalue::Error>>;

impl Guarded<'_> {
    fn bucket(&mut self, bucket: &Resource<Bucket>) -> wasmtime::Result<String> {
        let name = self.table().get(bucket)?.0.clone();
        self.authorize(Operation::KeyValue(name.clone()))?;
        Ok(name)
    }

    /// A key is written, with so many bytes.
    fn writes(&mut self, bytes: usize) -> Result<(), Denial> {
        self.charge(Limit::KeyvalueEntries, 1)?;
        self.charge(Limit::KeyvalueBytes, bytes as u64)?;
        self.passes(bytes);
        Ok(())
    }
}

fn other<T>(result: Result<T, String>) -> Result<T, keyvalue::Error> {
    result.map_err(keyvalue::Error::Other)
}

impl keyvalue::Host for Guarded<'_> {
    fn open(&mut self, identifier: String) -> KeyValueResult<Resource<Bucket>> {
        if !self.allows(Operation::KeyValue(identifier.clone()))? {
            return Ok(Err(keyvalue::Error::AccessDenied));
        }
        if identifier.len() > MAX_BUCKET_BYTES {
            self.refuses(&Refusal::TooLong);
            return Ok(Err(keyvalue::Error::Other(format!("a bucket's name has at most {MAX_BUCKET_BYTES} bytes"))));
        }
        noted!(
            self,
            "wasi:keyvalue/store open",
            (identifier),
            self.table().push(Bucket(identifier)).map(Ok).map_err(Into::into)
        )
    }
}

impl keyvalue::HostBucket for Guarded<'_> {
    fn get(&mut self, bucket: Resource<Bucket>, key: String) -> KeyValueResult<Option<Vec<u8>>> {
        let bucket = self.bucket(&bucket)?;
        through!(
            self,
            "wasi:keyvalue/store [method]bucket.get",
            (bucket, key),
            Ok(other(self.0.keyvalue.get(&bucket, &key)))
        )
    }

    fn set(&mut self, bucket: Resource<Bucket>, key: String, value: Vec<u8>) -> KeyValueResult<()> {
        let bucket = self.bucket(&bucket)?;
        self.at_most(Limit::KeyvalueKeyBytes, key.len() as u64)?;
        self.writes(key.len().saturating_add(value.len()))?;
        through!(
            self,
            "wasi:keyvalue/store [method]bucket.set",
            (bucket, key, value),
            Ok(other(self.0.keyvalue.set(&bucket, key, Some(value)))),
            otherwise | _asked | Ok(Ok(()))
        )
    }

    fn delete(&mut self, bucket: Resource<Bucket>, key: String) -> KeyValueResult<()> {
        let bucket = self.bucket(&bucket)?;
        // Whatever its length: it may have been kept under a higher limit.
        self.writes(key.len())?;
        through!(
            self,
            "wasi:keyvalue/store [method]bucket.delete",
            (bucket, key),
            Ok(other(self.0.keyvalue.set(&bucket, key, None))),
            otherwise | _asked | Ok(Ok(()))
        )
    }

    fn exists(&mut self, bucket: Resource<Bucket>, key: String) -> KeyValueResult<bool> {
        let bucket = self.bucket(&bucket)?;
        through!(
            self,
            "wasi:keyvalue/store [method]bucket.exists",
            (bucket, key),
            Ok(other(self.0.keyvalue.get(&bucket, &key).map(|value| value.is_some())))
        )
    }

    fn list_keys(&mut self, bucket: Resource<Bucket>, cursor: Option<u64>) -> KeyValueResult<keyvalue::KeyResponse> {
        let bucket = self.bucket(&bucket)?;
        through!(self, "wasi:keyvalue/store [method]bucket.list-keys", (bucket, cursor), {
            let page = self.0.keyvalue.page(&bucket, cursor);
            Ok(other(page.map(|Page { keys, cursor }| keyvalue::KeyResponse { keys, cursor })))
        })
    }

    fn drop(&mut self, bucket: Resource<Bucket>) -> wasmtime::Result<()> {
        refuse!(self.using("wasi:keyvalue/store", "[resource-drop]bucket"));
        noted!(self, "wasi:keyvalue/store [resource-drop]bucket", (bucket), {
            self.forget(&bucket);
            self.table().delete(bucket).map(|_| ()).map_err(Into::into)
        })
    }
}

/// What a function of the project's own interfaces answers.
pub(super) type Answered<T> = wasmtime::Result<Result<T, types::Error>>;

impl Guarded<'_> {
    /// Asks for what the host does on a plugin's word. A refusal is an answer; one call too many is the end of all.
    pub(super) fn asks(&mut self, operation: Operation) -> Answered<()> {
        match self.authorize(operation) {
            Ok(()) => Ok(Ok(())),
            Err(denial @ Denial::NotGranted { .. }) => Ok(Err(denied(denial.to_string()))),
            Err(denial) => Err(denial.into()),
        }
    }

    /// The local target, where there is one.
    fn local(&self) -> Result<Arc<dyn LocalTarget>, StageError> {
        let message = "there is no local target here".to_owned();
        let none = || StageError { kind: ErrorKind::Denied, info: ErrorInfo { message, details: Vec::new() } };
        self.0.local.clone().ok_or_else(none)
    }
}

const fn denied(message: String) -> types::Error {
    types::Error::Denied(types::ErrorInfo { message, details: Vec::new() })
}

pub(super) fn answer<T, W>(result: Result<T, StageError>, convert: impl FnOnce(T) -> W) -> Answered<W> {
    Ok(result.map(convert).map_err(Into::into))
}

/// A function of the local target: asked for, with what it is about, and then what came of it.
macro_rules! local {
    ($guarded:ident, $name:literal, $target:expr, $function:literal, ($($argument:expr),*), |$local:ident| $real:expr, $convert:expr) => {{
        if let Err(refused) = $guarded.asks(Operation::LocalTarget { function: $name, target: $target })? {
            return noted!($guarded, $function, ($($argument),*), Ok(Err(refused)));
        }
        through!($guarded, $function, ($($argument),*), {
            let result = match $guarded.local() {
                Ok($local) => $real.await,
                Err(none) => Err(none),
            };
            answer(result, $convert)
        })
    }};
}

/// Shares of traffic, in words: `r1 95%, r2 5%`.
fn shares(splits: &[Split]) -> String {
    let each: Vec<String> = splits.iter().map(|split| format!("{} {}%", split.release, split.percent)).collect();
    each.join(", ")
}

fn traffic_state(state: TrafficState) -> State {
    let splits = state.splits.into_iter();
    State {
        splits: splits.map(|split| traffic::Split { release: split.release, percent: split.percent }).collect(),
        fence: state.fence,
        stable: state.stable.map(Into::into),
    }
}

impl traffic::Host for Guarded<'_> {
    async fn set(&mut self, environment: String, key: String, fence: u64, splits: Vec<traffic::Split>) -> Answered<()> {
        let splits: Vec<Split> =
            splits.into_iter().map(|split| Split { release: split.release, percent: split.percent }).collect();
        local!(
            self,
            "traffic.set",
            format!("{environment} {}", shares(&splits)),
            "autodevops:host/traffic set",
            (environment, key, fence, Shown(&splits)),
            |local| local.set_traffic(&environment, &key, fence, splits),
            |()| ()
        )
    }

    async fn get(&mut self, environment: String) -> Answered<Option<State>> {
        local!(
            self,
            "traffic.get",
            environment.clone(),
            "autodevops:host/traffic get",
            (environment),
            |local| local.traffic(&environment),
            |state| state.map(traffic_state)
        )
    }
}

impl runtime::Host for Guarded<'_> {
    async fn start(&mut self, environment: String, key: String, fence: u64, release: types::Release) -> Answered<()> {
        let release = Release::from(release);
        local!(
            self,
            "runtime.start",
            format!("{environment} {}", release.id),
            "autodevops:host/runtime start",
            (environment, key, fence, Shown(&release)),
            |local| local.start(&environment, &key, fence, release),
            |()| ()
        )
    }

    async fn find(&mut self, environment: String, key: String) -> Answered<Option<types::Release>> {
        local!(
            self,
            "runtime.find",
            format!("{environment} {key}"),
            "autodevops:host/runtime find",
            (environment, key),
            |local| local.find(&environment, &key),
            |release| release.map(Into::into)
        )
    }

    async fn stop(&mut self, environment: String, key: String, fence: u64, release: String) -> Answered<()> {
        local!(
            self,
            "runtime.stop",
            format!("{environment} {release}"),
            "autodevops:host/runtime stop",
            (environment, key, fence, release),
            |local| local.stop(&environment, &key, fence, &release),
            |()| ()
        )
    }

    async fn url(&mut self, environment: String, release: String) -> Answered<String> {
        local!(
            self,
            "runtime.url",
            format!("{environment} {release}"),
            "autodevops:host/runtime url",
            (environment, release),
            |local| local.url(&environment, &release),
            |url| url
        )
    }
}
