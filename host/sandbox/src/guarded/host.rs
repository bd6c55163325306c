//! Configuration, the key-value store, the log and the local target.

use autodevops_model::{Release, Split, StageError};
use autodevops_policy::{Denial, Limit, Operation};
use wasmtime::component::Resource;

use super::{Guarded, refuse::refuse};
use crate::{
    bindings::{
        base::{
            autodevops::{
                host::{
                    log, runtime,
                    traffic::{self, State},
                },
                types::types,
            },
            wasi::config::store,
        },
        keyvalue::wasi::keyvalue::store as keyvalue,
    },
    local::LocalTarget,
};

/// Keys that one call of `list-keys` gives at most.
const KEYS_PER_PAGE: usize = 1000;

/// Longest name of a bucket, in bytes.
const MAX_BUCKET_BYTES: usize = 256;

impl types::Host for Guarded<'_> {}

impl store::Host for Guarded<'_> {
    fn get(&mut self, key: String) -> wasmtime::Result<Result<Option<String>, store::Error>> {
        self.authorize(Operation::Config)?;
        Ok(Ok(self.0.config.iter().find(|(name, _)| *name == key).map(|(_, value)| value.clone())))
    }

    fn get_all(&mut self) -> wasmtime::Result<Result<Vec<(String, String)>, store::Error>> {
        self.authorize(Operation::Config)?;
        Ok(Ok(self.0.config.to_vec()))
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
        self.passes(message.len());
        self.0.log.write(&self.0.labels, level, &target, &message, &fields);
        Ok(())
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
        self.passes(bytes);
        self.charge(Limit::KeyvalueEntries, 1)?;
        self.charge(Limit::KeyvalueBytes, bytes as u64)
    }
}

fn other<T>(result: Result<T, String>) -> Result<T, keyvalue::Error> {
    result.map_err(keyvalue::Error::Other)
}

impl keyvalue::Host for Guarded<'_> {
    fn open(&mut self, identifier: String) -> KeyValueResult<Resource<Bucket>> {
        if identifier.len() > MAX_BUCKET_BYTES {
            return Ok(Err(keyvalue::Error::Other(format!("a bucket's name has at most {MAX_BUCKET_BYTES} bytes"))));
        }
        if !self.allows(Operation::KeyValue(identifier.clone()))? {
            return Ok(Err(keyvalue::Error::AccessDenied));
        }
        Ok(Ok(self.table().push(Bucket(identifier))?))
    }
}

impl keyvalue::HostBucket for Guarded<'_> {
    fn get(&mut self, bucket: Resource<Bucket>, key: String) -> KeyValueResult<Option<Vec<u8>>> {
        let bucket = self.bucket(&bucket)?;
        Ok(other(self.0.keyvalue.get(&bucket, &key)))
    }

    fn set(&mut self, bucket: Resource<Bucket>, key: String, value: Vec<u8>) -> KeyValueResult<()> {
        let bucket = self.bucket(&bucket)?;
        self.writes(key.len().saturating_add(value.len()))?;
        Ok(other(self.0.keyvalue.set(&bucket, key, Some(value))))
    }

    fn delete(&mut self, bucket: Resource<Bucket>, key: String) -> KeyValueResult<()> {
        let bucket = self.bucket(&bucket)?;
        self.writes(key.len())?;
        Ok(other(self.0.keyvalue.set(&bucket, key, None)))
    }

    fn exists(&mut self, bucket: Resource<Bucket>, key: String) -> KeyValueResult<bool> {
        let bucket = self.bucket(&bucket)?;
        Ok(other(self.0.keyvalue.get(&bucket, &key).map(|value| value.is_some())))
    }

    fn list_keys(&mut self, bucket: Resource<Bucket>, cursor: Option<u64>) -> KeyValueResult<keyvalue::KeyResponse> {
        let bucket = self.bucket(&bucket)?;
        let start = usize::try_from(cursor.unwrap_or(0))?;
        Ok(other(self.0.keyvalue.keys(&bucket).map(|all| {
            let keys: Vec<String> = all.iter().skip(start).take(KEYS_PER_PAGE).cloned().collect();
            let next = start.saturating_add(keys.len());
            let cursor = (next < all.len()).then_some(next as u64);
            keyvalue::KeyResponse { keys, cursor }
        })))
    }

    fn drop(&mut self, bucket: Resource<Bucket>) -> wasmtime::Result<()> {
        refuse!(self.using("wasi:keyvalue/store", "[resource-drop]bucket"));
        self.table().delete(bucket)?;
        Ok(())
    }
}

type Answer<T> = wasmtime::Result<Result<T, types::Error>>;

impl Guarded<'_> {
    /// The local target, where it was granted and there is one. A refusal is an answer; one call too
    /// many is the end of all.
    fn local(
        &mut self,
        function: &'static str,
    ) -> wasmtime::Result<Result<std::sync::Arc<dyn LocalTarget>, types::Error>> {
        let denied = |message: String| types::Error::Denied(types::ErrorInfo { message, details: Vec::new() });
        match self.authorize(Operation::LocalTarget(function)) {
            Ok(()) => {}
            Err(denial @ Denial::NotGranted { .. }) => return Ok(Err(denied(denial.to_string()))),
            Err(denial) => return Err(denial.into()),
        }
        Ok(self.0.local.clone().ok_or_else(|| denied("there is no local target here".to_owned())))
    }
}

fn answer<T, W>(result: Result<T, StageError>, convert: impl FnOnce(T) -> W) -> Answer<W> {
    Ok(result.map(convert).map_err(Into::into))
}

impl traffic::Host for Guarded<'_> {
    async fn set(&mut self, environment: String, key: String, fence: u64, splits: Vec<traffic::Split>) -> Answer<()> {
        let local = match self.local("traffic.set")? {
            Ok(local) => local,
            Err(error) => return Ok(Err(error)),
        };
        let splits = splits.into_iter().map(|split| Split { release: split.release, percent: split.percent }).collect();
        answer(local.set_traffic(&environment, &key, fence, splits).await, |()| ())
    }

    async fn get(&mut self, environment: String) -> Answer<Option<State>> {
        let local = match self.local("traffic.get")? {
            Ok(local) => local,
            Err(error) => return Ok(Err(error)),
        };
        answer(local.traffic(&environment).await, |state| {
            state.map(|state| State {
                splits: state
                    .splits
                    .into_iter()
                    .map(|split| traffic::Split { release: split.release, percent: split.percent })
                    .collect(),
                fence: state.fence,
                stable: state.stable.map(Into::into),
            })
        })
    }
}

impl runtime::Host for Guarded<'_> {
    async fn start(&mut self, environment: String, key: String, fence: u64, release: types::Release) -> Answer<()> {
        let local = match self.local("runtime.start")? {
            Ok(local) => local,
            Err(error) => return Ok(Err(error)),
        };
        let release = Release::from(release);
        answer(local.start(&environment, &key, fence, release).await, |()| ())
    }

    async fn find(&mut self, environment: String, key: String) -> Answer<Option<types::Release>> {
        let local = match self.local("runtime.find")? {
            Ok(local) => local,
            Err(error) => return Ok(Err(error)),
        };
        answer(local.find(&environment, &key).await, |release| release.map(Into::into))
    }

    async fn stop(&mut self, environment: String, key: String, fence: u64, release: String) -> Answer<()> {
        let local = match self.local("runtime.stop")? {
            Ok(local) => local,
            Err(error) => return Ok(Err(error)),
        };
        answer(local.stop(&environment, &key, fence, &release).await, |()| ())
    }

    async fn url(&mut self, environment: String, release: String) -> Answer<String> {
        let local = match self.local("runtime.url")? {
            Ok(local) => local,
            Err(error) => return Ok(Err(error)),
        };
        answer(local.url(&environment, &release).await, |url| url)
    }
}
